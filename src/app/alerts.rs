//! Alerts of what is held: keeps the board in step with the store, has rows looked at again when the rules change, goes
//! from alert to alert in the timeline, and tells of new ones. [`crate::detect`] finds them; `alert_table` lists them,
//! `alert_keys` is what keys do there, `muting` how they are dealt with.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{App, Effect, LookAt, Mode};
use crate::detect::{Acks, AlertBoard, AlertKey, LoadedRules, Severity};
use crate::identity::Identities;
use crate::model::{EventId, Micros, SECOND};
use crate::query::{Alerted, Context, FieldName};
use crate::store::Hits;

/// Rules with state are asked again after this long: they look at everything that is held.
const OBSERVE_EVERY: Micros = 2 * SECOND;

/// With fewer records, that takes no time.
const FEW_RECORDS: u64 = 50_000;

/// The bell rings this often at most.
const BELL_EVERY: Micros = 10 * SECOND;
/// Live lines lag behind by less than this: what is older comes from history, or from other rules.
const NEW_WITHIN: Micros = 300 * SECOND;
/// Alerts that are remembered as told. Nobody reads more.
const MOST_TOLD: usize = 50_000;

/// What the program knows of alerts.
#[derive(Debug, Default)]
pub struct Watch {
    /// The rules; `None` without any.
    pub rules: Option<LoadedRules>,
    /// The alerts; `None` without rules.
    pub board: Option<AlertBoard>,
    /// Other rules that are looking at what is held, and their alerts so far. They take over when they have seen all of
    /// it: a list that empties and fills again would look as if alerts had gone.
    next: Option<(LoadedRules, AlertBoard)>,
    /// What filters know of them.
    pub(super) for_filters: Arc<Alerted>,
    /// Rows with a part in an alert, in the order of time.
    rows: Vec<(Micros, EventId)>,
    /// Records that were held when the rules with state were last asked.
    observed: u64,
    observed_at: Micros,
    /// Segments that were handed out to be looked at.
    handed_out: BTreeSet<u32>,
    /// What somebody dealt with.
    pub acks: Acks,
    /// Changes with what is listed and with what was dealt with.
    version: u64,
    open: usize,
    /// Alerts of high and up that were told of, or came with history.
    told: BTreeSet<AlertKey>,
    bell_is_due: bool,
    rang: Option<Micros>,
}

impl Watch {
    pub(super) fn new(rules: Option<LoadedRules>, acks: Acks) -> Watch {
        let board = rules.as_ref().map(|rules| AlertBoard::new(Arc::clone(&rules.engine)));
        Watch { rules, board, acks, ..Watch::default() }
    }

    /// How many alerts wait for somebody: of medium and up, neither acknowledged nor closed.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Changes whenever the alerts do, or what was dealt with.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The board that takes in what comes.
    fn newest_board(&mut self) -> Option<&mut AlertBoard> {
        self.next.as_mut().map(|(_, board)| board).or(self.board.as_mut())
    }

    fn count_open(&mut self) {
        self.version += 1;
        let Some(board) = &self.board else { return };
        let is_open = |alert: &&crate::detect::Alert| {
            board.severity(alert).is_alert() && self.acks.state(alert).is_open()
        };
        self.open = board.list().iter().filter(is_open).count();
    }

    /// An alert was dealt with: if it happens again, that is new.
    pub(super) fn dealt_with(&mut self, key: &AlertKey) {
        self.told.remove(key);
        self.count_open();
    }

    /// An alert is open again, which is no news to who did that.
    pub(super) fn taken_back(&mut self, key: &AlertKey) {
        self.told.insert(key.clone());
        self.count_open();
    }

    /// The worst alert of high and up that was not told of yet, as of now told: its severity and title. `is_live` says
    /// that it is worth telling.
    fn news(&mut self, now: Micros, is_live: bool) -> Option<(Severity, String)> {
        let board = self.board.as_ref()?;
        let mut news: Option<(Severity, String)> = None;
        for alert in board.list() {
            let severity = board.severity(alert);
            if severity < Severity::High
                || !self.acks.state(alert).is_open()
                || self.told.contains(&alert.key)
            {
                continue;
            }
            if self.told.len() < MOST_TOLD {
                self.told.insert(alert.key.clone());
                let is_new = is_live && now - alert.last < NEW_WITHIN;
                if is_new && news.as_ref().is_none_or(|(worst, _)| severity > *worst) {
                    news = Some((severity, board.engine().rule(alert.rule).title.clone()));
                }
            }
        }
        news
    }

    /// Rows with a part in an alert, in the order of time.
    pub fn rows(&self) -> &[(Micros, EventId)] {
        &self.rows
    }

    /// Whether rules with state have not seen everything that is held.
    pub(super) fn has_unobserved(&self, records: u64) -> bool {
        self.board.is_some() && self.observed != records
    }
}

impl App {
    /// From now on these rules count: everything that is held is looked at again.
    pub(super) fn set_rules(&mut self, rules: LoadedRules) -> Vec<Effect> {
        let is_older = |board: &mut AlertBoard| rules.engine.number() < board.engine().number();
        if self.watch.newest_board().is_some_and(is_older) {
            return Vec::new();
        }
        let board = AlertBoard::new(Arc::clone(&rules.engine));
        self.watch.handed_out.clear();
        self.watch.next = Some((rules, board));
        self.watch_data()
    }

    /// Lets the rules that have seen everything take over.
    fn take_over(&mut self) {
        let watch = &mut self.watch;
        if !watch.handed_out.is_empty() {
            return;
        }
        let Some((rules, board)) = watch.next.take() else { return };
        (watch.rules, watch.board) = (Some(rules), Some(board));
        (watch.observed, watch.observed_at) = (0, 0);
        watch.version += 1;
    }

    /// Begins again with what is held: a log was closed, and what was found in it is not to be shown any longer.
    pub(super) fn forget_found(&mut self) {
        self.identities = Identities::default();
        if let Some((rules, _)) = self.watch.next.take() {
            self.watch.board = Some(AlertBoard::new(Arc::clone(&rules.engine)));
            self.watch.rules = Some(rules);
        } else if let Some(board) = &mut self.watch.board {
            *board = AlertBoard::new(Arc::clone(board.engine()));
        }
        self.watch.observed = 0;
        self.watch.observed_at = 0;
    }

    /// Takes in what is new. What its rules have not looked at is looked at outside, but for open segments, whose rows
    /// are few.
    pub(super) fn watch_data(&mut self) -> Vec<Effect> {
        let mut handed_out = std::mem::take(&mut self.watch.handed_out);
        let Some(board) = self.watch.newest_board() else { return Vec::new() };
        let mut outside = Vec::new();
        let mut is_behind = false;
        for number in board.update(&self.store) {
            let Some(entry) = self.store.entry(number) else { continue };
            match entry.sealed() {
                Some(segment) if handed_out.insert(number) => outside.push((number, segment)),
                Some(_) => {}
                None => {
                    let hits = board.engine().look_at(entry.segment());
                    self.store.set_hits(number, hits);
                    is_behind = true;
                }
            }
        }
        if is_behind {
            board.update(&self.store);
        }
        let engine = Arc::clone(board.engine());
        self.watch.handed_out = handed_out;
        if outside.is_empty() {
            return Vec::new();
        }
        vec![Effect::LookAt(LookAt { engine, segments: outside })]
    }

    /// Takes in what the rules match in a segment that was handed out.
    pub(super) fn looked_at(&mut self, number: u32, hits: Hits) -> Vec<Effect> {
        let is_of_these =
            self.watch.newest_board().is_some_and(|board| board.engine().number() == hits.rules);
        if !is_of_these {
            return Vec::new();
        }
        self.watch.handed_out.remove(&number);
        self.store.set_hits(number, hits);
        self.watch_data()
    }

    /// Before a frame: lists the alerts anew where something came, and shows and marks the rows that have a part in one.
    pub(super) fn refresh_alerts(&mut self) {
        self.take_over();
        let loaded_from = self.is_loading().then(|| self.store.order().first_time()).flatten();
        let Some(board) = &mut self.watch.board else { return };
        let records = self.store.counts().records;
        let is_due = records < FEW_RECORDS || self.now - self.watch.observed_at >= OBSERVE_EVERY;
        if records != self.watch.observed && is_due {
            (self.watch.observed, self.watch.observed_at) = (records, self.now);
            board.observe(&self.store, &self.identities);
        }
        if !board.refresh(&self.store, loaded_from) {
            return;
        }
        let numbers: Vec<(u32, u32)> =
            self.store.entries().map(|(number, entry)| (number, entry.segment().rows())).collect();
        let mut rows = Vec::new();
        for (number, count) in numbers {
            let alerted = board.alerted(number, count);
            if let Some(segment) = self.store.entry(number).map(|entry| entry.segment()) {
                let found = alerted.iter().map(|row| (segment.stage_time(row), EventId::new(number, row)));
                rows.extend(found);
            }
            self.store.set_alerted(number, alerted);
        }
        rows.sort_unstable();
        self.watch.rows = rows;
        self.watch.for_filters = Arc::new(board.for_filters());
        self.watch.count_open();
        self.tell_news();
        if Context::matters(&self.filter_bar.effective(), FieldName::Alert) {
            self.restart_views();
        }
        self.data_changed();
    }

    /// Tells of a new alert, once, without going anywhere.
    fn tell_news(&mut self) {
        let is_live = self.is_live() && !self.is_loading();
        let Some((severity, title)) = self.watch.news(self.now, is_live) else { return };
        if matches!(self.mode, Mode::Normal) {
            self.say(format!("new alert: {severity}: {title} (3 shows it)"));
        }
        let may_ring = self.watch.rang.is_none_or(|rang| self.now - rang >= BELL_EVERY);
        if self.config.bell && may_ring {
            self.watch.rang = Some(self.now);
            self.watch.bell_is_due = true;
        }
    }

    /// Whether the terminal's bell is to ring now.
    pub fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.watch.bell_is_due)
    }

    /// Selects the next row with an alert after the selected one, or the one before it.
    pub(super) fn go_to_alert(&mut self, forward: bool) {
        let from = self.timeline.selected().map(|id| (self.store.stage_time(id), id));
        let rows = &self.watch.rows;
        let shown = |row: &&(Micros, EventId)| self.view.contains(row.1);
        let found = match (from, forward) {
            (Some(from), true) => rows[rows.partition_point(|row| *row <= from)..].iter().find(shown),
            (Some(from), false) => rows[..rows.partition_point(|row| *row < from)].iter().rev().find(shown),
            (None, _) => rows.iter().rev().find(shown),
        };
        match found.copied() {
            Some((_, id)) => self.jump_to(id),
            None if rows.is_empty() => self.say("no alerts".into()),
            None if rows.iter().any(|row| self.view.contains(row.1)) => {
                let side = if forward { "after" } else { "before" };
                self.say(format!("no alert {side} this row"));
            }
            None => self.say("no alert matches the filter; 3 lists them all".into()),
        }
    }
}

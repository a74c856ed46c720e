//! Alerts of what is held: keeps the board in step with the store, has rows looked at again when the rules change, and
//! goes from alert to alert in the timeline. [`crate::detect`] finds them; `screens` shows the list.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{App, Effect, LookAt};
use crate::detect::{AlertBoard, LoadedRules};
use crate::model::{EventId, Micros, SECOND};
use crate::query::{Alerted, Context, FieldName};
use crate::store::Hits;

/// Rules with state are asked again after this long: they look at everything that is held.
const OBSERVE_EVERY: Micros = 2 * SECOND;

/// With fewer records, that takes no time.
const FEW_RECORDS: u64 = 50_000;

/// What the program knows of alerts.
#[derive(Debug, Default)]
pub struct Watch {
    /// The rules; `None` without any.
    pub rules: Option<LoadedRules>,
    /// The alerts; `None` without rules.
    pub board: Option<AlertBoard>,
    /// What filters know of them.
    pub(super) for_filters: Arc<Alerted>,
    /// Rows with a part in an alert, in the order of time.
    rows: Vec<(Micros, EventId)>,
    /// Records that were held when the rules with state were last asked.
    observed: u64,
    observed_at: Micros,
    /// Segments that were handed out to be looked at.
    handed_out: BTreeSet<u32>,
}

impl Watch {
    pub(super) fn new(rules: Option<LoadedRules>) -> Watch {
        let board = rules.as_ref().map(|rules| AlertBoard::new(Arc::clone(&rules.engine)));
        Watch { rules, board, ..Watch::default() }
    }

    /// Rows with a part in an alert, in the order of time.
    pub fn rows(&self) -> &[(Micros, EventId)] {
        &self.rows
    }
}

impl Watch {
    /// Whether rules with state have not seen everything that is held.
    pub(super) fn is_behind(&self, records: u64) -> bool {
        self.board.is_some() && self.observed != records
    }
}

impl App {
    /// From now on these rules count: everything that is held is looked at again.
    pub(super) fn set_rules(&mut self, rules: LoadedRules) -> Vec<Effect> {
        self.watch = Watch::new(Some(rules));
        self.watch_data()
    }

    /// Takes in what is new. What its rules have not looked at is looked at outside, but for open segments, whose rows
    /// are few.
    pub(super) fn watch_data(&mut self) -> Vec<Effect> {
        let Some(board) = &mut self.watch.board else { return Vec::new() };
        let mut outside = Vec::new();
        let mut is_behind = false;
        for number in board.update(&self.store) {
            let Some(entry) = self.store.entry(number) else { continue };
            match entry.sealed() {
                Some(segment) if self.watch.handed_out.insert(number) => outside.push((number, segment)),
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
        if outside.is_empty() {
            return Vec::new();
        }
        vec![Effect::LookAt(LookAt { engine: Arc::clone(board.engine()), segments: outside })]
    }

    /// Takes in what the rules match in a segment that was handed out.
    pub(super) fn looked_at(&mut self, number: u32, hits: Hits) -> Vec<Effect> {
        let is_of_these =
            self.watch.board.as_ref().is_some_and(|board| board.engine().number() == hits.rules);
        if !is_of_these {
            return Vec::new();
        }
        self.watch.handed_out.remove(&number);
        self.store.set_hits(number, hits);
        self.watch_data()
    }

    /// Before a frame: lists the alerts anew where something came, and shows and marks the rows that have a part in one.
    pub(super) fn refresh_alerts(&mut self) {
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
        if Context::matters(&self.filter_bar.effective(), FieldName::Alert) {
            self.restart_views();
        }
        self.data_changed();
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

//! `query --follow`: what is there in time order, then what comes in the order of its arrival, each row once.
//!
//! A request is printed at its first answer. Whether one has been printed is told by the store's overlay while its
//! records are held, and by a bounded memory of unfinished requests after they were dropped.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use super::intake::Intake;
use super::printer::Printer;
use super::query::{QueryOptions, rows_in_order, time_range};
use super::texts::RowTexts;
use super::{Outcome, Streams};
use crate::error::Result;
use crate::ingest::IngestMessage;
use crate::model::{EventId, Micros, Stage};
use crate::query::Plan;
use crate::store::{Field, Segment};

/// Once everything that was there has been printed, the store only joins stages and finds lines read twice: what came
/// within this many bytes is enough for that.
const MEMORY_WHILE_FOLLOWING: u64 = 64 << 20;

/// Requests without an answer that are held back at most; beyond it the oldest are printed as they are.
const MOST_WAITING: usize = 100_000;

/// Printed requests without an end that are remembered at most.
const MOST_UNFINISHED: usize = 500_000;

/// Prints as it goes.
pub(super) struct Follower<'o> {
    options: &'o QueryOptions<'o>,
    intake: Intake,
    printer: Printer<'o>,
    /// The window, once what was there has been printed.
    following: Option<Window>,
    /// The filter: moments in it count from when what was there had been read.
    plan: Plan,
    /// Rows of each segment that were looked at.
    looked_at: BTreeMap<u32, u32>,
    /// Requests that have no answer yet, in the order of their arrival.
    waiting: VecDeque<EventId>,
    unfinished: Remembered,
}

#[derive(Clone, Copy)]
struct Window(Option<(Micros, Micros)>);

impl<'o> Follower<'o> {
    pub(super) fn new(options: &'o QueryOptions<'o>) -> Self {
        Self {
            options,
            intake: Intake::with_rules(options.rules.as_ref()),
            printer: Printer::new(options),
            following: None,
            plan: Plan::everything(),
            looked_at: BTreeMap::new(),
            waiting: VecDeque::new(),
            unfinished: Remembered::default(),
        }
    }

    pub(super) fn run(
        mut self,
        messages: impl Iterator<Item = IngestMessage>,
        streams: &mut Streams<'_>,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        for message in messages {
            if self.following.is_some() {
                tell_loss(&message, streams);
            }
            self.intake.take(message, streams);
            match self.following {
                Some(window) => self.print_new(window, streams)?,
                None if self.intake.has_read_history() => self.print_present(streams)?,
                None => {}
            }
            self.keep_budget(streams)?;
            streams.flush()?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if self.following.is_none() && !stop.load(Ordering::Relaxed) {
            self.print_present(streams)?;
        }
        for id in std::mem::take(&mut self.waiting) {
            self.print_unanswered(id, streams)?;
        }
        self.printer.finish(streams)?;
        if self.following.is_none() {
            self.intake.tell_losses(streams, self.options.zone);
        }
        Ok(Outcome { matched: self.printer.matched(), failed_sources: self.intake.failed_sources })
    }

    /// Prints what was there when the logs were opened, and says what of it was lost.
    fn print_present(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        self.intake.settle();
        let range = time_range(self.options, &self.intake, streams)?;
        self.plan = self.options.plan(&self.intake);
        for id in rows_in_order(&self.intake.store, &self.plan, self.options, range, self.options.limit) {
            self.print_or_wait(id, streams)?;
        }
        let entries = self.intake.store.entries();
        self.looked_at = entries.map(|(number, entry)| (number, entry.segment().rows())).collect();
        self.intake.store.take_changes();
        self.intake.tell_losses(streams, self.options.zone);
        self.following = Some(Window(range));
        Ok(())
    }

    /// Prints what the last message brought.
    fn print_new(&mut self, Window(range): Window, streams: &mut Streams<'_>) -> Result<()> {
        if self.intake.settle() {
            self.plan = self.options.plan(&self.intake);
        }
        let changes = self.intake.store.take_changes();
        for number in changes.touched {
            let Some(entry) = self.intake.store.entry(number) else { continue };
            let rows = entry.segment().rows();
            let from = self.looked_at.get(&number).copied().unwrap_or(0);
            if from == rows {
                continue;
            }
            let selected = self.options.selected(&self.plan, number, entry, range, from);
            if self.options.is_by_request() {
                for row in (from..rows).filter(|row| entry.hidden().get(*row)) {
                    if entry.segment().facts(row).stage().is_final()
                        && let Some(key) = request_key(entry.segment(), row)
                    {
                        self.unfinished.forget(key);
                    }
                }
            }
            for row in (from..rows).filter(|row| selected.get(*row)) {
                self.print_or_wait(EventId::new(number, row), streams)?;
            }
            // Only now: until here, what was looked at before tells which end of a request is news.
            self.looked_at.insert(number, rows);
        }
        Ok(())
    }

    fn print_or_wait(&mut self, id: EventId, streams: &mut Streams<'_>) -> Result<()> {
        if !self.options.is_by_request() {
            return self.print(id, streams);
        }
        let Some(segment) = self.intake.store.segment(id) else { return Ok(()) };
        let stage = segment.facts(id.row()).stage();
        if stage == Stage::RequestReceived {
            self.waiting.push_back(id);
            return self.bound_waiting(streams);
        }
        let key = request_key(segment, id.row());
        if key.is_some_and(|key| self.unfinished.holds(key)) || self.was_printed_at_its_end(id) {
            if let Some(key) = key.filter(|_| stage.is_final()) {
                self.unfinished.forget(key);
            }
            return Ok(());
        }
        if let Some(key) = key.filter(|_| self.intake.store.is_open(id)) {
            self.unfinished.remember(key);
        }
        self.print(id, streams)
    }

    fn print(&mut self, id: EventId, streams: &mut Streams<'_>) -> Result<()> {
        let mut texts = RowTexts::new(&self.intake.store);
        self.printer.print(&self.intake, &mut texts, id, None, streams)
    }

    /// Whether the record that ends this request came before the one that now stands for it.
    fn was_printed_at_its_end(&self, id: EventId) -> bool {
        let (Some(Window(range)), Some(end)) = (self.following, self.intake.store.ending(id)) else {
            return false;
        };
        let earlier = self.looked_at.get(&end.segment()).is_some_and(|rows| end.row() < *rows);
        let matches = |segment: &Segment| {
            let in_range = range.is_none_or(|(from, to)| (from..to).contains(&segment.stage_time(end.row())));
            in_range && self.plan.passes(segment, end.row())
        };
        earlier && self.intake.store.segment(end).is_some_and(matches)
    }

    fn print_unanswered(&mut self, id: EventId, streams: &mut Streams<'_>) -> Result<()> {
        let Some(entry) = self.intake.store.entry(id.segment()) else { return Ok(()) };
        if entry.hidden().get(id.row()) || entry.dropped().get(id.row()) {
            return Ok(());
        }
        if let Some(key) = request_key(entry.segment(), id.row()) {
            self.unfinished.remember(key);
        }
        self.print(id, streams)
    }

    /// Looks through those that wait only when they are many, and then makes room for as many again.
    fn bound_waiting(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        if self.waiting.len() < MOST_WAITING {
            return Ok(());
        }
        let store = &self.intake.store;
        self.waiting.retain(|id| store.entry(id.segment()).is_some_and(|e| !e.hidden().get(id.row())));
        while self.waiting.len() > MOST_WAITING / 2 {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.print_unanswered(oldest, streams)?;
        }
        Ok(())
    }

    fn keep_budget(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        let memory = match self.following {
            Some(_) => self.options.memory.min(MEMORY_WHILE_FOLLOWING),
            None => self.options.memory,
        };
        while let Some(number) = self.intake.excess(memory) {
            let (leaving, staying) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|id: &EventId| id.segment() == number);
            self.waiting = staying;
            let leaving: VecDeque<EventId> = leaving;
            for id in leaving {
                self.print_unanswered(id, streams)?;
            }
            self.looked_at.remove(&number);
            if !self.intake.store.evict_oldest() {
                break;
            }
        }
        Ok(())
    }
}

/// Says at once that lines which are being written could not be used; of each kind, the first come with a sample.
fn tell_loss(message: &IngestMessage, streams: &mut Streams<'_>) {
    if let IngestMessage::Notice(notice) = message
        && notice.is_loss
        && !notice.detail.is_empty()
    {
        streams.note_loss(&notice.kind, None, &notice.detail);
    }
}

/// Names one request, as the store does: auditID alone does not do, since a client may choose it. `None` without one.
fn request_key(segment: &Segment, row: u32) -> Option<u64> {
    let audit_id = segment.audit_id(row);
    if audit_id.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (segment.source(), audit_id, segment.received(row)).hash(&mut hasher);
    for field in [Field::RequestUri, Field::Verb, Field::User] {
        segment.string(field, row).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// A bounded set that forgets what was put in first.
#[derive(Default)]
struct Remembered {
    keys: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Remembered {
    fn remember(&mut self, key: u64) {
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
        // Keys that were forgotten are still in `order`, so it is what has to be bounded.
        while self.order.len() > MOST_UNFINISHED {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    fn holds(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }

    fn forget(&mut self, key: u64) {
        self.keys.remove(&key);
    }
}

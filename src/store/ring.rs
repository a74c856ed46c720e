//! The store itself: a ring of segments of which the oldest are dropped first, the order of all their records, and
//! the overlay that says which records stand for their requests.
//!
//! One thread owns it. Whoever shows results asks [`Store::take_changes`] which segments to look at again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::bits::Bitset;
use super::builder::{Batch, SegmentBuilder};
use super::hits::Hits;
use super::order::OrderIndex;
use super::requests::{Slot, StageIds};
use super::segment::Segment;
use crate::model::{EventId, Micros, SECOND, SourceId};

/// Requests whose further stages may still come that are remembered at most. Beyond it the oldest are forgotten and
/// counted: a later stage of theirs shows as a row of its own.
const MAX_OPEN_REQUESTS: usize = 500_000;

/// A live line may arrive this much before or after its neighbours by stage time.
const LIVE_SLACK: Micros = 2 * SECOND;

#[derive(Debug)]
enum Body {
    Sealed(Arc<Segment>),
    Open(Box<SegmentBuilder>),
}

/// A segment in the store with what became known about its records after it was sealed.
#[derive(Debug)]
pub struct Entry {
    body: Body,
    hidden: Bitset,
    dropped: Bitset,
    endings: HashMap<u32, Ending>,
    origin: u32,
    /// Rows that are never folded, although they are of a routine kind.
    unfolded: Option<Bitset>,
    /// Rows with a part in an alert: they are never folded either.
    alerted: Option<Bitset>,
    hits: Hits,
}

/// The later record that ended a request, and when.
#[derive(Clone, Copy, Debug)]
struct Ending {
    id: EventId,
    time: Micros,
}

impl Entry {
    /// The columns.
    pub fn segment(&self) -> &Segment {
        match &self.body {
            Body::Sealed(segment) => segment,
            Body::Open(builder) => builder.segment(),
        }
    }

    /// The columns, to share with a worker; `None` while live lines are still added.
    pub fn sealed(&self) -> Option<Arc<Segment>> {
        match &self.body {
            Body::Sealed(segment) => Some(Arc::clone(segment)),
            Body::Open(_) => None,
        }
    }

    /// Whether no more records come into it.
    pub fn is_sealed(&self) -> bool {
        matches!(self.body, Body::Sealed(_))
    }

    /// Number of the file that its lines were read from, as in [`Batch::origin`].
    pub fn origin(&self) -> u32 {
        self.origin
    }

    /// The rows with a part in an alert, see [`Store::set_alerted`].
    pub fn alerted(&self) -> Option<&Bitset> {
        self.alerted.as_ref()
    }

    /// What detection rules match in it, as far as they were run.
    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    /// Records that another record of the same request stands for.
    pub fn hidden(&self) -> &Bitset {
        &self.hidden
    }

    /// Records that are the same line read twice.
    pub fn dropped(&self) -> &Bitset {
        &self.dropped
    }

    /// Time from a request's arrival to its end, or to the record's own stage where no end is known.
    pub fn elapsed(&self, row: u32) -> Micros {
        match self.endings.get(&row) {
            Some(end) => end.time.saturating_sub(self.segment().received(row)),
            None => self.segment().elapsed(row),
        }
    }

    /// Rows whose request was ended by a later record.
    pub fn ended_rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.endings.keys().copied()
    }

    /// The rows that may be folded as routine: those of routine kinds, without the ones that were said to be out of
    /// the ordinary, see [`Store::unfold`] and [`Store::set_alerted`].
    pub fn routine(&self) -> Bitset {
        let mut rows = Bitset::from_column(self.segment().all_facts(), |facts| facts.is_routine());
        for never in [&self.unfolded, &self.alerted].into_iter().flatten() {
            rows.and_not(never);
        }
        rows
    }

    fn memory_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Sealed(segment) => segment.memory_bytes(),
            Body::Open(builder) => builder.memory_bytes(),
        };
        let rows = self.hidden.memory_bytes() + self.dropped.memory_bytes();
        body + rows + self.endings.capacity() * 32 + self.hits.memory_bytes()
    }
}

/// What happened to the store since somebody last asked.
#[derive(Debug, Default)]
pub struct Changes {
    /// Segments with new rows, or rows that are shown or hidden now.
    pub touched: BTreeSet<u32>,
    /// Segments that are gone.
    pub removed: Vec<u32>,
    /// Whether the order of records changed.
    pub reordered: bool,
}

/// How much was taken in, since the program started. What was dropped for memory still counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Stage records taken in, without duplicates.
    pub records: u64,
    /// Requests: records that stand for one.
    pub requests: u64,
    /// Lines that had been read before, from another file.
    pub duplicates: u64,
    /// Records dropped for memory.
    pub evicted_records: u64,
    /// Stage time of the newest record that was dropped for memory.
    pub evicted_until: Option<Micros>,
    /// Requests forgotten because more than can be remembered were without an end.
    pub forgotten_requests: u64,
}

/// Every record that is held.
#[derive(Debug, Default)]
pub struct Store {
    entries: BTreeMap<u32, Entry>,
    order: OrderIndex,
    next_segment: u32,
    /// The open segment of each live source.
    heads: HashMap<SourceId, u32>,
    /// Where live lines of a source began: earlier stages of later requests cannot come from elsewhere.
    live_since: HashMap<SourceId, Micros>,
    /// Requests of which another segment may hold, or bring, further stages.
    requests: HashMap<u64, StageIds>,
    counts: StoreCounts,
    changes: Changes,
    sealed_bytes: usize,
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry of a segment that is held.
    pub fn entry(&self, segment: u32) -> Option<&Entry> {
        self.entries.get(&segment)
    }

    /// All entries by segment number.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (u32, &Entry)> {
        self.entries.iter().map(|(number, entry)| (*number, entry))
    }

    /// The segment that holds a record, if it is still held.
    pub fn segment(&self, id: EventId) -> Option<&Segment> {
        let segment = self.entries.get(&id.segment())?.segment();
        (id.row() < segment.rows()).then_some(segment)
    }

    /// All records in time order.
    pub fn order(&self) -> &OrderIndex {
        &self.order
    }

    /// Totals since the start.
    pub fn counts(&self) -> StoreCounts {
        self.counts
    }

    /// Records that are held now.
    pub fn held_records(&self) -> u64 {
        self.counts.records - self.counts.evicted_records
    }

    /// Stage time of a record.
    pub fn stage_time(&self, id: EventId) -> Micros {
        self.entries.get(&id.segment()).map_or(0, |entry| entry.segment().stage_time(id.row()))
    }

    /// The later record that ended a request whose row is `id`.
    pub fn ending(&self, id: EventId) -> Option<EventId> {
        self.entries.get(&id.segment())?.endings.get(&id.row()).map(|end| end.id)
    }

    /// Every record of the request that `id` belongs to, in time order; at least `id` itself.
    pub fn stages(&self, id: EventId) -> Vec<EventId> {
        let Some(segment) = self.segment(id) else { return Vec::new() };
        let Some(key) = segment.request_key(id.row()) else { return vec![id] };
        let (received, end) = (segment.received(id.row()), self.ending(id).map(|end| self.stage_time(end)));
        let audit_id = segment.audit_id(id.row());
        let until = end.unwrap_or(Micros::MAX);
        let mut found = Vec::new();
        for (number, entry) in &self.entries {
            let other = entry.segment();
            let apart = other.max_time() < received.saturating_sub(LIVE_SLACK) || other.min_time() > until;
            if other.source() != segment.source() || apart {
                continue;
            }
            for row in other.rows_with_audit_id(&audit_id) {
                if other.request_key(row) == Some(key) && !entry.dropped.get(row) {
                    found.push(EventId::new(*number, row));
                }
            }
        }
        found.sort_by_key(|id| (self.stage_time(*id), *id));
        found
    }

    /// Records with this auditID, in time order.
    pub fn find_audit_id(&self, audit_id: &str) -> Vec<EventId> {
        let mut found: Vec<EventId> = self
            .entries
            .iter()
            .flat_map(|(number, entry)| {
                let rows = entry.segment().rows_with_audit_id(audit_id);
                rows.into_iter().filter(|row| !entry.dropped.get(*row)).map(|row| EventId::new(*number, row))
            })
            .collect();
        found.sort_by_key(|id| (self.stage_time(*id), *id));
        found
    }

    /// Bytes that all held records take, with everything that belongs to them.
    pub fn memory_bytes(&self) -> usize {
        let open: usize =
            self.heads.values().filter_map(|n| self.entries.get(n)).map(Entry::memory_bytes).sum();
        self.sealed_bytes + open + self.order.memory_bytes() + self.requests.capacity() * 56
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Takes in a sealed segment of history. A segment that holds nothing new leaves only its count of duplicates.
    pub fn push(&mut self, batch: Batch) {
        let Batch { segment, order, hidden, mut dropped, endings, unsettled, origin, hits } = batch;
        self.drop_duplicates(&segment, origin, &mut dropped);
        let rows = segment.rows();
        let repeated = dropped.count();
        self.counts.duplicates += u64::from(repeated);
        if repeated == rows {
            return;
        }
        let number = self.next_segment;
        self.next_segment += 1;
        self.counts.records += u64::from(rows - repeated);
        self.counts.requests += visible(&hidden, &dropped);
        let run = run_of(&segment, &order, number, 0);
        let ending = |end| Ending { id: EventId::new(number, end), time: segment.stage_time(end) };
        let endings = endings.into_iter().map(|(row, end)| (row, ending(end))).collect();
        let body = Body::Sealed(Arc::new(segment));
        let entry = Entry { body, hidden, dropped, endings, origin, unfolded: None, alerted: None, hits };
        self.sealed_bytes += entry.memory_bytes();
        self.entries.insert(number, entry);
        self.index(&run);
        self.changes.touched.insert(number);
        for (key, stages) in unsettled {
            self.settle(key, stages.map(|row| EventId::new(number, row)), true);
        }
    }

    /// Appends a batch of live lines to the open segment of their source.
    ///
    /// # Errors
    /// When the batch's text cannot be unpacked; its records are lost then.
    pub fn push_live(&mut self, batch: Batch) -> io::Result<()> {
        let Batch { segment, order, hidden, mut dropped, endings, unsettled, origin, hits } = batch;
        if segment.rows() == 0 {
            return Ok(());
        }
        self.drop_duplicates(&segment, origin, &mut dropped);
        let source = segment.source();
        let number = self.head_for(&segment, origin);
        let Some(entry) = self.entries.get_mut(&number) else { return Ok(()) };
        let Body::Open(builder) = &mut entry.body else { return Ok(()) };
        let base = builder.append(&segment)?;
        entry.hits.append(base, &hits);
        for row in 0..segment.rows() {
            entry.hidden.push(hidden.get(row));
            entry.dropped.push(dropped.get(row));
        }
        for (row, end) in endings {
            let id = EventId::new(number, base + end);
            entry.endings.insert(base + row, Ending { id, time: segment.stage_time(end) });
        }
        let repeated = dropped.count();
        self.counts.duplicates += u64::from(repeated);
        self.counts.records += u64::from(segment.rows() - repeated);
        self.counts.requests += visible(&hidden, &dropped);
        let run = run_of(&segment, &order, number, base);
        self.index(&run);
        self.changes.touched.insert(number);
        let live_since = *self.live_since.entry(source).or_insert(segment.min_time());
        for (key, stages) in unsettled {
            let ids = stages.map(|row| EventId::new(number, base + row));
            // Once its end has come, a request that began while we were reading has no part that we have not seen.
            let remember = match stages.get(Slot::Finished) {
                Some(end) => segment.received(end) < live_since.saturating_add(LIVE_SLACK),
                None => true,
            };
            self.settle(key, ids, remember);
        }
        Ok(())
    }

    /// The open segment for this batch: the source's present one, or a new one when that is full.
    fn head_for(&mut self, batch: &Segment, origin: u32) -> u32 {
        let source = batch.source();
        if let Some(number) = self.heads.get(&source).copied()
            && let Some(Entry { body: Body::Open(builder), .. }) = self.entries.get(&number)
        {
            if builder.has_room_for(batch.rows(), batch.text_blocks().len()) {
                return number;
            }
            self.seal_head(source);
        }
        let number = self.next_segment;
        self.next_segment += 1;
        let body = Body::Open(Box::new(SegmentBuilder::new(source, batch.min_time(), true)));
        let entry = Entry {
            body,
            hidden: Bitset::default(),
            dropped: Bitset::default(),
            endings: HashMap::new(),
            origin,
            unfolded: None,
            alerted: None,
            hits: Hits::default(),
        };
        self.entries.insert(number, entry);
        self.heads.insert(source, number);
        number
    }

    fn seal_head(&mut self, source: SourceId) {
        let Some(number) = self.heads.remove(&source) else { return };
        let Some(mut entry) = self.entries.remove(&number) else { return };
        entry.body = match entry.body {
            Body::Open(builder) => Body::Sealed(Arc::new(builder.into_segment())),
            sealed => sealed,
        };
        self.sealed_bytes += entry.memory_bytes();
        self.entries.insert(number, entry);
    }

    fn index(&mut self, run: &[(Micros, EventId)]) {
        let entries = &self.entries;
        self.order
            .merge(run, |id| entries.get(&id.segment()).map_or(0, |e| e.segment().stage_time(id.row())));
        self.changes.reordered = true;
    }

    /// Joins stages that were found together with those known from other segments, and shows the right one.
    fn settle(&mut self, key: u64, found: StageIds, remember: bool) {
        let mut stages = self.requests.get(&key).copied().unwrap_or_default();
        for (slot, id) in found.parts() {
            match stages.get(slot) {
                None => stages.set(slot, id),
                Some(known) if known == id => {}
                Some(known) if self.same_line(known, id) => self.drop_record(id),
                // A second answer of the same stage that differs: it stays a row of its own.
                Some(_) => {}
            }
        }
        self.show_request(&stages);
        let complete = stages.get(Slot::Finished).is_some()
            && (!remember || (stages.get(Slot::Received).is_some() && stages.rows().count() > 1));
        if complete {
            self.requests.remove(&key);
            return;
        }
        if self.requests.len() >= MAX_OPEN_REQUESTS && !self.requests.contains_key(&key) {
            self.counts.forgotten_requests += 1;
            return;
        }
        self.requests.insert(key, stages);
    }

    fn show_request(&mut self, stages: &StageIds) {
        let Some(shown) = stages.shown() else { return };
        for id in stages.rows() {
            self.set_hidden(id, id != shown);
        }
        if let Some(id) = stages.ending()
            && let time = self.stage_time(id)
            && let Some(entry) = self.entries.get_mut(&shown.segment())
        {
            entry.endings.insert(shown.row(), Ending { id, time });
            self.changes.touched.insert(shown.segment());
        }
    }

    fn set_hidden(&mut self, id: EventId, hide: bool) {
        let Some(entry) = self.entries.get_mut(&id.segment()) else { return };
        if entry.hidden.get(id.row()) == hide {
            return;
        }
        entry.hidden.set(id.row(), hide);
        if !entry.dropped.get(id.row()) {
            self.counts.requests = if hide { self.counts.requests - 1 } else { self.counts.requests + 1 };
        }
        self.changes.touched.insert(id.segment());
    }

    fn drop_record(&mut self, id: EventId) {
        let Some(entry) = self.entries.get_mut(&id.segment()) else { return };
        if entry.dropped.get(id.row()) {
            return;
        }
        if !entry.hidden.get(id.row()) {
            self.counts.requests -= 1;
        }
        entry.dropped.set(id.row(), true);
        self.counts.records -= 1;
        self.counts.duplicates += 1;
        self.changes.touched.insert(id.segment());
    }

    fn same_line(&self, a: EventId, b: EventId) -> bool {
        match (self.segment(a), self.segment(b)) {
            (Some(one), Some(two)) => one.line_key(a.row()) == two.line_key(b.row()),
            _ => false,
        }
    }

    /// Marks the rows that another file's segment already holds.
    fn drop_duplicates(&self, segment: &Segment, origin: u32, dropped: &mut Bitset) {
        self.drop_repeated_texts(segment, origin, dropped);
        let (first, last) = (segment.min_time(), segment.max_time());
        for entry in self.entries.values().filter(|entry| entry.origin != origin) {
            let known = entry.segment();
            if known.max_time() < first || known.min_time() > last {
                continue;
            }
            let overlap = known.stage_times().rows_where(|time| (first..=last).contains(&time));
            let lines: HashSet<u64> = overlap.iter().filter_map(|row| known.line_key(row)).collect();
            if lines.is_empty() {
                continue;
            }
            let (known_first, known_last) = (known.min_time(), known.max_time());
            for row in 0..segment.rows() {
                if (known_first..=known_last).contains(&segment.stage_time(row))
                    && segment.line_key(row).is_some_and(|key| lines.contains(&key))
                {
                    dropped.set(row, true);
                }
            }
        }
    }

    /// The same for lines without an id: each that another file has is dropped once, so that equal lines that a file has
    /// several times stay as many.
    fn drop_repeated_texts(&self, segment: &Segment, origin: u32, dropped: &mut Bitset) {
        let mut left: HashMap<u64, i64> =
            (0..segment.rows()).filter_map(|row| segment.text_key(row)).map(|key| (key, 0)).collect();
        if left.is_empty() {
            return;
        }
        for entry in self.entries.values() {
            let known = entry.segment();
            if known.max_time() < segment.min_time() || known.min_time() > segment.max_time() {
                continue;
            }
            for row in 0..known.rows() {
                let Some(count) = known.text_key(row).and_then(|key| left.get_mut(&key)) else { continue };
                match (entry.origin == origin, entry.dropped.get(row)) {
                    (false, false) => *count += 1,
                    // Another one of this file's was dropped for it already.
                    (true, true) => *count -= 1,
                    _ => {}
                }
            }
        }
        for row in 0..segment.rows() {
            if let Some(count) = segment.text_key(row).and_then(|key| left.get_mut(&key))
                && *count > 0
            {
                *count -= 1;
                dropped.set(row, true);
            }
        }
    }

    /// The sealed segment that ends first in time, with its bytes: what [`Self::evict_oldest`] would drop.
    pub fn oldest(&self) -> Option<(u32, Micros)> {
        self.entries
            .iter()
            .filter(|(_, entry)| matches!(entry.body, Body::Sealed(_)))
            .map(|(number, entry)| (*number, entry.segment().max_time()))
            .min_by_key(|(number, time)| (*time, *number))
    }

    /// Drops the sealed segment that ends first in time. Returns whether there was one.
    pub fn evict_oldest(&mut self) -> bool {
        let Some((number, until)) = self.oldest() else { return false };
        let Some((records, _)) = self.remove(number) else { return false };
        self.counts.evicted_records += records;
        self.counts.evicted_until = Some(self.counts.evicted_until.map_or(until, |t| t.max(until)));
        true
    }

    /// Drops a segment. Returns how many records it held, and how many of them stood for their requests.
    fn remove(&mut self, number: u32) -> Option<(u64, u64)> {
        let entries = &self.entries;
        self.order
            .remove(number, |id| entries.get(&id.segment()).map_or(0, |e| e.segment().stage_time(id.row())));
        let entry = self.entries.remove(&number)?;
        if entry.is_sealed() {
            self.sealed_bytes = self.sealed_bytes.saturating_sub(entry.memory_bytes());
        }
        self.requests.retain(|_, stages| {
            stages.remove(|id| id.segment() == number);
            stages.rows().next().is_some()
        });
        // What ended in a segment that is still held is the first that is left of its request.
        let orphans: Vec<EventId> =
            entry.endings.values().map(|end| end.id).filter(|id| id.segment() != number).collect();
        for end in orphans {
            self.set_hidden(end, false);
            // It was counted already, as the row that is gone.
            self.counts.requests -= 1;
        }
        self.changes.removed.push(number);
        self.changes.reordered = true;
        let records = u64::from(entry.segment().rows() - entry.dropped.count());
        Some((records, visible(&entry.hidden, &entry.dropped)))
    }

    /// Drops everything that was read from a log. Returns how many records that were.
    pub fn remove_source(&mut self, source: SourceId) -> u64 {
        self.heads.remove(&source);
        self.live_since.remove(&source);
        let of_source = self.entries.iter().filter(|(_, entry)| entry.segment().source() == source);
        let numbers: Vec<u32> = of_source.map(|(number, _)| *number).collect();
        let before = self.counts.records;
        for number in numbers {
            let Some((records, requests)) = self.remove(number) else { continue };
            self.counts.records -= records;
            self.counts.requests -= requests;
        }
        before - self.counts.records
    }

    /// From now on these rows of a segment are never folded as routine.
    pub fn unfold(&mut self, segment: u32, rows: Bitset) {
        let Some(entry) = self.entries.get_mut(&segment) else { return };
        let is_new = match &entry.unfolded {
            Some(known) => known.len() != rows.len() || known.iter().ne(rows.iter()),
            None => !rows.is_clear(),
        };
        if is_new {
            entry.unfolded = Some(rows);
            self.changes.touched.insert(segment);
        }
    }

    /// From now on these rows of a segment, and no others, have a part in an alert.
    pub fn set_alerted(&mut self, segment: u32, rows: Bitset) {
        let Some(entry) = self.entries.get_mut(&segment) else { return };
        let is_new = match &entry.alerted {
            Some(known) => known.len() != rows.len() || known.iter().ne(rows.iter()),
            None => !rows.is_clear(),
        };
        if is_new {
            entry.alerted = Some(rows);
            self.changes.touched.insert(segment);
        }
    }

    /// What rules match in a segment, found out after it was taken in.
    pub fn set_hits(&mut self, segment: u32, hits: Hits) {
        let Some(entry) = self.entries.get_mut(&segment) else { return };
        if entry.is_sealed() {
            self.sealed_bytes =
                self.sealed_bytes.saturating_sub(entry.hits.memory_bytes()) + hits.memory_bytes();
        }
        entry.hits = hits;
    }

    /// Requests that have begun and not ended, as far as the held log tells: (row, received time).
    pub fn open_requests(&self) -> impl Iterator<Item = EventId> + '_ {
        self.requests
            .values()
            .filter(|stages| stages.get(Slot::Finished).is_none())
            .filter_map(StageIds::shown)
    }

    /// Whether the request shown at `id` has not ended, as far as the log tells.
    pub fn is_open(&self, id: EventId) -> bool {
        self.segment(id).is_some_and(|segment| !segment.is_end(id.row()) && self.ending(id).is_none())
    }
}

fn visible(hidden: &Bitset, dropped: &Bitset) -> u64 {
    let mut shown = Bitset::all(hidden.len());
    shown.and_not(hidden);
    shown.and_not(dropped);
    u64::from(shown.count())
}

fn run_of(segment: &Segment, order: &[u16], number: u32, base: u32) -> Vec<(Micros, EventId)> {
    let mut run: Vec<(Micros, EventId)> = order
        .iter()
        .map(|row| (segment.stage_time(u32::from(*row)), EventId::new(number, base + u32::from(*row))))
        .collect();
    // Rows of equal time are already in row order; this costs one pass over a sorted list.
    run.sort_unstable();
    run
}

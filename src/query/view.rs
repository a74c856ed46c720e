//! The live result of a plan: which records it shows, in time order, with constant-time jumps.
//!
//! A set of rows a segment, and the number of shown records a chunk of the store's order. New data touches only the
//! segments and chunks that changed.

use std::collections::{BTreeSet, HashMap};

use super::plan::{Plan, Rows, Scan};
use crate::model::{EventId, Micros};
use crate::store::{Bitset, Changes, Chunk, Entry, Segment, Store};

/// What is shown besides what the plan asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ViewOptions {
    /// Every stage record, instead of one record a request.
    pub all_stages: bool,
    /// Leave out routine traffic.
    pub fold_routine: bool,
    /// Stage times from the first (included) to the second (not included).
    pub range: Option<(Micros, Micros)>,
    /// Only these records, whatever the plan asks.
    pub only: Option<BTreeSet<EventId>>,
}

/// One bar of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    /// Records that are shown.
    pub matched: u32,
    /// Those of them with a code of 400 or more.
    pub failed: u32,
    /// All records that are held, shown or not.
    pub records: u32,
}

/// What a plan finds in one segment.
#[derive(Debug)]
struct Found {
    /// The plan's own answer, kept where texts are read: a segment that is touched again need not be read again.
    scan: Option<Scan>,
    /// What the plan found, whether shown or not.
    matched: Bitset,
    shown: Bitset,
    failed: Bitset,
    /// Records left out only because they are routine.
    folded: u32,
    /// Changes whenever `shown` does.
    stamp: u64,
}

impl Found {
    /// How many rows from one to another, both included, are shown, and how many of those failed.
    fn count_range(&self, low: u32, high: u32) -> (u32, u32) {
        match self.shown.count_range(low, high) {
            0 => (0, 0),
            shown => (shown, self.failed.count_range(low, high)),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct ChunkCount {
    version: u64,
    shown: u32,
    failed: u32,
}

/// A live result.
#[derive(Debug)]
pub struct View {
    plan: Plan,
    options: ViewOptions,
    found: HashMap<u32, Found>,
    /// Segments that were not looked at yet, or not to the end. Those outside of the range are never looked at.
    pending: BTreeSet<u32>,
    /// What a wider question found: nothing else can be found in these segments.
    bounds: HashMap<u32, Bitset>,
    chunks: Vec<ChunkCount>,
    /// Shown records before each chunk, and in all.
    starts: Vec<usize>,
    failed: usize,
    version: u64,
    /// Counts what was found, over all questions.
    stamp: u64,
}

impl View {
    /// A result over nothing; [`Self::restart`] or [`Self::update`] tells it what there is.
    pub fn new(plan: Plan, options: ViewOptions) -> View {
        View {
            plan,
            options,
            found: HashMap::new(),
            pending: BTreeSet::new(),
            bounds: HashMap::new(),
            chunks: Vec::new(),
            starts: vec![0],
            failed: 0,
            version: 0,
            stamp: 0,
        }
    }

    /// Whether the plan asks for nothing.
    pub fn is_everything(&self) -> bool {
        self.plan.is_everything()
    }

    /// Whether the answer is read in records' texts, so that it depends on what of them is revealed.
    pub fn reads_text(&self) -> bool {
        self.plan.reads_text()
    }

    /// What is shown besides what the plan asks.
    pub fn options(&self) -> &ViewOptions {
        &self.options
    }

    /// Starts again with another question.
    pub fn restart(&mut self, store: &Store, plan: Plan, options: ViewOptions) {
        let (version, stamp) = (self.version + 1, self.stamp);
        *self = View { version, stamp, ..View::new(plan, options) };
        let within = store.entries().filter(|(_, entry)| self.may_show(entry.segment()));
        self.pending = within.map(|(number, _)| number).collect();
        self.recount(store, &BTreeSet::new());
    }

    /// Starts again with a question that only takes away from what was found: every record that passes the new plan
    /// passes the old one. What was found bounds what is looked at. With other options it is a new start.
    pub fn narrow(&mut self, store: &Store, plan: Plan, options: ViewOptions) {
        if !self.is_complete() || self.options != options {
            return self.restart(store, plan, options);
        }
        let before = std::mem::take(&mut self.found);
        self.restart(store, plan, options);
        self.bounds = before.into_iter().map(|(number, found)| (number, found.matched)).collect();
    }

    /// Whether anything of a segment lies in the range: of others, texts would be read for nothing.
    fn may_show(&self, segment: &Segment) -> bool {
        let in_range = |(from, until)| from <= segment.max_time() && segment.min_time() < until;
        self.options.only.is_some() || self.options.range.is_none_or(in_range)
    }

    /// Takes in what changed in the store. Segments that were looked at before are looked at again at once; new ones
    /// when [`Self::advance`] comes to them, but for the small ones of live lines.
    pub fn update(&mut self, store: &Store, changes: &Changes) {
        if changes.touched.is_empty() && changes.removed.is_empty() && !changes.reordered {
            return;
        }
        for number in &changes.removed {
            self.found.remove(number);
            self.pending.remove(number);
            self.bounds.remove(number);
        }
        let mut looked_at = BTreeSet::new();
        for number in &changes.touched {
            let Some(entry) = store.entry(*number) else { continue };
            // Bounds were taken before these records came.
            self.bounds.remove(number);
            if !self.may_show(entry.segment()) {
                continue;
            }
            if self.found.contains_key(number) || entry.sealed().is_none() {
                self.pending.remove(number);
                self.begin(*number, entry);
                looked_at.insert(*number);
            } else {
                self.pending.insert(*number);
            }
        }
        self.recount(store, &looked_at);
        self.version += 1;
    }

    /// Looks at pending segments, newest first, until `more` says no. Returns whether nothing is pending.
    pub fn advance(&mut self, store: &Store, mut more: impl FnMut() -> bool) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        let mut looked_at = BTreeSet::new();
        loop {
            let newest = self
                .pending
                .iter()
                .filter_map(|number| Some((store.entry(*number)?.segment().max_time(), *number)))
                .max();
            let Some((_, number)) = newest else {
                self.pending.clear();
                break;
            };
            looked_at.insert(number);
            let complete = store.entry(number).is_none_or(|entry| self.look_at(number, entry, &mut more));
            if complete {
                self.pending.remove(&number);
            }
            if self.pending.is_empty() || !complete || !more() {
                break;
            }
        }
        self.recount(store, &looked_at);
        self.version += 1;
        self.pending.is_empty()
    }

    /// Goes on with a pending segment. Returns whether nothing of it is left.
    fn look_at(&mut self, number: u32, entry: &Entry, more: &mut impl FnMut() -> bool) -> bool {
        let begun = self.found.get(&number).is_some_and(|found| found.scan.is_some());
        if !begun {
            self.begin(number, entry);
        }
        let Some(mut scan) = self.found.get_mut(&number).and_then(|found| found.scan.take()) else {
            return true;
        };
        let complete = scan.advance(entry.segment(), more);
        let found = self.found_by(number, entry, scan);
        self.put(number, found);
        complete
    }

    /// Keeps what was found in a segment. The stamp of one whose rows are shown as before stays.
    fn put(&mut self, number: u32, mut found: Found) {
        self.stamp += 1;
        let same = self.found.get(&number).filter(|before| before.shown == found.shown);
        found.stamp = same.map_or(self.stamp, |before| before.stamp);
        self.found.insert(number, found);
    }

    /// Asks the columns of a segment; what its texts must tell is left pending.
    fn begin(&mut self, number: u32, entry: &Entry) {
        let rows = Rows::held(number, entry);
        let rows = if self.options.all_stages { rows.each_alone() } else { rows };
        let mut scan = self.plan.scan(rows, self.bounds.get(&number));
        let earlier = self.found.get_mut(&number).and_then(|found| found.scan.take());
        if let Some(earlier) = earlier.filter(|_| self.plan.reads_text()) {
            let mut ended = Bitset::none(entry.segment().rows());
            entry.ended_rows().for_each(|row| ended.set(row, true));
            scan.carry_over(&earlier, &ended);
        }
        if !scan.is_complete() {
            self.pending.insert(number);
        }
        let found = self.found_by(number, entry, scan);
        self.put(number, found);
    }

    /// What is shown of what a scan has found so far.
    fn found_by(&self, number: u32, entry: &Entry, scan: Scan) -> Found {
        let segment = entry.segment();
        let matched = scan.matched().clone();
        let scan = Some(scan).filter(|_| self.plan.reads_text());
        if let Some(only) = &self.options.only {
            let mut shown = Bitset::none(segment.rows());
            for id in only.range(EventId::new(number, 0)..EventId::new(number + 1, 0)) {
                shown.set(id.row(), true);
            }
            let mut failed = segment.failed_rows();
            failed.and(&shown);
            return Found { scan, matched, shown, failed, folded: 0, stamp: 0 };
        }
        let mut shown = matched.clone();
        shown.and_not(entry.dropped());
        if !self.options.all_stages {
            shown.and_not(entry.hidden());
        }
        if let Some((from, until)) = self.options.range
            && (segment.min_time() < from || segment.max_time() >= until)
        {
            shown.and(&segment.stage_times().rows_where(|time| from <= time && time < until));
        }
        let mut folded = 0;
        if self.options.fold_routine && !shown.is_clear() {
            let before = shown.count();
            shown.and_not(&entry.routine());
            folded = before - shown.count();
        }
        let mut failed = segment.failed_rows();
        failed.and(&shown);
        Found { scan, matched, shown, failed, folded, stamp: 0 }
    }

    /// Counts the chunks whose content or segments changed.
    fn recount(&mut self, store: &Store, looked_at: &BTreeSet<u32>) {
        let old: HashMap<u64, ChunkCount> = self.chunks.iter().map(|count| (count.version, *count)).collect();
        let chunks = store.order().chunks();
        self.chunks.clear();
        self.starts.clear();
        self.starts.push(0);
        let (mut total, mut failed) = (0, 0);
        for chunk in chunks {
            let unchanged =
                old.get(&chunk.version()).filter(|_| chunk.segments().iter().all(|s| !looked_at.contains(s)));
            let count = unchanged.copied().unwrap_or_else(|| {
                let (shown, failed) = self.count_chunk(chunk);
                ChunkCount { version: chunk.version(), shown, failed }
            });
            total += count.shown as usize;
            failed += count.failed as usize;
            self.chunks.push(count);
            self.starts.push(total);
        }
        self.failed = failed;
    }

    fn count_chunk(&self, chunk: &Chunk) -> (u32, u32) {
        match chunk.whole_range() {
            Some((segment, low, high)) => {
                self.found.get(&segment).map_or((0, 0), |found| found.count_range(low, high))
            }
            None => self.count_ids(chunk.ids()),
        }
    }

    /// How many of these records are shown, and how many of those failed.
    fn count_ids(&self, ids: &[EventId]) -> (u32, u32) {
        let (mut shown, mut failed) = (0, 0);
        // Neighbours in time mostly are neighbours in a segment: their bits are counted together.
        for of_segment in ids.chunk_by(|a, b| a.segment() == b.segment()) {
            let Some(found) = of_segment.first().and_then(|id| self.found.get(&id.segment())) else {
                continue;
            };
            for run in of_segment.chunk_by(|a, b| a.row() + 1 == b.row()) {
                let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
                let counted = found.count_range(first.row(), last.row());
                shown += counted.0;
                failed += counted.1;
            }
        }
        (shown, failed)
    }

    /// Whether every segment was looked at.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Share of the held records that was looked at, 0 to 1.
    pub fn scanned(&self, store: &Store) -> f64 {
        let rows = |number: &u32| match self.found.get(number).and_then(|found| found.scan.as_ref()) {
            Some(scan) => u64::from(scan.open_rows()),
            None => store.entry(*number).map_or(0, |entry| u64::from(entry.segment().rows())),
        };
        let pending: u64 = self.pending.iter().map(rows).sum();
        let all: u64 = store.entries().map(|(_, entry)| u64::from(entry.segment().rows())).sum();
        if all == 0 { 1.0 } else { 1.0 - pending as f64 / all as f64 }
    }

    /// How many records are shown.
    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the shown records have a code of 400 or more.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// How many records are left out only because they are routine.
    pub fn folded(&self) -> usize {
        self.found.values().map(|found| found.folded as usize).sum()
    }

    /// Changes whenever the result may have changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The segments that were looked at, each with a number that changes whenever other records of it are shown.
    pub fn stamps(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.found.iter().map(|(number, found)| (*number, found.stamp))
    }

    /// The number of one segment, see [`Self::stamps`].
    pub fn stamp(&self, segment: u32) -> Option<u64> {
        self.found.get(&segment).map(|found| found.stamp)
    }

    /// The records of a segment that are shown, as far as it was looked at.
    pub fn shown_in(&self, segment: u32) -> Option<&Bitset> {
        self.found.get(&segment).map(|found| &found.shown)
    }

    /// Whether a record is shown.
    pub fn contains(&self, id: EventId) -> bool {
        self.found.get(&id.segment()).is_some_and(|found| found.shown.get(id.row()))
    }

    /// The record at a position, the oldest at 0.
    pub fn id_at(&self, store: &Store, position: usize) -> Option<EventId> {
        self.window(store, position, 1).pop()
    }

    /// Up to `count` records from a position on.
    pub fn window(&self, store: &Store, first: usize, count: usize) -> Vec<EventId> {
        let mut out = Vec::with_capacity(count.min(1024));
        if first >= self.len() || count == 0 {
            return out;
        }
        let start = self.starts.partition_point(|start| *start <= first) - 1;
        let mut skip = first - self.starts[start];
        for (chunk, counted) in store.order().chunks().iter().zip(&self.chunks).skip(start) {
            // Few matches in a million records: the stretches between them are not walked.
            if counted.shown == 0 {
                continue;
            }
            for id in chunk.ids().iter().filter(|id| self.contains(**id)) {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                out.push(*id);
                if out.len() == count {
                    return out;
                }
            }
        }
        out
    }

    /// The position of a record that is shown.
    pub fn position_of(&self, store: &Store, id: EventId) -> Option<usize> {
        if !self.contains(id) {
            return None;
        }
        Some(self.position_from(store, store.stage_time(id), Some(id)))
    }

    /// The position of the first shown record at or after a time; the number of shown records when there is none.
    pub fn position_at_time(&self, store: &Store, time: Micros) -> usize {
        self.position_from(store, time, None)
    }

    /// The position of a record, or of the shown record nearest after where it would be, or of the last one.
    pub fn nearest(&self, store: &Store, time: Micros, id: EventId) -> Option<usize> {
        let last = self.len().checked_sub(1)?;
        Some(self.position_from(store, time, Some(id)).min(last))
    }

    /// Number of shown records before (`time`, `id`), or before `time` without an id.
    fn position_from(&self, store: &Store, time: Micros, id: Option<EventId>) -> usize {
        let chunks = store.order().chunks();
        let before = |other: EventId| (store.stage_time(other), Some(other)) < (time, id);
        let index = chunks.partition_point(|chunk| chunk.ids().last().is_some_and(|last| before(*last)));
        let Some(chunk) = chunks.get(index) else { return self.len() };
        let within = chunk.ids().partition_point(|other| before(*other));
        let shown = chunk.ids()[..within].iter().filter(|other| self.contains(**other)).count();
        self.starts.get(index).copied().unwrap_or(0) + shown
    }

    /// The nearest position after (or before) `from` whose record passes `test`.
    pub fn find(
        &self,
        store: &Store,
        from: usize,
        forward: bool,
        mut test: impl FnMut(&Segment, EventId) -> bool,
    ) -> Option<usize> {
        const STEP: usize = 512;
        let mut passes = |id: &EventId| store.segment(*id).is_some_and(|segment| test(segment, *id));
        if forward {
            let mut at = from + 1;
            while at < self.len() {
                let ids = self.window(store, at, STEP);
                if let Some(found) = ids.iter().position(&mut passes) {
                    return Some(at + found);
                }
                at += ids.len().max(1);
            }
            return None;
        }
        let mut end = from.min(self.len());
        while end > 0 {
            let at = end.saturating_sub(STEP);
            let ids = self.window(store, at, end - at);
            if let Some(found) = ids.iter().rposition(&mut passes) {
                return Some(at + found);
            }
            end = at;
        }
        None
    }

    /// Counts in `count` buckets of `bucket` microseconds from `start` on.
    pub fn histogram(&self, store: &Store, start: Micros, bucket: Micros, count: usize) -> Vec<Bucket> {
        let mut buckets = vec![Bucket::default(); count];
        let bucket = bucket.max(1);
        let end = start.saturating_add(bucket.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)));
        let place = |time: Micros| {
            usize::try_from(time.saturating_sub(start).div_euclid(bucket)).ok().filter(|i| *i < count)
        };
        for (chunk, counted) in store.order().chunks().iter().zip(&self.chunks) {
            let (first, last) = (place(chunk.first_time()), place(chunk.last_time()));
            if let (Some(first), Some(last)) = (first, last)
                && first == last
            {
                buckets[first].records += chunk.ids().len() as u32;
                buckets[first].matched += counted.shown;
                buckets[first].failed += counted.failed;
                continue;
            }
            if chunk.last_time() < start || chunk.first_time() >= end {
                continue;
            }
            // Ids are in the order of time, so that those of one bucket lie together.
            let is_before = |time: Micros| move |id: &EventId| store.stage_time(*id) < time;
            let mut ids = chunk.ids();
            ids = &ids[ids.partition_point(is_before(start))..];
            while let Some(at) = ids.first().and_then(|id| place(store.stage_time(*id))) {
                let next = start.saturating_add(bucket.saturating_mul(at as i64 + 1));
                let (within, behind) = ids.split_at(ids.partition_point(is_before(next)).max(1));
                let (shown, failed) = self.count_ids(within);
                buckets[at].records += within.len() as u32;
                buckets[at].matched += shown;
                buckets[at].failed += failed;
                ids = behind;
            }
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, SECOND, SourceId, Stage};
    use crate::query::parse;
    use crate::store::SegmentBuilder;

    /// Takes in one segment for each of these seconds.
    fn push(store: &mut Store, seconds: &[i64]) {
        for second in seconds {
            let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
            let stage_time = Some(second * SECOND);
            let event = Event { stage: Stage::ResponseComplete, stage_time, ..Event::default() };
            builder.push(&event, br#"{"a":"novelapp"}"#, false);
            store.push(builder.finish(1));
        }
    }

    #[test]
    fn what_lies_outside_of_the_range_is_not_looked_at() {
        let mut store = Store::new();
        push(&mut store, &[10, 20, 30]);
        let mut view = View::new(Plan::everything(), ViewOptions::default());
        let plan = Plan::new(&parse("text:novelapp").unwrap());
        let options = ViewOptions { range: Some((15 * SECOND, 25 * SECOND)), ..ViewOptions::default() };
        store.take_changes();
        view.restart(&store, plan.clone(), options);
        assert!(view.advance(&store, || true));
        let looked_at = |view: &View| view.stamps().map(|(number, _)| number).collect::<BTreeSet<_>>();
        assert_eq!((looked_at(&view), view.len()), ([1].into(), 1));

        push(&mut store, &[40, 16]);
        let changes = store.take_changes();
        view.update(&store, &changes);
        assert!(view.advance(&store, || true));
        assert_eq!((looked_at(&view), view.len()), ([1, 4].into(), 2), "nor is what comes");
        view.restart(&store, plan, ViewOptions::default());
        assert!(view.advance(&store, || true));
        assert_eq!(view.len(), 5);
    }
}

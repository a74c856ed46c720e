//! All records by (stage time, [`EventId`]): chunks of at most 4,096 ids, into which each new segment's own order is
//! merged. Segments may overlap in time in any way: several API servers, skewed clocks, late lines.

use crate::model::{EventId, Micros};

/// Ids in a full chunk.
pub const CHUNK: usize = 4096;

/// A run of records, consecutive in time.
#[derive(Debug, Clone)]
pub struct Chunk {
    ids: Vec<EventId>,
    first: (Micros, EventId),
    last: (Micros, EventId),
    /// Changes whenever the ids do; never the same for two contents.
    version: u64,
    /// Segment and least and greatest row, when the ids are exactly the rows between those: then counting matches
    /// is counting bits.
    whole_range: Option<(u32, u32, u32)>,
    segments: Vec<u32>,
}

impl Chunk {
    fn new(entries: &[(Micros, EventId)], version: u64) -> Option<Chunk> {
        let (first, last) = (*entries.first()?, *entries.last()?);
        let ids: Vec<EventId> = entries.iter().map(|(_, id)| *id).collect();
        let mut segments: Vec<u32> = Vec::new();
        for id in &ids {
            if segments.last() != Some(&id.segment()) && !segments.contains(&id.segment()) {
                segments.push(id.segment());
            }
        }
        let whole_range = match segments.as_slice() {
            [segment] => {
                let low = ids.iter().map(|id| id.row()).min()?;
                let high = ids.iter().map(|id| id.row()).max()?;
                ((high - low) as usize + 1 == ids.len()).then_some((*segment, low, high))
            }
            _ => None,
        };
        Some(Chunk { ids, first, last, version, whole_range, segments })
    }

    /// The ids in order.
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }

    /// Time of the first record.
    pub fn first_time(&self) -> Micros {
        self.first.0
    }

    /// Time of the last record.
    pub fn last_time(&self) -> Micros {
        self.last.0
    }

    /// Changes whenever the ids do.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Segment, least and greatest row, when the ids are exactly the rows between those, in any order.
    pub fn whole_range(&self) -> Option<(u32, u32, u32)> {
        self.whole_range
    }

    /// The segments that have ids here.
    pub fn segments(&self) -> &[u32] {
        &self.segments
    }
}

/// The order of all records in the store.
#[derive(Debug, Default)]
pub struct OrderIndex {
    chunks: Vec<Chunk>,
    versions: u64,
    len: usize,
}

impl OrderIndex {
    /// The chunks, oldest first.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Time of the oldest record.
    pub fn first_time(&self) -> Option<Micros> {
        self.chunks.first().map(Chunk::first_time)
    }

    /// Time of the newest record.
    pub fn last_time(&self) -> Option<Micros> {
        self.chunks.last().map(Chunk::last_time)
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk>()
            + self.chunks.iter().map(|c| c.ids.capacity() * 8 + c.segments.capacity() * 4).sum::<usize>()
    }

    fn next_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    /// Takes in a run that is sorted by (time, id) and holds no id twice. `time_of` tells the time of an id that is
    /// already here.
    pub fn merge(&mut self, run: &[(Micros, EventId)], time_of: impl Fn(EventId) -> Micros) {
        self.len += run.len();
        let mut rest = run;
        while let Some(next) = rest.first() {
            let at = self.chunks.partition_point(|chunk| chunk.last < *next);
            let Some(chunk) = self.chunks.get(at) else {
                self.extend_end(rest, &time_of);
                return;
            };
            let before = rest.partition_point(|entry| *entry < chunk.first);
            if before > 0 {
                let new = self.split(&rest[..before]);
                self.chunks.splice(at..at, new);
                rest = &rest[before..];
                continue;
            }
            let inside = rest.partition_point(|entry| *entry <= chunk.last);
            let old: Vec<(Micros, EventId)> = chunk.ids.iter().map(|id| (time_of(*id), *id)).collect();
            let merged = merge_sorted(&old, &rest[..inside]);
            let new = self.split(&merged);
            self.chunks.splice(at..=at, new);
            rest = &rest[inside..];
        }
    }

    /// Appends entries that come after everything, filling the last chunk first.
    fn extend_end(&mut self, entries: &[(Micros, EventId)], time_of: &impl Fn(EventId) -> Micros) {
        let room = self.chunks.last().map_or(0, |chunk| CHUNK - chunk.ids.len().min(CHUNK));
        let filling = room.min(entries.len());
        if filling > 0
            && let Some(last) = self.chunks.pop()
        {
            let mut joined: Vec<(Micros, EventId)> = last.ids.iter().map(|id| (time_of(*id), *id)).collect();
            joined.extend_from_slice(&entries[..filling]);
            let new = self.split(&joined);
            self.chunks.extend(new);
        }
        let new = self.split(&entries[filling..]);
        self.chunks.extend(new);
    }

    fn split(&mut self, entries: &[(Micros, EventId)]) -> Vec<Chunk> {
        entries.chunks(CHUNK).filter_map(|part| Chunk::new(part, self.next_version())).collect()
    }

    /// Takes out all records of a segment whose times lie in `first..=last`.
    pub fn remove(&mut self, segment: u32, time_of: impl Fn(EventId) -> Micros) {
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for chunk in std::mem::take(&mut self.chunks) {
            if !chunk.segments.contains(&segment) {
                chunks.push(chunk);
                continue;
            }
            let before = chunk.ids.len();
            let kept: Vec<(Micros, EventId)> =
                chunk.ids.iter().filter(|id| id.segment() != segment).map(|id| (time_of(*id), *id)).collect();
            self.len -= before - kept.len();
            let version = self.next_version();
            chunks.extend(Chunk::new(&kept, version));
        }
        self.chunks = chunks;
    }
}

fn merge_sorted(a: &[(Micros, EventId)], b: &[(Micros, EventId)]) -> Vec<(Micros, EventId)> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] <= b[j] {
            out.push(a[i]);
            i += 1;
        } else {
            out.push(b[j]);
            j += 1;
        }
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Each case sorts up to 24,000 records.
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_runs_in_any_order_come_out_sorted(
            runs in prop::collection::vec(prop::collection::vec(0i64..3000, 0..6000), 1..5),
            evict in 0u32..5,
        ) {
            let mut index = OrderIndex::default();
            let mut times: HashMap<EventId, Micros> = HashMap::new();
            for (segment, run) in runs.iter().enumerate() {
                let mut entries: Vec<(Micros, EventId)> =
                    run.iter().enumerate().map(|(row, t)| (*t, EventId::new(segment as u32, row as u32))).collect();
                entries.sort_unstable();
                times.extend(entries.iter().map(|(t, id)| (*id, *t)));
                index.merge(&entries, |id| times[&id]);
            }
            let mut expected: Vec<(Micros, EventId)> = times.iter().map(|(id, t)| (*t, *id)).collect();
            expected.sort_unstable();
            let found: Vec<EventId> = index.chunks().iter().flat_map(|c| c.ids().iter().copied()).collect();
            prop_assert_eq!(&found, &expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
            prop_assert_eq!(index.len(), found.len());
            prop_assert!(index.chunks().iter().all(|c| !c.ids().is_empty() && c.ids().len() <= CHUNK));
            for chunk in index.chunks() {
                if let Some((segment, low, high)) = chunk.whole_range() {
                    let mut rows: Vec<u32> = chunk.ids().iter().map(|id| id.row()).collect();
                    rows.sort_unstable();
                    prop_assert_eq!(rows, (low..=high).collect::<Vec<_>>());
                    prop_assert!(chunk.ids().iter().all(|id| id.segment() == segment));
                }
            }
            index.remove(evict, |id| times[&id]);
            expected.retain(|(_, id)| id.segment() != evict);
            let left: Vec<EventId> = index.chunks().iter().flat_map(|c| c.ids().iter().copied()).collect();
            prop_assert_eq!(left, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        }
    }
}

//! Names of things that never change while the program runs.

use std::fmt;

/// One log: a file together with its rotated siblings, standard input, or the demo.
///
/// Lines of one request are only ever merged within one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SourceId(pub u16);

/// The name of one stored stage record: segment number and row. Never reused, so a selection, a mark or a later
/// alert survives new data, backfill and eviction.
///
/// The order of two ids says nothing about time; it only breaks ties between equal times.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u64);

impl EventId {
    /// Rows a segment may hold: a row number fits 16 bits.
    pub const ROWS_PER_SEGMENT: u32 = 1 << 16;

    /// The id of row `row` (below [`Self::ROWS_PER_SEGMENT`]) of segment `segment`.
    pub fn new(segment: u32, row: u32) -> Self {
        debug_assert!(row < Self::ROWS_PER_SEGMENT);
        Self(u64::from(segment) << 16 | u64::from(row))
    }

    /// Number of the segment that holds the record.
    pub fn segment(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Row inside that segment.
    pub fn row(self) -> u32 {
        (self.0 & 0xffff) as u32
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment(), self.row())
    }
}

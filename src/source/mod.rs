//! Where bytes come from.

pub mod archive;
pub mod backfill;
/// The longest line that is held in memory.
pub const MAX_LINE: usize = 64 << 20;

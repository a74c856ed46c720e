//! The in-memory indexed ring buffer: every record that is held, in columns, in time order, within a byte budget.
//!
//! Workers build [`Batch`]es (sealed segments with their own order); the one thread that owns the [`Store`] takes
//! them in. [`crate::query`] reads the columns; nothing here knows a filter, a screen or a file.

mod bits;
mod builder;
mod column;
mod dictionary;
mod hits;
mod order;
mod requests;
mod ring;
mod routine;
mod segment;
mod text_blocks;

pub use bits::Bitset;
pub(crate) use bits::packed;
pub use builder::{Batch, KeepText, MAX_ROWS, MAX_TEXT_BYTES, SegmentBuilder};
pub use column::{NumberColumn, SymbolColumn};
pub use dictionary::{Dictionary, EMPTY, SEPARATOR, Symbol, SymbolTable, SymbolsInOrder, hash_bytes, mix};
pub use hits::{Hits, RuleHit};
pub use order::{CHUNK, Chunk, OrderIndex};
pub use requests::{Slot, StageIds};
pub use ring::{Changes, Entry, Store, StoreCounts};
pub use segment::{Facts, Field, Segment, Stretch, StringColumn, Texts};
pub use text_blocks::{BLOCK_BYTES, BlockReader, TextBlocks};

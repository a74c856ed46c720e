//! The original text of a segment's events, compressed in blocks so that one row costs one block to read.

use std::cell::RefCell;
use std::io;

use hashbrown::HashMap;

/// Text is compressed once this much has gathered; a longer single event makes a longer block.
/// zstd level 1 packs real audit lines about 14 : 1 at this size (DESIGN.md section 3).
pub const BLOCK_BYTES: usize = 256 * 1024;

const ZSTD_LEVEL: i32 = 1;

thread_local! {
    // A compressor's tables cost more to set up than a block costs to pack.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
        RefCell::new(zstd::bulk::Compressor::new(ZSTD_LEVEL).ok());
}

thread_local! {
    // The same holds for a decompressor: the blocks of a search come one after the other.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        RefCell::new(zstd::bulk::Decompressor::new().ok());
}

/// Unpacks into `text`, which gets exactly `length` bytes of room.
fn decompress(packed: &[u8], length: usize, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    text.reserve_exact(length);
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(decompressor) => decompressor.decompress_to_buffer(packed, text).map(drop),
        None => Err(io::Error::from(io::ErrorKind::OutOfMemory)),
    })
}

fn compress(text: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(text).ok())
}

thread_local! {
    // Room for the texts of a segment that waits to be looked at: the next one's need as much again.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Event texts end to end: compressed blocks and an open tail.
#[derive(Debug, Default)]
pub struct TextBlocks {
    /// Offset of each compressed block's first byte, and its compressed bytes.
    blocks: Vec<(u32, Box<[u8]>)>,
    /// Text that no block holds yet.
    open: Vec<u8>,
    /// Offset of the open tail's first byte.
    open_start: u32,
    /// Nothing is compressed: who looks at the texts first says which of them are kept.
    is_held: bool,
}

impl TextBlocks {
    /// Texts that are left as they are until [`Self::release`]: to be looked at and then mostly forgotten.
    pub(super) fn held() -> TextBlocks {
        TextBlocks { is_held: true, ..TextBlocks::default() }
    }

    /// Forgets the texts, not their lengths.
    pub(super) fn release(&mut self) {
        let length = self.len();
        let mut room = std::mem::take(self).open;
        room.clear();
        ROOM.set(room);
        self.open_start = length;
    }

    /// Appends one event's text and returns its offset.
    pub fn push(&mut self, text: &[u8]) -> u32 {
        self.push_into(text, BLOCK_BYTES)
    }

    /// The same with blocks of another size.
    pub(super) fn push_into(&mut self, text: &[u8], block_bytes: usize) -> u32 {
        let offset = self.open_start + self.open.len() as u32;
        // Not before there is something to hold: a segment that stays empty would take the room away with it.
        if self.is_held && self.open.capacity() == 0 {
            self.open = ROOM.take();
        }
        self.open.extend_from_slice(text);
        if self.open.len() >= block_bytes && !self.is_held {
            self.close_block();
        }
        offset
    }

    /// Counts an event's text without keeping it, and returns its offset: its length stays known, reading it fails.
    /// A segment either keeps all its texts or none.
    pub fn skip(&mut self, bytes: usize) -> u32 {
        let offset = self.len();
        self.open_start = offset.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        offset
    }

    /// Whether texts were counted without being kept.
    pub fn is_skipped(&self) -> bool {
        self.blocks.is_empty() && self.open_start > 0
    }

    /// Length of all text in bytes.
    pub fn len(&self) -> u32 {
        self.open_start + self.open.len() as u32
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn close_block(&mut self) {
        if self.open.is_empty() {
            return;
        }
        // Compressing memory into memory fails only without memory; the text is then kept as it is.
        if let Some(packed) = compress(&self.open) {
            self.blocks.push((self.open_start, packed.into_boxed_slice()));
            self.open_start += self.open.len() as u32;
            self.open.clear();
        }
    }

    /// Compresses what is open and gives back spare memory; leaves texts that are held.
    pub fn seal(&mut self) {
        if self.is_held {
            return;
        }
        self.close_block();
        self.open.shrink_to_fit();
        self.blocks.shrink_to_fit();
    }

    /// The text in `start..end`, which must lie within one event's text or a run of events of one block.
    ///
    /// # Errors
    /// When a block cannot be unpacked, or the range is not that of stored text.
    pub fn read(&self, start: u32, end: u32) -> io::Result<Vec<u8>> {
        self.reader().read(start, end).map(<[u8]>::to_vec)
    }

    /// Reads many texts; those of one block cost one unpacking as long as they come together.
    pub fn reader(&self) -> BlockReader<'_> {
        BlockReader { blocks: self, unpacked: HashMap::new(), keeps_all: false }
    }

    fn unpack(&self, index: usize, text: &mut Vec<u8>) -> io::Result<()> {
        let (start, packed) = &self.blocks[index];
        let end = self.blocks.get(index + 1).map_or(self.open_start, |(next, _)| *next);
        decompress(packed, (end - start) as usize, text)
    }

    /// Calls `visit` with each stretch of text and the offset of its first byte, in order.
    ///
    /// # Errors
    /// When a block cannot be unpacked; the stretches before it have been visited.
    pub fn for_each_block(&self, mut visit: impl FnMut(u32, &[u8])) -> io::Result<()> {
        let mut text = Vec::new();
        for index in 0..self.blocks.len() {
            self.unpack(index, &mut text)?;
            visit(self.blocks[index].0, &text);
        }
        visit(self.open_start, &self.open);
        Ok(())
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<(u32, Box<[u8]>)>()
            + self.blocks.iter().map(|(_, packed)| packed.len()).sum::<usize>()
            + self.open.capacity()
    }
}

/// Reads texts and keeps the block that it unpacked last, or all.
pub struct BlockReader<'b> {
    blocks: &'b TextBlocks,
    /// By the block's place.
    unpacked: HashMap<usize, Vec<u8>>,
    keeps_all: bool,
}

impl<'b> BlockReader<'b> {
    /// The same, but it keeps every block that it unpacks.
    pub(super) fn at_hand(self) -> BlockReader<'b> {
        BlockReader { keeps_all: true, ..self }
    }

    /// The text in `start..end`, see [`TextBlocks::read`].
    ///
    /// # Errors
    /// When a block cannot be unpacked, or the range is not that of stored text.
    pub fn read(&mut self, start: u32, end: u32) -> io::Result<&[u8]> {
        if start > end || end > self.blocks.len() {
            return Err(out_of_range());
        }
        let (first, text) = self.block(start)?;
        let from = (start - first) as usize;
        text.get(from..from + (end - start) as usize).ok_or_else(out_of_range)
    }

    /// All the text that is unpacked together with what stands at an offset, and the offset of its first byte.
    ///
    /// # Errors
    /// When the block cannot be unpacked, or the text was not kept.
    pub fn block(&mut self, offset: u32) -> io::Result<(u32, &[u8])> {
        let blocks = self.blocks;
        if offset >= blocks.open_start {
            return Ok((blocks.open_start, &blocks.open));
        }
        let before = blocks.blocks.partition_point(|(first, _)| *first <= offset);
        let index = before.checked_sub(1).ok_or_else(out_of_range)?;
        if !self.unpacked.contains_key(&index) {
            let room = if self.keeps_all { None } else { self.unpacked.drain().next() };
            let mut text = room.map(|(_, text)| text).unwrap_or_default();
            blocks.unpack(index, &mut text)?;
            self.unpacked.insert(index, text);
        }
        let text = self.unpacked.get(&index).ok_or_else(out_of_range)?;
        Ok((blocks.blocks[index].0, text))
    }
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no such text in this segment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_texts_keep_their_lengths() {
        let mut blocks = TextBlocks::default();
        assert_eq!((blocks.skip(10), blocks.skip(5), blocks.len()), (0, 10, 15));
        assert!(blocks.is_skipped() && blocks.read(0, 10).is_err());
        blocks.seal();
        assert!(blocks.is_skipped() && !TextBlocks::default().is_skipped());
    }

    #[test]
    fn every_text_comes_back_whole() {
        let mut blocks = TextBlocks::default();
        let texts: Vec<Vec<u8>> = (0..40usize)
            .map(|i| vec![b'a' + (i % 26) as u8; i * i * 40 + usize::from(i == 20) * 600_000])
            .collect();
        let offsets: Vec<u32> = texts.iter().map(|t| blocks.push(t)).collect();
        for sealed in [false, true] {
            if sealed {
                blocks.seal();
            }
            for (offset, text) in offsets.iter().zip(&texts) {
                assert_eq!(&blocks.read(*offset, offset + text.len() as u32).unwrap(), text);
            }
        }
        assert!(blocks.read(blocks.len(), blocks.len() + 1).is_err());
        let mut total = 0;
        blocks.for_each_block(|_, text| total += text.len()).unwrap();
        assert_eq!(total, blocks.len() as usize);
    }
}

//! The distinct strings of one column of one segment.
//!
//! A segment has at most 65,536 rows, so symbols are 16 bits. Strings lie end to end in one buffer, which lets a
//! filter search all of them in one pass. Each keeps its 64-bit hash, equal for equal strings in every segment of
//! this process, so that counts of several segments can be merged without hashing again.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Number of a string in its dictionary. [`EMPTY`] is the empty string everywhere.
pub type Symbol = u16;

/// The empty string's symbol.
pub const EMPTY: Symbol = 0;

/// Byte between two strings of the buffer. No field of a decoded JSON string needs it, and a value that holds it
/// only lets a filter see two candidates where there is one; each candidate is checked against the string itself.
pub const SEPARATOR: u8 = 0;

// Seeded once a process: equal strings hash equally in all segments, and nobody who writes to the log can aim at
// collisions.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// The process-wide hash of a byte string.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    HASHER.hash_one(bytes)
}

/// Mixes two hashes; the order matters.
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b.rotate_left(29) | 1);
    (product >> 64) as u64 ^ product as u64
}

/// An append-only set of strings, numbered in the order of their first appearance.
#[derive(Debug)]
pub struct Dictionary {
    buffer: String,
    /// Start of each string in the buffer; it ends before the separator that precedes the next start.
    starts: Vec<u32>,
    hashes: Vec<u64>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self { buffer: String::from("\0"), starts: vec![0], hashes: vec![hash_bytes(b"")] }
    }
}

impl Dictionary {
    /// How many strings, the empty one included.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Never: the empty string is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The string of `symbol`; empty for a symbol of another dictionary.
    pub fn get(&self, symbol: Symbol) -> &str {
        let index = usize::from(symbol);
        let Some(start) = self.starts.get(index) else { return "" };
        let end = self.starts.get(index + 1).map_or(self.buffer.len(), |next| *next as usize) - 1;
        &self.buffer[*start as usize..end]
    }

    /// The string's hash, equal in every segment.
    pub fn hash(&self, symbol: Symbol) -> u64 {
        self.hashes.get(usize::from(symbol)).copied().unwrap_or(self.hashes[0])
    }

    /// All strings with their symbols.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> {
        (0..self.starts.len()).map(|i| (i as Symbol, self.get(i as Symbol)))
    }

    /// All strings, each followed by [`SEPARATOR`]: for searches that run over all of them at once.
    pub fn buffer(&self) -> &str {
        &self.buffer
    }

    /// The symbol of the string that covers byte `offset` of [`Self::buffer`].
    pub fn symbol_at(&self, offset: usize) -> Symbol {
        (self.starts.partition_point(|s| *s as usize <= offset) - 1) as Symbol
    }

    /// [`Self::symbol_at`] for many places, each behind the one before: without a search for each.
    pub fn symbols_in_order(&self) -> SymbolsInOrder<'_> {
        SymbolsInOrder { starts: &self.starts, next: 1 }
    }

    /// Where the string of `symbol` starts in [`Self::buffer`].
    pub fn start_of(&self, symbol: Symbol) -> usize {
        self.starts.get(usize::from(symbol)).map_or(self.buffer.len(), |s| *s as usize)
    }

    fn push(&mut self, text: &str, hash: u64) -> Symbol {
        let symbol = self.starts.len() as Symbol;
        self.starts.push(self.buffer.len() as u32);
        self.hashes.push(hash);
        self.buffer.push_str(text);
        self.buffer.push(SEPARATOR as char);
        symbol
    }

    /// Gives back what growing took in advance.
    pub fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.starts.capacity() * 4 + self.hashes.capacity() * 8
    }
}

/// Finds the symbols that cover places of a [`Dictionary::buffer`], from first to last.
pub struct SymbolsInOrder<'d> {
    starts: &'d [u32],
    /// The first string that may start behind the place asked about.
    next: usize,
}

impl SymbolsInOrder<'_> {
    /// The symbol of the string that covers byte `offset`, which no earlier call's lies behind.
    pub fn at(&mut self, offset: usize) -> Symbol {
        // Near places are reached step by step, far ones by steps that double.
        let mut step = 1;
        while self.starts.get(self.next + step).is_some_and(|start| *start as usize <= offset) {
            self.next += step;
            step *= 2;
        }
        let end = (self.next + step).min(self.starts.len());
        let behind = self.starts.get(self.next..end).unwrap_or_default();
        self.next += behind.partition_point(|start| *start as usize <= offset);
        (self.next - 1) as Symbol
    }
}

/// Finds the symbol of a string in a [`Dictionary`] that is being filled.
#[derive(Debug, Default)]
pub struct SymbolTable {
    table: HashTable<Symbol>,
}

impl SymbolTable {
    /// The symbol of `text` in `dictionary`, which only this table may fill, and whether it is new. A segment holds
    /// fewer rows than there are symbols, so numbers do not run out.
    pub fn intern(&mut self, dictionary: &mut Dictionary, text: &str) -> (Symbol, bool) {
        if text.is_empty() {
            return (EMPTY, false);
        }
        let hash = hash_bytes(text.as_bytes());
        if let Some(symbol) = self.find(dictionary, hash, text) {
            return (symbol, false);
        }
        let symbol = dictionary.push(text, hash);
        self.table.insert_unique(hash, symbol, |s| dictionary.hash(*s));
        (symbol, true)
    }

    /// The symbol of `text`, if it is there.
    pub fn get(&self, dictionary: &Dictionary, text: &str) -> Option<Symbol> {
        if text.is_empty() { Some(EMPTY) } else { self.find(dictionary, hash_bytes(text.as_bytes()), text) }
    }

    fn find(&self, dictionary: &Dictionary, hash: u64, text: &str) -> Option<Symbol> {
        self.table.find(hash, |s| dictionary.hash(*s) == hash && dictionary.get(*s) == text).copied()
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_a_symbol_and_a_hash() {
        let (mut one, mut two) = (Dictionary::default(), Dictionary::default());
        let (mut table, mut other_table) = (SymbolTable::default(), SymbolTable::default());
        assert_eq!(table.intern(&mut one, ""), (EMPTY, false));
        let (alice, new) = table.intern(&mut one, "alice");
        assert!(new);
        assert_eq!(table.intern(&mut one, "alice"), (alice, false));
        other_table.intern(&mut two, "bob");
        let (other, _) = other_table.intern(&mut two, "alice");
        assert_ne!(alice, other);
        assert_eq!(one.hash(alice), two.hash(other));
        assert_eq!(two.get(other), "alice");
        assert_eq!(two.get(9999), "");
        assert_eq!(table.get(&one, "bob"), None);
    }

    #[test]
    fn a_place_in_the_buffer_leads_back_to_its_string() {
        let mut dictionary = Dictionary::default();
        let mut table = SymbolTable::default();
        for text in ["alice", "bob", "carol", "d", "e", "f", "g", "h"] {
            table.intern(&mut dictionary, text);
        }
        for (symbol, text) in dictionary.iter() {
            let start = dictionary.start_of(symbol);
            assert_eq!(dictionary.symbol_at(start), symbol);
            assert_eq!(dictionary.symbol_at(start + text.len()), symbol, "its separator belongs to it");
            assert_eq!(&dictionary.buffer()[start..start + text.len()], text);
        }
        for steps in 1..7 {
            let mut symbols = dictionary.symbols_in_order();
            for offset in (0..dictionary.buffer().len()).step_by(steps) {
                assert_eq!(symbols.at(offset), dictionary.symbol_at(offset), "{offset}");
            }
        }
    }
}

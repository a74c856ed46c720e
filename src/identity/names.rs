//! Strings that the index repeats, kept once and named by number.

use crate::store::hash_bytes;
use hashbrown::HashTable;

/// Number of a string; the default is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Name(u32);

/// An append-only set of strings.
#[derive(Debug)]
pub(super) struct Names {
    strings: Vec<Box<str>>,
    table: HashTable<u32>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self { strings: Vec::new(), table: HashTable::new() };
        names.intern("");
        names
    }
}

impl Names {
    /// The number of a string, known or new.
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.find(text) {
            return name;
        }
        let at = self.strings.len() as u32;
        self.strings.push(text.into());
        let strings = &self.strings;
        self.table.insert_unique(hash_bytes(text.as_bytes()), at, |at| {
            hash_bytes(strings[*at as usize].as_bytes())
        });
        Name(at)
    }

    /// The number of a known string.
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        let found = self.table.find(hash_bytes(text.as_bytes()), |at| &*self.strings[*at as usize] == text);
        found.map(|at| Name(*at))
    }

    /// The string.
    pub(super) fn get(&self, name: Name) -> &str {
        self.strings.get(name.0 as usize).map_or("", |text| text)
    }

    /// Bytes held on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.strings.iter().map(|text| text.len() + 16).sum::<usize>() + self.table.capacity() * 5
    }
}

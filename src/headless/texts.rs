//! The original texts of rows that lie scattered over segments, as the order of time takes them.

use std::collections::VecDeque;
use std::io;

use crate::model::EventId;
use crate::store::{Store, Texts};

/// Segments whose last block stays unpacked (256 KiB each): as many as API servers that may write at the same time.
const MOST_OPEN: usize = 8;

/// Reads texts; rows that lie together cost one unpacking.
pub(super) struct RowTexts<'s> {
    store: &'s Store,
    open: VecDeque<(u32, Texts<'s>)>,
}

impl<'s> RowTexts<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store, open: VecDeque::new() }
    }

    /// The original text of a record, byte for byte, without its line end.
    ///
    /// # Errors
    /// When the record is not held, or its text was not kept or cannot be unpacked.
    pub(super) fn read(&mut self, id: EventId) -> io::Result<&[u8]> {
        let at = match self.open.iter().position(|(number, _)| *number == id.segment()) {
            Some(at) => at,
            None => {
                let segment = self.store.segment(id).ok_or(io::ErrorKind::NotFound)?;
                self.open.truncate(MOST_OPEN - 1);
                self.open.push_front((id.segment(), segment.texts()));
                0
            }
        };
        match self.open.get_mut(at) {
            Some((_, texts)) => texts.read(id.row()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

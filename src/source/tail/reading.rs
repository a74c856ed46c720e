//! One text that is being read: an open file, how far it was read, and the line that is not finished yet.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::super::filesystem::FileSystem;
use super::super::fingerprint::Fingerprint;
use super::super::lines::{Lines, Sink};
use super::super::{Change, FileId, TailEvent};

/// Bytes read at once, at first and at most: a quiet log does not need a large buffer.
const SMALL_PIECE: usize = 64 << 10;
const PIECE: usize = 1 << 20;

/// A text that is read as it grows.
pub(super) struct Reading<F: FileSystem> {
    /// `None` once the file holds another text: this one can only be found in a copy.
    pub file: Option<F::File>,
    pub id: FileId,
    pub lines: Lines,
    pub print: Fingerprint,
}

/// How reading up to the end went.
pub(super) enum Outcome {
    /// All there is was read; whether that was anything.
    End { grew: bool },
    /// The file no longer holds the text that was read from it.
    Truncated,
}

impl<F: FileSystem> Reading<F> {
    /// The text of a file from its beginning.
    pub fn from_start(file: F::File, id: FileId) -> Self {
        Self { file: Some(file), ..Self::without_file(id) }
    }

    /// A text that is read from elsewhere.
    pub fn without_file(id: FileId) -> Self {
        Self { file: None, id, lines: Lines::default(), print: Fingerprint::default() }
    }

    /// Delivers what was added. `path` is for notices.
    ///
    /// Every read begins with the last bytes that were read before, so that a file that was emptied and filled again
    /// is noticed whenever it happens, and whatever its size and times are.
    pub fn read_on(&mut self, fs: &F, path: &Path, sink: &mut Sink) -> ControlFlow<(), io::Result<Outcome>> {
        let Some(file) = &self.file else { return ControlFlow::Continue(Ok(Outcome::End { grew: false })) };
        let mut buffer = vec![0; SMALL_PIECE];
        let mut grew = false;
        loop {
            let last = self.print.last();
            let from = self.print.offset() - last.len() as u64;
            let count = match fs.read_at(file, &mut buffer, from) {
                Ok(count) => count,
                Err(error) => return ControlFlow::Continue(Err(error)),
            };
            let again = count.min(last.len());
            if again < last.len() || buffer[..again] != *last {
                return ControlFlow::Continue(Ok(Outcome::Truncated));
            }
            let new = &buffer[again..count];
            if new.is_empty() {
                return ControlFlow::Continue(Ok(Outcome::End { grew }));
            }
            grew = true;
            self.print.advance(new);
            self.lines.push(new, self.id, path, sink)?;
            if count == buffer.len() && buffer.len() < PIECE {
                buffer.resize(buffer.len() * 2, 0);
            }
        }
    }

    /// Delivers all of `text`, which begins where reading stopped.
    pub fn read_from(&mut self, text: &mut impl Read, path: &Path, sink: &mut Sink) -> ControlFlow<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            match text.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    self.print.advance(&buffer[..count]);
                    self.lines.push(&buffer[..count], self.id, path, sink)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    sink(TailEvent::Change(Change::Unreadable { path: path.to_owned(), cause }))?;
                    break;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

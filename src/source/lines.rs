//! Bytes in, whole lines out: holds the unfinished last line back until its newline comes.
//!
//! Serves a followed file, text by text, and standard input alike. Its neighbour is [`super::change`].

use std::ops::ControlFlow;
use std::path::Path;

use super::{Batch, Change, FileId, MAX_LINE, TailEvent};

/// Where lines go. `Break` means that nobody listens any more: the reader stops at once.
pub type Sink<'a> = dyn FnMut(TailEvent) -> ControlFlow<()> + 'a;

/// A run of NULs longer than this at the beginning of a line is dropped. A writer that opened its file without
/// `O_APPEND` leaves a hole as large as the old file after a copytruncate; the line behind it is a good one.
const NUL_RUN: usize = 1 << 20;

/// The unfinished last line of one file.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
    /// Position of `held[0]` in the file's text.
    start: u64,
    /// A line beyond [`MAX_LINE`] is being thrown away up to its newline.
    skipping: bool,
}

impl Lines {
    /// Lines of a text that is read from position `start` on, which must be the beginning of a line.
    pub fn starting_at(start: u64) -> Self {
        Self { start, ..Self::default() }
    }

    /// Bytes held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the next bytes of the text and delivers the lines they complete as one batch. `path` is for notices.
    pub fn push(&mut self, mut bytes: &[u8], file: FileId, path: &Path, sink: &mut Sink) -> ControlFlow<()> {
        if self.skipping {
            match memchr::memchr(b'\n', bytes) {
                None => {
                    self.start += bytes.len() as u64;
                    return ControlFlow::Continue(());
                }
                Some(newline) => {
                    self.start += newline as u64 + 1;
                    self.skipping = false;
                    bytes = &bytes[newline + 1..];
                }
            }
        }
        let Some(newline) = memchr::memrchr(b'\n', bytes) else {
            self.held.extend_from_slice(bytes);
            return self.limit(path, sink);
        };
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(&bytes[..=newline]);
        let offset = self.start;
        self.start += whole.len() as u64;
        self.held.extend_from_slice(&bytes[newline + 1..]);
        sink(TailEvent::Lines(Batch { file, offset, bytes: whole, unterminated: false }))?;
        self.limit(path, sink)
    }

    /// The text is over: delivers what is held as a line without a newline.
    pub fn finish(&mut self, file: FileId, sink: &mut Sink) -> ControlFlow<()> {
        self.skipping = false;
        if self.held.is_empty() {
            return ControlFlow::Continue(());
        }
        let bytes = std::mem::take(&mut self.held);
        let offset = self.start;
        self.start += bytes.len() as u64;
        sink(TailEvent::Lines(Batch { file, offset, bytes, unterminated: true }))
    }

    fn limit(&mut self, path: &Path, sink: &mut Sink) -> ControlFlow<()> {
        if self.held.len() > NUL_RUN && self.held.iter().all(|b| *b == 0) {
            self.drop_held();
        } else if self.held.len() > MAX_LINE {
            let offset = self.start;
            self.drop_held();
            self.skipping = true;
            return sink(TailEvent::Change(Change::LineTooLong { path: path.to_owned(), offset }));
        }
        ControlFlow::Continue(())
    }

    fn drop_held(&mut self) {
        self.start += self.held.len() as u64;
        self.held = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: FileId = FileId { device: 1, inode: 2 };

    fn collect(events: &mut Vec<TailEvent>) -> impl FnMut(TailEvent) -> ControlFlow<()> + '_ {
        |event| {
            events.push(event);
            ControlFlow::Continue(())
        }
    }

    fn batches(events: Vec<TailEvent>) -> Vec<Batch> {
        events
            .into_iter()
            .filter_map(|event| match event {
                TailEvent::Lines(batch) => Some(batch),
                _ => None,
            })
            .collect()
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_arrive(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0u8)], 0..300),
            cuts in proptest::collection::vec(1usize..40, 1..40),
        ) {
            let mut events = Vec::new();
            let mut lines = Lines::default();
            let mut rest = &text[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                prop_assert!(lines.push(piece, FILE, Path::new("x"), &mut collect(&mut events)).is_continue());
                rest = later;
            }
            prop_assert!(lines.finish(FILE, &mut collect(&mut events)).is_continue());
            let mut position = 0;
            let mut seen = Vec::new();
            for batch in batches(events) {
                prop_assert_eq!(batch.offset, position);
                prop_assert_eq!(batch.unterminated, !batch.bytes.ends_with(b"\n"));
                position += batch.bytes.len() as u64;
                seen.extend(batch.bytes);
            }
            prop_assert_eq!(seen, text);
        }
    }

    #[test]
    fn a_line_without_end_is_skipped_and_the_next_one_is_not() {
        let mut events = Vec::new();
        let mut lines = Lines::default();
        let block = vec![b'x'; 16 << 20];
        for _ in 0..5 {
            assert!(lines.push(&block, FILE, Path::new("big"), &mut collect(&mut events)).is_continue());
            assert!(lines.held() <= MAX_LINE, "memory is bounded");
        }
        assert!(lines.push(b"tail\ngood\n", FILE, Path::new("big"), &mut collect(&mut events)).is_continue());
        assert!(matches!(&events[0], TailEvent::Change(Change::LineTooLong { offset: 0, .. })));
        let good = batches(events);
        assert_eq!(good.len(), 1);
        assert_eq!((good[0].bytes.as_slice(), good[0].offset), (&b"good\n"[..], 5 * (16 << 20) + 5));
    }

    #[test]
    fn a_hole_left_by_copytruncate_does_not_cost_the_line_behind_it() {
        let mut events = Vec::new();
        let mut lines = Lines::default();
        for _ in 0..80 {
            assert!(
                lines.push(&vec![0; 1 << 20], FILE, Path::new("x"), &mut collect(&mut events)).is_continue()
            );
        }
        assert!(lines.push(b"good\n", FILE, Path::new("x"), &mut collect(&mut events)).is_continue());
        let all = batches(events);
        assert_eq!(all.len(), 1);
        assert!(all[0].bytes.ends_with(b"good\n") && all[0].bytes.len() < 2 << 20);
        assert_eq!(all[0].offset + all[0].bytes.len() as u64, (80 << 20) + 5);
    }
}

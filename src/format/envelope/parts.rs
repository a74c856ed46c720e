//! Puts lines together that a shipper split, each stream by itself.
//!
//! Memory is bounded by the longest line that is read, for all streams together; a line beyond that is given up and
//! passed over up to its end.

use super::super::MAX_LINE;
use super::Envelope;

/// Streams whose lines are put together at a time. A file holds one or two; `kubectl logs` of many pods some more.
const MOST_STREAMS: usize = 64;

/// The beginnings of lines that have not ended yet.
#[derive(Default)]
pub(in super::super) struct Parts {
    /// The stream that got a part last is the last one.
    open: Vec<Open>,
    bytes: usize,
}

struct Open {
    envelope: Envelope,
    stream: Vec<u8>,
    text: Vec<u8>,
    /// The line is too long, and is passed over.
    is_dropped: bool,
}

/// What became of a part.
#[derive(PartialEq, Eq, Debug)]
pub(in super::super) enum Added {
    /// The line goes on.
    Held,
    /// The line has ended: this is all of it.
    Line(Vec<u8>),
    /// A line had to be given up: this is what there was of it.
    GivenUp(Vec<u8>),
}

impl Parts {
    /// Whether a line of this stream has begun.
    pub(in super::super) fn has_begun(&self, envelope: Envelope, stream: &[u8]) -> bool {
        self.open.iter().any(|open| open.envelope == envelope && open.stream == stream)
    }

    /// Whether no line has begun.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a part to its line.
    pub(in super::super) fn add(
        &mut self,
        envelope: Envelope,
        stream: &[u8],
        text: &[u8],
        is_last: bool,
    ) -> Added {
        let found = self.open.iter().position(|open| open.envelope == envelope && open.stream == stream);
        let mut open = match found {
            Some(at) => self.open.remove(at),
            None => Open { envelope, stream: stream.to_vec(), text: Vec::new(), is_dropped: false },
        };
        self.bytes -= open.text.len();
        if open.is_dropped {
            if !is_last {
                self.open.push(open);
            }
            return Added::Held;
        }
        open.text.extend_from_slice(text);
        if is_last {
            return Added::Line(open.text);
        }
        if self.bytes + open.text.len() > MAX_LINE {
            let text = std::mem::take(&mut open.text);
            open.is_dropped = true;
            self.open.push(open);
            return Added::GivenUp(text);
        }
        self.bytes += open.text.len();
        self.open.push(open);
        if self.open.len() > MOST_STREAMS
            && let Some(oldest) = self.take_oldest()
        {
            return Added::GivenUp(oldest.1);
        }
        Added::Held
    }

    /// Takes out the line that got its last part longest ago.
    pub(in super::super) fn take_oldest(&mut self) -> Option<(Envelope, Vec<u8>)> {
        if self.open.is_empty() {
            return None;
        }
        let open = self.open.remove(0);
        self.bytes -= open.text.len();
        Some((open.envelope, open.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_put_together_each_by_itself() {
        let mut parts = Parts::default();
        let mut add = |stream: &str, text: &str, is_last| {
            parts.add(Envelope::Cri, stream.as_bytes(), text.as_bytes(), is_last)
        };
        assert_eq!(add("stdout", "a", false), Added::Held);
        assert_eq!(add("stderr", "1", false), Added::Held);
        assert_eq!(add("stdout", "b", false), Added::Held);
        assert_eq!(add("stderr", "2", true), Added::Line(b"12".to_vec()));
        assert_eq!(add("stdout", "c", true), Added::Line(b"abc".to_vec()));
        assert_eq!(add("stdout", "d", true), Added::Line(b"d".to_vec()));
        assert!(parts.is_empty() && parts.bytes == 0);
    }

    #[test]
    fn memory_is_bounded_in_length_and_in_streams() {
        let mut parts = Parts::default();
        let block = vec![b'x'; MAX_LINE / 4];
        let mut given_up = 0;
        for _ in 0..20 {
            given_up +=
                usize::from(matches!(parts.add(Envelope::Cri, b"a", &block, false), Added::GivenUp(_)));
            assert!(parts.bytes <= MAX_LINE);
        }
        assert_eq!(given_up, 1, "the rest of the line is passed over");
        assert_eq!(parts.add(Envelope::Cri, b"a", b"end", true), Added::Held);
        assert_eq!(parts.add(Envelope::Cri, b"a", b"next", true), Added::Line(b"next".to_vec()));
        for stream in 0..1000u32 {
            parts.add(Envelope::Journald, &stream.to_le_bytes(), b"{", false);
            assert!(parts.open.len() <= MOST_STREAMS);
        }
        assert_eq!(parts.bytes, MOST_STREAMS);
    }
}

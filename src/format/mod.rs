//! Bytes to [`crate::model::Event`]: every shape in which audit events stand in a file, and no I/O.
//!
//! [`Reader`] is the way in for whole logs: it takes lines and hands events and unreadable stretches to a [`Sink`].
//! Behind it, fastest first: `kube` (exactly what a kube-apiserver writes), `any_order` (any JSON object that is an
//! event, by serde_json), `legacy` (the old text format), `envelope` (what shippers wrap around events). `extent` finds where JSON
//! values end that are not one a line, and `cursor`, `members` and `unescape` hold the moves they share. A [`LineFilter`] in front of the reader
//! passes over lines that cannot hold what is asked for.
//!
//! `source` cuts chunks with the help of [`stands_alone`] and orders files by [`time_of_line`]; discovery asks
//! [`recognise`]; [`remains`] tells what a broken event was; `ingest` and the command line own a [`Reader`] for each source.

mod any_order;
mod cursor;
mod envelope;
mod extent;
mod kube;
mod legacy;
mod line_filter;
mod members;
mod outcome;
mod reader;
mod remains;
#[cfg(test)]
mod tests;
mod unescape;

pub use envelope::{Envelope, Wrapping};
pub use line_filter::{LineFilter, Literal};
pub use outcome::{Marks, Sink, Unreadable};
pub use reader::{MAX_LINE, Reader};
pub use remains::{Remains, remains};

use crate::model::{Event, Micros};

/// Why one JSON value is no event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoEvent {
    /// It is a list of events.
    List,
    /// It is something else.
    Other,
    /// It is not sound JSON.
    Broken,
}

/// Reads `text`, one JSON value and nothing beside it, and hands the event in it to `take`.
///
/// The event may borrow from a repaired copy of the text, hence the callback.
fn with_event<R>(text: &[u8], take: impl FnOnce(&Event<'_>, Marks) -> R) -> Result<R, NoEvent> {
    if let Some(event) = kube::scan(text) {
        return Ok(take(&event, Marks::default()));
    }
    match any_order::read(text) {
        Ok(event) => Ok(take(&event, Marks::default())),
        Err(NoEvent::Broken) => {
            let repaired = cursor::repaired(text).ok_or(NoEvent::Broken)?;
            any_order::read(&repaired).map(|event| take(&event, Marks { replaced: true, ..Marks::default() }))
        }
        Err(other) => Err(other),
    }
}

/// The object that fills a line, but for spaces, a byte order mark and the comma of an enclosing list.
fn whole_object(line: &[u8]) -> Option<&[u8]> {
    let text = trimmed(line);
    let text = text.strip_suffix(b",").map_or(text, <[u8]>::trim_ascii_end);
    (text.first() == Some(&b'{') && text.last() == Some(&b'}')).then_some(text)
}

/// `line` without a byte order mark, and without spaces at both ends.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii()
}

/// Whether `line` is, by itself, an audit event, or an envelope of whole ones: then a new chunk of the log may begin
/// with it.
pub fn stands_alone(line: &[u8]) -> bool {
    Alone::of(line).is_some()
}

/// The time of the event that `line` is by itself, or of the first one in it: of its stage, or else of the request's
/// arrival. `None` where it is no event or has no time.
pub fn time_of_line(line: &[u8]) -> Option<Micros> {
    Alone::of(line)?.time
}

/// What a line is by itself.
#[derive(Default)]
struct Alone {
    has_event: bool,
    has_more: bool,
    time: Option<Micros>,
}

impl Alone {
    /// `None` where the line is not made of whole events alone.
    fn of(line: &[u8]) -> Option<Self> {
        let (mut reader, mut alone) = (Reader::new(), Self::default());
        reader.read(line, &mut alone);
        (alone.has_event && !alone.has_more && reader.is_idle()).then_some(alone)
    }
}

impl Sink for Alone {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        self.has_event = true;
        self.time = self.time.or(event.stage_time).or(event.received);
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {
        self.has_more = true;
    }
}

/// Whether `text`, the beginning of a file, shows an audit event: a readable one, or the first part of one that is
/// longer than `text`. The kernel's own audit log, among others, does not.
pub fn recognise(text: &[u8]) -> bool {
    struct Seen(bool);
    impl Sink for Seen {
        fn event(&mut self, _: &Event<'_>, _: &[u8], _: Marks) {
            self.0 = true;
        }
        fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
            self.0 |= kind == Unreadable::CutShort && kube::holds_event_start(text);
        }
    }
    let mut seen = Seen(false);
    let mut reader = Reader::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        reader.read(line, &mut seen);
        if seen.0 {
            return true;
        }
    }
    reader.finish(&mut seen);
    seen.0
}

/// For the benches: whether the fast path reads `line`. No part of the interface.
#[doc(hidden)]
pub fn bench_fast(line: &[u8]) -> bool {
    kube::scan(line).is_some()
}

/// For the benches: whether the general reader reads `line`. No part of the interface.
#[doc(hidden)]
pub fn bench_general(line: &[u8]) -> bool {
    any_order::read(line).is_ok()
}

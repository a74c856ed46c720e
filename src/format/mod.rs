//! Bytes to [`crate::model::Event`]: every shape in which audit events stand in a file, what the logs of Rancher, Argo CD,
//! Fleet and Flux tell, and no I/O.
//!
//! [`Reader`] is the way in for whole logs: it takes lines and hands events and unreadable stretches to a [`Sink`].
//! Behind it, fastest first: `kube` (exactly what a kube-apiserver writes), `any_order` (any JSON object that is an
//! event, by serde_json), `legacy` (the old text format), `controller` (the logs of what drives a cluster, each with a
//! module of its own), `envelope` (what shippers wrap around any of these). `extent` finds where JSON values end that are
//! not one a line, and `cursor`, `members` and `unescape` hold the moves they share. A [`LineFilter`] in front of the
//! reader passes over lines that cannot hold what is asked for. [`details`] tells what a controller's line says beyond
//! its event, [`fields`] its keys and values, and [`record()`] both together, by the names under which rules ask for them.
//!
//! `source` cuts chunks with the help of [`stands_alone`] and orders files by [`time_of_line`]; discovery asks
//! [`recognise`]; [`remains`] tells what a broken event was; `ingest` and the command line own a [`Reader`] for each source.

mod any_order;
mod argocd;
mod controller;
mod cursor;
mod details;
mod envelope;
mod extent;
mod fields;
mod fleet;
mod flux;
mod kube;
mod legacy;
mod line_filter;
mod members;
mod outcome;
mod rancher;
mod reader;
mod record;
mod remains;
#[cfg(test)]
mod tests;
mod unescape;

pub use details::{
    ControllerDetails, Destination, Initiator, ObjectName, TouchedObject, commit_of, without_credentials,
};
pub use envelope::{Envelope, Wrapping};
pub use line_filter::{LineFilter, Literal};
pub use outcome::{Format, Marks, Sink, Unreadable};
pub use reader::{MAX_LINE, Reader};
pub use record::record;
pub use remains::{Remains, remains};

use std::borrow::Cow;

use controller::{Chatter, Line};
use serde_json::Value;

use crate::model::{Event, LogKind, Micros};

/// Why one JSON value is no event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoEvent {
    /// It is a list of events.
    List,
    /// It is a line of a controller's log that tells of no change.
    Chatter(Chatter),
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
    let mut marks = Marks::default();
    let mut repaired = Vec::new();
    let read = any_order::read(text).or_else(|why| match why {
        NoEvent::Broken => {
            repaired = cursor::repaired(text).ok_or(why)?;
            marks.replaced = true;
            any_order::read(&repaired)
        }
        other => Err(other),
    });
    match read {
        Ok(event) => Ok(take(&event, marks)),
        Err(NoEvent::Other) => {
            with_controller_event(if marks.replaced { &repaired } else { text }, marks, take)
        }
        Err(other) => Err(other),
    }
}

/// [`with_event`] for JSON that is no audit event.
fn with_controller_event<R>(
    text: &[u8],
    marks: Marks,
    take: impl FnOnce(&Event<'_>, Marks) -> R,
) -> Result<R, NoEvent> {
    // What is not looked at in search of an audit event need not be UTF-8.
    let valid = String::from_utf8_lossy(text);
    let marks = Marks { replaced: marks.replaced || matches!(valid, Cow::Owned(_)), ..marks };
    taken(controller::read_object(&valid).ok_or(NoEvent::Other)?, marks, take)
}

/// Reads `text`, a line that is no JSON, and hands the event in it to `take` with the beginning of its own text.
fn with_text_event<R>(text: &[u8], take: impl FnOnce(&Event<'_>, usize, Marks) -> R) -> Result<R, NoEvent> {
    let start = fields::find_text(text).unwrap_or(0);
    let valid = String::from_utf8_lossy(&text[start..]);
    let marks = Marks { replaced: matches!(valid, Cow::Owned(_)), ..Marks::default() };
    if let Some(line) = controller::read_text(&valid) {
        return taken(line, marks, |event, marks| take(event, start, marks));
    }
    let event = legacy::read(text).ok_or(NoEvent::Other)?;
    Ok(take(&event, 0, Marks { replaced: std::str::from_utf8(text).is_err(), ..Marks::default() }))
}

fn taken<R>(line: Line, marks: Marks, take: impl FnOnce(&Event<'_>, Marks) -> R) -> Result<R, NoEvent> {
    match line {
        Line::Told(told) => Ok(take(&told.event(), marks)),
        Line::Chatter(chatter) => Err(NoEvent::Chatter(chatter)),
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

/// Whether `line` is, by itself, an event, certainly a line of a controller's log, or an envelope of whole ones: then a
/// new chunk of the log may begin with it.
pub fn stands_alone(line: &[u8]) -> bool {
    Alone::of(line).is_some_and(|alone| alone.is_certain)
}

/// The time of the event that `line` is by itself, or of the first one in it: of its stage, or else of the request's
/// arrival; or that of a line that tells of nothing. `None` where it is neither or has no time.
pub fn time_of_line(line: &[u8]) -> Option<Micros> {
    Alone::of(line)?.time
}

/// What a line is by itself.
#[derive(Default)]
struct Alone {
    /// It has an event, or a line that tells whose it is.
    is_certain: bool,
    has_more: bool,
    time: Option<Micros>,
}

impl Alone {
    /// `None` where anything in the line cannot be read by itself.
    fn of(line: &[u8]) -> Option<Self> {
        let (mut reader, mut alone) = (Reader::new(), Self::default());
        reader.read(line, &mut alone);
        (!alone.has_more && reader.is_idle()).then_some(alone)
    }
}

impl Sink for Alone {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        self.is_certain = true;
        self.time = self.time.or(event.stage_time).or(event.received);
    }

    fn chatter(&mut self, log: Option<LogKind>, time: Option<Micros>) {
        self.is_certain |= log.is_some();
        self.time = self.time.or(time);
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {
        self.has_more = true;
    }
}

/// What the text of a row tells beyond its columns, where it is a line of a controller's log that tells of a change.
pub fn details(log: LogKind, text: &[u8]) -> Option<ControllerDetails> {
    controller::details(log, &String::from_utf8_lossy(text))
}

/// The keys and values of a line that is no JSON, logfmt or zap's console form, as a JSON object. `None` for any other
/// text.
pub fn fields(text: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(text);
    controller::text_fields(&text).map(|(_, fields)| fields.to_value())
}

/// Whether `text`, the beginning of a file, shows an audit event, a readable one, or the first part of one that is
/// longer than `text`; or the log of a controller. The kernel's own audit log, among others, does not.
pub fn recognise(text: &[u8]) -> bool {
    struct Seen(bool);
    impl Sink for Seen {
        fn event(&mut self, _: &Event<'_>, _: &[u8], _: Marks) {
            self.0 = true;
        }
        fn chatter(&mut self, log: Option<LogKind>, _: Option<Micros>) {
            self.0 |= log.is_some();
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

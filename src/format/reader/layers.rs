//! The part of [`Reader`] that takes layers off: what an envelope holds is read like a line of its own.

use super::super::envelope::{self, Added, Envelope, Inner, MAX_LAYERS};
use super::super::outcome::{Marks, Sink, Unreadable};
use super::super::unescape::Decoded;
use super::super::{NoEvent, kube, with_event};
use super::{Reader, controller_of};
use crate::model::{Event, LogKind, Micros};

/// Docker splits lines into parts of this many bytes (moby, daemon/logger/copier.go, `defaultBufSize`).
const DOCKER_PART: usize = 16 << 10;

/// Room for decoded text that is kept for the next line: a reader lives as long as its log is followed.
const MOST_SCRATCH: usize = 1 << 20;

impl Reader {
    /// Reads what stands behind a known prefix; false where none stands before it.
    pub(super) fn take_off(&mut self, line: &[u8], sink: &mut dyn Sink) -> bool {
        if self.depth == MAX_LAYERS {
            return false;
        }
        let parts = &self.parts;
        let Some((envelope, inner)) =
            envelope::take_off(line, |envelope, stream| parts.has_begun(envelope, stream))
        else {
            return self.open_cell(line, sink);
        };
        self.inside(envelope, inner, sink);
        true
    }

    /// Reads what a row of a CSV export has in one of its cells; false where there is no such cell.
    fn open_cell(&mut self, line: &[u8], sink: &mut dyn Sink) -> bool {
        let mut cell = Vec::new();
        let is_found = envelope::csv::object(line, &mut cell);
        if is_found {
            self.inside(Envelope::Csv, Inner::Message(&cell), sink);
        }
        is_found
    }

    /// Lends room for decoded text, which is kept for the next line.
    fn with_scratch<R>(&mut self, work: impl FnOnce(&mut Self, &mut Decoded) -> R) -> R {
        let mut scratch = self.scratch.pop().unwrap_or_default();
        let result = work(self, &mut scratch);
        if scratch.capacity() <= MOST_SCRATCH {
            self.scratch.push(scratch);
        }
        result
    }

    /// Reads what the JSON object at the beginning of `text` holds if it is an envelope, and returns where that ends;
    /// `None` where it is none.
    pub(super) fn open(&mut self, text: &[u8], sink: &mut dyn Sink) -> Option<usize> {
        if self.depth == MAX_LAYERS {
            return None;
        }
        self.with_scratch(|reader, scratch| {
            envelope::open(text, scratch, &mut |envelope, inner| reader.inside(envelope, inner, sink))
        })
    }

    /// Reads a line that is an envelope and nothing beside it, while no value goes on: the common case, first.
    pub(super) fn open_whole(&mut self, line: &[u8], sink: &mut impl Sink) -> bool {
        let is_object = line.first() == Some(&b'{') && line.last() == Some(&b'}');
        if !is_object || self.pending.is_some() {
            return false;
        }
        match self.open(line, sink) {
            None => false,
            Some(end) => {
                if end < line.len() {
                    self.between_zeros(&line[end..], sink);
                }
                true
            }
        }
    }

    /// Reads what an envelope held.
    pub(super) fn inside(&mut self, envelope: Envelope, inner: Inner<'_>, sink: &mut dyn Sink) {
        if !matches!(inner, Inner::Line(_) | Inner::Part { .. }) {
            self.give_up(
                Unreadable::CutShort,
                &mut Within { envelope, is_rewritten: false, sink: &mut *sink },
            );
        }
        let mut sink = Within { envelope, is_rewritten: matches!(inner, Inner::Rewritten(_)), sink };
        self.depth += 1;
        match inner {
            Inner::Line(text) => self.line(text, &mut sink),
            Inner::Message(text) | Inner::Rewritten(text) => {
                self.line(text, &mut sink);
                self.give_up(Unreadable::CutShort, &mut sink);
            }
            Inner::Part { stream, text, is_last } => self.part(stream, text, is_last, &mut sink),
        }
        self.depth -= 1;
    }

    /// Reads a part of a line that its shipper may have split.
    fn part(&mut self, stream: &[u8], text: &[u8], is_last: Option<bool>, sink: &mut Within<'_>) {
        let envelope = sink.envelope;
        let has_begun = self.parts.has_begun(envelope, stream);
        let is_last = is_last.unwrap_or_else(|| text.len() < DOCKER_PART || kube::scan(text).is_some());
        if is_last && !has_begun {
            return self.line(text, sink);
        }
        match self.parts.add(envelope, stream, text, is_last) {
            Added::Held => {}
            Added::Line(line) => self.line(&line, sink),
            Added::GivenUp(text) => sink.unreadable(Unreadable::TooLong, &text),
        }
    }

    /// Hands out every item of an `EventList`.
    pub(super) fn items(&mut self, list: &[u8], sink: &mut dyn Sink) {
        let mut sink = Within { envelope: Envelope::EventList, is_rewritten: false, sink };
        envelope::event_list::each_item(list, |item| {
            let read = with_event(item, |event, marks| {
                self.after = controller_of(event);
                sink.event(event, item, marks);
            });
            match read {
                Ok(()) => {}
                Err(NoEvent::Chatter(chatter)) => self.chatter(chatter, &mut sink),
                Err(NoEvent::Broken) => sink.unreadable(Unreadable::CutShort, item),
                Err(NoEvent::List | NoEvent::Other) => sink.unreadable(Unreadable::NotAnAuditEvent, item),
            }
        });
    }
}

/// Tells the sink what was taken off an event.
struct Within<'s> {
    envelope: Envelope,
    is_rewritten: bool,
    sink: &'s mut dyn Sink,
}

impl Sink for Within<'_> {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        let is_rewritten = marks.rewritten || self.is_rewritten;
        let marks =
            Marks { rewritten: is_rewritten, wrapping: marks.wrapping.within(self.envelope), ..marks };
        self.sink.event(event, text, marks);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        self.sink.unreadable(kind, text);
    }

    fn chatter(&mut self, log: Option<LogKind>, time: Option<Micros>) {
        self.sink.chatter(log, time);
    }

    fn passed_over(&mut self, stage_time: Micros) {
        self.sink.passed_over(stage_time);
    }
}

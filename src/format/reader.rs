//! The line assembler that every source uses: whole lines in, events and unreadable stretches out.
//!
//! Nearly every line is one event, and [`super::kube`] reads it. Everything else ends up in [`Reader::pieces`], which
//! finds JSON objects wherever they stand: behind a prefix, several on a line, in a list, behind a cut one. An object
//! that a line does not end is pending, and the next lines go on with it, until it is complete or
//!
//! * a line that is an event by itself ends it: so a cut line never swallows a good one; or
//! * it breaks: then what it swallowed is handed out, and reading starts again with the line on which it broke. No
//!   line before that can begin an object that does better (see [`super::extent`]), so nothing is read a third time.
//!
//! The result does not depend on how the lines are divided among calls.
//!
//! Lines that are no native events are asked for what is wrapped around an event ([`super::envelope`]); what that holds
//! is read like a line by itself. Native ones never come that far.

use super::controller::Chatter;
use super::envelope::{Inner, Parts};
use super::extent::{Extent, Found, ends_line};
use super::line_filter::{LineFilter, time_of_whole_event};
use super::outcome::{Marks, Sink, Unreadable};
use super::unescape::Decoded;
use super::{NoEvent, kube, whole_object, with_event, with_text_event};
use crate::model::{Event, LogKind};

mod gap;
mod layers;

use gap::{frame_length, kind_of_gap, report, report_beside_event};

/// The longest line, and the longest value spread over lines, that is read: 64 MiB.
///
/// Unit tests pass it with less text.
pub const MAX_LINE: usize = if cfg!(test) { 4 << 20 } else { 64 << 20 };

/// Turns the lines of one source into events. See the module for what it understands.
#[derive(Default)]
pub struct Reader {
    pending: Option<Pending>,
    /// The program whose line was read last, unless it is an API server: plain text behind it (klog, a stack trace) is
    /// its chatter too. What stands alone begins every chunk of a log, so nothing depends on how it was divided.
    after: Option<LogKind>,
    /// Lines that a shipper split.
    parts: Parts,
    /// Room for decoded text, one for each layer that is being read and is at rest now.
    scratch: Vec<Decoded>,
    /// How many layers have been taken off the text being read.
    depth: usize,
    /// Bytes looked at for the extent of values: proves, in tests, that work is proportional to the text.
    #[cfg(test)]
    pub(super) examined: usize,
}

/// An object that was begun and not ended: the text from its brace to the end of the last line.
struct Pending {
    text: Vec<u8>,
    extent: Extent,
}

impl Reader {
    /// A reader at the beginning of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `text`, whole lines; what stands behind the last line end counts as one.
    pub fn read(&mut self, text: &[u8], sink: &mut impl Sink) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            self.line(&text[start..end], sink);
            start = end + 1;
        }
        if start < text.len() {
            self.line(&text[start..], sink);
        }
    }

    /// Reads `text` like [`Self::read`], but passes over whole events that are no candidates of `filter`. An event of
    /// several lines is read whatever stands in them. Returns how many lines are not blank.
    pub fn read_candidates(&mut self, text: &[u8], filter: &LineFilter, sink: &mut impl Sink) -> u64 {
        let mut lines = 0;
        let mut search = filter.search(text);
        let mut start = 0;
        while start < text.len() {
            let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
            let line = &text[start..end];
            // A pending event is ended by what is surely one, and only the general way tells what is.
            if self.pending.is_none()
                && !search.is_candidate(&(start..end))
                && let Some(time) = time_of_whole_event(line)
            {
                lines += 1;
                sink.passed_over(time);
            } else {
                lines += u64::from(!line.trim_ascii().is_empty());
                self.line(line, sink);
            }
            start = end + 1;
        }
        lines
    }

    /// The log has ended: hands out what a value still open may hold. The reader can be used again.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        self.give_up(Unreadable::CutShort, sink);
        while let Some((envelope, text)) = self.parts.take_oldest() {
            self.inside(envelope, Inner::Message(&text), sink);
        }
    }

    /// Whether nothing that was read goes on.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none() && self.parts.is_empty()
    }

    fn line(&mut self, line: &[u8], sink: &mut impl Sink) {
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        if bare.len() > MAX_LINE {
            self.give_up(Unreadable::CutShort, sink);
            sink.unreadable(Unreadable::TooLong, bare);
        } else if let Some(event) = kube::scan(bare) {
            self.give_up(Unreadable::CutShort, sink);
            self.after = None;
            sink.event(&event, bare, Marks::default());
        } else if !self.take_off(bare, sink) && !self.open_whole(bare, sink) {
            self.between_zeros(line, sink);
        }
    }

    /// A file truncated under its writer has zero bytes up to the writer's position, and good text right behind.
    fn between_zeros(&mut self, line: &[u8], sink: &mut impl Sink) {
        let mut rest = line;
        while let Some(zero) = memchr::memchr(0, rest) {
            let (before, zeros) = rest.split_at(zero);
            if !before.is_empty() {
                self.clean_line(before, sink);
            }
            self.give_up(Unreadable::CutShort, sink);
            let (run, after) = zeros.split_at(zero_run(zeros));
            sink.unreadable(Unreadable::NulBytes, run);
            rest = after;
        }
        // A line of zeros alone ends here; an empty line is white space to a pending value.
        if !rest.is_empty() || line.is_empty() {
            self.clean_line(rest, sink);
        }
    }

    fn clean_line(&mut self, line: &[u8], sink: &mut impl Sink) {
        if self.pending.is_some()
            && let Some(whole) = whole_object(line)
        {
            let alone = with_event(whole, |event, marks| {
                self.give_up(Unreadable::CutShort, sink);
                self.after = controller_of(event);
                sink.event(event, whole, marks);
            });
            match alone {
                Ok(()) => return,
                Err(NoEvent::List) => self.give_up(Unreadable::CutShort, sink),
                Err(NoEvent::Chatter(chatter)) if chatter.log.is_some() => {
                    self.give_up(Unreadable::CutShort, sink);
                    return self.chatter(chatter, sink);
                }
                Err(NoEvent::Chatter(_) | NoEvent::Other | NoEvent::Broken) => {}
            }
        }
        match self.pending.take() {
            Some(pending) => self.go_on(pending, line, sink),
            None => self.fresh(line, sink),
        }
    }

    /// Reads a line, or the rest of one, while nothing is pending.
    fn fresh(&mut self, line: &[u8], sink: &mut impl Sink) {
        let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        // A cut envelope is opened, too: what its event began with is still worth telling.
        while line.trim_ascii_start().first() == Some(&b'{')
            && let Some(end) = self.open(line.trim_ascii_start(), sink)
        {
            line = &line.trim_ascii_start()[end..];
            line = line.strip_prefix(b",").unwrap_or(line);
        }
        let text = line.trim_ascii();
        if matches!(text, b"" | b"---" | b"...") {
            return;
        }
        if let Some(whole) = whole_object(text) {
            let read = with_event(whole, |event, marks| {
                self.after = controller_of(event);
                sink.event(event, whole, marks);
            });
            match read {
                Ok(()) => return,
                Err(NoEvent::List) => return self.items(whole, sink),
                Err(NoEvent::Chatter(chatter)) => return self.chatter(chatter, sink),
                Err(NoEvent::Other) => return sink.unreadable(Unreadable::NotAnAuditEvent, whole),
                Err(NoEvent::Broken) => {}
            }
        }
        if text.first() != Some(&b'{') {
            let read = with_text_event(text, |event, start, marks| {
                self.after = controller_of(event);
                sink.event(event, &text[start..], marks);
            });
            match read {
                Ok(()) => return,
                Err(NoEvent::Chatter(chatter)) => return self.chatter(chatter, sink),
                Err(_) => {}
            }
        }
        self.pieces(line, sink);
    }

    /// Finds the objects of a line that is no single one. `gap` is where the text begins that belongs to none yet.
    fn pieces(&mut self, line: &[u8], sink: &mut impl Sink) {
        let (mut at, mut gap, mut found_event) = (0, 0, false);
        let mut frame = (0, frame_length(line));
        while let Some(start) = next_object(line, at) {
            // Measured once for each gap: a long one is not gone through again for every brace.
            if frame.0 != gap {
                frame = (gap, frame_length(&line[gap..]));
            }
            let leads = gap + frame.1 >= start;
            let mut extent = Extent::new(start);
            let found = extent.feed(line);
            self.count(extent.position() - start);
            match found {
                Found::End(end) => {
                    at = end;
                    let value = &line[start..end];
                    // A member of an object whose beginning is lost: a body, at worst one that a client made to look
                    // like an event.
                    if !leads && goes_on_as_member(&line[end..]) {
                        continue;
                    }
                    let before = &line[gap..start];
                    match with_event(value, |event, marks| {
                        report_beside_event(before, sink);
                        self.after = controller_of(event);
                        sink.event(event, value, marks);
                    }) {
                        Ok(()) => {}
                        Err(NoEvent::Chatter(chatter)) => {
                            report_beside_event(before, sink);
                            self.chatter(chatter, sink);
                        }
                        Err(NoEvent::List) => {
                            report_beside_event(before, sink);
                            self.items(value, sink);
                        }
                        Err(NoEvent::Other) if self.open(value, sink).is_some() => {
                            report_beside_event(before, sink)
                        }
                        Err(NoEvent::Other) if leads => {
                            sink.unreadable(Unreadable::NotAnAuditEvent, value);
                            gap = end;
                            continue;
                        }
                        Err(_) => continue,
                    }
                    (gap, found_event) = (end, true);
                }
                Found::More if leads => {
                    return self.begin(&line[start..]);
                }
                Found::More => {
                    found_event |= self.swallowed(line, &extent, &mut gap, sink);
                    break;
                }
                Found::Broken(next) => {
                    found_event |= self.swallowed(line, &extent, &mut gap, sink);
                    at = next.max(gap);
                }
            }
        }
        let rest = &line[gap..];
        match (kind_of_gap(rest), self.after) {
            _ if found_event => report_beside_event(rest, sink),
            (Unreadable::PlainText, Some(log)) => sink.chatter(Some(log), None),
            (kind, _) => report(kind, rest, sink),
        }
    }

    fn chatter(&mut self, chatter: Chatter, sink: &mut impl Sink) {
        self.after = chatter.log.or(self.after);
        sink.chatter(chatter.log, chatter.time);
    }

    /// Makes `text`, which begins an object and does not end it, pending.
    fn begin(&mut self, text: &[u8]) {
        let mut pending = Pending { text: Vec::with_capacity(text.len() + 1), extent: Extent::new(0) };
        pending.text.extend_from_slice(text);
        pending.text.push(b'\n');
        self.count(text.len());
        pending.extent.feed(&pending.text);
        self.pending = Some(pending);
    }

    /// Goes on with a pending value on the next line.
    fn go_on(&mut self, mut pending: Pending, line: &[u8], sink: &mut impl Sink) {
        let line_start = pending.text.len();
        if line_start + line.len() >= MAX_LINE {
            self.pending = Some(pending);
            self.give_up(Unreadable::TooLong, sink);
            return self.fresh(line, sink);
        }
        pending.text.extend_from_slice(line);
        pending.text.push(b'\n');
        self.count(line.len() + 1);
        match pending.extent.feed(&pending.text) {
            Found::More => self.pending = Some(pending),
            Found::End(end) => {
                let (value, rest) = pending.text.split_at(end);
                let read = with_event(value, |event, marks| {
                    self.after = controller_of(event);
                    sink.event(event, value, marks);
                });
                match read {
                    Ok(()) => {}
                    Err(NoEvent::List) => self.items(value, sink),
                    Err(NoEvent::Chatter(chatter)) => self.chatter(chatter, sink),
                    Err(NoEvent::Other) if self.open(value, sink).is_some() => {}
                    Err(NoEvent::Other) => sink.unreadable(Unreadable::NotAnAuditEvent, value),
                    Err(NoEvent::Broken) => sink.unreadable(Unreadable::CutShort, value),
                }
                if !ends_line(rest) {
                    self.fresh(rest.strip_suffix(b"\n").unwrap_or(rest), sink);
                }
            }
            Found::Broken(next) => {
                let mut gap = 0;
                self.swallowed(&pending.text, &pending.extent, &mut gap, sink);
                // A line that ends inside a string is itself the place of the cut; no other begins on it.
                let again = if next == pending.text.len() { next } else { gap.max(line_start) };
                report(Unreadable::CutShort, &pending.text[gap..again], sink);
                let rest = &pending.text[again..];
                self.fresh(rest.strip_suffix(b"\n").unwrap_or(rest), sink);
            }
        }
    }

    /// Ends a pending value as it is.
    fn give_up(&mut self, kind: Unreadable, sink: &mut impl Sink) {
        let Some(pending) = self.pending.take() else { return };
        let mut gap = 0;
        self.swallowed(&pending.text, &pending.extent, &mut gap, sink);
        report(kind, &pending.text[gap..], sink);
    }

    /// Hands out the events that a broken or unfinished value swallowed; `gap` moves behind the last of them.
    fn swallowed(&mut self, text: &[u8], extent: &Extent, gap: &mut usize, sink: &mut impl Sink) -> bool {
        let mut found = false;
        for range in extent.swallowed(text) {
            let (before, value) = (*gap..range.start, &text[range.clone()]);
            let read = with_event(value, |event, marks| {
                report_beside_event(&text[before.clone()], sink);
                self.after = controller_of(event);
                sink.event(event, value, marks);
            });
            match read {
                Ok(()) => {}
                Err(NoEvent::Chatter(chatter)) if chatter.log.is_some() => {
                    report_beside_event(&text[before], sink);
                    self.chatter(chatter, sink);
                }
                Err(NoEvent::Other) if self.open(value, sink).is_some() => {}
                Err(_) => continue,
            }
            *gap = range.end;
            found = true;
        }
        found
    }

    #[cfg(test)]
    fn count(&mut self, bytes: usize) {
        self.examined += bytes;
    }

    #[cfg(not(test))]
    fn count(&mut self, _bytes: usize) {}
}

/// The program whose log an event is of, unless it is an API server.
fn controller_of(event: &Event<'_>) -> Option<LogKind> {
    (event.log != LogKind::Kube).then_some(event.log)
}

/// The next brace from `at` on that a quote or the end of the line follows: the beginning of an object.
fn next_object(line: &[u8], at: usize) -> Option<usize> {
    memchr::memchr_iter(b'{', line.get(at..)?).map(|found| at + found).find(|brace| {
        let next = line[brace + 1..].iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        matches!(next, None | Some(b'"'))
    })
}

/// Whether what follows a value can only stand inside an object or array that was begun earlier.
fn goes_on_as_member(rest: &[u8]) -> bool {
    match rest.trim_ascii_start() {
        [b'}' | b']', ..] => true,
        [b',', more @ ..] => !matches!(more.trim_ascii_start().first(), None | Some(b'{')),
        _ => false,
    }
}

/// How many zero bytes `text` begins with.
fn zero_run(text: &[u8]) -> usize {
    const BLOCK: [u8; 4096] = [0; 4096];
    let blocks = text.chunks_exact(BLOCK.len()).take_while(|block| **block == BLOCK).count();
    let start = blocks * BLOCK.len();
    start + text[start..].iter().take_while(|b| **b == 0).count()
}

//! Text between, before and behind the objects of a line: the frame of a list, a prefix, a piece of an event.

use super::super::outcome::{Sink, Unreadable};
use super::super::trimmed;

/// Reports text on the line of an event, unless it is but a prefix: a host's name, a time.
pub(super) fn report_beside_event(text: &[u8], sink: &mut impl Sink) {
    if kind_of_gap(text) == Unreadable::CutShort {
        report(Unreadable::CutShort, text, sink);
    }
}

/// Reports text that belongs to no event, unless it is but the frame of a list of events, one a line.
pub(super) fn report(kind: Unreadable, text: &[u8], sink: &mut impl Sink) {
    let text = text.trim_ascii();
    let is_frame = frame_length(text) == text.len();
    let opens_list = text.last() == Some(&b'[') && memchr::memmem::find(text, b"\"items\"").is_some();
    if !is_frame && !opens_list {
        sink.unreadable(kind, text);
    }
}

/// How much of `text` is only what stands between and behind the objects of a list.
pub(super) fn frame_length(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_whitespace() || matches!(b, b'[' | b']' | b'}' | b',')).count()
}

/// Whether text that holds no whole object is a piece of an event or of other JSON, or plain text.
pub(super) fn kind_of_gap(text: &[u8]) -> Unreadable {
    let holds = |needle: &str| memchr::memmem::find(text, needle.as_bytes()).is_some();
    // `[pod/web-0/app]` of `kubectl logs --prefix` begins no list.
    let begins = match trimmed(text) {
        [b'{', ..] => true,
        [b'[', rest @ ..] => !rest.trim_ascii_start().first().is_some_and(u8::is_ascii_alphabetic),
        _ => false,
    };
    if begins || holds("\"auditID\"") || holds("\"stageTimestamp\"") || holds("\"audit.k8s.io/") {
        Unreadable::CutShort
    } else {
        Unreadable::PlainText
    }
}

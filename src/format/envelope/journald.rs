//! The journal: an API server that is a service of its own (k3s, RKE2's agent, kube-up), or a container whose runtime
//! logs to it.
//!
//! `journalctl -o json` has the text in `MESSAGE`, as an array of numbers where it is not UTF-8 or holds control
//! characters (systemd.io/JOURNAL_EXPORT_FORMATS). Text of more than `LineMax=` (journald.conf, 48 KiB unless set) is
//! split; the entry then says `_LINE_BREAK=line-max` (systemd.journal-fields(7)), and where only its text is printed,
//! its length does.

use super::super::members::elements;
use super::Inner;

/// `LineMax=` where nobody set it, in bytes.
pub(super) const LINE_MAX: usize = 48 << 10;

/// The stream of entries of which no host or process is known.
const UNNAMED: &[u8] = b"journal";

/// The bytes that an array of numbers writes; `None` where one is no byte.
pub(super) fn bytes(array: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Some(Vec::with_capacity(array.len() / 3));
    elements(array, |element| {
        let byte = std::str::from_utf8(element).ok().and_then(|number| number.parse().ok());
        match (byte, &mut bytes) {
            (Some(byte), Some(bytes)) => bytes.push(byte),
            _ => bytes = None,
        }
    })
    .ok()?;
    bytes
}

/// What an entry of `journalctl -o json` holds. `is_line_max` says that it was split off a longer line.
pub(super) fn entry(text: &[u8], is_line_max: bool) -> Inner<'_> {
    let is_last = if is_line_max || text.len() == LINE_MAX { Some(false) } else { Some(true) };
    Inner::Part { stream: UNNAMED, text, is_last }
}

/// What an entry of `journalctl -o short` holds behind its prefix. `stream` is the host and the process.
pub(super) fn printed<'a>(stream: &'a [u8], text: &'a [u8]) -> Inner<'a> {
    Inner::Part { stream, text, is_last: Some(text.len() != LINE_MAX) }
}

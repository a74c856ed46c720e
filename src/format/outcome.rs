//! What comes out of reading: the [`Sink`] that takes events, and the names of what could not be read.
//!
//! [`super::Reader`] calls the sink; `ingest` and the command line implement it and count.

use std::fmt;

use super::envelope::{Envelope, Wrapping};
use crate::model::{Event, LogKind, Micros};

/// Takes what a [`super::Reader`] finds, in the order of the text.
pub trait Sink {
    /// An event. `text` is its own original bytes, without the end of the line; of an
    /// event in an envelope, what the envelope holds, decoded.
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks);

    /// A stretch that is no event: part of a line, a line, or the lines of a value that was never completed.
    fn unreadable(&mut self, kind: Unreadable, text: &[u8]);

    /// A line of a controller's log that tells of no change, with its time. `log` is `None` where the line alone does not
    /// tell which program's it is.
    fn chatter(&mut self, _log: Option<LogKind>, _time: Option<Micros>) {}

    /// An event that [`super::Reader::read_candidates`] passed over, with its stage time.
    fn passed_over(&mut self, _stage_time: Micros) {}
}

/// What an event was read from: whose log, and what that was in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Format {
    /// Whose log it is.
    pub log: LogKind,
    /// What was wrapped around it.
    pub wrapping: Wrapping,
}

impl Format {
    /// Whether it is the audit log of an API server as that writes it.
    pub fn is_native(&self) -> bool {
        self.log == LogKind::Kube && self.wrapping.is_native()
    }

    /// What it is where there is hardly any room: `Fluent Bit in CRI`, `argocd`, `argocd in docker`, `kube`.
    pub fn short_name(&self) -> String {
        let mut parts: Vec<&str> = self.wrapping.layers().map(Envelope::short_name).collect();
        if self.log != LogKind::Kube || parts.is_empty() {
            parts.insert(0, self.log.name());
        }
        parts.join(" in ")
    }
}

/// `kube audit in Fluent Bit records in CRI lines`, `argocd log`.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.log {
            LogKind::Kube | LogKind::Rancher => "audit",
            LogKind::ArgoCd | LogKind::Fleet | LogKind::Flux => "log",
        };
        write!(f, "{} {what}", self.log)?;
        self.wrapping.layers().try_for_each(|layer| write!(f, " in {}", layer.name()))
    }
}

/// What had to be done to an event to read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Bytes that are not UTF-8, or half a surrogate pair, stand as U+FFFD in the event's strings.
    pub replaced: bool,
    /// A provider has taken the event apart: its text was written anew from what was left.
    pub rewritten: bool,
    /// What was wrapped around it.
    pub wrapping: Wrapping,
}

/// Why a stretch of text gave no event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Unreadable {
    /// Zero bytes where lines should be.
    NulBytes = 0,
    /// klog lines and any other text.
    PlainText = 1,
    /// JSON that is broken, or does not end.
    CutShort = 2,
    /// Sound JSON, but no audit event.
    NotAnAuditEvent = 3,
    /// More than [`super::MAX_LINE`] bytes in one line or one value.
    TooLong = 4,
}

impl Unreadable {
    /// Every kind, in declaration order.
    pub const ALL: [Unreadable; 5] = [
        Unreadable::NulBytes,
        Unreadable::PlainText,
        Unreadable::CutShort,
        Unreadable::NotAnAuditEvent,
        Unreadable::TooLong,
    ];

    /// A short name for counts, such as `cut short`.
    pub fn name(self) -> &'static str {
        match self {
            Unreadable::NulBytes => "zero bytes",
            Unreadable::PlainText => "plain text",
            Unreadable::CutShort => "cut short",
            Unreadable::NotAnAuditEvent => "not an audit event",
            Unreadable::TooLong => "too long",
        }
    }

    /// What it means and where it usually comes from, in one sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Unreadable::NulBytes => {
                "A run of zero bytes, as a crash or a truncation under the writer's feet leaves behind."
            }
            Unreadable::PlainText => "Text that is not JSON, such as a line of the API server's own log.",
            Unreadable::CutShort => {
                "JSON that is broken or does not end, as a crash, a full disk or a copied fragment leaves it."
            }
            Unreadable::NotAnAuditEvent => {
                "Complete JSON without the fields of an audit event, such as the log of another program."
            }
            Unreadable::TooLong => "A line or value of more than 64 MiB, which no API server writes.",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_at_length_and_shortly() {
        let wrapped = |log, layers: &[Envelope]| Format { log, wrapping: Wrapping::of(layers) };
        let nested = [Envelope::FluentBit, Envelope::Cri];
        for (format, long, short) in [
            (Format::default(), "kube audit", "kube"),
            (
                wrapped(LogKind::Kube, &nested),
                "kube audit in Fluent Bit records in CRI lines",
                "Fluent Bit in CRI",
            ),
            (wrapped(LogKind::Flux, &[]), "flux log", "flux"),
            (wrapped(LogKind::ArgoCd, &nested[1..]), "argocd log in CRI lines", "argocd in CRI"),
        ] {
            assert_eq!((format.to_string().as_str(), format.short_name().as_str()), (long, short));
            assert_eq!(format.is_native(), short == "kube");
        }
    }

    #[test]
    fn every_kind_has_its_own_name_and_one_sentence() {
        for (index, kind) in Unreadable::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert!(Unreadable::ALL[..index].iter().all(|other| other.name() != kind.name()));
            assert_eq!(kind.explanation().matches(". ").count(), 0, "{kind}");
            assert!(kind.explanation().ends_with('.'));
        }
    }
}

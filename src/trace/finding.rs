//! One thing that an answer says, how sure it is, and by what.

use serde::Serialize;

use crate::identity::Identities;
use crate::model::{EventId, Micros, TimeZoneChoice, format_clock};
use crate::store::Store;

/// What answers are made from.
#[derive(Clone, Copy, Debug)]
pub struct Log<'l> {
    /// All that is held.
    pub store: &'l Store,
    /// The credential index over it.
    pub identities: &'l Identities,
    /// Zone of the times in sentences.
    pub zone: TimeZoneChoice,
}

impl Log<'_> {
    /// A moment in a sentence.
    pub fn clock(&self, time: Micros) -> String {
        let zone = if self.zone == TimeZoneChoice::Utc { "Z" } else { "" };
        format!("{}{zone}", format_clock(time, self.zone, true))
    }

    /// When the log begins, as a clause; empty for an empty log.
    pub fn beginning(&self) -> String {
        self.store.order().first_time().map_or(String::new(), |time| self.clock(time))
    }
}

/// How sure something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// A field of the log proves it.
    Certain,
    /// Names, habits and times speak for it.
    Likely,
    /// The client says so, and may say what it likes.
    Claimed,
    /// This log cannot tell.
    Unknown,
}

impl Certainty {
    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            Certainty::Certain => "certain",
            Certainty::Likely => "likely",
            Certainty::Claimed => "claimed",
            Certainty::Unknown => "unknown",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Who the API server took the caller for.
    Identity,
    /// Acting as somebody else.
    Impersonation,
    /// With which credential.
    Credential,
    /// Who issued that credential.
    Issued,
    /// The pod and node of a token.
    Workload,
    /// Where from.
    Address,
    /// Through which tool.
    Tool,
    /// Not what is usual.
    Unusual,
    /// Something about the record itself.
    Record,
}

impl Topic {
    /// How it is written, in a column of at most 11 characters.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Identity => "identity",
            Topic::Impersonation => "acting as",
            Topic::Credential => "credential",
            Topic::Issued => "issued by",
            Topic::Workload => "workload",
            Topic::Address => "address",
            Topic::Tool => "tool",
            Topic::Unusual => "unusual",
            Topic::Record => "record",
        }
    }
}

/// One statement with its certainty and its evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// How sure it is.
    pub certainty: Certainty,
    /// In words; from a log, so hostile until made visible.
    pub text: String,
    /// Which field or count says so; empty where the text is its own evidence.
    pub evidence: String,
    /// The request that shows it.
    pub event: Option<EventId>,
}

impl Finding {
    /// One that no request is known to show; [`Self::shown_by`] names one.
    pub(super) fn new(
        topic: Topic,
        certainty: Certainty,
        text: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Finding {
        Finding { topic, certainty, text: text.into(), evidence: evidence.into(), event: None }
    }

    /// The same, with the request that shows it.
    pub(super) fn shown_by(self, event: Option<EventId>) -> Finding {
        Finding { event, ..self }
    }
}

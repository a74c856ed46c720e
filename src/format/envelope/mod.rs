//! What log shippers and cloud providers wrap around audit events and the lines of controllers, told by its content and
//! taken off layer by layer.
//!
//! One file a family. [`text`] takes off what stands before an event on its line (CRI, journald, syslog, names of
//! nodes and pods), [`csv`] finds one in a cell, [`open`] what an event is a part of (JSON documents). Both hand what is inside to a callback, as
//! [`Inner`]; [`super::Reader`] reads that like any line, so that envelopes nest, down to [`MAX_LAYERS`]. What was
//! taken off is told with each event, as its [`Wrapping`].
//!
//! An event keeps its own text, byte for byte as the API server wrote it; only where a provider takes events apart
//! ([`gke`], [`elastic`], lists of attributes in [`opentelemetry`]) an event is written anew from what is left of it.
//! Times and ids are always the event's own.

mod aks;
mod cloudwatch;
mod container;
pub(super) mod csv;
mod elastic;
pub(super) mod event_list;
mod field;
mod gke;
mod journald;
mod loki;
mod opentelemetry;
mod parts;
mod rewrite;
mod text;

use super::members::Members;
use super::unescape::Decoded;
pub(super) use parts::{Added, Parts};
pub(super) use text::take_off;

/// One kind of wrapping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Envelope {
    /// Container logs as Docker's json-file driver writes them.
    Docker = 1,
    /// Container logs as containerd and CRI-O write them.
    Cri,
    /// The journal, as `journalctl` prints it.
    Journald,
    /// Syslog, RFC 5424 or RFC 3164.
    Syslog,
    /// A node's name before each line, as `oc adm node-logs` prints it.
    NodeName,
    /// A pod's name before each line, as `kubectl logs --prefix` and stern print it.
    PodName,
    /// The `EventList` of the audit webhook and of exports.
    EventList,
    /// Amazon CloudWatch Logs, where EKS sends its audit log.
    CloudWatch,
    /// Diagnostic records of Azure, where AKS sends its audit log.
    Azure,
    /// Cloud Audit Logs of Google, where GKE sends its audit log.
    GoogleCloud,
    /// Grafana Loki.
    Loki,
    /// Elasticsearch documents and Elastic Agent's fields.
    Elastic,
    /// Fluent Bit and Fluentd.
    FluentBit,
    /// Vector.
    Vector,
    /// OpenTelemetry's logs in OTLP/JSON.
    OpenTelemetry,
    /// Splunk's export of search results as JSON.
    Splunk,
    /// A cell of a CSV export.
    Csv,
    /// Any other JSON object with the event as text in `message`, `log` or `line`.
    JsonField,
}

impl Envelope {
    /// Every kind, in declaration order.
    pub const ALL: [Envelope; 18] = [
        Envelope::Docker,
        Envelope::Cri,
        Envelope::Journald,
        Envelope::Syslog,
        Envelope::NodeName,
        Envelope::PodName,
        Envelope::EventList,
        Envelope::CloudWatch,
        Envelope::Azure,
        Envelope::GoogleCloud,
        Envelope::Loki,
        Envelope::Elastic,
        Envelope::FluentBit,
        Envelope::Vector,
        Envelope::OpenTelemetry,
        Envelope::Splunk,
        Envelope::Csv,
        Envelope::JsonField,
    ];

    /// What to call it after "in".
    pub fn name(self) -> &'static str {
        match self {
            Envelope::Docker => "docker json-file lines",
            Envelope::Cri => "CRI lines",
            Envelope::Journald => "journald lines",
            Envelope::Syslog => "syslog lines",
            Envelope::NodeName => "lines with a node's name",
            Envelope::PodName => "lines with a pod's name",
            Envelope::EventList => "an EventList",
            Envelope::CloudWatch => "CloudWatch records",
            Envelope::Azure => "Azure diagnostic records",
            Envelope::GoogleCloud => "GKE Cloud Audit Logs",
            Envelope::Loki => "Loki entries",
            Envelope::Elastic => "Elasticsearch documents",
            Envelope::FluentBit => "Fluent Bit records",
            Envelope::Vector => "Vector records",
            Envelope::OpenTelemetry => "OpenTelemetry records",
            Envelope::Splunk => "Splunk results",
            Envelope::Csv => "CSV rows",
            Envelope::JsonField => "a JSON field",
        }
    }
}

impl Envelope {
    /// [`Envelope::name`] where there is hardly any room.
    pub fn short_name(self) -> &'static str {
        match self {
            Envelope::Docker => "docker",
            Envelope::Cri => "CRI",
            Envelope::Journald => "journald",
            Envelope::Syslog => "syslog",
            Envelope::NodeName => "node names",
            Envelope::PodName => "pod names",
            Envelope::EventList => "EventList",
            Envelope::CloudWatch => "CloudWatch",
            Envelope::Azure => "Azure",
            Envelope::GoogleCloud => "GKE",
            Envelope::Loki => "Loki",
            Envelope::Elastic => "Elastic",
            Envelope::FluentBit => "Fluent Bit",
            Envelope::Vector => "Vector",
            Envelope::OpenTelemetry => "OTLP",
            Envelope::Splunk => "Splunk",
            Envelope::Csv => "CSV",
            Envelope::JsonField => "JSON field",
        }
    }
}

/// How many layers are taken off. FORMATS.md knows of three at most: a CRI line with a shipper's JSON with a document.
pub(super) const MAX_LAYERS: usize = 4;

/// The layers that were taken off an event, the innermost first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Wrapping([Option<Envelope>; MAX_LAYERS]);

impl Wrapping {
    /// Whether nothing had to be taken off.
    pub fn is_native(&self) -> bool {
        self.0[0].is_none()
    }

    /// The layers, the innermost first.
    pub fn layers(&self) -> impl Iterator<Item = Envelope> + '_ {
        self.0.iter().flatten().copied()
    }

    /// These layers, the innermost first.
    pub fn of(layers: &[Envelope]) -> Self {
        layers.iter().fold(Self::default(), |wrapping, layer| wrapping.within(*layer))
    }

    /// The same inside of one layer more. Two of a kind are told as one, and further ones than there is room for are
    /// not told.
    pub(super) fn within(mut self, layer: Envelope) -> Self {
        if self.layers().last() == Some(layer) {
            return self;
        }
        if let Some(free) = self.0.iter_mut().find(|layer| layer.is_none()) {
            *free = Some(layer);
        }
        self
    }
}

/// What one layer held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Inner<'a> {
    /// A line of a log. A value begun on it may go on on the next one.
    Line(&'a [u8]),
    /// A message that is complete: what is not ended in it never is.
    Message(&'a [u8]),
    /// An event written anew from a provider's fields.
    Rewritten(&'a [u8]),
    /// Part of a line that was too long for its shipper. Parts of one stream belong together.
    Part {
        /// Which stream, within one source.
        stream: &'a [u8],
        /// The part.
        text: &'a [u8],
        /// Whether the line ends with it; `None` where only the text can tell.
        is_last: Option<bool>,
    },
}

/// Takes what a layer held.
pub(super) type Take<'t> = dyn FnMut(Envelope, Inner<'_>) + 't;

/// Hands on the record in the middle of which a document ends, where others of it were read.
fn hand_on_cut(envelope: Envelope, read: Result<(), &[u8]>, found: bool, take: &mut Take<'_>) {
    if let (Err(rest), true) = (read, found) {
        take(envelope, Inner::Message(rest));
    }
}

/// Opens the JSON object that `text` begins with, if it is an envelope, and returns where it ends. `None` where it is
/// none, and nothing was taken. Of one that does not end, what is there is taken.
///
/// One walk over the members tells: at the first that only audit events have it ends, so that native events of any
/// spelling pass quickly. Decoded text is put into `scratch`, so that an event costs no memory of its own.
pub(super) fn open(text: &[u8], scratch: &mut Decoded, take: &mut Take<'_>) -> Option<usize> {
    let mut fields = field::Fields::new(scratch);
    let mut members = Members::of(text);
    while let Some(key) = members.next_key() {
        match key {
            b"auditID" | b"stage" | b"requestURI" | b"verb" | b"objectRef" => return None,
            b"protoPayload" => return gke::open(text, take),
            b"records" if members.at_array() => return aks::records(&mut members, scratch, take),
            b"properties" if members.at_object() => return aks::record(&mut members, scratch, take),
            b"events" | b"logEvents" if members.at_array() => {
                return cloudwatch::events(&mut members, scratch, take);
            }
            b"results" if members.at_array() => return cloudwatch::insights(&mut members, take),
            b"data" if members.at_object() => return loki::open(&mut members, take),
            b"streams" if members.at_array() => return loki::open(&mut members, take),
            b"hits" if members.at_object() => return elastic::hits(&mut members, take),
            b"_source" | b"fields" if members.at_object() => return elastic::document(text, take),
            b"resourceLogs" if members.at_array() => return opentelemetry::open(&mut members, scratch, take),
            _ if key.starts_with(b"kubernetes.audit.") => return elastic::document(text, take),
            b"result" if members.at_object() => fields.result(&mut members),
            b"event" if members.at_object() => fields.original(&mut members),
            b"kubernetes" if members.at_object() => {
                fields.note(key);
                fields.audit = elastic::audit(&mut members);
            }
            _ => fields.member(key, &mut members),
        }
    }
    fields.open(members.is_complete(), take).then(|| members.end())
}

//! Objects that hold a line of a log as text in one of their members: what nearly every shipper writes, one a line.
//!
//! | shipper | members | source |
//! |---|---|---|
//! | Docker | `log stream time` | moby, daemon/logger/jsonfilelog/jsonlog/jsonlog.go |
//! | Fluent Bit, Fluentd | `date log`, `log kubernetes` | docs.fluentbit.io, outputs with format json_lines; kubernetes filter |
//! | journald | `MESSAGE __REALTIME_TIMESTAMP …` | systemd.io/JOURNAL_EXPORT_FORMATS, Journal JSON Format |
//! | logcli -o jsonl | `labels line timestamp` | grafana/loki, pkg/logcli/output/jsonl.go |
//! | Vector | `file host message source_type timestamp` | vector.dev, sources file |
//! | CloudWatch | `timestamp message ingestionTime eventId` | AWS API FilteredLogEvent, OutputLogEvent |
//! | Filebeat, Logstash | `@timestamp message` | Elastic Common Schema |
//! | Splunk, search results as JSON | `result._raw offset` | docs.splunk.com, Search Manual, Export search results |
//! | Azure Log Analytics | `log_s Category TimeGenerated` | AzureDiagnostics table |
//!
//! What kind it is, is told by the members beside the text; their order is any.

use super::super::fields::find_text;
use super::super::members::Members;
use super::super::unescape::Decoded;
use super::{Envelope, Inner, Take, container, elastic, journald};

/// What [`super::open`] has seen of an object that may be one of these.
pub(super) struct Fields<'a, 's> {
    /// The line is that of `event.original` of Elastic, as it was.
    is_original: bool,
    /// `kubernetes.audit` of Elastic, an event.
    pub(super) audit: Option<&'a [u8]>,
    /// The member that holds the line.
    name: Option<Name>,
    /// The line.
    line: &'s mut Decoded,
    /// As written: it only tells parts of one line from those of another.
    stream: &'a [u8],
    /// The text ends in the middle of the line.
    is_cut: bool,
    /// Members that tell shippers apart.
    seen: Seen,
}

/// Members that hold a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Log,
    Message,
    JournalMessage,
    Line,
    LogAnalytics,
    SplunkRaw,
}

/// Which members were there.
#[derive(Default)]
struct Seen {
    time: bool,
    date: bool,
    at_timestamp: bool,
    timestamp: bool,
    kubernetes: bool,
    labels: bool,
    source_type: bool,
    cloud_watch: bool,
    journal: bool,
    is_line_max: bool,
    level: bool,
    msg: bool,
}

impl Seen {
    /// Whether this is the line of a controller (see [`super::super::controller`]) that nobody wrapped: then further
    /// members are its own, whatever they hold.
    fn is_of_a_controller(&self) -> bool {
        let wrapped = [self.date, self.at_timestamp, self.kubernetes, self.labels, self.source_type];
        self.level && self.msg && !wrapped.contains(&true) && !self.cloud_watch && !self.journal
    }
}

impl<'a, 's> Fields<'a, 's> {
    /// Nothing seen yet. The line will be in `line`.
    pub(super) fn new(line: &'s mut Decoded) -> Self {
        Self {
            is_original: false,
            audit: None,
            name: None,
            line,
            stream: b"",
            is_cut: false,
            seen: Seen::default(),
        }
    }

    /// Looks at the member `event`, an object, that `members` stands at.
    pub(super) fn original(&mut self, members: &mut Members<'_>) {
        self.is_original = elastic::original(members, self.line);
    }

    /// Looks at the member `result`, an object, that `members` stands at.
    pub(super) fn result(&mut self, members: &mut Members<'_>) {
        let is_free = self.name.is_none() && !self.is_original;
        let line = &mut *self.line;
        let is_found = members.inside(|result| {
            while let Some(key) = result.next_key() {
                if key == b"_raw" {
                    return is_free && result.text_into(line);
                }
            }
            false
        });
        if is_found {
            self.name = Some(Name::SplunkRaw);
            self.is_cut = members.is_broken();
        }
    }

    /// Looks at the member that `members` stands at.
    pub(super) fn member(&mut self, key: &[u8], members: &mut Members<'a>) {
        let name = match key {
            b"log" => Name::Log,
            b"message" => Name::Message,
            b"MESSAGE" => Name::JournalMessage,
            b"line" => Name::Line,
            b"log_s" => Name::LogAnalytics,
            b"stream" => {
                let quoted = members.raw().and_then(|value| value.strip_prefix(b"\"")?.strip_suffix(b"\""));
                self.stream = quoted.unwrap_or_default();
                return;
            }
            b"_LINE_BREAK" => {
                self.seen.is_line_max = members.text().is_some_and(|text| text == b"line-max");
                return;
            }
            _ => {
                self.note(key);
                return members.skip();
            }
        };
        if self.name.is_some() || self.is_original {
            members.skip();
        } else if members.at_string() {
            members.text_into(self.line);
            self.name = Some(name);
            self.is_cut = members.is_broken();
        } else if name == Name::JournalMessage && members.at_array() {
            if let Some(bytes) = members.raw().and_then(journald::bytes) {
                *self.line = bytes.into();
                self.name = Some(name);
            }
        } else {
            members.skip();
        }
    }

    /// Notes that a member is there.
    pub(super) fn note(&mut self, key: &[u8]) {
        match key {
            b"time" => self.seen.time = true,
            b"level" => self.seen.level = true,
            b"msg" => self.seen.msg = true,
            b"date" => self.seen.date = true,
            b"@timestamp" => self.seen.at_timestamp = true,
            b"timestamp" => self.seen.timestamp = true,
            b"kubernetes" => self.seen.kubernetes = true,
            b"labels" => self.seen.labels = true,
            b"source_type" => self.seen.source_type = true,
            b"ingestionTime" | b"eventId" | b"logStreamName" => self.seen.cloud_watch = true,
            b"__REALTIME_TIMESTAMP" | b"__CURSOR" | b"_SYSTEMD_UNIT" | b"SYSLOG_IDENTIFIER" => {
                self.seen.journal = true;
            }
            _ => {}
        }
    }

    /// Hands on the line, if there is one. Of an object that breaks the line is handed on as far as it goes, if it is
    /// where an event was.
    pub(super) fn open(self, is_complete: bool, take: &mut Take<'_>) -> bool {
        let text = &*self.line;
        if self.is_original {
            take(Envelope::Elastic, Inner::Message(text));
            return true;
        }
        if let Some(audit) = self.audit {
            elastic::hand_on(audit, take);
            return true;
        }
        let Some(name) = self.name else { return false };
        let seen = &self.seen;
        let holds_object = text.trim_ascii_start().starts_with(b"{");
        let is_sound = is_complete || (self.is_cut && holds_object);
        if !is_sound || (seen.is_of_a_controller() && self.stream.is_empty()) {
            return false;
        }
        let holds_line = holds_object || find_text(text) == Some(0);
        match name {
            // What kind it is would stand behind the cut.
            _ if self.is_cut => take(Envelope::JsonField, Inner::Message(text)),
            Name::Log if seen.date || seen.kubernetes || seen.at_timestamp => {
                take(Envelope::FluentBit, Inner::Line(text));
            }
            Name::Log if seen.time || !self.stream.is_empty() => {
                take(Envelope::Docker, container::docker(self.stream, text));
            }
            Name::JournalMessage if seen.journal || holds_line => {
                take(Envelope::Journald, journald::entry(text, seen.is_line_max));
            }
            Name::Line if seen.labels || seen.timestamp => take(Envelope::Loki, Inner::Message(text)),
            Name::SplunkRaw => take(Envelope::Splunk, Inner::Message(text)),
            Name::LogAnalytics => take(Envelope::Azure, Inner::Message(text)),
            Name::Message if seen.source_type => take(Envelope::Vector, Inner::Line(text)),
            Name::Message if seen.cloud_watch => take(Envelope::CloudWatch, Inner::Message(text)),
            // Programs of all kinds log a message: only one that can hold an event is one of ours.
            Name::Message if seen.at_timestamp && holds_line => take(Envelope::Elastic, Inner::Line(text)),
            _ if holds_line => take(Envelope::JsonField, Inner::Line(text)),
            _ => return false,
        }
        true
    }
}

//! An incident as Markdown: a timeline of chosen requests, and for each who stood behind it, what led to it, what it
//! changed, why it was allowed, how kubectl would do it, and where its lines are; at the end what all that rests on.
//!
//! [`crate::headless`] prints it, and the screens save it. Times are UTC, secret values are masked, and nothing of the
//! log acts as Markdown ([`super::markdown`]). `alerts` tells what the rules found in the requests, `coverage` is the
//! statement at the end.

mod alerts;
mod coverage;
mod draft;

use std::fmt::Write;

use serde_json::Value;

use super::kubectl::{KubectlLine, kubectl};
use super::markdown::{block, cell, code};
use super::request::Request;
use super::tell::{Told, deed_in_words, user_in_words};
use crate::model::{EventId, Grant, Micros, Stage, format_rfc3339, tool};
use crate::redact::mask_text;
use crate::store::Store;

pub use coverage::{Coverage, CoveredFile};
pub use draft::{Draft, Found};

/// Events that a report tells of at most, unless told otherwise.
pub const MOST_EVENTS: usize = 200;

/// Everything that is written down.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// What its writer has to say, as Markdown.
    pub notes: Vec<String>,
    /// The chosen requests in time order.
    pub events: Vec<ReportEvent>,
    /// How many more were chosen than are told of.
    pub left_out: u64,
    /// What detection rules found in them, the gravest first.
    pub alerts: Vec<ReportAlert>,
    /// What it rests on.
    pub coverage: Coverage,
}

/// One request of a report.
#[derive(Clone, PartialEq, Debug)]
pub struct ReportEvent {
    /// What its row says; the bodies are not kept.
    pub request: Request,
    /// `responseStatus.message`, masked.
    pub message: String,
    /// The source addresses before the trustworthy one, which the client may choose.
    pub claimed_ips: Vec<String>,
    /// What the report's writer has to say about it, as Markdown.
    pub notes: Vec<String>,
    /// Its lines, in the order of its stages.
    pub evidence: Vec<Evidence>,
    /// Who stood behind it and what led to it, as [`super::tell::chain`] has it.
    pub chain: Vec<Told>,
    /// What it changed: a line for each field, or why that is not known; empty for what is no write.
    pub diff: Vec<String>,
    /// How kubectl would do it.
    pub kubectl: Option<KubectlLine>,
}

/// An alert that requests of a report have a part in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReportAlert {
    /// How bad it is, in Sigma's word.
    pub severity: String,
    /// What was found.
    pub title: String,
    /// The rule's id.
    pub rule: String,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// The requests that have a part in it, by their place in [`Report::events`].
    pub events: Vec<usize>,
    /// Why the first of them was found, a reason each, credentials masked.
    pub why: Vec<String>,
}

/// Where a line is that a report rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Which stage of the request it tells of.
    pub stage: Stage,
    /// Path of the file, or what the log is called where there is none.
    pub file: String,
    /// Offset of the line in bytes, where it is known.
    pub offset: Option<u64>,
    /// SHA-256 of the line without its line end; where no offset is known, of the record as it was read.
    pub sha256: String,
    /// What must be known to check it, such as that the offset is one of the unpacked text; may be empty.
    pub remark: String,
}

impl ReportEvent {
    /// A request as it is told of; `None` when its row is no longer held. `before` is its object as it was, where that
    /// is known.
    pub fn read(store: &Store, id: EventId, before: Option<&Value>) -> Option<ReportEvent> {
        let mut request = Request::read(store, id)?;
        let kubectl = kubectl(&request, before, false);
        let message = mask_text(request.message()).into_owned();
        let mut claimed_ips: Vec<String> = request.source_ips().map(str::to_owned).collect();
        claimed_ips.pop();
        // A list's answer may take megabytes.
        request.event = Value::Null;
        Some(ReportEvent {
            request,
            message,
            claimed_ips,
            notes: Vec::new(),
            evidence: Vec::new(),
            chain: Vec::new(),
            diff: Vec::new(),
            kubectl,
        })
    }

    fn result(&self) -> String {
        match (self.request.code, self.request.reason.as_str()) {
            (0, _) => "no answer in the log".to_owned(),
            (code, "") => code.to_string(),
            (code, reason) => format!("{code} {reason}"),
        }
    }

    /// `verb resource/subresource`, and the object's place.
    fn what_and_object(&self) -> (String, String) {
        let deed = deed_in_words(&self.request);
        let mut words = deed.splitn(3, ' ');
        let what: Vec<&str> = words.by_ref().take(2).collect();
        (what.join(" "), words.next().unwrap_or("").to_owned())
    }
}

impl Report {
    /// The whole report.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# Incident timeline\n\n");
        // Writing to a String cannot fail: its `fmt::Write` has no error to give.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let times = self.events.iter().map(|event| event.request.time);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            let requests = if self.events.len() == 1 { "request" } else { "requests" };
            writeln!(out, "{} to {} (UTC), {} {requests}.", stamp(first), stamp(last), self.events.len())?;
        }
        if self.left_out > 0 {
            writeln!(out, "**{} more were chosen and are left out here.**", self.left_out)?;
        }
        if self.events.len() > draft::MOST_WITH_EFFECTS {
            let most = draft::MOST_WITH_EFFECTS;
            writeln!(
                out,
                "What requests set off is told of {most} at most: `kauditui trace AUDIT_ID` tells it."
            )?;
        }
        if !self.notes.is_empty() {
            out.push_str("\n## Notes\n\n");
            write_notes(&self.notes, "", out)?;
        }
        self.write_timeline(out)?;
        self.write_alerts(out)?;
        out.push_str("\n## Requests\n");
        for (number, event) in self.events.iter().enumerate() {
            event.write(number + 1, out)?;
        }
        self.coverage.write(out)
    }

    fn write_timeline(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("\n## Timeline\n\n| # | Time (UTC) | Who | What | Object | From | Result | auditID |\n");
        out.push_str("| ---: | --- | --- | --- | --- | --- | --- | --- |\n");
        for (number, event) in self.events.iter().enumerate() {
            let request = &event.request;
            let (what, object) = event.what_and_object();
            let from = [request.source_ip.as_str(), tool(&request.user_agent)];
            let from = from.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            let cells =
                [user_in_words(request), what, object, from, event.result(), request.audit_id.clone()];
            let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
            writeln!(out, "| {} | {} | {} |", number + 1, stamp(request.time), cells.join(" | "))?;
        }
        Ok(())
    }
}

impl Report {
    fn write_alerts(&self, out: &mut String) -> std::fmt::Result {
        if self.alerts.is_empty() {
            return Ok(());
        }
        out.push_str("\n## Alerts\n\n");
        for alert in &self.alerts {
            let numbers: Vec<String> = alert.events.iter().map(|event| (event + 1).to_string()).collect();
            let requests = if numbers.len() == 1 { "request" } else { "requests" };
            write!(out, "- **{}** {}", alert.severity, code(&alert.title))?;
            if !alert.techniques.is_empty() {
                write!(out, ", {}", cell(&alert.techniques.join(", ")))?;
            }
            writeln!(out, ", {requests} {} (rule {})", numbers.join(", "), code(&alert.rule))?;
            for why in &alert.why {
                writeln!(out, "  - {}", code(why))?;
            }
        }
        Ok(())
    }
}

impl ReportEvent {
    fn write(&self, number: usize, out: &mut String) -> std::fmt::Result {
        let request = &self.request;
        writeln!(out, "\n### {number}. {} {}\n", stamp(request.time), code(&deed_in_words(request)))?;
        write_notes(&self.notes, "Note: ", out)?;
        writeln!(out, "- who: {}", code(&user_in_words(request)))?;
        if !request.credential.is_empty() {
            writeln!(out, "- credential: {}", code(&request.credential))?;
        }
        if !request.token_pod.is_empty() {
            writeln!(out, "- token bound to pod: {}", code(&request.token_pod))?;
        }
        writeln!(out, "- from: {}; claims to be {}", code(&request.source_ip), code(&request.user_agent))?;
        if !self.claimed_ips.is_empty() {
            writeln!(out, "- claims to be forwarded from: {}", code(&self.claimed_ips.join(", ")))?;
        }
        writeln!(out, "- request: {}", code(&request.request_uri))?;
        writeln!(out, "- result: {}", code(&self.result()))?;
        if !self.message.is_empty() {
            writeln!(out, "- message: {}", code(&self.message))?;
        }
        writeln!(out, "- {}", authorization(request))?;
        writeln!(
            out,
            "- auditID: {}, logged at level {}",
            code(&request.audit_id),
            code(request.level.name())
        )?;
        self.write_evidence(out)?;
        if let Some(line) = &self.kubectl {
            write!(out, "\nAs kubectl ({}):\n\n{}", line.certainty(), block("sh", &line.to_string()))?;
        }
        if !self.diff.is_empty() {
            write!(out, "\nWhat it changed:\n\n{}", block("", &self.diff.join("\n")))?;
        }
        self.write_chain(out)
    }

    fn write_evidence(&self, out: &mut String) -> std::fmt::Result {
        for evidence in &self.evidence {
            write!(out, "- evidence: {} in {}, ", code(evidence.stage.name()), code(&evidence.file))?;
            match evidence.offset {
                Some(offset) => write!(out, "line at byte {offset}")?,
                None => write!(out, "place not known")?,
            }
            write!(out, ", SHA-256 {}", code(&evidence.sha256))?;
            if !evidence.remark.is_empty() {
                write!(out, " ({})", evidence.remark)?;
            }
            out.push('\n');
        }
        Ok(())
    }

    fn write_chain(&self, out: &mut String) -> std::fmt::Result {
        // What was asked about stands above already; a heading over nothing else is left out with it.
        let lines = self.chain.iter().filter(|told| !matches!(told.label, "request" | "allowed by"));
        let mut heading = None;
        for told in lines {
            let Some(certainty) = told.certainty else {
                heading = Some(told.label);
                continue;
            };
            if let Some(heading) = heading.take() {
                writeln!(out, "\n{}:\n", capital(heading))?;
            }
            let indent = "  ".repeat(told.depth.saturating_sub(1));
            write!(out, "{indent}- **{}** {}", certainty.name(), code(&told.text))?;
            if !told.evidence.is_empty() {
                write!(out, " by {}", code(&told.evidence))?;
            }
            out.push('\n');
        }
        Ok(())
    }
}

/// What was decided about a request, and by which binding.
fn authorization(request: &Request) -> String {
    let reason = request.decision_reason.as_str();
    match (request.decision.name(), Grant::parse(reason)) {
        ("allow", Some(grant)) => format!(
            "allowed by {}: {} for {}",
            code(&format!("{} {}", grant.binding_kind, grant.binding)),
            code(&format!("{} {}", grant.role_kind, grant.role)),
            code(&format!("{} {}", grant.subject_kind, grant.subject))
        ),
        ("allow", None) if reason.is_empty() => {
            "allowed without a binding: system:masters, or the node authorizer".to_owned()
        }
        ("", _) => "the log does not tell whether it was allowed".to_owned(),
        (decision, _) => format!("{decision}: {}", code(reason)),
    }
}

/// The writer's own words. They are Markdown, and safe for a terminal.
fn write_notes(notes: &[String], before: &str, out: &mut String) -> std::fmt::Result {
    for note in notes {
        let note = crate::text::sanitise_with(
            note,
            crate::text::SanitiseOptions { keep_lines: true, ..Default::default() },
        );
        writeln!(out, "{before}{}\n", note.trim())?;
    }
    Ok(())
}

fn capital(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn stamp(time: Micros) -> String {
    format_rfc3339(time)
}

#[cfg(test)]
mod tests;

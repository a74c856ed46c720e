//! What is told of an alert: why it fired, who did what to which object from where, what to do next, and the rule.

use serde_json::{Value, json};

use super::App;
use super::alert_order::AlertGrouping;
use super::alert_table::AlertGroup;
use super::detail::Detail;
use super::rule_table::about_rule;
use super::sheet::{LineKind, SheetLine};
use crate::detect::state::StateDetection;
use crate::detect::{AckKind, Alert, AlertState, Finding, MOST_AUDIT_IDS, RuleInfo, ToldAlert, Why};
use crate::model::{EventId, format_duration, format_stamp};
use crate::redact;
use crate::text;
use crate::trace::{Contradiction, Request, Topic, contradictions, who};

/// Events of a correlation that are told, the first ones.
const MOST_MEMBERS: usize = 12;

/// Times that a correlation was found that are told, the last ones.
const MOST_FINDINGS: usize = 3;

impl App {
    /// All that is told of an alert.
    pub(super) fn told_of_alert(&self, alert: &Alert) -> Vec<SheetLine> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        let rule = board.engine().rule(alert.rule);
        let mut lines = vec![
            SheetLine::new("alert", rule.title.clone()).as_kind(LineKind::Strong),
            SheetLine::new("newest", redact::mask_text(&alert.subject.sentence())),
        ];
        lines.extend(self.state_in_words(alert));
        let why = self.why(alert);
        lines.extend(labelled("why", why.iter().map(why_in_words)));
        lines.extend(self.found_in_words(alert));
        let against = self.contradictions(alert);
        lines.extend(labelled("against", against.iter().map(|against| against.in_words(&self.log()))));
        lines.extend(self.event_in_words(alert));
        lines.push(SheetLine::new("seen", self.seen_in_words(alert)));
        lines.extend(self.risk_in_words(&alert.subject.user));
        lines.extend(labelled("next", next_steps(rule)));
        lines.push(SheetLine::new(
            "keys",
            "Enter events · C cause · H history · R why allowed · K session · m acknowledge · X close, mute",
        ));
        lines.extend(about_rule(rule));
        lines
    }

    /// All that is told of alerts that are put together.
    pub(super) fn told_of_group(&self, group: &AlertGroup) -> Vec<SheetLine> {
        let name = if group.value.is_empty() { "none" } else { &group.value };
        let mut lines = vec![SheetLine::new("group", name).as_kind(LineKind::Strong)];
        if self.alert_table.grouping == AlertGrouping::User {
            lines.extend(self.risk_in_words(&group.value));
        }
        let (alerts, events) =
            (text::counted(group.alerts as u64, "alert"), text::counted(group.events, "event"));
        lines.push(SheetLine::new("sum", format!("{alerts}, {events}")));
        lines.push(SheetLine::new(
            "keys",
            "Enter folds and unfolds · m acknowledges all, X closes all · B groups by something else",
        ));
        lines
    }

    /// What is told where there is no alert.
    pub(super) fn told_of_nothing(&self) -> Vec<SheetLine> {
        vec![
            SheetLine::new("alerts", "medium, high and critical; low and informational is activity: x"),
            SheetLine::new("rules", ":rules lists them, and which cannot fire on this log"),
            SheetLine::new("own", "--rules DIR adds Sigma rules and filters of your own"),
        ]
    }

    fn risk_in_words(&self, actor: &str) -> Option<SheetLine> {
        let risk = self.alert_table.risk(actor).filter(|risk| risk.score > 0)?;
        let tactics: Vec<&str> = risk.tactics.iter().map(String::as_str).collect();
        let text = format!(
            "{} for {actor}: {}, {} within an hour ({})",
            risk.score,
            text::counted(risk.rules as u64, "rule"),
            text::counted(risk.tactics.len() as u64, "tactic"),
            tactics.join(", ")
        );
        Some(SheetLine::new("risk", text))
    }

    fn state_in_words(&self, alert: &Alert) -> Option<SheetLine> {
        let (ack, again) = match self.watch.acks.state(alert) {
            AlertState::Open => return None,
            AlertState::Done(ack) => (ack, String::new()),
            AlertState::Again(ack) => (ack, format!("; {} new since", self.new_since(alert, ack.last))),
        };
        let kind = match ack.kind {
            AckKind::Acknowledged => "acknowledged",
            AckKind::FalsePositive => "closed as a false positive",
        };
        let note = if ack.note.is_empty() { String::new() } else { format!(": {}", ack.note) };
        let at = format_stamp(ack.at, self.zone());
        Some(SheetLine::new("state", format!("{kind} {at}{again}{note}")).as_kind(LineKind::Strong))
    }

    /// How many events of an alert came after a moment, as far as they are known.
    pub fn new_since(&self, alert: &Alert, since: i64) -> usize {
        let Some(board) = &self.watch.board else { return 0 };
        match alert.findings.is_empty() {
            true => board.events(alert).into_iter().filter(|id| self.store.stage_time(*id) > since).count(),
            false => alert.findings.iter().filter(|finding| finding.last > since).count(),
        }
    }

    fn why(&self, alert: &Alert) -> Vec<Why> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        match self.store.segment(alert.newest) {
            Some(segment) => board.engine().explain(alert.rule, segment, alert.newest.row()),
            None => Vec::new(),
        }
    }

    /// The syncs that the changes of an alert go against, as far as the logs tell them.
    fn contradictions(&self, alert: &Alert) -> Vec<Contradiction> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        match board.engine().rule(alert.rule).state {
            Some(StateDetection::OutsideGitops) => contradictions(&self.log(), &board.events(alert)),
            _ => Vec::new(),
        }
    }

    /// What a correlation found: the count beside what was asked for, and the events.
    fn found_in_words(&self, alert: &Alert) -> Vec<SheetLine> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        let mut lines = Vec::new();
        if let Some(words) = board.engine().correlation_in_words(alert.rule) {
            lines.push(SheetLine::new("when", words));
        }
        if alert.is_provisional {
            lines.push(SheetLine::new("", "as far as was read: older history is still to come"));
        }
        for finding in alert.findings.iter().rev().take(MOST_FINDINGS) {
            lines.push(SheetLine::new("found", self.finding_in_words(finding)));
            let members = finding.events.iter().take(MOST_MEMBERS);
            lines.extend(
                members.filter_map(|id| Some(SheetLine::new("", format!("  {}", self.member(*id)?)))),
            );
            let more = (finding.count as usize).max(finding.events.len()).saturating_sub(MOST_MEMBERS);
            if finding.events.len() > MOST_MEMBERS {
                lines.push(SheetLine::new("", format!("  and {more} more: Enter")));
            }
        }
        let earlier = alert.findings.len().saturating_sub(MOST_FINDINGS);
        if earlier > 0 {
            lines.push(SheetLine::new("", format!("and {earlier} times before")));
        }
        lines
    }

    fn finding_in_words(&self, finding: &Finding) -> String {
        let group: Vec<String> =
            finding.group.iter().map(|(field, value)| format!("{field} {value}")).collect();
        let within = format_duration(finding.last - finding.first);
        let clock = |time| format_stamp(time, self.zone());
        format!("{} within {within} from {} · {}", finding.count, clock(finding.first), group.join(", "))
    }

    fn member(&self, id: EventId) -> Option<String> {
        let request = Request::of(&self.store, id)?;
        Some(redact::mask_text(&crate::trace::tell::request_in_words(&self.log(), &request)).into_owned())
    }

    /// Its newest event as the detail tells it, and who stood behind that.
    fn event_in_words(&self, alert: &Alert) -> Vec<SheetLine> {
        let Some(detail) = Detail::open(&self.store, alert.newest, self.revealed) else {
            return vec![SheetLine::new("note", "its newest event was dropped for memory")];
        };
        // Why the request was allowed is not why the alert fired.
        let label = |label: &'static str| if label == "why" { "access" } else { label };
        let told = detail.summary.into_iter().map(|line| SheetLine::new(label(line.label), line.text));
        let mut lines: Vec<SheetLine> = told.collect();
        if let Some(request) = Request::read(&self.store, alert.newest) {
            let behind = who(&self.log(), &request).into_iter().filter(|finding| {
                matches!(finding.topic, Topic::Issued | Topic::Workload | Topic::Unusual | Topic::Record)
            });
            lines.extend(behind.map(|finding| {
                let label = if finding.topic == Topic::Issued { "token" } else { finding.topic.name() };
                SheetLine::new(label, format!("{} ({})", finding.text, finding.certainty.name()))
            }));
        }
        lines
    }

    fn seen_in_words(&self, alert: &Alert) -> String {
        let clock = |time| format_stamp(time, self.zone());
        let times = match alert.count {
            1 => "once".to_owned(),
            count => format!("{} times", text::thousands(count)),
        };
        let span = match alert.first == alert.last {
            true => clock(alert.last),
            false => format!("{} to {}", clock(alert.first), clock(alert.last)),
        };
        let addresses: Vec<&str> = alert.addresses.iter().map(String::as_str).collect();
        let from =
            if addresses.is_empty() { String::new() } else { format!(" from {}", addresses.join(", ")) };
        format!("{times}, {span}{from}")
    }

    /// An alert in a sentence: `HIGH A pod was made (3 times): alice create pods …`
    pub(super) fn alert_in_words(&self, alert: &Alert) -> String {
        let rule = self.watch.board.as_ref().map(|board| board.engine().rule(alert.rule));
        let (severity, title) = rule.map_or(("", ""), |rule| (rule.severity.name(), rule.title.as_str()));
        let sentence = redact::mask_text(&alert.subject.sentence()).into_owned();
        format!("{} {title}: {sentence}; {}", severity.to_uppercase(), self.seen_in_words(alert))
    }

    /// What was done, without by whom: `delete secrets prod/db`
    pub fn deed_of_alert(&self, alert: &Alert) -> String {
        redact::mask_text(&format!("{} {}", alert.subject.verb, alert.subject.object())).into_owned()
    }

    /// auditIDs of its newest events, the newest last.
    pub(super) fn audit_ids(&self, alert: &Alert) -> Vec<String> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        let mut ids: Vec<String> = Vec::new();
        for id in board.events(alert).into_iter().rev() {
            let Some(segment) = self.store.segment(id) else { continue };
            let audit_id = segment.audit_id(id.row());
            if !audit_id.is_empty() && !ids.contains(&audit_id) {
                ids.push(audit_id);
            }
            if ids.len() >= MOST_AUDIT_IDS {
                break;
            }
        }
        ids.reverse();
        ids
    }

    /// An alert for programs: the object that `kauditui alerts -o json` prints, over several lines.
    pub(super) fn alert_json(&self, alert: &Alert) -> Option<String> {
        let board = self.watch.board.as_ref()?;
        let told = ToldAlert::of(board, &self.store, alert).json(json!(self.contradictions(alert)));
        let pretty = serde_json::to_string_pretty(&told).ok()?;
        Some(text::json_escape_hostile(&pretty).into_owned())
    }
}

/// Lines of which only the first bears the label.
fn labelled(label: &'static str, texts: impl IntoIterator<Item = String>) -> impl Iterator<Item = SheetLine> {
    texts
        .into_iter()
        .enumerate()
        .map(move |(at, text)| SheetLine::new(if at == 0 { label } else { "" }, text))
}

fn why_in_words(why: &Why) -> String {
    let Why { selection, field, value, pattern } = why;
    match (field.as_str(), value.as_str()) {
        ("", _) => format!("{selection}: the event holds {pattern}"),
        (field, "") if matches!(pattern.as_str(), "" | "null") => format!("{selection}: {field} is absent"),
        (field, "") => format!("{selection}: {field} {pattern}"),
        (field, value) if value == pattern => format!("{selection}: {field} = {value}"),
        (field, value) => format!("{selection}: {field} = {value} (rule: {pattern})"),
    }
}

/// What the rule's author would look at next.
fn next_steps(rule: &RuleInfo) -> Vec<String> {
    let own = rule.custom.get("kauditui").and_then(|own| own.get("next")).and_then(Value::as_array);
    own.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

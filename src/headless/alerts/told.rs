//! An alert as it is printed: an object of JSON (`docs/json.md`), or a line for people. Credentials are masked in
//! whatever a rule may group by; columns of the store and reasons are masked already.

use serde_json::{Map, Value, json};

use crate::detect::{Alert, RuleInfo, Severity, Why};
use crate::headless::form::{Cell, Heading};
use crate::model::{Micros, format_rfc3339, tool};
use crate::redact::mask_text;
use crate::text::json_escape_hostile;
use crate::trace::Contradiction;

/// An alert with what is told of it.
pub(super) struct Told {
    pub(super) alert: Alert,
    pub(super) info: RuleInfo,
    pub(super) severity: Severity,
    /// Distinct requests; of a correlation, those it names.
    pub(super) requests: u64,
    /// auditIDs of the newest requests, the newest first.
    pub(super) audit_ids: Vec<String>,
    /// Why the newest request matched.
    pub(super) why: Vec<Reason>,
    /// Of a correlation, each time it was found.
    pub(super) findings: Vec<ToldFinding>,
}

/// One reason.
#[derive(Clone)]
pub(super) struct Reason {
    /// Of a correlation, the title of the rule behind it that matched.
    pub(super) rule: Option<String>,
    pub(super) why: Why,
}

/// A time that a correlation was found.
pub(super) struct ToldFinding {
    pub(super) group: Vec<(String, String)>,
    pub(super) first: Micros,
    pub(super) last: Micros,
    pub(super) reached: Micros,
    pub(super) count: u64,
    pub(super) audit_ids: Vec<String>,
}

/// The columns of [`Told::cells`].
pub(super) fn headings() -> Vec<Heading> {
    [
        ("severity", "SEVERITY", 13, false),
        ("last", "LAST", 23, false),
        ("count", "COUNT", 6, true),
        ("title", "ALERT", 52, false),
        ("sentence", "WHAT", 20, false),
    ]
    .into_iter()
    .map(|(key, title, width, is_number)| Heading { key: key.into(), title: title.into(), width, is_number })
    .collect()
}

impl Told {
    /// A line for people.
    pub(super) fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.severity.name()),
            Cell::Time(self.alert.last),
            Cell::Count(self.alert.count),
            Cell::text(self.info.title.as_str()),
            Cell::text(self.sentence()),
        ]
    }

    /// The newest request in one line; of a correlation whose events were dropped, what it groups by.
    pub(super) fn sentence(&self) -> String {
        let told = self.alert.subject.sentence();
        // Nobody is named where the login failed.
        let told = told.trim_start();
        if !told.is_empty() {
            return told.to_owned();
        }
        let group = self.findings.last().map(|finding| finding.group.as_slice()).unwrap_or_default();
        let said: Vec<String> =
            group.iter().map(|(field, value)| format!("{field} {}", mask_text(value))).collect();
        said.join(", ")
    }

    /// The object of JSON, with the syncs that its changes contradict.
    pub(super) fn json(&self, contradictions: &[Contradiction]) -> String {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::String(text) => text.is_empty(),
                Value::Array(members) => members.is_empty(),
                Value::Null => true,
                _ => false,
            };
            if !is_empty {
                object.insert(name.to_owned(), value);
            }
        };
        let Alert { key, first, last, count, addresses, .. } = &self.alert;
        put("id", json!(self.info.id));
        put("title", json!(self.info.title));
        put("severity", json!(self.severity.name()));
        put("tags", json!(self.info.tags));
        put("actor", json!(mask_text(&key.actor)));
        put("namespace", json!(key.namespace));
        let group = self.findings.last().map(|finding| group_json(&finding.group));
        put("group", group.unwrap_or_default());
        put("count", json!(count));
        put("requests", json!(self.requests));
        put("first", json!(format_rfc3339(*first)));
        put("last", json!(format_rfc3339(*last)));
        put("auditIDs", json!(self.audit_ids));
        put("subject", self.subject_json());
        put("sentence", json!(self.sentence()));
        put("sourceIPs", json!(addresses));
        put("why", self.why.iter().map(Reason::json).collect());
        put("contradicts", json!(contradictions));
        put("findings", self.findings.iter().map(ToldFinding::json).collect());
        json_escape_hostile(&Value::Object(object).to_string()).into_owned()
    }

    fn subject_json(&self) -> Value {
        let subject = &self.alert.subject;
        let object = subject.object();
        let texts = [
            ("user", subject.user.as_str()),
            ("impersonatedUser", &subject.impersonated_user),
            ("verb", &subject.verb),
            ("object", &object),
            ("sourceIP", &subject.source_ip),
            ("tool", tool(&subject.user_agent)),
        ];
        let mut told = texts_json(&texts);
        if subject.code > 0 {
            told.insert("code".to_owned(), subject.code.into());
        }
        if told.is_empty() { Value::Null } else { Value::Object(told) }
    }
}

impl Reason {
    fn json(&self) -> Value {
        let Why { selection, field, value, pattern } = &self.why;
        Value::Object(texts_json(&[
            ("rule", self.rule.as_deref().unwrap_or_default()),
            ("selection", selection),
            ("field", field),
            ("value", value),
            ("pattern", pattern),
        ]))
    }
}

impl ToldFinding {
    fn json(&self) -> Value {
        let mut told = Map::new();
        if !self.group.is_empty() {
            told.insert("group".to_owned(), group_json(&self.group));
        }
        for (name, time) in [("first", self.first), ("last", self.last), ("reached", self.reached)] {
            told.insert(name.to_owned(), format_rfc3339(time).into());
        }
        told.insert("count".to_owned(), self.count.into());
        if !self.audit_ids.is_empty() {
            told.insert("auditIDs".to_owned(), json!(self.audit_ids));
        }
        Value::Object(told)
    }
}

fn group_json(group: &[(String, String)]) -> Value {
    group.iter().map(|(field, value)| json!({ "field": field, "value": mask_text(value) })).collect()
}

/// An object of the texts that are not empty.
fn texts_json(texts: &[(&str, &str)]) -> Map<String, Value> {
    let texts = texts.iter().filter(|(_, text)| !text.is_empty());
    texts.map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect()
}

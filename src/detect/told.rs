//! An alert as programs are told of it: the object of JSON that `docs/json.md` describes, the same from `kauditui
//! alerts` and from the alerts screen. Credentials are masked in whatever a rule may group by; columns of the store and
//! reasons are masked already.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::alert::Alert;
use super::board::AlertBoard;
use super::correlator::Finding;
use super::engine::Engine;
use super::explain::Why;
use super::rule::{RuleIndex, RuleInfo};
use crate::model::{EventId, Micros, format_rfc3339, tool};
use crate::redact::mask_text;
use crate::store::{Segment, Store};

/// auditIDs told of an alert, the newest.
pub const MOST_AUDIT_IDS: usize = 20;

/// An alert with what is told of it.
#[derive(Clone, Debug)]
pub struct ToldAlert {
    /// The alert.
    pub alert: Alert,
    /// Its rule.
    pub info: RuleInfo,
    /// Distinct requests; of a correlation, those it names.
    pub requests: u64,
    /// auditIDs of the newest requests, the newest first.
    pub audit_ids: Vec<String>,
    /// Why the newest request matched.
    pub why: Vec<Reason>,
    /// Of a correlation, each time it was found.
    pub findings: Vec<ToldFinding>,
}

/// One reason.
#[derive(Clone, Debug)]
pub struct Reason {
    /// Of a correlation, the title of the rule behind it that matched.
    pub rule: Option<String>,
    /// What it met.
    pub why: Why,
}

/// A time that a correlation was found.
#[derive(Clone, Debug)]
pub struct ToldFinding {
    group: Vec<(String, String)>,
    first: Micros,
    last: Micros,
    reached: Micros,
    count: u64,
    audit_ids: Vec<String>,
}

/// auditIDs by the time when each was seen last, the newest first, at most [`MOST_AUDIT_IDS`].
pub fn newest_audit_ids(seen: &BTreeMap<String, Micros>) -> Vec<(String, Micros)> {
    let mut ids: Vec<(&String, &Micros)> = seen.iter().collect();
    ids.sort_by_key(|(id, time)| (Reverse(**time), *id));
    ids.into_iter().take(MOST_AUDIT_IDS).map(|(id, time)| (id.clone(), *time)).collect()
}

/// The auditID of an event that is held, and when it was.
pub fn held_audit_id(store: &Store, event: EventId) -> Option<(String, Micros)> {
    let segment = store.segment(event)?;
    Some((segment.audit_id(event.row()), segment.stage_time(event.row()))).filter(|(id, _)| !id.is_empty())
}

/// Why a rule matches a row.
pub fn reasons(engine: &Engine, rule: RuleIndex, segment: &Segment, row: u32) -> Vec<Reason> {
    engine.explain(rule, segment, row).into_iter().map(|why| Reason { rule: None, why }).collect()
}

impl ToldAlert {
    /// An alert of a board, by what is held.
    pub fn of(board: &AlertBoard, store: &Store, alert: &Alert) -> ToldAlert {
        let engine = board.engine();
        if !alert.findings.is_empty() {
            return ToldAlert::of_correlation(engine, store, alert.clone(), &|event| {
                held_audit_id(store, event)
            });
        }
        let seen = last_seen(board.events(alert).into_iter().filter_map(|id| held_audit_id(store, id)));
        let segment = store.segment(alert.newest);
        ToldAlert {
            info: engine.rule(alert.rule).clone(),
            requests: alert.count,
            audit_ids: newest_audit_ids(&seen).into_iter().map(|(id, _)| id).collect(),
            why: segment
                .map(|segment| reasons(engine, alert.rule, segment, alert.newest.row()))
                .unwrap_or_default(),
            findings: Vec::new(),
            alert: alert.clone(),
        }
    }

    /// What a correlation found. `audit_id` tells an event's auditID and when it was, as far as that is known.
    pub fn of_correlation(
        engine: &Engine,
        store: &Store,
        alert: Alert,
        audit_id: &dyn Fn(EventId) -> Option<(String, Micros)>,
    ) -> ToldAlert {
        let events: BTreeSet<EventId> =
            alert.findings.iter().flat_map(|finding| &finding.events).copied().collect();
        let seen = last_seen(events.into_iter().filter_map(audit_id));
        ToldAlert {
            info: engine.rule(alert.rule).clone(),
            requests: seen.len() as u64,
            audit_ids: newest_audit_ids(&seen).into_iter().map(|(id, _)| id).collect(),
            why: why_correlated(engine, store, &alert),
            findings: alert.findings.iter().map(|finding| ToldFinding::of(finding, audit_id)).collect(),
            alert,
        }
    }

    /// The newest request in one line; of a correlation whose events were dropped, what it groups by.
    pub fn sentence(&self) -> String {
        let told = self.alert.subject.sentence();
        // Nobody is named where the login failed.
        let told = told.trim_start();
        if !told.is_empty() {
            return mask_text(told).into_owned();
        }
        let group = self.findings.last().map(|finding| finding.group.as_slice()).unwrap_or_default();
        let said: Vec<String> =
            group.iter().map(|(field, value)| format!("{field} {}", mask_text(value))).collect();
        said.join(", ")
    }

    /// The object of JSON, with the syncs that its changes contradict. What is hostile to a terminal in it is for the caller to escape.
    pub fn json(&self, contradictions: Value) -> Value {
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
        put("severity", json!(self.info.severity.name()));
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
        put("contradicts", contradictions);
        put("findings", self.findings.iter().map(ToldFinding::json).collect());
        Value::Object(object)
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
    fn of(finding: &Finding, audit_id: &dyn Fn(EventId) -> Option<(String, Micros)>) -> ToldFinding {
        let mut audit_ids: Vec<String> = Vec::new();
        for (audit_id, _) in finding.events.iter().rev().filter_map(|event| audit_id(*event)) {
            if !audit_ids.contains(&audit_id) && audit_ids.len() < MOST_AUDIT_IDS {
                audit_ids.push(audit_id);
            }
        }
        ToldFinding {
            group: finding.group.clone(),
            first: finding.first,
            last: finding.last,
            reached: finding.reached,
            count: finding.count,
            audit_ids,
        }
    }

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

/// When each auditID was seen last.
fn last_seen(ids: impl Iterator<Item = (String, Micros)>) -> BTreeMap<String, Micros> {
    let mut seen: BTreeMap<String, Micros> = BTreeMap::new();
    for (audit_id, time) in ids {
        let known = seen.entry(audit_id).or_insert(time);
        *known = time.max(*known);
    }
    seen
}

/// Why the newest event of a correlation was one, by each of the rules behind it.
fn why_correlated(engine: &Engine, store: &Store, alert: &Alert) -> Vec<Reason> {
    let Some(segment) = store.segment(alert.newest) else { return Vec::new() };
    let row = alert.newest.row();
    let of_rule = |rule: RuleIndex| {
        let title = (rule != alert.rule).then(|| engine.rule(rule).title.clone());
        let found = reasons(engine, rule, segment, row).into_iter();
        found.map(|reason| Reason { rule: title.clone(), ..reason }).collect::<Vec<_>>()
    };
    engine.fed_by(alert.rule).into_iter().flat_map(of_rule).collect()
}

fn group_json(group: &[(String, String)]) -> Value {
    group.iter().map(|(field, value)| json!({ "field": field, "value": mask_text(value) })).collect()
}

/// An object of the texts that are not empty.
fn texts_json(texts: &[(&str, &str)]) -> Map<String, Value> {
    let texts = texts.iter().filter(|(_, text)| !text.is_empty());
    texts.map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect()
}

use serde_json::{Value, json};

use super::*;
use crate::format::{Marks, Reader, Sink, Unreadable};
use crate::model::{Event, Micros, SourceId, format_rfc3339};
use crate::store::{Batch, Segment, SegmentBuilder};

mod correlations;
mod evaluating;
mod loading;
mod modifiers;
mod other_logs;

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.0.push(event, text, false);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind:?}: {}", String::from_utf8_lossy(text));
    }
}

/// A sealed segment of these events.
pub(super) fn segment(events: &[Value]) -> Segment {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    segment_of(&lines.join("\n"))
}

/// The same, to be pushed into a store as part of file `origin`.
pub(super) fn batch(events: &[Value], origin: u32) -> Batch {
    let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
    let mut reader = Reader::new();
    for event in events {
        reader.read(format!("{event}\n").as_bytes(), &mut building);
    }
    reader.finish(&mut building);
    building.0.finish(origin)
}

/// A sealed segment of these lines.
pub(super) fn segment_of(lines: &str) -> Segment {
    building(lines).into_segment()
}

fn building(lines: &str) -> SegmentBuilder {
    let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
    let mut reader = Reader::new();
    reader.read(lines.as_bytes(), &mut building);
    reader.finish(&mut building);
    building.0
}

/// A pod that alice made with kubectl at `time`, bodies and all, with `changes` merged into it (RFC 7386).
pub(super) fn event_at(time: Micros, changes: Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": format!("00000000-0000-0000-0000-{time:012}"), "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/prod/pods?fieldManager=kubectl-create", "verb": "create",
        "user": {"username": "alice", "groups": ["dev", "system:authenticated"], "extra": {"scopes": ["a", "b"]}},
        "sourceIPs": ["10.0.0.1", "203.0.113.9"], "userAgent": "kubectl/v1.32.4 (linux/amd64)",
        "objectRef": {"resource": "pods", "namespace": "prod", "name": "web", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": {"kind": "Pod", "spec": {
            "hostPID": true,
            "containers": [
                {"name": "a", "image": "nginx", "securityContext": {"privileged": false}},
                {"name": "b", "image": "evil", "securityContext": {"privileged": true}}],
            "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}},
        "responseObject": {"kind": "Pod", "metadata": {"uid": "7"}},
        "requestReceivedTimestamp": format_rfc3339(time), "stageTimestamp": format_rfc3339(time),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed",
            "pod-security.kubernetes.io/audit-violations": "would violate: privileged"},
    });
    merge(&mut event, &changes);
    event
}

pub(super) fn event(changes: Value) -> Value {
    event_at(1_700_000_000_000_000, changes)
}

pub(super) fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(members), Value::Object(changes)) => {
            for (key, change) in changes {
                match change {
                    Value::Null => drop(members.shift_remove(key)),
                    change => merge(members.entry(key.clone()).or_insert(Value::Null), change),
                }
            }
        }
        (into, changes) => *into = changes.clone(),
    }
}

/// The engine of rules that are all in order.
pub(super) fn engine(text: &str) -> Engine {
    let (rules, problems) = RuleSet::parse("test.yml".as_ref(), text);
    assert!(problems.is_empty(), "{problems:?}\n{text}");
    rules.prepare()
}

/// A rule with this detection section.
pub(super) fn rule(detection: &str) -> String {
    format!(
        "title: T\nid: t\nsigma-version: 3\nlogsource: {{product: kubernetes, service: audit}}\nlevel: high\ndetection:\n{}",
        detection.lines().map(|line| format!("    {line}\n")).collect::<String>()
    )
}

/// A rule with one selection of one line.
pub(super) fn line(selection: &str) -> String {
    rule(&format!("selection:\n    {selection}\ncondition: selection"))
}

/// Whether the only rule of `text` matches the event, as all ways of asking agree.
pub(super) fn matches(text: &str, event: &Value) -> bool {
    let engine = engine(text);
    let segment = segment(std::slice::from_ref(event));
    let hit = !engine.hits(&segment, 0..segment.rows()).is_empty();
    assert_eq!(engine.matches(RuleIndex(0), &segment, 0), hit, "the columns and the row agree\n{text}");
    hit
}

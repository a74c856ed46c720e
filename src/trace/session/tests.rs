use serde_json::{Value, json};

use super::*;
use crate::format::{Marks, Reader, Sink, Unreadable};
use crate::model::{Event, SourceId, format_rfc3339};
use crate::store::SegmentBuilder;

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.0.push(event, text, false);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind:?}: {}", String::from_utf8_lossy(text));
    }
}

fn store_of(events: &[Value]) -> Store {
    let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
    let mut reader = Reader::new();
    for event in events {
        reader.read(event.to_string().as_bytes(), &mut building);
    }
    reader.finish(&mut building);
    let mut store = Store::new();
    store.push(building.0.finish(1));
    store
}

/// A request of alice's with kubectl, answered `minute` minutes after the beginning.
fn request(minute: i64, verb: &str, resource: &str) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let time = format_rfc3339(minute * 60 * SECOND);
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": format!("{minute}-{verb}"),
        "stage": "ResponseComplete", "requestURI": "/x", "verb": verb, "user": {"username": "alice"},
        "sourceIPs": ["10.0.0.1"], "userAgent": "kubectl/v1.32.4",
        "objectRef": {"resource": resource, "namespace": "prod", "name": "web", "apiVersion": "v1", "subresource": subresource},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
    })
}

fn with(mut event: Value, key: &str, value: Value) -> Value {
    event[key] = value;
    event
}

fn spans(store: &Store) -> Vec<(i64, i64, usize)> {
    let minutes = |time: Micros| time / (60 * SECOND);
    let found = sessions(store, "alice", SESSION_GAP);
    found.iter().map(|s| (minutes(s.first), minutes(s.last), s.requests.len())).collect()
}

#[test]
fn a_long_pause_begins_a_session() {
    let at = |minute| request(minute, "get", "pods");
    assert_eq!(spans(&store_of(&[at(0), at(30), at(61), at(62)])), [(0, 30, 2), (61, 62, 2)]);
    assert_eq!(sessions(&store_of(&[at(0)]), "bob", SESSION_GAP), []);
}

#[test]
fn another_address_tool_or_identity_is_another_session() {
    let at = |minute| request(minute, "get", "pods");
    let store = store_of(&[
        at(0),
        with(at(1), "sourceIPs", json!(["10.0.0.2"])),
        with(at(2), "userAgent", json!("Helm/3.16.2")),
        with(at(3), "impersonatedUser", json!({"username": "root"})),
        with(at(4), "userAgent", json!("kubectl/v1.33.0")),
        with(
            with(at(5), "user", json!({"username": "root"})),
            "impersonatedUser",
            json!({"username": "alice"}),
        ),
    ]);
    let found = sessions(&store, "alice", SESSION_GAP);
    let keys: Vec<_> = found
        .iter()
        .map(|s| (&*s.actor, &*s.impersonated, &*s.source_ip, &*s.tool, s.requests.len()))
        .collect();
    assert_eq!(
        keys,
        [
            ("alice", "", "10.0.0.1", "kubectl", 2),
            ("alice", "", "10.0.0.2", "kubectl", 1),
            ("alice", "", "10.0.0.1", "helm", 1),
            ("alice", "root", "10.0.0.1", "kubectl", 1),
            ("root", "alice", "10.0.0.1", "kubectl", 1),
        ]
    );
}

#[test]
fn what_lasts_bridges_a_pause() {
    let started = with(request(0, "get", "pods/exec"), "stage", json!("ResponseStarted"));
    let ended = with(request(0, "get", "pods/exec"), "stageTimestamp", json!(format_rfc3339(3600 * SECOND)));
    let later = request(80, "get", "pods");
    assert_eq!(spans(&store_of(&[started.clone(), ended, later.clone()])), [(0, 80, 2)]);
    let open = store_of(&[started.clone(), later.clone()]);
    assert_eq!(spans(&open), [(0, 80, 2)]);
    assert!(sessions(&open, "alice", SESSION_GAP)[0].is_open);
    let refused = with(started, "responseStatus", json!({"metadata": {}, "code": 401}));
    assert_eq!(spans(&store_of(&[refused, later])), [(0, 0, 1), (80, 80, 1)]);
}

#[test]
fn writes_and_failures_are_counted() {
    let extra =
        json!({"username": "alice", "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]}});
    let store = store_of(&[
        with(request(0, "patch", "pods"), "user", extra),
        with(request(1, "delete", "pods"), "responseStatus", json!({"metadata": {}, "code": 403})),
        with(request(2, "patch", "pods"), "requestURI", json!("/x?dryRun=All")),
        request(3, "get", "pods/exec"),
        request(4, "get", "pods"),
    ]);
    let found = sessions(&store, "alice", SESSION_GAP);
    let [session] = found.as_slice() else { panic!("one session: {found:?}") };
    assert_eq!((session.writes, session.failures, session.requests.len()), (3, 1, 5));
    assert_eq!(session.credentials, ["JTI=1"]);
}

#[test]
fn a_session_is_told_in_kubectl_lines() {
    let cordon =
        with(request(0, "patch", "nodes"), "requestObject", json!({"spec": {"unschedulable": true}}));
    let evict = with(request(1, "create", "pods/eviction"), "requestObject", json!({"kind": "Eviction"}));
    let scale =
        with(request(2, "patch", "deployments/scale"), "requestObject", json!({"spec": {"replicas": 0}}));
    let store = store_of(&[cordon, evict, request(2, "get", "pods"), scale]);
    let found = sessions(&store, "alice", SESSION_GAP);
    let lines = session_lines(&store, &found[0], false);
    let told: Vec<String> = lines.iter().map(|(_, line)| line.command()).collect();
    assert_eq!(
        told,
        [
            "kubectl -n prod drain node/web",
            "kubectl create --raw=/x -f -",
            "kubectl -n prod scale deployments/web --replicas=0",
        ]
    );
    assert_eq!(
        lines.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [0, 1, 3].map(|row| EventId::new(0, row))
    );
    assert!(!lines[0].1.is_exact() && lines[2].1.is_exact());
}

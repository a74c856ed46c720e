use super::*;
use crate::model::{Event, ObjectRef, SECOND, SourceId};
use crate::store::SegmentBuilder;

const ARGOCD: &str = "system:serviceaccount:argocd:argocd-application-controller";

struct Row {
    user: &'static str,
    credential: &'static str,
    ip: &'static str,
    agent: &'static str,
    issued: &'static str,
    second: i64,
}

fn store_of(rows: &[Row]) -> Store {
    let mut store = Store::new();
    add(&mut store, rows, 0);
    store
}

fn add(store: &mut Store, rows: &[Row], origin: u32) {
    let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
    for (number, row) in rows.iter().enumerate() {
        let event = Event {
            stage: Stage::ResponseComplete,
            audit_id: format!("a{origin}-{number}").into(),
            user: row.user.into(),
            credential: row.credential.into(),
            source_ip: row.ip.into(),
            user_agent: row.agent.into(),
            issued_credential: row.issued.into(),
            object: ObjectRef {
                resource: "serviceaccounts".into(),
                subresource: "token".into(),
                namespace: "argocd".into(),
                name: "argocd-application-controller".into(),
                ..ObjectRef::default()
            },
            stage_time: Some(row.second * SECOND),
            ..Event::default()
        };
        builder.push(&event, b"{}", false);
    }
    store.push(builder.finish(origin));
}

fn used(credential: &'static str, ip: &'static str, agent: &'static str, second: i64) -> Row {
    Row { user: ARGOCD, credential, ip, agent, issued: "", second }
}

fn incident() -> Vec<Row> {
    let mut rows: Vec<Row> =
        (0..20).map(|n| used("JTI=1", "10.244.3.15", "argocd-application-controller/v3.0", 10 + n)).collect();
    rows.push(Row {
        user: "admin@example.com",
        credential: "",
        ip: "10.20.0.5",
        agent: "kubectl/v1.32.4",
        issued: "JTI=2",
        second: 60,
    });
    rows.push(used("JTI=2", "203.0.113.66", "kubectl/v1.32.4", 65));
    rows
}

#[test]
fn a_stolen_token_is_told_from_the_usual_one() {
    let mut identities = Identities::default();
    identities.update(&store_of(&incident()));
    let uses = identities.uses_of_user(ARGOCD);
    assert_eq!(
        uses.iter().map(|u| (u.credential, u.source_ip, u.tool, u.requests)).collect::<Vec<_>>(),
        [("JTI=1", "10.244.3.15", "argocd", 20), ("JTI=2", "203.0.113.66", "kubectl", 1)]
    );
    let minted = identities.minted("JTI=2").expect("it is in the log");
    assert_eq!(
        (minted.by, minted.source_ip, minted.account, minted.time),
        ("admin@example.com", "10.20.0.5", "argocd-application-controller", 60 * SECOND)
    );
    assert!(identities.minted("JTI=1").is_none(), "it was minted before the log begins");
    let habit = identities.habit(ARGOCD);
    let unusual = habit.unusual_tool("kubectl").expect("argocd is usual");
    assert_eq!((unusual.usual.value.as_str(), unusual.usual.requests, unusual.of), ("argocd", 20, 21));
    assert!(habit.unusual_address("203.0.113.66").is_some());
    assert_eq!(identities.unusual_places(), [(ARGOCD, "203.0.113.66")]);
    assert!(habit.unusual_address("10.244.3.15").is_none() && habit.unusual_tool("helm").is_none());
}

#[test]
fn nothing_is_usual_where_there_is_little_or_much_variety() {
    let few = [used("a", "10.0.0.1", "x/1", 1), used("a", "10.0.0.2", "kubectl/1", 2)];
    let mut identities = Identities::default();
    identities.update(&store_of(&few));
    assert!(identities.habit(ARGOCD).unusual_tool("kubectl").is_none());
    const NODES: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
    let spread: Vec<Row> = (0..40).map(|n| used("b", NODES[n % 4], "agent/1", n as i64)).collect();
    let mut identities = Identities::default();
    identities.update(&store_of(&spread));
    assert!(NODES.iter().all(|node| identities.habit(ARGOCD).unusual_address(node).is_none()));
}

#[test]
fn what_was_seen_is_counted_once_and_kept_after_its_segment_is_gone() {
    let mut store = store_of(&incident());
    let mut identities = Identities::default();
    identities.update(&store);
    identities.update(&store);
    add(&mut store, &[used("JTI=2", "203.0.113.66", "kubectl/v1.32.4", 90)], 1);
    identities.update(&store);
    assert!(store.evict_oldest());
    identities.update(&store);
    let again = identities.uses_of_credential("JTI=2");
    assert_eq!(again.iter().map(|u| (u.requests, u.last)).collect::<Vec<_>>(), [(2, 90 * SECOND)]);
    assert!(identities.minted("JTI=2").is_some());
    assert!(identities.memory_bytes() > 0 && identities.forgotten() == 0);
}

/// Pushes records one segment each, in this order, and tells how the token was used.
fn answers(stages: &[(Stage, i64)]) -> Vec<(u64, Micros, Micros)> {
    let (mut store, mut identities) = (Store::new(), Identities::default());
    for (stage, second) in stages {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        let event = Event {
            stage: *stage,
            audit_id: "4517a132-618b-4c74-bd69-41245c01e2db".into(),
            user: ARGOCD.into(),
            credential: "JTI=1".into(),
            verb: "watch".into(),
            received: Some(SECOND),
            stage_time: Some(second * SECOND),
            ..Event::default()
        };
        builder.push(&event, b"{}", false);
        store.push(builder.finish(0));
        identities.update(&store);
    }
    let uses = identities.uses_of_credential("JTI=1");
    uses.iter().map(|used| (used.answers, used.first, used.last)).collect()
}

#[test]
fn answers_are_counted_alike_from_either_end() {
    let watch = [(Stage::RequestReceived, 1), (Stage::ResponseStarted, 2), (Stage::ResponseComplete, 90)];
    let backward: Vec<(Stage, i64)> = watch.iter().rev().copied().collect();
    assert_eq!(answers(&watch), [(2, 2 * SECOND, 90 * SECOND)]);
    assert_eq!(answers(&watch), answers(&backward));
}

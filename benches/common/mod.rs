//! A million records for benches, with as many distinct strings a segment as real logs of a busy cluster have: few verbs
//! and resources, hundreds of users and agents, thousands of names, a URI for nearly every object.

use kauditui::model::{Decision, Event, Level, Micros, ObjectRef, SECOND, SourceId, Stage};
use kauditui::query::{Plan, View, ViewOptions, parse};
use kauditui::store::{Batch, MAX_ROWS, SegmentBuilder, Store};

pub const RECORDS: u64 = 1_000_000;
/// Time between two records.
pub const STEP: Micros = SECOND / 100;

/// Scatters consecutive numbers, the same way in each run.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ number >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

fn push(builder: &mut SegmentBuilder, number: u64) {
    let roll = scatter(number);
    let pick = |bits: u32, of: u64| (roll >> bits) % of;
    let user = match pick(0, 10) {
        0 => "alice@example.com".to_owned(),
        1..4 => format!("system:node:node-{}", pick(4, 50)),
        _ => format!("system:serviceaccount:team-{}:app-{}", pick(4, 40), pick(10, 5)),
    };
    let verb =
        ["get", "get", "get", "list", "watch", "patch", "update", "create", "delete"][pick(16, 9) as usize];
    let (resource, api_group) = [
        ("pods", ""),
        ("deployments", "apps"),
        ("secrets", ""),
        ("leases", "coordination.k8s.io"),
        ("events", ""),
    ][pick(20, 5) as usize];
    let namespace =
        if pick(24, 4) == 0 { "kube-system".to_owned() } else { format!("team-{}", pick(26, 40)) };
    let name = format!("web-{}", pick(32, 8000));
    let code = [200, 200, 200, 200, 201, 200, 200, 403, 404, 409][pick(48, 10) as usize];
    let is_exec = number.is_multiple_of(1000);
    let parameters = match verb {
        _ if is_exec => "/exec?command=sh&command=-c&command=id&stdout=true",
        "patch" => "?fieldManager=kubectl-client-side-apply",
        "watch" => "?allowWatchBookmarks=true&timeoutSeconds=500&watch=true",
        _ => "",
    };
    let event = Event {
        level: Level::Metadata,
        stage: Stage::ResponseComplete,
        audit_id: format!("00000000-0000-0000-0000-{number:012x}").into(),
        request_uri: format!("/apis/{api_group}/v1/namespaces/{namespace}/{resource}/{name}{parameters}")
            .into(),
        verb: verb.into(),
        user: user.into(),
        source_ip: format!("10.0.{}.{}", pick(40, 4), pick(44, 200)).into(),
        user_agent: format!("kube-{}/v1.{} (linux/amd64) kubernetes/0123abc", pick(36, 20), pick(38, 12))
            .into(),
        object: ObjectRef {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
            api_group: api_group.into(),
            api_version: "v1".into(),
            subresource: if is_exec { "exec".into() } else { "".into() },
        },
        code,
        decision: Decision::Allow,
        received: Some(number as Micros * STEP),
        stage_time: Some(number as Micros * STEP),
        ..Event::default()
    };
    builder.push(&event, b"", false);
}

/// Records by their numbers, in one segment.
pub fn batch(numbers: std::ops::Range<u64>) -> Batch {
    let mut builder = SegmentBuilder::new(SourceId(0), 0, false);
    numbers.for_each(|number| push(&mut builder, number));
    builder.finish(0)
}

/// A store that holds them all.
pub fn million() -> Store {
    let mut store = Store::new();
    let mut from = 0;
    while from < RECORDS {
        let until = (from + u64::from(MAX_ROWS)).min(RECORDS);
        store.push(batch(from..until));
        from = until;
    }
    store.take_changes();
    store
}

/// Everything that a question finds.
pub fn complete_view(store: &Store, question: &str) -> View {
    let plan = Plan::new(&parse(question).expect("a question of a bench"));
    let mut view = View::new(Plan::everything(), ViewOptions::default());
    view.restart(store, plan, ViewOptions::default());
    assert!(view.advance(store, || true));
    view
}

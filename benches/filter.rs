//! How fast a keystroke in the filter bar answers over a million records: a plan over all segments, the recount of a
//! view in time order, and what a frame asks of a view.
//!
//! The records are made here, with as many distinct strings a segment as real logs of a busy cluster have: few verbs
//! and resources, hundreds of users and agents, thousands of names, a URI for nearly every object.

use std::cell::Cell;
use std::sync::LazyLock;

use divan::Bencher;
use kauditui::model::{Decision, Event, Level, Micros, ObjectRef, SECOND, SourceId, Stage};
use kauditui::query::{Plan, View, ViewOptions, parse};
use kauditui::store::{Batch, MAX_ROWS, Segment, SegmentBuilder, Store};

fn main() {
    divan::main();
}

const RECORDS: u64 = 1_000_000;
/// Time between two records.
const STEP: Micros = SECOND / 100;

/// Questions of one field, of three, and of bare words; the last ones match little or nothing.
const QUESTIONS: &[&str] = &[
    "verb:delete",
    "code:>=400",
    "name:web-1*",
    "user:alice",
    "ns:kube-system verb:patch code:>=400",
    "user:system:serviceaccount:* resource:deploy ns:team-3",
    "agent:kubectl",
    "novelapp",
    "id:00000000-0000-0000-0000-0000000f0000",
];

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
    let event = Event {
        level: Level::Metadata,
        stage: Stage::ResponseComplete,
        audit_id: format!("00000000-0000-0000-0000-{number:012x}").into(),
        request_uri: format!("/apis/{api_group}/v1/namespaces/{namespace}/{resource}/{name}").into(),
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
            ..ObjectRef::default()
        },
        code,
        decision: Decision::Allow,
        received: Some(number as Micros * STEP),
        stage_time: Some(number as Micros * STEP),
        ..Event::default()
    };
    builder.push(&event, b"", false);
}

fn batch(numbers: std::ops::Range<u64>) -> Batch {
    let mut builder = SegmentBuilder::new(SourceId(0), 0, false);
    numbers.for_each(|number| push(&mut builder, number));
    builder.finish(0)
}

fn million() -> Store {
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

/// Segments are shared with workers in the program, so they may be shared here.
static SEGMENTS: LazyLock<Vec<std::sync::Arc<Segment>>> =
    LazyLock::new(|| million().entries().filter_map(|(_, entry)| entry.sealed()).collect());

thread_local! {
    static STORE: Store = million();
}

fn plan(question: &str) -> Plan {
    Plan::new(&parse(question).expect("a question of this bench"))
}

fn complete_view(store: &Store, question: &str) -> View {
    let mut view = View::new(Plan::everything(), ViewOptions::default());
    view.restart(store, plan(question), ViewOptions::default());
    assert!(view.advance(store, || true));
    view
}

/// A keystroke: the plan compiled and run over every segment.
#[divan::bench(args = QUESTIONS)]
fn scan(bencher: Bencher<'_, '_>, question: &str) {
    let segments = &*SEGMENTS;
    bencher.bench(|| {
        let plan = plan(divan::black_box(question));
        segments.iter().map(|segment| u64::from(plan.rows(segment.as_ref()).count())).sum::<u64>()
    });
}

/// The same with everything that a view adds: stages, failures, and the count of each chunk in time order.
#[divan::bench(args = ["", "verb:delete", "ns:kube-system verb:patch code:>=400"])]
fn whole_view(bencher: Bencher<'_, '_>, question: &str) {
    STORE.with(|store| bencher.bench_local(|| complete_view(store, divan::black_box(question)).len()));
}

/// A screenful of a result in which matches lie far apart.
#[divan::bench(args = ["", "verb:delete", "id:00000000-0000-0000-0000-0000000f0000"])]
fn window_of_50(bencher: Bencher<'_, '_>, question: &str) {
    STORE.with(|store| {
        let view = complete_view(store, question);
        bencher.bench_local(|| view.window(store, divan::black_box(view.len() / 2), 50).len());
    });
}

/// The histogram above the timeline, over the whole log and over its last minute.
#[divan::bench(args = [RECORDS as Micros * STEP, 60 * SECOND])]
fn histogram_of_100(bencher: Bencher<'_, '_>, span: Micros) {
    STORE.with(|store| {
        let view = complete_view(store, "verb:delete");
        let start = RECORDS as Micros * STEP - span;
        bencher.bench_local(|| view.histogram(store, divan::black_box(start), span / 100, 100).len());
    });
}

/// A batch of 200 live lines taken into the store and the view, while a million records are held.
#[divan::bench(sample_count = 100, sample_size = 1)]
fn live_batch(bencher: Bencher<'_, '_>) {
    let mut store = million();
    let mut view = complete_view(&store, "verb:delete");
    let next = Cell::new(RECORDS);
    bencher
        .with_inputs(|| {
            let from = next.get();
            next.set(from + 200);
            batch(from..from + 200)
        })
        .bench_local_values(|batch| {
            store.push_live(batch).expect("text just packed");
            let changes = store.take_changes();
            view.update(&store, &changes);
            view.len()
        });
}

//! How fast a keystroke in the filter bar answers over a million records: a plan over all segments, the recount of a
//! view in time order, and what a frame asks of a view.

mod common;

use std::cell::Cell;
use std::sync::LazyLock;

use divan::Bencher;
use kauditui::model::{Micros, SECOND};
use kauditui::query::{Plan, parse};
use kauditui::store::{Segment, Store};

use common::{RECORDS, STEP, batch, complete_view, million};

fn main() {
    divan::main();
}

/// Questions of one field, of three, of what is derived from a column, and of bare words; the last ones match little
/// or nothing.
const QUESTIONS: &[&str] = &[
    "verb:delete",
    "code:>=400",
    "name:web-1*",
    "user:alice",
    "user:team-3/app-1",
    "kind:human",
    "is:write",
    "duration:>1s",
    "tool:kube-3",
    "manager:kube-3",
    "command:sh",
    "agent:kubectl",
    "agent~^kube-1[0-9]/v1\\.",
    "ip:10.0.2.0/24",
    "ns:kube-system verb:patch code:>=400",
    "user:system:serviceaccount:* resource:deploy ns:team-3",
    "kind:serviceaccount is:write tool:kube-3",
    "novelapp",
    "team-3",
    "id:00000000-0000-0000-0000-0000000f0000",
];

/// Segments are shared with workers in the program, so they may be shared here.
static SEGMENTS: LazyLock<Vec<std::sync::Arc<Segment>>> =
    LazyLock::new(|| million().entries().filter_map(|(_, entry)| entry.sealed()).collect());

thread_local! {
    static STORE: Store = million();
}

fn plan(question: &str) -> Plan {
    Plan::new(&parse(question).expect("a question of this bench"))
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

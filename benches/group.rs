//! How fast a million records are counted by the values of fields: anew, and after a batch of live lines.

mod common;

use std::cell::Cell;

use divan::Bencher;
use kauditui::activity::Activity;
use kauditui::query::{Context, FieldName, Grouping, SortBy};
use kauditui::store::Store;

use common::{RECORDS, batch, complete_view, million};

fn main() {
    divan::main();
}

thread_local! {
    static STORE: Store = million();
}

/// Fields to group by: of few values, of several columns, derived from others, and different for nearly each object.
const FIELDS: &[&[FieldName]] = &[
    &[FieldName::Verb],
    &[FieldName::User, FieldName::Verb],
    &[FieldName::Namespace, FieldName::Resource, FieldName::Code],
    &[FieldName::Tool],
    &[FieldName::Object],
];

/// Everything counted anew, as when `:by user,verb` is typed or the filter changed.
#[divan::bench(args = FIELDS, sample_count = 20)]
fn anew(bencher: Bencher<'_, '_>, fields: &[FieldName]) {
    STORE.with(|store| {
        let view = complete_view(store, "");
        bencher.bench_local(|| {
            let mut grouping = Grouping::new(fields.to_vec(), Vec::new());
            assert!(grouping.update(store, &view, &Context::default(), || true));
            grouping.len()
        });
    });
}

/// The rows of a filter by user and verb.
#[divan::bench(args = ["verb:delete", "code:403 ns:kube-system"])]
fn of_a_filter(bencher: Bencher<'_, '_>, question: &str) {
    STORE.with(|store| {
        let view = complete_view(store, question);
        bencher.bench_local(|| {
            let mut grouping = Grouping::new(vec![FieldName::User, FieldName::Verb], Vec::new());
            assert!(grouping.update(store, &view, &Context::default(), || true));
            grouping.len()
        });
    });
}

/// All groups, sorted, as a table shows them.
#[divan::bench(args = [SortBy::Count, SortBy::P99])]
fn sorted(bencher: Bencher<'_, '_>, sort: SortBy) {
    STORE.with(|store| {
        let view = complete_view(store, "");
        let mut grouping = Grouping::new(vec![FieldName::User, FieldName::Verb], Vec::new());
        assert!(grouping.update(store, &view, &Context::default(), || true));
        bencher.bench_local(|| grouping.groups(sort, true).len());
    });
}

/// The profile of each identity, with the number of its namespaces, addresses and tools.
#[divan::bench(sample_count = 20)]
fn activity_anew(bencher: Bencher<'_, '_>) {
    STORE.with(|store| {
        let view = complete_view(store, "");
        bencher.bench_local(|| {
            let mut activity = Activity::default();
            assert!(activity.update(store, &view, &Context::default(), || true));
            activity.version()
        });
    });
}

/// A batch of 200 live lines counted, while a million records are held and counted.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn live_batch(bencher: Bencher<'_, '_>) {
    let mut store = million();
    let mut view = complete_view(&store, "");
    let mut grouping = Grouping::new(vec![FieldName::User, FieldName::Verb], Vec::new());
    assert!(grouping.update(&store, &view, &Context::default(), || true));
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
            assert!(grouping.update(&store, &view, &Context::default(), || true));
            grouping.len()
        });
}

//! A field filter and a group-by over a log that is on the disk, to be compared in one run with a rival that has loaded
//! the same log: `KAUDITUI_CORPUS` names the folder. Without it there is nothing to measure.

#[path = "common/corpus.rs"]
mod corpus;

use divan::Bencher;
use kauditui::query::{Context, FieldName, Grouping, Plan, View, ViewOptions, parse};
use kauditui::store::Store;

fn main() {
    divan::main();
}

thread_local! {
    static STORE: Option<Store> =
        std::env::var_os("KAUDITUI_CORPUS").map(|folder| corpus::store_of(corpus::texts_in(folder)));
}

fn shown(store: &Store, question: &str) -> View {
    let plan = Plan::new(&parse(question).expect("a filter"));
    let options = ViewOptions { all_stages: true, ..ViewOptions::default() };
    let mut view = View::new(Plan::everything(), ViewOptions::default());
    view.restart(store, plan, options);
    view.advance(store, || true);
    view
}

#[divan::bench(args = ["verb:delete", "user:alice", "code:>=400 ns:production"], sample_count = 50)]
fn filter(bencher: Bencher<'_, '_>, question: &str) {
    STORE.with(|store| {
        let Some(store) = store else { return };
        bencher.bench_local(|| shown(store, question).len());
    });
}

#[divan::bench(sample_count = 20)]
fn group_by_user_and_verb(bencher: Bencher<'_, '_>) {
    STORE.with(|store| {
        let Some(store) = store else { return };
        let view = shown(store, "");
        bencher.bench_local(|| {
            let mut grouping = Grouping::new(vec![FieldName::User, FieldName::Verb], Vec::new());
            assert!(grouping.update(store, &view, &Context::default(), || true));
            grouping.len()
        });
    });
}

//! What the detection rules cost: building segments of a log with and without running the pack over them, the pack over
//! segments that are stored already, and each of its ten slowest rules by itself.
//!
//! What it came to, as ratios within one run on two cores of 2026, with 242 rules: `kauditui alerts` took 1.28 to 1.38 times
//! the processor time of `kauditui info` over 1.1 million events of level Metadata (1 GiB), 1.4 to 1.6 times over 330,000
//! (300 MiB, of which loading the pack is a tenth), and 1.4 to 1.7 times over 467,000 with bodies (1 GiB), where it had
//! taken 1.5, 1.4 and 2.5 times, and before that 2.1 and 4.4. Of what rules add over bodies, nearly half is parsing those
//! of the few rows that neither columns nor searches decide, a quarter copying texts to have them at hand, the rest trying
//! columns. The pack over 1.1 million stored events of level Metadata took half a second.
//!
//! `KAUDITUI_CORPUS` names a folder of logs or one file; without it, the few recorded lines in `tests/data`, over and
//! over.

#[path = "common/corpus.rs"]
mod corpus;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use divan::{Bencher, counter::ItemsCount};
use kauditui::detect::{Engine, LoadedRules, RuleSet};
use kauditui::store::Store;

/// Copies of the recorded lines: enough for a segment.
const COPIES: usize = 100;

static TEXTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| match std::env::var_os("KAUDITUI_CORPUS") {
    Some(path) if Path::new(&path).is_dir() => corpus::texts_in(path).collect(),
    Some(path) => vec![std::fs::read(path).expect("a log")],
    None => {
        let lines = concat!(
            include_str!("../tests/data/kube-apiserver.jsonl"),
            include_str!("../tests/data/incident-small.jsonl")
        );
        vec![lines.repeat(COPIES).into_bytes()]
    }
});

static PACK: LazyLock<LoadedRules> = LazyLock::new(|| LoadedRules::load(true, &[]));

fn main() {
    tell_slowest();
    divan::main();
}

fn texts() -> impl Iterator<Item = Vec<u8>> {
    TEXTS.iter().cloned()
}

fn matches(engine: &Engine, store: &Store) -> usize {
    store.entries().map(|(_, entry)| engine.look_at(entry.segment()).found.len()).sum()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_the_pack(bencher: Bencher<'_, '_>) {
    bencher.bench(|| LoadedRules::load(true, &[]).engine.rules().len());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn build_segments(bencher: Bencher<'_, '_>) {
    let records = corpus::store_of(texts()).held_records();
    bencher.counter(ItemsCount::new(records)).bench_local(|| corpus::store_of(texts()).held_records());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn build_segments_and_run_the_pack(bencher: Bencher<'_, '_>) {
    let records = corpus::store_of(texts()).held_records();
    bencher.counter(ItemsCount::new(records)).bench_local(|| {
        let store = corpus::store_of(texts());
        matches(&PACK.engine, &store)
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn run_the_pack_over_what_is_stored(bencher: Bencher<'_, '_>) {
    let store = corpus::store_of(texts());
    bencher.counter(ItemsCount::new(store.held_records())).bench_local(|| matches(&PACK.engine, &store));
}

/// Each rule alone, so that one which is slow is seen. What rules share is counted for each of them.
fn tell_slowest() {
    let store = corpus::store_of(texts());
    let mut costs: Vec<(f64, usize, String)> = Vec::new();
    for rule in PACK.engine.rules().iter().filter(|rule| !rule.is_correlation) {
        let engine = RuleSet::parse(&rule.origin.file, &rule.text).0.prepare();
        let begun = Instant::now();
        let found = matches(&engine, &store);
        let nanoseconds = begun.elapsed().as_nanos() as f64 / store.held_records().max(1) as f64;
        costs.push((nanoseconds, found, rule.title.clone()));
    }
    costs.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{:>10} {:>10}  the ten slowest rules, alone", "ns/event", "matches");
    for (nanoseconds, found, title) in costs.iter().take(10) {
        println!("{nanoseconds:>10.1} {found:>10}  {title}");
    }
}

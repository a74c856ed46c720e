//! How fast lines become events: the fast path against the general reader, and the whole line assembler.
//!
//! Reads `$KAUDITUI_SHARED/data/kube` or `../shared/data/kube`; without it, the few lines in `tests/data`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use divan::{Bencher, counter::BytesCount};
use kauditui::format::{Marks, Reader, Sink, Unreadable, bench_fast, bench_general};
use kauditui::model::Event;

/// Metadata lines, and lines with bodies.
static METADATA: LazyLock<Vec<u8>> = LazyLock::new(|| log("ordinary-meta.jsonl"));
static BODIES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let log = log("incident-full.jsonl");
    let has_body = |line: &&[u8]| memchr::memmem::find(line, b",\"responseObject\":").is_some();
    log.split_inclusive(|b| *b == b'\n').filter(has_body).flatten().copied().collect()
});

fn log(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KAUDITUI_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    fs::read(shared.join("data/kube").join(name))
        .or_else(|_| fs::read(root.join("tests/data/kube-apiserver.jsonl")))
        .expect("recorded lines")
}

/// The lines of a log, found with memchr: the standard splitter would cost more than the fast path.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text).map(move |end| &text[std::mem::replace(&mut start, end + 1)..end])
}

fn each_line(bencher: Bencher<'_, '_>, text: &[u8], read: fn(&[u8]) -> bool) {
    let wanted = lines(text).count();
    bencher.counter(BytesCount::of_slice(text)).bench(|| {
        assert_eq!(lines(divan::black_box(text)).filter(|line| read(line)).count(), wanted);
    });
}

#[divan::bench]
fn metadata_fast(bencher: Bencher<'_, '_>) {
    each_line(bencher, &METADATA, bench_fast);
}

#[divan::bench]
fn metadata_general(bencher: Bencher<'_, '_>) {
    each_line(bencher, &METADATA, bench_general);
}

#[divan::bench]
fn bodies_fast(bencher: Bencher<'_, '_>) {
    each_line(bencher, &BODIES, bench_fast);
}

#[divan::bench]
fn bodies_general(bencher: Bencher<'_, '_>) {
    each_line(bencher, &BODIES, bench_general);
}

struct Count(usize);

impl Sink for Count {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        self.0 += usize::from(event.stage_time.is_some());
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

#[divan::bench]
fn metadata_reader(bencher: Bencher<'_, '_>) {
    let wanted = lines(&METADATA).count();
    bencher.counter(BytesCount::of_slice(&*METADATA)).bench(|| {
        let (mut reader, mut count) = (Reader::new(), Count(0));
        reader.read(divan::black_box(&METADATA), &mut count);
        assert_eq!(count.0, wanted);
    });
}

fn main() {
    divan::main();
}

//! How fast texts are searched, in bytes of log a second and core: whole lines, and places in bodies.
//!
//! `KAUDITUI_CORPUS` names a log to take the lines from; without it they are those of `$KAUDITUI_SHARED/data/kube` or
//! `../shared/data/kube`, and without that the few in `tests/data`. They are repeated up to [`WANTED`] bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, SourceId};
use kauditui::query::{Plan, parse};
use kauditui::redact;
use kauditui::store::{Segment, SegmentBuilder};

/// Bytes of lines that are searched.
const WANTED: usize = 64 << 20;

static METADATA: LazyLock<Log> = LazyLock::new(|| log("ordinary-meta.jsonl"));
static BODIES: LazyLock<Log> = LazyLock::new(|| log("incident-full.jsonl"));

struct Log {
    segments: Vec<Segment>,
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

#[derive(Default)]
struct Packing {
    builder: Option<SegmentBuilder>,
    log: Vec<Segment>,
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Packing {
    fn close(&mut self) {
        self.log.extend(self.builder.take().map(|builder| builder.finish(0).segment));
    }
}

impl Sink for Packing {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        if self.builder.as_ref().is_some_and(SegmentBuilder::is_full) {
            self.close();
        }
        let builder = self.builder.get_or_insert_with(|| SegmentBuilder::new(SourceId(0), 0, true));
        builder.push(event, text, marks.replaced);
        self.lines.push(text.to_vec());
        self.bytes += text.len();
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

fn log(name: &str) -> Log {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KAUDITUI_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let path = match std::env::var_os("KAUDITUI_CORPUS") {
        Some(corpus) => PathBuf::from(corpus),
        None => shared.join("data/kube").join(name),
    };
    let mut text = fs::read(path)
        .or_else(|_| fs::read(root.join("tests/data/incident-small.jsonl")))
        .expect("recorded lines");
    if let Some(end) = text.get(..WANTED).and_then(|text| memchr::memrchr(b'\n', text)) {
        text.truncate(end + 1);
    }
    let mut packing = Packing::default();
    while packing.bytes < WANTED * 9 / 10 {
        Reader::new().read(&text, &mut packing);
    }
    packing.close();
    Log { segments: packing.log, lines: packing.lines, bytes: packing.bytes }
}

fn search(bencher: Bencher<'_, '_>, log: &Log, question: &str) {
    bencher.counter(BytesCount::new(log.bytes)).bench(|| {
        let plan = Plan::new(&parse(divan::black_box(question)).expect("a question of this bench"));
        log.segments.iter().map(|segment| u64::from(plan.rows(segment).count())).sum::<u64>()
    });
}

/// Metadata lines: a text in none of them, in few, in most, and with letters that JSON escapes.
#[divan::bench(args = ["text:nosuchthing", "text:mallory", "text:kube", "text:\"fieldManager=kubectl&\"", "annotation.k8s.io/deprecated:*"], sample_count = 5)]
fn metadata(bencher: Bencher<'_, '_>, question: &str) {
    search(bencher, &METADATA, question);
}

/// Lines with bodies, and places in them: of few objects, of one value, and of nearly every object.
#[divan::bench(
    args = [
        "text:nosuchthing",
        "text:mallory",
        "text:kube",
        "request.spec.replicas:>3",
        "response.spec.containers[].image:*nginx*",
        "response.metadata.name:novelapp",
        "body.metadata.namespace:*",
    ],
    sample_count = 5
)]
fn bodies(bencher: Bencher<'_, '_>, question: &str) {
    search(bencher, &BODIES, question);
}

/// The question whether a line may hold a secret, which each line is asked that is found.
#[divan::bench(args = ["Metadata", "RequestResponse"], sample_count = 5)]
fn may_hold_secret(bencher: Bencher<'_, '_>, level: &str) {
    let log = if level == "Metadata" { &*METADATA } else { &*BODIES };
    bencher
        .counter(BytesCount::new(log.bytes))
        .bench(|| log.lines.iter().filter(|line| redact::may_hold_secret(divan::black_box(line))).count());
}

fn main() {
    divan::main();
}

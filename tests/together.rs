//! More than ten formats opened at once: envelopes around audit events, the logs of controllers, compressed ones and ones
//! that are appended to, all on one timeline. And copies of logs whose lines have no id.
//!
//! The files are those of `tests/data/formats`, each with auditIDs and times of its own, so that their events lie between
//! each other.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use common::app::{keys, now, screen, work};
use kauditui::app::{App, Config, Msg};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::ingest::{self, IngestMessage, IngestOptions, Input};
use kauditui::model::{Event, format_rfc3339};
use kauditui::query::View;
use kauditui::store::{Field, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::channel;

/// A test that waits longer than this for a row has lost it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a file is stored.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    /// Empty when it is opened, and written then.
    Growing,
}

/// The same four audit events, in envelopes.
const ENVELOPES: [(&str, Kept); 13] = [
    ("native.jsonl", Kept::Plain),
    ("docker-json-file.log", Kept::Plain),
    ("cri.log", Kept::Gzip),
    ("journald-short.log", Kept::Plain),
    ("syslog-rfc5424.log", Kept::Zstd),
    ("cloudwatch-filter-log-events.json", Kept::Xz),
    ("azure-record-lines.json", Kept::Plain),
    ("loki-jsonl.log", Kept::Bzip2),
    ("elasticdump-original.log", Kept::Gzip),
    ("fluent-bit-tail.log", Kept::Xz),
    ("vector.log", Kept::Growing),
    ("cri-fluent-bit.log", Kept::Growing),
    ("otlp.json", Kept::Plain),
];

/// Logs of controllers, and the minute that is theirs.
const CONTROLLERS: [(&str, &str, Kept); 4] = [
    ("rancher-2.13.jsonl", "2026-02-03T15:13:", Kept::Zstd),
    ("argocd-server-v3.jsonl", "2026-05-04T08:00:", Kept::Growing),
    ("flux.jsonl", "2026-05-04T08:20:", Kept::Bzip2),
    ("fleet.log", "2026-05-04T08:10:", Kept::Plain),
];

/// A row: its time, whose log it is from, its verb and its auditID.
type Row = (String, String, String, String);

/// auditIDs and times of the file numbered `number`.
fn own(text: &str, number: usize) -> String {
    let ids =
        ["8c0c72493f9b", "8056ab86eca54caf", "8056-ab86eca54caf", "851e-5cf3857c56dd", "b8d0-4b9c4743824c"];
    let text = ids
        .iter()
        .fold(text.to_owned(), |text, id| text.replace(id, &format!("{}{number:02x}", &id[..id.len() - 2])));
    text.replace("2026-11-20T21:55:03.", &format!("2026-11-20T21:55:{:02}.", number * 4))
        .replace("2026-11-20T21:56:49.", &format!("2026-11-20T21:55:{:02}.", number * 4 + 2))
}

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn packed(text: &[u8], kept: Kept) -> (Vec<u8>, &'static str) {
    match kept {
        Kept::Plain => (text.to_vec(), ""),
        Kept::Growing => (Vec::new(), ""),
        Kept::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text).expect("packed");
            (gzip.finish().expect("packed"), ".gz")
        }
        Kept::Zstd => (zstd::encode_all(text, 1).expect("packed"), ".zst"),
        Kept::Bzip2 => {
            let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip2.write_all(text).expect("packed");
            (bzip2.finish().expect("packed"), ".bz2")
        }
        Kept::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).expect("packed");
            xz.write_all(text).expect("packed");
            (xz.finish().expect("packed"), ".xz")
        }
    }
}

struct Truth(Vec<Row>);

impl Sink for Truth {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        let time = event.stage_time.expect("every line has a time");
        let log = event.log.name().to_owned();
        self.0.push((format_rfc3339(time), log, event.verb.to_string(), event.audit_id.to_string()));
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

/// Logs in a folder, what is still to be appended to some, and the rows of all in the order of time.
struct Logs {
    folder: TempDir,
    paths: Vec<PathBuf>,
    pending: Vec<(PathBuf, String)>,
    truth: Vec<Row>,
}

impl Logs {
    fn new() -> Logs {
        let folder = tempfile::tempdir().expect("a folder");
        let mut logs = Logs { folder, paths: Vec::new(), pending: Vec::new(), truth: Vec::new() };
        for (number, (name, kept)) in ENVELOPES.into_iter().enumerate() {
            logs.add(name, &own(&data(name), number), kept);
            // From the recorded lines themselves, by another reader of JSON.
            for line in own(&data("native.jsonl"), number).lines() {
                let event: Value = serde_json::from_str(line).expect("an event");
                let text = |key: &str| event[key].as_str().expect("a string").to_owned();
                logs.truth.push((text("stageTimestamp"), "kube".to_owned(), text("verb"), text("auditID")));
            }
        }
        for (name, minute, kept) in CONTROLLERS {
            let text = data(name).replace(minute, "2026-11-20T21:55:");
            logs.add(name, &text, kept);
            let (mut reader, mut truth) = (Reader::new(), Truth(Vec::new()));
            reader.read(text.as_bytes(), &mut truth);
            reader.finish(&mut truth);
            assert!(!truth.0.is_empty(), "{name}");
            logs.truth.extend(truth.0);
        }
        logs.truth.sort();
        logs
    }

    fn add(&mut self, name: &str, text: &str, kept: Kept) {
        let (stored, ending) = packed(text.as_bytes(), kept);
        let path = self.folder.path().join(format!("{name}{ending}"));
        fs::write(&path, stored).expect("a log");
        if kept == Kept::Growing {
            self.pending.push((path.clone(), text.to_owned()));
        }
        self.paths.push(path);
    }
}

fn options(follow: bool) -> IngestOptions {
    IngestOptions { threads: 2, follow, ..IngestOptions::default() }
}

/// The rows of a view, in its order.
fn rows_of(store: &Store, view: &View) -> Vec<Row> {
    let ids = store.order().chunks().iter().flat_map(|chunk| chunk.ids().to_vec());
    let shown = ids.filter(|id| view.contains(*id));
    let row = |id: kauditui::model::EventId| {
        let segment = store.segment(id).expect("held");
        (
            format_rfc3339(store.stage_time(id)),
            segment.facts(id.row()).log().name().to_owned(),
            segment.string(Field::Verb, id.row()).to_owned(),
            segment.audit_id(id.row()),
        )
    };
    shown.map(row).collect()
}

/// Rows in the order of time, and those of one time in any.
fn assert_agrees(what: &str, mut rows: Vec<Row>, truth: &[Row]) {
    assert!(rows.is_sorted_by_key(|row| row.0.clone()), "{what}: {rows:#?}");
    rows.sort();
    assert_eq!(rows, truth, "{what}");
}

#[test]
fn formats_of_all_kinds_merge_in_the_order_of_time() {
    let logs = Logs::new();
    let inputs: Vec<Input> = logs.paths.iter().cloned().map(Input::Argument).collect();
    let (sender, mut messages) = channel(10_000);
    let running = ingest::start(&inputs, &options(true), &sender);
    drop(sender);
    for (path, text) in &logs.pending {
        let mut file = OpenOptions::new().append(true).open(path).expect("the log can be written");
        for line in text.split_inclusive('\n') {
            file.write_all(line.as_bytes()).expect("a line");
        }
    }
    let mut app = App::new(Config::default(), now());
    app.update(Msg::Resize(80, 24), now());
    let begun = Instant::now();
    while app.store.held_records() < logs.truth.len() as u64 {
        match messages.try_recv() {
            Ok(IngestMessage::Failed(error)) => panic!("{error}"),
            Ok(message) => drop(app.update(Msg::Ingest(message), now())),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
        assert!(begun.elapsed() < PATIENCE, "{} rows", app.store.held_records());
    }
    drop(running);
    while let Some(message) = messages.blocking_recv() {
        app.update(Msg::Ingest(message), now());
    }
    // What is routine is shown, too.
    keys(&mut app, "x");
    work(&mut app);
    assert_agrees("the timeline", rows_of(&app.store, &app.view), &logs.truth);

    let formats: BTreeSet<_> = app.sources.values().flat_map(|source| source.formats.clone()).collect();
    assert_eq!(formats.len(), ENVELOPES.len() + CONTROLLERS.len(), "{formats:?}");
    for (width, names) in [(80, "kube, docker +15"), (200, "kube, docker, CRI, journald +13")] {
        app.update(Msg::Resize(width, 24), now());
        let screen = screen(&app, width, 24);
        assert!(screen.lines().next().is_some_and(|status| status.contains(names)), "{screen}");
    }

    let output = Command::cargo_bin("kauditui")
        .expect("the binary is built with its tests")
        .args(["query", "-o", "jsonl", "--no-rotated"])
        .args(&logs.paths)
        .env("XDG_CONFIG_HOME", "/does/not/exist")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = String::from_utf8(output.stdout).expect("UTF-8");
    let row = |line: &str| -> Row {
        let row: Value = serde_json::from_str(line).expect("a row");
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        (text("time"), text("log"), text("verb"), text("auditID"))
    };
    assert_agrees("query", rows.lines().map(row).collect(), &logs.truth);
}

/// All that is read from files.
fn store_of(paths: &[PathBuf]) -> Store {
    let inputs: Vec<Input> = paths.iter().cloned().map(Input::Argument).collect();
    let (sender, mut messages) = channel(10_000);
    let running = ingest::start(&inputs, &options(false), &sender);
    drop(sender);
    let mut store = Store::new();
    while let Some(message) = messages.blocking_recv() {
        if let IngestMessage::History(batch) = message {
            store.push(*batch);
        }
    }
    running.join();
    store
}

#[test]
fn lines_without_an_id_are_one_in_a_copy_and_two_in_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a log");
        path
    };
    let text = data("argocd-server-v3.jsonl");
    let once = store_of(&[write("argocd.log", &text)]);
    let rows = once.counts().records;
    assert!(rows > 3);
    // A copy, as copytruncate leaves it, and the same in another envelope.
    let wrapped: String =
        text.lines().map(|line| format!("2026-11-21T00:00:00.000000000Z stdout F {line}\n")).collect();
    let paths = [write("argocd.log", &text), write("copy.log", &text), write("cri.log", &wrapped)];
    let counts = store_of(&paths).counts();
    assert_eq!((counts.records, counts.requests, counts.duplicates), (rows, rows, 2 * rows));
    // What a file tells twice happened twice, whichever file comes first.
    let told_twice = write("twice.log", &text.repeat(2));
    for paths in [[told_twice.clone(), paths[1].clone()], [paths[1].clone(), told_twice]] {
        let counts = store_of(&paths).counts();
        assert_eq!((counts.records, counts.duplicates), (2 * rows, rows), "{paths:?}");
    }
    // The same words at another time are another deed.
    let later = text.replace("2026-05-04T08:", "2026-05-04T09:");
    let counts = store_of(&[paths[0].clone(), write("later.log", &later)]).counts();
    assert_eq!((counts.records, counts.duplicates), (2 * rows, 0));
}

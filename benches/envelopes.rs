//! What envelopes cost over native lines, as ratios of one run: reading alone, and reading into the store as the
//! program does.
//!
//! Reads `$KAUDITUI_SHARED/data/kube` or `../shared/data/kube`; without it, the few lines in `tests/data`. Measuring
//! one run against another would measure the machine's other work, so each round does every format once, and the
//! least time of each is compared.
//!
//! What it came to into the store, in the release profile on two cores of 2026, three runs: CRI at most 1 % over native
//! lines, a node's name 10, journald 9; what stands in a JSON string 12 to 30 (CloudWatch 12 to 19, Fluent Bit, Elastic and
//! Loki to 25, Azure 26, Vector 27, docker 28, OpenTelemetry 30), where it was 25 to 36 before quotes and backslashes were
//! looked for sixteen bytes at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, SourceId};
use kauditui::store::SegmentBuilder;
use serde_json::json;

const ROUNDS: usize = 15;

/// What the issue grants over native lines, in percent.
const GRANTED: f64 = 30.0;

fn log() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KAUDITUI_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    fs::read_to_string(shared.join("data/kube/ordinary-meta.jsonl"))
        .or_else(|_| fs::read_to_string(root.join("tests/data/kube-apiserver.jsonl")))
        .expect("recorded lines")
}

/// Each line in its envelope.
fn wrapped(log: &str, wrap: impl Fn(&str) -> String) -> Vec<u8> {
    log.lines().flat_map(|line| (wrap(line) + "\n").into_bytes()).collect()
}

struct Count(usize);

impl Sink for Count {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        self.0 += usize::from(event.stage_time.is_some());
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

struct Packing {
    builder: SegmentBuilder,
    events: usize,
}

impl Sink for Packing {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        if self.builder.is_full() {
            std::mem::replace(&mut self.builder, SegmentBuilder::new(SourceId(0), 0, true)).finish(0);
        }
        self.builder.push(event, text, marks.replaced);
        self.events += 1;
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

fn read(text: &[u8]) -> usize {
    let (mut reader, mut count) = (Reader::new(), Count(0));
    reader.read(std::hint::black_box(text), &mut count);
    reader.finish(&mut count);
    count.0
}

fn ingest(text: &[u8]) -> usize {
    let mut packing = Packing { builder: SegmentBuilder::new(SourceId(0), 0, true), events: 0 };
    let mut reader = Reader::new();
    reader.read(std::hint::black_box(text), &mut packing);
    reader.finish(&mut packing);
    std::hint::black_box(packing.builder.finish(0));
    packing.events
}

fn main() {
    let log = log();
    let time = "2026-11-22T09:00:00.669794202Z";
    let events = log.lines().count();
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("native", wrapped(&log, str::to_owned)),
        ("CRI", wrapped(&log, |line| format!("{time} stdout F {line}"))),
        ("journald short", wrapped(&log, |line| format!("Nov 22 09:00:00 cp1 k3s[12]: {line}"))),
        ("node's name", wrapped(&log, |line| format!("ip-10-0-1-2.internal {line}"))),
        ("docker", wrapped(&log, |line| json!({"log": format!("{line}\n"), "stream": "stdout", "time": time}).to_string())),
        ("Fluent Bit", wrapped(&log, |line| json!({"date": 1.5, "log": line}).to_string())),
        ("Loki jsonl", wrapped(&log, |line| json!({"labels": {"job": "audit"}, "line": line, "timestamp": time}).to_string())),
        ("Vector", wrapped(&log, |line| json!({"file": "/var/log/audit.log", "host": "cp1", "message": line, "source_type": "file", "timestamp": time}).to_string())),
        ("CloudWatch document", json!({"events": log.lines().map(|line| json!({"logStreamName": "kube-apiserver-audit-1", "timestamp": 1, "message": line})).collect::<Vec<_>>()}).to_string().into_bytes()),
        ("Azure lines", wrapped(&log, |line| json!({"category": "kube-audit", "properties": {"log": line, "stream": "stdout"}, "time": time}).to_string())),
        ("Elastic original", wrapped(&log, |line| json!({"@timestamp": time, "event": {"original": line}}).to_string())),
        ("OpenTelemetry", wrapped(&log, |line| json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": line}}]}]}]}).to_string())),
        ("Fluent Bit in CRI", wrapped(&log, |line| format!("{time} stdout F {}", json!({"date": 1.5, "log": line})))),
    ];
    for (what, run) in [("reading", read as fn(&[u8]) -> usize), ("into the store", ingest)] {
        let mut least = vec![Duration::MAX; texts.len()];
        for _ in 0..ROUNDS {
            for ((name, text), least) in texts.iter().zip(&mut least) {
                let start = Instant::now();
                assert_eq!(run(text), events, "{name}");
                *least = start.elapsed().min(*least);
            }
        }
        println!("{what}: {events} events, least of {ROUNDS} rounds (granted: {GRANTED} % over native)");
        for ((name, _), time) in texts.iter().zip(&least) {
            let each = time.as_secs_f64() / events as f64;
            let over = (time.as_secs_f64() / least[0].as_secs_f64() - 1.0) * 100.0;
            println!("  {name:20} {:7.0} ns an event  {over:+6.1} %", each * 1e9);
        }
    }
}

//! What the pipeline reads from files is held whole: every row's text is, byte for byte, a line of a file.
//!
//! With `KAUDITUI_CORPUS=FILE` the same is checked on a large log made elsewhere: 1,000 rows picked all over it, the
//! first row, and how much memory the process takes for it. Run it alone then, since it measures the whole process:
//! `cargo test --test hold large`.

mod common;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::app::INCIDENT;
use kauditui::detect::{LoadedRules, RuleIndex};
use kauditui::ingest::{self, IngestMessage, IngestOptions, Input};
use kauditui::store::{KeepText, Store};
use tokio::sync::watch;

fn load(path: &Path) -> Store {
    load_with(path, KeepText::All, None)
}

fn load_with(path: &Path, keep_text: KeepText, rules: Option<&LoadedRules>) -> Store {
    let options = IngestOptions {
        threads: 2,
        rotated: true,
        keep_text,
        rules: rules.map(|rules| watch::channel(Arc::clone(&rules.engine)).1),
        ..IngestOptions::default()
    };
    let (sender, mut messages) = tokio::sync::mpsc::channel(4);
    let inputs = vec![Input::Argument(path.to_owned())];
    let reading = std::thread::spawn(move || ingest::start(&inputs, &options, &sender).join());
    let mut store = Store::new();
    while let Some(message) = messages.blocking_recv() {
        match message {
            IngestMessage::History(batch) => store.push(*batch),
            IngestMessage::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    reading.join().expect("read");
    store
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn lines_of(path: &Path) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).expect("a file");
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("unpacked");
    } else {
        (&file).read_to_end(&mut text).expect("read");
    }
    text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn logs_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

fn check(store: &Store, lines: &HashSet<u64>, rows: usize) {
    let order = store.order();
    let step = (order.len() / rows).max(1);
    let ids = order.chunks().iter().flat_map(|chunk| chunk.ids());
    let mut checked = 0;
    for id in ids.step_by(step) {
        let text = store.segment(*id).expect("held").text(id.row()).expect("unpacked");
        assert!(lines.contains(&hash(&text)), "{}", String::from_utf8_lossy(&text));
        checked += 1;
    }
    assert!(checked >= rows.min(order.len()), "{checked}");
}

/// Many rounds of the incident, each event with ids and times of its own, over a live file and rotated ones.
fn made_up(folder: &Path) -> usize {
    let mut count = 0;
    for (round, name) in
        ["audit-2026-11-20T20-00-00.000.log.gz", "audit-2026-11-20T21-00-00.000.log", "audit.log"]
            .into_iter()
            .enumerate()
    {
        let mut text = String::new();
        for repeat in 0..8 {
            let prefix = format!("\"auditID\":\"{round}{repeat}");
            for line in INCIDENT.lines() {
                let at = line.find("\"auditID\":\"").expect("an id");
                let minute = format!("T{:02}:", round * 8 + repeat);
                text += &format!("{}{prefix}{}\n", &line[..at], &line[at + 13..]).replace("T21:", &minute);
                count += 1;
            }
        }
        let file = std::fs::File::create(folder.join(name)).expect("a file");
        if name.ends_with("gz") {
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            packed.write_all(text.as_bytes()).and_then(|()| packed.finish().map(drop)).expect("packed");
        } else {
            (&file).write_all(text.as_bytes()).expect("written");
        }
    }
    count
}

#[test]
fn without_other_texts_the_rules_find_and_tell_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    made_up(folder.path());
    let log = folder.path().join("audit.log");
    let rules = LoadedRules::load(true, &[]);
    let of_hits = |keep_text| {
        let store = load_with(&log, keep_text, Some(&rules));
        let mut told = Vec::new();
        let mut without_text = 0;
        for (_, entry) in store.entries() {
            let segment = entry.segment();
            assert!(rules.engine.has_seen(segment, entry.hits()));
            for hit in entry.hits().found.iter() {
                let why = rules.engine.explain(RuleIndex(hit.rule), segment, hit.row);
                let text = segment.text(hit.row).ok();
                told.push((segment.audit_id(hit.row), segment.stage_time(hit.row), hit.rule, why, text));
            }
            without_text += (0..segment.rows()).filter(|row| segment.text(*row).is_err()).count();
        }
        told.sort_by(|a, b| (a.1, &a.0, a.2).cmp(&(b.1, &b.0, b.2)));
        let lengths: u64 =
            store.entries().map(|(_, entry)| u64::from(entry.segment().text_blocks().len())).sum();
        (told, lengths, without_text)
    };
    let (all, few) = (of_hits(KeepText::All), of_hits(KeepText::OfMatches));
    assert!(all.0.len() > 100 && all.0.len() == few.0.len(), "{} matches, and {}", all.0.len(), few.0.len());
    let mut kept = 0;
    for (of_all, of_few) in all.0.iter().zip(&few.0) {
        assert_eq!((&of_all.0, of_all.1, of_all.2, &of_all.3), (&of_few.0, of_few.1, of_few.2, &of_few.3));
        assert!(of_few.4.is_none() || of_few.4 == of_all.4, "another text");
        kept += usize::from(of_few.4.is_some());
    }
    assert!(kept > 10, "{kept} matches that need their text again");
    assert_eq!(all.1, few.1, "lengths are known of what was not kept");
    assert!(all.2 == 0 && few.2 > 100, "{} texts were not kept", few.2);
}

#[test]
fn every_line_of_a_rotated_log_is_held_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = made_up(folder.path());
    let store = load(&folder.path().join("audit.log"));
    assert_eq!(store.held_records(), count as u64);
    assert_eq!(store.counts().duplicates, 0);
    let lines: HashSet<u64> =
        logs_in(folder.path()).iter().flat_map(|p| lines_of(p)).map(|l| hash(&l)).collect();
    assert_eq!(lines.len(), count, "all lines differ");
    check(&store, &lines, count);
    let times: Vec<i64> =
        store.order().chunks().iter().flat_map(|c| c.ids()).map(|id| store.stage_time(*id)).collect();
    assert!(times.is_sorted());
}

#[test]
fn a_large_log_is_held_as_it_is() {
    let Some(path) = std::env::var_os("KAUDITUI_CORPUS").map(PathBuf::from) else {
        println!("skipped: 1 check needs KAUDITUI_CORPUS, a log made by corpus.py");
        return;
    };
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
        statm.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok()).expect("pages") * 4096
    };
    let before = resident();
    let store = load(&path);
    let held = resident() - before;
    println!(
        "{} records, {} MiB counted, {} MiB resident",
        store.held_records(),
        store.memory_bytes() >> 20,
        held >> 20
    );
    assert!(store.memory_bytes() >= held / 5 * 4, "what is counted is what is held, within a fifth");
    let lines: HashSet<u64> = logs_in(path.parent().expect("a folder"))
        .iter()
        .flat_map(|p| lines_of(p))
        .map(|l| hash(&l))
        .collect();
    assert_eq!(store.held_records(), lines.len() as u64);
    check(&store, &lines, 1000);
}

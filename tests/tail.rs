//! Following a log on a real file system, from `ingest::start` to the events that come out: whatever a rotator does,
//! each line comes once. [`kauditui::source::tail`] has the same in memory, with every interleaving.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::CommandCargoExt;
use flate2::{Compression, write::GzEncoder};
use kauditui::ingest::{self, Ingest, IngestMessage, IngestOptions, Input};
use kauditui::store::Batch;
use tokio::sync::mpsc::{self, Receiver};

/// Only a test that fails waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn line(number: usize) -> String {
    format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"line-{}","#,
            r#""stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{{"username":"alice"}},"#,
            r#""requestReceivedTimestamp":"2026-01-14T03:00:00.000000Z","#,
            r#""stageTimestamp":"2026-01-14T03:00:00.{:06}Z"}}"#,
            "\n"
        ),
        number, number
    )
}

/// The one who writes the log, and knows what was written.
struct Writer {
    path: PathBuf,
    file: File,
    written: usize,
}

impl Writer {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: append_to(path), written: 0 }
    }

    fn write(&mut self, lines: usize) {
        let text: String = (self.written..self.written + lines).map(line).collect();
        self.file.write_all(text.as_bytes()).expect("append");
        self.written += lines;
    }

    fn reopen(&mut self) {
        self.file = append_to(&self.path);
    }

    /// Renames the log, writes one more line to it, and begins a new one.
    fn rotate_to(&mut self, name: &str) -> PathBuf {
        let to = self.path.with_file_name(name);
        fs::rename(&self.path, &to).expect("rename the log");
        self.write(1);
        self.reopen();
        to
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("open the log to append")
}

fn compress(path: &Path) {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let mut encoder = GzEncoder::new(File::create(packed).expect("make an archive"), Compression::fast());
    encoder.write_all(&fs::read(path).expect("read what is compressed")).expect("compress");
    encoder.finish().expect("finish the archive");
    fs::remove_file(path).expect("remove what was compressed");
}

/// Follows and counts how often each event came, before anything is dropped for having come twice.
struct Follower {
    messages: Receiver<IngestMessage>,
    seen: BTreeMap<String, usize>,
    notices: Vec<String>,
    runtime: tokio::runtime::Runtime,
    _ingest: Ingest,
}

impl Follower {
    fn start(paths: &[&Path]) -> Self {
        let options = IngestOptions {
            threads: 1,
            follow: true,
            rotated: true,
            since: None,
            keep_text: false,
            on_worker_start: || {},
        };
        let inputs: Vec<Input> = paths.iter().map(|path| Input::Argument(path.to_path_buf())).collect();
        let (sender, messages) = mpsc::channel(1024);
        let ingest = ingest::start(&inputs, &options, &sender);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { messages, seen: BTreeMap::new(), notices: Vec::new(), runtime, _ingest: ingest }
    }

    fn next(&mut self) {
        let next = async { tokio::time::timeout(PATIENCE, self.messages.recv()).await };
        let message = self.runtime.block_on(next);
        let message = message.unwrap_or_else(|_| panic!("nothing comes after {:?}", self.seen));
        match message.expect("the follower is running") {
            IngestMessage::Live(batch) | IngestMessage::History(batch) => self.count(&batch),
            IngestMessage::Notice(notice) => self.notices.push(notice.kind),
            IngestMessage::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }

    fn count(&mut self, batch: &Batch) {
        for row in 0..batch.segment.rows() {
            *self.seen.entry(batch.segment.audit_id(row)).or_default() += 1;
        }
    }

    /// Waits for everything that was written.
    fn catch_up(&mut self, writer: &Writer) {
        while self.seen.len() < writer.written {
            self.next();
        }
    }

    fn wait_for_notice(&mut self, kind: &str) {
        while !self.notices.iter().any(|notice| notice == kind) {
            self.next();
        }
    }

    /// Each line came once. One more rotation makes the follower look at every old file again: a text that it does
    /// not recognise would come before the line behind it.
    fn assert_each_once(mut self, writer: &mut Writer) {
        self.catch_up(writer);
        writer.rotate_to("audit-2026-01-14T23-59-59.000.log");
        writer.write(1);
        self.catch_up(writer);
        let expected: BTreeMap<String, usize> =
            (0..writer.written).map(|number| (format!("line-{number}"), 1)).collect();
        assert_eq!(self.seen, expected);
        let lost = ["file unreadable", "damaged archive", "line too long"];
        assert!(!self.notices.iter().any(|kind| lost.contains(&kind.as_str())), "{:?}", self.notices);
    }
}

/// A log of three lines that is followed, all of them read.
fn followed() -> (tempfile::TempDir, Writer, Follower) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("audit.log");
    let mut writer = Writer::new(&path);
    writer.write(3);
    let mut follower = Follower::start(&[&path]);
    follower.catch_up(&writer);
    (folder, writer, follower)
}

#[test]
fn appended_lines_and_a_line_in_two_writes() {
    let (_folder, mut writer, mut follower) = followed();
    writer.write(2);
    follower.catch_up(&writer);
    let next = line(writer.written);
    let (first, second) = next.split_at(90);
    writer.file.write_all(first.as_bytes()).expect("append");
    // What is written to the folder makes the follower look at the half line.
    fs::write(writer.path.with_file_name("other"), "").expect("write a file");
    writer.file.write_all(second.as_bytes()).expect("append");
    writer.written += 1;
    follower.assert_each_once(&mut writer);
}

#[test]
fn renamed_and_made_anew() {
    let (_folder, mut writer, mut follower) = followed();
    for number in 1..4 {
        writer.write(2);
        writer.rotate_to(&format!("audit-2026-01-14T03-0{number}-00.000.log"));
        writer.write(2);
        follower.catch_up(&writer);
    }
    follower.wait_for_notice("file rotated");
    follower.assert_each_once(&mut writer);
}

#[test]
fn renamed_then_compressed() {
    let (_folder, mut writer, follower) = followed();
    for number in 1..4 {
        writer.write(2);
        compress(&writer.rotate_to(&format!("audit-2026-01-14T03-0{number}-00.000.log")));
        writer.write(2);
    }
    follower.assert_each_once(&mut writer);
}

#[test]
fn copied_and_truncated() {
    let (_folder, mut writer, mut follower) = followed();
    writer.write(2);
    fs::copy(&writer.path, writer.path.with_file_name("audit.log.1")).expect("copy the log");
    writer.file.set_len(0).expect("truncate the log");
    // Longer than it was: its size says nothing.
    writer.write(9);
    follower.wait_for_notice("file truncated");
    follower.assert_each_once(&mut writer);
}

#[test]
fn deleted_and_made_anew() {
    let (_folder, mut writer, mut follower) = followed();
    fs::remove_file(&writer.path).expect("delete the log");
    writer.write(2);
    follower.catch_up(&writer);
    follower.wait_for_notice("file deleted");
    writer.reopen();
    writer.write(2);
    follower.wait_for_notice("file made anew");
    follower.assert_each_once(&mut writer);
}

#[test]
fn a_link_that_is_swapped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("audit.log");
    let target = |day: &str| {
        fs::create_dir(folder.path().join(day)).expect("make a folder");
        folder.path().join(day).join("current.log")
    };
    let point_to = |target: &Path| {
        let aside = folder.path().join("new-link");
        symlink(target, &aside).expect("make a link");
        fs::rename(aside, &path).expect("swap the link");
    };
    point_to(&target("monday"));
    let mut writer = Writer::new(&path);
    writer.write(3);
    let mut follower = Follower::start(&[&path]);
    follower.catch_up(&writer);
    point_to(&target("tuesday"));
    writer.write(1);
    writer.reopen();
    writer.write(2);
    follower.wait_for_notice("link points elsewhere");
    follower.assert_each_once(&mut writer);
}

#[test]
fn a_file_whose_folder_is_not_there_yet() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubernetes/audit/audit.log");
    let mut follower = Follower::start(&[&path]);
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("make the folders");
    let mut writer = Writer::new(&path);
    writer.write(3);
    follower.wait_for_notice("file appeared");
    follower.catch_up(&writer);
    writer.write(1);
    follower.assert_each_once(&mut writer);
}

#[test]
fn a_file_given_twice_comes_twice_for_the_store_to_drop() {
    let (_folder, mut writer, follower) = followed();
    drop(follower);
    let mut follower = Follower::start(&[&writer.path, &writer.path]);
    writer.write(2);
    while follower.seen.values().sum::<usize>() < 2 * writer.written {
        follower.next();
    }
    assert_eq!(follower.seen.len(), writer.written);
    assert!(follower.seen.values().all(|times| *times == 2), "{:?}", follower.seen);
}

/// The program without inotify, which looks once a second.
struct Polling(Child);

impl Drop for Polling {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to stop then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn several_rotations_between_two_looks_without_inotify() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut writer = Writer::new(&folder.path().join("audit.log"));
    writer.write(3);
    let mut command = Command::cargo_bin("kauditui").expect("the binary is built with its tests");
    command.args(["query", "--follow", "--stages", "all", "-o", "jsonl"]).arg(&writer.path);
    command.env("KAUDITUI_NO_INOTIFY", "1").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Polling(command.spawn().expect("start"));
    let mut out = BufReader::new(child.0.stdout.take().expect("piped"));
    let mut seen = Vec::new();
    let mut catch_up = |written: usize| {
        while seen.len() < written {
            let mut row = String::new();
            assert!(out.read_line(&mut row).expect("a row") > 0, "it ended after {seen:?}");
            let row: serde_json::Value = serde_json::from_str(&row).expect("a row is JSON");
            seen.push(row["auditID"].as_str().expect("auditID").to_owned());
        }
        seen.clone()
    };
    catch_up(writer.written);
    for round in 0..2 {
        for number in 0..3 {
            writer.write(2);
            let old = writer.rotate_to(&format!("audit-2026-01-14T0{round}-0{number}-00.000.log"));
            if number == 1 {
                compress(&old);
            }
        }
        writer.write(1);
        catch_up(writer.written);
    }
    let mut seen = catch_up(writer.written);
    let mut expected: Vec<String> = (0..writer.written).map(|number| format!("line-{number}")).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

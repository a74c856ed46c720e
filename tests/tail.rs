//! Following a log on the real file system, from files to batches: whatever its writer and its rotator do, each line
//! comes exactly once. Every scenario is played with inotify and, in a process of its own, without.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use kauditui::ingest::{self, Ingest, IngestMessage, IngestOptions, Input};
use kauditui::notice::Notice;
use kauditui::source::names::COMPRESSED;
use kauditui::source::watch::NO_INOTIFY;
use kauditui::store::{Segment, Store};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel, error::TryRecvError};

/// A test that waits longer than this for a line has lost it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines are of equal length and end alike, as many do on a real cluster.
fn line(audit_id: &str) -> String {
    format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{}","#,
            r#""stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/pods","verb":"get","#,
            r#""user":{{"username":"alice"}},"requestReceivedTimestamp":"2026-01-14T03:00:00.000000Z","#,
            r#""stageTimestamp":"2026-01-14T03:00:01.000000Z"}}"#,
            "\n"
        ),
        audit_id
    )
}

fn open_for_writing(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log can be written")
}

fn gzip(from: &Path) {
    compress(from, ".gz");
}

/// As logrotate's `compresscmd` does.
fn compress(from: &Path, ending: &str) {
    let text = fs::read(from).expect("read the rotated file");
    let to = File::create(format!("{}{ending}", from.display())).expect("create the archive");
    match ending {
        ".gz" => {
            let mut encoder = GzEncoder::new(to, Compression::fast());
            encoder.write_all(&text).and_then(|()| encoder.finish()).map(drop)
        }
        ".zst" => zstd::stream::copy_encode(&text[..], to, 1),
        ".bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(to, bzip2::Compression::fast());
            encoder.write_all(&text).and_then(|()| encoder.finish()).map(drop)
        }
        ".xz" => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut encoder = lzma_rust2::XzWriter::new(to, options).expect("begin the archive");
            encoder.write_all(&text).and_then(|()| encoder.finish()).map(drop)
        }
        _ => panic!("nothing compresses to {ending}"),
    }
    .expect("compress");
    fs::remove_file(from).expect("remove the plain file");
}

/// The writer of a log, with a ledger of what it wrote.
struct Log {
    folder: TempDir,
    path: PathBuf,
    file: File,
    /// auditIDs in the order in which they were written.
    ledger: Vec<String>,
    rotations: usize,
}

impl Log {
    fn new() -> Self {
        Self::at("audit.log")
    }

    /// A log under a temporary folder, made with its folders.
    fn at(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a log is in a folder")).expect("create its folder");
        let file = open_for_writing(&path);
        Self { folder, path, file, ledger: Vec::new(), rotations: 0 }
    }

    fn sibling(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    fn next_line(&mut self) -> String {
        let audit_id = format!("request-{:06}", self.ledger.len());
        let text = line(&audit_id);
        self.ledger.push(audit_id);
        text
    }

    /// Writes lines, one write each, to the file the writer holds open, whatever it is called by now.
    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let text = self.next_line();
            self.file.write_all(text.as_bytes()).expect("write a line");
        }
    }

    fn reopen(&mut self) {
        self.file = open_for_writing(&self.path);
    }

    /// As kube-apiserver rotates: the file gets a time in its name. Returns the new name.
    fn rename(&mut self) -> PathBuf {
        self.rotations += 1;
        let to = self.sibling(&format!("audit-2026-01-14T03-00-{:02}.000.log", self.rotations));
        fs::rename(&self.path, &to).expect("rename the log");
        to
    }

    fn rotate(&mut self) -> PathBuf {
        let to = self.rename();
        self.reopen();
        to
    }

    /// As logrotate makes way for a new `.1`.
    fn shift(&self) {
        for number in (1..20).rev() {
            for ending in ["", ".gz"] {
                let from = self.sibling(&format!("audit.log.{number}{ending}"));
                let to = self.sibling(&format!("audit.log.{}{ending}", number + 1));
                match fs::rename(from, to) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
                    _ => {}
                }
            }
        }
    }

    fn copy_and_truncate(&mut self) {
        fs::copy(&self.path, self.sibling("audit.log.1")).expect("copy the log");
        self.file.set_len(0).expect("truncate the log");
    }
}

/// The program's ingest, following, with all that came out of it.
struct Reader {
    ingest: Option<Ingest>,
    messages: Receiver<IngestMessage>,
    /// How often each auditID came, from history and live.
    seen: BTreeMap<String, usize>,
    notices: Vec<Notice>,
    store: Store,
}

impl Reader {
    fn start(paths: &[&Path]) -> Self {
        let options = IngestOptions { follow: true, rotated: true, ..IngestOptions::default() };
        let inputs: Vec<Input> = paths.iter().map(|path| Input::Argument((*path).to_owned())).collect();
        let (sender, messages) = channel(10_000);
        let ingest = ingest::start(&inputs, &options, &sender);
        Self {
            ingest: Some(ingest),
            messages,
            seen: BTreeMap::new(),
            notices: Vec::new(),
            store: Store::new(),
        }
    }

    fn count(&mut self, segment: &Segment) {
        for row in 0..segment.rows() {
            *self.seen.entry(segment.audit_id(row)).or_default() += 1;
        }
    }

    /// Takes what has come. Whether there may be more.
    fn take(&mut self) -> bool {
        loop {
            match self.messages.try_recv() {
                Ok(IngestMessage::Live(batch)) => {
                    self.count(&batch.segment);
                    self.store.push_live(*batch).expect("a live batch can be unpacked");
                }
                Ok(IngestMessage::History(batch)) => {
                    self.count(&batch.segment);
                    self.store.push(*batch);
                }
                Ok(IngestMessage::Notice(notice)) => self.notices.push(notice),
                Ok(IngestMessage::Failed(error)) => panic!("nothing fails here: {error}"),
                Ok(_) => {}
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn wait_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        loop {
            self.take();
            if reached(self) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}; notices: {:#?}", self.notices);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for every line of the ledger.
    fn catch_up(&mut self, log: &Log) {
        let all = |reader: &Self| log.ledger.iter().all(|audit_id| reader.seen.contains_key(audit_id));
        self.wait_until("a line is missing", all);
    }

    fn wait_for_notice(&mut self, kind: &str) {
        let told = |reader: &Self| reader.notices.iter().any(|notice| notice.kind == kind);
        self.wait_until(&format!("no notice says {kind:?}"), told);
    }

    /// Rotates once more, stops, and compares with the ledger: `times` is how often each line must have come. The
    /// rotation makes the follower look at every old file again, and a text that it does not recognise comes before
    /// the line behind it.
    fn finish(mut self, log: &mut Log, times: usize) -> Store {
        self.catch_up(log);
        log.rotate();
        log.write(1);
        self.catch_up(log);
        self.wait_until("a line is missing", |reader| {
            reader.seen.values().sum::<usize>() >= log.ledger.len() * times
        });
        drop(self.ingest.take());
        while self.take() {
            thread::sleep(Duration::from_millis(5));
        }
        let expected: BTreeMap<String, usize> = log.ledger.iter().map(|id| (id.clone(), times)).collect();
        let wrong: Vec<_> = self.seen.iter().filter(|(id, count)| expected.get(*id) != Some(count)).collect();
        assert!(wrong.is_empty(), "not exactly {times} times: {wrong:?}; notices: {:#?}", self.notices);
        assert_eq!(self.seen.len(), expected.len());
        let lost: Vec<_> = self.notices.iter().filter(|notice| notice.is_loss).collect();
        assert!(lost.is_empty(), "{lost:#?}");
        self.store
    }
}

#[test]
fn what_is_there_and_what_is_appended() {
    let mut log = Log::new();
    log.write(500);
    // The beginning of a line is there when the log is opened, and its end comes later.
    let text = log.next_line();
    let (first, second) = text.split_at(100);
    log.file.write_all(first.as_bytes()).expect("write the beginning of a line");
    let mut reader = Reader::start(&[&log.path]);
    log.file.write_all(second.as_bytes()).expect("write its end");
    for _ in 0..20 {
        log.write(7);
        reader.take();
    }
    reader.catch_up(&log);
    log.write(3);
    reader.finish(&mut log, 1);
}

#[test]
fn a_line_is_held_until_its_newline_comes() {
    let mut log = Log::new();
    log.write(1);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    let text = log.next_line();
    for piece in text.as_bytes().chunks(60) {
        log.file.write_all(piece).expect("write a piece of a line");
        // Long enough for a look, so that the reader does see the pieces.
        thread::sleep(Duration::from_millis(40));
        reader.take();
        let whole = piece.ends_with(b"\n");
        assert!(whole || reader.seen.len() == 1, "an unfinished line is not shown");
    }
    reader.finish(&mut log, 1);
}

#[test]
fn renamed_while_the_writer_still_holds_the_old_file() {
    let mut log = Log::new();
    log.write(20);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    for _ in 0..3 {
        log.write(5);
        log.rename();
        log.write(5);
        let late = log.file.try_clone().expect("a second handle");
        log.reopen();
        log.write(5);
        // The old file gets one more line when the new one has lines already.
        let new = std::mem::replace(&mut log.file, late);
        log.write(1);
        log.file = new;
        reader.catch_up(&log);
    }
    reader.wait_for_notice("file rotated");
    reader.finish(&mut log, 1);
}

#[test]
fn a_line_that_is_cut_by_a_rename_is_finished_in_the_old_file() {
    let mut log = Log::new();
    let mut reader = Reader::start(&[&log.path]);
    log.write(4);
    let text = log.next_line();
    let (first, second) = text.split_at(150);
    log.file.write_all(first.as_bytes()).expect("write the beginning of a line");
    reader.wait_until("the lines before come", |reader| reader.seen.len() == 4);
    log.rename();
    log.file.write_all(second.as_bytes()).expect("write its end");
    log.reopen();
    log.write(4);
    reader.finish(&mut log, 1);
}

#[test]
fn renamed_then_compressed() {
    let mut log = Log::new();
    log.write(50);
    let mut reader = Reader::start(&[&log.path]);
    for _ in 0..3 {
        log.write(200);
        let old = log.rotate();
        gzip(&old);
        log.write(20);
        reader.catch_up(&log);
    }
    reader.finish(&mut log, 1);
}

#[test]
fn compressed_by_other_means_than_gzip() {
    for ending in COMPRESSED {
        let mut log = Log::new();
        // Siblings that are there already, by number and by date.
        for name in ["audit.log.2", "audit.log-20260113"] {
            fs::write(log.sibling(name), log.next_line()).expect("write a rotated log");
            compress(&log.sibling(name), ending);
        }
        log.write(50);
        let mut reader = Reader::start(&[&log.path]);
        reader.catch_up(&log);
        for _ in 0..2 {
            // Some lines have not been read when they are packed.
            log.write(200);
            let old = log.rotate();
            compress(&old, ending);
            log.write(20);
        }
        reader.catch_up(&log);
        reader.finish(&mut log, 1);
    }
}

#[test]
fn copied_and_truncated() {
    let mut log = Log::new();
    log.write(30);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    // The copy is overwritten in place each time, and holds lines that were not read before the log was emptied.
    for _ in 0..3 {
        log.write(25);
        log.copy_and_truncate();
        log.write(2);
        reader.catch_up(&log);
    }
    reader.wait_for_notice("file truncated");
    reader.finish(&mut log, 1);
}

#[test]
fn emptied_and_longer_than_before_at_once() {
    let mut log = Log::new();
    log.write(3);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    log.write(1);
    log.copy_and_truncate();
    log.write(300);
    reader.wait_for_notice("file truncated");
    reader.finish(&mut log, 1);
}

#[test]
fn truncated_twice_between_two_looks() {
    let mut log = Log::new();
    log.write(10);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    for _ in 0..2 {
        log.write(10);
        log.shift();
        log.copy_and_truncate();
    }
    log.write(10);
    reader.finish(&mut log, 1);
}

#[test]
fn a_line_that_only_the_copy_has() {
    // The reader has read nothing of the file when it is copied and emptied: nothing but the copy shows it.
    let mut log = Log::new();
    let reader = Reader::start(&[&log.path]);
    log.write(1);
    log.copy_and_truncate();
    reader.finish(&mut log, 1);
}

#[test]
fn deleted_and_made_anew() {
    let mut log = Log::new();
    log.write(10);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    log.write(10);
    fs::remove_file(&log.path).expect("delete the log");
    log.write(10);
    log.reopen();
    log.write(10);
    reader.wait_for_notice("file made anew");
    reader.finish(&mut log, 1);
}

#[test]
fn deleted_and_only_later_made_anew() {
    let mut log = Log::new();
    log.write(10);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    fs::remove_file(&log.path).expect("delete the log");
    reader.wait_for_notice("file deleted");
    log.write(10);
    reader.catch_up(&log);
    log.reopen();
    log.write(10);
    reader.finish(&mut log, 1);
}

#[test]
fn a_link_that_points_elsewhere_and_back() {
    let mut log = Log::at("monday/audit.log");
    let (monday, link) = (log.path.clone(), log.folder.path().join("current.log"));
    let tuesday = log.folder.path().join("tuesday/audit.log");
    fs::create_dir_all(tuesday.parent().expect("it is in a folder")).expect("create a folder");
    symlink(&monday, &link).expect("make the link");
    log.write(10);
    let mut reader = Reader::start(&[&link]);
    reader.catch_up(&log);
    for target in [&tuesday, &monday, &tuesday] {
        log.write(5);
        log.path.clone_from(target);
        log.reopen();
        log.write(5);
        let aside = log.folder.path().join("new-link");
        symlink(target, &aside).expect("make the next link");
        fs::rename(&aside, &link).expect("swap the links");
        reader.catch_up(&log);
    }
    reader.wait_for_notice("link points elsewhere");
    reader.finish(&mut log, 1);
}

#[test]
fn a_copy_of_itself_takes_its_place() {
    let mut log = Log::new();
    log.write(10);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    let aside = log.sibling(".audit.log.swp");
    fs::copy(&log.path, &aside).expect("copy the log");
    fs::rename(&aside, &log.path).expect("put the copy in its place");
    log.reopen();
    log.write(10);
    reader.finish(&mut log, 1);
}

#[test]
fn a_file_that_appears() {
    let mut log = Log::new();
    fs::remove_file(&log.path).expect("delete the empty log");
    let mut reader = Reader::start(&[&log.path]);
    log.reopen();
    log.write(10);
    reader.wait_for_notice("file appeared");
    log.rotate();
    log.write(10);
    reader.finish(&mut log, 1);
}

#[test]
fn a_folder_that_appears() {
    let mut log = Log::new();
    log.path = log.folder.path().join("var/log/kubernetes/audit.log");
    let mut reader = Reader::start(&[&log.path]);
    fs::create_dir_all(log.path.parent().expect("it is in a folder")).expect("create the folders");
    log.reopen();
    log.write(10);
    reader.catch_up(&log);
    log.rotate();
    log.write(10);
    reader.catch_up(&log);
    // And once more, with all that was in it: what was there has been read.
    fs::remove_dir_all(log.folder.path().join("var")).expect("delete the folders");
    reader.wait_for_notice("file deleted");
    fs::create_dir_all(log.path.parent().expect("it is in a folder")).expect("create the folders");
    log.reopen();
    log.write(10);
    reader.finish(&mut log, 1);
}

#[test]
fn rotated_several_times_between_two_looks() {
    let mut log = Log::new();
    log.write(10);
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    for packed in [false, true, false] {
        for _ in 0..3 {
            log.write(10);
            let old = log.rotate();
            if packed {
                gzip(&old);
            }
        }
        log.write(10);
        reader.catch_up(&log);
    }
    reader.finish(&mut log, 1);
}

#[test]
fn shifted_numbers_between_two_looks() {
    let mut log = Log::new();
    log.write(10);
    fs::write(log.sibling("audit.log.1"), log.next_line()).expect("write a rotated log");
    let mut reader = Reader::start(&[&log.path]);
    reader.catch_up(&log);
    for round in 0..6 {
        log.write(10);
        log.shift();
        fs::rename(&log.path, log.sibling("audit.log.1")).expect("rename the log");
        log.reopen();
        if round % 3 == 1 {
            gzip(&log.sibling("audit.log.1"));
        }
        if round % 2 == 1 {
            reader.catch_up(&log);
        }
    }
    reader.finish(&mut log, 1);
}

#[test]
fn opened_while_it_is_rotated_all_the_time() {
    let mut log = Log::new();
    log.write(50);
    let path = log.path.clone();
    let writer = thread::spawn(move || {
        for round in 0..40 {
            log.write(20);
            let old = log.rotate();
            if round % 4 == 0 {
                gzip(&old);
            }
            thread::sleep(Duration::from_millis(3));
        }
        log
    });
    thread::sleep(Duration::from_millis(20));
    let reader = Reader::start(&[&path]);
    let mut log = writer.join().expect("the writer is done");
    reader.finish(&mut log, 1);
}

#[test]
fn opened_while_its_numbers_shift() {
    let mut log = Log::new();
    log.write(50);
    let path = log.path.clone();
    let writer = thread::spawn(move || {
        for round in 0..15 {
            log.write(20);
            log.shift();
            fs::rename(&log.path, log.sibling("audit.log.1")).expect("rename the log");
            log.reopen();
            if round % 4 == 0 {
                gzip(&log.sibling("audit.log.1"));
            }
            thread::sleep(Duration::from_millis(3));
        }
        log
    });
    thread::sleep(Duration::from_millis(20));
    let reader = Reader::start(&[&path]);
    let mut log = writer.join().expect("the writer is done");
    reader.finish(&mut log, 1);
}

#[test]
fn a_file_given_twice_is_read_once() {
    let mut log = Log::new();
    log.write(40);
    let mut reader = Reader::start(&[&log.path, &log.path]);
    reader.catch_up(&log);
    log.write(10);
    log.rotate();
    log.write(10);
    reader.wait_for_notice("named twice");
    let counts = reader.finish(&mut log, 1).counts();
    let lines = log.ledger.len() as u64;
    assert_eq!((counts.records, counts.duplicates, counts.requests), (lines, 0, lines));
}

/// Everything above once more, by looking once a second only.
#[test]
fn without_inotify() {
    if std::env::var_os(NO_INOTIFY).is_some() {
        return;
    }
    let own = std::env::current_exe().expect("a test knows its program");
    // They hardly do anything but wait.
    let again = ["--test-threads", "32"];
    let output = Command::new(own).args(again).env(NO_INOTIFY, "1").output().expect("run the tests again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("copied_and_truncated ... ok"), "the scenarios were played: {said}");
}

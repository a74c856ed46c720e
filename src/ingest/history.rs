//! What is already there: chunks of plain files and whole archives, read by a few workers, newest first.
//!
//! A worker turns one piece into one or more sealed segments and sends them; nothing is shared but the queue and the
//! counts of each file. The channel is bounded, so workers wait when the owner of the store is busy with its user.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::Sender;

use super::collector::Collector;
use super::report::Tally;
use super::{IngestMessage, IngestOptions};
use crate::error::Error;
use crate::format;
use crate::model::{Micros, SourceId};
use crate::notice::Notice;
use crate::source::filesystem::{FileSystem, RealFileSystem};
use crate::source::names::compressed_forms;
use crate::source::{archive, backfill};
use crate::store::Batch;

/// Largest nominal chunk of a plain file: some 50,000 Metadata lines, so that a chunk makes one segment.
const LARGEST_CHUNK: u64 = 48 << 20;
/// Text is read in pieces of this size: larger ones only cost memory.
const PIECE: usize = 256 << 10;

/// A file of history, and how far it has been read.
pub(super) struct HistoryFile {
    /// Which log it belongs to.
    pub(super) source: Arc<SourceProgress>,
    /// Number of the file, for the store's search for lines read twice.
    pub(super) origin: u32,
    /// Where it is, or was when it was opened.
    pub(super) path: PathBuf,
    /// Its size on disk.
    pub(super) stored_bytes: u64,
    /// Places events in a file without any time.
    pub(super) modified: Micros,
    tally: Mutex<Tally>,
    open_pieces: AtomicUsize,
    failed: AtomicBool,
}

/// How far the history of one log has been read.
pub(super) struct SourceProgress {
    pub(super) id: SourceId,
    done: AtomicU64,
    total: AtomicU64,
    open_files: AtomicUsize,
    /// Nothing older is wanted: it lies before `--since`, or memory is full.
    finished: AtomicBool,
    /// Nobody follows this log: it ends with its history.
    pub(super) ends: AtomicBool,
}

impl SourceProgress {
    /// Nothing older is wanted.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    pub(super) fn new(id: SourceId) -> Arc<Self> {
        Arc::new(Self {
            id,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            open_files: AtomicUsize::new(0),
            finished: AtomicBool::new(false),
            ends: AtomicBool::new(true),
        })
    }

    /// Whether no file of this log was planned to be read.
    pub(super) fn has_nothing(&self) -> bool {
        self.open_files.load(Ordering::Relaxed) == 0
    }
}

/// What a worker does next.
enum Piece {
    /// A nominal range of a plain file that is open.
    Range { file: Arc<HistoryFile>, handle: Arc<File>, from: u64, to: u64, end: u64 },
    /// A whole stored file. It was opened when it was planned, since its name may be another file's by the time its
    /// turn comes; only when too many files are open already is it opened then.
    Whole { file: Arc<HistoryFile>, handle: Option<File> },
    /// Text in memory.
    Text { file: Arc<HistoryFile>, text: Arc<[u8]> },
}

impl Piece {
    fn file(&self) -> &Arc<HistoryFile> {
        match self {
            Piece::Range { file, .. } | Piece::Whole { file, .. } | Piece::Text { file, .. } => file,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Piece::Range { from, to, .. } => to - from,
            Piece::Whole { file, .. } => file.stored_bytes,
            Piece::Text { text, .. } => text.len() as u64,
        }
    }
}

/// Everything that is to be read, in the order in which it is.
#[derive(Default)]
pub(super) struct Plan {
    /// Pieces of each log, newest first.
    sources: Vec<VecDeque<Piece>>,
}

impl Plan {
    /// How far each log has been read.
    pub(super) fn progress(&self) -> Vec<Arc<SourceProgress>> {
        let newest = self.sources.iter().filter_map(|pieces| pieces.front());
        newest.map(|piece| Arc::clone(&piece.file().source)).collect()
    }

    /// Starts a log; files are then added to it newest first.
    pub(super) fn add_source(&mut self) {
        self.sources.push(VecDeque::new());
    }

    /// Adds the part of an open plain file before `end`.
    pub(super) fn add_open_file(&mut self, file: HistoryFile, handle: File, end: u64) {
        let ranges = backfill::plan(end, LARGEST_CHUNK);
        let (file, handle) = (file.register(ranges.len().max(1)), Arc::new(handle));
        if ranges.is_empty() {
            self.push(Piece::Range { file, handle, from: 0, to: 0, end });
            return;
        }
        for (from, to) in ranges {
            self.push(Piece::Range { file: Arc::clone(&file), handle: Arc::clone(&handle), from, to, end });
        }
    }

    /// Adds a stored file, which may be an archive.
    pub(super) fn add_stored_file(&mut self, file: HistoryFile, handle: Option<File>) {
        let file = file.register(1);
        self.push(Piece::Whole { file, handle });
    }

    /// Adds text that is in memory.
    pub(super) fn add_text(&mut self, file: HistoryFile, text: Arc<[u8]>) {
        let file = file.register(1);
        self.push(Piece::Text { file, text });
    }

    fn push(&mut self, piece: Piece) {
        if let Some(last) = self.sources.last_mut() {
            last.push_back(piece);
        }
    }

    /// One queue for all logs, so that each shows its newest rows soon.
    fn interleave(mut self) -> VecDeque<Piece> {
        let mut queue = VecDeque::new();
        while self.sources.iter().any(|pieces| !pieces.is_empty()) {
            queue.extend(self.sources.iter_mut().filter_map(VecDeque::pop_front));
        }
        queue
    }
}

impl HistoryFile {
    pub(super) fn new(
        source: &Arc<SourceProgress>,
        origin: u32,
        path: PathBuf,
        stored_bytes: u64,
        modified: Micros,
    ) -> Self {
        Self {
            source: Arc::clone(source),
            origin,
            path,
            stored_bytes,
            modified,
            tally: Mutex::default(),
            open_pieces: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        }
    }

    fn register(self, pieces: usize) -> Arc<Self> {
        self.open_pieces.store(pieces, Ordering::Relaxed);
        self.source.open_files.fetch_add(1, Ordering::Relaxed);
        self.source.total.fetch_add(self.stored_bytes, Ordering::Relaxed);
        Arc::new(self)
    }
}

/// What all workers share.
struct Shared {
    queue: Mutex<VecDeque<Piece>>,
    sender: Sender<IngestMessage>,
    options: IngestOptions,
    stop: Arc<AtomicBool>,
    stop_history: Arc<AtomicBool>,
}

/// Nobody listens any more.
struct Closed;

/// Starts the workers. They end when everything has been read, `stop` is set, or nobody listens.
pub(super) fn start(
    plan: Plan,
    sender: Sender<IngestMessage>,
    options: &IngestOptions,
    stop: Arc<AtomicBool>,
    stop_history: Arc<AtomicBool>,
) -> Vec<JoinHandle<()>> {
    let queue = plan.interleave();
    let workers = options.threads.clamp(1, queue.len().max(1));
    let shared =
        Arc::new(Shared { queue: Mutex::new(queue), sender, options: options.clone(), stop, stop_history });
    (0..workers)
        .filter_map(|number| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("history-{number}")).spawn(move || work(&shared)).ok()
        })
        .collect()
}

fn work(shared: &Shared) {
    (shared.options.on_worker_start)();
    while !shared.stop.load(Ordering::Relaxed) {
        let next = shared.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(piece) = next else { return };
        let wanted = !shared.stop_history.load(Ordering::Relaxed)
            && !piece.file().source.finished.load(Ordering::Relaxed);
        if wanted {
            // A panic costs this piece and is told; the others are still read.
            match catch_unwind(AssertUnwindSafe(|| shared.read(&piece))) {
                Ok(Ok(())) => {}
                Ok(Err(Closed)) => return,
                Err(_) => {
                    let notice = Notice {
                        source: Some(piece.file().source.id),
                        kind: "a worker failed".to_owned(),
                        detail: format!("reading {}", piece.file().path.display()),
                        is_loss: true,
                    };
                    if shared.send(IngestMessage::Notice(notice)).is_err() {
                        return;
                    }
                }
            }
        }
        if shared.finish(&piece).is_err() {
            return;
        }
    }
}

impl Shared {
    fn send(&self, message: IngestMessage) -> Result<(), Closed> {
        self.sender.blocking_send(message).map_err(|_| Closed)
    }

    fn read(&self, piece: &Piece) -> Result<(), Closed> {
        let file = piece.file();
        let mut collector =
            Collector::new(file.source.id, file.origin, file.modified, self.options.keep_text);
        collector.set_filter(self.options.candidates.clone());
        collector.set_rules(self.options.rules.clone());
        let mut closed = false;
        let outcome = match piece {
            Piece::Range { handle, from, to, end, .. } => {
                let alone = |line: &[u8]| format::stands_alone(line);
                let was_cached = archive::is_cached(handle, *from, *to);
                backfill::boundary(handle, *from, *end, &alone).and_then(|start| {
                    let stop = backfill::boundary(handle, *to, *end, &alone)?;
                    backfill::read_lines(handle, start, stop, PIECE, |text| {
                        closed = self.take(file, &mut collector, text).is_err();
                        !closed && !self.stop.load(Ordering::Relaxed)
                    })?;
                    if !was_cached {
                        archive::forget(handle, start, stop);
                    }
                    Ok(())
                })
            }
            Piece::Whole { file, handle } => {
                self.read_stored(file, handle.as_ref(), &mut collector, &mut closed)
            }
            Piece::Text { text, .. } => {
                for part in text.chunk_by(|a, _| *a != b'\n') {
                    closed |= self.take(file, &mut collector, part).is_err();
                }
                Ok(())
            }
        };
        if closed {
            return Err(Closed);
        }
        if let Err(cause) = outcome {
            file.failed.store(true, Ordering::Relaxed);
            self.send(IngestMessage::Failed(Error::unreadable(&file.path, cause)))?;
        }
        let full = collector.end_of_text();
        self.tell_formats(file, &mut collector)?;
        for batch in full {
            self.deliver(batch)?;
        }
        if let Some(batch) = collector.take_batch() {
            // A few candidates alone do not tell how old everything before them is.
            if self.options.candidates.is_none() {
                self.note_age(file, batch.segment.max_time());
            }
            self.deliver(batch)?;
        }
        for notice in collector.take_notices() {
            self.send(IngestMessage::Notice(notice))?;
        }
        file.tally.lock().unwrap_or_else(PoisonError::into_inner).merge(&collector.take_tally());
        Ok(())
    }

    fn read_stored(
        &self,
        file: &Arc<HistoryFile>,
        handle: Option<&File>,
        collector: &mut Collector,
        closed: &mut bool,
    ) -> std::io::Result<()> {
        let opened = match handle {
            // The clone shares its place with the handle, which nobody else reads.
            Some(handle) => handle.try_clone()?,
            None => open_rotated(&file.path)?,
        };
        let was_cached = archive::is_cached(&opened, 0, file.stored_bytes);
        let mut text = archive::Text::new(archive::QuietFile::new(opened, !was_cached))?;
        // Bytes behind `have` are room that was written to before.
        let (mut buffer, mut have) = (Vec::new(), 0);
        let mut damaged = false;
        loop {
            if buffer.len() < have + PIECE {
                buffer.resize(have + PIECE, 0);
            }
            let read = match text.read(&mut buffer[have..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if read == 0 {
                break;
            }
            let searched = have;
            have += read;
            if let Some(last) = memchr::memrchr(b'\n', &buffer[searched..have]) {
                let whole = searched + last + 1;
                *closed = self.take(file, collector, &buffer[..whole]).is_err();
                buffer.copy_within(whole..have, 0);
                have -= whole;
            }
            if *closed
                || self.stop.load(Ordering::Relaxed)
                || self.stop_history.load(Ordering::Relaxed)
                || have > crate::source::MAX_LINE * 2
            {
                damaged |= have > crate::source::MAX_LINE * 2;
                have = 0;
                if !damaged {
                    break;
                }
            }
        }
        if have > 0 {
            *closed |= self.take(file, collector, &buffer[..have]).is_err();
        }
        if let Some(damage) = text.into_damage() {
            let notice = Notice {
                source: Some(file.source.id),
                kind: "damaged archive".to_owned(),
                detail: format!(
                    "{} ends early, after {} bytes of text: {}",
                    file.path.display(),
                    damage.at,
                    damage.cause
                ),
                is_loss: true,
            };
            *closed |= self.send(IngestMessage::Notice(notice)).is_err();
        }
        Ok(())
    }

    fn take(&self, file: &HistoryFile, collector: &mut Collector, text: &[u8]) -> Result<(), Closed> {
        let full = collector.read(text);
        self.tell_formats(file, collector)?;
        for batch in full {
            self.note_age(file, batch.segment.max_time());
            self.deliver(batch)?;
        }
        if let Some(newest) = collector.newest_skipped() {
            self.note_age(file, newest);
        }
        Ok(())
    }

    /// Tells formats as soon as they are found: a large file is read to its end late, or never.
    fn tell_formats(&self, file: &HistoryFile, collector: &mut Collector) -> Result<(), Closed> {
        let formats = collector.take_new_formats();
        if formats.is_empty() { Ok(()) } else { self.send(IngestMessage::Formats(file.source.id, formats)) }
    }

    /// Reads no older piece of a log of which a whole stretch, up to `newest`, lies before what is asked for.
    fn note_age(&self, file: &HistoryFile, newest: Micros) {
        if self.options.since.is_some_and(|since| newest < since) {
            file.source.finish();
        }
    }

    fn deliver(&self, batch: Batch) -> Result<(), Closed> {
        self.send(IngestMessage::History(Box::new(batch)))
    }

    /// Tells what is done once a piece is: the progress, its file, its log.
    fn finish(&self, piece: &Piece) -> Result<(), Closed> {
        let file = piece.file();
        let source = &file.source;
        let done = source.done.fetch_add(piece.bytes(), Ordering::Relaxed) + piece.bytes();
        let total = source.total.load(Ordering::Relaxed);
        self.send(IngestMessage::Progress { source: source.id, done, total })?;
        if file.open_pieces.fetch_sub(1, Ordering::AcqRel) != 1 {
            return Ok(());
        }
        if !file.failed.load(Ordering::Relaxed) {
            let tally = file.tally.lock().unwrap_or_else(PoisonError::into_inner);
            let report = tally.report(file.path.display().to_string(), file.origin, file.stored_bytes);
            drop(tally);
            self.send(IngestMessage::File(source.id, Box::new(report)))?;
        }
        if source.open_files.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.send(IngestMessage::HistoryDone(source.id))?;
            if source.ends.load(Ordering::Relaxed) {
                self.send(IngestMessage::End(source.id))?;
            }
        }
        Ok(())
    }
}

/// Opens a rotated file, under the name it has when it was compressed since it was listed.
pub(super) fn open_rotated(path: &Path) -> std::io::Result<File> {
    match RealFileSystem.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            compressed_forms(path).find_map(|name| RealFileSystem.open(&name).ok()).ok_or(error)
        }
        other => other,
    }
}

//! The pipeline from sources to segments: follow threads for what comes, workers for what is there, bounded
//! channels between them and the one thread that owns the store. [`locate`] finds read records again, as evidence.

mod collector;
mod history;
mod live;
mod locate;
mod report;
mod siblings;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use crate::detect::Engine;
use crate::error::Error;
use crate::format::{self, Format, LineFilter};
use crate::model::{self, Micros, SECOND, SourceId};
use crate::notice::Notice;
use crate::source::filesystem::{FileSystem, RealFileSystem};
use crate::source::names::{compressed_ending_of, rotated_name};
use crate::source::resolve::{Brought, LogSource, ResolveOptions, resolve, take_out_brought};
use crate::source::tail::Tail;
use crate::source::{archive, backfill, follow, stdin};
use crate::store::Batch;
use collector::Collector;
use history::{HistoryFile, Plan, SourceProgress};
use live::LiveFeed;

pub use crate::store::KeepText;
pub use locate::{Located, Place, evidence, locate, sha256_hex};
pub use report::{Coverage, GAP};

/// How logs are read.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Worker threads for history.
    pub threads: usize,
    /// Whether to go on reading what is appended.
    pub follow: bool,
    /// Whether a file brings its rotated siblings.
    pub rotated: bool,
    /// History before this moment is not read.
    pub since: Option<Micros>,
    /// Which original texts are kept beside columns and counts. [`KeepText::OfMatches`] needs [`Self::rules`], and is
    /// about history: live lines may be looked at again when others join them, and so keep all of theirs.
    pub keep_text: KeepText,
    /// Of history, only candidates of this are read; `None` for every line. Other whole events become neither rows
    /// nor notices, and count in no [`FileReport`] but for its bytes, its lines and the last moment.
    pub candidates: Option<LineFilter>,
    /// The rules that are run over each segment as it is sealed; `None` for none. What is sent here later is used from
    /// the next segment on.
    pub rules: Option<watch::Receiver<Arc<Engine>>>,
    /// Called by each thread when it starts: to lower its priority.
    pub on_worker_start: fn(),
}

/// Reads the whole of the files that are named, once, with one thread, and keeps every text.
impl Default for IngestOptions {
    fn default() -> Self {
        IngestOptions {
            threads: 1,
            follow: false,
            rotated: false,
            since: None,
            keep_text: KeepText::All,
            candidates: None,
            rules: None,
            on_worker_start: || {},
        }
    }
}

/// What is known about one log.
#[derive(Clone, Debug)]
pub struct SourceDescription {
    /// Its number.
    pub id: SourceId,
    /// What to call it: the file's name, `stdin`, `demo`.
    pub name: String,
    /// The path as it was given, or found.
    pub path: String,
    /// Rotated files that belong to it.
    pub rotated: usize,
    /// What the names of those that are compressed end in, such as `.gz`.
    pub compressed: Vec<&'static str>,
}

/// What one file held, told when it has been read to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// Its number, as in [`Batch::origin`].
    pub origin: u32,
    /// Bytes on disk.
    pub stored_bytes: u64,
    /// Bytes of text, unpacked.
    pub text_bytes: u64,
    /// Lines, readable or not; blank ones are not counted.
    pub lines: u64,
    /// Events read from them.
    pub events: u64,
    /// The same by format, such as `kube audit in CRI lines`, the commonest first.
    pub formats: Vec<(String, u64)>,
    /// Lines or parts that could not be read, by kind.
    pub unreadable: Vec<(String, u64)>,
    /// Lines of controllers' logs that tell of no change, by the name of the log's kind.
    pub passed_over: Vec<(String, u64)>,
    /// Least stage time.
    pub first: Option<Micros>,
    /// Greatest stage time.
    pub last: Option<Micros>,
    /// Stretches of more than ten minutes without a line: (last before, first after).
    pub gaps: Vec<(Micros, Micros)>,
}

/// What the pipeline tells the owner of the store.
#[derive(Debug)]
pub enum IngestMessage {
    /// A log was opened.
    Opened(SourceDescription),
    /// A log could not be opened or read; the others go on.
    Failed(Error),
    /// Live lines, in the order in which they came.
    Live(Box<Batch>),
    /// A sealed piece of history, newest first within a source.
    History(Box<Batch>),
    /// History read so far and in all, in bytes on disk.
    Progress {
        /// Which log.
        source: SourceId,
        /// Bytes read.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
    /// The formats of events that a log was found to hold. One may be told several times.
    Formats(SourceId, Vec<Format>),
    /// Something to count and to show.
    Notice(Notice),
    /// A file was read to its end.
    File(SourceId, Box<FileReport>),
    /// All history of a log has been sent.
    HistoryDone(SourceId),
    /// Nothing more will come from this log: end of standard input, or not followed.
    End(SourceId),
    /// A log that could not be opened can be read now.
    Available(PathBuf),
}

/// A log to read.
#[derive(Clone, Debug)]
pub enum Input {
    /// An argument as the user gave it: a file, a folder, a glob or `-`.
    Argument(PathBuf),
    /// Text that is in memory, such as the demo, with its name.
    Text(String, Arc<[u8]>),
}

/// The running pipeline. Dropping it stops it.
pub struct Ingest {
    stop: Arc<AtomicBool>,
    stop_history: Arc<AtomicBool>,
    progress: Vec<Arc<SourceProgress>>,
    /// Ends the following of one log.
    followers: Followers,
    threads: Vec<JoinHandle<()>>,
}

/// What ends the following of each log.
type Followers = Vec<(SourceId, Arc<AtomicBool>)>;

impl Ingest {
    /// Says that older history is not wanted any more: memory is full.
    pub fn stop_history(&self) {
        self.stop_history.store(true, Ordering::Relaxed);
    }

    /// Says that older history of this log is not wanted any more: it lies before what is asked for.
    pub fn enough_history(&self, source: SourceId) {
        if let Some(progress) = self.progress.iter().find(|progress| progress.id == source) {
            progress.finish();
        }
    }

    /// Reads no more of a log. What is under way may still come.
    pub fn close(&self, source: SourceId) {
        self.enough_history(source);
        for (_, stop) in self.followers.iter().filter(|(id, _)| *id == source) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until everything has been read. Only sensible when nothing is followed.
    pub fn join(mut self) {
        for thread in self.threads.drain(..) {
            // A thread that panicked has been told by its notice.
            let _ = thread.join();
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (_, stop) in &self.followers {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A log that could not be opened is tried again this often.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Numbers for logs and files. All that feeds one store takes them from one of these, so that no two logs share one,
/// however many are opened later.
#[derive(Debug, Default)]
pub struct Numbers {
    sources: AtomicU16,
    origins: AtomicU32,
}

impl Numbers {
    fn source(&self) -> SourceId {
        // Far more logs than a process can hold open; the last number would serve them all.
        let next = |number: u16| number.checked_add(1);
        let taken = self.sources.try_update(Ordering::Relaxed, Ordering::Relaxed, next);
        SourceId(taken.unwrap_or(u16::MAX))
    }

    fn origin(&self) -> u32 {
        self.origins.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

/// What the threads share.
struct Context<'a> {
    options: &'a IngestOptions,
    sender: &'a Sender<IngestMessage>,
    stop: &'a Arc<AtomicBool>,
}

/// Opens every input and starts reading; what becomes of it is told through `sender`. Inputs that cannot be opened
/// are told as [`IngestMessage::Failed`], the others go on.
///
/// Messages may be sent from here, so the receiver must run on another thread, or the channel must hold a few
/// messages an input.
pub fn start(inputs: &[Input], options: &IngestOptions, sender: &Sender<IngestMessage>) -> Ingest {
    start_numbered(&Numbers::default(), inputs, options, sender)
}

/// As [`start`], for logs whose records go into the same store as those of other calls with these numbers.
pub fn start_numbered(
    numbers: &Numbers,
    inputs: &[Input],
    options: &IngestOptions,
    sender: &Sender<IngestMessage>,
) -> Ingest {
    let stop = Arc::new(AtomicBool::new(false));
    let stop_history = Arc::new(AtomicBool::new(false));
    let context = Context { options, sender, stop: &stop };
    let (mut plan, mut threads) = (Plan::default(), Vec::new());
    let mut followers = Followers::new();
    for input in inputs {
        if let Input::Text(name, text) = input {
            context.open_text(name, text, numbers, &mut plan);
        }
    }
    for log in context.logs(inputs) {
        threads.extend(context.open(&log, numbers, &mut plan, &mut followers));
    }
    let progress = plan.progress();
    threads.extend(history::start(
        plan,
        sender.clone(),
        options,
        Arc::clone(&stop),
        Arc::clone(&stop_history),
    ));
    Ingest { stop, stop_history, progress, followers, threads }
}

impl Context<'_> {
    fn tell(&self, message: IngestMessage) {
        // Nobody listening means that the program is ending.
        let _ = self.sender.blocking_send(message);
    }

    fn open_text(&self, name: &str, text: &Arc<[u8]>, numbers: &Numbers, plan: &mut Plan) {
        let id = numbers.source();
        self.tell(IngestMessage::Opened(SourceDescription {
            id,
            name: name.to_owned(),
            path: name.to_owned(),
            rotated: 0,
            compressed: Vec::new(),
        }));
        let progress = SourceProgress::new(id);
        plan.add_source();
        let file =
            HistoryFile::new(&progress, numbers.origin(), name.into(), text.len() as u64, model::now());
        plan.add_text(file, Arc::clone(text));
    }

    /// The logs that the arguments name, each once.
    fn logs(&self, inputs: &[Input]) -> Vec<LogSource> {
        let resolving = ResolveOptions {
            rotated: self.options.rotated,
            may_be_missing: self.options.follow,
            time_of_line: &format::time_of_line,
        };
        let mut logs = Vec::new();
        for input in inputs {
            let Input::Argument(path) = input else { continue };
            match resolve(path, &resolving) {
                Ok(found) => logs.extend(found),
                Err(error) => self.tell(IngestMessage::Failed(error)),
            }
        }
        let brought = take_out_brought(&mut logs);
        for brought in brought.chunk_by(|a, b| a.by == b.by) {
            let [Brought { path, by }, others @ ..] = brought else { continue };
            let detail = match others.len() {
                0 if path == by => format!("{} was named twice: it is read once", path.display()),
                0 => format!("{} comes with {}: it is read once", path.display(), by.display()),
                others => {
                    format!("{} of the named files come with {}: each is read once", others + 1, by.display())
                }
            };
            let kind = "named twice".to_owned();
            self.tell(IngestMessage::Notice(Notice { source: None, kind, detail, is_loss: false }));
        }
        logs
    }

    fn open(
        &self,
        log: &LogSource,
        numbers: &Numbers,
        plan: &mut Plan,
        followers: &mut Followers,
    ) -> Option<JoinHandle<()>> {
        match log {
            LogSource::Stdin => self.open_stdin(numbers),
            LogSource::Files { live, rotated } => {
                self.open_files(live, rotated, numbers, plan, followers).unwrap_or_else(|cause| {
                    self.tell(IngestMessage::Failed(Error::unreadable(live, cause)));
                    self.try_again(live)
                })
            }
        }
    }

    /// Tells once a log that could not be opened can be, where logs are followed.
    fn try_again(&self, path: &Path) -> Option<JoinHandle<()>> {
        if !self.options.follow {
            return None;
        }
        let (path, sender, stop) = (path.to_owned(), self.sender.clone(), Arc::clone(self.stop));
        self.spawn("retry", move || {
            let mut waited = Duration::ZERO;
            // In short steps: the program may end meanwhile.
            let step = Duration::from_millis(200);
            while !stop.load(Ordering::Relaxed) && !sender.is_closed() {
                thread::sleep(step);
                waited += step;
                if waited >= TRY_AGAIN {
                    waited = Duration::ZERO;
                    if RealFileSystem.open(&path).is_ok() {
                        let _ = sender.blocking_send(IngestMessage::Available(path));
                        return;
                    }
                }
            }
        })
    }

    fn open_stdin(&self, numbers: &Numbers) -> Option<JoinHandle<()>> {
        let id = numbers.source();
        let described =
            SourceDescription { id, name: "stdin".into(), path: "-".into(), rotated: 0, compressed: vec![] };
        self.tell(IngestMessage::Opened(described));
        let mut feed = self.feed(id, numbers.origin(), true);
        let stop = Arc::clone(self.stop);
        self.spawn("stdin", move || stdin::read(io::stdin(), &stop, |event| feed.take(event)))
    }

    fn feed(&self, id: SourceId, origin: u32, is_pipe: bool) -> LiveFeed {
        let keep_text = match self.options.keep_text {
            KeepText::None => KeepText::None,
            KeepText::OfMatches | KeepText::All => KeepText::All,
        };
        let mut collector = Collector::new(id, origin, model::now(), keep_text);
        collector.set_rules(self.options.rules.clone());
        LiveFeed::new(id, origin, collector, self.sender.clone(), is_pipe)
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
        let on_start = self.options.on_worker_start;
        let body = move || {
            on_start();
            body();
        };
        thread::Builder::new().name(name.to_owned()).spawn(body).ok()
    }

    /// Opens the live file first and only then its siblings, so that a rotation in between loses nothing: what is
    /// renamed away meanwhile is held open here, and is left out of the siblings.
    fn open_files(
        &self,
        live: &Path,
        rotated: &[PathBuf],
        numbers: &Numbers,
        plan: &mut Plan,
        followers: &mut Followers,
    ) -> io::Result<Option<JoinHandle<()>>> {
        let opened = match RealFileSystem.open(live) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.options.follow => None,
            Err(error) => return Err(error),
        };
        let live_id =
            opened.as_ref().and_then(|file| RealFileSystem.stat_file(file).ok()).map(|stat| stat.id);
        let rotated = siblings::open(rotated, live_id, self.options.follow);
        let id = numbers.source();
        self.tell(IngestMessage::Opened(SourceDescription {
            id,
            name: live
                .file_name()
                .map_or_else(|| live.display().to_string(), |n| n.to_string_lossy().into_owned()),
            path: live.display().to_string(),
            rotated: rotated.len(),
            compressed: rotated.iter().filter_map(|sibling| compressed_ending_of(&sibling.path)).collect(),
        }));
        let progress = SourceProgress::new(id);
        plan.add_source();
        let live_origin = numbers.origin();
        let is_missing = opened.is_none();
        let start = match opened {
            Some(file) => self.plan_live(live, file, &progress, live_origin, plan)?,
            None => None,
        };
        let mut left_out = Vec::new();
        for sibling in rotated {
            let (size, modified) = (sibling.metadata.size(), sibling.metadata.mtime() * SECOND);
            let file = HistoryFile::new(&progress, numbers.origin(), sibling.path, size, modified);
            plan.add_stored_file(file, sibling.handle);
            left_out.extend(sibling.print);
        }
        if progress.has_nothing() {
            self.tell(IngestMessage::HistoryDone(id));
        }
        // What is rotated or an archive does not grow.
        let is_rotated = live.file_name().and_then(rotated_name).is_some();
        let is_archive = start.is_none() && !is_missing;
        if !self.options.follow || is_rotated || is_archive {
            return Ok(None);
        }
        progress.ends.store(false, Ordering::Relaxed);
        let mut tail = match start {
            Some((file, end)) => Tail::from_file(RealFileSystem, live.to_owned(), file, end)?,
            None => Tail::waiting(RealFileSystem, live.to_owned()),
        };
        if !self.options.rotated {
            left_out = siblings::prints_of_all(live, live_id);
        }
        tail.leave_out(left_out);
        let mut feed = self.feed(id, live_origin, false);
        let stop = Arc::new(AtomicBool::new(false));
        followers.push((id, Arc::clone(&stop)));
        Ok(self.spawn("follow", move || follow::follow(tail, &stop, |event| feed.take(event))))
    }

    /// Plans the part of the live file that is there. Returns the file and the place from which it is followed;
    /// nothing for an archive, which is history only.
    fn plan_live(
        &self,
        path: &Path,
        file: File,
        progress: &Arc<SourceProgress>,
        origin: u32,
        plan: &mut Plan,
    ) -> io::Result<Option<(File, u64)>> {
        let metadata = file.metadata()?;
        let modified = metadata.mtime() * SECOND;
        let history = |size: u64| HistoryFile::new(progress, origin, path.to_owned(), size, modified);
        if !metadata.is_file() || is_archive(&file)? {
            plan.add_stored_file(history(metadata.size()), Some(file));
            return Ok(None);
        }
        let end = if self.options.follow {
            backfill::end_of_lines(&file, metadata.size())?
        } else {
            metadata.size()
        };
        plan.add_open_file(history(end), file.try_clone()?, end);
        Ok(Some((file, end)))
    }
}

fn is_archive(file: &File) -> io::Result<bool> {
    let mut beginning = [0; archive::BEGINNING];
    let count = RealFileSystem.read_at(file, &mut beginning, 0)?;
    Ok(archive::is_archive(&beginning[..count]))
}

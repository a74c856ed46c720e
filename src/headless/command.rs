//! Runs `info`, `query` and `users` as a process: starts the pipeline, hands its messages over, heeds signals.

use std::io::{self, BufWriter, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{
    InfoOptions, Outcome, QueryOptions, ReportOptions, StoryOptions, Streams, info, query, report, story,
};
use crate::cli::{InfoOutput, QueryOutput, StageChoice};
use crate::error::{EXIT_OK, Error, Result};
use crate::format::LineFilter;
use crate::ingest::{self, IngestMessage, IngestOptions, Input};
use crate::model;
use crate::settings::{Listing, Settings, Task, TimeRange, read_filter};
use crate::term::process::lower_thread_priority;
use crate::term::signals::Signals;
use crate::trace::report::MOST_EVENTS;

/// Messages under way. Each may hold a sealed segment, so few: they are memory that no budget counts.
const MESSAGES_UNDER_WAY: usize = 4;

/// After a signal, this long is left to write out what is in hand: a reader that does not read must not hold us.
const TIME_TO_LEAVE: Duration = Duration::from_millis(500);

/// Runs the command of `settings` on `inputs` and returns the exit code. `holds_secret` tells whether an original
/// line holds secret values.
///
/// # Errors
/// When it cannot start, or the output cannot be written.
pub fn run(settings: &Settings, inputs: Vec<Input>, holds_secret: fn(&[u8]) -> bool) -> Result<u8> {
    let filter = read_filter(settings.filter.as_deref())?;
    let leaving = Leaving::listen()?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let to_terminal = stdout.is_terminal();
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    let mut streams = Streams { out: &mut out, notes: &mut stderr.lock() };
    let outcome = match &settings.task {
        Task::Query { output, stages, limit, listing } => {
            let options = QueryOptions {
                filter: &filter,
                holds_secret,
                output: *output,
                stages: *stages,
                limit: *limit,
                listing,
                follow: settings.follow,
                since: settings.since.as_deref(),
                until: settings.until.as_deref(),
                now: model::now(),
                zone: settings.zone,
                ascii: settings.ascii,
                reveal: settings.reveal,
                to_terminal,
                memory: settings.memory,
                threads: settings.threads,
            };
            let messages = start(settings, inputs, options.needs_text(), options.candidates(), &leaving);
            query(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Story(question) => {
            let options = StoryOptions { question, zone: settings.zone, memory: settings.memory };
            let messages = start(settings, inputs, true, None, &leaving);
            story(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Report { at, notes, limit } => {
            let options = ReportOptions {
                query: QueryOptions {
                    filter: &filter,
                    holds_secret,
                    output: QueryOutput::default(),
                    stages: StageChoice::default(),
                    limit: None,
                    listing: &Listing::default(),
                    follow: false,
                    since: settings.since.as_deref(),
                    until: settings.until.as_deref(),
                    now: model::now(),
                    zone: settings.zone,
                    ascii: settings.ascii,
                    reveal: false,
                    to_terminal,
                    memory: settings.memory,
                    threads: settings.threads,
                },
                filter: settings.filter.as_deref(),
                at,
                notes,
                limit: limit.unwrap_or(MOST_EVENTS),
            };
            let messages = start(settings, inputs, true, None, &leaving);
            report(messages, &options, &mut streams, &leaving.stop)
        }
        task => {
            let output = if let Task::Info(output) = task { *output } else { InfoOutput::Table };
            let options = InfoOptions { output, zone: settings.zone, memory: settings.memory };
            let messages = start(settings, inputs, false, None, &leaving);
            info(messages, &options, &mut streams, &leaving.stop)
        }
    };
    if let Some(code) = leaving.exit_code() {
        return Ok(code);
    }
    match outcome {
        Err(error) if error.is_closed_pipe() => Ok(EXIT_OK),
        outcome => outcome.map(Outcome::exit_code),
    }
}

/// Starts the pipeline on a thread of its own, since opening sends messages, and hands out what it tells until the
/// input ends or a signal comes.
fn start(
    settings: &Settings,
    inputs: Vec<Input>,
    keep_text: bool,
    candidates: Option<LineFilter>,
    leaving: &Leaving,
) -> impl Iterator<Item = IngestMessage> {
    let options = IngestOptions {
        threads: settings.threads,
        follow: settings.follow,
        rotated: settings.rotated,
        since: TimeRange::absolute_start(settings.since.as_deref(), settings.zone),
        keep_text,
        candidates,
        rules: None,
        on_worker_start: || {
            lower_thread_priority();
        },
    };
    let (sender, mut receiver) = mpsc::channel(MESSAGES_UNDER_WAY);
    let stop = Arc::clone(&leaving.stop);
    // The threads hold senders of their own; the channel closes when the last of them is done.
    let opener = thread::Builder::new().name("open".to_owned());
    let opened = opener.spawn(move || ingest::start(&inputs, &options, &sender).join());
    if opened.is_err() {
        // The sender went with the closure: the channel is closed and nothing will match.
        stop.store(true, Ordering::Relaxed);
    }
    let wake = Arc::clone(&leaving.wake);
    let waiting = tokio::runtime::Builder::new_current_thread().build().ok();
    std::iter::from_fn(move || {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        waiting.as_ref()?.block_on(async {
            tokio::select! {
                biased;
                () = wake.notified() => None,
                message = receiver.recv() => message,
            }
        })
    })
}

/// Whether, and with which exit code, a signal told the process to leave.
struct Leaving {
    stop: Arc<AtomicBool>,
    wake: Arc<Notify>,
    code: Arc<AtomicU8>,
}

impl Leaving {
    fn listen() -> Result<Leaving> {
        let cannot = |cause| Error::Io { action: "cannot listen for signals".to_owned(), cause };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::listen().map_err(cannot)?
        };
        let leaving = Leaving { stop: Arc::default(), wake: Arc::default(), code: Arc::default() };
        let (stop, wake) = (Arc::clone(&leaving.stop), Arc::clone(&leaving.wake));
        let told = Arc::clone(&leaving.code);
        let body = move || {
            let code = runtime.block_on(async {
                loop {
                    if let Some(code) = signals.next().await.exit_code() {
                        break code;
                    }
                }
            });
            told.store(code, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
            wake.notify_one();
            thread::sleep(TIME_TO_LEAVE);
            std::process::exit(code.into());
        };
        thread::Builder::new().name("signals".to_owned()).spawn(body).map_err(cannot)?;
        Ok(leaving)
    }

    fn exit_code(&self) -> Option<u8> {
        Some(self.code.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }
}

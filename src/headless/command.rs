//! Runs the commands as a process: starts the pipeline, hands its messages over, heeds signals.

use std::io::{self, BufWriter, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::{
    AlertsOptions, InfoOptions, Outcome, QueryOptions, ReportOptions, RulesOptions, StoryOptions, Streams,
    alerts, info, query, report, rules, story,
};
use crate::cli::{InfoOutput, LeastSeverity, QueryOutput, StageChoice};
use crate::detect::{Acks, LoadedRules, Severity};
use crate::error::{EXIT_OK, Error, Result};
use crate::format::LineFilter;
use crate::ingest::{self, IngestMessage, IngestOptions, Input};
use crate::model;
use crate::query::Expression;
use crate::settings::{Listing, RulesQuestion, Settings, Task, TimeRange, read_filter};
use crate::store::KeepText;
use crate::term::process::lower_thread_priority;
use crate::term::signals::Signals;
use crate::trace::report::MOST_EVENTS;

/// Messages under way. Each may hold a sealed segment, so few: they are memory that no budget counts.
const MESSAGES_UNDER_WAY: usize = 4;

/// After a signal, this long is left to write out what is in hand: a reader that does not read must not hold us.
const TIME_TO_LEAVE: Duration = Duration::from_millis(500);

/// Runs the command of `settings` on `inputs` and returns the exit code. `holds_secret` tells whether an original
/// line holds secret values; alerts that `acks` knows to have been dealt with are left out.
///
/// # Errors
/// When it cannot start, or the output cannot be written.
pub fn run(
    settings: &Settings,
    inputs: Vec<Input>,
    holds_secret: fn(&[u8]) -> bool,
    acks: &Acks,
) -> Result<u8> {
    let filter = read_filter(settings.filter.as_deref())?;
    let leaving = Leaving::listen()?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let to_terminal = stdout.is_terminal();
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    let mut streams = Streams { out: &mut out, notes: &mut stderr.lock() };
    for warning in &settings.warnings {
        streams.note(warning);
    }
    let rows = Listing::default();
    let outcome = match &settings.task {
        Task::Query { output, stages, limit, listing } => {
            let options = QueryOptions {
                output: *output,
                stages: *stages,
                limit: *limit,
                listing,
                follow: settings.follow,
                reveal: settings.reveal,
                rules: QueryOptions::asks_for_alerts(&filter).then(|| load(settings)),
                ..choosing(settings, &filter, &rows, holds_secret, to_terminal)
            };
            let reading = Reading {
                keep_text: match (options.needs_text(), options.rules.is_some()) {
                    (true, _) => KeepText::All,
                    (false, true) => KeepText::OfMatches,
                    (false, false) => KeepText::None,
                },
                candidates: options.candidates(),
                rules: options.rules.as_ref(),
            };
            let messages = start(settings, inputs, reading, &leaving);
            query(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Story(question) => {
            let options = StoryOptions { question, zone: settings.zone, memory: settings.memory };
            let messages = start(settings, inputs, Reading::with_texts(None), &leaving);
            story(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Report { at, notes, limit } => {
            let rules = load(settings);
            let options = ReportOptions {
                query: QueryOptions {
                    rules: Some(rules.clone()),
                    ..choosing(settings, &filter, &rows, holds_secret, to_terminal)
                },
                filter: settings.filter.as_deref(),
                at,
                notes,
                limit: limit.unwrap_or(MOST_EVENTS),
            };
            let messages = start(settings, inputs, Reading::with_texts(Some(&rules)), &leaving);
            report(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Alerts { output, least, state: _ } => {
            let rules = load(settings);
            let options = AlertsOptions {
                query: QueryOptions {
                    stages: StageChoice::All,
                    follow: settings.follow,
                    rules: Some(rules.clone()),
                    ..choosing(settings, &filter, &rows, holds_secret, to_terminal)
                },
                rules: &rules,
                output: *output,
                least: severity(*least),
                acks,
            };
            let reads_texts = options.query.needs_text();
            let keep_text = if reads_texts { KeepText::All } else { KeepText::OfMatches };
            let reading = Reading { keep_text, candidates: None, rules: Some(&rules) };
            let messages = start(settings, inputs, reading, &leaving);
            alerts(messages, &options, &mut streams, &leaving.stop)
        }
        Task::Rules(question) => {
            return answer_about_rules(question, settings, inputs, &mut streams, &leaving);
        }
        task => {
            let output = if let Task::Info(output) = task { *output } else { InfoOutput::Table };
            let options =
                InfoOptions { output, zone: settings.zone, memory: settings.memory, now: model::now() };
            let messages = start(settings, inputs, Reading::columns(), &leaving);
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

fn load(settings: &Settings) -> LoadedRules {
    LoadedRules::load(settings.builtin_rules, &settings.rules)
}

fn severity(least: LeastSeverity) -> Severity {
    Severity::ALL.get(least.place()).copied().unwrap_or_default()
}

/// How rows are chosen, and nothing else.
fn choosing<'a>(
    settings: &'a Settings,
    filter: &'a Expression,
    listing: &'a Listing,
    holds_secret: fn(&[u8]) -> bool,
    to_terminal: bool,
) -> QueryOptions<'a> {
    QueryOptions {
        filter,
        holds_secret,
        output: QueryOutput::default(),
        stages: StageChoice::default(),
        limit: None,
        listing,
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
        rules: None,
    }
}

fn answer_about_rules(
    question: &RulesQuestion,
    settings: &Settings,
    inputs: Vec<Input>,
    streams: &mut Streams<'_>,
    leaving: &Leaving,
) -> Result<u8> {
    let to_terminal = io::stdout().is_terminal();
    let options =
        RulesOptions { zone: settings.zone, ascii: settings.ascii, memory: settings.memory, to_terminal };
    let answered = match question {
        RulesQuestion::Check { folders } => {
            let folders = if folders.is_empty() { &settings.rules } else { folders };
            rules::check(&LoadedRules::load(settings.builtin_rules, folders), streams)
        }
        RulesQuestion::Explain { rule } => rules::explain(&load(settings), rule, streams),
        RulesQuestion::List { output } => {
            let loaded = load(settings);
            let reads = !inputs.is_empty();
            let messages =
                reads.then(|| start(settings, inputs, Reading::with_texts(Some(&loaded)), leaving));
            let outcome = rules::list(messages, &loaded, *output, options, streams, &leaving.stop);
            outcome.map(Outcome::exit_code)
        }
        RulesQuestion::Test { file } => {
            let loaded = LoadedRules::load(settings.builtin_rules, std::slice::from_ref(file));
            let messages = start(settings, inputs, Reading::with_texts(Some(&loaded)), leaving);
            rules::test(messages, &loaded, file, options, streams, &leaving.stop)
        }
    };
    match (leaving.exit_code(), answered) {
        (Some(code), _) => Ok(code),
        (None, Err(error)) if error.is_closed_pipe() => Ok(EXIT_OK),
        (None, answered) => answered,
    }
}

/// What of the lines is wanted.
struct Reading<'a> {
    keep_text: KeepText,
    candidates: Option<LineFilter>,
    rules: Option<&'a LoadedRules>,
}

impl<'a> Reading<'a> {
    /// Every line with its text, and what these rules find.
    fn with_texts(rules: Option<&'a LoadedRules>) -> Reading<'a> {
        Reading { keep_text: KeepText::All, candidates: None, rules }
    }

    /// Every line, without its text.
    fn columns() -> Reading<'a> {
        Reading { keep_text: KeepText::None, candidates: None, rules: None }
    }
}

/// Starts the pipeline on a thread of its own, since opening sends messages, and hands out what it tells until the
/// input ends or a signal comes.
fn start(
    settings: &Settings,
    inputs: Vec<Input>,
    reading: Reading<'_>,
    leaving: &Leaving,
) -> impl Iterator<Item = IngestMessage> + use<> {
    let Reading { keep_text, candidates, rules } = reading;
    // The workers keep the rules that they began with.
    let rules = rules.map(|rules| watch::channel(Arc::clone(&rules.engine)).1);
    let options = IngestOptions {
        threads: settings.threads,
        follow: settings.follow,
        rotated: settings.rotated,
        since: TimeRange::absolute_start(settings.since.as_deref(), settings.zone),
        keep_text,
        candidates,
        rules,
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

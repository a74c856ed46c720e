//! Brings everything together for the interactive program: threads and channels, the loop, and what [`App`] asks to
//! be done outside. The only module that sees both the terminal and the rest.
//!
//! One thread, one loop, in this order of urgency: signals, keys, a frame that is due, filtering in slices, data in
//! slices, the clock. A flood of data never delays a key; nothing changed means nothing drawn, and idle costs nothing.

mod demo;
mod inputs;
mod paths;
mod rules;
mod save;
mod state;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::app::{App, Config, Effect, Msg};
use crate::detect::{Acks, LoadedRules};
use crate::error::{Error, Result};
use crate::ingest::{self, Ingest, IngestMessage, IngestOptions, Numbers};
use crate::model;
use crate::query::parse;
use crate::settings::{Settings, Task};
use crate::source::resolve::is_pattern;
use crate::term::clipboard::Copy;
use crate::term::hooks;
use crate::term::input::{Input as Keyboard, InputEvent};
use crate::term::process::{lower_thread_priority, offer_to_oom_killer};
use crate::term::screen::{Screen, size};
use crate::term::signals::{Signal, Signals};
use crate::ui;

pub use inputs::inputs;
use rules::Rules;
use state::Keeper;

/// Messages under way: each may hold a segment.
const MESSAGES_UNDER_WAY: usize = 4;
/// Keys under way.
const KEYS_UNDER_WAY: usize = 64;
/// Frames drawn for data are this far apart at least.
const FRAME_EVERY: Duration = Duration::from_millis(100);
/// Filtering goes on until a turn of the loop has taken this long: what a key itself costs leaves less time for it. A step
/// that was begun is finished, then the frame is drawn, all of which must be done within the 16 ms of a frame.
pub const WORK_UNTIL: Duration = Duration::from_millis(6);
/// Data is taken in for this long before the loop looks at keys again.
const DATA_SLICE: Duration = Duration::from_millis(4);
/// How often the process's own size is looked up while data comes.
const MEMORY_EVERY: Duration = Duration::from_secs(1);
/// The terminal's bell.
const BELL: &[u8] = b"\x07";
/// Exit code when the terminal is gone: 128 and SIGHUP.
const HUNG_UP: i32 = 129;

/// What was dealt with as a file keeps it; nothing while there is none.
///
/// # Errors
/// When it cannot be read or understood.
pub fn dealt_with(path: &Path) -> Result<Acks> {
    state::read(path)
}

/// The interactive program. Returns its exit code.
///
/// # Errors
/// When it cannot start: no terminal, no log.
pub fn interactive(settings: Settings) -> Result<u8> {
    if !std::io::stdout().is_terminal() {
        return Err(Error::NoTerminal { stream: "standard output" });
    }
    let found = inputs::found(&settings)?;
    let loaded = LoadedRules::load(false, &[]);
    let told: Vec<String> = settings.warnings.iter().cloned().chain(found.greeting).collect();
    let greeting = (!told.is_empty()).then(|| told.join("; "));
    let mut config = config_of(&settings, greeting, loaded.clone())?;
    if let Some(path) = &settings.state {
        config.acks = state::read(path)?;
        config.state_file = Some(path.display().to_string());
    }
    offer_to_oom_killer();
    let cannot = |cause| Error::Io { action: "cannot set up the terminal".to_owned(), cause };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let rules = Rules::start(&loaded, settings.builtin_rules, settings.rules.clone());
    let options = IngestOptions {
        threads: settings.threads,
        follow: settings.follow,
        rotated: settings.rotated,
        rules: Some(rules.subscribe()),
        on_worker_start: || {
            lower_thread_priority();
        },
        ..IngestOptions::default()
    };
    runtime.block_on(async move {
        let (panics, worker_panics) = mpsc::channel(16);
        hooks::install(move |panic| {
            // Sixteen panics that nobody has read yet tell enough.
            let _ = panics.try_send(panic);
        });
        let signals = Signals::listen().map_err(cannot)?;
        let (key_sender, keys) = mpsc::channel(KEYS_UNDER_WAY);
        let screen = Screen::enter(false).map_err(cannot)?;
        let keyboard = Keyboard::start(key_sender).map_err(cannot)?;
        let (sender, messages) = mpsc::channel(MESSAGES_UNDER_WAY);
        let pipeline = Pipeline::start(found.inputs, options, sender);
        let (save_sender, saved) = mpsc::channel(4);
        let keeper = Keeper::start(settings.state.as_deref(), save_sender.clone());
        let mut program = Program {
            app: App::new(config, model::now()),
            screen,
            keyboard,
            signals,
            keys,
            messages: Some(messages),
            worker_panics,
            rules,
            keeper,
            save_sender,
            saved,
            pipeline,
            last_draw: None,
            last_memory: Instant::now(),
            tmux: settings.capabilities.tmux,
        };
        Ok(program.run().await)
    })
}

fn config_of(settings: &Settings, greeting: Option<String>, rules: LoadedRules) -> Result<Config> {
    let filter = settings.filter.as_deref().unwrap_or_default();
    // Settings checked it already, and the named ones.
    let filter = parse(filter).unwrap_or_default();
    let named = settings.named_filters.iter();
    let named_filters = named.filter_map(|(name, text)| Some((name.clone(), parse(text).ok()?))).collect();
    let (view, at) = match &settings.task {
        Task::Interactive { view, at } => (Some(view.name().to_owned()), at.clone()),
        _ => (None, None),
    };
    let arguments = match (settings.demo, settings.sources.as_slice()) {
        (true, _) => vec!["--demo".to_owned()],
        (false, sources) => sources.iter().map(|path| path.display().to_string()).collect(),
    };
    Ok(Config {
        ascii: settings.ascii,
        color: settings.capabilities.color,
        zone: settings.zone,
        reveal: settings.reveal,
        filter,
        named_filters,
        since: settings.since.clone(),
        until: settings.until.clone(),
        memory_limit: usize::try_from(settings.memory).unwrap_or(usize::MAX),
        at,
        view,
        arguments,
        greeting,
        rules: Some(rules),
        rules_folder: folder_of_rules(settings),
        acks: Acks::default(),
        state_file: None,
        bell: settings.bell,
    })
}

/// The first folder of the user's rules: where mutes belong.
fn folder_of_rules(settings: &Settings) -> Option<String> {
    settings.rules.iter().find(|path| path.is_dir()).map(|path| path.display().to_string())
}

/// The pipeline, which opens its logs on a thread of its own since that may take a while and sends messages.
struct Pipeline {
    options: IngestOptions,
    sender: mpsc::Sender<IngestMessage>,
    numbers: Arc<Numbers>,
    parts: Vec<Part>,
}

/// Logs that were opened together.
struct Part {
    started: std::sync::mpsc::Receiver<Ingest>,
    running: Option<Ingest>,
}

impl Pipeline {
    fn start(
        inputs: Vec<ingest::Input>,
        options: IngestOptions,
        sender: mpsc::Sender<IngestMessage>,
    ) -> Pipeline {
        let mut pipeline = Pipeline { options, sender, numbers: Arc::default(), parts: Vec::new() };
        pipeline.open(inputs);
        pipeline
    }

    fn open(&mut self, inputs: Vec<ingest::Input>) {
        let (tell, started) = std::sync::mpsc::sync_channel(1);
        let (options, sender) = (self.options.clone(), self.sender.clone());
        let numbers = Arc::clone(&self.numbers);
        let body = move || {
            let ingest = ingest::start_numbered(&numbers, &inputs, &options, &sender);
            // Nobody waiting means that the program is ending; dropping the pipeline stops it.
            let _ = tell.send(ingest);
        };
        // Without a thread nothing is read, which the screen shows; there is nothing better to do.
        let _ = thread::Builder::new().name("open".into()).spawn(body);
        self.parts.push(Part { started, running: None });
    }

    fn with_running(&mut self, tell: impl Fn(&Ingest)) {
        for part in &mut self.parts {
            if part.running.is_none() {
                part.running = part.started.recv_timeout(Duration::from_millis(50)).ok();
            }
            if let Some(running) = &part.running {
                tell(running);
            }
        }
    }
}

struct Program {
    app: App,
    screen: Screen,
    keyboard: Keyboard,
    signals: Signals,
    keys: mpsc::Receiver<InputEvent>,
    messages: Option<mpsc::Receiver<IngestMessage>>,
    worker_panics: mpsc::Receiver<hooks::WorkerPanic>,
    rules: Rules,
    keeper: Keeper,
    save_sender: mpsc::Sender<save::Saved>,
    saved: mpsc::Receiver<save::Saved>,
    pipeline: Pipeline,
    last_draw: Option<Instant>,
    last_memory: Instant,
    tmux: bool,
}

impl Program {
    async fn run(&mut self) -> u8 {
        self.resized();
        self.draw();
        let mut frame_due: Option<Instant> = None;
        loop {
            let tick = self.app.tick_every().map(|micros| Duration::from_micros(micros.unsigned_abs()));
            let has_work = self.app.has_work();
            tokio::select! {
                biased;
                signal = self.signals.next() => {
                    if let Some(code) = self.take_signal(signal) {
                        return code;
                    }
                    frame_due = None;
                }
                event = self.keys.recv() => {
                    if let Some(code) = self.take_key(event) {
                        return code;
                    }
                    frame_due = None;
                }
                () = sleep_until(frame_due), if frame_due.is_some() => {
                    self.draw();
                    frame_due = None;
                }
                () = std::future::ready(()), if has_work => {
                    self.work(Instant::now());
                    frame_due = frame_due.or(Some(self.next_frame()));
                    // Lets timers and signals in, which select! looks at only between two waits.
                    tokio::task::yield_now().await;
                }
                Some(panic) = self.worker_panics.recv() => {
                    let place = panic.location.unwrap_or_default();
                    let text = format!("{} {place}: {}", panic.thread, panic.message);
                    self.update(Msg::WorkerPanic(text));
                    frame_due = frame_due.or(Some(self.next_frame()));
                }
                Some(msg) = self.rules.messages.recv() => {
                    self.update(msg);
                    frame_due = frame_due.or(Some(self.next_frame()));
                }
                Some(outcome) = self.saved.recv() => {
                    self.update(Msg::Saved(outcome));
                    frame_due = frame_due.or(Some(self.next_frame()));
                }
                message = receive(&mut self.messages) => {
                    self.take_data(message);
                    frame_due = frame_due.or(Some(self.next_frame()));
                }
                () = sleep_for(tick), if tick.is_some() && frame_due.is_none() => {
                    self.update(Msg::Tick);
                    self.draw();
                }
            }
        }
    }

    fn next_frame(&self) -> Instant {
        self.last_draw.map_or_else(Instant::now, |last| last + FRAME_EVERY)
    }

    fn update(&mut self, msg: Msg) -> Option<u8> {
        let effects = self.app.update(msg, model::now());
        let mut code = None;
        for effect in effects {
            match effect {
                Effect::Quit => code = Some(0),
                Effect::Suspend => self.suspend(),
                Effect::Repaint => self.or_gone(|screen| screen.repaint()),
                Effect::Copy(text) => self.copy(&text),
                Effect::Save { path, content } => save::begin(path, content, self.save_sender.clone()),
                Effect::LookAt(look) => self.rules.look_at(look),
                Effect::OpenLog(path) => self.open_log(&path),
                Effect::CompletePath(typed) => {
                    self.rules.beside("complete", move || {
                        let paths::Completion { common, found } = paths::beginning_with(&typed);
                        Msg::Completions { typed, common, found }
                    });
                }
                Effect::CloseLog(source) => self.pipeline.with_running(|ingest| ingest.close(source)),
                Effect::KeepState { path, content } => {
                    if !self.keeper.keep(path, content) {
                        self.app.message = Some(("what was dealt with could not be kept".to_owned(), true));
                    }
                }
                Effect::Mute { number, folder, file, text, for_session } => {
                    let folder = folder.map(|folder| paths::of_home(Path::new(&folder)));
                    let filter = rules::Filter { number, folder, file, text, for_session };
                    self.rules.mute(filter, self.save_sender.clone());
                }
                Effect::Unmute { number } => self.rules.unmute(number, self.save_sender.clone()),
                Effect::StopHistory => self.pipeline.with_running(Ingest::stop_history),
                Effect::EnoughHistory(source) => {
                    self.pipeline.with_running(|ingest| ingest.enough_history(source));
                }
            }
        }
        code
    }

    /// Reads another log as well, unless it is read already.
    fn open_log(&mut self, path: &Path) {
        let path = paths::of_home(path);
        if path == Path::new("-") {
            let text = "standard input is read from the start or not at all: cat … | kauditui -".to_owned();
            self.app.message = Some((text, true));
            return;
        }
        let real = path.canonicalize().ok();
        let mut known = self.app.sources.values().map(|source| Path::new(&source.description.path));
        if known.any(|known| known == path || (real.is_some() && known.canonicalize().ok() == real)) {
            let text = format!("{} is open already", path.display());
            self.app.message = Some((text, true));
            return;
        }
        if real.is_none() && !path.to_str().is_some_and(is_pattern) {
            let text = format!("{} does not exist; Tab goes on with a path", path.display());
            self.app.message = Some((text, true));
            return;
        }
        self.pipeline.open(vec![ingest::Input::Argument(path)]);
    }

    /// Filters for what is left of a turn that began then, but one step at least.
    fn work(&mut self, began: Instant) {
        let until = began + WORK_UNTIL;
        self.app.work(|| Instant::now() < until, model::now);
    }

    fn take_key(&mut self, event: Option<InputEvent>) -> Option<u8> {
        let began = Instant::now();
        let msg = match event {
            Some(InputEvent::Key(key)) => Msg::Key(key),
            Some(InputEvent::Paste(text)) => Msg::Paste(text),
            Some(InputEvent::Mouse(_)) => return None,
            // The terminal is gone: nothing can be restored, and nothing must be tried that could wait for it.
            Some(InputEvent::HungUp) | None => hooks::exit_now(HUNG_UP),
        };
        let code = self.update(msg);
        if code.is_some() {
            self.screen.leave();
            return code;
        }
        // What a key asks for is on screen in the frame that answers it, as far as the time goes.
        if self.app.has_work() {
            self.work(began);
        }
        self.draw();
        None
    }

    fn take_signal(&mut self, signal: Signal) -> Option<u8> {
        match signal {
            Signal::HangUp => hooks::exit_now(HUNG_UP),
            Signal::Resize => self.resized(),
            Signal::Continue => {
                self.or_gone(Screen::resume);
                self.resized();
            }
            ending => {
                self.screen.leave();
                return ending.exit_code();
            }
        }
        self.draw();
        None
    }

    fn take_data(&mut self, first: Option<IngestMessage>) {
        let until = Instant::now() + DATA_SLICE;
        let mut next = first;
        if next.is_none() {
            self.messages = None;
        }
        while let Some(message) = next {
            self.update(Msg::Ingest(message));
            if Instant::now() >= until {
                break;
            }
            next = self.messages.as_mut().and_then(|messages| messages.try_recv().ok());
        }
        if self.last_memory.elapsed() >= MEMORY_EVERY {
            self.last_memory = Instant::now();
            if let Some(bytes) = resident_bytes() {
                self.update(Msg::Resident(bytes));
            }
        }
    }

    fn resized(&mut self) {
        if let Ok(size) = size() {
            self.update(Msg::Resize(size.width, size.height));
        }
    }

    fn suspend(&mut self) {
        self.keyboard.pause();
        self.screen.suspend();
        self.or_gone(Screen::resume);
        self.keyboard.resume();
        self.resized();
    }

    fn copy(&mut self, text: &str) {
        let copy = Copy::new(text, self.tmux);
        self.or_gone(|screen| screen.send(&copy.sequence));
        if !copy.is_whole() {
            let note = format!(
                "copied only the first {} of {} bytes: terminals take no more",
                copy.copied, copy.total
            );
            self.app.message = Some((note, true));
        }
    }

    fn draw(&mut self) {
        if !self.app.take_dirty() {
            return;
        }
        if self.app.take_bell() {
            self.or_gone(|screen| screen.send(BELL));
        }
        // The first rows must not wait for a frame that showed none.
        self.last_draw = (!self.app.store.order().is_empty()).then(Instant::now);
        let app = &self.app;
        if self.screen.draw(|frame| ui::draw(app, frame)).is_err() {
            hooks::exit_now(HUNG_UP);
        }
    }

    /// Does something with the screen; a screen that fails is a terminal that is gone.
    fn or_gone(&mut self, action: impl FnOnce(&mut Screen) -> std::io::Result<()>) {
        if action(&mut self.screen).is_err() {
            hooks::exit_now(HUNG_UP);
        }
    }
}

async fn receive(messages: &mut Option<mpsc::Receiver<IngestMessage>>) -> Option<IngestMessage> {
    match messages {
        Some(messages) => messages.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due.into()).await;
    }
}

async fn sleep_for(length: Option<Duration>) {
    if let Some(length) = length {
        tokio::time::sleep(length).await;
    }
}

/// What the process really holds, from `/proc/self/statm` (pages, second field).
fn resident_bytes() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

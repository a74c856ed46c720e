//! What the program does, without terminal or I/O: [`App::update`] takes a message and the present moment, changes
//! the state and says what must happen outside ([`Effect`]). [`crate::ui`] reads the state and draws it;
//! [`crate::runtime`] brings the messages and carries out the effects.
//!
//! `keymap` is the one table of keys and commands; `timeline` keeps the selected row where it is while data comes and
//! goes; `histogram` shows and sets stretches of time; `filter_bar` edits the filter as one types, `filtering` is all that changes it; `detail`, `tree` and `summary` show one event; `menus` are the
//! lists that open over the screen; `screens` are the tables beside the timeline (`users`, `statistics`, `facets`, and `suggestions` while a filter is
//! typed), each a question of its own (`side`) with a cursor that keeps its row (`table`); `alerts` watches over what detection finds, `alert_table` and `rule_table` list it, each with a text beside (`sheet`); `intake` takes in data within the memory budget; `perform` is what each action does; `reasons` says why a result is empty.

pub mod action;
mod alert_detail;
mod alert_keys;
pub mod alert_order;
pub mod alert_table;
pub mod alerts;
mod analysis;
pub mod detail;
pub mod facets;
pub mod filter_bar;
mod filtering;
pub mod geometry;
pub mod histogram;
mod intake;
pub mod keymap;
mod menus;
mod muting;
pub mod object;
mod perform;
pub mod reasons;
pub mod rule_table;
mod screens;
pub mod sheet;
pub mod side;
pub mod statistics;
pub mod story;
pub mod suggestions;
pub mod summary;
pub mod table;
pub mod timeline;
pub mod tree;
pub mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use crate::detect::{Acks, Engine, LoadedRules};
use crate::format::Format;
use crate::identity::Identities;
use crate::ingest::{FileReport, IngestMessage, SourceDescription};
use crate::model::{EventId, Micros, SECOND, SourceId, TimeZoneChoice};
use crate::notice::{Notice, Notices};
use crate::query::{Context, Expression, FieldName, Plan, View, ViewOptions, narrows};
use crate::store::{Hits, Segment, Store};
use crate::trace::report::Draft;
use action::Action;
use alert_table::AlertTable;
use alerts::Watch;
use analysis::Unusual;
use detail::Detail;
use facets::Facets;
use filter_bar::FilterBar;
use geometry::{Layout, Placement, layout};
use histogram::Histogram;
use keymap::Key;
pub use menus::{CopyWhat, Menu, MenuItem, MenuKind, Prompt, PromptKind};
use object::ObjectScreen;
use rule_table::RuleTable;
use screens::CameFrom;
pub use screens::Screen;
use statistics::Statistics;
use story::Story;
use suggestions::Suggestions;
use timeline::Timeline;
use users::Users;

/// A log whose newest event is older than this is taken as no longer written: `15m` then means before that event.
pub const STALE: Micros = 15 * 60 * SECOND;

/// What the program was started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Only ASCII marks.
    pub ascii: bool,
    /// Whether colours are used.
    pub color: bool,
    /// In which zone times are shown at first.
    pub zone: TimeZoneChoice,
    /// Secret values are shown from the start.
    pub reveal: bool,
    /// The filter at the start.
    pub filter: Expression,
    /// Filters that the configuration file names, in its order. None is applied by itself.
    pub named_filters: Vec<(String, Expression)>,
    /// `--since`, as written.
    pub since: Option<String>,
    /// `--until`, as written.
    pub until: Option<String>,
    /// Bytes that all records together may take.
    pub memory_limit: usize,
    /// Record to open at.
    pub at: Option<String>,
    /// View to open: `timeline`, `detail`, `users`, `alerts`, `statistics`, `rules`, `notices`, `sources`, `help`.
    pub view: Option<String>,
    /// Sources as they are written on the command line, to print the command that reopens a view.
    pub arguments: Vec<String>,
    /// Said in the status line at the start.
    pub greeting: Option<String>,
    /// The rules of detection; none without them.
    pub rules: Option<LoadedRules>,
    /// The folder of the user's own rules, where mutes are written.
    pub rules_folder: Option<String>,
    /// What was dealt with in earlier sessions.
    pub acks: Acks,
    /// The file that keeps what is dealt with; without one it is for this session.
    pub state_file: Option<String>,
    /// Ring the terminal's bell for a new alert of high and up.
    pub bell: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ascii: false,
            color: true,
            zone: TimeZoneChoice::Utc,
            reveal: false,
            filter: Expression::default(),
            named_filters: Vec::new(),
            since: None,
            until: None,
            memory_limit: 512 << 20,
            at: None,
            view: None,
            arguments: Vec::new(),
            greeting: None,
            rules: None,
            rules_folder: None,
            acks: Acks::default(),
            state_file: None,
            bell: false,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The pipeline tells something.
    Ingest(IngestMessage),
    /// Bytes the process really holds.
    Resident(usize),
    /// The rules were loaded again.
    Rules(LoadedRules),
    /// What the rules match in a segment, as [`Effect::LookAt`] asked.
    LookedAt(u32, Hits),
    /// What was to be saved is, or is not: a sentence for the user.
    Saved(Result<String, String>),
    /// What became of [`Effect::Mute`] or [`Effect::Unmute`].
    Muted {
        /// Number of the filter.
        number: u32,
        /// Whether it counts now.
        is_in_force: bool,
    },
    /// What the path that was typed behind `:open` may become.
    Completions {
        /// What was typed.
        typed: String,
        /// What all that begin so have in common.
        common: String,
        /// The first of them, folders with a slash behind.
        found: Vec<String>,
    },
    /// A worker thread panicked, with its message.
    WorkerPanic(String),
    /// Time went by.
    Tick,
}

/// Something to be done outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Suspend the program.
    Suspend,
    /// Draw everything anew.
    Repaint,
    /// Put this text on the clipboard.
    Copy(String),
    /// Write this to a new file.
    Save {
        /// Its path, as typed.
        path: String,
        /// What is written.
        content: SaveContent,
    },
    /// Write what was dealt with to this file, whole or not at all.
    KeepState {
        /// Its path.
        path: String,
        /// All of its content.
        content: String,
    },
    /// Keep a Sigma filter.
    Mute {
        /// Tells it apart from the others.
        number: u32,
        /// The folder that it is written to; without one nothing is written.
        folder: Option<String>,
        /// Name of its file. What exists is left as it is, and another name chosen.
        file: String,
        /// Its text.
        text: String,
        /// Whether it is to count from now on although no folder of rules holds it.
        for_session: bool,
    },
    /// Have a filter that [`Effect::Mute`] put in force count no more, and remove its file.
    Unmute {
        /// Its number.
        number: u32,
    },
    /// Run these rules over these segments, and tell what they match.
    LookAt(LookAt),
    /// Read this log, too.
    OpenLog(PathBuf),
    /// Tell what paths begin so, as [`Msg::Completions`].
    CompletePath(String),
    /// Read no more of this log.
    CloseLog(SourceId),
    /// Older history is not wanted any more: memory is full.
    StopHistory,
    /// Older history of this log is not wanted: it lies before `--since`.
    EnoughHistory(SourceId),
}

/// Rows that rules have not looked at.
#[derive(Clone, Debug)]
pub struct LookAt {
    /// The rules.
    pub engine: Arc<Engine>,
    /// Segments by number.
    pub segments: Vec<(u32, Arc<Segment>)>,
}

/// Equal when the same rules are to look at segments of the same numbers.
impl PartialEq for LookAt {
    fn eq(&self, other: &LookAt) -> bool {
        let numbers = |look: &LookAt| look.segments.iter().map(|(number, _)| *number).collect::<Vec<u32>>();
        self.engine.number() == other.engine.number() && numbers(self) == numbers(other)
    }
}

/// What is saved.
#[derive(Clone, PartialEq, Debug)]
pub enum SaveContent {
    /// This text.
    Text(String),
    /// This report, once its evidence was looked up in the files.
    Report(Box<Draft>),
}

/// How times are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeStyle {
    /// Time of day in a zone.
    Clock(TimeZoneChoice),
    /// How long ago.
    Relative,
    /// Distance from the last mark.
    SinceMark,
}

/// Which pane has the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Focus {
    /// The rows.
    #[default]
    Rows,
    /// The detail.
    Detail,
    /// The histogram.
    Histogram,
}

/// Where the keys go.
#[derive(Debug)]
pub enum Mode {
    /// To the panes.
    Normal,
    /// To the filter bar.
    Filter,
    /// To a line of input.
    Prompt(Prompt),
    /// To a list over the screen.
    Menu(Menu),
    /// To the facets.
    Facets(Box<Facets>),
}

/// What is known of one log.
#[derive(Debug)]
pub struct SourceState {
    /// What the pipeline said of it.
    pub description: SourceDescription,
    /// Bytes of history read and there are.
    pub progress: (u64, u64),
    /// All history was read.
    pub history_done: bool,
    /// Nothing more will come.
    pub ended: bool,
    /// Its files that were read to the end.
    pub files: Vec<FileReport>,
    /// The formats of its events, in the order in which they were found.
    pub formats: Vec<Format>,
}

/// Live lines that came within the last seconds.
#[derive(Debug, Default)]
struct Rate {
    arrivals: std::collections::VecDeque<(Micros, u32)>,
}

/// Rates are taken over this long.
const RATE_WINDOW: Micros = 5 * SECOND;

impl Rate {
    fn add(&mut self, now: Micros, count: u32) {
        self.arrivals.push_back((now, count));
        self.forget(now);
        // A flood comes in many batches; a few hundred tell its rate.
        while self.arrivals.len() > 1000 {
            self.arrivals.pop_front();
        }
    }

    fn forget(&mut self, now: Micros) {
        while self.arrivals.front().is_some_and(|(time, _)| *time < now - RATE_WINDOW) {
            self.arrivals.pop_front();
        }
    }

    fn per_second(&self) -> u32 {
        self.arrivals.iter().map(|(_, count)| count).sum::<u32>() / (RATE_WINDOW / SECOND) as u32
    }
}

/// Whether the answer to a filter changes with what is marked or open, or as time goes by.
fn depends_on_state(filter: &Expression) -> bool {
    [FieldName::Mark, FieldName::Alert, FieldName::Source, FieldName::Since, FieldName::Until, FieldName::At]
        .into_iter()
        .any(|field| Context::matters(filter, field))
}

/// The whole state of the program.
pub struct App {
    /// What the program was started with.
    pub config: Config,
    /// All records.
    pub store: Store,
    /// What went wrong or changed.
    pub notices: Notices,
    /// The logs.
    pub sources: BTreeMap<SourceId, SourceState>,
    /// What the timeline shows.
    pub view: View,
    /// What matches the filter, while all rows are shown.
    pub matches: Option<View>,
    /// Cursor and scrolling.
    pub timeline: Timeline,
    /// The filter.
    pub filter_bar: FilterBar,
    /// The event under the cursor, where a detail is shown.
    pub detail: Option<Detail>,
    /// What fills the screen.
    pub screen: Screen,
    /// The users screen.
    pub users: Users,
    /// The row under the cursor when editing the filter began, unless the newest was followed.
    row_before_filter: Option<EventId>,
    /// The statistics screen.
    pub statistics: Statistics,
    /// The alerts screen.
    pub alert_table: AlertTable,
    /// The rules screen.
    pub rule_table: RuleTable,
    /// The object screen.
    pub object: ObjectScreen,
    /// The answer on the analysis screen.
    pub story: Option<Story>,
    /// Who used which credential, from where, with which tool.
    pub identities: Identities,
    /// Alerts.
    pub watch: Watch,
    /// Notes on events, for the report.
    pub notes: BTreeMap<EventId, String>,
    /// What is offered while a filter is typed.
    pub suggestions: Suggestions,
    /// Which pane has the keys.
    pub focus: Focus,
    /// Where the detail is shown.
    pub placement: Placement,
    /// The detail was opened with a key.
    pub opened: bool,
    /// Where keys go.
    pub mode: Mode,
    /// How times are shown.
    pub time_style: TimeStyle,
    /// Secret values are shown.
    pub revealed: bool,
    /// Routine traffic is left out.
    pub fold_routine: bool,
    /// Every stage is a row.
    pub all_stages: bool,
    /// Only marked rows are shown.
    pub marks_only: bool,
    /// Marked records.
    pub marks: BTreeSet<EventId>,
    /// The record that was marked last.
    pub last_mark: Option<EventId>,
    /// One line for the user, and whether it is about something wrong.
    pub message: Option<(String, bool)>,
    /// The parts of the screen.
    pub layout: Layout,
    /// The range of time that is shown, from its first moment to before its second.
    pub range: Option<(Micros, Micros)>,
    /// The histogram above the rows.
    pub histogram: Histogram,
    /// How long the last filter took, in microseconds.
    pub filter_took: Option<Micros>,
    /// History was left unread because memory was full.
    pub memory_full: bool,
    /// The last moment that was passed in.
    pub now: Micros,
    /// `--since` and `--until`, once they are known.
    started_range: Option<(Micros, Micros)>,
    /// They must still be worked out.
    range_is_open: bool,
    screen_before: Screen,
    /// The places that one came from, the last one last.
    came_from: Vec<CameFrom>,
    unusual: Unusual,
    /// Another range was set since.
    range_is_own: bool,
    /// Logs that were closed.
    closed: BTreeSet<SourceId>,
    /// The first number of a log that `:open` asked for: such logs are told of once they are read.
    opened_from: Option<SourceId>,
    /// The filter that the view shows; everything where matches are only marked.
    shown_filter: Expression,
    filter_began: Option<Micros>,
    size: (u16, u16),
    resident: usize,
    rate: Rate,
    dirty: bool,
    wanted_at: Option<String>,
}

impl App {
    /// A program that has read nothing yet.
    pub fn new(config: Config, now: Micros) -> App {
        let filter_bar = FilterBar::new(&config.filter);
        let view = View::new(Plan::new(&config.filter), ViewOptions::default());
        let wanted_at = config.at.clone();
        let mut app = App {
            store: Store::new(),
            notices: Notices::default(),
            sources: BTreeMap::new(),
            view,
            matches: None,
            timeline: Timeline::default(),
            filter_bar,
            detail: None,
            screen: Screen::default(),
            users: Users::default(),
            statistics: Statistics::default(),
            alert_table: AlertTable::default(),
            rule_table: RuleTable::default(),
            object: ObjectScreen::default(),
            story: None,
            identities: Identities::default(),
            row_before_filter: None,
            watch: Watch::new(config.rules.clone(), config.acks.clone()),
            notes: BTreeMap::new(),
            suggestions: Suggestions::default(),
            screen_before: Screen::default(),
            came_from: Vec::new(),
            unusual: Unusual::default(),
            focus: Focus::Rows,
            placement: Placement::default(),
            opened: false,
            mode: Mode::Normal,
            time_style: TimeStyle::Clock(config.zone),
            revealed: config.reveal,
            fold_routine: true,
            all_stages: false,
            marks_only: false,
            marks: BTreeSet::new(),
            last_mark: None,
            message: config.greeting.clone().map(|greeting| (greeting, false)),
            layout: Layout::default(),
            range: None,
            histogram: Histogram::default(),
            filter_took: None,
            memory_full: false,
            now,
            started_range: None,
            range_is_own: false,
            closed: BTreeSet::new(),
            opened_from: None,
            range_is_open: config.since.is_some() || config.until.is_some(),
            shown_filter: Expression::default(),
            filter_began: None,
            size: (80, 24),
            resident: 0,
            rate: Rate::default(),
            dirty: true,
            wanted_at,
            config,
        };
        app.restart_views();
        app.open_first_view();
        app.relayout();
        app
    }

    fn open_first_view(&mut self) {
        match self.config.view.as_deref() {
            Some("detail") => {
                self.opened = true;
                self.focus = Focus::Detail;
            }
            Some("users") => self.screen = Screen::Users,
            Some("alerts") => self.screen = Screen::Alerts,
            Some("rules") => self.screen = Screen::Rules,
            Some("statistics") => self.screen = Screen::Statistics,
            Some("notices") => self.mode = Mode::Menu(self.notices_menu()),
            Some("sources") => self.mode = Mode::Menu(self.sources_menu()),
            Some("help") => self.mode = Mode::Menu(menus::help_menu()),
            _ => {}
        }
    }

    /// Takes a message at a moment. Returns what must be done outside.
    pub fn update(&mut self, msg: Msg, now: Micros) -> Vec<Effect> {
        self.now = now;
        self.dirty = true;
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => {
                self.paste(&text);
                Vec::new()
            }
            Msg::Resize(width, height) => {
                self.size = (width, height);
                self.relayout();
                Vec::new()
            }
            Msg::Ingest(message) => self.ingest(message),
            Msg::Resident(bytes) => {
                self.resident = bytes;
                // What is dropped for it must leave the screens too.
                self.after_data()
            }
            Msg::WorkerPanic(message) => {
                let kind = "a worker failed".to_owned();
                self.notices.add(Notice { source: None, kind, detail: message, is_loss: true }, now);
                Vec::new()
            }
            Msg::Rules(rules) => self.set_rules(rules),
            Msg::LookedAt(number, hits) => self.looked_at(number, hits),
            Msg::Muted { number, is_in_force } => {
                self.take_muted(number, is_in_force);
                Vec::new()
            }
            Msg::Completions { typed, common, found } => {
                self.take_completions(&typed, "open ", &common, &found);
                Vec::new()
            }
            Msg::Saved(Ok(text)) => {
                self.say(text);
                Vec::new()
            }
            Msg::Saved(Err(text)) => {
                self.say_wrong(text);
                Vec::new()
            }
            Msg::Tick => {
                self.rate.forget(now);
                Vec::new()
            }
        }
    }

    /// Whether something changed since this was last asked, so that a frame must be drawn.
    pub fn take_dirty(&mut self) -> bool {
        let dirty = std::mem::take(&mut self.dirty);
        if dirty {
            self.refresh_alerts();
            self.count_histogram();
        }
        dirty
    }

    /// How often the screen must be drawn anew although nothing happens, in microseconds: while it shows how long
    /// something has been going on.
    pub fn tick_every(&self) -> Option<Micros> {
        let counting = !self.rate.arrivals.is_empty()
            || self.watch.has_unobserved(self.store.counts().records)
            || self.time_style == TimeStyle::Relative;
        counting.then_some(SECOND)
    }

    /// Live records a second, over the last five.
    pub fn shown_rate(&self) -> u32 {
        self.rate.per_second()
    }

    /// Whether a filter still has segments to look at.
    pub fn has_work(&self) -> bool {
        !self.view.is_complete()
            || self.matches.as_ref().is_some_and(|view| !view.is_complete())
            || self.histogram.has_work()
            || self.tables_have_work()
    }

    /// Goes on filtering until `more` says no, but for one step at least. `now` is the moment at which it stops, for the
    /// time it took.
    pub fn work(&mut self, mut more: impl FnMut() -> bool, now: impl Fn() -> Micros) {
        let mut goes_on = true;
        if let Some(matches) = self.matches.as_mut().filter(|matches| !matches.is_complete()) {
            goes_on = matches.advance(&self.store, &mut more) && more();
        }
        if goes_on && !self.view.is_complete() {
            goes_on = self.view.advance(&self.store, &mut more) && more();
        }
        if goes_on && self.histogram.has_work() {
            goes_on = self.histogram.work(&self.store, &mut more) && more();
        }
        if self.view.is_complete()
            && self.matches.as_ref().is_none_or(View::is_complete)
            && let Some(began) = self.filter_began.take()
        {
            self.filter_took = Some((now() - began).max(0));
        }
        if goes_on {
            self.work_on_tables(&mut more);
        }
        self.after_view_change();
        self.dirty = true;
    }

    /// Bytes that are held: what is counted, or what the process really has, whichever is more.
    pub fn memory_used(&self) -> usize {
        self.store.memory_bytes().max(self.resident)
    }

    /// Share of the history that was read, 0 to 1; 1 once all is.
    pub fn history_share(&self) -> f64 {
        let open = self.sources.values().filter(|s| !s.history_done);
        let (done, total) = open.fold((0, 0), |(d, t), s| (d + s.progress.0, t + s.progress.1));
        if total == 0 { 1.0 } else { done as f64 / total as f64 }
    }

    /// Whether history is still being read.
    pub fn is_loading(&self) -> bool {
        self.sources.values().any(|source| !source.history_done) && !self.memory_full
    }

    /// Whether lines may still come.
    pub fn is_live(&self) -> bool {
        self.sources.values().any(|source| !source.ended)
    }

    /// The zone in which clock times are read and shown.
    pub fn zone(&self) -> TimeZoneChoice {
        match self.time_style {
            TimeStyle::Clock(zone) => zone,
            _ => self.config.zone,
        }
    }

    /// What filters refer to besides their words.
    pub(crate) fn context(&self) -> Context {
        let newest = self.store.order().last_time().unwrap_or(self.now);
        Context {
            reference: if self.now - newest > STALE { newest } else { self.now },
            newest: newest.min(self.now),
            zone: self.zone(),
            sources: self.sources.iter().map(|(id, source)| (*id, source.description.name.clone())).collect(),
            marks: Arc::new(self.marks.clone()),
            alerts: Arc::clone(&self.watch.for_filters),
            revealed: self.revealed,
        }
    }

    /// Starts the views again after the filter or what is shown changed.
    pub(crate) fn restart_views(&mut self) {
        self.start_views(false);
    }

    /// Starts the views again after the filter changed.
    pub(crate) fn refilter(&mut self) {
        self.start_views(true);
    }

    fn start_views(&mut self, only_filter_changed: bool) {
        self.filter_began = Some(self.now);
        let options = self.view_options();
        let filter = self.filter_bar.effective();
        if depends_on_state(&filter) {
            self.histogram.forget_unranged();
        }
        let plan = Plan::compile(&filter, &self.context());
        let narrower =
            only_filter_changed && narrows(&filter, &self.shown_filter) && !depends_on_state(&filter);
        if self.filter_bar.narrow || plan.is_everything() {
            self.matches = None;
            if narrower {
                self.view.narrow(&self.store, plan, options)
            } else {
                self.view.restart(&self.store, plan, options)
            }
            self.shown_filter = filter;
            return;
        }
        // All rows stay; what matches is looked for beside them.
        if !self.view.is_everything() || !only_filter_changed {
            self.view.restart(&self.store, Plan::everything(), options.clone());
        }
        self.shown_filter = Expression::default();
        let mut matches = View::new(Plan::everything(), ViewOptions::default());
        matches.restart(&self.store, plan, options);
        self.matches = Some(matches);
    }

    /// Keeps cursor and detail in step with the rows.
    pub(crate) fn after_view_change(&mut self) {
        if self.screen == Screen::Timeline {
            self.timeline.settle(&self.store, &self.view, usize::from(self.layout.rows.height));
        }
        self.refresh_detail();
        self.settle_tables();
        self.settle_analysis();
        self.settle_alerts();
        self.settle_histogram();
    }

    pub(crate) fn refresh_detail(&mut self) {
        let wanted = if self.layout.detail.height > 0 { self.timeline.selected_in(&self.view) } else { None };
        let Some(id) = wanted else {
            self.detail = None;
            return;
        };
        let about_it = |d: &&Detail| d.id == id || (d.stages.contains(&id) && self.focus == Focus::Detail);
        match self.detail.as_ref().filter(about_it) {
            Some(open) if open.revealed == self.revealed => {}
            // Revealing or masking leaves the reader where they are.
            Some(open) => {
                let place = open.clone();
                self.detail =
                    Detail::open(&self.store, place.id, self.revealed).map(|new| new.at_place_of(&place));
            }
            None => self.detail = Detail::open(&self.store, id, self.revealed),
        }
    }

    pub(crate) fn relayout(&mut self) {
        self.layout = layout(self.size.0, self.size.1, self.placement, self.opened, self.screen);
        self.after_view_change();
    }

    pub(crate) fn say(&mut self, text: String) {
        self.message = Some((text, false));
    }

    pub(crate) fn say_wrong(&mut self, text: String) {
        self.message = Some((text, true));
    }

    fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        let key = Key::of(event);
        if key == (Key { code: KeyCode::Char('c'), control: true }) {
            return vec![Effect::Quit];
        }
        self.message = None;
        match std::mem::replace(&mut self.mode, Mode::Normal) {
            Mode::Normal => match keymap::action_in(self.focus, key) {
                Some(action) => self.perform(action),
                None => Vec::new(),
            },
            Mode::Filter => {
                self.mode = Mode::Filter;
                self.filter_key(event)
            }
            Mode::Prompt(prompt) => self.prompt_key(prompt, event),
            Mode::Menu(menu) => self.menu_key(menu, event),
            Mode::Facets(facets) => self.facets_key(facets, event),
        }
    }

    fn paste(&mut self, text: &str) {
        // A pasted newline must not confirm anything.
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match &mut self.mode {
            Mode::Filter => {
                self.filter_bar.insert(&line);
                self.filter_changed();
            }
            Mode::Prompt(prompt) => prompt.insert(&line),
            Mode::Menu(menu) => menu.insert(&line),
            Mode::Facets(facets) => {
                filter_bar::insert(&mut facets.input, &line);
                facets.typed();
            }
            Mode::Normal => self.say("to filter by pasted text, press / first".into()),
        }
    }

    /// Performs the action of a command or menu entry.
    pub fn run(&mut self, action: Action) -> Vec<Effect> {
        self.perform(action)
    }
}

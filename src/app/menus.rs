//! The lists and input lines that open over the screen: help, palette, notices, sources, marks, copying.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use tui_input::Input;

use super::action::Action;
use super::alert_table::Muted;
use super::filter_bar::insert;
use super::keymap::{KEYMAP, Section};
use super::{App, Effect, Screen};
use crate::detect::{Alert, Engine, Mute, MuteScope, mute};
use crate::format::Format;
use crate::model::{EventId, Micros, SourceId, format_duration, format_rfc3339};
use crate::query::Expression;
use crate::redact;
use crate::store::Field;
use crate::text;
use crate::trace::clock_differences;

/// What an input line is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PromptKind {
    /// A moment to go to.
    Time,
    /// A command.
    Command,
    /// Text to find in the detail.
    Search,
    /// Part of a rule's title, id or file.
    FindRule,
    /// The path of a file to save to.
    Save,
    /// A note on an alert that is acknowledged.
    Acknowledge,
    /// A note on an alert that is closed as a false positive.
    FalsePositive,
    /// The folder that a mute is written to.
    MuteFolder,
}

/// An input line.
#[derive(Debug)]
pub struct Prompt {
    /// What it is for.
    pub kind: PromptKind,
    /// What is typed.
    pub input: Input,
}

impl Prompt {
    /// An empty line.
    pub fn new(kind: PromptKind) -> Self {
        Self { kind, input: Input::default() }
    }

    /// What stands before it.
    pub fn label(&self) -> &'static str {
        match self.kind {
            PromptKind::Time => "go to time (03:00, -15m, 2026-01-14 03:00Z): ",
            PromptKind::Command => ":",
            PromptKind::Search => "find in this event: ",
            PromptKind::FindRule => "find a rule by its title, id or file: ",
            PromptKind::Save => "save to (.md report, .jsonl lines): ",
            PromptKind::Acknowledge => "acknowledge, with a note if any (Esc leaves it): ",
            PromptKind::FalsePositive => "close as false positive, with a note if any: ",
            PromptKind::MuteFolder => "folder of rules to write it to (empty: this session only): ",
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        insert(&mut self.input, text);
    }
}

/// What a list is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MenuKind {
    /// All keys.
    Help,
    /// All commands, searched by a few letters.
    Palette,
    /// What went wrong or changed.
    Notices,
    /// The logs.
    Sources,
    /// Marked rows.
    Marks,
    /// What can be copied.
    Copy,
    /// The conditions of the filter.
    Conditions,
    /// Named filters.
    Filters,
    /// What can be done about an alert.
    Deal,
    /// The filter file that mutes an alert.
    Mute,
    /// What was muted.
    Mutes,
}

/// What may be copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyWhat {
    /// The event in one line.
    Event,
    /// The event, indented.
    Pretty,
    /// The value under the cursor.
    Value,
    /// `namespace/resource/name`
    Object,
    /// `auditID`
    AuditId,
    /// The command line that reopens this view.
    Command,
    /// What kubectl would have to be told.
    Kubectl,
    /// The least roles for what its user was refused, as YAML.
    Roles,
    /// The analysis on screen, as text.
    Analysis,
    /// The object as it was, as YAML.
    Manifest,
    /// The alert in a sentence.
    Alert,
    /// auditIDs of the alert's newest events.
    AuditIds,
    /// The alert as JSON.
    AlertJson,
}

impl CopyWhat {
    /// Whether we wrote it in several lines ourselves: a line end in anything else comes from the log.
    fn has_lines(self) -> bool {
        match self {
            Self::Pretty | Self::Kubectl | Self::Roles | Self::Analysis | Self::Manifest => true,
            Self::AuditIds | Self::AlertJson => true,
            Self::Event | Self::Value | Self::Object | Self::AuditId | Self::Command | Self::Alert => false,
        }
    }

    /// Whether it is made from bodies.
    fn may_hold_secrets(self) -> bool {
        matches!(self, Self::Event | Self::Pretty | Self::Kubectl | Self::Analysis | Self::Manifest)
    }
}

/// What choosing an entry does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Does {
    Nothing,
    Perform(Action),
    JumpTo(EventId),
    Copy(CopyWhat),
    /// Puts the named filter at this place in force.
    UseFilter(usize),
    /// Asks for a note and closes the alert in question.
    CloseAlert,
    /// Shows the filter that mutes so much.
    ShowMute(MuteScope),
    /// Writes the filter that is shown.
    WriteMute,
    /// Takes back the mute of this number.
    Unmute(u32),
}

/// One entry of a list.
#[derive(Clone, Debug)]
pub struct MenuItem {
    /// Key or short word at the left.
    pub key: String,
    /// The entry.
    pub text: String,
    /// Whether it is a heading.
    pub heading: bool,
    pub(super) does: Does,
}

/// A list over the screen.
#[derive(Debug)]
pub struct Menu {
    /// What it is of.
    pub kind: MenuKind,
    /// Its title.
    pub title: String,
    /// What is typed to search it.
    pub input: Input,
    all: Vec<MenuItem>,
    /// The entries that are shown.
    pub shown: Vec<MenuItem>,
    /// The chosen one among them.
    pub cursor: usize,
}

impl Menu {
    fn new(kind: MenuKind, title: &str, items: Vec<MenuItem>) -> Self {
        let shown = items.clone();
        let cursor = shown.iter().position(|item| item.does != Does::Nothing).unwrap_or(0);
        Self { kind, title: title.to_owned(), input: Input::default(), all: items, shown, cursor }
    }

    /// Whether typing searches it.
    pub fn is_searchable(&self) -> bool {
        matches!(self.kind, MenuKind::Palette | MenuKind::Filters)
    }

    pub(super) fn chosen(&self) -> Option<&MenuItem> {
        self.shown.get(self.cursor)
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        self.cursor = self.cursor.saturating_add_signed(rows).min(self.shown.len().saturating_sub(1));
    }

    pub(super) fn select_letter(&mut self, letter: char) -> bool {
        let wanted = letter.to_string();
        match self.shown.iter().position(|item| item.key == wanted && item.does != Does::Nothing) {
            Some(at) if matches!(self.kind, MenuKind::Copy | MenuKind::Deal) => {
                self.cursor = at;
                true
            }
            _ => false,
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        if self.is_searchable() {
            insert(&mut self.input, text);
            self.filter();
        }
    }

    /// Keeps the entries that the typed letters fit, the best first.
    pub(super) fn filter(&mut self) {
        let matcher = SkimMatcherV2::default();
        let typed = self.input.value().trim();
        let mut scored: Vec<(i64, &MenuItem)> = self
            .all
            .iter()
            .filter_map(|item| Some((matcher.fuzzy_match(&item.text, typed)?, item)))
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.shown = scored.into_iter().map(|(_, item)| item.clone()).collect();
        self.cursor = 0;
    }
}

fn item(key: impl Into<String>, text: impl Into<String>, does: Does) -> MenuItem {
    MenuItem { key: key.into(), text: text.into(), heading: false, does }
}

fn heading(text: impl Into<String>) -> MenuItem {
    MenuItem { key: String::new(), text: text.into(), heading: true, does: Does::Nothing }
}

/// The conditions of the filter, each with whether it is on.
pub(super) fn conditions(conditions: &[(String, bool)], cursor: usize) -> Menu {
    let sign = |on: &bool| if *on { "[x]" } else { "[ ]" };
    let items = conditions.iter().map(|(text, on)| item(sign(on), text, Does::Nothing)).collect();
    let mut menu = Menu::new(MenuKind::Conditions, "Conditions", items);
    menu.cursor = cursor.min(conditions.len().saturating_sub(1));
    menu
}

/// The named filters.
pub(super) fn named_filters(filters: &[(String, Expression)]) -> Menu {
    let items = filters
        .iter()
        .enumerate()
        .map(|(at, (name, filter))| item(name, format!("{name}: {filter}"), Does::UseFilter(at)))
        .collect();
    Menu::new(MenuKind::Filters, "Named filters", items)
}

/// What can be done about `count` alerts, of which the cursor is on `alert`, or on their heading.
pub(super) fn deal_menu(app: &App, alert: Option<&Alert>, count: usize) -> Menu {
    let title = if count == 1 { "Alert".to_owned() } else { text::counted(count as u64, "alert") };
    let mut items = vec![item("f", "close as a false positive", Does::CloseAlert)];
    if let Some((board, alert)) = app.watch.board.as_ref().zip(alert) {
        items.push(heading("Mute, by a Sigma filter that is shown before it counts"));
        items.extend(mute_items(board.engine(), alert));
    }
    if app.alert_table.mutes.iter().any(|muted| muted.is_in_force) {
        items.push(heading("What was muted before"));
        items.push(item("t", "take a mute back", Does::Perform(Action::Mutes)));
    }
    Menu::new(MenuKind::Deal, &title, items)
}

fn mute_items(engine: &Engine, alert: &Alert) -> Vec<MenuItem> {
    let namespace = match alert.key.namespace.as_str() {
        "" => "the rule where no namespace is meant".to_owned(),
        namespace => format!("the rule in {namespace}"),
    };
    let scopes = [
        (
            "g",
            MuteScope::Group,
            "what is like this alert: the same rule, user and namespace, or group".to_owned(),
        ),
        ("u", MuteScope::Actor, format!("the rule for {}", alert.subject.user)),
        ("n", MuteScope::Namespace, namespace),
        ("r", MuteScope::Rule, "the rule altogether".to_owned()),
    ];
    let mut items = Vec::new();
    for (key, scope, text) in scopes {
        let Some(mute) = mute(engine, alert, scope) else { continue };
        let also = match mute.also.as_slice() {
            [] => String::new(),
            also => format!("; also quiets: {}", also.join(", ")),
        };
        items.push(item(key, format!("{text}{also}"), Does::ShowMute(scope)));
    }
    items
}

/// What was muted since the program began.
pub(super) fn mutes_menu(mutes: &[Muted]) -> Menu {
    let place = |folder: &Option<String>| match folder {
        Some(folder) => format!("written to {folder}"),
        None => "until the program ends".to_owned(),
    };
    let in_force = mutes.iter().filter(|muted| muted.is_in_force);
    let items = in_force.map(|Muted { number, mute, folder, .. }| {
        item("", format!("{}, {}", mute.title, place(folder)), Does::Unmute(*number))
    });
    Menu::new(MenuKind::Mutes, "Muted since the program began", items.collect())
}

/// The text of the filter that is about to be written.
pub(super) fn mute_menu(mute: &Mute, folder: Option<&str>) -> Menu {
    let place = folder.map_or_else(|| mute.file.clone(), |folder| format!("{folder}/{}", mute.file));
    let lines = mute.text.lines().map(|line| item("", line, Does::WriteMute));
    Menu::new(MenuKind::Mute, &place, lines.collect())
}

/// Every command with its key.
pub(super) fn palette() -> Menu {
    let items = KEYMAP
        .iter()
        .map(|binding| {
            let key = binding.keys.first().map(|k| k.label()).unwrap_or_default();
            item(key, format!("{}: {}", binding.command, binding.help), Does::Perform(binding.action))
        })
        .collect();
    Menu::new(MenuKind::Palette, "Commands", items)
}

/// Every key, and how a filter is written.
pub(super) fn help_menu() -> Menu {
    let mut items = Vec::new();
    for section in Section::ALL {
        items.push(heading(section.title()));
        for binding in KEYMAP.iter().filter(|binding| binding.section == section) {
            let mut keys: Vec<String> = binding.keys.iter().map(|k| k.label()).collect();
            if keys.is_empty() {
                keys.push(format!(":{}", binding.command));
            }
            items.push(item(keys.join(" "), binding.help, Does::Nothing));
        }
    }
    items.push(item(":help filter", "the filter language, with examples", Does::Nothing));
    Menu::new(MenuKind::Help, "Help", items)
}

/// The filter language, by examples, and its fields.
const FILTER_LANGUAGE: &[(&str, &[(&str, &str)])] = &[
    (
        "Words and fields",
        &[
            ("alice", "a word: part of user, verb, resource, namespace, name, agent or URI"),
            ("\"exact phrase\"", "as it stands, spaces and capitals too"),
            ("user:alice", "a field and its whole value; a value may hold colons"),
            ("ns:kube-*", "* stands for anything"),
            ("name:*  name:\"\"", "has any name; has none"),
            ("verb:get,list", "any of these; quotes make a comma literal: user:\"CN=a,O=b\""),
            ("agent~^kubectl/v1\\.3", "a regular expression, anywhere in the value"),
            ("user==alice", "exactly what tables count: not who acted as alice"),
        ],
    ),
    (
        "Numbers, times, networks",
        &[
            ("code:>=400", "also 403, 4xx, <300, 500-599"),
            ("duration:>1s", "also <=200ms, 100ms-2s"),
            ("since:-10m until:03:00", "also at:03:00, at:2026-01-14"),
            ("ip:10.0.0.0/8", "addresses of a network"),
        ],
    ),
    (
        "Putting together",
        &[
            ("ns:prod verb:delete", "both; and may be written between them"),
            ("-ns:prod", "not; also: not ns:prod"),
            ("a or (b -c)", "either; brackets group"),
        ],
    ),
    (
        "What only the text of an event holds (read row by row, the newest first)",
        &[
            ("text:\"a & b\"", "any part of the line, JSON escapes decoded"),
            ("request.spec.replicas:0", "a place in the request's body; response. and body. (either) too"),
            ("body.spec.containers[].image:*:latest", "[] stands for any element, [0] for the first"),
            ("request.spec.replicas:>3", "numbers are compared"),
            ("request.metadata.labels[\"a.b/c\"]:x", "a key with dots stands in quotes"),
            ("annotation.k8s.io/removed-release:*", "an annotation by its key"),
        ],
    ),
    (
        "Case",
        &[("alice  Alice", "a small letter fits either case; a capital or quotes ask for exactly that")],
    ),
];

/// The filter language.
pub(super) fn filter_help() -> Menu {
    let mut items = Vec::new();
    for (title, forms) in FILTER_LANGUAGE {
        items.push(heading(*title));
        items.extend(forms.iter().map(|(form, meaning)| item(*form, *meaning, Does::Nothing)));
    }
    items.push(heading("Fields"));
    for field in crate::query::FIELDS {
        let names: Vec<String> =
            std::iter::once(&field.name).chain(field.aliases).map(|name| format!("{name}:")).collect();
        items.push(item(names[..names.len().min(2)].join(" "), field.help, Does::Nothing));
    }
    items.push(item(
        "",
        "Secret values can be neither found nor listed unless they are revealed (r).",
        Does::Nothing,
    ));
    Menu::new(MenuKind::Help, "Filter language", items)
}

impl App {
    pub(super) fn notices_menu(&self) -> Menu {
        let mut items = Vec::new();
        for (kind, source, group) in self.notices.groups() {
            let name =
                source.and_then(|id| self.sources.get(&id)).map_or("", |s| s.description.name.as_str());
            items.push(heading(format!("{} × {kind}  {name}", text::thousands(group.count))));
            for sample in &group.samples {
                items.push(item("", redact::mask_text(sample), Does::Nothing));
            }
        }
        let counts = self.store.counts();
        if counts.duplicates > 0 {
            items.push(heading(format!(
                "{} lines had been read before and were dropped",
                text::thousands(counts.duplicates)
            )));
        }
        if counts.evicted_records > 0 {
            items.push(heading(format!(
                "{} records were dropped for memory",
                text::thousands(counts.evicted_records)
            )));
        }
        if items.is_empty() {
            items.push(item("", "every line was read, and no file changed under us", Does::Nothing));
        }
        Menu::new(MenuKind::Notices, "Notices", items)
    }

    pub(super) fn sources_menu(&self) -> Menu {
        let mut items = Vec::new();
        for source in self.sources.values() {
            let described = &source.description;
            let rotated = match (described.rotated, described.compressed.len()) {
                (0, _) => String::new(),
                (rotated, 0) => format!(" (+{rotated} rotated)"),
                (rotated, compressed) => format!(" (+{rotated} rotated, {compressed} of them compressed)"),
            };
            items.push(heading(format!("{}  {}{rotated}", described.id.0 + 1, described.path)));
            let (done, total) = source.progress;
            let (records, newest) = self.held_of(described.id);
            let state = match (source.history_done, source.ended) {
                (false, _) => format!("reading: {} of {}", text::human_bytes(done), text::human_bytes(total)),
                (true, false) if total == 0 && records == 0 => "empty or not there yet; waiting".to_owned(),
                (true, false) => "read; following".to_owned(),
                (true, true) => "read to its end".to_owned(),
            };
            let lag = match newest {
                Some(newest) if !source.ended => {
                    format!("; newest event {} ago", format_duration((self.now - newest).max(0)))
                }
                _ => String::new(),
            };
            let held = format!("{state}; {} records held{lag}", text::thousands(records));
            items.push(item("", held, Does::Nothing));
            if !source.formats.is_empty() {
                let formats: Vec<String> = source.formats.iter().map(Format::to_string).collect();
                items.push(item("", formats.join(", "), Does::Nothing));
            }
            for file in &source.files {
                let window = match (file.first, file.last) {
                    (Some(first), Some(last)) => {
                        format!("{} to {}", format_rfc3339(first), format_rfc3339(last))
                    }
                    _ => "no event".to_owned(),
                };
                let text = format!(
                    "{}: {} lines, {}, {window}",
                    file.path,
                    text::thousands(file.lines),
                    text::human_bytes(file.text_bytes)
                );
                items.push(item("", text, Does::Nothing));
            }
        }
        if items.is_empty() {
            items.push(item("", "no log is open", Does::Nothing));
        }
        items.extend(clock_differences(&self.log()).into_iter().map(|clock| {
            item("", format!("{clock}, measured on {} requests in both logs", clock.pairs), Does::Nothing)
        }));
        items.push(item("", ":open FILE reads another log, :close NUMBER drops one", Does::Nothing));
        Menu::new(MenuKind::Sources, "Logs", items)
    }

    /// Records held of a log, and the time of its newest one.
    fn held_of(&self, source: SourceId) -> (u64, Option<Micros>) {
        let of_source = self.store.entries().filter(|(_, entry)| entry.segment().source() == source);
        of_source.fold((0, None), |(records, newest), (_, entry)| {
            let held = u64::from(entry.segment().rows() - entry.dropped().count());
            (records + held, newest.max(Some(entry.segment().max_time())))
        })
    }

    pub(super) fn marks_menu(&self) -> Menu {
        let mut ids: Vec<EventId> = self.marks.iter().copied().collect();
        ids.sort_by_key(|id| (self.store.stage_time(*id), *id));
        let mut items: Vec<MenuItem> = ids
            .into_iter()
            .map(|id| match self.store.segment(id) {
                Some(segment) => {
                    let get = |field| segment.string(field, id.row());
                    let text = format!(
                        "{} {} {} {}/{} {}",
                        segment.code(id.row()),
                        get(Field::Verb),
                        get(Field::Resource),
                        get(Field::Namespace),
                        get(Field::Name),
                        get(Field::User)
                    );
                    let time = crate::model::format_clock(segment.stage_time(id.row()), self.zone(), false);
                    item(time, text, Does::JumpTo(id))
                }
                None => item("", "dropped for memory", Does::Nothing),
            })
            .collect();
        if items.is_empty() {
            items.push(item("", "nothing is marked; mark rows with m", Does::Nothing));
        }
        Menu::new(MenuKind::Marks, "Marks", items)
    }

    pub(super) fn copy_menu(&self) -> Menu {
        let masked = if self.revealed { "" } else { ", secrets masked" };
        let value = item("v", "value under the cursor", Does::Copy(CopyWhat::Value));
        let roles = item("b", "roles for what its user was refused, as YAML", Does::Copy(CopyWhat::Roles));
        let mut items = match self.subject() {
            Some(_) => vec![
                item("e", format!("event in one line{masked}"), Does::Copy(CopyWhat::Event)),
                item("p", format!("event, indented{masked}"), Does::Copy(CopyWhat::Pretty)),
                value,
                item("o", "object: namespace/resource/name", Does::Copy(CopyWhat::Object)),
                item("i", "auditID", Does::Copy(CopyWhat::AuditId)),
                item("k", format!("as kubectl would do it{masked}"), Does::Copy(CopyWhat::Kubectl)),
                roles,
            ],
            None if self.screen == Screen::Users => vec![value, roles],
            None if self.screen == Screen::Statistics => vec![value],
            None => Vec::new(),
        };
        items.push(item("q", "command line that reopens this view", Does::Copy(CopyWhat::Command)));
        if self.screen == Screen::Alerts {
            let own = [
                item("s", "alert in a sentence", Does::Copy(CopyWhat::Alert)),
                item("d", "auditIDs of the alert's newest events", Does::Copy(CopyWhat::AuditIds)),
                item("J", "alert as JSON", Does::Copy(CopyWhat::AlertJson)),
            ];
            items.splice(0..0, own);
        }
        if matches!(self.screen, Screen::Object | Screen::Story) {
            items.insert(
                0,
                item("a", format!("all that is shown here{masked}"), Does::Copy(CopyWhat::Analysis)),
            );
        }
        if self.screen == Screen::Object {
            items.insert(
                1,
                item(
                    "y",
                    format!("the object after this write, as YAML{masked}"),
                    Does::Copy(CopyWhat::Manifest),
                ),
            );
        }
        Menu::new(MenuKind::Copy, "Copy", items)
    }

    pub(super) fn copy(&mut self, what: CopyWhat) -> Vec<Effect> {
        let Some(copied) = self.copied(what) else {
            self.say_wrong("there is nothing to copy".into());
            return Vec::new();
        };
        // What a log holds must not work on the terminal it is pasted into. Line ends of our own indentation stay.
        let options = text::SanitiseOptions { keep_lines: what.has_lines(), ..Default::default() };
        let safe = text::sanitise_with(&copied, options).into_owned();
        let masked = if what.may_hold_secrets() && !self.revealed { ", secrets masked" } else { "" };
        self.say(format!("copied {}{masked} (OSC 52)", text::human_bytes(safe.len() as u64)));
        vec![Effect::Copy(safe)]
    }

    fn copied(&self, what: CopyWhat) -> Option<String> {
        let id = self.subject();
        match what {
            CopyWhat::Command => return Some(self.reopening_command()),
            CopyWhat::Analysis => return self.analysis_text(),
            CopyWhat::Manifest => return self.manifest_text(),
            CopyWhat::Roles => return self.roles_text(),
            CopyWhat::Alert => return self.selected_alert().map(|alert| self.alert_in_words(alert)),
            CopyWhat::AuditIds => return self.selected_alert().map(|alert| self.audit_ids(alert).join("\n")),
            CopyWhat::AlertJson => return self.alert_json(self.selected_alert()?),
            _ => {}
        }
        let id = id?;
        let segment = self.store.segment(id)?;
        let get = |field| segment.string(field, id.row());
        match what {
            CopyWhat::Event | CopyWhat::Pretty => {
                let raw = segment.text(id.row()).ok()?;
                let line = if self.revealed {
                    String::from_utf8_lossy(&raw).into_owned()
                } else {
                    redact::masked_line(&raw)
                };
                if what == CopyWhat::Event {
                    return Some(line);
                }
                match serde_json::from_str::<serde_json::Value>(&line) {
                    Ok(value) => serde_json::to_string_pretty(&value).ok(),
                    Err(_) => Some(line),
                }
            }
            CopyWhat::Value => self.value_under_cursor().map(|(_, value)| value),
            CopyWhat::Object => {
                let parts = [get(Field::Namespace), get(Field::Resource), get(Field::Name)];
                let joined: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                (!joined.is_empty()).then(|| joined.join("/"))
            }
            CopyWhat::AuditId => Some(segment.audit_id(id.row())).filter(|id| !id.is_empty()),
            CopyWhat::Kubectl => {
                let request = crate::trace::Request::read(&self.store, id)?;
                crate::trace::kubectl(&request, None, self.revealed).map(|line| line.to_string())
            }
            CopyWhat::Command | CopyWhat::Analysis | CopyWhat::Manifest | CopyWhat::Roles => None,
            CopyWhat::Alert | CopyWhat::AuditIds | CopyWhat::AlertJson => None,
        }
    }

    /// The command line that opens this log with this filter at this event.
    pub fn reopening_command(&self) -> String {
        let mut words = vec!["kauditui".to_owned()];
        let filter = self.filter_bar.effective().to_string();
        if !filter.is_empty() {
            words.extend(["-f".to_owned(), quoted(&filter)]);
        }
        if let Some((since, until)) = self.range {
            if since > i64::MIN {
                words.extend(["--since".to_owned(), format_rfc3339(since)]);
            }
            if until < i64::MAX {
                words.extend(["--until".to_owned(), format_rfc3339(until)]);
            }
        }
        if let Some(id) = self.subject()
            && let Some(segment) = self.store.segment(id)
        {
            let audit_id = segment.audit_id(id.row());
            if !audit_id.is_empty() {
                words.extend(["--at".to_owned(), quoted(&audit_id)]);
            }
        }
        let view = match self.screen {
            Screen::Timeline if self.opened => Some("detail"),
            Screen::Timeline => None,
            Screen::Users => Some("users"),
            Screen::Alerts => Some("alerts"),
            Screen::Rules => Some("rules"),
            Screen::Statistics => Some("statistics"),
            Screen::Object => Some("object"),
            // Which analysis it is depends on the event.
            Screen::Story => self.story.as_ref().map(|story| story.kind.view()),
        };
        words.extend(view.into_iter().flat_map(|view| ["--view".to_owned(), view.to_owned()]));
        words.extend(self.config.arguments.iter().map(|argument| quoted(argument)));
        words.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | ',' | '=' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_words() {
        assert_eq!(quoted("user:alice"), "user:alice");
        assert_eq!(quoted("it's a"), "'it'\\''s a'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
    }

    #[test]
    fn the_palette_finds_commands_by_a_few_letters() {
        let mut menu = palette();
        menu.insert("nxfail");
        assert_eq!(menu.chosen().map(|i| i.does), Some(Does::Perform(Action::NextFailure)));
        for (_, forms) in FILTER_LANGUAGE {
            for (form, _) in *forms {
                for part in form.split("  ") {
                    assert!(crate::query::parse(part).is_ok(), "{part}");
                }
            }
        }
        let help = help_menu();
        for binding in KEYMAP {
            assert!(help.shown.iter().any(|i| i.text == binding.help), "{}", binding.command);
        }
    }
}

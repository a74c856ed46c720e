//! The one table of keys: dispatch, help, hints, commands and the palette are made from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Focus;
use super::action::Action;

/// A key with or without Ctrl.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// Whether with Ctrl.
    pub control: bool,
}

const fn key(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: false }
}

const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: true }
}

const fn named(code: KeyCode) -> Key {
    Key { code, control: false }
}

impl Key {
    /// The key of a terminal event.
    pub fn of(event: KeyEvent) -> Key {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Char(c) if control => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Key { code, control }
    }

    /// How it is written in help: `j`, `^d`, `PgDn`.
    pub fn label(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            KeyCode::BackTab => "S-Tab".into(),
            other => format!("{other:?}"),
        };
        if self.control { format!("^{name}") } else { name }
    }
}

/// What belongs together in help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// Moving about.
    Move,
    /// Going to another screen.
    Screens,
    /// Jumping to something.
    Jump,
    /// What one event says only together with others.
    Analyse,
    /// Stretches of time.
    Histogram,
    /// Choosing what is shown.
    Filter,
    /// How things are shown.
    Show,
    /// Taking evidence along.
    Keep,
    /// The program.
    Program,
}

impl Section {
    /// All of them, as help shows them.
    pub const ALL: [Section; 9] = [
        Section::Move,
        Section::Screens,
        Section::Jump,
        Section::Analyse,
        Section::Histogram,
        Section::Filter,
        Section::Show,
        Section::Keep,
        Section::Program,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Move => "Move",
            Section::Screens => "Screens",
            Section::Jump => "Jump",
            Section::Analyse => "Analyse the event under the cursor",
            Section::Histogram => "Histogram and range of time",
            Section::Filter => "Filter",
            Section::Show => "Show",
            Section::Keep => "Keep",
            Section::Program => "Program",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys, the first one shown in hints.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// Name of the command behind `:`.
    pub command: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Where help shows it.
    pub section: Section,
}

const fn bind(
    keys: &'static [Key],
    action: Action,
    command: &'static str,
    section: Section,
    help: &'static str,
) -> Binding {
    Binding { keys, action, command, help, section }
}

/// Every key of the program outside text fields.
pub const KEYMAP: &[Binding] = &[
    bind(&[key('j'), named(KeyCode::Down)], Action::Down, "down", Section::Move, "down"),
    bind(&[key('k'), named(KeyCode::Up)], Action::Up, "up", Section::Move, "up"),
    bind(&[control('d')], Action::HalfPageDown, "half-page-down", Section::Move, "half a page down"),
    bind(&[control('u')], Action::HalfPageUp, "half-page-up", Section::Move, "half a page up"),
    bind(
        &[key(' '), control('f'), named(KeyCode::PageDown)],
        Action::PageDown,
        "page-down",
        Section::Move,
        "a page down",
    ),
    bind(
        &[key('b'), control('b'), named(KeyCode::PageUp)],
        Action::PageUp,
        "page-up",
        Section::Move,
        "a page up",
    ),
    bind(&[key('g'), named(KeyCode::Home)], Action::First, "first", Section::Move, "oldest event held"),
    bind(
        &[key('F'), key('G'), named(KeyCode::End)],
        Action::Follow,
        "follow",
        Section::Move,
        "newest event, and follow",
    ),
    bind(
        &[named(KeyCode::Left)],
        Action::ColumnLeft,
        "column-left",
        Section::Move,
        "value to the left; in a table sorts by it",
    ),
    bind(
        &[named(KeyCode::Right)],
        Action::ColumnRight,
        "column-right",
        Section::Move,
        "value to the right; in a table sorts by it",
    ),
    bind(
        &[named(KeyCode::Enter)],
        Action::Open,
        "detail",
        Section::Move,
        "detail; fold or unfold in it; in a table the rows behind a line",
    ),
    bind(&[named(KeyCode::Esc)], Action::Back, "back", Section::Move, "one level back, never quits"),
    bind(
        &[named(KeyCode::Tab)],
        Action::NextPane,
        "next-pane",
        Section::Move,
        "other pane; in the statistics the next table",
    ),
    bind(&[key('1')], Action::ShowTimeline, "timeline", Section::Screens, "timeline"),
    bind(&[key('2')], Action::ShowUsers, "users", Section::Screens, "who was active"),
    bind(
        &[key('3')],
        Action::ShowAlerts,
        "alerts",
        Section::Screens,
        "alerts; from a row with one, that alert",
    ),
    bind(
        &[key('4')],
        Action::ShowObject,
        "object",
        Section::Screens,
        "history of the last object that H was pressed on",
    ),
    bind(
        &[key('5')],
        Action::ShowStatistics,
        "statistics",
        Section::Screens,
        "ready-made tables, counts by any fields",
    ),
    bind(
        &[],
        Action::ShowRules,
        "rules",
        Section::Screens,
        "rules: which can fire on this log, which failed",
    ),
    bind(&[key('`')], Action::PreviousScreen, "previous-screen", Section::Screens, "screen before"),
    bind(&[], Action::GroupBy, "by", Section::Screens, "counts by fields, as :by user,verb"),
    bind(
        &[],
        Action::Changes,
        "changes",
        Section::Screens,
        "what people changed, as :changes -10m or :changes 21:49 21:59",
    ),
    bind(
        &[key('H')],
        Action::History,
        "history",
        Section::Analyse,
        "history of its object: every write, and what each changed",
    ),
    bind(
        &[key('C')],
        Action::Chain,
        "chain",
        Section::Analyse,
        "cause chain: who stood behind it, what led to it, what it set off",
    ),
    bind(
        &[key('R')],
        Action::Access,
        "access",
        Section::Analyse,
        "why it was allowed or refused, and the missing role",
    ),
    bind(
        &[key('K')],
        Action::Session,
        "session",
        Section::Analyse,
        "the session it belongs to, each write as kubectl would do it",
    ),
    bind(
        &[key('.')],
        Action::StepForward,
        "step-forward",
        Section::Analyse,
        "next write of the session or history",
    ),
    bind(&[key(',')], Action::StepBack, "step-back", Section::Analyse, "previous write"),
    bind(&[key('e')], Action::NextFailure, "next-failure", Section::Jump, "next failure (code 400 or more)"),
    bind(&[key('E')], Action::PreviousFailure, "previous-failure", Section::Jump, "previous failure"),
    bind(&[key('w')], Action::NextWrite, "next-write", Section::Jump, "next write"),
    bind(&[key('W')], Action::PreviousWrite, "previous-write", Section::Jump, "previous write"),
    bind(&[key('a')], Action::NextAlert, "next-alert", Section::Jump, "next row with an alert"),
    bind(&[key('A')], Action::PreviousAlert, "previous-alert", Section::Jump, "previous row with an alert"),
    bind(&[key('o')], Action::NextSameObject, "next-same-object", Section::Jump, "next on the same object"),
    bind(
        &[key('O')],
        Action::PreviousSameObject,
        "previous-same-object",
        Section::Jump,
        "previous on the same object",
    ),
    bind(&[key('u')], Action::NextSameUser, "next-same-user", Section::Jump, "next by the same user"),
    bind(
        &[key('U')],
        Action::PreviousSameUser,
        "previous-same-user",
        Section::Jump,
        "previous by the same user",
    ),
    bind(&[key('T')], Action::GoToTime, "time", Section::Jump, "go to a time"),
    bind(
        &[key('i')],
        Action::FocusHistogram,
        "histogram",
        Section::Histogram,
        "to the histogram: Enter takes the range of a bar",
    ),
    bind(&[key('h')], Action::BarLeft, "bar-left", Section::Histogram, "bar to the left"),
    bind(&[key('l')], Action::BarRight, "bar-right", Section::Histogram, "bar to the right"),
    bind(
        &[],
        Action::SelectBars,
        "select-bars",
        Section::Histogram,
        "in the histogram also Space: select several bars",
    ),
    bind(
        &[key('z')],
        Action::ZoomIn,
        "zoom-in",
        Section::Histogram,
        "zoom in; where a range is set, narrow it",
    ),
    bind(&[key('Z')], Action::ZoomOut, "zoom-out", Section::Histogram, "zoom out; widen the range"),
    bind(
        &[key('[')],
        Action::ShiftBack,
        "earlier",
        Section::Histogram,
        "half a window earlier, or half a range",
    ),
    bind(
        &[key(']')],
        Action::ShiftForward,
        "later",
        Section::Histogram,
        "half a window later, or half a range",
    ),
    bind(&[key('D')], Action::CompareDayAgo, "day-ago", Section::Histogram, "compare with a day ago"),
    bind(
        &[],
        Action::ClearRange,
        "range",
        Section::Histogram,
        "all times; only some, as :range 03:00 03:10 or :range -10m",
    ),
    bind(&[key('n')], Action::NextMatch, "next-match", Section::Jump, "next match"),
    bind(&[key('N')], Action::PreviousMatch, "previous-match", Section::Jump, "previous match"),
    bind(&[key('/')], Action::EditFilter, "filter", Section::Filter, "filter; in the detail, search"),
    bind(&[key('f')], Action::Facets, "facets", Section::Filter, "values of any field with their counts"),
    bind(&[], Action::NamedFilters, "filters", Section::Filter, "named filters of the configuration"),
    bind(&[key('p')], Action::Conditions, "conditions", Section::Filter, "switch conditions off and on"),
    bind(&[control('x')], Action::ClearFilter, "clear-filter", Section::Filter, "clear the filter"),
    bind(&[key('+')], Action::Include, "include", Section::Filter, "include the value under the cursor"),
    bind(&[key('-')], Action::Exclude, "exclude", Section::Filter, "exclude it"),
    bind(&[key('=')], Action::Only, "only", Section::Filter, "only it"),
    bind(&[key('\\')], Action::ToggleNarrow, "narrow", Section::Filter, "only matches / all, matches marked"),
    bind(
        &[key('x')],
        Action::ToggleRoutine,
        "routine",
        Section::Filter,
        "show or hide routine traffic; in the alerts: alerts, activity, dealt with",
    ),
    bind(&[key('S')], Action::ToggleStages, "stages", Section::Filter, "every stage / one row a request"),
    bind(&[key('t')], Action::CycleTime, "time-style", Section::Show, "UTC, local, relative, since the mark"),
    bind(&[key('v')], Action::CyclePlacement, "placement", Section::Show, "detail below, right, full, off"),
    bind(
        &[key('B')],
        Action::GroupAlerts,
        "group",
        Section::Show,
        "in the alerts: group by user, rule, namespace, address, tactic",
    ),
    bind(
        &[key('>')],
        Action::NextStage,
        "next-stage",
        Section::Show,
        "in the detail the request's next stage, in a table the other order",
    ),
    bind(&[key('r')], Action::ToggleReveal, "reveal", Section::Show, "reveal or mask secret values"),
    bind(&[control('l')], Action::Repaint, "repaint", Section::Show, "draw everything anew"),
    bind(&[key('m')], Action::Mark, "mark", Section::Keep, "mark the row; in the alerts acknowledge it"),
    bind(&[key('X')], Action::Deal, "deal", Section::Keep, "in the alerts: close as false positive, or mute"),
    bind(
        &[],
        Action::Mutes,
        "mutes",
        Section::Keep,
        "what was muted since the program began, to take it back",
    ),
    bind(&[key('M')], Action::ToggleMarksOnly, "marks-only", Section::Keep, "only marked rows / all"),
    bind(&[key('\'')], Action::MarkList, "marks", Section::Keep, "list of marks"),
    bind(&[key('y'), key('c')], Action::CopyMenu, "copy", Section::Keep, "copy (OSC 52)"),
    bind(
        &[key('s')],
        Action::Save,
        "save",
        Section::Keep,
        "save marked or chosen events: a report, or their lines",
    ),
    bind(
        &[],
        Action::Note,
        "note",
        Section::Keep,
        "attach a note to the event for the report, as :note TEXT",
    ),
    bind(&[key(':')], Action::Command, "command", Section::Program, "command line"),
    bind(&[control('p')], Action::Palette, "palette", Section::Program, "all commands"),
    bind(&[], Action::Notices, "notices", Section::Program, "what could not be read, and what changed"),
    bind(&[], Action::Sources, "sources", Section::Program, "the logs that are open"),
    bind(&[], Action::OpenLog, "open", Section::Program, "read another log, as :open FILE"),
    bind(&[], Action::CloseLog, "close", Section::Program, "drop a log, as :close 2 (:sources numbers them)"),
    bind(&[key('?'), named(KeyCode::F(1))], Action::Help, "help", Section::Program, "help"),
    bind(&[control('z')], Action::Suspend, "suspend", Section::Program, "suspend"),
    bind(&[key('q')], Action::Quit, "quit", Section::Program, "leave this view; quit"),
    bind(&[control('c')], Action::QuitNow, "quit-now", Section::Program, "quit at once"),
];

/// Keys that mean something else while the histogram has them.
const HISTOGRAM_KEYS: &[(Key, Action)] = &[(key(' '), Action::SelectBars)];

/// What a key does in a pane.
pub fn action_in(focus: Focus, key: Key) -> Option<Action> {
    let own = HISTOGRAM_KEYS.iter().find(|(own, _)| focus == Focus::Histogram && *own == key);
    own.map(|(_, action)| *action).or_else(|| action_of(key))
}

/// What a key does.
pub fn action_of(key: Key) -> Option<Action> {
    KEYMAP.iter().find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// The line of the table for an action.
pub fn binding_of(action: Action) -> Option<&'static Binding> {
    KEYMAP.iter().find(|binding| binding.action == action)
}

/// The first key of an action, as help writes it.
pub fn key_label(action: Action) -> String {
    let own = || HISTOGRAM_KEYS.iter().find(|(_, own)| *own == action).map(|(key, _)| *key);
    let first = binding_of(action).and_then(|binding| binding.keys.first()).copied();
    first.or_else(own).map(Key::label).unwrap_or_default()
}

/// The line of the table whose command is `name`, or else those whose commands begin with it.
pub fn commands_named(name: &str) -> Vec<&'static Binding> {
    let exact: Vec<&Binding> = KEYMAP.iter().filter(|binding| binding.command == name).collect();
    if !exact.is_empty() || name.is_empty() {
        return exact;
    }
    KEYMAP.iter().filter(|binding| binding.command.starts_with(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_means_one_thing() {
        let mut keys = Vec::new();
        let mut commands = HashSet::new();
        for binding in KEYMAP {
            for key in binding.keys {
                assert!(!keys.contains(key), "{} is bound twice", key.label());
                keys.push(*key);
            }
            assert!(commands.insert(binding.command), "{}", binding.command);
            assert!(!binding.help.is_empty());
        }
        assert_eq!(action_of(control('d')), Some(Action::HalfPageDown));
        assert_eq!(action_of(key('ß')), None);
        assert_eq!(action_in(Focus::Rows, key(' ')), Some(Action::PageDown));
        assert_eq!(action_in(Focus::Histogram, key(' ')), Some(Action::SelectBars));
        assert_eq!(action_in(Focus::Histogram, key('e')), Some(Action::NextFailure));
        assert_eq!(key_label(Action::SelectBars), "Space");
    }

    #[test]
    fn commands_can_be_shortened() {
        let named = |name| commands_named(name).iter().map(|b| b.action).collect::<Vec<_>>();
        assert_eq!(named("noti"), [Action::Notices]);
        assert_eq!(named("quit"), [Action::Quit], "exact before beginning");
        assert!(named("next").len() > 1, "several begin so");
        assert!(named("").is_empty() && named("nonsense").is_empty());
    }
}

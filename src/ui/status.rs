//! The lines around the rows: what log and window, what filter and how much it shows, hints, messages and prompts.

use std::collections::BTreeSet;

use super::canvas::Canvas;
use super::overlay;
use super::theme::Role;
use crate::app::action::Action;
use crate::app::geometry::Area;
use crate::app::keymap::key_label;
use crate::app::{App, Focus, MenuKind, Mode, Screen};
use crate::format::Format;
use crate::model::{format_clock, format_duration, format_local_offset, format_stamp};
use crate::query::Node;
use crate::text;

/// Log, size, window, and how live it is.
pub fn draw_status(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    canvas.fill(area, Role::Bar);
    let narrow = area.width < 100;
    let separator = canvas.theme.sign(" │ ", " | ");
    let mut left: Vec<String> = Vec::new();
    // Where hardly anything fits, only a screen that is not the first is named.
    let tiny = area.width < 60;
    let screens: Vec<String> = Screen::ALL
        .iter()
        .filter(|(_, screen)| !tiny || (*screen == app.screen && *screen != Screen::Timeline))
        .map(|(key, screen)| {
            let badge = match (screen, app.watch.open()) {
                (Screen::Alerts, open @ 1..) if area.width >= 140 => {
                    canvas.words(&format!("·{}", text::human_count(open as u64)))
                }
                _ => String::new(),
            };
            match (*screen == app.screen, area.width < 140) {
                (true, _) => format!("[{key} {}{badge}]", screen.name()),
                (false, true) => key.to_string(),
                (false, false) => format!("{key} {}{badge}", screen.name()),
            }
        })
        .collect();
    if !screens.is_empty() {
        left.push(screens.join(" "));
    }
    left.push(sources_text(app));
    if let Some(formats) = formats_text(app, if narrow { 2 } else { 4 }) {
        // Where not all fits, what is read is less to be foreseen than where it lies.
        let place = left.len() - usize::from(narrow);
        left.insert(place, formats);
    }
    let held = app.store.held_records();
    let count = if narrow { text::human_count(held) } else { text::thousands(held) };
    left.push(format!("{count} {}", if narrow { "rec" } else { "records" }));
    if let (Some(first), Some(last)) = (app.store.order().first_time(), app.store.order().last_time()) {
        let zone = app.zone();
        let arrow = canvas.theme.sign("→", "-");
        let offset = format_local_offset(last, zone);
        left.push(if narrow {
            format!("{}{arrow}{}{offset}", format_clock(first, zone, false), format_clock(last, zone, false))
        } else {
            let (from, until) = (format_stamp(first, zone), format_stamp(last, zone));
            // A day that both have is written once.
            let until = match (from.split_once(' '), until.split_once(' ')) {
                (Some((day, _)), Some((same, time))) if day == same => time.to_owned(),
                _ => until,
            };
            format!("{from}{arrow}{until} {offset}")
        });
    }
    let right = state_text(app, canvas);
    let right_start = canvas.put_right(area.x, area.y, area.width, &format!(" {right} "), Role::Bar);
    let room = right_start.saturating_sub(area.x + 1);
    let room = room.saturating_sub(1);
    // The beginning of a time tells nothing.
    if left.len() > 3 && text::width(&left.join(separator)) > usize::from(room) {
        left.pop();
    }
    canvas.put(area.x + 1, area.y, room, &left.join(separator), Role::Bar);
}

fn sources_text(app: &App) -> String {
    let mut sources = app.sources.values();
    let Some(first) = sources.next() else { return "no log".to_owned() };
    let others = sources.len();
    let rotated: usize = app.sources.values().map(|s| s.description.rotated).sum();
    let compressed: Vec<&str> =
        app.sources.values().flat_map(|s| s.description.compressed.iter().copied()).collect();
    let mut out = first.description.name.clone();
    if others > 0 {
        out += &format!(" and {others} more");
    }
    if rotated > 0 {
        out += &format!(" +{rotated}");
        if let Some(ending) = compressed.first() {
            let are_alike = compressed.iter().all(|other| other == ending);
            let how = if are_alike { ending.trim_start_matches('.') } else { "packed" };
            out += &format!(" ({} {how})", compressed.len());
        }
    }
    out
}

/// What the open logs are, at most so many names; nothing where all are what API servers write themselves.
fn formats_text(app: &App, most: usize) -> Option<String> {
    let formats: BTreeSet<_> =
        app.sources.values().flat_map(|source| source.formats.iter().copied()).collect();
    if formats.iter().all(Format::is_native) {
        return None;
    }
    let names: Vec<String> = formats.iter().take(most).map(Format::short_name).collect();
    let others = formats.len() - names.len();
    let more = if others > 0 { format!(" +{others}") } else { String::new() };
    Some(names.join(", ") + &more)
}

fn state_text(app: &App, canvas: &Canvas<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if app.revealed {
        parts.push("REVEALED".to_owned());
    }
    if app.is_loading() {
        parts.push(format!("read {:.0} %", app.history_share() * 100.0));
    }
    if app.memory_full {
        let limit = text::human_bytes(app.config.memory_limit as u64);
        parts.push(format!("memory {} of {limit}, full", text::human_bytes(app.memory_used() as u64)));
    }
    let losses = app.notices.losses();
    if losses > 0 {
        parts.push(format!("{} unread :notices", text::human_count(losses)));
    }
    let live = app.is_live();
    if app.watch.open() > 0 {
        parts.push(format!("!{}", text::human_count(app.watch.open() as u64)));
    }
    let state = match (live, app.timeline.following) {
        (true, true) => format!("{} LIVE", canvas.theme.sign("●", "*")),
        (true, false) => format!("{} PAUSED", canvas.theme.sign("‖", "=")),
        (false, _) => "END".to_owned(),
    };
    parts.push(state);
    let rate = app.shown_rate();
    if live && rate > 0 {
        parts.push(format!("{rate}/s"));
    }
    parts.push("? help".to_owned());
    parts.join(" ")
}

/// The filter with its counts. Returns where the text cursor is while it is edited.
pub fn draw_filter(app: &App, canvas: &mut Canvas<'_>, area: Area) -> Option<(u16, u16)> {
    let counts = counts_text(app, area.width);
    let start =
        canvas.put_right(area.x, area.y, area.width, &canvas.words(&format!("{counts} ")), Role::Faint);
    let room = start.saturating_sub(area.x + 4);
    canvas.put(area.x, area.y, 3, " / ", Role::Key);
    let editing = matches!(app.mode, Mode::Filter);
    if !editing {
        let mut x = area.x + 3;
        x += draw_conditions(app, canvas, Area { x, width: room, ..area });
        if let Some(range) = app.range_text() {
            canvas.put(x, area.y, start.saturating_sub(x + 1), &format!("  [{range}]"), Role::Strong);
        }
        return None;
    }
    let input = &app.filter_bar.input;
    let room = room.max(1);
    let scroll = input.visual_scroll(usize::from(room));
    let wrong = app.filter_bar.problem.as_ref();
    let visible: String = input.value().chars().skip(scroll).collect();
    let safe = canvas.safe(&visible).into_owned();
    canvas.put(area.x + 3, area.y, room, &safe, Role::Strong);
    if let Some(problem) = wrong.filter(|p| p.position >= scroll) {
        let before: String = input.value().chars().skip(scroll).take(problem.position - scroll).collect();
        let at = u16::try_from(text::width(&before)).unwrap_or(u16::MAX);
        if at < room {
            canvas.fill(Area { x: area.x + 3 + at, y: area.y, width: room - at, height: 1 }, Role::Failure);
        }
    }
    let x = area.x + 3 + (input.visual_cursor().max(scroll) - scroll) as u16;
    Some((x.min(start.saturating_sub(1)), area.y))
}

/// The conditions one after the other; those that are switched off are faint and in brackets. Returns the columns used.
fn draw_conditions(app: &App, canvas: &mut Canvas<'_>, area: Area) -> u16 {
    let bar = &app.filter_bar;
    let conditions = bar.applied.conditions();
    if conditions.is_empty() {
        let (text, role) = match app.marks_only {
            true => ("only marked rows", Role::Strong),
            false => ("no filter", Role::Faint),
        };
        return canvas.put(area.x, area.y, area.width, text, role);
    }
    // A lone "a or b" needs no brackets, beside others it does.
    let alone = conditions.len() == 1;
    let mut used = 0;
    for condition in conditions {
        let off = bar.is_off(condition);
        let bracketed = !alone && matches!(condition, Node::Or(_));
        let text = match (off, bracketed) {
            (true, _) => format!("[off: {condition}]"),
            (false, true) => format!("({condition})"),
            (false, false) => condition.to_string(),
        };
        let role = match (off, bar.narrow) {
            (true, _) => Role::Faint,
            (false, true) => Role::Strong,
            (false, false) => Role::Match,
        };
        used += canvas.put(area.x + used, area.y, area.width.saturating_sub(used), &text, role);
        used = (used + 1).min(area.width);
    }
    used
}

fn counts_text(app: &App, width: u16) -> String {
    let narrow = width < 100;
    let number = |n: u64| if narrow { text::human_count(n) } else { text::thousands(n) };
    let result = app.matches.as_ref().unwrap_or(&app.view);
    let all = app.store.held_records();
    let mut out = format!("{} of {}", number(result.len() as u64), number(all));
    if !result.is_complete() {
        out += &format!(" · {:.0} % searched", result.scanned(&app.store) * 100.0);
    } else if let Some(took) = app.filter_took.filter(|_| !app.filter_bar.text().is_empty()) {
        out += &format!(" · {}", format_duration(took));
    }
    let folded = app.view.folded();
    if folded > 0 {
        out += &if narrow {
            format!(" · {} hidden (x)", number(folded as u64))
        } else {
            format!(" · routine hidden: {} (x shows)", number(folded as u64))
        };
    }
    if app.all_stages {
        out += " · all stages";
    }
    if !app.filter_bar.narrow {
        out += " · among all rows (\\)";
    }
    out
}

const TABLE_HINTS: [(Action, &str); 11] = [
    (Action::NextPane, "next table"),
    (Action::Open, "events"),
    (Action::ColumnRight, "sort"),
    (Action::NextStage, "reverse"),
    (Action::EditFilter, "filter"),
    (Action::Include, "include"),
    (Action::Exclude, "exclude"),
    (Action::Facets, "facets"),
    (Action::ToggleRoutine, "routine"),
    (Action::Back, "timeline"),
    (Action::Help, "help"),
];

/// Keys that help here, from the one table.
pub fn draw_hints(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let below = app.timeline.new_below(&app.store, &app.view);
    let mut x = area.x + 1;
    if below > 0 {
        let text = format!("{} new below, F follows ", text::thousands(below as u64));
        x += canvas.put(x, area.y, area.width, &text, Role::Heading) + 1;
    }
    if let Mode::Menu(menu) = &app.mode {
        // Help is as high as the screen, and says its keys itself.
        if menu.kind != MenuKind::Help {
            canvas.put(x, area.y, area.width, overlay::keys_of(menu.kind), Role::Plain);
        }
        return;
    }
    let hints: &[(Action, &str)] = match (&app.mode, app.focus) {
        // These say themselves what their keys are.
        (Mode::Filter | Mode::Facets(_), _) => &[],
        _ if app.screen == Screen::Object => &[
            (Action::Open, "all fields"),
            (Action::Mark, "compare with"),
            (Action::Chain, "cause"),
            (Action::Access, "why allowed"),
            (Action::ToggleRoutine, "what belongs to it"),
            (Action::ToggleStages, "status writes"),
            (Action::CopyMenu, "copy, YAML"),
            (Action::Save, "save"),
            (Action::ToggleReveal, "reveal"),
            (Action::Back, "back"),
        ],
        _ if app.screen == Screen::Story => &[
            (Action::Open, "event"),
            (Action::StepForward, "next"),
            (Action::StepBack, "previous"),
            (Action::History, "history"),
            (Action::Chain, "cause"),
            (Action::Access, "why allowed"),
            (Action::CopyMenu, "copy"),
            (Action::Save, "save report"),
            (Action::Back, "back"),
        ],
        _ if app.screen == Screen::Alerts => &[
            (Action::Open, "events"),
            (Action::Mark, "acknowledge"),
            (Action::Deal, "close, mute"),
            (Action::ToggleRoutine, "next list"),
            (Action::GroupAlerts, "group"),
            (Action::NextPane, "why"),
            (Action::Chain, "cause"),
            (Action::Session, "session"),
            (Action::Access, "why allowed"),
            (Action::ColumnRight, "sort"),
            (Action::CopyMenu, "copy"),
            (Action::Save, "save report"),
            (Action::Back, "back"),
        ],
        _ if app.screen == Screen::Rules => &[
            (Action::Open, "events"),
            (Action::NextPane, "rule"),
            (Action::ColumnRight, "sort"),
            (Action::NextStage, "reverse"),
            (Action::CyclePlacement, "where"),
            (Action::Back, "back"),
        ],
        _ if app.screen == Screen::Statistics => &TABLE_HINTS,
        // There is no other table to go to.
        _ if app.screen == Screen::Users => &TABLE_HINTS[1..],
        (_, Focus::Detail) => &[
            (Action::Open, "fold"),
            (Action::EditFilter, "find"),
            (Action::NextStage, "stages"),
            (Action::Include, "include"),
            (Action::ToggleReveal, "reveal"),
            (Action::CopyMenu, "copy"),
            (Action::Back, "back"),
        ],
        (_, Focus::Histogram) => &[
            (Action::BarLeft, "left"),
            (Action::BarRight, "right"),
            (Action::SelectBars, "select"),
            (Action::Open, "set range"),
            (Action::ZoomIn, "in"),
            (Action::ZoomOut, "out"),
            (Action::Back, "leave"),
            (Action::ShiftBack, "earlier"),
            (Action::ShiftForward, "later"),
            (Action::CompareDayAgo, "day ago"),
        ],
        (_, Focus::Rows) => &[
            (Action::Open, "detail"),
            (Action::EditFilter, "filter"),
            (Action::Facets, "facets"),
            (Action::History, "history"),
            (Action::Chain, "cause"),
            (Action::Session, "session"),
            (Action::Include, "include"),
            (Action::Exclude, "exclude"),
            (Action::ToggleRoutine, "routine"),
            (Action::NextWrite, "write"),
            (Action::NextFailure, "failure"),
            (Action::NextSameObject, "object"),
            (Action::NextSameUser, "user"),
            (Action::GoToTime, "time"),
            (Action::Mark, "mark"),
            (Action::CopyMenu, "copy"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ],
    };
    if matches!(app.mode, Mode::Filter) {
        let text = "Tab takes · ↓ next offer · Enter keeps · Esc reverts · ↑ earlier filters · :help filter";
        let text = canvas.words(text);
        canvas.put(x, area.y, area.width - 1, &text, Role::Faint);
        return;
    }
    for (action, what) in hints {
        let key = key_label(*action);
        let key = canvas.words(&key);
        let needed = (text::width(&key) + text::width(what) + 3) as u16;
        if x + needed > area.x + area.width {
            break;
        }
        x += canvas.put(x, area.y, needed, &key, Role::Key) + 1;
        x += canvas.put(x, area.y, needed, what, Role::Faint) + 2;
    }
}

/// A message that is too long loses its middle: what it is about stands at its beginning, what to do about it at its end.
fn both_ends(canvas: &Canvas<'_>, message: &str, width: u16) -> String {
    let safe = canvas.safe(message);
    let width = usize::from(width);
    if text::width(&safe) <= width {
        return safe.into_owned();
    }
    let room = width.saturating_sub(text::width(canvas.ellipsis()));
    let start = text::fit_end(&safe, room / 2, "").into_owned();
    let mut end = String::new();
    for letter in safe.chars().rev() {
        if text::width(&end) + text::width(&letter.to_string()) > room - room / 2 {
            break;
        }
        end.insert(0, letter);
    }
    format!("{start}{}{end}", canvas.ellipsis())
}

/// The message, or the input line. Returns where the text cursor is.
pub fn draw_message(app: &App, canvas: &mut Canvas<'_>, area: Area) -> Option<(u16, u16)> {
    match &app.mode {
        Mode::Prompt(prompt) => {
            let used = canvas.put(area.x, area.y, area.width, prompt.label(), Role::Key);
            let room = area.width.saturating_sub(used + 1).max(1);
            let scroll = prompt.input.visual_scroll(usize::from(room));
            let visible: String = prompt.input.value().chars().skip(scroll).collect();
            canvas.put(area.x + used, area.y, room, &visible, Role::Strong);
            let at = prompt.input.visual_cursor().max(scroll) - scroll;
            return Some((area.x + used + at as u16, area.y));
        }
        Mode::Filter => {
            if let Some(problem) = &app.filter_bar.problem {
                let near =
                    problem.suggestion.as_ref().map(|s| format!("; did you mean {s}?")).unwrap_or_default();
                let is_without_it = app.filter_bar.is_without_it;
                let shown = if is_without_it { "shown without it" } else { "the last good result stays" };
                let text = format!(" {}{near} ({shown})", problem.message);
                let role = if problem.incomplete { Role::Faint } else { Role::Failure };
                let text = both_ends(canvas, &text, area.width);
                canvas.put(area.x, area.y, area.width, &text, role);
                return None;
            }
        }
        _ => {}
    }
    if let Some((message, wrong)) = &app.message {
        let role = if *wrong { Role::Failure } else { Role::Plain };
        let message = both_ends(canvas, message, area.width - 1);
        canvas.put(area.x + 1, area.y, area.width - 1, &message, role);
    } else if let Some(text) = app.selection_text() {
        let text = canvas.words(&text);
        canvas.put(area.x + 1, area.y, area.width - 1, &text, Role::Plain);
    }
    None
}

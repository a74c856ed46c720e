//! What the rules of detection found: a line an alert, the worst first, and all that is told of the one under the cursor.

use super::canvas::Canvas;
use super::grid::{self, Column};
use super::shorten;
use super::theme::Role;
use super::timeline::format_time;
use crate::app::alert_order::{AlertGrouping, AlertTab};
use crate::app::alert_table::{AlertGroup, AlertLine};
use crate::app::geometry::Area;
use crate::app::sheet::{LABELS, LineKind, Sheet};
use crate::app::{App, Focus};
use crate::detect::{AckKind, Alert, AlertState, Severity};
use crate::model::Micros;
use crate::text;

/// Places of the columns that are filled by hand.
const NAMESPACE: usize = 5;
const STATE: usize = 6;
const CHART: usize = 8;

fn columns(width: u16) -> [Column; 9] {
    let (last, count, actor, namespace, technique, state, chart) = match width {
        150.. => (8, 7, 30, 20, 10, 7, 12),
        110.. => (8, 6, 24, 0, 10, 6, 10),
        76.. => (8, 5, 20, 0, 0, 0, 0),
        50.. => (5, 4, 12, 0, 0, 0, 0),
        _ => (5, 0, 0, 0, 0, 0, 0),
    };
    let sizes = [4, last, count, actor, namespace, technique, state, chart];
    let used: u16 = 2 + sizes.iter().filter(|width| **width > 0).map(|width| width + 1).sum::<u16>();
    [
        Column::text("SEV", 4),
        Column::text("LAST", last),
        Column::number("N", count),
        Column::text("ALERT", width.saturating_sub(used).max(8)),
        Column::text("ACTOR", actor),
        Column::text("NAMESPACE", namespace),
        Column::text("STATE", state),
        Column::text("ATT&CK", technique),
        Column::text("TREND", chart),
    ]
}

/// A severity in at most four letters, which say it without colour.
pub fn severity(severity: Severity) -> (&'static str, Role) {
    match severity {
        Severity::Critical => ("CRIT", Role::Broken),
        Severity::High => ("HIGH", Role::Delete),
        Severity::Medium => ("MED", Role::Failure),
        Severity::Low => ("LOW", Role::Plain),
        Severity::Informational => ("INFO", Role::Faint),
    }
}

/// Draws the table.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    draw_tabs(app, canvas, heading);
    let table = &app.alert_table;
    let columns = columns(rows.width);
    grid::heading(canvas, Area { height: 1, ..rows }, &columns, Some((table.sort, table.descending)));
    let below = Area { y: rows.y + 1, height: rows.height.saturating_sub(1), ..rows };
    if table.lines().is_empty() {
        return draw_quiet(app, canvas, below);
    }
    let visible = table.lines().iter().enumerate().skip(table.cursor.top).take(usize::from(below.height));
    for (offset, (at, line)) in visible.enumerate() {
        let area = Area { y: below.y + offset as u16, height: 1, ..below };
        let selected = at == table.cursor.row;
        match line {
            AlertLine::Heading(group) => {
                draw_heading(app, canvas, area, group);
                if selected {
                    canvas.put(area.x, area.y, 1, canvas.theme.sign("▶", ">"), Role::Strong);
                    canvas.fill(area, Role::Cursor);
                }
            }
            AlertLine::Alert(at, _) => {
                let Some(list) = app.watch.board.as_ref().map(|board| board.list()) else { continue };
                let Some(alert) = list.get(*at) else { continue };
                // The list is in the order of keys.
                let is_twin = |other: Option<&Alert>| {
                    other.is_some_and(|o| (&o.key.rule, &o.key.actor) == (&alert.key.rule, &alert.key.actor))
                };
                let has_twin =
                    is_twin(at.checked_sub(1).and_then(|at| list.get(at))) || is_twin(list.get(at + 1));
                let cells = cells(app, canvas, alert, has_twin, &columns);
                grid::row(canvas, area, &columns, &cells, selected);
            }
        }
    }
}

/// What can be listed, how much of it there is, and by which rules.
fn draw_tabs(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let table = &app.alert_table;
    let mut x = area.x + 1;
    let end = area.x + area.width;
    for (tab, count) in AlertTab::ALL.into_iter().zip(table.counts()) {
        let count = text::human_count(count as u64);
        let (said, role) = match tab == table.tab {
            true => (format!("[{} {count}]", tab.name()), Role::Strong),
            false => (format!(" {} {count} ", tab.name()), Role::Faint),
        };
        x += canvas.put(x, area.y, end.saturating_sub(x), &said, role) + 1;
    }
    if table.grouping != AlertGrouping::None {
        x += canvas.put(x, area.y, end.saturating_sub(x), table.grouping.name(), Role::Plain) + 2;
    }
    if table.hidden() > 0 {
        let hidden = format!("{} left out by the filter", text::human_count(table.hidden() as u64));
        x += canvas.put(x, area.y, end.saturating_sub(x), &hidden, Role::Failure) + 2;
    }
    let room = usize::from(end.saturating_sub(x));
    let rules = app.rules_in_words();
    // A rule that is not used must not go unnoticed where there is no room for all of that.
    let broken = app.broken_rules_in_words().map(|broken| format!("{broken} (:rules)"));
    if room > text::width(&rules) {
        let role = if broken.is_some() { Role::Failure } else { Role::Faint };
        canvas.put_right(x, area.y, end.saturating_sub(x + 1), &rules, role);
    } else if let Some(broken) = broken.filter(|broken| room > text::width(broken)) {
        canvas.put_right(x, area.y, end.saturating_sub(x + 1), &broken, Role::Failure);
    }
}

fn draw_quiet(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let width = usize::from(area.width.saturating_sub(3)).max(1);
    let mut y = area.y;
    for (at, line) in app.why_quiet().iter().enumerate() {
        for part in text::wrap(line, width) {
            if y >= area.y + area.height {
                return;
            }
            let role = if at == 0 { Role::Strong } else { Role::Plain };
            canvas.put(area.x + 2, y, area.width.saturating_sub(2), &part, role);
            y += 1;
        }
    }
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Area, group: &AlertGroup) {
    let table = &app.alert_table;
    let folded = table.is_folded(&group.value);
    let sign = if folded { canvas.theme.sign("▸", "+") } else { canvas.theme.sign("▾", "-") };
    let (letters, role) = severity(group.worst);
    let name = match (group.value.as_str(), table.grouping) {
        ("", AlertGrouping::User) => "nobody that is known".to_owned(),
        ("", AlertGrouping::Namespace) => "in no namespace".to_owned(),
        ("", AlertGrouping::Address) => "no address".to_owned(),
        ("", _) => "none".to_owned(),
        (user, AlertGrouping::User) => shorten::user(user, area.width < 110).into_owned(),
        (value, _) => value.to_owned(),
    };
    let mut sums = format!(
        "  {}, {}, last {}",
        text::counted(group.alerts as u64, "alert"),
        text::counted(group.events, "event"),
        format_time(app, group.last, false)
    );
    if table.grouping == AlertGrouping::User
        && let Some(risk) = table.risk(&group.value).filter(|risk| risk.score > 0)
    {
        sums += &canvas.words(&format!(
            " · risk {}: {} within an hour",
            risk.score,
            text::counted(risk.tactics.len() as u64, "tactic")
        ));
    }
    let parts = [
        (sign, Role::Heading),
        (" ", Role::Plain),
        (letters, role),
        (" ", Role::Plain),
        (&name, Role::Heading),
        (&sums, Role::Faint),
    ];
    canvas.line(area.x + 2, area.y, area.width.saturating_sub(2), &parts);
}

/// The cells of a row. `has_twin` says that another alert has the same rule and actor.
fn cells(
    app: &App,
    canvas: &Canvas<'_>,
    alert: &Alert,
    has_twin: bool,
    columns: &[Column],
) -> Vec<(String, Role)> {
    let Some(board) = &app.watch.board else { return Vec::new() };
    let rule = board.engine().rule(alert.rule);
    let width = |at: usize| columns.get(at).map_or(0, |column| usize::from(column.width));
    let (letters, role) = severity(rule.severity);
    let mut last = format_time(app, alert.last, false);
    if text::width(&last) > width(1) {
        last = last.chars().take(width(1)).collect();
    }
    let (state, mark) = state(app, canvas, alert);
    let mark = if width(STATE) > 0 || mark.is_empty() { String::new() } else { format!("{mark} ") };
    let name = match alert.subject.user.as_str() {
        "" => alert.subject.source_ip.clone(),
        user => shorten::user(user, width(4) < 30).into_owned(),
    };
    let title = match app.alert_table.grouping {
        // The heading says the title.
        AlertGrouping::Rule => app.deed_of_alert(alert),
        _ if has_twin && width(NAMESPACE) == 0 && !alert.subject.namespace.is_empty() => {
            format!("{}: {}", alert.subject.namespace, rule.title)
        }
        _ => rule.title.clone(),
    };
    let title = match app.alert_table.grouping {
        AlertGrouping::None => title,
        _ => format!("  {title}"),
    };
    let technique = rule.techniques().next().unwrap_or_default();
    let chart = if width(CHART) > 0 { chart(app, alert, width(CHART)) } else { Vec::new() };
    vec![
        (letters.to_owned(), role),
        (last, Role::Plain),
        (grid::number(alert.count, columns[2].width), Role::Plain),
        (format!("{mark}{title}"), Role::Plain),
        (shorten::middle(&name, width(4), canvas.ellipsis()).into_owned(), Role::Plain),
        (alert.subject.namespace.clone(), Role::Plain),
        (state, Role::Faint),
        (technique, Role::Faint),
        (grid::bars(canvas, &chart), Role::Plain),
    ]
}

/// Where it stands: in a column, and as a mark where there is none.
fn state(app: &App, canvas: &Canvas<'_>, alert: &Alert) -> (String, String) {
    match app.watch.acks.state(alert) {
        AlertState::Open if alert.is_provisional => ("so far".to_owned(), "?".to_owned()),
        AlertState::Open => ("open".to_owned(), String::new()),
        AlertState::Again(ack) => {
            let new = app.new_since(alert, ack.last);
            (format!("{new} new"), format!("[{new} new since]"))
        }
        AlertState::Done(ack) => match ack.kind {
            AckKind::Acknowledged => ("ack".to_owned(), canvas.theme.sign("✓", "v").to_owned()),
            AckKind::FalsePositive => ("closed".to_owned(), "x".to_owned()),
        },
    }
}

/// Its events over the time that is held.
fn chart(app: &App, alert: &Alert, cells: usize) -> Vec<u32> {
    let order = app.store.order();
    let Some((first, last)) = order.first_time().zip(order.last_time()) else { return Vec::new() };
    let Some(board) = &app.watch.board else { return Vec::new() };
    let mut counts = vec![0u32; cells];
    let span = i128::from(last - first).max(1);
    for id in board.events(alert) {
        if app.store.segment(id).is_none() {
            continue;
        }
        let time: Micros = app.store.stage_time(id);
        let cell = (i128::from(time - first) * cells as i128 / span).clamp(0, cells as i128 - 1);
        counts[cell as usize] += 1;
    }
    counts
}

/// Draws what is told of the alert under the cursor.
pub fn draw_pane(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let title = match app.selected_alert().zip(app.watch.board.as_ref()) {
        Some((alert, board)) => {
            let rule = board.engine().rule(alert.rule);
            let techniques: Vec<String> = rule.techniques().collect();
            format!("{} · {}", rule.severity.name().to_uppercase(), techniques.join(", "))
        }
        None => "no alert".to_owned(),
    };
    draw_sheet(app, canvas, area, &title, &app.alert_table.sheet);
}

/// Draws a text with its frame.
pub fn draw_sheet(app: &App, canvas: &mut Canvas<'_>, area: Area, title: &str, sheet: &Sheet) {
    let focused = app.focus == Focus::Detail;
    let inside_height = usize::from(area.height.saturating_sub(2));
    let below = sheet.rows().len().saturating_sub(sheet.top + inside_height);
    let more = match (below, focused) {
        (0, _) => String::new(),
        (below, true) => format!("{below} more lines"),
        (below, false) => format!("{below} more lines: Tab"),
    };
    let title = canvas.words(title);
    let inside = canvas.frame(area, &title, &more, focused);
    let visible = sheet.rows().iter().enumerate().skip(sheet.top).take(usize::from(inside.height));
    for (offset, (row, (at, part))) in visible.enumerate() {
        let y = inside.y + offset as u16;
        let Some(line) = sheet.lines().get(*at) else { continue };
        let role = match line.kind {
            LineKind::Plain => Role::Plain,
            LineKind::Strong => Role::Strong,
            LineKind::Faint | LineKind::File => Role::Faint,
        };
        // Signs of our own stand among words of a log: both go through the same replacement.
        let part = canvas.words(part);
        if line.kind == LineKind::File {
            canvas.put(inside.x + 1, y, inside.width.saturating_sub(1), &part, role);
            continue;
        }
        let is_first = row == 0 || sheet.rows().get(row - 1).is_none_or(|(before, _)| before != at);
        if is_first {
            canvas.put(inside.x + 1, y, LABELS as u16 - 1, line.label, Role::Faint);
        }
        let x = LABELS as u16 + 1;
        canvas.put(inside.x + x, y, inside.width.saturating_sub(x), &part, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::alert_order::{ALERT_SORTS, AlertSort};

    #[test]
    fn columns_fit_and_every_sort_has_its_own() {
        for width in 40..300u16 {
            let columns = columns(width);
            let used: u16 = 2 + columns.iter().filter(|c| c.width > 0).map(|c| c.width + 1).sum::<u16>();
            assert!(used <= width + 1, "{width}: {used}");
        }
        for (sort, column) in ALERT_SORTS.iter().zip(columns(120)) {
            let title = match sort {
                AlertSort::Severity => "SEV",
                AlertSort::Last => "LAST",
                AlertSort::Count => "N",
                AlertSort::Title => "ALERT",
                AlertSort::Actor => "ACTOR",
            };
            assert_eq!(column.title, title);
        }
    }
}

//! Who was active: a line an identity, people first, and the profile of the one under the cursor.

use super::canvas::Canvas;
use super::grid::{self, Column};
use super::shorten;
use super::theme::Role;
use super::timeline::format_time;
use crate::activity::Actor;
use crate::app::App;
use crate::app::geometry::Area;
use crate::app::statistics::deed;
use crate::app::users::Line;
use crate::model::Micros;
use crate::query::{FieldName, Group, Stats};
use crate::text;

/// Cells of the small chart.
const CHART: u16 = 12;

fn columns(width: u16) -> [Column; 11] {
    let wide = width >= 110;
    let sizes: [u16; 10] = match width {
        110.. => [0, 9, 8, 7, 6, 4, 5, 6, 8, 8],
        76.. => [0, 7, 6, 5, 4, 3, 3, 0, 0, 5],
        _ => [0, 7, 6, 5, 4, 0, 0, 0, 0, 5],
    };
    let chart = if wide { CHART } else { 8 };
    let used: u16 = sizes.iter().filter(|w| **w > 0).map(|w| w + 1).sum::<u16>() + chart + 1 + 2;
    let name = width.saturating_sub(used).clamp(10, 60);
    [
        Column::text("USER", name),
        Column::number("EVENTS", sizes[1]),
        Column::number("WRITES", sizes[2]),
        Column::number("FAIL", sizes[3]),
        Column::number("403", sizes[4]),
        Column::number("NS", sizes[5]),
        Column::number("IPs", sizes[6]),
        Column::number("TOOLS", sizes[7]),
        Column::number("FIRST", sizes[8]),
        Column::number("LAST", sizes[9]),
        Column::text("TREND", chart),
    ]
}

/// Draws the table.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let columns = columns(rows.width);
    let users = &app.users;
    grid::heading(canvas, heading, &columns, Some((users.sort, users.descending)));
    if users.is_empty() {
        let text = if app.has_work() { "counting" } else { "nobody is among the rows that pass the filter" };
        canvas.put(rows.x + 2, rows.y, rows.width.saturating_sub(2), text, Role::Strong);
        return;
    }
    let span = span(app);
    let visible = users.lines().iter().enumerate().skip(users.cursor.top).take(usize::from(rows.height));
    for (offset, (at, line)) in visible.enumerate() {
        let area = Area { y: rows.y + offset as u16, height: 1, ..rows };
        let selected = at == users.cursor.row;
        match line {
            Line::Heading { section, actors, new } => {
                let folded = users.is_folded(*section);
                let sign = if folded { canvas.theme.sign("▸", "+") } else { canvas.theme.sign("▾", "-") };
                let new = if *new > 0 { format!(", {new} new") } else { String::new() };
                let hint = if folded { "  Enter lists them" } else { "" };
                let text = format!("{sign} {} ({actors}{new}){hint}", section.title());
                canvas.put(area.x, area.y, area.width, &text, Role::Heading);
                if selected {
                    canvas.fill(area, Role::Cursor);
                }
            }
            Line::Actor(actor) => {
                let Some(actor) = users.actor(*actor) else { continue };
                let cells = cells(app, canvas, actor, &columns, span);
                grid::row(canvas, area, &columns, &cells, selected);
            }
        }
    }
}

fn span(app: &App) -> (Micros, Micros) {
    (app.store.order().first_time().unwrap_or(0), app.store.order().last_time().unwrap_or(0))
}

fn cells(
    app: &App,
    canvas: &Canvas<'_>,
    actor: &Actor,
    columns: &[Column],
    span: (Micros, Micros),
) -> Vec<(String, Role)> {
    let stats = &actor.stats;
    let width = |at: usize| columns.get(at).map_or(0, |column| column.width);
    let mut marks = String::new();
    for (mark, holds) in
        [(" NEW", actor.is_new), (" acts-as", actor.impersonating > 0), (" acted-as", actor.impersonated > 0)]
    {
        if holds {
            marks += mark;
        }
    }
    let room = usize::from(width(0)).saturating_sub(text::width(&marks));
    let name = shorten::user(&actor.name, width(0) < 30);
    let name = if actor.name.is_empty() { "(nobody: not logged in)".into() } else { name };
    let name = format!("{}{marks}", shorten::middle(&name, room, canvas.ellipsis()));
    let many = |(count, more): (usize, bool)| format!("{count}{}", if more { "+" } else { "" });
    let role = |count: u64, role: Role| if count > 0 { role } else { Role::Faint };
    let short = |time: Micros, column: usize| {
        let whole = format_time(app, time, false);
        if usize::from(width(column)) < text::width(&whole) {
            whole.chars().take(usize::from(width(column))).collect()
        } else {
            whole
        }
    };
    let chart = app.users.sparkline(actor, span, usize::from(width(10)));
    vec![
        (name, if actor.is_new { Role::Match } else { Role::Plain }),
        (grid::number(stats.count, width(1)), Role::Plain),
        (grid::number(stats.writes, width(2)), role(stats.writes, Role::Strong)),
        (grid::number(stats.failed, width(3)), role(stats.failed, Role::Failure)),
        (grid::number(stats.forbidden, width(4)), role(stats.forbidden, Role::Failure)),
        (many(stats.distinct(0)), Role::Plain),
        (many(stats.distinct(1)), Role::Plain),
        (many(stats.distinct(2)), Role::Plain),
        (short(stats.first, 8), Role::Faint),
        (short(stats.last, 9), Role::Plain),
        (grid::bars(canvas, &chart), Role::Plain),
    ]
}

/// Draws the profile of the actor under the cursor.
pub fn draw_profile(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let Some(actor) = app.users.selected() else {
        canvas.frame(area, "no user", "", false);
        return;
    };
    let name = if actor.name.is_empty() { "nobody: not logged in" } else { &actor.name };
    let since = format_time(app, actor.first_seen, false);
    let new = if actor.is_new { " · NEW in this log" } else { "" };
    let title = canvas.words(&format!("{name} · {} · first seen {since}{new}", actor.kind.name()));
    let inside = canvas.frame(area, &title, "Enter: events", false);
    let mut lines: Vec<(&str, String)> = Vec::new();
    let profile = app.users.profile();
    let listed = |field: FieldName| {
        let groups = profile.iter().find(|(known, _)| *known == field).map(|(_, groups)| groups.as_slice());
        listed(groups.unwrap_or_default())
    };
    lines.push(("verbs", listed(FieldName::Verb)));
    let (writes, refused) = app.users.profile_objects();
    lines.push(("writes", objects(&writes, |stats| stats.writes)));
    lines.push(("403s", objects(&refused, |stats| stats.forbidden)));
    lines.push(("from", format!("{} · {}", listed(FieldName::SourceIp), listed(FieldName::Tool))));
    lines.push(("in", listed(FieldName::Namespace)));
    lines.push(("groups", listed(FieldName::Group)));
    let acting: Vec<String> = [
        (actor.impersonating, "made as somebody else"),
        (actor.impersonated, "made as this user by somebody else"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, how)| format!("{} {how}", text::thousands(count)))
    .collect();
    lines.insert(1, ("acting", acting.join(", ")));
    let shown = lines.iter().filter(|(_, text)| !text.is_empty()).take(usize::from(inside.height));
    for (offset, (label, text)) in shown.enumerate() {
        let y = inside.y + offset as u16;
        canvas.put(inside.x + 1, y, 7, label, Role::Faint);
        let text = canvas.words(text);
        canvas.put(inside.x + 8, y, inside.width.saturating_sub(9), &text, Role::Plain);
    }
}

/// Values with their counts.
fn listed(groups: &[Group]) -> String {
    let named = groups.iter().filter(|group| group.values.first().is_some_and(|value| !value.is_empty()));
    let parts: Vec<String> = named
        .take(12)
        .map(|group| format!("{} {}", group.values[0], text::human_count(group.stats.count)))
        .collect();
    parts.join(", ")
}

/// What was done to which objects, and how often.
fn objects(groups: &[Group], count: fn(&Stats) -> u64) -> String {
    let parts: Vec<String> = groups
        .iter()
        .take(8)
        .filter_map(|group| {
            let [verb, subresource, object] = group.values.as_slice() else { return None };
            let count = count(&group.stats);
            let times = if count > 1 { format!(" ×{count}") } else { String::new() };
            Some(format!("{} {}{times}", deed(verb, subresource), object.trim_matches('/')))
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::ActorSort;
    use crate::app::users::SORTS;

    #[test]
    fn every_sort_has_its_column() {
        for (at, sort) in SORTS.iter().enumerate() {
            let title = columns(120)[at].title;
            let wanted = match sort {
                ActorSort::Name => "USER",
                ActorSort::Events => "EVENTS",
                ActorSort::Writes => "WRITES",
                ActorSort::Failed => "FAIL",
                ActorSort::Forbidden => "403",
                ActorSort::Namespaces => "NS",
                ActorSort::Addresses => "IPs",
                ActorSort::Tools => "TOOLS",
                ActorSort::First => "FIRST",
                ActorSort::Last => "LAST",
            };
            assert_eq!(title, wanted);
        }
    }

    #[test]
    fn columns_fit() {
        for width in 60..300u16 {
            let columns = columns(width);
            let used: u16 = 2 + columns.iter().filter(|c| c.width > 0).map(|c| c.width + 1).sum::<u16>();
            assert!(used <= width + 1, "{width}: {used}");
        }
    }
}

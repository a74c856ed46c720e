//! The values of a field over the whole selection, and what is offered while a filter is typed.

use super::canvas::Canvas;
use super::grid;
use super::theme::Role;
use crate::app::App;
use crate::app::facets::{Facets, Stage};
use crate::app::geometry::Area;
use crate::query::Wanted;
use crate::text;

/// Offers that are seen at once.
const OFFERS: usize = 8;

/// Draws the facets over the screen. Returns where the text cursor is.
pub fn draw(app: &App, facets: &Facets, canvas: &mut Canvas<'_>) -> Option<(u16, u16)> {
    let screen = *canvas.buffer.area();
    let width = screen.width.saturating_sub(4).min(110);
    let lines = u16::try_from(facets.len()).unwrap_or(u16::MAX).saturating_add(3);
    let height = screen.height.saturating_sub(4).min(lines.max(10)).max(5);
    let area =
        Area { x: (screen.width - width) / 2, y: (screen.height.saturating_sub(height)) / 2, width, height };
    let scope: Vec<String> =
        facets.scope.iter().map(|(field, value)| format!("{}:{value} > ", field.info().name)).collect();
    let (title, hint) = match facets.stage {
        Stage::Fields => {
            ("Facets: which field?".to_owned(), "letters search, Enter lists the values, Esc goes back")
        }
        Stage::Values(field) => {
            let total = text::thousands(facets.total() as u64);
            let counting = if facets.has_work(&app.store) { ", counting" } else { "" };
            let values = text::thousands(facets.len() as u64);
            let title =
                format!("{}{}: {values} values in {total} rows{counting}", scope.concat(), field.info().name);
            (title, "+ includes, - excludes, = only, Enter goes in, / finds, f field, Esc back")
        }
    };
    let title = match facets.stage {
        Stage::Fields => format!("{}{title}", scope.concat()),
        Stage::Values(_) => title,
    };
    let mut inside = canvas.frame(area, &title, "", true);
    let mut cursor = None;
    let typing = facets.searching || matches!(facets.stage, Stage::Fields);
    if (typing || !facets.input.value().is_empty()) && inside.height > 1 {
        let used = canvas.put(inside.x + 1, inside.y, 2, "> ", Role::Key);
        let room = inside.width.saturating_sub(4);
        canvas.put(inside.x + 1 + used, inside.y, room, facets.input.value(), Role::Strong);
        if typing {
            cursor = Some((inside.x + 1 + used + facets.input.visual_cursor() as u16, inside.y));
        }
        inside = Area { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    match facets.stage {
        Stage::Fields => draw_fields(facets, canvas, inside),
        Stage::Values(_) => draw_values(app, facets, canvas, inside),
    }
    draw_hint(app, canvas, hint);
    cursor
}

/// The keys of the facets, in the place of those of the screen beneath.
fn draw_hint(app: &App, canvas: &mut Canvas<'_>, hint: &str) {
    let area = app.layout.hints;
    if area.height > 0 {
        let blank = " ".repeat(usize::from(area.width));
        canvas.put(area.x, area.y, area.width, &blank, Role::Plain);
        canvas.put(area.x + 1, area.y, area.width.saturating_sub(1), hint, Role::Faint);
    }
}

fn draw_fields(facets: &Facets, canvas: &mut Canvas<'_>, area: Area) {
    let top = top_of(facets.cursor.row, facets.len(), area.height);
    for (offset, field) in facets.fields().iter().skip(top).take(usize::from(area.height)).enumerate() {
        let y = area.y + offset as u16;
        canvas.put(area.x + 1, y, 14, field.info().name, Role::Key);
        let help = canvas.words(field.info().help);
        canvas.put(area.x + 16, y, area.width.saturating_sub(17), &help, Role::Plain);
        if top + offset == facets.cursor.row {
            canvas.fill(Area { y, height: 1, ..area }, Role::Cursor);
        }
    }
}

fn draw_values(app: &App, facets: &Facets, canvas: &mut Canvas<'_>, area: Area) {
    if facets.is_empty() {
        let text = if facets.has_work(&app.store) { "counting" } else { "no row has such a value" };
        canvas.put(area.x + 1, area.y, area.width, text, Role::Strong);
        return;
    }
    let order = app.store.order();
    let span = (order.first_time().unwrap_or(0), order.last_time().unwrap_or(0));
    let chart: u16 = if area.width >= 90 { 24 } else { 12 };
    let room = area.width.saturating_sub(2 + 10 + 7 + chart + 3);
    let total = facets.total().max(1) as f64;
    let top = top_of(facets.cursor.row, facets.len(), area.height);
    for (offset, group) in facets.values().skip(top).take(usize::from(area.height)).enumerate() {
        let y = area.y + offset as u16;
        let (value, role) = match group.values.first().map_or("", AsRef::as_ref) {
            "" => ("(none)", Role::Faint),
            value => (value, Role::Plain),
        };
        canvas.put(area.x + 1, y, room, value, role);
        let mut x = area.x + 2 + room;
        canvas.put_right(x, y, 9, &grid::number(group.stats.count, 9), Role::Plain);
        x += 10;
        let share = group.stats.count as f64 * 100.0 / total;
        let share = if share < 0.1 { "<0.1%".to_owned() } else { format!("{share:.1}%") };
        canvas.put_right(x, y, 6, &share, Role::Faint);
        x += 8;
        let bars = grid::bars(canvas, &facets.sparkline(group, span, usize::from(chart)));
        canvas.put(x, y, chart, &bars, Role::Plain);
        if top + offset == facets.cursor.row {
            canvas.fill(Area { y, height: 1, ..area }, Role::Cursor);
        }
    }
}

fn top_of(cursor: usize, len: usize, height: u16) -> usize {
    cursor.saturating_sub(usize::from(height) / 2).min(len.saturating_sub(usize::from(height)))
}

/// Draws what may be typed next below the filter.
pub fn draw_suggestions(app: &App, canvas: &mut Canvas<'_>) {
    let items = app.suggestions.items();
    let filter = app.layout.filter;
    let room = app.layout.message.y.saturating_sub(filter.y + 1);
    if items.is_empty() || room < 4 {
        return;
    }
    let shown = items.len().min(OFFERS).min(usize::from(room) - 2);
    let top = app.suggestions.cursor.saturating_sub(shown / 2).min(items.len() - shown);
    let visible = &items[top..top + shown];
    let longest = visible.iter().map(|item| text::width(&item.text)).max().unwrap_or(0).min(60) as u16;
    let helped = visible.iter().any(|item| !item.help.is_empty());
    let width =
        if helped { filter.width.saturating_sub(4).min(100) } else { (longest + 16).min(filter.width) };
    let area = Area {
        x: filter.x + 2,
        y: filter.y + 1,
        width: width.max(24).min(filter.width.saturating_sub(2)),
        height: shown as u16 + 2,
    };
    let title = match app.suggestions.wanted() {
        Some(Wanted::Value(field)) => field.info().name,
        Some(Wanted::Named) => "named filters",
        Some(Wanted::Field) | None => "fields",
    };
    let right = format!("{} of {}, Tab takes", top + shown, items.len());
    let inside = canvas.frame(area, title, &right, false);
    for (offset, item) in visible.iter().enumerate() {
        let y = inside.y + offset as u16;
        let count = item.count.map_or_else(String::new, text::thousands);
        let start = canvas.put_right(inside.x, y, inside.width.saturating_sub(1), &count, Role::Faint);
        let room = start.saturating_sub(inside.x + 2);
        let used = canvas.put(inside.x + 1, y, room, &item.text, Role::Plain);
        if !item.help.is_empty() {
            let x = inside.x + 2 + used.max(longest.min(16));
            let help = canvas.words(&item.help);
            canvas.put(x, y, inside.width.saturating_sub(x - inside.x + 1), &help, Role::Faint);
        }
        if top + offset == app.suggestions.cursor {
            canvas.fill(Area { y, height: 1, ..inside }, Role::Cursor);
        }
    }
}

//! An answer in lines: how sure each is, what it is about, what it says; and more about the one under the cursor.

use super::canvas::Canvas;
use super::theme::Role;
use crate::app::App;
use crate::app::geometry::Area;
use crate::app::story::{MARGIN, NARROW_MARGIN, Story};
use crate::text;
use crate::trace::{Certainty, Told, credential_told};

/// Draws the lines.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let Some(story) = &app.story else {
        canvas.put(rows.x + 2, rows.y, rows.width, "nothing was asked yet", Role::Strong);
        return;
    };
    let title = canvas.words(&story.title);
    canvas.put(heading.x + 1, heading.y, heading.width.saturating_sub(1), &title, Role::Strong);
    let visible = story.rows().iter().enumerate().skip(story.top).take(usize::from(rows.height));
    for (offset, (row, (at, part))) in visible.enumerate() {
        let area = Area { y: rows.y + offset as u16, height: 1, ..rows };
        let Some(line) = story.lines.get(*at) else { continue };
        let is_first = row == 0 || story.rows().get(row - 1).is_none_or(|(before, _)| before != at);
        draw_line(canvas, area, story, line, part, *at == story.cursor, is_first);
    }
}

fn draw_line(
    canvas: &mut Canvas<'_>,
    area: Area,
    story: &Story,
    line: &Told,
    part: &str,
    selected: bool,
    is_first: bool,
) {
    let Some(certainty) = line.certainty else {
        canvas.put(area.x + 1, area.y, area.width.saturating_sub(1), part, Role::Heading);
        return;
    };
    let narrow = area.width < 100;
    let margin = if narrow { NARROW_MARGIN } else { MARGIN } as u16;
    if is_first {
        if selected {
            canvas.put(area.x, area.y, 1, canvas.theme.sign("▶", ">"), Role::Strong);
        }
        let role = role_of(certainty);
        let session = story.kind == crate::app::story::StoryKind::Session;
        if narrow {
            canvas.put(area.x + 2, area.y, 1, sign(canvas, certainty), role);
        } else if !session {
            canvas.put(area.x + 2, area.y, 8, certainty.name(), role);
        }
        let label = if line.depth == 1 { line.label } else { "" };
        let at = if narrow { 4 } else { 11 };
        canvas.put(area.x + at, area.y, margin.saturating_sub(at + 1), label, Role::Faint);
    }
    let indent = margin + 2 * (line.depth.saturating_sub(1) as u16);
    let role = if certainty == Certainty::Unknown { Role::Faint } else { Role::Plain };
    canvas.put(area.x + indent, area.y, area.width.saturating_sub(indent), part, role);
    if selected {
        canvas.fill(area, Role::Cursor);
    }
}

fn role_of(certainty: Certainty) -> Role {
    match certainty {
        Certainty::Certain => Role::Strong,
        Certainty::Likely => Role::Plain,
        Certainty::Claimed => Role::Failure,
        Certainty::Unknown => Role::Faint,
    }
}

/// The certainty in one cell.
fn sign(canvas: &Canvas<'_>, certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => canvas.theme.sign("●", "="),
        Certainty::Likely => canvas.theme.sign("○", "~"),
        Certainty::Claimed => "\"",
        Certainty::Unknown => "?",
    }
}

/// Draws what more is known of the line under the cursor.
pub fn draw_side(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let Some(story) = &app.story else { return };
    let title = story.line().and_then(|line| line.certainty).map_or("", Certainty::name);
    let enter = match story.line() {
        Some(line) if line.event.is_some() => "Enter: event",
        Some(line) if credential_told(line).is_some() => "Enter: its events",
        _ => "",
    };
    let inside = canvas.frame(area, title, enter, false);
    draw_text(canvas, inside, &story.side);
}

/// Lines of text, broken to fit. What changed is coloured by what it did.
pub fn draw_text(canvas: &mut Canvas<'_>, area: Area, lines: &[String]) {
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let mut y = area.y;
    for line in lines {
        let role = if line.contains(": + ") {
            Role::Create
        } else if line.contains(": - ") {
            Role::Delete
        } else {
            Role::Plain
        };
        for part in text::wrap(line, width) {
            if y >= area.y + area.height {
                return;
            }
            let part = canvas.words(&part);
            canvas.put(area.x + 1, y, area.width.saturating_sub(2), &part, role);
            y += 1;
        }
    }
}

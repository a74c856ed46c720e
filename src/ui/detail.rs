//! One event: in words first, then its stages, then all of it as a tree.

use super::canvas::Canvas;
use super::theme::Role;
use super::timeline::format_time;
use crate::app::action::Action;
use crate::app::detail::Detail;
use crate::app::geometry::Area;
use crate::app::keymap::key_label;
use crate::app::{App, Focus};
use crate::model::LogKind;
use crate::store::Field;
use crate::text;

/// Draws the detail with its frame.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let focused = app.focus == Focus::Detail;
    let Some(detail) = &app.detail else {
        canvas.frame(area, "no event", "", focused);
        return;
    };
    let title = canvas.words(&title_of(app, detail));
    let state = if detail.revealed { "secrets shown (r)" } else { "masked (r)" };
    let inside = canvas.frame(area, &title, state, focused);
    if inside.height == 0 {
        return;
    }
    let mut y = inside.y;
    let bottom = inside.y + inside.height;
    if let Some((worst, title)) = app.alerts_of(detail.id).first() {
        let (letters, role) = super::alerts::severity(*worst);
        canvas.put(inside.x, y, 7, "alert", Role::Faint);
        let more = match app.alerts_of(detail.id).len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let more = format!("{more} (3)");
        let parts =
            [(letters, role), (" ", Role::Plain), (title, Role::Strong), (more.as_str(), Role::Faint)];
        canvas.line(inside.x + 7, y, inside.width.saturating_sub(8), &parts);
        y += 1;
    }
    // With the keys in it the tree needs room; the words give way before it does.
    let words = if focused { inside.height.saturating_sub(6).max(1) } else { inside.height };
    for (i, line) in detail.summary.iter().enumerate() {
        if y >= bottom || y - inside.y >= words {
            break;
        }
        let rows =
            wrapped(&canvas.words(&canvas.safe(&line.text)), usize::from(inside.width.saturating_sub(8)));
        let most = if focused || i + 1 < detail.summary.len() { 2 } else { 3 };
        for (n, part) in rows.iter().take(most).enumerate() {
            if y >= bottom || y - inside.y >= words {
                break;
            }
            if n == 0 {
                canvas.put(inside.x, y, 7, line.label, Role::Faint);
            }
            canvas.put(
                inside.x + 7,
                y,
                inside.width.saturating_sub(8),
                part,
                role_of(line.label, &line.text),
            );
            y += 1;
        }
    }
    if detail.stages.len() > 1 && y < bottom && y - inside.y < words {
        canvas.put(inside.x, y, 7, "stages", Role::Faint);
        canvas.put(inside.x + 7, y, inside.width.saturating_sub(8), &stages_text(app, detail), Role::Plain);
        y += 1;
    }
    // A line or two of a tree tell nothing.
    if y + if focused { 1 } else { 4 } < bottom {
        draw_tree(canvas, detail, Area { y, height: bottom - y, ..inside }, focused);
    }
}

fn title_of(app: &App, detail: &Detail) -> String {
    let Some(segment) = app.store.segment(detail.id) else { return "dropped for memory".to_owned() };
    let row = detail.id.row();
    let time = format_time(app, segment.stage_time(row), true);
    let facts = segment.facts(row);
    let verb = segment.string(Field::Verb, row);
    let mut out = match facts.log() {
        LogKind::Kube => format!("{time} · {verb} · {} · {}", facts.stage().name(), facts.level().name()),
        log => format!("{time} · {verb} · {}", log.name()),
    };
    if facts.is_repaired() {
        out += " · bytes that are no UTF-8 were replaced";
    }
    if facts.is_time_guessed() {
        out += " · no time of its own";
    }
    out
}

fn stages_text(app: &App, detail: &Detail) -> String {
    let parts: Vec<String> = detail
        .stages
        .iter()
        .filter_map(|id| {
            let segment = app.store.segment(*id)?;
            let mark = if *id == detail.id { "*" } else { "" };
            let time = format_time(app, segment.stage_time(id.row()), true);
            Some(format!("{mark}{} {time}", segment.facts(id.row()).stage().name()))
        })
        .collect();
    match parts.len() {
        1 => parts.concat(),
        _ => format!("{} ({}: next)", parts.join(", "), key_label(Action::NextStage)),
    }
}

fn role_of(label: &str, text: &str) -> Role {
    match label {
        "what" => Role::Strong,
        "result" if text.starts_with('4') => Role::Failure,
        "result" if text.starts_with('5') => Role::Broken,
        "why" if text.starts_with("refused") => Role::Failure,
        _ => Role::Plain,
    }
}

/// Breaks text into rows of at most `width` columns, at spaces where there are some.
fn wrapped(raw: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    for word in raw.split(' ') {
        let joined = text::width(&row) + usize::from(!row.is_empty()) + text::width(word);
        if joined > width && !row.is_empty() {
            rows.push(std::mem::take(&mut row));
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}

fn draw_tree(canvas: &mut Canvas<'_>, detail: &Detail, area: Area, focused: bool) {
    let rule = canvas.theme.sign("─", "-").repeat(usize::from(area.width));
    canvas.put(area.x, area.y, area.width, &rule, Role::Faint);
    let area = Area { y: area.y + 1, height: area.height - 1, ..area };
    let height = usize::from(area.height);
    let visible = detail.tree.visible();
    let cursor = detail.cursor.min(visible.len().saturating_sub(1));
    // The cursor stays in the middle third, so that what follows can be seen before it is reached.
    let top = cursor.saturating_sub(height / 2).min(visible.len().saturating_sub(height));
    for (offset, index) in visible.iter().skip(top).take(height).enumerate() {
        let Some(line) = detail.tree.lines().get(*index) else { continue };
        let y = area.y + offset as u16;
        let indent = (line.depth.min(20) * 2) as u16;
        let fold = match (line.inside > 0, detail.tree.is_folded(*index)) {
            (false, _) => "  ",
            (true, true) => canvas.theme.sign("▸ ", "+ "),
            (true, false) => canvas.theme.sign("▾ ", "- "),
        };
        let key = format!("{}: ", line.key);
        let role = if line.inside > 0 { Role::Faint } else { Role::Plain };
        let hit = !detail.search.is_empty() && {
            let wanted = detail.search.to_lowercase();
            line.value.to_lowercase().contains(&wanted) || line.key.to_lowercase().contains(&wanted)
        };
        let role = if hit { Role::Match } else { role };
        let x = area.x + indent.min(area.width);
        let parts = [(fold, Role::Faint), (key.as_str(), Role::Key), (line.value.as_str(), role)];
        canvas.line(x, y, area.width.saturating_sub(indent), &parts);
        if focused && top + offset == cursor {
            canvas.fill(Area { y, height: 1, ..area }, Role::Cursor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("averylongword x", 5), ["averylongword", "x"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}

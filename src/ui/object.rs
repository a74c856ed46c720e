//! The history of one object: a line a write, the newest first, and what the one under the cursor changed.

use super::canvas::Canvas;
use super::grid::{self, Column};
use super::shorten;
use super::story::draw_text;
use super::theme::Role;
use super::timeline::format_time;
use crate::app::App;
use crate::app::geometry::Area;
use crate::model::tool;
use crate::text;
use crate::trace::{Change, Outcome, Revision, tell};

/// `longest` are the columns that the longest verb, user and tool on screen take: what they do not need is left for
/// what changed.
fn columns(width: u16, longest: [u16; 3]) -> [Column; 7] {
    let wide = width >= 100;
    let most = if wide { [18, 34, 12] } else { [12, 20, 8] };
    let fitting = |at: usize| longest[at].clamp(6, most[at]);
    let (verb, user, tool) = (fitting(0), fitting(1), fitting(2));
    let time = if wide { 12 } else { 8 };
    let used = 2 + 4 + time + verb + 3 + user + tool + 6;
    [
        Column::number("REV", 4),
        Column::text("TIME", time),
        Column::text("VERB", verb),
        Column::number("ST", 3),
        Column::text("BY", user),
        Column::text("TOOL", tool),
        Column::text("CHANGED", width.saturating_sub(used).max(8)),
    ]
}

/// Draws the table.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let object = &app.object;
    if !object.is_open() {
        let text = "no object yet: put the cursor on an event in the timeline and press H";
        canvas.put(rows.x + 2, rows.y, rows.width.saturating_sub(2), text, Role::Strong);
        return;
    }
    let shown: Vec<&Revision> =
        object.newest_first().skip(object.cursor.top).take(usize::from(rows.height)).collect();
    let longest = |text: &dyn Fn(&Revision) -> String| {
        shown.iter().map(|revision| text::width(&text(revision)) as u16).max().unwrap_or(0)
    };
    let columns = columns(
        rows.width,
        [
            longest(&|revision| tell::verb_in_words(&revision.request)),
            longest(&user),
            longest(&|revision| tool(&revision.request.user_agent).to_owned()),
        ],
    );
    let title = canvas.words(&tell::history_title(&object.history));
    canvas.put(heading.x + 1, heading.y, heading.width.saturating_sub(1), &title, Role::Strong);
    grid::heading(canvas, Area { height: 1, ..rows }, &columns, None);
    let below = Area { y: rows.y + 1, height: rows.height.saturating_sub(1), ..rows };
    let visible = object.newest_first().enumerate().skip(object.cursor.top).take(usize::from(below.height));
    for (offset, (at, revision)) in visible.enumerate() {
        let area = Area { y: below.y + offset as u16, height: 1, ..below };
        let cells = cells(app, canvas, revision, &columns);
        grid::row(canvas, area, &columns, &cells, at == object.cursor.row);
        if object.base == Some(revision.number) {
            canvas.put(area.x, area.y, 1, canvas.theme.sign("◆", "*"), Role::Match);
        }
    }
}

fn cells(app: &App, canvas: &Canvas<'_>, revision: &Revision, columns: &[Column]) -> Vec<(String, Role)> {
    let request = &revision.request;
    let room = |at: usize| columns.get(at).map_or(0, |column| usize::from(column.width));
    let mut time = format_time(app, request.time, true);
    if time.len() > room(1) {
        time = format_time(app, request.time, false);
    }
    let user = user(revision);
    let role = match (&revision.change, &revision.outcome) {
        (Change::Deleted, _) => Role::Delete,
        (Change::Created, _) => Role::Create,
        (_, Outcome::Unknown(_)) => Role::Faint,
        (Change::Nothing, _) => Role::Faint,
        _ => Role::Plain,
    };
    let code = if request.code >= 400 { Role::Failure } else { Role::Plain };
    // A stretch that the log does not tell is hatched, not left empty.
    let mark = match revision.outcome {
        Outcome::Unknown(_) => canvas.theme.sign("░ ", ". "),
        _ => "",
    };
    let said = match &revision.change {
        // Where there is no room for why, the pane below tells it.
        Change::Unknown(_) if room(6) < 60 && revision.of.is_none() => "unknown: no body logged".to_owned(),
        Change::Created if room(6) < 60 && !mark.is_empty() && revision.of.is_none() => {
            "created; no body logged".to_owned()
        }
        _ => tell::revision_shortly(revision),
    };
    vec![
        (revision.number.to_string(), Role::Faint),
        (time, Role::Plain),
        (tell::verb_in_words(request), role),
        (request.code.to_string(), code),
        (shorten::middle(&user, room(4), canvas.ellipsis()).into_owned(), Role::Plain),
        (tool(&request.user_agent).to_owned(), Role::Faint),
        (format!("{mark}{said}"), role),
    ]
}

fn user(revision: &Revision) -> String {
    shorten::user(tell::user_in_words(&revision.request).as_str(), true).into_owned()
}

/// Draws what the write under the cursor changed.
pub fn draw_side(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let object = &app.object;
    let title = match (object.selected(), object.base) {
        (Some(revision), Some(base)) if base != revision.number => {
            format!("revisions {} and {}", base.min(revision.number), base.max(revision.number))
        }
        (Some(revision), _) => format!("revision {}", revision.number),
        (None, _) => "no revision".to_owned(),
    };
    let right = if object.options.noise { "all fields" } else { "Enter: all fields" };
    let inside = canvas.frame(area, &title, right, false);
    draw_text(canvas, inside, &object.side);
}

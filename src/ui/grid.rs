//! Tables beside the timeline: columns of a fixed width, text to the left, numbers to the right, small charts.

use super::canvas::Canvas;
use super::theme::Role;
use crate::app::geometry::Area;
use crate::text;

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Cells it takes; 0 leaves it out.
    pub width: u16,
    /// Whether its values end at its right edge.
    pub right: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(title: &'static str, width: u16) -> Column {
        Column { title, width, right: false }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, width: u16) -> Column {
        Column { title, width, right: true }
    }
}

/// Draws the headings; the one it is sorted by bears the direction.
pub fn heading(canvas: &mut Canvas<'_>, area: Area, columns: &[Column], sorted: Option<(usize, bool)>) {
    let mut x = area.x + 2;
    for (at, column) in columns.iter().enumerate().filter(|(_, column)| column.width > 0) {
        let (title, role) = match sorted {
            Some((by, descending)) if by == at => {
                let sign =
                    if descending { canvas.theme.sign("↓", "v") } else { canvas.theme.sign("↑", "^") };
                (format!("{}{sign}", column.title), Role::Strong)
            }
            _ => (column.title.to_owned(), Role::Faint),
        };
        cell(canvas, x, area.y, *column, &title, role);
        x += column.width + 1;
    }
}

/// Draws one row.
pub fn row(
    canvas: &mut Canvas<'_>,
    area: Area,
    columns: &[Column],
    cells: &[(String, Role)],
    selected: bool,
) {
    let cursor = if selected { canvas.theme.sign("▶", ">") } else { " " };
    canvas.put(area.x, area.y, 1, cursor, Role::Strong);
    let mut x = area.x + 2;
    for (column, (value, role)) in columns.iter().zip(cells).filter(|(column, _)| column.width > 0) {
        cell(canvas, x, area.y, *column, value, *role);
        x += column.width + 1;
    }
    if selected {
        canvas.fill(Area { height: 1, ..area }, Role::Cursor);
    }
}

fn cell(canvas: &mut Canvas<'_>, x: u16, y: u16, column: Column, value: &str, role: Role) {
    if column.right {
        canvas.put_right(x, y, column.width, value, role);
    } else {
        canvas.put(x, y, column.width, value, role);
    }
}

/// Counts as a row of bars, the highest full.
pub fn bars(canvas: &Canvas<'_>, counts: &[u32]) -> String {
    const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    const ASCII: [&str; 8] = [".", ".", ":", ":", "|", "|", "#", "#"];
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let bars = if canvas.theme.ascii { ASCII } else { BARS };
    counts
        .iter()
        .map(|count| match count {
            0 => " ",
            count => bars[((u64::from(*count) * 8).div_ceil(u64::from(highest)) as usize).clamp(1, 8) - 1],
        })
        .collect()
}

/// A number in at most so many columns.
pub fn number(value: u64, columns: u16) -> String {
    match value {
        0 => "-".to_owned(),
        _ => {
            let whole = text::thousands(value);
            if whole.len() <= usize::from(columns) { whole } else { text::human_count(value) }
        }
    }
}

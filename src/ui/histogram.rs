//! Requests over time, failures as a second series, above the rows. A bar is a cell; bucket and zone are printed;
//! stretches without any log are hatched, since nothing logged is not nothing done. Where all rows are shown and matches
//! only marked, the matches are a brighter layer at the foot of the bars, and the failures those among them. While the histogram has the keys,
//! the bar under the cursor is inverted and the selection is marked on the axis; compared with a day ago, each bar has
//! its counterpart below. What is drawn was counted by [`crate::app::histogram`].

use super::canvas::Canvas;
use super::theme::Role;
use crate::app::geometry::Area;
use crate::app::histogram::{Axis, Counts, SCALE_WIDTH, length_name};
use crate::app::{App, Focus};
use crate::ingest::GAP;
use crate::model::{Micros, SECOND, format_clock, format_local_offset, format_stamp};
use crate::query::Bucket;
use crate::text;

const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;

const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_BARS: [&str; 8] = [".", ".", ":", ":", "|", "|", "#", "#"];

/// Draws the histogram; its last line is the axis.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let Some(counts) = app.histogram.counts() else { return };
    let rows = area.height.saturating_sub(1);
    // In one row, or without a log, words must do.
    let has_log = |bars: &&[Bucket]| bars.iter().any(|bar| bar.records > 0);
    let earlier = counts.day_ago.as_deref().filter(|_| rows >= 2).filter(has_log);
    let below = if earlier.is_some() { rows / 2 } else { 0 };
    let now = Series { bars: &counts.bars, matches: counts.matches.as_deref(), bucket: counts.axis.bucket };
    let selected = (app.focus == Focus::Histogram).then(|| app.histogram.selected_bars(&counts.axis));
    // Both series are drawn to one scale, or they could not be compared.
    let highest =
        now.highest().max(earlier.map_or(1, |bars| Series { bars, matches: None, ..now }.highest()));
    let band = Area { height: rows - below, ..area };
    now.draw(canvas, band, &text::human_count(u64::from(highest)), highest, |at| {
        let is_selected = selected.is_some_and(|(from, until)| from <= at && at <= until);
        match (is_selected, earlier) {
            (true, _) => Role::Strong,
            (false, Some(_)) => Role::Plain,
            (false, None) => Role::Faint,
        }
    });
    if let Some(bars) = earlier {
        let band = Area { y: area.y + rows - below, height: below, ..area };
        Series { bars, matches: None, ..now }.draw(canvas, band, "-24h", highest, |_| Role::Faint);
    }
    draw_axis(app, canvas, Area { y: area.y + rows, height: 1, ..area }, counts);
    if let Some(selected) = selected {
        draw_selection(app, canvas, area, &counts.axis, selected);
    }
}

/// Bars side by side.
#[derive(Clone, Copy)]
struct Series<'a> {
    bars: &'a [Bucket],
    /// What of each bar is marked as a match; `None` where all of it is shown as one.
    matches: Option<&'a [Bucket]>,
    bucket: Micros,
}

impl Series<'_> {
    fn highest(&self) -> u32 {
        self.bars.iter().map(|bar| bar.matched).max().unwrap_or(0).max(1)
    }

    fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        band: Area,
        label: &str,
        highest: u32,
        role: impl Fn(usize) -> Role,
    ) {
        canvas.put_right(band.x, band.y, SCALE_WIDTH - 1, label, Role::Faint);
        for (at, bar) in self.bars.iter().enumerate() {
            let Some(cell) = cell_of(band, at) else { break };
            if is_without_log(self.bars, at, self.bucket) {
                let sign = canvas.theme.sign("░", "/");
                (0..cell.height).for_each(|row| _ = canvas.put(cell.x, cell.y + row, 1, sign, Role::Faint));
            } else {
                let bright = self.matches.map(|matches| matches.get(at).copied().unwrap_or_default());
                draw_bar(canvas, cell, (*bar, bright), highest, role(at));
            }
        }
    }
}

/// The column of a bar; `None` when it is not on the screen.
fn cell_of(area: Area, at: usize) -> Option<Area> {
    let offset = SCALE_WIDTH.checked_add(u16::try_from(at).ok()?)?;
    (offset < area.width).then_some(Area { x: area.x + offset, width: 1, ..area })
}

/// Whether a bar lies in a stretch of more than ten minutes without a line.
fn is_without_log(buckets: &[Bucket], at: usize, bucket: Micros) -> bool {
    if buckets[at].records > 0 {
        return false;
    }
    let before = buckets[..at].iter().rev().take_while(|b| b.records == 0).count();
    let after = buckets[at..].iter().take_while(|b| b.records == 0).count();
    (before + after) as i64 * bucket > GAP
}

/// Draws a bar and, where there is one, the bright layer at its foot.
fn draw_bar(
    canvas: &mut Canvas<'_>,
    cell: Area,
    (counted, bright): (Bucket, Option<Bucket>),
    highest: u32,
    role: Role,
) {
    let steps = u64::from(cell.height) * 8;
    let eighths = |count: u32| -> u64 {
        if count == 0 { 0 } else { (u64::from(count) * steps).div_ceil(u64::from(highest)).max(1) }
    };
    let whole = eighths(counted.matched);
    let failed = eighths(bright.unwrap_or(counted).failed);
    let bright = eighths(bright.map_or(0, |bright| bright.matched));
    let plain = canvas.theme.ascii || !canvas.theme.color;
    for row in 0..cell.height {
        let floor = u64::from(cell.height - 1 - row) * 8;
        let fill = whole.saturating_sub(floor).min(8);
        if fill == 0 {
            continue;
        }
        let signs = if canvas.theme.ascii { ASCII_BARS } else { BARS };
        let (sign, role) = match (failed > floor, bright > floor) {
            (true, _) => (if plain { "!" } else { signs[fill as usize - 1] }, Role::Failure),
            (false, true) => (if plain { "*" } else { signs[fill as usize - 1] }, Role::Strong),
            (false, false) => (signs[fill as usize - 1], role),
        };
        canvas.put(cell.x, cell.y + row, 1, sign, role);
    }
}

/// Times below the bars, and at the right what a bar is and how the bars compare.
fn draw_axis(app: &App, canvas: &mut Canvas<'_>, line: Area, counts: &Counts) {
    let axis = counts.axis;
    let zone = app.zone();
    let offset = format_local_offset(axis.start, zone);
    let mut note =
        format!("{}/bar {}", length_name(axis.bucket), if offset == "Z" { "UTC" } else { &offset });
    // While bars are selected, the line of messages compares them.
    if let Some(compared) = app.comparison_of(0, axis.bars - 1).filter(|_| app.focus != Focus::Histogram) {
        note = canvas.words(&format!("{compared} · {note}"));
    }
    let note_width = text::width(&note) as u16 + 1;
    let days = axis.bucket >= 6 * HOUR || axis.span().length() > 20 * HOUR;
    let label = |at: usize| {
        let time = axis.bar(at).start;
        if days {
            format_stamp(time, zone).get(5..16).unwrap_or_default().to_owned()
        } else if axis.bucket < MINUTE {
            format_clock(time, zone, false)
        } else {
            format_clock(time, zone, false).get(..5).unwrap_or_default().to_owned()
        }
    };
    for at in (0..axis.bars).step_by(if days { 24 } else { 20 }) {
        let Some(cell) = cell_of(line, at) else { break };
        let text = label(at);
        let width = text.len() as u16 + 1;
        if cell.x + width + note_width > line.x + line.width {
            break;
        }
        canvas.put(cell.x, line.y, width, &format!("{}{text}", canvas.theme.sign("└", "'")), Role::Faint);
    }
    canvas.put_right(line.x, line.y, line.width, &note, Role::Faint);
}

/// The bar under the cursor inverted; on the axis a pointer to it, and a line to where the selection began.
fn draw_selection(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Area,
    axis: &Axis,
    (from, until): (usize, usize),
) {
    let cursor = app.histogram.cursor_bar(axis);
    let rows = area.height.saturating_sub(1);
    for at in from..=until {
        let Some(cell) = cell_of(Area { y: area.y + rows, height: 1, ..area }, at) else { break };
        let sign = match at {
            at if at == cursor => canvas.theme.sign("▲", "^"),
            at if at == from => "[",
            at if at == until => "]",
            _ => canvas.theme.sign("━", "="),
        };
        canvas.put(cell.x, cell.y, 1, sign, Role::Strong);
    }
    if let Some(cell) = cell_of(Area { height: rows, ..area }, cursor) {
        canvas.fill(cell, Role::Cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_silences_are_called_no_log() {
        let with = Bucket { matched: 0, failed: 0, records: 3 };
        let empty = Bucket::default();
        let quiet = [with, empty, empty, with];
        assert!(!is_without_log(&quiet, 1, 60 * SECOND));
        assert!(is_without_log(&quiet, 1, 600 * SECOND) && is_without_log(&quiet, 2, 600 * SECOND));
        assert!(!is_without_log(&quiet, 0, 600 * SECOND));
    }
}

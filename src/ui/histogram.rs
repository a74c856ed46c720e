//! Requests over time, failures as a second series, above the rows. A bar is a cell; bucket and zone are printed;
//! stretches without any log are hatched, since nothing logged is not nothing done.

use super::canvas::Canvas;
use super::theme::Role;
use crate::app::App;
use crate::app::geometry::Area;
use crate::ingest::GAP;
use crate::model::{Micros, SECOND, format_clock, format_local_offset, format_stamp, zone_offset_seconds};
use crate::query::Bucket;
use crate::text;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Lengths of a bar that people can read, in seconds.
const NICE: [i64; 22] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
    365 * DAY,
];

const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_BARS: [&str; 8] = [".", ".", ":", ":", "|", "|", "#", "#"];

/// The least readable length of a bar with which `span` fits into `bars`.
pub fn bucket_length(span: Micros, bars: usize) -> Micros {
    let fits = |seconds: &&i64| **seconds * SECOND * (bars.max(2) as i64 - 1) >= span;
    NICE.iter().find(fits).copied().unwrap_or(NICE[NICE.len() - 1]) * SECOND
}

fn length_name(bucket: Micros) -> String {
    match bucket / SECOND {
        s if s < MINUTE => format!("{s}s"),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < DAY => format!("{}h", s / HOUR),
        s => format!("{}d", s / DAY),
    }
}

/// Draws the histogram; its last line is the axis.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let (Some(first), Some(last)) = (app.store.order().first_time(), app.store.order().last_time()) else {
        return;
    };
    let (first, last) = match app.range {
        Some((since, until)) => (first.max(since), last.min(until).max(first.max(since))),
        None => (first, last),
    };
    let left = 6;
    let bars = usize::from(area.width.saturating_sub(left + 1));
    if bars < 10 || area.height < 2 {
        return;
    }
    let bucket = bucket_length(last.saturating_sub(first), bars);
    // Bars begin at round times of the zone that is shown.
    let shift = zone_offset_seconds(first, app.zone()) * SECOND;
    let start = (first + shift).div_euclid(bucket) * bucket - shift;
    let used = usize::try_from(last.saturating_sub(start) / bucket + 1).unwrap_or(bars).min(bars);
    let buckets = app.view.histogram(&app.store, start, bucket, used);
    let highest = buckets.iter().map(|b| b.matched).max().unwrap_or(0).max(1);
    let height = area.height - 1;
    canvas.put_right(area.x, area.y, left - 1, &text::human_count(u64::from(highest)), Role::Faint);
    for (i, counted) in buckets.iter().enumerate() {
        let x = area.x + left + i as u16;
        draw_bar(canvas, x, area.y, height, *counted, highest, is_without_log(&buckets, i, bucket));
    }
    draw_axis(app, canvas, area, left, start, bucket, used);
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

fn draw_bar(
    canvas: &mut Canvas<'_>,
    x: u16,
    y: u16,
    height: u16,
    counted: Bucket,
    highest: u32,
    without_log: bool,
) {
    if without_log {
        let sign = canvas.theme.sign("░", "/");
        for row in 0..height {
            canvas.put(x, y + row, 1, sign, Role::Faint);
        }
        return;
    }
    let steps = u64::from(height) * 8;
    let eighths = |count: u32| -> u64 {
        if count == 0 { 0 } else { (u64::from(count) * steps).div_ceil(u64::from(highest)).max(1) }
    };
    let (whole, failed) = (eighths(counted.matched), eighths(counted.failed));
    for row in 0..height {
        let floor = u64::from(height - 1 - row) * 8;
        let fill = whole.saturating_sub(floor).min(8);
        if fill == 0 {
            continue;
        }
        let signs = if canvas.theme.ascii { ASCII_BARS } else { BARS };
        let is_failed = failed > floor;
        let sign = if is_failed && (canvas.theme.ascii || !canvas.theme.color) {
            "!"
        } else {
            signs[fill as usize - 1]
        };
        let role = if is_failed { Role::Failure } else { Role::Faint };
        canvas.put(x, y + row, 1, sign, role);
    }
}

fn draw_axis(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Area,
    left: u16,
    start: Micros,
    bucket: Micros,
    used: usize,
) {
    let y = area.y + area.height - 1;
    let zone = app.zone();
    let offset = format_local_offset(start, zone);
    let note = format!("{}/bar {}", length_name(bucket), if offset == "Z" { "UTC" } else { &offset });
    let note_width = text::width(&note) as u16 + 1;
    let days = bucket >= 6 * HOUR * SECOND || bucket * used as i64 > 20 * HOUR * SECOND;
    let label = |i: usize| {
        let time = start + bucket * i as i64;
        if days {
            format_stamp(time, zone).get(5..16).unwrap_or_default().to_owned()
        } else if bucket < MINUTE * SECOND {
            format_clock(time, zone, false)
        } else {
            format_clock(time, zone, false).get(..5).unwrap_or_default().to_owned()
        }
    };
    let step = if days { 24 } else { 20 };
    let mut i = 0;
    while i < used.max(1) {
        let x = area.x + left + i as u16;
        let text = label(i);
        if x + text.len() as u16 + note_width >= area.x + area.width {
            break;
        }
        canvas.put(
            x,
            y,
            text.len() as u16 + 1,
            &format!("{}{text}", canvas.theme.sign("└", "'")),
            Role::Faint,
        );
        i += step;
    }
    canvas.put_right(area.x, y, area.width, &note, Role::Faint);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_readable_lengths() {
        assert_eq!(bucket_length(0, 60), SECOND);
        assert_eq!(bucket_length(3600 * SECOND, 70), 60 * SECOND);
        assert_eq!(bucket_length(24 * 3600 * SECOND, 100), 900 * SECOND);
        assert_eq!(length_name(900 * SECOND), "15m");
        assert!(bucket_length(i64::MAX / 4, 70) > 0);
    }

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

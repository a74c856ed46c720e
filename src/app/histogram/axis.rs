//! Stretches of time and the bars they are cut into: lengths that people can read, zooming, shifting. Pure arithmetic
//! for [`super`]; [`crate::ui`] draws the axis.

use crate::model::{Micros, SECOND, TimeZoneChoice, zone_offset_seconds};

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

/// The least readable length of a bar with which `span` fits into `bars`, wherever in a bar it begins.
pub fn bucket_length(span: Micros, bars: usize) -> Micros {
    let whole = i64::try_from(bars.max(2)).unwrap_or(i64::MAX) - 1;
    let fits = |seconds: &&i64| (**seconds * SECOND).saturating_mul(whole) >= span;
    NICE.iter().find(fits).copied().unwrap_or(NICE[NICE.len() - 1]) * SECOND
}

/// A length of a bar as it is written: `5s`, `15m`, `2h`, `7d`.
pub fn length_name(bucket: Micros) -> String {
    match bucket / SECOND {
        s if s < MINUTE => format!("{s}s"),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < DAY => format!("{}h", s / HOUR),
        s => format!("{}d", s / DAY),
    }
}

/// A stretch of time; the end is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its first moment.
    pub start: Micros,
    /// The first moment after it.
    pub end: Micros,
}

impl Span {
    /// How long it is.
    pub fn length(self) -> Micros {
        self.end.saturating_sub(self.start)
    }

    /// Whether a moment is in it.
    pub fn contains(self, time: Micros) -> bool {
        self.start <= time && time < self.end
    }

    /// What it has in common with another stretch; `None` when that is nothing.
    pub fn within(self, other: Span) -> Option<Span> {
        let common = Span { start: self.start.max(other.start), end: self.end.min(other.end) };
        (common.start < common.end).then_some(common)
    }

    /// Moved by a length, but not out of `bounds`: it stays as long as it is where they are long enough.
    pub fn shifted(self, by: Micros, bounds: Span) -> Span {
        let furthest = bounds.end.saturating_sub(self.length()).max(bounds.start);
        let start = self.start.saturating_add(by).clamp(bounds.start, furthest);
        Span { start, end: start.saturating_add(self.length()) }
    }

    /// Half as long, to whole seconds; `around` keeps its place in it.
    pub fn halved(self, around: Micros) -> Span {
        let around = around.clamp(self.start, self.end);
        self.scaled(around - around.saturating_sub(self.start) / 2, self.length() / 2)
    }

    /// Twice as long, to whole seconds, as far as `bounds` allow; `around` keeps its place in it as far as they do.
    pub fn doubled(self, around: Micros, bounds: Span) -> Span {
        let around = around.clamp(self.start, self.end);
        let start = around.saturating_sub(around.saturating_sub(self.start).saturating_mul(2));
        let wider = self.scaled(start, self.length().saturating_mul(2)).shifted(0, bounds);
        wider.within(bounds).unwrap_or(bounds)
    }

    fn scaled(self, start: Micros, length: Micros) -> Span {
        let start = start.div_euclid(SECOND).saturating_mul(SECOND);
        let seconds = length.div_euclid(SECOND) + i64::from(length.rem_euclid(SECOND) > 0);
        Span { start, end: start.saturating_add(seconds.max(1).saturating_mul(SECOND)) }
    }
}

/// A stretch cut into bars of one length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axis {
    /// Where the first bar begins.
    pub start: Micros,
    /// How long a bar is, in microseconds.
    pub bucket: Micros,
    /// How many bars there are, at least one.
    pub bars: usize,
}

impl Axis {
    /// At most `cells` bars over a stretch. They begin at round times of the zone.
    pub fn over(span: Span, cells: usize, zone: TimeZoneChoice) -> Axis {
        let bucket = bucket_length(span.length(), cells);
        let shift = zone_offset_seconds(span.start, zone) * SECOND;
        let start =
            span.start.saturating_add(shift).div_euclid(bucket).saturating_mul(bucket).saturating_sub(shift);
        let last = span.end.saturating_sub(1).max(span.start);
        let bars = usize::try_from(last.saturating_sub(start) / bucket + 1).unwrap_or(cells);
        Axis { start, bucket, bars: bars.clamp(1, cells.max(1)) }
    }

    /// The bar that holds a moment; the nearest one when none does.
    pub fn bar_of(&self, time: Micros) -> usize {
        let bar = time.saturating_sub(self.start).div_euclid(self.bucket);
        usize::try_from(bar).unwrap_or(0).min(self.bars - 1)
    }

    /// The stretch of the bar that would hold a moment, were there as many bars as it takes.
    pub fn bar_around(&self, time: Micros) -> Span {
        let before = time.saturating_sub(self.start).div_euclid(self.bucket).saturating_mul(self.bucket);
        let start = self.start.saturating_add(before);
        Span { start, end: start.saturating_add(self.bucket) }
    }

    /// The stretch of a bar.
    pub fn bar(&self, at: usize) -> Span {
        let before = i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(self.bucket);
        let start = self.start.saturating_add(before);
        Span { start, end: start.saturating_add(self.bucket) }
    }

    /// The stretch of all bars.
    pub fn span(&self) -> Span {
        Span { start: self.start, end: self.bar(self.bars - 1).end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Span = Span { start: 0, end: 1000 * SECOND };

    fn seconds(start: i64, end: i64) -> Span {
        Span { start: start * SECOND, end: end * SECOND }
    }

    #[test]
    fn bars_have_readable_lengths() {
        assert_eq!(bucket_length(0, 60), SECOND);
        assert_eq!(bucket_length(3600 * SECOND, 70), 60 * SECOND);
        assert_eq!(bucket_length(24 * 3600 * SECOND, 100), 900 * SECOND);
        assert_eq!(length_name(900 * SECOND), "15m");
        assert!(bucket_length(i64::MAX, 70) > 0);
    }

    #[test]
    fn bars_begin_at_round_times_and_cover_the_stretch() {
        let axis = Axis::over(seconds(7, 152), 73, TimeZoneChoice::Utc);
        assert_eq!(axis, Axis { start: 5 * SECOND, bucket: 5 * SECOND, bars: 30 });
        assert_eq!(axis.bar(0), seconds(5, 10));
        assert_eq!(axis.span(), seconds(5, 155));
        assert_eq!((axis.bar_of(9 * SECOND), axis.bar_of(10 * SECOND)), (0, 1));
        assert_eq!(axis.bar_around(2 * SECOND), seconds(0, 5), "before the first");
        assert_eq!((axis.bar_of(Micros::MIN), axis.bar_of(Micros::MAX)), (0, 29), "the nearest bar");
        let moment = Axis::over(Span { start: 3, end: 3 }, 20, TimeZoneChoice::Utc);
        assert_eq!((moment.bars, moment.bucket), (1, SECOND), "a log of one event");
        let forever = Axis::over(Span { start: Micros::MIN, end: Micros::MAX }, 20, TimeZoneChoice::Utc);
        assert!(forever.bars <= 20);
    }

    #[test]
    fn a_zoom_keeps_the_moment_under_the_cursor_in_its_place() {
        let whole = seconds(100, 500);
        for around in [100, 150, 300, 499] {
            let closer = whole.halved(around * SECOND);
            assert_eq!(closer.length(), 200 * SECOND);
            let place = |span: Span| (around * SECOND - span.start) as f64 / span.length() as f64;
            assert!((place(whole) - place(closer)).abs() < 0.01, "{around}: {closer:?}");
            assert_eq!(closer.doubled(around * SECOND, LOG).length(), 400 * SECOND);
            assert!((closer.doubled(around * SECOND, LOG).start - whole.start).abs() <= SECOND);
        }
        assert_eq!(seconds(3, 4).halved(3 * SECOND), seconds(3, 4), "never empty");
    }

    #[test]
    fn zooming_out_ends_at_the_whole_log() {
        assert_eq!(seconds(0, 400).doubled(390 * SECOND, LOG), seconds(0, 800));
        assert_eq!(seconds(900, 1000).doubled(900 * SECOND, LOG), seconds(800, 1000), "moved back into it");
        assert_eq!(seconds(200, 900).doubled(500 * SECOND, LOG), LOG);
    }

    #[test]
    fn a_shift_is_bounded() {
        assert_eq!(seconds(100, 200).shifted(50 * SECOND, LOG), seconds(150, 250));
        assert_eq!(seconds(100, 200).shifted(-150 * SECOND, LOG), seconds(0, 100));
        assert_eq!(seconds(800, 900).shifted(Micros::MAX, LOG), seconds(900, 1000));
        assert_eq!(seconds(0, 2000).shifted(SECOND, LOG).start, 0, "longer than the log");
    }

    #[test]
    fn stretches_have_something_in_common_or_nothing() {
        assert_eq!(seconds(0, 10).within(seconds(5, 20)), Some(seconds(5, 10)));
        assert_eq!(seconds(0, 10).within(seconds(10, 20)), None);
    }
}

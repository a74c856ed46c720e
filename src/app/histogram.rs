//! The histogram as a control: which stretch of the log it shows, the bar under the cursor, a selection, and what was
//! counted for each bar. `axis` is the arithmetic of stretches and bars, `control` what the keys do and how a range of
//! time is set and cleared, `comparison` the same bars a day earlier. [`crate::ui`] draws what is held here.

mod axis;
mod comparison;
mod control;

use super::{App, Focus};
use crate::model::Micros;
use crate::query::{Bucket, View};
use crate::store::Store;
pub use axis::{Axis, Span, length_name};
use comparison::{Unranged, count_a_day_ago};

/// Columns left of the bars, for the height of the scale.
pub const SCALE_WIDTH: u16 = 6;

/// Fewer bars than this tell nothing.
const LEAST_BARS: usize = 10;

/// Events in some bars.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// Records that are shown.
    pub matched: u64,
    /// Those of them with a code of 400 or more.
    pub failed: u64,
    /// All records that are held, shown or not.
    pub records: u64,
}

impl Sum {
    /// What is in these bars together.
    pub fn of(buckets: &[Bucket]) -> Sum {
        buckets.iter().fold(Sum::default(), |sum, bucket| Sum {
            matched: sum.matched + u64::from(bucket.matched),
            failed: sum.failed + u64::from(bucket.failed),
            records: sum.records + u64::from(bucket.records),
        })
    }
}

/// The bars, and what they were counted from.
#[derive(Debug)]
pub struct Counts {
    /// Where the bars begin and how long they are.
    pub axis: Axis,
    /// What is in each.
    pub bars: Vec<Bucket>,
    /// What of it matches the filter, while all rows are shown and matches only marked.
    pub matches: Option<Vec<Bucket>>,
    /// What was in each a day earlier, while that is compared.
    pub day_ago: Option<Vec<Bucket>>,
    /// Versions of the results that were counted.
    versions: Versions,
}

/// Versions of what is shown, of the matches in it, and of what there was a day earlier.
type Versions = (u64, Option<u64>, Option<u64>);

/// State of the histogram.
#[derive(Debug, Default)]
pub struct Histogram {
    /// What was zoomed or shifted to; `None` is all there is, growing with the log.
    window: Option<Span>,
    /// A moment in the bar under the cursor: it stays where it is when the bars change.
    cursor: Micros,
    /// A moment in the bar where a selection began.
    anchor: Option<Micros>,
    /// Whether each bar is compared with the one a day earlier.
    pub compares: bool,
    /// The result without its range, where there is one: what happened a day earlier lies outside of it.
    unranged: Option<Unranged>,
    counts: Option<Counts>,
}

impl Histogram {
    /// The bars as last counted; `None` while there is no log or no room for them.
    pub fn counts(&self) -> Option<&Counts> {
        self.counts.as_ref()
    }

    /// First and last bar of the selection: the bar under the cursor when nothing is selected.
    pub fn selected_bars(&self, axis: &Axis) -> (usize, usize) {
        let cursor = axis.bar_of(self.cursor);
        let anchor = self.anchor.map_or(cursor, |anchor| axis.bar_of(anchor));
        (cursor.min(anchor), cursor.max(anchor))
    }

    /// The stretch of the selection, whole also where it began outside of what is shown.
    fn selected_span(&self, axis: &Axis) -> Span {
        let cursor = axis.bar(self.cursor_bar(axis));
        let anchor = self.anchor.map_or(cursor, |anchor| axis.bar_around(anchor));
        Span { start: cursor.start.min(anchor.start), end: cursor.end.max(anchor.end) }
    }

    /// The bar under the cursor.
    pub fn cursor_bar(&self, axis: &Axis) -> usize {
        axis.bar_of(self.cursor)
    }

    /// Whether a selection was begun.
    pub fn is_selecting(&self) -> bool {
        self.anchor.is_some()
    }

    /// Counts the bars of `axis`, unless that is known. A count over a million records takes some milliseconds: it
    /// must not be made for each frame.
    fn count(&mut self, store: &Store, view: &View, matches: Option<&View>, axis: Axis) {
        let earlier = self.compares.then(|| self.unranged.as_ref().map_or(view, Unranged::view));
        let versions = (view.version(), matches.map(View::version), earlier.map(View::version));
        if self.counts.as_ref().is_some_and(|known| known.axis == axis && known.versions == versions) {
            return;
        }
        let count = |view: &View| view.histogram(store, axis.start, axis.bucket, axis.bars);
        let (bars, matches) = (count(view), matches.map(count));
        let day_ago = earlier.map(|view| count_a_day_ago(store, view, &axis));
        self.counts = Some(Counts { axis, bars, matches, day_ago, versions });
    }
}

/// What is shown: the range where one is set, else the window, as far as the log goes.
fn shown_span(log: Span, range: Option<(Micros, Micros)>, window: Option<Span>) -> Span {
    match (range, window) {
        (Some((since, until)), _) => {
            let start = log.start.max(since);
            Span { start, end: log.end.min(until).max(start.saturating_add(1)) }
        }
        // What was looked at may have been dropped for memory.
        (None, Some(window)) => window.within(log).unwrap_or(log),
        (None, None) => log,
    }
}

impl App {
    /// The stretch of all that is held.
    fn log_span(&self) -> Option<Span> {
        let order = self.store.order();
        Some(Span { start: order.first_time()?, end: order.last_time()?.saturating_add(1) })
    }

    /// The bars as they should be now; `None` while there is no log or no room for them.
    fn histogram_axis(&self) -> Option<Axis> {
        let area = self.layout.histogram;
        let cells = usize::from(area.width.saturating_sub(SCALE_WIDTH + 1));
        if cells < LEAST_BARS || area.height < 2 {
            return None;
        }
        let span = shown_span(self.log_span()?, self.range, self.histogram.window);
        Some(Axis::over(span, cells, self.zone()))
    }

    /// Brings the histogram in step with what is shown.
    pub(super) fn settle_histogram(&mut self) {
        if self.focus == Focus::Histogram && self.layout.histogram.height == 0 {
            self.leave_histogram();
        }
        self.ask_without_range();
        // While a search goes on, every slice of it finds something: then each frame counts once.
        let is_complete = self.view.is_complete() && self.result().is_complete();
        if is_complete && !self.histogram.has_work() {
            self.count_histogram();
        }
    }

    /// Counts what the next frame shows, where that is not known.
    pub(super) fn count_histogram(&mut self) {
        match self.histogram_axis() {
            Some(axis) => self.histogram.count(&self.store, &self.view, self.matches.as_ref(), axis),
            None => self.histogram.counts = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SECOND;

    const LOG: Span = Span { start: 0, end: 1000 * SECOND };

    #[test]
    fn the_range_goes_before_the_window_and_neither_leaves_the_log() {
        let window = Span { start: 100 * SECOND, end: 200 * SECOND };
        assert_eq!(shown_span(LOG, None, None), LOG);
        assert_eq!(shown_span(LOG, None, Some(window)), window);
        let range = Some((50 * SECOND, Micros::MAX));
        assert_eq!(shown_span(LOG, range, Some(window)), Span { start: 50 * SECOND, end: LOG.end });
        let later = Some((2000 * SECOND, Micros::MAX));
        assert_eq!(shown_span(LOG, later, None).length(), 1, "a range after the log is an empty moment");
        let dropped = Span { start: -200 * SECOND, end: -100 * SECOND };
        assert_eq!(shown_span(LOG, None, Some(dropped)), LOG);
    }

    #[test]
    fn a_selection_goes_from_bar_to_bar_either_way() {
        let axis = Axis { start: 0, bucket: 10 * SECOND, bars: 20 };
        let mut histogram = Histogram { cursor: 55 * SECOND, ..Histogram::default() };
        assert_eq!(histogram.selected_bars(&axis), (5, 5));
        histogram.anchor = Some(25 * SECOND);
        assert_eq!(histogram.selected_bars(&axis), (2, 5));
        histogram.cursor = 0;
        assert_eq!(histogram.selected_bars(&axis), (0, 2));
        let finer = Axis { start: 0, bucket: 5 * SECOND, bars: 20 };
        assert_eq!(histogram.selected_bars(&finer), (0, 5), "moments stay, bars change");
        let zoomed = Axis { start: 0, bucket: 5 * SECOND, bars: 4 };
        assert_eq!(histogram.selected_bars(&zoomed), (0, 3));
        assert_eq!(histogram.selected_span(&zoomed), Span { start: 0, end: 30 * SECOND }, "nothing is lost");
    }

    #[test]
    fn bars_add_up() {
        let bars =
            [Bucket { matched: 2, failed: 1, records: 5 }, Bucket { matched: 3, failed: 0, records: 3 }];
        assert_eq!(Sum::of(&bars), Sum { matched: 5, failed: 1, records: 8 });
    }
}

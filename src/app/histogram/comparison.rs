//! The same bars a day earlier. Where a range is set, the rows of the day before are not in the result that is shown:
//! the same question is then asked a second time, without the range, for as long as the comparison is on.

use super::{App, Axis, Sum};
use crate::model::{Micros, SECOND, format_clock};
use crate::query::{Bucket, Expression, Plan, View, ViewOptions};
use crate::store::{Changes, Store};
use crate::text;

/// How far back the comparison looks.
pub const DAY: Micros = 86_400 * SECOND;

/// What was in each bar of `axis` a day earlier.
pub(super) fn count_a_day_ago(store: &Store, view: &View, axis: &Axis) -> Vec<Bucket> {
    view.histogram(store, axis.start.saturating_sub(DAY), axis.bucket, axis.bars)
}

/// The question that is shown, without its range.
#[derive(Debug)]
pub(super) struct Unranged {
    filter: Expression,
    options: ViewOptions,
    revealed: bool,
    view: View,
}

impl Unranged {
    pub(super) fn view(&self) -> &View {
        &self.view
    }
}

impl super::Histogram {
    /// Takes in what changed in the store.
    pub(crate) fn data_changed(&mut self, store: &Store, changes: &Changes) {
        if let Some(unranged) = &mut self.unranged {
            unranged.view.update(store, changes);
        }
    }

    /// Forgets an answer that may be another one although the filter is the same.
    pub(crate) fn forget_unranged(&mut self) {
        self.unranged = None;
    }

    /// Whether there is something left to look at.
    pub(crate) fn has_work(&self) -> bool {
        self.unranged.as_ref().is_some_and(|unranged| !unranged.view.is_complete())
    }

    /// Goes on until `more` says no. Returns whether nothing is left to look at.
    pub(crate) fn work(&mut self, store: &Store, more: impl FnMut() -> bool) -> bool {
        self.unranged.as_mut().is_none_or(|unranged| unranged.view.advance(store, more))
    }
}

impl App {
    /// Asks without the range what is shown within it, as long as that is needed and when it changed.
    pub(super) fn ask_without_range(&mut self) {
        if !self.histogram.compares || self.range.is_none() {
            self.histogram.unranged = None;
            return;
        }
        let options = ViewOptions { range: None, ..self.view.options().clone() };
        let filter = &self.shown_filter;
        let known = self.histogram.unranged.as_ref();
        let is_same = |known: &Unranged| {
            known.filter == *filter && known.options == options && known.revealed == self.revealed
        };
        if known.is_some_and(is_same) {
            return;
        }
        let plan = Plan::compile(filter, &self.context());
        let mut view = View::new(Plan::everything(), options.clone());
        view.restart(&self.store, plan, options.clone());
        self.histogram.unranged =
            Some(Unranged { filter: filter.clone(), options, revealed: self.revealed, view });
    }

    /// `now 412 · a day ago 38 (×10.8)`, for these bars; `None` while nothing is compared.
    pub fn comparison_of(&self, from: usize, until: usize) -> Option<String> {
        let counts = self.histogram.counts()?;
        let now = Sum::of(counts.bars.get(from..=until)?);
        let earlier = Sum::of(counts.day_ago.as_ref()?.get(from..=until)?);
        let begins = counts.axis.bar(from).start.saturating_sub(DAY);
        let first = self.store.order().first_time().filter(|first| *first > begins);
        let so_far = match first {
            None => String::new(),
            Some(_) if self.is_loading() => ", still being read".to_owned(),
            Some(_) if earlier.records == 0 => String::new(),
            Some(first) => format!(", log begins {}", format_clock(first, self.zone(), false)),
        };
        Some(compared(now, earlier, &so_far))
    }
}

/// The sentence about two counts, the earlier one being as whole as `so_far` says.
fn compared(now: Sum, earlier: Sum, so_far: &str) -> String {
    let count = |sum: Sum| text::thousands(sum.matched);
    if earlier.records == 0 {
        return format!("now {} · no log a day ago{so_far}", count(now));
    }
    let ratio = match (now.matched, earlier.matched) {
        (_, 0) => String::new(),
        (now, earlier) => format!(" (×{})", ratio(now, earlier)),
    };
    format!("now {} · a day ago {}{ratio}{so_far}", count(now), count(earlier))
}

/// `10.8`, `0.03`, `250`: two or three digits that count.
fn ratio(now: u64, earlier: u64) -> String {
    let ratio = now as f64 / earlier as f64;
    let digits = match ratio {
        r if r >= 100.0 || r == 0.0 => 0,
        r if r >= 1.0 => 1,
        _ => 2,
    };
    format!("{ratio:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(matched: u64, records: u64) -> Sum {
        Sum { matched, failed: 0, records }
    }

    #[test]
    fn the_comparison_is_told_in_words() {
        for (now, earlier, so_far, told) in [
            (412, (38, 900), "", "now 412 · a day ago 38 (×10.8)"),
            (0, (38, 38), "", "now 0 · a day ago 38 (×0)"),
            (1, (38, 38), "", "now 1 · a day ago 38 (×0.03)"),
            (9500, (38, 38), "", "now 9,500 · a day ago 38 (×250)"),
            (7, (0, 3), "", "now 7 · a day ago 0"),
            (8, (4, 4), ", log begins 10:00:00", "now 8 · a day ago 4 (×2.0), log begins 10:00:00"),
            (7, (0, 0), "", "now 7 · no log a day ago"),
            (7, (0, 0), ", still being read", "now 7 · no log a day ago, still being read"),
        ] {
            assert_eq!(compared(sum(now, now), sum(earlier.0, earlier.1), so_far), told);
        }
    }
}

//! Where in time a correlation's condition holds: a pure function of a group's points, so that the order in which the
//! points were read makes no difference.

use std::collections::HashMap;

use super::correlation::{Condition, Correlation};
use crate::model::{EventId, Micros};

/// One event of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Point {
    pub(super) time: Micros,
    /// Which of the correlation's inputs it is an event of. Events of one moment are in the order of the inputs: which
    /// came first nobody knows, and what may be a sequence is told.
    pub(super) input: u16,
    /// Names the request: its stages, and the same line read twice, are one event.
    pub(super) request: u64,
    /// Hash of the values that are counted.
    pub(super) value: u64,
    pub(super) event: EventId,
}

/// A stretch of points within which the condition held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Episode {
    /// The points that made it hold: `points[from..=to]`.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The point at which it held first.
    pub(super) reached: usize,
    /// The greatest count, or how many events there were.
    pub(super) count: u64,
}

/// Brings points into order and leaves one, the earliest, of each request and input. The first `normal` ones are so
/// already: where few come to many, the many cost a look and not a sort.
pub(super) fn normalise(points: &mut Vec<Point>, normal: usize) {
    let mut fresh = points.split_off(normal);
    fresh.sort_unstable_by_key(|point| (point.request, point.input, point.time, point.event));
    fresh.dedup_by_key(|point| (point.request, point.input));
    let mut is_known = vec![false; fresh.len()];
    for known in &mut *points {
        let same = fresh.binary_search_by_key(&(known.request, known.input), |new| (new.request, new.input));
        let Ok(at) = same else { continue };
        is_known[at] = true;
        if (fresh[at].time, fresh[at].event) < (known.time, known.event) {
            *known = fresh[at];
        }
    }
    points.extend(fresh.iter().zip(is_known).filter_map(|(new, known)| (!known).then_some(*new)));
    // A stable sort makes use of the order that is there.
    points.sort();
}

/// The stretches of normalised points within which the condition holds; windows that overlap are one.
pub(super) fn episodes(correlation: &Correlation, points: &[Point]) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    let mut window = Window::new(correlation);
    for (at, point) in points.iter().enumerate() {
        let Some((from, count)) = window.take(points, at, *point) else { continue };
        match episodes.last_mut() {
            Some(last) if from <= last.to => {
                last.from = last.from.min(from);
                last.to = at;
                last.count = last.count.max(count);
            }
            _ => episodes.push(Episode { from, to: at, reached: at, count }),
        }
    }
    episodes
}

/// The points of the first input that have none of another one within `span`, on either side.
pub(super) fn alone(points: &[Point], span: Micros) -> Vec<Point> {
    let others: Vec<Micros> = points.iter().filter(|point| point.input > 0).map(|point| point.time).collect();
    let is_alone = |point: &&Point| {
        let next = others.partition_point(|time| *time < point.time.saturating_sub(span));
        point.input == 0 && others.get(next).is_none_or(|time| *time > point.time.saturating_add(span))
    };
    points.iter().filter(is_alone).copied().collect()
}

/// What is known of the time before a point.
struct Window<'c> {
    correlation: &'c Correlation,
    /// The first point that is within the time.
    from: usize,
    values: HashMap<u64, u64>,
    inputs: Vec<u64>,
    /// For each input, the latest point from which the inputs up to it follow each other.
    chains: Vec<Option<usize>>,
}

impl<'c> Window<'c> {
    fn new(correlation: &'c Correlation) -> Window<'c> {
        let inputs = correlation.inputs.len();
        Window {
            correlation,
            from: 0,
            values: HashMap::new(),
            inputs: vec![0; inputs],
            chains: vec![None; inputs],
        }
    }

    /// Moves on to a point: where the condition holds in the time up to it, the first point that has a part in that,
    /// and the count.
    fn take(&mut self, points: &[Point], at: usize, point: Point) -> Option<(usize, u64)> {
        // The time is open at its beginning, as in `(t - timespan, t]`.
        while points[self.from].time <= point.time.saturating_sub(self.correlation.span) && self.from < at {
            self.leave(points[self.from]);
            self.from += 1;
        }
        if self.counts_values() {
            *self.values.entry(point.value).or_default() += 1;
        }
        if let Some(count) = self.inputs.get_mut(usize::from(point.input)) {
            *count += 1;
        }
        let events = (at - self.from + 1) as u64;
        match &self.correlation.condition {
            Condition::EventCount(limits) => limits.hold(events).then_some((self.from, events)),
            Condition::ValueCount { limits, .. } => {
                let distinct = self.values.len() as u64;
                limits.hold(distinct).then_some((self.from, distinct))
            }
            Condition::Together(expr) => {
                let holds =
                    expr.holds(&[], &mut |input| self.inputs.get(*input).is_some_and(|count| *count > 0));
                holds.then_some((self.from, events))
            }
            Condition::InOrder => self.follow(points, at, point).map(|from| (from, (at - from + 1) as u64)),
            Condition::FirstSeen => (self.from == at).then_some((at, 1)),
            // All of them, whatever the time between.
            Condition::Each => Some((0, at as u64 + 1)),
        }
    }

    fn counts_values(&self) -> bool {
        matches!(self.correlation.condition, Condition::ValueCount { .. })
    }

    fn leave(&mut self, point: Point) {
        if self.counts_values()
            && let Some(count) = self.values.get_mut(&point.value)
        {
            *count -= 1;
            if *count == 0 {
                self.values.remove(&point.value);
            }
        }
        if let Some(count) = self.inputs.get_mut(usize::from(point.input)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Lengthens the chains that end before this point's input; the beginning of a chain of all inputs that ends here.
    fn follow(&mut self, points: &[Point], at: usize, point: Point) -> Option<usize> {
        let input = usize::from(point.input);
        let start = match input.checked_sub(1) {
            None => Some(at),
            Some(previous) => self.chains.get(previous).copied().flatten(),
        };
        let start =
            start.filter(|start| points[*start].time > point.time.saturating_sub(self.correlation.span))?;
        let slot = self.chains.get_mut(input)?;
        // A later start leaves more time for what follows.
        *slot = Some(slot.map_or(start, |known| known.max(start)));
        (input + 1 == self.chains.len()).then_some(start)
    }
}

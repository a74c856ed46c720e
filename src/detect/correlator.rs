//! Keeps what correlations need to know of past hits, and tells where their conditions hold.
//!
//! Hits may come in any order: history is read newest first, several logs at once. What is found depends on the set of
//! hits alone. The memory is bounded: of each correlation the newest events are kept, and how many were forgotten is
//! told.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::correlation::{Condition, Correlation, GroupField};
use super::engine::{Engine, Hit};
use super::matcher::Leaf;
use super::request::request_key;
use super::row::{Row, Rows};
use super::rule::RuleIndex;
use super::subject::shortened;
use super::windows::{Episode, Point, alone, episodes, normalise};
use crate::model::{EventId, Micros};
use crate::store::{Segment, hash_bytes, mix};

/// Events kept for each correlation, the newest ones. At about 60 bytes each, 4 MB.
const MOST_POINTS: usize = 65_536;

/// Beyond the limit by this much, the oldest are dropped at once: cheaper than one by one.
const SLACK: usize = MOST_POINTS / 4;

/// Events named by a finding: half of them the first ones, half the last.
const MOST_EVENTS: usize = 100;

/// Findings of one correlation, the newest. Where a correlation holds for each of ten thousands of addresses, more of
/// them tell no more.
const MOST_FINDINGS: usize = 2_000;

/// A correlation that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The correlation, or the rule that something was seen for the first time by.
    pub rule: RuleIndex,
    /// The fields that its events agree in, with their values.
    pub group: Vec<(String, String)>,
    /// Time of its first event.
    pub first: Micros,
    /// Time of its last event.
    pub last: Micros,
    /// When its condition first held.
    pub reached: Micros,
    /// The greatest count that was reached, or how many events there were.
    pub count: u64,
    /// Whether each of its events counts for the alert; else it counts as often as it was found.
    pub is_tally: bool,
    /// Its events in the order of time: of more than a hundred, the first and the last fifty.
    pub events: Vec<EventId>,
    /// For what was seen for the first time, or is told only where another log does not tell it: sure only once
    /// everything since then is loaded.
    pub sure_since: Option<Micros>,
    /// What was known of other requests, where that is why; see [`super::state`].
    pub reason: Option<String>,
}

/// The values of `group-by`.
type GroupKey = Vec<String>;

#[derive(Debug, Default)]
struct Group {
    points: Vec<Point>,
    /// So many of the points, from the first on, are in order, each request once.
    normal: usize,
    /// What was found the last time; `None` once points came or went.
    found: Option<Vec<Finding>>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<GroupKey, Group>,
    points: usize,
}

/// The memory of all correlations of an engine.
#[derive(Debug)]
pub struct Correlator {
    engine: Arc<Engine>,
    /// By the engine's correlations.
    states: Vec<State>,
    /// By rule, whether it tells what is seen for the first time.
    tells_new: Vec<bool>,
    forgotten: u64,
    /// Findings that were too many the last time.
    left_out: u64,
}

impl Correlator {
    /// An empty memory for the correlations of `engine`.
    pub fn new(engine: Arc<Engine>) -> Correlator {
        let states = engine.correlations.iter().map(|_| State::default()).collect();
        let mut tells_new = vec![false; engine.rules().len()];
        for correlation in &engine.correlations {
            if matches!(correlation.condition, Condition::FirstSeen) {
                tells_new[correlation.rule.0 as usize] = true;
            }
        }
        Correlator { engine, states, tells_new, forgotten: 0, left_out: 0 }
    }

    /// Takes in the hits in segment `number`. Taking the same ones again changes nothing.
    pub fn take(&mut self, number: u32, segment: &Segment, hits: &[Hit]) {
        let engine = Arc::clone(&self.engine);
        let rows = Rows::new(segment);
        for (correlation, state) in engine.correlations.iter().zip(&mut self.states) {
            for hit in hits {
                // Of a rule that tells what is new, only what is new counts for others.
                if correlation.rule != hit.rule && self.tells_new[hit.rule.0 as usize] {
                    continue;
                }
                for (input, _) in correlation.inputs.iter().enumerate().filter(|(_, rule)| **rule == hit.rule)
                {
                    let row = rows.row(hit.row);
                    let key = correlation.group_by.iter();
                    let key = key.map(|field| value_of(&row, field, input).unwrap_or_default()).collect();
                    let Some(value) = counted(correlation, |field| value_of(&row, field, input)) else {
                        continue;
                    };
                    let point = Point {
                        time: segment.stage_time(hit.row),
                        request: request_key(number, segment, hit.row),
                        input: input as u16,
                        value,
                        event: EventId::new(number, hit.row),
                    };
                    state.add(key, point);
                }
            }
            self.forgotten += state.trim(SLACK);
        }
    }

    /// Everything that holds now, by rule and group and time.
    pub fn findings(&mut self) -> Vec<Finding> {
        let engine = Arc::clone(&self.engine);
        let mut findings: Vec<Finding> = Vec::new();
        self.left_out = 0;
        // A correlation stands behind those that it correlates.
        for (correlation, state) in engine.correlations.iter().zip(&mut self.states) {
            self.forgotten += state.trim(0);
            let mut derived = derived(correlation, &findings);
            let of_group = |key: &GroupKey, points: &[Point]| -> Vec<Finding> {
                let points = match correlation.condition {
                    Condition::Each => Cow::Owned(alone(points, correlation.span)),
                    _ => Cow::Borrowed(points),
                };
                let points = points.as_ref();
                let found = episodes(correlation, points);
                found.iter().map(|episode| finding(correlation, key, points, episode)).collect()
            };
            let mut own: Vec<Cow<'_, Finding>> = Vec::new();
            for (key, group) in &mut state.groups {
                group.normalise();
                match derived.remove(key) {
                    None => {
                        let found = group.found.get_or_insert_with(|| of_group(key, &group.points));
                        own.extend(found.iter().map(Cow::Borrowed));
                    }
                    Some(mut points) => {
                        points.extend(&group.points);
                        normalise(&mut points, 0);
                        own.extend(of_group(key, &points).into_iter().map(Cow::Owned));
                    }
                }
            }
            for (key, mut points) in derived {
                normalise(&mut points, 0);
                own.extend(of_group(&key, &points).into_iter().map(Cow::Owned));
            }
            if own.len() > MOST_FINDINGS {
                let newest = |a: &Cow<'_, Finding>, b: &Cow<'_, Finding>| {
                    (b.last, b.first, &b.group).cmp(&(a.last, a.first, &a.group))
                };
                own.select_nth_unstable_by(MOST_FINDINGS, newest);
                self.left_out += (own.len() - MOST_FINDINGS) as u64;
                own.truncate(MOST_FINDINGS);
            }
            findings.extend(own.into_iter().map(Cow::into_owned));
        }
        findings.sort_by(|a, b| (a.rule, &a.group, a.first).cmp(&(b.rule, &b.group, b.first)));
        findings
    }

    /// How many events were dropped because too many were to be remembered, so that what they had a part in may be
    /// missing, and how many findings were too many the last time.
    pub fn forgotten(&self) -> u64 {
        self.forgotten + self.left_out
    }

    /// Bytes held on the heap, about.
    pub fn memory_bytes(&self) -> usize {
        let group = |(key, group): (&GroupKey, &Group)| {
            let key: usize = key.iter().map(|value| value.capacity() + size_of::<String>()).sum();
            let found = |found: &Finding| {
                let values = found.group.iter().map(|(name, value)| name.len() + value.len());
                size_of::<Finding>() + found.events.capacity() * size_of::<EventId>() + values.sum::<usize>()
            };
            let found: usize = group.found.iter().flatten().map(found).sum();
            key + found + group.points.capacity() * size_of::<Point>() + size_of::<(GroupKey, Group)>()
        };
        self.states.iter().map(|state| state.groups.iter().map(group).sum::<usize>()).sum()
    }
}

impl State {
    fn add(&mut self, key: GroupKey, point: Point) {
        let group = self.groups.entry(key).or_default();
        group.points.push(point);
        group.found = None;
        self.points += 1;
    }

    /// Drops the oldest points once there are more than may be, and `slack` more; how many.
    ///
    /// The newest of all that ever came are left, whichever way they came: what is dropped from a part of a set is no
    /// part of the newest of the whole.
    fn trim(&mut self, slack: usize) -> u64 {
        if self.points <= MOST_POINTS + slack {
            return 0;
        }
        self.groups.values_mut().for_each(Group::normalise);
        let mut times: Vec<(Micros, u64)> = self
            .groups
            .values()
            .flat_map(|group| &group.points)
            .map(|point| (point.time, point.request))
            .collect();
        self.points = times.len();
        let Some(excess) = times.len().checked_sub(MOST_POINTS).filter(|excess| *excess > 0) else {
            return 0;
        };
        let (_, oldest_kept, _) = times.select_nth_unstable(excess);
        let oldest_kept = *oldest_kept;
        self.groups.retain(|_, group| {
            group.points.retain(|point| (point.time, point.request) >= oldest_kept);
            if group.points.len() < group.normal {
                group.normal = group.points.len();
                group.found = None;
            }
            !group.points.is_empty()
        });
        let left = self.groups.values().map(|group| group.points.len()).sum();
        let dropped = self.points - left;
        self.points = left;
        dropped as u64
    }
}

impl Group {
    fn normalise(&mut self) {
        if self.normal < self.points.len() {
            normalise(&mut self.points, self.normal);
            self.normal = self.points.len();
        }
    }
}

/// The value of a field in a row; several are joined. `None` where there is none.
fn value_of(row: &Row<'_, '_>, field: &GroupField, input: usize) -> Option<String> {
    let leaves = row.leaves(field.sources.get(input)?);
    let texts: Vec<Cow<'_, str>> = leaves.iter().filter_map(Leaf::written).collect();
    (!texts.is_empty()).then(|| shortened(texts.join(",")))
}

/// Hash of the values that a correlation counts, 0 where it counts none; `None` for an event without any of the fields,
/// which adds nothing to the count (specification, "value_count").
fn counted(correlation: &Correlation, value: impl Fn(&GroupField) -> Option<String>) -> Option<u64> {
    let Condition::ValueCount { fields, .. } = &correlation.condition else { return Some(0) };
    let values: Vec<Option<String>> = fields.iter().map(value).collect();
    let hash =
        |hash, value: &Option<String>| mix(hash, hash_bytes(value.as_deref().unwrap_or_default().as_bytes()));
    values.iter().any(Option::is_some).then(|| values.iter().fold(0, hash))
}

/// What other correlations found, as events of the one that correlates them.
fn derived(correlation: &Correlation, findings: &[Finding]) -> HashMap<GroupKey, Vec<Point>> {
    let mut points: HashMap<GroupKey, Vec<Point>> = HashMap::new();
    for finding in findings {
        for (input, _) in correlation.inputs.iter().enumerate().filter(|(_, rule)| **rule == finding.rule) {
            // A correlation has the fields that it groups by, and no others.
            let value = |field: &GroupField| {
                let known = finding.group.iter().find(|(name, _)| *name == field.name);
                known.map(|(_, value)| value.clone())
            };
            let key: GroupKey =
                correlation.group_by.iter().map(|field| value(field).unwrap_or_default()).collect();
            let Some(value) = counted(correlation, value) else { continue };
            let group =
                finding.group.iter().fold(0, |hash, (_, value)| mix(hash, hash_bytes(value.as_bytes())));
            let request = mix(mix(group, finding.reached as u64), u64::from(finding.rule.0));
            let event = finding.events.last().copied().unwrap_or(EventId::new(0, 0));
            let point = Point { time: finding.reached, request, input: input as u16, value, event };
            points.entry(key).or_default().push(point);
        }
    }
    points
}

fn finding(correlation: &Correlation, key: &GroupKey, points: &[Point], episode: &Episode) -> Finding {
    let part = &points[episode.from..=episode.to];
    // One request may be an event of several inputs.
    let left_out = match part.len() > MOST_EVENTS {
        true => MOST_EVENTS / 2..part.len() - MOST_EVENTS / 2,
        false => 0..0,
    };
    let told = part.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
    let mut events: Vec<EventId> = told.map(|(_, point)| point.event).collect();
    events.dedup();
    let first = points[episode.from].time;
    let names = correlation.group_by.iter().map(|field| field.name.clone());
    Finding {
        rule: correlation.rule,
        group: names.zip(key.iter().cloned()).collect(),
        first,
        last: points[episode.to].time,
        reached: points[episode.reached].time,
        count: episode.count,
        events,
        is_tally: matches!(correlation.condition, Condition::Each),
        sure_since: (matches!(correlation.condition, Condition::FirstSeen)
            || correlation.made_of().len() < correlation.inputs.len())
        .then(|| first.saturating_sub(correlation.span)),
        reason: None,
    }
}

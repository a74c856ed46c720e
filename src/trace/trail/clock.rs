//! By how much the clocks of two logs differ, measured from requests that stand in both.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::{Line, lines_within, rancher};
use crate::model::{EventId, LogKind, Micros, SECOND, format_duration};
use crate::store::Field;
use crate::trace::finding::Log;
use crate::trace::relations::resource_of;
use crate::trace::request::Request;
use crate::trace::select::requests_with;

/// Lines of a log that are looked at, the newest.
const MOST: usize = 400;

/// Clocks that differ by more are no pair.
const FARTHEST: Micros = 900 * SECOND;

/// Fewer pairs prove nothing.
const FEWEST: usize = 3;

/// A smaller difference is within what the times are exact to.
const EXACT: Micros = 1_500_000;

/// By how much a log's clock is ahead of the API server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ClockDifference {
    /// Which program's log.
    #[serde(serialize_with = "name")]
    pub log: LogKind,
    /// The median over the pairs in microseconds; below zero when it is behind.
    #[serde(rename = "aheadMicros")]
    pub ahead: Micros,
    /// Requests that were found in both.
    pub pairs: usize,
}

/// As in "argocd's clock is 4s ahead of the API server's".
impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClockDifference { log, ahead, .. } = self;
        match ahead.abs() {
            // Some programs write whole seconds.
            ..=EXACT => {
                write!(f, "{log}'s clock agrees with the API server's, as far as its times are exact")
            }
            apart => {
                let way = if *ahead < 0 { "behind" } else { "ahead of" };
                write!(f, "{log}'s clock is {} {way} the API server's", format_duration(apart))
            }
        }
    }
}

/// The differences of all logs that have enough requests in common with the API servers' logs.
pub fn clock_differences(log: &Log<'_>) -> Vec<ClockDifference> {
    let kinds = LogKind::ALL.into_iter().filter(|kind| *kind != LogKind::Kube);
    kinds.filter_map(|kind| measure(log, kind)).collect()
}

/// How far a log's clock is ahead; 0 where that is not known, or within what its times are exact to.
pub(super) fn difference(log: &Log<'_>, kind: LogKind) -> Micros {
    measure(log, kind).map(|difference| difference.ahead).filter(|ahead| ahead.abs() > EXACT).unwrap_or(0)
}

fn name<S: Serializer>(kind: &LogKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// `; its clock is 4s ahead`, or nothing.
pub(super) fn in_words(difference: Micros) -> String {
    match difference {
        0 => String::new(),
        ahead => {
            let way = if ahead > 0 { "ahead of" } else { "behind" };
            format!("; its clock is {} {way} the API server's", format_duration(ahead.abs()))
        }
    }
}

fn measure(log: &Log<'_>, kind: LogKind) -> Option<ClockDifference> {
    let mut lines = lines_within(log, kind, (Micros::MIN, Micros::MAX), |segment, row| {
        kind == LogKind::Rancher || matches!(segment.string(Field::Verb, row), "apply" | "prune")
    });
    let excess = lines.len().saturating_sub(MOST);
    lines.drain(..excess);
    let mut known: HashMap<(String, String, String), Vec<EventId>> = HashMap::new();
    let mut differences: Vec<Micros> =
        lines.iter().filter_map(|line| of_line(log, kind, line, &mut known)).collect();
    if differences.len() < FEWEST {
        return None;
    }
    differences.sort_unstable();
    let ahead = differences[differences.len() / 2];
    Some(ClockDifference { log: kind, ahead, pairs: differences.len() })
}

/// The time of a line less that of the one request that it tells of; `None` when there is none, or more than one.
fn of_line(
    log: &Log<'_>,
    kind: LogKind,
    line: &Line,
    known: &mut HashMap<(String, String, String), Vec<EventId>>,
) -> Option<Micros> {
    let (resource, namespace, name) = match kind {
        LogKind::Rancher => {
            let segment = log.store.segment(line.id)?;
            let text = |field| segment.string(field, line.id.row()).to_owned();
            (text(Field::Resource), text(Field::Namespace), text(Field::Name))
        }
        _ => {
            let object = line.details.objects.first()?;
            (resource_of(&object.kind), object.namespace.clone(), object.name.clone())
        }
    };
    if resource.is_empty() || name.is_empty() {
        return None;
    }
    let ids = known.entry((resource.clone(), namespace.clone(), name.clone())).or_insert_with(|| {
        let values =
            [(Field::Resource, resource.as_str()), (Field::Namespace, &namespace), (Field::Name, &name)];
        requests_with(log.store, &values)
    });
    let mut near = ids.iter().filter_map(|id| {
        let request = Request::of(log.store, *id)?;
        let is_near = (request.time - line.time).abs() <= FARTHEST;
        let is_pair = match kind {
            LogKind::Rancher => request.is_write() && rancher::is_pair(&request, line, log),
            _ => {
                request.is_write()
                    && request.succeeded()
                    && crate::trace::relations::gitops_engine(&request).is_some()
            }
        };
        (is_near && is_pair).then_some(request.time)
    });
    let first = near.next()?;
    near.next().is_none().then_some(line.time - first)
}

//! Alerts: what matched, brought together by rule and actor, each request counted once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::correlator::Finding;
use super::engine::{Engine, Hit};
use super::request::request_key;
use super::rule::RuleIndex;
use crate::model::{EventId, Micros};
use crate::store::{Field, Segment};

/// Requests kept of one alert, the newest. All are counted.
const MOST_REQUESTS: usize = 10_000;

/// Alerts kept. More different ones are no alerts but noise; how many were left out is told.
const MOST_ALERTS: usize = 50_000;

/// What names an alert, now and after everything was loaded again: acknowledgements are kept under it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AlertKey {
    /// [`super::RuleInfo::id`]
    pub rule: String,
    /// Who did it: `user.username`; of a correlation, the values that it groups by, joined by commas.
    pub actor: String,
}

/// One rule's matches by one actor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// What names it.
    pub key: AlertKey,
    /// The rule or correlation.
    pub rule: RuleIndex,
    /// Time of the first request.
    pub first: Micros,
    /// Time of the last request.
    pub last: Micros,
    /// How many requests; of a correlation, how often it was found.
    pub count: u64,
    /// Its events in the order of time; of many requests, the newest.
    pub events: Vec<EventId>,
}

/// The requests of one alert.
#[derive(Debug, Default)]
struct Requests {
    /// When each was answered first, and the row that tells so.
    by_key: HashMap<u64, (Micros, EventId)>,
    /// How many were dropped because there were too many, and the time of the first of them.
    dropped: Option<(u64, Micros)>,
}

/// The alerts of all that was taken in, whichever way it came.
#[derive(Debug)]
pub struct Alerts {
    engine: Arc<Engine>,
    by_actor: BTreeMap<(RuleIndex, String), Requests>,
    left_out: u64,
}

impl Alerts {
    /// No alerts yet, of the rules of `engine`.
    pub fn new(engine: Arc<Engine>) -> Alerts {
        Alerts { engine, by_actor: BTreeMap::new(), left_out: 0 }
    }

    /// Takes in the hits in segment `number`. Hits of rules that only feed correlations are no alerts. Taking a request
    /// again, another stage of it or the same line from another file, changes nothing.
    pub fn take(&mut self, number: u32, segment: &Segment, hits: &[Hit]) {
        for hit in hits {
            if self.engine.rule(hit.rule).feeds_only {
                continue;
            }
            let actor = segment.string(Field::User, hit.row);
            let key = (hit.rule, actor.to_owned());
            if self.by_actor.len() >= MOST_ALERTS && !self.by_actor.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let request = request_key(number, segment, hit.row);
            let seen = (segment.stage_time(hit.row), EventId::new(number, hit.row));
            self.by_actor.entry(key).or_default().take(request, seen);
        }
    }

    /// The alerts with what correlations found, by rule and actor.
    pub fn with(&self, findings: &[Finding]) -> Vec<Alert> {
        let of_rules = self.by_actor.iter();
        let mut alerts: Vec<Alert> =
            of_rules.map(|((rule, actor), requests)| requests.alert(self.key(*rule, actor), *rule)).collect();
        let mut found: BTreeMap<(RuleIndex, String), Alert> = BTreeMap::new();
        for finding in findings {
            let info = self.engine.rule(finding.rule);
            if info.is_correlation && info.feeds_only {
                continue;
            }
            let values: Vec<&str> = finding.group.iter().map(|(_, value)| value.as_str()).collect();
            let actor = values.join(",");
            let key = self.key(finding.rule, &actor);
            let alert = found.entry((finding.rule, actor)).or_insert_with(|| Alert {
                key,
                rule: finding.rule,
                first: finding.first,
                last: finding.last,
                count: 0,
                events: Vec::new(),
            });
            alert.first = alert.first.min(finding.first);
            alert.last = alert.last.max(finding.last);
            alert.count += 1;
            alert.events.extend(&finding.events);
        }
        alerts.extend(found.into_values());
        alerts.sort_by(|a, b| a.key.cmp(&b.key));
        alerts
    }

    fn key(&self, rule: RuleIndex, actor: &str) -> AlertKey {
        AlertKey { rule: self.engine.rule(rule).id.clone(), actor: actor.to_owned() }
    }

    /// Hits left out because there were too many different alerts.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Requests {
    fn take(&mut self, request: u64, seen: (Micros, EventId)) {
        self.by_key.entry(request).and_modify(|known| *known = seen.min(*known)).or_insert(seen);
        // Dropped many at a time: finding the oldest takes a look at all of them.
        if self.by_key.len() > MOST_REQUESTS * 2 {
            let mut all: Vec<(Micros, EventId)> = self.by_key.values().copied().collect();
            all.sort_unstable();
            let excess = all.len() - MOST_REQUESTS;
            let (count, first) = self.dropped.unwrap_or((0, all[0].0));
            self.dropped = Some((count + excess as u64, first.min(all[0].0)));
            let oldest_kept = all[excess];
            self.by_key.retain(|_, seen| *seen >= oldest_kept);
        }
    }

    fn alert(&self, key: AlertKey, rule: RuleIndex) -> Alert {
        let mut events: Vec<(Micros, EventId)> = self.by_key.values().copied().collect();
        events.sort_unstable();
        let (dropped, first_dropped) = self.dropped.unwrap_or((0, Micros::MAX));
        Alert {
            key,
            rule,
            first: events.first().map_or(first_dropped, |(time, _)| first_dropped.min(*time)),
            last: events.last().map_or(first_dropped, |(time, _)| *time),
            count: events.len() as u64 + dropped,
            events: events.into_iter().map(|(_, event)| event).collect(),
        }
    }
}

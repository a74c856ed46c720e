//! Alerts: what matched, brought together by rule, actor and namespace, each request counted once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::correlator::Finding;
use super::engine::{Engine, Hit};
use super::request::request_key;
use super::rule::RuleIndex;
use super::subject::{Subject, shortened};
use crate::model::{EventId, Micros};
use crate::store::{Field, Segment, Store};

/// Requests kept of one alert, the newest. All are counted.
const MOST_REQUESTS: usize = 2_000;

/// Requests kept of all alerts together, at some 50 bytes each. Beyond it each alert keeps fewer.
const MOST_KEPT: usize = 400_000;

/// Requests that every alert keeps, however many alerts there are.
const FEWEST_REQUESTS: usize = 8;

/// Alerts kept: the worst, and of equally bad ones the newest, so that a flood of small ones, which anybody can cause by
/// asking for namespaces that are not there, hides none that matters. How many hits were left out is told.
const MOST_ALERTS: usize = 20_000;

/// Beyond the limit by this much, the least are dropped at once: cheaper than one by one.
const SLACK: usize = MOST_ALERTS / 4;

/// Namespaces and addresses told of one alert: the first in alphabetical order.
const MOST_VALUES: usize = 32;

/// What names an alert, now and after everything was loaded again: acknowledgements are kept under it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AlertKey {
    /// [`super::RuleInfo::id`]
    pub rule: String,
    /// Who did it: `user.username`; of a correlation, the values that it groups by, joined by commas.
    pub actor: String,
    /// The namespace it was done in; empty for what is in none, and for correlations.
    pub namespace: String,
}

/// One rule's matches by one actor in one namespace.
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
    /// Its newest request.
    pub newest: EventId,
    /// What that was about.
    pub subject: Subject,
    /// Source addresses of its requests, the first few.
    pub addresses: BTreeSet<String>,
    /// What a correlation found; empty for rules.
    pub findings: Vec<Finding>,
    /// It tells that something was seen for the first time, and older history is still to come.
    pub is_provisional: bool,
}

/// The requests of one alert.
#[derive(Debug, Default)]
struct Requests {
    /// When each was answered first, and the row that tells so.
    by_key: HashMap<u64, (Micros, EventId)>,
    /// How many were dropped because there were too many, and the time of the first of them.
    dropped: Option<(u64, Micros)>,
    /// The last record of any, and what it is about.
    subject: Option<((Micros, EventId), Subject)>,
    addresses: BTreeSet<String>,
}

/// The alerts of all rules over everything that was taken in, whichever way it came.
#[derive(Debug)]
pub struct Alerts {
    engine: Arc<Engine>,
    groups: BTreeMap<(RuleIndex, String, String), Requests>,
    /// Requests kept of one alert.
    limit: usize,
    kept: usize,
    left_out: u64,
}

impl Alerts {
    /// No alerts yet, of the rules of `engine`.
    pub fn new(engine: Arc<Engine>) -> Alerts {
        Alerts { engine, groups: BTreeMap::new(), limit: MOST_REQUESTS, kept: 0, left_out: 0 }
    }

    /// Takes in the hits in segment `number`. Hits of rules that only feed correlations are no alerts. Taking a request
    /// again, another stage of it or the same line from another file, changes nothing.
    pub fn take(&mut self, number: u32, segment: &Segment, hits: &[Hit]) {
        let engine = Arc::clone(&self.engine);
        for hit in hits.iter().filter(|hit| !engine.rule(hit.rule).feeds_only) {
            let text = |field| shortened(segment.string(field, hit.row).to_owned());
            let key = (hit.rule, text(Field::User), text(Field::Namespace));
            let seen = (segment.stage_time(hit.row), EventId::new(number, hit.row));
            let requests = self.groups.entry(key).or_default();
            let before = requests.by_key.len();
            requests.take(request_key(number, segment, hit.row), seen, segment);
            if requests.by_key.len() > self.limit * 2 {
                requests.trim(self.limit);
            }
            self.kept = self.kept + requests.by_key.len() - before;
            if self.groups.len() > MOST_ALERTS + SLACK {
                self.leave_out_the_least();
            }
        }
        while self.kept > MOST_KEPT && self.limit > FEWEST_REQUESTS {
            self.limit /= 2;
            self.groups.values_mut().for_each(|requests| requests.trim(self.limit));
            self.kept = self.groups.values().map(|requests| requests.by_key.len()).sum();
        }
    }

    fn leave_out_the_least(&mut self) {
        let engine = Arc::clone(&self.engine);
        let worth = |((rule, ..), requests): (&(RuleIndex, String, String), &Requests)| {
            (engine.rule(*rule).severity, requests.subject.as_ref().map(|(last, _)| *last))
        };
        let mut worths: Vec<_> = self.groups.iter().map(worth).collect();
        let excess = worths.len().saturating_sub(MOST_ALERTS);
        let (_, least_kept, _) = worths.select_nth_unstable(excess);
        let least_kept = *least_kept;
        let mut left_out = 0;
        self.groups.retain(|key, requests| {
            let is_kept = worth((key, requests)) >= least_kept;
            if !is_kept {
                left_out += requests.count();
            }
            is_kept
        });
        self.left_out += left_out;
        self.kept = self.groups.values().map(|requests| requests.by_key.len()).sum();
    }

    /// The alerts, with what correlations found, by rule, actor and namespace. `store` tells what the events of the
    /// findings were about; history before `loaded_from` is still to come.
    pub fn with(&self, findings: &[Finding], store: &Store, loaded_from: Option<Micros>) -> Vec<Alert> {
        let of_rules = self.groups.iter();
        let mut alerts: Vec<Alert> = of_rules
            .map(|((rule, actor, namespace), requests)| {
                requests.alert(self.key(*rule, actor, namespace), *rule)
            })
            .collect();
        let mut found: BTreeMap<(RuleIndex, String), Alert> = BTreeMap::new();
        for finding in findings {
            let info = self.engine.rule(finding.rule);
            if !info.tells_findings() {
                continue;
            }
            let values: Vec<&str> = finding.group.iter().map(|(_, value)| value.as_str()).collect();
            let actor = values.join(",");
            match found.get_mut(&(finding.rule, actor.clone())) {
                Some(alert) => alert.join(finding, store, loaded_from),
                None => {
                    let alert = Alert::of(finding, self.key(finding.rule, &actor, ""), store, loaded_from);
                    found.insert((finding.rule, actor), alert);
                }
            }
        }
        alerts.extend(found.into_values());
        alerts.sort_by(|a, b| a.key.cmp(&b.key));
        alerts
    }

    /// The events of an alert in the order of time: of many requests, the newest; of a correlation, a hundred of
    /// each time that it was found.
    pub fn events(&self, alert: &Alert) -> Vec<EventId> {
        let key = (alert.rule, alert.key.actor.clone(), alert.key.namespace.clone());
        if let Some(requests) = self.groups.get(&key).filter(|_| alert.findings.is_empty()) {
            let mut events: Vec<(Micros, EventId)> = requests.by_key.values().copied().collect();
            events.sort_unstable();
            return events.into_iter().map(|(_, event)| event).collect();
        }
        let mut events: Vec<EventId> = Vec::new();
        for event in alert.findings.iter().flat_map(|finding| &finding.events) {
            if !events.contains(event) {
                events.push(*event);
            }
        }
        events
    }

    fn key(&self, rule: RuleIndex, actor: &str, namespace: &str) -> AlertKey {
        AlertKey {
            rule: self.engine.rule(rule).id.clone(),
            actor: actor.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Hits left out because there were too many different alerts.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Bytes held on the heap, about.
    pub fn memory_bytes(&self) -> usize {
        let group = |((_, actor, namespace), requests): (&(RuleIndex, String, String), &Requests)| {
            let addresses: usize = requests.addresses.iter().map(|a| a.len() + size_of::<String>()).sum();
            actor.len()
                + namespace.len()
                + addresses
                + requests.subject.as_ref().map_or(0, |(_, subject)| subject.memory_bytes())
                + size_of::<Requests>()
                + requests.by_key.capacity() * 40
        };
        self.groups.iter().map(group).sum()
    }
}

impl Requests {
    fn take(&mut self, request: u64, seen: (Micros, EventId), segment: &Segment) {
        self.by_key.entry(request).and_modify(|known| *known = seen.min(*known)).or_insert(seen);
        let row = seen.1.row();
        if self.subject.as_ref().is_none_or(|(last, _)| seen > *last) {
            self.subject = Some((seen, Subject::of(segment, row)));
        }
        add(&mut self.addresses, segment.string(Field::SourceIp, row));
    }

    /// Leaves the newest ones.
    fn trim(&mut self, limit: usize) {
        let Some(excess) = self.by_key.len().checked_sub(limit).filter(|excess| *excess > 0) else { return };
        let mut all: Vec<(Micros, EventId)> = self.by_key.values().copied().collect();
        let first = all.iter().map(|(time, _)| *time).min().unwrap_or(Micros::MAX);
        let (_, oldest_kept, _) = all.select_nth_unstable(excess);
        let oldest_kept = *oldest_kept;
        self.by_key.retain(|_, seen| *seen >= oldest_kept);
        let (count, known) = self.dropped.unwrap_or((0, first));
        self.dropped = Some((count + excess as u64, first.min(known)));
    }

    fn count(&self) -> u64 {
        self.by_key.len() as u64 + self.dropped.map_or(0, |(count, _)| count)
    }

    fn alert(&self, key: AlertKey, rule: RuleIndex) -> Alert {
        let (_, first_dropped) = self.dropped.unwrap_or((0, Micros::MAX));
        let nothing = (first_dropped, EventId::new(0, 0));
        let first = self.by_key.values().min().unwrap_or(&nothing).0;
        let newest = self.by_key.values().max().unwrap_or(&nothing);
        Alert {
            key,
            rule,
            first: first.min(first_dropped),
            last: newest.0,
            count: self.count(),
            newest: newest.1,
            subject: self.subject.as_ref().map(|(_, subject)| subject.clone()).unwrap_or_default(),
            addresses: self.addresses.clone(),
            findings: Vec::new(),
            is_provisional: false,
        }
    }
}

impl Alert {
    fn of(finding: &Finding, key: AlertKey, store: &Store, loaded_from: Option<Micros>) -> Alert {
        let mut alert = Alert {
            key,
            rule: finding.rule,
            first: finding.first,
            last: Micros::MIN,
            count: 0,
            newest: EventId::new(0, 0),
            subject: Subject::default(),
            addresses: BTreeSet::new(),
            findings: Vec::new(),
            is_provisional: true,
        };
        alert.join(finding, store, loaded_from);
        alert
    }

    fn join(&mut self, finding: &Finding, store: &Store, loaded_from: Option<Micros>) {
        self.first = self.first.min(finding.first);
        if finding.last > self.last
            && let Some(newest) = finding.events.last()
        {
            self.newest = *newest;
            self.subject = store.segment(*newest).map_or_else(
                || Subject::of_group(&finding.group),
                |segment| Subject::of(segment, newest.row()),
            );
        }
        self.last = self.last.max(finding.last);
        self.count += if finding.is_tally { finding.count } else { 1 };
        for event in &finding.events {
            if let Some(segment) = store.segment(*event) {
                add(&mut self.addresses, segment.string(Field::SourceIp, event.row()));
            }
        }
        let still_open = |since: Micros| loaded_from.is_some_and(|from| since < from);
        self.is_provisional &= finding.sure_since.is_some_and(still_open);
        self.findings.push(finding.clone());
    }
}

/// Adds a value unless it is empty, and keeps the first in order of those that are too many.
fn add(values: &mut BTreeSet<String>, value: &str) {
    if value.is_empty() || values.contains(value) {
        return;
    }
    if values.len() < MOST_VALUES {
        values.insert(value.to_owned());
    } else if values.last().is_some_and(|last| value < last.as_str()) {
        values.insert(value.to_owned());
        values.pop_last();
    }
}

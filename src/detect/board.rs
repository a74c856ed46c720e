//! Everything that detection knows of the one store: what was hit where, what correlates, the alerts of both. It keeps
//! up with a store as segments come, grow and go; whoever owns the store calls [`AlertBoard::update`] after data and
//! [`AlertBoard::refresh`] before it shows something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::alert::{Alert, Alerts};
use super::correlator::{Correlator, Finding};
use super::engine::{Engine, Hit};
use super::rule::{RuleIndex, RuleInfo, Severity};
use super::state;
use crate::identity::Identities;
use crate::model::{EventId, Micros};
use crate::query::{AlertRule, Alerted};
use crate::store::{Bitset, RuleHit, Store};

/// The alerts of a store.
#[derive(Debug)]
pub struct AlertBoard {
    engine: Arc<Engine>,
    correlator: Correlator,
    alerts: Alerts,
    /// Of each segment that is held, how many of its hits were taken in.
    taken: HashMap<u32, usize>,
    /// Of each segment that is held, its hits.
    hits: BTreeMap<u32, Arc<Vec<RuleHit>>>,
    findings: Vec<Finding>,
    /// What rules with state found.
    of_state: Vec<Finding>,
    /// The events that correlations found something by.
    members: BTreeSet<(EventId, RuleIndex)>,
    list: Vec<Alert>,
    is_stale: bool,
    loaded_from: Option<Micros>,
}

impl AlertBoard {
    /// Nothing found yet by the rules of `engine`.
    pub fn new(engine: Arc<Engine>) -> AlertBoard {
        AlertBoard {
            correlator: Correlator::new(Arc::clone(&engine)),
            alerts: Alerts::new(Arc::clone(&engine)),
            taken: HashMap::new(),
            hits: BTreeMap::new(),
            findings: Vec::new(),
            of_state: Vec::new(),
            members: BTreeSet::new(),
            list: Vec::new(),
            is_stale: true,
            loaded_from: None,
            engine,
        }
    }

    /// The rules.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Takes in what is new in the store. Returns the segments of which these rules have not looked at all rows: they
    /// count once [`Store::set_hits`] brought what [`Engine::look_at`] says of them.
    pub fn update(&mut self, store: &Store) -> Vec<u32> {
        let mut unseen = Vec::new();
        let gone: Vec<u32> =
            self.taken.keys().copied().filter(|number| store.entry(*number).is_none()).collect();
        for number in gone {
            self.taken.remove(&number);
            self.hits.remove(&number);
        }
        for (number, entry) in store.entries() {
            let (segment, hits) = (entry.segment(), entry.hits());
            if !self.engine.has_seen(segment, hits) {
                unseen.push(number);
                if hits.rules != self.engine.number() {
                    continue;
                }
            }
            let taken = self.taken.entry(number).or_default();
            let new = hits.found.get(*taken..).unwrap_or_default();
            if new.is_empty() {
                continue;
            }
            *taken = hits.found.len();
            self.hits.insert(number, Arc::clone(&hits.found));
            let new: Vec<Hit> = new
                .iter()
                .filter(|hit| !entry.dropped().get(hit.row))
                .map(|hit| Hit { row: hit.row, rule: RuleIndex(hit.rule) })
                .collect();
            self.correlator.take(number, segment, &new);
            self.alerts.take(number, segment, &new);
            self.is_stale = true;
        }
        unseen
    }

    /// Works out what the rules with state find, from an index of identities that has taken in the store.
    pub fn observe(&mut self, store: &Store, identities: &Identities) {
        let now = state::findings(&self.engine, identities, store);
        let now = state::remembered(&self.of_state, now, store);
        if now != self.of_state {
            self.of_state = now;
            self.is_stale = true;
        }
    }

    /// Works out what correlates and lists the alerts, where something came since the last time. `loaded_from` is the
    /// moment before which history is still to come, if any is. Returns whether anything changed.
    pub fn refresh(&mut self, store: &Store, loaded_from: Option<Micros>) -> bool {
        if !self.is_stale && self.loaded_from == loaded_from {
            return false;
        }
        self.is_stale = false;
        self.loaded_from = loaded_from;
        self.findings = self.correlator.findings();
        self.findings.extend_from_slice(&self.of_state);
        self.members = self
            .findings
            .iter()
            .filter(|finding| self.engine.rule(finding.rule).tells_findings())
            .flat_map(|finding| finding.events.iter().map(|event| (*event, finding.rule)))
            .collect();
        self.list = self.alerts.with(&self.findings, store, loaded_from);
        true
    }

    /// All alerts and activity as of the last [`AlertBoard::refresh`], by rule, actor and namespace.
    pub fn list(&self) -> &[Alert] {
        &self.list
    }

    /// What correlates, as of the last [`AlertBoard::refresh`], by rule and group and time.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How bad an alert is.
    pub fn severity(&self, alert: &Alert) -> Severity {
        self.engine.rule(alert.rule).severity
    }

    /// The events of an alert in the order of time.
    pub fn events(&self, alert: &Alert) -> Vec<EventId> {
        self.alerts.events(alert)
    }

    /// The hits of each segment that is held.
    pub fn hits(&self) -> &BTreeMap<u32, Arc<Vec<RuleHit>>> {
        &self.hits
    }

    /// The events that correlations found something by, and which one.
    pub fn members(&self) -> &BTreeSet<(EventId, RuleIndex)> {
        &self.members
    }

    /// The rules and correlations that an event has a part in, the worst first.
    pub fn rules_of(&self, event: EventId) -> Vec<RuleIndex> {
        let mut rules: Vec<RuleIndex> = Vec::new();
        if let Some(hits) = self.hits.get(&event.segment()) {
            let from = hits.partition_point(|hit| hit.row < event.row());
            let of_row = hits[from..].iter().take_while(|hit| hit.row == event.row());
            let told = of_row.map(|hit| RuleIndex(hit.rule));
            rules.extend(told.filter(|rule| !self.engine.rule(*rule).feeds_only));
        }
        let all = (event, RuleIndex(0))..=(event, RuleIndex(u32::MAX));
        rules.extend(self.members.range(all).map(|(_, rule)| *rule));
        rules.sort_by_key(|rule| (std::cmp::Reverse(self.engine.rule(*rule).severity), *rule));
        rules.dedup();
        rules
    }

    /// How bad the worst alert is that an event has a part in; `None` where there is no alert but at most activity.
    pub fn severity_of(&self, event: EventId) -> Option<Severity> {
        let worst = self.rules_of(event).into_iter().map(|rule| self.engine.rule(rule).severity).next();
        worst.filter(|severity| severity.is_alert())
    }

    /// The rows of a segment of `rows` rows that have a part in an alert.
    pub fn alerted(&self, number: u32, rows: u32) -> Bitset {
        let mut found = Bitset::none(rows);
        let is_alert = |rule: RuleIndex| self.engine.rule(rule).severity.is_alert();
        let is_told = |rule: RuleIndex| !self.engine.rule(rule).feeds_only;
        for hit in self.hits.get(&number).into_iter().flat_map(|hits| hits.iter()) {
            let rule = RuleIndex(hit.rule);
            if hit.row < rows && is_told(rule) && is_alert(rule) {
                found.set(hit.row, true);
            }
        }
        let all = (EventId::new(number, 0), RuleIndex(0))..;
        let members = self.members.range(all).take_while(|(event, _)| event.segment() == number);
        for (event, rule) in members {
            if event.row() < rows && is_alert(*rule) {
                found.set(event.row(), true);
            }
        }
        found
    }

    /// What filters need to know of it.
    pub fn for_filters(&self) -> Alerted {
        let rule = |rule: &RuleInfo| AlertRule {
            id: rule.id.clone(),
            title: rule.title.clone(),
            file: rule.stem(),
            techniques: rule.techniques().collect(),
            severity: rule.severity as usize,
            is_told: !rule.feeds_only,
        };
        Alerted {
            rules: self.engine.rules().iter().map(rule).collect(),
            hits: self.hits.clone(),
            members: self.members.iter().map(|(event, rule)| (*event, rule.0)).collect(),
        }
    }

    /// Alerts, and activity, of which there were too many different ones: hits that are not counted.
    pub fn left_out(&self) -> u64 {
        self.alerts.left_out()
    }

    /// Events that correlations forgot because there were too many: what they had a part in may be missing.
    pub fn forgotten(&self) -> u64 {
        self.correlator.forgotten()
    }

    /// Bytes held on the heap, about.
    pub fn memory_bytes(&self) -> usize {
        self.alerts.memory_bytes() + self.correlator.memory_bytes() + self.members.len() * 24
    }
}

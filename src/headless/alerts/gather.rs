//! What is kept of matches while logs are read: counts by rule, actor and namespace, and of each of these the newest
//! requests with why the last one matched. It depends on the set of matches alone, not on the order in which they come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::told::{Reason, Told, ToldFinding};
use crate::detect::{
    Alert, AlertBoard, Alerts, Engine, Finding, Hit, LoadedRules, RuleIndex, Severity, Subject,
};
use crate::model::{EventId, Micros};
use crate::store::{Bitset, Entry, Field, Segment, Store};

/// auditIDs told of an alert, the newest.
pub(super) const MOST_IDS: usize = 20;

/// Events of dropped segments that correlations may still name.
const MOST_GONE: usize = 200_000;

/// Rule, actor and namespace, as alerts are grouped.
type Group = (RuleIndex, String, String);

/// What is told of a group beside its counts.
#[derive(Default)]
struct Evidence {
    /// When each request was seen last, by auditID: the newest, and as many again before they are trimmed.
    seen: BTreeMap<String, Micros>,
    /// The last record of any: when, which, what it was about, why it matched.
    newest: Option<(Micros, String)>,
    subject: Subject,
    why: Vec<Reason>,
}

impl Evidence {
    fn add(&mut self, audit_id: String, time: Micros) {
        if audit_id.is_empty() {
            return;
        }
        let seen = self.seen.entry(audit_id).or_insert(time);
        *seen = time.max(*seen);
        if self.seen.len() > MOST_IDS * 2 {
            let kept: BTreeMap<String, Micros> = newest_first(&self.seen).take(MOST_IDS).collect();
            self.seen = kept;
        }
    }
}

fn newest_first(seen: &BTreeMap<String, Micros>) -> impl Iterator<Item = (String, Micros)> {
    let mut ids: Vec<(&String, &Micros)> = seen.iter().collect();
    ids.sort_by_key(|(id, time)| (Reverse(**time), *id));
    ids.into_iter().map(|(id, time)| (id.clone(), *time))
}

/// Matches that count.
pub(super) struct Gathered {
    engine: Arc<Engine>,
    least: Severity,
    alerts: Alerts,
    evidence: HashMap<Group, Evidence>,
    /// Of each segment that is held, how many of its matches were taken in.
    taken: HashMap<u32, usize>,
    /// Of each segment that is held, the rows that count; absent where all do.
    chosen: HashMap<u32, Bitset>,
    /// auditIDs of dropped events that correlations may name, and whether they count.
    gone: HashMap<EventId, (String, bool)>,
    /// By rule, whether correlations are made of its matches.
    feeds: Vec<bool>,
}

impl Gathered {
    pub(super) fn new(rules: &LoadedRules, least: Severity) -> Gathered {
        let engine = Arc::clone(&rules.engine);
        let mut feeds = vec![false; engine.rules().len()];
        for at in 0..feeds.len() as u32 {
            let rule = RuleIndex(at);
            let info = engine.rule(rule);
            if info.is_correlation || info.feeds_only {
                engine.fed_by(rule).into_iter().for_each(|fed| feeds[fed.0 as usize] = true);
            }
        }
        Gathered {
            least,
            alerts: Alerts::new(Arc::clone(&engine)),
            evidence: HashMap::new(),
            taken: HashMap::new(),
            chosen: HashMap::new(),
            gone: HashMap::new(),
            feeds,
            engine,
        }
    }

    /// Whether a segment has matches that were not taken in.
    pub(super) fn is_behind(&self, number: u32, entry: &Entry) -> bool {
        self.taken.get(&number).copied().unwrap_or(0) < entry.hits().found.len()
    }

    /// Takes in the new matches of a segment, of which the rows in `chosen` count; all without it.
    pub(super) fn take(&mut self, number: u32, entry: &Entry, chosen: Option<Bitset>) {
        let taken = self.taken.entry(number).or_default();
        let new = entry.hits().found.get(*taken..).unwrap_or_default();
        *taken = entry.hits().found.len();
        let counts =
            |row: u32| !entry.dropped().get(row) && chosen.as_ref().is_none_or(|chosen| chosen.get(row));
        let hits: Vec<Hit> = new
            .iter()
            .filter(|hit| counts(hit.row))
            .map(|hit| Hit { row: hit.row, rule: RuleIndex(hit.rule) })
            .filter(|hit| self.engine.rule(hit.rule).severity >= self.least)
            .collect();
        self.alerts.take(number, entry.segment(), &hits);
        self.keep_evidence(entry.segment(), &hits);
        match chosen {
            Some(chosen) => self.chosen.insert(number, chosen),
            None => self.chosen.remove(&number),
        };
    }

    fn keep_evidence(&mut self, segment: &Segment, hits: &[Hit]) {
        let mut latest: HashMap<&Group, u32> = HashMap::new();
        let groups: Vec<(Group, u32)> = hits
            .iter()
            .filter(|hit| !self.engine.rule(hit.rule).feeds_only)
            .map(|hit| {
                let text = |field| segment.string(field, hit.row).to_owned();
                ((hit.rule, text(Field::User), text(Field::Namespace)), hit.row)
            })
            .collect();
        for (group, row) in &groups {
            let (time, audit_id) = (segment.stage_time(*row), segment.audit_id(*row));
            let evidence = self.evidence.entry(group.clone()).or_default();
            evidence.add(audit_id.clone(), time);
            let newest = (time, audit_id);
            if evidence.newest.as_ref().is_none_or(|known| newest > *known) {
                evidence.newest = Some(newest);
                latest.insert(group, *row);
            }
        }
        // Only now: reading why costs the text of a record.
        for (group, row) in latest {
            let Some(evidence) = self.evidence.get_mut(group) else { continue };
            evidence.subject = Subject::of(segment, row);
            evidence.why = reasons(&self.engine, group.0, None, segment, row);
        }
    }

    /// Keeps what correlations may still name of a segment that is dropped.
    pub(super) fn leave(&mut self, number: u32, entry: &Entry) {
        let chosen = self.chosen.remove(&number);
        self.taken.remove(&number);
        for hit in entry.hits().found.iter().filter(|hit| self.feeds[hit.rule as usize]) {
            if self.gone.len() >= MOST_GONE {
                return;
            }
            let counts = chosen.as_ref().is_none_or(|chosen| chosen.get(hit.row));
            let audit_id = entry.segment().audit_id(hit.row);
            self.gone.insert(EventId::new(number, hit.row), (audit_id, counts));
        }
    }

    /// The alerts as they are told, in no order.
    pub(super) fn told(&self, board: &AlertBoard, store: &Store) -> Vec<Told> {
        let findings: Vec<Finding> = board
            .findings()
            .iter()
            .filter(|finding| self.engine.rule(finding.rule).severity >= self.least)
            .filter(|finding| finding.events.iter().any(|event| self.counts(*event)))
            .cloned()
            .collect();
        let alerts = self.alerts.with(&findings, store, None);
        alerts.into_iter().map(|alert| self.tell(alert, store)).collect()
    }

    fn counts(&self, event: EventId) -> bool {
        match (self.gone.get(&event), self.chosen.get(&event.segment())) {
            (Some((_, counts)), _) => *counts,
            (None, Some(chosen)) => chosen.get(event.row()),
            (None, None) => true,
        }
    }

    fn tell(&self, mut alert: Alert, store: &Store) -> Told {
        let info = self.engine.rule(alert.rule).clone();
        if !alert.findings.is_empty() {
            let findings: Vec<ToldFinding> =
                alert.findings.iter().map(|finding| self.tell_finding(finding, store)).collect();
            let mut seen: BTreeMap<String, Micros> = BTreeMap::new();
            let events: BTreeSet<EventId> =
                alert.findings.iter().flat_map(|finding| &finding.events).copied().collect();
            for (audit_id, time) in events.iter().filter_map(|event| self.audit_id(*event, store)) {
                let known = seen.entry(audit_id).or_insert(time);
                *known = time.max(*known);
            }
            let why = self.why_correlated(&alert, store);
            let audit_ids = newest_first(&seen).take(MOST_IDS).map(|(id, _)| id).collect();
            return Told {
                requests: seen.len() as u64,
                severity: info.severity,
                info,
                audit_ids,
                why,
                findings,
                alert,
            };
        }
        let group = (alert.rule, alert.key.actor.clone(), alert.key.namespace.clone());
        let evidence = self.evidence.get(&group);
        if let Some(evidence) = evidence {
            alert.subject = evidence.subject.clone();
        }
        Told {
            requests: alert.count,
            severity: info.severity,
            info,
            audit_ids: evidence
                .map(|evidence| newest_first(&evidence.seen).take(MOST_IDS).map(|(id, _)| id).collect())
                .unwrap_or_default(),
            why: evidence.map(|evidence| evidence.why.clone()).unwrap_or_default(),
            findings: Vec::new(),
            alert,
        }
    }

    fn tell_finding(&self, finding: &Finding, store: &Store) -> ToldFinding {
        let mut audit_ids: Vec<String> = Vec::new();
        for (audit_id, _) in finding.events.iter().rev().filter_map(|event| self.audit_id(*event, store)) {
            if !audit_ids.contains(&audit_id) && audit_ids.len() < MOST_IDS {
                audit_ids.push(audit_id);
            }
        }
        ToldFinding {
            group: finding.group.clone(),
            first: finding.first,
            last: finding.last,
            reached: finding.reached,
            count: finding.count,
            audit_ids,
        }
    }

    /// The auditID of an event, and when it was; of one that was dropped long ago, as long ago as can be.
    fn audit_id(&self, event: EventId, store: &Store) -> Option<(String, Micros)> {
        let found = match store.segment(event) {
            Some(segment) => (segment.audit_id(event.row()), segment.stage_time(event.row())),
            None => (self.gone.get(&event)?.0.clone(), Micros::MIN),
        };
        (!found.0.is_empty()).then_some(found)
    }

    /// Why the newest event of a correlation was one, by each of the rules behind it.
    fn why_correlated(&self, alert: &Alert, store: &Store) -> Vec<Reason> {
        let Some(segment) = store.segment(alert.newest) else { return Vec::new() };
        let behind = self.engine.fed_by(alert.rule).into_iter();
        behind
            .flat_map(|rule| {
                let title = (rule != alert.rule).then(|| self.engine.rule(rule).title.clone());
                reasons(&self.engine, rule, title, segment, alert.newest.row())
            })
            .collect()
    }
}

fn reasons(
    engine: &Engine,
    rule: RuleIndex,
    title: Option<String>,
    segment: &Segment,
    row: u32,
) -> Vec<Reason> {
    let found = engine.explain(rule, segment, row).into_iter();
    found.map(|why| Reason { rule: title.clone(), why }).collect()
}

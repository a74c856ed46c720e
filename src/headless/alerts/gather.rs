//! What is kept of matches while logs are read: counts by rule, actor and namespace, and of each of these the newest
//! requests with why the last one matched. It depends on the set of matches alone, not on the order in which they come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::detect::{
    Alert, AlertBoard, Alerts, Engine, Finding, Hit, LoadedRules, MOST_AUDIT_IDS, Reason, RuleIndex,
    Severity, Subject, ToldAlert, held_audit_id, newest_audit_ids, reasons,
};
use crate::model::{EventId, Micros};
use crate::store::{Bitset, Entry, Field, Segment, Store};

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
        if self.seen.len() > MOST_AUDIT_IDS * 2 {
            self.seen = newest_audit_ids(&self.seen).into_iter().collect();
        }
    }
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
    /// Rules that were met and are less grave than what is listed.
    below: BTreeSet<RuleIndex>,
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
            below: BTreeSet::new(),
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
        let (hits, below): (Vec<Hit>, Vec<Hit>) = new
            .iter()
            .filter(|hit| counts(hit.row))
            .map(|hit| Hit { row: hit.row, rule: RuleIndex(hit.rule) })
            .partition(|hit| self.engine.rule(hit.rule).severity >= self.least);
        let below = below.into_iter().map(|hit| hit.rule).filter(|rule| self.engine.rule(*rule).is_told());
        self.below.extend(below);
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
            evidence.why = reasons(&self.engine, group.0, segment, row);
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

    /// How many kinds of less grave matches there were.
    pub(super) fn kinds_below(&self) -> usize {
        self.below.len()
    }

    /// The alerts as they are told, in no order.
    pub(super) fn told(&self, board: &AlertBoard, store: &Store) -> Vec<ToldAlert> {
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

    fn tell(&self, mut alert: Alert, store: &Store) -> ToldAlert {
        if !alert.findings.is_empty() {
            return ToldAlert::of_correlation(&self.engine, store, alert, &|event| {
                self.audit_id(event, store)
            });
        }
        let group = (alert.rule, alert.key.actor.clone(), alert.key.namespace.clone());
        let evidence = self.evidence.get(&group);
        if let Some(evidence) = evidence {
            alert.subject = evidence.subject.clone();
        }
        let newest = evidence.map(|evidence| newest_audit_ids(&evidence.seen)).unwrap_or_default();
        ToldAlert {
            info: self.engine.rule(alert.rule).clone(),
            requests: alert.count,
            audit_ids: newest.into_iter().map(|(id, _)| id).collect(),
            why: evidence.map(|evidence| evidence.why.clone()).unwrap_or_default(),
            findings: Vec::new(),
            alert,
        }
    }

    /// The auditID of an event, and when it was; of one that was dropped long ago, as long ago as can be.
    fn audit_id(&self, event: EventId, store: &Store) -> Option<(String, Micros)> {
        if store.segment(event).is_some() {
            return held_audit_id(store, event);
        }
        let (audit_id, _) = self.gone.get(&event)?;
        (!audit_id.is_empty()).then(|| (audit_id.clone(), Micros::MIN))
    }
}

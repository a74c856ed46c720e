//! Whether a rule can fire at all on the log that is held. Silence means something only where it could have been broken:
//! an audit policy that keeps no bodies, no reads or no annotations makes rules blind without an error.
//!
//! A rule's condition is tried on every kind of request that was recorded (verb, resource, subresource, level), with
//! everything else left open. What no kind can meet is told with the reason.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::compile::{Compiled, Expr, Test};
use super::correlation::{Condition, Correlation};
use super::engine::Engine;
use super::field::{Fact, Source};
use super::item::{Check, Item};
use super::matcher::Leaf;
use super::rule::RuleIndex;
use crate::model::{Decision, Level, LogKind, Stage};
use crate::store::{Field, Store};

/// Words of a rule that are told of a kind of request, at most.
const MOST_WORDS: usize = 3;

/// Whether a rule can fire on what is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Requests of its kind are recorded with all that it looks at.
    CanFire,
    /// Nothing was read.
    NoRecords,
    /// Nothing was read of the log that it is about.
    NeedsLog {
        /// That log.
        log: LogKind,
    },
    /// Requests of its kind are recorded, but not with their bodies.
    NeedsLevel {
        /// The least level that would do.
        level: Level,
        /// Verb and resource that it is about, the most frequent.
        request: String,
        /// The highest level of such requests.
        seen: Level,
    },
    /// No record has a field that it looks at.
    NeverSeen {
        /// The field as the rule writes it.
        field: String,
    },
    /// No request of its kind is recorded: nobody made one, or the audit policy leaves them out.
    NoSuchRequest {
        /// Verbs and resources that it is about, as the rule writes them.
        request: String,
    },
}

impl Readiness {
    /// Whether it can fire.
    pub fn is_ready(&self) -> bool {
        *self == Readiness::CanFire
    }

    /// Whether the log tells too little of requests that it does record.
    pub fn is_blind(&self) -> bool {
        matches!(self, Readiness::NeedsLevel { .. } | Readiness::NeverSeen { .. })
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Readiness::CanFire => f.write_str("can fire"),
            Readiness::NoRecords => f.write_str("nothing was read"),
            Readiness::NeedsLog { log } => write!(f, "needs {}'s log", log.title()),
            Readiness::NeedsLevel { level, request, seen } => {
                write!(f, "needs level {level} for {request}, seen only at {seen}")
            }
            Readiness::NeverSeen { field } => write!(f, "no record has {field}"),
            Readiness::NoSuchRequest { request } => write!(f, "no {request} in this log"),
        }
    }
}

/// Whether a rule can fire and what narrows it, itself or what it correlates: one that was muted is silent as well.
pub fn state_in_words(engine: &Engine, rule: RuleIndex, ready: &Readiness) -> String {
    let mut filters: Vec<&str> = engine.rule(rule).filters.iter().map(String::as_str).collect();
    for behind in engine.fed_by(rule) {
        filters.extend(engine.rule(behind).filters.iter().map(String::as_str));
    }
    let mut told = BTreeSet::new();
    filters.retain(|filter| told.insert(*filter));
    match (ready, filters.as_slice()) {
        (_, []) => ready.to_string(),
        (Readiness::CanFire, filters) => format!("narrowed by {}", filters.join(", ")),
        (ready, filters) => format!("{ready}; narrowed by {}", filters.join(", ")),
    }
}

/// How many of the rules the log tells too little for, and of what; `None` when there is no such rule.
pub fn blind_in_words(ready: &[Readiness]) -> Option<String> {
    let count = |is: fn(&Readiness) -> bool| ready.iter().filter(|ready| is(ready)).count();
    let by_level = count(|ready| matches!(ready, Readiness::NeedsLevel { .. }));
    let by_field = count(|ready| matches!(ready, Readiness::NeverSeen { .. }));
    let of = format!("of {} rules", ready.len());
    let field = "since no record has a field that they look at";
    match (by_level, by_field) {
        (0, 0) => None,
        (0, by_field) => Some(format!("{by_field} {of} cannot fire, {field}")),
        (by_level, 0) => Some(format!("{by_level} {of} cannot fire at the audit levels of this log")),
        (by_level, by_field) => Some(format!(
            "{by_level} {of} cannot fire at the audit levels of this log, and {by_field} {field}"
        )),
    }
}

/// Whether each rule can fire on what is held, by [`super::RuleIndex`]. One pass over the columns.
pub fn readiness(engine: &Engine, store: &Store) -> Vec<Readiness> {
    let seen = Seen::of(store);
    let mut all: Vec<Readiness> = engine
        .rules
        .iter()
        .zip(&engine.infos)
        .map(|(rule, info)| match rule {
            _ if seen.kinds.is_empty() => Readiness::NoRecords,
            _ if !seen.kinds.keys().any(|kind| kind.log == info.log) => Readiness::NeedsLog { log: info.log },
            Some(rule) => Asking { engine, seen: &seen, rule, log: info.log }.answer(),
            None => Readiness::CanFire,
        })
        .collect();
    // A correlation stands behind those that it correlates.
    for correlation in engine.correlations.iter().filter(|c| !c.inputs.contains(&c.rule)) {
        all[correlation.rule.0 as usize] = of_correlation(correlation, &all);
    }
    all
}

fn of_correlation(correlation: &Correlation, all: &[Readiness]) -> Readiness {
    let inputs: Vec<&Readiness> = correlation.inputs.iter().map(|rule| &all[rule.0 as usize]).collect();
    let is_ready = |input: &usize| inputs.get(*input).is_some_and(|ready| ready.is_ready());
    let can_fire = match &correlation.condition {
        Condition::InOrder => inputs.iter().all(|ready| ready.is_ready()),
        Condition::Together(expr) => expr.holds(&[], &mut |input| is_ready(input)),
        _ => inputs.iter().any(|ready| ready.is_ready()),
    };
    let lacking = inputs.into_iter().find(|ready| !ready.is_ready());
    match lacking.filter(|_| !can_fire) {
        Some(lacking) => lacking.clone(),
        None => Readiness::CanFire,
    }
}

/// A kind of request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind {
    log: LogKind,
    verb: String,
    resource: String,
    subresource: String,
    level: Level,
}

impl Kind {
    fn request(&self) -> String {
        match (self.resource.as_str(), self.subresource.as_str()) {
            ("", _) => format!("{} of paths", self.verb),
            (resource, "") => format!("{} {resource}", self.verb),
            (resource, subresource) => format!("{} {resource}/{subresource}", self.verb),
        }
    }
}

/// What is held, as far as it matters to whether a rule can fire.
struct Seen {
    /// How often each kind of request was answered.
    kinds: BTreeMap<Kind, u64>,
    /// By log and column, whether any record has something in it. A segment with lines of several logs counts for each.
    columns: [[bool; Field::COUNT]; LogKind::ALL.len()],
    has_decision: bool,
}

impl Seen {
    fn of(store: &Store) -> Seen {
        let columns = [[false; Field::COUNT]; LogKind::ALL.len()];
        let mut seen = Seen { kinds: BTreeMap::new(), columns, has_decision: false };
        for (_, entry) in store.entries() {
            let segment = entry.segment();
            let mut counts: HashMap<_, u64> = HashMap::new();
            for row in 0..segment.rows() {
                let facts = segment.facts(row);
                if facts.stage() == Stage::RequestReceived {
                    continue;
                }
                seen.has_decision |= facts.decision() != Decision::Absent;
                let symbol = |field| segment.symbol(field, row);
                let key = (
                    symbol(Field::Verb),
                    symbol(Field::Resource),
                    symbol(Field::Subresource),
                    facts.level() as u8,
                    facts.log() as u8,
                );
                *counts.entry(key).or_default() += 1;
            }
            let text = |field, symbol| segment.column(field).dictionary.get(symbol).to_owned();
            let mut logs = [false; LogKind::ALL.len()];
            for ((verb, resource, subresource, level, log), count) in counts {
                logs[usize::from(log)] = true;
                let kind = Kind {
                    log: LogKind::from_u8(log),
                    verb: text(Field::Verb, verb),
                    resource: text(Field::Resource, resource),
                    subresource: text(Field::Subresource, subresource),
                    level: Level::from_u8(level),
                };
                *seen.kinds.entry(kind).or_default() += count;
            }
            let has_text = Field::ALL
                .map(|field| segment.column(field).dictionary.iter().any(|(_, text)| !text.is_empty()));
            for (columns, _) in seen.columns.iter_mut().zip(logs).filter(|(_, is_there)| *is_there) {
                columns.iter_mut().zip(has_text).for_each(|(known, has_text)| *known |= has_text);
            }
        }
        seen
    }
}

/// What is taken as given although the log does not hold it.
#[derive(Clone, Copy, Default)]
struct Given {
    /// Bodies up to this level are recorded.
    bodies: Option<Level>,
    /// Every column has something in it.
    columns: bool,
}

/// Whether something holds for requests of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Never,
    Perhaps,
    Always,
}

impl Answer {
    fn of(holds: bool) -> Answer {
        if holds { Answer::Always } else { Answer::Never }
    }
}

/// One rule, tried on what was seen.
struct Asking<'a> {
    engine: &'a Engine,
    seen: &'a Seen,
    rule: &'a Compiled<usize>,
    log: LogKind,
}

impl Asking<'_> {
    fn answer(&self) -> Readiness {
        if self.possible(Given::default()).next().is_some() {
            return Readiness::CanFire;
        }
        let bodies = [Level::Request, Level::RequestResponse];
        for columns in [false, true] {
            if columns && self.possible(Given { bodies: None, columns }).next().is_some() {
                return Readiness::NeverSeen { field: self.absent_field().unwrap_or_default() };
            }
            for level in bodies {
                if let Some(lacking) = self.lacking(Given { bodies: Some(level), columns }, level) {
                    return lacking;
                }
            }
        }
        Readiness::NoSuchRequest { request: self.wanted_request() }
    }

    /// What would meet the rule if its bodies were recorded.
    fn lacking(&self, given: Given, level: Level) -> Option<Readiness> {
        let kinds: Vec<(&Kind, u64)> = self.possible(given).collect();
        let (most, _) = kinds.iter().max_by_key(|(_, count)| *count)?;
        let seen = kinds.iter().map(|(kind, _)| kind.level).max().unwrap_or_default();
        Some(Readiness::NeedsLevel { level, request: most.request(), seen })
    }

    fn possible(&self, given: Given) -> impl Iterator<Item = (&Kind, u64)> {
        let kinds = self.seen.kinds.iter().map(|(kind, count)| (kind, *count));
        let kinds = kinds.filter(|(kind, _)| kind.log == self.log);
        kinds.filter(move |(kind, _)| self.try_on(&self.rule.condition, kind, given) != Answer::Never)
    }

    fn try_on(&self, expr: &Expr<usize>, kind: &Kind, given: Given) -> Answer {
        let each = |parts: &[Expr<usize>]| -> Vec<Answer> {
            parts.iter().map(|part| self.try_on(part, kind, given)).collect()
        };
        let at_least = |least: usize, answers: Vec<Answer>| {
            let count = |wanted: fn(&Answer) -> bool| answers.iter().filter(|answer| wanted(answer)).count();
            match () {
                () if count(|answer| *answer == Answer::Always) >= least => Answer::Always,
                () if count(|answer| *answer != Answer::Never) >= least => Answer::Perhaps,
                () => Answer::Never,
            }
        };
        match expr {
            Expr::All(parts) => at_least(parts.len(), each(parts)),
            Expr::Any(parts) => at_least(1, each(parts)),
            Expr::Some(least, parts) => at_least(*least, each(parts)),
            Expr::Not(part) => match self.try_on(part, kind, given) {
                Answer::Never => Answer::Always,
                Answer::Perhaps => Answer::Perhaps,
                Answer::Always => Answer::Never,
            },
            Expr::Selection(at) => match self.rule.selections.get(*at) {
                Some((_, expr)) => self.try_on(expr, kind, given),
                None => Answer::Never,
            },
            Expr::Test(test) => self.test_on(&self.engine.tests[*test], kind, given),
        }
    }

    fn test_on(&self, test: &Test, kind: &Kind, given: Given) -> Answer {
        let item = match test {
            Test::Item(item) => item,
            Test::Block(block) if is_recorded(&block.source, kind.level, given) => return Answer::Perhaps,
            Test::Block(block) => {
                use rsigma_parser::ArrayQuantifier::{AllOrEmpty, None as NoneOf};
                return Answer::of(matches!(block.quantifier, AllOrEmpty | NoneOf));
            }
            Test::Keywords(_) => return Answer::Perhaps,
        };
        let absent = || Answer::of(item.holds(&[], &|_, _| false));
        let of_kind =
            |text: &str, view: &super::field::View| Answer::of(item.holds(&view.leaves(text), &|_, _| false));
        match &item.source {
            Source::Column(Field::Verb, view, _) if item.is_alone() => of_kind(&kind.verb, view),
            Source::Column(Field::Resource, view, _) if item.is_alone() => of_kind(&kind.resource, view),
            Source::Column(Field::Subresource, view, _) if item.is_alone() => {
                of_kind(&kind.subresource, view)
            }
            Source::Column(field, ..) if !self.has_text(*field) && !given.columns => absent(),
            Source::Fact(Fact::Decision, _) if !self.seen.has_decision && !given.columns => absent(),
            Source::Fact(Fact::Level, _) if item.is_alone() && kind.level != Level::Unknown => {
                Answer::of(item.holds(&[Leaf::text(kind.level.name())], &|_, _| false))
            }
            source if !is_recorded(source, kind.level, given) => absent(),
            _ => Answer::Perhaps,
        }
    }

    /// Whether any record of the rule's log has something in a column.
    fn has_text(&self, field: Field) -> bool {
        self.seen.columns[self.log as usize][field as usize]
    }

    /// The first field that the rule asks for and no record has.
    fn absent_field(&self) -> Option<String> {
        let mut found = None;
        self.asked_for(&self.rule.condition, &mut |item| {
            let is_absent = match &item.source {
                Source::Column(field, ..) => !self.has_text(*field),
                Source::Fact(Fact::Decision, _) => !self.seen.has_decision,
                _ => false,
            };
            if is_absent && found.is_none() {
                found = Some(item.name.split('|').next().unwrap_or_default().to_owned());
            }
        });
        found
    }

    /// `create,patch pods/exec`, as far as the rule says.
    fn wanted_request(&self) -> String {
        let mut words: BTreeMap<Field, Vec<String>> = BTreeMap::new();
        self.asked_for(&self.rule.condition, &mut |item| {
            if let (Source::Column(field, ..), Check::Values { wanted, negated: false, .. }) =
                (&item.source, &item.check)
            {
                let known = words.entry(*field).or_default();
                for wanted in wanted.iter().filter(|wanted| !wanted.written.is_empty()) {
                    if !known.contains(&wanted.written) {
                        known.push(wanted.written.clone());
                    }
                }
            }
        });
        let list = |field: Field| -> Option<String> {
            let words = words.get(&field).filter(|words| !words.is_empty())?;
            let more = if words.len() > MOST_WORDS { ", …" } else { "" };
            Some(words[..words.len().min(MOST_WORDS)].join(", ") + more)
        };
        let object = match (list(Field::Resource), list(Field::Subresource)) {
            (Some(resource), Some(subresource)) => Some(format!("{resource}/{subresource}")),
            (resource, subresource) => resource.or(subresource),
        };
        match (list(Field::Verb), object) {
            (Some(verb), Some(object)) => format!("{verb} of {object}"),
            (Some(verb), None) => format!("{verb} of such a kind"),
            (None, Some(object)) => format!("request about {object}"),
            (None, None) => "such request".to_owned(),
        }
    }

    /// The tests that must hold for the rule to match, not those that must not.
    fn asked_for<'t>(&'t self, expr: &'t Expr<usize>, tell: &mut dyn FnMut(&'t Item)) {
        match expr {
            Expr::All(parts) | Expr::Any(parts) | Expr::Some(_, parts) => {
                parts.iter().for_each(|part| self.asked_for(part, tell));
            }
            Expr::Not(_) => {}
            Expr::Selection(at) => {
                if let Some((_, expr)) = self.rule.selections.get(*at) {
                    self.asked_for(expr, tell);
                }
            }
            Expr::Test(test) => {
                if let Test::Item(item) = &self.engine.tests[*test] {
                    tell(item);
                }
            }
        }
    }
}

/// Whether a record of this level may hold a field. What a format that knows no levels holds, only its lines tell.
fn is_recorded(source: &Source, level: Level, given: Given) -> bool {
    let level = level.max(given.bodies.unwrap_or_default());
    match (level, source) {
        (Level::Metadata, source) => !source.is_in_bodies(),
        (Level::Request, source) => !source.is_in_response(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{batch, engine, event, rule};
    use super::*;

    fn ready(detection: &str, events: &[Value]) -> Readiness {
        let mut store = Store::new();
        if !events.is_empty() {
            store.push(batch(events, 0));
        }
        readiness(&engine(&rule(detection)), &store).remove(0)
    }

    fn metadata(changes: Value) -> Value {
        let mut event = event(changes);
        let fields = event.as_object_mut().expect("an object");
        fields.shift_remove("requestObject");
        fields.shift_remove("responseObject");
        event["level"] = json!("Metadata");
        event
    }

    const PRIVILEGED: &str = "selection:\n    objectRef.resource: pods\n    verb: create\n    \
        any_container.securityContext.privileged: true\ncondition: selection";

    #[test]
    fn bodies_need_their_level() {
        assert_eq!(ready(PRIVILEGED, &[]), Readiness::NoRecords);
        assert_eq!(ready(PRIVILEGED, &[event(json!({}))]), Readiness::CanFire);
        let blind = ready(PRIVILEGED, &[metadata(json!({}))]);
        let needs = Readiness::NeedsLevel {
            level: Level::Request,
            request: "create pods".into(),
            seen: Level::Metadata,
        };
        assert_eq!(blind, needs);
        assert!(blind.is_blind() && !blind.is_ready());
        assert_eq!(blind.to_string(), "needs level Request for create pods, seen only at Metadata");
        let answer = "selection:\n    responseObject.kind: Pod\ncondition: selection";
        let request = event(json!({"level": "Request", "responseObject": null}));
        assert!(matches!(
            ready(answer, &[request]),
            Readiness::NeedsLevel { level: Level::RequestResponse, seen: Level::Request, .. }
        ));
        // What is asked for only to be left out makes no rule blind.
        let but = "selection:\n    objectRef.resource: pods\nfilter:\n    requestObject.kind: Pod\n\
            condition: selection and not filter";
        assert_eq!(ready(but, &[metadata(json!({}))]), Readiness::CanFire);
    }

    #[test]
    fn what_nobody_did_and_what_no_record_has_are_told_apart() {
        let exec = "selection:\n    objectRef.resource: pods\n    objectRef.subresource: exec\n    verb: [get, create]\n\
            condition: selection";
        let told = ready(exec, &[event(json!({}))]);
        assert_eq!(told, Readiness::NoSuchRequest { request: "get, create of pods/exec".into() });
        assert!(!told.is_blind());
        assert_eq!(told.to_string(), "no get, create of pods/exec in this log");
        let reason = "selection:\n    annotations.authorization.k8s.io/reason|contains: cluster-admin\n\
            condition: selection";
        let without = event(json!({"annotations": null}));
        assert_eq!(
            ready(reason, std::slice::from_ref(&without)),
            Readiness::NeverSeen { field: "annotations.authorization.k8s.io/reason".into() }
        );
        assert_eq!(ready(reason, &[without, event(json!({}))]), Readiness::CanFire);
    }

    #[test]
    fn a_correlation_is_as_ready_as_its_rules() {
        let text = format!(
            "{}---\ntitle: C\nid: c\ncorrelation:\n  type: event_count\n  rules: [t]\n  group-by: [user.username]\n  \
             timespan: 1h\n  condition: {{gte: 2}}\n",
            rule(PRIVILEGED)
        );
        let mut store = Store::new();
        store.push(batch(&[metadata(json!({}))], 0));
        let told = readiness(&engine(&text), &store);
        assert!(told.len() == 2 && told[0] == told[1] && told[1].is_blind(), "{told:?}");
        store.push(batch(&[event(json!({}))], 0));
        assert!(readiness(&engine(&text), &store)[1].is_ready());
    }
}

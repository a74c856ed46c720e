//! Runs the rules over segments, on whatever thread has one: columns first, the texts of few rows last.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::columns::{Pass, cheapest_first, cost};
use super::compile::{Compiled, Expr, Test};
use super::correlation::Correlation;
use super::row::Rows;
use super::rule::{RuleIndex, RuleInfo};
use crate::identity;
use crate::model::{Decision, Level, LogKind, Stage, gitops_engine, is_gitops_group, is_write_verb};
use crate::query::is_word_of_alerts;
use crate::redact::holds_mark;
use crate::store::{Bitset, Field, Hits, RuleHit, Segment};

/// Engines made so far.
static ENGINES: AtomicU64 = AtomicU64::new(0);

/// A row that a rule matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// Row of the segment.
    pub row: u32,
    /// The rule; never a correlation.
    pub rule: RuleIndex,
}

/// The loaded rules, ready to run. Nothing in it changes, so workers share one.
#[derive(Debug)]
pub struct Engine {
    number: u64,
    pub(super) infos: Vec<RuleInfo>,
    /// By rule; `None` for correlations.
    pub(super) rules: Vec<Option<Compiled<usize>>>,
    /// Each distinct test once, whichever rules ask it.
    pub(super) tests: Vec<Test>,
    pub(super) correlations: Vec<Correlation>,
    /// By rule, whether telling why it matched, or counting what it matched, needs more of an event than its columns.
    reads_text: Vec<bool>,
}

impl Engine {
    /// `rules` by the place of their description in `infos`.
    pub(super) fn new(
        infos: Vec<RuleInfo>,
        rules: Vec<Option<Compiled>>,
        correlations: Vec<Correlation>,
    ) -> Engine {
        let mut tests = Tests::default();
        let mut rules: Vec<Option<Compiled<usize>>> =
            rules.into_iter().map(|rule| rule.map(|rule| tests.number(rule))).collect();
        let tests = tests.tests;
        let costs: Vec<u32> = tests.iter().map(cost).collect();
        let cost = |test: usize| costs.get(test).copied().unwrap_or(0);
        for rule in rules.iter_mut().flatten() {
            let selections: Vec<u32> =
                rule.selections.iter_mut().map(|(_, expr)| cheapest_first(expr, &cost, &[])).collect();
            cheapest_first(&mut rule.condition, &cost, &selections);
        }
        let number = ENGINES.fetch_add(1, Ordering::Relaxed) + 1;
        let asks_text = |rule: &Compiled<usize>| rule.tests().any(|test| tests[*test].reads_text());
        let mut reads_text: Vec<bool> =
            rules.iter().map(|rule| rule.as_ref().is_some_and(asks_text)).collect();
        for rule in correlations.iter().flat_map(Correlation::inputs_by_text) {
            reads_text[rule.0 as usize] = true;
        }
        Engine { number, infos, rules, tests, correlations, reads_text }
    }

    /// Tells it apart from every other engine of this process, from 1: [`Hits::rules`].
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether it has looked at all rows that a segment has now.
    pub fn has_seen(&self, segment: &Segment, hits: &Hits) -> bool {
        hits.rules == self.number && hits.until >= segment.rows()
    }

    /// What the rules match in a whole segment, to be kept beside it.
    pub fn look_at(&self, segment: &Segment) -> Hits {
        let found = self.hits(segment, 0..segment.rows()).into_iter();
        let found = found.map(|hit| RuleHit { row: hit.row, rule: hit.rule.0 }).collect();
        Hits { rules: self.number, until: segment.rows(), found: Arc::new(found) }
    }

    /// As if no rule matched anything in a segment.
    pub fn nothing_found(&self, segment: &Segment) -> Hits {
        Hits { rules: self.number, until: segment.rows(), found: Arc::default() }
    }

    /// The rows of a segment whose original texts are still asked for once [`Self::look_at`] found `hits` in it: to tell
    /// why a rule matched, by rules with state, by the index of credentials that those look into, and to tell which sync a
    /// change contradicts.
    pub fn rows_read_later(&self, segment: &Segment, hits: &Hits) -> Bitset {
        let mut rows = identity::rows_read(segment);
        rows.or(&of_deliveries(segment));
        // What stands in a column in place of a secret is another value than the secret.
        let holds_masks =
            |field: &Field| segment.column(*field).dictionary.iter().any(|(_, text)| holds_mark(text));
        let is_masked = Field::ALL.iter().any(holds_masks);
        // A fact that no column knows may stand in the text in a way of its own.
        let has_unknown_fact = |row: u32| {
            let facts = segment.facts(row);
            segment.code(row) == 0
                || facts.stage() == Stage::Unknown
                || facts.level() == Level::Unknown
                || facts.decision() == Decision::Absent
        };
        let of_texts = hits
            .found
            .iter()
            .filter(|hit| is_masked || self.reads_text[hit.rule as usize] || has_unknown_fact(hit.row));
        of_texts.for_each(|hit| rows.set(hit.row, true));
        let Some(answered) = &answered(segment, 0..segment.rows())[LogKind::Kube as usize] else {
            return rows;
        };
        let mut pass = Pass::new(segment, &self.tests);
        for (at, rule) in self.rules.iter().enumerate() {
            let Some(rule) = rule.as_ref().filter(|_| self.infos[at].state.is_some()) else { continue };
            let verdicts = pass.matches(rule, answered);
            verdicts.unsure().for_each(|row| rows.set(row, true));
            if self.reads_text[at] {
                rows.or(&verdicts.sure);
            }
        }
        rows
    }

    /// Every rule and correlation, by [`RuleIndex`].
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// What a rule is called in a filter: its file where no other rule that is told is in one of that name, else its id.
    pub fn called(&self, rule: RuleIndex) -> String {
        let info = self.rule(rule);
        let stem = info.stem();
        let of_name = self.infos.iter().filter(|other| other.is_told() && other.stem() == stem).count();
        if of_name == 1 && info.is_told() && !is_word_of_alerts(&stem) { stem } else { info.id.clone() }
    }

    /// A rule's description.
    ///
    /// # Panics
    /// When the index is another engine's.
    pub fn rule(&self, rule: RuleIndex) -> &RuleInfo {
        &self.infos[rule.0 as usize]
    }

    /// What the rules match among `rows` of a segment, by row and rule.
    ///
    /// A rule looks at the records of the log that it is written for ([`RuleInfo::log`]). Only answers count: a record of
    /// stage RequestReceived tells what was asked, not what became of it. A request with two answers (an `exec` that
    /// started and ended) may hit twice; the correlator and the alerts count it once.
    pub fn hits(&self, segment: &Segment, rows: Range<u32>) -> Vec<Hit> {
        let answered = answered(segment, rows);
        let mut hits = Vec::new();
        if answered.iter().all(Option::is_none) {
            return hits;
        }
        let mut unsure = Vec::new();
        let mut pass = Pass::new(segment, &self.tests);
        for (at, rule) in self.rules.iter().enumerate() {
            let Some(rule) = rule.as_ref().filter(|_| self.infos[at].state.is_none()) else { continue };
            let Some(answered) = &answered[self.infos[at].log as usize] else { continue };
            let index = RuleIndex(at as u32);
            let verdicts = pass.matches(rule, answered);
            hits.extend(verdicts.sure.iter().map(|row| Hit { row, rule: index }));
            unsure.extend(verdicts.unsure().map(|row| Hit { row, rule: index }));
        }
        unsure.sort_unstable();
        let texts = Rows::with_texts(segment, pass.take_texts());
        // Rules share tests: each is tried once for a row.
        let mut tried: Vec<Option<bool>> = vec![None; self.tests.len()];
        for of_row in unsure.chunk_by(|a, b| a.row == b.row) {
            let row = texts.row(of_row[0].row);
            tried.fill(None);
            let mut met = |test: usize| {
                *tried[test].get_or_insert_with(|| match pass.outcome(test, row.number()) {
                    Some(outcome) => outcome,
                    None => row.meets(&self.tests[test]),
                })
            };
            hits.extend(of_row.iter().filter(|hit| self.holds(hit.rule, &mut met)));
        }
        hits.sort_unstable();
        hits
    }

    /// Which of some rows a rule matches, whatever their stages.
    pub(super) fn matching(&self, rule: RuleIndex, segment: &Segment, among: &Bitset) -> Vec<u32> {
        let Some(Some(compiled)) = self.rules.get(rule.0 as usize) else { return Vec::new() };
        let log = self.rule(rule).log;
        let mut among = among.clone();
        among.and(&Bitset::from_column(segment.all_facts(), |facts| facts.log() == log));
        let verdicts = Pass::new(segment, &self.tests).matches(compiled, &among);
        let texts = Rows::new(segment);
        let holds = |row: &u32| {
            let row = texts.row(*row);
            self.holds(rule, &mut |test| row.meets(&self.tests[test]))
        };
        let unsure = verdicts.unsure().filter(holds);
        let mut rows: Vec<u32> = verdicts.sure.iter().chain(unsure).collect();
        rows.sort_unstable();
        rows
    }

    /// Whether a rule matches a row, whatever its stage.
    pub fn matches(&self, rule: RuleIndex, segment: &Segment, row: u32) -> bool {
        if !self.is_about(rule, segment, row) {
            return false;
        }
        let rows = Rows::new(segment);
        let row = rows.row(row);
        self.holds(rule, &mut |test| row.meets(&self.tests[test]))
    }

    /// Whether a row is of the log that a rule is written for.
    pub(super) fn is_about(&self, rule: RuleIndex, segment: &Segment, row: u32) -> bool {
        self.infos.get(rule.0 as usize).is_some_and(|info| info.log == segment.facts(row).log())
    }

    /// Whether a rule's condition holds, given which tests are met.
    fn holds(&self, rule: RuleIndex, met: &mut dyn FnMut(usize) -> bool) -> bool {
        let Some(Some(rule)) = self.rules.get(rule.0 as usize) else { return false };
        rule.condition.holds(&rule.selections, &mut |test| met(*test))
    }
}

/// The rows that the way from an object to its Git commit may lead through: lines of other logs, and what GitOps engines
/// write and are told.
fn of_deliveries(segment: &Segment) -> Bitset {
    Bitset::from_fn(segment.rows(), |row| {
        let row = row as u32;
        if segment.facts(row).log() != LogKind::Kube {
            return true;
        }
        let text = |field| segment.string(field, row);
        is_write_verb(text(Field::Verb))
            && (is_gitops_group(text(Field::ApiGroup))
                || gitops_engine(text(Field::User), text(Field::ImpersonatedUser), text(Field::UserAgent))
                    .is_some())
    })
}

/// Of each kind of log the answers among some rows of a segment; `None` where there is none.
fn answered(segment: &Segment, rows: Range<u32>) -> [Option<Bitset>; LogKind::ALL.len()] {
    let mut of_log = [const { None }; LogKind::ALL.len()];
    for row in rows.start..rows.end.min(segment.rows()) {
        let facts = segment.facts(row);
        if facts.stage() != Stage::RequestReceived {
            let rows: &mut Option<Bitset> = &mut of_log[facts.log() as usize];
            rows.get_or_insert_with(|| Bitset::none(segment.rows())).set(row, true);
        }
    }
    of_log
}

/// Numbers tests, equal ones alike.
#[derive(Default)]
struct Tests {
    tests: Vec<Test>,
    /// By how a test is written out, which tells all of it.
    numbers: HashMap<String, usize>,
}

impl Tests {
    fn number(&mut self, rule: Compiled) -> Compiled<usize> {
        let mut number = |test: Test| {
            *self.numbers.entry(format!("{test:?}")).or_insert_with(|| {
                self.tests.push(test);
                self.tests.len() - 1
            })
        };
        let selections =
            rule.selections.into_iter().map(|(name, expr)| (name, expr.map(&mut number))).collect();
        let condition: Expr<usize> = rule.condition.map(&mut number);
        Compiled { selections, condition }
    }
}

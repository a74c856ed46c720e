//! Rules tried on a log: how often each is met, and why, for the first few requests.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use super::RulesOptions;
use crate::detect::{Engine, Finding, RuleIndex, Subject, Why, readiness, state_in_words};
use crate::headless::detection::Detection;
use crate::headless::intake::Intake;
use crate::headless::{Streams, visible};
use crate::ingest::IngestMessage;
use crate::model::{Micros, format_local_offset, format_stamp};
use crate::redact::mask_text;
use crate::store::Entry;
use crate::text::thousands;

/// Matches of each rule that are told with why.
const MOST_TOLD: usize = 5;

/// What the rules of an engine find.
pub(super) struct Trial {
    /// Matches by rule, a record that was read twice once.
    counts: Vec<u64>,
    /// Of each segment that is held, how many of its matches were counted.
    taken: HashMap<u32, usize>,
    /// The rules whose first matches are told.
    explained: Vec<RuleIndex>,
    engine: Option<Arc<Engine>>,
    first: BTreeMap<(RuleIndex, Micros, String), Match>,
}

struct Match {
    subject: Subject,
    why: Vec<Why>,
}

impl Trial {
    /// Counts the matches of `rules` rules.
    pub(super) fn of(rules: usize) -> Trial {
        Trial {
            counts: vec![0; rules],
            taken: HashMap::new(),
            explained: Vec::new(),
            engine: None,
            first: BTreeMap::new(),
        }
    }

    /// Keeps the first matches of these rules, too.
    pub(super) fn explaining(engine: &Arc<Engine>, explained: Vec<RuleIndex>) -> Trial {
        Trial { explained, engine: Some(Arc::clone(engine)), ..Trial::of(engine.rules().len()) }
    }

    /// Takes in all that `messages` bring, within the budget.
    pub(super) fn read(
        &mut self,
        messages: impl Iterator<Item = IngestMessage>,
        intake: &mut Intake,
        options: RulesOptions,
        streams: &mut Streams<'_>,
    ) {
        for message in messages {
            intake.take(message, streams);
            while let Some(number) = intake.excess(options.memory) {
                if let Some(entry) = intake.store.entry(number) {
                    self.count_in(number, entry);
                }
                if !intake.store.evict_oldest() {
                    break;
                }
            }
        }
        for (number, entry) in intake.store.entries() {
            self.count_in(number, entry);
        }
        intake.settle();
    }

    fn count_in(&mut self, number: u32, entry: &Entry) {
        let taken = self.taken.entry(number).or_default();
        let new = entry.hits().found.get(*taken..).unwrap_or_default();
        *taken = entry.hits().found.len();
        for hit in new.iter().filter(|hit| !entry.dropped().get(hit.row)) {
            let rule = RuleIndex(hit.rule);
            self.counts[hit.rule as usize] += 1;
            let Some(engine) = self.engine.as_ref().filter(|_| self.explained.contains(&rule)) else {
                continue;
            };
            let segment = entry.segment();
            let key = (rule, segment.stage_time(hit.row), segment.audit_id(hit.row));
            let of_rule =
                || self.first.range((rule, Micros::MIN, String::new())..=(rule, Micros::MAX, String::new()));
            if of_rule().count() >= MOST_TOLD {
                let Some(last) = of_rule().next_back().map(|(key, _)| key.clone()).filter(|last| key < *last)
                else {
                    continue;
                };
                self.first.remove(&last);
            }
            let why = engine.explain(rule, segment, hit.row);
            self.first.insert(key, Match { subject: Subject::of(segment, hit.row), why });
        }
    }

    /// How often a rule was met; of a correlation, how often it was found.
    pub(super) fn count(&self, rule: RuleIndex, detection: &Detection) -> u64 {
        let findings = detection.board.findings().iter().filter(|finding| finding.rule == rule).count();
        self.counts[rule.0 as usize].max(findings as u64)
    }

    /// Writes what a rule found; how often.
    pub(super) fn write(
        &self,
        rule: RuleIndex,
        detection: &Detection,
        intake: &Intake,
        options: RulesOptions,
        out: &mut dyn Write,
    ) -> io::Result<u64> {
        let info = detection.rules.engine.rule(rule);
        let count = self.count(rule, detection);
        let matches = if count == 1 { "match" } else { "matches" };
        let mut text = format!("{} ({}): {} {matches}\n", info.title, info.severity, thousands(count));
        let stamp = |time: Micros| {
            format!("{}{}", format_stamp(time, options.zone), format_local_offset(time, options.zone))
        };
        let told = self.first.iter().filter(|((of, ..), _)| *of == rule);
        for ((_, time, audit_id), Match { subject, why }) in told {
            text += &format!("  {} {} [{audit_id}]\n", stamp(*time), subject.sentence());
            for Why { selection, field, value, pattern } in why {
                let field = if field.is_empty() { "anywhere" } else { field };
                text += &format!("    {selection}: {field} = {value}  by {pattern}\n");
            }
        }
        let findings = detection.board.findings().iter().filter(|finding| finding.rule == rule);
        for Finding { group, first, last, count, .. } in findings.take(MOST_TOLD) {
            let group: Vec<String> =
                group.iter().map(|(field, value)| format!("{field} {}", mask_text(value))).collect();
            text += &format!("  {} to {}: {count} for {}\n", stamp(*first), stamp(*last), group.join(", "));
        }
        if count == 0 {
            let engine = &detection.rules.engine;
            let ready = readiness(engine, &intake.store);
            text += &format!("  {}\n", state_in_words(engine, rule, &ready[rule.0 as usize]));
        }
        out.write_all(visible(&text).as_bytes())?;
        Ok(count)
    }
}

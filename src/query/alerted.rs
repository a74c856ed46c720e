//! Which rows have a part in which alert, for the field `alert`. [`crate::detect`] finds them; this is what a filter needs
//! to know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::comparison;
use super::pattern::Pattern;
use crate::model::EventId;
use crate::store::{Bitset, RuleHit};

/// Names of severities as Sigma calls its levels, the least first.
pub const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// From this one of [`SEVERITIES`] on a match is an alert; below it is activity.
pub const LEAST_ALERT: usize = 2;

/// Whether a value of the field `alert` means something else than a rule, whatever rules there are.
pub fn is_word_of_alerts(text: &str) -> bool {
    SEVERITIES.iter().chain(&["yes", "no", "none", "*"]).any(|word| word.eq_ignore_ascii_case(text))
}

/// A rule or correlation, as a filter may name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertRule {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its file, without folder and ending.
    pub file: String,
    /// Techniques of ATT&CK, such as `T1611`.
    pub techniques: Vec<String>,
    /// How bad a match is, by its place in [`SEVERITIES`].
    pub severity: usize,
    /// Whether its matches are told; those that only feed correlations are not, other than as events of what was found.
    pub is_told: bool,
}

/// The rows that have a part in an alert or in activity.
#[derive(Clone, Debug, Default)]
pub struct Alerted {
    /// The rules by their number.
    pub rules: Vec<AlertRule>,
    /// Matches of rules by segment.
    pub hits: BTreeMap<u32, Arc<Vec<RuleHit>>>,
    /// Events that correlations found something by, with the number of the correlation.
    pub members: BTreeSet<(EventId, u32)>,
}

impl Alerted {
    /// Which rules a value of the field asks for: `yes` or `*` for all alerts, a severity, a comparison with one
    /// (`>=high`), a rule's id or file, a technique of ATT&CK, or a part of the title.
    pub(super) fn rules_called(&self, text: &str, named: &Pattern) -> Vec<bool> {
        let place = |name: &str| SEVERITIES.iter().position(|severity| severity.eq_ignore_ascii_case(name));
        let compared = comparison(text).and_then(|(sign, name)| Some((sign, place(name)?)));
        let is = |name: &String| name.eq_ignore_ascii_case(text);
        // Somebody who names a rule means no other that has the name in its title.
        let names_one = self.rules.iter().any(|rule| is(&rule.id) || is(&rule.file));
        let is_called = |rule: &AlertRule| match (compared, place(text)) {
            (Some((sign, severity)), _) => sign.holds(rule.severity, severity),
            (None, Some(severity)) => rule.severity == severity,
            (None, None) if text == "*" || text.eq_ignore_ascii_case("yes") => rule.severity >= LEAST_ALERT,
            (None, None) if names_one => is(&rule.id) || is(&rule.file),
            (None, None) => named.matches(&rule.title) || rule.techniques.iter().any(is),
        };
        self.rules.iter().map(is_called).collect()
    }

    /// The files and titles of the rules that matched anything, for whoever looks for one.
    pub fn matched(&self) -> Vec<(&str, &str)> {
        let hits = self.hits.values().flat_map(|hits| hits.iter().map(|hit| hit.rule));
        let numbers: BTreeSet<u32> = hits.chain(self.members.iter().map(|(_, rule)| *rule)).collect();
        let rules = numbers.into_iter().filter_map(|number| self.rules.get(number as usize));
        rules.filter(|rule| rule.is_told).map(|rule| (rule.file.as_str(), rule.title.as_str())).collect()
    }

    /// The rows of a segment that match any of these rules.
    pub(super) fn rows(&self, number: u32, rows: u32, rules: &[bool]) -> Bitset {
        let mut found = Bitset::none(rows);
        let mut add = |row: u32, rule: u32| {
            if row < rows && rules.get(rule as usize) == Some(&true) {
                found.set(row, true);
            }
        };
        let is_told = |hit: &&RuleHit| self.rules.get(hit.rule as usize).is_some_and(|rule| rule.is_told);
        for hit in self.hits.get(&number).into_iter().flat_map(|hits| hits.iter()).filter(is_told) {
            add(hit.row, hit.rule);
        }
        let members = self.members.range((EventId::new(number, 0), 0)..);
        for (event, rule) in members.take_while(|(event, _)| event.segment() == number) {
            add(event.row(), *rule);
        }
        found
    }
}

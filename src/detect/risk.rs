//! Who is most worth looking at: each actor's alerts weighed together, more heavily the more tactics they come from.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::Alert;
use super::engine::Engine;
use super::rule::{RuleIndex, Severity};
use crate::model::{Micros, SECOND};

/// Alerts this far apart are told as one doing.
const TOGETHER: Micros = 3600 * SECOND;

/// How much an actor's alerts of one hour weigh.
#[derive(Clone, PartialEq, Debug)]
pub struct Risk {
    /// `user.username`
    pub actor: String,
    /// Each rule once, by severity (critical 60, high 30, medium 10, low 1), and half as much again for each further
    /// tactic. The hour that weighs most.
    pub score: u32,
    /// ATT&CK tactics of that hour's alerts.
    pub tactics: BTreeSet<String>,
    /// Rules of that hour's alerts.
    pub rules: usize,
}

/// The actors of these alerts, the greatest risk first.
pub fn risks<'a>(engine: &Engine, alerts: impl IntoIterator<Item = &'a Alert>) -> Vec<Risk> {
    let mut of_actor: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        if !alert.subject.user.is_empty() && engine.rule(alert.rule).severity > Severity::Informational {
            of_actor.entry(&alert.subject.user).or_default().push(alert);
        }
    }
    let mut risks: Vec<Risk> = of_actor
        .into_iter()
        .filter_map(|(actor, alerts)| {
            let hours = alerts.iter().map(|alert| of_hour(engine, actor, alert.last, &alerts));
            hours.max_by_key(|risk| risk.score)
        })
        .collect();
    risks.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.actor.cmp(&b.actor)));
    risks
}

/// What the alerts weigh that fell into the hour before a moment.
fn of_hour(engine: &Engine, actor: &str, until: Micros, alerts: &[&Alert]) -> Risk {
    let from = until.saturating_sub(TOGETHER);
    let within = alerts.iter().filter(|alert| alert.last > from && alert.first <= until);
    let rules: BTreeSet<RuleIndex> = within.map(|alert| alert.rule).collect();
    let tactics: BTreeSet<String> = rules.iter().flat_map(|rule| engine.rule(*rule).tactics()).collect();
    let weights: u32 = rules.iter().map(|rule| weight(engine.rule(*rule).severity)).sum();
    let further = tactics.len().saturating_sub(1) as u32;
    Risk { actor: actor.to_owned(), score: weights + weights * further / 2, tactics, rules: rules.len() }
}

fn weight(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 60,
        Severity::High => 30,
        Severity::Medium => 10,
        Severity::Low => 1,
        Severity::Informational => 0,
    }
}

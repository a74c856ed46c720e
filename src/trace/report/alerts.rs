//! The alerts that the requests of a report have a part in: the same whether a command writes the report or a screen.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{ReportAlert, ReportEvent};
use crate::detect::state::StateDetection;
use crate::detect::{AlertBoard, RuleIndex, Severity, Why};
use crate::model::EventId;
use crate::trace::{Log, contradictions};

/// Requests of a report by their places in it, each with the record that has a part in an alert.
type Parts = Vec<(usize, EventId)>;

impl ReportAlert {
    /// The alerts that requests of a report have a part in, the gravest first. Mere activity is left out.
    pub fn of(board: &AlertBoard, log: &Log<'_>, events: &[ReportEvent]) -> Vec<ReportAlert> {
        let (engine, store) = (board.engine(), log.store);
        let mut of_rule: BTreeMap<(Reverse<Severity>, RuleIndex), Parts> = BTreeMap::new();
        let ids = events.iter().enumerate().filter_map(|(at, event)| Some((at, event.request.id?)));
        for (at, request) in ids {
            for record in store.stages(request) {
                for rule in board.rules_of(record) {
                    let severity = engine.rule(rule).severity;
                    if severity.is_alert() {
                        of_rule.entry((Reverse(severity), rule)).or_default().push((at, record));
                    }
                }
            }
        }
        let tell = |((Reverse(severity), rule), records): ((_, RuleIndex), Parts)| {
            let info = engine.rule(rule);
            let mut events: Vec<usize> = records.iter().map(|(at, _)| *at).collect();
            events.dedup();
            let why = |record: EventId| -> Vec<String> {
                let Some(segment) = store.segment(record) else { return Vec::new() };
                let behind = engine.fed_by(rule).into_iter();
                let found = behind.flat_map(|rule| engine.explain(rule, segment, record.row()));
                let mut told: Vec<String> = found.map(|why| in_words(&why)).collect();
                if info.state == Some(StateDetection::OutsideGitops) {
                    let changes: Vec<EventId> = records.iter().map(|(_, record)| *record).collect();
                    told.extend(contradictions(log, &changes).iter().map(|against| against.in_words(log)));
                }
                told
            };
            ReportAlert {
                severity: Severity::name(severity).to_owned(),
                title: info.title.clone(),
                rule: info.id.clone(),
                techniques: info.techniques().collect(),
                events,
                why: records.first().map(|(_, record)| why(*record)).unwrap_or_default(),
            }
        };
        of_rule.into_iter().map(tell).collect()
    }
}

fn in_words(Why { selection, field, value, pattern }: &Why) -> String {
    let field = if field.is_empty() { "anywhere" } else { field };
    match value.as_str() {
        "" => format!("{selection}: {field} {pattern}"),
        value => format!("{selection}: {field} = {value} by {pattern}"),
    }
}

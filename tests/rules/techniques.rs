//! Requests of one technique each, in the forms that it takes: other verbs, kinds, bodies and clients than the rule's own
//! events have (`tests/data/techniques.jsonl`).
//!
//! What each is about was read in the rules and writings of other projects (`described`); the events are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kauditui::detect::{Engine, RuleSet, Severity};
use serde_json::{Value, json};

use crate::own::segment;
use crate::pack::{self, Pack};
use crate::{lines, renaming};

/// An event as the API server writes it, from what a case says of it.
fn event(at: usize, case: &Value) -> Value {
    let mut event = case["event"].clone();
    event["kind"] = json!("Event");
    event["apiVersion"] = json!("audit.k8s.io/v1");
    event["auditID"] = json!(format!("00000000-0000-4000-8000-{at:012}"));
    for time in ["requestReceivedTimestamp", "stageTimestamp"] {
        event[time] = json!("2026-11-18T09:30:00.000000Z");
    }
    event
}

/// The files of the rules that each event sets off by itself, with their severity.
fn told(engine: &Engine, events: &[Value]) -> Vec<BTreeSet<(String, Severity)>> {
    let segment = segment(events);
    assert_eq!(segment.rows() as usize, events.len(), "an event a row");
    let mut told = vec![BTreeSet::new(); events.len()];
    for hit in engine.hits(&segment, 0..segment.rows()) {
        let rule = engine.rule(hit.rule);
        let file = rule.origin.file.file_stem().expect("a name").to_string_lossy().into_owned();
        told[hit.row as usize].insert((file, rule.severity));
    }
    told
}

fn severity(case: &Value) -> Severity {
    case["severity"].as_str().and_then(|name| name.parse().ok()).expect("a severity")
}

#[test]
fn every_form_of_a_technique_is_told() {
    let cases = lines(include_str!("../data/techniques.jsonl"));
    assert!(cases.len() > 400, "{}", cases.len());
    let events: Vec<Value> = cases.iter().enumerate().map(|(at, case)| event(at, case)).collect();
    let engine = RuleSet::load(true, &[]).0.prepare();
    let mut missed = Vec::new();
    for ((case, told), event) in cases.iter().zip(told(&engine, &events)).zip(&events) {
        let rule = case["rule"].as_str().expect("a rule");
        if !told.iter().any(|(file, level)| file == rule && *level >= severity(case)) {
            missed.push(format!("{rule}: {}: {told:?}\n  {event}", case["technique"]));
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn both_engines_judge_the_techniques_alike() {
    let cases = lines(include_str!("../data/techniques.jsonl"));
    let events: Vec<Value> = cases.iter().enumerate().map(|(at, case)| event(at, case)).collect();
    let engine = RuleSet::load(true, &[]).0.prepare();
    let segment = segment(&events);
    let mut ours: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for hit in engine.hits(&segment, 0..segment.rows()) {
        ours.entry(hit.row as usize).or_default().insert(engine.rule(hit.rule).id.clone());
    }
    let other = Pack::new(&pack::files());
    for (at, event) in events.iter().enumerate() {
        assert_eq!(ours.remove(&at).unwrap_or_default(), other.matching(event), "{event}");
    }
}

#[test]
fn who_and_where_does_not_change_what_is_told() {
    let cases = lines(include_str!("../data/techniques.jsonl"));
    let engine = RuleSet::load(true, &[]).0.prepare();
    let events: Vec<Value> = cases.iter().enumerate().map(|(at, case)| event(at, case)).collect();
    let elsewhere: Vec<Value> = events.iter().map(renaming::elsewhere).collect();
    assert_ne!(events, elsewhere);
    for ((here, there), event) in
        told(&engine, &events).into_iter().zip(told(&engine, &elsewhere)).zip(&elsewhere)
    {
        assert_eq!(here, there, "{event}");
    }
}

#[test]
fn every_case_names_a_rule_and_where_it_is_described() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/rules");
    for case in lines(include_str!("../data/techniques.jsonl")) {
        let rule = case["rule"].as_str().expect("a rule");
        assert!(rules.join(format!("{rule}.yml")).is_file(), "{rule}");
        let said = ["technique", "described"].map(|key| case[key].as_str().unwrap_or_default().len());
        assert!(said.iter().all(|length| *length > 2), "{case}");
    }
}

//! The built-in rules against the events beside them, judged by an engine that is not ours.
//!
//! Each file of `assets/rules` has its events in `tests/data/rules`: some that it must match and some that come close.
//! What needs to know of other requests, or a list of the user's, has its tests beside the engine.
//! With `../shared` (or `$KAUDITUI_SHARED`) beside the checkout, the pack also meets an ordinary day, an incident and
//! the cases of other projects.

mod cases;
mod event;
mod incident;
mod ordinary;
mod own;
mod pack;
mod renaming;
mod state;
mod techniques;
mod thresholds;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use pack::{Fired, Pack, RuleFile, Severity};
use serde_json::Value;

fn list<'v>(events: &'v Value, key: &str) -> &'v [Value] {
    events.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The JSON of each line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The id of the rule or correlation that a file is about: the last of its documents.
fn subject(file: &RuleFile) -> String {
    let correlation = file.rules.correlations.last().and_then(|rule| rule.id.clone());
    correlation
        .or_else(|| file.rules.rules.last().and_then(|rule| rule.id.clone()))
        .expect("a rule with an id")
}

#[test]
fn each_rule_matches_its_own_events_and_not_their_neighbours() {
    let mut wrong = Vec::new();
    for file in pack::files().into_iter().filter(|file| !file.needs_more()) {
        let subject = subject(&file);
        let name = &file.name;
        let events = pack::events(name);
        let fires = |sequence: &[Value]| {
            let mut pack = Pack::new(std::slice::from_ref(&file));
            sequence.iter().flat_map(|event| pack.fire(event)).any(|fired| fired.id == subject)
        };
        let mut judged = [0, 0];
        for (expected, one, many) in
            [(true, "match", "sequences that match"), (false, "miss", "sequences that do not")]
        {
            let single = list(&events, one).iter().map(std::slice::from_ref);
            let sequences = list(&events, many).iter().filter_map(Value::as_array).map(Vec::as_slice);
            for (at, sequence) in single.chain(sequences).enumerate() {
                if fires(sequence) != expected {
                    wrong.push(format!("{name}: {one} {at}: {}", Value::from(sequence)));
                }
                judged[usize::from(expected)] += 1;
            }
        }
        assert!(
            judged.iter().all(|count| *count > 0),
            "{name} needs events that match and events that do not"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_says_what_an_alert_needs() {
    let files = pack::files();
    let (mut ids, mut names, mut rows) = (HashSet::new(), HashSet::new(), BTreeSet::new());
    for file in &files {
        let (name, silent) = (&file.name, file.silent());
        for rule in &file.rules.rules {
            assert!(ids.insert(rule.id.clone().expect("an id")), "{name}: an id twice");
            assert!(rule.name.is_none() || names.insert(rule.name.clone()), "{name}: a name twice");
            let product = rule.logsource.product.as_deref().unwrap_or_default();
            assert_eq!(Some(product), file.product(), "{name}: one file, one product");
            assert!(
                ["kubernetes", "rancher", "argocd", "fleet", "flux"].contains(&product),
                "{name}: {product}"
            );
            let is_audit = rule.logsource.service.as_deref() == Some("audit");
            assert_eq!(is_audit, ["kubernetes", "rancher"].contains(&product), "{name}");
            assert!(rule.level.is_some() && rule.status.is_some(), "{name}");
            if !silent.contains(rule.id.as_deref().unwrap_or_default()) {
                let description = rule.description.as_deref().unwrap_or_default();
                assert!(description.len() > 30 && !rule.falsepositives.is_empty(), "{name}");
                assert!(rule.tags.iter().any(|tag| tag.starts_with("attack.t1")), "{name}: no technique");
            }
        }
        for rule in &file.rules.correlations {
            assert!(ids.insert(rule.id.clone().expect("an id")), "{name}: an id twice");
            assert!(rule.level.is_some(), "{name}");
        }
        let own = |attributes: &std::collections::HashMap<String, yaml_serde::Value>| {
            attributes.get("kauditui").and_then(|own| own.get("row")?.as_u64())
        };
        let rules = file.rules.rules.iter().map(|rule| own(&rule.custom_attributes));
        for row in rules.chain(file.rules.correlations.iter().map(|rule| own(&rule.custom_attributes))) {
            rows.insert(row.unwrap_or_else(|| panic!("{name} has no row")));
        }
    }
    let missing: Vec<u64> = (1..=102).filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "rows without a rule: {missing:?}");
}

#[test]
fn the_documentation_lists_every_rule_and_its_examples_are_rules() {
    let page = include_str!("../../docs/rules.md");
    let files = pack::files();
    for file in &files {
        assert!(
            page.contains(&format!("](../assets/rules/{}.yml) |", file.name)),
            "{} is not listed",
            file.name
        );
    }
    assert_eq!(page.matches("](../assets/rules/").count(), files.len(), "a rule is listed that is gone");
    let examples: Vec<_> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let read = rsigma_parser::parse_sigma_yaml(example).expect("an example that parses");
        assert!(read.errors.is_empty(), "{:?}", read.errors);
        assert_eq!(read.rules.len() + read.filters.len(), 1, "{example}");
    }
}

/// A file below the shared folder, which a checkout alone does not have.
fn shared(path: &str) -> Option<Vec<Value>> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let Ok(text) = fs::read_to_string(shared.join("data").join(path)) else {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return None;
    };
    Some(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// What fired over a log, with how often and by whom, the gravest first.
fn fired(events: &[Value]) -> BTreeMap<(std::cmp::Reverse<Severity>, String, String), usize> {
    let mut pack = Pack::new(&pack::files());
    let (mut counts, mut seen) = (BTreeMap::new(), HashSet::new());
    for event in events {
        let actor = event["user"]["username"].as_str().unwrap_or_default();
        for Fired { id, title, level } in pack.fire(event) {
            // The stages of one request are one alert.
            let request = (id, event["auditID"].to_string(), event["requestURI"].to_string());
            if seen.insert(request) {
                *counts.entry((std::cmp::Reverse(level), title, actor.to_owned())).or_insert(0) += 1;
            }
        }
    }
    counts
}

#[test]
fn an_ordinary_day_raises_no_alert() {
    for log in ["ordinary-meta", "ordinary-full"] {
        let Some(events) = shared(&format!("kube/{log}.jsonl")) else { return };
        assert!(events.len() > 1_000, "{log} is read");
        let fired = fired(&events);
        for ((level, title, actor), count) in &fired {
            println!("{log} {:?} {count} {title} / {actor}", level.0);
        }
        let alerts: Vec<_> = fired.keys().filter(|(level, ..)| level.0 >= Severity::Medium).collect();
        assert!(alerts.is_empty(), "{log}: {alerts:#?}");
    }
}

//! Correlations and alerts: what they find, and that the order of arrival makes no difference.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{engine, event_at, segment};
use crate::detect::{Alerts, Correlator, Engine, Finding, RuleSet};
use crate::model::SECOND;
use crate::store::Store;

const RULES: &str = "title: Read\nid: r-read\nname: read\nlogsource: {product: kubernetes}\ndetection: {a: {verb: get}, condition: a}\n---\ntitle: Write\nid: r-write\nname: write\nlogsource: {product: kubernetes}\ndetection: {a: {verb: update}, condition: a}\n---\n";

fn rules(correlation: &str) -> Engine {
    engine(&format!("{RULES}title: C\nid: c\nlevel: high\ncorrelation:\n{correlation}"))
}

/// Requests as `(second, verb, user, name)`.
fn events(requests: &[(i64, &str, &str, &str)]) -> Vec<Value> {
    let request = |(at, (second, verb, user, name)): (usize, &(i64, &str, &str, &str))| {
        event_at(
            second * SECOND,
            json!({
            "auditID": format!("id-{at}"), "verb": verb, "user": {"username": user}, "objectRef": {"name": name}}),
        )
    };
    requests.iter().enumerate().map(request).collect()
}

/// What is found when the events come in one segment, backwards in many, and twice.
fn findings(engine: Engine, events: &[Value]) -> Vec<(i64, i64, u64, String)> {
    let engine = Arc::new(engine);
    let told = |findings: &[Finding]| -> Vec<(i64, i64, u64, String)> {
        findings
            .iter()
            .map(|f| {
                let group: Vec<&str> = f.group.iter().map(|(_, value)| value.as_str()).collect();
                (f.first / SECOND, f.last / SECOND, f.count, group.join(","))
            })
            .collect()
    };
    let run = |parts: Vec<Vec<Value>>| {
        let mut correlator = Correlator::new(Arc::clone(&engine));
        for (number, part) in parts.iter().enumerate() {
            let segment = segment(part);
            let hits = engine.hits(&segment, 0..segment.rows());
            correlator.take(number as u32, &segment, &hits);
            if number % 2 == 0 {
                correlator.findings();
            }
        }
        assert_eq!(correlator.forgotten(), 0);
        told(&correlator.findings())
    };
    let forward = run(vec![events.to_vec()]);
    let backward = run(events.iter().rev().map(|event| vec![event.clone()]).collect());
    let twice = run(vec![events.to_vec(), events.to_vec()]);
    assert_eq!(forward, backward);
    assert_eq!(forward, twice);
    forward
}

#[test]
fn events_are_counted_within_the_time_and_by_group() {
    let count = || {
        rules(
            "    type: event_count\n    rules: [read]\n    group-by: [user.username]\n    timespan: 10s\n    condition: {gte: 3}\n",
        )
    };
    let requests = events(&[
        (100, "get", "alice", "a"),
        (101, "get", "bob", "a"),
        (104, "get", "alice", "a"),
        (105, "update", "alice", "a"),
        (109, "get", "alice", "a"),
        (112, "get", "alice", "a"),
        (150, "get", "alice", "a"),
        (151, "get", "alice", "a"),
    ]);
    assert_eq!(findings(count(), &requests), [(100, 112, 3, "alice".to_owned())]);
    let apart = events(&[(100, "get", "a", ""), (105, "get", "a", ""), (110, "get", "a", "")]);
    assert!(findings(count(), &apart).is_empty(), "the time is open at its beginning");
}

#[test]
fn two_bursts_are_two_findings() {
    let count = rules(
        "    type: event_count\n    rules: [r-read]\n    group-by: [user.username]\n    timespan: 10s\n    condition: {gt: 1}\n",
    );
    let requests =
        events(&[(1, "get", "a", ""), (2, "get", "a", ""), (50, "get", "a", ""), (51, "get", "a", "")]);
    assert_eq!(findings(count, &requests), [(1, 2, 2, "a".to_owned()), (50, 51, 2, "a".to_owned())]);
}

#[test]
fn distinct_values_are_counted() {
    let values = rules(
        "    type: value_count\n    rules: [read]\n    group-by: [user.username]\n    timespan: 1m\n    condition: {gte: 3, field: objectRef.name}\n",
    );
    let requests = events(&[
        (1, "get", "a", "x"),
        (2, "get", "a", "x"),
        (3, "get", "a", "y"),
        (4, "get", "a", "z"),
        (5, "get", "b", "x"),
    ]);
    assert_eq!(findings(values, &requests), [(1, 4, 3, "a".to_owned())]);
}

#[test]
fn rules_come_together_in_any_order_or_in_theirs() {
    let kind = |kind: &str, more: &str| {
        rules(&format!(
            "    type: {kind}\n    rules: [read, write]\n    group-by: [user.username]\n    timespan: 10s\n{more}"
        ))
    };
    let forth = events(&[(1, "get", "a", ""), (5, "update", "a", "")]);
    let back = events(&[(1, "update", "a", ""), (5, "get", "a", "")]);
    let others = events(&[(1, "get", "a", ""), (5, "update", "b", "")]);
    let late = events(&[(1, "get", "a", ""), (11, "update", "a", "")]);
    for (name, more, expected) in [
        ("temporal", "", [true, true, false, false]),
        ("temporal_ordered", "", [true, false, false, false]),
        // What is not there must not have been there before.
        ("temporal", "    condition: read and not write\n", [true, false, true, true]),
        ("temporal", "    condition: write and read\n", [true, true, false, false]),
        // Any of them, where nothing said means all of them.
        ("temporal", "    condition: {gte: 1}\n", [true, true, true, true]),
        ("temporal", "    condition:\n        gte: 2\n", [true, true, false, false]),
    ] {
        for (events, expected) in [&forth, &back, &others, &late].into_iter().zip(expected) {
            assert_eq!(!findings(kind(name, more), events).is_empty(), expected, "{name} {more}");
        }
    }
    let again = events(&[
        (1, "get", "a", ""),
        (12, "get", "a", ""),
        (14, "update", "a", ""),
        (40, "update", "a", ""),
    ]);
    assert_eq!(findings(kind("temporal_ordered", ""), &again), [(12, 14, 2, "a".to_owned())]);
}

#[test]
fn fields_may_be_called_differently_in_each_rule() {
    let aliases = rules(
        "    type: temporal\n    rules: [read, write]\n    group-by: [who]\n    aliases: {who: {read: user.username, write: objectRef.name}}\n    timespan: 10s\n",
    );
    let requests = events(&[(1, "get", "alice", ""), (2, "update", "bob", "alice")]);
    assert_eq!(findings(aliases, &requests), [(1, 2, 2, "alice".to_owned())]);
}

#[test]
fn correlations_are_correlated() {
    let text = format!(
        "{RULES}title: Burst\nid: burst\ncorrelation: {{type: event_count, rules: [read], group-by: [user.username], timespan: 10s, condition: {{gte: 2}}}}\n---\ntitle: C\nid: c\ncorrelation: {{type: temporal_ordered, rules: [burst, write], group-by: [user.username], timespan: 1m}}\n"
    );
    let requests =
        events(&[(1, "get", "a", ""), (2, "get", "a", ""), (9, "update", "a", ""), (9, "update", "b", "")]);
    // Whichever of the documents comes first.
    let documents: Vec<&str> = text.split("---\n").collect();
    let backwards: Vec<&str> = documents.iter().rev().copied().collect();
    let backwards: Vec<String> = backwards.iter().map(|text| format!("{text}\n")).collect();
    for text in [text.clone(), backwards.join("---\n")] {
        let engine = engine(&text);
        let c = engine.rules().iter().position(|rule| rule.id == "c").expect("it is loaded");
        let burst = engine.rules().iter().find(|rule| rule.id == "burst").expect("it is loaded");
        assert!(burst.feeds_only);
        let engine = Arc::new(engine);
        let mut correlator = Correlator::new(Arc::clone(&engine));
        let segment = segment(&requests);
        correlator.take(0, &segment, &engine.hits(&segment, 0..segment.rows()));
        let found = correlator.findings();
        assert_eq!(found.iter().filter(|finding| finding.rule.0 as usize == c).count(), 1);
        let alerts = Alerts::new(engine).with(&found, &Store::new(), None);
        assert_eq!(alerts.iter().map(|alert| alert.key.rule.as_str()).collect::<Vec<_>>(), ["c"]);
    }
}

#[test]
fn what_is_seen_for_the_first_time_is_told() {
    let text = "title: First exec\nid: first\nlogsource: {product: kubernetes}\nkauditui: {first_seen: {fields: [user.username, objectRef.namespace], history: 1h}}\ndetection: {a: {verb: get}, condition: a}\n";
    let requests = events(&[
        (10_000, "get", "a", ""),
        (10_010, "get", "a", ""),
        (13_500, "get", "a", ""),
        (20_000, "get", "a", ""),
        (20_000, "get", "b", ""),
    ]);
    let found = findings(engine(text), &requests);
    assert_eq!(
        found,
        [
            (10_000, 10_000, 1, "a,prod".to_owned()),
            (20_000, 20_000, 1, "a,prod".to_owned()),
            (20_000, 20_000, 1, "b,prod".to_owned())
        ]
    );
    let (_, problems) = RuleSet::parse("x.yml".as_ref(), &text.replace("history: 1h", "history: ages"));
    assert_eq!(problems.len(), 1);
}

#[test]
fn stages_of_one_request_are_one_event() {
    let engine = Arc::new(rules(
        "    type: event_count\n    rules: [read]\n    generate: true\n    timespan: 1h\n    condition: {gte: 2}\n",
    ));
    let id = "00000000-0000-0000-0000-000000000001";
    let stage = |stage: &str, second: i64, uri: &str| {
        let mut event = event_at(
            second * SECOND,
            json!({"auditID": id, "stage": stage, "verb": "get", "requestURI": uri}),
        );
        event["requestReceivedTimestamp"] = crate::model::format_rfc3339(100 * SECOND).into();
        event
    };
    let both = [stage("ResponseStarted", 100, "/x"), stage("ResponseComplete", 130, "/x")];
    let told = |parts: &[&[Value]]| {
        let (mut correlator, mut alerts) =
            (Correlator::new(Arc::clone(&engine)), Alerts::new(Arc::clone(&engine)));
        for (number, part) in parts.iter().enumerate() {
            let segment = segment(part);
            let hits = engine.hits(&segment, 0..segment.rows());
            correlator.take(number as u32, &segment, &hits);
            alerts.take(number as u32, &segment, &hits);
        }
        let found = correlator.findings();
        let alerts = alerts.with(&found, &Store::new(), None);
        alerts
            .iter()
            .map(|alert| (alert.key.rule.clone(), alert.count, alert.first / SECOND, alert.last / SECOND))
            .collect::<Vec<_>>()
    };
    let once = [("r-read".to_owned(), 1, 100, 100)];
    assert_eq!(told(&[&both]), once);
    assert_eq!(told(&[&both[1..], &both[..1]]), once, "the other way round");
    assert_eq!(told(&[&both, &both]), once, "read twice");
    let other = [stage("ResponseComplete", 130, "/y")];
    let two = told(&[&both, &other]);
    assert_eq!(two.len(), 2, "one auditID over different requests hides none: {two:?}");
    assert_eq!(two[1].1, 2);
}

#[test]
fn alerts_are_kept_by_rule_and_actor() {
    let engine = Arc::new(engine(RULES.trim_end_matches("---\n")));
    let segment = segment(&events(&[
        (1, "get", "a", ""),
        (5, "get", "a", ""),
        (2, "get", "b", ""),
        (3, "update", "a", ""),
    ]));
    let mut alerts = Alerts::new(Arc::clone(&engine));
    let hits = engine.hits(&segment, 0..segment.rows());
    alerts.take(3, &segment, &hits);
    let told: Vec<_> = alerts
        .with(&[], &Store::new(), None)
        .into_iter()
        .map(|alert| {
            let events = alerts.events(&alert).len();
            (alert.key.rule, alert.key.actor, alert.count, events)
        })
        .collect();
    let of = |rule: &str, actor: &str, count: u64| (rule.to_owned(), actor.to_owned(), count, count as usize);
    assert_eq!(told, [of("r-read", "a", 2), of("r-read", "b", 1), of("r-write", "a", 1)]);
    assert_eq!(alerts.left_out(), 0);
}

#[test]
fn what_cannot_be_correlated_is_refused() {
    for (correlation, reason) in [
        ("type: event_count, rules: [absent], timespan: 5m, condition: {gte: 3}", "absent"),
        ("type: event_count, rules: [c], timespan: 5m, condition: {gte: 3}", "leads back"),
        ("type: event_count, rules: [], timespan: 5m, condition: {gte: 3}", "no rules"),
        ("type: value_count, rules: [read], timespan: 5m, condition: {gte: 3}", "field"),
        ("type: value_sum, rules: [read], timespan: 5m, condition: {gte: 3, field: x}", "value_sum"),
        ("type: event_count, rules: [read], timespan: 5x, condition: {gte: 3}", "5x"),
        ("type: event_count, rules: [read], timespan: 5m, condition: read", "number"),
        ("type: event_count, rules: [read], timespan: 5m, window: tumbling, condition: {gte: 3}", "sliding"),
        ("type: temporal, rules: [read], timespan: 5m, condition: write", "write"),
    ] {
        let text = format!("{RULES}title: C\nid: c\ncorrelation: {{{correlation}}}\n");
        let (rules, problems) = RuleSet::parse("x.yml".as_ref(), &text);
        assert_eq!(rules.rules().len(), 2, "{correlation}");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].reason.contains(reason), "{}", problems[0]);
        assert!(!rules.rules()[0].feeds_only, "a refused correlation feeds on nothing");
    }
}

#[test]
fn requests_of_one_moment_may_be_a_sequence() {
    let ordered = || rules("    type: temporal_ordered\n    rules: [read, write]\n    timespan: 10s\n");
    for names in ["ab", "cd", "ef", "gh", "ij"] {
        let (first, second) = names.split_at(1);
        let requests = events(&[(100, "update", "alice", first), (100, "get", "alice", second)]);
        assert_eq!(findings(ordered(), &requests).len(), 1);
    }
}

#[test]
fn what_is_not_there_is_not_counted() {
    let count = rules(
        "    type: value_count\n    rules: [read]\n    timespan: 10s\n    condition: {field: objectRef.subresource, gte: 2}\n",
    );
    let mut requests = events(&[(100, "get", "a", ""), (101, "get", "a", ""), (102, "get", "a", "")]);
    requests[1]["objectRef"]["subresource"] = json!("log");
    assert!(findings(count, &requests).is_empty(), "one value, and requests without any");
}

#[test]
fn aliases_may_call_a_rule_by_either_name() {
    for called in ["read", "r-read"] {
        let correlation = rules(&format!(
            "    type: temporal\n    rules: [read, write]\n    timespan: 10s\n    group-by: [who]\n    aliases:\n        who: {{{called}: user.username, r-write: objectRef.name}}\n"
        ));
        let requests = events(&[(100, "get", "bob", "x"), (101, "update", "carol", "bob")]);
        assert_eq!(findings(correlation, &requests), [(100, 101, 2, "bob".to_owned())], "{called}");
    }
}

#[test]
fn a_condition_over_no_rule_is_refused() {
    let text = format!(
        "{RULES}title: C\nid: c\ncorrelation:\n    type: temporal\n    rules: [read]\n    timespan: 10s\n    condition: all of x*\n"
    );
    let (rules, problems) = RuleSet::parse("test.yml".as_ref(), &text);
    assert_eq!((rules.rules().len(), problems.len()), (2, 1), "{problems:?}");
}

#[test]
fn a_long_episode_names_its_newest_events() {
    let count =
        rules("    type: event_count\n    rules: [read]\n    timespan: 10s\n    condition: {gte: 3}\n");
    let requests: Vec<(i64, &str, &str, &str)> = (0..300).map(|second| (second, "get", "a", "")).collect();
    let segment = segment(&events(&requests));
    let engine = Arc::new(count);
    let mut correlator = Correlator::new(Arc::clone(&engine));
    correlator.take(0, &segment, &engine.hits(&segment, 0..segment.rows()));
    let found = correlator.findings();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].events.len(), found[0].count), (100, 10));
    assert_eq!((found[0].events[0].row(), found[0].events[99].row()), (0, 299));
}

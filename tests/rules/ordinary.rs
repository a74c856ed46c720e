//! Hours of ordinary clusters unlike each other: what their own machinery, their operators, deliveries and people do all
//! day (`tests/data/ordinary.jsonl`), none of it worth an alert.
//!
//! A line of the file is a request that comes again: who, with what, which URI, how often. Lines of one `scene` are one
//! cluster's hour.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{lines, renaming};

/// What is kept of each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Policy {
    Metadata,
    Bodies,
}

/// The part of an event that the API server reads out of the URI.
fn object_ref(uri: &str) -> Option<Value> {
    let path = uri.split('?').next()?.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        [] => return None,
        ["namespaces", name] | ["namespaces", name, "finalize" | "status"] => (*name, rest),
        ["namespaces", name, rest @ ..] => (*name, rest),
        rest => ("", rest),
    };
    let part = |at: usize| rest.get(at).copied().unwrap_or("");
    let members = [
        ("resource", part(0)),
        ("namespace", namespace),
        ("name", part(1)),
        ("apiGroup", group),
        ("apiVersion", version),
        ("subresource", part(2)),
    ];
    Some(members.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

/// One of the requests that a line stands for.
fn event(shape: &Value, line: usize, turn: i64, policy: Policy) -> (DateTime<Utc>, Value) {
    let start: DateTime<Utc> = "2026-11-19T08:00:00Z".parse().expect("a time");
    let number = |key: &str| shape[key].as_i64().unwrap_or_default();
    let micros = (number("at") + turn * number("every")) * 1_000_000 + line as i64;
    let time = start + TimeDelta::microseconds(micros);
    let uri = shape["uri"].as_str().expect("a URI").replace("{n}", &turn.to_string());
    let (code, verb) = (number("code"), &shape["verb"]);
    let stamp = time.to_rfc3339_opts(SecondsFormat::Micros, true);
    let refused = matches!(code, 401 | 403);
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": format!("{line:08}-0000-4000-8000-{turn:012}"), "stage": "ResponseComplete",
        "requestURI": uri, "verb": verb,
        "user": {"username": shape["user"], "groups": ["system:authenticated"]},
        "sourceIPs": [shape["ip"]], "userAgent": shape["agent"], "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
        "annotations": {"authorization.k8s.io/decision": if refused { "forbid" } else { "allow" }, "authorization.k8s.io/reason": ""},
    });
    if let Some(object) = object_ref(&uri) {
        event["objectRef"] = object;
    }
    for (key, place) in [("groups", "/user/groups"), ("stage", "/stage")] {
        if let (Some(value), Some(slot)) = (shape.get(key), event.pointer_mut(place)) {
            *slot = value.clone();
        }
    }
    if let Some(extra) = shape.get("extra") {
        event["user"]["extra"] = extra.clone();
    }
    if let Some(user) = shape.get("impersonated") {
        event["impersonatedUser"] = user.clone();
    }
    for (key, value) in shape["annotations"].as_object().into_iter().flatten() {
        event["annotations"][key] = value.clone();
    }
    let (asked, answered) = (shape.get("body"), shape.get("resp"));
    if policy == Policy::Bodies && (asked.is_some() || answered.is_some()) {
        event["level"] = json!("RequestResponse");
        event["requestObject"] = asked.cloned().unwrap_or_else(|| json!({}));
        // What was written is what is answered, unless the line says that there is more.
        event["responseObject"] = answered.or(asked).cloned().unwrap_or_default();
    }
    (time, event)
}

/// The log of one cluster's hour.
fn hour(shapes: &[Value], policy: Policy) -> Vec<Value> {
    let mut events = Vec::new();
    for (line, shape) in shapes.iter().enumerate() {
        let turns = shape["times"].as_i64().unwrap_or(1);
        events.extend((0..turns).map(|turn| event(shape, line, turn, policy)));
    }
    events.sort_by_key(|(time, _)| *time);
    events.into_iter().map(|(_, event)| event).collect()
}

/// What the program says of a log: severity and title of each alert, with the first of its requests.
fn alerts(log: &[Value]) -> Vec<String> {
    let text: String = log.iter().map(|event| format!("{event}\n")).collect();
    let output = assert_cmd::Command::cargo_bin("kauditui")
        .expect("the program")
        .args(["alerts", "-o", "json", "--min-severity", "medium", "--config", "/dev/null", "-"])
        .write_stdin(text)
        .output()
        .expect("it runs");
    let alerts: Value = serde_json::from_slice(&output.stdout).expect("an array");
    let alerts = alerts.as_array().expect("an array").iter();
    let first = |alert: &Value| log.iter().find(|event| event["auditID"] == alert["auditIDs"][0]).cloned();
    alerts.map(|alert| format!("{} {}\n  {:?}", alert["severity"], alert["title"], first(alert))).collect()
}

fn scenes() -> BTreeMap<String, Vec<Value>> {
    let mut scenes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for shape in lines(include_str!("../data/ordinary.jsonl")) {
        scenes.entry(shape["scene"].as_str().expect("a scene").to_owned()).or_default().push(shape);
    }
    scenes
}

#[test]
fn ordinary_hours_of_other_clusters_raise_no_alert() {
    let (mut events, mut raised) = (0, Vec::new());
    for (scene, shapes) in scenes() {
        for policy in [Policy::Metadata, Policy::Bodies] {
            let log = hour(&shapes, policy);
            events += log.len();
            raised.extend(alerts(&log).into_iter().map(|alert| format!("{scene}, {policy:?}: {alert}")));
        }
    }
    assert!(events > 10_000, "{events} events");
    assert!(raised.is_empty(), "{}", raised.join("\n"));
}

#[test]
fn ordinary_hours_stay_quiet_under_other_names() {
    for (scene, shapes) in scenes() {
        let shapes: Vec<Value> = shapes.iter().map(renaming::elsewhere).collect();
        let raised = alerts(&hour(&shapes, Policy::Bodies));
        assert!(raised.is_empty(), "{scene}: {}", raised.join("\n"));
    }
}

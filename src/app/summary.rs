//! One event in words: who, through what, did what to which object, from where, why it was allowed, with what result.
//!
//! Written from the parsed event, masked already unless secrets are revealed. What a client only claims (its agent,
//! forwarded addresses) is called a claim.

pub mod controller;

use std::borrow::Cow;

use serde_json::Value;

use crate::model::{self, ActorKind, Micros, actor_kind, format_duration, parse_rfc3339};

/// A label and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// `who`, `what`, …
    pub label: &'static str,
    /// In words; from a log, so hostile until made visible.
    pub text: String,
}

/// Describes an event. `ended` is when a later stage ended the request.
pub fn summarise(event: &Value, ended: Option<Micros>) -> Vec<Line> {
    [
        ("who", who(event)),
        ("what", what(event)),
        ("ran", command(event)),
        ("from", from(event)),
        ("why", why(event)),
        ("result", result(event)),
        ("took", took(event, ended)),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(label, text)| Line { label, text })
    .collect()
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn annotation<'a>(event: &'a Value, key: &str) -> &'a str {
    event.get("annotations").and_then(|a| a.get(key)).and_then(Value::as_str).unwrap_or("")
}

fn who(event: &Value) -> String {
    let user = text(event, "/user/username");
    let mut out = match user {
        "" if text(event, "/responseStatus/reason") == "Unauthorized" || code(event) == 401 => {
            "nobody: authentication failed".to_owned()
        }
        "" => "nobody named".to_owned(),
        name => name.to_owned(),
    };
    if !matches!(actor_kind(user), ActorKind::ControlPlane | ActorKind::Node) {
        let groups: Vec<&str> =
            strings(event.pointer("/user/groups")).filter(|g| *g != "system:authenticated").collect();
        if !groups.is_empty() {
            out += &format!(" ({})", groups.join(", "));
        }
    }
    let acted_as = text(event, "/impersonatedUser/username");
    if !acted_as.is_empty() {
        out += &format!(" acting as {acted_as}");
    }
    let pod = extra(event, "authentication.kubernetes.io/pod-name");
    if !pod.is_empty() {
        out += &format!(" · token of pod {pod}");
        let node = extra(event, "authentication.kubernetes.io/node-name");
        if !node.is_empty() {
            out += &format!(" on {node}");
        }
    }
    out
}

fn extra<'a>(event: &'a Value, key: &str) -> &'a str {
    event
        .pointer("/user/extra")
        .and_then(|e| e.get(key))
        .and_then(|v| v.get(0))
        .and_then(Value::as_str)
        .unwrap_or("")
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn what(event: &Value) -> String {
    let verb = text(event, "/verb");
    let resource = text(event, "/objectRef/resource");
    if resource.is_empty() {
        return format!("{verb} {}", text(event, "/requestURI"));
    }
    let mut out = format!("{verb} {resource}");
    let group = text(event, "/objectRef/apiGroup");
    if !group.is_empty() {
        out += &format!(".{group}");
    }
    let subresource = text(event, "/objectRef/subresource");
    if !subresource.is_empty() {
        out += &format!("/{subresource}");
    }
    let (namespace, mut name) = (text(event, "/objectRef/namespace"), text(event, "/objectRef/name"));
    if name.is_empty() {
        name = text(event, "/responseObject/metadata/name");
    }
    match (namespace, name) {
        ("", "") => out += if matches!(verb, "list" | "watch") { ", all of the cluster" } else { "" },
        (namespace, "") => out += &format!(", all in {namespace}"),
        ("", name) => out += &format!(" {name}"),
        (namespace, name) if resource == "namespaces" && namespace == name => out += &format!(" {name}"),
        (namespace, name) => out += &format!(" {namespace}/{name}"),
    }
    if parameter(event, "dryRun").is_some() {
        out += " · dry run: nothing was changed";
    }
    if let Some(manager) = parameter(event, "fieldManager") {
        out += &format!(" · field manager {manager}");
    }
    out
}

fn parameter<'a>(event: &'a Value, name: &'a str) -> Option<Cow<'a, str>> {
    model::parameter(text(event, "/requestURI"), name)
}

fn command(event: &Value) -> String {
    if !matches!(text(event, "/objectRef/subresource"), "exec" | "attach" | "portforward") {
        return String::new();
    }
    let mut out = model::command(text(event, "/requestURI"));
    if let Some(container) = parameter(event, "container") {
        out += &format!("{}in container {container}", if out.is_empty() { "" } else { " · " });
    }
    out
}

fn from(event: &Value) -> String {
    let addresses: Vec<&str> = strings(event.get("sourceIPs")).collect();
    let mut out = addresses.last().map_or("address not logged".to_owned(), |last| (*last).to_owned());
    if let Some((_, claimed)) = addresses.split_last().filter(|(_, claimed)| !claimed.is_empty()) {
        out += &format!(" (claims to come from {})", claimed.join(", "));
    }
    let agent = text(event, "/userAgent");
    if !agent.is_empty() {
        out += &format!(" · {} (as it calls itself: {agent})", model::tool(agent));
    }
    out
}

fn why(event: &Value) -> String {
    let reason = annotation(event, "authorization.k8s.io/reason");
    match annotation(event, "authorization.k8s.io/decision") {
        "allow" if reason.is_empty() => {
            "allowed without a binding: system:masters, or the node authorizer".to_owned()
        }
        "allow" => format!("allowed: {}", reason.strip_prefix("RBAC: allowed by ").unwrap_or(reason)),
        "forbid" if reason.is_empty() => "refused: no rule allows it".to_owned(),
        "forbid" => format!("refused: {reason}"),
        _ => String::new(),
    }
}

fn code(event: &Value) -> u64 {
    event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0)
}

fn result(event: &Value) -> String {
    let stage = text(event, "/stage");
    if stage == "RequestReceived" {
        return "no answer logged".to_owned();
    }
    let mut out = match code(event) {
        0 => "no status code logged".to_owned(),
        code => code.to_string(),
    };
    for pointer in ["/responseStatus/reason", "/responseStatus/message"] {
        let part = text(event, pointer);
        if !part.is_empty() {
            out += &format!(" · {part}");
        }
    }
    if stage == "Panic" {
        out += " · the API server panicked";
    }
    for key in [
        "pod-security.kubernetes.io/audit-violations",
        "validation.policy.admission.k8s.io/validation_failure",
    ] {
        let violation = annotation(event, key);
        if !violation.is_empty() {
            out += &format!(" · {violation}");
        }
    }
    out
}

fn took(event: &Value, ended: Option<Micros>) -> String {
    let time = |key: &str| event.get(key).and_then(Value::as_str).and_then(|t| parse_rfc3339(t.as_bytes()));
    let (Some(received), Some(stage)) = (time("requestReceivedTimestamp"), time("stageTimestamp")) else {
        return String::new();
    };
    if text(event, "/stage") == "RequestReceived" && ended.is_none() {
        return String::new();
    }
    let answered = format_duration(stage - received);
    // A refused login is logged as ResponseStarted with nothing behind it.
    let is_answer_only = text(event, "/stage") == "ResponseStarted" && code(event) != 401;
    let mut out = match ended {
        Some(ended) => format!("{} (answer began after {answered})", format_duration(ended - received)),
        None if is_answer_only => format!("no end logged (answer began after {answered})"),
        None => answered,
    };
    let split = latency_split(event);
    if !split.is_empty() {
        out += &format!(" · {split}");
    }
    out
}

/// Where the time went, from the annotations that the API server adds to requests of more than half a second.
fn latency_split(event: &Value) -> String {
    let Some(annotations) = event.get("annotations").and_then(Value::as_object) else { return String::new() };
    let parts: Vec<String> = annotations
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("apiserver.latency.k8s.io/")?, value.as_str()?)))
        .filter(|(key, _)| *key != "total")
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(event: &Value, label: &str) -> String {
        summarise(event, None).into_iter().find(|l| l.label == label).map(|l| l.text).unwrap_or_default()
    }

    #[test]
    fn an_exec_is_told_in_words() {
        let event = json!({
            "stage": "ResponseStarted", "verb": "get",
            "requestURI": "/api/v1/namespaces/prod/pods/web/exec?command=sh&command=-c&command=cat%20%2Fetc%2Fpasswd&container=app",
            "user": {"username": "bob", "groups": ["dev", "system:authenticated"]},
            "impersonatedUser": {"username": "admin"},
            "sourceIPs": ["1.1.1.1", "10.0.0.9"], "userAgent": "kubectl/v1.34.1 (linux/amd64)",
            "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "prod", "name": "web"},
            "responseStatus": {"code": 101},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z", "stageTimestamp": "2026-01-01T00:00:00.250000Z",
            "annotations": {"authorization.k8s.io/decision": "allow",
                "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding \"x\" of Role \"y\" to User \"admin\""}
        });
        assert_eq!(line(&event, "who"), "bob (dev) acting as admin");
        assert_eq!(line(&event, "what"), "get pods/exec prod/web");
        assert_eq!(line(&event, "ran"), "sh -c cat /etc/passwd · in container app");
        assert!(line(&event, "from").starts_with("10.0.0.9 (claims to come from 1.1.1.1) · kubectl"));
        assert_eq!(line(&event, "why"), "allowed: RoleBinding \"x\" of Role \"y\" to User \"admin\"");
        assert_eq!(line(&event, "took"), "no end logged (answer began after 250.0 ms)");
        let mut refused = event.clone();
        refused["responseStatus"]["code"] = json!(401);
        assert_eq!(line(&refused, "took"), "250.0 ms");
    }

    #[test]
    fn odd_events_are_told_too() {
        assert_eq!(line(&json!({"responseStatus": {"code": 401}}), "who"), "nobody: authentication failed");
        assert_eq!(line(&json!({"stage": "RequestReceived"}), "result"), "no answer logged");
        assert!(summarise(&json!([]), None).iter().all(|l| !l.label.is_empty()));
        let listed = json!({"verb": "list", "objectRef": {"resource": "secrets", "namespace": "prod"}});
        assert_eq!(line(&listed, "what"), "list secrets, all in prod");
    }
}

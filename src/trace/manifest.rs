//! An object's state for people: with its secret values masked, as a manifest that can be created again.

use serde_json::{Map, Value, json};

use super::difference::FieldChange;
use super::path::{Path, Step};
use crate::redact;

/// The same state with secret values replaced by marks; keys, names and the shape stay.
pub fn masked(state: &Value, resource: &str) -> Value {
    let mut event = json!({ "objectRef": { "resource": resource }, "responseObject": state });
    redact::mask_event(&mut event);
    event.get_mut("responseObject").map(Value::take).unwrap_or_default()
}

/// How a change is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownChange {
    /// Where, as people write it.
    pub path: String,
    /// What was there, as text on one line; `None` when it was added.
    pub before: Option<String>,
    /// What is there; `None` when it was removed.
    pub after: Option<String>,
    /// Whether it is folded by default.
    pub is_noise: bool,
    /// Whether values are hidden: only that they changed is shown.
    pub is_masked: bool,
}

/// Changes between two states as they may be shown. They are found in the real states, and told by the masked ones; a
/// hidden value tells neither its length nor its beginning.
pub fn shown(
    changes: &[FieldChange],
    before: &Value,
    after: &Value,
    resource: &str,
    revealed: bool,
) -> Vec<ShownChange> {
    if revealed {
        let said = |value: &Option<Value>| value.as_ref().map(one_line);
        return changes
            .iter()
            .map(|change| ShownChange {
                path: change.path.to_string(),
                before: said(&change.before),
                after: said(&change.after),
                is_noise: change.noise().is_some(),
                is_masked: false,
            })
            .collect();
    }
    let paths: Vec<&Path> = changes.iter().map(|change| &change.path).collect();
    let before = masked(&pruned(before, &paths), resource);
    let after = masked(&pruned(after, &paths), resource);
    changes
        .iter()
        .map(|change| {
            let old = change.before.as_ref().map(|real| (real, change.path.of(&before)));
            let new = change.after.as_ref().map(|real| (real, change.path.of(&after)));
            let is_masked = [old, new].into_iter().flatten().any(|(real, shown)| shown != Some(real));
            let said = |both: Option<(&Value, Option<&Value>)>| both.map(|(_, shown)| hidden(shown));
            let masked_state = if change.after.is_some() { &after } else { &before };
            ShownChange {
                path: shown_path(&change.path, masked_state),
                before: said(old),
                after: said(new),
                is_noise: change.noise().is_some(),
                is_masked,
            }
        })
        .collect()
}

/// The part of a state that paths lead to, with all that decides whether it is secret: the single values beside it at
/// each step. Masking a whole object for the sake of one field would take longer than finding the field.
fn pruned(state: &Value, paths: &[&Path]) -> Value {
    let mut kept = Value::Null;
    for path in paths {
        keep(state, &path.0, &mut kept);
    }
    kept
}

fn keep(state: &Value, steps: &[Step], kept: &mut Value) {
    let Some((first, rest)) = steps.split_first() else {
        kept.clone_from(state);
        return;
    };
    match (state, first) {
        (Value::Object(members), Step::Member(name)) => {
            if !kept.is_object() {
                let is_single = |value: &Value| !value.is_object() && !value.is_array();
                let beside = members.iter().filter(|(_, value)| is_single(value));
                *kept = Value::Object(beside.map(|(key, value)| (key.clone(), value.clone())).collect());
            }
            if let (Some(below), Value::Object(kept)) = (members.get(name), kept) {
                keep(below, rest, kept.entry(name.clone()).or_insert(Value::Null));
            }
        }
        // An item that is known by its place needs those before it.
        (Value::Array(_), Step::Index(_)) => kept.clone_from(state),
        (Value::Array(_), _) => {
            if !kept.is_array() {
                *kept = Value::Array(Vec::new());
            }
            let (Some(item), Value::Array(kept)) = (first.of(state), kept) else { return };
            let known = kept.iter().position(|known| match first {
                Step::Known { by, .. } => known.get(by) == item.get(by),
                _ => false,
            });
            let at = known.unwrap_or_else(|| {
                kept.push(Value::Null);
                kept.len() - 1
            });
            if let Some(place) = kept.get_mut(at) {
                keep(item, rest, place);
            }
        }
        _ => {}
    }
}

/// A path whose items are known by nothing that is masked in the state.
fn shown_path(path: &Path, masked: &Value) -> String {
    let mut place = Some(masked);
    let mut shown = Path::default();
    for step in &path.0 {
        place = place.and_then(|value| step.of(value));
        shown.0.push(match step {
            Step::Known { by, .. } if place.is_none() => {
                Step::Known { by: by.clone(), value: "‹masked›".to_owned() }
            }
            other => other.clone(),
        });
    }
    redact::mask_text(&shown.to_string()).into_owned()
}

/// A masked value on one line, without the lengths that its marks tell.
fn hidden(value: Option<&Value>) -> String {
    let Some(value) = value else { return "‹masked›".to_owned() };
    let text = one_line(value);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("‹masked,") {
        let Some(length) = rest[start..].find('›') else { break };
        out += &rest[..start];
        out += "‹masked›";
        rest = &rest[start + length + '›'.len_utf8()..];
    }
    out + rest
}

fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('\n', "⏎"),
        other => other.to_string(),
    }
}

/// The state as `kubectl create -f` takes it: without what the server fills in.
pub fn manifest(state: &Value) -> Value {
    let Value::Object(members) = state else { return state.clone() };
    let mut result = Map::new();
    let order = ["apiVersion", "kind", "metadata"];
    let rest = members.keys().map(String::as_str).filter(|key| !order.contains(key) && *key != "status");
    for key in order.into_iter().chain(rest) {
        let Some(value) = members.get(key) else { continue };
        let value = if key == "metadata" { metadata(value) } else { value.clone() };
        result.insert(key.to_owned(), value);
    }
    let mut result = Value::Object(result);
    if result.get("kind").and_then(Value::as_str) == Some("Job") {
        without_selector(&mut result);
    }
    result
}

/// Takes from a Job what the server made to find its Pods by, from its uid: it takes that from nobody else.
fn without_selector(job: &mut Value) {
    const MADE: [&str; 4] =
        ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];
    if job.pointer("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::Object(spec)) = job.get_mut("spec") {
        spec.shift_remove("selector");
    }
    for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(Value::Object(labels)) = job.pointer_mut(labels) {
            labels.retain(|key, _| !MADE.contains(&key.as_str()));
        }
    }
}

fn metadata(value: &Value) -> Value {
    const FILLED_IN: [&str; 9] = [
        "managedFields",
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        // Their uids are another cluster life's.
        "ownerReferences",
    ];
    let Value::Object(members) = value else { return value.clone() };
    let is_filled_in = |key: &str| {
        // What the name was made of says nothing more.
        FILLED_IN.contains(&key) || (key == "generateName" && members.contains_key("name"))
    };
    let mut kept = Map::new();
    for (key, value) in members.iter().filter(|(key, _)| !is_filled_in(key)) {
        let value = match value {
            Value::Object(annotations) if key == "annotations" => {
                let own = |key: &str| {
                    key == "kubectl.kubernetes.io/last-applied-configuration"
                        || key == "deployment.kubernetes.io/revision"
                };
                let kept: Map<String, Value> = annotations
                    .iter()
                    .filter(|(key, _)| !own(key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if kept.is_empty() {
                    continue;
                }
                Value::Object(kept)
            }
            other => other.clone(),
        };
        kept.insert(key.clone(), value);
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::difference::differences;
    use crate::trace::yaml::yaml;

    fn change(before: &Value, after: &Value, resource: &str) -> Vec<ShownChange> {
        shown(&differences(before, after), before, after, resource, false)
    }

    #[test]
    fn secrets_are_told_as_changed_only() {
        let before = json!({"kind": "Secret", "data": {"password": "aHVudGVyMg==", "same": "eA=="}});
        let after = json!({"kind": "Secret", "data": {"password": "c3dvcmRmaXNoMTIz", "same": "eA==", "new": "YQ=="}});
        let shown = change(&before, &after, "secrets");
        assert_eq!(shown.len(), 2);
        for line in &shown {
            assert!(line.is_masked, "{line:?}");
            let said = format!("{line:?}");
            for secret in ["aHVudGVyMg", "c3dvcmRmaXNo", "YQ==", "bytes"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
        let revealed = super::shown(&differences(&before, &after), &before, &after, "secrets", true);
        assert_eq!(revealed[0].before.as_deref(), Some("aHVudGVyMg=="));
    }

    /// No API server takes such a Secret; a log may say anything.
    #[test]
    fn the_path_to_a_secret_tells_nothing_of_it() {
        let secret = |value: &str| json!({"kind": "Secret", "data": [{"name": "swordfish", "value": value}]});
        let shown = change(&secret("hunter2"), &secret("hunter3"), "secrets");
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].path, "data[‹masked›].value");
        let gone = change(&secret("hunter2"), &json!({"kind": "Secret", "data": []}), "secrets");
        for said in [format!("{shown:?}"), format!("{gone:?}")] {
            assert!(!said.contains("swordfish") && !said.contains("hunter"), "{said}");
        }
    }

    #[test]
    fn what_went_wrong_in_a_config_map_is_shown() {
        let before =
            json!({"kind": "ConfigMap", "data": {"DB_HOST": "db-1", "DB_PASSWORD": "hunter2hunter2"}});
        let after =
            json!({"kind": "ConfigMap", "data": {"DB_HOST": "db-2", "DB_PASSWORD": "other-password"}});
        let shown = change(&before, &after, "configmaps");
        let host = shown.iter().find(|line| line.path == "data.DB_HOST").expect("it changed");
        assert_eq!((host.before.as_deref(), host.after.as_deref()), (Some("db-1"), Some("db-2")));
        let password = shown.iter().find(|line| line.path == "data.DB_PASSWORD").expect("it changed");
        assert!(password.is_masked && !format!("{password:?}").contains("hunter2"));
    }

    #[test]
    fn a_manifest_can_be_created_again() {
        let state = json!({"status": {"x": 1}, "kind": "Deployment", "apiVersion": "apps/v1",
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "5", "managedFields": [],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"replicas": 2, "version": "1.10", "on": "yes", "script": "a\nb\n"}});
        let text = yaml(&manifest(&state));
        assert!(
            text.starts_with("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n"),
            "{text}"
        );
        assert!(!text.contains("status") && !text.contains("annotations"), "{text}");
        let back: Value = yaml_serde::from_str(&text).expect("it is YAML");
        assert_eq!(back, manifest(&state));
        // kubectl reads YAML 1.1, to which a bare yes is a boolean.
        for value in ["1.10", "yes"] {
            assert!(text.contains(&format!("'{value}'")) || text.contains(&format!("\"{value}\"")), "{text}");
        }
    }

    #[test]
    fn a_job_can_be_created_again() {
        let labels =
            json!({"app": "report", "controller-uid": "u", "batch.kubernetes.io/job-name": "report-1"});
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "report-1", "generateName": "report-", "labels": labels},
            "spec": {"selector": {"matchLabels": {"controller-uid": "u"}},
                "template": {"metadata": {"labels": labels}, "spec": {}}}});
        assert_eq!(
            manifest(&job),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report-1", "labels": {"app": "report"}},
                "spec": {"template": {"metadata": {"labels": {"app": "report"}}, "spec": {}}}})
        );
        job["spec"]["manualSelector"] = json!(true);
        assert_eq!(manifest(&job)["spec"], job["spec"], "a selector that somebody chose stays");
    }

    #[test]
    fn what_has_no_name_yet_keeps_what_it_is_made_of() {
        let state = json!({"metadata": {"generateName": "report-"}});
        assert_eq!(manifest(&state), state);
    }
}

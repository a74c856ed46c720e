//! What a patch is about: the short command of kubectl that sends such a patch.

use serde_json::{Map, Value};

/// A change that kubectl has a command of its own for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// `spec.replicas`
    Scale(u64),
    /// `spec.unschedulable` of a node
    Cordon(bool),
    /// `spec.paused` of a deployment
    Pause(bool),
    /// The annotation that makes the pods of a template start anew
    Restart,
    /// `KEY=VALUE`, or `KEY-` for one that goes
    Label(Vec<String>),
    /// `KEY=VALUE`, or `KEY-` for one that goes
    Annotate(Vec<String>),
    /// `KEY=VALUE:EFFECT`: all taints that the node is to have
    Taints(Vec<String>),
    /// `CONTAINER=IMAGE`
    Images(Vec<String>),
    /// The containers (none: all) and `NAME=VALUE`, or `NAME-` for one that goes
    Environment(Option<String>, Vec<String>),
}

/// Whether it matters which of the merge patches a body is: RFC 7386's or Kubernetes' strategic one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Merging {
    /// Neither lists nor directives: both come to the same.
    Alike,
    /// It has the directives of a strategic one.
    Directed,
    /// It has lists, which a merge patch replaces and a strategic one may join.
    Lists,
}

const RESTARTED_AT: [&str; 5] =
    ["spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"];

/// Whether it matters which of the merge patches this is.
pub(super) fn merging(patch: &Value) -> Merging {
    if holds(patch, &|key, _| is_directive(key)) {
        Merging::Directed
    } else if holds(patch, &|_, value| value.is_array()) {
        Merging::Lists
    } else {
        Merging::Alike
    }
}

/// The directives of strategic merge patches (`k8s.io/apimachinery/pkg/util/strategicpatch`).
fn is_directive(key: &str) -> bool {
    matches!(key, "$patch" | "$retainKeys")
        || key.starts_with("$setElementOrder/")
        || key.starts_with("$deleteFromPrimitiveList/")
}

/// Whether any member anywhere passes the test.
fn holds(value: &Value, test: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(key, member)| test(key, member) || holds(member, test))
        }
        Value::Array(items) => items.iter().any(|item| holds(item, test)),
        _ => false,
    }
}

/// The command that kubectl has for this merge patch or strategic merge patch on a resource.
pub(super) fn change(patch: &Value, resource: &str) -> Option<Change> {
    if let Some(replicas) = only(patch, &["spec", "replicas"]) {
        return replicas.as_u64().map(Change::Scale);
    }
    if let Some(value) = only(patch, &["spec", "unschedulable"]).filter(|_| resource == "nodes") {
        return flag(value).map(Change::Cordon);
    }
    if let Some(value) = only(patch, &["spec", "paused"]).filter(|_| resource == "deployments") {
        return flag(value).map(Change::Pause);
    }
    if only(patch, &RESTARTED_AT).is_some() {
        return Some(Change::Restart);
    }
    if let Some(labels) = only(patch, &["metadata", "labels"]) {
        return pairs(labels).map(Change::Label);
    }
    if let Some(annotations) = only(patch, &["metadata", "annotations"]) {
        return pairs(annotations).map(Change::Annotate);
    }
    if let Some(taints) = only(patch, &["spec", "taints"]).filter(|_| resource == "nodes") {
        return all_taints(taints).map(Change::Taints);
    }
    let pod: &[&str] = match resource {
        "pods" => &["spec"],
        "cronjobs" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    let pod = only(patch, pod)?.as_object()?;
    images(pod).or_else(|| environment(pod))
}

/// What stands at a path, if nothing stands beside it.
fn only<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| {
        let members = value.as_object()?;
        if members.len() == 1 { members.get(*key) } else { None }
    })
}

/// A flag; a patch may take it away instead of saying `false`.
fn flag(value: &Value) -> Option<bool> {
    if value.is_null() { Some(false) } else { value.as_bool() }
}

/// `KEY=VALUE` and `KEY-`.
fn pairs(values: &Value) -> Option<Vec<String>> {
    let values = values.as_object()?;
    if values.is_empty() {
        return None;
    }
    values.iter().map(|(key, value)| pair(key, value)).collect()
}

fn pair(key: &str, value: &Value) -> Option<String> {
    // Neither an option nor what takes a key away may come of it.
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(is_key) || key.starts_with('-') || key.ends_with('-') {
        return None;
    }
    match value {
        Value::Null => Some(format!("{key}-")),
        Value::String(value) => Some(format!("{key}={value}")),
        _ => None,
    }
}

/// `KEY=VALUE:EFFECT` for each taint.
pub(super) fn all_taints(taints: &Value) -> Option<Vec<String>> {
    let taint = |taint: &Value| {
        let text = |key: &str| taint.get(key).and_then(Value::as_str);
        let (key, effect) = (text("key")?, text("effect")?);
        let pair = pair(key, &Value::from(text("value").unwrap_or("")))?;
        Some(format!("{}:{effect}", pair.strip_suffix('=').unwrap_or(&pair)))
    };
    taints.as_array()?.iter().map(taint).collect()
}

/// The containers that a patch of a pod or of its template names, if it is about nothing else.
fn containers(pod: &Map<String, Value>) -> Option<Vec<&Map<String, Value>>> {
    let mut found = Vec::new();
    for (key, value) in pod {
        match key.as_str() {
            "containers" | "initContainers" => {
                for container in value.as_array()? {
                    found.push(container.as_object()?);
                }
            }
            "$setElementOrder/containers" | "$setElementOrder/initContainers" => {}
            _ => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

fn name_of(container: &Map<String, Value>) -> Option<&str> {
    container.get("name")?.as_str().filter(|name| !name.is_empty() && !name.starts_with('-'))
}

/// `kubectl set image`
fn images(pod: &Map<String, Value>) -> Option<Change> {
    let image = |container: &Map<String, Value>| {
        let pair = format!("{}={}", name_of(container)?, container.get("image")?.as_str()?);
        (container.len() == 2).then_some(pair)
    };
    containers(pod)?.into_iter().map(image).collect::<Option<_>>().map(Change::Images)
}

/// `kubectl set env`, which sets the same in one container or in all.
fn environment(pod: &Map<String, Value>) -> Option<Change> {
    let containers = containers(pod)?;
    let mut settings: Option<Vec<String>> = None;
    for container in &containers {
        let known = |key: &String| matches!(key.as_str(), "name" | "env" | "$setElementOrder/env");
        let own: Option<Vec<String>> = container.get("env")?.as_array()?.iter().map(setting).collect();
        let own = own.filter(|own| !own.is_empty() && container.keys().all(known))?;
        if settings.as_ref().is_some_and(|others| *others != own) {
            return None;
        }
        settings = Some(own);
    }
    let settings = settings?;
    let ordered = pod.get("$setElementOrder/containers").and_then(Value::as_array);
    if ordered.is_some_and(|all| all.len() == containers.len()) {
        return Some(Change::Environment(None, settings));
    }
    match containers.as_slice() {
        [container] => Some(Change::Environment(Some(name_of(container)?.to_owned()), settings)),
        _ => None,
    }
}

fn setting(variable: &Value) -> Option<String> {
    let variable = variable.as_object()?;
    let name = variable.get("name")?.as_str()?;
    let value = match (variable.get("value"), variable.get("$patch").and_then(Value::as_str)) {
        (Some(Value::String(value)), None) => Value::from(value.as_str()),
        (None, Some("delete")) => Value::Null,
        _ => return None,
    };
    if variable.len() != 2 { None } else { pair(name, &value) }
}

/// The merge patch (RFC 7386) from one state of an object to another, without what the API server keeps by itself.
pub(super) fn between(before: &Value, after: &Value) -> Value {
    let mut patch = difference(before, after);
    if let Some(patch) = patch.as_object_mut() {
        patch.remove("status");
        if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| {
                matches!(key.as_str(), "labels" | "annotations" | "finalizers" | "ownerReferences")
            });
            if metadata.is_empty() {
                patch.remove("metadata");
            }
        }
    }
    patch
}

fn difference(before: &Value, after: &Value) -> Value {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return after.clone() };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(known) if known == value => {}
            Some(known) => {
                patch.insert(key.clone(), difference(known, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

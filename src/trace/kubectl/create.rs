//! Requests that create: as the short commands of `kubectl create` where those make the same body, as a file to read
//! otherwise.

use serde_json::{Map, Value};

use super::{Asked, BODY_NOT_LOGGED, KubectlLine};
use crate::model::named_field_manager;

/// The annotation in which `kubectl apply` keeps what it was given.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(super) fn create(asked: &Asked<'_>) -> KubectlLine {
    let object = &asked.request.object;
    match (object.resource.as_str(), asked.request.subresource.as_str()) {
        ("", _) => asked.raw("create").reading(asked.body()),
        ("serviceaccounts", "token") => token(asked),
        ("selfsubjectrulesreviews", "") => rules_review(asked),
        ("selfsubjectaccessreviews", "") => access_review(asked).unwrap_or_else(|| from_file(asked)),
        ("selfsubjectreviews", "") => asked.line(["auth", "whoami"]),
        (_, "") => applied(asked).or_else(|| in_short(asked)).unwrap_or_else(|| from_file(asked)),
        // Such as the evictions of `kubectl drain`, or a scheduler's bindings.
        (_, _) => asked.raw("create").reading(asked.body()),
    }
}

fn from_file(asked: &Asked<'_>) -> KubectlLine {
    let manager = named_field_manager(&asked.uri);
    let is_apply = manager.as_deref() == Some("kubectl-client-side-apply");
    asked.write([if is_apply { "apply" } else { "create" }]).reading(asked.body())
}

/// What `kubectl apply` was given, where it left that in an annotation.
pub(super) fn applied(asked: &Asked<'_>) -> Option<KubectlLine> {
    let annotations = asked.body()?.pointer("/metadata/annotations")?;
    let given: Value = serde_json::from_str(annotations.get(LAST_APPLIED)?.as_str()?).ok()?;
    given.is_object().then(|| asked.write(["apply"]).reading(Some(&given)))
}

fn token(asked: &Asked<'_>) -> KubectlLine {
    let name = &asked.request.object.name;
    let Some(spec) = asked.body().and_then(|body| body.get("spec")) else {
        return plain(asked, &["create", "token"]).but(BODY_NOT_LOGGED);
    };
    if !is_word(name) {
        return asked.raw("create").reading(asked.body());
    }
    let mut line = plain(asked, &["create", "token"]);
    if let Some(seconds) = spec.get("expirationSeconds").and_then(Value::as_u64) {
        line.words.push(format!("--duration={seconds}s"));
    }
    let audiences = spec.get("audiences").and_then(Value::as_array);
    for audience in audiences.into_iter().flatten().filter_map(Value::as_str) {
        line.words.push(format!("--audience={audience}"));
    }
    if let Some(bound) = spec.get("boundObjectRef").filter(|bound| bound.is_object()) {
        for (key, option) in
            [("kind", "--bound-object-kind"), ("name", "--bound-object-name"), ("uid", "--bound-object-uid")]
        {
            if let Some(value) = bound.get(key).and_then(Value::as_str) {
                line.words.push(format!("{option}={value}"));
            }
        }
    }
    line
}

fn rules_review(asked: &Asked<'_>) -> KubectlLine {
    let mut line = asked.line(["auth", "can-i", "--list"]);
    match asked.body().and_then(|body| body.pointer("/spec/namespace")).and_then(Value::as_str) {
        Some(namespace) => line.words.extend(["-n".to_owned(), namespace.to_owned()]),
        None => line = line.but("the namespace is not in the log"),
    }
    line
}

/// `kubectl auth can-i VERB RESOURCE`. `None` where the review asks for what the command cannot.
fn access_review(asked: &Asked<'_>) -> Option<KubectlLine> {
    let spec = asked.body()?.get("spec")?;
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut line = asked.line(["auth", "can-i"]);
    if let Some(of) = spec.get("nonResourceAttributes").filter(|of| of.is_object()) {
        let words = [text(of, "verb"), text(of, "path")];
        if !words.iter().all(|word| is_word(word)) {
            return None;
        }
        line.words.extend(words);
        return Some(line);
    }
    let of = spec.get("resourceAttributes")?;
    let [verb, group, resource, name] = ["verb", "group", "resource", "name"].map(|key| text(of, key));
    if !is_word(&verb) || !is_word(&resource) {
        return None;
    }
    let dot = if group.is_empty() { "" } else { "." };
    let slash = if name.is_empty() { "" } else { "/" };
    line.words.extend([verb, format!("{resource}{dot}{group}{slash}{name}")]);
    let [subresource, namespace] = ["subresource", "namespace"].map(|key| text(of, key));
    if !subresource.is_empty() {
        line.words.push(format!("--subresource={subresource}"));
    }
    if !namespace.is_empty() {
        line.words.extend(["-n".to_owned(), namespace]);
    }
    Some(line)
}

/// A command of `kubectl create` that makes this very body, leaving aside what the API server adds to it.
fn in_short(asked: &Asked<'_>) -> Option<KubectlLine> {
    let resource = asked.request.object.resource.as_str();
    let Some(body) = asked.body() else {
        return unknown(asked);
    };
    let body = body.as_object()?;
    if !has_plain_metadata(asked, body) || !is_word(&asked.request.object.name) {
        return None;
    }
    let has_only = |keys: &[&str]| {
        let own = body.iter().filter(|(key, value)| {
            !matches!(key.as_str(), "kind" | "apiVersion" | "metadata" | "status") && !is_empty(value)
        });
        own.into_iter().all(|(key, _)| keys.contains(&key.as_str()))
    };
    match resource {
        "namespaces" if has_only(&[]) => Some(plain(asked, &["create", "namespace"])),
        "serviceaccounts" if has_only(&[]) => Some(plain(asked, &["create", "serviceaccount"])),
        "clusterrolebindings" | "rolebindings" if has_only(&["roleRef", "subjects"]) => binding(asked, body),
        "clusterroles" | "roles" if has_only(&["rules"]) => role(asked, body),
        "configmaps" if has_only(&["data"]) => configmap(asked, body),
        _ => None,
    }
}

/// The command that creates an object of which only the name is known, where the client says that it was such a one.
fn unknown(asked: &Asked<'_>) -> Option<KubectlLine> {
    let manager = named_field_manager(&asked.uri);
    if manager.as_deref() != Some("kubectl-create") || !is_word(&asked.request.object.name) {
        return None;
    }
    let command: &[&str] = match asked.request.object.resource.as_str() {
        "namespaces" => &["create", "namespace"],
        "serviceaccounts" => &["create", "serviceaccount"],
        "configmaps" => &["create", "configmap"],
        "secrets" => &["create", "secret", "generic"],
        "clusterroles" => &["create", "clusterrole"],
        "clusterrolebindings" => &["create", "clusterrolebinding"],
        "roles" => &["create", "role"],
        "rolebindings" => &["create", "rolebinding"],
        "deployments" => &["create", "deployment"],
        "jobs" => &["create", "job"],
        "cronjobs" => &["create", "cronjob"],
        _ => return None,
    };
    Some(plain(asked, command).but(BODY_NOT_LOGGED))
}

/// `kubectl create WHAT NAME`.
fn plain(asked: &Asked<'_>, words: &[&str]) -> KubectlLine {
    let name = asked.request.object.name.as_str();
    let name = if name.is_empty() { "NAME" } else { name };
    asked.write(words.iter().copied().chain([name]))
}

fn binding(asked: &Asked<'_>, body: &Map<String, Value>) -> Option<KubectlLine> {
    let is_for_cluster = asked.request.object.resource == "clusterrolebindings";
    let mut line =
        plain(asked, &["create", if is_for_cluster { "clusterrolebinding" } else { "rolebinding" }]);
    let role = body.get("roleRef")?;
    let role_name = role.get("name")?.as_str()?;
    line.words.push(match role.get("kind")?.as_str()? {
        "ClusterRole" => format!("--clusterrole={role_name}"),
        "Role" if !is_for_cluster => format!("--role={role_name}"),
        _ => return None,
    });
    for subject in body.get("subjects").and_then(Value::as_array).into_iter().flatten() {
        let name = subject.get("name")?.as_str()?;
        line.words.push(match subject.get("kind")?.as_str()? {
            "User" => format!("--user={name}"),
            "Group" => format!("--group={name}"),
            "ServiceAccount" => format!("--serviceaccount={}:{name}", subject.get("namespace")?.as_str()?),
            _ => return None,
        });
    }
    Some(line)
}

/// A role whose rules grant the same verbs; kubectl makes one rule a group out of them.
fn role(asked: &Asked<'_>, body: &Map<String, Value>) -> Option<KubectlLine> {
    let rules = body.get("rules")?.as_array()?;
    let verbs = words_of(rules.first()?.get("verbs")?)?;
    let mut resources = Vec::new();
    for rule in rules {
        let rule = rule.as_object()?;
        let known = |key: &String| matches!(key.as_str(), "verbs" | "apiGroups" | "resources");
        let groups = words_of(rule.get("apiGroups")?)?;
        let [group] = groups.as_slice() else { return None };
        if !rule.keys().all(known) || words_of(rule.get("verbs")?)? != verbs {
            return None;
        }
        for resource in words_of(rule.get("resources")?)? {
            // `deployments.apps/scale`
            let (name, sub) = resource.split_once('/').map_or((resource, ""), |(name, sub)| (name, sub));
            let dot = if group.is_empty() { "" } else { "." };
            let slash = if sub.is_empty() { "" } else { "/" };
            resources.push(format!("{name}{dot}{group}{slash}{sub}"));
        }
    }
    // A comma would part them, and `*` is refused beside others.
    let parts = verbs.iter().copied().chain(resources.iter().map(String::as_str));
    if parts.into_iter().any(|part| !is_word(part) || part.contains([',', '*'])) {
        return None;
    }
    let is_for_cluster = asked.request.object.resource == "clusterroles";
    let mut line = plain(asked, &["create", if is_for_cluster { "clusterrole" } else { "role" }]);
    line.words.extend([format!("--verb={}", verbs.join(",")), format!("--resource={}", resources.join(","))]);
    Some(line)
}

fn configmap(asked: &Asked<'_>, body: &Map<String, Value>) -> Option<KubectlLine> {
    let mut line = plain(asked, &["create", "configmap"]);
    for (key, value) in body.get("data").and_then(Value::as_object).into_iter().flatten() {
        if key.contains('=') {
            return None;
        }
        line.words.push(format!("--from-literal={key}={}", value.as_str()?));
    }
    Some(line)
}

fn words_of(list: &Value) -> Option<Vec<&str>> {
    list.as_array()?.iter().map(Value::as_str).collect()
}

/// Whether the metadata says nothing but where the object is.
fn has_plain_metadata(asked: &Asked<'_>, body: &Map<String, Value>) -> bool {
    let object = &asked.request.object;
    let Some(metadata) = body.get("metadata").and_then(Value::as_object) else { return false };
    metadata.iter().all(|(key, value)| match key.as_str() {
        "name" => value.as_str() == Some(&object.name),
        "namespace" => value.as_str() == Some(&object.namespace),
        // The API server gives it to each namespace.
        "labels" if object.resource == "namespaces" => value
            .as_object()
            .is_some_and(|labels| labels.keys().all(|key| key == "kubernetes.io/metadata.name")),
        _ => is_empty(value),
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Whether a command takes this for a word and not for an option.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-')
}

//! What a PATCH makes of an object: JSON patch, merge patch, strategic merge patch and server-side apply.
//!
//! The log does not say which of them a request was (its Content-Type is not in an audit event), so the body tells, see
//! [`kind_of`]. Where an answer's body is in the log it is the truth; this is for where it is not.

mod apply;
mod json;
mod lists;
mod merge;
mod strategic;

use serde_json::Value;

use crate::model::{named_field_manager, parameter};

pub use lists::{ListKind, list_kind};

/// The kinds of patch that the API server takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatchKind {
    /// `application/json-patch+json`, RFC 6902: a list of operations.
    Json,
    /// `application/merge-patch+json`, RFC 7396.
    Merge,
    /// `application/strategic-merge-patch+json`: merges lists by keys.
    StrategicMerge,
    /// `application/apply-patch+yaml`: the fields that a manager wants to own.
    Apply,
}

impl PatchKind {
    /// As `kubectl patch --type` calls it; `apply` for server-side apply.
    pub fn name(self) -> &'static str {
        match self {
            PatchKind::Json => "json",
            PatchKind::Merge => "merge",
            PatchKind::StrategicMerge => "strategic",
            PatchKind::Apply => "apply",
        }
    }
}

/// Groups whose types know strategic merge; custom resources and aggregated APIs do not.
const BUILT_IN: [&str; 22] = [
    "",
    "admissionregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Which kind of patch a body is, as far as it shows.
///
/// An array is a JSON patch. Only server-side apply has the parameter `force`, may create the object (code 201), and
/// says kind and apiVersion of what it applies under a named field manager. Otherwise built-in types are patched by
/// strategic merge, as `kubectl` and the controllers do, and custom ones by merge patch, since they know nothing else.
pub fn kind_of(body: &Value, request_uri: &str, group: &str, code: u16) -> PatchKind {
    if body.is_array() {
        return PatchKind::Json;
    }
    let says_what = body.get("apiVersion").is_some_and(Value::is_string)
        && body.get("kind").is_some_and(Value::is_string)
        && body.get("metadata").is_some_and(Value::is_object);
    let named = named_field_manager(request_uri);
    // What kubectl's client-side commands send may repeat kind and apiVersion, too.
    let by_client = named.as_deref().is_some_and(|manager| {
        matches!(
            manager,
            "kubectl-client-side-apply"
                | "kubectl-patch"
                | "kubectl-edit"
                | "kubectl-set"
                | "kubectl-rollout"
                | "kubectl-label"
                | "kubectl-annotate"
                | "kubectl-replace"
                | "helm"
        )
    });
    let applies = parameter(request_uri, "force").is_some()
        || code == 201
        || (says_what && named.is_some() && !by_client && !has_directive(body));
    match (applies, is_built_in(group)) {
        (true, _) => PatchKind::Apply,
        (false, true) => PatchKind::StrategicMerge,
        (false, false) => PatchKind::Merge,
    }
}

fn is_built_in(group: &str) -> bool {
    BUILT_IN.contains(&group)
}

fn has_directive(body: &Value) -> bool {
    match body {
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.starts_with('$') || has_directive(value))
        }
        Value::Array(items) => items.iter().any(has_directive),
        _ => false,
    }
}

/// Why the outcome of a patch cannot be known.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cannot(pub String);

fn cannot<T>(why: impl Into<String>) -> Result<T, Cannot> {
    Err(Cannot(why.into()))
}

/// Who patches what of an object: server-side apply asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PatchContext<'c> {
    /// The field manager.
    pub manager: &'c str,
    /// Such as `status`; empty for the object itself.
    pub subresource: &'c str,
}

/// What a patch makes of a state; of [`Value::Null`], where there was no object before.
///
/// # Errors
/// When the state before is not known (`None`), or the patch does not fit it.
pub fn apply(
    kind: PatchKind,
    state: Option<&Value>,
    body: &Value,
    context: PatchContext<'_>,
) -> Result<Value, Cannot> {
    let Some(state) = state else { return cannot("the object's state before the patch is not known") };
    let mut result = match kind {
        PatchKind::Json => json::patched(state, body)?,
        PatchKind::Merge => merge::patched(state, body),
        PatchKind::StrategicMerge => strategic::patched(state, body)?,
        PatchKind::Apply => apply::applied(state, body, context),
    };
    restore(state, &mut result);
    Ok(result)
}

/// Puts back what no patch can take away: clients that encode whole types send `creationTimestamp: null`.
fn restore(before: &Value, after: &mut Value) {
    const SERVERS: [&str; 6] =
        ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation"];
    let Some(before) = before.get("metadata") else { return };
    let Some(Value::Object(after)) = after.get_mut("metadata") else { return };
    for (key, value) in SERVERS.iter().filter_map(|key| Some((*key, before.get(key)?))) {
        if after.get(key).is_none_or(Value::is_null) {
            after.insert(key.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests;

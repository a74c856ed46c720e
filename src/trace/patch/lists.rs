//! How the lists of Kubernetes' built-in types are merged: by which members their items are known, or as sets, or not
//! at all. From the markers `patchMergeKey`, `listType` and `listMapKey` of `k8s.io/api`.
//!
//! A list is told from its own name and that of the list or object it lies in: the types themselves are not in a log.

use serde_json::Value;

/// How a list is merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// Items are known by the first of these members for a strategic merge, and by all of them for apply.
    Map(&'static [&'static str]),
    /// Each value is there once.
    Set,
    /// It is replaced as a whole.
    Atomic,
}

/// How the list `name` is merged, which lies in `parent` (the nearest named member above it; empty at the top).
pub fn list_kind(parent: &str, name: &str) -> ListKind {
    match (parent, name) {
        (_, "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "imagePullSecrets")
        | (_, "env" | "webhooks" | "resourceClaims" | "secrets")
        | ("spec", "matchConditions" | "validations" | "variables") => ListKind::Map(&["name"]),
        (_, "volumeMounts") => ListKind::Map(&["mountPath"]),
        (_, "volumeDevices") => ListKind::Map(&["devicePath"]),
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => {
            ListKind::Map(&["containerPort", "protocol"])
        }
        ("spec", "ports") => ListKind::Map(&["port", "protocol"]),
        (_, "hostAliases" | "podIPs" | "hostIPs") => ListKind::Map(&["ip"]),
        (_, "topologySpreadConstraints") => ListKind::Map(&["topologyKey", "whenUnsatisfiable"]),
        (_, "conditions") => ListKind::Map(&["type"]),
        ("status", "addresses") => ListKind::Map(&["type"]),
        (_, "ownerReferences") => ListKind::Map(&["uid"]),
        (_, "finalizers") => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

/// Whether two items of a list are the same one by these members. An absent member has its default: a port's protocol
/// is TCP.
pub(super) fn same_item(one: &Value, other: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| {
        let member = |item: &Value| match item.get(key) {
            None if *key == "protocol" => Value::from("TCP"),
            found => found.cloned().unwrap_or(Value::Null),
        };
        member(one) == member(other)
    }) && keys.first().is_some_and(|first| one.get(first).is_some())
}

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
        (_, "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env")
        | ("spec", "imagePullSecrets" | "resourceClaims" | "schedulingGates" | "variables")
        | ("status", "resourceClaimStatuses")
        | ("", "secrets" | "webhooks")
        | (_, "matchConditions") => ListKind::Map(&["name"]),
        (_, "volumeMounts") => ListKind::Map(&["mountPath"]),
        (_, "volumeDevices") => ListKind::Map(&["devicePath"]),
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => {
            ListKind::Map(&["containerPort", "protocol"])
        }
        ("spec", "ports") => ListKind::Map(&["port", "protocol"]),
        (_, "hostAliases" | "podIPs" | "hostIPs") => ListKind::Map(&["ip"]),
        (_, "topologySpreadConstraints") => ListKind::Map(&["topologyKey", "whenUnsatisfiable"]),
        (_, "conditions") | ("status", "addresses") => ListKind::Map(&["type"]),
        ("metadata", "ownerReferences") => ListKind::Map(&["uid"]),
        ("metadata", "finalizers") | ("spec", "podCIDRs") => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

/// What an item is known by among the others of its list, as text that two items have in common only if they are the
/// same one; `None` if it has none of the members. An absent member has its default: a port's protocol is TCP.
pub(super) fn identity<K: AsRef<str>>(item: &Value, keys: &[K]) -> Option<String> {
    if !keys.iter().any(|key| item.get(key.as_ref()).is_some()) {
        return None;
    }
    let members = keys.iter().map(|key| match item.get(key.as_ref()) {
        None if key.as_ref() == "protocol" => Value::from("TCP"),
        found => found.cloned().unwrap_or_default(),
    });
    Some(Value::Array(members.collect()).to_string())
}

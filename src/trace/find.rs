//! Finds what somebody asks about: objects as `deploy/web`, requests by the beginning of an auditID; and what they may have
//! meant where there is no such thing.

use std::collections::BTreeSet;

use super::finding::Log;
use super::request::{ObjectKey, Request};
use super::select::requests_with;
use crate::model::{is_write_verb, short_resource};
use crate::query::{is_resource_name, nearest};
use crate::store::{Field, Store};

/// The objects that this log has writes to and that `resource` (plural, singular or short, with or without its group)
/// and `name` may mean, in `namespace` if one is given.
pub fn objects(log: &Log<'_>, resource: &str, name: &str, namespace: Option<&str>) -> Vec<ObjectKey> {
    let (resource, group) = match resource.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (resource, None),
    };
    written(log, name)
        .into_iter()
        .filter(|key| {
            is_resource_name(resource, &key.resource)
                && group.is_none_or(|group| key.group == group)
                && namespace.is_none_or(|namespace| key.namespace == namespace)
        })
        .collect()
}

/// The objects of this name that the log has writes to.
fn written(log: &Log<'_>, name: &str) -> BTreeSet<ObjectKey> {
    let named = requests_with(log.store, &[(Field::Name, name)]).into_iter();
    let requests = named.filter_map(|id| Request::of(log.store, id));
    requests.filter(|request| is_write_verb(&request.verb)).map(|request| request.object).collect()
}

/// What may have been meant by an object that the log has no write to, as `history` takes it: `NAMESPACE/RESOURCE/NAME`.
/// Those of the same name, of which one whose resource is written nearly so goes before all others; else those of a name
/// that is nearly the same.
pub fn near_objects(log: &Log<'_>, resource: &str, name: &str) -> Vec<String> {
    let resource = resource.split_once('.').map_or(resource, |(resource, _)| resource);
    let is_meant = |key: &ObjectKey| is_resource_name(resource, &key.resource);
    let mut keys: Vec<ObjectKey> = written(log, name).into_iter().collect();
    if keys.is_empty() {
        let known: BTreeSet<&str> = log
            .store
            .entries()
            .flat_map(|(_, entry)| entry.segment().column(Field::Name).dictionary.iter())
            .map(|(_, name)| name)
            .collect();
        let near = nearest(name, known.into_iter().filter(|known| !known.is_empty()));
        keys = near.map(|near| written(log, near).into_iter().filter(is_meant).collect()).unwrap_or_default();
    } else if keys.iter().any(is_meant) {
        keys.retain(is_meant);
    } else {
        let plurals = keys.iter().map(|key| key.resource.as_str());
        let near = nearest(resource, plurals.flat_map(|plural| [plural, short_resource(plural)]));
        if let Some(near) = near.map(str::to_owned) {
            keys.retain(|key| is_resource_name(&near, &key.resource));
        }
    }
    let typed = |key: ObjectKey| {
        let place = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
        format!("{place}{}/{}", short_resource(&key.resource), key.name)
    };
    keys.into_iter().map(typed).collect()
}

/// The auditIDs that begin so, in the order of the alphabet, at most `most` of them.
pub fn audit_ids_beginning(store: &Store, beginning: &str, most: usize) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for (_, entry) in store.entries() {
        let segment = entry.segment();
        for audit_id in (0..segment.rows()).map(|row| segment.audit_id(row)) {
            if audit_id.starts_with(beginning) {
                found.insert(audit_id);
            }
        }
        while found.len() > most {
            found.pop_last();
        }
    }
    found.into_iter().collect()
}

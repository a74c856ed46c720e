//! Finds the objects that somebody asks about as `deploy/web`.

use std::collections::BTreeSet;

use super::finding::Log;
use super::request::{ObjectKey, Request};
use super::select::requests_with;
use crate::model::is_write_verb;
use crate::query::is_resource_name;
use crate::store::Field;

/// The objects that this log has writes to and that `resource` (plural, singular or short, with or without its group)
/// and `name` may mean, in `namespace` if one is given.
pub fn objects(log: &Log<'_>, resource: &str, name: &str, namespace: Option<&str>) -> Vec<ObjectKey> {
    let (resource, group) = match resource.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (resource, None),
    };
    let named = requests_with(log.store, &[(Field::Name, name)]);
    let keys: BTreeSet<ObjectKey> = named
        .into_iter()
        .filter_map(|id| Request::of(log.store, id))
        .filter(|request| {
            let key = &request.object;
            is_write_verb(&request.verb)
                && is_resource_name(resource, &key.resource)
                && group.is_none_or(|group| key.group == group)
                && namespace.is_none_or(|namespace| key.namespace == namespace)
        })
        .map(|request| request.object)
        .collect();
    keys.into_iter().collect()
}

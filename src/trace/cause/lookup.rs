//! Finds the requests that a step back needs: the last write to an object, its creation, its owners.

use serde_json::Value;

use crate::model::{EventId, Micros};
use crate::store::Field;
use crate::trace::finding::Log;
use crate::trace::relations::{Owner, RELATIONS, owners};
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::requests_with;

/// The last successful write to an object before a moment that passes the test.
pub(super) fn last_before(
    log: &Log<'_>,
    time: Micros,
    key: &ObjectKey,
    test: impl Fn(&Request) -> bool,
) -> Option<EventId> {
    let writes = writes_of(log, key);
    writes.into_iter().rev().find(|id| {
        log.store.stage_time(*id) <= time
            && Request::of(log.store, *id).is_some_and(|r| {
                r.is_write() && r.succeeded() && (r.time < time || r.verb == "delete") && test(&r)
            })
    })
}

/// All requests that name an object, in time order; writes are picked by whoever asks.
pub(in crate::trace) fn writes_of(log: &Log<'_>, key: &ObjectKey) -> Vec<EventId> {
    if key.name.is_empty() {
        return Vec::new();
    }
    let mut values = vec![(Field::Resource, key.resource.as_str()), (Field::Name, key.name.as_str())];
    if key.resource != "namespaces" {
        values.push((Field::Namespace, key.namespace.as_str()));
        values.push((Field::ApiGroup, key.group.as_str()));
    }
    requests_with(log.store, &values)
}

/// The request that created an object. One with `generateName` names it only in the body of its answer, so those are
/// looked through for the name.
pub(in crate::trace) fn creation_of(log: &Log<'_>, time: Micros, key: &ObjectKey) -> Option<EventId> {
    let named = writes_of(log, key).into_iter().rev().find(|id| {
        log.store.stage_time(*id) <= time && Request::of(log.store, *id).is_some_and(|r| made_object(&r))
    });
    if named.is_some() {
        return named;
    }
    let unnamed = requests_with(
        log.store,
        &[
            (Field::Verb, "create"),
            (Field::Resource, &key.resource),
            (Field::Namespace, &key.namespace),
            (Field::Name, ""),
            (Field::Subresource, ""),
        ],
    );
    let finder = memchr::memmem::Finder::new(key.name.as_bytes());
    unnamed.into_iter().rev().filter(|id| log.store.stage_time(*id) <= time).find(|id| {
        let text = log.store.segment(*id).and_then(|segment| segment.text(id.row()).ok());
        text.is_some_and(|text| finder.find(&text).is_some())
            && Request::read(log.store, *id).is_some_and(|r| r.object.name == key.name)
    })
}

/// Who owns the object of a request, by its own bodies, or by the last body of the same object before it.
pub(in crate::trace) fn known_owners(log: &Log<'_>, request: &Request) -> Vec<Owner> {
    let namespace = &request.object.namespace;
    let in_bodies = |request: &Request| {
        let bodies = [request.response_object(), request.request_object()];
        bodies.into_iter().flatten().map(|body| owners(body, namespace)).find(|owners| !owners.is_empty())
    };
    if let Some(owners) = in_bodies(request) {
        return owners;
    }
    let earlier = writes_of(log, &request.object);
    let at = earlier.partition_point(|id| log.store.stage_time(*id) < request.time);
    let near = earlier.get(at.saturating_sub(8)..at).unwrap_or(&[]);
    let told = near.iter().rev().find_map(|id| in_bodies(&Request::read(log.store, *id)?));
    told.or_else(|| {
        let id = creation_of(log, request.time, &request.object)?;
        in_bodies(&Request::read(log.store, id)?)
    })
    .unwrap_or_default()
}

pub(super) fn parents_by_name(child: &ObjectKey) -> Vec<ObjectKey> {
    RELATIONS
        .iter()
        .filter(|relation| relation.child == child.resource && relation.child_group == child.group)
        .filter_map(|relation| {
            Some(ObjectKey {
                group: relation.parent_group.to_owned(),
                resource: relation.parent.to_owned(),
                namespace: child.namespace.clone(),
                name: relation.naming.parent_of(&child.name)?.to_owned(),
            })
        })
        .collect()
}

/// The uid of the object that a request was about: of its answer, or what the answer to a deletion tells at any level
/// (`responseStatus.details.uid`). The request's event must have been read.
pub(in crate::trace) fn object_uid(request: &Request) -> Option<&str> {
    let status = request.event.pointer("/responseStatus/details/uid");
    let body = request.event.pointer("/responseObject/metadata/uid");
    status.or(body).and_then(Value::as_str)
}

/// Whether a request brought its object into being: a creation, or a server-side apply of what was not there.
pub(super) fn made_object(request: &Request) -> bool {
    request.subresource.is_empty()
        && request.succeeded()
        && !request.is_dry_run()
        && (request.verb == "create" || request.verb == "patch" && request.code == 201)
}

pub(super) fn is_success(log: &Log<'_>, id: EventId) -> bool {
    Request::of(log.store, id).is_some_and(|r| r.succeeded() && !r.is_dry_run())
}

pub(super) fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey {
        resource: "namespaces".to_owned(),
        namespace: name.to_owned(),
        name: name.to_owned(),
        ..ObjectKey::default()
    }
}

pub(super) fn pod_key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        resource: "pods".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..ObjectKey::default()
    }
}

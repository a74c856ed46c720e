//! What went with a namespace, and what was made in a new one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Deed, Effect, Follows, WINDOW, Walk};
use crate::model::{ActorKind, EventId, Micros, actor_kind};
use crate::store::Field;
use crate::trace::finding::Certainty;
use crate::trace::relations::{NAMESPACE_FURNISHERS, controller};
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::requests_with;

impl Walk<'_, '_> {
    pub(super) fn namespace(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        let name =
            if request.object.name.is_empty() { &request.object.namespace } else { &request.object.name };
        let until = self.next_of(request, name);
        let inside = requests_with(self.log.store, &[(Field::Namespace, name)]);
        let is_deletion = request.verb == "delete";
        let is_furnishing = request.verb == "create";
        if !is_deletion && !is_furnishing {
            return Vec::new();
        }
        let ids = self.later(inside, request, until, |r| {
            let by_machine = !matches!(actor_kind(&r.user), ActorKind::Human | ActorKind::Anonymous);
            let removes =
                matches!(r.verb.as_str(), "delete" | "deletecollection") || r.subresource == "finalize";
            let furnishes =
                r.verb == "create" && controller(r).is_some_and(|c| NAMESPACE_FURNISHERS.contains(&c));
            by_machine && if is_deletion { removes } else { furnishes }
        });
        let listed = self.listed(&ids);
        let follows = ids
            .into_iter()
            .map(|id| {
                let by = Request::of(self.log.store, id);
                let (certainty, evidence) = match by {
                    Some(by) if controller(&by) == Some("namespace-controller") => (
                        Certainty::Certain,
                        "the namespace controller deletes only in namespaces that are being deleted",
                    ),
                    Some(by) if listed.contains(&by.object) => {
                        (Certainty::Certain, "responseObject.items of the deletion")
                    }
                    _ => (Certainty::Likely, "namespace and time"),
                };
                Follows { id, certainty, evidence: evidence.to_owned() }
            })
            .collect();
        let groups = self.grouped(follows, depth);
        if !is_deletion || groups.is_empty() {
            return groups;
        }
        let requests: Vec<EventId> = groups.iter().flat_map(|group| group.requests.iter().copied()).collect();
        let removed = self.removed(&requests, name, request.time);
        let certainty = groups.iter().map(|group| group.certainty).max().unwrap_or(Certainty::Certain);
        vec![Effect {
            deed: Deed::Emptied { namespace: name.clone(), removed },
            names: BTreeSet::new(),
            certainty,
            evidence: "objectRef.namespace; the requests below".to_owned(),
            requests,
            further: 0,
            effects: groups,
        }]
    }

    /// The objects that requests which delete removed: those they name, those that the answers list, and those of the
    /// namespace that were created in this log and not deleted before.
    fn removed(&self, requests: &[EventId], namespace: &str, from: Micros) -> BTreeSet<ObjectKey> {
        let mut removed = self.listed(requests);
        let mut emptied = BTreeSet::new();
        for request in requests.iter().filter_map(|id| Request::of(self.log.store, *id)) {
            if request.verb == "delete" {
                removed.insert(request.object);
            } else {
                emptied.insert((request.object.group, request.object.resource));
            }
        }
        let mut there: BTreeSet<ObjectKey> = BTreeSet::new();
        for id in requests_with(self.log.store, &[(Field::Namespace, namespace)]) {
            let Some(request) = Request::of(self.log.store, id) else { continue };
            if request.time >= from
                || !request.is_write()
                || !request.succeeded()
                || request.object.name.is_empty()
            {
                continue;
            }
            match (request.verb.as_str(), request.subresource.as_str()) {
                ("delete", "") => drop(there.remove(&request.object)),
                ("create" | "patch" | "update", "") => drop(there.insert(request.object)),
                _ => {}
            }
        }
        let is_object =
            |key: &ObjectKey| !matches!(key.resource.as_str(), "namespaces" | "events" | "leases");
        removed.extend(
            there.into_iter().filter(|key| emptied.contains(&(key.group.clone(), key.resource.clone()))),
        );
        removed.retain(is_object);
        removed
    }

    /// The objects that the answers to deletions of whole collections list.
    fn listed(&self, requests: &[EventId]) -> BTreeSet<ObjectKey> {
        let mut listed = BTreeSet::new();
        for id in requests {
            let collection = Request::of(self.log.store, *id).filter(|r| r.verb == "deletecollection");
            let Some(request) = collection.and_then(|_| Request::read(self.log.store, *id)) else { continue };
            let items = request.response_object().and_then(|body| body.get("items"));
            for item in items.and_then(Value::as_array).into_iter().flatten() {
                let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                listed.insert(ObjectKey { name: name.to_owned(), ..request.object.clone() });
            }
        }
        listed
    }

    /// When the namespace was deleted or created again after a request on it.
    fn next_of(&self, request: &Request, name: &str) -> Micros {
        let all = requests_with(self.log.store, &[(Field::Resource, "namespaces"), (Field::Name, name)]);
        let next = all.into_iter().filter_map(|id| Request::of(self.log.store, id)).find(|r| {
            r.time > request.time
                && r.succeeded()
                && matches!(r.verb.as_str(), "create" | "delete")
                && r.subresource.is_empty()
                && r.verb != request.verb
        });
        next.map_or(request.time.saturating_add(WINDOW), |r| r.time)
    }
}

//! What machines did to what belongs to a changed object, and to the object itself.

use super::{Follows, HEAL, WINDOW, Walk, is_change, is_effect};
use crate::model::{ActorKind, EventId, Micros, actor_kind};
use crate::store::Field;
use crate::trace::cause::{
    Step, ends_pod, is_same_object, led_to, nearest_change, object_uid, owners_of, step,
};
use crate::trace::finding::Certainty;
use crate::trace::relations::{RELATIONS, Relation, controller, gitops_engine};
use crate::trace::request::Request;
use crate::trace::select::{requests_where, requests_with};
use crate::trace::who;

impl Walk<'_, '_> {
    /// What controllers did to the children of the object of a request.
    pub(super) fn children(&mut self, request: &Request) -> Vec<Follows> {
        let key = request.object.clone();
        if key.name.is_empty() || !is_change(request) {
            return Vec::new();
        }
        let until = self.until_next_change(request);
        let relations: Vec<&Relation> = RELATIONS
            .iter()
            .filter(|relation| relation.parent == key.resource && relation.parent_group == key.group)
            .collect();
        let mut follows = Vec::new();
        for relation in relations {
            let named = requests_where(
                self.log.store,
                &[(Field::Resource, relation.child), (Field::Namespace, &key.namespace)],
                Field::Name,
                |name| relation.naming.fits(&key.name, name),
            );
            // What has lost its owner is collected even while the owner is being made anew; nothing else is done for it.
            let is_deletion = request.verb == "delete";
            let by = |r: &Request| {
                let by = controller(r);
                is_effect(r)
                    && if is_deletion {
                        by == Some("generic-garbage-collector")
                    } else {
                        by == Some(relation.controller) && r.time < until
                    }
            };
            let window = request.time.saturating_add(WINDOW);
            for id in self.later(named, request, window, by) {
                match self.belongs(id, request) {
                    Belongs::Yes(certainty, evidence) => follows.push(Follows { id, certainty, evidence }),
                    Belongs::ByName => follows.push(Follows {
                        id,
                        certainty: Certainty::Likely,
                        evidence: "name, controller and time".to_owned(),
                    }),
                    Belongs::No => drop(self.seen.remove(&id)),
                }
            }
            follows.extend(self.unnamed(request, relation, until));
        }
        follows
    }

    /// Children that were made with `generateName`: named only in bodies, elsewhere told by time.
    fn unnamed(&mut self, request: &Request, relation: &Relation, until: Micros) -> Vec<Follows> {
        let unnamed = requests_with(
            self.log.store,
            &[
                (Field::Verb, "create"),
                (Field::Resource, relation.child),
                (Field::Namespace, &request.object.namespace),
                (Field::Name, ""),
            ],
        );
        let mut follows = Vec::new();
        for id in self.later(unnamed, request, until, |r| controller(r) == Some(relation.controller)) {
            match self.belongs(id, request) {
                Belongs::Yes(certainty, evidence) => follows.push(Follows { id, certainty, evidence }),
                Belongs::ByName if self.is_nearest(id, request, relation) => {
                    let evidence = "controller and time".to_owned();
                    follows.push(Follows { id, certainty: Certainty::Likely, evidence });
                }
                _ => drop(self.seen.remove(&id)),
            }
        }
        follows
    }

    /// Whether no other change of a possible owner lies between a request and what was made without a name.
    fn is_nearest(&self, id: EventId, request: &Request, relation: &Relation) -> bool {
        let Some(made) = Request::of(self.log.store, id) else { return false };
        nearest_change(self.log, &made, relation) == request.id
    }

    /// Whether what was done to a child, as its bodies tell, follows from what was done to its owner.
    fn belongs(&self, id: EventId, request: &Request) -> Belongs {
        let Some(child) = Request::read(self.log.store, id) else { return Belongs::No };
        let owners = owners_of(self.log, &child);
        match owners.iter().find(|owner| owner.key == request.object) {
            Some(owner) if !is_same_object(self.log, request, owner) => Belongs::No,
            Some(owner) if request.verb == "delete" => match object_uid(request) {
                Some(uid) if uid == owner.uid => {
                    let evidence = format!("ownerReferences uid {uid} = the deleted object's");
                    Belongs::Yes(Certainty::Certain, evidence)
                }
                _ => Belongs::Yes(Certainty::Likely, "ownerReferences of the body, by name".to_owned()),
            },
            Some(owner) => {
                let (certainty, evidence) = led_to(request, &child, owner);
                Belongs::Yes(certainty, evidence)
            }
            None if owners.is_empty() => Belongs::ByName,
            None => Belongs::No,
        }
    }

    /// The pods that controllers made in place of one that was ended: those whose own step back leads here.
    pub(super) fn replacements(&mut self, request: &Request) -> Vec<Follows> {
        let is_wanted_gone = controller(request).is_some_and(|by| {
            matches!(by, "generic-garbage-collector" | "namespace-controller")
                || RELATIONS.iter().any(|relation| relation.controller == by)
        });
        if !ends_pod(request) || is_wanted_gone {
            return Vec::new();
        }
        let values = [
            (Field::Verb, "create"),
            (Field::Resource, "pods"),
            (Field::Namespace, request.object.namespace.as_str()),
            (Field::Subresource, ""),
        ];
        let mut follows = Vec::new();
        for id in requests_with(self.log.store, &values) {
            let after = self.log.store.stage_time(id).saturating_sub(request.time);
            if !(0..HEAL).contains(&after) || self.seen.contains(&id) || self.steps_left == 0 {
                continue;
            }
            let Some(made) = Request::read(self.log.store, id).filter(|r| controller(r).is_some()) else {
                continue;
            };
            self.steps_left -= 1;
            if let Step::Cause(cause) = step(self.log, &made)
                && cause.request.id == request.id
                && self.seen.insert(id)
            {
                follows.push(Follows { id, certainty: cause.certainty, evidence: cause.evidence });
            }
        }
        follows
    }

    /// What machines did to the same object since: a kubelet ends a deleted pod, GitOps puts a change back.
    pub(super) fn same_object(&mut self, request: &Request) -> Vec<Follows> {
        let key = request.object.clone();
        if key.name.is_empty() || !is_change(request) {
            return Vec::new();
        }
        let same = requests_with(
            self.log.store,
            &[
                (Field::Resource, &key.resource),
                (Field::Namespace, &key.namespace),
                (Field::Name, &key.name),
                (Field::ApiGroup, &key.group),
            ],
        );
        let mut follows = Vec::new();
        let until = self.until_next_change(request);
        let ends_pod =
            key.resource == "pods" && (request.verb == "delete" || request.subresource == "eviction");
        if ends_pod {
            for id in self.later(same.clone(), request, until, |r| {
                r.verb == "delete" && actor_kind(&r.user) == ActorKind::Node
            }) {
                follows.push(Follows {
                    id,
                    certainty: Certainty::Certain,
                    evidence: "the same pod".to_owned(),
                });
            }
        }
        if key.resource == "pods" && request.verb == "create" {
            for id in self.later(same.clone(), request, until, |r| r.subresource == "binding") {
                follows.push(Follows {
                    id,
                    certainty: Certainty::Certain,
                    evidence: "the same pod".to_owned(),
                });
            }
        }
        if key.resource == "certificatesigningrequests" {
            for id in self.later(same.clone(), request, until, |r| !r.subresource.is_empty() && r.is_write())
            {
                follows.push(Follows {
                    id,
                    certainty: Certainty::Certain,
                    evidence: "the same object".to_owned(),
                });
            }
        }
        // Only the first write of GitOps after a change by others can be an answer to it.
        if gitops_engine(request).is_none() || who::is_by_hand(self.log, request) {
            let heal = request.time.saturating_add(HEAL);
            let next = same.into_iter().find(|id| {
                let time = self.log.store.stage_time(*id);
                time > request.time
                    && time <= heal
                    && Request::of(self.log.store, *id).is_some_and(|r| {
                        is_effect(&r)
                            && r.succeeded()
                            && controller(&r).is_none()
                            && actor_kind(&r.user) != ActorKind::Node
                    })
            });
            let healed = next
                .and_then(|id| Request::of(self.log.store, id))
                .filter(|r| gitops_engine(r).is_some() && !who::is_by_hand(self.log, r));
            if let Some(id) = healed.and_then(|r| r.id)
                && self.seen.insert(id)
            {
                let evidence = "the next write to the same object, by GitOps, soon after".to_owned();
                follows.push(Follows { id, certainty: Certainty::Likely, evidence });
            }
        }
        follows
    }

    /// Until when a change of an object explains what its controllers do: the next change of it by anybody else than
    /// its controllers.
    fn until_next_change(&self, request: &Request) -> Micros {
        let key = &request.object;
        let same = requests_with(
            self.log.store,
            &[
                (Field::Resource, &key.resource),
                (Field::Namespace, &key.namespace),
                (Field::Name, &key.name),
                (Field::ApiGroup, &key.group),
            ],
        );
        let next = same.into_iter().filter(|id| self.log.store.stage_time(*id) > request.time).find(|id| {
            Request::of(self.log.store, *id).is_some_and(|r| {
                is_change(&r)
                    && r.succeeded()
                    && controller(&r) != Some("generic-garbage-collector")
                    && actor_kind(&r.user) != ActorKind::Node
                    && (controller(request).is_none() || controller(&r) == controller(request))
            })
        });
        let window = request.time.saturating_add(WINDOW);
        next.map_or(window, |id| self.log.store.stage_time(id).min(window))
    }
}

enum Belongs {
    /// By its bodies, which tell how sure it is.
    Yes(Certainty, String),
    /// No body tells its owners; its name may.
    ByName,
    /// To another object.
    No,
}

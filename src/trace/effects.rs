//! Forwards: what a request set off. Machines' writes that follow from it, grouped so that a namespace's deletion is
//! one line with all that went with it under it; what an issued token was used for; what a binding allowed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::cause::known_owners;
use super::finding::{Certainty, Log};
use super::relations::{RELATIONS, Relation, controller, gitops_engine};
use super::request::{ObjectKey, Request};
use super::select::{requests_where, requests_with};
use super::who;
use crate::model::{ActorKind, EventId, Grant, Micros, SECOND, actor_kind, is_write_verb, tool};
use crate::store::Field;

/// How long after a request its effects are looked for: rollouts and namespaces take minutes.
const WINDOW: Micros = 3600 * SECOND;

/// How soon a GitOps controller is expected to put something back (Argo CD's self-heal takes seconds, a resync minutes).
const HEAL: Micros = 600 * SECOND;

/// Requests of one answer at most; more are counted.
const MOST: usize = 20_000;

/// Steps forward at most.
const DEEPEST: usize = 6;

/// What kind of thing followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A machine's writes.
    Wrote {
        /// The controller, or else the username.
        actor: String,
        /// Verb.
        verb: String,
        /// Resource, with its subresource.
        what: String,
    },
    /// What went with a namespace.
    Emptied {
        /// The namespace.
        namespace: String,
        /// What was in it, as far as the log names it.
        removed: BTreeSet<ObjectKey>,
    },
    /// What a binding allowed.
    Allowed {
        /// Whom.
        user: String,
        /// How many of the requests were writes.
        writes: usize,
    },
    /// What an issued token was used for.
    Used {
        /// The service account.
        account: String,
        /// Verb.
        verb: String,
        /// Object, or only its resource for what is read often.
        object: String,
        /// Address and tool.
        place: String,
        /// Code of requests that failed, otherwise 0.
        code: u16,
    },
}

/// Several requests of one kind that follow from one.
#[derive(Clone, PartialEq, Debug)]
pub struct Effect {
    /// What happened.
    pub deed: Deed,
    /// Names of the objects it happened to.
    pub names: BTreeSet<String>,
    /// How sure it is that they follow from it: the least sure of them.
    pub certainty: Certainty,
    /// What proves it, or speaks for it.
    pub evidence: String,
    /// The requests, in time order.
    pub requests: Vec<EventId>,
    /// What follows from these.
    pub effects: Vec<Effect>,
}

impl Effect {
    /// What happened, as a clause: `replicaset-controller create pods ×3: web-1, …`.
    pub fn text(&self) -> String {
        let count = self.requests.len();
        let what = match &self.deed {
            Deed::Wrote { actor, verb, what } => format!("{actor} {verb} {what}{}", times(count)),
            Deed::Emptied { namespace, removed } => {
                let objects = match removed.len() {
                    0 => "nothing that this log names".to_owned(),
                    1 => "1 object".to_owned(),
                    many => format!("{many} objects"),
                };
                format!("everything in namespace {namespace} was removed: {objects} in {count} requests")
            }
            Deed::Allowed { user, writes } => {
                let s = if count == 1 { "" } else { "s" };
                format!("it allowed {user} {count} request{s}, {writes} of them writes")
            }
            Deed::Used { account, verb, object, place, code } => {
                let failed = if *code == 0 { String::new() } else { format!(" ({code})") };
                format!("{account} {verb} {object}{} {place}{failed}", times(count))
            }
        };
        match &self.deed {
            Deed::Wrote { .. } if !self.names.is_empty() => format!("{what}: {}", shortly(&self.names, 4)),
            Deed::Emptied { removed, .. } if !removed.is_empty() => {
                let named = removed.iter().map(|key| format!("{}/{}", key.resource, key.name)).collect();
                format!("{what}: {}", shortly(&named, 12))
            }
            _ => what,
        }
    }
}

/// What a request set off.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects {
    /// In groups, in time order.
    pub effects: Vec<Effect>,
    /// Whether there was more than one answer can hold.
    pub cut: bool,
}

/// What followed from a request, whose bodies must have been read.
pub fn effects(log: &Log<'_>, request: &Request) -> Effects {
    let mut walk = Walk { log, seen: request.id.into_iter().collect(), cut: false };
    let effects = walk.of(request, 0);
    Effects { effects, cut: walk.cut }
}

struct Walk<'w, 'l> {
    log: &'w Log<'l>,
    seen: HashSet<EventId>,
    cut: bool,
}

/// A request, and why it is thought to follow.
struct Follows {
    id: EventId,
    certainty: Certainty,
    evidence: &'static str,
}

impl Walk<'_, '_> {
    fn of(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        if depth >= DEEPEST || !request.succeeded() || request.is_dry_run() {
            return Vec::new();
        }
        let mut all = Vec::new();
        match (request.object.resource.as_str(), request.subresource.as_str()) {
            ("serviceaccounts", "token") => all.extend(self.uses_of_token(request, depth)),
            ("rolebindings" | "clusterrolebindings", "") => all.extend(self.allowed(request)),
            ("serviceaccounts", "") => {
                let follows = self.account(request);
                all.extend(self.grouped(follows, depth));
            }
            ("namespaces", _) => all.extend(self.namespace(request, depth)),
            _ => {
                let mut follows = self.children(request);
                follows.extend(self.same_object(request));
                all.extend(self.grouped(follows, depth));
            }
        }
        all
    }

    /// Requests after a moment, within the window, not seen yet, that pass the test.
    fn later(
        &mut self,
        ids: Vec<EventId>,
        request: &Request,
        until: Micros,
        test: impl Fn(&Request) -> bool,
    ) -> Vec<EventId> {
        let mut found = Vec::new();
        for id in ids {
            let time = self.log.store.stage_time(id);
            if time < request.time || time > until || self.seen.contains(&id) {
                continue;
            }
            let Some(later) = Request::of(self.log.store, id) else { continue };
            if later.succeeded() && test(&later) {
                if self.seen.len() >= MOST {
                    self.cut = true;
                    break;
                }
                self.seen.insert(id);
                found.push(id);
            }
        }
        found
    }

    fn uses_of_token(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        if request.issued_credential.is_empty() {
            return Vec::new();
        }
        let uses = requests_with(self.log.store, &[(Field::Credential, &request.issued_credential)]);
        let until = Micros::MAX;
        let mut ids = Vec::new();
        for id in uses {
            let fresh = !self.seen.contains(&id) && self.log.store.stage_time(id) <= until;
            if fresh && self.seen.len() < MOST {
                self.seen.insert(id);
                ids.push(id);
            } else if fresh {
                self.cut = true;
            }
        }
        let account = format!("{}/{}", request.object.namespace, request.object.name);
        let mut groups: Vec<(Deed, Vec<EventId>)> = Vec::new();
        for id in ids {
            let Some(used) = Request::of(self.log.store, id) else { continue };
            let tells_object = is_write_verb(&used.verb) || used.object.resource == "secrets";
            let deed = Deed::Used {
                account: account.clone(),
                verb: used.verb.clone(),
                object: if tells_object { used.object.to_string() } else { used.object.resource.clone() },
                place: format!("from {} with {}", used.source_ip, tool(&used.user_agent)),
                code: if used.succeeded() { 0 } else { used.code },
            };
            match groups.iter_mut().find(|(known, _)| *known == deed) {
                Some((_, requests)) => requests.push(id),
                None => groups.push((deed, vec![id])),
            }
        }
        groups
            .into_iter()
            .map(|(deed, requests)| Effect {
                deed,
                names: BTreeSet::new(),
                certainty: Certainty::Certain,
                evidence: "credential-id = issued-credential-id".to_owned(),
                effects: self.nested(&requests, depth),
                requests,
            })
            .collect()
    }

    /// What a binding allowed while it was there.
    fn allowed(&mut self, request: &Request) -> Vec<Effect> {
        if request.verb == "delete" || request.object.name.is_empty() {
            return Vec::new();
        }
        let kind =
            if request.object.resource == "rolebindings" { "RoleBinding" } else { "ClusterRoleBinding" };
        let wanted = if request.object.namespace.is_empty() {
            request.object.name.clone()
        } else {
            format!("{}/{}", request.object.name, request.object.namespace)
        };
        let allowed = requests_where(self.log.store, &[], Field::DecisionReason, |reason| {
            Grant::parse(reason).is_some_and(|grant| grant.binding_kind == kind && grant.binding == wanted)
        });
        let mut by_user: BTreeMap<String, Vec<EventId>> = BTreeMap::new();
        // Being allowed is no consequence: what was done with it may stand elsewhere in the chain as well.
        for id in allowed {
            if self.log.store.stage_time(id) < request.time {
                continue;
            }
            if let Some(used) = Request::of(self.log.store, id) {
                by_user.entry(used.acting_user().to_owned()).or_default().push(id);
            }
        }
        by_user
            .into_iter()
            .map(|(user, requests)| {
                let writes = requests.iter().filter_map(|id| Request::of(self.log.store, *id));
                let writes = writes.filter(Request::is_write).count();
                Effect {
                    deed: Deed::Allowed { user, writes },
                    names: BTreeSet::new(),
                    certainty: Certainty::Certain,
                    evidence: "authorization.k8s.io/reason names the binding".to_owned(),
                    requests,
                    effects: Vec::new(),
                }
            })
            .collect()
    }

    /// What was given to a new service account: tokens, and bindings whose body names it.
    fn account(&mut self, request: &Request) -> Vec<Follows> {
        if request.verb != "create" {
            return Vec::new();
        }
        let key = &request.object;
        let tokens = requests_with(
            self.log.store,
            &[
                (Field::Resource, "serviceaccounts"),
                (Field::Namespace, &key.namespace),
                (Field::Name, &key.name),
                (Field::Subresource, "token"),
            ],
        );
        let until = request.time.saturating_add(WINDOW);
        let tokens = self.later(tokens, request, until, |r| actor_kind(&r.user) != ActorKind::Node);
        let mut follows: Vec<Follows> = tokens
            .into_iter()
            .map(|id| Follows { id, certainty: Certainty::Certain, evidence: "the same service account" })
            .collect();
        for resource in ["clusterrolebindings", "rolebindings"] {
            let bindings = requests_with(self.log.store, &[(Field::Resource, resource)]);
            for id in self.later(bindings, request, until, |r| r.is_write() && r.verb != "delete") {
                let named = Request::read(self.log.store, id).is_some_and(|r| names_account(&r, key));
                if named {
                    follows.push(Follows {
                        id,
                        certainty: Certainty::Certain,
                        evidence: "subjects of the body",
                    });
                } else {
                    self.seen.remove(&id);
                }
            }
        }
        follows
    }

    fn namespace(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
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
            let furnishes = r.verb == "create"
                && controller(r).is_some_and(|c| super::relations::NAMESPACE_FURNISHERS.contains(&c));
            by_machine && if is_deletion { removes } else { furnishes }
        });
        let follows = ids
            .into_iter()
            .map(|id| {
                let by = Request::of(self.log.store, id);
                let by_namespace = by.as_ref().and_then(controller) == Some("namespace-controller");
                if by_namespace {
                    let evidence =
                        "the namespace controller deletes only in namespaces that are being deleted";
                    Follows { id, certainty: Certainty::Certain, evidence }
                } else {
                    Follows { id, certainty: Certainty::Likely, evidence: "namespace and time" }
                }
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
            effects: groups,
        }]
    }

    /// The objects that requests which delete removed: those they name, those that the answers list, and those of the
    /// namespace that were created in this log and not deleted before.
    fn removed(&self, requests: &[EventId], namespace: &str, from: Micros) -> BTreeSet<ObjectKey> {
        let mut removed = BTreeSet::new();
        let mut emptied = BTreeSet::new();
        for request in requests.iter().filter_map(|id| Request::read(self.log.store, *id)) {
            if request.verb == "delete" {
                removed.insert(request.object.clone());
                continue;
            }
            emptied.insert((request.object.group.clone(), request.object.resource.clone()));
            let items =
                request.response_object().and_then(|body| body.get("items")).and_then(Value::as_array);
            for item in items.into_iter().flatten() {
                let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                removed.insert(ObjectKey { name: name.to_owned(), ..request.object.clone() });
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

    /// What controllers did to the children of the object of a request.
    fn children(&mut self, request: &Request) -> Vec<Follows> {
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
            let by = |r: &Request| {
                let collected =
                    request.verb == "delete" && controller(r) == Some("generic-garbage-collector");
                let made = controller(r) == Some(relation.controller) && r.time < until;
                is_effect(r) && (collected || made)
            };
            // What has lost its owner is collected even while the owner is being made anew.
            let window = request.time.saturating_add(WINDOW);
            for id in self.later(named, request, window, by) {
                let certain = self.is_owned_by(id, &key);
                follows.push(if certain {
                    Follows { id, certainty: Certainty::Certain, evidence: "ownerReferences of the body" }
                } else {
                    Follows { id, certainty: Certainty::Likely, evidence: "name, controller and time" }
                });
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
            let body = Request::read(self.log.store, id);
            let has_body =
                body.as_ref().is_some_and(|r| r.response_object().is_some() || r.request_object().is_some());
            if self.is_owned_by(id, &request.object) {
                follows.push(Follows {
                    id,
                    certainty: Certainty::Certain,
                    evidence: "ownerReferences of the body",
                });
            } else if !has_body && self.log.store.stage_time(id) - request.time < 2 * SECOND {
                follows.push(Follows { id, certainty: Certainty::Likely, evidence: "controller and time" });
            } else {
                self.seen.remove(&id);
            }
        }
        follows
    }

    fn is_owned_by(&self, id: EventId, key: &ObjectKey) -> bool {
        let Some(request) = Request::read(self.log.store, id) else { return false };
        known_owners(self.log, &request).iter().any(|owner| owner.key == *key)
    }

    /// What machines did to the same object since: a kubelet ends a deleted pod, GitOps puts a change back.
    fn same_object(&mut self, request: &Request) -> Vec<Follows> {
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
                follows.push(Follows { id, certainty: Certainty::Certain, evidence: "the same pod" });
            }
        }
        if key.resource == "pods" && request.verb == "create" {
            for id in self.later(same.clone(), request, until, |r| r.subresource == "binding") {
                follows.push(Follows { id, certainty: Certainty::Certain, evidence: "the same pod" });
            }
        }
        if key.resource == "certificatesigningrequests" {
            for id in self.later(same.clone(), request, until, |r| !r.subresource.is_empty() && r.is_write())
            {
                follows.push(Follows { id, certainty: Certainty::Certain, evidence: "the same object" });
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
                let evidence = "the next write to the same object, by GitOps, soon after";
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

    /// Puts requests that do the same into one line each, with what follows from them under it.
    fn grouped(&mut self, mut follows: Vec<Follows>, depth: usize) -> Vec<Effect> {
        follows.sort_by_key(|f| (self.log.store.stage_time(f.id), f.id));
        let mut groups: Vec<((String, String, String), Vec<Follows>)> = Vec::new();
        for follow in follows {
            let Some(request) = Request::of(self.log.store, follow.id) else { continue };
            let actor = match (controller(&request), actor_kind(&request.user)) {
                (Some(controller), _) => controller.to_owned(),
                (None, ActorKind::Node) => "kubelets".to_owned(),
                (None, _) => request.user.clone(),
            };
            let what = match (request.verb.as_str(), request.subresource.as_str()) {
                // The namespace controller empties a namespace of each kind of object there is.
                ("deletecollection", _) if actor == "namespace-controller" => "of all kinds".to_owned(),
                (_, "") => request.object.resource.clone(),
                (_, subresource) => format!("{}/{subresource}", request.object.resource),
            };
            let key = (actor, request.verb.clone(), what);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(follow),
                None => groups.push((key, vec![follow])),
            }
        }
        groups
            .into_iter()
            .map(|((actor, verb, what), group)| {
                let requests: Vec<EventId> = group.iter().map(|follow| follow.id).collect();
                let certainty =
                    group.iter().map(|follow| follow.certainty).max().unwrap_or(Certainty::Likely);
                let evidence = group
                    .iter()
                    .find(|follow| follow.certainty == certainty)
                    .map_or(String::new(), |follow| follow.evidence.to_owned());
                let names: BTreeSet<String> = requests
                    .iter()
                    .filter_map(|id| Request::read(self.log.store, *id))
                    .map(|request| request.object.name)
                    .filter(|name| !name.is_empty())
                    .collect();
                let effects = self.nested(&requests, depth);
                Effect {
                    deed: Deed::Wrote { actor, verb, what },
                    names,
                    certainty,
                    evidence,
                    requests,
                    effects,
                }
            })
            .collect()
    }

    fn nested(&mut self, requests: &[EventId], depth: usize) -> Vec<Effect> {
        let mut nested: Vec<Effect> = Vec::new();
        for id in requests {
            let Some(request) = Request::of(self.log.store, *id).filter(Request::is_write) else { continue };
            let Some(request) = Request::read(self.log.store, *id).or(Some(request)) else { continue };
            for effect in self.of(&request, depth + 1) {
                merge(&mut nested, effect);
            }
        }
        nested
    }
}

/// Effects of several requests that are of one kind become one line.
fn merge(effects: &mut Vec<Effect>, new: Effect) {
    match effects.iter_mut().find(|known| known.deed == new.deed) {
        Some(known) => {
            known.requests.extend(new.requests);
            known.names.extend(new.names);
            known.certainty = known.certainty.max(new.certainty);
            for effect in new.effects {
                merge(&mut known.effects, effect);
            }
        }
        None => effects.push(new),
    }
}

fn times(count: usize) -> String {
    if count == 1 { String::new() } else { format!(" ×{count}") }
}

fn shortly(names: &BTreeSet<String>, most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Whether a request changes what its object should be, rather than reports what it is.
fn is_change(request: &Request) -> bool {
    request.is_write() && !matches!(request.subresource.as_str(), "status" | "binding" | "token" | "finalize")
}

fn is_effect(request: &Request) -> bool {
    request.is_write() && request.subresource != "status" && request.object.resource != "events"
}

fn names_account(binding: &Request, account: &ObjectKey) -> bool {
    let body = binding.response_object().or_else(|| binding.request_object());
    let subjects = body.and_then(|body| body.get("subjects")).and_then(Value::as_array);
    subjects.into_iter().flatten().any(|subject| {
        let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or("");
        text("kind") == "ServiceAccount"
            && text("name") == account.name
            && text("namespace") == account.namespace
    })
}

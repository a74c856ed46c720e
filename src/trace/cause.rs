//! One step back: which earlier request made a machine send this one.
//!
//! A person's request has no cause here: it is where a chain ends. For a machine's, the objects it dealt with are
//! looked at: the one it wrote, the ones that own it, its namespace. [`super::chain`] takes the steps one after another.

use serde_json::Value;

use super::finding::{Certainty, Log};
use super::relations::{self, NAMESPACE_FURNISHERS, Owner, RELATIONS, controller, gitops_engine, owners};
use super::request::{ObjectKey, Request};
use super::select::{requests_where, requests_with};
use super::who;
use crate::model::{ActorKind, EventId, Micros, SECOND, actor_kind};
use crate::store::Field;

/// Controllers act within this time on what they watch; a change that lies further back is only a cause if a body or a
/// deletion says so.
const PROMPT: Micros = 600 * SECOND;

/// Pods without a name in the log are told apart by time alone: a replica set's are made this soon after its change.
const AT_ONCE: Micros = 5 * SECOND;

/// A request that led to another one.
#[derive(Clone, PartialEq, Debug)]
pub struct Cause {
    /// The earlier request. Its bodies are read.
    pub request: Request,
    /// How sure it is.
    pub certainty: Certainty,
    /// How it led to the other, as a clause: `its replica set was changed`.
    pub because: String,
    /// What proves it, or speaks for it.
    pub evidence: String,
}

/// What one step back finds.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// An earlier request.
    Cause(Box<Cause>),
    /// Here it began: why nothing lies behind it.
    Origin(String),
    /// Something must lie behind it that this log does not hold: what, and why not.
    Hole(String),
}

/// Steps back from a request, whose bodies must have been read.
pub fn step(log: &Log<'_>, request: &Request) -> Step {
    match actor_kind(&request.user) {
        ActorKind::Human => {
            return Step::Origin(format!("{} is a person or an outside system", request.user));
        }
        ActorKind::Anonymous => return Step::Origin("the caller was not known to the API server".to_owned()),
        _ => {}
    }
    if let Some(cause) = stolen_or_lent(log, request) {
        return found(cause);
    }
    let steps: [fn(&Log<'_>, &Request) -> Option<Step>; 8] = [
        by_namespace_controller,
        by_garbage_collector,
        token_for_pod,
        by_kubelet_or_scheduler,
        by_owner,
        by_gitops,
        by_autoscaler,
        by_certificate_signer,
    ];
    steps.iter().find_map(|step| step(log, request)).unwrap_or_else(|| by_itself(log, request))
}

fn found(cause: Cause) -> Step {
    Step::Cause(Box::new(cause))
}

fn cause(
    log: &Log<'_>,
    id: EventId,
    certainty: Certainty,
    because: impl Into<String>,
    evidence: impl Into<String>,
) -> Option<Cause> {
    let request = Request::read(log.store, id)?;
    Some(Cause { request, certainty, because: because.into(), evidence: evidence.into() })
}

/// A service account's token that somebody had issued, used where the account is not at home: whoever had it issued
/// stands behind the request.
fn stolen_or_lent(log: &Log<'_>, request: &Request) -> Option<Cause> {
    let minted = who::minted(log, request)?;
    let by_machine = matches!(actor_kind(minted.by), ActorKind::Node | ActorKind::ControlPlane);
    if by_machine || !who::is_by_hand(log, request) {
        return None;
    }
    cause(
        log,
        minted.event,
        Certainty::Certain,
        format!("the token it was made with was issued to {}", minted.by),
        format!("credential-id {} = issued-credential-id", request.credential),
    )
}

fn by_namespace_controller(log: &Log<'_>, request: &Request) -> Option<Step> {
    let controller = controller(request)?;
    let namespace = &request.object.namespace;
    if controller == "namespace-controller" {
        let deleted = last_before(log, request.time, &namespace_key(namespace), |r| r.verb == "delete");
        return Some(match deleted {
            Some(id) => found(cause(
                log,
                id,
                Certainty::Certain,
                format!("namespace {namespace} was deleted, and all in it with it"),
                "the namespace controller deletes only in namespaces that are being deleted; objectRef.namespace",
            )?),
            None => Step::Hole(format!(
                "namespace {namespace} is being deleted; who deleted it lies before this log begins ({}), or in \
                 another API server's log",
                log.beginning()
            )),
        });
    }
    if NAMESPACE_FURNISHERS.contains(&controller) && request.verb == "create" && !namespace.is_empty() {
        let created = last_before(log, request.time, &namespace_key(namespace), |r| r.verb == "create");
        return created.and_then(|id| {
            let habit = "the controller makes this in every new namespace";
            Some(found(cause(
                log,
                id,
                Certainty::Likely,
                format!("namespace {namespace} was created"),
                habit,
            )?))
        });
    }
    None
}

fn by_garbage_collector(log: &Log<'_>, request: &Request) -> Option<Step> {
    if controller(request)? != "generic-garbage-collector" {
        return None;
    }
    let known = known_owners(log, request);
    for owner in &known {
        if let Some(id) = last_before(log, request.time, &owner.key, |r| r.verb == "delete") {
            let same = deleted_uid(log, id).is_some_and(|uid| uid == owner.uid);
            let (certainty, evidence) = if same {
                (Certainty::Certain, format!("ownerReferences uid {} = the deleted object's", owner.uid))
            } else {
                (Certainty::Certain, "ownerReferences of its last known body".to_owned())
            };
            return Some(found(cause(
                log,
                id,
                certainty,
                format!("its owner {} was deleted", owner.key),
                evidence,
            )?));
        }
    }
    for parent in parents_by_name(&request.object) {
        if let Some(id) = last_before(log, request.time, &parent, |r| r.verb == "delete") {
            return Some(found(cause(
                log,
                id,
                Certainty::Likely,
                format!("{parent}, of whose name its own is made, was deleted"),
                "name; the garbage collector deletes what has lost its owner",
            )?));
        }
    }
    Some(Step::Hole(match known.first() {
        Some(owner) => format!("its owner {} is gone; who deleted that is not in this log", owner.key),
        None => "its owner is gone; which one cannot be known from what this log tells of it".to_owned(),
    }))
}

/// A kubelet asks for a token for a pod's service account, and says for which pod in the body.
fn token_for_pod(log: &Log<'_>, request: &Request) -> Option<Step> {
    if request.subresource != "token"
        || request.verb != "create"
        || actor_kind(&request.user) != ActorKind::Node
    {
        return None;
    }
    let bound = request.request_object().and_then(|body| body.pointer("/spec/boundObjectRef/name"));
    let Some(pod) = bound.and_then(Value::as_str) else {
        return Some(Step::Hole(
            "the kubelet needed the token for a pod; which one is only in the body, which this level leaves out"
                .to_owned(),
        ));
    };
    let key = pod_key(&request.object.namespace, pod);
    let made = last_before(log, request.time, &key, |r| r.subresource == "binding")
        .or_else(|| creation_of(log, request.time, &key))?;
    Some(found(cause(
        log,
        made,
        Certainty::Certain,
        format!("pod {pod} needs the token to run"),
        "requestObject.spec.boundObjectRef",
    )?))
}

/// The scheduler binds a pod since it was created; a kubelet ends it since somebody deleted it.
fn by_kubelet_or_scheduler(log: &Log<'_>, request: &Request) -> Option<Step> {
    if request.object.resource != "pods" || request.object.name.is_empty() {
        return None;
    }
    let is_kubelet = actor_kind(&request.user) == ActorKind::Node;
    let is_scheduler = request.subresource == "binding";
    if !is_kubelet && !is_scheduler {
        return None;
    }
    if is_kubelet && request.verb == "delete" {
        let asked = last_before(log, request.time, &request.object, |r| {
            (r.verb == "delete" || r.subresource == "eviction") && actor_kind(&r.user) != ActorKind::Node
        });
        if let Some(id) = asked {
            return Some(found(cause(
                log,
                id,
                Certainty::Certain,
                "the pod was told to end, and the kubelet reports that it has",
                "the same pod; a kubelet deletes a pod's object only when the pod has ended",
            )?));
        }
        let listed = collection_deleted(log, request);
        if let Some(cause) = listed {
            return Some(found(cause));
        }
    }
    let id = creation_of(log, request.time, &request.object)?;
    let nameless = log.store.segment(id).is_some_and(|s| s.string(Field::Name, id.row()).is_empty());
    let certainty = if nameless && request.event.is_null() { Certainty::Likely } else { Certainty::Certain };
    Some(found(cause(log, id, certainty, "the pod was created", "the same pod")?))
}

/// The deletion of all pods of the namespace, or of all that match, which names none of them.
fn collection_deleted(log: &Log<'_>, request: &Request) -> Option<Cause> {
    let all = requests_with(
        log.store,
        &[
            (Field::Verb, "deletecollection"),
            (Field::Resource, &request.object.resource),
            (Field::Namespace, &request.object.namespace),
        ],
    );
    let id = all.into_iter().rev().find(|id| {
        let time = log.store.stage_time(*id);
        time <= request.time && request.time - time < PROMPT && is_success(log, *id)
    })?;
    let deletion = Request::read(log.store, id)?;
    let named = deletion.response_object().and_then(|body| body.get("items")).and_then(Value::as_array);
    let listed = named.is_some_and(|items| {
        let names = items.iter().filter_map(|item| item.pointer("/metadata/name")?.as_str());
        names.into_iter().any(|name| name == request.object.name)
    });
    Some(Cause {
        certainty: if listed { Certainty::Certain } else { Certainty::Likely },
        because: format!("all {} there were deleted", request.object.resource),
        evidence: if listed { "responseObject.items" } else { "namespace and time" }.to_owned(),
        request: deletion,
    })
}

/// A controller made, changed or removed what belongs to an object that was changed.
fn by_owner(log: &Log<'_>, request: &Request) -> Option<Step> {
    let by = controller(request);
    let is_known = |r: &&relations::Relation| Some(r.controller) == by && r.child == request.object.resource;
    let relation = RELATIONS.iter().find(is_known);
    let owned = known_owners(log, request);
    if by.is_none() && owned.is_empty() {
        return None;
    }
    if let Some(owner) = owned.first() {
        return Some(match last_change(log, request, &owner.key) {
            Some((id, what)) => {
                found(cause(log, id, Certainty::Certain, what, "ownerReferences of the body, then time")?)
            }
            None => Step::Hole(format!(
                "{} owns it; nothing in this log changed that before (it begins {})",
                owner.key,
                log.beginning()
            )),
        });
    }
    let relation = relation?;
    if request.object.name.is_empty() {
        return nameless(log, request, relation);
    }
    let parent = parents_by_name(&request.object).into_iter().find(|key| key.resource == relation.parent)?;
    Some(match last_change(log, request, &parent) {
        Some((id, what)) => found(cause(
            log,
            id,
            Certainty::Likely,
            what,
            format!(
                "name and time; the {} makes {} of {}",
                relation.controller, relation.child, relation.parent
            ),
        )?),
        None => Step::Hole(format!(
            "its name is made of {parent}'s; nothing in this log changed that before (it begins {})",
            log.beginning()
        )),
    })
}

/// A pod that was made without a name, at a level that does not tell the name it got.
fn nameless(log: &Log<'_>, request: &Request, relation: &relations::Relation) -> Option<Step> {
    let parents = requests_with(
        log.store,
        &[(Field::Resource, relation.parent), (Field::Namespace, &request.object.namespace)],
    );
    let recent: Vec<EventId> = parents
        .into_iter()
        .filter(|id| {
            let time = log.store.stage_time(*id);
            time <= request.time && request.time - time < AT_ONCE
        })
        .filter(|id| {
            Request::of(log.store, *id).is_some_and(|r| {
                r.is_write()
                    && r.succeeded()
                    && r.subresource != "status"
                    && controller(&r) != Some(relation.controller)
            })
        })
        .collect();
    Some(match recent.last() {
        Some(id) => found(cause(
            log,
            *id,
            Certainty::Likely,
            format!("{} of this namespace were changed just before", relation.parent),
            "time alone: at this level the log does not tell the name of what was made",
        )?),
        None => Step::Hole(format!(
            "the {} made it for one of the namespace's {}; which one cannot be known at this level, which leaves out \
             the name it got",
            relation.controller, relation.parent
        )),
    })
}

/// The last thing that could have moved a controller to touch what belongs to `owner`: a change of the owner, or the
/// loss of one of its children.
fn last_change(log: &Log<'_>, request: &Request, owner: &ObjectKey) -> Option<(EventId, String)> {
    let by = controller(request);
    let changed = last_before(log, request.time, owner, |r| {
        r.subresource != "status" && (by.is_none() || controller(r) != by)
    });
    let lost = (request.verb == "create").then(|| last_lost(log, request, owner)).flatten();
    match (changed, lost) {
        (Some(changed), Some((lost, name)))
            if log.store.stage_time(lost) > log.store.stage_time(changed)
                && request.time - log.store.stage_time(lost) < PROMPT =>
        {
            Some((lost, format!("{name} was lost, and {owner} wants as many as before")))
        }
        (Some(changed), _) => Some((changed, format!("{owner} was changed"))),
        (None, Some((lost, name))) => {
            Some((lost, format!("{name} was lost, and {owner} wants as many as before")))
        }
        (None, None) => None,
    }
}

/// The last deletion or eviction of a child of `owner` by anybody but its controller.
fn last_lost(log: &Log<'_>, request: &Request, owner: &ObjectKey) -> Option<(EventId, String)> {
    let relation = RELATIONS
        .iter()
        .find(|r| r.parent == owner.resource && r.child == request.object.resource && r.child == "pods")?;
    let children = requests_where(
        log.store,
        &[(Field::Resource, relation.child), (Field::Namespace, &owner.namespace)],
        Field::Name,
        |name| relation.naming.fits(&owner.name, name),
    );
    children.into_iter().rev().find_map(|id| {
        if log.store.stage_time(id) > request.time {
            return None;
        }
        let lost = Request::of(log.store, id)?;
        let ends = lost.verb == "delete" || lost.subresource == "eviction";
        let is_other = controller(&lost) != controller(request) && actor_kind(&lost.user) != ActorKind::Node;
        (ends && is_other && lost.succeeded() && !lost.is_dry_run())
            .then(|| (id, format!("pod {}", lost.object.name)))
    })
}

/// A GitOps controller writes what its repository says: either that has changed, or somebody changed the object and it
/// is put back.
fn by_gitops(log: &Log<'_>, request: &Request) -> Option<Step> {
    let engine = gitops_engine(request)?;
    let writes = writes_of(log, &request.object);
    let before = writes.iter().rev().filter(|id| log.store.stage_time(**id) < request.time);
    for id in before {
        let other = Request::of(log.store, *id)?;
        if other.subresource == "status" || !other.succeeded() || other.is_dry_run() {
            continue;
        }
        if gitops_engine(&other).is_some() && !who::is_by_hand(log, &other) {
            break;
        }
        if controller(&other).is_some() {
            continue;
        }
        return Some(found(cause(
            log,
            *id,
            Certainty::Likely,
            format!("{engine} puts back what its repository says after a change by others"),
            format!("the last write to the same object was not {engine}'s"),
        )?));
    }
    Some(Step::Origin(format!(
        "{engine} applied it as its repository says; its own log tells which commit, and who asked for the sync"
    )))
}

fn by_autoscaler(log: &Log<'_>, request: &Request) -> Option<Step> {
    if controller(request)? != "horizontal-pod-autoscaler" || request.subresource != "scale" {
        return None;
    }
    let all = requests_with(
        log.store,
        &[(Field::Resource, "horizontalpodautoscalers"), (Field::Namespace, &request.object.namespace)],
    );
    let target = all.into_iter().rev().filter(|id| log.store.stage_time(*id) < request.time).find_map(|id| {
        let scaler = Request::read(log.store, id)?;
        let body = scaler.response_object().or_else(|| scaler.request_object())?;
        let name = body.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str)?;
        let is_write = scaler.is_write() && scaler.succeeded() && scaler.subresource != "status";
        (is_write && name == request.object.name).then_some(id)
    });
    Some(match target {
        Some(id) => found(cause(
            log,
            id,
            Certainty::Certain,
            "the autoscaler follows this",
            "spec.scaleTargetRef of the autoscaler",
        )?),
        None => Step::Origin(
            "a horizontal pod autoscaler scaled it by the load it measured; no body in this log says which"
                .to_owned(),
        ),
    })
}

fn by_certificate_signer(log: &Log<'_>, request: &Request) -> Option<Step> {
    if request.object.resource != "certificatesigningrequests" {
        return None;
    }
    let id = last_before(log, request.time, &request.object, |r| {
        r.subresource == "approval" || (r.verb == "create" && r.subresource.is_empty())
    })?;
    Some(found(cause(
        log,
        id,
        Certainty::Certain,
        "the signing request was made or approved",
        "the same object",
    )?))
}

fn by_itself(log: &Log<'_>, request: &Request) -> Step {
    if request.subresource == "status" {
        return Step::Origin("a controller reports the state of what it watches".to_owned());
    }
    match who::minted(log, request) {
        Some(minted) => Step::Origin(format!(
            "{} acted by itself; its token was issued to {}",
            request.user,
            who::minted_in_words(log, &minted)
        )),
        None => Step::Origin(format!("{} acted by itself", request.user)),
    }
}

/// The last successful write to an object before a moment that passes the test.
pub fn last_before(
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
fn writes_of(log: &Log<'_>, key: &ObjectKey) -> Vec<EventId> {
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
pub fn creation_of(log: &Log<'_>, time: Micros, key: &ObjectKey) -> Option<EventId> {
    let named = writes_of(log, key).into_iter().rev().find(|id| {
        log.store.stage_time(*id) <= time
            && Request::of(log.store, *id)
                .is_some_and(|r| r.verb == "create" && r.subresource.is_empty() && r.succeeded())
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
pub(super) fn known_owners(log: &Log<'_>, request: &Request) -> Vec<Owner> {
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

fn parents_by_name(child: &ObjectKey) -> Vec<ObjectKey> {
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

/// The uid that a deletion's answer tells, at any level (`responseStatus.details.uid`).
fn deleted_uid(log: &Log<'_>, id: EventId) -> Option<String> {
    let request = Request::read(log.store, id)?;
    let status = request.event.pointer("/responseStatus/details/uid");
    let body = request.event.pointer("/responseObject/metadata/uid");
    status.or(body).and_then(Value::as_str).map(str::to_owned)
}

fn is_success(log: &Log<'_>, id: EventId) -> bool {
    Request::of(log.store, id).is_some_and(|r| r.succeeded() && !r.is_dry_run())
}

fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey {
        resource: "namespaces".to_owned(),
        namespace: name.to_owned(),
        name: name.to_owned(),
        ..ObjectKey::default()
    }
}

fn pod_key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        resource: "pods".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..ObjectKey::default()
    }
}

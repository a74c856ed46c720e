//! What a controller did to what belongs to an object leads back to a change of that object, or to the loss of what it
//! had made before.
//!
//! Whose a child is, its `ownerReferences` prove. Which change of the owner moved the controller, only few fields prove
//! (see [`led_to`]); the rest is told by names and time, and said to be.

use serde_json::Value;

use super::lookup::{creation_of, known_owners, last_before, made_object, object_uid, parents_by_name};
use super::{AT_ONCE, PROMPT, Step, cause, found};
use crate::model::{ActorKind, EventId, actor_kind};
use crate::store::Field;
use crate::trace::finding::{Certainty, Log};
use crate::trace::relations::{Naming, Owner, RELATIONS, Relation, controller};
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::{requests_where, requests_with};

/// What the deployment controller writes on a replica set: the number that the deployment asks for
/// (`k8s.io/kubernetes/pkg/controller/deployment/util`).
const DESIRED_REPLICAS: &str = "/metadata/annotations/deployment.kubernetes.io~1desired-replicas";

/// A controller made, changed or removed what belongs to an object that was changed.
pub(super) fn by_owner(log: &Log<'_>, request: &Request) -> Option<Step> {
    let by = controller(request);
    let owned = known_owners(log, request);
    if by.is_none() && owned.is_empty() {
        return None;
    }
    if let Some(owner) = owned.first() {
        return Some(match last_move(log, request, &owner.key, Some(owner)) {
            Some(moved) => {
                let (certainty, evidence) = moved.proof(log, request, owner);
                found(cause(log, moved.id, certainty, moved.because(&owner.key), evidence)?)
            }
            None => Step::Hole(format!(
                "{} owns it; nothing in this log changed that before (it begins {})",
                owner.key,
                log.beginning()
            )),
        });
    }
    let is_known = |r: &&Relation| Some(r.controller) == by && r.child == request.object.resource;
    let relation = RELATIONS.iter().find(is_known)?;
    if request.object.name.is_empty() {
        return nameless(log, request, relation);
    }
    let parent = parents_by_name(&request.object).into_iter().find(|key| key.resource == relation.parent)?;
    Some(match last_move(log, request, &parent, None) {
        Some(moved) => {
            let evidence = format!(
                "name and time; the {} makes {} of {}",
                relation.controller, relation.child, relation.parent
            );
            found(cause(log, moved.id, Certainty::Likely, moved.because(&parent), evidence)?)
        }
        None => Step::Hole(format!(
            "its name is made of {parent}'s; nothing in this log changed that before (it begins {})",
            log.beginning()
        )),
    })
}

/// What moved a controller.
struct Move {
    id: EventId,
    how: How,
}

enum How {
    /// The owner was changed.
    Changed,
    /// The owner's schedule came round; the change is the one that set it as it is.
    Due,
    /// One of its pods was lost: its name.
    Lost(String),
}

impl Move {
    fn because(&self, owner: &ObjectKey) -> String {
        match &self.how {
            How::Changed => format!("{owner} was changed"),
            How::Due => format!("{owner} is due by its schedule, as it was last set here"),
            How::Lost(pod) => format!("pod {pod} was lost, and {owner} wants as many as before"),
        }
    }

    fn proof(&self, log: &Log<'_>, request: &Request, owner: &Owner) -> (Certainty, String) {
        match &self.how {
            How::Lost(pod) if *pod == request.object.name => {
                let evidence = "the same name, which a stateful set gives again; ownerReferences of the body";
                (Certainty::Certain, evidence.to_owned())
            }
            How::Lost(_) => (
                Certainty::Likely,
                "ownerReferences of the body; that it replaces this pod, by time".to_owned(),
            ),
            How::Due => (Certainty::Certain, "ownerReferences of the body".to_owned()),
            How::Changed => match Request::read(log.store, self.id) {
                Some(change) => led_to(&change, request, owner),
                None => (Certainty::Likely, "ownerReferences of the body, then time".to_owned()),
            },
        }
    }
}

/// Whether the bodies prove that a change of an owner led to what was done to its child: both must have been read.
///
/// Proofs are: the child names the uid of the object that was just made; the new replica set has the template that the
/// change left, or bears the number that the deployment was scaled to; the number asked for was more, or less, than there
/// were pods.
pub(in crate::trace) fn led_to(change: &Request, child: &Request, owner: &Owner) -> (Certainty, String) {
    let by_time = || {
        let text = format!(
            "ownerReferences of the body prove that {} owns it; that this change led to it is told by time",
            owner.key
        );
        (Certainty::Likely, text)
    };
    let Some(state) = change.response_object() else { return by_time() };
    let number = |pointer: &str| state.pointer(pointer).and_then(Value::as_i64);
    let is_same = uid(state).is_some_and(|uid| uid == owner.uid);
    if is_same && made_object(change) && child.verb == "create" {
        let text = format!("ownerReferences uid {} = that of the object it made", owner.uid);
        return (Certainty::Certain, text);
    }
    let bears =
        child.request_object().and_then(|body| body.pointer(DESIRED_REPLICAS)).and_then(Value::as_str);
    if is_same
        && change.subresource == "scale"
        && let (Some(bears), Some(asked)) = (bears, number("/spec/replicas"))
        && bears == asked.to_string()
    {
        let text = format!(
            "ownerReferences; its annotation deployment.kubernetes.io/desired-replicas {bears} = spec.replicas of the scale"
        );
        return (Certainty::Certain, text);
    }
    let counts = number("/spec/replicas").zip(Some(number("/status/replicas").unwrap_or(0)));
    if is_same
        && child.object.resource == "pods"
        && child.subresource.is_empty()
        && let Some((asked, there)) = counts
        && (child.verb == "create" && asked > there || child.verb == "delete" && asked < there)
    {
        let text = format!("ownerReferences; spec.replicas {asked} where status.replicas was {there}");
        return (Certainty::Certain, text);
    }
    by_time()
}

fn uid(body: &Value) -> Option<&str> {
    body.pointer("/metadata/uid").and_then(Value::as_str)
}

/// A pod that was made without a name, at a level that does not tell the name it got: what happened just before to one
/// of the objects that it may belong to, or to their pods.
fn nameless(log: &Log<'_>, request: &Request, relation: &Relation) -> Option<Step> {
    let changed = nearest_change(log, request, relation);
    let lost = (relation.child == "pods")
        .then(|| {
            changed_before(log, request, "pods", relation, |r| {
                ends_pod(r) && relation.naming.parent_of(&r.object.name).is_some()
            })
        })
        .flatten();
    let time = |id: &Option<EventId>| id.map(|id| log.store.stage_time(id));
    let evidence = "time alone: at this level the log does not tell the name of what was made";
    Some(match (changed, lost) {
        (_, Some(lost)) if time(&changed) < time(&Some(lost)) => {
            let name = Request::of(log.store, lost)?.object.name;
            let because = format!("pod {name} was lost just before");
            found(cause(log, lost, Certainty::Likely, because, evidence)?)
        }
        (Some(changed), _) => {
            let because = format!("{} of this namespace were changed just before", relation.parent);
            found(cause(log, changed, Certainty::Likely, because, evidence)?)
        }
        _ => Step::Hole(format!(
            "the {} made it for one of the namespace's {}; which one cannot be known at this level, which leaves out \
             the name it got",
            relation.controller, relation.parent
        )),
    })
}

/// The last write just before a request, to a resource of the same namespace, by anybody but the controller of a
/// relation.
fn changed_before(
    log: &Log<'_>,
    request: &Request,
    resource: &str,
    relation: &Relation,
    test: impl Fn(&Request) -> bool,
) -> Option<EventId> {
    let values = [(Field::Resource, resource), (Field::Namespace, request.object.namespace.as_str())];
    let near = request.time.saturating_sub(AT_ONCE)..=request.time;
    requests_with(log.store, &values).into_iter().rev().find(|id| {
        near.contains(&log.store.stage_time(*id))
            && Request::of(log.store, *id).is_some_and(|r| {
                r.is_write() && r.succeeded() && controller(&r) != Some(relation.controller) && test(&r)
            })
    })
}

/// The change of a possible owner that a pod made without a name follows, by time alone.
pub(in crate::trace) fn nearest_change(
    log: &Log<'_>,
    request: &Request,
    relation: &Relation,
) -> Option<EventId> {
    changed_before(log, request, relation.parent, relation, |r| r.subresource != "status")
}

/// The last thing that could have moved a controller to touch what belongs to `owner`: a change of the owner, or the
/// loss of one of its children. With `known`, changes of another object of the same name do not count.
fn last_move(log: &Log<'_>, request: &Request, owner: &ObjectKey, known: Option<&Owner>) -> Option<Move> {
    let by = controller(request);
    let is_same = |r: &Request| {
        known.is_none_or(|known| {
            let read = r.id.and_then(|id| Request::read(log.store, id));
            read.is_none_or(|r| is_same_object(log, &r, known))
        })
    };
    let changed = last_before(log, request.time, owner, |r| {
        r.subresource != "status" && (by.is_none() || controller(r) != by) && is_same(r)
    });
    let is_scheduled = RELATIONS.iter().any(|relation| {
        relation.naming == Naming::ScheduledTime
            && relation.parent == owner.resource
            && Some(relation.controller) == by
    });
    let changed = changed.map(|id| Move { id, how: if is_scheduled { How::Due } else { How::Changed } });
    let lost = (request.verb == "create").then(|| last_lost(log, request, owner)).flatten();
    match (changed, lost) {
        (Some(changed), Some(lost))
            if log.store.stage_time(lost.id) <= log.store.stage_time(changed.id)
                || request.time - log.store.stage_time(lost.id) >= PROMPT =>
        {
            Some(changed)
        }
        (changed, lost) => lost.or(changed),
    }
}

/// The last deletion or eviction of a pod of `owner` by anybody but its controller.
fn last_lost(log: &Log<'_>, request: &Request, owner: &ObjectKey) -> Option<Move> {
    let relation = RELATIONS
        .iter()
        .find(|r| r.parent == owner.resource && r.child == request.object.resource && r.child == "pods")?;
    let pods = requests_where(
        log.store,
        &[(Field::Resource, relation.child), (Field::Namespace, &owner.namespace)],
        Field::Name,
        |name| relation.naming.fits(&owner.name, name),
    );
    // An ordinal is given again, so that only the loss of the pod of this very name calls for it.
    let is_named = relation.naming == Naming::Ordinal;
    pods.into_iter().rev().find_map(|id| {
        if log.store.stage_time(id) > request.time {
            return None;
        }
        let lost = Request::of(log.store, id)?;
        let is_other = controller(&lost) != controller(request) && actor_kind(&lost.user) != ActorKind::Node;
        let fits = !is_named || lost.object.name == request.object.name;
        (fits && is_other && ends_pod(&lost) && lost.succeeded() && !lost.is_dry_run())
            .then_some(Move { id, how: How::Lost(lost.object.name.clone()) })
    })
}

/// Whether a request ends a pod.
pub(in crate::trace) fn ends_pod(request: &Request) -> bool {
    request.object.resource == "pods"
        && (request.verb == "delete" && request.subresource.is_empty() || request.subresource == "eviction")
}

/// Whether a request on an owner is about the very object that a child names, as far as their uids tell: an object that
/// was made anew under the same name is another one.
pub(in crate::trace) fn is_same_object(log: &Log<'_>, change: &Request, owner: &Owner) -> bool {
    if owner.uid.is_empty() {
        return true;
    }
    let told = object_uid(change).map(str::to_owned).or_else(|| {
        let made = creation_of(log, change.time, &change.object)?;
        object_uid(&Request::read(log.store, made)?).map(str::to_owned)
    });
    told.is_none_or(|uid| uid == owner.uid)
}

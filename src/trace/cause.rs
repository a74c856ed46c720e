//! One step back: which earlier request made a machine send this one.
//!
//! A person's request has no cause here: it is where a chain ends. For a machine's, the objects it dealt with are
//! looked at: the one it wrote, the ones that own it, its namespace. [`super::chain`] takes the steps one after another.
//! What owns the object is the part of `owner`, what happens to pods on their nodes that of `pod`.

mod lookup;
mod owner;
mod pod;

use serde_json::Value;

use super::finding::{Certainty, Log};
use super::relations::{NAMESPACE_FURNISHERS, controller, gitops_engine};
use super::request::Request;
use super::select::requests_with;
use super::trail::{self, GitOrigin};
use super::{certificate, who};
use crate::model::{ActorKind, EventId, LogKind, Micros, SECOND, actor_kind};
use crate::store::Field;
use lookup::{known_owners, last_before, namespace_key, parents_by_name, writes_of};

pub(super) use lookup::{creation_of, known_owners as owners_of, object_uid, writes_of as writes_to};
pub(super) use owner::{ends_pod, is_same_object, led_to, nearest_change};

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
    /// The commit that was applied, where a GitOps program's operation led to the other.
    pub git: Option<GitOrigin>,
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
    if request.log != LogKind::Kube {
        return trail::origin(log, request);
    }
    if let Some(step) = trail::passed_on(log, request) {
        return step;
    }
    if let Some(step) = trail::of_release(log, request) {
        return step;
    }
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
    let steps: [fn(&Log<'_>, &Request) -> Option<Step>; 9] = [
        by_namespace_controller,
        by_garbage_collector,
        pod::token_for_pod,
        pod::by_kubelet_or_scheduler,
        pod::by_node_lifecycle,
        by_autoscaler,
        owner::by_owner,
        by_gitops,
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
    Some(Cause { request, certainty, because: because.into(), evidence: evidence.into(), git: None })
}

/// A service account's token that somebody had issued, used where the account is not at home, or a machine's certificate
/// that a person had signed: whoever had it issued stands behind the request.
fn stolen_or_lent(log: &Log<'_>, request: &Request) -> Option<Cause> {
    if let Some(requested) = certificate::requested(log, &request.credential) {
        let by = Request::of(log.store, requested)?;
        if !by.is_by_person() {
            return None;
        }
        return cause(
            log,
            requested,
            Certainty::Certain,
            format!("the certificate it was made with was requested by {}", by.user),
            format!("SHA-256 of its status.certificate = credential-id {}", request.credential),
        );
    }
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
        let deletion = last_before(log, request.time, &owner.key, |r| r.verb == "delete")
            .and_then(|id| Request::read(log.store, id));
        let Some(deletion) = deletion else { continue };
        let (certainty, evidence) = match object_uid(&deletion) {
            Some(uid) if uid == owner.uid => {
                (Certainty::Certain, format!("ownerReferences uid {uid} = the deleted object's"))
            }
            // Another object of the same name.
            Some(_) => continue,
            None => (Certainty::Likely, "ownerReferences of its last known body, by name".to_owned()),
        };
        let because = format!("its owner {} was deleted", owner.key);
        return Some(found(Cause { request: deletion, certainty, because, evidence, git: None }));
    }
    let by_name = if known.is_empty() { parents_by_name(&request.object) } else { Vec::new() };
    for parent in by_name {
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

/// A GitOps controller writes what its repository says: because somebody asked it to, because the repository has changed,
/// or because somebody changed the object and it is put back.
fn by_gitops(log: &Log<'_>, request: &Request) -> Option<Step> {
    let engine = gitops_engine(request)?;
    let outside = trail::step(log, request);
    let asked_for = |cause: &Cause| cause.git.as_ref().is_some_and(|git| !git.initiator.is_empty());
    if matches!(&outside, Some(Step::Cause(cause)) if asked_for(cause)) {
        return outside;
    }
    put_back(log, request, engine).or(outside)
}

/// The change by others that a GitOps controller took back.
fn put_back(log: &Log<'_>, request: &Request, engine: &str) -> Option<Step> {
    let writes = writes_of(log, &request.object);
    let before = writes.iter().rev().filter(|id| log.store.stage_time(**id) < request.time);
    for id in before {
        let other = Request::of(log.store, *id)?;
        if other.subresource == "status" || !other.succeeded() || other.is_dry_run() {
            continue;
        }
        if gitops_engine(&other).is_some() && !who::is_by_hand(log, &other) {
            return None;
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
    None
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
    if actor_kind(&request.impersonated_user) == ActorKind::Human {
        let (user, person) = (&request.user, &request.impersonated_user);
        return Step::Origin(format!("{user} acted on behalf of {person}, as it says"));
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

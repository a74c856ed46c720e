//! What kubelets, the scheduler and the node lifecycle do to pods leads back to whoever made or ended the pod, or to the
//! node.

use serde_json::Value;

use super::lookup::{creation_of, is_success, last_before, pod_key, writes_of};
use super::owner::ends_pod;
use super::{Cause, PROMPT, Step, cause, found};
use crate::model::{ActorKind, actor_kind};
use crate::store::Field;
use crate::trace::finding::{Certainty, Log};
use crate::trace::relations::controller;
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::requests_with;

/// A kubelet asks for a token for a pod's service account, and says for which pod in the body.
pub(super) fn token_for_pod(log: &Log<'_>, request: &Request) -> Option<Step> {
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
pub(super) fn by_kubelet_or_scheduler(log: &Log<'_>, request: &Request) -> Option<Step> {
    if request.object.resource != "pods" || request.object.name.is_empty() {
        return None;
    }
    let is_kubelet = actor_kind(&request.user) == ActorKind::Node;
    let is_scheduler = request.subresource == "binding";
    if !is_kubelet && !is_scheduler {
        return None;
    }
    if is_kubelet && request.verb == "delete" {
        return ended(log, request);
    }
    let id = creation_of(log, request.time, &request.object)?;
    let because = "the pod was created";
    Some(found(cause(log, id, Certainty::Certain, because, "the same pod")?))
}

/// Why a kubelet deleted a pod's object, which it does only when the pod has ended.
fn ended(log: &Log<'_>, request: &Request) -> Option<Step> {
    // What happened to an earlier pod of the same name ended that one.
    let born = creation_of(log, request.time, &request.object).map(|id| log.store.stage_time(id));
    let asked = last_before(log, request.time, &request.object, |r| {
        ends_pod(r) && actor_kind(&r.user) != ActorKind::Node && born.is_none_or(|born| r.time >= born)
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
    if let Some(cause) = collection_deleted(log, request) {
        return Some(found(cause));
    }
    Some(Step::Hole(format!(
        "the pod ended; who told it to is not in this log (it begins {}), or it is one of the kubelet's own",
        log.beginning()
    )))
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
        git: None,
    })
}

/// The controllers that remove pods from nodes that no longer answer, or are tainted.
const NODE_LIFECYCLE: [&str; 4] =
    ["node-controller", "node-lifecycle-controller", "taint-eviction-controller", "pod-garbage-collector"];

/// The node lifecycle ends a pod since its node was tainted, marked or removed.
pub(super) fn by_node_lifecycle(log: &Log<'_>, request: &Request) -> Option<Step> {
    let by = controller(request).filter(|by| NODE_LIFECYCLE.contains(by))?;
    if !ends_pod(request) {
        return None;
    }
    let Some((node, how)) = node_of(log, request) else {
        return Some(Step::Hole(format!(
            "the {by} ends pods of nodes that are gone, tainted or no longer answer; on which node the pod was cannot \
             be known from this log"
        )));
    };
    let key = ObjectKey { resource: "nodes".to_owned(), name: node.clone(), ..ObjectKey::default() };
    let marked = last_before(log, request.time, &key, |r| {
        actor_kind(&r.user) != ActorKind::Node && r.subresource != "status"
    });
    let Some(id) = marked else {
        return Some(Step::Hole(format!(
            "the {by} ends pods of nodes that are gone, tainted or no longer answer; nothing in this log was done to \
             node {node} before (it begins {})",
            log.beginning()
        )));
    };
    let change = Request::read(log.store, id)?;
    let tainted =
        change.response_object().and_then(|body| body.pointer("/spec/taints")).is_some_and(|taints| {
            let effects = taints.as_array().into_iter().flatten().filter_map(|taint| taint.get("effect"));
            effects.into_iter().any(|effect| effect == "NoExecute")
        });
    let (certainty, because, evidence) = match (change.verb.as_str(), tainted) {
        ("delete", _) => (Certainty::Certain, "was removed", how.to_owned()),
        (_, true) => (Certainty::Certain, "was tainted", format!("{how}; spec.taints with effect NoExecute")),
        _ => (Certainty::Likely, "was changed", format!("{how}; then time")),
    };
    let because = format!("its node {node} {because}");
    Some(found(Cause { request: change, certainty, because, evidence, git: None }))
}

/// On which node a pod was, and what says so: its binding, or at any level the kubelet that reported on it.
fn node_of(log: &Log<'_>, request: &Request) -> Option<(String, &'static str)> {
    let earlier = writes_of(log, &request.object);
    let earlier = earlier.into_iter().rev().filter(|id| log.store.stage_time(*id) <= request.time);
    for id in earlier.take(32) {
        let Some(other) = Request::of(log.store, id) else { continue };
        if let Some(node) = other.user.strip_prefix("system:node:") {
            return Some((node.to_owned(), "the kubelet that reported on the pod"));
        }
        if other.subresource == "binding" {
            let binding = Request::read(log.store, id)?;
            let node = binding.request_object().and_then(|body| body.pointer("/target/name"));
            if let Some(node) = node.and_then(Value::as_str) {
                return Some((node.to_owned(), "target of the pod's binding"));
            }
        }
    }
    None
}

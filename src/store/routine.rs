//! What a healthy cluster does by itself all day, which one key hides: leases, watches, health probes, access
//! reviews, node status, and a controller's successful reconciliations.
//!
//! Never routine, whatever it is about: a refusal or failure, a person, an anonymous caller, a deletion, and a machine's
//! identity in the hands of a tool that people use.

use crate::model::{ActorKind, Event, LogKind, actor_kind, is_hand_tool, tool};

/// Whether a record is routine traffic.
pub fn is_routine(event: &Event<'_>) -> bool {
    // Controllers reconcile all day; Rancher's log has requests, its own probes foremost.
    if !matches!(event.log, LogKind::Kube | LogKind::Rancher) {
        return event.verb == "reconcile" && event.code < 400;
    }
    let object = &event.object;
    is_routine_kind(
        &event.user,
        &event.verb,
        &object.resource,
        &object.subresource,
        &object.namespace,
        &event.request_uri,
        event.code,
    ) && !is_hand_tool(tool(&event.user_agent))
}

fn is_routine_kind(
    user: &str,
    verb: &str,
    resource: &str,
    subresource: &str,
    namespace: &str,
    request_uri: &str,
    code: u16,
) -> bool {
    if code >= 400 || matches!(verb, "delete" | "deletecollection") {
        return false;
    }
    if matches!(actor_kind(user), ActorKind::Human | ActorKind::Anonymous) {
        return false;
    }
    match (resource, subresource) {
        ("leases", _) => true,
        // Components of older releases elect their leader on endpoints and config maps of this namespace.
        ("endpoints", "") if namespace == "kube-system" && matches!(verb, "get" | "update") => true,
        (
            "tokenreviews"
            | "subjectaccessreviews"
            | "localsubjectaccessreviews"
            | "selfsubjectaccessreviews"
            | "selfsubjectrulesreviews"
            | "selfsubjectreviews",
            _,
        ) => true,
        ("nodes", "status") => matches!(verb, "patch" | "update"),
        ("", _) => is_probe(request_uri),
        _ => verb == "watch",
    }
}

fn is_probe(request_uri: &str) -> bool {
    let path = request_uri.split('?').next().unwrap_or_default();
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(first, "healthz" | "livez" | "readyz" | "metrics" | "version" | "openapi")
        || matches!(path.trim_end_matches('/'), "/api" | "/apis")
        || is_discovery(path)
}

/// `/api/v1`, `/apis/apps`, `/apis/apps/v1`: clients reading which resources there are.
fn is_discovery(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!(parts.as_slice(), ["api", _] | ["apis", _] | ["apis", _, _])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectRef;

    #[test]
    fn of_controllers_what_is_reconciled_well() {
        let of = |log, verb: &'static str, code| {
            is_routine(&Event { log, verb: verb.into(), code, ..Event::default() })
        };
        assert!(of(LogKind::Flux, "reconcile", 200) && !of(LogKind::Flux, "apply", 200));
        assert!(!of(LogKind::Fleet, "fail", 500) && !of(LogKind::Kube, "reconcile", 200));
        let probe = |user: &'static str| {
            is_routine(&Event {
                log: LogKind::Rancher,
                verb: "get".into(),
                user: user.into(),
                request_uri: "/healthz".into(),
                code: 200,
                ..Event::default()
            })
        };
        assert!(probe("system:cattle:error") && !probe("user-6j5s6"));
    }

    #[test]
    fn what_a_cluster_does_by_itself() {
        let node = "system:node:n1";
        let controller = "system:kube-controller-manager";
        assert!(is_routine_kind(node, "update", "leases", "", "kube-node-lease", "/apis/x", 200));
        assert!(is_routine_kind(controller, "watch", "pods", "", "", "/api/v1/pods?watch=true", 200));
        assert!(is_routine_kind(node, "patch", "nodes", "status", "", "/api/v1/nodes/n1/status", 200));
        assert!(is_routine_kind("system:apiserver", "get", "", "", "", "/readyz?verbose", 200));
        assert!(is_routine_kind(controller, "get", "", "", "", "/apis/apps/v1", 200));
        assert!(!is_routine_kind(controller, "get", "", "", "", "/logs/kube-apiserver.log", 200));
        assert!(!is_routine_kind(controller, "patch", "deployments", "", "prod", "/apis/apps/v1/x", 200));
    }

    #[test]
    fn what_is_never_folded() {
        assert!(!is_routine_kind("alice", "watch", "pods", "", "", "/", 200), "a person");
        assert!(!is_routine_kind("system:anonymous", "get", "", "", "", "/readyz", 200), "anonymous");
        assert!(!is_routine_kind("", "get", "", "", "", "/readyz", 0), "nobody");
        assert!(!is_routine_kind("system:node:n1", "delete", "leases", "", "", "/", 200), "a deletion");
        assert!(!is_routine_kind("system:node:n1", "update", "leases", "", "", "/", 409), "a failure");
        let by = |agent: &'static str| {
            is_routine(&Event {
                user: "system:serviceaccount:a:b".into(),
                verb: "watch".into(),
                object: ObjectRef { resource: "pods".into(), ..ObjectRef::default() },
                user_agent: agent.into(),
                code: 200,
                ..Event::default()
            })
        };
        assert!(
            by("agent/v1.0") && !by("kubectl/v1.34.1 (linux/amd64)"),
            "a machine's token in a person's hands"
        );
    }
}

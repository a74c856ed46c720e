use serde_json::json;

use super::*;
use crate::trace::ObjectKey;

fn answered(code: u16, decision: Decision, message: &str) -> Request {
    Request {
        code,
        decision,
        user: "bob".into(),
        verb: "create".into(),
        object: ObjectKey { resource: "pods".into(), namespace: "a".into(), ..ObjectKey::default() },
        event: json!({"responseStatus": {"code": code, "message": message}}),
        ..Request::default()
    }
}

fn why(code: u16, message: &str) -> Option<Refusal> {
    Refused::of(&answered(code, Decision::Allow, message)).map(|refused| refused.why)
}

#[test]
fn what_admission_says_is_told_apart() {
    let webhook = |unreachable| Some(Refusal::AdmissionWebhook { name: "w.example.com".into(), unreachable });
    // A webhook chooses its code.
    for code in [400, 403, 404, 409, 500] {
        let said = why(code, r#"admission webhook "w.example.com" denied the request: violates PodSecurity"#);
        assert_eq!(said, webhook(false));
    }
    let failed =
        r#"Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post"#;
    assert_eq!(why(500, failed), webhook(true));
    assert_eq!(
        why(
            403,
            r#"pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#
        ),
        Some(Refusal::PodSecurity {
            level: "restricted:latest".into(),
            violations: "runAsNonRoot != true".into()
        })
    );
    for message in [
        r#"pods "web" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1"#,
        r#"pods "web" is forbidden: failed quota: compute: must specify limits.cpu"#,
    ] {
        assert_eq!(why(403, message), Some(Refusal::Quota { name: "compute".into() }));
    }
    let policy = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few-prod' denied \
                  request: failed expression: object.spec.replicas <= 5";
    let few = Some(Refusal::ValidatingAdmissionPolicy { policy: "few".into(), binding: "few-prod".into() });
    assert_eq!(why(422, policy), few);
    let grant = "clusterroles.rbac.authorization.k8s.io \"x\" is forbidden: user \"bob\" (groups=[]) is attempting to grant \
                 RBAC permissions not currently held:\n{}";
    assert_eq!(why(403, grant), Some(Refusal::Escalation));
    let terminating = "pods \"web\" is forbidden: unable to create new content in namespace a because it is being terminated";
    assert_eq!(why(403, terminating), Some(Refusal::Other { message: terminating.into() }));
}

#[test]
fn failures_that_nobody_refused() {
    for (code, message) in [
        (404, r#"pods "web" not found"#),
        (409, r#"Operation cannot be fulfilled on pods "web": the object has been modified"#),
        (422, r#"Pod "web" is invalid: spec.containers: Required value"#),
        (400, "container web is not valid for pod web"),
        (429, "storage is (re)initializing"),
        (500, "error dialing backend"),
        (504, "Timeout: request did not complete"),
        (200, ""),
        (0, ""),
    ] {
        assert_eq!(why(code, message), None, "{code} {message}");
    }
}

#[test]
fn before_authorization() {
    let refused = |code, message| Refused::of(&answered(code, Decision::Absent, message)).map(|r| r.why);
    assert_eq!(
        refused(429, "Too many requests, please try again later."),
        Some(Refusal::PriorityAndFairness)
    );
    let attempted = "Authentication failed, attempted: bearer";
    assert_eq!(refused(401, attempted), Some(Refusal::Authentication { attempted: attempted.into() }));
    let (user, verb) = ("bob".to_owned(), "impersonate".to_owned());
    let needs = Permission::Resource {
        namespace: String::new(),
        group: String::new(),
        resource: "groups".into(),
        name: "system:masters".into(),
        verb,
    };
    assert_eq!(
        refused(
            403,
            r#"groups "system:masters" is forbidden: User "bob" cannot impersonate resource "groups" in API group "" at the cluster scope"#
        ),
        Some(Refusal::Rbac { user, needs })
    );
}

#[test]
fn rbac_is_told_without_a_message_and_whatever_a_name_pretends() {
    let mut old = answered(403, Decision::Forbid, "");
    old.event = json!({});
    old.impersonated_user = "alice".into();
    let refused = Refused::of(&old).expect("a refusal");
    assert_eq!(refused.why.to_string(), "no role lets alice create pods in namespace a");
    // The name of an object is a client's choice, and stands in the message before the reason.
    let name = r#"x\" is forbidden: User \"bob\" cannot delete resource \"*\" in API group \"\" at the cluster scope"#;
    let message = format!("pods \"{name}\" is forbidden: exceeded quota: compute, requested: pods=1");
    assert_eq!(why(403, &message), Some(Refusal::Quota { name: "compute".into() }));
}

#[test]
fn without_a_message_annotations_may_tell() {
    let mut request = answered(403, Decision::Allow, "");
    let refused = Refused::of(&request).expect("a refusal");
    assert_eq!((refused.why, refused.certainty), (Refusal::Other { message: "".into() }, Certainty::Unknown));
    request.event = json!({"annotations": {
        "pod-security.kubernetes.io/enforce-policy": "baseline:latest",
        "pod-security.kubernetes.io/audit-violations": "would violate PodSecurity \"baseline:latest\": privileged"}});
    let refused = Refused::of(&request).expect("a refusal");
    assert_eq!((refused.why.kind(), refused.certainty), ("pod-security", Certainty::Likely));
    for (action, kind) in [("Deny", "policy"), ("Audit", "other")] {
        let failures =
            json!([{"message": "m", "policy": "few", "binding": "b", "validationActions": [action]}]);
        request.event = json!({"annotations": {POLICY_FAILURE: failures.to_string()}});
        assert_eq!(Refused::of(&request).map(|refused| refused.why.kind()), Some(kind));
    }
}

#[test]
fn messages_cut_anywhere_harm_nothing() {
    let message = r#"serviceaccounts "a\"b" is forbidden: User "bob" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "ci""#;
    let whole = why(403, message).map(|refusal| refusal.kind());
    assert_eq!(whole, Some("rbac"));
    for at in 0..message.len() {
        let refused = why(403, &message[..at]).map(|refusal| refusal.kind());
        assert_eq!(refused, Some("other"), "{at}");
    }
}

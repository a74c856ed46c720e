//! What each detection tells, and of which ordinary hours it says nothing; in whatever pieces and order a log comes.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::detect::RuleSet;
use crate::detect::tests::{batch, merge};
use crate::model::{SECOND, format_rfc3339};

mod hours;
mod incidents;
mod memory;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| RuleSet::load(true, &[]).0.prepare());

const ARGOCD: &str = "system:serviceaccount:argocd:argocd-application-controller";
const ARGOCD_AGENT: &str = "argocd-application-controller/v3.1.0 (linux/amd64)";
const KUBECTL: &str = "kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07";
const HELM: &str = "Helm/3.16.2";
const ADMIN: &str = "admin@example.com";
const START: i64 = 1_763_700_000;

/// A request `second` seconds after the start of the log, made with this credential id, if it has one.
fn request(second: i64, user: &str, credential: &str, ip: &str, agent: &str) -> Value {
    let at = format_rfc3339((START + second) * SECOND);
    let extra = match credential {
        "" => json!({}),
        credential => json!({"authentication.kubernetes.io/credential-id": [credential]}),
    };
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "auditID": format!("{user} {second} {ip} {agent}"), "verb": "get",
        "requestURI": "/api/v1/namespaces/shop/configmaps/settings",
        "user": {"username": user, "groups": ["system:authenticated"], "extra": extra},
        "sourceIPs": [ip], "userAgent": agent,
        "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "settings", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": at, "stageTimestamp": at,
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    })
}

/// The same with `changes` merged into it.
fn with(mut request: Value, changes: Value) -> Value {
    merge(&mut request, &changes);
    request
}

/// The same with a token that is bound to a pod.
fn in_pod(request: Value, pod: &str) -> Value {
    with(request, json!({"user": {"extra": {"authentication.kubernetes.io/pod-name": [pod]}}}))
}

/// A write to a Deployment.
fn write(request: Value, verb: &str, name: &str) -> Value {
    let uri = format!("/apis/apps/v1/namespaces/shop/deployments/{name}");
    let object = json!({"resource": "deployments", "apiGroup": "apps", "name": name});
    with(request, json!({"verb": verb, "requestURI": uri, "objectRef": object}))
}

/// A token of a service account, made by whoever sends the request.
fn mint(request: Value, account: &str, issued: &str) -> Value {
    let (namespace, name) = account.strip_prefix("system:serviceaccount:").unwrap().split_once(':').unwrap();
    let object =
        json!({"resource": "serviceaccounts", "subresource": "token", "namespace": namespace, "name": name});
    let uri = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
    let issued = json!({"authentication.kubernetes.io/issued-credential-id": issued});
    let changes = json!({"verb": "create", "requestURI": uri, "objectRef": object, "annotations": issued});
    with(request, changes)
}

/// Requests of a program at work, one every `every` seconds.
fn at_work(user: &str, credential: &str, ip: &str, agent: &str, every: i64, count: i64) -> Vec<Value> {
    (0..count).map(|n| request(10 + n * every, user, credential, ip, agent)).collect()
}

/// A finding, without what depends on where its records lie.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Told {
    detection: StateDetection,
    group: String,
    /// Second of the first request.
    first: i64,
    count: u64,
    requests: Vec<String>,
    reason: String,
}

fn told(found: &[Finding], store: &Store) -> Vec<Told> {
    let tell = |finding: &Finding| {
        assert!(finding.first <= finding.reached && finding.reached <= finding.last);
        let request = |event: &crate::model::EventId| {
            let segment = store.segment(*event).expect("it is held");
            let uri = segment.string(crate::store::Field::RequestUri, event.row());
            format!("{} {uri}", segment.audit_id(event.row()))
        };
        Told {
            detection: ENGINE.rule(finding.rule).state.expect("a rule with state"),
            group: finding.group.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(","),
            first: finding.first / SECOND - START,
            count: finding.count,
            requests: finding.events.iter().map(request).collect(),
            reason: finding.reason.clone().unwrap_or_default(),
        }
    };
    found.iter().map(tell).collect()
}

/// What is found when the log comes in pieces of this size; the index keeps up after each.
fn in_pieces<'e>(pieces: impl Iterator<Item = &'e [Value]>) -> Vec<Told> {
    let (mut store, mut identities) = (Store::new(), Identities::default());
    for piece in pieces {
        store.push(batch(piece, 0));
        identities.update(&store);
    }
    assert_eq!(identities.forgotten(), 0);
    told(&findings(&ENGINE, &identities, &store), &store)
}

/// What is found in a log, however it is loaded: at once, forward and backward in pieces, and shuffled.
fn found(log: &[Value]) -> Vec<Told> {
    let mut log = log.to_vec();
    log.sort_by_key(|event| event["stageTimestamp"].to_string());
    let whole = in_pieces(std::iter::once(log.as_slice()));
    assert_eq!(in_pieces(log.chunks(3)), whole, "forward");
    assert_eq!(in_pieces(log.chunks(4).rev()), whole, "backward");
    let mut shuffled: Vec<&[Value]> = log.chunks(2).collect();
    shuffled.sort_by_key(|piece| crate::store::hash_bytes(piece[0].to_string().as_bytes()));
    assert_eq!(in_pieces(shuffled.into_iter()), whole, "shuffled");
    whole
}

/// The detections that tell something of a log, with the group of each.
fn heads(log: &[Value]) -> Vec<(StateDetection, String)> {
    found(log).into_iter().map(|told| (told.detection, told.group)).collect()
}

#[test]
fn every_detection_has_a_rule_and_an_unknown_one_is_refused() {
    for (name, detection) in StateDetection::NAMED {
        let rules = ENGINE.rules().iter().filter(|info| info.state == Some(detection));
        assert_eq!(rules.count(), 1, "{name}");
    }
    let rule = |state: &str| {
        format!(
            "title: T\nid: t\nlogsource: {{product: kubernetes}}\ndetection:\n    a: {{verb: get}}\n    condition: a\nkauditui: {{state: {state}}}\n"
        )
    };
    let (rules, problems) = RuleSet::parse("t.yml".as_ref(), &rule("two_places"));
    assert!(problems.is_empty());
    let segment = crate::detect::tests::segment(&[request(0, ADMIN, "", "10.0.0.1", KUBECTL)]);
    assert!(rules.prepare().hits(&segment, 0..1).is_empty(), "no event hits such a rule");
    let (rules, problems) = RuleSet::parse("t.yml".as_ref(), &rule("three_places"));
    assert!(rules.rules().is_empty());
    assert_eq!((problems.len(), problems[0].line), (1, 7));
    assert!(problems[0].reason.contains("two_places"), "{}", problems[0]);
}

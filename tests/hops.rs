//! Cause chains as a hostile reader asks for them: small made-up logs, each with the hops that are expected and how sure
//! each may be. Where a field proves a hop it is certain; where names, habits or times speak for it, likely; where
//! nothing does, the chain ends with what cannot be known.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::app::batch;
use kauditui::identity::Identities;
use kauditui::model::TimeZoneChoice;
use kauditui::store::Store;
use kauditui::trace::chain::causes;
use kauditui::trace::{Certainty, Chain, Effect, End, Log, Request, Topic, who};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use Certainty::{Certain, Likely};

/// One line: when (in milliseconds), its auditID, who, what, on which object.
fn line(at: u32, id: &str, user: &str, verb: &str, resource: &str, name: &str) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let group = match resource {
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" => "apps",
        "jobs" | "cronjobs" => "batch",
        "horizontalpodautoscalers" => "autoscaling",
        "certificatesigningrequests" => "certificates.k8s.io",
        _ => "",
    };
    let is_cluster_scoped = matches!(resource, "nodes" | "certificatesigningrequests");
    let mut object = json!({"resource": resource, "apiVersion": "v1"});
    let parts = [
        ("namespace", if is_cluster_scoped { "" } else { "prod" }),
        ("name", name),
        ("apiGroup", group),
        ("subresource", subresource),
    ];
    for (key, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        object[key] = json!(value);
    }
    let user = match user.strip_prefix("kube:") {
        Some(controller) => format!("system:serviceaccount:kube-system:{controller}"),
        None => user.to_owned(),
    };
    let is_person = !user.starts_with("system:");
    let time = format!("2026-01-01T00:{:02}:{:02}.{:03}000Z", at / 60_000, at / 1000 % 60, at % 1000);
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": "ResponseComplete",
        "level": "Metadata", "requestURI": format!("/{resource}/{name}"), "verb": verb,
        "user": {"username": user}, "sourceIPs": ["10.0.0.1"],
        "userAgent": if is_person { "kubectl/v1.32.4" } else { "kube-controller-manager/v1.36.0" },
        "objectRef": object,
        "responseStatus": {"metadata": {}, "code": if verb == "create" { 201 } else { 200 }},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
    })
}

/// The same line with the body of its answer, owned by another object.
fn owned(mut line: Value, name: &str, owner: (&str, &str, &str)) -> Value {
    let (kind, owner, uid) = owner;
    let version = match kind {
        "Job" | "CronJob" => "batch/v1",
        _ => "apps/v1",
    };
    line["level"] = json!("RequestResponse");
    line["responseObject"] = json!({"metadata": {"name": name, "uid": format!("uid-of-{name}"), "ownerReferences": [
        {"apiVersion": version, "kind": kind, "name": owner, "uid": uid, "controller": true}]}});
    line
}

fn answered(mut line: Value, body: Value) -> Value {
    line["level"] = json!("RequestResponse");
    line["responseObject"] = body;
    line
}

fn with_log<T>(lines: &[Value], ask: impl FnOnce(&Log<'_>) -> T) -> T {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut store = Store::new();
    store.push(*batch(&text, 1));
    let mut identities = Identities::default();
    identities.update(&store);
    ask(&Log { store: &store, identities: &identities, zone: TimeZoneChoice::Utc })
}

fn request(log: &Log<'_>, audit_id: &str) -> Request {
    let found = log.store.find_audit_id(audit_id);
    let [id] = found.as_slice() else { panic!("{audit_id}: {found:?}") };
    Request::read(log.store, *id).expect("it is held")
}

/// The hops back from a request, and the end: `origin …` or `hole …`.
fn hops(lines: &[Value], audit_id: &str) -> (Vec<(String, Certainty)>, String) {
    with_log(lines, |log| {
        let (causes, end) = causes(log, &request(log, audit_id));
        for cause in &causes {
            assert!(!cause.because.is_empty() && !cause.evidence.is_empty(), "{cause:?}");
        }
        let end = match end {
            End::Origin(why) => format!("origin {why}"),
            End::Hole(why) => format!("hole {why}"),
        };
        (causes.into_iter().map(|cause| (cause.request.audit_id, cause.certainty)).collect(), end)
    })
}

#[track_caller]
fn leads_back(lines: &[Value], from: &str, wanted: &[(&str, Certainty)], ends: &str) {
    let (found, end) = hops(lines, from);
    let found: Vec<(&str, Certainty)> = found.iter().map(|(id, sure)| (id.as_str(), *sure)).collect();
    assert_eq!(found, wanted, "{end}");
    assert!(end.starts_with(ends), "{end}");
}

/// All requests that follow from one, with what they follow from.
fn follows(lines: &[Value], audit_id: &str) -> Vec<(String, Certainty)> {
    fn all(log: &Log<'_>, effects: &[Effect], found: &mut Vec<(String, Certainty)>) {
        for effect in effects {
            let ids = effect.requests.iter().filter_map(|id| Request::of(log.store, *id));
            found.extend(ids.map(|request| (request.audit_id, effect.certainty)));
            all(log, &effect.effects, found);
        }
    }
    with_log(lines, |log| {
        let chain = Chain::of(log, request(log, audit_id).id.expect("a row")).expect("it is held");
        let mut found = Vec::new();
        all(log, &chain.effects, &mut found);
        found
    })
}

const DAEMONS: (&str, &str, &str) = ("DaemonSet", "logs", "uid-logs");

#[test]
fn a_pod_of_a_daemon_set_deleted_by_hand_is_made_again() {
    let lines = [
        line(0, "made", "alice", "create", "daemonsets", "logs"),
        line(9_000, "deleted", "bob", "delete", "pods", "logs-bcdfg"),
        line(9_900, "ended", "system:node:n1", "delete", "pods", "logs-bcdfg"),
        owned(
            line(10_000, "again", "kube:daemon-set-controller", "create", "pods", ""),
            "logs-hjklm",
            DAEMONS,
        ),
    ];
    leads_back(&lines, "again", &[("deleted", Likely)], "origin bob");
    leads_back(&lines, "ended", &[("deleted", Certain)], "origin bob");
    assert_eq!(follows(&lines, "deleted"), [("ended".to_owned(), Certain), ("again".to_owned(), Likely)]);
}

#[test]
fn without_bodies_a_nameless_pod_is_told_by_time_or_not_at_all() {
    let made = |at| line(at, "again", "kube:daemon-set-controller", "create", "pods", "");
    let ended = line(9_900, "ended", "system:node:n1", "delete", "pods", "logs-bcdfg");
    let deleted = line(9_000, "deleted", "bob", "delete", "pods", "logs-bcdfg");
    leads_back(
        &[deleted.clone(), ended.clone(), made(10_000)],
        "again",
        &[("ended", Likely), ("deleted", Certain)],
        "origin bob",
    );
    leads_back(&[deleted, ended, made(60_000)], "again", &[], "hole the daemon-set-controller");
}

#[test]
fn a_pod_of_a_stateful_set_comes_again_under_its_name() {
    let owner = ("StatefulSet", "db", "uid-db");
    let lines = [
        line(0, "made", "alice", "create", "statefulsets", "db"),
        owned(line(100, "first", "kube:statefulset-controller", "create", "pods", "db-0"), "db-0", owner),
        line(5_000, "deleted", "bob", "delete", "pods", "db-0"),
        line(5_500, "other", "carol", "delete", "pods", "db-1"),
        line(6_000, "ended", "system:node:n1", "delete", "pods", "db-0"),
        owned(line(6_100, "again", "kube:statefulset-controller", "create", "pods", "db-0"), "db-0", owner),
    ];
    leads_back(&lines, "again", &[("deleted", Certain)], "origin bob");
    // An end without a deletion since the pod was made anew is nobody's that this log knows.
    let mut later = lines.to_vec();
    later.push(line(20_000, "later", "system:node:n1", "delete", "pods", "db-0"));
    leads_back(&later, "later", &[], "hole the pod ended");
}

#[test]
fn a_pod_of_a_job_leads_to_the_schedule_and_whoever_set_it() {
    let job = "nightly-29384756";
    let lines = [
        answered(
            line(0, "set", "alice", "create", "cronjobs", "nightly"),
            json!({"metadata": {"name": "nightly", "uid": "uid-nightly"}}),
        ),
        owned(
            line(50_000, "due", "kube:cronjob-controller", "create", "jobs", job),
            job,
            ("CronJob", "nightly", "uid-nightly"),
        ),
        owned(
            line(50_100, "pod", "kube:job-controller", "create", "pods", ""),
            "nightly-29384756-bcdfg",
            ("Job", job, &format!("uid-of-{job}")),
        ),
    ];
    leads_back(&lines, "pod", &[("due", Certain), ("set", Certain)], "origin alice");
}

#[test]
fn an_autoscaler_scales_what_it_was_set_to() {
    let scale = line(9_000, "scaled", "kube:horizontal-pod-autoscaler", "update", "deployments/scale", "web");
    let set = answered(
        line(0, "set", "alice", "create", "horizontalpodautoscalers", "web"),
        json!({"metadata": {"name": "web"}, "spec": {"scaleTargetRef": {"name": "web"}}}),
    );
    leads_back(&[set.clone(), scale.clone()], "scaled", &[("set", Certain)], "origin alice");
    // What owns the deployment did not scale it.
    let operated = owned(scale.clone(), "web", ("Shop", "main", "uid-main"));
    leads_back(&[set, operated], "scaled", &[("set", Certain)], "origin alice");
    leads_back(&[scale], "scaled", &[], "origin a horizontal pod autoscaler");
}

#[test]
fn a_drained_pod_leads_to_whoever_drained() {
    let owner = ("ReplicaSet", "web-6bcbd697", "uid-set");
    let lines = [
        line(0, "cordoned", "bob", "patch", "nodes", "n1"),
        line(1_000, "evicted", "bob", "create", "pods/eviction", "web-6bcbd697-bcdfg"),
        owned(
            line(1_010, "again", "kube:replicaset-controller", "create", "pods", ""),
            "web-6bcbd697-hjklm",
            owner,
        ),
        line(3_000, "ended", "system:node:n1", "delete", "pods", "web-6bcbd697-bcdfg"),
    ];
    leads_back(&lines, "ended", &[("evicted", Certain)], "origin bob");
    leads_back(&lines, "again", &[("evicted", Likely)], "origin bob");
    let mut set_off = follows(&lines, "evicted");
    set_off.sort();
    assert_eq!(set_off, [("again".to_owned(), Likely), ("ended".to_owned(), Certain)]);
}

#[test]
fn the_node_lifecycle_ends_pods_of_a_tainted_node() {
    let reported = line(0, "reported", "system:node:n1", "patch", "pods/status", "web-1");
    let taint = line(50_000, "tainted", "kube:node-controller", "patch", "nodes", "n1");
    let body =
        json!({"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}});
    let ended = line(60_000, "ended", "kube:taint-eviction-controller", "delete", "pods", "web-1");
    let told = answered(taint.clone(), body);
    leads_back(&[reported.clone(), told, ended.clone()], "ended", &[("tainted", Certain)], "origin");
    leads_back(&[reported.clone(), taint, ended.clone()], "ended", &[("tainted", Likely)], "origin");
    leads_back(&[reported, ended.clone()], "ended", &[], "hole the taint-eviction-controller");
    leads_back(&[ended], "ended", &[], "hole the taint-eviction-controller");
}

#[test]
fn the_same_name_in_another_namespace_is_another_object() {
    let mut elsewhere = line(1_000, "elsewhere", "carol", "delete", "deployments", "web");
    elsewhere["objectRef"]["namespace"] = json!("staging");
    let collected =
        line(2_000, "collected", "kube:generic-garbage-collector", "delete", "replicasets", "web-6bcbd697");
    leads_back(&[elsewhere.clone(), collected.clone()], "collected", &[], "hole its owner is gone");
    let own = line(500, "own", "bob", "delete", "deployments", "web");
    leads_back(&[own, elsewhere, collected], "collected", &[("own", Likely)], "origin bob");
}

#[test]
fn an_object_made_again_under_its_name_is_another_one() {
    let deleted = |id: &str, user: &str, at: u32, uid: &str| {
        let mut line = line(at, id, user, "delete", "deployments", "web");
        line["responseStatus"]["details"] = json!({"uid": uid});
        line
    };
    let owner = |uid| ("Deployment", "web", uid);
    let set = line(500, "set", "kube:deployment-controller", "create", "replicasets", "web-6bcbd697");
    let collected =
        line(9_000, "collected", "kube:generic-garbage-collector", "delete", "replicasets", "web-6bcbd697");
    let lines = [
        owned(set, "web-6bcbd697", owner("uid-1")),
        deleted("first", "bob", 1_000, "uid-1"),
        deleted("second", "carol", 5_000, "uid-2"),
        collected,
    ];
    // The last deletion of that name was another object's.
    let (found, end) = hops(&lines, "collected");
    assert!(!found.iter().any(|(id, _)| id == "second"), "{found:?} {end}");
    // What is made for the new object does not follow from the end of the old one.
    let made = owned(
        line(6_000, "new", "kube:deployment-controller", "create", "replicasets", "web-6bcbd697"),
        "web-6bcbd697",
        owner("uid-3"),
    );
    let lines = [deleted("second", "carol", 5_000, "uid-2"), made];
    assert_eq!(follows(&lines, "second"), []);
}

#[test]
fn a_change_among_several_is_likely_only() {
    let owner = ("Deployment", "web", "uid-web");
    let state = || json!({"metadata": {"name": "web", "uid": "uid-web"}, "spec": {"replicas": 2}});
    let mut made = answered(line(0, "made", "alice", "create", "deployments", "web"), state());
    made["requestObject"] = state();
    let set = owned(
        line(100, "set", "kube:deployment-controller", "create", "replicasets", "web-6bcbd697"),
        "web-6bcbd697",
        owner,
    );
    leads_back(&[made.clone(), set.clone()], "set", &[("made", Certain)], "origin alice");
    let labelled = answered(line(50, "labelled", "bob", "patch", "deployments", "web"), state());
    leads_back(&[made, labelled, set], "set", &[("labelled", Likely)], "origin bob");
}

#[test]
fn one_audit_id_over_two_requests_is_said() {
    let lines = [
        line(0, "same", "mallory", "list", "secrets", ""),
        line(5, "same", "mallory", "create", "pods", "miner"),
    ];
    with_log(&lines, |log| {
        let both = log.store.find_audit_id("same");
        assert_eq!(both.len(), 2);
        for id in both {
            let found = who(log, &Request::read(log.store, id).expect("it is held"));
            let said = found.iter().find(|finding| finding.topic == Topic::Record).expect("it is said");
            assert_eq!(said.certainty, Certain);
            assert!(said.text.contains("the same auditID stands over another request"), "{}", said.text);
        }
    });
}

#[test]
fn an_impersonated_write_is_the_impersonators() {
    let mut acted = line(0, "acted", "mallory", "delete", "secrets", "db");
    acted["impersonatedUser"] = json!({"username": "admin@example.com"});
    leads_back(&[acted.clone()], "acted", &[], "origin mallory is a person");
    with_log(&[acted.clone()], |log| {
        let found = who(log, &request(log, "acted"));
        let said = found.iter().find(|finding| finding.topic == Topic::Impersonation).expect("it is said");
        assert_eq!((said.certainty, said.text.as_str()), (Certain, "mallory acted as admin@example.com"));
    });
    // A proxy acts for a person, as it says.
    acted["user"]["username"] = json!("system:serviceaccount:cattle-system:rancher");
    leads_back(
        &[acted],
        "acted",
        &[],
        "origin system:serviceaccount:cattle-system:rancher acted on behalf of admin@example.com",
    );
}

#[test]
fn a_certificate_leads_to_whoever_had_it_signed() {
    let der = b"a certificate of a node";
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    let digits: String = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
    let resource = "certificatesigningrequests";
    let signed = answered(
        line(200, "signed", "kube:certificate-controller", "update", &format!("{resource}/status"), "own"),
        json!({"metadata": {"name": "own"}, "status": {"certificate": STANDARD.encode(pem)}}),
    );
    let mut used = line(9_000, "used", "system:node:n1", "get", "secrets", "db");
    used["user"]["extra"] =
        json!({"authentication.kubernetes.io/credential-id": [format!("X509SHA256={digits}")]});
    let asked = line(0, "asked", "mallory", "create", resource, "own");
    let approved = line(100, "approved", "mallory", "update", &format!("{resource}/approval"), "own");
    let lines = [asked, approved, signed, used.clone()];
    leads_back(&lines, "used", &[("asked", Certain)], "origin mallory");
    leads_back(&lines, "signed", &[("approved", Certain)], "origin mallory");
    assert!(follows(&lines, "asked").contains(&("used".to_owned(), Certain)));
    with_log(&lines, |log| {
        let found = who(log, &request(log, "used"));
        let issued: Vec<_> = found.iter().filter(|finding| finding.topic == Topic::Issued).collect();
        assert!(issued.len() == 2 && issued.iter().all(|finding| finding.certainty == Certain), "{issued:?}");
    });
    // Without the signing request, who had it issued cannot be known.
    with_log(&[used], |log| {
        let found = who(log, &request(log, "used"));
        let issued = found.iter().find(|finding| finding.topic == Topic::Issued).expect("it is said");
        assert_eq!(issued.certainty, Certainty::Unknown);
        assert!(issued.text.contains("cannot be known"), "{}", issued.text);
    });
}

/// A line of Helm's.
fn by_helm(at: u32, id: &str, user: &str, verb: &str, resource: &str, name: &str) -> Value {
    let mut line = line(at, id, user, verb, resource, name);
    line["userAgent"] = json!("Helm/3.19.0");
    line
}

#[test]
fn what_helm_writes_belongs_to_a_release_and_its_revision() {
    let annotations = json!({"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"});
    let body = json!({"kind": "Deployment", "metadata":
        {"name": "shop", "namespace": "prod", "annotations": annotations}});
    let lines = [
        by_helm(1_000, "other-release", "dana", "create", "secrets", "sh.helm.release.v1.cache.v1"),
        by_helm(1_500, "other-object", "dana", "create", "configmaps", "cache"),
        by_helm(2_000, "release", "dana", "create", "secrets", "sh.helm.release.v1.shop.v7"),
        answered(by_helm(2_500, "deployment", "dana", "patch", "deployments", "shop"), body),
        by_helm(2_600, "service", "dana", "patch", "services", "shop"),
        line(2_700, "by-hand", "dana", "patch", "services", "shop"),
        by_helm(2_800, "of-another", "erik", "patch", "services", "shop"),
        by_helm(3_000, "marked", "dana", "update", "secrets", "sh.helm.release.v1.shop.v7"),
    ];
    leads_back(&lines, "deployment", &[("release", Certain)], "origin dana");
    leads_back(&lines, "service", &[("release", Likely)], "origin dana");
    leads_back(&lines, "other-object", &[("other-release", Likely)], "origin dana");
    for alone in ["by-hand", "release", "marked"] {
        leads_back(&lines, alone, &[], "origin dana");
    }
    leads_back(&lines, "of-another", &[], "origin erik");
    with_log(&lines, |log| {
        let (causes, _) = causes(log, &request(log, "deployment"));
        assert_eq!(causes[0].because, "Helm wrote it for revision 7 of release shop");
    });
    let of_release = [("deployment".to_owned(), Certain), ("service".to_owned(), Likely)];
    assert_eq!(follows(&lines, "release"), of_release);
    assert!(follows(&lines, "by-hand").is_empty());
}

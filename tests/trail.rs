//! The trail across logs: a request in an API server's audit log, followed into the log of whoever drove its sender, to
//! a person and a commit. Small logs made after FORMATS.md 3 and 4, with unrelated changes around what is asked.

mod common;

use common::app::batch;
use kauditui::identity::Identities;
use kauditui::model::TimeZoneChoice;
use kauditui::store::Store;
use kauditui::trace::{Certainty, Chain, End, GitOrigin, Log, clock_differences};
use serde_json::{Value, json};

const ARGOCD: &str = "system:serviceaccount:argocd:argocd-application-controller";
const COMMIT: &str = "45d9f8a1c2e3f4a5b6c7d8e9f00112233445566f";
const EARLIER: &str = "34c5f9e1c2e3f4a5b6c7d8e9f00112233445566f";

/// A time of day, `16:02:33.250`.
fn at(clock: &str) -> String {
    format!("2026-11-20T{clock}Z")
}

/// A write in the audit log: when, auditID, user, verb, resource, namespace and name.
fn kube(clock: &str, id: &str, user: &str, verb: &str, resource: &str, object: &str) -> Value {
    let (namespace, name) = object.split_once('/').unwrap_or(("", object));
    let (group, prefix) = match resource {
        "deployments" => ("apps", "/apis/apps/v1"),
        "rolebindings" => ("rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"),
        "applications" => ("argoproj.io", "/apis/argoproj.io/v1alpha1"),
        "bundledeployments" | "gitrepos" => ("fleet.cattle.io", "/apis/fleet.cattle.io/v1alpha1"),
        _ => ("", "/api/v1"),
    };
    let agent = match user {
        ARGOCD => "argocd-application-controller/v2.13.2",
        _ if user.contains("flux-system") => "kustomize-controller/v1.4.0",
        _ if user.contains("fleet") => "fleetagent/v0.12.0",
        _ => "kubectl/v1.32.4",
    };
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": "ResponseComplete", "level": "Metadata",
        "requestURI": format!("{prefix}/namespaces/{namespace}/{resource}/{name}"), "verb": verb,
        "user": {"username": user}, "sourceIPs": ["10.0.0.1"], "userAgent": agent,
        "objectRef": {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": at(clock), "stageTimestamp": at(clock),
    })
}

fn with_body(mut event: Value, body: Value) -> Value {
    event["level"] = json!("RequestResponse");
    event["responseObject"] = body;
    event
}

/// An audit record of Argo CD's in the form of version 2.
fn argocd(
    clock: &str,
    application: &str,
    namespace: &str,
    reason: &str,
    user: &str,
    message: &str,
) -> String {
    let user = if user.is_empty() { String::new() } else { format!(" user={user}") };
    format!(
        "time=\"{}\" level=info msg=\"{message}\" application={application} dest-namespace={namespace} \
         dest-server=\"https://kubernetes.default.svc\" reason={reason} type=Normal{user}",
        at(clock)
    )
}

/// The same in the form of version 3.
fn argocd_json(clock: &str, application: &str, reason: &str, user: &str, message: &str) -> String {
    json!({"application": application, "dest-namespace": "production", "level": "info", "msg": message,
        "reason": reason, "time": at(clock), "type": "Normal", "user": user})
    .to_string()
}

fn rancher(clock: &str, user: &str, name: &str, method: &str, uri: &str, code: u16) -> String {
    json!({"auditID": format!("rancher-{clock}"), "requestURI": uri, "method": method, "remoteAddr": "10.42.0.9:443",
        "responseCode": code, "requestTimestamp": at(clock), "responseTimestamp": at(clock),
        "user": {"name": user, "group": ["system:authenticated"], "extra": {"username": [name], "principalid": ["github_user://123"]}},
        "requestHeader": {"X-Forwarded-For": ["192.168.1.100"]}})
    .to_string()
}

fn with_logs<T>(kube: &[Value], others: &[&[String]], ask: impl FnOnce(&Log<'_>) -> T) -> T {
    let mut store = Store::new();
    let text: String = kube.iter().map(|line| format!("{line}\n")).collect();
    store.push(*batch(&text, 1));
    for (number, lines) in others.iter().enumerate() {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        store.push(*batch(&text, 2 + number as u32));
    }
    let mut identities = Identities::default();
    identities.update(&store);
    ask(&Log { store: &store, identities: &identities, zone: TimeZoneChoice::Utc })
}

fn chain(log: &Log<'_>, audit_id: &str) -> Chain {
    let found = log.store.find_audit_id(audit_id);
    let [id] = found.as_slice() else { panic!("{audit_id}: {found:?}") };
    Chain::of(log, *id).expect("it is held")
}

fn end(chain: &Chain) -> &str {
    match &chain.end {
        End::Origin(why) | End::Hole(why) => why,
    }
}

fn git(chain: &Chain) -> GitOrigin {
    chain.git().cloned().unwrap_or_else(|| panic!("no commit; {:?} {:?}", chain.causes, chain.end))
}

/// What the article's reader has before them: a deployment deleted by Argo CD's controller, a role binding changed in
/// Rancher, a rollback in Argo CD after a failed sync; and the ordinary life around it.
fn three_logs() -> (Vec<Value>, Vec<String>, Vec<String>) {
    let proxied = "system:serviceaccount:cattle-impersonation-system:cattle-impersonation-u-7xk2p";
    let mut binding =
        kube("16:00:10.400", "k-binding", proxied, "update", "rolebindings", "argocd/argocd-admin");
    binding["impersonatedUser"] = json!({"username": "u-7xk2p"});
    let kube = vec![
        kube("15:58:01.000", "k-other-1", ARGOCD, "patch", "deployments", "staging/cart"),
        binding,
        kube("16:01:00.100", "k-failed", ARGOCD, "patch", "deployments", "production/frontend-app"),
        kube("16:02:32.900", "k-person", "alice@example.com", "patch", "configmaps", "production/settings"),
        kube("16:02:33.250", "k-delete", ARGOCD, "delete", "deployments", "production/frontend-app"),
        kube("16:02:34.000", "k-other-2", ARGOCD, "patch", "services", "staging/cart"),
        kube("16:09:00.000", "k-later", ARGOCD, "patch", "deployments", "production/frontend-app"),
    ];
    let argocd = vec![
        argocd(
            "15:58:00",
            "cart",
            "staging",
            "OperationStarted",
            "",
            &format!("Initiated automated sync to '{EARLIER}'"),
        ),
        argocd(
            "15:58:03",
            "cart",
            "staging",
            "OperationCompleted",
            "",
            &format!("Sync operation to {EARLIER} succeeded"),
        ),
        argocd(
            "16:00:59",
            "frontend-app",
            "production",
            "OperationStarted",
            "",
            &format!("Initiated automated sync to '{EARLIER}'"),
        ),
        argocd(
            "16:01:05",
            "frontend-app",
            "production",
            "OperationCompleted",
            "",
            &format!("Sync operation to {EARLIER} failed: one or more objects failed to apply"),
        ),
        argocd(
            "16:02:30",
            "frontend-app",
            "production",
            "OperationStarted",
            "dana@example.com",
            "dana@example.com initiated rollback to 4",
        ),
        format!(
            "time=\"{}\" level=info msg=\"Initialized new operation: {{&SyncOperation{{Revision:{COMMIT},Prune:true,DryRun:false,RepoURL:https://ci:token@git.example.com/shop.git,}} {{dana@example.com false}} [] {{0 nil}}}}\" application=argocd/frontend-app",
            at("16:02:31")
        ),
        argocd(
            "16:02:33",
            "cart",
            "staging",
            "OperationStarted",
            "erin@example.com",
            &format!("erin@example.com initiated sync to main ({EARLIER})"),
        ),
        argocd(
            "16:02:36",
            "frontend-app",
            "production",
            "OperationCompleted",
            "",
            &format!("Sync operation to {COMMIT} succeeded"),
        ),
        argocd(
            "16:02:37",
            "cart",
            "staging",
            "OperationCompleted",
            "",
            &format!("Sync operation to {EARLIER} succeeded"),
        ),
    ];
    let rancher = vec![
        rancher(
            "15:59:00",
            "u-abcde",
            "frank",
            "PUT",
            "/k8s/clusters/c-m-1/apis/apps/v1/namespaces/staging/deployments/cart",
            200,
        ),
        rancher(
            "16:00:10",
            "u-7xk2p",
            "rancher-admin",
            "PUT",
            "/k8s/clusters/c-m-1/apis/rbac.authorization.k8s.io/v1/namespaces/argocd/rolebindings/argocd-admin",
            200,
        ),
        rancher(
            "16:00:11",
            "u-7xk2p",
            "rancher-admin",
            "GET",
            "/k8s/clusters/c-m-1/api/v1/namespaces/argocd/pods",
            200,
        ),
    ];
    (kube, argocd, rancher)
}

#[test]
fn a_delete_by_argocd_leads_to_the_rollback_its_commit_and_its_person() {
    let (kube, argocd, rancher) = three_logs();
    with_logs(&kube, &[&argocd, &rancher], |log| {
        let chain = chain(log, "k-delete");
        assert_eq!(chain.causes.len(), 1, "{:#?}", chain.causes);
        let cause = &chain.causes[0];
        assert_eq!(
            (cause.request.verb.as_str(), cause.request.user.as_str()),
            ("rollback", "dana@example.com")
        );
        assert_eq!(cause.certainty, Certainty::Likely, "by namespace and time: {}", cause.evidence);
        let wanted = GitOrigin {
            engine: "Argo CD",
            application: "frontend-app".into(),
            repository: "https://git.example.com/shop.git".into(),
            commit: COMMIT.into(),
            revision: COMMIT.into(),
            initiator: "dana@example.com".into(),
            address: String::new(),
        };
        assert_eq!(git(&chain), wanted);
        assert!(
            matches!(&chain.end, End::Origin(why) if why.starts_with("dana@example.com asked Argo CD")),
            "{:?}",
            chain.end
        );
        let all = format!("{:?} {:?}", chain.causes, chain.end);
        for other in ["erin", "frank", "rancher-admin", "alice", "cart", EARLIER] {
            assert!(!all.contains(other), "{other} has no part in it: {all}");
        }
        assert!(!all.contains("token@"), "credentials of a repository are shown nowhere");
    });
}

#[test]
fn the_other_changes_of_the_three_logs_have_their_own_origins() {
    let (kube, argocd, rancher) = three_logs();
    with_logs(&kube, &[&argocd, &rancher], |log| {
        let binding = chain(log, "k-binding");
        assert_eq!(binding.causes.len(), 1, "{:?}", binding.end);
        assert_eq!(binding.causes[0].certainty, Certainty::Certain);
        for told in ["rancher-admin", "u-7xk2p", "github_user://123", "192.168.1.100"] {
            assert!(end(&binding).contains(told), "{told}: {}", end(&binding));
        }
        let failed = chain(log, "k-failed");
        assert_eq!((git(&failed).commit.as_str(), git(&failed).initiator.as_str()), (EARLIER, ""));
        assert!(end(&failed).starts_with("automated sync"), "{}", end(&failed));
        let other = chain(log, "k-other-2");
        assert_eq!(
            (git(&other).application.as_str(), git(&other).initiator.as_str()),
            ("cart", "erin@example.com")
        );
        let later = chain(log, "k-later");
        assert!(
            later.causes.is_empty() && matches!(&later.end, End::Hole(why) if why.contains("no operation")),
            "{later:?}"
        );
    });
}

#[test]
fn a_log_that_is_not_open_is_named_with_the_command_that_shows_it() {
    let (kube, _, _) = three_logs();
    with_logs(&kube, &[], |log| {
        let delete = chain(log, "k-delete");
        let End::Hole(why) = &delete.end else { panic!("{:?}", delete.end) };
        assert!(why.contains("16:02:33.250Z") && why.contains("kubectl -n argocd logs"), "{why}");
        let binding = chain(log, "k-binding");
        let End::Hole(why) = &binding.end else { panic!("{:?}", binding.end) };
        assert!(why.contains("u-7xk2p") && why.contains("kubectl -n cattle-system logs"), "{why}");
    });
}

#[test]
fn a_tracking_annotation_tells_the_application_for_certain() {
    let body = json!({"metadata": {"name": "web", "annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:production/web"}}});
    let kube = [with_body(kube("12:00:05.000", "k", ARGOCD, "patch", "deployments", "production/web"), body)];
    // Two applications are at work in one namespace at that time.
    let lines = [
        argocd_json(
            "12:00:01",
            "shop",
            "OperationStarted",
            "alice@example.com",
            &format!("alice@example.com initiated sync to main ({COMMIT})"),
        ),
        argocd_json(
            "12:00:01",
            "blog",
            "OperationStarted",
            "bob@example.com",
            &format!("bob@example.com initiated sync to main ({EARLIER})"),
        ),
        argocd_json(
            "12:00:09",
            "shop",
            "OperationCompleted",
            "",
            &format!("Sync operation to {COMMIT} succeeded"),
        ),
        argocd_json(
            "12:00:09",
            "blog",
            "OperationCompleted",
            "",
            &format!("Sync operation to {EARLIER} succeeded"),
        ),
    ];
    with_logs(&kube, &[&lines], |log| {
        let chain = chain(log, "k");
        assert_eq!(chain.causes[0].certainty, Certainty::Certain);
        assert_eq!(
            (git(&chain).application.as_str(), git(&chain).initiator.as_str(), git(&chain).commit.as_str()),
            ("shop", "alice@example.com", COMMIT)
        );
    });
    // Without the body, nothing tells which of them it was.
    let bare = [self::kube("12:00:05.000", "k", ARGOCD, "patch", "deployments", "production/web")];
    with_logs(&bare, &[&lines], |log| {
        let chain = chain(log, "k");
        assert!(matches!(&chain.end, End::Hole(why) if why.contains("blog and shop")), "{:?}", chain.end);
    });
}

#[test]
fn the_application_in_the_audit_log_tells_who_asked_where_argocds_log_is_missing() {
    let server = "system:serviceaccount:argocd:argocd-server";
    let mut sync = kube("12:00:00.500", "k-sync", server, "update", "applications", "argocd/shop");
    sync["userAgent"] = json!("argocd-server/v2.13.2");
    let sync = with_body(
        sync,
        json!({"metadata": {"name": "shop"}, "spec": {"source": {"repoURL": "https://git.example.com/shop.git"}},
            "operation": {"initiatedBy": {"username": "alice@example.com"}, "sync": {"revision": COMMIT}}}),
    );
    let body = json!({"metadata": {"name": "web", "labels": {"app.kubernetes.io/instance": "shop"}}});
    let kube =
        [sync, with_body(kube("12:00:02.000", "k", ARGOCD, "patch", "deployments", "production/web"), body)];
    with_logs(&kube, &[], |log| {
        let chain = chain(log, "k");
        assert_eq!(chain.causes[0].request.audit_id, "k-sync");
        assert_eq!(
            (git(&chain).commit.as_str(), git(&chain).repository.as_str()),
            (COMMIT, "https://git.example.com/shop.git")
        );
        assert!(end(&chain).starts_with("alice@example.com asked Argo CD"), "{}", end(&chain));
    });
}

#[test]
fn a_change_that_argocd_puts_back_leads_to_who_made_it() {
    let kube = [
        kube("12:00:00.000", "k-scale", "bob@example.com", "patch", "deployments", "production/web"),
        kube("12:00:02.000", "k", ARGOCD, "patch", "deployments", "production/web"),
    ];
    let lines = [
        argocd(
            "12:00:01",
            "shop",
            "production",
            "OperationStarted",
            "",
            &format!("Initiated automated sync to '{COMMIT}'"),
        ),
        argocd(
            "12:00:03",
            "shop",
            "production",
            "OperationCompleted",
            "",
            &format!("Sync operation to {COMMIT} succeeded"),
        ),
    ];
    with_logs(&kube, &[&lines], |log| {
        let chain = chain(log, "k");
        assert_eq!(chain.first().user, "bob@example.com");
    });
}

#[test]
fn a_stolen_token_of_argocds_leads_nowhere_into_its_log() {
    let mut stolen =
        kube("16:02:33.250", "k-delete", ARGOCD, "delete", "deployments", "production/frontend-app");
    stolen["userAgent"] = json!("kubectl/v1.32.4");
    let (mut kube, argocd, _) = three_logs();
    kube.retain(|event| event["auditID"] != "k-delete");
    kube.push(stolen);
    with_logs(&kube, &[&argocd], |log| {
        let chain = chain(log, "k-delete");
        assert_eq!(chain.git(), None, "it was not Argo CD that did this");
    });
}

#[test]
fn flux_is_followed_by_the_objects_that_it_lists() {
    let user = "system:serviceaccount:flux-system:kustomize-controller";
    let kube = [kube("12:00:05.000", "k", user, "patch", "deployments", "production/web")];
    let line = |clock: &str, name: &str, id: &str, rest: Value| {
        let mut line = json!({"level": "info", "ts": at(clock), "controller": "kustomization", "controllerGroup": "kustomize.toolkit.fluxcd.io",
            "controllerKind": "Kustomization", "Kustomization": {"name": name, "namespace": "flux-system"}, "namespace": "flux-system", "name": name, "reconcileID": id});
        line.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        line.to_string()
    };
    let lines = [
        line(
            "12:00:05.400",
            "apps",
            "r-1",
            json!({"msg": "server-side apply completed", "output": {"Deployment/production/web": "configured"}}),
        ),
        line(
            "12:00:05.500",
            "infra",
            "r-2",
            json!({"msg": "server-side apply completed", "output": {"Deployment/production/other": "configured"}}),
        ),
        line(
            "12:00:06.000",
            "apps",
            "r-1",
            json!({"msg": "Reconciliation finished in 2.7s, next run in 5m0s", "revision": format!("main@sha1:{COMMIT}")}),
        ),
    ];
    with_logs(&kube, &[&lines], |log| {
        let chain = chain(log, "k");
        assert_eq!(chain.causes[0].certainty, Certainty::Certain, "{:?}", chain.causes);
        assert_eq!(
            (git(&chain).application.as_str(), git(&chain).commit.as_str()),
            ("flux-system/apps", COMMIT)
        );
        assert!(end(&chain).contains("committed"), "{}", end(&chain));
    });
    with_logs(&kube, &[], |log| {
        assert!(end(&chain(log, "k")).contains("kubectl -n flux-system logs deploy/kustomize-controller"));
    });
}

#[test]
fn fleet_is_followed_to_the_commit_and_to_ranchers_user() {
    let user = "system:serviceaccount:cattle-fleet-system:fleet-agent";
    let release = json!({"metadata": {"name": "web", "annotations": {"meta.helm.sh/release-name": "shop-app", "meta.helm.sh/release-namespace": "production"}}});
    let labels = json!({"metadata": {"name": "shop-app", "labels": {"fleet.cattle.io/commit": COMMIT, "fleet.cattle.io/repo-name": "shop", "fleet.cattle.io/created-by-user-id": "u-7xk2p"}}});
    let controller = "system:serviceaccount:cattle-fleet-system:fleet-controller";
    let kube = [
        with_body(
            kube("11:59:00.000", "k-repo", "u-7xk2p", "create", "gitrepos", "fleet-default/shop"),
            json!({"metadata": {"name": "shop"}, "spec": {"repo": "https://git.example.com/shop.git"}}),
        ),
        with_body(
            kube(
                "11:59:30.000",
                "k-bundle",
                controller,
                "create",
                "bundledeployments",
                "cluster-fleet-default-c-1/shop-app",
            ),
            labels,
        ),
        with_body(kube("12:00:05.000", "k", user, "patch", "deployments", "production/web"), release),
    ];
    let fleet = [json!({"level": "info", "ts": at("12:00:06"), "logger": "bundledeployment.deploy-bundle", "msg": "Deployed bundle",
        "controllerGroup": "fleet.cattle.io", "controllerKind": "BundleDeployment", "BundleDeployment": {"name": "shop-app", "namespace": "cluster-fleet-default-c-1"},
        "namespace": "cluster-fleet-default-c-1", "name": "shop-app", "reconcileID": "f-1", "deploymentID": "s-2:b", "appliedDeploymentID": "s-1:b", "release": "production/shop-app:3"}).to_string()];
    let rancher = [rancher("11:59:00", "u-7xk2p", "alice", "POST", "/v1/fleet.cattle.io.gitrepos", 201)];
    with_logs(&kube, &[&fleet, &rancher], |log| {
        let chain = chain(log, "k");
        assert_eq!(chain.causes[0].certainty, Certainty::Certain, "{:?} {:?}", chain.causes, chain.end);
        let git = git(&chain);
        assert_eq!(
            (git.commit.as_str(), git.repository.as_str(), git.initiator.as_str()),
            (COMMIT, "https://git.example.com/shop.git", "u-7xk2p")
        );
        assert!(end(&chain).contains("alice (u-7xk2p)"), "{}", end(&chain));
    });
}

#[test]
fn a_line_of_a_controller_leads_forward_to_what_it_set_off() {
    let (kube, argocd, rancher) = three_logs();
    with_logs(&kube, &[&argocd, &rancher], |log| {
        let line = |user: &str, verb: &str| {
            let found = log.store.order().chunks().iter().flat_map(|chunk| chunk.ids().to_vec()).find(|id| {
                let request = kauditui::trace::Request::of(log.store, *id).expect("it is held");
                request.user == user && request.verb == verb
            });
            Chain::of(log, found.expect("the line is held")).expect("it is held")
        };
        let names = |chain: &Chain| -> Vec<String> {
            chain.effects.iter().flat_map(|effect| effect.names.iter().cloned()).collect()
        };
        let rollback = line("dana@example.com", "rollback");
        assert_eq!(names(&rollback), ["frontend-app"]);
        assert_eq!(
            rollback.effects[0].requests.len(),
            1,
            "the delete, and nothing of the failed sync before"
        );
        assert_eq!(rollback.who[0].text, "dana@example.com");
        assert_eq!(names(&line("u-7xk2p", "update")), ["argocd-admin"]);
    });
}

#[test]
fn clocks_are_compared_by_what_stands_in_both_logs() {
    let user = "system:serviceaccount:cattle-impersonation-system:cattle-impersonation-u-1";
    let mut lines = Vec::new();
    let mut events = Vec::new();
    for number in 0..5 {
        let mut event = kube(
            &format!("12:0{number}:00.000"),
            &format!("k-{number}"),
            user,
            "update",
            "configmaps",
            &format!("production/c-{number}"),
        );
        event["impersonatedUser"] = json!({"username": "u-1"});
        events.push(event);
        // Rancher's clock is 40 seconds ahead.
        lines.push(rancher(
            &format!("12:0{number}:40"),
            "u-1",
            "alice",
            "PUT",
            &format!("/k8s/clusters/c-1/api/v1/namespaces/production/configmaps/c-{number}"),
            200,
        ));
    }
    with_logs(&events, &[&lines], |log| {
        let differences = clock_differences(log);
        assert_eq!(differences.len(), 1);
        assert_eq!((differences[0].ahead, differences[0].pairs), (40_000_000, 5));
        let chain = chain(log, "k-2");
        assert_eq!(chain.causes.len(), 1, "{:?}", chain.end);
        assert!(chain.causes[0].evidence.contains("40"), "{}", chain.causes[0].evidence);
    });
}

#[test]
fn the_scenario_of_the_three_logs_names_the_application_the_commit_and_the_person_and_only_those() {
    let truth: Value = serde_json::from_str(include_str!("data/trail/truth.json")).expect("JSON");
    let text = |path: &str| {
        truth.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}")).to_owned()
    };
    let mut store = Store::new();
    for (number, lines) in [
        include_str!("data/trail/argocd.log"),
        include_str!("data/trail/kube.jsonl"),
        include_str!("data/trail/rancher.log"),
    ]
    .into_iter()
    .enumerate()
    {
        store.push(*batch(lines, 1 + number as u32));
    }
    let mut identities = Identities::default();
    identities.update(&store);
    let log = Log { store: &store, identities: &identities, zone: TimeZoneChoice::Utc };
    let delete = chain(&log, &text("/delete/auditID"));
    let git = git(&delete);
    let application = text("/application");
    assert!(application.ends_with(&git.application), "{git:?}");
    assert_eq!(
        (git.commit, git.repository, git.initiator),
        (text("/commit"), text("/repository"), text("/person"))
    );
    let told = kauditui::trace::tell::chain(&log, &delete);
    let told: String = told.iter().map(|line| format!("{line}\n")).collect();
    for name in [text("/person"), text("/commit"), text("/repository")] {
        assert!(told.contains(&name), "{name} is told:\n{told}");
    }
    for other in truth["mustNotBeNamed"].as_array().expect("a list") {
        let other = other.as_str().expect("a name");
        assert!(!told.contains(other), "{other} has no part in it:\n{told}");
    }
    let binding = chain(&log, &text("/roleBinding/auditID"));
    for name in [text("/roleBinding/person"), text("/roleBinding/user"), text("/roleBinding/address")] {
        assert!(end(&binding).contains(&name), "{name}: {}", end(&binding));
    }
}

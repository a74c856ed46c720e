use super::*;
use crate::format::fields::read_logfmt;

fn told(rest: &str) -> Option<Told> {
    let line = format!(r#"time="2025-01-21T12:17:17Z" level=info {rest}"#);
    let fields = read_logfmt(&line).expect("logfmt");
    assert!(wrote(&fields), "{rest}");
    read(&fields)
}

fn audit(reason: &str, message: &str) -> Option<Told> {
    told(&format!(
        r#"msg="{message}" application=novelapp dest-namespace=prod dest-server="https://kubernetes.default.svc" reason={reason} type=Normal user=alice@example.com"#
    ))
}

/// Verb, user, revision, commit, code.
fn shown(told: Option<Told>) -> (String, String, String, String, u16) {
    let told = told.expect("a change");
    assert_eq!((told.log, told.stage), (LogKind::ArgoCd, Stage::ResponseComplete));
    (told.verb, told.user, told.details.revision, told.details.commit, told.code)
}

fn row(
    verb: &str,
    user: &str,
    revision: &str,
    commit: &str,
    code: u16,
) -> (String, String, String, String, u16) {
    (verb.into(), user.into(), revision.into(), commit.into(), code)
}

const ALICE: &str = "alice@example.com";
const SHA: &str = "e719c0e7684378b186be3b6f762b604deeb7d0a4";

#[test]
fn what_people_do_through_the_server() {
    for (reason, message, verb) in [
        ("OperationStarted", "initiated sync locally", "override"),
        ("OperationStarted", "initiated rollback to 7", "rollback"),
        ("OperationStarted", "terminated running operation", "terminate"),
        ("ResourceCreated", "created application", "create"),
        ("ResourceUpdated", "updated application spec", "update"),
        ("ResourceUpdated", "patched resource apps/Deployment 'web'", "patch"),
        ("ResourceDeleted", "deleted resource apps/Deployment 'web'", "delete"),
        ("ResourceDeleted", "deleted application", "delete"),
        ("ResourceActionRan", "ran action restart on resource apps/Deployment/web", "action"),
        ("ResourceUpdated", "created token", "create"),
    ] {
        let told = audit(reason, &format!("{ALICE} {message}")).expect(message);
        assert_eq!((told.verb.as_str(), told.user.as_str()), (verb, ALICE), "{message}");
        assert_eq!(told.details.destination.namespace, "prod");
        assert_eq!(told.details.initiator.automated, Some(false));
    }
    let sync = audit("OperationStarted", &format!("{ALICE} initiated sync to HEAD ({SHA})"));
    assert_eq!(shown(sync), row("sync", ALICE, &format!("HEAD ({SHA})"), SHA, 0));
    let partial = audit("OperationStarted", &format!("{ALICE} initiated partial sync to {SHA}"));
    assert_eq!(shown(partial), row("sync", ALICE, SHA, SHA, 0));
    assert_eq!(
        audit("OperationStarted", &format!("{ALICE} initiated rollback to 7")).unwrap().details.history_id,
        Some(7)
    );
    let deleted =
        audit("ResourceDeleted", &format!("{ALICE} deleted resource apps/Deployment 'web'")).unwrap();
    let object = &deleted.details.objects[0];
    assert_eq!(
        (object.group.as_str(), object.kind.as_str(), object.name.as_str()),
        ("apps", "Deployment", "web")
    );
    let nobody = told(
        r#"msg="Unknown user initiated sync to HEAD" application=a reason=OperationStarted type=Normal user="Unknown user""#,
    );
    assert_eq!(nobody.unwrap().user, "");
}

#[test]
fn how_the_controllers_operations_begin_and_end() {
    let automated =
        audit("OperationStarted", &format!("Initiated automated sync to '{SHA}, 34c5f9e'")).unwrap();
    assert_eq!(
        (automated.details.initiator.automated, automated.details.more_commits.as_slice()),
        (Some(true), &["34c5f9e".to_owned()][..])
    );
    assert_eq!(shown(Some(automated)), row("sync", CONTROLLER, &format!("{SHA}, 34c5f9e"), SHA, 0));
    let repeated = told(&format!(r#"msg="Initiated automated sync to '{SHA}'" application=novelapp"#));
    assert_eq!(repeated, None, "the same sync without a reason");
    let done = audit("OperationCompleted", &format!("Sync operation to {SHA} succeeded"));
    assert_eq!(shown(done), row("complete", CONTROLLER, SHA, SHA, 200));
    let several = audit("OperationCompleted", "Sync operation to  succeeded");
    assert_eq!(shown(several), row("complete", CONTROLLER, "", "", 200));
    let failed = audit(
        "OperationCompleted",
        &format!("Partial sync operation to {SHA} failed: one or more objects failed to apply"),
    )
    .unwrap();
    assert_eq!(failed.details.message, "one or more objects failed to apply");
    assert_eq!(shown(Some(failed)), row("fail", CONTROLLER, SHA, SHA, 500));
    let drift = audit("ResourceUpdated", "Updated sync status: Synced -> OutOfSync").unwrap();
    assert_eq!(drift.verb, "status");
}

#[test]
fn the_operation_log_names_the_initiator_and_the_objects() {
    let operation = |initiator: &str| {
        told(&format!(
            r#"msg="Initialized new operation: {{&SyncOperation{{Revision:{SHA},Prune:true,DryRun:false,SyncStrategy:nil,Source:&ApplicationSource{{RepoURL:https://bot:s3cret@git.example.com/app.git,Path:x,}},Revisions:[],}} {{{initiator}}} [] {{1 nil}}}}" app-namespace=argocd app-qualified-name=argocd/novelapp application=novelapp project=default"#
        ))
        .unwrap()
    };
    let begun = operation("Alice Smith false");
    assert_eq!(begun.details.repository, "https://git.example.com/app.git");
    assert_eq!(
        (begun.details.prune, begun.details.dry_run, begun.details.started),
        (Some(true), Some(false), begun.time)
    );
    assert_eq!((begun.object.namespace.as_ref(), begun.object.name.as_ref()), ("argocd", "novelapp"));
    assert_eq!(shown(Some(begun)), row("begin", "Alice Smith", SHA, SHA, 0));
    let by_itself = operation(" true");
    assert_eq!((by_itself.user.as_str(), by_itself.details.initiator.automated), (CONTROLLER, Some(true)));
    let result = |status: &str, said: &str| {
        told(&format!(
            r#"msg="Adding resource result, status: '{status}', phase: 'Succeeded', message: '{said}'" application=argocd/novelapp kind=Deployment name=web namespace=prod syncId=00021-dbRTf"#
        ))
    };
    let pruned = result("Pruned", "pruned").unwrap();
    assert_eq!((pruned.verb.as_str(), pruned.details.operation_id.as_str()), ("prune", "00021-dbRTf"));
    let object = &pruned.details.objects[0];
    assert_eq!(
        (object.kind.as_str(), object.namespace.as_str(), object.name.as_str(), object.result.as_str()),
        ("Deployment", "prod", "web", "Pruned")
    );
    assert_eq!(result("SyncFailed", "it isn't valid").unwrap().code, 500);
    assert_eq!(result("Synced", "deployment.apps/web configured").unwrap().verb, "apply");
    assert_eq!(result("Synced", "deployment.apps/web configured (dry run)"), None);
    assert_eq!(result("Synced", "deployment.apps/web unchanged"), None);
    let line = format!(
        r#"{{"application":"novelapp","app-namespace":"argocd","level":"info","msg":"Finished processing requested app operation","phase":"Succeeded","retryCount":0,"revisions":["{SHA}"],"startedAt":1737461830,"finishedAt":1737461837,"time_ms":12,"time":"2025-01-21T12:17:17Z"}}"#
    );
    let finished = read(&Fields::of_json(&line).unwrap()).unwrap();
    assert_eq!(
        finished.details.finished.zip(finished.details.started).map(|(end, start)| end - start),
        Some(7_000_000)
    );
    assert_eq!(shown(Some(finished)), row("finish", CONTROLLER, SHA, SHA, 200));
}

#[test]
fn calls_tell_the_claims_and_what_was_asked() {
    let call = |method: &str, content: &str| {
        let line = format!(
            r#"{{"grpc.method":"{method}","grpc.service":"application.ApplicationService","grpc.request.claims":"{{\"iss\":\"https://dex\",\"sub\":\"CiQ4\",\"email\":\"{ALICE}\",\"name\":\"Alice\",\"groups\":[\"sre\"]}}","grpc.request.content":{content},"level":"info","msg":"started call","peer.address":"10.1.2.3:4455","time":"2025-01-21T12:17:17Z"}}"#
        );
        let fields = Fields::of_json(&line).expect("an object");
        assert!(wrote(&fields));
        read(&fields)
    };
    let sync = call("Sync", r#"{"name":"novelapp","appNamespace":"argocd","revision":"HEAD","prune":true}"#)
        .unwrap();
    assert_eq!(
        (sync.verb.as_str(), sync.user.as_str(), sync.source_ip.as_str()),
        ("request", ALICE, "10.1.2.3")
    );
    assert_eq!(
        (sync.object.namespace.as_ref(), sync.object.name.as_ref(), sync.object.subresource.as_ref()),
        ("argocd", "novelapp", "Sync")
    );
    assert_eq!(
        (sync.details.prune, sync.groups.as_str(), sync.details.initiator.display_name.as_str()),
        (Some(true), r#"["sre"]"#, "Alice")
    );
    assert_eq!(call("Rollback", r#"{"name":"novelapp","id":"7"}"#).unwrap().details.history_id, Some(7));
    let patch = |patch: &str| {
        let content =
            serde_json::json!({"name": "novelapp", "patch": patch, "patchType": "merge"}).to_string();
        call("Patch", &content).unwrap().verb
    };
    assert_eq!(patch(r#"{"spec":{"syncPolicy":{"automated":null}}}"#), "auto-sync-off");
    assert_eq!(patch(r#"{"spec":{"syncPolicy":null}}"#), "auto-sync-off");
    assert_eq!(patch(r#"{"spec":{"syncPolicy":{"automated":{"prune":true}}}}"#), "auto-sync-on");
    assert_eq!(patch(r#"[{"op":"remove","path":"/spec/syncPolicy/automated"}]"#), "auto-sync-off");
    assert_eq!(
        patch(r#"[{"op":"replace","path":"/spec/syncPolicy/automated/enabled","value":false}]"#),
        "auto-sync-off"
    );
    assert_eq!(patch(r#"{"metadata":{"labels":{"a":"b"}}}"#), "request");
    let spec = call("UpdateSpec", r#"{"name":"novelapp","spec":{"project":"default"}}"#).unwrap();
    assert_eq!((spec.verb.as_str(), spec.details.auto_sync), ("request", Some(false)));
    assert_eq!(call("List", r#"{}"#), None);
    let text = told(r#"msg="received unary call /application.ApplicationService/Patch" grpc.method=Patch grpc.service=application.ApplicationService grpc.request.claims="{\"iss\":\"argocd\",\"sub\":\"admin\"}" grpc.request.content="name:\"novelapp\" patch:\"{\\\"spec\\\":{\\\"syncPolicy\\\":{\\\"automated\\\":null}}}\" appNamespace:\"argocd\" ""#).unwrap();
    assert_eq!(
        (text.verb.as_str(), text.user.as_str(), text.object.name.as_ref()),
        ("auto-sync-off", "admin", "novelapp")
    );
}

#[test]
fn a_refused_call_is_a_failure_and_a_granted_one_is_told_before() {
    let finished = |code: &str, error: &str| {
        told(&format!(
            r#"msg="finished unary call with code {code}" {error}grpc.code={code} grpc.method=Sync grpc.service=application.ApplicationService"#
        ))
    };
    let refused = finished("PermissionDenied", r#"error="rpc error: code = PermissionDenied desc = permission denied: applications, sync, default/novelapp, sub: CiQ4, iat: 2022" "#).unwrap();
    assert_eq!((refused.verb.as_str(), refused.code, refused.user.as_str()), ("fail", 403, "CiQ4"));
    assert_eq!((refused.object.name.as_ref(), refused.details.project.as_str()), ("novelapp", "default"));
    assert_eq!(finished("OK", ""), None);
}

#[test]
fn lines_that_people_retell() {
    let line = |rest: &str| {
        let line = format!(r#"{{"level":"info",{rest}}}"#);
        let fields = Fields::of_json(&line).expect("an object");
        assert!(wrote(&fields));
        read(&fields).expect("a change")
    };
    let sync = line(
        r#""time":"2024-09-11T16:02:33Z","msg":"Syncing Application","app":"nginx-app","dest":"namespace: production","user":"bob","url":"https://x:y@git.example.com/repo","commit":"34c5f9e""#,
    );
    assert_eq!(sync.details.destination.namespace, "production");
    assert_eq!(sync.details.repository, "https://git.example.com/repo");
    assert_eq!(shown(Some(sync)), row("sync", "bob", "34c5f9e", "34c5f9e", 0));
    let back =
        line(r#""msg":"Rollback triggered due to failed sync","app":"frontend-app","commit":"45d9f8a""#);
    assert_eq!((back.time, back.object.name.as_ref()), (None, "frontend-app"));
    assert_eq!(shown(Some(back)), row("rollback", CONTROLLER, "45d9f8a", "45d9f8a", 0));
}

#[test]
fn audit_records_of_projects_and_application_sets_have_no_key_of_argo_cds_own() {
    let line = |rest: &str| {
        format!(
            r#"{{"level":"info",{rest},"reason":"ResourceUpdated","type":"Normal","user":"alice","time":"2026-11-20T10:00:00Z"}}"#
        )
    };
    let project = line(r#""msg":"alice updated project","project":"payments""#);
    let set = line(r#""msg":"alice updated ApplicationSets spec","name":"shops""#);
    for (line, resource, name) in [(project, "appprojects", "payments"), (set, "applicationsets", "shops")] {
        let fields = Fields::of_json(&line).expect("an object");
        assert!(wrote(&fields), "{line}");
        let told = read(&fields).expect("it tells of a change");
        assert_eq!((told.verb.as_str(), told.user.as_str()), ("update", "alice"));
        assert_eq!((told.object.resource.as_ref(), told.object.name.as_ref()), (resource, name));
    }
}

#[test]
fn of_calls_with_credentials_the_end_is_told() {
    let ended = |service: &str, method: &str, code: &str| {
        let line = format!(
            r#"{{"grpc.code":"{code}","grpc.method":"{method}","grpc.service":"{service}","level":"info","msg":"finished call","peer.address":"10.42.0.7:51234","time":"2026-11-20T10:00:00Z"}}"#
        );
        let fields = Fields::of_json(&line).expect("an object");
        assert!(wrote(&fields), "{line}");
        read(&fields)
    };
    let added = ended("cluster.ClusterService", "Create", "OK").expect("a cluster was added");
    assert_eq!(
        (added.verb.as_str(), added.object.resource.as_ref(), added.code),
        ("request", "clusters", 200)
    );
    assert_eq!((added.user.as_str(), added.source_ip.as_str()), ("", "10.42.0.7"));
    assert_eq!(
        ended("cluster.ClusterService", "Create", "PermissionDenied").map(|told| told.code),
        Some(403)
    );
    assert_eq!(ended("session.SessionService", "Create", "OK"), None, "a login is no change");
    assert_eq!(ended("application.ApplicationService", "Sync", "OK"), None, "its beginning was told");
}

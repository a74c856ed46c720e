use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trace::ObjectKey;

/// A request as it is read from the log, with its body.
fn request(verb: &str, uri: &str, object: (&str, &str, &str, &str), body: Option<Value>) -> Request {
    let (group, resource, namespace, name) = object;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let mut event = json!({ "requestURI": uri });
    if let Some(body) = body {
        event["requestObject"] = body;
    }
    Request {
        verb: verb.into(),
        request_uri: uri.into(),
        level: Level::Request,
        code: 200,
        object: ObjectKey {
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        },
        subresource: subresource.into(),
        event,
        ..Request::default()
    }
}

fn at_metadata(mut request: Request) -> Request {
    request.level = Level::Metadata;
    request.event = Value::Null;
    request
}

fn said(request: &Request) -> (String, bool) {
    let line = kubectl(request, None, false).expect("kubectl can do it");
    (line.to_string(), line.is_exact())
}

const WEB: (&str, &str, &str, &str) = ("apps", "deployments", "prod", "web");

#[test]
fn short_commands_of_patches() {
    let node = ("", "nodes", "", "worker-1");
    let container = |what: Value| json!({"spec": {"template": {"spec": {"containers": [what]}}}});
    let ordered = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "web"}],
        "containers": [{"name": "web", "$setElementOrder/env": [{"name": "B"}],
            "env": [{"name": "B", "value": "a b"}, {"name": "C", "$patch": "delete"}]}]}}}});
    for (object, body, wanted) in [
        (WEB, json!({"spec": {"replicas": 0}}), "-n prod scale deployment/web --replicas=0"),
        (WEB, json!({"spec": {"paused": true}}), "-n prod rollout pause deployment/web"),
        (
            WEB,
            json!({"spec": {"template": {"metadata": {"annotations":
            {"kubectl.kubernetes.io/restartedAt": "x"}}}}}),
            "-n prod rollout restart deployment/web",
        ),
        (
            WEB,
            json!({"metadata": {"labels": {"a": "b", "c": null}}}),
            "-n prod label --overwrite deployment/web a=b c-",
        ),
        (
            WEB,
            json!({"metadata": {"annotations": {"x/y": "1 2"}}}),
            "-n prod annotate --overwrite deployment/web 'x/y=1 2'",
        ),
        (WEB, ordered, "-n prod set env deployment/web 'B=a b' C-"),
        (node, json!({"spec": {"unschedulable": true}}), "cordon node/worker-1"),
        (node, json!({"spec": {"unschedulable": null}}), "uncordon node/worker-1"),
        (
            node,
            json!({"spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}}),
            "taint --overwrite node worker-1 a=b:NoSchedule",
        ),
        (
            WEB,
            json!([{"op": "remove", "path": "/spec/paused"}]),
            r#"-n prod patch deployment/web --type=json -p '[{"op":"remove","path":"/spec/paused"}]'"#,
        ),
        (
            WEB,
            json!({"spec": {"a": {"b": "it's"}}}),
            r#"-n prod patch deployment/web --type=merge -p '{"spec":{"a":{"b":"it'\''s"}}}'"#,
        ),
        (
            WEB,
            json!({"spec": {"$patch": "replace", "a": 1}}),
            r#"-n prod patch deployment/web --type=strategic -p '{"spec":{"$patch":"replace","a":1}}'"#,
        ),
        (
            WEB,
            container(json!({"name": "web", "image": "x:2"})),
            r#"-n prod patch deployment/web --type=strategic -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"x:2"}]}}}}'"#,
        ),
    ] {
        assert_eq!(said(&request("patch", "/x", object, Some(body))).0, format!("kubectl {wanted}"));
    }
}

#[test]
fn what_only_comes_to_the_same_says_why() {
    let patch = |body| kubectl(&request("patch", "/x", WEB, Some(body)), None, false).expect("a line");
    assert_eq!(
        patch(json!({"spec": {"replicas": 1}})).certainty(),
        "equivalent: it patched the object and not its scale"
    );
    assert!(patch(json!({"metadata": {"labels": {"a": "b"}}})).is_exact());
    let listed = patch(json!({"spec": {"ports": [1]}})).certainty();
    assert_eq!(
        listed,
        "equivalent: the log does not tell a merge patch from a strategic one, and it has a list"
    );
    let custom = ("argoproj.io", "applications", "argocd", "web");
    let line = kubectl(&request("patch", "/x", custom, Some(json!({"spec": {"ports": [1]}}))), None, false);
    let line = line.expect("a line");
    assert_eq!(
        line.command(),
        r#"kubectl -n argocd patch applications.argoproj.io/web --type=merge -p '{"spec":{"ports":[1]}}'"#
    );
    assert!(line.is_exact(), "custom resources take no strategic patches");
}

#[test]
fn images_are_set_where_the_patch_joins_lists() {
    let body = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "web"}, {"name": "log"}],
        "containers": [{"name": "web", "image": "registry/web:2"}]}}}});
    let line = "kubectl -n prod set image deployment/web web=registry/web:2";
    assert_eq!(said(&request("patch", "/x?fieldManager=kubectl-set", WEB, Some(body))), (line.into(), true));
}

#[test]
fn scale_and_approval_are_subresources() {
    let scale = ("apps", "deployments/scale", "prod", "web");
    let body = json!({"kind": "Scale", "spec": {"replicas": 4}});
    let line = "kubectl -n prod scale deployment/web --replicas=4";
    assert_eq!(said(&request("update", "/x", scale, Some(body))), (line.into(), true));
    assert_eq!(
        said(&request("patch", "/x", scale, Some(json!({"spec": {"replicas": 4}})))),
        (line.into(), true)
    );
    let unknown = at_metadata(request("patch", "/x", scale, None));
    assert_eq!(said(&unknown), ("kubectl -n prod scale deployment/web --replicas=N".into(), false));
    let csr = ("certificates.k8s.io", "certificatesigningrequests/approval", "", "mallory");
    let body = json!({"status": {"conditions": [{"type": "Approved", "status": "True"}]}});
    let line = "kubectl certificate approve certificatesigningrequest/mallory";
    assert_eq!(said(&request("update", "/x", csr, Some(body))), (line.into(), true));
}

#[test]
fn a_replacement_is_told_by_what_it_changed() {
    let before = json!({"kind": "Deployment", "metadata": {"name": "web", "resourceVersion": "1"},
        "spec": {"replicas": 3, "paused": false}, "status": {"replicas": 3}});
    let mut after = before.clone();
    after["spec"]["replicas"] = json!(1);
    after["metadata"]["resourceVersion"] = json!("2");
    let update = request("update", "/x", WEB, Some(after.clone()));
    let line = kubectl(&update, Some(&before), false).expect("a line");
    assert_eq!(line.command(), "kubectl -n prod scale deployment/web --replicas=1");
    assert_eq!(line.certainty(), "equivalent: it replaced the whole object");
    let line = kubectl(&update, None, false).expect("a line");
    assert_eq!(line.to_string(), format!("kubectl -n prod replace -f - <<'EOF'\n{after:#}\nEOF"));
    assert!(line.is_exact());
}

#[test]
fn taints_are_told_by_what_came_and_went() {
    let taint = |key: &str, value: &str| json!({"key": key, "value": value, "effect": "NoSchedule"});
    let before = json!({"spec": {"taints": [taint("old", ""), taint("kept", "1"), taint("other", "a")]}});
    let body = json!({"spec": {"taints": [taint("kept", "1"), taint("other", "b"), taint("new", "x")]}});
    let patch = request("patch", "/x", ("", "nodes", "", "n1"), Some(body));
    let line = kubectl(&patch, Some(&before), false).expect("a line");
    assert_eq!(
        line.command(),
        "kubectl taint --overwrite node n1 other=b:NoSchedule new=x:NoSchedule old:NoSchedule-"
    );
    assert!(line.is_exact());
    assert!(!kubectl(&patch, None, false).expect("a line").is_exact());
    let nothing = request("patch", "/x", ("", "nodes", "", "n1"), Some(json!({"spec": {"taints": []}})));
    assert!(said(&nothing).0.starts_with("kubectl patch node/n1 --type=strategic"), "{}", said(&nothing).0);
    let unknown =
        at_metadata(request("patch", "/x?fieldManager=kubectl-taint", ("", "nodes", "", "n1"), None));
    assert_eq!(said(&unknown).0, "kubectl taint node n1 KEY=VALUE:EFFECT");
}

#[test]
fn deletes_and_their_options() {
    for (body, uri, wanted) in [
        (json!({"kind": "DeleteOptions", "propagationPolicy": "Background"}), "/x", ""),
        (
            json!({"propagationPolicy": "Orphan", "gracePeriodSeconds": 5}),
            "/x",
            " --cascade=orphan --grace-period=5",
        ),
        (
            json!({"gracePeriodSeconds": 0}),
            "/x?propagationPolicy=Foreground",
            " --cascade=foreground --grace-period=0 --force",
        ),
        (json!({}), "/x?dryRun=All", " --dry-run=server"),
    ] {
        let delete = request("delete", uri, WEB, Some(body));
        assert_eq!(said(&delete), (format!("kubectl -n prod delete deployment/web{wanted}"), true));
    }
    let without = request("delete", "/x", WEB, None);
    assert_eq!(said(&without), ("kubectl -n prod delete deployment/web".into(), true));
    assert!(!said(&at_metadata(without)).1, "its options are not known");
    let bound = request("delete", "/x", WEB, Some(json!({"preconditions": {"uid": "1"}})));
    assert!(!said(&bound).1);
    let all = request("deletecollection", "/x?labelSelector=app%3Dweb", ("", "pods", "prod", ""), None);
    assert_eq!(said(&all), ("kubectl -n prod delete pods -l app=web".into(), false));
    let all = request("deletecollection", "/x", ("argoproj.io", "applications", "prod", ""), None);
    assert_eq!(said(&all).0, "kubectl -n prod delete applications.argoproj.io --all");
}

#[test]
fn short_commands_of_create() {
    let rbac = "rbac.authorization.k8s.io";
    let reference = |kind: &str, name: &str| json!({"apiGroup": rbac, "kind": kind, "name": name});
    for (object, body, wanted) in [
        (
            ("", "namespaces", "prod", "prod"),
            json!({"metadata": {"name": "prod", "labels": {"kubernetes.io/metadata.name": "prod"}}, "spec": {}, "status": {"phase": "Active"}}),
            "create namespace prod",
        ),
        (
            ("", "serviceaccounts", "prod", "ci"),
            json!({"metadata": {"name": "ci", "namespace": "prod"}}),
            "-n prod create serviceaccount ci",
        ),
        (
            ("", "serviceaccounts/token", "prod", "ci"),
            json!({"spec": {"audiences": null, "expirationSeconds": 3600, "boundObjectRef": null}}),
            "-n prod create token ci --duration=3600s",
        ),
        (
            (rbac, "clusterrolebindings", "", "x"),
            json!({"metadata": {"name": "x"}, "subjects": [reference("User", "mallory@example.com"), reference("Group", "a b")], "roleRef": reference("ClusterRole", "cluster-admin")}),
            "create clusterrolebinding x --clusterrole=cluster-admin --user=mallory@example.com --group='a b'",
        ),
        (
            (rbac, "rolebindings", "prod", "x"),
            json!({"metadata": {"name": "x", "namespace": "prod"}, "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": "build"}], "roleRef": reference("Role", "deploy")}),
            "-n prod create rolebinding x --role=deploy --serviceaccount=build:ci",
        ),
        (
            (rbac, "clusterroles", "", "x"),
            json!({"metadata": {"name": "x"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]}, {"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}]}),
            "create clusterrole x --verb=get --resource=pods,pods/log,deployments.apps",
        ),
        (
            ("", "configmaps", "prod", "x"),
            json!({"metadata": {"name": "x", "namespace": "prod"}, "data": {"LOG": "in fo"}}),
            "-n prod create configmap x '--from-literal=LOG=in fo'",
        ),
        (
            ("authorization.k8s.io", "selfsubjectrulesreviews", "", ""),
            json!({"spec": {"namespace": "prod"}}),
            "auth can-i --list -n prod",
        ),
        (
            ("authorization.k8s.io", "selfsubjectaccessreviews", "", ""),
            json!({"spec": {"resourceAttributes": {"verb": "get", "group": "apps", "resource": "deployments", "name": "web", "namespace": "prod"}}}),
            "auth can-i get deployments.apps/web -n prod",
        ),
    ] {
        let line = kubectl(&request("create", "/x", object, Some(body)), None, false).expect("a line");
        let wanted = wanted.replace("'--from-literal=LOG=in fo'", "--from-literal='LOG=in fo'");
        assert_eq!((line.to_string(), line.is_exact()), (format!("kubectl {wanted}"), true));
    }
}

#[test]
fn what_has_no_short_command_is_read_from_a_file() {
    let body = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "prod", "labels": {"a": "b"}}});
    let create = request("create", "/x", ("", "pods", "prod", "p"), Some(body.clone()));
    assert_eq!(said(&create), (format!("kubectl -n prod create -f - <<'EOF'\n{body:#}\nEOF"), true));
    assert_eq!(said(&at_metadata(create)), ("kubectl -n prod create -f FILE".into(), false));
    let mut applied = body.clone();
    applied["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": body.to_string()});
    let apply = request("create", "/x", ("", "pods", "prod", "p"), Some(applied));
    assert_eq!(said(&apply), (format!("kubectl -n prod apply -f - <<'EOF'\n{body:#}\nEOF"), true));
    let uri = "/api/v1/namespaces/prod/pods/p/eviction";
    let evict = request("create", uri, ("", "pods/eviction", "prod", "p"), Some(json!({"kind": "Eviction"})));
    assert_eq!(
        said(&evict).0,
        format!("kubectl create --raw={uri} -f - <<'EOF'\n{{\n  \"kind\": \"Eviction\"\n}}\nEOF")
    );
}

#[test]
fn server_side_apply_is_told_by_force_or_by_its_body() {
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
    let forced = request("patch", "/x?fieldManager=argocd-controller&force=true", WEB, Some(body.clone()));
    let line = "kubectl -n prod apply --server-side --field-manager=argocd-controller --force-conflicts -f -";
    assert_eq!(said(&forced), (format!("{line} <<'EOF'\n{body:#}\nEOF"), true));
    assert!(!said(&request("patch", "/x?fieldManager=kubectl", WEB, Some(body))).1);
    let line =
        "kubectl -n prod apply --server-side --field-manager=argocd-controller --force-conflicts -f FILE";
    assert_eq!(said(&at_metadata(forced)), (line.into(), false));
}

#[test]
fn without_a_body_the_field_manager_tells_the_command() {
    for (manager, wanted) in [
        ("kubectl-rollout", "rollout restart deployment/web"),
        ("kubectl-label", "label deployment/web KEY=VALUE"),
        ("kubectl-edit", "edit deployment/web"),
        ("kubectl-set", "patch deployment/web -p BODY"),
        ("helm", "patch deployment/web -p BODY"),
    ] {
        let patch = at_metadata(request("patch", &format!("/x?fieldManager={manager}"), WEB, None));
        assert_eq!(said(&patch), (format!("kubectl -n prod {wanted}"), false));
    }
}

#[test]
fn reads_and_connections() {
    let pod = ("", "pods", "prod", "p-1");
    for (verb, uri, object, wanted) in [
        ("get", "/x", pod, "-n prod get pod/p-1"),
        (
            "list",
            "/x?labelSelector=app%3Da%2Cb%21%3Dc&limit=500",
            ("", "pods", "prod", ""),
            "-n prod get pods -l 'app=a,b!=c'",
        ),
        (
            "list",
            "/x?fieldSelector=metadata.name%3Da",
            ("", "secrets", "", ""),
            "get secrets -A --field-selector=metadata.name=a",
        ),
        ("list", "/x", ("", "nodes", "", ""), "get nodes"),
        ("get", "/version", ("", "", "", ""), "get --raw=/version"),
        (
            "get",
            "/api/v1/nodes/n/proxy/pods",
            ("", "nodes/proxy", "", "n"),
            "get --raw=/api/v1/nodes/n/proxy/pods",
        ),
        (
            "get",
            "/x?container=web&follow=true&tailLines=10",
            ("", "pods/log", "prod", "p-1"),
            "-n prod logs pod/p-1 -c web -f --tail=10",
        ),
        (
            "get",
            "/x?command=sh&command=-c&command=cat+%2Fetc%2Fpasswd&container=web&stdin=true&tty=true",
            ("", "pods/exec", "prod", "p-1"),
            "-n prod exec -it -c web pod/p-1 -- sh -c 'cat /etc/passwd'",
        ),
        (
            "create",
            "/x?container=web&stdin=true",
            ("", "pods/attach", "prod", "p-1"),
            "-n prod attach -i -c web pod/p-1",
        ),
    ] {
        assert_eq!(said(&request(verb, uri, object, None)), (format!("kubectl {wanted}"), true), "{uri}");
    }
    let forward = request("create", "/x", ("", "pods/portforward", "prod", "p-1"), None);
    assert_eq!(said(&forward), ("kubectl -n prod port-forward pod/p-1 PORT".into(), false));
}

#[test]
fn impersonation_is_part_of_the_line() {
    let mut get = request("get", "/x", ("", "pods", "prod", "p"), None);
    get.impersonated_user = "jane@example.com".into();
    get.event["impersonatedUser"] =
        json!({"username": "jane@example.com", "groups": ["dev team", "system:authenticated"]});
    assert_eq!(said(&get).0, "kubectl -n prod --as=jane@example.com --as-group='dev team' get pod/p");
    get.impersonated_user = "system:serviceaccount:a:b".into();
    get.event["impersonatedUser"]["groups"] = json!(["system:serviceaccounts", "system:serviceaccounts:a"]);
    assert_eq!(said(&get).0, "kubectl -n prod --as=system:serviceaccount:a:b get pod/p");
}

#[test]
fn secrets_are_masked_until_revealed() {
    let body = json!({"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}});
    let create = request("create", "/x", ("", "secrets", "prod", "db"), Some(body));
    let masked = kubectl(&create, None, false).expect("a line");
    assert!(!masked.to_string().contains("aHVudGVyMg=="), "{masked}");
    assert_eq!(masked.certainty(), "equivalent: secret values are masked");
    let revealed = kubectl(&create, None, true).expect("a line");
    assert!(revealed.to_string().contains("aHVudGVyMg==") && revealed.is_exact(), "{revealed}");
    // A patch of a Secret does not say that it is one.
    let patch = request(
        "patch",
        "/x",
        ("", "secrets", "prod", "db"),
        Some(json!({"data": {"password": "aHVudGVyMg=="}})),
    );
    assert!(!said(&patch).0.contains("aHVudGVyMg=="));
}

#[test]
fn a_name_is_never_an_option() {
    let body = json!({"metadata": {"name": "--all"}, "roleRef": {"kind": "ClusterRole", "name": "a"}});
    let object = ("rbac.authorization.k8s.io", "clusterrolebindings", "", "--all");
    let (line, _) = said(&request("create", "/x", object, Some(body)));
    assert!(line.starts_with("kubectl create -f - <<'EOF'\n"), "{line}");
    assert_eq!(said(&request("delete", "/x", object, None)).0, "kubectl delete clusterrolebinding/--all");
}

proptest! {
    #[test]
    fn a_shell_gives_the_words_back(words in proptest::collection::vec(any::<String>(), 1..6)) {
        let line = KubectlLine { words: words.clone(), input: None, why_not_exact: Vec::new() };
        prop_assert_eq!(shell_words(&line.command()), words);
    }

    #[test]
    fn hostile_values_stay_one_word(value in "[ -~\\n'\"$`\\\\]{0,20}") {
        let body = json!({"metadata": {"labels": {"key": value.clone()}}});
        let line = kubectl(&request("patch", "/x", WEB, Some(body)), None, true).expect("a line");
        prop_assert_eq!(line.words.last(), Some(&format!("key={value}")));
        prop_assert_eq!(shell_words(&line.command()), line.words);
    }

    #[test]
    fn no_body_makes_it_panic(body in any_json(), verb in "create|update|patch|delete", resource in
        "pods|nodes|secrets|deployments/scale|serviceaccounts/token|clusterroles|configmaps|certificatesigningrequests/approval") {
        let request = request(&verb, "/x?fieldManager=a", ("", &resource, "n", "m"), Some(body.clone()));
        if let Some(line) = kubectl(&request, Some(&body), false) {
            prop_assert_eq!(shell_words(&line.command()), line.words);
            prop_assert!(!line.input.is_some_and(|input| input.lines().any(|line| line == "EOF")));
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = "spec|metadata|name|labels|replicas|taints|rules|data|containers|roleRef|status|conditions|kind|[a-z$/-]{0,6}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\\n]{0,8}|EOF".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Splits a line as POSIX has it (2.2): outside of quotes only what [`quoted`] leaves there may stand.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                let before = rest.as_str();
                let end = before.find('\'').expect("a closed quote");
                word.push_str(&before[..end]);
                rest = before[end + 1..].chars();
            }
            '\\' => word.get_or_insert_default().push(rest.next().expect("an escaped character")),
            other => {
                let special = "|&;<>()$`\"*?[]#~!{}";
                assert!(!special.contains(other), "{other} is not quoted in {line}");
                word.get_or_insert_default().push(other);
            }
        }
    }
    words.extend(word);
    words
}

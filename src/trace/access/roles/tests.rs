use proptest::prelude::*;

use super::*;

fn resource(namespace: &str, group: &str, resource: &str, name: &str, verb: &str) -> Permission {
    Permission::Resource {
        namespace: namespace.into(),
        group: group.into(),
        resource: resource.into(),
        name: name.into(),
        verb: verb.into(),
    }
}

fn path(path: &str, verb: &str) -> Permission {
    Permission::NonResource { path: path.into(), verb: verb.into() }
}

fn rules<'r>(roles: &'r Roles, kind: &str, namespace: &str) -> &'r Value {
    let found = roles.manifests.iter().find(|m| m.kind == kind && m.namespace == namespace);
    &found.unwrap_or_else(|| panic!("no {kind} in {namespace:?}: {roles:?}")).object["rules"]
}

#[test]
fn rules_are_joined_where_nothing_more_is_given_by_it() {
    let roles = minimal_roles(
        "alice",
        [
            resource("a", "", "pods", "", "list"),
            resource("a", "", "pods", "", "get"),
            resource("a", "", "pods", "web", "get"),
            resource("a", "", "services", "", "get"),
            resource("a", "", "services", "", "list"),
            resource("a", "", "secrets", "", "list"),
            resource("a", "apps", "deployments", "web", "patch"),
            resource("a", "apps", "deployments", "web", "get"),
            resource("a", "apps", "deployments/scale", "web", "update"),
        ],
    );
    assert_eq!(
        rules(&roles, "Role", "a"),
        &json!([
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"], "verbs": ["get", "patch"]},
            {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["web"], "verbs": ["update"]},
        ])
    );
    assert_eq!(roles.manifests.len(), 2);
}

#[test]
fn the_whole_cluster_has_its_own_and_covers_the_rest() {
    let roles = minimal_roles(
        "system:serviceaccount:ci:robot",
        [
            resource("", "", "secrets", "", "list"),
            resource("prod", "", "secrets", "", "list"),
            resource("prod", "", "secrets", "db", "get"),
            path("/metrics", "get"),
            path("/logs", "get"),
        ],
    );
    assert_eq!(
        rules(&roles, "ClusterRole", ""),
        &json!([
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
            {"nonResourceURLs": ["/logs", "/metrics"], "verbs": ["get"]},
        ])
    );
    assert_eq!(
        rules(&roles, "Role", "prod"),
        &json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db"], "verbs": ["get"]}])
    );
    assert_eq!(roles.notes, ["In namespace prod, the ClusterRole already gives: list secrets"]);
    let binding = &roles.manifests[3].object;
    assert_eq!(binding["subjects"], json!([{"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}]));
    assert_eq!(binding["roleRef"]["kind"], "Role");
    assert_eq!(
        binding["metadata"],
        json!({"name": "kauditui-system-serviceaccount-ci-robot", "namespace": "prod"})
    );
}

#[test]
fn names_are_valid_and_told_apart_when_cut() {
    assert_eq!(name_for("mallory@example.com"), "kauditui-mallory-example-com");
    assert_eq!(name_for("CN=Bob, O=x"), "kauditui-cn-bob-o-x");
    let (one, other) = (name_for(&"x".repeat(300)), name_for(&"x".repeat(301)));
    assert!(one != other && one.len() <= 253, "{one} {other}");
    assert!(name_for("日本").starts_with("kauditui-") && name_for("日本") != name_for("中国"));
}

#[test]
fn many_names_are_no_limit_and_wildcards_no_rule() {
    let many = (0..=MOST_NAMES).map(|number| resource("a", "", "pods", &format!("p{number}"), "delete"));
    let roles = minimal_roles("alice", many);
    assert_eq!(
        rules(&roles, "Role", "a"),
        &json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}])
    );
    assert_eq!(roles.notes, ["Not limited to names: delete pods in a (there are 21 of them)"]);
    let roles = minimal_roles("alice", [resource("a", "*", "*", "", "*"), path("/*", "get")]);
    assert!(roles.manifests.is_empty() && roles.to_yaml().is_empty());
    assert_eq!(roles.notes.len(), 2, "{:?}", roles.notes);
    for user in ["", "a\u{202e}b", "‹masked, 20 bytes›"] {
        assert!(minimal_roles(user, [resource("a", "", "pods", "", "get")]).manifests.is_empty());
    }
}

#[test]
fn exec_over_a_websocket_is_told_and_works() {
    let roles = minimal_roles("alice", [resource("a", "", "pods/exec", "p", "get")]);
    assert_eq!(
        rules(&roles, "Role", "a"),
        &json!([{"apiGroups": [""], "resources": ["pods/exec"], "resourceNames": ["p"], "verbs": ["get", "create"]}])
    );
    assert!(roles.notes[0].starts_with("Added: create pods/exec"), "{:?}", roles.notes);
}

#[test]
fn the_yaml_is_what_kubectl_applies() {
    let roles =
        minimal_roles("yes", [resource("a", "", "pods", "", "get"), resource("", "", "nodes", "", "list")]);
    let text = roles.to_yaml();
    let documents: Vec<Value> =
        text.split("---\n").map(|part| yaml_serde::from_str(part).expect("YAML")).collect();
    let objects: Vec<Value> = roles.manifests.iter().map(|manifest| manifest.object.clone()).collect();
    assert_eq!(documents, objects);
    let kinds: Vec<&str> = roles.manifests.iter().map(|manifest| manifest.kind).collect();
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
}

/// Whether RBAC allows it by these manifests (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/rbac.go`,
/// `RuleAllows`), written without the code above.
fn allows(manifests: &[Manifest], asked: &Permission) -> bool {
    let has = |rule: &Value, key: &str, wanted: &str| {
        rule[key].as_array().is_some_and(|all| all.iter().any(|value| value == wanted || value == "*"))
    };
    manifests.iter().filter(|m| m.object.get("rules").is_some()).any(|manifest| {
        manifest.object["rules"].as_array().expect("rules").iter().any(|rule| match asked {
            Permission::Resource { namespace, group, resource, name, verb } => {
                (manifest.namespace.is_empty() || manifest.namespace == *namespace)
                    && has(rule, "verbs", verb)
                    && has(rule, "apiGroups", group)
                    && has(rule, "resources", resource)
                    && (rule.get("resourceNames").is_none() || has(rule, "resourceNames", name))
            }
            Permission::NonResource { path, verb } => {
                manifest.namespace.is_empty()
                    && has(rule, "verbs", verb)
                    && has(rule, "nonResourceURLs", path)
            }
        })
    })
}

fn permissions() -> impl Strategy<Value = Permission> {
    let one_of = |words: &'static [&'static str]| proptest::sample::select(words);
    let on_resource = (
        one_of(&["", "a", "b"]),
        one_of(&["", "apps"]),
        one_of(&["pods", "deployments", "pods/log", "*"]),
        one_of(&["", "x", "y", "*"]),
        one_of(&["get", "list", "create", "delete", "*"]),
    );
    prop_oneof![
        on_resource
            .prop_map(|(namespace, group, kind, name, verb)| resource(namespace, group, kind, name, verb)),
        (one_of(&["/metrics", "/logs", "/*"]), one_of(&["get", "post"]))
            .prop_map(|(to, verb)| path(to, verb)),
    ]
}

proptest! {
    #[test]
    fn all_that_was_asked_is_given_and_nothing_else(
        asked in prop::collection::vec(permissions(), 0..12),
        others in prop::collection::vec(permissions(), 40),
    ) {
        let roles = minimal_roles("alice", asked.clone());
        prop_assert!(!roles.to_yaml().contains('*'));
        for permission in asked.iter().filter(|permission| permission.obstacle().is_none()) {
            prop_assert!(allows(&roles.manifests, permission), "{} {:?}", permission, roles);
        }
        // What was asked of all objects, or of the whole cluster, is asked of each.
        let implied = |other: &Permission| asked.iter().any(|permission| match (permission, other) {
            (Permission::Resource { namespace, group, resource, name, verb },
             Permission::Resource { namespace: in_namespace, group: g, resource: r, name: n, verb: v }) => {
                (namespace.is_empty() || namespace == in_namespace) && (name.is_empty() || name == n)
                    && (group, resource, verb) == (g, r, v)
            }
            _ => permission == other,
        });
        for other in others.iter().filter(|other| other.obstacle().is_none() && !implied(other)) {
            prop_assert!(!allows(&roles.manifests, other), "{} {:?}", other, roles);
        }
    }
}

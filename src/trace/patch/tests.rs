use proptest::prelude::*;
use serde_json::json;

use super::*;

fn strategic(state: Value, patch: Value) -> Value {
    apply(PatchKind::StrategicMerge, Some(&state), &patch, PatchContext::default()).expect("it fits")
}

#[test]
fn kinds_are_told_from_the_body() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
    for (body, uri, group, code, kind) in [
        (json!([]), "/x", "apps", 200, PatchKind::Json),
        (object.clone(), "/x?fieldManager=argocd-controller&force=true", "apps", 200, PatchKind::Apply),
        (object.clone(), "/x?fieldManager=argocd-controller", "apps", 200, PatchKind::Apply),
        (object.clone(), "/x?fieldManager=a", "apps", 201, PatchKind::Apply),
        (object, "/x?fieldManager=helm", "apps", 200, PatchKind::StrategicMerge),
        (json!({"spec": {"replicas": 0}}), "/x?fieldManager=kubectl", "apps", 200, PatchKind::StrategicMerge),
        (json!({"spec": {"replicas": 0}}), "/x", "argoproj.io", 200, PatchKind::Merge),
    ] {
        assert_eq!(kind_of(&body, uri, group, code), kind, "{body} {uri}");
    }
}

#[test]
fn json_patches() {
    let state = json!({"a": {"b~/": [1, 2]}, "c": 3});
    let patched =
        |operations: Value| apply(PatchKind::Json, Some(&state), &operations, PatchContext::default());
    assert_eq!(
        patched(json!([
            {"op": "test", "path": "/c", "value": 3},
            {"op": "add", "path": "/a/b~0~1/1", "value": 9},
            {"op": "add", "path": "/a/b~0~1/-", "value": 7},
            {"op": "copy", "from": "/c", "path": "/d"},
            {"op": "move", "from": "/c", "path": "/e"},
            {"op": "replace", "path": "/d", "value": null},
        ])),
        Ok(json!({"a": {"b~/": [1, 9, 2, 7]}, "d": null, "e": 3}))
    );
    for wrong in [
        json!([{"op": "remove", "path": "/x"}]),
        json!([{"op": "add", "path": "/a/b~0~1/01", "value": 1}]),
        json!([{"op": "add", "path": "/a/b~0~1/9", "value": 1}]),
        json!([{"op": "test", "path": "/c", "value": 4}]),
        json!([{"op": "move", "from": "/a", "path": "/a/x"}]),
        json!([{"op": "burn", "path": "/a"}]),
        json!([{"op": "add"}]),
        json!({"op": "add"}),
    ] {
        assert!(patched(wrong.clone()).is_err(), "{wrong}");
    }
    assert_eq!(patched(json!([{"op": "add", "path": "", "value": 1}])), Ok(json!(1)));
}

/// The examples of RFC 6902, appendix A; `None` where the patch must not be performed.
#[test]
fn json_patches_of_the_rfc() {
    for (state, patch, after) in [
        (
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux"}]),
            Some(json!({"baz": "qux", "foo": "bar"})),
        ),
        (
            json!({"foo": ["bar", "baz"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
            Some(json!({"foo": ["bar", "qux", "baz"]})),
        ),
        (
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "remove", "path": "/baz"}]),
            Some(json!({"foo": "bar"})),
        ),
        (
            json!({"foo": ["bar", "qux", "baz"]}),
            json!([{"op": "remove", "path": "/foo/1"}]),
            Some(json!({"foo": ["bar", "baz"]})),
        ),
        (
            json!({"baz": "qux"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
            Some(json!({"baz": "boo"})),
        ),
        (
            json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
            json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
            Some(json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}})),
        ),
        (
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
            Some(json!({"foo": ["all", "cows", "eat", "grass"]})),
        ),
        (json!({"baz": "qux"}), json!([{"op": "test", "path": "/baz", "value": "bar"}]), None),
        (
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
            Some(json!({"foo": "bar", "child": {"grandchild": {}}})),
        ),
        (
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
            Some(json!({"foo": "bar", "baz": "qux"})),
        ),
        (json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz/bat", "value": "qux"}]), None),
        (
            json!({"/": 9, "~1": 10}),
            json!([{"op": "test", "path": "/~01", "value": 10}]),
            Some(json!({"/": 9, "~1": 10})),
        ),
        (json!({"/": 9, "~1": 10}), json!([{"op": "test", "path": "/~01", "value": "10"}]), None),
        (
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
            Some(json!({"foo": ["bar", ["abc", "def"]]})),
        ),
    ] {
        assert_eq!(
            apply(PatchKind::Json, Some(&state), &patch, PatchContext::default()).ok(),
            after,
            "{patch}"
        );
    }
}

/// The examples of RFC 7396, appendix A.
#[test]
fn merge_patches_of_the_rfc() {
    for (state, patch, after) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        let patched = apply(PatchKind::Merge, Some(&state), &patch, PatchContext::default());
        assert_eq!(patched, Ok(after), "{state} {patch}");
    }
}

#[test]
fn a_json_patch_cannot_make_objects_of_any_size() {
    let doubling = |operations: usize| {
        let copy = |at: usize| json!({"op": "copy", "from": "", "path": format!("/{at}")});
        Value::Array((0..operations).map(copy).collect())
    };
    let patched =
        |state: Value, patch: &Value| apply(PatchKind::Json, Some(&state), patch, PatchContext::default());
    assert!(patched(json!({"a": "b"}), &doubling(3)).is_ok());
    let error = patched(json!({"a": "b"}), &doubling(60)).expect_err("2^60 times as large");
    assert!(error.to_string().contains("copies more than the server takes"), "{error}");

    let into_itself = |operations: usize| {
        let copy = |at: usize| json!({"op": "copy", "from": "", "path": "/a".repeat(at + 1)});
        Value::Array((0..operations).map(copy).collect())
    };
    assert!(patched(json!({"b": 1}), &into_itself(4)).is_ok());
    let error = patched(json!({"b": 1}), &into_itself(100)).expect_err("each operation makes it deeper");
    assert!(error.to_string().contains("nested too deeply"), "{error}");

    let many = Value::Array(vec![json!({"op": "add", "path": "/a", "value": 1}); 10_001]);
    assert!(patched(json!({}), &many).is_err());
}

#[test]
fn a_test_for_null_passes_where_nothing_is() {
    let patch = json!([{"op": "test", "path": "/metadata/finalizers", "value": null}]);
    let state = json!({"metadata": {}});
    assert_eq!(apply(PatchKind::Json, Some(&state), &patch, PatchContext::default()), Ok(state));
}

#[test]
fn no_patch_takes_away_what_only_the_server_sets() {
    let state = json!({"metadata": {"name": "web", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}});
    let body = json!({"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}});
    for kind in [PatchKind::Merge, PatchKind::StrategicMerge, PatchKind::Apply] {
        let after = apply(kind, Some(&state), &body, PatchContext::default()).expect("it fits");
        assert_eq!(
            after["metadata"]["creationTimestamp"], state["metadata"]["creationTimestamp"],
            "{kind:?}"
        );
        assert_eq!(after["metadata"]["labels"], json!({"a": "b"}), "{kind:?}");
    }
}

/// "Use a strategic merge patch to update a Deployment" of Kubernetes' task pages: containers are merged by name, the
/// patch's first; tolerations are replaced.
#[test]
fn the_documented_strategic_merge() {
    let state = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "patch-demo-ctr", "image": "nginx"}],
        "tolerations": [{"effect": "NoSchedule", "key": "dedicated", "value": "test-team"}]}}}});
    let patch = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "patch-demo-ctr-2", "image": "redis"}],
        "tolerations": [{"effect": "NoSchedule", "key": "disktype", "value": "ssd"}]}}}});
    assert_eq!(
        strategic(state, patch)["spec"]["template"]["spec"],
        json!({"containers": [{"name": "patch-demo-ctr-2", "image": "redis"}, {"name": "patch-demo-ctr", "image": "nginx"}],
            "tolerations": [{"effect": "NoSchedule", "key": "disktype", "value": "ssd"}]})
    );
}

/// Both lists keep their own order; what the patch does not name stays before what it stood before.
#[test]
fn the_order_of_a_strategic_merge() {
    let named =
        |names: &str| Value::Array(names.chars().map(|name| json!({"name": name.to_string()})).collect());
    for (state, patch, after) in [
        ("abc", "b", "abc"),
        ("abc", "x", "xabc"),
        ("abc", "cx", "abcx"),
        ("abc", "ca", "bca"),
        ("", "ba", "ba"),
    ] {
        let merged = strategic(json!({"containers": named(state)}), json!({"containers": named(patch)}));
        assert_eq!(merged["containers"], named(after), "{state} {patch}");
    }
}

#[test]
fn ports_of_a_service_are_known_by_their_number() {
    let state = json!({"spec": {"ports": [
        {"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]}});
    let after = strategic(state, json!({"spec": {"ports": [{"port": 443, "targetPort": 9443}]}}));
    assert_eq!(
        after["spec"]["ports"],
        json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 9443}])
    );
}

#[test]
fn strategic_merges_know_their_lists() {
    let state = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "args": ["x"]},
        {"name": "b", "image": "b:1"}]}}},
        "metadata": {"finalizers": ["f1"], "labels": {"l": "1", "m": "2"}}});
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [
            {"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "$patch": "delete"}], "args": ["y"]}]}}},
        "metadata": {"finalizers": ["f2"], "labels": {"m": null}}});
    assert_eq!(
        strategic(state.clone(), patch),
        json!({"spec": {"template": {"spec": {"containers": [
            {"name": "b", "image": "b:1"},
            {"name": "a", "image": "a:1", "env": [{"name": "Y", "value": "2"}], "args": ["y"]}]}}},
            "metadata": {"finalizers": ["f2", "f1"], "labels": {"l": "1"}}})
    );
    let directives = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["f1"],
        "labels": {"$patch": "replace", "only": "this"}}});
    let after = strategic(state.clone(), directives);
    assert_eq!(after["metadata"], json!({"labels": {"only": "this"}}));
    let retained = strategic(
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
    );
    assert_eq!(retained, json!({"strategy": {"type": "Recreate"}}));
    let replaced = strategic(
        json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
        json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}}),
    );
    assert_eq!(replaced, json!({"spec": {"containers": [{"name": "c"}]}}));
    assert!(apply(PatchKind::StrategicMerge, None, &json!({}), PatchContext::default()).is_err());
}

#[test]
fn applying_takes_away_what_is_no_longer_applied() {
    let state = json!({
        "metadata": {"name": "web", "labels": {"mine": "1", "theirs": "2", "shared": "3"}, "managedFields": [
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {
                "f:metadata": {"f:labels": {"f:mine": {}, "f:shared": {}}},
                "f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:image": {}},
                    "k:{\"name\":\"gone\"}": {".": {}, "f:name": {}}}}}}}},
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {
                "f:metadata": {"f:labels": {"f:theirs": {}, "f:shared": {}}}}}]},
        "spec": {"replicas": 4, "template": {"spec": {"containers": [
            {"name": "gone"}, {"name": "a", "image": "a:1"}, {"name": "injected"}]}}}});
    let wanted = json!({"metadata": {"name": "web", "labels": {}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "a", "image": "a:2"}]}}}});
    let argo = PatchContext { manager: "argocd-controller", subresource: "" };
    let after = apply(PatchKind::Apply, Some(&state), &wanted, argo).expect("always possible");
    assert_eq!(after["metadata"]["labels"], json!({"theirs": "2", "shared": "3"}));
    assert_eq!(after["spec"]["replicas"], json!(2));
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"],
        json!([{"name": "a", "image": "a:2"}, {"name": "injected"}])
    );
    let created = apply(PatchKind::Apply, Some(&Value::Null), &wanted, argo);
    assert_eq!(created, Ok(wanted));
}

/// The order of `structured-merge-diff`: what is applied in its order, others where they stood.
#[test]
fn the_order_of_apply() {
    let named =
        |names: &str| Value::Array(names.chars().map(|name| json!({"name": name.to_string()})).collect());
    for (state, applied, after) in [
        ("xa", "a", "xa"),
        ("ax", "a", "ax"),
        ("x", "n", "xn"),
        ("axb", "ba", "xba"),
        ("bax", "abn", "axbn"),
        ("axb", "ab", "axb"),
    ] {
        let state = json!({"spec": {"containers": named(state)}});
        let body = json!({"spec": {"containers": named(applied)}});
        let merged = apply(PatchKind::Apply, Some(&state), &body, PatchContext::default()).expect("it fits");
        assert_eq!(merged["spec"]["containers"], named(after), "{body}");
    }
}

/// Schemas of custom resources are not in a log: who owns which items tells how their lists are merged.
#[test]
fn lists_of_custom_resources_are_told_by_their_owners() {
    let custom = |fields: Value, steps: Value| {
        let mut object = json!({"apiVersion": "example.com/v1", "kind": "Flow", "metadata": {},
            "spec": {"steps": steps}});
        object["metadata"]["managedFields"] = json!([{"manager": "other", "operation": "Update",
            "fieldsV1": {"f:spec": {"f:steps": fields}}}]);
        object
    };
    let body = json!({"apiVersion": "example.com/v1", "kind": "Flow",
        "spec": {"steps": [{"id": 2, "run": "new"}]}});
    let steps = json!([{"id": 1, "run": "one"}, {"id": 2, "run": "two", "if": "x"}]);
    let after = |fields: Value| {
        let state = custom(fields, steps.clone());
        let after = apply(PatchKind::Apply, Some(&state), &body, PatchContext::default()).expect("it fits");
        after["spec"]["steps"].clone()
    };
    let by_key = json!({"k:{\"id\":1}": {".": {}}, "k:{\"id\":2}": {".": {}}});
    assert_eq!(after(by_key), json!([{"id": 1, "run": "one"}, {"id": 2, "run": "new", "if": "x"}]));
    assert_eq!(after(json!({})), body["spec"]["steps"]);

    let state = json!({"apiVersion": "example.com/v1", "spec": {"containers": [{"name": "a"}]}});
    let body = json!({"apiVersion": "example.com/v1", "spec": {"containers": [{"name": "b"}]}});
    let merged = apply(PatchKind::Apply, Some(&state), &body, PatchContext::default()).expect("it fits");
    assert_eq!(merged["spec"], body["spec"], "nobody owns the list, and its type is not known");
}

#[test]
fn applying_the_status_leaves_the_rest_alone() {
    let state = json!({"apiVersion": "apps/v1", "metadata": {"managedFields": [
            {"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "m", "operation": "Apply", "subresource": "status",
                "fieldsV1": {"f:status": {"f:ready": {}, "f:old": {}}}}]},
        "spec": {"replicas": 2}, "status": {"ready": 1, "old": true}});
    let body = json!({"apiVersion": "apps/v1", "status": {"ready": 2}});
    let context = PatchContext { manager: "m", subresource: "status" };
    let after = apply(PatchKind::Apply, Some(&state), &body, context).expect("it fits");
    assert_eq!((&after["spec"], &after["status"]), (&state["spec"], &body["status"]));
}

#[test]
fn what_is_no_longer_applied_goes_with_what_held_it() {
    let state = json!({"metadata": {"annotations": {"a": "1"}, "finalizers": ["mine", "theirs"], "managedFields": [
        {"manager": "m", "operation": "Apply", "fieldsV1": {"f:metadata": {
            "f:annotations": {"f:a": {}}, "f:finalizers": {".": {}, "v:\"mine\"": {}}}}},
        {"manager": "o", "operation": "Update", "fieldsV1": {"f:metadata": {"f:finalizers": {"v:\"theirs\"": {}}}}}]}});
    let context = PatchContext { manager: "m", subresource: "" };
    let after = apply(PatchKind::Apply, Some(&state), &json!({"metadata": {}}), context).expect("it fits");
    assert_eq!(after["metadata"]["finalizers"], json!(["theirs"]));
    assert_eq!(after["metadata"].get("annotations"), None);
}

#[test]
fn without_a_state_nothing_can_be_known() {
    for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::StrategicMerge, PatchKind::Apply] {
        assert!(apply(kind, None, &json!({"spec": {}}), PatchContext::default()).is_err(), "{kind:?}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-e/~$]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_patch_panics(state in any_json(), body in any_json(), manager in "[a-b]{0,2}") {
        for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::StrategicMerge, PatchKind::Apply] {
            let _ = apply(kind, Some(&state), &body, PatchContext { manager: &manager, subresource: "" });
        }
    }

    #[test]
    fn a_merge_patch_that_was_made_from_two_states_leads_from_one_to_the_other(
        before in any_json(), after in any_json()
    ) {
        let (before, after) = (without_nulls(before), without_nulls(after));
        let patch = merge_patch(&before, &after);
        let patched = apply(PatchKind::Merge, Some(&before), &patch, PatchContext::default()).expect("always possible");
        prop_assert_eq!(patched, after);
    }

    #[test]
    fn applying_the_same_again_changes_nothing(state in any_json(), body in any_json()) {
        let once = apply(PatchKind::Apply, Some(&state), &body, PatchContext::default()).expect("always possible");
        let twice = apply(PatchKind::Apply, Some(&once), &body, PatchContext::default()).expect("always possible");
        prop_assert_eq!(once, twice);
    }
}

/// A merge patch cannot say null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect(),
        ),
        other => other,
    }
}

fn merge_patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), merge_patch(old.get(key).unwrap_or(&Value::Null), value)));
    Value::Object(gone.chain(changed).collect())
}

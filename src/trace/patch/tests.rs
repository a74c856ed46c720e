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
            "metadata": {"finalizers": ["f1", "f2"], "labels": {"l": "1"}}})
    );
    let directives = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["f1"],
        "labels": {"$patch": "replace", "only": "this"}}});
    let after = strategic(state.clone(), directives);
    assert_eq!(after["metadata"], json!({"finalizers": [], "labels": {"only": "this"}}));
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

//! Conditions, keywords, virtual fields, and what columns leave to the text.

use serde_json::{Value, json};

use super::{engine, event, line, matches, rule, segment, segment_of};
use crate::detect::{Hit, RuleIndex, Why};

#[test]
fn conditions_combine_selections() {
    let base =
        "a1: {verb: create}\na2: {verb: delete}\nb: {objectRef.resource: pods}\n_hidden: {verb: none}\n";
    for (condition, expected) in [
        ("a1", true),
        ("a2", false),
        ("a1 and b", true),
        ("a1 and not b", false),
        ("not a2 and b", true),
        ("(a2 or b) and a1", true),
        ("1 of a*", true),
        ("all of a*", false),
        ("2 of them", true),
        ("3 of them", false),
        ("1 of them", true),
        ("all of them", false),
        ("not 1 of a*", false),
    ] {
        let text = rule(&format!("{base}condition: {condition}"));
        assert_eq!(matches(&text, &event(json!({}))), expected, "{condition}");
    }
    let list = rule(&format!("{base}condition: [a2, a1 and b]"));
    assert!(matches(&list, &event(json!({}))), "one of a list of conditions is enough");
    let alternatives = rule("a:\n    - verb: delete\n    - objectRef.name: web\ncondition: a");
    assert!(matches(&alternatives, &event(json!({}))));
}

#[test]
fn keywords_stand_anywhere_in_the_event() {
    let keywords = |words: &str| rule(&format!("keywords: {words}\ncondition: keywords"));
    assert!(matches(&keywords("[nothing, EVIL]"), &event(json!({}))));
    assert!(matches(&keywords("['would*privileged']"), &event(json!({}))));
    assert!(!matches(&keywords("[requestObject]"), &event(json!({}))), "names of fields are no values");
}

#[test]
fn virtual_fields_tell_what_is_scattered() {
    let exec = event(json!({
        "requestURI": "/api/v1/namespaces/prod/pods/web/exec?command=cat&command=%2Fetc%2Fshadow&stdin=true",
        "objectRef": {"subresource": "exec"}, "user": {"username": "system:serviceaccount:a:b"},
    }));
    for (selection, expected) in [
        ("exec.command: 'cat /etc/shadow'", true),
        ("exec.command|contains: stdin", false),
        ("sourceIP: 203.0.113.9", true),
        ("sourceIP: 10.0.0.1", false),
        ("sourceIP.public: true", true),
        ("sourceIP.public: false", false),
        ("user.kind: serviceaccount", true),
        ("user.kind: [human, anonymous]", false),
        ("tool: kubectl", true),
        ("impersonatedUser.kind: human", false),
        ("any_container.securityContext.privileged: true", true),
    ] {
        assert_eq!(matches(&line(selection), &exec), expected, "{selection}");
    }
    let cron = event(
        json!({"requestObject": {"spec": {"containers": null, "jobTemplate": {"spec": {"template": {"spec":
        {"initContainers": [{"image": "miner"}]}}}}}}}),
    );
    assert!(matches(&line("any_container.image: miner"), &cron));
    assert!(!matches(&line("any_container.image: evil"), &cron));
    let patch = event(json!({"verb": "patch", "requestObject": [
        {"op": "add", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": true}]}));
    assert!(matches(&line("patched.spec.template.spec.containers.securityContext.privileged: true"), &patch));
    assert!(matches(&line("any_container.securityContext.privileged: true"), &patch));
    let keys = |resource: &str| {
        event(json!({"objectRef": {"resource": resource}, "requestObject": {"data": {"id_rsa": "eA=="}}}))
    };
    assert!(matches(&line("secret.keys: id_rsa"), &keys("secrets")));
    assert!(!matches(&line("secret.keys: id_rsa"), &keys("configmaps")));
}

#[test]
fn what_is_missing_is_not_denied() {
    let bare: Value = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create", "auditID": "x",
        "user": {"username": "alice"}, "objectRef": {"resource": "pods"}});
    let refused = rule(
        "a: {verb: create}\nno: {responseStatus.code|gte: 400}\nforbidden: {annotations.authorization.k8s.io/decision: forbid}\ncondition: a and not 1 of no and not forbidden",
    );
    assert!(matches(&refused, &bare), "neither code, nor stage, nor annotation");
    let forbidden = event(json!({"annotations": {"authorization.k8s.io/decision": "forbid"}}));
    assert!(!matches(&refused, &forbidden));
    assert!(!matches(&refused, &event(json!({"responseStatus": {"code": 403}}))));
}

#[test]
fn only_answers_are_looked_at() {
    let events = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
        .map(|stage| event(json!({"stage": stage})));
    let engine = engine(&line("verb: create"));
    let rows: Vec<u32> = engine.hits(&segment(&events), 0..4).iter().map(|hit| hit.row).collect();
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!(engine.hits(&segment(&events), 2..3), [Hit { row: 2, rule: RuleIndex(0) }]);
    assert!(engine.hits(&segment(&events), 7..9).is_empty() && engine.hits(&segment(&[]), 0..0).is_empty());
}

#[test]
fn a_record_of_level_metadata_has_no_bodies() {
    let events = ["Metadata", "Request", "RequestResponse"].map(|level| event(json!({"level": level})));
    for (selection, rows) in [
        ("requestObject.spec.hostPID: true", &[1, 2][..]),
        ("requestObject.spec.hostPID: null", &[0]),
        ("requestObject.spec.hostPID|exists: false", &[0]),
        ("any_container[none].image: evil", &[0]),
    ] {
        let engine = engine(&line(selection));
        let found: Vec<u32> = engine.hits(&segment(&events), 0..3).iter().map(|hit| hit.row).collect();
        assert_eq!(found, rows, "{selection}");
        for row in 0..3 {
            assert_eq!(
                engine.matches(RuleIndex(0), &segment(&events), row),
                rows.contains(&row),
                "{selection}"
            );
        }
    }
}

#[test]
fn a_masked_column_is_read_from_the_text() {
    let exec = event(json!({
        "requestURI": "/api/v1/namespaces/prod/pods/web/exec?command=mysql&command=--password&command=hunter2",
        "objectRef": {"subresource": "exec"},
    }));
    assert!(
        !segment(std::slice::from_ref(&exec)).string(crate::store::Field::RequestUri, 0).contains("hunter2")
    );
    assert!(matches(&line("exec.command|contains: hunter2"), &exec));
    assert!(!matches(&line("exec.command|contains: hunter3"), &exec));
    assert!(matches(&line("requestURI|endswith: hunter2"), &exec));
    let engine = engine(&line("exec.command|contains: mysql"));
    let why = engine.explain(RuleIndex(0), &segment(&[exec]), 0);
    assert!(why.len() == 1 && !why[0].value.contains("hunter2"), "{why:?}");
}

#[test]
fn many_rows_give_what_each_row_gives() {
    let events: Vec<Value> = (0..600)
        .map(|number| {
            event(json!({
                "auditID": format!("id-{number}"), "verb": (["create", "get", "patch"][number % 3]),
                "level": (["Metadata", "RequestResponse"][number % 2]),
                "objectRef": {"name": format!("web-{number}"), "resource": (["pods", "secrets"][number / 7 % 2])},
                "user": {"username": format!("user-{}", number % 350)}, "responseStatus": {"code": 200 + number % 5},
            }))
        })
        .collect();
    let segment = segment(&events);
    for detection in [
        "a: {objectRef.name|endswith: '7', verb: create}\nb: {objectRef.resource: pods}\ncondition: a and not b",
        "a: {user.username|contains: '-3'}\nb: {requestObject.spec.hostPID: true}\nc: {responseStatus.code: 203}\ncondition: a and (b or c)",
        "a: {objectRef.name: ['web-5', 'web-50']}\nb: {verb: get}\nc: {objectRef.resource: secrets}\ncondition: 2 of them or a",
        "a: {requestObject.spec.hostPID|exists: false}\nb: {objectRef.name|re: '[34]$'}\ncondition: a and b",
    ] {
        let engine = engine(&rule(detection));
        let found: Vec<u32> = engine.hits(&segment, 0..segment.rows()).iter().map(|hit| hit.row).collect();
        let expected: Vec<u32> =
            (0..segment.rows()).filter(|row| engine.matches(RuleIndex(0), &segment, *row)).collect();
        assert_eq!(found, expected, "{detection}");
        assert!(!found.is_empty() && found.len() < 600, "{detection}: {}", found.len());
        let part: Vec<u32> = engine.hits(&segment, 100..130).iter().map(|hit| hit.row).collect();
        let expected: Vec<u32> = expected.into_iter().filter(|row| (100..130).contains(row)).collect();
        assert_eq!(part, expected, "{detection}");
    }
}

#[test]
fn a_match_is_explained() {
    let text = rule(
        "what: {objectRef.resource: [pods, jobs], user.username|startswith: al}\nhow:\n    any_container[any]:\n        image: evil\nunless: {verb: get}\ncondition: what and how and not unless",
    );
    let engine = engine(&text);
    let why = |selection: &str, field: &str, value: &str, pattern: &str| Why {
        selection: selection.to_owned(),
        field: field.to_owned(),
        value: value.to_owned(),
        pattern: pattern.to_owned(),
    };
    let found = engine.explain(RuleIndex(0), &segment(&[event(json!({}))]), 0);
    let container = r#"{"name":"b","image":"evil","securityContext":{"privileged":true}}"#;
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], why("how", "any_container[any]", container, "this member"));
    assert!(found.contains(&why("what", "objectRef.resource", "pods", "pods")));
    assert!(found.contains(&why("what", "user.username|startswith", "alice", "al")));
    assert!(engine.explain(RuleIndex(0), &segment(&[event(json!({"verb": "get"}))]), 0).is_empty());
    assert!(engine.explain(RuleIndex(9), &segment(&[event(json!({}))]), 0).is_empty());
}

#[test]
fn an_explanation_tells_no_secret() {
    let secret = event(json!({"objectRef": {"resource": "secrets"},
        "requestObject": {"kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "hunter2"}}}));
    let variable = event(json!({"requestObject": {"spec": {"containers":
        [{"image": "i", "env": [{"name": "PLAIN", "value": "hunter2"}]}]}}}));
    for (selection, event) in [
        ("requestObject.stringData.b: hunter*", &secret),
        ("requestObject.data.a|exists: true", &secret),
        ("any_container.env.value|contains: hunter", &variable),
    ] {
        let why = engine(&line(selection)).explain(RuleIndex(0), &segment(std::slice::from_ref(event)), 0);
        assert_eq!(why.len(), 1, "{selection}");
        assert!(!why[0].value.contains("hunter2") && !why[0].value.contains("aHVu"), "{why:?}");
        assert!(!why[0].value.is_empty(), "{selection}");
    }
}

#[test]
fn keys_are_found_however_they_are_escaped() {
    let engine = engine(&line("annotations.example.com/x: y"));
    for (key, expected) in
        [("example.com/x", 1), (r"example.com/\u0078", 1), ("example.com/xx", 0), (r"\u00e4", 0)]
    {
        let text = event(json!({"annotations": {"KEY": "y"}})).to_string().replace("KEY", key);
        assert_eq!(engine.hits(&segment_of(&text), 0..1).len(), expected, "{key}");
    }
}

#[test]
fn annotations_of_any_shape_are_found() {
    let engine = engine(&line("annotations.example.com/x: y"));
    for (annotations, expected) in [
        (json!({"a": "b", "example.com/x": "y"}), 1),
        (json!({"example": {"com/x": "y"}}), 1),
        (json!([{"a": "b"}, [{"example.com/x": ["z", "y"]}]]), 1),
        (json!({"example.com/xx": "y"}), 0),
        (json!({"example.com/x": "z"}), 0),
        (json!("example.com/x"), 0),
    ] {
        let event = event(json!({"annotations": annotations}));
        assert_eq!(engine.hits(&segment(std::slice::from_ref(&event)), 0..1).len(), expected, "{event}");
    }
}

#[test]
fn what_a_patch_builds_is_found_by_its_pointer() {
    let patch = |pointer: &str, value: Value| {
        let operation = json!([{"op": "replace", "path": pointer, "value": value}]);
        event(json!({"verb": "patch", "requestObject": operation, "responseObject": null}))
    };
    for (selection, pointer, value) in [
        ("any_container.command: sh", "/spec/containers/0/command/0", json!("sh")),
        ("patched.spec.hostPID: true", "/spec/hostPID", json!(true)),
        ("patched.metadata.labels.a/b: c", "/metadata/labels/a~1b", json!("c")),
        ("patched.spec.tolerations.key: x", "/spec", json!({"tolerations": [{"key": "x"}]})),
    ] {
        let event = patch(pointer, value);
        assert!(matches(&line(selection), &event), "{selection}");
    }
    let block = "requestObject[any]:\n      op: replace\n      path|endswith: /hostPID";
    assert!(matches(&line(block), &patch("/spec/hostPID", json!(true))));
    assert!(!matches(&line(block), &patch("/spec/hostIPC", json!(true))));
}

#[test]
fn hostile_events_are_judged_as_far_as_they_go() {
    let engine = engine(&line("requestObject.spec.hostPID: true"));
    let deep = format!("{}1{}", "{\"a\":".repeat(300), "}".repeat(300));
    let deep: Box<serde_json::value::RawValue> = serde_json::from_str(&deep).expect("JSON");
    let text = event(json!({"requestObject": "HERE"})).to_string().replace("\"HERE\"", deep.get());
    let segment = segment_of(&text);
    assert_eq!(segment.rows(), 1);
    assert!(engine.hits(&segment, 0..1).is_empty());
}

#[test]
fn odd_values_hide_nothing_in_a_patch() {
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    let whole = event(json!({"requestObject": {"spec": {"hostPID": true}, "x": "ODD"}})).to_string();
    for odd in [r#""\ud800""#, "1e999", &deep] {
        let segment = segment_of(&whole.replace(r#""ODD""#, odd));
        let engine = engine(&line("requestObject.spec.hostPID: true"));
        assert_eq!(engine.hits(&segment, 0..1).len(), 1, "{odd}");
    }
}

#[test]
fn keys_may_be_escaped() {
    let whole = event(json!({"requestObject": {"labels": {"pod-security.kubernetes.io/enforce": "none"}}}))
        .to_string();
    let engine = engine(&line("requestObject.labels.pod-security.kubernetes.io/enforce: none"));
    for escaped in ["io/enforce", r"io\/enforce", r"io/\u0065nforce"] {
        let segment = segment_of(&whole.replace("io/enforce", escaped));
        assert_eq!(engine.hits(&segment, 0..1).len(), 1, "{escaped}");
    }
}

#[test]
fn fields_with_very_many_values_can_be_compared() {
    let containers: Vec<Value> = (0..20_000)
        .map(|number| json!({"name": format!("n{number}"), "image": format!("i{number}")}))
        .collect();
    let event = event(json!({"requestObject": {"spec": {"containers": containers}}}));
    for (selection, expected) in [
        ("any_container.name|fieldref: any_container.image", false),
        ("any_container.name|fieldref: any_container.name", true),
        ("any_container.name|contains|fieldref: any_container.image", false),
        ("any_container.name|expand: '%any_container.name%'", true),
        ("any_container.name|expand: '%any_container.image%'", false),
    ] {
        assert_eq!(matches(&line(selection), &event), expected, "{selection}");
    }
}

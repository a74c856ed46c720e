//! Holds what a patch is worked out to make of an object against what the server made of it, wherever a log has both.
//!
//! The logs are `incident-full` and `ordinary-full` in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside
//! the checkout. How many patches they hold, by resource and subresource:
//!
//! ```sh
//! jq -r 'select(.verb == "patch" and .requestObject and .responseObject.metadata.uid)
//!     | [.objectRef.resource, .objectRef.subresource] | join("/")' incident-full.jsonl | sort | uniq -c
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use kauditui::model::field_manager;
use kauditui::trace::difference::{FieldChange, Noise, differences};
use kauditui::trace::patch::{PatchContext, PatchKind, apply, kind_of};
use serde_json::{Map, Value, json};

const LOGS: [&str; 2] = ["incident-full.jsonl", "ordinary-full.jsonl"];

/// What became of the patches of one kind.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Tally {
    /// With the server's own result in the log.
    all: usize,
    /// Of them, those whose earlier state is in the log, too, or that made the object.
    with_state: usize,
    /// Of those, the ones of which the result worked out is the server's, but for what the server fills in.
    agree: usize,
}

fn logs() -> Option<PathBuf> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let logs = shared.join("data/kube");
    if !logs.is_dir() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return None;
    }
    Some(logs)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The objects that an answer holds: itself, or the items of a list.
fn objects(answer: &Value) -> Vec<&Value> {
    match answer.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None => vec![answer],
    }
}

/// Without members that are null or empty, which say nothing: `creationTimestamp: null`, `resources: {}`.
fn tidy(value: &Value) -> Value {
    let says_nothing = |value: &Value| match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), tidy(value)));
            Value::Object(members.filter(|(_, value)| !says_nothing(value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(tidy).collect()),
        other => other.clone(),
    }
}

/// Where the result worked out is not the server's: of the status where the patch is of that, else of all else.
fn disagreements(worked_out: &Value, server: &Value, of_status: bool) -> Vec<FieldChange> {
    differences(&tidy(worked_out), &tidy(server))
        .into_iter()
        .filter(|change| match change.noise() {
            Some(Noise::Status) => of_status,
            Some(_) => false,
            None => !of_status,
        })
        .collect()
}

/// Whether the server filled the field in: into an object that the patch made; because another field implies it; because
/// its type is written with all its fields. Items of lists come without the kind that a single object has.
fn is_default(change: &FieldChange, is_made: bool) -> bool {
    let is_implied = matches!(change.path.to_string().as_str(), "status.podIPs" | "kind" | "apiVersion");
    change.before.is_none() && (is_made || is_implied || change.after == Some(Value::from("")))
}

fn check(file: &Path, tallies: &mut BTreeMap<&'static str, Tally>) -> Vec<String> {
    let log = std::fs::read_to_string(file).expect("a log");
    let mut states: HashMap<String, Value> = HashMap::new();
    let mut wrong = Vec::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        let Some(answer) = event.get("responseObject") else { continue };
        let uid = text(answer, "/metadata/uid");
        if text(&event, "/verb") == "patch"
            && !uid.is_empty()
            && text(answer, "/kind") != "Scale"
            && let Some(body) = event.get("requestObject")
        {
            let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0);
            let code = u16::try_from(code).expect("a status code");
            let uri = text(&event, "/requestURI");
            let kind = kind_of(body, uri, text(&event, "/objectRef/apiGroup"), code);
            let tally = tallies.entry(kind.name()).or_default();
            tally.all += 1;
            let nothing = Value::Null;
            let before = if code == 201 { Some(&nothing) } else { states.get(uid) };
            if before.is_some() {
                tally.with_state += 1;
                let manager = field_manager(uri, text(&event, "/userAgent"));
                let subresource = text(&event, "/objectRef/subresource");
                let of_status = subresource == "status";
                let said = match apply(kind, before, body, PatchContext { manager: &manager, subresource }) {
                    Ok(result) => disagreements(&result, answer, of_status)
                        .iter()
                        .filter(|change| !is_default(change, code == 201))
                        .map(|change| {
                            format!("    {}: {:?} is {:?}", change.path, change.before, change.after)
                        })
                        .collect(),
                    Err(why) => vec![format!("    {why}")],
                };
                if said.is_empty() {
                    tally.agree += 1;
                } else {
                    wrong.push(format!(
                        "{} {} {uri}\n{}",
                        kind.name(),
                        text(&event, "/auditID"),
                        said.join("\n")
                    ));
                }
            }
        }
        for object in objects(answer) {
            let uid = text(object, "/metadata/uid");
            if !uid.is_empty() && !matches!(text(answer, "/kind"), "Scale" | "TokenRequest") {
                states.insert(uid.to_owned(), object.clone());
            }
        }
    }
    wrong
}

#[test]
fn patches_are_worked_out_as_the_server_does() {
    let Some(logs) = logs() else { return };
    let mut tallies = BTreeMap::new();
    let mut wrong = Vec::new();
    for name in LOGS {
        wrong.extend(check(&logs.join(name), &mut tallies));
    }
    // Nobody sends a JSON patch or a merge patch in these logs: see `json_and_merge_patches_lead_to_the_same_states`.
    let expected = [
        (PatchKind::Apply.name(), Tally { all: 43, with_state: 43, agree: 43 }),
        (PatchKind::StrategicMerge.name(), Tally { all: 176, with_state: 176, agree: 176 }),
    ];
    assert_eq!(tallies, BTreeMap::from(expected), "{}", wrong.join("\n"));
}

/// The states of the same objects as patches of the other two kinds would have made them: those that lead from each
/// state in the logs to the next one.
#[test]
fn json_and_merge_patches_lead_to_the_same_states() {
    let Some(logs) = logs() else { return };
    let mut compared = 0;
    for name in LOGS {
        let log = std::fs::read_to_string(logs.join(name)).expect("a log");
        let mut states: HashMap<String, Value> = HashMap::new();
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            let Some(after) = event.get("responseObject") else { continue };
            let uid = text(after, "/metadata/uid");
            // Their uid is that of the object that they are made for.
            if uid.is_empty() || matches!(text(after, "/kind"), "Scale" | "TokenRequest") {
                continue;
            }
            // A merge patch cannot set a member to null.
            let after = without_nulls(after);
            if let Some(before) = states.insert(uid.to_owned(), after.clone()) {
                for change in differences(&before, &after) {
                    assert_eq!(change.path.of(&before), change.before.as_ref(), "{}", change.path);
                    assert_eq!(change.path.of(&after), change.after.as_ref(), "{}", change.path);
                }
                let context = PatchContext::default();
                let merged = apply(PatchKind::Merge, Some(&before), &merge_patch(&before, &after), context);
                assert_eq!(merged, Ok(after.clone()));
                let mut operations = Vec::new();
                json_patch("", &before, &after, &mut operations);
                let patched = apply(PatchKind::Json, Some(&before), &Value::Array(operations), context);
                assert_eq!(patched, Ok(after));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 1174);
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The merge patch that leads from one state to the other.
fn merge_patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), merge_patch(old.get(key).unwrap_or(&Value::Null), value)));
    Value::Object(gone.chain(changed).collect())
}

/// The operations of a JSON patch that lead from one state to the other.
fn json_patch(path: &str, before: &Value, after: &Value, operations: &mut Vec<Value>) {
    let below = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    match (before, after) {
        (before, after) if before == after => {
            operations.push(json!({"op": "test", "path": path, "value": after}))
        }
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                operations.push(json!({"op": "remove", "path": below(key)}));
            }
            for (key, value) in new {
                match old.get(key) {
                    Some(before) => json_patch(&below(key), before, value, operations),
                    None => operations.push(json!({"op": "add", "path": below(key), "value": value})),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (at, (before, after)) in old.iter().zip(new).enumerate() {
                json_patch(&below(&at.to_string()), before, after, operations);
            }
            for at in (new.len()..old.len()).rev() {
                operations.push(json!({"op": "remove", "path": below(&at.to_string())}));
            }
            for value in new.iter().skip(old.len()) {
                operations.push(json!({"op": "add", "path": below("-"), "value": value}));
            }
        }
        _ => operations.push(json!({"op": "replace", "path": path, "value": after})),
    }
}

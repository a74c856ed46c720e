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
use serde_json::{Map, Value};

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

/// Without members that are null or an empty object, which say nothing: `creationTimestamp: null`, `resources: {}`.
fn tidy(value: &Value) -> Value {
    let says_nothing =
        |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), tidy(value)));
            Value::Object(members.filter(|(_, value)| !says_nothing(value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(tidy).collect()),
        other => other.clone(),
    }
}

/// Where the result worked out is not the server's. Fields that only the server has are its defaults, but only where
/// the patch made the object or the item of a list that holds them.
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
            if !uid.is_empty() && object.get("metadata").is_some() && text(answer, "/kind") != "Scale" {
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
    for name in ["incident-full.jsonl", "ordinary-full.jsonl"] {
        wrong.extend(check(&logs.join(name), &mut tallies));
    }
    for line in &wrong {
        println!("{line}");
    }
    println!("{tallies:#?}");
    let _ = PatchKind::Json;
}

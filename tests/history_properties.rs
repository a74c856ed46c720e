//! The history of an object is what happened to it: replayed, it leads to the last body that the server answered; and
//! against a model, it knows the state exactly where the log lets it be known, and says so where not.
//!
//! The recorded logs are in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::app::batch;
use kauditui::identity::Identities;
use kauditui::model::{TimeZoneChoice, is_write_verb};
use kauditui::store::Store;
use kauditui::trace::difference::{FieldChange, differences};
use kauditui::trace::path::Step;
use kauditui::trace::{Change, History, HistoryOptions, Log, ObjectKey, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Everything that a history shows, with values as they are.
const REVEALED: HistoryOptions =
    HistoryOptions { reports: false, noise: false, revealed: true, owned: false };

/// A recorded log, unless it is missing.
fn recorded(name: &str) -> Option<String> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("data/kube").join(name);
    if !path.is_file() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: {name} needs ../shared");
        return None;
    }
    Some(fs::read_to_string(&path).expect("a recorded log"))
}

/// Asks something of the log that these lines make.
fn with_log<T>(lines: &str, ask: impl FnOnce(&Log<'_>) -> T) -> T {
    let mut store = Store::new();
    store.push(*batch(lines, 1));
    let mut identities = Identities::default();
    identities.update(&store);
    ask(&Log { store: &store, identities: &identities, zone: TimeZoneChoice::Utc })
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Bodies of an object that the server answered its writes with: auditID and body, by object, in time order.
fn answers(lines: &str) -> BTreeMap<ObjectKey, Vec<(String, Value)>> {
    let mut events: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    events.sort_by_key(|event: &Value| text(event, "/stageTimestamp").to_owned());
    let mut found: BTreeMap<ObjectKey, Vec<(String, Value)>> = BTreeMap::new();
    for mut event in events {
        let body = event["responseObject"].take();
        let is_own = text(&body, "/metadata/name") == text(&event, "/objectRef/name")
            && !matches!(text(&body, "/kind"), "Status" | "Scale" | "Table" | "PartialObjectMetadata");
        let is_told = is_write_verb(text(&event, "/verb"))
            && !matches!(text(&event, "/objectRef/subresource"), "status" | "binding" | "token")
            && event.pointer("/responseStatus/code").and_then(Value::as_u64).is_some_and(|code| code < 400)
            && text(&event, "/verb") != "delete"
            && !text(&event, "/requestURI").contains("dryRun=");
        if !is_own || !is_told || text(&event, "/objectRef/name").is_empty() {
            continue;
        }
        let part = |name: &str| text(&event, &format!("/objectRef/{name}")).to_owned();
        let key = ObjectKey {
            group: part("apiGroup"),
            resource: part("resource"),
            namespace: part("namespace"),
            name: part("name"),
        };
        found.entry(key).or_default().push((text(&event, "/auditID").to_owned(), body));
    }
    found
}

/// What a change makes of a state.
fn put(state: &mut Value, steps: &[Step], new: Option<&Value>) {
    let Some((first, rest)) = steps.split_first() else {
        *state = new.cloned().unwrap_or(Value::Null);
        return;
    };
    match (first, state) {
        (Step::Member(name), Value::Object(members)) => match (rest.is_empty(), new) {
            (true, None) => drop(members.remove(name)),
            (true, Some(new)) => drop(members.insert(name.clone(), new.clone())),
            (false, _) => put(members.get_mut(name).expect("a member on the way"), rest, new),
        },
        (step @ Step::Known { value, .. }, Value::Array(items)) => {
            let at = items.iter().position(|item| step.of(&json!([item])).is_some());
            match (at, rest.is_empty(), new) {
                (Some(at), true, None) => drop(items.remove(at)),
                (Some(at), ..) => put(&mut items[at], rest, new),
                (None, true, Some(new)) => items.push(new.clone()),
                (None, ..) => panic!("no item {value} on the way"),
            }
        }
        (Step::Index(at), Value::Array(items)) => match (rest.is_empty(), new) {
            (true, None) => drop(items.remove(*at)),
            (true, Some(new)) if *at >= items.len() => items.push(new.clone()),
            _ => put(&mut items[*at], rest, new),
        },
        (step, state) => panic!("{step:?} does not fit {state}"),
    }
}

/// What is not noise between two states.
fn told_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    differences(before, after).into_iter().filter(|change| change.noise().is_none()).collect()
}

/// Where an added item of a list stands is not part of a change.
fn is_order_alone(change: &FieldChange) -> bool {
    let sorted = |value: &Option<Value>| {
        let mut items: Vec<String> =
            value.as_ref().and_then(Value::as_array)?.iter().map(Value::to_string).collect();
        items.sort();
        Some(items)
    };
    sorted(&change.before).is_some() && sorted(&change.before) == sorted(&change.after)
}

/// Replays what a history tells of one object, life by life. How many changes it took, or what went wrong.
fn replayed(log: &Log<'_>, key: &ObjectKey, wanted: &[(String, Value)]) -> Result<usize, String> {
    let history = History::of(log, key, REVEALED);
    let mut state: Option<Value> = None;
    let mut changes = 0;
    for revision in &history.revisions {
        let after = history.state_after(log, revision.number);
        match (&revision.change, &mut state) {
            (Change::Fields(shown), Some(state)) => {
                let after = after.ok_or("fields of a state that is not known")?;
                let told = told_changes(state, &after);
                let listed: Vec<String> = shown.iter().map(|change| change.path.clone()).collect();
                let found: Vec<String> = told
                    .iter()
                    .filter(|change| !is_order_alone(change) || listed.contains(&change.path.to_string()))
                    .map(|change| change.path.to_string())
                    .collect();
                if listed != found {
                    return Err(format!("revision {} tells {listed:?}, not {found:?}", revision.number));
                }
                for change in &told {
                    put(state, &change.path.0, change.after.as_ref());
                }
                changes += told.len();
            }
            (Change::Created | Change::FirstKnown | Change::Unknown(_), state) => *state = after,
            (Change::Deleted, state) => *state = None,
            (Change::Nothing, Some(state)) => {
                if let Some(after) = after.filter(|_| revision.outcome != Outcome::Untouched)
                    && told_changes(state, &after).iter().any(|change| !is_order_alone(change))
                {
                    return Err(format!("revision {} changed something", revision.number));
                }
            }
            (_, None) => {}
        }
        if let Some((_, body)) = wanted.iter().find(|(audit_id, _)| *audit_id == revision.request.audit_id) {
            let state = state.as_ref().ok_or_else(|| format!("revision {} unknown", revision.number))?;
            let left: Vec<String> = told_changes(state, body)
                .iter()
                .filter(|change| !is_order_alone(change))
                .map(|change| change.path.to_string())
                .collect();
            if !left.is_empty() {
                return Err(format!("revision {}: replayed, {left:?} differ", revision.number));
            }
        }
    }
    Ok(changes)
}

#[test]
fn replayed_histories_lead_to_what_the_server_answered() {
    for (name, least_objects, least_writes, least_changes) in
        [("incident-full.jsonl", 30, 100, 80), ("ordinary-full.jsonl", 10, 20, 10)]
    {
        let Some(lines) = recorded(name) else { return };
        let mut answers = answers(&lines);
        answers.retain(|_, bodies| bodies.len() >= 2);
        let writes: usize = answers.values().map(Vec::len).sum();
        let mut changes = 0;
        let wrong: Vec<String> = with_log(&lines, |log| {
            let mut wrong = Vec::new();
            for (key, bodies) in &answers {
                match replayed(log, key, bodies) {
                    Ok(count) => changes += count,
                    Err(why) => wrong.push(format!("{key}: {why}")),
                }
            }
            wrong
        });
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
        println!("{name}: {} objects, {writes} writes with bodies, {changes} changes", answers.len());
        assert!(answers.len() >= least_objects, "{name}: {} objects", answers.len());
        assert!(writes >= least_writes, "{name}: {writes} writes");
        assert!(changes >= least_changes, "{name}: {changes} changes");
    }
}

/// What a client wants, however it says so.
#[derive(Clone, Debug)]
enum Edit {
    Replicas(u8),
    Image { container: usize, tag: u8 },
    Annotate { key: u8, value: u8 },
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Update,
    JsonPatch,
    MergePatch,
    StrategicPatch,
    Apply,
    Scale,
}

/// Which bodies the policy lets the log hold.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bodies {
    None,
    Request,
    Both,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Done,
    Tried,
    Refused,
}

#[derive(Clone, Debug)]
enum Write {
    Create,
    Change(Edit, Way),
    Delete,
}

const CONTAINERS: [&str; 2] = ["web", "sidecar"];

fn fresh() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "annotations": {"team": "shop"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "web", "image": "web:0"}, {"name": "sidecar", "image": "sidecar:0"}]}}},
    })
}

impl Edit {
    /// What the server makes of it.
    fn apply(&self, state: &mut Value) {
        match self {
            Edit::Replicas(count) => state["spec"]["replicas"] = json!(count),
            Edit::Image { container, tag } => {
                let image = format!("{}:{tag}", CONTAINERS[*container]);
                state["spec"]["template"]["spec"]["containers"][*container]["image"] = json!(image);
            }
            Edit::Annotate { key, value } => {
                state["metadata"]["annotations"][format!("key-{key}")] = json!(value.to_string());
            }
        }
    }

    /// The part of an object that says it, and nothing else. Lists hold only the item that is meant.
    fn part(&self) -> Value {
        match self {
            Edit::Replicas(count) => json!({"spec": {"replicas": count}}),
            Edit::Image { container, tag } => {
                let name = CONTAINERS[*container];
                json!({"spec": {"template": {"spec": {"containers":
                    [{"name": name, "image": format!("{name}:{tag}")}]}}}})
            }
            Edit::Annotate { key, value } => {
                json!({"metadata": {"annotations": {format!("key-{key}"): value.to_string()}}})
            }
        }
    }

    /// Verb, query and body of a request that asks for it. A merge patch replaces lists as wholes, and a scale knows
    /// replicas only: where a way cannot say it, an update does.
    fn request(&self, way: Way, now: &Value) -> (&'static str, &'static str, &'static str, Value) {
        let mut wanted = now.clone();
        self.apply(&mut wanted);
        let is_image = matches!(self, Edit::Image { .. });
        match way {
            Way::JsonPatch => {
                let (path, value) = match self {
                    Edit::Replicas(count) => ("/spec/replicas".to_owned(), json!(count)),
                    Edit::Image { container, tag } => (
                        format!("/spec/template/spec/containers/{container}/image"),
                        json!(format!("{}:{tag}", CONTAINERS[*container])),
                    ),
                    Edit::Annotate { key, value } => {
                        (format!("/metadata/annotations/key-{key}"), json!(value.to_string()))
                    }
                };
                (
                    "patch",
                    "",
                    "?fieldManager=kubectl-patch",
                    json!([{"op": "add", "path": path, "value": value}]),
                )
            }
            Way::StrategicPatch => ("patch", "", "?fieldManager=kubectl-patch", self.part()),
            Way::MergePatch if !is_image => ("patch", "", "", self.part()),
            Way::Apply => {
                let mut body = self.part();
                body["apiVersion"] = json!("apps/v1");
                body["kind"] = json!("Deployment");
                body["metadata"]["name"] = json!("web");
                ("patch", "", "?fieldManager=argocd-controller&force=true", body)
            }
            Way::Scale if matches!(self, Edit::Replicas(_)) => {
                ("patch", "scale", "?fieldManager=kubectl", self.part())
            }
            _ => ("update", "", "", wanted),
        }
    }
}

/// The server's object, what a reader of the log can know of it, and the log.
#[derive(Default)]
struct Model {
    object: Option<Value>,
    known: Option<Value>,
    lives: u32,
    lines: String,
    /// What can be known after each write.
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    known: Option<Value>,
    /// Whether the write did nothing: it was tried or refused.
    idle: bool,
    /// Whether the object is there afterwards.
    exists: bool,
}

impl Model {
    fn write(&mut self, write: &Write, fate: Fate, bodies: Bodies) {
        let (verb, subresource, query, body, after) = match (write, &self.object) {
            (Write::Create, None) => {
                let mut made = fresh();
                made["metadata"]["uid"] = json!(format!("uid-{}", self.lives + 1));
                ("create", "", "", fresh(), Some(made))
            }
            (Write::Change(edit, way), Some(now)) => {
                let (verb, subresource, query, body) = edit.request(*way, now);
                let mut after = now.clone();
                edit.apply(&mut after);
                (verb, subresource, query, body, Some(after))
            }
            (Write::Delete, Some(_)) => ("delete", "", "", json!({"kind": "DeleteOptions"}), None),
            // What cannot be: an object that is there is not made, and one that is not is not changed.
            _ => return,
        };
        let dry = if query.is_empty() { "?dryRun=All" } else { "&dryRun=All" };
        let query = if fate == Fate::Tried { format!("{query}{dry}") } else { query.to_owned() };
        let answer = match (verb, subresource, fate) {
            (_, _, Fate::Refused) => json!({"kind": "Status", "status": "Failure", "code": 409}),
            ("delete", ..) => json!({"kind": "Status", "status": "Success"}),
            (_, "scale", _) => {
                let replicas = after.as_ref().map(|after| after["spec"]["replicas"].clone());
                json!({"kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": replicas}})
            }
            _ => after.clone().unwrap_or_default(),
        };
        self.log(verb, subresource, &query, fate, bodies, body.clone(), answer);
        if fate == Fate::Done {
            self.lives += u32::from(verb == "create");
            self.known = match (verb, bodies) {
                ("delete", _) | (_, Bodies::None) => None,
                (_, Bodies::Both) if subresource != "scale" => after.clone(),
                // The client's whole object.
                ("create" | "update", _) => Some(body),
                _ => match (self.known.take(), write) {
                    (Some(mut known), Write::Change(edit, _)) => {
                        edit.apply(&mut known);
                        Some(known)
                    }
                    _ => None,
                },
            };
            self.object = after;
        }
        let told =
            Told { known: self.known.clone(), idle: fate != Fate::Done, exists: self.object.is_some() };
        self.told.push(told);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one line")]
    fn log(
        &mut self,
        verb: &str,
        subresource: &str,
        query: &str,
        fate: Fate,
        bodies: Bodies,
        body: Value,
        answer: Value,
    ) {
        let second = self.told.len();
        let time =
            format!("2026-01-01T{:02}:{:02}:{:02}.000000Z", second / 3600, second / 60 % 60, second % 60);
        let code = match (fate, verb) {
            (Fate::Refused, _) => 409,
            (_, "create") => 201,
            _ => 200,
        };
        let tail = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("a-{second}"),
            "level": match bodies {
                Bodies::None => "Metadata",
                Bodies::Request => "Request",
                Bodies::Both => "RequestResponse",
            },
            "stage": "ResponseComplete",
            "requestURI": format!("/apis/apps/v1/namespaces/prod/deployments/web{tail}{query}"),
            "verb": verb, "user": {"username": "alice"}, "sourceIPs": ["10.0.0.1"], "userAgent": "kubectl/v1.32.4",
            "objectRef": {"resource": "deployments", "namespace": "prod", "name": "web", "apiGroup": "apps",
                "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": code},
            "requestReceivedTimestamp": time, "stageTimestamp": time,
        });
        if !subresource.is_empty() {
            event["objectRef"]["subresource"] = json!(subresource);
        }
        if bodies != Bodies::None {
            event["requestObject"] = body;
        }
        if bodies == Bodies::Both {
            event["responseObject"] = answer;
        }
        self.lines += &format!("{event}\n");
    }
}

/// What a client can want: the rest is the server's own.
fn wanted(state: &Value) -> (Value, Value) {
    (state["spec"].clone(), state["metadata"]["annotations"].clone())
}

fn writes() -> impl Strategy<Value = Vec<(Write, Fate, Bodies)>> {
    let edit = prop_oneof![
        (0u8..9).prop_map(Edit::Replicas),
        (0usize..2, 1u8..5).prop_map(|(container, tag)| Edit::Image { container, tag }),
        (0u8..3, 0u8..4).prop_map(|(key, value)| Edit::Annotate { key, value }),
    ];
    let way = prop::sample::select(vec![
        Way::Update,
        Way::JsonPatch,
        Way::MergePatch,
        Way::StrategicPatch,
        Way::Apply,
        Way::Scale,
    ]);
    let write = prop_oneof![
        2 => Just(Write::Create),
        8 => (edit, way).prop_map(|(edit, way)| Write::Change(edit, way)),
        1 => Just(Write::Delete),
    ];
    let fate = prop_oneof![6 => Just(Fate::Done), 1 => Just(Fate::Tried), 1 => Just(Fate::Refused)];
    let bodies = prop_oneof![1 => Just(Bodies::None), 3 => Just(Bodies::Request), 3 => Just(Bodies::Both)];
    prop::collection::vec((write, fate, bodies), 1..24)
}

proptest! {
    #[test]
    fn a_history_knows_what_can_be_known(writes in writes()) {
        let mut model = Model::default();
        // The object is there from the beginning, since a change of nothing is not tried.
        model.write(&Write::Create, Fate::Done, Bodies::Both);
        for (write, fate, bodies) in &writes {
            model.write(write, *fate, *bodies);
        }
        let key = ObjectKey {
            group: "apps".into(), resource: "deployments".into(), namespace: "prod".into(), name: "web".into(),
        };
        with_log(&model.lines, |log| {
            let history = History::of(log, &key, REVEALED);
            prop_assert_eq!(history.revisions.len(), model.told.len());
            let mut before: Option<&Told> = None;
            for (revision, told) in history.revisions.iter().zip(&model.told) {
                let state = history.state_after(log, revision.number);
                let number = revision.number;
                match (&told.known, &state) {
                    (Some(known), Some(state)) => prop_assert_eq!(wanted(state), wanted(known), "revision {}", number),
                    (None, None) => {}
                    (known, state) => prop_assert!(false, "revision {number}: {state:?}, not {known:?}\n{revision:?}"),
                }
                prop_assert_eq!(revision.outcome == Outcome::Untouched, told.idle, "revision {}", number);
                prop_assert_eq!(revision.outcome == Outcome::Gone, !told.idle && !told.exists, "revision {}", number);
                let unknown = !told.idle && told.exists && told.known.is_none();
                prop_assert_eq!(matches!(revision.outcome, Outcome::Unknown(_)), unknown, "revision {}", number);
                // Fields are told where both states are known, and are just those that differ.
                if let (Some(Told { known: Some(old), .. }), Some(new), false) = (before, &told.known, told.idle) {
                    let (old, new) = (wanted(old), wanted(new));
                    let is_same = old == new;
                    match &revision.change {
                        Change::Fields(fields) => prop_assert!(!is_same && !fields.is_empty(), "revision {}", number),
                        Change::Nothing => prop_assert!(is_same, "revision {}", number),
                        other => prop_assert!(false, "revision {number}: {other:?}"),
                    }
                }
                before = Some(told);
            }
            Ok(())
        })?;
    }
}

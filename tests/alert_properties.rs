//! What holds of alerts whatever comes: they are the same whichever way a log is read, they are bounded, a flood hides
//! nothing, and the columns of a segment judge as the text of each row does.

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use common::app::batch;
use kauditui::detect::{Alert, AlertBoard, AlertKey, Engine, Hit, RuleIndex, RuleSet, Severity};
use kauditui::model::{Micros, SECOND, format_rfc3339};
use kauditui::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};

const RULES: &str = "title: Read
id: read
level: medium
logsource: {product: kubernetes}
detection: {a: {verb: get}, condition: a}
---
title: Write
id: write
level: low
logsource: {product: kubernetes}
detection: {a: {verb: [update, delete]}, condition: a}
---
title: Delete
id: delete
level: critical
logsource: {product: kubernetes}
detection: {a: {verb: delete}, condition: a}
---
title: New
id: new
level: medium
logsource: {product: kubernetes}
detection: {a: {verb: update}, condition: a}
kauditui: {first_seen: {fields: [user.username, objectRef.namespace], history: 20s}}
---
title: Alone
id: alone
level: medium
logsource: {product: kubernetes}
detection: {a: {verb: list}, condition: a}
kauditui: {alert_by: {fields: [objectRef.namespace], unless: [delete], within: 10s}}
---
title: Count
id: count
level: high
correlation: {type: event_count, rules: [read], group-by: [user.username], timespan: 10s, condition: {gte: 3}, generate: true}
---
title: Values
id: values
level: high
correlation: {type: value_count, rules: [read, write], group-by: [user.username], timespan: 15s, condition: {field: objectRef.namespace, gte: 2}, generate: true}
---
title: Together
id: together
level: high
correlation: {type: temporal, rules: [read, write], group-by: [objectRef.namespace], timespan: 5s, generate: true}
---
title: Ordered
id: ordered
level: high
correlation: {type: temporal_ordered, rules: [read, write, delete], group-by: [user.username], timespan: 20s, generate: true}
---
title: Chain
id: chain
level: critical
correlation: {type: temporal_ordered, rules: [count, new], group-by: [user.username], timespan: 30s, generate: true}
";

fn engine() -> Arc<Engine> {
    let (rules, problems) = RuleSet::parse("rules.yml".as_ref(), RULES);
    assert!(problems.is_empty(), "{problems:?}");
    Arc::new(rules.prepare())
}

/// A record of a request.
fn record(
    id: &str,
    stage: &str,
    received: Micros,
    time: Micros,
    verb: &str,
    user: &str,
    space: &str,
) -> String {
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id, "stage": stage,
        "requestURI": format!("/api/v1/namespaces/{space}/pods/x"), "verb": verb,
        "user": {"username": user}, "sourceIPs": ["203.0.113.9"], "userAgent": "kubectl/v1.32.4",
        "objectRef": {"resource": "pods", "namespace": space, "name": "x"}, "responseStatus": {"code": 200},
        "requestReceivedTimestamp": format_rfc3339(received), "stageTimestamp": format_rfc3339(time),
    });
    event.to_string()
}

/// The lines of a request: one, or two of which the second is some seconds later.
#[derive(Clone, Debug)]
struct Request {
    second: i64,
    verb: &'static str,
    user: &'static str,
    namespace: &'static str,
    lasts: Option<i64>,
}

fn request() -> impl Strategy<Value = Request> {
    let verb = prop::sample::select(vec!["get", "get", "update", "delete", "list"]);
    let user = prop::sample::select(vec!["alice", "bob", "carol,dave"]);
    let namespace = prop::sample::select(vec!["prod", "dev", ""]);
    (0i64..90, verb, user, namespace, prop::option::of(1i64..40))
        .prop_map(|(second, verb, user, namespace, lasts)| Request { second, verb, user, namespace, lasts })
}

fn lines(requests: &[Request]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, Request { second, verb, user, namespace, lasts }) in requests.iter().enumerate() {
        let (id, time) = (format!("request-{at}"), (1_000_000 + second) * SECOND);
        let first = if lasts.is_some() { "ResponseStarted" } else { "ResponseComplete" };
        lines.push(record(&id, first, time, time, verb, user, namespace));
        if let Some(lasts) = lasts {
            lines.push(record(&id, "ResponseComplete", time, time + lasts * SECOND, verb, user, namespace));
        }
    }
    lines
}

/// What is told of an alert that does not depend on where its events lie.
type Told = (AlertKey, u64, Micros, Micros, Vec<(Vec<(String, String)>, Micros, Micros, Micros, u64)>);

fn told(board: &AlertBoard) -> Vec<Told> {
    let found = |alert: &Alert| {
        alert.findings.iter().map(|f| (f.group.clone(), f.first, f.last, f.reached, f.count)).collect()
    };
    let alerts = board.list().iter();
    alerts.map(|alert| (alert.key.clone(), alert.count, alert.first, alert.last, found(alert))).collect()
}

/// Has the board take in what the store has, looked at where that is still to be done.
fn catch_up(board: &mut AlertBoard, store: &mut Store) {
    for number in board.update(store) {
        let hits = store.entry(number).map(|entry| board.engine().look_at(entry.segment()));
        store.set_hits(number, hits.expect("it is held"));
    }
    assert!(board.update(store).is_empty(), "everything was looked at");
}

/// The alerts of a log that comes in these parts, each from a file of its own.
fn alerts_of(engine: &Arc<Engine>, parts: &[(Vec<String>, bool, bool)]) -> Vec<Told> {
    let (mut store, mut board) = (Store::new(), AlertBoard::new(Arc::clone(engine)));
    for (origin, (part, is_live, is_looked_at)) in parts.iter().enumerate() {
        let mut batch = *batch(&part.join("\n"), origin as u32 + 1);
        if *is_looked_at {
            batch.hits = engine.look_at(&batch.segment);
        }
        match is_live {
            true => store.push_live(batch).expect("it is taken"),
            false => store.push(batch),
        }
        catch_up(&mut board, &mut store);
        if origin % 2 == 0 {
            board.refresh(&store, None);
        }
    }
    board.refresh(&store, None);
    assert_eq!((board.left_out(), board.forgotten()), (0, 0));
    told(&board)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn alerts_do_not_depend_on_the_way_a_log_is_read(
        requests in prop::collection::vec(request(), 1..40),
        places in prop::collection::vec((0usize..6, prop::option::weighted(0.2, 0usize..6)), 80),
        order in Just((0usize..6).collect::<Vec<_>>()).prop_shuffle(),
        ways in prop::collection::vec((any::<bool>(), any::<bool>()), 6),
    ) {
        let engine = engine();
        let lines = lines(&requests);
        let whole = alerts_of(&engine, &[(lines.clone(), false, true)]);
        // Each line in one of six parts, some in another one as well.
        let mut parts: Vec<(Vec<String>, bool, bool)> =
            ways.iter().map(|(live, looked_at)| (Vec::new(), *live, *looked_at)).collect();
        for (line, (place, again)) in lines.iter().zip(&places) {
            parts[*place].0.push(line.clone());
            if let Some(again) = again.filter(|again| again != place) {
                parts[again].0.push(line.clone());
            }
        }
        let parts: Vec<_> = order.iter().map(|at| parts[*at].clone()).filter(|part| !part.0.is_empty()).collect();
        prop_assert_eq!(&alerts_of(&engine, &parts), &whole);
        let backward: Vec<_> = lines.iter().rev().map(|line| (vec![line.clone()], false, false)).collect();
        prop_assert_eq!(&alerts_of(&engine, &backward), &whole);
    }
}

#[test]
fn a_flood_is_bounded_and_hides_nothing() {
    const FLOOD: i64 = 100_000;
    let engine = engine();
    let (mut store, mut board) = (Store::new(), AlertBoard::new(Arc::clone(&engine)));
    let mut push = |lines: &[String], board: &mut AlertBoard| {
        store.push(*batch(&lines.join("\n"), 1));
        catch_up(board, &mut store);
        board.refresh(&store, None);
    };
    let long = "x".repeat(100_000);
    push(&[record("first", "ResponseComplete", 0, 0, "delete", "mallory", "prod")], &mut board);
    push(&[record("long", "ResponseComplete", 1, 1, "update", "alice", &long)], &mut board);
    let lines: Vec<String> = (2..FLOOD)
        .map(|at| {
            let (id, user) = (format!("id-{at}"), format!("user-{at}"));
            record(&id, "ResponseComplete", at * SECOND, at * SECOND, "update", &user, "prod")
        })
        .collect();
    for part in lines.chunks(10_000) {
        push(part, &mut board);
        assert!(board.list().len() <= 25_000 + 4 * 2_000, "{} alerts", board.list().len());
        assert!(board.memory_bytes() < 100 << 20, "{} bytes", board.memory_bytes());
    }
    assert!(board.left_out() > 0 && board.forgotten() > 0, "it is told that something was left out");
    let of = |actor: &str| board.list().iter().any(|alert| alert.key.actor == actor);
    assert!(of("mallory"), "what is worse stays, however old");
    assert!(of(&format!("user-{}", FLOOD - 1)), "what is new is taken in");
    assert_eq!(board.list().iter().filter(|a| board.severity(a) == Severity::Critical).count(), 1);
}

static EVERYTHING: LazyLock<(Engine, Vec<Value>)> = LazyLock::new(everything);

/// The rules of other people's and our own, and events that they match or miss.
fn everything() -> (Engine, Vec<Value>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KAUDITUI_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let others = shared.join("data/sigmahq");
    let folders = if others.is_dir() { vec![others] } else { Vec::new() };
    let (rules, _) = RuleSet::load(true, &folders);
    assert!(rules.rules().len() > 100, "the pack is there");
    let mut events = Vec::new();
    for entry in std::fs::read_dir(root.join("tests/data/rules")).expect("the events of the rules") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a readable file");
        let groups: Value = serde_json::from_str(&text).expect("JSON");
        let lists = groups.as_object().into_iter().flat_map(|groups| groups.values());
        let events_of = lists.filter_map(Value::as_array).flatten().filter(|event| event.is_object());
        events.extend(events_of.cloned());
    }
    (rules.prepare(), events)
}

/// Changes one value somewhere in an event.
fn spoil(value: &mut Value, place: &mut usize, with: &Value) -> bool {
    let mut members: Vec<&mut Value> = match value {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(members) => members.iter_mut().collect(),
        _ => Vec::new(),
    };
    for member in &mut members {
        if *place == 0 {
            **member = with.clone();
            return true;
        }
        *place -= 1;
        if spoil(member, place, with) {
            return true;
        }
    }
    false
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(403),
        json!(true),
        json!("*"),
        json!("Metadata"),
        json!("RequestResponse"),
        json!("system:masters"),
        json!("system:anonymous"),
        json!(["get", null, {"a": "b"}]),
        json!("İßΣ\u{202e}\u{0}"),
        json!("Bearer eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"),
        json!("::ffff:8.8.8.8"),
        json!([[["a"]], {"name": {"name": []}}]),
        json!("cluster-admin"),
        json!(1e300),
        json!("pods"),
        json!("exec"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn columns_judge_as_rows_do(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..60, odd_value()), 20),
    ) {
        let (engine, events) = &*EVERYTHING;
        let mut lines = Vec::new();
        for (event, mut place, with) in changes {
            let mut event = event.get(events).clone();
            spoil(&mut event, &mut place, &with);
            lines.push(event.to_string());
        }
        let segment = batch(&lines.join("\n"), 1).segment;
        let hits = engine.hits(&segment, 0..segment.rows());
        for row in 0..segment.rows() {
            if segment.facts(row).stage() == kauditui::model::Stage::RequestReceived {
                continue;
            }
            for rule in (0..engine.rules().len() as u32).map(RuleIndex) {
                // Of these, the hits say nothing.
                if engine.rule(rule).state.is_some() {
                    continue;
                }
                let by_columns = hits.binary_search(&Hit { row, rule }).is_ok();
                let by_row = engine.matches(rule, &segment, row);
                prop_assert_eq!(by_columns, by_row, "{}: {}", engine.rule(rule).id, lines[row as usize]);
            }
        }
    }
}

//! The commands on batches made by hand: what is printed, when, and how often.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use super::*;
use crate::cli::{InfoOutput, QueryOutput, StageChoice};
use crate::ingest::{FileReport, IngestMessage, SourceDescription};
use crate::model::{
    Decision, Event, Level, Micros, ObjectRef, SECOND, SourceId, Stage, TimeZoneChoice, parse_rfc3339,
};
use crate::query::Expression;
use crate::settings::Listing;
use crate::store::{Batch, SegmentBuilder};

pub(super) const LOG: SourceId = SourceId(0);
/// Rows in the order of time, with the columns of the form.
static ROWS: Listing = Listing::Rows { columns: Vec::new(), sort: None };
const UTC: TimeZoneChoice = TimeZoneChoice::Utc;

pub(super) fn noon() -> Micros {
    parse_rfc3339(b"2026-11-20T12:00:00Z").unwrap()
}

pub(super) fn event(id: &str, stage: Stage, at: Micros) -> Event<'_> {
    Event {
        level: Level::Metadata,
        stage,
        audit_id: id.into(),
        request_uri: "/api/v1/pods".into(),
        verb: "list".into(),
        user: "alice".into(),
        object: ObjectRef { resource: "pods".into(), api_version: "v1".into(), ..ObjectRef::default() },
        code: if stage.is_response() { 200 } else { 0 },
        received: Some(noon()),
        stage_time: Some(noon() + at * SECOND),
        ..Event::default()
    }
}

fn batch(events: &[Event<'_>], origin: u32) -> Box<Batch> {
    let mut builder = SegmentBuilder::new(LOG, noon(), true);
    for event in events {
        builder.push(event, format!("line of {}", event.audit_id).as_bytes(), false);
    }
    Box::new(builder.finish(origin))
}

pub(super) fn opened() -> IngestMessage {
    IngestMessage::Opened(SourceDescription {
        id: LOG,
        name: "audit.log".into(),
        path: "/var/log/audit.log".into(),
        rotated: 0,
        compressed: Vec::new(),
    })
}

fn live(events: &[Event<'_>]) -> IngestMessage {
    IngestMessage::Live(batch(events, 1))
}

pub(super) fn options(filter: &Expression) -> QueryOptions<'_> {
    QueryOptions {
        filter,
        holds_secret: |text| text.ends_with(b"secret"),
        output: QueryOutput::Jsonl,
        stages: StageChoice::Request,
        limit: None,
        listing: &ROWS,
        follow: false,
        since: None,
        until: None,
        now: noon() + 60 * SECOND,
        zone: UTC,
        ascii: false,
        reveal: false,
        to_terminal: false,
        memory: 1 << 30,
        threads: 2,
        rules: None,
    }
}

/// Output, notes and outcome of a query.
pub(super) fn run(messages: Vec<IngestMessage>, options: &QueryOptions<'_>) -> (String, String, Outcome) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut streams = Streams { out: &mut out, notes: &mut notes };
    let outcome = query(messages.into_iter(), options, &mut streams, &AtomicBool::new(false)).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap(), outcome)
}

/// auditID and stage of each row.
fn rows(output: &str) -> Vec<(String, String)> {
    let field = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|row: Value| (field(&row, "auditID"), field(&row, "stage")))
        .collect()
}

fn pairs(list: &[(&str, Stage)]) -> Vec<(String, String)> {
    list.iter().map(|(id, stage)| ((*id).to_owned(), stage.name().to_owned())).collect()
}

#[test]
fn a_request_is_one_row_in_time_order_and_all_stages_are_all() {
    let messages = || {
        vec![
            opened(),
            IngestMessage::History(batch(
                &[event("b", Stage::ResponseStarted, 5), event("b", Stage::ResponseComplete, 9)],
                1,
            )),
            IngestMessage::History(batch(
                &[
                    event("a", Stage::RequestReceived, 0),
                    event("a", Stage::ResponseComplete, 1),
                    event("c", Stage::RequestReceived, 2),
                ],
                2,
            )),
            IngestMessage::End(LOG),
        ]
    };
    let filter = Expression::default();
    let mut options = options(&filter);
    let (output, _, outcome) = run(messages(), &options);
    let expected = pairs(&[
        ("a", Stage::ResponseComplete),
        ("c", Stage::RequestReceived),
        ("b", Stage::ResponseStarted),
    ]);
    assert_eq!(rows(&output), expected);
    assert_eq!((outcome.matched, outcome.exit_code()), (3, EXIT_OK));

    options.limit = Some(2);
    assert_eq!(rows(&run(messages(), &options).0), expected[1..], "the newest two");
    options.limit = None;
    options.stages = StageChoice::All;
    assert_eq!(rows(&run(messages(), &options).0).len(), 5);
    options.since = Some("57s");
    let (output, notes, _) = run(messages(), &options);
    assert_eq!(rows(&output).len(), 2, "three seconds after noon and later");
    assert!(notes.contains("counted from now"), "{notes}");
    options.until = Some("59s");
    options.since = None;
    options.now = noon() - 60 * SECOND;
    let (output, _, outcome) = run(messages(), &options);
    assert_eq!((output.as_str(), outcome.exit_code()), ("", EXIT_NO_MATCH));
}

#[test]
fn following_prints_each_request_once_at_its_first_answer() {
    let filter = Expression::default();
    let mut options = options(&filter);
    options.follow = true;
    let messages = || {
        vec![
            opened(),
            live(&[event("early", Stage::ResponseComplete, 3)]),
            IngestMessage::History(batch(
                &[event("watch", Stage::ResponseStarted, 1), event("asked", Stage::RequestReceived, 2)],
                1,
            )),
            IngestMessage::HistoryDone(LOG),
            live(&[event("new", Stage::RequestReceived, 4), event("never", Stage::RequestReceived, 4)]),
            live(&[event("asked", Stage::ResponseComplete, 5)]),
            live(&[event("watch", Stage::ResponseComplete, 6)]),
            live(&[event("turned", Stage::ResponseComplete, 8)]),
            live(&[event("turned", Stage::ResponseStarted, 7), event("new", Stage::Panic, 9)]),
        ]
    };
    let expected = pairs(&[
        ("watch", Stage::ResponseStarted),
        ("early", Stage::ResponseComplete),
        ("asked", Stage::ResponseComplete),
        ("turned", Stage::ResponseComplete),
        ("new", Stage::Panic),
        ("never", Stage::RequestReceived),
    ]);
    assert_eq!(rows(&run(messages(), &options).0), expected);
    options.stages = StageChoice::All;
    let all = rows(&run(messages(), &options).0);
    assert_eq!(all.len(), 10);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 10, "each record once");
}

#[test]
fn what_was_printed_stays_printed_when_memory_runs_out() {
    let filter = Expression::default();
    let mut options = options(&filter);
    (options.follow, options.memory) = (true, 1);
    let mut messages = vec![
        opened(),
        IngestMessage::HistoryDone(LOG),
        IngestMessage::History(batch(&[event("watch", Stage::ResponseStarted, 1)], 1)),
        IngestMessage::History(batch(&[event("asked", Stage::RequestReceived, 2)], 1)),
        IngestMessage::History(batch(&[event("asked", Stage::ResponseComplete, 3)], 1)),
    ];
    messages.push(IngestMessage::History(batch(&[event("watch", Stage::ResponseComplete, 4)], 1)));
    let expected = pairs(&[("watch", Stage::ResponseStarted), ("asked", Stage::RequestReceived)]);
    assert_eq!(rows(&run(messages, &options).0), expected);
}

#[test]
fn raw_withholds_secrets_and_the_table_shows_no_control() {
    let filter = Expression::default();
    let mut options = options(&filter);
    options.output = QueryOutput::Raw;
    let messages = || {
        let mut hostile = event("x\u{1b}[2J", Stage::ResponseComplete, 2);
        hostile.user = "system:node:\u{202e}n1".into();
        let events = [event("secret", Stage::ResponseComplete, 1), hostile];
        vec![opened(), IngestMessage::History(batch(&events, 1)), IngestMessage::End(LOG)]
    };
    let (output, notes, outcome) = run(messages(), &options);
    assert_eq!((output.as_str(), outcome.matched), ("line of x\u{1b}[2J\n", 2));
    assert!(notes.contains("withheld because they hold secret values: 1;"), "{notes}");
    options.to_terminal = true;
    assert_eq!(run(messages(), &options).0, "line of x␛[2J\n");
    options.reveal = true;
    assert_eq!(run(messages(), &options).0, "line of secret\nline of x␛[2J\n");
    options.output = QueryOutput::Table;
    let (table, ..) = run(messages(), &options);
    assert!(table.starts_with("TIME (UTC)") && table.contains("node:<U+202E>n1"), "{table}");
    let columns: BTreeSet<_> = table.lines().map(|line| line.find("USER").or(line.find("node:"))).collect();
    assert_eq!(columns.into_iter().flatten().collect::<BTreeSet<_>>().len(), 1, "{table}");
    options.output = QueryOutput::Jsonl;
    let (json, ..) = run(messages(), &options);
    assert!(json.contains("\\u202e") && !json.contains(['\u{202e}', '\u{1b}']), "{json}");
    assert_eq!(rows(&json)[1].0, "x\u{1b}[2J");
}

pub(super) fn documented(section: &str) -> BTreeSet<String> {
    let text = include_str!("../../docs/json.md");
    let start = text.find(&format!("\n## {section}\n")).unwrap() + 4;
    let section = text[start..].split("\n## ").next().unwrap();
    let field = |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned());
    section.lines().filter_map(field).collect()
}

pub(super) fn paths(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{prefix}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_json_of_query_is_the_documented_one() {
    let full = |stage, at| Event {
        impersonated_user: "bob".into(),
        source_ip: "10.0.0.1".into(),
        user_agent: "kubectl".into(),
        object: ObjectRef {
            resource: "pods".into(),
            subresource: "exec".into(),
            namespace: "prod".into(),
            name: "web-0".into(),
            api_group: "apps".into(),
            api_version: "v1".into(),
        },
        reason: "Forbidden".into(),
        decision: Decision::Allow,
        decision_reason: "RBAC: allowed".into(),
        ..event("exec", stage, at)
    };
    let mut builder = SegmentBuilder::new(LOG, noon(), false);
    builder.push(&full(Stage::ResponseStarted, 1), b"", true);
    builder.push(&full(Stage::ResponseComplete, 3), b"", false);
    let messages = vec![opened(), IngestMessage::History(Box::new(builder.finish(1)))];
    let filter = Expression::default();
    let (output, ..) = run(messages, &options(&filter));
    assert_eq!(
        output,
        "{\"time\":\"2026-11-20T12:00:01.000000Z\",\"received\":\"2026-11-20T12:00:00.000000Z\",\
         \"stage\":\"ResponseStarted\",\"level\":\"Metadata\",\"auditID\":\"exec\",\"verb\":\"list\",\"code\":200,\
         \"reason\":\"Forbidden\",\"user\":\"alice\",\"impersonatedUser\":\"bob\",\"sourceIP\":\"10.0.0.1\",\
         \"userAgent\":\"kubectl\",\"apiGroup\":\"apps\",\"apiVersion\":\"v1\",\"resource\":\"pods\",\
         \"subresource\":\"exec\",\"namespace\":\"prod\",\"name\":\"web-0\",\"requestURI\":\"/api/v1/pods\",\
         \"decision\":\"allow\",\"decisionReason\":\"RBAC: allowed\",\"durationMicros\":3000000,\
         \"endStage\":\"ResponseComplete\",\"endCode\":200,\"open\":false,\"source\":\"audit.log\",\
         \"log\":\"kube\",\"marks\":[\"repaired\"]}\n"
    );
    let mut found = BTreeSet::new();
    paths(&serde_json::from_str(&output).unwrap(), "", &mut found);
    assert_eq!(found, documented("query"));
}

#[test]
fn info_counts_and_its_json_is_the_documented_one() {
    let report = |path: &str, origin, gaps: Vec<(Micros, Micros)>| FileReport {
        path: path.to_owned(),
        origin,
        stored_bytes: 10,
        text_bytes: 100,
        lines: 3,
        events: 2,
        formats: vec![("kube audit".to_owned(), 2)],
        unreadable: vec![("cut short".to_owned(), 1)],
        passed_over: vec![("argocd".to_owned(), 3)],
        first: Some(noon()),
        last: Some(noon() + 7200 * SECOND),
        gaps,
    };
    let hour = |hours: Micros| noon() + hours * 1800 * SECOND;
    let messages = vec![
        opened(),
        IngestMessage::History(batch(
            &[event("a", Stage::ResponseComplete, 3), event("w", Stage::ResponseStarted, 4)],
            1,
        )),
        IngestMessage::History(batch(
            &[event("a", Stage::RequestReceived, 0), event("w", Stage::ResponseStarted, 4)],
            2,
        )),
        IngestMessage::File(LOG, Box::new(report("b.log", 1, vec![(hour(1), hour(2))]))),
        IngestMessage::File(LOG, Box::new(report("a.log", 2, vec![(hour(1), hour(3))]))),
        IngestMessage::Failed(Error::Missing { path: "gone\u{1b}".into() }),
    ];
    let run = |messages: Vec<IngestMessage>, output| {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut streams = Streams { out: &mut out, notes: &mut notes };
        let options = InfoOptions { output, zone: UTC, memory: 1 << 30, now: noon() + 7205 * SECOND };
        let outcome = info(messages.into_iter(), &options, &mut streams, &AtomicBool::new(false)).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap(), outcome)
    };
    let (output, notes, outcome) = run(messages, InfoOutput::Json);
    assert_eq!(outcome.exit_code(), EXIT_FAILURE, "one source failed");
    assert!(notes.starts_with("error: gone␛ does not exist\ntip: "), "{notes}");
    let json: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(json["files"][0]["path"], "a.log");
    assert_eq!((&json["files"][0]["duplicates"], &json["files"][1]["requests"]), (&1.into(), &2.into()));
    let source = serde_json::json!({
        "name": "audit.log", "path": "/var/log/audit.log", "rotated": 0, "compressed": 0,
        "lines": 6, "events": 4, "unreadable": 2, "newest": "2026-11-20T14:00:00.000000Z", "lagMicros": 5_000_000,
    });
    assert_eq!(json["sources"], Value::Array(vec![source]));
    let total = &json["total"];
    assert_eq!(
        (&total["requests"], &total["duplicates"], &total["lines"]),
        (&2.into(), &1.into(), &6.into())
    );
    assert_eq!(total["gaps"].as_array().unwrap().len(), 1, "one file covers part of the other's gap");
    assert_eq!((&json["openRequests"], &json["levels"][0]["levels"][0]["count"]), (&1.into(), &3.into()));
    let mut found = BTreeSet::new();
    paths(&json, "", &mut found);
    found.retain(|path| !path.starts_with("total."));
    assert_eq!(found, documented("info"));

    let (table, ..) = run(vec![opened(), live(&[event("a", Stage::Panic, 1)])], InfoOutput::Table);
    assert!(table.contains("  requests            1\n"), "{table}");
    assert!(table.contains("(core)  list  Metadata 1"), "{table}");
}

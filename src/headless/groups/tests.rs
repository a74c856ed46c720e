//! Groups, users, columns and orders, on batches made by hand.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::columns::heading;
use super::super::row::Row;
use super::super::tests::{LOG, documented, event, noon, opened, options, paths, run};
use super::*;
use crate::cli::StageChoice;
use crate::ingest::IngestMessage;
use crate::model::{Decision, Event, EventId, ObjectRef, SECOND, Stage};
use crate::query::{Context, Expression, FIELDS, Keys, Target, has_values, parse};
use crate::settings::{Column, Listing};
use crate::store::{SegmentBuilder, Store};

fn get(id: &'static str, user: &'static str, code: u16, at: i64, took: Micros) -> Event<'static> {
    Event {
        user: user.into(),
        verb: "get".into(),
        code,
        received: Some(noon() + at * SECOND - took),
        source_ip: "10.0.0.1".into(),
        user_agent: "kubectl/v1.34".into(),
        ..event(id, Stage::ResponseComplete, at)
    }
}

/// Four requests by two people and a node; one is impersonated, one is a watch that ended, one holds a Secret.
fn messages() -> Vec<IngestMessage> {
    let watch =
        |stage, at| Event { user: "system:node:n1".into(), verb: "watch".into(), ..event("w", stage, at) };
    let secret = ObjectRef {
        resource: "secrets".into(),
        namespace: "prod".into(),
        name: "db".into(),
        ..ObjectRef::default()
    };
    let create = Event {
        verb: "create".into(),
        impersonated_user: "admin".into(),
        object: secret,
        ..get("c", "bob", 201, 300, 9000)
    };
    let lines = [
        (get("a", "alice", 403, 1, 2000), r#"{"annotations":{"k":"v,w"}}"#),
        (watch(Stage::ResponseStarted, 2), "{}"),
        (get("b", "alice", 200, 3, 5000), "{}"),
        (
            create,
            r#"{"objectRef":{"resource":"secrets"},"requestObject":{"data":{"p":"aHVudGVyMg=="},"type":["=x","y"]}}"#,
        ),
        (watch(Stage::ResponseComplete, 400), r#"{"annotations":{"k":"end"}}"#),
    ];
    let mut builder = SegmentBuilder::new(LOG, noon(), true);
    for (event, line) in &lines {
        builder.push(event, line.as_bytes(), false);
    }
    vec![opened(), IngestMessage::History(Box::new(builder.finish(1))), IngestMessage::End(LOG)]
}

/// What is printed when all rows that match a filter are asked for so.
fn listed(filter: &str, listing: &Listing, change: impl FnOnce(&mut QueryOptions<'_>)) -> (String, String) {
    let filter = parse(filter).unwrap();
    let mut options = QueryOptions { listing, ..options(&filter) };
    change(&mut options);
    let (output, notes, _) = run(messages(), &options);
    (output, notes)
}

fn rows(columns: &str, sort: Option<&str>) -> Listing {
    Listing::read(Some(columns), None, sort).unwrap()
}

fn groups(fields: &str, sort: Option<&str>) -> Listing {
    Listing::read(None, Some(fields), sort).unwrap()
}

fn objects(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn groups_are_printed_and_their_json_is_the_documented_one() {
    let (output, notes) = listed("", &groups("user,code", None), |_| {});
    assert_eq!(
        output.lines().next(),
        Some(
            "{\"user\":\"alice\",\"code\":200,\"count\":1,\"failed\":0,\"forbidden\":0,\"writes\":0,\"bytes\":2,\
             \"p50Micros\":5056,\"p99Micros\":5056,\"first\":\"2026-11-20T12:00:03.000000Z\",\
             \"last\":\"2026-11-20T12:00:03.000000Z\"}"
        )
    );
    assert_eq!((output.lines().count(), notes.as_str()), (4, ""));
    let watch = &objects(&output)[3];
    assert_eq!((&watch["user"], watch.get("p99Micros")), (&"system:node:n1".into(), None), "{watch}");
    let mut found = BTreeSet::new();
    objects(&output).iter().for_each(|object| paths(object, "", &mut found));
    assert!(found.remove("user") && found.remove("code"));
    assert_eq!(found, documented("query --group-by"));

    let count = |listing: &Listing, limit| -> Vec<(String, u64)> {
        let (output, _) = listed("", listing, |options| options.limit = limit);
        let told = |o: &Value| (o["verb"].as_str().unwrap().to_owned(), o["count"].as_u64().unwrap());
        objects(&output).iter().map(told).collect()
    };
    let table =
        |list: &[(&str, u64)]| list.iter().map(|(verb, n)| ((*verb).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(count(&groups("verb", None), None), table(&[("get", 2), ("create", 1), ("watch", 1)]));
    assert_eq!(count(&groups("verb", Some("verb:desc")), Some(2)), table(&[("watch", 1), ("get", 2)]));
    assert_eq!(count(&groups("verb", Some("p99")), Some(1)), table(&[("create", 1)]));
    let all = listed("", &groups("verb", None), |options| options.stages = StageChoice::All).0;
    assert_eq!(objects(&all)[1]["count"], 2, "both records of the watch: {all}");

    let (none, _) =
        listed("user:nobody", &groups("verb", None), |options| options.output = QueryOutput::Json);
    assert_eq!(none, "[]\n");
    let (table, _) = listed("verb:get", &groups("user,tool", None), |o| o.output = QueryOutput::Table);
    let expected = "\
USER   TOOL      COUNT  FAILED  403  WRITES  BYTES     P50     P99 FIRST (UTC)              LAST (UTC)
alice  kubectl       2       1    1       0   29 B  2.0 ms  5.1 ms 2026-11-20 12:00:01.000  2026-11-20 12:00:03.000
";
    assert_eq!(table, expected);
}

#[test]
fn users_are_printed_people_first_and_their_json_is_the_documented_one() {
    let users = Listing::read_users(None).unwrap();
    let (output, _) = listed("", &users, |_| {});
    let told: Vec<(String, u64, u64, bool)> = objects(&output)
        .iter()
        .map(|user| {
            let number = |key: &str| user[key].as_u64().unwrap();
            (
                user["user"].as_str().unwrap().to_owned(),
                number("events"),
                number("impersonated"),
                user["new"].as_bool().unwrap(),
            )
        })
        .collect();
    let user = |name: &str, events, impersonated, new| (name.to_owned(), events, impersonated, new);
    assert_eq!(
        told,
        [
            user("alice", 2, 0, false),
            user("admin", 1, 1, true),
            user("bob", 1, 0, true),
            user("system:node:n1", 1, 0, false)
        ]
    );
    let mut found = BTreeSet::new();
    objects(&output).iter().for_each(|object| paths(object, "", &mut found));
    assert_eq!(found, documented("users"));

    let by_writes = Listing::read_users(Some("writes:asc")).unwrap();
    let (csv, _) = listed("-user:admin", &by_writes, |options| options.output = QueryOutput::Csv);
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(
        lines[0].starts_with("user,kind,events,writes,") && lines[0].ends_with(",firstSeen,new"),
        "{csv}"
    );
    assert!(lines[1].starts_with("alice,human,2,0,1,1,0,0,0,1,1,2026-11-20T12:00:01"), "{csv}");
    assert_eq!(lines.len(), 3, "{csv}");
    let (table, _) = listed("", &users, |options| options.output = QueryOutput::Table);
    assert!(table.contains("  NEW\n") && !table.contains("IMPERSONATING"), "{table}");
    let empty = Expression::default();
    let options = QueryOptions { listing: &users, ..options(&empty) };
    assert_eq!(run(vec![opened()], &options).2.exit_code(), crate::error::EXIT_NO_MATCH);
}

#[test]
fn columns_are_chosen_and_masked_unless_revealed() {
    let columns = "name,request.data.p,request.type,annotation.k,bytes,took";
    let (output, _) = listed("", &rows(columns, None), |_| {});
    let told = objects(&output);
    assert_eq!(told[0]["annotation.k"], "v,w");
    assert_eq!(told[1]["annotation.k"], "end", "told by the end of the request");
    assert_eq!((&told[1]["durationMicros"], &told[2]["bytes"]), (&400_000_000.into(), &2.into()));
    assert_eq!(told[3]["request.type"], "=x, y");
    assert!(told[3]["request.data.p"].as_str().is_some_and(|text| text.contains("masked")), "{output}");
    let (revealed, _) = listed("", &rows(columns, None), |options| options.reveal = true);
    assert_eq!(objects(&revealed)[3]["request.data.p"], "aHVudGVyMg==");
    let (csv, _) = listed("verb:create", &rows("request.type,user", None), |o| o.output = QueryOutput::Csv);
    assert_eq!(csv, "request.type,user\r\n\"'=x, y\",bob\r\n");
    let (array, _) = listed("user:alice", &rows("user", None), |o| o.output = QueryOutput::Json);
    assert_eq!(array, "[\n{\"user\":\"alice\"},\n{\"user\":\"alice\"}\n]\n");
    let (csv, _) = listed("user:alice", &Listing::default(), |o| o.output = QueryOutput::Csv);
    assert!(csv.starts_with("time,code,verb,user,impersonatedUser,") && csv.lines().count() == 3, "{csv}");
    let (table, _) = listed("verb:create", &rows("time,verb,took", None), |o| o.output = QueryOutput::Table);
    assert_eq!(table, "TIME (UTC)              VERB       TOOK\n2026-11-20 12:05:00.000 create     9.0 ms\n");
}

#[test]
fn a_duration_is_that_of_a_request_which_has_ended() {
    let started = |event: Event<'static>| Event { stage: Stage::ResponseStarted, ..event };
    let lines = [
        Event { stage: Stage::RequestReceived, ..get("asked", "alice", 0, 1, 0) },
        started(get("refused", "", 401, 2, 3000)),
        started(Event { verb: "watch".into(), ..get("open", "alice", 200, 3, 4000) }),
        started(Event { verb: "watch".into(), ..get("ended", "alice", 200, 4, 5000) }),
        Event { verb: "watch".into(), ..get("ended", "alice", 200, 604, 600_005_000) },
        get("plain", "alice", 200, 5, 7000),
    ];
    let messages = || {
        let mut builder = SegmentBuilder::new(LOG, noon(), true);
        lines.iter().for_each(|event| builder.push(event, b"{}", false));
        vec![opened(), IngestMessage::History(Box::new(builder.finish(1))), IngestMessage::End(LOG)]
    };
    let told = |filter: &str, stages, listing: &Listing| -> Vec<Value> {
        let filter = parse(filter).unwrap();
        objects(&run(messages(), &QueryOptions { listing, stages, ..options(&filter) }).0)
    };
    let rows = Listing::default();
    let found = |filter: &str, stages| -> Vec<(String, Option<i64>)> {
        let rows = told(filter, stages, &rows).into_iter();
        rows.map(|row| (row["auditID"].as_str().unwrap().to_owned(), row["durationMicros"].as_i64()))
            .collect()
    };
    let took = |list: &[(&str, i64)]| -> Vec<(String, Option<i64>)> {
        list.iter().map(|(id, micros)| ((*id).to_owned(), Some(*micros))).collect()
    };
    let by_request = took(&[("refused", 3000), ("ended", 600_005_000), ("plain", 7000)]);
    assert_eq!(found("duration:>=0ms", StageChoice::Request), by_request);
    assert_eq!(found("duration:<10ms", StageChoice::Request), took(&[("refused", 3000), ("plain", 7000)]));
    let open: Vec<String> =
        found("-duration:>=0ms", StageChoice::Request).into_iter().map(|row| row.0).collect();
    assert_eq!(open, ["asked", "open"]);
    let by_record = took(&[("refused", 3000), ("plain", 7000), ("ended", 600_005_000)]);
    assert_eq!(found("duration:>=0ms", StageChoice::All), by_record, "each record by itself");

    // A watch lasts as long as it is wanted, however many rows it has.
    for stages in [StageChoice::Request, StageChoice::All] {
        let groups = told("", stages, &groups("user", None));
        let p99 = |user: &str| {
            let user_of = |group: &&Value| group["user"].as_str().unwrap_or("") == user;
            groups.iter().find(user_of).and_then(|group| group["p99Micros"].as_i64())
        };
        assert_eq!((p99("alice"), p99("")), (Some(6976), Some(2976)), "{groups:?}");
    }
}

#[test]
fn orders_of_rows() {
    let ids = |sort: &str, limit| -> String {
        let listing = Listing::read(Some("auditID"), None, Some(sort)).unwrap();
        let (output, _) = listed("", &listing, |options| options.limit = limit);
        objects(&output).iter().map(|row| row["auditID"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("time", None), "awbc");
    assert_eq!(ids("time:desc", Some(2)), "cb");
    assert_eq!(ids("user", None), "abcw");
    assert_eq!(ids("user:desc", None), "wcab", "equal ones stay in the order of time");
    assert_eq!(ids("duration", None), "wcba", "a watch lasts until its end");
    assert_eq!(ids("duration:asc", Some(1)), "a");
    assert_eq!(ids("ns", None), "cawb", "what has none comes last");
    assert_eq!(ids("ns:desc", None), "cawb");
    assert_eq!(ids("code", None), "wbca");
    assert_eq!(ids("bytes", Some(1)), "c");
    assert_eq!(ids("received:desc", Some(1)), "c");
}

/// An event in which every field has a value.
fn full_event() -> Event<'static> {
    let reason =
        "RBAC: allowed by ClusterRoleBinding \"admins\" of ClusterRole \"cluster-admin\" to User \"alice\"";
    Event {
        groups: r#"["dev","sre"]"#.into(),
        impersonated_user: "bob".into(),
        source_ip: "10.0.0.1".into(),
        user_agent: "kubectl/v1.34".into(),
        object: ObjectRef {
            resource: "deployments".into(),
            subresource: "exec".into(),
            namespace: "prod".into(),
            name: "web-0".into(),
            api_group: "apps".into(),
            api_version: "v1".into(),
        },
        verb: "create".into(),
        request_uri: "/x?command=ls&command=-l".into(),
        reason: "Forbidden".into(),
        decision: Decision::Allow,
        decision_reason: reason.into(),
        credential: "JTI=1".into(),
        token_pod: "web-0".into(),
        token_node: "n1".into(),
        deprecated: "1.32".into(),
        ..event("full", Stage::ResponseComplete, 1)
    }
}

#[test]
fn a_row_tells_of_each_field_what_grouping_by_it_tells() {
    let mut builder = SegmentBuilder::new(LOG, noon(), true);
    builder.push(&full_event(), b"{}", false);
    builder.push(&Event { stage_time: Some(noon()), ..Event::default() }, b"{}", false);
    let mut store = Store::new();
    store.push(builder.finish(0));
    let (number, entry) = store.entries().next().unwrap();
    let context = Context { sources: [(LOG, "audit.log".to_owned())].into(), ..Context::default() };
    let mut documented_keys = documented("query --columns");
    for key in ["time", "received", "bytes"] {
        assert!(documented_keys.remove(key), "{key}");
    }
    for info in FIELDS.iter().filter(|info| has_values(info.field)) {
        let keys = Keys::of(info.field, entry.segment(), &context).unwrap();
        for at in 0..2 {
            let row = Row::new(&store, EventId::new(number, at), true, None).unwrap();
            let value = row.value(info.field, "audit.log").replace(", ", ",");
            assert_eq!(value, keys.text(at), "{}", info.name);
            let always = matches!(info.field, FieldName::Kind | FieldName::Source | FieldName::Log);
            assert_eq!(value.is_empty(), at == 1 && !always, "{}", info.name);
        }
        let key = heading(&Column::Target(Target::Field(info.field))).key;
        assert!(documented_keys.remove(key.as_ref()), "{key} is not documented");
    }
    assert!(documented_keys.remove("durationMicros") && documented_keys.is_empty(), "{documented_keys:?}");
}

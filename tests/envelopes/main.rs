//! Audit events as log shippers and cloud providers wrap them: every shape gives the same events, with the event's own
//! text, ids and times.
//!
//! The files are in `tests/data/formats`: four recorded lines (`native.jsonl`), each wrapped as the source named in
//! [`FILES`] says. The shippers' clocks are a day late there, so that a time taken from an envelope would show.

mod hostile;

use std::fs;
use std::path::Path;

use kauditui::format::{
    Format, Marks, Reader, Sink, Unreadable, recognise, remains, stands_alone, time_of_line,
};
use kauditui::model::{Event, Micros};

/// What a reader said.
#[derive(Default, PartialEq, Debug)]
pub struct Heard {
    pub events: Vec<Seen>,
    pub unreadable: Vec<(Unreadable, Vec<u8>)>,
}

/// What is compared of an event.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub text: Vec<u8>,
    pub format: String,
    pub is_rewritten: bool,
    pub facts: Vec<String>,
    pub times: (Option<Micros>, Option<Micros>),
}

impl Sink for Heard {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        let object = &event.object;
        let facts = [
            &event.audit_id,
            &event.request_uri,
            &event.verb,
            &event.user,
            &event.source_ip,
            &event.user_agent,
            &object.resource,
            &object.subresource,
            &object.namespace,
            &object.name,
            &object.api_group,
            &event.decision_reason,
        ];
        let facts = facts.iter().map(|fact| fact.to_string());
        self.events.push(Seen {
            text: text.to_vec(),
            format: Format { log: event.log, wrapping: marks.wrapping }.to_string(),
            is_rewritten: marks.rewritten,
            facts: facts.chain([event.code.to_string(), event.stage.name().to_owned()]).collect(),
            times: (event.received, event.stage_time),
        });
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        self.unreadable.push((kind, text.to_vec()));
    }
}

pub fn heard(text: &[u8]) -> Heard {
    let (mut reader, mut heard) = (Reader::new(), Heard::default());
    reader.read(text, &mut heard);
    reader.finish(&mut heard);
    heard
}

pub fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files with the four events, and what they are in.
pub const FILES: &[(&str, &str)] = &[
    // moby, daemon/logger/jsonfilelog/jsonlog/jsonlog.go
    ("docker-json-file.log", "docker json-file lines"),
    // kubernetes, staging/src/k8s.io/cri-client/pkg/logs/logs.go, parseCRILog; parts are 500 bytes here, not 16 KiB
    ("cri.log", "CRI lines"),
    ("cri-parts.log", "CRI lines"),
    // systemd.io/JOURNAL_EXPORT_FORMATS, Journal JSON Format; the second MESSAGE as an array of bytes
    ("journald-json.log", "journald lines"),
    // journalctl(1), -o short and -o short-iso
    ("journald-short.log", "journald lines"),
    ("journald-short-iso.log", "journald lines"),
    // RFC 5424, section 6.5; RFC 3164, section 5.4
    ("syslog-rfc5424.log", "syslog lines"),
    ("syslog-rfc3164.log", "syslog lines"),
    // openshift, cluster-debug-tools: "hostname {JSON}"
    ("oc-node-logs.log", "lines with a node's name"),
    // kubectl logs --prefix; stern's default template
    ("kubectl-logs-prefix.log", "lines with a pod's name"),
    ("stern.log", "lines with a pod's name"),
    // audit.k8s.io/v1 EventList, as the webhook backend posts it
    ("event-list.json", "an EventList"),
    // AWS: "Exporting log data to Amazon S3"; aws logs tail; FilterLogEvents; "Log group-level subscription filters",
    // whose records lie in an object of S3 without anything between them; GetQueryResults
    ("cloudwatch-export.log", "CloudWatch records"),
    ("cloudwatch-tail.log", "CloudWatch records"),
    ("cloudwatch-filter-log-events.json", "CloudWatch records"),
    ("cloudwatch-subscription.json", "CloudWatch records"),
    ("cloudwatch-insights.json", "CloudWatch records"),
    // The shape of sysdiglabs/aks-audit-log; every second line has `log` as an object, as elastic/integrations has it
    ("azure-records.json", "Azure diagnostic records"),
    ("azure-record-lines.json", "Azure diagnostic records"),
    // The shape of GoogleCloudPlatform/khi and elastic/integrations; gcloud logging read --format json
    ("gke-lines.log", "GKE Cloud Audit Logs"),
    ("gke-gcloud-read.json", "GKE Cloud Audit Logs"),
    // grafana/loki, pkg/logcli/output/jsonl.go and default.go; "Loki HTTP API", query_range and tail
    ("loki-jsonl.log", "Loki entries"),
    ("logcli-default.log", "Loki entries"),
    ("loki-query-range.json", "Loki entries"),
    ("loki-tail.json", "Loki entries"),
    // Elasticsearch, Search API; elasticdump; elastic/integrations, kubernetes, audit_logs, default.yml; the `fields`
    // option of the Search API; Filebeat, output of the log input
    ("elasticsearch-search.json", "Elasticsearch documents"),
    ("elasticdump-original.log", "Elasticsearch documents"),
    ("elastic-agent.log", "Elasticsearch documents"),
    ("elastic-fields.log", "Elasticsearch documents"),
    ("filebeat.log", "Elasticsearch documents"),
    // docs.fluentbit.io: output file or stdout with format json_lines; filter kubernetes; output stdout
    ("fluent-bit-tail.log", "Fluent Bit records"),
    ("fluent-bit-kubernetes.log", "Fluent Bit records"),
    ("fluent-bit-stdout.log", "Fluent Bit records"),
    ("cri-fluent-bit.log", "Fluent Bit records in CRI lines"),
    // vector.dev, sources file, "Examples"
    ("vector.log", "Vector records"),
    // opentelemetry-proto, examples/logs.json; the second with the body taken apart by json_parser
    ("otlp.json", "OpenTelemetry records"),
    ("otlp-kvlist.json", "OpenTelemetry records"),
    // Splunk, Search Manual, "Export search results": JSON and CSV; the latter with RFC 4180's quotes
    ("splunk.json", "Splunk results"),
    ("splunk.csv", "CSV rows"),
];

/// Files whose events are written anew.
const REWRITTEN: [&str; 5] =
    ["gke-lines.log", "gke-gcloud-read.json", "elastic-agent.log", "elastic-fields.log", "otlp-kvlist.json"];

#[test]
fn every_envelope_gives_the_events_it_holds() {
    let native = heard(&data("native.jsonl"));
    assert_eq!((native.events.len(), native.unreadable.len()), (4, 0));
    for (name, format) in FILES {
        let found = heard(&data(name));
        assert_eq!(found.events.len(), 4, "{name}");
        for (event, own) in found.events.iter().zip(&native.events) {
            assert_eq!(event.format, format!("kube audit in {format}"), "{name}");
            assert_eq!(event.is_rewritten, REWRITTEN.contains(name), "{name}");
            if event.is_rewritten {
                // The query of a URL is in no entry of Google's.
                let compared = |seen: &Seen| {
                    let uri = if name.starts_with("gke") {
                        seen.facts[1].split('?').next().unwrap_or_default()
                    } else {
                        &seen.facts[1]
                    };
                    [&seen.facts[..1], &[uri.to_owned()], &seen.facts[2..12], &seen.facts[13..]].concat()
                };
                assert_eq!(compared(event), compared(own), "{name}");
                let is_error = |seen: &Seen| seen.facts[12].starts_with('4');
                assert_eq!(is_error(event), is_error(own), "{name}");
            } else {
                assert_eq!(
                    String::from_utf8_lossy(&event.text),
                    String::from_utf8_lossy(&own.text),
                    "{name}"
                );
                assert_eq!(event.facts, own.facts, "{name}");
            }
            assert_eq!(event.times.1, own.times.1, "{name}: the event's own time");
        }
        let plain = match *name {
            // The other stream of the split lines is klog's.
            "cri-parts.log" => 4,
            // The names of the columns.
            "splunk.csv" => 1,
            _ => 0,
        };
        assert_eq!(found.unreadable.len(), plain, "{name}: {:?}", found.unreadable.first());
        assert!(found.unreadable.iter().all(|(kind, _)| *kind == Unreadable::PlainText), "{name}");
        assert!(recognise(&data(name)), "{name}");
    }
}

#[test]
fn lines_may_come_one_by_one() {
    for (name, _) in FILES {
        let text = data(name);
        let (mut reader, mut found) = (Reader::new(), Heard::default());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            reader.read(line, &mut found);
        }
        reader.finish(&mut found);
        assert_eq!(found, heard(&text), "{name}");
    }
}

#[test]
fn a_chunk_may_begin_with_a_wrapped_line_and_files_are_ordered_by_them() {
    let native = heard(&data("native.jsonl"));
    for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".log") && *name != "cri-parts.log") {
        let text = data(name);
        for (line, own) in text.split(|byte| *byte == b'\n').zip(&native.events) {
            assert!(stands_alone(line), "{name}");
            assert_eq!(time_of_line(line), own.times.1, "{name}");
        }
    }
    let parts = data("cri-parts.log");
    let first = parts.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(!stands_alone(first), "the line goes on");
}

#[test]
fn what_cloudwatch_cut_is_told_by_what_is_left_of_it() {
    let found = heard(&data("cloudwatch-truncated.json"));
    assert_eq!(found.events.len(), 1);
    let [(Unreadable::CutShort, text)] = found.unreadable.as_slice() else {
        panic!("{:?}", found.unreadable)
    };
    assert!(text.ends_with(b"[Truncated...]"));
    let native = heard(&data("native.jsonl"));
    let cut = &native.events[1].facts;
    let known = remains(text).expect("its beginning is there");
    assert_eq!([&known.audit_id, &known.verb, &known.user], [&cut[0], &cut[2], &cut[3]]);
}

/// A line of this many bytes, from a recorded one: its user agent is made longer.
fn long_line(length: usize) -> String {
    let native = String::from_utf8(data("native.jsonl")).expect("UTF-8");
    let line = native.lines().next().expect("a line");
    let (before, after) = line.split_once("\"userAgent\":\"").expect("a user agent");
    format!("{before}\"userAgent\":\"{}{after}", "a".repeat(length - line.len()))
}

fn json_line(members: serde_json::Value) -> String {
    format!("{members}\n")
}

#[test]
fn lines_split_at_their_shippers_limits_are_put_together() {
    const SECOND: &str = "stderr of another";
    let line = long_line(100_000);
    let chunks = |size: usize| -> Vec<&str> {
        let bytes = line.as_bytes().chunks(size);
        bytes.map(|chunk| std::str::from_utf8(chunk).expect("ASCII")).collect()
    };
    // moby, daemon/logger/copier.go: 16 KiB, and only the last part has a line end.
    let last = chunks(16 << 10).len() - 1;
    let docker: String = chunks(16 << 10)
        .iter()
        .enumerate()
        .flat_map(|(at, chunk)| {
            let log = if at == last { format!("{chunk}\n") } else { (*chunk).to_owned() };
            [
                json_line(serde_json::json!({"log": log, "stream": "stdout", "time": "2026-11-22T09:00:00Z"})),
                json_line(serde_json::json!({"log": format!("{SECOND}\n"), "stream": "stderr", "time": "2026-11-22T09:00:00Z"})),
            ]
        })
        .collect();
    // journald.conf(5), LineMax=; systemd.journal-fields(7), _LINE_BREAK=
    let last = chunks(48 << 10).len() - 1;
    let journal = |size: usize, with_reason: bool| -> String {
        let entries = chunks(size).into_iter().enumerate().map(|(at, chunk)| {
            let mut entry =
                serde_json::json!({"_HOSTNAME": "cp1", "SYSLOG_IDENTIFIER": "k3s", "MESSAGE": chunk});
            if with_reason && at < chunks(size).len() - 1 {
                entry["_LINE_BREAK"] = "line-max".into();
            }
            json_line(entry)
        });
        entries.collect()
    };
    assert!(last > 1);
    let short: String =
        chunks(48 << 10).iter().map(|chunk| format!("Nov 22 09:00:00 cp1 k3s[12]: {chunk}\n")).collect();
    for (text, name) in [
        (docker, "docker"),
        (journal(48 << 10, false), "journalctl -o json"),
        (journal(10_000, true), "journalctl -o json with a LineMax= of its own"),
        (short, "journalctl -o short"),
    ] {
        let found = heard(text.as_bytes());
        assert_eq!(found.events.len(), 1, "{name}");
        assert_eq!(found.events[0].text, line.as_bytes(), "{name}");
        assert!(found.unreadable.iter().all(|(_, text)| text == SECOND.as_bytes()), "{name}");
    }
}

#[test]
fn a_cut_document_costs_the_record_in_which_it_is_cut() {
    for name in [
        "azure-records.json",
        "loki-query-range.json",
        "cloudwatch-filter-log-events.json",
        "otlp-kvlist.json",
    ] {
        let text = data(name);
        // In the middle of the last event.
        let at = memchr::memmem::rfind(&text, b"stageTimestamp").expect("the last event's time");
        let found = heard(&text[..at]);
        assert_eq!(found.events.len(), 3, "{name}");
        assert!(found.unreadable.iter().any(|(kind, _)| *kind == Unreadable::CutShort), "{name}");
    }
}

#[test]
fn other_json_logs_are_no_envelopes() {
    for line in [
        r#"{"level":"info","message":"Starting","log":{"a":1}}"#,
        r#"{"events":[],"records":[]}"#,
        r#"{"data":{"result":{}},"hits":{"hits":[]}}"#,
        r#"{"protoPayload":{"serviceName":"container.googleapis.com","methodName":"x"},"insertId":"1"}"#,
        r#"{"properties":{"log":5},"kubernetes":{"audit":"x"}}"#,
    ] {
        let found = heard(line.as_bytes());
        assert!(found.events.is_empty(), "{line}");
        assert_eq!(found.unreadable, [(Unreadable::NotAnAuditEvent, line.as_bytes().to_vec())]);
    }
}

#[test]
fn an_event_in_more_layers_than_anybody_wraps_is_left_alone() {
    let native = String::from_utf8(data("native.jsonl")).expect("UTF-8");
    let mut line = native.lines().next().expect("a line").to_owned();
    for depth in 1..8 {
        line = serde_json::json!({"log": format!("{line}\n"), "stream": "stdout", "time": "x"}).to_string();
        let found = heard(line.as_bytes());
        assert_eq!(found.events.len(), usize::from(depth <= 4), "{depth}");
        assert_eq!(found.events.len() + found.unreadable.len(), 1, "{depth}");
    }
}

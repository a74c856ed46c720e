//! The logs of Rancher, Argo CD, Fleet and Flux: what every sample and every line of our own must give, written down by
//! hand in `tests/data/formats/controllers.json`; that secrets stay masked; and that no bytes make a reader panic.
//!
//! The samples are read in place, in `$KAUDITUI_SHARED/data/samples` or `../shared/data/samples` beside the checkout.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kauditui::format::{self, Format, Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, LogKind, Micros, SourceId};
use kauditui::redact;
use kauditui::store::{Field, SegmentBuilder};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

/// What a file must give.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    file: String,
    passed_over: std::collections::BTreeMap<String, usize>,
    #[serde(default)]
    unreadable: Vec<String>,
    events: Vec<ExpectedEvent>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct ExpectedEvent {
    log: String,
    verb: String,
    user: String,
    /// `namespace/resource/name`
    object: String,
    #[serde(default)]
    code: u16,
    #[serde(default)]
    commit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    samples: Vec<Expected>,
    own: Vec<Expected>,
}

fn expectations() -> Expectations {
    serde_json::from_str(include_str!("data/formats/controllers.json")).expect("expectations")
}

/// What a reader told, in its order.
#[derive(Default, PartialEq, Debug)]
struct Heard {
    events: Vec<ExpectedEvent>,
    passed_over: std::collections::BTreeMap<String, usize>,
    unreadable: Vec<String>,
    times: Vec<Option<Micros>>,
    texts: Vec<Vec<u8>>,
    formats: Vec<String>,
}

impl Sink for Heard {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        let details = format::details(event.log, text);
        assert_eq!(details.is_some(), event.log != LogKind::Kube, "every event of a controller has details");
        let object = &event.object;
        self.events.push(ExpectedEvent {
            log: event.log.name().to_owned(),
            verb: event.verb.to_string(),
            user: event.user.to_string(),
            object: format!("{}/{}/{}", object.namespace, object.resource, object.name),
            code: event.code,
            commit: details.map_or_else(String::new, |details| details.commit),
        });
        self.times.push(event.stage_time.or(event.received));
        self.texts.push(text.to_vec());
        self.formats.push(Format { log: event.log, wrapping: marks.wrapping }.to_string());
    }

    fn chatter(&mut self, log: Option<LogKind>, _: Option<Micros>) {
        *self.passed_over.entry(log.map_or("other", LogKind::name).to_owned()).or_default() += 1;
    }

    fn unreadable(&mut self, kind: Unreadable, _: &[u8]) {
        self.unreadable.push(kind.name().to_owned());
    }
}

fn heard(text: &[u8]) -> Heard {
    let (mut reader, mut heard) = (Reader::new(), Heard::default());
    reader.read(text, &mut heard);
    reader.finish(&mut heard);
    heard
}

fn check(expected: &Expected, folder: &Path) {
    let found = heard(&fs::read(folder.join(&expected.file)).expect("a file"));
    assert_eq!(found.events, expected.events, "{}", expected.file);
    assert_eq!(found.passed_over, expected.passed_over, "{}", expected.file);
    assert_eq!(found.unreadable, expected.unreadable, "{}", expected.file);
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats")
}

fn own_files() -> Vec<PathBuf> {
    expectations().own.iter().map(|expected| own_folder().join(&expected.file)).collect()
}

#[test]
fn every_sample_gives_what_was_counted_by_hand() {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let samples = shared.join("data/samples");
    if !samples.is_dir() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return;
    }
    expectations().samples.iter().for_each(|expected| check(expected, &samples));
}

#[test]
fn every_version_without_a_sample_is_read() {
    let own = expectations().own;
    own.iter().for_each(|expected| check(expected, &own_folder()));
}

#[test]
fn logs_of_several_programs_may_be_one_file() {
    let native = include_str!("data/kube-apiserver.jsonl").lines().next().expect("an event");
    let mut text = Vec::new();
    let mut events = 0;
    for (path, expected) in own_files().iter().zip(expectations().own) {
        text.extend(fs::read(path).expect("a file"));
        text.extend_from_slice(native.as_bytes());
        text.push(b'\n');
        events += expected.events.len() + 1;
    }
    let found = heard(&text);
    assert_eq!((found.events.len(), found.unreadable.len()), (events, 0), "{:?}", found.unreadable);
    assert_eq!(found.events.iter().filter(|event| event.log == "kube").count(), own_files().len());
    // klog of an API server is its own affair.
    let klog = b"I1210 13:50:40.352893       1 leaderelection.go:248] attempting to acquire leader lease\n";
    assert_eq!(heard(&[&text[..], klog].concat()).unreadable, ["plain text"]);
}

/// What is around one line, and how a shipper puts it there.
type Envelope = (&'static str, fn(&str) -> String);

/// Shippers whose records show for what they are, whatever text is in them.
const ENVELOPES: [Envelope; 7] = [
    (" in CRI lines", |line| format!("2026-05-05T00:00:00.123456789Z stdout F {line}")),
    (" in docker json-file lines", |line| {
        json!({"log": format!("{line}\n"), "stream": "stderr", "time": "2026-05-05T00:00:00Z"}).to_string()
    }),
    (" in journald lines", |line| format!("May 05 00:00:00 node-1 server[12]: {line}")),
    (" in journald lines", |line| json!({"MESSAGE": line, "_SYSTEMD_UNIT": "rancher.service"}).to_string()),
    (" in Loki entries", |line| {
        json!({"labels": {"app": "x"}, "line": line, "timestamp": "2026-05-05T00:00:00Z"}).to_string()
    }),
    (" in lines with a pod's name", |line| format!("[pod/server-0/server] {line}")),
    (" in Fluent Bit records in CRI lines", |line| {
        format!("2026-05-05T00:00:00Z stdout F {}", json!({"date": 1.5, "log": line}))
    }),
];

/// Filebeat's records look like those of any program, unless their message can be a line of a log that is known.
const FILEBEAT: Envelope = (" in Elasticsearch documents", |line| {
    json!({"@timestamp": "2026-05-05T00:00:00Z", "message": line}).to_string()
});

/// Compares what a text in an envelope gave with what it gives bare.
fn assert_same(wrapped: Heard, bare: &Heard, envelope: &str) {
    let formats: Vec<String> = bare.formats.iter().map(|format| format!("{format}{envelope}")).collect();
    assert_eq!(wrapped.formats, formats);
    assert_eq!(Heard { formats: bare.formats.clone(), ..wrapped }, *bare, "{envelope}");
}

#[test]
fn a_line_in_an_envelope_gives_what_it_gives_bare() {
    let mut kinds = BTreeSet::new();
    for path in own_files() {
        let text = fs::read_to_string(&path).expect("a file");
        // Some are as `kubectl logs --prefix` prints them.
        let bare = text.lines().filter(|line| !line.starts_with("[pod/"));
        let text: String = bare.map(|line| format!("{line}\n")).collect();
        let bare = heard(text.as_bytes());
        for (name, wrap) in ENVELOPES {
            let wrapped: String = text.lines().map(|line| wrap(line) + "\n").collect();
            assert_same(heard(wrapped.as_bytes()), &bare, name);
        }
        for line in text.lines().filter(|line| format::stands_alone(line.as_bytes())) {
            for (name, wrap) in ENVELOPES.into_iter().chain([FILEBEAT]) {
                let wrapped = wrap(line);
                assert_same(heard(wrapped.as_bytes()), &heard(line.as_bytes()), name);
                assert!(format::stands_alone(wrapped.as_bytes()), "{wrapped}");
                let times = [line, &wrapped].map(|line| format::time_of_line(line.as_bytes()));
                assert_eq!(times[0], times[1], "{wrapped}");
            }
        }
        kinds.extend(bare.formats);
    }
    assert_eq!(kinds.len(), LogKind::ALL.len() - 1, "{kinds:?}");
}

#[test]
fn members_of_a_controllers_line_are_no_envelopes() {
    let line = r#"{"level":"info","ts":"2026-05-04T08:00:00Z","msg":"x","controllerKind":"Kustomization","controllerGroup":"kustomize.toolkit.fluxcd.io","message":"{\"kind\":\"Event\"}"}"#;
    let found = heard(line.as_bytes());
    assert_eq!((found.passed_over.get("flux"), found.unreadable.len()), (Some(&1), 0), "{found:?}");
}

#[test]
fn what_leaves_the_log_holds_no_secret() {
    const SECRET: &str = "hunter2";
    let mut planted = 0;
    for path in own_files() {
        let text = fs::read(&path).expect("a file");
        planted += String::from_utf8_lossy(&text).matches(SECRET).count();
        let mut pushed = Pushed(SegmentBuilder::new(SourceId(0), 0, true));
        let mut reader = Reader::new();
        reader.read(&text, &mut pushed);
        reader.finish(&mut pushed);
        let segment = pushed.0.finish(0).segment;
        for row in 0..segment.rows() {
            let text = segment.text(row).expect("its text");
            for shown in [redact::masked_line(&text), redact::masked_json(&text)] {
                assert!(!shown.contains(SECRET) && !shown.contains("aHVudGVyMi1"), "{shown}");
            }
            let holds = String::from_utf8_lossy(&text).contains(SECRET);
            assert!(!holds || redact::holds_secret(&text), "{}", String::from_utf8_lossy(&text));
            for field in Field::ALL {
                assert!(!segment.string(field, row).contains(SECRET), "{field:?}");
            }
            let log = segment.facts(row).log();
            let details = format::details(log, &text).expect("details");
            assert!(!details.repository.contains(SECRET), "{}", details.repository);
        }
    }
    assert!(planted >= 5, "{planted}");
}

struct Pushed(SegmentBuilder);

impl Sink for Pushed {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        self.0.push(event, text, marks.replaced);
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

#[test]
fn text_without_secrets_is_not_withheld() {
    let text = fs::read(own_folder().join("argocd-server-v2.log")).expect("a file");
    let found = heard(&text);
    let withheld = found.texts.iter().filter(|text| redact::holds_secret(text)).count();
    assert_eq!((found.texts.len(), withheld), (3, 0));
}

/// All lines of our own.
fn lines() -> Vec<Vec<u8>> {
    let texts = own_files().into_iter().map(|path| fs::read(path).expect("a file"));
    texts.flat_map(|text| text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()).collect()
}

/// A change to a line: at a place, so many bytes give way to others.
fn mutation() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            &b"\""[..],
            b"\\",
            b"{",
            b"}",
            b"\t",
            b"=",
            b"time=\"",
            b"'",
            b"null",
            b"\xff",
            b"\xc3",
            b" ",
            b":",
            b"/",
            b"999999999999999999999",
            b"\\u",
            b"\\x",
            b"[",
            b"]",
            b",",
            b"0",
            b"-",
            b"(",
            b")",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    (any::<prop::sample::Index>(), 0..40usize, piece)
}

/// Reads a text whole and line by line, and asks of it whatever the program asks of a line.
fn survives(text: &[u8]) -> Result<(), TestCaseError> {
    let whole = heard(text);
    let (mut reader, mut by_line) = (Reader::new(), Heard::default());
    text.split_inclusive(|byte| *byte == b'\n').for_each(|line| reader.read(line, &mut by_line));
    reader.finish(&mut by_line);
    prop_assert_eq!(&whole, &by_line);
    let told = whole.events.len() + whole.unreadable.len() + whole.passed_over.values().sum::<usize>();
    prop_assert!(told <= text.len(), "no more is told than there are bytes");
    for line in text.split(|byte| *byte == b'\n') {
        for log in LogKind::ALL {
            let _ = format::details(log, line);
        }
        let stands_alone = format::stands_alone(line);
        let alone = heard(line);
        if stands_alone {
            prop_assert!(!(alone.events.is_empty() && alone.passed_over.is_empty()));
            prop_assert!(alone.unreadable.is_empty());
            let is_one_event = alone.times.len() == 1 && alone.passed_over.is_empty();
            prop_assert!(!is_one_event || alone.times[0] == format::time_of_line(line));
        }
        // A mark may be longer than what it stands for, by less than this.
        prop_assert!(redact::masked_line(line).len() <= line.len() * 40 + 80);
    }
    for row in &whole.texts {
        prop_assert!(row.len() <= text.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(text in prop::collection::vec(any::<u8>(), 0..2000)) {
        survives(&text)?;
    }

    #[test]
    fn arbitrary_fields_do_no_harm(
        keys in prop::collection::vec((
            prop::sample::select(vec![
                "auditID", "requestURI", "method", "verb", "user", "stage", "responseStatus", "responseCode", "requestHeader",
                "level", "msg", "time", "ts", "logger", "application", "app", "commit", "reason", "user", "revisions",
                "startedAt", "finishedAt", "grpc.method", "grpc.code", "grpc.request.claims", "grpc.request.content", "error",
                "controllerKind", "controllerGroup", "output", "revision", "object", "type", "request", "BundleDeployment",
            ]),
            prop_oneof![
                "\"[ -~]{0,40}\"".prop_map(|text| serde_json::Value::from(text).to_string()),
                prop::sample::select(vec![
                    "null", "true", "-1", "1e400", "99999999999999999999", "[]", "{}", "[[\"a\"]]", "{\"name\":1}", "\"2026-05-04T08:00:00Z\"",
                    "\"info\"", "\"error\"", "\"Reconciliation finished in 99999999h\"", "\"Initialized new operation: {}\"",
                    "\"Adding resource result, status: '\"", "\"Sync operation to failed\"", "\"Initiated automated sync to \"",
                    "\"Patch\"", "\"finished call\"", "\"Kustomization\"", "\"kustomize.toolkit.fluxcd.io\"", "\"OperationStarted\"",
                    "\"/k8s/clusters/\"", "\"/v3/project/::/a/b:c:d\"", "\"PUT\"", "\"{\\\"patch\\\":\\\"[{}]\\\"}\"", "9223372036854775807",
                ]).prop_map(str::to_owned),
            ],
        ), 0..14),
    ) {
        let members: Vec<String> = keys.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        survives(format!("{{{}}}", members.join(",")).as_bytes())?;
        let words: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
        survives(format!("time=\"2026-05-04T08:00:00Z\" {}", words.join(" ")).as_bytes())?;
        survives(format!("2026-05-04T08:00:00Z\tINFO\tx\ty\t{{{}}}", members.join(",")).as_bytes())?;
    }

    #[test]
    fn mutated_lines_do_no_harm(
        picked in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(mutation(), 0..4)), 1..4),
    ) {
        let lines = lines();
        let mut text = Vec::new();
        for (line, mutations) in picked {
            let mut line = lines[line.index(lines.len())].clone();
            for (at, length, piece) in mutations {
                let from = at.index(line.len() + 1);
                let to = (from + length).min(line.len());
                line.splice(from..to, piece);
            }
            text.extend(line);
            text.push(b'\n');
        }
        survives(&text)?;
    }
}

/// The three logs of one afternoon: what each tells of the deleted Deployment, by the columns and the details that the
/// trail across them joins.
#[test]
fn the_trail_from_a_deletion_to_a_person_is_in_the_logs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trail");
    let truth: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("truth.json")).expect("the truth")).expect("JSON");
    let told = |name: &str| {
        let found = heard(&fs::read(folder.join(name)).expect("a log"));
        assert!(found.unreadable.is_empty(), "{name}: {:?}", found.unreadable);
        found
    };
    let text = |key: &str| truth.pointer(key).and_then(serde_json::Value::as_str).expect("a text").to_owned();
    let details = |found: &Heard, verb: &str, commit_or_object: &str| {
        let rows = found.events.iter().zip(&found.texts).filter(|(event, _)| event.verb == verb);
        let all = rows.map(|(_, text)| format::details(LogKind::ArgoCd, text).expect("details"));
        let mut wanted = all.filter(|details| {
            details.commit == commit_or_object
                || details.objects.iter().any(|object| object.name == commit_or_object)
        });
        wanted.next().expect(verb)
    };
    let (kube, rancher, argo) = (told("kube.jsonl"), told("rancher.log"), told("argocd.log"));
    assert_eq!((kube.events.len(), rancher.events.len(), argo.events.len()), (15, 6, 16));
    let deleted =
        kube.events.iter().find(|event| event.verb == "delete" && event.object == text("/delete/object"));
    assert_eq!(deleted.expect("the deletion").user, text("/delete/user"));

    let pruned = details(&argo, "prune", "frontend-app");
    let application = format!("{}/{}", pruned.subject.namespace, pruned.subject.name);
    assert_eq!((application, pruned.operation_id), (text("/application"), text("/syncID")));
    let begun = details(&argo, "begin", &text("/commit"));
    assert_eq!((begun.initiator.user, begun.repository), (text("/person"), text("/repository")));
    let moment = |key: &str| kauditui::model::parse_rfc3339(text(key).as_bytes());
    assert_eq!(begun.started, moment("/window/started"));
    assert_eq!(details(&argo, "complete", &text("/commit")).finished, moment("/window/finished"));
    let rollback = argo.events.iter().position(|event| event.verb == "rollback").expect("a rollback");
    let rollback = format::details(LogKind::ArgoCd, &argo.texts[rollback]).expect("details");
    assert_eq!(rollback.history_id, truth["historyID"].as_i64());

    let bound =
        rancher.events.iter().position(|event| event.object == text("/roleBinding/object")).expect("it");
    let binding = format::details(LogKind::Rancher, &rancher.texts[bound]).expect("details");
    assert_eq!(binding.initiator.display_name, text("/roleBinding/person"));
    assert_eq!(binding.initiator.client_addresses, [text("/roleBinding/address")]);
}

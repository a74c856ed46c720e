//! Reading only the lines that a filter needs prints what reading all of them prints: for logs made of requests as a
//! kube-apiserver writes them and as other programs pass them on, with damage between, and for filters made of what
//! stands in them.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;

use kauditui::cli::{QueryOutput, StageChoice};
use kauditui::headless::{QueryOptions, Streams, query};
use kauditui::ingest::{self, IngestMessage, IngestOptions, Input};
use kauditui::model::{Micros, SECOND, TimeZoneChoice, format_rfc3339, parse_rfc3339};
use kauditui::query::{Expression, parse, prefilter};
use kauditui::redact::holds_secret;
use kauditui::settings::Listing;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::mpsc;

// ---- Logs --------------------------------------------------------------------------------------------------------

/// What stays the same over the stages of a request.
#[derive(Clone, Debug)]
struct Request {
    number: usize,
    user: &'static str,
    impersonated: &'static str,
    verb: &'static str,
    namespace: &'static str,
    name: &'static str,
    subresource: &'static str,
    agent: &'static str,
    ip: &'static str,
    code: u16,
    /// RequestReceived, ResponseStarted, ResponseComplete or Panic.
    stages: [bool; 4],
    second: i64,
}

/// How a record stands in the log.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// As a kube-apiserver writes it.
    Kube,
    /// The same with a carriage return.
    Crlf,
    /// The same with an annotation that holds JSON.
    Webhook,
    /// The same with bodies.
    Bodies,
    /// The same without the annotations.
    Plain,
    /// With this letter written as an escape wherever it stands in a value.
    Escaped(char),
    /// An older version of the API.
    Beta,
    /// Its keys in another order.
    Reordered,
    /// Without times.
    Untimed,
    /// Over several lines, broken before this member.
    Wrapped(usize),
    /// With a cut beginning of it before.
    AfterCut(Index),
    /// In a list.
    List,
}

#[derive(Clone, Debug)]
enum Part {
    Record(Form),
    Damage(&'static str),
}

const DAMAGE: &[&str] = &[
    "",
    "\n",
    "\r\n",
    "I0114 03:00:00.000000       1 server.go:1] patch by alice\n",
    "{\"verb\":\"patch\",\"user\":{\n",
    "}\n",
    ",\"verb\":\"patch\",\"user\":{\"username\":\"alice\"}}\n",
    "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"x\",\"stage\":\"Panic\",\"objectRef\":{\"name\":\"web\"}\n",
    "\0\0\0\0\n",
];
const USERS: &[&str] = &[
    "alice@example.com",
    "bob",
    "system:node:worker-1",
    "system:serviceaccount:argocd:argocd-server",
    "system:kube-scheduler",
    "CN=carol,O=dev",
];
const IMPERSONATED: &[&str] = &["", "", "", "dave", "system:serviceaccount:prod:web-frontend"];
const VERBS: &[&str] = &["get", "list", "create", "patch", "delete", "Patch", "update"];
const NAMESPACES: &[&str] = &["", "production", "kube-system", "kube-node-lease"];
const NAMES: &[&str] = &["", "novelapp", "web-frontend", "Web-Frontend", "masked", "12345", "a/b.novelapp"];
const SUBRESOURCES: &[&str] = &["", "", "exec", "scale", "status"];
const AGENTS: &[&str] =
    &["kubectl/v1.34 (linux/amd64)", "Helm/3.18", "argocd-server/v3 token=hunter2 %61", "curl/8"];
const ADDRESSES: &[&str] =
    &["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107", "10.0.0.12", "2001:db8::1"];

fn request() -> impl Strategy<Value = Request> {
    let who = (select(USERS), select(IMPERSONATED), select(VERBS));
    let what = (select(NAMESPACES), select(NAMES), select(SUBRESOURCES));
    let how = (select(AGENTS), select(ADDRESSES), select(&[200u16, 201, 403][..]));
    // Most requests have an end; some are still open, some are all that is left of a rotation.
    let stages = select(
        &[
            [true, false, true, false],
            [false, false, true, false],
            [true, true, true, false],
            [false, true, false, false],
            [true, false, false, false],
            [true, false, false, true],
        ][..],
    );
    (who, what, how, stages, 0..40i64).prop_map(|(who, what, how, stages, second)| Request {
        number: 0,
        user: who.0,
        impersonated: who.1,
        verb: who.2,
        namespace: what.0,
        name: what.1,
        subresource: what.2,
        agent: how.0,
        ip: how.1,
        code: how.2,
        stages,
        second,
    })
}

fn part() -> impl Strategy<Value = Part> {
    let form = prop_oneof![
        8 => Just(Form::Kube),
        1 => Just(Form::Crlf),
        1 => Just(Form::Webhook),
        1 => Just(Form::Bodies),
        1 => Just(Form::Plain),
        1 => select(&['a', 't', '-', '.', 'P'][..]).prop_map(Form::Escaped),
        1 => Just(Form::Beta),
        1 => Just(Form::Reordered),
        1 => Just(Form::Untimed),
        1 => (1..10usize).prop_map(Form::Wrapped),
        1 => any::<Index>().prop_map(Form::AfterCut),
        1 => Just(Form::List),
    ];
    prop_oneof![9 => form.prop_map(Part::Record), 1 => select(DAMAGE).prop_map(Part::Damage)]
}

const EPOCH: &[u8] = b"2026-01-14T03:00:00Z";

impl Request {
    /// The members of a record of this request, as a kube-apiserver writes them.
    fn members(&self, stage: usize) -> Vec<(&'static str, String)> {
        let text = |text: &str| serde_json::to_string(text).expect("a string");
        let start = parse_rfc3339(EPOCH).expect("a time") + self.second * SECOND;
        let time = |at: Micros| text(&format_rfc3339(start + at));
        let is_create = self.verb == "create";
        let answered = stage > 0;
        // What a create makes has its name in the body, which is read after RequestReceived was written.
        let name = if is_create && !answered { "" } else { self.name };
        let path_name = if is_create { "" } else { self.name };
        // Where an argument is masked, the others are decoded and encoded anew.
        let command =
            if self.number % 4 == 3 { "&command=echo+%6eovelapp+--token+x" } else { "&labelSelector=a%3Db" };
        let uri = format!(
            "/api/v1/namespaces/{}/pods/{path_name}?fieldManager=a%2Fb&n={}{command}",
            self.namespace, self.number
        );
        let mut members = vec![
            ("level", text("Metadata")),
            ("auditID", text(&format!("0000beef-0000-4000-8000-{:012x}", self.number))),
            ("stage", text(["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"][stage])),
            ("requestURI", text(&uri)),
            ("verb", text(self.verb)),
            ("user", format!("{{\"username\":{},\"groups\":[\"dev\"]}}", text(self.user))),
        ];
        if answered && !self.impersonated.is_empty() {
            members.push(("impersonatedUser", format!("{{\"username\":{}}}", text(self.impersonated))));
        }
        members.push(("sourceIPs", format!("[{}]", text(self.ip))));
        members.push(("userAgent", text(self.agent)));
        let object = [
            ("resource", "pods"),
            ("namespace", self.namespace),
            ("name", name),
            ("apiVersion", "v1"),
            ("subresource", self.subresource),
        ];
        let object: Vec<String> = object
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{}:{}", text(key), text(value)))
            .collect();
        members.push(("objectRef", format!("{{{}}}", object.join(","))));
        if answered {
            members.push(("responseStatus", format!("{{\"metadata\":{{}},\"code\":{}}}", self.code)));
        }
        members.push(("requestReceivedTimestamp", time(0)));
        members.push(("stageTimestamp", time(1 + stage as Micros * SECOND / 2)));
        if answered {
            members.push(("annotations", r#"{"authorization.k8s.io/decision":"allow"}"#.to_owned()));
        }
        members
    }

    fn write(&self, stage: usize, form: Form) -> String {
        let mut members = self.members(stage);
        let mut version = "v1";
        match form {
            Form::Webhook => {
                members.retain(|(key, _)| *key != "annotations");
                members.push(("annotations", r#"{"w.io/patch":"{\"a\":{\"b\":\"c\"}}","d":"{"}"#.to_owned()));
            }
            Form::Bodies => {
                let at =
                    members.iter().position(|(key, _)| *key == "requestReceivedTimestamp").expect("times");
                members.insert(at, ("requestObject", r#"{"spec":{"verb":"delete"}}"#.to_owned()));
            }
            Form::Plain => members.retain(|(key, _)| *key != "annotations"),
            Form::Beta => version = "v1beta1",
            Form::Reordered => members.reverse(),
            Form::Untimed => members.retain(|(key, _)| !key.ends_with("Timestamp")),
            Form::Escaped(letter) => {
                for (key, value) in &mut members {
                    if !matches!(*key, "level" | "stage") && !key.ends_with("Timestamp") {
                        *value = escape_values(value, letter);
                    }
                }
            }
            _ => {}
        }
        let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let separator = |i: usize| match form {
            Form::Wrapped(before) if i == before => "\n,",
            _ => ",",
        };
        let mut line = format!(r#"{{"kind":"Event","apiVersion":"audit.k8s.io/{version}""#);
        for (i, member) in members.iter().enumerate() {
            line.push_str(separator(i));
            line.push_str(member);
        }
        line.push('}');
        match form {
            Form::Crlf => line + "\r\n",
            Form::AfterCut(at) => format!("{}\n{line}\n", &line[..at.index(line.len() - 1) + 1]),
            Form::List => {
                format!("{{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"items\":[{line}]}}\n")
            }
            _ => line + "\n",
        }
    }
}

/// Writes a letter as an escape in the strings of some JSON that are values.
fn escape_values(json: &str, letter: char) -> String {
    let mut out = String::new();
    for (i, piece) in json.split('"').enumerate() {
        let is_key =
            json.starts_with('{') && json.split('"').nth(i + 1).is_some_and(|next| next.starts_with(':'));
        if i > 0 {
            out.push('"');
        }
        let escape = format!("\\u{:04x}", letter as u32);
        out.push_str(&if i % 2 == 1 && !is_key { piece.replace(letter, &escape) } else { piece.to_owned() });
    }
    out
}

/// The text of a log: the stages of all requests in the order of their times, each in the form whose turn it is.
fn log(requests: &[Request], parts: &[Part]) -> String {
    let mut records: Vec<(i64, usize, &Request)> = requests
        .iter()
        .flat_map(|request| (0..4).map(move |stage| (request.second * 2 + stage as i64, stage, request)))
        .filter(|(_, stage, request)| request.stages[*stage])
        .collect();
    records.sort_by_key(|(half_second, ..)| *half_second);
    let mut text = String::new();
    let mut parts = parts.iter().cycle();
    for (_, stage, request) in records {
        let form = match parts.next() {
            Some(Part::Record(form)) => *form,
            Some(Part::Damage(damage)) => {
                text.push_str(damage);
                Form::Kube
            }
            None => Form::Kube,
        };
        text.push_str(&request.write(stage, form));
    }
    text
}

// ---- Filters -----------------------------------------------------------------------------------------------------

/// A term about a request, as it stands, in another case, or as a part with stars; or about none.
fn term(request: &Request, which: usize, how: usize) -> String {
    let account = request.user.rsplit(':').next().unwrap_or(request.user);
    let (field, value) = match which % 14 {
        0..=2 => ("verb", request.verb),
        3 => ("user", request.user),
        4 => ("user", account),
        5 => ("user", request.impersonated),
        6 => ("ns", request.namespace),
        7 => ("name", request.name),
        8 => ("sub", request.subresource),
        9 => ("agent", &request.agent[..6]),
        10 => ("ip", request.ip),
        11 => ("uri", "novelapp"),
        12 => ("object", ""),
        _ => {
            return ["code:403", "alice", "-is:failed", "resource:pods", "since:-20s", "stage:Panic"]
                [how % 6]
                .to_owned();
        }
    };
    let value = if field == "object" {
        format!("{}/pods/{}", request.namespace, request.name.replace('/', "."))
    } else {
        value.to_owned()
    };
    let other = if field == "object" { "pods/nobody" } else { "nobody" };
    let quoted = |value: &str| format!("\"{value}\"");
    let middle = value.len() / 2;
    match how % 6 {
        0 | 1 => format!("{field}:{}", quoted(&value)),
        2 if !value.is_empty() && !value.contains([' ', ',', '(']) => {
            format!("{field}:{}", value.to_lowercase())
        }
        3 if value.len() > 5 && value.is_ascii() && !value.contains([' ', ',', '(']) && field != "object" => {
            format!("{field}:{}*", value[..middle + 2].to_lowercase())
        }
        4 => format!("{field}:{other},{}", quoted(&value)),
        5 if which.is_multiple_of(3) => format!("-{field}:{}", quoted(&value)),
        _ => format!("{field}:{}", quoted(&value)),
    }
}

fn filter(requests: &[Request], terms: &[(Index, usize, usize)], is_any: bool) -> Expression {
    let about = terms.first().map_or(0, |(index, ..)| index.index(requests.len()));
    let texts: Vec<String> = terms
        .iter()
        .enumerate()
        .map(|(i, (index, which, how))| {
            // Terms about one request are met together.
            let request = if is_any && i > 0 { index.index(requests.len()) } else { about };
            term(&requests[request], *which, *how)
        })
        .collect();
    let text = texts.join(if is_any { " or " } else { " " });
    parse(&text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
}

// ---- The two ways to read ----------------------------------------------------------------------------------------

fn messages(path: &Path, candidates: bool, filter: &Expression) -> Vec<IngestMessage> {
    let options = IngestOptions {
        candidates: if candidates { prefilter(filter) } else { None },
        ..IngestOptions::default()
    };
    let (sender, mut receiver) = mpsc::channel(4);
    let inputs = [Input::Argument(path.to_owned())];
    let opener = thread::spawn(move || ingest::start(&inputs, &options, &sender).join());
    let messages = std::iter::from_fn(|| receiver.blocking_recv()).collect();
    opener.join().expect("the pipeline ends");
    messages
}

fn records(messages: &[IngestMessage]) -> u64 {
    let rows = |message: &IngestMessage| match message {
        IngestMessage::History(batch) => u64::from(batch.segment.rows()),
        _ => 0,
    };
    messages.iter().map(rows).sum()
}

fn printed(messages: Vec<IngestMessage>, options: &QueryOptions<'_>) -> (String, u64) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut streams = Streams { out: &mut out, notes: &mut notes };
    let outcome =
        query(messages.into_iter(), options, &mut streams, &AtomicBool::new(false)).expect("it prints");
    // Damage may be told of where it is read only; from where times are counted must be the same.
    let notes = String::from_utf8(notes).expect("notes are UTF-8");
    let window: String = notes.lines().filter(|line| line.contains("counted from")).collect();
    (String::from_utf8_lossy(&out).into_owned() + &window, outcome.matched)
}

/// What one log and one filter print in every form, read in one way.
fn answers(
    path: &Path,
    filter: &Expression,
    candidates: bool,
    since: Option<&str>,
) -> (Vec<(String, u64)>, u64) {
    let mut read = 0;
    let forms = [
        (QueryOutput::Jsonl, StageChoice::Request),
        (QueryOutput::Raw, StageChoice::Request),
        (QueryOutput::Table, StageChoice::All),
    ];
    let answers = forms.map(|(output, stages)| {
        let messages = messages(path, candidates, filter);
        read = records(&messages);
        let options = QueryOptions {
            filter,
            holds_secret,
            output,
            stages,
            limit: None,
            listing: &Listing::default(),
            follow: false,
            since,
            until: None,
            now: parse_rfc3339(b"2026-02-01T00:00:00Z").expect("a time"),
            zone: TimeZoneChoice::Utc,
            ascii: false,
            reveal: output == QueryOutput::Jsonl,
            to_terminal: false,
            memory: 1 << 30,
            threads: 2,
            rules: None,
        };
        printed(messages, &options)
    });
    (answers.into(), read)
}

#[test]
fn reading_candidates_prints_what_reading_all_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("audit.log");
    let (cases, filtered, matched, spared) =
        (Cell::new(0u32), Cell::new(0u32), Cell::new(0u32), Cell::new(0u32));
    let strategy = (
        prop::collection::vec(request(), 1..16),
        prop::collection::vec(part(), 1..40),
        prop::collection::vec((any::<Index>(), 0..14usize, 0..6usize), 1..4),
        prop::bool::weighted(0.2),
        select(&[None, None, Some("15s")][..]),
    );
    let config = Config { cases: 300, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(mut requests, parts, terms, is_any, since)| {
        for (number, request) in requests.iter_mut().enumerate() {
            request.number = number;
        }
        let filter = filter(&requests, &terms, is_any);
        cases.set(cases.get() + 1);
        if prefilter(&filter).is_none() {
            return Ok(());
        }
        fs::write(&path, log(&requests, &parts)).expect("the log is written");
        let (all, lines) = answers(&path, &filter, false, since);
        let (some, fewer) = answers(&path, &filter, true, since);
        filtered.set(filtered.get() + 1);
        matched.set(matched.get() + u32::from(all.iter().any(|(_, rows)| *rows > 0)));
        spared.set(spared.get() + u32::from(fewer < lines));
        prop_assert_eq!(some, all, "{}", filter);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let shares = [filtered, matched, spared].map(|count| count.get() * 100 / cases.get());
    println!(
        "with a prefilter {} %, something matched {} %, lines were spared {} %",
        shares[0], shares[1], shares[2]
    );
    assert!(shares[0] > 60 && shares[1] > 45 && shares[2] > 40, "{shares:?}");
}

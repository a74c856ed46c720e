//! `kauditui alerts` and `kauditui rules` as processes: what they print, which exit code they end with, and that an alert
//! is the same whichever way its log was read.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::AtomicBool;

use assert_cmd::Command;
use kauditui::cli::{AlertsOutput, QueryOutput, StageChoice};
use kauditui::detect::{Ack, AckKind, Acks, AlertKey, LoadedRules, Severity};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::headless::{AlertsOptions, QueryOptions, Streams};
use kauditui::ingest::IngestMessage;
use kauditui::model::{Event, SourceId, TimeZoneChoice, parse_rfc3339};
use kauditui::query::Expression;
use kauditui::settings::Listing;
use kauditui::store::SegmentBuilder;
use serde_json::Value;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/incident-small.jsonl");

/// A log of level Metadata, for the most part.
const TRAIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/trail/kube.jsonl");

fn run(arguments: &[&str]) -> (i32, String, String) {
    run_with(arguments, "")
}

fn run_with(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("kauditui").expect("the program");
    command.args(arguments).args(["--config", "/dev/null"]).env("LC_ALL", "C.UTF-8").write_stdin(input);
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn alerts(arguments: &[&str]) -> Vec<Value> {
    let (code, out, err) = run(&[&["alerts", "-o", "jsonl"], arguments].concat());
    assert_eq!(code, 0, "{err}");
    objects(&out)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A rule that this log meets, with the detection that is given.
fn rule(title: &str, detection: &str) -> String {
    format!(
        "title: {title}\nid: 0f0d3e2c-5a5e-4f0e-8d59-0000000000{:02}\nlevel: high\n\
         logsource: {{product: kubernetes, service: audit}}\ndetection:\n  selection:\n    {detection}\n  \
         condition: selection\n",
        title.len()
    )
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn the_gravest_come_first_and_say_why() {
    let all = alerts(&["--min-severity", "informational", LOG]);
    let severities = ["informational", "low", "medium", "high", "critical"];
    let place = |alert: &Value| severities.iter().position(|severity| alert["severity"] == *severity);
    let places: Vec<_> = all.iter().map(place).collect();
    assert!(places.windows(2).all(|pair| pair[0] >= pair[1]), "{places:?}");
    let least = |severity: &str| alerts(&["--min-severity", severity, LOG]).len();
    let above = |least: usize| places.iter().filter(|place| **place >= Some(least)).count();
    assert_eq!((least("medium"), least("HIGH")), (above(2), above(3)));
    assert_eq!(alerts(&[LOG]).len(), above(2), "alerts are medium and above");
    assert!(above(3) > 0 && above(2) < all.len());
    for alert in &all {
        let ids = alert["auditIDs"].as_array().expect("auditIDs");
        assert!(!ids.is_empty() && ids.len() <= 20, "{alert}");
        let requests = alert["requests"].as_u64().expect("requests");
        assert!(requests >= ids.len() as u64 && alert["count"].as_u64() > Some(0), "{alert}");
        assert!(alert["first"].as_str() <= alert["last"].as_str(), "{alert}");
        assert!(alert["why"].as_array().is_some_and(|why| !why.is_empty()), "{alert}");
        assert!(alert["sentence"].as_str().is_some_and(|told| !told.starts_with(' ')), "{alert}");
    }
}

#[test]
fn the_forms_tell_the_same_and_nothing_is_exit_code_1() {
    let count = alerts(&[LOG]).len();
    let (_, out, _) = run(&["alerts", "-o", "json", LOG]);
    let array: Value = serde_json::from_str(&out).expect("an array");
    assert_eq!(array.as_array().map(Vec::len), Some(count));
    let (_, table, _) = run(&["alerts", LOG]);
    assert!(table.starts_with("SEVERITY") && table.lines().count() == count + 1, "{table}");
    let (_, markdown, _) = run(&["alerts", "-o", "markdown", LOG]);
    assert_eq!(markdown.lines().count(), count + 2);
    let (code, out, _) = run(&["alerts", "-f", "user:nobody-of-that-name", LOG]);
    assert_eq!((code, out.as_str()), (1, ""));
    let (code, out, _) = run(&["alerts", "-o", "json", "--until", "2000-01-01", LOG]);
    assert_eq!((code, out.as_str()), (1, "[]\n"));
    for wrong in [
        &["alerts", "--min-severity", "bad", LOG][..],
        &["alerts", "--follow", "-o", "json", LOG],
        &["alerts", "-f", "usr:x", LOG],
        &["rules"],
        &["rules", "explain", "no-such-rule"],
        &["rules", "test", "/does/not/exist.yml", LOG],
        &["--utc", "alerts"],
    ] {
        let (code, out, err) = run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}: {err}");
        assert!(err.contains("error: ") && err.contains("tip: "), "{wrong:?}: {err}");
    }
}

#[test]
fn a_filter_chooses_the_requests_that_count() {
    let all = alerts(&[LOG]);
    let of = |alert: &Value| alert["actor"].as_str().unwrap_or_default().to_owned();
    let actor = of(all.iter().find(|alert| alert["group"].is_null()).expect("a rule's alert"));
    let chosen = alerts(&["-f", &format!("user=={actor}"), LOG]);
    assert!(chosen.len() < all.len());
    for alert in chosen.iter().filter(|alert| alert["group"].is_null()) {
        assert_eq!(of(alert), actor);
        assert!(all.contains(alert), "nothing else of it counted: {alert}");
    }
    let (_, last) =
        all.iter().map(|alert| ((), alert["last"].as_str().unwrap_or_default())).max().expect("alerts");
    let late = alerts(&["--since", last, LOG]);
    assert!(!late.is_empty() && late.len() < all.len());
    assert!(late.iter().all(|alert| alert["last"].as_str() >= Some(last)));
}

/// Every form of the same log.
fn readings(folder: &Path) -> Vec<(&'static str, Vec<PathBuf>)> {
    let lines: Vec<String> = fs::read_to_string(LOG).expect("the log").lines().map(str::to_owned).collect();
    let write = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    };
    let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let reversed: Vec<String> = lines.iter().rev().cloned().collect();
    let (early, late) = lines.split_at(lines.len() / 2);
    let zipped = |text: &str| {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(text.as_bytes()).expect("memory");
        zip.finish().expect("memory")
    };
    write("rotated/audit-2026-01-01T00-00-00.000.log", joined(early).as_bytes());
    write("zipped/audit-2026-01-01T00-00-00.000.log.gz", &zipped(&joined(early)));
    vec![
        ("backwards", vec![write("reversed.log", joined(&reversed).as_bytes())]),
        ("rotated", vec![write("rotated/audit.log", joined(late).as_bytes())]),
        ("gzipped", vec![write("zipped/audit.log", joined(late).as_bytes())]),
        (
            "in pieces",
            vec![write("b.log", joined(late).as_bytes()), write("a.log", joined(early).as_bytes())],
        ),
        (
            "twice",
            vec![write("one.log", joined(&lines).as_bytes()), write("two.log", joined(&lines).as_bytes())],
        ),
    ]
}

#[test]
fn alerts_are_the_same_whichever_way_a_log_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, expected, _) = run(&["alerts", "--min-severity", "info", "-o", "jsonl", LOG]);
    assert!(expected.lines().count() > 10);
    for (how, files) in readings(folder.path()) {
        let mut arguments = vec!["alerts", "--min-severity", "info", "-o", "jsonl"];
        arguments.extend(files.iter().map(|file| text(file)));
        let (_, told, err) = run(&arguments);
        assert_eq!(told, expected, "{how}: {err}");
    }
    let log = fs::read_to_string(LOG).expect("the log");
    let (_, told, _) = run_with(&["alerts", "--min-severity", "info", "-o", "jsonl", "-"], &log);
    assert_eq!(told, expected, "from a pipe");
}

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.0.push(event, text, false);
    }

    fn unreadable(&mut self, kind: Unreadable, _: &[u8]) {
        panic!("{kind:?}");
    }
}

/// The alerts of the log, read in pieces of which no more are held than `memory` bytes.
fn told_within(memory: u64) -> String {
    let rules = LoadedRules::load(true, &[]);
    let lines: Vec<String> = fs::read_to_string(LOG).expect("the log").lines().map(str::to_owned).collect();
    let piece = |(origin, lines): (u32, &[String])| {
        let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
        let mut reader = Reader::new();
        reader.read((lines.join("\n") + "\n").as_bytes(), &mut building);
        reader.finish(&mut building);
        let mut batch = building.0.finish(origin);
        batch.hits = rules.engine.look_at(&batch.segment);
        IngestMessage::History(Box::new(batch))
    };
    // The newest first, as history is read.
    let messages: Vec<IngestMessage> = (1..).zip(lines.rchunks(20)).map(piece).collect();
    let filter = Expression::default();
    let listing = Listing::default();
    let query = QueryOptions {
        filter: &filter,
        holds_secret: |_| false,
        output: QueryOutput::Jsonl,
        stages: StageChoice::All,
        limit: None,
        listing: &listing,
        follow: false,
        since: None,
        until: None,
        now: 0,
        zone: TimeZoneChoice::Utc,
        ascii: false,
        reveal: false,
        to_terminal: false,
        memory,
        threads: 1,
        rules: Some(rules.clone()),
    };
    let (output, least, acks) = (AlertsOutput::Jsonl, Severity::Low, &Acks::default());
    let options = AlertsOptions { query, rules: &rules, output, least, acks };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut streams = Streams { out: &mut out, notes: &mut notes };
    let told =
        kauditui::headless::alerts(messages.into_iter(), &options, &mut streams, &AtomicBool::new(false));
    assert!(told.is_ok());
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn what_was_dropped_for_memory_was_counted_before() {
    // Rules with state need what they judge side by side, and tell as much as fits.
    let rules = LoadedRules::load(true, &[]);
    let with_state: Vec<&str> = rules
        .engine
        .rules()
        .iter()
        .filter(|rule| rule.state.is_some())
        .map(|rule| rule.id.as_str())
        .collect();
    let of_rows = |told: String| -> Vec<Value> {
        let is_of_row = |alert: &Value| !with_state.contains(&alert["id"].as_str().unwrap_or_default());
        objects(&told).into_iter().filter(is_of_row).collect()
    };
    let (all, little) = (of_rows(told_within(1 << 30)), of_rows(told_within(1)));
    assert!(all.len() > 10 && all.len() == little.len());
    for (all, little) in all.iter().zip(&little) {
        for field in ["id", "actor", "namespace", "count", "requests", "first", "last", "findings"] {
            assert_eq!(all[field], little[field], "{field} of {all}");
        }
        if all["group"].is_null() {
            assert_eq!(all, little, "what is told of a rule's match is kept");
        }
    }
}

#[test]
fn filters_of_other_commands_know_alerts() {
    let count = |filter: &str| {
        let (code, out, err) = run(&["query", "-o", "jsonl", "-f", filter, LOG]);
        assert!(code < 2, "{err}");
        objects(&out).into_iter().map(|row| row["auditID"].to_string()).collect::<BTreeSet<_>>()
    };
    let (high, all) = (count("alert:>=high"), count("alert:yes"));
    assert!(!high.is_empty() && high.len() < all.len() && high.is_subset(&all));
    // What lines lack decides nothing about correlations: the filter's other words must not keep lines from the rules.
    assert_eq!(count("alert:>=high verb:*"), high);
    let (code, out, _) = run(&["query", "--group-by", "user", "-f", "alert:>=high", "-o", "jsonl", LOG]);
    assert!(code == 0 && !out.is_empty());
    let (code, out, _) = run(&["users", "-f", "alert:>=high", "-o", "jsonl", LOG]);
    assert!(code == 0 && !out.is_empty());
    let (code, report, err) = run(&["report", "-f", "alert:>=high", LOG]);
    assert_eq!(code, 0, "{err}");
    let section =
        report.split("\n## Alerts\n").nth(1).expect("the section").split("\n## ").next().expect("its text");
    assert!(section.contains("- **high**") && section.contains("  - `selection"), "{section}");
}

#[test]
fn secrets_are_masked() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let line = format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/secrets?token={token}","verb":"create","user":{{"username":"alice","groups":[]}},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl/v1","objectRef":{{"resource":"secrets","namespace":"prod","name":"s"}},"responseStatus":{{"code":201}},"requestObject":{{"kind":"Secret","stringData":{{"password":"hunter2"}}}},"requestReceivedTimestamp":"2026-11-20T12:00:00.000000Z","stageTimestamp":"2026-11-20T12:00:00.000000Z"}}"#
    );
    let rules = folder_with(&[
        (
            "a.yml",
            &rule("A", "requestObject.stringData.password|exists: true\n    requestURI|contains: token"),
        ),
        (
            "b.yml",
            &format!(
                "{}---\ntitle: Grouped by what is secret\nid: 0f0d3e2c-5a5e-4f0e-8d59-000000000099\nlevel: high\n\
                 correlation:\n  type: event_count\n  rules: [0f0d3e2c-5a5e-4f0e-8d59-000000000002]\n  \
                 group-by: [requestURI]\n  timespan: 1m\n  condition: {{gte: 1}}\n",
                rule("BB", "requestURI|contains: token")
            ),
        ),
    ]);
    let (code, out, err) =
        run_with(&["alerts", "-o", "jsonl", "--no-builtin-rules", "--rules", text(rules.path()), "-"], &line);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.lines().count(), 2, "{out}{err}");
    assert!(!out.contains("hunter2") && !out.contains(token), "{out}");
}

#[test]
fn following_prints_an_alert_once_until_it_grows() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit.log");
    fs::write(&log, "").expect("a file");
    let rules = folder_with(&[("a.yml", &rule("Deleted", "verb: delete"))]);
    let line = |number: u32| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{number}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/pods/{number}","verb":"delete","user":{{"username":"alice","groups":[]}},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl/v1","objectRef":{{"resource":"pods","namespace":"prod","name":"p{number}"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-11-20T12:00:{number:02}.000000Z","stageTimestamp":"2026-11-20T12:00:{number:02}.000000Z"}}"#
        ) + "\n"
    };
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("kauditui"))
        .args(["alerts", "--follow", "-o", "jsonl", "--no-builtin-rules", "--rules", text(rules.path())])
        .args(["--config", "/dev/null", text(&log)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut told = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut counts = Vec::new();
    for number in 1..=4 {
        let mut file = fs::OpenOptions::new().append(true).open(&log).expect("the log");
        file.write_all(line(number).as_bytes()).expect("a line");
        drop(file);
        // The first, the second, and the fourth are news.
        if number != 3 {
            let alert: Value =
                serde_json::from_str(&told.next().expect("a line").expect("text")).expect("JSON");
            counts.push(alert["count"].as_u64());
        }
    }
    child.kill().expect("it was running");
    child.wait().expect("it ends");
    assert_eq!(counts, [Some(1), Some(2), Some(4)]);
}

#[test]
fn rules_are_listed_checked_explained_and_tried() {
    let (code, list, _) = run(&["rules", "list", "-o", "jsonl"]);
    let rules = objects(&list);
    assert!(code == 0 && rules.len() > 100);
    let (_, tried, _) = run(&["rules", "list", "-o", "jsonl", LOG]);
    let tried = objects(&tried);
    assert_eq!(tried.len(), rules.len());
    assert!(tried.iter().any(|rule| rule["hits"].as_u64() > Some(0)));
    let contradicts = |rule: &&Value| rule["canFire"] == false && rule["hits"].as_u64() > Some(0);
    assert_eq!(tried.iter().find(contradicts), None, "what was met can be met");

    let (code, told, _) = run(&["rules", "explain", "exec-into-pod"]);
    assert!(
        code == 0 && told.contains("needs level    Metadata") && told.contains("objectRef.subresource"),
        "{told}"
    );
    let (code, _, err) = run(&["rules", "explain", "exec-into-pods"]);
    assert!(code == 2 && err.contains("did you mean exec-into-pod?"), "{err}");

    let (code, out, _) = run(&["rules", "check"]);
    assert!(code == 0 && out.contains("0 errors, 0 warnings"), "{out}");
    let filter = "title: Inverted\nlogsource: {product: kubernetes, service: audit}\nfilter:\n  rules: any\n  \
        selection:\n    user.username: alice\n  condition: selection\n";
    let windows = rule("W", "a: b").replace("kubernetes", "windows");
    let warned = folder_with(&[("w.yml", filter), ("x.yml", &windows)]);
    let (code, out, err) = run(&["rules", "check", text(warned.path())]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("w.yml:7: Inverted: ") && out.contains("1 warning\n"), "{out}");
    assert!(out.contains("rules of other logs left out: windows 1"), "{out}");
    let broken = folder_with(&[("b.yml", &rule("B", "verb|nope: x"))]);
    let (code, out, _) = run(&["rules", "check", text(broken.path())]);
    assert!(code == 2 && out.contains("b.yml:") && out.contains("1 error,"), "{out}");

    let good = folder_with(&[("g.yml", &rule("Anything read", "verb: [get, list]"))]);
    let file = good.path().join("g.yml");
    let (code, out, err) = run(&["rules", "test", text(&file), LOG]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("Anything read (high): ") && out.contains("    selection: verb = "), "{out}");
    let event = "{\n  \"kind\": \"Event\",\n  \"apiVersion\": \"audit.k8s.io/v1\",\n  \"verb\": \"get\",\n  \
        \"stage\": \"ResponseComplete\"\n}\n";
    let (code, out, err) = run_with(&["rules", "test", text(&file), "-"], event);
    assert!(code == 0 && out.starts_with("Anything read (high): 1 match\n"), "{out}{err}");
    let none = folder_with(&[("n.yml", &rule("Never", "verb: no-such-verb"))]);
    let (code, out, _) = run(&["rules", "test", text(&none.path().join("n.yml")), LOG]);
    assert!(code == 1 && out.contains("0 matches"), "{out}");
    let (code, _, err) = run(&["rules", "test", text(&broken.path().join("b.yml")), LOG]);
    assert!(code == 2 && err.contains("error: ") && err.contains("b.yml:"), "{err}");
}

#[test]
fn what_is_not_in_use_is_said() {
    let broken = folder_with(&[("b.yml", &rule("B", "verb|nope: x"))]);
    let (_, _, err) = run(&["alerts", "--rules", text(broken.path()), LOG]);
    assert!(err.contains("rule not used: ") && err.contains("b.yml:"), "{err}");
    let config = broken.path().join("config.toml");
    fs::write(&config, "rules = [\"mine\"]\nbuiltin_rules = false\n").expect("a file");
    fs::create_dir(broken.path().join("mine")).expect("a folder");
    fs::write(broken.path().join("mine/a.yml"), rule("Mine", "verb: get")).expect("a file");
    let mut command = Command::cargo_bin("kauditui").expect("the program");
    let listed =
        command.args(["rules", "list", "-o", "jsonl", "--config", text(&config)]).output().expect("it runs");
    let listed = objects(&String::from_utf8(listed.stdout).expect("UTF-8"));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["title"], "Mine");
}

#[test]
fn rows_of_the_table_differ_by_the_namespace() {
    let (_, table, _) = run(&["alerts", "--min-severity", "low", LOG]);
    assert!(table.starts_with("SEVERITY") && table.lines().next().is_some_and(|h| h.contains(" NAMESPACE ")));
    let namespaces: BTreeSet<String> = alerts(&["--min-severity", "low", LOG])
        .iter()
        .filter_map(|alert| alert["namespace"].as_str().map(str::to_owned))
        .collect();
    assert!(!namespaces.is_empty());
    for namespace in namespaces {
        assert!(table.contains(&format!(" {namespace} ")), "{namespace} in {table}");
    }
}

#[test]
fn a_table_without_alerts_counts_the_activity() {
    let low = rule("Read", "verb: get").replace("level: high", "level: low");
    let folder = folder_with(&[("low.yml", &low)]);
    let own = ["alerts", "--no-builtin-rules", "--rules", text(folder.path()), LOG];
    let (code, out, err) = run(&own);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains(
            "no alert of medium or above; 1 kind of activity: --min-severity informational lists all"
        ),
        "{err}"
    );
    let (_, out, err) = run(&[&own[..], &["-o", "jsonl"]].concat());
    assert_eq!((out.as_str(), err.contains("kind of activity")), ("", false));
}

#[test]
fn what_cannot_fire_is_counted_as_it_is_listed() {
    let (_, _, err) = run(&["alerts", TRAIL]);
    let told = err.lines().find(|line| line.contains(" rules cannot fire")).expect("it is told");
    let (_, list, _) = run(&["rules", "list", "-o", "jsonl", TRAIL]);
    let listed = objects(&list);
    let count = |beginning: &str| {
        let is = |rule: &&Value| rule["state"].as_str().is_some_and(|state| state.starts_with(beginning));
        listed.iter().filter(is).count()
    };
    let (level, field) = (count("needs level "), count("no record has "));
    let expected = match (level, field) {
        (0, field) => format!("{field} of {} rules cannot fire, since no record has", listed.len()),
        (level, 0) => {
            format!("{level} of {} rules cannot fire at the audit levels of this log;", listed.len())
        }
        (level, field) => format!(
            "{level} of {} rules cannot fire at the audit levels of this log, and {field} since no record has",
            listed.len()
        ),
    };
    assert!(told.contains(&expected), "{told}: {expected}");
}

#[test]
fn a_muted_rule_does_not_look_silent() {
    let mute = "title: Mute of deletions\nlogsource: {product: kubernetes, service: audit}\nfilter:\n  rules: \
        [0f0d3e2c-5a5e-4f0e-8d59-000000000007]\n  everything:\n    user.username: '*'\n  condition: not everything\n";
    let folder = folder_with(&[("a.yml", &rule("Deleted", "verb: get")), ("mute.yml", mute)]);
    let own = ["--no-builtin-rules", "--rules", text(folder.path())];
    let (_, list, err) = run(&[&["rules", "list", "-o", "jsonl"], &own[..], &[LOG]].concat());
    let listed = objects(&list);
    assert_eq!(listed[0]["state"], "narrowed by Mute of deletions", "{err}");
    let (_, out, _) = run(&["rules", "check", "--no-builtin-rules", text(folder.path())]);
    assert!(
        out.contains("1 rule loaded (0 built in, 1 of files), 0 of them correlations; 1 filter, 0 errors"),
        "{out}"
    );
    let alone = folder.path().join("mute.yml");
    let (code, _, err) = run(&["rules", "test", text(&alone), LOG]);
    assert!(
        code == 2 && err.contains("holds no rule to test but a filter: Mute of deletions narrows no rule"),
        "{err}"
    );
}

#[test]
fn a_field_that_no_event_has_is_told() {
    let folder = folder_with(&[("f.yml", &rule("Slip", "vreb: delete"))]);
    let (code, out, _) = run(&["rules", "check", "--no-builtin-rules", text(folder.path())]);
    assert_eq!(code, 0);
    assert!(
        out.contains("f.yml:7: Slip: no audit event has a field vreb: did you mean verb? [warning]"),
        "{out}"
    );
    assert!(out.contains("0 errors, 1 warning\n"), "{out}");
    let (code, out, err) = run(&["rules", "test", text(&folder.path().join("f.yml")), LOG]);
    assert!(code == 1 && out.contains("0 matches") && err.contains("did you mean verb?"), "{out}{err}");
    let free = folder_with(&[("f.yml", &rule("Free", "requestObject.anything.at.all: x"))]);
    let (_, out, _) = run(&["rules", "check", "--no-builtin-rules", text(free.path())]);
    assert!(out.contains("0 errors, 0 warnings\n"), "{out}");
}

#[test]
fn rules_that_wait_for_a_list_stand_behind_what_is_wrong() {
    let broken = folder_with(&[("b.yml", &rule("B", "verb|nope: x")), ("g.yml", &rule("Good", "verb: get"))]);
    let (_, out, _) = run(&["rules", "check", text(broken.path())]);
    let at = |what: &str| out.find(what).unwrap_or_else(|| panic!("{what} in {out}"));
    assert!(at("[error]") < at("[waits for a list]") && at("[waits for a list]") < at(" loaded ("), "{out}");
    let (_, _, err) = run(&["rules", "test", text(&broken.path().join("g.yml")), LOG]);
    assert!(!err.contains("waiting for the list"), "{err}");
}

#[test]
fn a_slip_in_the_level_or_the_log_of_a_rule_is_told() {
    let slip = |from: &str, to: &str| {
        let written = rule("Slip", "verb: delete").replace(from, to);
        assert!(written.contains(to));
        let folder = folder_with(&[("f.yml", &written)]);
        let (code, out, _) = run(&["rules", "check", "--no-builtin-rules", text(folder.path())]);
        (code, out)
    };
    let (code, out) = slip("level: high", "level: hihg");
    assert!(code == 2 && out.contains("f.yml:3: invalid level: 'hihg'; known are informational,"), "{out}");
    assert!(out.contains("0 rules loaded") && out.contains("1 error"), "activity would never be told: {out}");
    let (code, out) = slip("product: kubernetes", "product: kubernets");
    assert!(code == 0 && out.contains("f.yml:4: Slip: the rule is left out"), "{out}");
    assert!(out.contains("did you mean 'kubernetes'?) [warning]"), "{out}");
    let (_, out) = slip("service: audit", "service: adit");
    assert!(out.contains("did you mean 'audit'?) [warning]"), "{out}");
    let (_, out) = slip("product: kubernetes", "product: windows");
    assert!(
        out.contains("0 warnings") && out.contains("left out: windows 1"),
        "a rule of another log: {out}"
    );
}

#[test]
fn alert_conditions_choose_alerts_and_not_only_requests() {
    let of = |filter: &str| alerts(&["--min-severity", "informational", "-f", filter, LOG]);
    let high = of("alert:high");
    assert!(!high.is_empty() && high.iter().all(|alert| alert["severity"] == "high"), "{high:?}");
    let named = of("alert:exec-into-pod");
    let title = "A person ran a command in a pod";
    assert!(!named.is_empty() && named.iter().all(|alert| alert["title"] == title), "{named:?}");
    let technique = of("alert:T1609");
    assert!(technique.len() >= named.len());
    let tags =
        |alert: &Value| alert["tags"].as_array().is_some_and(|tags| tags.contains(&"attack.t1609".into()));
    assert!(technique.iter().all(tags), "{technique:?}");
    assert_eq!(run(&["alerts", "-f", "alert:exec-into-pod alert:critical", LOG]).0, 1, "both must name it");
    // Either of two, and no condition that must hold: whatever the requests have a part in.
    assert!(of("alert:high or verb:nothing").iter().any(|alert| alert["severity"] != "high"));
}

#[test]
fn what_was_dealt_with_is_left_out_until_it_happens_again() {
    let all = alerts(&[LOG]);
    let first = &all[0];
    let known = |alert: &Value, name: &str| alert[name].as_str().unwrap_or_default().to_owned();
    let key = AlertKey {
        rule: known(first, "id"),
        actor: known(first, "actor"),
        namespace: known(first, "namespace"),
    };
    let acks = |last: i64| {
        let mut acks = Acks::default();
        let ack = Ack { kind: AckKind::Acknowledged, note: String::new(), last, at: 0 };
        assert!(acks.set(key.clone(), ack));
        folder_with(&[("state.json", &acks.to_json())])
    };
    let left = |folder: &tempfile::TempDir| {
        let state = folder.path().join("state.json");
        alerts(&["--state", text(&state), LOG]).len()
    };
    let last = parse_rfc3339(first["last"].as_str().expect("a time").as_bytes()).expect("a time");
    assert_eq!(left(&acks(last)), all.len() - 1);
    assert_eq!(left(&acks(last - 1)), all.len(), "it happened again");
    let broken = folder_with(&[("state.json", "{")]);
    let (code, out, err) = run(&["alerts", "--state", text(&broken.path().join("state.json")), LOG]);
    assert!(code == 2 && out.is_empty() && err.contains("is no state of kauditui"), "{err}");
}

/// The fields of a section of `docs/json.md`.
fn documented(section: &str) -> BTreeSet<String> {
    let page = include_str!("../docs/json.md");
    let start = page.find(&format!("\n## {section}\n")).expect("the section") + 4;
    let section = page[start..].split("\n## ").next().expect("its text");
    let field = |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned());
    section.lines().filter_map(field).collect()
}

fn paths(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
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
fn the_json_is_the_documented_one() {
    let line = |id: &str, second: u32| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/pods/p","verb":"delete","user":{{"username":"alice","groups":[]}},"impersonatedUser":{{"username":"bob"}},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl/v1","objectRef":{{"resource":"pods","namespace":"prod","name":"p"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-11-20T12:00:0{second}.000000Z","stageTimestamp":"2026-11-20T12:00:0{second}.000000Z"}}"#
        ) + "\n"
    };
    let text_of_rules = format!(
        "{}---\ntitle: Again\nid: again\nlevel: high\ntags: [attack.t1485]\ncorrelation:\n  type: event_count\n  \
         rules: [0f0d3e2c-5a5e-4f0e-8d59-000000000007]\n  group-by: [user.username]\n  timespan: 1m\n  \
         condition: {{gte: 2}}\n  generate: true\n---\ntitle: Outside\nid: outside\nlevel: medium\n\
         logsource: {{product: kubernetes}}\ndetection: {{s: {{verb: patch}}, condition: s}}\n\
         kauditui: {{state: outside_gitops}}\n",
        rule("Deleted", "verb: delete")
    );
    let rules = folder_with(&[("a.yml", &text_of_rules)]);
    // Argo CD applies an object, and somebody changes it.
    let patch = |id: &str, user: &str, agent: &str, second: u32| {
        line(id, second)
            .replace(r#""verb":"delete""#, r#""verb":"patch""#)
            .replace(r#""username":"alice""#, &format!(r#""username":"{user}""#))
            .replace(r#""impersonatedUser":{"username":"bob"},"#, "")
            .replace("kubectl/v1", agent)
    };
    let controller = "system:serviceaccount:argocd:argocd-application-controller";
    let sync = r#"{"application":"shop","dest-namespace":"prod","level":"info","msg":"carol initiated sync to main (8a1cb4a08a1cb4a08a1cb4a08a1cb4a08a1cb4a0)","reason":"OperationStarted","time":"2026-11-20T12:00:03Z","type":"Normal","user":"carol"}"#;
    let log = line("one", 1)
        + &line("two", 2)
        + sync
        + "\n"
        + &patch("three", controller, "argocd-application-controller/v2", 4)
        + &patch("four", "dave", "kubectl/v1", 5);
    let own = ["--no-builtin-rules", "--rules", text(rules.path())];
    let (_, out, err) = run_with(&[&["alerts", "-o", "jsonl"], &own[..], &["-"]].concat(), &log);
    let mut found = BTreeSet::new();
    objects(&out).iter().for_each(|alert| paths(alert, "", &mut found));
    assert_eq!(found, documented("alerts"), "{err}");
    let (_, out, _) = run_with(&[&["rules", "list", "-o", "jsonl"], &own[..], &["-"]].concat(), &log);
    let mut found = BTreeSet::new();
    objects(&out).iter().for_each(|rule| paths(rule, "", &mut found));
    assert_eq!(found, documented("rules list"));
}

//! `kauditui report` on the recorded incident and on made-up logs: what it tells, that its evidence is where it says,
//! and that nothing of a log acts in it.
//!
//! The recorded log is in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use kauditui::ingest::sha256_hex;
use serde_json::{Value, json};

fn incident(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("data/kube").join(name);
    if !path.is_file() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: {name} needs ../shared");
        return None;
    }
    Some(path)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("kauditui").expect("the binary is built with its tests");
    command.args(["report", "--config", "/dev/null"]).args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program runs")
}

fn report(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("a report in UTF-8")
}

/// Stage, offset and digest of each line of evidence.
fn evidence(report: &str) -> Vec<(String, u64, String)> {
    let place = |line: &str| {
        let rest = line.strip_prefix("- evidence: `")?;
        let (stage, rest) = rest.split_once('`')?;
        let (_, rest) = rest.split_once(", line at byte ")?;
        let (offset, rest) = rest.split_once(", SHA-256 `")?;
        Some((stage.to_owned(), offset.parse().expect("an offset"), rest.get(..64)?.to_owned()))
    };
    report.lines().filter_map(place).collect()
}

fn line_at(text: &[u8], offset: u64) -> &[u8] {
    text[offset as usize..].split(|byte| *byte == b'\n').next().expect("a line")
}

fn line(number: u32, user: &str) -> String {
    let time = format!("2026-11-20T21:{:02}:00.000000Z", number % 60);
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": format!("id-{number}"),
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/prod/pods/p", "verb": "delete",
        "user": {"username": user}, "sourceIPs": ["10.0.0.1"], "userAgent": "kubectl/v1.32.4",
        "objectRef": {"resource": "pods", "namespace": "prod", "name": "p", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
    })
    .to_string()
}

fn file_with(content: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    fs::write(&path, content).expect("a file");
    let path = path.to_str().expect("a path in UTF-8").to_owned();
    (folder, path)
}

#[test]
fn the_story_of_novelapp() {
    let Some(path) = incident("incident-full.jsonl") else { return };
    let text = fs::read(&path).expect("the log");
    let path = path.to_str().expect("a path in UTF-8");
    // jq -r 'select(.verb == "delete" and .objectRef.resource == "deployments" and .objectRef.name == "novelapp"
    //        and .stage == "ResponseComplete") | .auditID, .stageTimestamp, .user.username, .sourceIPs[-1]'
    let at = "442cec7d-be17-43cb-9fb4-dc3429f9e753";
    let report = report(&["--at", at, "--note", "Found by *bob*.", path]);
    for told in [
        "# Incident timeline\n\n2026-11-20T21:59:01.581503Z to 2026-11-20T21:59:01.581503Z (UTC), 1 request.\n",
        "## Notes\n\nFound by *bob*.\n",
        "| 1 | 2026-11-20T21:59:01.581503Z | `system:serviceaccount:argocd:argocd-application-controller` | `delete deployments.apps` | `production/novelapp` | `203.0.113.66 kubectl` | `200` | `442cec7d-be17-43cb-9fb4-dc3429f9e753` |\n",
        "- allowed by `ClusterRoleBinding argocd-admin`: `ClusterRole cluster-admin` for `ServiceAccount argocd-application-controller/argocd`\n",
        "\nAs kubectl (exact):\n\n```sh\nkubectl -n production delete deployment/novelapp\n```\n",
        "`admin@example.com at 21:58:56.644Z from 10.20.0.5 with kubectl, as a token of argocd/argocd-application-controller, 4.9 s before`",
        "- events chosen by `--at 442cec7d-be17-43cb-9fb4-dc3429f9e753`\n",
        // jq -s 'group_by(.level)[] | .[0].level, length'
        "- audit levels: Metadata (no bodies) 1,016 records, RequestResponse (bodies of requests and answers) 5,927 records\n",
        "- no line was dropped or unreadable\n",
        "| 6,943 | 6,943 | none | 2026-11-20T21:57:40.404650Z | 2026-11-20T22:00:11.719939Z |\n",
    ] {
        assert!(report.contains(told), "{told} is not in\n{report}");
    }
    let places = evidence(&report);
    let stages: Vec<&str> = places.iter().map(|(stage, ..)| stage.as_str()).collect();
    assert_eq!(stages, ["RequestReceived", "ResponseComplete"]);
    for (stage, offset, digest) in places {
        let line = line_at(&text, offset);
        let event: Value = serde_json::from_slice(line).expect("a whole line");
        assert_eq!((event["auditID"].as_str(), event["stage"].as_str()), (Some(at), Some(stage.as_str())));
        assert_eq!(sha256_hex(line), digest);
    }
}

#[test]
fn what_bob_changed_is_told_field_by_field() {
    let Some(path) = incident("incident-full.jsonl") else { return };
    let filter = "user:bob@example.com verb:patch ns:production";
    // jq -c 'select(.user.username == "bob@example.com" and .verb == "patch" and .stage == "ResponseComplete"
    //        and .objectRef.namespace == "production") | .requestObject'
    let report = report(&["-f", filter, path.to_str().expect("a path in UTF-8")]);
    for told in [
        "```\ndata.DB_HOST: + 10.0.0.99\ndata.FEATURE_X: off → on\n```\n",
        r#"spec.template.spec.containers[web].env[DB_HOST]: + {"name":"DB_HOST","value":"10.0.0.99"}"#,
        "kubectl -n production set env deployment/novelapp DB_HOST=10.0.0.99\n",
    ] {
        assert!(report.contains(told), "{told} is not in\n{report}");
    }
}

#[test]
fn levels_without_bodies_say_so() {
    for name in ["incident-meta.jsonl", "incident-lowwrite.jsonl"] {
        let Some(path) = incident(name) else { return };
        let filter = "user:bob@example.com verb:patch name:novelapp is:write";
        let report = report(&["-f", filter, path.to_str().expect("a path in UTF-8")]);
        for told in [
            "- allowed by `RoleBinding dev/production`: `ClusterRole edit` for `Group dev`\n",
            "As kubectl (equivalent: its body is not in the log; its field manager is kubectl set):\n\n```sh\nkubectl -n production patch deployment/novelapp -p BODY\n```\n",
            "What it changed:\n\n```\ncannot be known: ",
            "- audit levels: Metadata (no bodies)",
        ] {
            assert!(report.contains(told), "{told} is not in\n{report}");
        }
    }
}

#[test]
fn secrets_of_the_incident_are_masked() {
    let Some(path) = incident("incident-full.jsonl") else { return };
    let path = path.to_str().expect("a path in UTF-8");
    let report = report(&["-f", "resource:secrets is:write kind:human", path]);
    assert!(report.contains("db-credentials") && report.contains("‹masked, "), "{report}");
    for secret in ["aHVudGVyMi12ZXJ5LXNlY3JldA==", "hunter2", "c2tfbGl2ZV9hYmNkZWYxMjM0NTY=", "sk_live_"] {
        assert!(!report.contains(secret), "{secret}");
    }
}

#[test]
fn nothing_chosen_is_code_one_and_no_output() {
    let (_folder, path) = file_with(format!("{}\n", line(1, "alice")).as_bytes());
    let output = run(&["-f", "user:nobody", &path]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let output = run(&["--at", "no-such-id", &path]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no request with auditID no-such-id"));
    let output = run(&[&path]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("a report needs to know what it is about") && errors.contains("tip: "),
        "{errors}"
    );
}

#[test]
fn more_than_it_may_tell_of_is_counted() {
    let lines: String = (0..30).map(|number| line(number, "alice") + "\n").collect();
    let (_folder, path) = file_with(lines.as_bytes());
    let report = report(&["-f", "user:alice", "--at", "id-20", "--limit", "3", &path]);
    assert!(report.contains("3 requests.\n**27 more were chosen and are left out here.**\n"), "{report}");
    let shown: Vec<&str> =
        report.lines().filter(|line| line.starts_with("| ") && line.contains("`id-")).collect();
    assert!(report.contains("\nSet off:\n") && !report.contains("kauditui trace AUDIT_ID"), "{report}");
    let ids = ["`id-0`", "`id-1`", "`id-20`"];
    assert!(shown.len() == 3 && shown.iter().zip(ids).all(|(row, id)| row.contains(id)), "{shown:?}");
}

#[test]
fn what_many_requests_set_off_is_left_out_and_said_so() {
    let lines: String = (0..30).map(|number| line(number, "alice") + "\n").collect();
    let (_folder, path) = file_with(lines.as_bytes());
    let report = report(&["-f", "user:alice", &path]);
    assert!(!report.contains("\nSet off:\n") && report.contains("`kauditui trace AUDIT_ID`"), "{report}");
    assert_eq!(report.matches("\nCaused by:\n").count(), 30);
}

#[test]
fn a_pipe_has_no_offsets_but_digests() {
    let text = line(7, "alice");
    let mut command = command(&["--at", "id-7", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(format!("{text}\n").as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let wanted = format!(
        "- evidence: `ResponseComplete` in `stdin`, place not known, SHA-256 `{}` (not a file: the SHA-256 is of the record as it was read)\n",
        sha256_hex(text.as_bytes())
    );
    assert!(report.contains(&wanted), "{wanted} is not in\n{report}");
}

#[test]
fn unreadable_lines_and_gaps_are_confessed() {
    let content = format!("{}\n{{\"kind\":\"Event\",\"auditID\n{}\n", line(1, "alice"), line(31, "alice"));
    let (_folder, path) = file_with(content.as_bytes());
    let report = report(&["-f", "user:alice", &path]);
    assert!(!report.contains("no line was dropped"), "{report}");
    assert!(report.contains("- lost: `audit.log: unreadable: "), "{report}");
    let gap = "- 2026-11-20T21:01:00.000000Z to 2026-11-20T21:31:00.000000Z in ";
    assert!(report.contains(gap), "{report}");
    for (_, offset, digest) in evidence(&report) {
        assert_eq!(sha256_hex(line_at(content.as_bytes(), offset)), digest);
    }
    assert_eq!(evidence(&report).len(), 2);
}

#[test]
fn a_hostile_user_forges_nothing() {
    let hostile = "x` | y |\n| 9 | [link](https://evil.example) <b> \u{1b}[31m \u{202e}\n# heading\n```\n";
    let (_folder, path) = file_with(format!("{}\n", line(1, hostile)).as_bytes());
    let report = report(&["--at", "id-1", &path]);
    assert!(!report.contains(['\u{1b}', '\u{202e}']));
    let headings = report.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!(headings, 1, "{report}");
    let rows: Vec<&str> =
        report.lines().filter(|line| line.starts_with("| 1 |") || line.starts_with("| 9 |")).collect();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.matches('|').count(), 9, "eight cells: {row}");
    assert!(report.contains("[link](https://evil.example)"), "it is shown, inside of code: {report}");
}

#[test]
fn no_heading_stands_over_nothing() {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/incident-small.jsonl");
    let report = report(&["-f", "is:write", log]);
    let paragraphs: Vec<&str> = report.lines().filter(|line| !line.is_empty()).collect();
    let is_heading = |line: &str| line.ends_with(':') && line.starts_with(|c: char| c.is_ascii_uppercase());
    assert!(paragraphs.iter().any(|line| is_heading(line)));
    for pair in paragraphs.windows(2) {
        assert!(!is_heading(pair[0]) || pair[1].starts_with(['-', '`']), "{pair:?}");
    }
}

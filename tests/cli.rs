//! The command line of the real binary: usage, exit codes, and the twins `info` and `query` on files, pipes and a log
//! that grows.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::assert::OutputAssertExt;
use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

fn kauditui(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("kauditui").expect("the binary is built with its tests");
    command.args(arguments).env_remove("NO_COLOR").env("LANG", "C.UTF-8").env_remove("LC_ALL");
    // Whoever runs the tests may have a configuration.
    command.env("XDG_CONFIG_HOME", "/does/not/exist");
    command
}

/// Exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = kauditui(arguments).assert().get_output().clone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn line(audit_id: &str, stage: &str, second: u32) -> String {
    format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{}","stage":"{}","#,
            r#""requestURI":"/api/v1/namespaces/prod/pods/{}","verb":"get","user":{{"username":"alice"}},"#,
            r#""objectRef":{{"resource":"pods","namespace":"prod","name":"{}","apiVersion":"v1"}},"#,
            r#""requestReceivedTimestamp":"2026-01-14T03:00:00.000000Z","#,
            r#""stageTimestamp":"2026-01-14T03:00:{:02}.000000Z"}}"#,
            "\n"
        ),
        audit_id, stage, audit_id, audit_id, second
    )
}

/// A folder with a log of two requests, three lines and one broken line.
fn small_log() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("audit.log");
    let text = [
        line("one", "RequestReceived", 1),
        line("one", "ResponseComplete", 2),
        "{\"kind\":\"Ev\n".to_owned(),
        line("two", "ResponseComplete", 3),
    ];
    fs::write(&path, text.concat()).expect("write the log");
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn audit_ids(output: &str) -> Vec<String> {
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        row["auditID"].as_str().expect("auditID").to_owned()
    };
    output.lines().map(id).collect()
}

#[test]
fn help_is_grouped_and_version_is_said() {
    let (code, help, _) = run(&["-h"]);
    assert_eq!(code, 0);
    for heading in ["Sources:", "Filter and time:", "Display:", "Resources:", "Configuration:", "Examples:"] {
        assert!(help.contains(heading), "{heading} in {help}");
    }
    let (_, long, _) = run(&["--help"]);
    for fact in
        ["KAUDITUI_NO_INOTIFY", "NO_COLOR", "Exit codes:", "128+n", "--config <FILE>", "@NAME", "[filters]"]
    {
        assert!(long.contains(fact), "{fact} in {long}");
    }
    assert!(run(&["--version"]).1.starts_with("kauditui 0."));
    assert!(run(&["query", "-h"]).1.contains("--stages <WHICH>"));
    assert!(run(&["query", "-h"]).1.contains("kauditui query --group-by user,verb"));
    assert!(run(&["users", "--help"]).1.contains("People come first"));
}

#[test]
fn wrong_usage_says_error_and_tip_and_exits_2() {
    let (_folder, log) = small_log();
    for wrong in [
        &["--no-such-option"][..],
        &["query", "-o", "xml", "-"],
        &["--memory", "lots"],
        &["--since", "someday"],
        &["query", "-f", "usr:alice", "-"],
        &["query", "-f", text(&log), text(&log)],
        &["--utc", "--local"],
        &["info", "/does/not/exist"],
        &["query", "--group-by", "verb", "--follow", text(&log)],
        &["query", "--sort", "user", "--follow", text(&log)],
        &["query", "-o", "json", "--follow", text(&log)],
        &["query", "--group-by", "vrb", text(&log)],
        &["query", "--columns", "user,", text(&log)],
        &["query", "--columns", "user", "--group-by", "verb", text(&log)],
        &["query", "-o", "raw", "--columns", "user", text(&log)],
        &["query", "--group-by", "verb", "--sort", "user", text(&log)],
        &["users", "-o", "raw", text(&log)],
        &["users", "--follow", text(&log)],
        &["users", "--sort", "size", text(&log)],
        &["--local", "users"],
    ] {
        let (code, out, err) = run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}: {err}");
        assert!(err.starts_with("error: "), "{wrong:?}: {err}");
        assert!(err.lines().any(|line| line.starts_with("tip: ")), "{wrong:?}: {err}");
    }
    let (_, _, err) = run(&["query", "-f", text(&log)]);
    assert!(err.contains("is a file") && err.contains(&format!("kauditui {}", text(&log))), "{err}");
}

#[test]
fn query_prints_requests_or_all_stages() {
    let (_folder, log) = small_log();
    let (code, out, _) = run(&["query", "-o", "jsonl", text(&log)]);
    assert_eq!((code, audit_ids(&out)), (0, vec!["one".to_owned(), "two".to_owned()]));
    let (_, out, _) = run(&["query", "-o", "jsonl", "--stages", "all", text(&log)]);
    assert_eq!(audit_ids(&out), ["one", "one", "two"]);
    let (_, out, _) = run(&["query", "-o", "jsonl", "-f", "name:two", "--since", "2026-01-14", text(&log)]);
    assert_eq!(audit_ids(&out), ["two"]);
    let (_, out, _) = run(&["query", "-o", "raw", "--limit", "1", text(&log)]);
    assert_eq!(out, line("two", "ResponseComplete", 3), "the original line");
    let (code, out, err) = run(&["query", "-f", "user:nobody", text(&log)]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    let (_, _, err) = run(&["query", "--since", "1h", text(&log)]);
    assert!(err.contains("counted from the newest event, 2026-01-14 03:00:03Z"), "{err}");
}

#[test]
fn query_lists_columns_groups_and_orders_in_every_form() {
    let (_folder, log) = small_log();
    let out = |arguments: &[&str]| {
        let (code, out, err) = run(&[arguments, &[text(&log)]].concat());
        assert_eq!(code, 0, "{arguments:?}: {err}");
        assert!(err.lines().all(|line| line.contains("cut short")), "{arguments:?}: {err}");
        out
    };
    let columns = ["query", "--columns", "name,duration", "--sort", "duration"];
    let form = |output| out(&[&columns[..], &["-o", output]].concat());
    assert_eq!(form("csv"), "name,durationMicros\r\ntwo,3000000\r\none,2000000\r\n");
    assert_eq!(form("markdown"), "| NAME | TOOK |\n| --- | --- |\n| two | 3.0 s |\n| one | 2.0 s |\n");
    assert_eq!(
        form("jsonl"),
        "{\"name\":\"two\",\"durationMicros\":3000000}\n{\"name\":\"one\",\"durationMicros\":2000000}\n"
    );
    assert!(form("table").starts_with("NAME                       TOOK\ntwo"), "{}", form("table"));
    let whole: Value = serde_json::from_str(&out(&["query", "-o", "json"])).expect("an array");
    let lines = out(&["query", "-o", "jsonl"]);
    let first: Value = serde_json::from_str(lines.lines().next().expect("a row")).expect("an object");
    assert_eq!((whole.as_array().map(Vec::len), &whole[0]), (Some(2), &first));
    let sorted = out(&["query", "-o", "raw", "--sort", "name:desc", "--limit", "1"]);
    assert_eq!(sorted, line("two", "ResponseComplete", 3));

    let groups = ["query", "--group-by", "verb,stage", "--stages", "all", "-o", "jsonl"];
    let grouped = out(&groups);
    let group: Value = serde_json::from_str(grouped.lines().next().expect("a group")).expect("an object");
    assert_eq!((&group["stage"], &group["count"]), (&"ResponseComplete".into(), &2.into()), "{grouped}");
    assert_eq!(grouped.lines().count(), 2);
    let users: Value =
        serde_json::from_str(&out(&["users", "-o", "json", "-f", "name:two"])).expect("an array");
    assert_eq!((&users[0]["user"], &users[0]["events"]), (&"alice".into(), &1.into()));
    assert_eq!(run(&["users", "-f", "ns:nowhere", text(&log)]).0, 1);
    let (code, csv, _) = run(&["query", "-o", "csv", "--columns", "user", "-f", "ns:nowhere", text(&log)]);
    assert_eq!((code, csv.as_str()), (1, "user\r\n"));
}

#[test]
fn a_filter_of_the_configuration_is_used_by_name_only() {
    let (folder, log) = small_log();
    let config = folder.path().join("kauditui").join("config.toml");
    fs::create_dir(config.parent().expect("a folder")).expect("make the folder");
    fs::write(&config, "time = 'utc'\n[filters]\nsecond = 'name:two'\n").expect("write the configuration");
    let named = |filter| run(&["query", "--config", text(&config), "-o", "jsonl", "-f", filter, text(&log)]);
    let (code, out, err) = named("@second");
    assert_eq!((code, audit_ids(&out)), (0, vec!["two".to_owned()]), "{err}");
    let (_, out, _) = run(&["query", "--config", text(&config), "-o", "jsonl", text(&log)]);
    assert_eq!(audit_ids(&out), ["one", "two"], "nothing is applied by itself");
    let found = kauditui(&["query", "-o", "jsonl", "-f", "@second", text(&log)])
        .env("XDG_CONFIG_HOME", folder.path())
        .output()
        .expect("run query with a configuration in its usual place");
    assert_eq!(audit_ids(&String::from_utf8_lossy(&found.stdout)), ["two"]);
    let (code, out, err) = named("@sekond");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.starts_with("error: there is no filter @sekond\ntip: did you mean @second? known are @second;"),
        "{err}"
    );
    let left = fs::read_dir(config.parent().expect("a folder")).expect("list the folder").count();
    assert_eq!(left, 1, "the folder of the configuration is only read");
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let (folder, log) = small_log();
    let config = folder.path().join("mine.toml");
    let refused = |content: &str| {
        fs::write(&config, content).expect("write the configuration");
        let (code, out, err) = run(&["info", "--config", text(&config), text(&log)]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        err
    };
    let err = refused("# mine\nthread = 2\n");
    assert!(err.starts_with(&format!("error: {}:2:1: unknown key 'thread'\n", text(&config))), "{err}");
    assert!(err.contains("\ntip: did you mean threads? known here are memory, "), "{err}");
    let err = refused("[filters]\nbad = 'verb:get usr:alice'\n");
    assert!(err.contains(":2:7: @bad cannot be understood\n") && err.contains("at character 10\n"), "{err}");
    let err = refused("memory = \u{1b}[31m");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    fs::remove_file(&config).expect("remove the configuration");
    let (code, _, err) = run(&["query", "--config", text(&config), text(&log)]);
    assert_eq!(code, 2);
    assert!(err.contains("mine.toml: cannot be read: ") && err.contains("\ntip: check the path"), "{err}");
    let (code, _, err) = run(&["query", "--config", "/dev/zero", text(&log)]);
    assert_eq!(code, 2, "a file without end: {err}");
    assert!(err.starts_with("error: /dev/zero: cannot be read: "), "{err}");
    assert_eq!(run(&["query", "--config", "/dev/null", text(&log)]).0, 0);
}

#[test]
fn one_bad_source_does_not_hide_the_others() {
    let (folder, log) = small_log();
    let missing = folder.path().join("missing.log");
    let (code, out, err) = run(&["query", "-o", "jsonl", text(&missing), text(&log)]);
    assert_eq!((code, audit_ids(&out).len()), (2, 2));
    assert!(err.starts_with("error: ") && err.contains("missing.log"), "{err}");
}

#[test]
fn info_counts_files_and_pipes_alike() {
    let (folder, log) = small_log();
    let total = |json: &str| {
        let json: Value = serde_json::from_str(json).expect("info prints JSON");
        let total = &json["total"];
        let number = |name: &str| total[name].as_u64().expect("a number");
        assert_eq!(total["unreadable"][0]["kind"], "cut short", "{total}");
        (number("lines"), number("events"), number("requests"), number("duplicates"))
    };
    assert_eq!(total(&run(&["info", "-o", "json", text(&log)]).1), (4, 3, 2, 0));
    let piped = kauditui(&["info", "-o", "json", "-"])
        .stdin(fs::File::open(&log).expect("open the log"))
        .output()
        .expect("run info on a pipe");
    assert_eq!(total(&String::from_utf8_lossy(&piped.stdout)), (4, 3, 2, 0));
    let copy = folder.path().join("copy.log");
    fs::copy(&log, &copy).expect("copy the log");
    let (_, out, _) = run(&["info", "-o", "json", text(&log), text(&copy)]);
    assert_eq!(total(&out), (8, 6, 2, 3), "a file and its copy");
    let (_, out, err) = run(&["info", "-o", "json", text(&log), text(&log)]);
    assert_eq!(total(&out), (4, 3, 2, 0), "a file given twice is read once");
    assert!(err.contains("it is read once"), "{err}");
    let (_, table, _) = run(&["info", text(&log)]);
    assert!(table.contains("unreadable          1 cut short"), "{table}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (_folder, log) = small_log();
    let many: String = (0..20_000).map(|n| line(&format!("id{n}"), "ResponseComplete", n % 60)).collect();
    fs::write(&log, many).expect("write the log");
    let mut child = kauditui(&["query", "-o", "jsonl", text(&log)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a first line");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert!(first.starts_with("{\"time\":"));
}

#[test]
fn following_prints_what_is_there_then_what_comes_until_a_signal() {
    let (_folder, log) = small_log();
    let mut child = kauditui(&["query", "--follow", "-o", "jsonl", text(&log)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("start");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut next = || {
        let mut line = String::new();
        out.read_line(&mut line).expect("a row");
        audit_ids(&line)
    };
    assert_eq!([next(), next()].concat(), ["one", "two"]);
    let mut writer = fs::OpenOptions::new().append(true).open(&log).expect("open to append");
    let new = [line("three", "RequestReceived", 4), line("three", "ResponseComplete", 5)].concat();
    writer.write_all(new.as_bytes()).expect("append");
    assert_eq!(next(), ["three"]);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the process is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 15));
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the end of the output");
    assert_eq!(rest, "", "each request once");
}

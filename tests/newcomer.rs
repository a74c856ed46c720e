//! What somebody meets who does not know the program yet: names that are nearly right, files that are not there, tables
//! without a line, help that is read in a narrow window.

use std::fs;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/incident-small.jsonl");
const TRAIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/trail/kube.jsonl");
const ARGOCD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/formats/argocd-server-v3.jsonl");

/// Exit code, standard output and standard error; `configuration` is the folder of the user's configurations.
fn run_in(configuration: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("kauditui")
        .expect("the binary is built with its tests")
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("XDG_CONFIG_HOME", configuration)
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    run_in(Path::new("/does/not/exist"), arguments)
}

#[test]
fn names_that_are_nearly_right_are_understood_or_answered_with_the_right_one() {
    let (code, out, err) = run(&["rbac", "--user", "mallory", LOG]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.starts_with("mallory@example.com: ") && err.contains("mallory is mallory@example.com"),
        "{out}{err}"
    );
    let (code, out, err) = run(&["rbac", "--user", "example.com", LOG]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("example.com may be admin@example.com, alice@example.com"), "{err}");
    let (code, _, err) = run(&["rbac", "--user", "zoe", LOG]);
    assert!(code == 1 && err.contains("no request by zoe"), "{err}");

    let (code, out, err) = run(&["trace", "a60283a5", LOG]);
    assert!(code == 0 && out.contains("a60283a5-6073-4c7f-bf5d-c8c173df557b"), "{out}{err}");
    assert_eq!(run(&["trace", "a60283a5-ffff", LOG]).0, 1);
    assert_eq!(run(&["trace", "a", LOG]).0, 1, "too little to mean one");

    let (code, out, err) = run(&["history", "-n", "production", "deploy/frontend", LOG]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(run(&["history", "production/deploy/frontend", LOG]), (0, out, err));
    assert_eq!(run(&["history", "-n", "staging", "production/deploy/frontend", LOG]).0, 2);
    for nearly in ["depoly/frontend", "production/deploy/frontent", "staging/deploy/frontend"] {
        let (code, out, err) = run(&["history", nearly, LOG]);
        assert_eq!((code, out.as_str()), (1, ""), "{nearly}");
        assert!(err.contains("; did you mean production/deploy/frontend?"), "{nearly}: {err}");
    }
}

#[test]
fn a_command_that_is_written_wrongly_is_no_log() {
    let (code, out, err) = run(&["quer", LOG]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.starts_with("error: 'quer' is neither a file nor a command\ntip: did you mean kauditui query?"),
        "{err}"
    );
}

#[test]
fn whoever_writes_a_path_means_a_file() {
    for path in ["./quer", "./info", "/nonexistent/query"] {
        let (_, _, err) = run(&[path]);
        assert!(!err.contains("neither a file nor a command"), "{path}: {err}");
    }
}

#[test]
fn what_is_not_there_or_cannot_be_read_is_said_and_stops_nothing() {
    let (code, out, err) = run(&["query", "--limit", "1", "--rules", "/nonexistent", LOG]);
    assert!(code == 0 && out.lines().count() == 2, "{err}");
    assert!(err.contains("no rules in /nonexistent: it does not exist"), "{err}");

    let folder = tempfile::tempdir().expect("a folder");
    // Whoever may read everything, as root may, still cannot read a folder.
    fs::create_dir_all(folder.path().join("kauditui/config.toml")).expect("a folder");
    let (code, out, err) = run_in(folder.path(), &["query", "--limit", "1", LOG]);
    assert!(code == 0 && out.lines().count() == 2, "{err}");
    assert!(err.contains("the configuration ") && err.contains(" is not used: "), "{err}");
    let named = folder.path().join("kauditui/config.toml");
    let named = named.to_str().expect("UTF-8");
    assert_eq!(run(&["query", "--config", named, LOG]).0, 2, "what was named is wanted");
}

#[test]
fn an_empty_table_says_so_beside_the_output() {
    for (arguments, told) in [
        (&["query", "-f", "user:nobody-of-that-name"][..], "no request matches"),
        (&["query", "--group-by", "user", "-f", "user:nobody-of-that-name"], "no request matches"),
        (&["users", "-f", "user:nobody-of-that-name"], "nobody made a request that matches"),
        (&["alerts", "-f", "user:nobody-of-that-name"], "no alert of medium or above\n"),
        (&["alerts", "--min-severity", "critical", "-f", "user:nobody-of-that-name"], "no critical alert\n"),
    ] {
        let (code, out, err) = run(&[arguments, &[LOG]].concat());
        assert_eq!(code, 1, "{arguments:?}: {err}");
        assert!(out.lines().count() <= 1 && err.contains(told), "{arguments:?}: {out}{err}");
    }
    let (_, _, err) = run(&["query", "-o", "csv", "-f", "user:nobody-of-that-name", LOG]);
    assert_eq!(err, "", "a program reads the exit code");
}

#[test]
fn a_file_that_is_no_log_is_told_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("program");
    let bytes: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(&path, bytes).expect("a file");
    let (code, out, _) = run(&["info", path.to_str().expect("UTF-8")]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("  events              0: no audit event in it; is it an audit log?\n"), "{out}");
    let lines = out.lines().find_map(|line| line.strip_prefix("  lines ")).expect("lines").trim();
    assert!(out.contains(&format!("  unreadable          all {lines} lines: ")), "{out}");
    let (code, out, _) = run(&["info", LOG]);
    assert!(code == 0 && !out.contains("is it an audit log?"), "{out}");
}

#[test]
fn tables_have_no_cell_that_misleads() {
    let (_, out, _) = run(&["users", LOG]);
    assert!(out.lines().any(|line| line.starts_with("nobody: not logged in ")), "{out}");
    let (_, json, _) = run(&["users", "-o", "jsonl", LOG]);
    assert!(!json.contains("not logged in"), "nobody is called so");
    let (code, out, err) = run(&["query", ARGOCD]);
    assert!(code == 0 && out.contains(" sync ") && !out.contains("0 µs"), "{out}{err}");
    let (_, json, _) = run(&["query", "-o", "jsonl", ARGOCD]);
    assert!(!json.contains("durationMicros"), "{json}");
}

#[test]
fn who_asked_argo_cd_is_named_without_its_log() {
    let (code, out, err) = run(&["trace", "12b0b92e-5d6e-58a3-a468-6d8b0e4844c9", TRAIL]);
    assert_eq!(code, 0, "{err}");
    let began = out.split("\nwho began it\n").nth(1).expect("it is told");
    assert!(began.starts_with("  certain  identity   carol@example.com, for whom "), "{began}");
    assert!(!began.contains("10.42.0.21"), "the server's address is not hers: {began}");
}

#[test]
fn help_is_broken_once() {
    const WIDTH: usize = 100;
    for command in [
        &[][..],
        &["info"],
        &["query"],
        &["users"],
        &["trace"],
        &["history"],
        &["rbac"],
        &["report"],
        &["alerts"],
        &["rules"],
        &["rules", "test"],
        &["rules", "explain"],
    ] {
        let (_, help, _) = run(&[command, &["--help"]].concat());
        let lines: Vec<&str> = help.lines().collect();
        for pair in lines.windows(2) {
            let [line, next] = pair else { continue };
            assert!(line.chars().count() <= WIDTH, "{command:?}: {line}");
            let is_prose =
                |line: &str| line.starts_with(|c: char| c.is_alphanumeric()) && !line.ends_with(':');
            if is_prose(line) && is_prose(next) {
                let word = next.split(' ').next().unwrap_or(next);
                let both = line.chars().count() + 1 + word.chars().count();
                assert!(both > WIDTH, "{command:?}: {line}\n{next}");
            }
        }
    }
    for (command, about) in [
        (&["trace"][..], "About:\n  <AUDIT_ID>"),
        (&["rules", "test"], "About:\n  <RULE_FILE>"),
        (&["rules", "explain"], "About:\n  <ID>"),
    ] {
        let (_, help, _) = run(&[command, &["--help"]].concat());
        assert!(help.contains(about), "{help}");
    }
}

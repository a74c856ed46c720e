//! The real program in a pseudo-terminal, with the screen that it shows there.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use common::app::{INCIDENT, line};
use common::pty::Session;
use portable_pty::CommandBuilder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kauditui");

fn command(arguments: &[&str]) -> CommandBuilder {
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(arguments);
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("TZ", "UTC")] {
        command.env(name, value);
    }
    command.env_remove("NO_COLOR");
    command
}

fn incident_log(folder: &Path) -> String {
    let path = folder.join("audit.log");
    fs::write(&path, INCIDENT).expect("a log");
    path.to_string_lossy().into_owned()
}

fn append(path: &str, text: &str) {
    OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .expect("appended");
}

#[test]
fn a_growing_log_is_followed_filtered_and_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = incident_log(folder.path());
    let mut session = Session::start(command(&[&path]), 24, 80);
    session.wait_for_text("LIVE");
    session.wait_for_text("304 rec");
    append(&path, &line(50_000, "carol", "delete", "secrets", "fresh", 200));
    session.wait_for_text("prod/fresh");
    session.send("/verb:delete name:novelapp\r");
    session.wait_for_text("1 of 305");
    session.send("\r");
    session.wait_for_text("203.0.113.66");
    session.resize(36, 120);
    session.wait_for_text("2026-11-20 21:57:40");
    session.send("\x1b");
    session.wait_for_text("RESOURCE");
    session.send("q");
    assert_eq!(session.wait_exit(Duration::from_secs(5)).exit_code(), 0);
}

#[test]
fn the_screen_counts_every_line_through_rotations() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let text = path.to_string_lossy().into_owned();
    fs::write(&path, "").expect("a log");
    let mut session = Session::start(command(&[&text]), 36, 120);
    session.wait_for_text("LIVE");
    for round in 0..5u32 {
        for second in 0..200 {
            append(&text, &line(round * 200 + second, "alice", "get", "pods", "p", 200));
        }
        fs::rename(&path, folder.path().join(format!("audit-2026-01-0{}T00-00-00.000.log", round + 1)))
            .expect("rotated");
        fs::write(&path, "").expect("a new log");
    }
    session.wait_for_text("1,000 of 1,000");
    session.send("q");
    assert_eq!(session.wait_exit(Duration::from_secs(5)).exit_code(), 0);
}

#[test]
fn the_demo_needs_nothing() {
    let mut session = Session::start(command(&["--demo"]), 24, 80);
    session.wait_for_text("demo");
    session.send("/novelapp verb:delete\r");
    session.wait_for_text("deploy production/novelapp");
    session.send("q");
    assert_eq!(session.wait_exit(Duration::from_secs(5)).exit_code(), 0);
}

#[test]
fn a_pipe_is_read_while_keys_come_from_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = incident_log(folder.path());
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-c", &format!("cat '{path}' | '{PROGRAM}' -")]);
    shell.env("TERM", "xterm-256color");
    shell.env("LANG", "C.UTF-8");
    let mut session = Session::start(shell, 24, 80);
    session.wait_for_text("304 rec");
    session.wait_for_text("END");
    session.send("q");
    assert_eq!(session.wait_exit(Duration::from_secs(5)).exit_code(), 0);
}

#[test]
fn signals_end_it_with_their_code() {
    for (signal, code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)] {
        let mut session = Session::start(command(&["--demo"]), 24, 80);
        session.wait_for_text("help");
        session.signal(signal);
        let status = session.wait_exit(Duration::from_secs(1));
        assert_eq!(status.exit_code(), code);
    }
}

#[test]
fn a_vanished_terminal_ends_it() {
    for ignored in ["", "trap '' HUP; "] {
        let mut shell = CommandBuilder::new("/bin/sh");
        shell.args(["-c", &format!("{ignored}exec '{PROGRAM}' --demo")]);
        shell.env("TERM", "xterm-256color");
        let mut session = Session::start(shell, 24, 80);
        session.wait_for_text("help");
        session.close_master();
        session.wait_exit(Duration::from_secs(1));
    }
}

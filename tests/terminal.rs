//! The ways in which a terminal program ends, or is made to: the terminal is as before, or the process is gone.

mod common;

use std::path::Path;
use std::time::Duration;

use common::pty::Session;
use portable_pty::CommandBuilder;
use rustix::process::Signal;

/// The program under test, beside the real one: an example over `kauditui::term` that can be told to panic.
const PROGRAM: &str = "examples/term_probe";
/// How long a program that was told to go may take.
const GONE: Duration = Duration::from_secs(1);
/// On a busy machine, the time for a program that quits by itself.
const PATIENCE: Duration = Duration::from_secs(10);

fn program() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_kauditui")).parent().expect("a folder of programs");
    let path = folder.join(PROGRAM);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs `script` in a shell that has the program as `$0`, so that something is left to look at the terminal.
fn shell(script: &str) -> Session {
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", script, &program()]);
    command.env("TERM", "xterm-256color");
    Session::start(command, 24, 80)
}

fn started(script: &str) -> Session {
    let session = shell(script);
    session.wait_for_text("ready");
    session
}

fn assert_restored(session: &Session) {
    session.wait_for("the terminal restored", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
    });
}

#[test]
fn quitting_leaves_the_terminal_as_it_was() {
    let mut session = shell("read go; \"$0\"; echo code=$?; read end");
    let before = session.termios();
    session.send("\r");
    session.wait_for_text("ready");
    assert!(
        session
            .screen(|screen| screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste())
    );
    assert_ne!(session.termios(), before);
    session.send("q");
    session.wait_for_text("code=0");
    assert_restored(&session);
    assert_eq!(session.termios(), before);
    session.send("\r");
    assert!(session.wait_exit(PATIENCE).success());
}

#[test]
fn a_signal_ends_it_with_its_code_and_the_terminal_restored() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::QUIT, 131), (Signal::HUP, 129)] {
        let mut session = started("exec \"$0\"");
        session.signal(signal);
        assert_eq!(session.wait_exit(GONE).exit_code(), code);
        if signal != Signal::HUP {
            assert_restored(&session);
        }
    }
}

#[test]
fn a_vanished_terminal_ends_it() {
    let mut session = started("exec \"$0\"");
    session.close_master();
    assert_eq!(session.wait_exit(GONE).exit_code(), 129);
}

#[test]
fn a_vanished_terminal_ends_it_though_sighup_is_ignored() {
    for script in
        ["trap '' HUP; exec \"$0\"", "trap '' HUP; exec \"$0\" </dev/null", "trap '' HUP; true | exec \"$0\""]
    {
        let mut session = started(script);
        session.signal(Signal::HUP);
        session.send("a");
        session.wait_for_text("Char('a')");
        session.close_master();
        session.wait_exit(GONE);
    }
}

#[test]
fn a_terminal_that_vanishes_inside_an_escape_sequence_or_a_paste_ends_it() {
    for half in ["\x1b[", "\x1b[200~half"] {
        let mut session = started("trap '' HUP; exec \"$0\"");
        session.send(half);
        session.close_master();
        assert_eq!(session.wait_exit(GONE).exit_code(), 129);
    }
}

#[test]
fn a_panic_restores_the_terminal_and_says_one_line() {
    let mut session = started("\"$0\"; echo code=$?; read end");
    session.send("p");
    session.wait_for_text("code=101");
    assert_restored(&session);
    let text = session.screen_text();
    assert_eq!(text.matches("internal error").count(), 1, "{text}");
    assert!(text.contains("asked to"), "{text}");
}

#[test]
fn a_panic_in_a_worker_is_a_notice() {
    let mut session = started("exec \"$0\"");
    session.send("w");
    session.wait_for_text("notice: worker asked to");
    assert!(session.screen(vt100::Screen::alternate_screen));
    session.send("q");
    assert!(session.wait_exit(PATIENCE).success());
}

#[test]
fn control_z_gives_the_terminal_back_and_fg_paints_it_again() {
    let mut session = shell("set -m; \"$0\"; echo stopped; read go; fg >/dev/null; echo code=$?; read end");
    session.wait_for_text("ready");
    session.send("\x1a");
    session.wait_for_text("stopped");
    assert_restored(&session);
    session.send("\r");
    session.wait_for("the screen again", |screen| {
        screen.alternate_screen() && screen.contents().contains("keys=1")
    });
    session.send("a");
    session.wait_for_text("Char('a') keys=2");
    session.send("q");
    session.wait_for_text("code=0");
    assert_restored(&session);
}

#[test]
fn control_z_where_nobody_could_continue_it_changes_nothing() {
    let mut session = started("exec \"$0\"");
    session.send("\x1aa");
    session.wait_for_text("Char('a') keys=2");
    assert!(session.screen(vt100::Screen::alternate_screen));
}

#[test]
fn keys_arrive_whole_whatever_their_number() {
    let mut session = started("exec \"$0\"");
    session.send("\x1b");
    session.wait_for_text("Esc keys=1");
    session.send(&"x".repeat(3000));
    session.wait_for_text("keys=3001");
    session.send("\x1b[200~two words\x1b[201~");
    session.wait_for_text("paste:two words");
}

#[test]
fn a_resize_is_drawn_at_once() {
    let session = started("exec \"$0\"");
    session.wait_for_text("size=80x24");
    session.resize(40, 120);
    session.wait_for_text("size=120x40");
}

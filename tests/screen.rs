//! The screens at the sizes that matter, as pictures of text, each with what it must say.

mod common;

use common::app::*;
use kauditui::app::{App, Config, Msg};
use ratatui::style::{Color, Modifier};

fn picture(name: &str, app: &App, width: u16, height: u16) -> String {
    let shown = screen(app, width, height);
    insta::assert_snapshot!(name, shown);
    shown
}

fn resized(mut app: App, width: u16, height: u16) -> App {
    app.update(Msg::Resize(width, height), now());
    work(&mut app);
    app
}

#[test]
fn the_timeline_at_four_sizes() {
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 50)] {
        let mut app = incident_app(width, height);
        keys(&mut app, "/");
        type_text(&mut app, if width < 80 { "novelapp verb:delete" } else { "novelapp is:write" });
        keys(&mut app, "Enter");
        let shown = picture(&format!("timeline_{width}x{height}"), &app, width, height);
        let deleted =
            shown.lines().find(|l| l.contains(" 200 ") && l.contains(" delete ")).expect("the deletion");
        assert!(deleted.contains("21:59:01") && deleted.contains("200"), "{deleted}");
        assert!(width < 80 || deleted.contains("argocd"), "by whom: {deleted}");
        assert!(shown.contains("audit.log +4"), "which log");
    }
}

#[test]
fn the_detail_at_four_sizes() {
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 50)] {
        let mut app = incident_app(width, height);
        keys(&mut app, "/");
        type_text(&mut app, "verb:delete name:novelapp");
        keys(&mut app, "Enter Enter");
        let shown = picture(&format!("detail_{width}x{height}"), &app, width, height);
        assert!(shown.contains("system:serviceaccount:argocd"), "who\n{shown}");
        if height > 10 {
            for part in
                ["delete deployments.apps production/novelapp", "203.0.113.66", "argocd-admin", "kubectl"]
            {
                assert!(shown.contains(part), "{part}\n{shown}");
            }
        }
    }
}

#[test]
fn a_filter_being_typed() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "/");
    type_text(&mut app, "user:mallory code:>=400");
    let good = picture("filter_typed_80x24", &app, 80, 24);
    assert!(good.contains("user:mallory code:>=400") && good.contains("Enter keeps"), "{good}");
    type_text(&mut app, " verb");
    app.update(Msg::Paste(":".into()), now());
    let wrong = picture("filter_wrong_80x24", &app, 80, 24);
    assert!(wrong.contains("a value is missing after verb:"), "{wrong}");
}

#[test]
fn help_lists_every_key() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "?");
    let shown = picture("help_120x36", &app, 120, 36);
    assert!(shown.contains("newest event, and follow") && shown.contains("Esc closes"));
    for _ in 0..10 {
        keys(&mut app, "PgDn");
    }
    assert!(screen(&app, 120, 36).contains("quit at once"), "down to the last key");
    keys(&mut app, "Esc :");
    type_text(&mut app, "help filter");
    keys(&mut app, "Enter");
    let shown = picture("help_filter_120x36", &app, 120, 36);
    assert!(shown.contains("request.spec.replicas:0") && shown.contains("a regular expression"), "{shown}");
}

#[test]
fn an_empty_result_and_a_small_terminal() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "/");
    type_text(&mut app, "nowhere");
    keys(&mut app, "Enter");
    let shown = picture("empty_80x24", &app, 80, 24);
    assert!(shown.contains("Nothing matches nowhere") && shown.contains("0 of 304"));
    let tiny = resized(app, 19, 4);
    assert_eq!(screen(&tiny, 19, 4).trim(), "too small");
}

#[test]
fn requests_that_last_or_were_never_answered_are_called_so() {
    let mut app = empty_app(Config::default(), 120, 36);
    let id = "00000000-0000-4000-a000-00000000000";
    let open = line_of("ResponseStarted", &format!("{id}1"), 43_000, "bob", "get", "pods", "web", 101);
    let ended = line_of("ResponseStarted", &format!("{id}2"), 43_001, "eve", "get", "pods", "db", 101);
    let end = line_of("ResponseComplete", &format!("{id}2"), 43_001, "eve", "get", "pods", "db", 101);
    let lost = line_of("RequestReceived", &format!("{id}3"), 43_002, "mal", "list", "pods", "", 0);
    let panicked = line_of("Panic", &format!("{id}4"), 43_003, "kim", "get", "pods", "x", 500);
    let refused = line_of("ResponseStarted", &format!("{id}5"), 43_004, "", "get", "pods", "y", 401);
    history(&mut app, &[open, ended, end, lost, panicked, refused].concat(), 1);
    let shown = screen(&app, 120, 36);
    let row = |user: &str| shown.lines().find(|l| l.contains(user)).expect("a row").to_owned();
    assert!(row(" bob ").contains("running 4m"), "{shown}");
    assert!(!row(" eve ").contains("running"), "{shown}");
    assert!(row(" mal ").contains("no answer"), "{shown}");
    assert!(row(" kim ").contains("panicked"), "{shown}");
    assert!(row("401").contains(" - "), "nobody\n{shown}");
    assert!(!row("401").contains("running"), "{shown}");
    assert_eq!(app.view.len(), 5, "one row a request");
}

#[test]
fn hostile_and_wide_names_break_nothing() {
    let names = [
        "日本語の名前のとても長いポッド",
        "👩‍👩‍👧‍👦-family",
        "a\u{202e}gpj.exe",
        "e\u{1b}[2J\u{1b}]0;x\u{7}",
        "z\u{200b}w\u{ad}",
        "\u{85}\u{9b}31m",
        "fl🇩🇪ag",
    ];
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 50)] {
        let mut app = empty_app(Config::default(), width, height);
        for (i, name) in names.iter().enumerate() {
            live(&mut app, &line(43_000 + i as u32, name, "get", "pods", name, 200));
        }
        for pressed in ["", "Enter", "v v", "Esc '"] {
            keys(&mut app, pressed);
            let drawn = buffer(&app, width, height);
            for cell in drawn.content() {
                let symbol = cell.symbol();
                let hostile = |c: char| c != '\u{fe0f}' && kauditui::text::is_hostile(c);
                assert!(!symbol.chars().any(hostile), "{symbol:?} at {width}x{height}");
            }
            let shown = screen(&app, width, height);
            for line in shown.lines() {
                assert!(kauditui::text::width(line) <= usize::from(width), "{line:?}");
                let framed = line.starts_with('│') || line.starts_with('┌') || line.starts_with('└');
                assert!(!framed || line.ends_with(['│', '┐', '┘']), "a broken border: {line:?}");
            }
        }
    }
}

#[test]
fn without_colours_there_are_none_and_meaning_stays() {
    let mut app = empty_app(Config { color: false, ..Config::default() }, 120, 36);
    history(&mut app, INCIDENT, 1);
    let drawn = buffer(&app, 120, 36);
    assert!(drawn.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(
        drawn.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)),
        "the cursor is seen"
    );
}

#[test]
fn with_ascii_only_every_sign_of_ours_is() {
    let mut app = empty_app(Config { ascii: true, ..Config::default() }, 120, 36);
    history(&mut app, INCIDENT, 1);
    for pressed in ["", "/", "Esc", "Enter", "Esc", "y", "Esc", ":", "Esc", "k k k"] {
        keys(&mut app, pressed);
        let shown = screen(&app, 120, 36);
        let odd: Vec<char> = shown.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "after {pressed}: {odd:?}\n{shown}");
    }
}

#[test]
fn a_silence_is_hatched_and_not_taken_for_quiet() {
    let mut app = empty_app(Config::default(), 120, 36);
    let lines: String =
        (0..60).chain(3000..3060).map(|s| line(s, "alice", "get", "pods", "p", 200)).collect();
    history(&mut app, &lines, 1);
    let shown = screen(&app, 120, 36);
    assert!(shown.contains('░'), "{shown}");
    assert!(shown.contains("30s/bar UTC") || shown.contains("m/bar UTC"), "{shown}");
}

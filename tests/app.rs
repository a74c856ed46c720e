//! The program driven by keys and data under a fixed clock, without a terminal.

mod common;

use common::app::*;
use kauditui::app::{Config, Effect, Focus, Mode};
use kauditui::model::SECOND;
use kauditui::query::parse;
use proptest::prelude::*;

fn selected_name(app: &kauditui::app::App) -> String {
    let id = app.timeline.selected().expect("a row");
    let segment = app.store.segment(id).expect("held");
    segment.string(kauditui::store::Field::Name, id.row()).to_owned()
}

fn lines(seconds: std::ops::Range<u32>) -> String {
    seconds.map(|s| line(s, "alice", "get", "pods", &format!("p{s}"), 200)).collect()
}

#[test]
fn the_newest_row_is_followed_until_one_moves_up() {
    let mut app = empty_app(Config::default(), 80, 24);
    live(&mut app, &lines(100..200));
    assert_eq!(selected_name(&app), "p199");
    live(&mut app, &lines(200..203));
    assert_eq!(selected_name(&app), "p202", "follows");
    keys(&mut app, "k");
    live(&mut app, &lines(203..210));
    assert_eq!(selected_name(&app), "p201", "paused");
    assert_eq!(app.timeline.new_below(&app.store, &app.view), 7);
    assert!(screen(&app, 80, 24).contains("7 new below, F follows"));
    keys(&mut app, "F");
    assert_eq!(selected_name(&app), "p209");
    assert_eq!(app.timeline.new_below(&app.store, &app.view), 0);
}

#[test]
fn the_selected_row_stays_where_it_is_whatever_comes_and_goes() {
    let mut app = empty_app(Config::default(), 80, 24);
    history(&mut app, &lines(1000..1100), 1);
    keys(&mut app, "k k k k k k k k k k k k k k k k k k k k");
    let row = app.timeline.position - app.timeline.top;
    let place = |app: &kauditui::app::App| (selected_name(app), app.timeline.position - app.timeline.top);
    live(&mut app, &lines(1100..1150));
    assert_eq!(place(&app), ("p1079".into(), row), "after live lines");
    history(&mut app, &lines(500..900), 2);
    assert_eq!(place(&app), ("p1079".into(), row), "after older history");
    assert!(app.store.evict_oldest());
    live(&mut app, &lines(1150..1151));
    assert_eq!(place(&app), ("p1079".into(), row), "after the oldest was dropped");
}

#[test]
fn a_wrong_filter_keeps_the_last_good_result() {
    let mut app = incident_app(80, 24);
    let all = app.view.len();
    keys(&mut app, "/");
    type_text(&mut app, "user:mallory");
    let good = app.view.len();
    assert!(good > 10 && good < all, "{good} of {all}");
    app.update(kauditui::app::Msg::Paste(" ns:".into()), now());
    work(&mut app);
    assert_eq!(app.view.len(), good, "incomplete");
    assert!(app.filter_bar.problem.as_ref().is_some_and(|p| p.incomplete));
    type_text(&mut app, "x usr:y");
    assert!(screen(&app, 80, 24).contains("there is no field 'usr'; did you mean user:?"));
    keys(&mut app, "Enter");
    assert!(matches!(app.mode, Mode::Filter), "a mistake can be mended");
    keys(&mut app, "Esc");
    assert_eq!((app.view.len(), app.filter_bar.text().as_str()), (all, ""), "Esc reverts");
}

#[test]
fn the_value_under_the_cursor_goes_into_the_filter() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "/");
    type_text(&mut app, "verb:delete name:novelapp");
    keys(&mut app, "Enter");
    assert_eq!(selected_name(&app), "novelapp");
    keys(&mut app, "Left =");
    assert_eq!(
        app.filter_bar.text(),
        "verb:delete name:novelapp",
        "the name column asks for what is asked already"
    );
    keys(&mut app, "Right +");
    assert_eq!(
        app.filter_bar.text(),
        "verb:delete name:novelapp user:system:serviceaccount:argocd:argocd-application-controller"
    );
    keys(&mut app, "^x Right -");
    assert!(app.filter_bar.text().starts_with("-ip:"), "{}", app.filter_bar.text());
}

#[test]
fn what_is_read_or_copied_does_not_change_under_the_reader() {
    let mut app = empty_app(Config::default(), 80, 24);
    live(&mut app, &lines(100..110));
    keys(&mut app, "Enter j j");
    let open = app.detail.as_ref().map(|d| (d.id, d.cursor));
    live(&mut app, &lines(110..120));
    assert_eq!(app.detail.as_ref().map(|d| (d.id, d.cursor)), open);
    keys(&mut app, "Esc F y");
    live(&mut app, &lines(120..121));
    let copied = keys(&mut app, "o");
    assert_eq!(copied, [Effect::Copy("prod/pods/p119".into())]);
}

#[test]
fn revealing_leaves_the_reader_in_place() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "/");
    type_text(&mut app, "verb:delete name:novelapp");
    keys(&mut app, "Enter Enter s j j j j j j j Enter j");
    let place = |app: &kauditui::app::App| {
        let detail = app.detail.as_ref().expect("open");
        (detail.id, detail.cursor, detail.tree.visible().len())
    };
    let before = place(&app);
    keys(&mut app, "r");
    assert!(app.detail.as_ref().is_some_and(|d| d.revealed));
    assert_eq!(place(&app), before);
}

#[test]
fn an_old_log_does_not_end_the_history_of_another() {
    let config = Config { since: Some("10m".into()), ..Config::default() };
    let mut app = empty_app(config, 80, 24);
    assert!(history(&mut app, &lines(0..10), 1).is_empty(), "an old log alone decides nothing yet");
    history(&mut app, &lines(43_000..43_100), 2);
    assert_eq!(app.range.map(|(since, _)| now() - since), Some(600 * SECOND), "counted from now");
    let effects = history(&mut app, &lines(20..30), 1);
    assert_eq!(effects, [Effect::EnoughHistory(kauditui::model::SourceId(0))]);
}

#[test]
fn jumps_find_their_rows() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "g");
    keys(&mut app, "e");
    let code = |app: &kauditui::app::App| {
        let id = app.timeline.selected().expect("a row");
        app.store.segment(id).expect("held").code(id.row())
    };
    assert!(code(&app) >= 400);
    keys(&mut app, "/");
    type_text(&mut app, "verb:delete name:novelapp");
    keys(&mut app, "Enter \\");
    assert!(!app.filter_bar.narrow && app.view.len() > 100, "all rows, matches marked");
    keys(&mut app, "g n");
    assert_eq!(selected_name(&app), "novelapp");
    let at = app.timeline.position;
    keys(&mut app, "O");
    assert!(app.timeline.position < at && selected_name(&app) == "novelapp", "an earlier event on it");
    keys(&mut app, "o");
    assert_eq!(app.timeline.position, at);
    keys(&mut app, "T");
    type_text(&mut app, "21:59:30");
    keys(&mut app, "Enter");
    let time = app.timeline.selected_time().expect("a row");
    assert!(kauditui::model::format_rfc3339(time).starts_with("2026-11-20T21:59:3"), "{time}");
}

#[test]
fn marks_are_kept_listed_and_shown_alone() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "g m e m");
    assert_eq!(app.marks.len(), 2);
    keys(&mut app, "M");
    assert_eq!(app.view.len(), 2);
    keys(&mut app, "Esc");
    assert!(app.view.len() > 2 && !app.marks_only);
    keys(&mut app, "End '");
    assert!(screen(&app, 80, 24).contains("Marks"));
    keys(&mut app, "Enter");
    assert!(app.timeline.selected().is_some_and(|id| app.marks.contains(&id)));
}

#[test]
fn the_detail_folds_finds_and_shows_every_stage() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "/");
    type_text(&mut app, "verb:delete name:novelapp");
    keys(&mut app, "Enter Enter");
    assert_eq!(app.focus, Focus::Detail);
    let shown = screen(&app, 80, 24);
    assert!(shown.contains("203.0.113.66") && shown.contains("argocd-admin"), "{shown}");
    let first = app.detail.as_ref().expect("open").id;
    assert_eq!(app.detail.as_ref().expect("open").stages.len(), 2);
    keys(&mut app, ">");
    assert_ne!(app.detail.as_ref().expect("open").id, first);
    keys(&mut app, "> /");
    type_text(&mut app, "credential-id");
    keys(&mut app, "Enter");
    let detail = app.detail.as_ref().expect("open");
    assert!(detail.tree.lines()[detail.line().expect("a line")].key.contains("credential-id"));
    let before = detail.tree.visible().len();
    keys(&mut app, "g j j j j j j j Enter");
    assert_ne!(app.detail.as_ref().expect("open").tree.visible().len(), before, "folded");
    keys(&mut app, "Esc");
    assert_eq!(app.focus, Focus::Rows);
}

#[test]
fn escape_never_quits_and_q_quits_at_the_root() {
    let mut app = incident_app(80, 24);
    assert_eq!(keys(&mut app, "Esc Esc Esc"), []);
    assert_eq!(keys(&mut app, "Enter q"), [], "q leaves the detail");
    assert_eq!(keys(&mut app, "q"), [Effect::Quit]);
    assert_eq!(keys(&mut app, "/ ^c"), [Effect::Quit], "also while typing");
}

#[test]
fn copies_are_masked_until_revealed() {
    let secret = "aHVudGVyMi12ZXJ5LXNlY3JldA==";
    let event = line(5, "bob", "get", "secrets", "db", 200).replace(
        "\"level\":\"Metadata\"",
        &format!("\"level\":\"RequestResponse\",\"responseObject\":{{\"kind\":\"Secret\",\"data\":{{\"p\":\"{secret}\"}}}}"),
    );
    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &event, 1);
    for what in ["e", "p"] {
        let copied = keys(&mut app, &format!("y {what}"));
        let [Effect::Copy(text)] = copied.as_slice() else { panic!("{copied:?}") };
        assert!(text.contains("masked") && !text.contains(secret), "{text}");
    }
    keys(&mut app, "Enter");
    assert!(!screen(&app, 120, 36).contains(secret));
    keys(&mut app, "r");
    let copied = keys(&mut app, "y e");
    assert!(matches!(copied.as_slice(), [Effect::Copy(text)] if text.contains(secret)));
    assert!(screen(&app, 120, 36).contains("REVEALED"));
}

#[test]
fn the_command_reopens_the_view() {
    let mut app = incident_app(80, 24);
    app.config.arguments = vec!["/var/log/my audit.log".into()];
    keys(&mut app, "/");
    type_text(&mut app, "user:\"CN=a, O=b\" or novelapp");
    keys(&mut app, "Enter");
    let command = app.reopening_command();
    assert!(command.starts_with("kauditui -f 'user:\"CN=a, O=b\" or novelapp' --at "), "{command}");
    assert!(command.ends_with(" '/var/log/my audit.log'"), "{command}");
}

#[test]
fn since_counts_from_now_or_from_the_end_of_an_old_log() {
    let since = |newest: u32| {
        let config = Config { since: Some("10m".into()), ..Config::default() };
        let mut app = empty_app(config, 80, 24);
        history(&mut app, &lines(newest - 3600..newest), 1);
        (app.view.len(), app.range)
    };
    // The clock stands at 22:01; a log that ends at 11:00 is no longer written.
    let (old, _) = since(3600);
    assert_eq!(old, 601, "ten minutes before its newest event, both ends included");
    // One that ends a minute ago: ten minutes before now.
    let (live, range) = since(12 * 3600);
    assert_eq!(live, 9 * 60);
    assert_eq!(range.map(|(start, _)| now() - start), Some(600 * SECOND));
}

#[test]
fn it_opens_at_an_audit_id() {
    let wanted = INCIDENT
        .lines()
        .find(|l| l.contains("\"verb\":\"delete\"") && l.contains("novelapp"))
        .expect("there");
    let id =
        wanted.split("\"auditID\":\"").nth(1).and_then(|r| r.split('"').next()).expect("an id").to_owned();
    let mut app = empty_app(Config { at: Some(id), ..Config::default() }, 80, 24);
    history(&mut app, INCIDENT, 1);
    assert_eq!(selected_name(&app), "novelapp");
    assert!(!app.timeline.following);
}

#[test]
fn memory_is_kept_by_leaving_out_what_is_oldest() {
    let mut app = empty_app(Config { memory_limit: 300_000, ..Config::default() }, 80, 24);
    history(&mut app, &lines(20_000..21_000), 1);
    let mut stopped = false;
    for block in (0..19).rev() {
        stopped |=
            history(&mut app, &lines(block * 1000..(block + 1) * 1000), 1).contains(&Effect::StopHistory);
    }
    assert!(stopped && app.memory_full);
    assert!(app.store.memory_bytes() <= 300_000, "{}", app.store.memory_bytes());
    assert!(screen(&app, 120, 36).contains("full"));
    keys(&mut app, "/");
    type_text(&mut app, "nowhere");
    assert!(screen(&app, 80, 24).contains("Memory is full: older events are not held"));
}

#[test]
fn routine_traffic_is_hidden_and_counted() {
    let mut app = incident_app(120, 36);
    let shown = app.view.len();
    let folded = app.view.folded();
    assert!(folded > 3, "{folded}");
    assert!(screen(&app, 120, 36).contains(&format!("routine hidden: {folded} (x shows)")));
    keys(&mut app, "x");
    assert_eq!((app.view.len(), app.view.folded()), (shown + folded, 0));
    keys(&mut app, "S");
    assert_eq!(app.view.len(), INCIDENT.lines().count(), "every stage is a row");
}

#[test]
fn an_empty_result_says_what_was_looked_at() {
    let mut app =
        empty_app(Config { filter: parse("nowhere").expect("a filter"), ..Config::default() }, 120, 36);
    history(&mut app, &lines(0..50).replace("\"verb\":\"get\"", "\"verb\":\"patch\""), 1);
    let shown = screen(&app, 120, 36);
    for part in
        ["Nothing matches nowhere", "Looked at 50 records", "the audit policy leaves reads out", "no bodies"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]".prop_map(|c| if c == " " { "Space".to_owned() } else { c }),
        prop::sample::select(vec![
            "Enter", "Esc", "Tab", "Up", "Down", "Left", "Right", "Home", "End", "PgDn", "PgUp"
        ])
        .prop_map(str::to_owned),
        "[abdflnpux]".prop_map(|c| format!("^{c}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_keys_and_no_size_make_it_fail(
        pressed in prop::collection::vec(any_key(), 0..60),
        sizes in prop::collection::vec((1u16..220, 1u16..70), 1..4),
    ) {
        let mut app = incident_app(80, 24);
        for (width, height) in sizes {
            app.update(kauditui::app::Msg::Resize(width, height), now());
            for key in &pressed {
                keys(&mut app, key);
            }
            live(&mut app, &lines(50_000..50_003));
            let drawn = buffer(&app, width, height);
            prop_assert!(drawn.content().iter().all(|cell| !cell.symbol().chars().any(char::is_control)));
        }
    }
}

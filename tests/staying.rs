//! What stays, and what must not, when the same log is looked at in another way: matches marked instead of shown
//! alone, secret values revealed, memory given back.

mod common;

use common::app::*;
use kauditui::app::{App, Config, Msg};

fn filter(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, &format!("filter {text}"));
    keys(app, "Enter");
}

fn command(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter");
}

#[test]
fn the_same_event_stays_selected_while_matches_are_marked() {
    let mut app = empty_app(Config::default(), 120, 36);
    let lines = [
        line(10, "alice", "delete", "pods", "web", 200),
        line(20, "bob", "get", "pods", "web", 200),
        line(30, "bob", "get", "pods", "db", 200),
    ];
    history(&mut app, &lines.concat(), 1);
    filter(&mut app, "verb:delete");
    assert!(app.timeline.following);
    let selected = app.timeline.selected();
    keys(&mut app, "\\");
    assert_eq!((app.view.len(), app.timeline.selected()), (3, selected));
    live(&mut app, &line(40, "bob", "get", "pods", "db", 200));
    assert_eq!((app.view.len(), app.timeline.selected()), (4, selected), "nor do new rows take it away");
    keys(&mut app, "\\");
    assert_eq!((app.view.len(), app.timeline.selected()), (1, selected));

    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &lines.concat(), 1);
    keys(&mut app, "\\");
    assert!(app.timeline.following, "without a filter there is nothing to leave");
}

/// A Secret that somebody made.
fn secret(second: u32) -> String {
    let created = line(second, "alice", "create", "secrets", "db", 201);
    let body = r#""requestObject":{"kind":"Secret","apiVersion":"v1","data":{"password":"aHVudGVyMg=="}},"#;
    let created = created.replace(r#""level":"Metadata""#, r#""level":"Request""#);
    created.replacen("\"requestReceivedTimestamp\"", &format!("{body}\"requestReceivedTimestamp\""), 1)
}

#[test]
fn revealing_and_masking_ask_again_what_texts_answer() {
    for question in ["request.data.password:aHVudGVyMg==", "text:aHVudGVyMg"] {
        let mut app = empty_app(Config::default(), 120, 36);
        history(&mut app, &(secret(10) + &line(20, "bob", "get", "pods", "web", 200)), 1);
        filter(&mut app, question);
        for (key, found) in [("", 0), ("r", 1), ("r", 0), ("r", 1)] {
            keys(&mut app, key);
            assert_eq!(app.view.len(), found, "{question}");
        }
        keys(&mut app, "\\ r r");
        assert_eq!(
            app.matches.as_ref().map(|matches| matches.len()),
            Some(1),
            "also where it is only marked"
        );
        keys(&mut app, "\\");
        command(&mut app, "by user");
        for found in [0, 1] {
            keys(&mut app, "r");
            assert_eq!(app.statistics.groups().len(), found, "{question}: statistics");
        }
        keys(&mut app, "1 r");
        command(&mut app, "facets user");
        let listed = |app: &App| match &app.mode {
            kauditui::app::Mode::Facets(facets) => facets.len(),
            other => panic!("no facets: {other:?}"),
        };
        assert_eq!(listed(&app), 0);
        keys(&mut app, "Esc Esc r f u s e r Enter");
        assert_eq!(listed(&app), 1, "{question}: facets");
    }
}

#[test]
fn what_is_dropped_to_give_memory_back_leaves_the_screen() {
    let mut app = empty_app(Config::default(), 120, 36);
    for second in [10, 1000] {
        let lines: String = (0..50).map(|at| line(second + at, "alice", "get", "pods", "web", 200)).collect();
        history(&mut app, &lines, second);
    }
    assert_eq!(app.view.len(), 100);
    let effects = app.update(Msg::Resident(usize::MAX), now());
    work(&mut app);
    assert!(app.memory_full && !effects.is_empty());
    assert_eq!((app.store.held_records(), app.view.len()), (50, 50));
    let rows = screen(&app, 120, 36).matches("alice").count();
    assert!(rows > 0 && rows <= 50, "{rows}");
}

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

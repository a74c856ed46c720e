//! Counts and the rows behind them: Enter on a group shows exactly the rows that it counted, whatever the field, and a
//! masked value leads nowhere.

mod common;

use std::collections::BTreeSet;

use common::app::*;
use kauditui::app::{App, Config, Mode, Screen};
use kauditui::model::SourceId;
use kauditui::query::{
    Context, FIELDS, Grouping, Plan, Rows, SortBy, View, ViewOptions, condition_for, has_values, parse,
};
use kauditui::store::Store;
use serde_json::{Value, json};

const API_SERVER: &str = include_str!("data/kube-apiserver.jsonl");

fn command(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter");
}

fn with(line: &str, members: &[(&str, Value)]) -> String {
    let mut event: Value = serde_json::from_str(line).expect("JSON");
    for (pointer, value) in members {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("a parent")[key] = value.clone();
    }
    event.to_string() + "\n"
}

fn with_token() -> String {
    let uri =
        "/api/v1/namespaces/prod/pods/web/proxy?access_token=ZXlKaGJHY2lPaUpTVXpJMU5pSXNJbXRwWkNJNklnPT0";
    with(&line(10, "alice", "get", "pods", "web", 200), &[("/requestURI", json!(uri))])
}

fn a_masked_value_is_not_gone_into() {
    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &(with_token() + &line(20, "bob", "get", "pods", "web", 200)), 1);
    let is_refused = |app: &App| {
        let said = app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("masked"));
        assert!(said && app.filter_bar.text().is_empty(), "{:?} {}", app.message, app.filter_bar.text());
    };
    command(&mut app, "by verb,uri");
    let masked = |row: &[Box<str>]| row.iter().any(|value| value.contains("masked"));
    let at = app.statistics.groups().iter().position(|group| masked(&group.values)).expect("a masked row");
    keys(&mut app, &["g"].iter().chain(std::iter::repeat_n(&"j", at)).copied().collect::<Vec<_>>().join(" "));
    keys(&mut app, "Enter");
    is_refused(&app);
    assert_eq!(app.screen, Screen::Statistics, "one stays where one was");

    command(&mut app, "facets uri");
    let Mode::Facets(facets) = &app.mode else { panic!("no facets") };
    let at = facets.values().position(|group| masked(&group.values)).expect("a masked value");
    keys(&mut app, &vec!["j"; at].join(" "));
    for key in ["Enter", "+", "-", "="] {
        keys(&mut app, key);
        is_refused(&app);
    }
    let Mode::Facets(facets) = &app.mode else { panic!("no facets") };
    assert!(facets.scope.is_empty());
}

fn deletions_of_events_are_changes_and_reports_are_not() {
    let mut app = empty_app(Config::default(), 120, 36);
    let on_events = |second: u32, user: &str, verb: &str| line(second, user, verb, "events", "web.1", 200);
    let kubelet = "system:node:n1";
    let bot = "system:serviceaccount:ci:bot";
    let lines = [
        on_events(10, kubelet, "create"),
        on_events(20, bot, "create"),
        on_events(21, bot, "patch"),
        with(&on_events(22, bot, "create"), &[("/objectRef/apiGroup", json!("events.k8s.io"))]),
        on_events(30, "mallory", "delete"),
        with(
            &on_events(31, "mallory", "deletecollection"),
            &[("/objectRef/apiGroup", json!("events.k8s.io"))],
        ),
        on_events(40, "alice", "create"),
        on_events(50, "system:serviceaccount:ci:thief", "delete"),
    ];
    history(&mut app, &lines.concat(), 1);
    command(&mut app, "changes 2026-11-20T00:00:00Z");
    let changed: BTreeSet<(String, String)> = app
        .statistics
        .changed()
        .iter()
        .flat_map(|c| c.verbs.iter().map(|(verb, _)| (c.user.to_string(), verb.to_string())))
        .collect();
    let expected = [
        ("mallory", "delete"),
        ("mallory", "deletecollection"),
        ("alice", "create"),
        ("system:serviceaccount:ci:thief", "delete"),
    ];
    assert_eq!(changed, expected.map(|(user, verb)| (user.to_owned(), verb.to_owned())).into());
}

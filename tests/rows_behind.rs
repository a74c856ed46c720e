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

/// A line with some of its members replaced.
fn with(line: &str, members: &[(&str, Value)]) -> String {
    let mut event: Value = serde_json::from_str(line).expect("JSON");
    for (pointer, value) in members {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("a parent")[key] = value.clone();
    }
    event.to_string() + "\n"
}

/// Requests of which a value has more names than one, or stands in more places than one.
fn ambiguous() -> String {
    let get = |second: u32, user: &str| line(second, user, "get", "pods", "web", 200);
    let reason = |binding: &str| {
        let text = format!(r#"RBAC: allowed by RoleBinding "{binding}" of Role "view" to User "alice""#);
        (
            "/annotations",
            json!({ "authorization.k8s.io/reason": text, "authorization.k8s.io/decision": "allow" }),
        )
    };
    let as_alice = ("/impersonatedUser", json!({"username": "alice", "groups": ["dev"]}));
    let credential = |id: &str| ("/user/extra", json!({"authentication.kubernetes.io/credential-id": [id]}));
    let issued = json!({"authentication.kubernetes.io/issued-credential-id": "JTI=1"});
    [
        with(&get(10, "alice"), &[("/user/groups", json!(["dev"])), reason("prod"), credential("JTI=1")]),
        with(&get(20, "system:serviceaccount:ci:bot"), &[as_alice.clone(), reason("ci/prod")]),
        with(&get(30, "alice"), &[as_alice, ("/sourceIPs", json!(["::ffff:10.0.0.9"]))]),
        with(&get(40, "alice@example.com"), &[("/annotations", issued), ("/objectRef/name", json!("Web"))]),
        with(&get(50, "Alice"), &[("/objectRef/apiGroup", json!("metrics.k8s.io"))]),
        with(
            &get(60, "bob"),
            &[("/objectRef/apiGroup", json!("apps")), ("/objectRef/resource", json!("pod"))],
        ),
        with(
            &get(70, ""),
            &[("/sourceIPs", json!([])), ("/userAgent", json!("")), ("/objectRef", Value::Null)],
        ),
    ]
    .concat()
}

#[test]
fn every_group_of_every_field_counts_the_rows_of_its_condition() {
    /// Of fields such as auditID, one in so many.
    const GROUPS: usize = 60;
    let mut store = Store::new();
    for (origin, lines) in [INCIDENT, API_SERVER, &ambiguous()].into_iter().enumerate() {
        store.push(*batch(lines, origin as u32));
    }
    let context = Context { sources: [(SourceId(0), "audit.log".to_owned())].into(), ..Context::default() };
    let everything = ViewOptions { all_stages: true, ..ViewOptions::default() };
    let mut view = View::new(Plan::everything(), everything.clone());
    view.restart(&store, Plan::everything(), everything);
    assert!(view.advance(&store, || true));
    let mut asked = 0;
    for info in FIELDS.iter().filter(|info| has_values(info.field)) {
        let mut grouping = Grouping::new(vec![info.field], Vec::new());
        assert!(grouping.update(&store, &view, &context, || true));
        let groups = grouping.groups(SortBy::Value(0), false);
        for group in groups.iter().step_by(groups.len().div_ceil(GROUPS)) {
            let condition = condition_for(info.field, &group.values[0]).to_string();
            let plan = Plan::compile(&parse(&condition).expect(&condition), &context);
            let found: u32 =
                store.entries().map(|(number, entry)| plan.rows(Rows::held(number, entry)).count()).sum();
            assert_eq!(u64::from(found), group.stats.count, "{condition}");
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
}

#[test]
fn enter_on_a_group_shows_the_rows_that_it_counted() {
    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &(INCIDENT.to_owned() + &ambiguous()), 1);
    keys(&mut app, "x");
    for info in FIELDS.iter().filter(|info| has_values(info.field)) {
        command(&mut app, &format!("by {}", info.name));
        for _ in 0..app.statistics.groups().len().min(4) {
            let group = &app.statistics.groups()[app.statistics.cursor.row];
            let (count, value) = (group.stats.count, group.values[0].to_string());
            keys(&mut app, "Enter");
            assert_eq!(
                (app.screen, app.view.len() as u64),
                (Screen::Timeline, count),
                "{}: {value}",
                info.name
            );
            keys(&mut app, "Esc j");
            assert_eq!(app.screen, Screen::Statistics);
        }
    }

    // What alice did, and what others did as alice, are told apart in tables and together on the users screen.
    command(&mut app, "filter user:alice*");
    command(&mut app, "by user");
    let counts: Vec<(String, u64)> =
        app.statistics.groups().iter().map(|g| (g.values[0].to_string(), g.stats.count)).collect();
    let bot = "system:serviceaccount:ci:bot".to_owned();
    assert!(counts.contains(&("alice".to_owned(), 2)) && counts.contains(&(bot, 1)), "{counts:?}");
    command(&mut app, "filter user:\"alice\"");
    assert_eq!(app.view.len(), 3);
}

/// A request whose URI holds a credential.
fn with_token() -> String {
    let uri =
        "/api/v1/namespaces/prod/pods/web/proxy?access_token=ZXlKaGJHY2lPaUpTVXpJMU5pSXNJbXRwWkNJNklnPT0";
    with(&line(10, "alice", "get", "pods", "web", 200), &[("/requestURI", json!(uri))])
}

#[test]
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

#[test]
fn only_the_absence_of_a_field() {
    let mut app = empty_app(Config::default(), 80, 24);
    let clusterwide = line(10, "bob", "list", "pods", "", 200).replace("\"namespace\":\"prod\",", "");
    history(&mut app, &(clusterwide + &line(20, "alice", "get", "pods", "web", 200)), 1);
    command(&mut app, "filter verb:get,list -ns:kube-system");
    command(&mut app, "facets ns");
    keys(&mut app, "=");
    assert_eq!((app.filter_bar.text().as_str(), app.view.len()), ("verb:get,list ns:\"\"", 1));
}

#[test]
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

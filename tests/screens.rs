//! The screens beside the timeline as pictures of text. What each says is counted a second time here, from the lines
//! themselves.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::app::*;
use kauditui::app::App;
use kauditui::query::Group;
use serde_json::Value;

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 36)];

/// Draws the program, compares with the kept picture, and returns what is drawn.
fn picture(name: &str, app: &App, (width, height): (u16, u16)) -> String {
    let shown = screen(app, width, height);
    insta::assert_snapshot!(format!("{name}_{width}x{height}"), shown);
    shown
}

/// The record that stands for each request: its first answer, else its receipt.
fn requests() -> Vec<Value> {
    let rank = |event: &Value| match at(event, "/stage").as_str() {
        "ResponseStarted" => 2,
        "ResponseComplete" | "Panic" => 1,
        _ => 0,
    };
    let mut requests: BTreeMap<String, Value> = BTreeMap::new();
    for line in INCIDENT.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let known = requests.entry(at(&event, "/auditID")).or_insert_with(|| event.clone());
        if rank(&event) > rank(known) {
            *known = event;
        }
    }
    requests.into_values().collect()
}

fn at(event: &Value, pointer: &str) -> String {
    match event.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn user(event: &Value) -> String {
    at(event, "/user/username")
}

/// An impersonated request counts for both.
fn is_by_or_as(event: &Value, name: &str) -> bool {
    user(event) == name || at(event, "/impersonatedUser/username") == name
}

fn code(event: &Value) -> u64 {
    event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0)
}

/// What changes something or runs something, whatever its verb.
fn is_write(event: &Value) -> bool {
    matches!(at(event, "/verb").as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
        || matches!(at(event, "/objectRef/subresource").as_str(), "exec" | "attach" | "portforward" | "proxy")
}

/// A machine tells by an Event what it did.
fn is_reported(event: &Value) -> bool {
    at(event, "/objectRef/resource") == "events"
        && matches!(at(event, "/verb").as_str(), "create" | "update" | "patch")
        && user(event).starts_with("system:")
}

/// A name of the incident's people as narrow columns show it.
fn short(name: &str) -> &str {
    name.strip_suffix("@example.com").unwrap_or(name)
}

/// Requests by what `key` says of them.
fn counts<K: Ord>(key: impl Fn(&Value) -> K) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for event in requests() {
        *counts.entry(key(&event)).or_default() += 1;
    }
    counts
}

/// The rows of a table of groups: values and count.
fn grouped(groups: &[Group]) -> BTreeMap<Vec<String>, u64> {
    groups
        .iter()
        .map(|group| (group.values.iter().map(ToString::to_string).collect(), group.stats.count))
        .collect()
}

fn command(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter");
}

/// The line of the screen that holds a text.
fn line_with<'s>(shown: &'s str, text: &str) -> &'s str {
    shown.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}\n{shown}"))
}

#[test]
fn users_with_the_profile_of_one() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        keys(&mut app, "2 j");
        let shown = picture("users", &app, size);
        assert_eq!(app.users.selected().map(|actor| actor.name.as_ref()), Some("admin@example.com"));

        // Nothing that people do is routine, so the table counts all of it.
        let mut people = 0;
        for name in ["mallory@example.com", "bob@example.com", "admin@example.com", "alice@example.com"] {
            let own: Vec<Value> = requests().into_iter().filter(|event| is_by_or_as(event, name)).collect();
            let namespaces: BTreeSet<String> = own.iter().map(|e| at(e, "/objectRef/namespace")).collect();
            let namespaces = namespaces.iter().filter(|namespace| !namespace.is_empty()).count();
            let number = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
            let truth = [
                number(own.len()),
                number(own.iter().filter(|e| is_write(e)).count()),
                number(own.iter().filter(|e| code(e) >= 400).count()),
                number(own.iter().filter(|e| code(e) == 403).count()),
                namespaces.to_string(),
            ];
            let row = line_with(&shown, &format!(" {}", short(name))).trim_start_matches('▶').trim();
            let cells: Vec<&str> = row
                .split_whitespace()
                .skip_while(|word| !word.starts_with(char::is_numeric))
                .take(5)
                .collect();
            assert_eq!(cells, truth, "{name}\n{shown}");
            people += 1;
        }
        assert!(shown.contains(&format!("people ({people}")), "{shown}");
        let told = line_with(&shown, "│ verbs");
        let admins = requests().into_iter().filter(|event| is_by_or_as(event, "admin@example.com"));
        let creates = admins.filter(|event| at(event, "/verb") == "create").count();
        assert!(told.contains(&format!("create {creates}")), "{told}");
        assert!(line_with(&shown, "│ acting").contains("1 made as this user by somebody else"), "{shown}");
    }
}

#[test]
fn users_whoever_they_are() {
    let mut app = incident_app(80, 24);
    // With routine traffic shown and every section open, all requests are counted.
    keys(&mut app, "2 x");
    while let Some(folded) = app.users.lines().iter().position(
        |line| matches!(line, kauditui::app::users::Line::Heading { section, .. } if app.users.is_folded(*section)),
    ) {
        let down = folded as isize - app.users.cursor.row as isize;
        keys(&mut app, &if down < 0 { "k " } else { "j " }.repeat(down.unsigned_abs()));
        keys(&mut app, "Enter");
    }
    let shown = (0..app.users.len()).filter_map(|at| app.users.actor(at));
    let shown: BTreeMap<String, u64> = shown.map(|a| (a.name.to_string(), a.stats.count)).collect();
    let mut truth = counts(user);
    for (name, count) in &mut truth {
        if !name.is_empty() {
            *count = requests().iter().filter(|event| is_by_or_as(event, name)).count() as u64;
        }
    }
    assert_eq!(shown, truth);
    let headings = app.users.lines().len() - app.users.len();
    assert!(headings >= 5, "people, nobody, service accounts, controllers, nodes, control plane: {headings}");
}

#[test]
fn top_talkers() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        keys(&mut app, "5");
        let shown = picture("top_talkers", &app, size);
        let counted = counts(user);
        let (most, count) = counted.iter().max_by_key(|(_, count)| **count).expect("somebody");
        let first = shown.lines().find(|line| line.starts_with('▶')).expect("a cursor");
        assert!(first.contains(short(most)) && first.contains(&format!(" {count} ")), "{first}");
        assert!(shown.contains("top talkers") && shown.contains("table 1 of 7"), "{shown}");
    }
}

#[test]
fn groups_of_any_fields() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "x");
    command(&mut app, "by user,verb");
    let truth = counts(|event| vec![user(event), at(event, "/verb")]);
    assert_eq!(grouped(app.statistics.groups()), truth);
    assert_eq!(app.statistics.total(), requests().len() as u64);
    for group in app.statistics.groups() {
        let own: Vec<Value> = requests()
            .into_iter()
            .filter(|e| user(e) == *group.values[0] && at(e, "/verb") == *group.values[1])
            .collect();
        let failed = own.iter().filter(|e| code(e) >= 400).count() as u64;
        let writes = own.iter().filter(|e| is_write(e)).count() as u64;
        assert_eq!((group.stats.failed, group.stats.writes), (failed, writes), "{:?}", group.values);
    }
    assert!(screen(&app, 120, 36).contains(&format!("{} rows", truth.len())));

    command(&mut app, "by usr");
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("there is no field 'usr'; did you mean user?"), "{shown}");
    command(&mut app, "by is");
    assert!(screen(&app, 120, 36).contains("cannot be grouped by is"));
    command(&mut app, "by user,verb,code,ns,name");
    assert!(screen(&app, 120, 36).contains("at most four fields"));
}

#[test]
fn the_slowest_requests() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        keys(&mut app, "x 5 Tab Tab");
        let shown = picture("slowest", &app, size);
        let time = |event: &Value, pointer: &str| {
            kauditui::model::parse_rfc3339(at(event, pointer).as_bytes()).expect("a time")
        };
        // Of what lasts by its nature only the first answer stands for the request, which tells no duration.
        let took = |event: &Value| time(event, "/stageTimestamp") - time(event, "/requestReceivedTimestamp");
        let ended = requests().into_iter().filter(|e| at(e, "/stage") == "ResponseComplete");
        let slowest = ended.max_by_key(took).expect("a request");
        let first = shown.lines().find(|line| line.starts_with('▶')).expect("a cursor");
        assert!(first.contains(&at(&slowest, "/verb")), "{first}\n{slowest}");
        let id = app.statistics.slow()[0].id;
        assert_eq!(app.store.segment(id).expect("held").audit_id(id.row()), at(&slowest, "/auditID"));
        assert_eq!(app.statistics.slow()[0].took, took(&slowest));
    }
}

#[test]
fn what_was_changed() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        command(&mut app, "changes -30m");
        let shown = picture("changes", &app, size);
        // Successful writes of people, and of the service accounts that are no controllers; none is without effect.
        let wanted = |event: &Value| {
            let name = user(event);
            let machine = name.is_empty()
                || name == "system:anonymous"
                || name.starts_with("system:node:")
                || (name.starts_with("system:") && !name.starts_with("system:serviceaccount:"))
                || (name.starts_with("system:serviceaccount:kube-system:") && name.ends_with("-controller"));
            is_write(event)
                && (1..400).contains(&code(event))
                && !machine
                && !at(event, "/requestURI").contains("dryRun=")
                && !at(event, "/objectRef/resource").ends_with("reviews")
                && !is_reported(event)
        };
        assert!(requests().iter().any(|event| wanted(event) && at(event, "/objectRef/resource") == "events"));
        let rows: BTreeSet<(String, String)> = requests()
            .iter()
            .filter(|event| wanted(event))
            .map(|event| {
                let group = at(event, "/objectRef/apiGroup");
                let dot = if group.is_empty() { "" } else { "." };
                let (namespace, resource, name) = (
                    at(event, "/objectRef/namespace"),
                    at(event, "/objectRef/resource"),
                    at(event, "/objectRef/name"),
                );
                (user(event), format!("{namespace}/{resource}{dot}{group}/{name}"))
            })
            .collect();
        let listed: BTreeSet<(String, String)> =
            app.statistics.changed().iter().map(|c| (c.user.to_string(), c.object.to_string())).collect();
        assert!(rows.len() > 3, "the incident holds changes");
        assert_eq!(listed, rows, "{shown}");
        assert!(shown.contains("changes since -30m"), "{shown}");
    }
    let mut app = incident_app(80, 24);
    command(&mut app, "changes yesteryear");
    assert!(app.message.as_ref().is_some_and(|(_, wrong)| *wrong), "{:?}", app.message);
}

#[test]
fn facets_of_fields_and_values() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        keys(&mut app, "x f");
        let shown = picture("facets_fields", &app, size);
        assert!(shown.contains("Facets: which field?") && shown.contains("impersonated"), "{shown}");
        type_text(&mut app, "user");
        keys(&mut app, "Enter");
        let shown = picture("facets_values", &app, size);
        let all = requests().len() as u64;
        let by_user = counts(user);
        assert!(shown.contains(&format!("user: {} values in {all} rows", by_user.len())), "{shown}");
        for name in ["mallory@example.com", "bob@example.com"] {
            let share = by_user[name] as f64 * 100.0 / all as f64;
            let row = line_with(&shown, &format!("│ {name}"));
            assert!(row.contains(&format!(" {} ", by_user[name])), "{row}");
            assert!(row.contains(&format!("{share:.1}%")), "{share} in {row}");
        }

        // Going into a value, then into a field of the rows that have it.
        keys(&mut app, "Enter");
        type_text(&mut app, "verb");
        keys(&mut app, "Enter");
        let shown = picture("facets_nested", &app, size);
        let by_verb = counts(|event| (user(event), at(event, "/verb")));
        let mallorys: BTreeMap<&str, u64> = by_verb
            .iter()
            .filter(|((name, _), _)| name == "mallory@example.com")
            .map(|((_, verb), count)| (verb.as_str(), *count))
            .collect();
        assert!(shown.contains("user:mallory@example.com > verb"), "{shown}");
        for (verb, count) in &mallorys {
            let share = *count as f64 * 100.0 / by_user["mallory@example.com"] as f64;
            let row = line_with(&shown, &format!("│ {verb} "));
            assert!(row.contains(&format!(" {count} ")) && row.contains(&format!("{share:.1}%")), "{row}");
        }
        assert!(shown.contains(&format!("{} values in", mallorys.len())), "{shown}");
    }
}

#[test]
fn offers_while_a_filter_is_typed() {
    for size in SIZES {
        let mut app = incident_app(size.0, size.1);
        keys(&mut app, "x /");
        type_text(&mut app, "na");
        let shown = picture("offers_fields", &app, size);
        assert!(line_with(&shown, "│ ns ").contains("in which namespace"), "{shown}");
        keys(&mut app, "Esc /");
        type_text(&mut app, "verb:list user:");
        let shown = picture("offers_values", &app, size);
        for ((name, _), count) in counts(|event| (user(event), at(event, "/verb")))
            .iter()
            .filter(|((name, verb), _)| verb == "list" && !name.is_empty())
        {
            let offer = app.suggestions.items().iter().find(|offer| offer.text == *name);
            assert_eq!(offer.and_then(|offer| offer.count), Some(*count), "{name}");
        }
        let first = &app.suggestions.items()[0];
        let row = line_with(&shown, &format!("│ {}", first.text));
        assert!(row.contains(&format!(" {} │", first.count.expect("a count"))), "{row}");
        // Every field of the language is offered where nothing is typed.
        keys(&mut app, "Esc /");
        assert_eq!(app.suggestions.items().len(), kauditui::query::FIELDS.len());
    }
}

//! The analyses on the screen: history, cause chain, why allowed or refused, sessions; the way from one to the other
//! and back; what is copied and saved of them.

mod common;

use common::app::*;
use kauditui::app::{App, Effect, SaveContent, Screen};
use kauditui::store::Field;

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 36)];

/// The incident with the cursor on the newest event that a filter leaves.
fn at(filter: &str, (width, height): (u16, u16)) -> App {
    let mut app = incident_app(width, height);
    keys(&mut app, "/");
    type_text(&mut app, filter);
    keys(&mut app, "Enter");
    work(&mut app);
    assert!(!app.view.is_empty(), "{filter} leaves something");
    keys(&mut app, "k j");
    app
}

const DELETION: &str = "verb:delete name:novelapp resource:deployments";

fn picture(name: &str, app: &App, (width, height): (u16, u16)) -> String {
    let shown = screen(app, width, height);
    insta::assert_snapshot!(format!("{name}_{width}x{height}"), shown);
    shown
}

fn selected(app: &App) -> (String, String) {
    let id = app.timeline.selected().expect("an event");
    let segment = app.store.segment(id).expect("it is held");
    let text = |field| segment.string(field, id.row()).to_owned();
    (text(Field::Verb), text(Field::Name))
}

#[test]
fn the_history_of_an_object() {
    for size in SIZES {
        let mut app = at(DELETION, size);
        keys(&mut app, "H");
        assert_eq!(app.screen, Screen::Object);
        assert_eq!(app.object.history.key.to_string(), "deployments.apps production/novelapp");
        let revisions = app.object.history.revisions.len();
        assert_eq!(
            app.object.selected().expect("a revision").number,
            revisions,
            "the deletion is the newest"
        );
        // Bob's change of the environment, two writes before.
        keys(&mut app, "j j");
        let shown = picture("history", &app, size);
        assert!(shown.contains("DB_HOST") && shown.contains("10.0.0.99"), "{shown}");
        let folded = app.object.selected().expect("a revision").folded;
        assert!(folded > 0);
        keys(&mut app, "Enter");
        assert_eq!(
            app.object.selected().expect("a revision").folded,
            0,
            "Enter unfolds the server's own fields"
        );
        keys(&mut app, "Enter m k");
        let compared = picture("history_compared", &app, size);
        assert!(compared.contains("novelapp:v2.4.0") || compared.contains("image"), "{compared}");
    }
}

#[test]
fn what_belongs_to_an_object_is_told_with_it() {
    let mut app = empty_app(kauditui::app::Config::default(), 120, 36);
    let controller = |name: &str| format!("system:serviceaccount:kube-system:{name}-controller");
    let apps =
        |text: String| text.replace("\"apiVersion\":\"v1\"}", "\"apiVersion\":\"v1\",\"apiGroup\":\"apps\"}");
    let lines = [
        apps(line(1, "alice", "create", "deployments", "web", 201)),
        apps(line(2, &controller("deployment"), "create", "replicasets", "web-7c9f6d5b4", 201)),
        line(9, &controller("replicaset"), "delete", "pods", "web-7c9f6d5b4-x2x9k", 200),
        line(10, "bob", "delete", "pods", "other-7c9f6d5b4-x2x9k", 200),
        apps(line(20, "alice", "delete", "deployments", "web", 200)),
    ];
    history(&mut app, &lines.concat(), 1);
    work(&mut app);
    keys(&mut app, "k j H");
    assert_eq!(app.object.history.revisions.len(), 2, "the object alone");
    keys(&mut app, "x");
    let told: Vec<(i64, String)> = app
        .object
        .history
        .revisions
        .iter()
        .map(|r| (r.request.time, r.of.as_ref().map_or(String::new(), ToString::to_string)))
        .collect();
    assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in time order: {told:?}");
    let of: Vec<&str> = told.iter().map(|(_, of)| of.as_str()).collect();
    assert_eq!(of, ["", "replicasets.apps prod/web-7c9f6d5b4", "pods prod/web-7c9f6d5b4-x2x9k", ""]);
    assert!(screen(&app, 120, 36).contains("rs web-7c9f6d5b4"));
    keys(&mut app, "x");
    assert_eq!(app.object.history.revisions.len(), 2);
}

#[test]
fn the_cause_chain_leads_to_a_person() {
    for size in SIZES {
        let mut app = at(DELETION, size);
        keys(&mut app, "C");
        assert_eq!(app.screen, Screen::Story);
        picture("chain", &app, size);
        let lines: Vec<String> =
            app.story.as_ref().expect("a chain").lines.iter().map(ToString::to_string).collect();
        let said = lines.join("\n");
        for part in ["JTI=", "issued by", "admin@example.com", "203.0.113.66", "argocd-admin"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}

#[test]
fn why_it_was_refused_and_what_would_allow_it() {
    for size in SIZES {
        let mut app = at("user:mallory code:403", size);
        keys(&mut app, "R");
        let shown = picture("access", &app, size);
        assert!(shown.contains("refused"), "{shown}");
        let said: String =
            app.story.as_ref().expect("an answer").lines.iter().map(|line| format!("{line}\n")).collect();
        assert!(said.contains("kind: ClusterRole") && !said.contains("\"*\""), "{said}");
        let copied = keys(&mut app, "y b");
        let [Effect::Copy(yaml)] = copied.as_slice() else { panic!("{copied:?}") };
        assert!(yaml.contains("kind: ClusterRoleBinding") && yaml.contains("mallory@example.com"), "{yaml}");
    }
}

#[test]
fn a_session_is_stepped_through_with_the_diff_beside() {
    for size in SIZES {
        let mut app = at("user:bob name:novelapp is:write", size);
        keys(&mut app, "K");
        let shown = picture("session", &app, size);
        assert!(shown.contains("kubectl"), "{shown}");
        let story = app.story.as_ref().expect("a session");
        let before = story.cursor;
        assert!(story.side.iter().any(|line| line.contains("DB_HOST")), "{:?}", story.side);
        keys(&mut app, ",");
        let story = app.story.as_ref().expect("a session");
        assert!(
            story.cursor < before && story.side.iter().any(|line| line.contains("FEATURE_X")),
            "{:?}",
            story.side
        );
        keys(&mut app, ".");
        assert_eq!(app.story.as_ref().expect("a session").cursor, before);
    }
}

/// What the README promises.
#[test]
fn the_story_in_five_keys() {
    let mut app = at("verb:delete resource:deploy name:novelapp", (120, 36));
    let lines = |app: &App| -> String {
        app.story.as_ref().expect("an answer").lines.iter().map(|line| format!("{line}\n")).collect()
    };
    keys(&mut app, "C");
    let chain = lines(&app);
    for part in ["admin@example.com at 21:58:56", "from 10.20.0.5", "203.0.113.66 with kubectl"] {
        assert!(chain.contains(part), "{part} in {chain}");
    }
    keys(&mut app, "H");
    assert_eq!(app.object.history.key.name, "novelapp");
    let changed: String = app.object.newest_first().map(|r| format!("{:?}", r.change)).collect();
    assert!(changed.contains("env[DB_HOST]"), "{changed}");
    keys(&mut app, "R");
    let why = lines(&app);
    assert!(why.contains("argocd-admin") && why.contains("cluster-admin"), "{why}");
    keys(&mut app, "K");
    assert!(lines(&app).contains("kubectl -n production delete deployment/novelapp"));
    keys(&mut app, "s");
    let effects = keys(&mut app, "Enter");
    assert!(
        matches!(effects.as_slice(), [Effect::Save { content: SaveContent::Report(_), .. }]),
        "{effects:?}"
    );
}

/// The fields of `trace` and `history` in `docs/json.md`, and no others.
#[test]
fn the_json_is_the_documented_one() {
    use std::collections::BTreeSet;
    fn paths(value: &serde_json::Value, prefix: &str, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(members) => members.iter().for_each(|(key, value)| {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                // Effects nest, and a request is described once.
                let (path, inside) = match path.as_str() {
                    "effects[].effects" => {
                        found.insert(path);
                        return;
                    }
                    "request" | "causes[].request" => (path, String::new()),
                    _ => (path.clone(), path),
                };
                found.insert(path);
                paths(value, &inside, found);
            }),
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| paths(item, &format!("{prefix}[]"), found))
            }
            _ => {}
        }
    }
    let page = include_str!("../docs/json.md");
    let documented = |name: &str| -> BTreeSet<String> {
        let (_, section) = page.split_once(&format!("\n## {name}\n")).expect("the section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let field = |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned());
        section.lines().filter_map(field).collect()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit.log");
    std::fs::write(&log, INCIDENT).expect("written");
    let asked = |arguments: &[&str]| -> serde_json::Value {
        use assert_cmd::cargo::CommandCargoExt;
        let mut command = std::process::Command::cargo_bin("kauditui").expect("built with its tests");
        let output = command.args(arguments).args(["--config", "/dev/null", "-o", "json"]).arg(&log).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let deletion = INCIDENT
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|event| event["verb"] == "delete" && event["objectRef"]["name"] == "novelapp")
        .expect("the deletion");
    let mut found = BTreeSet::new();
    paths(&asked(&["trace", deletion["auditID"].as_str().expect("an id")]), "", &mut found);
    let page_of_trace = documented("trace");
    assert!(found.is_subset(&page_of_trace), "{:?}", found.difference(&page_of_trace));
    for field in ["who[].topic", "causes[].because", "end.kind", "origin[].text", "credential"] {
        assert!(found.contains(field), "{field}");
    }
    let mut found = BTreeSet::new();
    for object in ["deploy/novelapp", "cm/novelapp-config", "deploy/frontend"] {
        paths(&asked(&["history", "-n", "production", object]), "", &mut found);
    }
    let page_of_history = documented("history");
    assert!(found.is_subset(&page_of_history), "{:?}", found.difference(&page_of_history));
    for field in ["revisions[].fields[].before", "revisions[].foldedFields", "reportsLeftOut"] {
        assert!(found.contains(field), "{field}");
    }
}

#[test]
fn the_way_there_leads_back() {
    let mut app = at(DELETION, (120, 36));
    let filter = app.filter_bar.text();
    let (verb, name) = selected(&app);
    keys(&mut app, "H C");
    assert_eq!(app.screen, Screen::Story);
    // The first cause: the token's request, which the filter leaves out.
    let cause = app.story.as_ref().expect("a chain").lines.iter().position(|line| line.label == "cause");
    let cause = cause.expect("who issued the token");
    while app.story.as_ref().expect("a chain").cursor < cause {
        keys(&mut app, "j");
    }
    keys(&mut app, "Enter");
    assert_eq!(app.screen, Screen::Timeline);
    assert_eq!(selected(&app), ("create".to_owned(), "argocd-application-controller".to_owned()));
    keys(&mut app, "Esc");
    assert_eq!((app.screen, app.filter_bar.text()), (Screen::Story, filter.clone()));
    assert_eq!(app.story.as_ref().expect("a chain").cursor, cause);
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Object);
    keys(&mut app, "q");
    assert_eq!(app.screen, Screen::Timeline, "q leaves a view and does not quit");
    assert_eq!(selected(&app), (verb, name));
    assert_eq!(keys(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn what_is_marked_is_saved_as_a_report_with_its_notes() {
    let mut app = at(DELETION, (120, 36));
    keys(&mut app, "m :");
    type_text(&mut app, "note the token was stolen");
    keys(&mut app, "Enter s");
    let effects = keys(&mut app, "Enter");
    let [Effect::Save { path, content: SaveContent::Report(draft) }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert!(path.starts_with("kauditui-") && path.ends_with(".md"), "{path}");
    let report = draft.clone().complete(|_, texts| {
        let found = |_: &Vec<u8>| kauditui::trace::report::Found {
            offset: Some(7),
            sha256: "0".repeat(64),
            remark: String::new(),
        };
        texts.iter().map(found).collect()
    });
    let text = report.markdown();
    for part in
        ["the token was stolen", "novelapp", "203.0.113.66", "admin@example.com", "SHA-256", "kubectl"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(report.events.len(), 1);
}

#[test]
fn lines_and_manifests_are_saved_masked() {
    let mut app = at("resource:secrets name:db-credentials verb:create", (120, 36));
    let line = app.store.segment(app.timeline.selected().expect("an event")).expect("held");
    let raw = line.text(app.timeline.selected().expect("an event").row()).expect("text");
    let event: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
    let data =
        event.pointer("/requestObject/data").or(event.pointer("/responseObject/data")).expect("a body");
    let secrets: Vec<&str> = data.as_object().expect("values").values().filter_map(|v| v.as_str()).collect();
    assert!(!secrets.is_empty());
    let save = |app: &mut App, name: &str| {
        keys(app, "s");
        keys(app, "^u");
        type_text(app, name);
        let effects = keys(app, "Enter");
        match effects.as_slice() {
            [Effect::Save { path, content: SaveContent::Text(text) }] => (path.clone(), text.clone()),
            other => panic!("{other:?}"),
        }
    };
    let (path, lines) = save(&mut app, "x.jsonl");
    assert_eq!(path, "x.jsonl");
    assert!(
        lines.contains("db-credentials") && secrets.iter().all(|secret| !lines.contains(secret)),
        "{lines}"
    );
    keys(&mut app, "H");
    let shown = screen(&app, 120, 36);
    assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    let (_, yaml) = save(&mut app, "x.yaml");
    assert!(yaml.contains("kind: Secret") && secrets.iter().all(|secret| !yaml.contains(secret)), "{yaml}");
    keys(&mut app, "r");
    let (_, yaml) = save(&mut app, "x.yaml");
    assert!(secrets.iter().all(|secret| yaml.contains(secret)), "revealed: {yaml}");
}

#[test]
fn analyses_need_something_to_analyse() {
    let mut app = empty_app(kauditui::app::Config::default(), 80, 24);
    for key in ["H", "C", "R", "K", "s", ".", ","] {
        keys(&mut app, key);
        assert!(app.message.is_some(), "{key} says why it does nothing");
        assert_eq!(app.screen, Screen::Timeline);
        keys(&mut app, "Esc");
    }
    keys(&mut app, "4");
    assert!(screen(&app, 80, 24).contains("press H"));
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Timeline);
    // A list is about no single object.
    let mut app = at("verb:list resource:secrets", (80, 24));
    keys(&mut app, "H");
    assert_eq!(app.screen, Screen::Timeline);
    assert!(app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("no single object")));
}

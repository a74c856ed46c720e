//! Alerts on the screen: what is listed and told, acknowledging, muting, rules, the bell; and that the list is the same
//! whichever way a log was read.

mod common;

use std::path::PathBuf;
use std::sync::OnceLock;

use common::app::*;
use kauditui::app::alert_table::AlertLine;
use kauditui::app::rule_table::RuleLine;
use kauditui::app::{App, Config, Effect, LookAt, Msg, SaveContent, Screen};
use kauditui::detect::{Acks, AlertKey, AlertState, LoadedRules, ProblemKind};
use kauditui::ingest::{IngestMessage, SourceDescription};
use kauditui::model::{Micros, SECOND, SourceId};

/// Four rules: two alerts, one activity, and one that counts.
const RULES: &str = r"
title: A secret was deleted
id: 11111111-1111-4111-8111-111111111111
description: Something relied on it.
level: high
tags: [attack.impact, attack.t1485]
logsource: {product: kubernetes, service: audit}
falsepositives: [Rotation of certificates]
references: ['https://example.com/secrets']
detection:
  selection: {verb: delete, objectRef.resource: secrets}
  condition: selection
kauditui:
  next: [See who relied on it]
---
title: A pod was made
id: 22222222-2222-4222-8222-222222222222
level: medium
tags: [attack.execution, attack.t1610]
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: create, objectRef.resource: pods}
  condition: selection
---
title: A config map was read
id: 33333333-3333-4333-8333-333333333333
level: low
tags: [attack.discovery]
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: get, objectRef.resource: configmaps}
  condition: selection
---
title: A privileged pod was made
id: 44444444-4444-4444-8444-444444444444
level: critical
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: create, objectRef.resource: pods, requestObject.spec.hostPID: true}
  condition: selection
---
title: Somebody is refused again and again
id: 55555555-5555-4555-8555-555555555555
level: high
correlation:
  type: event_count
  rules: [refused]
  group-by: [user.username]
  timespan: 10m
  condition: {gte: 3}
---
title: A refusal
id: 66666666-6666-4666-8666-666666666666
name: refused
level: low
logsource: {product: kubernetes, service: audit}
detection:
  selection: {responseStatus.code: 403}
  condition: selection
";

/// Minutes of a small cluster's life: times in seconds after ten o'clock.
fn lines() -> Vec<String> {
    let mut lines = vec![
        line(10, "alice", "delete", "secrets", "web-tls", 200),
        line(20, "alice", "delete", "secrets", "db", 200),
        line(30, "bob", "create", "pods", "shell", 201),
        line(40, "bob", "get", "configmaps", "settings", 200),
        line(50, "carol", "delete", "secrets", "mail", 200),
    ];
    lines.extend((60..64).map(|second| line(second, "mallory", "list", "secrets", "", 403)));
    lines
}

fn rules() -> LoadedRules {
    with_filter("")
}

/// The rules, and a filter beside them.
fn with_filter(filter: &str) -> LoadedRules {
    let mut texts = vec![(PathBuf::from("own.yml"), RULES.to_owned())];
    if !filter.is_empty() {
        texts.push((PathBuf::from("mute.yml"), filter.to_owned()));
    }
    LoadedRules::load_with(false, &[], &texts)
}

fn pack() -> LoadedRules {
    static PACK: OnceLock<LoadedRules> = OnceLock::new();
    PACK.get_or_init(|| LoadedRules::load(true, &[])).clone()
}

/// Does outside what the program asks to be done there, and lists the alerts as before a frame.
fn settle(app: &mut App, effects: Vec<Effect>) {
    let mut waiting = effects;
    while let Some(effect) = waiting.pop() {
        let Effect::LookAt(LookAt { engine, segments }) = effect else { continue };
        for (number, segment) in segments {
            waiting.extend(app.update(Msg::LookedAt(number, engine.look_at(&segment)), now()));
        }
    }
    work(app);
    app.take_dirty();
    work(app);
}

fn read_all(app: &mut App) {
    app.update(Msg::Ingest(IngestMessage::HistoryDone(SourceId(0))), now());
    settle(app, Vec::new());
}

fn app_with(config: Config, pieces: &[String], (width, height): (u16, u16)) -> App {
    let mut app = empty_app(config, width, height);
    for (origin, piece) in pieces.iter().enumerate() {
        let effects = history(&mut app, piece, origin as u32 + 1);
        settle(&mut app, effects);
    }
    read_all(&mut app);
    app
}

fn config(rules: LoadedRules) -> Config {
    Config { rules: Some(rules), ..Config::default() }
}

/// The small cluster at the alerts screen.
fn alerts_app(width: u16, height: u16) -> App {
    let mut app = app_with(config(rules()), &[lines().concat()], (width, height));
    keys(&mut app, "3");
    app
}

fn list(app: &App) -> Vec<(AlertKey, u64, Micros, Micros)> {
    let board = app.watch.board.as_ref().expect("there are rules");
    board.list().iter().map(|alert| (alert.key.clone(), alert.count, alert.first, alert.last)).collect()
}

fn selected(app: &App) -> AlertKey {
    app.selected_alert().expect("an alert is under the cursor").key.clone()
}

fn command(app: &mut App, text: &str) -> Vec<Effect> {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter")
}

fn message(app: &App) -> &str {
    app.message.as_ref().map_or("", |(text, _)| text)
}

fn text_beside(app: &App) -> String {
    app.alert_table.sheet.lines().iter().map(|line| format!("{:9}{}\n", line.label, line.text)).collect()
}

#[test]
fn the_incident_at_four_sizes() {
    let mut app = app_with(config(pack()), &[INCIDENT.to_owned()], (80, 24));
    keys(&mut app, "3");
    assert!(app.watch.open() >= 15, "{}", app.watch.open());
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 50)] {
        app.update(Msg::Resize(width, height), now());
        let shown = screen(&app, width, height);
        insta::assert_snapshot!(format!("alerts_{width}x{height}"), shown);
        // The worst is the first, its letters say so without colour, and how many there are is said.
        assert!(shown.contains("▶ CRIT"), "{shown}");
        assert!(shown.contains(&format!("[alerts {}]", app.watch.open())), "{shown}");
        assert!(shown.contains(&format!("!{}", app.watch.open())), "{shown}");
    }
    keys(&mut app, "B");
    let grouped = screen(&app, 200, 50);
    insta::assert_snapshot!("alerts_by_user_200x50", grouped);
    let first = grouped.lines().find(|line| line.contains("▾")).expect("a heading");
    assert!(first.contains("mallory@example.com") && first.contains("risk"), "{first}");
}

#[test]
fn what_is_told_of_an_alert() {
    let mut app = alerts_app(120, 36);
    assert_eq!(app.screen, Screen::Alerts);
    // High, and the later of the two.
    assert_eq!(selected(&app).actor, "mallory");
    let told = text_beside(&app);
    assert!(told.contains("at least 3 events within 10m00s for each user.username"), "{told}");
    assert!(told.contains("4 within 3.0 s") && told.matches("list secrets").count() >= 4, "{told}");

    keys(&mut app, "j j");
    assert_eq!(selected(&app).actor, "alice");
    let told = text_beside(&app);
    for said in [
        "alert    A secret was deleted",
        "newest   alice delete secrets prod/db from 10.0.0.9 (kubectl)",
        "why      selection: verb = delete",
        "         selection: objectRef.resource = secrets",
        "who      alice",
        "what     delete secrets prod/db",
        "from     10.0.0.9",
        "2 times, 2026-11-20 10:00:10 to 2026-11-20 10:00:20 from 10.0.0.9",
        "next     See who relied on it",
        "good if  Rotation of certificates",
        "ATT&CK   impact, T1485",
        "see      https://example.com/secrets",
        "risk     30 for alice: 1 rule, 1 tactic within an hour (impact)",
        "         detection:",
    ] {
        assert!(told.contains(said), "{said}\n{told}");
    }
    // The rule's text is below; it can be read to its end.
    keys(&mut app, "Tab G");
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("next: [See who relied on it]"), "{shown}");
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Alerts, "back in the list");
    keys(&mut app, "v v");
    assert!(!screen(&app, 120, 36).contains("SEV"), "the text fills the screen");
    keys(&mut app, "Esc");
    assert!(screen(&app, 120, 36).contains("SEV"));
}

#[test]
fn keys_lead_to_the_events_and_back() {
    let mut app = alerts_app(120, 36);
    keys(&mut app, "j j Enter");
    assert_eq!(app.screen, Screen::Timeline);
    assert_eq!(app.filter_bar.text(), "alert:11111111-1111-4111-8111-111111111111 user==alice ns==prod");
    assert_eq!(app.view.len(), 2);
    keys(&mut app, "Esc");
    assert_eq!((app.screen, app.filter_bar.text().as_str()), (Screen::Alerts, ""));
    assert_eq!(selected(&app).actor, "alice");
    keys(&mut app, "g Enter");
    assert_eq!(app.view.len(), 4, "the refusals that were counted");
    keys(&mut app, "Esc K");
    assert_eq!(app.screen, Screen::Story);
    assert!(app.story.as_ref().is_some_and(|story| story.title.starts_with("mallory")));

    // From an event with an alert to the alert, and the line that says so.
    let mut app = app_with(config(rules()), &[lines().concat()], (120, 36));
    keys(&mut app, "g");
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("alert  HIGH A secret was deleted (3)"), "{shown}");
    keys(&mut app, "3");
    assert_eq!(selected(&app).actor, "alice");
    keys(&mut app, "y s");
    let copied = keys(&mut app, "y J");
    let Some(Effect::Copy(text)) = copied.last() else { panic!("{copied:?}") };
    let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!((json["count"].as_u64(), json["severity"].as_str()), (Some(2), Some("high")));
    assert_eq!(json["auditIDs"].as_array().map(Vec::len), Some(2));
    // What `kauditui alerts -o json` prints of it, and nothing else: see docs/json.md.
    assert_eq!(json["id"], "11111111-1111-4111-8111-111111111111");
    assert_eq!((&json["subject"]["verb"], &json["requests"]), (&"delete".into(), &2.into()));
    assert!(json["sourceIPs"].is_array() && json["rule"].is_null() && json["addresses"].is_null(), "{json}");
}

#[test]
fn a_report_of_an_alert_names_it_and_chooses_all_its_events() {
    let mut app = alerts_app(120, 36);
    keys(&mut app, "j j s");
    let effects = keys(&mut app, "Enter");
    let [Effect::Save { content: SaveContent::Report(draft), .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let report = draft.clone().complete(|_, _| Vec::new());
    assert_eq!(report.events.len(), 2, "alice deleted two secrets");
    let text = report.markdown();
    assert!(
        text.contains("\n## Alerts\n\n- **high** `A secret was deleted`, `T1485`, requests 1, 2 (rule"),
        "{text}"
    );
    for event in &report.events {
        assert!(text.contains(&format!("--at {}", event.request.audit_id)), "{text}");
    }
    assert!(text.contains("events chosen by `--at "), "{text}");
}

#[test]
fn lists_groups_sorts_and_filters() {
    let mut app = alerts_app(120, 36);
    let actors = |app: &mut App| -> Vec<String> {
        keys(app, "g");
        let mut found = Vec::new();
        for _ in 0..app.alert_table.lines().len() {
            found.extend(app.selected_alert().map(|alert| alert.key.actor.clone()));
            keys(app, "j");
        }
        found
    };
    assert_eq!(actors(&mut app), ["mallory", "carol", "alice", "bob"]);
    assert_eq!(app.alert_table.counts(), [4, 1, 0]);
    keys(&mut app, "x");
    assert_eq!(actors(&mut app), ["bob"], "activity");
    keys(&mut app, "x x Left Right Right");
    assert_eq!(actors(&mut app)[0], "alice", "by how many events");
    keys(&mut app, ">");
    assert_ne!(actors(&mut app)[0], "alice");
    keys(&mut app, "Left Left");

    keys(&mut app, "B g");
    let heading = screen(&app, 120, 36);
    assert!(heading.contains("▾ HIGH mallory  1 alert, 1 event,"), "{heading}");
    keys(&mut app, "Enter");
    assert!(app.selected_alert().is_none() && screen(&app, 120, 36).contains("▸ HIGH mallory"));
    keys(&mut app, "B B B B B");
    assert_eq!(app.alert_table.lines().len(), 4, "not grouped again");

    command(&mut app, "filter user:alice");
    assert_eq!(actors(&mut app), ["alice"]);
    assert!(screen(&app, 120, 36).contains("3 left out by the filter"));
    command(&mut app, "filter user:nobody");
    let quiet = screen(&app, 120, 36);
    assert!(quiet.contains("None matches the filter, which leaves out 4."), "{quiet}");
}

#[test]
fn an_acknowledgement_outlives_reloading_and_ends_with_the_next_event() {
    let mut app = app_with(
        Config { state_file: Some("/tmp/none.json".into()), ..config(rules()) },
        &[lines().concat()],
        (120, 36),
    );
    keys(&mut app, "3 j j m");
    type_text(&mut app, "asked her");
    let effects = keys(&mut app, "Enter");
    let [Effect::KeepState { path, content }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(path, "/tmp/none.json");
    let acks = Acks::parse(content).expect("it can be read again");
    assert_eq!((acks.len(), app.watch.open()), (1, 3));
    assert!(message(&app).starts_with("acknowledged;"), "{}", message(&app));
    keys(&mut app, "x x");
    assert_eq!(selected(&app).actor, "alice");
    assert!(text_beside(&app).contains("state    acknowledged"), "{}", text_beside(&app));
    assert!(text_beside(&app).contains(": asked her"));

    // Other rules, loaded anew.
    let effects = app.update(Msg::Rules(rules()), now());
    settle(&mut app, effects);
    assert_eq!((app.watch.open(), selected(&app).actor.as_str()), (3, "alice"));

    // Another session, in which the log comes in pieces and the newest first.
    let pieces: Vec<String> = lines().chunks(2).rev().map(<[String]>::concat).collect();
    let mut other = app_with(Config { acks, ..config(rules()) }, &pieces, (120, 36));
    assert_eq!(other.watch.open(), 3);

    // She does it again.
    live(&mut other, &line(700, "alice", "delete", "secrets", "more", 200));
    settle(&mut other, Vec::new());
    keys(&mut other, "3 g");
    assert_eq!((other.watch.open(), selected(&other).actor.as_str()), (4, "alice"));
    let alert = other.selected_alert().expect("it is there");
    assert!(matches!(other.watch.acks.state(alert), AlertState::Again(_)));
    assert!(screen(&other, 120, 36).contains("1 new"), "{}", screen(&other, 120, 36));
    keys(&mut other, "m Enter");
    assert_eq!(other.watch.open(), 3);

    // m again takes it back.
    let effects = keys(&mut app, "m");
    assert!(
        matches!(effects.as_slice(), [Effect::KeepState { content, .. }] if Acks::parse(content).is_ok_and(|a| a.is_empty()))
    );
    assert_eq!(app.watch.open(), 4);
    // Esc acknowledges nothing.
    keys(&mut app, "x m Esc");
    assert_eq!(app.watch.open(), 4);
    keys(&mut app, "X f Enter");
    assert_eq!(app.watch.open(), 3);
}

#[test]
fn a_group_is_dealt_with_at_once() {
    let mut app = alerts_app(120, 36);
    keys(&mut app, "B g");
    let heading = screen(&app, 120, 36);
    assert!(app.selected_alert().is_none() && heading.contains("m acknowledges all"), "{heading}");
    let of_group =
        app.alert_table.lines().iter().skip(1).take_while(|line| matches!(line, AlertLine::Alert(..)));
    let (of_group, open) = (of_group.count(), app.watch.open());
    assert!(of_group > 0 && of_group < open);
    keys(&mut app, "m Enter");
    assert_eq!(app.watch.open(), open - of_group);
    assert!(message(&app).contains("acknowledged"), "{}", message(&app));
    // In what was dealt with, m on the heading opens all of them again.
    keys(&mut app, "x x g m");
    assert_eq!(app.watch.open(), open, "{}", screen(&app, 120, 36));
    keys(&mut app, "x g X f Enter");
    assert!(app.watch.open() < open && message(&app).contains("closed as a false positive"));
}

#[test]
fn a_filter_by_alert_lists_what_it_names() {
    let mut app = alerts_app(120, 36);
    let all = list(&app).len();
    keys(&mut app, "/");
    type_text(&mut app, "alert:high");
    keys(&mut app, "Enter");
    let shown = app.alert_table.lines().len();
    assert!(shown > 0 && shown < all, "{}", screen(&app, 120, 36));
    assert!(!screen(&app, 120, 36).contains("MED "), "{}", screen(&app, 120, 36));
}

/// The filter that muting the alert under the cursor would write.
fn muted(app: &mut App, scope: &str) -> String {
    let shown = keys(app, &format!("X {scope}"));
    assert!(shown.is_empty(), "nothing is written before it was seen");
    assert!(screen(app, 120, 36).contains("condition: not selection"), "{}", screen(app, 120, 36));
    let effects = keys(app, "Enter");
    let [Effect::Mute { folder, file, text, for_session: false, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(folder.as_deref(), Some("/rules"));
    assert!(file.starts_with("mute-") && file.ends_with(".yml"), "{file}");
    text.clone()
}

/// Keys to an alert, scope of the mute, and who is silent then: first letter of the rule's id, and actor.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn a_mute_silences_exactly_what_it_says() {
    let start = || {
        let config = Config { rules_folder: Some("/rules".into()), ..config(rules()) };
        let mut app = app_with(config, &[lines().concat()], (120, 36));
        keys(&mut app, "3");
        app
    };
    let everything = list(&start());
    let cases: [Case; 6] = [
        ("g", "g", &[("5", "mallory")]),
        ("g j", "g", &[("1", "carol")]),
        ("g j j", "u", &[("1", "alice")]),
        ("g j", "n", &[("1", "alice"), ("1", "carol")]),
        ("g j", "r", &[("1", "alice"), ("1", "carol")]),
        ("g j j j", "g", &[("2", "bob")]),
    ];
    for (row, scope, silent) in cases {
        let mut app = start();
        keys(&mut app, row);
        let text = muted(&mut app, scope);
        let reloaded = with_filter(&text);
        assert!(reloaded.problems.is_empty(), "{:?}\n{text}", reloaded.problems);
        let effects = app.update(Msg::Rules(reloaded), now());
        settle(&mut app, effects);
        let is_silent = |key: &AlertKey| {
            // What the muted correlation counts is quiet as well, which the menu says.
            let counted = silent.contains(&("5", "mallory")) && key.actor == "mallory";
            counted || silent.iter().any(|(rule, actor)| key.rule.starts_with(rule) && key.actor == *actor)
        };
        let left: Vec<_> = everything.iter().filter(|(key, ..)| !is_silent(key)).cloned().collect();
        assert!(left.len() < everything.len());
        assert_eq!(list(&app), left, "{scope} {silent:?}\n{text}");
    }
}

#[test]
fn hostile_names_are_muted_too() {
    let evil = "a*b?'\"\\\n: {x} # — ünï";
    let other = "aXb?'\"\\\n: {x} # — ünï";
    let text =
        line(10, evil, "delete", "secrets", "x", 200) + &line(20, other, "delete", "secrets", "x", 200);
    let config = Config { rules_folder: Some("/rules".into()), ..config(rules()) };
    let mut app = app_with(config, &[text], (120, 36));
    keys(&mut app, "3 j");
    assert_eq!(selected(&app).actor, evil);
    let filter = muted(&mut app, "g");
    let reloaded = with_filter(&filter);
    assert!(reloaded.problems.is_empty(), "{:?}\n{filter}", reloaded.problems);
    let effects = app.update(Msg::Rules(reloaded), now());
    settle(&mut app, effects);
    let actors: Vec<String> = list(&app).into_iter().map(|(key, ..)| key.actor).collect();
    assert_eq!(actors, [other], "the wildcards of the name are letters");
}

#[test]
fn without_a_folder_a_mute_asks_for_one() {
    let mut app = alerts_app(80, 24);
    keys(&mut app, "X r Enter");
    assert!(screen(&app, 80, 24).contains("folder of rules to write it to"));
    let effects = keys(&mut app, "Enter");
    assert!(
        matches!(effects.as_slice(), [Effect::Mute { folder: None, for_session: true, .. }]),
        "{effects:?}"
    );
    keys(&mut app, "X r Enter");
    type_text(&mut app, "/etc/rules");
    let effects = keys(&mut app, "Enter");
    assert!(
        matches!(effects.as_slice(), [Effect::Mute { folder: Some(folder), for_session: true, .. }] if folder == "/etc/rules")
    );
    keys(&mut app, "X r Esc");
    assert!(keys(&mut app, "Enter").is_empty() && app.screen == Screen::Timeline, "Esc forgets it");
}

#[test]
fn a_mute_can_be_taken_back() {
    let mut app = alerts_app(100, 30);
    command(&mut app, "mutes");
    assert!(screen(&app, 100, 30).contains("nothing was muted"), "{}", screen(&app, 100, 30));
    let mute = |app: &mut App, typed: &str, folder: &str| {
        keys(app, typed);
        type_text(app, folder);
        let effects = keys(app, "Enter");
        let [Effect::Mute { number, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        *number
    };
    let tell = |app: &mut App, number: u32, is_in_force: bool| {
        assert!(app.update(Msg::Muted { number, is_in_force }, now()).is_empty());
    };
    let session = mute(&mut app, "X r Enter", "");
    let refused = mute(&mut app, "X r Enter", "/nope");
    let kept = mute(&mut app, "j X u Enter", "/etc/rules");
    keys(&mut app, "X");
    assert!(!screen(&app, 100, 30).contains("take a mute back"), "nobody said that any is in force");
    keys(&mut app, "Esc");
    tell(&mut app, session, true);
    tell(&mut app, kept, true);
    keys(&mut app, "X t");
    let listed = screen(&app, 100, 30);
    assert!(
        listed.contains("until the program ends") && listed.contains("written to /etc/rules"),
        "{listed}"
    );
    assert!(!listed.contains("/nope"), "what could not be written is not in force: {refused}");
    let effects = keys(&mut app, "j Enter");
    assert!(matches!(effects.as_slice(), [Effect::Unmute { number }] if *number == kept), "{effects:?}");
    // Its file was changed by somebody: it stays in force, and listed.
    app.update(Msg::Saved(Err("was changed".into())), now());
    keys(&mut app, "X t");
    assert!(screen(&app, 100, 30).contains("written to /etc/rules"));
    keys(&mut app, "Esc");
    tell(&mut app, kept, false);
    assert!(message(&app).starts_with("no longer muted: "), "{}", message(&app));
    tell(&mut app, session, false);
    keys(&mut app, "X");
    assert!(!screen(&app, 100, 30).contains("take a mute back"), "nothing is left to take back");
}

#[test]
fn the_list_is_the_same_whichever_way_the_log_came() {
    let incident: Vec<String> = INCIDENT.lines().map(|line| format!("{line}\n")).collect();
    let whole = app_with(config(pack()), &[incident.concat()], (80, 24));
    let wanted = list(&whole);
    assert!(wanted.len() > 20, "{}", wanted.len());
    let backward: Vec<String> = incident.chunks(150).rev().map(<[String]>::concat).collect();
    assert_eq!(list(&app_with(config(pack()), &backward, (80, 24))), wanted, "backward");

    let mut app = empty_app(config(pack()), 80, 24);
    let (old, new) = incident.split_at(incident.len() / 2);
    for piece in new.chunks(40) {
        live(&mut app, &piece.concat());
        app.take_dirty();
    }
    for piece in old.chunks(200).rev() {
        let effects = history(&mut app, &piece.concat(), 7);
        settle(&mut app, effects);
    }
    // A rotation: the same lines come from another file.
    let effects = history(&mut app, &incident[incident.len() / 3..].concat(), 9);
    settle(&mut app, effects);
    read_all(&mut app);
    assert_eq!(list(&app), wanted, "live, then history, and some lines twice");
}

#[test]
fn a_new_alert_is_told_once_and_rings_seldom() {
    let at = |second: i64| now() - 60 * SECOND + second * SECOND;
    let deletion = |second: u32, user: &str| {
        let line = line(second, user, "delete", "secrets", "x", 200);
        // A minute before now.
        line.replace("2026-11-20T10:", "2026-11-20T22:")
    };
    let mut app = app_with(Config { bell: true, ..config(rules()) }, &[deletion(1, "alice")], (80, 24));
    assert!(!app.take_bell() && message(&app).is_empty(), "history is no news");
    let told = |app: &mut App, text: &str, second: i64| -> (bool, String) {
        app.message = None;
        app.update(Msg::Ingest(IngestMessage::Live(batch(text, 1))), at(second));
        app.take_dirty();
        (app.take_bell(), message(app).to_owned())
    };
    let first = told(&mut app, &deletion(2, "bob"), 60);
    assert_eq!(first, (true, "new alert: high: A secret was deleted (3 shows it)".to_owned()));
    assert_eq!(app.screen, Screen::Timeline, "the focus stays");
    assert_eq!(told(&mut app, &deletion(3, "bob"), 61), (false, String::new()), "the same alert");
    let (rings, said) = told(&mut app, &deletion(4, "carol"), 62);
    assert!(!rings && !said.is_empty(), "two within ten seconds ring once");
    assert!(told(&mut app, &deletion(5, "dora"), 71).0);
    let pod = deletion(6, "eve").replace("delete", "create").replace("secrets", "pods");
    assert_eq!(told(&mut app, &pod, 90), (false, String::new()), "medium is no reason to ring");
    assert!(!told(&mut app, &line(7, "fred", "delete", "secrets", "x", 200), 100).0, "hours old");
}

#[test]
fn rules_say_whether_they_can_fire() {
    let broken = format!(
        "{RULES}---\ntitle: Broken\nlogsource: {{product: kubernetes}}\ndetection:\n  \
        selection: {{verb|nosuch: x}}\n  condition: selection\n---\ntitle: Elsewhere\nlogsource: {{product: windows}}\n\
        detection:\n  selection: {{a: b}}\n  condition: selection\n"
    );
    let rules = LoadedRules::load_with(false, &[], &[(PathBuf::from("own.yml"), broken)]);
    assert_eq!(rules.problems.iter().filter(|p| p.kind == ProblemKind::Error).count(), 1);
    let mut app = app_with(config(rules), &[lines().concat()], (120, 36));
    command(&mut app, "rules");
    assert_eq!(app.screen, Screen::Rules);
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 50)] {
        app.update(Msg::Resize(width, height), now());
        insta::assert_snapshot!(format!("rules_{width}x{height}"), screen(&app, width, height));
    }
    app.update(Msg::Resize(120, 36), now());
    let shown = screen(&app, 120, 36);
    for said in [
        "6 rules · 5 can fire on this log · for 1 it tells too little · 1 could not be loaded · 1 is about other logs",
        "ERROR",
        "CRIT          - needs level Request for create pods, seen only",
        "HIGH          3 can fire",
        "1 rule about other logs",
        "own.yml:",
    ] {
        assert!(shown.contains(said), "{said}\n{shown}");
    }
    // The broken one, the blind one, the one that counts, the first that matched.
    keys(&mut app, "j j Enter");
    assert_eq!(app.view.len(), 3, "{}", app.filter_bar.text());
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Rules);
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Timeline);
}

#[test]
fn silence_says_what_was_looked_at() {
    let quiet = vec![line(10, "bob", "get", "configmaps", "settings", 200)];
    let mut app = app_with(config(rules()), &quiet, (80, 24));
    keys(&mut app, "3");
    let shown = screen(&app, 80, 24);
    for said in [
        "No alerts among 1 request.",
        "1 kind of activity, 0 dealt with: x shows them.",
        "Records by level: Metadata 1.",
        "6 rules",
    ] {
        assert!(shown.contains(said), "{said}\n{shown}");
    }
    assert_eq!(app.watch.open(), 0);
    assert!(!shown.contains('!'), "no badge\n{shown}");
    let mut none = empty_app(Config::default(), 80, 24);
    keys(&mut none, "3");
    assert!(screen(&none, 80, 24).contains("No rules are in use"));
    keys(&mut none, "j x B m X Enter Esc");
}

#[test]
fn while_other_rules_look_at_it_all_the_list_stays() {
    let mut app = alerts_app(120, 36);
    let before = list(&app);
    let shown = screen(&app, 120, 36);
    let effects = app.update(Msg::Rules(LoadedRules::load(true, &[])), now());
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::LookAt(_))),
        "there is something to look at"
    );
    work(&mut app);
    assert_eq!((list(&app), screen(&app, 120, 36)), (before.clone(), shown));
    settle(&mut app, effects);
    assert_ne!(list(&app), before, "the other rules have taken over");
}

#[test]
fn what_was_found_in_a_log_goes_with_it() {
    let mut app = alerts_app(120, 36);
    let before = list(&app);
    let other = SourceDescription {
        id: SourceId(1),
        name: "other.log".into(),
        path: "/var/other.log".into(),
        rotated: 0,
        compressed: Vec::new(),
    };
    app.update(Msg::Ingest(IngestMessage::Opened(other)), now());
    let more = line(100, "dave", "delete", "secrets", "api", 200);
    let effects = app.update(Msg::Ingest(IngestMessage::History(batch_of(SourceId(1), &more, 9))), now());
    settle(&mut app, effects);
    assert_eq!(list(&app).len(), before.len() + 1);
    keys(&mut app, ":");
    type_text(&mut app, "sources");
    keys(&mut app, "Enter");
    assert!(screen(&app, 120, 36).contains("2  /var/other.log"));
    keys(&mut app, "Esc");
    let effects = command(&mut app, "close 2");
    assert!(effects.contains(&Effect::CloseLog(SourceId(1))), "{effects:?} {}", message(&app));
    settle(&mut app, effects);
    assert_eq!(list(&app), before);
}

#[test]
fn rows_that_would_be_equal_tell_where() {
    let there = line(55, "alice", "delete", "secrets", "x", 200).replace("\"prod\"", "\"test\"");
    let mut app = app_with(config(rules()), &[lines().concat() + &there], (80, 24));
    keys(&mut app, "3");
    let shown = screen(&app, 80, 24);
    assert!(
        shown.contains("prod: A secret was deleted") && shown.contains("test: A secret was deleted"),
        "{shown}"
    );
    assert!(
        shown.lines().any(|row| row.contains("carol") && row.contains(" A secret was deleted")),
        "{shown}"
    );
    while app.alert_table.grouping.name() != "by rule" {
        keys(&mut app, "B");
    }
    let grouped = screen(&app, 80, 24);
    assert!(
        grouped.contains("delete secrets prod/db") && grouped.contains("delete secrets test/x"),
        "{grouped}"
    );
}

#[test]
fn rules_are_searched() {
    let mut app = alerts_app(120, 36);
    command(&mut app, "rules");
    let title = |app: &App| match app.rule_table.line() {
        Some(RuleLine::Rule(rule)) => {
            app.watch.board.as_ref().map(|board| board.engine().rule(rule).title.clone()).unwrap_or_default()
        }
        other => panic!("{other:?}"),
    };
    keys(&mut app, "/");
    type_text(&mut app, "CONFIG map");
    keys(&mut app, "Enter");
    assert_eq!(title(&app), "A config map was read");
    keys(&mut app, "/");
    type_text(&mut app, "pod was made");
    keys(&mut app, "Enter");
    let first = title(&app);
    keys(&mut app, "n");
    assert_ne!(title(&app), first);
    keys(&mut app, "N");
    assert_eq!(title(&app), first);
    keys(&mut app, "/");
    type_text(&mut app, "nothing like it");
    keys(&mut app, "Enter");
    assert!(message(&app).contains("no rule has 'nothing like it'"));
    assert_eq!((title(&app), app.filter_bar.text().as_str()), (first, ""), "the filter is another matter");
}

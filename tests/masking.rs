//! No secret value of the recorded incident appears on a screen, in a copy or in output unless it is revealed.
//!
//! The secrets are collected by a walk of this test's own over the recorded log.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::app::*;
use kauditui::app::{Config, Effect, Msg};
use serde_json::Value;

fn recorded() -> Option<PathBuf> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("data/kube/incident-full.jsonl");
    if !path.is_file() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return None;
    }
    Some(path)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .iter()
            .position(|d| *d == c)?;
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Strings below `data` and `stringData` of what deals with Secrets, in base64 and decoded; tokens anywhere.
fn collect(value: &Value, on_secrets: bool, below_data: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if text.starts_with("eyJ") && text.matches('.').count() == 2 {
                found.insert(text.clone());
            }
            if below_data {
                found.insert(text.clone());
                found.extend(decoded(text));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, on_secrets, below_data, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                let data = on_secrets && matches!(key.as_str(), "data" | "stringData");
                collect(field, on_secrets, below_data || data, found);
            }
        }
        _ => {}
    }
}

fn secrets(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        collect(&event, event["objectRef"]["resource"] == "secrets", false, &mut found);
    }
    // Shorter ones are parts of ordinary words.
    found.retain(|secret| secret.len() >= 6);
    found
}

#[test]
fn no_secret_on_any_screen_or_in_any_copy() {
    let Some(path) = recorded() else { return };
    let text = std::fs::read_to_string(path).expect("the recorded log");
    let secrets = secrets(&text);
    assert!(secrets.len() > 50, "secrets are found: {}", secrets.len());
    let holding: Vec<&str> =
        text.lines().filter(|line| secrets.iter().any(|s| line.contains(s.as_str()))).collect();
    assert!(holding.len() > 60, "lines that hold them: {}", holding.len());
    let mut app = empty_app(Config::default(), 200, 50);
    history(&mut app, &(holding.join("\n") + "\n"), 1);
    keys(&mut app, "x S g Enter");
    assert_eq!(app.view.len(), holding.len());
    let mut looked_at = 0;
    for position in 0..holding.len() {
        keys(&mut app, "Esc g");
        for _ in 0..position {
            app.run(kauditui::app::action::Action::Down);
        }
        keys(&mut app, "Enter");
        let mut shown = screen(&app, 200, 50);
        let detail = app.detail.as_ref().expect("open");
        for line in detail.tree.lines() {
            shown += &format!("{}: {}\n", line.key, line.value);
        }
        shown.extend(detail.summary.iter().map(|line| line.text.as_str()));
        for what in ["e", "p", "v", "o", "q"] {
            for effect in keys(&mut app, &format!("y {what}")) {
                if let Effect::Copy(copied) = effect {
                    shown += &copied;
                }
            }
            keys(&mut app, "Esc Enter");
        }
        let leaked: Vec<&String> = secrets.iter().filter(|secret| shown.contains(secret.as_str())).collect();
        assert!(leaked.is_empty(), "row {position}: {leaked:?}");
        looked_at += 1;
    }
    assert_eq!(looked_at, holding.len());
    app.update(Msg::Resize(200, 50), now());
    keys(&mut app, "r");
    let revealed = keys(&mut app, "y e");
    let [Effect::Copy(copied)] = revealed.as_slice() else { panic!("{revealed:?}") };
    assert!(secrets.iter().any(|secret| copied.contains(secret.as_str())), "r reveals");
}

#[test]
fn no_secret_in_any_output() {
    let Some(path) = recorded() else { return };
    let text = std::fs::read_to_string(&path).expect("the recorded log");
    let secrets = secrets(&text);
    let query = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kauditui"));
        let output = command.arg("query").args(arguments).arg(&path).output().expect("it runs");
        let mut all = String::from_utf8_lossy(&output.stdout).into_owned();
        all += &String::from_utf8_lossy(&output.stderr);
        all
    };
    let leaks_nothing = |arguments: &[&str]| {
        let all = query(arguments);
        assert!(all.lines().count() > 3000, "{arguments:?} prints rows");
        let leaked: Vec<&String> = secrets.iter().filter(|secret| all.contains(secret.as_str())).collect();
        assert!(leaked.is_empty(), "{arguments:?}: {leaked:?}");
    };
    for form in ["table", "jsonl", "raw"] {
        for stages in ["request", "all"] {
            leaks_nothing(&["-o", form, "--stages", stages]);
        }
    }
    let places = "uri,name,command,body.data,body.stringData,body.status.token,request.spec,response.items";
    for form in ["json", "csv", "markdown"] {
        leaks_nothing(&["-o", form, "--stages", "all"]);
        leaks_nothing(&["-o", form, "--stages", "all", "--columns", places]);
    }
    leaks_nothing(&["-o", "csv", "--stages", "all", "--group-by", "uri,auditID,agent,command"]);
    let places = ["--stages", "all", "--columns", places, "-o", "jsonl", "--reveal-secrets"];
    let shown = query(&places);
    assert!(secrets.iter().any(|secret| shown.contains(secret.as_str())), "columns reveal when asked to");
    let revealed = query(&["-o", "raw", "--stages", "all", "--reveal-secrets"]);
    assert!(secrets.iter().any(|secret| revealed.contains(secret.as_str())), "revealed when asked for");
}

//! The stories of `data/stories.md`, asked of the real binary: who really did it, what exactly changed, and what a log of
//! this audit level cannot tell. Beside each stands what jq says of the same log.
//!
//! Each story is checked four ways: jq, where it is installed, gives the answer on the page; all that jq says is in the
//! lines that are expected; `-o text` has these lines in this order; `-o json` makes the same statements with the same
//! certainty.
//!
//! The logs are in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout. To write the answers of
//! jq anew, run `tests/data/questions.py tests/data/stories.md` from the checkout.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

const PAGE: &str = include_str!("data/stories.md");

/// How sure a statement is.
const CERTAINTIES: [&str; 4] = ["certain", "likely", "claimed", "unknown"];

#[derive(Debug)]
struct Story {
    title: String,
    /// Arguments of `kauditui`, the log last.
    arguments: Vec<String>,
    jq: String,
    /// What jq said: lines of facts, `fact | fact`.
    answer: Vec<String>,
    /// Lines of the program's answer, some of them, in their order.
    expected: Vec<String>,
}

impl Story {
    fn read(text: &str) -> Story {
        let block = |kind: &str| -> String {
            let (_, rest) =
                text.split_once(&format!("```{kind}\n")).unwrap_or_else(|| panic!("no {kind} in {text}"));
            rest.split_once("```\n").expect("a closed block").0.to_owned()
        };
        let lines = |kind: &str| block(kind).lines().map(str::to_owned).collect();
        let commands = block("sh");
        let (ours, jq) = commands.split_once('\n').expect("two commands");
        let ours = ours.strip_prefix("kauditui ").expect("our command first");
        assert!(jq.starts_with("jq -rs -L tests/data "), "{jq}");
        Story {
            title: text.lines().next().unwrap_or_default().to_owned(),
            arguments: ours.split(' ').map(str::to_owned).collect(),
            jq: jq.trim_end().to_owned(),
            answer: lines("text"),
            expected: lines("console"),
        }
    }

    /// What the program prints, in one of its forms.
    fn told(&self, shared: &str, output: &str) -> String {
        let mut command = Command::cargo_bin("kauditui").expect("the binary is built with its tests");
        let arguments = self.arguments.iter().map(|argument| argument.replace("../shared", shared));
        command.args(arguments).args(["--config", "/dev/null", "-o", output]);
        let done = command.output().expect("the program runs");
        let errors = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{}: {errors}", self.title);
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn is_history(&self) -> bool {
        self.arguments.first().is_some_and(|subcommand| subcommand == "history")
    }
}

fn stories() -> Vec<Story> {
    PAGE.split("\n### ").skip(1).map(Story::read).collect()
}

/// The shared folder, unless it is missing.
fn shared() -> Option<String> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if !shared.join("data/kube").is_dir() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: {} stories need ../shared", stories().len());
        return None;
    }
    Some(shared.to_str().expect("a path in UTF-8").to_owned())
}

/// A line as it is compared: columns may be of any width.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All statements of an answer in JSON: certainty and text, wherever they stand.
fn statements(answer: &Value, found: &mut BTreeSet<(String, String)>) {
    match answer {
        Value::Array(items) => items.iter().for_each(|item| statements(item, found)),
        Value::Object(members) => {
            let text = |key: &str| members.get(key).and_then(Value::as_str);
            if let (Some(certainty), Some(said)) = (text("certainty"), text("text").or(text("because"))) {
                found.insert((certainty.to_owned(), squeezed(said)));
            }
            members.values().for_each(|member| statements(member, found));
        }
        _ => {}
    }
}

#[test]
fn the_program_tells_the_stories() {
    let Some(shared) = shared() else { return };
    let mut wrong = Vec::new();
    for story in stories() {
        let text = story.told(&shared, if story.is_history() { "table" } else { "text" });
        let mut lines = text.lines().map(squeezed);
        for expected in &story.expected {
            if !lines.any(|line| line == squeezed(expected)) {
                wrong.push(format!("{}: missing, or not in this order: {expected}\n{text}", story.title));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_jq_says_is_in_the_expected_lines() {
    for story in stories() {
        let expected = story.expected.join("\n");
        assert!(!story.answer.is_empty() && !story.expected.is_empty(), "{}", story.title);
        for fact in story.answer.iter().flat_map(|line| line.split(" | ")) {
            assert!(expected.contains(fact), "{}: {fact:?} is not in\n{expected}", story.title);
        }
    }
}

#[test]
fn json_makes_the_same_statements() {
    let Some(shared) = shared() else { return };
    for story in stories() {
        let answer: Value = serde_json::from_str(&story.told(&shared, "json")).expect("one object");
        if story.is_history() {
            same_changes(&story, &answer);
            continue;
        }
        let mut all = BTreeSet::new();
        statements(&answer, &mut all);
        let end = answer.pointer("/end/text").and_then(Value::as_str).expect("an end");
        let mut compared = 0;
        for line in story.expected.iter().map(|line| squeezed(line)) {
            let (certainty, rest) = line.split_once(' ').expect("a certainty first");
            assert!(CERTAINTIES.contains(&certainty), "{line}");
            if rest.starts_with("request ") {
                let audit_id =
                    answer.pointer("/request/auditID").and_then(Value::as_str).expect("an auditID");
                assert!(rest.contains(audit_id), "{line}");
            } else if let Some(said) = rest.strip_prefix("origin ").or(rest.strip_prefix("hole ")) {
                assert_eq!(said, end, "{}", story.title);
            } else {
                let is_said =
                    all.iter().any(|(sure, said)| sure == certainty && rest.contains(said.as_str()));
                assert!(is_said, "{}: not in JSON: {line}\n{answer}", story.title);
            }
            compared += 1;
        }
        assert!(compared > 0, "{}", story.title);
    }
}

/// Each expected change of a field is in the JSON of a history, and nothing is where none is expected.
fn same_changes(story: &Story, answer: &Value) {
    let revisions = answer.get("revisions").and_then(Value::as_array).expect("revisions");
    let changes: BTreeSet<String> = revisions
        .iter()
        .filter_map(|revision| revision.get("fields")?.as_array())
        .flatten()
        .map(|change| {
            let text = |key: &str| change.get(key).and_then(Value::as_str);
            let path = text("path").expect("a path");
            match (text("before"), text("after")) {
                (Some(before), Some(after)) => format!("{path}: {before} → {after}"),
                (None, after) => format!("{path}: + {}", after.expect("a value")),
                (Some(before), None) => format!("{path}: - {before}"),
            }
        })
        .collect();
    // A field stands indented below its revision.
    let is_field = |line: &&String| line.starts_with("       ");
    let expected: BTreeSet<String> =
        story.expected.iter().filter(is_field).map(|line| squeezed(line)).collect();
    assert_eq!(changes, expected, "{}", story.title);
}

#[test]
fn jq_gives_the_answers_on_the_page() {
    let Some(shared) = shared() else { return };
    for story in stories() {
        let mut command = Command::new("sh");
        let line = story.jq.replace("../shared", &shared);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-c", &line]);
        let done = command.output().expect("a shell");
        if done.status.code() == Some(127) {
            println!("skipped: jq is not installed");
            return;
        }
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {errors}", story.title);
        let said: Vec<String> = String::from_utf8_lossy(&done.stdout).lines().map(str::to_owned).collect();
        assert_eq!(said, story.answer, "{}", story.title);
    }
}

#[test]
fn each_story_is_told_at_each_level() {
    let stories = stories();
    for level in ["full", "meta", "lowwrite"] {
        let log = format!("../shared/data/kube/incident-{level}.jsonl");
        let here = stories.iter().filter(|story| story.arguments.last() == Some(&log)).count();
        assert!(here >= 10, "{level}: {here}");
    }
    // Where bodies, or reads, are not logged, the page says so.
    for level in ["meta", "lowwrite"] {
        let unknown = stories.iter().any(|story| {
            story.arguments.last().is_some_and(|log| log.contains(level))
                && story.expected.iter().any(|line| line.contains("cannot be known"))
        });
        assert!(unknown, "{level}");
    }
}

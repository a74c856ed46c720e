//! The questions of `data/questions.md`, put to the real binary: each must have the answer that jq gave, which stands
//! below it. Where jq is installed, it is asked again, so that the page cannot go stale.
//!
//! The logs are in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout. To write the answers
//! anew, run `tests/data/questions.py` from the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use kauditui::query;
use serde_json::Value;

const PAGE: &str = include_str!("data/questions.md");

const README: &str = include_str!("../README.md");

#[derive(Debug)]
struct Question {
    title: String,
    /// Arguments of `kauditui`, the subcommand first and the log last.
    arguments: Vec<String>,
    /// The command line of jq.
    jq: String,
    /// What jq said, sorted: requests of the same moment may come in any order.
    answer: Vec<String>,
}

impl Question {
    fn read(text: &str) -> Question {
        let block = |from: &str| {
            let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {text}"));
            rest.split_once("```\n").expect("a closed block").0.to_owned()
        };
        let commands = block("```sh\n");
        let (ours, jq) = commands.split_once('\n').expect("two commands");
        let arguments = words(ours.strip_prefix("kauditui ").expect("our command first"));
        assert!(jq.starts_with("jq -rs -L tests/data "), "{jq}");
        Question {
            title: text.lines().next().unwrap_or_default().to_owned(),
            arguments,
            jq: jq.trim_end().to_owned(),
            answer: sorted(&block("```text\n")),
        }
    }

    /// In which form its answer is written.
    fn form(&self) -> Form<'_> {
        let fields = |option: &str| -> Option<Vec<&str>> {
            let at = self.arguments.iter().position(|argument| argument == option)?;
            Some(self.arguments.get(at + 1).expect("fields").split(',').map(key).collect())
        };
        match (fields("--group-by"), fields("--columns")) {
            _ if self.arguments.first().is_some_and(|subcommand| subcommand == "users") => Form::Users,
            (Some(fields), _) => Form::Groups(fields),
            (_, Some(fields)) => Form::Columns(fields),
            _ => Form::Requests,
        }
    }
}

/// What a line of an answer is; the fields by their names in JSON.
#[derive(Debug, PartialEq)]
enum Form<'q> {
    Requests,
    Columns(Vec<&'q str>),
    Groups(Vec<&'q str>),
    Users,
}

impl Form<'_> {
    /// A line of the program's answer as `audit.jq` writes it.
    fn line(&self, row: &Value) -> String {
        match self {
            Form::Requests => row_line(row),
            Form::Columns(fields) => cells(row, fields),
            Form::Groups(fields) => cells(row, &[fields.as_slice(), &["count", "failed"]].concat()),
            Form::Users => cells(row, USER_FIELDS),
        }
    }
}

const USER_FIELDS: &[&str] = &[
    "user",
    "kind",
    "events",
    "writes",
    "failed",
    "forbidden",
    "impersonating",
    "impersonated",
    "namespaces",
    "sourceIPs",
    "tools",
];

/// What a field of the language is called in JSON (`docs/json.md`).
fn key(field: &str) -> &str {
    match field {
        "ns" => "namespace",
        "ip" => "sourceIP",
        "agent" => "userAgent",
        "impersonated" => "impersonatedUser",
        "duration" => "durationMicros",
        same => same,
    }
}

fn questions() -> Vec<Question> {
    PAGE.split("\n### ").skip(1).map(Question::read).collect()
}

/// Words of a command line as the shell has them, as far as the page needs it: single quotes, and no escapes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in line.split('\'').enumerate() {
        let is_quoted = number % 2 == 1;
        if is_quoted {
            words.last_mut().expect("never empty").push_str(part);
            continue;
        }
        for (number, piece) in part.split(' ').enumerate() {
            if number > 0 {
                words.push(String::new());
            }
            words.last_mut().expect("never empty").push_str(piece);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The shared folder as it is written in commands, unless it is missing.
fn shared() -> Option<String> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if !shared.join("data/kube").is_dir() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: {} questions need ../shared", questions().len());
        return None;
    }
    Some(shared.to_str().expect("a path in UTF-8").to_owned())
}

/// Objects that the program prints one a line. Code 1 says that there are none.
fn program_says(arguments: &[String]) -> Vec<Value> {
    let output = Command::cargo_bin("kauditui")
        .expect("the binary is built with its tests")
        .args(arguments)
        .args(["--config", "/dev/null", "-o", "jsonl"])
        .output()
        .expect("the program runs");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(text.is_empty())), "{arguments:?}: {errors}");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn text<'v>(row: &'v Value, key: &str) -> Option<&'v str> {
    row.get(key).map(|value| value.as_str().unwrap_or_else(|| panic!("{key} is a text in {row}")))
}

/// A request in the form of `row` in `audit.jq`.
fn row_line(row: &Value) -> String {
    let code = row.get("code").map_or("-".to_owned(), Value::to_string);
    let duration = row.get("durationMicros").map_or("open".to_owned(), |micros| format!("{micros}us"));
    let mut user = text(row, "user").unwrap_or("-").to_owned();
    if let Some(other) = text(row, "impersonatedUser") {
        user = format!("{user} as {other}");
    }
    let object = match text(row, "resource") {
        Some(resource) => {
            let group = text(row, "apiGroup").map_or(String::new(), |group| format!(".{group}"));
            let subresource = text(row, "subresource").map_or(String::new(), |name| format!("/{name}"));
            let namespace = text(row, "namespace").unwrap_or("-");
            format!("{resource}{group}{subresource} {namespace}/{}", text(row, "name").unwrap_or("-"))
        }
        None => {
            let uri = text(row, "requestURI").expect("a request has a URI");
            format!("{} -", uri.split('?').next().unwrap_or_default())
        }
    };
    let [time, verb, address] = ["time", "verb", "sourceIP"].map(|key| text(row, key).unwrap_or("-"));
    format!("{time} {code} {verb} {object} {address} {duration} {user}")
}

/// Values of a row; what is absent is empty.
fn cells(row: &Value, keys: &[&str]) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = keys.iter().map(|key| row.get(*key).map_or(String::new(), plain));
    values.collect::<Vec<_>>().join(" | ")
}

/// Asks the program those questions that are wanted, and tells all differences at once.
fn ask_the_program(wanted: impl Fn(&Question) -> bool) {
    let Some(shared) = shared() else { return };
    let mut differences = Vec::new();
    for question in questions().into_iter().filter(wanted) {
        let arguments: Vec<String> =
            question.arguments.iter().map(|argument| argument.replacen("../shared", &shared, 1)).collect();
        let rows = program_says(&arguments);
        let form = question.form();
        let mut answer: Vec<String> = rows.iter().map(|row| form.line(row)).collect();
        answer.sort();
        if answer != question.answer {
            differences.push(format!(
                "{} {:?}\n  only jq says:{}\n  only the program says:{}",
                question.title,
                question.arguments,
                only_in(&question.answer, &answer),
                only_in(&answer, &question.answer)
            ));
        }
    }
    assert!(differences.is_empty(), "{} answers differ\n{}", differences.len(), differences.join("\n"));
}

fn only_in(lines: &[String], others: &[String]) -> String {
    lines.iter().filter(|line| !others.contains(line)).map(|line| format!("\n    {line}")).collect()
}

#[test]
fn requests_are_found_as_jq_finds_them() {
    ask_the_program(|question| matches!(question.form(), Form::Requests | Form::Columns(_)));
}

#[test]
fn tables_count_as_jq_counts() {
    ask_the_program(|question| matches!(question.form(), Form::Groups(_) | Form::Users));
}

#[test]
fn jq_still_says_what_the_page_says() {
    let Some(shared) = shared() else { return };
    if Command::new("jq").arg("--version").output().is_err() {
        println!("skipped: {} answers need jq to be checked", questions().len());
        return;
    }
    for question in questions() {
        let output = Command::new("sh")
            .args(["-c", &question.jq.replace("../shared", &shared)])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("a shell");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", question.title);
        assert_eq!(sorted(&String::from_utf8_lossy(&output.stdout)), question.answer, "{}", question.title);
    }
}

#[test]
fn the_page_asks_enough_and_every_answer_says_something() {
    let questions = questions();
    assert!(questions.len() >= 20, "{} questions", questions.len());
    for question in &questions {
        assert!(
            (1..=60).contains(&question.answer.len()),
            "{}: {} lines",
            question.title,
            question.answer.len()
        );
    }
    let ask =
        |log: &str| questions.iter().any(|q| q.arguments.last().is_some_and(|path| path.ends_with(log)));
    for log in ["incident-full", "incident-meta", "incident-lowwrite", "ordinary-full", "ordinary-meta"] {
        assert!(ask(&format!("../shared/data/kube/{log}.jsonl")), "nothing is asked of {log}");
    }
}

/// What the README writes in the last column of its table between two comments, each in its own way.
fn expressions_of_the_readme() -> Vec<String> {
    let (_, rest) = README.split_once("<!-- questions -->\n").expect("the README has the table of questions");
    let (table, _) = rest.split_once("<!-- /questions -->").expect("the table has an end");
    let rows = table.lines().skip(2);
    // A bar that is part of a cell is written with a backslash.
    let cell = |row: &str| {
        let row = row.replace("\\|", "\0");
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().replace('\0', "|");
        last.trim().trim_matches('`').to_owned()
    };
    rows.map(cell).collect()
}

#[test]
fn what_the_readme_writes_is_right_and_is_asked_here() {
    let questions = questions();
    let expressions = expressions_of_the_readme();
    assert!((10..=14).contains(&expressions.len()), "{expressions:?}");
    for expression in &expressions {
        let written = match expression.strip_prefix("kauditui ") {
            Some(command) => words(command.strip_suffix(" audit.log").expect("a log at the end")),
            None => vec!["query".to_owned(), "-f".to_owned(), expression.clone()],
        };
        let filter = written.iter().position(|word| word == "-f").map(|at| written[at + 1].as_str());
        let filter = filter.unwrap_or_else(|| panic!("no filter in {expression}"));
        query::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
        let is_asked =
            questions.iter().any(|q| q.arguments.split_last().is_some_and(|(_, rest)| rest == written));
        assert!(is_asked, "nothing is asked by {expression}");
    }
}

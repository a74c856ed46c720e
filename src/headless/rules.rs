//! `kauditui rules`: which rules there are and whether they can find anything (`list`), what is wrong with their files
//! (`check`), what one of them looks for (`explain`), and what a new one would find (`test`).

mod trial;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use self::trial::Trial;
use super::detection::{Detection, skipped_in_words};
use super::form::{Cell, Form, Heading};
use super::intake::Intake;
use super::{Outcome, Streams, cannot_write, visible};
use crate::cli::{AlertsOutput, RulesOutput};
use crate::detect::{
    FilterInfo, LoadProblem, LoadedRules, ProblemKind, Readiness, RuleIndex, RuleInfo, readiness,
    state_in_words,
};
use crate::error::{EXIT_FAILURE, EXIT_NO_MATCH, EXIT_OK, Error, Result};
use crate::ingest::IngestMessage;
use crate::model::{LogKind, TimeZoneChoice};
use crate::query::nearest;
use crate::text::{counted, json_escape_hostile, wrap};

/// Columns of text that is written for people.
const WIDTH: usize = 100;

/// How the answer is to look, and how logs are read.
#[derive(Clone, Copy, Debug)]
pub struct RulesOptions {
    /// Zone of its times.
    pub zone: TimeZoneChoice,
    /// Print ASCII marks only.
    pub ascii: bool,
    /// Bytes the store may hold.
    pub memory: u64,
    /// Whether the output is shown on a terminal.
    pub to_terminal: bool,
}

/// Prints what is wrong with the rules; the exit code is that of a failure when any cannot be used.
///
/// # Errors
/// When the output cannot be written.
pub fn check(rules: &LoadedRules, streams: &mut Streams<'_>) -> Result<u8> {
    let mut text = String::new();
    for (kind, word) in [(ProblemKind::Error, "error"), (ProblemKind::Warning, "warning")] {
        text += &of_kind(rules, kind).map(|problem| format!("{problem} [{word}]\n")).collect::<String>();
    }
    // Nothing is wrong with these, and nobody need do anything about them.
    let waiting = of_kind(rules, ProblemKind::Waiting);
    text += &waiting.map(|problem| format!("{problem} [waits for a list]\n")).collect::<String>();
    let (errors, warnings) =
        (of_kind(rules, ProblemKind::Error).count(), of_kind(rules, ProblemKind::Warning).count());
    let infos = rules.engine.rules();
    let built_in = infos.iter().filter(|info| info.origin.builtin).count();
    let correlations = infos.iter().filter(|info| info.is_correlation).count();
    text += &format!(
        "{} loaded ({built_in} built in, {} of files), {correlations} of them correlations; {}, {}, {}\n",
        counted(infos.len() as u64, "rule"),
        infos.len() - built_in,
        counted(rules.filters.len() as u64, "filter"),
        counted(errors as u64, "error"),
        counted(warnings as u64, "warning")
    );
    if let Some(skipped) = skipped_in_words(rules) {
        text += &format!("{skipped}\n");
    }
    streams.out.write_all(visible(&text).as_bytes()).map_err(cannot_write)?;
    streams.flush()?;
    Ok(if errors > 0 { EXIT_FAILURE } else { EXIT_OK })
}

fn of_kind(rules: &LoadedRules, kind: ProblemKind) -> impl Iterator<Item = &LoadProblem> {
    rules.problems.iter().filter(move |problem| problem.kind == kind)
}

/// Lists the rules, the gravest first. With `messages`, over what they bring: how often each is met, and whether it can
/// be.
///
/// # Errors
/// When the output cannot be written.
pub fn list(
    messages: Option<impl Iterator<Item = IngestMessage>>,
    rules: &LoadedRules,
    output: RulesOutput,
    options: RulesOptions,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let mut intake = Intake::with_rules(Some(rules));
    if let Some(detection) = &intake.detection {
        detection.tell_problems(streams);
    }
    let mut met = None;
    if let Some(messages) = messages {
        let mut trial = Trial::of(rules.engine.rules().len());
        trial.read(messages, &mut intake, options, streams);
        if stop.load(Ordering::Relaxed) {
            return Ok(Outcome { matched: 0, failed_sources: intake.failed_sources });
        }
        let hits = |detection: &Detection| -> Vec<u64> {
            (0..).zip(rules.engine.rules()).map(|(at, _)| trial.count(RuleIndex(at), detection)).collect()
        };
        let ready: Vec<(Readiness, String)> = readiness(&rules.engine, &intake.store)
            .into_iter()
            .zip((0..).map(RuleIndex))
            .map(|(ready, rule)| {
                let state = state_in_words(&rules.engine, rule, &ready);
                (ready, state)
            })
            .collect();
        met = intake.detection.as_ref().map(|detection| (hits(detection), ready));
    }
    let mut order: Vec<(usize, &RuleInfo)> = rules.engine.rules().iter().enumerate().collect();
    order.sort_by_key(|(_, info)| (std::cmp::Reverse(info.severity), info.title.clone()));
    let mut headings = vec![
        words("severity", "SEVERITY"),
        words("id", "ID"),
        words("file", "FILE"),
        words("title", "TITLE"),
    ];
    if met.is_some() {
        let hits = Heading { key: "hits".into(), title: "HITS".into(), width: 0, is_number: true };
        headings.splice(3..3, [hits]);
        headings.insert(4, words("state", "STATE"));
    }
    let form = Form::new(output.into(), options.zone, options.ascii, headings);
    let mut form = form.whole(!options.to_terminal);
    let lines: Vec<Vec<Cell<'_>>> = order
        .iter()
        .map(|(at, info)| {
            let mut cells = vec![
                Cell::text(info.severity.name()),
                Cell::text(info.id.as_str()),
                Cell::text(place(info)),
                Cell::text(info.title.as_str()),
            ];
            if let Some((hits, ready)) = &met {
                cells.splice(3..3, [Cell::Count(hits[*at]), Cell::text(ready[*at].1.as_str())]);
            }
            cells
        })
        .collect();
    form.fit(&lines);
    for ((at, info), cells) in order.iter().zip(&lines) {
        match output {
            AlertsOutput::Json | AlertsOutput::Jsonl => {
                let met = met.as_ref().map(|(hits, ready)| (hits[*at], &ready[*at]));
                form.object_line(&object(info, met), streams.out)
            }
            AlertsOutput::Table | AlertsOutput::Markdown => form.line(cells, streams.out),
        }
        .map_err(cannot_write)?;
    }
    form.finish(streams.out).map_err(cannot_write)?;
    streams.flush()?;
    intake.tell_losses(streams, options.zone);
    Ok(Outcome { matched: 1, failed_sources: intake.failed_sources })
}

fn words(key: &'static str, title: &'static str) -> Heading {
    Heading { key: key.into(), title: title.into(), width: 0, is_number: false }
}

/// Where a rule stands, shortly: the file of a built-in one without its folder and ending.
fn place(info: &RuleInfo) -> String {
    match info.origin.builtin {
        true => info.origin.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        false => format!("{}:{}", info.origin.file.display(), info.origin.line),
    }
}

/// A rule as JSON.
fn object(info: &RuleInfo, met: Option<(u64, &(Readiness, String))>) -> String {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(info.id));
    object.insert("title".to_owned(), json!(info.title));
    object.insert("severity".to_owned(), json!(info.severity.name()));
    object.insert("tags".to_owned(), json!(info.tags));
    object.insert("file".to_owned(), json!(info.origin.file.display().to_string()));
    object.insert("line".to_owned(), json!(info.origin.line));
    object.insert("builtin".to_owned(), json!(info.origin.builtin));
    object.insert("correlation".to_owned(), json!(info.is_correlation));
    object.insert("alerts".to_owned(), json!(info.is_told()));
    object.insert("filters".to_owned(), json!(info.filters));
    if let Some((hits, (ready, state))) = met {
        object.insert("hits".to_owned(), json!(hits));
        object.insert("canFire".to_owned(), json!(ready.is_ready()));
        object.insert("state".to_owned(), json!(state));
    }
    json_escape_hostile(&Value::Object(object).to_string()).into_owned()
}

/// Tells what a rule looks for.
///
/// # Errors
/// [`Error::Usage`] when there is no such rule, and when the output cannot be written.
pub fn explain(rules: &LoadedRules, called: &str, streams: &mut Streams<'_>) -> Result<u8> {
    let infos = rules.engine.rules();
    let Some((rule, info)) = (0..).map(RuleIndex).zip(infos).find(|(_, info)| is_called(info, called)) else {
        let names: Vec<String> = infos
            .iter()
            .map(|info| info.origin.file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
            .collect();
        let near = nearest(called, names.iter().map(String::as_str));
        return Err(Error::Usage {
            message: format!("no rule is called '{called}'"),
            tip: match near {
                Some(near) => format!("did you mean {near}? kauditui rules list has them all"),
                None => "kauditui rules list has them all".to_owned(),
            },
        });
    };
    let text = explanation(rules, rule, info);
    streams.out.write_all(visible(&text).as_bytes()).map_err(cannot_write)?;
    streams.flush()?;
    Ok(EXIT_OK)
}

/// Whether a rule is meant by its id, name, title, or file.
fn is_called(info: &RuleInfo, called: &str) -> bool {
    let file = &info.origin.file;
    let is_file = file.file_stem().is_some_and(|stem| stem == called) || file == Path::new(called);
    info.id.eq_ignore_ascii_case(called)
        || info.name.as_deref() == Some(called)
        || info.title.eq_ignore_ascii_case(called)
        || (is_file && info.is_told())
}

fn explanation(rules: &LoadedRules, rule: RuleIndex, info: &RuleInfo) -> String {
    let mut text = format!("{}\n\n", info.title);
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            for (at, part) in wrap(value.trim(), WIDTH - 15).iter().enumerate() {
                text += &format!("{:<15}{part}\n", if at == 0 { label } else { "" });
            }
        }
    };
    line("id", &info.id);
    let kind = match (info.severity.is_alert(), info.is_told()) {
        (_, false) => "only feeds correlations",
        (true, true) => "alert",
        (false, true) => "activity",
    };
    line("severity", &format!("{}, {kind}", info.severity));
    line("status", info.status.as_deref().unwrap_or_default());
    line("author", info.author.as_deref().unwrap_or_default());
    let origin = match info.origin.builtin {
        true => format!("built in, {}:{}", info.origin.file.display(), info.origin.line),
        false => format!("{}:{}", info.origin.file.display(), info.origin.line),
    };
    line("file", &origin);
    line("tags", &info.tags.join(", "));
    let needs = rules.engine.needs(rule);
    match info.log {
        LogKind::Kube => line("needs level", &format!("{} at least", needs.level)),
        other => line("needs", &format!("{}'s log", other.title())),
    }
    line("told", &rules.engine.correlation_in_words(rule).unwrap_or_default());
    line("fields", &needs.fields.join(", "));
    for fed in rules.engine.fed_by(rule).into_iter().filter(|fed| *fed != rule) {
        line("correlates", &rules.engine.rule(fed).title);
    }
    line("narrowed by", if info.filters.is_empty() { "no filter" } else { "" });
    for filter in &info.filters {
        line("narrowed by", filter);
    }
    line("description", &info.description);
    for cause in &info.falsepositives {
        line("harmless if", cause);
    }
    for next in next_steps(info) {
        line("next", next);
    }
    for reference in &info.references {
        line("see", reference);
    }
    format!("{text}\n{}\n", info.text.trim_end())
}

/// What to look at next, as `kauditui.next` has it.
fn next_steps(info: &RuleInfo) -> impl Iterator<Item = &str> {
    let steps = info.custom.get("kauditui").and_then(|own| own.get("next")).and_then(Value::as_array);
    steps.into_iter().flatten().filter_map(Value::as_str)
}

/// Runs the rules of one file over what `messages` bring, and tells how much each finds.
///
/// # Errors
/// [`Error::Usage`] when the file has no rule that can be used, and when the output cannot be written.
pub fn test(
    messages: impl Iterator<Item = IngestMessage>,
    rules: &LoadedRules,
    file: &Path,
    options: RulesOptions,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<u8> {
    let engine = &rules.engine;
    let of_file = |rule: &RuleIndex| engine.rule(*rule).origin.file == *file;
    let tried: Vec<RuleIndex> = (0..engine.rules().len() as u32).map(RuleIndex).filter(of_file).collect();
    for problem in rules.problems.iter().filter(|problem| problem.kind != ProblemKind::Waiting) {
        streams.note(&problem.to_string());
    }
    if tried.is_empty() {
        return Err(nothing_to_try(rules, file));
    }
    let mut intake = Intake::with_rules(Some(rules));
    let mut trial = Trial::explaining(engine, tried.clone());
    trial.read(messages, &mut intake, options, streams);
    if stop.load(Ordering::Relaxed) {
        return Ok(EXIT_NO_MATCH);
    }
    let mut found = 0;
    if let Some(detection) = &intake.detection {
        for rule in &tried {
            found += trial.write(*rule, detection, &intake, options, streams.out).map_err(cannot_write)?;
        }
    }
    streams.flush()?;
    intake.tell_losses(streams, options.zone);
    Ok(match (intake.failed_sources, found) {
        (1.., _) => EXIT_FAILURE,
        (0, 0) => EXIT_NO_MATCH,
        (0, _) => EXIT_OK,
    })
}

/// Why a file has no rule that could be tried.
fn nothing_to_try(rules: &LoadedRules, file: &Path) -> Error {
    let mut errors = of_kind(rules, ProblemKind::Error);
    if let Some(problem) = errors.find(|problem| problem.file == *file) {
        return Error::Usage {
            message: problem.to_string(),
            tip: "kauditui rules check FILE tells all that is wrong; docs/rules.md has examples".into(),
        };
    }
    let filters: Vec<&FilterInfo> =
        rules.filters.iter().filter(|filter| filter.origin.file == *file).collect();
    if filters.is_empty() {
        return Error::Usage {
            message: format!("{} holds no rule for this log", file.display()),
            tip:
                "a rule for it has logsource: product: kubernetes, service: audit; docs/rules.md has examples"
                    .into(),
        };
    }
    let narrowed = |filter: &FilterInfo| match filter.narrows.as_slice() {
        [] => format!("{} narrows no rule", filter.title),
        [rule] => format!("{} narrows {}", filter.title, rules.engine.rule(*rule).title),
        all => format!("{} narrows {} rules", filter.title, all.len()),
    };
    let narrowed: Vec<String> = filters.into_iter().map(narrowed).collect();
    Error::Usage {
        message: format!("{} holds no rule to test but a filter: {}", file.display(), narrowed.join("; ")),
        tip: format!(
            "kauditui rules list --rules {} SOURCE tells what such rules still find",
            file.display()
        ),
    }
}

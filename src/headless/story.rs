//! `trace`, `history` and `rbac`: reads everything, then answers one question with [`crate::trace`].

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::history::history;
use super::intake::Intake;
use super::rbac::{Look, rbac};
use super::{Outcome, Streams, cannot_write, visible};
use crate::cli::StoryOutput;
use crate::error::Result;
use crate::identity::Identities;
use crate::ingest::IngestMessage;
use crate::model::{TimeZoneChoice, format_rfc3339};
use crate::settings::Question;
use crate::text::json_escape_hostile;
use crate::trace::access::request_access;
use crate::trace::{Chain, Log, Told, find, tell};

/// Things that may be meant by what was typed, told at most.
const MOST_CANDIDATES: usize = 5;

/// What is asked, and how the answer is to look.
#[derive(Clone, Debug)]
pub struct StoryOptions<'a> {
    /// What is asked.
    pub question: &'a Question,
    /// Zone of its times.
    pub zone: TimeZoneChoice,
    /// Memory to use at most, in bytes.
    pub memory: u64,
}

/// Reads what `messages` bring and answers.
///
/// # Errors
/// When the output cannot be written.
pub fn story(
    messages: impl Iterator<Item = IngestMessage>,
    options: &StoryOptions<'_>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let mut intake = Intake::default();
    let mut identities = Identities::default();
    for message in messages {
        intake.take(message, streams);
        while intake.excess(options.memory).is_some() {
            // What is dropped has been looked at before.
            identities.update(&intake.store);
            if !intake.store.evict_oldest() {
                break;
            }
        }
    }
    identities.update(&intake.store);
    let log = Log { store: &intake.store, identities: &identities, zone: options.zone };
    let matched = if stop.load(Ordering::Relaxed) {
        0
    } else {
        match options.question {
            Question::Trace { audit_id, output } => trace(&log, audit_id, *output, streams)?,
            Question::History(asked) => history(&log, asked, streams)?,
            Question::Rbac { user, used, output, ascii } => {
                rbac(&log, user, *used, Look { output: *output, ascii: *ascii }, streams)?
            }
        }
    };
    streams.flush()?;
    intake.tell_losses(streams, options.zone);
    Ok(Outcome { matched, failed_sources: intake.failed_sources })
}

fn trace(log: &Log<'_>, audit_id: &str, output: StoryOutput, streams: &mut Streams<'_>) -> Result<u64> {
    let shown = |id: &crate::model::EventId| {
        log.store.entry(id.segment()).is_some_and(|entry| !entry.hidden().get(id.row()))
    };
    let named =
        |audit_id: &str| log.store.find_audit_id(audit_id).into_iter().filter(shown).collect::<Vec<_>>();
    let mut found = named(audit_id);
    if found.is_empty() {
        match whole_audit_id(log, audit_id).as_slice() {
            [] => streams.note(&format!("no request with auditID {audit_id}")),
            [whole] => found = named(whole),
            several => {
                streams.note(&format!("{audit_id} is the beginning of {}: which one?", shortly(several)));
            }
        }
    }
    let chains: Vec<Chain> = found.iter().filter_map(|id| Chain::of(log, *id)).collect();
    let mut text = String::new();
    for chain in &chains {
        match output {
            StoryOutput::Text => text += &as_text(&tell::chain(log, chain)),
            StoryOutput::Markdown => {
                let title = format!("# {}\n\n", escaped(&tell::deed_in_words(&chain.request)));
                text += &(title + &as_markdown(&tell::chain(log, chain)));
            }
            StoryOutput::Json => {
                text +=
                    &(json_escape_hostile(&told_only(as_json(log, chain)).to_string()).into_owned() + "\n");
            }
        }
    }
    streams.out.write_all(text.as_bytes()).map_err(cannot_write)?;
    Ok(chains.len() as u64)
}

/// The auditIDs of which this is the beginning, where it is long enough to mean something.
fn whole_audit_id(log: &Log<'_>, beginning: &str) -> Vec<String> {
    /// Characters from which on a beginning stands for the whole, as a commit's does.
    const FEWEST: usize = 4;
    match beginning.len() {
        FEWEST.. => find::audit_ids_beginning(log.store, beginning, MOST_CANDIDATES + 1),
        _ => Vec::new(),
    }
}

/// The first few of what may be meant.
pub(super) fn shortly(candidates: &[String]) -> String {
    let told = candidates.get(..MOST_CANDIDATES).unwrap_or(candidates).join(", ");
    if candidates.len() > MOST_CANDIDATES { told + " or others" } else { told }
}

/// Indented lines: certainty, what it is about, the statement and its evidence.
pub(super) fn as_text(told: &[Told]) -> String {
    told.iter().map(|line| visible(&format!("{line}\n"))).collect()
}

/// A list below each heading.
pub(super) fn as_markdown(told: &[Told]) -> String {
    let mut out = String::new();
    for line in told {
        let Some(certainty) = line.certainty else {
            out += &format!("\n## {}\n\n", line.label);
            continue;
        };
        let indent = "  ".repeat(line.depth - 1);
        out += &format!("{indent}- **{}** {}", certainty.name(), escaped(&line.text));
        if !line.evidence.is_empty() {
            out += &format!(" (by {})", escaped(&line.evidence));
        }
        out.push('\n');
    }
    out
}

pub(super) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Text of a log inside Markdown: nothing of it may act as markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in visible(&one_line(text)).chars() {
        if matches!(
            character,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!'
        ) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn as_json(log: &Log<'_>, chain: &Chain) -> Value {
    let request = |request: &crate::trace::Request| {
        json!({
            "auditID": request.audit_id,
            "time": format_rfc3339(request.time),
            "user": request.user,
            "impersonatedUser": request.impersonated_user,
            "verb": request.verb,
            "apiGroup": request.object.group,
            "resource": request.object.resource,
            "subresource": request.subresource,
            "namespace": request.object.namespace,
            "name": request.object.name,
            "code": request.code,
            "sourceIP": request.source_ip,
            "userAgent": request.user_agent,
            "credential": request.credential,
        })
    };
    let findings = |findings: &[crate::trace::Finding]| -> Vec<Value> {
        findings
            .iter()
            .map(|finding| {
                json!({
                    "topic": finding.topic,
                    "certainty": finding.certainty,
                    "text": finding.text,
                    "evidence": finding.evidence,
                    "auditID": finding.event.map(|id| audit_id(log, id)),
                })
            })
            .collect()
    };
    let causes: Vec<Value> = chain
        .causes
        .iter()
        .map(|cause| {
            json!({
                "certainty": cause.certainty,
                "because": cause.because,
                "evidence": cause.evidence,
                "request": request(&cause.request),
            })
        })
        .collect();
    let (kind, why) = match &chain.end {
        crate::trace::End::Origin(why) => ("origin", why),
        crate::trace::End::Hole(why) => ("hole", why),
    };
    json!({
        "request": request(&chain.request),
        "who": findings(&chain.who),
        "access": request_access(log, &chain.request),
        "causes": causes,
        "end": { "kind": kind, "text": why },
        "origin": findings(&chain.origin),
        "git": chain.git(),
        "clocks": chain.clocks,
        "effects": chain.effects.iter().map(|effect| effect_json(log, effect)).collect::<Vec<_>>(),
        "cut": chain.cut,
    })
}

fn effect_json(log: &Log<'_>, effect: &crate::trace::Effect) -> Value {
    json!({
        "certainty": effect.certainty,
        "text": effect.text(),
        "evidence": effect.evidence,
        "names": effect.names,
        "count": effect.count(),
        "auditIDs": effect.requests.iter().map(|id| audit_id(log, *id)).collect::<Vec<_>>(),
        "effects": effect.effects.iter().map(|effect| effect_json(log, effect)).collect::<Vec<_>>(),
    })
}

/// The same without fields that have nothing to say.
pub(super) fn told_only(value: Value) -> Value {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !says_nothing(value))
            .map(|(key, value)| (key, told_only(value)))
            .collect::<serde_json::Map<String, Value>>()
            .into(),
        Value::Array(items) => items.into_iter().map(told_only).collect(),
        other => other,
    }
}

fn audit_id(log: &Log<'_>, id: crate::model::EventId) -> String {
    log.store.segment(id).map_or(String::new(), |segment| segment.audit_id(id.row()))
}

//! `history`: the writes to one object, what each changed, and the object's state as YAML.

use serde_json::{Value, json};

use super::form::{Cell, Form, Heading};
use super::story::{escaped, one_line, shortly, told_only};
use super::{Streams, cannot_write, visible};
use crate::cli::{HistoryOutput, QueryOutput};
use crate::error::Result;
use crate::model::{format_rfc3339, parse_user_time, tool};
use crate::settings::HistoryQuestion;
use crate::text::json_escape_hostile;
use crate::trace::manifest::{ShownChange, manifest, masked};
use crate::trace::yaml::yaml;
use crate::trace::{Change, History, Log, ObjectKey, Outcome, Revision, find, tell};

/// Prints the answer; how many writes were found.
pub(super) fn history(log: &Log<'_>, asked: &HistoryQuestion, streams: &mut Streams<'_>) -> Result<u64> {
    let objects = find::objects(log, &asked.resource, &asked.name, asked.namespace.as_deref());
    let key = match objects.as_slice() {
        [] => {
            let place = asked.namespace.as_ref().map_or(String::new(), |ns| format!(" in namespace {ns}"));
            let meant = find::near_objects(log, &asked.resource, &asked.name);
            let meant =
                if meant.is_empty() { String::new() } else { format!("; did you mean {}?", shortly(&meant)) };
            streams.note(&format!("no write to {}/{}{place} in this log{meant}", asked.resource, asked.name));
            return Ok(0);
        }
        [key] => key,
        [key, others @ ..] => {
            let others: Vec<String> = others.iter().map(ObjectKey::to_string).collect();
            streams.note(&format!(
                "{key} is shown; there are also {}: choose with -n NAMESPACE, or RESOURCE.GROUP/NAME",
                others.join(", ")
            ));
            key
        }
    };
    let history = History::of(log, key, asked.options);
    if let Some((older, newer)) = asked.between {
        return between(log, &history, older, newer, asked, streams);
    }
    if asked.output == HistoryOutput::Yaml || asked.revision.is_some() || asked.at.is_some() {
        return state(log, &history, asked, streams);
    }
    let text = match asked.output {
        HistoryOutput::Json => as_json(&history),
        HistoryOutput::Markdown => as_markdown(log, &history),
        HistoryOutput::Table | HistoryOutput::Yaml => as_table(log, &history, asked.ascii),
    };
    streams.out.write_all(text.as_bytes()).map_err(cannot_write)?;
    Ok(history.revisions.len() as u64)
}

fn state(
    log: &Log<'_>,
    history: &History,
    asked: &HistoryQuestion,
    streams: &mut Streams<'_>,
) -> Result<u64> {
    let number = match (&asked.at, asked.revision) {
        (Some(at), _) => {
            let newest = log.store.order().last_time().unwrap_or_default();
            let moment = parse_user_time(at, newest, newest, log.zone).unwrap_or(newest);
            let mut own = history.revisions.iter().rev().filter(|revision| revision.of.is_none());
            let Some(last) = own.find(|revision| revision.request.time <= moment) else {
                streams.note(&format!("the object was not written before {at} in this log"));
                return Ok(0);
            };
            Some(last.number)
        }
        (None, number) => number,
    };
    let known = match number {
        Some(number) => history.state_after(log, number).map(|state| (number, state)),
        None => history.last_known(log),
    };
    let Some((number, state)) = known else {
        streams
            .note("the object's state cannot be known: no body of it is in this log (audit level Metadata)");
        return Ok(0);
    };
    let state = if asked.options.revealed { state } else { masked(&state, &history.key.resource) };
    let told = history.revisions.iter().find(|revision| revision.number == number);
    let after = told.map_or(String::new(), |revision| {
        format!(", after {} by {}", format_rfc3339(revision.request.time), revision.request.user)
    });
    let text = format!("# {}: state of revision {number}{after}\n{}", history.key, yaml(&manifest(&state)));
    streams.out.write_all(visible(&text).as_bytes()).map_err(cannot_write)?;
    Ok(1)
}

fn between(
    log: &Log<'_>,
    history: &History,
    older: usize,
    newer: usize,
    asked: &HistoryQuestion,
    streams: &mut Streams<'_>,
) -> Result<u64> {
    let Some(changes) = history.between(log, older, newer, asked.options.revealed) else {
        streams.note("one of the two states cannot be known");
        return Ok(0);
    };
    let mut out = String::new();
    for change in changes.iter().filter(|change| asked.options.noise || !change.is_noise) {
        out += &visible(&format!("{}\n", tell::change_in_words(change, true)));
    }
    streams.out.write_all(out.as_bytes()).map_err(cannot_write)?;
    Ok(changes.len().max(1) as u64)
}

fn as_table(log: &Log<'_>, history: &History, ascii: bool) -> String {
    let heading = |title: &'static str, width: usize, is_number: bool| Heading {
        key: title.into(),
        title: title.into(),
        width,
        is_number,
    };
    let headings = vec![
        heading("REV", 4, true),
        heading("TIME", 12, false),
        heading("VERB", 7, false),
        heading("CODE", 4, true),
        heading("BY", 10, false),
        heading("TOOL", 8, false),
        heading("MANAGER", 8, false),
        heading("CHANGED", 10, false),
    ];
    let lines: Vec<Vec<Cell<'_>>> = history
        .revisions
        .iter()
        .rev()
        .map(|revision| {
            let request = &revision.request;
            vec![
                Cell::Number(revision.number as u64),
                Cell::Time(request.time),
                Cell::text(tell::verb_in_words(request)),
                Cell::Number(request.code.into()),
                Cell::text(tell::user_in_words(request)),
                Cell::text(tool(&request.user_agent).to_owned()),
                Cell::text(revision.manager.clone()),
                Cell::text(tell::revision_shortly(revision)),
            ]
        })
        .collect();
    let mut out: Vec<u8> = visible(&format!("{}\n", tell::history_title(history))).into_bytes();
    let mut form = Form::new(QueryOutput::Table, log.zone, ascii, headings);
    form.fit(&lines);
    for (line, revision) in lines.iter().zip(history.revisions.iter().rev()) {
        // A vector takes all that is written.
        let _ = form.line(line, &mut out);
        for change in fields(revision) {
            let said = visible(&format!("       {}\n", one_line(&tell::change_in_words(change, true))));
            out.extend_from_slice(said.as_bytes());
        }
    }
    let _ = form.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn fields(revision: &Revision) -> &[ShownChange] {
    match &revision.change {
        Change::Fields(changes) => changes,
        _ => &[],
    }
}

fn as_markdown(log: &Log<'_>, history: &History) -> String {
    let mut out = format!("# {}\n\n", escaped(&tell::history_title(history)));
    for revision in history.revisions.iter().rev() {
        out += &format!(
            "- **{}** {} — {}\n",
            revision.number,
            escaped(&tell::request_in_words(log, &revision.request)),
            escaped(&tell::revision_shortly(revision)),
        );
        for change in fields(revision) {
            out += &format!("  - {}\n", escaped(&tell::change_in_words(change, true)));
        }
    }
    out
}

fn as_json(history: &History) -> String {
    let revisions: Vec<Value> = history.revisions.iter().map(revision_json).collect();
    let value = json!({
        "apiGroup": history.key.group,
        "resource": history.key.resource,
        "namespace": history.key.namespace,
        "name": history.key.name,
        "revisions": revisions,
        "reportsLeftOut": history.reports,
        "olderLeftOut": history.left_out,
    });
    json_escape_hostile(&told_only(value).to_string()).into_owned() + "\n"
}

fn revision_json(revision: &Revision) -> Value {
    let request = &revision.request;
    let changes: Vec<Value> = fields(revision)
        .iter()
        .map(|change| {
            json!({
                "path": change.path,
                "before": change.before,
                "after": change.after,
                "masked": change.is_masked,
            })
        })
        .collect();
    let state = match &revision.outcome {
        Outcome::Told => "told",
        Outcome::Derived(_) => "derived",
        Outcome::Sent => "sent",
        Outcome::Unknown(_) => "unknown",
        Outcome::Gone => "gone",
        Outcome::Untouched => "untouched",
    };
    let (change, why) = match &revision.change {
        Change::Fields(_) => ("fields", None),
        Change::Created => ("created", None),
        Change::Deleted => ("deleted", None),
        Change::Nothing => ("nothing", None),
        Change::FirstKnown => ("first-known", None),
        Change::Unknown(why) => ("unknown", Some(why)),
    };
    json!({
        "revision": revision.number,
        "object": revision.of.as_ref().map(ToString::to_string),
        "auditID": request.audit_id,
        "time": format_rfc3339(request.time),
        "verb": request.verb,
        "subresource": request.subresource,
        "code": request.code,
        "user": request.user,
        "impersonatedUser": request.impersonated_user,
        "sourceIP": request.source_ip,
        "userAgent": request.user_agent,
        "fieldManager": revision.manager,
        "uid": revision.uid,
        "dryRun": revision.is_dry_run(),
        "state": state,
        "change": change,
        "why": why,
        "fields": changes,
        "foldedFields": revision.folded,
    })
}

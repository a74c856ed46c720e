//! Why a result is empty: what was looked at, and what an audit log cannot tell.

use super::App;
use crate::model::format_stamp;
use crate::store::Field;
use crate::text;

/// What to say instead of rows, a sentence a line.
pub fn why_empty(app: &App) -> Vec<String> {
    let mut lines = Vec::new();
    if app.store.order().is_empty() {
        return why_nothing_read(app);
    }
    let filter = app.filter_bar.text();
    lines.push(if filter.is_empty() {
        "No event to show.".to_owned()
    } else {
        format!("Nothing matches {filter}")
    });
    if !app.view.is_complete() {
        lines.push("Still looking.".to_owned());
    }
    let (first, last) = (app.store.order().first_time(), app.store.order().last_time());
    if let (Some(first), Some(last)) = (first, last) {
        let zone = app.zone();
        lines.push(format!(
            "Looked at {} records from {} to {} {}.",
            text::thousands(app.store.held_records()),
            format_stamp(first, zone),
            format_stamp(last, zone),
            crate::model::format_local_offset(last, zone)
        ));
    }
    if let Some((since, until)) = app.range {
        let shown = |t| format_stamp(t, app.zone());
        let since = if since > i64::MIN { format!(" since {}", shown(since)) } else { String::new() };
        let until = if until < i64::MAX { format!(" until {}", shown(until)) } else { String::new() };
        lines.push(format!("Only events{since}{until} are shown."));
    }
    if app.view.folded() > 0 {
        let folded = text::thousands(app.view.folded() as u64);
        lines.push(format!("{folded} matching routine events are hidden: x shows them."));
    }
    lines.extend(what_cannot_be_known(app));
    lines
}

fn why_nothing_read(app: &App) -> Vec<String> {
    let mut lines = Vec::new();
    if app.is_loading() {
        lines.push("Reading…".to_owned());
    }
    for source in app.sources.values().filter(|source| source.history_done) {
        let lost = app.notices.losses();
        let read: u64 = source.files.iter().map(|f| f.lines).sum();
        let path = &source.description.path;
        lines.push(match (read, lost) {
            (0, _) => format!("{path} is empty or does not exist yet."),
            (read, 0) => format!("{path} has {read} lines, none of them an audit event."),
            (read, _) => {
                format!("{path} has {read} lines, but no audit event in any: is it an audit log? (:notices)")
            }
        });
        if !source.ended && read == 0 {
            lines.push(
                "Waiting for the API server to write. Without --audit-policy-file it writes nothing.".into(),
            );
        }
    }
    lines
}

/// What may be missing from any result over this log.
pub fn what_cannot_be_known(app: &App) -> Vec<String> {
    let mut lines =
        vec!["Each API server writes a log of its own; other control-plane nodes have theirs.".to_owned()];
    if app.is_loading() {
        lines.push(format!("Older history is still being read ({:.0} %).", app.history_share() * 100.0));
    }
    if app.memory_full {
        lines.push("Memory is full: older events are not held (--memory).".to_owned());
    }
    let counts = app.store.counts();
    if counts.evicted_records > 0 {
        lines.push(format!(
            "{} older records were dropped for memory.",
            text::thousands(counts.evicted_records)
        ));
    }
    let losses = app.notices.losses();
    if losses > 0 {
        lines.push(format!("{} stretches of the log could not be read (:notices).", text::thousands(losses)));
    }
    if !has_reads(app) {
        lines.push("This log holds no get, list or watch: the audit policy leaves reads out.".to_owned());
    }
    if !has_bodies(app) {
        lines.push("This log holds no bodies: its policy logs at level Metadata.".to_owned());
    }
    lines
}

fn has_reads(app: &App) -> bool {
    app.store.entries().any(|(_, entry)| {
        let verbs = &entry.segment().column(Field::Verb).dictionary;
        verbs.iter().any(|(_, verb)| matches!(verb, "get" | "list" | "watch"))
    })
}

fn has_bodies(app: &App) -> bool {
    use crate::model::Level;
    app.store.entries().any(|(_, entry)| {
        entry
            .segment()
            .all_facts()
            .iter()
            .any(|f| matches!(f.level(), Level::Request | Level::RequestResponse))
    })
}

//! `kauditui report`: chosen requests as an incident timeline in Markdown, with their evidence looked up in the files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::intake::Intake;
use super::query::{QueryOptions, rows_in_order, time_range};
use super::{Outcome, Streams, cannot_write};
use crate::error::Result;
use crate::identity::Identities;
use crate::ingest::{self, FileReport, IngestMessage, Located};
use crate::model::{EventId, TimeZoneChoice};
use crate::store::Store;
use crate::trace::report::{Coverage, CoveredFile, Draft, Found, ReportAlert};
use crate::trace::select::in_time_order;
use crate::trace::{Log, Report, quoted};

/// What a report is about.
pub struct ReportOptions<'a> {
    /// The filter and the window, and how the logs are read. Its limit is that of the report.
    pub query: QueryOptions<'a>,
    /// The filter as typed; without one only [`Self::at`] chooses.
    pub filter: Option<&'a str>,
    /// The auditIDs of further events.
    pub at: &'a [String],
    /// What its writer has to say, as Markdown.
    pub notes: &'a [String],
    /// Events that are told of at most.
    pub limit: usize,
}

/// Reads everything and prints the report. Without a chosen event nothing is printed.
///
/// # Errors
/// When the output cannot be written, or a time bound means nothing.
pub fn report(
    messages: impl Iterator<Item = IngestMessage>,
    options: &ReportOptions<'_>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let mut intake = Intake::with_rules(options.query.rules.as_ref());
    if let Some(detection) = &intake.detection {
        detection.tell_problems(streams);
    }
    let mut identities = Identities::default();
    let mut files = BTreeMap::new();
    for message in messages {
        if let Some(file) = intake.take(message, streams) {
            files.insert(file.origin, file);
        }
        while intake.excess(options.query.memory).is_some() {
            // What is dropped has been looked at before.
            identities.update(&intake.store);
            if !intake.store.evict_oldest() {
                break;
            }
        }
    }
    identities.update(&intake.store);
    intake.settle();
    // Whoever stops it before it has read everything does not want a part of it that looks like all.
    let chosen = if stop.load(Ordering::Relaxed) { Vec::new() } else { choose(&intake, options, streams)? };
    if !chosen.is_empty() {
        let log = Log { store: &intake.store, identities: &identities, zone: TimeZoneChoice::Utc };
        let text = written(&log, &intake, options, &chosen, &files).markdown();
        streams.out.write_all(text.as_bytes()).map_err(cannot_write)?;
    }
    streams.flush()?;
    intake.tell_losses(streams, options.query.zone);
    Ok(Outcome { matched: chosen.len() as u64, failed_sources: intake.failed_sources })
}

/// The chosen requests in time order. Those that were named come before those that match when there is not room for
/// all, but that is decided by [`written`].
fn choose(intake: &Intake, options: &ReportOptions<'_>, streams: &mut Streams<'_>) -> Result<Vec<EventId>> {
    let store = &intake.store;
    let mut chosen = Vec::new();
    for audit_id in options.at {
        let named = requests_named(store, audit_id);
        if named.is_empty() {
            streams.note(&format!("no request with auditID {audit_id}"));
        }
        chosen.extend(named);
    }
    if options.filter.is_some() {
        let range = time_range(&options.query, intake, streams)?;
        chosen.extend(rows_in_order(store, &options.query.plan(intake), &options.query, range, None));
    }
    in_time_order(store, &mut chosen);
    Ok(chosen)
}

/// The rows of the requests with this auditID; a client may use one for several.
fn requests_named(store: &Store, audit_id: &str) -> Vec<EventId> {
    let stands = |id: &EventId| store.entry(id.segment()).is_some_and(|entry| !entry.hidden().get(id.row()));
    store.find_audit_id(audit_id).into_iter().filter(stands).collect()
}

/// The report on as many of the chosen requests as it may tell of: those that were named, then the earliest.
fn written(
    log: &Log<'_>,
    intake: &Intake,
    options: &ReportOptions<'_>,
    chosen: &[EventId],
    files: &BTreeMap<u32, Box<FileReport>>,
) -> Report {
    let store = log.store;
    let mut told: Vec<EventId> =
        options.at.iter().flat_map(|audit_id| requests_named(store, audit_id)).take(options.limit).collect();
    let room = options.limit - told.len();
    let others: Vec<EventId> = chosen.iter().filter(|id| !told.contains(id)).take(room).copied().collect();
    told.extend(others);
    in_time_order(store, &mut told);
    let draft = Draft::of(log, &told, |id| {
        let origin = store.entry(id.segment()).map_or(0, |entry| entry.origin());
        let path = files.get(&origin).map_or(String::new(), |file| file.path.clone());
        let name = store.segment(id).map_or("", |segment| intake.name(segment.source()));
        (path, name.to_owned())
    });
    let report = draft.complete(|path, texts| ingest::evidence(path, texts).into_iter().map(found).collect());
    let alerts = intake
        .detection
        .as_ref()
        .map(|detection| ReportAlert::of(&detection.board, log, &report.events))
        .unwrap_or_default();
    Report {
        notes: options.notes.to_vec(),
        left_out: (chosen.len() - told.len()) as u64,
        alerts,
        coverage: coverage(intake, options, files),
        ..report
    }
}

fn found(located: Located) -> Found {
    Found { offset: located.offset, sha256: located.sha256, remark: located.remark }
}

fn coverage(
    intake: &Intake,
    options: &ReportOptions<'_>,
    files: &BTreeMap<u32, Box<FileReport>>,
) -> Coverage {
    let covered = files.values().map(|file| CoveredFile {
        path: if file.path == "-" { "stdin".to_owned() } else { file.path.clone() },
        lines: file.lines,
        events: file.events,
        unreadable: file.unreadable.clone(),
        span: file.first.zip(file.last),
        gaps: file.gaps.clone(),
    });
    Coverage {
        chosen_by: chosen_by(options),
        files: covered.collect(),
        failed_sources: intake.failed_sources,
        levels: Coverage::levels_of(&intake.store),
        counts: intake.store.counts(),
        losses: intake.losses(),
    }
}

/// The choice as one would type it.
fn chosen_by(options: &ReportOptions<'_>) -> String {
    let mut words = Vec::new();
    let mut option = |name: &str, value: &str| words.push(format!("{name} {}", quoted(value)));
    if let Some(filter) = options.filter {
        option("-f", filter);
    }
    for (name, value) in [("--since", options.query.since), ("--until", options.query.until)] {
        if let Some(value) = value {
            option(name, value);
        }
    }
    for audit_id in options.at {
        option("--at", audit_id);
    }
    words.join(" ")
}

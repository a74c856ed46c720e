//! `kauditui report`: chosen requests as an incident timeline in Markdown, with their evidence looked up in the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::intake::Intake;
use super::query::{QueryOptions, rows_in_order, time_range};
use super::{Outcome, Streams, cannot_write};
use crate::error::Result;
use crate::identity::Identities;
use crate::ingest::{FileReport, IngestMessage, locate, sha256_hex};
use crate::model::{EventId, TimeZoneChoice};
use crate::store::Store;
use crate::trace::report::{Coverage, CoveredFile, Evidence};
use crate::trace::select::in_time_order;
use crate::trace::{Chain, Log, Report, ReportEvent, quoted, tell};

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
    let mut intake = Intake::default();
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
    let mut events: Vec<ReportEvent> = Vec::new();
    let mut lines = Vec::new();
    for id in &told {
        let Some(mut event) = ReportEvent::read(store, *id, None) else { continue };
        event.chain = Chain::of(log, *id).map_or_else(Vec::new, |chain| tell::chain(log, &chain));
        lines.extend(store.stages(*id).into_iter().map(|record| (events.len(), record)));
        events.push(event);
    }
    for (at, evidence) in evidence(intake, &lines, files) {
        if let Some(event) = events.get_mut(at) {
            event.evidence.push(evidence);
        }
    }
    Report {
        notes: options.notes.to_vec(),
        left_out: (chosen.len() - told.len()) as u64,
        events,
        coverage: coverage(intake, options, files),
    }
}

/// Where each of the records is, with the number that stands beside it.
fn evidence(
    intake: &Intake,
    records: &[(usize, EventId)],
    files: &BTreeMap<u32, Box<FileReport>>,
) -> Vec<(usize, Evidence)> {
    let store = &intake.store;
    let mut by_origin: BTreeMap<u32, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
    for (number, (_, id)) in records.iter().enumerate() {
        let text = store.segment(*id).and_then(|segment| segment.text(id.row()).ok());
        if let (Some(entry), Some(text)) = (store.entry(id.segment()), text) {
            by_origin.entry(entry.origin()).or_default().push((number, text));
        }
    }
    let mut found: Vec<(usize, Evidence)> = Vec::new();
    for (origin, wanted) in by_origin {
        let (numbers, texts): (Vec<usize>, Vec<Vec<u8>>) = wanted.into_iter().unzip();
        let path = files.get(&origin).map_or("", |file| file.path.as_str());
        let located = located(path, &texts);
        for ((number, text), (place, remark)) in numbers.into_iter().zip(texts).zip(located) {
            let Some((_, id)) = records.get(number) else { continue };
            let Some(segment) = store.segment(*id) else { continue };
            let (offset, sha256) = match place {
                Some(place) => (Some(place.offset), place.sha256),
                None => (None, sha256_hex(&text)),
            };
            let stage = segment.facts(id.row()).stage();
            let file = if matches!(path, "" | "-") { intake.name(segment.source()) } else { path };
            found.push((number, Evidence { stage, file: file.to_owned(), offset, sha256, remark }));
        }
    }
    // Back into the order in which they were asked for: of the events, and of their stages.
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().filter_map(|(number, evidence)| Some((records.get(number)?.0, evidence))).collect()
}

/// Looks texts up in a file again, and says beside each what must be known to check it.
fn located(path: &str, texts: &[Vec<u8>]) -> Vec<(Option<crate::ingest::Place>, String)> {
    let without =
        |why: &str| vec![(None, format!("{why}: the SHA-256 is of the record as it was read")); texts.len()];
    let path = Path::new(path);
    // A pipe cannot be read again, and reading it would wait.
    if !path.is_file() {
        return without("not a file");
    }
    match locate(path, texts) {
        Err(error) => without(&format!("cannot be read again, {error}")),
        Ok(places) => places
            .into_iter()
            .map(|place| {
                let remark = match &place {
                    None => "no longer in the file: the SHA-256 is of the record as it was read",
                    Some(place) if place.is_last_line => "spread over lines: this is the last of them",
                    Some(place) if place.is_unpacked => "offset in the unpacked text",
                    Some(_) => "",
                };
                (place, remark.to_owned())
            })
            .collect(),
    }
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

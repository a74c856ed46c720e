//! `kauditui info`: what the logs hold, counted. Totals survive whatever the store has to drop for memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::intake::Intake;
use super::{Outcome, Streams, info_output};
use crate::cli::InfoOutput;
use crate::error::Result;
use crate::ingest::{Coverage, FileReport, IngestMessage, SourceDescription};
use crate::model::{EventId, Level, LogKind, Micros, SourceId, TimeZoneChoice, format_rfc3339};
use crate::store::{Entry, Field, StoreCounts};

/// Groups and verbs that are told apart. Both are what clients put into their requests, so there may be any number.
const MOST_KINDS: usize = 2_000;

/// How `info` counts and prints.
pub struct InfoOptions {
    /// Form of the output.
    pub output: InfoOutput,
    /// Zone in which the table shows times.
    pub zone: TimeZoneChoice,
    /// Bytes the store may hold.
    pub memory: u64,
    /// From which lags are counted.
    pub now: Micros,
}

/// What the logs hold. This is the JSON of `info -o json`; `docs/json.md` describes each field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Each log, in the order in which they were opened.
    pub sources: Vec<SourceInfo>,
    /// Each file, by path.
    pub files: Vec<FileInfo>,
    /// All files together.
    pub total: FileInfo,
    /// Requests without an end.
    pub open_requests: u64,
    /// Audit levels seen, by resource group and verb.
    pub levels: Vec<LevelsSeen>,
    /// Records that were dropped for memory after they had been counted: lines read twice may have gone unnoticed
    /// among them.
    pub dropped_records: u64,
}

/// A log: a file with what was rotated away from it, or standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceInfo {
    /// What rows call it.
    pub name: String,
    /// Its path, `-` for standard input.
    pub path: String,
    /// Rotated files that belong to it.
    pub rotated: usize,
    /// How many of those are compressed.
    pub compressed: usize,
    /// Lines of its files that are not blank.
    pub lines: u64,
    /// Events read from them.
    pub events: u64,
    /// Lines or parts of them that could not be read.
    pub unreadable: u64,
    /// Greatest stage time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// How long before this was counted the newest event was, in microseconds; below zero where the log's clock is ahead.
    #[serde(rename = "lagMicros", skip_serializing_if = "Option::is_none")]
    pub lag: Option<Micros>,
}

/// What one file holds, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileInfo {
    /// Its path; left out of the total.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Bytes of text, unpacked.
    pub text_bytes: u64,
    /// Bytes on disk.
    pub stored_bytes: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// Audit events read.
    pub events: u64,
    /// The same by format, the commonest first.
    pub formats: Vec<FormatCount>,
    /// Distinct requests. One whose records lie in two files counts for the file that was read first.
    pub requests: u64,
    /// Events that had been read before, from another file.
    pub duplicates: u64,
    /// What could not be read, by kind.
    pub unreadable: Vec<UnreadableCount>,
    /// Lines of controllers' logs that tell of no change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOverCount>,
    /// Least stage time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Greatest stage time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Stretches of more than ten minutes without a line.
    pub gaps: Vec<Gap>,
    /// `first` and `last` as moments.
    #[serde(skip)]
    pub span: Option<(Micros, Micros)>,
}

/// Events in one format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FormatCount {
    /// What it is, as [`crate::format::Format`] says it: `kube audit in CRI lines`.
    pub format: String,
    /// Events.
    pub count: u64,
}

/// How often something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableCount {
    /// What it was, as [`crate::format::Unreadable::name`] calls it.
    pub kind: String,
    /// How often.
    pub count: u64,
}

/// How many lines of a controller's log tell of no change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOverCount {
    /// Which program's log it is; `other` where the lines do not tell.
    pub log: String,
    /// How many.
    pub count: u64,
}

/// A stretch of time without a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Stage time of the last event before it, RFC 3339.
    pub after: String,
    /// Stage time of the first event after it, RFC 3339.
    pub before: String,
    /// Both as moments.
    #[serde(skip)]
    pub span: (Micros, Micros),
}

/// Levels at which requests to one resource group with one verb were logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelsSeen {
    /// `objectRef.apiGroup`, empty for the core group; left out for URLs that name no resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_group: Option<String>,
    /// The verb.
    pub verb: String,
    /// Events at each level that occurred.
    pub levels: Vec<LevelCount>,
}

/// Events at one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelCount {
    /// The level, empty when the record has none.
    pub level: &'static str,
    /// Events.
    pub count: u64,
}

/// Reads everything, counts it and prints the result.
///
/// # Errors
/// When the output cannot be written; a closed pipe among them.
pub fn info(
    messages: impl Iterator<Item = IngestMessage>,
    options: &InfoOptions,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let mut counting = Counting::default();
    for message in messages {
        counting.take(message, options.memory, streams);
    }
    let failed_sources = counting.intake.failed_sources;
    let mut matched = 1;
    if !stop.load(Ordering::Relaxed) {
        counting.intake.tell_losses(streams, options.zone);
        let info = counting.finish(options.now);
        matched = info.total.understood();
        // Counts of nothing would look like an empty log, where there was only an error.
        if !info.files.is_empty() || failed_sources == 0 {
            info_output::print(&info, options, streams)?;
        }
        streams.flush()?;
    }
    Ok(Outcome { matched, failed_sources })
}

/// Requests and duplicates of one file.
#[derive(Clone, Copy, Default)]
struct PerFile {
    requests: u64,
    duplicates: u64,
}

/// Group (none: no resource) and verb.
type Kind = (Option<String>, String);

#[derive(Default)]
struct Counting {
    intake: Intake,
    logs: BTreeMap<SourceId, SourceDescription>,
    reports: Vec<(SourceId, FileReport)>,
    per_file: HashMap<u32, PerFile>,
    levels: BTreeMap<Kind, [u64; Level::ALL.len()]>,
    /// Rows of live segments whose level was counted.
    counted: HashMap<u32, u32>,
    /// Open requests of segments that were dropped.
    dropped_open: u64,
}

impl Counting {
    fn take(&mut self, message: IngestMessage, memory: u64, streams: &mut Streams<'_>) {
        let origin = match &message {
            IngestMessage::History(batch) | IngestMessage::Live(batch) => Some(batch.origin),
            _ => None,
        };
        let source = match &message {
            IngestMessage::Opened(log) => {
                self.logs.insert(log.id, log.clone());
                None
            }
            IngestMessage::File(source, _) => Some(*source),
            _ => None,
        };
        let before = self.intake.store.counts();
        let report = self.intake.take(message, streams);
        self.reports.extend(source.zip(report.map(|report| *report)));
        let Some(origin) = origin else { return };
        self.attribute(origin, before);
        for number in self.intake.store.take_changes().touched {
            self.count_levels(number);
        }
        while let Some(number) = self.intake.excess(memory) {
            let leaving = self.open_requests().filter(|id| id.segment() == number).count();
            self.dropped_open += leaving as u64;
            self.counted.remove(&number);
            if !self.intake.store.evict_oldest() {
                break;
            }
        }
    }

    fn attribute(&mut self, origin: u32, before: StoreCounts) {
        let after = self.intake.store.counts();
        let file = self.per_file.entry(origin).or_default();
        // A batch may join requests that were counted apart; what its file cannot give back, it does not have.
        file.requests = (file.requests + after.requests).saturating_sub(before.requests);
        file.duplicates += after.duplicates - before.duplicates;
    }

    /// Counts the rows of a segment that are new.
    fn count_levels(&mut self, number: u32) {
        let Some(entry) = self.intake.store.entry(number) else { return };
        let segment = entry.segment();
        let from = self.counted.insert(number, segment.rows()).unwrap_or(0);
        for ((group, has_resource, verb, level), count) in kinds_of(entry, from) {
            let group =
                has_resource.then(|| segment.column(Field::ApiGroup).dictionary.get(group).to_owned());
            let verb = segment.column(Field::Verb).dictionary.get(verb).to_owned();
            let mut kind = (group, verb);
            if self.levels.len() >= MOST_KINDS && !self.levels.contains_key(&kind) {
                kind = (None, "(others)".to_owned());
            }
            self.levels.entry(kind).or_default()[level as usize] += count;
        }
    }

    fn sources(&self, now: Micros) -> Vec<SourceInfo> {
        let of_log = |log: &SourceDescription| {
            let files = self.reports.iter().filter(|(source, _)| *source == log.id).map(|(_, report)| report);
            source_info(log, &files.collect::<Vec<_>>(), now)
        };
        self.logs.values().map(of_log).collect()
    }

    fn open_requests(&self) -> impl Iterator<Item = EventId> + '_ {
        let store = &self.intake.store;
        store.open_requests().filter(|id| store.is_open(*id))
    }

    fn finish(mut self, now: Micros) -> Info {
        let counts = self.intake.store.counts();
        let open_requests = self.dropped_open + self.open_requests().count() as u64;
        let sources = self.sources(now);
        self.reports.sort_by(|(_, a), (_, b)| (&a.path, a.origin).cmp(&(&b.path, b.origin)));
        let mut total = total(self.reports.iter().map(|(_, report)| report));
        total.requests = counts.requests;
        total.duplicates = counts.duplicates;
        let files = self.reports.into_iter().map(|(_, report)| {
            let PerFile { requests, duplicates } =
                self.per_file.get(&report.origin).copied().unwrap_or_default();
            FileInfo { requests, duplicates, ..FileInfo::of(report) }
        });
        Info {
            sources,
            files: files.collect(),
            total,
            open_requests,
            levels: self.levels.into_iter().map(levels_seen).collect(),
            dropped_records: counts.evicted_records,
        }
    }
}

/// What is told of a log: what its files hold, together.
fn source_info(log: &SourceDescription, files: &[&FileReport], now: Micros) -> SourceInfo {
    let newest = files.iter().filter_map(|file| file.last).max();
    SourceInfo {
        name: log.name.clone(),
        path: log.path.clone(),
        rotated: log.rotated,
        compressed: log.compressed.len(),
        lines: files.iter().map(|file| file.lines).sum(),
        events: files.iter().map(|file| file.events).sum(),
        unreadable: files.iter().flat_map(|file| &file.unreadable).map(|(_, count)| count).sum(),
        newest: newest.map(format_rfc3339),
        lag: newest.map(|newest| now - newest),
    }
}

/// Symbols of group and verb, whether there is a resource, and the level, with the number of such rows of an API
/// server's log: the others have no audit policy.
fn kinds_of(entry: &Entry, from: u32) -> HashMap<(u16, bool, u16, Level), u64> {
    let segment = entry.segment();
    let mut kinds: HashMap<(u16, bool, u16, Level), u64> = HashMap::new();
    let is_counted = |row: &u32| !entry.dropped().get(*row) && segment.facts(*row).log() == LogKind::Kube;
    for row in (from..segment.rows()).filter(is_counted) {
        let kind = (
            segment.symbol(Field::ApiGroup, row),
            segment.symbol(Field::Resource, row) != crate::store::EMPTY,
            segment.symbol(Field::Verb, row),
            segment.facts(row).level(),
        );
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn levels_seen(((api_group, verb), counts): (Kind, [u64; Level::ALL.len()])) -> LevelsSeen {
    let levels = Level::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0);
    let levels = levels.map(|(level, count)| LevelCount { level: level.name(), count }).collect();
    LevelsSeen { api_group, verb, levels }
}

impl FileInfo {
    /// Events, and lines that are known to tell of none.
    pub(super) fn understood(&self) -> u64 {
        self.events + self.passed_over.iter().map(|passed| passed.count).sum::<u64>()
    }

    fn of(report: FileReport) -> FileInfo {
        let span = report.first.zip(report.last);
        FileInfo {
            path: report.path,
            text_bytes: report.text_bytes,
            stored_bytes: report.stored_bytes,
            lines: report.lines,
            events: report.events,
            requests: 0,
            duplicates: 0,
            formats: report
                .formats
                .into_iter()
                .map(|(format, count)| FormatCount { format, count })
                .collect(),
            unreadable: report
                .unreadable
                .into_iter()
                .map(|(kind, count)| UnreadableCount { kind, count })
                .collect(),
            passed_over: report
                .passed_over
                .into_iter()
                .map(|(log, count)| PassedOverCount { log, count })
                .collect(),
            first: span.map(|(first, _)| format_rfc3339(first)),
            last: span.map(|(_, last)| format_rfc3339(last)),
            gaps: report.gaps.into_iter().map(Gap::between).collect(),
            span,
        }
    }
}

impl Gap {
    fn between(span: (Micros, Micros)) -> Gap {
        Gap { after: format_rfc3339(span.0), before: format_rfc3339(span.1), span }
    }
}

/// The sum of all files; a gap in one file may be covered by another.
fn total<'r>(reports: impl Iterator<Item = &'r FileReport>) -> FileInfo {
    let mut all = FileReport::default();
    let mut coverage = Coverage::default();
    let mut unreadable: BTreeMap<&str, u64> = BTreeMap::new();
    let mut passed_over: BTreeMap<&str, u64> = BTreeMap::new();
    let mut formats: BTreeMap<&str, u64> = BTreeMap::new();
    for report in reports {
        all.text_bytes += report.text_bytes;
        all.stored_bytes += report.stored_bytes;
        all.lines += report.lines;
        all.events += report.events;
        for (format, count) in &report.formats {
            *formats.entry(format).or_default() += count;
        }
        for (kind, count) in &report.unreadable {
            *unreadable.entry(kind).or_default() += count;
        }
        for (log, count) in &report.passed_over {
            *passed_over.entry(log).or_default() += count;
        }
        if let (Some(mut from), Some(last)) = (report.first, report.last) {
            for (before, after) in &report.gaps {
                coverage.add((from, *before));
                from = *after;
            }
            coverage.add((from, last));
        }
    }
    let owned = |counts: BTreeMap<&str, u64>| -> Vec<(String, u64)> {
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    };
    (all.unreadable, all.passed_over, all.formats) = (owned(unreadable), owned(passed_over), owned(formats));
    all.formats.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    (all.first, all.last, all.gaps) = (coverage.first(), coverage.last(), coverage.gaps());
    FileInfo::of(all)
}

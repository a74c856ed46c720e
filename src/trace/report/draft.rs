//! A report before its evidence was looked up in the files: everything that the store tells. Looking up means reading,
//! which is left to whoever may read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Evidence, Report, ReportEvent};
use crate::model::{EventId, Stage};
use crate::trace::history::{History, HistoryOptions, Revision};
use crate::trace::{Chain, Change, Log, ObjectKey, Request, Told, tell};

/// Requests of which a report tells what each set off: following that goes over the whole log for each of them.
pub(super) const MOST_WITH_EFFECTS: usize = 20;

/// Objects whose history one report may look at.
const MOST_OBJECTS: usize = 100;

/// What a file tells of a record's line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Offset in bytes of the line; `None` where it was not found.
    pub offset: Option<u64>,
    /// SHA-256 of the line, or else of the record as it was read.
    pub sha256: String,
    /// What must be known to check it.
    pub remark: String,
}

/// One record that evidence is looked up for.
#[derive(Clone, PartialEq, Debug)]
struct Record {
    event: usize,
    stage: Stage,
    path: String,
    name: String,
    text: Vec<u8>,
}

/// A report without evidence, and the records to look up.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// The report so far.
    pub report: Report,
    records: Vec<Record>,
}

impl Draft {
    /// The report on these requests, in the order in which they are given. `file_of` tells the path of the file that a
    /// record was read from, empty where there is none, and what its log is called.
    pub fn of(log: &Log<'_>, ids: &[EventId], file_of: impl Fn(EventId) -> (String, String)) -> Draft {
        let mut report = Report::default();
        let mut records = Vec::new();
        let mut histories: BTreeMap<ObjectKey, History> = BTreeMap::new();
        for id in ids {
            let revision = revision(log, *id, &mut histories);
            let before = before(log, revision.as_ref(), &histories);
            let Some(mut event) = ReportEvent::read(log.store, *id, before.as_ref()) else { continue };
            event.chain = if ids.len() <= MOST_WITH_EFFECTS {
                Chain::of(log, *id).map_or_else(Vec::new, |chain| tell::chain(log, &chain))
            } else {
                backwards(log, *id)
            };
            event.diff = revision.map_or_else(Vec::new, |(_, revision)| lines_of(&revision));
            for record in log.store.stages(*id) {
                let Some(segment) = log.store.segment(record) else { continue };
                let (path, name) = file_of(record);
                records.push(Record {
                    event: report.events.len(),
                    stage: segment.facts(record.row()).stage(),
                    path,
                    name,
                    text: segment.text(record.row()).unwrap_or_default(),
                });
            }
            report.events.push(event);
        }
        Draft { report, records }
    }

    /// The report with the evidence that `find` finds for the records of each file, in their order.
    pub fn complete(self, find: impl Fn(&str, &[Vec<u8>]) -> Vec<Found>) -> Report {
        let Draft { mut report, records } = self;
        let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            by_path.entry(&record.path).or_default().push(at);
        }
        let mut found: Vec<(usize, Found)> = Vec::new();
        for (path, at) in by_path {
            let texts: Vec<Vec<u8>> =
                at.iter().filter_map(|at| records.get(*at)).map(|record| record.text.clone()).collect();
            found.extend(at.into_iter().zip(find(path, &texts)));
        }
        // Back into the order of the events, and of their stages.
        found.sort_by_key(|(at, _)| *at);
        for (at, found) in found {
            let Some(record) = records.get(at) else { continue };
            let file = if matches!(record.path.as_str(), "" | "-") { &record.name } else { &record.path };
            if let Some(event) = report.events.get_mut(record.event) {
                event.evidence.push(Evidence {
                    stage: record.stage,
                    file: file.clone(),
                    offset: found.offset,
                    sha256: found.sha256,
                    remark: found.remark,
                });
            }
        }
        report
    }
}

/// Who stood behind a request and what led to it, without what it set off.
fn backwards(log: &Log<'_>, id: EventId) -> Vec<Told> {
    let Some(chain) = Chain::backwards(log, id) else { return Vec::new() };
    let mut told = tell::chain(log, &chain);
    // Nothing was looked for, so it must not say that nothing was found.
    told.truncate(told.iter().position(|line| line.label == "set off").unwrap_or(told.len()));
    told
}

/// The revision that a request is, of the object it wrote.
fn revision(
    log: &Log<'_>,
    id: EventId,
    histories: &mut BTreeMap<ObjectKey, History>,
) -> Option<(ObjectKey, Revision)> {
    let request = Request::read(log.store, id)?;
    if !request.is_write() || request.object.name.is_empty() || !request.succeeded() {
        return None;
    }
    let key = request.object;
    if !histories.contains_key(&key) {
        if histories.len() >= MOST_OBJECTS {
            return None;
        }
        let options =
            HistoryOptions { reports: request.subresource == "status", ..HistoryOptions::default() };
        histories.insert(key.clone(), History::of(log, &key, options));
    }
    let revision =
        histories.get(&key)?.revisions.iter().find(|revision| revision.request.id == Some(id))?.clone();
    Some((key, revision))
}

/// The object's state before the revision.
fn before(
    log: &Log<'_>,
    revision: Option<&(ObjectKey, Revision)>,
    histories: &BTreeMap<ObjectKey, History>,
) -> Option<Value> {
    let (key, revision) = revision?;
    histories.get(key)?.state_after(log, revision.number.checked_sub(1)?)
}

fn lines_of(revision: &Revision) -> Vec<String> {
    match &revision.change {
        Change::Fields(changes) => changes.iter().map(|change| tell::change_in_words(change, true)).collect(),
        _ => vec![tell::revision_shortly(revision)],
    }
}

//! Takes the pipeline's messages into a store, remembers what must be said at the end, and keeps the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Streams;
use super::detection::Detection;
use crate::detect::LoadedRules;
use crate::ingest::{FileReport, IngestMessage};
use crate::model::{Micros, SourceId, TimeZoneChoice, format_local_offset, format_stamp};
use crate::notice::{Notice, Notices};
use crate::query::Alerted;
use crate::store::Store;
use crate::text::thousands;

/// The store of a command with everything around it.
#[derive(Default)]
pub(super) struct Intake {
    pub(super) store: Store,
    pub(super) failed_sources: u64,
    /// The rules that are run over it and what they find; `None` where nobody asks.
    pub(super) detection: Option<Detection>,
    notices: Notices,
    names: BTreeMap<SourceId, String>,
    /// Logs whose history is still being read.
    reading: BTreeSet<SourceId>,
    /// Greatest stage time of the files that were read, lines that were passed over included.
    last_of_files: Option<Micros>,
}

impl Intake {
    /// An empty one, over which these rules are run.
    pub(super) fn with_rules(rules: Option<&LoadedRules>) -> Intake {
        Intake { detection: rules.map(Detection::new), ..Intake::default() }
    }

    /// Takes one message in. Hands back the report of a file that was read to its end.
    pub(super) fn take(
        &mut self,
        message: IngestMessage,
        streams: &mut Streams<'_>,
    ) -> Option<Box<FileReport>> {
        match message {
            IngestMessage::Opened(source) => {
                // Nothing of a pipe was there before; waiting for its end would be waiting for ever.
                if source.path != "-" {
                    self.reading.insert(source.id);
                }
                self.names.insert(source.id, source.name);
            }
            IngestMessage::Failed(error) => {
                self.failed_sources += 1;
                streams.failure(&error);
            }
            IngestMessage::History(batch) => {
                self.store.push(*batch);
                self.detect();
            }
            IngestMessage::Live(batch) => {
                let source = batch.segment.source();
                if let Err(cause) = self.store.push_live(*batch) {
                    let notice = Notice {
                        source: Some(source),
                        kind: "new lines lost".to_owned(),
                        detail: cause.to_string(),
                        is_loss: true,
                    };
                    self.notices.add(notice, 0);
                }
                self.detect();
            }
            // About what was asked for, not about what was found in a log.
            IngestMessage::Notice(notice) if notice.source.is_none() && !notice.is_loss => {
                streams.note(&notice.detail);
            }
            IngestMessage::Notice(notice) => self.notices.add(notice, 0),
            IngestMessage::File(_, report) => {
                self.last_of_files = self.last_of_files.max(report.last);
                return Some(report);
            }
            IngestMessage::HistoryDone(source) | IngestMessage::End(source) => {
                self.reading.remove(&source);
            }
            IngestMessage::Progress { .. } | IngestMessage::Formats(..) | IngestMessage::Available(_) => {}
        }
        None
    }

    /// Takes what the rules found in what came last. Before anything is dropped, since it is told of that as well.
    fn detect(&mut self) {
        if let Some(detection) = &mut self.detection {
            detection.update(&mut self.store);
        }
    }

    /// Works out what correlates so far, for filters that ask for it. Returns whether anything changed.
    pub(super) fn settle(&mut self) -> bool {
        self.detection.as_mut().is_some_and(|detection| detection.settle(&self.store))
    }

    /// What filters know of alerts, as of the last [`Intake::settle`].
    pub(super) fn alerted(&self) -> Arc<Alerted> {
        self.detection.as_ref().map_or_else(Arc::default, Detection::for_filters)
    }

    /// Whether everything has been read that was there when the logs were opened.
    pub(super) fn has_read_history(&self) -> bool {
        !self.names.is_empty() && self.reading.is_empty()
    }

    /// Stage time of the newest event that was read or passed over.
    pub(super) fn newest(&self) -> Option<Micros> {
        self.store.order().last_time().max(self.last_of_files)
    }

    /// What a log is called.
    pub(super) fn name(&self, source: SourceId) -> &str {
        self.names.get(&source).map_or("", String::as_str)
    }

    /// What each log is called.
    pub(super) fn names(&self) -> &BTreeMap<SourceId, String> {
        &self.names
    }

    /// The segment to drop next, when more than `memory` bytes are held.
    pub(super) fn excess(&mut self, memory: u64) -> Option<u32> {
        // What rules with state tell of must be seen before it is dropped.
        let held = self.store.memory_bytes() as u64;
        if held > memory
            && let Some(detection) = &mut self.detection
        {
            detection.observe(&self.store);
        }
        (held > memory).then(|| self.store.oldest().map(|(segment, _)| segment)).flatten()
    }

    /// What was lost while reading, and how often.
    pub(super) fn losses(&self) -> Vec<(String, u64)> {
        let losses = self.notices.groups().filter(|(_, _, group)| group.is_loss);
        losses
            .map(|(kind, source, group)| {
                (format!("{}: {kind}", source.map_or("", |source| self.name(source))), group.count)
            })
            .collect()
    }

    /// Says what a result could lack.
    pub(super) fn tell_losses(&self, streams: &mut Streams<'_>, zone: TimeZoneChoice) {
        if let Some(detection) = &self.detection {
            detection.tell_losses(streams);
        }
        for (kind, source, group) in self.notices.groups().filter(|(_, _, group)| group.is_loss) {
            let log = source.map_or("", |source| self.name(source));
            let sample = group.samples.first().map_or("", String::as_str);
            streams.note_loss(&format!("{log}: {kind}"), Some(group.count), sample);
        }
        let counts = self.store.counts();
        if counts.forgotten_requests > 0 {
            streams.note(&format!(
                "{} requests had no end and were forgotten: their further stages count as requests",
                thousands(counts.forgotten_requests)
            ));
        }
        if let Some(until) = counts.evicted_until {
            streams.note(&format!(
                "memory: {} records up to {}{} were dropped; raise --memory to keep them",
                thousands(counts.evicted_records),
                format_stamp(until, zone),
                format_local_offset(until, zone)
            ));
        }
    }
}

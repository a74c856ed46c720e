//! What is being written: text from a follower or a pipe, parsed on its thread, sent in small batches.

use std::ops::ControlFlow;

use tokio::sync::mpsc::Sender;

use super::collector::Collector;
use super::report::Tally;
use super::{FileReport, IngestMessage};
use crate::model::SourceId;
use crate::notice::Notice;
use crate::source::TailEvent;
use crate::store::Batch;

/// Turns what a follower or a pipe delivers into messages.
pub(super) struct LiveFeed {
    source: SourceId,
    origin: u32,
    collector: Collector,
    sender: Sender<IngestMessage>,
    tally: Tally,
    /// Standard input is history while it lasts: whole segments, not small batches.
    is_pipe: bool,
}

impl LiveFeed {
    pub(super) fn new(
        source: SourceId,
        origin: u32,
        collector: Collector,
        sender: Sender<IngestMessage>,
        is_pipe: bool,
    ) -> Self {
        Self { source, origin, collector, sender, tally: Tally::default(), is_pipe }
    }

    /// Takes one event of the follower. `Break` when nobody listens any more.
    pub(super) fn take(&mut self, event: TailEvent) -> ControlFlow<()> {
        match event {
            TailEvent::Lines(batch) => {
                let mut full = self.collector.read(&batch.bytes);
                if batch.unterminated {
                    full.extend(self.collector.end_of_text());
                }
                self.send_all(full)
            }
            TailEvent::Change(change) => self.send(IngestMessage::Notice(Notice {
                source: Some(self.source),
                kind: change.kind().to_owned(),
                detail: change.to_string(),
                is_loss: change.is_loss(),
            })),
            TailEvent::End => {
                let full = self.collector.end_of_text();
                self.send_all(full)?;
                let report = self.report();
                self.send(IngestMessage::File(self.source, Box::new(report)))?;
                self.send(IngestMessage::HistoryDone(self.source))?;
                self.send(IngestMessage::End(self.source))
            }
        }
    }

    fn report(&self) -> FileReport {
        self.tally.report("-".to_owned(), self.origin, self.tally.text_bytes)
    }

    fn send_all(&mut self, full: Vec<Batch>) -> ControlFlow<()> {
        for batch in full.into_iter().chain(self.collector.take_batch()) {
            self.send(IngestMessage::Live(Box::new(batch)))?;
        }
        for notice in self.collector.take_notices() {
            self.send(IngestMessage::Notice(notice))?;
        }
        let formats = self.collector.take_new_formats();
        if !formats.is_empty() {
            self.send(IngestMessage::Formats(self.source, formats))?;
        }
        let tally = self.collector.take_tally();
        if self.is_pipe {
            self.tally.merge(&tally);
        }
        ControlFlow::Continue(())
    }

    fn send(&self, message: IngestMessage) -> ControlFlow<()> {
        match self.sender.blocking_send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

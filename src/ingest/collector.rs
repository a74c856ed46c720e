//! Events to batches: the sink behind every reader, whether it reads a chunk of history, an archive or live lines.

use std::sync::Arc;

use tokio::sync::watch;

use super::report::Tally;
use crate::detect::Engine;
use crate::format::{Format, LineFilter, Marks, Reader, Sink, Unreadable, remains};
use crate::model::{Event, LogKind, Micros, SourceId};
use crate::notice::Notice;
use crate::store::{Batch, Bitset, KeepText, SegmentBuilder};

/// Unreadable stretches whose beginning is passed on, a kind and part of a file; the rest is only counted.
const SAMPLES: u64 = 3;
/// Bytes of an unreadable stretch that are passed on.
const SAMPLE_BYTES: usize = 300;

/// Reads text and gathers its events into batches.
pub struct Collector {
    reader: Reader,
    /// Whole events that are no candidates of it are passed over.
    filter: Option<LineFilter>,
    gathered: Gathered,
}

struct Gathered {
    source: SourceId,
    origin: u32,
    keep_text: KeepText,
    fallback_time: Micros,
    builder: SegmentBuilder,
    full: Vec<Batch>,
    tally: Tally,
    /// Formats that [`Collector::take_new_formats`] has told.
    told_formats: Vec<Format>,
    samples: Vec<Notice>,
    newest_skipped: Option<Micros>,
    rules: Option<watch::Receiver<Arc<Engine>>>,
}

impl Collector {
    /// A collector for text of `source` out of the file numbered `origin`. `fallback_time` places events of a file in
    /// which no event has a time.
    pub fn new(source: SourceId, origin: u32, fallback_time: Micros, keep_text: KeepText) -> Self {
        let builder = SegmentBuilder::keeping(source, fallback_time, keep_text);
        let gathered = Gathered {
            source,
            origin,
            keep_text,
            fallback_time,
            builder,
            full: Vec::new(),
            tally: Tally::default(),
            told_formats: Vec::new(),
            samples: Vec::new(),
            newest_skipped: None,
            rules: None,
        };
        Self { reader: Reader::new(), filter: None, gathered }
    }

    /// Runs rules over each segment when it is sealed.
    pub fn set_rules(&mut self, rules: Option<watch::Receiver<Arc<Engine>>>) {
        self.gathered.rules = rules;
    }

    /// Passes over whole events that are no candidates of `filter`.
    pub fn set_filter(&mut self, filter: Option<LineFilter>) {
        self.filter = filter;
    }

    /// Reads text made of whole lines. Returns the segments that became full.
    pub fn read(&mut self, text: &[u8]) -> Vec<Batch> {
        self.gathered.newest_skipped = None;
        match &self.filter {
            None => {
                self.gathered.tally.add_text(text);
                self.reader.read(text, &mut self.gathered);
            }
            Some(filter) => {
                self.gathered.tally.text_bytes += text.len() as u64;
                let lines = self.reader.read_candidates(text, filter, &mut self.gathered);
                self.gathered.tally.lines += lines;
            }
        }
        std::mem::take(&mut self.gathered.full)
    }

    /// Greatest stage time among the events of the text read last that were passed over.
    pub fn newest_skipped(&self) -> Option<Micros> {
        self.gathered.newest_skipped
    }

    /// Says that the text is over, so that nothing that is pending goes on. Returns the segments that became full.
    pub fn end_of_text(&mut self) -> Vec<Batch> {
        self.reader.finish(&mut self.gathered);
        std::mem::take(&mut self.gathered.full)
    }

    /// Hands out what has gathered and starts a new segment; `None` when there is nothing.
    pub fn take_batch(&mut self) -> Option<Batch> {
        (self.gathered.builder.segment().rows() > 0).then(|| self.gathered.seal())
    }

    /// Hands out the counts since the last call.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.gathered.tally)
    }

    /// The formats that events came in since the last [`Collector::take_tally`], each told once.
    pub fn take_new_formats(&mut self) -> Vec<Format> {
        let told = &mut self.gathered.told_formats;
        let counted = self.gathered.tally.formats.iter().map(|(format, _)| *format);
        let new: Vec<Format> = counted.filter(|format| !told.contains(format)).collect();
        told.extend(&new);
        new
    }

    /// Hands out what could not be read since the last call, as notices: the first of each kind with a sample, the
    /// others as a count by repetition without one.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.gathered.samples)
    }
}

impl Gathered {
    fn seal(&mut self) -> Batch {
        let next = SegmentBuilder::keeping(self.source, self.fallback_time, self.keep_text);
        let mut batch = std::mem::replace(&mut self.builder, next).finish(self.origin);
        let mut read_later = Bitset::none(batch.segment.rows());
        if let Some(rules) = &self.rules {
            let engine = Arc::clone(&rules.borrow());
            batch.hits = engine.look_at(&batch.segment);
            if self.keep_text == KeepText::OfMatches {
                read_later = engine.rows_read_later(&batch.segment, &batch.hits);
            }
        }
        if self.keep_text == KeepText::OfMatches {
            batch.segment.keep_texts(&read_later);
        }
        self.tally.coverage.add_batch(&batch);
        batch
    }
}

/// The beginning of an unreadable stretch, where it cannot be the inside of a Secret's value: a line that was cut in
/// the middle of a body may begin with anything, and nothing would tell that it is a secret. Of an event, who did what
/// is told in any case.
fn sample(text: &[u8]) -> String {
    let length = text.len();
    let of_event = remains(text).map(|known| {
        let parts = [("auditID", known.audit_id), ("user", known.user), ("verb", known.verb)];
        let told = parts.iter().filter(|(_, value)| !value.is_empty());
        format!(
            " of an event ({})",
            told.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        )
    });
    let of_event = of_event.unwrap_or_default();
    let klog = text.len() > 5 && b"IWEF".contains(&text[0]) && text[1..5].iter().all(u8::is_ascii_digit);
    if klog || text.starts_with(b"{\"kind\":") {
        let beginning = String::from_utf8_lossy(&text[..length.min(SAMPLE_BYTES)]).into_owned();
        return format!("{length} bytes{of_event}: {}", crate::redact::mask_text(&beginning));
    }
    format!("{length} bytes{of_event}, not shown: they may be part of a secret")
}

impl Sink for Gathered {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        if self.builder.is_full() {
            let batch = self.seal();
            self.full.push(batch);
        }
        self.tally.events += 1;
        self.tally.add_format(Format { log: event.log, wrapping: marks.wrapping }, 1);
        self.builder.push(event, text, marks.replaced);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        let count = &mut self.tally.unreadable[kind as usize];
        *count += 1;
        // The text of an unreadable line may hold anything, a Secret's value too: only its beginning is kept, masked.
        let detail = if *count <= SAMPLES { sample(text) } else { String::new() };
        self.samples.push(Notice {
            source: Some(self.source),
            kind: format!("unreadable: {}", kind.name()),
            detail,
            is_loss: true,
        });
    }

    fn chatter(&mut self, log: Option<LogKind>, time: Option<Micros>) {
        match log {
            Some(log) => self.tally.chatter[log as usize] += 1,
            None => self.tally.anonymous_chatter += 1,
        }
        // A quiet controller's log is no gap.
        if let Some(time) = time {
            self.tally.coverage.add((time, time));
        }
    }

    fn passed_over(&mut self, stage_time: Micros) {
        self.newest_skipped = self.newest_skipped.max(Some(stage_time));
        self.tally.newest_skipped = self.tally.newest_skipped.max(Some(stage_time));
        self.builder.pass_over(stage_time);
    }
}

//! Builds a segment: on a worker from parsed events, or on the owning thread by appending live batches to the head.

use hashbrown::HashTable;

use super::bits::Bitset;
use super::dictionary::{EMPTY, Symbol, SymbolTable, hash_bytes};
use super::hits::Hits;
use super::requests::{Slot, StageRows};
use super::routine::is_routine;
use super::segment::{Facts, Field, Segment, parse_uuid};
use super::text_blocks::TextBlocks;
use crate::model::{Event, LogKind, Micros, SECOND, SourceId};
use crate::redact;

/// Rows of a full segment: one fewer than 65,536, so that 16-bit symbols also cover the empty string.
pub const MAX_ROWS: u32 = 65_535;

/// Text of a full segment. RequestResponse lines are 9 KB and more, so this limit often comes first.
pub const MAX_TEXT_BYTES: u32 = 32 * 1024 * 1024;

/// Lines of one file may run backwards by some 70 ms by stage time (FORMATS.md 1.7). Within this much of a segment's
/// beginning, the earlier stage of a request may still lie in the segment before.
const OVERLAP: Micros = 2 * SECOND;

/// Which original texts a segment keeps beside its columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepText {
    /// None: only columns and counts are wanted.
    None,
    /// All of them, uncompressed, until rules were run over the segment, and then what [`Segment::keep_texts`] is told.
    OfMatches,
    /// All of them, compressed.
    All,
}

/// A finished segment with what the store needs to take it in.
#[derive(Debug)]
pub struct Batch {
    /// The columns.
    pub segment: Segment,
    /// Row numbers by (stage time, row).
    pub order: Vec<u16>,
    /// Records that do not stand for their request: another record of this segment does.
    pub hidden: Bitset,
    /// Records that repeat another one of this segment.
    pub dropped: Bitset,
    /// Record that stands for a request, and the later record that ended it.
    pub endings: Vec<(u32, u32)>,
    /// Requests of which other segments may hold further stages.
    pub unsettled: Vec<(u64, StageRows)>,
    /// Which file it was read from. Batches of one origin never hold the same line.
    pub origin: u32,
    /// What detection rules match in it, where they were run.
    pub hits: Hits,
}

/// Collects records into columns.
#[derive(Debug)]
pub struct SegmentBuilder {
    segment: Segment,
    tables: [SymbolTable; Field::COUNT],
    chosen_ids: SymbolTable,
    requests: HashTable<(u64, StageRows)>,
    dropped: Vec<u32>,
    /// Rows at the beginning that still wait for a time.
    untimed: u32,
    last_time: Option<Micros>,
    fallback_time: Micros,
    keep_text: KeepText,
}

impl SegmentBuilder {
    /// An empty segment of `source`. A record without times takes the time of the one before, or of the first one
    /// after it that has one, or `fallback_time` where no record has any. Without `keep_text`, only columns are kept.
    pub fn new(source: SourceId, fallback_time: Micros, keep_text: bool) -> Self {
        let keep_text = if keep_text { KeepText::All } else { KeepText::None };
        SegmentBuilder::keeping(source, fallback_time, keep_text)
    }

    /// The same, with these texts.
    pub fn keeping(source: SourceId, fallback_time: Micros, keep_text: KeepText) -> Self {
        let mut segment = Segment::new(source);
        if keep_text == KeepText::OfMatches {
            segment.text = TextBlocks::held();
        }
        Self {
            segment,
            tables: std::array::from_fn(|_| SymbolTable::default()),
            chosen_ids: SymbolTable::default(),
            requests: HashTable::new(),
            dropped: Vec::new(),
            untimed: 0,
            last_time: None,
            fallback_time,
            keep_text,
        }
    }

    /// The columns so far.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Whether the next record belongs into another segment.
    pub fn is_full(&self) -> bool {
        self.segment.rows >= MAX_ROWS || self.segment.text.len() >= MAX_TEXT_BYTES
    }

    /// Whether `rows` records with `text_bytes` of text still fit.
    pub fn has_room_for(&self, rows: u32, text_bytes: u32) -> bool {
        self.segment.rows + rows <= MAX_ROWS
            && (self.segment.rows == 0
                || self.segment.text.len().saturating_add(text_bytes) <= MAX_TEXT_BYTES)
    }

    /// Adds one event with its original text. `repaired` says that bytes of it were replaced to make it readable.
    pub fn push(&mut self, event: &Event<'_>, text: &[u8], repaired: bool) {
        let row = self.segment.rows;
        let object = &event.object;
        let values: [&str; Field::COUNT] = [
            &event.user,
            &event.impersonated_user,
            &event.verb,
            &object.resource,
            &object.subresource,
            &object.namespace,
            &object.name,
            &object.api_group,
            &object.api_version,
            &event.source_ip,
            &event.user_agent,
            &event.request_uri,
            &event.reason,
            &event.decision_reason,
            &event.groups,
            &event.impersonated_groups,
            &event.credential,
            &event.issued_credential,
            &event.token_pod,
            &event.token_node,
            &event.deprecated,
            &event.annotation_keys,
        ];
        for (field, value) in Field::ALL.into_iter().zip(values) {
            let symbol = self.intern(field, value);
            self.segment.strings[field as usize].symbols.push(symbol);
        }
        let time = event.stage_time.or(event.received);
        self.place(time);
        let stage_time = time.or(self.last_time).unwrap_or(self.fallback_time);
        self.segment.stage_time.push(stage_time);
        self.segment.elapsed.push(event.received.map_or(0, |received| stage_time.saturating_sub(received)));
        self.segment.codes.push(event.code);
        let uuid = parse_uuid(&event.audit_id);
        self.segment.audit_ids.push(match uuid {
            Some(id) => id,
            None if event.audit_id.is_empty() && event.log != LogKind::Kube => {
                u128::from(hash_bytes(text)) << 64 | u128::from(EMPTY)
            }
            None => u128::from(self.chosen_ids.intern(&mut self.segment.chosen_ids, &event.audit_id).0),
        });
        let routine = is_routine(event);
        let facts = Facts::new(event.stage, event.level, event.decision).of_log(event.log);
        self.segment.facts.push(facts.with(routine, time.is_none(), repaired, uuid.is_none()));
        let start = match self.keep_text {
            KeepText::None => self.segment.text.skip(text.len()),
            KeepText::OfMatches | KeepText::All => self.segment.text.push(text),
        };
        self.segment.text_starts.push(start);
        self.segment.rows += 1;
        self.merge_into_request(row);
    }

    /// Credentials never enter a column: what a screen or a filter sees there is masked already. The record's text
    /// keeps them for those who ask to see them.
    fn intern(&mut self, field: Field, value: &str) -> Symbol {
        let table = &mut self.tables[field as usize];
        let dictionary = &mut self.segment.strings[field as usize].dictionary;
        match table.get(dictionary, value) {
            Some(symbol) => symbol,
            None => table.intern(dictionary, &redact::mask_text(value)).0,
        }
    }

    /// Notes the time of a record that is not added: one without a time takes it from its neighbours in the log.
    pub fn pass_over(&mut self, stage_time: Micros) {
        self.time_untimed(stage_time);
        self.last_time = Some(stage_time);
    }

    fn place(&mut self, time: Option<Micros>) {
        match (time, self.last_time) {
            (Some(time), _) => {
                self.time_untimed(time);
                self.last_time = Some(time);
                self.include(time);
            }
            (None, Some(guessed)) => self.include(guessed),
            (None, None) => self.untimed += 1,
        }
    }

    /// Gives the rows at the beginning that wait for a time this one.
    fn time_untimed(&mut self, time: Micros) {
        if self.last_time.is_none() && self.untimed > 0 {
            let elapsed: Vec<i64> = (0..self.untimed).map(|_| 0).collect();
            self.segment.stage_time =
                super::column::NumberColumn::Wide(elapsed.iter().map(|_| time).collect());
            self.segment.elapsed = super::column::NumberColumn::Wide(elapsed);
            self.include(time);
        }
    }

    fn include(&mut self, time: Micros) {
        self.segment.min_time = self.segment.min_time.min(time);
        self.segment.max_time = self.segment.max_time.max(time);
    }

    fn merge_into_request(&mut self, row: u32) {
        let segment = &self.segment;
        let Some(key) = segment.request_key(row) else { return };
        let Some(slot) = Slot::of(segment.facts(row).stage()) else { return };
        match self.requests.find_mut(key, |(k, _)| *k == key) {
            None => {
                self.requests.insert_unique(key, (key, StageRows::only(slot, row)), |(k, _)| *k);
            }
            Some((_, stages)) => match stages.get(slot) {
                None => stages.set(slot, row),
                Some(first) if segment.line_key(first) == segment.line_key(row) => self.dropped.push(row),
                // Two answers of one stage that differ: both are shown, since neither may hide the other.
                Some(_) => {}
            },
        }
    }

    /// Appends the rows of a live batch and returns the number of the first. Requests are the store's business here.
    ///
    /// # Errors
    /// When the batch's text cannot be unpacked; nothing was appended then.
    pub fn append(&mut self, batch: &Segment) -> std::io::Result<u32> {
        let base = self.segment.rows;
        let mut texts: Vec<Vec<u8>> = Vec::new();
        batch.text.for_each_block(|_, text| texts.push(text.to_vec()))?;
        let texts = texts.concat();
        for field in Field::ALL {
            let from = batch.column(field);
            let table = &mut self.tables[field as usize];
            let into = &mut self.segment.strings[field as usize];
            let symbols: Vec<Symbol> =
                from.dictionary.iter().map(|(_, text)| table.intern(&mut into.dictionary, text).0).collect();
            for row in 0..batch.rows {
                into.symbols.push(symbols[usize::from(from.symbols.get(row))]);
            }
        }
        for row in 0..batch.rows {
            self.segment.stage_time.push(batch.stage_time(row));
            self.segment.elapsed.push(batch.elapsed(row));
            self.segment.audit_ids.push(if batch.text_key(row).is_some() {
                batch.audit_ids[row as usize]
            } else if batch.facts(row).has_chosen_id() {
                let text = batch.chosen_ids.get(batch.audit_ids[row as usize] as Symbol);
                u128::from(self.chosen_ids.intern(&mut self.segment.chosen_ids, text).0)
            } else {
                batch.audit_ids[row as usize]
            });
            let start = batch.text_starts[row as usize] as usize;
            let end = batch.text_starts.get(row as usize + 1).map_or(texts.len(), |next| *next as usize);
            let offset = match texts.get(start..end) {
                Some(text) if !batch.text.is_skipped() => self.segment.text.push(text),
                _ => self.segment.text.skip(batch.text_len(row) as usize),
            };
            self.segment.text_starts.push(offset);
        }
        self.segment.codes.extend_from_slice(&batch.codes);
        self.segment.facts.extend_from_slice(&batch.facts);
        self.segment.rows += batch.rows;
        self.segment.min_time = self.segment.min_time.min(batch.min_time);
        self.segment.max_time = self.segment.max_time.max(batch.max_time);
        Ok(base)
    }

    /// Bytes held on the heap, lookup tables included.
    pub fn memory_bytes(&self) -> usize {
        self.segment.memory_bytes() + self.tables.iter().map(SymbolTable::memory_bytes).sum::<usize>()
    }

    /// The segment alone, narrowed and compressed, with all lookup tables given up.
    pub fn into_segment(mut self) -> Segment {
        let segment = &mut self.segment;
        segment.stage_time.seal();
        segment.elapsed.seal();
        for column in &mut segment.strings {
            column.symbols.seal();
            column.dictionary.shrink();
        }
        segment.chosen_ids.shrink();
        segment.codes.shrink_to_fit();
        segment.facts.shrink_to_fit();
        segment.audit_ids.shrink_to_fit();
        segment.text.seal();
        segment.text_starts.shrink_to_fit();
        self.segment
    }

    /// Seals what was pushed. `origin` numbers the file it was read from.
    pub fn finish(mut self, origin: u32) -> Batch {
        if self.last_time.is_none() && self.segment.rows > 0 {
            self.segment.min_time = self.fallback_time;
            self.segment.max_time = self.fallback_time;
        }
        let rows = self.segment.rows;
        let mut hidden = Bitset::none(rows);
        let mut endings = Vec::new();
        let mut unsettled = Vec::new();
        let settled_from = self.segment.min_time.saturating_add(OVERLAP);
        for (key, stages) in self.requests.iter() {
            if let Some(shown) = stages.shown() {
                for row in stages.rows().filter(|row| *row != shown) {
                    hidden.set(row, true);
                }
                if let Some(end) = stages.ending() {
                    endings.push((shown, end));
                }
                let begins_here =
                    stages.get(Slot::Received).is_some() || self.segment.received(shown) >= settled_from;
                if !(stages.get(Slot::Finished).is_some() && begins_here) {
                    unsettled.push((*key, *stages));
                }
            }
        }
        // The table's order depends on this process's hash seed; what comes of it must not.
        endings.sort_unstable();
        unsettled.sort_unstable_by_key(|(_, stages)| stages.shown());
        let mut dropped = Bitset::none(rows);
        for row in &self.dropped {
            dropped.set(*row, true);
        }
        let times = &self.segment.stage_time;
        let mut order: Vec<u16> = (0..rows).map(|row| row as u16).collect();
        order.sort_by_key(|row| times.get(u32::from(*row)));
        let segment = self.into_segment();
        Batch { segment, order, hidden, dropped, endings, unsettled, origin, hits: Hits::default() }
    }
}

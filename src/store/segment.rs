//! A segment: up to 65,536 stage records of one source in the order of their arrival, as columns.
//!
//! Self-contained (its own dictionaries and text), so that segments are built in parallel and dropped at once. The
//! same type serves sealed segments and the open head that live lines are appended to; only the builder changes it.

use std::io;
use std::ops::Range;

use super::bits::Bitset;
use super::column::{NumberColumn, SymbolColumn};
use super::dictionary::{Dictionary, EMPTY, Symbol, hash_bytes};
use super::text_blocks::{BlockReader, TextBlocks};
use crate::model::{Decision, EventId, Level, LogKind, Micros, SourceId, Stage};

/// The code of a request whose login was refused.
const REFUSED_LOGIN: u16 = 401;

/// A column of strings, by its Kubernetes name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// `user.username`
    User,
    /// `impersonatedUser.username`
    ImpersonatedUser,
    /// `verb`
    Verb,
    /// `objectRef.resource`
    Resource,
    /// `objectRef.subresource`
    Subresource,
    /// `objectRef.namespace`
    Namespace,
    /// `objectRef.name`
    Name,
    /// `objectRef.apiGroup`
    ApiGroup,
    /// `objectRef.apiVersion`
    ApiVersion,
    /// last of `sourceIPs`
    SourceIp,
    /// `userAgent`
    UserAgent,
    /// `requestURI`, credentials in it masked
    RequestUri,
    /// `responseStatus.reason`
    Reason,
    /// annotation `authorization.k8s.io/reason`
    DecisionReason,
    /// `user.groups` as a JSON array
    Groups,
    /// `impersonatedUser.groups` as a JSON array
    ImpersonatedGroups,
    /// `user.extra["authentication.kubernetes.io/credential-id"]`
    Credential,
    /// annotation `authentication.kubernetes.io/issued-credential-id`
    IssuedCredential,
    /// `user.extra["authentication.kubernetes.io/pod-name"]`
    TokenPod,
    /// `user.extra["authentication.kubernetes.io/node-name"]`
    TokenNode,
    /// annotation `k8s.io/removed-release`, or `true` for `k8s.io/deprecated` without it
    Deprecated,
    /// keys of annotations that have no column, as a JSON array
    AnnotationKeys,
}

impl Field {
    /// How many string columns there are.
    pub const COUNT: usize = 22;

    /// Every string column, in storage order.
    pub const ALL: [Field; Field::COUNT] = [
        Field::User,
        Field::ImpersonatedUser,
        Field::Verb,
        Field::Resource,
        Field::Subresource,
        Field::Namespace,
        Field::Name,
        Field::ApiGroup,
        Field::ApiVersion,
        Field::SourceIp,
        Field::UserAgent,
        Field::RequestUri,
        Field::Reason,
        Field::DecisionReason,
        Field::Groups,
        Field::ImpersonatedGroups,
        Field::Credential,
        Field::IssuedCredential,
        Field::TokenPod,
        Field::TokenNode,
        Field::Deprecated,
        Field::AnnotationKeys,
    ];
}

/// A string column with its dictionary.
#[derive(Debug, Default)]
pub struct StringColumn {
    /// The distinct strings.
    pub dictionary: Dictionary,
    /// Which of them each row has.
    pub symbols: SymbolColumn,
}

/// The small facts of a row, in 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts(u16);

impl Facts {
    const ROUTINE: u16 = 1 << 8;
    const TIME_GUESSED: u16 = 1 << 9;
    const REPAIRED: u16 = 1 << 10;
    const CHOSEN_ID: u16 = 1 << 11;
    const LOG_SHIFT: u16 = 12;

    pub(super) fn new(stage: Stage, level: Level, decision: Decision) -> Self {
        Self(stage as u16 | (level as u16) << 3 | (decision as u16) << 6)
    }

    /// `stage`
    pub fn stage(self) -> Stage {
        Stage::from_u8((self.0 & 7) as u8)
    }

    /// `level`
    pub fn level(self) -> Level {
        Level::from_u8((self.0 >> 3 & 7) as u8)
    }

    /// Annotation `authorization.k8s.io/decision`.
    pub fn decision(self) -> Decision {
        Decision::from_u8((self.0 >> 6 & 3) as u8)
    }

    /// Which program's log the record is of.
    pub fn log(self) -> LogKind {
        LogKind::from_u8((self.0 >> Self::LOG_SHIFT & 7) as u8)
    }

    pub(super) fn of_log(self, log: LogKind) -> Self {
        Self(self.0 & !(7 << Self::LOG_SHIFT) | (log as u16) << Self::LOG_SHIFT)
    }

    /// Traffic that a healthy cluster makes by itself; see `routine`.
    pub fn is_routine(self) -> bool {
        self.0 & Self::ROUTINE != 0
    }

    /// The record had no time; it was given its neighbour's.
    pub fn is_time_guessed(self) -> bool {
        self.0 & Self::TIME_GUESSED != 0
    }

    /// The record held bytes that are no UTF-8; they were replaced.
    pub fn is_repaired(self) -> bool {
        self.0 & Self::REPAIRED != 0
    }

    /// The auditID is no UUID: the client chose it, or there is none.
    pub fn has_chosen_id(self) -> bool {
        self.0 & Self::CHOSEN_ID != 0
    }

    pub(super) fn with(mut self, routine: bool, time_guessed: bool, repaired: bool, chosen_id: bool) -> Self {
        for (flag, bit) in [
            (routine, Self::ROUTINE),
            (time_guessed, Self::TIME_GUESSED),
            (repaired, Self::REPAIRED),
            (chosen_id, Self::CHOSEN_ID),
        ] {
            self.0 = if flag { self.0 | bit } else { self.0 & !bit };
        }
        self
    }
}

/// Columns of up to 65,536 stage records of one source.
#[derive(Debug)]
pub struct Segment {
    pub(super) source: SourceId,
    pub(super) rows: u32,
    pub(super) stage_time: NumberColumn,
    /// Stage time minus received time.
    pub(super) elapsed: NumberColumn,
    pub(super) min_time: Micros,
    pub(super) max_time: Micros,
    pub(super) strings: [StringColumn; Field::COUNT],
    pub(super) codes: Vec<u16>,
    pub(super) facts: Vec<Facts>,
    /// 128 bits of each auditID; where the client chose it, a symbol of `chosen_ids`, and where there is none, that of
    /// the empty string with a hash of the text in the upper half, if it is a line of a controller's log.
    pub(super) audit_ids: Vec<u128>,
    pub(super) chosen_ids: Dictionary,
    pub(super) text: TextBlocks,
    /// Offset of each row's text; it ends where the next row's starts.
    pub(super) text_starts: Vec<u32>,
    /// The texts of single rows, where not all are kept.
    pub(super) chosen: ChosenTexts,
}

/// Chosen texts are compressed in smaller blocks than others: most are read alone, if at all.
const CHOSEN_BLOCK_BYTES: usize = 32 * 1024;

/// Texts of some rows of a segment.
#[derive(Debug, Default)]
pub(super) struct ChosenTexts {
    /// Ascending.
    rows: Vec<u32>,
    /// Where the text of each begins in `blocks`.
    starts: Vec<u32>,
    blocks: TextBlocks,
}

impl ChosenTexts {
    fn push(&mut self, row: u32, text: &[u8]) {
        self.rows.push(row);
        self.starts.push(self.blocks.push_into(text, CHOSEN_BLOCK_BYTES));
    }

    fn range(&self, row: u32) -> Option<(u32, u32)> {
        let at = self.rows.binary_search(&row).ok()?;
        Some((*self.starts.get(at)?, self.starts.get(at + 1).copied().unwrap_or(self.blocks.len())))
    }

    fn memory_bytes(&self) -> usize {
        (self.rows.capacity() + self.starts.capacity()) * 4 + self.blocks.memory_bytes()
    }
}

impl Segment {
    pub(super) fn new(source: SourceId) -> Self {
        Self {
            source,
            rows: 0,
            stage_time: NumberColumn::default(),
            elapsed: NumberColumn::default(),
            min_time: Micros::MAX,
            max_time: Micros::MIN,
            strings: std::array::from_fn(|_| StringColumn::default()),
            codes: Vec::new(),
            facts: Vec::new(),
            audit_ids: Vec::new(),
            chosen_ids: Dictionary::default(),
            text: TextBlocks::default(),
            text_starts: Vec::new(),
            chosen: ChosenTexts::default(),
        }
    }

    /// The log its lines come from.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// How many records.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Least stage time; [`Micros::MAX`] when there is no row.
    pub fn min_time(&self) -> Micros {
        self.min_time
    }

    /// Greatest stage time; [`Micros::MIN`] when there is no row.
    pub fn max_time(&self) -> Micros {
        self.max_time
    }

    /// `stageTimestamp` of a row.
    pub fn stage_time(&self, row: u32) -> Micros {
        self.stage_time.get(row)
    }

    /// `requestReceivedTimestamp` of a row.
    pub fn received(&self, row: u32) -> Micros {
        self.stage_time.get(row).saturating_sub(self.elapsed.get(row))
    }

    /// Time from the request's arrival to this stage.
    pub fn elapsed(&self, row: u32) -> Micros {
        self.elapsed.get(row)
    }

    /// Whether a row's record ends its request: by its stage, or since a login was refused (401), which is logged as
    /// ResponseStarted with nothing behind it.
    pub fn is_end(&self, row: u32) -> bool {
        self.facts(row).stage().is_final() || self.code(row) == REFUSED_LOGIN
    }

    /// The rows whose record ends its request, see [`Self::is_end`].
    pub fn end_rows(&self) -> Bitset {
        let mut ends = Bitset::from_column(&self.facts, |facts| facts.stage().is_final());
        ends.or(&Bitset::from_column(&self.codes, |code| code == REFUSED_LOGIN));
        ends
    }

    /// Column of stage times.
    pub fn stage_times(&self) -> &NumberColumn {
        &self.stage_time
    }

    /// Column of times from arrival to stage.
    pub fn elapsed_times(&self) -> &NumberColumn {
        &self.elapsed
    }

    /// A string column.
    pub fn column(&self, field: Field) -> &StringColumn {
        &self.strings[field as usize]
    }

    /// The symbol of a row in a string column.
    pub fn symbol(&self, field: Field, row: u32) -> Symbol {
        self.strings[field as usize].symbols.get(row)
    }

    /// The string of a row in a string column; empty when the field is absent.
    pub fn string(&self, field: Field, row: u32) -> &str {
        let column = &self.strings[field as usize];
        column.dictionary.get(column.symbols.get(row))
    }

    /// `responseStatus.code` of each row, 0 when absent.
    pub fn codes(&self) -> &[u16] {
        &self.codes
    }

    /// `responseStatus.code`, 0 when absent.
    pub fn code(&self, row: u32) -> u16 {
        self.codes.get(row as usize).copied().unwrap_or(0)
    }

    /// Stage, level, decision and marks of each row.
    pub fn all_facts(&self) -> &[Facts] {
        &self.facts
    }

    /// Stage, level, decision and marks of a row.
    pub fn facts(&self, row: u32) -> Facts {
        self.facts.get(row as usize).copied().unwrap_or_default()
    }

    /// `auditID` of a row; empty when it has none.
    pub fn audit_id(&self, row: u32) -> String {
        let Some(id) = self.audit_ids.get(row as usize) else { return String::new() };
        if self.facts(row).has_chosen_id() {
            self.chosen_ids.get(*id as Symbol).to_owned()
        } else {
            format_uuid(*id)
        }
    }

    /// Rows with this auditID.
    pub fn rows_with_audit_id(&self, audit_id: &str) -> Vec<u32> {
        let matching = |wanted: u128, chosen: bool| -> Vec<u32> {
            let is_wanted = |id: u128| if chosen { id as Symbol == wanted as Symbol } else { id == wanted };
            (0..self.rows)
                .filter(|row| {
                    self.facts(*row).has_chosen_id() == chosen && is_wanted(self.audit_ids[*row as usize])
                })
                .collect()
        };
        match parse_uuid(audit_id) {
            Some(id) => matching(id, false),
            None => match self.chosen_ids.iter().find(|(_, text)| *text == audit_id) {
                Some((symbol, _)) => matching(u128::from(symbol), true),
                None => Vec::new(),
            },
        }
    }

    /// Rows whose auditID passes `test`. `exact` is the one id that can pass, where there is only one: then ids are
    /// compared as numbers and none is written out.
    pub fn rows_by_audit_id(&self, exact: Option<&str>, test: impl Fn(&str) -> bool) -> Bitset {
        let chosen = Bitset::from_fn(self.chosen_ids.len() as u32, |symbol| {
            test(self.chosen_ids.get(symbol as Symbol))
        });
        let wanted = exact.map(|id| parse_uuid(&id.to_ascii_lowercase()));
        Bitset::from_fn(self.rows, |row| {
            let id = self.audit_ids[row];
            match (self.facts[row].has_chosen_id(), wanted) {
                (true, _) => chosen.get(id as u32),
                (false, Some(wanted)) => wanted == Some(id),
                (false, None) => test(&format_uuid(id)),
            }
        })
    }

    /// The original text of a row, byte for byte, without its line end.
    ///
    /// # Errors
    /// When the text cannot be unpacked.
    pub fn text(&self, row: u32) -> io::Result<Vec<u8>> {
        self.texts().read(row).map(<[u8]>::to_vec)
    }

    /// Keeps of texts that were held ([`KeepText::OfMatches`](super::KeepText::OfMatches)) only those of `rows`. Of the
    /// others the lengths stay known; reading one fails.
    pub fn keep_texts(&mut self, rows: &Bitset) {
        let mut chosen = ChosenTexts::default();
        for row in rows.iter() {
            let (start, end) = self.text_range(row);
            if let Ok(text) = self.text.reader().read(start, end) {
                chosen.push(row, text);
            }
        }
        chosen.rows.shrink_to_fit();
        chosen.starts.shrink_to_fit();
        chosen.blocks.seal();
        self.chosen = chosen;
        self.text.release();
    }

    /// Reads the texts of many rows one after the other: rows that lie together cost one unpacking.
    pub fn texts(&self) -> Texts<'_> {
        Texts { segment: self, reader: self.text.reader(), chosen: self.chosen.blocks.reader() }
    }

    /// The same for texts that are read again and again: what was unpacked stays so. That may be as much as
    /// [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    pub fn texts_at_hand(&self) -> Texts<'_> {
        let (reader, chosen) = (self.text.reader().at_hand(), self.chosen.blocks.reader().at_hand());
        Texts { segment: self, reader, chosen }
    }

    /// Length of a row's original text in bytes.
    pub fn text_len(&self, row: u32) -> u32 {
        let (start, end) = self.text_range(row);
        end - start
    }

    fn text_range(&self, row: u32) -> (u32, u32) {
        let end = self.text_starts.get(row as usize + 1).copied().unwrap_or(self.text.len());
        (self.text_starts.get(row as usize).copied().unwrap_or(end), end)
    }

    /// The compressed text of all rows, for scans.
    pub fn text_blocks(&self) -> &TextBlocks {
        &self.text
    }

    /// The row whose text covers this offset.
    pub fn row_at_offset(&self, offset: u32) -> u32 {
        (self.text_starts.partition_point(|start| *start <= offset).max(1) - 1) as u32
    }

    /// Hash of what names one request: source, auditID, received time, requestURI, verb and user. `None` without an
    /// auditID: such records are never merged. auditID alone does not do, since a client may choose it.
    pub(super) fn request_key(&self, row: u32) -> Option<u64> {
        let id = self.id_hash(row)?;
        let fields = [Field::RequestUri, Field::Verb, Field::User];
        let key =
            fields.iter().fold(id, |key, field| super::dictionary::mix(key, self.symbol_hash(*field, row)));
        Some(super::dictionary::mix(
            super::dictionary::mix(key, self.received(row) as u64),
            u64::from(self.source.0),
        ))
    }

    /// Hash of what makes two records the same line read twice, whatever file it came from: auditID, stage, both
    /// times, URI, and the other fields that tell requests apart. `None` without an auditID.
    pub(super) fn line_key(&self, row: u32) -> Option<u64> {
        let id = self.id_hash(row)?;
        let fields = [Field::RequestUri, Field::Verb, Field::User];
        let key =
            fields.iter().fold(id, |key, field| super::dictionary::mix(key, self.symbol_hash(*field, row)));
        let key = super::dictionary::mix(key, self.received(row) as u64);
        let key = super::dictionary::mix(key, self.stage_time(row) as u64);
        Some(super::dictionary::mix(
            key,
            u64::from(self.facts(row).stage() as u8) << 16 | u64::from(self.code(row)),
        ))
    }

    fn symbol_hash(&self, field: Field, row: u32) -> u64 {
        let column = &self.strings[field as usize];
        column.dictionary.hash(column.symbols.get(row))
    }

    /// Hash of a record's auditID; `None` where it has none.
    pub fn id_hash(&self, row: u32) -> Option<u64> {
        let id = *self.audit_ids.get(row as usize)?;
        if !self.facts(row).has_chosen_id() {
            // Clients may choose ids that differ in few bits.
            return Some(hash_bytes(&id.to_le_bytes()));
        }
        (id as Symbol != EMPTY).then(|| self.chosen_ids.hash(id as Symbol))
    }

    /// What makes two lines of controllers' logs that have no id the same line read twice: whose log it is, the time
    /// and the text. Two such lines of one file are two all the same. `None` for every other record.
    pub fn text_key(&self, row: u32) -> Option<u64> {
        let id = *self.audit_ids.get(row as usize)?;
        let facts = self.facts(row);
        let hash = (id >> 64) as u64;
        let is_text = facts.has_chosen_id() && id as Symbol == EMPTY && hash != 0;
        let line = super::dictionary::mix(hash, self.stage_time(row) as u64);
        is_text.then(|| super::dictionary::mix(line, facts.log() as u64))
    }

    /// Rows of an API server's audit log.
    pub fn kube_rows(&self) -> Bitset {
        Bitset::from_column(&self.facts, |facts| facts.log() == LogKind::Kube)
    }

    /// Rows whose answer was a failure: code 400 or more.
    pub fn failed_rows(&self) -> Bitset {
        Bitset::from_column(&self.codes, |code| code >= 400)
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.stage_time.memory_bytes()
            + self.elapsed.memory_bytes()
            + self
                .strings
                .iter()
                .map(|c| c.dictionary.memory_bytes() + c.symbols.memory_bytes())
                .sum::<usize>()
            + self.codes.capacity() * 2
            + self.facts.capacity() * 2
            + self.audit_ids.capacity() * 16
            + self.chosen_ids.memory_bytes()
            + self.text.memory_bytes()
            + self.chosen.memory_bytes()
            + self.text_starts.capacity() * 4
    }

    /// The id of a row of this segment when it is stored under `number`.
    pub fn id(number: u32, row: u32) -> EventId {
        EventId::new(number, row)
    }
}

/// Reads the texts of a segment's rows, see [`Segment::texts`].
pub struct Texts<'s> {
    segment: &'s Segment,
    reader: BlockReader<'s>,
    chosen: BlockReader<'s>,
}

impl Texts<'_> {
    /// The original text of a row, byte for byte, without its line end.
    ///
    /// # Errors
    /// When the text cannot be unpacked, or was not kept.
    pub fn read(&mut self, row: u32) -> io::Result<&[u8]> {
        if let Some((start, end)) = self.segment.chosen.range(row) {
            return self.chosen.read(start, end);
        }
        let (start, end) = self.segment.text_range(row);
        self.reader.read(start, end)
    }

    /// The texts that are unpacked together with that of a row, which lie end to end: to be searched all at once.
    ///
    /// # Errors
    /// When the text cannot be unpacked, or was not kept.
    pub fn around(&mut self, row: u32) -> io::Result<Stretch<'_>> {
        let starts = &self.segment.text_starts;
        let (start, text) = self.reader.block(self.segment.text_range(row).0)?;
        let first = starts.partition_point(|at| *at < start);
        let length = starts[first..].partition_point(|at| ((at - start) as usize) < text.len());
        Ok(Stretch { first_row: first as u32, starts: &starts[first..first + length], start, text })
    }
}

/// Texts of rows that follow each other, see [`Texts::around`].
pub struct Stretch<'t> {
    first_row: u32,
    /// Where each text begins in the segment.
    starts: &'t [u32],
    start: u32,
    text: &'t [u8],
}

impl<'t> Stretch<'t> {
    /// The rows.
    pub fn rows(&self) -> Range<u32> {
        self.first_row..self.first_row + self.starts.len() as u32
    }

    /// Their texts end to end.
    pub fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The row whose text holds the byte at this place, and where that text lies.
    pub fn row_at(&self, place: usize) -> (u32, Range<usize>) {
        let behind = self.starts.partition_point(|start| (start - self.start) as usize <= place);
        let index = behind.saturating_sub(1);
        (self.first_row + index as u32, self.range(index))
    }

    /// Where the text of a row lies; empty for a row that is none of these.
    pub fn range_of(&self, row: u32) -> Range<usize> {
        row.checked_sub(self.first_row).map_or(0..0, |index| self.range(index as usize))
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start_of = |index: usize| {
            self.starts.get(index).map_or(self.text.len(), |start| (start - self.start) as usize)
        };
        start_of(index)..start_of(index + 1)
    }
}

/// The 128 bits of a UUID in its usual lower-case spelling; `None` for any other, so that the spelling survives.
pub(super) fn parse_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut value = 0u128;
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u128::from(digit);
    }
    Some(value)
}

fn format_uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_keep_their_spelling() {
        let text = "4517a132-618b-4c74-bd69-41245c01e2db";
        assert_eq!(format_uuid(parse_uuid(text).unwrap()), text);
        for other in
            ["4517A132-618b-4c74-bd69-41245c01e2db", "abcde12345", "", "4517a132-618b-4c74-bd69-41245c01e2d-"]
        {
            assert_eq!(parse_uuid(other), None, "{other}");
        }
    }

    #[test]
    fn facts_keep_apart() {
        let facts =
            Facts::new(Stage::Panic, Level::RequestResponse, Decision::Forbid).with(true, false, true, false);
        assert_eq!(facts.stage(), Stage::Panic);
        assert_eq!(facts.level(), Level::RequestResponse);
        assert_eq!(facts.decision(), Decision::Forbid);
        assert!(facts.is_routine() && facts.is_repaired());
        assert!(!facts.is_time_guessed() && !facts.has_chosen_id());
        for log in LogKind::ALL {
            let of_log = facts.of_log(LogKind::Flux).of_log(log);
            assert_eq!((of_log.log(), of_log.of_log(LogKind::Kube)), (log, facts));
        }
    }
}

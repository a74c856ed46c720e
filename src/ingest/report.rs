//! What is counted while a file is read: the figures of `info`, gathered by several workers and told once.

use super::FileReport;
use crate::format::{Format, Unreadable};
use crate::model::{LogKind, Micros};
use crate::store::Batch;

/// A stretch without any line that is longer than this is reported.
pub const GAP: Micros = 10 * 60 * crate::model::SECOND;

/// Stretches of time in which lines lie closer together than [`GAP`] are kept apart up to this many; beyond it the
/// closest are joined, so that a log with a line an hour for years stays bounded.
const MAX_STRETCHES: usize = 10_000;

/// Sorted, disjoint stretches of time with log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    stretches: Vec<(Micros, Micros)>,
}

impl Coverage {
    /// Takes in all records of a sealed batch.
    pub fn add_batch(&mut self, batch: &Batch) {
        let mut open: Option<(Micros, Micros)> = None;
        for row in &batch.order {
            let time = batch.segment.stage_time(u32::from(*row));
            open = Some(match open {
                Some((first, last)) if time - last <= GAP => (first, time),
                Some(done) => {
                    self.add(done);
                    (time, time)
                }
                None => (time, time),
            });
        }
        if let Some(done) = open {
            self.add(done);
        }
    }

    /// Takes in one stretch.
    pub fn add(&mut self, (mut first, mut last): (Micros, Micros)) {
        let from = self.stretches.partition_point(|(_, end)| end.saturating_add(GAP) < first);
        let to = self.stretches.partition_point(|(start, _)| *start <= last.saturating_add(GAP));
        if from < to {
            first = first.min(self.stretches[from].0);
            last = last.max(self.stretches[to - 1].1);
        }
        self.stretches.splice(from..to.max(from), [(first, last)]);
        if self.stretches.len() > MAX_STRETCHES {
            self.join_closest();
        }
    }

    /// Takes in another coverage.
    pub fn merge(&mut self, other: &Coverage) {
        for stretch in &other.stretches {
            self.add(*stretch);
        }
    }

    fn join_closest(&mut self) {
        let closest =
            (1..self.stretches.len()).min_by_key(|i| self.stretches[*i].0 - self.stretches[i - 1].1);
        if let Some(i) = closest {
            self.stretches[i - 1].1 = self.stretches[i].1;
            self.stretches.remove(i);
        }
    }

    /// First moment with log.
    pub fn first(&self) -> Option<Micros> {
        self.stretches.first().map(|stretch| stretch.0)
    }

    /// Last moment with log.
    pub fn last(&self) -> Option<Micros> {
        self.stretches.last().map(|stretch| stretch.1)
    }

    /// Stretches of more than [`GAP`] without a line: last moment before and first after.
    pub fn gaps(&self) -> Vec<(Micros, Micros)> {
        self.stretches.windows(2).map(|pair| (pair[0].1, pair[1].0)).collect()
    }
}

/// Counts of a part of a file.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Bytes of text.
    pub text_bytes: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// Events.
    pub events: u64,
    /// Events by their format: few kinds, the one that came last first.
    pub formats: Vec<(Format, u64)>,
    /// Unreadable stretches, by kind.
    pub unreadable: [u64; Unreadable::ALL.len()],
    /// Lines of controllers' logs that tell of no change, by kind of log.
    pub chatter: [u64; LogKind::ALL.len()],
    /// Such lines that do not tell whose they are.
    pub anonymous_chatter: u64,
    /// When there were lines.
    pub coverage: Coverage,
    /// Greatest stage time of an event that was passed over unread.
    pub newest_skipped: Option<Micros>,
}

impl Tally {
    /// Counts bytes and lines of a stretch of text made of whole lines.
    pub fn add_text(&mut self, text: &[u8]) {
        self.text_bytes += text.len() as u64;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            self.lines += u64::from(!is_blank(&text[start..end]));
            start = end + 1;
        }
        self.lines += u64::from(!is_blank(&text[start..]));
    }

    /// Counts events of this format.
    pub fn add_format(&mut self, format: Format, count: u64) {
        match self.formats.iter().position(|(known, _)| *known == format) {
            Some(0) => {}
            Some(at) => self.formats.swap(0, at),
            None => self.formats.insert(0, (format, 0)),
        }
        self.formats[0].1 += count;
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Tally) {
        self.text_bytes += other.text_bytes;
        self.lines += other.lines;
        self.events += other.events;
        for (format, count) in &other.formats {
            self.add_format(*format, *count);
        }
        for (mine, theirs) in self.unreadable.iter_mut().zip(other.unreadable) {
            *mine += theirs;
        }
        for (mine, theirs) in self.chatter.iter_mut().zip(other.chatter) {
            *mine += theirs;
        }
        self.anonymous_chatter += other.anonymous_chatter;
        self.coverage.merge(&other.coverage);
        self.newest_skipped = self.newest_skipped.max(other.newest_skipped);
    }

    /// Lines that were recognised and tell of nothing, by the log that they are of. What does not tell whose it is
    /// belongs to the file's only known controller, if there is one.
    fn passed_over(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<(&str, u64)> = LogKind::ALL
            .iter()
            .map(|log| log.name())
            .zip(self.chatter)
            .filter(|(_, count)| *count > 0)
            .collect();
        match counts.as_mut_slice() {
            [(_, count)] => *count += self.anonymous_chatter,
            _ if self.anonymous_chatter > 0 => counts.push(("other", self.anonymous_chatter)),
            _ => {}
        }
        counts.into_iter().map(|(log, count)| (log.to_owned(), count)).collect()
    }

    /// The file's report.
    pub fn report(&self, path: String, origin: u32, stored_bytes: u64) -> FileReport {
        let mut formats = self.formats.clone();
        formats.sort_by_key(|(format, count)| (std::cmp::Reverse(*count), *format));
        FileReport {
            path,
            origin,
            stored_bytes,
            text_bytes: self.text_bytes,
            lines: self.lines,
            events: self.events,
            formats: formats.into_iter().map(|(format, count)| (format.to_string(), count)).collect(),
            unreadable: Unreadable::ALL
                .into_iter()
                .zip(self.unreadable)
                .filter(|(_, count)| *count > 0)
                .map(|(kind, count)| (kind.name().to_owned(), count))
                .collect(),
            passed_over: self.passed_over(),
            first: self.coverage.first(),
            last: self.coverage.last().max(self.newest_skipped),
            gaps: self.coverage.gaps(),
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    // Nearly every line is an event: its first byte decides.
    line.iter().all(|byte| byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Envelope, Wrapping};

    const MINUTE: Micros = 60 * crate::model::SECOND;

    #[test]
    fn stretches_join_whatever_their_order() {
        let mut coverage = Coverage::default();
        for minute in [100, 0, 5, 60, 95, 200] {
            coverage.add((minute * MINUTE, minute * MINUTE + MINUTE));
        }
        assert_eq!(
            coverage.gaps(),
            [(6 * MINUTE, 60 * MINUTE), (61 * MINUTE, 95 * MINUTE), (101 * MINUTE, 200 * MINUTE)]
        );
        coverage.add((6 * MINUTE, 150 * MINUTE));
        assert_eq!(coverage.gaps(), [(150 * MINUTE, 200 * MINUTE)]);
        assert_eq!((coverage.first(), coverage.last()), (Some(0), Some(201 * MINUTE)));
    }

    #[test]
    fn lines_without_a_name_belong_to_the_only_controller() {
        let mut tally = Tally { anonymous_chatter: 2, ..Tally::default() };
        let passed_over = |tally: &Tally| tally.report(String::new(), 0, 0).passed_over;
        assert_eq!(passed_over(&tally), [("other".to_owned(), 2)]);
        tally.chatter[LogKind::Flux as usize] = 5;
        assert_eq!(passed_over(&tally), [("flux".to_owned(), 7)]);
        let mut twice = tally.clone();
        twice.chatter[LogKind::Fleet as usize] = 1;
        twice.merge(&tally);
        let counts = [("fleet", 1), ("flux", 10), ("other", 4)].map(|(log, count)| (log.to_owned(), count));
        assert_eq!(passed_over(&twice), counts);
        assert!(passed_over(&Tally::default()).is_empty());
    }

    #[test]
    fn formats_are_counted_the_commonest_first() {
        let mut tally = Tally::default();
        let native = Format::default();
        let cri = Format { wrapping: Wrapping::of(&[Envelope::Cri]), ..native };
        for format in [native, cri, native, cri, Format { log: LogKind::ArgoCd, ..cri }, cri] {
            tally.add_format(format, 1);
        }
        let mut all = Tally::default();
        all.merge(&tally);
        all.merge(&tally);
        let formats = all.report(String::new(), 0, 0).formats;
        let counts = [("kube audit in CRI lines", 6), ("kube audit", 4), ("argocd log in CRI lines", 2)];
        assert_eq!(formats, counts.map(|(format, count)| (format.to_owned(), count)));
    }

    #[test]
    fn blank_lines_do_not_count() {
        let mut tally = Tally::default();
        tally.add_text(b"{}\n\n  \r\nklog\nlast without newline");
        assert_eq!((tally.lines, tally.text_bytes), (3, 33));
    }
}

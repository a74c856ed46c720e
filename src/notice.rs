//! What went wrong or changed without stopping anything: lines that could not be read, files that were rotated,
//! memory that ran out. Counted by kind, with the first samples kept, for `:notices` and `info`.

use std::collections::BTreeMap;

use crate::model::{Micros, SourceId};

/// Samples kept of each kind and source.
const SAMPLES: usize = 5;
/// Bytes kept of a sample's text.
const SAMPLE_BYTES: usize = 600;
/// Kinds and sources told apart; further ones are counted together.
const GROUPS: usize = 1000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which log it is about; none for the program itself.
    pub source: Option<SourceId>,
    /// What happened, in a few fixed words: notices of one kind are counted together.
    pub kind: String,
    /// The particulars: a path, a line's beginning. From a log, so it is hostile until made visible.
    pub detail: String,
    /// Whether bytes of a log could not be used, so that results may lack something.
    pub is_loss: bool,
}

/// Notices of one kind and source.
#[derive(Clone, Debug)]
pub struct NoticeGroup {
    /// How many there were.
    pub count: u64,
    /// Whether something was lost.
    pub is_loss: bool,
    /// When the last one came (the program's clock).
    pub last: Micros,
    /// The first details.
    pub samples: Vec<String>,
}

/// All notices since the start, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    groups: BTreeMap<(String, Option<SourceId>), NoticeGroup>,
}

impl Notices {
    /// Counts a notice and keeps its detail while there is room.
    pub fn add(&mut self, notice: Notice, now: Micros) {
        let mut key = (notice.kind, notice.source);
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
            key = ("further kinds of notices".to_owned(), None);
        }
        let group = self.groups.entry(key).or_insert_with(|| NoticeGroup {
            count: 0,
            is_loss: notice.is_loss,
            last: now,
            samples: Vec::new(),
        });
        group.count += 1;
        group.last = now;
        if group.samples.len() < SAMPLES && !notice.detail.is_empty() {
            let end = notice.detail.char_indices().map(|(at, c)| at + c.len_utf8());
            let cut = end.take_while(|end| *end <= SAMPLE_BYTES).last().unwrap_or(0);
            group.samples.push(notice.detail[..cut].to_owned());
        }
    }

    /// Every kind and source with its group.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Option<SourceId>, &NoticeGroup)> {
        self.groups.iter().map(|((kind, source), group)| (kind.as_str(), *source, group))
    }

    /// How many notices tell of something lost.
    pub fn losses(&self) -> u64 {
        self.groups.values().filter(|group| group.is_loss).map(|group| group.count).sum()
    }

    /// How many notices there were.
    pub fn total(&self) -> u64 {
        self.groups.values().map(|group| group.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_keeps_the_first() {
        let mut notices = Notices::default();
        for i in 0..20 {
            let detail = format!("line {i} {}", "é".repeat(1000));
            notices.add(Notice { source: None, kind: "cut short".into(), detail, is_loss: true }, i);
        }
        notices
            .add(Notice { source: None, kind: "rotated".into(), detail: String::new(), is_loss: false }, 3);
        assert_eq!((notices.total(), notices.losses()), (21, 20));
        let (_, _, group) = notices.groups().next().unwrap();
        assert_eq!((group.count, group.last, group.samples.len()), (20, 19, SAMPLES));
        assert!(group.samples[0].starts_with("line 0") && group.samples[0].len() <= SAMPLE_BYTES);
    }

    #[test]
    fn many_kinds_stay_bounded() {
        let mut notices = Notices::default();
        for i in 0..GROUPS * 2 {
            notices.add(
                Notice { source: None, kind: format!("kind {i}"), detail: String::new(), is_loss: false },
                0,
            );
        }
        assert_eq!(notices.total(), GROUPS as u64 * 2);
        assert!(notices.groups().count() <= GROUPS + 1);
    }
}

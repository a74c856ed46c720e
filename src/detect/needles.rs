//! What the texts of a segment's rows cannot hold, told without parsing them: a row whose text lacks a part of a path's
//! keys has nothing at that path. Most rules ask for what hardly any row has.

use std::cell::RefCell;

use hashbrown::HashMap;
use memchr::memmem::Finder;

use super::path::Path;
use crate::store::{Bitset, Segment, Texts};

/// How characters are written that need not be escaped. Where that happens, a search for a key proves nothing.
const ESCAPED: &str = "\\u00";

/// What was searched for, and found, so far.
struct Known {
    finder: Finder<'static>,
    looked_at: Bitset,
    found: Bitset,
}

/// Searches in the texts of a segment, each made once.
pub(super) struct Needles<'s> {
    segment: &'s Segment,
    texts: RefCell<Texts<'s>>,
    known: HashMap<String, Known>,
}

impl<'s> Needles<'s> {
    pub(super) fn new(segment: &'s Segment) -> Needles<'s> {
        Needles { segment, texts: RefCell::new(segment.texts()), known: HashMap::new() }
    }

    /// Those of `rows` whose text may have something at `path`.
    pub(super) fn rows_with(&mut self, path: &Path, rows: &Bitset) -> Bitset {
        let mut with = rows.clone();
        let mut without = rows.clone();
        for needle in path.needles() {
            if with.is_clear() {
                break;
            }
            with = self.search(&needle, &with);
        }
        without.and_not(&with);
        with.or(&self.search(ESCAPED, &without));
        with
    }

    /// Those of `rows` whose text holds `needle`.
    fn search(&mut self, needle: &str, rows: &Bitset) -> Bitset {
        let Needles { segment, texts, known } = self;
        let count = segment.rows();
        let known = known.entry_ref(needle).or_insert_with(|| Known {
            finder: Finder::new(needle.as_bytes()).into_owned(),
            looked_at: Bitset::none(count),
            found: Bitset::none(count),
        });
        let mut new = rows.clone();
        new.and_not(&known.looked_at);
        let mut texts = texts.borrow_mut();
        for row in new.iter() {
            // A text that was not kept tells nothing, and so cannot rule anything out.
            let holds = texts.read(row).map_or(true, |text| known.finder.find(text).is_some());
            known.found.set(row, holds);
        }
        known.looked_at.or(&new);
        let mut found = known.found.clone();
        found.and(rows);
        found
    }
}

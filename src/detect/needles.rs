//! What the texts of a segment's rows cannot hold, told without parsing them: a row whose text lacks a part of a path's
//! keys has nothing at that path. Most rules ask for what hardly any row has.

use hashbrown::HashMap;
use memchr::memmem::{self, Finder};

use crate::store::{Bitset, Segment, Texts};

/// How escapes of the first characters of Unicode begin.
const ESCAPED: &str = "\\u00";

/// Whether a character of which keys are made may be written as an escape, so that a search for a key proves nothing.
/// An API server escapes control characters, `&`, `<` and `>` (Go's `encoding/json`), which stand in no key that a rule
/// asks for; only what a client sent may hold others.
pub(super) fn may_escape_keys(text: &[u8]) -> bool {
    // Nor does it escape a slash.
    memmem::find(text, b"\\/").is_some()
        || memmem::find_iter(text, ESCAPED).any(|at| {
            let digits = text.get(at + ESCAPED.len()..at + ESCAPED.len() + 2).unwrap_or_default();
            !matches!(digits, [b'0' | b'1', _] | b"26" | b"3c" | b"3C" | b"3e" | b"3E")
        })
}

/// What was searched for, and found, so far.
struct Known {
    finder: Finder<'static>,
    looked_at: Bitset,
    found: Bitset,
}

/// Searches in the texts of a segment, each made once.
pub(super) struct Needles<'s> {
    segment: &'s Segment,
    texts: Texts<'s>,
    known: HashMap<String, Known>,
}

impl<'s> Needles<'s> {
    pub(super) fn new(segment: &'s Segment) -> Needles<'s> {
        Needles { segment, texts: segment.texts_at_hand(), known: HashMap::new() }
    }

    /// The texts, those that were searched at hand.
    pub(super) fn take_texts(&mut self) -> Texts<'s> {
        std::mem::replace(&mut self.texts, self.segment.texts_at_hand())
    }

    /// Those of `rows` whose text may hold all of `needles`, in whatever way it is written.
    pub(super) fn rows_with(&mut self, needles: &[String], rows: &Bitset) -> Bitset {
        let mut with = rows.clone();
        let mut without = rows.clone();
        for needle in needles {
            if with.is_clear() {
                break;
            }
            with = self.search(needle, &with);
        }
        without.and_not(&with);
        with.or(&self.search(ESCAPED, &without));
        with
    }

    /// Those of `rows` whose text holds `needle`; for [`ESCAPED`], in a way that matters.
    fn search(&mut self, needle: &str, rows: &Bitset) -> Bitset {
        let Needles { segment, texts, known } = self;
        let known = known.entry_ref(needle).or_insert_with(|| Known {
            finder: Finder::new(needle.as_bytes()).into_owned(),
            looked_at: Bitset::none(segment.rows()),
            found: Bitset::none(segment.rows()),
        });
        let mut new = rows.clone();
        new.and_not(&known.looked_at);
        for row in new.iter() {
            // A text that was not kept tells nothing, and so cannot rule anything out.
            let holds = texts.read(row).map_or(true, |text| match needle {
                ESCAPED => may_escape_keys(text),
                _ => known.finder.find(text).is_some(),
            });
            known.found.set(row, holds);
        }
        known.looked_at.or(&new);
        let mut found = known.found.clone();
        found.and(rows);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_escapes_that_could_spell_a_key_matter() {
        for harmless in
            [r#"{"requestURI":"/a?b=1\u0026c=2"}"#, r"\u003cnil\u003e \u000a \u001F", r"\u20", r"\u00"]
        {
            let harmless = harmless.replace("\\\\", "\\");
            assert_eq!(may_escape_keys(harmless.as_bytes()), harmless.ends_with("u00"), "{harmless}");
        }
        for telling in ["{\"\\u0061nnotations\":1}", "\\u002f", "\\u0026\\u006b"] {
            assert!(may_escape_keys(telling.as_bytes()), "{telling}");
        }
    }
}

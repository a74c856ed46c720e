//! Search for a fixed text in long stretches of bytes, in either case of ASCII letters if wanted: over the dictionaries
//! of a segment for what a [`super::pattern`] asks, and over unpacked blocks of lines for a [`super::text_test`].
//!
//! Two bytes of the text that are probably rare are compared at 64 places at once, which compilers turn into vector
//! instructions; only where both fit is the text itself compared. Beginnings of words are a bad choice: with
//! `namespaces/team-3` thousands of places fit `team-` in every log that has teams.

use crate::store::packed;

/// Places that are looked at together.
const PLACES: usize = 64;

/// A text to search for; not empty.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    text: Box<[u8]>,
    any_case: bool,
    rarest: Probe,
    next: Probe,
}

/// One byte of the text.
#[derive(Clone, Copy, Debug)]
struct Probe {
    offset: usize,
    byte: u8,
    /// The bit in which capitals and small letters differ, where both are wanted.
    fold: u8,
}

impl Needle {
    /// A search for this text; `None` for the empty one.
    pub(super) fn new(text: &[u8], any_case: bool) -> Option<Needle> {
        let text = if any_case { text.to_ascii_lowercase() } else { text.to_vec() };
        let mut offsets: Vec<usize> = (0..text.len()).collect();
        offsets.sort_by_key(|offset| (frequency(text[*offset]), std::cmp::Reverse(*offset)));
        let probe = |offset: usize| {
            let byte = text[offset];
            Probe { offset, byte, fold: if any_case && byte.is_ascii_alphabetic() { 0x20 } else { 0 } }
        };
        let rarest = probe(*offsets.first()?);
        let next = offsets.get(1).map_or(rarest, |offset| probe(*offset));
        Some(Needle { text: text.into(), any_case, rarest, next })
    }

    /// The text; in small letters where either case is found.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether capitals and small letters are the same.
    pub(super) fn is_any_case(&self) -> bool {
        self.any_case
    }

    /// Bytes of the text.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The first place at or behind `from` at which the text stands.
    pub(super) fn find_at(&self, haystack: &[u8], from: usize) -> Option<usize> {
        // Behind the last place there is no room for the text.
        let end = haystack.len().checked_sub(self.text.len())? + 1;
        let mut at = from;
        while at < end {
            let places = |probe: Probe| {
                haystack.get(at + probe.offset..).and_then(|bytes| bytes.first_chunk::<PLACES>())
            };
            let (Some(first), Some(second)) = (places(self.rarest), places(self.next)) else {
                return (at..end).find(|at| self.probes_fit(haystack, *at) && self.stands_at(haystack, *at));
            };
            let mut fitting = [0; PLACES];
            for (fits, (first, second)) in fitting.iter_mut().zip(first.iter().zip(second)) {
                *fits = u8::from(self.rarest.fits(*first) & self.next.fits(*second));
            }
            if fitting.iter().fold(0, |any, fits| any | fits) != 0 {
                let mut places = packed(&fitting);
                while places != 0 {
                    let place = at + places.trailing_zeros() as usize;
                    if self.stands_at(haystack, place) {
                        return Some(place);
                    }
                    places &= places - 1;
                }
            }
            at += PLACES;
        }
        None
    }

    /// Whether the text stands anywhere.
    pub(super) fn is_in(&self, haystack: &[u8]) -> bool {
        self.find_at(haystack, 0).is_some()
    }

    fn probes_fit(&self, haystack: &[u8], at: usize) -> bool {
        [self.rarest, self.next]
            .iter()
            .all(|probe| haystack.get(at + probe.offset).is_some_and(|byte| probe.fits(*byte)))
    }

    fn stands_at(&self, haystack: &[u8], at: usize) -> bool {
        let there = haystack.get(at..at + self.text.len());
        there.is_some_and(|there| {
            if self.any_case { there.eq_ignore_ascii_case(&self.text) } else { *there == *self.text }
        })
    }
}

impl Probe {
    #[inline]
    fn fits(self, byte: u8) -> bool {
        byte | self.fold == self.byte
    }
}

/// How frequent a byte is in audit lines, roughly, as counted over recorded ones.
fn frequency(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        b'e' | b'a' | b't' | b's' | b'n' | b'o' | b'i' | b'r' | b'"' | b'c' => 3,
        b'-' | b'/' | b'.' | b':' | b',' | b'_' | b'u' | b'l' | b'm' | b'd' | b'p' | b'0'..=b'2' => 2,
        b'j' | b'q' | b'x' | b'z' | b'w' | b'y' => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_comparing_at_each_place_finds(
            haystack in "[aAbB\0-]{0,200}",
            at in 0..250usize,
            needle in "[aAbB\0-]{1,6}",
            any_case in any::<bool>(),
            from in 0..220usize,
        ) {
            let mut haystack = haystack.into_bytes();
            if at <= haystack.len() {
                haystack.splice(at..at, needle.bytes());
            }
            let wanted = (from..haystack.len()).find(|at| {
                haystack.get(*at..at + needle.len()).is_some_and(|there| match any_case {
                    true => there.eq_ignore_ascii_case(needle.as_bytes()),
                    false => there == needle.as_bytes(),
                })
            });
            let searched = Needle::new(needle.as_bytes(), any_case).unwrap();
            prop_assert_eq!(searched.find_at(&haystack, from), wanted);
        }
    }

    #[test]
    fn either_case_is_that_of_letters_alone() {
        let finds =
            |needle: &str, text: &str| Needle::new(needle.as_bytes(), true).unwrap().is_in(text.as_bytes());
        assert!(finds("web-1", "WEB-1") && !finds("web-1", "WEB\r1") && !finds("[", "{") && !finds("@", "`"));
        assert!(Needle::new(b"", true).is_none());
    }
}

//! Decodes JSON strings that hold JSON: every eighth byte or so is an escaped quote.
//!
//! [`super::cursor`] decodes short strings, which have few escapes, and refuses what is not sound. Here the text is an event of its
//! own, to be handed on whatever is in it, so nothing is refused.

use std::ops::{Deref, Range};

use wide::u8x16;

/// Bytes that are compared by one instruction.
const LANES: usize = 16;

/// Bytes that are looked through at once, one for each bit of a mask.
const BLOCK: usize = 64;

/// Bytes that are copied at once: few runs between two escapes are longer.
const RUN: usize = 32;

/// Room that is made at first: that of a common event.
const FIRST_ROOM: usize = 2 << 10;

/// Decoded text, in room that is kept for the next one: what lies behind its end was written before, so that nothing has
/// to be filled with zeros for the next text.
#[derive(Default)]
pub(super) struct Decoded {
    room: Vec<u8>,
    end: usize,
}

impl Deref for Decoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[..self.end]
    }
}

impl From<Vec<u8>> for Decoded {
    fn from(text: Vec<u8>) -> Decoded {
        Decoded { end: text.len(), room: text }
    }
}

impl From<Decoded> for Vec<u8> {
    fn from(mut decoded: Decoded) -> Vec<u8> {
        decoded.room.truncate(decoded.end);
        decoded.room
    }
}

impl Decoded {
    /// Forgets the text, not the room.
    pub(super) fn clear(&mut self) {
        self.end = 0;
    }

    /// Bytes of room.
    pub(super) fn capacity(&self) -> usize {
        self.room.capacity()
    }

    /// Decodes the string that begins behind its opening quote, in place of what was here. Returns the length of what was
    /// read, its closing quote included; `None` where the text ends before the string does, which then is decoded as far
    /// as it goes.
    ///
    /// Half a surrogate pair, or an escape that JSON does not know, becomes U+FFFD.
    pub(super) fn decode(&mut self, text: &[u8]) -> Option<usize> {
        self.end = 0;
        self.make(text.len().min(FIRST_ROOM));
        // Where escapes lie is not to be foreseen, so a branch for each would be mispredicted: they are found a block at
        // a time, and what lies between them is copied whatever its length.
        let mut at = 0;
        loop {
            let Some(window) = text[at..].first_chunk() else {
                return rest(&text[at..], self).map(|end| at + end);
            };
            match block(window, self) {
                Step::On(length) => at += length,
                Step::End(length) => return Some(at + length),
            }
        }
    }

    /// Makes room for `length` bytes and a block more.
    #[inline]
    fn make(&mut self, length: usize) {
        let least = self.end + length + SPACE;
        if self.room.len() < least {
            self.room.resize(least.max(2 * self.end), 0);
        }
    }

    /// Copies the beginning of a window, at most a block and a byte, without the bytes of `left_out`. Does nothing and
    /// says false where one of those is no backslash.
    #[inline]
    fn copy_without(&mut self, window: &[u8; WINDOW], length: usize, mut left_out: u64) -> bool {
        let Some(space) = self.room[self.end..].first_chunk_mut() else { return false };
        let (mut from, mut end, mut wrong) = (0, 0, 0);
        while left_out != 0 {
            let found = left_out.trailing_zeros() as usize;
            end = copy(window, from..found, space, end);
            wrong |= window[found] ^ b'\\';
            from = found + 1;
            left_out &= left_out - 1;
        }
        end = copy(window, from..length, space, end);
        self.end += if wrong == 0 { end } else { 0 };
        wrong == 0
    }

    #[inline]
    fn copy(&mut self, window: &[u8; WINDOW], run: Range<usize>) {
        if let Some(space) = self.room[self.end..].first_chunk_mut() {
            self.end += copy(window, run, space, 0);
        }
    }

    fn push(&mut self, character: char) {
        self.make(0);
        self.end += character.encode_utf8(&mut self.room[self.end..]).len();
    }
}

/// [`Decoded::decode`] for less than a window of text.
fn rest(text: &[u8], room: &mut Decoded) -> Option<usize> {
    // A quote behind the text ends it in any case.
    let mut padded = [b'"'; 2 * WINDOW];
    padded[..text.len()].copy_from_slice(text);
    let mut at = 0;
    while let Some(window) = padded[at..].first_chunk() {
        match block(window, room) {
            Step::On(length) => at += length,
            Step::End(length) if at + length <= text.len() => return Some(at + length),
            Step::End(length) => {
                // Behind a backslash at the end of the text, one more quote was taken in.
                if at + length > text.len() + 1 {
                    room.end -= 1;
                }
                return None;
            }
        }
    }
    None
}

/// A block, and the most that is looked at or copied behind it.
const WINDOW: usize = BLOCK + RUN;

/// What a block may fill, an escape of one byte behind it too, and the most that is copied behind that.
const SPACE: usize = BLOCK + 1 + RUN;

/// Copies a run of at most a block to `space[end..]`; returns where it ends there.
#[inline]
fn copy(window: &[u8; WINDOW], run: Range<usize>, space: &mut [u8; SPACE], end: usize) -> usize {
    let length = run.end - run.start;
    space[end..][..RUN].copy_from_slice(&window[run.start..][..RUN]);
    if length > RUN {
        space[end + RUN..end + length].copy_from_slice(&window[run.start + RUN..run.end]);
    }
    end + length
}

/// What became of a block, and how much was read.
enum Step {
    On(usize),
    End(usize),
}

/// Decodes the first block of a window, and an escape that goes on behind it.
#[inline]
fn block(window: &[u8; WINDOW], room: &mut Decoded) -> Step {
    room.make(0);
    let special = special_bytes(window);
    let (starts, escaped) = every_other(special);
    // An escape that begins in the last place goes on behind the block.
    let length = BLOCK + (starts >> (BLOCK - 1)) as usize;
    // Nearly always, what is escaped is a quote or a backslash, and only the backslashes before them are left out.
    let is_simple = escaped & !special == 0 && (length == BLOCK || matches!(window[BLOCK], b'"' | b'\\'));
    if is_simple && room.copy_without(window, length, starts) {
        return Step::On(length);
    }
    escapes(window, special, room)
}

/// [`block`] for escapes of every kind, and for the string's end.
#[inline(never)]
fn escapes(window: &[u8; WINDOW], mut special: u64, room: &mut Decoded) -> Step {
    let mut done = 0;
    while special != 0 {
        let found = special.trailing_zeros() as usize;
        room.copy(window, done..found);
        if window[found] == b'"' {
            return Step::End(found + 1);
        }
        // More than an escape is left behind any place of the block, so that none is cut.
        done = found + 1;
        if let Some((character, length)) = escape(&window[done..]) {
            room.push(character);
            done += length;
        }
        room.make(0);
        special &= u64::MAX.checked_shl(done as u32).unwrap_or(0);
    }
    // Behind an escape that ends behind the block, less than a run may be left to copy.
    if done < BLOCK {
        room.copy(window, done..BLOCK);
    }
    Step::On(done.max(BLOCK))
}

/// Where the string ends that begins behind its opening quote, that quote included; `None` where the text does first.
pub(super) fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(block) = text.get(at..)?.first_chunk::<BLOCK>() {
        let (mut starts, _) = every_other(special_bytes(block));
        let length = BLOCK + (starts >> (BLOCK - 1)) as usize;
        while starts != 0 {
            let found = starts.trailing_zeros() as usize;
            if block[found] == b'"' {
                return Some(at + found + 1);
            }
            starts &= starts - 1;
        }
        at += length;
    }
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The first bit of each series, and every other one behind it; and what stands right behind those. Of quotes and
/// backslashes, the first are the beginnings of escapes and the second what is escaped, up to a first that is a quote.
#[inline]
fn every_other(series: u64) -> (u64, u64) {
    // Subtracting each series from what is right behind it carries through the whole of it (Langdale and Lemire,
    // "Parsing Gigabytes of JSON per Second", 3.1.1, in the form of simdjson's json_escape_scanner.h).
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let alternating = (series << 1 | ODD).wrapping_sub(series) ^ ODD;
    (alternating & series, alternating ^ series)
}

/// A bit for each byte of the block at the beginning of `text` that is a quote or a backslash.
#[inline]
fn special_bytes<const LENGTH: usize>(text: &[u8; LENGTH]) -> u64 {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let mut special = 0;
    for (at, bytes) in text.as_chunks::<LANES>().0.iter().take(BLOCK / LANES).enumerate() {
        let bytes = u8x16::new(*bytes);
        let found = bytes.simd_eq(quote) | bytes.simd_eq(backslash);
        special |= u64::from(found.to_bitmask()) << (LANES * at);
    }
    special
}

/// What follows a backslash, and its length. `None` where the text ends in the middle of it.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match *text.first()? {
        b'u' => return unicode(text),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        byte @ (b'"' | b'\\' | b'/') => char::from(byte),
        _ => return Some((char::REPLACEMENT_CHARACTER, 0)),
    };
    Some((character, 1))
}

fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = text.get(1..5).and_then(unit);
    let second = text.get(5..11).and_then(|next| next.strip_prefix(b"\\u")).and_then(unit);
    let (character, length) = match (first, second) {
        (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => {
            (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 11)
        }
        (Some(unit), _) => (char::from_u32(unit), 5),
        (None, _) => (None, 1),
    };
    Some((character.unwrap_or(char::REPLACEMENT_CHARACTER), length))
}

/// The number that four hexadecimal digits write.
fn unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str) -> (String, Option<usize>) {
        // What was there before must not show.
        let mut decoded = Decoded::from(b"#\"\\".repeat(100));
        let length = decoded.decode(text.as_bytes());
        (String::from_utf8_lossy(&decoded).into_owned(), length)
    }

    #[test]
    fn every_escape_and_every_break() {
        let text = r#"a\"\\\/\b\f\n\r\t\u0026\ud83d\ude00z" rest"#;
        assert_eq!(decoded(text), ("a\"\\/\u{8}\u{c}\n\r\t&\u{1f600}z".to_owned(), Some(text.len() - 5)));
        assert_eq!(decoded(r#"\ud83d!\ude00\x""#), ("\u{fffd}!\u{fffd}\u{fffd}x".to_owned(), Some(16)));
        for cut in ["", "abc", "abcdefghijkl", r"a\", r"a\u12", "\\"] {
            assert_eq!(decoded(cut).1, None, "{cut}");
        }
        assert_eq!(decoded(r#"{\"kind\":\"Ev"#).0, "{\"kind\":\"Ev");
    }

    proptest! {
        #[test]
        fn each_special_byte_has_its_bit(text in "[\"\\\\a#]{64}") {
            let block: &[u8; BLOCK] = text.as_bytes().first_chunk().expect("a block");
            let is_special = |at: &usize| matches!(block[*at], b'"' | b'\\');
            let bits: u64 = (0..BLOCK).filter(is_special).map(|at| 1 << at).sum();
            prop_assert_eq!(special_bytes(block), bits);
        }

        #[test]
        fn what_serde_writes_is_read_back(text in "(.{0,20}|[a\"\\\\/]{0,90}|[a\n\u{1}]{0,20}){0,6}", rest in "[a-z\"]{0,20}") {
            let quoted = serde_json::to_string(&text).expect("strings are JSON");
            let (found, length) = decoded(&format!("{}{rest}", &quoted[1..]));
            prop_assert_eq!(found, text);
            prop_assert_eq!(length, Some(quoted.len() - 1));
            prop_assert_eq!(string_length(format!("{}{rest}", &quoted[1..]).as_bytes()), length);
        }

        #[test]
        fn any_bytes_do(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut out = Decoded::default();
            let length = out.decode(&bytes);
            prop_assert_eq!(string_length(&bytes).is_some(), length.is_some());
            prop_assert!(length.is_none_or(|length| bytes[length - 1] == b'"'));
            prop_assert!(out.len() <= 3 * bytes.len());
        }
    }
}

//! Decodes JSON strings that hold JSON: every eighth byte or so is an escaped quote.
//!
//! [`super::cursor`] decodes short strings, which have few escapes, and refuses what is not sound. Here the text is an event of its
//! own, to be handed on whatever is in it, so nothing is refused.

/// Bytes that are looked through at once, one for each bit of a mask.
const BLOCK: usize = 64;

/// Bytes that are copied at once: few runs between two escapes are longer.
const RUN: usize = 16;

/// Appends the string that begins behind its opening quote to `out`. Returns the length of what was read, its closing
/// quote included; `None` where the text ends before the string does, which then is in `out` as far as it goes.
///
/// Half a surrogate pair, or an escape that JSON does not know, becomes U+FFFD.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.reserve(text.len().min(FIRST_ROOM) + BLOCK + RUN);
    // Where escapes lie is not to be foreseen, so a branch for each would be mispredicted: they are found a block at a
    // time, and what lies between them is copied whatever its length.
    let mut at = 0;
    while text.len() - at >= BLOCK + RUN {
        match block(&text[at..], out) {
            Step::On(length) => at += length,
            Step::End(length) => return Some(at + length),
        }
    }
    // A quote behind the rest ends it in any case.
    let mut rest = [b'"'; 2 * (BLOCK + RUN)];
    rest[..text.len() - at].copy_from_slice(&text[at..]);
    let mut end = 0;
    while let Some(blocks) = rest.get(end..).filter(|blocks| blocks.len() >= BLOCK + RUN) {
        match block(blocks, out) {
            Step::On(length) => end += length,
            Step::End(length) if at + end + length <= text.len() => return Some(at + end + length),
            Step::End(length) => {
                // Behind a backslash at the end of the text, one more quote was taken in.
                if at + end + length > text.len() + 1 {
                    out.pop();
                }
                return None;
            }
        }
    }
    None
}

/// Room that is made at first: that of a common event.
const FIRST_ROOM: usize = 2 << 10;

/// What became of a block, and how much was read.
enum Step {
    On(usize),
    End(usize),
}

/// Decodes the first block of `text`, which is longer, and an escape that goes on behind it.
fn block(text: &[u8], out: &mut Vec<u8>) -> Step {
    let mut special = special_bytes(&text[..BLOCK]);
    // What is written is `out[..end]`; behind it is room, so that whole runs can be copied.
    let mut end = out.len();
    out.resize(end + BLOCK + RUN, 0);
    // Copied up to `from`, understood up to `done`: between them stands an escaped byte that is no special one.
    let (mut from, mut done) = (0, 0);
    while special != 0 {
        let found = special.trailing_zeros() as usize;
        end = copy(text, from..found, out, end);
        if text[found] == b'"' {
            out.truncate(end);
            return Step::End(found + 1);
        }
        if matches!(text[found + 1], b'"' | b'\\' | b'/') {
            (from, done) = (found + 1, found + 2);
        } else {
            out.truncate(end);
            // More than a block of text is left, so that no escape is cut.
            done = found + 1 + escape(&text[found + 1..], out).unwrap_or_default();
            end = out.len();
            out.resize(end + BLOCK + RUN, 0);
            from = done;
        }
        special = if done < BLOCK { special & (u64::MAX << done) } else { 0 };
    }
    let read = done.max(BLOCK);
    end = copy(text, from..read, out, end);
    out.truncate(end);
    Step::On(read)
}

/// Copies a run of at most a block to `out[end..]`; returns where it ends there. There is room for a run more.
fn copy(text: &[u8], run: std::ops::Range<usize>, out: &mut [u8], end: usize) -> usize {
    let length = run.len();
    // Behind an escape that ends behind the block, less than a run of text may be left.
    if length == 0 {
        return end;
    }
    out[end..][..RUN].copy_from_slice(&text[run.start..][..RUN]);
    if length > RUN {
        out[end..][..length].copy_from_slice(&text[run]);
    }
    end + length
}

/// Where the string ends that begins behind its opening quote, that quote included; `None` where the text does first.
pub(super) fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(block) = text.get(at..)?.get(..BLOCK) {
        let mut special = special_bytes(block);
        let mut done = BLOCK;
        while special != 0 {
            let found = special.trailing_zeros() as usize;
            if block[found] == b'"' {
                return Some(at + found + 1);
            }
            done = done.max(found + 2);
            special = if found + 2 < BLOCK { special & (u64::MAX << (found + 2)) } else { 0 };
        }
        at += done;
    }
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A bit for each byte of a block that is a quote or a backslash.
fn special_bytes(block: &[u8]) -> u64 {
    let Some(block) = block.first_chunk::<BLOCK>() else { return 0 };
    let flags = block.map(|byte| u8::from(byte == b'"') | u8::from(byte == b'\\'));
    let (words, _) = flags.as_chunks::<8>();
    // The product has the lowest bits of eight bytes in its highest one.
    let bits = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.iter().rev().fold(0, |mask, word| mask << 8 | bits(word))
}

/// Decodes what follows a backslash; returns its length. `None` where the text ends in the middle of it.
fn escape(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let byte = match *text.first()? {
        b'u' => return unicode(text, out),
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        byte @ (b'"' | b'\\' | b'/') => byte,
        _ => {
            out.extend_from_slice("\u{fffd}".as_bytes());
            return Some(0);
        }
    };
    out.push(byte);
    Some(1)
}

fn unicode(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let first = text.get(1..5).and_then(unit);
    let second = text.get(5..11).and_then(|next| next.strip_prefix(b"\\u")).and_then(unit);
    let (character, length) = match (first, second) {
        (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => {
            (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 11)
        }
        (Some(unit), _) => (char::from_u32(unit), 5),
        (None, _) => (None, 1),
    };
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(length)
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
        let mut out = Vec::new();
        let length = unescape(text.as_bytes(), &mut out);
        (String::from_utf8_lossy(&out).into_owned(), length)
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
        fn what_serde_writes_is_read_back(text in "(.{0,20}|[a\"\\\\/]{0,90}|[a\n\u{1}]{0,20}){0,6}", rest in "[a-z\"]{0,20}") {
            let quoted = serde_json::to_string(&text).expect("strings are JSON");
            let (found, length) = decoded(&format!("{}{rest}", &quoted[1..]));
            prop_assert_eq!(found, text);
            prop_assert_eq!(length, Some(quoted.len() - 1));
            prop_assert_eq!(string_length(format!("{}{rest}", &quoted[1..]).as_bytes()), length);
        }

        #[test]
        fn any_bytes_do(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut out = Vec::new();
            let length = unescape(&bytes, &mut out);
            prop_assert_eq!(string_length(&bytes).is_some(), length.is_some());
            prop_assert!(length.is_none_or(|length| bytes[length - 1] == b'"'));
            prop_assert!(out.len() <= 3 * bytes.len());
        }
    }
}

//! Decodes JSON strings that hold JSON: every eighth byte or so is an escaped quote.
//!
//! [`super::cursor`] decodes short strings, which have few escapes, and refuses what is not sound. Here the text is an event of its
//! own, to be handed on whatever is in it, so nothing is refused.

/// Appends the string that begins behind its opening quote to `out`. Returns the length of what was read, its closing
/// quote included; `None` where the text ends before the string does, which then is in `out` as far as it goes.
///
/// Half a surrogate pair, or an escape that JSON does not know, becomes U+FFFD.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.reserve(text.len().min(MOST_RESERVED));
    let mut at = 0;
    loop {
        let plain = plain_length(&text[at..], out);
        at += plain;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            // A backslash.
            _ => at += escape(&text[at + 1..], out)? + 1,
        }
    }
}

/// Room that is made before anything is known about the length of the string.
const MOST_RESERVED: usize = 64 << 10;

/// Copies bytes up to the next quote or backslash; returns how many.
fn plain_length(text: &[u8], out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(block) = text[at..].first_chunk::<8>() {
        let special = special_bytes(u64::from_le_bytes(*block));
        out.extend_from_slice(block);
        if special != 0 {
            let length = (special.trailing_zeros() / 8) as usize;
            out.truncate(out.len() - (8 - length));
            return at + length;
        }
        at += 8;
    }
    let rest = &text[at..];
    let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
    out.extend_from_slice(&rest[..length]);
    at + length
}

/// The high bit of each byte that is a quote or a backslash. A byte above the first such one may have it set, too.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64))
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
    let first = unit(text.get(1..5)?);
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
        fn what_serde_writes_is_read_back(text in ".{0,80}", rest in "[a-z\"]{0,20}") {
            let quoted = serde_json::to_string(&text).expect("strings are JSON");
            let (found, length) = decoded(&format!("{}{rest}", &quoted[1..]));
            prop_assert_eq!(found, text);
            prop_assert_eq!(length, Some(quoted.len() - 1));
        }

        #[test]
        fn any_bytes_do(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let length = unescape(&bytes, &mut out);
            prop_assert!(length.is_none_or(|length| bytes[length - 1] == b'"'));
            prop_assert!(out.len() <= 3 * bytes.len());
        }
    }
}

//! A position in JSON text with the few moves that [`super::kube`] and [`super::envelope`] need.
//!
//! It trusts nothing: every move that meets something else than it expects answers `None` or `false` and the caller
//! gives up. Strings are found with memchr and borrowed unless they hold escapes.

use std::borrow::Cow;
use std::str;

use memchr::memchr2;

use super::unescape::string_length;

/// A place in `text`.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over `literal` if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, literal: &[u8]) -> bool {
        let found = self.rest().starts_with(literal);
        if found {
            self.at += literal.len();
        }
        found
    }

    /// [`Self::eat`] for `?`.
    #[inline]
    pub(super) fn expect(&mut self, literal: &[u8]) -> Option<()> {
        self.eat(literal).then_some(())
    }

    /// Steps over `key` (quotes and colon included) if it is the next member of an object without spaces: right
    /// behind the opening brace, or behind a comma.
    #[inline]
    pub(super) fn member(&mut self, key: &[u8]) -> bool {
        let rest = self.rest();
        let comma = match (self.at.checked_sub(1).and_then(|i| self.text.get(i)), rest.first()) {
            (Some(b'{'), _) => 0,
            (_, Some(b',')) => 1,
            _ => return false,
        };
        let found = rest[comma..].starts_with(key);
        if found {
            self.at += comma + key.len();
        }
        found
    }

    pub(super) fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The rest of a string whose opening quote is behind, as written; and whether it holds escapes.
    #[inline]
    pub(super) fn raw_string(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let found = self.at + memchr2(b'"', b'\\', self.rest())?;
            if self.text[found] == b'"' {
                self.at = found + 1;
                return Some((&self.text[start..found], escaped));
            }
            escaped = true;
            self.at = found + 2;
        }
    }

    /// The rest of a string whose opening quote is behind, decoded. `None` also for what needs a replacement
    /// character (see [`repaired`]).
    #[inline]
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        let (raw, escaped) = self.raw_string()?;
        if escaped { decode(raw).map(Cow::Owned) } else { str::from_utf8(raw).ok().map(Cow::Borrowed) }
    }

    /// Steps over a value written without spaces and at most `levels` deep, checking its grammar: quotes that a cut
    /// has turned inside out do not pass.
    pub(super) fn skip_compact(&mut self, levels: usize) -> Option<()> {
        let opening = *self.text.get(self.at)?;
        self.at += 1;
        let closing: &[u8] = match opening {
            b'"' => return self.raw_string().map(drop),
            b'{' => b"}",
            b'[' => b"]",
            first if is_scalar(first) => {
                self.at += self.rest().iter().take_while(|b| is_scalar(**b)).count();
                return Some(());
            }
            _ => return None,
        };
        let levels = levels.checked_sub(1)?;
        if self.eat(closing) {
            return Some(());
        }
        loop {
            if opening == b'{' {
                self.expect(b"\"")?;
                self.raw_string()?;
                self.expect(b":")?;
            }
            self.skip_compact(levels)?;
            if self.eat(closing) {
                return Some(());
            }
            self.expect(b",")?;
        }
    }

    /// Steps over a value of sound JSON by its brackets and strings, however deep.
    pub(super) fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            let byte = *self.text.get(self.at)?;
            match byte {
                b'"' => {
                    self.at += 1;
                    // In envelopes this is an event, full of escapes.
                    self.at += string_length(self.rest())?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth == 0 => return None,
                _ => {
                    self.at += 1;
                    if depth == 0 && self.text.get(self.at).copied().is_some_and(is_scalar) {
                        continue;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// Whether numbers, `true`, `false` and `null` are written with this byte.
pub(super) fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-')
}

/// Decodes the inside of a JSON string. `None` for a wrong escape, half a surrogate pair, or bytes that are not
/// UTF-8.
fn decode(raw: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..found]);
        let escape = *rest.get(found + 1)?;
        rest = &rest[found + 2..];
        let byte = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut unit = hex4(rest)?;
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&unit) {
                    let low =
                        rest.strip_prefix(b"\\u").and_then(hex4).filter(|l| (0xdc00..0xe000).contains(l))?;
                    rest = &rest[6..];
                    unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                }
                let mut buffer = [0; 4];
                out.extend_from_slice(char::from_u32(unit)?.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            _ => return None,
        };
        out.push(byte);
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).ok()
}

/// The number written by the first four bytes as hexadecimal digits.
fn hex4(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?))
}

/// A copy of JSON text in which bytes that are not UTF-8 and halves of surrogate pairs are U+FFFD; `None` when there
/// are none, so that a copy would change nothing.
pub(super) fn repaired(text: &[u8]) -> Option<Vec<u8>> {
    let valid = String::from_utf8_lossy(text);
    let mut changed = matches!(valid, Cow::Owned(_));
    let valid = valid.as_bytes();
    let mut out = Vec::with_capacity(valid.len());
    let mut rest = valid;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(found);
        out.extend_from_slice(before);
        let unit = escape.strip_prefix(b"\\u").and_then(hex4);
        let low = escape.get(6..).and_then(|next| next.strip_prefix(b"\\u")).and_then(hex4);
        let length = match (unit, low) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.extend_from_slice(b"\\ufffd");
                changed = true;
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            // Two bytes, so that the second half of an escaped backslash starts nothing.
            (None, _) => escape.len().min(2),
        };
        out.extend_from_slice(&escape[..length]);
        rest = &escape[length..];
    }
    out.extend_from_slice(rest);
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_every_escape() {
        let text = br#"a\"\\\/\b\f\n\r\t\u0026\ud83d\ude00z" rest"#;
        let mut cursor = Cursor::new(text);
        assert_eq!(cursor.string().as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\t&\u{1f600}z"));
        assert_eq!(cursor.rest(), b" rest");
        for wrong in [&br#"\x""#[..], br#"\ud83d""#, br#"\ude00""#, br#"\u12""#, br#"\"#, b"abc", b"\xff\""] {
            assert_eq!(Cursor::new(wrong).string(), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn repairs_only_what_is_broken() {
        assert_eq!(repaired(br#"{"a":"\ud83d\ude00 \\ud800 \n"}"#), None);
        assert_eq!(repaired(br#""\ud83dx\ude00""#).as_deref(), Some(&br#""\ufffdx\ufffd""#[..]));
        assert_eq!(repaired(b"\"\xff\"").as_deref(), Some("\"\u{fffd}\"".as_bytes()));
    }

    #[test]
    fn compact_values_are_checked() {
        for text in ["{}", "[]", "{\"a\":[\"b\",{\"c\":-1.5}]}", "true", "\"x\""] {
            let mut cursor = Cursor::new(text.as_bytes());
            assert_eq!(cursor.skip_compact(3), Some(()), "{text}");
            assert!(cursor.rest().is_empty());
        }
        for text in ["{\"{\"kind\":\"}\"}", "{,}", "[1 ]", "{\"a\"}", "[[[[]]]]", "[1", ""] {
            assert_eq!(Cursor::new(text.as_bytes()).skip_compact(3), None, "{text}");
        }
    }

    #[test]
    fn skips_values_of_any_depth() {
        let deep = format!("{}1{},", "[".repeat(100_000), "]".repeat(100_000));
        for (text, length) in
            [("12.5e3,", 6), ("true}", 4), ("{\"a\":[\"]}\",{}]} x", 15), (deep.as_str(), deep.len() - 1)]
        {
            let mut cursor = Cursor::new(text.as_bytes());
            assert_eq!(cursor.skip_value(), Some(()));
            assert_eq!(cursor.at, length);
        }
        for text in ["", "{", "[\"", "]", ","] {
            assert_eq!(Cursor::new(text.as_bytes()).skip_value(), None, "{text}");
        }
    }
}

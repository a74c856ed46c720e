//! logfmt as logrus' TextFormatter writes it: `time="…" level=info msg="…" key=value key2="a value"`.
//!
//! A value is a bare word when it has only letters, digits and `-._/@^+`; otherwise it is quoted as Go's `%q` does it.

use std::borrow::Cow;

use memchr::memmem;

use super::Fields;
use crate::format::legacy::unquote;

/// How every such line begins.
const BEGINNING: &[u8] = b"time=\"";

/// Fields of one line; those behind them are left out.
const MOST_FIELDS: usize = 1_000;

/// Where a line of logfmt begins in a line of text.
pub(super) fn find(line: &[u8]) -> Option<usize> {
    let at = memmem::find(line, BEGINNING)?;
    (at == 0 || line[at - 1].is_ascii_whitespace()).then_some(at)
}

/// The fields of a line that begins with [`BEGINNING`]; what is no `key=value` in it is left out.
pub(in crate::format) fn read(line: &str) -> Option<Fields<'_>> {
    if !line.as_bytes().starts_with(BEGINNING) {
        return None;
    }
    let mut fields = Fields::default();
    let mut rest = line;
    while let Some((key, value, after)) = field(rest) {
        fields.push_text(key, value);
        rest = after;
        if fields.members.len() >= MOST_FIELDS {
            break;
        }
    }
    Some(fields)
}

/// The next field, and what follows it.
fn field(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c == '=' || c.is_whitespace())?;
        let (word, behind) = rest.split_at(end);
        match behind.strip_prefix('=') {
            Some(value) if !word.is_empty() => return Some(value_of(word, value)),
            Some(value) => rest = value,
            None => rest = behind,
        }
    }
}

fn value_of<'a>(key: &'a str, text: &'a str) -> (&'a str, Cow<'a, str>, &'a str) {
    if let Some(quoted) = text.strip_prefix('"') {
        return match unquote(quoted.as_bytes()) {
            Some((value, rest)) => {
                // What follows a quote is a whole part of a text.
                let rest = text.get(text.len() - rest.len()..).unwrap_or_default();
                (key, value, rest)
            }
            // A line that was cut.
            None => (key, Cow::Borrowed(quoted), ""),
        };
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (key, Cow::Borrowed(value), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_what_is_neither() {
        let line = concat!(
            r#"time="2025-01-21T12:17:17Z" level=info msg="a \"b\" \u00e4 {\"k\":1}" empty= "#,
            r#"list="[a b]" stray =x last=é"#
        );
        let fields = read(line).unwrap();
        assert_eq!(fields.text("msg"), "a \"b\" ä {\"k\":1}");
        assert_eq!(
            (fields.text("empty"), fields.text("list"), fields.text("last")),
            ("".into(), "[a b]".into(), "é".into())
        );
        assert_eq!(fields.members.len(), 6, "{fields:?}");
        assert_eq!(read("level=info"), None);
    }

    #[test]
    fn a_line_that_was_cut_keeps_what_it_has() {
        let fields = read(r#"time="2025-01-21T12:17:17Z" msg="cut \"#).unwrap();
        assert_eq!(fields.text("msg"), "cut \\");
    }

    #[test]
    fn it_begins_behind_a_prefix_and_not_inside_of_a_word() {
        assert_eq!(find(b"[pod/a/b] time=\"x\""), Some(10));
        assert_eq!(find(b"runtime=\"x\""), None);
    }
}

//! Words as a POSIX shell takes them (IEEE 1003.1, 2.2 Quoting).

use std::borrow::Cow;

/// A word quoted so that a shell gives it back unchanged. The name of an option stays readable: `--as='a b'`.
pub fn quoted(word: &str) -> Cow<'_, str> {
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") && name.bytes().all(is_plain) => {
            Cow::Owned(format!("{name}={}", in_quotes(value)))
        }
        _ => Cow::Owned(in_quotes(word)),
    }
}

/// Whether no shell does anything with this byte wherever it stands in a word that is no command.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte)
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

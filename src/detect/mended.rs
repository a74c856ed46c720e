//! JSON that `serde_json` refuses and the API server takes. A patch stands in the log as its sender wrote it, so one
//! odd value in it must not keep rules from seeing the rest.

/// `serde_json` goes 127 levels deep.
const MOST_LEVELS: usize = 120;

/// The same JSON without what `serde_json` refuses: what lies too deep and numbers beyond `f64` become `null`, halves of
/// surrogate pairs U+FFFD. `text` is in order otherwise.
pub(super) fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut level) = (text, 0usize);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let length = string_length(rest);
                push_string(&rest[..length], &mut out);
                length
            }
            '[' | '{' if level >= MOST_LEVELS => {
                out.push_str("null");
                nested_length(rest)
            }
            '-' | '0'..='9' => {
                let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
                let length = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
                let is_finite = rest[..length].parse().is_ok_and(f64::is_finite);
                out.push_str(if is_finite { &rest[..length] } else { "null" });
                length
            }
            other => {
                match other {
                    '[' | '{' => level += 1,
                    ']' | '}' => level = level.saturating_sub(1),
                    _ => {}
                }
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// The length of the string that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The length of the array or object that `text` begins with.
fn nested_length(text: &str) -> usize {
    let (mut at, mut level) = (0, 0usize);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at += string_length(&text[at..]);
                continue;
            }
            b'[' | b'{' => level += 1,
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if level == 0 {
            break;
        }
    }
    at
}

fn push_string(mut text: &str, out: &mut String) {
    while let Some(at) = text.find('\\') {
        let (before, escape) = text.split_at(at);
        out.push_str(before);
        let unit = |from: usize| {
            let digits = escape.get(from..)?.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let length = match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                text = &escape[6..];
                continue;
            }
            // Two characters, so that the second half of an escaped backslash starts nothing.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&escape[..length]);
        text = &escape[length..];
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn what_is_refused_is_left_out() {
        let nested = |levels: usize, inner: &str| {
            format!("{}{inner}{}", "{\"a\":[".repeat(levels), "]}".repeat(levels))
        };
        let deep = nested(300, r#""}]\"", 1"#);
        for (text, expected) in [
            (r#"{"a":"\ud800","b":1}"#, r#"{"a":"\ufffd","b":1}"#),
            (r#"["\ud83d\ude00","\ude00\ud83d","\\ud800"]"#, r#"["\ud83d\ude00","\ufffd\ufffd","\\ud800"]"#),
            (r#"{"a":1e999,"b":[-1E+400, 1e3]}"#, r#"{"a":null,"b":[null, 1e3]}"#),
            (
                &format!(r#"{{"x":{deep},"b":"c"}}"#),
                &format!(r#"{{"x":{},"b":"c"}}"#, nested(59, r#"{"a":null}"#)),
            ),
        ] {
            assert!(serde_json::from_str::<Value>(text).is_err() || text == mended(text), "{text}");
            assert_eq!(mended(text), expected);
            assert!(serde_json::from_str::<Value>(&mended(text)).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_mended(text in r#"[\[\]{}\\"u0-9d-e:,.aé+-]{0,60}"#) {
            mended(&text);
        }
    }
}

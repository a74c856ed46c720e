//! Lines of a log that are text: logfmt, zap's console form, and the legacy form of the audit log.
//!
//! Their values are Go's quoted strings and a JSON object at the end. Each is judged as if it stood in an event, and what
//! cannot be decoded is masked as a whole; then the line as a text, for what is announced outside of quotes. Other text
//! than these forms is not for this module: nothing tells what it would show.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::body::{Scope, mask_value};
use super::mark::mark;
use super::{mask_text, pattern, strict};

/// How the forms begin: `time="…` of logrus, `2026-…⇥LEVEL⇥` of zap, and `… AUDIT: id="…` behind a time.
static BEGINNING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"^(?:time="|\d{4}-\d\d-\d\dT[0-9:.Z+-]+\t[A-Z]+\t|[^"{}\n]{0,512}[0-9Z] AUDIT: id=")"#)
});

/// A string as Go quotes it; one that a cut left open goes to the end.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)"(?:[^"\\]|\\.)*(?:"|\\?\z)"#));

/// A line with its secret values masked; `None` where it is none of these forms.
pub(super) fn masked(line: &str) -> Option<Cow<'_, str>> {
    if !BEGINNING.is_match(line) {
        return None;
    }
    let (head, json) = match line.find("\t{") {
        Some(tab) => line.split_at(tab + 1),
        None => (line, ""),
    };
    let quotes = QUOTED.replace_all(head, |found: &regex::Captures<'_>| masked_quote(&found[0]).into_owned());
    let head = match mask_text(&quotes) {
        Cow::Owned(masked) => masked,
        Cow::Borrowed(same) => same.to_owned(),
    };
    let tail = masked_json(json);
    let shown = head + &tail;
    Some(if shown == line { Cow::Borrowed(line) } else { Cow::Owned(shown) })
}

/// The object at the end of a line.
fn masked_json(json: &str) -> Cow<'_, str> {
    if json.is_empty() {
        return Cow::Borrowed(json);
    }
    match strict::parse(json) {
        Ok(mut value) => match mask_value(&mut value, Scope::default()) {
            0 => Cow::Borrowed(json),
            _ => Cow::Owned(value.to_string()),
        },
        Err(_) => Cow::Owned(mark(json.len())),
    }
}

/// A quoted string with what is secret in it masked.
fn masked_quote(quoted: &str) -> Cow<'_, str> {
    // Nothing is escaped otherwise in JSON than in Go, but for a few control signs: those are not worth the risk.
    let Ok(mut value) = serde_json::from_str::<Value>(quoted) else {
        let is_whole = !quoted.contains('\\');
        return if is_whole { mask_text(quoted) } else { Cow::Owned(format!("\"{}\"", mark(quoted.len()))) };
    };
    match mask_value(&mut value, Scope::default()) {
        0 => Cow::Borrowed(quoted),
        _ => Cow::Owned(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_as_in_an_event() {
        let manifest = r#"{\"kind\":\"Secret\",\"data\":{\"pw\":\"aHVudGVyMg==\"}}"#;
        for line in [
            format!(r#"time="2025-01-21T12:17:17Z" level=info msg="{manifest}" application=a"#),
            r#"time="2025-01-21T12:17:17Z" level=info msg="cloning https://bob:aHVudGVyMg==@git.example.com/a""#.to_owned(),
            r#"time="2025-01-21T12:17:17Z" level=info msg=x password=aHVudGVyMg=="#.to_owned(),
            "2026-04-15T11:09:07Z\tDEBUG\tevents\tmsg\t{\"object\": {\"kind\":\"Secret\",\"data\":{\"a\":\"aHVudGVyMg==\"}}}".to_owned(),
            "2026-04-15T11:09:07Z\tDEBUG\tevents\tmsg\t{\"token\": \"aHVudGVyMg==\", \"cut".to_owned(),
            "time=\"x\" msg=\"\\x1baHVudGVyMg==\"".to_owned(),
        ] {
            let shown = masked(&line).expect("a log line");
            assert!(!shown.contains("aHVudGVyMg"), "{shown}");
            assert!(shown.contains("masked"), "{shown}");
            // A manifest leaves one mark of the whole line.
            let again = masked(&shown);
            assert!(again.is_none_or(|again| again == shown), "masking twice changes nothing");
        }
    }

    #[test]
    fn what_holds_nothing_stays_as_it_is() {
        for line in [
            r#"time="2025-01-21T12:17:17Z" level=info msg="alice initiated sync to HEAD (e719c0e)" application=novelapp user=alice"#,
            "2026-04-15T11:09:07Z\tDEBUG\tevents\ta05144a0\t{\"type\": \"Normal\", \"reason\": \"GotNewCommit\"}",
            r#"2018-03-21T21:47:07.603214Z AUDIT: id="c939d2a7" stage="ResponseComplete" user="bob" uri="/api/v1/pods""#,
        ] {
            assert!(matches!(masked(line), Some(Cow::Borrowed(_))), "{line}");
        }
        for other in ["hunter2", "{\"a\":1}", "\"time=\"", "a time=\"x\"", ""] {
            assert_eq!(masked(other), None, "{other}");
        }
    }
}

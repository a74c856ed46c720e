//! Damage of every kind in every envelope: no panic, no more memory than the text is worth, no good line lost.
//!
//! `PROPTEST_CASES` says how many cases each property is tried with; hours are well spent here.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{FILES, Heard, data, heard};

/// What is handed out is never much more than what was read: the most is a text of an envelope's cut event told with
/// three bytes for each that cannot be decoded, in each of a few layers.
fn check_bounds(text: &[u8], found: &Heard) -> Result<(), TestCaseError> {
    let events: usize = found.events.iter().map(|event| event.text.len()).sum();
    let unreadable: usize = found.unreadable.iter().map(|(_, text)| text.len()).sum();
    prop_assert!(events + unreadable <= 4 * text.len() + 4096, "{events} + {unreadable} of {}", text.len());
    Ok(())
}

/// Beginnings and ends of envelopes around whatever is tried.
const FRAMES: &[(&str, &str)] = &[
    ("2016-10-06T00:17:09.669794202Z stdout F ", ""),
    ("2016-10-06T00:17:09.669794202Z stdout P ", ""),
    ("{\"log\":\"", "\\n\",\"stream\":\"stdout\",\"time\":\"2016-10-20T18:39:20Z\"}"),
    ("{\"log\":\"", "\",\"stream\":\"stderr\",\"time\":\"2016-10-20T18:39:20Z\"}"),
    ("{\"__CURSOR\":\"x\",\"MESSAGE\":\"", "\"}"),
    ("{\"__CURSOR\":\"x\",\"MESSAGE\":[", "]}"),
    ("Jun 06 16:51:26 host k3s[1234]: {\"", ""),
    ("<134>1 2024-01-01T00:00:00.000Z host app 12 - - {\"", ""),
    ("[pod/a/b] {\"", ""),
    ("{\"kind\":\"EventList\",\"items\":[", "]}"),
    ("{\"events\":[{\"message\":\"", "\"}]}"),
    ("{\"results\":[[{\"field\":\"@message\",\"value\":\"", "\"}]]}"),
    ("{\"records\":[{\"properties\":{\"log\":", "}}]}"),
    (
        "{\"protoPayload\":{\"serviceName\":\"k8s.io\",\"methodName\":\"",
        "\",\"resourceName\":\"core/v1/pods\"}}",
    ),
    ("{\"protoPayload\":{\"serviceName\":\"k8s.io\",\"status\":{\"code\":", "}}}"),
    ("{\"data\":{\"result\":[{\"values\":[[\"1\",\"", "\"]]}]}}"),
    ("{\"streams\":[{\"values\":[", "]}]}"),
    ("{\"labels\":{},\"line\":\"", "\"}"),
    ("{\"hits\":{\"hits\":[{\"_source\":{", "}}]}}"),
    ("{\"_source\":{\"kubernetes\":{\"audit\":{\"annotations\":{", "}}}}}"),
    ("{\"fields\":{\"kubernetes.audit.", "\":[\"x\"],\"kubernetes.audit.verb\":[\"get\"]}}"),
    ("{\"date\":1.5,\"log\":\"", "\"}"),
    ("[0] tag: [[1.0, {}], {\"log\"=>\"{\"", "\"}]"),
    ("{\"source_type\":\"file\",\"message\":\"", "\"}"),
    ("{\"offset\":0,\"result\":{\"_raw\":\"", "\"}}"),
    ("2026-01-14,\"{\"\"", "\",x"),
    ("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":", "}}]}]}]}"),
    ("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"", "\"}}]}]}]}"),
];

/// Bytes, with a good share of what JSON is made of.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        proptest::sample::select(vec![
            "{\"",
            "\"}",
            "\\\"",
            "\":",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\\",
            "\\u00",
            "\n",
            "\0",
            "12",
            "{\"kind\":\"Event\","
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        proptest::sample::select(FRAMES.to_vec()).prop_map(|(before, _)| before.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_envelope(inner in any_text(), (before, after) in proptest::sample::select(FRAMES.to_vec()), times in 1usize..4) {
        let line = [before.as_bytes(), &inner, after.as_bytes(), b"\n"].concat();
        let text = line.repeat(times);
        check_bounds(&text, &heard(&text))?;
        // The same as text in a line of Docker's.
        let escaped = serde_json::json!({"log": String::from_utf8_lossy(&text), "stream": "stdout", "time": "x"}).to_string();
        check_bounds(escaped.as_bytes(), &heard(escaped.as_bytes()))?;
    }

    #[test]
    fn damaged_files_never_panic_and_never_lose_a_good_line(
        file in any::<Index>(),
        damage in proptest::collection::vec((any::<Index>(), 0usize..4, any_text()), 1..8),
    ) {
        let (name, _) = file.get(FILES);
        let mut text = data(name);
        for (at, kind, bytes) in &damage {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match kind {
                0 => text[at] = bytes.first().copied().unwrap_or(b'"'),
                1 => drop(text.drain(at..(at + 1 + bytes.len()).min(text.len()))),
                2 => drop(text.splice(at..at, bytes.iter().copied())),
                _ => text.truncate(at.max(1)),
            }
        }
        let native = data("native.jsonl");
        text.push(b'\n');
        let length = text.len();
        text.extend_from_slice(&native);
        let found = heard(&text);
        check_bounds(&text, &found)?;
        for line in native.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            prop_assert!(found.events.iter().any(|event| event.text == line), "{} of {length}", name);
        }
    }
}

//! OpenTelemetry's logs in OTLP/JSON, as the collector's file exporter writes them: `{"resourceLogs":[{"scopeLogs":
//! [{"logRecords":[{"body":{"stringValue":"{…}"}}]}]}]}` (opentelemetry-proto, logs/v1/logs.proto, in the JSON mapping
//! of the OTLP specification). A body that a parser has taken apart is a `kvlistValue`, which is put together again.

use serde_json::{Map, Value};

use super::super::members::{Members, elements, member, string};
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the body of each record of the array that `members` stands at.
pub(super) fn open(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let read = members.elements(|resource| {
        // What is inside of an element is whole, since that was stepped over.
        let _ = elements(member(resource, b"scopeLogs").unwrap_or_default(), |scope| {
            let _ = elements(member(scope, b"logRecords").unwrap_or_default(), |record| {
                if let Some(body) = member(record, b"body") {
                    found |= hand_on(body, take);
                }
            });
        });
    });
    hand_on_cut(Envelope::OpenTelemetry, read, found, take);
    found.then(|| members.end())
}

fn hand_on(body: &[u8], take: &mut Take<'_>) -> bool {
    if let Some(text) = member(body, b"stringValue").and_then(string) {
        take(Envelope::OpenTelemetry, Inner::Message(&text));
        return true;
    }
    if member(body, b"kvlistValue").is_none() {
        return false;
    }
    // serde_json goes 128 levels deep at most, and so does what follows.
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    let event = plain(&value).to_string();
    take(Envelope::OpenTelemetry, Inner::Rewritten(event.as_bytes()));
    true
}

/// A value of OTLP as plain JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    let items = || inner.get("values").and_then(Value::as_array).into_iter().flatten();
    match kind.as_str() {
        // 64-bit numbers are text in the JSON mapping of protocol buffers.
        "intValue" => match inner.as_str().and_then(|digits| digits.parse::<i64>().ok()) {
            Some(number) => number.into(),
            None => inner.clone(),
        },
        "arrayValue" => items().map(plain).collect(),
        "kvlistValue" => {
            let member = |item: &Value| {
                let key = item.get("key").and_then(Value::as_str)?;
                Some((key.to_owned(), item.get("value").map_or(Value::Null, plain)))
            };
            Value::Object(items().filter_map(member).collect::<Map<_, _>>())
        }
        _ => inner.clone(),
    }
}

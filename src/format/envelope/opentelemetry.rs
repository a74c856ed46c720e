//! OpenTelemetry's logs in OTLP/JSON, as the collector's file exporter writes them: `{"resourceLogs":[{"scopeLogs":
//! [{"logRecords":[{"body":{"stringValue":"{…}"}}]}]}]}` (opentelemetry-proto, logs/v1/logs.proto, in the JSON mapping
//! of the OTLP specification). A body that a parser has taken apart is a `kvlistValue`, which is put together again.

use serde_json::{Map, Value};

use super::super::members::Members;
use super::super::unescape::Decoded;
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the body of each record of the array that `members` stands at.
pub(super) fn open(members: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let read = lists(members, &[b"scopeLogs", b"logRecords"], &mut |record| {
        while let Some(key) = record.next_key() {
            if key == b"body" && record.at_object() {
                return hand_on(record, scratch, take).inspect(|()| found = true).is_some();
            }
        }
        false
    });
    hand_on_cut(Envelope::OpenTelemetry, read, found, take);
    found.then(|| members.end())
}

/// Walks through the array that `members` stands at, and in each of its objects through the lists under `keys`.
fn lists<'a>(
    members: &mut Members<'a>,
    keys: &[&[u8]],
    each: &mut dyn FnMut(&mut Members<'a>) -> bool,
) -> Result<(), &'a [u8]> {
    let Some((list, deeper)) = keys.split_first() else { return members.each_object(each) };
    let mut cut = Ok(());
    members.each_object(|object| {
        while let Some(key) = object.next_key() {
            if key == *list && object.at_array() {
                cut = lists(object, deeper, each);
            }
        }
        // Where the break is, is told by the innermost list.
        true
    })?;
    cut
}

fn hand_on(record: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<()> {
    let body = record.rest();
    match record.inside(|body| match body.next_key()? {
        b"stringValue" => Some(body.text_into(scratch)),
        b"kvlistValue" => Some(false),
        _ => None,
    })? {
        true => take(Envelope::OpenTelemetry, Inner::Message(scratch)),
        false => {
            let length = body.len() - record.rest().len();
            // serde_json goes 128 levels deep at most, and so does what follows.
            let value = serde_json::from_slice::<Value>(&body[..length]).ok()?;
            let event = plain(&value).to_string();
            take(Envelope::OpenTelemetry, Inner::Rewritten(event.as_bytes()));
        }
    }
    Some(())
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

//! Elasticsearch documents, and the field names of Elastic Agent.
//!
//! * answers of `_search`: `{"hits":{"hits":[{"_index":…,"_source":{…}}]}}`; elasticdump: `{"_index","_id","_source"}`
//! * Elastic Agent's Kubernetes integration: `{"kubernetes":{"audit":{…event…}},"@timestamp":…}`, in `event.original`
//!   the line as it was. Its pipeline puts `_` for `.` in the keys of annotations (elastic/integrations,
//!   packages/kubernetes/data_stream/audit_logs, default.yml), which is undone here: the part before the slash is a
//!   domain name and holds no `_` of its own.
//! * the same flattened, `"kubernetes.audit.verb":"get"`, and in `fields` with each value in an array
//! * Filebeat without the integration has the line in `message`, see [`super::field`].

use serde_json::{Map, Value};

use super::super::members::{Members, member};
use super::super::unescape::Decoded;
use super::rewrite::Object;
use super::{Envelope, Inner, Take, hand_on_cut};

const FLAT: &str = "kubernetes.audit.";

/// Fields whose value is an array in the event, too.
const ARRAYS: [&str; 3] = ["sourceIPs", "user.groups", "impersonatedUser.groups"];

/// Deeper than any path that Elasticsearch takes in (`index.mapping.depth.limit`, 20).
const MAX_DEPTH: usize = 20;

/// Hands on the sources of the hits of an answer, at whose `hits` `members` stands.
pub(super) fn hits(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let mut inside = Members::of(members.rest());
    while let Some(key) = inside.next_key() {
        if key == b"hits" && inside.at_array() {
            let read = inside.elements(|hit| {
                if let Some(source) = member(hit, b"_source").or_else(|| member(hit, b"fields")) {
                    found = true;
                    take(Envelope::Elastic, Inner::Message(source));
                }
            });
            hand_on_cut(Envelope::Elastic, read, found, take);
            break;
        }
    }
    found.then(|| members.end())
}

/// Whether the member `event` that `members` stands at has a line in `original`, which is in `line` then.
pub(super) fn original(members: &mut Members<'_>, line: &mut Decoded) -> bool {
    members.inside(|event| {
        while let Some(key) = event.next_key() {
            if key == b"original" {
                return event.rest().starts_with(b"\"{") && event.text_into(line);
            }
        }
        false
    })
}

/// The event in `kubernetes.audit`, of the member `kubernetes` that `members` stands at.
pub(super) fn audit<'a>(members: &mut Members<'a>) -> Option<&'a [u8]> {
    members.inside(|kubernetes| {
        while kubernetes.next_key()? != b"audit" {}
        if kubernetes.at_object() { kubernetes.raw() } else { None }
    })
}

/// Hands on the event that stood in `kubernetes.audit`.
pub(super) fn hand_on(audit: &[u8], take: &mut Take<'_>) {
    match restored(audit) {
        Some(event) => take(Envelope::Elastic, Inner::Rewritten(&event)),
        None => take(Envelope::Elastic, Inner::Message(audit)),
    }
}

/// Hands on what a document has under `_source` or `fields`, or the event whose fields it has flattened.
pub(super) fn document(document: &[u8], take: &mut Take<'_>) -> Option<usize> {
    let mut flat = Map::new();
    let mut members = Members::of(document);
    while let Some(key) = members.next_key() {
        if matches!(key, b"_source" | b"fields") && members.at_object() {
            take(Envelope::Elastic, Inner::Message(members.raw()?));
            return Some(members.end());
        }
        let path = std::str::from_utf8(key).ok().and_then(|key| key.strip_prefix(FLAT));
        if let (Some(path), Some(value)) = (path, members.raw()) {
            insert(&mut flat, path, value);
        }
    }
    if flat.is_empty() {
        return None;
    }
    let event = Value::Object(flat).to_string();
    let restored = restored(event.as_bytes());
    take(Envelope::Elastic, Inner::Rewritten(restored.as_deref().unwrap_or(event.as_bytes())));
    Some(members.end())
}

/// The event with its annotations under their own keys; `None` where they are.
fn restored(event: &[u8]) -> Option<Vec<u8>> {
    let mut outer = Members::of(event);
    while outer.next_key()? != b"annotations" {}
    let start = event.len() - outer.rest().len();
    let annotations = outer.raw()?;
    let mut object = Object::new();
    let mut changed = false;
    let mut members = Members::of(annotations);
    while let Some(key) = members.next_key() {
        let key = std::str::from_utf8(key).ok()?;
        let own = match key.split_once('/') {
            Some((domain, name)) if domain.contains('_') => {
                changed = true;
                format!("{}/{name}", domain.replace('_', "."))
            }
            _ => key.to_owned(),
        };
        object.raw(&own, members.raw()?);
    }
    if !changed || !members.is_complete() {
        return None;
    }
    let (before, after) = (&event[..start], &event[start + annotations.len()..]);
    Some([before, &object.finish(), after].concat())
}

/// Puts the value of a flattened field into its place.
fn insert(event: &mut Map<String, Value>, path: &str, value: &[u8]) {
    let Ok(mut value) = serde_json::from_slice::<Value>(value) else { return };
    if let Value::Array(items) = &mut value
        && items.len() == 1
        && !ARRAYS.contains(&path)
        && !path.contains(".extra.")
    {
        value = items.remove(0);
    }
    let keys: Vec<&str> = match path.split_once('.') {
        // Keys of annotations may hold anything.
        Some(("annotations", key)) => vec!["annotations", key],
        _ => path.splitn(MAX_DEPTH, '.').collect(),
    };
    let Some((last, parents)) = keys.split_last() else { return };
    let mut object = event;
    for parent in parents {
        let inner = object.entry(*parent).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        object = inner;
    }
    object.insert((*last).to_owned(), value);
}

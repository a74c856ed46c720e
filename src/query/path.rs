//! Places in a record's text: how a path leads to values in the bodies, and what is found there. The text is walked as
//! it stands, without a tree of it being built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::syntax::{Body, Step, Target};
use crate::redact;

/// What stands at the end of a path.
#[derive(Debug)]
pub(super) enum Leaf<'a> {
    /// A text, decoded, or a number or boolean as it is written.
    Scalar(Cow<'a, str>),
    /// An object, as it is written.
    Structure(&'a str),
}

/// What a record's line says at an annotation or a place in the bodies: each value as text, objects as JSON. Secret
/// values are masked unless `revealed`. Nothing for a field, which is no place in the text.
pub fn values_at(target: &Target, line: &[u8], revealed: bool) -> Vec<String> {
    let found = texts_at(target, line);
    // Masking takes the whole line apart; most lines have nothing at most places.
    if revealed || found.is_empty() { found } else { texts_at(target, redact::masked_json(line).as_bytes()) }
}

fn texts_at(target: &Target, line: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut keep = |leaf: &Leaf<'_>| {
        found.push(match leaf {
            Leaf::Scalar(text) => text.clone().into_owned(),
            Leaf::Structure(text) => (*text).to_owned(),
        });
    };
    match target {
        Target::Field(_) | Target::Exactly(_) => {}
        Target::Annotation(key) => at_annotation(line, key, &mut keep),
        Target::Body(path) => at_path(line, path.body, &path.steps, &mut keep),
    }
    found
}

/// Visits the annotation with this key.
pub(super) fn at_annotation(line: &[u8], key: &str, visit: &mut dyn FnMut(&Leaf<'_>)) {
    if let Some(annotations) = member(line, "annotations") {
        walk(annotations, &[Step::Key(key.to_owned())], visit);
    }
}

/// Visits every place in the bodies that the steps lead to.
pub(super) fn at_path(line: &[u8], body: Body, steps: &[Step], visit: &mut dyn FnMut(&Leaf<'_>)) {
    let members: &[&str] = match body {
        Body::Request => &["requestObject"],
        Body::Response => &["responseObject"],
        Body::Either => &["requestObject", "responseObject"],
    };
    for name in members {
        if let Some(body) = member(line, name) {
            walk(body, steps, visit);
        }
    }
}

/// The last member of an object that has this key.
fn member<'a>(object: &'a [u8], key: &str) -> Option<&'a RawValue> {
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    deserializer.deserialize_any(Member { key }).ok().flatten()
}

/// Visits every place that the steps lead to.
fn walk(value: &RawValue, steps: &[Step], visit: &mut dyn FnMut(&Leaf<'_>)) {
    let text = value.get();
    match (steps.split_first(), text.as_bytes().first()) {
        (None, Some(b'{')) => visit(&Leaf::Structure(text)),
        // A path that ends at an array means its elements.
        (None, Some(b'[')) => elements(text, &mut |element| walk(element, &[], visit)),
        (None, Some(b'"')) => {
            if let Ok(text) = serde_json::from_str::<Cow<'_, str>>(text) {
                visit(&Leaf::Scalar(text));
            }
        }
        (None, Some(b'n') | None) => {}
        (None, Some(_)) => visit(&Leaf::Scalar(Cow::Borrowed(text))),
        (Some((Step::Key(key), rest)), Some(b'{')) => {
            if let Some(value) = member(text.as_bytes(), key) {
                walk(value, rest, visit);
            }
        }
        (Some((Step::Key(_), _)), Some(b'[')) => elements(text, &mut |element| walk(element, steps, visit)),
        (Some((Step::Any, rest)), Some(b'[')) => elements(text, &mut |element| walk(element, rest, visit)),
        (Some((Step::Index(index), rest)), Some(b'[')) => {
            let mut at = 0u32;
            elements(text, &mut |element| {
                if at == *index {
                    walk(element, rest, visit);
                }
                at = at.saturating_add(1);
            });
        }
        _ => {}
    }
}

fn elements(array: &str, visit: &mut dyn FnMut(&RawValue)) {
    // What is broken behind the elements that were visited changes nothing about them.
    let _ = serde_json::Deserializer::from_str(array).deserialize_seq(Elements(visit));
}

struct Member<'k> {
    key: &'k str,
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.key {
                found = Some(map.next_value::<&'de RawValue>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Elements<'v>(&'v mut dyn FnMut(&RawValue));

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            (self.0)(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse_target;

    #[test]
    fn values_are_told_as_text() {
        let line =
            br#"{"annotations":{"a.b/c":"d"},"requestObject":{"kind":"Secret","n":[1,true,null,"x\u0041"],
            "o":{"p":1},"data":{"k":"aHVudGVyMg=="}}}"#;
        let at = |place: &str, revealed| values_at(&parse_target(place).unwrap(), line, revealed);
        assert_eq!(at("annotation.a.b/c", false), ["d"]);
        assert_eq!(at("request.n", false), ["1", "true", "xA"]);
        assert_eq!(at("body.o", true), [r#"{"p":1}"#]);
        assert_eq!(at("request.data.k", true), ["aHVudGVyMg=="]);
        assert!(at("request.data.k", false)[0].contains("masked"));
        assert!(at("response.n", false).is_empty() && at("user", false).is_empty());
        assert!(values_at(&parse_target("request.n").unwrap(), b"AUDIT: id=1", false).is_empty());
    }
}

//! The keys and values of one log line, however they are written: a JSON object, logfmt, or a line of zap's console.
//!
//! What the readers of controllers' logs ([`super::controller`]) look into. Nothing is decoded before it is asked for,
//! since nearly all lines of such a log tell of no change and are told by a few keys.

mod console;
mod logfmt;

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{Micros, parse_rfc3339};

pub(super) use console::read as read_console;
pub(super) use logfmt::read as read_logfmt;

/// How far into a line such a line may begin: behind the name of a pod and a container, or a shipper's time.
const LONGEST_PREFIX: usize = 512;

/// Where a line of logfmt, or of zap's console, begins in a line of text.
pub(super) fn find_text(line: &[u8]) -> Option<usize> {
    let looked_at = &line[..line.len().min(LONGEST_PREFIX)];
    let (logfmt, console) = (logfmt::find(looked_at), console::find(looked_at));
    logfmt.into_iter().chain(console).min()
}

/// A value as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Written<'a> {
    /// Text, decoded.
    Text(Cow<'a, str>),
    /// JSON of any type.
    Json(&'a str),
}

/// The fields of a line in their order. A key that stands twice has its last value, as encoders of JSON have it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Written<'a>)>,
}

impl<'a> Fields<'a> {
    /// The members of a JSON object; `None` for anything else.
    pub(super) fn of_json(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn push_text(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.members.push((key.into(), Written::Text(value.into())));
    }

    fn written(&self, key: &str) -> Option<&Written<'a>> {
        self.members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.written(key).is_some()
    }

    /// Whether any key passes.
    pub(super) fn has_key(&self, test: impl Fn(&str) -> bool) -> bool {
        self.members.iter().any(|(name, _)| test(name))
    }

    /// A string; empty where the key is absent or its value is none.
    pub(super) fn text(&self, key: &str) -> Cow<'_, str> {
        match self.written(key) {
            Some(Written::Text(text)) => Cow::Borrowed(text),
            Some(Written::Json(json)) => json_text(json),
            None => Cow::Borrowed(""),
        }
    }

    /// The first of these keys that holds a string with something in it.
    pub(super) fn first_text(&self, keys: &[&str]) -> Cow<'_, str> {
        keys.iter().map(|key| self.text(key)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// A value as JSON. A string that holds JSON itself is read: logfmt has no other way to write an object.
    pub(super) fn json(&self, key: &str) -> Option<Value> {
        match self.written(key)? {
            Written::Json(json) => match serde_json::from_str(json).ok()? {
                Value::String(text) => Some(nested(&text).unwrap_or(Value::String(text))),
                value => Some(value),
            },
            Written::Text(text) => {
                Some(nested(text).unwrap_or_else(|| Value::String(text.clone().into_owned())))
            }
        }
    }

    /// A whole number, or the digits of one.
    pub(super) fn number(&self, key: &str) -> Option<i64> {
        match self.written(key)? {
            Written::Text(text) => text.parse().ok(),
            Written::Json(json) => json.trim_matches('"').parse().ok(),
        }
    }

    /// A moment: RFC 3339 in a string, or seconds since 1970, with or without a fraction.
    pub(super) fn moment(&self, key: &str) -> Option<Micros> {
        /// The year 9999: beyond it, a number is no count of seconds.
        const LATEST: f64 = 253_402_300_800.0;
        let number = match self.written(key)? {
            Written::Text(text) => return parse_rfc3339(text.as_bytes()),
            Written::Json(json) if json.starts_with('"') => return parse_rfc3339(json_text(json).as_bytes()),
            Written::Json(json) => json.parse::<f64>().ok()?,
        };
        (number > 0.0 && number < LATEST).then(|| (number * 1e6).round() as Micros)
    }

    /// All of it as a JSON object.
    pub(super) fn to_value(&self) -> Value {
        let value = |written: &Written<'_>| match written {
            Written::Text(text) => Value::String(text.clone().into_owned()),
            Written::Json(json) => serde_json::from_str(json).unwrap_or(Value::Null),
        };
        Value::Object(self.members.iter().map(|(key, written)| (key.to_string(), value(written))).collect())
    }
}

/// The object or array that a text is.
fn nested(text: &str) -> Option<Value> {
    text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

/// The string that a JSON value is; empty for another.
fn json_text(json: &str) -> Cow<'_, str> {
    let Some(inside) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed("");
    };
    if inside.contains('\\') {
        return serde_json::from_str::<String>(json).map_or(Cow::Borrowed(""), Cow::Owned);
    }
    Cow::Borrowed(inside)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    let json = map.next_value::<&'de RawValue>()?.get();
                    fields.members.push((key.0, Written::Json(json)));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A key, borrowed where nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_begins_first_counts_and_none_that_begins_far_in() {
        let both = b"pod 2026-04-15T11:09:07Z\tINFO\tran time=\"x\"";
        assert_eq!((find_text(both), find_text(b"a time=\"x\"")), (Some(4), Some(2)));
        assert_eq!(find_text(format!("{}time=\"", " ".repeat(LONGEST_PREFIX)).as_bytes()), None);
    }

    #[test]
    fn values_of_json_are_decoded_when_asked_for() {
        let line = r#"{"a":"x\ny","b":[1,2],"c":"{\"d\":1}","n":17,"s":"18","e\u0041":true,"a":"z","t":1700000000.5}"#;
        let fields = Fields::of_json(line).unwrap();
        assert_eq!(
            (fields.text("a"), fields.text("b"), fields.text("none")),
            ("z".into(), "".into(), "".into())
        );
        assert_eq!(fields.json("c").unwrap()["d"], 1);
        assert_eq!((fields.number("n"), fields.number("s"), fields.number("a")), (Some(17), Some(18), None));
        assert!(fields.has("eA") && !fields.has("A"));
        assert_eq!(fields.moment("t"), Some(1_700_000_000_500_000));
        assert_eq!((fields.moment("n"), fields.moment("b")), (Some(17_000_000), None));
        assert_eq!(fields.to_value()["b"][1], 2);
        assert_eq!(fields.first_text(&["none", "b", "s"]), "18");
        assert_eq!(Fields::of_json("[1]"), None);
    }
}

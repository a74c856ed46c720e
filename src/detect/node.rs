//! A JSON value of an event, made for being looked at once: [`super::path`] and [`super::matcher`] read it.
//!
//! What `serde_json::Value` spends most of its time on in this crate is hashing the keys of objects to keep their order.
//! Nobody here looks up more than a few of them, and a list does for that.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON value.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Node {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(Box<str>),
    Array(Vec<Node>),
    Object(Members),
}

/// The members of an object, as they are written, each key once.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Members(Vec<(Box<str>, Node)>);

impl Members {
    /// The member of this name.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| **known == *key).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }
}

impl Node {
    /// An object with one member.
    pub(super) fn with(key: &str, value: Node) -> Node {
        Node::Object(Members(vec![(key.into(), value)]))
    }

    /// The member of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.as_object()?.get(key)
    }

    pub(super) fn as_object(&self) -> Option<&Members> {
        match self {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        *self == Node::Null
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Node {
        match value {
            Value::Null => Node::Null,
            Value::Bool(is) => Node::Bool(is),
            Value::Number(number) => Node::Number(number),
            Value::String(text) => Node::String(text.into()),
            Value::Array(members) => Node::Array(members.into_iter().map(Node::from).collect()),
            Value::Object(members) => {
                let member = |(key, value): (String, Value)| (key.into(), Node::from(value));
                Node::Object(Members(members.into_iter().map(member).collect()))
            }
        }
    }
}

impl From<&Node> for Value {
    fn from(node: &Node) -> Value {
        match node {
            Node::Null => Value::Null,
            Node::Bool(is) => Value::Bool(*is),
            Node::Number(number) => Value::Number(number.clone()),
            Node::String(text) => Value::from(&**text),
            Node::Array(members) => members.iter().map(Value::from).collect(),
            Node::Object(members) => {
                members.iter().map(|(key, member)| (key.to_owned(), Value::from(member))).collect()
            }
        }
    }
}

#[cfg(test)]
impl PartialEq<Value> for Node {
    fn eq(&self, value: &Value) -> bool {
        let own = Value::from(self);
        own == *value
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

fn has_equal_keys(members: &[(Box<str>, Node)]) -> bool {
    /// Up to so many keys are compared with each other, which is quicker than hashing them.
    const FEW: usize = 24;
    if members.len() <= FEW {
        return members
            .iter()
            .enumerate()
            .any(|(at, (key, _))| members[..at].iter().any(|(other, _)| other == key));
    }
    let mut seen = HashSet::with_capacity(members.len());
    !members.iter().all(|(key, _)| seen.insert(&**key))
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Node, E> {
        Ok(Node::Bool(is))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::String(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(element) = elements.next_element()? {
            members.push(element);
        }
        Ok(Node::Array(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(Box<str>, Node)> = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        if has_equal_keys(&members) {
            // The last one counts, as for the API server's own parser.
            let mut seen = HashSet::new();
            let is_last: Vec<bool> = members.iter().rev().map(|(key, _)| seen.insert(key.clone())).collect();
            let mut is_last = is_last.into_iter().rev();
            members.retain(|_| is_last.next() == Some(true));
        }
        Ok(Node::Object(Members(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            r#"{"a":[1,-2,2.5,true,false,null,"x\ny",{}],"b":{"c":"d"},"e":18446744073709551615}"#,
            "[]",
            "\"\\u00e4\"",
            "null",
        ] {
            let read: Node = serde_json::from_str(text).expect("JSON");
            let value: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(read, Node::from(value.clone()));
            assert_eq!(Value::from(&read), value);
        }
        assert!(serde_json::from_str::<Node>("{\"a\":}").is_err());
        let twice: Node = serde_json::from_str(r#"{"a":1,"a":2}"#).expect("JSON");
        assert_eq!(twice.get("a"), Some(&Node::Number(2.into())), "the last of equal keys");
        let keys = |count: usize| (0..count).map(|n| format!("\"k{n}\":{n},")).collect::<String>();
        for count in [3, 100] {
            let many: Node =
                serde_json::from_str(&format!("{{{}\"k1\":\"last\"}}", keys(count))).expect("JSON");
            let members = many.as_object().expect("an object");
            assert_eq!(members.iter().count(), count, "each key once");
            assert_eq!(members.get("k1").and_then(Node::as_str), Some("last"));
        }
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(serde_json::from_str::<Node>(&deep).is_err(), "too deep");
    }
}

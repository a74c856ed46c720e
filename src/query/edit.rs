//! Changing a filter by key: include, exclude or keep only the value under the cursor.

use super::fields::FieldName;
use super::syntax::{Expression, Node, Target, Term, Value};

/// What a key does with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Show it: one more value of a field that is asked for, else one more condition.
    Include,
    /// Leave it out.
    Exclude,
    /// Ask for nothing else of this field.
    Only,
}

/// The filter with one value of one field included, excluded or made the only one.
pub fn with_value(expression: &Expression, field: FieldName, text: &str, change: Change) -> Expression {
    let mut parts: Vec<Node> = match &expression.root {
        None => Vec::new(),
        Some(Node::And(parts)) => parts.clone(),
        Some(other) => vec![other.clone()],
    };
    let value = Value::exactly(text);
    let has_value = |node: &Node| matches!(node, Node::Term(t) if is_of(t, field));
    let is_exclusion = |node: &Node| matches!(node, Node::Not(inner) if has_value(inner));
    match change {
        Change::Only => {
            parts.retain(|part| !has_value(part) && !is_exclusion(part));
            parts.push(term(field, value));
        }
        Change::Include => {
            for part in &mut parts {
                if let Node::Not(inner) = part {
                    take_out(inner, field, &value);
                }
            }
            parts.retain(|part| !matches!(part, Node::Not(inner) if is_empty(inner)));
            match parts.iter_mut().find(|part| has_value(part)) {
                Some(Node::Term(existing)) if !existing.values.contains(&value) => {
                    existing.values.push(value)
                }
                Some(_) => {}
                None => parts.push(term(field, value)),
            }
        }
        Change::Exclude => {
            for part in &mut parts {
                take_out(part, field, &value);
            }
            parts.retain(|part| !is_empty(part));
            match parts.iter_mut().find(|part| is_exclusion(part)) {
                Some(Node::Not(inner)) => {
                    if let Node::Term(existing) = &mut **inner
                        && !existing.values.contains(&value)
                    {
                        existing.values.push(value);
                    }
                }
                _ => parts.push(Node::Not(Box::new(term(field, value)))),
            }
        }
    }
    let root = if parts.len() > 1 { Some(Node::And(parts)) } else { parts.pop() };
    Expression { root }
}

fn term(field: FieldName, value: Value) -> Node {
    Node::Term(Term { target: Some(Target::Field(field)), regex: false, values: vec![value] })
}

fn is_of(term: &Term, field: FieldName) -> bool {
    term.target == Some(Target::Field(field)) && !term.regex
}

fn take_out(node: &mut Node, field: FieldName, value: &Value) {
    if let Node::Term(term) = node
        && is_of(term, field)
    {
        term.values.retain(|v| v != value);
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(node, Node::Term(term) if term.values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    #[test]
    fn keys_edit_the_question() {
        let edit = |text: &str, field, value: &str, change| {
            with_value(&parse(text).unwrap(), field, value, change).to_string()
        };
        let user = FieldName::User;
        assert_eq!(edit("", user, "alice", Change::Include), "user:alice");
        assert_eq!(edit("user:alice ns:prod", user, "bob", Change::Include), "user:alice,bob ns:prod");
        assert_eq!(edit("user:alice ns:prod", user, "alice", Change::Include), "user:alice ns:prod");
        assert_eq!(edit("a or b", user, "bob", Change::Exclude), "(a or b) -user:bob");
        assert_eq!(edit("-user:bob", user, "alice", Change::Exclude), "-user:bob,alice");
        assert_eq!(edit("user:alice,bob", user, "bob", Change::Exclude), "user:alice -user:bob");
        assert_eq!(edit("-user:bob ns:prod", user, "bob", Change::Include), "ns:prod user:bob");
        assert_eq!(edit("user:a -user:b ns:prod", user, "c", Change::Only), "ns:prod user:c");
        assert_eq!(edit("", user, "CN=a,O=b", Change::Only), "user:\"CN=a,O=b\"");
    }
}

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

/// The filter with one value of one field (or place) included, excluded or made the only one.
pub fn with_value(
    expression: &Expression,
    target: impl Into<Target>,
    text: &str,
    change: Change,
) -> Expression {
    let target = &target.into();
    let mut parts: Vec<Node> = match &expression.root {
        None => Vec::new(),
        Some(Node::And(parts)) => parts.clone(),
        Some(other) => vec![other.clone()],
    };
    let value = Value::exactly(text);
    let has_value = |node: &Node| matches!(node, Node::Term(t) if is_of(t, target));
    let is_exclusion = |node: &Node| matches!(node, Node::Not(inner) if has_value(inner));
    let exactly = target.field().map(Target::Exactly);
    let asks_exactly =
        |node: &Node| matches!(node, Node::Term(t) if t.target == exactly && exactly.is_some());
    match change {
        Change::Only => {
            parts.retain(|part| !has_value(part) && !is_exclusion(part) && !asks_exactly(part));
            parts.push(term(target, value));
        }
        Change::Include => {
            for part in &mut parts {
                if let Node::Not(inner) = part {
                    take_out(inner, target, &value);
                }
            }
            parts.retain(|part| !matches!(part, Node::Not(inner) if is_empty(inner)));
            match parts.iter_mut().find(|part| has_value(part)) {
                Some(Node::Term(existing)) if !existing.values.contains(&value) => {
                    existing.values.push(value)
                }
                Some(_) => {}
                None => parts.push(term(target, value)),
            }
        }
        Change::Exclude => {
            for part in &mut parts {
                take_out(part, target, &value);
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
                _ => parts.push(Node::Not(Box::new(term(target, value)))),
            }
        }
    }
    let root = if parts.len() > 1 { Some(Node::And(parts)) } else { parts.pop() };
    Expression { root }
}

/// The condition that holds for the rows that a group of this value counts, and for no other; the empty value stands
/// for the field's absence.
pub fn condition_for(field: FieldName, value: &str) -> Node {
    term(&Target::Exactly(field), Value::exactly(value))
}

/// The condition that holds for what an identity did, and for what others did as it.
pub fn condition_by_or_as(username: &str) -> Node {
    // Without quotes it would be any way of writing the name.
    term(&FieldName::User.into(), Value { text: username.to_owned(), quoted: true })
}

/// The condition that a field is absent.
pub fn absence_of(field: FieldName) -> Node {
    term(&field.into(), Value::exactly(""))
}

/// The filter that asks for one thing more. What it asks for already is not asked twice.
pub fn with_condition(expression: &Expression, condition: Node) -> Expression {
    let mut conditions = expression.conditions().to_vec();
    if !conditions.contains(&condition) {
        conditions.push(condition);
    }
    Expression::all_of(conditions)
}

fn term(target: &Target, value: Value) -> Node {
    Node::Term(Term { target: Some(target.clone()), regex: false, values: vec![value] })
}

fn is_of(term: &Term, target: &Target) -> bool {
    term.target.as_ref() == Some(target) && !term.regex
}

fn take_out(node: &mut Node, target: &Target, value: &Value) {
    if let Node::Term(term) = node
        && is_of(term, target)
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
    fn conditions_for_one_value_alone() {
        for (condition, written) in [
            (condition_for(FieldName::User, "alice"), "user==alice"),
            (condition_for(FieldName::Reason, "Forbidden"), r#"reason=="Forbidden""#),
            (condition_for(FieldName::Namespace, ""), r#"ns=="""#),
            (condition_for(FieldName::UserAgent, "kubectl/v1.3 (x)"), r#"agent=="kubectl/v1.3 (x)""#),
            (condition_for(FieldName::Object, "/nodes/n1"), "object==/nodes/n1"),
            (condition_by_or_as("alice"), r#"user:"alice""#),
            (absence_of(FieldName::Namespace), r#"ns:"""#),
        ] {
            assert_eq!(condition.to_string(), written);
            assert_eq!(parse(written).unwrap().root, Some(condition), "{written}");
        }
        let once = with_condition(&parse("a b").unwrap(), condition_for(FieldName::Verb, "get"));
        assert_eq!(once.to_string(), "a b verb==get");
        assert_eq!(with_condition(&once, condition_for(FieldName::Verb, "get")), once);
    }

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
        assert_eq!(edit("user==a ns:prod", user, "c", Change::Only), "ns:prod user:c");
        assert_eq!(edit("", user, "CN=a,O=b", Change::Only), "user:\"CN=a,O=b\"");
    }
}

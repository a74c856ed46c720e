//! Whether one filter only takes away from another: typing on mostly does, and then the last result bounds the next.

use super::fields::{FieldKind, FieldName};
use super::syntax::{Expression, Node, Target, Term, Value};

/// Whether every record that passes `narrower` surely passes `wider`. Told from how they are written, so `false` may
/// also mean that it cannot be told.
pub fn narrows(narrower: &Expression, wider: &Expression) -> bool {
    match (&narrower.root, &wider.root) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(narrower), Some(wider)) => implies(narrower, wider),
    }
}

fn implies(narrower: &Node, wider: &Node) -> bool {
    if narrower == wider {
        return true;
    }
    match (narrower, wider) {
        (_, Node::And(parts)) => parts.iter().all(|part| implies(narrower, part)),
        (Node::Or(parts), _) => parts.iter().all(|part| implies(part, wider)),
        (Node::And(parts), _) if parts.iter().any(|part| implies(part, wider)) => true,
        (_, Node::Or(parts)) => parts.iter().any(|part| implies(narrower, part)),
        (Node::Not(narrower), Node::Not(wider)) => implies(wider, narrower),
        (Node::Term(narrower), Node::Term(wider)) => term_implies(narrower, wider),
        _ => false,
    }
}

fn term_implies(narrower: &Term, wider: &Term) -> bool {
    narrower.target == wider.target
        && !narrower.regex
        && !wider.regex
        && narrower
            .values
            .iter()
            .all(|value| wider.values.iter().any(|other| value_implies(&narrower.target, value, other)))
}

fn value_implies(target: &Option<Target>, narrower: &Value, wider: &Value) -> bool {
    if narrower == wider {
        return true;
    }
    // A longer part is found only where each part of it is found.
    let is_part = match target {
        None => true,
        // `no` and the severities are no parts of titles.
        Some(Target::Field(FieldName::Alert)) => false,
        Some(Target::Field(field)) => field.info().kind == FieldKind::Part,
        Some(Target::Exactly(_) | Target::Annotation(_) | Target::Body(_)) => false,
    };
    let plain = |value: &Value| !value.text.is_empty() && (value.quoted || !value.text.contains('*'));
    if !is_part || !plain(narrower) || !plain(wider) {
        return false;
    }
    let any_case = |value: &Value| !value.quoted && !value.text.chars().any(char::is_uppercase);
    match (any_case(narrower), any_case(wider)) {
        (_, true) if narrower.text.is_ascii() && wider.text.is_ascii() => {
            narrower.text.to_ascii_lowercase().contains(&wider.text.to_ascii_lowercase())
        }
        (false, false) => narrower.text.contains(&wider.text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    #[test]
    fn typing_on_narrows() {
        let narrows =
            |narrower: &str, wider: &str| narrows(&parse(narrower).unwrap(), &parse(wider).unwrap());
        for (narrower, wider) in [
            ("a", ""),
            ("novelapp", "novel"),
            ("verb:get novelapp", "verb:get"),
            ("agent:kubectl/v1", "agent:kube"),
            ("text:\"Kube ctl\"", "text:kube"),
            ("user:a", "user:a,b"),
            ("-user:a,b", "-user:a"),
            ("(a or b) c", "a or b or d"),
            ("a b", "(a or x) b"),
            ("-a", "-ab"),
        ] {
            assert!(narrows(narrower, wider), "{narrower} / {wider}");
        }
        for (narrower, wider) in [
            ("", "a"),
            ("user:ali", "user:al"),
            ("agent:k*", "agent:k"),
            ("Kube", "\"kube\""),
            ("a or b", "a"),
            ("-ab", "-a"),
            ("agent~kubectl", "agent~kube"),
            ("code:403", "code:40"),
            ("alert:no", "alert:n"),
            ("alert:highest", "alert:high"),
        ] {
            assert!(!narrows(narrower, wider), "{narrower} / {wider}");
        }
    }
}

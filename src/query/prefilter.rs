//! The literals without which no line can be of a row that an expression asks for, so that `ingest` need not read the
//! others. See [`LineFilter`] for what becomes of them.
//!
//! Leaving a line out must not change which record stands for a request. So a literal counts only when, with one
//! record of a request, the line of the record that stands for it must hold it too. User, verb, URI and auditID are
//! what makes records stages of one request. Object, address, agent and impersonated user are known before the first
//! answer is written, and later stages repeat them (`Context.Event` of `k8s.io/apiserver/pkg/audit` is filled once and
//! written at each stage): only RequestReceived may lack them, and it stands for a request without an answer alone.
//! Only requests to which a client gave one auditID, URI and verb for different objects come apart by it, into the rows
//! that they are.

use super::check::{address, network};
use super::fields::FieldName;
use super::syntax::{Expression, Node, Target, Term, Value};
use crate::format::{LineFilter, Literal};

/// Shorter literals stand in nearly every line.
const SHORTEST: usize = 3;

/// The condition on lines that follows from an expression; `None` where every line must be read.
pub fn prefilter(expression: &Expression) -> Option<LineFilter> {
    LineFilter::new(&groups(expression.root.as_ref()?))
}

/// Any of these must occur.
type Group = Vec<Literal>;

/// Conditions all of which hold for every line of a row that `node` asks for.
fn groups(node: &Node) -> Vec<Group> {
    match node {
        Node::And(parts) => parts.iter().flat_map(groups).collect(),
        Node::Or(parts) => {
            let rarest = |part| groups(part).into_iter().max_by_key(shortest);
            let every: Option<Vec<Group>> = parts.iter().map(rarest).collect();
            every.map(|groups| groups.concat()).into_iter().collect()
        }
        Node::Term(term) => group(term).into_iter().collect(),
        Node::Not(_) => Vec::new(),
    }
}

fn shortest(group: &Group) -> usize {
    group.iter().map(|literal| literal.text.len()).min().unwrap_or(0)
}

/// A literal for each value of a term; `None` when one has none.
fn group(term: &Term) -> Option<Group> {
    let Some(Target::Field(field)) = term.target else { return None };
    if term.regex {
        return None;
    }
    let literals: Option<Vec<Group>> = term.values.iter().map(|value| of_value(field, value)).collect();
    literals.map(|literals| literals.concat())
}

fn of_value(field: FieldName, value: &Value) -> Option<Group> {
    match field {
        FieldName::Verb | FieldName::Namespace | FieldName::Name | FieldName::Subresource => {
            longest_run(&value.text, value.quoted, Column::Whole)
        }
        // Of a name that was found by a part of it, another part may be masked.
        FieldName::User | FieldName::Impersonator | FieldName::ImpersonatedUser => {
            longest_run(&value.text, value.quoted, Column::Part)
        }
        FieldName::UserAgent | FieldName::RequestUri => longest_run(&value.text, value.quoted, Column::Part),
        FieldName::Object => {
            let (rest, name) = value.text.rsplit_once('/')?;
            let namespace = rest.split_once('/').map_or("", |(namespace, _)| namespace);
            let run = |part| longest_run(part, value.quoted, Column::Whole);
            [name, namespace].into_iter().filter_map(run).max_by_key(shortest)
        }
        FieldName::AuditId => {
            // Ids are compared as numbers.
            let mut literals = longest_run(&value.text, value.quoted, Column::Whole)?;
            literals.iter_mut().for_each(|literal| literal.any_case = true);
            Some(literals)
        }
        FieldName::SourceIp => of_address(value),
        _ => None,
    }
}

/// An address of IPv4 may be written as one of IPv6. One of IPv6 may be written in many ways.
fn of_address(value: &Value) -> Option<Group> {
    if network(&value.text).is_some() {
        return None;
    }
    match address(&value.text) {
        None => longest_run(&value.text, value.quoted, Column::Whole),
        Some(address) if address.is_ipv4() && !value.text.contains(':') => Some(vec![
            Literal { text: value.text.clone(), any_case: false, percent_encoded: false },
            Literal { text: ":ffff:".to_owned(), any_case: true, percent_encoded: false },
        ]),
        Some(_) => None,
    }
}

/// How much of a column's string a value without a star is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Whole,
    Part,
}

/// The longest stretch of a value that must stand in a line as it is, with the quote behind it where it is the whole
/// string. Of a string that is more than the value, another
/// part may be masked, and what stands around a mark was decoded and encoded anew.
fn longest_run(text: &str, quoted: bool, column: Column) -> Option<Group> {
    let any_case = !quoted && !text.chars().any(char::is_uppercase);
    // Beyond ASCII, small letters have more capitals than one: the Kelvin sign is a `K`.
    if any_case && !text.is_ascii() {
        return None;
    }
    let is_plain = |c: char| u8::try_from(c).is_ok_and(Literal::is_plain);
    if column == Column::Whole && !text.is_empty() && text.chars().all(is_plain) {
        return Some(vec![Literal { text: format!("{text}\""), any_case, percent_encoded: false }]);
    }
    let run = text.split(|c| !is_plain(c)).max_by_key(|part| part.len())?;
    let may_be_masked = column == Column::Part || (!quoted && text.contains('*'));
    if run.len() < SHORTEST || (may_be_masked && may_be_of_mark(run)) {
        return None;
    }
    Some(vec![Literal { text: run.to_owned(), any_case, percent_encoded: may_be_masked }])
}

/// Whether a text may be a part of `‹masked, 12 bytes›`, which stands in no line.
fn may_be_of_mark(run: &str) -> bool {
    let run = run.to_ascii_lowercase();
    run.bytes().all(|byte| byte.is_ascii_digit()) || "masked".contains(&run) || "bytes".contains(&run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    /// The groups as `verb any|of these`, `~` before those of either case.
    fn literals(text: &str) -> String {
        let expression = parse(text).unwrap();
        let show = |literal: &Literal| format!("{}{}", if literal.any_case { "~" } else { "" }, literal.text);
        let groups = expression.root.as_ref().map(groups).unwrap_or_default();
        let show_group = |group: &Group| group.iter().map(show).collect::<Vec<_>>().join("|");
        groups.iter().map(show_group).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn terms_that_need_a_literal() {
        for (filter, wanted) in [
            ("", ""),
            ("verb:patch", "~patch\""),
            ("verb:Patch,\"get\"", "Patch\"|get\""),
            ("verb:patch ns:kube-* -name:x", "~patch\" ~kube-"),
            ("name:\"web-0 x\"", "web-0"),
            ("verb:patch code:403 is:failed", "~patch\""),
            ("user:argocd/server-x", "~server-x"),
            ("user:\"CN=alice,O=b\"", "alice"),
            ("agent:\"kubectl/v1.32 (linux\"", "kubectl"),
            ("uri:/api/v1/namespaces", "~namespaces"),
            ("object:prod/deploy/web-frontend", "~web-frontend\""),
            ("object:production/deploy/web", "~production\""),
            ("id:4517A132-618b", "~4517A132-618b\""),
            ("ip:203.0.113.7", "203.0.113.7|~:ffff:"),
            ("ip:203.0.113.*", "~203.0.113."),
            ("verb:delete or user:alice", "~delete\"|~alice"),
            ("(verb:delete ns:production) or user:alice", "~production\"|~alice"),
        ] {
            assert_eq!(literals(filter), wanted, "{filter}");
        }
    }

    #[test]
    fn terms_that_need_none() {
        for filter in [
            "-verb:patch",
            "patch",
            "verb~patch",
            "verb:\"\"",
            "verb:*",
            "verb:patch,*",
            "verb:a*b",
            "resource:secrets",
            "ip:10.0.0.0/8",
            "ip:2001:db8::1",
            "ip:::ffff:10.0.0.5",
            "name:straße-ks",
            "agent:123",
            "uri:masked",
            "user:Byte",
            "verb:delete or code:403",
            "not (verb:delete)",
            "text:patch",
            "annotation.x:patch",
            "request.verb:patch",
        ] {
            assert_eq!(literals(filter), "", "{filter}");
            assert!(prefilter(&parse(filter).unwrap()).is_none(), "{filter}");
        }
    }
}

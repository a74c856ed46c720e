//! Fields of rules that no audit event has: a slip of the finger makes a rule silent, and silence looks like safety.
//!
//! The members of an audit event, of the users and of the object and status in it are fixed by the API
//! (`audit.k8s.io/v1`, and what older versions called them); in bodies, annotations and `extra` anything goes.

use super::compile::{Compiled, Expr, Test};
use super::field::{ALIASES, CONTAINERS, PATCHED, REMOVED, SECRET_KEYS, Source, known_names};
use crate::query::nearest;

/// Members of an audit event below which anything goes, or which have none.
const MEMBERS: [&str; 20] = [
    "kind",
    "apiVersion",
    "metadata",
    "timestamp",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "userAgent",
    "sourceIPs",
    "requestObject",
    "responseObject",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "annotations",
    "authenticationMetadata",
    CONTAINERS,
    PATCHED,
    REMOVED,
];

/// Members of the objects in an audit event whose members are fixed. Below these anything goes.
const NESTED: [(&str, &[&str]); 4] = [
    ("user", &["username", "uid", "groups", "extra"]),
    ("impersonatedUser", &["username", "uid", "groups", "extra"]),
    (
        "objectRef",
        &["resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"],
    ),
    ("responseStatus", &["kind", "apiVersion", "metadata", "status", "message", "reason", "details", "code"]),
];

/// A field that no audit event has.
pub(super) struct UnknownField {
    /// As the rule writes it, without its modifiers.
    pub(super) name: String,
    /// Why it is told, with what may have been meant.
    pub(super) reason: String,
}

/// The fields of a detection that no audit event has, each once.
pub(super) fn unknown_fields(detection: &Compiled) -> Vec<UnknownField> {
    let mut found = Vec::new();
    for (_, expr) in &detection.selections {
        collect(expr, &mut found);
    }
    found
}

fn collect(expr: &Expr<Test>, found: &mut Vec<UnknownField>) {
    let (name, source) = match expr {
        Expr::All(parts) | Expr::Any(parts) | Expr::Some(_, parts) => {
            return parts.iter().for_each(|part| collect(part, found));
        }
        Expr::Not(part) => return collect(part, found),
        Expr::Selection(_) | Expr::Test(Test::Keywords(_)) => return,
        Expr::Test(Test::Item(item)) => (&item.name, &item.source),
        Expr::Test(Test::Block(block)) => (&block.name, &block.source),
    };
    let Source::Text(path) = source else { return };
    let name = name.split('|').next().unwrap_or_default();
    if !is_known(path.keys()) && !found.iter().any(|known| known.name == name) {
        found.push(UnknownField { name: name.to_owned(), reason: reason(name, path.keys()) });
    }
}

fn is_known(keys: &str) -> bool {
    let (member, below) = keys.split_once('.').unwrap_or((keys, ""));
    let nested = NESTED.iter().find(|(name, _)| *name == member);
    match nested {
        Some((_, members)) => below.is_empty() || members.contains(&below.split('.').next().unwrap_or(below)),
        None => MEMBERS.contains(&member),
    }
}

fn reason(name: &str, keys: &str) -> String {
    let mut all: Vec<String> = NESTED
        .iter()
        .flat_map(|(outer, members)| members.iter().map(move |member| format!("{outer}.{member}")))
        .collect();
    let own = MEMBERS.into_iter().chain(NESTED.map(|(outer, _)| outer)).chain([SECRET_KEYS]);
    all.extend(own.chain(ALIASES.map(|(alias, _)| alias)).chain(known_names()).map(str::to_owned));
    let all = || all.iter().map(String::as_str);
    // Somebody who leaves out where it stands means just that.
    let whole = || all().find(|known| known.rsplit('.').next() == Some(keys));
    let nested = || {
        let (member, below) = keys.split_once('.')?;
        Some(format!("{}.{below}", nearest(member, all().filter(|known| !known.contains('.')))?))
    };
    let near = whole().or_else(|| nearest(keys, all())).map(str::to_owned);
    match near.or_else(nested) {
        Some(near) => format!("no audit event has a field {name}: did you mean {near}?"),
        None => format!("no audit event has a field {name}: it is always absent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_fixes_is_known_and_the_rest_is_free() {
        for known in [
            "stageTimestamp",
            "user.extra.anything.at.all",
            "objectRef.uid",
            "responseStatus.details.kind",
            "requestObject.spec.whatever",
            "annotations.example.com/x",
            "user",
        ] {
            assert!(is_known(known), "{known}");
        }
        for (wrong, told) in [
            ("vreb", "did you mean verb?"),
            ("Verb", "did you mean verb?"),
            ("objectRef.resorce", "did you mean objectRef.resource?"),
            ("requestObjekt.spec", "did you mean requestObject.spec?"),
            ("name", "did you mean objectRef.name?"),
            ("zzzzzzzzzzzzzzzz", "it is always absent"),
        ] {
            assert!(!is_known(wrong), "{wrong}");
            assert!(reason(wrong, wrong).contains(told), "{}", reason(wrong, wrong));
        }
    }
}

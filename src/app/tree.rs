//! A JSON value as lines that fold.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::query::{Body, BodyPath, FieldName, Step, Target};

/// Lines shown of one value at most; no screen is that long and no reader that patient.
const MOST_LINES: usize = 200_000;

/// One line of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeLine {
    /// How far it is indented.
    pub depth: usize,
    /// Key in its object, or `[index]`.
    pub key: String,
    /// The value, or a word on what is inside.
    pub value: String,
    /// Number of lines below it that belong to it; 0 for a plain value.
    pub inside: usize,
    /// What of the filter language asks for this value, if anything does.
    pub target: Option<Target>,
}

/// A value as lines, some of them folded.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    lines: Vec<TreeLine>,
    folded: BTreeSet<usize>,
}

impl Tree {
    /// Lays out an event. What is large and rarely asked for starts folded.
    pub fn new(event: &Value) -> Tree {
        let mut tree = Tree::default();
        if let Some(object) = event.as_object() {
            for (key, value) in object {
                tree.add(key, value, &mut vec![Step::Key(key.clone())], 0);
            }
        }
        let large: Vec<usize> = (0..tree.lines.len())
            .filter(|i| {
                let line = &tree.lines[*i];
                line.inside > 0 && (line.key == "managedFields" || (line.depth >= 1 && line.inside > 30))
            })
            .collect();
        tree.folded.extend(large);
        tree
    }

    /// The same without what of the filter language asks for each value: the keys are those of another program.
    pub fn without_targets(mut self) -> Tree {
        self.lines.iter_mut().for_each(|line| line.target = None);
        self
    }

    fn add(&mut self, key: &str, value: &Value, path: &mut Vec<Step>, depth: usize) {
        if self.lines.len() >= MOST_LINES {
            return;
        }
        let index = self.lines.len();
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => "[]".into(),
            Value::Object(fields) if fields.is_empty() => "{}".into(),
            Value::Array(items) => format!("[{}]", items.len()),
            Value::Object(fields) => format!("{{{}}}", fields.len()),
            plain => plain.to_string(),
        };
        let plain = !value.is_array() && !value.is_object() && !value.is_null();
        let target = if plain { target_of(path) } else { None };
        self.lines.push(TreeLine { depth, key: key.to_owned(), value: shown, inside: 0, target });
        match value {
            Value::Array(items) => {
                path.push(Step::Any);
                for (i, item) in items.iter().enumerate() {
                    self.add(&format!("[{i}]"), item, path, depth + 1);
                }
                path.pop();
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    path.push(Step::Key(name.clone()));
                    self.add(name, field, path, depth + 1);
                    path.pop();
                }
            }
            _ => {}
        }
        self.lines[index].inside = self.lines.len() - index - 1;
    }

    /// All lines.
    pub fn lines(&self) -> &[TreeLine] {
        &self.lines
    }

    /// Numbers of the lines that are not hidden in a folded one.
    pub fn visible(&self) -> Vec<usize> {
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(line) = self.lines.get(at) {
            out.push(at);
            at += if self.is_folded(at) { line.inside + 1 } else { 1 };
        }
        out
    }

    /// Whether a line hides what is inside it.
    pub fn is_folded(&self, line: usize) -> bool {
        self.folded.contains(&line)
    }

    /// Folds or unfolds a line.
    pub fn toggle(&mut self, line: usize) {
        if self.lines.get(line).is_some_and(|l| l.inside > 0) && !self.folded.remove(&line) {
            self.folded.insert(line);
        }
    }

    /// Folds what is folded in another layout of the same event. Where masking has changed the number of lines,
    /// nothing is taken over.
    pub fn fold_like(&mut self, other: &Tree) {
        if self.lines.len() == other.lines.len() {
            self.folded.clone_from(&other.folded);
        }
    }

    /// Unfolds whatever hides a line.
    pub fn unfold_to(&mut self, line: usize) {
        let lines = &self.lines;
        self.folded.retain(|folded| !(*folded < line && line <= folded + lines[*folded].inside));
    }

    /// The next line (or the one before) that holds `text` in its key or value, whatever the case, going round.
    pub fn find(&self, text: &str, from: usize, forward: bool) -> Option<usize> {
        let wanted = text.to_lowercase();
        let count = self.lines.len();
        if wanted.is_empty() || count == 0 {
            return None;
        }
        (1..=count)
            .map(|step| if forward { (from + step) % count } else { (from + count - step % count) % count })
            .find(|at| {
                let line = &self.lines[*at];
                line.key.to_lowercase().contains(&wanted) || line.value.to_lowercase().contains(&wanted)
            })
    }
}

/// What asks for the value at the end of a path through an event.
fn target_of(path: &[Step]) -> Option<Target> {
    // No object of the API is as deep as what a hostile client may send.
    const DEEPEST: usize = 40;
    let (first, rest) = path.split_first()?;
    let Step::Key(first) = first else { return None };
    let body = match first.as_str() {
        "requestObject" => Some(Body::Request),
        "responseObject" => Some(Body::Response),
        _ => None,
    };
    if let Some(body) = body {
        let asked = !rest.is_empty() && path.len() < DEEPEST;
        return asked.then(|| Target::Body(BodyPath { body, steps: rest.to_vec() }));
    }
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Any | Step::Index(_) => None,
        })
        .collect();
    let field = match keys.as_slice() {
        ["level"] => FieldName::Level,
        ["auditID"] => FieldName::AuditId,
        ["stage"] => FieldName::Stage,
        ["requestURI"] => FieldName::RequestUri,
        ["verb"] => FieldName::Verb,
        ["user", "username"] => FieldName::User,
        ["impersonatedUser", "username"] => FieldName::ImpersonatedUser,
        ["user" | "impersonatedUser", "groups"] => FieldName::Group,
        ["user", "extra", "authentication.kubernetes.io/credential-id"] => FieldName::Credential,
        ["user", "extra", "authentication.kubernetes.io/pod-name"] => FieldName::TokenPod,
        ["user", "extra", "authentication.kubernetes.io/node-name"] => FieldName::TokenNode,
        ["sourceIPs"] => FieldName::SourceIp,
        ["userAgent"] => FieldName::UserAgent,
        ["objectRef", "resource"] => FieldName::Resource,
        ["objectRef", "subresource"] => FieldName::Subresource,
        ["objectRef", "namespace"] => FieldName::Namespace,
        ["objectRef", "name"] => FieldName::Name,
        ["objectRef", "apiGroup" | "apiVersion"] => FieldName::ApiVersion,
        ["responseStatus", "code"] => FieldName::Code,
        ["responseStatus", "reason"] => FieldName::Reason,
        ["annotations", "authorization.k8s.io/decision"] => FieldName::Decision,
        ["annotations", "authentication.kubernetes.io/issued-credential-id"] => FieldName::Credential,
        ["annotations", "k8s.io/removed-release"] => FieldName::Deprecated,
        ["annotations", key] => return Some(Target::Annotation((*key).to_owned())),
        _ => return None,
    };
    Some(Target::Field(field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn folds_and_finds() {
        let event = json!({"verb": "get", "user": {"username": "alice", "groups": ["a", "b"]},
            "requestObject": {"metadata": {"managedFields": [{"manager": "kubectl"}], "name": "x"}}});
        let mut tree = Tree::new(&event);
        let keys = |tree: &Tree| -> Vec<String> {
            tree.visible().iter().map(|i| tree.lines()[*i].key.clone()).collect()
        };
        assert!(!keys(&tree).contains(&"manager".to_owned()), "managed fields start folded");
        let user = tree.lines().iter().position(|l| l.key == "user").unwrap();
        assert_eq!(tree.lines()[user].inside, 4);
        tree.toggle(user);
        assert!(!keys(&tree).contains(&"username".to_owned()));
        let found = tree.find("KUBECTL", 0, true).unwrap();
        tree.unfold_to(found);
        assert!(keys(&tree).contains(&"manager".to_owned()));
        let name = tree.lines().iter().find(|l| l.key == "username").unwrap();
        assert_eq!(name.target, Some(Target::Field(FieldName::User)));
        let manager = tree.lines().iter().find(|l| l.key == "manager").and_then(|l| l.target.as_ref());
        assert_eq!(manager.unwrap().to_string(), "request.metadata.managedFields[].manager");
        let group = tree.lines().iter().find(|l| l.value == "b").and_then(|l| l.target.as_ref());
        assert_eq!(group, Some(&Target::Field(FieldName::Group)));
        assert_eq!(tree.find("nowhere", 0, true), None);
        assert_eq!(tree.find("alice", 0, false), tree.find("alice", 0, true));
        assert!(Tree::new(&json!(3)).visible().is_empty());
    }
}

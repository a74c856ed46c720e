//! The path of a field in an event's JSON, and what stands there.

use rsigma_parser::fieldpath::{ends_with_unescaped, first_unescaped, unescape_brackets};

use super::node::Node;
use crate::model::HELD_ANNOTATIONS;

/// A path such as `requestObject.spec.containers[0].image`.
///
/// Keys may hold dots themselves (annotations, labels): at each object, as many steps as make a key are tried as one.
/// An array stands for all its members unless a step picks one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Path {
    /// The steps joined by dots, without their indices.
    keys: String,
    steps: Vec<Step>,
}

/// Whether a member of the event itself is called so: no key of the API's own has a dot in it.
fn is_whole_key(step: &str) -> bool {
    matches!(
        step,
        "annotations" | "requestObject" | "responseObject" | "user" | "objectRef" | "responseStatus"
    )
}

/// Where an event's annotations are.
const ANNOTATIONS: &str = "annotations";

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Step {
    start: usize,
    end: usize,
    /// `[N]`, which member of the array is meant; from its end when negative.
    index: Option<i64>,
}

impl Path {
    /// The path as a rule writes it; an empty one leads to the value itself.
    pub(super) fn parse(written: &str) -> Path {
        let mut path = Path { keys: String::new(), steps: Vec::new() };
        for part in written.split('.').filter(|_| !written.is_empty()) {
            let (name, index) = without_index(part);
            if !path.steps.is_empty() {
                path.keys.push('.');
            }
            let start = path.keys.len();
            path.keys.push_str(&unescape_brackets(name));
            path.steps.push(Step { start, end: path.keys.len(), index });
        }
        path
    }

    /// The rest of the path behind `prefix`, if it begins so.
    pub(super) fn after(&self, prefix: &str) -> Option<Path> {
        let rest = self.keys.strip_prefix(prefix)?;
        let skipped = match rest.strip_prefix('.') {
            Some(_) => prefix.len() + 1,
            None if rest.is_empty() => prefix.len(),
            None => return None,
        };
        let steps = self.steps.iter().filter(|step| step.start >= skipped && step.start > 0);
        Some(Path {
            keys: self.keys[skipped..].to_owned(),
            steps: steps.map(|s| Step { start: s.start - skipped, end: s.end - skipped, ..*s }).collect(),
        })
    }

    /// The path as text, without indices.
    pub(super) fn keys(&self) -> &str {
        &self.keys
    }

    /// The last step, with which some key of what it leads to ends.
    pub(super) fn last_step(&self) -> Option<&str> {
        self.steps.last().map(|step| &self.keys[step.start..step.end])
    }

    /// What the text of an event must hold for anything to be at the path, the rarest first. Keys may have dots in them:
    /// each step stands in some key, but only the beginning of the key behind the first step, and the end of the last
    /// one, are sure.
    pub(super) fn needles(&self) -> Vec<String> {
        let mut needles = self.within();
        // The first step may be but a part of the first key.
        let follows_whole_key = self.steps.first().is_some_and(|first| is_whole_key(self.step(first)));
        let second = self.steps.get(1).filter(|_| follows_whole_key).map(|step| self.step(step));
        needles.extend(second.filter(|step| is_written_so(step)).map(|step| format!("\"{step}")));
        needles.extend(self.last_step().filter(|step| is_written_so(step)).map(|step| format!("{step}\"")));
        needles
    }

    /// What the text of an event must hold for anything to be at the path of a value that a JSON patch may build: a
    /// step is a key of it, or stands in a pointer.
    pub(super) fn needles_of_patch(&self) -> Vec<String> {
        self.within()
    }

    /// What the text of an event must hold for a member of an array to have something at the path.
    pub(super) fn needles_of_member(&self) -> Vec<String> {
        let step = |step: Option<&Step>| step.map(|step| self.step(step)).filter(|step| is_written_so(step));
        match self.steps.as_slice() {
            [only] => step(Some(only)).map(|key| format!("\"{key}\"")).into_iter().collect(),
            steps => {
                let first = step(steps.first()).map(|step| format!("\"{step}"));
                let last = step(steps.last()).map(|step| format!("{step}\""));
                self.within().into_iter().chain(first).chain(last).collect()
            }
        }
    }

    /// The longest step, which some key has in it.
    fn within(&self) -> Vec<String> {
        let steps = self.steps.iter().map(|step| self.step(step));
        // A pointer writes a slash and a tilde in another way.
        let plain = steps.filter(|step| is_written_so(step) && !step.contains(['/', '~']));
        plain.max_by_key(|step| step.len()).map(str::to_owned).into_iter().collect()
    }

    fn step(&self, step: &Step) -> &str {
        &self.keys[step.start..step.end]
    }

    /// Whether it leads to a member of the event's annotations, the keys of which [`Field::AnnotationKeys`](crate::store::Field::AnnotationKeys) tells.
    pub(super) fn is_annotation(&self) -> bool {
        let is_first = self
            .steps
            .first()
            .is_some_and(|first| first.index.is_none() && &self.keys[first.start..first.end] == ANNOTATIONS);
        is_first && self.steps.len() > 1 && !self.keys_from(1).any(|(key, _)| HELD_ANNOTATIONS.contains(&key))
    }

    /// Whether it goes through the annotation of this key.
    pub(super) fn leads_through_annotation(&self, key: &str) -> bool {
        self.keys_from(1).any(|(known, _)| known == key)
    }

    /// The first `1, 2, …` steps as a key, each with the number of steps it takes: what may be a key of the outermost
    /// object.
    pub(super) fn heads(&self) -> impl Iterator<Item = (&str, usize)> {
        self.keys_from(0)
    }

    fn keys_from(&self, from: usize) -> impl Iterator<Item = (&str, usize)> {
        let start = self.steps.get(from).map_or(0, |step| step.start);
        let mut ended = false;
        self.steps[from.min(self.steps.len())..].iter().enumerate().map_while(move |(at, step)| {
            // A step that picks a member ends its key.
            let key = (!ended).then(|| (&self.keys[start..step.end], from + at + 1));
            ended |= step.index.is_some();
            key
        })
    }

    /// Everything that `value` has at this path.
    pub(super) fn find<'v>(&self, value: &'v Node) -> Vec<&'v Node> {
        let mut found = Vec::new();
        self.find_from(0, value, &mut found);
        found
    }

    /// [`Self::find`] for a path of which `taken` steps led to `value`. An index of the last of them is still to be
    /// followed.
    pub(super) fn find_after<'v>(&self, taken: usize, value: &'v Node, found: &mut Vec<&'v Node>) {
        match taken.checked_sub(1).and_then(|last| self.steps.get(last)).and_then(|step| step.index) {
            None => self.find_from(taken, value, found),
            Some(index) => {
                let Node::Array(members) = value else { return };
                let at = if index < 0 { members.len() as i64 + index } else { index };
                if let Some(member) = usize::try_from(at).ok().and_then(|at| members.get(at)) {
                    self.find_from(taken, member, found);
                }
            }
        }
    }

    fn find_from<'v>(&self, taken: usize, value: &'v Node, found: &mut Vec<&'v Node>) {
        if taken == self.steps.len() {
            found.push(value);
            return;
        }
        match value {
            Node::Object(members) => {
                for (key, taken) in self.keys_from(taken) {
                    if let Some(member) = members.get(key) {
                        self.find_after(taken, member, found);
                    }
                }
            }
            Node::Array(members) => {
                members.iter().for_each(|member| self.find_from(taken, member, found));
            }
            _ => {}
        }
    }
}

/// Whether a log has a text as it is, and not escaped.
fn is_written_so(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '&' | '<' | '>');
    !text.is_empty() && text.chars().all(is_plain)
}

fn without_index(part: &str) -> (&str, Option<i64>) {
    let Some(open) = first_unescaped(part, b'[') else { return (part, None) };
    if !ends_with_unescaped(part, b']') {
        return (part, None);
    }
    match part[open + 1..part.len() - 1].parse() {
        Ok(index) => (&part[..open], Some(index)),
        Err(_) => (part, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn paths_lead_through_arrays_and_dotted_keys() {
        let event = Node::from(json!({
            "annotations": {"authorization.k8s.io/decision": "allow"},
            "requestObject": {"spec": {"containers": [{"image": "a"}, {"image": "b"}, {"name": "c"}]}},
            "args[0]": "literal",
        }));
        for (path, expected) in [
            ("annotations.authorization.k8s.io/decision", json!(["allow"])),
            ("requestObject.spec.containers.image", json!(["a", "b"])),
            ("requestObject.spec.containers[1].image", json!(["b"])),
            ("requestObject.spec.containers[-1].name", json!(["c"])),
            ("requestObject.spec.containers[7].name", json!([])),
            ("requestObject.spec[0]", json!([])),
            ("requestObject.spec.image", json!([])),
            (r"args\[0\]", json!(["literal"])),
            ("annotations.authorization", json!([])),
        ] {
            let parsed = Path::parse(path);
            let found: Vec<Value> = parsed.find(&event).into_iter().map(Value::from).collect();
            assert_eq!(Value::from(found), expected, "{path}");
        }
        assert_eq!(Path::parse("").find(&event), [&event]);
    }

    #[test]
    fn the_rest_of_a_path_keeps_its_indices() {
        let path = Path::parse("any_container.ports[0].hostPort");
        let rest = path.after("any_container").expect("it begins so");
        assert_eq!(rest, Path::parse("ports[0].hostPort"));
        assert_eq!(path.after("any"), None);
        assert_eq!(Path::parse("any_container").after("any_container"), Some(Path::parse("")));
    }
}

//! The text of one event, read part by part: a rule that asks for an annotation never parses a body.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::mended::mended;
use super::node::Node;
use super::path::Path;

/// The bodies of a request, in the order in which rules look at them.
const BODIES: [&str; 2] = ["requestObject", "responseObject"];

/// Where a pod's specification stands: in a pod, in the template of a workload, of a cron job, of a PodTemplate.
const POD_SPECS: [&[&str]; 4] = [
    &["spec"],
    &["spec", "template", "spec"],
    &["spec", "jobTemplate", "spec", "template", "spec"],
    &["template", "spec"],
];

const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// A path of a JSON patch with more steps than this leads nowhere in any Kubernetes object.
const MOST_POINTER_STEPS: usize = 64;

/// An event whose members are parsed when they are asked for.
#[derive(Debug)]
pub(super) struct Document {
    text: Rc<str>,
    members: Vec<Member>,
    patched: OnceCell<Vec<Node>>,
    removed: OnceCell<Vec<String>>,
}

#[derive(Debug)]
struct Member {
    key: String,
    place: Range<usize>,
    value: OnceCell<Node>,
}

impl Document {
    /// The event in `text`. What is no JSON object has no members.
    pub(super) fn read(text: Rc<str>) -> Document {
        let members = members_of(&text);
        Document { text, members, patched: OnceCell::new(), removed: OnceCell::new() }
    }

    /// The record of another program's log, its members as they are called there.
    pub(super) fn of(record: Map<String, Value>) -> Document {
        let member = |(key, value)| Member { key, place: 0..0, value: OnceCell::from(Node::from(value)) };
        let members = record.into_iter().map(member).collect();
        Document { text: Rc::default(), members, patched: OnceCell::new(), removed: OnceCell::new() }
    }

    fn value<'d>(&'d self, member: &'d Member) -> &'d Node {
        member.value.get_or_init(|| {
            let text = self.text.get(member.place.clone()).unwrap_or_default();
            let value = serde_json::from_str(text);
            value.or_else(|_| serde_json::from_str(&mended(text))).unwrap_or_default()
        })
    }

    fn member(&self, key: &str) -> Option<&Node> {
        // The API server's own parser takes the last of equal keys.
        self.members.iter().rev().find(|member| member.key == key).map(|member| self.value(member))
    }

    /// Everything at `path`.
    pub(super) fn find(&self, path: &Path) -> Vec<&Node> {
        let mut found = Vec::new();
        for (key, taken) in path.heads() {
            if let Some(value) = self.member(key) {
                path.find_after(taken, value, &mut found);
            }
        }
        found
    }

    /// All values of the event, for keywords.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        self.members.iter().map(|member| self.value(member))
    }

    /// The bodies, and what a JSON patch puts into one.
    fn objects(&self) -> impl Iterator<Item = &Node> {
        BODIES.into_iter().filter_map(|body| self.member(body)).chain(self.patched())
    }

    /// The bodies that tell what a request is about. The answer to a patch has what was there before as well: a restart
    /// of a privileged workload makes nothing privileged.
    fn written(&self) -> impl Iterator<Item = &Node> {
        let is_patch = self.member("verb").and_then(Node::as_str) == Some("patch");
        let answer_counts = !is_patch || self.member("requestObject").is_none_or(Node::is_null);
        let bodies = if answer_counts { &BODIES[..] } else { &BODIES[..1] };
        bodies.iter().filter_map(|body| self.member(body)).chain(self.patched())
    }

    /// The containers, init containers and ephemeral containers of the pods and templates in the bodies; of a patch,
    /// only those that it names.
    pub(super) fn containers(&self) -> Vec<&Node> {
        let mut found = Vec::new();
        for object in self.written() {
            for place in POD_SPECS {
                let Some(spec) = place.iter().try_fold(object, |value, key| value.get(key)) else { continue };
                for list in CONTAINER_LISTS {
                    match spec.get(list) {
                        Some(Node::Array(members)) => found.extend(members),
                        Some(member @ Node::Object(_)) => found.push(member),
                        _ => {}
                    }
                }
            }
        }
        found
    }

    /// What a JSON patch (RFC 6902) adds or replaces: for each operation an object that has its value where the path
    /// of the operation leads. A place in an array stands for a member of it.
    pub(super) fn patched(&self) -> &[Node] {
        self.patched.get_or_init(|| match self.member("requestObject") {
            Some(Node::Array(operations)) => operations.iter().filter_map(put_in_place).collect(),
            _ => Vec::new(),
        })
    }

    /// The paths of what a patch takes away, steps joined by dots: keys that a merge patch (RFC 7386, and Kubernetes'
    /// strategic one) sets to null or says to delete, places that a JSON patch removes or sets to null.
    pub(super) fn removed(&self) -> &[String] {
        self.removed.get_or_init(|| match self.member("requestObject") {
            Some(Node::Array(operations)) => operations.iter().filter_map(removed_place).collect(),
            Some(merge @ Node::Object(_)) => {
                let mut found = Vec::new();
                collect_removed(merge, "", &mut found);
                found
            }
            _ => Vec::new(),
        })
    }

    /// The keys below `data` and `stringData` of the bodies. Only the keys: values of Secrets are nobody's business.
    pub(super) fn secret_keys(&self) -> Vec<&str> {
        let data = self.objects().flat_map(|object| ["data", "stringData"].map(|key| object.get(key)));
        let members = data.flatten().filter_map(Node::as_object);
        members.flat_map(|members| members.iter().map(|(key, _)| key)).collect()
    }
}

fn removed_place(operation: &Node) -> Option<String> {
    let op = operation.get("op")?.as_str()?;
    let sets_null = matches!(op, "add" | "replace") && operation.get("value").is_some_and(Node::is_null);
    let place = operation.get("path")?.as_str()?;
    let steps = place.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    (op == "remove" || sets_null).then(|| steps.collect::<Vec<_>>().join("."))
}

/// Nested no deeper than the parser lets it be.
fn collect_removed(merge: &Node, path: &str, found: &mut Vec<String>) {
    let Node::Object(members) = merge else { return };
    for (key, value) in members.iter() {
        if key == "$patch" && value.as_str() == Some("delete") {
            found.push(path.to_owned());
            continue;
        }
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Node::Null => found.push(path),
            value => collect_removed(value, &path, found),
        }
    }
}

fn put_in_place(operation: &Node) -> Option<Node> {
    if !matches!(operation.get("op")?.as_str()?, "add" | "replace") {
        return None;
    }
    let pointer = operation.get("path")?.as_str()?;
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    if steps.len() > MOST_POINTER_STEPS {
        return None;
    }
    let value = operation.get("value")?.clone();
    Some(steps.iter().rev().fold(value, |value, step| {
        if *step == "-" || (!step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())) {
            Node::Array(vec![value])
        } else {
            let key = step.replace("~1", "/").replace("~0", "~");
            Node::with(&key, value)
        }
    }))
}

/// The members of the object that `text` is, up to the first that is broken.
fn members_of(text: &str) -> Vec<Member> {
    struct Members<'m> {
        /// Address of the text, to tell where in it a member stands.
        start: usize,
        found: &'m mut Vec<Member>,
    }

    impl<'de> Visitor<'de> for Members<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                let raw: &'de RawValue = map.next_value()?;
                let from = raw.get().as_ptr() as usize - self.start;
                let place = from..from + raw.get().len();
                self.found.push(Member { key, place, value: OnceCell::new() });
            }
            Ok(())
        }
    }

    let mut found = Vec::new();
    let visitor = Members { start: text.as_ptr() as usize, found: &mut found };
    // A line that was cut tells what stands before the cut.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(visitor);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(event: &Value) -> Document {
        Document::read(event.to_string().into())
    }

    #[test]
    fn members_are_read_one_by_one() {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let text =
            format!(r#"{{"verb":"get","requestObject":{deep},"annotations":{{"a.b/c":"d"}},"verb":"list"}}"#);
        let document = Document::read(text.into());
        assert_eq!(document.find(&Path::parse("annotations.a.b/c")), [&json!("d")], "behind a body too deep");
        assert_eq!(document.find(&Path::parse("requestObject")).len(), 1, "without what lies too deep");
        assert_eq!(document.find(&Path::parse("verb")), [&json!("list")], "the last of equal keys");
        let cut = Document::read(r#"{"verb":"get","user":{"userna"#.into());
        assert_eq!(cut.find(&Path::parse("verb")), [&json!("get")]);
        for text in ["", "[1]", "plain text", "\u{fffd}", "{"] {
            assert_eq!(Document::read(text.into()).all().count(), 0);
        }
    }

    #[test]
    fn containers_are_found_wherever_a_pod_is_described() {
        let of = |spec: Value| json!({"requestObject": spec});
        let containers = json!({"containers": [{"image": "a"}], "initContainers": [{"image": "b"}]});
        for object in [
            of(json!({"spec": containers})),
            of(json!({"spec": {"template": {"spec": containers}}})),
            of(json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": containers}}}}})),
            of(json!({"template": {"spec": containers}})),
            json!({"responseObject": {"spec": containers}}),
        ] {
            assert_eq!(document(&object).containers().len(), 2, "{object}");
        }
        let ephemeral = of(json!({"spec": {"ephemeralContainers": [{"image": "c"}], "containers": "none"}}));
        assert_eq!(document(&ephemeral).containers(), [&json!({"image": "c"})]);
        assert!(document(&of(json!({"spec": 3}))).containers().is_empty());
        let answer = json!({"verb": "patch", "responseObject": {"spec": containers}});
        assert_eq!(document(&answer).containers().len(), 2, "all there is");
        let restart = json!({"verb": "patch", "requestObject": {"metadata": {}}, "responseObject": answer["responseObject"]});
        assert!(document(&restart).containers().is_empty(), "what was there before the patch");
    }

    #[test]
    fn json_patches_put_values_in_their_places() {
        let event = json!({"requestObject": [
            {"op": "replace", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": true},
            {"op": "add", "path": "/metadata/labels/a~1b~0c", "value": "d"},
            {"op": "remove", "path": "/metadata/labels/x"},
            {"op": "add", "path": "/spec/template/spec/initContainers/-", "value": {"image": "i"}},
            {"op": "add"}, 7,
        ]});
        let document = document(&event);
        let find = |path: &str| {
            let path = Path::parse(path);
            document.patched().iter().flat_map(|value| path.find(value)).collect::<Vec<_>>()
        };
        assert_eq!(find("spec.template.spec.containers.securityContext.privileged"), [&json!(true)]);
        assert_eq!(find("metadata.labels.a/b~c"), [&json!("d")]);
        assert!(find("metadata.labels.x").is_empty());
        let containers = document.containers();
        assert_eq!(containers, [&json!({"securityContext": {"privileged": true}}), &json!({"image": "i"})]);
    }

    #[test]
    fn what_a_patch_takes_away_is_told_by_its_path() {
        let removed = |body: Value| document(&json!({"requestObject": body})).removed().to_vec();
        let merge = json!({"metadata": {"labels": {"a.b/c": null, "d": "e"}}, "spec": {"syncPolicy": null}});
        assert_eq!(removed(merge), ["metadata.labels.a.b/c", "spec.syncPolicy"]);
        assert_eq!(removed(json!({"spec": {"template": {"$patch": "delete"}}})), ["spec.template"]);
        let patch = json!([
            {"op": "remove", "path": "/metadata/labels/a.b~1c"},
            {"op": "replace", "path": "/spec/x", "value": null},
            {"op": "replace", "path": "/spec/y", "value": 1},
            {"op": "remove"}, 7,
        ]);
        assert_eq!(removed(patch), ["metadata.labels.a.b/c", "spec.x"]);
        assert!(removed(json!("text")).is_empty());
    }

    #[test]
    fn of_secrets_only_the_keys_are_told() {
        let event = json!({"requestObject": {"data": {"a": "eA=="}, "stringData": {"b": "y"}},
            "responseObject": {"data": "broken"}});
        assert_eq!(document(&event).secret_keys(), ["a", "b"]);
    }
}

//! What changed between two states of an object, field by field. Items of lists are matched by what they are known by,
//! so that a container that moved is no change and one whose image changed is one line.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::patch::{ListKind, list_kind};
use super::path::{Path, Step, scalar_text};

/// Members by which the items of a list that no type is known of are matched, if every item has one.
const COMMON_KEYS: [&str; 7] = ["name", "key", "uid", "id", "type", "ip", "path"];

/// One field that is not what it was.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldChange {
    /// Where.
    pub path: Path,
    /// What was there; `None` when it was added.
    pub before: Option<Value>,
    /// What is there; `None` when it was removed.
    pub after: Option<Value>,
}

/// Changes that say nothing about what somebody wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noise {
    /// Who owns which field.
    ManagedFields,
    /// What controllers report.
    Status,
    /// What the server counts and fills in.
    Server,
    /// A copy of the object in an annotation of its own.
    LastApplied,
}

impl Noise {
    fn of_annotation(key: &str) -> Option<Noise> {
        match key {
            "kubectl.kubernetes.io/last-applied-configuration" => Some(Noise::LastApplied),
            "deployment.kubernetes.io/revision" => Some(Noise::Server),
            _ => None,
        }
    }
}

impl FieldChange {
    /// Whether the change is folded by default, and as what.
    pub fn noise(&self) -> Option<Noise> {
        const SERVER: [&str; 5] = ["resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"];
        let path = &self.path;
        if path.starts_with(&["status"]) {
            return Some(Noise::Status);
        }
        let Some(Step::Member(second)) = path.0.get(1).filter(|_| path.starts_with(&["metadata"])) else {
            return None;
        };
        match (second.as_str(), path.0.get(2)) {
            ("managedFields", _) => Some(Noise::ManagedFields),
            (second, _) if SERVER.contains(&second) => Some(Noise::Server),
            ("annotations", Some(Step::Member(key))) => Noise::of_annotation(key),
            // All of them came or went.
            ("annotations", None) => {
                let mut keys = [&self.before, &self.after].into_iter().flatten();
                let keys: Vec<&String> = keys.try_fold(Vec::new(), |mut keys, value| {
                    keys.extend(value.as_object()?.keys());
                    Some(keys)
                })?;
                let noises: Option<Vec<Noise>> =
                    keys.into_iter().map(|key| Noise::of_annotation(key)).collect();
                noises?.first().copied()
            }
            _ => None,
        }
    }

    /// How many single values it stands for: a part that came or went as a whole is one change.
    pub fn leaves(&self) -> usize {
        fn count(value: &Value) -> usize {
            match value {
                Value::Object(members) if !members.is_empty() => members.values().map(count).sum(),
                Value::Array(items) if !items.is_empty() => items.iter().map(count).sum(),
                _ => 1,
            }
        }
        let both = [&self.before, &self.after].into_iter().flatten().map(count);
        both.max().unwrap_or(0)
    }
}

/// What changed, in the order in which it stands in the later state, removals after what remains.
pub fn differences(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    if before != after {
        compare("", "", &Path::default(), before, after, &mut found);
    }
    found
}

/// Compares two values that are not equal: the paths to all that is equal need not be made.
fn compare(
    parent: &str,
    name: &str,
    path: &Path,
    before: &Value,
    after: &Value,
    found: &mut Vec<FieldChange>,
) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => compare_maps(name, path, old, new, found),
        (Value::Array(old), Value::Array(new)) => {
            let so_far = found.len();
            match key_of(parent, name, old, new) {
                Some(key) => compare_known(parent, name, &key, path, old, new, found),
                None => compare_in_place(parent, name, path, old, new, found),
            }
            // What is in another order and otherwise the same is a change, too.
            if found.len() == so_far {
                found.push(changed(path.clone(), Some(before), Some(after)));
            }
        }
        _ => found.push(changed(path.clone(), Some(before), Some(after))),
    }
}

/// Items that nothing tells apart keep their places, as long as items only came or went at the end and those in the
/// same place are of the same kind; otherwise nothing is found here.
fn compare_in_place(
    parent: &str,
    name: &str,
    path: &Path,
    old: &[Value],
    new: &[Value],
    found: &mut Vec<FieldChange>,
) {
    let both = old.len().min(new.len());
    let is_same_length = old.len() == new.len();
    let all_objects = [old, new].into_iter().flatten().all(Value::is_object);
    if both == 0 || !all_objects || (!is_same_length && old.get(..both) != new.get(..both)) {
        return;
    }
    let at = |at: usize| path.with(Step::Index(at));
    for (place, (before, after)) in old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b) {
        compare(parent, name, &at(place), before, after, found);
    }
    for (place, after) in new.iter().enumerate().skip(both) {
        found.push(changed(at(place), None, Some(after)));
    }
    // The last one first, so that each place holds while the changes are made one after another.
    for (place, before) in old.iter().enumerate().skip(both).rev() {
        found.push(changed(at(place), Some(before), None));
    }
}

fn changed(path: Path, before: Option<&Value>, after: Option<&Value>) -> FieldChange {
    FieldChange { path, before: before.cloned(), after: after.cloned() }
}

fn compare_maps(
    name: &str,
    path: &Path,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    found: &mut Vec<FieldChange>,
) {
    for (key, after) in new {
        let path = || path.with(Step::Member(key.clone()));
        match old.get(key) {
            Some(before) if before == after => {}
            Some(before) => compare(name, key, &path(), before, after, found),
            None => found.push(changed(path(), None, Some(after))),
        }
    }
    for (key, before) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        found.push(changed(path.with(Step::Member(key.clone())), Some(before), None));
    }
}

fn compare_known(
    parent: &str,
    name: &str,
    key: &str,
    path: &Path,
    old: &[Value],
    new: &[Value],
    found: &mut Vec<FieldChange>,
) {
    let known = |item: &Value| item.get(key).map(scalar_text).unwrap_or_default();
    let step = |value: String| Step::Known { by: key.to_owned(), value };
    let mut gone: HashMap<String, &Value> = old.iter().map(|item| (known(item), item)).collect();
    for after in new {
        let value = known(after);
        let before = gone.remove(&value);
        let path = || path.with(step(value));
        match before {
            Some(before) if before == after => {}
            Some(before) => compare(parent, name, &path(), before, after, found),
            None => found.push(changed(path(), None, Some(after))),
        }
    }
    for before in old {
        let value = known(before);
        if gone.contains_key(&value) {
            found.push(changed(path.with(step(value)), Some(before), None));
        }
    }
}

/// The member that the items of both lists are known by: that of the type, or else a common one, if every item has it
/// and none twice.
fn key_of(parent: &str, name: &str, old: &[Value], new: &[Value]) -> Option<String> {
    let of_type = match list_kind(parent, name) {
        ListKind::Map(keys) => keys.first().copied(),
        ListKind::Set | ListKind::Atomic => None,
    };
    of_type
        .into_iter()
        .chain(COMMON_KEYS)
        .find(|key| is_unique(old, key) && is_unique(new, key))
        .map(str::to_owned)
}

fn is_unique(items: &[Value], key: &str) -> bool {
    let mut seen = HashSet::new();
    items.iter().all(|item| match item.get(key) {
        Some(value @ (Value::String(_) | Value::Number(_))) => seen.insert(scalar_text(value)),
        _ => false,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn lines(before: &Value, after: &Value) -> Vec<String> {
        differences(before, after)
            .iter()
            .map(|change| {
                let said = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
                format!("{}: {} -> {}", change.path, said(&change.before), said(&change.after))
            })
            .collect()
    }

    #[test]
    fn fields_are_named_as_people_name_them() {
        let before = json!({"metadata": {"annotations": {"a.b/c": "1"}, "resourceVersion": "5"},
            "spec": {"replicas": 2, "containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}, {"name": "log"}]}});
        let after = json!({"metadata": {"annotations": {"a.b/c": "2"}, "resourceVersion": "6"},
            "spec": {"replicas": 0, "containers": [
                {"name": "log"}, {"name": "web", "image": "web:2", "env": [
                    {"name": "DB", "value": "x"}, {"name": "A", "value": "1"}]}]}});
        assert_eq!(
            lines(&before, &after),
            [
                "metadata.annotations.\"a.b/c\": \"1\" -> \"2\"",
                "metadata.resourceVersion: \"5\" -> \"6\"",
                "spec.replicas: 2 -> 0",
                "spec.containers[web].image: \"web:1\" -> \"web:2\"",
                "spec.containers[web].env[DB]: - -> {\"name\":\"DB\",\"value\":\"x\"}",
            ]
        );
        let noises: Vec<_> = differences(&before, &after).iter().map(FieldChange::noise).collect();
        assert_eq!(noises, [None, Some(Noise::Server), None, None, None]);
        assert_eq!(differences(&before, &after)[4].leaves(), 2);
    }

    #[test]
    fn lists_without_a_key_change_as_a_whole_and_order_counts() {
        assert_eq!(lines(&json!({"args": ["a"]}), &json!({"args": ["b"]})), ["args: [\"a\"] -> [\"b\"]"]);
        let (one, two) =
            (json!({"l": [{"name": "a"}, {"name": "b"}]}), json!({"l": [{"name": "b"}, {"name": "a"}]}));
        assert_eq!(differences(&one, &two).len(), 1);
        assert!(differences(&one, &one).is_empty());
    }

    #[test]
    fn items_without_a_name_are_known_by_their_place() {
        let rules = |rules: Value| json!({"rules": rules});
        let (pods, secrets) =
            (json!({"resources": ["pods"], "verbs": ["get"]}), json!({"resources": ["secrets"]}));
        assert_eq!(
            lines(&rules(json!([pods])), &rules(json!([pods, secrets]))),
            ["rules[1]: - -> {\"resources\":[\"secrets\"]}"]
        );
        assert_eq!(
            lines(&rules(json!([pods, secrets, secrets])), &rules(json!([pods]))),
            ["rules[2]: {\"resources\":[\"secrets\"]} -> -", "rules[1]: {\"resources\":[\"secrets\"]} -> -"]
        );
        let more = json!({"resources": ["pods"], "verbs": ["get", "delete"]});
        assert_eq!(
            lines(&rules(json!([secrets, pods])), &rules(json!([secrets, more]))),
            ["rules[1].verbs: [\"get\"] -> [\"get\",\"delete\"]"]
        );
        // One in the middle: the places of the others are not comparable.
        let (before, after) = (rules(json!([pods, secrets])), rules(json!([more, pods, secrets])));
        assert_eq!(differences(&before, &after).len(), 1);
    }

    #[test]
    fn annotations_that_came_or_went_as_a_whole_are_noise_only_if_all_are() {
        let noise = |annotations: Value| {
            let (before, after) =
                (json!({"metadata": {}}), json!({"metadata": {"annotations": annotations}}));
            let both = [differences(&before, &after), differences(&after, &before)];
            both.map(|changes| changes.first().and_then(FieldChange::noise))
        };
        let applied = "kubectl.kubernetes.io/last-applied-configuration";
        assert_eq!(noise(json!({applied: "{}"})), [Some(Noise::LastApplied); 2]);
        assert_eq!(noise(json!({applied: "{}", "owner": "bob"})), [None; 2]);
        assert_eq!(noise(json!({})), [None; 2]);
    }

    #[test]
    fn that_an_object_shall_go_is_no_noise() {
        let after = json!({"metadata": {"deletionTimestamp": "2026-11-20T22:00:00Z"}});
        let changes = differences(&json!({"metadata": {}}), &after);
        assert_eq!(changes.iter().map(FieldChange::noise).collect::<Vec<_>>(), [None]);
    }

    /// What a change makes of a value: the other half of `differences`.
    pub(in crate::trace) fn replay(state: &Value, changes: &[FieldChange]) -> Value {
        let mut result = state.clone();
        for change in changes {
            put(&mut result, &change.path.0, change.after.as_ref());
        }
        result
    }

    fn put(state: &mut Value, steps: &[Step], new: Option<&Value>) {
        let Some((first, rest)) = steps.split_first() else {
            *state = new.cloned().unwrap_or(Value::Null);
            return;
        };
        match (first, state) {
            (Step::Member(name), Value::Object(members)) => match (rest.is_empty(), new) {
                (true, None) => drop(members.remove(name)),
                (true, Some(new)) => drop(members.insert(name.clone(), new.clone())),
                (false, _) => {
                    if let Some(below) = members.get_mut(name) {
                        put(below, rest, new);
                    }
                }
            },
            (Step::Known { by, value }, Value::Array(items)) => {
                let at = items.iter().position(|item| item.get(by).is_some_and(|m| scalar_text(m) == *value));
                match (at, rest.is_empty(), new) {
                    (Some(at), true, None) => drop(items.remove(at)),
                    (Some(at), _, _) => put(&mut items[at], rest, new),
                    (None, true, Some(new)) => items.push(new.clone()),
                    (None, ..) => {}
                }
            }
            (Step::Index(at), Value::Array(items)) => match (items.get_mut(*at), rest.is_empty(), new) {
                (Some(_), true, None) => drop(items.remove(*at)),
                (Some(item), _, _) => put(item, rest, new),
                (None, _, new) => items.extend(new.cloned()),
            },
            _ => {}
        }
    }

    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[ab]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 4, |inner| {
            let named = prop::collection::btree_map("[a-d]", inner.clone(), 0..4).prop_map(|items| {
                let items = items.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
                Value::Array(items.collect())
            });
            prop_oneof![
                named,
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c.]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same with lists of named items sorted: where an added item stands is not part of a change's path.
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
            }
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(sorted).collect();
                if COMMON_KEYS.iter().any(|key| is_unique(&items, key)) {
                    items.sort_by_key(|item| item.get("name").map(scalar_text));
                }
                Value::Array(items)
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn differences_lead_from_one_state_to_the_other(before in object(), after in object()) {
            let changes = differences(&before, &after);
            prop_assert_eq!(sorted(&replay(&before, &changes)), sorted(&after));
            prop_assert_eq!(changes.is_empty(), before == after);
            for change in &changes {
                prop_assert_eq!(change.path.of(&before), change.before.as_ref());
                prop_assert_eq!(change.path.of(&after), change.after.as_ref());
            }
        }
    }
}

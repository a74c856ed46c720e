//! Server-side apply: what is applied is merged into the object, and what the same manager had applied before and does
//! not apply any more goes, unless somebody else owns it, too (`sigs.k8s.io/structured-merge-diff`).
//!
//! How a list is merged stands in the object itself, if anybody owns items of it: `metadata.managedFields` names them by
//! their keys (`k:{"name":"web"}`) or values (`v:"x"`), and a list without either is owned as a whole. That holds for
//! custom resources, too, whose schemas are not in the log; where nobody owns it, [`list_kind`] tells for built-in types.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::lists::{ListKind, identity, list_kind};
use super::{PatchContext, is_built_in};

/// What applying makes of the state.
pub(super) fn applied(state: &Value, applied: &Value, context: PatchContext<'_>) -> Value {
    let owned = Owned::of(state, context);
    let api_version = applied.get("apiVersion").or_else(|| state.get("apiVersion"));
    let group = api_version.and_then(Value::as_str).and_then(|text| text.split_once('/')).map_or("", |g| g.0);
    let is_built_in = is_built_in(group);
    let mut result = state.clone();
    let top = Place { parent: "", name: "", is_built_in };
    if let Some(own) = owned.own {
        prune(top, &mut result, applied, own, &owned.others);
    }
    let all: Vec<&Value> = owned.own.into_iter().chain(owned.others).collect();
    merge(top, &mut result, applied, &all);
    result
}

/// Who owns what, as `fieldsV1` writes it.
struct Owned<'v> {
    /// What the manager applied before.
    own: Option<&'v Value>,
    /// What each other one owns.
    others: Vec<&'v Value>,
}

impl<'v> Owned<'v> {
    fn of(state: &'v Value, context: PatchContext<'_>) -> Self {
        let entries = state.pointer("/metadata/managedFields").and_then(Value::as_array);
        let mut owned = Owned { own: None, others: Vec::new() };
        for entry in entries.into_iter().flatten() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
            let Some(fields) = entry.get("fieldsV1") else { continue };
            let is_own = text("manager") == context.manager
                && text("operation") == "Apply"
                && text("subresource") == context.subresource;
            if is_own && owned.own.is_none() {
                owned.own = Some(fields);
            } else {
                owned.others.push(fields);
            }
        }
        owned
    }
}

/// Where in the object a value is.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The named member that holds the one below; empty at the top.
    parent: &'p str,
    /// The nearest named member.
    name: &'p str,
    /// Whether the object's type is a built-in one.
    is_built_in: bool,
}

impl<'p> Place<'p> {
    fn member(self, name: &'p str) -> Self {
        Place { parent: self.name, name, ..self }
    }
}

/// What tells the items of a list apart.
enum Items {
    ByKeys(Vec<String>),
    ByValue,
    /// The list is one value.
    Atomic,
}

impl Items {
    /// Of a list of which `fields` are owned.
    fn of(place: Place<'_>, fields: &[&Value]) -> Items {
        let mut is_owned_as_a_whole = !fields.is_empty();
        for owned in fields.iter().filter_map(|fields| fields.as_object()) {
            is_owned_as_a_whole &= owned.is_empty();
            for field in owned.keys() {
                match parsed(field) {
                    Some((true, Value::Object(key))) => return Items::ByKeys(key.keys().cloned().collect()),
                    Some((false, _)) => return Items::ByValue,
                    _ => {}
                }
            }
        }
        match list_kind(place.parent, place.name) {
            _ if is_owned_as_a_whole || !place.is_built_in => Items::Atomic,
            ListKind::Map(keys) => Items::ByKeys(keys.iter().map(|key| (*key).to_owned()).collect()),
            ListKind::Set => Items::ByValue,
            ListKind::Atomic => Items::Atomic,
        }
    }

    fn identity(&self, item: &Value) -> Option<String> {
        match self {
            Items::ByKeys(keys) => identity(item, keys),
            Items::ByValue => Some(item.to_string()),
            Items::Atomic => None,
        }
    }

    fn places(&self, items: &[Value]) -> HashMap<String, usize> {
        items.iter().enumerate().rev().filter_map(|(at, item)| Some((self.identity(item)?, at))).collect()
    }

    /// What is owned of each item, by the item's identity.
    fn owned<'v>(&self, fields: &[&'v Value]) -> HashMap<String, Vec<&'v Value>> {
        let mut by_item: HashMap<String, Vec<&Value>> = HashMap::new();
        for (field, below) in fields.iter().filter_map(|fields| fields.as_object()).flatten() {
            if let Some((_, item)) = parsed(field)
                && let Some(known) = self.identity(&item)
            {
                by_item.entry(known).or_default().push(below);
            }
        }
        by_item
    }
}

/// The item that `k:{…}` (true) or `v:…` (false) names.
fn parsed(field: &str) -> Option<(bool, Value)> {
    let (text, is_key) = match field.strip_prefix("k:") {
        Some(text) => (text, true),
        None => (field.strip_prefix("v:")?, false),
    };
    Some((is_key, serde_json::from_str(text).ok()?))
}

/// What is owned of a member.
fn below<'v>(fields: &[&'v Value], member: &str) -> Vec<&'v Value> {
    let field = format!("f:{member}");
    fields.iter().filter_map(|fields| fields.get(&field)).collect()
}

/// Takes out what is owned and no longer applied.
fn prune(place: Place<'_>, state: &mut Value, applied: &Value, own: &Value, others: &[&Value]) {
    match state {
        Value::Object(members) => {
            let owned = own.as_object().into_iter().flatten();
            for (key, own) in owned.filter_map(|(field, own)| Some((field.strip_prefix("f:")?, own))) {
                let others = below(others, key);
                let Some(value) = members.get_mut(key) else { continue };
                let still = applied.get(key);
                if still.is_none() && others.is_empty() {
                    members.shift_remove(key);
                    continue;
                }
                let had_any = !is_empty(value);
                prune(place.member(key), value, still.unwrap_or(&Value::Null), own, &others);
                if had_any && still.is_none() && is_empty(value) {
                    members.shift_remove(key);
                }
            }
        }
        Value::Array(items) => {
            let all: Vec<&Value> = std::iter::once(own).chain(others.iter().copied()).collect();
            let by = Items::of(place, &all);
            let places = by.places(items);
            let applied = applied.as_array().map_or(&[][..], Vec::as_slice);
            let (still, others) = (by.places(applied), by.owned(others));
            let mut gone = HashSet::new();
            for (known, own) in by.owned(&[own]) {
                let Some(at) = places.get(&known).copied() else { continue };
                let still = still.get(&known).and_then(|at| applied.get(*at));
                let others = others.get(&known).map_or(&[][..], Vec::as_slice);
                if still.is_none() && others.is_empty() {
                    gone.insert(at);
                } else if let (Some(item), Some(own)) = (items.get_mut(at), own.first()) {
                    prune(place, item, still.unwrap_or(&Value::Null), own, others);
                }
            }
            let mut at = 0..;
            items.retain(|_| at.next().is_none_or(|at| !gone.contains(&at)));
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// `fields` is what anybody owns there.
fn merge(place: Place<'_>, state: &mut Value, applied: &Value, fields: &[&Value]) {
    match (state, applied) {
        (Value::Object(members), Value::Object(applied)) => {
            for (key, value) in applied {
                match members.get_mut(key) {
                    Some(_) if value.is_null() => drop(members.shift_remove(key)),
                    Some(before) => merge(place.member(key), before, value, &below(fields, key)),
                    None if value.is_null() => {}
                    None => drop(members.insert(key.clone(), without_nulls(value))),
                }
            }
        }
        (state @ Value::Array(_), Value::Array(applied)) => {
            let by = Items::of(place, fields);
            *state = match by {
                Items::Atomic => Value::Array(applied.iter().map(without_nulls).collect()),
                by => {
                    let Value::Array(items) = state.take() else { return };
                    Value::Array(merged_items(place, items, applied, &by, fields))
                }
            };
        }
        (state, applied) => *state = without_nulls(applied),
    }
}

/// What is applied stands in the order in which it is applied; other items keep their places between those that are, as
/// far as that order lets them (`mergingWalker.visitListItems`).
fn merged_items(
    place: Place<'_>,
    items: Vec<Value>,
    applied: &[Value],
    by: &Items,
    fields: &[&Value],
) -> Vec<Value> {
    let owned = by.owned(fields);
    let places = by.places(&items);
    let wanted: Vec<Option<String>> = applied.iter().map(|item| by.identity(item)).collect();
    let is_applied: HashSet<&String> = wanted.iter().flatten().collect();
    let is_other = |item: &Value| by.identity(item).is_none_or(|known| !is_applied.contains(&known));
    // The places of the items that are applied again, in the order in which they shall stand.
    let mut again = wanted.iter().flatten().filter_map(|known| places.get(known).copied()).peekable();
    let mut result: Vec<Value> = Vec::with_capacity(items.len().max(applied.len()));
    let mut left: Vec<Option<Value>> = items.into_iter().map(Some).collect();
    let mut next = 0;
    for (known, value) in wanted.iter().zip(applied) {
        while next < left.len() && again.peek() != Some(&next) {
            if left.get(next).and_then(Option::as_ref).is_some_and(is_other) {
                result.extend(left.get_mut(next).and_then(Option::take));
            }
            next += 1;
        }
        let at = known.as_ref().and_then(|known| places.get(known).copied());
        if at.is_some() {
            again.next();
        }
        match at.and_then(|at| left.get_mut(at)).and_then(Option::take) {
            Some(mut item) => {
                let fields = known.as_ref().and_then(|known| owned.get(known));
                merge(place, &mut item, value, fields.map_or(&[][..], Vec::as_slice));
                result.push(item);
            }
            None => result.push(without_nulls(value)),
        }
    }
    result.extend(left.into_iter().flatten());
    result
}

/// To apply null is not to apply it.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

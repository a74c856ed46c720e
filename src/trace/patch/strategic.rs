//! Strategic merge patch: a merge patch that knows which lists are merged by which member, with directives
//! (`k8s.io/apimachinery/pkg/util/strategicpatch`).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::lists::{ListKind, identity, list_kind};
use super::{Cannot, cannot};

/// Directive: `replace`, `delete` or `merge` for the map it stands in.
const PATCH: &str = "$patch";

/// Directive: the members of a map that may stay.
const RETAIN: &str = "$retainKeys";

/// Prefix of the directive with the order that a list's items shall have.
const ORDER: &str = "$setElementOrder/";

/// Prefix of the directive with the values that are taken from a list.
const DELETE: &str = "$deleteFromPrimitiveList/";

/// What the patch makes of the state.
pub(super) fn patched(state: &Value, patch: &Value) -> Result<Value, Cannot> {
    match (state, patch) {
        (Value::Object(state), Value::Object(patch)) => merged_maps("", state, patch),
        _ => cannot("a strategic merge patch is an object"),
    }
}

/// `name` is the member that holds the map.
fn merged_maps(name: &str, state: &Map<String, Value>, patch: &Map<String, Value>) -> Result<Value, Cannot> {
    match patch.get(PATCH).and_then(Value::as_str) {
        Some("replace") => return Ok(Value::Object(without_directives(patch))),
        Some("delete") => return Ok(Value::Object(Map::new())),
        Some("merge") | None => {}
        Some(other) => return cannot(format!("{other} is no patch directive")),
    }
    let mut members = state.clone();
    if let Some(retained) = patch.get(RETAIN).and_then(Value::as_array) {
        members.retain(|key, _| retained.iter().any(|kept| kept.as_str() == Some(key)));
    }
    for (key, change) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let after = match (members.get(key), change) {
            (_, Value::Null) => {
                members.shift_remove(key);
                continue;
            }
            (Some(Value::Object(before)), Value::Object(change)) => merged_maps(key, before, change)?,
            (None, Value::Object(change)) => merged_maps(key, &Map::new(), change)?,
            (Some(Value::Array(before)), Value::Array(change)) => merged_lists(name, key, before, change)?,
            (None, Value::Array(change)) => merged_lists(name, key, &[], change)?,
            (_, change) => change.clone(),
        };
        members.insert(key.clone(), after);
    }
    for (directive, told) in patch {
        let Some(told) = told.as_array() else { continue };
        if let Some(list) = directive.strip_prefix(DELETE) {
            if let Some(Value::Array(items)) = members.get_mut(list) {
                let gone: HashSet<String> = told.iter().map(Value::to_string).collect();
                items.retain(|item| !gone.contains(&item.to_string()));
            }
        } else if let Some(list) = directive.strip_prefix(ORDER)
            && let Some(Value::Array(items)) = members.get_mut(list)
        {
            let before = state.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            *items = in_order(std::mem::take(items), told, before, Identify::items_of(name, list));
        }
    }
    // A built-in type does not write an empty list that is merged.
    members.retain(|key, value| {
        let is_emptied = value.as_array().is_some_and(Vec::is_empty) && state.get(key) != Some(&*value);
        !is_emptied || list_kind(name, key) == ListKind::Atomic
    });
    Ok(Value::Object(members))
}

fn merged_lists(parent: &str, name: &str, state: &[Value], patch: &[Value]) -> Result<Value, Cannot> {
    let directive = |item: &Value| item.get(PATCH).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        let kept = patch.iter().filter(|item| directive(item).is_none()).cloned().collect();
        return Ok(Value::Array(kept));
    }
    let identify = match list_kind(parent, name) {
        ListKind::Atomic => return Ok(Value::Array(patch.to_vec())),
        ListKind::Set => Identify::ByValue,
        ListKind::Map(_) => Identify::items_of(parent, name),
    };
    let gone: HashSet<String> = patch
        .iter()
        .filter(|item| directive(item).as_deref() == Some("delete"))
        .filter_map(|item| identify.of(item))
        .collect();
    let mut items: Vec<Value> = state
        .iter()
        .filter(|item| identify.of(item).is_none_or(|known| !gone.contains(&known)))
        .cloned()
        .collect();
    let mut places = places(&items, identify);
    for change in patch.iter().filter(|item| directive(item).as_deref() != Some("delete")) {
        let Some(known) = identify.of(change) else {
            return cannot(format!("an item of {name} has nothing that it is known by"));
        };
        let found = places.get(&known).copied();
        match (found.and_then(|at| items.get_mut(at)), change) {
            (Some(item), Value::Object(members)) => {
                let before = item.as_object().cloned().unwrap_or_default();
                *item = merged_maps(name, &before, members)?;
            }
            (Some(_), _) => {}
            (None, change) => {
                places.insert(known, items.len());
                items.push(match change {
                    Value::Object(members) => merged_maps(name, &Map::new(), members)?,
                    other => other.clone(),
                });
            }
        }
    }
    Ok(Value::Array(in_order(items, patch, state, identify)))
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch
        .iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What tells the items of a list apart.
#[derive(Clone, Copy)]
enum Identify {
    /// This member.
    ByMember(&'static str),
    /// What they are.
    ByValue,
}

impl Identify {
    /// Strategic merge knows one member only.
    fn items_of(parent: &str, name: &str) -> Identify {
        match list_kind(parent, name) {
            ListKind::Map([member, ..]) => Identify::ByMember(member),
            _ => Identify::ByValue,
        }
    }

    fn of(self, item: &Value) -> Option<String> {
        match self {
            Identify::ByMember(member) => identity(item, &[member]),
            Identify::ByValue => Some(item.to_string()),
        }
    }
}

fn places(items: &[Value], identify: Identify) -> HashMap<String, usize> {
    // The first of two that are known by the same counts.
    items.iter().enumerate().rev().filter_map(|(at, item)| Some((identify.of(item)?, at))).collect()
}

/// Puts items into the order that is asked for. Those that it does not name stay before the items that they stood
/// before (`mergeSortedSlice`), and go to the end where no such item is left.
fn in_order(items: Vec<Value>, asked: &[Value], before: &[Value], identify: Identify) -> Vec<Value> {
    let (asked, before) = (places(asked, identify), places(before, identify));
    let place = |item: &Value, places: &HashMap<String, usize>| {
        identify.of(item).and_then(|known| places.get(&known).copied())
    };
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let stood = place(&item, &before);
        match place(&item, &asked) {
            Some(at) => named.push((at, stood, item)),
            None => others.push((stood, item)),
        }
    }
    named.sort_by_key(|(at, ..)| *at);
    let mut result = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, stood, item) in named {
        let stands_before = |other: &(Option<usize>, Value)| other.0.is_some_and(|at| Some(at) < stood);
        while let Some((_, other)) = others.next_if(stands_before) {
            result.push(other);
        }
        result.push(item);
    }
    result.extend(others.map(|(_, other)| other));
    result
}

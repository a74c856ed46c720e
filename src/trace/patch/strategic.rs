//! Strategic merge patch: a merge patch that knows which lists are merged by which member, with directives
//! (`k8s.io/apimachinery/pkg/util/strategicpatch`).

use serde_json::{Map, Value};

use super::lists::{ListKind, list_kind, same_item};
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
    for (key, change) in patch {
        if let Some(list) = key.strip_prefix(DELETE) {
            if let (Some(Value::Array(items)), Some(gone)) = (members.get_mut(list), change.as_array()) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        let before = members.get(key);
        let after = match (before, change) {
            (_, Value::Null) => {
                members.remove(key);
                continue;
            }
            (Some(Value::Object(before)), Value::Object(change)) => merged_maps(key, before, change)?,
            (Some(Value::Array(before)), Value::Array(change)) => merged_lists(name, key, before, change)?,
            (None, Value::Object(change)) => merged_maps(key, &Map::new(), change)?,
            (None, Value::Array(change)) => merged_lists(name, key, &[], change)?,
            (_, change) => change.clone(),
        };
        members.insert(key.clone(), after);
    }
    for (key, order) in patch {
        if let Some(list) = key.strip_prefix(ORDER)
            && let (Some(Value::Array(items)), Some(order)) = (members.get_mut(list), order.as_array())
        {
            order_items(list_kind(name, list), items, order);
        }
    }
    Ok(Value::Object(members))
}

fn merged_lists(parent: &str, name: &str, state: &[Value], patch: &[Value]) -> Result<Value, Cannot> {
    let replaces = |item: &Value| item.get(PATCH).and_then(Value::as_str) == Some("replace");
    if patch.iter().any(replaces) {
        let kept = patch.iter().filter(|item| !replaces(item)).cloned().collect();
        return Ok(Value::Array(kept));
    }
    let keys = match list_kind(parent, name) {
        ListKind::Atomic => return Ok(Value::Array(patch.to_vec())),
        ListKind::Set => {
            let mut items = state.to_vec();
            items.extend(patch.iter().filter(|item| !state.contains(item)).cloned());
            return Ok(Value::Array(items));
        }
        // Strategic merge knows one member only.
        ListKind::Map(keys) => keys.get(..1).unwrap_or(keys),
    };
    let mut items = state.to_vec();
    for change in patch {
        let Value::Object(members) = change else { return cannot(format!("an item of {name} is no object")) };
        let found = items.iter().position(|item| same_item(change, item, keys));
        if members.get(PATCH).and_then(Value::as_str) == Some("delete") {
            items.retain(|item| !same_item(change, item, keys));
            continue;
        }
        match found.and_then(|at| items.get_mut(at)) {
            Some(item) => {
                let before = item.as_object().cloned().unwrap_or_default();
                *item = merged_maps(name, &before, members)?;
            }
            None => items.push(merged_maps(name, &Map::new(), members)?),
        }
    }
    Ok(Value::Array(items))
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch
        .iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Puts items into the order that is asked for. One that the order does not know stays behind the item that it stood
/// behind.
fn order_items(kind: ListKind, items: &mut Vec<Value>, order: &[Value]) {
    let same = |item: &Value, wanted: &Value| match kind {
        ListKind::Map(keys) => same_item(wanted, item, keys.get(..1).unwrap_or(keys)),
        _ => item == wanted,
    };
    let before = std::mem::take(items);
    let place = |item: &Value| order.iter().position(|wanted| same(item, wanted));
    let mut known: Vec<(usize, usize)> =
        before.iter().enumerate().filter_map(|(at, item)| Some((place(item)?, at))).collect();
    known.sort_unstable();
    let mut sequence: Vec<usize> = known.into_iter().map(|(_, at)| at).collect();
    for (at, item) in before.iter().enumerate() {
        if place(item).is_some() {
            continue;
        }
        let behind =
            at.checked_sub(1).and_then(|previous| sequence.iter().position(|known| *known == previous));
        sequence.insert(behind.map_or(0, |behind| behind + 1), at);
    }
    items.extend(sequence.into_iter().filter_map(|at| before.get(at).cloned()));
}

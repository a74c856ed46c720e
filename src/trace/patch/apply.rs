//! Server-side apply: what is applied is merged into the object, and what the same manager had applied before and does
//! not apply any more goes, unless somebody else owns it, too (`sigs.k8s.io/structured-merge-diff`).

use serde_json::Value;

use super::lists::{ListKind, list_kind, same_item};

/// What applying makes of the state.
pub(super) fn applied(state: &Value, applied: &Value, manager: &str) -> Value {
    let (own, others) = owned(state, manager);
    let mut result = state.clone();
    if let Some(own) = own {
        let others: Vec<&Value> = others.iter().collect();
        prune("", "", &mut result, applied, &own, &others);
    }
    merge("", "", &mut result, applied);
    result
}

/// The fields that the manager applied before, and those that each other manager owns (`metadata.managedFields`).
fn owned(state: &Value, manager: &str) -> (Option<Value>, Vec<Value>) {
    let entries = state.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut own = None;
    let mut others = Vec::new();
    for entry in entries.into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
        let Some(fields) = entry.get("fieldsV1") else { continue };
        if text("manager") == manager && text("operation") == "Apply" && text("subresource").is_empty() {
            own = Some(fields.clone());
        } else {
            others.push(fields.clone());
        }
    }
    (own, others)
}

/// Takes out what is owned and no longer applied.
fn prune(parent: &str, name: &str, state: &mut Value, applied: &Value, own: &Value, others: &[&Value]) {
    let Some(own) = own.as_object() else { return };
    match state {
        Value::Object(members) => {
            for (field, below) in own {
                let Some(key) = field.strip_prefix("f:") else { continue };
                let others_below: Vec<&Value> =
                    others.iter().filter_map(|fields| fields.get(field)).collect();
                match (members.get_mut(key), applied.get(key)) {
                    (Some(value), Some(applied)) => prune(name, key, value, applied, below, &others_below),
                    (Some(_), None) if others_below.is_empty() => drop(members.remove(key)),
                    (Some(value), None) => prune(name, key, value, &Value::Null, below, &others_below),
                    (None, _) => {}
                }
            }
        }
        Value::Array(items) => {
            let keys = match list_kind(parent, name) {
                ListKind::Map(keys) => keys,
                _ => &[],
            };
            for (field, below) in own {
                let wanted = field.strip_prefix("k:").or_else(|| field.strip_prefix("v:"));
                let Some(wanted) = wanted.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
                    continue;
                };
                let is_it = |item: &Value| {
                    if field.starts_with("v:") { *item == wanted } else { matches_key(item, &wanted) }
                };
                let others_below: Vec<&Value> =
                    others.iter().filter_map(|fields| fields.get(field)).collect();
                let applied_items = applied.as_array().map_or(&[][..], Vec::as_slice);
                let still = applied_items
                    .iter()
                    .find(|item| is_it(item) || (!keys.is_empty() && same_item(&wanted, item, keys)));
                let Some(at) = items.iter().position(is_it) else { continue };
                match (still, items.get_mut(at)) {
                    (Some(applied), Some(item)) => prune(parent, name, item, applied, below, &others_below),
                    (None, Some(_)) if others_below.is_empty() => drop(items.remove(at)),
                    (None, Some(item)) => prune(parent, name, item, &Value::Null, below, &others_below),
                    (_, None) => {}
                }
            }
        }
        _ => {}
    }
}

/// Whether an item has the members of a `k:{…}` key.
fn matches_key(item: &Value, key: &Value) -> bool {
    key.as_object().is_some_and(|members| {
        !members.is_empty()
            && members.iter().all(|(name, value)| match item.get(name) {
                None => name == "protocol" && value == "TCP",
                Some(found) => found == value,
            })
    })
}

fn merge(parent: &str, name: &str, state: &mut Value, applied: &Value) {
    match (state, applied) {
        (Value::Object(members), Value::Object(applied)) => {
            for (key, value) in applied {
                match members.get_mut(key) {
                    Some(before) => merge(name, key, before, value),
                    None => drop(members.insert(key.clone(), value.clone())),
                }
            }
        }
        (state @ Value::Array(_), Value::Array(applied)) => {
            let items = state.as_array().cloned().unwrap_or_default();
            *state = Value::Array(match list_kind(parent, name) {
                ListKind::Atomic => applied.clone(),
                ListKind::Set => {
                    let more = applied.iter().filter(|item| !items.contains(item)).cloned();
                    items.iter().cloned().chain(more).collect()
                }
                ListKind::Map(keys) => merged_items(parent, name, items, applied, keys),
            });
        }
        (state, applied) => state.clone_from(applied),
    }
}

/// The applied order holds for what is applied; other items keep their place behind the one they stood behind.
fn merged_items(parent: &str, name: &str, items: Vec<Value>, applied: &[Value], keys: &[&str]) -> Vec<Value> {
    let mut result: Vec<Value> = Vec::with_capacity(items.len().max(applied.len()));
    let mut left: Vec<Option<Value>> = items.into_iter().map(Some).collect();
    for value in applied {
        let at = left.iter().position(|item| item.as_ref().is_some_and(|item| same_item(value, item, keys)));
        match at.and_then(|at| left.get_mut(at)).and_then(Option::take) {
            Some(mut item) => {
                merge(parent, name, &mut item, value);
                result.push(item);
            }
            None => result.push(value.clone()),
        }
    }
    result.extend(left.into_iter().flatten());
    result
}

//! JSON merge patch, RFC 7396.

use serde_json::{Map, Value};

/// What the patch makes of the state.
pub(super) fn patched(state: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut members = match state {
        Value::Object(members) => members.clone(),
        _ => Map::new(),
    };
    for (key, change) in changes {
        if change.is_null() {
            members.shift_remove(key);
        } else {
            let before = members.get(key).unwrap_or(&Value::Null);
            let after = patched(before, change);
            members.insert(key.clone(), after);
        }
    }
    Value::Object(members)
}

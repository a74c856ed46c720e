//! JSON patch, RFC 6902, with the pointers of RFC 6901.
//!
//! Within the limits of the API server, so that a few hostile lines cannot make objects of any size: copies can double
//! an object with each operation.

use serde_json::Value;

use super::{Cannot, cannot};

/// Operations of one patch that the API server takes (`maxJSONPatchOperations`).
const MOST_OPERATIONS: usize = 10_000;

/// Bytes that the operations of one patch may copy (`jsonPatchMaxCopyBytes`), and that an object with copies in it may
/// have: what a request to the server may hold.
const MOST_BYTES: usize = 3 << 20;

/// Levels that an object may have: what a JSON reader takes.
const DEEPEST: usize = 127;

/// What the operations make of the state.
pub(super) fn patched(state: &Value, patch: &Value) -> Result<Value, Cannot> {
    let Some(operations) = patch.as_array() else { return cannot("a JSON patch is a list of operations") };
    if operations.len() > MOST_OPERATIONS {
        return cannot(format!("the patch has {} operations, more than the server takes", operations.len()));
    }
    let mut patched = Patched { state: state.clone(), copied: 0 };
    for (at, operation) in operations.iter().enumerate() {
        patched
            .perform(operation)
            .map_err(|Cannot(why)| Cannot(format!("operation {} of the patch: {why}", at + 1)))?;
    }
    if patched.copied > 0 && patched.state.to_string().len() > MOST_BYTES {
        return cannot("the object would be larger than the server takes");
    }
    Ok(patched.state)
}

struct Patched {
    state: Value,
    /// Bytes that were copied so far.
    copied: usize,
}

impl Patched {
    fn perform(&mut self, operation: &Value) -> Result<(), Cannot> {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let Some(path) = text("path") else { return cannot("it names no path") };
        let from = || text("from").map_or_else(|| cannot("it names no place to take a value from"), Ok);
        let value = operation.get("value").unwrap_or(&Value::Null);
        let state = &mut self.state;
        match text("op") {
            Some("add") => add(state, path, value.clone()),
            Some("remove") => remove(state, path).map(drop),
            Some("replace") => {
                remains_shallow(path, value)?;
                let Some(place) = find(state, path) else { return absent(path) };
                *place = value.clone();
                Ok(())
            }
            Some("move") => {
                let from = from()?;
                if path.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
                    return cannot("it moves a value into itself");
                }
                let moved = remove(state, from)?;
                add(state, path, moved)
            }
            Some("copy") => {
                let from = from()?;
                let Some(copied) = find(state, from).map(|value| value.clone()) else { return absent(from) };
                self.copied += copied.to_string().len();
                if self.copied > MOST_BYTES {
                    return cannot("it copies more than the server takes");
                }
                add(state, path, copied)
            }
            // To the server's library, what is not there is null.
            Some("test") => match find(state, path) {
                Some(found) if found == value => Ok(()),
                None if value.is_null() => Ok(()),
                _ => cannot(format!("it tests {path}, which is another value in the state that is known")),
            },
            other => cannot(format!("{} is no operation", other.unwrap_or("nothing"))),
        }
    }
}

/// Holds a value that is put somewhere to the depth that an object may have.
fn remains_shallow(path: &str, value: &Value) -> Result<(), Cannot> {
    fn fits(value: &Value, levels: usize) -> bool {
        match value {
            Value::Object(members) => levels > 0 && members.values().all(|value| fits(value, levels - 1)),
            Value::Array(items) => levels > 0 && items.iter().all(|value| fits(value, levels - 1)),
            _ => true,
        }
    }
    match DEEPEST.checked_sub(path.matches('/').count()) {
        Some(levels) if fits(value, levels) => Ok(()),
        _ => cannot("the object would be nested too deeply"),
    }
}

fn absent<T>(path: &str) -> Result<T, Cannot> {
    cannot(format!("{path} is not in the state that is known"))
}

fn steps(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let rest = path.strip_prefix('/')?;
    Some(rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// An index as RFC 6901 writes it: no sign, no leading zero.
fn index(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit()) && (step.len() == 1 || !step.starts_with('0'));
    plain.then(|| step.parse().ok()).flatten()
}

fn walk<'v>(state: &'v mut Value, steps: &[String]) -> Option<&'v mut Value> {
    steps.iter().try_fold(state, |value, step| match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(items) => items.get_mut(index(step)?),
        _ => None,
    })
}

fn find<'v>(state: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    walk(state, &steps(path)?)
}

fn add(state: &mut Value, path: &str, value: Value) -> Result<(), Cannot> {
    remains_shallow(path, &value)?;
    let Some(steps) = steps(path) else { return absent(path) };
    let Some((last, parents)) = steps.split_last() else {
        *state = value;
        return Ok(());
    };
    match walk(state, parents) {
        Some(Value::Object(members)) => {
            members.insert(last.clone(), value);
            Ok(())
        }
        Some(Value::Array(items)) if last == "-" => {
            items.push(value);
            Ok(())
        }
        Some(Value::Array(items)) => match index(last).filter(|at| *at <= items.len()) {
            Some(at) => {
                items.insert(at, value);
                Ok(())
            }
            None => absent(path),
        },
        _ => absent(path),
    }
}

fn remove(state: &mut Value, path: &str) -> Result<Value, Cannot> {
    let Some(steps) = steps(path) else { return absent(path) };
    let Some((last, parents)) = steps.split_last() else { return Ok(std::mem::take(state)) };
    let removed = match walk(state, parents) {
        Some(Value::Object(members)) => members.shift_remove(last),
        Some(Value::Array(items)) => index(last).filter(|at| *at < items.len()).map(|at| items.remove(at)),
        _ => None,
    };
    removed.map_or_else(|| absent(path), Ok)
}

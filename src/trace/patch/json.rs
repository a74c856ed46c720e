//! JSON patch, RFC 6902, with the pointers of RFC 6901.

use serde_json::Value;

use super::{Cannot, cannot};

/// What the operations make of the state.
pub(super) fn patched(state: &Value, patch: &Value) -> Result<Value, Cannot> {
    let Some(operations) = patch.as_array() else { return cannot("a JSON patch is a list of operations") };
    let mut result = state.clone();
    for (at, operation) in operations.iter().enumerate() {
        perform(&mut result, operation)
            .map_err(|Cannot(why)| Cannot(format!("operation {} of the patch: {why}", at + 1)))?;
    }
    Ok(result)
}

fn perform(state: &mut Value, operation: &Value) -> Result<(), Cannot> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    let Some(path) = text("path") else { return cannot("it names no path") };
    let value = || operation.get("value").cloned().unwrap_or(Value::Null);
    match text("op") {
        Some("add") => add(state, path, value()),
        Some("remove") => remove(state, path).map(drop),
        Some("replace") => {
            let Some(place) = find(state, path) else { return absent(path) };
            *place = value();
            Ok(())
        }
        Some("move") => {
            let Some(from) = text("from") else { return cannot("it names no place to move from") };
            if path.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
                return cannot("it moves a value into itself");
            }
            let moved = remove(state, from)?;
            add(state, path, moved)
        }
        Some("copy") => {
            let Some(from) = text("from") else { return cannot("it names no place to copy from") };
            let Some(copied) = find(state, from).map(|value| value.clone()) else { return absent(from) };
            add(state, path, copied)
        }
        Some("test") => match find(state, path) {
            Some(found) if *found == value() => Ok(()),
            _ => cannot(format!("it tests {path}, which is another value in the state that is known")),
        },
        other => cannot(format!("{} is no operation", other.unwrap_or("nothing"))),
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
        Some(Value::Object(members)) => members.remove(last),
        Some(Value::Array(items)) => index(last).filter(|at| *at < items.len()).map(|at| items.remove(at)),
        _ => None,
    };
    removed.map_or_else(|| absent(path), Ok)
}

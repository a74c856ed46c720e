//! Requests that delete one object or all that are selected.

use serde_json::Value;

use super::{Asked, Body, KubectlLine, read, resources};

pub(super) fn delete(asked: &Asked<'_>) -> KubectlLine {
    let request = asked.request;
    if request.object.resource.is_empty() || !request.subresource.is_empty() {
        return asked.raw("delete");
    }
    let line = if request.verb == "deletecollection" { collection(asked) } else { one(asked) };
    with_options(asked, line)
}

fn one(asked: &Asked<'_>) -> KubectlLine {
    asked.write(["delete".to_owned(), asked.reference()])
}

fn collection(asked: &Asked<'_>) -> KubectlLine {
    let object = &asked.request.object;
    let mut line = asked.write(["delete".to_owned(), resources::plural(&object.group, &object.resource)]);
    if !read::select(asked, &mut line) {
        line.words.push("--all".to_owned());
    }
    line.but("kubectl lists them and deletes one after the other")
}

/// What DeleteOptions say, which stand in the body or in the query.
fn with_options(asked: &Asked<'_>, mut line: KubectlLine) -> KubectlLine {
    let body = asked.body();
    let in_body = |key: &str| body.and_then(|body| body.get(key)).filter(|value| !value.is_null());
    let policy = in_body("propagationPolicy").and_then(Value::as_str).map(str::to_owned);
    match policy.or_else(|| asked.parameter("propagationPolicy")).as_deref() {
        Some("Foreground") => line.words.push("--cascade=foreground".to_owned()),
        Some("Orphan") => line.words.push("--cascade=orphan".to_owned()),
        // Background is what kubectl asks for by itself.
        _ => {}
    }
    let grace = in_body("gracePeriodSeconds").and_then(Value::as_i64);
    match grace.or_else(|| asked.parameter("gracePeriodSeconds")?.parse().ok()) {
        Some(0) => line.words.extend(["--grace-period=0".to_owned(), "--force".to_owned()]),
        Some(seconds) => line.words.push(format!("--grace-period={seconds}")),
        None => {}
    }
    if in_body("preconditions").is_some() {
        line = line.but("kubectl cannot make it depend on uid or resourceVersion");
    }
    match asked.body {
        Body::Logged(_) => line,
        // It asked for nothing in particular.
        Body::Absent if asked.request.succeeded() => line,
        Body::Absent | Body::NotLogged => line.but("its options are not in the log"),
    }
}

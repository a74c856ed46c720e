//! What the application controller says of an operation beside its audit records: who asked for it, each object's
//! result, and when it was over.

use super::{frame, without_credentials};
use crate::format::controller::Told;
use crate::format::details::TouchedObject;
use crate::format::fields::Fields;
use crate::model::SECOND;

/// What a line of the operation log tells; `None` for its chatter.
pub(super) fn read(fields: &Fields<'_>, message: &str) -> Option<Told> {
    if let Some(operation) = message.strip_prefix("Initialized new operation: ") {
        return Some(began(fields, message, operation));
    }
    if let Some(result) = message.strip_prefix("Adding resource result, ") {
        return object_result(fields, message, result);
    }
    if message.starts_with("Finished processing requested app operation") {
        return finished(fields, message);
    }
    if message.starts_with("Successfully deleted ") && message.ends_with(" resources") {
        return Some(frame(fields, message).by_controller().with_outcome("prune", Told::SUCCEEDED));
    }
    None
}

/// The operation as Go prints it: `{&SyncOperation{Revision:…,Prune:false,…} {admin false} [] {…}}`.
fn began(fields: &Fields<'_>, message: &str, operation: &str) -> Told {
    let member = |name: &str| {
        let at = operation.find(name)? + name.len();
        let rest = &operation[at..];
        Some(&rest[..rest.find([',', '}', ']', ' ']).unwrap_or(rest.len())])
    };
    // What stands behind the sync: name, and whether it was the controller's own idea. A name may have spaces.
    let initiator = operation.find("} {").map(|at| &operation[at + 3..]).and_then(|rest| {
        let inside = &rest[..rest.find('}')?];
        inside.rsplit_once(' ')
    });
    let (user, automated) = initiator.map_or(("", false), |(user, automated)| (user, automated == "true"));
    let mut told = frame(fields, message).for_initiator(user, automated).with_outcome("begin", 0);
    told = told.with_revisions(member("{Revision:").unwrap_or_default());
    if told.details.revision.is_empty()
        && let Some(revisions) = member("Revisions:[")
    {
        told = told.with_revisions(revisions);
    }
    told.details.started = told.time;
    told.details.prune = member("Prune:").and_then(|word| word.parse().ok());
    told.details.dry_run = member("DryRun:").and_then(|word| word.parse().ok());
    if let Some(url) = member("RepoURL:") {
        told.details.repository = without_credentials(url);
    }
    told
}

/// The result of one object: `status: 'Synced', phase: 'Succeeded', message: 'deployment.apps/web configured'`.
fn object_result(fields: &Fields<'_>, message: &str, result: &str) -> Option<Told> {
    let part = |name: &str| {
        let rest = &result[result.find(name)? + name.len()..];
        Some(&rest[..rest.find('\'').unwrap_or(rest.len())])
    };
    let status = part("status: '").unwrap_or_default();
    // The message is the last part and may hold quotes.
    let said = result.split_once("message: '").map_or("", |(_, said)| said.trim_end_matches('\''));
    if said.contains("dry run") || said.ends_with("unchanged") {
        return None;
    }
    let mut told = frame(fields, message).by_controller();
    told.details.objects = vec![TouchedObject {
        group: fields.text("group").into_owned(),
        kind: fields.text("kind").into_owned(),
        namespace: fields.text("namespace").into_owned(),
        name: fields.text("name").into_owned(),
        result: status.to_owned(),
    }];
    said.clone_into(&mut told.details.message);
    match status {
        "Synced" => Some(told.with_outcome("apply", Told::SUCCEEDED)),
        "Pruned" => Some(told.with_outcome("prune", Told::SUCCEEDED)),
        "SyncFailed" => Some(told.with_outcome("fail", Told::FAILED)),
        _ => None,
    }
}

/// The end of an operation, in versions that tell its times: `startedAt` and `finishedAt` in seconds.
fn finished(fields: &Fields<'_>, message: &str) -> Option<Told> {
    let seconds = |key| {
        let number = fields.number(key).filter(|seconds| *seconds > 0)?;
        number.checked_mul(SECOND)
    };
    let finish = seconds("finishedAt").or_else(|| fields.moment("finishedAt"))?;
    let mut told = frame(fields, message).by_controller();
    told.details.started = seconds("startedAt").or_else(|| fields.moment("startedAt"));
    told.received = told.details.started;
    told.details.finished = Some(finish);
    let revisions = fields.json("revisions").map(|value| match value {
        serde_json::Value::Array(items) => {
            items.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(", ")
        }
        serde_json::Value::String(text) => text.trim_matches(['[', ']']).replace(' ', ", "),
        _ => String::new(),
    });
    told = told.with_revisions(&revisions.unwrap_or_default());
    let code = match fields.text("phase").as_ref() {
        "Succeeded" => Told::SUCCEEDED,
        "Failed" | "Error" => Told::FAILED,
        _ => 0,
    };
    Some(told.with_outcome("finish", code))
}

//! Argo CD's audit records: what somebody did through the server, and how the controller's operations began and ended.

use super::frame;
use crate::format::controller::Told;
use crate::format::details::TouchedObject;
use crate::format::fields::Fields;

/// The reasons of audit records (`util/argo/audit_logger.go`).
const REASONS: [&str; 7] = [
    "StatusRefreshed",
    "ResourceCreated",
    "ResourceUpdated",
    "ResourceDeleted",
    "ResourceActionRan",
    "OperationStarted",
    "OperationCompleted",
];

/// Whether a line is an audit record; those about projects and ApplicationSets have no key that is Argo CD's alone.
pub(super) fn wrote(fields: &Fields<'_>) -> bool {
    REASONS.contains(&fields.text("reason").as_ref())
        && matches!(fields.text("type").as_ref(), "Normal" | "Warning")
}

/// What an audit record tells. Lines that only retell one, with the names that people give its keys, are read as well.
pub(super) fn read(fields: &Fields<'_>, message: &str) -> Option<Told> {
    if fields.has("app") {
        return retold(fields, message);
    }
    // The controller logs an automated sync a second time, without a reason.
    if !REASONS.contains(&fields.text("reason").as_ref()) {
        return None;
    }
    by_controller(fields, message).or_else(|| by_person(fields, message))
}

fn by_controller(fields: &Fields<'_>, message: &str) -> Option<Told> {
    let told = || frame(fields, message);
    if let Some(revisions) = message.strip_prefix("Initiated automated sync to ") {
        return Some(
            told()
                .for_initiator("", true)
                .with_outcome("sync", 0)
                .with_revisions(revisions.trim_matches('\'')),
        );
    }
    if message.starts_with("Updated sync status: ") || message.starts_with("Updated health status: ") {
        return Some(told().by_controller().with_outcome("status", 0));
    }
    let operation = message
        .strip_prefix("Sync operation to ")
        .or_else(|| message.strip_prefix("Partial sync operation to "))?;
    let mut told = told().by_controller();
    told.details.finished = told.time;
    // The revision may be empty: then there are two spaces.
    if let Some(revisions) = operation.strip_suffix("succeeded") {
        return Some(told.with_outcome("complete", Told::SUCCEEDED).with_revisions(revisions.trim()));
    }
    let (revisions, why) = operation.split_once("failed")?;
    why.trim_start_matches(':').trim().clone_into(&mut told.details.message);
    Some(told.with_outcome("fail", Told::FAILED).with_revisions(revisions.trim()))
}

fn by_person(fields: &Fields<'_>, message: &str) -> Option<Told> {
    let field = fields.text("user");
    let (user, deed) = match message.strip_prefix(field.as_ref()).and_then(|rest| rest.strip_prefix(' ')) {
        Some(deed) if !field.is_empty() => (field.as_ref(), deed),
        // A name has no spaces, but for that of nobody.
        _ => match message.strip_prefix("Unknown user ") {
            Some(deed) => ("Unknown user", deed),
            None => message.split_once(' ')?,
        },
    };
    let mut told = frame(fields, message).by_person(user);
    let words: Vec<&str> = deed.split(' ').collect();
    let told = match words.as_slice() {
        ["initiated", "sync", "locally"] => told.with_outcome("override", 0),
        ["initiated", "rollback", "to", history, ..] => {
            told.details.history_id = history.parse().ok();
            told.with_outcome("rollback", 0)
        }
        ["initiated", "sync", "to", ..] | ["initiated", "partial", "sync", "to", ..] => {
            let revision = deed.split_once(" to ").map_or("", |(_, revision)| revision);
            told.with_outcome("sync", 0).with_revisions(revision)
        }
        ["terminated", ..] => told.with_outcome("terminate", 0),
        ["ran", "action", action, ..] => {
            told.object.subresource = (*action).to_owned().into();
            told.with_outcome("action", 0)
        }
        [word @ ("created" | "deleted"), "token", ..] => {
            told.object.subresource = "token".into();
            told.with_outcome(if *word == "created" { "create" } else { "delete" }, 0)
        }
        ["created", ..] => told.with_outcome("create", 0),
        ["updated", ..] => told.with_outcome("update", 0),
        ["patched", "resource", written, ..] => {
            told.details.objects = vec![resource(written, deed, "patched")];
            told.with_outcome("patch", 0)
        }
        ["patched", ..] => told.with_outcome("patch", 0),
        ["deleted", "resource", written, ..] => {
            told.details.objects = vec![resource(written, deed, "deleted")];
            told.with_outcome("delete", 0)
        }
        ["deleted", ..] => told.with_outcome("delete", 0),
        _ => return None,
    };
    Some(told)
}

/// The resource in `patched resource apps/Deployment 'web'`.
fn resource(written: &str, deed: &str, result: &str) -> TouchedObject {
    let (group, kind) = written.split_once('/').unwrap_or(("", written));
    TouchedObject {
        group: group.to_owned(),
        kind: kind.to_owned(),
        name: deed.split('\'').nth(1).unwrap_or_default().to_owned(),
        result: result.to_owned(),
        ..TouchedObject::default()
    }
}

/// Lines such as people paste into reports, with `app`, `dest`, `url` and `commit`.
fn retold(fields: &Fields<'_>, message: &str) -> Option<Told> {
    let lower = message.to_ascii_lowercase();
    let verb = if lower.starts_with("rollback") {
        "rollback"
    } else if lower.starts_with("sync") {
        if lower.contains("fail") { "fail" } else { "sync" }
    } else {
        return None;
    };
    let user = fields.text("user");
    let told = frame(fields, message);
    let told = if user.is_empty() { told.by_controller() } else { told.by_person(&user) };
    let code = if verb == "fail" { Told::FAILED } else { 0 };
    Some(told.with_outcome(verb, code))
}

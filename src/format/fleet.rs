//! The logs of Fleet's controllers and agents, as JSON and in zap's console form (FORMATS.md 4.3).
//!
//! The commit stands in the lines of the controllers only: in the Event `GotNewCommit`, whose message it is, and, at debug
//! level, in what is said of a GitRepo's reconciliation. What an agent deploys is joined to it by the name of the
//! BundleDeployment. Fleet's service accounts are named as its chart installs them, in `cattle-fleet-system`.

use std::borrow::Cow;

use serde_json::Value;

use super::controller::Told;
use super::details::{ControllerDetails, Destination, Initiator, ObjectName, without_credentials};
use super::fields::Fields;
use crate::model::{LogKind, ObjectRef, Stage};

const GROUP: &str = "fleet.cattle.io";

/// Kinds under which a line names its object, with their resources.
const KINDS: [(&str, &str); 7] = [
    ("BundleDeployment", "bundledeployments"),
    ("Bundle", "bundles"),
    ("GitRepo", "gitrepos"),
    ("HelmOp", "helmops"),
    ("Cluster", "clusters"),
    ("ClusterGroup", "clustergroups"),
    ("Schedule", "schedules"),
];

/// Loggers of Fleet's own, by their beginnings.
const LOGGERS: [&str; 8] =
    ["bundle", "gitops", "gitjob", "fleet", "helmop", "helm-deployer", "drift", "cluster-status"];

/// Whether a line that zap wrote is Fleet's.
pub(super) fn wrote(fields: &Fields<'_>) -> bool {
    let logger = fields.text("logger");
    fields.text("controllerGroup") == GROUP
        || ["BundleDeployment", "GitRepo", "bundledeployment", "gitrepo"].iter().any(|key| fields.has(key))
        || LOGGERS.iter().any(|own| logger.starts_with(own))
        || event_object(fields).is_some_and(|object| is_own(&object))
}

/// What a line of [`wrote`] tells; `None` when it tells of no change.
pub(super) fn read(fields: &Fields<'_>) -> Option<Told> {
    let message = fields.text("msg");
    let mut told = frame(fields, &message);
    if let Some(object) = event_object(fields).filter(is_own) {
        return event(fields, &object, told);
    }
    let new_commit = fields.first_text(&["newCommit", "commit"]);
    match message.as_ref() {
        "Deployed bundle" => return Some(told.with_outcome("deploy", Told::SUCCEEDED)),
        "New commit from repository" => {
            return Some(told.with_revisions(&new_commit).with_outcome("new-commit", 0));
        }
        // Without a commit, nothing has been fetched yet.
        _ if message.starts_with("Reconciling GitRepo") && !new_commit.is_empty() => {
            return Some(told.with_revisions(&new_commit).with_outcome("reconcile", Told::SUCCEEDED));
        }
        _ => {}
    }
    if fields.text("level") == "error" {
        let error = fields.text("error");
        if !error.is_empty() {
            told.details.message = format!("{message}: {error}");
            told.reason.clone_from(&told.details.message);
        }
        return Some(told.with_outcome("fail", Told::FAILED));
    }
    let lower = message.to_ascii_lowercase();
    if lower.contains("paused") || lower.contains("suspended") {
        return Some(told.with_outcome("suspended", 0));
    }
    (lower.starts_with("deleted ") || lower.starts_with("uninstalled "))
        .then(|| told.with_outcome("delete", Told::SUCCEEDED))
}

/// The object of a line that records an Event of the cluster.
fn event_object(fields: &Fields<'_>) -> Option<Value> {
    if !fields.has("reason") || !fields.has("object") {
        return None;
    }
    fields.json("object")
}

fn is_own(object: &Value) -> bool {
    member(object, "apiVersion").starts_with(GROUP)
}

fn member<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or("")
}

/// What an Event tells: a new commit, the job that applies it, or a failure.
fn event(fields: &Fields<'_>, object: &Value, mut told: Told) -> Option<Told> {
    let subject = ObjectName {
        namespace: member(object, "namespace").to_owned(),
        name: member(object, "name").to_owned(),
    };
    let kind = member(object, "kind");
    let resource = KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(Cow::Owned(kind.to_lowercase()), |known| known.1.into());
    told.object = object_ref(resource, &subject);
    told.details.subject = subject;
    let message = fields.text("msg");
    match (fields.text("reason").as_ref(), fields.text("type").as_ref()) {
        ("GotNewCommit", _) => Some(told.with_revisions(&message).with_outcome("new-commit", 0)),
        (_, "Warning") => Some(told.with_outcome("fail", Told::FAILED)),
        ("Created", _) => {
            told.details.started = told.time;
            Some(told.with_outcome("begin", 0))
        }
        _ => None,
    }
}

/// What every line may tell.
fn frame(fields: &Fields<'_>, message: &str) -> Told {
    let (resource, subject) = subject(fields);
    let component = component(fields);
    let initiator = fields.text("userID").into_owned();
    let time = fields.moment("ts");
    // The namespace of a BundleDeployment names the cluster that it is for.
    let cluster =
        if subject.namespace.starts_with("cluster-") { subject.namespace.clone() } else { String::new() };
    let operation_id = fields.text("reconcileID").into_owned();
    Told {
        log: LogKind::Fleet,
        stage: Stage::ResponseComplete,
        time,
        user: match initiator.as_str() {
            "" => format!("system:serviceaccount:cattle-fleet-system:{component}"),
            user => user.to_owned(),
        },
        object: object_ref(resource, &subject),
        reason: message.to_owned(),
        audit_id: operation_id.clone(),
        details: ControllerDetails {
            component,
            operation_id,
            subject,
            repository: without_credentials(&fields.first_text(&["repo", "repository"])),
            // Both spellings occur in one line, with the same value.
            deployment_id: fields.first_text(&["deploymentID", "DeploymentID"]).into_owned(),
            previous_deployment_id: fields.text("appliedDeploymentID").into_owned(),
            release: fields.first_text(&["release", "releaseName"]).into_owned(),
            destination: Destination { cluster, ..Destination::default() },
            initiator: Initiator { user: initiator, ..Initiator::default() },
            message: message.to_owned(),
            ..ControllerDetails::default()
        },
        ..Told::default()
    }
}

/// The resource and the object of a line of controller-runtime.
fn subject(fields: &Fields<'_>) -> (Cow<'static, str>, ObjectName) {
    let kind = fields.text("controllerKind");
    let named = KINDS.iter().find(|(name, _)| *name == kind || kind.is_empty() && fields.has(name));
    let resource = named.map_or("", |(_, resource)| resource);
    let inside = named.and_then(|(name, _)| fields.json(name)).unwrap_or_default();
    let part = |key: &str| match fields.text(key) {
        text if text.is_empty() => member(&inside, key).to_owned(),
        text => text.into_owned(),
    };
    (resource.into(), ObjectName { namespace: part("namespace"), name: part("name") })
}

/// The Deployment whose program wrote the line.
fn component(fields: &Fields<'_>) -> &'static str {
    let logger = fields.text("logger");
    let is_of = |beginnings: &[&str]| beginnings.iter().any(|beginning| logger.starts_with(beginning));
    if is_of(&["bundledeployment", "drift", "helm-deployer", "cluster-status", "fleet-agent"]) {
        "fleet-agent"
    } else if is_of(&["gitops", "gitjob"]) || fields.has("newCommit") {
        "gitjob"
    } else {
        "fleet-controller"
    }
}

fn object_ref(resource: Cow<'static, str>, subject: &ObjectName) -> ObjectRef<'static> {
    ObjectRef {
        resource,
        namespace: subject.namespace.clone().into(),
        name: subject.name.clone().into(),
        api_group: GROUP.into(),
        api_version: "v1alpha1".into(),
        ..ObjectRef::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fields::read_console;

    fn told(line: &str) -> Option<Told> {
        let fields = Fields::of_json(line).or_else(|| read_console(line)).expect("fields");
        assert!(wrote(&fields), "{line}");
        read(&fields)
    }

    #[test]
    fn a_deployed_bundle_names_its_cluster_and_release() {
        let line = concat!(
            r#"{"level":"info","ts":"2025-03-27T16:58:10Z","logger":"bundledeployment.deploy-bundle","msg":"Deployed bundle","#,
            r#""controllerGroup":"fleet.cattle.io","controllerKind":"BundleDeployment","BundleDeployment":{"name":"app","namespace":"cluster-fleet-default-c-x-1"},"#,
            r#""reconcileID":"2b23","deploymentID":"s-2:b","appliedDeploymentID":"s-1:b","release":"ns/app:30","DeploymentID":"s-2:b"}"#
        );
        let told = told(line).expect("a change");
        assert_eq!(
            (told.verb.as_str(), told.object.resource.as_ref(), told.object.name.as_ref()),
            ("deploy", "bundledeployments", "app")
        );
        assert_eq!(told.user, "system:serviceaccount:cattle-fleet-system:fleet-agent");
        let details = told.details;
        assert_eq!(details.destination.cluster, "cluster-fleet-default-c-x-1");
        assert_eq!(
            (
                details.deployment_id.as_str(),
                details.previous_deployment_id.as_str(),
                details.release.as_str()
            ),
            ("s-2:b", "s-1:b", "ns/app:30")
        );
    }

    #[test]
    fn commits_failures_and_who_wanted_them() {
        let event = |reason: &str, kind: &str| {
            format!(
                "2026-04-15T11:09:07Z\tDEBUG\tevents\ta05144a086e80dd1b6ea0499eef72a6797e5150f\t{{\"type\": \"{kind}\", \"object\": {{\"kind\":\"GitRepo\",\"namespace\":\"fleet-local\",\"name\":\"app\",\"apiVersion\":\"fleet.cattle.io/v1alpha1\"}}, \"reason\": \"{reason}\"}}"
            )
        };
        let new = told(&event("GotNewCommit", "Normal")).expect("a commit");
        assert_eq!(
            (new.verb.as_str(), new.details.commit.as_str()),
            ("new-commit", "a05144a086e80dd1b6ea0499eef72a6797e5150f")
        );
        assert_eq!(
            (new.object.resource.as_ref(), new.object.namespace.as_ref()),
            ("gitrepos", "fleet-local")
        );
        assert_eq!(told(&event("FailedToCheckCommit", "Warning")).expect("a failure").code, 500);
        assert_eq!(told(&event("JobDeleted", "Normal")), None);
        let line = |level: &str, rest: &str| {
            told(&format!(
                r#"{{"level":"{level}","ts":"2025-03-27T16:58:10Z","logger":"gitjob","GitRepo":{{"name":"app","namespace":"fleet-default"}},{rest}}}"#
            ))
        };
        let reconciled = line("debug", r#""msg":"Reconciling GitRepo","commit":"dcf4917293ef131f64724d0c03cadc4f5b257168","userID":"u-abc""#).expect("it has a commit");
        assert_eq!((reconciled.user.as_str(), reconciled.verb.as_str()), ("u-abc", "reconcile"));
        assert_eq!(line("debug", r#""msg":"Reconciling GitRepo status","commit":"""#), None);
        let found =
            line("info", r#""msg":"New commit from repository","newCommit":"dcf4917""#).expect("a commit");
        assert_eq!((found.details.commit.as_str(), found.details.component), ("dcf4917", "gitjob"));
        let failed = line("error", r#""msg":"Reconciler error","error":"no such chart""#).expect("a failure");
        assert_eq!(
            (failed.verb.as_str(), failed.reason.as_str()),
            ("fail", "Reconciler error: no such chart")
        );
        assert_eq!(line("info", r#""msg":"Bundle is paused""#).expect("told").verb, "suspended");
        assert_eq!(line("info", r#""msg":"Starting workers""#), None);
    }
}

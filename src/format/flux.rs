//! The logs of Flux' kustomize-, helm- and source-controller, and of the others built alike (FORMATS.md 4.2): JSON by
//! zap, whose keys three generations of controller-runtime named differently.
//!
//! Flux' service accounts are named as `flux install` makes them, in `flux-system`.

use serde_json::Value;

use super::controller::Told;
use super::details::{ControllerDetails, ObjectName, TouchedObject, commit_of, without_credentials};
use super::fields::Fields;
use crate::model::{LogKind, Micros, ObjectRef, Stage};

/// What ends the API groups of Flux' kinds.
const GROUPS: &str = ".toolkit.fluxcd.io";

/// Each kind with its resource, the first part of its group, and its controller.
const KINDS: [(&str, &str, &str, &str); 15] = [
    ("Kustomization", "kustomizations", "kustomize", "kustomize-controller"),
    ("HelmRelease", "helmreleases", "helm", "helm-controller"),
    ("GitRepository", "gitrepositories", "source", "source-controller"),
    ("OCIRepository", "ocirepositories", "source", "source-controller"),
    ("HelmRepository", "helmrepositories", "source", "source-controller"),
    ("HelmChart", "helmcharts", "source", "source-controller"),
    ("Bucket", "buckets", "source", "source-controller"),
    ("ExternalArtifact", "externalartifacts", "source", "source-controller"),
    ("ImageRepository", "imagerepositories", "image", "image-reflector-controller"),
    ("ImagePolicy", "imagepolicies", "image", "image-reflector-controller"),
    ("ImageUpdateAutomation", "imageupdateautomations", "image", "image-automation-controller"),
    ("Receiver", "receivers", "notification", "notification-controller"),
    ("Alert", "alerts", "notification", "notification-controller"),
    ("Provider", "providers", "notification", "notification-controller"),
    ("Terraform", "terraforms", "infra", "tofu-controller"),
];

/// Whether a line that zap wrote is Flux'.
pub(super) fn wrote(fields: &Fields<'_>) -> bool {
    match fields.first_text(&["controllerGroup", "reconciler group"]) {
        // Other programs have controllers of the same names.
        group if group.is_empty() => kind(fields).is_some(),
        group => group.ends_with(GROUPS),
    }
}

/// What a line of [`wrote`] tells; `None` when it tells of no change.
pub(super) fn read(fields: &Fields<'_>) -> Option<Told> {
    let message = fields.text("msg").into_owned();
    let mut told = frame(fields, &message);
    if fields.text("level") == "error" {
        let error = fields.text("error");
        if !error.is_empty() {
            told.reason = format!("{message}: {error}");
            told.details.message.clone_from(&told.reason);
        }
        told.took(length_behind(&message, " after "));
        return Some(told.with_outcome("fail", Told::FAILED));
    }
    if let Some(at) =
        message.find("finished in ").filter(|_| message.to_ascii_lowercase().starts_with("recon"))
    {
        told.took(length_behind(&message[at..], " in "));
        return Some(told.with_outcome("reconcile", Told::SUCCEEDED));
    }
    if message.contains("is suspended") {
        return Some(told.with_outcome("suspended", 0));
    }
    if message.starts_with("stored artifact for ") {
        return Some(fetched(told, &message));
    }
    if let Some(action) = helm_action(&message) {
        return Some(match action {
            (action, true) => told.with_outcome(action, Told::SUCCEEDED),
            (action, false) => {
                told.details.started = told.time;
                told.with_outcome(action, 0)
            }
        });
    }
    applied(fields, told, &message)
}

/// Objects that were applied or deleted, when any was changed.
fn applied(fields: &Fields<'_>, mut told: Told, message: &str) -> Option<Told> {
    let is_apply = message.starts_with("server-side apply") || message.starts_with("Kustomization applied");
    let is_prune = message.starts_with("garbage collection completed");
    if !is_apply && !is_prune {
        return None;
    }
    let output = fields.json("output").unwrap_or_default();
    let entries = output.as_object().into_iter().flatten();
    told.details.objects = entries
        .filter_map(|(object, result)| Some((object, result.as_str()?)))
        .filter(|(_, result)| !matches!(*result, "unchanged" | "skipped"))
        .map(|(object, result)| touched(object, result))
        .collect();
    // Without an output, the message is all there is.
    let says_what = is_prune && !message.ends_with("completed");
    if told.details.objects.is_empty() && !says_what {
        return None;
    }
    told.took(length_behind(message, " in "));
    Some(told.with_outcome(if is_prune { "prune" } else { "apply" }, Told::SUCCEEDED))
}

/// `Deployment/prod/web`, or `deployment.apps/web` in the first versions.
fn touched(object: &str, result: &str) -> TouchedObject {
    let parts: Vec<&str> = object.split('/').collect();
    let (kind, namespace, name) = match parts.as_slice() {
        [kind, namespace, name] => (*kind, *namespace, *name),
        [kind, name] => (*kind, "", *name),
        _ => ("", "", object),
    };
    let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
    TouchedObject {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        result: result.to_owned(),
    }
}

/// What source-controller stored: a revision, or a commit of which it gives the message only.
fn fetched(mut told: Told, message: &str) -> Told {
    let quoted = message.split('\'').nth(1).unwrap_or_default();
    if message.contains(" revision ") && told.details.revision.is_empty() {
        commit_of(quoted).clone_into(&mut told.details.commit);
        quoted.clone_into(&mut told.details.revision);
    }
    told.with_outcome("fetch", Told::SUCCEEDED)
}

/// What helm-controller does with a release, and whether it is done: `running 'upgrade' action with timeout of 5m0s`,
/// `Helm upgrade succeeded`.
fn helm_action(message: &str) -> Option<(&'static str, bool)> {
    let known = |word: &str| {
        ["install", "upgrade", "rollback", "uninstall"].into_iter().find(|action| *action == word)
    };
    if let Some(rest) = message.strip_prefix("running '") {
        return Some((known(rest.split('\'').next()?)?, false));
    }
    let mut words = message.strip_prefix("Helm ")?.split(' ');
    let action = known(words.next()?)?;
    (words.next() == Some("succeeded")).then_some((action, true))
}

/// What every line may tell.
fn frame(fields: &Fields<'_>, message: &str) -> Told {
    let (_, resource, group, controller) = kind(fields).unwrap_or(("", "", "", "flux"));
    let revision = fields.first_text(&["revision", "lastAppliedRevision"]).into_owned();
    let request = ObjectName::parse(&fields.text("request"));
    let part = |key: &str, other: String| match fields.text(key) {
        text if text.is_empty() => other,
        text => text.into_owned(),
    };
    let inside = |key: &str| {
        let object = fields.json(&fields.text("controllerKind")).unwrap_or_default();
        object.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let named = |key: &str, of_request: String| {
        part(key, if of_request.is_empty() { inside(key) } else { of_request })
    };
    let subject =
        ObjectName { namespace: named("namespace", request.namespace), name: named("name", request.name) };
    let operation_id = fields.text("reconcileID").into_owned();
    Told {
        log: LogKind::Flux,
        stage: Stage::ResponseComplete,
        time: fields.moment("ts"),
        user: format!("system:serviceaccount:flux-system:{controller}"),
        object: ObjectRef {
            resource: resource.into(),
            namespace: subject.namespace.clone().into(),
            name: subject.name.clone().into(),
            api_group: if group.is_empty() { "".into() } else { format!("{group}{GROUPS}").into() },
            ..ObjectRef::default()
        },
        reason: message.to_owned(),
        audit_id: operation_id.clone(),
        details: ControllerDetails {
            component: controller,
            operation_id,
            subject,
            repository: without_credentials(&fields.first_text(&["url", "repository"])),
            commit: commit_of(&revision).to_owned(),
            revision,
            message: message.to_owned(),
            ..ControllerDetails::default()
        },
        ..Told::default()
    }
}

/// The kind that a line is about: by name, or by that of its controller or logger, which older versions write in small
/// letters, `controller.kustomization`.
fn kind(fields: &Fields<'_>) -> Option<(&'static str, &'static str, &'static str, &'static str)> {
    let by_name = |name: &str| KINDS.into_iter().find(|known| known.0.eq_ignore_ascii_case(name));
    by_name(&fields.first_text(&["controllerKind", "reconciler kind"]))
        .or_else(|| by_name(&fields.text("controller")))
        .or_else(|| {
            let logger = fields.text("logger");
            by_name(logger.strip_prefix("controller.").or_else(|| logger.strip_prefix("controllers."))?)
        })
}

/// The length of time behind a word: `finished in 2.7s, next run …`.
fn length_behind(message: &str, word: &str) -> Option<Micros> {
    let rest = message.split_once(word)?.1;
    go_duration(rest.split([',', ' ']).next()?)
}

/// A duration as Go prints it: `2.724076961s`, `875.383942ms`, `1m2.5s`.
fn go_duration(text: &str) -> Option<Micros> {
    /// A day: no reconciliation takes as long, and the line's time minus it stays a time.
    const LONGEST: f64 = 86_400.0;
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_length = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let (unit, behind) = rest[digits..].split_at(unit_length);
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "µs" | "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = behind;
    }
    (!text.is_empty() && seconds <= LONGEST).then(|| (seconds * 1e6).round() as Micros)
}

impl Told {
    /// It was over with the line, and began so long before.
    fn took(&mut self, length: Option<Micros>) {
        self.details.finished = self.time;
        self.details.started = self.time.zip(length).map(|(end, length)| end.saturating_sub(length));
        self.received = self.details.started;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rest: &str) -> Option<Told> {
        let line = format!(
            r#"{{"level":"info","ts":"2026-11-20T10:00:10.500Z","controller":"kustomization","controllerGroup":"kustomize.toolkit.fluxcd.io","controllerKind":"Kustomization","Kustomization":{{"name":"apps","namespace":"flux-system"}},"reconcileID":"r-1",{rest}}}"#
        );
        let fields = Fields::of_json(&line).expect("an object");
        assert!(wrote(&fields));
        read(&fields)
    }

    #[test]
    fn a_reconciliation_tells_its_window_and_commit() {
        let sha = "489d0f70489d0f70489d0f70489d0f70489d0f70";
        let told = told(&format!(
            r#""msg":"Reconciliation finished in 1m2.5s, next run in 5m0s","revision":"main@sha1:{sha}""#
        ))
        .expect("told");
        assert_eq!((told.verb.as_str(), told.code), ("reconcile", 200));
        assert_eq!((told.object.namespace.as_ref(), told.object.name.as_ref()), ("flux-system", "apps"));
        assert_eq!(told.details.commit, sha);
        assert_eq!(
            told.details.finished.zip(told.details.started).map(|(end, start)| end - start),
            Some(62_500_000)
        );
    }

    #[test]
    fn changes_failures_and_suspension() {
        let output = r#""output":{"Deployment/prod/web":"configured","Service/prod/web":"unchanged","Job/prod/old":"deleted"}"#;
        let applied = told(&format!(r#""msg":"server-side apply completed",{output}"#)).expect("two changes");
        let objects: Vec<_> = applied
            .details
            .objects
            .iter()
            .map(|o| (o.kind.as_str(), o.namespace.as_str(), o.result.as_str()))
            .collect();
        assert_eq!(
            (applied.verb.as_str(), objects),
            ("apply", vec![("Deployment", "prod", "configured"), ("Job", "prod", "deleted")])
        );
        assert_eq!(
            told(r#""msg":"server-side apply completed","output":{"Service/prod/web":"unchanged"}"#),
            None
        );
        let pruned =
            told(r#""msg":"garbage collection completed: Deployment/prod/web deleted""#).expect("told");
        assert_eq!(pruned.verb, "prune");
        let failed = told(r#""level":"error","msg":"Reconciliation failed after 1.5s, next try in 2m0s","error":"kustomize build failed""#).expect("told");
        assert_eq!((failed.verb.as_str(), failed.code), ("fail", 500));
        assert!(failed.reason.ends_with("kustomize build failed") && failed.details.started.is_some());
        assert_eq!(
            told(r#""msg":"Reconciliation is suspended for this object""#).expect("told").verb,
            "suspended"
        );
        assert_eq!(told(r#""msg":"Dependencies do not meet ready condition, retrying in 30s""#), None);
    }

    #[test]
    fn helm_and_sources() {
        let line = |kind: &str, message: &str| {
            let line = format!(
                r#"{{"level":"info","ts":"2026-11-20T10:00:10.500Z","controllerKind":"{kind}","controllerGroup":"x.toolkit.fluxcd.io","namespace":"a","name":"b","msg":"{message}"}}"#
            );
            read(&Fields::of_json(&line).expect("an object"))
        };
        let upgrade = line("HelmRelease", "running 'upgrade' action with timeout of 5m0s").expect("told");
        assert_eq!(
            (upgrade.verb.as_str(), upgrade.code, upgrade.details.component),
            ("upgrade", 0, "helm-controller")
        );
        let done = line("HelmRelease", "Helm rollback succeeded").expect("told");
        assert_eq!((done.verb.as_str(), done.code), ("rollback", 200));
        assert_eq!(line("HelmRelease", "release in-sync with desired state"), None);
        let stored = line(
            "GitRepository",
            "stored artifact for revision 'main@sha1:489d0f70489d0f70489d0f70489d0f70489d0f70'",
        )
        .expect("told");
        assert_eq!((stored.verb.as_str(), stored.object.resource.as_ref()), ("fetch", "gitrepositories"));
        assert!(stored.details.commit.starts_with("489d0f"));
        assert_eq!(
            line("GitRepository", "stored artifact for commit 'Fix it'").expect("told").details.commit,
            ""
        );
    }

    #[test]
    fn durations_of_go() {
        for (text, micros) in
            [("2.724076961s", 2_724_077), ("875.383942ms", 875_384), ("1h0m1s", 3_601_000_000), ("12µs", 12)]
        {
            assert_eq!(go_duration(text), Some(micros), "{text}");
        }
        for text in ["", "5", "s", "1.2.3s", "1e9s", "99999999999h", "1x"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}

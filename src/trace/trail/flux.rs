//! Flux: from what kustomize- or helm-controller wrote to the reconciliation that it was a part of, and to the commit.
//!
//! Flux labels what it applies with the Kustomization or HelmRelease; without a body, the reconciliation that listed the
//! object, or the only one at that time, is taken (FORMATS.md 4.2).

use super::contradiction::LAST_SYNC_WITHIN;
use super::{
    BLUR, Found, GitOrigin, Line, clock, is_object, is_open, lines_within, metadata_of, missing, named,
};
use crate::model::{LogKind, Micros, SECOND, service_account};
use crate::store::Field;
use crate::trace::cause::Step;
use crate::trace::finding::{Certainty, Log};
use crate::trace::request::Request;

/// A reconciliation that does not tell how long it took began at most this long before its line.
const LONGEST: Micros = 600 * SECOND;

/// The labels that Flux puts on what it applies, and the resource that they name.
const OWNERS: [(&str, &str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace", "kustomizations"),
    ("helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace", "helmreleases"),
];

pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    let (namespace, controller) =
        service_account(&request.user).unwrap_or(("flux-system", "kustomize-controller"));
    if !is_open(log, LogKind::Flux) {
        let command = format!("kubectl -n {namespace} logs deploy/{controller}");
        return Some(missing(log, request, &format!("Flux' {controller}"), &command));
    }
    let owner = metadata_of(log, request).and_then(|metadata| {
        OWNERS.iter().find_map(|(name, namespace, resource)| {
            let found = named(&metadata, "labels", name);
            let own = named(&metadata, "labels", namespace).to_owned();
            (!found.is_empty()).then(|| (*resource, own, found.to_owned()))
        })
    });
    let difference = clock::difference(log, LogKind::Flux);
    let time = request.time + difference;
    let lines = lines_within(log, LogKind::Flux, (time - BLUR, time + LONGEST), |segment, row| {
        matches!(
            segment.string(Field::Verb, row),
            "apply" | "prune" | "reconcile" | "fail" | "install" | "upgrade"
        ) && owner.as_ref().is_none_or(|(resource, namespace, name)| {
            segment.string(Field::Resource, row) == *resource
                && segment.string(Field::Name, row) == name
                && segment.string(Field::Namespace, row) == namespace
        })
    });
    let covering = |line: &&Line| {
        let end = line.details.finished.unwrap_or(line.time);
        let began = line.details.started.unwrap_or(end - BLUR);
        (began - BLUR..=end + BLUR).contains(&time)
    };
    let touched = |line: &&Line| line.details.objects.iter().any(|object| is_object(object, &request.object));
    let listed = lines.iter().find(|line| touched(line) && line.time >= time - BLUR);
    let (line, certainty, by) = match (listed, &owner) {
        (Some(line), _) => (line, Certainty::Certain, "Flux logged this object's result"),
        (None, Some(_)) => (lines.iter().find(covering)?, Certainty::Likely, "its labels, and the time"),
        (None, None) => {
            let mut all = lines.iter().filter(covering);
            let first = all.next();
            let subjects = |line: &Line| line.details.subject.clone();
            let is_only = first.is_some_and(|first| all.all(|other| subjects(other) == subjects(first)));
            match first.filter(|_| is_only) {
                Some(line) => (line, Certainty::Likely, "the only reconciliation at that time"),
                None => {
                    return Some(Step::Hole(format!(
                        "Flux' log is open, and does not tell which reconciliation wrote this at {}",
                        log.clock(request.time)
                    )));
                }
            }
        }
    };
    let origin = git_of(log, line);
    Found {
        line: line.id,
        certainty,
        because: format!("Flux applied {origin}"),
        evidence: format!("{by}{}", clock::in_words(difference)),
        git: Some(origin),
    }
    .into_step(log)
}

/// The commit of a reconciliation: in its own line, or in another one of the same `reconcileID`.
fn git_of(log: &Log<'_>, line: &Line) -> GitOrigin {
    let subject = &line.details.subject;
    let mut origin = GitOrigin {
        engine: "Flux",
        application: format!("{}/{}", subject.namespace, subject.name),
        repository: line.details.repository.clone(),
        commit: line.details.commit.clone(),
        revision: line.details.revision.clone(),
        ..GitOrigin::default()
    };
    if origin.revision.is_empty() && !line.details.operation_id.is_empty() {
        let lines =
            lines_within(log, LogKind::Flux, (line.time - LONGEST, line.time + LONGEST), |segment, row| {
                segment.audit_id(row) == line.details.operation_id
            });
        if let Some(told) = lines.iter().find(|line| !line.details.revision.is_empty()) {
            origin.commit.clone_from(&told.details.commit);
            origin.revision.clone_from(&told.details.revision);
        }
    }
    origin
}

/// The last reconciliation of a Kustomization or HelmRelease (`namespace/name`) within a day before a moment that ended
/// well; with the time at which it was over.
pub(super) fn last_sync(log: &Log<'_>, application: &str, until: Micros) -> Option<(Micros, GitOrigin)> {
    let (namespace, name) = application.split_once('/')?;
    let lines =
        lines_within(log, LogKind::Flux, (until.saturating_sub(LAST_SYNC_WITHIN), until), |segment, row| {
            matches!(segment.string(Field::Verb, row), "apply" | "reconcile" | "install" | "upgrade")
                && segment.string(Field::Name, row) == name
                && segment.string(Field::Namespace, row) == namespace
        });
    let line = lines.last()?;
    Some((line.time, git_of(log, line)))
}

pub(super) fn origin(log: &Log<'_>, line: &Line) -> Step {
    let git = git_of(log, line);
    let at = [&git.commit, &git.revision].into_iter().find(|text| !text.is_empty());
    let subject = &line.details.subject;
    Step::Origin(match at {
        Some(at) => format!(
            "Flux applies what is committed: {at}, for {}/{}; the repository tells who committed it",
            subject.namespace, subject.name
        ),
        None => format!(
            "Flux reconciled {}/{}; this line does not tell the commit",
            subject.namespace, subject.name
        ),
    })
}

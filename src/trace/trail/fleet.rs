//! Fleet: from what the agent wrote in a cluster to the BundleDeployment that it deployed, to the Bundle and GitRepo behind
//! it, the commit, and the Rancher user who made the GitRepo.
//!
//! The agent does not log the commit. It stands in labels of Bundle and BundleDeployment, which the audit log of the
//! cluster with Fleet's controllers tells at level Request, and in the controllers' own lines (FORMATS.md 4.3).

use super::contradiction::LAST_SYNC_WITHIN;
use super::{BLUR, Found, GitOrigin, Line, clock, is_open, lines_within, metadata_of, missing, named};
use crate::model::{LogKind, Micros, SECOND, service_account};
use crate::store::Field;
use crate::trace::cause::Step;
use crate::trace::finding::{Certainty, Log};
use crate::trace::request::Request;
use crate::trace::select::requests_with;

/// The agent logs a bundle when it is done, at most this long after its first write.
const LONGEST: Micros = 600 * SECOND;

/// Commits that were seen at most this long before a bundle was deployed may be what was deployed.
const BEFORE: Micros = 3600 * SECOND;

pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    let (namespace, component) =
        service_account(&request.user).unwrap_or(("cattle-fleet-system", "fleet-agent"));
    if !is_open(log, LogKind::Fleet) {
        let command = format!("kubectl -n {namespace} logs deploy/{component}");
        return Some(missing(log, request, &format!("Fleet's {component}"), &command));
    }
    let release = metadata_of(log, request).map(|metadata| {
        let part = |key: &str| named(&metadata, "annotations", key).to_owned();
        format!("{}/{}", part("meta.helm.sh/release-namespace"), part("meta.helm.sh/release-name"))
    });
    let release = release.filter(|release| release.len() > 1);
    let difference = clock::difference(log, LogKind::Fleet);
    let time = request.time + difference;
    let lines = lines_within(log, LogKind::Fleet, (time - BLUR, time + LONGEST), |segment, row| {
        matches!(segment.string(Field::Verb, row), "deploy" | "delete")
    });
    let of_release = |line: &&Line| {
        release
            .as_ref()
            .is_some_and(|release| line.details.release.split(':').next() == Some(release.as_str()))
    };
    let (line, certainty, by) = match lines.iter().find(of_release) {
        Some(line) => {
            (line, Certainty::Certain, "the Helm release in its annotations is the one that was deployed")
        }
        None => {
            let mut in_namespace = lines.iter().filter(|line| {
                line.details.release.split('/').next() == Some(request.object.namespace.as_str())
            });
            match (in_namespace.next(), in_namespace.next()) {
                (Some(line), None) => {
                    (line, Certainty::Likely, "the only bundle deployed to this namespace then")
                }
                _ => {
                    return Some(Step::Hole(format!(
                        "Fleet's log is open, and does not tell which bundle this was a part of at {}",
                        log.clock(request.time)
                    )));
                }
            }
        }
    };
    let (origin, by_labels) = git_of(log, line);
    Found {
        line: line.id,
        certainty,
        because: format!("Fleet's agent deployed {origin}"),
        evidence: format!("{by}{by_labels}{}", clock::in_words(difference)),
        git: Some(origin),
    }
    .into_step(log)
}

/// When a BundleDeployment was deployed last within a day before a moment, and from what.
pub(super) fn last_sync(log: &Log<'_>, application: &str, until: Micros) -> Option<(Micros, GitOrigin)> {
    let lines =
        lines_within(log, LogKind::Fleet, (until.saturating_sub(LAST_SYNC_WITHIN), until), |segment, row| {
            segment.string(Field::Verb, row) == "deploy" && segment.string(Field::Name, row) == application
        });
    let line = lines.last()?;
    Some((line.time, git_of(log, line).0))
}

/// The commit of a BundleDeployment, and the user who made its GitRepo.
fn git_of(log: &Log<'_>, line: &Line) -> (GitOrigin, &'static str) {
    let subject = &line.details.subject;
    let mut origin = GitOrigin {
        engine: "Fleet",
        application: subject.name.clone(),
        repository: line.details.repository.clone(),
        commit: line.details.commit.clone(),
        revision: line.details.revision.clone(),
        initiator: line.details.initiator.user.clone(),
        ..GitOrigin::default()
    };
    let mut git_repo = String::new();
    for resource in ["bundledeployments", "bundles"] {
        let values = [(Field::Resource, resource), (Field::Name, subject.name.as_str())];
        let writes = requests_with(log.store, &values);
        let at = writes.partition_point(|id| log.store.stage_time(*id) <= line.time + BLUR);
        let labels = writes[..at].iter().rev().take(16).find_map(|id| {
            let request = Request::read(log.store, *id)?;
            let body = request.response_object().or_else(|| request.request_object())?;
            let labels = body.pointer("/metadata/labels")?.clone();
            labels.get("fleet.cattle.io/commit").is_some().then_some(labels)
        });
        if let Some(labels) = labels {
            let label = |key: &str| labels.get(key).and_then(|value| value.as_str()).unwrap_or("").to_owned();
            origin.commit = label("fleet.cattle.io/commit");
            git_repo = label("fleet.cattle.io/repo-name");
            if origin.initiator.is_empty() {
                origin.initiator = label("fleet.cattle.io/created-by-user-id");
            }
            break;
        }
    }
    if !origin.commit.is_empty() {
        fill_repository(log, &git_repo, &mut origin);
        return (origin, "; labels of the bundle");
    }
    // Without a body, the last commit that Fleet saw for a GitRepo whose name the bundle's begins with.
    let lines = lines_within(log, LogKind::Fleet, (line.time - BEFORE, line.time), |segment, row| {
        let name = segment.string(Field::Name, row);
        segment.string(Field::Resource, row) == "gitrepos"
            && !name.is_empty()
            && subject.name.starts_with(name)
    });
    if let Some(seen) = lines.iter().rev().find(|line| !line.details.commit.is_empty()) {
        origin.commit.clone_from(&seen.details.commit);
        origin.repository.clone_from(&seen.details.repository);
        if origin.initiator.is_empty() {
            origin.initiator.clone_from(&seen.details.initiator.user);
        }
        let name = seen.details.subject.name.clone();
        fill_repository(log, &name, &mut origin);
        return (origin, "; the last commit that Fleet saw for the GitRepo of that name");
    }
    (origin, "")
}

/// The repository of a GitRepo, from the last body of it.
fn fill_repository(log: &Log<'_>, git_repo: &str, origin: &mut GitOrigin) {
    if git_repo.is_empty() || !origin.repository.is_empty() {
        return;
    }
    let writes = requests_with(log.store, &[(Field::Resource, "gitrepos"), (Field::Name, git_repo)]);
    let found = writes.iter().rev().take(16).find_map(|id| {
        let request = Request::read(log.store, *id)?;
        let body = request.response_object().or_else(|| request.request_object())?;
        body.pointer("/spec/repo")?.as_str().map(str::to_owned)
    });
    if let Some(repository) = found {
        origin.repository = crate::format::without_credentials(&repository);
    }
}

pub(super) fn origin(log: &Log<'_>, line: &Line) -> Step {
    let (origin, _) = git_of(log, line);
    let by = match origin.initiator.as_str() {
        "" => "the repository tells who committed it".to_owned(),
        user => format!("the GitRepo was made by Rancher's user {}", rancher_name(log, user)),
    };
    Step::Origin(format!("Fleet deploys what is committed: {origin}; {by}"))
}

/// `alice (u-7xk2p)`, where Rancher's log tells the name.
fn rancher_name(log: &Log<'_>, user: &str) -> String {
    let lines = lines_within(log, LogKind::Rancher, (Micros::MIN, Micros::MAX), |segment, row| {
        segment.string(Field::User, row) == user
    });
    let name =
        lines.iter().rev().map(|line| &line.details.initiator.display_name).find(|name| !name.is_empty());
    name.map_or_else(|| user.to_owned(), |name| format!("{name} ({user})"))
}

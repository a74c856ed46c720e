//! Helm: from what it wrote to the release and revision that it was a part of. Before Helm writes a release's objects it
//! writes a Secret `sh.helm.release.v1.RELEASE.vREVISION`, whose name tells both at any audit level (FORMATS.md 4.4); before
//! an uninstall it marks that of the last revision.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, metadata_of, named};
use crate::model::{EventId, Micros, SECOND, tool};
use crate::store::Field;
use crate::trace::cause::Step;
use crate::trace::effects::{Deed, Effect};
use crate::trace::finding::{Certainty, Log};
use crate::trace::request::Request;
use crate::trace::select::requests_where;

/// What the names of the Secrets begin with (`helm.sh/helm/v3/pkg/storage`).
const PREFIX: &str = "sh.helm.release.v1.";

/// Helm waits for hooks and for what it made: this long after its Secret it may still write.
const LONGEST: Micros = 30 * 60 * SECOND;

/// Requests that are held against a release, the nearest after its Secret.
const MOST: usize = 2_000;

/// The annotation that Helm puts on what it makes.
const RELEASE: &str = "meta.helm.sh/release-name";

/// Release and revision of a Secret's name.
fn release_of(secret: &str) -> Option<(&str, &str)> {
    secret.strip_prefix(PREFIX)?.rsplit_once(".v")
}

/// Steps back from a write of Helm's to the Secret of its release. `None` for requests of others, and where no such
/// Secret was written before.
pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    if !is_by_helm(request) || !request.is_write() || release_of(&request.object.name).is_some() {
        return None;
    }
    found(log, request, &secrets_of(log, &request.user))?.into_step(log)
}

/// The writes of release Secrets by a user, in time order.
fn secrets_of(log: &Log<'_>, user: &str) -> Vec<EventId> {
    let caller = [(Field::Resource, "secrets"), (Field::User, user)];
    let mut found = requests_where(log.store, &caller, Field::Name, |name| release_of(name).is_some());
    found.retain(|id| Request::of(log.store, *id).is_some_and(|secret| is_done(&secret)));
    found
}

fn is_done(request: &Request) -> bool {
    request.is_write() && request.succeeded()
}

fn is_by_helm(request: &Request) -> bool {
    tool(&request.user_agent) == "helm"
}

fn found(log: &Log<'_>, request: &Request, secrets: &[EventId]) -> Option<Found> {
    let metadata = metadata_of(log, request).unwrap_or_default();
    let release = named(&metadata, "annotations", RELEASE).to_owned();
    let before = secrets.partition_point(|id| log.store.stage_time(*id) <= request.time);
    let written = secrets[..before].iter().rev().filter_map(|id| Request::of(log.store, *id));
    let (secret, name, revision) =
        written.take_while(|secret| request.time - secret.time <= LONGEST).find_map(|secret| {
            let (name, revision) = release_of(&secret.object.name)?;
            let is_meant = (release.is_empty() || name == release)
                && secret.user_agent == request.user_agent
                && secret.source_ip == request.source_ip
                && (request.object.namespace.is_empty()
                    || secret.object.namespace == request.object.namespace);
            let (name, revision) = (name.to_owned(), revision.to_owned());
            is_meant.then_some((secret, name, revision))
        })?;
    let (certainty, evidence) = match release.is_empty() {
        false => (Certainty::Certain, format!("annotation {RELEASE}; the same user, address and agent")),
        true => (Certainty::Likely, "the same user, address and agent, shortly before".to_owned()),
    };
    Some(Found {
        line: secret.id?,
        certainty,
        because: format!("Helm wrote it for revision {revision} of release {name}"),
        evidence,
        git: None,
    })
}

/// What Helm wrote for a release, from the write of its Secret on, and whether there may be more; nothing for other
/// requests.
pub(in crate::trace) fn effects(log: &Log<'_>, request: &Request) -> (Vec<Effect>, bool) {
    if !is_by_helm(request) || !is_done(request) || release_of(&request.object.name).is_none() {
        return (Vec::new(), false);
    }
    let until = request.time + LONGEST;
    let ids = requests_where(log.store, &[(Field::User, &request.user)], Field::UserAgent, |agent| {
        agent == request.user_agent
    });
    let from = ids.partition_point(|id| log.store.stage_time(*id) < request.time);
    let within = ids[from..].iter().take_while(|id| log.store.stage_time(**id) <= until);
    let mut written = within
        .filter_map(|id| Request::of(log.store, *id))
        .filter(|written| is_done(written) && release_of(&written.object.name).is_none());
    let secrets = secrets_of(log, &request.user);
    let mut groups: BTreeMap<(String, String), Effect> = BTreeMap::new();
    for mut written in written.by_ref().take(MOST) {
        written.read_event(log.store);
        let Some(found) = found(log, &written, &secrets).filter(|found| Some(found.line) == request.id)
        else {
            continue;
        };
        let what = written.object.resource.clone();
        let effect = groups.entry((written.verb.clone(), what.clone())).or_insert_with(|| Effect {
            deed: Deed::Wrote { actor: "helm".to_owned(), verb: written.verb.clone(), what },
            names: BTreeSet::new(),
            certainty: found.certainty,
            evidence: found.evidence,
            requests: Vec::new(),
            further: 0,
            effects: Vec::new(),
        });
        effect.certainty = effect.certainty.max(found.certainty);
        effect.names.insert(written.object.name.clone());
        effect.requests.extend(written.id);
    }
    (groups.into_values().collect(), written.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_tell_release_and_revision() {
        assert_eq!(release_of("sh.helm.release.v1.web.v4"), Some(("web", "4")));
        assert_eq!(release_of("sh.helm.release.v1.my.v2.app.v12"), Some(("my.v2.app", "12")));
        assert_eq!(release_of("web-tls"), None);
    }
}

//! What a change outside GitOps contradicts: the last sync of the application that applies the object, and the commit that
//! it brought.
//!
//! The application is told by the rules of the trail, from what a GitOps program wrote to the object before the change, or
//! else after it. Its last sync may be a later one that left the object as it was: that one the program's own log tells.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{GitOrigin, argocd, clock, fleet, flux, step};
use crate::model::{EventId, LogKind, Micros, SECOND, format_rfc3339, is_write_verb};
use crate::redact::mask_text;
use crate::store::Field;
use crate::trace::cause::{Step, writes_to};
use crate::trace::finding::Log;
use crate::trace::relations::gitops_engine;
use crate::trace::request::{ObjectKey, Request};
use crate::trace::who::is_by_hand;

/// Deliveries of an object that are looked at on each side of a change, the nearest.
const NEAREST: usize = 8;

/// How far back the last sync may lie that left the object as it was; else the one that wrote it is told.
pub(super) const LAST_SYNC_WITHIN: Micros = 24 * 3600 * SECOND;

/// Changes that are told of for one alert, the newest of each object.
const MOST: usize = 5;

/// A sync that somebody's change contradicts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Contradiction {
    /// What was changed, `deployments/production/frontend-app`.
    pub object: String,
    /// What was applied, and for whom.
    #[serde(flatten)]
    pub git: GitOrigin,
    /// When it was applied, as the log says that tells it.
    #[serde(serialize_with = "stamp")]
    pub time: Micros,
}

fn stamp<S: serde::Serializer>(time: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*time))
}

impl Contradiction {
    /// `contradicts the sync of frontend-app at 16:02:31, commit 34c5f9e of https://… (initiated by alice)`
    pub fn in_words(&self, log: &Log<'_>) -> String {
        let git = &self.git;
        let mut told = format!(
            "{} contradicts the sync of {} at {}",
            self.object,
            git.application,
            log.clock(self.time)
        );
        match [&git.commit, &git.revision].into_iter().find(|text| !text.is_empty()) {
            Some(commit) if *commit == git.commit => told += &format!(", commit {commit}"),
            Some(revision) => told += &format!(", revision {revision}"),
            None => {}
        }
        if !git.repository.is_empty() {
            told += &format!(" of {}", git.repository);
        }
        match git.initiator.as_str() {
            "" => told += &format!(" ({} by itself)", git.engine),
            initiator => told += &format!(" (initiated by {initiator})"),
        }
        mask_text(&told).into_owned()
    }
}

/// The syncs that changes contradict, the newest change of each object first. What no log tells is left out.
pub fn contradictions(log: &Log<'_>, changes: &[EventId]) -> Vec<Contradiction> {
    let mut changes: Vec<(Micros, EventId)> =
        changes.iter().map(|id| (log.store.stage_time(*id), *id)).collect();
    changes.sort_unstable();
    let mut seen: BTreeSet<ObjectKey> = BTreeSet::new();
    let mut found = Vec::new();
    for (_, id) in changes.into_iter().rev() {
        let Some(request) = Request::of(log.store, id) else { continue };
        if found.len() < MOST && seen.len() < MOST * 2 && seen.insert(request.object.clone()) {
            found.extend(contradicted(log, &request));
        }
    }
    found
}

fn contradicted(log: &Log<'_>, change: &Request) -> Option<Contradiction> {
    let mut writes = writes_to(log, &change.object);
    let verb =
        |id: EventId| log.store.segment(id).map_or("", |segment| segment.string(Field::Verb, id.row()));
    writes.retain(|id| is_write_verb(verb(*id)));
    let at = writes.partition_point(|id| log.store.stage_time(*id) < change.time);
    let before = writes[..at].iter().rev().filter_map(|id| delivered(log, *id)).take(NEAREST);
    let after = writes[at..].iter().filter_map(|id| delivered(log, *id)).take(NEAREST);
    let (delivery, by, git) = before.chain(after).find_map(|delivery| match step(log, &delivery)? {
        Step::Cause(cause) => Some((delivery, cause.request.time, cause.git?)),
        Step::Origin(_) | Step::Hole(_) => None,
    })?;
    // A delivery that came only after the change put it right; what it contradicts is what was applied before.
    let of_delivery = |git| (by.min(delivery.time), git);
    let before = last_sync(log, &git, change.time).unwrap_or_else(|| of_delivery(git));
    let (time, git) = Some(before).filter(|(time, _)| *time <= change.time)?;
    let key = &change.object;
    let parts = [&key.resource, &key.namespace, &key.name].into_iter().filter(|part| !part.is_empty());
    let object = parts.map(String::as_str).collect::<Vec<_>>().join("/");
    Some(Contradiction { object, git, time })
}

/// A write, with its bodies, that a GitOps program sent and the API server took.
fn delivered(log: &Log<'_>, id: EventId) -> Option<Request> {
    let request = Request::of(log.store, id)?;
    let is_delivery = request.is_write() && request.succeeded() && gitops_engine(&request).is_some();
    (is_delivery && !is_by_hand(log, &request)).then(|| Request::read(log.store, id)).flatten()
}

/// The last sync of an application before a moment that the program's own log tells of, and when it was.
fn last_sync(log: &Log<'_>, known: &GitOrigin, time: Micros) -> Option<(Micros, GitOrigin)> {
    let within = |kind: LogKind| time + clock::difference(log, kind);
    let (when, mut git) = match known.engine {
        "Argo CD" => argocd::last_sync(log, &known.application, within(LogKind::ArgoCd)),
        "Flux" => flux::last_sync(log, &known.application, within(LogKind::Flux)),
        "Fleet" => fleet::last_sync(log, &known.application, within(LogKind::Fleet)),
        _ => None,
    }?;
    if git.repository.is_empty() {
        git.repository.clone_from(&known.repository);
    }
    Some((when, git))
}

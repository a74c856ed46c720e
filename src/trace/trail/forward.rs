//! Forwards from a line of a controller's log: which requests in the audit log it stands behind.

use std::collections::{BTreeMap, BTreeSet};

use super::{BLUR, Line, rancher, step};
use crate::model::{EventId, LogKind, Micros, SECOND};
use crate::store::Field;
use crate::trace::cause::Step;
use crate::trace::effects::{Deed, Effect};
use crate::trace::finding::{Certainty, Log};
use crate::trace::relations::{controller, gitops_engine};
use crate::trace::request::Request;
use crate::trace::select::requests_where;

/// Requests that are held against the line, the nearest after its beginning.
const MOST: usize = 2_000;

/// How long after its line an operation may still write.
const LONGEST: Micros = 600 * SECOND;

/// What followed from a line, grouped by who did what.
pub(in crate::trace) fn effects(log: &Log<'_>, request: &Request) -> Vec<Effect> {
    let Some(line) = request.id.and_then(|id| Line::read(log.store, id)) else { return Vec::new() };
    let found: Vec<(Request, Certainty)> = match request.log {
        LogKind::Rancher => passed_on(log, &line),
        _ => written(log, &line),
    };
    let mut groups: BTreeMap<(String, String, String), Effect> = BTreeMap::new();
    for (request, certainty) in found {
        let actor = controller(&request).unwrap_or(&request.user).to_owned();
        let what = match request.subresource.as_str() {
            "" => request.object.resource.clone(),
            subresource => format!("{}/{subresource}", request.object.resource),
        };
        let key = (actor.clone(), request.verb.clone(), what.clone());
        let effect = groups.entry(key).or_insert_with(|| Effect {
            deed: Deed::Wrote { actor, verb: request.verb.clone(), what },
            names: BTreeSet::new(),
            certainty,
            evidence: "joined by the rules that lead back from it".to_owned(),
            requests: Vec::new(),
            further: 0,
            effects: Vec::new(),
        });
        effect.certainty = effect.certainty.max(certainty);
        effect.names.insert(request.object.name.clone());
        effect.requests.extend(request.id);
    }
    groups.into_values().collect()
}

/// What Rancher passed on: the request in the audit log of the same user, path and moment.
fn passed_on(log: &Log<'_>, line: &Line) -> Vec<(Request, Certainty)> {
    let user = &line.details.initiator.user;
    let near = |id: &EventId| (log.store.stage_time(*id) - line.time).abs() <= LONGEST;
    let ids = requests_where(log.store, &[], Field::ImpersonatedUser, |name| name == user);
    ids.into_iter()
        .filter(near)
        .take(MOST)
        .filter_map(|id| Request::read(log.store, id))
        .filter_map(|request| match rancher::step(log, &request)? {
            Step::Cause(cause) if cause.request.id == Some(line.id) => Some((request, cause.certainty)),
            _ => None,
        })
        .collect()
}

/// What a GitOps program wrote: its requests from which the steps back lead to the line, or to another one of the same
/// operation.
fn written(log: &Log<'_>, line: &Line) -> Vec<(Request, Certainty)> {
    let from = line.details.started.unwrap_or(line.time) - BLUR;
    let until = line.time + LONGEST;
    let is_machine = |user: &str| user.starts_with("system:serviceaccount:");
    let ids = requests_where(log.store, &[], Field::User, is_machine);
    let within = |id: &EventId| (from..=until).contains(&log.store.stage_time(*id));
    ids.into_iter()
        .filter(within)
        .filter_map(|id| Request::of(log.store, id))
        .filter(|request| gitops_engine(request).is_some() && request.is_write() && request.succeeded())
        .filter(|request| request.subresource != "status" && request.object.group != "argoproj.io")
        .take(MOST)
        .filter_map(|mut request| {
            request.read_event(log.store);
            let Some(Step::Cause(cause)) = step(log, &request) else { return None };
            let subject = cause.request.id.and_then(|id| Line::read(log.store, id))?.details.subject;
            let is_same = cause.request.id == Some(line.id)
                || (subject.name == line.details.subject.name
                    && (cause.request.time - line.time).abs() <= LONGEST);
            is_same.then_some((request, cause.certainty))
        })
        .collect()
}

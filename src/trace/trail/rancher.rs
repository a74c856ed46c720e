//! Rancher: from a request that it passed on to the one that a person sent to it.
//!
//! There is no id in both logs. A pair has the same user (the impersonated one behind Rancher), the same path, the same
//! answer, and lies within the second or two that Rancher's times are exact to (FORMATS.md 3).

use super::{BLUR, Found, Line, clock, is_open, lines_within, missing};
use crate::model::{LogKind, service_account};
use crate::store::Field;
use crate::trace::cause::Step;
use crate::trace::finding::{Certainty, Log};
use crate::trace::request::Request;

/// The namespace of the service accounts under which Rancher passes on its users' requests.
const IMPERSONATION: &str = "cattle-impersonation-system";

/// Rancher's id of the user for whom a request was sent; `None` when Rancher did not send it for anybody of its own.
fn rancher_user(request: &Request) -> Option<&str> {
    let is_user_id = |name: &str| name.starts_with("u-") || name.starts_with("user-");
    match service_account(&request.user) {
        Some((IMPERSONATION, _)) if !request.impersonated_user.is_empty() => Some(&request.impersonated_user),
        Some((IMPERSONATION, name)) => name.strip_prefix("cattle-impersonation-"),
        Some(("cattle-system", "rancher" | "kontainer-engine")) if is_user_id(&request.impersonated_user) => {
            Some(&request.impersonated_user)
        }
        Some(_) => None,
        // Its webhook for the authorized cluster endpoint names its users so, without impersonation.
        None => is_user_id(&request.user).then_some(request.user.as_str()),
    }
}

pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    let user = rancher_user(request)?;
    // With a kubeconfig for the cluster itself, its users need not pass through Rancher.
    let is_direct = service_account(&request.user).is_none();
    if !is_open(log, LogKind::Rancher) {
        if is_direct {
            return None;
        }
        let command = "kubectl -n cattle-system logs -l app=rancher -c rancher-audit-log";
        return Some(missing(log, request, &format!("Rancher's user {user}"), command));
    }
    let difference = clock::difference(log, LogKind::Rancher);
    let time = request.time + difference;
    let lines = lines_within(log, LogKind::Rancher, (time - BLUR, time + BLUR), |segment, row| {
        segment.string(Field::User, row) == user
    });
    let mut pairs: Vec<&Line> = lines.iter().filter(|line| is_pair(request, line, log)).collect();
    pairs.sort_by_key(|line| (line.time - time).abs());
    let Some(line) = pairs.first() else {
        if is_direct {
            return None;
        }
        return Some(Step::Hole(format!(
            "Rancher passed this on for its user {user}; its audit log is open, and has no such request at {}",
            log.clock(request.time)
        )));
    };
    let certainty = if pairs.len() == 1 { Certainty::Certain } else { Certainty::Likely };
    let found = Found {
        line: line.id,
        certainty,
        because: format!("Rancher passed on what {} asked of it", person(line)),
        evidence: format!(
            "the same user {user}, path and code in Rancher's audit log{}{}",
            if pairs.len() > 1 {
                format!(", as in {} lines of that moment", pairs.len())
            } else {
                String::new()
            },
            clock::in_words(difference)
        ),
        git: None,
    };
    found.into_step(log)
}

/// Whether a line tells of the same request: path and code, and the same object where Rancher's own API was used.
pub(super) fn is_pair(request: &Request, line: &Line, log: &Log<'_>) -> bool {
    let Some(segment) = log.store.segment(line.id) else { return false };
    let row = line.id.row();
    let code = segment.code(row);
    let same_code = code == 0 || code == request.code;
    let path = |uri: &str| uri.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let same_path =
        !line.details.cluster_uri.is_empty() && path(&line.details.cluster_uri) == path(&request.request_uri);
    let same_object = segment.string(Field::Resource, row) == request.object.resource
        && !request.object.resource.is_empty()
        && segment.string(Field::Namespace, row) == request.object.namespace
        && segment.string(Field::Name, row) == request.object.name
        && verb_of(&line.verb) == verb_of(&request.verb);
    same_code && (same_path && verb_of(&line.verb) == verb_of(&request.verb) || same_object)
}

/// Rancher's log has methods of HTTP, which do not tell a list from a get.
fn verb_of(verb: &str) -> &str {
    match verb {
        "get" | "list" | "watch" => "read",
        "deletecollection" => "delete",
        other => other,
    }
}

/// `alice (u-7xk2p, github_user://123)`
fn person(line: &Line) -> String {
    let initiator = &line.details.initiator;
    let mut known: Vec<&str> = initiator.principals.iter().map(String::as_str).collect();
    if !initiator.display_name.is_empty() {
        known.insert(0, &initiator.user);
        return format!("{} ({})", initiator.display_name, known.join(", "));
    }
    match known.is_empty() {
        true => initiator.user.clone(),
        false => format!("{} ({})", initiator.user, known.join(", ")),
    }
}

pub(super) fn origin(line: &Line) -> Step {
    let from = match line.details.initiator.client_addresses.first() {
        Some(address) => format!(" from {address}, as its proxy says"),
        None => String::new(),
    };
    Step::Origin(format!("{} used Rancher{from}", person(line)))
}

//! The trail across logs: which line of Rancher's, Argo CD's, Fleet's or Flux' log lies behind a request that one of
//! them sent, and which person, address and commit behind that.
//!
//! [`super::cause`] asks here for a request whose sender is driven from outside ([`passed_on`], [`step`]), and for where a line of
//! such a log leads ([`origin`]). Each program has its own rules (FORMATS.md 3 and 4): `rancher`, `argocd`, `fleet`,
//! `flux`, and `helm`, whose own log is its Secrets; `forward` goes the other way; `clock` measures by how much the clocks of two logs differ; [`contradictions`] tells which
//! sync a change by hand goes against.

mod argocd;
mod clock;
mod contradiction;
mod fleet;
mod flux;
mod forward;
mod helm;
mod rancher;

use std::fmt;

use serde::Serialize;

use super::cause::{Cause, Step};
use super::finding::{Certainty, Finding, Log, Topic};
use super::relations::gitops_engine;
use super::request::{ObjectKey, Request};
use super::who::is_by_hand;
use crate::format::{self, ControllerDetails};
use crate::model::{EventId, LogKind, Micros, SECOND, format_rfc3339};
use crate::redact::mask_text;
use crate::store::{Bitset, Field, Store};

pub use clock::{ClockDifference, clock_differences};
pub use contradiction::{Contradiction, contradictions};
pub(super) use forward::effects;
pub(super) use helm::effects as effects_of_release;

/// Logs with times of whole seconds, and the way from a program to the API server, blur a moment by this much.
const BLUR: Micros = 2 * SECOND;

/// Lines of one log that are looked at for one answer; the nearest in time.
const MOST_LINES: usize = 20_000;

/// What a GitOps program applied, and for whom.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct GitOrigin {
    /// `Argo CD`, `Flux`, `Fleet`
    pub engine: &'static str,
    /// The Application, Kustomization, HelmRelease or BundleDeployment.
    pub application: String,
    /// URL of the repository, without credentials.
    pub repository: String,
    /// The commit, as far as it is written out.
    pub commit: String,
    /// What was asked for, as it is written.
    pub revision: String,
    /// Who asked for it; empty where the program did so by itself.
    pub initiator: String,
    /// Where that person's request came from, as a log says.
    pub address: String,
}

impl fmt::Display for GitOrigin {
    /// `https://git.example.com/shop.git at 34c5f9e (Argo CD application shop)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = [&self.commit, &self.revision].into_iter().find(|text| !text.is_empty());
        match (self.repository.as_str(), at) {
            ("", None) => write!(f, "an unknown commit")?,
            ("", Some(at)) => write!(f, "commit {at}")?,
            (repository, None) => write!(f, "{repository}")?,
            (repository, Some(at)) => write!(f, "{repository} at {at}")?,
        }
        write!(f, " ({} application {})", self.engine, self.application)
    }
}

/// A line of a controller's log with everything that it tells.
#[derive(Clone, Debug)]
struct Line {
    id: EventId,
    time: Micros,
    verb: String,
    details: ControllerDetails,
}

impl Line {
    fn read(store: &Store, id: EventId) -> Option<Line> {
        let segment = store.segment(id)?;
        let row = id.row();
        let mut details = format::details(segment.facts(row).log(), &segment.text(row).ok()?)?;
        // Names go into sentences; what is no name stays out of sight.
        for text in [&mut details.message, &mut details.repository, &mut details.revision] {
            *text = mask_text(text).into_owned();
        }
        Some(Line {
            id,
            time: segment.stage_time(row),
            verb: segment.string(Field::Verb, row).to_owned(),
            details,
        })
    }
}

/// What one of the logs knows of a request.
struct Found {
    line: EventId,
    certainty: Certainty,
    because: String,
    evidence: String,
    git: Option<GitOrigin>,
}

impl Found {
    fn into_step(self, log: &Log<'_>) -> Option<Step> {
        let request = Request::read(log.store, self.line)?;
        Some(Step::Cause(Box::new(Cause {
            request,
            certainty: self.certainty,
            because: self.because,
            evidence: self.evidence,
            git: self.git,
        })))
    }
}

/// Steps back from a request that Rancher passed on to the one that was sent to it, or says that its log is missing.
/// `None` for requests that did not come through Rancher.
pub(super) fn passed_on(log: &Log<'_>, request: &Request) -> Option<Step> {
    rancher::step(log, request)
}

/// Steps back from what a GitOps program wrote into the log of that program; or says that this is missing. `None` for
/// requests of others.
pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    if is_by_hand(log, request) {
        return None;
    }
    match gitops_engine(request)? {
        "Argo CD" => argocd::step(log, request),
        "Flux" => flux::step(log, request),
        "Fleet" => fleet::step(log, request),
        _ => None,
    }
}

/// Steps back from what Helm wrote to the Secret that tells the release and its revision. `None` for requests of others.
pub(super) fn of_release(log: &Log<'_>, request: &Request) -> Option<Step> {
    helm::step(log, request)
}

/// Where a line of a controller's log leads: to the person who asked for it, or to a commit.
pub(super) fn origin(log: &Log<'_>, request: &Request) -> Step {
    let Some(line) = request.id.and_then(|id| Line::read(log.store, id)) else {
        return Step::Hole("the line of the log is no longer held".to_owned());
    };
    match request.log {
        LogKind::Rancher => rancher::origin(&line),
        LogKind::ArgoCd => argocd::origin(log, &line),
        LogKind::Fleet => fleet::origin(log, &line),
        LogKind::Flux => flux::origin(log, &line),
        LogKind::Kube => Step::Origin(format!("{} acted by itself", request.user)),
    }
}

/// Who stood behind a line of a controller's log, as that log says.
pub(super) fn asked_by(log: &Log<'_>, request: &Request) -> Vec<Finding> {
    let Some(line) = request.id.and_then(|id| Line::read(log.store, id)) else { return Vec::new() };
    let initiator = &line.details.initiator;
    let finding = |topic, certainty, text: String, evidence: &str| {
        Finding::new(topic, certainty, text, evidence).shown_by(request.id)
    };
    let name = match (initiator.display_name.as_str(), request.user.as_str()) {
        ("", user) => user.to_owned(),
        (name, user) if name == user => name.to_owned(),
        (name, user) => format!("{name} ({user})"),
    };
    let mut found =
        vec![finding(Topic::Identity, Certainty::Certain, name, "the log of the program that was asked")];
    if !initiator.principals.is_empty() {
        let principals = initiator.principals.join(", ");
        found.push(finding(
            Topic::Credential,
            Certainty::Certain,
            principals,
            "principals that Rancher knows",
        ));
    }
    if !initiator.groups.is_empty() {
        let groups = format!("groups {}", initiator.groups.join(", "));
        found.push(finding(Topic::Credential, Certainty::Certain, groups, "claims of the token"));
    }
    if !initiator.client_addresses.is_empty() {
        let addresses = initiator.client_addresses.join(", ");
        found.push(finding(Topic::Address, Certainty::Claimed, addresses, "X-Forwarded-For"));
    }
    found
}

/// Who asked for what a request passes on, where its own body names them: nobody else's log need be open for that.
/// `None` for all other requests.
pub(super) fn asked_for(request: &Request) -> Option<Vec<Finding>> {
    argocd::asked_for(request)
}

/// Whether any line of such a log is held.
fn is_open(log: &Log<'_>, kind: LogKind) -> bool {
    log.store.entries().any(|(_, entry)| !rows_of_kind(entry.segment(), kind).is_clear())
}

fn rows_of_kind(segment: &crate::store::Segment, kind: LogKind) -> Bitset {
    Bitset::from_column(segment.all_facts(), |facts| facts.log() == kind)
}

/// The lines of a log within a stretch of time, both ends included, in the order of time. Of too many, those at the end.
fn lines_within(
    log: &Log<'_>,
    kind: LogKind,
    (from, until): (Micros, Micros),
    wanted: impl Fn(&crate::store::Segment, u32) -> bool,
) -> Vec<Line> {
    let mut found: Vec<(Micros, EventId)> = Vec::new();
    for (number, entry) in log.store.entries() {
        let segment = entry.segment();
        if segment.max_time() < from || segment.min_time() > until {
            continue;
        }
        let mut rows = rows_of_kind(segment, kind);
        rows.and_not(entry.dropped());
        for row in rows.iter() {
            let time = segment.stage_time(row);
            if (from..=until).contains(&time) && wanted(segment, row) {
                found.push((time, EventId::new(number, row)));
            }
        }
    }
    found.sort_unstable();
    let excess = found.len().saturating_sub(MOST_LINES);
    found.drain(..excess);
    found.into_iter().filter_map(|(_, id)| Line::read(log.store, id)).collect()
}

/// What is missing where a program's log is not open: a sentence with the command that shows it.
fn missing(log: &Log<'_>, request: &Request, program: &str, command: &str) -> Step {
    let since = format_rfc3339(request.time.saturating_sub(300 * SECOND));
    let since = since.split('.').next().unwrap_or_default();
    Step::Hole(format!(
        "{program} did this at {}; its log is not open: {command} --since-time={since}Z",
        log.clock(request.time)
    ))
}

/// Whether an object of a controller's log is this one. Where the log does not tell the namespace, it may be any.
fn is_object(touched: &format::TouchedObject, key: &ObjectKey) -> bool {
    let is_kind = super::relations::resource_of(&touched.kind) == key.resource;
    let fits = |told: &str, known: &str| told.is_empty() || told == known;
    is_kind
        && touched.name == key.name
        && fits(&touched.namespace, &key.namespace)
        && fits(&touched.group, &key.group)
}

/// The bodies that tell labels and annotations of a request's object: its own, or the last known ones of the object.
fn metadata_of(log: &Log<'_>, request: &Request) -> Option<serde_json::Value> {
    let of = |request: &Request| {
        let bodies = [request.response_object(), request.request_object()];
        bodies.into_iter().flatten().find_map(|body| {
            let metadata = body.get("metadata")?;
            let tells = ["labels", "annotations"].iter().any(|key| metadata.get(key).is_some());
            tells.then(|| metadata.clone())
        })
    };
    /// Writes to the same object that are looked at.
    const NEAREST: usize = 8;
    of(request).or_else(|| {
        let all = super::cause::writes_to(log, &request.object);
        let at = all.partition_point(|id| log.store.stage_time(*id) <= request.time);
        let before = all[at.saturating_sub(NEAREST)..at].iter().rev();
        before.chain(all[at..].iter().take(NEAREST)).find_map(|id| of(&Request::read(log.store, *id)?))
    })
}

/// A label or an annotation; empty when absent.
fn named<'v>(metadata: &'v serde_json::Value, place: &str, key: &str) -> &'v str {
    metadata.get(place).and_then(|all| all.get(key)).and_then(serde_json::Value::as_str).unwrap_or("")
}

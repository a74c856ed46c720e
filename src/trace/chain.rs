//! The cause chain of a request: step by step back to a person or an outside system, and forwards to all it set off.

use super::cause::{Cause, Step, step};
use super::effects::{Effect, effects};
use super::finding::{Finding, Log};
use super::request::Request;
use super::trail::{ClockDifference, GitOrigin, asked_for, clock_differences};
use super::who::who;
use crate::model::{EventId, LogKind};

/// Steps back at most; a chain of this length is cut and says so.
const LONGEST: usize = 24;

/// Where a chain that goes back ends.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// With somebody or something outside: why nothing lies behind it.
    Origin(String),
    /// With something that this log does not hold: what, and why not.
    Hole(String),
}

/// One request with all that led to it and all that it led to.
#[derive(Clone, PartialEq, Debug)]
pub struct Chain {
    /// The request that was asked about, with its bodies.
    pub request: Request,
    /// Who stood behind it.
    pub who: Vec<Finding>,
    /// What led to it, the nearest first.
    pub causes: Vec<Cause>,
    /// Where the causes end.
    pub end: End,
    /// Who stood behind the first cause; empty when the request itself is the first.
    pub origin: Vec<Finding>,
    /// By how much the clocks of the logs on the way differ from the API server's.
    pub clocks: Vec<ClockDifference>,
    /// What it set off.
    pub effects: Vec<Effect>,
    /// Whether there was more than one answer can hold.
    pub cut: bool,
}

impl Chain {
    /// The chain of a request; `None` when its row is no longer held.
    pub fn of(log: &Log<'_>, id: EventId) -> Option<Chain> {
        let mut chain = Chain::backwards(log, id)?;
        chain.clocks = clocks_of(log, &chain.request, &chain.causes);
        let found = effects(log, &chain.request);
        (chain.effects, chain.cut) = (found.effects, found.cut);
        Some(chain)
    }

    /// Only what led to a request: neither what it set off nor how clocks differ, each of which takes a look at all that
    /// is held.
    pub fn backwards(log: &Log<'_>, id: EventId) -> Option<Chain> {
        let request = Request::read(log.store, id)?;
        let (causes, end) = causes(log, &request);
        let origin = began(log, &request, &causes);
        let who = who(log, &request);
        let (clocks, effects) = (Vec::new(), Vec::new());
        Some(Chain { request, who, causes, end, origin, clocks, effects, cut: false })
    }

    /// The commit behind it, where a GitOps program applied one.
    pub fn git(&self) -> Option<&GitOrigin> {
        self.causes.iter().rev().find_map(|cause| cause.git.as_ref())
    }

    /// The first request of the chain: the one that it all began with.
    pub fn first(&self) -> &Request {
        self.causes.last().map_or(&self.request, |cause| &cause.request)
    }
}

/// Who stood behind what a chain began with: the sender of its first request, or the person whom that names as the one
/// who asked for it. Empty when that is the request itself, and names nobody.
fn began(log: &Log<'_>, request: &Request, causes: &[Cause]) -> Vec<Finding> {
    let first = causes.last().map(|cause| &cause.request);
    match asked_for(first.unwrap_or(request)) {
        Some(asked) => asked,
        None => first.map_or_else(Vec::new, |first| who(log, first)),
    }
}

/// The differences of the logs that a chain goes through.
fn clocks_of(log: &Log<'_>, request: &Request, causes: &[Cause]) -> Vec<ClockDifference> {
    let logs = || std::iter::once(request.log).chain(causes.iter().map(|cause| cause.request.log));
    if logs().all(|kind| kind == LogKind::Kube) {
        return Vec::new();
    }
    clock_differences(log)
        .into_iter()
        .filter(|difference| logs().any(|kind| kind == difference.log))
        .collect()
}

/// What led to a request, the nearest first, and where that ends.
pub fn causes(log: &Log<'_>, request: &Request) -> (Vec<Cause>, End) {
    let mut causes: Vec<Cause> = Vec::new();
    let mut at = request.clone();
    while causes.len() < LONGEST {
        match step(log, &at) {
            Step::Origin(why) => return (causes, End::Origin(why)),
            Step::Hole(why) => return (causes, End::Hole(why)),
            Step::Cause(cause) => {
                let is_known = cause.request.id == request.id
                    || causes.iter().any(|known| known.request.id == cause.request.id);
                if is_known {
                    let why =
                        "requests that seem to have led to each other: names and times cannot tell more";
                    return (causes, End::Hole(why.to_owned()));
                }
                at = cause.request.clone();
                causes.push(*cause);
            }
        }
    }
    (causes, End::Hole(format!("the chain is longer than {LONGEST} steps and is cut here")))
}

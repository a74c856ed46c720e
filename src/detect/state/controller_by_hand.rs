//! A controller's service account that shows up with a person's tool: somebody took its token.
//!
//! What it is usually used with is told by its own requests. Quiet are accounts that people and pipelines use by design
//! (there is no controller to be at home), scripts beside a controller in its pod that run all along or before it, and
//! other workloads under the same account, such as a chart's hooks.

use super::super::correlator::Finding;
use super::place::{Place, place};
use super::scene::{MOST_FINDINGS, Scene, group};
use crate::identity::Use;
use crate::model::{ActorKind, Micros, ToolKind, actor_kind, tool_kind};

/// A tool is the usual one from this many answers on …
const USUAL_FROM: u64 = 5;

/// … that are at least this share of those that no person's tool got, in percent.
const USUAL_SHARE: u64 = 60;

/// Where the controller runs, a person's tool is foreign up to one answer of so many.
const FOREIGN_ONE_OF: u64 = 5;

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let is_account = |user: &&str| actor_kind(user) == ActorKind::ServiceAccount;
    let mut users: Vec<&str> = scene.identities.users().filter(is_account).collect();
    users.sort_unstable();
    users.into_iter().filter_map(|user| of_user(scene, user)).take(MOST_FINDINGS).collect()
}

fn of_user(scene: &Scene<'_>, user: &str) -> Option<Finding> {
    let uses = scene.identities.uses_of_user(user);
    let (hand, own): (Vec<Use<'_>>, Vec<Use<'_>>) =
        uses.iter().copied().partition(|used| tool_kind(used.tool) == ToolKind::Hand);
    if hand.is_empty() {
        return None;
    }
    let usual = usual_tool(&own)?;
    let odd: Vec<Use<'_>> =
        hand.iter().copied().filter(|used| is_odd(used, &hand, &own, tool_kind(usual))).collect();
    if odd.is_empty() {
        return None;
    }
    let mut tools: Vec<&str> = odd.iter().map(|used| used.tool).collect();
    let mut addresses: Vec<&str> = odd.iter().map(|used| used.source_ip).collect();
    for names in [&mut tools, &mut addresses] {
        names.sort_unstable();
        names.dedup();
        names.truncate(3);
    }
    let all: u64 = uses.iter().map(|used| used.answers).sum();
    let usually: u64 = own.iter().filter(|used| used.tool == usual).map(|used| used.answers).sum();
    let reason = format!(
        "usually {usual} ({usually} of {all}), here {} from {}",
        tools.join(", "),
        addresses.join(", ")
    );
    scene.finding(group(&[("user.username", user)]), &scene.events_of(&odd), reason)
}

/// The tool of an account that a program uses.
fn usual_tool<'u>(own: &[Use<'u>]) -> Option<&'u str> {
    let all: u64 = own.iter().map(|used| used.answers).sum();
    let answers =
        |tool: &str| own.iter().filter(|used| used.tool == tool).map(|used| used.answers).sum::<u64>();
    let usual = own.iter().map(|used| used.tool).max_by_key(|tool| (answers(tool), *tool))?;
    let count = answers(usual);
    (count >= USUAL_FROM && count * 100 >= all * USUAL_SHARE).then_some(usual)
}

/// Whether a use by hand is none of what belongs to the account's work.
fn is_odd(used: &Use<'_>, hand: &[Use<'_>], own: &[Use<'_>], usual: ToolKind) -> bool {
    let is_outside = place(used.source_ip) == Place::Outside;
    if usual == ToolKind::Pipeline {
        // Pipelines run scripts, on whatever runner is free.
        return is_outside && own.iter().all(|own| place(own.source_ip) != Place::Outside);
    }
    if !used.pod.is_empty() && own.iter().all(|own| own.pod != used.pod) {
        return is_outside;
    }
    if used.pod.is_empty()
        && used.credential.is_empty()
        && own.iter().all(|own| own.source_ip != used.source_ip)
    {
        // Nothing tells a thief from another pod of the account.
        return is_outside;
    }
    let is_there = |other: &&Use<'_>| other.source_ip == used.source_ip && other.pod == used.pod;
    let at_work = Stretch::of(own.iter().filter(|own| is_there(own) || own.source_ip == used.source_ip));
    let by_hand = Stretch::of(hand.iter().filter(is_there));
    match (at_work, by_hand) {
        (Some(work), Some(hand)) => {
            hand.first > work.first
                && hand.answers * FOREIGN_ONE_OF <= work.answers + hand.answers
                && hand.length() * 2 <= work.length()
        }
        _ => true,
    }
}

/// From when to when something went on, and how much of it.
struct Stretch {
    first: Micros,
    last: Micros,
    answers: u64,
}

impl Stretch {
    fn of<'u>(uses: impl Iterator<Item = &'u Use<'u>> + Clone) -> Option<Stretch> {
        Some(Stretch {
            first: uses.clone().map(|used| used.first).min()?,
            last: uses.clone().map(|used| used.last).max()?,
            answers: uses.map(|used| used.answers).sum(),
        })
    }

    fn length(&self) -> Micros {
        self.last - self.first
    }
}

//! One credential of a machine at two places, or with two kinds of tool, within an hour: it was copied.
//!
//! People are left out: they carry their certificates from network to network. So are a token that several replicas or
//! runners share (they all use the same kind of tool), a node that came back with another address, a pod that is seen at its
//! own address and at its node's, requests of the API server's own machine, and clusters whose load balancers stand for
//! everybody.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::correlator::Finding;
use super::place::{Place, place, same_family};
use super::scene::{MOST_FINDINGS, Scene, group};
use crate::identity::{Minted, Use};
use crate::model::{ActorKind, Micros, SECOND, ToolKind, actor_kind, tool_kind};

/// How far apart two uses may be.
const WITHIN: Micros = 3600 * SECOND;

/// Ways of using one credential that are compared with each other.
const MOST_USES: usize = 200;

/// What is told of a user.
#[derive(Default)]
struct Copied<'i> {
    uses: Vec<Use<'i>>,
    reason: String,
    /// When it was first two places.
    reached: Option<Micros>,
}

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let cluster = Cluster::of(scene);
    let mut by_user: BTreeMap<&str, Copied<'_>> = BTreeMap::new();
    let several = scene.identities.credentials_used_variously();
    let minted = scene.identities.all_minted().map(|(credential, _)| credential);
    let mut credentials: Vec<&str> = several.chain(minted).collect();
    credentials.sort_unstable();
    credentials.dedup();
    for credential in credentials {
        let mut uses = scene.identities.uses_of_credential(credential);
        uses.retain(|used| is_machine(used.user) && place(used.source_ip) != Place::Here);
        uses.sort_by(|a, b| oddity(a).cmp(&oddity(b)));
        uses.truncate(MOST_USES);
        let handed_out = scene.identities.minted(credential);
        for (at, used) in uses.iter().enumerate() {
            // Told are the requests of the odder holder, not those of the credential's owner.
            let other =
                uses[..at].iter().find(|that| is_near(used, that) && cluster.are_two_holders(used, that));
            let (reason, reached) = match (other, &handed_out) {
                (Some(that), _) => (told(that, used), used.first.max(that.first)),
                (None, Some(minted)) if is_carried_away(scene, used, minted) => {
                    let by = format!("minted by {} at {}", minted.by, minted.source_ip);
                    (format!("{by}, used at {}", used.source_ip), used.first)
                }
                _ => continue,
            };
            let copied = by_user.entry(used.user).or_default();
            copied.uses.push(*used);
            if copied.reached.is_none_or(|known| reached < known) {
                (copied.reached, copied.reason) = (Some(reached), reason);
            }
        }
    }
    let found = by_user.into_iter().take(MOST_FINDINGS).filter_map(|(user, copied)| {
        let events = scene.events_of(&copied.uses);
        let mut finding = scene.finding(group(&[("user.username", user)]), &events, copied.reason)?;
        finding.reached = copied.reached.unwrap_or(finding.first).clamp(finding.first, finding.last);
        Some(finding)
    });
    found.collect()
}

/// The owner's uses first: inside, by a program, and many.
fn oddity<'u>(used: &Use<'u>) -> (bool, bool, Reverse<u64>, &'u str, &'u str, &'u str) {
    let is_outside = place(used.source_ip) == Place::Outside;
    let by_hand = tool_kind(used.tool) == ToolKind::Hand;
    (is_outside, by_hand, Reverse(used.answers), used.source_ip, used.tool, used.user)
}

fn is_machine(user: &str) -> bool {
    matches!(actor_kind(user), ActorKind::ServiceAccount | ActorKind::Node)
}

fn is_near(a: &Use<'_>, b: &Use<'_>) -> bool {
    a.first.max(b.first) - a.last.min(b.last) <= WITHIN
}

fn told(a: &Use<'_>, b: &Use<'_>) -> String {
    format!("{} from {}, {} from {}", a.tool, a.source_ip, b.tool, b.source_ip)
}

/// Addresses that nodes and the control plane have, or that a load balancer lends to everybody.
struct Cluster<'s> {
    addresses: HashSet<&'s str>,
    /// Those of each node's kubelet, by the node's name.
    of_node: HashMap<&'s str, HashSet<&'s str>>,
}

impl<'s> Cluster<'s> {
    fn of(scene: &Scene<'s>) -> Cluster<'s> {
        let of_cluster = |user: &&str| matches!(actor_kind(user), ActorKind::Node | ActorKind::ControlPlane);
        let users = scene.identities.users().filter(of_cluster);
        let uses = users.flat_map(|user| scene.identities.uses_of_user(user));
        let mut cluster = Cluster { addresses: HashSet::new(), of_node: HashMap::new() };
        for used in uses.filter(|used| tool_kind(used.tool) != ToolKind::Hand) {
            cluster.addresses.insert(used.source_ip);
            if let Some(node) = used.user.strip_prefix("system:node:") {
                cluster.of_node.entry(node).or_default().insert(used.source_ip);
            }
        }
        cluster
    }

    /// Whether two uses of one credential are not by one and the same holder.
    fn are_two_holders(&self, a: &Use<'_>, b: &Use<'_>) -> bool {
        let kinds = (tool_kind(a.tool), tool_kind(b.tool));
        let is_program = |kind: ToolKind| matches!(kind, ToolKind::Program | ToolKind::Gitops);
        let one_by_hand = match kinds {
            (ToolKind::Hand, other) | (other, ToolKind::Hand) => is_program(other),
            _ => false,
        };
        if a.source_ip == b.source_ip {
            // A pod may have a script beside its program; a kubelet has not.
            return one_by_hand && actor_kind(a.user) == ActorKind::Node;
        }
        let both_of_cluster = self.addresses.contains(a.source_ip) && self.addresses.contains(b.source_ip);
        if both_of_cluster && !one_by_hand {
            return false;
        }
        // What leaves a pod for another machine may bear its node's address: two API servers then see it at two places.
        let is_node_and_pod = |node: &Use<'_>, pod: &Use<'_>| {
            let of_node = match pod.node {
                // Older API servers do not tell which node it is.
                "" => self.addresses.contains(node.source_ip),
                name => self.of_node.get(name).is_some_and(|known| known.contains(node.source_ip)),
            };
            of_node && !pod.pod.is_empty() && place(pod.source_ip) == Place::Inside
        };
        if a.tool == b.tool && !one_by_hand && (is_node_and_pod(a, b) || is_node_and_pod(b, a)) {
            return false;
        }
        let is_of_program = is_program(kinds.0) || is_program(kinds.1);
        let is_bound = !a.pod.is_empty();
        if place(a.source_ip) != place(b.source_ip) {
            // The tokens of people and pipelines travel as these do.
            return is_bound || is_of_program;
        }
        let at_once = a.first <= b.last && b.first <= a.last;
        let moved_pod = is_bound && at_once && place(a.source_ip) == Place::Inside;
        one_by_hand || (moved_pod && same_family(a.source_ip, b.source_ip))
    }
}

/// Whether a token that a person minted was soon used where that person never was, on the internet.
fn is_carried_away(scene: &Scene<'_>, used: &Use<'_>, minted: &Minted<'_>) -> bool {
    let is_soon = used.first >= minted.time && used.first - minted.time <= WITHIN;
    let by_person = actor_kind(minted.by) == ActorKind::Human;
    let elsewhere =
        || scene.identities.uses_of_user(minted.by).iter().all(|by| by.source_ip != used.source_ip);
    by_person && is_soon && place(used.source_ip) == Place::Outside && elsewhere()
}

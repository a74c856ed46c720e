//! A token that a person minted for an account that matters: one that holds cluster-admin, or one that a program works
//! with and whose new token then turned up where neither the program nor the person was seen.
//!
//! Accounts of kube-system need no state: any token minted for them is told by a rule of its own.

use std::collections::BTreeMap;

use super::super::correlator::Finding;
use super::place::{Place, place};
use super::scene::{Group, MOST_FINDINGS, Scene, group};
use crate::identity::{Minted, Use};
use crate::model::{EventId, ToolKind, tool_kind};

/// An account is a program's when one got this many answers with other tokens.
const HOME_FROM: u64 = 5;

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<Group, (Vec<EventId>, String)> = BTreeMap::new();
    let mut minted: Vec<(&str, Minted<'_>)> = scene.identities.all_minted().collect();
    minted.sort_unstable_by_key(|(credential, minted)| (minted.time, *credential));
    for (credential, minted) in minted {
        let Some(reason) = why_it_matters(scene, credential, &minted) else { continue };
        let group = group(&[
            ("user.username", minted.by),
            ("objectRef.namespace", minted.namespace),
            ("objectRef.name", minted.account),
        ]);
        let (events, told) = found.entry(group).or_default();
        events.push(minted.event);
        if told.is_empty() {
            *told = reason;
        }
    }
    let all = found.into_iter().filter_map(|(group, (events, reason))| scene.finding(group, &events, reason));
    all.take(MOST_FINDINGS).collect()
}

fn why_it_matters(scene: &Scene<'_>, credential: &str, minted: &Minted<'_>) -> Option<String> {
    let user = format!("system:serviceaccount:{}:{}", minted.namespace, minted.account);
    if user == minted.by {
        return None;
    }
    if scene.identities.is_cluster_admin(&user) {
        return Some(format!("{user} holds cluster-admin"));
    }
    let uses = scene.identities.uses_of_credential(credential);
    if uses.is_empty() {
        return None;
    }
    let others = scene.identities.uses_of_user(&user);
    let home = others.iter().filter(|used| used.credential != credential);
    let is_program = |used: &&Use<'_>| matches!(tool_kind(used.tool), ToolKind::Program | ToolKind::Gitops);
    if home.clone().filter(is_program).map(|used| used.answers).sum::<u64>() < HOME_FROM {
        return None;
    }
    let minters = scene.identities.uses_of_user(minted.by);
    let is_known = |address: &str| {
        address == minted.source_ip
            || place(address) == Place::Here
            || home.clone().any(|used| used.source_ip == address)
            || minters.iter().any(|used| used.source_ip == address)
    };
    // The program itself may have moved, with a new token.
    let is_other = |used: &&Use<'_>| {
        place(used.source_ip) == Place::Outside || home.clone().all(|own| own.tool != used.tool)
    };
    let elsewhere =
        uses.iter().filter(is_other).map(|used| used.source_ip).filter(|at| !is_known(at)).min()?;
    Some(format!("used at {elsewhere}, where neither {user} nor {} was seen", minted.by))
}

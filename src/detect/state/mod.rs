//! Detections that need to know of other requests: what no rule over one event, nor a count of such, can say.
//!
//! Each is described by an ordinary rule with the custom key `kauditui: {state: NAME}`, so that it has a title, a level,
//! filters and a place in the lists like any other. The rule's selection says which requests may count at all; which of
//! them do is worked out here, from the index of identities ([`crate::identity`]) and not row by row: such rules are left
//! out of [`Engine::hits`].
//!
//! Pure functions of what was ever taken in: loaded in any order, the same log gives the same findings.

mod admin_account;
mod controller_by_hand;
mod outside_gitops;
mod place;
mod privileged_token;
mod reused_audit_id;
mod scene;
#[cfg(test)]
mod tests;
mod two_places;

use std::collections::BTreeMap;

use serde_json::Value;

use super::correlator::Finding;
use super::engine::Engine;
use super::rule::RuleIndex;
use crate::identity::Identities;
use crate::store::Store;
use scene::Scene;

/// A detection that needs state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum StateDetection {
    /// A controller's service account with a person's tool.
    ControllerByHand,
    /// One credential at two places, or with two kinds of tool.
    TwoPlaces,
    /// A change of what GitOps applies by somebody else.
    OutsideGitops,
    /// One auditID of different requests.
    ReusedAuditId,
    /// A token minted by hand for an account that matters.
    PrivilegedToken,
    /// A pod under an account that holds cluster-admin, made by a person.
    AdminAccount,
}

impl StateDetection {
    /// Every detection, with its name in rules.
    const NAMED: [(&str, StateDetection); 6] = [
        ("controller_by_hand", StateDetection::ControllerByHand),
        ("two_places", StateDetection::TwoPlaces),
        ("outside_gitops", StateDetection::OutsideGitops),
        ("reused_audit_id", StateDetection::ReusedAuditId),
        ("privileged_token", StateDetection::PrivilegedToken),
        ("admin_account", StateDetection::AdminAccount),
    ];

    /// The detection behind `kauditui: {state: NAME}` of a rule, if it has one.
    ///
    /// # Errors
    /// When no detection is called so.
    pub(super) fn of(custom: &BTreeMap<String, Value>) -> Result<Option<StateDetection>, String> {
        let Some(name) = custom.get("kauditui").and_then(|own| own.get("state")) else { return Ok(None) };
        let known = StateDetection::NAMED.iter().find(|(known, _)| name.as_str() == Some(*known));
        known.map(|(_, detection)| Some(*detection)).ok_or_else(|| {
            let names: Vec<&str> = StateDetection::NAMED.iter().map(|(name, _)| *name).collect();
            format!("state takes one of {}", names.join(", "))
        })
    }

    fn find(self, scene: &Scene<'_>) -> Vec<Finding> {
        match self {
            StateDetection::ControllerByHand => controller_by_hand::find(scene),
            StateDetection::TwoPlaces => two_places::find(scene),
            StateDetection::OutsideGitops => outside_gitops::find(scene),
            StateDetection::ReusedAuditId => reused_audit_id::find(scene),
            StateDetection::PrivilegedToken => privileged_token::find(scene),
            StateDetection::AdminAccount => admin_account::find(scene),
        }
    }
}

/// What the rules with state find in everything that is held, one finding for each rule and group, in that order.
/// `identities` must have taken in `store`.
pub fn findings(engine: &Engine, identities: &Identities, store: &Store) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, info) in engine.rules().iter().enumerate() {
        let Some(detection) = info.state else { continue };
        let rule = RuleIndex(at as u32);
        found.extend(detection.find(&Scene { engine, rule, identities, store }));
    }
    found.sort_by(|a, b| (a.rule, &a.group).cmp(&(b.rule, &b.group)));
    found
}

/// `now`, with what was found `before` and whose events were dropped for memory since: a finding does not end with the
/// records that it was told by.
pub fn remembered(before: &[Finding], now: Vec<Finding>, store: &Store) -> Vec<Finding> {
    let mut found: BTreeMap<(RuleIndex, Vec<(String, String)>), Finding> =
        now.into_iter().map(|finding| ((finding.rule, finding.group.clone()), finding)).collect();
    for old in before {
        let gone: Vec<_> =
            old.events.iter().copied().filter(|event| store.segment(*event).is_none()).collect();
        if gone.is_empty() {
            continue;
        }
        let new = found.entry((old.rule, old.group.clone())).or_insert_with(|| old.clone());
        new.first = new.first.min(old.first);
        new.last = new.last.max(old.last);
        new.reached = new.reached.min(old.reached);
        new.count = new.count.max(old.count);
        let known = gone.into_iter().filter(|event| !new.events.contains(event)).collect::<Vec<_>>();
        new.events.splice(0..0, known);
        new.events.truncate(scene::MOST_EVENTS);
    }
    found.into_values().collect()
}

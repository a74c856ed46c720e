//! A pod or workload that a person made under a service account that holds cluster-admin: who can run a command in it has
//! the cluster.

use std::collections::BTreeMap;

use super::super::correlator::Finding;
use super::scene::{MOST_FINDINGS, Scene, group};
use crate::model::EventId;
use crate::store::Field;

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, &str), Vec<EventId>> = BTreeMap::new();
    for (event, account) in scene.identities.accounts_on_pods() {
        let Some(segment) = scene.store.segment(event) else { continue };
        if scene.identities.is_cluster_admin(account) {
            let user = segment.string(Field::User, event.row());
            found.entry((user, account)).or_default().push(event);
        }
    }
    let finding = |((user, account), events): ((&str, &str), Vec<EventId>)| {
        let group = group(&[("user.username", user), ("spec.serviceAccountName", account)]);
        scene.finding(group, &events, format!("{account} holds cluster-admin"))
    };
    found.into_iter().filter_map(finding).take(MOST_FINDINGS).collect()
}

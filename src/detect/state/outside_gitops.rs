//! A change of what a GitOps controller applies by a person or a pipeline: the next sync undoes it, or nobody knows why
//! the cluster is not what the repository says.

use std::collections::BTreeMap;

use super::super::correlator::Finding;
use super::scene::{MOST_FINDINGS, Scene, group};
use crate::model::EventId;

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, &str), Vec<EventId>> = BTreeMap::new();
    for write in scene.identities.outside_writes() {
        found.entry((write.user, write.namespace)).or_default().push(write.event);
    }
    let finding = |((user, namespace), events): ((&str, &str), Vec<EventId>)| {
        let group = group(&[("user.username", user), ("objectRef.namespace", namespace)]);
        scene.finding(group, &events, "a GitOps controller applies what was changed".to_owned())
    };
    found.into_iter().filter_map(finding).take(MOST_FINDINGS).collect()
}

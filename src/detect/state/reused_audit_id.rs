//! One auditID of different requests: the client chose it, so that its requests are taken for one, or for another's.

use super::super::correlator::Finding;
use super::scene::{MOST_FINDINGS, Scene, group};

pub(super) fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let finding = |(id, events): (&str, Vec<crate::model::EventId>)| {
        let reason = format!("{} requests under this auditID", events.len());
        let finding = scene.finding(group(&[("auditID", id)]), &events, reason)?;
        // What a filter leaves out may leave one request, which differs from none.
        (finding.count > 1).then_some(finding)
    };
    scene.identities.reused_audit_ids().filter_map(finding).take(MOST_FINDINGS).collect()
}

//! Azure's diagnostic records, where AKS sends its audit log: through Event Hubs and into storage accounts.
//!
//! `{"records":[{"category":"kube-audit","properties":{"log":"{…}\n","stream":"stdout","pod":…},"time":…}]}`, or one
//! such record a line. Elastic's integration has `log` as an object (elastic/integrations, azure and kubernetes). Files
//! of Event Hubs' capture may begin with a byte order mark, which [`super::super::Reader`] knows.

use super::super::members::{Members, member, string};
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the log of each record of the array that `members` stands at.
pub(super) fn records(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let read = members.elements(|record| {
        if let Some(properties) = member(record, b"properties") {
            found |= log_of(properties, take);
        }
    });
    hand_on_cut(Envelope::Azure, read, found, take);
    found.then(|| members.end())
}

/// The same for one record, whose properties `members` stands at.
pub(super) fn record(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    log_of(members.raw()?, take).then(|| members.end())
}

fn log_of(properties: &[u8], take: &mut Take<'_>) -> bool {
    let Some(log) = member(properties, b"log") else { return false };
    match string(log) {
        Some(text) => take(Envelope::Azure, Inner::Message(&text)),
        None if log.starts_with(b"{") => take(Envelope::Azure, Inner::Message(log)),
        None => return false,
    }
    true
}

//! Azure's diagnostic records, where AKS sends its audit log: through Event Hubs and into storage accounts.
//!
//! `{"records":[{"category":"kube-audit","properties":{"log":"{…}\n","stream":"stdout","pod":…},"time":…}]}`, or one
//! such record a line. Elastic's integration has `log` as an object (elastic/integrations, azure and kubernetes). Files
//! of Event Hubs' capture may begin with a byte order mark, which [`super::super::Reader`] knows.

use super::super::members::Members;
use super::super::unescape::Decoded;
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the log of each record of the array that `members` stands at.
pub(super) fn records(
    members: &mut Members<'_>,
    scratch: &mut Decoded,
    take: &mut Take<'_>,
) -> Option<usize> {
    let mut found = false;
    let read = members.each_object(|record| {
        while let Some(key) = record.next_key() {
            if key == b"properties" && record.at_object() {
                return record
                    .inside(|properties| log_of(properties, scratch, take))
                    .inspect(|()| found = true)
                    .is_some();
            }
        }
        false
    });
    hand_on_cut(Envelope::Azure, read, found, take);
    found.then(|| members.end())
}

/// The same for one record, whose properties `members` stands at.
pub(super) fn record(members: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<usize> {
    members.inside(|properties| log_of(properties, scratch, take))?;
    Some(members.end())
}

fn log_of(properties: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<()> {
    while properties.next_key()? != b"log" {}
    if properties.at_object() {
        take(Envelope::Azure, Inner::Message(properties.raw()?));
        return Some(());
    }
    properties.text_into(scratch).then(|| take(Envelope::Azure, Inner::Message(scratch)))
}

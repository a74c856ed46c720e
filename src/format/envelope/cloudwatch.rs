//! Amazon CloudWatch Logs as JSON documents: EKS sends every event as the message of one record.
//!
//! * `aws logs filter-log-events` and `get-log-events`: `{"events":[{"logStreamName":…,"timestamp":…,"message":"{…}"}]}`
//! * subscriptions through Kinesis, Firehose or Lambda: `{"messageType":"DATA_MESSAGE","logEvents":[{"message":…}]}`,
//!   one behind the other without a line end (AWS, "Log group-level subscription filters")
//! * `aws logs get-query-results`: `{"results":[[{"field":"@message","value":"{…}"}]]}`
//!
//! Messages of more than 256 KB are cut and end in `[Truncated...]` (falcosecurity/plugins, k8saudit-eks): of those no
//! event is left, but what their beginning tells is (see [`super::super::remains`]).

use super::super::members::{Members, elements, member, string};
use super::super::unescape::Decoded;
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the message of each record of the array that `members` stands at.
pub(super) fn events(members: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let read = members.each_object(|record| {
        while let Some(key) = record.next_key() {
            if key == b"message" {
                return message(record, scratch, take).inspect(|()| found = true).is_some();
            }
        }
        false
    });
    hand_on_cut(Envelope::CloudWatch, read, found, take);
    found.then(|| members.end())
}

/// `aws logs tail --format json` has messages that are JSON as such.
fn message(record: &mut Members<'_>, scratch: &mut Decoded, take: &mut Take<'_>) -> Option<()> {
    if record.at_object() {
        take(Envelope::CloudWatch, Inner::Message(record.raw()?));
        return Some(());
    }
    record.text_into(scratch).then(|| take(Envelope::CloudWatch, Inner::Message(scratch)))
}

/// The same for the rows of a query's result.
pub(super) fn insights(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    let mut found = false;
    let read = members.elements(|row| {
        // A row is whole, since the array of rows was stepped over.
        let _ = elements(row, |cell| {
            if member(cell, b"field") == Some(b"\"@message\"")
                && let Some(message) = member(cell, b"value").and_then(string)
            {
                found = true;
                take(Envelope::CloudWatch, Inner::Message(&message));
            }
        });
    });
    hand_on_cut(Envelope::CloudWatch, read, found, take);
    found.then(|| members.end())
}

//! Which request a record is of, as far as alerts are concerned.

use crate::model::{EventId, LogKind};
use crate::store::{Field, Segment, hash_bytes, mix};

/// What tells apart the lines of a controller's log that have one time.
const SAID: [Field; 7] = [
    Field::Verb,
    Field::User,
    Field::Resource,
    Field::Subresource,
    Field::Namespace,
    Field::Name,
    Field::Reason,
];

/// Names the request of a row: by auditID, received time and requestURI, since a client may choose the auditID. Equal
/// for all stages of a request and for the same line read twice; without an auditID each row is a request of its own,
/// but for the logs of programs that know none.
pub(super) fn request_key(number: u32, segment: &Segment, row: u32) -> u64 {
    let audit_id = segment.audit_id(row);
    if audit_id.is_empty() && segment.facts(row).log() != LogKind::Kube {
        // A controller's line is known again by what it says and when.
        let time = mix(segment.stage_time(row) as u64, u64::from(segment.code(row)));
        return SAID.iter().fold(time, |key, field| {
            mix(key, segment.column(*field).dictionary.hash(segment.symbol(*field, row)))
        });
    }
    if audit_id.is_empty() {
        let id = EventId::new(number, row);
        return mix(u64::from(id.segment()), u64::from(id.row()));
    }
    let uri = segment.column(Field::RequestUri).dictionary.hash(segment.symbol(Field::RequestUri, row));
    mix(mix(hash_bytes(audit_id.as_bytes()), segment.received(row) as u64), uri)
}

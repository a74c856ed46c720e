//! Which request a record is of, as far as alerts are concerned.

use crate::model::EventId;
use crate::store::{Field, Segment, mix};

/// Names the request of a row: by auditID, received time and requestURI, since a client may choose the auditID. Equal
/// for all stages of a request and for the same line read twice; without an auditID each row is a request of its own,
/// but for the logs of programs that know none.
pub(super) fn request_key(number: u32, segment: &Segment, row: u32) -> u64 {
    // A controller's line is known again by its text and its time.
    if let Some(key) = segment.text_key(row) {
        return key;
    }
    let Some(audit_id) = segment.id_hash(row) else {
        let id = EventId::new(number, row);
        return mix(u64::from(id.segment()), u64::from(id.row()));
    };
    let uri = segment.column(Field::RequestUri).dictionary.hash(segment.symbol(Field::RequestUri, row));
    mix(mix(audit_id, segment.received(row) as u64), uri)
}

//! Who minted each token, from the requests that made them.

use std::collections::HashMap;

use super::names::{Name, Names};
use crate::model::{EventId, Micros};
use crate::store::{Field, Segment};

/// Tokens of which it is remembered at most who minted them.
const MOST_MINTED: usize = 100_000;

/// Who asked for a service account token.
#[derive(Clone, Debug)]
struct MintRecord {
    by: Name,
    acted_as: Name,
    credential: Name,
    source_ip: Name,
    agent: Name,
    namespace: Name,
    account: Name,
    audit_id: Box<str>,
    time: Micros,
    event: EventId,
}

/// Who asked for a service account token (`create serviceaccounts/token`), when, and from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Minted<'i> {
    /// `user.username` of the request.
    pub by: &'i str,
    /// The user that it impersonated, if any.
    pub acted_as: &'i str,
    /// The credential that the request itself was made with, if told.
    pub credential: &'i str,
    /// The trustworthy address.
    pub source_ip: &'i str,
    /// A claim.
    pub agent: &'i str,
    /// Namespace of the service account.
    pub namespace: &'i str,
    /// Name of the service account.
    pub account: &'i str,
    /// auditID of the request.
    pub audit_id: &'i str,
    /// When it was answered.
    pub time: Micros,
    /// Its row, which may no longer be held.
    pub event: EventId,
}

/// Who minted each token, by its credential id.
#[derive(Debug, Default)]
pub(super) struct Mints(HashMap<Name, MintRecord>);

impl Mints {
    /// Takes in a row that says which token it issued.
    pub(super) fn take(&mut self, number: u32, segment: &Segment, row: u32, names: &mut Names) {
        let issued = names.intern(segment.string(Field::IssuedCredential, row));
        if self.0.contains_key(&issued) || self.0.len() >= MOST_MINTED {
            return;
        }
        let mut name = |field: Field| names.intern(segment.string(field, row));
        let record = MintRecord {
            by: name(Field::User),
            acted_as: name(Field::ImpersonatedUser),
            credential: name(Field::Credential),
            source_ip: name(Field::SourceIp),
            agent: name(Field::UserAgent),
            namespace: name(Field::Namespace),
            account: name(Field::Name),
            audit_id: segment.audit_id(row).into(),
            time: segment.stage_time(row),
            event: EventId::new(number, row),
        };
        self.0.insert(issued, record);
    }

    pub(super) fn get<'i>(&'i self, credential: Name, names: &'i Names) -> Option<Minted<'i>> {
        self.0.get(&credential).map(|record| record.shown(names))
    }

    /// All tokens with their credential ids, in no order.
    pub(super) fn all<'i>(&'i self, names: &'i Names) -> impl Iterator<Item = (&'i str, Minted<'i>)> + 'i {
        self.0.iter().map(|(issued, record)| (names.get(*issued), record.shown(names)))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * (size_of::<MintRecord>() + 40)
    }
}

impl MintRecord {
    fn shown<'i>(&'i self, names: &'i Names) -> Minted<'i> {
        Minted {
            by: names.get(self.by),
            acted_as: names.get(self.acted_as),
            credential: names.get(self.credential),
            source_ip: names.get(self.source_ip),
            agent: names.get(self.agent),
            namespace: names.get(self.namespace),
            account: names.get(self.account),
            audit_id: &self.audit_id,
            time: self.time,
            event: self.event,
        }
    }
}

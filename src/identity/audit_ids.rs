//! AuditIDs that name more than one request.
//!
//! The API server makes up an auditID unless the client brings one (`k8s.io/apiserver/pkg/endpoints/filters`,
//! `WithAuditInit`), so a client can make its requests look like one, or like somebody else's. Looked at is what people's
//! tools sent, and every id that is no UUID: programs at work bring none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::roles::Deed;
use crate::model::{EventId, Micros};

/// Ids that are remembered.
const MOST_IDS: usize = 200_000;

/// Ids of several requests that are told.
const MOST_REUSED: usize = 1_000;

/// Requests that are told of one such id.
const MOST_REQUESTS: usize = 100;

/// The first record of a request.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// See [`Deed::request`].
    key: u64,
    time: Micros,
    event: EventId,
}

#[derive(Debug, Default)]
pub(super) struct AuditIds {
    /// The one request of each id.
    known: HashMap<u64, Request>,
    /// The requests of each id that has several.
    reused: BTreeMap<String, Vec<Request>>,
    forgotten: u64,
}

impl AuditIds {
    pub(super) fn take(&mut self, deed: &Deed<'_>) {
        let Some(hash) = deed.segment.id_hash(deed.row()) else { return };
        let id = || deed.segment.audit_id(deed.row());
        let new = Request { key: deed.request(), time: deed.time(), event: deed.event };
        // Mostly there is none, and then no id need be written out.
        if !self.reused.is_empty()
            && let Some(requests) = self.reused.get_mut(&id())
        {
            if requests.len() < MOST_REQUESTS || requests.iter().any(|known| known.key == new.key) {
                add(requests, new);
            } else {
                self.forgotten += 1;
            }
            return;
        }
        let is_full = self.known.len() >= MOST_IDS;
        match self.known.entry(hash) {
            Entry::Occupied(mut known) if known.get().key == new.key => known.get_mut().take(new),
            Entry::Occupied(_) if self.reused.len() >= MOST_REUSED => self.forgotten += 1,
            Entry::Occupied(known) => {
                self.reused.insert(id(), vec![*known.get(), new]);
            }
            Entry::Vacant(_) if is_full => self.forgotten += 1,
            Entry::Vacant(vacant) => {
                vacant.insert(new);
            }
        }
    }

    /// The ids of several requests, with an event of each request in the order of time.
    pub(super) fn reused(&self) -> impl Iterator<Item = (&str, Vec<EventId>)> {
        self.reused.iter().map(|(id, requests)| {
            let mut requests = requests.clone();
            requests.sort_by_key(|request| (request.time, request.key));
            (id.as_str(), requests.iter().map(|request| request.event).collect())
        })
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let reused = |(id, requests): (&String, &Vec<Request>)| {
            id.capacity() + requests.capacity() * size_of::<Request>() + 64
        };
        self.known.capacity() * (size_of::<Request>() + 16) + self.reused.iter().map(reused).sum::<usize>()
    }
}

impl Request {
    /// Takes in another record of the same request: the earliest stands for it.
    fn take(&mut self, other: Request) {
        if other.time < self.time {
            *self = other;
        }
    }
}

fn add(requests: &mut Vec<Request>, new: Request) {
    match requests.iter_mut().find(|known| known.key == new.key) {
        Some(known) => known.take(new),
        None => requests.push(new),
    }
}

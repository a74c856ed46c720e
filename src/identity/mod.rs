//! The credential index: which identity used which credential, from which address, with which tool; who minted each
//! token; and what is usual for an identity.
//!
//! Beside them what else of one request matters to another: who holds cluster-admin, what GitOps controllers applied and
//! who else changed it, auditIDs that name several requests.
//!
//! Built from the columns of each segment as it arrives, once; bodies are read of bindings and of the workloads that
//! people make, which are few. It outlives the eviction of the segments it was built from, so that a token's origin is
//! still known when the request that minted it is gone; it is bounded, and says when that bites. [`crate::trace`] tells
//! with it who stood behind a request, [`crate::detect`] what is out of the ordinary.

mod audit_ids;
mod deliveries;
mod habit;
mod minted;
mod names;
mod rights;
mod roles;

use std::collections::HashMap;

use hashbrown::hash_map::Entry;

use crate::model::{ActorKind, EventId, Micros, Stage, actor_kind, tool};
use crate::store::{Bitset, EMPTY, Entry as StoreEntry, Field, Segment, Store, Symbol};
use audit_ids::AuditIds;
use deliveries::Deliveries;
use minted::Mints;
use names::{Name, Names};
use rights::Rights;
use roles::Roles;

pub use deliveries::OutsideWrite;
pub use habit::{Habit, Share, Unusual};
pub use minted::Minted;

/// The rows of a segment whose original texts [`Identities::update`] reads.
pub fn rows_read(segment: &Segment) -> Bitset {
    let roles = Roles::of(segment);
    Bitset::from_fn(segment.rows(), |row| rights::is_read(&roles.deed(0, row as u32)))
}

/// Distinct uses that are remembered at most; a cluster has few hundred, plus one for each pod's token.
const MOST_USES: usize = 100_000;

/// One way in which an identity was used: with one credential, from one address, through one tool.
#[derive(Clone, Copy, Debug)]
struct UseRecord {
    user: Name,
    credential: Name,
    source_ip: Name,
    tool: Name,
    agent: Name,
    pod: Name,
    node: Name,
    requests: u64,
    answers: u64,
    first: Micros,
    last: Micros,
    event: EventId,
}

/// One way in which an identity was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use<'i> {
    /// `user.username`
    pub user: &'i str,
    /// Credential id; empty where the API server told none (before 1.29, or static tokens).
    pub credential: &'i str,
    /// The trustworthy address.
    pub source_ip: &'i str,
    /// Tool, from the agent that the client claims to be.
    pub tool: &'i str,
    /// The first such agent.
    pub agent: &'i str,
    /// The pod that the token is bound to, if any.
    pub pod: &'i str,
    /// The node of that pod, where the API server tells it (since 1.30).
    pub node: &'i str,
    /// How many requests.
    pub requests: u64,
    /// How many records of answers. Unlike the requests, whose records may come apart, the same whichever way the log
    /// was loaded.
    pub answers: u64,
    /// When the first of them was answered.
    pub first: Micros,
    /// When the last of them was answered.
    pub last: Micros,
    /// One of them.
    pub event: EventId,
}

/// All uses of identities and credentials in what was ever held.
#[derive(Debug, Default)]
pub struct Identities {
    names: Names,
    uses: Vec<UseRecord>,
    by_key: hashbrown::HashMap<[Name; 4], u32>,
    by_user: HashMap<Name, Vec<u32>>,
    by_credential: HashMap<Name, Vec<u32>>,
    minted: Mints,
    rights: Rights,
    deliveries: Deliveries,
    audit_ids: AuditIds,
    /// Rows of each segment that were looked at.
    looked_at: HashMap<u32, u32>,
    forgotten: u64,
}

impl Identities {
    /// Takes in what the store holds and was not looked at before.
    pub fn update(&mut self, store: &Store) {
        self.looked_at.retain(|number, _| store.entry(*number).is_some());
        for (number, entry) in store.entries() {
            let segment = entry.segment();
            let from = self.looked_at.insert(number, segment.rows()).unwrap_or(0);
            if from < segment.rows() {
                self.take(number, entry, from);
                self.take_deeds(number, entry, from);
            }
        }
    }

    /// What is told by single requests, not by their number: few of them matter.
    fn take_deeds(&mut self, number: u32, entry: &StoreEntry, from: u32) {
        let segment = entry.segment();
        let roles = Roles::of(segment);
        for row in from..segment.rows() {
            if segment.facts(row).stage() == Stage::RequestReceived || entry.dropped().get(row) {
                continue;
            }
            let deed = roles.deed(number, row);
            if deed.is_by_person() || segment.facts(row).has_chosen_id() {
                self.audit_ids.take(&deed);
            }
            self.rights.take(&deed, &mut self.names);
            if deed.is_write() {
                self.deliveries.take(&deed, &mut self.names);
            }
        }
    }

    fn take(&mut self, number: u32, entry: &StoreEntry, from: u32) {
        let segment = entry.segment();
        let tools: Vec<Name> = {
            let agents = &segment.column(Field::UserAgent).dictionary;
            agents.iter().map(|(_, agent)| self.names.intern(tool(agent))).collect()
        };
        let mut here: hashbrown::HashMap<[Symbol; 4], UseRecord> = hashbrown::HashMap::new();
        for row in from..segment.rows() {
            let issued = segment.symbol(Field::IssuedCredential, row);
            if issued != EMPTY {
                self.minted.take(number, segment, row, &mut self.names);
            }
            if segment.facts(row).stage() == Stage::RequestReceived || entry.dropped().get(row) {
                continue;
            }
            // A request's later records are hidden behind the first that answered it, so each is counted once.
            let requests = u64::from(!entry.hidden().get(row));
            let key = [Field::User, Field::Credential, Field::SourceIp, Field::UserAgent]
                .map(|field| segment.symbol(field, row));
            let time = segment.stage_time(row);
            match here.entry(key) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.requests += requests;
                    known.answers += 1;
                    if time < known.first {
                        (known.first, known.event) = (time, EventId::new(number, row));
                    }
                    known.last = known.last.max(time);
                }
                Entry::Vacant(vacant) => {
                    let mut name = |field: Field| self.names.intern(segment.string(field, row));
                    let record = UseRecord {
                        user: name(Field::User),
                        credential: name(Field::Credential),
                        source_ip: name(Field::SourceIp),
                        agent: name(Field::UserAgent),
                        pod: name(Field::TokenPod),
                        node: name(Field::TokenNode),
                        tool: tools.get(usize::from(key[3])).copied().unwrap_or_default(),
                        requests,
                        answers: 1,
                        first: time,
                        last: time,
                        event: EventId::new(number, row),
                    };
                    vacant.insert(record);
                }
            }
        }
        for record in here.into_values() {
            self.merge(record);
        }
    }

    fn merge(&mut self, new: UseRecord) {
        let key = [new.user, new.credential, new.source_ip, new.tool];
        if let Some(known) = self.by_key.get(&key).and_then(|at| self.uses.get_mut(*at as usize)) {
            known.requests += new.requests;
            known.answers += new.answers;
            if new.first < known.first {
                (known.first, known.event, known.agent) = (new.first, new.event, new.agent);
            }
            known.last = known.last.max(new.last);
            return;
        }
        if self.uses.len() >= MOST_USES {
            self.forgotten += new.requests;
            return;
        }
        let at = self.uses.len() as u32;
        self.by_key.insert(key, at);
        self.by_user.entry(new.user).or_default().push(at);
        if new.credential != Name::default() {
            self.by_credential.entry(new.credential).or_default().push(at);
        }
        self.uses.push(new);
    }

    /// How an identity was used, the most frequent way first.
    pub fn uses_of_user(&self, user: &str) -> Vec<Use<'_>> {
        self.uses_at(self.names.find(user).and_then(|name| self.by_user.get(&name)))
    }

    /// How a credential was used, the most frequent way first.
    pub fn uses_of_credential(&self, credential: &str) -> Vec<Use<'_>> {
        self.uses_at(self.names.find(credential).and_then(|name| self.by_credential.get(&name)))
    }

    fn uses_at(&self, at: Option<&Vec<u32>>) -> Vec<Use<'_>> {
        let mut uses: Vec<Use<'_>> = at
            .into_iter()
            .flatten()
            .filter_map(|at| self.uses.get(*at as usize))
            .map(|record| self.shown(record))
            .collect();
        uses.sort_by_key(|used| (std::cmp::Reverse(used.requests), used.first));
        uses
    }

    fn shown(&self, record: &UseRecord) -> Use<'_> {
        Use {
            user: self.names.get(record.user),
            credential: self.names.get(record.credential),
            source_ip: self.names.get(record.source_ip),
            tool: self.names.get(record.tool),
            agent: self.names.get(record.agent),
            pod: self.names.get(record.pod),
            node: self.names.get(record.node),
            requests: record.requests,
            answers: record.answers,
            first: record.first,
            last: record.last,
            event: record.event,
        }
    }

    /// Who minted the token with this credential id, if the log tells.
    pub fn minted(&self, credential: &str) -> Option<Minted<'_>> {
        self.minted.get(self.names.find(credential)?, &self.names)
    }

    /// All tokens that were minted for a service account, with their credential ids, the oldest first.
    pub fn minted_for<'i>(&'i self, namespace: &str, account: &str) -> Vec<(&'i str, Minted<'i>)> {
        let of_account =
            |(_, minted): &(&str, Minted<'_>)| (minted.namespace, minted.account) == (namespace, account);
        let mut found: Vec<(&str, Minted<'_>)> = self.all_minted().filter(of_account).collect();
        found.sort_by_key(|(issued, minted)| (minted.time, *issued));
        found
    }

    /// All tokens of which it is known who minted them, by credential id, in no order.
    pub fn all_minted(&self) -> impl Iterator<Item = (&str, Minted<'_>)> {
        self.minted.all(&self.names)
    }

    /// Every user that made a request, in no order.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.by_user.keys().map(|user| self.names.get(*user))
    }

    /// Every credential id that was used in more than one way, in no order.
    pub fn credentials_used_variously(&self) -> impl Iterator<Item = &str> {
        let several = self.by_credential.iter().filter(|(_, at)| at.len() > 1);
        several.map(|(credential, _)| self.names.get(*credential))
    }

    /// Whether a service account holds cluster-admin all over the cluster: a ClusterRoleBinding to it was written, or
    /// allowed one of its requests.
    pub fn is_cluster_admin(&self, user: &str) -> bool {
        self.names.find(user).is_some_and(|name| self.rights.is_cluster_admin(name))
    }

    /// Pods and workloads that people made, with the service account (as a username) that each asks for.
    pub fn accounts_on_pods(&self) -> impl Iterator<Item = (EventId, &str)> {
        self.rights.accounts_on_pods().map(|(event, account)| (event, self.names.get(account)))
    }

    /// Writes of people and pipelines to objects that a GitOps controller applies, in no order.
    pub fn outside_writes(&self) -> impl Iterator<Item = OutsideWrite<'_>> {
        self.deliveries.outside_writes(&self.names)
    }

    /// AuditIDs that name more than one request, with an event of each request.
    pub fn reused_audit_ids(&self) -> impl Iterator<Item = (&str, Vec<EventId>)> {
        self.audit_ids.reused()
    }

    /// What is usual for an identity.
    pub fn habit(&self, user: &str) -> Habit {
        Habit::of(&self.uses_of_user(user))
    }

    /// Machines' identities that are mostly used from one address, and each other address that they were used from:
    /// what came from there is out of the ordinary.
    pub fn unusual_places(&self) -> Vec<(&str, &str)> {
        let machine = |user: &str| !matches!(actor_kind(user), ActorKind::Human | ActorKind::Anonymous);
        let mut found = Vec::new();
        for (user, at) in self.by_user.iter().filter(|(_, at)| at.len() > 1) {
            let user = self.names.get(*user);
            if !machine(user) {
                continue;
            }
            let habit = Habit::of(&self.uses_at(Some(at)));
            for address in &habit.addresses {
                if let Some(name) = self.names.find(&address.value)
                    && habit.unusual_address(&address.value).is_some()
                {
                    found.push((user, self.names.get(name)));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// How many distinct uses are known: another number means that somebody or something new was seen.
    pub fn distinct_uses(&self) -> usize {
        self.uses.len()
    }

    /// Requests that were not remembered, since too many different ones were seen.
    pub fn forgotten(&self) -> u64 {
        self.forgotten + self.rights.forgotten() + self.deliveries.forgotten() + self.audit_ids.forgotten()
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.names.memory_bytes()
            + self.uses.capacity() * (size_of::<UseRecord>() + 8)
            + self.by_key.capacity() * (size_of::<[Name; 4]>() + 8)
            + (self.by_user.capacity() + self.by_credential.capacity()) * 32
            + self.minted.memory_bytes()
            + self.rights.memory_bytes()
            + self.deliveries.memory_bytes()
            + self.audit_ids.memory_bytes()
    }
}

#[cfg(test)]
mod tests;

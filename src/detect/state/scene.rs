//! What a detection looks at, and how requests become a finding: those that the rule's own selection lets through, each
//! request once.

use std::collections::BTreeMap;

use super::super::correlator::Finding;
use super::super::engine::Engine;
use super::super::request::request_key;
use super::super::rule::RuleIndex;
use crate::identity::{Identities, Use};
use crate::model::{EventId, Micros, Stage, tool};
use crate::store::{Bitset, Field, Segment, Store, Symbol};

/// Events named by a finding, the first ones.
pub(super) const MOST_EVENTS: usize = 100;

/// Findings of one rule. More of them are no findings but noise.
pub(super) const MOST_FINDINGS: usize = 1_000;

/// Everything that is known, and the rule that asks.
pub(super) struct Scene<'s> {
    pub(super) engine: &'s Engine,
    pub(super) rule: RuleIndex,
    pub(super) identities: &'s Identities,
    pub(super) store: &'s Store,
}

/// Names of fields with their values.
pub(super) type Group = Vec<(String, String)>;

/// A group of fields.
pub(super) fn group(fields: &[(&str, &str)]) -> Group {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Whether a segment's record shows that a credential was used in a certain way.
struct Wanted {
    user: Symbol,
    credential: Symbol,
    source_ip: Symbol,
    agents: Vec<bool>,
}

impl Wanted {
    /// `None` when the segment has no such record.
    fn of(segment: &Segment, used: &Use<'_>) -> Option<Wanted> {
        let symbol = |field: Field, text: &str| {
            let mut strings = segment.column(field).dictionary.iter();
            strings.find(|(_, known)| *known == text).map(|(symbol, _)| symbol)
        };
        let agents = segment.column(Field::UserAgent).dictionary.iter();
        Some(Wanted {
            user: symbol(Field::User, used.user)?,
            credential: symbol(Field::Credential, used.credential)?,
            source_ip: symbol(Field::SourceIp, used.source_ip)?,
            agents: agents.map(|(_, agent)| tool(agent) == used.tool).collect(),
        })
    }

    fn is(&self, segment: &Segment, row: u32) -> bool {
        segment.symbol(Field::User, row) == self.user
            && segment.symbol(Field::Credential, row) == self.credential
            && segment.symbol(Field::SourceIp, row) == self.source_ip
            && self.agents.get(usize::from(segment.symbol(Field::UserAgent, row))) == Some(&true)
    }
}

impl Scene<'_> {
    /// The records of these uses that are still held.
    pub(super) fn events_of(&self, uses: &[Use<'_>]) -> Vec<EventId> {
        let mut found = Vec::new();
        for (number, entry) in self.store.entries() {
            let segment = entry.segment();
            let wanted: Vec<Wanted> = uses.iter().filter_map(|used| Wanted::of(segment, used)).collect();
            if wanted.is_empty() {
                continue;
            }
            let is_wanted = |row: &u32| {
                wanted.iter().any(|wanted| wanted.is(segment, *row))
                    && segment.facts(*row).stage() != Stage::RequestReceived
                    && !entry.dropped().get(*row)
            };
            found.extend((0..segment.rows()).filter(is_wanted).map(|row| EventId::new(number, row)));
        }
        found
    }

    /// The finding that these events make, if the rule's selection lets any of them through.
    pub(super) fn finding(&self, group: Group, events: &[EventId], reason: String) -> Option<Finding> {
        let mut by_segment: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for event in events {
            by_segment.entry(event.segment()).or_default().push(event.row());
        }
        let mut requests: BTreeMap<u64, (Micros, EventId)> = BTreeMap::new();
        for (number, rows) in by_segment {
            let Some(segment) = self.store.entry(number).map(|entry| entry.segment()) else { continue };
            let mut among = Bitset::none(segment.rows());
            rows.iter().filter(|row| **row < segment.rows()).for_each(|row| among.set(*row, true));
            for row in self.engine.matching(self.rule, segment, &among) {
                let seen = (segment.stage_time(row), EventId::new(number, row));
                let earliest = requests.entry(request_key(number, segment, row)).or_insert(seen);
                *earliest = seen.min(*earliest);
            }
        }
        // Equal times are told apart by what names the request, not by the place it was loaded to.
        let mut ordered: Vec<(Micros, u64, EventId)> =
            requests.into_iter().map(|(key, (time, event))| (time, key, event)).collect();
        ordered.sort_unstable();
        let (first, last) = (ordered.first()?.0, ordered.last()?.0);
        Some(Finding {
            rule: self.rule,
            group,
            first,
            last,
            reached: first,
            count: ordered.len() as u64,
            is_tally: true,
            events: ordered.into_iter().take(MOST_EVENTS).map(|(_, _, event)| event).collect(),
            sure_since: None,
            reason: Some(reason),
        })
    }
}

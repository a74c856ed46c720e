//! Who was active: each identity with what it did, over the rows that a view shows. Screen 2 and `kauditui users` are
//! made of it.
//!
//! An impersonated request counts for both: for the one who made it and for the one it was made as. Whether somebody is
//! new is told from all records that were ever held, whatever the filter.

use std::collections::{BTreeMap, HashMap};

use crate::model::{ActorKind, Micros, SECOND, actor_kind};
use crate::query::{Context, FieldName, Grouping, SortBy, Stats, View};
use crate::store::{Field, Segment, Store, hash_bytes};

/// The fields whose values are counted for each actor, see [`Stats::distinct`].
pub const FURTHER: [FieldName; 3] = [FieldName::Namespace, FieldName::SourceIp, FieldName::Tool];

/// Somebody is new who was first seen in the last three quarters of the log, and at least this long after its
/// beginning.
const SETTLING: Micros = 60 * SECOND;

/// Identities that are remembered at most; a later one is not told to be new.
const MOST_REMEMBERED: usize = 200_000;

/// One identity.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Username; empty for requests that nobody was known to make.
    pub name: Box<str>,
    /// What kind of identity the name claims to be.
    pub kind: ActorKind,
    /// What it did, and what was done as it.
    pub stats: Stats,
    /// Of these, requests that it made as somebody else.
    pub impersonating: u64,
    /// Of these, requests that somebody else made as it.
    pub impersonated: u64,
    /// When it was first seen in all that was ever held.
    pub first_seen: Micros,
    /// Whether it was first seen well after the log began.
    pub is_new: bool,
}

/// The identities of a view, kept up to date.
#[derive(Debug)]
pub struct Activity {
    by_user: Grouping,
    by_impersonator: Grouping,
    by_impersonated: Grouping,
    seen: FirstSeen,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            by_user: Grouping::new(vec![FieldName::User], FURTHER.to_vec()),
            // Only how many there are is asked.
            by_impersonator: Grouping::of_present(FieldName::Impersonator, Vec::new()),
            by_impersonated: Grouping::of_present(FieldName::ImpersonatedUser, FURTHER.to_vec()),
            seen: FirstSeen::default(),
        }
    }
}

impl Activity {
    /// Counts what is shown and not counted yet, until `more` says no. Returns whether all is counted.
    pub fn update(
        &mut self,
        store: &Store,
        view: &View,
        context: &Context,
        mut more: impl FnMut() -> bool,
    ) -> bool {
        self.seen.update(store);
        // Each goes on, however little time is left, so that the first rows are there at once.
        let users = self.by_user.update(store, view, context, &mut more);
        let impersonators = self.by_impersonator.update(store, view, context, &mut more);
        let impersonated = self.by_impersonated.update(store, view, context, &mut more);
        users && impersonators && impersonated
    }

    /// Whether something is shown that was not counted yet.
    pub fn is_behind(&self, store: &Store, view: &View) -> bool {
        [&self.by_user, &self.by_impersonator, &self.by_impersonated]
            .into_iter()
            .any(|grouping| grouping.is_behind(store, view))
    }

    /// Changes whenever the actors may have changed.
    pub fn version(&self) -> u64 {
        self.by_user.version() + self.by_impersonator.version() + self.by_impersonated.version()
    }

    /// An actor's rows over time, see [`Grouping::sparkline`].
    pub fn sparkline(&self, actor: &Actor, span: (Micros, Micros), cells: usize) -> Vec<u32> {
        self.by_user.sparkline(&actor.stats, span, cells)
    }

    /// All actors, people first, then by kind; within a kind as asked for.
    pub fn actors(&self, sort: ActorSort, descending: bool) -> Vec<Actor> {
        let mut actors: BTreeMap<Box<str>, Actor> = BTreeMap::new();
        for group in self.by_user.groups(SortBy::Value(0), false) {
            let [name] = group.values.as_slice() else { continue };
            actors.insert(name.clone(), self.actor(name, group.stats));
        }
        for group in self.by_impersonator.groups(SortBy::Value(0), false) {
            if let [name] = group.values.as_slice()
                && let Some(actor) = actors.get_mut(name)
            {
                actor.impersonating = group.stats.count;
            }
        }
        for group in self.by_impersonated.groups(SortBy::Value(0), false) {
            let [name] = group.values.as_slice() else { continue };
            let count = group.stats.count;
            let actor = match actors.get_mut(name) {
                Some(actor) => {
                    actor.stats.merge(&group.stats);
                    actor
                }
                None => actors.entry(name.clone()).or_insert_with(|| self.actor(name, group.stats)),
            };
            actor.impersonated = count;
        }
        let mut actors: Vec<Actor> = actors.into_values().collect();
        actors.sort_by_cached_key(|actor| {
            let number = sort.number(actor);
            (actor.kind, if descending { number.saturating_neg() } else { number })
        });
        if sort == ActorSort::Name && descending {
            actors.reverse();
            actors.sort_by_key(|actor| actor.kind);
        }
        actors
    }

    fn actor(&self, name: &str, stats: Stats) -> Actor {
        let first_seen = self.seen.of(name).unwrap_or(stats.first);
        Actor {
            name: name.into(),
            kind: actor_kind(name),
            stats,
            impersonating: 0,
            impersonated: 0,
            first_seen,
            is_new: self.seen.is_new(first_seen),
        }
    }
}

/// By what actors of one kind are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActorSort {
    /// Username.
    Name,
    /// Requests.
    Events,
    /// Writes.
    Writes,
    /// Failures.
    Failed,
    /// Refusals: code 403.
    Forbidden,
    /// Namespaces.
    Namespaces,
    /// Source addresses.
    Addresses,
    /// Tools.
    Tools,
    /// First seen among the rows.
    First,
    /// Last seen.
    Last,
}

impl ActorSort {
    fn number(self, actor: &Actor) -> i64 {
        let stats = &actor.stats;
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            ActorSort::Name => 0,
            ActorSort::Events => signed(stats.count),
            ActorSort::Writes => signed(stats.writes),
            ActorSort::Failed => signed(stats.failed),
            ActorSort::Forbidden => signed(stats.forbidden),
            ActorSort::Namespaces => stats.distinct(0).0 as i64,
            ActorSort::Addresses => stats.distinct(1).0 as i64,
            ActorSort::Tools => stats.distinct(2).0 as i64,
            ActorSort::First => stats.first,
            ActorSort::Last => stats.last,
        }
    }
}

/// When each identity was first seen, in all records that were ever held.
#[derive(Debug, Default)]
struct FirstSeen {
    times: HashMap<u64, Micros>,
    /// Rows of each segment that were looked at.
    looked_at: HashMap<u32, u32>,
    span: Option<(Micros, Micros)>,
}

impl FirstSeen {
    fn update(&mut self, store: &Store) {
        self.looked_at.retain(|number, _| store.entry(*number).is_some());
        for (number, entry) in store.entries() {
            let segment = entry.segment();
            let from = self.looked_at.insert(number, segment.rows()).unwrap_or(0);
            if from < segment.rows() {
                self.look_at(segment, from);
            }
        }
        if let (Some(first), Some(last)) = (store.order().first_time(), store.order().last_time()) {
            let (known_first, known_last) = self.span.unwrap_or((first, last));
            self.span = Some((known_first.min(first), known_last.max(last)));
        }
    }

    fn look_at(&mut self, segment: &Segment, from: u32) {
        for field in [Field::User, Field::ImpersonatedUser] {
            let dictionary = &segment.column(field).dictionary;
            let mut earliest = vec![Micros::MAX; dictionary.len()];
            for row in from..segment.rows() {
                if let Some(time) = earliest.get_mut(usize::from(segment.symbol(field, row))) {
                    *time = (*time).min(segment.stage_time(row));
                }
            }
            for ((symbol, _), time) in dictionary.iter().zip(earliest) {
                if time == Micros::MAX {
                    continue;
                }
                let hash = dictionary.hash(symbol);
                let full = self.times.len() >= MOST_REMEMBERED;
                match self.times.get_mut(&hash) {
                    Some(known) => *known = (*known).min(time),
                    None if full => {}
                    None => drop(self.times.insert(hash, time)),
                }
            }
        }
    }

    fn of(&self, name: &str) -> Option<Micros> {
        self.times.get(&hash_bytes(name.as_bytes())).copied()
    }

    fn is_new(&self, first_seen: Micros) -> bool {
        let Some((first, last)) = self.span else { return false };
        let settled = ((last - first) / 4).max(SETTLING);
        first_seen - first > settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Level, SourceId, Stage};
    use crate::query::{Plan, ViewOptions};
    use crate::store::SegmentBuilder;

    #[test]
    fn who_was_active() {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        let rows = [
            ("system:node:n1", "", "get", 200u16, 0),
            ("alice", "", "delete", 403, 10),
            ("system:node:n1", "", "get", 200, 20),
            ("system:node:n1", "", "get", 200, 21),
            ("mallory", "alice", "create", 201, 600),
        ];
        for (user, acted_as, verb, code, second) in rows {
            let event = Event {
                stage: Stage::ResponseComplete,
                level: Level::Metadata,
                user: user.into(),
                impersonated_user: acted_as.into(),
                verb: verb.into(),
                source_ip: format!("10.0.0.{second}").into(),
                code,
                stage_time: Some(second * SECOND),
                ..Event::default()
            };
            builder.push(&event, b"{}", false);
        }
        let mut store = Store::new();
        store.push(builder.finish(0));
        let mut view = View::new(Plan::everything(), ViewOptions::default());
        view.restart(&store, Plan::everything(), ViewOptions::default());
        view.advance(&store, || true);
        let mut activity = Activity::default();
        assert!(activity.is_behind(&store, &view));
        assert!(activity.update(&store, &view, &Context::default(), || true));
        let actors = activity.actors(ActorSort::Events, true);
        let told: Vec<(&str, u64, u64, u64, bool)> = actors
            .iter()
            .map(|a| (a.name.as_ref(), a.stats.count, a.impersonating, a.impersonated, a.is_new))
            .collect();
        assert_eq!(
            told,
            [("alice", 2, 0, 1, false), ("mallory", 1, 1, 0, true), ("system:node:n1", 3, 0, 0, false)],
            "people first"
        );
        let alice = &actors[0].stats;
        assert_eq!((alice.writes, alice.forbidden, alice.distinct(1).0), (2, 1, 2));
        assert_eq!(activity.actors(ActorSort::Name, true)[0].name.as_ref(), "mallory");
    }
}

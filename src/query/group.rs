//! Grouping: the rows of a [`View`] counted by the values of one or more fields, and kept up to date as rows come and
//! go. Users, statistics, facets and completion are made of it, and `query --group-by`.
//!
//! A segment is counted by its local value ids and then added to a table by the hash of its values. Hashes are 64 bits
//! and seeded anew in each process, so two groups that fall together are neither met by chance nor made on purpose.
//! Segments that no longer change are counted once; those that live lines are added to are counted again.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::context::Context;
use super::fields::FieldName;
use super::keys::{Keys, ValueId};
use super::sketch::Sketch;
use super::view::View;
use crate::model::{Micros, SECOND, is_mutating_subresource, is_write_in_any_log};
use crate::store::{Bitset, Entry, Field, Segment, Store, mix};

/// Groups at most; rows of further ones are counted together.
pub const MOST_GROUPS: usize = 200_000;

/// Distinct values of a field that are remembered a group; more are "at least so many".
pub const MOST_DISTINCT: usize = 10_000;

/// Stretches of time a sparkline is kept in, at most twice as many.
const STRETCHES: i64 = 24;

/// What is known of a group.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Rows.
    pub count: u64,
    /// Rows with a code of 400 or more.
    pub failed: u64,
    /// Rows with code 403.
    pub forbidden: u64,
    /// Rows that ask for something to be changed.
    pub writes: u64,
    /// Bytes of the rows' own lines.
    pub bytes: u64,
    /// Least stage time.
    pub first: Micros,
    /// Greatest stage time.
    pub last: Micros,
    /// How long requests took; without those that last by their nature (watch, exec).
    pub durations: Sketch,
    /// Hashes of the values that the further fields have in it.
    distinct: Vec<HashSet<u64>>,
    /// Rows in each stretch of time, ascending.
    stretches: Vec<(i64, u32)>,
}

impl Stats {
    fn new(distinct: usize) -> Stats {
        Stats {
            count: 0,
            failed: 0,
            forbidden: 0,
            writes: 0,
            bytes: 0,
            first: Micros::MAX,
            last: Micros::MIN,
            durations: Sketch::default(),
            distinct: vec![HashSet::new(); distinct],
            stretches: Vec::new(),
        }
    }

    /// How many values a further field has in this group, and whether there may be more.
    pub fn distinct(&self, field: usize) -> (usize, bool) {
        self.distinct.get(field).map_or((0, false), |set| (set.len(), set.len() >= MOST_DISTINCT))
    }

    fn add_to_stretch(&mut self, stretch: i64, count: u32) {
        // Rows of one segment come nearly in the order of their times.
        let near = self.stretches.iter_mut().rev().take(2).find(|(s, _)| *s == stretch);
        if let Some((_, known)) = near {
            *known = known.saturating_add(count);
            return;
        }
        match self.stretches.binary_search_by_key(&stretch, |(s, _)| *s) {
            Ok(at) => self.stretches[at].1 = self.stretches[at].1.saturating_add(count),
            Err(at) => self.stretches.insert(at, (stretch, count)),
        }
    }

    /// Adds all that another group counted.
    pub fn merge(&mut self, other: &Stats) {
        self.count += other.count;
        self.failed += other.failed;
        self.forbidden += other.forbidden;
        self.writes += other.writes;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.durations.merge(&other.durations);
        for (into, from) in self.distinct.iter_mut().zip(&other.distinct) {
            for hash in from {
                if into.len() < MOST_DISTINCT {
                    into.insert(*hash);
                }
            }
        }
        for (stretch, count) in &other.stretches {
            self.add_to_stretch(*stretch, *count);
        }
    }

    fn halve_stretches(&mut self) {
        let halved = std::mem::take(&mut self.stretches);
        for (stretch, count) in halved {
            self.add_to_stretch(stretch.div_euclid(2), count);
        }
    }
}

/// One group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its values, one for each field; empty where the field is absent.
    pub values: Vec<Box<str>>,
    /// What is known of it.
    pub stats: Stats,
}

/// By what groups are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortBy {
    /// The value of a field, by its place.
    Value(usize),
    /// Number of rows.
    Count,
    /// Failures.
    Failed,
    /// Refusals: code 403.
    Forbidden,
    /// Writes.
    Writes,
    /// Bytes.
    Bytes,
    /// First stage time.
    First,
    /// Last stage time.
    Last,
    /// Median duration.
    Median,
    /// Duration that 99 of 100 requests do not exceed.
    P99,
    /// Number of values of a further field, by its place.
    Distinct(usize),
}

/// Groups by the hash of their values.
#[derive(Debug, Default)]
struct Table {
    /// Boxed: a table that grows moves all it holds, and that must not take long.
    groups: HashMap<u64, Box<Group>>,
    /// Rows of groups beyond [`MOST_GROUPS`].
    others: u64,
    /// Segments that are in it, with the state of the view they were counted in.
    counted: BTreeMap<u32, u64>,
    /// A segment of which only a part is in it.
    begun: Option<Begun>,
}

/// A segment that is being counted.
#[derive(Clone, Copy, Debug)]
struct Begun {
    number: u32,
    /// The state of the view in which this was begun.
    stamp: u64,
    /// The first row that was not counted.
    next: u32,
}

/// By what is grouped.
#[derive(Debug)]
struct Asked {
    fields: Vec<FieldName>,
    /// Fields whose distinct values are counted in each group.
    further: Vec<FieldName>,
    /// Rows without the first field belong to no group.
    only_present: bool,
    /// Groups at most.
    most: usize,
    /// Nothing but the number of rows is wanted.
    only_counted: bool,
}

/// A table of groups over the rows that a view shows.
#[derive(Debug)]
pub struct Grouping {
    asked: Asked,
    /// Segments that do not grow.
    settled: Table,
    /// Segments that live lines are added to.
    growing: Table,
    /// A new table of those that takes the place of `growing` when it is counted, with the segments that belong to it.
    recounted: Option<(Table, BTreeMap<u32, u64>)>,
    /// A new table that takes the place of `settled` when all is counted.
    rebuilt: Option<Table>,
    stretch: Micros,
    version: u64,
    complete: bool,
}

impl Grouping {
    /// No groups yet, by these fields. `further` fields are those whose distinct values are counted in each group.
    pub fn new(fields: Vec<FieldName>, further: Vec<FieldName>) -> Grouping {
        Grouping {
            asked: Asked { fields, further, only_present: false, most: MOST_GROUPS, only_counted: false },
            settled: Table::default(),
            growing: Table::default(),
            recounted: None,
            rebuilt: None,
            stretch: SECOND,
            version: 0,
            complete: false,
        }
    }

    /// No groups yet, by one field: rows without it are left out, which costs next to nothing where few have it.
    pub fn of_present(field: FieldName, further: Vec<FieldName>) -> Grouping {
        let mut grouping = Grouping::new(vec![field], further);
        grouping.asked.only_present = true;
        grouping
    }

    /// The same with fewer groups at most: to make and to drop many takes time that a list of offers is not worth.
    pub fn at_most(mut self, groups: usize) -> Grouping {
        self.asked.most = groups.min(MOST_GROUPS);
        self
    }

    /// The same with nothing known of a group but its number of rows: groups are made, merged and dropped in less time.
    pub fn only_counted(mut self) -> Grouping {
        self.asked.only_counted = true;
        self
    }

    /// The fields that rows are grouped by.
    pub fn fields(&self) -> &[FieldName] {
        &self.asked.fields
    }

    /// Changes whenever the groups may have changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether every row that the view had shown at the last [`Self::update`] is counted.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Rows that belong to more groups than can be held.
    pub fn others(&self) -> u64 {
        self.settled.others + self.growing.others
    }

    /// Whether something is shown that was not counted yet.
    pub fn is_behind(&self, store: &Store, view: &View) -> bool {
        self.rebuilt.is_some()
            || self.recounted.is_some()
            || view.stamps().any(|(number, stamp)| self.counted(number, store) != Some(stamp))
            || self.settled.counted.keys().any(|number| view.stamp(*number).is_none())
    }

    fn counted(&self, number: u32, store: &Store) -> Option<u64> {
        let table = if is_growing(store, number) { &self.growing } else { &self.settled };
        table.counted.get(&number).copied()
    }

    /// Counts what is shown and not counted yet, newest first, until `more` says no. Returns whether all is counted.
    pub fn update(
        &mut self,
        store: &Store,
        view: &View,
        context: &Context,
        mut more: impl FnMut() -> bool,
    ) -> bool {
        self.fit_stretch(store);
        let outdated =
            |number: u32, stamp: u64| view.stamp(number) != Some(stamp) || is_growing(store, number);
        let stale = |table: &Table| {
            let begun = table.begun.iter().map(|begun| (begun.number, begun.stamp));
            table.counted.iter().map(|(n, s)| (*n, *s)).chain(begun).any(|(n, s)| outdated(n, s))
        };
        // Nothing can be taken out of a table. A new one is begun beside it; when it is outdated again before it is
        // done, it is finished all the same, so that something is shown while everything changes.
        if self.rebuilt.is_none() && stale(&self.settled) {
            self.rebuilt = Some(Table::default());
        }
        let table = self.rebuilt.as_mut().unwrap_or(&mut self.settled);
        let mut open: Vec<(Micros, u32, u64)> = Vec::new();
        for (number, stamp) in view.stamps() {
            let is_begun = table.begun.is_some_and(|begun| begun.number == number);
            if let Some(entry) = store.entry(number)
                && !is_growing(store, number)
                && !is_begun
                && !table.counted.contains_key(&number)
            {
                open.push((entry.segment().max_time(), number, stamp));
            }
        }
        open.sort_unstable();
        let counting = Counting { asked: &self.asked, stretch: self.stretch, store, view, context };
        let mut goes_on = true;
        while goes_on && (table.begun.is_some() || !open.is_empty()) {
            let next = |(_, number, stamp)| Begun { number, stamp, next: 0 };
            if let Some(begun) = table.begun.take().or_else(|| open.pop().map(next)) {
                counting.count(table, begun, &mut more);
            }
            self.version += 1;
            goes_on = table.begun.is_none() && more();
        }
        let is_done = open.is_empty() && table.begun.is_none();
        if is_done && let Some(rebuilt) = self.rebuilt.take() {
            self.settled = rebuilt;
            self.version += 1;
        }
        let is_grown = self.count_growing(store, view, context, more);
        self.complete = is_done && is_grown && !stale(&self.settled);
        self.complete
    }

    /// Counts the segments that grow anew, when they have grown. Returns whether all of them are counted.
    fn count_growing(
        &mut self,
        store: &Store,
        view: &View,
        context: &Context,
        mut more: impl FnMut() -> bool,
    ) -> bool {
        let heads: BTreeMap<u32, u64> =
            view.stamps().filter(|(number, _)| is_growing(store, *number)).collect();
        if self.recounted.is_none() && heads == self.growing.counted {
            return true;
        }
        // What has grown again while it was counted is finished all the same.
        let (mut table, wanted) = self.recounted.take().unwrap_or_else(|| (Table::default(), heads.clone()));
        let counting = Counting { asked: &self.asked, stretch: self.stretch, store, view, context };
        loop {
            let open = wanted.iter().find(|(number, _)| !table.counted.contains_key(*number));
            let next = |(number, stamp): (&u32, &u64)| Begun { number: *number, stamp: *stamp, next: 0 };
            let Some(begun) = table.begun.take().or_else(|| open.map(next)) else { break };
            counting.count(&mut table, begun, &mut more);
            if table.begun.is_some() {
                self.recounted = Some((table, wanted));
                return false;
            }
        }
        self.growing = table;
        self.version += 1;
        self.growing.counted == heads
    }

    /// Makes stretches longer until the whole log has few enough of them.
    fn fit_stretch(&mut self, store: &Store) {
        let (Some(first), Some(last)) = (store.order().first_time(), store.order().last_time()) else {
            return;
        };
        while last.div_euclid(self.stretch) - first.div_euclid(self.stretch) >= 2 * STRETCHES {
            self.stretch = self.stretch.saturating_mul(2);
            let recounted = self.recounted.as_mut().map(|(table, _)| table);
            for table in [Some(&mut self.settled), Some(&mut self.growing), self.rebuilt.as_mut(), recounted]
            {
                for group in table.into_iter().flat_map(|table| table.groups.values_mut()) {
                    group.stats.halve_stretches();
                }
            }
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        let new = self.growing.groups.keys().filter(|hash| !self.settled.groups.contains_key(*hash)).count();
        self.settled.groups.len() + new
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.settled.groups.is_empty() && self.growing.groups.is_empty()
    }

    /// All groups, sorted; equal ones by their values.
    pub fn groups(&self, sort: SortBy, descending: bool) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::with_capacity(self.settled.groups.len());
        for (hash, group) in &self.settled.groups {
            let mut group = Group::clone(group);
            if let Some(growing) = self.growing.groups.get(hash) {
                group.stats.merge(&growing.stats);
            }
            groups.push(group);
        }
        let new = self.growing.groups.iter().filter(|(hash, _)| !self.settled.groups.contains_key(*hash));
        groups.extend(new.map(|(_, group)| Group::clone(group)));
        sort_groups(&mut groups, sort, descending);
        groups
    }

    /// The first values of the groups with the most rows, and how many rows those are; equal ones by their values. Which of
    /// equal ones are among the first may differ from run to run.
    pub fn most_frequent(&self, most: usize) -> Vec<(&str, u64)> {
        let rows = |table: &Table, hash: &u64| table.groups.get(hash).map_or(0, |group| group.stats.count);
        let settled = self.settled.groups.iter();
        let settled =
            settled.map(|(hash, group)| (group.stats.count + rows(&self.growing, hash), *hash, group));
        let new = self.growing.groups.iter().filter(|(hash, _)| !self.settled.groups.contains_key(*hash));
        let mut all: Vec<(u64, u64, &Group)> = settled
            .chain(new.map(|(hash, group)| (group.stats.count, *hash, group)))
            .map(|(rows, hash, group)| (rows, hash, group.as_ref()))
            .collect();
        // Of thousands of values with a row each, which are among the first is told by their hashes: comparing that many
        // strings takes several milliseconds.
        if most > 0 && all.len() > most {
            all.select_nth_unstable_by_key(most - 1, |(rows, hash, _)| (std::cmp::Reverse(*rows), *hash));
        }
        all.truncate(most);
        let mut found: Vec<(&str, u64)> = all
            .into_iter()
            .filter_map(|(rows, _, group)| Some((group.values.first()?.as_ref(), rows)))
            .collect();
        found.sort_unstable_by(|(value, rows), (other, others)| {
            others.cmp(rows).then_with(|| value.cmp(other))
        });
        found
    }

    /// The rows of a group over time, in `cells` equal stretches of the whole log.
    pub fn sparkline(&self, stats: &Stats, span: (Micros, Micros), cells: usize) -> Vec<u32> {
        let (first, last) = (span.0.div_euclid(self.stretch), span.1.div_euclid(self.stretch));
        let length = (last - first + 1).max(1);
        let mut out = vec![0u32; cells];
        for (stretch, count) in &stats.stretches {
            // Where there are fewer stretches than cells, each spreads over several.
            let cell = |stretch: i64| ((stretch - first).clamp(0, length) * cells as i64 / length) as usize;
            let from = cell(*stretch).min(cells.saturating_sub(1));
            let until = cell(stretch + 1).clamp(from + 1, cells.max(from + 1));
            for slot in out.iter_mut().take(until).skip(from) {
                *slot = slot.saturating_add(*count);
            }
        }
        out
    }
}

/// Sorts groups; equal ones by their values, ascending.
pub fn sort_groups(groups: &mut [Group], sort: SortBy, descending: bool) {
    let number = |group: &Group| -> i64 {
        let stats = &group.stats;
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        match sort {
            SortBy::Value(_) => 0,
            SortBy::Count => signed(stats.count),
            SortBy::Failed => signed(stats.failed),
            SortBy::Forbidden => signed(stats.forbidden),
            SortBy::Writes => signed(stats.writes),
            SortBy::Bytes => signed(stats.bytes),
            SortBy::First => stats.first,
            SortBy::Last => stats.last,
            SortBy::Median => stats.durations.percentile(0.5).unwrap_or(-1),
            SortBy::P99 => stats.durations.percentile(0.99).unwrap_or(-1),
            SortBy::Distinct(at) => stats.distinct(at).0 as i64,
        }
    };
    let in_order = |a: &Group, b: &Group| {
        let ordering = match sort {
            SortBy::Value(at) => {
                compare_values(a.values.get(at).map(AsRef::as_ref), b.values.get(at).map(AsRef::as_ref))
            }
            _ => std::cmp::Ordering::Equal,
        };
        if descending { ordering.reverse() } else { ordering }
    };
    groups.sort_by_cached_key(|group| {
        let number = number(group);
        (if descending { number.saturating_neg() } else { number }, group.values.clone())
    });
    if matches!(sort, SortBy::Value(_)) {
        groups.sort_by(in_order);
    }
}

/// Numbers by their size, before all else by its letters.
fn compare_values(a: Option<&str>, b: Option<&str>) -> std::cmp::Ordering {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(&b),
    }
}

fn is_growing(store: &Store, number: u32) -> bool {
    store.entry(number).is_some_and(|entry| !entry.is_sealed())
}

/// Adds the rows of segments to tables.
struct Counting<'a> {
    asked: &'a Asked,
    stretch: Micros,
    store: &'a Store,
    view: &'a View,
    context: &'a Context,
}

impl Counting<'_> {
    /// Adds the shown rows of a segment to a table, from where it was left, until `more` says no: what is left then is
    /// what the table has begun.
    fn count(&self, table: &mut Table, mut begun: Begun, more: &mut impl FnMut() -> bool) {
        if let (Some(entry), Some(shown)) = (self.store.entry(begun.number), self.view.shown_in(begun.number))
        {
            while let Some(next) = self.count_part(table, entry, shown, begun.next, more) {
                begun.next = next;
                if !more() {
                    table.begun = Some(begun);
                    return;
                }
            }
        }
        table.counted.insert(begun.number, begun.stamp);
    }

    /// Adds the shown rows from one on, until `more` says no, or so many as can be counted together. Returns the first
    /// row that was not counted, if any is left.
    fn count_part(
        &self,
        table: &mut Table,
        entry: &Entry,
        shown: &Bitset,
        from: u32,
        more: &mut impl FnMut() -> bool,
    ) -> Option<u32> {
        /// Rows between two looks at the clock: some ten microseconds.
        const AT_ONCE: u32 = 1024;
        /// Rows whose values are written out together: some milliseconds for names that are all different.
        const WRITTEN_AT_ONCE: u32 = 4096;
        /// Groups that are added to a table together.
        const MOST_FOUND: usize = 2048;
        let (asked, segment) = (self.asked, entry.segment());
        let is_written = |field: &FieldName| {
            use FieldName::{AuditId, Command, Manager, Object};
            matches!(field, Object | AuditId | Manager | Command)
        };
        let rows = segment.rows();
        let end = match asked.fields.iter().chain(&asked.further).any(is_written) {
            true => rows.min(from.saturating_add(WRITTEN_AT_ONCE)),
            false => rows,
        };
        shown.iter_from(from).next()?;
        let keys_of = |fields: &[FieldName]| -> Option<Vec<Keys<'_>>> {
            fields.iter().map(|field| Keys::within(from..end, *field, segment, self.context)).collect()
        };
        let keys = keys_of(&asked.fields)?;
        let absent = |row: u32| keys.first().is_some_and(|keys| keys.id(row) == 0);
        // No value but the empty one.
        if asked.only_present && keys.first().is_some_and(|keys| keys.len() == 1) {
            return (end < rows).then_some(end);
        }
        let further = keys_of(&asked.further)?;
        let mut local = Local::new(&keys, &further);
        let writes = Writes::of(segment);
        let mut next = end;
        let mut looked = from;
        for row in shown.iter_from(from).take_while(|row| *row < end) {
            let is_many = local.found.len() >= MOST_FOUND;
            if is_many
                || (row - looked >= AT_ONCE && {
                    looked = row;
                    !more()
                })
            {
                next = row;
                break;
            }
            if asked.only_present && absent(row) {
                continue;
            }
            local.each_group(row, |group, seen| {
                let stats = &mut group.stats;
                stats.count += 1;
                if asked.only_counted {
                    return;
                }
                let code = segment.code(row);
                stats.failed += u64::from(code >= 400);
                stats.forbidden += u64::from(code == 403);
                stats.writes += u64::from(writes.holds(segment, row));
                stats.bytes += u64::from(segment.text_len(row));
                let time = segment.stage_time(row);
                stats.first = stats.first.min(time);
                stats.last = stats.last.max(time);
                // Where every record is a row, the end of a watch is one too; another record stands for its request.
                if segment.is_end(row) && !entry.hidden().get(row) {
                    stats.durations.add(segment.elapsed(row));
                }
                stats.add_to_stretch(time.div_euclid(self.stretch), 1);
                seen.note(row, stats);
            });
        }
        table.add(&keys, local.found, asked.most);
        (next < rows).then_some(next)
    }
}

impl Table {
    fn add(&mut self, keys: &[Keys<'_>], found: Vec<Found>, most: usize) {
        for found in found {
            let hash = keys.iter().zip(&found.ids).fold(0, |hash, (keys, id)| mix(hash, keys.hash(*id)));
            let full = self.groups.len() >= most;
            match self.groups.get_mut(&hash) {
                Some(group) => group.stats.merge(&found.stats),
                None if full => self.others += found.stats.count,
                None => {
                    let values = keys.iter().zip(&found.ids).map(|(keys, id)| keys.name(*id).into());
                    let group = Group { values: values.collect(), stats: found.stats };
                    self.groups.insert(hash, Box::new(group));
                }
            }
        }
    }
}

/// A group within one segment.
struct Found {
    ids: Vec<ValueId>,
    stats: Stats,
}

/// The groups of one segment, found by the ids of their values.
struct Local<'k, 's> {
    keys: &'k [Keys<'s>],
    further: &'k [Keys<'s>],
    /// Place in `found` and one, by id: for a single field.
    dense: Vec<u32>,
    places: HashMap<u64, u32>,
    found: Vec<Found>,
    /// Which values of the further fields each group was seen with.
    seen: HashSet<(u32, u32)>,
    last: Option<(u64, u32)>,
}

/// Notes the values of further fields, each once.
struct Seen<'a, 'k, 's> {
    group: u32,
    further: &'k [Keys<'s>],
    seen: &'a mut HashSet<(u32, u32)>,
}

impl Seen<'_, '_, '_> {
    fn note(&mut self, row: u32, stats: &mut Stats) {
        for (at, keys) in self.further.iter().enumerate() {
            let id = keys.id(row);
            if id == 0 || !self.seen.insert((self.group, (at as u32) << 16 | u32::from(id))) {
                continue;
            }
            if let Some(set) = stats.distinct.get_mut(at)
                && set.len() < MOST_DISTINCT
            {
                set.insert(keys.hash(id));
            }
        }
    }
}

impl<'k, 's> Local<'k, 's> {
    fn new(keys: &'k [Keys<'s>], further: &'k [Keys<'s>]) -> Self {
        let dense = match keys {
            [one] => vec![0; one.len()],
            _ => Vec::new(),
        };
        let (places, found, seen, last) = (HashMap::new(), Vec::new(), HashSet::new(), None);
        Self { keys, further, dense, places, found, seen, last }
    }

    /// Calls `count` for each group that a row belongs to: one, unless a field has several values in it.
    fn each_group(&mut self, row: u32, mut count: impl FnMut(&mut Found, &mut Seen<'_, 'k, 's>)) {
        let keys = self.keys;
        let list = keys.iter().position(Keys::is_list);
        let several = list.map_or(&[0][..], |at| keys[at].ids(row));
        for value in several {
            let id_of = |at: usize, keys: &Keys<'_>| if list == Some(at) { *value } else { keys.id(row) };
            let place = self.place_of(id_of);
            let Some(found) = self.found.get_mut(place as usize) else { continue };
            let mut seen = Seen { group: place, further: self.further, seen: &mut self.seen };
            count(found, &mut seen);
        }
    }

    fn place_of(&mut self, id_of: impl Fn(usize, &Keys<'_>) -> ValueId) -> u32 {
        let ids = || self.keys.iter().enumerate().map(|(at, keys)| id_of(at, keys));
        let further = self.further.len();
        let new = |found: &mut Vec<Found>, ids: Vec<ValueId>| {
            found.push(Found { ids, stats: Stats::new(further) });
            found.len() as u32 - 1
        };
        if let [one] = self.keys {
            let id = id_of(0, one);
            let slot = &mut self.dense[usize::from(id)];
            if *slot == 0 {
                *slot = new(&mut self.found, vec![id]) + 1;
            }
            return *slot - 1;
        }
        // Four fields fit a number; of more, their hash stands for them.
        let key = ids().fold(0u64, |key, id| {
            if self.keys.len() <= 4 { key << 16 | u64::from(id) } else { mix(key, id.into()) }
        });
        if let Some((same, place)) = self.last
            && same == key
        {
            return place;
        }
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let place = new(&mut self.found, ids().collect());
                self.places.insert(key, place);
                place
            }
        };
        self.last = Some((key, place));
        place
    }
}

/// Which rows of a segment are writes, by verb and subresource.
struct Writes {
    verbs: Vec<bool>,
    subresources: Vec<bool>,
}

impl Writes {
    fn of(segment: &Segment) -> Writes {
        let test = |field: Field, test: fn(&str) -> bool| {
            segment.column(field).dictionary.iter().map(|(_, text)| test(text)).collect()
        };
        Writes {
            verbs: test(Field::Verb, is_write_in_any_log),
            subresources: test(Field::Subresource, is_mutating_subresource),
        }
    }

    fn holds(&self, segment: &Segment, row: u32) -> bool {
        let has = |tests: &[bool], field| tests.get(usize::from(segment.symbol(field, row))) == Some(&true);
        has(&self.verbs, Field::Verb) || has(&self.subresources, Field::Subresource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Level, ObjectRef, SourceId, Stage};
    use crate::query::{Plan, ViewOptions};
    use crate::store::SegmentBuilder;

    fn store() -> Store {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        let rows = [
            ("alice", "get", "a", 200u16, 10, r#"["dev","sre"]"#),
            ("alice", "delete", "b", 403, 20, r#"["dev","sre"]"#),
            ("bob", "get", "a", 200, 4000, ""),
            ("alice", "get", "b", 500, 30, r#"["dev","sre"]"#),
        ];
        for (at, (user, verb, namespace, code, took, groups)) in rows.into_iter().enumerate() {
            let received = at as Micros * 60 * SECOND;
            let event = Event {
                stage: Stage::ResponseComplete,
                level: Level::Metadata,
                user: user.into(),
                groups: groups.into(),
                verb: verb.into(),
                object: ObjectRef { namespace: namespace.into(), ..ObjectRef::default() },
                code,
                received: Some(received),
                stage_time: Some(received + took),
                ..Event::default()
            };
            builder.push(&event, b"{\"12345\":1}", false);
        }
        let mut store = Store::new();
        store.push(builder.finish(0));
        store
    }

    fn grouped(store: &Store, fields: Vec<FieldName>, further: Vec<FieldName>) -> Grouping {
        let mut view = View::new(Plan::everything(), ViewOptions::default());
        view.restart(store, Plan::everything(), ViewOptions::default());
        assert!(view.advance(store, || true));
        let mut grouping = Grouping::new(fields, further);
        assert!(grouping.is_behind(store, &view));
        assert!(grouping.update(store, &view, &Context::default(), || true));
        assert!(!grouping.is_behind(store, &view));
        grouping
    }

    #[test]
    fn groups_are_counted() {
        let store = store();
        let grouping = grouped(&store, vec![FieldName::User], vec![FieldName::Namespace]);
        let groups = grouping.groups(SortBy::Count, true);
        let names: Vec<&str> = groups.iter().map(|group| group.values[0].as_ref()).collect();
        assert_eq!(names, ["alice", "bob"]);
        let alice = &groups[0].stats;
        assert_eq!((alice.count, alice.failed, alice.forbidden, alice.writes), (3, 2, 1, 1));
        assert_eq!((alice.bytes, alice.first, alice.last), (33, 10, 180 * SECOND + 30));
        assert_eq!((alice.distinct(0), alice.durations.percentile(0.5)), ((2, false), Some(20)));
        assert_eq!(grouping.sparkline(alice, (0, 239 * SECOND), 4), [1, 1, 0, 1]);
        assert_eq!(grouping.most_frequent(9), [("alice", 3), ("bob", 1)]);
        assert_eq!(grouping.most_frequent(1), [("alice", 3)]);
        let mut view = View::new(Plan::everything(), ViewOptions::default());
        view.restart(&store, Plan::everything(), ViewOptions::default());
        assert!(view.advance(&store, || true));
        let mut counted = Grouping::new(vec![FieldName::User], Vec::new()).only_counted();
        assert!(counted.update(&store, &view, &Context::default(), || true));
        assert_eq!(counted.most_frequent(9), grouping.most_frequent(9));
        let by_p99 = grouping.groups(SortBy::P99, true);
        assert_eq!(by_p99[0].values[0].as_ref(), "bob");
    }

    #[test]
    fn by_several_fields_and_by_lists() {
        let store = store();
        let table = |fields: Vec<FieldName>| {
            let groups = grouped(&store, fields, Vec::new()).groups(SortBy::Value(0), false);
            groups.iter().map(|g| (g.values.join("/"), g.stats.count)).collect::<Vec<_>>()
        };
        let rows =
            |wanted: &[(&str, u64)]| wanted.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(
            table(vec![FieldName::User, FieldName::Verb]),
            rows(&[("alice/delete", 1), ("alice/get", 2), ("bob/get", 1)])
        );
        assert_eq!(
            table(vec![FieldName::Group, FieldName::User]),
            rows(&[("/bob", 1), ("dev/alice", 3), ("sre/alice", 3)])
        );
        assert_eq!(table(vec![FieldName::Code]), rows(&[("200", 2), ("403", 1), ("500", 1)]));
    }

    #[test]
    fn counting_that_stops_and_goes_on_finds_the_same() {
        let segment = |first: u32, seal: bool| {
            let mut builder = SegmentBuilder::new(SourceId(0), first.into(), true);
            for row in 0..9000u32 {
                let number = first * 100 + row;
                let event = Event {
                    stage: Stage::ResponseComplete,
                    verb: ["get", "list", "delete"][number as usize % 3].into(),
                    object: ObjectRef {
                        resource: "pods".into(),
                        name: format!("p{}", number % 7000).into(),
                        ..ObjectRef::default()
                    },
                    received: Some(Micros::from(number) * SECOND),
                    stage_time: Some(Micros::from(number) * SECOND + 5),
                    ..Event::default()
                };
                builder.push(&event, b"{}", false);
            }
            (builder.finish(0), seal)
        };
        let mut store = Store::new();
        for (batch, seal) in [segment(0, true), segment(50, true), segment(99, false)] {
            if seal {
                store.push(batch);
            } else {
                store.push_live(batch).expect("text just packed");
            }
        }
        let mut view = View::new(Plan::everything(), ViewOptions::default());
        view.restart(&store, Plan::everything(), ViewOptions::default());
        assert!(view.advance(&store, || true));
        for fields in [vec![FieldName::Object], vec![FieldName::Verb, FieldName::Name], vec![FieldName::Verb]]
        {
            let whole = grouped(&store, fields.clone(), vec![FieldName::Name]);
            let mut parts = Grouping::new(fields, vec![FieldName::Name]);
            let (mut steps, mut rows) = (0, 0);
            while !parts.update(&store, &view, &Context::default(), || false) {
                let counted: u64 = parts.groups(SortBy::Count, true).iter().map(|g| g.stats.count).sum();
                // The segment that grows is shown as a whole, once it is counted anew.
                assert!(
                    parts.is_behind(&store, &view) && counted - rows <= 9000 + 4096,
                    "{counted} after {rows}"
                );
                (rows, steps) = (counted, steps + 1);
            }
            assert!(steps >= 3 && !parts.is_behind(&store, &view), "{steps}");
            let told = |grouping: &Grouping| {
                let groups = grouping.groups(SortBy::Value(0), false);
                let told = groups.iter().map(|g| {
                    let stats = &g.stats;
                    (g.values.clone(), stats.count, stats.first, stats.last, stats.bytes, stats.distinct(0))
                });
                told.collect::<Vec<_>>()
            };
            assert_eq!(told(&parts), told(&whole));
        }
    }
}

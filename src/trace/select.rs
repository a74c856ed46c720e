//! Finds requests by the values of their columns: symbols are looked up once a segment, rows are told by bitsets.

use std::collections::HashMap;

use crate::model::EventId;
use crate::store::{Bitset, Entry, Field, Segment, Store, hash_bytes};

/// Rows that stand for a request and have all these values, in time order.
pub fn requests_with(store: &Store, values: &[(Field, &str)]) -> Vec<EventId> {
    ids_of(store, store.entries().map(|(number, entry)| (number, rows_of(entry, values))).collect())
}

/// Rows of one segment that stand for a request and have all these values.
pub fn rows_of(entry: &Entry, values: &[(Field, &str)]) -> Bitset {
    let mut rows = shown(entry);
    for (field, value) in values {
        let Some(having) = rows_with(entry.segment(), *field, value) else {
            return Bitset::none(entry.segment().rows());
        };
        rows.and(&having);
    }
    rows
}

/// Rows that stand for a request and of which a column's value passes the test, in time order. The test runs once for
/// each distinct value.
pub fn requests_where(
    store: &Store,
    values: &[(Field, &str)],
    field: Field,
    test: impl Fn(&str) -> bool,
) -> Vec<EventId> {
    let mut found = HashMap::new();
    for (number, entry) in store.entries() {
        let segment = entry.segment();
        let column = segment.column(field);
        let wanted = Bitset::from_fn(column.dictionary.len() as u32, |symbol| {
            test(column.dictionary.get(symbol as u16))
        });
        if wanted.is_clear() {
            continue;
        }
        let mut rows = column.symbols.rows_in(&wanted);
        rows.and(&shown(entry));
        for (field, value) in values {
            match rows_with(segment, *field, value) {
                Some(having) => rows.and(&having),
                None => rows = Bitset::none(segment.rows()),
            }
        }
        found.insert(number, rows);
    }
    ids_of(store, found)
}

/// These rows of segments, in time order.
fn ids_of(store: &Store, rows: HashMap<u32, Bitset>) -> Vec<EventId> {
    /// Where one record in so many is wanted, going through all in their order takes less than sorting.
    const MANY: usize = 16;
    let count: usize = rows.values().map(|rows| rows.count() as usize).sum();
    let mut found = Vec::with_capacity(count);
    if count < store.order().len() / MANY {
        for (number, rows) in &rows {
            found.extend(rows.iter().map(|row| EventId::new(*number, row)));
        }
        in_time_order(store, &mut found);
        return found;
    }
    for chunk in store.order().chunks() {
        for neighbours in chunk.ids().chunk_by(|a, b| a.segment() == b.segment()) {
            let Some(rows) = neighbours.first().and_then(|id| rows.get(&id.segment())) else { continue };
            found.extend(neighbours.iter().copied().filter(|id| rows.get(id.row())));
        }
    }
    found
}

/// The rows of an entry that stand for a request to an API server: what a controller's log tells is no second one.
pub fn shown(entry: &Entry) -> Bitset {
    let mut rows = entry.segment().kube_rows();
    rows.and_not(entry.hidden());
    rows.and_not(entry.dropped());
    rows
}

/// Sorts rows by time, and drops repetitions.
pub fn in_time_order(store: &Store, ids: &mut Vec<EventId>) {
    ids.sort_by_cached_key(|id| (store.stage_time(*id), *id));
    ids.dedup();
}

fn rows_with(segment: &Segment, field: Field, value: &str) -> Option<Bitset> {
    let column = segment.column(field);
    let hash = hash_bytes(value.as_bytes());
    let symbols = 0..column.dictionary.len() as u32;
    let symbol = symbols.into_iter().find(|symbol| {
        column.dictionary.hash(*symbol as u16) == hash && column.dictionary.get(*symbol as u16) == value
    })?;
    let mut wanted = Bitset::none(column.dictionary.len() as u32);
    wanted.set(symbol, true);
    Some(column.symbols.rows_in(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, SourceId, Stage};
    use crate::store::SegmentBuilder;

    #[test]
    fn few_and_many_come_in_time_order() {
        let mut store = Store::new();
        for source in 0..3 {
            let mut builder = SegmentBuilder::new(SourceId(source), 0, false);
            for row in 0..100 {
                let event = Event {
                    stage: Stage::ResponseComplete,
                    verb: if row % 50 == 7 { "delete" } else { "get" }.into(),
                    // Neither the segments nor their rows follow each other in time.
                    stage_time: Some(row * 37 % 100 * 3 + i64::from(source)),
                    ..Event::default()
                };
                builder.push(&event, b"", false);
            }
            store.push(builder.finish(0));
        }
        for (verb, count) in [("delete", 6), ("get", 294), ("list", 0)] {
            let found = requests_with(&store, &[(Field::Verb, verb)]);
            assert_eq!(found.len(), count, "{verb}");
            assert!(found.is_sorted_by_key(|id| (store.stage_time(*id), *id)), "{verb}");
            assert_eq!(requests_where(&store, &[], Field::Verb, |text| text == verb), found);
        }
    }
}

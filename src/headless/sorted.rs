//! Rows in another order than that of time.

use std::collections::{BTreeSet, HashMap};

use super::row::Row;
use crate::model::EventId;
use crate::query::{Context, FieldName, Keys, Target};
use crate::settings::{Column, Sort};
use crate::store::Store;

/// Sorts rows that are in the order of time. Equal rows stay in it; rows without a value come last.
pub(super) fn sort_rows(
    rows: Vec<EventId>,
    sort: &Sort<Column>,
    store: &Store,
    context: &Context,
    by_request: bool,
) -> Vec<EventId> {
    let ranks = match &sort.by {
        Column::Target(Target::Field(field)) => Ranks::of(*field, &rows, store, context, by_request),
        _ => None,
    };
    let key = |id: EventId| -> Option<i64> {
        let row = Row::new(store, id, by_request, None)?;
        match (&sort.by, &ranks) {
            (Column::Time, _) => Some(row.segment.stage_time(row.row)),
            (Column::Received, _) => Some(row.segment.received(row.row)),
            (Column::Bytes, _) => Some(row.segment.text_len(row.row).into()),
            (Column::Target(Target::Field(FieldName::Duration)), _) => row.duration(),
            (Column::Target(Target::Field(FieldName::Code)), _) => {
                Some(i64::from(row.code())).filter(|code| *code != 0)
            }
            // As it is printed: what the row itself does not know, the end of its request may.
            (Column::Target(_), Some(ranks)) => row.records().find_map(|id| ranks.rank(id)),
            (Column::Target(_), None) => None,
        }
    };
    // No value is greater than any, whichever comes first.
    let mut keyed: Vec<(bool, i64, EventId)> = rows
        .into_iter()
        .map(|id| match key(id) {
            Some(key) => (false, if sort.descending { key.saturating_neg() } else { key }, id),
            None => (true, 0, id),
        })
        .collect();
    keyed.sort_by_key(|(absent, key, _)| (*absent, *key));
    keyed.into_iter().map(|(.., id)| id).collect()
}

/// The place of each value of a field among all values of the rows' segments.
struct Ranks<'s> {
    segments: HashMap<u32, (Keys<'s>, Vec<i64>)>,
}

impl<'s> Ranks<'s> {
    fn of(
        field: FieldName,
        rows: &[EventId],
        store: &'s Store,
        context: &Context,
        by_request: bool,
    ) -> Option<Ranks<'s>> {
        let ends = rows.iter().filter_map(|id| store.ending(*id)).filter(|_| by_request);
        let numbers: BTreeSet<u32> = rows.iter().copied().chain(ends).map(|id| id.segment()).collect();
        let keys: Vec<(u32, Keys<'s>)> = numbers
            .into_iter()
            .filter_map(|number| {
                let segment = store.entry(number)?.segment();
                Some((number, Keys::of(field, segment, context)?))
            })
            .collect();
        let mut names: Vec<&str> = keys.iter().flat_map(|(_, keys)| names_of(keys)).collect();
        names.sort_unstable();
        names.dedup();
        let ranked = |keys: &Keys<'s>| -> Vec<i64> {
            names_of(keys).map(|name| names.binary_search(&name).unwrap_or(0) as i64).collect()
        };
        let ranks: Vec<Vec<i64>> = keys.iter().map(|(_, keys)| ranked(keys)).collect();
        let segments = keys.into_iter().zip(ranks).map(|((number, keys), ranks)| (number, (keys, ranks)));
        Some(Ranks { segments: segments.collect() })
    }

    /// `None` for the empty value.
    fn rank(&self, id: EventId) -> Option<i64> {
        let (keys, ranks) = self.segments.get(&id.segment())?;
        match keys.id(id.row()) {
            0 => None,
            value => ranks.get(usize::from(value)).copied(),
        }
    }
}

fn names_of<'k>(keys: &'k Keys<'_>) -> impl Iterator<Item = &'k str> {
    (0..keys.len()).map(|id| keys.name(id as u16))
}

//! Live results: after any mixture of lines appended, files read back, logs opened later, and eviction, whatever was
//! looked at in between and whether or not the question was narrowed on the way, a view shows what a fresh one shows and
//! what sorting all records gives.

use std::collections::{BTreeSet, HashMap};

use kauditui::model::{EventId, Micros, SECOND};
use kauditui::query::{Bucket, Expression, Node, Plan, View, ViewOptions, narrows};
use kauditui::store::{Segment, Store};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::context;
use crate::model::{Row, is_routine, passes};
use crate::plans::pair;
use crate::pools::{BASE, SOURCES};
use crate::question::{changing_shape, shape};
use crate::record::{Record, batch, records};

/// What can happen to a store while a view looks at it. Records are drawn from the same few requests each time: their
/// stages come apart, and lines come again.
#[derive(Clone, Debug)]
enum Step {
    History {
        records: Vec<Index>,
        source: u16,
        origin: u32,
    },
    Live {
        records: Vec<Index>,
        source: u16,
    },
    Evict,
    /// Look at pending segments, and at their texts, until asked so many times.
    Advance(usize),
    /// Type on.
    Narrow,
}

fn step() -> impl Strategy<Value = Step> {
    let records = || prop::collection::vec(any::<Index>(), 1..30);
    let source = 0..SOURCES.len() as u16;
    prop_oneof![
        3 => (records(), source.clone(), 0..3u32)
            .prop_map(|(records, source, origin)| Step::History { records, source, origin }),
        3 => (records(), source).prop_map(|(records, source)| Step::Live { records, source }),
        2 => Just(Step::Evict),
        3 => (1..4usize).prop_map(Step::Advance),
        1 => Just(Step::Narrow),
    ]
}

/// All that there is to know about the held records.
struct Known<'p> {
    records: HashMap<&'p [u8], &'p Record>,
    marks: BTreeSet<EventId>,
    is_revealed: bool,
}

impl Known<'_> {
    /// What a view should show: every record by (time, id), with whether it failed; and how many are folded.
    fn view(
        &self,
        store: &Store,
        root: &Node,
        options: &ViewOptions,
    ) -> (Vec<(Micros, EventId, bool)>, usize) {
        let mut shown = Vec::new();
        let mut folded = 0;
        for (number, entry) in store.entries() {
            let segment = entry.segment();
            let ended: BTreeSet<u32> = entry.ended_rows().collect();
            for row in 0..segment.rows() {
                let id = EventId::new(number, row);
                let record = self.records[segment.text(row).expect("text just packed").as_slice()];
                let facts = Row {
                    record,
                    source: SOURCES[usize::from(segment.source().0)],
                    is_marked: self.marks.contains(&id),
                    // Where every record is a row, a length is that of the record which ended the request.
                    ended_after: (!options.all_stages && ended.contains(&row)).then(|| entry.elapsed(row)),
                    is_revealed: self.is_revealed,
                };
                let in_range =
                    options.range.is_none_or(|(from, until)| (from..until).contains(&record.stage_time));
                let stands = options.all_stages || !entry.hidden().get(row);
                if entry.dropped().get(row) || !stands || !in_range || !passes(root, facts) {
                    continue;
                }
                if options.fold_routine && is_routine(record) {
                    folded += 1;
                    continue;
                }
                shown.push((record.stage_time, id, record.code >= 400));
            }
        }
        shown.sort_unstable();
        (shown, folded)
    }
}

fn check_view(
    view: &View,
    store: &Store,
    naive: &[(Micros, EventId, bool)],
    folded: usize,
) -> Result<(), TestCaseError> {
    let ids: Vec<EventId> = naive.iter().map(|(_, id, _)| *id).collect();
    prop_assert!(view.is_complete());
    prop_assert_eq!(view.scanned(store), 1.0);
    prop_assert_eq!(view.len(), ids.len());
    prop_assert_eq!(view.failed(), naive.iter().filter(|(_, _, failed)| *failed).count());
    prop_assert_eq!(view.folded(), folded);
    prop_assert_eq!(&view.window(store, 0, usize::MAX), &ids);
    prop_assert_eq!(view.id_at(store, ids.len()), None);
    for (position, (time, id, _)) in naive.iter().enumerate() {
        prop_assert_eq!(view.id_at(store, position), Some(*id));
        prop_assert_eq!(view.position_of(store, *id), Some(position));
        prop_assert_eq!(view.nearest(store, *time, *id), Some(position));
        prop_assert_eq!(view.position_at_time(store, *time), naive.partition_point(|(t, ..)| t < time));
        let next_failed = naive.iter().enumerate().skip(position + 1).find(|(_, (.., failed))| *failed);
        let last_failed = naive[..position].iter().rposition(|(.., failed)| *failed);
        let failed = |segment: &Segment, id: EventId| segment.code(id.row()) >= 400;
        prop_assert_eq!(view.find(store, position, true, failed), next_failed.map(|(at, _)| at));
        prop_assert_eq!(view.find(store, position, false, failed), last_failed);
    }
    for id in store.order().chunks().iter().flat_map(|chunk| chunk.ids()) {
        prop_assert_eq!(view.contains(*id), ids.contains(id));
        prop_assert_eq!(view.position_of(store, *id).is_some(), ids.contains(id));
    }
    // From before the first record to after the last; then a window in the middle with narrow buckets.
    for (start, bucket, count) in
        [(BASE - SECOND, 600 * SECOND, 1), (BASE - SECOND, SECOND, 12), (BASE + 3 * SECOND, SECOND / 4, 9)]
    {
        let mut expected = vec![Bucket::default(); count];
        let place =
            |time: Micros| usize::try_from((time - start).div_euclid(bucket)).ok().filter(|at| *at < count);
        for (time, _, failed) in naive {
            let Some(at) = place(*time) else { continue };
            expected[at].matched += 1;
            expected[at].failed += u32::from(*failed);
        }
        for id in store.order().chunks().iter().flat_map(|chunk| chunk.ids()) {
            let Some(at) = place(store.stage_time(*id)) else { continue };
            expected[at].records += 1;
        }
        prop_assert_eq!(view.histogram(store, start, bucket, count), expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_view_after_any_history_is_a_fresh_view_and_a_plain_sort(
        pool in records(16),
        steps in prop::collection::vec(step(), 1..14),
        (wider, extra, change, at) in (prop_oneof![shape(), changing_shape()], shape(), 0..6u8, any::<Index>()),
        marks in prop::collection::btree_set((0..5u32, 0..20u32), 0..20),
        is_revealed in any::<bool>(),
        (all_stages, fold_routine) in any::<(bool, bool)>(),
        range in prop::option::of((0..20i64, 1..20i64)),
    ) {
        let known = Known {
            records: pool.iter().map(|record| (record.line.as_bytes(), record)).collect(),
            marks: marks.into_iter().map(|(segment, row)| EventId::new(segment, row)).collect(),
            is_revealed,
        };
        let (mut asked, narrower) = pair(&wider, &extra, change, at, &pool);
        let plan = |expression: &Expression| Plan::compile(expression, &context(&known.marks, is_revealed));
        let options = || {
            let range = range.map(|(from, length)| (from * SECOND / 4, (from + length) * SECOND / 4));
            let range = range.map(|(from, until)| (BASE + from, BASE + until));
            ViewOptions { all_stages, fold_routine, range, ..ViewOptions::default() }
        };
        let drawn = |records: &[Index]| -> Vec<Record> { records.iter().map(|at| at.get(&pool).clone()).collect() };

        let mut store = Store::new();
        let mut view = View::new(plan(&asked), options());
        for step in &steps {
            let before = (view.version(), view.len());
            match step {
                Step::History { records, source, origin } => store.push(batch(&drawn(records), *source, *origin)),
                Step::Live { records, source } => {
                    store.push_live(batch(&drawn(records), *source, 7)).expect("text just packed");
                }
                Step::Evict => {
                    store.evict_oldest();
                }
                Step::Advance(times) => {
                    let mut left = *times;
                    view.advance(&store, || { left = left.saturating_sub(1); left > 0 });
                }
                Step::Narrow => {
                    // As the program does it: what cannot be told to be narrower starts again.
                    match narrows(&narrower, &asked) {
                        true => view.narrow(&store, plan(&narrower), options()),
                        false => view.restart(&store, plan(&narrower), options()),
                    }
                    asked = narrower.clone();
                }
            }
            let changes = store.take_changes();
            view.update(&store, &changes);
            prop_assert!(view.version() != before.0 || view.len() == before.1, "a change that version() hides");
        }
        prop_assert!(view.advance(&store, || true));

        let root = asked.root.as_ref().expect("a question");
        let (naive, folded) = known.view(&store, root, &options());
        check_view(&view, &store, &naive, folded)?;
        let mut fresh = View::new(Plan::everything(), ViewOptions::default());
        fresh.restart(&store, plan(&asked), options());
        fresh.advance(&store, || true);
        check_view(&fresh, &store, &naive, folded)?;
    }
}

//! Groups against a naive model: whatever happened to the store, and in however small slices it was counted, groups are
//! what going over all shown records gives, and what counting anew gives.

use std::collections::{BTreeMap, BTreeSet};

use kauditui::model::{Event, Level, Micros, ObjectRef, SECOND, SourceId, Stage};
use kauditui::query::{
    Context, FieldName, Grouping, Keys, MOST_DISTINCT, MOST_GROUPS, Plan, SortBy, Stats, View, ViewOptions,
    condition_for, parse,
};
use kauditui::store::{Batch, Field, MAX_ROWS, Segment, SegmentBuilder, Store};
use proptest::prelude::*;
use proptest::sample::select;

// ---- Records -----------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Record {
    /// User, its groups as they are stored, and its kind.
    user: (&'static str, &'static str, &'static str),
    impersonated_user: &'static str,
    verb: &'static str,
    subresource: &'static str,
    namespace: &'static str,
    /// User agent and its tool.
    agent: (&'static str, &'static str),
    source_ip: &'static str,
    code: u16,
    stage: Stage,
    audit_id: &'static str,
    stage_time: Micros,
    elapsed: Micros,
}

const USERS: &[(&str, &str, &str)] = &[
    ("alice", r#"["dev","sre"]"#, "human"),
    ("bob", r#"["dev"]"#, "human"),
    ("", "", "anonymous"),
    ("system:node:n1", r#"["system:nodes"]"#, "node"),
    ("system:serviceaccount:prod:web", "", "serviceaccount"),
];
const AGENTS: &[(&str, &str)] = &[
    ("", ""),
    ("kubectl/v1.34 (linux/amd64)", "kubectl"),
    ("kubectl/v1.35", "kubectl"),
    ("Helm/3.18", "helm"),
];
const VERBS: &[&str] = &["get", "list", "create", "delete"];
const AUDIT_IDS: &[&str] = &["", "a", "b", "c", "d"];

/// Times lie from seconds to days apart, so that stretches grow; ids repeat, so that records stand for each other.
fn record() -> impl Strategy<Value = Record> {
    let who = (
        select(USERS),
        select(&["", "", "bob"][..]),
        select(AGENTS),
        select(&["", "10.0.0.1", "10.0.0.2"][..]),
    );
    let what = (select(VERBS), select(&["", "", "exec"][..]), select(&["", "prod", "kube-system"][..]));
    let stages =
        [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::ResponseComplete];
    let how = (select(&[0u16, 200, 403, 500][..]), select(stages.to_vec()), select(AUDIT_IDS));
    let when = (prop_oneof![0..40i64, 0..4_000i64, 0..400_000i64], 0..5_000_000i64);
    (who, what, how, when).prop_map(|(who, what, how, when)| Record {
        user: who.0,
        impersonated_user: who.1,
        agent: who.2,
        source_ip: who.3,
        verb: what.0,
        subresource: what.1,
        namespace: what.2,
        code: how.0,
        stage: how.1,
        audit_id: how.2,
        stage_time: when.0 * SECOND / 4,
        elapsed: when.1,
    })
}

fn batch(records: &[Record], source: u16, origin: u32) -> Batch {
    let mut builder = SegmentBuilder::new(SourceId(source), 0, true);
    for record in records {
        let event = Event {
            level: Level::Metadata,
            stage: record.stage,
            audit_id: record.audit_id.into(),
            verb: record.verb.into(),
            user: record.user.0.into(),
            groups: record.user.1.into(),
            impersonated_user: record.impersonated_user.into(),
            source_ip: record.source_ip.into(),
            user_agent: record.agent.0.into(),
            object: ObjectRef {
                resource: "pods".into(),
                subresource: record.subresource.into(),
                namespace: record.namespace.into(),
                ..ObjectRef::default()
            },
            code: record.code,
            received: Some(record.stage_time - record.elapsed),
            stage_time: Some(record.stage_time),
            ..Event::default()
        };
        builder.push(&event, format!("{{\"{}\":1}}", record.verb).as_bytes(), false);
    }
    builder.finish(origin)
}

// ---- The model ---------------------------------------------------------------------------------------------------

const FIELDS: &[FieldName] = &[
    FieldName::User,
    FieldName::Verb,
    FieldName::Namespace,
    FieldName::Code,
    FieldName::Stage,
    FieldName::Group,
    FieldName::Kind,
    FieldName::Tool,
    FieldName::SourceIp,
    FieldName::Impersonator,
    FieldName::Source,
];

/// The values of a record, by the tables that records are made of.
fn values(field: FieldName, segment: &Segment, row: u32) -> Vec<String> {
    let string = |field| segment.string(field, row);
    let user = USERS.iter().find(|(name, ..)| *name == string(Field::User)).expect("a user of these records");
    let agent = AGENTS.iter().find(|(name, _)| *name == string(Field::UserAgent)).expect("an agent of these");
    let one = match field {
        FieldName::User => user.0.to_owned(),
        FieldName::Verb => string(Field::Verb).to_owned(),
        FieldName::Namespace => string(Field::Namespace).to_owned(),
        FieldName::SourceIp => string(Field::SourceIp).to_owned(),
        FieldName::Code if segment.code(row) == 0 => String::new(),
        FieldName::Code => segment.code(row).to_string(),
        FieldName::Stage => format!("{:?}", segment.facts(row).stage()),
        FieldName::Kind => user.2.to_owned(),
        FieldName::Tool => agent.1.to_owned(),
        FieldName::Impersonator if string(Field::ImpersonatedUser).is_empty() => String::new(),
        FieldName::Impersonator => user.0.to_owned(),
        FieldName::Source => ["first", "second"][usize::from(segment.source().0)].to_owned(),
        FieldName::Group => {
            let groups: Vec<String> = user.1.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            return if groups.is_empty() { vec![String::new()] } else { groups };
        }
        other => panic!("{other:?} is not grouped by here"),
    };
    vec![one]
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Counted {
    count: u64,
    failed: u64,
    forbidden: u64,
    writes: u64,
    bytes: u64,
    first: Micros,
    last: Micros,
    durations: Vec<Micros>,
    distinct: BTreeSet<String>,
}

const FURTHER: FieldName = FieldName::SourceIp;

fn context() -> Context {
    let sources = [(SourceId(0), "first".to_owned()), (SourceId(1), "second".to_owned())].into();
    Context { sources, ..Context::default() }
}

/// Every combination of the values of a record, in the order of the fields.
fn combinations(fields: &[FieldName], segment: &Segment, row: u32) -> Vec<Vec<String>> {
    fields.iter().fold(vec![Vec::new()], |known, field| {
        let values = values(*field, segment, row);
        known
            .iter()
            .flat_map(|begun| values.iter().map(|v| [begun.as_slice(), std::slice::from_ref(v)].concat()))
            .collect()
    })
}

fn naive(
    store: &Store,
    fields: &[FieldName],
    verb: Option<&str>,
    all_stages: bool,
) -> BTreeMap<Vec<String>, Counted> {
    let mut groups: BTreeMap<Vec<String>, Counted> = BTreeMap::new();
    for (_, entry) in store.entries() {
        let segment = entry.segment();
        for row in 0..segment.rows() {
            let stands = all_stages || !entry.hidden().get(row);
            let asked = verb.is_none_or(|verb| segment.string(Field::Verb, row) == verb);
            if entry.dropped().get(row) || !stands || !asked {
                continue;
            }
            for key in combinations(fields, segment, row) {
                let time = segment.stage_time(row);
                let group =
                    groups.entry(key).or_insert(Counted { first: time, last: time, ..Counted::default() });
                let code = segment.code(row);
                group.count += 1;
                group.failed += u64::from(code >= 400);
                group.forbidden += u64::from(code == 403);
                let is_write = ["create", "delete"].contains(&segment.string(Field::Verb, row));
                group.writes += u64::from(is_write || segment.string(Field::Subresource, row) == "exec");
                group.bytes += segment.text(row).expect("text that was kept").len() as u64;
                group.first = group.first.min(time);
                group.last = group.last.max(time);
                if segment.facts(row).stage() == Stage::ResponseComplete {
                    group.durations.push(segment.elapsed(row));
                }
                group.distinct.extend(values(FURTHER, segment, row).into_iter().filter(|v| !v.is_empty()));
            }
        }
    }
    for group in groups.values_mut() {
        group.durations.sort_unstable();
    }
    groups
}

/// What both tell; durations as their number, median and 99th percentile.
fn told(stats: &Stats) -> Counted {
    Counted {
        count: stats.count,
        failed: stats.failed,
        forbidden: stats.forbidden,
        writes: stats.writes,
        bytes: stats.bytes,
        first: stats.first,
        last: stats.last,
        ..Counted::default()
    }
}

fn check(
    grouping: &Grouping,
    store: &Store,
    expected: &BTreeMap<Vec<String>, Counted>,
) -> Result<(), TestCaseError> {
    let groups = grouping.groups(SortBy::Count, true);
    prop_assert_eq!((groups.len(), grouping.others()), (expected.len(), 0));
    prop_assert_eq!(grouping.len(), expected.len());
    prop_assert_eq!(grouping.is_empty(), expected.is_empty());
    let span = store.order().first_time().zip(store.order().last_time()).unwrap_or((0, 0));
    for group in &groups {
        let key: Vec<String> = group.values.iter().map(|value| value.to_string()).collect();
        let Some(counted) = expected.get(&key) else { return Err(TestCaseError::fail(format!("{key:?}"))) };
        let plain = Counted { durations: Vec::new(), distinct: BTreeSet::new(), ..counted.clone() };
        prop_assert_eq!(told(&group.stats), plain, "{:?}", key);
        prop_assert_eq!(group.stats.distinct(0), (counted.distinct.len(), false), "{:?}", key);
        let durations = &counted.durations;
        prop_assert_eq!(group.stats.durations.len(), durations.len() as u64, "{:?}", key);
        for share in [0.5, 0.99] {
            let exact =
                ((durations.len() as f64 * share).ceil() as usize).checked_sub(1).map(|at| durations[at]);
            let near =
                |found: Micros, exact: Micros| (found - exact).abs() as f64 <= exact as f64 / 50.0 + 0.5;
            match (group.stats.durations.percentile(share), exact) {
                (None, None) => {}
                (Some(found), Some(exact)) => prop_assert!(near(found, exact), "{found} {exact}"),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        // However often stretches were made longer, every row lies in one of them.
        prop_assert_eq!(grouping.sparkline(&group.stats, span, 1), [group.stats.count as u32]);
    }
    for (sort, number) in [
        (SortBy::Count, (|stats: &Stats| stats.count as i64) as fn(&Stats) -> i64),
        (SortBy::Failed, |stats| stats.failed as i64),
        (SortBy::Writes, |stats| stats.writes as i64),
        (SortBy::Bytes, |stats| stats.bytes as i64),
        (SortBy::First, |stats| stats.first),
        (SortBy::Last, |stats| stats.last),
        (SortBy::P99, |stats| stats.durations.percentile(0.99).unwrap_or(-1)),
        (SortBy::Distinct(0), |stats| stats.distinct(0).0 as i64),
    ] {
        for descending in [false, true] {
            let sorted = grouping.groups(sort, descending);
            for pair in sorted.windows(2) {
                let (a, b) = (number(&pair[0].stats), number(&pair[1].stats));
                let in_order = if descending { a >= b } else { a <= b };
                prop_assert!(
                    in_order && (a != b || pair[0].values < pair[1].values),
                    "{sort:?} {descending}"
                );
            }
        }
    }
    Ok(())
}

// ---- Histories ---------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    History {
        records: Vec<Record>,
        source: u16,
        origin: u32,
    },
    Live {
        records: Vec<Record>,
        source: u16,
    },
    Evict,
    /// Look at so many pending segments.
    Advance(usize),
    /// Count so many segments.
    Count(usize),
    /// Count everything, and hold it against the model.
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    let records = || prop::collection::vec(record(), 1..25);
    prop_oneof![
        3 => (records(), 0..2u16, 0..3u32).prop_map(|(records, source, origin)| Step::History { records, source, origin }),
        3 => (records(), 0..2u16).prop_map(|(records, source)| Step::Live { records, source }),
        2 => Just(Step::Evict),
        2 => (1..3usize).prop_map(Step::Advance),
        3 => (1..3usize).prop_map(Step::Count),
        1 => Just(Step::Check),
    ]
}

proptest! {
    #[test]
    fn groups_after_any_history_are_those_of_a_plain_count(
        steps in prop::collection::vec(step(), 1..16),
        fields in prop::sample::subsequence(FIELDS.to_vec(), 1..4),
        verb in prop::option::of(select(VERBS)),
        all_stages in any::<bool>(),
    ) {
        let plan = || Plan::new(&parse(&verb.map_or(String::new(), |verb| format!("verb:{verb}"))).expect("a filter"));
        let options = || ViewOptions { all_stages, ..ViewOptions::default() };
        let context = context();
        let mut store = Store::new();
        let mut view = View::new(plan(), options());
        let mut grouping = Grouping::new(fields.clone(), vec![FURTHER]);
        let mut seen: Vec<Record> = Vec::new();
        for step in steps.iter().chain([&Step::Check]) {
            match step {
                Step::History { records, source, origin } => {
                    // Rotated copies repeat lines of other files.
                    let records: Vec<Record> = records.iter().chain(seen.iter().rev().take(4)).cloned().collect();
                    store.push(batch(&records, *source, *origin));
                    seen.extend(records);
                }
                Step::Live { records, source } => {
                    store.push_live(batch(records, *source, 7)).expect("text just packed");
                }
                Step::Evict => {
                    store.evict_oldest();
                }
                Step::Advance(times) => {
                    let mut left = *times;
                    view.advance(&store, || { left -= 1; left > 0 });
                }
                Step::Count(times) => {
                    let mut left = *times;
                    let done = grouping.update(&store, &view, &context, || { left -= 1; left > 0 });
                    prop_assert_eq!(done, grouping.is_complete());
                }
                Step::Check => {
                    view.advance(&store, || true);
                    let before = grouping.version();
                    let is_behind = grouping.is_behind(&store, &view);
                    let mut slices = 0;
                    while !grouping.update(&store, &view, &context, || false) {
                        slices += 1;
                        prop_assert!(slices < 100, "it comes to an end");
                    }
                    prop_assert!(!grouping.is_behind(&store, &view));
                    prop_assert!(is_behind || grouping.version() == before, "nothing new, nothing counted");
                    let expected = naive(&store, &fields, verb, all_stages);
                    check(&grouping, &store, &expected)?;
                    let mut fresh = Grouping::new(fields.clone(), vec![FURTHER]);
                    prop_assert!(fresh.update(&store, &view, &context, || true));
                    check(&fresh, &store, &expected)?;
                }
            }
            let changes = store.take_changes();
            view.update(&store, &changes);
        }
    }

    #[test]
    fn the_condition_of_a_value_holds_for_its_group_alone(
        records in prop::collection::vec(record(), 1..60),
        field in select(FIELDS),
    ) {
        let segment = batch(&records, 0, 0).segment;
        let context = context();
        let keys = Keys::of(field, &segment, &context).expect("a field with values");
        let names: BTreeSet<String> =
            (0..segment.rows()).flat_map(|row| values(field, &segment, row)).collect();
        for name in &names {
            prop_assert!((0..keys.len()).any(|id| keys.name(id as u16) == name), "{}", name);
            let condition = condition_for(field, name);
            let filter = parse(&condition.to_string()).expect("a condition reads back");
            let found: Vec<u32> = Plan::compile(&filter, &context).rows(&segment).iter().collect();
            for row in 0..segment.rows() {
                let has = values(field, &segment, row).iter().any(|value| value == name);
                prop_assert_eq!(has, found.contains(&row), "{}: row {}", condition, row);
            }
        }
    }
}

/// More groups than can be held: what does not fit is counted, so that nothing is lost without a word.
#[test]
fn groups_are_bounded() {
    let mut store = Store::new();
    let segments = 4;
    let event = Event { stage: Stage::ResponseComplete, stage_time: Some(0), ..Event::default() };
    let mut rows = 0;
    for segment in 0..segments {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, false);
        for row in 0..MAX_ROWS {
            let user = format!("{segment}-{row}").into();
            builder.push(&Event { user, ..event.clone() }, b"", false);
        }
        rows += u64::from(MAX_ROWS);
        store.push(builder.finish(segment));
    }
    let mut view = View::new(Plan::everything(), ViewOptions::default());
    view.restart(&store, Plan::everything(), ViewOptions::default());
    view.advance(&store, || true);
    let mut grouping = Grouping::new(vec![FieldName::User], vec![FURTHER]);
    assert!(grouping.update(&store, &view, &Context::default(), || true));
    assert_eq!(grouping.len(), MOST_GROUPS);
    assert_eq!(grouping.others(), rows - MOST_GROUPS as u64);
    let mut one = Grouping::new(vec![FieldName::Stage], vec![FieldName::User]);
    assert!(one.update(&store, &view, &Context::default(), || true));
    let groups = one.groups(SortBy::Count, true);
    assert_eq!((groups.len(), groups[0].stats.count), (1, rows));
    assert_eq!(groups[0].stats.distinct(0), (MOST_DISTINCT, true), "at least so many");
    let mut present = Grouping::of_present(FieldName::ImpersonatedUser, Vec::new());
    assert!(present.update(&store, &view, &Context::default(), || true));
    assert!(present.is_empty() && !present.is_behind(&store, &view));
}

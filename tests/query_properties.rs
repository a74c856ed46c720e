//! The filter language against a naive model: a plan over columns finds what asking each record finds, and a live
//! view after any history of the store is what sorting all records gives.
//!
//! The model reads the expression's tree and one record at a time. It shares no code with `query::plan` and
//! `query::pattern`: no regular expressions, no dictionaries, no bitsets.

use kauditui::model::{Decision, Event, EventId, Level, Micros, ObjectRef, SECOND, SourceId, Stage};
use kauditui::query::{
    Bucket, Change, Expression, FieldName, Node, Plan, Target, Term, Value, View, ViewOptions, parse,
    with_value,
};
use kauditui::store::{Batch, Field, Segment, SegmentBuilder, Store};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

// ---- Records -----------------------------------------------------------------------------------------------------

/// One stage record as the model sees it.
#[derive(Clone, Debug)]
struct Record {
    user: String,
    impersonated_user: String,
    verb: String,
    resource: String,
    subresource: String,
    api_group: String,
    namespace: String,
    name: String,
    source_ip: String,
    user_agent: String,
    request_uri: String,
    reason: String,
    code: u16,
    stage: Stage,
    level: Level,
    decision: Decision,
    audit_id: String,
    stage_time: Micros,
    is_routine: bool,
}

const USERS: &[&str] = &[
    "",
    "alice@example.com",
    "Alice",
    "bob",
    "CN=a,O=b",
    "system:node:n1",
    "system:serviceaccount:argocd:server",
    "system:serviceaccount:prod:web",
    "system:anonymous",
];
const VERBS: &[&str] = &["get", "list", "watch", "create", "patch", "delete", "update"];
/// Resource, API group, and the other names that find it.
const RESOURCES: &[(&str, &str, &[&str])] = &[
    ("", "", &[]),
    ("pods", "", &["pod", "po"]),
    ("secrets", "", &["secret"]),
    ("nodes", "", &["node", "no"]),
    ("deployments", "apps", &["deployment", "deploy"]),
    ("ingresses", "networking.k8s.io", &["ingress", "ing"]),
    ("networkpolicies", "networking.k8s.io", &["networkpolicy", "netpol"]),
    ("leases", "coordination.k8s.io", &["lease"]),
];
const SUBRESOURCES: &[&str] = &["", "", "exec", "scale", "status"];
const NAMESPACES: &[&str] = &["", "prod", "kube-system", "kube-node-lease"];
const NAMES: &[&str] = &["", "web", "Web", "novelapp", "a b", "x(y)", "quo\"te\\", "and", "-dash", "kube*"];
const AGENTS: &[&str] = &["", "kubectl/v1.34 (linux/amd64)", "Helm/3.18", "argocd-server/v3", "curl/8"];
const ADDRESSES: &[&str] = &["", "10.0.0.1", "10.0.0.2", "2001:db8::1"];
const AUDIT_IDS: &[&str] = &[
    "",
    "chosen-by-client",
    "4517a132-618b-4c74-bd69-41245c01e2db",
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000002",
];

/// Times lie close together, so that requests, duplicates and ties occur in every history.
fn record() -> impl Strategy<Value = Record> {
    let who =
        (select(USERS), select(&["", "", "", "bob", "system:serviceaccount:prod:web"][..]), select(VERBS));
    let what = (select(RESOURCES), select(SUBRESOURCES), select(NAMESPACES), select(NAMES));
    let how = (select(AGENTS), select(ADDRESSES), select(&["", "Forbidden", "NotFound"][..]));
    let facts = (
        select(&[0u16, 101, 200, 201, 401, 403, 404, 500][..]),
        select(&Stage::ALL[..]),
        select(&Level::ALL[..]),
        select(&[Decision::Absent, Decision::Allow, Decision::Forbid][..]),
        select(AUDIT_IDS),
        0..40i64,
    );
    (who, what, how, facts).prop_map(|(who, what, how, facts)| Record {
        user: who.0.into(),
        impersonated_user: who.1.into(),
        verb: who.2.into(),
        resource: what.0.0.into(),
        api_group: what.0.1.into(),
        subresource: what.1.into(),
        namespace: what.2.into(),
        name: what.3.into(),
        user_agent: how.0.into(),
        source_ip: how.1.into(),
        reason: how.2.into(),
        request_uri: format!("/api/{}?dryRun=All", what.0.0),
        code: facts.0,
        stage: facts.1,
        level: facts.2,
        decision: facts.3,
        audit_id: facts.4.into(),
        stage_time: facts.5 * SECOND / 4,
        is_routine: false,
    })
}

impl Record {
    fn event(&self) -> Event<'_> {
        Event {
            level: self.level,
            stage: self.stage,
            audit_id: self.audit_id.as_str().into(),
            request_uri: self.request_uri.as_str().into(),
            verb: self.verb.as_str().into(),
            user: self.user.as_str().into(),
            impersonated_user: self.impersonated_user.as_str().into(),
            source_ip: self.source_ip.as_str().into(),
            user_agent: self.user_agent.as_str().into(),
            object: ObjectRef {
                resource: self.resource.as_str().into(),
                subresource: self.subresource.as_str().into(),
                namespace: self.namespace.as_str().into(),
                name: self.name.as_str().into(),
                api_group: self.api_group.as_str().into(),
                api_version: "v1".into(),
            },
            code: self.code,
            reason: self.reason.as_str().into(),
            received: Some(0),
            stage_time: Some(self.stage_time),
            decision: self.decision,
            ..Event::default()
        }
    }

    fn of(segment: &Segment, row: u32) -> Record {
        let string = |field| segment.string(field, row).to_owned();
        Record {
            user: string(Field::User),
            impersonated_user: string(Field::ImpersonatedUser),
            verb: string(Field::Verb),
            resource: string(Field::Resource),
            subresource: string(Field::Subresource),
            api_group: string(Field::ApiGroup),
            namespace: string(Field::Namespace),
            name: string(Field::Name),
            source_ip: string(Field::SourceIp),
            user_agent: string(Field::UserAgent),
            request_uri: string(Field::RequestUri),
            reason: string(Field::Reason),
            code: segment.code(row),
            stage: segment.facts(row).stage(),
            level: segment.facts(row).level(),
            decision: segment.facts(row).decision(),
            audit_id: segment.audit_id(row),
            stage_time: segment.stage_time(row),
            is_routine: segment.facts(row).is_routine(),
        }
    }
}

fn batch(records: &[Record], source: u16, origin: u32) -> Batch {
    let mut builder = SegmentBuilder::new(SourceId(source), 0, true);
    for record in records {
        builder.push(&record.event(), b"{}", false);
    }
    builder.finish(origin)
}

// ---- The model ---------------------------------------------------------------------------------------------------

fn node_matches(node: &Node, record: &Record) -> bool {
    match node {
        Node::And(parts) => parts.iter().all(|part| node_matches(part, record)),
        Node::Or(parts) => parts.iter().any(|part| node_matches(part, record)),
        Node::Not(inner) => !node_matches(inner, record),
        Node::Term(term) => {
            let field = match &term.target {
                None => None,
                Some(Target::Field(field)) => Some(*field),
                Some(other) => panic!("{other} is not generated"),
            };
            term.values.iter().any(|value| value_matches(field, value, record))
        }
    }
}

fn value_matches(field: Option<FieldName>, value: &Value, record: &Record) -> bool {
    let whole = |text: &str| glob_matches(value, text);
    let part = |text: &str| match value.quoted || !value.text.contains('*') {
        true if !value.text.is_empty() => fold(value, text).contains(&fold(value, &value.text)),
        _ => glob_matches(value, text),
    };
    match field {
        None if value.text.is_empty() => true,
        None => {
            let columns = [
                &record.user,
                &record.impersonated_user,
                &record.verb,
                &record.resource,
                &record.namespace,
                &record.name,
                &record.user_agent,
                &record.request_uri,
            ];
            columns.iter().any(|text| part(text))
                || other_names(&record.resource).iter().any(|name| part(name))
        }
        // Nobody at all is a question about the authenticated user: few requests are impersonated.
        Some(FieldName::User) if value.text.is_empty() => record.user.is_empty(),
        Some(FieldName::User) => {
            let users = [&record.user, &record.impersonated_user];
            // In quotes it is the whole name.
            let names = |user: &String| if value.quoted { vec![user.clone()] } else { spellings(user) };
            users.iter().any(|user| names(user).iter().any(|name| whole(name)))
        }
        Some(FieldName::ImpersonatedUser) => {
            let user = &record.impersonated_user;
            if value.quoted { whole(user) } else { spellings(user).iter().any(|name| whole(name)) }
        }
        Some(FieldName::Verb) => whole(&record.verb),
        Some(FieldName::Resource) => resource_matches(value, record),
        Some(FieldName::Subresource) => whole(&record.subresource),
        Some(FieldName::Namespace) => whole(&record.namespace),
        Some(FieldName::Name) => whole(&record.name),
        Some(FieldName::Code) => code_matches(&value.text, record.code),
        Some(FieldName::SourceIp) => whole(&record.source_ip),
        Some(FieldName::UserAgent) => part(&record.user_agent),
        Some(FieldName::RequestUri) => part(&record.request_uri),
        Some(FieldName::Stage) => word_matches(&value.text, record.stage.name()),
        Some(FieldName::Level) => word_matches(&value.text, record.level.name()),
        Some(FieldName::Decision) => word_matches(&value.text, record.decision.name()),
        Some(FieldName::AuditId) => whole(&record.audit_id),
        Some(FieldName::Reason) => whole(&record.reason),
        Some(FieldName::Is) => {
            let writes = ["create", "patch", "delete", "update"].contains(&record.verb.as_str())
                || record.subresource == "exec";
            match value.text.as_str() {
                "write" => writes,
                "read" => !writes,
                _ => record.code >= 400,
            }
        }
        Some(other) => panic!("{other:?} is not generated"),
    }
}

fn fold(value: &Value, text: &str) -> String {
    let any_case = !value.quoted && !value.text.chars().any(char::is_uppercase);
    if any_case { text.to_ascii_lowercase() } else { text.to_owned() }
}

fn glob_matches(value: &Value, text: &str) -> bool {
    if value.quoted {
        return value.text == text;
    }
    if value.text == "*" {
        return !text.is_empty();
    }
    stars_match(fold(value, &value.text).as_bytes(), fold(value, text).as_bytes())
}

fn stars_match(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| stars_match(rest, &text[skipped..])),
        Some((first, rest)) => text.first() == Some(first) && stars_match(rest, &text[1..]),
    }
}

fn word_matches(wanted: &str, word: &str) -> bool {
    if wanted == "*" { !word.is_empty() } else { wanted.eq_ignore_ascii_case(word) }
}

fn code_matches(wanted: &str, code: u16) -> bool {
    match wanted {
        "" => code == 0,
        "*" => code != 0,
        ">=400" => code >= 400,
        "<300" => code != 0 && code < 300,
        "400-403" => (400..=403).contains(&code),
        "4xx" => code / 100 == 4,
        exact => exact.parse() == Ok(code),
    }
}

/// Every way in which a username may be asked for.
fn spellings(user: &str) -> Vec<String> {
    let mut names = vec![user.to_owned()];
    if let Some((namespace, name)) =
        user.strip_prefix("system:serviceaccount:").and_then(|n| n.split_once(':'))
    {
        names.extend([name.to_owned(), format!("{namespace}:{name}"), format!("{namespace}/{name}")]);
    } else if let Some(node) = user.strip_prefix("system:node:") {
        names.push(node.to_owned());
    } else if let Some((local, _)) = user.split_once('@') {
        names.push(local.to_owned());
    }
    names
}

fn other_names(resource: &str) -> &'static [&'static str] {
    RESOURCES.iter().find(|(plural, ..)| *plural == resource).map_or(&[], |(.., names)| *names)
}

fn resource_matches(value: &Value, record: &Record) -> bool {
    let (resource, subresource) = match value.text.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (value.text.as_str(), None),
    };
    let (resource, group) = match resource.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (resource, None),
    };
    let is = |wanted: &str, text: &str| {
        glob_matches(&Value { text: wanted.to_owned(), quoted: value.quoted }, text)
    };
    let named =
        is(resource, &record.resource) || other_names(&record.resource).iter().any(|n| is(resource, n));
    named
        && group.is_none_or(|group| is(group, &record.api_group))
        && subresource.is_none_or(|subresource| is(subresource, &record.subresource))
}

// ---- Questions ---------------------------------------------------------------------------------------------------

/// The shape of a question; its values come from the records it will be asked about.
#[derive(Clone, Debug)]
enum Shape {
    And(Vec<Shape>),
    Or(Vec<Shape>),
    Not(Box<Shape>),
    /// A field of a record, and how it is written.
    Ask {
        records: Vec<Index>,
        field: usize,
        form: u8,
        cut: Index,
    },
}

const FIELDS: [FieldName; 17] = [
    FieldName::User,
    FieldName::ImpersonatedUser,
    FieldName::Verb,
    FieldName::Resource,
    FieldName::Subresource,
    FieldName::Namespace,
    FieldName::Name,
    FieldName::Code,
    FieldName::SourceIp,
    FieldName::UserAgent,
    FieldName::RequestUri,
    FieldName::Stage,
    FieldName::Level,
    FieldName::AuditId,
    FieldName::Reason,
    FieldName::Decision,
    FieldName::Is,
];

fn shape() -> impl Strategy<Value = Shape> {
    let records = prop::collection::vec(any::<Index>(), 1..3);
    let ask = (records, 0..=FIELDS.len(), any::<u8>(), any::<Index>())
        .prop_map(|(records, field, form, cut)| Shape::Ask { records, field, form, cut });
    ask.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Shape::And),
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Shape::Or),
            1 => inner.prop_map(|shape| Shape::Not(Box::new(shape))),
        ]
    })
}

fn question(shape: &Shape, records: &[Record]) -> Node {
    match shape {
        Shape::And(parts) => Node::And(parts.iter().map(|part| question(part, records)).collect()),
        Shape::Or(parts) => Node::Or(parts.iter().map(|part| question(part, records)).collect()),
        Shape::Not(inner) => Node::Not(Box::new(question(inner, records))),
        Shape::Ask { records: chosen, field, form, cut } => {
            let field = FIELDS.get(*field).copied();
            let mut values: Vec<Value> =
                chosen.iter().map(|at| value_of(field, at.get(records), *form, cut)).collect();
            if field.is_none() {
                values.truncate(1);
            }
            Node::Term(Term { target: field.map(Target::Field), regex: false, values })
        }
    }
}

/// The record's value of a field, written in one of the ways in which people ask for it.
fn value_of(field: Option<FieldName>, record: &Record, form: u8, cut: &Index) -> Value {
    let plain = |text: &str| Value { text: text.to_owned(), quoted: false };
    let among = |words: &[&str]| plain(words[usize::from(form) % words.len()]);
    let or_any = |text: &str| plain(if text.is_empty() { "*" } else { text });
    let text = match field {
        None => {
            [&record.name, &record.user, &record.resource, &record.user_agent][usize::from(form) % 4].clone()
        }
        Some(FieldName::User) => {
            let names = spellings(&record.user);
            names[usize::from(form / 8) % names.len()].clone()
        }
        Some(FieldName::ImpersonatedUser) => record.impersonated_user.clone(),
        Some(FieldName::Verb) => record.verb.clone(),
        Some(FieldName::Resource) => {
            let names = other_names(&record.resource);
            let name = if names.is_empty() {
                record.resource.as_str()
            } else {
                names[usize::from(form) % names.len()]
            };
            match form % 5 {
                0 if !record.api_group.is_empty() => format!("{}.{}", record.resource, record.api_group),
                1 if !record.subresource.is_empty() => format!("{name}/{}", record.subresource),
                2 => record.resource.clone(),
                _ => name.to_owned(),
            }
        }
        Some(FieldName::Subresource) => record.subresource.clone(),
        Some(FieldName::Namespace) => record.namespace.clone(),
        Some(FieldName::Name) => record.name.clone(),
        Some(FieldName::SourceIp) => record.source_ip.clone(),
        Some(FieldName::UserAgent) => record.user_agent.clone(),
        Some(FieldName::RequestUri) => record.request_uri.clone(),
        Some(FieldName::Reason) => record.reason.clone(),
        Some(FieldName::AuditId) => record.audit_id.clone(),
        Some(FieldName::Code) if form % 6 == 5 => return plain(&record.code.to_string()),
        Some(FieldName::Code) => return among(&["*", ">=400", "<300", "400-403", "4xx"]),
        Some(FieldName::Stage) => return or_any(record.stage.name()),
        Some(FieldName::Level) => return or_any(&record.level.name().to_lowercase()),
        Some(FieldName::Decision) => return or_any(record.decision.name()),
        Some(FieldName::Is) => return among(&["write", "read", "failed"]),
        Some(other) => panic!("{other:?} is not generated"),
    };
    // Every text here is ASCII, so any byte is a place to cut.
    let cut = cut.index(text.len().max(1));
    match form % 8 {
        0 => plain("*"),
        1 => Value { text, quoted: true },
        2 => written(format!("{}*", &text[..cut])),
        3 => written(format!("*{}", &text[cut..])),
        4 => written(text[cut..].to_lowercase()),
        5 => written(text.to_lowercase()),
        _ => written(text),
    }
}

/// The text as it can be written: plain where that reads back, else in quotes.
fn written(text: String) -> Value {
    let plain = Value { text: text.clone(), quoted: false };
    let alone = Expression {
        root: Some(Node::Term(Term { target: None, regex: false, values: vec![plain.clone()] })),
    };
    let in_field = Expression {
        root: Some(Node::Term(Term {
            target: Some(Target::Field(FieldName::Name)),
            regex: false,
            values: vec![plain.clone()],
        })),
    };
    let reads_back = [alone, in_field].into_iter().all(|e| parse(&e.to_string()) == Ok(e));
    if reads_back { plain } else { Value { text, quoted: true } }
}

fn records_and_question(most: usize) -> impl Strategy<Value = (Vec<Record>, Expression)> {
    (prop::collection::vec(record(), 1..most), shape()).prop_map(|(records, shape)| {
        let root = Some(question(&shape, &records));
        (records, Expression { root })
    })
}

fn rows_found(records: &[Record], expression: &Expression) -> (Vec<u32>, Vec<u32>) {
    let segment = batch(records, 0, 0).segment;
    let found = Plan::new(expression).rows(&segment).iter().collect();
    let naive = (0..segment.rows())
        .filter(|row| expression.root.as_ref().is_none_or(|root| node_matches(root, &records[*row as usize])))
        .collect();
    (found, naive)
}

proptest! {
    #[test]
    fn a_plan_finds_what_asking_each_record_finds((records, expression) in records_and_question(80)) {
        let text = expression.to_string();
        prop_assert_eq!(parse(&text), Ok(expression.clone()), "{}", text);
        let (found, naive) = rows_found(&records, &expression);
        prop_assert_eq!(found, naive, "{}", text);
    }

    #[test]
    fn a_key_on_a_value_finds_or_leaves_out_its_record(
        (records, expression) in records_and_question(20),
        at in any::<Index>(),
        field in select(&[FieldName::User, FieldName::Verb, FieldName::Resource, FieldName::Namespace, FieldName::Name][..]),
    ) {
        let at = at.index(records.len());
        let record = &records[at];
        let text = match field {
            FieldName::User => &record.user,
            FieldName::Verb => &record.verb,
            FieldName::Resource => &record.resource,
            FieldName::Namespace => &record.namespace,
            _ => &record.name,
        };
        let edited = |change| with_value(&expression, field, text, change);
        for change in [Change::Include, Change::Exclude, Change::Only] {
            let printed = edited(change).to_string();
            prop_assert_eq!(parse(&printed), Ok(edited(change)), "{}", printed);
        }
        let excluded = edited(Change::Exclude);
        let (found, _) = rows_found(&records, &excluded);
        prop_assert!(!found.contains(&(at as u32)), "{} shows {:?}", excluded, record);
        let only = with_value(&Expression::default(), field, text, Change::Only);
        prop_assert!(rows_found(&records, &only).0.contains(&(at as u32)), "{} hides {:?}", only, record);
    }
}

/// Questions that never match anything would prove nothing.
#[test]
fn most_random_questions_find_something() {
    let strategy = records_and_question(80);
    let mut runner = TestRunner::deterministic();
    let asked = 400;
    let mut found = 0;
    for _ in 0..asked {
        let (records, expression) = strategy.new_tree(&mut runner).expect("a value").current();
        found += usize::from(!rows_found(&records, &expression).0.is_empty());
    }
    assert!(found * 3 > asked, "{found} of {asked} questions found something");
}

// ---- Views -------------------------------------------------------------------------------------------------------

/// What can happen to a store while a view looks at it.
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
}

fn step() -> impl Strategy<Value = Step> {
    let records = || prop::collection::vec(record(), 1..30);
    prop_oneof![
        3 => (records(), 0..2u16, 0..3u32).prop_map(|(records, source, origin)| Step::History { records, source, origin }),
        3 => (records(), 0..2u16).prop_map(|(records, source)| Step::Live { records, source }),
        2 => Just(Step::Evict),
        2 => (1..3usize).prop_map(Step::Advance),
    ]
}

fn options(all_stages: bool, fold_routine: bool, range: Option<(Micros, Micros)>) -> ViewOptions {
    let mut options = ViewOptions { all_stages, fold_routine, ..ViewOptions::default() };
    options.range = range;
    options
}

/// What a view should show: every record by (time, id), with whether it failed.
fn naive_view(store: &Store, root: &Node, options: &ViewOptions) -> (Vec<(Micros, EventId, bool)>, usize) {
    let mut shown = Vec::new();
    let mut folded = 0;
    for (number, entry) in store.entries() {
        for row in 0..entry.segment().rows() {
            let record = Record::of(entry.segment(), row);
            let in_range =
                options.range.is_none_or(|(from, until)| (from..until).contains(&record.stage_time));
            let stands = options.all_stages || !entry.hidden().get(row);
            if entry.dropped().get(row) || !stands || !in_range || !node_matches(root, &record) {
                continue;
            }
            if options.fold_routine && record.is_routine {
                folded += 1;
                continue;
            }
            shown.push((record.stage_time, EventId::new(number, row), record.code >= 400));
        }
    }
    shown.sort_unstable();
    (shown, folded)
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
        [(-SECOND, 20 * SECOND, 1), (-SECOND, SECOND, 12), (3 * SECOND, SECOND / 4, 9)]
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
        steps in prop::collection::vec(step(), 1..14),
        shape in shape(),
        all_stages in any::<bool>(),
        fold_routine in any::<bool>(),
        range in prop::option::of((0..20i64, 1..20i64)),
    ) {
        let some: Vec<Record> = steps.iter().flat_map(|step| match step {
            Step::History { records, .. } | Step::Live { records, .. } => records.clone(),
            Step::Evict | Step::Advance(_) => Vec::new(),
        }).collect();
        prop_assume!(!some.is_empty());
        let root = question(&shape, &some);
        let expression = Expression { root: Some(root.clone()) };
        let range = range.map(|(from, length)| (from * SECOND / 4, (from + length) * SECOND / 4));
        let options = || options(all_stages, fold_routine, range);

        let mut store = Store::new();
        let mut view = View::new(Plan::new(&expression), options());
        let mut seen: Vec<Record> = Vec::new();
        for step in &steps {
            match step {
                Step::History { records, source, origin } => {
                    // Rotated copies repeat lines of other files, and a file may hold a line twice.
                    let again = seen.iter().rev().take(6).chain(records.first());
                    let records: Vec<Record> = records.iter().chain(again).cloned().collect();
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
            }
            let before = (view.version(), view.len());
            let changes = store.take_changes();
            view.update(&store, &changes);
            prop_assert!(view.version() != before.0 || view.len() == before.1, "a change that version() hides");
        }
        prop_assert!(view.advance(&store, || true));

        let (naive, folded) = naive_view(&store, &root, &options());
        check_view(&view, &store, &naive, folded)?;
        let mut fresh = View::new(Plan::everything(), ViewOptions::default());
        fresh.restart(&store, Plan::new(&expression), options());
        fresh.advance(&store, || true);
        check_view(&fresh, &store, &naive, folded)?;
    }
}

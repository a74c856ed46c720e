//! An expression compiled against columns: each string test runs once over a segment's dictionary, rows are then
//! tested by symbol. What only a record's text can answer is left open and read row by row, newest first, in a
//! [`Scan`] that can be interrupted.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::alerted::Alerted;
use super::compile::compile;
use super::context::Context;
use super::fields::FieldName;
use super::keys::Keys;
use super::names::matches_resource;
use super::pattern::Pattern;
use super::syntax::{Body, Expression};
use super::text_test::TextTest;
use crate::model::{Decision, EventId, Level, LogKind, Micros, SourceId, Stage};
use crate::store::{Bitset, Dictionary, Entry, Field, Segment, Stretch, Texts};

/// Columns in which a bare word is looked for.
const WORD_FIELDS: [Field; 8] = [
    Field::User,
    Field::ImpersonatedUser,
    Field::Verb,
    Field::Resource,
    Field::Namespace,
    Field::Name,
    Field::UserAgent,
    Field::RequestUri,
];

/// Asking the strings of rows one by one costs less than asking all strings of a column where it is about one row in so
/// many at most.
const FEW: u32 = 8;

/// A compiled filter.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    root: Option<Arc<Test>>,
    revealed: bool,
}

/// One test of a record.
#[derive(Debug)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The string of a column matches.
    Column(Field, Pattern),
    /// The string of a column passes.
    Where(Field, Predicate),
    /// The string of a column holds this text, and passes.
    Holding(Field, &'static str, Predicate),
    /// The value of a field that rows are grouped by is this one.
    Exactly(FieldName, String),
    /// The resource, by any of its names.
    Resource(Pattern),
    /// A part of any of these columns matches.
    Word(Pattern),
    /// The code lies between these.
    Code(u16, u16),
    /// The code is one of these.
    Codes(Vec<bool>),
    Stage(Stage),
    Level(Level),
    Log(LogKind),
    Decision(Decision),
    Routine,
    /// With the one id that can pass, when it holds no star.
    AuditId(Pattern, Option<String>),
    Source(BTreeSet<SourceId>),
    /// The stage time is at or after the first and before the second.
    Time(Micros, Micros),
    /// The request has ended, and took between these, both included.
    Elapsed(Micros, Micros),
    Marked(Arc<BTreeSet<EventId>>),
    /// A part in an alert of one of these rules.
    Alerted(Arc<Alerted>, Vec<bool>),
    /// The record's text passes.
    Text(Arc<TextTest>),
}

/// A test of one string.
pub(super) struct Predicate(pub(super) Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("predicate")
    }
}

/// The records that a plan is asked about.
#[derive(Clone, Copy)]
pub struct Rows<'s> {
    /// The columns.
    pub segment: &'s Segment,
    /// What became known about them later; without it no request has a later end.
    pub entry: Option<&'s Entry>,
    /// The segment's number, which marks and alerts name; without it no row has one.
    pub number: Option<u32>,
}

impl<'s> Rows<'s> {
    /// The records of a segment that is held.
    pub fn held(number: u32, entry: &'s Entry) -> Rows<'s> {
        Rows { segment: entry.segment(), entry: Some(entry), number: Some(number) }
    }

    /// The same where every record is a row: how long a request took is known to the record that ended it alone.
    pub fn each_alone(self) -> Rows<'s> {
        Rows { entry: None, ..self }
    }
}

impl<'s> From<&'s Segment> for Rows<'s> {
    fn from(segment: &'s Segment) -> Rows<'s> {
        Rows { segment, entry: None, number: None }
    }
}

impl Plan {
    /// Compiles an expression that asks nothing about the program's state.
    pub fn new(expression: &Expression) -> Plan {
        Plan::compile(expression, &Context::default())
    }

    /// Compiles an expression.
    pub fn compile(expression: &Expression, context: &Context) -> Plan {
        Plan { root: compile(expression, context).map(Arc::new), revealed: context.revealed }
    }

    /// The plan that every record passes.
    pub fn everything() -> Plan {
        Plan::default()
    }

    /// Whether every record passes.
    pub fn is_everything(&self) -> bool {
        self.root.is_none()
    }

    /// Whether records' texts must be read, so that they must have been kept.
    pub fn reads_text(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.reads_text())
    }

    /// The records that pass.
    pub fn rows<'s>(&self, rows: impl Into<Rows<'s>>) -> Bitset {
        let rows = rows.into();
        let mut scan = self.scan(rows, None);
        scan.advance(rows.segment, || true);
        scan.into_matched()
    }

    /// Whether one record passes.
    pub fn passes<'s>(&self, rows: impl Into<Rows<'s>>, row: u32) -> bool {
        let rows = rows.into();
        let mut only = Bitset::none(rows.segment.rows());
        only.set(row, true);
        let mut scan = self.scan(rows, Some(&only));
        scan.advance(rows.segment, || true);
        scan.matched().get(row)
    }

    /// Asks the columns, and leaves to [`Scan::advance`] what only texts can answer. Nothing outside of `within` is
    /// found.
    pub fn scan(&self, rows: Rows<'_>, within: Option<&Bitset>) -> Scan {
        let residual = match &self.root {
            None => Residual::Known(Bitset::all(rows.segment.rows())),
            Some(test) => test.residual(rows),
        };
        let (mut matched, mut open) = residual.bounds(rows.segment.rows(), None);
        if let Some(within) = within {
            matched.and(within);
            open.and(within);
        }
        open.and_not(&matched);
        let end = open.len();
        Scan { matched, open, end, searched: end, residual, revealed: self.revealed, unreadable: 0 }
    }
}

/// A plan's answer for one segment, which may not be complete yet.
#[derive(Debug)]
pub struct Scan {
    matched: Bitset,
    /// Rows whose texts must still be read; all lie below `end`.
    open: Bitset,
    end: u32,
    /// Rows from here on are open only because a search did not tell that their texts lack what is looked for.
    searched: u32,
    residual: Residual,
    revealed: bool,
    unreadable: u32,
}

impl Scan {
    /// Rows that pass, as far as is known.
    pub fn matched(&self) -> &Bitset {
        &self.matched
    }

    /// Rows that pass, as far as is known.
    pub fn into_matched(self) -> Bitset {
        self.matched
    }

    /// Whether nothing is left to be read.
    pub fn is_complete(&self) -> bool {
        self.open.is_clear()
    }

    /// How many rows are left to be read.
    pub fn open_rows(&self) -> u32 {
        self.open.count()
    }

    /// Takes over what an earlier scan of the same segment, with the same plan, found out about its rows, except for
    /// `anew`.
    pub fn carry_over(&mut self, earlier: &Scan, anew: &Bitset) {
        let known = earlier.matched.len().min(self.matched.len());
        let mut keep = Bitset::from_fn(self.matched.len(), |row| (row as u32) < known);
        keep.and_not(anew);
        for (now, before) in [(&mut self.matched, &earlier.matched), (&mut self.open, &earlier.open)] {
            let mut before = before.clone();
            before.resize(now.len());
            before.and(&keep);
            now.and_not(&keep);
            now.or(&before);
        }
    }

    /// Reads texts, the last row first, until none is left or `more` says no, which is asked every few rows. Returns
    /// whether none is left.
    pub fn advance(&mut self, segment: &Segment, mut more: impl FnMut() -> bool) -> bool {
        /// A row of a few KB takes some microseconds.
        const ROWS_AT_ONCE: u32 = 16;
        if self.open.is_clear() {
            return true;
        }
        let mut texts = segment.texts();
        let mut count = 0;
        while let Some(row) = self.open.last_below(self.end) {
            if row < self.searched {
                self.search_around(row, &mut texts);
                count = 0;
                if more() {
                    continue;
                }
                break;
            }
            self.open.set(row, false);
            self.end = row;
            match texts.read(row) {
                Ok(text) => {
                    if self.residual.passes(row, text, self.revealed) {
                        self.matched.set(row, true);
                    }
                }
                Err(_) => self.unreadable += 1,
            }
            count += 1;
            if count % ROWS_AT_ONCE == 0 && !more() {
                break;
            }
        }
        self.open.is_clear()
    }

    /// Searches the texts that are unpacked together with that of a row, and closes the rows for which that tells
    /// enough.
    fn search_around(&mut self, row: u32, texts: &mut Texts<'_>) {
        /// Where fewer rows are open than one in so many, reading them is the lesser work.
        const FEW: u32 = 16;
        self.searched = row;
        // Text that cannot be unpacked is found to be so row by row.
        let Ok(stretch) = texts.around(row) else { return };
        let rows = stretch.rows();
        self.searched = rows.start.min(row);
        if self.open.count_range(rows.start, row) <= (rows.end - rows.start) / FEW {
            return;
        }
        let (mut sure, possible) = self.residual.bounds(self.open.len(), Some(&stretch));
        sure.and(&self.open);
        self.matched.or(&sure);
        self.open.and(&possible);
        self.open.and_not(&sure);
    }
}

/// What is left of a plan once the columns of a segment have answered.
#[derive(Debug)]
enum Residual {
    Known(Bitset),
    All(Vec<Residual>),
    Any(Vec<Residual>),
    Not(Box<Residual>),
    Text(Arc<TextTest>),
}

impl Residual {
    /// Rows that surely pass, and rows that may, of `rows` in all, as far as it is known without reading texts one by
    /// one. A stretch of texts tells more about its rows.
    fn bounds(&self, rows: u32, stretch: Option<&Stretch<'_>>) -> (Bitset, Bitset) {
        match self {
            Residual::Known(bits) => (bits.clone(), bits.clone()),
            Residual::Text(test) => {
                let (mut sure, mut possible) = (Bitset::none(rows), Bitset::all(rows));
                if let Some(stretch) = stretch
                    && let Some(lacking) = test.lacking(stretch)
                {
                    let passes = test.passes_lacking();
                    for row in lacking.iter().map(|at| stretch.rows().start + at) {
                        if passes { sure.set(row, true) } else { possible.set(row, false) }
                    }
                }
                (sure, possible)
            }
            Residual::All(parts) => {
                let mut bounds = (Bitset::all(rows), Bitset::all(rows));
                for part in parts {
                    let (sure, possible) = part.bounds(rows, stretch);
                    bounds.0.and(&sure);
                    bounds.1.and(&possible);
                }
                bounds
            }
            Residual::Any(parts) => {
                let mut bounds = (Bitset::none(rows), Bitset::none(rows));
                for part in parts {
                    let (sure, possible) = part.bounds(rows, stretch);
                    bounds.0.or(&sure);
                    bounds.1.or(&possible);
                }
                bounds
            }
            Residual::Not(inner) => {
                let (mut sure, mut possible) = inner.bounds(rows, stretch);
                sure.invert();
                possible.invert();
                (possible, sure)
            }
        }
    }

    fn passes(&self, row: u32, text: &[u8], revealed: bool) -> bool {
        match self {
            Residual::Known(bits) => bits.get(row),
            Residual::All(parts) => parts.iter().all(|part| part.passes(row, text, revealed)),
            Residual::Any(parts) => parts.iter().any(|part| part.passes(row, text, revealed)),
            Residual::Not(inner) => !inner.passes(row, text, revealed),
            Residual::Text(test) => test.matches(text, revealed),
        }
    }
}

impl Test {
    /// A test of the record's text.
    pub(super) fn text(test: TextTest) -> Test {
        Test::Text(Arc::new(test))
    }

    fn reads_text(&self) -> bool {
        match self {
            Test::Text(_) => true,
            Test::All(parts) | Test::Any(parts) => parts.iter().any(Test::reads_text),
            Test::Not(inner) => inner.reads_text(),
            _ => false,
        }
    }

    fn residual(&self, rows: Rows<'_>) -> Residual {
        match self {
            Test::All(parts) => {
                let mut known = Bitset::all(rows.segment.rows());
                let mut left = Vec::new();
                for part in parts {
                    match part.residual_within(rows, &known) {
                        Residual::Known(bits) => known.and(&bits),
                        other => left.push(other),
                    }
                    if known.is_clear() {
                        return Residual::Known(known);
                    }
                }
                joined(known, left, Residual::All)
            }
            Test::Any(parts) => {
                let mut known = Bitset::none(rows.segment.rows());
                let mut left = Vec::new();
                for part in parts {
                    match part.residual(rows) {
                        Residual::Known(bits) => known.or(&bits),
                        other => left.push(other),
                    }
                }
                joined(known, left, Residual::Any)
            }
            Test::Not(inner) => match inner.residual(rows) {
                Residual::Known(mut bits) => {
                    bits.invert();
                    Residual::Known(bits)
                }
                other => Residual::Not(Box::new(other)),
            },
            Test::Text(test) => {
                let left = Residual::Text(Arc::clone(test));
                if test.passes_without_body() {
                    return left;
                }
                // The level says which bodies there are; a record of an unknown level may have any.
                let wanted = |level| match (level, test.as_ref()) {
                    (Level::Metadata, _) => false,
                    (Level::Request, TextTest::Body(body)) => body.body() != Body::Response,
                    (Level::Request, _) => false,
                    (Level::RequestResponse | Level::Unknown, _) => true,
                };
                let known = Bitset::from_column(rows.segment.all_facts(), |facts| wanted(facts.level()));
                joined(known, vec![left], Residual::All)
            }
            column => Residual::Known(column.column_rows(rows)),
        }
    }

    /// [`Self::residual`] where only some rows can pass anyway. Asking the strings of a few rows costs less than asking
    /// all strings of a column; of the other rows the answer may say anything.
    fn residual_within(&self, rows: Rows<'_>, within: &Bitset) -> Residual {
        let (field, test): (Field, &dyn Fn(&str) -> bool) = match self {
            Test::Where(field, Predicate(test)) | Test::Holding(field, _, Predicate(test)) => {
                (*field, test.as_ref())
            }
            Test::Column(field, pattern) => (*field, &|text| pattern.matches(text)),
            _ => return self.residual(rows),
        };
        if within.count() > rows.segment.rows() / FEW {
            return self.residual(rows);
        }
        Residual::Known(rows_within(rows.segment, field, within, test))
    }

    /// The rows that pass a test of columns.
    fn column_rows(&self, rows: Rows<'_>) -> Bitset {
        let segment = rows.segment;
        let facts = segment.all_facts();
        match self {
            Test::Column(field, pattern) => rows_of(segment, *field, |d| pattern.symbols(d)),
            Test::Where(field, Predicate(test)) => rows_of(segment, *field, |d| {
                Bitset::from_fn(d.len() as u32, |symbol| test(d.get(symbol as u16)))
            }),
            Test::Holding(field, text, Predicate(test)) => {
                rows_of(segment, *field, |dictionary| symbols_holding(dictionary, text, test.as_ref()))
            }
            Test::Exactly(field, value) => Keys::of(*field, segment, &Context::default())
                .map_or_else(|| Bitset::none(segment.rows()), |keys| keys.rows_with(value, segment.rows())),
            Test::Resource(pattern) => rows_of(segment, Field::Resource, |dictionary| {
                pattern.symbols_where(dictionary, |name| matches_resource(pattern, name))
            }),
            Test::Word(pattern) => {
                let mut found = Bitset::none(segment.rows());
                for field in WORD_FIELDS {
                    let mut open = Bitset::all(segment.rows());
                    open.and_not(&found);
                    found.or(&word_rows(segment, field, pattern, &open));
                }
                found
            }
            Test::Code(low, high) => {
                Bitset::from_column(segment.codes(), |code| *low <= code && code <= *high)
            }
            Test::Codes(wanted) => Bitset::from_column(segment.codes(), |code| {
                wanted.get(usize::from(code)).copied().unwrap_or(false)
            }),
            Test::Stage(stage) => Bitset::from_column(facts, |facts| facts.stage() == *stage),
            Test::Level(level) => Bitset::from_column(facts, |facts| facts.level() == *level),
            Test::Log(log) => Bitset::from_column(facts, |facts| facts.log() == *log),
            Test::Decision(decision) => Bitset::from_column(facts, |facts| facts.decision() == *decision),
            Test::Routine => Bitset::from_column(facts, |facts| facts.is_routine()),
            Test::AuditId(pattern, exact) => {
                segment.rows_by_audit_id(exact.as_deref(), |id| pattern.matches(id))
            }
            Test::Source(sources) if sources.contains(&segment.source()) => Bitset::all(segment.rows()),
            Test::Source(_) => Bitset::none(segment.rows()),
            Test::Time(from, until) if *from <= segment.min_time() && segment.max_time() < *until => {
                Bitset::all(segment.rows())
            }
            Test::Time(from, until) if segment.max_time() < *from || *until <= segment.min_time() => {
                Bitset::none(segment.rows())
            }
            Test::Time(from, until) => {
                segment.stage_times().rows_where(|time| *from <= time && time < *until)
            }
            Test::Elapsed(low, high) => {
                let wanted = |length: Micros| *low <= length && length <= *high;
                let mut found = segment.elapsed_times().rows_where(wanted);
                found.and(&segment.end_rows());
                for (row, entry) in
                    rows.entry.iter().flat_map(|entry| entry.ended_rows().map(move |r| (r, entry)))
                {
                    found.set(row, wanted(entry.elapsed(row)));
                }
                found
            }
            Test::Marked(marks) => {
                let mut found = Bitset::none(segment.rows());
                if let Some(number) = rows.number {
                    for id in marks.range(EventId::new(number, 0)..EventId::new(number + 1, 0)) {
                        found.set(id.row(), true);
                    }
                }
                found
            }
            Test::Alerted(alerted, rules) => match rows.number {
                Some(number) => alerted.rows(number, segment.rows(), rules),
                None => Bitset::none(segment.rows()),
            },
            // These are taken apart before columns are asked.
            Test::All(_) | Test::Any(_) | Test::Not(_) | Test::Text(_) => Bitset::none(segment.rows()),
        }
    }
}

/// What is known and what is left, put together without needless parts.
fn joined(known: Bitset, mut left: Vec<Residual>, join: fn(Vec<Residual>) -> Residual) -> Residual {
    if left.is_empty() {
        return Residual::Known(known);
    }
    left.insert(0, Residual::Known(known));
    join(left)
}

/// The symbols of strings that hold a text and pass a test: one search over all strings tells which few must be asked.
fn symbols_holding(dictionary: &Dictionary, text: &str, test: &dyn Fn(&str) -> bool) -> Bitset {
    let mut found = Bitset::none(dictionary.len() as u32);
    let mut symbols = dictionary.symbols_in_order();
    let mut last = None;
    for hit in memchr::memmem::find_iter(dictionary.buffer().as_bytes(), text) {
        let symbol = symbols.at(hit);
        if last.replace(symbol) != Some(symbol) && test(dictionary.get(symbol)) {
            found.set(u32::from(symbol), true);
        }
    }
    found
}

/// Those of the rows in `within` of which a column holds a word. What is said of other rows means nothing.
fn word_rows(segment: &Segment, field: Field, pattern: &Pattern, within: &Bitset) -> Bitset {
    let strings = segment.column(field).dictionary.len() as u32;
    let is_resource = field == Field::Resource;
    // Most rows are found by a column of few strings. What the URIs of the others hold is asked one by one then.
    let asked = within.count();
    if asked <= segment.rows() / FEW && asked < strings {
        return rows_within(segment, field, within, &|text| match is_resource {
            true => matches_resource(pattern, text),
            false => pattern.matches(text),
        });
    }
    rows_of(segment, field, |dictionary| match is_resource {
        true => pattern.symbols_where(dictionary, |name| matches_resource(pattern, name)),
        false => pattern.symbols(dictionary),
    })
}

/// Those of the rows in `within` whose string passes a test.
fn rows_within(segment: &Segment, field: Field, within: &Bitset, test: &dyn Fn(&str) -> bool) -> Bitset {
    let mut found = Bitset::none(segment.rows());
    for row in within.iter() {
        found.set(row, test(segment.string(field, row)));
    }
    found
}

fn rows_of(segment: &Segment, field: Field, symbols: impl Fn(&Dictionary) -> Bitset) -> Bitset {
    let column = segment.column(field);
    let wanted = symbols(&column.dictionary);
    if wanted.is_clear() {
        return Bitset::none(segment.rows());
    }
    column.symbols.rows_in(&wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, ObjectRef, SourceId};
    use crate::query::parse;
    use crate::store::SegmentBuilder;

    fn segment() -> Segment {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        let rows = [
            (
                "alice@example.com",
                "",
                "patch",
                "deployments",
                "scale",
                "apps",
                "prod",
                "web",
                "kubectl/v1.34",
                200u16,
            ),
            (
                "system:serviceaccount:argocd:server",
                "",
                "delete",
                "deployments",
                "",
                "apps",
                "prod",
                "novelapp",
                "argocd",
                200,
            ),
            ("mallory", "backdoor", "list", "secrets", "", "", "kube-system", "", "curl/8", 403),
            (
                "system:node:n1",
                "",
                "get",
                "networkpolicies",
                "",
                "networking.k8s.io",
                "",
                "Deny",
                "kubelet",
                404,
            ),
            ("", "", "get", "", "", "", "", "", "", 401),
        ];
        for (user, acted_as, verb, resource, sub, group, ns, name, agent, code) in rows {
            let event = Event {
                stage: Stage::ResponseComplete,
                level: Level::Metadata,
                user: user.into(),
                impersonated_user: acted_as.into(),
                verb: verb.into(),
                user_agent: agent.into(),
                request_uri: format!("/x/{resource}/{name}").into(),
                object: ObjectRef {
                    resource: resource.into(),
                    subresource: sub.into(),
                    namespace: ns.into(),
                    name: name.into(),
                    api_group: group.into(),
                    api_version: "v1".into(),
                },
                code,
                ..Event::default()
            };
            builder.push(&event, b"{}", false);
        }
        builder.finish(0).segment
    }

    #[test]
    fn questions_find_their_rows() {
        let segment = segment();
        for (question, rows) in [
            ("", vec![0, 1, 2, 3, 4]),
            ("user:alice", vec![0]),
            ("user:argocd/server", vec![1]),
            ("user:server,n1", vec![1, 3]),
            ("user:backdoor", vec![2]),
            ("impersonated:*", vec![2]),
            ("user==backdoor", vec![]),
            ("user==mallory,alice", vec![2]),
            ("user==\"\"", vec![4]),
            ("apiversion==v1 or resource==deploy", vec![2, 4]),
            ("kind==human -kind==human,node,serviceaccount", vec![]),
            ("code==403,404 name==Deny", vec![3]),
            ("resource:deploy", vec![0, 1]),
            ("resource:deploy/scale", vec![0]),
            ("resource:deployments.apps -sub:*", vec![1]),
            ("resource:secret", vec![2]),
            ("resource:networkpolicy", vec![3]),
            ("ns:kube-* or code:404", vec![2, 3]),
            ("code:>=400 -code:404", vec![2, 4]),
            ("code:4xx", vec![2, 3, 4]),
            ("is:write", vec![0, 1]),
            ("is:read is:failed", vec![2, 3, 4]),
            ("name:deny", vec![3]),
            ("name:\"deny\"", vec![]),
            ("name:\"Deny\"", vec![3]),
            ("agent:kube", vec![0, 3]),
            ("novelapp", vec![1]),
            ("not (deployments or secrets)", vec![3, 4]),
            ("-user:*", vec![4]),
            ("level:metadata stage:ResponseComplete verb:get", vec![3, 4]),
            ("stage:Panic", vec![]),
            ("verb:del", vec![]),
            ("user:\"\"", vec![4]),
            ("\"\"", vec![0, 1, 2, 3, 4]),
            ("networkpolicy", vec![3]),
            ("decision:\"\" code:\"\"", vec![]),
            ("decision:\"\" stage:ResponseComplete", vec![0, 1, 2, 3, 4]),
        ] {
            let plan = Plan::new(&parse(question).unwrap());
            assert_eq!(plan.rows(&segment).iter().collect::<Vec<_>>(), rows, "{question}");
        }
    }

    fn event() -> Event<'static> {
        Event { stage: Stage::ResponseComplete, level: Level::RequestResponse, ..Event::default() }
    }

    #[test]
    fn fields_that_are_taken_out_of_columns() {
        let mut builder = SegmentBuilder::new(SourceId(3), 0, true);
        let exec = Event {
            user: "alice".into(),
            groups: r#"["oidc:sre","system:authenticated"]"#.into(),
            verb: "get".into(),
            object: ObjectRef {
                resource: "pods".into(),
                subresource: "exec".into(),
                namespace: "prod".into(),
                name: "web-1".into(),
                ..ObjectRef::default()
            },
            request_uri: "/api/v1/namespaces/prod/pods/web-1/exec?command=cat&command=%2Fetc%2Fshadow".into(),
            user_agent: "kubectl/v1.32".into(),
            source_ip: "10.20.0.5".into(),
            code: 101,
            received: Some(1_000_000),
            stage_time: Some(3_000_000),
            ..event()
        };
        let apply = Event {
            user: "system:serviceaccount:argocd:server".into(),
            impersonated_user: "bob".into(),
            impersonated_groups: r#"["dev"]"#.into(),
            verb: "patch".into(),
            object: ObjectRef {
                resource: "deployments".into(),
                api_group: "apps".into(),
                namespace: "prod".into(),
                name: "web".into(),
                ..ObjectRef::default()
            },
            request_uri: "/apis/apps/v1/x?fieldManager=argocd-controller&dryRun=All".into(),
            user_agent: "argocd-application-controller/v2.13.2".into(),
            source_ip: "2001:db8::7".into(),
            code: 200,
            decision_reason: r#"RBAC: allowed by RoleBinding "ci/prod" of ClusterRole "edit" to User "bob""#
                .into(),
            credential: "JTI=1".into(),
            token_pod: "server-0".into(),
            token_node: "n1".into(),
            deprecated: "1.32".into(),
            received: Some(60_000_000),
            stage_time: Some(60_050_000),
            ..event()
        };
        let update = Event {
            verb: "update".into(),
            user_agent: "Helm/3".into(),
            source_ip: "::ffff:10.1.2.3".into(),
            issued_credential: "JTI=1".into(),
            received: Some(120_000_000),
            stage_time: Some(120_000_000),
            ..event()
        };
        builder.push(&exec, b"{}", false);
        builder.push(&apply, br#"{"requestObject":{"spec":{"replicas":0}}}"#, false);
        builder.push(
            &update,
            br#"{"requestObject":{"metadata":{"resourceVersion":"7"}},"responseObject":{"metadata":{"resourceVersion":"7"}}}"#,
            false,
        );
        let segment = builder.finish(0).segment;
        let context = Context {
            reference: 120_000_000,
            newest: 120_000_000,
            sources: [(SourceId(3), "/var/log/audit.log".to_owned())].into(),
            marks: Arc::new([EventId::new(5, 1)].into()),
            ..Context::default()
        };
        for (question, wanted) in [
            ("group:oidc:sre", vec![0]),
            ("group:dev", vec![1]),
            ("group==dev", vec![]),
            ("group==oidc:sre", vec![0]),
            ("source==/var/log/audit.log kind==serviceaccount", vec![1]),
            ("source==audit.log", vec![]),
            ("credential==JTI=1", vec![1]),
            (r#"group:"""#, vec![1, 2]),
            ("kind:human", vec![0, 1]),
            ("kind:serviceaccount", vec![1]),
            ("kind:anonymous", vec![2]),
            ("impersonator:argocd/server", vec![1]),
            (r#"impersonator:"""#, vec![0, 2]),
            ("command:/etc/shadow", vec![0]),
            (r#"command:"cat /etc""#, vec![0]),
            ("command:*", vec![0]),
            (r#"command:"""#, vec![1, 2]),
            ("tool:kubectl,helm", vec![0, 2]),
            ("tool:argocd", vec![1]),
            ("manager:argocd-controller", vec![1]),
            ("manager:helm", vec![2]),
            ("manager:*", vec![1, 2]),
            ("ip:10.0.0.0/8", vec![0, 2]),
            ("ip:10.1.2.3", vec![2]),
            ("ip:2001:db8::/32", vec![1]),
            ("ip:10.20.*", vec![0]),
            ("ip~^10", vec![0]),
            ("binding:ci", vec![1]),
            ("binding:RoleBinding/ci/prod role:edit", vec![1]),
            (r#"role:"""#, vec![0, 2]),
            ("credential:jti=1", vec![1, 2]),
            ("pod:server-0 node:n1", vec![1]),
            ("deprecated:*", vec![1]),
            ("is:dryrun", vec![1]),
            ("is:noop", vec![2]),
            ("object:prod/deploy/web", vec![1]),
            ("object:deployments.apps/w*", vec![1]),
            ("object:pod/exec/x", vec![]),
            ("duration:>1s", vec![0]),
            ("duration:10ms-100ms", vec![1]),
            ("since:-1m", vec![1, 2]),
            ("until:1970-01-01T00:00:04Z", vec![0]),
            ("at:00:01", vec![1]),
            ("source:audit.log", vec![0, 1, 2]),
            ("source:other", vec![]),
            ("mark:yes", vec![1]),
            ("mark:no", vec![0, 2]),
            ("code~^1", vec![0]),
            ("verb~^(get|patch)$", vec![0, 1]),
            ("request.spec.replicas:0", vec![1]),
            ("-request.spec.replicas:0 verb:patch", vec![]),
            ("request.spec.replicas:* or command:*", vec![0, 1]),
            ("text:replicas", vec![1]),
        ] {
            let plan = Plan::compile(&parse(question).expect(question), &context);
            let rows = Rows { segment: &segment, entry: None, number: Some(5) };
            assert_eq!(plan.rows(rows).iter().collect::<Vec<_>>(), wanted, "{question}");
        }
        assert!(Plan::new(&parse("text:x").unwrap()).reads_text());
        assert!(!Plan::new(&parse("command:x").unwrap()).reads_text());
    }

    #[test]
    fn an_interrupted_scan_goes_on_and_keeps_what_it_knows() {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        for i in 0..100 {
            builder.push(&event(), if i % 2 == 0 { br#"{"a":"novelapp"}"# } else { b"{}" }, false);
        }
        let segment = builder.finish(0).segment;
        let plan = Plan::new(&parse("text:novelapp").unwrap());
        let mut scan = plan.scan((&segment).into(), None);
        assert!(!scan.advance(&segment, || false), "stopped after a search");
        assert_eq!((scan.open_rows(), scan.matched().count()), (50, 0), "only rows that were found are open");
        assert!(!scan.advance(&segment, || false), "stopped after a few rows");
        assert_eq!(scan.matched().iter().collect::<Vec<_>>(), (68..100).step_by(2).collect::<Vec<_>>());
        let mut anew = plan.scan((&segment).into(), None);
        anew.carry_over(&scan, &Bitset::from_fn(100, |row| row == 90));
        assert_eq!((anew.open_rows(), anew.matched().count()), (scan.open_rows() + 1, 15));
        assert!(anew.advance(&segment, || true) && anew.matched().count() == 50);
        let within = Bitset::from_fn(100, |row| row < 25);
        let mut narrowed = plan.scan((&segment).into(), Some(&within));
        assert_eq!(narrowed.open_rows(), 25);
        assert!(narrowed.advance(&segment, || true) && narrowed.matched().count() == 13);
    }
}

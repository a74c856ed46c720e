//! The statistics screen: the rows that are shown counted by any fields, ready-made tables, the slowest requests with
//! where their time went, and what people changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::side::Side;
use super::table::TableCursor;
use crate::model::{EventId, Micros, is_mutating_subresource};
use crate::query::{
    Context, Expression, FieldName, Group, Grouping, Node, SortBy, ViewOptions, condition_for, parse,
    with_condition,
};
use crate::redact::holds_mark;
use crate::store::{Bitset, Store};

/// Slowest requests that are listed.
const SLOWEST: usize = 200;

/// What a table shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A row a group.
    Groups,
    /// A row a request, the slowest first.
    Slowest,
    /// A row for what somebody did to an object.
    Changes,
}

/// What is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    /// What the table is called.
    pub title: String,
    /// What rows are grouped by.
    pub fields: Vec<FieldName>,
    /// What is asked besides the filter.
    pub condition: Expression,
    /// What a row is.
    pub shape: Shape,
    sort: SortBy,
}

impl Question {
    fn new(title: &str, fields: &[FieldName], condition: &str, sort: SortBy, shape: Shape) -> Question {
        // The conditions are constants; a test reads each of them.
        let condition = parse(condition).unwrap_or_default();
        Question { title: title.to_owned(), fields: fields.to_vec(), condition, shape, sort }
    }

    /// A table by any fields.
    pub fn by(fields: &[FieldName]) -> Question {
        let names: Vec<&str> = fields.iter().map(|field| field.info().name).collect();
        Question::new(&format!("by {}", names.join(", ")), fields, "", SortBy::Count, Shape::Groups)
    }

    /// What people and outside systems changed since a moment: successful writes, without those that a cluster makes
    /// by itself.
    pub fn changes(since: &str) -> Question {
        let fields = [FieldName::User, FieldName::Object, FieldName::Verb, FieldName::Subresource];
        let mut question = Question::new("changes", &fields, CHANGES, SortBy::Last, Shape::Changes);
        if let Ok(Expression { root: Some(moment) }) = parse(&format!("since:{since}")) {
            question.title = format!("changes since {since}");
            question.condition = with_condition(&question.condition, moment);
        }
        question
    }
}

/// Leaves of the writes those that somebody wanted. Of Events (core/v1 and events.k8s.io) only what machines report is
/// routine: who deletes them covers tracks.
const CHANGES: &str = "is:write code:<400 -is:dryrun -is:routine -kind:node,control-plane,anonymous \
    -user:system:serviceaccount:kube-system:*-controller,system:serviceaccount:kube-system:*-collector,\
system:serviceaccount:kube-system:*-publisher,system:serviceaccount:kube-system:*-cleaner,\
system:serviceaccount:kube-system:*-autoscaler \
    -resource:leases,tokenreviews,subjectaccessreviews,localsubjectaccessreviews,selfsubjectaccessreviews,\
selfsubjectrulesreviews,selfsubjectreviews -(resource:events verb:create,patch,update -kind:human)";

/// The ready-made tables, in the order in which they follow each other.
pub fn presets() -> Vec<Question> {
    use FieldName as F;
    vec![
        Question::new("top talkers", &[F::User, F::Tool], "", SortBy::Count, Shape::Groups),
        Question::new(
            "top talkers by bytes",
            &[F::User, F::Verb, F::Resource],
            "",
            SortBy::Bytes,
            Shape::Groups,
        ),
        Question::new("slowest requests", &[], "", SortBy::P99, Shape::Slowest),
        Question::new(
            "slowest kinds of request",
            &[F::Verb, F::Resource, F::Subresource],
            "",
            SortBy::P99,
            Shape::Groups,
        ),
        Question::new(
            "deprecated API versions",
            &[F::ApiVersion, F::Resource, F::Deprecated, F::UserAgent],
            "deprecated:*",
            SortBy::Count,
            Shape::Groups,
        ),
        Question::new("status codes", &[F::Code, F::Reason, F::Verb], "", SortBy::Count, Shape::Groups),
        Question::new("refused", &[F::User, F::Verb, F::Resource], "code:403", SortBy::Count, Shape::Groups),
    ]
}

/// A slow request.
#[derive(Clone, Debug)]
pub struct Slow {
    /// Its row.
    pub id: EventId,
    /// From arrival to end.
    pub took: Micros,
}

/// What somebody did to an object.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Who.
    pub user: Box<str>,
    /// `namespace/resource.group/name`
    pub object: Box<str>,
    /// Verbs, or what was done through a subresource, with how often, in the order in which they came first.
    pub verbs: Vec<(Box<str>, u64)>,
    /// When first.
    pub first: Micros,
    /// When last.
    pub last: Micros,
}

/// The statistics screen.
#[derive(Debug)]
pub struct Statistics {
    /// What is asked.
    pub question: Question,
    /// Its place among the ready-made tables.
    pub preset: Option<usize>,
    /// The cursor.
    pub cursor: TableCursor,
    /// By what it is sorted.
    pub sort: SortBy,
    /// Greatest first.
    pub descending: bool,
    side: Option<Side>,
    groups: Vec<Group>,
    changed: Vec<Changed>,
    slow: Vec<Slow>,
    /// Where the time of slow requests went, by record.
    splits: HashMap<EventId, Vec<(String, String)>>,
    made_of: Option<(u64, u64)>,
}

impl Default for Statistics {
    fn default() -> Self {
        let mut statistics = Self {
            question: Question::by(&[FieldName::User]),
            preset: None,
            cursor: TableCursor::default(),
            sort: SortBy::Count,
            descending: true,
            side: None,
            groups: Vec::new(),
            changed: Vec::new(),
            slow: Vec::new(),
            splits: HashMap::new(),
            made_of: None,
        };
        statistics.open_preset(0);
        statistics
    }
}

impl Statistics {
    /// Asks another question.
    pub fn open(&mut self, question: Question) {
        self.sort = question.sort;
        self.descending = true;
        self.question = question;
        self.preset = None;
        self.cursor = TableCursor::default();
        self.side = None;
        self.made_of = None;
        self.groups.clear();
        self.changed.clear();
        self.slow.clear();
    }

    /// Opens a ready-made table.
    pub fn open_preset(&mut self, at: usize) {
        let mut presets = presets();
        let at = at % presets.len();
        self.open(presets.swap_remove(at));
        self.preset = Some(at);
    }

    /// Opens the ready-made table behind the present one.
    pub fn next_preset(&mut self) {
        self.open_preset(self.preset.map_or(0, |at| at + 1));
    }

    /// Begins to count what is asked among the rows that pass `filter`, or goes on.
    pub fn ask(&mut self, store: &Store, filter: &Expression, options: &ViewOptions, context: &Context) {
        let mut expression = filter.clone();
        for condition in self.question.condition.conditions() {
            expression = with_condition(&expression, condition.clone());
        }
        // What is left out as routine would be missing from the totals.
        let options = match self.question.shape {
            Shape::Changes => ViewOptions { fold_routine: false, ..options.clone() },
            Shape::Groups | Shape::Slowest => options.clone(),
        };
        match &mut self.side {
            Some(side) => side.ask(store, &expression, &options, context),
            None => {
                let groupings = match self.question.shape {
                    Shape::Slowest => Vec::new(),
                    Shape::Groups | Shape::Changes => {
                        vec![Grouping::new(self.question.fields.clone(), Vec::new())]
                    }
                };
                self.side = Some(Side::new(store, expression, options, context, groupings));
            }
        }
    }

    /// The result that is beside the timeline's.
    pub fn side(&mut self) -> Option<&mut Side> {
        self.side.as_mut()
    }

    /// Whether there is something left to count.
    pub fn has_work(&self, store: &Store) -> bool {
        self.side.as_ref().is_some_and(|side| side.has_work(store))
    }

    /// Whether all is counted.
    pub fn is_complete(&self, store: &Store) -> bool {
        self.side.is_some() && !self.has_work(store)
    }

    /// Counts on until `more` says no.
    pub fn work(&mut self, store: &Store, context: &Context, more: impl FnMut() -> bool) {
        if let Some(side) = &mut self.side {
            side.work(store, context, more);
        }
    }

    /// Makes the rows anew where something changed, and keeps the cursor on its row.
    pub fn settle(&mut self, store: &Store, height: usize) {
        let Some(side) = &self.side else { return };
        let grouped = side.groupings.first().map_or(0, Grouping::version);
        let made_of = (side.view().version(), grouped);
        if self.made_of != Some(made_of) {
            self.made_of = Some(made_of);
            match (self.question.shape, side.groupings.first()) {
                (Shape::Groups, Some(grouping)) => self.groups = grouping.groups(self.sort, self.descending),
                (Shape::Changes, Some(grouping)) => {
                    self.changed = folded(grouping.groups(SortBy::First, false));
                }
                (Shape::Slowest, _) | (_, None) => self.slow = slowest(store, side),
            }
        }
        let len = self.len();
        let mut cursor = std::mem::take(&mut self.cursor);
        cursor.settle(len, height, |at| self.key(at));
        self.cursor = cursor;
        self.split_visible(store, height);
    }

    /// Reads where the time of the slow requests on screen went.
    fn split_visible(&mut self, store: &Store, height: usize) {
        if self.question.shape != Shape::Slowest {
            return;
        }
        if self.splits.len() > 10 * SLOWEST {
            self.splits.clear();
        }
        for slow in self.slow.iter().skip(self.cursor.top).take(height) {
            self.splits.entry(slow.id).or_insert_with(|| latency_split(store, slow.id));
        }
    }

    /// Sorts anew by a column; by the one it is sorted by already, the other way round.
    pub fn sort_by(&mut self, sort: SortBy) {
        if self.sort == sort {
            self.descending = !self.descending;
        } else {
            self.sort = sort;
            self.descending = !matches!(sort, SortBy::Value(_) | SortBy::First);
        }
        self.made_of = None;
    }

    /// The columns by which it can be sorted, from left to right.
    pub fn sorts(&self) -> Vec<SortBy> {
        let numbers = [
            SortBy::Count,
            SortBy::Failed,
            SortBy::Writes,
            SortBy::Median,
            SortBy::P99,
            SortBy::Bytes,
            SortBy::First,
            SortBy::Last,
        ];
        (0..self.question.fields.len()).map(SortBy::Value).chain(numbers).collect()
    }

    /// Sorts by the column beside.
    pub fn sort_beside(&mut self, right: bool) {
        let sorts = self.sorts();
        let at = sorts.iter().position(|sort| *sort == self.sort).unwrap_or(0);
        let next = if right { (at + 1).min(sorts.len() - 1) } else { at.saturating_sub(1) };
        if next != at && self.question.shape == Shape::Groups {
            self.sort_by(sorts[next]);
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self.question.shape {
            Shape::Groups => self.groups.len(),
            Shape::Slowest => self.slow.len(),
            Shape::Changes => self.changed.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What was changed.
    pub fn changed(&self) -> &[Changed] {
        &self.changed
    }

    /// The slowest requests.
    pub fn slow(&self) -> &[Slow] {
        &self.slow
    }

    /// Where the time of a slow request went: what took part, and how long.
    pub fn split(&self, id: EventId) -> &[(String, String)] {
        self.splits.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Rows of all groups together.
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.stats.count).sum()
    }

    /// A group's rows over time.
    pub fn sparkline(&self, group: &Group, span: (Micros, Micros), cells: usize) -> Vec<u32> {
        let grouping = self.side.as_ref().and_then(|side| side.groupings.first());
        grouping.map_or_else(Vec::new, |grouping| grouping.sparkline(&group.stats, span, cells))
    }

    /// Moves the cursor by rows.
    pub fn move_by(&mut self, rows: isize) {
        let len = self.len();
        let mut cursor = std::mem::take(&mut self.cursor);
        cursor.move_by(rows, len, |at| self.key(at));
        self.cursor = cursor;
    }

    fn key(&self, at: usize) -> String {
        match self.question.shape {
            Shape::Groups => {
                self.groups.get(at).map_or_else(String::new, |group| group.values.join("\u{1f}"))
            }
            Shape::Slowest => self.slow.get(at).map_or_else(String::new, |slow| format!("{:?}", slow.id)),
            Shape::Changes => {
                self.changed.get(at).map_or_else(String::new, |c| format!("{}\u{1f}{}", c.user, c.object))
            }
        }
    }

    /// The conditions that leave only the rows that the row under the cursor stands for.
    pub fn conditions(&self) -> Vec<Node> {
        let mut conditions = self.question.condition.conditions().to_vec();
        let at = self.cursor.row;
        match self.question.shape {
            Shape::Groups => {
                if let Some(group) = self.groups.get(at) {
                    let fields = self.question.fields.iter().zip(&group.values);
                    conditions.extend(fields.map(|(field, value)| condition_for(*field, value)));
                }
            }
            Shape::Changes => {
                if let Some(changed) = self.changed.get(at) {
                    conditions.push(condition_for(FieldName::User, &changed.user));
                    conditions.push(condition_for(FieldName::Object, &changed.object));
                }
            }
            Shape::Slowest => {}
        }
        conditions
    }

    /// Whether a part of the row under the cursor is masked, so that no filter finds what it stands for.
    pub fn is_masked(&self) -> bool {
        let at = self.cursor.row;
        match self.question.shape {
            Shape::Groups => {
                self.groups.get(at).is_some_and(|group| group.values.iter().any(|value| holds_mark(value)))
            }
            Shape::Changes => {
                self.changed.get(at).is_some_and(|c| holds_mark(&c.user) || holds_mark(&c.object))
            }
            Shape::Slowest => false,
        }
    }

    /// The field and value under the cursor: of the column it is sorted by where that is one, else of the first.
    pub fn value(&self) -> Option<(FieldName, String)> {
        let at = self.cursor.row;
        match self.question.shape {
            Shape::Groups => {
                let column = if let SortBy::Value(column) = self.sort { column } else { 0 };
                let value = self.groups.get(at)?.values.get(column)?;
                Some((*self.question.fields.get(column)?, value.to_string()))
            }
            Shape::Changes => Some((FieldName::User, self.changed.get(at)?.user.to_string())),
            Shape::Slowest => None,
        }
    }
}

/// Groups by user, object and verb with the verbs put together, the latest first.
fn folded(groups: Vec<Group>) -> Vec<Changed> {
    let mut rows: BTreeMap<(Box<str>, Box<str>), Changed> = BTreeMap::new();
    for group in groups {
        let Ok([user, object, verb, subresource]) = <[Box<str>; 4]>::try_from(group.values) else { continue };
        let verb = deed(&verb, &subresource).into();
        let stats = group.stats;
        let row = rows.entry((user.clone(), object.clone())).or_insert_with(|| Changed {
            user,
            object,
            verbs: Vec::new(),
            first: stats.first,
            last: stats.last,
        });
        row.verbs.push((verb, stats.count));
        row.first = row.first.min(stats.first);
        row.last = row.last.max(stats.last);
    }
    let mut rows: Vec<Changed> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.last));
    rows
}

/// What was done: the verb, with the subresource where there is one.
pub fn deed<'t>(verb: &'t str, subresource: &'t str) -> Cow<'t, str> {
    match subresource {
        "" => verb.into(),
        // What was done to the pod tells more than the verb it was asked for with.
        acting if is_mutating_subresource(acting) => acting.into(),
        other => format!("{verb} {other}").into(),
    }
}

/// The slowest of the rows that were found; without requests that last by their nature.
fn slowest(store: &Store, side: &Side) -> Vec<Slow> {
    let mut slow: Vec<Slow> = Vec::new();
    let mut least = 0;
    for (number, entry) in store.entries() {
        let segment = entry.segment();
        let Some(shown) = side.view().shown_in(number) else { continue };
        let mut slower: Bitset = segment.elapsed_times().rows_where(|took| took > least);
        slower.and(shown);
        slower.and_not(entry.hidden());
        for row in slower.iter().filter(|row| segment.is_end(*row)) {
            slow.push(Slow { id: EventId::new(number, row), took: segment.elapsed(row) });
            if slow.len() >= 2 * SLOWEST {
                keep_slowest(&mut slow);
                least = slow.last().map_or(0, |slow| slow.took);
            }
        }
    }
    keep_slowest(&mut slow);
    slow
}

fn keep_slowest(slow: &mut Vec<Slow>) {
    slow.sort_by_key(|slow| (std::cmp::Reverse(slow.took), slow.id));
    slow.truncate(SLOWEST);
}

/// The annotations `apiserver.latency.k8s.io/…`, which a kube-apiserver writes for requests of more than half a second
/// (`k8s.io/apiserver/pkg/endpoints/filters/audit.go`), without their total.
fn latency_split(store: &Store, id: EventId) -> Vec<(String, String)> {
    const PREFIX: &str = "apiserver.latency.k8s.io/";
    let text = store.segment(id).and_then(|segment| segment.text(id.row()).ok());
    let event: Value = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let annotations = event.get("annotations").and_then(Value::as_object);
    annotations
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            let part = key.strip_prefix(PREFIX).filter(|part| *part != "total")?;
            Some((part.to_owned(), value.as_str()?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_made_tables_are_sound() {
        assert!(parse(CHANGES).is_ok_and(|changes| changes.conditions().len() >= 6));
        for question in presets() {
            assert!(!question.title.is_empty());
            assert!(question.shape == Shape::Slowest || !question.fields.is_empty());
        }
        assert!(parse("deprecated:*").is_ok() && parse("code:403").is_ok());
        let changes = Question::changes("-10m");
        assert!(changes.condition.to_string().ends_with("since:-10m"), "{}", changes.condition);
        assert_eq!(Question::changes("nonsense").title, "changes");
    }

    #[test]
    fn deeds_are_told_by_what_was_done() {
        assert_eq!((deed("patch", ""), deed("patch", "scale")), ("patch".into(), "patch scale".into()));
        assert_eq!(deed("get", "exec"), "exec", "however it was asked for");
    }

    #[test]
    fn tables_follow_each_other() {
        let mut statistics = Statistics::default();
        for at in 1..=presets().len() {
            statistics.next_preset();
            assert_eq!(statistics.preset, Some(at % presets().len()));
        }
        statistics.open(Question::by(&[FieldName::User, FieldName::Verb]));
        assert_eq!((statistics.preset, statistics.question.title.as_str()), (None, "by user, verb"));
        statistics.sort_beside(true);
        assert_eq!(statistics.sort, SortBy::Failed);
        assert_eq!(statistics.sorts().len(), 10);
    }
}

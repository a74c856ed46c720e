//! One segment: a plan over columns and texts finds what asking each record finds, in one go, in a scan that is
//! interrupted or carried over, and within the answer to a wider question.

use std::collections::BTreeSet;

use kauditui::model::{EventId, Stage};
use kauditui::query::{
    Change, Expression, FieldKind, FieldName, Node, Plan, Rows, Target, Term, narrows, parse, with_value,
};
use kauditui::store::{Bitset, Segment};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value as Json;

use crate::context;
use crate::model::{Row, passes};
use crate::pools::SOURCES;
use crate::question::{Shape, Topic, ask, expression, node, shape, topics};
use crate::record::{Record, batch, records};

/// The number under which the segment of these tests is stored.
const NUMBER: u32 = 3;

/// What a question is asked about.
#[derive(Clone, Debug)]
struct World {
    records: Vec<Record>,
    source: u16,
    marks: BTreeSet<EventId>,
    is_revealed: bool,
}

fn world(most_requests: usize) -> impl Strategy<Value = World> {
    let marks = prop::collection::btree_set(0..60u32, 0..20)
        .prop_map(|rows| rows.into_iter().map(|row| EventId::new(NUMBER, row)).collect());
    (records(most_requests), 0..SOURCES.len() as u16, marks, any::<bool>())
        .prop_map(|(records, source, marks, is_revealed)| World { records, source, marks, is_revealed })
}

impl World {
    fn segment(&self) -> Segment {
        batch(&self.records, self.source, 0).segment
    }

    fn plan(&self, expression: &Expression) -> Plan {
        Plan::compile(expression, &context(&self.marks, self.is_revealed))
    }

    fn row(&self, row: usize) -> Row<'_> {
        Row {
            record: &self.records[row],
            source: SOURCES[usize::from(self.source)],
            is_marked: self.marks.contains(&EventId::new(NUMBER, row as u32)),
            ended_after: None,
            is_revealed: self.is_revealed,
        }
    }

    /// The rows that the model finds.
    fn naive(&self, expression: &Expression) -> Vec<u32> {
        let root = expression.root.as_ref();
        let found = |row: &usize| root.is_none_or(|root| passes(root, self.row(*row)));
        (0..self.records.len()).filter(found).map(|row| row as u32).collect()
    }
}

fn rows(segment: &Segment) -> Rows<'_> {
    Rows { segment, entry: None, number: Some(NUMBER) }
}

fn found(plan: &Plan, segment: &Segment) -> Vec<u32> {
    plan.rows(rows(segment)).iter().collect()
}

fn world_and_question(most_requests: usize) -> impl Strategy<Value = (World, Expression)> {
    (world(most_requests), shape()).prop_map(|(world, shape)| {
        let expression = expression(&shape, &world.records);
        (world, expression)
    })
}

proptest! {
    #[test]
    fn a_plan_finds_what_asking_each_record_finds(
        (world, expression) in world_and_question(40),
        at in any::<Index>(),
    ) {
        let text = expression.to_string();
        prop_assert_eq!(parse(&text), Ok(expression.clone()), "{}", text);
        let (segment, plan) = (world.segment(), world.plan(&expression));
        let naive = world.naive(&expression);
        prop_assert_eq!(found(&plan, &segment), naive.clone(), "{}", text);
        // What `query --follow` asks of a line.
        let row = at.index(world.records.len()) as u32;
        prop_assert_eq!(plan.passes(rows(&segment), row), naive.contains(&row), "{}", text);
    }

    #[test]
    fn an_interrupted_scan_that_is_carried_over_finds_what_a_whole_one_finds(
        (world, expression) in world_and_question(60),
        held in any::<Index>(),
        goes_on in prop::collection::vec(any::<bool>(), 1..12),
        anew in prop::collection::vec(any::<Index>(), 0..5),
    ) {
        let segment = world.segment();
        let plan = world.plan(&expression);
        let naive = world.naive(&expression);
        let mut answers = goes_on.iter().copied().cycle();
        let mut more = || answers.next().unwrap_or(true);

        // Before the last records came, and other things were known of some; looked at for some time only.
        let held = held.index(world.records.len()) + 1;
        let mut before = World { records: world.records[..held].to_vec(), ..world.clone() };
        let mut changed = Bitset::none(segment.rows());
        for at in &anew {
            let at = at.index(world.records.len());
            changed.set(at as u32, true);
            if at < held {
                before.records[at] = world.records[0].clone();
            }
        }
        let shorter = before.segment();
        let mut earlier = plan.scan(rows(&shorter), None);
        let is_complete = earlier.advance(&shorter, &mut more);
        prop_assert_eq!(is_complete, earlier.open_rows() == 0);
        let naive_before = before.naive(&expression);
        prop_assert!(earlier.matched().iter().all(|row| naive_before.contains(&row)), "{}", expression);

        let mut scan = plan.scan(rows(&segment), None);
        scan.carry_over(&earlier, &changed);
        let mut times = 0;
        while !scan.advance(&segment, &mut more) && times < world.records.len() {
            prop_assert!(scan.matched().iter().all(|row| naive.contains(&row)), "{}", expression);
            times += 1;
        }
        prop_assert!(scan.is_complete(), "an advance reads something");
        prop_assert_eq!(scan.into_matched().iter().collect::<Vec<_>>(), naive, "{}", expression);
    }

    #[test]
    fn a_narrower_question_finds_within_the_wider_ones_answer_what_it_finds_anywhere(
        world in world(40),
        wider in shape(),
        extra in shape(),
        change in 0..6u8,
        at in any::<Index>(),
    ) {
        let (wider, narrower) = pair(&wider, &extra, change, at, &world.records);
        prop_assert_eq!(parse(&narrower.to_string()), Ok(narrower.clone()), "{}", narrower);
        let (within, naive) = (world.naive(&wider), world.naive(&narrower));
        if narrows(&narrower, &wider) {
            prop_assert!(naive.iter().all(|row| within.contains(row)), "{} / {}", narrower, wider);
            let segment = world.segment();
            let bounds = world.plan(&wider).rows(rows(&segment));
            let mut scan = world.plan(&narrower).scan(rows(&segment), Some(&bounds));
            prop_assert!(scan.advance(&segment, || true));
            prop_assert_eq!(scan.into_matched().iter().collect::<Vec<_>>(), naive, "{} / {}", narrower, wider);
        }
    }

    #[test]
    fn a_key_on_a_value_finds_or_leaves_out_its_record(
        (world, expression) in world_and_question(12),
        at in any::<Index>(),
        field in select(&[FieldName::User, FieldName::Verb, FieldName::Resource, FieldName::Namespace, FieldName::Name][..]),
    ) {
        let at = at.index(world.records.len());
        let record = &world.records[at];
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
        let segment = world.segment();
        let excluded = edited(Change::Exclude);
        let shown = found(&world.plan(&excluded), &segment);
        prop_assert!(!shown.contains(&(at as u32)), "{} shows {:?}", excluded, record);
        let only = with_value(&Expression::default(), field, text, Change::Only);
        prop_assert!(found(&world.plan(&only), &segment).contains(&(at as u32)), "{} hides {:?}", only, record);
    }

    /// What the other properties rest on: that masked values are where the model has them.
    #[test]
    fn the_model_masks_what_the_program_masks(records in records(8)) {
        for record in &records {
            let masked = kauditui::redact::masked_json(record.line.as_bytes());
            prop_assert_eq!(serde_json::from_str::<Json>(&masked).ok(), Some(record.masked.clone()));
            prop_assert_eq!(serde_json::from_str::<Json>(&record.line).ok(), Some(record.event.clone()));
        }
    }
}

/// A question, and one that takes away from it in one of the ways in which people type on. With change 5 the two need
/// not have to do with each other.
pub fn pair(
    shape: &Shape,
    extra: &Shape,
    change: u8,
    at: Index,
    records: &[Record],
) -> (Expression, Expression) {
    let (question, more) = (node(shape, records), node(extra, records));
    let (wider, narrower) =
        if change == 5 { (question, more) } else { wider_and_narrower(question, more, change, at) };
    (Expression { root: Some(wider) }, Expression { root: Some(narrower) })
}

/// The change is made somewhere inside of `node`.
fn wider_and_narrower(node: Node, more: Node, change: u8, at: Index) -> (Node, Node) {
    let inside = |mut parts: Vec<Node>, join: fn(Vec<Node>) -> Node| {
        let at_part = at.index(parts.len());
        let (wider, narrower) = wider_and_narrower(parts[at_part].clone(), more.clone(), change, at);
        parts[at_part] = wider;
        let whole = join(parts.clone());
        parts[at_part] = narrower;
        (whole, join(parts))
    };
    match node {
        Node::And(parts) => inside(parts, Node::And),
        Node::Or(parts) => inside(parts, Node::Or),
        Node::Not(inner) => {
            let (wider, narrower) = wider_and_narrower(*inner, more, change, at);
            (Node::Not(Box::new(narrower)), Node::Not(Box::new(wider)))
        }
        Node::Term(term) => match change {
            0 => (Node::Or(vec![Node::Term(term.clone()), more]), Node::Term(term)),
            1 if term.values.len() > 1 => {
                let mut fewer = term.clone();
                fewer.values.remove(at.index(term.values.len()));
                (Node::Term(term), Node::Term(fewer))
            }
            // The last letter was not typed yet.
            2 | 3 if is_text(&term) && term.values[0].text.chars().count() > 1 => {
                let mut shorter = term.clone();
                shorter.values[0].text.pop();
                let shorter = Node::Term(shorter);
                match parse(&shorter.to_string()) {
                    Ok(read) if read.root.as_ref() == Some(&shorter) => (shorter, Node::Term(term)),
                    _ => (Node::Term(term.clone()), Node::Term(term)),
                }
            }
            _ => (Node::Term(term.clone()), Node::And(vec![more, Node::Term(term)])),
        },
    }
}

/// Whether values are compared as texts, so that what remains of one is a value too.
fn is_text(term: &Term) -> bool {
    let is_text = match &term.target {
        Some(Target::Field(field)) => matches!(field.info().kind, FieldKind::Whole | FieldKind::Part),
        Some(Target::Exactly(_) | Target::Annotation(_) | Target::Body(_)) | None => true,
    };
    is_text && !term.regex
}

/// How often the questions of `shapes` find something but not everything.
fn share_that_tells_apart(shapes: &impl Strategy<Value = Shape>, asked: usize) -> f64 {
    let strategy = (world(25), shapes);
    let mut runner = TestRunner::deterministic();
    let mut telling = 0;
    for _ in 0..asked {
        let (world, shape) = strategy.new_tree(&mut runner).expect("a value").current();
        let found = world.naive(&expression(&shape, &world.records)).len();
        telling += usize::from(found > 0 && found < world.records.len());
    }
    telling as f64 / asked as f64
}

/// Questions that never match anything, or always everything, would prove nothing.
#[test]
fn most_random_questions_find_something_but_not_everything() {
    let share = share_that_tells_apart(&shape(), 600);
    println!("{:.0} % of the random questions find something but not everything", share * 100.0);
    assert!(share > 1.0 / 3.0, "{share}");
}

/// Nor would it if some fields were never found in any record.
#[test]
fn every_field_is_asked_for_what_is_there() {
    let mut seen = Vec::new();
    for topic in topics() {
        if seen.contains(&topic) {
            continue;
        }
        seen.push(topic);
        let share = share_that_tells_apart(&ask(vec![topic]).prop_map(Shape::Ask), 25);
        println!("{:3.0} % {topic:?}", share * 100.0);
        // All lines of a segment are of one log, and all of these of API servers.
        let field = match topic {
            Topic::Field(field) | Topic::Exactly(field) => Some(field),
            _ => None,
        };
        let least = if matches!(field, Some(FieldName::Source | FieldName::Log)) { 0.0 } else { 0.2 };
        assert!(share >= least, "{topic:?}: {share}");
    }
}

/// Typing on is recognised as such.
#[test]
fn most_narrower_questions_are_known_to_be_narrower() {
    let strategy = (records(10), shape(), shape(), 0..5u8, any::<Index>());
    let mut runner = TestRunner::deterministic();
    let known = (0..300)
        .filter(|_| {
            let (records, wider, extra, change, at) =
                strategy.new_tree(&mut runner).expect("a value").current();
            let (wider, narrower) = pair(&wider, &extra, change, at, &records);
            narrows(&narrower, &wider)
        })
        .count();
    println!("{known} of 300 narrower questions are known to be narrower");
    assert!(known > 150, "{known}");
}

/// Every stage occurs, and lines with escapes, and what must not be seen.
#[test]
fn random_records_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(records(20), 20);
    let records = strategy.new_tree(&mut runner).expect("a value").current().concat();
    for stage in Stage::ALL {
        assert!(records.iter().any(|record| record.stage == stage), "{stage:?}");
    }
    assert!(records.iter().any(|record| record.masked != record.event));
    assert!(records.iter().any(|record| record.line.contains("\\u00")));
    assert!(records.iter().any(|record| record.line.contains("\\ud83d\\ude00")));
}

//! One row of a segment against tests: its columns, and its text where they do not tell.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use memchr::memmem;
use rsigma_parser::ArrayQuantifier;

use super::compile::{Block, Test};
use super::document::Document;
use super::field::{Fact, Source};
use super::item::{self, Part};
use super::matcher::{Leaf, Place, lowered};
use super::needles::may_escape_keys;
use super::node::Node;
use super::path::Path;
use crate::format;
use crate::model::{Decision, Level, LogKind, Stage};
use crate::redact::holds_mark;
use crate::store::{Field, Segment, Texts};

/// The rows of a segment. Those that lie together cost one unpacking of their texts.
pub(super) struct Rows<'s> {
    segment: &'s Segment,
    texts: RefCell<Texts<'s>>,
}

impl<'s> Rows<'s> {
    pub(super) fn new(segment: &'s Segment) -> Rows<'s> {
        Rows::with_texts(segment, segment.texts())
    }

    /// The same, with texts that may be unpacked already.
    pub(super) fn with_texts(segment: &'s Segment, texts: Texts<'s>) -> Rows<'s> {
        Rows { segment, texts: RefCell::new(texts) }
    }

    pub(super) fn row(&self, row: u32) -> Row<'_, 's> {
        Row { rows: self, row, text: OnceCell::new(), document: OnceCell::new() }
    }
}

/// A row, its text parsed when it is first needed and then shared by all rules.
pub(super) struct Row<'r, 's> {
    rows: &'r Rows<'s>,
    row: u32,
    text: OnceCell<Rc<str>>,
    document: OnceCell<Document>,
}

impl Row<'_, '_> {
    /// Its place in the segment.
    pub(super) fn number(&self) -> u32 {
        self.row
    }

    fn text(&self) -> &Rc<str> {
        self.text.get_or_init(|| {
            // A text that was not kept, or cannot be unpacked, tells nothing; the columns still do.
            let mut texts = self.rows.texts.borrow_mut();
            String::from_utf8_lossy(texts.read(self.row).unwrap_or_default()).into()
        })
    }

    fn document(&self) -> &Document {
        self.document.get_or_init(|| match self.log() {
            LogKind::Kube => Document::read(Rc::clone(self.text())),
            log => Document::of(format::record(log, self.text().as_bytes()).unwrap_or_default()),
        })
    }

    /// Whose log it is a record of.
    fn log(&self) -> LogKind {
        self.rows.segment.facts(self.row).log()
    }

    /// Whether the text cannot hold anything at `path`, told without parsing it: the last step of the path ends a key,
    /// and no key ends so. Where characters are escaped, or may be, that proves nothing: a patch stands in the log as
    /// its sender wrote it. Nor does it in other programs' logs, whose lines are no JSON or tell more than their keys say.
    fn lacks(&self, path: &Path) -> bool {
        if self.log() != LogKind::Kube {
            return false;
        }
        let Some(last) = path.last_step().filter(|_| self.document.get().is_none()) else { return false };
        if !last
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'&' | b'<' | b'>'))
        {
            return false;
        }
        let ending = format!("{last}\"");
        let text = self.text().as_bytes();
        memmem::find(text, ending.as_bytes()).is_none() && !may_escape_keys(text)
    }

    /// Whether a test holds for the row.
    pub(super) fn meets(&self, test: &Test) -> bool {
        match test {
            Test::Item(item) => {
                item.holds(&self.leaves(&item.source), &|test, leaves| self.compare(test, leaves))
            }
            Test::Block(block) => self.meets_block(block, &self.values(&block.source)),
            Test::Keywords(keywords) => self.document().all().any(|value| {
                let mut leaves = Vec::new();
                collect_texts(value, &mut leaves);
                keywords.iter().any(|(_, keyword)| leaves.iter().any(|leaf| keyword.matches(leaf)))
            }),
        }
    }

    fn meets_block(&self, block: &Block, values: &[&Node]) -> bool {
        let members = members(values);
        let mut met =
            members.iter().map(|member| block.body.holds(&[], &mut |test| self.member_meets(test, member)));
        match block.quantifier {
            ArrayQuantifier::Any => met.any(|met| met),
            ArrayQuantifier::None => !met.any(|met| met),
            ArrayQuantifier::All => !members.is_empty() && met.all(|met| met),
            ArrayQuantifier::AllOrEmpty => met.all(|met| met),
        }
    }

    /// Whether a test of a block's body holds for a member of the array.
    pub(super) fn member_meets(&self, test: &Test, member: &Node) -> bool {
        match test {
            Test::Item(item) => {
                let mut leaves = Vec::new();
                in_member(&item.source, member)
                    .into_iter()
                    .for_each(|value| Leaf::collect(value, &mut leaves));
                item.holds(&leaves, &|test, leaves| self.compare(test, leaves))
            }
            Test::Block(block) => self.meets_block(block, &in_member(&block.source, member)),
            Test::Keywords(keywords) => {
                let mut leaves = Vec::new();
                collect_texts(member, &mut leaves);
                keywords.iter().any(|(_, keyword)| leaves.iter().any(|leaf| keyword.matches(leaf)))
            }
        }
    }

    /// The members that a block looks at, and whether each meets it.
    pub(super) fn members_of_block(&self, block: &Block) -> Vec<(&Node, bool)> {
        members(&self.values(&block.source))
            .into_iter()
            .map(|member| (member, block.body.holds(&[], &mut |test| self.member_meets(test, member))))
            .collect()
    }

    /// A test of any of a field's values that needs more than these.
    pub(super) fn compare(&self, test: &item::Test, leaves: &[Leaf<'_>]) -> bool {
        /// Parts are looked for in texts one by one: bodies may have ten thousands of values on either side.
        const MOST_COMPARED: usize = 1_000;
        let texts = leaves.iter().filter_map(Leaf::written);
        match test {
            item::Test::Value(matcher) => leaves.iter().any(|leaf| matcher.matches(leaf)),
            item::Test::Reference { source, place, cased } => {
                let cased = |text: Cow<'_, str>| match *cased {
                    true => text.into_owned(),
                    false => lowered(&text).into_owned(),
                };
                let others = self.leaves(source);
                let mut others = others.iter().filter_map(Leaf::written).map(cased);
                match place {
                    Place::Whole => {
                        let others: HashSet<String> = others.collect();
                        texts.map(cased).any(|text| others.contains(&text))
                    }
                    place => {
                        let texts: Vec<String> = texts.map(cased).take(MOST_COMPARED).collect();
                        others
                            .by_ref()
                            .take(MOST_COMPARED)
                            .any(|other| texts.iter().any(|text| place.matches(text, &other, true)))
                    }
                }
            }
            item::Test::Template { parts, place, cased } => {
                let wanted: String = parts.iter().map(|part| self.expanded(part)).collect();
                texts.into_iter().any(|text| place.matches(&text, &wanted, *cased))
            }
        }
    }

    fn expanded(&self, part: &Part) -> String {
        match part {
            Part::Text(text) => text.clone(),
            Part::Field(source) => {
                self.leaves(source).iter().find_map(Leaf::written).map(String::from).unwrap_or_default()
            }
        }
    }

    /// The values of a field.
    pub(super) fn leaves(&self, source: &Source) -> Vec<Leaf<'_>> {
        let segment = self.rows.segment;
        match source {
            Source::Column(field, view, path) => {
                let text = segment.string(*field, self.row);
                match holds_mark(text).then(|| self.unmasked(*field, path)).flatten() {
                    Some(text) => view.leaves(text),
                    None => view.leaves(text),
                }
            }
            Source::Fact(fact, path) => match known_fact(*fact, segment, self.row) {
                Some(leaf) => vec![leaf],
                None => leaves_of(&self.document().find(path)),
            },
            Source::SecretKeys | Source::Removed if self.has_no(source) => Vec::new(),
            Source::Removed => self.document().removed().iter().map(|path| Leaf::text(path)).collect(),
            Source::SecretKeys => self.document().secret_keys().into_iter().map(Leaf::text).collect(),
            other => leaves_of(&self.values(other)),
        }
    }

    /// What stands in the text where a column is masked. A log of another format has it elsewhere: then the column is
    /// the best there is.
    fn unmasked(&self, field: Field, path: &Path) -> Option<&str> {
        let mut found = Vec::new();
        self.document().find(path).into_iter().for_each(|value| flatten(value, &mut found));
        match field {
            Field::SourceIp => found.last()?.as_str(),
            _ => found.first()?.as_str(),
        }
    }

    /// Whether the row cannot hold a field: records of level Metadata have no bodies, only Secrets have the keys of
    /// one, and only patches take away.
    fn has_no(&self, source: &Source) -> bool {
        let segment = self.rows.segment;
        (source.is_in_bodies() && segment.facts(self.row).level() == Level::Metadata)
            || (*source == Source::SecretKeys && segment.string(Field::Resource, self.row) != "secrets")
            || (*source == Source::Removed && segment.string(Field::Verb, self.row) != "patch")
    }

    /// The values at a place of the text.
    fn values(&self, source: &Source) -> Vec<&Node> {
        if self.has_no(source) {
            return Vec::new();
        }
        match source {
            Source::Text(path) if self.lacks(path) => Vec::new(),
            Source::Text(path) => self.document().find(path),
            Source::Containers(path) => {
                self.document().containers().into_iter().flat_map(|c| path.find(c)).collect()
            }
            Source::Patched(path) => {
                self.document().patched().iter().flat_map(|value| path.find(value)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A fact as a value, no value where it is absent; `None` where the row does not know it.
pub(super) fn known_fact(fact: Fact, segment: &Segment, row: u32) -> Option<Leaf<'static>> {
    let facts = segment.facts(row);
    match fact {
        Fact::Code => match segment.code(row) {
            0 => None,
            code => Some(Leaf::Number(code.into())),
        },
        Fact::Stage => (facts.stage() != Stage::Unknown).then(|| Leaf::text(facts.stage().name())),
        Fact::Level => (facts.level() != Level::Unknown).then(|| Leaf::text(facts.level().name())),
        Fact::Decision => (facts.decision() != Decision::Absent).then(|| Leaf::text(facts.decision().name())),
    }
}

fn in_member<'m>(source: &Source, member: &'m Node) -> Vec<&'m Node> {
    match source {
        Source::Member(path) => path.find(member),
        _ => Vec::new(),
    }
}

/// The members of arrays; a value that is no array is the one member of its own.
fn members<'v>(values: &[&'v Node]) -> Vec<&'v Node> {
    let mut found = Vec::new();
    for value in values {
        match value {
            Node::Array(members) => found.extend(members),
            Node::Null => {}
            single => found.push(*single),
        }
    }
    found
}

fn flatten<'v>(value: &'v Node, into: &mut Vec<&'v Node>) {
    match value {
        Node::Array(members) => members.iter().for_each(|member| flatten(member, into)),
        single => into.push(single),
    }
}

fn leaves_of<'v>(values: &[&'v Node]) -> Vec<Leaf<'v>> {
    let mut leaves = Vec::new();
    values.iter().for_each(|value| Leaf::collect(value, &mut leaves));
    leaves
}

/// All values below `value`, whatever they are called.
fn collect_texts<'v>(value: &'v Node, into: &mut Vec<Leaf<'v>>) {
    match value {
        Node::Object(members) => members.iter().for_each(|(_, member)| collect_texts(member, into)),
        Node::Array(members) => members.iter().for_each(|member| collect_texts(member, into)),
        single => Leaf::collect(single, into),
    }
}

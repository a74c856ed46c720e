//! Rules against all rows of a segment at once, as far as its columns tell.
//!
//! A test of a column is tried once for each distinct string, not for each row. What only a row's text can tell stays
//! unsure; [`super::engine`] reads the texts of just those rows.

use std::borrow::Cow;

use rsigma_parser::ArrayQuantifier;

use super::compile::{Compiled, Expr, Test};
use super::field::{Fact, Source, View};
use super::item::Item;
use super::matcher::Leaf;
use super::needles::Needles;
use super::path::Path;
use super::row::known_fact;
use crate::model::Level;
use crate::redact::holds_mark;
use crate::store::{Bitset, Field, Segment, Texts};

/// Dictionaries up to this many strings are tested as a whole: then all rows cost one pass over the column, which all
/// rules share.
const SMALL_DICTIONARY: usize = 256;

/// What is known of a test's outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Fails,
    Holds,
    /// The string is masked: the row's text has to tell.
    Unsure,
}

/// Which rows of a set pass a test, and of which the columns do not tell. A row is in one of them at most.
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    pub(super) sure: Bitset,
    /// `None` where the columns told of every row, as they mostly do: hundreds of rules over a segment would else spend
    /// more time on empty sets than on others.
    unsure: Option<Bitset>,
}

impl Verdicts {
    fn sure(sure: Bitset) -> Verdicts {
        Verdicts { sure, unsure: None }
    }

    fn new(sure: Bitset, unsure: Bitset) -> Verdicts {
        Verdicts { sure, unsure: Some(unsure).filter(|unsure| !unsure.is_clear()) }
    }

    /// The rows of which the columns do not tell.
    pub(super) fn unsure(&self) -> impl Iterator<Item = u32> + '_ {
        self.unsure.iter().flat_map(Bitset::iter)
    }

    fn within(&self, rows: &Bitset) -> Verdicts {
        let both = |a: &Bitset| {
            let mut both = rows.clone();
            both.and(a);
            both
        };
        let sure = both(&self.sure);
        match &self.unsure {
            None => Verdicts::sure(sure),
            Some(unsure) => Verdicts::new(sure, both(unsure)),
        }
    }

    /// All rows that may pass.
    fn possible(&self) -> Cow<'_, Bitset> {
        let Some(unsure) = &self.unsure else { return Cow::Borrowed(&self.sure) };
        let mut rows = self.sure.clone();
        rows.or(unsure);
        Cow::Owned(rows)
    }

    /// Where these and `further` hold, which were only looked for where these may.
    fn and(self, further: Verdicts) -> Verdicts {
        if self.unsure.is_none() {
            return further;
        }
        let mut unsure = further.possible().into_owned();
        let mut sure = further.sure;
        sure.and(&self.sure);
        unsure.and_not(&sure);
        Verdicts::new(sure, unsure)
    }

    /// Where these or `others` hold.
    fn or(mut self, others: Verdicts) -> Verdicts {
        self.sure.or(&others.sure);
        let mut unsure = match (self.unsure, others.unsure) {
            (Some(mut one), Some(other)) => {
                one.or(&other);
                one
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Verdicts::sure(self.sure),
        };
        unsure.and_not(&self.sure);
        Verdicts::new(self.sure, unsure)
    }
}

/// Outcomes as they are found, one by one.
struct Found {
    holds: Bitset,
    unsure: Option<Bitset>,
}

impl Found {
    fn none(len: u32) -> Found {
        Found { holds: Bitset::none(len), unsure: None }
    }

    fn note(&mut self, at: u32, outcome: Outcome) {
        match outcome {
            Outcome::Holds => self.holds.set(at, true),
            Outcome::Unsure => {
                let len = self.holds.len();
                self.unsure.get_or_insert_with(|| Bitset::none(len)).set(at, true);
            }
            Outcome::Fails => {}
        }
    }

    fn verdicts(self) -> Verdicts {
        Verdicts { sure: self.holds, unsure: self.unsure }
    }
}

/// What was found out about one test.
#[derive(Debug, Default)]
struct Known {
    /// For each symbol of the column, once it was tried.
    by_symbol: Vec<Option<Outcome>>,
    /// For all rows.
    all: Option<Verdicts>,
}

/// One run of rules over a segment.
pub(super) struct Pass<'p> {
    segment: &'p Segment,
    tests: &'p [Test],
    known: Vec<Known>,
    needles: Needles<'p>,
    /// The rows that may have bodies.
    bodies: Option<Bitset>,
    /// The rows of an API server's audit log, the only ones whose text is JSON under the names that rules know.
    kube: Bitset,
    stage: Stage,
}

/// How far a pass goes to find out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whatever stands in texts is unsure.
    Columns,
    /// Texts are searched for what they must hold.
    Texts,
}

impl<'p> Pass<'p> {
    pub(super) fn new(segment: &'p Segment, tests: &'p [Test]) -> Pass<'p> {
        let known = tests.iter().map(|_| Known::default()).collect();
        let (needles, kube) = (Needles::new(segment), segment.kube_rows());
        Pass { segment, tests, known, needles, bodies: None, kube, stage: Stage::Columns }
    }

    /// What a test comes to for a row, where the columns told.
    pub(super) fn outcome(&self, test: usize, row: u32) -> Option<bool> {
        let known = &self.known[test];
        if let Some(all) = &known.all {
            let is_unsure = all.unsure.as_ref().is_some_and(|unsure| unsure.get(row));
            return (!is_unsure).then(|| all.sure.get(row));
        }
        let Test::Item(Item { source: Source::Column(field, ..), .. }) = &self.tests[test] else {
            return None;
        };
        match known.by_symbol.get(usize::from(self.segment.symbol(*field, row))).copied().flatten()? {
            Outcome::Holds => Some(true),
            Outcome::Fails => Some(false),
            Outcome::Unsure => None,
        }
    }

    /// The texts of the segment, those that were searched at hand. The pass has to unpack them anew.
    pub(super) fn take_texts(&mut self) -> Texts<'p> {
        self.needles.take_texts()
    }

    /// Which of the rows in `within` a rule matches. Texts are only looked at where columns do not tell.
    pub(super) fn matches(&mut self, rule: &Compiled<usize>, within: &Bitset) -> Verdicts {
        self.stage = Stage::Columns;
        let by_columns = self.verdicts(&rule.condition, &rule.selections, within);
        let Some(unsure) = &by_columns.unsure else { return by_columns };
        self.stage = Stage::Texts;
        let by_texts = self.verdicts(&rule.condition, &rule.selections, unsure);
        Verdicts::sure(by_columns.sure).or(by_texts)
    }

    /// Which of the rows in `within` an expression holds for.
    fn verdicts(
        &mut self,
        expr: &Expr<usize>,
        selections: &[(String, Expr<usize>)],
        within: &Bitset,
    ) -> Verdicts {
        match expr {
            Expr::All(parts) => {
                let mut all: Option<Verdicts> = None;
                for part in parts {
                    let live = all.as_ref().map_or(Cow::Borrowed(within), Verdicts::possible);
                    if live.is_clear() {
                        break;
                    }
                    let found = self.verdicts(part, selections, &live);
                    all = Some(match all {
                        None => found,
                        Some(all) => all.and(found),
                    });
                }
                all.unwrap_or_else(|| Verdicts::sure(within.clone()))
            }
            Expr::Any(parts) => {
                let mut any: Option<Verdicts> = None;
                let mut left = Cow::Borrowed(within);
                for part in parts {
                    if left.is_clear() {
                        break;
                    }
                    let found = self.verdicts(part, selections, &left);
                    if !found.sure.is_clear() {
                        left.to_mut().and_not(&found.sure);
                    }
                    any = Some(match any {
                        None => found,
                        Some(any) => any.or(found),
                    });
                }
                any.unwrap_or_else(|| Verdicts::sure(Bitset::none(within.len())))
            }
            Expr::Some(least, parts) => {
                let found: Vec<Verdicts> =
                    parts.iter().map(|part| self.verdicts(part, selections, within)).collect();
                let (mut some, mut maybe) = (Bitset::none(within.len()), Bitset::none(within.len()));
                for row in within.iter() {
                    let sure = found.iter().filter(|verdicts| verdicts.sure.get(row)).count();
                    let unsure = found.iter().filter_map(|verdicts| verdicts.unsure.as_ref());
                    let unsure = unsure.filter(|unsure| unsure.get(row)).count();
                    some.set(row, sure >= *least);
                    maybe.set(row, sure < *least && sure + unsure >= *least);
                }
                Verdicts::new(some, maybe)
            }
            Expr::Not(part) => {
                let found = self.verdicts(part, selections, within);
                let mut sure = within.clone();
                sure.and_not(&found.sure);
                if let Some(unsure) = &found.unsure {
                    sure.and_not(unsure);
                }
                Verdicts { sure, unsure: found.unsure }
            }
            Expr::Selection(at) => match selections.get(*at) {
                Some((_, expr)) => self.verdicts(expr, &[], within),
                None => Verdicts::sure(Bitset::none(within.len())),
            },
            Expr::Test(test) => self.test(*test, within),
        }
    }

    fn test(&mut self, at: usize, within: &Bitset) -> Verdicts {
        let rows = self.segment.rows();
        if let Some(all) = &self.known[at].all {
            return all.within(within);
        }
        let all = match &self.tests[at] {
            Test::Item(item) if item.is_alone() => match &item.source {
                Source::Column(field, view, _) => {
                    let strings = self.segment.column(*field).dictionary.len();
                    // A few rows of many are looked at one by one.
                    if strings > SMALL_DICTIONARY || within.count() < rows / 16 {
                        return self.by_symbol(at, item, *field, *view, within);
                    }
                    self.whole_column(item, *field, *view)
                }
                Source::Fact(fact, _) => self.whole_fact(item, *fact),
                source => {
                    let absent = item.holds(&[], &|_, _| false);
                    return self.in_texts(source, absent, within);
                }
            },
            Test::Block(block) => {
                // What holds of the members of an array that is not there.
                let absent = matches!(block.quantifier, ArrayQuantifier::None | ArrayQuantifier::AllOrEmpty);
                let mut verdicts = self.in_texts(&block.source, absent, within);
                if self.stage == Stage::Texts
                    && !absent
                    && let Some(unsure) = &verdicts.unsure
                {
                    let needles = needles_of_members(&block.body, &block.source);
                    verdicts = Verdicts::new(verdicts.sure, self.rows_with(&needles, unsure));
                }
                return verdicts;
            }
            _ => Verdicts::new(Bitset::none(rows), Bitset::all(rows)),
        };
        let verdicts = all.within(within);
        self.known[at].all = Some(all);
        verdicts
    }

    fn by_symbol(&mut self, at: usize, item: &Item, field: Field, view: View, within: &Bitset) -> Verdicts {
        let column = self.segment.column(field);
        let tried = &mut self.known[at].by_symbol;
        tried.resize(column.dictionary.len(), None);
        let mut found = Found::none(within.len());
        for row in within.iter() {
            let symbol = column.symbols.get(row);
            let Some(slot) = tried.get_mut(usize::from(symbol)) else { continue };
            found.note(row, *slot.get_or_insert_with(|| outcome(item, view, column.dictionary.get(symbol))));
        }
        found.verdicts()
    }

    fn whole_column(&self, item: &Item, field: Field, view: View) -> Verdicts {
        let column = self.segment.column(field);
        let strings = column.dictionary.len();
        let mut found = Found::none(strings as u32);
        for (symbol, text) in column.dictionary.iter() {
            found.note(u32::from(symbol), outcome(item, view, text));
        }
        let symbols = found.verdicts();
        let rows = |symbols: &Bitset| match symbols.is_clear() {
            true => Bitset::none(self.segment.rows()),
            false => column.symbols.rows_in(symbols),
        };
        Verdicts { sure: rows(&symbols.sure), unsure: symbols.unsure.as_ref().map(rows) }
    }

    fn whole_fact(&self, item: &Item, fact: Fact) -> Verdicts {
        let rows = self.segment.rows();
        let mut tried: hashbrown::HashMap<(u16, u8), Outcome> = hashbrown::HashMap::new();
        let mut found = Found::none(rows);
        for row in 0..rows {
            let facts = self.segment.facts(row);
            let key = match fact {
                Fact::Code => (self.segment.code(row), 0),
                Fact::Stage => (0, facts.stage() as u8),
                Fact::Level => (0, facts.level() as u8),
                Fact::Decision => (0, facts.decision() as u8),
            };
            let outcome = *tried.entry(key).or_insert_with(|| match known_fact(fact, self.segment, row) {
                Some(leaf) => match item.holds(&[leaf], &|_, _| false) {
                    true => Outcome::Holds,
                    false => Outcome::Fails,
                },
                None => Outcome::Unsure,
            });
            found.note(row, outcome);
        }
        found.verdicts()
    }

    /// A test of what only texts hold. `absent` is what it comes to for rows that cannot have the field: records of level
    /// Metadata have no bodies, and a text without a part of the field's path does not lead there.
    fn in_texts(&mut self, source: &Source, absent: bool, within: &Bitset) -> Verdicts {
        let mut unsure = within.clone();
        if source.is_in_bodies() {
            unsure.and(self.rows_with_bodies());
        }
        match source {
            Source::Text(path) if path.is_annotation() => {
                let mut possible = self.rows_with_annotation(path);
                possible.or(&self.rows_of_other_logs());
                unsure.and(&possible);
            }
            _ if self.stage == Stage::Columns => {}
            source => unsure = self.rows_with(&source.needles(), &unsure),
        }
        let mut sure = Bitset::none(within.len());
        if absent {
            sure = within.clone();
            sure.and_not(&unsure);
        }
        Verdicts::new(sure, unsure)
    }

    /// The rows among `within` whose texts hold all of `needles`, and those of other logs: what their lines hold is only
    /// known once they are read.
    fn rows_with(&mut self, needles: &[String], within: &Bitset) -> Bitset {
        let mut of_kube = within.clone();
        of_kube.and(&self.kube);
        let mut found = self.needles.rows_with(needles, &of_kube);
        let mut of_others = within.clone();
        of_others.and_not(&self.kube);
        found.or(&of_others);
        found
    }

    fn rows_of_other_logs(&self) -> Bitset {
        let mut rows = self.kube.clone();
        rows.invert();
        rows
    }

    /// The rows that have an annotation to which `path` leads.
    fn rows_with_annotation(&self, path: &Path) -> Bitset {
        let column = self.segment.column(Field::AnnotationKeys);
        let mut wanted = Bitset::none(column.dictionary.len() as u32);
        for (symbol, keys) in column.dictionary.iter().filter(|(_, keys)| !keys.is_empty()) {
            let may_hold = match serde_json::from_str::<Vec<String>>(keys) {
                Ok(keys) => keys.iter().any(|key| path.leads_through_annotation(key)),
                Err(_) => true,
            };
            wanted.set(u32::from(symbol), may_hold || holds_mark(keys));
        }
        if wanted.is_clear() {
            return Bitset::none(self.segment.rows());
        }
        column.symbols.rows_in(&wanted)
    }

    fn rows_with_bodies(&mut self) -> &Bitset {
        let segment = self.segment;
        self.bodies.get_or_insert_with(|| {
            let mut rows = Bitset::from_column(segment.all_facts(), |facts| facts.level() == Level::Metadata);
            rows.invert();
            rows
        })
    }
}

/// What a text must hold for a member of the array at `source` to meet `body`.
fn needles_of_members(body: &Expr<Test>, source: &Source) -> Vec<String> {
    match body {
        Expr::All(parts) => parts.iter().flat_map(|part| needles_of_members(part, source)).collect(),
        Expr::Test(Test::Item(item)) if !item.holds(&[], &|_, _| false) => match (&item.source, source) {
            (Source::Member(path), Source::Text(_)) => path.needles_of_member(),
            (Source::Member(path), _) => path.needles_of_patch(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn outcome(item: &Item, view: View, text: &str) -> Outcome {
    if holds_mark(text) {
        return Outcome::Unsure;
    }
    let holds = match view {
        // The most frequent case needs no list.
        View::Plain if !text.is_empty() => item.holds(&[Leaf::text(text)], &|_, _| false),
        view => item.holds(&view.leaves(text), &|_, _| false),
    };
    if holds { Outcome::Holds } else { Outcome::Fails }
}

/// Orders the parts of conjunctions and disjunctions so that what is cheap, and leaves few rows, is tried first; the
/// cost of the whole. `cost` tells a test's, `selections` each selection's.
pub(super) fn cheapest_first(expr: &mut Expr<usize>, cost: &dyn Fn(usize) -> u32, selections: &[u32]) -> u32 {
    let sort = |parts: &mut Vec<Expr<usize>>| -> (u32, u32) {
        let rank = |mut part| (cheapest_first(&mut part, cost, selections), part);
        let mut ranked: Vec<(u32, Expr<usize>)> = parts.drain(..).map(rank).collect();
        ranked.sort_by_key(|(cost, _)| *cost);
        let ends = (ranked.first().map_or(0, |(cost, _)| *cost), ranked.last().map_or(0, |(cost, _)| *cost));
        parts.extend(ranked.into_iter().map(|(_, part)| part));
        ends
    };
    match expr {
        // Once its cheapest part has left few rows, the others cost little.
        Expr::All(parts) => sort(parts).0,
        Expr::Any(parts) | Expr::Some(_, parts) => sort(parts).1,
        // What is taken away is usually little.
        Expr::Not(part) => cheapest_first(part, cost, selections) + 1,
        Expr::Selection(at) => selections.get(*at).copied().unwrap_or(0),
        Expr::Test(test) => cost(*test),
    }
}

/// What trying a test costs, as a rank.
pub(super) fn cost(test: &Test) -> u32 {
    match test {
        Test::Item(item) if item.is_alone() => match &item.source {
            Source::Column(Field::Verb | Field::Resource | Field::Subresource, ..) => 0,
            Source::Column(Field::Namespace | Field::ApiGroup | Field::ApiVersion | Field::Reason, ..) => 2,
            Source::Fact(..) => 4,
            Source::Column(_, View::Plain, _) => 6,
            Source::Column(..) => 8,
            _ => 20,
        },
        Test::Item(_) => 22,
        Test::Block(_) => 24,
        Test::Keywords(_) => 30,
    }
}

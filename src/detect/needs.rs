//! What a rule asks of a log before any log is there: its fields, the least audit level at which it can be met, and
//! which rules stand behind a correlation.

use std::collections::BTreeSet;

use rsigma_parser::ArrayQuantifier;

use super::compile::{Block, Expr, Test};
use super::engine::Engine;
use super::field::Source;
use super::rule::RuleIndex;
use crate::model::Level;

/// What a rule asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needs {
    /// Its fields as it writes them, without modifiers, in alphabetical order.
    pub fields: Vec<String>,
    /// The least level of a record that can meet it.
    pub level: Level,
}

impl Engine {
    /// What a rule asks for; of a correlation, what the rules behind it do.
    pub fn needs(&self, rule: RuleIndex) -> Needs {
        let mut fields = BTreeSet::new();
        let mut level = Level::Metadata;
        for rule in self.fed_by(rule) {
            let Some(Some(rule)) = self.rules.get(rule.0 as usize) else { continue };
            let selections = &rule.selections;
            level = level.max(level_of(&rule.condition, selections, &mut |test| self.level_of(*test)));
            for (_, expr) in selections {
                expr.each_test(&mut |test| name_fields(&self.tests[*test], "", &mut fields));
            }
        }
        Needs { fields: fields.into_iter().collect(), level }
    }

    /// The rules whose matches a correlation is made of in the end, in the order in which they are loaded. A rule stands
    /// for itself.
    pub fn fed_by(&self, rule: RuleIndex) -> Vec<RuleIndex> {
        let (mut found, mut waiting, mut seen) = (BTreeSet::new(), vec![rule], BTreeSet::new());
        while let Some(rule) = waiting.pop() {
            if !seen.insert(rule) {
                continue;
            }
            if matches!(self.rules.get(rule.0 as usize), Some(Some(_))) {
                found.insert(rule);
            }
            let correlations = self.correlations.iter().filter(|correlation| correlation.rule == rule);
            waiting.extend(correlations.flat_map(|correlation| correlation.made_of()));
        }
        found.into_iter().collect()
    }

    fn level_of(&self, test: usize) -> Level {
        match &self.tests[test] {
            Test::Item(item) => match item.holds(&[], &|_, _| false) {
                true => Level::Metadata,
                false => level_of_source(&item.source),
            },
            // These hold where there is no array to look at.
            Test::Block(Block {
                quantifier: ArrayQuantifier::None | ArrayQuantifier::AllOrEmpty, ..
            }) => Level::Metadata,
            Test::Block(block) => level_of_source(&block.source),
            Test::Keywords(_) => Level::Metadata,
        }
    }
}

fn level_of_source(source: &Source) -> Level {
    match source {
        source if source.is_in_response() => Level::RequestResponse,
        source if source.is_in_bodies() => Level::Request,
        _ => Level::Metadata,
    }
}

/// The least level at which an expression can hold: a conjunction needs that of its most demanding part, a choice that of
/// its least demanding one.
fn level_of(
    expr: &Expr<usize>,
    selections: &[(String, Expr<usize>)],
    of_test: &mut dyn FnMut(&usize) -> Level,
) -> Level {
    let mut each = |parts: &[Expr<usize>]| -> Vec<Level> {
        let mut levels: Vec<Level> = parts.iter().map(|part| level_of(part, selections, of_test)).collect();
        levels.sort();
        levels
    };
    let nth = |levels: Vec<Level>, place: usize| levels.get(place).copied().unwrap_or(Level::Metadata);
    match expr {
        Expr::All(parts) => each(parts).last().copied().unwrap_or(Level::Metadata),
        Expr::Any(parts) => nth(each(parts), 0),
        Expr::Some(least, parts) => nth(each(parts), least.saturating_sub(1)),
        // It holds where nothing is found.
        Expr::Not(_) => Level::Metadata,
        Expr::Selection(at) => match selections.get(*at) {
            Some((_, expr)) => level_of(expr, &[], of_test),
            None => Level::Metadata,
        },
        Expr::Test(test) => of_test(test),
    }
}

/// Adds the fields of a test, those of a member behind the name of its array.
fn name_fields(test: &Test, within: &str, fields: &mut BTreeSet<String>) {
    match test {
        Test::Item(item) => {
            let name = item.name.split('|').next().unwrap_or_default();
            let whole = match (within, name) {
                ("", name) => name.to_owned(),
                (within, "") => within.to_owned(),
                (within, name) => format!("{within}.{name}"),
            };
            if !whole.is_empty() {
                fields.insert(whole);
            }
        }
        Test::Block(block) => {
            let array = block.name.split('[').next().unwrap_or_default();
            let whole = if within.is_empty() { array.to_owned() } else { format!("{within}.{array}") };
            block.body.each_test(&mut |test| name_fields(test, &whole, fields));
        }
        Test::Keywords(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::engine;
    use super::*;

    fn needs(detection: &str) -> Needs {
        engine(&super::super::tests::rule(detection)).needs(RuleIndex(0))
    }

    #[test]
    fn the_level_is_that_of_the_least_demanding_way() {
        for (detection, level) in [
            ("s:\n    verb: get\ncondition: s", Level::Metadata),
            ("s:\n    verb: get\n    requestObject.kind: Pod\ncondition: s", Level::Request),
            ("s:\n    responseObject.kind: Pod\ncondition: s", Level::RequestResponse),
            ("s:\n    responseObject.kind: Pod\nt:\n    secret.keys: x\ncondition: s or t", Level::Request),
            ("s:\n    verb: get\nt:\n    requestObject.kind: Pod\ncondition: s and not t", Level::Metadata),
            ("s:\n    requestObject.kind: null\ncondition: s", Level::Metadata),
            ("s:\n    requestObject.kind|exists: false\ncondition: s", Level::Metadata),
        ] {
            assert_eq!(needs(detection).level, level, "{detection}");
        }
    }

    #[test]
    fn fields_are_named_without_modifiers() {
        let told =
            needs("s:\n    verb|startswith: g\n    user.groups: a\nt:\n    verb: x\ncondition: s and not t");
        assert_eq!(told.fields, ["user.groups", "verb"]);
    }

    #[test]
    fn a_correlation_needs_what_its_rules_do() {
        let text = format!(
            "{}---\ntitle: C\nid: c\ncorrelation:\n  type: event_count\n  rules: [t]\n  group-by: [user.username]\n  \
             timespan: 1h\n  condition: {{gte: 2}}\n",
            super::super::tests::rule("s:\n    requestObject.kind: Pod\ncondition: s")
        );
        let engine = engine(&text);
        assert_eq!(engine.fed_by(RuleIndex(1)), [RuleIndex(0)]);
        assert_eq!(engine.needs(RuleIndex(1)).level, Level::Request);
    }
}

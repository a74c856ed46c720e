//! Why a rule matched a row: which selection, which field, which value, which words of the rule.

use serde_json::Value;

use super::compile::{Block, Expr, Test};
use super::engine::Engine;
use super::node::Node;
use super::row::{Row, Rows};
use super::rule::RuleIndex;
use crate::redact;
use crate::store::Segment;

/// The longest value that is told; the event itself tells the rest.
const MOST_CHARACTERS: usize = 400;

/// One reason for a match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// The selection of the rule that was met, behind the filter's title and a colon where a filter brought it.
    pub selection: String,
    /// The field as the rule writes it, with its modifiers. Empty for keywords.
    pub field: String,
    /// What the field holds, credentials masked and cut where it is very long. Empty when the field is absent.
    pub value: String,
    /// The words of the rule that the value met.
    pub pattern: String,
}

impl Engine {
    /// Why `rule` matches a row, in the order of the rule's selections; nothing when it does not match.
    ///
    /// Parts of a condition below `not` held because nothing was found, so they have nothing to tell.
    pub fn explain(&self, rule: RuleIndex, segment: &Segment, row: u32) -> Vec<Why> {
        let rows = Rows::new(segment);
        let of_its_log = self.is_about(rule, segment, row);
        let row = rows.row(row);
        let Some(Some(compiled)) = self.rules.get(rule.0 as usize).filter(|_| of_its_log) else {
            return Vec::new();
        };
        let mut telling =
            Telling { engine: self, row: &row, selections: &compiled.selections, found: Vec::new() };
        if telling.holds(&compiled.condition) {
            telling.tell(&compiled.condition, "");
        }
        let mut found = telling.found;
        let place = |why: &Why| compiled.selections.iter().position(|(name, _)| *name == why.selection);
        found.sort_by_key(place);
        found.dedup();
        found
    }

    /// What must hold for a correlation, or for what is told the first time only, in words; `None` for other rules.
    pub fn correlation_in_words(&self, rule: RuleIndex) -> Option<String> {
        self.correlations
            .iter()
            .find(|correlation| correlation.rule == rule)
            .map(|correlation| correlation.words())
    }
}

struct Telling<'t> {
    engine: &'t Engine,
    row: &'t Row<'t, 't>,
    selections: &'t [(String, Expr<usize>)],
    found: Vec<Why>,
}

impl Telling<'_> {
    fn holds(&self, expr: &Expr<usize>) -> bool {
        expr.holds(self.selections, &mut |test| self.row.meets(&self.engine.tests[*test]))
    }

    /// Tells of the parts of an expression that holds.
    fn tell(&mut self, expr: &Expr<usize>, selection: &str) {
        match expr {
            Expr::All(parts) | Expr::Any(parts) | Expr::Some(_, parts) => {
                for part in parts {
                    if self.holds(part) {
                        self.tell(part, selection);
                    }
                }
            }
            Expr::Not(_) => {}
            Expr::Selection(at) => {
                if let Some((name, expr)) = self.selections.get(*at) {
                    self.tell(expr, name);
                }
            }
            Expr::Test(test) => self.tell_test(&self.engine.tests[*test], selection),
        }
    }

    fn tell_test(&mut self, test: &Test, selection: &str) {
        match test {
            Test::Item(item) => {
                let leaves = self.row.leaves(&item.source);
                let reasons = item.reasons(&leaves, &|test, leaves| self.row.compare(test, leaves));
                for (at, pattern) in reasons {
                    let leaf = at.and_then(|at| leaves.get(at));
                    let text = leaf.and_then(|leaf| leaf.written()).unwrap_or_default();
                    let value = match item.source.may_be_secret() {
                        true => withheld(&text),
                        false => shown(&text),
                    };
                    self.found.push(Why {
                        selection: selection.to_owned(),
                        field: item.name.clone(),
                        value,
                        pattern,
                    });
                }
            }
            Test::Block(block) => self.tell_block(block, selection),
            Test::Keywords(keywords) => self.found.push(Why {
                selection: selection.to_owned(),
                field: String::new(),
                value: String::new(),
                pattern: keywords.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    fn tell_block(&mut self, block: &Block, selection: &str) {
        let met: Vec<&Node> = self
            .row
            .members_of_block(block)
            .into_iter()
            .filter_map(|(member, met)| met.then_some(member))
            .collect();
        self.found.push(Why {
            selection: selection.to_owned(),
            field: block.name.clone(),
            value: met.first().map(|member| shown_member(member)).unwrap_or_default(),
            pattern: match met.len() {
                0 => "none of the members".to_owned(),
                1 => "this member".to_owned(),
                more => format!("{more} members, this the first"),
            },
        });
    }
}

fn shown(text: &str) -> String {
    let masked = redact::mask_text(text);
    match masked.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked.into_owned(),
    }
}

/// Masked as the value of a Secret is, whatever it looks like.
fn withheld(text: &str) -> String {
    let mut secret = serde_json::json!({
        "objectRef": {"resource": "secrets"}, "requestObject": {"kind": "Secret", "stringData": {"key": text}}});
    redact::mask_event(&mut secret);
    secret["requestObject"]["stringData"]["key"].as_str().unwrap_or_default().to_owned()
}

fn shown_member(member: &Node) -> String {
    match member {
        Node::String(text) => shown(text),
        // Masked as a whole event is, so that a variable's value goes by the variable's name.
        other => {
            let mut masked = serde_json::json!({ "requestObject": Value::from(other) });
            redact::mask_event(&mut masked);
            shown(&masked["requestObject"].to_string())
        }
    }
}

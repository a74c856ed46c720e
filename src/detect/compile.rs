//! A rule's detection section, compiled: selections as expressions over tests, and the condition over the selections.

use rsigma_parser::{
    ArrayQuantifier, ConditionExpr, Detection, Detections, Quantifier, SelectorPattern, SigmaValue,
};

use super::field::Source;
use super::item::Item;
use super::matcher::{Matcher, Place};

/// Deeper expressions are refused: evaluating one is a recursion.
const MOST_LEVELS: usize = 100;

/// A boolean expression over tests of type `T`.
#[derive(Clone, Debug)]
pub(super) enum Expr<T> {
    All(Vec<Expr<T>>),
    Any(Vec<Expr<T>>),
    /// At least so many of them.
    Some(usize, Vec<Expr<T>>),
    Not(Box<Expr<T>>),
    /// A selection of the rule, by its place in [`Compiled::selections`].
    Selection(usize),
    Test(T),
}

/// A test of an event.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Item(Item),
    /// Members of an array that each, or one of which, must meet all of an expression.
    Block(Block),
    /// Texts that must stand anywhere in the event.
    Keywords(Vec<(String, Matcher)>),
}

/// A same-element block: `field[any]:`.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// As the rule writes it.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) quantifier: ArrayQuantifier,
    /// Over the member, see [`Source::Member`]. Named parts are written out, so it holds no selections.
    pub(super) body: Box<Expr<Test>>,
}

/// A detection section.
#[derive(Clone, Debug)]
pub(super) struct Compiled<T = Test> {
    pub(super) selections: Vec<(String, Expr<T>)>,
    pub(super) condition: Expr<T>,
}

/// Why a part of a rule cannot be used, and a word of the rule near which the part stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) near: String,
}

impl Refusal {
    pub(super) fn new(near: &str, reason: impl Into<String>) -> Refusal {
        Refusal { reason: reason.into(), near: near.to_owned() }
    }
}

type Outcome<T> = Result<T, Refusal>;

/// Compiles a detection section.
///
/// # Errors
/// The first part that cannot be used.
pub(super) fn compile(detections: &Detections) -> Outcome<Compiled> {
    // The parser keeps selections in a hash map; a rule must not mean something else on every start.
    let mut names: Vec<&String> = detections.named.keys().collect();
    names.sort();
    let mut selections = Vec::new();
    for name in &names {
        let expr = detection(&detections.named[*name], Scope::Event, 0).map_err(|refusal| {
            Refusal::new(if refusal.near.is_empty() { name } else { &refusal.near }, refusal.reason)
        })?;
        selections.push(((*name).clone(), expr));
    }
    let known: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let by_place = |at: usize| Expr::Selection(at);
    let conditions: Vec<Expr<Test>> = detections
        .conditions
        .iter()
        .map(|written| condition(written, &known, &by_place, 0))
        .collect::<Outcome<_>>()?;
    let condition = match conditions.len() {
        0 => return Err(Refusal::new("condition:", "there is no condition")),
        1 => conditions.into_iter().next().unwrap_or(Expr::Any(Vec::new())),
        _ => Expr::Any(conditions),
    };
    Ok(Compiled { selections, condition })
}

impl Compiled {
    /// This section, and `filter` as well: what a Sigma filter does to a rule.
    pub(super) fn and(mut self, filter: &Compiled, name: &str) -> Compiled {
        let shift = self.selections.len();
        let named = filter.selections.iter().map(|(own, expr)| (format!("{name}: {own}"), expr.clone()));
        self.selections.extend(named);
        let filter = filter.condition.clone().shifted(shift);
        // Side by side, not one in another: evaluating is a recursion, and there may be thousands of filters.
        self.condition = match self.condition {
            Expr::All(mut parts) => {
                parts.push(filter);
                Expr::All(parts)
            }
            own => Expr::All(vec![own, filter]),
        };
        self
    }
}

impl<T> Compiled<T> {
    /// Every test, as often as it is asked.
    pub(super) fn tests(&self) -> impl Iterator<Item = &T> {
        let mut tests = Vec::new();
        self.selections.iter().for_each(|(_, expr)| expr.each_test(&mut |test| tests.push(test)));
        self.condition.each_test(&mut |test| tests.push(test));
        tests.into_iter()
    }
}

impl Test {
    /// Whether the columns of a segment cannot tell its outcome.
    pub(super) fn reads_text(&self) -> bool {
        match self {
            Test::Item(item) => !item.is_alone() || item.source.is_in_text(),
            Test::Block(_) | Test::Keywords(_) => true,
        }
    }
}

impl<T> Expr<T> {
    /// Calls `tell` with every test in it.
    pub(super) fn each_test<'e>(&'e self, tell: &mut dyn FnMut(&'e T)) {
        match self {
            Expr::All(parts) | Expr::Any(parts) | Expr::Some(_, parts) => {
                parts.iter().for_each(|part| part.each_test(tell));
            }
            Expr::Not(part) => part.each_test(tell),
            Expr::Selection(_) => {}
            Expr::Test(test) => tell(test),
        }
    }

    fn shifted(self, by: usize) -> Expr<T> {
        let each = |parts: Vec<Expr<T>>| parts.into_iter().map(|part| part.shifted(by)).collect();
        match self {
            Expr::All(parts) => Expr::All(each(parts)),
            Expr::Any(parts) => Expr::Any(each(parts)),
            Expr::Some(least, parts) => Expr::Some(least, each(parts)),
            Expr::Not(part) => Expr::Not(Box::new(part.shifted(by))),
            Expr::Selection(at) => Expr::Selection(at + by),
            test @ Expr::Test(_) => test,
        }
    }

    /// The same expression over other tests.
    pub(super) fn map<U>(self, with: &mut dyn FnMut(T) -> U) -> Expr<U> {
        let mut each = |parts: Vec<Expr<T>>| parts.into_iter().map(|part| part.map(with)).collect::<Vec<_>>();
        match self {
            Expr::All(parts) => Expr::All(each(parts)),
            Expr::Any(parts) => Expr::Any(each(parts)),
            Expr::Some(least, parts) => Expr::Some(least, each(parts)),
            Expr::Not(part) => Expr::Not(Box::new(part.map(with))),
            Expr::Selection(at) => Expr::Selection(at),
            Expr::Test(test) => Expr::Test(with(test)),
        }
    }

    /// Whether it holds, given which of its tests do.
    pub(super) fn holds(&self, selections: &[(String, Expr<T>)], test: &mut dyn FnMut(&T) -> bool) -> bool {
        match self {
            Expr::All(parts) => parts.iter().all(|part| part.holds(selections, test)),
            Expr::Any(parts) => parts.iter().any(|part| part.holds(selections, test)),
            Expr::Some(least, parts) => {
                parts.iter().filter(|part| part.holds(selections, test)).count() >= *least
            }
            Expr::Not(part) => !part.holds(selections, test),
            Expr::Selection(at) => selections.get(*at).is_some_and(|(_, expr)| expr.holds(&[], test)),
            Expr::Test(own) => test(own),
        }
    }

    /// Whether a `not` stands anywhere in it.
    pub(super) fn has_not(&self) -> bool {
        match self {
            Expr::Not(_) => true,
            Expr::All(parts) | Expr::Any(parts) | Expr::Some(_, parts) => parts.iter().any(Expr::has_not),
            Expr::Selection(_) | Expr::Test(_) => false,
        }
    }
}

/// What fields are relative to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Event,
    Member,
}

fn detection(detected: &Detection, scope: Scope, level: usize) -> Outcome<Expr<Test>> {
    if level > MOST_LEVELS {
        return Err(Refusal::new("", "nested too deeply"));
    }
    let each = |parts: &[Detection]| -> Outcome<Vec<Expr<Test>>> {
        parts.iter().map(|part| detection(part, scope, level + 1)).collect()
    };
    match detected {
        Detection::AllOf(items) if items.is_empty() => Err(Refusal::new("", "the selection is empty")),
        Detection::AllOf(items) => {
            let tests = items.iter().map(|written| item(written, scope));
            Ok(Expr::All(tests.collect::<Outcome<_>>()?))
        }
        Detection::AnyOf(parts) if parts.is_empty() => Err(Refusal::new("", "the selection is empty")),
        Detection::AnyOf(parts) => Ok(Expr::Any(each(parts)?)),
        Detection::And(parts) => Ok(Expr::All(each(parts)?)),
        Detection::Keywords(values) => keywords(values),
        Detection::ArrayMatch { field, quantifier, body } => {
            let source = match scope {
                Scope::Event => Source::of_array(field)
                    .ok_or_else(|| Refusal::new(field, format!("{field} has no members to look at")))?,
                Scope::Member => Source::of_member(Some(field)),
            };
            let body = Box::new(detection(body, Scope::Member, level + 1)?);
            let name = format!("{field}[{quantifier}]");
            Ok(Expr::Test(Test::Block(Block { name, source, quantifier: *quantifier, body })))
        }
        Detection::Conditional { named, condition: written } => {
            let mut names: Vec<&str> = named.keys().map(String::as_str).collect();
            names.sort_unstable();
            let parts: Vec<Expr<Test>> = names
                .iter()
                .map(|name| detection(&named[*name], scope, level + 1))
                .collect::<Outcome<_>>()?;
            condition(
                written,
                &names,
                &|at| parts.get(at).cloned().unwrap_or(Expr::Any(Vec::new())),
                level + 1,
            )
        }
    }
}

fn item(written: &rsigma_parser::DetectionItem, scope: Scope) -> Outcome<Expr<Test>> {
    let name = written.field.name.as_deref();
    let source = match (scope, name) {
        (Scope::Member, name) => Source::of_member(name),
        (Scope::Event, Some(name)) => Source::of(name),
        (Scope::Event, None) if written.field.modifiers.is_empty() => return keywords(&written.values),
        (Scope::Event, None) => return Err(Refusal::new("|", "keywords take no modifiers")),
    };
    let compiled = Item::compile(written, source);
    compiled
        .map(|item| Expr::Test(Test::Item(item)))
        .map_err(|reason| Refusal::new(name.unwrap_or(""), reason))
}

fn keywords(values: &[SigmaValue]) -> Outcome<Expr<Test>> {
    let mut keywords = Vec::new();
    for value in values {
        let text = match value {
            SigmaValue::Null => return Err(Refusal::new("", "null is no keyword")),
            SigmaValue::String(text) => text.clone(),
            other => rsigma_parser::SigmaString::from_raw(&other.to_string()),
        };
        // A keyword is searched for in every value (specification, "search-identifier": lists of strings).
        let matcher = Matcher::text(&text, Place::Anywhere, false)
            .map_err(|error| Refusal::new(&text.original, error.to_string()))?;
        keywords.push((text.original, matcher));
    }
    if keywords.is_empty() {
        return Err(Refusal::new("", "the selection is empty"));
    }
    Ok(Expr::Test(Test::Keywords(keywords)))
}

fn condition(
    written: &ConditionExpr,
    names: &[&str],
    selection: &dyn Fn(usize) -> Expr<Test>,
    level: usize,
) -> Outcome<Expr<Test>> {
    if level > MOST_LEVELS {
        return Err(Refusal::new("condition:", "the condition is nested too deeply"));
    }
    let each = |parts: &[ConditionExpr]| -> Outcome<Vec<Expr<Test>>> {
        parts.iter().map(|part| condition(part, names, selection, level + 1)).collect()
    };
    match written {
        ConditionExpr::And(parts) => Ok(Expr::All(each(parts)?)),
        ConditionExpr::Or(parts) => Ok(Expr::Any(each(parts)?)),
        ConditionExpr::Not(part) => Ok(Expr::Not(Box::new(condition(part, names, selection, level + 1)?))),
        ConditionExpr::Identifier(name) => match names.iter().position(|known| known == name) {
            Some(at) => Ok(selection(at)),
            None => {
                Err(Refusal::new("condition:", format!("the condition names {name}, which is no selection")))
            }
        },
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen: Vec<Expr<Test>> = (0..names.len())
                .filter(|at| pattern.matches_detection_name(names[*at]))
                .map(selection)
                .collect();
            if chosen.is_empty() {
                let pattern = match pattern {
                    SelectorPattern::Them => "them",
                    SelectorPattern::Pattern(pattern) => pattern,
                };
                return Err(Refusal::new(
                    "condition",
                    format!("the condition names {pattern}, which no selection is"),
                ));
            }
            Ok(match quantifier {
                Quantifier::Any => Expr::Any(chosen),
                Quantifier::All => Expr::All(chosen),
                Quantifier::Count(least) => Expr::Some(usize::try_from(*least).unwrap_or(usize::MAX), chosen),
            })
        }
    }
}

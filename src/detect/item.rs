//! One line of a selection: a field, its modifiers, and its values, compiled into a test of that field's values.
//!
//! [`super::modifiers`] reads the modifiers; here is decided what several values, and none, mean.

use rsigma_parser::{DetectionItem, SigmaValue};

use super::field::Source;
use super::matcher::{Leaf, Matcher, Place, lowered};
use super::modifiers::Modifiers;

/// Values of one line, all their spellings counted. Lists of bad addresses have some ten thousand.
const MOST_WANTED: usize = 200_000;

/// Patterns of one line. A compiled one may take some hundred kilobytes.
const MOST_PATTERNS: usize = 2_000;

/// Fewer values than this are tried one by one.
const FEW: usize = 16;

/// A wanted value, with the words in which the rule writes it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) written: String,
    pub(super) test: Test,
}

/// How a wanted value is tested.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// By the value alone.
    Value(Matcher),
    /// Against another field of the same event.
    Reference { source: Source, place: Place, cased: bool },
    /// Against a text with `%field%` in it.
    Template { parts: Vec<Part>, place: Place, cased: bool },
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    Field(Source),
}

/// What a field's values must be like.
#[derive(Clone, Debug)]
pub(super) enum Check {
    /// Whether there is any.
    Exists(bool),
    /// Any of them, or with `all` at least one for each wanted value. `negated`: the other way round, but only where
    /// the field is there at all.
    Values { wanted: Vec<Wanted>, many: Option<Many>, all: bool, negated: bool },
}

/// Wanted values of which there are too many to be tried one by one, such as a list of bad addresses.
#[derive(Clone, Debug)]
pub(super) struct Many {
    /// Those that are whole texts in any case: in lower case, sorted.
    texts: Vec<String>,
    /// The places of all others.
    rest: Vec<usize>,
}

impl Many {
    fn of(wanted: &[Wanted]) -> Option<Many> {
        if wanted.len() < FEW {
            return None;
        }
        let (mut texts, mut rest) = (Vec::new(), Vec::new());
        for (at, wanted) in wanted.iter().enumerate() {
            match &wanted.test {
                // What is empty may be met by absence.
                Test::Value(Matcher::Text { place: Place::Whole, wanted, cased: false })
                    if !wanted.is_empty() =>
                {
                    texts.push(wanted.clone());
                }
                _ => rest.push(at),
            }
        }
        texts.sort_unstable();
        Some(Many { texts, rest })
    }

    fn has(&self, leaf: &Leaf<'_>) -> bool {
        let text = leaf.written();
        text.is_some_and(|text| self.texts.binary_search_by(|wanted| (**wanted).cmp(&lowered(&text))).is_ok())
    }
}

/// A compiled line of a selection.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// As the rule writes it, with its modifiers; empty for a member of an array itself.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) check: Check,
}

impl Item {
    /// Compiles a line that asks for `source`.
    ///
    /// # Errors
    /// Why the line cannot be tested.
    pub(super) fn compile(item: &DetectionItem, source: Source) -> Result<Item, String> {
        let modifiers = Modifiers::of(&item.field.modifiers)?;
        let check = if modifiers.exists {
            Check::Exists(wanted_presence(&item.values)?)
        } else {
            if item.values.is_empty() {
                return Err("the list of values is empty".to_owned());
            }
            if modifiers.all && item.values.len() < 2 {
                return Err("modifier all needs more than one value".to_owned());
            }
            let mut wanted = Vec::new();
            for value in &item.values {
                let tests = modifiers.tests(value)?;
                // The spellings of one value are alternatives, which only makes a difference to `all`.
                if modifiers.all && tests.len() > 1 {
                    return Err("modifier all cannot be combined with windash or base64offset".to_owned());
                }
                if tests.is_empty() {
                    return Err(format!("{value} is too short to be encoded"));
                }
                wanted.extend(tests.into_iter().map(|test| Wanted { written: value.to_string(), test }));
                if wanted.len() > MOST_WANTED {
                    return Err(format!("more than {MOST_WANTED} values, spellings counted"));
                }
            }
            let is_pattern = |wanted: &&Wanted| matches!(wanted.test, Test::Value(Matcher::Pattern(_)));
            if wanted.iter().filter(is_pattern).count() > MOST_PATTERNS {
                return Err(format!("more than {MOST_PATTERNS} patterns"));
            }
            let many = Many::of(&wanted);
            Check::Values { wanted, many, all: modifiers.all, negated: modifiers.negated }
        };
        Ok(Item { name: written_name(item), source, check })
    }

    /// Whether the field's own values are all it needs.
    pub(super) fn is_alone(&self) -> bool {
        match &self.check {
            Check::Exists(_) => true,
            Check::Values { wanted, .. } => wanted.iter().all(|wanted| matches!(wanted.test, Test::Value(_))),
        }
    }

    /// Whether it holds for a field with these values. `other` tests those that need another field.
    pub(super) fn holds(&self, leaves: &[Leaf<'_>], other: &dyn Fn(&Test, &[Leaf<'_>]) -> bool) -> bool {
        match &self.check {
            Check::Exists(expected) => leaves.iter().any(|leaf| *leaf != Leaf::Null) == *expected,
            Check::Values { wanted, many, all, negated } => {
                let found = |wanted: &Wanted| self.found(wanted, leaves, other);
                let holds = match (*all, many) {
                    (true, _) => wanted.iter().all(found),
                    (false, Some(many)) => {
                        leaves.iter().any(|leaf| many.has(leaf))
                            || many.rest.iter().any(|at| found(&wanted[*at]))
                    }
                    (false, None) => wanted.iter().any(found),
                };
                holds != *negated && !(*negated && leaves.is_empty())
            }
        }
    }

    fn found(
        &self,
        wanted: &Wanted,
        leaves: &[Leaf<'_>],
        other: &dyn Fn(&Test, &[Leaf<'_>]) -> bool,
    ) -> bool {
        match &wanted.test {
            _ if leaves.is_empty() => self.is_met_by_absence(wanted),
            Test::Value(matcher) => leaves.iter().any(|leaf| matcher.matches(leaf)),
            test => other(test, leaves),
        }
    }

    /// `null` wants the field to be absent, and so does the empty text where the API leaves out what is empty
    /// (`k8s.io/api` writes `omitempty`; an apiGroup that is absent is the core group).
    fn is_met_by_absence(&self, wanted: &Wanted) -> bool {
        match &wanted.test {
            Test::Value(Matcher::Null) => true,
            Test::Value(matcher) => matches!(self.source, Source::Column(..)) && matcher.is_empty_text(),
            _ => false,
        }
    }

    /// The first of the field's values that a wanted one found, each with the words of the rule.
    pub(super) fn reasons(
        &self,
        leaves: &[Leaf<'_>],
        other: &dyn Fn(&Test, &[Leaf<'_>]) -> bool,
    ) -> Vec<(Option<usize>, String)> {
        match &self.check {
            Check::Exists(expected) => {
                let at = leaves.iter().position(|leaf| *leaf != Leaf::Null);
                vec![(at, if *expected { "is there" } else { "is not there" }.to_owned())]
            }
            Check::Values { wanted, negated: true, .. } => {
                let words: Vec<&str> = wanted.iter().map(|wanted| wanted.written.as_str()).collect();
                vec![((!leaves.is_empty()).then_some(0), format!("is not {}", words.join(", ")))]
            }
            Check::Values { wanted, .. } => wanted
                .iter()
                .filter_map(|wanted| {
                    let at =
                        leaves.iter().position(|leaf| self.found(wanted, std::slice::from_ref(leaf), other));
                    (at.is_some() || (leaves.is_empty() && self.is_met_by_absence(wanted)))
                        .then(|| (at, wanted.written.clone()))
                })
                .collect(),
        }
    }
}

fn written_name(item: &DetectionItem) -> String {
    let mut name = item.field.name.clone().unwrap_or_default();
    for modifier in &item.field.modifiers {
        name.push('|');
        name.push_str(&format!("{modifier:?}").to_lowercase());
    }
    name
}

fn wanted_presence(values: &[SigmaValue]) -> Result<bool, String> {
    match values {
        [SigmaValue::Bool(expected)] => Ok(*expected),
        [SigmaValue::String(text)] if ["true", "yes"].contains(&text.original.as_str()) => Ok(true),
        [SigmaValue::String(text)] if ["false", "no"].contains(&text.original.as_str()) => Ok(false),
        _ => Err("modifier exists takes true or false".to_owned()),
    }
}

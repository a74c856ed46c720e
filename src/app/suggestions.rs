//! What is offered while a filter is typed: fields by their letters, then values of the field with their counts among
//! the rows that the rest of the filter leaves.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::side::{Side, by};
use crate::query::{
    Completion, Context, Expression, FieldName, Grouping, Node, ViewOptions, Wanted, fields_for,
    fixed_values, has_values, parse,
};
use crate::redact;
use crate::store::Store;

/// Values that are looked through at most, the most frequent first.
const MOST: usize = 2_000;

/// Values that only hold the typed letters somewhere: so many of the most frequent are put in order by how well they fit,
/// which takes some microseconds each.
const MOST_SCORED: usize = 200;

/// Values that are counted at most: those that come first where a field has another value in nearly every row.
const MOST_COUNTED: usize = 20_000;

/// One offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suggestion {
    /// What would be written.
    pub text: String,
    /// What it is, for a field or a kept filter.
    pub help: String,
    /// Rows that have this value.
    pub count: Option<u64>,
}

/// What is offered at the cursor.
#[derive(Debug, Default)]
pub struct Suggestions {
    at: Option<Completion>,
    side: Option<(FieldName, Side)>,
    items: Vec<Suggestion>,
    /// Files and titles of the rules that matched anything.
    rules: Vec<(String, String)>,
    /// The chosen one.
    pub cursor: usize,
    /// Whether one was chosen by key.
    pub moved: bool,
    made_of: Option<u64>,
}

impl Suggestions {
    /// Looks at the text anew.
    pub fn typed(
        &mut self,
        text: &str,
        cursor: usize,
        store: &Store,
        options: &ViewOptions,
        context: &Context,
    ) {
        self.at = Completion::at(text, cursor);
        self.cursor = 0;
        self.moved = false;
        self.made_of = None;
        let Some(Completion { wanted: Wanted::Value(field), rest, .. }) = &self.at else {
            self.side = None;
            return;
        };
        if *field == FieldName::Alert {
            let own = |(file, title): (&str, &str)| (file.to_owned(), title.to_owned());
            self.rules = context.alerts.matched().into_iter().map(own).collect();
        }
        if !has_values(*field) {
            self.side = None;
            return;
        }
        // What cannot be read yet must not empty the list.
        let expression = parse(rest).unwrap_or_default();
        match &mut self.side {
            Some((open, side)) if open == field => side.ask(store, &expression, options, context),
            _ => {
                let side = Side::new(
                    store,
                    expression,
                    options.clone(),
                    context,
                    vec![by(*field).at_most(MOST_COUNTED).only_counted()],
                );
                self.side = Some((*field, side));
            }
        }
    }

    /// Offers nothing any more.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// The result that is beside the timeline's.
    pub fn side(&mut self) -> Option<&mut Side> {
        self.side.as_mut().map(|(_, side)| side)
    }

    /// Whether there is something left to count.
    pub fn has_work(&self, store: &Store) -> bool {
        self.side.as_ref().is_some_and(|(_, side)| side.has_work(store))
    }

    /// What kind of thing is offered.
    pub fn wanted(&self) -> Option<Wanted> {
        self.at.as_ref().map(|at| at.wanted)
    }

    /// What is offered.
    pub fn items(&self) -> &[Suggestion] {
        &self.items
    }

    /// Makes the offers anew where something changed.
    pub fn settle(&mut self, named: &[(String, Expression)]) {
        let Some(at) = &self.at else {
            self.items.clear();
            return;
        };
        let version =
            self.side.as_ref().and_then(|(_, side)| side.groupings.first()).map_or(0, Grouping::version);
        if self.made_of == Some(version) {
            return;
        }
        self.made_of = Some(version);
        self.items = match at.wanted {
            Wanted::Field => fields_for(&at.typed)
                .into_iter()
                .map(|info| Suggestion {
                    text: info.name.to_owned(),
                    help: info.help.to_owned(),
                    count: None,
                })
                .collect(),
            Wanted::Named => named
                .iter()
                .filter(|(name, _)| SkimMatcherV2::default().fuzzy_match(name, &at.typed).is_some())
                .map(|(name, filter)| Suggestion {
                    text: format!("@{name}"),
                    help: filter.to_string(),
                    count: None,
                })
                .collect(),
            Wanted::Value(field) => {
                let grouping = self.side.as_ref().and_then(|(_, side)| side.groupings.first());
                let mut found = values(field, &at.typed, grouping);
                if field == FieldName::Alert {
                    found.extend(rules_for(&self.rules, &at.typed));
                }
                found
            }
        };
        self.cursor = self.cursor.min(self.items.len().saturating_sub(1));
    }

    /// Chooses another one.
    pub fn move_by(&mut self, rows: isize) {
        self.cursor = self.cursor.saturating_add_signed(rows).min(self.items.len().saturating_sub(1));
        self.moved = true;
    }

    /// The text with the chosen one in place, and where the cursor is then.
    pub fn take(&self, text: &str, named: &[(String, Expression)]) -> Option<(String, usize)> {
        let chosen = self.items.get(self.cursor)?;
        let at = self.at.as_ref()?;
        if at.wanted == Wanted::Named {
            let name = chosen.text.strip_prefix('@')?;
            let (_, filter) = named.iter().find(|(known, _)| known == name)?;
            // Beside other conditions it must stay one condition.
            let alone = at.rest.is_empty() || !matches!(filter.root, Some(Node::Or(_)));
            let written = if alone { filter.to_string() } else { format!("({filter})") };
            return Some(at.take(text, &written));
        }
        Some(at.take(text, &chosen.text))
    }
}

/// Rules whose file or title holds the typed letters.
fn rules_for<'r>(rules: &'r [(String, String)], typed: &str) -> impl Iterator<Item = Suggestion> + 'r {
    let typed = typed.to_lowercase();
    let is_meant = move |(file, title): &&(String, String)| {
        file.to_lowercase().contains(&typed) || title.to_lowercase().contains(&typed)
    };
    let offer = |(file, title): &(String, String)| Suggestion {
        text: file.clone(),
        help: title.clone(),
        count: None,
    };
    rules.iter().filter(is_meant).map(offer)
}

/// Values that the typed letters fit: those that begin with them, the most frequent first, then those that hold them, the
/// best fitting first.
fn values(field: FieldName, typed: &str, grouping: Option<&Grouping>) -> Vec<Suggestion> {
    let matcher = SkimMatcherV2::default();
    let mut offered: Vec<Suggestion> = fixed_values(field)
        .iter()
        .map(|word| Suggestion { text: (*word).to_owned(), help: String::new(), count: None })
        .collect();
    let words = offered.len();
    let frequent = grouping.map(|grouping| grouping.most_frequent(MOST)).unwrap_or_default();
    for (text, count) in frequent {
        if text.is_empty() || redact::holds_mark(text) {
            continue;
        }
        match offered.iter_mut().take(words).find(|known| known.text == text) {
            Some(known) => known.count = Some(count),
            None => {
                offered.push(Suggestion { text: text.to_owned(), help: String::new(), count: Some(count) })
            }
        }
    }
    let beginning = typed.to_lowercase();
    let mut others = 0;
    let mut scored: Vec<(i64, Suggestion)> = offered
        .into_iter()
        .filter_map(|offer| {
            // What begins as typed is meant more often than what only holds the letters somewhere.
            if offer.text.to_lowercase().starts_with(&beginning) {
                return Some((i64::MAX, offer));
            }
            if others == MOST_SCORED {
                return None;
            }
            let score = matcher.fuzzy_match(&offer.text, typed)?;
            others += 1;
            Some((score, offer))
        })
        .collect();
    scored.sort_by_key(|(score, offer)| (std::cmp::Reverse(*score), std::cmp::Reverse(offer.count)));
    scored.into_iter().map(|(_, offer)| offer).collect()
}

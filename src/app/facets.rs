//! Facets: the values of any field with their counts over the whole selection, to include, exclude or go into.
//!
//! First a field is picked by a few letters, then its values are listed. Going into a value asks for a field again,
//! now among the rows with that value: user, then verb, then namespace.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use tui_input::Input;

use super::side::{Side, by};
use super::table::TableCursor;
use crate::model::Micros;
use crate::query::{
    Context, Expression, FIELDS, FieldName, Group, SortBy, ViewOptions, condition_for, has_values,
    with_condition,
};
use crate::store::Store;

/// Where one is.
#[derive(Debug)]
pub enum Stage {
    /// Picking a field.
    Fields,
    /// Among the values of a field.
    Values(FieldName),
}

/// The facets of a selection.
#[derive(Debug)]
pub struct Facets {
    /// Values that were gone into.
    pub scope: Vec<(FieldName, String)>,
    /// Where one is.
    pub stage: Stage,
    /// What is typed to find a field or a value.
    pub input: Input,
    /// Whether letters search the values.
    pub searching: bool,
    /// The cursor.
    pub cursor: TableCursor,
    fields: Vec<FieldName>,
    groups: Vec<Group>,
    shown: Vec<usize>,
    side: Option<Side>,
    made_of: Option<(u64, String)>,
}

impl Default for Facets {
    fn default() -> Self {
        let mut facets = Self {
            scope: Vec::new(),
            stage: Stage::Fields,
            input: Input::default(),
            searching: false,
            cursor: TableCursor::default(),
            fields: Vec::new(),
            groups: Vec::new(),
            shown: Vec::new(),
            side: None,
            made_of: None,
        };
        facets.find_fields();
        facets
    }
}

impl Facets {
    /// Fields that the typed letters fit, the best first.
    pub fn find_fields(&mut self) {
        let matcher = SkimMatcherV2::default();
        let typed = self.input.value().trim();
        let mut scored: Vec<(i64, FieldName)> = FIELDS
            .iter()
            .filter(|info| has_values(info.field) && self.scope.iter().all(|(field, _)| *field != info.field))
            .filter_map(|info| {
                let names = std::iter::once(&info.name).chain(info.aliases);
                let score = names.filter_map(|name| matcher.fuzzy_match(name, typed)).max()?;
                Some((score, info.field))
            })
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.fields = scored.into_iter().map(|(_, field)| field).collect();
        self.cursor = TableCursor::default();
    }

    /// The fields that can be picked.
    pub fn fields(&self) -> &[FieldName] {
        &self.fields
    }

    /// The values that are shown, most frequent first.
    pub fn values(&self) -> impl Iterator<Item = &Group> {
        self.shown.iter().filter_map(|at| self.groups.get(*at))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        match self.stage {
            Stage::Fields => self.fields.len(),
            Stage::Values(_) => self.shown.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the selection.
    pub fn total(&self) -> usize {
        self.side.as_ref().map_or(0, |side| side.view().len())
    }

    /// A value's rows over time.
    pub fn sparkline(&self, group: &Group, span: (Micros, Micros), cells: usize) -> Vec<u32> {
        let grouping = self.side.as_ref().and_then(|side| side.groupings.first());
        grouping.map_or_else(Vec::new, |grouping| grouping.sparkline(&group.stats, span, cells))
    }

    /// The value under the cursor.
    pub fn value(&self) -> Option<(FieldName, String)> {
        let Stage::Values(field) = self.stage else { return None };
        let group = self.groups.get(*self.shown.get(self.cursor.row)?)?;
        Some((field, group.values.first()?.to_string()))
    }

    /// Goes on from the line under the cursor: from a field to its values, from a value to the next field.
    pub fn enter(&mut self) {
        match self.stage {
            Stage::Fields => {
                if let Some(field) = self.fields.get(self.cursor.row).copied() {
                    self.open(field);
                }
            }
            Stage::Values(_) => {
                if let Some(value) = self.value() {
                    self.scope.push(value);
                    self.pick_field();
                }
            }
        }
    }

    /// Lists the values of a field.
    pub fn open(&mut self, field: FieldName) {
        self.stage = Stage::Values(field);
        self.start_over();
    }

    /// Asks for a field again.
    pub fn pick_field(&mut self) {
        self.stage = Stage::Fields;
        self.start_over();
        self.find_fields();
    }

    /// One level back. Returns whether there was one.
    pub fn back(&mut self) -> bool {
        if self.searching || !self.input.value().is_empty() {
            self.searching = false;
            self.input.reset();
            self.typed();
            return true;
        }
        match (&self.stage, self.scope.pop()) {
            (Stage::Values(_), None) => self.pick_field(),
            (Stage::Values(_), Some(value)) => {
                self.scope.push(value);
                self.pick_field();
            }
            (Stage::Fields, Some((field, _))) => self.open(field),
            (Stage::Fields, None) => return false,
        }
        true
    }

    fn start_over(&mut self) {
        self.input.reset();
        self.searching = false;
        self.cursor = TableCursor::default();
        self.groups.clear();
        self.shown.clear();
        self.side = None;
        self.made_of = None;
    }

    /// Takes what was typed.
    pub fn typed(&mut self) {
        match self.stage {
            Stage::Fields => self.find_fields(),
            Stage::Values(_) => self.cursor = TableCursor::default(),
        }
    }

    /// Moves the cursor by lines.
    pub fn move_by(&mut self, rows: isize) {
        let (len, mut cursor) = (self.len(), std::mem::take(&mut self.cursor));
        cursor.move_by(rows, len, |at| self.key(at));
        self.cursor = cursor;
    }

    fn key(&self, at: usize) -> String {
        match self.stage {
            Stage::Fields => self.fields.get(at).map_or("", |field| field.info().name).to_owned(),
            Stage::Values(_) => {
                let group = self.shown.get(at).and_then(|at| self.groups.get(*at));
                group.and_then(|group| group.values.first()).map_or_else(String::new, ToString::to_string)
            }
        }
    }

    /// Begins to count among the rows that pass `filter` and the scope, or goes on.
    pub fn ask(&mut self, store: &Store, filter: &Expression, options: &ViewOptions, context: &Context) {
        let Stage::Values(field) = self.stage else { return };
        let mut expression = filter.clone();
        for (field, value) in &self.scope {
            expression = with_condition(&expression, condition_for(*field, value));
        }
        match &mut self.side {
            Some(side) => side.ask(store, &expression, options, context),
            None => self.side = Some(Side::new(store, expression, options.clone(), context, vec![by(field)])),
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

    /// Makes the lines anew where something changed, and keeps the cursor on its line.
    pub fn settle(&mut self, height: usize) {
        if let (Stage::Values(_), Some(side)) = (&self.stage, &self.side) {
            let version = side.groupings.first().map_or(0, crate::query::Grouping::version);
            let typed = self.input.value().trim().to_owned();
            let made_of = Some((version, typed));
            if self.made_of != made_of {
                if self.made_of.as_ref().is_none_or(|(before, _)| *before != version) {
                    let groups = side.groupings.first().map(|grouping| grouping.groups(SortBy::Count, true));
                    self.groups = groups.unwrap_or_default();
                }
                self.shown = found(&self.groups, self.input.value().trim());
                self.made_of = made_of;
            }
        }
        let (len, mut cursor) = (self.len(), std::mem::take(&mut self.cursor));
        cursor.settle(len, height, |at| self.key(at));
        self.cursor = cursor;
    }
}

/// Values that the typed letters fit, by how well they do, then by count; all of them where nothing is typed.
fn found(groups: &[Group], typed: &str) -> Vec<usize> {
    /// Matching takes half a microsecond a value.
    const MOST: usize = 20_000;
    if typed.is_empty() {
        return (0..groups.len()).collect();
    }
    let matcher = SkimMatcherV2::default();
    let mut scored: Vec<(i64, usize)> = groups
        .iter()
        .take(MOST)
        .enumerate()
        .filter_map(|(at, group)| Some((matcher.fuzzy_match(group.values.first()?, typed)?, at)))
        .collect();
    scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    scored.into_iter().map(|(_, at)| at).collect()
}

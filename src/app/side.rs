//! A result beside the timeline's: its own question over the same records, with the groups that are counted in it.
//! Facets, completion, statistics and the profile of one user are each a question of their own.

use crate::query::{Context, Expression, FieldName, Grouping, Plan, View, ViewOptions};
use crate::store::{Changes, Store};

/// A question, its result, and the result's groups.
#[derive(Debug)]
pub struct Side {
    expression: Expression,
    options: ViewOptions,
    /// Whether secret values could be found.
    revealed: bool,
    view: View,
    /// One for each list of fields that was asked for.
    pub groupings: Vec<Grouping>,
}

impl Side {
    /// A result of a question, grouped by each of these lists of fields.
    pub fn new(
        store: &Store,
        expression: Expression,
        options: ViewOptions,
        context: &Context,
        groupings: Vec<Grouping>,
    ) -> Side {
        let plan = Plan::compile(&expression, context);
        let mut view = View::new(Plan::everything(), options.clone());
        view.restart(store, plan, options.clone());
        Side { expression, options, revealed: context.revealed, view, groupings }
    }

    /// Asks another question, when it is another or may have another answer.
    pub fn ask(&mut self, store: &Store, expression: &Expression, options: &ViewOptions, context: &Context) {
        let other_texts = self.revealed != context.revealed && self.view.reads_text();
        if self.expression != *expression || self.options != *options || other_texts {
            self.expression = expression.clone();
            self.options = options.clone();
            self.revealed = context.revealed;
            self.view.restart(store, Plan::compile(expression, context), options.clone());
        }
    }

    /// The rows that were found.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Takes in what changed in the store.
    pub fn data_changed(&mut self, store: &Store, changes: &Changes) {
        self.view.update(store, changes);
    }

    /// Whether there is something left to look at or to count.
    pub fn has_work(&self, store: &Store) -> bool {
        !self.view.is_complete()
            || self.groupings.iter().any(|grouping| grouping.is_behind(store, &self.view))
    }

    /// Goes on until `more` says no, but for one step at least.
    pub fn work(&mut self, store: &Store, context: &Context, mut more: impl FnMut() -> bool) {
        let goes_on = self.view.is_complete() || (self.view.advance(store, &mut more) && more());
        if !goes_on {
            return;
        }
        for grouping in &mut self.groupings {
            grouping.update(store, &self.view, context, &mut more);
        }
    }
}

/// A grouping by one field.
pub fn by(field: FieldName) -> Grouping {
    Grouping::new(vec![field], Vec::new())
}

//! Changing the filter: as it is typed, by the value under the cursor, condition by condition.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::backend::crossterm::EventHandler;

use super::keymap::Key;
use super::timeline::Column;
use super::{App, Effect, Focus, Menu, Mode, Screen, menus};
use crate::model::EventId;
use crate::query::{Change, Expression, FieldName, Node, Target, with_value};
use crate::redact;

impl App {
    /// Takes the value under the cursor into the filter.
    pub(super) fn edit_by_value(&mut self, change: Change) {
        let Some((target, value)) = self.value_under_cursor() else {
            return self.say_wrong("there is no filter for this value".into());
        };
        if redact::holds_mark(&value) {
            return self.say_masked();
        }
        if value.is_empty() {
            return self.say_wrong(format!("this event has no {target}"));
        }
        self.take_value(target, &value, change);
    }

    /// Why a value is not taken into the filter: no row would match what stands in its place.
    pub(super) fn say_masked(&mut self) {
        self.say_wrong("this value is masked: it cannot be filtered by".into());
    }

    /// Takes a value into the filter: included, excluded, or the only one of its field.
    pub(super) fn take_value(&mut self, target: impl Into<Target>, value: &str, change: Change) {
        let expression = with_value(&self.filter_bar.applied, target, value, change);
        self.set_filter(expression);
        self.say(format!("filter: {}", self.filter_bar.text()));
    }

    /// Puts another filter in force, and remembers it.
    pub(super) fn set_filter(&mut self, expression: Expression) {
        self.filter_bar.set(expression);
        self.filter_in_force();
    }

    /// The list of conditions, each of which can be switched off.
    pub(super) fn conditions_menu(&self, cursor: usize) -> Menu {
        let bar = &self.filter_bar;
        let conditions: Vec<(String, bool)> =
            bar.applied.conditions().iter().map(|c| (c.to_string(), !bar.is_off(c))).collect();
        menus::conditions(&conditions, cursor)
    }

    /// Keys in the list of conditions. Returns whether the key was one of them.
    pub(super) fn condition_key(&mut self, menu: &Menu, key: Key) -> bool {
        let conditions = self.filter_bar.applied.conditions().to_vec();
        let Some(condition) = conditions.get(menu.cursor) else { return false };
        match key.code {
            KeyCode::Char(' ') | KeyCode::Enter => self.filter_bar.toggle(condition),
            KeyCode::Char('d') | KeyCode::Delete if !key.control => {
                let kept = conditions.iter().enumerate().filter(|(at, _)| *at != menu.cursor);
                let kept: Vec<Node> = kept.map(|(_, condition)| condition.clone()).collect();
                self.filter_bar.set(Expression::all_of(kept));
            }
            _ => return false,
        }
        self.filter_in_force();
        if !self.filter_bar.applied.conditions().is_empty() {
            self.mode = Mode::Menu(self.conditions_menu(menu.cursor));
        }
        true
    }

    /// The field and value that `+`, `-` and `=` act on.
    pub fn value_under_cursor(&self) -> Option<(Target, String)> {
        if self.screen != Screen::Timeline {
            return self.value_in_table().map(|(field, value)| (field.into(), value));
        }
        if self.focus == Focus::Detail
            && let Some(detail) = &self.detail
        {
            let line = detail.tree.lines().get(detail.line()?)?;
            return Some((line.target.clone()?, line.value.clone()));
        }
        let id = self.timeline.selected_in(&self.view)?;
        let segment = self.store.segment(id)?;
        let column = self.timeline.column;
        let field = match column {
            Column::Code => FieldName::Code,
            Column::Verb => FieldName::Verb,
            Column::Resource => FieldName::Resource,
            Column::Namespace => FieldName::Namespace,
            Column::Name => FieldName::Name,
            Column::User => FieldName::User,
            Column::SourceIp => FieldName::SourceIp,
            Column::UserAgent => FieldName::UserAgent,
            Column::Source => FieldName::Source,
        };
        let source = self.sources.get(&segment.source()).map_or("", |log| log.description.name.as_str());
        Some((field.into(), column.value(segment, id.row(), source)))
    }

    pub(super) fn filter_key(&mut self, event: KeyEvent) -> Vec<Effect> {
        let key = Key::of(event);
        match (key.code, key.control) {
            (KeyCode::Tab, _) => self.take_suggestion(),
            (KeyCode::Enter, _) if self.suggestions.moved => self.take_suggestion(),
            (KeyCode::Enter, _) => {
                if let Some(problem) = self.filter_bar.problem.clone() {
                    // Staying here lets the mistake be mended; Esc leaves.
                    let near = problem.suggestion.map(|s| format!("; did you mean {s}?")).unwrap_or_default();
                    self.say_wrong(format!("{}{near}", problem.message));
                    return Vec::new();
                }
                self.filter_bar.keep();
                self.leave_filter();
            }
            (KeyCode::Esc, _) => {
                self.filter_bar.revert();
                self.leave_filter();
                // Nothing was asked for in the end: neither the filter nor the row is another one.
                let is_held = |id: &EventId| self.store.segment(*id).is_some();
                if let Some(id) = self.row_before_filter.take().filter(is_held) {
                    self.timeline.select(id, &self.store);
                }
                self.filter_in_force();
            }
            (KeyCode::Up, _) if self.suggestions.moved => self.suggestions.move_by(-1),
            (KeyCode::Up, _) => {
                self.filter_bar.recall(true);
                self.filter_changed();
            }
            (KeyCode::Down, _) if self.filter_bar.is_recalling() => {
                self.filter_bar.recall(false);
                self.filter_changed();
            }
            // The first is chosen by Tab already.
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => {
                self.suggestions.move_by(isize::from(self.suggestions.moved));
            }
            (KeyCode::BackTab, _) | (KeyCode::Char('p'), true) => self.suggestions.move_by(-1),
            _ => {
                let before = self.filter_bar.input.cursor();
                let change = self.filter_bar.input.handle_event(&Event::Key(event));
                if change.is_some_and(|change| change.value) {
                    self.filter_changed();
                } else if self.filter_bar.input.cursor() != before {
                    self.suggest();
                }
            }
        }
        self.after_view_change();
        Vec::new()
    }

    fn leave_filter(&mut self) {
        self.mode = Mode::Normal;
        self.suggestions.close();
    }

    fn take_suggestion(&mut self) {
        let text = self.filter_bar.input.value().to_owned();
        if let Some((text, cursor)) = self.suggestions.take(&text, &self.config.named_filters) {
            self.filter_bar.replace(text, cursor);
            self.filter_changed();
        }
    }

    /// Offers what may be typed next.
    pub(super) fn suggest(&mut self) {
        let (options, context) = (self.view_options(), self.context());
        let input = &self.filter_bar.input;
        self.suggestions.typed(input.value(), input.cursor(), &self.store, &options, &context);
        self.after_view_change();
    }

    pub(super) fn filter_changed(&mut self) {
        if self.filter_bar.typed() {
            self.filter_in_force();
        }
        self.suggest();
    }

    /// Shows what passes the filter now. Where it only takes away from what was shown, that bounds the search.
    pub(super) fn filter_in_force(&mut self) {
        self.refilter();
        self.after_view_change();
    }
}

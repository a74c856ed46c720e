//! The screens beside the timeline, and how one goes from one to the other: what keys mean in their tables, what is
//! counted for them, and going down to the events behind a row and back up.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::backend::crossterm::EventHandler;

use super::action::Action;
use super::facets::{Facets, Stage};
use super::keymap::Key;
use super::object::ObjectScreen;
use super::side::Side;
use super::statistics::{Question, Shape};
use super::story::Story;
use super::{App, Effect, Focus, Mode, Placement, menus};
use crate::model::{EventId, Micros, format_rfc3339, parse_user_time};
use crate::query::{
    Change, Expression, FieldName, Node, Target, View, ViewOptions, absence_of, condition_by_or_as,
    condition_for, has_values, parse_target, with_condition, with_value,
};
use crate::redact;
use crate::store::Changes;
use crate::trace::credential_told;

/// What fills the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Screen {
    /// The rows of the log.
    #[default]
    Timeline,
    /// Who was active.
    Users,
    /// What the rules of detection found.
    Alerts,
    /// The rules themselves.
    Rules,
    /// Counts by any fields.
    Statistics,
    /// The history of one object.
    Object,
    /// An answer about one event.
    Story,
}

impl Screen {
    /// All of them with their keys.
    pub const ALL: [(char, Screen); 5] = [
        ('1', Screen::Timeline),
        ('2', Screen::Users),
        ('3', Screen::Alerts),
        ('4', Screen::Object),
        ('5', Screen::Statistics),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Screen::Timeline => "Timeline",
            Screen::Users => "Users",
            Screen::Alerts => "Alerts",
            Screen::Rules => "Rules",
            Screen::Statistics => "Statistics",
            Screen::Object => "Object",
            Screen::Story => "Analysis",
        }
    }
}

/// A place that one came from, and what was shown there.
#[derive(Debug)]
pub(super) struct CameFrom {
    screen: Screen,
    filter: Expression,
    off: Vec<Node>,
    fold_routine: bool,
    selected: Option<EventId>,
    story: Option<Story>,
    object: ObjectScreen,
}

/// Places that are remembered at most; the way back from further ones ends there.
const LONGEST_WAY: usize = 32;

impl App {
    /// What is shown besides the filter.
    pub(super) fn view_options(&self) -> ViewOptions {
        ViewOptions {
            all_stages: self.all_stages,
            fold_routine: self.fold_routine,
            range: self.range,
            only: self.marks_only.then(|| self.marks.clone()),
        }
    }

    /// The rows that pass the filter.
    pub fn result(&self) -> &View {
        self.matches.as_ref().unwrap_or(&self.view)
    }

    /// Goes to a screen.
    pub(super) fn show(&mut self, screen: Screen) {
        if self.screen != screen {
            self.screen_before = self.screen;
            self.screen = screen;
            // What filled the screen there is not what one comes here for.
            if self.placement == Placement::Full {
                self.placement = Placement::Below;
            }
        }
        self.opened = false;
        self.focus = Focus::Rows;
        self.relayout();
    }

    /// Goes to a screen by its own key: nothing leads back to the table that one came down from.
    pub(super) fn switch_to(&mut self, screen: Screen) {
        self.came_from.clear();
        self.show(screen);
    }

    /// Asks a question on the statistics screen.
    pub(super) fn show_statistics(&mut self, question: Question) {
        self.statistics.open(question);
        self.switch_to(Screen::Statistics);
    }

    /// Shows the rows behind a line of a table; [`Self::come_up`] leads back.
    fn go_down(&mut self, filter: Expression, wanted: &[Node]) {
        // What a table counted is shown, also where it is left out as routine otherwise.
        let unfolds = self.screen == Screen::Statistics && self.statistics.question.shape == Shape::Changes;
        self.go_down_to(filter, wanted, unfolds);
    }

    /// Shows the rows that pass a filter, and routine ones among them where it `unfolds`; [`Self::come_up`] leads back.
    pub(super) fn go_down_to(&mut self, filter: Expression, wanted: &[Node], unfolds: bool) {
        self.remember_way();
        self.fold_routine &= !unfolds;
        self.show(Screen::Timeline);
        // A condition that the row stands for may be there and switched off.
        let off = self.filter_bar.off().iter().filter(|off| !wanted.contains(off)).cloned().collect();
        self.filter_bar.switch_off(off);
        self.set_filter(filter);
        self.timeline.follow();
        self.say("Esc leads back".into());
    }

    /// Remembers what is shown now, so that [`Self::come_up`] leads back to it.
    pub(super) fn remember_way(&mut self) {
        if self.came_from.len() >= LONGEST_WAY {
            self.came_from.remove(0);
        }
        self.came_from.push(CameFrom {
            screen: self.screen,
            filter: self.filter_bar.applied.clone(),
            off: self.filter_bar.off().to_vec(),
            fold_routine: self.fold_routine,
            selected: self.timeline.selected().filter(|_| !self.timeline.following),
            story: self.story.clone(),
            object: self.object.clone(),
        });
    }

    /// Back to where one came from, with the filter as it was there. Returns whether there is such a place.
    pub(super) fn come_up(&mut self) -> bool {
        let Some(place) = self.came_from.pop() else { return false };
        let is_other = place.filter != self.filter_bar.applied
            || place.off != self.filter_bar.off()
            || place.fold_routine != self.fold_routine;
        self.fold_routine = place.fold_routine;
        self.filter_bar.switch_off(place.off);
        if is_other {
            self.set_filter(place.filter);
        }
        self.story = place.story;
        self.object = place.object;
        self.show(place.screen);
        if let Some(id) = place.selected.filter(|_| place.screen == Screen::Timeline) {
            self.timeline.select(id, &self.store);
            self.after_view_change();
        }
        true
    }

    /// Shows all rows, if those that are shown now leave this one out.
    pub(super) fn show_everything_for(&mut self, id: EventId) {
        self.fold_routine = false;
        self.restart_views();
        self.view.advance(&self.store, || true);
        if !self.store.stages(id).into_iter().any(|stage| self.view.contains(stage)) {
            self.marks_only = false;
            self.range = None;
            self.set_filter(Expression::default());
            self.view.advance(&self.store, || true);
        }
    }

    /// What keys mean in a table. Returns whether it was meant for it.
    pub(super) fn perform_in_table(&mut self, action: Action) -> bool {
        let page = isize::from(i16::try_from(self.layout.rows.height).unwrap_or(i16::MAX)).max(1);
        let rows = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::HalfPageDown => page / 2,
            Action::HalfPageUp => -page / 2,
            Action::PageDown => page,
            Action::PageUp => -page,
            Action::First => isize::MIN,
            Action::Follow => isize::MAX,
            _ => 0,
        };
        match (action, self.screen) {
            (_, Screen::Timeline) => return false,
            (Action::Back | Action::Quit, Screen::Object | Screen::Story) => {
                if !self.come_up() {
                    self.show(Screen::Timeline);
                }
            }
            (_, Screen::Object | Screen::Story) => return self.perform_in_analysis(action, rows),
            (_, Screen::Alerts | Screen::Rules) => return self.perform_in_alerts(action, rows),
            (_, Screen::Users) if rows != 0 => self.users.move_by(rows),
            (_, Screen::Statistics) if rows != 0 => self.statistics.move_by(rows),
            (Action::ColumnLeft | Action::ColumnRight, Screen::Users) => {
                self.users.sort_beside(action == Action::ColumnRight);
            }
            (Action::ColumnLeft | Action::ColumnRight, Screen::Statistics) => {
                self.statistics.sort_beside(action == Action::ColumnRight);
            }
            (Action::NextStage, Screen::Users) => self.users.descending = !self.users.descending,
            (Action::NextStage, Screen::Statistics) => self.statistics.sort_by(self.statistics.sort),
            (Action::NextPane, Screen::Statistics) => self.statistics.next_preset(),
            (Action::Open, Screen::Users) => self.open_user(),
            (Action::Open, Screen::Statistics) => self.open_group(),
            (Action::Back, _) => self.show(Screen::Timeline),
            (
                Action::NextPane
                | Action::Mark
                | Action::CyclePlacement
                | Action::NextMatch
                | Action::PreviousMatch,
                _,
            ) => {}
            _ => return false,
        }
        true
    }

    fn open_user(&mut self) {
        if self.users.toggle() {
            return;
        }
        if let Some(actor) = self.users.selected() {
            if redact::holds_mark(&actor.name) {
                return self.say_masked();
            }
            let condition = condition_by_or_as(&actor.name);
            let filter = with_condition(&self.filter_bar.applied, condition.clone());
            self.go_down(filter, &[condition]);
        }
    }

    fn open_group(&mut self) {
        if self.statistics.question.shape == Shape::Slowest {
            let Some(slow) = self.statistics.slow().get(self.statistics.cursor.row) else { return };
            let id = slow.id;
            self.go_down(self.filter_bar.applied.clone(), &[]);
            self.timeline.select(id, &self.store);
            return;
        }
        if self.statistics.is_empty() {
            return;
        }
        if self.statistics.is_masked() {
            return self.say_masked();
        }
        let mut filter = self.filter_bar.applied.clone();
        let wanted = self.statistics.conditions();
        for condition in &wanted {
            filter = with_condition(&filter, condition.clone());
        }
        self.go_down(filter, &wanted);
    }

    /// The field and value that `+`, `-` and `=` act on in a table.
    pub(super) fn value_in_table(&self) -> Option<(FieldName, String)> {
        match self.screen {
            Screen::Timeline | Screen::Object | Screen::Rules => None,
            Screen::Story => {
                let credential = credential_told(self.story.as_ref()?.line()?)?;
                Some((FieldName::Credential, credential.to_owned()))
            }
            Screen::Alerts => self.alert_table.value(self.watch.board.as_ref()?),
            Screen::Users => self.users.selected().map(|actor| (FieldName::User, actor.name.to_string())),
            Screen::Statistics => self.statistics.value(),
        }
    }

    /// Begins what the screen that is shown needs to have counted.
    pub(super) fn ask_for_screen(&mut self) {
        let (filter, options, context) = (self.filter_bar.effective(), self.view_options(), self.context());
        match self.screen {
            Screen::Timeline | Screen::Object | Screen::Story | Screen::Alerts | Screen::Rules => {}
            Screen::Users => self.users.open_profile(&self.store, &filter, &options, &context),
            Screen::Statistics => self.statistics.ask(&self.store, &filter, &options, &context),
        }
        if let Mode::Facets(facets) = &mut self.mode {
            facets.ask(&self.store, &filter, &options, &context);
        }
    }

    /// Brings the tables in step with what was counted.
    pub(super) fn settle_tables(&mut self) {
        let height = usize::from(self.layout.rows.height);
        match self.screen {
            Screen::Timeline | Screen::Object | Screen::Story | Screen::Alerts | Screen::Rules => {}
            Screen::Users => self.users.settle(height),
            Screen::Statistics => self.statistics.settle(&self.store, height.saturating_sub(1)),
        }
        self.ask_for_screen();
        let inside = self.facets_height();
        match &mut self.mode {
            Mode::Facets(facets) => facets.settle(inside),
            Mode::Filter => self.suggestions.settle(&self.config.named_filters),
            _ => {}
        }
    }

    /// Whether tables have something left to be counted.
    pub(super) fn tables_have_work(&self) -> bool {
        let on_screen = match self.screen {
            Screen::Timeline | Screen::Object | Screen::Story | Screen::Alerts | Screen::Rules => false,
            Screen::Users => self.users.has_work(&self.store, self.result()),
            Screen::Statistics => self.statistics.has_work(&self.store),
        };
        on_screen
            || match &self.mode {
                Mode::Facets(facets) => facets.has_work(&self.store),
                Mode::Filter => self.suggestions.has_work(&self.store),
                _ => false,
            }
    }

    /// Counts on until `more` says no.
    pub(super) fn work_on_tables(&mut self, mut more: impl FnMut() -> bool) {
        if !self.tables_have_work() {
            return;
        }
        let context = self.context();
        let view = self.matches.as_ref().unwrap_or(&self.view);
        match self.screen {
            Screen::Timeline | Screen::Object | Screen::Story | Screen::Alerts | Screen::Rules => {}
            Screen::Users => self.users.work(&self.store, view, &context, &mut more),
            Screen::Statistics => self.statistics.work(&self.store, &context, &mut more),
        }
        let side = match &mut self.mode {
            Mode::Facets(facets) => facets.side(),
            Mode::Filter => self.suggestions.side(),
            _ => None,
        };
        if let Some(side) = side {
            side.work(&self.store, &context, &mut more);
        }
    }

    /// Tells every result beside the timeline's what changed in the store.
    pub(super) fn sides_changed(&mut self, changes: &Changes) {
        let facets = match &mut self.mode {
            Mode::Facets(facets) => facets.side(),
            _ => None,
        };
        let sides: [Option<&mut Side>; 4] =
            [self.users.side(), self.statistics.side(), self.suggestions.side(), facets];
        for side in sides.into_iter().flatten() {
            side.data_changed(&self.store, changes);
        }
    }

    /// Lines of the facets that are seen at once.
    pub(super) fn facets_height(&self) -> usize {
        usize::from(self.size.1.saturating_sub(8)).max(3)
    }

    pub(super) fn open_facets(&mut self, field: Option<FieldName>) {
        let mut facets = Facets::default();
        if let Some(field) = field {
            facets.open(field);
        }
        self.mode = Mode::Facets(Box::new(facets));
        // What is listed must be counted now, not at the next key.
        self.after_view_change();
    }

    /// Keys in the facets.
    pub(super) fn facets_key(&mut self, mut facets: Box<Facets>, event: KeyEvent) -> Vec<Effect> {
        let key = Key::of(event);
        let page = self.facets_height() as isize;
        let typing = matches!(facets.stage, Stage::Fields) || facets.searching;
        let change = match key.code {
            KeyCode::Char('+') => Some(Change::Include),
            KeyCode::Char('-') => Some(Change::Exclude),
            KeyCode::Char('=') => Some(Change::Only),
            _ => None,
        };
        match (key.code, key.control) {
            (KeyCode::Esc, _) if !facets.back() => return Vec::new(),
            (KeyCode::Esc, _) => {}
            (KeyCode::Enter, _) if facets.searching => facets.searching = false,
            (KeyCode::Enter, _) if facets.value().is_some_and(|(_, value)| redact::holds_mark(&value)) => {
                self.say_masked();
            }
            (KeyCode::Enter, _) => facets.enter(),
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => facets.move_by(1),
            (KeyCode::Up, _) | (KeyCode::Char('p'), true) => facets.move_by(-1),
            (KeyCode::PageDown, _) | (KeyCode::Char('f' | 'd'), true) => facets.move_by(page),
            (KeyCode::PageUp, _) | (KeyCode::Char('b' | 'u'), true) => facets.move_by(-page),
            (KeyCode::Char('j'), false) if !typing => facets.move_by(1),
            (KeyCode::Char('k'), false) if !typing => facets.move_by(-1),
            (KeyCode::Char('g'), false) if !typing => facets.move_by(isize::MIN),
            (KeyCode::Char('G'), false) if !typing => facets.move_by(isize::MAX),
            (KeyCode::Char('/'), false) if !typing => facets.searching = true,
            (KeyCode::Char('f'), false) if !typing => facets.pick_field(),
            (KeyCode::Char('q'), false) if !typing => return Vec::new(),
            _ if !typing && change.is_some() => self.take_facet(&facets, change),
            _ if typing => {
                let change = facets.input.handle_event(&Event::Key(event));
                if change.is_some_and(|change| change.value) {
                    facets.typed();
                }
            }
            _ => {}
        }
        self.mode = Mode::Facets(facets);
        self.after_view_change();
        Vec::new()
    }

    /// The value goes into the filter, and with it what was gone into on the way to it.
    fn take_facet(&mut self, facets: &Facets, change: Option<Change>) {
        let (Some((field, value)), Some(change)) = (facets.value(), change) else { return };
        if redact::holds_mark(&value) {
            return self.say_masked();
        }
        let scope = facets.scope.iter().map(|(field, value)| condition_for(*field, value));
        let filter = self.filter_bar.applied.clone();
        if change == Change::Exclude && !facets.scope.is_empty() {
            // Only the rows that have all of it: the value alone would take more away than was counted.
            let all = scope.chain([condition_for(field, &value)]).collect();
            return self.set_filter(with_condition(&filter, Node::Not(Box::new(Node::And(all)))));
        }
        let filter = scope.fold(filter, |filter, condition| with_condition(&filter, condition));
        if value.is_empty() && change != Change::Only {
            // Absence is a condition of its own, which no list of values can hold.
            let absent = absence_of(field);
            let condition = if change == Change::Exclude { Node::Not(Box::new(absent)) } else { absent };
            self.set_filter(with_condition(&filter, condition));
        } else {
            self.set_filter(with_value(&filter, field, &value, change));
            self.say(format!("filter: {}", self.filter_bar.text()));
        }
    }

    /// `:by user,verb`
    pub(super) fn group_by(&mut self, text: &str) {
        let mut fields = Vec::new();
        for name in text.split([',', ' ']).filter(|name| !name.is_empty()) {
            match parse_target(name) {
                Ok(Target::Field(field)) if has_values(field) => fields.push(field),
                Ok(_) => {
                    return self.say_wrong(format!("rows cannot be grouped by {name}; try :by user,verb"));
                }
                Err(problem) => {
                    let near =
                        problem.suggestion.map(|s| format!("; did you mean {}?", s.trim_end_matches(':')));
                    return self.say_wrong(format!("{}{}", problem.message, near.unwrap_or_default()));
                }
            }
        }
        match fields.as_slice() {
            [] => self.say("name one or more fields: :by user,verb".into()),
            [_, _, _, _, _, ..] => self.say_wrong("at most four fields at once".into()),
            fields => self.show_statistics(Question::by(fields)),
        }
    }

    /// `:changes -10m`, counted back from the end of the range where one is set; `:changes 21:49 21:59` sets the range as
    /// well. Without a time, the changes in the range, or else the latest ones.
    pub(super) fn changes_since(&mut self, text: &str) {
        if text.is_empty() && self.range_is_own {
            return self.show_statistics(Question::changes(""));
        }
        let since = if text.is_empty() { "-10m" } else { text };
        let context = self.context();
        let end = self.range.map(|(_, until)| until).filter(|until| *until < Micros::MAX);
        let (reference, newest) = end.map_or((context.reference, context.newest), |end| (end, end));
        match parse_user_time(since, reference, newest, context.zone) {
            Ok(time) if end.is_some() => self.show_statistics(Question::changes(&format_rfc3339(time))),
            Ok(_) => self.show_statistics(Question::changes(since)),
            Err(_) if since.contains(' ') => {
                if self.range_command(since) {
                    self.show_statistics(Question::changes(""));
                }
            }
            Err(problem) => self.say_wrong(problem),
        }
    }

    /// `:filters`: the named filters of the configuration.
    pub(super) fn named_filters(&mut self) {
        if self.config.named_filters.is_empty() {
            return self.say("the configuration names no filter; see [filters] in it".into());
        }
        self.mode = Mode::Menu(menus::named_filters(&self.config.named_filters));
    }
}

//! What each action does.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::action::Action;
use super::detail::Detail;
use super::keymap::Key;
use super::{App, Effect, Focus, Menu, MenuKind, Mode, Prompt, PromptKind, Screen, TimeStyle, menus};
use crate::detect::AckKind;
use crate::model::{
    EventId, SourceId, TimeZoneChoice, is_mutating_subresource, is_write_in_any_log, parse_user_time,
};
use crate::query::{Change, Target, has_values, parse, parse_target};
use crate::store::{Field, Segment};
use crate::text::common_beginning;

impl App {
    pub(super) fn perform(&mut self, action: Action) -> Vec<Effect> {
        if self.focus == Focus::Detail && self.detail.is_some() && self.perform_in_detail(action) {
            return Vec::new();
        }
        if self.focus == Focus::Histogram && self.perform_in_histogram(action) {
            self.after_view_change();
            return Vec::new();
        }
        if self.screen == Screen::Alerts && action == Action::Mark {
            return self.acknowledge_or_take_back();
        }
        if self.screen != Screen::Timeline && self.perform_in_table(action) {
            self.after_view_change();
            return Vec::new();
        }
        let height = usize::from(self.layout.rows.height).max(1);
        match action {
            Action::ShowTimeline => self.switch_to(Screen::Timeline),
            Action::ShowUsers => self.switch_to(Screen::Users),
            Action::ShowAlerts => self.show_alerts(),
            Action::ShowRules => {
                self.remember_way();
                self.show(Screen::Rules);
            }
            Action::GroupAlerts | Action::Deal => self.say("this is for the alerts: 3".into()),
            Action::ShowStatistics => self.switch_to(Screen::Statistics),
            Action::ShowObject => {
                self.refresh_object();
                self.switch_to(Screen::Object);
            }
            Action::History | Action::Chain | Action::Access | Action::Session => self.analyse(action),
            Action::StepForward | Action::StepBack => self.step(action == Action::StepForward),
            Action::Save => self.begin_save(),
            Action::OpenLog => self.say("write the log behind it: :open /path/to/audit.log".into()),
            Action::CloseLog => {
                self.say("write the log behind it, as :sources calls it: :close audit.log".into())
            }
            Action::Note => self.say("write the note behind it: :note what was found here".into()),
            Action::PreviousScreen => self.switch_to(self.screen_before),
            Action::Facets => self.open_facets(None),
            Action::GroupBy => self.say("name one or more fields: :by user,verb".into()),
            Action::Changes => self.changes_since(""),
            Action::NamedFilters => self.named_filters(),
            Action::Mutes => self.list_mutes(),
            Action::Down => self.move_rows(1),
            Action::Up => self.move_rows(-1),
            Action::HalfPageDown => self.page_rows(height as isize / 2),
            Action::HalfPageUp => self.page_rows(-(height as isize / 2)),
            Action::PageDown => self.page_rows(height as isize),
            Action::PageUp => self.page_rows(-(height as isize)),
            Action::First => {
                self.timeline.go_to(0, &self.store, &self.view, height);
                if self.is_loading() {
                    self.say("oldest event read so far; older history is still being read".into());
                }
            }
            Action::Follow => self.timeline.follow(),
            Action::ColumnLeft | Action::ColumnRight => {
                let right = action == Action::ColumnRight;
                self.timeline.column = self.timeline.column.beside(right, self.sources.len() > 1);
            }
            Action::Open => self.open_detail(),
            Action::Back => {
                self.back();
            }
            Action::Quit => {
                if !self.back() {
                    return vec![Effect::Quit];
                }
            }
            Action::QuitNow => return vec![Effect::Quit],
            Action::EditFilter if self.screen == Screen::Rules => {
                self.mode = Mode::Prompt(Prompt::new(PromptKind::FindRule));
            }
            Action::EditFilter => {
                self.row_before_filter = self.timeline.selected().filter(|_| !self.timeline.following);
                self.filter_bar.begin();
                self.mode = Mode::Filter;
                self.suggest();
            }
            Action::Conditions if self.filter_bar.applied.conditions().is_empty() => {
                self.say("there is no condition; / edits the filter".into());
            }
            Action::Conditions => self.mode = Mode::Menu(self.conditions_menu(0)),
            Action::ClearFilter => {
                self.set_filter(crate::query::Expression::default());
            }
            Action::NextMatch => self.jump_match(true),
            Action::PreviousMatch => self.jump_match(false),
            Action::ToggleNarrow => {
                // The newest match need not be the newest row: following would go elsewhere.
                if self.filter_bar.effective().root.is_some() {
                    self.hold_selection();
                }
                self.filter_bar.narrow = !self.filter_bar.narrow;
                self.restart_views();
            }
            Action::Include => self.edit_by_value(Change::Include),
            Action::Exclude => self.edit_by_value(Change::Exclude),
            Action::Only => self.edit_by_value(Change::Only),
            Action::ToggleRoutine => {
                self.fold_routine = !self.fold_routine;
                self.restart_views();
                self.say(
                    if self.fold_routine { "routine traffic hidden" } else { "routine traffic shown" }.into(),
                );
            }
            Action::ToggleStages => {
                self.all_stages = !self.all_stages;
                self.restart_views();
                self.say(if self.all_stages { "every stage is a row" } else { "one row a request" }.into());
            }
            Action::GoToTime => self.mode = Mode::Prompt(Prompt::new(PromptKind::Time)),
            Action::FocusHistogram
            | Action::BarLeft
            | Action::BarRight
            | Action::SelectBars
            | Action::ZoomIn
            | Action::ZoomOut
            | Action::ShiftBack
            | Action::ShiftForward
            | Action::CompareDayAgo => self.perform_on_histogram(action),
            Action::ClearRange if self.clear_range() => {}
            Action::ClearRange => {
                self.say("no range was set; :range 03:00 03:10 or :range -10m sets one".into())
            }
            Action::CycleTime => self.cycle_time(),
            Action::NextAlert => self.go_to_alert(true),
            Action::PreviousAlert => self.go_to_alert(false),
            Action::NextFailure => self.jump(true, "failure", |s, row| s.code(row) >= 400),
            Action::PreviousFailure => self.jump(false, "failure", |s, row| s.code(row) >= 400),
            Action::NextWrite => self.jump(true, "write", is_write),
            Action::PreviousWrite => self.jump(false, "write", is_write),
            Action::NextSameObject => self.jump_same(true, "event on this object", same_object),
            Action::PreviousSameObject => self.jump_same(false, "event on this object", same_object),
            Action::NextSameUser => self.jump_same(true, "event by this user", same_user),
            Action::PreviousSameUser => self.jump_same(false, "event by this user", same_user),
            Action::Mark => self.mark(),
            Action::ToggleMarksOnly => self.toggle_marks_only(),
            Action::MarkList => self.mode = Mode::Menu(self.marks_menu()),
            Action::CopyMenu => {
                self.hold_selection();
                self.mode = Mode::Menu(self.copy_menu());
            }
            Action::CyclePlacement => {
                self.placement = self.placement.next();
                self.say(format!("detail: {}", self.placement.name()));
                self.opened = self.placement == super::Placement::Full;
                self.focus = if self.opened { Focus::Detail } else { Focus::Rows };
                self.relayout();
            }
            Action::NextPane => {
                if self.layout.detail.height > 0 && self.layout.rows.height > 0 {
                    self.hold_selection();
                    self.focus = if self.focus == Focus::Rows { Focus::Detail } else { Focus::Rows };
                } else {
                    self.open_detail();
                }
            }
            Action::ToggleReveal => {
                self.revealed = !self.revealed;
                // Masked values could not be found, revealed ones can.
                if self.result().reads_text() {
                    self.restart_views();
                }
                let text = if self.revealed {
                    "secret values are shown until r or the end"
                } else {
                    "secret values are masked"
                };
                self.say(text.into());
                self.refresh_analysis();
            }
            Action::NextStage => self.open_detail(),
            Action::Command => self.mode = Mode::Prompt(Prompt::new(PromptKind::Command)),
            Action::Palette => self.mode = Mode::Menu(menus::palette()),
            Action::Help => self.mode = Mode::Menu(menus::help_menu()),
            Action::Notices => self.mode = Mode::Menu(self.notices_menu()),
            Action::Sources => self.mode = Mode::Menu(self.sources_menu()),
            Action::Repaint => return vec![Effect::Repaint],
            Action::Suspend => return vec![Effect::Suspend],
        }
        self.after_view_change();
        Vec::new()
    }

    /// Actions that mean the tree while the detail has the keys. Returns whether this was one.
    fn perform_in_detail(&mut self, action: Action) -> bool {
        let page = isize::from(i16::try_from(self.layout.detail.height).unwrap_or(i16::MAX)) - 2;
        let Some(detail) = &mut self.detail else { return false };
        match action {
            Action::Down => detail.move_by(1),
            Action::Up => detail.move_by(-1),
            Action::HalfPageDown => detail.move_by(page / 2),
            Action::HalfPageUp => detail.move_by(-page / 2),
            Action::PageDown => detail.move_by(page),
            Action::PageUp => detail.move_by(-page),
            Action::First => detail.move_by(isize::MIN),
            Action::Open => detail.toggle(),
            Action::NextStage => self.next_stage(),
            Action::EditFilter => self.mode = Mode::Prompt(Prompt::new(PromptKind::Search)),
            Action::NextMatch | Action::PreviousMatch if !detail.search.is_empty() => {
                if !detail.find(action == Action::NextMatch) {
                    let text = format!("nothing in this event holds {}", detail.search);
                    self.say_wrong(text);
                }
            }
            _ => return false,
        }
        true
    }

    fn next_stage(&mut self) {
        let Some(detail) = &self.detail else { return };
        let at = detail.stages.iter().position(|id| *id == detail.id).unwrap_or(0);
        let Some(next) = detail.stages.get((at + 1) % detail.stages.len().max(1)).copied() else { return };
        if next == detail.id {
            self.say("this is the only record of the request".into());
            return;
        }
        if let Some(opened) = Detail::open(&self.store, next, self.revealed) {
            let stage = self.store.segment(next).map_or("", |s| s.facts(next.row()).stage().name());
            self.detail = Some(opened);
            self.say(format!("stage {stage}"));
        }
    }

    fn open_detail(&mut self) {
        if self.timeline.selected_in(&self.view).is_none() {
            return;
        }
        self.hold_selection();
        self.opened = true;
        self.focus = Focus::Detail;
        self.relayout();
    }

    /// What is read or about to be copied must not change under the reader: following is suspended.
    fn hold_selection(&mut self) {
        if let Some(id) = self.timeline.selected_in(&self.view) {
            self.timeline.select(id, &self.store);
        }
    }

    /// One level back. Returns whether there was one.
    fn back(&mut self) -> bool {
        if self.back_in_histogram() {
            return true;
        }
        if self.opened || self.focus == Focus::Detail {
            self.opened = false;
            self.focus = Focus::Rows;
            if self.placement == super::Placement::Full {
                self.placement = super::Placement::Below;
            }
            self.relayout();
            return true;
        }
        if self.come_up() {
            return true;
        }
        if self.marks_only {
            self.toggle_marks_only();
            return true;
        }
        self.clear_range()
    }

    fn move_rows(&mut self, rows: isize) {
        let height = usize::from(self.layout.rows.height).max(1);
        self.timeline.move_by(rows, &self.store, &self.view, height);
    }

    fn page_rows(&mut self, rows: isize) {
        let height = usize::from(self.layout.rows.height).max(1);
        self.timeline.page_by(rows, &self.store, &self.view, height);
    }

    fn go_to(&mut self, position: usize) {
        let height = usize::from(self.layout.rows.height).max(1);
        self.timeline.go_to(position, &self.store, &self.view, height);
    }

    fn jump(&mut self, forward: bool, what: &str, test: impl Fn(&Segment, u32) -> bool) {
        let from = self.timeline.position;
        match self.view.find(&self.store, from, forward, |segment, id| test(segment, id.row())) {
            Some(position) => self.go_to(position),
            None => {
                let way = if forward { "below" } else { "above" };
                let loading =
                    if !forward && self.is_loading() { "; older history is still being read" } else { "" };
                self.say(format!("no {what} {way}{loading}"));
            }
        }
    }

    fn jump_same(&mut self, forward: bool, what: &str, key: fn(&Segment, u32) -> Vec<String>) {
        let Some(id) = self.timeline.selected_in(&self.view) else { return };
        let Some(wanted) = self.store.segment(id).map(|segment| key(segment, id.row())) else { return };
        self.jump(forward, what, |segment, row| key(segment, row) == wanted);
    }

    fn jump_match(&mut self, forward: bool) {
        let Some(matches) = &self.matches else {
            return self.move_rows(if forward { 1 } else { -1 });
        };
        let Some(time) = self.timeline.selected_time() else { return };
        let Some(id) = self.timeline.selected_in(&self.view) else { return };
        let Some(nearest) = matches.nearest(&self.store, time, id) else {
            return self.say("nothing matches".into());
        };
        let on_match = matches.contains(id);
        let wanted = match (forward, on_match) {
            (true, true) => nearest + 1,
            (true, false) => nearest,
            (false, _) => match nearest.checked_sub(1) {
                Some(before) => before,
                None => return self.say("no match above".into()),
            },
        };
        match matches.id_at(&self.store, wanted).and_then(|id| self.view.position_of(&self.store, id)) {
            Some(position) => self.go_to(position),
            None => self.say("no match below".into()),
        }
    }

    fn cycle_time(&mut self) {
        self.time_style = match self.time_style {
            TimeStyle::Clock(TimeZoneChoice::Utc) => TimeStyle::Clock(TimeZoneChoice::Local),
            TimeStyle::Clock(TimeZoneChoice::Local) => TimeStyle::Relative,
            TimeStyle::Relative if self.last_mark.is_some() => TimeStyle::SinceMark,
            TimeStyle::Relative | TimeStyle::SinceMark => TimeStyle::Clock(TimeZoneChoice::Utc),
        };
        let text = match self.time_style {
            TimeStyle::Clock(TimeZoneChoice::Utc) => "times in UTC",
            TimeStyle::Clock(TimeZoneChoice::Local) => "times in the local zone",
            TimeStyle::Relative => "times as ages",
            TimeStyle::SinceMark => "times since the last mark",
        };
        self.say(text.into());
    }

    fn mark(&mut self) {
        /// Marks are set by hand; more are a stuck key.
        const MOST: usize = 10_000;
        let Some(id) = self.timeline.selected_in(&self.view) else { return };
        if self.marks.remove(&id) {
            self.last_mark = self.last_mark.filter(|last| *last != id);
        } else if self.marks.len() < MOST {
            self.marks.insert(id);
            self.last_mark = Some(id);
        }
        let count = self.marks.len();
        self.say(format!("{count} marked"));
        if self.marks_only {
            self.restart_views();
        }
    }

    fn toggle_marks_only(&mut self) {
        if self.marks.is_empty() && !self.marks_only {
            return self.say("nothing is marked; mark rows with m".into());
        }
        self.marks_only = !self.marks_only;
        self.restart_views();
        self.say(if self.marks_only { "only marked rows" } else { "all rows" }.into());
    }

    /// Selects a record that a list named.
    pub(super) fn jump_to(&mut self, id: EventId) {
        match self.view.position_of(&self.store, id) {
            Some(position) => self.go_to(position),
            None => self.say("this row is not among those shown; change the filter or press x, S".into()),
        }
        self.after_view_change();
    }

    pub(super) fn prompt_key(&mut self, mut prompt: Prompt, event: KeyEvent) -> Vec<Effect> {
        match event.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Enter => {
                let text = prompt.input.value().trim().to_owned();
                return self.confirm(prompt.kind, &text);
            }
            KeyCode::Tab if prompt.kind == PromptKind::Command => {
                let typed = prompt.input.value().to_owned();
                self.mode = Mode::Prompt(prompt);
                return self.complete(&typed);
            }
            _ => {
                prompt.input.handle_event(&Event::Key(event));
            }
        }
        self.mode = Mode::Prompt(prompt);
        Vec::new()
    }

    /// Goes on with a command as far as there is only one way, and says which ways there are. Files are looked for
    /// outside, see [`Msg::Completions`](super::Msg::Completions).
    fn complete(&mut self, typed: &str) -> Vec<Effect> {
        if let Some(path) = typed.strip_prefix("open ") {
            return vec![Effect::CompletePath(path.to_owned())];
        }
        let commands =
            super::keymap::commands_named(typed).into_iter().map(|binding| binding.command.to_owned());
        let commands: Vec<String> = commands.collect();
        let common = common_beginning(&commands).unwrap_or(typed);
        self.take_completions(typed, "", common, &commands);
        Vec::new()
    }

    /// Puts `common` behind `before`, in place of what was `typed` if that is still there, or else says what was `found`.
    pub(super) fn take_completions(&mut self, typed: &str, before: &str, common: &str, found: &[String]) {
        let Mode::Prompt(prompt) = &mut self.mode else { return };
        if prompt.kind != PromptKind::Command || prompt.input.value() != format!("{before}{typed}") {
            return;
        }
        if found.is_empty() {
            self.say(format!("nothing begins with {typed}"));
        } else if common.len() > typed.len() {
            prompt.input = Input::new(format!("{before}{common}"));
        } else if found.len() > 1 {
            self.say(found.join("  "));
        }
    }

    fn confirm(&mut self, kind: PromptKind, text: &str) -> Vec<Effect> {
        match kind {
            PromptKind::Time => self.go_to_time(text),
            PromptKind::Search => {
                let Some(detail) = &mut self.detail else { return Vec::new() };
                detail.search = text.to_owned();
                if !text.is_empty() && !detail.find(true) {
                    self.say_wrong(format!("nothing in this event holds {text}"));
                }
            }
            PromptKind::FindRule => self.find_rule(text, true),
            PromptKind::Command => return self.command(text),
            PromptKind::Save => return self.save(text),
            PromptKind::Acknowledge => return self.acknowledge(AckKind::Acknowledged, text),
            PromptKind::FalsePositive => return self.acknowledge(AckKind::FalsePositive, text),
            PromptKind::MuteFolder => {
                return self.mute_in(Some(text.to_owned()).filter(|text| !text.is_empty()));
            }
        }
        Vec::new()
    }

    fn go_to_time(&mut self, text: &str) {
        let Some(newest) = self.store.order().last_time() else { return };
        let stale = self.now - newest > super::STALE;
        let reference = if stale { newest } else { self.now };
        match parse_user_time(text, reference, newest, self.zone()) {
            Err(problem) => self.say_wrong(problem),
            Ok(time) => {
                let position = self.view.position_at_time(&self.store, time);
                let position = position.min(self.view.len().saturating_sub(1));
                self.go_to(position);
                if self.store.order().first_time().is_some_and(|first| time < first) {
                    let more = if self.is_loading() {
                        "older history is still being read"
                    } else {
                        "the log begins later"
                    };
                    self.say(format!("{more}; this is the oldest event held"));
                }
                self.after_view_change();
            }
        }
    }

    fn command(&mut self, text: &str) -> Vec<Effect> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "" => return Vec::new(),
            "q" => return vec![Effect::Quit],
            "filter" | "f" if rest.starts_with('@') => {
                let name = rest[1..].trim();
                match self.config.named_filters.iter().find(|(known, _)| known == name) {
                    Some((_, filter)) => self.set_filter(filter.clone()),
                    None => self
                        .say_wrong(format!("the configuration has no filter '{name}'; :filters lists them")),
                }
            }
            "filter" | "f" if !rest.is_empty() => match parse(rest) {
                Ok(expression) => {
                    self.set_filter(expression);
                }
                Err(problem) => self.say_wrong(format!("filter: {}", problem.message)),
            },
            "time" | "goto" if !rest.is_empty() => self.go_to_time(rest),
            "open" if !rest.trim().is_empty() => {
                let path = without_quotes(rest.trim());
                self.say(format!("opening {path}"));
                let next = self.sources.keys().last().map_or(0, |last| last.0.saturating_add(1));
                self.opened_from.get_or_insert(SourceId(next));
                return vec![Effect::OpenLog(path.into())];
            }
            "close" if !rest.trim().is_empty() => return self.close_log(rest.trim()),
            "by" => self.group_by(rest),
            "note" if !rest.trim().is_empty() => self.note(rest.trim()),
            "changes" => self.changes_since(rest.trim()),
            "facets" | "facet" if !rest.is_empty() => match parse_target(rest.trim()) {
                Ok(Target::Field(field)) if has_values(field) => self.open_facets(Some(field)),
                _ => self.say_wrong(format!("there is no field '{rest}' with values")),
            },
            "help" if rest.trim() == "filter" => self.mode = Mode::Menu(menus::filter_help()),
            "range" if !rest.trim().is_empty() => {
                self.range_command(rest);
                self.after_view_change();
            }
            _ => match super::keymap::commands_named(name).as_slice() {
                [binding] => return self.perform(binding.action),
                [] => self.say_wrong(format!("there is no command '{name}'; ^p lists them")),
                several => {
                    let several: Vec<String> = several.iter().map(|b| format!(":{}", b.command)).collect();
                    self.say_wrong(format!("'{name}' may be {}", several.join(", ")));
                }
            },
        }
        Vec::new()
    }

    pub(super) fn menu_key(&mut self, mut menu: Menu, event: KeyEvent) -> Vec<Effect> {
        let key = Key::of(event);
        let page = isize::from(i16::try_from(self.size.1).unwrap_or(i16::MAX)) / 2;
        if menu.kind == MenuKind::Conditions && self.condition_key(&menu, key) {
            return Vec::new();
        }
        // A letter that stands before an entry means that entry, also where it moves the cursor in other lists.
        if let (KeyCode::Char(letter), false) = (key.code, key.control)
            && menu.select_letter(letter)
        {
            return self.choose(&menu);
        }
        match (key.code, key.control) {
            (KeyCode::Esc, _) => return Vec::new(),
            (KeyCode::Char('q' | '?') | KeyCode::F(1), false) if !menu.is_searchable() => return Vec::new(),
            (KeyCode::Enter, _) => return self.choose(&menu),
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => menu.move_by(1),
            (KeyCode::Up, _) | (KeyCode::Char('p'), true) => menu.move_by(-1),
            (KeyCode::Char('j'), false) if !menu.is_searchable() => menu.move_by(1),
            (KeyCode::Char('k'), false) if !menu.is_searchable() => menu.move_by(-1),
            (KeyCode::PageDown, _) | (KeyCode::Char('f' | 'd'), true) => menu.move_by(page),
            (KeyCode::PageUp, _) | (KeyCode::Char('b' | 'u'), true) => menu.move_by(-page),
            (KeyCode::Char(' '), false) if !menu.is_searchable() => menu.move_by(page),
            (KeyCode::Char(_), false) if !menu.is_searchable() => {}
            _ => {
                if menu.input.handle_event(&Event::Key(event)).is_some_and(|change| change.value) {
                    menu.filter();
                }
            }
        }
        self.mode = Mode::Menu(menu);
        Vec::new()
    }

    fn choose(&mut self, menu: &Menu) -> Vec<Effect> {
        let Some(item) = menu.chosen() else { return Vec::new() };
        match &item.does {
            menus::Does::Nothing => Vec::new(),
            menus::Does::Perform(action) => self.perform(*action),
            menus::Does::JumpTo(id) => {
                self.jump_to(*id);
                Vec::new()
            }
            menus::Does::Copy(what) => self.copy(*what),
            menus::Does::CloseAlert => {
                self.mode = Mode::Prompt(Prompt::new(PromptKind::FalsePositive));
                Vec::new()
            }
            menus::Does::ShowMute(scope) => {
                self.show_mute(*scope);
                Vec::new()
            }
            menus::Does::WriteMute => self.write_mute(),
            menus::Does::Unmute(at) => self.unmute(*at),
            menus::Does::UseFilter(at) => {
                if let Some((_, filter)) = self.config.named_filters.get(*at) {
                    self.set_filter(filter.clone());
                }
                Vec::new()
            }
        }
    }
}

/// A path as a shell takes it where all of it stands in quotes.
fn without_quotes(path: &str) -> &str {
    let inside = |quote| path.strip_prefix(quote).and_then(|path| path.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(path)
}

fn is_write(segment: &Segment, row: u32) -> bool {
    is_write_in_any_log(segment.string(Field::Verb, row))
        || is_mutating_subresource(segment.string(Field::Subresource, row))
}

fn same_object(segment: &Segment, row: u32) -> Vec<String> {
    [Field::ApiGroup, Field::Resource, Field::Namespace, Field::Name]
        .into_iter()
        .map(|field| segment.string(field, row).to_owned())
        .collect()
}

fn same_user(segment: &Segment, row: u32) -> Vec<String> {
    vec![segment.string(Field::User, row).to_owned()]
}

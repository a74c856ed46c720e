//! What keys do on the alerts screen and on the rules screen, and what keeps both in step.

use std::cell::OnceCell;

use super::action::Action;
use super::alert_order::AlertTab;
use super::alert_table::{AlertLine, Told};
use super::rule_table::RuleLine;
use super::{App, Focus, Mode, Placement, Screen, menus};
use crate::detect::{Alert, AlertKey, AlertState, LoadProblem, ProblemKind, Severity};
use crate::model::{EventId, format_stamp};
use crate::query::{
    Change, Expression, FieldName, Node, alert_rules, condition_for, with_condition, with_value,
};
use crate::redact::holds_mark;
use crate::text;

/// The fields that correlations group by and filters know.
const GROUP_FIELDS: [(&str, FieldName); 9] = [
    ("user.username", FieldName::User),
    ("impersonatedUser.username", FieldName::ImpersonatedUser),
    ("sourceIP", FieldName::SourceIp),
    ("userAgent", FieldName::UserAgent),
    ("verb", FieldName::Verb),
    ("objectRef.namespace", FieldName::Namespace),
    ("objectRef.resource", FieldName::Resource),
    ("objectRef.name", FieldName::Name),
    ("tool", FieldName::Tool),
];

impl App {
    /// The alert under the cursor of the alerts screen.
    pub fn selected_alert(&self) -> Option<&Alert> {
        match self.alert_table.line()? {
            AlertLine::Alert(at, _) => self.watch.board.as_ref()?.list().get(*at),
            AlertLine::Heading(_) => None,
        }
    }

    /// The alert under the cursor, or all those of the group whose heading it is on.
    pub(super) fn alerts_meant(&self) -> Vec<AlertKey> {
        match self.alert_table.line() {
            Some(AlertLine::Heading(group)) => group.members.clone(),
            _ => self.selected_alert().map(|alert| alert.key.clone()).into_iter().collect(),
        }
    }

    /// The alert of a key, if there still is one.
    pub(super) fn alert_called(&self, key: &AlertKey) -> Option<&Alert> {
        let list = self.watch.board.as_ref()?.list();
        list.binary_search_by(|alert| alert.key.cmp(key)).ok().and_then(|at| list.get(at))
    }

    /// The newest event of the alert under the cursor.
    pub(super) fn event_of_alert(&self) -> Option<EventId> {
        self.selected_alert().map(|alert| alert.newest).filter(|id| self.store.segment(*id).is_some())
    }

    /// Goes to the alerts, and there to the one of the event under the cursor, if it has a part in any.
    pub(super) fn show_alerts(&mut self) {
        let event = self.subject().filter(|_| self.screen == Screen::Timeline);
        self.switch_to(Screen::Alerts);
        let Some((event, board)) = event.zip(self.watch.board.as_ref()) else { return };
        let rules = board.rules_of(event);
        let has_part = |alert: &&Alert| {
            rules.contains(&alert.rule)
                && board.severity(alert).is_alert()
                && board.events(alert).contains(&event)
        };
        let Some(key) = board.list().iter().filter(has_part).max_by_key(|alert| board.severity(alert)) else {
            return;
        };
        let key = key.key.clone();
        self.alert_table.tab = match self.alert_called(&key).map(|alert| self.watch.acks.state(alert)) {
            Some(AlertState::Done(_)) => AlertTab::Done,
            _ => AlertTab::Alerts,
        };
        self.after_view_change();
        if let Some(board) = &self.watch.board {
            self.alert_table.go_to(&key, board);
        }
        self.after_view_change();
    }

    /// The alerts that an event has a part in, the worst first, in words.
    pub fn alerts_of(&self, event: EventId) -> Vec<(Severity, String)> {
        let Some(board) = &self.watch.board else { return Vec::new() };
        let rules = board.rules_of(event).into_iter().map(|rule| board.engine().rule(rule));
        rules
            .filter(|rule| rule.severity.is_alert())
            .map(|rule| (rule.severity, rule.title.clone()))
            .collect()
    }

    /// Keys of both screens. Returns whether this was one.
    pub(super) fn perform_in_alerts(&mut self, action: Action, rows: isize) -> bool {
        let is_rules = self.screen == Screen::Rules;
        if self.focus == Focus::Detail && rows != 0 {
            let sheet = if is_rules { &mut self.rule_table.sheet } else { &mut self.alert_table.sheet };
            sheet.scroll(rows);
            return true;
        }
        match action {
            _ if rows != 0 => self.move_in_alerts(rows),
            Action::NextAlert => self.move_in_alerts(1),
            Action::PreviousAlert => self.move_in_alerts(-1),
            Action::ColumnLeft | Action::ColumnRight if is_rules => {
                self.rule_table.sort_beside(action == Action::ColumnRight);
            }
            Action::ColumnLeft | Action::ColumnRight => {
                self.alert_table.sort_beside(action == Action::ColumnRight);
            }
            Action::NextStage if is_rules => self.rule_table.reversed = !self.rule_table.reversed,
            Action::NextStage => self.alert_table.descending = !self.alert_table.descending,
            Action::NextPane => self.go_to_sheet(),
            Action::CyclePlacement => {
                self.placement = self.placement.next();
                self.say(format!("detail: {}", self.placement.name()));
                let is_full = self.placement == Placement::Full;
                self.focus = if is_full { Focus::Detail } else { Focus::Rows };
                self.relayout();
            }
            Action::Back | Action::Quit => self.leave_alerts(),
            Action::Open if is_rules => self.open_rule(),
            Action::Open => self.open_alert(),
            Action::ToggleRoutine if !is_rules => {
                self.alert_table.tab = self.alert_table.tab.next();
            }
            Action::GroupAlerts if !is_rules => {
                self.alert_table.group_by_next();
                self.say(self.alert_table.grouping.name().to_owned());
            }
            Action::Deal if !is_rules => self.begin_dealing(),
            Action::NextSameObject
            | Action::PreviousSameObject
            | Action::NextSameUser
            | Action::PreviousSameUser
                if !is_rules =>
            {
                // From its newest event on, as in the timeline.
                let Some(event) = self.event_of_alert() else { return true };
                self.go_to_event(event);
                return false;
            }
            Action::NextMatch | Action::PreviousMatch if is_rules && !self.rule_table.wanted.is_empty() => {
                let wanted = self.rule_table.wanted.clone();
                self.find_rule(&wanted, action == Action::NextMatch);
            }
            Action::Mark
            | Action::Deal
            | Action::GroupAlerts
            | Action::ToggleRoutine
            | Action::NextMatch
            | Action::PreviousMatch => {}
            _ => return false,
        }
        true
    }

    fn move_in_alerts(&mut self, rows: isize) {
        if self.screen == Screen::Rules {
            self.rule_table.move_by(rows);
        } else if let Some(board) = &self.watch.board {
            self.alert_table.move_by(rows, board);
        }
    }

    fn go_to_sheet(&mut self) {
        if self.focus == Focus::Detail {
            self.focus = Focus::Rows;
            if self.placement == Placement::Full {
                self.placement = Placement::Below;
            }
        } else {
            self.focus = Focus::Detail;
            if self.layout.pane.height == 0 {
                self.placement = Placement::Full;
            }
        }
        self.relayout();
    }

    fn leave_alerts(&mut self) {
        if self.focus == Focus::Detail {
            self.go_to_sheet();
        } else if !self.come_up() {
            self.show(Screen::Timeline);
        }
    }

    /// Shows the events of the alert under the cursor, or folds the group.
    fn open_alert(&mut self) {
        if self.alert_table.toggle() {
            return;
        }
        let Some(alert) = self.selected_alert() else { return };
        let Some(rule) = self.watch.board.as_ref().map(|board| board.engine().called(alert.rule)) else {
            return;
        };
        let named =
            |field: &str| GROUP_FIELDS.iter().find(|(name, _)| *name == field).map(|(_, field)| *field);
        let values: Vec<(FieldName, String)> = match alert.findings.first() {
            Some(finding) => finding
                .group
                .iter()
                .filter_map(|(field, value)| Some((named(field)?, value.clone())))
                .collect(),
            None => vec![
                (FieldName::User, alert.key.actor.clone()),
                (FieldName::Namespace, alert.key.namespace.clone()),
            ],
        };
        // No row matches what stands in the place of something masked.
        let conditions: Vec<Node> = values
            .iter()
            .filter(|(_, value)| !holds_mark(value))
            .map(|(field, value)| condition_for(*field, value))
            .collect();
        self.show_rows_of(&rule, &conditions);
    }

    /// Goes to the next rule, or the one before, that has `wanted` in its title, id or file's name.
    pub(super) fn find_rule(&mut self, wanted: &str, forward: bool) {
        let Some(board) = &self.watch.board else { return };
        if !wanted.is_empty() && !self.rule_table.find(wanted, forward, board) {
            self.say(format!("no rule has '{wanted}' in its title, id or file"));
        }
        self.after_view_change();
    }

    fn open_rule(&mut self) {
        let Some(RuleLine::Rule(rule)) = self.rule_table.line() else { return };
        let Some(board) = &self.watch.board else { return };
        let info = board.engine().rule(rule);
        if !info.is_told() {
            return self.say("what it matches is no alert of its own: it only feeds a correlation".into());
        }
        if self.rule_table.hits(rule) == 0 {
            return self.say("it matches nothing that was read".into());
        }
        let called = board.engine().called(rule);
        self.show_rows_of(&called, &[]);
    }

    fn show_rows_of(&mut self, rule: &str, conditions: &[Node]) {
        let filter = with_value(&self.filter_bar.applied, FieldName::Alert, rule, Change::Only);
        let filter = conditions.iter().fold(filter, |filter, wanted| with_condition(&filter, wanted.clone()));
        // Activity may be routine; what was counted here must be there.
        self.go_down_to(filter, conditions, true);
    }

    /// Whether the filter and the range let any event of an alert through. Without either, all pass.
    fn alert_filter(&self) -> Option<(String, usize, bool)> {
        let filter = self.filter_bar.effective();
        if filter == Expression::default() && self.range.is_none() {
            return None;
        }
        let result = self.result();
        Some((format!("{filter} {:?}", self.range), result.len(), result.is_complete()))
    }

    /// Keeps tables and texts in step.
    pub(super) fn settle_alerts(&mut self) {
        if !matches!(self.screen, Screen::Alerts | Screen::Rules) {
            return;
        }
        let height = usize::from(self.layout.rows.height).saturating_sub(1);
        let mut rules = std::mem::take(&mut self.rule_table);
        if let Some((loaded, board)) = self.watch.rules.as_ref().zip(self.watch.board.as_ref()) {
            rules.look_at(board, &self.store, !self.is_loading());
            if self.screen == Screen::Rules {
                rules.settle(loaded, board, self.watch.version(), height);
            }
        }
        let mut table = std::mem::take(&mut self.alert_table);
        if let Some(board) = self.watch.board.as_ref().filter(|_| self.screen == Screen::Alerts) {
            let filter = self.alert_filter();
            let result = self.result();
            let is_filtered = filter.is_some();
            // Only asked where the lines are made anew.
            let rules = OnceCell::new();
            let rules =
                || rules.get_or_init(|| alert_rules(&self.filter_bar.effective(), &self.watch.for_filters));
            let passes = |alert: &Alert| {
                !is_filtered
                    || (rules().as_ref().is_none_or(|rules| rules.get(alert.rule.0 as usize) == Some(&true))
                        && board.events(alert).iter().any(|id| result.contains(*id)))
            };
            let watched = (&self.watch.acks, self.watch.version());
            table.settle(board, watched, filter, &passes, height);
        }
        self.alert_table = table;
        self.tell_of_alert();
        let pane = self.layout.pane;
        let (width, height) =
            (usize::from(pane.width).saturating_sub(3), usize::from(pane.height).saturating_sub(2));
        self.alert_table.sheet.settle(width, height);
        rules.sheet.settle(width, height);
        self.rule_table = rules;
    }

    fn tell_of_alert(&mut self) {
        let now = match self.alert_table.line() {
            Some(AlertLine::Heading(group)) => Told::Group(group.clone()),
            Some(AlertLine::Alert(..)) => self.selected_alert().map_or(Told::Nothing, |alert| Told::Alert {
                key: alert.key.clone(),
                last: alert.last,
                count: alert.count,
                is_open: self.watch.acks.state(alert).is_open(),
                revealed: self.revealed,
            }),
            None => Told::Nothing,
        };
        if self.alert_table.told.as_ref() == Some(&now) {
            return;
        }
        let lines = match (&now, self.selected_alert()) {
            (Told::Group(group), _) => self.told_of_group(group),
            (_, Some(alert)) => self.told_of_alert(alert),
            _ => self.told_of_nothing(),
        };
        let is_same = match (&self.alert_table.told, &now) {
            (Some(Told::Alert { key: before, .. }), Told::Alert { key: after, .. }) => before == after,
            _ => false,
        };
        self.alert_table.sheet.set(lines, is_same);
        self.alert_table.told = Some(now);
    }

    /// What to say where no alert is listed: what was looked at, by what, and what could not be seen.
    pub fn why_quiet(&self) -> Vec<String> {
        let Some(board) = &self.watch.board else {
            return vec!["No rules are in use, so nothing is looked for.".to_owned()];
        };
        let tab = self.alert_table.tab;
        let counts = self.alert_table.counts();
        let mut lines = Vec::new();
        let requests = text::counted(self.store.counts().requests, "request");
        lines.push(match tab {
            _ if self.alert_table.hidden() > 0 => {
                let hidden = text::thousands(self.alert_table.hidden() as u64);
                format!("None matches the filter, which leaves out {hidden}.")
            }
            AlertTab::Alerts => format!("No alerts among {requests}."),
            AlertTab::Activity => format!("No activity worth a line among {requests}."),
            AlertTab::Done => "Nothing was acknowledged or closed; m and X do that.".to_owned(),
        });
        if tab == AlertTab::Alerts && counts[1] + counts[2] > 0 {
            let kinds = text::counted(counts[1] as u64, "kind");
            lines.push(format!("{kinds} of activity, {} dealt with: x shows them.", counts[2]));
        }
        if let (Some(first), Some(last)) = (self.store.order().first_time(), self.store.order().last_time()) {
            let clock = |time| format_stamp(time, self.zone());
            lines.push(format!("Looked at {} to {}.", clock(first), clock(last)));
        }
        let levels = self.rule_table.levels().iter();
        let levels: Vec<String> = levels
            .map(|(level, count)| {
                let name = if level.name().is_empty() { "no level" } else { level.name() };
                format!("{name} {}", text::human_count(*count))
            })
            .collect();
        if !levels.is_empty() {
            lines.push(format!("Records by level: {}.", levels.join(", ")));
        }
        lines.push(self.rules_in_words());
        if self.is_loading() {
            lines.push(format!("Older history is still being read ({:.0} %).", self.history_share() * 100.0));
        }
        if self.memory_full {
            lines.push("Memory is full: older events are not held (--memory).".to_owned());
        }
        let lost = board.left_out() + board.forgotten();
        if lost > 0 {
            lines.push(format!(
                "{} matches were left out or forgotten: there were too many.",
                text::thousands(lost)
            ));
        }
        lines
    }

    /// How many rules are in use, and how many of them are blind or broken.
    pub fn rules_in_words(&self) -> String {
        let Some(rules) = &self.watch.rules else { return String::new() };
        let mut parts = vec![text::counted(rules.engine.rules().len() as u64, "rule")];
        let blind = self.rule_table.blind();
        if blind > 0 {
            parts.push(format!("{blind} cannot fire on this log"));
        }
        parts.extend(self.broken_rules_in_words());
        format!("{} (:rules)", parts.join(", "))
    }

    /// How many rules cannot be used, if any.
    pub fn broken_rules_in_words(&self) -> Option<String> {
        let rules = self.watch.rules.as_ref()?;
        let is_broken = |problem: &&LoadProblem| problem.kind == ProblemKind::Error;
        let broken = rules.problems.iter().filter(is_broken).count();
        (broken > 0).then(|| format!("{} failed", text::counted(broken as u64, "rule")))
    }

    fn begin_dealing(&mut self) {
        let meant = self.alerts_meant();
        if meant.is_empty() {
            return self.say("put the cursor on an alert, or on the heading of a group".into());
        }
        let menu = menus::deal_menu(self, self.selected_alert(), meant.len());
        self.alert_table.dealing = meant;
        self.mode = Mode::Menu(menu);
    }
}

//! The lines of the alerts screen: which alerts are listed, in which order, under which headings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::alert_order::{ALERT_SORTS, AlertGrouping, AlertSort, AlertTab};
use super::sheet::Sheet;
use super::table::TableCursor;
use crate::detect::{Acks, Alert, AlertBoard, AlertKey, Mute, Risk, Severity, risks};
use crate::model::Micros;
use crate::query::FieldName;

/// Alerts that risks are worked out from, the worst ones.
const MOST_WEIGHED: usize = 2_000;

/// Alerts that are put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertGroup {
    /// What they have in common; empty where that is absent.
    pub value: String,
    /// How many there are.
    pub alerts: usize,
    /// Their events together.
    pub events: u64,
    /// How bad the worst is.
    pub worst: Severity,
    /// Their last event.
    pub last: Micros,
    /// Which they are.
    pub(super) members: Vec<AlertKey>,
}

/// A line of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlertLine {
    /// The heading of a group.
    Heading(AlertGroup),
    /// An alert by its place in [`AlertBoard::list`], and the value that its group has in common.
    Alert(usize, String),
}

/// What decides which lines there are.
#[derive(Clone, PartialEq, Debug)]
struct MadeOf {
    /// Of the alerts and of what was dealt with.
    version: u64,
    /// The filter, and how much it has found; `None` without one.
    filter: Option<(String, usize, bool)>,
    tab: AlertTab,
    grouping: AlertGrouping,
    sort: usize,
    descending: bool,
}

/// What the text beside the table is about, with all that it depends on.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Told {
    Nothing,
    Group(AlertGroup),
    Alert { key: AlertKey, last: Micros, count: u64, is_open: bool, revealed: bool },
}

/// A filter that was to be put in force.
#[derive(Clone, Debug)]
pub(super) struct Muted {
    /// Tells it apart from the others.
    pub(super) number: u32,
    /// Whether it is; told from outside.
    pub(super) is_in_force: bool,
    pub(super) mute: Mute,
    /// The folder that it was written to; without one it counts until the program ends.
    pub(super) folder: Option<String>,
}

/// The alerts screen.
#[derive(Debug)]
pub struct AlertTable {
    /// What is listed.
    pub tab: AlertTab,
    /// What it is put together by.
    pub grouping: AlertGrouping,
    /// Column of the sort, in [`ALERT_SORTS`].
    pub sort: usize,
    /// Greatest first.
    pub descending: bool,
    /// The cursor.
    pub cursor: TableCursor,
    /// What is told of the alert under it.
    pub sheet: Sheet,
    /// What that is about.
    pub(super) told: Option<Told>,
    /// The alerts that an input line or a list is about.
    pub(super) dealing: Vec<AlertKey>,
    /// The filter file that is shown and not yet written.
    pub(super) muting: Option<Mute>,
    /// What was muted since the program began, and can be taken back.
    pub(super) mutes: Vec<Muted>,
    lines: Vec<AlertLine>,
    folded: BTreeSet<String>,
    counts: [usize; 3],
    hidden: usize,
    risks: BTreeMap<String, Risk>,
    made_of: Option<MadeOf>,
}

impl Default for AlertTable {
    fn default() -> Self {
        Self {
            tab: AlertTab::Alerts,
            grouping: AlertGrouping::None,
            sort: 0,
            descending: true,
            cursor: TableCursor::default(),
            sheet: Sheet::default(),
            told: None,
            dealing: Vec::new(),
            muting: None,
            mutes: Vec::new(),
            lines: Vec::new(),
            folded: BTreeSet::new(),
            counts: [0; 3],
            hidden: 0,
            risks: BTreeMap::new(),
            made_of: None,
        }
    }
}

impl AlertTable {
    /// The lines.
    pub fn lines(&self) -> &[AlertLine] {
        &self.lines
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<&AlertLine> {
        self.lines.get(self.cursor.row)
    }

    /// How many alerts each of [`AlertTab::ALL`] has, whatever the filter.
    pub fn counts(&self) -> [usize; 3] {
        self.counts
    }

    /// How many alerts of this tab the filter leaves out.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// How much an actor's alerts weigh together.
    pub fn risk(&self, actor: &str) -> Option<&Risk> {
        self.risks.get(actor)
    }

    /// Whether the alerts of a group are not listed.
    pub fn is_folded(&self, value: &str) -> bool {
        self.folded.contains(value)
    }

    /// Moves the cursor by lines.
    pub fn move_by(&mut self, rows: isize, board: &AlertBoard) {
        let lines = &self.lines;
        self.cursor.move_by(rows, lines.len(), |at| key(lines, board, at));
    }

    /// Puts the cursor on an alert that is listed. Returns whether it is.
    pub fn go_to(&mut self, wanted: &AlertKey, board: &AlertBoard) -> bool {
        let is_it = |line: &AlertLine| match line {
            AlertLine::Alert(at, _) => board.list().get(*at).is_some_and(|alert| alert.key == *wanted),
            AlertLine::Heading(_) => false,
        };
        let Some(row) = self.lines.iter().position(is_it) else { return false };
        let lines = &self.lines;
        self.cursor.go_to(row, lines.len(), |at| key(lines, board, at));
        true
    }

    /// Folds or unfolds the group under the cursor. Returns whether there is one.
    pub fn toggle(&mut self) -> bool {
        let Some(AlertLine::Heading(group)) = self.lines.get(self.cursor.row) else { return false };
        let value = group.value.clone();
        if !self.folded.remove(&value) {
            self.folded.insert(value);
        }
        self.made_of = None;
        true
    }

    /// Sorts by the column beside.
    pub fn sort_beside(&mut self, right: bool) {
        self.sort =
            if right { (self.sort + 1).min(ALERT_SORTS.len() - 1) } else { self.sort.saturating_sub(1) };
        self.descending = !matches!(ALERT_SORTS[self.sort], AlertSort::Title | AlertSort::Actor);
    }

    /// Puts them together by the next thing.
    pub fn group_by_next(&mut self) {
        self.grouping = self.grouping.next();
        self.folded.clear();
    }

    /// The field and value that the cell of the cursor stands for: that of the column by which the table is sorted.
    pub fn value(&self, board: &AlertBoard) -> Option<(FieldName, String)> {
        match self.line()? {
            AlertLine::Alert(at, _) => {
                let alert = board.list().get(*at)?;
                let rule = board.engine().rule(alert.rule);
                Some(match ALERT_SORTS[self.sort.min(ALERT_SORTS.len() - 1)] {
                    AlertSort::Severity => (FieldName::Alert, rule.severity.name().to_owned()),
                    AlertSort::Title => (FieldName::Alert, board.engine().called(alert.rule)),
                    AlertSort::Last | AlertSort::Count | AlertSort::Actor => {
                        (FieldName::User, alert.subject.user.clone())
                    }
                })
            }
            AlertLine::Heading(group) => {
                let field = match self.grouping {
                    AlertGrouping::User => FieldName::User,
                    AlertGrouping::Namespace => FieldName::Namespace,
                    AlertGrouping::Address => FieldName::SourceIp,
                    AlertGrouping::Rule | AlertGrouping::Tactic | AlertGrouping::None => return None,
                };
                Some((field, group.value.clone()))
            }
        }
    }

    /// Makes the lines anew where something changed, and keeps the cursor on its row. `passes` tells whether the filter
    /// lets an alert through; `watched` is what was dealt with, and the version of all that.
    pub(super) fn settle(
        &mut self,
        board: &AlertBoard,
        watched: (&Acks, u64),
        filter: Option<(String, usize, bool)>,
        passes: &dyn Fn(&Alert) -> bool,
        height: usize,
    ) {
        let (acks, version) = watched;
        let AlertTable { tab, grouping, sort, descending, .. } = *self;
        let made_of = MadeOf { version, filter, tab, grouping, sort, descending };
        if self.made_of.as_ref() != Some(&made_of) {
            self.make_lines(board, acks, passes);
            self.made_of = Some(made_of);
        }
        let lines = &self.lines;
        self.cursor.settle(lines.len(), height, |at| key(lines, board, at));
        // The first row may be a heading: the cursor begins on the first alert.
        if self.cursor.row == 0 && !self.cursor.is_placed() && lines.len() > 1 {
            self.cursor.row = usize::from(matches!(lines[0], AlertLine::Heading(_)));
        }
    }

    fn make_lines(&mut self, board: &AlertBoard, acks: &Acks, passes: &dyn Fn(&Alert) -> bool) {
        let list = board.list();
        self.counts = [0; 3];
        let mut chosen: Vec<usize> = Vec::new();
        for (at, alert) in list.iter().enumerate() {
            let tab = AlertTab::of(board.severity(alert), acks.state(alert));
            self.counts[AlertTab::ALL.iter().position(|known| *known == tab).unwrap_or(0)] += 1;
            if tab == self.tab {
                chosen.push(at);
            }
        }
        let all = chosen.len();
        chosen.retain(|at| passes(&list[*at]));
        self.hidden = all - chosen.len();
        self.weigh(board, acks);
        self.order(board, &mut chosen);
        let mut groups: Vec<(AlertGroup, Vec<usize>)> = Vec::new();
        let mut place: BTreeMap<String, usize> = BTreeMap::new();
        for at in chosen {
            let alert = &list[at];
            for value in self.grouping.values(board, alert) {
                let place = *place.entry(value.clone()).or_insert_with(|| {
                    let worst = Severity::Informational;
                    let group = AlertGroup {
                        value,
                        alerts: 0,
                        events: 0,
                        worst,
                        last: Micros::MIN,
                        members: Vec::new(),
                    };
                    groups.push((group, Vec::new()));
                    groups.len() - 1
                });
                let (group, members) = &mut groups[place];
                group.alerts += 1;
                group.events += alert.count;
                group.worst = group.worst.max(board.severity(alert));
                group.last = group.last.max(alert.last);
                group.members.push(alert.key.clone());
                members.push(at);
            }
        }
        if self.grouping != AlertGrouping::None {
            let by_user = self.grouping == AlertGrouping::User;
            let score = |value: &str| self.risks.get(value).filter(|_| by_user).map_or(0, |risk| risk.score);
            groups.sort_by_key(|(group, _)| Reverse((score(&group.value), group.worst, group.last)));
        }
        self.lines.clear();
        for (group, members) in groups {
            let value = group.value.clone();
            let is_listed = self.grouping == AlertGrouping::None || !self.folded.contains(&value);
            if self.grouping != AlertGrouping::None {
                self.lines.push(AlertLine::Heading(group));
            }
            if is_listed {
                self.lines.extend(members.into_iter().map(|at| AlertLine::Alert(at, value.clone())));
            }
        }
    }

    /// Of what waits for somebody, and the activity beside it, how much each actor's weighs.
    fn weigh(&mut self, board: &AlertBoard, acks: &Acks) {
        let mut open: Vec<&Alert> = board.list().iter().filter(|alert| acks.state(alert).is_open()).collect();
        open.sort_by_key(|alert| Reverse((board.severity(alert), alert.last)));
        open.truncate(MOST_WEIGHED);
        let weighed = risks(board.engine(), open);
        self.risks = weighed.into_iter().map(|risk| (risk.actor.clone(), risk)).collect();
    }

    fn order(&self, board: &AlertBoard, chosen: &mut [usize]) {
        let list = board.list();
        let title = |alert: &Alert| board.engine().rule(alert.rule).title.as_str();
        chosen.sort_by(|a, b| {
            let (a, b) = (&list[*a], &list[*b]);
            let worse = || board.severity(a).cmp(&board.severity(b));
            let order = match ALERT_SORTS[self.sort.min(ALERT_SORTS.len() - 1)] {
                AlertSort::Severity => worse(),
                AlertSort::Last => a.last.cmp(&b.last),
                AlertSort::Count => a.count.cmp(&b.count),
                AlertSort::Title => title(a).cmp(title(b)),
                AlertSort::Actor => a.subject.user.cmp(&b.subject.user),
            };
            let order = if self.descending { order.reverse() } else { order };
            order.then_with(|| worse().reverse()).then(b.last.cmp(&a.last)).then_with(|| a.key.cmp(&b.key))
        });
    }
}

fn key(lines: &[AlertLine], board: &AlertBoard, at: usize) -> String {
    match lines.get(at) {
        Some(AlertLine::Heading(group)) => format!("#{}", group.value),
        Some(AlertLine::Alert(at, group)) => board.list().get(*at).map_or_else(String::new, |alert| {
            let AlertKey { rule, actor, namespace } = &alert.key;
            format!("{rule}\0{actor}\0{namespace}\0{group}")
        }),
        None => String::new(),
    }
}

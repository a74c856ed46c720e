//! What the alerts screen can list, put together and sort by.

use crate::detect::{Alert, AlertBoard, AlertState, Severity};

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AlertTab {
    /// What waits for somebody: medium and above.
    #[default]
    Alerts,
    /// What is worth knowing when something else happened: low and informational.
    Activity,
    /// What was acknowledged or closed.
    Done,
}

impl AlertTab {
    /// All of them, in the order in which a key goes through them.
    pub const ALL: [AlertTab; 3] = [AlertTab::Alerts, AlertTab::Activity, AlertTab::Done];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            AlertTab::Alerts => "alerts",
            AlertTab::Activity => "activity",
            AlertTab::Done => "dealt with",
        }
    }

    /// The next one.
    pub fn next(self) -> AlertTab {
        match self {
            AlertTab::Alerts => AlertTab::Activity,
            AlertTab::Activity => AlertTab::Done,
            AlertTab::Done => AlertTab::Alerts,
        }
    }

    pub(super) fn of(severity: Severity, state: AlertState<'_>) -> AlertTab {
        match (state.is_open(), severity.is_alert()) {
            (false, _) => AlertTab::Done,
            (true, true) => AlertTab::Alerts,
            (true, false) => AlertTab::Activity,
        }
    }
}

/// What alerts are put together by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AlertGrouping {
    /// Nothing.
    #[default]
    None,
    /// The rule.
    Rule,
    /// Who did it.
    User,
    /// Where it was done.
    Namespace,
    /// Where it came from; an alert stands below each of its addresses.
    Address,
    /// ATT&CK's tactics; an alert stands below each of its own.
    Tactic,
}

impl AlertGrouping {
    /// The next one.
    pub fn next(self) -> AlertGrouping {
        match self {
            AlertGrouping::None => AlertGrouping::User,
            AlertGrouping::User => AlertGrouping::Rule,
            AlertGrouping::Rule => AlertGrouping::Namespace,
            AlertGrouping::Namespace => AlertGrouping::Address,
            AlertGrouping::Address => AlertGrouping::Tactic,
            AlertGrouping::Tactic => AlertGrouping::None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            AlertGrouping::None => "not grouped",
            AlertGrouping::Rule => "by rule",
            AlertGrouping::User => "by user",
            AlertGrouping::Namespace => "by namespace",
            AlertGrouping::Address => "by source address",
            AlertGrouping::Tactic => "by tactic",
        }
    }

    pub(super) fn values(self, board: &AlertBoard, alert: &Alert) -> Vec<String> {
        let rule = board.engine().rule(alert.rule);
        let mut values: Vec<String> = match self {
            AlertGrouping::None => return vec![String::new()],
            AlertGrouping::Rule => vec![rule.title.clone()],
            AlertGrouping::User => vec![alert.subject.user.clone()],
            AlertGrouping::Namespace => vec![alert.subject.namespace.clone()],
            AlertGrouping::Address => alert.addresses.iter().cloned().collect(),
            AlertGrouping::Tactic => rule.tactics().collect(),
        };
        if values.is_empty() {
            values.push(String::new());
        }
        values
    }
}

/// What the table is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertSort {
    /// How bad, then how late.
    Severity,
    /// The last event.
    Last,
    /// How many events.
    Count,
    /// The rule's title.
    Title,
    /// Who did it.
    Actor,
}

/// The columns by which the table can be sorted, from left to right.
pub const ALERT_SORTS: [AlertSort; 5] =
    [AlertSort::Severity, AlertSort::Last, AlertSort::Count, AlertSort::Title, AlertSort::Actor];

//! The object screen: the writes to one object, the newest first, and what the one under the cursor changed.

use super::table::TableCursor;
use crate::model::EventId;
use crate::trace::manifest::ShownChange;
use crate::trace::{Change, History, HistoryOptions, Log, ObjectKey, Outcome, Revision, tell};

/// One object.
#[derive(Clone, Debug, Default)]
pub struct ObjectScreen {
    /// Its history; without a name until an object was chosen.
    pub history: History,
    /// What of it is shown.
    pub options: HistoryOptions,
    /// The cursor, over the revisions, the newest first.
    pub cursor: TableCursor,
    /// The revision that others are compared with.
    pub base: Option<usize>,
    /// What the pane beside tells; hostile until made visible.
    pub side: Vec<String>,
    /// What the side was made for.
    told: Option<(usize, Option<usize>, HistoryOptions, usize)>,
}

impl ObjectScreen {
    /// Shows an object, with the cursor on the revision of a request if it is one of them.
    pub fn open(&mut self, log: &Log<'_>, key: &ObjectKey, at: Option<EventId>) {
        let is_other = self.history.key != *key;
        self.history = History::of(log, key, self.options);
        self.told = None;
        if is_other {
            self.base = None;
            self.cursor = TableCursor::default();
        }
        let wanted = at.and_then(|id| self.newest_first().position(|r| r.request.id == Some(id)));
        if let Some(row) = wanted {
            self.go_to(row);
        }
        self.tell(log);
    }

    /// Reads the history anew where more has come or other options hold.
    pub fn refresh(&mut self, log: &Log<'_>) {
        if !self.is_open() {
            return;
        }
        let key = self.history.key.clone();
        self.open(log, &key, None);
    }

    /// Whether an object was chosen.
    pub fn is_open(&self) -> bool {
        !self.history.key.resource.is_empty()
    }

    /// The revisions as they stand on screen.
    pub fn newest_first(&self) -> impl Iterator<Item = &Revision> {
        self.history.revisions.iter().rev()
    }

    /// The revision under the cursor.
    pub fn selected(&self) -> Option<&Revision> {
        self.newest_first().nth(self.cursor.row)
    }

    /// Moves the cursor by rows.
    pub fn move_by(&mut self, rows: isize) {
        self.go_to(self.cursor.row.saturating_add_signed(rows));
    }

    fn go_to(&mut self, row: usize) {
        let revisions = &self.history.revisions;
        self.cursor.go_to(row, revisions.len(), |row| key(revisions, row));
    }

    /// Keeps the cursor on its revision, and tells of it.
    pub fn settle(&mut self, log: &Log<'_>, height: usize) {
        let revisions = &self.history.revisions;
        self.cursor.settle(revisions.len(), height, |row| key(revisions, row));
        self.tell(log);
    }

    /// Compares with the revision under the cursor from now on, or no longer.
    pub fn toggle_base(&mut self) -> Option<usize> {
        let number = self.selected().filter(|revision| revision.of.is_none())?.number;
        self.base = if self.base == Some(number) { None } else { Some(number) };
        self.base
    }

    fn tell(&mut self, log: &Log<'_>) {
        let Some(revision) = self.selected() else {
            self.side = Vec::new();
            return;
        };
        let asked = (self.cursor.row, self.base, self.options, self.history.revisions.len());
        if self.told == Some(asked) {
            return;
        }
        let base = self.base.filter(|base| *base != revision.number && revision.of.is_none());
        self.side = match base {
            Some(base) => self.compared(log, base, revision.number),
            None => described(log, revision),
        };
        self.told = Some(asked);
    }

    fn compared(&self, log: &Log<'_>, base: usize, number: usize) -> Vec<String> {
        let (older, newer) = (base.min(number), base.max(number));
        let mut side = vec![format!("revision {older} against {newer}")];
        match self.history.between(log, older, newer, self.options.revealed) {
            None => side.push("one of the two states cannot be known".to_owned()),
            Some(changes) => {
                let shown: Vec<&ShownChange> =
                    changes.iter().filter(|change| self.options.noise || !change.is_noise).collect();
                if shown.is_empty() {
                    side.push("nothing differs but what the server fills in".to_owned());
                }
                side.extend(shown.into_iter().map(|change| tell::change_in_words(change, true)));
            }
        }
        side
    }
}

/// A write in lines: what it was, by what, and each field that it changed.
pub fn described(log: &Log<'_>, revision: &Revision) -> Vec<String> {
    let mut side = Vec::new();
    match &revision.change {
        Change::Fields(changes) => {
            side.extend(changes.iter().map(|change| tell::change_in_words(change, true)))
        }
        _ => side.push(tell::revision_shortly(revision)),
    }
    if revision.folded > 0 {
        side.push(format!("and {} that the server fills in (Enter shows them)", revision.folded));
    }
    match &revision.outcome {
        Outcome::Derived(kind) => side.push(format!(
            "(made by applying the {} patch to the state before: the answer's body is not logged)",
            kind.name()
        )),
        Outcome::Sent => side.push("(as the client sent it: the answer's body is not logged)".to_owned()),
        _ => {}
    }
    side.push(tell::request_in_words(log, &revision.request));
    let manager = if revision.manager.is_empty() { "none" } else { &revision.manager };
    side.push(format!("field manager {manager} · auditID {}", revision.request.audit_id));
    side
}

fn key(revisions: &[Revision], row: usize) -> String {
    let at = revisions.len().checked_sub(row + 1);
    // A write is known by its row: numbers begin anew with each object.
    at.and_then(|at| revisions.get(at)).map_or(String::new(), |revision| format!("{:?}", revision.request.id))
}

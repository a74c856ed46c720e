//! Cursor and scrolling of the rows. The selected record stays selected, and stays on its screen row, whatever data
//! comes, goes or is filtered.

use crate::model::{EventId, Micros};
use crate::query::View;
use crate::store::{Field, Segment, Store};

/// A column whose value can be taken into the filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Column {
    /// `responseStatus.code`
    Code,
    /// `verb`
    Verb,
    /// `objectRef.resource`
    Resource,
    /// `objectRef.namespace`
    Namespace,
    /// `objectRef.name`
    Name,
    /// `user.username`
    #[default]
    User,
    /// last of `sourceIPs`
    SourceIp,
    /// `userAgent`
    UserAgent,
    /// The log that it was read from, where there are several.
    Source,
}

impl Column {
    /// From left to right.
    pub const ALL: [Column; 9] = [
        Column::Code,
        Column::Verb,
        Column::Resource,
        Column::Namespace,
        Column::Name,
        Column::User,
        Column::SourceIp,
        Column::UserAgent,
        Column::Source,
    ];

    /// The column beside this one.
    pub fn beside(self, right: bool, several_logs: bool) -> Column {
        let columns = if several_logs { &Column::ALL[..] } else { &Column::ALL[..Column::ALL.len() - 1] };
        let at = columns.iter().position(|c| *c == self).unwrap_or(0);
        let next = if right { (at + 1).min(columns.len() - 1) } else { at.saturating_sub(1) };
        columns[next]
    }

    /// The string column it shows; none for the code and the log.
    pub fn field(self) -> Option<Field> {
        Some(match self {
            Column::Code | Column::Source => return None,
            Column::Verb => Field::Verb,
            Column::Resource => Field::Resource,
            Column::Namespace => Field::Namespace,
            Column::Name => Field::Name,
            Column::User => Field::User,
            Column::SourceIp => Field::SourceIp,
            Column::UserAgent => Field::UserAgent,
        })
    }

    /// Its value in a row of a log with this name.
    pub fn value(self, segment: &Segment, row: u32, source: &str) -> String {
        match self.field() {
            Some(field) => segment.string(field, row).to_owned(),
            None if self == Column::Source => source.to_owned(),
            None => segment.code(row).to_string(),
        }
    }
}

/// Cursor, scrolling, following.
#[derive(Debug)]
pub struct Timeline {
    selected: Option<(EventId, Micros)>,
    /// Row of the screen on which the selected record is.
    screen_row: usize,
    /// The cursor goes to each new record.
    pub following: bool,
    /// The newest record when following was suspended.
    newest_seen: Option<(EventId, Micros)>,
    /// The column under the cursor.
    pub column: Column,
    /// Position of the first row on screen.
    pub top: usize,
    /// Position of the selected row.
    pub position: usize,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            selected: None,
            screen_row: 0,
            following: true,
            newest_seen: None,
            column: Column::default(),
            top: 0,
            position: 0,
        }
    }
}

impl Timeline {
    /// The selected record.
    pub fn selected(&self) -> Option<EventId> {
        self.selected.map(|(id, _)| id)
    }

    /// The selected record, unless no row is shown: what was selected is only remembered then, for when the filter lets
    /// it through again.
    pub fn selected_in(&self, view: &View) -> Option<EventId> {
        self.selected().filter(|_| !view.is_empty() || !view.is_complete())
    }

    /// Time of the selected record.
    pub fn selected_time(&self) -> Option<Micros> {
        self.selected.map(|(_, time)| time)
    }

    /// Selects a record, wherever it is, and stops following.
    pub fn select(&mut self, id: EventId, store: &Store) {
        self.selected = Some((id, store.stage_time(id)));
        self.suspend(store);
    }

    fn suspend(&mut self, store: &Store) {
        if self.following {
            self.following = false;
            let newest = store.order().chunks().last().and_then(|chunk| chunk.ids().last()).copied();
            self.newest_seen = newest.map(|id| (id, store.stage_time(id)));
        }
    }

    /// Goes to the newest record and follows.
    pub fn follow(&mut self) {
        self.following = true;
        self.newest_seen = None;
    }

    /// Goes to a position, which stops following.
    pub fn go_to(&mut self, position: usize, store: &Store, view: &View, height: usize) {
        let position = position.min(view.len().saturating_sub(1));
        let Some(id) = view.id_at(store, position) else { return };
        self.select(id, store);
        // The window moves only as far as it must.
        let height = height.max(1);
        self.top = self.top.min(position).max((position + 1).saturating_sub(height));
        self.screen_row = position - self.top;
        self.position = position;
    }

    /// Moves by rows. Downwards to the last row leaves following as it is.
    pub fn move_by(&mut self, rows: isize, store: &Store, view: &View, height: usize) {
        let last = view.len().saturating_sub(1);
        let target = self.position.saturating_add_signed(rows).min(last);
        if rows > 0 && self.following {
            return;
        }
        self.go_to(target, store, view, height);
    }

    /// Moves by rows and moves the window as far.
    pub fn page_by(&mut self, rows: isize, store: &Store, view: &View, height: usize) {
        if rows > 0 && self.following {
            return;
        }
        let furthest = view.len().saturating_sub(height);
        let row = self.position - self.top.min(self.position);
        let top = self.top.saturating_add_signed(rows).min(furthest);
        let edge = self.top == top;
        self.top = top;
        let target = match (edge, rows > 0) {
            (true, true) => view.len().saturating_sub(1),
            (true, false) => 0,
            _ => top + row,
        };
        self.go_to(target, store, view, height);
    }

    /// Brings cursor and window in step with the rows that are shown now.
    pub fn settle(&mut self, store: &Store, view: &View, height: usize) {
        let height = height.max(1);
        let Some(last) = view.len().checked_sub(1) else {
            (self.top, self.position) = (0, 0);
            return;
        };
        if self.following || self.selected.is_none() {
            self.position = last;
            self.top = view.len().saturating_sub(height);
            self.screen_row = self.position - self.top;
            self.selected = view.id_at(store, last).map(|id| (id, store.stage_time(id)));
            return;
        }
        let Some((id, time)) = self.selected else { return };
        let position = match view.position_of(store, id) {
            Some(position) => position,
            // Filtered out or dropped: the nearest row takes over, unless results are still coming in.
            None if !view.is_complete() => view.nearest(store, time, id).unwrap_or(last),
            None => {
                let nearest = view.nearest(store, time, id).unwrap_or(last);
                if let Some(other) = view.id_at(store, nearest) {
                    self.selected = Some((other, store.stage_time(other)));
                }
                nearest
            }
        };
        self.position = position;
        self.screen_row = self.screen_row.min(height - 1);
        self.top =
            position.saturating_sub(self.screen_row).min(view.len().saturating_sub(height.min(view.len())));
        self.top = self.top.max((position + 1).saturating_sub(height));
        self.screen_row = position - self.top;
    }

    /// How many rows are newer than when following was suspended.
    pub fn new_below(&self, store: &Store, view: &View) -> usize {
        match self.newest_seen {
            Some((id, time)) if !self.following => {
                let seen = view.position_of(store, id).map(|p| p + 1);
                let seen = seen.unwrap_or_else(|| view.position_at_time(store, time.saturating_add(1)));
                view.len().saturating_sub(seen)
            }
            _ => 0,
        }
    }
}

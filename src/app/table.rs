//! The cursor of a table whose rows come, go and change places: it stays on the row it was put on.

/// A cursor in a table.
#[derive(Clone, Debug, Default)]
pub struct TableCursor {
    /// Row of the cursor.
    pub row: usize,
    /// First row on screen.
    pub top: usize,
    /// What the row is known by.
    key: Option<String>,
}

impl TableCursor {
    /// Moves by rows, and remembers the row by its key.
    pub fn move_by(&mut self, rows: isize, len: usize, key: impl Fn(usize) -> String) {
        self.go_to(self.row.saturating_add_signed(rows), len, key);
    }

    /// Goes to a row.
    pub fn go_to(&mut self, row: usize, len: usize, key: impl Fn(usize) -> String) {
        self.row = row.min(len.saturating_sub(1));
        self.key = (len > 0).then(|| key(self.row));
    }

    /// Whether it was put on a row.
    pub fn is_placed(&self) -> bool {
        self.key.is_some()
    }

    /// Finds the row again after the table changed, and scrolls so that it is seen. A cursor that was never moved
    /// stays where it is on the screen.
    pub fn settle(&mut self, len: usize, height: usize, key: impl Fn(usize) -> String) {
        if let Some(wanted) = &self.key {
            let near = (self.row < len && key(self.row) == *wanted).then_some(self.row);
            if let Some(row) = near.or_else(|| (0..len).find(|row| key(*row) == *wanted)) {
                self.row = row;
            }
        }
        self.row = self.row.min(len.saturating_sub(1));
        let height = height.max(1);
        self.top = self.top.min(self.row).max((self.row + 1).saturating_sub(height));
        self.top = self.top.min(len.saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_on_its_row() {
        let mut rows = vec!["a", "b", "c", "d"];
        let mut cursor = TableCursor::default();
        cursor.move_by(2, rows.len(), |at| rows[at].to_owned());
        cursor.settle(rows.len(), 2, |at| rows[at].to_owned());
        assert_eq!((cursor.row, cursor.top), (2, 1));
        rows.insert(0, "x");
        cursor.settle(rows.len(), 2, |at| rows[at].to_owned());
        assert_eq!((cursor.row, cursor.top), (3, 2));
        cursor.settle(1, 2, |_| "a".to_owned());
        assert_eq!((cursor.row, cursor.top), (0, 0));
        cursor.settle(0, 2, |_| unreachable!("there is no row"));
    }
}

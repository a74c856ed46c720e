//! A text in labelled lines that is broken to fit and can be scrolled: what a table tells of the row under its cursor.

use crate::text;

/// Columns of the labels.
pub const LABELS: usize = 9;

/// How a line is to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// Something that is said.
    Plain,
    /// What matters most.
    Strong,
    /// Said for completeness.
    Faint,
    /// The text of a file, which keeps its indentation.
    File,
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SheetLine {
    /// What it is about; empty where it goes on about the same.
    pub label: &'static str,
    /// What it says; may come from a log, so hostile until made visible.
    pub text: String,
    /// How it is to be shown.
    pub kind: LineKind,
}

impl SheetLine {
    /// An ordinary line.
    pub fn new(label: &'static str, text: impl Into<String>) -> SheetLine {
        SheetLine { label, text: text.into(), kind: LineKind::Plain }
    }

    /// The same, shown in another way.
    pub fn as_kind(mut self, kind: LineKind) -> SheetLine {
        self.kind = kind;
        self
    }
}

/// The text with the place to which it is scrolled.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    lines: Vec<SheetLine>,
    /// The rows of the lines at the width they were last broken for: line, and its part.
    rows: Vec<(usize, String)>,
    width: usize,
    height: usize,
    /// First row on screen.
    pub top: usize,
}

impl Sheet {
    /// Another text. One about the same thing stays where it is scrolled to.
    pub fn set(&mut self, lines: Vec<SheetLine>, is_same: bool) {
        if !is_same {
            self.top = 0;
        }
        if self.lines != lines {
            self.lines = lines;
            self.width = 0;
        }
    }

    /// Its lines.
    pub fn lines(&self) -> &[SheetLine] {
        &self.lines
    }

    /// The rows on screen: which line each belongs to, and its text.
    pub fn rows(&self) -> &[(usize, String)] {
        &self.rows
    }

    /// Scrolls by rows.
    pub fn scroll(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(self.height.max(1));
        self.top = self.top.saturating_add_signed(rows).min(last);
    }

    /// Breaks the lines for the inside of a frame.
    pub fn settle(&mut self, width: usize, height: usize) {
        self.height = height;
        if self.width != width {
            self.width = width;
            self.rows.clear();
            for (at, line) in self.lines.iter().enumerate() {
                let (indentation, room) = match line.kind {
                    LineKind::File => (line.text.len() - line.text.trim_start_matches(' ').len(), width),
                    _ => (0, width.saturating_sub(LABELS)),
                };
                let (indentation, text) = line.text.split_at(indentation);
                let room = room.saturating_sub(indentation.len()).max(10);
                let parts = text::wrap(text, room).into_iter();
                self.rows.extend(parts.map(|part| (at, format!("{indentation}{part}"))));
            }
        }
        self.scroll(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_file_keeps_its_indentation() {
        let line = |text: &str| SheetLine::new("", text).as_kind(LineKind::File);
        let mut sheet = Sheet::default();
        sheet.set(vec![line("verb:"), line("    - create or delete")], false);
        sheet.settle(16, 5);
        let rows: Vec<&str> = sheet.rows().iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(rows, ["verb:", "    - create or", "    delete"]);
    }

    #[test]
    fn it_stays_where_it_is_scrolled_to_and_ends_with_the_text() {
        let lines: Vec<SheetLine> = (0..10).map(|n| SheetLine::new("a", format!("line {n} of it"))).collect();
        let mut sheet = Sheet::default();
        sheet.set(lines.clone(), false);
        sheet.settle(LABELS + 10, 5);
        assert_eq!(sheet.rows().len(), 20, "each is broken in two");
        sheet.scroll(isize::MAX);
        assert_eq!(sheet.top, 15);
        sheet.set(lines.clone(), true);
        sheet.settle(80, 5);
        assert_eq!((sheet.rows().len(), sheet.top), (10, 5));
        sheet.set(lines, false);
        assert_eq!(sheet.top, 0);
    }
}

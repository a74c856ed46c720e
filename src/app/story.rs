//! An answer on the screen: a cause chain, why something was allowed, what somebody did in one go. Lines of
//! [`crate::trace::Told`] with a cursor; a pane beside tells more about the line under it.

use crate::model::EventId;
use crate::text;
use crate::trace::Told;

/// What the answer is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoryKind {
    /// What led to a request and what it set off.
    Chain,
    /// Why requests were allowed or refused.
    Access,
    /// What an actor did in one go, as kubectl lines.
    Session,
}

impl StoryKind {
    /// The view that `--view` opens it by.
    pub fn view(self) -> &'static str {
        match self {
            StoryKind::Chain => "chain",
            StoryKind::Access => "access",
            StoryKind::Session => "session",
        }
    }
}

/// Columns before the text of a line at depth 1: cursor, certainty, label.
pub const MARGIN: usize = 23;

/// The same on a narrow screen.
pub const NARROW_MARGIN: usize = 15;

/// One answer.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it is about.
    pub kind: StoryKind,
    /// In a few words; from a log, so hostile until made visible.
    pub title: String,
    /// The request it was asked for.
    pub about: EventId,
    /// Its lines.
    pub lines: Vec<Told>,
    /// The line under the cursor.
    pub cursor: usize,
    /// First row on screen.
    pub top: usize,
    /// What the pane beside tells of the line under the cursor; hostile until made visible.
    pub side: Vec<String>,
    /// The rows of the lines at the width they were last broken for: line, and its part.
    rows: Vec<(usize, String)>,
    width: usize,
}

impl Story {
    /// A new answer. `cursor` is the request at whose line the cursor begins.
    pub fn new(
        kind: StoryKind,
        title: String,
        about: EventId,
        lines: Vec<Told>,
        cursor: Option<EventId>,
    ) -> Story {
        let first = lines.iter().position(|line| !line.is_heading()).unwrap_or(0);
        let at = cursor.and_then(|id| lines.iter().position(|line| line.event == Some(id)));
        Story {
            kind,
            title,
            about,
            cursor: at.unwrap_or(first),
            lines,
            top: 0,
            side: Vec::new(),
            rows: Vec::new(),
            width: 0,
        }
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<&Told> {
        self.lines.get(self.cursor)
    }

    /// The rows on screen: which line each belongs to, and its text.
    pub fn rows(&self) -> &[(usize, String)] {
        &self.rows
    }

    /// Moves the cursor by lines, over headings.
    pub fn move_by(&mut self, lines: isize) {
        let last = self.lines.len().saturating_sub(1);
        let wanted = self.cursor.saturating_add_signed(lines).min(last);
        let is_line = |at: &usize| self.lines.get(*at).is_some_and(|line| !line.is_heading());
        let found = if lines < 0 {
            (0..=wanted).rev().find(is_line).or_else(|| (wanted..=last).find(is_line))
        } else {
            (wanted..=last).find(is_line).or_else(|| (0..=wanted).rev().find(is_line))
        };
        self.cursor = found.unwrap_or(wanted);
    }

    /// Breaks the lines for a width, and scrolls so that the cursor's line is seen.
    pub fn settle(&mut self, width: usize, height: usize) {
        if self.width != width {
            self.width = width;
            self.rows.clear();
            let margin = if width < 100 { NARROW_MARGIN } else { MARGIN };
            for (at, line) in self.lines.iter().enumerate() {
                let indent = margin + 2 * line.depth.saturating_sub(1);
                let text = if line.is_heading() { line.label } else { &line.text };
                let parts = text::wrap(text, width.saturating_sub(indent).max(10));
                self.rows.extend(parts.into_iter().map(|part| (at, part)));
            }
        }
        let height = height.max(1);
        let first = self.rows.iter().position(|(at, _)| *at == self.cursor).unwrap_or(0);
        let last = self.rows.iter().rposition(|(at, _)| *at == self.cursor).unwrap_or(first);
        self.top = self.top.max((last + 1).saturating_sub(height)).min(first);
        // The heading above the first line is worth its row.
        if self.top == first && first > 0 && last + 1 - (first - 1) <= height {
            self.top = first - 1;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Certainty;

    fn line(text: &str) -> Told {
        Told {
            depth: 1,
            label: "effect",
            certainty: Some(Certainty::Certain),
            text: text.to_owned(),
            evidence: String::new(),
            event: None,
        }
    }

    #[test]
    fn the_cursor_goes_from_line_to_line_and_is_seen() {
        let long = "word ".repeat(40);
        let lines = vec![Told::heading("a"), line("one"), Told::heading("b"), line(&long), line("three")];
        let mut story = Story::new(StoryKind::Chain, String::new(), EventId::new(0, 0), lines, None);
        assert_eq!(story.cursor, 1);
        story.settle(60, 4);
        assert_eq!((story.top, story.rows()[0].1.as_str()), (0, "a"));
        story.move_by(1);
        assert_eq!(story.cursor, 3, "over the heading");
        story.settle(60, 4);
        let seen = &story.rows()[story.top..story.top + 4];
        assert!(seen.iter().any(|(at, _)| *at == 3), "{seen:?}");
        story.move_by(isize::MAX);
        assert_eq!(story.cursor, 4);
        story.move_by(isize::MIN);
        assert_eq!(story.cursor, 1);
        story.settle(60, 4);
        assert_eq!(story.top, 0);
    }
}

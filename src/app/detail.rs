//! The event under the cursor, parsed when it is looked at: summary, stages, tree, search.

use serde_json::Value;

use super::summary::{self, Line};
use super::tree::Tree;
use crate::format;
use crate::model::{EventId, LogKind};
use crate::redact;
use crate::store::Store;

/// One event, opened.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Which record.
    pub id: EventId,
    /// All records of its request, in time order.
    pub stages: Vec<EventId>,
    /// In words.
    pub summary: Vec<Line>,
    /// The event.
    pub tree: Tree,
    /// Selected line among the visible ones.
    pub cursor: usize,
    /// First visible line on screen.
    pub scroll: usize,
    /// What was searched for last.
    pub search: String,
    /// Whether secret values are shown.
    pub revealed: bool,
}

impl Detail {
    /// Opens a record.
    pub fn open(store: &Store, id: EventId, revealed: bool) -> Option<Detail> {
        let segment = store.segment(id)?;
        let (event, details, problem) = match segment.text(id.row()) {
            Ok(text) => {
                let (event, problem) = parsed(&text, revealed);
                (event, format::details(segment.facts(id.row()).log(), &text), problem)
            }
            Err(error) => (Value::Null, None, Some(format!("its text cannot be unpacked: {error}"))),
        };
        let ended = store.ending(id).map(|end| store.stage_time(end));
        let summary = match (problem, details) {
            (Some(problem), _) => vec![Line { label: "note", text: problem }],
            (None, Some(details)) => summary::controller::summarise(segment, id.row(), &details, revealed),
            (None, None) => summary::summarise(&event, ended),
        };
        let tree = Tree::new(&event);
        let is_kube = segment.facts(id.row()).log() == LogKind::Kube;
        let stages = store.stages(id);
        Some(Detail {
            id,
            stages,
            summary,
            tree: if is_kube { tree } else { tree.without_targets() },
            cursor: 0,
            scroll: 0,
            search: String::new(),
            revealed,
        })
    }

    /// The same with cursor, search and folding as they were in `other`, an opening of the same record.
    pub fn at_place_of(mut self, other: &Detail) -> Detail {
        self.search.clone_from(&other.search);
        self.tree.fold_like(&other.tree);
        self.cursor = other.cursor.min(self.tree.visible().len().saturating_sub(1));
        self
    }

    /// Moves the cursor by lines.
    pub fn move_by(&mut self, lines: isize) {
        let last = self.tree.visible().len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(lines).min(last);
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<usize> {
        self.tree.visible().get(self.cursor).copied()
    }

    /// Folds or unfolds the line under the cursor.
    pub fn toggle(&mut self) {
        if let Some(line) = self.line() {
            self.tree.toggle(line);
        }
    }

    /// Goes to the next (or previous) line that holds what is searched for. Returns whether there is one.
    pub fn find(&mut self, forward: bool) -> bool {
        let from = self.line().unwrap_or(0);
        let Some(found) = self.tree.find(&self.search, from, forward) else { return false };
        self.tree.unfold_to(found);
        self.cursor = self.tree.visible().iter().position(|line| *line == found).unwrap_or(0);
        true
    }
}

/// The event as a value, masked unless revealed, and what kept it from being one.
fn parsed(text: &[u8], revealed: bool) -> (Value, Option<String>) {
    if let Some(mut fields) = format::fields(text) {
        if !revealed {
            redact::mask_event(&mut fields);
        }
        return (fields, None);
    }
    let shown = if revealed { String::from_utf8_lossy(text).into_owned() } else { redact::masked_json(text) };
    match serde_json::from_str::<Value>(&shown) {
        Ok(event) if event.is_object() => (event, None),
        // The legacy text format, or a body nested too deeply to be a tree.
        _ => {
            let line = if revealed { shown } else { redact::masked_line(text) };
            let legacy = !line.trim_start().starts_with('{');
            let note =
                if legacy { line } else { "this event cannot be shown as a tree; copy it with y".to_owned() };
            (Value::Null, Some(note))
        }
    }
}

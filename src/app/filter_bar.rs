//! The filter as it is typed: the last valid expression stays in force while the text is incomplete or wrong.

use tui_input::Input;

use crate::query::{Expression, Node, ParseError, parse, without_term_at};

/// Filters remembered for this run.
const HISTORY: usize = 100;

/// The filter bar.
#[derive(Debug, Default)]
pub struct FilterBar {
    /// What is typed.
    pub input: Input,
    /// What is in force.
    pub applied: Expression,
    /// What is wrong with what is typed.
    pub problem: Option<ParseError>,
    /// Whether what is in force is all that is typed but for what is wrong; else it is what was right last.
    pub is_without_it: bool,
    /// Only matches are shown, instead of all rows with matches marked.
    pub narrow: bool,
    /// Conditions that are switched off for now.
    off: Vec<Node>,
    before: Expression,
    history: Vec<String>,
    /// How far back in the history we are, while editing.
    recalled: Option<usize>,
    /// What was typed before an earlier filter took its place.
    typed_before: String,
}

impl FilterBar {
    /// A bar with a filter in force.
    pub fn new(expression: &Expression) -> Self {
        Self {
            input: Input::new(expression.to_string()),
            applied: expression.clone(),
            narrow: true,
            ..Self::default()
        }
    }

    /// The filter without the conditions that are switched off: what rows must pass.
    pub fn effective(&self) -> Expression {
        let on = self.applied.conditions().iter().filter(|condition| !self.is_off(condition));
        Expression::all_of(on.cloned().collect())
    }

    /// Whether a condition is switched off.
    pub fn is_off(&self, condition: &Node) -> bool {
        self.off.contains(condition)
    }

    /// Switches a condition off, or on again.
    pub fn toggle(&mut self, condition: &Node) {
        if self.is_off(condition) {
            self.off.retain(|off| off != condition);
        } else {
            self.off.push(condition.clone());
        }
    }

    /// The conditions that are switched off.
    pub fn off(&self) -> &[Node] {
        &self.off
    }

    /// Switches these conditions off, and no others.
    pub fn switch_off(&mut self, off: Vec<Node>) {
        self.off = off;
    }

    /// What is in force and what is switched off, as text.
    pub fn text(&self) -> String {
        self.applied.to_string()
    }

    /// Starts editing.
    pub fn begin(&mut self) {
        self.before = self.applied.clone();
        self.recalled = None;
        let mut text = self.applied.to_string();
        if !text.is_empty() {
            text.push(' ');
        }
        self.input = Input::new(text);
        self.problem = None;
    }

    /// Takes what was typed. Returns whether another expression is in force.
    pub fn typed(&mut self) -> bool {
        match parse(self.input.value()) {
            Ok(expression) => {
                self.problem = None;
                let changed = expression != self.applied;
                self.applied = expression;
                changed
            }
            Err(problem) => {
                // A term that is only begun must not count, nor what it looked like before its colon.
                let rest = parse(&without_term_at(self.input.value(), self.input.cursor())).ok();
                self.problem = Some(problem);
                self.is_without_it = rest.is_some();
                let Some(rest) = rest.filter(|rest| *rest != self.applied) else { return false };
                self.applied = rest;
                true
            }
        }
    }

    /// Ends editing and remembers the filter. What is no longer asked for is not off when it is asked for again.
    pub fn keep(&mut self) {
        self.off.retain(|off| self.applied.conditions().contains(off));
        let text = self.applied.to_string();
        if !text.is_empty() && self.history.last() != Some(&text) {
            self.history.push(text.clone());
            if self.history.len() > HISTORY {
                self.history.remove(0);
            }
        }
        self.input = Input::new(text);
        self.problem = None;
    }

    /// Ends editing and goes back to the filter before.
    pub fn revert(&mut self) {
        self.applied = std::mem::take(&mut self.before);
        self.input = Input::new(self.applied.to_string());
        self.problem = None;
    }

    /// Puts another expression in force.
    pub fn set(&mut self, expression: Expression) {
        self.applied = expression;
        self.keep();
    }

    /// Puts an earlier (or later) filter of this run into the bar; behind the last one, what was typed before.
    pub fn recall(&mut self, earlier: bool) {
        let last = self.history.len();
        if self.recalled.is_none() {
            if !earlier || last == 0 {
                return;
            }
            self.typed_before = self.input.value().to_owned();
        }
        let at = match (self.recalled, earlier) {
            (None, true) => last.checked_sub(1),
            (None, false) => None,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => (at + 1 < last).then_some(at + 1),
        };
        self.recalled = at;
        let earlier = at.and_then(|at| self.history.get(at)).cloned();
        self.input = Input::new(earlier.unwrap_or_else(|| std::mem::take(&mut self.typed_before)));
    }

    /// Whether an earlier filter is in the bar.
    pub fn is_recalling(&self) -> bool {
        self.recalled.is_some()
    }

    /// Puts another text into the bar.
    pub fn replace(&mut self, text: String, cursor: usize) {
        self.input = Input::new(text).with_cursor(cursor);
    }

    /// Inserts pasted text at the cursor.
    pub fn insert(&mut self, text: &str) {
        insert(&mut self.input, text);
    }
}

/// Inserts text at the cursor of an input, which by itself takes single keys only.
pub fn insert(input: &mut Input, text: &str) {
    /// More than any filter needs, less than what would make a frame slow.
    const LONGEST: usize = 4096;
    let at = input.cursor();
    let value = input.value();
    let room = LONGEST.saturating_sub(value.chars().count());
    let added: String = text.chars().take(room).collect();
    let whole: String = value.chars().take(at).chain(added.chars()).chain(value.chars().skip(at)).collect();
    *input = Input::new(whole).with_cursor(at + added.chars().count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_can_be_switched_off() {
        let mut bar = FilterBar::new(&parse("ns:prod -verb:get (a or b)").unwrap());
        let second = bar.applied.conditions()[1].clone();
        bar.toggle(&second);
        assert_eq!(bar.effective().to_string(), "ns:prod a or b".replace("a or b", "(a or b)"));
        assert_eq!(bar.text(), "ns:prod -verb:get (a or b)");
        bar.toggle(&second);
        assert_eq!(bar.effective(), bar.applied);
        bar.toggle(&second);
        bar.set(parse("verb:get").unwrap());
        assert_eq!(bar.effective().to_string(), "verb:get", "another condition is on");
    }

    #[test]
    fn the_last_valid_filter_stays() {
        let mut bar = FilterBar::new(&Expression::default());
        bar.begin();
        bar.insert("user:alice");
        assert!(bar.typed());
        bar.insert(" ns");
        assert!(bar.typed());
        assert_eq!(bar.text(), "user:alice ns", "a word, as long as nothing says otherwise");
        bar.insert(":");
        assert!(bar.typed(), "a field without its value asks for nothing yet");
        assert!(bar.problem.as_ref().is_some_and(|p| p.incomplete));
        assert_eq!(bar.text(), "user:alice");
        bar.insert("a)");
        assert!(!bar.typed());
        assert_eq!(bar.text(), "user:alice", "what is wrong changes nothing");
        bar.replace("user:alice ns:".into(), 14);
        assert!(!bar.typed());
        bar.insert("prod");
        assert!(bar.typed() && bar.problem.is_none());
        bar.revert();
        assert_eq!(bar.text(), "");
    }

    #[test]
    fn earlier_filters_come_back() {
        let mut bar = FilterBar::default();
        for text in ["a", "b"] {
            bar.set(parse(text).unwrap());
        }
        bar.begin();
        bar.insert("not yet kept");
        bar.recall(true);
        assert_eq!(bar.input.value(), "b");
        bar.recall(true);
        bar.recall(true);
        assert_eq!(bar.input.value(), "a");
        bar.recall(false);
        assert_eq!(bar.input.value(), "b");
        bar.recall(false);
        assert_eq!(bar.input.value(), "b not yet kept", "what was typed");
        bar.recall(false);
        assert_eq!(bar.input.value(), "b not yet kept");
        let mut bar = FilterBar::default();
        bar.begin();
        bar.insert("first");
        bar.recall(true);
        assert_eq!(bar.input.value(), "first", "there is no earlier one");
    }
}

//! The rules screen: every rule with how often it matched and whether it can fire on this log, and every rule file that
//! could not be used.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::sheet::{LineKind, Sheet, SheetLine};
use super::table::TableCursor;
use crate::detect::{
    AlertBoard, LoadProblem, LoadedRules, ProblemKind, Readiness, RuleIndex, RuleInfo, readiness,
    state_in_words,
};
use crate::model::Level;
use crate::store::Store;
use crate::text;
use crate::trace::report::Coverage;

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleLine {
    /// What is wrong with a rule file, by its place among the problems.
    Problem(usize),
    /// A rule.
    Rule(RuleIndex),
    /// Rules that are about other logs.
    Skipped,
}

/// What the table is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleSort {
    /// How bad a match is.
    Severity,
    /// How often it matched.
    Hits,
    /// Whether it can fire.
    Readiness,
    /// Its title.
    Title,
}

/// The columns by which the table can be sorted, from left to right.
pub const RULE_SORTS: [RuleSort; 4] =
    [RuleSort::Severity, RuleSort::Hits, RuleSort::Readiness, RuleSort::Title];

/// What can fire, as of how much of the log.
#[derive(Debug, Default)]
struct Ready {
    of: Vec<Readiness>,
    /// How many records there are of each level.
    levels: Vec<(Level, u64)>,
    engine: u64,
    records: u64,
    is_final: bool,
}

/// The rules screen.
#[derive(Debug, Default)]
pub struct RuleTable {
    /// The cursor.
    pub cursor: TableCursor,
    /// Column of the sort, in [`RULE_SORTS`].
    pub sort: usize,
    /// The other way round.
    pub reversed: bool,
    /// What is told of the rule under the cursor.
    pub sheet: Sheet,
    /// What was searched last.
    pub(super) wanted: String,
    told: Option<RuleLine>,
    lines: Vec<RuleLine>,
    hits: HashMap<RuleIndex, u64>,
    ready: Ready,
    made_of: Option<(u64, u64, usize, bool)>,
}

impl RuleTable {
    /// The lines.
    pub fn lines(&self) -> &[RuleLine] {
        &self.lines
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<RuleLine> {
        self.lines.get(self.cursor.row).copied()
    }

    /// How often a rule matched, or a correlation was found.
    pub fn hits(&self, rule: RuleIndex) -> u64 {
        self.hits.get(&rule).copied().unwrap_or(0)
    }

    /// Whether each rule can fire, as far as that was worked out.
    pub fn readiness(&self) -> &[Readiness] {
        &self.ready.of
    }

    /// How many records there are of each level, as of when that was worked out.
    pub fn levels(&self) -> &[(Level, u64)] {
        &self.ready.levels
    }

    /// How many rules the log tells too little for.
    pub fn blind(&self) -> usize {
        self.ready.of.iter().filter(|ready| ready.is_blind()).count()
    }

    /// Moves the cursor by lines.
    pub fn move_by(&mut self, rows: isize) {
        let lines = &self.lines;
        self.cursor.move_by(rows, lines.len(), |at| format!("{:?}", lines.get(at)));
    }

    /// Goes to the next rule, or the one before, round the end, that has `wanted` in its title, id or file's name.
    /// Returns whether there is one.
    pub(super) fn find(&mut self, wanted: &str, forward: bool, board: &AlertBoard) -> bool {
        self.wanted = wanted.to_owned();
        let wanted = wanted.to_lowercase();
        let is_meant = |line: &RuleLine| match line {
            RuleLine::Rule(rule) => {
                let Some(info) = board.engine().rules().get(rule.0 as usize) else { return false };
                let file = info.origin.file.display().to_string();
                [&info.title, &info.id, &file].iter().any(|text| text.to_lowercase().contains(&wanted))
            }
            RuleLine::Problem(_) | RuleLine::Skipped => false,
        };
        let (count, from) = (self.lines.len(), self.cursor.row);
        let step = |by: usize| if forward { (from + by) % count } else { (from + count - by) % count };
        let Some(found) = (1..=count).map(step).find(|at| is_meant(&self.lines[*at])) else { return false };
        self.move_by(found as isize - from as isize);
        true
    }

    /// Sorts by the column beside.
    pub fn sort_beside(&mut self, right: bool) {
        self.sort =
            if right { (self.sort + 1).min(RULE_SORTS.len() - 1) } else { self.sort.saturating_sub(1) };
        self.reversed = false;
    }

    /// Works out what can fire, where the log has grown by enough to make a difference or is complete now.
    pub fn look_at(&mut self, board: &AlertBoard, store: &Store, is_final: bool) {
        let records = store.held_records();
        let Ready { engine, records: known, is_final: was_final, .. } = self.ready;
        let is_much = records < known || records > known + known / 20;
        if engine == board.engine().number() && !is_much && was_final == is_final {
            return;
        }
        self.ready = Ready {
            of: readiness(board.engine(), store),
            levels: Coverage::levels_of(store),
            engine: board.engine().number(),
            records,
            is_final,
        };
        self.made_of = None;
    }

    /// Makes the lines anew where something changed. `version` is that of the alerts.
    pub fn settle(&mut self, rules: &LoadedRules, board: &AlertBoard, version: u64, height: usize) {
        let made_of = (board.engine().number(), version, self.sort, self.reversed);
        if self.made_of != Some(made_of) {
            self.count(board);
            self.make_lines(rules, board);
            self.made_of = Some(made_of);
            self.told = None;
        }
        let lines = &self.lines;
        self.cursor.settle(lines.len(), height, |at| format!("{:?}", lines.get(at)));
        let line = self.line();
        if self.told != line || line.is_none() {
            let told = line.map(|line| self.told_of(line, rules, board)).unwrap_or_default();
            self.sheet.set(told, false);
            self.told = line;
        }
    }

    fn count(&mut self, board: &AlertBoard) {
        self.hits.clear();
        for alert in board.list() {
            *self.hits.entry(alert.rule).or_default() += alert.count;
        }
        for hit in board.hits().values().flat_map(|hits| hits.iter()) {
            let rule = RuleIndex(hit.rule);
            if !board.engine().rule(rule).is_told() {
                *self.hits.entry(rule).or_default() += 1;
            }
        }
    }

    fn make_lines(&mut self, rules: &LoadedRules, board: &AlertBoard) {
        let engine = board.engine();
        let mut order: Vec<RuleIndex> = (0..engine.rules().len() as u32).map(RuleIndex).collect();
        let title = |rule: &RuleIndex| engine.rule(*rule).title.clone();
        order.sort_by_key(|rule| (Reverse(engine.rule(*rule).severity), title(rule)));
        match RULE_SORTS[self.sort.min(RULE_SORTS.len() - 1)] {
            RuleSort::Severity => {}
            RuleSort::Hits => order.sort_by_key(|rule| Reverse(self.hits(*rule))),
            RuleSort::Readiness => order.sort_by_key(|rule| {
                let ready = self.ready.of.get(rule.0 as usize);
                (ready.is_none_or(Readiness::is_ready), ready.is_some_and(|ready| !ready.is_blind()))
            }),
            RuleSort::Title => order.sort_by_key(title),
        }
        if self.reversed {
            order.reverse();
        }
        // What is lost comes first: nobody would look for it. That a list is not there is no fault.
        let (waiting, mut wrong): (Vec<usize>, Vec<usize>) =
            (0..rules.problems.len()).partition(|at| rules.problems[*at].kind == ProblemKind::Waiting);
        wrong.sort_by_key(|at| Reverse(rules.problems[*at].kind));
        self.lines = wrong.into_iter().map(RuleLine::Problem).collect();
        self.lines.extend(order.into_iter().map(RuleLine::Rule));
        self.lines.extend(waiting.into_iter().map(RuleLine::Problem));
        if !rules.skipped.is_empty() {
            self.lines.push(RuleLine::Skipped);
        }
    }

    fn told_of(&self, line: RuleLine, rules: &LoadedRules, board: &AlertBoard) -> Vec<SheetLine> {
        match line {
            RuleLine::Problem(at) => rules.problems.get(at).map(told_of_problem).unwrap_or_default(),
            RuleLine::Skipped => skipped(rules),
            RuleLine::Rule(rule) => {
                let info = board.engine().rule(rule);
                let mut lines = Vec::new();
                if let Some(ready) = self.ready.of.get(rule.0 as usize) {
                    let state = state_in_words(board.engine(), rule, ready);
                    lines.push(SheetLine::new("state", state).as_kind(LineKind::Strong));
                }
                let hits = match (self.hits(rule), info.is_told()) {
                    (hits, false) => format!("{}, which only feed correlations", text::thousands(hits)),
                    (hits, true) => format!("{} (Enter shows the events)", text::thousands(hits)),
                };
                lines.push(SheetLine::new("matches", hits));
                if let Some(words) = board.engine().correlation_in_words(rule) {
                    lines.push(SheetLine::new("when", words));
                }
                lines.extend(about_rule(info));
                lines
            }
        }
    }
}

/// What a rule says of itself, and its text.
pub fn about_rule(info: &RuleInfo) -> Vec<SheetLine> {
    let mut lines = Vec::new();
    let mut tell = |label: &'static str, text: String| {
        if !text.trim().is_empty() {
            lines.push(SheetLine::new(label, text.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    };
    tell("about", info.description.clone());
    for cause in &info.falsepositives {
        tell("good if", cause.clone());
    }
    let tactics: Vec<String> = info.tactics().chain(info.techniques()).collect();
    tell("ATT&CK", tactics.join(", "));
    for reference in &info.references {
        tell("see", reference.clone());
    }
    let origin = match info.origin.builtin {
        true => format!("{} of the program", info.origin.file.display()),
        false => format!("{}:{}", info.origin.file.display(), info.origin.line),
    };
    let author = info.author.as_ref().map(|author| format!(" by {author}")).unwrap_or_default();
    tell("rule", format!("{} · {}{author}", info.id, origin));
    tell("narrowed", info.filters.join(", "));
    let text = info.text.lines().map(|line| SheetLine::new("", line).as_kind(LineKind::File));
    lines.extend(text.collect::<Vec<_>>());
    lines
}

fn told_of_problem(problem: &LoadProblem) -> Vec<SheetLine> {
    let what = match problem.kind {
        ProblemKind::Error => "this rule is not used",
        ProblemKind::Waiting => "this rule waits for a list",
        ProblemKind::Warning => "this rule is used, but probably does not mean what it should",
    };
    let place = match problem.line {
        0 => problem.file.display().to_string(),
        line => format!("{}:{line}", problem.file.display()),
    };
    let mut lines = vec![SheetLine::new("state", what).as_kind(LineKind::Strong)];
    lines.extend(problem.title.as_ref().map(|title| SheetLine::new("rule", title.clone())));
    lines.push(SheetLine::new("file", place));
    lines.push(SheetLine::new("why", problem.reason.clone()));
    lines
}

fn skipped(rules: &LoadedRules) -> Vec<SheetLine> {
    let mut lines = vec![SheetLine::new("state", "left out: they are about other logs")];
    for (product, count) in rules.skipped.iter() {
        lines.push(SheetLine::new("product", format!("{product}: {}", text::thousands(*count as u64))));
    }
    lines
}

//! The rules in use: how bad a match is, how often there was one, and whether there can be one on this log; before them
//! what could not be loaded.

use super::alerts::{draw_sheet, severity};
use super::canvas::Canvas;
use super::grid::{self, Column};
use super::theme::Role;
use crate::app::App;
use crate::app::geometry::Area;
use crate::app::rule_table::RuleLine;
use crate::detect::{LoadedRules, ProblemKind, Readiness, state_in_words};
use crate::text;

fn columns(width: u16) -> [Column; 4] {
    let (hits, state) = match width {
        110.. => (9, 48),
        76.. => (7, 27),
        50.. => (5, 14),
        _ => (0, 0),
    };
    let sizes = [5, hits, state];
    let used: u16 = 2 + sizes.iter().filter(|width| **width > 0).map(|width| width + 1).sum::<u16>();
    [
        Column::text("SEV", 5),
        Column::number("MATCHES", hits),
        Column::text("CAN IT FIRE", state),
        Column::text("RULE", width.saturating_sub(used).max(8)),
    ]
}

/// Draws the table.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let columns = columns(rows.width);
    let Some(rules) = &app.watch.rules else {
        canvas.put(rows.x + 2, rows.y, rows.width.saturating_sub(2), "no rules are in use", Role::Strong);
        return;
    };
    let title = summary(app, rules);
    canvas.put(
        heading.x + 1,
        heading.y,
        heading.width.saturating_sub(1),
        &canvas.words(&title),
        Role::Strong,
    );
    let table = &app.rule_table;
    grid::heading(canvas, Area { height: 1, ..rows }, &columns, Some((table.sort, !table.reversed)));
    let below = Area { y: rows.y + 1, height: rows.height.saturating_sub(1), ..rows };
    let visible = table.lines().iter().enumerate().skip(table.cursor.top).take(usize::from(below.height));
    for (offset, (at, line)) in visible.enumerate() {
        let area = Area { y: below.y + offset as u16, height: 1, ..below };
        let cells = cells(app, rules, *line, &columns);
        grid::row(canvas, area, &columns, &cells, at == table.cursor.row);
    }
}

/// `134 rules · 70 can fire on this log · for 37 it tells too little · 20 about logs that are not open · 7 about what it never saw`
fn summary(app: &App, rules: &LoadedRules) -> String {
    let ready = app.rule_table.readiness();
    let can = ready.iter().filter(|ready| ready.is_ready()).count();
    let blind = app.rule_table.blind();
    let mut parts =
        vec![text::counted(rules.engine.rules().len() as u64, "rule"), format!("{can} can fire on this log")];
    if blind > 0 {
        parts.push(format!("for {blind} it tells too little"));
    }
    let elsewhere = ready.iter().filter(|ready| matches!(ready, Readiness::NeedsLog { .. })).count();
    if elsewhere > 0 {
        parts.push(format!("{elsewhere} about logs that are not open"));
    }
    let unseen = ready.len() - can - blind - elsewhere;
    if unseen > 0 {
        parts.push(format!("{unseen} about what it never saw"));
    }
    let errors = rules.problems.iter().filter(|problem| problem.kind == ProblemKind::Error).count();
    if errors > 0 {
        parts.push(format!("{errors} could not be loaded"));
    }
    let skipped: usize = rules.skipped.values().sum();
    if skipped > 0 {
        let verb = if skipped == 1 { "is" } else { "are" };
        parts.push(format!("{skipped} {verb} about other logs"));
    }
    parts.join(" · ")
}

fn cells(app: &App, rules: &LoadedRules, line: RuleLine, columns: &[Column]) -> Vec<(String, Role)> {
    match line {
        RuleLine::Problem(at) => {
            let Some(problem) = rules.problems.get(at) else { return Vec::new() };
            let (word, role) = match problem.kind {
                ProblemKind::Error => ("ERROR", Role::Broken),
                ProblemKind::Warning => ("WARN", Role::Failure),
                ProblemKind::Waiting => ("WAITS", Role::Faint),
            };
            let narrow = columns[2].width == 0;
            let state = problem.reason.clone();
            let name = if narrow { problem.reason.clone() } else { place(problem) };
            vec![
                (word.to_owned(), role),
                (String::new(), Role::Plain),
                (state, Role::Failure),
                (name, Role::Plain),
            ]
        }
        RuleLine::Skipped => {
            let count: usize = rules.skipped.values().sum();
            vec![
                ("-".to_owned(), Role::Faint),
                (String::new(), Role::Faint),
                ("left out".to_owned(), Role::Faint),
                (format!("{} about other logs", text::counted(count as u64, "rule")), Role::Faint),
            ]
        }
        RuleLine::Rule(rule) => {
            let Some(info) = rules.engine.rules().get(rule.0 as usize) else { return Vec::new() };
            let (letters, role) = severity(info.severity);
            let ready = app.rule_table.readiness().get(rule.0 as usize);
            let hits = app.rule_table.hits(rule);
            let is_blind = ready.is_some_and(|ready| ready.is_blind());
            vec![
                (letters.to_owned(), role),
                (grid::number(hits, columns[1].width), if hits > 0 { Role::Strong } else { Role::Faint }),
                (
                    ready.map_or_else(String::new, |ready| state_in_words(&rules.engine, rule, ready)),
                    if is_blind { Role::Failure } else { Role::Faint },
                ),
                (info.title.clone(), Role::Plain),
            ]
        }
    }
}

fn place(problem: &crate::detect::LoadProblem) -> String {
    let name = problem.file.file_name().unwrap_or(problem.file.as_os_str()).to_string_lossy();
    match problem.line {
        0 => name.into_owned(),
        line => format!("{name}:{line}"),
    }
}

/// Draws what is told of the rule under the cursor.
pub fn draw_pane(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let title = match (app.rule_table.line(), &app.watch.rules) {
        (Some(RuleLine::Rule(rule)), Some(rules)) => {
            rules.engine.rules().get(rule.0 as usize).map_or("", |info| info.title.as_str())
        }
        (Some(RuleLine::Problem(_)), _) => "what is wrong",
        _ => "rules",
    };
    draw_sheet(app, canvas, area, title, &app.rule_table.sheet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit() {
        for width in 40..300u16 {
            let columns = columns(width);
            let used: u16 = 2 + columns.iter().filter(|c| c.width > 0).map(|c| c.width + 1).sum::<u16>();
            assert!(used <= width + 1, "{width}: {used}");
        }
    }
}

//! Lists of groups: `query --group-by`, and `users`, which groups by identity. Both count what a
//! [`crate::query::View`] shows, as the screens do.

use std::sync::atomic::{AtomicBool, Ordering};

use super::columns::{key_of, title_of};
use super::form::{Cell, Form, Heading};
use super::intake::Intake;
use super::{Streams, cannot_write};
use crate::activity::{Activity, Actor, ActorSort};
use crate::cli::QueryOutput;
use crate::error::Result;
use crate::headless::QueryOptions;
use crate::model::Micros;
use crate::query::{FieldName, Group, Grouping, MOST_GROUPS, Plan, SortBy, Stats, View, ViewOptions};
use crate::settings::Sort;
use crate::text::thousands;

/// Prints the rows counted by the values of fields; how many rows there are.
pub(super) fn print_groups(
    intake: &Intake,
    options: &QueryOptions<'_>,
    range: Option<(Micros, Micros)>,
    (fields, sort): (&[FieldName], Sort<SortBy>),
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<u64> {
    let Some(view) = view(intake, options, range, stop) else { return Ok(0) };
    let mut grouping = Grouping::new(fields.to_vec(), Vec::new());
    let goes_on = || !stop.load(Ordering::Relaxed);
    if !grouping.update(&intake.store, &view, &options.context(intake), goes_on) {
        return Ok(0);
    }
    let mut groups = grouping.groups(sort.by, sort.descending);
    groups.truncate(options.limit.unwrap_or(usize::MAX));
    let lines: Vec<Vec<Cell<'_>>> = groups.iter().map(|group| group_cells(fields, group)).collect();
    print_list(group_headings(fields), &lines, options, streams)?;
    if grouping.others() > 0 {
        streams.note(&format!(
            "not listed: {} rows of groups beyond {}",
            thousands(grouping.others()),
            thousands(MOST_GROUPS as u64)
        ));
    }
    Ok(view.len() as u64)
}

/// Prints who was active; how many rows there are.
pub(super) fn print_users(
    intake: &Intake,
    options: &QueryOptions<'_>,
    range: Option<(Micros, Micros)>,
    sort: Sort<ActorSort>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<u64> {
    let Some(view) = view(intake, options, range, stop) else { return Ok(0) };
    let mut activity = Activity::default();
    let goes_on = || !stop.load(Ordering::Relaxed);
    if !activity.update(&intake.store, &view, &options.context(intake), goes_on) {
        return Ok(0);
    }
    let actors = activity.actors(sort.by, sort.descending);
    let for_people = matches!(options.output, QueryOutput::Table | QueryOutput::Markdown);
    let shown = |at: &usize| !for_people || USER_COLUMNS.get(*at).is_some_and(|column| column.for_people);
    let headings = USER_COLUMNS.iter().enumerate().filter(|(at, _)| shown(at)).map(|(_, c)| c.heading());
    let cells = |actor| {
        let cells = user_cells(actor, for_people).into_iter().enumerate();
        cells.filter(|(at, _)| shown(at)).map(|(_, cell)| cell).collect()
    };
    let lines: Vec<Vec<Cell<'_>>> = actors.iter().map(cells).collect();
    print_list(headings.collect(), &lines, options, streams)?;
    Ok(view.len() as u64)
}

/// Everything that matches; `None` when told to stop.
fn view(
    intake: &Intake,
    options: &QueryOptions<'_>,
    range: Option<(Micros, Micros)>,
    stop: &AtomicBool,
) -> Option<View> {
    let shown = ViewOptions { all_stages: !options.is_by_request(), range, ..ViewOptions::default() };
    let mut view = View::new(Plan::everything(), ViewOptions::default());
    view.restart(&intake.store, options.plan(intake), shown);
    view.advance(&intake.store, || !stop.load(Ordering::Relaxed)).then_some(view)
}

fn print_list(
    headings: Vec<Heading>,
    lines: &[Vec<Cell<'_>>],
    options: &QueryOptions<'_>,
    streams: &mut Streams<'_>,
) -> Result<()> {
    let mut form = Form::new(options.output, options.zone, options.ascii, headings);
    form.fit(lines);
    for line in lines {
        form.line(line, streams.out).map_err(cannot_write)?;
    }
    form.finish(streams.out).map_err(cannot_write)
}

fn number(key: &'static str, title: &'static str) -> Heading {
    Heading { key: key.into(), title: title.into(), width: 0, is_number: true }
}

fn words(key: &'static str, title: impl Into<std::borrow::Cow<'static, str>>) -> Heading {
    Heading { key: key.into(), title: title.into(), width: 0, is_number: false }
}

fn group_headings(fields: &[FieldName]) -> Vec<Heading> {
    let of_field = |field: &FieldName| words(key_of(*field), title_of(*field));
    let counted = [
        number("count", "COUNT"),
        number("failed", "FAILED"),
        number("forbidden", "403"),
        number("writes", "WRITES"),
        number("bytes", "BYTES"),
        number("p50Micros", "P50"),
        number("p99Micros", "P99"),
        words("first", "FIRST"),
        words("last", "LAST"),
    ];
    fields.iter().map(of_field).chain(counted).collect()
}

fn group_cells<'g>(fields: &[FieldName], group: &'g Group) -> Vec<Cell<'g>> {
    let Stats { count, failed, forbidden, writes, bytes, first, last, durations, .. } = &group.stats;
    let value = |(field, value): (&FieldName, &'g str)| match (field, value.parse()) {
        (FieldName::Code, Ok(code)) => Cell::Number(code),
        _ => Cell::text(value),
    };
    let values = group.values.iter().map(AsRef::as_ref);
    let length = |share| durations.percentile(share).map_or(Cell::Absent, Cell::Length);
    let counted = [
        Cell::Count(*count),
        Cell::Count(*failed),
        Cell::Count(*forbidden),
        Cell::Count(*writes),
        Cell::Bytes(*bytes),
        length(0.5),
        length(0.99),
        Cell::Time(*first),
        Cell::Time(*last),
    ];
    fields.iter().zip(values).map(value).chain(counted).collect()
}

/// A column of `users`.
struct UserColumn {
    key: &'static str,
    title: &'static str,
    is_number: bool,
    /// Whether tables for people have it as well.
    for_people: bool,
}

impl UserColumn {
    fn heading(&self) -> Heading {
        if self.is_number { number(self.key, self.title) } else { words(self.key, self.title) }
    }
}

const fn user_column(
    key: &'static str,
    title: &'static str,
    is_number: bool,
    for_people: bool,
) -> UserColumn {
    UserColumn { key, title, is_number, for_people }
}

/// The columns of `users`, in the order of [`user_cells`].
const USER_COLUMNS: [UserColumn; 15] = [
    user_column("user", "USER", false, true),
    user_column("kind", "KIND", false, true),
    user_column("events", "EVENTS", true, true),
    user_column("writes", "WRITES", true, true),
    user_column("failed", "FAILED", true, true),
    user_column("forbidden", "403", true, true),
    user_column("impersonating", "IMPERSONATING", true, false),
    user_column("impersonated", "IMPERSONATED", true, false),
    user_column("namespaces", "NAMESPACES", true, true),
    user_column("sourceIPs", "ADDRESSES", true, true),
    user_column("tools", "TOOLS", true, true),
    user_column("first", "FIRST", false, true),
    user_column("last", "LAST", false, true),
    user_column("firstSeen", "FIRST SEEN", false, false),
    user_column("new", "NEW", false, true),
];

fn user_cells(actor: &Actor, for_people: bool) -> [Cell<'_>; USER_COLUMNS.len()] {
    let stats = &actor.stats;
    let name = match actor.name.as_ref() {
        "" if for_people => "nobody: not logged in",
        name => name,
    };
    let distinct = |field| Cell::Count(stats.distinct(field).0 as u64);
    [
        Cell::text(name),
        Cell::text(actor.kind.name()),
        Cell::Count(stats.count),
        Cell::Count(stats.writes),
        Cell::Count(stats.failed),
        Cell::Count(stats.forbidden),
        Cell::Count(actor.impersonating),
        Cell::Count(actor.impersonated),
        distinct(0),
        distinct(1),
        distinct(2),
        Cell::Time(stats.first),
        Cell::Time(stats.last),
        Cell::Time(actor.first_seen),
        Cell::Flag(actor.is_new),
    ]
}

#[cfg(test)]
mod tests;

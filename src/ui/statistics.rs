//! Counts by any fields, the slowest requests, and what people changed.

use super::canvas::Canvas;
use super::grid::{self, Column};
use super::shorten;
use super::theme::Role;
use super::timeline::format_time;
use crate::app::App;
use crate::app::geometry::Area;
use crate::app::statistics::{Changed, Shape, presets};
use crate::model::{Micros, format_duration, short_resource};
use crate::query::{FieldName, Group, SortBy};
use crate::store::Field;
use crate::text;

/// Draws the title, the headings and the rows.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let statistics = &app.statistics;
    draw_title(app, canvas, heading);
    if rows.height == 0 {
        return;
    }
    let (heading, rows) =
        (Area { y: rows.y, height: 1, ..rows }, Area { y: rows.y + 1, height: rows.height - 1, ..rows });
    match statistics.question.shape {
        Shape::Groups => draw_groups(app, canvas, heading, rows),
        Shape::Slowest => draw_slowest(app, canvas, heading, rows),
        Shape::Changes => draw_changes(app, canvas, heading, rows),
    }
    if statistics.is_empty() {
        let text =
            if app.has_work() { "counting" } else { "nothing passes the filter and this table's condition" };
        canvas.put(rows.x + 2, rows.y, rows.width.saturating_sub(2), text, Role::Strong);
    }
}

fn draw_title(app: &App, canvas: &mut Canvas<'_>, area: Area) {
    let statistics = &app.statistics;
    let place = match statistics.preset {
        Some(at) => format!("table {} of {}", at + 1, presets().len()),
        None => "Tab: ready-made tables".to_owned(),
    };
    let counting = if statistics.is_complete(&app.store) { "" } else { ", counting" };
    let rows = text::thousands(statistics.len() as u64);
    let right = canvas.words(&format!("{rows} rows{counting} · {place} "));
    let start = canvas.put_right(area.x, area.y, area.width, &right, Role::Faint);
    let condition = match statistics.question.shape {
        Shape::Changes => " · successful writes, without controllers and routine".to_owned(),
        _ if statistics.question.condition.root.is_none() => String::new(),
        _ => format!(" · {}", statistics.question.condition),
    };
    let title = canvas.words(&format!("{}{condition}", statistics.question.title));
    canvas.put(area.x + 2, area.y, start.saturating_sub(area.x + 3), &title, Role::Heading);
}

fn title_of(field: FieldName) -> &'static str {
    match field {
        FieldName::User => "USER",
        FieldName::Verb => "VERB",
        FieldName::Resource => "RESOURCE",
        FieldName::Subresource => "SUB",
        FieldName::Namespace => "NAMESPACE",
        FieldName::Name => "NAME",
        FieldName::Code => "CODE",
        FieldName::Tool => "TOOL",
        FieldName::UserAgent => "AGENT",
        FieldName::SourceIp => "SOURCE IP",
        FieldName::Reason => "REASON",
        FieldName::Object => "OBJECT",
        FieldName::ApiVersion => "API VERSION",
        FieldName::Deprecated => "REMOVED IN",
        other => other.info().name,
    }
}

/// Room that values of a field deserve beside each other.
fn weight(field: FieldName) -> u16 {
    match field {
        FieldName::User
        | FieldName::Impersonator
        | FieldName::ImpersonatedUser
        | FieldName::Object
        | FieldName::UserAgent
        | FieldName::RequestUri
        | FieldName::Command => 4,
        FieldName::Verb | FieldName::Code | FieldName::Subresource | FieldName::Deprecated => 1,
        _ => 2,
    }
}

/// Width in which most values of a field can be read whole.
fn least_width(field: FieldName) -> u16 {
    match field {
        FieldName::Verb | FieldName::Subresource => 7,
        _ => 4,
    }
}

/// Number columns, from the one that is given up last to the first.
const NUMBERS: [(SortBy, Column); 9] = [
    (SortBy::Count, Column::number("COUNT", 7)),
    (SortBy::Failed, Column::number("FAIL", 6)),
    (SortBy::Last, Column::number("LAST", 8)),
    (SortBy::P99, Column::number("P99", 8)),
    (SortBy::Writes, Column::number("WRITES", 7)),
    (SortBy::Bytes, Column::number("BYTES", 9)),
    (SortBy::Median, Column::number("P50", 8)),
    (SortBy::First, Column::number("FIRST", 8)),
    (SortBy::Forbidden, Column::number("403", 5)),
];

/// The columns of a table of groups that fit, with what each sorts by; the chart is the last, without one.
fn group_columns(fields: &[FieldName], width: u16, sort: SortBy) -> Vec<(Option<SortBy>, Column)> {
    let chart: u16 = if width >= 110 { 14 } else { 8 };
    let least: u16 = fields.iter().map(|field| 5 + weight(*field) * 3).sum::<u16>().min(width / 2);
    let mut room = width.saturating_sub(2 + least + fields.len() as u16 + chart + 1);
    // What it is sorted by must be seen.
    let mut wanted: Vec<(SortBy, Column)> = NUMBERS.to_vec();
    if let Some(at) = wanted.iter().position(|(by, _)| *by == sort) {
        let first = wanted.remove(at);
        wanted.insert(0, first);
    }
    let mut numbers = Vec::new();
    for (by, column) in wanted {
        if column.width < room {
            room -= column.width + 1;
            numbers.push((by, column));
        }
    }
    let order = [
        SortBy::Count,
        SortBy::Failed,
        SortBy::Forbidden,
        SortBy::Writes,
        SortBy::Median,
        SortBy::P99,
        SortBy::Bytes,
        SortBy::First,
        SortBy::Last,
    ];
    numbers.sort_by_key(|(by, _)| order.iter().position(|known| known == by));
    let shared = least + room;
    let weights: u16 = fields.iter().map(|field| weight(*field)).sum::<u16>().max(1);
    let mut shares: Vec<u16> =
        fields.iter().map(|field| (shared * weight(*field) / weights).max(least_width(*field))).collect();
    let beyond = shares.iter().sum::<u16>().saturating_sub(shared);
    if let Some(widest) = shares.iter_mut().max() {
        *widest = widest.saturating_sub(beyond).max(4);
    }
    let mut columns: Vec<(Option<SortBy>, Column)> = fields
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(at, (field, share))| (Some(SortBy::Value(at)), Column::text(title_of(*field), share)))
        .collect();
    columns.extend(numbers.into_iter().map(|(by, column)| (Some(by), column)));
    columns.push((None, Column::text("TREND", chart)));
    columns
}

fn draw_groups(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let statistics = &app.statistics;
    let sorted_columns = group_columns(&statistics.question.fields, rows.width, statistics.sort);
    let columns: Vec<Column> = sorted_columns.iter().map(|(_, column)| *column).collect();
    let sorted = sorted_columns.iter().position(|(by, _)| *by == Some(statistics.sort));
    grid::heading(canvas, heading, &columns, sorted.map(|at| (at, statistics.descending)));
    let order = app.store.order();
    let span = (order.first_time().unwrap_or(0), order.last_time().unwrap_or(0));
    let top = statistics.cursor.top;
    for (offset, group) in statistics.groups().iter().skip(top).take(usize::from(rows.height)).enumerate() {
        let area = Area { y: rows.y + offset as u16, height: 1, ..rows };
        let cells: Vec<(String, Role)> = sorted_columns
            .iter()
            .map(|(by, column)| match by {
                Some(SortBy::Value(at)) => {
                    value_cell(canvas, group, &statistics.question.fields, *at, *column)
                }
                Some(by) => {
                    let (number, role) = number_cell(app, group, *by, *column);
                    (canvas.words(&number), role)
                }
                None => {
                    let chart = statistics.sparkline(group, span, usize::from(column.width));
                    (grid::bars(canvas, &chart), Role::Plain)
                }
            })
            .collect();
        grid::row(canvas, area, &columns, &cells, top + offset == statistics.cursor.row);
    }
}

fn value_cell(
    canvas: &Canvas<'_>,
    group: &Group,
    fields: &[FieldName],
    at: usize,
    column: Column,
) -> (String, Role) {
    let value = group.values.get(at).map_or("", AsRef::as_ref);
    let narrow = column.width < 24;
    let short = match fields.get(at) {
        _ if value.is_empty() => return ("(none)".to_owned(), Role::Faint),
        Some(FieldName::User | FieldName::Impersonator | FieldName::ImpersonatedUser) => {
            shorten::user(value, narrow)
        }
        Some(FieldName::Resource) if usize::from(column.width) < text::width(value) => {
            short_resource(value).into()
        }
        _ => value.into(),
    };
    (shorten::middle(&short, usize::from(column.width), canvas.ellipsis()).into_owned(), Role::Plain)
}

fn number_cell(app: &App, group: &Group, by: SortBy, column: Column) -> (String, Role) {
    let stats = &group.stats;
    let length = |share: f64| {
        stats
            .durations
            .percentile(share)
            .map_or_else(|| "-".to_owned(), |took| format_duration(took).replace(' ', ""))
    };
    let some = |count: u64, role: Role| {
        (grid::number(count, column.width), if count > 0 { role } else { Role::Faint })
    };
    match by {
        SortBy::Count => some(stats.count, Role::Plain),
        SortBy::Failed => some(stats.failed, Role::Failure),
        SortBy::Forbidden => some(stats.forbidden, Role::Failure),
        SortBy::Writes => some(stats.writes, Role::Strong),
        SortBy::Bytes => (text::human_bytes(stats.bytes).replace(' ', ""), Role::Plain),
        SortBy::Median => (length(0.5), Role::Plain),
        SortBy::P99 => (length(0.99), Role::Plain),
        SortBy::First => (format_time(app, stats.first, false), Role::Faint),
        SortBy::Last => (format_time(app, stats.last, false), Role::Plain),
        SortBy::Value(_) | SortBy::Distinct(_) => (String::new(), Role::Plain),
    }
}

fn draw_slowest(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let statistics = &app.statistics;
    let rest = rows.width.saturating_sub(2 + 9 + 8 + 5 + 8);
    let columns = [
        Column::number("TOOK", 8),
        Column::text("TIME", 8),
        Column::text("ST", 4),
        Column::text("VERB", 7),
        Column::text("OBJECT", rest * 2 / 5),
        Column::text("USER", rest / 5),
        Column::text("WHERE IT WENT", (rest - rest * 2 / 5 - rest / 5).saturating_sub(3)),
    ];
    grid::heading(canvas, heading, &columns, Some((0, true)));
    let top = statistics.cursor.top;
    for (offset, slow) in statistics.slow().iter().skip(top).take(usize::from(rows.height)).enumerate() {
        let Some(segment) = app.store.segment(slow.id) else { continue };
        let get = |field| segment.string(field, slow.id.row());
        let object = match get(Field::Resource) {
            "" => get(Field::RequestUri).to_owned(),
            resource => [short_resource(resource), get(Field::Namespace), get(Field::Name)]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let split = canvas.words(&split_text(slow.took, statistics.split(slow.id)));
        let cells = [
            (canvas.words(&format_duration(slow.took).replace(' ', "")), Role::Strong),
            (format_time(app, segment.stage_time(slow.id.row()), false), Role::Plain),
            (segment.code(slow.id.row()).to_string(), Role::Plain),
            (get(Field::Verb).to_owned(), Role::Plain),
            (object, Role::Plain),
            (shorten::user(get(Field::User), true).into_owned(), Role::Plain),
            (split, Role::Faint),
        ];
        let area = Area { y: rows.y + offset as u16, height: 1, ..rows };
        grid::row(canvas, area, &columns, &cells, top + offset == statistics.cursor.row);
    }
}

/// The parts of a request that took longest, and what no part accounts for.
fn split_text(took: Micros, split: &[(String, String)]) -> String {
    if split.is_empty() {
        return "not logged".to_owned();
    }
    let mut parts: Vec<(&str, Micros)> = split
        .iter()
        .map(|(part, length)| {
            let short = match part.as_str() {
                "serialize-response-object" => "serialize",
                "response-write" => "write",
                "apf-queue-wait" => "queue",
                other => other,
            };
            (short, Micros::try_from(go_duration(length) / 1000).unwrap_or(Micros::MAX))
        })
        .collect();
    let accounted: Micros = parts.iter().map(|(_, length)| length).sum();
    parts.push(("elsewhere", (took - accounted).max(0)));
    parts.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    let parts: Vec<String> = parts
        .iter()
        .map(|(part, length)| format!("{part} {}", format_duration(*length).replace(' ', "")))
        .collect();
    parts.join(", ")
}

/// A length as Go writes it, `1.5ms`, in nanoseconds; 0 for what is none.
fn go_duration(text: &str) -> u64 {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(end);
        let scale = match unit {
            "ns" => 1.0,
            "µs" | "us" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return 0,
        };
        total += number.parse::<f64>().unwrap_or(0.0) * scale;
        rest = after;
    }
    total as u64
}

fn draw_changes(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let statistics = &app.statistics;
    let rest = rows.width.saturating_sub(2 + 9 + 4);
    let (user, verbs) = (rest / 4, rest / 4);
    let columns = [
        Column::text("LAST", 8),
        Column::text("USER", user),
        Column::text("WHAT", verbs),
        Column::text("OBJECT", rest - user - verbs),
    ];
    grid::heading(canvas, heading, &columns, Some((0, true)));
    let top = statistics.cursor.top;
    for (offset, changed) in statistics.changed().iter().skip(top).take(usize::from(rows.height)).enumerate()
    {
        let area = Area { y: rows.y + offset as u16, height: 1, ..rows };
        let cells = [
            (format_time(app, changed.last, false), Role::Plain),
            (shorten::user(&changed.user, user < 24).into_owned(), Role::Plain),
            (canvas.words(&verbs_text(changed)), changed_role(changed)),
            (object_text(&changed.object, rest < 100), Role::Plain),
        ];
        grid::row(canvas, area, &columns, &cells, top + offset == statistics.cursor.row);
    }
}

/// `namespace/resource.group/name`; where there is little room, the resource by its short name, so that the object's own
/// name is seen.
fn object_text(object: &str, is_narrow: bool) -> String {
    let object = object.trim_start_matches('/');
    let parts: Vec<&str> = object.split('/').collect();
    match parts.as_slice() {
        [before @ .., resource, name] if is_narrow => {
            let resource = short_resource(resource.split('.').next().unwrap_or(resource));
            [before, &[resource, name]].concat().join("/")
        }
        _ => object.to_owned(),
    }
}

fn verbs_text(changed: &Changed) -> String {
    let verbs: Vec<String> = changed
        .verbs
        .iter()
        .map(|(verb, count)| if *count > 1 { format!("{verb} ×{count}") } else { verb.to_string() })
        .collect();
    verbs.join(", ")
}

fn changed_role(changed: &Changed) -> Role {
    let has = |wanted: &str| changed.verbs.iter().any(|(verb, _)| verb.starts_with(wanted));
    if has("delete") {
        Role::Delete
    } else if has("create") {
        Role::Create
    } else {
        Role::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_and_show_the_sort() {
        for width in 60..250u16 {
            for sort in [SortBy::Count, SortBy::P99, SortBy::First, SortBy::Bytes] {
                let fields = [FieldName::User, FieldName::Verb, FieldName::Resource];
                let columns = group_columns(&fields, width, sort);
                let used: u16 = 2 + columns.iter().map(|(_, c)| c.width + 1).sum::<u16>();
                assert!(used <= width + 3, "{width}: {used} {columns:?}");
                assert!(columns.iter().any(|(by, _)| *by == Some(sort)), "{width} {sort:?}");
            }
        }
    }

    #[test]
    fn lengths_as_go_writes_them() {
        let split =
            [("etcd".to_owned(), "38.2ms".to_owned()), ("apf-queue-wait".to_owned(), "10µs".to_owned())];
        assert_eq!(split_text(50_000, &split), "etcd 38.2ms, elsewhere 11.8ms, queue 10µs");
        assert_eq!(go_duration("1.5ms"), 1_500_000);
        assert_eq!(go_duration("1m2s"), 62_000_000_000);
        assert_eq!((go_duration("10.125µs"), go_duration("x"), go_duration("")), (10_125, 0, 0));
    }
}

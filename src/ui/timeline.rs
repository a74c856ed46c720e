//! The rows: one a request, only those that are on screen.

use super::canvas::Canvas;
use super::shorten;
use super::theme::{Role, Theme};
use crate::app::geometry::Area;
use crate::app::reasons;
use crate::app::timeline::Column;
use crate::app::{App, Focus, TimeStyle};
use crate::detect::Severity;
use crate::model::{
    EventId, Micros, Stage, format_clock, format_duration, format_local_offset, is_mutating_subresource,
    is_write_in_any_log, short_resource,
};
use crate::store::{Field, Segment};
use crate::text;

/// Widths of the columns; 0 leaves a column out.
#[derive(Clone, Copy, Default)]
struct Columns {
    time: u16,
    code: u16,
    verb: u16,
    object: u16,
    namespace: u16,
    name: u16,
    user: u16,
    ip: u16,
    agent: u16,
    source: u16,
    narrow: bool,
    millis: bool,
}

/// Columns by the width of the table: what an on-call engineer needs first stays longest.
fn columns(width: u16, several_logs: bool) -> Columns {
    // Two for the marks, one between columns.
    if width < 110 {
        // Names of logs are short without their endings.
        let source = if several_logs && width >= 76 { 8 } else { 0 };
        let rest = width.saturating_sub(2 + 9 + 4 + 7 + if source > 0 { source + 1 } else { 0 });
        let user = if width < 60 { rest / 3 } else { (rest / 3).clamp(12, 26) };
        let object = rest.saturating_sub(user + 1);
        return Columns {
            time: 8,
            code: 3,
            verb: 6,
            object,
            user,
            source,
            narrow: true,
            ..Columns::default()
        };
    }
    let mut out = Columns { time: 12, code: 4, verb: 7, millis: true, ..Columns::default() };
    let mut rest = width.saturating_sub(2 + 13 + 5 + 8);
    if several_logs {
        out.source = if width >= 150 { 16 } else { 10 };
        rest = rest.saturating_sub(out.source + 1);
    }
    out.agent = if width >= 150 { 24 } else { 11 };
    rest = rest.saturating_sub(out.agent);
    if width >= 130 {
        out.ip = 15;
        rest = rest.saturating_sub(out.ip + 1);
    }
    out.object = (rest / 4).clamp(16, 34);
    out.namespace = (rest / 6).clamp(9, 22);
    out.user = (rest / 4).clamp(18, 40);
    out.name = rest.saturating_sub(out.object + out.namespace + out.user + 4);
    out
}

/// Draws headings and rows.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, heading: Area, rows: Area) {
    let columns = columns(rows.width, app.sources.len() > 1);
    draw_heading(app, canvas, heading, columns);
    let below = app.timeline.new_below(&app.store, &app.view);
    if app.view.is_empty() {
        draw_reasons(app, canvas, rows);
        return;
    }
    // The divider takes the last row only when the selected one is not there.
    let height = usize::from(rows.height);
    let ids = app.view.window(&app.store, app.timeline.top, height);
    let selected_row = app.timeline.position.saturating_sub(app.timeline.top);
    let divider = below > 0 && app.layout.hints.height == 0 && selected_row + 1 < height;
    let shown = if divider { height - 1 } else { height };
    for (offset, id) in ids.into_iter().take(shown).enumerate() {
        let y = rows.y + offset as u16;
        let area = Area { y, height: 1, ..rows };
        draw_row(app, canvas, area, columns, id, offset == selected_row);
    }
    if divider {
        let y = rows.y + rows.height - 1;
        let text = format!("{} new below", text::thousands(below as u64));
        canvas.put(rows.x, y, rows.width, &text, Role::Heading);
    }
}

fn draw_reasons(app: &App, canvas: &mut Canvas<'_>, rows: Area) {
    for (i, line) in reasons::why_empty(app).iter().take(usize::from(rows.height)).enumerate() {
        let role = if i == 0 { Role::Strong } else { Role::Plain };
        canvas.put(rows.x + 2, rows.y + i as u16, rows.width.saturating_sub(2), line, role);
    }
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Area, columns: Columns) {
    let zone = match app.time_style {
        TimeStyle::Clock(zone) => {
            let at = app.timeline.selected_time().unwrap_or(app.now);
            let offset = format_local_offset(at, zone);
            if columns.millis && offset == "Z" { "TIME (UTC)".to_owned() } else { format!("TIME {offset}") }
        }
        TimeStyle::Relative => "AGO".to_owned(),
        TimeStyle::SinceMark => "SINCE MARK".to_owned(),
    };
    let object = if columns.namespace > 0 { "RESOURCE" } else { "OBJECT" };
    let cells = [
        (columns.time, zone.as_str(), None),
        (columns.code, "CODE", Some(Column::Code)),
        (columns.verb, "VERB", Some(Column::Verb)),
        (columns.object, object, Some(Column::Resource)),
        (columns.namespace, "NAMESPACE", Some(Column::Namespace)),
        (columns.name, "NAME", Some(Column::Name)),
        (columns.user, "USER", Some(Column::User)),
        (columns.ip, "SOURCE IP", Some(Column::SourceIp)),
        (columns.agent, "AGENT", Some(Column::UserAgent)),
        (columns.source, "SOURCE", Some(Column::Source)),
    ];
    let mut x = area.x + 2;
    for (width, title, column) in cells {
        if width == 0 {
            continue;
        }
        let selected = column.is_some() && column == Some(app.timeline.column) && app.focus == Focus::Rows;
        let role = if selected { Role::Strong } else { Role::Faint };
        let shown = if title == "CODE" && width < 4 { "ST" } else { title };
        canvas.put(x, area.y, width, shown, role);
        x += width + 1;
    }
}

fn draw_row(app: &App, canvas: &mut Canvas<'_>, area: Area, columns: Columns, id: EventId, selected: bool) {
    let Some(segment) = app.store.segment(id) else { return };
    let row = id.row();
    let role = row_role(app, segment, id);
    let time = format_time(app, segment.stage_time(row), columns.millis);
    let time = if segment.facts(row).is_time_guessed() { format!("~{time}") } else { time };
    let severity = app.watch.board.as_ref().and_then(|board| board.severity_of(id));
    let (mark, mark_role) = match severity {
        _ if app.marks.contains(&id) => ("*", Role::Strong),
        Some(Severity::Critical | Severity::High) => ("!", Role::Broken),
        Some(_) => ("!", Role::Failure),
        None => (" ", Role::Strong),
    };
    let cursor = if selected { canvas.theme.sign("▶", ">") } else { " " };
    canvas.line(area.x, area.y, 2, &[(cursor, Role::Strong), (mark, mark_role)]);
    let code = code_text(segment, row);
    let verb = segment.string(Field::Verb, row);
    let user = user_text(segment, row, columns.narrow);
    let user = if segment.string(Field::ImpersonatedUser, row).is_empty() {
        shorten::middle(&user, usize::from(columns.user), canvas.ellipsis()).into_owned()
    } else {
        user
    };
    let running = running_text(app, id);
    let (object, namespace, name) = object_texts(segment, row, columns, canvas.theme);
    let source = app.sources.get(&segment.source()).map_or("", |log| log.description.name.as_str());
    let source = match source.split_once('.') {
        Some((stem, _)) if columns.narrow && !stem.is_empty() => stem,
        _ => source,
    };
    let source = shorten::middle(source, usize::from(columns.source), canvas.ellipsis());
    let cells = [
        (columns.time, time.as_str(), None, if role == Role::Plain { Role::Plain } else { role }),
        (columns.code, code.as_str(), Some(Column::Code), role),
        (columns.verb, verb, Some(Column::Verb), role),
        (columns.object, object.as_str(), Some(Column::Resource), role),
        (columns.namespace, namespace.as_str(), Some(Column::Namespace), role),
        (columns.name, name.as_str(), Some(Column::Name), role),
        (columns.user, user.as_str(), Some(Column::User), role),
        (columns.ip, segment.string(Field::SourceIp, row), Some(Column::SourceIp), role),
        (
            columns.agent,
            shorten::agent(segment.string(Field::UserAgent, row), columns.agent < 20),
            Some(Column::UserAgent),
            role,
        ),
        (columns.source, source.as_ref(), Some(Column::Source), Role::Faint),
    ];
    let mut x = area.x + 2;
    let mut object_end = (0, 0);
    let mut selected_cell: Option<(u16, u16)> = None;
    for (width, value, column, role) in cells {
        if width == 0 {
            continue;
        }
        let room = width.min((area.x + area.width).saturating_sub(x));
        let used = canvas.put(x, area.y, room, value, role);
        if matches!(column, Some(Column::Resource | Column::Name)) && width > 0 {
            object_end = (x + used, room - used);
        }
        if column.is_some() && column == Some(app.timeline.column) {
            selected_cell = Some((x, room));
        }
        x += width + 1;
    }
    let needed = text::width(&running) as u16 + 1;
    if !running.is_empty() {
        if object_end.1 >= needed {
            canvas.put(object_end.0 + 1, area.y, object_end.1 - 1, &running, Role::Key);
        } else {
            let end = object_end.0 + object_end.1;
            canvas.put(end.saturating_sub(needed), area.y, needed, &format!(" {running}"), Role::Key);
        }
    }
    if selected {
        canvas.fill(Area { height: 1, ..area }, Role::Cursor);
        if let Some((x, width)) = selected_cell.filter(|_| app.focus == Focus::Rows) {
            canvas.fill(Area { x, y: area.y, width, height: 1 }, Role::CursorValue);
        }
    }
}

fn row_role(app: &App, segment: &Segment, id: EventId) -> Role {
    let row = id.row();
    if app.matches.as_ref().is_some_and(|matches| matches.contains(id)) {
        return Role::Match;
    }
    let verb = segment.string(Field::Verb, row);
    match segment.code(row) {
        500.. => Role::Broken,
        400..500 => Role::Failure,
        _ if segment.facts(row).stage() == Stage::Panic => Role::Broken,
        _ if matches!(verb, "delete" | "deletecollection") => Role::Delete,
        _ if is_mutating_subresource(segment.string(Field::Subresource, row)) => Role::Strong,
        _ if verb == "create" => Role::Create,
        _ if is_write_in_any_log(verb) => Role::Plain,
        _ => Role::Faint,
    }
}

fn code_text(segment: &Segment, row: u32) -> String {
    match segment.code(row) {
        0 => "-".to_owned(),
        code => code.to_string(),
    }
}

/// Who, and as whom.
fn user_text(segment: &Segment, row: u32, narrow: bool) -> String {
    let user = segment.string(Field::User, row);
    let acted_as = segment.string(Field::ImpersonatedUser, row);
    if acted_as.is_empty() {
        return shorten::user(user, narrow).into_owned();
    }
    // Two names must fit: without their domains.
    format!("{} as {}", shorten::user(user, true), shorten::user(acted_as, true))
}

/// What goes on: requests that last by their nature, that were never answered, or that made the server panic.
fn running_text(app: &App, id: EventId) -> String {
    let end = app.store.ending(id).unwrap_or(id);
    if app.store.segment(end).is_some_and(|segment| segment.facts(end.row()).stage() == Stage::Panic) {
        return "panicked".to_owned();
    }
    if !app.store.is_open(id) {
        return String::new();
    }
    let Some(segment) = app.store.segment(id) else { return String::new() };
    if segment.facts(id.row()).stage() == Stage::RequestReceived {
        return "no answer".to_owned();
    }
    // How long is counted to the newest line of a log that is no longer written.
    let newest = app.store.order().last_time().unwrap_or(app.now);
    let until = if app.now - newest > crate::app::STALE || !app.is_live() { newest } else { app.now };
    let length = until - segment.received(id.row());
    format!("running {}", short_length(length))
}

fn short_length(length: Micros) -> String {
    let text = format_duration(length.max(0));
    // Seconds do not matter for what has been running for minutes.
    match text.split_once('m') {
        Some((minutes, _)) if (60_000_000..3_600_000_000).contains(&length) => format!("{minutes}m"),
        _ => text.replace(' ', ""),
    }
}

/// The object in one cell when narrow, in three when wide.
fn object_texts(segment: &Segment, row: u32, columns: Columns, theme: Theme) -> (String, String, String) {
    let get = |field| segment.string(field, row);
    let resource = get(Field::Resource);
    let (namespace, name) = (get(Field::Namespace), get(Field::Name));
    let ellipsis = theme.sign("…", "..");
    if resource.is_empty() {
        let uri = get(Field::RequestUri);
        let path = uri.split('?').next().unwrap_or(uri);
        let width = columns.object + if columns.name > 0 { 0 } else { columns.name };
        return (
            text::fit_end(path, usize::from(width), ellipsis).into_owned(),
            String::new(),
            String::new(),
        );
    }
    let mut kind = if columns.narrow { short_resource(resource).to_owned() } else { resource.to_owned() };
    if !get(Field::Subresource).is_empty() {
        kind = format!("{kind}/{}", get(Field::Subresource));
    }
    // A namespace is in itself, as the API server logs it.
    let namespace = if resource == "namespaces" { "" } else { namespace };
    if columns.namespace > 0 {
        let name = shorten::middle(name, usize::from(columns.name), ellipsis).into_owned();
        return (kind, namespace.to_owned(), name);
    }
    let mut place = String::new();
    if !namespace.is_empty() {
        place = format!("{namespace}/");
    }
    let room = usize::from(columns.object).saturating_sub(text::width(&kind) + 1 + text::width(&place));
    let name = if name.is_empty() { "*".into() } else { shorten::middle(name, room.max(4), ellipsis) };
    let object = if place.is_empty() && name == "*" { kind } else { format!("{kind} {place}{name}") };
    (object, String::new(), String::new())
}

/// A time in the chosen style.
pub fn format_time(app: &App, time: Micros, millis: bool) -> String {
    match app.time_style {
        TimeStyle::Clock(zone) => format_clock(time, zone, millis),
        TimeStyle::Relative => short_length(app.now - time),
        TimeStyle::SinceMark => match app.last_mark {
            Some(mark) => {
                let apart = time - app.store.stage_time(mark);
                format!("{}{}", if apart < 0 { "-" } else { "+" }, short_length(apart.abs()))
            }
            None => format_clock(time, app.config.zone, millis),
        },
    }
}

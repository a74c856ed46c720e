//! The two forms of `info`.

use super::info::{FileInfo, Info, InfoOptions, SourceInfo};
use super::{Streams, cannot_write};
use crate::cli::InfoOutput;
use crate::error::{Error, Result};
use crate::model::{Micros, TimeZoneChoice, format_duration, format_local_offset, format_stamp};
use crate::text::{human_bytes, json_escape_hostile, pad, sanitise, thousands, width};

/// Gaps that the table shows of each file; the JSON has all.
const GAPS_SHOWN: usize = 5;
/// Width of the names of figures.
const LABEL: usize = 20;

/// Prints what was counted.
pub(super) fn print(info: &Info, options: &InfoOptions, streams: &mut Streams<'_>) -> Result<()> {
    let text = match options.output {
        InfoOutput::Json => {
            let json = serde_json::to_string_pretty(info).map_err(|cause| Error::Io {
                action: "cannot write the counts as JSON".to_owned(),
                cause: cause.into(),
            })?;
            format!("{}\n", escape_all_but_lines(&json))
        }
        InfoOutput::Table => table(info, options.zone),
    };
    streams.out.write_all(text.as_bytes()).map_err(cannot_write)
}

/// Line feeds of a pretty-printed document are its own: those of values are escaped already.
fn escape_all_but_lines(json: &str) -> String {
    json.lines().map(json_escape_hostile).collect::<Vec<_>>().join("\n")
}

fn table(info: &Info, zone: TimeZoneChoice) -> String {
    let mut lines = Vec::new();
    for file in &info.files {
        lines.push(sanitise(&file.path).into_owned());
        file_lines(file, zone, &mut lines);
        lines.push(String::new());
    }
    lines.push(match info.files.len() {
        1 => "All of 1 file".to_owned(),
        files => format!("All of {files} files"),
    });
    file_lines(&info.total, zone, &mut lines);
    if info.sources.len() > 1 {
        lines.extend(
            info.sources
                .iter()
                .enumerate()
                .map(|(number, source)| figure(if number == 0 { "logs" } else { "" }, &source_text(source))),
        );
    } else if let Some(lag) = info.sources.first().and_then(|source| source.lag) {
        lines.push(figure("newest event", &ago(lag)));
    }
    lines.push(figure("without an end", &thousands(info.open_requests)));
    if info.dropped_records > 0 {
        lines.push(figure("dropped for memory", &thousands(info.dropped_records)));
    }
    if !info.levels.is_empty() {
        lines.push(String::new());
        level_lines(info, &mut lines);
    }
    lines.push(String::new());
    lines.join("\n")
}

/// `audit.log: 1,204 events, 3 unreadable, the newest 5s ago`.
fn source_text(source: &SourceInfo) -> String {
    let mut text = format!("{}: {} events", sanitise(&source.name), thousands(source.events));
    if source.unreadable > 0 {
        text += &format!(", {} unreadable", thousands(source.unreadable));
    }
    if let Some(lag) = source.lag {
        text += &format!(", the newest {}", ago(lag));
    }
    text
}

fn ago(lag: Micros) -> String {
    let way = if lag < 0 { "ahead of this machine's clock" } else { "ago" };
    format!("{} {way}", format_duration(lag.saturating_abs()))
}

fn figure(label: &str, value: &str) -> String {
    format!("  {}{value}", pad(label, LABEL))
}

fn file_lines(file: &FileInfo, zone: TimeZoneChoice, lines: &mut Vec<String>) {
    let stamp = |time| format!("{}{}", format_stamp(time, zone), format_local_offset(time, zone));
    let stored = if file.stored_bytes == file.text_bytes {
        String::new()
    } else {
        format!(" ({} stored)", human_bytes(file.stored_bytes))
    };
    lines.push(figure("text", &format!("{}{stored}", human_bytes(file.text_bytes))));
    lines.push(figure("lines", &thousands(file.lines)));
    let is_other = file.understood() == 0 && file.lines > 0;
    let events =
        if is_other { "0: no audit event in it; is it an audit log?" } else { &thousands(file.events) };
    lines.push(figure("events", events));
    for (number, format) in file.formats.iter().enumerate() {
        let text = match file.formats.len() {
            1 => format.format.clone(),
            _ => format!("{} {}", thousands(format.count), format.format),
        };
        lines.push(figure(if number == 0 { "format" } else { "" }, &text));
    }
    lines.push(figure("requests", &thousands(file.requests)));
    lines.push(figure("read twice", &thousands(file.duplicates)));
    let unreadable = match file.unreadable.as_slice() {
        [] => "0".to_owned(),
        // A line may have many stretches that cannot be read; of what is no log at all, nobody wants to know how many.
        kinds if is_other => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.kind.as_str()).collect();
            format!("all {} lines: {}", thousands(file.lines), kinds.join(", "))
        }
        kinds => kinds
            .iter()
            .map(|kind| format!("{} {}", thousands(kind.count), kind.kind))
            .collect::<Vec<_>>()
            .join(", "),
    };
    lines.push(figure("unreadable", &unreadable));
    if !file.passed_over.is_empty() {
        let passed_over: Vec<String> = file
            .passed_over
            .iter()
            .map(|lines| format!("{} of {}", thousands(lines.count), sanitise(&lines.log)))
            .collect();
        lines.push(figure("of no change", &passed_over.join(", ")));
    }
    if let Some((first, last)) = file.span {
        lines.push(figure("first", &stamp(first)));
        lines.push(figure("last", &format!("{} ({})", stamp(last), format_duration(last - first))));
    }
    for (number, gap) in file.gaps.iter().take(GAPS_SHOWN).enumerate() {
        let (after, before) = gap.span;
        let label = if number == 0 { "no line between" } else { "" };
        let text = format!("{} and {} ({})", stamp(after), stamp(before), format_duration(before - after));
        lines.push(figure(label, &text));
    }
    if let Some(more) = file.gaps.len().checked_sub(GAPS_SHOWN).filter(|more| *more > 0) {
        lines.push(figure("", &format!("and {} more such gaps", thousands(more as u64))));
    }
}

fn level_lines(info: &Info, lines: &mut Vec<String>) {
    let rows: Vec<(String, String, String)> = info
        .levels
        .iter()
        .map(|seen| {
            let group = match seen.api_group.as_deref() {
                None => "(no resource)",
                Some("") => "(core)",
                Some(group) => group,
            };
            let levels: Vec<String> = seen
                .levels
                .iter()
                .map(|level| {
                    let name = if level.level.is_empty() { "(none)" } else { level.level };
                    format!("{name} {}", thousands(level.count))
                })
                .collect();
            (sanitise(group).into_owned(), sanitise(&seen.verb).into_owned(), levels.join(", "))
        })
        .collect();
    let widest = |title: &str, cells: &mut dyn Iterator<Item = &String>| {
        cells.map(|cell| width(cell).min(40)).fold(width(title), usize::max) + 2
    };
    let group = widest("GROUP", &mut rows.iter().map(|row| &row.0));
    let verb = widest("VERB", &mut rows.iter().map(|row| &row.1));
    lines.push(format!("{}{}LEVELS", pad("GROUP", group), pad("VERB", verb)));
    for (name, word, levels) in &rows {
        lines.push(format!("{}{}{levels}", pad(name, group), pad(word, verb)));
    }
}

//! The forms in which lists are printed: aligned columns, JSON, CSV and Markdown. A list is headings and, line by
//! line, cells; each form says a cell in its own way, and none lets a log's text act on whatever shows it.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::cli::QueryOutput;
use crate::model::{
    Micros, TimeZoneChoice, format_duration, format_local_offset, format_rfc3339, format_stamp,
};
use crate::text::{
    Marks, SanitiseOptions, fit_middle, human_bytes, json_escape_hostile, pad, sanitise_with, thousands,
    width,
};

/// Columns that a text takes at most in a table whose columns are as wide as their cells.
const WIDEST: usize = 60;

/// The same where no cell is cut: one that is longer must not fill up all the others.
const WIDEST_WHOLE: usize = 200;

/// One value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell<'a> {
    /// There is none.
    Absent,
    Text(Cow<'a, str>),
    /// A code or another number that is not counted.
    Number(u64),
    Count(u64),
    Bytes(u64),
    /// A length of time.
    Length(Micros),
    Time(Micros),
    /// A time that was taken from what stands beside.
    GuessedTime(Micros),
    Flag(bool),
}

impl<'a> Cell<'a> {
    /// The empty text stands for a value that there is not.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
        let text = text.into();
        if text.is_empty() { Cell::Absent } else { Cell::Text(text) }
    }
}

/// What a column is called.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    /// In JSON and CSV.
    pub(super) key: Cow<'static, str>,
    /// In tables for people.
    pub(super) title: Cow<'static, str>,
    /// Columns of a terminal that it takes in a table.
    pub(super) width: usize,
    /// Whether it holds numbers, which end below each other.
    pub(super) is_number: bool,
}

/// Prints the lines of a list, its beginning before the first and its end after the last.
pub(super) struct Form {
    output: QueryOutput,
    zone: TimeZoneChoice,
    marks: Marks,
    headings: Vec<Heading>,
    lines: u64,
    is_whole: bool,
}

impl Form {
    /// `ascii`: no other characters than ASCII are drawn.
    pub(super) fn new(
        output: QueryOutput,
        zone: TimeZoneChoice,
        ascii: bool,
        headings: Vec<Heading>,
    ) -> Form {
        let marks = if ascii { Marks::Ascii } else { Marks::Unicode };
        Form { output, zone, marks, headings, lines: 0, is_whole: false }
    }

    /// Where `is_whole`, cells of tables are never cut: nobody looks at the lines but a program, such as grep.
    pub(super) fn whole(self, is_whole: bool) -> Form {
        Form { is_whole, ..self }
    }

    /// Makes the columns of a table as wide as what will stand in them.
    pub(super) fn fit(&mut self, lines: &[Vec<Cell<'_>>]) {
        if self.output != QueryOutput::Table {
            return;
        }
        for (at, heading) in self.headings.iter_mut().enumerate() {
            let cells = lines.iter().filter_map(|line| line.get(at));
            let is_time = matches!(
                lines.first().and_then(|line| line.get(at)),
                Some(Cell::Time(_) | Cell::GuessedTime(_))
            );
            let widest = cells.map(|cell| width(&spoken(cell, self.zone, self.marks))).max().unwrap_or(0);
            let title = width(&heading.title) + if is_time { " (UTC)".len() } else { 0 };
            // One more, so that columns stand apart.
            let most = if self.is_whole { WIDEST_WHOLE } else { WIDEST };
            heading.width = widest.min(most).max(title) + 1;
        }
    }

    /// Prints a line.
    pub(super) fn line(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        let json = || json_escape_hostile(&self.object(cells)).into_owned();
        match self.output {
            QueryOutput::Json | QueryOutput::Jsonl => self.object_line(&json(), out),
            QueryOutput::Csv => {
                self.begin(cells, out)?;
                let fields: Vec<String> = cells.iter().map(|cell| csv(cell, self.marks)).collect();
                write!(out, "{}\r\n", fields.join(","))
            }
            QueryOutput::Markdown => {
                self.begin(cells, out)?;
                let said = |cell| markdown(&spoken(cell, self.zone, self.marks));
                let fields: Vec<String> = cells.iter().map(said).collect();
                writeln!(out, "| {} |", fields.join(" | "))
            }
            QueryOutput::Table | QueryOutput::Raw => {
                self.begin(cells, out)?;
                let said: Vec<_> = cells.iter().map(|cell| spoken(cell, self.zone, self.marks)).collect();
                writeln!(out, "{}", self.aligned(said.iter().map(AsRef::as_ref)))
            }
        }
    }

    /// Prints an object that is JSON already, as one of the list.
    pub(super) fn object_line(&mut self, object: &str, out: &mut dyn Write) -> io::Result<()> {
        self.lines += 1;
        match (self.output, self.lines) {
            (QueryOutput::Json, 1) => write!(out, "[\n{object}"),
            (QueryOutput::Json, _) => write!(out, ",\n{object}"),
            _ => writeln!(out, "{object}"),
        }
    }

    /// Prints what makes an output without, or after, any line a whole one.
    pub(super) fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match (self.output, self.lines) {
            (QueryOutput::Json, 0) => writeln!(out, "[]"),
            (QueryOutput::Json, _) => writeln!(out, "\n]"),
            (QueryOutput::Csv, 0) => self.begin(&[], out),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, first: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        self.lines += 1;
        if self.lines > 1 {
            return Ok(());
        }
        if self.output == QueryOutput::Csv {
            let keys: Vec<String> =
                self.headings.iter().map(|heading| csv_text(&heading.key, self.marks)).collect();
            return write!(out, "{}\r\n", keys.join(","));
        }
        let titles: Vec<String> = self
            .headings
            .iter()
            .enumerate()
            .map(|(at, heading)| match first.get(at) {
                Some(Cell::Time(time) | Cell::GuessedTime(time)) => {
                    format!("{} ({})", heading.title, self.zone_at(*time))
                }
                _ => self.sanitised(&heading.title).into_owned(),
            })
            .collect();
        if self.output == QueryOutput::Markdown {
            let titles: Vec<String> = titles.iter().map(|title| markdown(title)).collect();
            let rules: Vec<&str> =
                self.headings.iter().map(|heading| if heading.is_number { "---:" } else { "---" }).collect();
            return writeln!(out, "| {} |\n| {} |", titles.join(" | "), rules.join(" | "));
        }
        writeln!(out, "{}", self.aligned(titles.iter().map(String::as_str)))
    }

    fn zone_at(&self, time: Micros) -> String {
        match self.zone {
            TimeZoneChoice::Utc => "UTC".to_owned(),
            TimeZoneChoice::Local => format_local_offset(time, self.zone),
        }
    }

    /// The last column takes what it needs.
    fn aligned<'c>(&self, cells: impl ExactSizeIterator<Item = &'c str>) -> String {
        let ellipsis = if self.marks == Marks::Ascii { "~" } else { "…" };
        let last = cells.len().saturating_sub(1);
        let mut line = String::with_capacity(160);
        for (at, (cell, heading)) in cells.zip(&self.headings).enumerate() {
            if at > 0 {
                line.push(' ');
            }
            if heading.is_number {
                (width(cell)..heading.width).for_each(|_| line.push(' '));
                line.push_str(cell);
            } else if at == last {
                line.push_str(cell);
            } else if self.is_whole {
                line.push_str(&pad(cell, heading.width));
            } else {
                line.push_str(&pad(&fit_middle(cell, heading.width, ellipsis), heading.width));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn object(&self, cells: &[Cell<'_>]) -> String {
        let mut object = Map::new();
        for (heading, cell) in self.headings.iter().zip(cells) {
            let value = match cell {
                Cell::Absent => continue,
                Cell::Text(text) => Value::from(text.as_ref()),
                Cell::Number(number) | Cell::Count(number) | Cell::Bytes(number) => Value::from(*number),
                Cell::Length(length) => Value::from(*length),
                Cell::Time(time) | Cell::GuessedTime(time) => Value::from(format_rfc3339(*time)),
                Cell::Flag(flag) => Value::from(*flag),
            };
            object.insert(heading.key.clone().into_owned(), value);
        }
        Value::Object(object).to_string()
    }

    fn sanitised<'t>(&self, text: &'t str) -> Cow<'t, str> {
        sanitise_with(text, SanitiseOptions { marks: self.marks, ..SanitiseOptions::default() })
    }
}

/// A cell as people read it.
fn spoken<'c>(cell: &'c Cell<'_>, zone: TimeZoneChoice, marks: Marks) -> Cow<'c, str> {
    match cell {
        Cell::Absent => Cow::Borrowed(""),
        Cell::Text(text) => sanitise_with(text, SanitiseOptions { marks, ..SanitiseOptions::default() }),
        Cell::Number(number) => number.to_string().into(),
        Cell::Count(count) => thousands(*count).into(),
        Cell::Bytes(bytes) => human_bytes(*bytes).into(),
        Cell::Length(length) => format_duration(*length).into(),
        Cell::Time(time) | Cell::GuessedTime(time) => {
            let guessed = if matches!(cell, Cell::GuessedTime(_)) { "~" } else { "" };
            let millis = time.rem_euclid(crate::model::SECOND) / 1000;
            format!("{guessed}{}.{millis:03}", format_stamp(*time, zone)).into()
        }
        Cell::Flag(true) => Cow::Borrowed("yes"),
        Cell::Flag(false) => Cow::Borrowed(""),
    }
}

fn csv(cell: &Cell<'_>, marks: Marks) -> String {
    match cell {
        Cell::Absent => String::new(),
        Cell::Text(text) => csv_text(text, marks),
        Cell::Number(number) | Cell::Count(number) | Cell::Bytes(number) => number.to_string(),
        Cell::Length(length) => length.to_string(),
        Cell::Time(time) | Cell::GuessedTime(time) => format_rfc3339(*time),
        Cell::Flag(flag) => flag.to_string(),
    }
}

/// A field of CSV (RFC 4180). A spreadsheet runs what begins with one of these signs as a formula, and a client
/// chooses its user agent and the names of its objects (OWASP, "CSV injection").
fn csv_text(text: &str, marks: Marks) -> String {
    let text = sanitise_with(text, SanitiseOptions { marks, ..SanitiseOptions::default() });
    let guard = if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) { "'" } else { "" };
    if text.contains([',', '"']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    format!("{guard}{text}")
}

/// Text of which Markdown makes nothing but text.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '$') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::is_hostile;

    fn printed(output: QueryOutput, lines: &[Vec<Cell<'_>>]) -> String {
        let heading = |key: &'static str, width, is_number| Heading {
            key: key.into(),
            title: key.to_uppercase().into(),
            width,
            is_number,
        };
        let headings = vec![heading("user", 8, false), heading("count", 5, true), heading("last", 4, false)];
        let mut form = Form::new(output, TimeZoneChoice::Utc, false, headings);
        form.fit(lines);
        let mut out = Vec::new();
        for line in lines {
            form.line(line, &mut out).unwrap();
        }
        form.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_says_it_in_its_own_way() {
        let lines = [
            vec![Cell::text("a|b,\"c\""), Cell::Count(1234), Cell::Time(0)],
            vec![Cell::text("=1+1"), Cell::Count(7), Cell::Time(1_500_000)],
            vec![Cell::text(""), Cell::Absent, Cell::Time(-1)],
        ];
        assert_eq!(
            printed(QueryOutput::Table, &lines),
            concat!(
                "USER      COUNT LAST (UTC)\n",
                "a|b,\"c\"   1,234 1970-01-01 00:00:00.000\n",
                "=1+1          7 1970-01-01 00:00:01.500\n",
                "                1969-12-31 23:59:59.999\n"
            )
        );
        assert_eq!(
            printed(QueryOutput::Jsonl, &lines),
            "{\"user\":\"a|b,\\\"c\\\"\",\"count\":1234,\"last\":\"1970-01-01T00:00:00.000000Z\"}\n\
             {\"user\":\"=1+1\",\"count\":7,\"last\":\"1970-01-01T00:00:01.500000Z\"}\n\
             {\"last\":\"1969-12-31T23:59:59.999999Z\"}\n"
        );
        assert_eq!(
            printed(QueryOutput::Csv, &lines),
            "user,count,last\r\n\"a|b,\"\"c\"\"\",1234,1970-01-01T00:00:00.000000Z\r\n\
             '=1+1,7,1970-01-01T00:00:01.500000Z\r\n,,1969-12-31T23:59:59.999999Z\r\n"
        );
        assert_eq!(
            printed(QueryOutput::Markdown, &lines[..1]),
            "| USER | COUNT | LAST (UTC) |\n| --- | ---: | --- |\n| a\\|b,\"c\" | 1,234 | 1970-01-01 00:00:00.000 |\n"
        );
        let array: Value = serde_json::from_str(&printed(QueryOutput::Json, &lines)).unwrap();
        assert_eq!(array.as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn nothing_is_said_wholly() {
        for (output, text) in [
            (QueryOutput::Table, ""),
            (QueryOutput::Json, "[]\n"),
            (QueryOutput::Jsonl, ""),
            (QueryOutput::Csv, "user,count,last\r\n"),
            (QueryOutput::Markdown, ""),
        ] {
            assert_eq!(printed(output, &[]), text);
        }
    }

    /// The fields of a record of CSV.
    fn csv_fields(record: &str) -> Vec<String> {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for character in record.chars() {
            match character {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                other => fields.last_mut().unwrap().push(other),
            }
        }
        fields
    }

    proptest! {
        #[test]
        fn no_text_of_a_log_breaks_a_form(text in "[ -~\\PC\u{1b}\n\r\t\u{202e}|\"=,*\\\\]{0,30}") {
            let lines = [vec![Cell::text(text.as_str()), Cell::Count(1), Cell::Time(0)]];
            for output in [QueryOutput::Table, QueryOutput::Json, QueryOutput::Jsonl, QueryOutput::Csv, QueryOutput::Markdown] {
                let out = printed(output, &lines);
                let layout = |c: char| c == '\n' || (c == '\r' && output == QueryOutput::Csv);
                let emoji_form = |c: char| matches!(c, '\u{fe0e}' | '\u{fe0f}');
                prop_assert!(out.chars().all(|c| !is_hostile(c) || layout(c) || emoji_form(c)), "{:?}", out);
                match output {
                    QueryOutput::Json | QueryOutput::Jsonl => {
                        let value: Value = serde_json::from_str(&out).unwrap();
                        let object = if output == QueryOutput::Json { &value[0] } else { &value };
                        prop_assert_eq!(object["user"].as_str().unwrap_or(""), text.as_str());
                    }
                    QueryOutput::Csv => {
                        let records: Vec<&str> = out.split_terminator("\r\n").collect();
                        prop_assert_eq!(records.len(), 2);
                        prop_assert_eq!(csv_fields(records[1]).len(), 3, "{}", records[1]);
                    }
                    QueryOutput::Markdown => {
                        let line = out.lines().nth(2).unwrap().replace("\\\\", "").replace("\\|", "");
                        prop_assert_eq!(line.matches('|').count(), 4, "{}", out);
                    }
                    _ => prop_assert_eq!(out.lines().count(), 2),
                }
            }
        }
    }
}

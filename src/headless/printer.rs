//! Prints rows: the timeline's own columns, chosen ones, whole objects, or original lines.

use super::columns::{cell, csv_columns, heading};
use super::form::{Cell, Form, Heading};
use super::row::Row;
use super::texts::RowTexts;
use super::{Streams, cannot_write};
use crate::cli::QueryOutput;
use crate::error::{Error, Result};
use crate::headless::QueryOptions;
use crate::headless::intake::Intake;
use crate::model::{EventId, service_account};
use crate::settings::{Column, Listing};
use crate::store::Field;
use crate::text::{Marks, SanitiseOptions, sanitise_with, thousands};

/// Title and width of each column of the timeline.
const TIMELINE: [(&str, usize); 8] = [
    ("TIME", 23),
    ("CODE", 4),
    ("VERB", 10),
    ("TOOK", 9),
    ("SOURCE IP", 15),
    ("USER", 36),
    ("RESOURCE", 26),
    ("NAMESPACE/NAME", 14),
];

/// Prints rows and counts what it withheld.
pub(super) struct Printer<'o> {
    options: &'o QueryOptions<'o>,
    /// Empty for the columns of the timeline, and for whole objects.
    columns: Vec<Column>,
    form: Form,
    matched: u64,
    withheld: u64,
    /// Rows whose text could not be unpacked.
    lost: u64,
}

impl<'o> Printer<'o> {
    pub(super) fn new(options: &'o QueryOptions<'o>) -> Self {
        let columns = match options.listing {
            Listing::Rows { columns, .. } if !columns.is_empty() => columns.clone(),
            _ if options.output == QueryOutput::Csv => csv_columns(),
            _ => Vec::new(),
        };
        let headings = if columns.is_empty() {
            let of_timeline = |(title, width): (&'static str, usize)| Heading {
                key: title.into(),
                title: title.into(),
                width,
                is_number: false,
            };
            TIMELINE.into_iter().map(of_timeline).collect()
        } else {
            columns.iter().map(heading).collect()
        };
        let form =
            Form::new(options.output, options.zone, options.ascii, headings).whole(!options.to_terminal);
        Self { options, columns, form, matched: 0, withheld: 0, lost: 0 }
    }

    /// Rows so far, withheld ones included.
    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// Prints the row of a record that is held; `texts` are those of the same store, and `holds_secret` is the verdict
    /// on its own where that is known.
    pub(super) fn print(
        &mut self,
        intake: &Intake,
        texts: &mut RowTexts<'_>,
        id: EventId,
        holds_secret: Option<bool>,
        streams: &mut Streams<'_>,
    ) -> Result<()> {
        let reveal = self.options.reveal && self.options.output != QueryOutput::Raw;
        let revealing = if reveal { Some(&mut *texts) } else { None };
        let Some(row) = Row::new(&intake.store, id, self.options.is_by_request(), revealing) else {
            return Ok(());
        };
        self.matched += 1;
        let source = intake.name(row.segment.source());
        let written = match (self.options.output, self.columns.as_slice()) {
            (QueryOutput::Raw, _) => return self.print_raw(texts, id, holds_secret, streams),
            (QueryOutput::Json | QueryOutput::Jsonl, []) => {
                let object = row.json(source).map_err(|cause| Error::Io {
                    action: "cannot write a row as JSON".to_owned(),
                    cause: cause.into(),
                })?;
                self.form.object_line(&object, streams.out)
            }
            (_, []) => self.form.line(&timeline_cells(&row), streams.out),
            (_, columns) => {
                let cells: Vec<Cell<'_>> =
                    columns.iter().map(|column| cell(column, &row, source, texts, reveal)).collect();
                self.form.line(&cells, streams.out)
            }
        };
        written.map_err(cannot_write)
    }

    fn print_raw(
        &mut self,
        texts: &mut RowTexts<'_>,
        id: EventId,
        holds_secret: Option<bool>,
        streams: &mut Streams<'_>,
    ) -> Result<()> {
        let Ok(text) = texts.read(id) else {
            self.lost += 1;
            return Ok(());
        };
        if !self.options.reveal && holds_secret.unwrap_or_else(|| (self.options.holds_secret)(text)) {
            self.withheld += 1;
            return Ok(());
        }
        let written = if self.options.to_terminal {
            // An original line is not changed, unless it would take control of the terminal.
            let marks = if self.options.ascii { Marks::Ascii } else { Marks::Unicode };
            let options = SanitiseOptions { keep_lines: true, marks };
            streams.out.write_all(sanitise_with(&String::from_utf8_lossy(text), options).as_bytes())
        } else {
            streams.out.write_all(text)
        };
        written.and_then(|()| streams.out.write_all(b"\n")).map_err(cannot_write)
    }

    /// Ends the output and says what was not printed.
    pub(super) fn finish(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        if self.options.output != QueryOutput::Raw {
            self.form.finish(streams.out).map_err(cannot_write)?;
        }
        streams.flush()?;
        if self.withheld > 0 {
            streams.note(&format!(
                "withheld because they hold secret values: {}; --reveal-secrets prints them",
                thousands(self.withheld)
            ));
        }
        if self.lost > 0 {
            streams.note(&format!("lost because their text could not be unpacked: {}", thousands(self.lost)));
        }
        Ok(())
    }
}

/// When a record was made, as far as it says.
pub(super) fn time_of(row: &Row<'_>) -> Cell<'static> {
    let time = row.segment.stage_time(row.row);
    if row.segment.facts(row.row).is_time_guessed() { Cell::GuessedTime(time) } else { Cell::Time(time) }
}

/// What the timeline shows of a row: names shortened, and values that belong together in one column.
fn timeline_cells<'r>(row: &'r Row<'_>) -> [Cell<'r>; TIMELINE.len()] {
    let took = match row.duration() {
        Some(duration) => Cell::Length(duration),
        None if row.is_open() => Cell::text("open"),
        None => Cell::Absent,
    };
    let user = match (row.string(Field::User), row.string(Field::ImpersonatedUser)) {
        (user, "") => short_user(user),
        (user, impersonated) => format!("{} as {}", short_user(user), short_user(impersonated)),
    };
    let resource = match (row.string(Field::Resource), row.string(Field::Subresource)) {
        (resource, "") => resource.to_owned(),
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    let object = match (row.string(Field::Namespace), row.string(Field::Name)) {
        ("", "") if resource.is_empty() => row.string(Field::RequestUri).to_owned(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    [
        time_of(row),
        if row.code() == 0 { Cell::Absent } else { Cell::Number(row.code().into()) },
        Cell::text(row.string(Field::Verb)),
        took,
        Cell::text(row.string(Field::SourceIp)),
        Cell::text(user),
        Cell::text(resource),
        Cell::text(object),
    ]
}

/// `sa:namespace/name` and `node:name` for the long names of service accounts and nodes.
fn short_user(user: &str) -> String {
    match (service_account(user), user.strip_prefix("system:node:")) {
        (Some((namespace, name)), _) => format!("sa:{namespace}/{name}"),
        (None, Some(node)) => format!("node:{node}"),
        (None, None) => user.to_owned(),
    }
}

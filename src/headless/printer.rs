//! The three forms in which rows are printed.

use super::row::Row;
use super::{Streams, cannot_write};
use crate::cli::QueryOutput;
use crate::error::{Error, Result};
use crate::headless::QueryOptions;
use crate::headless::intake::Intake;
use crate::model::{
    EventId, Micros, TimeZoneChoice, format_duration, format_local_offset, format_stamp, service_account,
};
use crate::store::{Field, Segment, UnpackedBlocks};
use crate::text::{Marks, SanitiseOptions, fit_middle, pad, sanitise_with, thousands};

/// Title and width of each column of the table but the last, which takes the rest of the line.
const COLUMNS: [(&str, usize); 7] =
    [("TIME", 23), ("CODE", 4), ("VERB", 10), ("TOOK", 9), ("SOURCE IP", 15), ("USER", 36), ("RESOURCE", 26)];
const LAST_COLUMN: &str = "NAMESPACE/NAME";

/// Prints rows and counts what it withheld.
pub(super) struct Printer<'o> {
    options: &'o QueryOptions<'o>,
    matched: u64,
    withheld: u64,
    /// Rows whose text could not be unpacked.
    lost: u64,
    unpacked: UnpackedBlocks,
}

impl<'o> Printer<'o> {
    pub(super) fn new(options: &'o QueryOptions<'o>) -> Self {
        Self { options, matched: 0, withheld: 0, lost: 0, unpacked: UnpackedBlocks::default() }
    }

    /// Rows so far, withheld ones included.
    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// Prints the row of a record that is held. `holds_secret` is the verdict on its text where it is known.
    pub(super) fn print(
        &mut self,
        intake: &Intake,
        id: EventId,
        holds_secret: Option<bool>,
        streams: &mut Streams<'_>,
    ) -> Result<()> {
        let reveal = self.options.reveal && self.options.output == QueryOutput::Jsonl;
        let segment = intake.store.segment(id).filter(|_| reveal);
        let text = segment.and_then(|s| s.text_from(id.row(), id.segment(), &mut self.unpacked).ok());
        let Some(row) = Row::new(&intake.store, id, self.options.is_by_request(), text) else {
            return Ok(());
        };
        self.matched += 1;
        let line = match self.options.output {
            QueryOutput::Raw => return self.print_raw(row.segment, id, holds_secret, streams),
            QueryOutput::Jsonl => row.json(intake.name(row.segment.source())).map_err(|cause| Error::Io {
                action: "cannot write a row as JSON".to_owned(),
                cause: cause.into(),
            })?,
            QueryOutput::Table => {
                if self.matched == 1 {
                    writeln!(streams.out, "{}", self.header(row.segment.stage_time(row.row)))
                        .map_err(cannot_write)?;
                }
                self.table_line(&row)
            }
        };
        writeln!(streams.out, "{line}").map_err(cannot_write)
    }

    fn print_raw(
        &mut self,
        segment: &Segment,
        id: EventId,
        holds_secret: Option<bool>,
        streams: &mut Streams<'_>,
    ) -> Result<()> {
        // An original line is not changed, unless it would take control of the terminal.
        let sanitising = SanitiseOptions { keep_lines: true, ..self.sanitising() };
        let Ok(text) = segment.text_from(id.row(), id.segment(), &mut self.unpacked) else {
            self.lost += 1;
            return Ok(());
        };
        if !self.options.reveal && holds_secret.unwrap_or_else(|| (self.options.holds_secret)(text)) {
            self.withheld += 1;
            return Ok(());
        }
        let written = if self.options.to_terminal {
            streams.out.write_all(sanitise_with(&String::from_utf8_lossy(text), sanitising).as_bytes())
        } else {
            streams.out.write_all(text)
        };
        written.and_then(|()| streams.out.write_all(b"\n")).map_err(cannot_write)
    }

    fn header(&self, time: Micros) -> String {
        let zone = match self.options.zone {
            TimeZoneChoice::Utc => "TIME (UTC)".to_owned(),
            TimeZoneChoice::Local => format!("TIME ({})", format_local_offset(time, self.options.zone)),
        };
        let titles = COLUMNS.map(|(title, _)| if title == "TIME" { zone.as_str() } else { title });
        self.aligned(titles, LAST_COLUMN)
    }

    fn table_line(&self, row: &Row<'_>) -> String {
        let time = row.segment.stage_time(row.row);
        let code = match row.code() {
            0 => String::new(),
            code => code.to_string(),
        };
        let took = match row.duration() {
            Some(duration) => format_duration(duration),
            None if row.is_open() => "open".to_owned(),
            None => String::new(),
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
        let stamp = format!(
            "{}.{:03}",
            format_stamp(time, self.options.zone),
            time.rem_euclid(crate::model::SECOND) / 1000
        );
        let ip = row.string(Field::SourceIp);
        let cells = [stamp.as_str(), &code, row.string(Field::Verb), &took, ip, &user, &resource];
        self.aligned(cells, &object)
    }

    fn aligned(&self, cells: [&str; COLUMNS.len()], last: &str) -> String {
        let ellipsis = if self.options.ascii { "~" } else { "…" };
        let mut line = String::with_capacity(160);
        for (cell, (_, width)) in cells.into_iter().zip(COLUMNS) {
            let cell = sanitise_with(cell, self.sanitising());
            line.push_str(&pad(&fit_middle(&cell, width, ellipsis), width));
            line.push(' ');
        }
        line.push_str(&sanitise_with(last, self.sanitising()));
        line.truncate(line.trim_end().len());
        line
    }

    fn sanitising(&self) -> SanitiseOptions {
        let marks = if self.options.ascii { Marks::Ascii } else { Marks::Unicode };
        SanitiseOptions { marks, ..SanitiseOptions::default() }
    }

    /// Says what was not printed.
    pub(super) fn tell(&self, streams: &mut Streams<'_>) {
        if self.withheld > 0 {
            streams.note(&format!(
                "withheld because they hold secret values: {}; --reveal-secrets prints them",
                thousands(self.withheld)
            ));
        }
        if self.lost > 0 {
            streams.note(&format!("lost because their text could not be unpacked: {}", thousands(self.lost)));
        }
    }
}

/// `sa:namespace/name` and `node:name` for the long names of service accounts and nodes.
fn short_user(user: &str) -> String {
    match (service_account(user), user.strip_prefix("system:node:")) {
        (Some((namespace, name)), _) => format!("sa:{namespace}/{name}"),
        (None, Some(node)) => format!("node:{node}"),
        (None, None) => user.to_owned(),
    }
}

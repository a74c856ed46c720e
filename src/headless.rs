//! The command-line twins of the views: [`query`] prints the rows of the timeline, groups of them, or who was active;
//! [`alerts`] what the detection rules found, [`rules`] which rules there are; [`info`] counts what the logs hold.
//!
//! They take the messages of [`crate::ingest`] as an iterator that ends when the input does (or when the program is
//! told to stop), keep a [`crate::store::Store`] within the memory budget, and write to the streams they are given.
//! `command` starts the pipeline and heeds signals; `intake` takes the messages in; `row` is what a row says, `columns`
//! what it tells in each column, `texts` reads its line and `verdicts` tells ahead whether that
//! is to be withheld, `story` answers `trace` and, with `history` and `rbac`, the history of an object and what a user may do, `report` writes an incident
//! down, `detection` runs the rules, `sorted` puts rows in order, `printer` prints them; `groups` prints groups and users; `form` has the forms in which all of them are printed; `follow` prints what comes. The JSON
//! is described in `docs/json.md`.

mod alerts;
mod columns;
mod command;
mod detection;
mod follow;
mod form;
mod groups;
mod history;
mod info;
mod info_output;
mod intake;
mod printer;
mod query;
mod rbac;
mod report;
mod row;
pub mod rules;
mod sorted;
mod story;
#[cfg(test)]
mod tests;
mod texts;
mod verdicts;

use std::io::Write;

pub use alerts::{AlertsOptions, alerts};
pub use command::run;
pub use info::{FileInfo, Gap, Info, InfoOptions, LevelCount, LevelsSeen, UnreadableCount, info};
pub use query::{QueryOptions, query};
pub use report::{ReportOptions, report};
pub use rules::RulesOptions;
pub use story::{StoryOptions, story};

use crate::error::{EXIT_FAILURE, EXIT_NO_MATCH, EXIT_OK, Error};
use crate::text::{SanitiseOptions, fit_end, sanitise, sanitise_with, thousands};

/// Columns of a sample of what could not be read.
const SAMPLE_COLUMNS: usize = 120;

/// What is said where a table is empty since there was nothing to look at.
const NOTHING_READ: &str = "no audit event was read";

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Rows that matched, whether printed or withheld, or alerts; for `info`, lines that were understood.
    pub matched: u64,
    /// Sources that could not be opened or read.
    pub failed_sources: u64,
}

impl Outcome {
    /// The process's exit code, unless a signal ended it.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome { failed_sources: 1.., .. } => EXIT_FAILURE,
            Outcome { matched: 0, .. } => EXIT_NO_MATCH,
            Outcome { .. } => EXIT_OK,
        }
    }
}

/// Where a command writes.
pub struct Streams<'a> {
    /// What was asked for.
    pub out: &'a mut dyn Write,
    /// What should be known beside it.
    pub notes: &'a mut dyn Write,
}

impl Streams<'_> {
    /// Writes a line for people. Standard error that is gone stops nothing.
    fn note(&mut self, text: &str) {
        let _ = writeln!(self.notes, "kauditui: {}", visible(text));
    }

    /// Writes what happened `count` times with the beginning of one of them, which may be as long as a line of a log.
    fn note_loss(&mut self, kind: &str, count: Option<u64>, sample: &str) {
        let times = count.map_or(String::new(), |count| format!(" ({})", thousands(count)));
        let sample = sanitise(sample);
        self.note(&format!("{kind}{times}: {}", fit_end(&sample, SAMPLE_COLUMNS, "...")));
    }

    /// Tells a failure that does not end the command.
    fn failure(&mut self, error: &Error) {
        let _ = self.notes.write_all(describe(error).as_bytes());
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(cannot_write)
    }
}

/// `error: …` and `tip: …` as every failure is told, with the hostile characters of file names made visible.
pub fn describe(error: &Error) -> String {
    visible(&format!("error: {error}\ntip: {}\n", error.tip()))
}

fn visible(text: &str) -> String {
    sanitise_with(text, SanitiseOptions { keep_lines: true, ..SanitiseOptions::default() }).into_owned()
}

fn cannot_write(cause: std::io::Error) -> Error {
    Error::Io { action: "cannot write the output".to_owned(), cause }
}

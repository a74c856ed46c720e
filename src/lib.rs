//! kauditui: a terminal explorer for Kubernetes audit logs.
//!
//! ```text
//!   kube-apiserver writes            files that are there, rotated and gzipped ones too
//!            |                                         |
//!   source::{watch, follow, tail}            source::{resolve, backfill, archive}
//!     lines as they come                       chunks cut at events, newest first
//!            |                                         |
//!   ingest::live (a thread a log)            ingest::history (a few workers)
//!            |      format::Reader: bytes -> model::Event      |
//!            |      store::SegmentBuilder: events -> Batch     |
//!            +------------------+------------------------------+
//!                               |  bounded channel of ingest::IngestMessage
//!                               v
//!   runtime's loop (one thread) -- or headless: info, query
//!     app::App::update(Msg) -> Effects        no terminal, no I/O, the clock passed in
//!       store::Store    ring of segments, time order, one row a request, byte budget
//!       query::View     what matches the filter, kept up to date as data comes and goes
//!                               |
//!     ui::draw(&App) -> cells -> term::Screen -> one write a frame
//! ```
//!
//! One thread owns all that can be seen, so nothing is behind a lock. Workers only turn bytes into sealed segments.
//!
//! | module | what it is for |
//! |---|---|
//! | [`model`] | an audit event in Kubernetes' own terms |
//! | [`text`], [`redact`] | making text safe and fitting for a terminal; masking secret values |
//! | [`format`](mod@format) | the bytes of a line to an event |
//! | [`source`] | where bytes come from: files, rotations, pipes |
//! | [`ingest`] | threads and channels between them and the store |
//! | [`store`] | the in-memory indexed ring buffer |
//! | [`query`] | the filter language, live results, and their groups |
//! | [`activity`] | who was active: a profile of each identity |
//! | [`identity`] | the credential index: who minted it, who used it, from where, with which tool |
//! | [`detect`] | Sigma rules, correlations, and the alerts they give |
//! | [`trace`] | who really did it, what changed, why it was allowed |
//! | [`app`] | what the program does, without terminal or I/O |
//! | [`ui`] | its picture |
//! | [`term`] | all that touches the terminal |
//! | [`runtime`] | brings them together |
//! | [`headless`] | `info`, `query`, `alerts` and the other commands |
//! | [`cli`], [`settings`] | arguments, and what they mean |
//! | [`notice`], [`error`] | what went wrong without, and with, stopping |
//!
//! Dependencies point downwards only; `tests/architecture.rs` holds them to it.
#![forbid(unsafe_code)]

pub mod activity;
pub mod app;
pub mod cli;
pub mod detect;
pub mod error;
pub mod format;
pub mod headless;
pub mod identity;
pub mod ingest;
pub mod model;
pub mod notice;
pub mod query;
pub mod redact;
pub mod runtime;
pub mod settings;
pub mod source;
pub mod store;
pub mod term;
pub mod text;
pub mod trace;
pub mod ui;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use cli::Parsed;
use detect::Acks;
use error::{EXIT_OK, Error, Result};
use settings::{Settings, Surroundings, Task};

/// Does what the arguments say, the program's name first, and returns the process's exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match dispatch(arguments) {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => EXIT_OK,
        Err(error) => {
            use std::io::Write;
            // Standard error may be gone as well.
            let _ = std::io::stderr().write_all(headless::describe(&error).as_bytes());
            error.exit_code()
        }
    }
}

/// Reads a file that is small by its nature. A larger one, such as a device without end, is refused before it fills
/// the memory.
fn read_small_file(path: &Path) -> io::Result<Vec<u8>> {
    const MOST_BYTES: u64 = 1 << 20;
    let mut content = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    match content.len() as u64 {
        0..=MOST_BYTES => Ok(content),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Result<u8> {
    let cli = match cli::parse(arguments)? {
        Parsed::Run(cli) => cli,
        Parsed::Print(text) => {
            use std::io::Write;
            let cannot = |cause| Error::Io { action: "cannot write the output".to_owned(), cause };
            std::io::stdout().write_all(text.as_bytes()).map_err(cannot)?;
            return Ok(EXIT_OK);
        }
    };
    let settings = Settings::new(
        *cli,
        &Surroundings {
            variable: &|name| std::env::var(name).ok(),
            read_file: &read_small_file,
            is_file: &|path: &Path| path.is_file(),
            exists: &|path: &Path| path.symlink_metadata().is_ok(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        },
    )?;
    match settings.task {
        Task::Interactive { .. } => runtime::interactive(settings),
        _ => {
            let looks_for_log = settings.task.needs_log() || !settings.sources.is_empty();
            let inputs = if looks_for_log { runtime::inputs(&settings)? } else { Vec::new() };
            let acks = match &settings.task {
                Task::Alerts { state: Some(path), .. } => runtime::dealt_with(path)?,
                _ => Acks::default(),
            };
            headless::run(&settings, inputs, redact::holds_secret, &acks)
        }
    }
}

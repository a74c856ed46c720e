//! kauditui: a terminal explorer for Kubernetes audit logs.
#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod error;
pub mod format;
pub mod headless;
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
pub mod ui;

use std::ffi::OsString;
use std::path::Path;

use cli::Parsed;
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
            read_file: &|path: &Path| std::fs::read_to_string(path).ok(),
            is_file: &|path: &Path| path.is_file(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        },
    )?;
    match settings.task {
        Task::Interactive { .. } => runtime::interactive(settings),
        Task::Info(_) | Task::Query { .. } => {
            let inputs = runtime::inputs(&settings)?;
            headless::run(&settings, inputs, redact::holds_secret)
        }
    }
}

//! runtime

use crate::error::{Error, Result};
use crate::ingest::Input;
use crate::settings::Settings;

/// The interactive program.
///
/// # Errors
/// Without a terminal.
pub fn interactive(_settings: Settings) -> Result<u8> {
    Err(Error::NoTerminal { stream: "standard output" })
}

/// What to read.
///
/// # Errors
/// When nothing was named.
pub fn inputs(settings: &Settings) -> Result<Vec<Input>> {
    if settings.sources.is_empty() {
        return Err(Error::NothingFound { looked_for: "  (lead: discovery and demo)".to_owned() });
    }
    Ok(settings.sources.iter().cloned().map(Input::Argument).collect())
}

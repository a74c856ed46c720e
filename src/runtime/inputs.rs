//! What to read: what was named, the demo, or what is found on this machine.

use std::path::Path;

use super::demo;
use crate::error::{Error, Result};
use crate::format;
use crate::ingest::Input;
use crate::model;
use crate::settings::Settings;
use crate::source::discover::{Choice, discover};

/// What to read, and what to say about the choice.
pub(super) struct Found {
    pub(super) inputs: Vec<Input>,
    pub(super) greeting: Option<String>,
}

/// What to read for `info` and `query`; the choice is said on standard error.
///
/// # Errors
/// When nothing was named and nothing is found.
pub fn inputs(settings: &Settings) -> Result<Vec<Input>> {
    let found = found(settings)?;
    if let Some(greeting) = found.greeting {
        use std::io::Write;
        // Standard error may be gone; the answer matters more than this line.
        let _ = writeln!(std::io::stderr(), "{greeting}");
    }
    Ok(found.inputs)
}

pub(super) fn found(settings: &Settings) -> Result<Found> {
    if settings.demo {
        let text = demo::log(model::now());
        let greeting = "demo: an hour on a made-up cluster, in which something went wrong".to_owned();
        return Ok(Found { inputs: vec![Input::Text("demo".into(), text.into())], greeting: Some(greeting) });
    }
    if !settings.sources.is_empty() {
        let inputs = settings.sources.iter().cloned().map(Input::Argument).collect();
        return Ok(Found { inputs, greeting: None });
    }
    match discover(Path::new("/"), &format::recognise) {
        Ok(Choice { path, reason }) => Ok(Found {
            greeting: Some(format!("opened {} ({reason})", path.display())),
            inputs: vec![Input::Argument(path)],
        }),
        Err(looked_for) => Err(Error::NothingFound { looked_for }),
    }
}

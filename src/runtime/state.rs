//! The file that keeps which alerts were dealt with, where the user asked for one. It is read at the start and replaced
//! as a whole at each change, on a thread of its own. What cannot be understood is an error and never overwritten, and
//! neither is what somebody else wrote meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::mpsc;

use super::save::Saved;
use crate::detect::Acks;
use crate::error::{Error, Result};

/// Changes under way: each is made by a key.
const UNDER_WAY: usize = 64;

/// A larger file is none of ours.
const MOST_BYTES: u64 = 64 << 20;

/// What is in the file; nothing while there is none.
///
/// # Errors
/// When it cannot be read or understood.
pub(super) fn read(path: &Path) -> Result<Acks> {
    let wrong = |message: String| Error::Config {
        place: path.display().to_string(),
        message,
        tip: "mend or move the file, or name another one with --state; it is left as it is".into(),
    };
    match content(path) {
        Ok(None) => Ok(Acks::default()),
        Ok(Some(text)) => {
            Acks::parse(&text).map_err(|reason| wrong(format!("is no state of kauditui: {reason}")))
        }
        Err(error) => Err(wrong(format!("cannot be read: {error}"))),
    }
}

fn content(path: &Path) -> std::io::Result<Option<String>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(about) if !about.is_file() || about.len() > MOST_BYTES => {
            return Err(std::io::Error::new(ErrorKind::InvalidData, "not a small file"));
        }
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some)
}

/// Writes the file as it changes.
pub(super) struct Keeper {
    sender: Option<mpsc::Sender<(PathBuf, String)>>,
}

impl Keeper {
    /// Begins with what the file holds now; what goes wrong is told through `tell`. Without a path it does nothing.
    pub(super) fn start(path: Option<&Path>, tell: mpsc::Sender<Saved>) -> Keeper {
        let Some(path) = path else { return Keeper { sender: None } };
        let (sender, mut changes) = mpsc::channel::<(PathBuf, String)>(UNDER_WAY);
        let mut known = content(path).ok().flatten();
        let body = move || {
            while let Some((path, mut text)) = changes.blocking_recv() {
                // Only the last of several counts: each is all of it.
                while let Ok((_, later)) = changes.try_recv() {
                    text = later;
                }
                match replace(&path, known.as_deref(), &text) {
                    Ok(()) => known = Some(text),
                    Err(why) => drop(tell.blocking_send(Err(why))),
                }
            }
        };
        let started = thread::Builder::new().name("state".into()).spawn(body);
        Keeper { sender: started.is_ok().then_some(sender) }
    }

    /// Has the file replaced. Returns whether it will be tried.
    pub(super) fn keep(&self, path: String, content: String) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.try_send((PathBuf::from(path), content)).is_ok())
    }
}

/// Replaces the file, if it still holds what it is `known` to.
fn replace(path: &Path, known: Option<&str>, text: &str) -> std::result::Result<(), String> {
    let cannot = |error: std::io::Error| {
        format!("cannot write {}: {error}; what is dealt with counts for this session only", path.display())
    };
    if content(path).map_err(cannot)?.as_deref() != known {
        return Err(format!(
            "{} was changed by somebody else and is left as it is; what is dealt with counts for this session only",
            path.display()
        ));
    }
    // A link is followed, so that what it leads to is replaced and not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = target.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &target)
    };
    write().map_err(|error| {
        // What is left of a failed attempt is of no use to anybody.
        let _ = fs::remove_file(&beside);
        cannot(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_as_a_whole_and_never_what_others_wrote() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        assert_eq!(read(&path).expect("there is none yet"), Acks::default());
        let first = Acks::default().to_json();
        replace(&path, None, &first).expect("it is written");
        assert_eq!(read(&path).expect("it is one"), Acks::default());
        replace(&path, Some(&first), &first).expect("it is written again");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");

        fs::write(&path, "{}").expect("somebody writes");
        assert!(replace(&path, Some(&first), &first).is_err_and(|why| why.contains("somebody else")));
        assert_eq!(fs::read_to_string(&path).expect("a file"), "{}");
        let broken = read(&path).expect_err("it is none");
        assert!(broken.to_string().contains("missing field"), "{broken}");
        assert!(!broken.tip().is_empty());
        let nowhere = folder.path().join("no/state.json");
        assert!(replace(&nowhere, None, &first).is_err());
    }
}

//! What can happen to a log while it is followed, as the user is told it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A change of the followed file that is worth a notice. [`super::tail`] makes them.
#[derive(Debug)]
pub enum Change {
    /// The file did not exist and now does.
    Appeared {
        /// The followed path.
        path: PathBuf,
    },
    /// The file was renamed and a new one took its place.
    Rotated {
        /// The followed path.
        path: PathBuf,
        /// The old file's name now, if it could be found.
        to: Option<PathBuf>,
    },
    /// A file that was made and rotated away between two looks is being read now.
    CaughtUp {
        /// The rotated file.
        path: PathBuf,
    },
    /// The file was emptied in place, or emptied and filled again.
    Truncated {
        /// The file.
        path: PathBuf,
        /// The copy from which the bytes that had not been read were taken, if there was one.
        rest_from: Option<PathBuf>,
    },
    /// The file has no name any more; it is still read for as long as its writer holds it.
    Deleted {
        /// The followed path.
        path: PathBuf,
    },
    /// The file was deleted and another one was made in its place.
    Recreated {
        /// The followed path.
        path: PathBuf,
    },
    /// The path is a symbolic link and now points elsewhere.
    Replaced {
        /// The followed path.
        path: PathBuf,
        /// What it points to now.
        target: PathBuf,
    },
    /// The file was moved away and nothing took its place yet; it is still read.
    Vanished {
        /// The followed path.
        path: PathBuf,
    },
    /// The file cannot be opened or read; tried again at every look.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A compressed file is cut short or corrupt; what came before the damage was read.
    Damaged {
        /// The compressed file.
        path: PathBuf,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// A line of more than [`super::MAX_LINE`] bytes was skipped.
    LineTooLong {
        /// The file; empty for standard input.
        path: PathBuf,
        /// Where the line begins in the file's text.
        offset: u64,
    },
}

impl Change {
    /// What happened, in words that are equal for equal kinds: notices are counted by them.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::Appeared { .. } => "file appeared",
            Change::Rotated { .. } => "file rotated",
            Change::CaughtUp { .. } => "rotated unseen, read afterwards",
            Change::Truncated { .. } => "file truncated",
            Change::Deleted { .. } => "file deleted",
            Change::Recreated { .. } => "file made anew",
            Change::Replaced { .. } => "link points elsewhere",
            Change::Vanished { .. } => "file moved away",
            Change::Unreadable { .. } => "file unreadable",
            Change::Damaged { .. } => "damaged archive",
            Change::LineTooLong { .. } => "line too long",
        }
    }

    /// Whether bytes of the log could not be used.
    pub fn is_loss(&self) -> bool {
        matches!(self, Change::Unreadable { .. } | Change::Damaged { .. } | Change::LineTooLong { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Appeared { path } => write!(f, "{} appeared", path.display()),
            Change::Rotated { path, to: Some(to) } => {
                write!(f, "{} was rotated to {}", path.display(), to.display())
            }
            Change::Rotated { path, to: None } => write!(f, "{} was rotated", path.display()),
            Change::CaughtUp { path } => {
                write!(f, "{} was rotated away between two looks; read from there", path.display())
            }
            Change::Truncated { path, rest_from: Some(copy) } => {
                write!(
                    f,
                    "{} was truncated; its last lines were read from {}",
                    path.display(),
                    copy.display()
                )
            }
            Change::Truncated { path, rest_from: None } => write!(f, "{} was truncated", path.display()),
            Change::Deleted { path } => {
                write!(f, "{} was deleted; still reading the deleted file", path.display())
            }
            Change::Recreated { path } => write!(f, "{} was deleted and made anew", path.display()),
            Change::Replaced { path, target } => {
                write!(f, "{} now points to {}", path.display(), target.display())
            }
            Change::Vanished { path } => {
                write!(f, "{} was moved away; still reading it, waiting for a new one", path.display())
            }
            Change::Unreadable { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            Change::Damaged { path, cause } => {
                write!(f, "{} is damaged: {cause}; read what comes before", path.display())
            }
            Change::LineTooLong { path, offset } => write!(
                f,
                "skipped a line of more than {} MiB at byte {offset} of {}",
                super::MAX_LINE >> 20,
                if path.as_os_str().is_empty() { "standard input".into() } else { path.to_string_lossy() }
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_name_the_file_and_what_happened() {
        let path = PathBuf::from("/a/audit.log");
        let rotated = Change::Rotated { path: path.clone(), to: Some("/a/audit.log.1".into()) };
        assert_eq!(rotated.to_string(), "/a/audit.log was rotated to /a/audit.log.1");
        let too_long = Change::LineTooLong { path: PathBuf::new(), offset: 7 };
        assert_eq!(too_long.to_string(), "skipped a line of more than 64 MiB at byte 7 of standard input");
        let cause = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(Change::Unreadable { path, cause }.to_string().starts_with("cannot read /a/audit.log: "));
    }
}

//! Every way in which the program can refuse to start or fail to finish, with its exit code and what to do next.
//!
//! Lines that cannot be read are no errors: they are counted by [`crate::format`] and shown as notices.

use std::path::PathBuf;

/// Exit code: nothing went wrong.
pub const EXIT_OK: u8 = 0;
/// Exit code: `query` matched nothing.
pub const EXIT_NO_MATCH: u8 = 1;
/// Exit code: wrong usage, cannot start, or one of several sources failed.
pub const EXIT_FAILURE: u8 = 2;

/// A failure that is told to the user as `error: …` and `tip: …`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source could not be opened or read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The path as the user gave it.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
        /// Owner and mode of the file, when they can be seen and matter.
        owner: Option<String>,
    },
    /// A path that does not exist, where waiting for it makes no sense.
    #[error("{path} does not exist")]
    Missing {
        /// The path as the user gave it.
        path: PathBuf,
    },
    /// A glob or folder that holds no log.
    #[error("no audit log in {path}")]
    NothingThere {
        /// The folder or pattern as the user gave it.
        path: PathBuf,
    },
    /// No source was named and none was found.
    #[error("no audit log found; looked for:\n{looked_for}")]
    NothingFound {
        /// One line for each place looked at, with what was found there.
        looked_for: String,
    },
    /// A filter expression that cannot be understood.
    #[error("filter: {message} at character {column}\n  {expression}\n  {caret}")]
    Filter {
        /// The expression as typed.
        expression: String,
        /// What is wrong.
        message: String,
        /// Character position, counted from 1.
        column: usize,
        /// Spaces and a `^` that point at it.
        caret: String,
        /// The nearest thing that would be right, if any.
        suggestion: Option<String>,
    },
    /// `--filter` was given the name of a file.
    #[error("--filter expects an expression, and '{expression}' is a file")]
    FilterIsFile {
        /// What was given.
        expression: String,
    },
    /// A configuration file that cannot be read or understood.
    #[error("{place}: {message}")]
    Config {
        /// The file, with line and column (in characters, both counted from 1) where the mistake has a place.
        place: String,
        /// What is wrong there.
        message: String,
        /// What to write instead.
        tip: String,
    },
    /// Any other wrong argument.
    #[error("{message}")]
    Usage {
        /// What is wrong, naming the argument.
        message: String,
        /// What to write instead.
        tip: String,
    },
    /// The interactive program was started without a terminal.
    #[error("{stream} is not a terminal")]
    NoTerminal {
        /// Which stream.
        stream: &'static str,
    },
    /// The terminal or the output failed.
    #[error("{action}: {cause}")]
    Io {
        /// What was being done.
        action: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
}

impl Error {
    /// A source that cannot be read, with its owner where that helps.
    pub fn unreadable(path: &std::path::Path, cause: std::io::Error) -> Self {
        let owner = (cause.kind() == std::io::ErrorKind::PermissionDenied).then(|| owner_of(path)).flatten();
        Error::Unreadable { path: path.to_owned(), cause, owner }
    }

    /// The process's exit code for this failure.
    pub fn exit_code(&self) -> u8 {
        EXIT_FAILURE
    }

    /// Whether this is only the reader of our output having gone away, which is no error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if cause.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What to do next, in one sentence.
    pub fn tip(&self) -> String {
        match self {
            Error::Unreadable { cause, owner, path }
                if cause.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                let owner = owner.as_deref().map(|o| format!("it belongs to {o}; ")).unwrap_or_default();
                format!("{owner}run it as root: sudo kauditui {}", path.display())
            }
            Error::Unreadable { .. } => "check the path and the disk, or name another source".into(),
            Error::Missing { path } => format!(
                "check the path (ls {}), or run kauditui without one to look in the usual places",
                path.parent()
                    .filter(|p| !p.as_os_str().is_empty())
                    .unwrap_or(std::path::Path::new("."))
                    .display()
            ),
            Error::NothingThere { .. } => "name the log file itself: kauditui /path/to/audit.log".into(),
            Error::NothingFound { .. } => {
                "auditing is off unless kube-apiserver runs with --audit-policy-file and --audit-log-path; \
                 name the log with kauditui /path/to/audit.log, or try kauditui --demo"
                    .into()
            }
            Error::Filter { suggestion: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Error::Filter { .. } => {
                "a filter looks like user:alice verb:delete,patch -ns:kube-system code:>=400".into()
            }
            Error::FilterIsFile { expression } => {
                format!(
                    "to open the file write: kauditui {expression}; to search for the word: -f '\"{expression}\"'"
                )
            }
            Error::Config { tip, .. } | Error::Usage { tip, .. } => tip.clone(),
            Error::NoTerminal { .. } => {
                "to print rows instead, use kauditui query; to count them, kauditui info".into()
            }
            Error::Io { .. } => "check that the terminal or the output file is still there".into(),
        }
    }
}

/// Name of the user who owns the nearest part of `path` that can be seen, by `/etc/passwd`, and its mode.
fn owner_of(path: &std::path::Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.ancestors().find_map(|part| std::fs::metadata(part).ok())?;
    let id = metadata.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    Some(format!("{} (mode {:o})", name.unwrap_or(format!("user {id}")), metadata.mode() & 0o7777))
}

/// Result with this program's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

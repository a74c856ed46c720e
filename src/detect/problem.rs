//! What is wrong with a rule file. A problem never keeps other rules from being loaded.

use std::fmt;
use std::path::{Path, PathBuf};

/// Whether a rule was lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProblemKind {
    /// The rule is not used because a list of the user's is not there. Nothing is wrong with it.
    Waiting,
    /// The rule is loaded, but probably does not mean what it should.
    Warning,
    /// The rule, or the file, is not used.
    Error,
}

/// What is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadProblem {
    /// Whether a rule was lost.
    pub kind: ProblemKind,
    /// The file; for the program's own pack, its path below `assets/rules`.
    pub file: PathBuf,
    /// Line of the file, from 1; 0 when it is about the file as a whole.
    pub line: u32,
    /// The title of the rule, where it has one.
    pub title: Option<String>,
    /// Why.
    pub reason: String,
}

impl LoadProblem {
    pub(super) fn error(file: &Path, line: u32, reason: impl Into<String>) -> LoadProblem {
        let reason = reason.into();
        LoadProblem { kind: ProblemKind::Error, file: file.to_owned(), line, title: None, reason }
    }

    pub(super) fn warning(file: &Path, line: u32, reason: impl Into<String>) -> LoadProblem {
        LoadProblem { kind: ProblemKind::Warning, ..LoadProblem::error(file, line, reason) }
    }

    pub(super) fn waiting(file: &Path, line: u32, list: &str) -> LoadProblem {
        let reason = format!("waiting for the list {list} (lists/{list}.txt beside the rules)");
        LoadProblem { kind: ProblemKind::Waiting, ..LoadProblem::error(file, line, reason) }
    }

    pub(super) fn of(mut self, title: &str) -> LoadProblem {
        self.title = Some(title.to_owned());
        self
    }
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": ")?;
        if let Some(title) = &self.title {
            write!(f, "{title}: ")?;
        }
        f.write_str(&self.reason)
    }
}

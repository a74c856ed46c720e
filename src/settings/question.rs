//! What the commands that tell stories, and the one about rules, are asked; [`crate::headless`] answers.

use std::path::PathBuf;

use crate::cli::{HistoryOutput, RbacOutput, RulesOutput, StoryOutput};
use crate::trace::HistoryOptions;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// The cause chain of the request with this auditID.
    Trace {
        /// The auditID.
        audit_id: String,
        /// Form of the answer.
        output: StoryOutput,
    },
    /// The history of an object.
    History(HistoryQuestion),
    /// What a user was allowed and refused.
    Rbac {
        /// The user as typed.
        user: String,
        /// Whether roles are wanted for what it did, instead of for what it was refused.
        used: bool,
        /// Form of the answer.
        output: RbacOutput,
        /// Draw with ASCII characters only.
        ascii: bool,
    },
}

/// What of an object is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryQuestion {
    /// Plural, singular or short name of the resource, with or without its group.
    pub resource: String,
    /// Name of the object.
    pub name: String,
    /// Namespace, where one is given.
    pub namespace: Option<String>,
    /// Form of the answer.
    pub output: HistoryOutput,
    /// The revision whose state is asked, instead of the last known.
    pub revision: Option<usize>,
    /// The moment whose state is asked, as typed.
    pub at: Option<String>,
    /// Two revisions whose states are compared.
    pub between: Option<(usize, usize)>,
    /// What the history shows.
    pub options: HistoryOptions,
    /// Draw with ASCII characters only.
    pub ascii: bool,
}

/// What is asked about the detection rules.
#[derive(Clone, Debug, PartialEq)]
pub enum RulesQuestion {
    /// Which there are; with sources, what they find there.
    List {
        /// Form of the answer.
        output: RulesOutput,
    },
    /// What is wrong with rule files.
    Check {
        /// The folders and files; none for those of the settings.
        folders: Vec<PathBuf>,
    },
    /// What a rule looks for.
    Explain {
        /// What the rule is called.
        rule: String,
    },
    /// What the rules of a file find.
    Test {
        /// The file.
        file: PathBuf,
    },
}

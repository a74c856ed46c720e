//! What the commands that tell stories, and the one about rules, are asked; [`crate::headless`] answers.

use std::path::PathBuf;

use super::{Surroundings, check_time};
use crate::cli::{HistoryArgs, HistoryOutput, RbacOutput, RulesOutput, StoryOutput};
use crate::error::{Error, Result};
use crate::model::TimeZoneChoice;
use crate::term::capabilities::Capabilities;
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

/// What `history` is to tell, unless the object or the revisions mean nothing.
pub(super) fn history_question(history: &HistoryArgs, around: &Surroundings<'_>) -> Result<HistoryQuestion> {
    let refused = |message: String, tip: &str| Err(Error::Usage { message, tip: tip.into() });
    let parts: Vec<&str> = history.object.split('/').collect();
    let (namespace, resource, name) = match parts.as_slice() {
        [resource, name] if !resource.is_empty() && !name.is_empty() => {
            (history.namespace.as_deref(), *resource, *name)
        }
        [namespace, resource, name] if parts.iter().all(|part| !part.is_empty()) => {
            if history.namespace.as_deref().is_some_and(|other| other != *namespace) {
                return refused(
                    format!("'{}' is not in the namespace that -n names", history.object),
                    "name the namespace once: -n prod deploy/web, or prod/deploy/web",
                );
            }
            (Some(*namespace), *resource, *name)
        }
        _ => {
            return refused(
                format!("'{}' is no object", history.object),
                "write RESOURCE/NAME, as in: kauditui history -n prod deploy/web audit.log",
            );
        }
    };
    check_time("--at", history.at.as_deref(), TimeZoneChoice::Utc)?;
    let between = match &history.between {
        None => None,
        Some(text) => match text.split_once("..").map(|(a, b)| (a.parse(), b.parse())) {
            Some((Ok(older), Ok(newer))) => Some((older, newer)),
            _ => {
                return refused(
                    format!("--between {text} does not name two revisions"),
                    "write the numbers of the column REV, as in: --between 3..5",
                );
            }
        },
    };
    let capabilities = Capabilities::detect(around.variable);
    Ok(HistoryQuestion {
        resource: resource.to_owned(),
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        output: history.output,
        revision: history.revision,
        between,
        options: HistoryOptions {
            reports: history.reports,
            noise: history.all_fields,
            revealed: history.reveal_secrets,
            owned: history.owned,
        },
        at: history.at.clone(),
        ascii: history.display.ascii || !capabilities.utf8,
    })
}

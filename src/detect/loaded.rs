//! A set of rules in use, with what its loading told: what the program and its commands hand around.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::engine::Engine;
use super::problem::LoadProblem;
use super::rule::FilterInfo;
use super::ruleset::RuleSet;

/// Rules that are ready to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LoadedRules {
    /// The rules.
    pub engine: Arc<Engine>,
    /// The filters that narrow them.
    pub filters: Arc<Vec<FilterInfo>>,
    /// What is wrong with rule files.
    pub problems: Arc<Vec<LoadProblem>>,
    /// How many rules were left out because they are about other logs, by product.
    pub skipped: Arc<BTreeMap<String, usize>>,
}

impl LoadedRules {
    /// Loads the program's own rules, when `builtin`, and those in `folders`, see [`RuleSet::load`].
    pub fn load(builtin: bool, folders: &[PathBuf]) -> LoadedRules {
        LoadedRules::load_with(builtin, folders, &[])
    }

    /// The same, and texts that no file holds, each as if it were the content of the file named beside it.
    pub fn load_with(builtin: bool, folders: &[PathBuf], texts: &[(PathBuf, String)]) -> LoadedRules {
        let (rules, problems) = RuleSet::load_with(builtin, folders, texts);
        LoadedRules {
            engine: Arc::new(rules.prepare()),
            filters: Arc::new(rules.filters().to_vec()),
            problems: Arc::new(problems),
            skipped: Arc::new(rules.skipped().clone()),
        }
    }
}

/// Equal when they are the same engine.
impl PartialEq for LoadedRules {
    fn eq(&self, other: &LoadedRules) -> bool {
        self.engine.number() == other.engine.number()
    }
}

//! What a rule says about itself: its name, how bad a match is, and what to do about one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rsigma_parser::{CorrelationRule, SigmaRule};
use serde_json::Value;

use super::state::StateDetection;
use crate::model::LogKind;

/// The place of a rule or correlation among those that are loaded. Loading again may move it: what is kept on disk
/// names rules by [`RuleInfo::id`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RuleIndex(pub u32);

/// How bad a match is (Sigma's `level`). From [`Severity::Medium`] on it is an alert, below it is activity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Severity {
    /// What happens every day; also a rule that names no level.
    #[default]
    Informational,
    /// Worth knowing when something else happened.
    Low,
    /// To be looked at today.
    Medium,
    /// To be acted on now.
    High,
    /// To be acted on now, and the cluster's own security is in doubt.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Severity; 5] =
        [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Sigma's word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// Whether a match is an alert, not mere activity.
    pub fn is_alert(self) -> bool {
        self >= Severity::Medium
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = ();

    /// The severity called `name`, in any case; `info` is short for informational.
    fn from_str(name: &str) -> Result<Severity, ()> {
        let name = name.to_ascii_lowercase();
        let name = if name == "info" { "informational" } else { &name };
        Severity::ALL.into_iter().find(|severity| severity.name() == name).ok_or(())
    }
}

impl From<Option<rsigma_parser::Level>> for Severity {
    fn from(level: Option<rsigma_parser::Level>) -> Severity {
        level.and_then(|level| level.as_str().parse().ok()).unwrap_or_default()
    }
}

/// Where a rule was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Origin {
    /// The file; for the program's own pack, its path below `assets/rules`.
    pub file: PathBuf,
    /// Line of the file at which the rule's document begins, from 1.
    pub line: u32,
    /// Whether it is of the program's own pack.
    pub builtin: bool,
}

/// A rule's description of itself, as its author wrote it.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleInfo {
    /// `id`, or where there is none `name`, or the title.
    pub id: String,
    /// `name`: under which correlations may refer to it.
    pub name: Option<String>,
    /// `title`
    pub title: String,
    /// `description`
    pub description: String,
    /// `author`: licences of shared rules ask for it to be kept.
    pub author: Option<String>,
    /// `status`, such as `stable` or `experimental`.
    pub status: Option<String>,
    /// `level`
    pub severity: Severity,
    /// `tags`, such as `attack.t1609`.
    pub tags: Vec<String>,
    /// `falsepositives`
    pub falsepositives: Vec<String>,
    /// `references`
    pub references: Vec<String>,
    /// Keys that Sigma does not know, by name, such as `kauditui`.
    pub custom: BTreeMap<String, Value>,
    /// Where it was written.
    pub origin: Origin,
    /// The rule's own text.
    pub text: String,
    /// Titles of the Sigma filters that narrow it.
    pub filters: Vec<String>,
    /// Whether what it matches is no alert by itself: it feeds correlations (Sigma's `generate`), or says itself how its
    /// matches become alerts ([`RuleInfo::is_told`]).
    pub feeds_only: bool,
    /// Whether it is a correlation of other rules.
    pub is_correlation: bool,
    /// The log that it is about (`logsource`); of a correlation, that of the first rule that it correlates.
    pub log: LogKind,
    /// What it needs to know of other requests: such a rule is never hit by an event, see [`super::state`].
    pub state: Option<StateDetection>,
}

/// A Sigma filter that is in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterInfo {
    /// `title`
    pub title: String,
    /// Where it was written.
    pub origin: Origin,
    /// The rules that it narrows; none when those that it names are not loaded.
    pub narrows: Vec<RuleIndex>,
}

/// The parts of a rule's description that the parser gives for rules and for correlations.
macro_rules! info {
    ($rule:expr, $origin:expr, $text:expr, $is_correlation:expr) => {{
        let rule = $rule;
        RuleInfo {
            id: rule.id.clone().or_else(|| rule.name.clone()).unwrap_or_else(|| rule.title.clone()),
            name: rule.name.clone(),
            title: rule.title.clone(),
            description: rule.description.clone().unwrap_or_default(),
            author: rule.author.clone(),
            status: rule.status.map(|status| format!("{status:?}").to_lowercase()),
            severity: rule.level.into(),
            tags: rule.tags.clone(),
            falsepositives: rule.falsepositives.clone(),
            references: rule.references.clone(),
            custom: rule
                .custom_attributes
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), serde_json::to_value(value).ok()?)))
                .collect(),
            origin: $origin,
            text: $text,
            filters: Vec::new(),
            feeds_only: false,
            is_correlation: $is_correlation,
            log: LogKind::Kube,
            state: None,
        }
    }};
}

impl RuleInfo {
    pub(super) fn of_rule(rule: &SigmaRule, origin: Origin, text: String) -> RuleInfo {
        info!(rule, origin, text, false)
    }

    pub(super) fn of_correlation(rule: &CorrelationRule, origin: Origin, text: String) -> RuleInfo {
        info!(rule, origin, text, true)
    }

    /// Whether a correlation or a filter that names `reference` means this rule.
    pub(super) fn is_called(&self, reference: &str) -> bool {
        self.id == reference || self.name.as_deref() == Some(reference)
    }

    /// Whether there can be alerts or activity of its own: one by one, or made of its matches by what it says itself.
    pub fn is_told(&self) -> bool {
        let own = self.custom.get("kauditui");
        let says = |key: &str| own.and_then(|own| own.get(key)).is_some();
        !self.feeds_only || says("first_seen") || says("alert_by")
    }

    /// Whether what is found by it is told: all but what a correlation finds only for another one.
    pub(super) fn tells_findings(&self) -> bool {
        !(self.is_correlation && self.feeds_only)
    }

    /// The ATT&CK tactics among the tags, such as `privilege-escalation`.
    pub fn tactics(&self) -> impl Iterator<Item = String> + '_ {
        self.tags.iter().filter_map(|tag| {
            let name = tag.strip_prefix("attack.")?;
            // Techniques, groups and software have a letter and digits.
            let is_numbered =
                name.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            (!is_numbered).then(|| name.replace(['_', ' '], "-").to_lowercase())
        })
    }

    /// The name of its file, without folder and ending.
    pub fn stem(&self) -> String {
        self.origin.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The ATT&CK techniques among the tags, such as `T1609`.
    pub fn techniques(&self) -> impl Iterator<Item = String> + '_ {
        self.tags.iter().filter_map(|tag| {
            let technique = tag.strip_prefix("attack.t")?;
            technique.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("T{technique}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_have_names_and_an_order() {
        for severity in Severity::ALL {
            assert_eq!(severity.name().to_uppercase().parse(), Ok(severity));
            assert_eq!(severity.is_alert(), severity >= Severity::Medium);
        }
        assert_eq!("info".parse(), Ok(Severity::Informational));
        assert_eq!("worse".parse::<Severity>(), Err(()));
    }
}

//! Muting: the text of a Sigma filter that leaves out what an alert is about. It is shown before it is written, lies
//! beside the user's own rules, and means the same to other Sigma tools.

use super::alert::Alert;
use super::engine::Engine;
use super::rule::RuleInfo;
use crate::model::LogKind;
use crate::redact::holds_mark;

/// The most that a file's name has of the rule's title, and of whom it mutes.
const LONGEST_SLUG: usize = 36;

/// How much is muted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MuteScope {
    /// The rule for this actor in this namespace; of a correlation, for this group.
    Group,
    /// The rule for this actor, wherever.
    Actor,
    /// The rule in this namespace, whoever.
    Namespace,
    /// The rule altogether.
    Rule,
}

/// A filter file that mutes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mute {
    /// Name of the file without its folder.
    pub file: String,
    /// Its content.
    pub text: String,
    /// What it mutes, and for whom.
    pub title: String,
    /// Titles of the rules that it quiets beside the alert's own: a correlation is muted by way of what it correlates.
    pub also: Vec<String>,
}

/// The filter that mutes an alert and what is like it. `None` where it cannot be told from others: the scope does not
/// apply to it, or what it goes by is masked.
pub fn mute(engine: &Engine, alert: &Alert, scope: MuteScope) -> Option<Mute> {
    let group = match scope {
        MuteScope::Rule => Vec::new(),
        MuteScope::Group => group_of(engine, alert),
        MuteScope::Actor => only(group_of(engine, alert), "user.username")?,
        MuteScope::Namespace => only(group_of(engine, alert), "objectRef.namespace")?,
    };
    if group.iter().any(|(_, value)| holds_mark(value)) || (group.is_empty() && scope != MuteScope::Rule) {
        return None;
    }
    let rule = engine.rule(alert.rule);
    let rules = engine.fed_by(alert.rule);
    let also: Vec<String> = rules
        .iter()
        .filter(|behind| **behind != alert.rule && !engine.rule(**behind).feeds_only)
        .map(|behind| engine.rule(*behind).title.clone())
        .collect();
    let whom: String = group.iter().map(|(field, value)| in_words(field, value)).collect();
    let targets: Vec<&RuleInfo> = rules.iter().map(|behind| engine.rule(*behind)).collect();
    Some(Mute {
        file: format!("mute-{}.yml", slugs(&rule.title, &whom)),
        text: text(rule, &whom, &targets, &group),
        title: format!("{}{whom}", rule.title),
        also,
    })
}

/// The fields by which an alert is one of its own, with their values.
fn group_of(engine: &Engine, alert: &Alert) -> Vec<(String, String)> {
    match alert.findings.first() {
        // What is seen for the first time goes by its fields, as a correlation does.
        Some(finding) => finding.group.clone(),
        None if engine.rule(alert.rule).is_correlation => Vec::new(),
        None => vec![
            ("user.username".to_owned(), alert.key.actor.clone()),
            ("objectRef.namespace".to_owned(), alert.key.namespace.clone()),
        ],
    }
}

fn only(group: Vec<(String, String)>, field: &str) -> Option<Vec<(String, String)>> {
    let found: Vec<_> = group.into_iter().filter(|(name, _)| name == field).collect();
    (!found.is_empty()).then_some(found)
}

fn text(rule: &RuleInfo, whom: &str, targets: &[&RuleInfo], group: &[(String, String)]) -> String {
    let mut out = format!("title: {}\n", quoted(&format!("Muted: {}{whom}", rule.title)));
    // Rules over several logs are muted by a filter that names none: a filter counts for its own log only.
    let is_of_one = targets.iter().all(|target| target.log == rule.log);
    out += &match rule.log {
        _ if !is_of_one => String::new(),
        LogKind::Kube => "logsource:\n  product: kubernetes\n  service: audit\n".to_owned(),
        other => format!("logsource:\n  product: {}\n", other.name()),
    };
    out += "filter:\n  rules:\n";
    for target in targets {
        out += &format!("    - {} # {}\n", quoted(&target.id), comment(&target.title));
    }
    out += "  selection:\n";
    for (field, value) in group {
        out += &match value.as_str() {
            "" => format!("    {field}: null\n"),
            value => format!("    {field}|cased: {}\n", quoted(&escaped(value))),
        };
    }
    if group.is_empty() {
        // Every record has a verb: nothing of the rule is left.
        out += "    verb: '*'\n";
    }
    out + "  condition: not selection\n"
}

/// ` by alice`, ` in no namespace`
fn in_words(field: &str, value: &str) -> String {
    match (field, value) {
        ("user.username", "") => " by nobody known".to_owned(),
        ("objectRef.namespace", "") => " in no namespace".to_owned(),
        ("user.username", user) => format!(" by {user}"),
        ("objectRef.namespace", namespace) => format!(" in {namespace}"),
        ("sourceIP", address) => format!(" from {address}"),
        (field, value) => format!(" with {field} {value}"),
    }
}

/// A value without the wildcards of Sigma (specification, "Escaping": `\` before `*`, `?` and `\`).
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A value as YAML takes it, whatever stands in it.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            other => out += &format!("\\U{:08X}", u32::from(other)),
        }
    }
    out.push('"');
    out
}

fn comment(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// What a file is called by: the rule, and whom it mutes.
fn slugs(title: &str, whom: &str) -> String {
    match (slug(title), slug(whom)) {
        (title, whom) if whom.is_empty() => title,
        (title, whom) => format!("{title}-{whom}"),
    }
}

/// Letters, digits and hyphens only.
fn slug(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        if character.is_ascii_alphanumeric() {
            out.push(character);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
        if out.len() >= LONGEST_SLUG {
            break;
        }
    }
    out.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_written_as_they_are_meant() {
        assert_eq!(quoted("a\"b\\c\n\u{2028}é"), "\"a\\\"b\\\\c\\U0000000A\\U00002028\\U000000E9\"");
        assert_eq!(escaped("a*b?c\\"), "a\\*b\\?c\\\\");
        assert_eq!(slugs("A pod: «prod»/web", " by ../../etc/passwd"), "a-pod-prod-web-by-etc-passwd");
        assert_eq!(slugs("A pod", ""), "a-pod");
        assert!(slug(&"x".repeat(500)).len() <= LONGEST_SLUG);
    }
}

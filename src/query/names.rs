//! The names under which users and resources may be asked for.

use super::pattern::Pattern;
use crate::model::{service_account, short_resource};

/// A user may be asked for by the whole name, by the part before the `@`, and a service account as `namespace:name`,
/// `namespace/name` or `name`, a node by its name.
pub(super) fn matches_username(pattern: &Pattern, name: &str) -> bool {
    if pattern.matches(name) {
        return true;
    }
    if name.is_empty() {
        return false;
    }
    if let Some((namespace, account)) = service_account(name) {
        return pattern.matches(account)
            || pattern.matches(&format!("{namespace}:{account}"))
            || pattern.matches(&format!("{namespace}/{account}"));
    }
    if let Some(node) = name.strip_prefix("system:node:") {
        return pattern.matches(node);
    }
    name.split_once('@').is_some_and(|(local, _)| pattern.matches(local))
}

/// Plural, singular or kubectl's short name.
pub(super) fn matches_resource(pattern: &Pattern, plural: &str) -> bool {
    if plural.is_empty() {
        return pattern.matches("");
    }
    pattern.matches(plural)
        || pattern.matches(short_resource(plural))
        || pattern.matches(&singular(plural))
        || kubectl_name(plural).is_some_and(|name| pattern.matches(name))
}

/// Whether `asked` is a resource's plural, singular or short name, whatever its case.
pub fn is_resource_name(asked: &str, plural: &str) -> bool {
    !plural.is_empty()
        && [plural, short_resource(plural), &singular(plural), kubectl_name(plural).unwrap_or(plural)]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(asked))
}

/// kubectl's short name where a screen shows another one: `pod` tells more than `po`.
fn kubectl_name(plural: &str) -> Option<&'static str> {
    match plural {
        "pods" => Some("po"),
        "nodes" => Some("no"),
        _ => None,
    }
}

fn singular(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if let Some(stem) = plural.strip_suffix(ending) {
            return format!("{stem}{}", &ending[..ending.len() - 2]);
        }
    }
    plural.strip_suffix('s').unwrap_or(plural).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singulars() {
        for (plural, one) in [("pods", "pod"), ("ingresses", "ingress"), ("networkpolicies", "networkpolicy")]
        {
            assert_eq!(singular(plural), one);
        }
    }
}

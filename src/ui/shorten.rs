//! Shortening by knowledge of Kubernetes rather than only by cutting.

use std::borrow::Cow;

use crate::model::service_account;
use crate::text;

/// A username as an on-call engineer reads it: `sa:argocd/server`, `node:n1`, controllers without `system:`, people
/// without their domain when `narrow`.
pub fn user(name: &str, narrow: bool) -> Cow<'_, str> {
    let short = without_prefix(name, narrow);
    match short.strip_suffix("-controller") {
        Some(stem) if narrow => Cow::Owned(format!("{stem}-ctl")),
        _ => short,
    }
}

fn without_prefix(name: &str, narrow: bool) -> Cow<'_, str> {
    if name.is_empty() {
        return Cow::Borrowed("-");
    }
    if let Some((namespace, account)) = service_account(name) {
        // The controller manager's own accounts; any other account of kube-system keeps its namespace, since a name
        // there is what an intruder likes to have.
        let is_controller =
            ["-controller", "-collector", "-binder", "-expander"].iter().any(|e| account.ends_with(e));
        if namespace == "kube-system" && is_controller {
            return Cow::Borrowed(account);
        }
        return Cow::Owned(format!("sa:{namespace}/{account}"));
    }
    if let Some(rest) = name.strip_prefix("system:") {
        return Cow::Borrowed(rest);
    }
    match name.split_once('@') {
        Some((local, domain)) if narrow && !local.is_empty() && domain.contains('.') => Cow::Borrowed(local),
        _ => Cow::Borrowed(name),
    }
}

/// The tool and version of a user agent: what stands before the first space, without a Git hash.
pub fn agent(agent: &str, narrow: bool) -> &str {
    let head = agent.split(' ').next().unwrap_or(agent);
    if narrow { head.split('/').next().unwrap_or(head) } else { head }
}

/// Cuts in the middle, so that the distinguishing end of a generated name stays.
pub fn middle<'a>(name: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    text::fit_middle(name, columns, ellipsis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_short_and_stay_telling() {
        assert_eq!(user("system:serviceaccount:argocd:app", false), "sa:argocd/app");
        assert_eq!(user("system:serviceaccount:kube-system:job-controller", false), "job-controller");
        assert_eq!(user("system:serviceaccount:kube-system:job-controller", true), "job-ctl");
        assert_eq!(user("system:serviceaccount:kube-system:backdoor", false), "sa:kube-system/backdoor");
        assert_eq!(user("system:node:n1", false), "node:n1");
        assert_eq!(user("system:kube-scheduler", false), "kube-scheduler");
        assert_eq!(user("alice@example.com", true), "alice");
        assert_eq!(user("alice@example.com", false), "alice@example.com");
        assert_eq!(user("", false), "-");
        assert_eq!(agent("kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9", false), "kubectl/v1.34.1");
        assert_eq!(agent("kubectl/v1.34.1 (linux/amd64)", true), "kubectl");
    }
}

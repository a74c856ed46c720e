//! Who applies what a Git repository says. Used by [`crate::trace`] to go on to a commit, and by [`crate::detect`] to tell
//! which records such a way leads through.

use super::actor::service_account;
use super::user_agent::tool;

/// Which GitOps engine an identity is, told from its service account or its agent: what it writes is what a Git
/// repository says, as far as nobody else holds its token. The names are those of the engines' own charts.
pub fn gitops_engine(user: &str, impersonated_user: &str, user_agent: &str) -> Option<&'static str> {
    let account = service_account(user).or_else(|| service_account(impersonated_user));
    let by_account = account.and_then(|(namespace, name)| match name {
        "argocd-application-controller" | "argocd-server" | "argocd-manager" => Some("Argo CD"),
        "kustomize-controller" | "helm-controller" if namespace.starts_with("flux") => Some("Flux"),
        "fleet-agent" | "fleet-controller" | "gitjob" => Some("Fleet"),
        _ => None,
    });
    by_account.or_else(|| match tool(user_agent) {
        "argocd" => Some("Argo CD"),
        "flux" => Some("Flux"),
        "fleet" | "fleetagent" | "fleet-agent" => Some("Fleet"),
        _ => None,
    })
}

/// Whether an API group holds what GitOps engines are told to apply.
pub fn is_gitops_group(api_group: &str) -> bool {
    matches!(api_group, "argoproj.io" | "fleet.cattle.io" | "gitjob.cattle.io")
        || api_group.ends_with(".fluxcd.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_and_what_they_are_told() {
        let argocd = "system:serviceaccount:argocd:argocd-application-controller";
        assert_eq!(gitops_engine(argocd, "", "kubectl/v1.36.0"), Some("Argo CD"));
        assert_eq!(gitops_engine("admin", argocd, ""), Some("Argo CD"));
        assert_eq!(gitops_engine("system:serviceaccount:prod:helm-controller", "", ""), None);
        assert_eq!(gitops_engine("alice", "", "argocd/v3.1.0"), Some("Argo CD"));
        assert!(is_gitops_group("kustomize.toolkit.fluxcd.io") && !is_gitops_group("apps"));
    }
}

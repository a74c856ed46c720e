//! The tool behind a `userAgent`. A client writes there what it likes, so the tool is a claim.

/// The tool that a user agent names: the part before the first `/`, without the folders a program was started from,
/// in the spelling under which the tool is known. Empty for a client that does not name itself.
///
/// client-go writes `program/version (os/arch) kubernetes/commit` (`k8s.io/client-go/rest/config.go`,
/// `DefaultKubernetesUserAgent`).
pub fn tool(user_agent: &str) -> &str {
    // client-go cuts the path off a program's name; programs that write their own agent may not.
    let path = user_agent.split_whitespace().next().unwrap_or("");
    let name = match path.strip_prefix('/') {
        Some(absolute) => {
            let mut parts = absolute.split('/').filter(|part| !part.is_empty());
            let version = |part: &&str| {
                part.strip_prefix('v').unwrap_or(part).starts_with(|c: char| c.is_ascii_digit())
            };
            let mut last = parts.next().unwrap_or("");
            for part in parts {
                if version(&part) {
                    break;
                }
                last = part;
            }
            last
        }
        None => path.split('/').next().unwrap_or(path),
    };
    match name {
        "kubectl.exe" | "kubectl-dispatcher" => "kubectl",
        "Helm" => "helm",
        "HashiCorp" | "Terraform" => "terraform",
        "argocd-application-controller"
        | "argocd-server"
        | "argocd-repo-server"
        | "argocd-applicationset-controller" => "argocd",
        "kustomize-controller" | "helm-controller" | "source-controller" | "notification-controller" => {
            "flux"
        }
        "fleetcontroller" | "fleetagent" | "fleet-agent" | "fleet-controller" => "fleet",
        "rancher" | "rancher-agent" | "cattle-cluster-agent" => "rancher",
        "OpenAPI-Generator" if user_agent.contains("/python") => "python client",
        "python-requests" | "Python-urllib" => "python",
        "Swagger-Codegen" => "generated client",
        "Mozilla" => "browser",
        "Go-http-client" => "Go program",
        "Prometheus" => "prometheus",
        other => other,
    }
}

/// Whether a tool, as [`tool`] names it, is one that people use by hand: a service account or a node that shows up with
/// it is not doing its ordinary work.
pub fn is_hand_tool(tool: &str) -> bool {
    let lower = tool.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "kubectl"
            | "oc"
            | "k9s"
            | "lens"
            | "curl"
            | "wget"
            | "python"
            | "httpie"
            | "postmanruntime"
            | "browser"
            | "stern"
            | "kubectx"
    ) || lower.starts_with("kubectl-")
}

/// Who works with a tool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ToolKind {
    /// A person, see [`is_hand_tool`].
    Hand,
    /// A person or a pipeline: package managers and the like.
    Pipeline,
    /// A GitOps controller, which applies what a repository says.
    Gitops,
    /// A program, or nobody knows.
    Program,
}

/// Who works with a tool, as [`tool`] names it.
pub fn tool_kind(tool: &str) -> ToolKind {
    match tool {
        "argocd" | "flux" | "fleet" => ToolKind::Gitops,
        "helm" | "helmfile" | "terraform" | "pulumi" | "ansible" | "skaffold" | "werf" | "kapp"
        | "jenkins" | "gitlab-runner" => ToolKind::Pipeline,
        tool if is_hand_tool(tool) => ToolKind::Hand,
        _ => ToolKind::Program,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_by_those_who_work_with_them() {
        for (agent, kind) in [
            ("kubectl/v1.32.4 (linux/amd64)", ToolKind::Hand),
            ("python-requests/2.32", ToolKind::Hand),
            ("Mozilla/5.0 (X11)", ToolKind::Hand),
            ("Helm/3.16.2", ToolKind::Pipeline),
            ("kustomize-controller/v0", ToolKind::Gitops),
            ("cert-manager-controller/v1", ToolKind::Program),
            ("", ToolKind::Program),
        ] {
            assert_eq!(tool_kind(tool(agent)), kind, "{agent}");
        }
    }

    #[test]
    fn tools_by_their_agents() {
        for (agent, name) in [
            ("kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07", "kubectl"),
            ("kubectl.exe/v1.27.2", "kubectl"),
            ("Helm/3.16.2", "helm"),
            ("argocd-application-controller/v2.13.2", "argocd"),
            (
                "kube-controller-manager/v0.0.0 (linux/amd64) kubernetes/8e16b12/leader-election",
                "kube-controller-manager",
            ),
            ("HashiCorp/1.0 Terraform/1.5.7", "terraform"),
            ("OpenAPI-Generator/28.1.0/python", "python client"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0", "browser"),
            ("/usr/local/bin/kubectl/v1.2.3", "kubectl"),
            ("/v1", "v1"),
            ("nmap scripting engine", "nmap"),
            ("", ""),
            (" ", ""),
            ("/", ""),
        ] {
            assert_eq!(tool(agent), name, "{agent}");
        }
    }
}

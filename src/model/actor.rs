//! What kind of identity a username is, told from the name alone.
//!
//! Names starting with `system:` are reserved for Kubernetes by convention only: a client certificate may carry any
//! name, so the kind describes what the name claims and grants no trust. Detection and folding must not treat
//! "starts with system:" as harmless.

/// The kind of identity a username claims to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ActorKind {
    /// A person or an outside system: everything that is none of the kinds below.
    Human,
    /// `system:anonymous`, or no name at all (a failed login).
    Anonymous,
    /// `system:serviceaccount:<namespace>:<name>`
    ServiceAccount,
    /// `system:node:<name>`
    Node,
    /// Any other `system:` name: control-plane components and the API server itself.
    ControlPlane,
}

impl ActorKind {
    /// Every kind, people first.
    pub const ALL: [ActorKind; 5] = [
        ActorKind::Human,
        ActorKind::Anonymous,
        ActorKind::ServiceAccount,
        ActorKind::Node,
        ActorKind::ControlPlane,
    ];

    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            ActorKind::Human => "human",
            ActorKind::Anonymous => "anonymous",
            ActorKind::ServiceAccount => "serviceaccount",
            ActorKind::Node => "node",
            ActorKind::ControlPlane => "control-plane",
        }
    }
}

/// The kind of identity that `username` claims.
pub fn actor_kind(username: &str) -> ActorKind {
    match username.strip_prefix("system:") {
        _ if username.is_empty() => ActorKind::Anonymous,
        None => ActorKind::Human,
        Some("anonymous") => ActorKind::Anonymous,
        // The name under which `kubectl` reaches the API with kubeadm's old admin certificate: a person holds it.
        Some("admin") => ActorKind::Human,
        Some(rest) if rest.starts_with("serviceaccount:") => ActorKind::ServiceAccount,
        Some(rest) if rest.starts_with("node:") => ActorKind::Node,
        Some(_) => ActorKind::ControlPlane,
    }
}

/// Namespace and name of the service account behind `system:serviceaccount:<namespace>:<name>`.
pub fn service_account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix("system:serviceaccount:")?.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (name, kind) in [
            ("alice@example.com", ActorKind::Human),
            ("kubernetes-admin", ActorKind::Human),
            ("system:admin", ActorKind::Human),
            ("", ActorKind::Anonymous),
            ("system:anonymous", ActorKind::Anonymous),
            ("system:serviceaccount:argocd:server", ActorKind::ServiceAccount),
            ("system:node:n1", ActorKind::Node),
            ("system:kube-scheduler", ActorKind::ControlPlane),
        ] {
            assert_eq!(actor_kind(name), kind, "{name}");
        }
        assert_eq!(service_account("system:serviceaccount:argocd:server"), Some(("argocd", "server")));
        assert_eq!(service_account("system:node:n1"), None);
    }
}

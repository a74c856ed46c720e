//! What belongs to what: which controller makes which objects out of which, and how it names them.
//!
//! Where bodies are logged, `ownerReferences` prove it; elsewhere names and controllers' habits speak for it. The table
//! is written from the controllers' source (`k8s.io/kubernetes/pkg/controller`).

use serde_json::Value;

use super::request::{ObjectKey, Request};
use crate::model::{self, service_account};

/// The alphabet of generated names, without what could make a word (`k8s.io/apimachinery/pkg/util/rand`).
const SAFE_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// How a controller names what it makes of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// The parent's name, `-`, five characters of the safe alphabet (`generateName`).
    Generated,
    /// The parent's name, `-`, a hash of the template in up to ten characters of the safe alphabet.
    TemplateHash,
    /// The parent's name, `-`, a number counted from 0.
    Ordinal,
    /// The parent's name, `-`, the scheduled time in minutes since 1970.
    ScheduledTime,
    /// A claim's name, `-`, the parent's name, `-`, a number.
    Claim,
    /// The parent's own name.
    Same,
}

/// A parent, and what its controller makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// API group of the parent.
    pub parent_group: &'static str,
    /// Resource of the parent.
    pub parent: &'static str,
    /// API group of the child.
    pub child_group: &'static str,
    /// Resource of the child.
    pub child: &'static str,
    /// How the child is named.
    pub naming: Naming,
    /// The controller: the name of its service account in `kube-system`.
    pub controller: &'static str,
}

const fn relation(
    (parent_group, parent): (&'static str, &'static str),
    (child_group, child): (&'static str, &'static str),
    naming: Naming,
    controller: &'static str,
) -> Relation {
    Relation { parent_group, parent, child_group, child, naming, controller }
}

/// All relations that are known.
pub const RELATIONS: &[Relation] = &[
    relation(("apps", "deployments"), ("apps", "replicasets"), Naming::TemplateHash, "deployment-controller"),
    relation(("apps", "replicasets"), ("", "pods"), Naming::Generated, "replicaset-controller"),
    relation(("", "replicationcontrollers"), ("", "pods"), Naming::Generated, "replication-controller"),
    relation(("apps", "statefulsets"), ("", "pods"), Naming::Ordinal, "statefulset-controller"),
    relation(
        ("apps", "statefulsets"),
        ("apps", "controllerrevisions"),
        Naming::TemplateHash,
        "statefulset-controller",
    ),
    relation(
        ("apps", "statefulsets"),
        ("", "persistentvolumeclaims"),
        Naming::Claim,
        "statefulset-controller",
    ),
    relation(("apps", "daemonsets"), ("", "pods"), Naming::Generated, "daemon-set-controller"),
    relation(
        ("apps", "daemonsets"),
        ("apps", "controllerrevisions"),
        Naming::TemplateHash,
        "daemon-set-controller",
    ),
    relation(("batch", "cronjobs"), ("batch", "jobs"), Naming::ScheduledTime, "cronjob-controller"),
    relation(("batch", "jobs"), ("", "pods"), Naming::Generated, "job-controller"),
    relation(
        ("", "services"),
        ("discovery.k8s.io", "endpointslices"),
        Naming::Generated,
        "endpointslice-controller",
    ),
    relation(("", "services"), ("", "endpoints"), Naming::Same, "endpoint-controller"),
];

/// Controllers that do for every new namespace what its deletion undoes.
pub const NAMESPACE_FURNISHERS: [&str; 3] =
    ["service-account-controller", "root-ca-cert-publisher", "service-ca-cert-publisher"];

impl Naming {
    /// The parent's name, if the child's could be made of one.
    pub fn parent_of(self, child: &str) -> Option<&str> {
        let (parent, last) = match self {
            Naming::Same => return Some(child),
            Naming::Claim => {
                let (rest, ordinal) = child.rsplit_once('-')?;
                let (_, parent) = rest.split_once('-')?;
                return is_number(ordinal).then_some(parent);
            }
            _ => child.rsplit_once('-')?,
        };
        let fits = match self {
            Naming::Generated => last.len() == 5 && is_safe(last),
            Naming::TemplateHash => (1..=10).contains(&last.len()) && is_safe(last),
            Naming::Ordinal => is_number(last),
            Naming::ScheduledTime => last.len() >= 8 && is_number(last),
            Naming::Same | Naming::Claim => false,
        };
        (fits && !parent.is_empty()).then_some(parent)
    }

    /// Whether a child of this parent could have this name.
    pub fn fits(self, parent: &str, child: &str) -> bool {
        match self {
            Naming::Claim => child
                .strip_suffix(|c: char| c.is_ascii_digit())
                .map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_digit()))
                .and_then(|rest| rest.strip_suffix('-'))
                .and_then(|rest| rest.strip_suffix(parent))
                .is_some_and(|claim| claim.len() > 1 && claim.ends_with('-')),
            _ => self.parent_of(child) == Some(parent),
        }
    }
}

fn is_safe(text: &str) -> bool {
    text.bytes().all(|byte| SAFE_ALPHABET.contains(&byte))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The built-in controller that made a request: the name of its service account in `kube-system`. With one identity
/// for all controllers, the last part of the agent tells which.
pub fn controller(request: &Request) -> Option<&str> {
    let user = if request.user == "system:kube-controller-manager" {
        request.user_agent.rsplit('/').next().unwrap_or("")
    } else {
        &request.user
    };
    match service_account(user) {
        Some(("kube-system", name)) => Some(name),
        Some(_) => None,
        None => (request.user == "system:kube-controller-manager").then_some(user),
    }
}

/// Which GitOps engine sent a request, as far as nobody else holds its token.
pub fn gitops_engine(request: &Request) -> Option<&'static str> {
    model::gitops_engine(&request.user, &request.impersonated_user, &request.user_agent)
}

/// An owner that a body names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The owner; owners live in the namespace of what they own, or in none.
    pub key: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// Whether it is the one that manages the object.
    pub controls: bool,
}

/// The owners that `metadata.ownerReferences` of a body name, the managing one first.
pub fn owners(body: &Value, namespace: &str) -> Vec<Owner> {
    let listed = body.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let mut owners: Vec<Owner> = listed
        .into_iter()
        .flatten()
        .filter_map(|reference| {
            let text = |key: &str| reference.get(key).and_then(Value::as_str);
            let kind = text("kind")?;
            let group = text("apiVersion")?.rsplit_once('/').map_or("", |(group, _)| group);
            let is_cluster_scoped = matches!(kind, "Node" | "Namespace" | "PersistentVolume");
            Some(Owner {
                key: ObjectKey {
                    group: group.to_owned(),
                    resource: resource_of(kind),
                    namespace: if is_cluster_scoped { String::new() } else { namespace.to_owned() },
                    name: text("name")?.to_owned(),
                },
                uid: text("uid").unwrap_or_default().to_owned(),
                controls: reference.get("controller") == Some(&Value::Bool(true)),
            })
        })
        .collect();
    owners.sort_by_key(|owner| !owner.controls);
    owners
}

/// The plural resource of a kind, as Kubernetes' own types and most custom ones are named
/// (`k8s.io/apimachinery/pkg/api/meta`, `UnsafeGuessKindToResource`).
pub fn resource_of(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    match lower.as_str() {
        "endpoints" => lower,
        _ if lower.ends_with('s') || lower.ends_with("ch") || lower.ends_with('x') => lower + "es",
        _ => match lower.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
            _ => lower + "s",
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parents_are_told_from_names() {
        for (naming, child, parent) in [
            (Naming::Generated, "web-7c9f6d5b4-x2x9k", Some("web-7c9f6d5b4")),
            (Naming::Generated, "web-7c9f6d5b4-hello", None),
            (Naming::TemplateHash, "web-7c9f6d5b4", Some("web")),
            (Naming::TemplateHash, "web-frontend", None),
            (Naming::Ordinal, "db-12", Some("db")),
            (Naming::Ordinal, "db-x", None),
            (Naming::ScheduledTime, "backup-29384756", Some("backup")),
            (Naming::Generated, "-x2x9k", None),
            (Naming::Same, "web", Some("web")),
        ] {
            assert_eq!(naming.parent_of(child), parent, "{child}");
            if let Some(parent) = parent {
                assert!(naming.fits(parent, child), "{child}");
            }
        }
        assert!(Naming::Claim.fits("my-db", "data-my-db-10"));
        assert!(!Naming::Claim.fits("my-db", "my-db-10") && !Naming::Claim.fits("my-db", "data-my-db-"));
    }

    #[test]
    fn owners_come_with_the_managing_one_first() {
        let body = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "2", "controller": true},
            {"kind": "Broken"}]}});
        let owners = owners(&body, "prod");
        assert_eq!(
            owners.iter().map(|o| o.key.to_string()).collect::<Vec<_>>(),
            ["replicasets.apps prod/web-1", "configmaps prod/a"]
        );
        for (kind, resource) in [
            ("NetworkPolicy", "networkpolicies"),
            ("Ingress", "ingresses"),
            ("Gateway", "gateways"),
            ("Endpoints", "endpoints"),
        ] {
            assert_eq!(resource_of(kind), resource);
        }
    }

    #[test]
    fn controllers_are_told_by_account_or_agent() {
        let by = |user: &str, agent: &str| Request {
            user: user.to_owned(),
            user_agent: agent.to_owned(),
            ..Request::default()
        };
        let own = by("system:serviceaccount:kube-system:job-controller", "");
        assert_eq!(controller(&own), Some("job-controller"));
        let shared = by(
            "system:kube-controller-manager",
            "kube-controller-manager/v1.30.0 (linux/amd64) kubernetes/abc/system:serviceaccount:kube-system:job-controller",
        );
        assert_eq!(controller(&shared), Some("job-controller"));
        assert_eq!(controller(&by("alice", "kubectl/v1")), None);
        let argocd = by("system:serviceaccount:argocd:argocd-application-controller", "kubectl/v1");
        assert_eq!(gitops_engine(&argocd), Some("Argo CD"));
    }
}

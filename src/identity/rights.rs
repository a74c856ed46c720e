//! Which service accounts hold cluster-admin, and which accounts people put on pods.
//!
//! The authorizer names the binding that allowed a request, at every audit level; the writing of a binding tells before
//! the first use, where its body is kept.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::names::{Name, Names};
use super::roles::Deed;
use crate::model::{ActorKind, EventId, Level};
use crate::store::Field;

/// The role that allows everything (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
pub(super) const CLUSTER_ADMIN: &str = "cluster-admin";

/// Pods and workloads that are remembered with their accounts.
const MOST_PODS: usize = 20_000;

/// Accounts that hold cluster-admin and are remembered; more than a handful is unheard of.
const MOST_ADMINS: usize = 10_000;

/// Where an object says which account its pods run under.
const ACCOUNT_PLACES: [&str; 3] = [
    "/spec/serviceAccountName",
    "/spec/template/spec/serviceAccountName",
    "/spec/jobTemplate/spec/template/spec/serviceAccountName",
];

#[derive(Debug, Default)]
pub(super) struct Rights {
    cluster_admins: HashSet<Name>,
    pods: Vec<(EventId, Name)>,
    forgotten: u64,
}

/// The bodies of a request.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Bodies {
    request_object: Value,
    response_object: Value,
}

impl Rights {
    pub(super) fn take(&mut self, deed: &Deed<'_>, names: &mut Names) {
        if deed.actor == ActorKind::ServiceAccount && deed.is_allowed_as_admin {
            self.add(names.intern(deed.string(Field::User)));
        }
        match telling(deed) {
            Some(Telling::Binding) => {
                for user in bound_to_cluster_admin(&bodies(deed)) {
                    self.add(names.intern(&user));
                }
            }
            Some(Telling::Workload) => {
                let body = bodies(deed).request_object;
                let account = ACCOUNT_PLACES.iter().find_map(|place| body.pointer(place)?.as_str());
                let Some(account) = account else { return };
                if self.pods.len() >= MOST_PODS {
                    self.forgotten += 1;
                    return;
                }
                let account = username(deed.string(Field::Namespace), account);
                self.pods.push((deed.event, names.intern(&account)));
            }
            None => {}
        }
    }

    fn add(&mut self, user: Name) {
        if self.cluster_admins.len() < MOST_ADMINS {
            self.cluster_admins.insert(user);
        } else if !self.cluster_admins.contains(&user) {
            self.forgotten += 1;
        }
    }

    pub(super) fn is_cluster_admin(&self, user: Name) -> bool {
        self.cluster_admins.contains(&user)
    }

    pub(super) fn accounts_on_pods(&self) -> impl Iterator<Item = (EventId, Name)> + '_ {
        self.pods.iter().copied()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.cluster_admins.capacity() * 8 + self.pods.capacity() * 16
    }
}

/// What the body of a request may tell.
#[derive(Clone, Copy)]
enum Telling {
    /// Who holds cluster-admin.
    Binding,
    /// Which account a person puts on pods.
    Workload,
}

/// What a request's body is read for, if at all.
fn telling(deed: &Deed<'_>) -> Option<Telling> {
    if !deed.is_write() || !deed.string(Field::Subresource).is_empty() || !has_bodies(deed) {
        return None;
    }
    match deed.string(Field::Resource) {
        "clusterrolebindings" if deed.is_done() => Some(Telling::Binding),
        "pods" | "deployments" | "daemonsets" | "statefulsets" | "replicasets" | "jobs" | "cronjobs"
            if deed.is_by_person() && deed.string(Field::Verb) == "create" && deed.is_done() =>
        {
            Some(Telling::Workload)
        }
        _ => None,
    }
}

/// Whether the text of a record is read.
pub(super) fn is_read(deed: &Deed<'_>) -> bool {
    telling(deed).is_some()
}

fn has_bodies(deed: &Deed<'_>) -> bool {
    deed.segment.facts(deed.row()).level() != Level::Metadata
}

/// A text that was not kept, or is no JSON, has no bodies.
fn bodies(deed: &Deed<'_>) -> Bodies {
    let text = deed.segment.text(deed.row()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The service accounts that a binding gives cluster-admin to. A patch may name the subjects alone: then the answer
/// tells the role.
fn bound_to_cluster_admin(bodies: &Bodies) -> Vec<String> {
    let objects = [&bodies.request_object, &bodies.response_object];
    let role = |body: &&&Value| body.pointer("/roleRef/name").and_then(Value::as_str) == Some(CLUSTER_ADMIN);
    if objects.iter().find(role).is_none() {
        return Vec::new();
    }
    let subjects = objects.iter().filter_map(|body| body.get("subjects")?.as_array()).flatten();
    let account = |subject: &Value| {
        let text = |key: &str| subject.get(key).and_then(Value::as_str);
        (text("kind") == Some("ServiceAccount"))
            .then(|| Some(username(text("namespace")?, text("name")?)))
            .flatten()
    };
    subjects.filter_map(account).collect()
}

fn username(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

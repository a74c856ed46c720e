//! Why a request was allowed: the binding and the role that let it in, and who made or changed those in this log.

use serde_json::Value;

use crate::model::{Decision, EventId, Grant, Micros};
use crate::store::{Field, Store};
use crate::trace::select::{in_time_order, requests_with};
use crate::trace::{Certainty, Log, Request};

/// API group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";

/// A binding, the role that it gives, and to whom. The owned form of [`Grant`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Granted {
    /// `ClusterRoleBinding` or `RoleBinding`.
    pub binding_kind: String,
    /// Name of the binding.
    pub binding: String,
    /// Namespace of a RoleBinding, and of the Role that it gives; empty for a ClusterRoleBinding.
    pub namespace: String,
    /// `ClusterRole` or `Role`.
    pub role_kind: String,
    /// Name of the role.
    pub role: String,
    /// `User`, `Group` or `ServiceAccount`.
    pub subject_kind: String,
    /// The subject that the user is or is a member of; a service account's name has its namespace behind a slash.
    pub subject: String,
}

impl Granted {
    fn of(grant: &Grant<'_>) -> Granted {
        let namespace = match grant.binding.split_once('/') {
            Some((_, namespace)) if grant.binding_kind == "RoleBinding" => namespace,
            _ => "",
        };
        Granted {
            binding_kind: grant.binding_kind.to_owned(),
            binding: grant.binding_name().to_owned(),
            namespace: namespace.to_owned(),
            role_kind: grant.role_kind.to_owned(),
            role: grant.role.to_owned(),
            subject_kind: grant.subject_kind.to_owned(),
            subject: grant.subject.to_owned(),
        }
    }

    /// Successful writes to the binding and to the role, in the order of time.
    pub fn changes(&self, log: &Log<'_>) -> Vec<AccessChange> {
        let bindings = if self.namespace.is_empty() { "clusterrolebindings" } else { "rolebindings" };
        let (roles, namespace) = match self.role_kind.as_str() {
            "Role" => ("roles", self.namespace.as_str()),
            _ => ("clusterroles", ""),
        };
        let mut found = writes(log.store, bindings, &self.namespace, &self.binding, false);
        found.extend(writes(log.store, roles, namespace, &self.role, true));
        found.sort_by_key(|change| (change.request.time, change.request.id));
        found
    }
}

/// Who let a request in.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AllowedBy {
    /// A binding of RBAC.
    Grant(Granted),
    /// Membership of `system:masters`, which no binding can take away.
    SystemMasters,
    /// The node authorizer, which knows what each kubelet needs.
    NodeAuthorizer,
    /// Another authorizer, or the API server itself for what needs no permission, with the reason that it gave.
    Other(String),
    /// The log does not say: it was written before Kubernetes 1.10, or by another server.
    Unknown,
}

/// How a binding or role came to be as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It was removed, alone or with all of its kind in the namespace.
    Deleted,
}

/// A write to a binding or a role.
#[derive(Clone, PartialEq, Debug)]
pub struct AccessChange {
    /// The write.
    pub request: Request,
    /// Whether it is the role that was written, and not the binding.
    pub is_role: bool,
    /// What became of it.
    pub kind: ChangeKind,
}

/// Why a request was allowed.
#[derive(Clone, PartialEq, Debug)]
pub struct Allowed {
    /// Who let it in.
    pub by: AllowedBy,
    /// How sure that is.
    pub certainty: Certainty,
    /// The field that says so.
    pub evidence: &'static str,
    /// What this log tells of the binding and the role before the request, in the order of time.
    pub before: Vec<AccessChange>,
    /// What became of them afterwards.
    pub after: Vec<AccessChange>,
    /// The log's first time where it has no earlier write to the binding or the role: they are older than this.
    pub unchanged_since: Option<Micros>,
}

impl Allowed {
    /// Why the request was allowed; `None` for one that authorization did not allow.
    pub fn of(log: &Log<'_>, request: &Request) -> Option<Allowed> {
        let (by, certainty, evidence) = allowed_by(log.store, request)?;
        let changes = match &by {
            AllowedBy::Grant(granted) => granted.changes(log),
            _ => Vec::new(),
        };
        let (before, after): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.request.time <= request.time);
        let is_grant = matches!(by, AllowedBy::Grant(_));
        let unchanged_since =
            if is_grant && before.is_empty() { log.store.order().first_time() } else { None };
        Some(Allowed { by, certainty, evidence, before, after, unchanged_since })
    }

    /// The rows of the writes to the binding and the role, the earliest first.
    pub fn events(&self) -> impl Iterator<Item = EventId> + '_ {
        self.before.iter().chain(&self.after).filter_map(|change| change.request.id)
    }
}

/// Who let a request in, how sure that is and by what; `None` for one that authorization did not allow.
pub(super) fn allowed_by(store: &Store, request: &Request) -> Option<(AllowedBy, Certainty, &'static str)> {
    const REASON: &str = "authorization.k8s.io/reason";
    match request.decision {
        Decision::Forbid => return None,
        Decision::Absent if request.succeeded() => {
            let evidence = "no annotation authorization.k8s.io/decision";
            return Some((AllowedBy::Unknown, Certainty::Unknown, evidence));
        }
        Decision::Absent => return None,
        Decision::Allow => {}
    }
    let reason = request.decision_reason.as_str();
    if let Some(grant) = Grant::parse(reason) {
        return Some((AllowedBy::Grant(Granted::of(&grant)), Certainty::Certain, REASON));
    }
    if !reason.is_empty() {
        return Some((AllowedBy::Other(reason.to_owned()), Certainty::Certain, REASON));
    }
    let groups = groups_of(store, request);
    let is_in = |group: &str| groups.iter().any(|own| own == group);
    Some(if is_in("system:masters") {
        let evidence = "the user's groups, and no reason in authorization.k8s.io/reason";
        (AllowedBy::SystemMasters, Certainty::Certain, evidence)
    } else if is_in("system:nodes") && request.acting_user().starts_with("system:node:") {
        let evidence = "the user is a node, and no reason in authorization.k8s.io/reason";
        (AllowedBy::NodeAuthorizer, Certainty::Likely, evidence)
    } else {
        (AllowedBy::Other(String::new()), Certainty::Unknown, "no reason in authorization.k8s.io/reason")
    })
}

/// The groups of the user that the request acted as.
fn groups_of(store: &Store, request: &Request) -> Vec<String> {
    let Some((id, segment)) = request.id.and_then(|id| Some((id, store.segment(id)?))) else {
        return Vec::new();
    };
    let field = if request.impersonated_user.is_empty() { Field::Groups } else { Field::ImpersonatedGroups };
    serde_json::from_str(segment.string(field, id.row())).unwrap_or_default()
}

/// Successful writes to one binding or role.
fn writes(store: &Store, resource: &str, namespace: &str, name: &str, is_role: bool) -> Vec<AccessChange> {
    let place = [(Field::ApiGroup, RBAC), (Field::Resource, resource), (Field::Namespace, namespace)];
    let with = |more: (Field, &str)| requests_with(store, &[place[0], place[1], place[2], more]);
    let mut ids = with((Field::Name, name));
    ids.extend(with((Field::Verb, "deletecollection")));
    // The name of what was created with generateName is in the body of the answer alone.
    ids.extend(with((Field::Name, "")).into_iter().filter(|id| {
        let request = Request::of(store, *id).filter(|request| request.verb == "create");
        let created = request.and_then(|request| Request::read(store, request.id?));
        created.is_some_and(|request| name_of_answer(&request) == Some(name))
    }));
    in_time_order(store, &mut ids);
    ids.into_iter()
        .filter_map(|id| Request::of(store, id))
        .filter(|request| request.is_write() && request.succeeded() && request.subresource.is_empty())
        .map(|request| {
            let kind = match request.verb.as_str() {
                "create" => ChangeKind::Created,
                "delete" | "deletecollection" => ChangeKind::Deleted,
                _ => ChangeKind::Changed,
            };
            AccessChange { request, is_role, kind }
        })
        .collect()
}

fn name_of_answer(request: &Request) -> Option<&str> {
    request.response_object()?.pointer("/metadata/name").and_then(Value::as_str)
}

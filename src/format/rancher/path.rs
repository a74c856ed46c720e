//! What a request to Rancher is about, told from its method and URI in Kubernetes' terms.
//!
//! Rancher serves three APIs beside Kubernetes' own: Norman (`/v3/<type>/<id>?action=…`), Steve on the local cluster
//! (`/v1/<group>.<type>/<namespace>/<name>`) and, below `/k8s/clusters/<id>`, both Steve and the API server of any
//! cluster.

use crate::model::{ObjectRef, parameter};

/// The API group of Rancher's own objects.
const MANAGEMENT: &str = "management.cattle.io";

/// Resources without a namespace that Steve's URIs name: behind any other, a single name is a namespace unless the
/// object itself is written.
const CLUSTER_SCOPED: [&str; 17] = [
    "apiservices",
    "certificatesigningrequests",
    "clusterrepos",
    "clusterrolebindings",
    "clusterroles",
    "clusters",
    "customresourcedefinitions",
    "features",
    "globalrolebindings",
    "globalroles",
    "ingressclasses",
    "namespaces",
    "nodes",
    "persistentvolumes",
    "settings",
    "storageclasses",
    "users",
];

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Target {
    pub(super) verb: String,
    pub(super) object: ObjectRef<'static>,
    /// Rancher's id of the cluster; empty for Rancher itself.
    pub(super) cluster: String,
    /// The URI as the API server behind saw it, where it was passed on unchanged.
    pub(super) cluster_uri: String,
}

/// The target of a request.
pub(super) fn target(method: &str, uri: &str) -> Target {
    let mut target = Target::default();
    let behind = uri.strip_prefix("/k8s/clusters/").map(|rest| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        rest.split_at(end)
    });
    let inner = behind.map_or(uri, |(cluster, inner)| {
        target.cluster = cluster.to_owned();
        inner
    });
    let path = inner.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let object = match parts.as_slice() {
        ["api", version, rest @ ..] => kubernetes("", version, rest),
        ["apis", group, version, rest @ ..] => kubernetes(group, version, rest),
        ["v1", kind, rest @ ..] if *kind != "subscribe" => Some(steve(method, kind, rest)),
        ["v3", "cluster" | "clusters", id, kind, rest @ ..] => {
            target.cluster = (*id).to_owned();
            Some(norman("", kind, rest))
        }
        ["v3", "project" | "projects", id, kind, rest @ ..] => {
            target.cluster = id.split(':').next().unwrap_or_default().to_owned();
            Some(norman("", kind, rest))
        }
        ["v3" | "v3-public" | "v1-public", kind, rest @ ..]
            if !matches!(*kind, "subscribe" | "connect" | "schemas" | "schema") =>
        {
            Some(norman(MANAGEMENT, kind, rest))
        }
        _ => None,
    };
    if matches!(parts.first(), Some(&("api" | "apis"))) {
        inner.clone_into(&mut target.cluster_uri);
    }
    let is_kubernetes = !target.cluster_uri.is_empty();
    match object {
        Some(mut object) => {
            let action = [parameter(inner, "action"), parameter(inner, "link")].into_iter().flatten().next();
            if let Some(action) = action.filter(|_| !is_kubernetes) {
                object.subresource = action.into_owned().into();
            }
            let watches = is_kubernetes
                && parameter(inner, "watch").is_some_and(|watch| matches!(watch.as_ref(), "true" | "1" | ""));
            target.verb = verb(method, &object.name, watches).to_owned();
            target.object = object;
        }
        None => target.verb = method.to_ascii_lowercase(),
    }
    target
}

/// The verb of a method on a resource (`requestinfo.go` of `k8s.io/apiserver`).
fn verb(method: &str, name: &str, watches: bool) -> &'static str {
    match (method, name.is_empty()) {
        ("GET" | "HEAD", true) if watches => "watch",
        ("GET" | "HEAD", true) => "list",
        ("GET" | "HEAD", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "",
    }
}

fn owned(text: &str) -> std::borrow::Cow<'static, str> {
    text.to_owned().into()
}

/// The rest of `/api/v1/` and `/apis/<group>/<version>/`; `None` for discovery.
fn kubernetes(group: &str, version: &str, rest: &[&str]) -> Option<ObjectRef<'static>> {
    let (namespace, rest) = match rest {
        // What is behind the name of a namespace is in it, but for its own subresources.
        ["namespaces", namespace, inside @ ..] if !matches!(inside, [] | ["finalize" | "status"]) => {
            (*namespace, inside)
        }
        ["namespaces", name, ..] => (*name, rest),
        rest => ("", rest),
    };
    let (resource, rest) = rest.split_first()?;
    Some(ObjectRef {
        resource: owned(resource),
        subresource: rest.get(1..).unwrap_or_default().join("/").into(),
        namespace: owned(namespace),
        name: owned(rest.first().copied().unwrap_or("")),
        api_group: owned(group),
        api_version: owned(version),
    })
}

/// `<group>.<type>` and what follows it: a namespace, a name, or both.
fn steve(method: &str, kind: &str, rest: &[&str]) -> ObjectRef<'static> {
    let (group, resource) = kind.rsplit_once('.').unwrap_or(("", kind));
    let (namespace, name) = match rest {
        [] => ("", ""),
        [name] if is_cluster_scoped(method, resource) => ("", *name),
        [namespace] => (*namespace, ""),
        [namespace, name, ..] => (*namespace, *name),
    };
    // As in the API server's log, a namespace is in itself.
    let namespace = if resource == "namespaces" { name } else { namespace };
    ObjectRef {
        resource: owned(resource),
        subresource: rest.get(2..).unwrap_or_default().join("/").into(),
        namespace: owned(namespace),
        name: owned(name),
        api_group: owned(group),
        api_version: owned(""),
    }
}

fn is_cluster_scoped(method: &str, resource: &str) -> bool {
    CLUSTER_SCOPED.contains(&resource) || matches!(method, "PUT" | "PATCH" | "DELETE")
}

/// A type of Norman with an id, in which a namespace, or a workload's kind too, may stand before the name.
fn norman(group: &str, kind: &str, rest: &[&str]) -> ObjectRef<'static> {
    let id = rest.first().copied().unwrap_or("");
    let parts: Vec<&str> = id.split(':').collect();
    let mut resource = kind.to_ascii_lowercase();
    let (namespace, name) = match parts.as_slice() {
        [workload, namespace, name] => {
            resource = format!("{workload}s");
            (*namespace, *name)
        }
        [namespace, name] => (*namespace, *name),
        _ => ("", id),
    };
    ObjectRef {
        resource: resource.into(),
        subresource: rest.get(1..).unwrap_or_default().join("/").into(),
        namespace: owned(namespace),
        name: owned(name),
        api_group: owned(group),
        api_version: owned(if group.is_empty() { "" } else { "v3" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verb, group, resource with subresource, namespace, name, cluster.
    fn told(method: &str, uri: &str) -> String {
        let Target { verb, object, cluster, .. } = target(method, uri);
        let ObjectRef { resource, subresource, namespace, name, api_group, .. } = object;
        format!("{verb} {api_group}|{resource}/{subresource} {namespace}/{name} @{cluster}")
    }

    #[test]
    fn every_api_of_rancher() {
        let management = "management.cattle.io";
        for (method, uri, expected) in [
            ("GET", "/healthz", "get |/ / @".to_owned()),
            ("GET", "/v3/schemas", "get |/ / @".to_owned()),
            ("POST", "/v3/projects", format!("create {management}|projects/ / @")),
            (
                "DELETE",
                "/v3/projectRoleTemplateBindings/p-x1:prtb-abc",
                format!("delete {management}|projectroletemplatebindings/ p-x1/prtb-abc @"),
            ),
            (
                "POST",
                "/v3/clusters/c-abc12?action=generateKubeconfig",
                format!("create {management}|clusters/generateKubeconfig /c-abc12 @"),
            ),
            (
                "POST",
                "/v3-public/localProviders/local?action=login",
                format!("create {management}|localproviders/login /local @"),
            ),
            (
                "PUT",
                "/v3/project/c-abc:p-x/workloads/deployment:prod:web",
                "update |deployments/ prod/web @c-abc".to_owned(),
            ),
            ("GET", "/v3/cluster/c-abc/namespaces", "list |namespaces/ / @c-abc".to_owned()),
            (
                "PUT",
                "/v1/fleet.cattle.io.gitrepos/fleet-default/app",
                "update fleet.cattle.io|gitrepos/ fleet-default/app @".to_owned(),
            ),
            ("GET", "/v1/apps.deployments/prod", "list apps|deployments/ prod/ @".to_owned()),
            ("GET", "/v1/namespaces/prod", "get |namespaces/ prod/prod @".to_owned()),
            (
                "POST",
                "/v1/catalog.cattle.io.clusterrepos/x?action=install",
                "create catalog.cattle.io|clusterrepos/install /x @".to_owned(),
            ),
            (
                "PUT",
                "/k8s/clusters/local/v1/rbac.authorization.k8s.io.rolebindings/argocd/argocd-admin",
                "update rbac.authorization.k8s.io|rolebindings/ argocd/argocd-admin @local".to_owned(),
            ),
            (
                "PATCH",
                "/k8s/clusters/c-m-abcdefgh/apis/apps/v1/namespaces/prod/deployments/web/scale?dryRun=All",
                "patch apps|deployments/scale prod/web @c-m-abcdefgh".to_owned(),
            ),
            ("GET", "/k8s/clusters/c-1/api/v1/pods?watch=true", "watch |pods/ / @c-1".to_owned()),
            ("DELETE", "/api/v1/namespaces/prod", "delete |namespaces/ prod/prod @".to_owned()),
            ("DELETE", "/api/v1/namespaces/prod/pods", "deletecollection |pods/ prod/ @".to_owned()),
            ("PUT", "/api/v1/namespaces/prod/finalize", "update |namespaces/finalize prod/prod @".to_owned()),
            ("GET", "/k8s/clusters/c-1", "get |/ / @c-1".to_owned()),
            ("GET", "/v1/subscribe?sockId=1", "get |/ / @".to_owned()),
            ("GET", "/apis", "get |/ / @".to_owned()),
            ("", "", " |/ / @".to_owned()),
        ] {
            assert_eq!(told(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn what_was_passed_on_is_told_as_the_cluster_saw_it() {
        let uri = "/k8s/clusters/c-1/api/v1/nodes?limit=500";
        assert_eq!(target("GET", uri).cluster_uri, "/api/v1/nodes?limit=500");
        assert_eq!(target("GET", "/k8s/clusters/c-1/v1/nodes").cluster_uri, "");
    }
}

//! What an authorizer is asked for a request: a verb on a resource, or on a path that names none.

use std::fmt;

use serde_json::Value;

use crate::model::service_account;
use crate::text::is_hostile;
use crate::trace::Request;

/// Group of the resources `uids` and `userextras`, which are only ever impersonated.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// One thing that RBAC can allow.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Permission {
    /// A verb on a resource.
    Resource {
        /// Where it is asked for; empty for the whole cluster.
        namespace: String,
        /// API group; empty for the core group.
        group: String,
        /// Plural resource with its subresource behind a slash, as RBAC writes it: `pods/exec`.
        resource: String,
        /// The one object it is about; empty for all, and where the authorizer is not told.
        name: String,
        /// Kubernetes verb.
        verb: String,
    },
    /// A verb on a URL that names no resource.
    NonResource {
        /// The path without its query.
        path: String,
        /// The HTTP method in lower case.
        verb: String,
    },
}

impl Permission {
    /// What the authorizer is asked for the request itself, as the user that it acts as
    /// (`k8s.io/apiserver/pkg/endpoints/filters/authorization.go`, `GetAuthorizerAttributes`).
    pub fn of(request: &Request) -> Permission {
        let verb = request.verb.clone();
        let object = &request.object;
        if object.resource.is_empty() {
            let path = request.request_uri.split('?').next().unwrap_or_default().to_owned();
            return Permission::NonResource { path, verb };
        }
        // The audit event takes the name of what is created from the body, which the authorizer never sees; a
        // subresource has its name in the URL. No name goes with the deletion of a collection.
        let names_no_object =
            verb == "deletecollection" || (verb == "create" && request.subresource.is_empty());
        let is_new_namespace = object.resource == "namespaces" && object.group.is_empty() && names_no_object;
        Permission::Resource {
            namespace: if is_new_namespace { String::new() } else { object.namespace.clone() },
            group: object.group.clone(),
            resource: match request.subresource.as_str() {
                "" => object.resource.clone(),
                subresource => format!("{}/{subresource}", object.resource),
            },
            name: if names_no_object { String::new() } else { object.name.clone() },
            verb,
        }
    }

    /// What the authorizer was asked for a request that it allowed: [`Self::of`], and leave to create where an update or
    /// an apply made the object (`k8s.io/apiserver/pkg/endpoints/handlers/update.go`, `withAuthorization`, which knows
    /// the name).
    pub fn asked_for(request: &Request) -> Vec<Permission> {
        let mut asked = vec![Permission::of(request)];
        if request.code == 201
            && matches!(request.verb.as_str(), "update" | "patch")
            && let Permission::Resource { namespace, group, resource, name, .. } = Permission::of(request)
        {
            asked.push(Permission::Resource { namespace, group, resource, name, verb: "create".to_owned() });
        }
        asked
    }

    /// What a client must be allowed besides [`Self::of`] for the request to work.
    ///
    /// Since Kubernetes 1.35 exec, attach and portforward over WebSocket, which are verb `get`, need `create` as well
    /// (kubernetes#134577, feature gate AuthorizePodWebsocketUpgradeCreatePermission); before, `get` alone let the same
    /// be done, so `create` gives nothing more.
    pub fn companion(&self) -> Option<Permission> {
        match self {
            Permission::Resource { namespace, group, resource, name, verb }
                if verb == "get"
                    && group.is_empty()
                    && matches!(resource.as_str(), "pods/exec" | "pods/attach" | "pods/portforward") =>
            {
                Some(Permission::Resource {
                    namespace: namespace.clone(),
                    group: String::new(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb: "create".to_owned(),
                })
            }
            _ => None,
        }
    }

    /// What the user must be allowed to act as the impersonated user of a request whose event has been read; nothing
    /// for one that impersonates nobody (`k8s.io/apiserver/pkg/endpoints/filters/impersonation`).
    pub fn to_impersonate(request: &Request) -> Vec<Permission> {
        let Some(other) = request.event.get("impersonatedUser") else { return Vec::new() };
        let username = other.get("username").and_then(Value::as_str).unwrap_or_default();
        if username.is_empty() {
            return Vec::new();
        }
        let account = service_account(username);
        let mut needed = vec![match account {
            Some((namespace, name)) => impersonate(namespace, "", "serviceaccounts", name),
            None => impersonate("", "", "users", username),
        }];
        for group in strings(other.get("groups")) {
            let own_group = |(namespace, _): (&str, &str)| {
                group == "system:serviceaccounts"
                    || group.strip_prefix("system:serviceaccounts:") == Some(namespace)
            };
            // These the API server adds by itself.
            let is_added = matches!(group, "system:authenticated" | "system:unauthenticated")
                || account.is_some_and(own_group);
            if !is_added {
                needed.push(impersonate("", "", "groups", group));
            }
        }
        if let Some(uid) = other.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty()) {
            needed.push(impersonate("", AUTHENTICATION, "uids", uid));
        }
        for (key, values) in other.get("extra").and_then(Value::as_object).into_iter().flatten() {
            for value in strings(Some(values)) {
                needed.push(impersonate("", AUTHENTICATION, &format!("userextras/{key}"), value));
            }
        }
        needed
    }

    /// Why no rule should be written for it; `None` when one may.
    ///
    /// Verbs, groups, resources and paths are whatever a client sent, and a `*` among them would become a rule that
    /// allows everything.
    pub fn obstacle(&self) -> Option<&'static str> {
        let word =
            |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let is_verb = |verb: &str| !verb.is_empty() && word(verb);
        match self {
            Permission::Resource { namespace, group, resource, name, verb } => {
                let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/' | b'%');
                if !is_verb(verb) {
                    return Some("its verb is none that Kubernetes has");
                }
                if resource.is_empty() || !resource.bytes().all(part) || !group.split('.').all(word) {
                    return Some("no resource is called so");
                }
                if !namespace.split('.').all(word) {
                    return Some("no namespace is called so");
                }
                is_doubtful(name).then_some("the object's name is masked, or none that an object should have")
            }
            Permission::NonResource { path, verb } => {
                if !is_verb(verb) {
                    return Some("its verb is none that Kubernetes has");
                }
                let is_plain = path.starts_with('/') && !path.contains('%') && !is_doubtful(path);
                (!is_plain).then_some("its path is no plain one")
            }
        }
    }

    /// Whether every cluster lets everybody do it, by system:discovery, system:public-info-viewer and system:basic-user
    /// (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`).
    pub fn is_everybodys(&self) -> bool {
        match self {
            Permission::Resource { group, resource, verb, .. } => {
                let is_self_review = match group.as_str() {
                    "authorization.k8s.io" => {
                        matches!(resource.as_str(), "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
                    }
                    "authentication.k8s.io" => resource == "selfsubjectreviews",
                    _ => false,
                };
                is_self_review && verb == "create"
            }
            Permission::NonResource { path, verb } => {
                let below = |root: &str| {
                    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                let is_told = ["/api", "/apis", "/openapi"].into_iter().any(below)
                    || matches!(path.trim_end_matches('/'), "/healthz" | "/livez" | "/readyz" | "/version");
                is_told && verb == "get"
            }
        }
    }
}

impl fmt::Display for Permission {
    /// `list secrets in namespace production`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::Resource { namespace, group, resource, name, verb } => {
                write!(f, "{verb} {resource}")?;
                if !group.is_empty() {
                    write!(f, " of {group}")?;
                }
                if !name.is_empty() {
                    write!(f, " {name}")?;
                }
                if namespace.is_empty() {
                    f.write_str(" in the whole cluster")
                } else {
                    write!(f, " in namespace {namespace}")
                }
            }
            Permission::NonResource { path, verb } => write!(f, "{verb} {path}"),
        }
    }
}

fn impersonate(namespace: &str, group: &str, resource: &str, name: &str) -> Permission {
    Permission::Resource {
        namespace: namespace.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        verb: "impersonate".to_owned(),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a text is a wildcard, a mark of masking, or looks like something else than it is.
pub(super) fn is_doubtful(text: &str) -> bool {
    text.chars().any(|c| c == '*' || c == '‹' || is_hostile(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trace::ObjectKey;

    fn request(verb: &str, resource: &str, namespace: &str, name: &str) -> Request {
        let object = ObjectKey {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
            ..ObjectKey::default()
        };
        Request { verb: verb.into(), object, ..Request::default() }
    }

    fn said(request: &Request) -> String {
        Permission::of(request).to_string()
    }

    #[test]
    fn names_are_those_that_the_authorizer_sees() {
        assert_eq!(said(&request("get", "pods", "a", "p")), "get pods p in namespace a");
        assert_eq!(said(&request("create", "pods", "a", "p")), "create pods in namespace a");
        assert_eq!(
            said(&request("create", "namespaces", "x", "x")),
            "create namespaces in the whole cluster"
        );
        assert_eq!(said(&request("get", "namespaces", "x", "x")), "get namespaces x in namespace x");
        let token =
            Request { subresource: "token".into(), ..request("create", "serviceaccounts", "a", "robot") };
        assert_eq!(said(&token), "create serviceaccounts/token robot in namespace a");
        let path = Request { verb: "get".into(), request_uri: "/metrics?x=1".into(), ..Request::default() };
        assert_eq!(said(&path), "get /metrics");
    }

    #[test]
    fn an_apply_that_makes_an_object_needs_create() {
        let apply = |code| Request { code, ..request("patch", "configmaps", "a", "c") };
        let asked = |code| -> Vec<String> {
            Permission::asked_for(&apply(code)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(asked(200), ["patch configmaps c in namespace a"]);
        assert_eq!(asked(201), ["patch configmaps c in namespace a", "create configmaps c in namespace a"]);
    }

    #[test]
    fn a_websocket_needs_create_too() {
        let exec = Request { subresource: "exec".into(), ..request("get", "pods", "a", "p") };
        let companion = Permission::of(&exec).companion().map(|permission| permission.to_string());
        assert_eq!(companion.as_deref(), Some("create pods/exec p in namespace a"));
        assert_eq!(Permission::of(&request("get", "pods", "a", "p")).companion(), None);
    }

    #[test]
    fn impersonation_asks_for_each_part_that_was_claimed() {
        let mut request = request("get", "pods", "a", "p");
        request.event = json!({"impersonatedUser": {"username": "admin", "uid": "7",
            "groups": ["system:masters", "system:authenticated"], "extra": {"scopes": ["all"]}}});
        let needed: Vec<String> =
            Permission::to_impersonate(&request).iter().map(ToString::to_string).collect();
        assert_eq!(
            needed,
            [
                "impersonate users admin in the whole cluster",
                "impersonate groups system:masters in the whole cluster",
                "impersonate uids of authentication.k8s.io 7 in the whole cluster",
                "impersonate userextras/scopes of authentication.k8s.io all in the whole cluster",
            ]
        );
        request.event = json!({"impersonatedUser": {"username": "system:serviceaccount:ci:robot", "groups":
            ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"]}});
        let needed: Vec<String> =
            Permission::to_impersonate(&request).iter().map(ToString::to_string).collect();
        assert_eq!(needed, ["impersonate serviceaccounts robot in namespace ci"]);
    }

    #[test]
    fn nothing_that_a_client_sends_becomes_a_wildcard() {
        for hostile in [
            request("*", "pods", "a", ""),
            request("get", "*", "a", ""),
            request("get", "pods/*", "a", ""),
            request("get", "pods", "*", ""),
            request("get", "pods", "a", "*"),
            request("get", "pods", "a", "p\u{202e}"),
            request("get", "pods", "a", "‹masked, 9 bytes›"),
            Request { verb: "get".into(), request_uri: "/*".into(), ..Request::default() },
            Request { verb: "get".into(), request_uri: "/%2a".into(), ..Request::default() },
            Request { verb: "*".into(), request_uri: "/metrics".into(), ..Request::default() },
            Request::default(),
        ] {
            assert!(Permission::of(&hostile).obstacle().is_some(), "{hostile:?}");
        }
        for plain in [request("get", "pods", "a", "p"), request("list", "nodes", "", "")] {
            assert_eq!(Permission::of(&plain).obstacle(), None);
        }
    }
}

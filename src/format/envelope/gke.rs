//! Google's Cloud Audit Logs, where GKE sends its audit log: entries with a `protoPayload` and no event of Kubernetes.
//!
//! The mapping follows what Google documents for `AuditLog` (google/cloud/audit/audit_log.proto), and what Falco
//! (falcosecurity/plugins, k8saudit-gke) and KHI (GoogleCloudPlatform/khi, the fieldset of its k8s_audit task) read:
//!
//! | event | entry |
//! |---|---|
//! | `auditID` | `operation.id`, or else `insertId` |
//! | `stage` | `ResponseStarted` where `operation` is the first of several, `ResponseComplete` otherwise |
//! | `verb` | the last part of `methodName` |
//! | `requestURI`, `objectRef` | `resourceName`: `<group or core>/<version>/[namespaces/<ns>/]<resource>[/<name>[/<sub>]]` |
//! | `user`, `impersonatedUser` | `authenticationInfo.principalEmail`, `.authoritySelector` |
//! | `sourceIPs`, `userAgent` | `requestMetadata.callerIp`, `.callerSuppliedUserAgent` |
//! | `responseStatus` | `status`, whose code is one of gRPC |
//! | `annotations` | `labels`; the decision from `authorizationInfo` where it is not among them |
//! | both times | `timestamp` |
//!
//! Entries of other services (`container.googleapis.com`: a cluster is created) are no requests to Kubernetes.

use super::super::members::{Members, elements, member, string};
use super::rewrite::Object;
use super::{Envelope, Inner, Take};

/// Writes the event of an entry.
pub(super) fn open(entry: &[u8], take: &mut Take<'_>) -> Option<usize> {
    let (text, end) = event(entry)?;
    take(Envelope::GoogleCloud, Inner::Rewritten(&text));
    Some(end)
}

#[derive(Default)]
struct Entry<'a> {
    insert_id: &'a [u8],
    operation: &'a [u8],
    labels: &'a [u8],
    payload: &'a [u8],
    timestamp: &'a [u8],
}

#[derive(Default)]
struct Payload<'a> {
    service: &'a [u8],
    method: &'a [u8],
    resource: &'a [u8],
    authentication: &'a [u8],
    authorization: &'a [u8],
    metadata: &'a [u8],
    request: &'a [u8],
    response: &'a [u8],
    status: &'a [u8],
}

/// The event, and where its entry ends.
fn event(entry: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut parts = Entry::default();
    let mut members = Members::of(entry);
    while let Some(key) = members.next_key() {
        let field = match key {
            b"insertId" => &mut parts.insert_id,
            b"operation" => &mut parts.operation,
            b"labels" => &mut parts.labels,
            b"protoPayload" => &mut parts.payload,
            b"timestamp" => &mut parts.timestamp,
            _ => continue,
        };
        *field = members.raw()?;
    }
    let mut payload = Payload::default();
    let mut inside = Members::of(parts.payload);
    while let Some(key) = inside.next_key() {
        let field = match key {
            b"serviceName" => &mut payload.service,
            b"methodName" => &mut payload.method,
            b"resourceName" => &mut payload.resource,
            b"authenticationInfo" => &mut payload.authentication,
            b"authorizationInfo" => &mut payload.authorization,
            b"requestMetadata" => &mut payload.metadata,
            b"request" => &mut payload.request,
            b"response" => &mut payload.response,
            b"status" => &mut payload.status,
            _ => continue,
        };
        *field = inside.raw()?;
    }
    (members.is_complete() && inside.is_complete() && payload.service == b"\"k8s.io\"")
        .then(|| (write(&parts, &payload), members.end()))
}

fn write(entry: &Entry<'_>, payload: &Payload<'_>) -> Vec<u8> {
    let is_object = |value: &[u8]| value.starts_with(b"{");
    let has_bodies = (is_object(payload.request), is_object(payload.response));
    let mut event = Object::event(match has_bodies {
        (_, true) => "RequestResponse",
        (true, false) => "Request",
        (false, false) => "Metadata",
    });
    let operation = text_of(entry.operation, b"id");
    event.string("auditID", if operation.is_empty() { value_text(entry.insert_id) } else { operation });
    let (first, last) = (is_set(entry.operation, b"first"), is_set(entry.operation, b"last"));
    event.string("stage", if first && !last { "ResponseStarted" } else { "ResponseComplete" });
    let method = value_text(payload.method);
    let resource = String::from_utf8_lossy(&value_text(payload.resource)).into_owned();
    let request = Request::of(&method, &resource);
    event.string("requestURI", &request.uri);
    event.string("verb", request.verb);
    let mut user = Object::new();
    user.filled("username", text_of(payload.authentication, b"principalEmail"));
    event.object("user", user);
    let acting_as = text_of(payload.authentication, b"authoritySelector");
    if !acting_as.is_empty() {
        let mut user = Object::new();
        user.string("username", acting_as);
        event.object("impersonatedUser", user);
    }
    let address = text_of(payload.metadata, b"callerIp");
    if !address.is_empty() {
        let mut quoted = Object::new();
        quoted.string("ip", address);
        // The quotes and escapes of a member's value are those of an element.
        let quoted = quoted.finish();
        event.raw("sourceIPs", &[b"[", &quoted[br#"{"ip":"#.len()..quoted.len() - 1], b"]"].concat());
    }
    event.filled("userAgent", text_of(payload.metadata, b"callerSuppliedUserAgent"));
    if let Some(object) = request.object {
        event.object("objectRef", object);
    }
    event.object("responseStatus", status(payload.status));
    if has_bodies.0 {
        event.raw("requestObject", payload.request);
    }
    if has_bodies.1 {
        event.raw("responseObject", payload.response);
    }
    let time = value_text(entry.timestamp);
    event.string("requestReceivedTimestamp", &time);
    event.string("stageTimestamp", &time);
    event.object("annotations", annotations(entry.labels, payload.authorization));
    event.finish()
}

/// What was asked for.
struct Request<'a> {
    verb: &'a [u8],
    uri: String,
    object: Option<Object>,
}

impl<'a> Request<'a> {
    fn of(method: &'a [u8], resource_name: &str) -> Self {
        let verb = method.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        // `io.k8s.core.v1.pods.create`; `io.k8s.get` is of a URL that names no resource.
        let names_resource = method.split(|byte| *byte == b'.').count() > 4;
        let mut parts = resource_name.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(group), Some(version), Some(path)) if names_resource => {
                let group = if group == "core" { "" } else { group };
                let (object, has_subresource) = object_ref(group, version, path);
                // What is created has its name in the entry, and not in the URL that it was sent to.
                let sent_to = match path.rsplit_once('/') {
                    Some((collection, _)) if verb == b"create" && !has_subresource => collection,
                    _ => path,
                };
                let uri = match group {
                    "" => format!("/api/{version}/{sent_to}"),
                    group => format!("/apis/{group}/{version}/{sent_to}"),
                };
                Self { verb, uri, object: Some(object) }
            }
            _ => Self { verb, uri: format!("/{}", resource_name.trim_start_matches('/')), object: None },
        }
    }
}

/// `[namespaces/<ns>/]<resource>[/<name>[/<subresource>]]`; and whether there is a subresource.
fn object_ref(group: &str, version: &str, path: &str) -> (Object, bool) {
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, rest) = match parts.as_slice() {
        // A namespace is an object of its own, and has the subresources `finalize` and `status`.
        ["namespaces", name] | ["namespaces", name, "finalize" | "status"] => (*name, parts.as_slice()),
        ["namespaces", name, rest @ ..] if !rest.is_empty() => (*name, rest),
        rest => ("", rest),
    };
    let (resource, name, subresource) = match rest {
        [] => ("", "", ""),
        [resource] => (*resource, "", ""),
        [resource, name] => (*resource, *name, ""),
        // What follows a proxied object's subresource is the path behind the proxy.
        [resource, name, subresource, ..] => (*resource, *name, *subresource),
    };
    let mut object = Object::new();
    object.filled("resource", resource);
    object.filled("namespace", namespace);
    object.filled("name", name);
    object.filled("apiGroup", group);
    object.filled("apiVersion", version);
    object.filled("subresource", subresource);
    (object, !subresource.is_empty())
}

fn status(status: &[u8]) -> Object {
    let digits = member(status, b"code").map(|code| code.strip_prefix(b"\"").unwrap_or(code));
    let code = digits.map_or(0, |digits| {
        digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .take(4)
            .fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'))
    });
    let (http, reason) = http_status(code);
    let mut object = Object::new();
    object.raw("metadata", b"{}");
    if http >= 400 {
        object.string("status", "Failure");
    }
    object.filled("message", text_of(status, b"message"));
    object.filled("reason", reason);
    object.raw("code", http.to_string().as_bytes());
    object
}

/// The HTTP status of a code of gRPC (google/rpc/code.proto), and the reason that Kubernetes gives with it. Codes
/// that are none of gRPC are HTTP's own.
fn http_status(code: u16) -> (u16, &'static str) {
    match code {
        0 => (200, ""),
        1 => (499, ""),
        3 => (400, "BadRequest"),
        4 => (504, "Timeout"),
        5 | 404 => (404, "NotFound"),
        6 => (409, "AlreadyExists"),
        7 | 403 => (403, "Forbidden"),
        8 | 429 => (429, "TooManyRequests"),
        9 => (400, ""),
        10 | 409 => (409, "Conflict"),
        11 => (400, ""),
        12 => (501, ""),
        2 | 13 | 15 => (500, "InternalError"),
        14 => (503, "ServiceUnavailable"),
        16 | 401 => (401, "Unauthorized"),
        other => (other, ""),
    }
}

fn annotations(labels: &[u8], authorization: &[u8]) -> Object {
    let mut object = Object::new();
    let mut has_decision = false;
    let mut members = Members::of(labels);
    while let Some(key) = members.next_key() {
        has_decision |= key == b"authorization.k8s.io/decision";
        let key = String::from_utf8_lossy(key).into_owned();
        if let Some(value) = members.text() {
            object.string(&key, value);
        }
    }
    if !has_decision {
        let (mut granted, mut refused) = (false, false);
        let _ = elements(authorization, |item| match member(item, b"granted") {
            Some(b"true" | b"\"true\"") => granted = true,
            Some(b"false" | b"\"false\"") => refused = true,
            _ => {}
        });
        if granted || refused {
            object.string("authorization.k8s.io/decision", if refused { "forbid" } else { "allow" });
        }
    }
    object
}

/// The string in a member of an object; empty where there is none.
fn text_of(object: &[u8], key: &[u8]) -> Vec<u8> {
    member(object, key).map(value_text).unwrap_or_default()
}

fn value_text(value: &[u8]) -> Vec<u8> {
    string(value).unwrap_or_default()
}

/// Whether a member is true; exports from YAML have it as text.
fn is_set(object: &[u8], key: &[u8]) -> bool {
    matches!(member(object, key), Some(b"true" | b"\"true\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, uri, object) in [
            (
                "core/v1/namespaces/a/pods/p/status",
                "/api/v1/namespaces/a/pods/p/status",
                r#"{"resource":"pods","namespace":"a","name":"p","apiVersion":"v1","subresource":"status"}"#,
            ),
            (
                "apps/v1/namespaces/a/deployments",
                "/apis/apps/v1/namespaces/a/deployments",
                r#"{"resource":"deployments","namespace":"a","apiGroup":"apps","apiVersion":"v1"}"#,
            ),
            ("core/v1/nodes", "/api/v1/nodes", r#"{"resource":"nodes","apiVersion":"v1"}"#),
            (
                "core/v1/namespaces/a",
                "/api/v1/namespaces/a",
                r#"{"resource":"namespaces","namespace":"a","name":"a","apiVersion":"v1"}"#,
            ),
            (
                "core/v1/namespaces/a/finalize",
                "/api/v1/namespaces/a/finalize",
                r#"{"resource":"namespaces","namespace":"a","name":"a","apiVersion":"v1","subresource":"finalize"}"#,
            ),
            (
                "core/v1/nodes/n/proxy/metrics/cadvisor",
                "/api/v1/nodes/n/proxy/metrics/cadvisor",
                r#"{"resource":"nodes","name":"n","apiVersion":"v1","subresource":"proxy"}"#,
            ),
        ] {
            let request = Request::of(b"io.k8s.core.v1.pods.get", name);
            assert_eq!((request.verb, request.uri.as_str()), (&b"get"[..], uri));
            let written = request.object.map(Object::finish).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&written), object, "{name}");
        }
        let created = Request::of(b"io.k8s.core.v1.pods.create", "core/v1/namespaces/a/pods/p");
        assert_eq!(created.uri, "/api/v1/namespaces/a/pods");
        let evicted =
            Request::of(b"io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/a/pods/p/eviction");
        assert_eq!(evicted.uri, "/api/v1/namespaces/a/pods/p/eviction");
        let plain = Request::of(b"io.k8s.get", "readyz");
        assert_eq!((plain.uri.as_str(), plain.object.is_none()), ("/readyz", true));
    }

    #[test]
    fn codes_of_grpc_become_those_of_http() {
        for (code, http) in
            [("{}", "200"), (r#"{"code":7}"#, "403"), (r#"{"code":"16"}"#, "401"), (r#"{"code":409}"#, "409")]
        {
            let text = String::from_utf8(status(code.as_bytes()).finish()).unwrap_or_default();
            assert!(text.ends_with(&format!("\"code\":{http}}}")), "{code}: {text}");
        }
    }
}

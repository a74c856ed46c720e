//! argocd-server's log of gRPC calls: who asked for a change, with which claims and with what content, and what was
//! refused.
//!
//! v2 has JSON text in `grpc.request.claims` and the message as protobuf text in `grpc.request.content`; with JSON logs
//! the content is an object. Only calls that change something are told.

use serde_json::Value;

use super::{frame, object};
use crate::format::controller::Told;
use crate::format::details::ObjectName;
use crate::format::fields::Fields;

/// The methods that change something, of whichever service.
const METHODS: [&str; 22] = [
    "Sync",
    "Rollback",
    "Create",
    "Update",
    "UpdateSpec",
    "Patch",
    "PatchResource",
    "Delete",
    "DeleteResource",
    "RunResourceAction",
    "TerminateOperation",
    "CreateToken",
    "DeleteToken",
    "UpdatePassword",
    "CreateRepository",
    "UpdateRepository",
    "DeleteRepository",
    "CreateRepositoryCredentials",
    "UpdateRepositoryCredentials",
    "DeleteRepositoryCredentials",
    "CreateCertificate",
    "DeleteCertificate",
];

/// Calls whose requests hold credentials, by their services: of these only the end is logged, without content and person
/// (`server/server.go`, `sensitiveMethods`).
const SENSITIVE: [(&str, &[&str]); 4] = [
    ("cluster.ClusterService", &["Create", "Update"]),
    ("repository.RepositoryService", &["Create", "Update", "CreateRepository", "UpdateRepository"]),
    ("repocreds.RepoCredsService", &["CreateRepositoryCredentials", "UpdateRepositoryCredentials"]),
    ("account.AccountService", &["UpdatePassword"]),
];

/// What a call tells, once: the line with its content, or the line with its failure.
pub(super) fn read(fields: &Fields<'_>, message: &str) -> Option<Told> {
    let method = method(fields, message);
    if !METHODS.contains(&method.as_str()) {
        return None;
    }
    if message.starts_with("finished") {
        return refused(fields, message, &method);
    }
    let content = fields.text("grpc.request.content").into_owned();
    let content = Content { json: fields.json("grpc.request.content"), text: content };
    if !fields.has("grpc.request.content") && !fields.has("grpc.request.claims") {
        return None;
    }
    let claims = fields.json("grpc.request.claims").unwrap_or_default();
    let claim = |key: &str| claims.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    // As Argo CD names its users: its own by their name, others by their address where there is one.
    let user = match (claim("iss").as_str(), claim("email")) {
        ("argocd", _) => claim("sub"),
        (_, email) if !email.is_empty() => email,
        _ => claim("sub"),
    };
    let mut told = frame(fields, &method).by_person(&user);
    told.source_ip = host(&fields.text("peer.address")).to_owned();
    let subject = ObjectName { namespace: content.text("appNamespace"), name: content.name() };
    told.object = object(resource(fields), &subject);
    told.object.subresource = method.clone().into();
    told.details.subject = subject;
    let initiator = &mut told.details.initiator;
    initiator.email = claim("email");
    initiator.display_name = claim("name");
    let groups = claims.get("groups").and_then(Value::as_array).into_iter().flatten();
    initiator.groups = groups.filter_map(Value::as_str).map(str::to_owned).collect();
    if !initiator.groups.is_empty() {
        told.groups = Value::from(initiator.groups.clone()).to_string();
    }
    told.details.history_id = if method == "Rollback" { content.number("id") } else { None };
    told.details.dry_run = content.flag("dryRun");
    told.details.prune = content.flag("prune");
    told.details.auto_sync = content.auto_sync(&method);
    let verb = match (method.as_str(), told.details.auto_sync) {
        ("Patch", Some(true)) => "auto-sync-on",
        ("Patch", Some(false)) => "auto-sync-off",
        _ => "request",
    };
    Some(told.with_revisions(&content.text("revision")).with_outcome(verb, 0))
}

/// The method, which stands in a field, or at the end of the message.
fn method(fields: &Fields<'_>, message: &str) -> String {
    match fields.text("grpc.method").as_ref() {
        "" => message.rsplit('/').next().unwrap_or_default().to_owned(),
        method => method.to_owned(),
    }
}

/// `application.ApplicationService` is about applications.
fn resource(fields: &Fields<'_>) -> &'static str {
    match fields.text("grpc.service").split('.').next().unwrap_or_default() {
        "project" => "appprojects",
        "applicationset" => "applicationsets",
        "cluster" => "clusters",
        "repository" => "repositories",
        "repocreds" => "repocreds",
        "certificate" => "certificates",
        "account" => "accounts",
        "session" => "sessions",
        _ => "applications",
    }
}

/// A call that ended with another code than OK, or of which only the end is logged. What it was about is in the error alone: `permission denied:
/// applications, sync, default/app, sub: …`.
fn refused(fields: &Fields<'_>, message: &str, method: &str) -> Option<Told> {
    let code = fields.text("grpc.code");
    let status = match http_status(&code) {
        None if code == "OK" && is_sensitive(fields, method) => return Some(done(fields, message, method)),
        status => status?,
    };
    let error = fields.first_text(&["error", "grpc.error"]);
    let mut told = frame(fields, &code).by_person("").with_outcome("fail", status);
    let mut parts = error.rsplit_once("permission denied: ").map_or("", |(_, denied)| denied).split(", ");
    if let (Some(_), Some(_), Some(object_name)) = (parts.next(), parts.next(), parts.next()) {
        let (project, name) = object_name.split_once('/').unwrap_or(("", object_name));
        project.clone_into(&mut told.details.project);
        told.details.subject = ObjectName { namespace: String::new(), name: name.to_owned() };
    }
    let person = parts.find_map(|part| part.strip_prefix("sub: ")).unwrap_or_default();
    told = told.by_person(person);
    told.object = object(resource(fields), &told.details.subject);
    told.object.subresource = method.to_owned().into();
    if error.is_empty() { message } else { error.as_ref() }.clone_into(&mut told.details.message);
    Some(told)
}

/// Whether only the end of a call is logged.
fn is_sensitive(fields: &Fields<'_>, method: &str) -> bool {
    let service = fields.text("grpc.service");
    SENSITIVE.iter().any(|(own, methods)| service == *own && methods.contains(&method))
}

/// A call that succeeded, of which nothing but that is logged.
fn done(fields: &Fields<'_>, message: &str, method: &str) -> Told {
    let mut told = frame(fields, message).by_person("").with_outcome("request", Told::SUCCEEDED);
    told.source_ip = host(&fields.text("peer.address")).to_owned();
    told.object = object(resource(fields), &ObjectName::default());
    told.object.subresource = method.to_owned().into();
    told.details.subject = ObjectName::default();
    told
}

/// The HTTP status that a gRPC gateway gives a code (`runtime.HTTPStatusFromCode`); `None` for OK.
fn http_status(code: &str) -> Option<u16> {
    Some(match code {
        "" | "OK" => return None,
        "InvalidArgument" | "FailedPrecondition" | "OutOfRange" => 400,
        "Unauthenticated" => 401,
        "PermissionDenied" => 403,
        "NotFound" => 404,
        "AlreadyExists" | "Aborted" => 409,
        "ResourceExhausted" => 429,
        "Canceled" => 499,
        "Unimplemented" => 501,
        "Unavailable" => 503,
        "DeadlineExceeded" => 504,
        _ => Told::FAILED,
    })
}

fn host(peer: &str) -> &str {
    peer.rsplit_once(':').map_or(peer, |(host, _)| host.trim_matches(['[', ']']))
}

/// A request's message, as JSON or as protobuf text.
struct Content {
    json: Option<Value>,
    text: String,
}

impl Content {
    fn member(&self, key: &str) -> Option<&Value> {
        self.json.as_ref().filter(|json| json.is_object())?.get(key)
    }

    /// What stands behind `key:` in protobuf text, at its first place.
    fn written(&self, key: &str) -> Option<&str> {
        let mut from = 0;
        while let Some(found) = self.text.get(from..)?.find(key) {
            let start = from + found;
            let rest = &self.text[start + key.len()..];
            let begins = start == 0 || self.text[..start].ends_with([' ', '<', '{']);
            if let Some(value) = rest.strip_prefix(':').filter(|_| begins) {
                let value = value.trim_start();
                let end = match value.strip_prefix('"') {
                    Some(quoted) => quoted.find('"').map_or(value.len(), |end| end + 2),
                    None => value.find([' ', '>', '}']).unwrap_or(value.len()),
                };
                return Some(value[..end].trim_matches('"'));
            }
            from = start + key.len();
        }
        None
    }

    fn text(&self, key: &str) -> String {
        match self.member(key) {
            Some(value) => value.as_str().unwrap_or_default().to_owned(),
            None => self.written(key).unwrap_or_default().to_owned(),
        }
    }

    fn number(&self, key: &str) -> Option<i64> {
        match self.member(key) {
            // Protobuf's JSON writes numbers of 64 bits as strings.
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(value) => value.as_i64(),
            None => self.written(key)?.parse().ok(),
        }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.member(key) {
            Some(value) => value.as_bool(),
            None => self.written(key)?.parse().ok(),
        }
    }

    /// The object's name, which a request to create or update it has inside of the object.
    fn name(&self) -> String {
        let inside = ["application", "project", "applicationset"]
            .iter()
            .filter_map(|key| self.member(key)?.pointer("/metadata/name")?.as_str())
            .next();
        match (self.text("name"), inside) {
            (name, Some(inside)) if name.is_empty() => inside.to_owned(),
            (name, _) => name,
        }
    }

    /// Whether automated sync is on in what is written. A patch that says nothing of it leaves it as it is.
    fn auto_sync(&self, method: &str) -> Option<bool> {
        let of_spec = |spec: &Value| match spec.pointer("/syncPolicy/automated") {
            None | Some(Value::Null) => false,
            Some(automated) => automated.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        };
        match method {
            "UpdateSpec" => self.member("spec").map(of_spec),
            "Update" | "Create" => self.member("application").and_then(|app| app.get("spec")).map(of_spec),
            "Patch" => self.patch().and_then(|patch| patched_auto_sync(&patch)),
            _ => None,
        }
    }

    fn patch(&self) -> Option<Value> {
        let text = match self.member("patch") {
            Some(Value::String(text)) => text.clone(),
            Some(value) => return Some(value.clone()),
            None => {
                // Quoted as in Go, which for JSON is what JSON does.
                let at = self.text.find("patch:\"")? + "patch:".len();
                let mut values = serde_json::Deserializer::from_str(&self.text[at..]).into_iter::<String>();
                values.next()?.ok()?
            }
        };
        serde_json::from_str(&text).ok()
    }
}

/// What a merge patch, or a list of operations (RFC 6902), makes of automated sync.
fn patched_auto_sync(patch: &Value) -> Option<bool> {
    let of_automated = |automated: &Value| match automated {
        Value::Null => false,
        automated => automated.get("enabled").and_then(Value::as_bool).unwrap_or(true),
    };
    if let Some(operations) = patch.as_array() {
        return operations.iter().rev().find_map(|operation| {
            let path = operation.get("path")?.as_str()?;
            let removes = operation.get("op")?.as_str()? == "remove";
            match path {
                "/spec/syncPolicy" if removes => Some(false),
                "/spec/syncPolicy" => Some(operation.pointer("/value/automated").is_some_and(of_automated)),
                "/spec/syncPolicy/automated" if removes => Some(false),
                "/spec/syncPolicy/automated" => operation.get("value").map(of_automated),
                "/spec/syncPolicy/automated/enabled" => operation.get("value")?.as_bool(),
                _ => None,
            }
        });
    }
    match patch.pointer("/spec/syncPolicy") {
        Some(Value::Null) => Some(false),
        policy => policy?.get("automated").map(of_automated),
    }
}

//! A line of a controller's log by the names that rules ask for: its own keys and values as the program wrote them, and
//! over them what its reader made of the line, which is called alike whichever program, version and format it is of.
//!
//! `docs/rules.md` lists the names; [`super::details`] says what they mean.

use serde_json::{Map, Value, json};

use super::controller::{details_of, fields_of};
use super::details::{ControllerDetails, Initiator, TouchedObject};
use crate::model::LogKind;

/// What a row's text tells, as one object; `None` for text that tells of no change, and for an API server's.
pub fn record(log: LogKind, text: &[u8]) -> Option<Map<String, Value>> {
    let text = String::from_utf8_lossy(text);
    let fields = fields_of(&text)?;
    let details = details_of(log, &fields)?;
    let Value::Object(mut record) = fields.to_value() else { return None };
    record.values_mut().for_each(unfold);
    put_details(&mut record, log, &details);
    Some(record)
}

/// Claims, objects and lists that stand in a text as JSON are taken out of it.
fn unfold(value: &mut Value) {
    let nested = value.as_str().filter(|text| text.starts_with(['{', '[']));
    if let Some(nested) = nested.and_then(|text| serde_json::from_str(text).ok()) {
        *value = nested;
    }
}

/// What is empty is left out, so that `exists` and `null` mean what they say.
fn put(into: &mut Map<String, Value>, name: &str, value: Value) {
    let is_empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    if !is_empty {
        into.insert(name.to_owned(), value);
    }
}

fn put_details(record: &mut Map<String, Value>, log: LogKind, details: &ControllerDetails) {
    if log != LogKind::Rancher {
        put(record, "application", json!(details.subject.name));
    }
    for (name, text) in [
        ("component", details.component),
        ("operationID", &details.operation_id),
        ("project", &details.project),
        ("repository", &details.repository),
        ("revision", &details.revision),
        ("deploymentID", &details.deployment_id),
        ("previousDeploymentID", &details.previous_deployment_id),
        ("release", &details.release),
        ("clusterURI", &details.cluster_uri),
        ("message", &details.message),
    ] {
        put(record, name, json!(text));
    }
    let commits: Vec<&String> = [&details.commit]
        .into_iter()
        .chain(&details.more_commits)
        .filter(|commit| !commit.is_empty())
        .collect();
    put(record, "commit", json!(commits));
    put(record, "historyID", json!(details.history_id));
    put(record, "dryRun", json!(details.dry_run));
    put(record, "prune", json!(details.prune));
    put(record, "autoSync", json!(details.auto_sync));
    let mut destination = Map::new();
    put(&mut destination, "cluster", json!(details.destination.cluster));
    put(&mut destination, "server", json!(details.destination.server));
    put(&mut destination, "namespace", json!(details.destination.namespace));
    put(record, "destination", Value::Object(destination));
    put(record, "objects", details.objects.iter().map(touched).collect());
    put(record, "initiatedBy", Value::Object(initiated_by(&details.initiator)));
}

fn touched(object: &TouchedObject) -> Value {
    let mut told = Map::new();
    let TouchedObject { group, kind, namespace, name, result } = object;
    for (key, text) in
        [("group", group), ("kind", kind), ("namespace", namespace), ("name", name), ("result", result)]
    {
        put(&mut told, key, json!(text));
    }
    Value::Object(told)
}

fn initiated_by(initiator: &Initiator) -> Map<String, Value> {
    let mut told = Map::new();
    put(&mut told, "username", json!(initiator.user));
    put(&mut told, "name", json!(initiator.display_name));
    put(&mut told, "email", json!(initiator.email));
    put(&mut told, "groups", json!(initiator.groups));
    put(&mut told, "principals", json!(initiator.principals));
    put(&mut told, "tokenID", json!(initiator.token_id));
    put(&mut told, "impersonatedUser", json!(initiator.impersonated_user));
    put(&mut told, "addresses", json!(initiator.client_addresses));
    put(&mut told, "automated", json!(initiator.automated));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_own_names_and_the_common_ones() {
        let sha = "8a1cb4a08a1cb4a08a1cb4a08a1cb4a08a1cb4a0";
        let text = format!(
            r#"time="2026-11-20T10:00:00Z" level=info msg="alice initiated sync to HEAD ({sha})" application=argocd/shop dest-namespace=prod reason=OperationStarted type=Normal user=alice"#
        );
        let told = record(LogKind::ArgoCd, text.as_bytes()).expect("it tells of a sync");
        for (name, value) in [
            ("reason", json!("OperationStarted")),
            ("level", json!("info")),
            ("application", json!("shop")),
            ("commit", json!([sha])),
            ("destination", json!({"namespace": "prod"})),
            ("initiatedBy", json!({"username": "alice", "automated": false})),
        ] {
            assert_eq!(told.get(name), Some(&value), "{name}");
        }
        assert!(!told.contains_key("repository"), "what is empty is not there");
        let call = r#"{"grpc.method":"Sync","grpc.service":"application.ApplicationService","level":"info","msg":"started call","grpc.request.claims":"{\"email\":\"a@b.c\"}","grpc.request.content":{"name":"shop","prune":true},"time":"2026-11-20T10:00:00Z"}"#;
        let told = record(LogKind::ArgoCd, call.as_bytes()).expect("it tells of a request");
        assert_eq!(told["grpc.request.claims"]["email"], "a@b.c");
        assert_eq!(told["prune"], true);
        assert_eq!(record(LogKind::Kube, call.as_bytes()), None);
        assert_eq!(record(LogKind::ArgoCd, b"plain"), None);
    }

    #[test]
    fn a_request_to_rancher_tells_its_person_and_cluster() {
        let line = r#"{"auditID":"a","requestURI":"/k8s/clusters/c-1/api/v1/namespaces/prod/configmaps/x","user":{"name":"u-1","extra":{"username":["alice"],"principalid":["github_user://7"]}},"method":"DELETE","responseCode":200,"requestHeader":{"X-Forwarded-For":["203.0.113.9"]}}"#;
        let told = record(LogKind::Rancher, line.as_bytes()).expect("a request");
        assert_eq!(
            told["initiatedBy"],
            json!({"username": "u-1", "name": "alice", "principals": ["github_user://7"], "addresses": ["203.0.113.9"]})
        );
        assert_eq!(told["destination"], json!({"cluster": "c-1"}));
        assert!(!told.contains_key("application") && told["method"] == "DELETE");
    }
}

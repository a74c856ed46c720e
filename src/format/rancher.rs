//! The API audit log of a Rancher server (FORMATS.md 3): JSON lines of a schema of their own, one a request since 2.2 and
//! one a stage before.
//!
//! Levels 0 to 3 add headers and bodies, and 2.12 reordered the keys; nothing here depends on either. `user.name` is
//! Rancher's id of the user, the very name that the API server behind it logs as `impersonatedUser.username`, and so it
//! stands in the column of users; the login name and the principals are in the details.

mod path;

use serde_json::Value;

use super::controller::Told;
use super::details::{ControllerDetails, Destination, Initiator, ObjectName};
use super::fields::Fields;
use crate::model::{Level, LogKind, Stage, parse_rfc3339};

/// Whether Rancher's audit log has such a line.
pub(super) fn wrote(fields: &Fields<'_>) -> bool {
    let is_request = fields.has("requestURI") && (fields.has("method") || has_method_as_verb(fields));
    fields.has("auditID") && !fields.has("kind") && (is_request || is_old_answer(fields))
}

/// Up to 2.1 the HTTP method was called `verb`.
fn has_method_as_verb(fields: &Fields<'_>) -> bool {
    let verb = fields.text("verb");
    !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Up to 2.1 the answer had a line of its own without the URI, and its code as text.
fn is_old_answer(fields: &Fields<'_>) -> bool {
    fields.has("stage") && !fields.text("responseStatus").is_empty()
}

/// What a line of [`wrote`] tells. A request that is no change is told like any other: this is an audit log.
pub(super) fn read(fields: &Fields<'_>) -> Option<Told> {
    let uri = fields.text("requestURI");
    let method = fields.first_text(&["method", "verb"]);
    let user = fields.json("user").unwrap_or_default();
    let target = path::target(&method, &uri);
    let has_response = fields.has("responseBody");
    let level = match (fields.has("requestBody"), has_response) {
        (_, true) => Level::RequestResponse,
        (true, _) => Level::Request,
        _ => Level::Metadata,
    };
    // A stage's own time, which only 2.0 and 2.1 have, is that of the line; they write a space before the zone.
    let moment =
        |key| parse_rfc3339(fields.text(key).replacen(" +", "+", 1).replacen(" -", "-", 1).as_bytes());
    let stage_time = moment("stageTimestamp");
    let received = moment("requestTimestamp").or(stage_time);
    let time = moment("responseTimestamp").or(received);
    let stage = match fields.text("stage").as_ref() {
        "" => Stage::ResponseComplete,
        stage => Stage::parse(stage.as_bytes()),
    };
    let code = fields.number("responseCode").or_else(|| fields.number("responseStatus"));
    let request_headers = fields.json("requestHeader").unwrap_or_default();
    let peer = fields.text("remoteAddr");
    let addresses = strings(fields.json("sourceIPs").as_ref());
    let initiator = Initiator {
        user: text(&user, "name").to_owned(),
        display_name: first_filled([
            strings(user.pointer("/extra/username")).into_iter().next().unwrap_or_default(),
            fields.text("userLoginName").into_owned(),
        ]),
        principals: strings(user.pointer("/extra/principalid")),
        token_id: strings(user.pointer("/extra/requesttokenid")).into_iter().next().unwrap_or_default(),
        impersonated_user: text(&user, "requestUser").to_owned(),
        client_addresses: client_addresses(&request_headers),
        ..Initiator::default()
    };
    let object = target.object;
    Some(Told {
        log: LogKind::Rancher,
        stage,
        level,
        time,
        received,
        user: initiator.user.clone(),
        groups: user.get("group").map_or_else(String::new, |group| match strings(Some(group)) {
            groups if groups.is_empty() => String::new(),
            groups => Value::from(groups).to_string(),
        }),
        impersonated_user: initiator.impersonated_user.clone(),
        verb: target.verb,
        code: code.and_then(|code| u16::try_from(code).ok()).unwrap_or_default(),
        reason: failure(fields.json("responseBody").as_ref()),
        source_ip: match host(&peer) {
            "" => addresses.last().cloned().unwrap_or_default(),
            host => host.to_owned(),
        },
        user_agent: header(&request_headers, "User-Agent").into_iter().next().unwrap_or_default(),
        request_uri: uri.into_owned(),
        audit_id: fields.text("auditID").into_owned(),
        details: ControllerDetails {
            component: "rancher",
            operation_id: fields.text("auditID").into_owned(),
            subject: ObjectName { namespace: object.namespace.to_string(), name: object.name.to_string() },
            destination: Destination { cluster: target.cluster, ..Destination::default() },
            initiator,
            started: received,
            finished: time.filter(|_| stage == Stage::ResponseComplete),
            cluster_uri: target.cluster_uri,
            ..ControllerDetails::default()
        },
        object,
    })
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn first_filled<const N: usize>(texts: [String; N]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The values of a header; Go writes names in their canonical form, proxies may not.
fn header(headers: &Value, name: &str) -> Vec<String> {
    let members = headers.as_object().into_iter().flatten();
    members
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .flat_map(|(_, values)| strings(Some(values)))
        .collect()
}

fn client_addresses(headers: &Value) -> Vec<String> {
    let forwarded = header(headers, "X-Forwarded-For");
    let addresses: Vec<String> =
        forwarded.iter().flat_map(|list| list.split(',')).map(|address| address.trim().to_owned()).collect();
    if addresses.is_empty() { header(headers, "X-Real-Ip") } else { addresses }
}

/// The host of `ip:port` and `[v6]:port`.
fn host(peer: &str) -> &str {
    match peer.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None if peer.matches(':').count() == 1 => peer.split(':').next().unwrap_or(peer),
        None => peer,
    }
}

/// Why a request failed: `reason` of Kubernetes' Status, or `code` of Rancher's own errors, which is a word.
fn failure(body: Option<&Value>) -> String {
    let Some(body) = body else { return String::new() };
    if text(body, "kind") != "Status" && text(body, "type") != "error" {
        return String::new();
    }
    first_filled([text(body, "reason").to_owned(), text(body, "code").to_owned()])
}

#[cfg(test)]
mod tests;

//! The line of a record: its event as JSON, bodies and annotations included, written as a server or a log shipper writes
//! it; and the same event as it may be shown.

use kauditui::model::{Level, Stage, format_rfc3339};
use serde_json::{Map, Value, json};

use crate::pools::SECRETS;
use crate::record::Record;

/// The whole event. With `masked`, marks stand in the places of secret values.
pub fn event(
    record: &Record,
    decision_reason: &str,
    more_annotations: &[(&str, &str)],
    ingredients: [u8; 8],
    masked: bool,
) -> Value {
    let strings = |pairs: &[(&str, &str)]| {
        let mut members = Map::new();
        for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            members.insert((*key).to_owned(), Value::from(*value));
        }
        members
    };
    let mut user = strings(&[("username", &record.user)]);
    let mut extra = Map::new();
    for (key, value) in [
        ("credential-id", &record.credential),
        ("pod-name", &record.token_pod),
        ("node-name", &record.token_node),
    ] {
        if !value.is_empty() {
            extra.insert(format!("authentication.kubernetes.io/{key}"), json!([value]));
        }
    }
    for (key, value) in [("groups", json!(record.groups)), ("extra", Value::from(extra))] {
        if value.as_array().is_some_and(|all| !all.is_empty())
            || value.as_object().is_some_and(|all| !all.is_empty())
        {
            user.insert(key.to_owned(), value);
        }
    }
    let mut annotations = strings(&[
        ("authorization.k8s.io/decision", record.decision.name()),
        ("authorization.k8s.io/reason", decision_reason),
        ("authentication.kubernetes.io/issued-credential-id", &record.issued_credential),
    ]);
    match record.deprecated.as_str() {
        "" => {}
        "true" => drop(annotations.insert("k8s.io/deprecated".into(), "true".into())),
        release => drop(annotations.insert("k8s.io/removed-release".into(), release.into())),
    }
    annotations.extend(more_annotations.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));

    let mut event = strings(&[
        ("kind", "Event"),
        ("apiVersion", "audit.k8s.io/v1"),
        ("level", record.level.name()),
        ("auditID", &record.audit_id),
        ("stage", record.stage.name()),
        ("requestURI", &record.request_uri),
        ("verb", &record.verb),
    ]);
    event.insert("user".into(), user.into());
    if !record.impersonated_user.is_empty() {
        let mut impersonated = strings(&[("username", &record.impersonated_user)]);
        if !record.impersonated_groups.is_empty() {
            impersonated.insert("groups".into(), json!(record.impersonated_groups));
        }
        event.insert("impersonatedUser".into(), impersonated.into());
    }
    if !record.source_ip.is_empty() {
        event.insert("sourceIPs".into(), json!(["192.0.2.1", record.source_ip]));
    }
    event.extend(strings(&[("userAgent", &record.user_agent)]));
    let object = strings(&[
        ("resource", &record.resource),
        ("namespace", &record.namespace),
        ("name", &record.name),
        ("apiGroup", &record.api_group),
        ("apiVersion", &record.api_version),
        ("subresource", &record.subresource),
    ]);
    if !object.is_empty() {
        event.insert("objectRef".into(), object.into());
    }
    if record.code > 0 {
        let mut status = Map::new();
        status.insert("metadata".into(), json!({}));
        status.extend(strings(&[("reason", &record.reason)]));
        status.insert("code".into(), record.code.into());
        event.insert("responseStatus".into(), status.into());
    }
    // The level says which bodies there are (`k8s.io/apiserver/pkg/apis/audit`, `Level`).
    let has_request = matches!(record.level, Level::Request | Level::RequestResponse | Level::Unknown);
    let has_response = matches!(record.level, Level::RequestResponse | Level::Unknown);
    for (key, has, template) in [
        ("requestObject", has_request, &ingredients[1..4]),
        ("responseObject", has_response, &ingredients[4..7]),
    ] {
        if has
            && record.stage != Stage::RequestReceived
            && let Some(body) = body(record, template, masked)
        {
            event.insert(key.into(), body);
        }
    }
    event.insert("requestReceivedTimestamp".into(), format_rfc3339(record.received).into());
    event.insert("stageTimestamp".into(), format_rfc3339(record.stage_time).into());
    if !annotations.is_empty() {
        event.insert("annotations".into(), annotations.into());
    }
    event.into()
}

/// One of a few bodies, or none.
fn body(record: &Record, ingredients: &[u8], masked: bool) -> Option<Value> {
    let [template, number, flags] = ingredients.try_into().ok()?;
    let secret = |plain: Value| {
        let bytes = plain.as_str().map_or_else(|| plain.to_string().len(), str::len);
        match masked && bytes > 0 {
            true => json!(format!("‹masked, {bytes} byte{}›", if bytes == 1 { "" } else { "s" })),
            false => plain,
        }
    };
    let mut metadata = json!({ "name": record.name });
    if flags & 1 == 0 {
        metadata["resourceVersion"] = json!((flags >> 1 & 1).to_string());
    }
    if flags & 4 == 0 {
        metadata["labels"] =
            json!({ "app.kubernetes.io/name": "web", "tier": (["back", "Front"][number as usize % 2]) });
    }
    let object = if record.resource == "secrets" {
        json!({
            "kind": "Secret",
            "metadata": metadata,
            "data": { "key": secret(json!(SECRETS[0])), "number": secret(json!(number)), "empty": "" },
            "stringData": { "plain.txt": secret(json!(SECRETS[1])) },
            "type": "Opaque",
        })
    } else if record.resource == "configmaps" {
        json!({ "kind": "ConfigMap", "metadata": metadata, "data": { "mode": "fast", "plain.txt": SECRETS[1] } })
    } else {
        json!({
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": number % 4,
                "paused": number > 127,
                "ratio": f64::from(number % 8) / 4.0,
                "image": (["nginx:1.27", "Nginx & co", "größe\n\u{1f600}"][number as usize % 3]),
                "containers": [
                    { "name": "web", "args": ["-c", format!("x\t{}", number % 3)] },
                    { "name": "side", "args": [] },
                ],
                "empty": "",
                "nothing": null,
                "odd key": { "a.b": { "c~d": number % 2 } },
            },
        })
    };
    let patched = if record.resource == "secrets" { "/data/key" } else { "/spec/replicas" };
    let value = json!(number % 4);
    Some(match template % 6 {
        0 => return None,
        1 => json!([
            { "op": "replace", "path": patched, "value": if record.resource == "secrets" { secret(value) } else { value } },
            { "op": "test", "path": "/kind", "value": [1, [2, number % 3]] },
        ]),
        2 => {
            json!({ "kind": format!("{}List", object["kind"].as_str()?), "items": [object, { "metadata": {} }] })
        }
        _ => object,
    })
}

/// The text of `value` as compact JSON in which `character` writes the characters of strings.
pub fn write_json(value: &Value, out: &mut String, character: &mut dyn FnMut(char, &mut String)) {
    match value {
        Value::String(text) => write_string(text, out, character),
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_json(element, out, character);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_string(key, out, character);
                out.push(':');
                write_json(member, out, character);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_string(text: &str, out: &mut String, character: &mut dyn FnMut(char, &mut String)) {
    out.push('"');
    text.chars().for_each(|c| character(c, out));
    out.push('"');
}

/// The event as a server, a log shipper or nobody at all would write it.
pub fn line(event: &Value, style: u8) -> String {
    if style < 100 {
        return event.to_string();
    }
    let mut out = String::new();
    let mut count = 0u8;
    write_json(event, &mut out, &mut |c, out| {
        count = count.wrapping_add(1);
        let escaped = match style {
            // Go's `encoding/json`.
            100..180 => matches!(c, '&' | '<' | '>'),
            // Python's `json`.
            180..220 => !c.is_ascii(),
            _ => count.is_multiple_of(style - 217),
        };
        match c {
            '"' | '\\' if !escaped => out.extend(['\\', c]),
            '/' if style == 255 => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            c if escaped || c.is_control() => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    });
    out
}

//! Masking, by rule, by property, and over every secret of the recorded logs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The members of an event about a Secret around a body.
fn secret_event(member: &str, body: Value) -> Value {
    json!({"kind": "Event", "verb": "patch", "objectRef": {"resource": "secrets", "name": "db-credentials"}, member: body})
}

/// Masks an event as text and as a value, which must agree, and twice, which must change nothing.
fn masked(event: &Value) -> String {
    let text = event.to_string();
    let shown = masked_json(text.as_bytes());
    let mut value = event.clone();
    let count = mask_event(&mut value);
    assert_eq!(value.to_string(), shown);
    assert_eq!(count > 0, holds_secret(text.as_bytes()));
    assert_eq!(masked_json(shown.as_bytes()), shown, "masked twice");
    shown
}

#[track_caller]
fn hides(event: &Value) {
    let shown = masked(event);
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    assert!(shown.contains("‹masked, "), "{shown}");
}

#[test]
fn secrets_in_every_kind_of_body() {
    let secret =
        json!({"kind": "Secret", "metadata": {"name": "db-credentials"}, "data": {"pw": "aHVudGVyMg=="}});
    let applied = json!({"metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": secret.to_string()}}});
    let broken = json!({"metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"pw\":\"aHVudGVyMg"}}});
    for body in [
        secret.clone(),
        json!({"kind": "SecretList", "items": [{"data": {"pw": "aHVudGVyMg=="}}]}),
        json!({"kind": "Table", "rows": [{"cells": ["db-credentials", 1], "object": secret}]}),
        json!({"stringData": {"pw": "hunter2", "n": {"deeper": ["hunter2"]}}}),
        json!([{"op": "replace", "path": "/data/pw", "value": "aHVudGVyMg=="}]),
        json!([{"op": "add", "path": "/data", "value": {"pw": "aHVudGVyMg=="}}]),
        json!([{"op": "replace", "path": "", "value": "hunter2"}]),
        json!("hunter2"),
        json!({"kind": "Status", "message": "cannot decode, error found in #10 byte of ...|pw\":\"hunter2|"}),
        applied.clone(),
        broken,
    ] {
        hides(&secret_event("requestObject", body.clone()));
        hides(&secret_event("responseObject", body));
    }
    // The same where nothing but the object itself tells of a Secret.
    hides(&json!({"requestObject": {"kind": "List", "items": [secret]}}));
    hides(&json!({"responseObject": applied}));
    hides(
        &json!({"requestURI": "/api/v1/namespaces/prod/secrets/db", "requestObject": {"data": {"pw": "hunter2"}}}),
    );
    hides(
        &json!({"kind": "EventList", "items": [secret_event("requestObject", json!({"data": {"pw": "hunter2"}}))]}),
    );
    hides(&secret_event(
        "annotations",
        json!({"patch.webhook.admission.k8s.io/round_0_index_0":
        json!({"patch": [{"op": "add", "path": "/data/pw", "value": "hunter2"}], "patchType": "JSONPatch"}).to_string()}),
    ));
    let manifest = "apiVersion: v1\nkind: Secret\nstringData:\n  pw: hunter2\n";
    hides(&json!({"requestObject": {"kind": "ConfigMap", "data": {"manifest.yaml": manifest}}}));
}

#[test]
fn keys_names_and_lengths_stay() {
    let event = secret_event(
        "requestObject",
        json!({"metadata": {"name": "db-credentials"}, "type": "Opaque",
        "data": {"password": "aHVudGVyMg==", "empty": "", "none": null}}),
    );
    let shown: Value = serde_json::from_str(&masked(&event)).expect("JSON");
    let body = &shown["requestObject"];
    assert_eq!(body["data"], json!({"password": "‹masked, 12 bytes›", "empty": "", "none": null}));
    assert_eq!((&body["metadata"]["name"], &body["type"]), (&json!("db-credentials"), &json!("Opaque")));
    assert_eq!(shown["objectRef"], event["objectRef"]);
    assert_eq!(ascii_marks("a ‹masked, 1 byte› b"), "a <masked, 1 byte> b");
}

#[test]
fn credentials_by_name_and_by_shape() {
    for body in [
        json!({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}),
        json!({"key": "api-key", "value": "hunter2"}),
        json!({"spec": {"token": "hunter2"}}),
        json!({"status": {"clientSecret": "hunter2"}}),
        json!({"extra": {"token": ["hunter2"]}}),
        json!({"command": ["mysql", "--password", "hunter2"]}),
        json!({"command": ["sh", "-c", "mysql --password=hunter2"]}),
        json!([{"op": "add", "path": "/spec/password", "value": "hunter2"}]),
        json!({"data": {"app.yaml": "db:\n  password: hunter2\n  host: h\n"}}),
        json!({"data": {"app.yaml": "db:\n  password: |\n    hunter2\n  host: h\n"}}),
        json!({"data": {"app.json": "{\"db\":{\"password\":\"hunter2\"}}"}}),
        json!({"data": {"cut.json": "{\"db\":{\"password\":\"hun\\\\\\\"ter2hunter2"}}),
        // `password=hunter2` in base64
        json!({"binaryData": {"app.properties": "cGFzc3dvcmQ9aHVudGVyMg=="}}),
    ] {
        hides(&json!({"requestObject": body}));
    }
}

#[test]
fn what_only_refers_to_a_secret_stays() {
    for body in [
        json!({"volumes": [{"name": "token", "secret": {"secretName": "app-creds", "optional": true}}]}),
        json!({"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}),
        json!({"env": [{"name": "DB_PASSWORD", "value": "$(OTHER)"}]}),
        json!({"extra": {"authentication.kubernetes.io/credential-id": ["JTI=532227e4-b8dd-4ef8-bcb4-9280db86d0d9"]}}),
        json!({"annotations": {"apiserver.latency.k8s.io/authorization": "6.27µs"}}),
        json!({"annotations": {"authentication.k8s.io/legacy-token": "system:serviceaccount:a:b"}}),
        json!({"automountServiceAccountToken": true, "expirationSeconds": 3607, "path": "token"}),
        json!({"resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db-credentials"]}),
        json!({"message": "MountVolume.SetUp failed for volume \"v\" : secret \"db\" not found"}),
        json!({"message": "User \"a\" cannot list secrets: bearer token expired, basic authentication is off"}),
        json!({"kind": "ConfigMap", "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n"}}),
        json!({"spec": {"request": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ2V6Q0NBV01DQVFBd05qRVY="}}),
        json!({"args": ["--authorization-mode=RBAC", "--token-auth-file=/etc/t", "--client-ca-file=/x"]}),
    ] {
        let event = json!({"requestObject": body});
        assert_eq!(masked(&event), event.to_string());
    }
}

#[test]
fn bodies_and_headers_of_ranchers_audit_log() {
    for event in [
        json!({"requestURI": "/v3/project/c:p/namespacedSecrets", "method": "POST", "requestBody": {"data": {"pw": "hunter2"}}}),
        json!({"requestURI": "/v1/secrets/prod", "method": "POST", "requestBody": "hunter2"}),
        json!({"requestURI": "/v3/tokens", "method": "POST", "responseBody": {"name": "token-x", "token": "token-x:hunter2"}}),
        json!({"requestURI": "/v3/clusters/c?action=generateKubeconfig", "method": "POST",
            "responseBody": {"config": "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: \"hunter2\"\n"}}),
        json!({"requestURI": "/v3-public/localProviders/local?action=login", "method": "POST",
            "requestBody": {"username": "alice", "password": "hunter2"}, "requestHeader": {"Cookie": ["R_SESS=hunter2"]}}),
    ] {
        hides(&event);
    }
}

#[test]
fn what_cannot_be_judged_is_withheld_alone() {
    let deep = format!("{}{{\"kind\":\"Secret\",\"data\":\"hunter2\"}}{}", "[".repeat(200), "]".repeat(200));
    let twice = r#"{"kind":"Secret","kind":"ConfigMap","data":{"pw":"hunter2"}}"#;
    for body in [deep.as_str(), twice, r#""hunter2\ud800""#] {
        let line = format!(r#"{{"auditID":"a","requestObject":{body},"verb":"create"}}"#);
        let shown = masked_json(line.as_bytes());
        let mark = format!("‹masked, {} bytes›", body.len());
        assert_eq!(shown, format!(r#"{{"auditID":"a","requestObject":"{mark}","verb":"create"}}"#));
        assert!(holds_secret(line.as_bytes()));
        // The same inside of a string.
        let quoted = json!({"metadata": {"annotations": {"x": body}}}).to_string();
        assert!(!masked_json(quoted.as_bytes()).contains("hunter2"));
    }
    for broken in [&b"{\"requestObject\":{\"data\":\"hunter2"[..], b"hunter2", b"\"hunter2"] {
        assert_eq!(masked_json(broken), format!("\"‹masked, {} bytes›\"", broken.len()));
        assert!(holds_secret(broken));
    }
    // A second objectRef cannot talk the first one out of it.
    let line = br#"{"objectRef":{"resource":"secrets"},"objectRef":{"resource":"pods"},"requestObject":{"data":{"a":"hunter2"}}}"#;
    assert!(!masked_json(line).contains("hunter2"));
    assert!(!masked_json(b"{\"x\":\"\xff\",\"password\":\"hunter2\"}").contains("hunter2"));
}

#[test]
fn json_in_strings_in_strings() {
    let mut body = json!({"kind": "Secret", "data": {"pw": "hunter2"}});
    for level in 1..=6 {
        body = json!({"kind": "ConfigMap", "annotations": {"inner": body.to_string()}});
        let shown = masked(&json!({"responseObject": body}));
        assert!(!shown.contains("hunter2"), "level {level}: {shown}");
    }
}

#[test]
fn single_values() {
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
    let pairs = [
        ("/apis/x?watch=true&token=abc&timeout=5", "/apis/x?watch=true&token=‹masked, 3 bytes›&timeout=5"),
        ("/oauth/authorize?code=a%20b&state=", "/oauth/authorize?code=‹masked, 3 bytes›&state="),
        (
            "/exec?command=--token&command=abc&stdin=1",
            "/exec?command=--token&command=‹masked, 3 bytes›&stdin=1",
        ),
        ("/exec?command=a+--password%3Dabc+b", "/exec?command=a+--password=‹masked, 3 bytes›+b"),
        ("/exec?command=%2574oken%253Dabc", "/exec?command=‹masked, 9 bytes›"),
        ("/exec?command=a%3Fb&command=token%3Dx", "/exec?command=a%3Fb&command=token=‹masked, 1 byte›"),
        ("https://me:p@ss@host/x", "https://me:‹masked, 4 bytes›@host/x"),
        ("GET https://h/x?sig=ab&a=1 now", "GET https://h/x?sig=‹masked, 2 bytes›&a=1 now"),
        ("Authorization: Bearer abcdef12", "Authorization: ‹masked, 15 bytes›"),
        ("curl -H 'Bearer abcdef12'", "curl -H 'Bearer ‹masked, 8 bytes›'"),
        ("x Basic YTpi y", "x Basic ‹masked, 4 bytes› y"),
        ("run --api-key \"a b\" --v", "run --api-key \"‹masked, 3 bytes›\" --v"),
        ("k=password=a,b&c", "k=password=‹masked, 3 bytes›&c"),
        ("password=eyJhbGciOiJ,tail x", "password=‹masked, 16 bytes› x"),
        ("password=-x --token --v", "password=‹masked, 2 bytes› --token --v"),
        ("password: a https://u:p@h", "password: ‹masked, 15 bytes›"),
        ("ghp_0123456789abcdef", "‹masked, 20 bytes›"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHc\n", "‹masked, 35 bytes›"),
    ];
    for (text, shown) in pairs {
        assert_eq!(mask_text(text), shown);
        assert_eq!(mask_text(shown), shown, "masked twice");
    }
    assert_eq!(mask_text(&format!("agent/{jwt} x")), format!("agent/‹masked, {} bytes› x", jwt.len()));
    for text in [
        "",
        "/api/v1/namespaces/prod/secrets/db-credentials?watch=true&resourceVersion=12",
        "/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0&limit=500",
        "/api/v1/namespaces/a/serviceaccounts/b/token",
        "kubectl/v1.33.0 (linux/amd64) kubernetes/60a317e",
        "system:serviceaccount:kube-system:token-cleaner",
        "RBAC: allowed by ClusterRoleBinding \"system:basic-user\" of ClusterRole \"system:basic-user\"",
    ] {
        assert!(matches!(mask_text(text), Cow::Borrowed(same) if same == text), "{text:?}");
    }
}

/// The fragments in base64 that [`text`] looks for are found at whatever place the key or token stands.
#[test]
fn keys_and_tokens_in_base64() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |text: &str| -> String {
        let bits: Vec<bool> =
            text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        let sextet =
            |group: &[bool]| (0..6).fold(0, |sum, at| sum * 2 + usize::from(group.get(at) == Some(&true)));
        bits.chunks(6).map(|group| char::from(ALPHABET[sextet(group)])).collect()
    };
    for secret in [
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJSUzI1NiJ9.e30.x",
        "eyJ0eXAiOiJKV1QiLCJh.e30.x",
        "eyJraWQiOiJ4IiwiYWxn.e30.x",
    ] {
        for before in ["", "x", "xy", "xyz"] {
            let encoded = encode(&format!("{before}{secret}"));
            assert_eq!(mask_text(&format!("a: {encoded}")), format!("a: ‹masked, {} bytes›", encoded.len()));
        }
    }
}

proptest! {
    #[test]
    fn masking_twice_is_masking_once(text in "[-/?&=%:@ '\"{}a-c2\\\\\n]{0,8}((password|token|Bearer |://|--secret|eyJhbGciOi|kind: Secret|‹masked, 3 bytes›)[-/?&=%:@ '\"{}a-c2\\\\\n]{0,8}){0,4}") {
        let once = mask_text(&text).into_owned();
        prop_assert_eq!(mask_text(&once), once.as_str());
    }

    #[test]
    fn no_bytes_break_it(line in proptest::collection::vec(any::<u8>(), 0..80)) {
        let shown = masked_json(&line);
        prop_assert!(serde_json::from_str::<Value>(&shown).is_ok(), "{}", shown);
    }
}

/// Every string below a value.
fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(string) => _ = found.insert(string.clone()),
        Value::Array(elements) => elements.iter().for_each(|element| strings(element, found)),
        Value::Object(object) => object.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// The secrets of an event by a way of its own: strings of `data` and `stringData` wherever the event or an object
/// deals with Secrets, with what they are in base64, and every word that looks like a JWT.
fn secrets_of(value: &Value, about_secrets: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let kind = value["kind"].as_str();
            let about_secrets = about_secrets || matches!(kind, Some("Secret" | "SecretList"));
            for (key, member) in object {
                if about_secrets && (key == "data" || key == "stringData") {
                    let mut values = BTreeSet::new();
                    strings(member, &mut values);
                    let decoded: Vec<String> = values
                        .iter()
                        .filter_map(|value| base64::decode(value))
                        .filter_map(|bytes| String::from_utf8(bytes).ok())
                        .collect();
                    found.extend(values.into_iter().chain(decoded));
                }
                secrets_of(member, about_secrets, found);
            }
        }
        Value::Array(elements) => {
            elements.iter().for_each(|element| secrets_of(element, about_secrets, found))
        }
        Value::String(string) => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str::<Value>(string) {
                secrets_of(&inner, about_secrets, found);
            }
            let words = string.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
            found.extend(
                words.filter(|word| word.starts_with("eyJ") && word.contains('.')).map(str::to_owned),
            );
        }
        _ => {}
    }
}

#[test]
fn no_secret_of_the_recorded_logs_is_left() {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    for (name, secrets, withheld) in [("incident-full.jsonl", 67, 113), ("ordinary-full.jsonl", 23, 44)] {
        let Ok(text) = std::fs::read_to_string(shared.join("data/kube").join(name)) else {
            assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "{name} must be there");
            eprintln!("skipped: no {name} in {}", shared.display());
            continue;
        };
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let mut found = BTreeSet::new();
        for event in &events {
            secrets_of(event, event["objectRef"]["resource"] == "secrets", &mut found);
        }
        found.retain(|secret| secret.len() >= 6);
        let shortest = found.iter().map(String::len).min().unwrap_or(0);
        let mut lines_withheld = 0;
        for (line, event) in text.lines().zip(&events) {
            let mut shown = masked_json(line.as_bytes());
            for column in ["requestURI", "userAgent"] {
                shown.push('\n');
                shown.push_str(&mask_text(event[column].as_str().unwrap_or_default()));
            }
            for secret in &found {
                assert!(shortest >= 6 && !shown.contains(secret.as_str()), "{secret} in {shown}");
            }
            lines_withheld += usize::from(holds_secret(line.as_bytes()));
        }
        assert_eq!((found.len(), lines_withheld), (secrets, withheld), "{name}");
    }
}

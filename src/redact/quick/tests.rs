//! The quick question against masking itself: over recorded lines, over recorded lines that were broken, and over
//! events made of what the rules look for.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::mask_line;
use super::may_hold_secret;

/// A line of which something is masked is announced.
fn is_announced(line: &[u8]) -> bool {
    may_hold_secret(line) || mask_line(line).1 == 0
}

fn recorded() -> Vec<String> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    let logs = ["incident-full", "incident-lowwrite", "incident-meta", "ordinary-full", "ordinary-meta"];
    for path in logs
        .iter()
        .map(|name| shared.join(format!("data/kube/{name}.jsonl")))
        .chain([root.join("tests/data/incident-small.jsonl")])
    {
        match std::fs::read_to_string(&path) {
            Ok(text) => lines.extend(text.lines().map(str::to_owned)),
            Err(_) => assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "{}", path.display()),
        }
    }
    lines
}

#[test]
fn recorded_lines_are_announced_and_few_in_vain() {
    let lines = recorded();
    let (mut announced, mut bodies, mut announced_bodies) = (0, 0, 0);
    for line in &lines {
        let is_yes = may_hold_secret(line.as_bytes());
        assert!(is_announced(line.as_bytes()), "{line}");
        announced += usize::from(is_yes);
        let has_body = line.contains(",\"responseObject\":");
        bodies += usize::from(has_body);
        announced_bodies += usize::from(has_body && is_yes);
    }
    println!("announced: {announced} of {} lines, {announced_bodies} of {bodies} with bodies", lines.len());
    assert!(announced * 4 < lines.len(), "{announced} of {}", lines.len());
}

/// Any change of a few bytes: cut, doubled, replaced by what the rules look for.
#[test]
fn broken_lines_are_announced() {
    const PIECES: [&str; 30] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "%",
        "?",
        "&sig=",
        "=",
        "\\u0070",
        "\\ud800",
        "1e999",
        "00",
        "\u{17f}",
        "\u{212a}",
        "password",
        " --token x",
        "Secret",
        "secrets",
        "\"data\":{\"a\":\"b\"},",
        "kind: Secret\\ndata:",
        "https://u:p@h",
        "Bearer abcdef12",
        "eyJhbGciOi",
        "\"value\":\"x\",\"name\":\"DB_PASSWORD\",",
        "\u{1}",
        "cGFzc3dvcmQ9aHVudGVyMg==",
    ];
    let lines = recorded();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    let (mut masked, mut passed_over) = (0, 0);
    for round in 0..3000 {
        let mut line = lines[random(lines.len())].clone().into_bytes();
        line.truncate(6000);
        if round % 2 == 0 {
            line = lines[random(lines.len())].clone().into_bytes();
        }
        for _ in 0..=random(3) {
            let at = random(line.len());
            match random(3) {
                0 => drop(line.drain(at..(at + 1 + random(8)).min(line.len()))),
                1 => drop(line.splice(at..at, PIECES[random(PIECES.len())].bytes())),
                _ => {
                    let copied = line[at..(at + random(60)).min(line.len())].to_vec();
                    drop(line.splice(at..at, copied));
                }
            }
        }
        assert!(is_announced(&line), "{}", String::from_utf8_lossy(&line));
        masked += usize::from(mask_line(&line).1 > 0);
        passed_over += usize::from(!may_hold_secret(&line));
    }
    assert!(masked > 500 && passed_over > 50, "{masked} masked, {passed_over} passed over");
}

fn text() -> impl Strategy<Value = String> {
    let word = "(PASSWORD|db-password|passwd|db_pwd|pwd|passphrase|secret|Secret|SecretList|secrets|token|credentials|\
authorization|cookie|api-key|apikey|private key|PRIVATE KEY|client-key-data|bearer|Basic|kind|data|stringData|eyJhbGciOi|ghp_0123456789|\
code|state|sig|session_state|x|web-1|/api/v1|hunter2|aHVudGVyMg|cGFzc3dvcmQ9aHVudGVyMg|a2luZDogU2VjcmV0CmRhdGE6IHg)";
    let joint = "(| |: |:\n  |=|\\?|&|%3D|%20|%3A%2F%2F|%2570|\\+|-|--|/|://|u:p@|\"|'|\\\\|\n|\t|<|é|\u{2028}|\u{17f}|\u{212a}|=\"|\" : \")";
    proptest::string::string_regex(&format!("({joint}{word}){{0,5}}{joint}")).expect("a pattern of this test")
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "(kind|name|key|value|path|op|data|stringData|resource|requestURI|objectRef|items|message|token|clientSecret|a|b)",
        Just("kubectl.kubernetes.io/last-applied-configuration".to_owned()),
        Just("apiserver.latency.k8s.io/authorization".to_owned()),
        text(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => any::<i32>().prop_map(|n| json!(n)),
        1 => Just(Value::Null),
        1 => text().prop_map(|text| Value::String(json!({"password": text}).to_string())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_masked_is_announced(members in prop::collection::vec((key(), value()), 0..4)) {
        let event = Value::Object(members.into_iter().collect()).to_string();
        prop_assert!(is_announced(event.as_bytes()), "{}", event);
        // As encoding/json writes it.
        let written = event.replace('&', "\\u0026").replace('<', "\\u003c").replace('\u{2028}', "\\u2028");
        prop_assert!(is_announced(written.as_bytes()), "{}", written);
    }
}

#[test]
fn what_the_server_writes_day_by_day_is_passed_over() {
    for line in [
        r#"{"requestURI":"/api/v1/pods?labelSelector=app%3Dweb%2Cx\u0026watch=true","userAgent":"kubectl/v1.33.0 (linux/amd64) kubernetes/60a317e"}"#,
        r#"{"user":{"username":"system:serviceaccount:kube-system:token-cleaner","extra":{"authentication.kubernetes.io/credential-id":["JTI=532227e4-b8dd-4ef8-bcb4-9280db86d0d9"]}}}"#,
        r#"{"annotations":{"authorization.k8s.io/decision":"allow","apiserver.latency.k8s.io/authorization":"6.27µs","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"system:basic-user\""}}"#,
        r#"{"volumes":[{"name":"token","secret":{"secretName":"app"}}],"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}],"n":[0,-1.5,true,null,""]}"#,
        r#"{"f:metadata":{"k:{\"type\":\"Ready\"}":{},"k:{\"type\":\"Read\"}":{}}}"#,
    ] {
        assert!(!may_hold_secret(line.as_bytes()), "{line}");
        assert_eq!(mask_line(line.as_bytes()).1, 0, "{line}");
    }
    for line in [
        "",
        "{",
        "[]",
        "AUDIT: id=1",
        r#"{"a":1,"a":2}"#,
        r#"{"a":1}x"#,
        r#"{"a":01}"#,
        "{\"a\":\"\\ud800\"}",
    ] {
        assert!(may_hold_secret(line.as_bytes()), "{line}");
    }
}

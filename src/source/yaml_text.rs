//! YAML files of events as lines of JSON: what `kubectl -o yaml` style exports and test suites hold. [`super::archive`]
//! tells them by content and unpacks them like any other packing; whoever reads sees one JSON document a line.

use serde::Deserialize;
use serde_json::Value;

/// Larger files are no exports of a few events; they are read as what they are, line by line.
pub const LARGEST: u64 = 16 << 20;

/// Keys at the top of an event, or of an entry of Google's log, by which such a file is told.
const TELLING: [&str; 2] = ["apiVersion: audit.k8s.io/", "protoPayload:"];

/// Whether a file that begins like this is YAML that holds events: comments and the marks of documents aside, its first
/// line is a key, and a key of an event stands at the top.
pub fn is_yaml(beginning: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(beginning).or_else(|error| {
        // The beginning may end inside of a character.
        std::str::from_utf8(&beginning[..error.valid_up_to()])
    }) else {
        return false;
    };
    let mut lines = text.lines().filter(|line| {
        let line = line.trim_end();
        !line.is_empty() && !line.starts_with('#') && line != "---"
    });
    let top = |line: &str| line.strip_prefix("- ").unwrap_or(line).to_owned();
    let Some(first) = lines.next().map(top) else { return false };
    let is_key = first
        .split_once(':')
        .is_some_and(|(key, rest)| is_name(key) && (rest.is_empty() || rest.starts_with(' ')));
    let keys: Vec<String> = std::iter::once(first).chain(lines.map(top)).collect();
    let has = |wanted: &str| keys.iter().any(|key| key.starts_with(wanted));
    is_key && (TELLING.into_iter().any(has) || (has("auditID:") && has("level:")))
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The documents of a YAML text, each as one line of JSON; `None` where it is no YAML.
pub fn as_json_lines(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for document in yaml_serde::Deserializer::from_slice(text) {
        let document = Value::deserialize(document).ok()?;
        let parts = match document {
            Value::Array(parts) => parts,
            Value::Null => continue,
            other => vec![other],
        };
        for part in parts {
            serde_json::to_writer(&mut lines, &part).ok()?;
            lines.push(b'\n');
            // Anchors let a few lines stand for more than memory holds.
            if lines.len() as u64 > 4 * LARGEST {
                return None;
            }
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yaml_with_events_is_yaml() {
        assert!(is_yaml(b"# a comment\n---\nkind: EventList\napiVersion: audit.k8s.io/v1\nitems: []\n"));
        assert!(is_yaml(b"- kind: Event\n  apiVersion: audit.k8s.io/v1\n- apiVersion: audit.k8s.io/v1\n"));
        assert!(is_yaml(b"annotations:\n  a: b\nauditID: x\nlevel: Metadata\n"));
        assert!(is_yaml(b"insertId: a\nprotoPayload:\n  methodName: x\n"));
        for other in [
            &b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\"}\n"[..],
            b"apiVersion: v1\nkind: Pod\n",
            b"I1120 10:00:00.000000 1 server.go:1] apiVersion: audit.k8s.io/v1\n",
            b"time=\"x\" level=info msg=\"protoPayload:\"\n",
            b"2026-11-20T10:00:00Z stdout F {}\napiVersion: audit.k8s.io/v1\n",
            b"",
            b"\xff\xfe",
        ] {
            assert!(!is_yaml(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn each_document_is_a_line() {
        let lines = as_json_lines(b"a: 1\nb: [x, 'y: z']\n---\n- c: true\n- d: \"1\"\n").expect("YAML");
        assert_eq!(
            String::from_utf8_lossy(&lines),
            "{\"a\":1,\"b\":[\"x\",\"y: z\"]}\n{\"c\":true}\n{\"d\":\"1\"}\n"
        );
        assert_eq!(as_json_lines(b"a: [1\nb"), None);
    }

    #[test]
    fn anchors_do_not_fill_memory() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{}]\n", below.trim_end_matches(", "));
        }
        assert_eq!(as_json_lines(bomb.as_bytes()), None);
    }
}

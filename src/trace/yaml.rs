//! A value as YAML that every reader takes for the same: strings that YAML 1.1, which kubectl reads, would take for
//! something else (`yes`, `0x10`, `1_000`, `12:30`) stand in quotes, as JSON writes them.

use serde_json::Value;

/// The value as a YAML document in block style.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => write_members(members.iter(), 0, &mut out),
        Value::Array(items) if !items.is_empty() => write_items(items, 0, &mut out),
        // A block's lines are indented here too: at the margin, one of them could be taken for an item or a document's end.
        other => {
            write_scalar(other, 2, &mut out);
            out.push('\n');
        }
    }
    out
}

fn write_members<'v>(
    members: impl Iterator<Item = (&'v String, &'v Value)>,
    indent: usize,
    out: &mut String,
) {
    for (at, (key, value)) in members.enumerate() {
        // The first one stands behind what its item began with.
        if at > 0 || out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&plain_or_quoted(key));
        out.push(':');
        match value {
            Value::Object(below) if !below.is_empty() => {
                out.push('\n');
                write_members(below.iter(), indent + 2, out);
            }
            // kubectl writes the items of a list where its name stands.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_items(items, indent, out);
            }
            scalar => {
                out.push(' ');
                write_scalar(scalar, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn write_items(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        if out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => write_members(members.iter(), indent + 2, out),
            Value::Array(below) if !below.is_empty() => write_items(below, indent + 2, out),
            scalar => {
                write_scalar(scalar, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                out.push('\n');
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent));
                    out.push_str(line);
                }
            }
        }
        Value::String(text) => out.push_str(&plain_or_quoted(text)),
        other => out.push_str(&other.to_string()),
    }
}

/// Whether a text reads best as a block of its lines, and comes back from one unchanged.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let readable = |c: char| {
        c == '\n'
            || c == '\t'
            || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{85}'))
    };
    body.contains('\n')
        && text.chars().all(readable)
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && body.split('\n').all(|line| !line.ends_with([' ', '\t']) && !line.starts_with('\t'))
}

/// A string as it is where nothing in it means anything to any YAML, and otherwise as JSON writes it, with what YAML may
/// not hold or takes for the end of a line escaped.
fn plain_or_quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

fn is_plain(text: &str) -> bool {
    const MEANS_SOMETHING: [&str; 11] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let first = text.chars().next();
    let begins_like_a_word = first.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '_'));
    let ordinary = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ' ' | '-' | '_' | '.' | '/' | ':' | '@' | '+' | '=' | ',' | '(' | ')' | '%')
    };
    begins_like_a_word
        && text.chars().all(ordinary)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !MEANS_SOMETHING.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_looks_like_kubectls() {
        let value = json!({"kind": "Pod", "metadata": {"name": "web", "labels": {}}, "spec": {
            "containers": [{"name": "a", "args": ["-c", "echo hi"], "env": []}, {"name": "b"}], "on": "yes"},
            "script": "a\n  b\n", "list": [1, null, true, "1.10", [1]]});
        assert_eq!(
            yaml(&value),
            "kind: Pod\nmetadata:\n  name: web\n  labels: {}\nspec:\n  containers:\n  - name: a\n    args:\n    - \"-c\"\n    \
             - echo hi\n    env: []\n  - name: b\n  \"on\": \"yes\"\nscript: |\n  a\n    b\nlist:\n- 1\n- null\n- true\n- \"1.10\"\n- - 1\n"
        );
    }

    /// Go's reader refuses control characters, and YAML 1.1 ends lines at three more than JSON.
    #[test]
    fn what_yaml_may_not_hold_is_escaped() {
        let hostile =
            json!({"a": "x\u{85}y\u{2028}z\u{7f}\u{9b}2J\u{feff}\u{1b}[2J", "b": "one\ntwo\u{85}\n"});
        let text = yaml(&hostile);
        assert_eq!(
            text,
            "a: \"x\\u0085y\\u2028z\\u007f\\u009b2J\\ufeff\\u001b[2J\"\nb: \"one\\ntwo\\u0085\\n\"\n"
        );
        assert_eq!(yaml_serde::from_str::<Value>(&text).ok(), Some(hostile));
    }

    #[test]
    fn a_block_at_the_root_is_indented() {
        for (text, written) in [
            ("a\n-", "|-\n  a\n  -\n"),
            ("a\n---\n", "|\n  a\n  ---\n"),
            ("a\n...\n\n# b", "|-\n  a\n  ...\n\n  # b\n"),
        ] {
            assert_eq!(yaml(&text.into()), written);
            assert_eq!(yaml_serde::from_str::<String>(written).ok().as_deref(), Some(text));
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[ -~]{0,8}", "[a-z\\n \\t:#-]{0,12}", "\\PC{0,6}", Just("0o17".to_owned())];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,5}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn another_reader_reads_the_same(value in any_value()) {
            let text = yaml(&value);
            let back: Result<Value, _> = yaml_serde::from_str(&text);
            prop_assert_eq!(back.ok(), Some(value), "{}", text);
        }
    }
}

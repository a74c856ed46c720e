//! Credentials in plain text: an argument list, a URI, a message, a file inside of a ConfigMap.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::mark::{OPENING, is_mark, mark};
use super::names::{CREDENTIAL, is_credential, is_reference};
use super::{base64, pattern, uri};

/// How deep texts may be nested into each other (a URI within a parameter of a URI) before one is masked as a whole.
const NESTING: u8 = 4;

/// What any of the patterns below needs, as a quick test: most values of a log have none of it.
static SUSPICIOUS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        "(?i:{CREDENTIAL}|bearer|basic|private key|kind|eyj|://|[?%])|{ENCODED_BASE64}|{KNOWN_TOKEN}"
    ))
});

/// `PRIVATE KEY`, and the beginnings of a JWT's header (`{"alg":`, `{"typ":`, `{"kid":`, themselves in base64), in base64
/// at each of the three places in which a byte can stand in a group.
pub(super) const ENCODED_BASE64: &str = "UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW|ZXlKaGJHY2lPa|V5SmhiR2NpT2|leUpoYkdjaU9p\
    |ZXlKMGVYQWlPa|V5SjBlWEFpT2|leUowZVhBaU9p|ZXlKcmFXUWlPa|V5SnJhV1FpT2|leUpyYVdRaU9p";

/// Tokens that name themselves: GitHub, GitLab, Slack, Vault, Google and `aws eks get-token`.
const KNOWN_TOKEN: &str =
    r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hvs\.|ya29\.|k8s-aws-v1\.)[A-Za-z0-9_.\-]{10,}";

/// What is masked wherever it stands, whatever it is called.
static SELF_EVIDENT: LazyLock<Regex> = LazyLock::new(|| {
    let private_key = r"(?s:-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z))";
    // `continue=eyJ2Ijoi…` of a paged list is base64 of JSON too, but no token: it has neither dots nor such a header.
    let web_token = r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+|eyJ(?:hbGciOi|0eXAiOi|raWQiOi)[A-Za-z0-9_.-]*";
    let encoded = format!("[A-Za-z0-9+/_-]*(?:{ENCODED_BASE64})[A-Za-z0-9+/=_-]*");
    pattern(&[private_key, web_token, &encoded, KNOWN_TOKEN].join("|"))
});

/// A scheme of HTTP authentication and what follows it (RFC 7235).
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(bearer|basic)([\s:]+|%20|\+)([A-Za-z0-9._~+/=-]+)"));

/// The password before a URL's host.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(://[^/?#\s:@"'<>]*:)([^/?#\s"'<>]+)@"#));

/// The query of a URL in the middle of a text.
static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\?[^\s"'<>?]*"#));

/// Everything up to the value of `password=…`, `"password": "…"` and `--password …`.
static ANNOUNCED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"{CREDENTIAL}(?:\\*["'])?\s?=\s?|{CREDENTIAL}(?P<colon>\\*["']\s*:\s*)|(?P<flag>(?:^|\s)--?[\w.-]*{CREDENTIAL}\s+)"#
    ))
});

/// A Secret written as text, YAML or broken JSON, with values in it.
static SECRET_MANIFEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\bkind\\*["']?\s*:\s*\\*["']?Secret(?:List)?\b"#));
static MANIFEST_DATA: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)\b(?:string)?data\\*["']?\s*:"#));

/// `key: value` on a line of its own, as YAML and HTTP headers have it.
static YAML_LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^[ \t-]*["']?(?P<name>[\w./-]+)["']?[ \t]*:[ \t]+"#));

/// Masks the credentials of one text: tokens, private keys, passwords in URLs, secret parameters of a URI, arguments
/// and assignments that announce a credential. Text without any is borrowed, at the price of one quick test; masking
/// twice changes nothing more.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    mask_nested(text, 0)
}

/// [`mask_text`] for a text found `depth` texts deep. `Owned` only when something was masked.
pub(super) fn mask_nested(text: &str, depth: u8) -> Cow<'_, str> {
    if !SUSPICIOUS.is_match(text) {
        return Cow::Borrowed(text);
    }
    if depth > NESTING || (SECRET_MANIFEST.is_match(text) && MANIFEST_DATA.is_match(text)) {
        return if is_mark(text) { Cow::Borrowed(text) } else { Cow::Owned(mark(text.len())) };
    }
    // Queries come first: the marks of the other passes hold spaces, which would end a query too early. Then what a
    // name announces, which is masked to its end, before the shapes that may be but a part of it.
    let masked = mask_queries(text, depth);
    let masked = then(masked, mask_lines);
    let masked = then(masked, mask_announced);
    let masked =
        then(masked, |text| SELF_EVIDENT.replace_all(text, |found: &Captures<'_>| mark(found[0].len())));
    let masked = then(masked, |text| SCHEME.replace_all(text, mask_scheme));
    let masked = then(masked, |text| {
        USERINFO.replace_all(text, |found: &Captures<'_>| format!("{}{}@", &found[1], mark(found[2].len())))
    });
    match masked {
        Cow::Owned(masked) if masked != text => Cow::Owned(masked),
        _ => Cow::Borrowed(text),
    }
}

fn then<'a>(text: Cow<'a, str>, pass: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => pass(text),
        Cow::Owned(text) => Cow::Owned(pass(&text).into_owned()),
    }
}

fn mask_queries(text: &str, depth: u8) -> Cow<'_, str> {
    if text.starts_with('/') && !text.contains(char::is_whitespace) {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let masked_path = if path.contains('%') { uri::mask_decoded(uri::decode(path), depth) } else { None };
        let masked_query = uri::mask_query(query, depth);
        return match (masked_path, masked_query) {
            (None, Cow::Borrowed(_)) => Cow::Borrowed(text),
            (path_mark, query) => {
                let path = path_mark.as_deref().unwrap_or(path);
                Cow::Owned(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
            }
        };
    }
    QUERY.replace_all(text, |found: &Captures<'_>| format!("?{}", uri::mask_query(&found[0][1..], depth)))
}

fn mask_scheme(found: &Captures<'_>) -> String {
    let value = &found[3];
    let credential = if found[1].eq_ignore_ascii_case("basic") {
        base64::decode(value).is_some_and(|bytes| bytes.contains(&b':'))
    } else {
        // Prose speaks of "bearer token" too; a real token is longer or has a digit.
        value.len() >= 8 || value.bytes().any(|byte| byte.is_ascii_digit())
    };
    let shown = if credential { mark(value.len()) } else { value.to_owned() };
    format!("{}{}{shown}", &found[1], &found[2])
}

/// Masks the value after each name that announces one.
fn mask_announced(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut searched = 0;
    while let Some(found) = ANNOUNCED.captures_at(text, searched) {
        let Some(announced) = found.get(0) else { break };
        let rest = &text[announced.end()..];
        let (opening, length) = value_extent(rest);
        let value = &rest[opening..opening + length];
        // A colon without quotes after it is prose or an object; a flag may be followed by the next one; PEM has lines
        // and spaces and is left to its own pattern.
        let prose = found.name("colon").is_some() && opening == 0;
        let next_flag = found.name("flag").is_some() && value.starts_with('-');
        let kept = value.starts_with(OPENING) || value.starts_with("-----BEGIN") || is_reference(value);
        searched = announced.end();
        if prose || next_flag || kept || length == 0 {
            continue;
        }
        out.push_str(&text[copied..announced.end() + opening]);
        out.push_str(&mark(length));
        copied = announced.end() + opening + length;
        searched = copied;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// How many bytes of quotes open the value at the start of a text, and how many bytes it has. Quotes may be escaped any
/// number of times, as JSON within JSON has them: the same number of backslashes closes them.
fn value_extent(text: &str) -> (usize, usize) {
    let escapes = text.bytes().take_while(|byte| *byte == b'\\').count();
    let Some(quote @ (b'"' | b'\'')) = text.as_bytes().get(escapes).copied() else {
        let end = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '&' | ';');
        return (0, text.find(end).unwrap_or(text.len()));
    };
    let opening = escapes + 1;
    let mut backslashes = 0;
    for (at, byte) in text.bytes().enumerate().skip(opening) {
        if byte == quote && backslashes == escapes {
            return (opening, at - escapes - opening);
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
    }
    (opening, text.len() - opening)
}

/// Masks `key: value` lines, and the indented block below `key: |`.
fn mask_lines(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut changed = false;
    let mut block_below = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        if block_below.is_some_and(|parent| indent > parent) && !content.trim().starts_with(OPENING) {
            changed = true;
            out.push_str(&content[..indent]);
            out.push_str(&mark(content.len() - indent));
            out.push_str(&line[content.len()..]);
            continue;
        }
        if !content.is_empty() {
            block_below = None;
        }
        let value_at = YAML_LINE
            .captures(content)
            .filter(|found| is_credential(&found["name"]))
            .and_then(|found| found.get(0))
            .map(|found| found.end());
        let value = value_at.map_or("", |at| content[at..].trim_end());
        // `|`, `>-`, `|2`: the header of a block scalar (YAML 1.2, 8.1).
        let header = value.strip_prefix(['|', '>']).map(|rest| rest.trim_matches(['-', '+']));
        if header.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
            block_below = Some(indent);
        }
        let kept = value.is_empty()
            || is_mark(value)
            || block_below.is_some()
            || matches!(value, "{" | "[" | "{}" | "[]")
            || is_reference(value.trim_matches(['"', '\'']));
        match value_at {
            Some(at) if !kept => {
                changed = true;
                out.push_str(&content[..at]);
                out.push_str(&mark(value.len()));
                out.push_str(&line[content.len()..]);
            }
            _ => out.push_str(line),
        }
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

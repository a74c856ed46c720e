//! Secret values in an event that was read: which members of which objects are secret, and what is inside of strings.

use serde_json::{Map, Value};

use super::mark::{is_mark, mark};
use super::names::{is_credential, is_reference};
use super::{base64, strict, text};

/// How many times JSON may stand in a string of JSON before such a string is masked as a whole.
const EMBEDDED: u8 = 4;

/// Shorter strings are not decoded from base64: no credential worth the name fits.
pub(super) const SHORTEST_BASE64: usize = 16;

/// The annotation in which `kubectl apply` keeps the whole object, Secrets too.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is known of the place in the event at which a value stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope {
    /// Inside of a Secret, or of a request that deals with Secrets: `data` and `stringData` are secret.
    secret: bool,
    /// How many strings of JSON this value is in.
    embedded: u8,
}

impl Scope {
    /// The scope of an event's own members.
    pub(super) fn of_event(secret: bool) -> Self {
        Self { secret, embedded: 0 }
    }

    /// The scope of the members of an object.
    fn inside(self, object: &Map<String, Value>) -> Self {
        let named = object.iter().any(|(key, value)| names_secrets(key, value));
        // Events without an objectRef: the URI alone tells what the request deals with.
        let uri = !object.contains_key("objectRef")
            && object.get("requestURI").and_then(Value::as_str).is_some_and(is_secrets_uri);
        Self { secret: self.secret || named || uri, ..self }
    }
}

/// Whether this member says that its object deals with Secrets.
pub(super) fn names_secrets(key: &str, value: &Value) -> bool {
    match key {
        "kind" => value.as_str().is_some_and(|kind| {
            kind.eq_ignore_ascii_case("Secret") || kind.eq_ignore_ascii_case("SecretList")
        }),
        "objectRef" => value.get("resource").and_then(Value::as_str) == Some("secrets"),
        _ => false,
    }
}

/// Whether the path of a request URI leads to Secrets. Rancher has more names for them (`namespacedSecrets`).
pub(super) fn is_secrets_uri(uri: &str) -> bool {
    let leads = |segment: &str| {
        let from = segment.len().saturating_sub("secrets".len());
        segment.get(from..).is_some_and(|end| end.eq_ignore_ascii_case("secrets"))
    };
    uri.split('?').next().is_some_and(|path| path.split('/').any(leads))
}

/// Masks all that is secret in a value; the number of masked values.
pub(super) fn mask_value(value: &mut Value, scope: Scope) -> usize {
    match value {
        Value::Object(object) => mask_object(object, scope),
        Value::Array(elements) => mask_elements(elements, scope),
        Value::String(string) => mask_string(string, scope, scope.secret),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn mask_object(object: &mut Map<String, Value>, scope: Scope) -> usize {
    let scope = scope.inside(object);
    let string = |key: &str| object.get(key).and_then(Value::as_str);
    // `{"name": "DB_PASSWORD", "value": "…"}` of a container's environment, a header, a chart's parameter.
    let named = string("name").or_else(|| string("key")).is_some_and(is_credential);
    let patched = string("op").and(string("path")).map_or(Patched::Other, |path| Patched::at(path, scope));
    let mut masked = 0;
    for (key, value) in object.iter_mut() {
        masked += match (key.as_str(), patched) {
            ("value", Patched::Secret) => mask_leaves(value),
            ("value", Patched::Credential) => mask_literal(value, scope),
            ("value", Patched::Other) if named => mask_literal(value, scope),
            _ => mask_member(key, value, scope),
        };
    }
    masked
}

/// Masks the value of one member of an object whose scope is known.
pub(super) fn mask_member(key: &str, value: &mut Value, scope: Scope) -> usize {
    match key {
        "data" | "stringData" if scope.secret => mask_leaves(value),
        // A body that is no object or array is no Secret that could be judged by its parts.
        "requestObject" | "responseObject" | "requestBody" | "responseBody"
            if scope.secret && !matches!(value, Value::Object(_) | Value::Array(_)) =>
        {
            mask_leaves(value)
        }
        LAST_APPLIED => match value {
            Value::String(string) => mask_string(string, scope, true),
            _ => mask_value(value, scope),
        },
        _ if is_credential(key) => mask_literal(value, scope),
        _ => mask_value(value, scope),
    }
}

/// What an operation of a JSON patch (RFC 6902) writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patched {
    /// The data of a Secret, or all of it.
    Secret,
    /// A member that announces a credential.
    Credential,
    Other,
}

impl Patched {
    fn at(path: &str, scope: Scope) -> Self {
        let mut segments = path.split('/');
        if scope.secret && (path.is_empty() || segments.any(|at| matches!(at, "data" | "stringData"))) {
            return Self::Secret;
        }
        match path.rsplit('/').next() {
            Some(last) if is_credential(&last.replace("~1", "/")) => Self::Credential,
            _ => Self::Other,
        }
    }
}

/// The elements of an array, which may be an argument list: `["--password", "…"]`.
fn mask_elements(elements: &mut [Value], scope: Scope) -> usize {
    let mut masked = 0;
    let mut announced = false;
    for element in elements {
        let flag = element.as_str().is_some_and(|string| string.starts_with('-'));
        let announces = flag && element.as_str().is_some_and(is_credential);
        masked += if announced && !flag { mask_literal(element, scope) } else { mask_value(element, scope) };
        announced = announces;
    }
    masked
}

/// Masks the value of a name that announces a credential, if it is a literal: objects are references to one
/// (`secretKeyRef`) or schemas, and booleans and numbers settings.
fn mask_literal(value: &mut Value, scope: Scope) -> usize {
    match value {
        Value::String(string) if is_reference(string) => 0,
        Value::String(_) => mask_leaves(value),
        Value::Array(elements) => elements.iter_mut().map(|element| mask_literal(element, scope)).sum(),
        _ => mask_value(value, scope),
    }
}

/// Masks every leaf; keys stay, and what is empty.
fn mask_leaves(value: &mut Value) -> usize {
    let bytes = match value {
        Value::Null => return 0,
        Value::String(string) if string.is_empty() || is_mark(string) => return 0,
        Value::String(string) => string.len(),
        Value::Bool(_) | Value::Number(_) => value.to_string().len(),
        Value::Array(elements) => return elements.iter_mut().map(mask_leaves).sum(),
        Value::Object(object) => return object.values_mut().map(mask_leaves).sum(),
    };
    *value = Value::String(mark(bytes));
    1
}

/// Masks what is secret inside of a string: JSON within it, base64 of something secret, credentials in plain text. One
/// that looks like JSON but cannot be judged is masked as a whole: always when it is JSON nested too deep or with a key
/// twice, and with `strictly` when it is broken.
fn mask_string(string: &mut String, scope: Scope, strictly: bool) -> usize {
    if string.is_empty() || is_mark(string) {
        return 0;
    }
    let masked = masked_string(string, scope, strictly);
    let count = masked.as_ref().map_or(0, |(_, count)| *count);
    if let Some((masked, _)) = masked {
        *string = masked;
    }
    count
}

fn masked_string(string: &str, scope: Scope, strictly: bool) -> Option<(String, usize)> {
    let whole = || Some((mark(string.len()), 1));
    if string.trim_start().starts_with(['{', '[', '"']) {
        match strict::parse(string) {
            Ok(_) if scope.embedded >= EMBEDDED => return whole(),
            Ok(mut value) => {
                let inside = Scope { embedded: scope.embedded + 1, ..scope };
                let count = mask_value(&mut value, inside);
                return (count > 0).then(|| (value.to_string(), count));
            }
            Err(_) if strictly || strict::is_json(string) => return whole(),
            Err(_) => {}
        }
    }
    // The API server quotes the body at which decoding failed.
    if let Some(quoted) = scope.secret.then(|| string.find("error found in #")).flatten() {
        return Some((format!("{}{}", &string[..quoted], mark(string.len() - quoted)), 1));
    }
    if let std::borrow::Cow::Owned(masked) = text::mask_text(string) {
        return Some((masked, 1));
    }
    let hides = scope.embedded < EMBEDDED && string.len() >= SHORTEST_BASE64 && decoded_hides(string, scope);
    if hides { whole() } else { None }
}

/// Whether a string that is no part of a Secret is base64 of anything secret.
pub(super) fn hides_in_base64(string: &str) -> bool {
    string.len() >= SHORTEST_BASE64 && decoded_hides(string, Scope::default())
}

fn decoded_hides(string: &str, scope: Scope) -> bool {
    let inside = Scope { embedded: scope.embedded + 1, ..scope };
    let decoded = base64::decode(string).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|decoded| masked_string(&decoded, inside, false).is_some())
}

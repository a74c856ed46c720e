//! Which names announce a credential.

use std::sync::LazyLock;

use regex::Regex;

/// The words that announce a credential when a name ends with them: `DB_PASSWORD`, `--api-key`, `clientSecret`. Only
/// at the end: `secretName`, `token-file` and `credential-id` tell of a credential without being one.
pub(super) const CREDENTIAL: &str = r"(?i:pass(?:word|wd|phrase)|secret|token|credentials?|authorization|cookie|[-_.]pwd|(?:api|private|secret|access|signing|encryption)[-_.]?key|client[-_.]?key[-_.]?data)";

static CREDENTIAL_NAME: LazyLock<Regex> = LazyLock::new(|| super::pattern(&format!("{CREDENTIAL}$")));

/// The parameters of a query that are credentials, beside those that [`is_credential`] knows: OAuth's (RFC 6749, 7636)
/// and those of presigned URLs.
const PARAMETERS: [&str; 13] = [
    "code",
    "state",
    "code_challenge",
    "code_verifier",
    "assertion",
    "client_assertion",
    "session_state",
    "sig",
    "signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-goog-signature",
    "x-goog-credential",
];

/// The API server's own audit annotations: some end with such words, but tell the account, the name of a Secret
/// (`authentication.k8s.io/legacy-token`) or a duration (`apiserver.latency.k8s.io/authorization`).
const ANNOTATIONS: [&str; 4] = [
    "authentication.k8s.io/",
    "authentication.kubernetes.io/",
    "authorization.k8s.io/",
    "apiserver.latency.k8s.io/",
];

/// Whether a key, a variable or an argument of this name holds a credential.
pub(super) fn is_credential(name: &str) -> bool {
    CREDENTIAL_NAME.is_match(name) && !ANNOTATIONS.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a parameter of a URI's query holds a credential.
pub(super) fn is_credential_parameter(name: &str) -> bool {
    PARAMETERS.iter().any(|parameter| parameter.eq_ignore_ascii_case(name)) || is_credential(name)
}

/// Whether a value only says where the credential is: `$(NAME)` or `${NAME}`, which the container or a shell replaces.
pub(super) fn is_reference(value: &str) -> bool {
    let name = value
        .strip_prefix("$(")
        .and_then(|rest| rest.strip_suffix(')'))
        .or_else(|| value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')));
    name.is_some_and(|name| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    })
}

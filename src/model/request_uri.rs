//! What the query part of a `requestURI` says: parameters of the Kubernetes API, percent-decoded.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

static FIELD_MANAGER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("fieldManager"));

/// Decoded values of a query parameter, in the order in which they stand.
pub fn parameters<'u>(request_uri: &'u str, name: &'u str) -> impl Iterator<Item = Cow<'u, str>> {
    let query = request_uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| percent_decoded(value))
    })
}

/// The first value of a query parameter.
pub fn parameter<'u>(request_uri: &'u str, name: &'u str) -> Option<Cow<'u, str>> {
    parameters(request_uri, name).next()
}

/// What `exec` ran, its words joined by spaces; empty when the URI names no command. `attach` and `portforward` have
/// none. (Parameter `command`, once a word: `k8s.io/api/core/v1.PodExecOptions`.)
pub fn command(request_uri: &str) -> String {
    if !request_uri.contains("command=") {
        return String::new();
    }
    parameters(request_uri, "command").collect::<Vec<_>>().join(" ")
}

/// Whether the request asked for nothing to be changed (`dryRun=All`).
pub fn is_dry_run(request_uri: &str) -> bool {
    request_uri.contains("dryRun") && parameter(request_uri, "dryRun").is_some_and(|value| value == "All")
}

/// Who a write says it manages the fields for: parameter `fieldManager`, else what stands before the first `/` of
/// the user agent, as the API server itself has it (`k8s.io/apiserver/pkg/endpoints/handlers/create.go`,
/// `managerOrUserAgent`).
pub fn field_manager<'u>(request_uri: &'u str, user_agent: &'u str) -> Cow<'u, str> {
    match named_field_manager(request_uri) {
        Some(manager) => manager,
        None => Cow::Borrowed(user_agent.split('/').next().unwrap_or("")),
    }
}

/// Parameter `fieldManager`, when it says anything.
pub fn named_field_manager(request_uri: &str) -> Option<Cow<'_, str>> {
    let query = request_uri.split_once('?')?.1;
    // The first parameter of this name counts, and most URIs have none: no need to take the others apart.
    let value = FIELD_MANAGER.find_iter(query.as_bytes()).find_map(|at| {
        let begins = at == 0 || query.as_bytes().get(at - 1) == Some(&b'&');
        let parameter = query.get(at + FIELD_MANAGER.needle().len()..)?.split('&').next()?;
        let is_it = begins && (parameter.is_empty() || parameter.starts_with('='));
        is_it.then(|| parameter.strip_prefix('=').unwrap_or(parameter))
    })?;
    Some(percent_decoded(value)).filter(|manager| !manager.is_empty())
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(at + i).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_decoded() {
        let uri = "/api/v1/namespaces/a/pods/p/exec?command=sh&command=-c&command=cat+%2Fetc%2Fpasswd%20%26%26%20id&stdout=true";
        assert_eq!(command(uri), "sh -c cat /etc/passwd && id");
        assert_eq!(command("/api/v1/pods?container=web"), "");
        assert_eq!(command("/x?command=%E0%80&command=%zz"), "\u{fffd}\u{fffd} %zz");
    }

    #[test]
    fn managers_and_dry_runs() {
        assert_eq!(
            field_manager("/x?fieldManager=kubectl-client-side-apply&y", "a/1"),
            "kubectl-client-side-apply"
        );
        assert_eq!(field_manager("/x?fieldManager=", "Helm/3.16.2"), "Helm");
        assert_eq!(
            named_field_manager("/x?a=b&xfieldManager=c&fieldManager=d%20e&fieldManager=f").as_deref(),
            Some("d e")
        );
        assert_eq!(named_field_manager("/fieldManager=a?b"), None);
        assert_eq!(named_field_manager("/x?fieldManager&fieldManager=a"), None);
        assert!(is_dry_run("/x?a=b&dryRun=All") && !is_dry_run("/x?dryRun=") && !is_dry_run("/dryRun=All"));
        assert_eq!(parameter("/x?watch", "watch").as_deref(), Some(""));
    }
}

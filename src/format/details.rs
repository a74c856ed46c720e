//! What a line of a controller's log tells beyond the columns of its event, in one shape for all of them: what the
//! trail across logs joins by.

use crate::model::Micros;

/// Everything that a line of a controller's log tells about a change. Empty and `None` stand for what it does not tell.
///
/// The values are the log's own and may hold what a screen must mask, all but [`Self::repository`], of which the
/// credentials are left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ControllerDetails {
    /// The program and its part, as its Deployment is called: `argocd-server`, `kustomize-controller`, `fleet-agent`.
    pub component: &'static str,
    /// Argo CD's `syncId`, the `reconcileID` of Fleet and Flux, the `auditID` of Rancher: equal in all lines of one
    /// operation, and in no other log.
    pub operation_id: String,
    /// The Application, Kustomization, HelmRelease, GitRepo, Bundle or BundleDeployment; for Rancher, the object.
    pub subject: ObjectName,
    /// Argo CD's project.
    pub project: String,
    /// URL of the repository, without credentials.
    pub repository: String,
    /// What was asked for or applied as it is written: `HEAD (8a1cb4a)`, `main@sha1:489d0f70…`, a chart's version.
    pub revision: String,
    /// The Git commit in [`Self::revision`], or told beside it, as far as it is written out.
    pub commit: String,
    /// Further commits of an Application with several sources.
    pub more_commits: Vec<String>,
    /// The entry of an Application's history that a rollback goes back to (`status.history[].id`).
    pub history_id: Option<i64>,
    /// Fleet: the deployment that was made (`<manifest>:<options>`), and the one before.
    pub deployment_id: String,
    /// See [`Self::deployment_id`].
    pub previous_deployment_id: String,
    /// Helm: `namespace/name:revision`, as far as it is told.
    pub release: String,
    /// Where it is applied to.
    pub destination: Destination,
    /// The objects that were written or deleted.
    pub objects: Vec<TouchedObject>,
    /// Who asked for it.
    pub initiator: Initiator,
    /// When the operation began, where the line tells or implies it.
    pub started: Option<Micros>,
    /// When it was over.
    pub finished: Option<Micros>,
    /// Whether it was only tried.
    pub dry_run: Option<bool>,
    /// Whether objects that are no longer in the repository are deleted.
    pub prune: Option<bool>,
    /// Whether automated sync is on in what was written.
    pub auto_sync: Option<bool>,
    /// The URI that the API server behind Rancher saw, when Rancher passed the request on as it was.
    pub cluster_uri: String,
    /// The message, or the error behind it.
    pub message: String,
}

/// Namespace and name; the namespace is empty where it is not told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectName {
    /// `namespace/name`, or a name alone.
    pub(super) fn parse(written: &str) -> ObjectName {
        let (namespace, name) = written.split_once('/').unwrap_or(("", written));
        ObjectName { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Where an application lives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Destination {
    /// Rancher's id of the cluster, or the namespace by which Fleet names one (`cluster-…`).
    pub cluster: String,
    /// URL of its API server.
    pub server: String,
    /// Namespace.
    pub namespace: String,
}

/// An object that a controller wrote or deleted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TouchedObject {
    /// API group; empty for the core group, and where it is not told.
    pub group: String,
    /// Kind, `Deployment`; older versions of Flux write it in small letters.
    pub kind: String,
    /// Namespace; empty where it is not told.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What became of it, in the log's own word: `created`, `configured`, `deleted`, `Pruned`, `SyncFailed`.
    pub result: String,
}

/// Who asked for a change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Initiator {
    /// The name that the log gives: an e-mail address or login in Argo CD's, a user id (`u-…`, `user-…`) in Rancher's and
    /// Fleet's.
    pub user: String,
    /// The name that a person is known by: Rancher's login name, the name in Argo CD's token.
    pub display_name: String,
    /// E-mail address, from Argo CD's token.
    pub email: String,
    /// Groups, from Argo CD's token.
    pub groups: Vec<String>,
    /// Rancher's principals: `local://user-x`, `github_user://123`.
    pub principals: Vec<String>,
    /// The id of Rancher's token; no secret.
    pub token_id: String,
    /// As whom Rancher's user acted (`kubectl --as`).
    pub impersonated_user: String,
    /// The addresses that a request to Rancher came through, the client's own first: a proxy's claim.
    pub client_addresses: Vec<String>,
    /// Whether the controller started it by itself; `None` where that is not told.
    pub automated: Option<bool>,
}

/// The commit in a revision: `e719c0e…`, `master/4805b9e…`, `main@sha1:489d0f7…`, `HEAD (8a1cb4a)`. Empty where there is
/// none: in a tag, a version, or the digest of an image.
pub fn commit_of(revision: &str) -> &str {
    let last = match revision.strip_suffix(')') {
        Some(inside) => inside.rsplit('(').next().unwrap_or(""),
        None => revision.rsplit(['/', ':']).next().unwrap_or(""),
    };
    let is_commit = (7..=40).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A date or a build number has digits alone, which a commit of this length hardly ever has.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    if is_commit && !is_number { last } else { "" }
}

/// A repository's URL without what stands before the host's `@`, unless that is a name alone, as SSH has it.
pub fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..host_end].rsplit_once('@') {
        Some((credentials, _)) if scheme != "ssh" || credentials.contains(':') => {
            format!("{scheme}://{}", &rest[credentials.len() + 1..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_in_revisions() {
        let sha = "e719c0e7684378b186be3b6f762b604deeb7d0a4";
        for revision in
            [sha.to_owned(), format!("main/{sha}"), format!("main@sha1:{sha}"), format!("HEAD ({sha})")]
        {
            assert_eq!(commit_of(&revision), sha, "{revision}");
        }
        assert_eq!(commit_of("34c5f9e"), "34c5f9e");
        for revision in [
            "",
            "HEAD",
            "v1.2.3",
            "20240911",
            "6.5.4@sha256:0123456789012345678901234567890123456789abcdef0123456789abcdef01",
            "HEAD ()",
        ] {
            assert_eq!(commit_of(revision), "", "{revision}");
        }
    }

    #[test]
    fn credentials_are_left_out_of_a_repository() {
        for (url, clean) in [
            ("https://bob:s3cret@git.example.com/a.git", "https://git.example.com/a.git"),
            ("https://s3cret@git.example.com/a@b", "https://git.example.com/a@b"),
            ("ssh://git@git.example.com/a", "ssh://git@git.example.com/a"),
            ("git@git.example.com:a/b", "git@git.example.com:a/b"),
            ("https://git.example.com/a", "https://git.example.com/a"),
        ] {
            assert_eq!(without_credentials(url), clean);
        }
    }
}

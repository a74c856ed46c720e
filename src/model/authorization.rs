//! Why a request was allowed: what the annotation `authorization.k8s.io/reason` of the RBAC authorizer says.

/// Begins every reason of the RBAC authorizer that allowed something
/// (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/rbac.go`, `clusterRoleBindingDescriber`).
const ALLOWED: &str = "RBAC: allowed by ";

/// Which binding gave which role to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant<'a> {
    /// `ClusterRoleBinding` or `RoleBinding`.
    pub binding_kind: &'a str,
    /// Name of the binding; a RoleBinding's has its namespace behind a slash, `ci/staging`.
    pub binding: &'a str,
    /// `ClusterRole` or `Role`.
    pub role_kind: &'a str,
    /// Name of the role.
    pub role: &'a str,
    /// `User`, `Group` or `ServiceAccount`.
    pub subject_kind: &'a str,
    /// Name of the subject that the user is or is a member of; a service account's has its namespace behind a slash.
    pub subject: &'a str,
}

impl<'a> Grant<'a> {
    /// Reads a reason. `None` for any other authorizer's.
    pub fn parse(reason: &'a str) -> Option<Grant<'a>> {
        let rest = reason.strip_prefix(ALLOWED)?;
        let (binding_kind, binding, rest) = named(rest)?;
        let (role_kind, role, rest) = named(rest.strip_prefix(" of ")?)?;
        let (subject_kind, subject, _) = named(rest.strip_prefix(" to ")?)?;
        Some(Grant { binding_kind, binding, role_kind, role, subject_kind, subject })
    }

    /// The binding's name alone.
    pub fn binding_name(&self) -> &'a str {
        self.binding.split('/').next().unwrap_or(self.binding)
    }
}

/// `Kind "name"`, and what follows it. Names are written by Go's `%q`; RBAC names hold nothing that it escapes but
/// what a user or group name may.
fn named(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = text.split_once(" \"")?;
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((kind, &rest[..end], &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_taken_apart() {
        let reason = r#"RBAC: allowed by RoleBinding "ci/staging" of ClusterRole "admin" to ServiceAccount "ci-deployer/staging""#;
        let grant = Grant::parse(reason).expect("a reason of RBAC");
        assert_eq!(
            (grant.binding_kind, grant.binding, grant.binding_name()),
            ("RoleBinding", "ci/staging", "ci")
        );
        assert_eq!((grant.role_kind, grant.role), ("ClusterRole", "admin"));
        assert_eq!((grant.subject_kind, grant.subject), ("ServiceAccount", "ci-deployer/staging"));
        let quoted = r#"RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "b" to Group "x \" y""#;
        assert_eq!(Grant::parse(quoted).map(|g| g.subject), Some(r#"x \" y"#));
        for other in
            ["", "RBAC: allowed by ", "RBAC: allowed by X \"a", "RBAC: allowed by X \"a\" of Y \"b\"", "no"]
        {
            assert_eq!(Grant::parse(other), None, "{other}");
        }
    }
}

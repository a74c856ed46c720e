//! What random records are put together from: values as they stand in logs, each beside what it means, so that the
//! model need not work that out.

use kauditui::model::{Micros, SECOND, Stage};

/// 2026-01-14T00:00:00Z: the day of every record.
pub const DAY: Micros = 20_467 * 86_400 * SECOND;
/// The hour in which requests arrive.
pub const BASE: Micros = DAY + 3 * 3600 * SECOND;

/// The query of a URI, and what it says when it is decoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query {
    pub text: &'static str,
    /// What `exec` ran.
    pub command: &'static str,
    /// Who manages the fields, where it says so.
    pub manager: Option<&'static str>,
    pub dry_run: bool,
}

/// Which binding allowed a request.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    pub binding_kind: &'static str,
    pub binding: &'static str,
    pub role_kind: &'static str,
    pub role: &'static str,
}

/// An authenticated user.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub user: &'static str,
    pub groups: &'static [&'static str],
    pub credential: &'static str,
    pub pod: &'static str,
    pub node: &'static str,
}

const fn identity(user: &'static str, groups: &'static [&'static str], credential: &'static str) -> Identity {
    Identity { user, groups, credential, pod: "", node: "" }
}

pub const IDENTITIES: &[Identity] = &[
    identity("", &[], ""),
    identity("alice@example.com", &["oidc:sre", "system:authenticated"], ""),
    identity("Alice", &["dev", "Dev"], ""),
    identity("bob", &["system:masters"], "X509SHA256=0a1b"),
    identity("CN=a,O=b", &["system:authenticated"], "X509SHA256=0a1c"),
    identity("jürgen@example.com", &["oidc:größe"], ""),
    identity("system:node:n1", &["system:nodes"], ""),
    Identity {
        user: "system:serviceaccount:argocd:server",
        groups: &["system:serviceaccounts", "system:serviceaccounts:argocd"],
        credential: "JTI=1",
        pod: "server-0",
        node: "n1",
    },
    Identity {
        user: "system:serviceaccount:prod:web",
        groups: &["system:serviceaccounts"],
        credential: "JTI=2",
        pod: "web-1",
        node: "n2",
    },
    identity("system:anonymous", &["system:unauthenticated"], ""),
    identity("system:kube-scheduler", &["system:authenticated"], ""),
];
/// Impersonated user and groups.
pub const IMPERSONATED: &[(&str, &[&str])] =
    &[("", &[]), ("", &[]), ("", &[]), ("bob", &["dev"]), ("system:serviceaccount:prod:web", &[])];
pub const VERBS: &[&str] = &["get", "list", "watch", "create", "patch", "delete", "update"];
/// Resource, API group, version, and the other names that find it.
pub const RESOURCES: &[(&str, &str, &str, &[&str])] = &[
    ("", "", "", &[]),
    ("pods", "", "v1", &["pod", "po"]),
    ("secrets", "", "v1", &["secret"]),
    ("secrets", "", "v1", &["secret"]),
    ("secrets", "", "v1", &["secret"]),
    ("configmaps", "", "v1", &["configmap", "cm"]),
    ("nodes", "", "v1", &["node", "no"]),
    ("deployments", "apps", "v1", &["deployment", "deploy"]),
    ("deployments", "apps", "v1beta1", &["deployment", "deploy"]),
    ("ingresses", "networking.k8s.io", "v1", &["ingress", "ing"]),
    ("networkpolicies", "networking.k8s.io", "v1", &["networkpolicy", "netpol"]),
    ("leases", "coordination.k8s.io", "v1", &["lease"]),
];
pub const SUBRESOURCES: &[&str] = &["", "", "", "exec", "exec", "scale", "status", "proxy"];
pub const NAMESPACES: &[&str] = &["", "prod", "kube-system", "kube-node-lease"];
pub const NAMES: &[&str] =
    &["", "web", "Web", "novelapp", "a b", "x(y)", "quo\"te\\", "and", "-dash", "kube*", "ä,ö", ">3"];
/// Agent and tool.
pub const AGENTS: &[(&str, &str)] = &[
    ("", ""),
    ("kubectl/v1.34 (linux/amd64) kubernetes/abc", "kubectl"),
    ("/usr/local/bin/kubectl/v1.2.3", "kubectl"),
    ("Helm/3.18", "helm"),
    ("argocd-server/v3", "argocd"),
    ("HashiCorp/1.0 Terraform/1.5.7", "terraform"),
    ("curl/8", "curl"),
];
pub const ADDRESSES: &[&str] = &[
    "",
    "10.0.0.1",
    "10.0.0.2",
    "10.20.0.5",
    "203.0.113.7",
    "2001:db8::1",
    "2001:db8:1::7",
    "::ffff:10.0.0.1",
];
/// Paths of requests about no resource.
pub const PROBES: &[&str] = &["/healthz", "/api", "/apis/apps/v1", "/version/", "/other/healthz"];
const SAYS_NOTHING: Query = Query { text: "", command: "", manager: None, dry_run: false };
pub const QUERIES: &[Query] = &[
    SAYS_NOTHING,
    SAYS_NOTHING,
    Query { text: "?dryRun=All", dry_run: true, ..SAYS_NOTHING },
    // Only the first value counts.
    Query { text: "?dryRun=&dryRun=All", ..SAYS_NOTHING },
    Query { text: "?fieldManager=kubectl-edit", manager: Some("kubectl-edit"), ..SAYS_NOTHING },
    Query {
        text: "?dryRun=%41ll&fieldManager=argocd%2Dcontroller",
        manager: Some("argocd-controller"),
        dry_run: true,
        ..SAYS_NOTHING
    },
    Query { text: "?fieldManager=&watch=true", ..SAYS_NOTHING },
    Query {
        text: "?command=sh&command=-c&command=cat+%2Fetc%2Fshadow%20%26%26%20id&stdout=true",
        command: "sh -c cat /etc/shadow && id",
        ..SAYS_NOTHING
    },
    Query { text: "?container=web&command=ls", command: "ls", ..SAYS_NOTHING },
];
pub const REASONS: &[&str] = &["Forbidden", "NotFound", "Conflict"];
/// What annotation `authorization.k8s.io/reason` says, and what that means.
pub const DECISION_REASONS: &[(&str, Option<Grant>)] = &[
    ("", None),
    ("allowed by the node authorizer", None),
    (
        r#"RBAC: allowed by ClusterRoleBinding "argocd-admin" of ClusterRole "cluster-admin" to User "alice""#,
        Some(Grant {
            binding_kind: "ClusterRoleBinding",
            binding: "argocd-admin",
            role_kind: "ClusterRole",
            role: "cluster-admin",
        }),
    ),
    (
        r#"RBAC: allowed by RoleBinding "ci/staging" of Role "deployer" to ServiceAccount "ci/staging""#,
        Some(Grant {
            binding_kind: "RoleBinding",
            binding: "ci/staging",
            role_kind: "Role",
            role: "deployer",
        }),
    ),
    (
        r#"RBAC: allowed by RoleBinding "ci/prod" of ClusterRole "edit" to Group "x \" y""#,
        Some(Grant {
            binding_kind: "RoleBinding",
            binding: "ci/prod",
            role_kind: "ClusterRole",
            role: "edit",
        }),
    ),
];
pub const ANNOTATIONS: &[(&str, &str)] = &[
    ("apiserver.latency.k8s.io/total", "1.5s"),
    ("example.com/count", "12"),
    ("example.com/a:b c", "x & <y>"),
    ("empty", ""),
    ("patch.webhook.admission.k8s.io/round_0", r#"{"patch":[{"op":"add"}]}"#),
];
pub const AUDIT_IDS: &[&str] = &[
    "",
    "chosen-by-client",
    "4517A132-618B-4C74-BD69-41245C01E2DB",
    "4517a132-618b-4c74-bd69-41245c01e2db",
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000002",
];
/// Time from arrival to a stage.
pub const LENGTHS: &[Micros] = &[0, 800, 4_000, 50_000, 250_000, SECOND, 1_500_000, 61 * SECOND];
/// Which records of a request a log holds.
pub const LIVES: &[&[Stage]] = &[
    &[Stage::ResponseComplete],
    &[Stage::ResponseComplete],
    &[Stage::RequestReceived, Stage::ResponseComplete],
    &[Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete],
    &[Stage::ResponseStarted, Stage::ResponseComplete],
    &[Stage::ResponseStarted],
    &[Stage::RequestReceived],
    &[Stage::RequestReceived, Stage::Panic],
    &[Stage::Unknown],
];
/// Values of Secrets and of what is none.
pub const SECRETS: [&str; 2] = ["aHVudGVyMg==", "hunter2"];
/// The names of the logs that records come from.
pub const SOURCES: [&str; 3] = ["/var/log/kube/audit.log", "audit-2.log", "Other"];

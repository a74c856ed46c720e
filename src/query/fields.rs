//! The fields of the filter language: one table for the parser, the help and the documents.

/// What can be asked for as `field:value`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FieldName {
    /// The authenticated or the impersonated user.
    User,
    /// The authenticated user of an impersonated request.
    Impersonator,
    /// The impersonated user only.
    ImpersonatedUser,
    /// Any of the groups of the authenticated or the impersonated user.
    Group,
    /// What kind of identity the authenticated or the impersonated user is.
    Kind,
    /// `verb`
    Verb,
    /// Read, write, failed, dry run, without effect, routine.
    Is,
    /// `objectRef.resource`, with group and subresource where they are written
    Resource,
    /// `objectRef.subresource`
    Subresource,
    /// `objectRef.namespace`
    Namespace,
    /// `objectRef.name`
    Name,
    /// Namespace, resource and name together.
    Object,
    /// `objectRef.apiGroup` and `objectRef.apiVersion`
    ApiVersion,
    /// `responseStatus.code`
    Code,
    /// `responseStatus.reason`
    Reason,
    /// annotation `authorization.k8s.io/decision`
    Decision,
    /// The binding named by annotation `authorization.k8s.io/reason`
    Binding,
    /// The role named by annotation `authorization.k8s.io/reason`
    Role,
    /// last of `sourceIPs`
    SourceIp,
    /// `userAgent`
    UserAgent,
    /// The tool that `userAgent` names.
    Tool,
    /// The field manager of a write.
    Manager,
    /// `requestURI`
    RequestUri,
    /// The command of an `exec`.
    Command,
    /// `level`
    Level,
    /// `stage`
    Stage,
    /// `auditID`
    AuditId,
    /// The credential that was used, or issued.
    Credential,
    /// The pod that the token is bound to.
    TokenPod,
    /// The node of that pod.
    TokenNode,
    /// The log a record was read from.
    Source,
    /// Which program's log that is.
    Log,
    /// Time from arrival to end, of requests that have ended.
    Duration,
    /// Stage time at or after a moment.
    Since,
    /// Stage time before a moment.
    Until,
    /// Stage time within the minute (or second) that is written.
    At,
    /// The alerts that the row has a part in.
    Alert,
    /// Whether the row is marked.
    Mark,
    /// The release that removes the API version that was asked for.
    Deprecated,
    /// Any part of the whole line, escapes decoded.
    Text,
}

/// How values of a field are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// The whole value, `*` standing for anything.
    Whole,
    /// Anywhere in the value, unless `*` is used.
    Part,
    /// A number, a range, or a comparison.
    Number,
    /// One of a few words.
    Word,
    /// An address, a network in CIDR notation, or a pattern.
    Address,
    /// A length of time, compared.
    Length,
    /// A moment.
    Moment,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The field.
    pub field: FieldName,
    /// How it is written, and printed back.
    pub name: &'static str,
    /// Other ways to write it.
    pub aliases: &'static [&'static str],
    /// How its values are compared.
    pub kind: FieldKind,
    /// What it asks, with an example.
    pub help: &'static str,
}

const fn line(
    field: FieldName,
    name: &'static str,
    aliases: &'static [&'static str],
    kind: FieldKind,
    help: &'static str,
) -> FieldInfo {
    FieldInfo { field, name, aliases, kind, help }
}

/// Every field, in the order in which help shows them.
pub const FIELDS: &[FieldInfo] = &[
    line(
        FieldName::User,
        "user",
        &["username"],
        FieldKind::Whole,
        "who, also when impersonated: alice finds alice@example.com, argocd/server its service account; user==alice@example.com is the authenticated user alone, by whom tables count",
    ),
    line(FieldName::Verb, "verb", &[], FieldKind::Whole, "what was done: delete, patch,update"),
    line(
        FieldName::Resource,
        "resource",
        &["res"],
        FieldKind::Whole,
        "on what: secrets, secret, deploy, deployments.apps, pods/exec, deploy/scale",
    ),
    line(FieldName::Namespace, "ns", &["namespace"], FieldKind::Whole, "in which namespace: prod, kube-*"),
    line(FieldName::Name, "name", &[], FieldKind::Whole, "the object's name: novelapp, web-*"),
    line(FieldName::Code, "code", &["status"], FieldKind::Number, "the answer: 403, 4xx, >=400, 500-599"),
    line(
        FieldName::Is,
        "is",
        &[],
        FieldKind::Word,
        "write, read, failed, dryrun, noop (a write without effect), routine",
    ),
    line(
        FieldName::Kind,
        "kind",
        &[],
        FieldKind::Word,
        "kind of user: human, serviceaccount, node, control-plane, anonymous",
    ),
    line(
        FieldName::Object,
        "object",
        &["obj"],
        FieldKind::Whole,
        "namespace/resource/name, or resource/name: prod/deploy/web",
    ),
    line(FieldName::Subresource, "subresource", &["sub"], FieldKind::Whole, "exec, scale, status, token"),
    line(
        FieldName::SourceIp,
        "ip",
        &["sourceip", "address"],
        FieldKind::Address,
        "from where: 10.20.0.5, 10.0.0.0/8, 203.0.113.*",
    ),
    line(
        FieldName::Tool,
        "tool",
        &[],
        FieldKind::Whole,
        "through which program, as its agent claims: kubectl, helm, argocd, terraform",
    ),
    line(
        FieldName::UserAgent,
        "agent",
        &["useragent"],
        FieldKind::Part,
        "part of the user agent: kubectl/v1.32, linux/arm64",
    ),
    line(
        FieldName::Manager,
        "manager",
        &["fieldmanager"],
        FieldKind::Whole,
        "the field manager of a write: kubectl-edit, argocd-controller",
    ),
    line(
        FieldName::Command,
        "command",
        &["cmd"],
        FieldKind::Part,
        "part of what exec ran, decoded: /etc/shadow",
    ),
    line(
        FieldName::Group,
        "group",
        &["groups"],
        FieldKind::Whole,
        "a group of the user: system:masters, oidc:*",
    ),
    line(FieldName::Impersonator, "impersonator", &[], FieldKind::Whole, "who acted as somebody else"),
    line(
        FieldName::ImpersonatedUser,
        "impersonated",
        &["as", "impersonateduser"],
        FieldKind::Whole,
        "acted as whom",
    ),
    line(FieldName::Decision, "decision", &[], FieldKind::Word, "of authorization: allow, forbid"),
    line(
        FieldName::Binding,
        "binding",
        &[],
        FieldKind::Whole,
        "the binding that allowed it: argocd-admin, staging's as ci/staging",
    ),
    line(FieldName::Role, "role", &[], FieldKind::Whole, "the role that allowed it: cluster-admin"),
    line(FieldName::Reason, "reason", &[], FieldKind::Whole, "why it failed: Forbidden, NotFound, Conflict"),
    line(
        FieldName::Credential,
        "credential",
        &["cred"],
        FieldKind::Whole,
        "the token or certificate used, or issued: JTI=…, X509SHA256=…",
    ),
    line(FieldName::TokenPod, "pod", &[], FieldKind::Whole, "the pod that the token belongs to"),
    line(FieldName::TokenNode, "node", &[], FieldKind::Whole, "the node that the token's pod runs on"),
    line(
        FieldName::Duration,
        "duration",
        &["took"],
        FieldKind::Length,
        "how long it took, once it has ended: >1s, 100ms-2s, <5ms",
    ),
    line(
        FieldName::Since,
        "since",
        &["after"],
        FieldKind::Moment,
        "at or after: -15m, 03:00, 2026-01-14T03:00:00Z",
    ),
    line(FieldName::Until, "until", &["before"], FieldKind::Moment, "before; the same forms"),
    line(FieldName::At, "at", &[], FieldKind::Moment, "within the minute or second written: 03:00, 03:00:41"),
    line(
        FieldName::RequestUri,
        "uri",
        &["requesturi"],
        FieldKind::Part,
        "part of path and query: dryRun=All",
    ),
    line(FieldName::AuditId, "auditID", &["id"], FieldKind::Whole, "the request's id"),
    line(
        FieldName::Stage,
        "stage",
        &[],
        FieldKind::Word,
        "RequestReceived, ResponseStarted, ResponseComplete, Panic",
    ),
    line(FieldName::Level, "level", &[], FieldKind::Word, "Metadata, Request, RequestResponse"),
    line(
        FieldName::ApiVersion,
        "apiversion",
        &["groupversion"],
        FieldKind::Whole,
        "API group and version: apps/v1, apps/*, v1beta1",
    ),
    line(
        FieldName::Deprecated,
        "deprecated",
        &[],
        FieldKind::Whole,
        "asks for an API version that goes away: *, or the release, 1.32",
    ),
    line(FieldName::Source, "source", &[], FieldKind::Whole, "from which log, by its name"),
    line(
        FieldName::Log,
        "log",
        &[],
        FieldKind::Word,
        "of which program: kube (an API server), rancher, argocd, fleet, flux",
    ),
    line(
        FieldName::Alert,
        "alert",
        &["alerts"],
        FieldKind::Part,
        "a part in an alert: `yes`, `no`, `high`, `>=medium`, a rule's file or id, a technique as T1611, a part of the title; `-alert:` leaves out requests; `low` and `informational` are activity",
    ),
    line(FieldName::Mark, "mark", &["marked"], FieldKind::Word, "whether the row is marked: yes, no"),
    line(
        FieldName::Text,
        "text",
        &["line"],
        FieldKind::Part,
        "part of the whole line, escapes decoded: \"a & b\"",
    ),
];

/// The field written as `name`, whatever the case.
pub fn field_named(name: &str) -> Option<&'static FieldInfo> {
    FIELDS.iter().find(|info| {
        info.name.eq_ignore_ascii_case(name)
            || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

impl FieldName {
    /// Whether its values are strings that a regular expression can be tried on.
    pub fn takes_regex(self) -> bool {
        !matches!(self.info().kind, FieldKind::Word | FieldKind::Length | FieldKind::Moment)
            && self != FieldName::Object
    }

    /// Its line of the table.
    pub fn info(self) -> &'static FieldInfo {
        FIELDS.iter().find(|info| info.field == self).unwrap_or(&FIELDS[0])
    }
}

/// The name or word nearest to what was written, if it is near enough to be a slip of the finger.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let limit = match written.len() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    known
        .map(|name| (distance(&written, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_field_has_one() {
        let mut seen = std::collections::HashSet::new();
        for info in FIELDS {
            assert!(seen.insert(info.name.to_lowercase()), "{}", info.name);
            for alias in info.aliases {
                assert!(seen.insert((*alias).to_owned()), "{alias}");
                assert_eq!(field_named(&alias.to_uppercase()).map(|i| i.field), Some(info.field));
            }
            assert_eq!(info.field.info().name, info.name);
        }
    }

    #[test]
    fn slips_are_recognised() {
        let names = || FIELDS.iter().map(|info| info.name);
        assert_eq!(nearest("namspace", ["namespace", "name"].into_iter()), Some("namespace"));
        assert_eq!(nearest("usr", names()), Some("user"));
        assert_eq!(nearest("zzzzzz", names()), None);
    }
}

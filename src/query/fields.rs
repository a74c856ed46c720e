//! The fields of the filter language: one table for the parser, the help and the documents.

/// What can be asked for as `field:value`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FieldName {
    /// The authenticated or the impersonated user.
    User,
    /// The impersonated user only.
    ImpersonatedUser,
    /// `verb`
    Verb,
    /// `objectRef.resource`, with group and subresource where they are written
    Resource,
    /// `objectRef.subresource`
    Subresource,
    /// `objectRef.namespace`
    Namespace,
    /// `objectRef.name`
    Name,
    /// `responseStatus.code`
    Code,
    /// last of `sourceIPs`
    SourceIp,
    /// `userAgent`
    UserAgent,
    /// `requestURI`
    RequestUri,
    /// `stage`
    Stage,
    /// `level`
    Level,
    /// `auditID`
    AuditId,
    /// `responseStatus.reason`
    Reason,
    /// annotation `authorization.k8s.io/decision`
    Decision,
    /// read, write or failed
    Is,
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
        "who, also when impersonated: alice finds alice@example.com, argocd/server its service account",
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
        FieldName::SourceIp,
        "ip",
        &["sourceip", "address"],
        FieldKind::Whole,
        "from where: 10.20.0.5, 203.0.113.*",
    ),
    line(
        FieldName::UserAgent,
        "agent",
        &["useragent"],
        FieldKind::Part,
        "through which client: kubectl, Helm",
    ),
    line(FieldName::Subresource, "subresource", &["sub"], FieldKind::Whole, "exec, scale, status, token"),
    line(
        FieldName::ImpersonatedUser,
        "impersonated",
        &["as", "impersonateduser"],
        FieldKind::Whole,
        "acted as whom",
    ),
    line(
        FieldName::RequestUri,
        "uri",
        &["requesturi"],
        FieldKind::Part,
        "part of path and query: dryRun=All",
    ),
    line(
        FieldName::Stage,
        "stage",
        &[],
        FieldKind::Word,
        "RequestReceived, ResponseStarted, ResponseComplete, Panic",
    ),
    line(FieldName::Level, "level", &[], FieldKind::Word, "Metadata, Request, RequestResponse"),
    line(FieldName::AuditId, "auditID", &["id"], FieldKind::Whole, "the request's id"),
    line(FieldName::Reason, "reason", &[], FieldKind::Whole, "why it failed: Forbidden, NotFound, Conflict"),
    line(FieldName::Decision, "decision", &[], FieldKind::Word, "of authorization: allow, forbid"),
    line(FieldName::Is, "is", &[], FieldKind::Word, "write, read, failed"),
];

/// The field written as `name`, whatever the case.
pub fn field_named(name: &str) -> Option<&'static FieldInfo> {
    FIELDS.iter().find(|info| {
        info.name.eq_ignore_ascii_case(name)
            || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

impl FieldName {
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

//! `rbac`: which bindings let a user in, what was refused, and the least roles that would allow it.

use serde_json::{Map, Value, json};

use super::form::{Cell, Form, Heading};
use super::story::{escaped, one_line, shortly};
use super::{Streams, cannot_write, visible};
use crate::cli::{QueryOutput, RbacOutput};
use crate::error::Result;
use crate::model::{Micros, format_rfc3339};
use crate::text::json_escape_hostile;
use crate::trace::access::{
    AccessChange, AllowedBy, ChangeKind, GrantUse, Permission, Proposal, Refusal, RefusalGroup, UserAccess,
    allowed_in_words, user_named,
};
use crate::trace::{Log, markdown, tell};

/// How the answer is to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) output: RbacOutput,
    pub(super) ascii: bool,
}

/// Prints the answer; how many requests of the user were found.
pub(super) fn rbac(
    log: &Log<'_>,
    typed: &str,
    used: bool,
    look: Look,
    streams: &mut Streams<'_>,
) -> Result<u64> {
    let user = match user_named(log.store, typed) {
        Ok(user) => user,
        Err(users) => {
            streams.note(&match users.as_slice() {
                [] => "--user names nobody".to_owned(),
                [user] => format!("no user is called {typed}; did you mean --user {user}?"),
                users => format!("{typed} may be {}: which one?", shortly(users)),
            });
            return Ok(0);
        }
    };
    if user != typed {
        streams.note(&format!("{typed} is {user}"));
    }
    let access = UserAccess::of(log, &user);
    if access.requests == 0 {
        streams.note(&format!("no request by {user}, or as {user}, in this log"));
        return Ok(0);
    }
    let proposal = if used { access.roles_for_use() } else { access.roles_for_refusals() };
    let text = match look.output {
        RbacOutput::Yaml => visible(&proposal.to_yaml()),
        RbacOutput::Json => as_json(&access, &proposal),
        RbacOutput::Table => as_table(log, &access, &proposal, look.ascii),
        RbacOutput::Markdown => as_markdown(log, &access, &proposal),
    };
    streams.out.write_all(text.as_bytes()).map_err(cannot_write)?;
    Ok(access.requests)
}

fn as_table(log: &Log<'_>, access: &UserAccess, proposal: &Proposal, ascii: bool) -> String {
    let mut out = visible(&format!("{}\n", title(access)));
    let changes = |at: usize| {
        access.grants.get(at).map_or(String::new(), |grant| {
            let said = grant.changes.iter().map(|change| format!("        {}\n", changed(log, change)));
            said.map(|line| visible(&line)).collect()
        })
    };
    out += "\nallowed\n";
    let lines: Vec<_> = access.grants.iter().map(grant_cells).collect();
    out += &list(log, QueryOutput::Table, ascii, grant_headings(), &lines, changes);
    out += "\nrefused\n";
    let lines: Vec<_> = access.refusals.iter().map(refusal_cells).collect();
    out += &list(log, QueryOutput::Table, ascii, refusal_headings(), &lines, |_| String::new());
    out += "\nroles\n";
    out + &visible(&proposal.to_yaml())
}

fn as_markdown(log: &Log<'_>, access: &UserAccess, proposal: &Proposal) -> String {
    let mut out = format!("# {}\n", escaped(&title(access)));
    out += "\n## Allowed\n\n";
    let lines: Vec<_> = access.grants.iter().map(grant_cells).collect();
    out += &list(log, QueryOutput::Markdown, false, grant_headings(), &lines, |_| String::new());
    let changes: Vec<&AccessChange> = access.grants.iter().flat_map(|grant| &grant.changes).collect();
    if !changes.is_empty() {
        out += "\nBindings and roles that were written:\n\n";
        out += &changes
            .into_iter()
            .map(|change| format!("- {}\n", escaped(&changed(log, change))))
            .collect::<String>();
    }
    out += "\n## Refused\n\n";
    let lines: Vec<_> = access.refusals.iter().map(refusal_cells).collect();
    out += &list(log, QueryOutput::Markdown, false, refusal_headings(), &lines, |_| String::new());
    out + "\n## Roles\n\n" + &markdown::block("yaml", &proposal.to_yaml())
}

fn title(access: &UserAccess) -> String {
    let plural = if access.requests == 1 { "" } else { "s" };
    let span = access.window.map_or(String::new(), |(first, last)| {
        format!(", {} to {}", format_rfc3339(first), format_rfc3339(last))
    });
    format!("{}: {} request{plural}{span}", one_line(&access.user), access.requests)
}

/// The lines of a list, each with what is to stand below it.
fn list(
    log: &Log<'_>,
    output: QueryOutput,
    ascii: bool,
    headings: Vec<Heading>,
    lines: &[Vec<Cell<'_>>],
    below: impl Fn(usize) -> String,
) -> String {
    if lines.is_empty() {
        return "nothing\n".to_owned();
    }
    let mut out: Vec<u8> = Vec::new();
    let mut form = Form::new(output, log.zone, ascii, headings);
    form.fit(lines);
    for (at, line) in lines.iter().enumerate() {
        // A vector takes all that is written.
        let _ = form.line(line, &mut out);
        out.extend_from_slice(below(at).as_bytes());
    }
    let _ = form.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn headings(titles: &[(&'static str, bool)]) -> Vec<Heading> {
    let heading = |(title, is_number): &(&'static str, bool)| Heading {
        key: (*title).into(),
        title: (*title).into(),
        width: 5,
        is_number: *is_number,
    };
    titles.iter().map(heading).collect()
}

fn grant_headings() -> Vec<Heading> {
    headings(&[
        ("COUNT", true),
        ("FIRST", false),
        ("LAST", false),
        ("BINDING", false),
        ("ROLE", false),
        ("VERBS", false),
        ("RESOURCES", false),
    ])
}

fn grant_cells(grant: &GrantUse) -> Vec<Cell<'_>> {
    let (binding, role) = match &grant.by {
        AllowedBy::Grant(granted) => {
            let namespace = if granted.namespace.is_empty() { "" } else { "/" };
            (
                format!("{} {}{namespace}{}", granted.binding_kind, granted.namespace, granted.binding),
                format!("{} {}", granted.role_kind, granted.role),
            )
        }
        other => (allowed_in_words(other), String::new()),
    };
    let verbs: Vec<&str> = grant.verbs.iter().map(String::as_str).collect();
    let mut resources: Vec<&str> = grant.resources.iter().map(String::as_str).collect();
    if grant.more_resources {
        resources.push("and more");
    }
    vec![
        Cell::Count(grant.count),
        Cell::Time(grant.first),
        Cell::Time(grant.last),
        Cell::text(binding),
        Cell::text(role),
        Cell::text(verbs.join(",")),
        Cell::text(resources.join(",")),
    ]
}

fn refusal_headings() -> Vec<Heading> {
    headings(&[("COUNT", true), ("FIRST", false), ("LAST", false), ("KIND", false), ("WHY", false)])
}

fn refusal_cells(group: &RefusalGroup) -> Vec<Cell<'_>> {
    vec![
        Cell::Count(group.count),
        Cell::Time(group.first_time),
        Cell::Time(group.last_time),
        Cell::text(group.refused.why.kind()),
        Cell::text(group.refused.why.to_string()),
    ]
}

fn changed(log: &Log<'_>, change: &AccessChange) -> String {
    let what = if change.is_role { "role" } else { "binding" };
    let request = tell::request_in_words(log, &change.request);
    one_line(&format!("{what} {}: {request}", kind_name(change.kind)))
}

fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Changed => "changed",
        ChangeKind::Deleted => "deleted",
    }
}

fn as_json(access: &UserAccess, proposal: &Proposal) -> String {
    let mut answer = Map::new();
    answer.insert("user".into(), access.user.as_str().into());
    answer.insert("requests".into(), access.requests.into());
    if let Some((first, last)) = access.window {
        answer.insert("first".into(), format_rfc3339(first).into());
        answer.insert("last".into(), format_rfc3339(last).into());
    }
    answer.insert("readsLogged".into(), access.reads_are_logged.into());
    answer.insert("grants".into(), access.grants.iter().map(grant_json).collect());
    answer.insert("refusals".into(), access.refusals.iter().map(refusal_json).collect());
    let remarks = proposal.remarks.iter().chain(&proposal.roles.notes);
    answer.insert("remarks".into(), remarks.map(String::as_str).collect());
    let manifests = proposal.roles.manifests.iter().map(|manifest| manifest.object.clone());
    answer.insert("manifests".into(), manifests.collect());
    json_escape_hostile(&Value::Object(answer).to_string()).into_owned() + "\n"
}

/// An object of those texts that are not empty.
fn texts<const N: usize>(members: [(&str, &str); N]) -> Map<String, Value> {
    let told = members.into_iter().filter(|(_, text)| !text.is_empty());
    told.map(|(key, text)| (key.to_owned(), text.into())).collect()
}

fn span(object: &mut Map<String, Value>, count: u64, first: Micros, last: Micros) {
    object.insert("count".into(), count.into());
    object.insert("first".into(), format_rfc3339(first).into());
    object.insert("last".into(), format_rfc3339(last).into());
}

fn grant_json(grant: &GrantUse) -> Value {
    let mut object = match &grant.by {
        AllowedBy::Grant(granted) => texts([
            ("by", "rbac"),
            ("bindingKind", &granted.binding_kind),
            ("binding", &granted.binding),
            ("namespace", &granted.namespace),
            ("roleKind", &granted.role_kind),
            ("role", &granted.role),
            ("subjectKind", &granted.subject_kind),
            ("subject", &granted.subject),
        ]),
        AllowedBy::SystemMasters => texts([("by", "system:masters")]),
        AllowedBy::NodeAuthorizer => texts([("by", "node")]),
        AllowedBy::Other(reason) => texts([("by", "other"), ("reason", reason)]),
        AllowedBy::Unknown => texts([("by", "unknown")]),
    };
    span(&mut object, grant.count, grant.first, grant.last);
    object.insert("verbs".into(), json!(grant.verbs));
    object.insert("resources".into(), json!(grant.resources));
    object.insert("moreResources".into(), grant.more_resources.into());
    object.insert("changes".into(), grant.changes.iter().map(change_json).collect());
    Value::Object(object)
}

fn change_json(change: &AccessChange) -> Value {
    let request = &change.request;
    Value::Object(texts([
        ("object", if change.is_role { "role" } else { "binding" }),
        ("change", kind_name(change.kind)),
        ("time", &format_rfc3339(request.time)),
        ("auditID", &request.audit_id),
        ("user", &request.user),
        ("impersonatedUser", &request.impersonated_user),
        ("verb", &request.verb),
        ("sourceIP", &request.source_ip),
        ("userAgent", &request.user_agent),
    ]))
}

fn refusal_json(group: &RefusalGroup) -> Value {
    let refused = &group.refused;
    let mut object = texts([
        ("kind", refused.why.kind()),
        ("why", &refused.why.to_string()),
        ("certainty", refused.certainty.name()),
        ("evidence", refused.evidence),
    ]);
    if let Refusal::Rbac { needs, .. } = &refused.why {
        object.extend(match needs {
            Permission::Resource { namespace, group, resource, name, verb } => texts([
                ("verb", verb),
                ("apiGroup", group),
                ("resource", resource),
                ("namespace", namespace),
                ("name", name),
            ]),
            Permission::NonResource { path, verb } => texts([("verb", verb), ("path", path)]),
        });
    }
    span(&mut object, group.count, group.first_time, group.last_time);
    Value::Object(object)
}

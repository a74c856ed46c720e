//! What the filter language means, said a second time: the expression's tree is asked of one record at a time.
//!
//! It shares no code with `query::{compile, plan, pattern, text_test, path}`: no dictionaries, no bitsets, no stages of
//! evaluation. Places in the text are looked up in the tree of the event (`serde_json`); a regular expression is the one
//! thing that is left to its own crate.

use kauditui::model::{Micros, Stage};
use kauditui::query::{FieldName, Node, Target, Term};
use serde_json::Value as Json;

use crate::asked::Asked;
use crate::lines::write_json;
use crate::measures::{address_is, audit_id_is, code_is, length_is, moment};
use crate::places::{at_annotation, at_path, leaves_pass};
use crate::pools::RESOURCES;
use crate::record::Record;

/// A record with what is known besides its line.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    pub record: &'r Record,
    /// The name of its log.
    pub source: &'r str,
    pub is_marked: bool,
    /// Time from arrival to end, when a later record ended the request.
    pub ended_after: Option<Micros>,
    /// Secret values may be matched.
    pub is_revealed: bool,
}

/// Whether a record passes.
pub fn passes(node: &Node, row: Row<'_>) -> bool {
    match node {
        Node::And(parts) => parts.iter().all(|part| passes(part, row)),
        Node::Or(parts) => parts.iter().any(|part| passes(part, row)),
        Node::Not(inner) => !passes(inner, row),
        Node::Term(term) => {
            term.values.iter().any(|value| term_passes(term, Asked { value, regex: term.regex }, row))
        }
    }
}

fn term_passes(term: &Term, asked: Asked<'_>, row: Row<'_>) -> bool {
    match &term.target {
        None => word_passes(asked, row.record),
        Some(Target::Field(field)) => field_passes(*field, asked, row),
        Some(Target::Exactly(field)) => values(*field, row).iter().any(|value| value == asked.text()),
        // What must not be seen cannot be found: it must hold of what may be shown as well.
        Some(Target::Annotation(key)) => {
            shown(row).all(|event| leaves_pass(asked, &at_annotation(event, key)))
        }
        Some(Target::Body(path)) => shown(row).all(|event| leaves_pass(asked, &at_path(event, path))),
    }
}

fn shown<'r>(row: Row<'r>) -> impl Iterator<Item = &'r Json> {
    let masked = (!row.is_revealed).then_some(&row.record.masked);
    std::iter::once(&row.record.event).chain(masked)
}

fn word_passes(asked: Asked<'_>, record: &Record) -> bool {
    let columns = [
        &record.user,
        &record.impersonated_user,
        &record.verb,
        &record.resource,
        &record.namespace,
        &record.name,
        &record.user_agent,
        &record.request_uri,
    ];
    asked.is_absence()
        || columns.into_iter().any(|text| asked.is_in(text))
        || other_names(&record.resource).iter().any(|name| asked.is_in(name))
}

fn field_passes(field: FieldName, asked: Asked<'_>, row: Row<'_>) -> bool {
    let record = row.record;
    let is_acting = !record.impersonated_user.is_empty();
    match field {
        // Nobody at all is a question about the authenticated user: few requests are impersonated.
        FieldName::User if asked.is_absence() => record.user.is_empty(),
        FieldName::User => user_is(asked, &record.user) || user_is(asked, &record.impersonated_user),
        FieldName::Impersonator if asked.is_absence() => !is_acting || record.user.is_empty(),
        FieldName::Impersonator => is_acting && user_is(asked, &record.user),
        FieldName::ImpersonatedUser => user_is(asked, &record.impersonated_user),
        FieldName::Group if asked.is_absence() => record.groups.is_empty(),
        FieldName::Group => {
            record.groups.iter().chain(&record.impersonated_groups).any(|group| asked.is(group))
        }
        FieldName::Kind => {
            asked.is_word(kind(&record.user)) || (is_acting && asked.is_word(kind(&record.impersonated_user)))
        }
        FieldName::Verb => asked.is(&record.verb),
        FieldName::Is => is_such(&asked.text().to_lowercase(), row),
        FieldName::Resource => resource_is(asked, record),
        FieldName::Subresource => asked.is(&record.subresource),
        FieldName::Namespace => asked.is(&record.namespace),
        FieldName::Name => asked.is(&record.name),
        FieldName::Object => object_is(asked, record),
        FieldName::ApiVersion => api_version_is(asked, record),
        FieldName::Code => code_is(asked, record.code),
        FieldName::Reason => asked.is(&record.reason),
        FieldName::Decision => asked.is_word(record.decision.name()),
        FieldName::Binding => match record.grant {
            None => asked.is_absence(),
            Some(grant) => {
                let name = grant.binding.split('/').next().unwrap_or_default();
                let whole = format!("{}/{}", grant.binding_kind, grant.binding);
                !asked.is_absence() && [grant.binding, name, &whole].into_iter().any(|text| asked.is(text))
            }
        },
        FieldName::Role => match record.grant {
            None => asked.is_absence(),
            Some(grant) => {
                !asked.is_absence()
                    && (asked.is(grant.role) || asked.is(&format!("{}/{}", grant.role_kind, grant.role)))
            }
        },
        FieldName::SourceIp => address_is(asked, &record.source_ip),
        FieldName::UserAgent => asked.is_in(&record.user_agent),
        FieldName::Tool => asked.is(&record.tool),
        FieldName::Manager => asked.is(manager(record)),
        FieldName::RequestUri => asked.is_in(&record.request_uri),
        FieldName::Command => match (record.subresource.as_str(), record.query.command) {
            ("exec", command) if !command.is_empty() => !asked.is_absence() && asked.is_in(command),
            _ => asked.is_absence(),
        },
        FieldName::Level => asked.is_word(record.level.name()),
        FieldName::Stage => asked.is_word(record.stage.name()),
        FieldName::Log => asked.is_word("kube"),
        FieldName::AuditId => audit_id_is(asked, &record.audit_id),
        FieldName::Credential if asked.is_absence() => record.credential.is_empty(),
        FieldName::Credential => asked.is(&record.credential) || asked.is(&record.issued_credential),
        FieldName::TokenPod => asked.is(&record.token_pod),
        FieldName::TokenNode => asked.is(&record.token_node),
        FieldName::Source => {
            asked.is(row.source) || asked.is(row.source.rsplit('/').next().unwrap_or_default())
        }
        FieldName::Duration => took(row).is_some_and(|took| length_is(asked.text(), took)),
        FieldName::Since => record.stage_time >= moment(asked.text()).0,
        FieldName::Until => record.stage_time < moment(asked.text()).0,
        FieldName::At => {
            let (from, length) = moment(asked.text());
            (from..from + length).contains(&record.stage_time)
        }
        FieldName::Alert => {
            let asked_for = asked.text().to_lowercase();
            match asked_for.as_str() {
                "no" | "none" => !row.is_marked,
                // Every alert there is is of severity high, by one rule.
                "yes" | "*" | "high" | ">=medium" | ">=high" | "r-2" => row.is_marked,
                "<high" | "low" | "critical" | "r-1" => false,
                _ => row.is_marked && asked.is_in("A bad deed"),
            }
        }
        FieldName::Mark => row.is_marked == asked.text().eq_ignore_ascii_case("yes"),
        FieldName::Deprecated => asked.is(&record.deprecated),
        FieldName::Text => shown(row).all(|event| {
            let mut decoded = String::new();
            write_json(event, &mut decoded, &mut |c, out| out.push(c));
            asked.is_in(&decoded)
        }),
    }
}

/// What a column shows of a record, and what it is counted under; one value that is empty where there is none. Nothing
/// for fields that have no values of their own.
pub fn values(field: FieldName, row: Row<'_>) -> Vec<String> {
    let record = row.record;
    let value = match field {
        FieldName::User => record.user.as_str(),
        FieldName::Impersonator if record.impersonated_user.is_empty() => "",
        FieldName::Impersonator => &record.user,
        FieldName::ImpersonatedUser => &record.impersonated_user,
        FieldName::Group if record.groups.is_empty() => "",
        FieldName::Group => return record.groups.clone(),
        FieldName::Kind => kind(&record.user),
        FieldName::Verb => &record.verb,
        FieldName::Resource => &record.resource,
        FieldName::Subresource => &record.subresource,
        FieldName::Namespace => &record.namespace,
        FieldName::Name => &record.name,
        FieldName::Object if record.resource.is_empty() => "",
        FieldName::Object => {
            let dot = if record.api_group.is_empty() { "" } else { "." };
            let resource = format!("{}{dot}{}", record.resource, record.api_group);
            return vec![format!("{}/{resource}/{}", record.namespace, record.name)];
        }
        FieldName::ApiVersion if record.api_group.is_empty() => &record.api_version,
        FieldName::ApiVersion => return vec![format!("{}/{}", record.api_group, record.api_version)],
        FieldName::Code if record.code == 0 => "",
        FieldName::Code => return vec![record.code.to_string()],
        FieldName::Reason => &record.reason,
        FieldName::Decision => record.decision.name(),
        FieldName::Binding => record.grant.map_or("", |grant| grant.binding),
        FieldName::Role => record.grant.map_or("", |grant| grant.role),
        FieldName::SourceIp => &record.source_ip,
        FieldName::UserAgent => &record.user_agent,
        FieldName::Tool => &record.tool,
        FieldName::Manager => manager(record),
        FieldName::RequestUri => &record.request_uri,
        FieldName::Command if record.subresource != "exec" => "",
        FieldName::Command => record.query.command,
        FieldName::Level => record.level.name(),
        FieldName::Stage => record.stage.name(),
        FieldName::Log => "kube",
        FieldName::AuditId => &record.audit_id,
        FieldName::Credential => &record.credential,
        FieldName::TokenPod => &record.token_pod,
        FieldName::TokenNode => &record.token_node,
        FieldName::Source => row.source,
        FieldName::Deprecated => &record.deprecated,
        FieldName::Is
        | FieldName::Duration
        | FieldName::Since
        | FieldName::Until
        | FieldName::At
        | FieldName::Alert
        | FieldName::Mark
        | FieldName::Text => return Vec::new(),
    };
    vec![value.to_owned()]
}

// ---- Users -------------------------------------------------------------------------------------------------------

/// In quotes it is the whole name.
fn user_is(asked: Asked<'_>, user: &str) -> bool {
    let spelled = !asked.value.quoted && !asked.regex;
    asked.is(user) || (spelled && spellings(user).iter().any(|name| asked.is(name)))
}

/// Every way in which a username may be asked for.
pub fn spellings(user: &str) -> Vec<String> {
    let mut names = vec![user.to_owned()];
    if let Some((namespace, name)) =
        user.strip_prefix("system:serviceaccount:").and_then(|n| n.split_once(':'))
    {
        names.extend([name.to_owned(), format!("{namespace}:{name}"), format!("{namespace}/{name}")]);
    } else if let Some(node) = user.strip_prefix("system:node:") {
        names.push(node.to_owned());
    } else if let Some((local, _)) = user.split_once('@') {
        names.push(local.to_owned());
    }
    names
}

/// The kind of identity that a name claims.
pub fn kind(user: &str) -> &'static str {
    match user.split(':').collect::<Vec<_>>().as_slice() {
        [""] | ["system", "anonymous"] => "anonymous",
        ["system", "serviceaccount", ..] => "serviceaccount",
        ["system", "node", ..] => "node",
        ["system", ..] => "control-plane",
        _ => "human",
    }
}

// ---- What was done, and to what ----------------------------------------------------------------------------------

fn is_such(word: &str, row: Row<'_>) -> bool {
    let record = row.record;
    let writes = ["create", "patch", "delete", "update"].contains(&record.verb.as_str())
        || ["exec", "proxy"].contains(&record.subresource.as_str());
    match word {
        "write" => writes,
        "read" => !writes,
        "failed" => record.code >= 400,
        "dryrun" => record.query.dry_run,
        "noop" => {
            let version = |body: &str| {
                let version = record.event.get(body)?.get("metadata")?.get("resourceVersion")?.as_str()?;
                Some(version.to_owned())
            };
            let before = version("requestObject");
            ["patch", "update"].contains(&record.verb.as_str())
                && record.code < 400
                && before.is_some()
                && before == version("responseObject")
        }
        "routine" => is_routine(record),
        other => panic!("is:{other} is not generated"),
    }
}

/// Traffic that a healthy cluster makes by itself.
pub fn is_routine(record: &Record) -> bool {
    let by_itself = !["human", "anonymous"].contains(&kind(&record.user));
    // A machine's identity with a tool that people use is somebody's hands.
    let by_hand = record.user_agent.contains("kubectl") || record.user_agent.starts_with("curl");
    let path = record.request_uri.split('?').next().unwrap_or_default();
    by_itself
        && !by_hand
        && record.code < 400
        && record.verb != "delete"
        && match (record.resource.as_str(), record.subresource.as_str()) {
            ("leases", _) => true,
            ("nodes", "status") => ["patch", "update"].contains(&record.verb.as_str()),
            ("", _) => ["/healthz", "/api", "/apis/apps/v1", "/version/"].contains(&path),
            _ => record.verb == "watch",
        }
}

/// Resources have other names than their plural.
pub fn other_names(resource: &str) -> &'static [&'static str] {
    RESOURCES.iter().find(|(plural, ..)| *plural == resource).map_or(&[], |(.., names)| *names)
}

fn resource_is(asked: Asked<'_>, record: &Record) -> bool {
    let named = |asked: Asked<'_>| {
        asked.is(&record.resource) || other_names(&record.resource).iter().any(|name| asked.is(name))
    };
    if asked.regex {
        return named(asked);
    }
    let (resource, subresource) = match asked.text().split_once('/') {
        Some((resource, subresource)) => (resource, Some(asked.part_of(subresource))),
        None => (asked.text(), None),
    };
    let (resource, group) = match resource.split_once('.') {
        Some((resource, group)) => (resource, Some(asked.part_of(group))),
        None => (resource, None),
    };
    named(asked.like(&asked.part_of(resource)))
        && group.is_none_or(|group| asked.like(&group).is(&record.api_group))
        && subresource.is_none_or(|subresource| asked.like(&subresource).is(&record.subresource))
}

fn object_is(asked: Asked<'_>, record: &Record) -> bool {
    let is = |part: &str, text: &str| asked.like(&asked.part_of(part)).is(text);
    let resource = |part: &str| resource_is(asked.like(&asked.part_of(part)), record);
    match asked.text().split('/').collect::<Vec<_>>().as_slice() {
        [kind, name] => resource(kind) && is(name, &record.name),
        [namespace, kind, name] => {
            is(namespace, &record.namespace) && resource(kind) && is(name, &record.name)
        }
        _ => record.resource.is_empty(),
    }
}

fn api_version_is(asked: Asked<'_>, record: &Record) -> bool {
    let is = |part: &str, text: &str| asked.like(&asked.part_of(part)).is(text);
    match asked.text().split_once('/').filter(|_| !asked.regex) {
        Some((group, version)) => is(group, &record.api_group) && is(version, &record.api_version),
        None if asked.is_absence() => record.api_version.is_empty(),
        None => asked.is(&record.api_group) || asked.is(&record.api_version),
    }
}

/// Who manages the fields of a write; empty where nobody is named.
pub fn manager(record: &Record) -> &str {
    if !["create", "update", "patch"].contains(&record.verb.as_str()) {
        return "";
    }
    record.query.manager.unwrap_or(record.user_agent.split('/').next().unwrap_or_default())
}

/// Time from arrival to end, for requests that have ended: what is refused with 401 never has another record.
fn took(row: Row<'_>) -> Option<Micros> {
    let record = row.record;
    let is_end = matches!(record.stage, Stage::ResponseComplete | Stage::Panic) || record.code == 401;
    row.ended_after.or(is_end.then(|| record.stage_time - record.received))
}

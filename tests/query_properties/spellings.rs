//! The texts under which a record is found, and which of them may stand in a question as they are.

use kauditui::query::{FieldName, Target};
use serde_json::Value as Json;

use crate::lines::write_json;
use crate::model;
use crate::pools::{SECRETS, SOURCES};
use crate::record::Record;

/// The annotations of a record.
pub fn annotations(record: &Record) -> impl Iterator<Item = (&String, &Json)> {
    record.event.get("annotations").and_then(Json::as_object).into_iter().flatten()
}

/// The texts under which a record is found by a field.
pub fn texts(field: FieldName, record: &Record) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match field {
        FieldName::User | FieldName::Impersonator => model::spellings(&record.user),
        FieldName::ImpersonatedUser => model::spellings(&record.impersonated_user),
        FieldName::Group => record.groups.iter().chain(&record.impersonated_groups).cloned().collect(),
        FieldName::Verb => one(&record.verb),
        FieldName::Resource => {
            let mut texts: Vec<String> =
                model::other_names(&record.resource).iter().map(|name| (*name).to_owned()).collect();
            texts.push(record.resource.clone());
            if !record.api_group.is_empty() {
                texts.push(format!("{}.{}", record.resource, record.api_group));
            }
            if !record.subresource.is_empty() {
                texts.push(format!("{}/{}", record.resource, record.subresource));
            }
            texts
        }
        FieldName::Subresource => one(&record.subresource),
        FieldName::Namespace => one(&record.namespace),
        FieldName::Name => one(&record.name),
        FieldName::ApiVersion => {
            let both = format!("{}/{}", record.api_group, record.api_version);
            vec![record.api_group.clone(), record.api_version.clone(), both]
        }
        FieldName::Reason => one(&record.reason),
        FieldName::Binding => record.grant.map_or_else(Vec::new, |grant| {
            let name = grant.binding.split('/').next().unwrap_or_default().to_owned();
            vec![grant.binding.to_owned(), name, format!("{}/{}", grant.binding_kind, grant.binding)]
        }),
        FieldName::Role => record.grant.map_or_else(Vec::new, |grant| {
            vec![grant.role.to_owned(), format!("{}/{}", grant.role_kind, grant.role)]
        }),
        FieldName::SourceIp => one(&record.source_ip),
        FieldName::UserAgent => one(&record.user_agent),
        FieldName::Tool => one(&record.tool),
        FieldName::Manager => one(model::manager(record)),
        FieldName::RequestUri => one(&record.request_uri),
        FieldName::Command => one(record.query.command),
        FieldName::AuditId => one(&record.audit_id),
        FieldName::Credential => vec![record.credential.clone(), record.issued_credential.clone()],
        FieldName::TokenPod => one(&record.token_pod),
        FieldName::TokenNode => one(&record.token_node),
        FieldName::Source => SOURCES
            .iter()
            .flat_map(|name| [*name, name.rsplit('/').next().unwrap_or("")])
            .map(str::to_owned)
            .collect(),
        FieldName::Deprecated => one(&record.deprecated),
        FieldName::Text => {
            let mut line = String::new();
            write_json(&record.event, &mut line, &mut |c, out| out.push(c));
            let secrets = SECRETS.into_iter().filter(|secret| line.contains(secret)).map(str::to_owned);
            let secrets: Vec<String> = std::iter::repeat_n(secrets, 20).flatten().collect();
            let values = line.split(',').filter(|part| part.contains(':')).map(str::to_owned);
            let words = line.split('"').filter(|text| text.len() > 2).map(str::to_owned);
            values.chain(words).chain(secrets).collect()
        }
        // These are no texts; see `fixed_value`.
        FieldName::Code
        | FieldName::Kind
        | FieldName::Is
        | FieldName::Alert
        | FieldName::Mark
        | FieldName::Decision
        | FieldName::Level
        | FieldName::Stage
        | FieldName::Log
        | FieldName::Duration
        | FieldName::Since
        | FieldName::Until
        | FieldName::At
        | FieldName::Object => Vec::new(),
    }
}

/// Whether a text may stand without quotes, as the grammar says.
pub fn is_readable(target: Option<&Target>, text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"');
    match target {
        _ if text.is_empty() || text.contains(ends) => false,
        None => {
            let is_sign = ["and", "or", "not"].iter().any(|word| word.eq_ignore_ascii_case(text));
            let is_target =
                (text.contains(['~', ':']) || text.contains("==")) && !text.starts_with("system:");
            !is_sign && !text.starts_with('-') && !is_target
        }
        // There these are signs of comparison.
        Some(Target::Body(_) | Target::Annotation(_)) if text.starts_with(['<', '>']) => false,
        Some(_) => !text.contains(','),
    }
}

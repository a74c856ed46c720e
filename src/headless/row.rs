//! What one row says: a request with its end, or a single record; and its JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::texts::RowTexts;
use crate::format::{Marks, Reader, Sink, Unreadable};
use crate::model::{
    Event, EventId, Grant, LogKind, Micros, actor_kind, command, field_manager, format_rfc3339, tool,
};
use crate::query::FieldName;
use crate::store::{Field, Segment, Store};

/// A record with what other records say about its request.
pub(super) struct Row<'a> {
    pub(super) segment: &'a Segment,
    pub(super) row: u32,
    id: EventId,
    /// The record that ended the request, when rows are requests and it is another one.
    end: Option<(&'a Segment, u32)>,
    end_id: Option<EventId>,
    is_request: bool,
    is_open: bool,
    revealed: Option<Revealed>,
}

/// The fields of a row that may hold credentials, as they stand in the log.
#[derive(Default)]
struct Revealed {
    request_uri: String,
    user_agent: String,
    user: String,
    impersonated_user: String,
    name: String,
    reason: String,
    decision_reason: String,
}

impl Sink for Revealed {
    fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
        self.request_uri = event.request_uri.to_string();
        self.user_agent = event.user_agent.to_string();
        self.user = event.user.to_string();
        self.impersonated_user = event.impersonated_user.to_string();
        self.name = event.object.name.to_string();
        self.reason = event.reason.to_string();
        self.decision_reason = event.decision_reason.to_string();
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

impl<'a> Row<'a> {
    /// The row of a record that is held. `is_request`: rows are requests, not records. With `revealing`, the texts of
    /// the same store, credentials are shown as they stand in them.
    pub(super) fn new(
        store: &'a Store,
        id: EventId,
        is_request: bool,
        revealing: Option<&mut RowTexts<'_>>,
    ) -> Option<Self> {
        let segment = store.segment(id)?;
        let row = id.row();
        let end_id = store.ending(id).filter(|_| is_request);
        let end = end_id.and_then(|end| store.segment(end).map(|segment| (segment, end.row())));
        let revealed = revealing.and_then(|texts| texts.read(id).ok().map(read_again));
        Some(Self { segment, row, id, end, end_id, is_request, is_open: store.is_open(id), revealed })
    }

    /// A field; what a later record of the request knows better fills the gaps.
    pub(super) fn string(&self, field: Field) -> &str {
        let unmasked = self.revealed.as_ref().map_or("", |revealed| match field {
            Field::RequestUri => &revealed.request_uri,
            Field::UserAgent => &revealed.user_agent,
            Field::User => &revealed.user,
            Field::ImpersonatedUser => &revealed.impersonated_user,
            Field::Name => &revealed.name,
            Field::Reason => &revealed.reason,
            Field::DecisionReason => &revealed.decision_reason,
            _ => "",
        });
        if !unmasked.is_empty() {
            return unmasked;
        }
        match (self.segment.string(field, self.row), self.end) {
            ("", Some((segment, row))) => segment.string(field, row),
            (own, _) => own,
        }
    }

    /// `responseStatus.code`, 0 when absent.
    pub(super) fn code(&self) -> u16 {
        match (self.segment.code(self.row), self.end) {
            (0, Some((segment, row))) => segment.code(row),
            (own, _) => own,
        }
    }

    fn decision(&self) -> &'static str {
        match (self.segment.facts(self.row).decision().name(), self.end) {
            ("", Some((segment, row))) => segment.facts(row).decision().name(),
            (own, _) => own,
        }
    }

    /// The row's own record, then the one that ended its request.
    pub(super) fn records(&self) -> impl Iterator<Item = EventId> {
        std::iter::once(self.id).chain(self.end_id)
    }

    /// A field of the filter language as [`crate::query::Keys`] has it, with the gaps filled; empty where it is
    /// absent or no text. `source` is what the row's log is called.
    pub(super) fn value<'r>(&'r self, field: FieldName, source: &'r str) -> Cow<'r, str> {
        let facts = self.segment.facts(self.row);
        let own = |field| Cow::Borrowed(self.string(field));
        let grant = || Grant::parse(self.string(Field::DecisionReason));
        match field {
            FieldName::User => own(Field::User),
            FieldName::ImpersonatedUser => own(Field::ImpersonatedUser),
            FieldName::Impersonator if self.string(Field::ImpersonatedUser).is_empty() => "".into(),
            FieldName::Impersonator => own(Field::User),
            FieldName::Group => {
                let groups = serde_json::from_str::<Vec<String>>(self.string(Field::Groups));
                groups.unwrap_or_default().join(", ").into()
            }
            FieldName::Kind => actor_kind(self.string(Field::User)).name().into(),
            FieldName::Verb => own(Field::Verb),
            FieldName::Resource => own(Field::Resource),
            FieldName::Subresource => own(Field::Subresource),
            FieldName::Namespace => own(Field::Namespace),
            FieldName::Name => own(Field::Name),
            FieldName::Object => self.object().into(),
            FieldName::ApiVersion => match (self.string(Field::ApiGroup), self.string(Field::ApiVersion)) {
                ("", version) => version.into(),
                (group, version) => format!("{group}/{version}").into(),
            },
            FieldName::Code => match self.code() {
                0 => "".into(),
                code => code.to_string().into(),
            },
            FieldName::Reason => own(Field::Reason),
            FieldName::Decision => self.decision().into(),
            FieldName::Binding => grant().map_or("", |grant| grant.binding).into(),
            FieldName::Role => grant().map_or("", |grant| grant.role).into(),
            FieldName::SourceIp => own(Field::SourceIp),
            FieldName::UserAgent => own(Field::UserAgent),
            FieldName::Tool => tool(self.string(Field::UserAgent)).into(),
            FieldName::Manager if !matches!(self.string(Field::Verb), "create" | "update" | "patch") => {
                "".into()
            }
            FieldName::Manager => {
                field_manager(self.string(Field::RequestUri), self.string(Field::UserAgent))
            }
            FieldName::RequestUri => own(Field::RequestUri),
            FieldName::Command if self.string(Field::Subresource) != "exec" => "".into(),
            FieldName::Command => command(self.string(Field::RequestUri)).into(),
            FieldName::Level => facts.level().name().into(),
            FieldName::Stage => facts.stage().name().into(),
            FieldName::Log => facts.log().name().into(),
            FieldName::AuditId => self.segment.audit_id(self.row).into(),
            FieldName::Credential => own(Field::Credential),
            FieldName::TokenPod => own(Field::TokenPod),
            FieldName::TokenNode => own(Field::TokenNode),
            FieldName::Deprecated => own(Field::Deprecated),
            FieldName::Source => source.into(),
            FieldName::Is
            | FieldName::Duration
            | FieldName::Since
            | FieldName::Until
            | FieldName::At
            | FieldName::Alert
            | FieldName::Mark
            | FieldName::Text => "".into(),
        }
    }

    fn object(&self) -> String {
        let resource = self.string(Field::Resource);
        if resource.is_empty() {
            return String::new();
        }
        let group = self.string(Field::ApiGroup);
        let dot = if group.is_empty() { "" } else { "." };
        format!("{}/{resource}{dot}{group}/{}", self.string(Field::Namespace), self.string(Field::Name))
    }

    /// From the arrival of the request to its end, once that is known.
    pub(super) fn duration(&self) -> Option<Micros> {
        match self.end {
            Some((segment, row)) => Some(segment.stage_time(row) - self.segment.received(self.row)),
            None if self.segment.is_end(self.row) => {
                // Logs of controllers tell when something was, seldom how long it took.
                let is_told = self.segment.facts(self.row).log() == LogKind::Kube;
                Some(self.segment.elapsed(self.row)).filter(|took| is_told || *took > 0)
            }
            None => None,
        }
    }

    /// Whether rows are requests and this one has not ended, as far as the log tells.
    pub(super) fn is_open(&self) -> bool {
        self.is_request && self.is_open
    }

    /// The record that ended the request, when it is not the row itself.
    fn end_stage(&self) -> (&'static str, Option<u16>) {
        self.end.map_or(("", None), |(segment, row)| {
            (segment.facts(row).stage().name(), Some(segment.code(row)).filter(|code| *code != 0))
        })
    }

    /// The row as JSON; `source` is what its log is called.
    pub(super) fn json(&self, source: &str) -> serde_json::Result<String> {
        let (segment, row) = (self.segment, self.row);
        let facts = segment.facts(row);
        let marks = [(facts.is_time_guessed(), "timeGuessed"), (facts.is_repaired(), "repaired")];
        let (end_stage, end_code) = self.end_stage();
        let json = serde_json::to_string(&JsonRow {
            time: format_rfc3339(segment.stage_time(row)),
            received: format_rfc3339(segment.received(row)),
            stage: facts.stage().name(),
            level: facts.level().name(),
            audit_id: segment.audit_id(row),
            verb: self.string(Field::Verb),
            code: Some(self.code()).filter(|code| *code != 0),
            reason: self.string(Field::Reason),
            user: self.string(Field::User),
            impersonated_user: self.string(Field::ImpersonatedUser),
            source_ip: self.string(Field::SourceIp),
            user_agent: self.string(Field::UserAgent),
            api_group: self.string(Field::ApiGroup),
            api_version: self.string(Field::ApiVersion),
            resource: self.string(Field::Resource),
            subresource: self.string(Field::Subresource),
            namespace: self.string(Field::Namespace),
            name: self.string(Field::Name),
            request_uri: self.string(Field::RequestUri),
            decision: self.decision(),
            decision_reason: self.string(Field::DecisionReason),
            duration_micros: self.duration(),
            end_stage,
            end_code,
            open: self.is_request.then_some(self.is_open),
            source,
            log: facts.log().name(),
            marks: marks.into_iter().filter_map(|(set, mark)| set.then_some(mark)).collect(),
        })?;
        Ok(crate::text::json_escape_hostile(&json).into_owned())
    }
}

fn read_again(text: &[u8]) -> Revealed {
    let mut revealed = Revealed::default();
    let mut reader = Reader::new();
    reader.read(text, &mut revealed);
    reader.finish(&mut revealed);
    revealed
}

/// The fields in the order in which they are printed; what is absent is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRow<'a> {
    time: String,
    received: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    stage: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    level: &'a str,
    #[serde(rename = "auditID", skip_serializing_if = "String::is_empty")]
    audit_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    impersonated_user: &'a str,
    #[serde(rename = "sourceIP", skip_serializing_if = "str::is_empty")]
    source_ip: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subresource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(rename = "requestURI", skip_serializing_if = "str::is_empty")]
    request_uri: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    decision: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    decision_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_micros: Option<Micros>,
    #[serde(skip_serializing_if = "str::is_empty")]
    end_stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    log: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<&'static str>,
}

//! One request as an answer needs it: what its row says, and the whole record parsed, with its bodies.
//!
//! Values are as they are in the log; whoever shows a body masks it first. What comes from a column is masked already
//! (see [`crate::store`]).

use std::fmt;

use serde_json::Value;

use crate::model::{
    ActorKind, Decision, EventId, Level, LogKind, Micros, SourceId, actor_kind, is_dry_run, is_write_verb,
};
use crate::store::{self, Field, Store};

/// Which object: group, resource, namespace and name. Its recreations have the same key and another uid.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural resource, such as `deployments`.
    pub resource: String,
    /// Empty for an object of the whole cluster.
    pub namespace: String,
    /// Empty where the log does not tell it.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    /// `deployments.apps production/web`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, name) if self.resource == "namespaces" && namespace == name => write!(f, " {name}"),
            (namespace, "") => write!(f, " {namespace}/"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

/// One request. Strings are empty where the log says nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Request {
    /// The row that stands for the request.
    pub id: Option<EventId>,
    /// Which program's log it is of: of others than an API server's, it is a line that tells of a change.
    pub log: LogKind,
    /// The log it was read from.
    pub source: Option<SourceId>,
    /// As the client chose it.
    pub audit_id: String,
    /// When it was first answered (`stageTimestamp` of its row).
    pub time: Micros,
    /// How much the policy let the log say.
    pub level: Level,
    /// `responseStatus.code`; 0 when no answer was logged.
    pub code: u16,
    /// `responseStatus.reason`
    pub reason: String,
    /// Kubernetes verb.
    pub verb: String,
    /// `user.username`
    pub user: String,
    /// `impersonatedUser.username`
    pub impersonated_user: String,
    /// `user.extra["authentication.kubernetes.io/credential-id"]`
    pub credential: String,
    /// Annotation `authentication.kubernetes.io/issued-credential-id`
    pub issued_credential: String,
    /// The pod that the token is bound to.
    pub token_pod: String,
    /// The last of `sourceIPs`: the only one that a client cannot choose.
    pub source_ip: String,
    /// A claim of the client's.
    pub user_agent: String,
    /// `requestURI`
    pub request_uri: String,
    /// The object it is about. The name of a `create` with `generateName` is that of the answer, once the bodies are
    /// read.
    pub object: ObjectKey,
    /// `objectRef.subresource`
    pub subresource: String,
    /// `objectRef.apiVersion`
    pub api_version: String,
    /// Annotation `authorization.k8s.io/decision`
    pub decision: Decision,
    /// Annotation `authorization.k8s.io/reason`
    pub decision_reason: String,
    /// The record with its bodies and annotations, once read; `Null` before, and where it cannot be read as JSON.
    pub event: Value,
}

/// Reads the texts of records. Those that come one after another and lie side by side are unpacked together.
pub(super) struct Texts<'s> {
    store: &'s Store,
    /// The segment that was read last.
    open: Option<(u32, store::Texts<'s>)>,
}

impl<'s> Texts<'s> {
    pub(super) fn of(store: &'s Store) -> Texts<'s> {
        Texts { store, open: None }
    }

    fn read(&mut self, id: EventId) -> Option<&[u8]> {
        if self.open.as_ref().is_none_or(|(number, _)| *number != id.segment()) {
            self.open = Some((id.segment(), self.store.segment(id)?.texts()));
        }
        self.open.as_mut()?.1.read(id.row()).ok()
    }
}

impl Request {
    /// What the row says; bodies and annotations are not read. `None` when the row is no longer held.
    pub fn of(store: &Store, id: EventId) -> Option<Request> {
        let segment = store.segment(id)?;
        let row = id.row();
        let text = |field| segment.string(field, row).to_owned();
        // What a later record of the request adds: its code, and annotations that came after the answer began.
        let end = store.ending(id).and_then(|end| Some((store.segment(end)?, end.row())));
        let late = |field: Field| {
            let own = text(field);
            match end {
                Some((segment, row)) if own.is_empty() => segment.string(field, row).to_owned(),
                _ => own,
            }
        };
        Some(Request {
            id: Some(id),
            log: segment.facts(row).log(),
            source: Some(segment.source()),
            audit_id: segment.audit_id(row),
            time: segment.stage_time(row),
            level: segment.facts(row).level(),
            code: segment.code(row),
            reason: late(Field::Reason),
            verb: text(Field::Verb),
            user: text(Field::User),
            impersonated_user: late(Field::ImpersonatedUser),
            credential: text(Field::Credential),
            issued_credential: late(Field::IssuedCredential),
            token_pod: text(Field::TokenPod),
            source_ip: text(Field::SourceIp),
            user_agent: text(Field::UserAgent),
            request_uri: text(Field::RequestUri),
            object: ObjectKey {
                group: text(Field::ApiGroup),
                resource: text(Field::Resource),
                namespace: text(Field::Namespace),
                name: text(Field::Name),
            },
            subresource: text(Field::Subresource),
            api_version: text(Field::ApiVersion),
            decision: segment.facts(row).decision(),
            decision_reason: late(Field::DecisionReason),
            event: Value::Null,
        })
    }

    /// What the row says, with bodies and annotations: those of the request's last record, which has them all.
    pub fn read(store: &Store, id: EventId) -> Option<Request> {
        let mut request = Request::of(store, id)?;
        request.read_event(store);
        Some(request)
    }

    /// What the row says, with bodies only where the name of what was made is told by them alone.
    pub fn named(store: &Store, id: EventId) -> Option<Request> {
        let mut request = Request::of(store, id)?;
        if request.object.name.is_empty() && request.verb == "create" {
            request.read_event(store);
        }
        Some(request)
    }

    /// [`Self::read`] where several are read.
    pub(super) fn read_by(texts: &mut Texts<'_>, id: EventId) -> Option<Request> {
        let mut request = Request::of(texts.store, id)?;
        request.read_event_by(texts);
        Some(request)
    }

    /// Reads bodies and annotations.
    pub fn read_event(&mut self, store: &Store) {
        self.read_event_by(&mut Texts::of(store));
    }

    fn read_event_by(&mut self, texts: &mut Texts<'_>) {
        let Some(id) = self.id else { return };
        let holder = texts.store.ending(id).unwrap_or(id);
        let text = texts.read(holder);
        let event = text.and_then(|text| serde_json::from_str(&String::from_utf8_lossy(text)).ok());
        self.event = event.unwrap_or(Value::Null);
        if self.object.name.is_empty()
            && self.verb == "create"
            && let Some(name) = self.event.pointer("/responseObject/metadata/name").and_then(Value::as_str)
        {
            self.object.name = name.to_owned();
        }
    }

    /// `requestObject`, where the level and the client's encoding let it be known.
    pub fn request_object(&self) -> Option<&Value> {
        self.event.get("requestObject").filter(|body| !body.is_null())
    }

    /// `responseObject`, where the level lets it be known.
    pub fn response_object(&self) -> Option<&Value> {
        self.event.get("responseObject").filter(|body| !body.is_null())
    }

    /// An annotation of the audit event; empty when absent.
    pub fn annotation(&self, key: &str) -> &str {
        self.event.get("annotations").and_then(|all| all.get(key)).and_then(Value::as_str).unwrap_or("")
    }

    /// All annotations of the audit event.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.event.get("annotations").and_then(Value::as_object);
        all.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// `responseStatus.message`; empty when absent.
    pub fn message(&self) -> &str {
        self.event.pointer("/responseStatus/message").and_then(Value::as_str).unwrap_or("")
    }

    /// All of `sourceIPs`, the trustworthy one last.
    pub fn source_ips(&self) -> impl Iterator<Item = &str> {
        let all = self.event.get("sourceIPs").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether it was answered with success (code below 400, or the switch to a stream).
    pub fn succeeded(&self) -> bool {
        (100..400).contains(&self.code)
    }

    /// Whether it asked for something to be changed and not only tried.
    pub fn is_write(&self) -> bool {
        is_write_verb(&self.verb) && !self.is_dry_run()
    }

    /// Whether it asked for nothing to be changed (`dryRun=All`).
    pub fn is_dry_run(&self) -> bool {
        is_dry_run(&self.request_uri)
    }

    /// On whose behalf it was done: the impersonated user, or else the user.
    pub fn acting_user(&self) -> &str {
        if self.impersonated_user.is_empty() { &self.user } else { &self.impersonated_user }
    }

    /// Whether a person, or an outside system under a person's kind of name, made the request.
    pub fn is_by_person(&self) -> bool {
        actor_kind(&self.user) == ActorKind::Human
    }
}

//! The history of one object: each write to it, by whom, and what it changed.
//!
//! A write's outcome is the body of its answer where that is in the log, else what its patch makes of the last known
//! state, else unknown: who and when are told all the same, and the hole is drawn. Bodies are parsed for the writes to
//! this object only, a few ahead of the one that is looked at; states are read again when one is asked for, so that memory
//! holds few.

mod comparing;

use std::sync::Arc;
use std::thread;

use serde_json::Value;

use super::cause::creation_of;
use super::difference::differences;
use super::finding::Log;
use super::manifest::{ShownChange, shown};
use super::patch::{self, PatchContext, PatchKind};
use super::read_ahead::{WORTH_THREADS, each_read};
use super::relations::RELATIONS;
use super::request::{ObjectKey, Request};
use super::select::{in_time_order, requests_where, requests_with};
use crate::model::{EventId, Level, field_manager, is_write_verb};
use crate::store::Field;
use comparing::{Comparing, Comparison, Pair};

/// Writes of one object that are looked at; older ones are counted.
const MOST: usize = 10_000;

/// Objects whose writes are told with those of the one that they belong to.
const MOST_OWNED: usize = 200;

/// What a history shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistoryOptions {
    /// Writes of subresources that only report, such as `status`, too.
    pub reports: bool,
    /// Changes of managedFields, status and what the server counts, too.
    pub noise: bool,
    /// Values of Secrets as they are.
    pub revealed: bool,
    /// Writes to what belongs to the object, too: a deployment's replica sets and their pods.
    pub owned: bool,
}

/// What is known of an object's state after a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The answer's body tells it.
    Told,
    /// The write's own body, or its patch applied to the state before, makes it.
    Derived(PatchKind),
    /// The request's body is the whole object, as the client sent it.
    Sent,
    /// It is not: why.
    Unknown(String),
    /// The object is gone.
    Gone,
    /// Nothing changes: the request was refused, or only tried.
    Untouched,
}

/// What a write changed.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// These fields.
    Fields(Vec<ShownChange>),
    /// The object came into being.
    Created,
    /// The object went.
    Deleted,
    /// Nothing at all.
    Nothing,
    /// The first state that is known: what was there before is not.
    FirstKnown,
    /// It cannot be known: why.
    Unknown(String),
}

/// One write.
#[derive(Clone, PartialEq, Debug)]
pub struct Revision {
    /// Counted from 1, the oldest first; of an object that belongs to it, counted in that object's own history.
    pub number: usize,
    /// Of which object, where it is one that belongs to the object of the history.
    pub of: Option<ObjectKey>,
    /// The write, without bodies.
    pub request: Request,
    /// Who writes which fields: the named field manager, or what stands before the first `/` of the agent.
    pub manager: String,
    /// The object's uid, where it is known. Another one than before means that the object was made anew.
    pub uid: String,
    /// What is known of the state after it.
    pub outcome: Outcome,
    /// What it changed.
    pub change: Change,
    /// Changes that are folded.
    pub folded: usize,
}

impl Revision {
    /// Whether the write was only tried (`dryRun=All`).
    pub fn is_dry_run(&self) -> bool {
        self.request.is_dry_run()
    }
}

/// All writes to one object that are held.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// Which object.
    pub key: ObjectKey,
    /// The oldest first.
    pub revisions: Vec<Revision>,
    /// Writes that only reported (`status` and the like) and are left out.
    pub reports: usize,
    /// Older writes than can be shown.
    pub left_out: usize,
    /// All writes that are held, whatever is shown of them.
    pub writes: usize,
}

impl History {
    /// The history of an object.
    pub fn of(log: &Log<'_>, key: &ObjectKey, options: HistoryOptions) -> History {
        let mut ids = writes(log, key);
        let all = ids.len();
        let reports = ids.len();
        if !options.reports {
            ids.retain(|id| !is_report(log, *id));
        }
        let reports = reports - ids.len();
        let left_out = ids.len().saturating_sub(MOST);
        let revisions = revisions(log, key, options, &ids[left_out..], left_out);
        let mut history = History { key: key.clone(), revisions, reports, left_out, writes: all };
        if options.owned {
            history.add_owned(log, options);
        }
        history
    }

    fn add_owned(&mut self, log: &Log<'_>, options: HistoryOptions) {
        let options = HistoryOptions { owned: false, ..options };
        for key in owned_by(log, &self.key) {
            let history = History::of(log, &key, options);
            let of = |revision| Revision { of: Some(key.clone()), ..revision };
            self.revisions.extend(history.revisions.into_iter().map(of));
            self.reports += history.reports;
        }
        self.revisions.sort_by_key(|revision| (revision.request.time, revision.request.id));
    }

    /// How many writes to an object are held: cheaper than its history.
    pub fn count(log: &Log<'_>, key: &ObjectKey) -> usize {
        writes(log, key).len()
    }

    /// The state after revision `number`, if it can be known: read, or made again from the last that can.
    pub fn state_after(&self, log: &Log<'_>, number: usize) -> Option<Value> {
        let own: Vec<&Revision> =
            self.revisions.iter().filter(|r| r.of.is_none() && r.number <= number).collect();
        own.last().filter(|last| last.number == number)?;
        let start = own
            .iter()
            .rposition(|revision| matches!(revision.outcome, Outcome::Told | Outcome::Sent | Outcome::Gone));
        let mut walk = Walk::new(&self.key);
        for revision in own.get(start.unwrap_or(0)..)? {
            walk.revision(revision.number, Request::read(log.store, revision.request.id?)?);
        }
        walk.state.map(Arc::unwrap_or_clone)
    }

    /// The last state that is known before the object went, or went unknown: its last known manifest.
    pub fn last_known(&self, log: &Log<'_>) -> Option<(usize, Value)> {
        let known = self.revisions.iter().rev().find(|revision| {
            revision.of.is_none()
                && matches!(revision.outcome, Outcome::Told | Outcome::Derived(_) | Outcome::Sent)
        })?;
        Some((known.number, self.state_after(log, known.number)?))
    }

    /// What changed between any two revisions, as it may be shown; `None` when one of the states cannot be known.
    pub fn between(
        &self,
        log: &Log<'_>,
        older: usize,
        newer: usize,
        revealed: bool,
    ) -> Option<Vec<ShownChange>> {
        let (before, after) = (self.state_after(log, older)?, self.state_after(log, newer)?);
        Some(shown(&differences(&before, &after), &before, &after, &self.key.resource, revealed))
    }

    /// How many writes lie in stretches of which no state is known.
    pub fn holes(&self) -> usize {
        self.revisions.iter().filter(|revision| matches!(revision.outcome, Outcome::Unknown(_))).count()
    }
}

/// Every write that names the object, and those that made it without naming it, in time order.
fn writes(log: &Log<'_>, key: &ObjectKey) -> Vec<EventId> {
    let mut values = vec![
        (Field::Resource, key.resource.as_str()),
        (Field::Name, key.name.as_str()),
        (Field::ApiGroup, key.group.as_str()),
    ];
    if key.resource != "namespaces" {
        values.push((Field::Namespace, key.namespace.as_str()));
    }
    let mut found = requests_with(log.store, &values);
    let is_write = |id: &EventId| {
        log.store.segment(*id).is_some_and(|segment| is_write_verb(segment.string(Field::Verb, id.row())))
    };
    found.retain(is_write);
    let has_creation = found.iter().any(|id| {
        Request::of(log.store, *id)
            .is_some_and(|r| r.verb == "create" && r.subresource.is_empty() && r.succeeded())
    });
    if !has_creation && let Some(first) = found.first().copied() {
        found.extend(creation_of(log, log.store.stage_time(first), key));
    }
    in_time_order(log.store, &mut found);
    found
}

/// What controllers make of an object, of what they made of it, and so on: told by names alone, as the log has them.
fn owned_by(log: &Log<'_>, key: &ObjectKey) -> Vec<ObjectKey> {
    let mut found: Vec<ObjectKey> = Vec::new();
    let mut parents = vec![key.clone()];
    while let Some(parent) = parents.pop() {
        let relations = RELATIONS
            .iter()
            .filter(|relation| relation.parent == parent.resource && relation.parent_group == parent.group);
        for relation in relations {
            let named = requests_where(
                log.store,
                &[(Field::Resource, relation.child), (Field::Namespace, &parent.namespace)],
                Field::Name,
                |name| relation.naming.fits(&parent.name, name),
            );
            for child in named.into_iter().filter_map(|id| Request::of(log.store, id)).map(|r| r.object) {
                if found.len() < MOST_OWNED && !found.contains(&child) {
                    found.push(child.clone());
                    parents.push(child);
                }
            }
        }
    }
    found
}

/// Whether a write only reports what is, rather than says what should be.
fn is_report(log: &Log<'_>, id: EventId) -> bool {
    log.store.segment(id).is_some_and(|segment| {
        matches!(segment.string(Field::Subresource, id.row()), "status" | "binding" | "token")
    })
}

/// The revisions that these writes are; `left_out` older ones are not among them.
fn revisions(
    log: &Log<'_>,
    key: &ObjectKey,
    options: HistoryOptions,
    ids: &[EventId],
    left_out: usize,
) -> Vec<Revision> {
    let mut walk = Walk::new(key);
    let mut revisions: Vec<Revision> = Vec::with_capacity(ids.len());
    let comparison = Comparison { resource: &key.resource, options };
    thread::scope(|scope| {
        let mut comparing = Comparing::start(scope, comparison, ids.len() >= WORTH_THREADS);
        each_read(log.store, ids, |at, request| {
            let (revision, states) = walk.revision(left_out + at + 1, request);
            if let Some((before, after)) = states {
                comparing.take(Pair { at: revisions.len(), before, after });
            }
            revisions.push(revision);
        });
        for (at, change, folded) in comparing.finish() {
            if let Some(revision) = revisions.get_mut(at) {
                (revision.change, revision.folded) = (change, folded);
            }
        }
    });
    revisions
}

struct Walk<'w> {
    key: &'w ObjectKey,
    state: Option<Arc<Value>>,
    uid: String,
    is_gone: bool,
}

/// The states before and after a write.
type States = (Arc<Value>, Arc<Value>);

impl<'w> Walk<'w> {
    fn new(key: &'w ObjectKey) -> Walk<'w> {
        Walk { key, state: None, uid: String::new(), is_gone: false }
    }

    /// The next revision; where what changed can be told from two states, those, which are still to be compared.
    fn revision(&mut self, number: usize, mut request: Request) -> (Revision, Option<States>) {
        let before = self.state.take();
        let (outcome, state) = self.outcome(&mut request, before.as_deref());
        let state = state.map(Arc::new);
        let is_idle = outcome == Outcome::Untouched;
        // What is made bears no uid of an earlier life; it may be told of this one later.
        if !is_idle && (self.is_gone || is_creation(&request)) {
            self.uid.clear();
        }
        let told = uid_of(&request, state.as_deref()).filter(|_| !is_idle);
        let uid = told.unwrap_or_else(|| self.uid.clone());
        let is_anew = !uid.is_empty() && !self.uid.is_empty() && uid != self.uid;
        let before = if is_anew { None } else { before };
        let states = before.clone().zip(state.clone());
        let change = self.change(&request, &outcome, before.is_some(), state.is_some());
        self.is_gone = match outcome {
            Outcome::Gone => true,
            Outcome::Untouched => self.is_gone,
            _ => false,
        };
        self.state = match outcome {
            Outcome::Gone => None,
            Outcome::Untouched => before,
            _ => state,
        };
        self.uid.clone_from(&uid);
        let manager = field_manager(&request.request_uri, &request.user_agent).into_owned();
        request.event = Value::Null;
        let states = states.filter(|_| change.is_none());
        let change = change.unwrap_or(Change::Nothing);
        let revision = Revision { number, of: None, manager, request, uid, outcome, change, folded: 0 };
        (revision, states)
    }

    /// What is known after the request, and the state itself.
    fn outcome(&self, request: &mut Request, before: Option<&Value>) -> (Outcome, Option<Value>) {
        if !request.succeeded() || request.is_dry_run() {
            return (Outcome::Untouched, None);
        }
        if request.verb == "delete" && request.subresource.is_empty() {
            return self.after_delete(request, before);
        }
        if request.subresource == "scale" {
            return self.after_scale(request, before);
        }
        if request.response_object().is_some_and(|body| self.is_object(body)) {
            let answer = request.event.get_mut("responseObject").map(Value::take);
            return (Outcome::Told, answer);
        }
        let Some(body) = request.request_object() else {
            let why = match request.level {
                Level::Metadata => "logged at level Metadata, without bodies",
                _ => "the log holds no body of it",
            };
            return (Outcome::Unknown(why.to_owned()), None);
        };
        match request.verb.as_str() {
            "patch" => {
                let kind = patch::kind_of(body, &request.request_uri, &request.object.group, request.code);
                let manager = field_manager(&request.request_uri, &request.user_agent);
                let context = PatchContext { manager: &manager, subresource: &request.subresource };
                let nothing = Value::Null;
                let before = if request.code == 201 { Some(&nothing) } else { before };
                match patch::apply(kind, before, body, context) {
                    Ok(state) => (Outcome::Derived(kind), Some(state)),
                    Err(why) => (Outcome::Unknown(why.to_string()), None),
                }
            }
            _ if request.subresource.is_empty() && self.is_object(body) => {
                (Outcome::Sent, Some(body.clone()))
            }
            _ => (Outcome::Unknown(format!("{} of a subresource", request.verb)), before.cloned()),
        }
    }

    /// A deletion may only begin here: with finalizers or a grace period the object stays, marked.
    fn after_delete(&self, request: &Request, before: Option<&Value>) -> (Outcome, Option<Value>) {
        match request.response_object() {
            Some(answer)
                if self.is_object(answer) && answer.pointer("/metadata/deletionTimestamp").is_some() =>
            {
                let ends_now =
                    answer.pointer("/metadata/deletionGracePeriodSeconds") == Some(&Value::from(0));
                let is_held = answer.pointer("/metadata/finalizers").is_some();
                if ends_now && !is_held {
                    (Outcome::Gone, before.cloned())
                } else {
                    (Outcome::Told, Some(answer.clone()))
                }
            }
            _ => (Outcome::Gone, before.cloned()),
        }
    }

    /// A scale's bodies are of kind Scale: what they say is the parent's number of replicas.
    fn after_scale(&self, request: &Request, before: Option<&Value>) -> (Outcome, Option<Value>) {
        let bodies = [request.response_object(), request.request_object()];
        let replicas = bodies.into_iter().flatten().find_map(|body| body.pointer("/spec/replicas"));
        match (replicas, before) {
            (Some(replicas), Some(before)) => {
                let mut state = before.clone();
                if let Some(spec) = state.get_mut("spec").and_then(Value::as_object_mut) {
                    spec.insert("replicas".to_owned(), replicas.clone());
                }
                (Outcome::Derived(PatchKind::Merge), Some(state))
            }
            (Some(replicas), None) => {
                let why = format!("scaled to {replicas}; the rest of the object is not known");
                (Outcome::Unknown(why), None)
            }
            (None, _) => {
                (Outcome::Unknown("scaled; logged without the body that says to how many".to_owned()), None)
            }
        }
    }

    /// Whether a body is the object itself: answers may be a Status, a Table or what a subresource takes, which has the
    /// object's own name and uid.
    fn is_object(&self, body: &Value) -> bool {
        let kind = body.get("kind").and_then(Value::as_str).unwrap_or("");
        let name = body.pointer("/metadata/name").and_then(Value::as_str);
        let is_other = matches!(
            kind,
            "Status"
                | "Table"
                | "Scale"
                | "TokenRequest"
                | "Binding"
                | "Eviction"
                | "DeleteOptions"
                | "PartialObjectMetadata"
        );
        !is_other && name.is_none_or(|name| name == self.key.name) && body.get("metadata").is_some()
    }

    /// What a write changed; `None` where the states before and after it tell that.
    fn change(
        &self,
        request: &Request,
        outcome: &Outcome,
        has_before: bool,
        has_after: bool,
    ) -> Option<Change> {
        let made = is_creation(request);
        Some(match (outcome, has_before, has_after) {
            (Outcome::Untouched, ..) => Change::Nothing,
            (Outcome::Unknown(_), ..) if made => Change::Created,
            (Outcome::Unknown(why), ..) => Change::Unknown(why.clone()),
            (Outcome::Gone, ..) => Change::Deleted,
            (_, false, true) if request.code == 201 || request.verb == "create" || self.is_gone => {
                Change::Created
            }
            (_, false, _) => Change::FirstKnown,
            (_, true, true) => return None,
            (_, true, false) => Change::Unknown("the state after it is not known".to_owned()),
        })
    }
}

/// Whether a request that succeeded brought the object into being: a creation, or an apply of what was not there.
fn is_creation(request: &Request) -> bool {
    request.subresource.is_empty() && (request.code == 201 || request.verb == "create")
}

/// The object's uid: of its state, or what the answer to a deletion tells at any level.
fn uid_of(request: &Request, state: Option<&Value>) -> Option<String> {
    let of_state = state.and_then(|state| state.pointer("/metadata/uid"));
    let of_status = request.event.pointer("/responseStatus/details/uid");
    of_state.or(of_status).and_then(Value::as_str).map(str::to_owned)
}

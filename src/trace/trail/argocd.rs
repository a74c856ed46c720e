//! Argo CD: from what the application controller wrote to the operation that it was a part of, to who asked for that, and
//! to the commit.
//!
//! The application is told by the object's tracking annotation or instance label where a body is known, else by the
//! results that the controller logged, else by the destination's namespace. The operation is the one of that application
//! whose time covers the request (FORMATS.md 4.1). Without Argo CD's own log, the writes to the Application in the audit
//! log tell as much as their bodies do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::contradiction::LAST_SYNC_WITHIN;
use super::{
    BLUR, Found, GitOrigin, Line, clock, is_object, is_open, lines_within, metadata_of, missing, named,
};
use crate::format::ControllerDetails;
use crate::model::{LogKind, Micros, SECOND, service_account};
use crate::store::Field;
use crate::trace::cause::{Cause, Step};
use crate::trace::finding::{Certainty, Finding, Log, Topic};
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::requests_with;

/// An operation whose end is not logged is over by then.
const LONGEST: Micros = 600 * SECOND;

/// The lines with which the server and the controller tell of one request for an operation lie within this time.
const TOGETHER: Micros = 60 * SECOND;

/// Lines this far before a request may tell of the operation that it was a part of.
const BEFORE: Micros = 3600 * SECOND;

/// Verbs of lines that begin an operation; see [`crate::format`].
const BEGINNINGS: [&str; 5] = ["request", "sync", "rollback", "override", "begin"];

/// One operation of one application, put together from all lines about it.
#[derive(Clone, Debug)]
struct Operation {
    /// The line that tells best who asked for it.
    line: Line,
    /// How it is called: `sync`, `rollback`, `override`.
    deed: &'static str,
    automated: Option<bool>,
    initiator: String,
    address: String,
    repository: String,
    commit: String,
    revision: String,
    destination: String,
    objects: Vec<crate::format::TouchedObject>,
    started: Micros,
    finished: Option<Micros>,
    failed: bool,
}

impl Operation {
    fn begin(line: &Line) -> Operation {
        let mut operation = Operation {
            line: line.clone(),
            deed: "sync",
            automated: None,
            initiator: String::new(),
            address: String::new(),
            repository: String::new(),
            commit: String::new(),
            revision: String::new(),
            destination: String::new(),
            objects: Vec::new(),
            started: line.details.started.unwrap_or(line.time),
            finished: None,
            failed: false,
        };
        operation.learn(line);
        operation
    }

    /// Whether a line that begins an operation tells of this one, which the server logged and the controller takes up.
    fn is_begun_by(&self, line: &Line) -> bool {
        self.finished.is_none() && line.time - self.started <= TOGETHER && self.objects.is_empty()
    }

    fn learn(&mut self, line: &Line) {
        let details = &line.details;
        match line.verb.as_str() {
            "rollback" => self.deed = "rollback",
            "override" => self.deed = "override",
            _ => {}
        }
        let is_person = details.initiator.automated == Some(false) && !details.initiator.user.is_empty();
        if is_person && self.initiator.is_empty() {
            self.initiator.clone_from(&details.initiator.user);
            self.line = line.clone();
        }
        self.automated = match (self.automated, details.initiator.automated) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (known, told) => told.or(known),
        };
        fill(&mut self.address, details.initiator.client_addresses.first().map_or("", String::as_str));
        fill(&mut self.repository, &details.repository);
        fill(&mut self.destination, &details.destination.namespace);
        // What was applied in the end counts more than the branch that was asked for.
        if !details.commit.is_empty() {
            self.commit.clone_from(&details.commit);
        }
        if self.revision.is_empty() || (!details.commit.is_empty() && !details.revision.is_empty()) {
            self.revision.clone_from(&details.revision);
        }
        self.objects.extend(details.objects.iter().cloned());
        match line.verb.as_str() {
            "complete" | "finish" => self.finished = Some(details.finished.unwrap_or(line.time)),
            // A line about an object that failed does not end it.
            "fail" if details.objects.is_empty() => {
                self.finished = Some(details.finished.unwrap_or(line.time));
                self.failed = true;
            }
            _ => {}
        }
    }

    fn covers(&self, time: Micros) -> bool {
        let end = self.finished.unwrap_or(self.started.saturating_add(LONGEST));
        (self.started - BLUR..=end.saturating_add(BLUR)).contains(&time)
    }

    fn origin(&self, application: &str) -> GitOrigin {
        GitOrigin {
            engine: "Argo CD",
            application: application.to_owned(),
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            revision: self.revision.clone(),
            initiator: self.initiator.clone(),
            address: self.address.clone(),
        }
    }
}

fn fill(into: &mut String, from: &str) {
    if into.is_empty() {
        from.clone_into(into);
    }
}

/// The operations of each application, in the order of time, out of lines in that order.
fn operations(lines: &[Line]) -> BTreeMap<String, Vec<Operation>> {
    let mut by_application: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.details.subject.name.is_empty()) {
        let known = by_application.entry(line.details.subject.name.clone()).or_default();
        let begins = BEGINNINGS.contains(&line.verb.as_str()) && is_for_operation(&line.details);
        match known.last_mut() {
            Some(last) if !begins || last.is_begun_by(line) => last.learn(line),
            _ if begins => known.push(Operation::begin(line)),
            _ => {}
        }
    }
    by_application
}

/// Of requests to Argo CD's server, only those for a sync or a rollback begin an operation.
fn is_for_operation(details: &ControllerDetails) -> bool {
    details.message.is_empty()
        || !["Update", "UpdateSpec", "Patch", "Create", "Delete"].contains(&details.message.as_str())
}

/// Which application an object is of, as far as its bodies tell, and by what.
fn application_of(log: &Log<'_>, request: &Request) -> Option<(String, Certainty, &'static str)> {
    let metadata = metadata_of(log, request)?;
    let tracking = named(&metadata, "annotations", "argocd.argoproj.io/tracking-id");
    if let Some((application, _)) = tracking.split_once(':') {
        // With applications in any namespace, the namespace stands before the name.
        let name = application.rsplit_once('_').map_or(application, |(_, name)| name);
        return Some((name.to_owned(), Certainty::Certain, "annotation argocd.argoproj.io/tracking-id"));
    }
    for label in ["argocd.argoproj.io/instance", "app.kubernetes.io/instance"] {
        let instance = named(&metadata, "labels", label);
        if !instance.is_empty() {
            return Some((instance.to_owned(), Certainty::Likely, "label of the instance"));
        }
    }
    None
}

pub(super) fn step(log: &Log<'_>, request: &Request) -> Option<Step> {
    if request.object.resource == "applications" && request.object.group == "argoproj.io" {
        return by_application_write(log, request);
    }
    let known = application_of(log, request);
    if is_open(log, LogKind::ArgoCd) {
        let found = in_own_log(log, request, known.as_ref());
        if let Ok(found) = found {
            return found.into_step(log);
        }
        let in_audit_log = known.and_then(|(application, certainty, by)| {
            by_kube_writes(log, request, &application, certainty, by)
        });
        return Some(in_audit_log.unwrap_or(Step::Hole(found.err().unwrap_or_default())));
    }
    if let Some((application, certainty, by)) = &known
        && let Some(step) = by_kube_writes(log, request, application, *certainty, by)
    {
        return Some(step);
    }
    let namespace = service_account(&request.user).map_or("argocd", |(namespace, _)| namespace);
    let workload = "statefulset/argocd-application-controller";
    Some(missing(log, request, "Argo CD's controller", &format!("kubectl -n {namespace} logs {workload}")))
}

/// The operation in Argo CD's log; or why there is none.
fn in_own_log(
    log: &Log<'_>,
    request: &Request,
    known: Option<&(String, Certainty, &'static str)>,
) -> Result<Found, String> {
    let difference = clock::difference(log, LogKind::ArgoCd);
    let time = request.time + difference;
    let lines = lines_within(log, LogKind::ArgoCd, (time - BEFORE, time + LONGEST), |segment, row| {
        known.is_none_or(|(application, ..)| segment.string(Field::Name, row) == application)
    });
    let mut candidates: Vec<(String, Operation, bool)> = Vec::new();
    for (application, operations) in operations(&lines) {
        let covering = operations.into_iter().rev().find(|operation| operation.covers(time));
        let Some(operation) = covering else { continue };
        let touched = operation.objects.iter().any(|object| is_object(object, &request.object));
        let is_elsewhere = !operation.destination.is_empty()
            && !request.object.namespace.is_empty()
            && operation.destination != request.object.namespace;
        // A destination is where objects go that name no namespace; a result for this very object says more.
        if touched || known.is_some() || (operation.objects.is_empty() && !is_elsewhere) {
            candidates.push((application, operation, touched));
        }
    }
    if candidates.iter().any(|(.., touched)| *touched) {
        candidates.retain(|(.., touched)| *touched);
    }
    let clock = log.clock(request.time);
    if candidates.len() > 1 {
        let names: Vec<&str> = candidates.iter().map(|(name, ..)| name.as_str()).collect();
        return Err(format!(
            "Argo CD was at work on {} at {clock}; neither the object's body nor Argo CD's log tells for which of \
             them it wrote this",
            names.join(" and ")
        ));
    }
    let Some((application, operation, touched)) = candidates.pop() else {
        return Err(match known {
            Some((application, ..)) => format!(
                "Argo CD's log is open, and tells of no operation on application {application} at {clock}; the part \
                 about it may be missing"
            ),
            None => format!(
                "Argo CD's log is open, and tells of no operation at {clock} that could have written this"
            ),
        });
    };
    let (certainty, by) = match (known, touched) {
        (_, true) => (Certainty::Certain, "Argo CD logged this object's result"),
        (Some((_, certainty, by)), false) => (*certainty, *by),
        (None, false) => (Certainty::Likely, "the only operation in this namespace at that time"),
    };
    let origin = operation.origin(&application);
    let finished = operation.finished.map_or_else(|| "?".to_owned(), |time| log.clock(time));
    Ok(Found {
        line: operation.line.id,
        certainty,
        because: sentence(&operation, &origin),
        evidence: format!(
            "{by}; the operation lasted from {} to {finished}{}",
            log.clock(operation.started),
            clock::in_words(difference)
        ),
        git: Some(origin),
    })
}

/// `Argo CD synced application shop to 34c5f9e of https://… for alice`
fn sentence(operation: &Operation, origin: &GitOrigin) -> String {
    let deed = match (operation.deed, operation.failed) {
        ("rollback", _) => "rolled back",
        ("override", _) => "applied, from somebody's disk,",
        (_, true) => "tried in vain to sync",
        _ => "synced",
    };
    let whom = match (operation.initiator.as_str(), operation.automated) {
        ("", Some(true)) => ", by itself since automated sync is on".to_owned(),
        ("", _) => String::new(),
        (user, _) => format!(" for {user}"),
    };
    let mut to = String::new();
    if !origin.commit.is_empty() || !origin.revision.is_empty() {
        let what = if origin.commit.is_empty() { &origin.revision } else { &origin.commit };
        to = format!(" to {what}");
    }
    if !origin.repository.is_empty() {
        to += &format!(" of {}", origin.repository);
    }
    format!("Argo CD {deed} application {}{to}{whom}", origin.application)
}

/// The write to the Application with which Argo CD's server or controller began the operation: at level Request its body
/// tells who asked for it and for which revision.
fn by_kube_writes(
    log: &Log<'_>,
    request: &Request,
    application: &str,
    certainty: Certainty,
    by: &str,
) -> Option<Step> {
    let writes = requests_with(
        log.store,
        &[(Field::Resource, "applications"), (Field::ApiGroup, "argoproj.io"), (Field::Name, application)],
    );
    let at = writes.partition_point(|id| log.store.stage_time(*id) <= request.time);
    let begun = writes[..at].iter().rev().find_map(|id| {
        let write = Request::of(log.store, *id)?;
        if !write.is_write() || !write.succeeded() || request.time - write.time > LONGEST {
            return None;
        }
        let write = Request::read(log.store, *id)?;
        let begins = operation_in(&write).is_some();
        begins.then_some(write)
    })?;
    let operation = operation_in(&begun)?;
    let origin = origin_in(&begun, operation, application);
    let whom = match (origin.initiator.as_str(), is_automated(operation)) {
        ("", true) => " by itself".to_owned(),
        ("", false) => String::new(),
        (user, _) => format!(" for {user}"),
    };
    Some(Step::Cause(Box::new(Cause {
        because: format!("Argo CD began to sync {origin}{whom}"),
        evidence: format!("{by}; requestObject.operation of the write to the application"),
        request: begun,
        certainty: certainty.max(Certainty::Likely),
        git: Some(origin),
    })))
}

/// The operation that a write to an Application asks for.
fn operation_in(write: &Request) -> Option<&Value> {
    let bodies = [write.request_object(), write.response_object()];
    bodies
        .into_iter()
        .flatten()
        .find_map(|body| body.get("operation").filter(|operation| operation.is_object()))
}

fn is_automated(operation: &Value) -> bool {
    operation.pointer("/initiatedBy/automated") == Some(&Value::Bool(true))
}

fn origin_in(write: &Request, operation: &Value, application: &str) -> GitOrigin {
    let text = |path: &str| operation.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    let body = write.response_object().or_else(|| write.request_object());
    let spec = |path: &str| {
        body.and_then(|body| body.pointer(path)).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let first = |texts: [String; 2]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let revision = first([text("/sync/revision"), text("/sync/revisions/0")]);
    GitOrigin {
        engine: "Argo CD",
        application: application.to_owned(),
        repository: crate::format::without_credentials(&first([
            text("/sync/source/repoURL"),
            first([spec("/spec/source/repoURL"), spec("/spec/sources/0/repoURL")]),
        ])),
        commit: crate::format::commit_of(&revision).to_owned(),
        revision,
        initiator: text("/initiatedBy/username"),
        address: String::new(),
    }
}

/// Argo CD's server writes an Application for a person; whom, the body says at level Request.
fn by_application_write(log: &Log<'_>, request: &Request) -> Option<Step> {
    let operation = operation_in(request)?;
    let origin = origin_in(request, operation, &request.object.name);
    if is_automated(operation) {
        return Some(Step::Origin(format!(
            "Argo CD began this by itself, since automated sync is on: {origin}"
        )));
    }
    if origin.initiator.is_empty() {
        return None;
    }
    // The server's own log tells where the person's request came from.
    if let Ok(found) = in_own_log(
        log,
        &Request { object: ObjectKey::default(), ..request.clone() },
        Some(&(request.object.name.clone(), Certainty::Likely, "the application and the time")),
    ) {
        return found.into_step(log);
    }
    Some(Step::Origin(format!(
        "{} asked Argo CD for it, as operation.initiatedBy.username says: {origin}",
        origin.initiator
    )))
}

/// Who asked Argo CD's server for the operation that a write to an Application begins.
pub(super) fn asked_for(request: &Request) -> Option<Vec<Finding>> {
    if request.object.resource != "applications" || request.object.group != "argoproj.io" {
        return None;
    }
    let operation = operation_in(request).filter(|operation| !is_automated(operation))?;
    let person = operation.pointer("/initiatedBy/username").and_then(Value::as_str)?;
    if person.is_empty() {
        return None;
    }
    let who = Finding::new(
        Topic::Identity,
        Certainty::Certain,
        format!("{person}, for whom {} wrote the operation", request.user),
        "operation.initiatedBy.username",
    );
    let from_where = Finding::new(
        Topic::Address,
        Certainty::Unknown,
        format!("where {person} called Argo CD from, and how they logged in, is in its server's log"),
        "the API server saw Argo CD's own request",
    );
    Some(vec![who.shown_by(request.id), from_where.shown_by(request.id)])
}

/// The last sync or rollback of an application within a day before a moment that was over and succeeded; with the time
/// at which it began.
pub(super) fn last_sync(log: &Log<'_>, application: &str, until: Micros) -> Option<(Micros, GitOrigin)> {
    let lines = lines_within(
        log,
        LogKind::ArgoCd,
        (until.saturating_sub(LAST_SYNC_WITHIN), until),
        |segment, row| segment.string(Field::Name, row) == application,
    );
    let of_application = operations(&lines).remove(application)?;
    let last =
        of_application.iter().rev().find(|operation| operation.finished.is_some() && !operation.failed)?;
    Some((last.started, last.origin(application)))
}

pub(super) fn origin(log: &Log<'_>, line: &Line) -> Step {
    let application = &line.details.subject.name;
    let lines =
        lines_within(log, LogKind::ArgoCd, (line.time - BEFORE, line.time + LONGEST), |segment, row| {
            segment.string(Field::Name, row) == application
        });
    let of_line = operations(&lines).remove(application).unwrap_or_default();
    let operation = of_line.into_iter().rev().find(|operation| operation.covers(line.time));
    let Some(operation) = operation else {
        return Step::Hole(format!(
            "what this line of Argo CD's log was a part of is not in it: {}",
            line.details.message
        ));
    };
    let origin = operation.origin(application);
    let from = if origin.address.is_empty() { String::new() } else { format!(" from {}", origin.address) };
    match (operation.initiator.as_str(), operation.automated) {
        ("", Some(true)) => Step::Origin(format!(
            "automated sync: what is in {origin} was applied as soon as it was seen; the repository tells who \
             committed it"
        )),
        ("", _) => Step::Hole(format!("Argo CD's log does not tell who asked for {origin}")),
        (person, _) => Step::Origin(format!("{person} asked Argo CD for it{from}: {origin}")),
    }
}

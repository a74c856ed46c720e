//! The logs of what drives a cluster from outside of its API servers: Rancher, Argo CD, Fleet and Flux.
//!
//! A line is told by its content, so that one file may hold the logs of several programs. A line that tells of a change,
//! or of an attempt at one, becomes an [`Event`] in the terms of the audit log; the others, nearly all of them, are
//! recognised and passed over. What an event has no column for is told by [`super::details`] from the line's text.
//!
//! | column | meaning |
//! |---|---|
//! | user | who asked for it, or the controller's own service account, in the namespace that its project installs it to |
//! | verb | see below |
//! | resource, namespace, name | what it is about: an Application, a Kustomization, a BundleDeployment; in Rancher's log the object of the request. The namespace is empty where the line does not tell it |
//! | code | of Rancher's answer; 200 and 500 stand for an operation that succeeded and one that failed, and what gRPC refuses has the code that its gateway gives it |
//! | reason | the message |
//! | stage | ResponseComplete |
//! | auditID | Rancher's own, or the `reconcileID` |
//!
//! Rancher's verbs are those of Kubernetes. The others':
//!
//! | verb | told when |
//! |---|---|
//! | `request` | somebody asked Argo CD's server, by gRPC, for a change |
//! | `sync` | a sync was initiated, by a person or by itself |
//! | `rollback` | a rollback was initiated |
//! | `override` | a sync of manifests from a person's disk instead of the repository |
//! | `auto-sync-off`, `auto-sync-on` | a request takes automated sync out of an Application, or puts it in |
//! | `begin`, `finish` | the controller took an operation up; it is over |
//! | `apply`, `prune` | an object was written, or deleted, for the sake of an application |
//! | `complete`, `fail` | an operation succeeded; it, or a request for it, failed |
//! | `terminate` | somebody stopped an operation |
//! | `action` | somebody ran a resource action, such as a restart |
//! | `create`, `update`, `patch`, `delete` | somebody changed an Application, a project, or a resource through Argo CD; Fleet or Flux deleted something |
//! | `status` | the sync or health status of an Application changed |
//! | `new-commit` | Fleet found a commit |
//! | `fetch` | Flux fetched and stored a revision |
//! | `deploy` | Fleet's agent deployed a bundle |
//! | `install`, `upgrade`, `uninstall`, `rollback` | Flux' helm-controller runs this action |
//! | `reconcile` | a reconciliation ended well |
//! | `suspended` | an object is not reconciled, since somebody said so |

use super::details::{ControllerDetails, commit_of};
use super::fields::{Fields, find_text, read_console, read_logfmt};
use super::{argocd, fleet, flux, rancher};
use crate::model::{Event, Level, LogKind, Micros, ObjectRef, Stage};

/// What a line of a controller's log is.
#[derive(Debug)]
pub(super) enum Line {
    /// It tells of a change.
    Told(Box<Told>),
    /// It tells of none.
    Chatter(Chatter),
}

/// A line that tells of no change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chatter {
    /// Whose line it is; `None` where any program that logs through the same library may have written it.
    pub(super) log: Option<LogKind>,
    pub(super) time: Option<Micros>,
}

/// What a line tells: the columns of an event, and the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Told {
    pub(super) log: LogKind,
    pub(super) stage: Stage,
    pub(super) level: Level,
    pub(super) time: Option<Micros>,
    /// When what the line tells of began; where it is not told, the line's own time.
    pub(super) received: Option<Micros>,
    pub(super) user: String,
    /// JSON, as [`Event::groups`] has it.
    pub(super) groups: String,
    pub(super) impersonated_user: String,
    pub(super) verb: String,
    pub(super) object: ObjectRef<'static>,
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
    pub(super) request_uri: String,
    pub(super) audit_id: String,
    pub(super) details: ControllerDetails,
}

impl Told {
    /// Code of an operation that succeeded.
    pub(super) const SUCCEEDED: u16 = 200;
    /// Code of an operation that failed.
    pub(super) const FAILED: u16 = 500;

    /// What was done, and the code that says whether it succeeded; 0 where that is not known yet.
    pub(super) fn with_outcome(mut self, verb: &str, code: u16) -> Told {
        verb.clone_into(&mut self.verb);
        self.code = code;
        self
    }

    /// Takes a revision as people are shown it; of an application with several sources, a list.
    pub(super) fn with_revisions(mut self, written: &str) -> Told {
        let mut commits =
            written.split(',').map(|one| commit_of(one.trim())).filter(|commit| !commit.is_empty());
        if let Some(first) = commits.next() {
            first.clone_into(&mut self.details.commit);
        }
        self.details.more_commits = commits.map(str::to_owned).collect();
        written.clone_into(&mut self.details.revision);
        self
    }

    /// Borrows the columns.
    pub(super) fn event(&self) -> Event<'_> {
        let object = &self.object;
        Event {
            log: self.log,
            level: self.level,
            stage: self.stage,
            audit_id: self.audit_id.as_str().into(),
            request_uri: self.request_uri.as_str().into(),
            verb: self.verb.as_str().into(),
            user: self.user.as_str().into(),
            groups: self.groups.as_str().into(),
            impersonated_user: self.impersonated_user.as_str().into(),
            source_ip: self.source_ip.as_str().into(),
            user_agent: self.user_agent.as_str().into(),
            object: ObjectRef {
                resource: object.resource.as_ref().into(),
                subresource: object.subresource.as_ref().into(),
                namespace: object.namespace.as_ref().into(),
                name: object.name.as_ref().into(),
                api_group: object.api_group.as_ref().into(),
                api_version: object.api_version.as_ref().into(),
            },
            code: self.code,
            reason: self.reason.as_str().into(),
            received: self.received.or(self.time),
            stage_time: self.time,
            ..Event::default()
        }
    }
}

/// Reads one JSON object that is no audit event. `None` where no program that is known here has written it.
pub(super) fn read_object(text: &str) -> Option<Line> {
    read_fields(&Fields::of_json(text)?)
}

/// Reads one line of text that begins with the program's own.
pub(super) fn read_text(line: &str) -> Option<Line> {
    read_fields(&text_fields(line)?.1)
}

/// The fields of one line of text, and where its own text begins.
pub(super) fn text_fields(line: &str) -> Option<(usize, Fields<'_>)> {
    let start = find_text(line.as_bytes())?;
    let own = line.get(start..)?;
    Some((start, read_logfmt(own).or_else(|| read_console(own))?))
}

/// The fields of an event's text.
pub(super) fn fields_of(text: &str) -> Option<Fields<'_>> {
    if text.starts_with('{') { Fields::of_json(text) } else { Some(text_fields(text)?.1) }
}

fn read_fields(fields: &Fields<'_>) -> Option<Line> {
    let log = kind_of(fields)?;
    let told = match log {
        Some(LogKind::Rancher) => rancher::read(fields),
        Some(LogKind::ArgoCd) => argocd::read(fields),
        Some(LogKind::Fleet) => fleet::read(fields),
        Some(LogKind::Flux) => flux::read(fields),
        Some(LogKind::Kube) | None => None,
    };
    Some(match told {
        Some(told) => Line::Told(Box::new(told)),
        None => Line::Chatter(Chatter { log, time: fields.moment("time").or_else(|| fields.moment("ts")) }),
    })
}

/// Whose line it is: nobody's that is known, that of some program which logs through logrus or zap, or a certain one's.
fn kind_of(fields: &Fields<'_>) -> Option<Option<LogKind>> {
    if rancher::wrote(fields) {
        return Some(Some(LogKind::Rancher));
    }
    if !fields.has("msg") || !fields.has("level") {
        return None;
    }
    if fields.has("ts") {
        let kinds = [(LogKind::Flux, flux::wrote(fields)), (LogKind::Fleet, fleet::wrote(fields))];
        return Some(kinds.into_iter().find(|(_, wrote)| *wrote).map(|(kind, _)| kind));
    }
    if argocd::wrote(fields) {
        return Some(Some(LogKind::ArgoCd));
    }
    fields.has("time").then_some(None)
}

/// What an event's text tells beyond its columns; `None` for text that tells of no change, and for an API server's.
pub(super) fn details(log: LogKind, text: &str) -> Option<ControllerDetails> {
    details_of(log, &fields_of(text)?)
}

/// The same of the fields of an event's text.
pub(super) fn details_of(log: LogKind, fields: &Fields<'_>) -> Option<ControllerDetails> {
    let told = match log {
        LogKind::Kube => None,
        LogKind::Rancher => rancher::read(fields),
        LogKind::ArgoCd => argocd::read(fields),
        LogKind::Fleet => fleet::read(fields),
        LogKind::Flux => flux::read(fields),
    };
    told.map(|told| told.details)
}

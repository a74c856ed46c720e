//! What one actor did in one go: requests cut into sessions wherever the actor, the address, the tool or a pause says
//! that another one began.
//!
//! [`super::kubectl`] tells what was done in a session as one would type it. Read from columns; bodies are read for
//! the writes of the one session that is shown.

use std::collections::HashMap;

use super::kubectl::{KubectlLine, kubectl};
use super::request::Request;
use super::select::{in_time_order, requests_with};
use crate::model::{
    EventId, Micros, SECOND, Stage, is_dry_run, is_mutating_subresource, is_write_verb, tool,
};
use crate::store::{Field, Segment, Store};

/// A pause longer than this ends a session, unless told otherwise: thirty minutes.
pub const SESSION_GAP: Micros = 30 * 60 * SECOND;

/// What one actor did from one address with one tool, without a long pause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// `user.username`
    pub actor: String,
    /// `impersonatedUser.username`; empty when it acted as itself.
    pub impersonated: String,
    /// The trustworthy address.
    pub source_ip: String,
    /// Tool that the client claims to be.
    pub tool: String,
    /// The first user agent of that tool.
    pub agent: String,
    /// The credentials in the order of their first use; empty where the log tells none.
    pub credentials: Vec<String>,
    /// When the first request was answered.
    pub first: Micros,
    /// When the last request was answered or, of those that last, ended.
    pub last: Micros,
    /// Whether one of them has not ended, as far as the log tells.
    pub is_open: bool,
    /// The rows of all requests, in time order.
    pub requests: Vec<EventId>,
    /// Requests among them that asked for a change, or reached into a pod or a node.
    pub writes: u64,
    /// Requests among them that were answered with 400 or more.
    pub failures: u64,
}

/// What the requests of a session share: actor, impersonated user, address, tool.
type Key<'s> = [&'s str; 4];

/// The sessions of `user`, those in which somebody else acted as `user` among them, the earliest first. A pause of more
/// than `gap` ends a session; an exec or a watch lasts until it ends, or, where no end is in the log, to its last
/// moment.
pub fn sessions(store: &Store, user: &str, gap: Micros) -> Vec<Session> {
    let mut ids = requests_with(store, &[(Field::User, user)]);
    // Failed logins have no user; that most requests impersonate nobody does not make them those.
    let impersonating = match user {
        "" => Vec::new(),
        user => requests_with(store, &[(Field::ImpersonatedUser, user)]),
    };
    if !impersonating.is_empty() {
        ids.extend(impersonating);
        in_time_order(store, &mut ids);
    }
    let mut sessions: Vec<Session> = Vec::new();
    let mut latest: HashMap<Key<'_>, usize> = HashMap::new();
    for id in ids {
        let Some(segment) = store.segment(id) else { continue };
        let key = key_of(store, segment, id);
        let time = segment.stage_time(id.row());
        let going_on = latest.get(&key).copied();
        let going_on = going_on
            .filter(|at| sessions.get(*at).is_some_and(|session| time.saturating_sub(session.last) <= gap));
        let at = going_on.unwrap_or_else(|| {
            sessions.push(Session::begin(key, segment.string(Field::UserAgent, id.row()), time));
            latest.insert(key, sessions.len() - 1);
            sessions.len() - 1
        });
        if let Some(session) = sessions.get_mut(at) {
            session.add(store, segment, id);
        }
    }
    sessions
}

fn key_of<'s>(store: &'s Store, segment: &'s Segment, id: EventId) -> Key<'s> {
    let text = |field| segment.string(field, id.row());
    // A request that was not allowed to impersonate names no impersonated user, and no record adds one later but that
    // of its end.
    let impersonated = match text(Field::ImpersonatedUser) {
        "" => end_of(store, id).map_or("", |(end, row)| end.string(Field::ImpersonatedUser, row)),
        own => own,
    };
    [text(Field::User), impersonated, text(Field::SourceIp), tool(text(Field::UserAgent))]
}

fn end_of(store: &Store, id: EventId) -> Option<(&Segment, u32)> {
    let end = store.ending(id)?;
    Some((store.segment(end)?, end.row()))
}

impl Session {
    fn begin([actor, impersonated, source_ip, tool]: Key<'_>, agent: &str, time: Micros) -> Session {
        Session {
            actor: actor.to_owned(),
            impersonated: impersonated.to_owned(),
            source_ip: source_ip.to_owned(),
            tool: tool.to_owned(),
            agent: agent.to_owned(),
            credentials: Vec::new(),
            first: time,
            last: time,
            is_open: false,
            requests: Vec::new(),
            writes: 0,
            failures: 0,
        }
    }

    fn add(&mut self, store: &Store, segment: &Segment, id: EventId) {
        let row = id.row();
        let text = |field| segment.string(field, row);
        let end = end_of(store, id);
        let ended = match end {
            Some((end, row)) => end.stage_time(row),
            None if lasts(store, segment, id) => {
                self.is_open = true;
                store.order().last_time().unwrap_or_default()
            }
            None => segment.stage_time(row),
        };
        self.last = self.last.max(ended);
        let credential = text(Field::Credential);
        if !credential.is_empty() && !self.credentials.iter().any(|known| known == credential) {
            self.credentials.push(credential.to_owned());
        }
        let code = match (segment.code(row), end) {
            (0, Some((end, row))) => end.code(row),
            (own, _) => own,
        };
        self.failures += u64::from(code >= 400);
        self.writes += u64::from(is_write(segment, row));
        self.requests.push(id);
    }
}

/// Whether a request was answered and goes on. One of which only the arrival is in the log may as well have been lost.
fn lasts(store: &Store, segment: &Segment, id: EventId) -> bool {
    segment.facts(id.row()).stage() == Stage::ResponseStarted && store.is_open(id)
}

fn is_write(segment: &Segment, row: u32) -> bool {
    let text = |field| segment.string(field, row);
    let reaches_in = is_mutating_subresource(text(Field::Subresource));
    (is_write_verb(text(Field::Verb)) || reaches_in) && !is_dry_run(text(Field::RequestUri))
}

/// Each write of a session as kubectl would do it, in time order; what kubectl has no command for is left out. Secret
/// values are masked unless `revealed`.
///
/// A cordon with evictions after it is told as the `kubectl drain` that makes both.
pub fn session_lines(store: &Store, session: &Session, revealed: bool) -> Vec<(EventId, KubectlLine)> {
    let mut lines = Vec::new();
    let mut cordoned = None;
    let wrote = |id: &&EventId| store.segment(**id).is_some_and(|segment| is_write(segment, id.row()));
    for id in session.requests.iter().filter(wrote) {
        let Some(request) = Request::read(store, *id) else { continue };
        let Some(line) = kubectl(&request, None, revealed) else { continue };
        let is_eviction = request.subresource == "eviction" && request.verb == "create";
        if is_eviction && let Some(at) = cordoned.take() {
            drain(&mut lines, at);
        }
        if line.words.iter().any(|word| word == "cordon") && request.succeeded() {
            cordoned = Some(lines.len());
        }
        lines.push((*id, line));
    }
    lines
}

/// Turns the cordon at a place of the list into the drain that it was part of.
fn drain(lines: &mut [(EventId, KubectlLine)], at: usize) {
    let Some((_, line)) = lines.get_mut(at) else { return };
    if let Some(word) = line.words.iter_mut().find(|word| *word == "cordon") {
        *word = "drain".to_owned();
        line.why_not_exact.push("told by the evictions that follow; their options are not in the log");
    }
}

#[cfg(test)]
mod tests;

//! Forwards: what a request set off. Machines' writes that follow from it, grouped so that a namespace's deletion is
//! one line with all that went with it under it; what an issued token was used for; what a binding allowed.

mod access;
mod children;
mod namespace;

use std::collections::{BTreeSet, HashSet};

use super::finding::{Certainty, Log};
use super::relations::controller;
use super::request::{ObjectKey, Request};
use super::trail;
use crate::model::{ActorKind, EventId, LogKind, Micros, SECOND, actor_kind};

/// How long after a request its effects are looked for: rollouts and namespaces take minutes.
const WINDOW: Micros = 3600 * SECOND;

/// How soon a GitOps controller is expected to put something back (Argo CD's self-heal takes seconds, a resync minutes).
const HEAL: Micros = 600 * SECOND;

/// Requests of one answer at most; more are counted.
const MOST: usize = 20_000;

/// Requests that a binding allowed to one user, of which the first are told and all are counted.
const MOST_ALLOWED: usize = 1_000;

/// Steps back that are tried at most, to tell which pods were made in place of one that was ended.
const MOST_STEPS: usize = 64;

/// Steps forward at most.
const DEEPEST: usize = 6;

/// What kind of thing followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A machine's writes.
    Wrote {
        /// The controller, or else the username.
        actor: String,
        /// Verb.
        verb: String,
        /// Resource, with its subresource.
        what: String,
    },
    /// What went with a namespace.
    Emptied {
        /// The namespace.
        namespace: String,
        /// What was in it, as far as the log names it.
        removed: BTreeSet<ObjectKey>,
    },
    /// What a binding allowed.
    Allowed {
        /// Whom.
        user: String,
        /// How many of the requests were writes.
        writes: usize,
    },
    /// What an issued token or certificate was used for.
    Used {
        /// The service account, or the user that the certificate names.
        account: String,
        /// Verb.
        verb: String,
        /// Object, or only its resource for what is read often; the path of what is no resource.
        object: String,
        /// Address and tool.
        place: String,
        /// Code of requests that failed, otherwise 0.
        code: u16,
    },
    /// Something that this log cannot tell: what, and why not.
    Hidden(String),
}

/// Several requests of one kind that follow from one.
#[derive(Clone, PartialEq, Debug)]
pub struct Effect {
    /// What happened.
    pub deed: Deed,
    /// Names of the objects it happened to.
    pub names: BTreeSet<String>,
    /// How sure it is that they follow from it: the least sure of them.
    pub certainty: Certainty,
    /// What proves it, or speaks for it.
    pub evidence: String,
    /// The requests, in time order: all of them, or those that came first.
    pub requests: Vec<EventId>,
    /// Further requests, which are only counted.
    pub further: usize,
    /// What follows from these.
    pub effects: Vec<Effect>,
}

impl Effect {
    /// How many requests there are.
    pub fn count(&self) -> usize {
        self.requests.len() + self.further
    }

    /// What happened, as a clause: `replicaset-controller create pods ×3: web-1, …`.
    pub fn text(&self) -> String {
        let count = self.count();
        let what = match &self.deed {
            Deed::Wrote { actor, verb, what } => format!("{actor} {verb} {what}{}", times(count)),
            Deed::Emptied { namespace, removed } => {
                let objects = match removed.len() {
                    0 => "nothing that this log names".to_owned(),
                    1 => "1 object".to_owned(),
                    many => format!("{many} objects"),
                };
                format!("everything in namespace {namespace} was removed: {objects} in {count} requests")
            }
            Deed::Allowed { user, writes } => {
                let s = if count == 1 { "" } else { "s" };
                format!("it allowed {user} {count} request{s}, {writes} of them writes")
            }
            Deed::Hidden(what) => what.clone(),
            Deed::Used { account, verb, object, place, code } => {
                let failed = if *code == 0 { String::new() } else { format!(" ({code})") };
                format!("{account} {verb} {object}{} {place}{failed}", times(count))
            }
        };
        match &self.deed {
            Deed::Wrote { .. } if !self.names.is_empty() => format!("{what}: {}", shortly(&self.names, 4)),
            Deed::Emptied { removed, .. } if !removed.is_empty() => {
                let named = removed.iter().map(|key| format!("{}/{}", key.resource, key.name)).collect();
                format!("{what}: {}", shortly(&named, 12))
            }
            _ => what,
        }
    }
}

/// What a request set off.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects {
    /// In groups, in time order.
    pub effects: Vec<Effect>,
    /// Whether there was more than one answer can hold.
    pub cut: bool,
}

/// What followed from a request, whose bodies must have been read.
pub fn effects(log: &Log<'_>, request: &Request) -> Effects {
    if request.log != LogKind::Kube {
        return Effects { effects: trail::effects(log, request), cut: false };
    }
    let mut walk = Walk { log, seen: request.id.into_iter().collect(), cut: false, steps_left: MOST_STEPS };
    let mut effects = walk.of(request, 0);
    let (of_release, is_cut) = trail::effects_of_release(log, request);
    effects.extend(of_release);
    Effects { effects, cut: walk.cut || is_cut }
}

struct Walk<'w, 'l> {
    log: &'w Log<'l>,
    seen: HashSet<EventId>,
    cut: bool,
    steps_left: usize,
}

/// A request, and why it is thought to follow.
struct Follows {
    id: EventId,
    certainty: Certainty,
    evidence: String,
}

impl Effect {
    /// What this log cannot tell, and why not.
    fn hidden(what: String, evidence: &str) -> Effect {
        Effect {
            deed: Deed::Hidden(what),
            names: BTreeSet::new(),
            certainty: Certainty::Unknown,
            evidence: evidence.to_owned(),
            requests: Vec::new(),
            further: 0,
            effects: Vec::new(),
        }
    }
}

impl Walk<'_, '_> {
    fn of(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        if depth >= DEEPEST || !request.succeeded() || request.is_dry_run() {
            return Vec::new();
        }
        let mut all = Vec::new();
        match (request.object.resource.as_str(), request.subresource.as_str()) {
            ("serviceaccounts", "token") => all.extend(self.uses_of_token(request, depth)),
            ("rolebindings" | "clusterrolebindings", "") => all.extend(self.allowed(request)),
            ("serviceaccounts", "") => all.extend(self.account(request, depth)),
            ("namespaces", _) => all.extend(self.namespace(request, depth)),
            _ => {
                let mut follows = self.children(request);
                follows.extend(self.same_object(request));
                follows.extend(self.replacements(request));
                all.extend(self.grouped(follows, depth));
                all.extend(self.uses_of_certificate(request, depth));
            }
        }
        all
    }

    /// Requests after a moment, within the window, not seen yet, that pass the test.
    fn later(
        &mut self,
        ids: Vec<EventId>,
        request: &Request,
        until: Micros,
        test: impl Fn(&Request) -> bool,
    ) -> Vec<EventId> {
        let mut found = Vec::new();
        for id in ids {
            let time = self.log.store.stage_time(id);
            if time < request.time || time > until || self.seen.contains(&id) {
                continue;
            }
            let Some(later) = Request::of(self.log.store, id) else { continue };
            if later.succeeded() && test(&later) {
                if self.seen.len() >= MOST {
                    self.cut = true;
                    break;
                }
                self.seen.insert(id);
                found.push(id);
            }
        }
        found
    }

    /// Puts requests that do the same into one line each, with what follows from them under it.
    fn grouped(&mut self, mut follows: Vec<Follows>, depth: usize) -> Vec<Effect> {
        follows.sort_by_key(|f| (self.log.store.stage_time(f.id), f.id));
        let mut groups: Vec<((String, String, String), Vec<Follows>)> = Vec::new();
        for follow in follows {
            let Some(request) = Request::of(self.log.store, follow.id) else { continue };
            let actor = match (controller(&request), actor_kind(&request.user)) {
                (Some(controller), _) => controller.to_owned(),
                (None, ActorKind::Node) => "kubelets".to_owned(),
                (None, _) => request.user.clone(),
            };
            let what = match (request.verb.as_str(), request.subresource.as_str()) {
                // The namespace controller empties a namespace of each kind of object there is.
                ("deletecollection", _) if actor == "namespace-controller" => "of all kinds".to_owned(),
                (_, "") => request.object.resource.clone(),
                (_, subresource) => format!("{}/{subresource}", request.object.resource),
            };
            let key = (actor, request.verb.clone(), what);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(follow),
                None => groups.push((key, vec![follow])),
            }
        }
        groups
            .into_iter()
            .map(|((actor, verb, what), group)| {
                let requests: Vec<EventId> = group.iter().map(|follow| follow.id).collect();
                let certainty =
                    group.iter().map(|follow| follow.certainty).max().unwrap_or(Certainty::Likely);
                let evidence = group
                    .iter()
                    .find(|follow| follow.certainty == certainty)
                    .map_or(String::new(), |follow| follow.evidence.clone());
                let names: BTreeSet<String> = requests
                    .iter()
                    .filter_map(|id| Request::named(self.log.store, *id))
                    .map(|request| request.object.name)
                    .filter(|name| !name.is_empty())
                    .collect();
                let effects = self.nested(&requests, depth);
                Effect {
                    deed: Deed::Wrote { actor, verb, what },
                    names,
                    certainty,
                    evidence,
                    requests,
                    further: 0,
                    effects,
                }
            })
            .collect()
    }

    fn nested(&mut self, requests: &[EventId], depth: usize) -> Vec<Effect> {
        let mut nested: Vec<Effect> = Vec::new();
        for id in requests {
            let Some(request) = Request::of(self.log.store, *id).filter(Request::is_write) else { continue };
            let Some(request) = Request::read(self.log.store, *id).or(Some(request)) else { continue };
            for effect in self.of(&request, depth + 1) {
                merge(&mut nested, effect);
            }
        }
        nested
    }
}

/// Effects of several requests that are of one kind become one line.
fn merge(effects: &mut Vec<Effect>, new: Effect) {
    match effects.iter_mut().find(|known| known.deed == new.deed) {
        Some(known) => {
            known.requests.extend(new.requests);
            known.further += new.further;
            known.names.extend(new.names);
            if new.certainty > known.certainty {
                (known.certainty, known.evidence) = (new.certainty, new.evidence);
            }
            for effect in new.effects {
                merge(&mut known.effects, effect);
            }
        }
        None => effects.push(new),
    }
}

fn times(count: usize) -> String {
    if count == 1 { String::new() } else { format!(" ×{count}") }
}

fn shortly(names: &BTreeSet<String>, most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Whether a request changes what its object should be, rather than reports what it is.
fn is_change(request: &Request) -> bool {
    request.is_write() && !matches!(request.subresource.as_str(), "status" | "binding" | "token" | "finalize")
}

fn is_effect(request: &Request) -> bool {
    request.is_write() && request.subresource != "status" && request.object.resource != "events"
}

//! All that a user asked for: which bindings let it in and for what, what was refused and how often, and the least roles
//! for either.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::allowed::{AccessChange, AllowedBy, allowed_by};
use super::permission::Permission;
use super::refusal::{Refusal, Refused};
use super::roles::{Roles, minimal_roles};
use crate::model::{
    ActorKind, Decision, EventId, Micros, actor_kind, format_rfc3339, is_mutating_subresource,
};
use crate::store::{Bitset, Field, Store};
use crate::trace::select::{in_time_order, requests_with, shown};
use crate::trace::{Log, Request};

/// Resources that are named of a grant at most.
const MOST_RESOURCES: usize = 100;

/// What a binding was used for.
#[derive(Clone, PartialEq, Debug)]
pub struct GrantUse {
    /// Who let the requests in.
    pub by: AllowedBy,
    /// How many.
    pub count: u64,
    /// Stage time of the first.
    pub first: Micros,
    /// Stage time of the last.
    pub last: Micros,
    /// Their verbs.
    pub verbs: BTreeSet<String>,
    /// Their resources, as `deployments.apps/scale`, or paths.
    pub resources: BTreeSet<String>,
    /// Whether there are more resources than are named.
    pub more_resources: bool,
    /// Writes to the binding and the role in this log, in the order of time.
    pub changes: Vec<AccessChange>,
}

/// Equal refusals.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusalGroup {
    /// Why.
    pub refused: Refused,
    /// How many.
    pub count: u64,
    /// The first.
    pub first: EventId,
    /// Its stage time.
    pub first_time: Micros,
    /// Stage time of the last.
    pub last_time: Micros,
}

/// Roles to review, and what they were made from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Proposal {
    /// The roles; none where nothing is needed, or nothing can be known.
    pub roles: Roles,
    /// What to know before applying them, line by line; from a log, so hostile until made visible.
    pub remarks: Vec<String>,
}

impl Proposal {
    /// The remarks as comments, and the YAML stream below them.
    pub fn to_yaml(&self) -> String {
        let remarks = self.remarks.iter().chain(&self.roles.notes);
        let comments: String =
            remarks.map(|remark| format!("# {}\n", remark.replace(['\n', '\r'], " "))).collect();
        comments + &self.roles.to_yaml()
    }
}

/// What a user was allowed and refused.
#[derive(Clone, PartialEq, Debug)]
pub struct UserAccess {
    /// The user; a service account under its username.
    pub user: String,
    /// Requests that the user made, or that somebody made as the user.
    pub requests: u64,
    /// Stage times of the first and the last of them.
    pub window: Option<(Micros, Micros)>,
    /// Those that were let in, by whom; the most used first.
    pub grants: Vec<GrantUse>,
    /// Those that were refused; in the order of the first.
    pub refusals: Vec<RefusalGroup>,
    /// What the user needed for its answered requests, how many those are.
    used: (BTreeSet<Permission>, u64),
    /// Whether the log holds any read by anybody.
    pub reads_are_logged: bool,
}

impl UserAccess {
    /// What the log tells of a user.
    pub fn of(log: &Log<'_>, user: &str) -> UserAccess {
        let store = log.store;
        let mut grants: HashMap<AllowedBy, GrantUse> = HashMap::new();
        let (mut window, mut requests, mut used) = (None, 0, (BTreeSet::new(), 0));
        for id in requests_of(store, user) {
            let Some(mut request) = Request::of(store, id) else { continue };
            requests += 1;
            let (first, _) = *window.get_or_insert((request.time, request.time));
            window = Some((first, request.time));
            let acts_as_other = request.user == user && request.acting_user() != user;
            if acts_as_other {
                // What was allowed then was allowed to the other.
                request.read_event(store);
                used.0.extend(Permission::to_impersonate(&request));
                used.1 += 1;
                continue;
            }
            if let Some((by, ..)) = allowed_by(store, &request) {
                grants.entry(by).or_insert_with_key(|by| unused(by, request.time)).count(&request);
            }
            if did_its_work(&request) {
                used.0.extend(Permission::asked_for(&request));
                used.1 += 1;
            }
        }
        let mut grants: Vec<GrantUse> = grants.into_values().collect();
        for grant in &mut grants {
            if let AllowedBy::Grant(granted) = &grant.by {
                grant.changes = granted.changes(log);
            }
        }
        grants.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.by.cmp(&b.by)));
        UserAccess {
            user: user.to_owned(),
            requests,
            window,
            grants,
            refusals: refusals(log, user),
            used,
            reads_are_logged: reads_are_logged(store),
        }
    }

    /// The least roles for all that RBAC refused.
    pub fn roles_for_refusals(&self) -> Proposal {
        let wanted: Vec<(&Permission, &RefusalGroup)> = self
            .refusals
            .iter()
            .filter_map(|group| match &group.refused.why {
                Refusal::Rbac { user, needs } if *user == self.user => Some((needs, group)),
                _ => None,
            })
            .collect();
        let count: u64 = wanted.iter().map(|(_, group)| group.count).sum();
        let first = wanted.iter().map(|(_, group)| group.first_time).min();
        let last = wanted.iter().map(|(_, group)| group.last_time).max();
        let mut proposal = Proposal::default();
        match first.zip(last) {
            Some(span) => {
                proposal.remarks.push(from_what(count, "refusal", &self.user, span));
                let permissions = wanted.into_iter().map(|(needs, _)| needs.clone());
                proposal.roles = minimal_roles(&self.user, permissions);
                proposal.remarks.extend(self.warnings());
            }
            None if self.reads_are_logged => {
                let user = &self.user;
                proposal.remarks.push(format!("No role is needed: RBAC refused {user} nothing in this log"));
            }
            None => proposal.remarks.push(format!("A role for {} cannot be known, {NO_READS}", self.user)),
        }
        if !self.reads_are_logged && first.is_some() {
            proposal.remarks.push(format!("What it could not read cannot be known, {NO_READS}"));
        }
        proposal
    }

    /// The least roles for all that the user did: what was answered with success, and what was allowed and found absent
    /// or in conflict (404, 409), as `kubectl apply` and controllers need.
    pub fn roles_for_use(&self) -> Proposal {
        let (permissions, count) = &self.used;
        let mut proposal = Proposal::default();
        match self.window.filter(|_| *count > 0) {
            Some(span) => {
                proposal.remarks.push(from_what(*count, "used request", &self.user, span));
                let own = permissions.iter().filter(|permission| !permission.is_everybodys());
                proposal.roles = minimal_roles(&self.user, own.cloned());
                if permissions.iter().any(Permission::is_everybodys) {
                    proposal
                        .remarks
                        .push("Left out: discovery and self-reviews, which everybody may do".into());
                }
                proposal.remarks.extend(self.warnings());
            }
            None => proposal.remarks.push(format!("{} used no permission in this log", self.user)),
        }
        if !self.reads_are_logged {
            proposal.remarks.push(format!("What it read cannot be known, {NO_READS}"));
        }
        proposal
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings =
            vec!["Review it before you apply it: it gives what was asked for, rightly or not.".to_owned()];
        match actor_kind(&self.user) {
            ActorKind::Anonymous => warnings
                .push("This user is everybody who reaches the API server without a credential.".to_owned()),
            ActorKind::Node | ActorKind::ControlPlane => warnings.push(
                "Kubernetes makes the roles of its own parts itself; refusals while it starts need none."
                    .to_owned(),
            ),
            ActorKind::Human | ActorKind::ServiceAccount => {}
        }
        warnings
    }
}

/// Why a log of writes alone cannot tell of reads.
const NO_READS: &str = "because this log holds no read (get, list, watch) by anybody: its audit policy leaves them out, \
                        and refused reads with them";

fn from_what(count: u64, what: &str, user: &str, (first, last): (Micros, Micros)) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let (first, last) = (format_rfc3339(first), format_rfc3339(last));
    format!("From {count} {what}{plural} of {user}, {first} to {last}.")
}

fn unused(by: &AllowedBy, first: Micros) -> GrantUse {
    GrantUse {
        by: by.clone(),
        count: 0,
        first,
        last: first,
        verbs: BTreeSet::new(),
        resources: BTreeSet::new(),
        more_resources: false,
        changes: Vec::new(),
    }
}

impl GrantUse {
    fn count(&mut self, request: &Request) {
        self.count += 1;
        self.last = request.time;
        self.verbs.insert(request.verb.clone());
        let what = what_of(request);
        if self.resources.len() < MOST_RESOURCES || self.resources.contains(&what) {
            self.resources.insert(what);
        } else {
            self.more_resources = true;
        }
    }
}

/// `deployments.apps/scale`, or the path of a URL that names no resource.
fn what_of(request: &Request) -> String {
    let object = &request.object;
    if object.resource.is_empty() {
        return request.request_uri.split('?').next().unwrap_or_default().to_owned();
    }
    let mut what = object.resource.clone();
    for (sign, part) in [('.', &object.group), ('/', &request.subresource)] {
        if !part.is_empty() {
            what.push(sign);
            what.push_str(part);
        }
    }
    what
}

fn did_its_work(request: &Request) -> bool {
    request.succeeded() || (request.decision == Decision::Allow && matches!(request.code, 404 | 409))
}

/// The rows of the requests that a user made, or that somebody made as the user, in the order of time.
fn requests_of(store: &Store, user: &str) -> Vec<EventId> {
    let mut ids = requests_with(store, &[(Field::User, user)]);
    ids.extend(requests_with(store, &[(Field::ImpersonatedUser, user)]));
    in_time_order(store, &mut ids);
    ids
}

/// What a user was refused, equal refusals together, in the order of the first.
pub fn refusals(log: &Log<'_>, user: &str) -> Vec<RefusalGroup> {
    let store = log.store;
    let mut groups: BTreeMap<Refused, RefusalGroup> = BTreeMap::new();
    for id in requests_of(store, user) {
        let may_be_refused = store.segment(id).is_some_and(|segment| {
            let forbidden = segment.facts(id.row()).decision() == Decision::Forbid;
            // What is absent, in conflict or too slow is not refused, and there is much of it.
            forbidden || matches!(segment.code(id.row()), 400..=403 | 405..=408 | 411..=499 | 500)
        });
        if !may_be_refused {
            continue;
        }
        let Some(mut request) = Request::of(store, id) else { continue };
        // What somebody is refused as another is refused to the other.
        if request.acting_user() != user {
            continue;
        }
        if request.decision != Decision::Forbid {
            request.read_event(store);
        }
        let Some(refused) = Refused::of(&request) else { continue };
        let group = groups.entry(refused).or_insert_with_key(|refused| RefusalGroup {
            refused: refused.clone(),
            count: 0,
            first: id,
            first_time: request.time,
            last_time: request.time,
        });
        group.count += 1;
        group.last_time = request.time;
    }
    let mut groups: Vec<RefusalGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| (group.first_time, group.first));
    groups
}

/// Whether the log holds any read by anybody: a get, list or watch of a resource that is no exec and the like. A log
/// without one was written by a policy that leaves reads out.
pub fn reads_are_logged(store: &Store) -> bool {
    store.entries().any(|(_, entry)| {
        let segment = entry.segment();
        let verbs = segment.column(Field::Verb);
        let reads = Bitset::from_fn(verbs.dictionary.len() as u32, |symbol| {
            matches!(verbs.dictionary.get(symbol as u16), "get" | "list" | "watch")
        });
        if reads.is_clear() {
            return false;
        }
        let mut rows = verbs.symbols.rows_in(&reads);
        rows.and(&shown(entry));
        rows.iter().any(|row| {
            !segment.string(Field::Resource, row).is_empty()
                && !is_mutating_subresource(segment.string(Field::Subresource, row))
        })
    })
}

/// The usernames of the log that somebody may mean: the one that is written out; else that of a service account written as
/// `sa:namespace/name` or `namespace/name`; else those of which it is the short name, as `mallory` is of
/// `mallory@example.com`; else those that it is a part of. Without any, what was written.
pub fn user_named(store: &Store, typed: &str) -> Result<String, Vec<String>> {
    if typed.is_empty() {
        return Err(Vec::new());
    }
    if !requests_of(store, typed).is_empty() {
        return Ok(typed.to_owned());
    }
    let account = typed.strip_prefix("sa:").unwrap_or(typed);
    if let Some((namespace, name)) = account.split_once('/')
        && !namespace.is_empty()
        && !name.is_empty()
    {
        return Ok(format!("system:serviceaccount:{namespace}:{name}"));
    }
    let known: BTreeSet<&str> = store
        .entries()
        .flat_map(|(_, entry)| {
            [Field::User, Field::ImpersonatedUser].map(|field| entry.segment().column(field))
        })
        .flat_map(|column| column.dictionary.iter().map(|(_, name)| name))
        .collect();
    let typed_small = typed.to_lowercase();
    let those = |is_meant: &dyn Fn(&str) -> bool| -> Vec<String> {
        known.iter().filter(|name| is_meant(&name.to_lowercase())).map(|name| (*name).to_owned()).collect()
    };
    let is_short = |name: &str| {
        let last = name.rsplit([':', '/', '#']).next().unwrap_or(name);
        [name, last].iter().any(|part| part.split('@').next() == Some(&typed_small))
    };
    let mut found = those(&is_short);
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    if found.is_empty() {
        found = those(&|name: &str| name.contains(&typed_small));
    }
    if found.is_empty() { Ok(typed.to_owned()) } else { Err(found) }
}

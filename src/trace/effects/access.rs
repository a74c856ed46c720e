//! What a request gave to others: tokens that were used, bindings that allowed something, accounts that were provided
//! with both.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde_json::Value;

use super::{Deed, Effect, Follows, MOST, MOST_ALLOWED, WINDOW, Walk, shortly};
use crate::model::{ActorKind, EventId, Grant, actor_kind, is_dry_run, is_write_verb, tool};
use crate::store::{Field, Store, Symbol};
use crate::trace::access::reads_are_logged;
use crate::trace::certificate;
use crate::trace::finding::Certainty;
use crate::trace::request::{ObjectKey, Request};
use crate::trace::select::{requests_where, requests_with};

/// Why what was read cannot be known.
const NO_READS: &str = "this log holds no reads at all (its audit policy leaves them out)";

impl Walk<'_, '_> {
    /// What an issued token was used for, and what the log cannot tell of that.
    pub(super) fn uses_of_token(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        let account = format!("{}/{}", request.object.namespace, request.object.name);
        if request.issued_credential.is_empty() {
            let text =
                format!("what this token of {account} was used for cannot be known: its id was not logged");
            let evidence = "no annotation authentication.kubernetes.io/issued-credential-id";
            return vec![Effect::hidden(text, evidence)];
        }
        let uses = requests_with(self.log.store, &[(Field::Credential, &request.issued_credential)]);
        let is_used = !uses.is_empty();
        let mut all = self.uses(uses, Some(&account), "credential-id = issued-credential-id", depth);
        let evidence = format!("requests with credential-id {}", request.issued_credential);
        if !reads_are_logged(self.log.store) {
            let text = format!("what was read with this token of {account} cannot be known: {NO_READS}");
            all.push(Effect::hidden(text, &evidence));
        } else if !is_used {
            let text = format!(
                "this token of {account} was not used in this log; in another API server's it may be"
            );
            all.push(Effect::hidden(text, &evidence));
        }
        all
    }

    /// What the certificate of a signing request was used for, where a body holds it.
    pub(super) fn uses_of_certificate(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        if request.object.resource != "certificatesigningrequests" || request.verb != "create" {
            return Vec::new();
        }
        let Some(credential) = certificate::issued(self.log, &request.object.name) else { return Vec::new() };
        let uses = requests_with(self.log.store, &[(Field::Credential, &credential)]);
        self.uses(uses, None, "credential-id = SHA-256 of its status.certificate", depth)
    }

    /// Requests made with a credential: as `account`, or as whom each says.
    fn uses(
        &mut self,
        uses: Vec<EventId>,
        account: Option<&str>,
        evidence: &str,
        depth: usize,
    ) -> Vec<Effect> {
        let mut groups: Vec<(Deed, Vec<EventId>)> = Vec::new();
        for id in uses {
            if self.seen.len() >= MOST {
                self.cut = true;
                break;
            }
            let Some(used) = Request::of(self.log.store, id).filter(|_| self.seen.insert(id)) else {
                continue;
            };
            let tells_object = is_write_verb(&used.verb) || used.object.resource == "secrets";
            let deed = Deed::Used {
                account: account.unwrap_or(&used.user).to_owned(),
                verb: used.verb.clone(),
                object: match used.object.resource.as_str() {
                    "" => used.request_uri.split('?').next().unwrap_or_default().to_owned(),
                    _ if tells_object => used.object.to_string(),
                    resource => resource.to_owned(),
                },
                place: format!("from {} with {}", used.source_ip, tool(&used.user_agent)),
                code: if used.succeeded() { 0 } else { used.code },
            };
            match groups.iter_mut().find(|(known, _)| *known == deed) {
                Some((_, requests)) => requests.push(id),
                None => groups.push((deed, vec![id])),
            }
        }
        groups
            .into_iter()
            .map(|(deed, requests)| Effect {
                deed,
                names: BTreeSet::new(),
                certainty: Certainty::Certain,
                evidence: evidence.to_owned(),
                effects: self.nested(&requests, depth),
                requests,
                further: 0,
            })
            .collect()
    }

    /// What a binding allowed while it was there.
    pub(super) fn allowed(&mut self, request: &Request) -> Vec<Effect> {
        if request.verb == "delete" || request.object.name.is_empty() {
            return Vec::new();
        }
        let kind =
            if request.object.resource == "rolebindings" { "RoleBinding" } else { "ClusterRoleBinding" };
        let wanted = if request.object.namespace.is_empty() {
            request.object.name.clone()
        } else {
            format!("{}/{}", request.object.name, request.object.namespace)
        };
        let allowed = requests_where(self.log.store, &[], Field::DecisionReason, |reason| {
            Grant::parse(reason).is_some_and(|grant| grant.binding_kind == kind && grant.binding == wanted)
        });
        // Being allowed is no consequence: what was done with it may stand elsewhere in the chain as well.
        let store = self.log.store;
        let since = allowed.partition_point(|id| store.stage_time(*id) < request.time);
        let allowed = by_user(store, &allowed[since..]).into_iter().map(|(user, allowed)| Effect {
            deed: Deed::Allowed { user, writes: allowed.writes },
            names: BTreeSet::new(),
            certainty: Certainty::Certain,
            evidence: "authorization.k8s.io/reason names the binding".to_owned(),
            further: allowed.count - allowed.first.len(),
            requests: allowed.first,
            effects: Vec::new(),
        });
        let mut all: Vec<Effect> = allowed.collect();
        if !reads_are_logged(self.log.store) {
            let text = format!("what it let be read cannot be known: {NO_READS}");
            all.push(Effect::hidden(text, "no get, list or watch"));
        }
        all
    }

    /// What was given to a new service account: tokens, and bindings that name it, by their bodies or by what they
    /// allowed.
    pub(super) fn account(&mut self, request: &Request, depth: usize) -> Vec<Effect> {
        if request.verb != "create" {
            return Vec::new();
        }
        let key = &request.object;
        let until = request.time.saturating_add(WINDOW);
        let tokens = requests_with(
            self.log.store,
            &[
                (Field::Resource, "serviceaccounts"),
                (Field::Namespace, &key.namespace),
                (Field::Name, &key.name),
                (Field::Subresource, "token"),
            ],
        );
        let tokens = self.later(tokens, request, until, |r| actor_kind(&r.user) != ActorKind::Node);
        let certain =
            |id, evidence: &str| Follows { id, certainty: Certainty::Certain, evidence: evidence.to_owned() };
        let mut follows: Vec<Follows> =
            tokens.into_iter().map(|id| certain(id, "the same service account")).collect();
        let mut hidden = BTreeSet::new();
        for (resource, kind) in
            [("clusterrolebindings", "ClusterRoleBinding"), ("rolebindings", "RoleBinding")]
        {
            let bindings = requests_with(self.log.store, &[(Field::Resource, resource)]);
            let by_reason = self.bindings_of(kind, key);
            for id in self.later(bindings, request, until, |r| r.is_write() && r.verb != "delete") {
                let Some(binding) = Request::read(self.log.store, id) else { continue };
                match names_account(&binding, key) {
                    Some(true) => follows.push(certain(id, "subjects of the body")),
                    None if by_reason.contains(&binding.object.name) => follows.push(certain(
                        id,
                        "authorization.k8s.io/reason of what it allowed names the binding and the account",
                    )),
                    None if binding.is_by_person() => {
                        hidden.insert(binding.object.name.clone());
                        self.seen.remove(&id);
                    }
                    _ => drop(self.seen.remove(&id)),
                }
            }
        }
        let mut all = self.grouped(follows, depth);
        if !hidden.is_empty() {
            let text = format!(
                "whether bindings that were made since name it cannot be known, since they were logged without bodies: {}",
                shortly(&hidden, 8)
            );
            all.push(Effect::hidden(text, "no subjects in this log"));
        }
        all
    }

    /// Names of the bindings that allowed an account something, by the reasons of the authorizer.
    fn bindings_of(&self, kind: &str, account: &ObjectKey) -> BTreeSet<String> {
        let subject = format!("{}/{}", account.name, account.namespace);
        let mut names = BTreeSet::new();
        for (_, entry) in self.log.store.entries() {
            let reasons = &entry.segment().column(Field::DecisionReason).dictionary;
            let grants = reasons.iter().filter_map(|(_, reason)| Grant::parse(reason));
            let own = grants.filter(|grant| {
                grant.binding_kind == kind
                    && grant.subject_kind == "ServiceAccount"
                    && grant.subject == subject
            });
            names.extend(own.map(|grant| grant.binding_name().to_owned()));
        }
        names
    }
}

/// What a binding allowed to one user.
#[derive(Default)]
struct Allowed {
    count: usize,
    writes: usize,
    /// Those that came first.
    first: Vec<EventId>,
}

/// Requests in time order by whom they were allowed to. A binding of all users lets in everything there is: rows are
/// told apart by their symbols, and no request is read.
fn by_user(store: &Store, ids: &[EventId]) -> BTreeMap<String, Allowed> {
    const FIELDS: [Field; 2] = [Field::ImpersonatedUser, Field::User];
    let mut by_symbols: HashMap<(u32, [Symbol; 2]), Allowed> = HashMap::new();
    for id in ids {
        let Some(segment) = store.segment(*id) else { continue };
        let symbols = FIELDS.map(|field| segment.symbol(field, id.row()));
        let allowed = by_symbols.entry((id.segment(), symbols)).or_default();
        allowed.count += 1;
        let text = |field| segment.string(field, id.row());
        allowed.writes +=
            usize::from(is_write_verb(text(Field::Verb)) && !is_dry_run(text(Field::RequestUri)));
        if allowed.first.len() < MOST_ALLOWED {
            allowed.first.push(*id);
        }
    }
    let mut users: BTreeMap<String, Allowed> = BTreeMap::new();
    for allowed in by_symbols.into_values() {
        let Some((id, segment)) = allowed.first.first().and_then(|id| Some((id, store.segment(*id)?))) else {
            continue;
        };
        let names = FIELDS.map(|field| segment.string(field, id.row()));
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let user = users.entry(name.to_owned()).or_default();
        user.count += allowed.count;
        user.writes += allowed.writes;
        user.first.extend(allowed.first);
    }
    for user in users.values_mut() {
        user.first.sort_by_key(|id| (store.stage_time(*id), *id));
        user.first.truncate(MOST_ALLOWED);
    }
    users
}

/// Whether a binding's body names an account; `None` where the log holds no body of it.
fn names_account(binding: &Request, account: &ObjectKey) -> Option<bool> {
    let body = binding.response_object().or_else(|| binding.request_object())?;
    let subjects = body.get("subjects").and_then(Value::as_array);
    Some(subjects.into_iter().flatten().any(|subject| {
        let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or("");
        text("kind") == "ServiceAccount"
            && text("name") == account.name
            && text("namespace") == account.namespace
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, SourceId, Stage};
    use crate::store::SegmentBuilder;

    #[test]
    fn of_very_many_requests_the_first_are_told_and_all_are_counted() {
        let mut store = Store::new();
        let requests = MOST_ALLOWED as i64 * 3;
        // Two API servers' logs: each holds every second request of the one user.
        for source in 0..2 {
            let mut builder = SegmentBuilder::new(SourceId(source), 0, false);
            for number in (i64::from(source)..requests).step_by(2) {
                let (user, impersonated) = if number == 7 { ("admin", "bob") } else { ("alice", "") };
                let event = Event {
                    stage: Stage::ResponseComplete,
                    user: user.into(),
                    impersonated_user: impersonated.into(),
                    verb: if number % 10 == 0 { "delete" } else { "get" }.into(),
                    request_uri: if number % 100 == 0 { "/x?dryRun=All" } else { "/x" }.into(),
                    stage_time: Some(number),
                    ..Event::default()
                };
                builder.push(&event, b"", false);
            }
            store.push(builder.finish(0));
        }
        let ids: Vec<EventId> =
            store.order().chunks().iter().flat_map(|chunk| chunk.ids().to_vec()).collect();
        let users = by_user(&store, &ids);
        assert_eq!(users.keys().collect::<Vec<_>>(), ["alice", "bob"]);
        assert_eq!((users["bob"].count, users["bob"].writes, users["bob"].first.len()), (1, 0, 1));
        let alice = &users["alice"];
        assert_eq!((alice.count, alice.writes), (ids.len() - 1, ids.len() / 10 - ids.len() / 100));
        let of_alice = ids.iter().filter(|id| store.stage_time(**id) != 7).take(MOST_ALLOWED);
        assert!(alice.first.iter().eq(of_alice), "the first, in time order");
    }
}

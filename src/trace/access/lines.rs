//! Why one request was allowed or refused, as lines for screens and commands.

use super::allowed::{AccessChange, Allowed, AllowedBy, ChangeKind, Granted};
use super::refusal::{Refusal, Refused};
use super::roles::minimal_roles;
use super::user::refusals;
use super::webhook::{WebhookEffect, webhook_effects};
use crate::model::LogKind;
use crate::text::fit_end;
use crate::trace::manifest::masked;
use crate::trace::tell::request_in_words;
use crate::trace::{Certainty, Log, Request, Told};

/// Columns of a webhook's patch that are shown.
const LONGEST_PATCH: usize = 600;

/// The decision, who made it possible, what webhooks did, and what would allow a request that RBAC refused. The
/// request's event must have been read.
pub fn request_access(log: &Log<'_>, request: &Request) -> Vec<Told> {
    if request.log != LogKind::Kube {
        return Vec::new();
    }
    let mut told = vec![Told::heading("decision")];
    let allowed = Allowed::of(log, request);
    if let Some(allowed) = &allowed {
        let text = allowed_in_words(&allowed.by);
        told.push(line("allowed by", allowed.certainty, text, allowed.evidence));
    }
    let refused = Refused::of(request);
    if let Some(refused) = &refused {
        told.push(line("refused", refused.certainty, refused.why.to_string(), refused.evidence));
        told.extend(repeats(log, request, refused));
    }
    if told.len() == 1 {
        let text = match request.code {
            0 => "the log does not tell: no answer was logged".to_owned(),
            code => format!("answered {code}; nobody refused it, and no authorization was logged"),
        };
        told.push(line("unknown", Certainty::Unknown, text, "no annotation authorization.k8s.io/decision"));
    }
    if let Some(allowed) = &allowed {
        made_possible(log, allowed, &mut told);
    }
    let effects = webhook_effects(request);
    if !effects.is_empty() {
        told.push(Told::heading("webhooks"));
        told.extend(effects.iter().map(|effect| webhook_line(effect, &request.object.resource)));
    }
    if let Some(Refused { why: Refusal::Rbac { user, needs }, .. }) = &refused {
        told.push(Told::heading("would be allowed by"));
        let roles = minimal_roles(user, [needs.clone()]);
        for manifest in roles.manifests.iter().filter(|manifest| manifest.object.get("rules").is_some()) {
            let rules = manifest.object.get("rules").map_or(String::new(), ToString::to_string);
            let place = if manifest.namespace.is_empty() {
                String::new()
            } else {
                format!(" in namespace {}", manifest.namespace)
            };
            let text = format!("a {}{place} bound to {user} with {rules}", manifest.kind);
            told.push(line("role", Certainty::Certain, text, "what the authorizer was asked"));
        }
        for note in roles.notes {
            told.push(line("note", Certainty::Certain, note, ""));
        }
    }
    told
}

/// Whether the same was refused more than once.
fn repeats(log: &Log<'_>, request: &Request, refused: &Refused) -> Option<Told> {
    let groups = refusals(log, request.acting_user());
    let group = groups.iter().find(|group| group.refused == *refused && group.count > 1)?;
    let (first, last) = (log.clock(group.first_time), log.clock(group.last_time));
    let text = format!("{} times to this user, {first} to {last}", group.count);
    Some(Told { event: Some(group.first), ..line("repeated", Certainty::Certain, text, "equal refusals") })
}

/// Who made or changed the binding and its role.
fn made_possible(log: &Log<'_>, allowed: &Allowed, told: &mut Vec<Told>) {
    let AllowedBy::Grant(granted) = &allowed.by else { return };
    told.push(Told::heading("made possible by"));
    told.extend(allowed.before.iter().rev().map(|change| change_line(log, granted, change)));
    if allowed.unchanged_since.is_some() {
        let text = format!("binding and role are unchanged in the log since it begins, {}", log.beginning());
        told.push(line(
            "older",
            Certainty::Unknown,
            format!("{text}: who made them cannot be known from it"),
            "no successful write to either before the request",
        ));
    }
    if !allowed.after.is_empty() {
        told.push(Told::heading("and afterwards"));
        told.extend(allowed.after.iter().map(|change| change_line(log, granted, change)));
    }
}

fn change_line(log: &Log<'_>, granted: &Granted, change: &AccessChange) -> Told {
    let what = if change.is_role {
        format!("{} {}", granted.role_kind, granted.role)
    } else {
        format!("{} {}", granted.binding_kind, granted.binding)
    };
    let did = match change.kind {
        ChangeKind::Created => "made",
        ChangeKind::Changed => "changed",
        ChangeKind::Deleted => "removed",
    };
    let text = format!("{what} was {did}: {}", request_in_words(log, &change.request));
    let evidence = format!("objectRef; auditID {}", change.request.audit_id);
    Told {
        event: change.request.id,
        evidence,
        ..line(if change.is_role { "role" } else { "binding" }, Certainty::Certain, text, "")
    }
}

fn webhook_line(effect: &WebhookEffect, resource: &str) -> Told {
    let name = if effect.configuration.is_empty() {
        effect.webhook.clone()
    } else {
        format!("{} of {}", effect.webhook, effect.configuration)
    };
    let (label, text) = match (effect.failed_open, &effect.patch) {
        (true, _) => {
            ("failed open", format!("{name} could not be asked, and the request went on without it"))
        }
        (false, Some(patch)) => {
            let patch = masked(patch, resource).to_string();
            ("patched", format!("{name} changed it: {}", fit_end(&patch, LONGEST_PATCH, "…")))
        }
        (false, None) if effect.mutated => {
            ("changed", format!("{name} changed it; what cannot be known at this audit level"))
        }
        (false, None) => ("asked", format!("{name} changed nothing")),
    };
    line(label, Certainty::Certain, text, "annotations of webhook.admission.k8s.io")
}

/// `ClusterRoleBinding x gives ClusterRole y to User z`
pub fn allowed_in_words(by: &AllowedBy) -> String {
    match by {
        AllowedBy::Grant(granted) => {
            let Granted { binding_kind, binding, namespace, role_kind, role, subject_kind, subject } =
                granted;
            let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
            format!("{binding_kind} {place}{binding} gives {role_kind} {role} to {subject_kind} {subject}")
        }
        AllowedBy::SystemMasters => "membership of system:masters, for which no binding is needed".to_owned(),
        AllowedBy::NodeAuthorizer => "the node authorizer, for which no binding is needed".to_owned(),
        AllowedBy::Other(reason) if reason.is_empty() => {
            "an authorizer that gave no reason (not RBAC, which always does)".to_owned()
        }
        AllowedBy::Other(reason) => reason.clone(),
        AllowedBy::Unknown => "cannot be known: the log has no authorization for it".to_owned(),
    }
}

fn line(label: &'static str, certainty: Certainty, text: String, evidence: &str) -> Told {
    Told { depth: 1, label, certainty: Some(certainty), text, evidence: evidence.to_owned(), event: None }
}

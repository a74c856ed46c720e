//! Why a request was refused: nobody allowed it, admission said no, a quota is used up, the caller is unknown, or the
//! server had too much to do.
//!
//! Told from the annotation `authorization.k8s.io/decision` where it says so, else from `responseStatus.message`
//! (logged since Kubernetes 1.24), whose beginning only the API server writes: names in it are quoted as Go's `%q` does,
//! and whatever follows the reason is not looked at. A conflict, an absent or an invalid object is no refusal.

use std::fmt;

use serde_json::Value;

use super::permission::Permission;
use crate::model::Decision;
use crate::redact::mask_text;
use crate::text::fit_end;
use crate::trace::{Certainty, Request};

/// Columns of a message that are kept.
const LONGEST_MESSAGE: usize = 400;

/// Annotation of ValidatingAdmissionPolicy: a JSON array of what failed.
const POLICY_FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";

/// Why a request was refused. Texts of messages are masked and cut.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// No authorizer allowed it; a role could.
    Rbac {
        /// Who was not allowed: the impersonated user, where there is one.
        user: String,
        /// What was not allowed.
        needs: Permission,
    },
    /// The user tried to give away, or to bind, more than it has itself.
    Escalation,
    /// An admission webhook denied it, or could not be asked (`failurePolicy: Fail`).
    AdmissionWebhook {
        /// Name of the webhook.
        name: String,
        /// Whether it could not be asked.
        unreachable: bool,
    },
    /// A ValidatingAdmissionPolicy denied it.
    ValidatingAdmissionPolicy {
        /// Name of the policy.
        policy: String,
        /// Name of its binding.
        binding: String,
    },
    /// The namespace's Pod Security level denied it.
    PodSecurity {
        /// `restricted:latest`
        level: String,
        /// What the pod violates.
        violations: String,
    },
    /// A ResourceQuota is used up, or asks for something that is missing.
    Quota {
        /// Name of the quota.
        name: String,
    },
    /// The caller could not be authenticated (401).
    Authentication {
        /// The message: which ways were tried.
        attempted: String,
    },
    /// Priority and fairness, or the limit of requests under way (429, before authorization).
    PriorityAndFairness,
    /// Something else: a limit range, a namespace that is being deleted, NodeRestriction, a disruption budget.
    Other {
        /// What the API server said; empty where nothing was logged.
        message: String,
    },
}

impl Refusal {
    /// Which kind it is, in the words of `docs/json.md`.
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::Rbac { .. } => "rbac",
            Refusal::Escalation => "escalation",
            Refusal::AdmissionWebhook { .. } => "webhook",
            Refusal::ValidatingAdmissionPolicy { .. } => "policy",
            Refusal::PodSecurity { .. } => "pod-security",
            Refusal::Quota { .. } => "quota",
            Refusal::Authentication { .. } => "authentication",
            Refusal::PriorityAndFairness => "overload",
            Refusal::Other { .. } => "other",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Rbac { user, needs } => write!(f, "no role lets {user} {needs}"),
            Refusal::Escalation => f.write_str("it would give away more than the user has (RBAC escalation)"),
            Refusal::AdmissionWebhook { name, unreachable: false } => {
                write!(f, "admission webhook {name} denied it")
            }
            Refusal::AdmissionWebhook { name, unreachable: true } => {
                write!(f, "admission webhook {name} could not be asked, and must be (failurePolicy: Fail)")
            }
            Refusal::ValidatingAdmissionPolicy { policy, binding } => {
                write!(f, "ValidatingAdmissionPolicy {policy}, bound by {binding}, denied it")
            }
            Refusal::PodSecurity { level, violations } => {
                write!(f, "it violates Pod Security level {level}: {violations}")
            }
            Refusal::Quota { name } => write!(f, "ResourceQuota {name} does not allow it"),
            Refusal::Authentication { attempted } if attempted.is_empty() => {
                f.write_str("the caller could not be authenticated")
            }
            Refusal::Authentication { attempted } => {
                write!(f, "the caller could not be authenticated: {attempted}")
            }
            Refusal::PriorityAndFairness => f.write_str(
                "too many requests: priority and fairness, or the limit of requests under way, turned it away",
            ),
            Refusal::Other { message } if message.is_empty() => {
                f.write_str("why cannot be known: no message was logged (it is since Kubernetes 1.24)")
            }
            Refusal::Other { message } => f.write_str(message),
        }
    }
}

/// A refusal, how sure it is, and by what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Refused {
    /// Why.
    pub why: Refusal,
    /// How sure that is.
    pub certainty: Certainty,
    /// The field that says so.
    pub evidence: &'static str,
}

impl Refused {
    /// Why a request was refused; `None` for one that was not. The event must have been read, unless
    /// [`Request::decision`] is [`Decision::Forbid`].
    pub fn of(request: &Request) -> Option<Refused> {
        let certain = |why, evidence| Some(Refused { why, certainty: Certainty::Certain, evidence });
        if request.decision == Decision::Forbid {
            let user = request.acting_user().to_owned();
            let why = Refusal::Rbac { user, needs: Permission::of(request) };
            return certain(why, "authorization.k8s.io/decision=forbid");
        }
        if request.code < 400 {
            return None;
        }
        let message = request.message();
        if let Some(why) = of_message(message) {
            return certain(why, "responseStatus.message");
        }
        match request.code {
            401 => certain(Refusal::Authentication { attempted: shown(message) }, "responseStatus.code"),
            429 if request.decision == Decision::Absent => {
                certain(Refusal::PriorityAndFairness, "responseStatus.code 429 without an authorization")
            }
            403 | 422 => of_annotations(request).or_else(|| match (request.code, message.is_empty()) {
                (403, true) => Some(Refused {
                    why: Refusal::Other { message: String::new() },
                    certainty: Certainty::Unknown,
                    evidence: "responseStatus.code 403 without a message",
                }),
                (403, false) => certain(Refusal::Other { message: shown(message) }, "responseStatus.message"),
                _ => None,
            }),
            // The eviction API answers so where a disruption budget forbids it.
            429 if request.subresource == "eviction" => {
                certain(Refusal::Other { message: shown(message) }, "responseStatus.message")
            }
            _ => None,
        }
    }
}

fn shown(message: &str) -> String {
    fit_end(&mask_text(message), LONGEST_MESSAGE, "…").into_owned()
}

/// What the annotations of admission say, where no message was logged.
fn of_annotations(request: &Request) -> Option<Refused> {
    if !request.message().is_empty() {
        return None;
    }
    if let Ok(Value::Array(failures)) = serde_json::from_str(request.annotation(POLICY_FAILURE)) {
        let denies = |failure: &&Value| {
            let actions = failure.get("validationActions").and_then(Value::as_array);
            actions.is_some_and(|actions| actions.iter().any(|action| action == "Deny"))
        };
        if let Some(failure) = failures.iter().find(denies) {
            let text = |key: &str| shown(failure.get(key).and_then(Value::as_str).unwrap_or_default());
            let why = Refusal::ValidatingAdmissionPolicy { policy: text("policy"), binding: text("binding") };
            return Some(Refused { why, certainty: Certainty::Certain, evidence: POLICY_FAILURE });
        }
    }
    let level = request.annotation("pod-security.kubernetes.io/enforce-policy");
    let violations = request.annotation("pod-security.kubernetes.io/audit-violations");
    if level.is_empty() || violations.is_empty() {
        return None;
    }
    // The violations are those of the level for auditing, which need not be the enforced one.
    Some(Refused {
        why: Refusal::PodSecurity { level: level.to_owned(), violations: shown(violations) },
        certainty: Certainty::Likely,
        evidence: "pod-security.kubernetes.io/audit-violations",
    })
}

/// What a message of the API server says, where it is one of a known refusal.
fn of_message(message: &str) -> Option<Refusal> {
    if let Some(rest) = message.strip_prefix("admission webhook ") {
        let (name, rest) = quoted(rest)?;
        return rest
            .starts_with(" denied the request")
            .then_some(Refusal::AdmissionWebhook { name, unreachable: false });
    }
    if let Some(rest) = message.strip_prefix("Internal error occurred: failed calling webhook ") {
        let (name, _) = quoted(rest)?;
        return Some(Refusal::AdmissionWebhook { name, unreachable: true });
    }
    let (object, because) = forbidden(message)?;
    if let Some((user, needs)) = not_allowed(because, object) {
        return Some(Refusal::Rbac { user, needs });
    }
    if let Some(rest) = because.strip_prefix("violates PodSecurity ") {
        let (level, rest) = quoted(rest)?;
        return Some(Refusal::PodSecurity { level, violations: shown(rest.trim_start_matches([':', ' '])) });
    }
    if let Some(rest) = because.strip_prefix("ValidatingAdmissionPolicy '") {
        let (policy, rest) = rest.split_once("' with binding '")?;
        let (binding, _) = rest.split_once("' denied request")?;
        return Some(Refusal::ValidatingAdmissionPolicy { policy: shown(policy), binding: shown(binding) });
    }
    for beginning in ["exceeded quota: ", "failed quota: "] {
        if let Some(rest) = because.strip_prefix(beginning) {
            let name = rest.split([',', ':']).next().unwrap_or_default();
            return Some(Refusal::Quota { name: shown(name) });
        }
    }
    let escalates = because.starts_with("user ")
        && because.contains("is attempting to grant RBAC permissions not currently held");
    escalates.then_some(Refusal::Escalation)
}

/// Takes `pods "web" is forbidden: because` apart into the object's name and the reason
/// (`k8s.io/apimachinery/pkg/api/errors`, `NewForbidden`).
fn forbidden(message: &str) -> Option<(String, &str)> {
    const IS_FORBIDDEN: &str = "is forbidden: ";
    if let Some(because) = message.strip_prefix("forbidden: ") {
        return Some((String::new(), because));
    }
    let (_, rest) = message.split_once(' ')?;
    if let Some(because) = rest.strip_prefix(IS_FORBIDDEN) {
        return Some((String::new(), because));
    }
    let (name, rest) = quoted(rest)?;
    Some((name, rest.strip_prefix(' ')?.strip_prefix(IS_FORBIDDEN)?))
}

/// Takes `User "u" cannot verb resource "r" in API group "g" in the namespace "n"` apart, or `… cannot verb path "/p"`
/// (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, `forbiddenMessage`).
///
/// Handlers write it for what the first decision does not tell: impersonation, and permissions that they ask for later.
fn not_allowed(because: &str, name: String) -> Option<(String, Permission)> {
    let (user, rest) = quoted(because.strip_prefix("User ")?)?;
    let (verb, rest) = rest.strip_prefix(" cannot ")?.split_once(' ')?;
    let verb = verb.to_owned();
    if let Some(rest) = rest.strip_prefix("path ") {
        let (path, _) = quoted(rest)?;
        return Some((user, Permission::NonResource { path, verb }));
    }
    let (resource, rest) = quoted(rest.strip_prefix("resource ")?)?;
    let (group, rest) = quoted(rest.strip_prefix(" in API group ")?)?;
    let namespace = match rest.strip_prefix(" in the namespace ") {
        Some(rest) => quoted(rest)?.0,
        None => rest.starts_with(" at the cluster scope").then(String::new)?,
    };
    Some((user, Permission::Resource { namespace, group, resource, name, verb }))
}

/// The text in quotes at the beginning, without its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut plain = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((plain, &text[at + 1..])),
            '\\' => plain.push(characters.next()?.1),
            other => plain.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests;

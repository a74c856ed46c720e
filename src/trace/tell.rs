//! An answer as lines: what screens and commands show alike. Each line says how deep it stands, how sure it is, what
//! it says and by what evidence, and which request it is about.

use std::fmt;

use serde::Serialize;

use super::access::request_access;
use super::chain::{Chain, End};
use super::effects::Effect;
use super::finding::{Certainty, Finding, Log};
use super::history::{Change, History, Outcome, Revision};
use super::manifest::ShownChange;
use super::request::Request;
use crate::model::{EventId, short_resource, tool};

/// One line of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Told {
    /// How deep it stands below the headings, from 0.
    pub depth: usize,
    /// A heading, or what kind of statement this is.
    pub label: &'static str,
    /// How sure it is; `None` for headings.
    pub certainty: Option<Certainty>,
    /// In words; from a log, so hostile until made visible.
    pub text: String,
    /// Which field or count says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// The request it is about.
    #[serde(skip)]
    pub event: Option<EventId>,
}

impl Told {
    /// A heading.
    pub fn heading(label: &'static str) -> Told {
        Told { depth: 0, label, certainty: None, text: String::new(), evidence: String::new(), event: None }
    }

    /// Whether it is a heading.
    pub fn is_heading(&self) -> bool {
        self.depth == 0
    }
}

impl fmt::Display for Told {
    /// One line of text: a heading, or certainty, what it is about, the statement and its evidence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(certainty) = self.certainty else { return f.write_str(self.label) };
        let label = if self.depth == 1 { self.label } else { "" };
        let text = self.text.replace(['\n', '\r'], " ");
        write!(f, "{:indent$}{:<8} {label:<10} {text}", "", certainty.name(), indent = 2 * self.depth)?;
        if self.evidence.is_empty() {
            Ok(())
        } else {
            write!(f, "  [{}]", self.evidence.replace(['\n', '\r'], " "))
        }
    }
}

/// `21:59:01.581Z admin delete deployments.apps production/web from 10.0.0.5 with kubectl → 200`
pub fn request_in_words(log: &Log<'_>, request: &Request) -> String {
    let mut out =
        format!("{} {} {}", log.clock(request.time), user_in_words(request), deed_in_words(request));
    if !request.source_ip.is_empty() {
        out += &format!(" from {}", request.source_ip);
    }
    if !request.user_agent.is_empty() {
        out += &format!(" with {}", tool(&request.user_agent));
    }
    match request.code {
        0 => out,
        code => out + &format!(" → {code}"),
    }
}

/// The user of a request, and as whom it acted.
pub fn user_in_words(request: &Request) -> String {
    match (request.user.as_str(), request.impersonated_user.as_str()) {
        ("", _) => "nobody known".to_owned(),
        (user, "") => user.to_owned(),
        (user, acted_as) => format!("{user} acting as {acted_as}"),
    }
}

/// `delete deployments.apps production/web`, with a subresource behind the resource.
pub fn deed_in_words(request: &Request) -> String {
    if request.object.resource.is_empty() {
        return format!("{} {}", request.verb, request.request_uri);
    }
    let object = request.object.to_string();
    let object = match request.subresource.as_str() {
        "" => object,
        subresource => match object.split_once(' ') {
            Some((resource, name)) => format!("{resource}/{subresource} {name}"),
            None => format!("{object}/{subresource}"),
        },
    };
    let dry = if request.is_dry_run() { " (dry run)" } else { "" };
    format!("{} {object}{dry}", request.verb)
}

/// A chain, from the request that was asked about back to its origin, and forwards.
pub fn chain(log: &Log<'_>, chain: &Chain) -> Vec<Told> {
    let request = &chain.request;
    let mut told = vec![Told::heading("request")];
    told.push(Told {
        depth: 1,
        label: "request",
        certainty: Some(Certainty::Certain),
        text: request_in_words(log, request),
        evidence: format!("auditID {}", request.audit_id),
        event: request.id,
    });
    told.push(Told::heading("who"));
    told.extend(chain.who.iter().map(|finding| of_finding(finding, 1)));
    told.extend(request_access(log, request));
    told.push(Told::heading("caused by"));
    for cause in &chain.causes {
        told.push(Told {
            depth: 1,
            label: "cause",
            certainty: Some(cause.certainty),
            text: format!("{}: {}", request_in_words(log, &cause.request), cause.because),
            evidence: match cause.request.audit_id.as_str() {
                "" => cause.evidence.clone(),
                audit_id => format!("{}; auditID {audit_id}", cause.evidence),
            },
            event: cause.request.id,
        });
    }
    told.push(match &chain.end {
        End::Origin(why) => end("origin", Certainty::Certain, why),
        End::Hole(why) => end("hole", Certainty::Unknown, why),
    });
    if let Some(git) = chain.git()
        && !(git.repository.is_empty() && git.commit.is_empty())
    {
        told.push(end("commit", Certainty::Certain, &git.to_string()));
    }
    for clock in &chain.clocks {
        let text = format!("{clock}, by {} requests that stand in both", clock.pairs);
        told.push(end("clock", Certainty::Likely, &text));
    }
    if !chain.origin.is_empty() {
        told.push(Told::heading("who began it"));
        told.extend(chain.origin.iter().map(|finding| of_finding(finding, 1)));
    }
    told.push(Told::heading("set off"));
    if chain.effects.is_empty() {
        told.push(end("nothing", Certainty::Unknown, "nothing in this log is known to follow from it"));
    }
    for effect in &chain.effects {
        of_effect(effect, 1, &mut told);
    }
    if chain.cut {
        told.push(end("more", Certainty::Unknown, "more followed than is shown here"));
    }
    told
}

fn end(label: &'static str, certainty: Certainty, text: &str) -> Told {
    Told {
        depth: 1,
        label,
        certainty: Some(certainty),
        text: text.to_owned(),
        evidence: String::new(),
        event: None,
    }
}

fn of_finding(finding: &Finding, depth: usize) -> Told {
    Told {
        depth,
        label: finding.topic.name(),
        certainty: Some(finding.certainty),
        text: finding.text.clone(),
        evidence: finding.evidence.clone(),
        event: finding.event,
    }
}

fn of_effect(effect: &Effect, depth: usize, told: &mut Vec<Told>) {
    told.push(Told {
        depth,
        label: "effect",
        certainty: Some(effect.certainty),
        text: effect.text(),
        evidence: effect.evidence.clone(),
        event: effect.requests.first().copied(),
    });
    for nested in &effect.effects {
        of_effect(nested, depth + 1, told);
    }
}

/// `patch`, with the subresource behind it and whether it was only tried.
pub fn verb_in_words(request: &Request) -> String {
    let subresource =
        if request.subresource.is_empty() { String::new() } else { format!("/{}", request.subresource) };
    let dry = if request.is_dry_run() { " dry run" } else { "" };
    format!("{}{subresource}{dry}", request.verb)
}

/// `deployments.apps production/web: 14 writes, 2 of them without a body`
pub fn history_title(history: &History) -> String {
    let count = history.revisions.len();
    let mut out = format!("{}: {count} write{}", history.key, if count == 1 { "" } else { "s" });
    let lives = {
        let mut uids: Vec<&str> =
            history.revisions.iter().map(|r| r.uid.as_str()).filter(|u| !u.is_empty()).collect();
        uids.dedup();
        uids.len()
    };
    if lives > 1 {
        out += &format!(", {lives} objects of this name one after another");
    }
    match history.holes() {
        0 => {}
        holes => out += &format!(", {holes} whose outcome cannot be known"),
    }
    if history.reports > 0 {
        out += &format!("; {} that only report (status) left out", history.reports);
    }
    if history.left_out > 0 {
        out += &format!("; {} older ones left out", history.left_out);
    }
    out
}

/// What a write changed, in a few words.
pub fn revision_shortly(revision: &Revision) -> String {
    let said = change_shortly(revision);
    match &revision.of {
        Some(key) => format!("{} {}: {said}", short_resource(&key.resource), key.name),
        None => said,
    }
}

fn change_shortly(revision: &Revision) -> String {
    if !revision.request.succeeded() {
        return format!("nothing: answered {}", revision.request.code);
    }
    if revision.is_dry_run() {
        return "nothing: only tried".to_owned();
    }
    let folded = match revision.folded {
        0 => String::new(),
        folded => format!(" ({folded} of the server's own)"),
    };
    match &revision.change {
        Change::Fields(changes) => match changes.as_slice() {
            [change] => change_in_words(change, false),
            changes => format!("{} fields{folded}", changes.len()),
        },
        Change::Created => match &revision.outcome {
            Outcome::Unknown(why) => format!("created; with what cannot be known: {why}"),
            _ => "created".to_owned(),
        },
        Change::Deleted => "deleted".to_owned(),
        Change::Nothing => format!("nothing{folded}"),
        Change::FirstKnown => "the first state that is known".to_owned(),
        Change::Unknown(why) => format!("cannot be known: {why}"),
    }
}

/// `spec.replicas: 2 → 4`; values are cut where `whole` is not asked for.
pub fn change_in_words(change: &ShownChange, whole: bool) -> String {
    let said = |value: &str| {
        let most = if whole { 2000 } else { 40 };
        match value.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        }
    };
    let path = if whole { change.path.as_str() } else { path_end(&change.path) };
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if change.is_masked && before == after => {
            format!("{path}: changed (masked)")
        }
        (Some(before), Some(after)) => format!("{path}: {} → {}", said(before), said(after)),
        (None, Some(after)) => format!("{path}: + {}", said(after)),
        (Some(before), None) => format!("{path}: - {}", said(before)),
        (None, None) => path.to_owned(),
    }
}

/// The end of a path that tells it apart: `containers[web].image` of the whole way there.
fn path_end(path: &str) -> &str {
    const ENOUGH: usize = 24;
    if path.len() <= ENOUGH {
        return path;
    }
    let starts = path.match_indices('.').map(|(at, _)| at + 1);
    let inside_quotes = |at: usize| path[..at].matches('"').count() % 2 == 1;
    let fits = starts.filter(|at| !inside_quotes(*at)).find(|at| path.len() - at <= ENOUGH);
    fits.and_then(|at| path.get(at..)).unwrap_or(path)
}

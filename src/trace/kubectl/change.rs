//! Requests that change an object: replacements, patches, and server-side apply.

use serde_json::Value;

use super::patch::{self, Change, Merging};
use super::{Asked, BODY_NOT_LOGGED, Body, KubectlLine, create};
use crate::model::named_field_manager;
use crate::trace::patch::{PatchKind, kind_of};

const NO_MORE_THAN_THE_AIM: &str = "it replaced the whole object";

/// `update`: `kubectl replace`, or the short command for what it changed.
pub(super) fn replace(asked: &Asked<'_>) -> KubectlLine {
    let request = asked.request;
    match request.subresource.as_str() {
        _ if request.object.resource.is_empty() => asked.raw("replace").reading(asked.body()),
        "scale" => scale(asked),
        "approval" => approve(asked),
        "status" => asked.write(["replace", "--subresource=status"]).reading(asked.body()),
        "" => changed(asked).unwrap_or_else(|| asked.write(["replace"]).reading(asked.body())),
        _ => asked.raw("replace").reading(asked.body()),
    }
}

/// The short command for what a replacement changed, where the state before is known.
fn changed(asked: &Asked<'_>) -> Option<KubectlLine> {
    // Compared as they are: masked values that differ look the same.
    let (before, after) = (asked.before?, asked.request.request_object()?);
    let patch = asked.shown(patch::between(before, after));
    Some(in_short(asked, patch::change(&patch, &asked.request.object.resource)?)?.but(NO_MORE_THAN_THE_AIM))
}

/// `kubectl scale`, whether the replicas were replaced or patched.
fn scale(asked: &Asked<'_>) -> KubectlLine {
    match asked.body().and_then(|body| body.pointer("/spec/replicas")).and_then(Value::as_u64) {
        Some(replicas) => {
            asked.write(["scale".to_owned(), asked.reference(), format!("--replicas={replicas}")])
        }
        None => asked
            .write(["scale".to_owned(), asked.reference(), "--replicas=N".to_owned()])
            .but(BODY_NOT_LOGGED),
    }
}

/// `kubectl certificate approve` and `deny`.
fn approve(asked: &Asked<'_>) -> KubectlLine {
    let conditions =
        asked.body().and_then(|body| body.pointer("/status/conditions")).and_then(Value::as_array);
    let decision = conditions.into_iter().flatten().rev().find_map(|condition| {
        match condition.get("type").and_then(Value::as_str) {
            Some("Approved") => Some("approve"),
            Some("Denied") => Some("deny"),
            _ => None,
        }
    });
    let name = asked.reference();
    match (decision, &asked.body) {
        (Some(decision), _) => asked.line(["certificate".to_owned(), decision.to_owned(), name]),
        (None, Body::Logged(_)) => asked.raw("replace").reading(asked.body()),
        (None, _) => asked
            .line(["certificate".to_owned(), "approve".to_owned(), name])
            .but("its body is not in the log: it may have denied"),
    }
}

/// `patch`. `None` for a subresource that kubectl cannot patch.
pub(super) fn patch(asked: &Asked<'_>) -> Option<KubectlLine> {
    let request = asked.request;
    let subresource = request.subresource.as_str();
    if request.object.resource.is_empty() || !matches!(subresource, "" | "status" | "scale" | "resize") {
        return None;
    }
    let Some(body) = asked.body() else { return Some(unknown_patch(asked)) };
    let kind = kind_of(body, &asked.uri, &request.object.group, request.code);
    if kind == PatchKind::Apply {
        let line = apply(asked).reading(Some(body));
        // No other kind may force, or create what it patches.
        let is_sure = asked.parameter("force").is_some() || request.code == 201;
        return Some(if is_sure { line } else { line.but("that it was an apply is told by its body alone") });
    }
    let line = match subresource {
        "scale" if patch::change(body, "").is_some_and(|change| matches!(change, Change::Scale(_))) => {
            return Some(scale(asked));
        }
        "" => create::applied(asked).or_else(|| short_patch(asked, body)),
        _ => None,
    };
    Some(line.unwrap_or_else(|| long_patch(asked, body, kind)))
}

fn short_patch(asked: &Asked<'_>, body: &Value) -> Option<KubectlLine> {
    let change = patch::change(body, &asked.request.object.resource)?;
    let is_of_containers = matches!(change, Change::Images(_) | Change::Environment(..));
    if is_of_containers && patch::merging(body) != Merging::Directed {
        // As a merge patch it would have thrown all else of the containers away.
        return None;
    }
    let is_scale = matches!(change, Change::Scale(_));
    let line = in_short(asked, change)?;
    Some(if is_scale { line.but("it patched the object and not its scale") } else { line })
}

fn in_short(asked: &Asked<'_>, change: Change) -> Option<KubectlLine> {
    let reference = asked.reference();
    let words = |words: &[&str]| asked.write(words.iter().copied().chain([reference.as_str()]));
    let with = |mut line: KubectlLine, more: Vec<String>| {
        line.words.extend(more);
        line
    };
    let line = match change {
        Change::Scale(replicas) => with(words(&["scale"]), vec![format!("--replicas={replicas}")]),
        Change::Cordon(true) => words(&["cordon"]),
        Change::Cordon(false) => words(&["uncordon"]),
        // `kubectl rollout` cannot be tried only.
        Change::Pause(_) | Change::Restart if asked.request.is_dry_run() => return None,
        Change::Pause(true) => words(&["rollout", "pause"]),
        Change::Pause(false) => words(&["rollout", "resume"]),
        Change::Restart => words(&["rollout", "restart"]),
        Change::Label(pairs) => with(words(&["label", "--overwrite"]), pairs),
        Change::Annotate(pairs) => with(words(&["annotate", "--overwrite"]), pairs),
        Change::Taints(taints) => return taint(asked, taints),
        Change::Images(pairs) => with(words(&["set", "image"]), pairs),
        Change::Environment(container, pairs) => {
            let mut line = words(&["set", "env"]);
            line.words.extend(container.map(|name| format!("--containers={name}")));
            with(line, pairs)
        }
    };
    Some(line)
}

/// `kubectl taint`: what came and went where the taints before are known, all of them otherwise.
fn taint(asked: &Asked<'_>, taints: Vec<String>) -> Option<KubectlLine> {
    // The one command that does not take `node/NAME`.
    let name = asked.request.object.name.as_str();
    if name.is_empty() || name.starts_with('-') {
        return None;
    }
    let mut line = asked.write(["taint", "--overwrite", "node", name]);
    let before =
        asked.before.map(|node| node.pointer("/spec/taints").and_then(patch::all_taints).unwrap_or_default());
    let Some(before) = before else {
        if taints.is_empty() {
            return None;
        }
        line.words.extend(taints);
        return Some(line.but("taints that the node had besides these went away"));
    };
    // `KEY:EFFECT-` takes one away; with another value of the same key and effect it is only changed.
    let key_and_effect = |taint: &str| {
        let (pair, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
        format!("{}:{effect}", pair.split('=').next().unwrap_or(pair))
    };
    let gone = before.iter().map(|taint| key_and_effect(taint));
    let gone = gone.filter(|gone| !taints.iter().any(|taint| key_and_effect(taint) == *gone));
    let gone: Vec<String> = gone.map(|gone| format!("{gone}-")).collect();
    let without = line.words.len();
    line.words.extend(taints.into_iter().filter(|taint| !before.contains(taint)));
    line.words.extend(gone);
    (line.words.len() > without).then_some(line)
}

fn apply(asked: &Asked<'_>) -> KubectlLine {
    let mut line = asked.write(["apply", "--server-side"]);
    if let Some(manager) = named_field_manager(&asked.uri) {
        line.words.push(format!("--field-manager={manager}"));
    }
    if asked.flag("force") {
        line.words.push("--force-conflicts".to_owned());
    }
    if !asked.request.subresource.is_empty() {
        line.words.push(format!("--subresource={}", asked.request.subresource));
    }
    line
}

fn long_patch(asked: &Asked<'_>, body: &Value, kind: PatchKind) -> KubectlLine {
    let mut line = asked.write(["patch".to_owned(), asked.reference()]);
    if !asked.request.subresource.is_empty() {
        line.words.push(format!("--subresource={}", asked.request.subresource));
    }
    let (called, is_sure) = match (kind, patch::merging(body)) {
        (PatchKind::StrategicMerge, Merging::Alike) => (PatchKind::Merge.name(), true),
        (PatchKind::StrategicMerge, merging) => (kind.name(), merging == Merging::Directed),
        (_, _) => (kind.name(), true),
    };
    line.words.push(format!("--type={called}"));
    if let Some(manager) = named_field_manager(&asked.uri).filter(|manager| manager != "kubectl-patch") {
        line.words.push(format!("--field-manager={manager}"));
    }
    line.words.extend(["-p".to_owned(), body.to_string()]);
    if is_sure {
        line
    } else {
        line.but("the log does not tell a merge patch from a strategic one, and it has a list")
    }
}

/// A patch without its body: the field manager tells the command, as far as kubectl names itself after it.
fn unknown_patch(asked: &Asked<'_>) -> KubectlLine {
    let reference = asked.reference();
    let manager = named_field_manager(&asked.uri);
    let words: &[&str] = match manager.as_deref() {
        _ if asked.request.subresource == "scale" => return scale(asked),
        _ if asked.parameter("force").is_some() => return apply(asked).reading(None),
        _ if !asked.request.subresource.is_empty() => &["patch"],
        Some("kubectl") => return apply(asked).reading(None),
        Some("kubectl-client-side-apply") => return asked.write(["apply"]).reading(None),
        Some("kubectl-label") => &["label"],
        Some("kubectl-annotate") => &["annotate"],
        Some("kubectl-taint") => &["taint", "node"],
        Some("kubectl-edit") => &["edit"],
        Some("kubectl-rollout") => &["rollout", "restart"],
        _ => &["patch"],
    };
    let is_of_node = words.last() == Some(&"node");
    let object = if is_of_node { &asked.request.object.name } else { &reference };
    let mut line = asked.write(words.iter().copied().chain([object.as_str()]));
    let subresource = &asked.request.subresource;
    if !subresource.is_empty() {
        line.words.push(format!("--subresource={subresource}"));
    }
    let unknown: &[&str] = match words {
        ["patch"] => &["-p", "BODY"],
        ["label" | "annotate"] => &["KEY=VALUE"],
        ["taint", _] => &["KEY=VALUE:EFFECT"],
        _ => &[],
    };
    line.words.extend(unknown.iter().map(|word| (*word).to_owned()));
    line = line.but(BODY_NOT_LOGGED);
    match words {
        ["rollout", _] => line.but("its field manager is kubectl rollout, which also pauses and undoes"),
        ["patch"] if manager.as_deref() == Some("kubectl-set") => {
            line.but("its field manager is kubectl set")
        }
        _ => line,
    }
}

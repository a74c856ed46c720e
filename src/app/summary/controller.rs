//! What a line of a controller's log tells, in words: who wanted what, of which commit, where, and what became of it.

use super::Line;
use crate::format::{ControllerDetails, Initiator};
use crate::model::{LogKind, format_duration};
use crate::redact;
use crate::store::{Field, Segment};

/// Objects that are named; the tree has all.
const OBJECTS_SHOWN: usize = 5;

/// Describes a row of a controller's log. Its columns are masked already; the details are masked here, unless revealed.
pub fn summarise(segment: &Segment, row: u32, details: &ControllerDetails, revealed: bool) -> Vec<Line> {
    let shown = |text: String| if revealed { text } else { redact::mask_text(&text).into_owned() };
    [
        ("who", shown(who(segment, row, &details.initiator))),
        ("what", what(segment, row, details)),
        ("commit", shown(commit(details))),
        ("where", shown(place(details))),
        ("object", shown(objects(details))),
        ("from", shown(from(segment, row, &details.initiator))),
        ("result", shown(result(segment, row, details))),
        ("took", took(details)),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(label, text)| Line { label, text })
    .collect()
}

fn who(segment: &Segment, row: u32, initiator: &Initiator) -> String {
    let mut out = match segment.string(Field::User, row) {
        "" => "nobody named".to_owned(),
        user => user.to_owned(),
    };
    let known_as: Vec<&str> = [initiator.display_name.as_str(), initiator.email.as_str()]
        .into_iter()
        .chain(initiator.principals.iter().map(String::as_str))
        .filter(|name| !name.is_empty() && *name != out)
        .collect();
    if !known_as.is_empty() {
        out += &format!(" = {}", known_as.join(", "));
    }
    if initiator.automated == Some(true) {
        out += ", by itself";
    }
    if !initiator.impersonated_user.is_empty() {
        out += &format!(" acting as {}", initiator.impersonated_user);
    }
    out
}

fn what(segment: &Segment, row: u32, details: &ControllerDetails) -> String {
    let get = |field| segment.string(field, row);
    let mut out = match (get(Field::Resource), get(Field::Subresource)) {
        ("", _) => format!("{} {}", get(Field::Verb), get(Field::RequestUri)),
        (resource, "") => format!("{} {resource}", get(Field::Verb)),
        (resource, subresource) => format!("{} {resource}/{subresource}", get(Field::Verb)),
    };
    match (get(Field::Namespace), get(Field::Name)) {
        ("", "") => {}
        ("", name) => out += &format!(" {name}"),
        (namespace, name) => out += &format!(" {namespace}/{name}"),
    }
    if details.dry_run == Some(true) {
        out += " · dry run: nothing was changed";
    }
    match details.auto_sync {
        Some(true) => out += " · with automated sync",
        Some(false) => out += " · without automated sync",
        None => {}
    }
    if let Some(history) = details.history_id {
        out += &format!(" · to entry {history} of its history");
    }
    out
}

fn commit(details: &ControllerDetails) -> String {
    let revision = if details.revision.is_empty() { &details.commit } else { &details.revision };
    match (revision.as_str(), details.repository.as_str()) {
        ("", repository) => repository.to_owned(),
        (revision, "") => revision.to_owned(),
        (revision, repository) => format!("{revision} of {repository}"),
    }
}

fn place(details: &ControllerDetails) -> String {
    let destination = &details.destination;
    let namespace = match destination.namespace.as_str() {
        "" => String::new(),
        namespace => format!("namespace {namespace}"),
    };
    let cluster = match destination.cluster.as_str() {
        "" => String::new(),
        cluster => format!("cluster {cluster}"),
    };
    let parts = [namespace, cluster, destination.server.clone(), details.release.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn objects(details: &ControllerDetails) -> String {
    let named = details.objects.iter().take(OBJECTS_SHOWN).map(|object| {
        let place =
            if object.namespace.is_empty() { String::new() } else { format!("{}/", object.namespace) };
        format!("{} {place}{} {}", object.kind, object.name, object.result)
    });
    let mut out = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = details.objects.len().checked_sub(OBJECTS_SHOWN).filter(|more| *more > 0) {
        out += &format!(" and {more} more");
    }
    out
}

fn from(segment: &Segment, row: u32, initiator: &Initiator) -> String {
    let mut parts = Vec::new();
    match (segment.string(Field::SourceIp, row), initiator.client_addresses.join(", ")) {
        ("", _) => {}
        (peer, claimed) if claimed.is_empty() => parts.push(peer.to_owned()),
        (peer, claimed) => parts.push(format!("{peer} (claims to come from {claimed})")),
    }
    match segment.string(Field::UserAgent, row) {
        "" => {}
        agent => parts.push(format!("calls itself {agent}")),
    }
    parts.join(" · ")
}

fn result(segment: &Segment, row: u32, details: &ControllerDetails) -> String {
    let code = match (segment.facts(row).log(), segment.code(row)) {
        (_, 0) => String::new(),
        (LogKind::Rancher, code) => code.to_string(),
        (_, code) if code < 400 => "succeeded".to_owned(),
        _ => "failed".to_owned(),
    };
    let message = match details.message.as_str() {
        "" => segment.string(Field::Reason, row).to_owned(),
        message => message.to_owned(),
    };
    [code, message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn took(details: &ControllerDetails) -> String {
    match details.started.zip(details.finished) {
        Some((started, finished)) if finished > started => format_duration(finished - started),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format;
    use crate::model::{Event, SourceId};
    use crate::store::SegmentBuilder;

    struct Pushed(SegmentBuilder);
    impl format::Sink for Pushed {
        fn event(&mut self, event: &Event<'_>, text: &[u8], marks: format::Marks) {
            self.0.push(event, text, marks.replaced);
        }
        fn unreadable(&mut self, kind: format::Unreadable, _: &[u8]) {
            panic!("unreadable: {kind}");
        }
    }

    #[test]
    fn a_sync_and_a_request_in_words() {
        let mut pushed = Pushed(SegmentBuilder::new(SourceId(0), 0, true));
        let lines = concat!(
            r#"time="2026-11-20T10:00:00Z" level=info msg="alice initiated sync to HEAD (8a1cb4a)" application=argocd/novelapp dest-namespace=prod reason=OperationStarted type=Normal user=alice"#,
            "\n",
            r#"{"auditID":"a","requestURI":"/k8s/clusters/c-1/api/v1/namespaces/prod/configmaps/x","user":{"name":"u-1","extra":{"username":["alice"],"principalid":["github_user://7"]}},"method":"DELETE","remoteAddr":"10.0.0.1:5","responseCode":403,"requestHeader":{"X-Forwarded-For":["203.0.113.9"]}}"#
        );
        format::Reader::new().read(lines.as_bytes(), &mut pushed);
        let segment = pushed.0.finish(0).segment;
        let line = |row: u32, label: &str| {
            let text = segment.text(row).expect("its text");
            let details = format::details(segment.facts(row).log(), &text).expect("details");
            let lines = summarise(&segment, row, &details, false);
            lines.into_iter().find(|line| line.label == label).map(|line| line.text).unwrap_or_default()
        };
        assert_eq!(line(0, "who"), "alice");
        assert_eq!(line(0, "what"), "sync applications argocd/novelapp");
        assert_eq!(
            (line(0, "commit").as_str(), line(0, "where").as_str()),
            ("HEAD (8a1cb4a)", "namespace prod")
        );
        assert_eq!(line(1, "who"), "u-1 = alice, github_user://7");
        assert_eq!(line(1, "what"), "delete configmaps prod/x");
        assert_eq!(line(1, "from"), "10.0.0.1 (claims to come from 203.0.113.9)");
        assert_eq!((line(1, "where").as_str(), line(1, "result").as_str()), ("cluster c-1", "403"));
    }
}

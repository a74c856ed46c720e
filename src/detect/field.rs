//! The fields that rules name, and where an event holds them: a column, a fact of the row, or its text.
//!
//! Names are the paths of the audit event's own JSON. Beside them stand the aliases under which SigmaHQ's rules and
//! Elastic's are written, and virtual fields that tell what is scattered or encoded in the event.

use std::borrow::Cow;
use std::net::IpAddr;

use super::matcher::{Leaf, address};
use super::path::Path;
use crate::model::{actor_kind, command, tool};
use crate::store::Field;

/// The official aliases (pySigma-backend-elasticsearch, `pipelines/elasticsearch/kubernetes.py`), and the way in which
/// Elastic writes the one annotation whose key its fields cannot hold.
pub(super) const ALIASES: [(&str, &str); 9] = [
    ("apiGroup", "objectRef.apiGroup"),
    ("resource", "objectRef.resource"),
    ("subresource", "objectRef.subresource"),
    ("namespace", "objectRef.namespace"),
    ("username", "user.username"),
    ("capabilities", "requestObject.spec.containers.securityContext.capabilities.add"),
    ("hostPath", "requestObject.spec.volumes.hostPath"),
    ("privileged", "requestObject.spec.containers.securityContext.privileged"),
    ("annotations.authorization_k8s_io/decision", "annotations.authorization.k8s.io/decision"),
];

/// What Elastic's fields of an audit event begin with.
const ELASTIC: &str = "kubernetes.audit.";

/// Fields that a column holds: name, column, and what of it.
const COLUMNS: [(&str, Field, View); 25] = [
    ("verb", Field::Verb, View::Plain),
    ("objectRef.resource", Field::Resource, View::Plain),
    ("objectRef.subresource", Field::Subresource, View::Plain),
    ("objectRef.namespace", Field::Namespace, View::Plain),
    ("objectRef.name", Field::Name, View::Plain),
    ("objectRef.apiGroup", Field::ApiGroup, View::Plain),
    ("objectRef.apiVersion", Field::ApiVersion, View::Plain),
    ("user.username", Field::User, View::Plain),
    ("user.groups", Field::Groups, View::List),
    ("impersonatedUser.username", Field::ImpersonatedUser, View::Plain),
    ("impersonatedUser.groups", Field::ImpersonatedGroups, View::List),
    ("userAgent", Field::UserAgent, View::Plain),
    ("requestURI", Field::RequestUri, View::Plain),
    ("responseStatus.reason", Field::Reason, View::Plain),
    ("annotations.authorization.k8s.io/reason", Field::DecisionReason, View::Plain),
    ("annotations.authentication.kubernetes.io/issued-credential-id", Field::IssuedCredential, View::Plain),
    ("user.extra.authentication.kubernetes.io/credential-id", Field::Credential, View::Plain),
    ("user.extra.authentication.kubernetes.io/pod-name", Field::TokenPod, View::Plain),
    ("user.extra.authentication.kubernetes.io/node-name", Field::TokenNode, View::Plain),
    ("user.kind", Field::User, View::Kind),
    ("impersonatedUser.kind", Field::ImpersonatedUser, View::Kind),
    ("exec.command", Field::RequestUri, View::Command),
    ("tool", Field::UserAgent, View::Tool),
    ("sourceIP", Field::SourceIp, View::Plain),
    ("sourceIP.public", Field::SourceIp, View::IsPublic),
];

/// Fields that a fact of the row holds.
const FACTS: [(&str, Fact); 4] = [
    ("responseStatus.code", Fact::Code),
    ("stage", Fact::Stage),
    ("level", Fact::Level),
    ("annotations.authorization.k8s.io/decision", Fact::Decision),
];

/// What a request's body is called by an API server and by Rancher.
const REQUEST_BODIES: [&str; 2] = ["requestObject", "requestBody"];

/// What the answer's body is called by them.
const RESPONSE_BODIES: [&str; 2] = ["responseObject", "responseBody"];

/// Virtual fields that stand for parts of the bodies.
pub(super) const CONTAINERS: &str = "any_container";
pub(super) const PATCHED: &str = "patched";
pub(super) const REMOVED: &str = "removed";
pub(super) const SECRET_KEYS: &str = "secret.keys";

/// The names of fields that a column or a fact holds.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, ..)| *name).chain(FACTS.iter().map(|(name, _)| *name))
}

/// What of a column's text is the field's value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum View {
    /// The text itself.
    Plain,
    /// Each member of the JSON array that it holds.
    List,
    /// The kind of identity that a username claims, [`crate::model::ActorKind::name`].
    Kind,
    /// The decoded command of a URI.
    Command,
    /// The tool that a user agent names.
    Tool,
    /// Whether an address is one of the internet's.
    IsPublic,
}

impl View {
    /// The values that `text` stands for; none when it says nothing.
    pub(super) fn leaves(self, text: &str) -> Vec<Leaf<'_>> {
        let said = |text: Cow<'_, str>| match text.is_empty() {
            true => Vec::new(),
            false => vec![Leaf::Text(Cow::Owned(text.into_owned()))],
        };
        match self {
            View::Plain if text.is_empty() => Vec::new(),
            View::Plain => vec![Leaf::text(text)],
            View::List => match serde_json::from_str::<Vec<String>>(text) {
                Ok(members) => members.into_iter().map(|member| Leaf::Text(Cow::Owned(member))).collect(),
                Err(_) => Vec::new(),
            },
            View::Kind => vec![Leaf::text(actor_kind(text).name())],
            View::Command => said(Cow::Owned(command(text))),
            View::Tool => said(Cow::Borrowed(tool(text))),
            View::IsPublic => {
                address(text).map(|address| Leaf::Bool(is_public(address))).into_iter().collect()
            }
        }
    }
}

/// A small fact of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Fact {
    Code,
    Stage,
    Level,
    Decision,
}

/// Where a field's values are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    /// In a column; where that is masked, at the path of the event's text.
    Column(Field, View, Path),
    /// In a fact; where that is unknown, at the path of the event's text.
    Fact(Fact, Path),
    /// At a path of the event's text.
    Text(Path),
    /// At a path of any container, init container or ephemeral container of either body.
    Containers(Path),
    /// At a path of what a JSON patch adds or replaces.
    Patched(Path),
    /// The paths of what a patch takes away.
    Removed,
    /// The keys of the Secret in either body.
    SecretKeys,
    /// At a path of the array's member that a same-element block looks at.
    Member(Path),
}

impl Source {
    /// Where the field that a rule calls `name` is held.
    pub(super) fn of(name: &str) -> Source {
        let name = name.strip_prefix(ELASTIC).unwrap_or(name);
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, full)| full);
        if let Some((_, field, view)) = COLUMNS.iter().find(|(known, ..)| *known == name) {
            return Source::Column(*field, *view, Path::parse(path_of(*field)));
        }
        if let Some((_, fact)) = FACTS.iter().find(|(known, _)| *known == name) {
            return Source::Fact(*fact, Path::parse(name));
        }
        if name == REMOVED {
            return Source::Removed;
        }
        if name == SECRET_KEYS {
            return Source::SecretKeys;
        }
        let path = Path::parse(name);
        if let Some(rest) = path.after(CONTAINERS) {
            return Source::Containers(rest);
        }
        match path.after(PATCHED) {
            Some(rest) => Source::Patched(rest),
            None => Source::Text(path),
        }
    }

    /// The field inside a member of an array.
    pub(super) fn of_member(name: Option<&str>) -> Source {
        Source::Member(Path::parse(name.unwrap_or("")))
    }

    /// Where the members of an array are, for a same-element block; `None` for a field that is no part of the event's
    /// JSON.
    pub(super) fn of_array(name: &str) -> Option<Source> {
        match Source::of(name) {
            Source::Column(_, View::Plain | View::List, path) if path.keys() == "sourceIPs" => None,
            Source::Column(_, View::Plain | View::List, path) | Source::Fact(_, path) => {
                Some(Source::Text(path))
            }
            Source::Column(..) | Source::Removed | Source::SecretKeys => None,
            other => Some(other),
        }
    }

    /// Whether no column holds it.
    pub(super) fn is_in_text(&self) -> bool {
        !matches!(self, Source::Column(..) | Source::Fact(..))
    }

    /// Whether the request's or the response's body holds it: a record of level Metadata has neither.
    pub(super) fn is_in_bodies(&self) -> bool {
        match self {
            Source::Containers(_) | Source::Patched(_) | Source::Removed | Source::SecretKeys => true,
            Source::Text(path) => {
                REQUEST_BODIES.iter().chain(&RESPONSE_BODIES).any(|body| path.after(body).is_some())
            }
            Source::Column(..) | Source::Fact(..) | Source::Member(_) => false,
        }
    }
}

impl Source {
    /// Whether the answer's body holds it, which only level RequestResponse keeps.
    pub(super) fn is_in_response(&self) -> bool {
        matches!(self, Source::Text(path) if RESPONSE_BODIES.iter().any(|body| path.after(body).is_some()))
    }

    /// What the text of an event must hold for the field to be there, the rarest first.
    pub(super) fn needles(&self) -> Vec<String> {
        match self {
            Source::Text(path) => path.needles(),
            Source::Containers(path) => path.needles_of_patch(),
            Source::Patched(path) => {
                let mut needles = path.needles_of_patch();
                needles.push("\"op\"".to_owned());
                needles
            }
            Source::Column(..)
            | Source::Fact(..)
            | Source::Removed
            | Source::SecretKeys
            | Source::Member(_) => Vec::new(),
        }
    }

    /// Whether its values may be secret whatever they look like: what a Secret or ConfigMap holds, and the values of
    /// variables and patches.
    pub(super) fn may_be_secret(&self) -> bool {
        let (Source::Text(path) | Source::Containers(path) | Source::Patched(path) | Source::Member(path)) =
            self
        else {
            return false;
        };
        path.keys().split('.').any(|key| matches!(key, "data" | "stringData" | "value" | "binaryData"))
    }
}

/// The column's place in the event's JSON. The trustworthy address is only the last member there.
fn path_of(field: Field) -> &'static str {
    match field {
        Field::SourceIp => "sourceIPs",
        _ => COLUMNS
            .iter()
            .find(|(_, known, view)| *known == field && matches!(view, View::Plain | View::List))
            .map_or("", |(name, ..)| name),
    }
}

/// Whether an address is reached over the internet: neither private, local, shared (RFC 6598), nor unspecified.
/// Addresses set aside for documentation count as public, as they do in the examples that use them.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared)
                && !(v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast() || first == 0)
        }
        IpAddr::V6(v6) => {
            let private = v6.is_unique_local() || v6.is_unicast_link_local();
            !(private || v6.is_loopback() || v6.is_unspecified() || v6.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_prefixes_lead_to_the_event() {
        for (name, same) in [
            ("username", "user.username"),
            ("kubernetes.audit.objectRef.resource", "resource"),
            (
                "kubernetes.audit.annotations.authorization_k8s_io/decision",
                "annotations.authorization.k8s.io/decision",
            ),
            ("hostPath", "requestObject.spec.volumes.hostPath"),
        ] {
            assert_eq!(Source::of(name), Source::of(same));
        }
        assert!(matches!(Source::of("user.username"), Source::Column(Field::User, View::Plain, _)));
        assert!(matches!(Source::of("user.extra.x"), Source::Text(_)));
        assert_eq!(Source::of("any_container.image"), Source::Containers(Path::parse("image")));
        assert_eq!(Source::of("any_containers"), Source::Text(Path::parse("any_containers")));
        assert_eq!(Source::of("patched.spec.hostPID"), Source::Patched(Path::parse("spec.hostPID")));
        assert!(Source::of("hostPath").is_in_bodies() && Source::of("secret.keys").is_in_bodies());
        assert!(!Source::of("requestObjects").is_in_bodies() && !Source::of("sourceIPs").is_in_bodies());
        assert_eq!(Source::of_array("user.groups"), Some(Source::Text(Path::parse("user.groups"))));
        assert_eq!(Source::of_array("exec.command"), None);
    }

    #[test]
    fn every_column_has_a_place_in_the_event() {
        for (name, field, view) in COLUMNS {
            assert!(!path_of(field).is_empty(), "{name}");
            if matches!(view, View::Plain | View::List) && field != Field::SourceIp {
                assert_eq!(path_of(field), name);
            }
        }
    }

    #[test]
    fn views_tell_what_a_text_stands_for() {
        let texts = |view: View, text: &str| -> Vec<String> {
            view.leaves(text).iter().filter_map(|leaf| leaf.written().map(Cow::into_owned)).collect()
        };
        assert_eq!(texts(View::List, r#"["a","b c"]"#), ["a", "b c"]);
        assert!(texts(View::List, "").is_empty() && texts(View::Command, "/api/v1/pods").is_empty());
        assert_eq!(texts(View::Command, "/x/exec?command=cat&command=%2Fetc%2Fshadow"), ["cat /etc/shadow"]);
        assert_eq!(texts(View::Tool, "Helm/3.16"), ["helm"]);
        assert_eq!(texts(View::Kind, ""), ["anonymous"]);
        for (address, public) in [
            ("203.0.113.9", true),
            ("10.0.0.1", false),
            ("100.64.1.1", false),
            ("169.254.169.254", false),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2a01:4f8::1", true),
            ("::ffff:192.168.0.1", false),
            ("::ffff:8.8.8.8", true),
        ] {
            assert_eq!(View::IsPublic.leaves(address), [Leaf::Bool(public)], "{address}");
        }
        assert!(View::IsPublic.leaves("").is_empty() && View::IsPublic.leaves("@").is_empty());
    }
}

//! What a request was about, in the words that an alert is told with.

use crate::model::tool;
use crate::store::{Field, Segment, hash_bytes};

/// The longest text that is kept of an event: what a client sends as its URI may have a million characters.
const MOST_BYTES: usize = 1024;

/// A text as it is kept when its event is gone: of one that is very long the beginning, and a hash that tells it from
/// others that begin so.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > MOST_BYTES {
        let hash = hash_bytes(text.as_bytes());
        let end = (0..=MOST_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += &format!("…{hash:016x}");
        text.shrink_to_fit();
    }
    text
}

/// The columns of one request that an alert keeps, so that it can be told after its event was dropped for memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subject {
    /// `user.username`
    pub user: String,
    /// `impersonatedUser.username`, empty without one.
    pub impersonated_user: String,
    /// The verb.
    pub verb: String,
    /// `objectRef.resource`
    pub resource: String,
    /// `objectRef.subresource`
    pub subresource: String,
    /// `objectRef.namespace`
    pub namespace: String,
    /// `objectRef.name`
    pub name: String,
    /// Source address.
    pub source_ip: String,
    /// The user agent.
    pub user_agent: String,
    /// `requestURI`
    pub request_uri: String,
    /// `responseStatus.code`, 0 where there is none.
    pub code: u16,
}

impl Subject {
    /// What a row is about.
    pub fn of(segment: &Segment, row: u32) -> Subject {
        let text = |field| shortened(segment.string(field, row).to_owned());
        Subject {
            user: text(Field::User),
            impersonated_user: text(Field::ImpersonatedUser),
            verb: text(Field::Verb),
            resource: text(Field::Resource),
            subresource: text(Field::Subresource),
            namespace: text(Field::Namespace),
            name: text(Field::Name),
            source_ip: text(Field::SourceIp),
            user_agent: text(Field::UserAgent),
            request_uri: text(Field::RequestUri),
            code: segment.code(row),
        }
    }

    /// As much as the values tell that a correlation groups by.
    pub(super) fn of_group(group: &[(String, String)]) -> Subject {
        let value = |name: &str| {
            let found = group.iter().find(|(field, _)| field == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        Subject {
            user: value("user.username"),
            source_ip: value("sourceIP"),
            user_agent: value("userAgent"),
            namespace: value("objectRef.namespace"),
            resource: value("objectRef.resource"),
            name: value("objectRef.name"),
            ..Subject::default()
        }
    }

    /// Bytes held on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let Subject { user, impersonated_user, verb, resource, subresource, namespace, .. } = self;
        let Subject { name, source_ip, user_agent, request_uri, .. } = self;
        let who = [user, impersonated_user, source_ip, user_agent];
        let what = [verb, resource, subresource, namespace, name, request_uri];
        who.into_iter().chain(what).map(String::capacity).sum()
    }

    /// `pods/exec prod/web-1`; the path where no object is named.
    pub fn object(&self) -> String {
        if self.resource.is_empty() {
            return self.request_uri.split('?').next().unwrap_or_default().to_owned();
        }
        let kind = match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        };
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => kind,
            ("", name) => format!("{kind} {name}"),
            (namespace, "") => format!("{kind} in {namespace}"),
            (namespace, name) => format!("{kind} {namespace}/{name}"),
        }
    }

    /// `alice create pods prod/web from 203.0.113.9 (kubectl)`
    pub fn sentence(&self) -> String {
        let mut said = self.user.clone();
        if !self.impersonated_user.is_empty() {
            said += &format!(" as {}", self.impersonated_user);
        }
        if !self.verb.is_empty() {
            said += &format!(" {} {}", self.verb, self.object());
        }
        if !self.source_ip.is_empty() {
            said += &format!(" from {}", self.source_ip);
        }
        if !self.user_agent.is_empty() {
            said += &format!(" ({})", tool(&self.user_agent));
        }
        if self.code >= 400 {
            said += &format!(": {}", self.code);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_in_one_line() {
        let subject = Subject {
            user: "alice".into(),
            verb: "create".into(),
            resource: "pods".into(),
            subresource: "exec".into(),
            namespace: "prod".into(),
            name: "web".into(),
            source_ip: "203.0.113.9".into(),
            user_agent: "kubectl/v1.32.4 (linux/amd64) kubernetes/1".into(),
            code: 403,
            ..Subject::default()
        };
        assert_eq!(subject.sentence(), "alice create pods/exec prod/web from 203.0.113.9 (kubectl): 403");
        let elsewhere = Subject {
            user: "system:anonymous".into(),
            verb: "get".into(),
            request_uri: "/api?timeout=3s".into(),
            ..Subject::default()
        };
        assert_eq!(elsewhere.sentence(), "system:anonymous get /api");
    }
}

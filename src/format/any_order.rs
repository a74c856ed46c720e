//! The general reader: an audit event with its keys in any order and its values of any type, by serde_json.
//!
//! [`super::kube`] reads what a kube-apiserver of today writes; this reads the rest: older versions of the API, other
//! servers, files that passed through another program. A value of another type than the API has is taken as absent,
//! of a repeated key the last one counts, and bodies are stepped over however deep they are (FORMATS.md 6).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{NoEvent, kube};
use crate::model::{
    Decision, Event, HELD_ANNOTATIONS, Level, LogKind, Micros, ObjectRef, Stage, parse_rfc3339,
};

/// Reads `text`, one JSON value. Fails on broken JSON, on strings of the event's own that are not UTF-8 and on halves
/// of surrogate pairs in them: [`NoEvent::Broken`].
pub(super) fn read(text: &[u8]) -> Result<Event<'_>, NoEvent> {
    let Lenient(top) = serde_json::from_slice::<Lenient<Top<'_>>>(text).map_err(|_| NoEvent::Broken)?;
    top.event()
}

/// A value that takes what it understands of any JSON value and ignores the rest.
trait Shape<'de>: Default {
    /// The value is a string.
    fn text(&mut self, _text: Cow<'de, str>) {}

    /// The value is a whole number.
    fn number(&mut self, _number: u64) {}

    /// The value is an object.
    fn object(&mut self) {}

    /// The value is an array.
    fn array(&mut self) {}

    /// A member of the object: takes exactly one value.
    fn member<A: MapAccess<'de>>(&mut self, _key: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }

    /// The next element of the array; false behind the last one.
    fn element<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        Ok(seq.next_element::<IgnoredAny>()?.is_some())
    }
}

/// A [`Shape`] as serde sees it.
struct Lenient<T>(T);

impl<'de, T: Shape<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<T> AnyValue<T> {
    fn filled<'de, E>(fill: impl FnOnce(&mut T)) -> Result<Lenient<T>, E>
    where
        T: Shape<'de>,
    {
        let mut shape = T::default();
        fill(&mut shape);
        Ok(Lenient(shape))
    }
}

impl<'de, T: Shape<'de>> Visitor<'de> for AnyValue<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Self::filled(|_| {})
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Self::filled(|_| {})
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Self::filled(|_| {})
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Self::filled(|_| {})
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Self::filled(|shape: &mut T| shape.number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Self::filled(|shape: &mut T| shape.text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Self::filled(|shape: &mut T| shape.text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut shape = T::default();
        shape.array();
        while shape.element(&mut seq)? {}
        Ok(Lenient(shape))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut shape = T::default();
        shape.object();
        while let Some(Lenient(Text(key))) = map.next_key::<Lenient<Text<'de>>>()? {
            shape.member(key.as_deref().unwrap_or_default(), &mut map)?;
        }
        Ok(Lenient(shape))
    }
}

/// Reads the next value of `map` into `field`, in place of what an earlier member of the same name left there.
fn take<'de, T: Shape<'de>, A: MapAccess<'de>>(field: &mut T, map: &mut A) -> Result<(), A::Error> {
    *field = map.next_value::<Lenient<T>>()?.0;
    Ok(())
}

/// A string; `None` for anything else.
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de> Shape<'de> for Text<'de> {
    fn text(&mut self, text: Cow<'de, str>) {
        self.0 = Some(text);
    }
}

impl<'a> Text<'a> {
    fn or_empty(self) -> Cow<'a, str> {
        self.0.unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default().as_bytes()
    }

    fn moment(&self) -> Option<Micros> {
        parse_rfc3339(self.bytes())
    }

    fn is_filled(&self) -> bool {
        !self.bytes().is_empty()
    }
}

/// An HTTP status, as a number or as its digits.
#[derive(Default)]
struct Code(u16);

impl<'de> Shape<'de> for Code {
    fn number(&mut self, number: u64) {
        self.0 = u16::try_from(number).unwrap_or_default();
    }

    fn text(&mut self, text: Cow<'de, str>) {
        self.0 = text.parse().unwrap_or_default();
    }
}

/// `user` and `impersonatedUser`.
#[derive(Default)]
struct User<'a> {
    is_object: bool,
    username: Text<'a>,
    groups: Groups,
    extra: Extra<'a>,
}

impl<'de> Shape<'de> for User<'de> {
    fn object(&mut self) {
        self.is_object = true;
    }

    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "username" => take(&mut self.username, map),
            "groups" => take(&mut self.groups, map),
            "extra" => take(&mut self.extra, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// An array of strings; what else is in it is left out.
#[derive(Default)]
struct Groups(Vec<String>);

impl<'de> Shape<'de> for Groups {
    fn element<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let Some(Lenient(Text(element))) = seq.next_element::<Lenient<Text<'de>>>()? else {
            return Ok(false);
        };
        self.0.extend(element.map(Cow::into_owned));
        Ok(true)
    }
}

impl Groups {
    /// As [`Event::groups`] has them.
    fn json(&self) -> Cow<'static, str> {
        // Strings are always JSON.
        if self.0.is_empty() { "".into() } else { serde_json::to_string(&self.0).unwrap_or_default().into() }
    }
}

/// `user.extra`: the three keys that tell a credential.
#[derive(Default)]
struct Extra<'a> {
    credential: First<'a>,
    pod: First<'a>,
    node: First<'a>,
}

impl<'de> Shape<'de> for Extra<'de> {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "authentication.kubernetes.io/credential-id" => take(&mut self.credential, map),
            "authentication.kubernetes.io/pod-name" => take(&mut self.pod, map),
            "authentication.kubernetes.io/node-name" => take(&mut self.node, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// The first element of an array, when it is a string.
#[derive(Default)]
struct First<'a> {
    seen: bool,
    text: Text<'a>,
}

impl<'de> Shape<'de> for First<'de> {
    fn element<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let Some(Lenient(element)) = seq.next_element::<Lenient<Text<'de>>>()? else { return Ok(false) };
        if !self.seen {
            (self.seen, self.text) = (true, element);
        }
        Ok(true)
    }
}

/// The last string of `sourceIPs`; some programs flatten it to a single one.
#[derive(Default)]
struct SourceIps<'a>(Text<'a>);

impl<'de> Shape<'de> for SourceIps<'de> {
    fn text(&mut self, text: Cow<'de, str>) {
        self.0.text(text);
    }

    fn element<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let Some(Lenient(element)) = seq.next_element::<Lenient<Text<'de>>>()? else { return Ok(false) };
        if element.0.is_some() {
            self.0 = element;
        }
        Ok(true)
    }
}

/// `objectRef`
#[derive(Default)]
struct Object<'a> {
    is_object: bool,
    resource: Text<'a>,
    subresource: Text<'a>,
    namespace: Text<'a>,
    name: Text<'a>,
    api_group: Text<'a>,
    api_version: Text<'a>,
}

impl<'de> Shape<'de> for Object<'de> {
    fn object(&mut self) {
        self.is_object = true;
    }

    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let field = match key {
            "resource" => &mut self.resource,
            "subresource" => &mut self.subresource,
            "namespace" => &mut self.namespace,
            "name" => &mut self.name,
            "apiGroup" => &mut self.api_group,
            "apiVersion" => &mut self.api_version,
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        take(field, map)
    }
}

impl<'a> Object<'a> {
    fn object_ref(self) -> ObjectRef<'a> {
        let (mut api_group, mut api_version) = (self.api_group.or_empty(), self.api_version.or_empty());
        // v1alpha1 has no apiGroup: its apiVersion is `group/version`.
        if api_group.is_empty()
            && let Some((group, version)) = split(&api_version)
        {
            (api_group, api_version) = (group, version);
        }
        ObjectRef {
            resource: self.resource.or_empty(),
            subresource: self.subresource.or_empty(),
            namespace: self.namespace.or_empty(),
            name: self.name.or_empty(),
            api_group,
            api_version,
        }
    }
}

/// `group/version` in its two parts.
fn split<'a>(joined: &Cow<'a, str>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    Some(match joined {
        Cow::Borrowed(text) => {
            let (group, version) = text.split_once('/')?;
            (group.into(), version.into())
        }
        Cow::Owned(text) => {
            let (group, version) = text.split_once('/')?;
            (group.to_owned().into(), version.to_owned().into())
        }
    })
}

/// `responseStatus`
#[derive(Default)]
struct Status<'a> {
    /// It is a string instead: the code alone.
    is_text: bool,
    code: Code,
    reason: Text<'a>,
}

impl<'de> Shape<'de> for Status<'de> {
    fn text(&mut self, _text: Cow<'de, str>) {
        self.is_text = true;
    }

    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "code" => take(&mut self.code, map),
            "reason" => take(&mut self.reason, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// The annotations that have columns.
#[derive(Default)]
struct Annotations<'a> {
    decision: Text<'a>,
    reason: Text<'a>,
    issued_credential: Text<'a>,
    logged_in: Text<'a>,
    login_decision: Text<'a>,
    removed_release: Text<'a>,
    deprecated: Text<'a>,
    /// Of all that no field of the event holds as they are.
    keys: Vec<String>,
}

impl<'de> Shape<'de> for Annotations<'de> {
    // No annotations of the API's, but rules find them here as well: an array stands for its members.
    fn element<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let Some(Lenient(within)) = seq.next_element::<Lenient<Annotations<'de>>>()? else {
            return Ok(false);
        };
        self.keys.extend(within.keys);
        Ok(true)
    }

    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if !HELD_ANNOTATIONS.contains(&key) {
            self.keys.push(key.to_owned());
        }
        match key {
            "authorization.k8s.io/decision" => take(&mut self.decision, map),
            "authorization.k8s.io/reason" => take(&mut self.reason, map),
            "authentication.kubernetes.io/issued-credential-id" => take(&mut self.issued_credential, map),
            key if key.as_bytes() == kube::LOGIN_NAME => take(&mut self.logged_in, map),
            key if key.as_bytes() == kube::LOGIN_DECISION => take(&mut self.login_decision, map),
            "k8s.io/removed-release" => take(&mut self.removed_release, map),
            "k8s.io/deprecated" => take(&mut self.deprecated, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// `metadata` of the versions before v1.
#[derive(Default)]
struct Metadata<'a> {
    creation: Text<'a>,
}

impl<'de> Shape<'de> for Metadata<'de> {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "creationTimestamp" => take(&mut self.creation, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// Whether a value is an array.
#[derive(Default)]
struct IsArray(bool);

impl<'de> Shape<'de> for IsArray {
    fn array(&mut self) {
        self.0 = true;
    }
}

/// The whole value.
#[derive(Default)]
struct Top<'a> {
    kind: Text<'a>,
    api_version: Text<'a>,
    items: IsArray,
    level: Text<'a>,
    audit_id: Text<'a>,
    stage: Text<'a>,
    request_uri: Text<'a>,
    verb: Text<'a>,
    user: User<'a>,
    impersonated_user: User<'a>,
    source_ips: SourceIps<'a>,
    user_agent: Text<'a>,
    object: Object<'a>,
    status: Status<'a>,
    received: Text<'a>,
    stage_time: Text<'a>,
    timestamp: Text<'a>,
    metadata: Metadata<'a>,
    annotations: Annotations<'a>,
}

impl<'de> Shape<'de> for Top<'de> {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let field = match key {
            "kind" => &mut self.kind,
            "apiVersion" => &mut self.api_version,
            "level" => &mut self.level,
            "auditID" => &mut self.audit_id,
            "stage" => &mut self.stage,
            "requestURI" => &mut self.request_uri,
            "verb" => &mut self.verb,
            "userAgent" => &mut self.user_agent,
            "requestReceivedTimestamp" => &mut self.received,
            "stageTimestamp" => &mut self.stage_time,
            "timestamp" => &mut self.timestamp,
            "user" => return take(&mut self.user, map),
            "impersonatedUser" => return take(&mut self.impersonated_user, map),
            "sourceIPs" => return take(&mut self.source_ips, map),
            "objectRef" => return take(&mut self.object, map),
            "responseStatus" => return take(&mut self.status, map),
            "annotations" => return take(&mut self.annotations, map),
            "metadata" => return take(&mut self.metadata, map),
            "items" => return take(&mut self.items, map),
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        take(field, map)
    }
}

impl<'a> Top<'a> {
    fn event(self) -> Result<Event<'a>, NoEvent> {
        if self.kind.bytes() == b"EventList" && self.items.0 {
            return Err(NoEvent::List);
        }
        if !self.is_event() {
            return Err(NoEvent::Other);
        }
        let creation = self.metadata.creation.moment();
        let timestamp = self.timestamp.moment();
        let is_let_in = self.annotations.login_decision.bytes() == b"allow";
        let logged_in = self.annotations.logged_in;
        let mut event = Event {
            log: LogKind::Kube,
            level: Level::parse(self.level.bytes()),
            stage: Stage::parse(self.stage.bytes()),
            received: self.received.moment().or(timestamp).or(creation),
            stage_time: self.stage_time.moment().or(creation).or(timestamp),
            decision: Decision::parse(self.annotations.decision.bytes()),
            decision_reason: self.annotations.reason.or_empty(),
            issued_credential: self.annotations.issued_credential.or_empty(),
            deprecated: if self.annotations.removed_release.is_filled() {
                self.annotations.removed_release.or_empty()
            } else {
                self.annotations.deprecated.or_empty()
            },
            annotation_keys: kube::annotation_keys(self.annotations.keys),
            groups: self.user.groups.json(),
            credential: self.user.extra.credential.text.or_empty(),
            token_pod: self.user.extra.pod.text.or_empty(),
            token_node: self.user.extra.node.text.or_empty(),
            impersonated_groups: self.impersonated_user.groups.json(),
            audit_id: self.audit_id.or_empty(),
            request_uri: self.request_uri.or_empty(),
            verb: self.verb.or_empty(),
            user: self.user.username.or_empty(),
            impersonated_user: self.impersonated_user.username.or_empty(),
            source_ip: self.source_ips.0.or_empty(),
            user_agent: self.user_agent.or_empty(),
            object: self.object.object_ref(),
            code: self.status.code.0,
            reason: self.status.reason.or_empty(),
        };
        if is_let_in {
            kube::log_in(&mut event, logged_in.or_empty());
        }
        Ok(event)
    }

    /// Enough of an audit event to be one, whoever wrote it (FORMATS.md 2).
    fn is_event(&self) -> bool {
        let identified = self.audit_id.is_filled() && self.stage.is_filled();
        let has_verb = self.verb.0.is_some();
        let told = has_verb && self.user.is_object && (self.object.is_object || self.request_uri.is_filled());
        let named = self.kind.bytes() == b"Event" && self.api_version.bytes().starts_with(b"audit.k8s.io/");
        (identified || told || (named && has_verb)) && !self.is_of_rancher()
    }

    /// The first versions of Rancher's audit log have stages too, but HTTP methods for verbs, and codes for statuses.
    fn is_of_rancher(&self) -> bool {
        let verb = self.verb.bytes();
        let has_method = !verb.is_empty() && verb.iter().all(u8::is_ascii_uppercase);
        (has_method || self.status.is_text) && !self.kind.is_filled() && !self.user.username.is_filled()
    }
}

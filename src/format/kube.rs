//! The fast path: reads a line that has its keys exactly where a kube-apiserver of `audit.k8s.io/v1` puts them.
//!
//! The order is that of the struct in `k8s.io/apiserver/pkg/apis/audit/v1/types.go`. Request and response bodies are
//! never looked into: the scanner goes from the head of the line to its tail, which is found from the end. At the
//! first surprise it gives up, and [`super::any_order`] reads the line; both give the same [`Event`].

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};

use super::cursor::Cursor;
use crate::model::{Decision, Event, HELD_ANNOTATIONS, Level, Micros, ObjectRef, Stage, parse_rfc3339};

/// How every line of a log of `audit.k8s.io/v1` begins.
const HEAD: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":""#;

/// Where the tail of a line begins, behind the bodies.
pub(super) const TAIL: &[u8] = br#","requestReceivedTimestamp":""#;

/// The beginning of an event of any version: inside a body, a sign that a line was cut and another one follows.
const EVENT_START: &[u8] = br#"{"kind":"Event","apiVersion""#;

/// What follows [`EVENT_START`], and hardly anything else: the rarer text to search bodies for.
const EVENT_GROUP: &[u8] = br#":"audit.k8s.io/"#;

/// How deep the parts are that are stepped over; `details.causes[]` of a status is the deepest with 3.
const MAX_LEVELS: usize = 8;

static FIND_EVENT_GROUP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(EVENT_GROUP));
static FIND_TAIL: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(TAIL));

/// The event of `line` (without its end), or `None` where the line is not exactly what a kube-apiserver writes.
///
/// Nothing inside a body is checked, only that no other event begins there.
pub(super) fn scan(line: &[u8]) -> Option<Event<'_>> {
    let mut cursor = Cursor::new(line);
    cursor.expect(HEAD)?;
    let mut event = Event { level: Level::parse(plain(&mut cursor)?), ..Event::default() };
    cursor.expect(br#","auditID":""#)?;
    event.audit_id = cursor.string()?;
    cursor.expect(br#","stage":""#)?;
    event.stage = Stage::parse(plain(&mut cursor)?);
    cursor.expect(br#","requestURI":""#)?;
    event.request_uri = cursor.string()?;
    cursor.expect(br#","verb":""#)?;
    event.verb = cursor.string()?;
    cursor.expect(br#","user":{"#)?;
    let user = user_info(&mut cursor)?;
    (event.user, event.groups) = (user.name, user.groups);
    (event.credential, event.token_pod, event.token_node) = (user.credential, user.pod, user.node);
    if cursor.eat(br#","impersonatedUser":{"#) {
        let user = user_info(&mut cursor)?;
        (event.impersonated_user, event.impersonated_groups) = (user.name, user.groups);
    }
    if cursor.eat(br#","authenticationMetadata":"#) {
        cursor.skip_compact(MAX_LEVELS)?;
    }
    if cursor.eat(br#","sourceIPs":["#) {
        event.source_ip = last_string(&mut cursor)?;
    }
    if cursor.eat(br#","userAgent":""#) {
        event.user_agent = cursor.string()?;
    }
    if cursor.eat(br#","objectRef":{"#) {
        event.object = object_ref(&mut cursor)?;
    }
    if cursor.eat(br#","responseStatus":{"#) {
        response_status(&mut cursor, &mut event)?;
    }
    skip_bodies(&mut cursor)?;
    cursor.expect(TAIL)?;
    event.received = Some(moment(&mut cursor)?);
    cursor.expect(br#","stageTimestamp":""#)?;
    event.stage_time = Some(moment(&mut cursor)?);
    if cursor.eat(br#","annotations":{"#) {
        annotations(&mut cursor, &mut event)?;
    }
    (cursor.rest() == b"}").then_some(event)
}

/// Whether `text` holds the beginning of an event anywhere.
pub(super) fn holds_event_start(text: &[u8]) -> bool {
    FIND_EVENT_GROUP.find_iter(text).any(|group| text[..group].ends_with(EVENT_START))
}

/// One of the API's own words, which are never escaped.
fn plain<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.raw_string().and_then(|(raw, escaped)| (!escaped).then_some(raw))
}

fn moment(cursor: &mut Cursor<'_>) -> Option<Micros> {
    parse_rfc3339(plain(cursor)?)
}

type Text<'a> = std::borrow::Cow<'a, str>;

/// `authentication/v1.UserInfo`.
#[derive(Default)]
struct UserInfo<'a> {
    name: Text<'a>,
    groups: Text<'a>,
    credential: Text<'a>,
    pod: Text<'a>,
    node: Text<'a>,
}

/// `authentication/v1.UserInfo` behind its opening brace.
fn user_info<'a>(cursor: &mut Cursor<'a>) -> Option<UserInfo<'a>> {
    let mut user = UserInfo { name: optional_string(cursor, br#""username":""#)?, ..UserInfo::default() };
    if cursor.member(br#""uid":""#) {
        cursor.raw_string()?;
    }
    if cursor.member(br#""groups":["#) {
        user.groups = groups(cursor)?;
    }
    if cursor.member(br#""extra":{"#) {
        extra(cursor, &mut user)?;
    }
    cursor.expect(b"}")?;
    Some(user)
}

/// An array of strings behind its opening bracket, as it stands: what a kube-apiserver writes is what
/// [`Event::groups`] promises, unless something is escaped, which may be done in several ways.
fn groups<'a>(cursor: &mut Cursor<'a>) -> Option<Text<'a>> {
    let start = cursor.at - 1;
    let mut any_escaped = false;
    loop {
        cursor.expect(b"\"")?;
        let (_, escaped) = cursor.raw_string()?;
        any_escaped |= escaped;
        if cursor.eat(b"]") {
            break;
        }
        cursor.expect(b",")?;
    }
    let raw = &cursor.text[start..cursor.at];
    if any_escaped {
        let decoded: Vec<Text<'_>> = serde_json::from_slice(raw).ok()?;
        return serde_json::to_string(&decoded).ok().map(Text::Owned);
    }
    std::str::from_utf8(raw).ok().map(Text::Borrowed)
}

/// A map of arrays of strings behind its opening brace.
fn extra<'a>(cursor: &mut Cursor<'a>, user: &mut UserInfo<'a>) -> Option<()> {
    loop {
        cursor.expect(b"\"")?;
        let key = cursor.string()?;
        cursor.expect(b":")?;
        let wanted = match key.as_ref() {
            "authentication.kubernetes.io/credential-id" => Some(&mut user.credential),
            "authentication.kubernetes.io/pod-name" => Some(&mut user.pod),
            "authentication.kubernetes.io/node-name" => Some(&mut user.node),
            _ => None,
        };
        let start = cursor.at;
        cursor.skip_compact(MAX_LEVELS)?;
        if let Some(wanted) = wanted {
            let mut first = Cursor { text: &cursor.text[..cursor.at], at: start };
            *wanted = if first.eat(b"[\"") { first.string()? } else { Text::default() };
        }
        if cursor.eat(b"}") {
            return Some(());
        }
        cursor.expect(b",")?;
    }
}

/// The member `key` (which ends with the opening quote), or an empty string where it is absent.
fn optional_string<'a>(cursor: &mut Cursor<'a>, key: &[u8]) -> Option<Text<'a>> {
    if cursor.member(key) { cursor.string() } else { Some(Text::default()) }
}

/// The last string of an array of strings, behind its opening bracket.
fn last_string<'a>(cursor: &mut Cursor<'a>) -> Option<Text<'a>> {
    loop {
        cursor.expect(b"\"")?;
        let before = cursor.at;
        cursor.raw_string()?;
        if cursor.eat(b"]") {
            let after = cursor.at;
            cursor.at = before;
            let last = cursor.string()?;
            cursor.at = after;
            return Some(last);
        }
        cursor.expect(b",")?;
    }
}

/// `audit.k8s.io/v1.ObjectReference` behind its opening brace.
fn object_ref<'a>(cursor: &mut Cursor<'a>) -> Option<ObjectRef<'a>> {
    let resource = optional_string(cursor, br#""resource":""#)?;
    let namespace = optional_string(cursor, br#""namespace":""#)?;
    let name = optional_string(cursor, br#""name":""#)?;
    optional_string(cursor, br#""uid":""#)?;
    let api_group = optional_string(cursor, br#""apiGroup":""#)?;
    let api_version = optional_string(cursor, br#""apiVersion":""#)?;
    optional_string(cursor, br#""resourceVersion":""#)?;
    let subresource = optional_string(cursor, br#""subresource":""#)?;
    cursor.expect(b"}")?;
    // The joined form of v1alpha1 is for the general reader to take apart.
    if api_version.contains('/') {
        return None;
    }
    Some(ObjectRef { resource, subresource, namespace, name, api_group, api_version })
}

/// `meta/v1.Status` behind its opening brace.
fn response_status<'a>(cursor: &mut Cursor<'a>, event: &mut Event<'a>) -> Option<()> {
    if cursor.member(br#""metadata":"#) {
        cursor.skip_compact(MAX_LEVELS)?;
    }
    for key in [&br#""status":""#[..], br#""message":""#] {
        if cursor.member(key) {
            cursor.raw_string()?;
        }
    }
    event.reason = optional_string(cursor, br#""reason":""#)?;
    if cursor.member(br#""details":"#) {
        cursor.skip_compact(MAX_LEVELS)?;
    }
    if cursor.member(br#""code":"#) {
        let digits = cursor.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, _) = cursor.rest().split_at(digits);
        event.code = std::str::from_utf8(number).ok()?.parse().ok()?;
        cursor.at += digits;
    }
    cursor.expect(b"}")
}

/// Goes to the tail of the line, over bodies that may hold anything but the beginning of another event: then a cut
/// line has swallowed a whole one, or a client wants it to look so, and the general reader must tell which.
fn skip_bodies(cursor: &mut Cursor<'_>) -> Option<()> {
    let rest = cursor.rest();
    if !rest.starts_with(br#","requestObject":"#) && !rest.starts_with(br#","responseObject":"#) {
        return Some(());
    }
    let tail = FIND_TAIL.rfind(rest)?;
    if holds_event_start(&rest[..tail]) {
        return None;
    }
    cursor.at += tail;
    Some(())
}

/// Annotations of a login at OpenShift's OAuth server. The request itself is anonymous; what it brought is a name, and
/// whose it is, only the decision `allow` says: anybody can type a name.
pub(super) const LOGIN_NAME: &[u8] = b"authentication.openshift.io/username";
pub(super) const LOGIN_DECISION: &[u8] = b"authentication.openshift.io/decision";

/// Makes who logged in the user of an anonymous request.
pub(super) fn log_in<'a>(event: &mut Event<'a>, name: Text<'a>) {
    if !name.is_empty() && matches!(event.user.as_ref(), "" | "system:anonymous") {
        event.user = name;
    }
}

/// [`Event::annotation_keys`] of these.
pub(super) fn annotation_keys<'a, S: serde::Serialize + Ord>(mut keys: Vec<S>) -> Text<'a> {
    if keys.is_empty() {
        return Text::default();
    }
    keys.sort_unstable();
    serde_json::to_string(&keys).map(Text::Owned).unwrap_or_default()
}

/// A flat map of strings behind its opening brace.
fn annotations<'a>(cursor: &mut Cursor<'a>, event: &mut Event<'a>) -> Option<()> {
    if cursor.eat(b"}") {
        return Some(());
    }
    let mut keys = Vec::new();
    let (mut deprecated, mut removed) = (Text::default(), Text::default());
    let (mut logged_in, mut is_let_in) = (Text::default(), false);
    loop {
        cursor.expect(b"\"")?;
        let key = plain(cursor)?;
        cursor.expect(b":\"")?;
        let name = std::str::from_utf8(key).ok()?;
        if !HELD_ANNOTATIONS.contains(&name) {
            keys.push(name);
        }
        match key {
            b"authorization.k8s.io/decision" => event.decision = Decision::parse(cursor.string()?.as_bytes()),
            b"authorization.k8s.io/reason" => event.decision_reason = cursor.string()?,
            b"authentication.kubernetes.io/issued-credential-id" => {
                event.issued_credential = cursor.string()?
            }
            LOGIN_NAME => logged_in = cursor.string()?,
            LOGIN_DECISION => is_let_in = cursor.string()? == "allow",
            b"k8s.io/removed-release" => removed = cursor.string()?,
            b"k8s.io/deprecated" => deprecated = cursor.string()?,
            _ => drop(cursor.raw_string()?),
        }
        if cursor.eat(b"}") {
            event.deprecated = if removed.is_empty() { deprecated } else { removed };
            event.annotation_keys = annotation_keys(keys);
            if is_let_in {
                log_in(event, logged_in);
            }
            return Some(());
        }
        cursor.expect(b",")?;
    }
}

//! What the parts of this module promise together: both readers agree, and no damage to one line costs another.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::model::{Level, LogKind, Stage};

/// Everything a reader said, in order.
#[derive(Default, PartialEq, Debug)]
pub(super) struct Heard {
    events: Vec<(Event<'static>, Vec<u8>, Marks)>,
    unreadable: Vec<(Unreadable, Vec<u8>)>,
}

impl Sink for Heard {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        self.events.push((owned(event), text.to_vec(), marks));
    }
    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        self.unreadable.push((kind, text.to_vec()));
    }
}

impl Heard {
    fn ids(&self) -> Vec<&str> {
        self.events.iter().map(|(event, ..)| event.audit_id.as_ref()).collect()
    }

    fn kinds(&self) -> Vec<Unreadable> {
        self.unreadable.iter().map(|(kind, _)| *kind).collect()
    }
}

fn owned(event: &Event<'_>) -> Event<'static> {
    let own = |text: &str| std::borrow::Cow::Owned(text.to_owned());
    let object = &event.object;
    Event {
        log: LogKind::Kube,
        level: event.level,
        stage: event.stage,
        audit_id: own(&event.audit_id),
        request_uri: own(&event.request_uri),
        verb: own(&event.verb),
        user: own(&event.user),
        impersonated_user: own(&event.impersonated_user),
        source_ip: own(&event.source_ip),
        user_agent: own(&event.user_agent),
        object: crate::model::ObjectRef {
            resource: own(&object.resource),
            subresource: own(&object.subresource),
            namespace: own(&object.namespace),
            name: own(&object.name),
            api_group: own(&object.api_group),
            api_version: own(&object.api_version),
        },
        code: event.code,
        reason: own(&event.reason),
        received: event.received,
        stage_time: event.stage_time,
        decision: event.decision,
        decision_reason: own(&event.decision_reason),
        issued_credential: own(&event.issued_credential),
        deprecated: own(&event.deprecated),
        annotation_keys: own(&event.annotation_keys),
        groups: own(&event.groups),
        impersonated_groups: own(&event.impersonated_groups),
        credential: own(&event.credential),
        token_pod: own(&event.token_pod),
        token_node: own(&event.token_node),
    }
}

fn heard(text: impl AsRef<[u8]>) -> Heard {
    let (mut reader, mut heard) = (Reader::new(), Heard::default());
    reader.read(text.as_ref(), &mut heard);
    reader.finish(&mut heard);
    heard
}

fn general(text: &[u8]) -> Option<Event<'_>> {
    any_order::read(text).ok()
}

/// A whole event as a kube-apiserver writes it, with a body when one is given.
fn line(id: &str, body: Option<&str>) -> String {
    let body = body.map(|body| format!(r#","requestObject":{body}"#)).unwrap_or_default();
    format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"{}","stage":"ResponseComplete","#,
            r#""requestURI":"/api/v1/pods?a=1\u0026b=2","verb":"list","user":{{"username":"bob","uid":"1","groups":["a","b c"],"#,
            r#""extra":{{"k":["v"],"authentication.kubernetes.io/credential-id":["JTI=1","x"],"#,
            r#""authentication.kubernetes.io/node-name":["n1"],"authentication.kubernetes.io/pod-name":["p-1"]}}}},"#,
            r#""impersonatedUser":{{"username":"eve","groups":["g"]}},"sourceIPs":["1.2.3.4","10.0.0.1"],"#,
            r#""userAgent":"kubectl","objectRef":{{"resource":"pods","namespace":"a","apiVersion":"v1","subresource":"log"}},"#,
            r#""responseStatus":{{"metadata":{{}},"status":"Failure","reason":"Forbidden","details":{{"kind":"pods"}},"code":403}}{},"#,
            r#""requestReceivedTimestamp":"2026-11-20T21:57:40.404650Z","stageTimestamp":"2026-11-20T21:57:40.504650Z","#,
            r#""annotations":{{"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":"no \"role\"","k8s.io/deprecated":"true","k8s.io/removed-release":"1.32","#,
            r#""authentication.kubernetes.io/issued-credential-id":"JTI=2","x/y":"z"}}}}"#
        ),
        id, body
    )
}

/// The same event spread over lines of its own.
fn pretty(id: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(&line(id, Some("{\"a\":[{}]}"))).expect("sound JSON");
    serde_json::to_string_pretty(&value).expect("it was JSON before")
}

#[test]
fn both_readers_see_every_field() {
    let text = line("id-1", Some(r#"{"a":"\ud800","b":1e999}"#));
    let event = kube::scan(text.as_bytes()).expect("written as a kube-apiserver does");
    assert_eq!(general(text.as_bytes()).as_ref(), Some(&event));
    assert_eq!((event.level, event.stage), (Level::Request, Stage::ResponseComplete));
    assert_eq!((event.request_uri.as_ref(), event.verb.as_ref()), ("/api/v1/pods?a=1&b=2", "list"));
    assert_eq!((event.user.as_ref(), event.impersonated_user.as_ref()), ("bob", "eve"));
    assert_eq!((event.source_ip.as_ref(), event.user_agent.as_ref()), ("10.0.0.1", "kubectl"));
    assert_eq!((event.object.resource.as_ref(), event.object.subresource.as_ref()), ("pods", "log"));
    assert_eq!((event.code, event.reason.as_ref()), (403, "Forbidden"));
    assert_eq!(event.stage_time.zip(event.received).map(|(stage, received)| stage - received), Some(100_000));
    assert_eq!(event.decision_reason, "no \"role\"");
    assert_eq!((event.groups.as_ref(), event.impersonated_groups.as_ref()), (r#"["a","b c"]"#, r#"["g"]"#));
    assert_eq!((event.credential.as_ref(), event.issued_credential.as_ref()), ("JTI=1", "JTI=2"));
    assert_eq!((event.token_pod.as_ref(), event.token_node.as_ref()), ("p-1", "n1"));
    assert_eq!(event.deprecated, "1.32");
    assert_eq!(event.annotation_keys, r#"["k8s.io/deprecated","k8s.io/removed-release","x/y"]"#);
    assert_eq!(time_of_line(text.as_bytes()), event.stage_time);
}

#[test]
fn the_general_reader_takes_what_logs_hold() {
    let read = |text: &str| general(text.as_bytes()).map(|event| owned(&event));
    let odd = read(concat!(
        r#"{"verb":"x","verb":"get","kind":0,"auditID":"1","stage":"Panic","user":null,"objectRef":null,"#,
        r#""sourceIPs":"::1","responseStatus":{"code":"503"},"annotations":null,"level":["#,
        "[]]}"
    ))
    .expect("auditID and stage");
    assert_eq!(
        (odd.verb.as_ref(), odd.source_ip.as_ref(), odd.code, odd.stage),
        ("get", "::1", 503, Stage::Panic)
    );
    let alpha = read(concat!(
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1alpha1","verb":"get","metadata":{"creationTimestamp":"2017-09-11T19:55:05Z"},"#,
        r#""timestamp":"2017-09-11T19:55:04Z","objectRef":{"apiVersion":"apps/v1"}}"#
    ))
    .expect("kind and verb");
    assert_eq!((alpha.object.api_group.as_ref(), alpha.object.api_version.as_ref()), ("apps", "v1"));
    assert_eq!(
        alpha.stage_time.zip(alpha.received).map(|(stage, received)| stage - received),
        Some(1_000_000)
    );
    assert!(read(r#"{"verb":"get","user":{},"requestURI":"/x"}"#).is_some());
    for other in
        [r#"{"kind":0}"#, r#"{"auditID":"1"}"#, r#"{"verb":"get","user":"bob"}"#, "[]", r#"{"kind":"Event"}"#]
    {
        assert_eq!(read(other), None, "{other}");
    }
}

#[test]
fn hostile_bodies_and_strings_do_not_hide_their_event() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for body in [deep.as_str(), r#"{"a":1,"a":2}"#, r#""\ud800""#, "99999999999999999999999e999", "null"] {
        for text in [line("x", Some(body)), format!(" {} ", line("x", Some(body)))] {
            assert_eq!(heard(&text).ids(), ["x"]);
        }
    }
    let mut broken = line("x", None).into_bytes();
    let at = memchr::memmem::find(&broken, b"bob").expect("the user");
    broken[at] = 0xff;
    let found = heard(&broken);
    assert_eq!((found.events[0].0.user.as_ref(), found.events[0].2.replaced), ("\u{fffd}ob", true));
    assert_eq!(found.events[0].1, broken, "the text stays as it was");
    let half = heard(line(r"\ude00", None));
    assert_eq!((half.ids(), half.events[0].2.replaced), (vec!["\u{fffd}"], true));
}

#[test]
fn every_shape_of_file_is_read() {
    let (a, b) = (line("a", None), line("b", Some("{}")));
    for (text, name) in [
        (format!("\u{feff}{a}\r\n\r\n---\n{b}"), "byte order mark, CRLF, blank lines"),
        (format!("{a}{b}"), "concatenated"),
        (format!("[{a},{b}]"), "array"),
        (format!("[\n  {a},\n  {b}\n]\n"), "array, one a line"),
        (format!("{{\"kind\":\"EventList\",\"items\":[{a},{b}]}}"), "list"),
        (format!("{{\"kind\":\"EventList\",\"items\":[\n{a},\n{b}\n]}}\n"), "list, one a line"),
        (format!("{}\n{}\n", pretty("a"), pretty("b")), "pretty"),
        (format!("{}{}", pretty("a"), pretty("b")), "pretty, joined"),
        (format!("[\n{},\n{}\n]", pretty("a"), pretty("b")), "pretty array"),
        (format!("node-1 {a}\n2026-01-01T00:00:00Z stdout {b}"), "prefixed"),
    ] {
        let found = heard(&text);
        assert_eq!((found.ids(), found.kinds()), (vec!["a", "b"], vec![]), "{name}");
    }
    let list: serde_json::Value =
        serde_json::from_str(&format!("{{\"kind\":\"EventList\",\"items\":[{a},{b}]}}")).expect("sound JSON");
    let list = serde_json::to_string_pretty(&list).expect("it was JSON before");
    assert_eq!(heard(&list).ids(), ["a", "b"]);
    assert_eq!(
        heard(&list[..list.rfind("\"verb").expect("in the last item")]).ids(),
        ["a"],
        "the whole items of a cut list"
    );
}

#[test]
fn damage_is_named_and_passed_over() {
    use Unreadable::{CutShort, NotAnAuditEvent, NulBytes, PlainText};
    let (a, b) = (line("a", None), line("b", Some("{}")));
    let cut = &b[..b.len() / 2];
    for (text, ids, kinds) in [
        (format!("E1120 10:00:00 1 log.go:52] failed\n{a}"), vec!["a"], vec![PlainText]),
        (format!("{cut}\n{a}"), vec!["a"], vec![CutShort]),
        (format!("{cut}{a}\n{b}"), vec!["a", "b"], vec![CutShort]),
        (format!("{}\n{a}\n{b}", &b[..b.find("{\"username").expect("user")]), vec!["a", "b"], vec![CutShort]),
        (format!("{}{a}\n{b}", &b[..b.find("{\"username").expect("user")]), vec!["a", "b"], vec![CutShort]),
        (format!("{}\n{a}", &b[20..]), vec!["a"], vec![CutShort]),
        (format!("{}{a}\n", "\0".repeat(9000)), vec!["a"], vec![NulBytes]),
        (
            format!("{cut}{}{a}\n{}\n{b}", "\0".repeat(9), "\0".repeat(7)),
            vec!["a", "b"],
            vec![CutShort, NulBytes, NulBytes],
        ),
        (format!("{{\"level\":\"info\",\"msg\":\"x\"}}\n{a}"), vec!["a"], vec![NotAnAuditEvent]),
        (format!("{}\n{}", &pretty("x")[..200], pretty("a")), vec!["a"], vec![CutShort]),
        (
            format!("{{\n  \"kind\": \"Event\",\n  \"user\":\n{}\n{a}", pretty("b")),
            vec!["b", "a"],
            vec![CutShort],
        ),
    ] {
        let found = heard(&text);
        assert_eq!((found.ids(), found.kinds()), (ids, kinds), "{text}");
    }
}

#[test]
fn a_body_that_looks_like_an_event_is_none() {
    let fake = line("fake", None);
    let real = line("real", Some(&fake));
    assert_eq!(heard(&real).ids(), ["real"]);
    let tail = real
        .find(",\"requestReceivedTimestamp\":\"2026-11-20T21:57:40.404650Z\",\"stageTimestamp\"")
        .expect("inner");
    assert!(tail > 0);
    assert_eq!(heard(&real[..real.len() - 30]).ids(), [""; 0], "cut behind the body");
    assert_eq!(heard(&real[30..]).ids(), [""; 0], "cut before the body");
}

#[test]
fn work_is_proportional_to_the_text() {
    for (unit, name) in [
        ("{\n", "open braces"),
        ("{\"a\":\n", "nested members"),
        ("{\"a\":[\n", "nested members and arrays"),
        ("{\"a\":{\"b\":", "nested on one line"),
        ("{\"", "braces in strings"),
        ("garbage\n", "text"),
        ("[\n", "brackets"),
        ("{},\n", "small objects"),
        ("{\"a\":[{}\n", "objects in open arrays"),
    ] {
        let text = format!("{{\n{}", unit.repeat(20_000));
        let (mut reader, mut heard) = (Reader::new(), Heard::default());
        reader.read(text.as_bytes(), &mut heard);
        reader.finish(&mut heard);
        assert!(reader.examined <= 4 * text.len(), "{name}: {} of {}", reader.examined, text.len());
        assert!(heard.events.is_empty());
    }
}

#[test]
fn what_is_too_long_is_said_and_left() {
    let member = format!("\"a\":[{}0],\n", "0,".repeat(4000));
    let long = format!("{{\n{}{}\n", member.repeat(MAX_LINE / member.len() + 1), line("a", None));
    let found = heard(&long);
    assert_eq!(found.ids(), ["a"]);
    assert_eq!(found.unreadable[0].0, Unreadable::TooLong);
    assert!(found.unreadable[0].1.len() <= MAX_LINE);
}

#[test]
fn recognises_audit_logs_only() {
    let event = line("a", Some("{}"));
    assert!(recognise(format!("I1120 klog\n{event}\n").as_bytes()));
    assert!(recognise(&event.as_bytes()[..300]), "the first line may be longer than what was read");
    assert!(recognise(pretty("a").as_bytes()));
    assert!(!recognise(b"type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=2\n"));
    assert!(!recognise(b"{\"level\":\"info\",\"msg\":\"Starting\"}\n"));
    assert!(stands_alone(event.as_bytes()) && stands_alone(format!(" {event},").as_bytes()));
    assert!(!stands_alone(&event.as_bytes()[..99]) && !stands_alone(b"{}") && !stands_alone(b""));
}

/// `../shared`, or where `KAUDITUI_SHARED` says it is.
fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    root.is_dir().then_some(root)
}

#[test]
fn every_recorded_line_takes_the_fast_path_and_reads_the_same() {
    let Some(shared) = shared() else {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return;
    };
    let (mut lines, mut fast) = (0, 0);
    for entry in fs::read_dir(shared.join("data/kube")).expect("the recorded logs") {
        let text = fs::read(entry.expect("a folder entry").path()).expect("a recorded log");
        for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            lines += 1;
            let general = general(line).expect("an event");
            let Some(event) = kube::scan(line) else { continue };
            fast += 1;
            assert_eq!(event, general, "{}", line.escape_ascii());
        }
    }
    println!("fast path: {fast} of {lines} lines");
    assert!(lines > 18_000);
    assert_eq!(fast, lines);
}

/// Any text, with a good share of what JSON and Go escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:/.-]{0,12}",
        proptest::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
        Just("\"}],{\\u0026\u{2028}&<>".to_owned()),
    ]
}

/// `text` as Go's encoder writes it.
fn quoted(text: &str) -> String {
    let plain = serde_json::to_string(text).expect("strings are JSON");
    plain
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
}

prop_compose! {
    /// An event with any of its fields present, in the apiserver's order, as one line.
    fn any_line()(
        strings in proptest::collection::vec(text(), 16),
        present in proptest::collection::vec(any::<bool>(), 20),
        code in any::<u16>(),
        stage in 0usize..5,
    ) -> String {
        let q = |index: usize| quoted(&strings[index]);
        let object = |fields: &[(bool, &str, String)]| {
            let fields: Vec<_> =
                fields.iter().filter(|field| field.0).map(|(_, key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        let user = |first: usize| object(&[
            (present[first], "username", q(first)),
            (present[first + 1], "uid", q(first + 1)),
            (present[first + 1], "groups", format!("[{},{}]", q(4), q(5))),
            (present[first], "extra", format!("{{{}:[{}]}}", q(6), q(7))),
        ]);
        object(&[
            (true, "kind", quoted("Event")),
            (true, "apiVersion", quoted("audit.k8s.io/v1")),
            (true, "level", quoted("RequestResponse")),
            (true, "auditID", q(0)),
            (true, "stage", quoted(Stage::ALL[stage].name())),
            (true, "requestURI", q(1)),
            (true, "verb", q(2)),
            (true, "user", user(0)),
            (present[4], "impersonatedUser", user(2)),
            (present[5], "authenticationMetadata", object(&[(true, "impersonationConstraint", q(3))])),
            (present[6], "sourceIPs", format!("[{},{}]", q(8), q(9))),
            (present[7], "userAgent", q(10)),
            (present[8], "objectRef", object(&[
                (present[9], "resource", q(11)),
                (present[10], "namespace", q(12)),
                (present[11], "name", q(13)),
                (present[12], "apiGroup", q(14)),
                (present[13], "apiVersion", q(15)),
                (present[14], "subresource", q(3)),
            ])),
            (present[15], "responseStatus", object(&[
                (true, "metadata", "{}".to_owned()),
                (present[16], "message", q(4)),
                (present[17], "reason", q(5)),
                (present[16], "details", format!("{{\"causes\":[{{\"message\":{}}}]}}", q(6))),
                (present[17], "code", code.to_string()),
            ])),
            (present[18], "requestObject", format!("[{{\"a\":{}}},[[]]]", q(7))),
            (present[19], "responseObject", format!("{{{}:{}}}", q(8), q(9))),
            (true, "requestReceivedTimestamp", quoted("2026-11-20T21:57:40.404650Z")),
            (true, "stageTimestamp", quoted("2026-11-20T21:57:41.404650Z")),
            (present[0], "annotations", object(&[
                (present[4], "authentication.openshift.io/decision", quoted(if present[5] { "allow" } else { "deny" })),
                (present[6], "authentication.openshift.io/username", q(12)),
                (present[1], "authorization.k8s.io/decision", quoted("allow")),
                (present[2], "authorization.k8s.io/reason", q(10)),
                (present[3], "some/other", q(11)),
            ])),
        ])
    }
}

/// What stands in logs beside good lines.
fn any_damage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any_line()
            .prop_flat_map(|line| (0..line.len(), Just(line)))
            .prop_map(|(at, line)| line.into_bytes()[..at].to_vec()),
        any_line()
            .prop_flat_map(|line| (0..line.len(), Just(line)))
            .prop_map(|(at, line)| line.into_bytes()[at..].to_vec()),
        Just(b"I1120 klog.go:1] {\"a\": text".to_vec()),
        Just(b"{".to_vec()),
        Just(b"{\"user\":".to_vec()),
        Just(b"[{\"a\":[".to_vec()),
        Just(b"\0\0\0\0".to_vec()),
        Just(b"]}".to_vec()),
        Just(pretty("pretty").into_bytes()),
        proptest::collection::vec(any::<u8>().prop_filter("stays one line", |b| *b != b'\n'), 0..40),
    ]
}

proptest! {
    #[test]
    fn fast_path_equals_general_path(text in any_line()) {
        let general = general(text.as_bytes());
        prop_assert!(general.is_some());
        if let Some(fast) = kube::scan(text.as_bytes()) {
            prop_assert_eq!(Some(fast), general);
        } else {
            // Only a joined apiVersion sends a well-written line to the general reader.
            prop_assert!(text.contains("objectRef"), "{}", text);
        }
    }

    #[test]
    fn nothing_panics_and_no_good_line_is_lost(
        parts in proptest::collection::vec((any_damage(), any_line()), 1..6),
        splits in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let mut log = Vec::new();
        for (damage, good) in &parts {
            log.extend_from_slice(damage);
            log.push(b'\n');
            log.extend_from_slice(good.as_bytes());
            log.push(b'\n');
        }
        let at_once = heard(&log);
        let texts: Vec<&[u8]> = at_once.events.iter().map(|(_, text, _)| text.as_slice()).collect();
        let mut from = 0;
        for (_, good) in &parts {
            let found = texts[from..].iter().position(|text| *text == good.as_bytes());
            prop_assert!(found.is_some(), "lost {}", good);
            from += found.map_or(0, |at| at + 1);
        }

        let (mut reader, mut in_parts, mut held) = (Reader::new(), Heard::default(), Vec::new());
        for (line, split) in log.split_inclusive(|b| *b == b'\n').zip(splits.iter().cycle()) {
            held.extend_from_slice(line);
            if *split {
                reader.read(&std::mem::take(&mut held), &mut in_parts);
            }
        }
        reader.read(&held, &mut in_parts);
        reader.finish(&mut in_parts);
        prop_assert_eq!(in_parts, at_once);
    }

    #[test]
    fn a_cut_line_joined_to_a_whole_one_gives_the_whole_one(cut in any_line(), at in any::<prop::sample::Index>(), good in any_line()) {
        let at = at.index(cut.len());
        let mut log = cut.as_bytes()[..at].to_vec();
        log.extend_from_slice(good.as_bytes());
        let found = heard(&log);
        prop_assert!(found.events.iter().any(|(_, text, _)| text == good.as_bytes()), "{}", String::from_utf8_lossy(&log));
    }
}

//! The pack's correlations at their limits: one request less is quiet, so is the same spread over more than the time, or
//! over two who did it.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use kauditui::detect::{Engine, RuleSet};
use serde_json::{Value, json};

use crate::own::set_off;

const KUBECTL: &str = "kubectl/v1.34.2 (linux/amd64) kubernetes/8cc511e";
/// Resources that a sweep looks through.
const KINDS: [&str; 7] =
    ["pods", "nodes", "namespaces", "secrets", "configmaps", "serviceaccounts", "clusterroles"];

/// Who asks: a person, and where from.
#[derive(Clone, Copy)]
struct Who {
    name: &'static str,
    address: &'static str,
}

const ONE: Who = Who { name: "imani@globex.test", address: "203.0.113.40" };
const OTHER: Who = Who { name: "renske@globex.test", address: "203.0.113.41" };

fn request(who: Who, verb: &str, resource: &str, name: &str, code: u16) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": format!("/api/v1/namespaces/web/{resource}/{name}"), "verb": verb,
        "user": {"username": who.name, "groups": ["system:authenticated"]},
        "sourceIPs": [who.address], "userAgent": KUBECTL,
        "objectRef": {"resource": resource, "namespace": "web", "name": name, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code},
    })
}

fn at(mut event: Value, number: usize, time: TimeDelta) -> Value {
    let start: DateTime<Utc> = "2026-11-18T10:00:00Z".parse().expect("a time");
    let stamp = (start + time).to_rfc3339_opts(SecondsFormat::Micros, true);
    event["auditID"] = json!(format!("10000000-0000-4000-8000-{number:012}"));
    for key in ["requestReceivedTimestamp", "stageTimestamp"] {
        event[key] = json!(stamp);
    }
    event
}

/// A correlation that counts: its file, how many it takes, within how many seconds, and the request that has a number.
type Counted = (&'static str, usize, i64, fn(Who, usize) -> Value);

const COUNTED: [Counted; 9] = [
    ("burst-of-unauthorized", 10, 300, |who, _| request(Who { name: "", ..who }, "list", "pods", "", 401)),
    ("denials-from-public-address", 10, 1800, |who, _| request(who, "get", "pods", "a", 403)),
    ("denials-over-resources", 4, 300, |who, number| request(who, "get", KINDS[number % 7], "a", 403)),
    ("discovery-sweep", 4, 60, |who, number| request(who, "list", KINDS[number % 7], "", 200)),
    ("wide-discovery-sweep", 6, 60, |who, number| request(who, "list", KINDS[number % 7], "", 200)),
    ("mass-deletion", 10, 120, |who, number| {
        request(who, "delete", "configmaps", &format!("c{number}"), 200)
    }),
    ("secret-read-burst", 3, 360, |who, number| request(who, "get", "secrets", &format!("s{number}"), 200)),
    ("secrets-refused-often", 20, 900, |who, _| request(who, "get", "secrets", "s", 403)),
    ("unauthenticated-probing", 3, 600, |who, number| {
        request(Who { name: "system:anonymous", ..who }, "get", KINDS[number % 7], "a", 403)
    }),
];

fn pack() -> Arc<Engine> {
    Arc::new(RuleSet::load(true, &[]).0.prepare())
}

/// Id of the correlation in a file.
fn id(file: &str) -> String {
    let files = crate::pack::files();
    let file = files.iter().find(|known| known.name == file).expect("a file of the pack");
    file.rules.correlations.last().and_then(|rule| rule.id.clone()).expect("a correlation")
}

/// Requests of one after another, evenly over so many seconds from the first to the last.
fn spread(count: usize, seconds: i64, made: impl Fn(usize) -> Value) -> Vec<Value> {
    let step = TimeDelta::seconds(seconds) / i32::try_from(count.saturating_sub(1).max(1)).expect("a few");
    let time = |number: usize| step * i32::try_from(number).expect("a few");
    (0..count).map(|number| at(made(number), number, time(number))).collect()
}

#[test]
fn a_count_is_told_from_its_limit_on() {
    let engine = pack();
    for (file, least, span, made) in COUNTED {
        let id = id(file);
        let fires = |events: &[Value]| set_off(&engine, events).contains(&id);
        assert!(fires(&spread(least, span - 1, |number| made(ONE, number))), "{file}: at its limit");
        assert!(!fires(&spread(least - 1, span / 2, |number| made(ONE, number))), "{file}: one less");
        assert!(!fires(&spread(least, span + 1, |number| made(ONE, number))), "{file}: over too long a time");
        let by_two = |number: usize| made(if number.is_multiple_of(2) { ONE } else { OTHER }, number);
        assert!(!fires(&spread(least, span / 2, by_two)), "{file}: of two");
        let twice = |number: usize| made(if number < least { ONE } else { OTHER }, number % least);
        assert!(fires(&spread(2 * least, span / 2, twice)), "{file}: of two, each enough");
    }
}

#[test]
fn what_is_counted_is_different_each_time() {
    let engine = pack();
    for file in
        ["denials-over-resources", "wide-discovery-sweep", "secret-read-burst", "unauthenticated-probing"]
    {
        let (.., made) = COUNTED.into_iter().find(|(known, ..)| *known == file).expect("it counts");
        let same = spread(30, 30, |_| made(ONE, 0));
        assert!(!set_off(&engine, &same).contains(&id(file)), "{file}");
    }
}

fn group(mut event: Value, group: &str, subresource: &str) -> Value {
    event["objectRef"]["apiGroup"] = json!(group);
    if !subresource.is_empty() {
        event["objectRef"]["subresource"] = json!(subresource);
    }
    event
}

/// What comes first, what then, within how many seconds.
type Ordered = (&'static str, i64, fn(Who) -> Value, fn(Who) -> Value);

const ORDERED: [Ordered; 2] = [
    (
        "rbac-then-workload",
        300,
        |who| group(request(who, "create", "rolebindings", "r", 201), "rbac.authorization.k8s.io", ""),
        |who| group(request(who, "create", "deployments", "d", 201), "apps", ""),
    ),
    (
        "own-certificate-approved",
        3600,
        |who| {
            group(request(who, "create", "certificatesigningrequests", "c", 201), "certificates.k8s.io", "")
        },
        |who| {
            let approval = request(who, "update", "certificatesigningrequests", "c", 200);
            group(approval, "certificates.k8s.io", "approval")
        },
    ),
];

#[test]
fn a_sequence_is_told_in_its_order_and_of_one() {
    let engine = pack();
    for (file, span, first, then) in ORDERED {
        let id = id(file);
        let fires = |a: Value, b: Value, seconds: i64| {
            let log = [at(a, 1, TimeDelta::zero()), at(b, 2, TimeDelta::seconds(seconds))];
            set_off(&engine, &log).contains(&id)
        };
        assert!(fires(first(ONE), then(ONE), span - 1), "{file}");
        assert!(!fires(first(ONE), then(ONE), span + 1), "{file}: too late");
        assert!(!fires(then(ONE), first(ONE), 5), "{file}: the other way round");
        assert!(!fires(first(ONE), then(OTHER), 5), "{file}: of two");
    }
}

#[test]
fn probing_takes_both_answers() {
    let engine = pack();
    let id = id("permission-probing");
    let fires = |refused: usize, allowed: usize, seconds: i64, second: Who| {
        let refusals = (0..refused).map(|number| request(ONE, "list", KINDS[number], "", 403));
        let answers = (0..allowed).map(|number| request(second, "list", KINDS[6 - number], "", 200));
        let all: Vec<Value> = refusals.chain(answers).collect();
        set_off(&engine, &spread(all.len(), seconds, |number| all[number].clone())).contains(&id)
    };
    assert!(fires(3, 3, 300, ONE));
    assert!(!fires(2, 3, 300, ONE) && !fires(3, 2, 300, ONE), "one less of either");
    assert!(!fires(3, 3, 300, OTHER), "of two");
    assert!(!fires(3, 3, 3600, ONE), "over too long a time");
}

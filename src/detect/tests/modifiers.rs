//! Each modifier of the specification, on a column and on a body, with a value that it must find and one that it must
//! not.

use serde_json::json;

use super::{event, line, matches, rule};
use crate::detect::RuleSet;

/// Selections of one line, and whether the ordinary event meets them.
fn check(cases: &[(&str, bool)]) {
    for (selection, expected) in cases {
        assert_eq!(matches(&line(selection), &event(json!({}))), *expected, "{selection}");
    }
}

#[test]
fn texts_and_wildcards() {
    check(&[
        ("verb: CREATE", true),
        ("verb|cased: CREATE", false),
        ("verb|cased: create", true),
        ("verb: [get, 'cre*']", true),
        ("verb: 'cre?te'", true),
        ("verb: 'cre?ate'", false),
        (r"verb: 'cre\*'", false),
        ("userAgent|contains: KUBE", true),
        ("userAgent|contains|cased: KUBE", false),
        ("userAgent|startswith: kubectl/", true),
        ("userAgent|endswith: kubectl/", false),
        ("userAgent|contains|all: [kubectl, linux]", true),
        ("userAgent|contains|all: [kubectl, darwin]", false),
        ("requestObject.spec.containers.image: EVIL", true),
        ("requestObject.spec.containers.image|cased: EVIL", false),
        ("requestObject.spec.volumes.hostPath.path|startswith: /e", true),
        ("requestObject.kind|endswith: od", true),
    ]);
}

#[test]
fn expressions_networks_and_numbers() {
    check(&[
        ("userAgent|re: '^kubectl/v1\\.\\d+'", true),
        ("userAgent|re: '^KUBECTL'", false),
        ("userAgent|re|i: '^KUBECTL'", true),
        ("annotations.authorization.k8s.io/reason|re|i|m|s: '^rbac:.allowed$'", true),
        ("requestObject.spec.containers.image|re: '^ev.l$'", true),
        ("sourceIP|cidr: 203.0.113.0/24", true),
        ("sourceIP|cidr: 10.0.0.0/8", false),
        ("sourceIPs|cidr: 10.0.0.0/8", true),
        ("sourceIPs|cidr: ['fd00::/8', 10.0.0.1]", true),
        ("sourceIPs|cidr: 'fd00::/8'", false),
        ("responseStatus.code: 201", true),
        ("responseStatus.code: '201'", true),
        ("responseStatus.code: '2*'", true),
        ("responseStatus.code|gte: 201", true),
        ("responseStatus.code|gt: 201", false),
        ("responseStatus.code|lte: 201", true),
        ("responseStatus.code|lt: 201", false),
        ("responseStatus.code|neq: 201", false),
        ("responseStatus.code|neq: 403", true),
        ("responseObject.metadata.uid|gt: 6.5", true),
        ("requestObject.spec.hostPID: true", true),
        ("requestObject.spec.hostPID: 'True'", true),
        ("requestObject.spec.hostPID: false", false),
    ]);
}

#[test]
fn presence_and_absence() {
    check(&[
        ("objectRef.name|exists: true", true),
        ("objectRef.subresource|exists: true", false),
        ("objectRef.subresource|exists: false", true),
        ("objectRef.subresource: ''", true),
        ("objectRef.subresource: null", true),
        ("objectRef.name: null", false),
        ("objectRef.name: ['', web]", true),
        ("objectRef.subresource: '*'", false),
        ("requestObject.spec.volumes.hostPath: '*'", true),
        ("requestObject.spec.tolerations: '*'", false),
        ("requestObject.spec.tolerations: null", true),
        ("requestObject.spec.volumes|exists: true", true),
        ("requestObject.spec.hostIPC|exists: false", true),
        ("requestObject.spec.hostIPC|neq: true", false),
        ("requestObject.spec.hostIPC: ''", false),
        ("objectRef.subresource|neq: exec", false),
        ("user.groups|neq: dev", false),
        ("user.groups|neq: ops", true),
        ("impersonatedUser.username|exists: false", true),
    ]);
}

#[test]
fn other_fields_and_templates() {
    check(&[
        ("objectRef.name|fieldref: objectRef.namespace", false),
        ("requestObject.spec.containers.name|fieldref: user.extra.scopes", true),
        ("requestURI|fieldref|contains: objectRef.namespace", true),
        ("requestURI|fieldref|endswith: objectRef.namespace", false),
        ("requestURI|contains|expand: '/namespaces/%objectRef.namespace%/%resource%'", true),
        ("requestURI|contains|expand: '/namespaces/%objectRef.name%/'", false),
        ("requestURI|contains|expand: '/prod/'", true),
        ("requestURI|contains|expand: '%missing%ZZZ'", false),
    ]);
    let encoded = event(json!({"annotations": {"b64": "xxZXZpbCBydWxlcw=="}}));
    assert!(matches(&line("annotations.b64|base64|contains: 'evil rules'"), &encoded));
    assert!(!matches(&line("annotations.b64|base64|contains: 'Evil rules'"), &encoded), "the bytes differ");
    for prefix in ["", "a", "ab"] {
        use base64::Engine as _;
        let text =
            base64::engine::general_purpose::STANDARD.encode(format!("{prefix}evil rules, all of them"));
        let event = event(json!({"annotations": {"b64": text}}));
        assert!(matches(&line("annotations.b64|base64offset|contains: evil rules"), &event), "{prefix}");
        assert!(!matches(&line("annotations.b64|base64offset|contains: good rules"), &event), "{prefix}");
    }
    let uri = "/api/v1/namespaces/prod/pods/web/exec?command=nc&command=%2Fe&command=x";
    let exec = event(json!({"requestURI": uri, "objectRef": {"subresource": "exec"}}));
    assert!(matches(&line("exec.command|windash|contains: 'nc -e'"), &exec));
    assert!(!matches(&line("exec.command|contains: 'nc -e'"), &exec));
}

#[test]
fn contradictions_are_refused() {
    for selection in [
        "verb|contains|startswith: a",
        "verb|re|contains: a",
        "verb|re: '('",
        "verb|i: a",
        "verb|cidr: nowhere",
        "verb|gt: many",
        "verb|contains|all: a",
        "verb|contains: null",
        "verb|exists: perhaps",
        "verb|exists|contains: true",
        "verb|base64|windash: a",
        "verb|base64: 'a*'",
        "verb|base64|re: a",
        "verb|wide|base64: a",
        "verb|hour: 3",
        "verb|fieldref: 3",
        "verb|cased|cidr: 10.0.0.0/8",
        "verb|windash: '-a -b -c -d -e'",
        "verb|nonsense: a",
        "verb|not: a",
        "verb: []",
        "exec.command[any]: a",
    ] {
        let (rules, problems) = RuleSet::parse("x.yml".as_ref(), &line(selection));
        assert!(rules.rules().is_empty() && problems.len() == 1, "{selection}: {problems:?}");
        assert!(problems[0].line >= 6, "{selection}: {}", problems[0]);
    }
}

#[test]
fn arrays_hold_for_any_member_and_blocks_for_one() {
    let both = |privileged, image: &str| {
        rule(&format!(
            "selection:\n    any_container[any]:\n        securityContext.privileged: {privileged}\n        image: {image}\ncondition: selection"
        ))
    };
    assert!(matches(&both(true, "evil"), &event(json!({}))));
    assert!(!matches(&both(true, "nginx"), &event(json!({}))), "one member must meet all of it");
    check(&[
        ("any_container.image: [evil, other]", true),
        ("any_container.image|all: [evil, nginx]", true),
        ("any_container.image|all: [evil, other]", false),
        ("any_container[all].image: evil", false),
        ("any_container[all].image|re: '^(evil|nginx)$'", true),
        ("any_container[none].image: evil", false),
        ("any_container[none].image: other", true),
        ("requestObject.spec.initContainers[all].image: x", false),
        ("requestObject.spec.initContainers[all_or_empty].image: x", true),
        ("requestObject.spec.initContainers[none].image: x", true),
        ("requestObject.spec.containers[1].image: evil", true),
        ("requestObject.spec.containers[0].image: evil", false),
        ("requestObject.spec.containers[-1].image: evil", true),
        ("user.groups[any]: dev", true),
        ("user.groups[all]: dev", false),
        ("user.groups[all]|contains: e", true),
    ]);
    let extended = rule(
        "selection:\n    any_container[any]:\n        bad: {image: evil}\n        fine: {securityContext.privileged: false}\n        condition: bad and not fine\ncondition: selection",
    );
    assert!(matches(&extended, &event(json!({}))));
}

#[test]
fn what_has_no_end_is_refused() {
    let refused = |selection: &str| {
        let (rules, problems) = RuleSet::parse("test.yml".as_ref(), &line(selection));
        rules.rules().is_empty() && problems.len() == 1
    };
    let list = |count: usize, value: &str| {
        let values: Vec<String> = (0..count).map(|number| format!("'{value}{number}'")).collect();
        values.join(", ")
    };
    assert!(refused("objectRef.name|base64|contains: ''"), "every text has the encoding of nothing in it");
    assert!(refused("objectRef.name|base64offset|contains: ''"));
    assert!(refused(&format!("objectRef.name|windash: [{}]", list(400, "-a -b -c -d"))));
    assert!(refused(&format!("objectRef.name|re: [{}]", list(2_001, "a."))));
    assert!(refused(r"objectRef.name|re: '\w{1000}'"));
    assert!(!refused(&format!("objectRef.name: [{}]", list(50_000, "n"))));
}

#[test]
fn long_lists_mean_what_short_ones_do() {
    let mut values: Vec<String> = (0..100).map(|number| format!("Name-{number}")).collect();
    values.extend(["WEB".to_owned(), "x*".to_owned(), "7".to_owned()]);
    for (modifier, name, expected) in [
        ("", "web", true),
        ("", "NAME-99", true),
        ("", "name-100", false),
        ("", "xyz", true),
        ("", "7", true),
        ("|cased", "web", false),
        ("|cased", "WEB", true),
        ("|neq", "web", false),
        ("|neq", "other", true),
        ("|contains", "a name-5 b", true),
    ] {
        let selection = format!("objectRef.name{modifier}: {values:?}");
        let event = event(json!({"objectRef": {"name": name}}));
        assert_eq!(matches(&line(&selection), &event), expected, "{modifier} {name}");
    }
    let absent = line(&format!("objectRef.subresource: {:?}", [values, vec![String::new()]].concat()));
    assert!(matches(&absent, &event(json!({}))), "the empty text is met by absence");
}

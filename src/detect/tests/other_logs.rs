//! Rules over the logs of Argo CD, Rancher and the others: which lines they look at, what of them they can name, and how
//! what stands in two logs becomes one alert.

use std::sync::Arc;

use super::{engine, segment_of};
use crate::detect::{Alert, AlertBoard, Engine, RuleIndex, RuleSet};
use crate::model::LogKind;
use crate::store::{SegmentBuilder, Store};

const SYNC: &str = r#"time="2026-11-20T10:00:00Z" level=info msg="alice initiated sync to main (8a1cb4a08a1cb4a08a1cb4a08a1cb4a08a1cb4a0)" application=argocd/shop dest-namespace=prod reason=OperationStarted type=Normal user=alice"#;
const CALL: &str = r#"{"grpc.method":"Sync","grpc.service":"application.ApplicationService","grpc.request.claims":"{\"email\":\"bob@example.com\"}","grpc.request.content":{"name":"shop","prune":true},"level":"info","msg":"started call","time":"2026-11-20T10:00:01Z"}"#;

/// A change of a role binding as Rancher tells it, seconds after ten, and as the API server behind does.
fn binding_in_rancher(second: u32, user: &str) -> String {
    format!(
        r#"{{"auditID":"r-{second}-{user}","requestURI":"/k8s/clusters/c-1/apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/x","user":{{"name":"{user}"}},"method":"PUT","responseCode":200,"requestTimestamp":"2026-11-20T10:00:{second:02}Z","responseTimestamp":"2026-11-20T10:00:{second:02}Z"}}"#
    )
}

fn binding_in_kube(second: u32, user: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"k-{second}-{user}","stage":"ResponseComplete","requestURI":"/apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/x","verb":"update","user":{{"username":"system:serviceaccount:cattle-impersonation-system:cattle-impersonation-{user}"}},"impersonatedUser":{{"username":"{user}"}},"objectRef":{{"resource":"rolebindings","namespace":"prod","name":"x"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-11-20T10:00:{second:02}.400000Z","stageTimestamp":"2026-11-20T10:00:{second:02}.410000Z"}}"#
    )
}

fn rule(id: &str, product: &str, selection: &str, more: &str) -> String {
    format!(
        "title: {id}\nid: {id}\nlevel: medium\nlogsource: {{product: {product}}}\ndetection:\n    s:\n{}    condition: s\n{more}---\n",
        selection.lines().map(|line| format!("        {}\n", line.trim())).collect::<String>()
    )
}

/// Ids of the rules that match each line, as all ways of asking agree.
fn matching(engine: &Engine, lines: &[&str]) -> Vec<Vec<String>> {
    let segment = segment_of(&lines.join("\n"));
    assert_eq!(segment.rows() as usize, lines.len(), "a row a line");
    let hits = engine.hits(&segment, 0..segment.rows());
    let of_row = |row: u32| {
        let hit = |rule: &RuleIndex| hits.iter().any(|hit| (hit.row, hit.rule) == (row, *rule));
        let rules: Vec<RuleIndex> = (0..engine.rules().len() as u32).map(RuleIndex).collect();
        for rule in &rules {
            assert_eq!(engine.matches(*rule, &segment, row), hit(rule), "the columns and the row agree");
            assert_eq!(engine.explain(*rule, &segment, row).is_empty(), !hit(rule), "a match has its reason");
        }
        rules.into_iter().filter(hit).map(|rule| engine.rule(rule).id.clone()).collect()
    };
    (0..segment.rows()).map(of_row).collect()
}

#[test]
fn a_rule_looks_at_the_lines_of_its_own_log() {
    let kube = binding_in_kube(1, "u-1");
    let rancher = binding_in_rancher(1, "u-1");
    let text: String =
        [("kubernetes", "kube"), ("rancher", "rancher"), ("argocd", "argocd"), ("Flux", "flux")]
            .map(|(product, id)| rule(id, product, "verb: '*'", ""))
            .concat();
    let told = matching(&engine(&text), &[&kube, SYNC, &rancher, CALL]);
    assert_eq!(told, [["kube"], ["argocd"], ["rancher"], ["argocd"]]);
}

#[test]
fn rules_name_a_lines_own_keys_and_what_its_reader_made_of_it() {
    let rules: String = [
        ("own", "reason: OperationStarted"),
        ("common", "application: shop\ndestination.namespace: prod\ninitiatedBy.automated: false"),
        ("commit", "commit|startswith: 8a1cb4a"),
        ("within", "grpc.request.claims.email|endswith: '@example.com'\ngrpc.request.content.prune: true"),
        ("absent", "repository: null\nautoSync|exists: false"),
        ("column", "user.username: alice\nobjectRef.resource: applications"),
        ("level", "level: info"),
    ]
    .map(|(id, selection)| rule(id, "argocd", selection, ""))
    .concat();
    let told = matching(&engine(&rules), &[SYNC, CALL]);
    assert_eq!(told[0], ["own", "common", "commit", "absent", "column", "level"]);
    assert_eq!(told[1], ["within", "absent", "level"]);
}

#[test]
fn other_products_are_skipped_and_filters_keep_to_their_log() {
    let text = [
        rule("kube", "kubernetes", "verb: '*'", ""),
        rule("argocd", "argocd", "verb: '*'", ""),
        rule("okta", "okta", "verb: '*'", ""),
        "title: Nobody\nlogsource: {product: argocd}\nfilter: {rules: any, s: {user.username: alice}, condition: not s}\n---\n"
            .to_owned(),
        "title: Wrong\nlogsource: {product: flux}\nfilter: {rules: [argocd], s: {verb: x}, condition: not s}\n---\n"
            .to_owned(),
        "title: Service\nid: service\nlogsource: {product: rancher, service: server}\ndetection: {s: {verb: x}, condition: s}\n"
            .to_owned(),
    ];
    let (rules, problems) = RuleSet::parse("x.yml".as_ref(), &text.concat());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].reason.contains("about Flux's log"), "{problems:?}");
    assert_eq!(
        rules.skipped().iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(),
        [("okta", 1), ("rancher", 1)]
    );
    let logs: Vec<LogKind> = rules.rules().iter().map(|info| info.log).collect();
    assert_eq!(logs, [LogKind::Kube, LogKind::ArgoCd]);
    let filtered: Vec<usize> = rules.rules().iter().map(|info| info.filters.len()).collect();
    assert_eq!(filtered, [0, 1]);
    let told = matching(&rules.prepare(), &[SYNC, CALL]);
    assert_eq!(told, [vec![], vec!["argocd".to_owned()]]);
}

/// The alerts over parts of logs, whichever way they come.
fn alerts(engine: &Arc<Engine>, parts: &[&[String]]) -> Vec<(String, String, u64)> {
    let told = |parts: &[&[String]]| {
        let (mut store, mut board) = (Store::new(), AlertBoard::new(Arc::clone(engine)));
        for (origin, part) in parts.iter().enumerate() {
            let building: SegmentBuilder = super::building(&part.join("\n"));
            let mut batch = building.finish(origin as u32 + 1);
            batch.hits = engine.look_at(&batch.segment);
            store.push(batch);
            board.update(&store);
            board.refresh(&store, None);
        }
        let told = |alert: &Alert| (alert.key.rule.clone(), alert.key.actor.clone(), alert.count);
        board.list().iter().map(told).collect::<Vec<_>>()
    };
    let forward = told(parts);
    let backward: Vec<&[String]> = parts.iter().rev().copied().collect();
    assert_eq!(told(&backward), forward, "the order of logs makes no difference");
    forward
}

#[test]
fn what_the_api_servers_log_tells_is_not_told_again() {
    let yielding = "kauditui:\n    alert_by:\n        fields: [user.username, objectRef.resource]\n        \
        aliases: {user.username: impersonatedUser.username}\n        unless: [kube, gone]\n        within: 5s\n";
    let text = rule("kube", "kubernetes", "objectRef.resource: rolebindings", "")
        + &rule("rancher", "rancher", "objectRef.resource: rolebindings", yielding);
    let engine = Arc::new(engine(&text));
    let kube = [binding_in_kube(10, "u-1"), binding_in_kube(30, "u-2")];
    let rancher = [
        binding_in_rancher(10, "u-1"),
        binding_in_rancher(20, "u-1"),
        binding_in_rancher(30, "u-1"),
        binding_in_rancher(30, "u-2"),
    ];
    let own = |user: &str| {
        let account =
            format!("system:serviceaccount:cattle-impersonation-system:cattle-impersonation-{user}");
        ("kube".to_owned(), account, 1)
    };
    let by_rancher = |user: &str, count| ("rancher".to_owned(), format!("{user},rolebindings"), count);
    assert_eq!(alerts(&engine, &[&rancher]), [by_rancher("u-1", 3), by_rancher("u-2", 1)]);
    assert_eq!(
        alerts(&engine, &[&rancher, &kube]),
        [own("u-1"), own("u-2"), by_rancher("u-1", 2)],
        "those of another time or person stay"
    );
    let words = engine.correlation_in_words(RuleIndex(1)).expect("words");
    assert_eq!(
        words,
        "one alert for each user.username, objectRef.resource, unless another rule tells of it within 5.0 s"
    );
    let (_, problems) = RuleSet::parse(
        "x.yml".as_ref(),
        &rule("r", "rancher", "verb: x", "kauditui: {alert_by: {fields: []}}\n"),
    );
    assert!(problems.len() == 1 && problems[0].reason.contains("list of fields"), "{problems:?}");
}

#[test]
fn a_line_that_is_there_twice_counts_once() {
    let engine = Arc::new(engine(&rule(
        "sync",
        "argocd",
        "verb: sync",
        "kauditui: {alert_by: {fields: [application]}}\n",
    )));
    let once = [SYNC.to_owned()];
    let later = [SYNC.replace("10:00:00", "10:00:09")];
    let told = alerts(&engine, &[&once, &later, &once]);
    assert_eq!(told, [("sync".to_owned(), "shop".to_owned(), 2)]);
}

//! The rules over the three logs of one afternoon (`tests/data/trail`): an API server's, Argo CD's and Rancher's. A sync
//! fails, somebody rolls back, a binding is changed on Rancher's page; around that, ordinary life.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::app::batch;
use kauditui::detect::state::StateDetection;
use kauditui::detect::{AlertBoard, Engine, Readiness, RuleSet, Severity, readiness};
use kauditui::identity::Identities;
use kauditui::model::{LogKind, TimeZoneChoice};
use kauditui::store::Store;
use kauditui::trace::{Chain, Log, contradictions};

const ARGOCD: &str = include_str!("data/trail/argocd.log");
const KUBE: &str = include_str!("data/trail/kube.jsonl");
const RANCHER: &str = include_str!("data/trail/rancher.log");

fn engine() -> Arc<Engine> {
    Arc::new(RuleSet::load(true, &[]).0.prepare())
}

fn lines(log: &str) -> Vec<String> {
    log.lines().map(str::to_owned).collect()
}

/// A store with what it is told, as if each part were a file of its own.
struct Watched {
    store: Store,
    board: AlertBoard,
    identities: Identities,
}

/// The parts one after the other, live or as history.
fn watched(engine: &Arc<Engine>, parts: &[(Vec<String>, bool)]) -> Watched {
    let mut watched = Watched {
        store: Store::new(),
        board: AlertBoard::new(Arc::clone(engine)),
        identities: Identities::default(),
    };
    let Watched { store, board, identities } = &mut watched;
    for (origin, (part, is_live)) in parts.iter().enumerate() {
        let batch = *batch(&part.join("\n"), origin as u32 + 1);
        match is_live {
            true => store.push_live(batch).expect("it is taken"),
            false => store.push(batch),
        }
        for number in board.update(store) {
            let hits = store.entry(number).map(|entry| engine.look_at(entry.segment()));
            store.set_hits(number, hits.expect("it is held"));
        }
        board.update(store);
        identities.update(store);
        board.observe(store, identities);
        board.refresh(store, None);
    }
    watched
}

/// Severity, title, what it is grouped by and how often.
type Told = (Severity, String, String, u64);

/// The alerts, without activity.
fn told(Watched { board, .. }: &Watched) -> BTreeSet<Told> {
    let told = board.list().iter().filter(|alert| board.severity(alert).is_alert()).map(|alert| {
        let rule = board.engine().rule(alert.rule);
        let by = format!("{}/{}", alert.key.actor, alert.key.namespace);
        (rule.severity, rule.title.clone(), by, alert.count)
    });
    told.collect()
}

fn whole() -> Vec<(Vec<String>, bool)> {
    [KUBE, ARGOCD, RANCHER].map(|log| (lines(log), false)).to_vec()
}

const FAILED: Told3 =
    (Severity::Medium, "Argo CD failed to sync an application", "applications,frontend-app/");
const ROLLED_BACK: Told3 =
    (Severity::Medium, "Somebody rolled an Argo CD application back", "applications,frontend-app/");
const THROUGH_RANCHER: Told3 = (
    Severity::Medium,
    "Somebody changed a role or binding of a cluster through Rancher",
    "user-9kx2p,rolebindings/",
);

/// Severity, title and group of an alert that is told once.
type Told3 = (Severity, &'static str, &'static str);

fn once(list: &[Told3]) -> BTreeSet<Told> {
    list.iter().map(|(severity, title, by)| (*severity, (*title).to_owned(), (*by).to_owned(), 1)).collect()
}

#[test]
fn the_scenario_gives_these_alerts_and_no_others() {
    let engine = engine();
    let all = told(&watched(&engine, &whole()));
    let of_kube = told(&watched(&engine, &[(lines(KUBE), false)]));
    let of_others: BTreeSet<Told> = all.difference(&of_kube).cloned().collect();
    assert_eq!(of_others, once(&[FAILED, ROLLED_BACK]), "the binding is told by the API server's log");
    assert!(of_kube.is_subset(&all), "no other log takes an alert away from the API server's");
    let by_whom: BTreeSet<&str> = of_kube.iter().map(|(_, title, ..)| title.as_str()).collect();
    assert_eq!(
        by_whom,
        BTreeSet::from([
            "A namespace, volume or workload was deleted by hand",
            "A service account changed who may do what",
        ])
    );
    // Without the cluster's own log, Rancher's tells of the binding.
    let without = [(lines(ARGOCD), false), (lines(RANCHER), false)];
    assert_eq!(told(&watched(&engine, &without)), once(&[FAILED, ROLLED_BACK, THROUGH_RANCHER]));
}

#[test]
fn ordinary_syncs_and_requests_raise_none() {
    let is_ordinary = |line: &&str| {
        let of_application = line.contains("nginx-app") || line.contains("nginx-deployment");
        of_application
            || line.contains("/healthz")
            || line.contains("/v3/projects")
            || line.contains("frontend-flags")
    };
    let ordinary =
        |log: &str| -> Vec<String> { log.lines().filter(is_ordinary).map(str::to_owned).collect() };
    let parts = [KUBE, ARGOCD, RANCHER].map(|log| (ordinary(log), false));
    assert_eq!(parts.each_ref().map(|(part, _)| part.len()), [3, 6, 5]);
    let watched = watched(&engine(), &parts);
    assert_eq!(watched.store.held_records(), 12, "two lines of Argo CD's tell of no change");
    assert_eq!(told(&watched), BTreeSet::new());
}

#[test]
fn however_the_logs_come_the_alerts_are_the_same() {
    let engine = engine();
    let all = told(&watched(&engine, &whole()));
    assert!(all.len() > 3, "{all:?}");
    let mut backward = whole();
    backward.reverse();
    assert_eq!(told(&watched(&engine, &backward)), all, "Rancher's log first");
    let one_by_one = |parts: Vec<(Vec<String>, bool)>, is_live: bool| -> Vec<(Vec<String>, bool)> {
        // klog's own lines are read by what stands around them.
        let all = parts.into_iter().flat_map(|(part, _)| part).filter(|line| line.contains('{'));
        all.map(|line| (vec![line], is_live)).collect()
    };
    let mut lines_backward = one_by_one(whole(), false);
    lines_backward.reverse();
    assert_eq!(told(&watched(&engine, &lines_backward)), all, "line by line from the end");
    assert_eq!(told(&watched(&engine, &one_by_one(whole(), true))), all, "live");
    // What was rotated is there twice for a while.
    let mut rotated = whole();
    rotated.extend(whole().into_iter().map(|(part, _)| (part[part.len() / 2..].to_vec(), false)));
    assert_eq!(told(&watched(&engine, &rotated)), all, "parts of each log twice");
}

#[test]
fn an_alert_leads_on_to_its_person_and_commit() {
    let watched = watched(&engine(), &whole());
    let log = Log { store: &watched.store, identities: &watched.identities, zone: TimeZoneChoice::Utc };
    let alert = watched
        .board
        .list()
        .iter()
        .find(|alert| watched.board.engine().rule(alert.rule).title == ROLLED_BACK.1);
    let alert = alert.expect("the rollback");
    assert_eq!((alert.subject.user.as_str(), alert.subject.verb.as_str()), ("alice@example.com", "rollback"));
    assert!(watched.board.rules_of(alert.newest).contains(&alert.rule), "its row is marked");
    let chain = Chain::of(&log, alert.newest).expect("it is held");
    let end = format!("{:?}", chain.end);
    assert!(end.contains("alice@example.com asked Argo CD for it") && end.contains("34c5f9e8"), "{end}");
    assert!(!chain.effects.is_empty(), "the delete that it set off");
}

/// A patch by hand of two deployments that Argo CD applies.
fn changes_by_hand() -> Vec<String> {
    let patch = KUBE
        .lines()
        .find(|line| line.contains("dana@example.com") && line.contains("\"patch\""))
        .expect("a patch");
    let change = |id: &str, name: &str, clock: &str| {
        let mut event: serde_json::Value = serde_json::from_str(patch).expect("JSON");
        event["auditID"] = id.into();
        event["objectRef"]["name"] = name.into();
        event["requestURI"] = format!("/apis/apps/v1/namespaces/production/deployments/{name}").into();
        for time in ["requestReceivedTimestamp", "stageTimestamp"] {
            event[time] = format!("2026-05-04T{clock}.000000Z").into();
        }
        event.to_string()
    };
    vec![change("d-1", "nginx-deployment", "16:05:00"), change("d-2", "frontend-app", "16:06:00")]
}

#[test]
fn files_of_which_few_lines_are_kept_tell_the_same_as_a_pipe() {
    let changed = [KUBE, &changes_by_hand().join("\n"), "\n"].concat();
    let folder = tempfile::tempdir().expect("a folder");
    let mut paths = Vec::new();
    for (name, text) in [("kube.jsonl", changed.as_str()), ("argocd.log", ARGOCD), ("rancher.log", RANCHER)] {
        paths.push(folder.path().join(name));
        std::fs::write(&paths[paths.len() - 1], text).expect("a log");
    }
    let alerts = |paths: &[&std::path::Path], input: String| -> Vec<serde_json::Value> {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kauditui"));
        command.args(["alerts", "-o", "jsonl", "--config", "/dev/null"]).args(paths).write_stdin(input);
        let output = command.output().expect("it runs");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let told = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        told.collect()
    };
    let paths: Vec<&std::path::Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
    let from_files = alerts(&paths, String::new());
    let from_pipe = alerts(&[std::path::Path::new("-")], [changed.as_str(), ARGOCD, RANCHER].concat());
    assert_eq!(from_files, from_pipe);
    let contradicts =
        |alert: &&serde_json::Value| alert["contradicts"].as_array().is_some_and(|all| all.len() == 2);
    assert_eq!(from_files.iter().filter(contradicts).count(), 1, "{from_files:#?}");
}

#[test]
fn a_change_outside_gitops_names_the_sync_that_it_contradicts() {
    let mut parts = whole();
    parts.push((changes_by_hand(), false));
    let watched = watched(&engine(), &parts);
    let outside = |alert: &&kauditui::detect::Alert| {
        watched.board.engine().rule(alert.rule).state == Some(StateDetection::OutsideGitops)
    };
    let alert = watched.board.list().iter().find(outside).expect("the changes");
    assert_eq!(alert.count, 2);
    let log = Log { store: &watched.store, identities: &watched.identities, zone: TimeZoneChoice::Utc };
    let told: Vec<String> =
        contradictions(&log, &watched.board.events(alert)).iter().map(|found| found.in_words(&log)).collect();
    let repository = "https://git.example.com/novel/deploy.git";
    assert_eq!(
        told,
        [
            format!(
                "deployments/production/frontend-app contradicts the sync of frontend-app at 16:02:30.000Z, commit \
                 34c5f9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2 of {repository} (initiated by alice@example.com)"
            ),
            format!(
                "deployments/production/nginx-deployment contradicts the sync of nginx-app at 16:02:29.000Z, commit \
                 7b6a5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b of {repository} (Argo CD by itself)"
            ),
        ]
    );
}

#[test]
fn a_rule_over_a_log_that_is_not_open_says_so() {
    let engine = engine();
    let of = |parts: &[(Vec<String>, bool)], log: LogKind| -> BTreeSet<String> {
        let told = readiness(&engine, &watched(&engine, parts).store);
        let of_log = engine.rules().iter().zip(&told).filter(|(info, _)| info.log == log);
        of_log
            .filter(|(_, ready)| matches!(ready, Readiness::NeedsLog { .. }))
            .map(|(_, ready)| ready.to_string())
            .collect()
    };
    let kube = [(lines(KUBE), false)];
    assert_eq!(of(&kube, LogKind::ArgoCd), BTreeSet::from(["needs Argo CD's log".to_owned()]));
    assert_eq!(of(&kube, LogKind::Kube), BTreeSet::new());
    assert_eq!(
        of(&[(lines(ARGOCD), false)], LogKind::Kube),
        BTreeSet::from(["needs an API server's log".to_owned()])
    );
    assert_eq!(of(&[(lines(ARGOCD), false)], LogKind::ArgoCd), BTreeSet::new());
}

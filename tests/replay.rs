//! Sessions of the recorded incident and the kubectl lines of what was written in them, at each of the three audit
//! levels. What jq says of the same log stands beside it, and is asked again where jq is installed.
//!
//! The logs are in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::app::batch;
use kauditui::model::{EventId, is_mutating_subresource, is_write_verb};
use kauditui::store::Store;
use kauditui::trace::{KubectlLine, Request, SESSION_GAP, Session, kubectl, select, session_lines, sessions};

/// A recorded log, unless it is missing.
fn log(name: &str) -> Option<(PathBuf, Store)> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("data/kube").join(name);
    if !path.is_file() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: {name} needs ../shared");
        return None;
    }
    let mut store = Store::new();
    store.push(*batch(&fs::read_to_string(&path).expect("a recorded log"), 1));
    Some((path, store))
}

/// What jq says, sorted; `None` where there is no jq.
fn jq(program: &str, path: &Path) -> Option<Vec<String>> {
    let mut command = Command::new("jq");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-rs", "-L", "tests/data", program]).arg(path);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: jq is not installed");
            return None;
        }
        Err(error) => panic!("jq: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    Some(lines)
}

fn requests(store: &Store) -> impl Iterator<Item = EventId> {
    store.entries().flat_map(|(number, entry)| {
        let rows: Vec<u32> = select::shown(entry).iter().collect();
        rows.into_iter().map(move |row| EventId::new(number, row))
    })
}

/// The session of a user from an address; there is one of each in these logs, which take two and a half minutes.
fn session_of(store: &Store, user: &str, source_ip: &str) -> Session {
    let own = |session: &Session| session.source_ip == source_ip && session.actor == user;
    let mut found: Vec<Session> = sessions(store, user, SESSION_GAP).into_iter().filter(own).collect();
    found.retain(|session| session.impersonated.is_empty());
    assert_eq!(found.len(), 1, "{user} from {source_ip}");
    found.remove(0)
}

/// Each write as a command line, with what it lacks behind `#`.
fn told(store: &Store, user: &str, source_ip: &str) -> Vec<String> {
    let told = |(_, line): (EventId, KubectlLine)| match line.is_exact() {
        true => line.command(),
        false => format!("{} # {}", line.command(), line.why_not_exact.join("; ")),
    };
    session_lines(store, &session_of(store, user, source_ip), false).into_iter().map(told).collect()
}

/// Requests by who made them as whom from where with which tool: how many, how many failed, how many wrote.
/// (`kubectl-dispatcher` is kubectl, too.)
const SESSIONS: &str = r#"include "audit"; [requests]
  | group_by([.user.username, .impersonatedUser.username, ip, (.userAgent // "" | . / "/" | .[0] | if . == "kubectl-dispatcher" then "kubectl" else . end)])
  | .[] | [(.[0] | .user.username // "", .impersonatedUser.username // "", ip), length, (map(select(failed)) | length),
           (map(select(is_write and (.requestURI | contains("dryRun=All") | not))) | length)]
  | map(tostring) | join("|")"#;

#[test]
fn sessions_are_what_jq_groups() {
    for name in ["incident-full.jsonl", "incident-meta.jsonl", "incident-lowwrite.jsonl"] {
        let Some((path, store)) = log(name) else { return };
        let users: BTreeSet<String> =
            requests(&store).filter_map(|id| Some(Request::of(&store, id)?.user)).collect();
        let mut lines = Vec::new();
        for user in &users {
            // Those in which somebody else acted as this user are that one's, too.
            for session in sessions(&store, user, SESSION_GAP).iter().filter(|s| s.actor == *user) {
                let Session { actor, impersonated, source_ip, requests, failures, writes, .. } = session;
                lines.push(format!(
                    "{actor}|{impersonated}|{source_ip}|{}|{failures}|{writes}",
                    requests.len()
                ));
                assert!(session.first <= session.last);
            }
        }
        lines.sort();
        assert!(lines.len() >= 30, "{name}: {}", lines.len());
        if let Some(wanted) = jq(SESSIONS, &path) {
            assert_eq!(lines, wanted, "{name}");
        }
    }
}

#[test]
fn who_acted_as_somebody_has_a_session_of_its_own() {
    let Some((_, store)) = log("incident-full.jsonl") else { return };
    let as_admin = sessions(&store, "admin@example.com", SESSION_GAP);
    let others: Vec<_> = as_admin.iter().filter(|session| session.actor != "admin@example.com").collect();
    let [session] = others.as_slice() else { panic!("{others:?}") };
    assert_eq!((&*session.actor, &*session.source_ip), ("mallory@example.com", "203.0.113.66"));
}

#[test]
fn a_stolen_token_is_a_session_of_its_own() {
    let Some((path, store)) = log("incident-full.jsonl") else { return };
    let argocd = "system:serviceaccount:argocd:argocd-application-controller";
    let (usual, stolen) =
        (session_of(&store, argocd, "10.244.3.15"), session_of(&store, argocd, "203.0.113.66"));
    assert_eq!((&*usual.tool, &*stolen.tool), ("argocd", "kubectl"));
    assert_eq!((usual.requests.len(), stolen.requests.len()), (108, 5));
    let credentials = [usual.credentials, stolen.credentials].concat();
    let asked = jq(
        r#"include "audit"; [requests | select(.user.username == "system:serviceaccount:argocd:argocd-application-controller")
             | .user.extra["authentication.kubernetes.io/credential-id"][0]] | unique[]"#,
        &path,
    );
    if let Some(mut wanted) = asked {
        wanted.sort();
        let mut found = credentials;
        found.sort();
        assert_eq!(found, wanted);
    }
    assert_eq!(
        told(&store, argocd, "203.0.113.66"),
        [
            "kubectl -n production delete deployment/novelapp",
            "kubectl -n production delete configmap/novelapp-config",
        ]
    );
}

/// What bob wrote: verb, object, and body.
const BOB: &str = r#"include "audit"; requests
  | select(.user.username == "bob@example.com" and ip == "10.20.0.12" and is_write)
  | "\(.stageTimestamp) \(.verb) \(.objectRef.resource)/\(.objectRef.subresource // "") \(.objectRef.name | sub("-[a-z0-9]+-[a-z0-9]{5}$"; "")) \(.requestObject.data // .requestObject.spec.template.spec.containers[0].env // .requestObject.propagationPolicy)"
  | .[28:]"#;

#[test]
fn what_bob_did_at_full() {
    let Some((path, store)) = log("incident-full.jsonl") else { return };
    assert_eq!(
        told(&store, "bob@example.com", "10.20.0.12"),
        [
            r#"kubectl -n production patch configmap/novelapp-config --type=merge -p '{"data":{"FEATURE_X":"on","DB_HOST":"10.0.0.99"}}'"#,
            "kubectl -n production set env deployment/novelapp DB_HOST=10.0.0.99",
            "kubectl -n production delete deployment/frontend",
            "kubectl -n production exec -c web pod/cart-b5b8d47f4-5n8rk -- ls",
        ]
    );
    if let Some(said) = jq(BOB, &path) {
        let wanted = [
            r#"delete deployments/ frontend Background"#,
            r#"get pods/exec cart null"#,
            r#"patch configmaps/ novelapp-config {"FEATURE_X":"on","DB_HOST":"10.0.0.99"}"#,
            r#"patch deployments/ novelapp [{"name":"DB_HOST","value":"10.0.0.99"}]"#,
        ];
        assert_eq!(said, wanted);
    }
}

#[test]
fn what_bob_did_where_bodies_are_missing() {
    let unknown = [
        "kubectl -n production patch configmap/novelapp-config -p BODY # its body is not in the log",
        "kubectl -n production patch deployment/novelapp -p BODY # its body is not in the log; its field manager is kubectl set",
        "kubectl -n production delete deployment/frontend # its options are not in the log",
    ];
    for (name, requests) in [("incident-meta.jsonl", 4), ("incident-lowwrite.jsonl", 3)] {
        let Some((path, store)) = log(name) else { return };
        let told = told(&store, "bob@example.com", "10.20.0.12");
        assert_eq!(told[..3], unknown, "{name}");
        assert_eq!(told.len(), requests, "{name}: exec is a read to the policy that logs writes only");
        if let Some(said) = jq(BOB, &path) {
            assert_eq!(said.len(), requests, "{name}");
            assert!(said.iter().all(|line| line.ends_with(" null")), "{said:?}");
        }
    }
}

#[test]
fn what_alice_and_mallory_did() {
    let Some((_, store)) = log("incident-full.jsonl") else { return };
    let scaled = ["kubectl -n production scale deployment/frontend --replicas=4"];
    assert_eq!(told(&store, "alice@example.com", "10.20.0.11"), scaled);
    let mallory = told(&store, "mallory@example.com", "203.0.113.66");
    for line in [
        "kubectl auth can-i --list -n production",
        "kubectl -n kube-system create serviceaccount backdoor",
        "kubectl create clusterrolebinding sys-metrics --clusterrole=cluster-admin --serviceaccount=kube-system:backdoor",
        "kubectl -n kube-system create token backdoor --duration=86400s",
        "kubectl -n production exec -c web pod/cart-b5b8d47f4-5n8rk -- sh -c 'cat /var/run/secrets/kubernetes.io/serviceaccount/token'",
        "kubectl certificate approve certificatesigningrequest/mallory-client",
        "kubectl delete mutatingwebhookconfiguration/sidecar-inject",
    ] {
        assert!(mallory.iter().any(|told| told == line), "{line} is not in {mallory:#?}");
    }
    let admin = told(&store, "admin@example.com", "10.20.0.5");
    let granted =
        "kubectl create clusterrolebinding temp-debug --clusterrole=cluster-admin --user=mallory@example.com";
    assert!(admin.iter().any(|told| told == granted), "{admin:#?}");
}

#[test]
fn every_write_has_a_line_and_none_shows_a_secret() {
    let secrets =
        ["aHVudGVyMi12ZXJ5LXNlY3JldA==", "hunter2-very-secret", "c2tfbGl2ZV9hYmNkZWYxMjM0NTY=", "sk_live_"];
    let mut shown_when_revealed = 0;
    for name in [
        "incident-full.jsonl",
        "incident-meta.jsonl",
        "incident-lowwrite.jsonl",
        "ordinary-full.jsonl",
        "ordinary-meta.jsonl",
    ] {
        let Some((_, store)) = log(name) else { return };
        let (mut writes, mut exact) = (0, 0);
        for id in requests(&store) {
            let request = Request::read(&store, id).expect("a held row");
            if !is_write_verb(&request.verb) && !is_mutating_subresource(&request.subresource) {
                continue;
            }
            writes += 1;
            let line = kubectl(&request, None, false).unwrap_or_else(|| panic!("no line: {request:?}"));
            let text = line.to_string();
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
            exact += u32::from(line.is_exact());
            let revealed = kubectl(&request, None, true).expect("a line").to_string();
            shown_when_revealed += u32::from(secrets.iter().any(|secret| revealed.contains(secret)));
        }
        println!("{name}: {writes} writes, {exact} lines exact");
        assert!(writes > 400, "{name}: {writes}");
        // Without bodies hardly anything is known wholly.
        assert!(if name.contains("full") { exact * 2 >= writes - 5 } else { exact < 10 }, "{name}: {exact}");
    }
    assert!(shown_when_revealed >= 2, "the secrets are in the log: {shown_when_revealed}");
}

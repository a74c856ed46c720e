//! Why requests of the recorded incident were allowed or refused, at each of its three audit levels, and the roles that
//! the refusals lead to. Beside each expectation stands the jq command that says the same; where jq is installed, it is
//! asked.
//!
//! The logs are in `$KAUDITUI_SHARED/data/kube`, or in `../shared/data/kube` beside the checkout.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use common::app::batch;
use kauditui::identity::Identities;
use kauditui::model::TimeZoneChoice;
use kauditui::store::{Field, Store};
use kauditui::trace::access::{Allowed, AllowedBy, ChangeKind, Refused, request_access, webhook_effects};
use kauditui::trace::select::requests_with;
use kauditui::trace::{Certainty, Log, Request};
use serde_json::{Value, json};

const MALLORY: &str = "mallory@example.com";
const BACKDOOR: &str = "system:serviceaccount:kube-system:backdoor";
const READABLE: [&str; 2] = ["full", "meta"];
const ALL: [&str; 3] = ["full", "meta", "lowwrite"];

/// The log of this level, unless the shared folder is missing.
fn recorded(level: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join(format!("data/kube/incident-{level}.jsonl"));
    if !path.is_file() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: incident-{level} needs ../shared");
        return None;
    }
    Some(path)
}

/// What `jq -rs PROGRAM LOG` says must be the expectation; nothing is checked where jq is missing.
fn jq(path: &Path, program: &str, expected: &[&str]) {
    let Ok(output) = Command::new("jq").args(["-rs", program]).arg(path).output() else {
        println!("skipped: jq is not installed");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{program} {}", path.display());
}

/// Exit code, output and notes of `kauditui rbac`.
fn rbac(path: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("kauditui").expect("the binary is built with its tests");
    command.arg("rbac").args(arguments).args(["--config", "/dev/null"]).arg(path);
    let output = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn rbac_json(path: &Path, user: &str, more: &[&str]) -> Value {
    let (code, text, notes) = rbac(path, &[&["--user", user, "-o", "json"], more].concat());
    assert_eq!(code, 0, "{notes}");
    serde_json::from_str(&text).expect("JSON")
}

/// Refusals as `count verb resource.group namespace`.
fn refused(answer: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or("-").to_owned();
    let all = answer["refusals"].as_array().expect("an array").iter();
    let mut lines: Vec<String> = all
        .map(|refusal| {
            let [verb, resource, group, namespace] =
                ["verb", "resource", "apiGroup", "namespace"].map(|key| text(refusal, key));
            format!("{} {verb} {resource} {group} {namespace}", refusal["count"])
        })
        .collect();
    lines.sort();
    lines
}

/// The same lines by jq, for one user.
fn jq_refused(user: &str) -> String {
    format!(
        r#"[.[] | select(.stage == "ResponseComplete" and .user.username == "{user}"
               and .annotations["authorization.k8s.io/decision"] == "forbid")
           | "\(.verb) \(.objectRef.resource) \(.objectRef.apiGroup // "-") \(.objectRef.namespace // "-")"]
           | group_by(.)[] | "\(length) \(.[0])""#
    )
}

/// The rules of a manifest.
fn rules<'a>(answer: &'a Value, kind: &str, namespace: Option<&str>) -> Option<&'a Value> {
    let found = answer["manifests"]
        .as_array()?
        .iter()
        .find(|manifest| manifest["kind"] == kind && manifest["metadata"]["namespace"].as_str() == namespace);
    found.map(|manifest| &manifest["rules"])
}

#[test]
fn mallorys_first_refusals_make_the_least_role() {
    let mut expected = vec![
        "1 list configmaps - -",
        "1 list configmaps - production",
        "1 list deployments apps -",
        "1 list deployments apps production",
        "1 list pods - -",
        "1 list pods - production",
        "1 list secrets - -",
        "1 list secrets - production",
        "2 list clusterroles rbac.authorization.k8s.io -",
        "2 list nodes - -",
    ];
    expected.sort_unstable();
    for level in READABLE {
        let Some(path) = recorded(level) else { return };
        jq(&path, &format!("[{}] | sort[]", jq_refused(MALLORY)), &expected);
        let answer = rbac_json(&path, MALLORY, &[]);
        assert_eq!(refused(&answer), expected);
        let given = rules(&answer, "ClusterRole", None).expect("a ClusterRole");
        assert_eq!(
            given,
            &json!([
                {"apiGroups": [""], "resources": ["configmaps", "nodes", "pods", "secrets"], "verbs": ["list"]},
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
                {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["list"]},
            ])
        );
        // What it asked of production, the ClusterRole gives: a Role there would give nothing.
        assert_eq!(answer["manifests"].as_array().map(Vec::len), Some(2));
        assert_eq!(answer["manifests"][0]["metadata"], json!({"name": "kauditui-mallory-example-com"}));
        let remarks = answer["remarks"].to_string();
        assert!(remarks.contains("From 12 refusals of mallory@example.com"), "{remarks}");
        assert!(
            remarks.contains("In namespace production, the ClusterRole already gives: list"),
            "{remarks}"
        );
    }
}

#[test]
fn a_log_of_writes_cannot_tell_of_refused_reads() {
    let Some(path) = recorded("lowwrite") else { return };
    jq(&path, r#"map(select(.verb | IN("get", "list", "watch"))) | length"#, &["0"]);
    jq(&path, &jq_refused(MALLORY), &[]);
    let (code, yaml, _) = rbac(&path, &["--user", MALLORY, "-o", "yaml"]);
    assert_eq!(code, 0);
    assert!(
        yaml.starts_with("# A role for mallory@example.com cannot be known, because this log holds no read")
    );
    assert_eq!(yaml.lines().count(), 1, "{yaml}");
    let answer = rbac_json(&path, MALLORY, &[]);
    assert_eq!((&answer["readsLogged"], &answer["manifests"]), (&json!(false), &json!([])));
    // What it wrote can be told, and that the reads are missing.
    let used = rbac_json(&path, MALLORY, &["--used"]);
    assert!(used["remarks"].to_string().contains("What it read cannot be known, because"), "{used}");
    let verbs: BTreeSet<&str> = used["manifests"]
        .as_array()
        .expect("an array")
        .iter()
        .flat_map(|manifest| manifest["rules"].as_array().into_iter().flatten())
        .flat_map(|rule| rule["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    assert_eq!(verbs, BTreeSet::from(["create", "delete", "update"]));
}

#[test]
fn alice_was_refused_secrets_in_kube_system() {
    for level in READABLE {
        let Some(path) = recorded(level) else { return };
        let secrets = format!(r#"[{}] | map(select(test("secrets")))[]"#, jq_refused("alice@example.com"));
        jq(&path, &secrets, &["1 list secrets - kube-system"]);
        let answer = rbac_json(&path, "alice@example.com", &[]);
        assert!(refused(&answer).contains(&"1 list secrets - kube-system".to_owned()), "{answer}");
        assert_eq!(
            rules(&answer, "Role", Some("kube-system")),
            Some(&json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]))
        );
        assert_eq!(rules(&answer, "ClusterRole", None), None);
    }
}

/// A log with its index.
struct Held {
    store: Store,
    identities: Identities,
}

impl Held {
    fn new(text: &str) -> Held {
        let mut store = Store::new();
        store.push(*batch(text, 1));
        let mut identities = Identities::default();
        identities.update(&store);
        Held { store, identities }
    }

    fn log(&self) -> Log<'_> {
        Log { store: &self.store, identities: &self.identities, zone: TimeZoneChoice::Utc }
    }

    /// The requests of a user that this binding let in, the earliest first.
    fn allowed_by(&self, user: &str, binding: &str) -> Vec<Request> {
        let ids = requests_with(&self.store, &[(Field::User, user)]);
        let wanted = format!("RBAC: allowed by ClusterRoleBinding \"{binding}\" ");
        let requests = ids.into_iter().filter_map(|id| Request::read(&self.store, id));
        requests.filter(|request| request.decision_reason.starts_with(&wanted)).collect()
    }
}

fn said(allowed: &Allowed) -> Vec<String> {
    let changes =
        allowed.before.iter().map(|c| ("before", c)).chain(allowed.after.iter().map(|c| ("after", c)));
    let bindings = changes.filter(|(_, change)| !change.is_role);
    bindings
        .map(|(when, change)| {
            let request = &change.request;
            format!("{when} {} {} {}", request.verb, request.object.name, request.user)
        })
        .collect()
}

/// Successful writes to a binding, as `verb name user`.
fn jq_writes(binding: &str) -> String {
    format!(
        r#".[] | select(.stage == "ResponseComplete" and .objectRef.resource == "clusterrolebindings"
              and .objectRef.name == "{binding}" and .responseStatus.code < 300 and .verb != "get")
          | "\(.verb) \(.objectRef.name) \(.user.username)""#
    )
}

#[test]
fn temp_debug_let_mallory_in_and_admin_made_it() {
    for level in ALL {
        let Some(path) = recorded(level) else { return };
        jq(
            &path,
            &jq_writes("temp-debug"),
            &["create temp-debug admin@example.com", "delete temp-debug admin@example.com"],
        );
        let held = Held::new(&fs::read_to_string(&path).expect("the log"));
        let log = held.log();
        let requests = held.allowed_by(MALLORY, "temp-debug");
        let allowed = Allowed::of(&log, &requests[0]).expect("it was allowed");
        let AllowedBy::Grant(granted) = &allowed.by else { panic!("{level}: {:?}", allowed.by) };
        assert_eq!((granted.role_kind.as_str(), granted.role.as_str()), ("ClusterRole", "cluster-admin"));
        assert_eq!((granted.subject_kind.as_str(), granted.subject.as_str()), ("User", MALLORY));
        assert_eq!((allowed.certainty, allowed.unchanged_since), (Certainty::Certain, None));
        assert_eq!(
            said(&allowed),
            ["before create temp-debug admin@example.com", "after delete temp-debug admin@example.com"]
        );
        assert_eq!(allowed.events().count(), allowed.before.len() + allowed.after.len());
        let told: Vec<String> = request_access(&log, &requests[0]).iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        assert!(
            told.contains("ClusterRoleBinding temp-debug gives ClusterRole cluster-admin to User"),
            "{told}"
        );
        assert!(told.contains("temp-debug was made:"), "{told}");
        assert!(
            told.contains("admin@example.com create clusterrolebindings") && told.contains("10.20.0.5"),
            "{told}"
        );
        assert!(told.contains("temp-debug was removed:"), "{told}");
    }
}

#[test]
fn the_backdoors_binding_was_made_by_mallory() {
    for level in ALL {
        let Some(path) = recorded(level) else { return };
        jq(&path, &jq_writes("sys-metrics"), &["create sys-metrics mallory@example.com"]);
        let as_backdoor = format!(
            r#"map(select(.user.username == "{BACKDOOR}" or .impersonatedUser.username == "{BACKDOOR}")) | length > 0"#
        );
        let reads = level != "lowwrite";
        jq(&path, &as_backdoor, &[if reads { "true" } else { "false" }]);
        for name in [BACKDOOR, "sa:kube-system/backdoor", "kube-system/backdoor"] {
            if !reads {
                let (code, out, notes) = rbac(&path, &["--user", name]);
                assert_eq!((code, out.as_str()), (1, ""), "{notes}");
                assert!(notes.contains(&format!("no request by {BACKDOOR}")), "{notes}");
                continue;
            }
            let answer = rbac_json(&path, name, &["--used"]);
            assert_eq!(answer["user"], BACKDOOR);
            let grants = answer["grants"].as_array().expect("an array");
            let grant = grants.iter().find(|g| g["binding"] == "sys-metrics").expect("it was used");
            assert_eq!(
                (&grant["role"], &grant["subject"], &grant["verbs"], &grant["resources"]),
                (
                    &json!("cluster-admin"),
                    &json!("backdoor/kube-system"),
                    &json!(["list"]),
                    &json!(["pods", "secrets"])
                )
            );
            let made = grant["changes"].as_array().into_iter().flatten().find(|c| c["object"] == "binding");
            assert_eq!(made.map(|c| (&c["change"], &c["user"])), Some((&json!("created"), &json!(MALLORY))));
            // Of all that cluster-admin may, this is what it did.
            let secrets = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]);
            assert_eq!(rules(&answer, "Role", Some("production")), Some(&secrets));
            let pods = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]);
            assert_eq!(rules(&answer, "ClusterRole", None), Some(&pods));
        }
    }
}

#[test]
fn impersonation_is_part_of_what_was_used() {
    for level in READABLE {
        let Some(path) = recorded(level) else { return };
        jq(
            &path,
            &format!(
                r#"[.[] | select(.user.username == "{MALLORY}" and .impersonatedUser) | .impersonatedUser.username] | unique[]"#
            ),
            &["admin@example.com", BACKDOOR],
        );
        let answer = rbac_json(&path, MALLORY, &["--used"]);
        let has = |kind, namespace, resource: &str, name: &str| {
            rules(&answer, kind, namespace).and_then(Value::as_array).is_some_and(|rules| {
                rules.iter().any(|rule| {
                    rule["verbs"] == json!(["impersonate"])
                        && rule["resources"] == json!([resource])
                        && rule["resourceNames"] == json!([name])
                })
            })
        };
        assert!(has("ClusterRole", None, "users", "admin@example.com"), "{answer}");
        assert!(has("ClusterRole", None, "groups", "system:masters"), "{answer}");
        assert!(has("Role", Some("kube-system"), "serviceaccounts", "backdoor"), "{answer}");
    }
}

#[test]
fn what_the_log_does_not_hold_is_said() {
    let Some(path) = recorded("meta") else { return };
    let text = fs::read_to_string(&path).expect("the log");
    let own: String = text
        .lines()
        .filter(|line| line.contains("\"username\":\"mallory"))
        .map(|line| format!("{line}\n"))
        .collect();
    let held = Held::new(&own);
    let request = held.allowed_by(MALLORY, "temp-debug").remove(0);
    let allowed = Allowed::of(&held.log(), &request).expect("it was allowed");
    assert_eq!(allowed.unchanged_since, held.store.order().first_time());
    assert!(allowed.before.is_empty() && allowed.after.is_empty());
    let told = request_access(&held.log(), &request);
    assert!(told.iter().any(|line| line.text.contains("unchanged in the log since")), "{told:?}");
    // Whoever made it needed no binding.
    let held = Held::new(&text);
    let made = requests_with(&held.store, &[(Field::Name, "temp-debug"), (Field::Verb, "create")]);
    let request = Request::read(&held.store, made[0]).expect("a request");
    let allowed = Allowed::of(&held.log(), &request).expect("it was allowed");
    assert_eq!((allowed.by, allowed.unchanged_since), (AllowedBy::SystemMasters, None));
}

#[test]
fn every_refusal_of_the_incident_is_told_apart() {
    for level in ALL {
        let Some(path) = recorded(level) else { return };
        let held = Held::new(&fs::read_to_string(&path).expect("the log"));
        let mut count = std::collections::BTreeMap::new();
        for (number, entry) in held.store.entries() {
            for row in kauditui::trace::select::shown(entry).iter() {
                let id = kauditui::model::EventId::new(number, row);
                if entry.segment().code(row) < 400 {
                    continue;
                }
                let request = Request::read(&held.store, id).expect("it is held");
                if let Some(refused) = Refused::of(&request) {
                    *count.entry(refused.why.kind()).or_insert(0) += 1;
                }
            }
        }
        let found: Vec<String> = count.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        // A request is refused once, however many records tell of it: a watch has two, a failed login one.
        jq(
            &path,
            r#"[group_by(.auditID)[] | .[-1] | select(.responseStatus.code | IN(401, 403))
                | if .responseStatus.code == 401 then "authentication"
                  elif .annotations["authorization.k8s.io/decision"] == "forbid" then "rbac" else "other" end]
                | group_by(.)[] | "\(.[0]) \(length)""#,
            &found,
        );
        assert_eq!(count.contains_key("rbac"), level != "lowwrite", "{level}: {found:?}");
    }
}

/// A request that RBAC refused to a user.
fn forbidden(user: &str, verb: &str, uri: &str, object: Value) -> String {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": format!("{verb} {uri}"),
        "stage": "ResponseComplete", "requestURI": uri, "verb": verb, "user": {"username": user},
        "responseStatus": {"metadata": {}, "code": 403},
        "requestReceivedTimestamp": "2026-11-20T22:00:00.000000Z", "stageTimestamp": "2026-11-20T22:00:00.000000Z",
        "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""},
    });
    if !object.is_null() {
        event["objectRef"] = object;
    }
    event.to_string() + "\n"
}

#[test]
fn nothing_of_a_log_acts_on_whoever_reads_the_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("audit.log");
    let eve = "eve\u{1b}[2J\u{202e}";
    let lines = [
        forbidden("bob", "get", "/x", json!({"resource": "*", "namespace": "a", "apiGroup": "*"})),
        forbidden("bob", "*", "/x", json!({"resource": "pods", "namespace": "a", "name": "x"})),
        forbidden("bob", "get", "/*", Value::Null),
        forbidden("bob", "get", "/metrics?x=1", Value::Null),
        forbidden(
            "bob",
            "get",
            "/y",
            json!({"resource": "pods", "namespace": "a", "name": "x\u{1b}]0;y\u{7}\n`|"}),
        ),
        forbidden(eve, "get", "/y", json!({"resource": "pods", "namespace": "a", "name": "x"})),
    ];
    fs::write(&path, lines.concat()).expect("write the log");
    for user in ["bob", eve] {
        for form in ["table", "json", "yaml", "markdown"] {
            let (code, out, _) = rbac(&path, &["--user", user, "-o", form]);
            assert_eq!(code, 0, "{form}");
            let harmless = |c: char| !c.is_control() && c != '\u{202e}' || c == '\n';
            assert!(out.chars().all(harmless), "{form}: {out:?}");
        }
    }
    let answer = rbac_json(&path, "bob", &[]);
    let metrics = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
    assert_eq!(rules(&answer, "ClusterRole", None), Some(&metrics));
    assert_eq!(answer["manifests"].as_array().map(Vec::len), Some(2), "{answer}");
    assert_eq!(rbac_json(&path, eve, &[])["manifests"], json!([]));
}

#[test]
fn webhooks_are_told_and_their_secrets_are_not() {
    let patch = json!([{"op": "add", "path": "/spec/containers/0/env/0",
        "value": {"name": "DB_PASSWORD", "value": "swordfish-1234"}}]);
    let told = json!({"configuration": "injector", "webhook": "inject.example.com", "patch": patch});
    let mut event: Value = serde_json::from_str(&forbidden(
        "bob",
        "create",
        "/api/v1/namespaces/a/pods",
        json!({"resource": "pods", "namespace": "a", "name": "web"}),
    ))
    .expect("an event");
    event["responseStatus"] = json!({"metadata": {}, "code": 201});
    event["annotations"] = json!({
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding \"edit/a\" of ClusterRole \"edit\" to User \"bob\"",
        "patch.webhook.admission.k8s.io/round_0_index_0": told.to_string(),
        "failed-open.validating.webhook.admission.k8s.io/round_0_index_1": "policy.example.com",
    });
    let held = Held::new(&format!("{event}\n"));
    let ids = requests_with(&held.store, &[(Field::User, "bob")]);
    let request = Request::read(&held.store, ids[0]).expect("a request");
    let effects = webhook_effects(&request);
    assert_eq!(
        effects.iter().map(|effect| (effect.mutated, effect.failed_open)).collect::<Vec<_>>(),
        [(true, false), (false, true)]
    );
    assert_eq!(effects[0].patch, Some(patch));
    let told: Vec<String> = request_access(&held.log(), &request).iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    assert!(told.contains("RoleBinding a/edit gives ClusterRole edit to User bob"), "{told}");
    assert!(
        told.contains("inject.example.com of injector changed it") && told.contains("DB_PASSWORD"),
        "{told}"
    );
    assert!(!told.contains("swordfish"), "{told}");
    assert!(
        told.contains("policy.example.com could not be asked, and the request went on without it"),
        "{told}"
    );
}

fn paths(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                found.insert(path.clone());
                // What is in a manifest is Kubernetes' business.
                if path != "manifests" {
                    paths(value, &path, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{prefix}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_json_is_the_documented_one() {
    let page = include_str!("../docs/json.md");
    let (_, section) = page.split_once("\n## rbac\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let field = |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned());
    let documented: BTreeSet<String> = section.lines().filter_map(field).collect();
    let Some(path) = recorded("full") else { return };
    let mut found = BTreeSet::new();
    let users = [
        MALLORY,
        "alice@example.com",
        "admin@example.com",
        "system:anonymous",
        "system:kube-scheduler",
        BACKDOOR,
    ];
    for user in users {
        paths(&rbac_json(&path, user, &[]), "", &mut found);
    }
    let undocumented: Vec<_> = found.difference(&documented).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
    // Neither another authorizer, a RoleBinding, nor a binding made as somebody else is in the incident.
    let rare = BTreeSet::from(
        ["grants[].reason", "grants[].namespace", "grants[].changes[].impersonatedUser"].map(str::to_owned),
    );
    let missing: Vec<_> = documented.difference(&found).filter(|field| !rare.contains(*field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn changes_say_what_became_of_a_binding() {
    let Some(path) = recorded("meta") else { return };
    let held = Held::new(&fs::read_to_string(&path).expect("the log"));
    let requests = held.allowed_by(MALLORY, "temp-debug");
    let allowed = Allowed::of(&held.log(), &requests[0]).expect("it was allowed");
    let kinds: Vec<_> = allowed.before.iter().map(|change| (change.is_role, change.kind)).collect();
    assert_eq!(kinds, [(true, ChangeKind::Created), (false, ChangeKind::Created)]);
    assert_eq!(allowed.after.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Deleted]);
}

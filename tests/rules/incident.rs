//! What the pack must say about the recorded incident, whose story `../shared/README.md` tells.

use std::collections::{BTreeMap, BTreeSet};

use crate::pack::{self, Severity};
use crate::{fired, shared, subject};

use Severity::{Critical, High, Medium};

const ATTACKER: &str = "mallory@example.com";
const ADMINISTRATOR: &str = "admin@example.com";
const STOLEN: &str = "system:serviceaccount:argocd:argocd-application-controller";
const BACKDOOR: &str = "system:serviceaccount:kube-system:backdoor";

/// Rule (its file), who set it off, and its severity; seen whatever the policy keeps of writes.
const IN_EVERY_LOG: [(&str, &str, Severity); 18] = [
    // The second token of Argo CD's account, and what was deleted with it.
    ("token-minted", ADMINISTRATOR, Medium),
    ("service-account-from-public-address", STOLEN, High),
    ("service-account-by-hand", STOLEN, Medium),
    ("deleted-by-person", STOLEN, Medium),
    // frontend, deleted by mistake.
    ("deleted-by-person", "bob@example.com", Medium),
    // The binding temp-debug, made and removed.
    ("rbac-written-by-person", ADMINISTRATOR, Medium),
    // The back door.
    ("service-account-in-system-namespace", ATTACKER, Medium),
    ("rbac-written-by-person", ATTACKER, Medium),
    ("token-minted-in-kube-system", ATTACKER, High),
    ("pod-in-system-namespace", ATTACKER, Medium),
    ("scheduled-work-in-system-namespace", ATTACKER, Medium),
    ("rbac-then-workload", ATTACKER, High),
    // The webhook, made and removed.
    ("admission-changed", ATTACKER, Medium),
    // The certificate.
    ("client-certificate-requested", ATTACKER, Medium),
    ("client-certificate-approved", ATTACKER, Medium),
    ("own-certificate-approved", ATTACKER, High),
    // scratch, and what was in it.
    ("deleted-by-person", ADMINISTRATOR, Medium),
    ("token-minted", ADMINISTRATOR, Medium),
];

/// Where reads, refusals and core events are kept.
const WITH_READS: [(&str, &str, Severity); 14] = [
    ("denials-over-resources", ATTACKER, Medium),
    ("wide-discovery-sweep", ATTACKER, Medium),
    ("permission-probing", ATTACKER, Medium),
    ("denials-from-public-address", ATTACKER, Medium),
    ("unauthenticated-probing", "", Medium),
    ("all-secrets-listed", ATTACKER, Critical),
    ("exec-into-pod", ATTACKER, Medium),
    ("exec-reads-credentials", ATTACKER, High),
    ("kubelet-through-nodes-proxy", ATTACKER, Medium),
    ("service-account-from-public-address", BACKDOOR, High),
    ("service-account-by-hand", BACKDOOR, Medium),
    ("privileged-identity-impersonated", ATTACKER, High),
    ("secret-read-through-impersonation", ATTACKER, Medium),
    ("events-deleted", ATTACKER, Medium),
];

/// Where bodies are kept as well.
const WITH_BODIES: [(&str, &str, Severity); 12] = [
    ("binding-to-cluster-admin", ADMINISTRATOR, High),
    ("binding-to-cluster-admin", ATTACKER, High),
    ("privileged-container", ATTACKER, High),
    ("host-pid", ATTACKER, High),
    ("host-network", ATTACKER, Medium),
    ("sensitive-host-path", ATTACKER, High),
    ("dangerous-capability", ATTACKER, High),
    ("miner-or-attack-image", ATTACKER, High),
    ("container-runs-payload", ATTACKER, High),
    ("webhook-to-outside", ATTACKER, High),
    ("role-reads-secrets", ADMINISTRATOR, Medium),
    ("binding-to-namespace-admin", ADMINISTRATOR, Medium),
];

#[test]
fn the_incident_is_told_at_every_audit_level() {
    let subjects: BTreeMap<String, String> =
        pack::files().iter().map(|file| (file.name.clone(), title(file))).collect();
    let parts: [&[_]; 3] = [&IN_EVERY_LOG, &WITH_READS, &WITH_BODIES];
    for (log, parts) in
        [("incident-lowwrite", &parts[..1]), ("incident-meta", &parts[..2]), ("incident-full", &parts)]
    {
        let Some(events) = shared(&format!("kube/{log}.jsonl")) else { return };
        let fired = fired(&events);
        for (rule, actor, least) in parts.iter().copied().flatten() {
            let told = fired
                .keys()
                .any(|(level, title, who)| *title == subjects[*rule] && who == actor && level.0 >= *least);
            assert!(told, "{log}: {rule} says nothing of {actor:?}");
        }
    }
}

/// Makes another cluster of a recorded line.
pub fn renamed(text: &str) -> String {
    RENAMED.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// People, service accounts, namespaces and addresses of the incident, and what they are called in another cluster.
const RENAMED: [(&str, &str); 14] = [
    ("mallory@example.com", "quentin@corp.example"),
    ("admin@example.com", "rosa@corp.example"),
    ("alice@example.com", "sven@corp.example"),
    ("bob@example.com", "tara@corp.example"),
    ("oidc:carol@example.com", "uma"),
    ("argocd:argocd-application-controller", "delivery:deployer"),
    (r#""name":"argocd-application-controller""#, r#""name":"deployer""#),
    ("serviceaccounts/argocd-application-controller/", "serviceaccounts/deployer/"),
    ("/argocd/", "/delivery/"),
    (r#":"argocd""#, r#":"delivery""#),
    ("backdoor", "kube-helper"),
    ("production", "web"),
    ("203.0.113.66", "198.51.100.23"),
    ("10.20.0.", "172.16.9."),
];

#[test]
fn other_names_make_the_same_alerts() {
    let Some(events) = shared("kube/incident-meta.jsonl") else { return };
    let elsewhere: Vec<_> = events
        .iter()
        .map(|event| serde_json::from_str(&renamed(&event.to_string())).expect("names are plain text"))
        .collect();
    assert_ne!(events, elsewhere);
    let alerts = |events: &[serde_json::Value],
                  name: &dyn Fn(&str) -> String|
     -> BTreeSet<(Severity, String, String)> {
        let alerts = fired(events).into_keys().filter(|(level, ..)| level.0 >= Medium);
        alerts.map(|(level, title, actor)| (level.0, title, name(&actor))).collect()
    };
    assert_eq!(alerts(&events, &renamed), alerts(&elsewhere, &str::to_owned));
}

fn title(file: &pack::RuleFile) -> String {
    let id = Some(subject(file));
    let rules = file.rules.rules.iter().map(|rule| (&rule.id, &rule.title));
    let correlations = file.rules.correlations.iter().map(|rule| (&rule.id, &rule.title));
    rules
        .chain(correlations)
        .find(|(other, _)| **other == id)
        .map(|(_, title)| title.clone())
        .expect("a title")
}

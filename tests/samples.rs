//! Reads every file of the shared sample folder: those in Kubernetes' own shape with pinned counts, all without a
//! panic. The counts were taken with Python's json module, not with this program.
//!
//! The folder is `$KAUDITUI_SHARED/data/samples`, or `../shared/data/samples` beside the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, LogKind};

#[derive(Default)]
struct Counted {
    events: usize,
    without_time: usize,
    unreadable: Vec<Unreadable>,
}

impl Sink for Counted {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        assert!(!event.verb.is_empty() || !event.audit_id.is_empty());
        let is_object = (text.first(), text.last()) == (Some(&b'{'), Some(&b'}'));
        assert!(is_object || event.log != LogKind::Kube);
        self.events += 1;
        self.without_time += usize::from(event.stage_time.is_none());
    }

    fn unreadable(&mut self, kind: Unreadable, _: &[u8]) {
        self.unreadable.push(kind);
    }
}

fn counted(path: &Path) -> Counted {
    let text = fs::read(path).expect("a sample file");
    let (mut reader, mut counted) = (Reader::new(), Counted::default());
    reader.read(&text, &mut counted);
    reader.finish(&mut counted);
    counted
}

fn samples() -> Option<PathBuf> {
    let shared = std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let samples = shared.join("data/samples");
    if !samples.is_dir() {
        assert!(std::env::var_os("KAUDITUI_REQUIRE_SHARED").is_none(), "the shared folder must be there");
        println!("skipped: 1 check needs ../shared");
        return None;
    }
    Some(samples)
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a sample folder") {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Files in native shape: events, and of these without a time; then how many stretches are unreadable, all of one kind.
const NATIVE: &[(&str, usize, usize, &[Unreadable])] = &[
    ("ConfigButler-gitops-reverser/audit-deletecollection-official-raw-hollow.json", 1, 0, &[]),
    ("ConfigButler-gitops-reverser/audit-deletecollection-official-teardown-hollow.json", 1, 0, &[]),
    ("ConfigButler-gitops-reverser/audit-deletecollection-proxy-raw-listbody.json", 1, 0, &[]),
    ("ConfigButler-gitops-reverser/audit-deletecollection-proxy-teardown-deleteoptions.json", 1, 0, &[]),
    ("ConfigButler-gitops-reverser/deployment-scale-subresource.json", 1, 1, &[]),
    ("GoogleCloudPlatform-khi/oss.ndjson", 1, 0, &[]),
    ("afcollins-kube-audit-log-tool/single-event.json", 1, 0, &[]),
    ("articles/000-1.json", 1, 0, &[]),
    ("articles/000-2.json", 1, 0, &[]),
    ("articles/000-3.json", 1, 0, &[]),
    ("articles/000-4.json", 1, 1, &[]),
    ("articles/000-5.json", 1, 1, &[]),
    ("articles/000-6.json", 1, 1, &[]),
    ("articles/002-1.json", 1, 0, &[]),
    ("articles/003-1.json", 1, 0, &[]),
    ("elastic-integrations/test-audit.log", 2, 0, &[Unreadable::NotAnAuditEvent; 2]),
    ("falcosecurity-falco/create_configmap_sensitive_values.json", 6, 0, &[]),
    ("falcosecurity-falco/fal_01_003.json", 0, 0, &[Unreadable::NotAnAuditEvent]),
    ("liggitt-audit2rbac/demo.log", 37, 0, &[]),
    ("openshift-cluster-logging-operator/viaq-audit.ndjson", 2, 0, &[]),
    ("openshift-openshift-docs/api-and-oauth-audit.ndjson", 5, 0, &[]),
    ("openshift-openshift-docs/oauth-server-node-prefixed.log", 3, 0, &[]),
    ("rancher-rancher-issues/kube-audit-via-rancher-proxy-TRUNCATED.log", 0, 0, &[Unreadable::CutShort]),
    ("splunk-security_content/example_log.json", 1, 0, &[]),
    ("sysdiglabs-aks-audit-log/sample_KubeAuditLog_event.json", 1, 0, &[]),
];

#[test]
fn native_samples_have_their_events() {
    let Some(samples) = samples() else { return };
    for (name, events, without_time, unreadable) in NATIVE {
        let found = counted(&samples.join(name));
        assert_eq!(
            (found.events, found.without_time, found.unreadable.as_slice()),
            (*events, *without_time, *unreadable),
            "{name}"
        );
    }
}

#[test]
fn falco_samples_are_one_event_a_file() {
    let Some(samples) = samples() else { return };
    let mut files = Vec::new();
    files_below(&samples.join("falcosecurity-falco"), &mut files);
    let (mut events, mut unreadable) = (0, 0);
    for path in &files {
        let found = counted(path);
        events += found.events;
        unreadable += found.unreadable.len();
    }
    assert_eq!((files.len(), events, unreadable), (47, 51, 1));
}

#[test]
fn no_sample_makes_the_reader_panic_however_it_is_cut() {
    let Some(samples) = samples() else { return };
    let mut files = Vec::new();
    files_below(&samples, &mut files);
    assert!(files.len() > 100);
    for path in files {
        let text = fs::read(&path).expect("a sample file");
        let whole = counted(&path).events;
        for step in 0..16 {
            let (before, after) = text.split_at(text.len() * step / 16);
            let (mut reader, mut cut) = (Reader::new(), Counted::default());
            reader.read(before, &mut cut);
            reader.finish(&mut cut);
            assert!(cut.events <= whole, "{}", path.display());
            reader.read(after, &mut cut);
            reader.finish(&mut cut);
        }
    }
}

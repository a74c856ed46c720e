//! Reads every file of the shared sample folder: with the numbers of `tests/data/formats/expected.json`, and all
//! without a panic. Those numbers were worked out by hand and counted again with Python's json module, not with this
//! program. The logs of Rancher, Argo CD, Fleet and Flux have their own expectations in `tests/controllers.rs`.
//!
//! The folder is `$KAUDITUI_SHARED/data/samples`, or `../shared/data/samples` beside the checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use kauditui::format::{Format, Marks, Reader, Remains, Sink, Unreadable, remains};
use kauditui::model::{Event, LogKind};
use kauditui::source::archive;

#[derive(Default)]
struct Counted {
    events: usize,
    without_time: usize,
    unreadable: Vec<Unreadable>,
    remains: Vec<Remains>,
    formats: BTreeMap<String, usize>,
    /// User, verb, resource, name and code of each event.
    told: Vec<String>,
}

impl Sink for Counted {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        assert!(!event.verb.is_empty() || !event.audit_id.is_empty());
        let is_object = (text.first(), text.last()) == (Some(&b'{'), Some(&b'}'));
        assert!(is_object || event.log != LogKind::Kube);
        self.events += 1;
        let format = Format { log: event.log, wrapping: marks.wrapping };
        *self.formats.entry(format.to_string()).or_default() += 1;
        let object = &event.object;
        self.told.push(format!(
            "{} {} {}/{} {} {}",
            event.user, event.verb, object.resource, object.name, event.code, event.request_uri
        ));
        self.without_time += usize::from(event.stage_time.is_none());
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        self.unreadable.push(kind);
        self.remains.extend(remains(text));
    }
}

fn counted(path: &Path) -> Counted {
    let mut text = Vec::new();
    archive::open(path, false).and_then(|mut file| file.read_to_end(&mut text)).expect("a sample file");
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

/// What is expected of one file.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    file: String,
    events: usize,
    /// Of these, the events without a time.
    #[serde(default)]
    without_time: usize,
    formats: BTreeMap<String, usize>,
    notices: BTreeMap<String, usize>,
}

fn expectations() -> Vec<Expected> {
    serde_json::from_str(include_str!("data/formats/expected.json")).expect("expectations")
}

/// Files of `controllers.json`, which `tests/controllers.rs` holds: logs of controllers, and two blocks of an article
/// that imitate such logs.
fn logs_of_controllers() -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct File {
        file: String,
    }
    #[derive(serde::Deserialize)]
    struct Expectations {
        samples: Vec<File>,
    }
    let text = include_str!("data/formats/controllers.json");
    let expectations: Expectations = serde_json::from_str(text).expect("expectations");
    expectations.samples.into_iter().map(|expected| expected.file).collect()
}

#[test]
fn every_sample_gives_what_is_expected_of_it() {
    let Some(samples) = samples() else { return };
    for expected in expectations() {
        let found = counted(&samples.join(&expected.file));
        let mut notices: BTreeMap<String, usize> = BTreeMap::new();
        for kind in &found.unreadable {
            *notices.entry(kind.name().to_owned()).or_default() += 1;
        }
        assert_eq!(
            (found.events, found.without_time, &found.formats, &notices),
            (expected.events, expected.without_time, &expected.formats, &expected.notices),
            "{}",
            expected.file
        );
    }
}

#[test]
fn no_sample_is_left_out() {
    let Some(samples) = samples() else { return };
    let mut files = Vec::new();
    files_below(&samples, &mut files);
    let names = files.iter().filter_map(|path| path.strip_prefix(&samples).ok()?.to_str());
    let names: BTreeSet<&str> = names.filter(|name| *name != "SOURCES.md").collect();
    let (expectations, controllers) = (expectations(), logs_of_controllers());
    let expected = expectations.iter().map(|expected| expected.file.as_str());
    assert_eq!(names, expected.chain(controllers.iter().map(String::as_str)).collect());
}

#[test]
fn broken_samples_still_tell_what_they_were() {
    let Some(samples) = samples() else { return };
    let known = |file: &str| counted(&samples.join(file)).remains;
    let article = Remains { user: "admin".into(), verb: "update".into(), ..Remains::default() };
    assert_eq!(known("articles/002-2.json"), [article]);
    let cut = known("rancher-rancher-issues/kube-audit-via-rancher-proxy-TRUNCATED.log");
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0].user, "system:serviceaccount:cattle-system:kontainer-engine");
    assert!(!cut[0].audit_id.is_empty() && !cut[0].verb.is_empty(), "{cut:?}");
}

#[test]
fn entries_of_google_are_events_of_kubernetes() {
    let Some(samples) = samples() else { return };
    let told = |file: &str| counted(&samples.join("elastic-integrations").join(file)).told;
    assert_eq!(told("gcp-test-k8s-nonmatching-resourcename.log"), ["system:anonymous get / 403 /HNAP1"]);
    let lines = told("gcp-test-audit-gke-lines.log");
    assert_eq!(lines[0], "xxx@xxx.xxx list nodes/ 200 /api/v1/nodes");
}

#[test]
fn who_logs_in_at_openshift_is_told_and_who_only_says_so_is_not() {
    let Some(samples) = samples() else { return };
    let told = counted(&samples.join("openshift-openshift-docs/oauth-server-node-prefixed.log")).told;
    let users: Vec<&str> = told.iter().filter_map(|told| told.split(' ').next()).collect();
    assert_eq!(users, ["user1.example", "system:anonymous", "user2.example"]);
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

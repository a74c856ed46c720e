//! What the rules that know of other requests say of the recorded logs, however these are loaded.

use std::collections::BTreeSet;

use kauditui::detect::state::findings;
use kauditui::detect::{RuleSet, Severity};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::identity::Identities;
use kauditui::model::{Event, SourceId};
use kauditui::store::{SegmentBuilder, Store};
use serde_json::Value;

use crate::incident::renamed;
use crate::shared;

const STOLEN: &str = "system:serviceaccount:argocd:argocd-application-controller";
const MINTED: &str = "admin@example.com,argocd,argocd-application-controller";

/// File of the rule, group, and severity.
type Told = (String, String, Severity);

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.0.push(event, text, false);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind:?}: {}", String::from_utf8_lossy(text));
    }
}

/// Everything that is found when a log comes in these pieces.
fn in_pieces<'e>(pieces: impl Iterator<Item = &'e [Value]>) -> BTreeSet<(Told, u64, i64)> {
    let engine = RuleSet::load(true, &[]).0.prepare();
    let (mut store, mut identities) = (Store::new(), Identities::default());
    for piece in pieces {
        let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
        let mut reader = Reader::new();
        for event in piece {
            reader.read(format!("{event}\n").as_bytes(), &mut building);
        }
        reader.finish(&mut building);
        store.push(building.0.finish(0));
        identities.update(&store);
    }
    let found = findings(&engine, &identities, &store);
    let told = |finding: kauditui::detect::Finding| {
        let rule = engine.rule(finding.rule);
        let name = rule.origin.file.file_stem().expect("a name").to_string_lossy().into_owned();
        let group: Vec<&str> = finding.group.iter().map(|(_, value)| value.as_str()).collect();
        ((name, group.join(","), rule.severity), finding.count, finding.first)
    };
    found.into_iter().map(told).collect()
}

/// What is found in a log loaded at once, and the same in pieces from either end.
fn found(log: &[Value]) -> BTreeSet<Told> {
    let whole = in_pieces(std::iter::once(log));
    assert_eq!(in_pieces(log.chunks(701)), whole, "forward");
    assert_eq!(in_pieces(log.chunks(997).rev()), whole, "backward");
    whole.into_iter().map(|(told, ..)| told).collect()
}

#[test]
fn the_stolen_token_is_told_at_every_audit_level() {
    for log in ["incident-lowwrite", "incident-meta", "incident-full"] {
        let Some(events) = shared(&format!("kube/{log}.jsonl")) else { return };
        let mut expected = vec![
            ("controller-identity-by-hand", STOLEN.to_owned(), Severity::High),
            ("credential-in-two-places", STOLEN.to_owned(), Severity::High),
            ("privileged-token-minted", MINTED.to_owned(), Severity::High),
            ("change-outside-gitops", format!("{STOLEN},production"), Severity::Medium),
            ("change-outside-gitops", "alice@example.com,production".to_owned(), Severity::Medium),
            ("change-outside-gitops", "bob@example.com,production".to_owned(), Severity::Medium),
        ];
        if log != "incident-lowwrite" {
            // Its rights are told by its reads, which are not in that log.
            let minted = "mallory@example.com,kube-system,backdoor".to_owned();
            expected.push(("privileged-token-minted", minted, Severity::High));
        }
        let expected: BTreeSet<Told> =
            expected.into_iter().map(|(rule, group, severity)| (rule.to_owned(), group, severity)).collect();
        assert_eq!(found(&events), expected, "{log}");
    }
}

#[test]
fn other_names_make_the_same_findings() {
    let Some(events) = shared("kube/incident-meta.jsonl") else { return };
    let read = |event: &Value| serde_json::from_str(&renamed(&event.to_string())).expect("plain names");
    let elsewhere: Vec<Value> = events.iter().map(read).collect();
    // In a group, a name stands without what the map tells it by.
    let name = |(rule, group, severity): Told| {
        let group = renamed(&group)
            .replace(",argocd,", ",delivery,")
            .replace("argocd-application-controller", "deployer");
        (rule, group.replace(":argocd:", ":delivery:"), severity)
    };
    assert_eq!(found(&events).into_iter().map(name).collect::<BTreeSet<_>>(), found(&elsewhere));
}

#[test]
fn an_ordinary_day_is_not_told_of() {
    for log in ["ordinary-meta", "ordinary-full"] {
        let Some(events) = shared(&format!("kube/{log}.jsonl")) else { return };
        assert!(found(&events).is_empty(), "{log}");
    }
}

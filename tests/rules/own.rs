//! The pack in kauditui's own engine: the same verdicts as the other one's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use kauditui::detect::{Correlator, Engine, ProblemKind, RuleSet};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, LogKind, SourceId};
use kauditui::store::{Segment, SegmentBuilder};
use serde_json::Value;

use crate::event::line;
use crate::pack::{self, Pack};
use crate::{list, shared, subject};

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.0.push(event, text, false);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind:?}: {}", String::from_utf8_lossy(text));
    }
}

/// The events as the program holds them.
pub fn segment(events: &[Value]) -> Segment {
    let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
    let mut reader = Reader::new();
    for event in events {
        reader.read(format!("{}\n", line(event)).as_bytes(), &mut building);
    }
    reader.finish(&mut building);
    building.0.into_segment()
}

/// Ids of the rules and correlations that `events` set off.
pub fn set_off(engine: &Arc<Engine>, events: &[Value]) -> BTreeSet<String> {
    let segment = segment(events);
    let hits = engine.hits(&segment, 0..segment.rows());
    let mut correlator = Correlator::new(Arc::clone(engine));
    correlator.take(0, &segment, &hits);
    let found = correlator.findings().into_iter().map(|finding| finding.rule);
    hits.iter().map(|hit| hit.rule).chain(found).map(|rule| engine.rule(rule).id.clone()).collect()
}

#[test]
fn the_pack_loads_without_a_complaint() {
    let (rules, problems) = RuleSet::load(true, &[]);
    let waiting = problems.iter().filter(|problem| problem.kind == ProblemKind::Waiting).count();
    assert_eq!(waiting, problems.len(), "{problems:#?}");
    let written =
        pack::files().into_iter().map(|file| file.rules.rules.len() + file.rules.correlations.len());
    assert_eq!(rules.rules().len() + waiting, written.sum::<usize>());
}

#[test]
fn rules_that_yield_to_others_name_rules_of_the_api_servers_log() {
    let (rules, _) = RuleSet::load(true, &[]);
    let mut yielding = 0;
    for info in rules.rules() {
        let own = info.custom.get("kauditui").and_then(|own| own.pointer("/alert_by/unless"));
        for id in own.and_then(Value::as_array).into_iter().flatten() {
            let named = rules.rules().iter().find(|other| id == other.id.as_str());
            let named = named.unwrap_or_else(|| panic!("{}: {id} is no rule", info.title));
            assert_eq!(named.log, LogKind::Kube, "{}", info.title);
            assert_ne!(info.log, LogKind::Kube, "{}", info.title);
            yielding += 1;
        }
    }
    assert!(yielding > 10, "{yielding}");
}

#[test]
fn each_rule_judges_its_events_alike_in_our_engine() {
    let mut wrong = Vec::new();
    for file in pack::files().into_iter().filter(|file| !file.needs_more()) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/rules").join(format!("{}.yml", file.name));
        let (rules, problems) = RuleSet::parse(&path, &fs::read_to_string(&path).expect("a readable file"));
        assert!(problems.is_empty(), "{problems:#?}");
        let (engine, subject, events) = (Arc::new(rules.prepare()), subject(&file), pack::events(&file.name));
        for (expected, one, many) in
            [(true, "match", "sequences that match"), (false, "miss", "sequences that do not")]
        {
            let single = list(&events, one).iter().map(std::slice::from_ref);
            let sequences = list(&events, many).iter().filter_map(Value::as_array).map(Vec::as_slice);
            for (at, sequence) in single.chain(sequences).enumerate() {
                if set_off(&engine, sequence).contains(&subject) != expected {
                    wrong.push(format!("{}: {one} {at}: {}", file.name, Value::from(sequence)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_engines_say_the_same_of_every_recorded_line() {
    let (rules, _) = RuleSet::load(true, &[]);
    let engine = rules.prepare();
    let other = Pack::new(&pack::files());
    for log in ["incident-full", "incident-meta", "ordinary-full"] {
        let Some(events) = shared(&format!("kube/{log}.jsonl")) else { return };
        let segment = segment(&events);
        assert_eq!(segment.rows() as usize, events.len(), "{log}: a row a line");
        let hits = engine.hits(&segment, 0..segment.rows());
        let ours: BTreeSet<(usize, &str)> =
            hits.iter().map(|hit| (hit.row as usize, engine.rule(hit.rule).id.as_str())).collect();
        let judged: Vec<BTreeSet<String>> = events.iter().map(|event| other.matching(event)).collect();
        let theirs: BTreeSet<(usize, &str)> = judged
            .iter()
            .enumerate()
            .flat_map(|(row, ids)| ids.iter().map(move |id| (row, id.as_str())))
            .collect();
        assert!(ours.len() > 100, "{log}: {} hits", ours.len());
        let different: Vec<_> = ours.symmetric_difference(&theirs).take(20).collect();
        assert!(different.is_empty(), "{log}: {different:?}");
    }
}

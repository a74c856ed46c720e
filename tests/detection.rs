//! The rule engine beside another one, `rsigma-eval`, over rules of other people's and over events of real clusters.
//!
//! The rules are SigmaHQ's and the events those of the shared folder, `$KAUDITUI_SHARED/data` or `../shared/data` beside
//! the checkout; the program's own pack is compared as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kauditui::detect::{Engine, RuleIndex, RuleSet};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, LogKind, SourceId, actor_kind, command, tool};
use kauditui::store::{Segment, SegmentBuilder};
use rsigma_eval::event::JsonEvent;
use rsigma_parser::{Detection, DetectionItem, SigmaRule, SigmaValue, parse_sigma_yaml};
use serde_json::{Value, json};

struct Building {
    builder: SegmentBuilder,
    texts: Vec<Value>,
}

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], _: Marks) {
        self.builder.push(event, text, false);
        self.texts.push(serde_json::from_slice(text).expect("the events are JSON"));
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind:?}: {}", String::from_utf8_lossy(text));
    }
}

/// A segment of these lines, and the event of each row.
fn segment(lines: &[u8]) -> (Segment, Vec<Value>) {
    let builder = SegmentBuilder::new(SourceId(0), 0, true);
    let mut building = Building { builder, texts: Vec::new() };
    let mut reader = Reader::new();
    reader.read(lines, &mut building);
    reader.finish(&mut building);
    let batch = building.builder.finish(0);
    (batch.segment, building.texts)
}

fn shared() -> PathBuf {
    std::env::var_os("KAUDITUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("data")
}

/// The field that an alias stands for, as in the official pipeline.
fn unaliased(name: &str) -> &str {
    match name {
        "apiGroup" => "objectRef.apiGroup",
        "resource" => "objectRef.resource",
        "subresource" => "objectRef.subresource",
        "namespace" => "objectRef.namespace",
        "username" => "user.username",
        "capabilities" => "requestObject.spec.containers.securityContext.capabilities.add",
        "hostPath" => "requestObject.spec.volumes.hostPath",
        "privileged" => "requestObject.spec.containers.securityContext.privileged",
        other => other,
    }
}

/// The rule with its aliases written out, which the other engine leaves to a pipeline.
fn prepared(mut rule: SigmaRule) -> SigmaRule {
    fn items(detection: &mut Detection, with: &mut dyn FnMut(&mut DetectionItem)) {
        match detection {
            Detection::AllOf(own) => own.iter_mut().for_each(with),
            Detection::AnyOf(parts) | Detection::And(parts) => {
                parts.iter_mut().for_each(|part| items(part, with));
            }
            Detection::ArrayMatch { .. } | Detection::Conditional { .. } | Detection::Keywords(_) => {}
        }
    }
    for detection in rule.detection.named.values_mut() {
        items(detection, &mut |item| {
            item.field.name = item.field.name.as_deref().map(|name| unaliased(name).to_owned());
        });
    }
    rule
}

/// The event with what the other engine does not know of: virtual fields, and annotations with dots in their keys at
/// the top, where it looks for whole keys.
fn with_virtual_fields(event: &Value) -> Value {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut event = event.clone();
    let (user, uri, agent) = (text("/user/username"), text("/requestURI"), text("/userAgent"));
    let mut set = |key: &str, value: Value| {
        if value != json!("") {
            event[key] = value;
        }
    };
    set("user.kind", actor_kind(&user).name().into());
    set("exec.command", command(&uri).into());
    set("tool", tool(&agent).into());
    event
}

/// A difference between the engines, by the rule that it is about.
type Differences = BTreeMap<String, usize>;

/// Compares both engines on every rule and row; how often they agreed that a rule matches.
fn compare(
    rules: &[(RuleIndex, SigmaRule)],
    engine: &Engine,
    lines: &[u8],
    found: &mut Differences,
) -> usize {
    let (segment, events) = segment(lines);
    let hits = engine.hits(&segment, 0..segment.rows());
    let mut agreed = 0;
    let compiled: Vec<_> = rules
        .iter()
        .map(|(index, rule)| {
            (*index, rsigma_eval::compile_rule(&prepared(rule.clone())).expect("it compiles"))
        })
        .collect();
    for (row, event) in (0u32..).zip(&events) {
        if event["stage"] == "RequestReceived" {
            continue;
        }
        let event = with_virtual_fields(event);
        let event = JsonEvent::borrow(&event);
        for (index, compiled) in &compiled {
            let theirs = rsigma_eval::evaluate_rule(compiled, &event).is_some();
            let ours = hits.binary_search_by(|hit| (hit.row, hit.rule).cmp(&(row, *index))).is_ok();
            if theirs == ours {
                agreed += usize::from(ours);
            } else {
                *found.entry(engine.rule(*index).title.clone()).or_default() += 1;
            }
        }
    }
    agreed
}

/// The detection rules of a set that ask for nothing that only this program's events have.
fn comparable(set: &RuleSet) -> Vec<(RuleIndex, SigmaRule)> {
    let ours = ["any_container", "patched", "removed", "secret.keys", "sourceIP"];
    let rules =
        set.rules().iter().zip(0u32..).filter(|(info, _)| !info.is_correlation && info.filters.is_empty());
    rules
        .filter(|(info, _)| info.state.is_none() && info.log == LogKind::Kube)
        .filter(|(info, _)| !ours.iter().any(|field| info.text.contains(field)))
        .filter_map(|(info, index)| {
            let rule = parse_sigma_yaml(&info.text).ok()?.rules.into_iter().next()?;
            Some((RuleIndex(index), rule))
        })
        .collect()
}

#[test]
fn sigmahq_rules_match_the_same_real_events() {
    let folder = shared().join("sigmahq");
    let (set, problems) = RuleSet::load(false, &[folder]);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(set.rules().len(), 16);
    let engine = set.prepare();
    let rules = comparable(&set);
    assert_eq!(rules.len(), 16);
    let mut differences = Differences::new();
    let mut agreed = 0;
    for name in ["incident-full", "incident-meta", "incident-lowwrite", "ordinary-full", "ordinary-meta"] {
        let lines =
            fs::read(shared().join("kube").join(name).with_extension("jsonl")).expect("the shared log");
        agreed += compare(&rules, &engine, &lines, &mut differences);
    }
    assert!(agreed > 100, "the rules match something: {agreed}");
    // `hostPath: '*'` asks for an object: there, but without a text that their `*` could match (SigmaHQ means "exists").
    let explained = ["Container With A hostPath Mount Created"];
    differences.retain(|title, _| !explained.contains(&title.as_str()));
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn rules_match_events_made_from_them_and_miss_by_one_field() {
    let (set, _) = RuleSet::load(true, &[shared().join("sigmahq")]);
    let engine = set.prepare();
    let (mut made, mut missed) = (0, 0);
    for (index, rule) in comparable(&set) {
        let Some(fields) = wanted(&prepared(rule)) else { continue };
        let event = |without: Option<usize>| {
            let mut event = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
                "auditID": "1", "stage": "ResponseComplete", "verb": "none", "user": {"username": "someone"}});
            for (at, (path, value)) in fields.iter().enumerate() {
                put(
                    &mut event,
                    path,
                    if Some(at) == without { json!("quite-another") } else { value.clone() },
                );
            }
            event
        };
        let matches = |event: &Value| {
            let (segment, _) = segment(event.to_string().as_bytes());
            engine.hits(&segment, 0..segment.rows()).iter().any(|hit| hit.rule == index)
        };
        let title = &engine.rule(index).title;
        assert!(matches(&event(None)), "{title}: {}", event(None));
        made += 1;
        for at in 0..fields.len() {
            let event = event(Some(at));
            assert!(!matches(&event), "{title}: {event}");
            missed += 1;
        }
    }
    assert!(made >= 8 && missed >= 16, "{made} {missed}");
}

/// What a rule of one selection wants, a value for each field, where plain values are all it wants. `*` means that the
/// field is there, which another value does not change: such rules are left out.
fn wanted(rule: &SigmaRule) -> Option<Vec<(String, Value)>> {
    let [detection] = rule.detection.named.values().collect::<Vec<_>>()[..] else { return None };
    let Detection::AllOf(items) = detection else { return None };
    items
        .iter()
        .map(|item| {
            let name = item.field.name.clone().filter(|_| item.field.modifiers.is_empty())?;
            match item.values.first()? {
                SigmaValue::String(text) => Some((name, text.as_plain()?.into())),
                SigmaValue::Integer(number) => Some((name, (*number).into())),
                _ => None,
            }
        })
        .collect()
}

fn put(event: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(event, |value, key| &mut value[key]);
    *place = value;
}

//! The built-in rules, compiled for the other engine, and the events kept beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kauditui::model::LogKind;
use rsigma_eval::{CorrelationAction, CorrelationConfig, CorrelationEngine, EvaluationResult};
use rsigma_parser::{Level, SigmaCollection, SigmaRule, parse_sigma_yaml};
use serde_json::Value;

use crate::event::AuditEvent;

/// A file of `assets/rules`.
pub struct RuleFile {
    /// Name of the file without its ending; its events are in `tests/data/rules/<name>.json`.
    pub name: String,
    pub rules: SigmaCollection,
}

/// What fired: title, id and level of a rule or of a correlation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fired {
    pub id: String,
    pub title: String,
    pub level: Severity,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::Informational => Severity::Informational,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the pack, by name.
pub fn files() -> Vec<RuleFile> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("assets/rules"))
        .expect("the folder of the rules")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yml"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a readable file");
        let rules = parse_sigma_yaml(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(rules.errors.is_empty(), "{}: {:?}", path.display(), rules.errors);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        RuleFile { name, rules }
    };
    paths.iter().map(read).collect()
}

/// The events beside a rule.
pub fn events(name: &str) -> Value {
    let path = root().join("tests/data/rules").join(name).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What rules and correlations may be called in a correlation: id or name.
fn is_called(reference: &str, id: Option<&str>, name: Option<&str>) -> bool {
    id == Some(reference) || name == Some(reference)
}

impl RuleFile {
    /// The product whose log all rules of the file are about.
    pub fn product(&self) -> Option<&str> {
        self.rules.rules.iter().find_map(|rule| rule.logsource.product.as_deref())
    }

    /// Whether it needs what no engine has that sees one event after the other: what is known of other requests, or a
    /// list of the user's.
    pub fn needs_more(&self) -> bool {
        let needs_state = |rule: &SigmaRule| {
            rule.custom_attributes.get("kauditui").is_some_and(|own| own.get("state").is_some())
        };
        let needs_list = |rule: &SigmaRule| format!("{:?}", rule.detection).contains("Expand");
        self.rules.rules.iter().any(|rule| needs_state(rule) || needs_list(rule))
    }

    /// Ids of what only feeds a correlation: Sigma's `generate` is false unless it is said.
    pub fn silent(&self) -> BTreeSet<String> {
        let counting = self.rules.correlations.iter().filter(|correlation| !correlation.generate);
        let references: Vec<&String> = counting.flat_map(|correlation| &correlation.rules).collect();
        let rules = self.rules.rules.iter().map(|rule| (rule.id.as_deref(), rule.name.as_deref()));
        let correlations =
            self.rules.correlations.iter().map(|rule| (rule.id.as_deref(), rule.name.as_deref()));
        rules
            .chain(correlations)
            .filter(|(id, name)| references.iter().any(|reference| is_called(reference, *id, *name)))
            .filter_map(|(id, _)| id.map(str::to_owned))
            .collect()
    }
}

/// What rules call a log.
fn product_of(log: LogKind) -> &'static str {
    if log == LogKind::Kube { "kubernetes" } else { log.name() }
}

/// The rules of all `files` together.
pub struct Pack {
    /// By the product that they are about.
    engines: BTreeMap<String, CorrelationEngine>,
    /// Rules that fire only for a correlation.
    silent: BTreeSet<String>,
}

impl Pack {
    pub fn new(files: &[RuleFile]) -> Pack {
        let mut silent = BTreeSet::new();
        let mut of_products: BTreeMap<String, SigmaCollection> = BTreeMap::new();
        for file in files.iter().filter(|file| !file.needs_more()) {
            // Without rules, a file has nothing to say.
            let Some(product) = file.product() else { continue };
            let all = of_products.entry(product.to_owned()).or_default();
            all.rules.extend(file.rules.rules.iter().cloned());
            all.correlations.extend(file.rules.correlations.iter().cloned());
            all.filters.extend(file.rules.filters.iter().cloned());
            silent.extend(file.silent());
        }
        let prepared = |all: &SigmaCollection| {
            let mut engine = CorrelationEngine::new(CorrelationConfig {
                timestamp_fields: vec!["requestReceivedTimestamp".to_owned()],
                action_on_match: CorrelationAction::Alert,
                ..CorrelationConfig::default()
            });
            engine.add_collection(all).expect("rules that compile");
            engine
        };
        let engines = of_products.iter().map(|(product, all)| (product.clone(), prepared(all))).collect();
        Pack { engines, silent }
    }

    /// What one more event sets off. The line that tells of a request's arrival stands for no answer.
    pub fn fire(&mut self, event: &Value) -> Vec<Fired> {
        if event["stage"] == "RequestReceived" {
            return Vec::new();
        }
        let (log, event) = AuditEvent::new(event);
        let Some(engine) = self.engines.get_mut(product_of(log)) else { return Vec::new() };
        let result = engine.process_event(&event);
        let fired = |result: EvaluationResult| Fired {
            id: result.header.rule_id.unwrap_or_default(),
            title: result.header.rule_title,
            level: result.header.level.map_or(Severity::Informational, Severity::from),
        };
        let all = result.into_iter().map(fired);
        all.filter(|fired| !self.silent.contains(&fired.id)).collect()
    }

    /// Ids of the rules that match one event by itself, those that only feed correlations too.
    pub fn matching(&self, event: &Value) -> BTreeSet<String> {
        if event["stage"] == "RequestReceived" {
            return BTreeSet::new();
        }
        let (log, event) = AuditEvent::new(event);
        let Some(engine) = self.engines.get(product_of(log)) else { return BTreeSet::new() };
        let results = engine.evaluate(&event);
        results.into_iter().filter_map(|result| result.header.rule_id).collect()
    }
}

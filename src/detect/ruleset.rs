//! Loading: files to rules, correlations and filters, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rsigma_parser::{
    CorrelationRule, Detections, FilterRule, FilterRuleTarget, LogSource, SigmaCollection, SigmaRule,
    is_unsupported, parse_sigma_yaml,
};

use super::compile::{Compiled, Refusal, compile};
use super::correlation::{Correlation, Refused, spell_out};
use super::engine::Engine;
use super::files::{self, RuleFile};
use super::lists::Lists;
use super::patterns;
use super::problem::LoadProblem;
use super::rule::{FilterInfo, Origin, RuleIndex, RuleInfo};
use super::state::StateDetection;
use super::unknown::unknown_fields;
use crate::model::LogKind;
use crate::query::nearest;

/// What is loaded, checked and compiled.
#[derive(Debug, Default)]
pub struct RuleSet {
    infos: Vec<RuleInfo>,
    /// By the place of their description; `None` for correlations.
    rules: Vec<Option<Compiled>>,
    correlations: Vec<Correlation>,
    filters: Vec<FilterInfo>,
    skipped: BTreeMap<String, usize>,
}

impl RuleSet {
    /// Loads the program's own rules, when `builtin`, and those in `folders` (or single files), in this order. A rule of
    /// a folder replaces the built-in one of the same id.
    pub fn load(builtin: bool, folders: &[PathBuf]) -> (RuleSet, Vec<LoadProblem>) {
        RuleSet::load_with(builtin, folders, &[])
    }

    /// The same, and texts that no file holds, each as if it were the content of the file named beside it.
    pub fn load_with(
        builtin: bool,
        folders: &[PathBuf],
        texts: &[(PathBuf, String)],
    ) -> (RuleSet, Vec<LoadProblem>) {
        let mut problems = Vec::new();
        let mut rule_files = if builtin { files::builtin() } else { Vec::new() };
        for folder in folders {
            rule_files.extend(files::in_folder(folder, &mut problems));
        }
        let held = texts.iter().cloned().map(|(path, text)| RuleFile { path, text, builtin: false });
        rule_files.extend(held);
        let lists = Lists::read(folders, &mut problems);
        let mut loading = Loading { problems, lists, ..Loading::default() };
        for file in &rule_files {
            loading.take_file(file);
        }
        loading.finish()
    }

    /// Loads the rules in one text, as if it were the content of `file`. For checking a rule before it is saved, and for
    /// tests.
    pub fn parse(file: &Path, text: &str) -> (RuleSet, Vec<LoadProblem>) {
        let mut loading = Loading::default();
        loading.take_file(&RuleFile { path: file.to_owned(), text: text.to_owned(), builtin: false });
        loading.finish()
    }

    /// Every rule and correlation, by [`RuleIndex`].
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// The filters that are in use.
    pub fn filters(&self) -> &[FilterInfo] {
        &self.filters
    }

    /// How many rules were left out because they are about other logs, by product.
    pub fn skipped(&self) -> &BTreeMap<String, usize> {
        &self.skipped
    }

    /// The rules, ready to run.
    pub fn prepare(&self) -> Engine {
        Engine::new(self.infos.clone(), self.rules.clone(), self.correlations.clone())
    }
}

/// A document with its place.
struct Place<'f> {
    file: &'f RuleFile,
    line: u32,
    text: &'f str,
}

impl Place<'_> {
    fn origin(&self) -> Origin {
        Origin { file: self.file.path.clone(), line: self.line, builtin: self.file.builtin }
    }

    /// The line on which `near` stands, or the first of the document.
    fn line_of(&self, near: &str) -> u32 {
        let found = self.text.lines().position(|line| !near.is_empty() && line.contains(near));
        self.line + found.unwrap_or(0) as u32
    }

    fn refused(&self, title: &str, refusal: &Refusal) -> LoadProblem {
        LoadProblem::error(&self.file.path, self.line_of(&refusal.near), refusal.reason.as_str()).of(title)
    }

    /// A complaint of the parser's, on the line that it names or the one that holds the word it quotes.
    fn complaint(&self, complaint: &str) -> u32 {
        let named = complaint.split_once("at line ").and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<u32>().ok())
        });
        match named {
            Some(line) => self.line + line.saturating_sub(1),
            None if complaint.starts_with("Condition") => self.line_of("condition:"),
            None if complaint.starts_with("`not`") => self.line_of("|not"),
            None => self.line_of(complaint.split('\'').nth(1).unwrap_or("")),
        }
    }
}

/// Where a document that is used later stands.
struct Pending<T> {
    document: T,
    origin: Origin,
    text: String,
}

#[derive(Default)]
struct Loading {
    lists: Lists,
    infos: Vec<RuleInfo>,
    rules: Vec<Option<Compiled>>,
    correlations: Vec<Pending<CorrelationRule>>,
    /// With the log that each is about; `None` where it does not say.
    filters: Vec<Pending<(FilterRule, Compiled, Option<LogKind>)>>,
    skipped: BTreeMap<String, usize>,
    /// What correlations and filters may call rules that were skipped, or wait for a list.
    skipped_names: BTreeSet<String>,
    problems: Vec<LoadProblem>,
}

impl Loading {
    fn take_file(&mut self, file: &RuleFile) {
        let documents = files::documents(&file.text);
        // Collections hand parts of one document on to others (`action: global`), so they are read as a whole.
        let is_collection = file.text.lines().any(|line| line.starts_with("action:"));
        if is_collection {
            self.take_document(&Place { file, line: 1, text: &file.text });
            return;
        }
        for (line, text) in &documents {
            self.take_document(&Place { file, line: *line, text });
        }
    }

    fn take_document(&mut self, place: &Place<'_>) {
        if is_nested_too_deeply(place.text) {
            let problem = LoadProblem::error(&place.file.path, place.line, "nested too deeply");
            self.problems.push(problem);
            return;
        }
        let SigmaCollection { rules, correlations, filters, errors, .. } = match parse_sigma_yaml(place.text)
        {
            Ok(collection) => collection,
            Err(error) => {
                let line = place.complaint(&error.to_string());
                self.problems.push(LoadProblem::error(&place.file.path, line, error.to_string()));
                return;
            }
        };
        // Without its level, a rule would be activity that nobody is told of.
        let has_no_level = errors.iter().any(|error| error.starts_with("invalid level"));
        let is_lost = has_no_level || (rules.is_empty() && correlations.is_empty() && filters.is_empty());
        for mut error in errors {
            let line = place.complaint(&error);
            if error.starts_with("invalid level") {
                error += "; known are informational, low, medium, high and critical";
            }
            let path = &place.file.path;
            self.problems.push(match is_lost {
                true => LoadProblem::error(path, line, error),
                false => LoadProblem::warning(path, line, error),
            });
        }
        for rule in rules.into_iter().filter(|rule| !has_no_level || rule.level.is_some()) {
            self.take_rule(&rule, place);
        }
        for mut rule in correlations.into_iter().filter(|rule| !has_no_level || rule.level.is_some()) {
            spell_out(&mut rule, place.text);
            if self.knows_version(rule.sigma_version, &rule.title, place) {
                let (origin, text) = (place.origin(), place.text.to_owned());
                self.correlations.push(Pending { document: rule, origin, text });
            }
        }
        for filter in filters {
            self.take_filter(filter, place);
        }
    }

    fn knows_version(&mut self, version: Option<u32>, title: &str, place: &Place<'_>) -> bool {
        if is_unsupported(version) {
            let refusal = Refusal::new("sigma-version", "this version of Sigma is not known");
            self.problems.push(place.refused(title, &refusal));
        }
        !is_unsupported(version)
    }

    fn take_rule(&mut self, rule: &SigmaRule, place: &Place<'_>) {
        let mut info = RuleInfo::of_rule(rule, place.origin(), place.text.to_owned());
        let Some(log) = log_of(&rule.logsource) else {
            if let Some(reason) = misspelt(&rule.logsource) {
                let line = place.line_of("logsource");
                self.problems.push(LoadProblem::warning(&place.file.path, line, reason).of(&rule.title));
            }
            let product = rule.logsource.product.clone().unwrap_or_else(|| "none".to_owned());
            *self.skipped.entry(product).or_default() += 1;
            self.skipped_names.extend([info.id, info.title].into_iter().chain(info.name));
            return;
        };
        info.log = log;
        if !self.knows_version(rule.sigma_version, &rule.title, place) {
            return;
        }
        match StateDetection::of(&info.custom) {
            Ok(state) => info.state = state,
            Err(reason) => {
                self.problems.push(place.refused(&rule.title, &Refusal::new("state:", reason)));
                return;
            }
        }
        let Some(detection) = self.with_lists(&rule.detection, &rule.title, place) else {
            self.skipped_names.extend([info.id, info.title].into_iter().chain(info.name));
            return;
        };
        match compile(&detection) {
            Ok(compiled) => {
                if info.log == LogKind::Kube {
                    self.warn_of_unknown(&compiled, &rule.title, place);
                }
                self.warn_of_members(rule.sigma_version, &rule.title, place);
                if let Some(at) = self.place_for(&info, place.origin()) {
                    self.put(at, info, Some(compiled));
                }
            }
            Err(refusal) => self.problems.push(place.refused(&rule.title, &refusal)),
        }
    }

    /// `field[any]:` means members of a list from version 3 on, and a field of that name before.
    fn warn_of_members(&mut self, version: Option<u32>, title: &str, place: &Place<'_>) {
        let detection = place.text.find("detection:").map_or("", |at| &place.text[at..]);
        let is_key = |known: &&str| {
            ["", "'", "\""].iter().any(|quote| detection.contains(&format!("{known}{quote}:")))
        };
        let quantifier = ["[any]", "[all]", "[none]"].into_iter().find(is_key);
        if let Some(quantifier) = quantifier.filter(|_| version.is_none_or(|version| version < 3)) {
            let reason = format!("'{quantifier}' asks for members of a list only with sigma-version: 3");
            let problem = LoadProblem::warning(&place.file.path, place.line_of(quantifier), reason);
            self.problems.push(problem.of(title));
        }
    }

    fn warn_of_unknown(&mut self, compiled: &Compiled, title: &str, place: &Place<'_>) {
        for unknown in unknown_fields(compiled) {
            let line = place.line_of(&unknown.name);
            let problem = LoadProblem::warning(&place.file.path, line, unknown.reason);
            self.problems.push(problem.of(title));
        }
    }

    /// The detection with the lists that it asks for; `None` when one is not there.
    fn with_lists(&mut self, written: &Detections, title: &str, place: &Place<'_>) -> Option<Detections> {
        let mut detection = written.clone();
        let Err(list) = self.lists.fill(&mut detection) else { return Some(detection) };
        let line = place.line_of(&format!("%{list}%"));
        self.problems.push(LoadProblem::waiting(&place.file.path, line, &list).of(title));
        None
    }

    /// Where a rule goes: behind the others, or into the place of the built-in rule that it replaces. `None` when its
    /// id is taken.
    fn place_for(&mut self, info: &RuleInfo, origin: Origin) -> Option<usize> {
        let Some(at) = self.infos.iter().position(|known| known.id == info.id) else {
            return Some(self.infos.len());
        };
        let known = &self.infos[at].origin;
        if known.builtin && !origin.builtin {
            return Some(at);
        }
        let reason = format!("its id {} is taken by {}:{}", info.id, known.file.display(), known.line);
        self.problems.push(LoadProblem::error(&origin.file, origin.line, reason).of(&info.title));
        None
    }

    fn put(&mut self, at: usize, info: RuleInfo, compiled: Option<Compiled>) {
        if at == self.infos.len() {
            self.infos.push(info);
            self.rules.push(compiled);
        } else {
            self.infos[at] = info;
            self.rules[at] = compiled;
        }
    }

    fn take_filter(&mut self, filter: FilterRule, place: &Place<'_>) {
        let log = filter.logsource.as_ref().map(log_of);
        if log == Some(None) {
            let product = filter.logsource.and_then(|source| source.product);
            *self.skipped.entry(product.unwrap_or_else(|| "none".to_owned())).or_default() += 1;
            return;
        }
        if !self.knows_version(filter.sigma_version, &filter.title, place) {
            return;
        }
        let Some(detection) = self.with_lists(&filter.detection, &filter.title, place) else { return };
        match compile(&detection) {
            Ok(compiled) => {
                // The condition is what must hold beside the rule's own: without `not`, the filter lets through only
                // what it was written to leave out.
                if !compiled.condition.has_not() {
                    let line = place.line_of("condition:");
                    let reason = "the filter's condition has no `not`: the rule now matches only what the filter names";
                    self.problems
                        .push(LoadProblem::warning(&place.file.path, line, reason).of(&filter.title));
                }
                // Without a log of its own it may be about the fields of any.
                if log.flatten() == Some(LogKind::Kube) {
                    self.warn_of_unknown(&compiled, &filter.title, place);
                }
                let (origin, text) = (place.origin(), place.text.to_owned());
                self.filters.push(Pending { document: (filter, compiled, log.flatten()), origin, text });
            }
            Err(refusal) => self.problems.push(place.refused(&filter.title, &refusal)),
        }
    }

    fn finish(mut self) -> (RuleSet, Vec<LoadProblem>) {
        let filters = self.apply_filters();
        let correlations = self.resolve_correlations();
        patterns::forget();
        let Loading { infos, rules, skipped, problems, .. } = self;
        (RuleSet { infos, rules, correlations, filters, skipped }, problems)
    }

    fn apply_filters(&mut self) -> Vec<FilterInfo> {
        let mut used = Vec::new();
        for Pending { document: (filter, compiled, log), origin, .. } in std::mem::take(&mut self.filters) {
            let called = |info: &RuleInfo, name: &String| info.is_called(name) || info.title == *name;
            let is_target = |info: &RuleInfo| match &filter.rules {
                FilterRuleTarget::Any => true,
                FilterRuleTarget::Specific(names) => names.iter().any(|name| called(info, name)),
            };
            let mut narrows = Vec::new();
            for (index, (info, rule)) in (0..).map(RuleIndex).zip(self.infos.iter_mut().zip(&mut self.rules))
            {
                if is_target(info)
                    && log.is_none_or(|log| log == info.log)
                    && let Some(own) = rule.take()
                {
                    *rule = Some(own.and(&compiled, &filter.title));
                    info.filters.push(filter.title.clone());
                    narrows.push(index);
                }
            }
            used.push(FilterInfo { title: filter.title.clone(), origin: origin.clone(), narrows });
            let FilterRuleTarget::Specific(names) = &filter.rules else { continue };
            for name in names {
                let named: Vec<&RuleInfo> = self.infos.iter().filter(|info| called(info, name)).collect();
                let of_other_log = log.filter(|log| named.iter().any(|info| info.log != *log));
                if let Some(log) = of_other_log {
                    let reason = format!("the filter is about {}'s log, rule {name} is not", log.title());
                    let problem = LoadProblem::warning(&origin.file, origin.line, reason);
                    self.problems.push(problem.of(&filter.title));
                }
                if named.is_empty() && !self.skipped_names.contains(name) {
                    let is_correlation = |pending: &Pending<CorrelationRule>| {
                        let CorrelationRule { id, name: own, title, .. } = &pending.document;
                        [id.as_ref(), own.as_ref(), Some(title)].contains(&Some(name))
                    };
                    let reason = match self.correlations.iter().any(is_correlation) {
                        true => format!(
                            "{name} is a correlation, which no filter narrows: name the rules that it correlates"
                        ),
                        false => format!("the filter names rule {name}, which is not loaded"),
                    };
                    let problem = LoadProblem::warning(&origin.file, origin.line, reason);
                    self.problems.push(problem.of(&filter.title));
                }
            }
        }
        used
    }

    /// Takes in the correlations, those first whose rules are all there: one may correlate another.
    fn resolve_correlations(&mut self) -> Vec<Correlation> {
        let mut names = Names::default();
        self.infos.iter().enumerate().for_each(|(at, info)| names.add(info, at));
        let mut resolved: Vec<Correlation> = self.of_single_rules(&names);
        let mut waiting = std::mem::take(&mut self.correlations);
        loop {
            let before = waiting.len();
            let mut left = Vec::new();
            for pending in waiting {
                match Correlation::compile(&pending.document, &|name| names.rule(name)) {
                    Ok(correlation) => {
                        if let Some(at) = self.take_correlation(correlation, &pending, &mut resolved) {
                            names.add(&self.infos[at], at);
                        }
                    }
                    Err(Refused::Missing(_)) => left.push(pending),
                    Err(Refused::Invalid(refusal)) => self.refuse(&pending, &refusal),
                }
            }
            waiting = left;
            if waiting.len() == before {
                break;
            }
            // A long chain that is written from its end takes two rounds then, not one for each of its parts.
            waiting.reverse();
        }
        for pending in waiting {
            // A correlation of other logs' rules is about other logs.
            if pending.document.rules.iter().all(|name| self.skipped_names.contains(name)) {
                *self.skipped.entry("correlations".to_owned()).or_default() += 1;
            } else if let Err(Refused::Missing(name)) =
                Correlation::compile(&pending.document, &|name| names.rule(name))
            {
                let reason =
                    format!("it correlates rule {name}, which is not loaded, or leads back to itself");
                self.refuse(&pending, &Refusal::new(&name, reason));
            }
        }
        for (at, info) in self.infos.iter_mut().enumerate() {
            let index = RuleIndex(at as u32);
            let mut feeds = resolved.iter().filter(|correlation| correlation.feeds_on(index)).peekable();
            info.feeds_only = feeds.peek().is_some() && feeds.all(|correlation| !correlation.generates);
        }
        resolved
    }

    fn take_correlation(
        &mut self,
        mut correlation: Correlation,
        pending: &Pending<CorrelationRule>,
        resolved: &mut Vec<Correlation>,
    ) -> Option<usize> {
        let mut info =
            RuleInfo::of_correlation(&pending.document, pending.origin.clone(), pending.text.clone());
        info.log = correlation.inputs.first().map_or(LogKind::Kube, |rule| self.infos[rule.0 as usize].log);
        let at = self.place_for(&info, pending.origin.clone())?;
        self.put(at, info, None);
        correlation.rule = RuleIndex(at as u32);
        resolved.retain(|known| known.rule != correlation.rule);
        resolved.push(correlation);
        Some(at)
    }

    fn refuse(&mut self, pending: &Pending<CorrelationRule>, refusal: &Refusal) {
        let Origin { file, line, .. } = &pending.origin;
        let found =
            pending.text.lines().position(|text| !refusal.near.is_empty() && text.contains(&refusal.near));
        let problem = LoadProblem::error(file, line + found.unwrap_or(0) as u32, refusal.reason.as_str());
        self.problems.push(problem.of(&pending.document.title));
    }

    /// What rules say themselves of how their matches become alerts: only the first time, or one for each object.
    fn of_single_rules(&mut self, names: &Names) -> Vec<Correlation> {
        let mut found = Vec::new();
        for (at, info) in self.infos.iter().enumerate() {
            let rule = RuleIndex(at as u32);
            let first_seen = Correlation::first_seen(rule, &info.custom);
            for read in [first_seen, Correlation::alert_by(rule, &info.custom, &|name| names.rule(name))] {
                match read {
                    Ok(correlation) => found.extend(correlation),
                    Err(reason) => {
                        let Origin { file, line, .. } = &info.origin;
                        self.problems.push(LoadProblem::warning(file, *line, reason).of(&info.title));
                    }
                }
            }
        }
        found
    }
}

/// Rules by what correlations may call them.
#[derive(Default)]
struct Names(HashMap<String, RuleIndex>);

impl Names {
    fn add(&mut self, info: &RuleInfo, at: usize) {
        for name in [Some(&info.id), info.name.as_ref()].into_iter().flatten() {
            self.0.entry(name.clone()).or_insert(RuleIndex(at as u32));
        }
    }

    fn rule(&self, name: &str) -> Option<RuleIndex> {
        self.0.get(name).copied()
    }
}

/// Whether a document is nested so deeply that parsing it would take minutes or all of the stack: flow collections, for
/// which the YAML parser's time grows with the square of the depth, and `not not not` in a condition, where the
/// condition parser's recursion has no end of its own. Brackets within texts are counted as well, but nobody writes
/// hundreds that are never closed.
fn is_nested_too_deeply(text: &str) -> bool {
    const MOST_OPEN: usize = 500;
    let (mut open, mut nots) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MOST_OPEN {
            return true;
        }
    }
    text.split_ascii_whitespace().any(|word| {
        nots = if word == "not" { nots + 1 } else { 0 };
        nots > MOST_OPEN
    })
}

/// The products whose logs are known, as Sigma calls them.
const PRODUCTS: [(LogKind, &str); 5] = [
    (LogKind::Kube, "kubernetes"),
    (LogKind::Rancher, "rancher"),
    (LogKind::ArgoCd, "argocd"),
    (LogKind::Fleet, "fleet"),
    (LogKind::Flux, "flux"),
];

/// What is probably wrong with the log source of a rule that is left out; `None` for that of another log.
fn misspelt(source: &LogSource) -> Option<String> {
    let left_out = "the rule is left out: its logsource";
    let Some(product) = &source.product else {
        // Without a product, a rule of ours would say no more than the service.
        let is_ours =
            source.service.as_deref().is_none_or(|service| service == "audit") && source.category.is_none();
        return is_ours.then(|| format!("{left_out} names no product, such as kubernetes"));
    };
    let known = nearest(product, PRODUCTS.iter().map(|(_, name)| *name))?;
    // Other products have names like these.
    if known.len().abs_diff(product.len()) > 1 || !product.to_ascii_lowercase().starts_with(&known[..1]) {
        return None;
    }
    match known.eq_ignore_ascii_case(product) {
        false => Some(format!("{left_out} names the product '{product}' (did you mean '{known}'?)")),
        // Other services of a product have logs of their own.
        true => {
            source.service.as_ref().filter(|service| nearest(service, ["audit"].into_iter()).is_some()).map(
                |service| {
                    format!("{left_out} names the service '{service}' of {known} (did you mean 'audit'?)")
                },
            )
        }
    }
}

/// The log that a rule is about; `None` for those that are not read here. Categories say nothing more.
fn log_of(source: &LogSource) -> Option<LogKind> {
    let is = |value: &Option<String>, names: &[&str]| {
        value.as_ref().is_some_and(|value| names.iter().any(|name| value.eq_ignore_ascii_case(name)))
    };
    // What Kubernetes and Rancher log beside their audit logs is something else; the controllers have one log each.
    let services: &[&str] = match () {
        () if is(&source.product, &["kubernetes", "rancher"]) => &["audit", "audit_logs"],
        () => &[],
    };
    let (log, _) = PRODUCTS.into_iter().find(|(_, product)| is(&source.product, &[product]))?;
    (source.service.is_none() || is(&source.service, services)).then_some(log)
}

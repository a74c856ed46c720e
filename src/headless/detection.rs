//! The rules beside a command's store: what they found so far, and what they could not tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Streams;
use crate::detect::{AlertBoard, LoadedRules, ProblemKind, blind_in_words, readiness};
use crate::identity::Identities;
use crate::model::TimeZoneChoice;
use crate::query::Alerted;
use crate::store::Store;
use crate::text::thousands;
use crate::trace::Log;

/// Problems of rules that are told one by one; how many more there are is counted.
const MOST_PROBLEMS: usize = 5;

/// Rules at work.
pub(super) struct Detection {
    pub(super) rules: LoadedRules,
    pub(super) board: AlertBoard,
    for_filters: Arc<Alerted>,
    identities: Identities,
    /// When rules with state were last asked, and how long that took.
    observed: Option<(Instant, Duration)>,
}

impl Detection {
    pub(super) fn new(rules: &LoadedRules) -> Detection {
        let board = AlertBoard::new(Arc::clone(&rules.engine));
        Detection {
            rules: rules.clone(),
            board,
            for_filters: Arc::default(),
            identities: Identities::default(),
            observed: None,
        }
    }

    /// Takes in what is new in the store. Segments that the workers did not look at, such as batches of live lines that
    /// were joined, are looked at here.
    pub(super) fn update(&mut self, store: &mut Store) {
        self.identities.update(store);
        let unseen = self.board.update(store);
        for number in &unseen {
            let Some(hits) = store.entry(*number).map(|entry| self.rules.engine.look_at(entry.segment()))
            else {
                continue;
            };
            store.set_hits(*number, hits);
        }
        if !unseen.is_empty() {
            self.board.update(store);
        }
    }

    /// Asks the rules with state. They look at everything that is held: while lines come, they may take a twentieth of
    /// the time.
    pub(super) fn observe(&mut self, store: &Store) {
        if self.observed.is_none_or(|(when, took)| when.elapsed() >= took * 20) {
            let began = Instant::now();
            self.board.observe(store, &self.identities);
            self.observed = Some((Instant::now(), began.elapsed()));
        }
    }

    /// Works out what correlates. Returns whether anything changed.
    pub(super) fn settle(&mut self, store: &Store) -> bool {
        self.observe(store);
        let changed = self.board.refresh(store, None);
        if changed {
            self.for_filters = Arc::new(self.board.for_filters());
        }
        changed
    }

    /// What the rules with state know of other requests, for whoever follows an alert further.
    pub(super) fn log<'d>(&'d self, store: &'d Store, zone: TimeZoneChoice) -> Log<'d> {
        Log { store, identities: &self.identities, zone }
    }

    pub(super) fn for_filters(&self) -> Arc<Alerted> {
        Arc::clone(&self.for_filters)
    }

    /// Says which rules are not in use.
    pub(super) fn tell_problems(&self, streams: &mut Streams<'_>) {
        let of = |kind: ProblemKind| self.rules.problems.iter().filter(move |problem| problem.kind == kind);
        for problem in of(ProblemKind::Error).take(MOST_PROBLEMS) {
            streams.note(&format!("rule not used: {problem}"));
        }
        let untold = of(ProblemKind::Error).count().saturating_sub(MOST_PROBLEMS);
        let warnings = of(ProblemKind::Warning).count();
        if untold + warnings > 0 {
            streams.note(&format!(
                "rules: {untold} more errors and {warnings} warnings; kauditui rules check lists them"
            ));
        }
        if let Some(skipped) = self.skipped_in_words() {
            streams.note(&skipped);
        }
    }

    /// How many rules of other logs were left out, if any.
    pub(super) fn skipped_in_words(&self) -> Option<String> {
        skipped_in_words(&self.rules)
    }

    /// Says which rules could not have found anything.
    pub(super) fn tell_blind(&self, store: &Store, streams: &mut Streams<'_>) {
        if let Some(blind) = blind_in_words(&readiness(&self.rules.engine, store)) {
            streams.note(&format!("{blind}; kauditui rules list SOURCE tells which"));
        }
    }

    /// Says what was found and had to be forgotten.
    pub(super) fn tell_losses(&self, streams: &mut Streams<'_>) {
        if self.board.left_out() > 0 {
            streams.note(&format!(
                "too many different alerts: {} matches are not listed",
                thousands(self.board.left_out())
            ));
        }
        if self.board.forgotten() > 0 {
            streams.note(&format!(
                "correlations forgot {} events, the oldest: what they had a part in may be missing",
                thousands(self.board.forgotten())
            ));
        }
    }
}

/// How many rules of other logs were left out, if any.
pub(super) fn skipped_in_words(rules: &LoadedRules) -> Option<String> {
    let counts: Vec<String> =
        rules.skipped.iter().map(|(product, count)| format!("{product} {count}")).collect();
    (!counts.is_empty()).then(|| format!("rules of other logs left out: {}", counts.join(", ")))
}

//! Compares successive states of an object, beside the walk that finds them: telling a change so that no secret shows
//! takes longer than finding the states. [`super::History`] hands pairs over and collects what changed at the end.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};

use serde_json::Value;

use super::{Change, HistoryOptions};
use crate::trace::difference::{FieldChange, differences};
use crate::trace::manifest::shown;

/// Threads that compare. More are of no use: reading ahead takes its own.
const THREADS: usize = 2;

/// Pairs that wait at most: each may be as large as an object can be.
const WAITING: usize = 16;

/// Two states of one object, and the place of the revision between them.
pub struct Pair {
    /// Its place among the revisions.
    pub at: usize,
    /// The state before.
    pub before: Arc<Value>,
    /// The state after.
    pub after: Arc<Value>,
}

/// How states are compared.
#[derive(Clone, Copy)]
pub struct Comparison<'c> {
    /// The resource, which decides what is secret.
    pub resource: &'c str,
    /// What is shown.
    pub options: HistoryOptions,
}

impl Comparison<'_> {
    /// What changed, and how many changes are folded.
    pub fn of(&self, before: &Value, after: &Value) -> (Change, usize) {
        let all = differences(before, after);
        let (noise, fields): (Vec<FieldChange>, Vec<FieldChange>) =
            all.into_iter().partition(|change| change.noise().is_some() && !self.options.noise);
        let shown = shown(&fields, before, after, self.resource, self.options.revealed);
        let change = if shown.is_empty() { Change::Nothing } else { Change::Fields(shown) };
        (change, noise.len())
    }
}

/// What became of a pair: its place, the change, and how much is folded.
type Compared = (usize, Change, usize);

/// Threads that compare what they are handed.
pub struct Comparing<'scope> {
    comparison: Comparison<'scope>,
    pairs: Option<SyncSender<Pair>>,
    compared: Receiver<Compared>,
    done: Vec<Compared>,
}

impl<'scope> Comparing<'scope> {
    /// Starts the threads, if they are worth it. Without any, [`Self::take`] compares by itself.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        comparison: Comparison<'scope>,
        is_worth_threads: bool,
    ) -> Comparing<'scope> {
        let (pairs, waiting) = sync_channel(WAITING);
        let (tell, compared) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut has_thread = false;
        for _ in 0..if is_worth_threads { THREADS } else { 0 } {
            let (waiting, tell) = (Arc::clone(&waiting), tell.clone());
            let body = move || compare_all(comparison, &waiting, &tell);
            has_thread |= Builder::new().name("compare".into()).spawn_scoped(scope, body).is_ok();
        }
        Comparing { comparison, pairs: has_thread.then_some(pairs), compared, done: Vec::new() }
    }

    /// Has a pair compared.
    pub fn take(&mut self, pair: Pair) {
        // Nobody takes it where there are no threads.
        let left = match &self.pairs {
            Some(pairs) => pairs.send(pair).err().map(|unsent| unsent.0),
            None => Some(pair),
        };
        if let Some(Pair { at, before, after }) = left {
            let (change, folded) = self.comparison.of(&before, &after);
            self.done.push((at, change, folded));
        }
    }

    /// What became of all pairs, in no order.
    pub fn finish(mut self) -> impl Iterator<Item = (usize, Change, usize)> {
        // The threads end when nothing can come any more, and with them what they tell.
        self.pairs = None;
        self.done.into_iter().chain(self.compared)
    }
}

fn compare_all(comparison: Comparison<'_>, waiting: &Mutex<Receiver<Pair>>, tell: &Sender<Compared>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Pair { at, before, after }) = next else { return };
        let (change, folded) = comparison.of(&before, &after);
        if tell.send((at, change, folded)).is_err() {
            return;
        }
    }
}

//! What detection rules match in a segment, sealed in beside its columns. What a rule is, [`crate::detect`] knows; the
//! store only keeps which rows were looked at by which set of rules, and what came of it.

use std::sync::Arc;

/// A row that a rule matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RuleHit {
    /// Row of the segment.
    pub row: u32,
    /// The rule, by its place in the set of rules that was run.
    pub rule: u32,
}

/// The matches of one set of rules in the first rows of a segment.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Number of the set of rules, from 1; 0 when none was run.
    pub rules: u64,
    /// Rows that were looked at: those before this one.
    pub until: u32,
    /// What matched, by row and rule.
    pub found: Arc<Vec<RuleHit>>,
}

impl Hits {
    /// Adds what was found in a batch whose first row is `base`. Nothing is added when other rules were run over it, or
    /// rows between were not looked at: whoever needs it looks at them again.
    pub(super) fn append(&mut self, base: u32, batch: &Hits) {
        if self.until == 0 && base == 0 {
            self.rules = batch.rules;
        }
        if self.rules != batch.rules || self.until != base {
            return;
        }
        self.until = base + batch.until;
        if !batch.found.is_empty() {
            let moved = batch.found.iter().map(|hit| RuleHit { row: base + hit.row, ..*hit });
            Arc::make_mut(&mut self.found).extend(moved);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.found.capacity() * size_of::<RuleHit>()
    }
}

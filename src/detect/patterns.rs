//! Compiled regular expressions while rules are loaded: most rules of a pack leave out the same requests by the same
//! patterns, and compiling one takes longer than reading the rule.

use std::cell::RefCell;

use hashbrown::HashMap;
use regex::{Regex, RegexBuilder};

/// Patterns that are remembered while loading.
const MOST_KNOWN: usize = 1_000;

thread_local! {
    /// By size limit and pattern.
    static KNOWN: RefCell<HashMap<(usize, String), Regex>> = RefCell::default();
}

/// A pattern that takes no more than `limit` bytes when compiled.
///
/// # Errors
/// When the pattern is none, or too large.
pub(super) fn compiled(pattern: &str, limit: usize) -> Result<Regex, regex::Error> {
    KNOWN.with_borrow_mut(|known| {
        let key = (limit, pattern.to_owned());
        if let Some(regex) = known.get(&key) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern).size_limit(limit).build()?;
        if known.len() < MOST_KNOWN {
            known.insert(key, regex.clone());
        }
        Ok(regex)
    })
}

/// Forgets them: what was loaded has its own.
pub(super) fn forget() {
    KNOWN.take();
}

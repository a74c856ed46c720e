//! What a filter means besides its words: the moments that `-15m` and `03:00` count from, the names of the logs, the
//! marked rows, the rows with an alert, and whether masked values may be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::alerted::Alerted;
use super::fields::FieldName;
use super::syntax::{Expression, Target};
use crate::model::{EventId, Micros, SourceId, TimeZoneChoice};

/// What a plan is compiled with. The default knows no log, no mark and no alert, and counts times from 1970.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The moment that lengths such as `-15m` count back from.
    pub reference: Micros,
    /// Stage time of the newest event: a time of day is the latest such moment before it.
    pub newest: Micros,
    /// Zone of times without one.
    pub zone: TimeZoneChoice,
    /// What each log is called.
    pub sources: BTreeMap<SourceId, String>,
    /// The marked rows.
    pub marks: Arc<BTreeSet<EventId>>,
    /// The rows that have a part in an alert.
    pub alerts: Arc<Alerted>,
    /// Secret values may be matched.
    pub revealed: bool,
}

impl Context {
    /// Whether the answer to an expression depends on this field, so that it must be compiled anew when that part of
    /// the context changes.
    pub fn matters(expression: &Expression, field: FieldName) -> bool {
        expression.mentions(|term| term.target.as_ref().and_then(Target::field) == Some(field))
    }
}

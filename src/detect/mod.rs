//! Detection: Sigma rules over segments, correlations over their hits, alerts over both.
//!
//! ```text
//!   rule files -> RuleSet (what is wrong with them: LoadProblem) -> Engine, which workers share
//!   Segment -> Engine::hits: columns first; texts are searched, then parsed, of the few rows left -> Hit (row, rule)
//!   hits -> Correlator (windows over event time, in whatever order hits come) -> Finding
//!   Identities, Store -> state::findings: what needs to know of other requests -> Finding
//!   hits and findings -> Alerts: by rule, actor and namespace, each request once
//!   AlertBoard: all of that for the one store, as data comes and goes
//!   readiness: which rules can fire on what is held
//! ```
//!
//! Rules are Sigma 2.1 (and same-element blocks of `sigma-version: 3`), parsed by `rsigma-parser` and evaluated here.
//! Nothing here knows a screen, a thread or a clock; [`crate::store`] holds what is evaluated, [`crate::identity`] what is
//! known of each credential, and masked columns are told by [`crate::redact`].
//!
//! Where the specification leaves room, or a log needs it:
//! - Columns do not tell an absent string from an empty one, nor does the Kubernetes API: `''` and `null` both match.
//! - `*` alone matches whatever is there, objects too.
//! - An array matches when any of its members does. `neq` and `not` hold when none does.
//! - A field that is absent matches nothing but `null`, `''` and `exists: false`: a record without the annotation of a
//!   decision was not denied.
//! - Records of stage RequestReceived are not looked at: the answer tells more. Those of level Metadata have no bodies.

mod ack;
mod alert;
mod board;
mod columns;
mod compile;
mod correlation;
mod correlator;
mod document;
mod engine;
mod explain;
mod field;
mod files;
mod item;
mod lists;
mod loaded;
mod matcher;
mod mended;
mod modifiers;
mod mute;
mod needles;
mod needs;
mod node;
mod path;
mod patterns;
mod problem;
mod readiness;
mod request;
mod risk;
mod row;
mod rule;
mod ruleset;
pub mod state;
mod subject;
#[cfg(test)]
mod tests;
mod told;
mod unknown;
mod windows;

pub use ack::{Ack, AckKind, Acks, AlertState};
pub use alert::{Alert, AlertKey, Alerts};
pub use board::AlertBoard;
pub use correlator::{Correlator, Finding};
pub use engine::{Engine, Hit};
pub use explain::Why;
pub use loaded::LoadedRules;
pub use mute::{Mute, MuteScope, mute};
pub use needs::Needs;
pub use problem::{LoadProblem, ProblemKind};
pub use readiness::{Readiness, blind_in_words, readiness, state_in_words};
pub use risk::{Risk, risks};
pub use rule::{FilterInfo, Origin, RuleIndex, RuleInfo, Severity};
pub use ruleset::RuleSet;
pub use subject::Subject;
pub use told::{MOST_AUDIT_IDS, Reason, ToldAlert, ToldFinding, held_audit_id, newest_audit_ids, reasons};

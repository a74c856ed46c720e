//! Who really did it, what exactly changed, and why it was allowed: what one event says only together with others.
//!
//! [`request`] is one request with its bodies, [`select`] finds requests by the values of their columns, [`finding`] is
//! one statement with its certainty and evidence; [`who()`] tells who stood behind a request. [`cause`] steps back from a
//! request to the one that led to it, [`effects`] forwards to what it set off, by what [`relations`] knows of
//! controllers; [`chain`] puts both together. All of it reads
//! [`crate::store`] and [`crate::identity`] and changes nothing; bodies are parsed only for the requests that an answer
//! needs. [`mod@kubectl`] tells a request as a command line, [`session`] what an actor did in one go,
//! [`report`] an incident as Markdown, [`access`] why a request was allowed or refused. The screens of [`crate::app`] and the commands of [`crate::headless`] show it.

pub mod access;
pub mod cause;
mod certificate;
pub mod chain;
pub mod difference;
pub mod effects;
pub mod find;
pub mod finding;
pub mod history;
pub mod kubectl;
pub mod manifest;
pub mod markdown;
pub mod patch;
pub mod path;
mod read_ahead;
pub mod relations;
pub mod report;
pub mod request;
pub mod select;
pub mod session;
pub mod tell;
pub mod trail;
pub mod who;
pub mod yaml;

pub use cause::Cause;
pub use chain::{Chain, End};
pub use effects::Effect;
pub use finding::{Certainty, Finding, Log, Topic};
pub use history::{Change, History, HistoryOptions, Outcome, Revision};
pub use kubectl::{KubectlLine, kubectl, quoted};
pub use report::{Report, ReportEvent};
pub use request::{ObjectKey, Request};
pub use session::{SESSION_GAP, Session, session_lines, sessions};
pub use tell::Told;
pub use trail::{ClockDifference, Contradiction, GitOrigin, clock_differences, contradictions};
pub use who::{credential_told, who};

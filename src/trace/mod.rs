//! Who really did it, what exactly changed, and why it was allowed: what one event says only together with others.
//!
//! [`request`] is one request with its bodies, [`select`] finds requests by the values of their columns, [`finding`] is
//! one statement with its certainty and evidence; [`who()`] tells who stood behind a request. All of it reads
//! [`crate::store`] and [`crate::identity`] and changes nothing; bodies are parsed only for the requests that an answer
//! needs. The screens of [`crate::app`] and the commands of [`crate::headless`] show it.

mod certificate;
pub mod finding;
pub mod request;
pub mod select;
pub mod who;

pub use finding::{Certainty, Finding, Log, Topic};
pub use request::{ObjectKey, Request};
pub use who::who;

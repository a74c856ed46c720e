//! Who really did it, what exactly changed, and why it was allowed: what one event says only together with others.
//!
//! [`request`] is one request with its bodies, [`select`] finds requests by the values of their columns. All of it reads
//! [`crate::store`] and changes nothing; bodies are parsed only for the requests that an answer needs. The screens of
//! [`crate::app`] and the commands of [`crate::headless`] show it.

pub mod kubectl;
pub mod request;
pub mod select;
pub mod session;

pub use kubectl::{KubectlLine, kubectl};
pub use request::{ObjectKey, Request};
pub use session::{SESSION_GAP, Session, session_lines, sessions};

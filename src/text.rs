//! Text made safe and fitting for a terminal.
//!
//! Everything that came from a log is hostile until it went through [`sanitise`]: an escape sequence in a user
//! agent must not move a cursor, a bidi override must not turn a name round, a zero-width space must not make two
//! names look alike. [`crate::ui`] uses this module for what it draws, [`crate::headless`] for what it prints and
//! both for what is copied. What is *secret* rather than dangerous is the business of [`crate::redact`].
//!
//! Nothing here knows of events or of ratatui; [`width`] agrees with what ratatui's `Buffer::set_string` does.

mod figures;
mod fit;
mod sanitise;
mod wrap;

pub use figures::{counted, human_bytes, human_count, thousands};
pub use fit::{common_beginning, fit_end, fit_middle, pad, width};
pub use sanitise::{Marks, SanitiseOptions, is_hostile, json_escape_hostile, sanitise, sanitise_with};
pub use wrap::wrap;

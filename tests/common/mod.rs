//! What the tests that drive whole programs share.

pub mod app;
pub mod pty;

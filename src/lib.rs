//! kauditui: a terminal explorer for Kubernetes audit logs.
#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod error;
pub mod format;
pub mod headless;
pub mod ingest;
pub mod model;
pub mod notice;
pub mod query;
pub mod redact;
pub mod runtime;
pub mod settings;
pub mod source;
pub mod store;
pub mod term;
pub mod text;
pub mod ui;

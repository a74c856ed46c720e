//! What an audit event is, in Kubernetes' own terms, and nothing else: no I/O, no storage, no screen.
//!
//! Everything above builds on this module: [`crate::format`] fills an [`Event`] from the bytes of a line,
//! [`crate::store`] turns it into columns, [`crate::query`] asks about it and the screens show it.

mod actor;
mod authorization;
mod event;
mod gitops;
mod id;
mod log_kind;
mod request_uri;
mod time;
mod user_agent;
mod vocabulary;

pub use actor::{ActorKind, actor_kind, service_account};
pub use authorization::Grant;
pub use event::{Event, HELD_ANNOTATIONS, ObjectRef};
pub use gitops::{gitops_engine, is_gitops_group};
pub use id::{EventId, SourceId};
pub use log_kind::LogKind;
pub use request_uri::{command, field_manager, is_dry_run, named_field_manager, parameter, parameters};
pub use time::{
    Micros, SECOND, TimeZoneChoice, format_clock, format_duration, format_local_offset, format_rfc3339,
    format_stamp, now, parse_length, parse_rfc3339, parse_user_time, zone_offset_seconds,
};
pub use user_agent::{ToolKind, is_hand_tool, tool, tool_kind};
pub use vocabulary::{
    Decision, Level, Stage, is_mutating_subresource, is_write_in_any_log, is_write_verb, short_resource,
};

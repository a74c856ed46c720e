//! Why a request was allowed or refused, and what would allow it.
//!
//! [`Allowed`] tells the binding and role that let a request in and who made or changed those in the log; [`Refused`]
//! tells RBAC, admission, quota, policy, authentication and overload apart; [`webhook_effects()`] which webhooks changed
//! an object or were passed over. [`UserAccess`] does so for all that a user asked for, and [`minimal_roles`] writes the
//! least RBAC rules for [`Permission`]s. [`request_access`] tells one request's answer as lines.
//!
//! Annotations are those of FORMATS.md 1.5; a policy of level Metadata suffices for all but the patches of webhooks.
//! Neighbours: [`super::request`] and [`super::select`] bring the requests, [`super::tell`] has the form of the lines.

mod allowed;
mod lines;
mod permission;
mod refusal;
mod roles;
mod user;
mod webhook;

pub use allowed::{AccessChange, Allowed, AllowedBy, ChangeKind, Granted};
pub use lines::{allowed_in_words, request_access};
pub use permission::Permission;
pub use refusal::{Refusal, Refused};
pub use roles::{Manifest, Roles, minimal_roles};
pub use user::{GrantUse, Proposal, RefusalGroup, UserAccess, reads_are_logged, refusals, user_named};
pub use webhook::{WebhookEffect, webhook_effects};

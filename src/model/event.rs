//! One audit event as the readers hand it to the store: borrowed, with the bodies left unparsed in its text.

use std::borrow::Cow;

use super::{Decision, Level, LogKind, Micros, Stage};

/// The object a request is about (`objectRef`). Empty strings stand for absent fields.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectRef<'a> {
    /// Plural resource, such as `deployments`. Empty for a non-resource URL.
    pub resource: Cow<'a, str>,
    /// Such as `scale` or `exec`.
    pub subresource: Cow<'a, str>,
    /// Empty for cluster-scoped objects.
    pub namespace: Cow<'a, str>,
    /// Empty for lists, and for `create` with `generateName`.
    pub name: Cow<'a, str>,
    /// Empty for the core group.
    pub api_group: Cow<'a, str>,
    /// Such as `v1`.
    pub api_version: Cow<'a, str>,
}

/// Annotations whose values an [`Event`] holds as they are: decision, its reason, the token that was minted.
pub const HELD_ANNOTATIONS: [&str; 3] = [
    "authorization.k8s.io/decision",
    "authorization.k8s.io/reason",
    "authentication.kubernetes.io/issued-credential-id",
];

/// One stage of one request, as written by an API server; or what a controller's log tells of one change, in the same
/// terms ([`crate::format`] says which of its words stand where).
///
/// Strings are decoded (no JSON escapes left) and empty when the field is absent or of another type. Both readers
/// (the fast scanner and the serde fallback) must give equal events for the same text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Event<'a> {
    /// Which program's log it is of.
    pub log: LogKind,
    /// How much the policy let this record say.
    pub level: Level,
    /// Which stage of the request this is.
    pub stage: Stage,
    /// Whatever the client sent in its `Audit-ID` header, usually a UUID. Empty when the record has none.
    pub audit_id: Cow<'a, str>,
    /// Path and query, percent-encoded as in the log.
    pub request_uri: Cow<'a, str>,
    /// Kubernetes verb, or the lower-case HTTP method for non-resource URLs.
    pub verb: Cow<'a, str>,
    /// `user.username`; of a login at OpenShift's OAuth server that succeeded, who logged in.
    pub user: Cow<'a, str>,
    /// `user.groups` as a JSON array without spaces, `["system:nodes"]`; empty when there are none.
    pub groups: Cow<'a, str>,
    /// First value of `user.extra["authentication.kubernetes.io/credential-id"]`: `JTI=…` of a service account token
    /// or `X509SHA256=…` of a client certificate.
    pub credential: Cow<'a, str>,
    /// `user.extra["authentication.kubernetes.io/pod-name"]`: the pod that a service account token is bound to.
    pub token_pod: Cow<'a, str>,
    /// `user.extra["authentication.kubernetes.io/node-name"]`: the node of that pod.
    pub token_node: Cow<'a, str>,
    /// `impersonatedUser.username`
    pub impersonated_user: Cow<'a, str>,
    /// `impersonatedUser.groups`, written like [`Self::groups`].
    pub impersonated_groups: Cow<'a, str>,
    /// The last of `sourceIPs`: the peer's own address, the only one a client cannot choose.
    pub source_ip: Cow<'a, str>,
    /// `userAgent`: a claim of the client's.
    pub user_agent: Cow<'a, str>,
    /// `objectRef`
    pub object: ObjectRef<'a>,
    /// `responseStatus.code`; 0 when absent.
    pub code: u16,
    /// `responseStatus.reason`, such as `Forbidden`.
    pub reason: Cow<'a, str>,
    /// `requestReceivedTimestamp`, or the older fields of FORMATS.md 1.2.
    pub received: Option<Micros>,
    /// `stageTimestamp`, or the older fields.
    pub stage_time: Option<Micros>,
    /// Annotation `authorization.k8s.io/decision`.
    pub decision: Decision,
    /// Annotation `authorization.k8s.io/reason`: names the binding and the role that allowed the request.
    pub decision_reason: Cow<'a, str>,
    /// Annotation `authentication.kubernetes.io/issued-credential-id`: the token that this request minted.
    pub issued_credential: Cow<'a, str>,
    /// Annotation `k8s.io/removed-release` of a request for a deprecated API version, or `true` where only
    /// `k8s.io/deprecated` says so.
    pub deprecated: Cow<'a, str>,
    /// Keys of the annotations but for [`HELD_ANNOTATIONS`], sorted, as a JSON array without spaces; empty when there
    /// are none.
    pub annotation_keys: Cow<'a, str>,
}

//! The fixed words of the audit API: stages, levels, decisions, and what counts as a write.

use std::fmt;

/// The stage of request handling in which a record was written (`audit.k8s.io/v1`, field `stage`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Stage {
    /// A stage this program does not know, or none.
    #[default]
    Unknown = 0,
    /// The request arrived; no answer yet.
    RequestReceived = 1,
    /// Headers were sent; only long-running requests and refused logins (401) write it.
    ResponseStarted = 2,
    /// The answer is complete.
    ResponseComplete = 3,
    /// The handler panicked.
    Panic = 4,
}

impl Stage {
    /// Every value, in declaration order.
    pub const ALL: [Stage; 5] = [
        Stage::Unknown,
        Stage::RequestReceived,
        Stage::ResponseStarted,
        Stage::ResponseComplete,
        Stage::Panic,
    ];

    /// The stage named `name` exactly as Kubernetes spells it.
    pub fn parse(name: &[u8]) -> Stage {
        match name {
            b"RequestReceived" => Stage::RequestReceived,
            b"ResponseStarted" => Stage::ResponseStarted,
            b"ResponseComplete" => Stage::ResponseComplete,
            b"Panic" => Stage::Panic,
            _ => Stage::Unknown,
        }
    }

    /// The stage with this number, [`Stage::Unknown`] for any other.
    pub fn from_u8(number: u8) -> Stage {
        Self::ALL.get(number as usize).copied().unwrap_or_default()
    }

    /// Kubernetes' name; empty for [`Stage::Unknown`].
    pub fn name(self) -> &'static str {
        match self {
            Stage::Unknown => "",
            Stage::RequestReceived => "RequestReceived",
            Stage::ResponseStarted => "ResponseStarted",
            Stage::ResponseComplete => "ResponseComplete",
            Stage::Panic => "Panic",
        }
    }

    /// Whether a record of this stage is an answer, and so may stand for its request.
    pub fn is_response(self) -> bool {
        matches!(self, Stage::ResponseStarted | Stage::ResponseComplete | Stage::Panic)
    }

    /// Whether nothing follows this stage.
    pub fn is_final(self) -> bool {
        matches!(self, Stage::ResponseComplete | Stage::Panic)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How much the audit policy lets a record say (field `level`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Level {
    /// A level this program does not know, or none.
    #[default]
    Unknown = 0,
    /// Who, what, when; no bodies.
    Metadata = 1,
    /// The request's body as well.
    Request = 2,
    /// Both bodies.
    RequestResponse = 3,
}

impl Level {
    /// Every value, in declaration order.
    pub const ALL: [Level; 4] = [Level::Unknown, Level::Metadata, Level::Request, Level::RequestResponse];

    /// The level named `name` exactly as Kubernetes spells it.
    pub fn parse(name: &[u8]) -> Level {
        match name {
            b"Metadata" => Level::Metadata,
            b"Request" => Level::Request,
            b"RequestResponse" => Level::RequestResponse,
            _ => Level::Unknown,
        }
    }

    /// The level with this number, [`Level::Unknown`] for any other.
    pub fn from_u8(number: u8) -> Level {
        Self::ALL.get(number as usize).copied().unwrap_or_default()
    }

    /// Kubernetes' name; empty for [`Level::Unknown`].
    pub fn name(self) -> &'static str {
        match self {
            Level::Unknown => "",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Annotation `authorization.k8s.io/decision`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Decision {
    /// Absent: not authorized yet, or refused before authorization (401, 429).
    #[default]
    Absent = 0,
    /// `allow`
    Allow = 1,
    /// `forbid`
    Forbid = 2,
}

impl Decision {
    /// The decision written as `value`.
    pub fn parse(value: &[u8]) -> Decision {
        match value {
            b"allow" => Decision::Allow,
            b"forbid" => Decision::Forbid,
            _ => Decision::Absent,
        }
    }

    /// The decision with this number.
    pub fn from_u8(number: u8) -> Decision {
        match number {
            1 => Decision::Allow,
            2 => Decision::Forbid,
            _ => Decision::Absent,
        }
    }

    /// Kubernetes' word; empty when absent.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Absent => "",
            Decision::Allow => "allow",
            Decision::Forbid => "forbid",
        }
    }
}

/// Whether `verb` changes state by itself (`kubernetes/apiserver` requestinfo.go: the resource verbs; and the HTTP
/// methods that non-resource URLs and other servers write).
pub fn is_write_verb(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection" | "post" | "put")
}

/// Whether a record with `verb` tells of a change: the API's verbs that write, and what the logs of GitOps engines tell
/// that somebody asked for or an engine did (FORMATS.md 3 and 4). How an operation that was asked for went on is no further
/// change.
pub fn is_write_in_any_log(verb: &str) -> bool {
    is_write_verb(verb)
        || matches!(
            verb,
            "sync"
                | "rollback"
                | "override"
                | "auto-sync-off"
                | "auto-sync-on"
                | "terminate"
                | "action"
                | "apply"
                | "prune"
                | "deploy"
                | "install"
                | "upgrade"
                | "uninstall"
        )
}

/// Whether any verb on this subresource acts on the cluster. `exec` and its kin are verb `get` from current kubectl
/// (WebSocket) and `create` from older ones, so the verb alone does not tell.
pub fn is_mutating_subresource(subresource: &str) -> bool {
    matches!(subresource, "exec" | "attach" | "portforward" | "proxy")
}

/// kubectl's short name of a resource (`deployments` -> `deploy`), or the singular where there is no short name but
/// the singular is shorter; `resource` itself when nothing shorter is known.
pub fn short_resource(resource: &str) -> &str {
    match resource {
        "certificatesigningrequests" => "csr",
        "clusterrolebindings" => "clusterrolebinding",
        "clusterroles" => "clusterrole",
        "componentstatuses" => "cs",
        "configmaps" => "cm",
        "cronjobs" => "cj",
        "customresourcedefinitions" => "crd",
        "daemonsets" => "ds",
        "deployments" => "deploy",
        "endpoints" => "ep",
        "endpointslices" => "epslice",
        "events" => "ev",
        "horizontalpodautoscalers" => "hpa",
        "ingresses" => "ing",
        "jobs" => "job",
        "leases" => "lease",
        "limitranges" => "limits",
        "localsubjectaccessreviews" => "localsar",
        "mutatingwebhookconfigurations" => "mutatingwebhook",
        "namespaces" => "ns",
        "networkpolicies" => "netpol",
        "nodes" => "node",
        "persistentvolumeclaims" => "pvc",
        "persistentvolumes" => "pv",
        "poddisruptionbudgets" => "pdb",
        "pods" => "pod",
        "priorityclasses" => "pc",
        "replicasets" => "rs",
        "replicationcontrollers" => "rc",
        "resourcequotas" => "quota",
        "rolebindings" => "rolebinding",
        "roles" => "role",
        "secrets" => "secret",
        "selfsubjectaccessreviews" => "selfsar",
        "selfsubjectrulesreviews" => "selfrules",
        "serviceaccounts" => "sa",
        "services" => "svc",
        "statefulsets" => "sts",
        "storageclasses" => "sc",
        "subjectaccessreviews" => "sar",
        "tokenreviews" => "tokenreview",
        "validatingwebhookconfigurations" => "validatingwebhook",
        "applications" => "app",
        "applicationsets" => "appset",
        "appprojects" => "appproj",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_back_and_forth() {
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.name().as_bytes()), stage);
            assert_eq!(Stage::from_u8(stage as u8), stage);
        }
        for level in Level::ALL {
            assert_eq!(Level::parse(level.name().as_bytes()), level);
            assert_eq!(Level::from_u8(level as u8), level);
        }
        assert_eq!(Stage::from_u8(200), Stage::Unknown);
    }

    #[test]
    fn only_answers_stand_for_their_request() {
        assert!(!Stage::RequestReceived.is_response());
        assert!(Stage::ResponseStarted.is_response() && !Stage::ResponseStarted.is_final());
        assert!(Stage::Panic.is_response() && Stage::Panic.is_final());
    }
}

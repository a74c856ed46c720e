//! What the users, agents and verbs of a segment are, told once for each distinct string, so that the few requests that
//! matter are picked from the many at the cost of a few look-ups each.

use super::rights::CLUSTER_ADMIN;
use crate::model::{ActorKind, EventId, Grant, Micros, ToolKind, actor_kind, is_dry_run, tool, tool_kind};
use crate::store::{Field, Segment, hash_bytes, mix};

/// The parts that the strings of a segment play, by symbol.
pub(super) struct Roles<'s> {
    segment: &'s Segment,
    actors: Vec<ActorKind>,
    tools: Vec<ToolKind>,
    writes: Vec<bool>,
    admin_reasons: Vec<bool>,
}

/// One record, with the parts that its user, agent and verb play.
pub(super) struct Deed<'s> {
    pub(super) segment: &'s Segment,
    pub(super) event: EventId,
    pub(super) actor: ActorKind,
    pub(super) tool: ToolKind,
    /// Whether a ClusterRoleBinding to cluster-admin allowed it.
    pub(super) is_allowed_as_admin: bool,
    is_write: bool,
}

impl<'s> Roles<'s> {
    pub(super) fn of(segment: &'s Segment) -> Roles<'s> {
        let strings = |field: Field| segment.column(field).dictionary.iter().map(|(_, text)| text);
        Roles {
            segment,
            actors: strings(Field::User).map(actor_kind).collect(),
            tools: strings(Field::UserAgent).map(|agent| tool_kind(tool(agent))).collect(),
            writes: strings(Field::Verb)
                .map(|verb| matches!(verb, "create" | "update" | "patch" | "delete"))
                .collect(),
            admin_reasons: strings(Field::DecisionReason).map(is_cluster_admin).collect(),
        }
    }

    pub(super) fn deed(&self, number: u32, row: u32) -> Deed<'s> {
        let symbol = |field: Field| usize::from(self.segment.symbol(field, row));
        let flag = |flags: &[bool], field| flags.get(symbol(field)).copied().unwrap_or(false);
        Deed {
            segment: self.segment,
            event: EventId::new(number, row),
            actor: self.actors.get(symbol(Field::User)).copied().unwrap_or(ActorKind::Anonymous),
            tool: self.tools.get(symbol(Field::UserAgent)).copied().unwrap_or(ToolKind::Program),
            is_allowed_as_admin: flag(&self.admin_reasons, Field::DecisionReason),
            is_write: flag(&self.writes, Field::Verb),
        }
    }
}

fn is_cluster_admin(reason: &str) -> bool {
    let grant = Grant::parse(reason);
    grant.is_some_and(|grant| grant.binding_kind == "ClusterRoleBinding" && grant.role == CLUSTER_ADMIN)
}

impl Deed<'_> {
    pub(super) fn row(&self) -> u32 {
        self.event.row()
    }

    pub(super) fn string(&self, field: Field) -> &str {
        self.segment.string(field, self.row())
    }

    pub(super) fn time(&self) -> Micros {
        self.segment.stage_time(self.row())
    }

    /// Whether the verb changes one object.
    pub(super) fn is_write(&self) -> bool {
        self.is_write
    }

    /// Whether something was changed: not refused, and not only tried. A code that is missing is no refusal.
    pub(super) fn is_done(&self) -> bool {
        self.segment.code(self.row()) < 400 && !is_dry_run(self.string(Field::RequestUri))
    }

    /// Whether a person did it, or a machine's identity with a person's tool.
    pub(super) fn is_by_person(&self) -> bool {
        match self.actor {
            ActorKind::Human | ActorKind::Anonymous => true,
            ActorKind::ServiceAccount | ActorKind::Node => self.tool == ToolKind::Hand,
            ActorKind::ControlPlane => false,
        }
    }

    /// Names the object, with its kind.
    pub(super) fn object(&self) -> u64 {
        let fields = [Field::ApiGroup, Field::Resource, Field::Namespace, Field::Name];
        self.mixed(&fields)
    }

    /// Names what was asked, and by whom: equal for the stages of a request.
    pub(super) fn request(&self) -> u64 {
        self.mixed(&[Field::RequestUri, Field::Verb, Field::User])
    }

    fn mixed(&self, fields: &[Field]) -> u64 {
        fields.iter().fold(0, |hash, field| mix(hash, hash_bytes(self.string(*field).as_bytes())))
    }
}

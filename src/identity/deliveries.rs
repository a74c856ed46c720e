//! What GitOps controllers applied, and who else changed it.
//!
//! An object counts as delivered when Argo CD, Flux or Fleet wrote it in this log: told by the agent of a service
//! account, or by a field manager of theirs. The sources themselves (applications, kustomizations …) do not count: they
//! are edited by people.

use std::collections::HashMap;

use super::names::{Name, Names};
use super::roles::Deed;
use crate::model::{ActorKind, EventId, Micros, SECOND, ToolKind, named_field_manager};
use crate::store::Field;

/// Objects that are remembered. A large cluster's repositories hold some ten thousand.
const MOST_OBJECTS: usize = 200_000;

/// Writes of people and pipelines that are remembered.
const MOST_WRITES: usize = 50_000;

/// A change of what a controller writes only later was a change of a delivered object if it did so soon: it put it back.
/// Otherwise the object was taken under its care.
const PUT_BACK_WITHIN: Micros = 3600 * SECOND;

/// Field managers of Argo CD, Flux and Fleet.
const MANAGERS: [&str; 5] = [
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
    "fleet",
];

/// API groups of what deliveries are made from.
const SOURCES: [&str; 3] = ["argoproj.io", "toolkit.fluxcd.io", "fleet.cattle.io"];

#[derive(Clone, Copy, Debug)]
struct Write {
    object: u64,
    user: Name,
    namespace: Name,
    is_create: bool,
    time: Micros,
    event: EventId,
}

/// A write to a delivered object by a person or a pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutsideWrite<'i> {
    /// `user.username`
    pub user: &'i str,
    /// The object's namespace, empty without one.
    pub namespace: &'i str,
    /// Its record.
    pub event: EventId,
}

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// By object, when a controller first wrote it.
    delivered: HashMap<u64, Micros>,
    others: Vec<Write>,
    forgotten: u64,
}

impl Deliveries {
    pub(super) fn take(&mut self, deed: &Deed<'_>, names: &mut Names) {
        let is_delivery = is_delivery(deed);
        let by_pipeline = deed.actor == ActorKind::ServiceAccount && deed.tool == ToolKind::Pipeline;
        if !(is_delivery || by_pipeline || deed.is_by_person()) || !is_change(deed) {
            return;
        }
        let (object, time) = (deed.object(), deed.time());
        if is_delivery {
            if self.delivered.len() < MOST_OBJECTS || self.delivered.contains_key(&object) {
                let first = self.delivered.entry(object).or_insert(time);
                *first = time.min(*first);
            } else {
                self.forgotten += 1;
            }
        } else if self.others.len() >= MOST_WRITES {
            self.forgotten += 1;
        } else {
            self.others.push(Write {
                object,
                user: names.intern(deed.string(Field::User)),
                namespace: names.intern(deed.string(Field::Namespace)),
                is_create: deed.string(Field::Verb) == "create",
                time,
                event: deed.event,
            });
        }
    }

    pub(super) fn outside_writes<'i>(
        &'i self,
        names: &'i Names,
    ) -> impl Iterator<Item = OutsideWrite<'i>> + 'i {
        let is_outside = |write: &&Write| {
            let grace = if write.is_create { 0 } else { PUT_BACK_WITHIN };
            let delivered = self.delivered.get(&write.object);
            delivered.is_some_and(|first| *first <= write.time.saturating_add(grace))
        };
        self.others.iter().filter(is_outside).map(|write| OutsideWrite {
            user: names.get(write.user),
            namespace: names.get(write.namespace),
            event: write.event,
        })
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.delivered.capacity() * 24 + self.others.capacity() * size_of::<Write>()
    }
}

/// Whether a controller wrote it. Some come with a cloud's identity instead of a service account; then the field manager
/// has to tell.
fn is_delivery(deed: &Deed<'_>) -> bool {
    let says_so = || {
        let manager = named_field_manager(deed.string(Field::RequestUri));
        manager.is_some_and(|manager| MANAGERS.contains(&manager.as_ref()))
    };
    deed.tool == ToolKind::Gitops && (deed.actor == ActorKind::ServiceAccount || says_so())
}

/// Whether it changed what an object is to be like, or how many of it there are to be.
fn is_change(deed: &Deed<'_>) -> bool {
    let group = deed.string(Field::ApiGroup);
    matches!(deed.string(Field::Subresource), "" | "scale")
        && !deed.string(Field::Name).is_empty()
        && !SOURCES.iter().any(|source| group.ends_with(source))
        && deed.is_done()
}

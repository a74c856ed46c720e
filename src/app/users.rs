//! The users screen: who was active among the rows that are shown, people first, machines folded, and a profile of
//! the one under the cursor.

use std::collections::BTreeSet;

use super::side::{Side, by};
use super::table::TableCursor;
use crate::activity::{Activity, Actor, ActorSort};
use crate::model::{ActorKind, Micros, service_account};
use crate::query::{Context, Expression, FieldName, Group, Grouping, SortBy, View, ViewOptions};
use crate::query::{condition_by_or_as, with_condition};
use crate::store::Store;

/// Identities that belong together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Section {
    /// People and outside systems.
    People,
    /// Nobody that is known.
    Anonymous,
    /// Service accounts, but for those of the next kind.
    ServiceAccounts,
    /// The service accounts of kube-controller-manager.
    Controllers,
    /// Kubelets.
    Nodes,
    /// Other parts of the control plane.
    ControlPlane,
}

impl Section {
    /// Where an identity belongs.
    pub fn of(actor: &Actor) -> Section {
        match actor.kind {
            ActorKind::Human => Section::People,
            ActorKind::Anonymous => Section::Anonymous,
            ActorKind::Node => Section::Nodes,
            ActorKind::ControlPlane => Section::ControlPlane,
            ActorKind::ServiceAccount => match service_account(&actor.name) {
                Some(("kube-system", name)) if is_controller(name) => Section::Controllers,
                _ => Section::ServiceAccounts,
            },
        }
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Section::People => "people",
            Section::Anonymous => "anonymous",
            Section::ServiceAccounts => "service accounts",
            Section::Controllers => "controllers",
            Section::Nodes => "nodes",
            Section::ControlPlane => "control plane",
        }
    }
}

/// The names under which kube-controller-manager runs its loops
/// (`k8s.io/kubernetes/cmd/kube-controller-manager/names/controller_names.go`).
fn is_controller(name: &str) -> bool {
    name.ends_with("-controller")
        || matches!(
            name,
            "generic-garbage-collector"
                | "pod-garbage-collector"
                | "horizontal-pod-autoscaler"
                | "root-ca-cert-publisher"
                | "service-ca-cert-publisher"
                | "legacy-service-account-token-cleaner"
                | "bootstrap-signer"
                | "token-cleaner"
                | "certificate-controller"
        )
}

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// A section's heading, with the number of its actors and how many of them are new.
    Heading {
        /// Which.
        section: Section,
        /// How many identities are in it.
        actors: usize,
        /// How many of them are new.
        new: usize,
    },
    /// An actor, by its place.
    Actor(usize),
}

/// The columns by which the table can be sorted, from left to right.
pub const SORTS: [ActorSort; 10] = [
    ActorSort::Name,
    ActorSort::Events,
    ActorSort::Writes,
    ActorSort::Failed,
    ActorSort::Forbidden,
    ActorSort::Namespaces,
    ActorSort::Addresses,
    ActorSort::Tools,
    ActorSort::First,
    ActorSort::Last,
];

/// What the profile tells, each by its own grouping.
const PROFILE: [FieldName; 5] =
    [FieldName::Verb, FieldName::Tool, FieldName::SourceIp, FieldName::Namespace, FieldName::Group];

/// The users screen.
#[derive(Debug)]
pub struct Users {
    activity: Activity,
    actors: Vec<Actor>,
    lines: Vec<Line>,
    folded: BTreeSet<Section>,
    /// The cursor.
    pub cursor: TableCursor,
    /// Column of the sort, in [`SORTS`].
    pub sort: usize,
    /// Greatest first.
    pub descending: bool,
    /// The version of the groups that the lines were made of, and the sort.
    made_of: Option<(u64, usize, bool)>,
    profile: Option<(Box<str>, Side)>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            activity: Activity::default(),
            actors: Vec::new(),
            lines: Vec::new(),
            folded: BTreeSet::from([Section::Controllers, Section::Nodes, Section::ControlPlane]),
            cursor: TableCursor::default(),
            sort: 1,
            descending: true,
            made_of: None,
            profile: None,
        }
    }
}

impl Users {
    /// Whether there is something left to count.
    pub fn has_work(&self, store: &Store, view: &View) -> bool {
        self.activity.is_behind(store, view)
            || self.profile.as_ref().is_some_and(|(_, side)| side.has_work(store))
    }

    /// Counts on until `more` says no.
    pub fn work(&mut self, store: &Store, view: &View, context: &Context, mut more: impl FnMut() -> bool) {
        self.activity.update(store, view, context, &mut more);
        if let Some((_, side)) = &mut self.profile {
            side.work(store, context, &mut more);
        }
    }

    /// The result that is beside the timeline's.
    pub fn side(&mut self) -> Option<&mut Side> {
        self.profile.as_mut().map(|(_, side)| side)
    }

    /// Makes the lines anew where something changed, and keeps the cursor on its row.
    pub fn settle(&mut self, height: usize) {
        let made_of = (self.activity.version(), self.sort, self.descending);
        if self.made_of != Some(made_of) {
            self.actors = self.activity.actors(SORTS[self.sort.min(SORTS.len() - 1)], self.descending);
            self.actors.sort_by_key(Section::of);
            self.made_of = Some(made_of);
            self.make_lines();
        }
        let (lines, actors) = (&self.lines, &self.actors);
        self.cursor.settle(lines.len(), height, |at| key(lines, actors, at));
        // The first row is a heading: the cursor begins on the first actor.
        if self.cursor.row == 0 && self.lines.len() > 1 && self.made_of.is_some() && !self.cursor_was_moved()
        {
            self.cursor.row = 1;
        }
    }

    fn cursor_was_moved(&self) -> bool {
        self.cursor.is_placed()
    }

    fn make_lines(&mut self) {
        self.lines.clear();
        for actors in self.actors.chunk_by(|a, b| Section::of(a) == Section::of(b)) {
            let Some(section) = actors.first().map(Section::of) else { continue };
            let new = actors.iter().filter(|actor| actor.is_new).count();
            self.lines.push(Line::Heading { section, actors: actors.len(), new });
            if !self.folded.contains(&section) {
                let first = self.actors.iter().position(|actor| Section::of(actor) == section).unwrap_or(0);
                self.lines.extend((first..first + actors.len()).map(Line::Actor));
            }
        }
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// An actor by its place.
    pub fn actor(&self, at: usize) -> Option<&Actor> {
        self.actors.get(at)
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// Whether a section's actors are not listed.
    pub fn is_folded(&self, section: Section) -> bool {
        self.folded.contains(&section)
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<Line> {
        self.lines.get(self.cursor.row).copied()
    }

    /// The actor under the cursor.
    pub fn selected(&self) -> Option<&Actor> {
        match self.line()? {
            Line::Actor(at) => self.actors.get(at),
            Line::Heading { .. } => None,
        }
    }

    /// Moves the cursor by lines.
    pub fn move_by(&mut self, rows: isize) {
        let (lines, actors) = (&self.lines, &self.actors);
        self.cursor.move_by(rows, lines.len(), |at| key(lines, actors, at));
    }

    /// Folds or unfolds the section under the cursor. Returns whether there was one.
    pub fn toggle(&mut self) -> bool {
        let Some(Line::Heading { section, .. }) = self.line() else { return false };
        if !self.folded.remove(&section) {
            self.folded.insert(section);
        }
        self.make_lines();
        true
    }

    /// Sorts by the column beside.
    pub fn sort_beside(&mut self, right: bool) {
        self.sort = if right { (self.sort + 1).min(SORTS.len() - 1) } else { self.sort.saturating_sub(1) };
        self.descending = self.sort != 0;
    }

    /// An actor's rows over time.
    pub fn sparkline(&self, actor: &Actor, span: (Micros, Micros), cells: usize) -> Vec<u32> {
        self.activity.sparkline(actor, span, cells)
    }

    /// Opens the profile of the actor under the cursor, among the rows that pass `filter`.
    pub fn open_profile(
        &mut self,
        store: &Store,
        filter: &Expression,
        options: &ViewOptions,
        context: &Context,
    ) {
        let Some(name) = self.selected().map(|actor| actor.name.clone()) else {
            self.profile = None;
            return;
        };
        let expression = with_condition(filter, condition_by_or_as(&name));
        match &mut self.profile {
            Some((open, side)) if *open == name => side.ask(store, &expression, options, context),
            _ => {
                let mut groupings: Vec<Grouping> = PROFILE.map(by).into();
                let deeds = vec![FieldName::Verb, FieldName::Subresource, FieldName::Object];
                groupings.push(Grouping::new(deeds, Vec::new()));
                let side = Side::new(store, expression, options.clone(), context, groupings);
                self.profile = Some((name, side));
            }
        }
    }

    /// What the profile tells: for each of verb, tool, address, namespace and group its values with their counts,
    /// most first.
    pub fn profile(&self) -> Vec<(FieldName, Vec<Group>)> {
        let Some((_, side)) = &self.profile else { return Vec::new() };
        let groups = side.groupings.iter().map(|grouping| grouping.groups(SortBy::Count, true));
        PROFILE.into_iter().zip(groups).collect()
    }

    /// Writes of the profile's actor, and what was refused to it, by verb, subresource and object, the latest first.
    pub fn profile_objects(&self) -> (Vec<Group>, Vec<Group>) {
        let Some((_, side)) = &self.profile else { return (Vec::new(), Vec::new()) };
        let Some(grouping) = side.groupings.last() else { return (Vec::new(), Vec::new()) };
        let groups = grouping.groups(SortBy::Last, true);
        let writes = groups.iter().filter(|group| group.stats.writes > 0).cloned().collect();
        let refused = groups.into_iter().filter(|group| group.stats.forbidden > 0).collect();
        (writes, refused)
    }
}

fn key(lines: &[Line], actors: &[Actor], at: usize) -> String {
    match lines.get(at) {
        Some(Line::Heading { section, .. }) => format!("#{}", section.title()),
        Some(Line::Actor(actor)) => {
            actors.get(*actor).map_or_else(String::new, |actor| actor.name.to_string())
        }
        None => String::new(),
    }
}

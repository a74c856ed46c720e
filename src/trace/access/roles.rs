//! The least RBAC rules for permissions: a Role for each namespace, a ClusterRole for what is asked of the whole
//! cluster, and their bindings to one user or service account.
//!
//! Nothing is granted that was not asked for: a rule joins resources only where all its verbs and names go with each of
//! them, names stand wherever the authorizer is told them, and what could become a wildcard is left out and said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::permission::{Permission, is_doubtful};
use crate::model::service_account;
use crate::trace::yaml::yaml;

/// Names of one resource that a rule lists at most; beyond, they are no choice of anybody's, and change.
const MOST_NAMES: usize = 20;

/// Bytes of a name that are taken from the user's; names of objects have 253 at most.
const LONGEST_NAME: usize = 200;

/// API group of roles, bindings and users.
const RBAC: &str = "rbac.authorization.k8s.io";

/// Verbs in the order in which Kubernetes' documentation and kubectl write them; others follow by name.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// One object to apply.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifest {
    /// `Role`, `RoleBinding`, `ClusterRole` or `ClusterRoleBinding`.
    pub kind: &'static str,
    /// Its namespace; empty for those of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object itself.
    pub object: Value,
}

/// Roles and bindings, and what should be known of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Roles {
    /// Each role with its binding behind it, that of the whole cluster first, then by namespace.
    pub manifests: Vec<Manifest>,
    /// What was left out or joined, and why; from a log, so hostile until made visible.
    pub notes: Vec<String>,
}

impl Roles {
    /// The manifests as one YAML stream; empty when there is none.
    pub fn to_yaml(&self) -> String {
        let documents: Vec<String> = self.manifests.iter().map(|manifest| yaml(&manifest.object)).collect();
        documents.join("---\n")
    }
}

/// The least roles that give a user, or a service account under its username, all these permissions.
pub fn minimal_roles(user: &str, permissions: impl IntoIterator<Item = Permission>) -> Roles {
    let mut notes = Vec::new();
    if user.is_empty() || is_doubtful(user) {
        notes.push(
            "No role is written for a user without a name, or with one that is masked or misleads".into(),
        );
        return Roles { manifests: Vec::new(), notes };
    }
    let mut wanted = BTreeSet::new();
    for permission in permissions {
        if let Some(why) = permission.obstacle() {
            notes.push(format!("Left out: {permission} ({why})"));
            continue;
        }
        if let Some(companion) = permission.companion() {
            notes.push(format!("Added: {companion} (what get over WebSocket needs since Kubernetes 1.35)"));
            wanted.insert(companion);
        }
        wanted.insert(permission);
    }
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    for permission in &wanted {
        if let Permission::Resource { namespace, group, resource, name, verb } = permission {
            scopes.entry(namespace.clone()).or_default().add(group, resource, verb, name);
        }
    }
    for (namespace, scope) in &mut scopes {
        scope.forget_long_lists(namespace, &mut notes);
    }
    if let Some(cluster) = scopes.get("").cloned() {
        for (namespace, scope) in scopes.iter_mut().filter(|(namespace, _)| !namespace.is_empty()) {
            let covered = scope.leave_to(&cluster);
            if !covered.is_empty() {
                let covered = covered.join(", ");
                notes.push(format!("In namespace {namespace}, the ClusterRole already gives: {covered}"));
            }
        }
    }
    let paths = path_rules(&wanted);
    if !paths.is_empty() {
        scopes.entry(String::new()).or_default();
    }
    let name = name_for(user);
    let mut manifests = Vec::new();
    for (namespace, scope) in &scopes {
        let mut rules = scope.rules();
        if namespace.is_empty() {
            rules.extend(paths.iter().cloned());
        }
        if !rules.is_empty() {
            manifests.extend(role_and_binding(user, &name, namespace, rules));
        }
    }
    notes.sort();
    notes.dedup();
    Roles { manifests, notes }
}

/// What is wanted in one namespace, or in the whole cluster: by group and resource, for each verb the names.
#[derive(Clone, Debug, Default)]
struct Scope {
    wanted: BTreeMap<(String, String), BTreeMap<String, Names>>,
}

/// Which objects of a resource a verb is wanted for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Names {
    All,
    These(BTreeSet<String>),
}

impl Scope {
    fn add(&mut self, group: &str, resource: &str, verb: &str, name: &str) {
        let verbs = self.wanted.entry((group.to_owned(), resource.to_owned())).or_default();
        let names = verbs.entry(verb.to_owned()).or_insert_with(|| Names::These(BTreeSet::new()));
        match names {
            _ if name.is_empty() => *names = Names::All,
            Names::These(these) => {
                these.insert(name.to_owned());
            }
            Names::All => {}
        }
    }

    fn forget_long_lists(&mut self, namespace: &str, notes: &mut Vec<String>) {
        for ((_, resource), verbs) in &mut self.wanted {
            for (verb, names) in verbs {
                if let Names::These(these) = names
                    && these.len() > MOST_NAMES
                {
                    let place = if namespace.is_empty() { "the whole cluster" } else { namespace };
                    notes.push(format!(
                        "Not limited to names: {verb} {resource} in {place} (there are {} of them)",
                        these.len()
                    ));
                    *names = Names::All;
                }
            }
        }
    }

    /// Drops what the whole cluster's rules give anyway, and says what that is.
    fn leave_to(&mut self, cluster: &Scope) -> Vec<String> {
        let mut covered = Vec::new();
        for (key, verbs) in &mut self.wanted {
            let Some(given) = cluster.wanted.get(key) else { continue };
            verbs.retain(|verb, names| {
                let is_covered = match (given.get(verb), names) {
                    (Some(Names::All), _) => true,
                    (Some(Names::These(given)), Names::These(these)) => these.is_subset(given),
                    _ => false,
                };
                if is_covered {
                    covered.push(format!("{verb} {}", key.1));
                }
                !is_covered
            });
        }
        covered
    }

    /// Rules, with the verbs of a resource joined where they go with the same names, and then the resources of a group
    /// where they go with the same verbs and names.
    fn rules(&self) -> Vec<Value> {
        let mut joined: BTreeMap<(&str, Vec<&str>, &Names), Vec<&str>> = BTreeMap::new();
        for ((group, resource), verbs) in &self.wanted {
            let mut by_names: BTreeMap<&Names, Vec<&str>> = BTreeMap::new();
            for (verb, names) in verbs {
                by_names.entry(names).or_default().push(verb);
            }
            for (names, mut verbs) in by_names {
                verbs.sort_by_key(|verb| place_of(verb));
                joined.entry((group, verbs, names)).or_default().push(resource);
            }
        }
        let mut rules: Vec<_> = joined.into_iter().collect();
        rules.sort_by(|((group, _, _), resources), ((other, _, _), others)| {
            (group, resources).cmp(&(other, others))
        });
        let rule = |((group, verbs, names), resources): ((&str, Vec<&str>, &Names), Vec<&str>)| {
            let mut rule = json!({ "apiGroups": [group], "resources": resources });
            if let Names::These(names) = names {
                rule["resourceNames"] = json!(names);
            }
            rule["verbs"] = json!(verbs);
            rule
        };
        rules.into_iter().map(rule).collect()
    }
}

/// Rules for URLs that name no resource, joined where they go with the same verbs.
fn path_rules(wanted: &BTreeSet<Permission>) -> Vec<Value> {
    let mut verbs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for permission in wanted {
        if let Permission::NonResource { path, verb } = permission {
            verbs.entry(path).or_default().push(verb);
        }
    }
    let mut joined: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (path, mut verbs) in verbs {
        verbs.sort_by_key(|verb| place_of(verb));
        joined.entry(verbs).or_default().push(path);
    }
    joined.into_iter().map(|(verbs, paths)| json!({ "nonResourceURLs": paths, "verbs": verbs })).collect()
}

fn place_of(verb: &str) -> (usize, String) {
    let place = VERBS.iter().position(|known| *known == verb).unwrap_or(VERBS.len());
    (place, verb.to_owned())
}

fn role_and_binding(user: &str, name: &str, namespace: &str, rules: Vec<Value>) -> [Manifest; 2] {
    let (role, binding) =
        if namespace.is_empty() { ("ClusterRole", "ClusterRoleBinding") } else { ("Role", "RoleBinding") };
    let metadata = match namespace {
        "" => json!({ "name": name }),
        namespace => json!({ "name": name, "namespace": namespace }),
    };
    let subject = match service_account(user) {
        Some((namespace, name)) => json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace }),
        None => json!({ "kind": "User", "name": user, "apiGroup": RBAC }),
    };
    let version = format!("{RBAC}/v1");
    let manifest =
        |kind, object| Manifest { kind, namespace: namespace.to_owned(), name: name.to_owned(), object };
    [
        manifest(role, json!({ "apiVersion": version, "kind": role, "metadata": metadata, "rules": rules })),
        manifest(
            binding,
            json!({
                "apiVersion": version,
                "kind": binding,
                "metadata": metadata,
                "roleRef": { "apiGroup": RBAC, "kind": role, "name": name },
                "subjects": [subject],
            }),
        ),
    ]
}

/// A DNS subdomain with the letters and digits of the user's name. What had to be cut is told apart by a number.
fn name_for(user: &str) -> String {
    let mut name = String::from("kauditui");
    for part in user.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()) {
        if !part.is_empty() {
            name.push('-');
            name.push_str(part);
        }
    }
    if name.len() > LONGEST_NAME || name == "kauditui" {
        name.truncate(LONGEST_NAME);
        let digest = Sha256::digest(user);
        let number: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        name = format!("{}-{number}", name.trim_end_matches('-'));
    }
    name
}

#[cfg(test)]
mod tests;

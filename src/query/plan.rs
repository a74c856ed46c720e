//! An expression compiled against columns: each string test runs once over a segment's dictionary, rows are then
//! tested by symbol.

use super::fields::FieldName;
use super::pattern::Pattern;
use super::syntax::{Expression, Node, Term, Value, code_range};
use crate::model::{
    Decision, Level, Stage, is_mutating_subresource, is_write_verb, service_account, short_resource,
};
use crate::store::{Bitset, Field, Segment};

/// Columns in which a bare word is looked for.
const WORD_FIELDS: [Field; 8] = [
    Field::User,
    Field::ImpersonatedUser,
    Field::Verb,
    Field::Resource,
    Field::Namespace,
    Field::Name,
    Field::UserAgent,
    Field::RequestUri,
];

/// A compiled filter.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    root: Option<Test>,
}

#[derive(Clone, Debug)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The string of a column matches.
    Column(Field, Pattern),
    /// Some way in which a username is written matches.
    Username(Field, Pattern),
    /// The resource, by any of its names.
    Resource(Pattern),
    /// A part of any of these columns matches.
    Word(Pattern),
    Code(u16, u16),
    Stage(Stage),
    Level(Level),
    Decision(Decision),
    /// With the one id that can pass, when it holds no star.
    AuditId(Pattern, Option<String>),
    Write,
}

impl Plan {
    /// Compiles an expression.
    pub fn new(expression: &Expression) -> Plan {
        Plan { root: expression.root.as_ref().map(compile_node) }
    }

    /// The plan that every record passes.
    pub fn everything() -> Plan {
        Plan::default()
    }

    /// Whether every record passes.
    pub fn is_everything(&self) -> bool {
        self.root.is_none()
    }

    /// The rows of a segment that pass.
    pub fn rows(&self, segment: &Segment) -> Bitset {
        match &self.root {
            None => Bitset::all(segment.rows()),
            Some(test) => test.rows(segment),
        }
    }
}

fn compile_node(node: &Node) -> Test {
    match node {
        Node::And(parts) => Test::All(parts.iter().map(compile_node).collect()),
        Node::Or(parts) => Test::Any(parts.iter().map(compile_node).collect()),
        Node::Not(inner) => Test::Not(Box::new(compile_node(inner))),
        Node::Term(term) => compile_term(term),
    }
}

fn compile_term(term: &Term) -> Test {
    let mut tests: Vec<Test> = term.values.iter().map(|value| compile_value(term.field, value)).collect();
    if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) }
}

fn compile_value(field: Option<FieldName>, value: &Value) -> Test {
    let text = value.text.as_str();
    let whole = || Pattern::whole(text, value.quoted);
    let part = || Pattern::part(text, value.quoted);
    let Some(field) = field else {
        // Every text has the empty one as a part.
        return if text.is_empty() { Test::All(Vec::new()) } else { Test::Word(part()) };
    };
    match field {
        // Most requests are not impersonated: nobody at all is a question about the authenticated user.
        FieldName::User if text.is_empty() => Test::Column(Field::User, whole()),
        FieldName::User => Test::Any(vec![
            Test::Username(Field::User, whole()),
            Test::Username(Field::ImpersonatedUser, whole()),
        ]),
        FieldName::ImpersonatedUser => Test::Username(Field::ImpersonatedUser, whole()),
        FieldName::Verb => Test::Column(Field::Verb, whole()),
        FieldName::Resource => compile_resource(value),
        FieldName::Subresource => Test::Column(Field::Subresource, whole()),
        FieldName::Namespace => Test::Column(Field::Namespace, whole()),
        FieldName::Name => Test::Column(Field::Name, whole()),
        FieldName::SourceIp => Test::Column(Field::SourceIp, whole()),
        FieldName::UserAgent => Test::Column(Field::UserAgent, part()),
        FieldName::RequestUri => Test::Column(Field::RequestUri, part()),
        FieldName::Reason => Test::Column(Field::Reason, whole()),
        FieldName::AuditId => {
            let is_one = !text.is_empty() && (value.quoted || !text.contains('*'));
            Test::AuditId(whole(), is_one.then(|| text.to_owned()))
        }
        FieldName::Code if text.is_empty() => Test::Code(0, 0),
        FieldName::Code => match code_range(text) {
            Some((low, high)) => Test::Code(low, high),
            // `*`: any answer at all.
            None => Test::Code(1, u16::MAX),
        },
        FieldName::Stage => named(text, Stage::ALL, |s| s.name(), Test::Stage),
        FieldName::Level => named(text, Level::ALL, |l| l.name(), Test::Level),
        FieldName::Decision => {
            named(text, [Decision::Absent, Decision::Allow, Decision::Forbid], |d| d.name(), Test::Decision)
        }
        FieldName::Is => match text.to_ascii_lowercase().as_str() {
            "write" => Test::Write,
            "failed" => Test::Code(400, u16::MAX),
            _ => Test::Not(Box::new(Test::Write)),
        },
    }
}

fn named<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: impl Fn(&T) -> &'static str,
    wrap: fn(T) -> Test,
) -> Test {
    let is_wanted =
        |t: &T| if text == "*" { !name(t).is_empty() } else { name(t).eq_ignore_ascii_case(text) };
    Test::Any(all.into_iter().filter(is_wanted).map(wrap).collect())
}

/// `pods`, `pod`, `po`-like short names, `deployments.apps`, `deploy/scale`.
fn compile_resource(value: &Value) -> Test {
    let pattern = |text: &str| Pattern::whole(text, value.quoted);
    let (resource, subresource) = match value.text.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (value.text.as_str(), None),
    };
    let (resource, group) = match resource.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (resource, None),
    };
    let mut tests = vec![Test::Resource(pattern(resource))];
    tests.extend(group.map(|group| Test::Column(Field::ApiGroup, pattern(group))));
    tests.extend(subresource.map(|subresource| Test::Column(Field::Subresource, pattern(subresource))));
    if tests.len() == 1 { tests.remove(0) } else { Test::All(tests) }
}

impl Test {
    fn rows(&self, segment: &Segment) -> Bitset {
        let rows = segment.rows();
        match self {
            Test::All(parts) => {
                let mut parts = parts.iter();
                let mut found = parts.next().map_or_else(|| Bitset::all(rows), |part| part.rows(segment));
                for part in parts {
                    if found.is_clear() {
                        break;
                    }
                    found.and(&part.rows(segment));
                }
                found
            }
            Test::Any(parts) => {
                let mut found = Bitset::none(rows);
                for part in parts {
                    found.or(&part.rows(segment));
                }
                found
            }
            Test::Not(inner) => {
                let mut found = inner.rows(segment);
                found.invert();
                found
            }
            Test::Column(field, pattern) => column_rows(segment, *field, |d| pattern.symbols(d)),
            Test::Username(field, pattern) => column_rows(segment, *field, |dictionary| {
                pattern.symbols_where(dictionary, |name| matches_username(pattern, name))
            }),
            Test::Resource(pattern) => column_rows(segment, Field::Resource, |dictionary| {
                pattern.symbols_where(dictionary, |name| matches_resource(pattern, name))
            }),
            Test::Word(pattern) => {
                let mut found = Bitset::none(rows);
                for field in WORD_FIELDS {
                    found.or(&column_rows(segment, field, |dictionary| match field {
                        Field::Resource => {
                            pattern.symbols_where(dictionary, |name| matches_resource(pattern, name))
                        }
                        _ => pattern.symbols(dictionary),
                    }));
                }
                found
            }
            Test::Code(low, high) => {
                Bitset::from_column(segment.codes(), |code| *low <= code && code <= *high)
            }
            Test::Stage(stage) => Bitset::from_column(segment.all_facts(), |facts| facts.stage() == *stage),
            Test::Level(level) => Bitset::from_column(segment.all_facts(), |facts| facts.level() == *level),
            Test::Decision(decision) => {
                Bitset::from_column(segment.all_facts(), |facts| facts.decision() == *decision)
            }
            Test::AuditId(pattern, exact) => {
                segment.rows_by_audit_id(exact.as_deref(), |id| pattern.matches(id))
            }
            Test::Write => {
                let mut found = column_rows(segment, Field::Verb, |d| {
                    Bitset::from_fn(d.len() as u32, |symbol| is_write_verb(d.get(symbol as u16)))
                });
                found.or(&column_rows(segment, Field::Subresource, |d| {
                    Bitset::from_fn(d.len() as u32, |symbol| is_mutating_subresource(d.get(symbol as u16)))
                }));
                found
            }
        }
    }
}

fn column_rows(
    segment: &Segment,
    field: Field,
    symbols: impl Fn(&crate::store::Dictionary) -> Bitset,
) -> Bitset {
    let column = segment.column(field);
    let wanted = symbols(&column.dictionary);
    if wanted.is_clear() {
        return Bitset::none(segment.rows());
    }
    column.symbols.rows_in(&wanted)
}

/// A user may be asked for by the whole name, by the part before the `@`, and a service account as `namespace:name`,
/// `namespace/name` or `name`, a node by its name.
fn matches_username(pattern: &Pattern, name: &str) -> bool {
    if pattern.matches(name) {
        return true;
    }
    if name.is_empty() {
        return false;
    }
    if let Some((namespace, account)) = service_account(name) {
        return pattern.matches(account)
            || pattern.matches(&format!("{namespace}:{account}"))
            || pattern.matches(&format!("{namespace}/{account}"));
    }
    if let Some(node) = name.strip_prefix("system:node:") {
        return pattern.matches(node);
    }
    name.split_once('@').is_some_and(|(local, _)| pattern.matches(local))
}

/// Plural, singular or kubectl's short name.
fn matches_resource(pattern: &Pattern, plural: &str) -> bool {
    if plural.is_empty() {
        return pattern.matches("");
    }
    pattern.matches(plural)
        || pattern.matches(short_resource(plural))
        || pattern.matches(&singular(plural))
        || kubectl_name(plural).is_some_and(|name| pattern.matches(name))
}

/// kubectl's short name where a screen shows another one: `pod` tells more than `po`.
fn kubectl_name(plural: &str) -> Option<&'static str> {
    match plural {
        "pods" => Some("po"),
        "nodes" => Some("no"),
        _ => None,
    }
}

fn singular(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if let Some(stem) = plural.strip_suffix(ending) {
            return format!("{stem}{}", &ending[..ending.len() - 2]);
        }
    }
    plural.strip_suffix('s').unwrap_or(plural).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, ObjectRef, SourceId};
    use crate::query::parse;
    use crate::store::SegmentBuilder;

    fn segment() -> Segment {
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        let rows = [
            (
                "alice@example.com",
                "",
                "patch",
                "deployments",
                "scale",
                "apps",
                "prod",
                "web",
                "kubectl/v1.34",
                200u16,
            ),
            (
                "system:serviceaccount:argocd:server",
                "",
                "delete",
                "deployments",
                "",
                "apps",
                "prod",
                "novelapp",
                "argocd",
                200,
            ),
            ("mallory", "backdoor", "list", "secrets", "", "", "kube-system", "", "curl/8", 403),
            (
                "system:node:n1",
                "",
                "get",
                "networkpolicies",
                "",
                "networking.k8s.io",
                "",
                "Deny",
                "kubelet",
                404,
            ),
            ("", "", "get", "", "", "", "", "", "", 401),
        ];
        for (user, acted_as, verb, resource, sub, group, ns, name, agent, code) in rows {
            let event = Event {
                stage: Stage::ResponseComplete,
                level: Level::Metadata,
                user: user.into(),
                impersonated_user: acted_as.into(),
                verb: verb.into(),
                user_agent: agent.into(),
                request_uri: format!("/x/{resource}/{name}").into(),
                object: ObjectRef {
                    resource: resource.into(),
                    subresource: sub.into(),
                    namespace: ns.into(),
                    name: name.into(),
                    api_group: group.into(),
                    api_version: "v1".into(),
                },
                code,
                ..Event::default()
            };
            builder.push(&event, b"{}", false);
        }
        builder.finish(0).segment
    }

    #[test]
    fn questions_find_their_rows() {
        let segment = segment();
        for (question, rows) in [
            ("", vec![0, 1, 2, 3, 4]),
            ("user:alice", vec![0]),
            ("user:argocd/server", vec![1]),
            ("user:server,n1", vec![1, 3]),
            ("user:backdoor", vec![2]),
            ("impersonated:*", vec![2]),
            ("resource:deploy", vec![0, 1]),
            ("resource:deploy/scale", vec![0]),
            ("resource:deployments.apps -sub:*", vec![1]),
            ("resource:secret", vec![2]),
            ("resource:networkpolicy", vec![3]),
            ("ns:kube-* or code:404", vec![2, 3]),
            ("code:>=400 -code:404", vec![2, 4]),
            ("code:4xx", vec![2, 3, 4]),
            ("is:write", vec![0, 1]),
            ("is:read is:failed", vec![2, 3, 4]),
            ("name:deny", vec![3]),
            ("name:\"deny\"", vec![]),
            ("name:\"Deny\"", vec![3]),
            ("agent:kube", vec![0, 3]),
            ("novelapp", vec![1]),
            ("not (deployments or secrets)", vec![3, 4]),
            ("-user:*", vec![4]),
            ("level:metadata stage:ResponseComplete verb:get", vec![3, 4]),
            ("stage:Panic", vec![]),
            ("verb:del", vec![]),
            ("user:\"\"", vec![4]),
            ("\"\"", vec![0, 1, 2, 3, 4]),
            ("networkpolicy", vec![3]),
            ("decision:\"\" code:\"\"", vec![]),
            ("decision:\"\" stage:ResponseComplete", vec![0, 1, 2, 3, 4]),
        ] {
            let plan = Plan::new(&parse(question).unwrap());
            assert_eq!(plan.rows(&segment).iter().collect::<Vec<_>>(), rows, "{question}");
        }
    }

    #[test]
    fn singulars() {
        for (plural, one) in [("pods", "pod"), ("ingresses", "ingress"), ("networkpolicies", "networkpolicy")]
        {
            assert_eq!(singular(plural), one);
        }
    }
}

//! Compiles an expression into the tests of a [`super::plan`]: what each field of the language means in terms of
//! columns, and which questions only a record's text can answer.

use std::sync::Arc;

use super::alerted::Alerted;
use super::check::{address, code_range, length_range, moment_length, network};
use super::context::Context;
use super::fields::FieldName;
use super::names::matches_username;
use super::pattern::Pattern;
use super::plan::{Predicate, Test};
use super::syntax::{Expression, Node, Target, Term, Value};
use super::text_test::{AnnotationTest, BodyTest, LineTest, TextTest, ValueTest};
use crate::model::{
    ActorKind, Decision, Grant, Level, LogKind, Micros, Stage, actor_kind, command, is_dry_run,
    is_mutating_subresource, is_write_in_any_log, named_field_manager, parse_user_time, tool,
};
use crate::store::Field;

/// The test that an expression means; `None` for the empty one.
pub(super) fn compile(expression: &Expression, context: &Context) -> Option<Test> {
    expression.root.as_ref().map(|root| compile_node(root, context))
}

/// The rules, by their number, to which a filter narrows alerts: those that each condition `alert:` of it names. A request
/// may have a part in several alerts, and a list of alerts is to show only what was asked for. `None` where no condition
/// that must hold is about rules.
pub fn alert_rules(expression: &Expression, alerted: &Alerted) -> Option<Vec<bool>> {
    let mut named = Vec::new();
    conjuncts(expression.root.as_ref()?, &mut |node| match node {
        Node::Term(term) if term.target == Some(Target::Field(FieldName::Alert)) => named.push(term),
        _ => {}
    });
    let named = named.into_iter();
    named.filter(|term| !term.values.iter().any(|value| asks_for_none(&value.text))).fold(
        None,
        |rules, term| {
            let mut asked = vec![false; alerted.rules.len()];
            for value in &term.values {
                let called = alerted.rules_called(&value.text, &Asked { value, regex: term.regex }.part());
                asked.iter_mut().zip(called).for_each(|(asked, called)| *asked |= called);
            }
            Some(match rules {
                None => asked,
                Some(rules) => rules.into_iter().zip(asked).map(|(a, b): (bool, bool)| a && b).collect(),
            })
        },
    )
}

/// Calls `tell` with every condition that must hold.
fn conjuncts<'n>(node: &'n Node, tell: &mut dyn FnMut(&'n Node)) {
    match node {
        Node::And(parts) => parts.iter().for_each(|part| conjuncts(part, tell)),
        single => tell(single),
    }
}

/// Whether a value of `alert` means that there is none.
fn asks_for_none(text: &str) -> bool {
    ["no", "none"].iter().any(|none| text.eq_ignore_ascii_case(none))
}

fn compile_node(node: &Node, context: &Context) -> Test {
    match node {
        Node::And(parts) => Test::All(parts.iter().map(|part| compile_node(part, context)).collect()),
        Node::Or(parts) => Test::Any(parts.iter().map(|part| compile_node(part, context)).collect()),
        Node::Not(inner) => Test::Not(Box::new(compile_node(inner, context))),
        Node::Term(term) => compile_term(term, context),
    }
}

fn compile_term(term: &Term, context: &Context) -> Test {
    let tests = term.values.iter().map(|value| {
        let asked = Asked { value, regex: term.regex };
        match &term.target {
            None => compile_word(asked),
            Some(Target::Field(field)) => compile_field(*field, asked, context),
            Some(Target::Exactly(field)) => compile_exactly(*field, asked.text(), context),
            Some(Target::Annotation(key)) => compile_annotation(key, asked),
            Some(Target::Body(path)) => {
                Test::text(TextTest::Body(BodyTest::new(path.clone(), asked.value_test())))
            }
        }
    });
    any(tests.collect())
}

/// A value with the way in which it is compared.
#[derive(Clone, Copy)]
struct Asked<'v> {
    value: &'v Value,
    regex: bool,
}

impl<'v> Asked<'v> {
    fn text(self) -> &'v str {
        &self.value.text
    }

    /// The value is the empty one: the field is absent.
    fn is_absence(self) -> bool {
        self.value.text.is_empty()
    }

    fn whole(self) -> Pattern {
        self.regular().unwrap_or_else(|| Pattern::whole(self.text(), self.value.quoted))
    }

    fn part(self) -> Pattern {
        self.regular().unwrap_or_else(|| Pattern::part(self.text(), self.value.quoted))
    }

    /// The regular expression; one that does not compile was refused by the parser.
    fn regular(self) -> Option<Pattern> {
        self.regex
            .then(|| Pattern::regex(self.text(), self.value.quoted).unwrap_or_else(|_| Pattern::never()))
    }

    fn value_test(self) -> ValueTest {
        self.regular().map_or_else(|| ValueTest::new(self.value), ValueTest::Text)
    }
}

fn any(mut tests: Vec<Test>) -> Test {
    if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) }
}

fn not(test: Test) -> Test {
    Test::Not(Box::new(test))
}

fn present(field: Field) -> Test {
    Test::Column(field, Pattern::Present)
}

fn absent(field: Field) -> Test {
    Test::Column(field, Pattern::Absent)
}

/// Rows whose string passes a predicate.
fn strings(field: Field, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Test {
    Test::Where(field, Predicate(Arc::new(test)))
}

/// Rows whose string holds a text, and passes a predicate that no string without that text would pass.
fn holding(field: Field, text: &'static str, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Test {
    Test::Holding(field, text, Predicate(Arc::new(test)))
}

fn compile_word(asked: Asked<'_>) -> Test {
    // Every text has the empty one as a part.
    if asked.is_absence() { Test::All(Vec::new()) } else { Test::Word(asked.part()) }
}

fn compile_annotation(key: &str, asked: Asked<'_>) -> Test {
    match (key, asked.value_test()) {
        // This one has a column; what is in it is masked already.
        ("authorization.k8s.io/reason", ValueTest::Text(pattern)) => {
            Test::Column(Field::DecisionReason, pattern)
        }
        (key, test) => Test::text(TextTest::Annotation(AnnotationTest::new(key, test))),
    }
}

fn compile_exactly(field: FieldName, text: &str, context: &Context) -> Test {
    match field {
        // The name is the program's, not the segment's.
        FieldName::Source => {
            let named = context.sources.iter().filter(|(_, name)| *name == text);
            Test::Source(named.map(|(id, _)| *id).collect())
        }
        field => Test::Exactly(field, text.to_owned()),
    }
}

fn compile_field(field: FieldName, asked: Asked<'_>, context: &Context) -> Test {
    let text = asked.text();
    match field {
        // Most requests are not impersonated: nobody at all is a question about the authenticated user.
        FieldName::User if asked.is_absence() => absent(Field::User),
        FieldName::User => {
            Test::Any(vec![username(Field::User, asked), username(Field::ImpersonatedUser, asked)])
        }
        FieldName::Impersonator if asked.is_absence() => {
            Test::Any(vec![absent(Field::ImpersonatedUser), absent(Field::User)])
        }
        FieldName::Impersonator => {
            Test::All(vec![present(Field::ImpersonatedUser), username(Field::User, asked)])
        }
        FieldName::ImpersonatedUser => username(Field::ImpersonatedUser, asked),
        FieldName::Group => compile_group(asked),
        FieldName::Kind => compile_kind(text),
        FieldName::Verb => Test::Column(Field::Verb, asked.whole()),
        FieldName::Is => compile_is(text),
        FieldName::Resource => compile_resource(asked),
        FieldName::Subresource => Test::Column(Field::Subresource, asked.whole()),
        FieldName::Namespace => Test::Column(Field::Namespace, asked.whole()),
        FieldName::Name => Test::Column(Field::Name, asked.whole()),
        FieldName::Object => compile_object(asked.value),
        FieldName::ApiVersion => compile_api_version(asked),
        FieldName::Code => compile_code(asked),
        FieldName::Reason => Test::Column(Field::Reason, asked.whole()),
        FieldName::Decision => {
            named(text, [Decision::Absent, Decision::Allow, Decision::Forbid], |d| d.name(), Test::Decision)
        }
        FieldName::Binding => compile_grant(asked, |grant, pattern| {
            pattern.matches(grant.binding)
                || pattern.matches(grant.binding_name())
                || pattern.matches(&format!("{}/{}", grant.binding_kind, grant.binding))
        }),
        FieldName::Role => compile_grant(asked, |grant, pattern| {
            pattern.matches(grant.role) || pattern.matches(&format!("{}/{}", grant.role_kind, grant.role))
        }),
        FieldName::SourceIp => compile_address(asked),
        FieldName::UserAgent => Test::Column(Field::UserAgent, asked.part()),
        FieldName::Tool => {
            derived(Field::UserAgent, asked.whole(), |agent, pattern| pattern.matches(tool(agent)))
        }
        FieldName::Manager => compile_manager(asked),
        FieldName::RequestUri => Test::Column(Field::RequestUri, asked.part()),
        FieldName::Command => compile_command(asked),
        FieldName::Level => named(text, Level::ALL, |l| l.name(), Test::Level),
        FieldName::Stage => named(text, Stage::ALL, |s| s.name(), Test::Stage),
        FieldName::Log => named(text, LogKind::ALL, |log| log.name(), Test::Log),
        FieldName::AuditId => {
            let is_one = !text.is_empty() && !asked.regex && (asked.value.quoted || !text.contains('*'));
            Test::AuditId(asked.whole(), is_one.then(|| text.to_owned()))
        }
        FieldName::Credential if asked.is_absence() => absent(Field::Credential),
        FieldName::Credential => Test::Any(vec![
            Test::Column(Field::Credential, asked.whole()),
            Test::Column(Field::IssuedCredential, asked.whole()),
        ]),
        FieldName::TokenPod => Test::Column(Field::TokenPod, asked.whole()),
        FieldName::TokenNode => Test::Column(Field::TokenNode, asked.whole()),
        FieldName::Source => {
            let pattern = asked.whole();
            let base = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
            let named = |name: &String| pattern.matches(name) || pattern.matches(&base(name));
            Test::Source(context.sources.iter().filter(|(_, name)| named(name)).map(|(id, _)| *id).collect())
        }
        FieldName::Duration => match length_range(text) {
            Some((low, high)) => Test::Elapsed(low, high),
            None => nothing(),
        },
        FieldName::Since => Test::Time(moment(text, context), Micros::MAX),
        FieldName::Until => Test::Time(Micros::MIN, moment(text, context)),
        FieldName::At => {
            let from = moment(text, context);
            Test::Time(from, from.saturating_add(moment_length(text)))
        }
        FieldName::Mark => {
            let marked = Test::Marked(Arc::clone(&context.marks));
            if text.eq_ignore_ascii_case("no") { not(marked) } else { marked }
        }
        FieldName::Alert => {
            let rules = |text: &str, named: &Pattern| context.alerts.rules_called(text, named);
            let alerted = |rules| Test::Alerted(Arc::clone(&context.alerts), rules);
            match asks_for_none(text) {
                true => not(alerted(rules("yes", &Pattern::never()))),
                false => alerted(rules(text, &asked.part())),
            }
        }
        FieldName::Deprecated => Test::Column(Field::Deprecated, asked.whole()),
        FieldName::Text => Test::text(TextTest::Line(LineTest::new(asked.part()))),
    }
}

/// No row.
fn nothing() -> Test {
    Test::Any(Vec::new())
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

/// A name in quotes is the whole name; without, it may be any way of writing it.
fn username(field: Field, asked: Asked<'_>) -> Test {
    if asked.value.quoted || asked.regex {
        return Test::Column(field, asked.whole());
    }
    derived(field, asked.whole(), |name, pattern| matches_username(pattern, name))
}

/// Rows in whose string a pattern is looked for in a way of its own.
fn derived(field: Field, pattern: Pattern, test: fn(&str, &Pattern) -> bool) -> Test {
    strings(field, move |text| test(text, &pattern))
}

fn compile_group(asked: Asked<'_>) -> Test {
    if asked.is_absence() {
        return absent(Field::Groups);
    }
    let has = |groups: &str, pattern: &Pattern| {
        let groups: Vec<String> = serde_json::from_str(groups).unwrap_or_default();
        groups.iter().any(|group| pattern.matches(group))
    };
    Test::Any(vec![
        derived(Field::Groups, asked.whole(), has),
        derived(Field::ImpersonatedGroups, asked.whole(), has),
    ])
}

fn compile_kind(text: &str) -> Test {
    let Some(kind) = ActorKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)) else {
        return nothing();
    };
    Test::Any(vec![
        strings(Field::User, move |name| actor_kind(name) == kind),
        strings(Field::ImpersonatedUser, move |name| !name.is_empty() && actor_kind(name) == kind),
    ])
}

fn compile_is(text: &str) -> Test {
    match text.to_ascii_lowercase().as_str() {
        "write" => write(),
        "failed" => Test::Code(400, u16::MAX),
        "dryrun" => holding(Field::RequestUri, "dryRun", is_dry_run),
        "noop" => Test::All(vec![
            strings(Field::Verb, |verb| matches!(verb, "update" | "patch")),
            not(Test::Code(400, u16::MAX)),
            Test::text(TextTest::NoEffect),
        ]),
        "routine" => Test::Routine,
        _ => not(write()),
    }
}

fn write() -> Test {
    Test::Any(vec![
        strings(Field::Verb, is_write_in_any_log),
        strings(Field::Subresource, is_mutating_subresource),
    ])
}

/// `pods`, `pod`, `po`-like short names, `deployments.apps`, `deploy/scale`.
fn compile_resource(asked: Asked<'_>) -> Test {
    if asked.regex {
        return Test::Resource(asked.whole());
    }
    resource(asked.text(), asked.value.quoted)
}

fn resource(text: &str, quoted: bool) -> Test {
    let pattern = |text: &str| Pattern::whole(text, quoted);
    let (resource, subresource) = match text.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (text, None),
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

/// `namespace/resource/name`, or `resource/name` in any namespace. Nothing before the first slash means an object of
/// the cluster itself.
fn compile_object(value: &Value) -> Test {
    let parts: Vec<&str> = value.text.split('/').collect();
    let pattern = |text: &str| Pattern::whole(text, value.quoted);
    match parts.as_slice() {
        [kind, name] => {
            Test::All(vec![resource(kind, value.quoted), Test::Column(Field::Name, pattern(name))])
        }
        [namespace, kind, name] => Test::All(vec![
            Test::Column(Field::Namespace, pattern(namespace)),
            resource(kind, value.quoted),
            Test::Column(Field::Name, pattern(name)),
        ]),
        // No object at all.
        _ => absent(Field::Resource),
    }
}

/// `group/version`, or either of them.
fn compile_api_version(asked: Asked<'_>) -> Test {
    let pattern = |text: &str| Pattern::whole(text, asked.value.quoted);
    match asked.text().split_once('/') {
        Some((group, version)) if !asked.regex => Test::All(vec![
            Test::Column(Field::ApiGroup, pattern(group)),
            Test::Column(Field::ApiVersion, pattern(version)),
        ]),
        _ if asked.is_absence() => absent(Field::ApiVersion),
        _ => Test::Any(vec![
            Test::Column(Field::ApiGroup, asked.whole()),
            Test::Column(Field::ApiVersion, asked.whole()),
        ]),
    }
}

fn compile_code(asked: Asked<'_>) -> Test {
    if let Some(pattern) = asked.regular() {
        return Test::Codes(
            (0..1000u16).map(|code| code > 0 && pattern.matches(&code.to_string())).collect(),
        );
    }
    match code_range(asked.text()) {
        _ if asked.is_absence() => Test::Code(0, 0),
        Some((low, high)) => Test::Code(low, high),
        // `*`: any answer at all.
        None => Test::Code(1, u16::MAX),
    }
}

fn compile_grant(asked: Asked<'_>, test: fn(&Grant<'_>, &Pattern) -> bool) -> Test {
    let (absence, pattern) = (asked.is_absence(), asked.whole());
    strings(Field::DecisionReason, move |reason| match Grant::parse(reason) {
        Some(grant) => !absence && test(&grant, &pattern),
        None => absence,
    })
}

fn compile_address(asked: Asked<'_>) -> Test {
    let text = asked.text();
    if !asked.regex {
        if let Some(network) = network(text) {
            return strings(Field::SourceIp, move |ip| address(ip).is_some_and(|ip| network.contains(&ip)));
        }
        if let Some(wanted) = address(text) {
            return strings(Field::SourceIp, move |ip| address(ip) == Some(wanted));
        }
    }
    Test::Column(Field::SourceIp, asked.whole())
}

/// A write names its manager in the URI; where it does not, the API server takes the beginning of the user agent.
fn compile_manager(asked: Asked<'_>) -> Test {
    let manages = strings(Field::Verb, |verb| matches!(verb, "create" | "update" | "patch"));
    if asked.is_absence() {
        // A write may be nobody's.
        let anybody = Value { text: "*".to_owned(), quoted: false };
        return not(compile_manager(Asked { value: &anybody, regex: false }));
    }
    let (by_name, by_agent) = (asked.whole(), asked.whole());
    fn names_itself(test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Test {
        holding(Field::RequestUri, "fieldManager=", move |uri| {
            named_field_manager(uri).is_some_and(|manager| test(&manager))
        })
    }
    Test::All(vec![
        manages,
        Test::Any(vec![
            names_itself(move |manager| by_name.matches(manager)),
            Test::All(vec![
                strings(Field::UserAgent, move |agent| {
                    by_agent.matches(agent.split('/').next().unwrap_or(""))
                }),
                not(names_itself(|_| true)),
            ]),
        ]),
    ])
}

fn compile_command(asked: Asked<'_>) -> Test {
    let exec = || Test::Column(Field::Subresource, Pattern::whole("exec", true));
    fn with_command(test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Test {
        holding(Field::RequestUri, "command=", move |uri| {
            let command = command(uri);
            !command.is_empty() && test(&command)
        })
    }
    let pattern = asked.part();
    if asked.is_absence() {
        return not(Test::All(vec![exec(), with_command(|_| true)]));
    }
    Test::All(vec![exec(), with_command(move |command| pattern.matches(command))])
}

fn moment(text: &str, context: &Context) -> Micros {
    // What is no moment was refused by the parser.
    parse_user_time(text, context.reference, context.newest, context.zone).unwrap_or(Micros::MAX)
}

//! Files with rules of all kinds, good and bad.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use super::{event, line, matches, rule, segment};
use crate::detect::{Correlator, ProblemKind, RuleSet, Severity};

fn parse(text: &str) -> (RuleSet, Vec<crate::detect::LoadProblem>) {
    RuleSet::parse("rules/x.yml".as_ref(), text)
}

fn titled(title: &str, rest: &str) -> String {
    format!("title: {title}\nid: {title}\nlogsource: {{product: kubernetes}}\n{rest}")
}

const CREATE: &str = "detection:\n    a: {verb: create}\n    condition: a\n";

#[test]
fn what_a_rule_says_about_itself_is_kept() {
    let text = "title: Somebody made a pod\nid: 1-2\nname: made\nstatus: test\ndescription: It was made.\nauthor: A\nlevel: critical\ntags: [attack.execution, attack.t1610, attack.t1611.001]\nfalsepositives: [none]\nreferences: [https://example.com]\nlogsource: {product: Kubernetes, category: application, service: audit}\nkauditui: {row: 7, next: [look]}\ndetection:\n    a: {verb: create}\n    condition: a\n";
    let (rules, problems) = parse(&format!("# pods\n---\n{text}"));
    assert!(problems.is_empty(), "{problems:?}");
    let [rule] = rules.rules() else { panic!("one rule") };
    assert_eq!(
        (rule.id.as_str(), rule.name.as_deref(), rule.title.as_str()),
        ("1-2", Some("made"), "Somebody made a pod")
    );
    assert_eq!((rule.severity, rule.status.as_deref()), (Severity::Critical, Some("test")));
    assert_eq!((rule.description.as_str(), rule.author.as_deref()), ("It was made.", Some("A")));
    assert_eq!(rule.techniques().collect::<Vec<_>>(), ["T1610", "T1611.001"]);
    assert_eq!((rule.falsepositives.len(), rule.references.len()), (1, 1));
    assert_eq!(rule.custom["kauditui"], json!({"row": 7, "next": ["look"]}));
    assert_eq!((rule.origin.line, rule.text.as_str()), (3, text));
    assert!(!rule.feeds_only && !rule.is_correlation && !rule.origin.builtin);
}

#[test]
fn a_bad_document_never_stops_the_others() {
    let documents = [
        titled("good", CREATE),
        titled("condition", "detection:\n    a: {verb: create}\n    condition: b\n"),
        titled("broken", "detection:\n    a: {verb: create\n"),
        "just text\n".to_owned(),
        titled("grammar", "detection:\n    a: {verb: create}\n    condition: a and and\n"),
        titled("nothing", "level: high\n"),
        titled("modifier", "detection:\n    a:\n        verb|sounds: create\n    condition: a\n"),
        format!("sigma-version: 9\n{}", titled("future", CREATE)),
        titled("good", CREATE),
        titled("also", CREATE),
    ];
    let text = documents.join("---\n");
    let (rules, problems) = parse(&text);
    let titles: Vec<&str> = rules.rules().iter().map(|rule| rule.title.as_str()).collect();
    assert_eq!(titles, ["good", "also"], "{problems:?}");
    assert_eq!(problems.len(), 8, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.kind == ProblemKind::Error && !problem.reason.is_empty()));
    let at = |needle: &str| text.lines().position(|line| line.contains(needle)).map(|at| at as u32 + 1);
    assert_eq!(Some(problems[0].line), at("condition: b"), "{}", problems[0]);
    assert!(problems[0].to_string().starts_with("rules/x.yml:"), "{}", problems[0]);
    assert_eq!(Some(problems[2].line), at("just text"));
    assert_eq!(Some(problems[3].line), at("condition: a and and"), "{}", problems[3]);
    assert_eq!(Some(problems[5].line), at("verb|sounds"), "{}", problems[5]);
    assert!(problems[7].reason.contains("rules/x.yml:1"), "{}", problems[7]);
}

#[test]
fn rules_of_other_logs_are_skipped_and_counted() {
    let of = |logsource: &str| format!("title: '{logsource}'\nlogsource: {logsource}\n{CREATE}");
    let documents = [
        of("{product: windows, category: process_creation}"),
        of("{product: kubernetes, service: application}"),
        of("{category: webserver}"),
        of("{product: kubernetes}"),
        of("{product: kubernetes, service: audit_logs}"),
        "title: C\ncorrelation: {type: event_count, rules: ['{category: webserver}'], timespan: 5m, condition: {gte: 3}}".to_owned(),
    ];
    let (rules, problems) = parse(&documents.join("---\n"));
    assert_eq!(rules.rules().len(), 2);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(
        rules.skipped().iter().map(|(p, n)| (p.as_str(), *n)).collect::<Vec<_>>(),
        [("correlations", 1), ("kubernetes", 1), ("none", 1), ("windows", 1)]
    );
}

#[test]
fn filters_narrow_the_rules_that_they_name() {
    let filter = |rules: &str, condition: &str| {
        format!(
            "{}---\ntitle: trusted\nlogsource: {{product: kubernetes}}\nfilter:\n    rules: {rules}\n    trusted: {{user.username: alice}}\n    condition: {condition}\n",
            rule("a: {verb: create}\ncondition: a")
        )
    };
    let bob = event(json!({"user": {"username": "bob"}}));
    for rules in ["[t]", "any", "[T]"] {
        assert!(!matches(&filter(rules, "not trusted"), &event(json!({}))), "{rules}");
        assert!(matches(&filter(rules, "not trusted"), &bob), "{rules}");
    }
    let (set, problems) = parse(&filter("[t]", "trusted"));
    assert_eq!(set.rules()[0].filters, ["trusted"]);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].kind, ProblemKind::Warning);
    assert!(problems[0].reason.contains("`not`"), "{}", problems[0]);
    let (set, problems) = parse(&filter("[unknown]", "not trusted"));
    assert!(set.rules()[0].filters.is_empty());
    assert!(problems[0].reason.contains("unknown"), "{}", problems[0]);
}

#[test]
fn a_folder_replaces_built_in_rules_and_reads_all_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("more")).expect("a folder");
    fs::write(folder.path().join("more/a.yaml"), titled("a", CREATE)).expect("a file");
    fs::write(folder.path().join("b.yml"), titled("b", CREATE)).expect("a file");
    fs::write(folder.path().join("bad.yml"), "title: [").expect("a file");
    let (own, problems) = RuleSet::load(false, &[folder.path().to_owned()]);
    assert_eq!(own.rules().len(), 2);
    assert_eq!(problems.len(), 1);
    let (builtin, problems) = RuleSet::load(true, &[]);
    assert!(problems.iter().all(|problem| problem.kind == ProblemKind::Waiting), "{problems:?}");
    if let Some(replaced) = builtin.rules().iter().find(|rule| !rule.is_correlation) {
        let text = titled(&replaced.id, CREATE);
        fs::write(folder.path().join("own.yml"), text).expect("a file");
        let (both, _) = RuleSet::load(true, &[folder.path().to_owned()]);
        assert_eq!(both.rules().len(), builtin.rules().len() + 2);
        let own = both.rules().iter().find(|rule| rule.id == replaced.id).expect("the rule");
        assert!(!own.origin.builtin);
    }
}

#[test]
fn rules_wait_for_the_lists_that_they_ask_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        fs::create_dir_all(folder.path().join("lists")).expect("a folder");
        fs::write(folder.path().join(name), text).expect("a file");
    };
    let images = "sigma-version: 3\ndetection: {made: {verb: create}, known: {'any_container[all]': {'image|expand': ['%images%', 'scratch']}}, condition: made and not known}\n";
    let head = "logsource: {product: kubernetes}\n";
    write("images.yml", &format!("title: images\n{head}{images}"));
    let addresses = "detection: {a: {'sourceIP|expand|cidr': '%addresses%'}, condition: a}\n";
    write("addresses.yml", &format!("title: addresses\n{head}{addresses}"));
    let load = || RuleSet::load(false, &[folder.path().to_owned()]);
    let (rules, problems) = load();
    assert!(rules.rules().is_empty());
    let told: Vec<(ProblemKind, u32)> = problems.iter().map(|problem| (problem.kind, problem.line)).collect();
    assert_eq!(told, [(ProblemKind::Waiting, 3), (ProblemKind::Waiting, 4)]);
    assert!(problems[0].reason.contains("lists/addresses.txt"), "{}", problems[0]);
    write("lists/addresses.txt", "# Tor\n198.51.100.0/24  # a network\n\n203.0.113.9\n");
    write("lists/images.txt", "nginx\n*.example.com/*\n");
    let (rules, problems) = load();
    assert!(problems.is_empty(), "{problems:?}");
    let engine = rules.prepare();
    let hits = |ip: &str, images: [&str; 2]| -> Vec<String> {
        let containers = json!(images.map(|image| json!({"image": image})));
        let changes = json!({"sourceIPs": [ip], "requestObject": {"spec": {"containers": containers}}});
        let segment = segment(&[event(changes)]);
        let hits = engine.hits(&segment, 0..1);
        hits.iter().map(|hit| engine.rule(hit.rule).title.clone()).collect()
    };
    assert_eq!(hits("203.0.113.9", ["nginx", "r.example.com/a"]), ["addresses"]);
    assert_eq!(hits("198.51.100.200", ["nginx", "evil"]), ["addresses", "images"]);
    assert!(hits("203.0.113.8", ["nginx", "scratch"]).is_empty());
    write("lists/addresses.txt", "# nothing yet\n");
    let (rules, problems) = load();
    assert_eq!((rules.rules().len(), problems.len()), (1, 1), "an empty list is none");
}

#[test]
fn collections_hand_on_what_they_share() {
    let text = "action: global\nlogsource: {product: kubernetes}\nlevel: high\n---\ntitle: one\ndetection: {a: {verb: create}, condition: a}\n---\ntitle: two\ndetection: {a: {verb: delete}, condition: a}\n";
    let (rules, problems) = parse(text);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(rules.rules().iter().map(|rule| rule.severity).collect::<Vec<_>>(), [Severity::High; 2]);
}

#[test]
fn words_that_mean_nothing_are_warned_of() {
    let (rules, problems) = parse(&format!("status: tset\n{}", titled("t", CREATE)));
    assert_eq!(rules.rules().len(), 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].kind, problems[0].line), (ProblemKind::Warning, 1), "{}", problems[0]);
    // Without a level it would be activity: nobody would ever be told.
    let (rules, problems) = parse(&format!("level: hihg\n{}", titled("t", CREATE)));
    assert_eq!((rules.rules().len(), problems.len()), (0, 1), "{problems:?}");
    assert_eq!((problems[0].kind, problems[0].line), (ProblemKind::Error, 1), "{}", problems[0]);
}

#[test]
fn a_wrong_level_takes_no_other_rule_of_its_collection_along() {
    let text = "action: global\nlogsource: {product: kubernetes}\n---\ntitle: one\nlevel: hihg\ndetection: {a: {verb: create}, condition: a}\n---\ntitle: two\nlevel: high\ndetection: {a: {verb: delete}, condition: a}\n";
    let (rules, problems) = parse(text);
    assert_eq!(rules.rules().iter().map(|rule| rule.title.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(problems.iter().map(|problem| problem.kind).collect::<Vec<_>>(), [ProblemKind::Error]);
}

#[test]
fn a_rule_is_called_by_its_file_where_that_names_it_alone() {
    let called = |file: &str| {
        let (rules, problems) = RuleSet::parse(file.as_ref(), &titled("t", CREATE));
        assert!(problems.is_empty(), "{problems:?}");
        rules.prepare().called(crate::detect::RuleIndex(0))
    };
    assert_eq!(called("exec.yml"), "exec");
    assert_ne!(called("high.yml"), "high", "that would mean every rule of this severity");
}

#[test]
fn equal_tests_of_many_rules_are_one() {
    let engine = super::engine(&[titled("one", CREATE), titled("two", CREATE)].join("---\n"));
    assert_eq!(engine.tests.len(), 1);
    assert_eq!(engine.hits(&segment(&[event(json!({}))]), 0..1).len(), 2);
    let flags = [line("verb|re: A").replace("id: t", "id: u"), line("verb|re|i: A")];
    assert_eq!(super::engine(&flags.join("---\n")).tests.len(), 2, "flags are part of a pattern");
}

#[test]
fn what_would_take_the_stack_is_refused() {
    let rule = |selection: &str, condition: &str| {
        format!(
            "title: T\nlogsource: {{product: kubernetes}}\ndetection:\n    s: {selection}\n    condition: {condition}\n"
        )
    };
    for text in [
        rule("{verb: get}", &format!("{}s", "not ".repeat(16_000))),
        rule(&format!("{}x{}", "[".repeat(100_000), "]".repeat(100_000)), "s"),
        rule(&format!("{}x{}", "{a: ".repeat(50_000), "}".repeat(50_000)), "s"),
    ] {
        let (rules, problems) = RuleSet::parse("deep.yml".as_ref(), &text);
        assert!(rules.rules().is_empty());
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    let (rules, problems) =
        RuleSet::parse("brackets.yml".as_ref(), &rule("{verb|re: '\\[\\[\\{'}", "not not s"));
    assert_eq!((rules.rules().len(), problems.len()), (1, 0), "{problems:?}");
}

#[test]
fn thousands_of_filters_narrow_a_rule() {
    let mut text = super::line("verb: create");
    for number in 0..3_000 {
        text += &format!(
            "\n---\ntitle: F{number}\nlogsource: {{product: kubernetes}}\nfilter:\n    rules: any\n    s: {{user.username: u{number}}}\n    condition: not s\n"
        );
    }
    assert!(super::matches(&text, &event(json!({}))));
    assert!(!super::matches(&text, &event(json!({"user": {"username": "u2999"}}))));
}

#[test]
fn long_chains_of_correlations_may_be_written_from_their_end() {
    let link = |number: usize| {
        let before = number - 1;
        format!(
            "---\ntitle: C{number}\nid: c{number}\ncorrelation: {{type: event_count, rules: [c{before}], timespan: 5m, condition: {{gte: 1}}}}\n"
        )
    };
    let first = super::line("verb: create").replace("id: t", "id: c0");
    let text: String = std::iter::once(first + "\n").chain((1..=1_000).rev().map(link)).collect();
    let engine = Arc::new(super::engine(&text));
    let segment = super::segment(&[event(json!({}))]);
    let mut correlator = Correlator::new(Arc::clone(&engine));
    correlator.take(0, &segment, &engine.hits(&segment, 0..1));
    assert_eq!(correlator.findings().len(), 1_000, "one event goes through all of them");
}

#[test]
fn a_filter_of_a_correlation_is_told_to_do_nothing() {
    let text = super::line("verb: create")
        + "\n---\ntitle: C\nid: c\ncorrelation: {type: event_count, rules: [t], timespan: 5m, condition: {gte: 1}}\n---\ntitle: F\nlogsource: {product: kubernetes}\nfilter:\n    rules: [c]\n    s: {verb: get}\n    condition: not s\n";
    let (_, problems) = RuleSet::parse("filter.yml".as_ref(), &text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].reason.contains("is a correlation"), "{problems:?}");
}

//! Events to which other projects gave a verdict (`../shared/data/detect/cases.jsonl`).

use std::collections::BTreeMap;

use rsigma_parser::parse_sigma_yaml;
use serde_json::Value;

use crate::pack::{self, Pack, RuleFile, Severity};
use crate::shared;

/// Allow-lists of images and a pointer of Falco's own language: what they mean is not in the event, so that each is a
/// rule of its user's, not of the pack.
const OUT_OF_REACH: [&str; 2] = ["Create Disallowed Pod", "json_pointer_example"];

/// The list that a case assumes, as a filter over the whole pack.
fn filter(list: &str) -> Option<String> {
    let selection = match list {
        "trust_nginx_container.yaml" | "allow_nginx_container.yaml" => "any_container.image: nginx",
        "allow_user_some-user.yaml" => "user.username: some-user",
        "allow_namespace_foo.yaml" => "objectRef.name: foo",
        _ => return None,
    };
    Some(format!(
        "title: Trusted\nfilter:\n  rules: any\n  selection:\n    {selection}\n  condition: not selection\n\
         logsource: {{product: kubernetes, service: audit}}\n"
    ))
}

/// The gravest of what a case sets off, by itself: without the correlations.
fn judged(case: &Value, pack: &mut Pack) -> Option<Severity> {
    let mut trusting = None;
    // A list under which a case must still match is not one of exceptions to the rule in question.
    if case["expected"] == false {
        let lists = case["falco_rule_overrides"].as_array();
        let filters: Vec<String> =
            lists.into_iter().flatten().filter_map(|list| filter(list.as_str()?)).collect();
        if !filters.is_empty() {
            let mut files = rules();
            for list in filters {
                let filters = parse_sigma_yaml(&list).expect("a filter").filters;
                assert_eq!(filters.len(), 1, "{list}");
                files[0].rules.filters.extend(filters);
            }
            trusting = Some(Pack::new(&files));
        }
    }
    let seen_first = |title: &str| title.ends_with("for the first time") || title.contains("never seen");
    let fired = trusting.as_mut().unwrap_or(pack).fire(&case["event"]);
    fired.into_iter().filter(|fired| !seen_first(&fired.title)).map(|fired| fired.level).max()
}

fn rules() -> Vec<RuleFile> {
    let mut files = pack::files();
    files.iter_mut().for_each(|file| file.rules.correlations.clear());
    let feeding: Vec<_> = pack::files().iter().map(RuleFile::silent).collect();
    for (file, silent) in files.iter_mut().zip(feeding) {
        file.rules.rules.retain(|rule| rule.id.as_ref().is_none_or(|id| !silent.contains(id)));
    }
    files
}

#[test]
fn the_cases_of_other_projects_are_judged_alike() {
    let Some(cases) = shared("detect/cases.jsonl") else { return };
    let mut pack = Pack::new(&rules());
    let (mut table, mut wrong) = (BTreeMap::<_, [usize; 3]>::new(), Vec::new());
    for case in &cases {
        let [source, rule, title] =
            ["source", "rule", "title"].map(|key| case[key].as_str().unwrap_or_default());
        let expected = case["expected"] == true;
        let judged = judged(case, &mut pack);
        // A case that must not match may still be activity: nothing that is an alert.
        let agreed = if expected { judged.is_some() } else { judged < Some(Severity::Medium) };
        let counts = table.entry(source).or_default();
        if OUT_OF_REACH.contains(&rule) && !agreed {
            counts[2] += 1;
        } else {
            counts[usize::from(!agreed)] += 1;
            if !agreed {
                wrong.push(format!("{source}: {rule}: {title}: {judged:?}"));
            }
        }
    }
    println!("{:<24} {:>6} {:>6} {:>12}", "source", "agreed", "wrong", "out of reach");
    for (source, [agreed, wrong, out]) in &table {
        println!("{source:<24} {agreed:>6} {wrong:>6} {out:>12}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(table.values().map(|counts| counts[0]).sum::<usize>() > 50, "{table:?}");
}

/// What the program itself says of cases: the gravest alert of each, by the place of the case. Each case is a request of
/// its own name, months away from the others, so that nothing correlates.
fn told_by_the_program(cases: &[(usize, &Value)], filters: &[String]) -> BTreeMap<usize, String> {
    // No alert names more requests than these are.
    const AT_ONCE: usize = 20;
    let folder = tempfile::tempdir().expect("a folder");
    for (at, filter) in filters.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{at}.yml")), filter).expect("a file");
    }
    let mut gravest: BTreeMap<usize, String> = BTreeMap::new();
    for cases in cases.chunks(AT_ONCE) {
        let lines: String = cases.iter().map(|(at, case)| line(*at, &case["event"])).collect();
        let output = assert_cmd::Command::cargo_bin("kauditui")
            .expect("the program")
            .args(["alerts", "-o", "json", "--min-severity", "informational", "--config", "/dev/null"])
            .arg("--rules")
            .arg(folder.path())
            .arg("-")
            .write_stdin(lines)
            .output()
            .expect("it runs");
        let alerts: Value = serde_json::from_slice(&output.stdout).expect("an array");
        for alert in alerts.as_array().into_iter().flatten() {
            let title = alert["title"].as_str().unwrap_or_default();
            if title.ends_with("for the first time")
                || title.contains("never seen")
                || !alert["group"].is_null()
            {
                continue;
            }
            for id in alert["auditIDs"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let at = id.strip_prefix("case-").and_then(|at| at.parse().ok()).expect("a case");
                // The gravest come first.
                gravest.entry(at).or_insert_with(|| alert["severity"].to_string());
            }
        }
    }
    gravest
}

fn line(at: usize, event: &Value) -> String {
    let mut event = event.clone();
    let time = format!("{:04}-01-01T00:00:00.000000Z", 1971 + at);
    event["auditID"] = format!("case-{at}").into();
    event["requestReceivedTimestamp"] = time.clone().into();
    event["stageTimestamp"] = time.into();
    if event["kind"].is_null() {
        event["kind"] = "Event".into();
    }
    event["apiVersion"] = "audit.k8s.io/v1".into();
    format!("{event}\n")
}

#[test]
fn the_program_judges_the_cases_as_its_engine_does() {
    let Some(cases) = shared("detect/cases.jsonl") else { return };
    let mut by_filters: BTreeMap<Vec<String>, Vec<(usize, &Value)>> = BTreeMap::new();
    for (at, case) in cases.iter().enumerate() {
        let lists = case["falco_rule_overrides"].as_array().filter(|_| case["expected"] == false);
        let filters = lists.into_iter().flatten().filter_map(|list| filter(list.as_str()?)).collect();
        by_filters.entry(filters).or_default().push((at, case));
    }
    let mut told = BTreeMap::new();
    for (filters, cases) in &by_filters {
        told.extend(told_by_the_program(cases, filters));
    }
    let (mut table, mut wrong) = (BTreeMap::<&str, [usize; 2]>::new(), Vec::new());
    for (at, case) in cases.iter().enumerate() {
        let [source, rule, title] =
            ["source", "rule", "title"].map(|key| case[key].as_str().unwrap_or_default());
        let judged = told.get(&at).map(String::as_str);
        let is_alert = judged.is_some_and(|severity| !matches!(severity, "\"informational\"" | "\"low\""));
        let agreed = if case["expected"] == true { judged.is_some() } else { !is_alert };
        table.entry(source).or_default()[usize::from(!agreed)] += 1;
        if !agreed && !OUT_OF_REACH.contains(&rule) {
            wrong.push(format!("{source}: {rule}: {title}: {judged:?}"));
        }
    }
    println!("{:<24} {:>6} {:>6}", "kauditui alerts", "agreed", "not");
    for (source, [agreed, not]) in &table {
        println!("{source:<24} {agreed:>6} {not:>6}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

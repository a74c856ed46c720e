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

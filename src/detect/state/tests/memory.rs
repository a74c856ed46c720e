//! What becomes of findings when their records are dropped for memory, and what a filter leaves out.

use super::*;

#[test]
fn a_finding_outlives_its_records() {
    let (mut store, mut identities) = (Store::new(), Identities::default());
    let log = at_work(ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT, 5, 20);
    store.push(batch(&log, 0));
    store.push(batch(&[request(50, ARGOCD, "JTI=1", "203.0.113.66", KUBECTL)], 0));
    identities.update(&store);
    let before = findings(&ENGINE, &identities, &store);
    assert_eq!(before.len(), 2);
    let later = request(7_200, ARGOCD, "JTI=1", "203.0.113.66", KUBECTL);
    store.push(batch(&[later], 0));
    while store.held_records() > 1 {
        assert!(store.evict_oldest());
    }
    identities.update(&store);
    let now = findings(&ENGINE, &identities, &store);
    let kept = remembered(&before, now, &store);
    assert_eq!(kept.len(), 2);
    for (kept, before) in kept.iter().zip(&before) {
        assert_eq!((&kept.group, kept.first), (&before.group, before.first));
        assert_eq!(kept.events[..before.events.len()], before.events);
        assert!(kept.last > before.last, "and what came since is part of it");
    }
    assert_eq!(remembered(&kept, Vec::new(), &store).len(), 2);
}

#[test]
fn a_filter_leaves_out_what_it_says() {
    let pack = RuleSet::load(true, &[]).0;
    let rule = pack.rules().iter().find(|rule| rule.state == Some(StateDetection::ControllerByHand));
    let folder = tempfile::tempdir().expect("a folder");
    let filter = format!(
        "title: Our bastion\nlogsource: {{product: kubernetes, service: audit}}\nfilter:\n  rules: [{}]\n  selection: {{sourceIP: 10.20.0.9}}\n  condition: not selection\n",
        rule.expect("the rule").id
    );
    std::fs::write(folder.path().join("bastion.yml"), filter).expect("a file");
    let engine = RuleSet::load(true, &[folder.path().to_owned()]).0.prepare();
    let counts = |ips: &[&str]| {
        let mut log = at_work(ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT, 5, 20);
        log.extend(ips.iter().map(|ip| request(50, ARGOCD, "JTI=2", ip, KUBECTL)));
        let (mut store, mut identities) = (Store::new(), Identities::default());
        store.push(batch(&log, 0));
        identities.update(&store);
        let found = findings(&engine, &identities, &store);
        found.iter().map(|finding| finding.count).collect::<Vec<_>>()
    };
    assert_eq!(counts(&["10.20.0.8", "10.20.0.9"]), [1]);
    assert!(counts(&["10.20.0.9"]).is_empty());
}

//! What must be told.

use super::*;
use StateDetection::*;

/// Argo CD at work, and a second token of its account that somebody carried away.
fn stolen() -> Vec<Value> {
    let mut log = at_work(ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT, 5, 20);
    let admin = |second| request(second, ADMIN, "", "10.20.0.5", KUBECTL);
    log.push(mint(admin(60), ARGOCD, "JTI=2"));
    let thief = |second| request(second, ARGOCD, "JTI=2", "203.0.113.66", KUBECTL);
    log.push(thief(65));
    log.push(write(thief(66), "delete", "novelapp"));
    log.push(write(
        with(request(20, ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT), json!({"auditID": "delivered"})),
        "patch",
        "novelapp",
    ));
    log
}

#[test]
fn a_stolen_token_of_a_controller() {
    let told = found(&stolen());
    let of = |detection| told.iter().find(|told| told.detection == detection);
    let by_hand = of(ControllerByHand).expect("by hand");
    assert_eq!((by_hand.group.as_str(), by_hand.first, by_hand.count), (ARGOCD, 65, 2));
    assert_eq!(by_hand.reason, "usually argocd (21 of 23), here kubectl from 203.0.113.66");
    let carried = of(TwoPlaces).expect("carried away");
    assert_eq!((carried.group.as_str(), carried.count), (ARGOCD, 2));
    assert_eq!(carried.reason, "minted by admin@example.com at 10.20.0.5, used at 203.0.113.66");
    let minted = of(PrivilegedToken).expect("minted");
    let group = format!("{ADMIN},argocd,argocd-application-controller");
    assert_eq!((minted.group.as_str(), minted.first), (group.as_str(), 60));
    let changed = of(OutsideGitops).expect("deleted past the repository");
    assert_eq!((changed.group.as_str(), changed.count), (format!("{ARGOCD},shop").as_str(), 1));
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn a_token_that_is_used_beside_its_controller() {
    // The controller's own token, from the network of the attacker, with the agent of the controller.
    let mut log = at_work(ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT, 5, 20);
    log.push(request(50, ARGOCD, "JTI=1", "203.0.113.66", ARGOCD_AGENT));
    let told = found(&log);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].detection, told[0].first, told[0].count), (TwoPlaces, 50, 1), "only what was odd");
    assert_eq!(told[0].reason, "argocd from 10.244.3.15, argocd from 203.0.113.66");
    // From another machine inside, by hand.
    log.pop();
    log.push(request(50, ARGOCD, "JTI=1", "10.244.9.9", KUBECTL));
    assert_eq!(heads(&log).len(), 2, "{:?}", heads(&log));
    // Two hours later it is no longer two places at once, but still by hand.
    log.pop();
    log.push(request(7_500, ARGOCD, "JTI=1", "10.244.9.9", KUBECTL));
    assert_eq!(heads(&log), [(ControllerByHand, ARGOCD.to_owned())]);
}

#[test]
fn a_token_of_a_pod_at_another_machine() {
    let user = "system:serviceaccount:shop:cart";
    let mut log: Vec<Value> = at_work(user, "JTI=1", "10.244.3.15", "cart/v1", 5, 20)
        .into_iter()
        .map(|request| in_pod(request, "cart-1"))
        .collect();
    log.push(in_pod(request(50, user, "JTI=1", "10.244.7.7", "cart/v1"), "cart-1"));
    assert_eq!(heads(&log), [(TwoPlaces, user.to_owned())]);
}

#[test]
fn a_shell_in_the_pod_of_a_controller() {
    let mut log: Vec<Value> = at_work(ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT, 5, 40)
        .into_iter()
        .map(|request| in_pod(request, "argocd-0"))
        .collect();
    log.push(in_pod(request(100, ARGOCD, "JTI=1", "10.244.3.15", "curl/8.5.0"), "argocd-0"));
    assert_eq!(heads(&log), [(ControllerByHand, ARGOCD.to_owned())]);
}

#[test]
fn a_kubelets_certificate_in_the_hands_of_a_person() {
    let mut log = at_work("system:node:n1", "X509SHA256=1", "10.0.20.11", "kubelet/v1.32.4", 5, 20);
    log.push(request(50, "system:node:n1", "X509SHA256=1", "10.0.20.11", KUBECTL));
    assert_eq!(heads(&log), [(TwoPlaces, "system:node:n1".to_owned())]);
}

#[test]
fn a_token_for_an_account_that_holds_cluster_admin() {
    let tool = "system:serviceaccount:tools:dashboard";
    let admin = |second| request(second, ADMIN, "", "10.20.0.5", KUBECTL);
    let token = mint(admin(60), tool, "JTI=2");
    let expected = [(PrivilegedToken, format!("{ADMIN},tools,dashboard"))];
    // Told by a request that the binding allowed, before or after.
    let reason = r#"RBAC: allowed by ClusterRoleBinding "d" of ClusterRole "cluster-admin" to ServiceAccount "dashboard/tools""#;
    for second in [10, 90] {
        let used = request(second, tool, "JTI=1", "10.244.1.1", "dashboard/v2");
        let used = with(used, json!({"annotations": {"authorization.k8s.io/reason": reason}}));
        assert_eq!(heads(&[token.clone(), used]), expected);
    }
    // Told by the binding itself.
    let subject = json!({"kind": "ServiceAccount", "namespace": "tools", "name": "dashboard"});
    let binding = |role: &str| {
        with(
            admin(20),
            json!({"verb": "create", "level": "Request", "auditID": "b",
            "objectRef": {"resource": "clusterrolebindings", "namespace": null, "name": "d"},
            "requestObject": {"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]}}),
        )
    };
    assert_eq!(heads(&[binding("cluster-admin"), token.clone()]), expected);
    assert!(heads(&[binding("view"), token]).is_empty());
    // A pod under it.
    let pod = |verb: &str, account: &str| {
        let body = json!({"spec": {"serviceAccountName": account}});
        let changes = json!({"verb": verb, "level": "Request", "auditID": "p", "requestObject": body,
            "objectRef": {"resource": "pods", "namespace": "tools", "name": "p"}});
        with(admin(30), changes)
    };
    let expected = [(AdminAccount, format!("{ADMIN},{tool}"))];
    assert_eq!(heads(&[binding("cluster-admin"), pod("create", "dashboard")]), expected);
    assert!(heads(&[binding("cluster-admin"), pod("create", "default")]).is_empty());
    assert!(heads(&[binding("cluster-admin"), pod("update", "dashboard")]).is_empty());
}

#[test]
fn a_token_minted_for_a_program_and_used_by_somebody_else() {
    let user = "system:serviceaccount:shop:cart";
    let mut log = at_work(user, "JTI=1", "10.244.3.15", "cart/v1", 5, 20);
    log.push(mint(request(60, ADMIN, "", "10.20.0.5", KUBECTL), user, "JTI=2"));
    log.push(request(70, user, "JTI=2", "10.30.0.9", "scanner/v1"));
    let told = found(&log);
    assert_eq!((told.len(), told[0].detection, told[0].first), (1, PrivilegedToken, 60));
    assert_eq!(told[0].reason, format!("used at 10.30.0.9, where neither {user} nor {ADMIN} was seen"));
}

#[test]
fn one_audit_id_over_different_requests() {
    let chosen = |second, user: &str, changes: Value| {
        with(with(request(second, user, "", "10.20.0.11", KUBECTL), json!({"auditID": "mine"})), changes)
    };
    let told = found(&[
        chosen(10, ADMIN, json!({})),
        chosen(11, ADMIN, json!({"verb": "list"})),
        chosen(12, ADMIN, json!({"requestURI": "/api/v1/secrets"})),
        chosen(13, "bob", json!({})),
    ]);
    let heads: Vec<_> = told.iter().map(|told| (told.detection, told.group.as_str(), told.count)).collect();
    assert_eq!(heads, [(ReusedAuditId, "mine", 4)]);
    // A UUID, as the server's own are.
    let uuid = json!({"auditID": "4517a132-618b-4c74-bd69-41245c01e2db"});
    let two = [chosen(10, ADMIN, uuid.clone()), with(chosen(20, ADMIN, uuid), json!({"verb": "delete"}))];
    assert_eq!(found(&two).len(), 1);
}

#[test]
fn changes_of_what_gitops_applies() {
    let argo = |second, verb: &str, name: &str| {
        write(request(second, ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT), verb, name)
    };
    let bob =
        |second, verb: &str, name: &str| write(request(second, "bob", "", "10.20.0.12", KUBECTL), verb, name);
    let expected = vec![(OutsideGitops, "bob,shop".to_owned())];
    assert_eq!(heads(&[argo(10, "patch", "cart"), bob(20, "patch", "cart")]), expected);
    assert_eq!(heads(&[bob(20, "delete", "cart"), argo(30, "create", "cart")]), expected, "it was put back");
    let scale = with(bob(20, "patch", "cart"), json!({"objectRef": {"subresource": "scale"}}));
    assert_eq!(heads(&[argo(10, "patch", "cart"), scale]), expected);
    let helm = write(
        request(20, "system:serviceaccount:ci:deployer", "JTI=9", "10.244.4.30", HELM),
        "patch",
        "cart",
    );
    assert_eq!(heads(&[argo(10, "patch", "cart"), helm]).len(), 1);
    // A controller with a cloud's identity, known by its field manager.
    let cloud = with(
        write(request(10, "arn:aws:iam::1:role/argocd", "", "10.0.0.9", ARGOCD_AGENT), "patch", "cart"),
        json!({"requestURI": "/apis/apps/v1/namespaces/shop/deployments/cart?fieldManager=argocd-controller"}),
    );
    assert_eq!(heads(&[cloud, bob(20, "patch", "cart")]), expected);
}

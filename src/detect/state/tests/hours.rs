//! Ordinary hours, of which nothing must be told.

use super::*;

#[test]
fn pipelines_and_the_accounts_of_people() {
    let ci = "system:serviceaccount:ci:deployer";
    // kubectl every time, from whatever runner is free.
    let mut log = Vec::new();
    for n in 0..30 {
        log.push(request(n * 60, ci, "JTI=1", &format!("10.244.{n}.7"), KUBECTL));
    }
    assert!(heads(&log).is_empty());
    // Helm, and kubectl in the same script, on runners of one's own or of a provider.
    for network in ["10.244.4", "198.51.100"] {
        let mut log = Vec::new();
        for n in 0..20 {
            log.push(request(n * 60, ci, "JTI=1", &format!("{network}.{}", n % 7), HELM));
        }
        log.push(request(200, ci, "JTI=1", &format!("{network}.30"), KUBECTL));
        assert!(heads(&log).is_empty(), "{network}");
    }
    // Its token was made by hand, once, and is used where it was made for.
    let admin = request(0, ADMIN, "", "10.20.0.5", KUBECTL);
    let mut log = vec![mint(admin, ci, "JTI=1")];
    log.extend(at_work(ci, "JTI=1", "10.244.4.30", HELM, 10, 20));
    assert!(heads(&log).is_empty());
}

#[test]
fn tokens_that_are_changed_for_new_ones() {
    let admin = |second| request(second, ADMIN, "", "10.20.0.5", KUBECTL);
    // A program outside the cluster that moved to another machine.
    let program = "system:serviceaccount:ops:exporter";
    let mut log = at_work(program, "JTI=1", "10.30.0.1", "exporter/v1", 5, 20);
    log.push(mint(admin(200), program, "JTI=2"));
    log.push(request(210, program, "JTI=2", "10.30.0.2", "exporter/v1"));
    // A pipeline, on another runner.
    let ci = "system:serviceaccount:ci:deployer";
    log.extend(at_work(ci, "JTI=3", "10.244.4.30", HELM, 5, 20));
    log.push(mint(admin(201), ci, "JTI=4"));
    log.push(request(220, ci, "JTI=4", "10.244.4.77", HELM));
    // Whoever minted it tried it out.
    log.push(mint(with(admin(300), json!({"auditID": "again"})), program, "JTI=5"));
    log.push(request(310, program, "JTI=5", "10.20.0.5", "exporter/v1"));
    // An old cluster, that tells neither credentials nor pods.
    let old = "system:serviceaccount:ops:old";
    log.extend(at_work(old, "", "10.244.1.1", "old/v1", 5, 20));
    log.push(request(230, old, "", "10.244.1.2", KUBECTL));
    assert!(heads(&log).is_empty(), "{:#?}", found(&log));
}

#[test]
fn a_pod_that_two_api_servers_see() {
    // Its own API server sees the pod's address, the other one that of the node which it leaves by.
    let user = "system:serviceaccount:shop:cart";
    for (node_ip, kubelet) in [("10.0.0.5", "system:node:cp-1"), ("203.0.113.5", "system:node:vps-1")] {
        let mut log = at_work(kubelet, "X509SHA256=n", node_ip, "kubelet/v1.34.1", 5, 20);
        for (ip, first) in [("10.244.3.15", 5), (node_ip, 7)] {
            let uses = at_work(user, "JTI=1", ip, "cart/v1", first, 20);
            log.extend(uses.into_iter().map(|request| in_pod(request, "cart-1")));
        }
        assert!(heads(&log).is_empty(), "{node_ip}: {:#?}", found(&log));
        // With another program it is somebody else.
        let mut by_hand = log.clone();
        by_hand.push(in_pod(request(60, user, "JTI=1", node_ip, KUBECTL), "cart-1"));
        assert!(!heads(&by_hand).is_empty(), "{node_ip}");
        // Where the API server tells the pod's node, it must be that one and no other.
        let on = |node: &str| -> Vec<Value> {
            let extra = json!({"user": {"extra": {"authentication.kubernetes.io/node-name": [node]}}});
            let of_pod = |request: &Value| request["user"]["username"] == user;
            let told = |request: &Value| match of_pod(request) {
                true => with(request.clone(), extra.clone()),
                false => request.clone(),
            };
            log.iter().map(told).collect()
        };
        let own = kubelet.strip_prefix("system:node:").expect("a node");
        assert!(heads(&on(own)).is_empty(), "{node_ip}: {:#?}", found(&on(own)));
        assert_eq!(
            heads(&on("another")),
            [(StateDetection::TwoPlaces, user.to_owned())],
            "a stolen token on another node"
        );
    }
}

#[test]
fn people_on_the_move() {
    let mut log = Vec::new();
    for n in 0..20 {
        let ip = if n % 2 == 0 { "10.20.0.11" } else { "198.51.100.7" };
        log.push(request(n * 30, "alice@example.com", "X509SHA256=a", ip, KUBECTL));
        // And one with a service account's token in the kubeconfig.
        log.push(request(n * 30 + 1, "system:serviceaccount:team:alice", "JTI=a", ip, KUBECTL));
    }
    assert!(heads(&log).is_empty());
}

#[test]
fn replicas_and_nodes() {
    // Two replicas with one old token, on two nodes.
    let user = "system:serviceaccount:ops:operator";
    let mut log = at_work(user, "JTI=1", "10.244.1.5", "operator/v1", 5, 20);
    log.extend(at_work(user, "JTI=1", "10.244.2.5", "operator/v1", 7, 20));
    // A node that came back with another address, with a pod in its network.
    for (from, ip) in [(0, "10.0.20.11"), (1_000, "10.0.20.77")] {
        for n in 0..20 {
            log.push(request(from + n, "system:node:n1", "X509SHA256=n", ip, "kubelet/v1.32.4"));
            let proxy = "system:serviceaccount:kube-system:cni";
            log.push(in_pod(request(from + n, proxy, "JTI=p", ip, "cni/v1"), "cni-x"));
        }
    }
    // A load balancer with two addresses stands for everybody.
    for n in 0..20 {
        let ip = if n % 2 == 0 { "10.9.0.1" } else { "10.9.0.2" };
        log.push(request(n * 9, "system:node:n2", "X509SHA256=m", ip, "kubelet/v1.32.4"));
        log.push(in_pod(request(n * 9 + 1, ARGOCD, "JTI=2", ip, ARGOCD_AGENT), "argocd-0"));
    }
    // The controller manager and its own calls by another way.
    let deployments = "system:serviceaccount:kube-system:deployment-controller";
    for (n, ip) in ["127.0.0.1", "10.0.0.1", "::1"].iter().enumerate() {
        log.push(request(n as i64, deployments, "JTI=3", ip, "kube-controller-manager/v1.32"));
    }
    // A pod of both families.
    for n in 0..10 {
        let ip = if n % 2 == 0 { "10.244.8.8" } else { "fd00::8" };
        log.push(in_pod(request(n, "system:serviceaccount:shop:dual", "JTI=4", ip, "dual/v1"), "dual-1"));
    }
    assert!(heads(&log).is_empty(), "{:#?}", found(&log));
}

#[test]
fn scripts_that_belong_to_a_controller() {
    let user = "system:serviceaccount:ops:operator";
    let program = |credential| -> Vec<Value> {
        let requests = at_work(user, credential, "10.244.1.5", "operator/v1", 5, 100);
        requests.into_iter().map(|request| in_pod(request, "operator-1")).collect()
    };
    let script =
        |second, credential, pod| in_pod(request(second, user, credential, "10.244.1.5", KUBECTL), pod);
    // Before the program starts.
    let mut log = program("JTI=1");
    log.push(script(1, "JTI=1", "operator-1"));
    assert!(heads(&log).is_empty());
    // All along, though seldom, and with each new token.
    let mut log = program("JTI=1");
    log.extend((0..8).map(|n| script(20 + n * 60, if n < 4 { "JTI=1" } else { "JTI=5" }, "operator-1")));
    assert!(heads(&log).is_empty());
    // A job of the same chart.
    let mut log = program("JTI=1");
    let hook = request(200, user, "JTI=6", "10.244.5.5", KUBECTL);
    log.push(in_pod(hook, "operator-hook-x"));
    assert!(heads(&log).is_empty());
}

#[test]
fn what_gitops_does_and_what_it_does_not_care_for() {
    let argo = |second, verb: &str, name: &str| {
        write(request(second, ARGOCD, "JTI=1", "10.244.3.15", ARGOCD_AGENT), verb, name)
    };
    let bob =
        |second, verb: &str, name: &str| write(request(second, "bob", "", "10.20.0.12", KUBECTL), verb, name);
    let uri = |query: &str| format!("/apis/apps/v1/namespaces/shop/deployments/cart?{query}");
    let status = json!({"objectRef": {"subresource": "status"}});
    let hpa = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    let manager = "kube-controller-manager/v1.32";
    let scale = write(request(20, hpa, "JTI=h", "10.0.0.1", manager), "update", "cart");
    let log = [
        argo(10, "patch", "cart"),
        argo(40, "patch", "cart"),
        bob(20, "patch", "another"),
        with(bob(21, "patch", "cart"), json!({"requestURI": uri("fieldManager=kubectl-rollout")})),
        with(bob(22, "patch", "cart"), json!({"requestURI": uri("dryRun=All")})),
        with(bob(23, "patch", "cart"), json!({"responseStatus": {"code": 403}})),
        with(bob(24, "patch", "cart"), status),
        bob(25, "get", "cart"),
        with(scale, json!({"objectRef": {"subresource": "scale"}})),
        write(
            request(26, "system:serviceaccount:ops:operator", "", "10.0.0.1", "operator/v1"),
            "patch",
            "cart",
        ),
    ];
    assert!(heads(&log).is_empty(), "{:#?}", found(&log));
    // Made by a person, and only later taken into the repository.
    assert!(heads(&[bob(20, "create", "cart"), argo(30, "patch", "cart")]).is_empty());
    assert!(heads(&[bob(20, "patch", "cart"), argo(9_000, "patch", "cart")]).is_empty());
    // The sources themselves are edited by people.
    let application = json!({"objectRef": {"resource": "applications", "apiGroup": "argoproj.io"}});
    let sync = with(argo(10, "patch", "cart"), application.clone());
    assert!(heads(&[sync, with(bob(20, "patch", "cart"), application)]).is_empty());
}

#[test]
fn tokens_that_machines_ask_for_and_stages_of_one_request() {
    let account = "system:serviceaccount:shop:cart";
    let node = request(10, "system:node:n1", "X509SHA256=n", "10.0.20.11", "kubelet/v1.32.4");
    let mut log = vec![mint(node, account, "JTI=1")];
    log.extend(at_work(account, "JTI=0", "10.244.1.1", "cart/v1", 1, 20));
    log.push(request(40, account, "JTI=1", "10.244.1.2", "cart/v1"));
    let watch = request(50, ADMIN, "", "10.20.0.5", KUBECTL);
    log.push(with(watch.clone(), json!({"stage": "ResponseStarted"})));
    log.push(with(watch, json!({"stageTimestamp": format_rfc3339((START + 90) * SECOND)})));
    assert!(heads(&log).is_empty(), "{:#?}", found(&log));
    // Ids that are missing are not one id.
    let without = |second, verb: &str| {
        with(request(second, ADMIN, "", "10.20.0.5", KUBECTL), json!({"auditID": null, "verb": verb}))
    };
    assert!(heads(&[without(1, "get"), without(2, "list")]).is_empty());
}

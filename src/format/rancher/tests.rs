use super::*;
use crate::model::format_rfc3339;

fn told(line: &str) -> Told {
    let fields = Fields::of_json(line).expect("an object");
    assert!(wrote(&fields), "{line}");
    read(&fields).expect("it tells something")
}

#[test]
fn a_request_behind_rancher_is_told_with_its_person() {
    let line = concat!(
        r#"{"auditID":"40bd4e40-875b-4020-933e-4c4f4c4db366","requestURI":"/k8s/clusters/c-abc12/apis/apps/v1/namespaces/prod/deployments/web","#,
        r#""user":{"name":"u-b4qkhsnliz","group":["github_org://1","system:authenticated"],"requestUser":"bob","extra":{"principalid":["local://u-b4qkhsnliz","github_user://77"],"#,
        r#""requesttokenid":["kubeconfig-u-b4qkhsnliz"],"username":["alice"]}},"method":"PATCH","remoteAddr":"[fd00::1]:58652","responseCode":200,"#,
        r#""requestTimestamp":"2025-06-30T11:13:25-04:00","responseTimestamp":"2025-06-30T11:13:26-04:00","#,
        r#""requestHeader":{"User-Agent":["kubectl/v1.34.1"],"X-Forwarded-For":["203.0.113.9, 10.0.0.2"]}}"#
    );
    let told = told(line);
    assert_eq!((told.verb.as_str(), told.object.name.as_ref(), told.code), ("patch", "web", 200));
    assert_eq!((told.user.as_str(), told.impersonated_user.as_str()), ("u-b4qkhsnliz", "bob"));
    assert_eq!((told.source_ip.as_str(), told.user_agent.as_str()), ("fd00::1", "kubectl/v1.34.1"));
    assert_eq!(told.groups, r#"["github_org://1","system:authenticated"]"#);
    assert_eq!(told.received.map(format_rfc3339).as_deref(), Some("2025-06-30T15:13:25.000000Z"));
    assert_eq!(told.time.map(format_rfc3339).as_deref(), Some("2025-06-30T15:13:26.000000Z"));
    let details = told.details;
    assert_eq!(details.initiator.display_name, "alice");
    assert_eq!(details.initiator.principals, ["local://u-b4qkhsnliz", "github_user://77"]);
    assert_eq!(details.initiator.client_addresses, ["203.0.113.9", "10.0.0.2"]);
    assert_eq!(details.initiator.token_id, "kubeconfig-u-b4qkhsnliz");
    assert_eq!(details.destination.cluster, "c-abc12");
    assert_eq!(details.cluster_uri, "/apis/apps/v1/namespaces/prod/deployments/web");
}

#[test]
fn bodies_raise_the_level_and_tell_why_it_failed() {
    let line = |bodies: &str| {
        told(&format!(
            r#"{{"auditID":"a","requestURI":"/v3/projects","user":{{"name":"user-1"}},"method":"POST","responseCode":"403"{bodies}}}"#
        ))
    };
    assert_eq!(line("").level, Level::Metadata);
    assert_eq!(line(r#","requestBody":{"name":"x"}"#).level, Level::Request);
    let refused = line(
        r#","requestBody":{},"responseBody":{"type":"error","status":"403","code":"Forbidden","message":"no"}"#,
    );
    assert_eq!(
        (refused.level, refused.reason.as_str(), refused.code),
        (Level::RequestResponse, "Forbidden", 403)
    );
    assert_eq!(refused.time, None, "a line without times is placed by its neighbours");
}

#[test]
fn a_login_names_the_person_and_an_unauthenticated_request_none() {
    let login = told(
        r#"{"auditID":"a","requestURI":"/v3-public/localProviders/local?action=login","user":{"name":"system:cattle:error","extra":{"username":[""]}},"userLoginName":"alice","method":"POST","responseCode":201}"#,
    );
    assert_eq!(login.details.initiator.display_name, "alice");
    assert_eq!((login.object.subresource.as_ref(), login.user.as_str()), ("login", "system:cattle:error"));
}

#[test]
fn the_two_lines_of_the_first_versions() {
    let asked = told(
        r#"{"auditID":"30022177","requestURI":"/v3/schemas/project","sourceIPs":["::1"],"user":{"name":"user-f4tt2","group":["system:authenticated"]},"verb":"GET","stage":"RequestReceived","stageTimestamp":"2018-07-20 10:22:43 +0800"}"#,
    );
    assert_eq!(
        (asked.verb.as_str(), asked.stage, asked.source_ip.as_str()),
        ("get", Stage::RequestReceived, "::1")
    );
    let answered = told(
        r#"{"auditID":"30022177","responseStatus":"200","stage":"ResponseComplete","stageTimestamp":"2018-07-20 10:22:44 +0800"}"#,
    );
    assert_eq!(
        (answered.code, answered.stage, answered.audit_id.as_str()),
        (200, Stage::ResponseComplete, "30022177")
    );
    assert_eq!(answered.time.map(format_rfc3339).as_deref(), Some("2018-07-20T02:22:44.000000Z"));
}

#[test]
fn an_event_of_an_api_server_is_none_of_rancher() {
    for line in [
        r#"{"kind":"Event","auditID":"a","requestURI":"/x","verb":"GET","method":"GET"}"#,
        r#"{"auditID":"a","stage":"ResponseComplete","requestURI":"/x","verb":"get","user":{"username":"bob"}}"#,
        r#"{"requestURI":"/x","method":"GET"}"#,
    ] {
        assert!(!wrote(&Fields::of_json(line).expect("an object")), "{line}");
    }
}

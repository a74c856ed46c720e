//! Where a client certificate came from: the CertificateSigningRequest that it answers, who made that, who approved it.
//!
//! The API server names a certificate by the SHA-256 of its DER form, `X509SHA256=…`
//! (`k8s.io/apiserver/pkg/authentication/request/x509`); `status.certificate` of the signing request holds the same
//! certificate as base64 of PEM, in the bodies of its later writes and reads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::finding::{Certainty, Finding, Log, Topic};
use super::request::Request;
use super::select::{requests_where, requests_with};
use crate::model::{EventId, tool};
use crate::store::Field;

/// Prefix of the credential ids of client certificates.
const CERTIFICATE: &str = "X509SHA256=";

/// What the log tells of a certificate's origin; nothing for another kind of credential.
pub fn origin(log: &Log<'_>, credential: &str) -> Vec<Finding> {
    let Some(wanted) = credential.strip_prefix(CERTIFICATE) else { return Vec::new() };
    let Some(name) = signing_request(log, wanted) else {
        return vec![Finding::new(
            Topic::Issued,
            Certainty::Unknown,
            "who had the certificate issued cannot be known: no body in this log holds it (it may be older, from \
                   outside the cluster, or its signing request logged without bodies)",
            "no status.certificate with this SHA-256",
        )];
    };
    let writes =
        requests_with(log.store, &[(Field::Resource, "certificatesigningrequests"), (Field::Name, &name)]);
    let mut found = Vec::new();
    for request in writes.into_iter().filter_map(|id| Request::of(log.store, id)) {
        let did = match (request.verb.as_str(), request.subresource.as_str()) {
            ("create", "") => "requested",
            ("update" | "patch", "approval") => "approved",
            _ => continue,
        };
        if !request.succeeded() {
            continue;
        }
        let told = Finding::new(
            Topic::Issued,
            Certainty::Certain,
            format!(
                "{did} by {} at {} from {} with {} (CertificateSigningRequest {name})",
                request.acting_user(),
                log.clock(request.time),
                request.source_ip,
                tool(&request.user_agent),
            ),
            format!("SHA-256 of its status.certificate; auditID {}", request.audit_id),
        );
        found.push(told.shown_by(request.id));
    }
    found
}

/// The request that asked for the certificate with this credential id, where a body in the log holds it.
pub fn requested(log: &Log<'_>, credential: &str) -> Option<EventId> {
    let name = signing_request(log, credential.strip_prefix(CERTIFICATE)?)?;
    let writes =
        requests_with(log.store, &[(Field::Resource, "certificatesigningrequests"), (Field::Name, &name)]);
    writes.into_iter().find(|id| {
        Request::of(log.store, *id)
            .is_some_and(|r| r.verb == "create" && r.subresource.is_empty() && r.succeeded())
    })
}

/// The credential id of the certificate that a signing request was answered with, where a body in the log holds it.
pub fn issued(log: &Log<'_>, name: &str) -> Option<String> {
    let all = requests_where(log.store, &[], Field::Resource, |r| r == "certificatesigningrequests");
    all.into_iter().find_map(|id| {
        let request = Request::read(log.store, id)?;
        let item = items(request.response_object()?).iter().find(|item| {
            item.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
                && item.pointer("/status/certificate").is_some()
        })?;
        let digits = fingerprint(item.pointer("/status/certificate")?.as_str()?)?;
        Some(format!("{CERTIFICATE}{digits}"))
    })
}

/// The name of the signing request whose certificate has this SHA-256.
fn signing_request(log: &Log<'_>, wanted: &str) -> Option<String> {
    let all = requests_where(log.store, &[], Field::Resource, |r| r == "certificatesigningrequests");
    all.into_iter().find_map(|id| {
        let request = Request::read(log.store, id)?;
        let item = items(request.response_object()?).iter().find(|item| {
            let certificate = item.pointer("/status/certificate").and_then(Value::as_str);
            certificate.and_then(fingerprint).is_some_and(|is| is.eq_ignore_ascii_case(wanted))
        })?;
        item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)
    })
}

/// The objects that an answer holds: those of a list, or the one that it is.
fn items(body: &Value) -> &[Value] {
    body.get("items").and_then(Value::as_array).map_or(std::slice::from_ref(body), Vec::as_slice)
}

/// SHA-256, in hexadecimal digits, of the first certificate in base64 of PEM.
fn fingerprint(status_certificate: &str) -> Option<String> {
    let pem = String::from_utf8(STANDARD.decode(status_certificate.trim()).ok()?).ok()?;
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let packed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(packed).ok()?;
    Some(Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_by_its_der_form() {
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(b"not really a certificate")
        );
        let told = fingerprint(&STANDARD.encode(pem)).expect("it is PEM");
        let known: String =
            Sha256::digest(b"not really a certificate").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(told, known);
        for broken in ["", "%%%", "bm8gUEVN"] {
            assert_eq!(fingerprint(broken), None, "{broken}");
        }
    }
}

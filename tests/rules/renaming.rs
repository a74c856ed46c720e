//! The same events in another cluster: other people, namespaces, service accounts and addresses, with the names of
//! Kubernetes' own left alone.

use serde_json::Value;

/// What is called how elsewhere. Names that a rule knows for what they are (`argocd`, `velero`, `kube-system`) stay.
const NAMES: [(&str, &str); 22] = [
    ("nadia@initech.example", "b.okafor@globex.test"),
    ("omar@initech.example", "x.li@globex.test"),
    ("initech.example", "globex.test"),
    ("vandelay.example", "umbrella.test"),
    ("hooli.example", "stark.test"),
    ("ivo@", "r2@"),
    ("petra@", "quinn@"),
    ("kwame", "tomasz"),
    ("checkout", "ledger"),
    ("cart-api", "posting"),
    ("cart-7d9f-x2x", "posting-0"),
    ("/shop/", "/atelier/"),
    (":\"shop\"", ":\"atelier\""),
    ("payments", "treasury"),
    ("billing", "invoices"),
    ("team-1", "squad-z"),
    ("10.88.4.21", "192.168.77.3"),
    ("198.51.100.77", "203.0.113.19"),
    ("10.64.", "172.20."),
    ("10.99.", "192.168."),
    ("pool-a-", "blue-"),
    ("ip-10-0-1-9", "worker-17"),
];

/// Makes another cluster of one event, or of the shape of one.
pub fn elsewhere(event: &Value) -> Value {
    let text = NAMES.iter().fold(event.to_string(), |text, (from, to)| text.replace(from, to));
    serde_json::from_str(&text).expect("names are plain text")
}

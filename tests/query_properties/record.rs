//! Stage records as a log holds them: facts that the model reads, and the line that the program reads.
//!
//! Both come from the same pools, but nothing of the line is parsed to get a fact: what an agent's tool is, what a URI
//! runs and what of a body may be shown is written down beside it.

use std::fmt;

use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Decision, Event, Level, Micros, SECOND, SourceId, Stage};
use kauditui::store::{Batch, SegmentBuilder};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::lines;
use crate::pools::{
    ADDRESSES, AGENTS, ANNOTATIONS, AUDIT_IDS, BASE, DECISION_REASONS, Grant, IDENTITIES, IMPERSONATED,
    LENGTHS, LIVES, NAMES, NAMESPACES, PROBES, QUERIES, Query, REASONS, RESOURCES, SUBRESOURCES, VERBS,
};

/// One stage record as the model sees it.
#[derive(Clone, Default)]
pub struct Record {
    pub user: String,
    pub groups: Vec<String>,
    pub impersonated_user: String,
    pub impersonated_groups: Vec<String>,
    pub credential: String,
    pub issued_credential: String,
    pub token_pod: String,
    pub token_node: String,
    pub verb: String,
    pub resource: String,
    pub subresource: String,
    pub api_group: String,
    pub api_version: String,
    pub namespace: String,
    pub name: String,
    pub source_ip: String,
    pub user_agent: String,
    /// What the agent's tool is.
    pub tool: String,
    pub request_uri: String,
    /// What the URI says of a command, a field manager and a dry run.
    pub query: Query,
    pub reason: String,
    pub code: u16,
    pub stage: Stage,
    pub level: Level,
    pub decision: Decision,
    pub grant: Option<Grant>,
    pub deprecated: String,
    pub audit_id: String,
    pub received: Micros,
    pub stage_time: Micros,
    /// The whole event.
    pub event: Value,
    /// The whole event as those may see it who did not ask for secrets.
    pub masked: Value,
    /// The event as it stands in the log: compact JSON with any escapes.
    pub line: String,
}

/// The line says it all.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// A request with all its records. Times lie close together, so that requests, duplicates and ties occur in every
/// history; now and then a minute apart.
fn request() -> impl Strategy<Value = Vec<Record>> {
    let who = (select(IDENTITIES), select(IMPERSONATED), select(AGENTS), select(ADDRESSES));
    let what = (select(VERBS), select(RESOURCES), select(SUBRESOURCES), select(NAMESPACES), select(NAMES));
    let how = (select(QUERIES), select(PROBES), select(AUDIT_IDS));
    let when = (0..24i64, select(&[0, 0, 0, 60i64][..]), prop::collection::vec(select(LENGTHS), 3));
    let answer = (
        select(&[200u16, 201, 101, 401, 403, 404, 500][..]),
        select(REASONS),
        select(&[Decision::Absent, Decision::Allow, Decision::Forbid][..]),
        select(DECISION_REASONS),
        select(&["", "", "1.32", "true"][..]),
        select(&["", "", "JTI=1", "JTI=9"][..]),
    );
    let text = (
        select(&Level::ALL[..]),
        prop::array::uniform8(any::<u8>()),
        prop::sample::subsequence(ANNOTATIONS, 0..4),
    );
    (who, what, how, when, answer, select(LIVES), text).prop_map(
        |(who, what, how, when, answer, life, text)| {
            let (identity, (impersonated_user, impersonated_groups), (user_agent, tool), source_ip) = who;
            let (verb, (resource, api_group, api_version, _), subresource, namespace, name) = what;
            let (query, probe, audit_id) = how;
            let (quarters, seconds, mut lengths) = when;
            let (code, reason, decision, decision_reason, deprecated, issued_credential) = answer;
            let (level, ingredients, annotations) = text;
            let path = if resource.is_empty() { probe.to_owned() } else { format!("/x/{resource}") };
            let received = BASE + quarters * SECOND / 4 + seconds * SECOND;
            let strings = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let arrived = Record {
                user: identity.user.into(),
                groups: strings(identity.groups),
                impersonated_user: impersonated_user.into(),
                impersonated_groups: strings(impersonated_groups),
                credential: identity.credential.into(),
                token_pod: identity.pod.into(),
                token_node: identity.node.into(),
                verb: verb.into(),
                resource: resource.into(),
                subresource: subresource.into(),
                api_group: api_group.into(),
                api_version: api_version.into(),
                namespace: namespace.into(),
                name: name.into(),
                source_ip: source_ip.into(),
                user_agent: user_agent.into(),
                tool: tool.into(),
                request_uri: format!("{path}{}", query.text),
                query,
                level,
                audit_id: audit_id.into(),
                received,
                ..Record::default()
            };
            lengths.sort_unstable();
            let record = |(stage, length): (&Stage, Micros)| {
                let mut record = Record { stage: *stage, stage_time: received + length, ..arrived.clone() };
                // Before there is an answer, nothing of it is written.
                let mut said = "";
                if stage.is_response() {
                    record.code = code;
                    record.reason = if code >= 400 { reason.into() } else { String::new() };
                    record.decision = decision;
                    (said, record.grant) = decision_reason;
                    record.deprecated = deprecated.into();
                    record.issued_credential = issued_credential.into();
                }
                let event = |masked| lines::event(&record, said, &annotations, ingredients, masked);
                (record.event, record.masked) = (event(false), event(true));
                record.line = lines::line(&record.event, ingredients[0]);
                record
            };
            life.iter().zip(lengths).map(record).collect()
        },
    )
}

/// The records of some requests.
pub fn records(most_requests: usize) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(request(), 1..most_requests).prop_map(|requests| requests.concat())
}

/// The records as a worker packs them, read from their lines.
pub fn batch(records: &[Record], source: u16, origin: u32) -> Batch {
    struct Packed(SegmentBuilder);
    impl Sink for Packed {
        fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
            self.0.push(event, text, marks.replaced);
        }
        fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
            panic!("{}: {}", kind.name(), String::from_utf8_lossy(text));
        }
    }
    let mut packed = Packed(SegmentBuilder::new(SourceId(source), 0, true));
    let mut reader = Reader::new();
    for record in records {
        reader.read(record.line.as_bytes(), &mut packed);
    }
    reader.finish(&mut packed);
    let batch = packed.0.finish(origin);
    assert_eq!(batch.segment.rows() as usize, records.len(), "each line is a record");
    batch
}

use proptest::prelude::*;

use super::*;
use crate::model::{Decision, Level, SECOND};
use crate::text::is_hostile;
use crate::trace::{Certainty, ObjectKey};

fn event() -> ReportEvent {
    ReportEvent {
        request: Request {
            audit_id: "a-1".into(),
            time: 90 * SECOND,
            level: Level::Metadata,
            code: 403,
            reason: "Forbidden".into(),
            verb: "delete".into(),
            user: "alice".into(),
            source_ip: "10.0.0.1".into(),
            user_agent: "kubectl/v1.32.4".into(),
            request_uri: "/apis/apps/v1/namespaces/prod/deployments/web".into(),
            object: ObjectKey {
                group: "apps".into(),
                resource: "deployments".into(),
                namespace: "prod".into(),
                name: "web".into(),
            },
            decision: Decision::Forbid,
            ..Request::default()
        },
        message: String::new(),
        claimed_ips: Vec::new(),
        notes: Vec::new(),
        evidence: Vec::new(),
        chain: Vec::new(),
        diff: Vec::new(),
        kubectl: None,
    }
}

fn report_of(events: Vec<ReportEvent>) -> String {
    Report { events, ..Report::default() }.markdown()
}

#[test]
fn a_row_of_the_timeline() {
    let text = report_of(vec![event()]);
    let row = "| 1 | 1970-01-01T00:01:30.000000Z | `alice` | `delete deployments.apps` | `prod/web` | `10.0.0.1 kubectl` | `403 Forbidden` | `a-1` |";
    assert!(text.lines().any(|line| line == row), "{text}");
    assert!(text.contains("1970-01-01T00:01:30.000000Z to 1970-01-01T00:01:30.000000Z (UTC), 1 request."));
}

#[test]
fn everything_known_of_an_event_is_told() {
    let mut event = event();
    event.request.decision = Decision::Allow;
    event.request.decision_reason =
        r#"RBAC: allowed by RoleBinding "dev/prod" of ClusterRole "edit" to Group "dev""#.into();
    event.message = "no".into();
    event.claimed_ips = vec!["1.2.3.4".into()];
    event.notes = vec!["See *ticket* 7.".into()];
    event.evidence = vec![
        Evidence {
            stage: Stage::ResponseComplete,
            file: "/var/log/audit.log".into(),
            offset: Some(1_234),
            sha256: "ab".into(),
            remark: String::new(),
        },
        Evidence {
            stage: Stage::RequestReceived,
            file: "stdin".into(),
            offset: None,
            sha256: "cd".into(),
            remark: "read from a pipe".into(),
        },
    ];
    event.chain = vec![
        Told::heading("caused by"),
        Told {
            depth: 1,
            label: "origin",
            certainty: Some(Certainty::Likely),
            text: "alice did it".into(),
            evidence: "user".into(),
            event: None,
        },
    ];
    event.diff = vec!["- a".into(), "+ b".into()];
    event.kubectl = Some(KubectlLine {
        words: vec!["kubectl".into(), "version".into()],
        input: None,
        why_not_exact: vec!["because"],
    });
    let text = report_of(vec![event]);
    for told in [
        "\nNote: See *ticket* 7.\n",
        "\n- claims to be forwarded from: `1.2.3.4`\n",
        "\n- result: `403 Forbidden`\n- message: `no`\n- allowed by `RoleBinding dev/prod`: `ClusterRole edit` for `Group dev`\n",
        "\n- evidence: `ResponseComplete` in `/var/log/audit.log`, line at byte 1234, SHA-256 `ab`\n",
        "\n- evidence: `RequestReceived` in `stdin`, place not known, SHA-256 `cd` (read from a pipe)\n",
        "\nCaused by:\n\n- **likely** `alice did it` by `user`\n",
        "\nWhat it changed:\n\n```\n- a\n+ b\n```\n",
        "\nAs kubectl (equivalent: because):\n\n```sh\nkubectl version\n```\n",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
}

#[test]
fn what_it_rests_on_is_said() {
    let mut report = Report { left_out: 7, notes: vec!["All of it.".into()], ..Report::default() };
    report.coverage = Coverage {
        chosen_by: "-f 'verb:delete'".into(),
        files: vec![CoveredFile {
            path: "a|b.log".into(),
            lines: 1_200,
            events: 1_100,
            unreadable: vec![("cut short".into(), 2)],
            span: Some((0, 60 * SECOND)),
            gaps: vec![(SECOND, 2 * SECOND); 30],
        }],
        failed_sources: 1,
        levels: vec![(Level::Metadata, 5), (Level::Unknown, 1)],
        counts: StoreCountsOf { evicted: 10, until: 3 * SECOND }.into(),
        losses: vec![("audit.log: cut short".into(), 2)],
    };
    let text = report.markdown();
    for told in [
        "**7 more were chosen and are left out here.**",
        "\n## Notes\n\nAll of it.\n",
        "- events chosen by `-f 'verb:delete'`\n",
        "- audit levels: Metadata (no bodies) 5 records, none (not told) 1 records\n",
        "- **10 records up to 1970-01-01T00:00:03.000000Z were dropped for memory**\n",
        "- **1 logs could not be read**\n- lost: `audit.log: cut short` (2)\n",
        "| `a`&#124;`b.log` | 1,200 | 1,100 | cut short: 2 | 1970-01-01T00:00:00.000000Z | 1970-01-01T00:01:00.000000Z |\n",
        "- and 10 more in `a|b.log`\n",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    assert!(!text.contains("no line was dropped"));
    assert!(report_of(vec![event()]).contains("- no line was dropped or unreadable\n"));
}

struct StoreCountsOf {
    evicted: u64,
    until: Micros,
}

impl From<StoreCountsOf> for crate::store::StoreCounts {
    fn from(of: StoreCountsOf) -> Self {
        Self { evicted_records: of.evicted, evicted_until: Some(of.until), ..Self::default() }
    }
}

/// Text without what stands in code spans and fenced blocks; every span must be closed on its line.
fn outside_of_code(markdown: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.lines() {
        let run = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(length) if run >= length && line.trim_matches('`').is_empty() => fence = None,
            Some(_) => {}
            None if run >= 3 && !line[run..].contains('`') => fence = Some(run),
            None => {
                let mut rest = line;
                while let Some(at) = rest.find('`') {
                    outside.push_str(&rest[..at]);
                    let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                    let mut body = &rest[at + run..];
                    loop {
                        let next = body.find('`').expect("a closed span");
                        let length = body[next..].len() - body[next..].trim_start_matches('`').len();
                        body = &body[next + length..];
                        if length == run {
                            break;
                        }
                    }
                    rest = body;
                }
                outside.push_str(rest);
                outside.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a block is not closed");
    outside
}

proptest! {
    #[test]
    fn a_log_writes_no_markdown(hostile in "[ -~`|\\\\\\[\\](){}<>#*_\n\r\u{1b}\u{202e}é]{1,40}") {
        let harmless = {
            let mut event = event();
            event.diff = vec!["x".into()];
            event.message = "x".into();
            event.claimed_ips = vec!["x".into()];
            event.request.credential = "x".into();
            event.request.token_pod = "x".into();
            event
        };
        let mut event = harmless.clone();
        let fields = [&mut event.request.user, &mut event.request.user_agent, &mut event.request.source_ip,
            &mut event.request.audit_id, &mut event.request.reason, &mut event.request.decision_reason,
            &mut event.request.credential, &mut event.request.token_pod, &mut event.request.request_uri,
            &mut event.request.object.name, &mut event.message];
        for field in fields {
            *field = format!("x{hostile}x");
        }
        event.claimed_ips = vec![hostile.clone()];
        event.diff = vec![hostile.clone()];
        let text = report_of(vec![event]);
        prop_assert!(!text.chars().any(|character| is_hostile(character) && character != '\n'));
        // Outside of code stands what would stand there without the log, but for what a value's pipes become.
        let outside = |text: &str| outside_of_code(text).replace("&#124;", "");
        let without_values = |text: &str| outside(text).replace("forbid: -", "forbid: ");
        prop_assert_eq!(without_values(&text), without_values(&report_of(vec![harmless])));
    }
}

//! The text format of `--audit-log-format=legacy`, one line an event.
//!
//! Kube-apiserver prints the same text to its own log for events that it could not write, on the lines after
//! `Error in audit plugin …\nImpacted events:` (`EventString` in `k8s.io/apiserver/pkg/audit/format.go`).

use std::borrow::Cow;

use memchr::memmem;

use crate::model::{Event, ObjectRef, Stage, parse_rfc3339};

/// What stands between the time and the first field.
const MARK: &[u8] = b" AUDIT: id=\"";

/// The event of a legacy line; whatever stands before its time (a klog prefix) is skipped. The format has one time
/// only, that of the request's arrival, which stands for the time of the stage as well; it has no level and, of the
/// object, the namespace alone.
pub(super) fn read(line: &[u8]) -> Option<Event<'_>> {
    let mark = memmem::find(line, MARK)?;
    let time_start = line[..mark].iter().rposition(|b| b.is_ascii_whitespace()).map_or(0, |space| space + 1);
    let received = parse_rfc3339(&line[time_start..mark]);
    let mut event = Event { received, stage_time: received, ..Event::default() };
    let mut rest = &line[mark + b" AUDIT: ".len()..];
    while let Some((name, value, after)) = field(rest) {
        rest = after;
        match name {
            b"id" => event.audit_id = value,
            b"stage" => event.stage = Stage::parse(value.as_bytes()),
            b"ip" => event.source_ip = known(value),
            b"method" => event.verb = value,
            b"user" => event.user = known(value),
            b"as" => event.impersonated_user = known(value),
            b"user-agent" => event.user_agent = value,
            b"namespace" => event.object = ObjectRef { namespace: known(value), ..ObjectRef::default() },
            b"uri" => event.request_uri = value,
            b"response" => event.code = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    // A line cut before its stage says too little to be placed among the stages of a request.
    (event.stage != Stage::Unknown).then_some(event)
}

/// The writer's own words for "nothing here" are no names.
fn known(value: Cow<'_, str>) -> Cow<'_, str> {
    match value.as_ref() {
        "<none>" | "<self>" | "<lookup>" | "<unknown>" | "<deferred>" => Cow::Borrowed(""),
        _ => value,
    }
}

/// The next `name="value"`, and what follows it.
fn field(text: &[u8]) -> Option<(&[u8], Cow<'_, str>, &[u8])> {
    let text = text.trim_ascii_start();
    let (name, quoted) = text.split_at(memmem::find(text, b"=\"")?);
    let (value, rest) = unquote(&quoted[2..])?;
    Some((name, value, rest))
}

/// A Go string (`%q`) behind its opening quote, and what follows it.
pub(super) fn unquote(text: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let found = memchr::memchr2(b'"', b'\\', rest)?;
        let (before, special) = rest.split_at(found);
        if special[0] == b'"' {
            let value = if out.is_empty() {
                String::from_utf8_lossy(before)
            } else {
                out.extend_from_slice(before);
                Cow::Owned(String::from_utf8_lossy(&out).into_owned())
            };
            return Some((value, &special[1..]));
        }
        out.extend_from_slice(before);
        rest = unescape(&special[1..], &mut out)?;
    }
}

/// Appends what the escape behind a backslash stands for; returns what follows it.
fn unescape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&letter, rest) = text.split_first()?;
    let digits = match letter {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let number = std::str::from_utf8(rest.get(..digits)?).ok()?;
        let number = u32::from_str_radix(number, 16).ok()?;
        match u8::try_from(number) {
            // `\x` is a byte, of a string that was not UTF-8; the others are characters.
            Ok(byte) if digits == 2 => out.push(byte),
            _ => out.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        return Some(&rest[digits..]);
    }
    out.push(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        other => other,
    });
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format_rfc3339;

    const LINE: &str = concat!(
        r#"2018-03-21T21:47:07.603214Z AUDIT: id="c939d2a7" stage="ResponseComplete" ip="10.0.0.1" method="list" "#,
        r#"user="b\"o\u00e4\xff" groups="\"g1\",\"g2\"" as="<self>" asgroups="<lookup>" user-agent="kubectl/v1" "#,
        r#"namespace="default" uri="/api/v1/namespaces/default/pods?a=1&b=2" response="403""#
    );

    #[test]
    fn reads_a_line_with_and_without_a_prefix() {
        for prefix in ["", "E0321 21:47:07.700000       1 metrics.go:86] Impacted events: "] {
            let line = format!("{prefix}{LINE}");
            let event = read(line.as_bytes()).expect(prefix);
            assert_eq!(event.received.map(format_rfc3339).as_deref(), Some("2018-03-21T21:47:07.603214Z"));
            assert_eq!(event.stage_time, event.received);
            assert_eq!((event.audit_id.as_ref(), event.stage), ("c939d2a7", Stage::ResponseComplete));
            assert_eq!((event.user.as_ref(), event.impersonated_user.as_ref()), ("b\"oä\u{fffd}", ""));
            assert_eq!(
                (event.verb.as_ref(), event.source_ip.as_ref(), event.code),
                ("list", "10.0.0.1", 403)
            );
            assert_eq!(
                (event.object.namespace.as_ref(), event.user_agent.as_ref()),
                ("default", "kubectl/v1")
            );
            assert_eq!(event.request_uri, "/api/v1/namespaces/default/pods?a=1&b=2");
        }
    }

    #[test]
    fn cut_or_foreign_text_is_no_panic() {
        for length in 0..LINE.len() {
            if let Some(event) = LINE.as_bytes().get(..length).and_then(read) {
                assert_eq!(event.audit_id, "c939d2a7");
            }
        }
        assert_eq!(read(b"I0321 21:47:07.7 1 server.go:1] AUDIT policy loaded"), None);
        assert_eq!(read(br#" AUDIT: id="\"#), None);
        assert_eq!(read(br#" AUDIT: id="a" stage="\UFFFFFFFF""#), None);
    }
}

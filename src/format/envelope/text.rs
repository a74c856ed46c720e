//! What stands before an event on its line: times, streams, names of hosts, pods and processes.
//!
//! | shape | what writes it |
//! |---|---|
//! | `2016-10-06T00:17:09.669794202Z stdout F …` | the CRI, see [`container`] |
//! | `Jun 06 16:51:26 host k3s[1234]: {…}` | journald (`-o short`) and syslog (RFC 3164) files |
//! | `2026-06-06T16:51:26+0000 host k3s[1234]: {…}` | journald (`-o short-iso`, `-o short-iso-precise`) |
//! | `<134>1 2024-…Z host app 12 - - {…}`, `<13>Jun  6 16:51:26 host app: {…}` | syslog (RFC 5424, RFC 3164) |
//! | `2024-01-01T00:00:00.000Z {…}` | CloudWatch's export to S3 |
//! | `2024-01-01T00:00:00.000000+00:00 kube-apiserver-audit-0a1b {…}` | `aws logs tail` |
//! | `2024-06-06T16:51:26Z {job="audit"} {…}` | `logcli` without `-o` |
//! | `[pod/name/container] {…}`, `pod container {…}` | `kubectl logs --prefix`, stern |
//! | `[0] tag: [[1717692686.0, {}], {"log"=>"{…}"}]` | Fluent Bit's output `stdout` |
//! | `node-1 {…}` | `oc adm node-logs` |
//!
//! But for the CRI's these are only taken for what they look like if the beginning of a JSON object or of a
//! controller's line follows, or the rest of one that was begun: any text could begin like this.

use super::super::cursor::Cursor;
use super::super::fields::find_text;
use super::{Envelope, Inner, container, journald};

/// How far into a line its JSON or text may begin.
const LONGEST_PREFIX: usize = 512;

/// Takes off what stands before the event on a line. `has_begun` tells whether a line of a stream was begun, so that
/// this may be a later part of it. `None` where nothing known stands there.
pub(in super::super) fn take_off<'a>(
    line: &'a [u8],
    has_begun: impl Fn(Envelope, &[u8]) -> bool,
) -> Option<(Envelope, Inner<'a>)> {
    let first = *line.first()?;
    if first.is_ascii_digit()
        && let Some(space) = memchr::memchr(b' ', &line[..line.len().min(40)])
        && is_time(&line[..space])
        && let Some(part) = container::cri(&line[space + 1..])
    {
        let inner = Inner::Part { stream: part.stream, text: part.text, is_last: Some(part.is_last) };
        return Some((Envelope::Cri, inner));
    }
    if !(first.is_ascii_alphanumeric() || matches!(first, b'[' | b'<')) {
        return None;
    }
    if let Some(text) = printed_by_fluent_bit(line) {
        return Some((Envelope::FluentBit, Inner::Line(text)));
    }
    if let Some(start) = beginning(line) {
        let (before, text) = line.split_at(start);
        if let Some(printed) = printed_by_journald(before).filter(|printed| printed.length == start) {
            return Some((Envelope::Journald, journald::printed(printed.stream, text)));
        }
        return kind(before).map(|envelope| (envelope, Inner::Line(text)));
    }
    let printed = printed_by_journald(line)?;
    has_begun(Envelope::Journald, printed.stream)
        .then(|| (Envelope::Journald, journald::printed(printed.stream, &line[printed.length..])))
}

/// Where the JSON of a line begins, or the text of a controller.
fn beginning(line: &[u8]) -> Option<usize> {
    let object = memchr::memmem::find(&line[..line.len().min(LONGEST_PREFIX)], b"{\"");
    object.into_iter().chain(find_text(line)).min()
}

/// What stands before the JSON or text on a line.
fn kind(before: &[u8]) -> Option<Envelope> {
    if before.first() == Some(&b'<') {
        return is_syslog(before).then_some(Envelope::Syslog);
    }
    let before = before.strip_suffix(b" ")?;
    if let Some(inside) = before.strip_prefix(b"[") {
        let names = inside.strip_suffix(b"]")?;
        let is_name = names.contains(&b'/') && names.iter().all(|byte| is_of_name(*byte) || *byte == b'/');
        return is_name.then_some(Envelope::PodName);
    }
    let mut words = before.split(|byte| *byte == b' ');
    let first = words.next()?;
    let rest = words.clone().count();
    if is_time(first) {
        let second = words.next();
        return match second {
            None => Some(Envelope::CloudWatch),
            // Labels may hold spaces.
            Some(labels) if labels.starts_with(b"{") => before.ends_with(b"}").then_some(Envelope::Loki),
            Some(stream) if rest == 1 && is_name(stream) => Some(Envelope::CloudWatch),
            Some(_) => None,
        };
    }
    match (is_name(first), words.next()) {
        (true, None) => Some(Envelope::NodeName),
        (true, Some(container)) if rest == 1 && is_name(container) => Some(Envelope::PodName),
        _ => None,
    }
}

/// `[0] tag: [[1717692686.0, {}], {"log"=>"{…}"}]`: strings stand between quotes as they are (msgpack-c, objectc.c,
/// `msgpack_object_print_buffer`).
fn printed_by_fluent_bit(line: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8] = b"=>\"{\"";
    let number = line.strip_prefix(b"[")?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if number == 0 || !line[1 + number..].starts_with(b"] ") {
        return None;
    }
    let start = memchr::memmem::find(&line[..line.len().min(LONGEST_PREFIX)], BEFORE)? + BEFORE.len() - 2;
    let mut cursor = Cursor::new(&line[start..]);
    cursor.skip_value()?;
    Some(&line[start..start + cursor.at])
}

/// What journald prints before a text.
struct Printed<'a> {
    /// The host and the process, which tell one stream from another.
    stream: &'a [u8],
    /// Where the text begins.
    length: usize,
}

/// `Jun 06 16:51:26 host tag[12]: ` or the same with a time in ISO 8601.
fn printed_by_journald(line: &[u8]) -> Option<Printed<'_>> {
    let head = &line[..line.len().min(LONGEST_PREFIX)];
    let end = memchr::memmem::find(head, b": ")?;
    let head = &head[..end];
    let mut words = head.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).rev();
    let (tag, host) = (words.next()?, words.next()?);
    let name = tag.strip_suffix(b"]").and_then(|tag| tag.split(|byte| *byte == b'[').next()).unwrap_or(tag);
    let is_moment = match (words.next()?, words.next(), words.next()) {
        (time, None, None) => is_time(time),
        (clock, Some(day), Some(month)) => {
            let is_day = day.len() <= 2 && day.iter().all(u8::is_ascii_digit);
            is_clock(clock) && is_day && MONTHS.contains(&month)
        }
        _ => false,
    };
    let known = is_moment && words.next().is_none() && is_name(host) && is_name(name);
    let stream = &head[end - tag.len() - 1 - host.len()..];
    known.then_some(Printed { stream, length: end + 2 })
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `<134>` and a header.
fn is_syslog(before: &[u8]) -> bool {
    let digits = before[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=3).contains(&digits) && before.get(digits + 1) == Some(&b'>') && before.ends_with(b" ")
}

/// A time in ISO 8601 with whatever fraction and zone.
fn is_time(word: &[u8]) -> bool {
    let shape = b"0000-00-00T00:00:00";
    word.len() >= shape.len()
        && word.iter().zip(shape).all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            b'T' => *byte == b'T',
            other => byte == other,
        })
        && word[shape.len()..]
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'Z' | b'+' | b'-' | b':'))
}

/// `16:51:26`, with or without a fraction.
fn is_clock(word: &[u8]) -> bool {
    let shape = b"00:00:00";
    word.len() >= shape.len()
        && word
            .iter()
            .zip(shape)
            .all(|(byte, like)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like })
        && word[shape.len()..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// The name of a host, a pod, a process or a stream.
fn is_name(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| is_of_name(*byte))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Option<(Envelope, String, Option<bool>)> {
        let (envelope, inner) = take_off(line.as_bytes(), |_, _| false)?;
        let (text, is_last) = match inner {
            Inner::Line(text) => (text, None),
            Inner::Part { text, is_last, .. } => (text, is_last),
            other => panic!("{other:?}"),
        };
        Some((envelope, String::from_utf8_lossy(text).into_owned(), is_last))
    }

    #[test]
    fn each_shape_is_told() {
        use Envelope::*;
        let object = r#"{"kind":"Event"}"#;
        for (before, envelope) in [
            ("2016-10-06T00:17:09.669794202Z stdout F ", Cri),
            ("2016-10-06T00:17:09.669794202+02:00 stderr F:TAG ", Cri),
            ("Jun 06 16:51:26 host k3s[1234]: ", Journald),
            ("Jun  6 16:51:26.123456 host kube-apiserver: ", Journald),
            ("2026-06-06T16:51:26+0000 host k3s[1234]: ", Journald),
            ("<134>1 2024-01-01T00:00:00.000Z host app 12 - - ", Syslog),
            ("<13>Jun  6 16:51:26 host app: ", Syslog),
            ("2024-01-01T00:00:00.000Z ", CloudWatch),
            ("2024-01-01T00:00:00.000000+00:00 kube-apiserver-audit-0a1b2c ", CloudWatch),
            ("2024-06-06T16:51:26Z {job=\"audit\", node=\"a b\"} ", Loki),
            ("[pod/kube-apiserver-cp1/kube-apiserver] ", PodName),
            ("kube-apiserver-cp1 kube-apiserver ", PodName),
            ("ip-10-0-1-2.ec2.internal ", NodeName),
        ] {
            let found = taken(&format!("{before}{object}"));
            let (found, text, _) = found.unwrap_or_else(|| panic!("{before}"));
            assert_eq!((found, text.as_str()), (envelope, object), "{before}");
        }
        let printed = taken("[0] kube.audit: [[1717692686.0, {}], {\"log\"=>\"{\"a\":1}\", \"b\"=>\"\"}]");
        assert_eq!(printed, Some((FluentBit, "{\"a\":1}".to_owned(), None)));
        let partial = taken("2016-10-06T00:17:09.669794202Z stdout P:x {\"kind\":\"Ev");
        assert_eq!(partial, Some((Cri, "{\"kind\":\"Ev".to_owned(), Some(false))));
        let split = format!("Jun 06 16:51:26 host k3s[1]: {{\"{}", "a".repeat(journald::LINE_MAX - 2));
        assert_eq!(taken(&split).and_then(|taken| taken.2), Some(false));
    }

    #[test]
    fn a_later_part_is_known_by_its_stream() {
        let line = b"Jun 06 16:51:27 host k3s[1]: rest of it\"}";
        let begun = |envelope, stream: &[u8]| envelope == Envelope::Journald && stream == b"host k3s[1]";
        let found = take_off(line, begun).map(|(_, inner)| inner);
        assert!(matches!(found, Some(Inner::Part { text: b"rest of it\"}", is_last: Some(true), .. })));
        assert_eq!(take_off(line, |_, _| false), None);
    }

    #[test]
    fn other_text_is_left_alone() {
        for line in [
            "",
            "{\"kind\":\"Event\"}",
            "I1120 10:00:00.000000 1 log.go:52] {\"a\": text",
            "resource\"},{\"kind\":\"Event\"}",
            "2018-03-21T21:47:07.603214Z AUDIT: id=\"1\"",
            "2016-10-06T00:17:09Z stdlog F {\"a\":1}",
            "[{\"kind\":\"Event\"}]",
            "[0] kube.audit: [[1717692686.0, {}], {\"log\"=>\"{\"a\":",
            "failed: a b c {\"kind\":1}",
            "plain text",
        ] {
            assert_eq!(taken(line), None, "{line}");
        }
    }
}

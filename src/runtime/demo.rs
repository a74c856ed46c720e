//! The log inside the binary: a recorded incident, its times spread over the hour that ends now, so that a newcomer
//! sees the program work with no cluster at all.

use std::io::Read;

use crate::model::{Micros, SECOND, format_rfc3339, parse_rfc3339};

/// Recorded from a real kube-apiserver (RequestResponse level), trimmed; gzip.
const RECORDED: &[u8] = include_bytes!("../../assets/demo.jsonl.gz");

/// How long the demo is made to last.
const LENGTH: Micros = 3600 * SECOND;

/// The demo's lines, the last of which happened at `now`.
pub(super) fn log(now: Micros) -> Vec<u8> {
    let mut recorded = String::new();
    // A file made by the build cannot be broken; were it, the demo would be empty and say so.
    let _ = flate2::read::GzDecoder::new(RECORDED).read_to_string(&mut recorded);
    retimed(&recorded, now).into_bytes()
}

const TIME_KEYS: [&str; 2] = ["\"requestReceivedTimestamp\":\"", "\"stageTimestamp\":\""];

/// Moves and stretches the times of all lines so that they span [`LENGTH`] and end at `now`. The time from a
/// request's arrival to its stage stays as it was.
fn retimed(recorded: &str, now: Micros) -> String {
    let stage_times: Vec<Micros> = recorded.lines().filter_map(|line| time_after(line, TIME_KEYS[1])).collect();
    let first = stage_times.iter().min().copied().unwrap_or(0);
    let span = (stage_times.iter().max().copied().unwrap_or(0) - first).max(1);
    let place = |time: Micros| {
        now - LENGTH + (i128::from(time - first) * i128::from(LENGTH) / i128::from(span)) as Micros
    };
    let mut out = String::with_capacity(recorded.len());
    for line in recorded.lines() {
        let received = time_after(line, TIME_KEYS[0]);
        let stage = time_after(line, TIME_KEYS[1]);
        // A request moves as a whole, by where it arrived.
        let arrived = received.or(stage).map(place);
        let mut line = line.to_owned();
        for (key, time) in TIME_KEYS.into_iter().zip([received, stage]) {
            let (Some(time), Some(from), Some(arrived)) = (time, received.or(stage), arrived) else { continue };
            line = replaced_after(&line, key, &format_rfc3339((arrived + (time - from)).min(now)));
        }
        out += &line;
        out.push('\n');
    }
    out
}

/// The last occurrence: bodies come before the event's own times and may hold such keys too.
fn time_after(line: &str, key: &str) -> Option<Micros> {
    let start = line.rfind(key)? + key.len();
    let text = line.get(start..)?.split('"').next()?;
    parse_rfc3339(text.as_bytes())
}

fn replaced_after(line: &str, key: &str, time: &str) -> String {
    let Some(start) = line.rfind(key).map(|at| at + key.len()) else { return line.to_owned() };
    let end = line[start..].find('"').map_or(line.len(), |length| start + length);
    format!("{}{time}{}", &line[..start], &line[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_spans_the_last_hour() {
        let now = parse_rfc3339(b"2026-01-02T03:00:00Z").unwrap();
        let text = String::from_utf8(log(now)).unwrap();
        let times: Vec<Micros> = text.lines().filter_map(crate_time).collect();
        assert!(times.len() > 500, "{}", times.len());
        assert!(times.iter().all(|t| *t <= now && *t >= now - 2 * LENGTH));
        assert!(*times.iter().max().unwrap() > now - 60 * SECOND);
        assert!(*times.iter().min().unwrap() < now - LENGTH + 60 * SECOND);
        assert!(text.contains("novelapp"), "the story is in it");
    }

    fn crate_time(line: &str) -> Option<Micros> {
        crate::format::time_of_line(line.as_bytes())
    }
}

//! Grafana Loki's answers: `query_range` and `query` (`{"data":{"resultType":"streams","result":[{"stream":{…},
//! "values":[["<ns>","line",{…}]]}]}}`) and `tail` (`{"streams":[{"stream":{…},"values":[…]}]}`); see "Loki HTTP API",
//! and loghttp in grafana/loki, pkg/loghttp. The lines of `logcli -o jsonl` are [`super::field`]'s.

use super::super::members::{Members, elements, member, string};
use super::{Envelope, Inner, Take, hand_on_cut};

/// Hands on the lines of the answer whose member `data` or `streams` `members` stands at.
pub(super) fn open(members: &mut Members<'_>, take: &mut Take<'_>) -> Option<usize> {
    let found = if members.at_array() {
        streams(members, take)
    } else {
        let mut data = Members::of(members.rest());
        while data.next_key()? != b"result" || !data.at_array() {}
        streams(&mut data, take)
    };
    found.then(|| members.end())
}

fn streams(streams: &mut Members<'_>, take: &mut Take<'_>) -> bool {
    let mut found = false;
    let read = streams.elements(|stream| {
        let values = member(stream, b"values").unwrap_or_default();
        found |= lines(values, take);
    });
    if let Err(cut) = read {
        // Most answers have one stream: the lines before the cut are in it.
        let mut stream = Members::of(cut);
        while let Some(key) = stream.next_key() {
            if key == b"values" && stream.at_array() {
                return lines(stream.rest(), take) || found;
            }
        }
    }
    hand_on_cut(Envelope::Loki, read, found, take);
    found
}

/// Hands on the lines of entries: `["<ns>","line",{…}]`, the third being what was found out about the line.
fn lines(values: &[u8], take: &mut Take<'_>) -> bool {
    let mut found = false;
    let read = elements(values, |entry| {
        let mut at = 0;
        // An entry is whole, since the array of entries was stepped over.
        let _ = elements(entry, |part| {
            at += 1;
            if at == 2
                && let Some(line) = string(part)
            {
                found = true;
                take(Envelope::Loki, Inner::Message(&line));
            }
        });
    });
    hand_on_cut(Envelope::Loki, read, found, take);
    found
}

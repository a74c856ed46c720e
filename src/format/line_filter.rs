//! Which lines may hold what is asked for, told by a search for a few literals before anything is parsed.
//!
//! `query` derives a [`LineFilter`] from a filter's expression, and `ingest` reads history through it: most questions
//! are about few lines, and finding those costs a tenth of reading them all. A line that is no candidate is passed
//! over only when it begins and ends as a kube-apiserver writes events; everything else, whether cut, wrapped or
//! in an envelope, goes to the [`super::Reader`] as ever.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};
use memchr::{memchr, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use super::kube::TAIL;
use crate::model::{Micros, parse_rfc3339};

/// How an event of any version begins, as encoding/json writes it.
const BEGINNING: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;

/// `2026-01-14T03:00:00.000000Z`: metav1.MicroTime always writes UTC with six decimals.
const STAMP: usize = 27;

/// Annotations that hold JSON of their own, such as those of admission webhooks, are looked through for the beginning
/// of the line's tail this far from its end.
const LONGEST_TAIL: usize = 64 << 10;

/// A vectorised search takes this many literals, and each way to write one in capitals and small letters is another.
const SEARCHED_AT_ONCE: usize = 64;

/// Literals are searched for by their last bytes, this many at most: the first of a long name (`system:serviceaccount:`)
/// stand in nearly every line.
const SEARCHED_BYTES: usize = 16;

static FIND_TAIL: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(TAIL));
static FIND_ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u00"));

/// A text that must stand in a line.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Literal {
    /// Letters that pass [`Literal::is_plain`], and the closing quote where they end a string.
    pub text: String,
    /// Capitals and small letters are the same.
    pub any_case: bool,
    /// It may stand there percent-encoded.
    pub percent_encoded: bool,
}

impl Literal {
    /// Whether a byte stands in a line as itself or, where a writer is odd, as an escape that [`LineFilter`] knows.
    pub fn is_plain(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'@' | b'-')
    }

    fn pattern(&self, text: &str) -> String {
        let text = regex::escape(text);
        if self.any_case { format!("(?i-u:{text})") } else { format!("(?-u:{text})") }
    }

    /// The end of the text, with as many letters as a search for `count` literals at once can take.
    fn searched(&self, count: usize) -> &str {
        let most_letters = match (SEARCHED_AT_ONCE / count.max(1)).checked_ilog2() {
            Some(letters) if self.any_case => letters as usize,
            _ => usize::MAX,
        };
        let mut letters = 0;
        let longest = self.text.bytes().rev().take(SEARCHED_BYTES).take_while(|byte| {
            letters += usize::from(byte.is_ascii_alphabetic());
            letters <= most_letters
        });
        // Plain letters are ASCII.
        self.text.get(self.text.len() - longest.count()..).filter(|end| !end.is_empty()).unwrap_or(&self.text)
    }
}

/// A condition on lines: of each group of literals, at least one occurs.
#[derive(Clone, Debug)]
pub struct LineFilter {
    /// Finds every line that meets the first group, and some others.
    search: Regex,
    /// One for each group, the one that is probably the rarest first.
    groups: Vec<Regex>,
    percent_encoded: bool,
}

impl LineFilter {
    /// The condition that of each of these groups one literal occurs. `None` where that would let every line pass.
    pub fn new(groups: &[Vec<Literal>]) -> Option<LineFilter> {
        let shortest =
            |group: &&Vec<Literal>| group.iter().map(|literal| literal.text.len()).min().unwrap_or(0);
        let mut sorted: Vec<&Vec<Literal>> = groups.iter().filter(|group| shortest(group) > 0).collect();
        // Length is the best guess at how rare a word is.
        sorted.sort_by_key(|group| std::cmp::Reverse(shortest(group)));
        let first = sorted.first()?;
        // A group too large to be compiled is one condition less: more lines are read.
        let search = compile(first, |literal| literal.searched(first.len()))?;
        let groups = sorted.iter().filter_map(|group| compile(group, |literal| &literal.text)).collect();
        let percent_encoded = sorted.iter().copied().flatten().any(|literal| literal.percent_encoded);
        Some(LineFilter { search, groups, percent_encoded })
    }

    /// Looks for candidates among the lines of `text`, which are asked for from first to last.
    pub(super) fn search<'a>(&'a self, text: &'a [u8]) -> Search<'a> {
        Search { filter: self, text, literal: Next::Unknown, escape: Next::Unknown, percent: Next::Unknown }
    }
}

fn compile(group: &[Literal], text: impl Fn(&Literal) -> &str) -> Option<Regex> {
    let any: Vec<String> = group.iter().map(|literal| literal.pattern(text(literal))).collect();
    RegexBuilder::new(&any.join("|")).unicode(false).build().ok()
}

/// The search for candidates in a stretch of text: over all lines at once, since hits are rare.
pub(super) struct Search<'a> {
    filter: &'a LineFilter,
    text: &'a [u8],
    literal: Next,
    escape: Next,
    percent: Next,
}

/// Where the next hit begins.
#[derive(Clone, Copy)]
enum Next {
    Unknown,
    At(usize),
    Nowhere,
}

impl Next {
    /// The first hit within `line`, if any; `find` looks for the first one from a place on.
    fn within(&mut self, line: &Range<usize>, find: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        if matches!(self, Next::Unknown) || matches!(self, Next::At(at) if *at < line.start) {
            *self = find(line.start).map_or(Next::Nowhere, Next::At);
        }
        match self {
            Next::At(at) if *at < line.end => Some(*at),
            _ => None,
        }
    }
}

impl Search<'_> {
    /// Whether this line, which lies behind those asked about before, may hold what is asked for.
    pub(super) fn is_candidate(&mut self, line: &Range<usize>) -> bool {
        self.holds_literals(line) || self.holds_escape(line) || self.holds_percent_escape(line)
    }

    fn holds_literals(&mut self, line: &Range<usize>) -> bool {
        let (filter, text) = (self.filter, self.text);
        self.literal.within(line, |from| filter.search.find_at(text, from).map(|hit| hit.start())).is_some()
            && filter.groups.iter().all(|group| group.is_match(&text[line.clone()]))
    }

    /// Whether a plain letter is written as `\u00..`, so that a literal may stand there unseen. `\u0026` and the like
    /// are in every other line and hide none.
    fn holds_escape(&mut self, line: &Range<usize>) -> bool {
        let text = self.text;
        let first = self
            .escape
            .within(line, |from| text.get(from..).and_then(|t| FIND_ESCAPE.find(t)).map(|at| from + at));
        first.is_some_and(|first| {
            let rest = &text[first..line.end];
            FIND_ESCAPE.find_iter(rest).any(|at| is_plain_in_hex(&rest[at + FIND_ESCAPE.needle().len()..]))
        })
    }

    fn holds_percent_escape(&mut self, line: &Range<usize>) -> bool {
        if !self.filter.percent_encoded {
            return false;
        }
        let text = self.text;
        let first = self
            .percent
            .within(line, |from| text.get(from..).and_then(|t| memchr(b'%', t)).map(|at| from + at));
        first.is_some_and(|first| {
            let rest = &text[first..line.end];
            memchr::memchr_iter(b'%', rest).any(|at| is_plain_in_hex(&rest[at + 1..]))
        })
    }
}

/// Whether a text begins with the two hexadecimal digits of a plain letter.
fn is_plain_in_hex(text: &[u8]) -> bool {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let byte = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
    byte.is_some_and(Literal::is_plain)
}

/// The stage time of a line that begins and ends as a kube-apiserver writes events, so that it can be passed over
/// unread: whatever stands between, no event goes on behind it.
pub(super) fn time_of_whole_event(line: &[u8]) -> Option<Micros> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.starts_with(BEGINNING) {
        return None;
    }
    let times = match line.strip_suffix(b"\"}}") {
        Some(inside) => before_annotations(inside)?,
        None => line.strip_suffix(b"}")?,
    };
    let (rest, stage_time) = times.strip_suffix(b"\"")?.split_last_chunk::<STAMP>()?;
    let (rest, _) = rest.strip_suffix(br#"","stageTimestamp":""#)?.split_last_chunk::<STAMP>()?;
    rest.ends_with(TAIL).then(|| parse_rfc3339(stage_time)).flatten()
}

/// The part of a line before its annotations, which lack their closing brace here.
fn before_annotations(line: &[u8]) -> Option<&[u8]> {
    const ANNOTATIONS: &[u8] = br#","annotations":"#;
    if let Some(before) = memrchr(b'{', line).and_then(|open| line[..open].strip_suffix(ANNOTATIONS)) {
        return Some(before);
    }
    // The last brace opens JSON in an annotation. There its quotes are escaped, so that this is not found in it.
    let looked_at = line.len().saturating_sub(LONGEST_TAIL);
    let stamps = looked_at + FIND_TAIL.rfind(&line[looked_at..])? + TAIL.len();
    let length = STAMP + br#"","stageTimestamp":""#.len() + STAMP + 1;
    let (before, behind) = line.split_at_checked(stamps + length)?;
    behind.strip_prefix(ANNOTATIONS)?.starts_with(b"{\"").then_some(before)
}

#[cfg(test)]
mod tests {
    use super::super::{Marks, Reader, Sink, Unreadable};
    use super::*;
    use crate::model::Event;

    const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","verb":"Patch","requestReceivedTimestamp":"2026-01-14T03:00:00.000000Z","stageTimestamp":"2026-01-14T03:00:00.000001Z""#;

    fn literal(text: &str) -> Literal {
        let any_case = !text.contains(char::is_uppercase);
        Literal { text: text.to_owned(), any_case, percent_encoded: false }
    }

    fn candidates(filter: &LineFilter, lines: &[&str]) -> Vec<bool> {
        let text = lines.join("\n");
        let mut search = filter.search(text.as_bytes());
        let mut start = 0;
        lines
            .iter()
            .map(|line| {
                let range = start..start + line.len();
                start = range.end + 1;
                search.is_candidate(&range)
            })
            .collect()
    }

    #[test]
    fn every_group_must_be_met_in_one_line() {
        let filter =
            LineFilter::new(&[vec![literal("patch"), literal("update")], vec![literal("alice")]]).unwrap();
        let lines = [
            "",
            "alice gets",
            "alice UPDATES",
            "Alice Patches",
            "bob patches",
            "alice",
            "patch",
            "alicepatch",
        ];
        assert_eq!(candidates(&filter, &lines), [false, false, true, true, false, false, false, true]);
        assert!(LineFilter::new(&[]).is_none() && LineFilter::new(&[vec![]]).is_none());
        let exact = LineFilter::new(&[vec![literal("Alice")]]).unwrap();
        assert_eq!(candidates(&exact, &["alice", "Alice"]), [false, true]);
    }

    #[test]
    fn long_names_are_found_and_dots_are_dots() {
        let name = "system:serviceaccount:argo.cd:argocd-server";
        let filter = LineFilter::new(&[vec![literal(name)]]).unwrap();
        let other = name.replace('.', "x").replace("argocd-server", "argocd.server");
        assert_eq!(candidates(&filter, &[name, &other]), [true, false]);
    }

    #[test]
    fn however_many_values_each_is_found_in_any_case() {
        let words =
            ["create\"", "update\"", "deletecollection\"", "patch\"", "system:node:w-1", "12345", "e"];
        for count in [1, 2, 4, 7, 100] {
            let group: Vec<Literal> = words.iter().cycle().take(count).map(|word| literal(word)).collect();
            let filter = LineFilter::new(&[group]).unwrap();
            for word in &words[..count.min(words.len())] {
                let (upper, cut) = (word.to_uppercase(), &word[1..]);
                let lines = [*word, &upper, "", cut, "x y z"];
                let found = candidates(&filter, &lines);
                assert_eq!(
                    found,
                    [true, true, false, cut.contains('e') && count >= 7, false],
                    "{word} of {count}"
                );
            }
        }
    }

    #[test]
    fn an_escaped_letter_may_hide_a_literal_and_an_escaped_sign_does_not() {
        let filter = LineFilter::new(&[vec![literal("patch")]]).unwrap();
        let lines = [r"p\u0061tch", r"a\u0026b\u003c", r"\u0026 \u0041", r"%61", r"\u00", r"\u004"];
        assert_eq!(candidates(&filter, &lines), [true, false, true, false, false, false]);
        let encoded = Literal { percent_encoded: true, ..literal("patch") };
        let filter = LineFilter::new(&[vec![encoded]]).unwrap();
        assert_eq!(candidates(&filter, &["%3D%2C", "a%3D%70", "%", "%6"]), [false, true, false, false]);
    }

    #[test]
    fn only_what_is_surely_whole_is_passed_over() {
        let time = parse_rfc3339(b"2026-01-14T03:00:00.000001Z");
        for end in [
            r#"}"#,
            "}\r",
            r#","annotations":{"a":"b"}}"#,
            r#","annotations":{"a":"{\"b\":{\"c\":\"d\"}}","e":"}"}}"#,
        ] {
            assert_eq!(time_of_whole_event(format!("{EVENT}{end}").as_bytes()), time, "{end}");
        }
        let long = format!(r#"{EVENT},"annotations":{{"a":"{}{{"}}}}"#, "b".repeat(LONGEST_TAIL));
        let whole = format!("{EVENT}}}");
        for line in [
            EVENT,
            &long,
            &whole[1..],
            &format!("{whole},"),
            &format!(r#"{EVENT},"annotations":{{"a":"b"}}"#),
            &format!(r#"{EVENT},"annotations":{{"a":"b","c":"\"}}}}"#).replace("\"}}", "\"}"),
            &whole.replace("000001Z", "00000xZ"),
            &whole.replace("stageTimestamp", "stagetimestamp"),
            &whole.replace("requestReceivedTimestamp", "received"),
            &whole.replace("\"kind\":", "\"kind\" :"),
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseObject":{"a":{"b":"c"}}"#,
        ] {
            assert_eq!(time_of_whole_event(line.as_bytes()), None, "{line:.300}");
        }
    }

    /// The auditIDs of events, how many stretches were unreadable, and the times of events that were passed over.
    #[derive(Default, PartialEq, Debug)]
    struct Heard(Vec<String>, usize, Vec<Micros>);

    impl Sink for Heard {
        fn event(&mut self, event: &Event<'_>, _: &[u8], _: Marks) {
            self.0.push(event.audit_id.to_string());
        }
        fn unreadable(&mut self, _: Unreadable, _: &[u8]) {
            self.1 += 1;
        }
        fn passed_over(&mut self, stage_time: Micros) {
            self.2.push(stage_time);
        }
    }

    fn heard(text: &str) -> (Heard, u64) {
        let filter = LineFilter::new(&[vec![literal("delete")]]).unwrap();
        let (mut reader, mut heard) = (Reader::new(), Heard::default());
        let lines = reader.read_candidates(text.as_bytes(), &filter, &mut heard);
        reader.finish(&mut heard);
        (heard, lines)
    }

    #[test]
    fn whole_events_are_passed_over_and_nothing_else() {
        let time = parse_rfc3339(b"2026-01-14T03:00:00.000001Z").unwrap();
        let other = EVENT.replace("Patch", "delete").replace("\"1\"", "\"2\"");
        let text = format!(
            "{EVENT}}}\n\n{other}}}\nplain text\r\n{{\"auditID\":\"3\",\n\"stage\":\"Panic\"}}\n{EVENT}}}"
        );
        let (heard, lines) = heard(&text);
        assert_eq!(heard, Heard(vec!["2".into(), "3".into()], 1, vec![time, time]));
        assert_eq!(lines, 6);
    }

    #[test]
    fn an_event_that_was_cut_does_not_go_on_behind_a_whole_one() {
        let cut =
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"cut","stage":"Panic","user":{}"#;
        let (heard, _) = heard(&format!("{cut}\n{EVENT}}}\n,\"verb\":\"delete\"}}\n"));
        assert_eq!(heard, Heard(vec!["1".into()], 2, vec![]));
    }
}

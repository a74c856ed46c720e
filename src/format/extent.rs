//! Finds where a JSON value ends, or where it turns out to be broken, feeding on one line at a time.
//!
//! [`super::Reader`] uses it for everything that is not one whole event a line. It checks the grammar of JSON
//! (strings, brackets, commas, colons), because in a log the place where a cut line meets the next one is known
//! only by what can not follow there. It does not recurse and looks at every byte once.
//!
//! When a value breaks, every container open at that point is broken too: starting again inside of it would fail at
//! the same byte. So what a broken value may have swallowed are only the objects completed inside it, which are
//! remembered, and what begins at the break. That makes recovery linear.

use std::ops::Range;

use memchr::memchr2;

use super::cursor::is_scalar;

/// Deeper than Go's JSON decoder goes (10,000), so no API server has ever taken such a body in.
const MAX_DEPTH: usize = 10_000;

/// The least text that an audit event needs.
const SHORTEST_EVENT: usize = br#"{"auditID":"","stage":""}"#.len();

/// What [`Extent::feed`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The value ends before this offset.
    End(usize),
    /// The value is broken; the next one cannot begin before this offset.
    Broken(usize),
    /// The text ends before the value does.
    More,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// A container that is not closed yet.
struct Open {
    start: usize,
    line_start: usize,
    is_object: bool,
    /// Whether only spaces precede it on its line.
    leads_line: bool,
    /// How many swallowed objects were known when it was opened.
    swallowed: usize,
}

/// The state of reading one value. Offsets are into the text given to [`Self::feed`], which may grow between calls.
pub(super) struct Extent {
    at: usize,
    expect: Expect,
    open: Vec<Open>,
    swallowed: Vec<Range<usize>>,
    line_start: usize,
    leads_line: bool,
    /// Where the last token ended; for a string, where its closing quote stands.
    last_token: usize,
}

impl Extent {
    /// Reads the value that begins at `start`, the place of a brace or a bracket.
    pub(super) fn new(start: usize) -> Self {
        Self {
            at: start,
            expect: Expect::Value,
            open: Vec::new(),
            swallowed: Vec::new(),
            line_start: start,
            leads_line: true,
            last_token: start,
        }
    }

    /// Complete objects inside a broken or unfinished value that may be events of their own: outermost ones only, that
    /// fill their lines or end where the value breaks or the text ends. In order and disjoint.
    ///
    /// A body in the middle of a cut event is none: a client chooses what is in it, and could write history otherwise.
    pub(super) fn swallowed<'s>(&'s self, text: &'s [u8]) -> impl Iterator<Item = Range<usize>> + 's {
        let end = self.last_token;
        self.swallowed.iter().filter(move |range| range.end == end || ends_line(&text[range.end..])).cloned()
    }

    /// How far the text was looked at.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes on through `text`, which ends at the end of a line.
    pub(super) fn feed(&mut self, text: &[u8]) -> Found {
        while let Some(&byte) = text.get(self.at) {
            match (self.expect, byte) {
                (_, b'\n') => {
                    self.at += 1;
                    self.line_start = self.at;
                    self.leads_line = true;
                    continue;
                }
                (_, b' ' | b'\t' | b'\r') => {
                    self.at += 1;
                    continue;
                }
                (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                    if self.open.len() == MAX_DEPTH {
                        return Found::Broken(self.at.max(1));
                    }
                    self.enter(byte == b'{');
                }
                (Expect::Value | Expect::ValueOrEnd, b'"') => {
                    if !self.string(text) {
                        return self.broken(text);
                    }
                    self.expect = Expect::CommaOrEnd;
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    if !self.string(text) {
                        return self.broken(text);
                    }
                    self.expect = Expect::Colon;
                }
                (Expect::Colon, b':') => self.step(Expect::Value),
                (Expect::CommaOrEnd, b',') => {
                    let in_object = self.open.last().is_some_and(|open| open.is_object);
                    self.step(if in_object { Expect::Key } else { Expect::Value });
                }
                (Expect::CommaOrEnd | Expect::KeyOrEnd | Expect::ValueOrEnd, b'}' | b']')
                    if self.open.last().is_some_and(|open| open.is_object == (byte == b'}')) =>
                {
                    self.leave();
                    if self.open.is_empty() {
                        return Found::End(self.at);
                    }
                }
                (Expect::Value | Expect::ValueOrEnd, _) if is_scalar(byte) => {
                    let length = text[self.at..].iter().take_while(|b| is_scalar(**b)).count();
                    self.at += length;
                    self.last_token = self.at;
                    self.expect = Expect::CommaOrEnd;
                }
                _ => return self.broken(text),
            }
            self.leads_line = false;
        }
        Found::More
    }

    fn step(&mut self, expect: Expect) {
        self.at += 1;
        self.last_token = self.at;
        self.expect = expect;
    }

    fn enter(&mut self, is_object: bool) {
        self.open.push(Open {
            start: self.at,
            line_start: self.line_start,
            is_object,
            leads_line: self.leads_line,
            swallowed: self.swallowed.len(),
        });
        self.step(if is_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd });
    }

    fn leave(&mut self) {
        self.step(Expect::CommaOrEnd);
        let Some(closed) = self.open.pop() else { return };
        self.swallowed.truncate(closed.swallowed);
        // An event is either spread over lines of its own, or joined to the cut text on one line.
        let placed = closed.leads_line || closed.line_start == self.line_start;
        if closed.is_object && placed && self.at - closed.start >= SHORTEST_EVENT {
            self.swallowed.push(closed.start..self.at);
        }
    }

    /// Steps over a string; false when its line ends before it does.
    fn string(&mut self, text: &[u8]) -> bool {
        let mut at = self.at + 1;
        while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            at += found;
            if text[at] == b'"' {
                self.last_token = at;
                self.at = at + 1;
                return true;
            }
            at += 2;
        }
        self.at = text.len();
        self.last_token = self.at;
        false
    }

    /// The quote of a key may have closed a string that was cut: `"use{"kind":…` breaks at `kind`, and the value that
    /// begins there begins two bytes before.
    fn broken(&self, text: &[u8]) -> Found {
        let token = self.last_token.min(text.len());
        let brace =
            text[..token].iter().rposition(|b| !matches!(b, b' ' | b'\t')).filter(|i| text[*i] == b'{');
        Found::Broken(brace.unwrap_or(token).max(self.open.first().map_or(0, |open| open.start) + 1))
    }
}

/// Whether nothing but a comma and spaces stand before the end of the line.
pub(super) fn ends_line(rest: &[u8]) -> bool {
    let blank = |rest: &[u8]| rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    let rest = &rest[blank(rest)..];
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    matches!(rest.get(blank(rest)), None | Some(b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Found {
        Extent::new(0).feed(text.as_bytes())
    }

    #[test]
    fn finds_the_end() {
        for text in [
            r#"{}"#,
            r#"{"a":[1,{"b":null}],"c":"}\"{"}"#,
            "{\n \"a\" : -1.5e+3 ,\n \"b\": [ ]\n}",
            r#"{"a":"\\"}"#,
        ] {
            assert_eq!(whole(&format!("{text} tail")), Found::End(text.len()), "{text}");
        }
    }

    #[test]
    fn breaks_where_another_value_begins() {
        let next = r#"{"kind":"Event"}"#;
        for cut in
            [r#"{"a":"xy"#, r#"{"a"#, r#"{"a":12"#, r#"{"a":1,"#, r#"{"a":{}"#, r#"{"a":tru"#, r#"{"a":"x\"#]
        {
            let Found::Broken(at) = whole(&format!("{cut}{next}")) else { panic!("{cut} is broken") };
            assert!(at > 0 && at <= cut.len() && !cut[at..].contains('{'), "{cut}: {at}");
        }
        for wrong in [r#"{"a" "b"}"#, r#"{"a":1]"#, r#"{,}"#, r#"{"a":1,}"#] {
            assert!(matches!(whole(wrong), Found::Broken(at) if at > 0), "{wrong}");
        }
    }

    #[test]
    fn remembers_what_a_cut_value_swallowed() {
        let event = r#"{"auditID":"1","stage":"Panic"}"#;
        let joined = format!("{{\"a\":{event}\n");
        let mut extent = Extent::new(0);
        assert_eq!(extent.feed(joined.as_bytes()), Found::More);
        assert!(extent.swallowed(joined.as_bytes()).eq(std::iter::once(5..5 + event.len())));

        let body = format!("{{\"requestObject\":{event},\"x\":\n");
        let mut extent = Extent::new(0);
        assert_eq!(extent.feed(body.as_bytes()), Found::More);
        assert_eq!(extent.swallowed(body.as_bytes()).count(), 0, "a body is no event");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(MAX_DEPTH + 5);
        assert_eq!(whole(&deep), Found::Broken(MAX_DEPTH));
    }
}

//! Tests of a record's original text: what no column holds. Whole lines with their JSON escapes decoded, annotations,
//! places in the bodies (which `path` finds), and whether a
//! write changed anything.
//!
//! Before lines are asked one by one, all lines of an unpacked block are searched for what a line must hold to be found:
//! see [`TextTest::lacking`].
//!
//! Secret values can be neither found nor told apart: a test that hits is asked again on the masked text, so that it
//! must hold on what may be shown (see [`crate::redact`]).

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::check::{Comparison, comparison};
use super::needle::Needle;
use super::path::{Leaf, at_annotation, at_path};
use super::pattern::Pattern;
use super::syntax::{Body, BodyPath, Step, Value};
use crate::redact;
use crate::store::{Bitset, Stretch};

/// A test of one record's text.
#[derive(Debug)]
pub(super) enum TextTest {
    /// Any part of the line.
    Line(LineTest),
    /// An annotation.
    Annotation(AnnotationTest),
    /// Places in the bodies.
    Body(BodyTest),
    /// A write whose answer has the resource version that the request was about.
    NoEffect,
}

/// A text, looked for in a line with its escapes decoded.
#[derive(Debug)]
pub(super) struct LineTest {
    pattern: Pattern,
    /// What a line must hold as it is written, unless a writer escapes more than it needs to.
    needles: Vec<Needle>,
    /// Where that is all that is looked for, it is found without decoding.
    is_plain: bool,
}

/// An annotation, and what must hold of its value.
#[derive(Debug)]
pub(super) struct AnnotationTest {
    key: String,
    test: ValueTest,
    needles: Vec<Needle>,
}

/// Places in the bodies, and what must hold of one of them.
#[derive(Debug)]
pub(super) struct BodyTest {
    path: BodyPath,
    test: ValueTest,
    needles: Vec<Needle>,
}

/// A test of a value, or of its absence.
#[derive(Debug)]
pub(super) enum ValueTest {
    /// There is none, or only an empty one.
    Absent,
    /// There is one.
    Present,
    /// A number that compares so.
    Number(Comparison, f64),
    /// A text, or a number or boolean as it is written.
    Text(Pattern),
}

impl ValueTest {
    /// The test that a written value means.
    pub(super) fn new(value: &Value) -> ValueTest {
        match (value.text.as_str(), value.quoted) {
            ("", _) => ValueTest::Absent,
            ("*", false) => ValueTest::Present,
            (text, false) => match comparison(text).and_then(|(sign, n)| Some((sign, n.parse().ok()?))) {
                Some((sign, number)) => ValueTest::Number(sign, number),
                None => ValueTest::Text(Pattern::whole(text, false)),
            },
            (text, true) => ValueTest::Text(Pattern::whole(text, true)),
        }
    }

    /// What a line must hold in which a value behind this key passes, or, where absence is asked for, in which there is
    /// one: the key in quotes, and a part of the value.
    fn needles(&self, key: Option<&str>) -> Vec<Needle> {
        /// Shorter texts stand in nearly every line.
        const SHORTEST: usize = 3;
        let plain = |key: &&str| {
            key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':'))
        };
        let key = key.filter(plain).and_then(|key| Needle::new(format!("\"{key}\"").as_bytes(), false));
        let value = match self {
            ValueTest::Text(pattern) => pattern.plain_part().filter(|needle| needle.len() >= SHORTEST),
            _ => None,
        };
        value.into_iter().chain(key).collect()
    }

    /// Whether a record passes that has no such value.
    fn passes_absence(&self) -> bool {
        matches!(self, ValueTest::Absent)
    }

    fn passes(&self, leaf: &Leaf<'_>) -> bool {
        match (self, leaf) {
            (ValueTest::Absent, _) => false,
            (ValueTest::Present, Leaf::Structure(_)) => true,
            (ValueTest::Present, Leaf::Scalar(text)) => !text.is_empty(),
            (ValueTest::Number(sign, wanted), Leaf::Scalar(text)) => {
                text.parse::<f64>().is_ok_and(|number| sign.holds(number, *wanted))
            }
            (ValueTest::Text(pattern), Leaf::Scalar(text)) => pattern.matches(text),
            (ValueTest::Number(..) | ValueTest::Text(_), Leaf::Structure(_)) => false,
        }
    }

    /// Whether one of the values passes; for absence, whether none says anything.
    fn passes_any(&self, visit: impl FnOnce(&mut dyn FnMut(&Leaf<'_>))) -> bool {
        let mut found = false;
        let asked = if self.passes_absence() { &ValueTest::Present } else { self };
        visit(&mut |leaf| found |= asked.passes(leaf));
        found != self.passes_absence()
    }
}

impl LineTest {
    pub(super) fn new(pattern: Pattern) -> LineTest {
        let needles: Vec<Needle> = pattern.plain_part().into_iter().collect();
        let is_plain =
            matches!((&pattern, needles.as_slice()), (Pattern::Part(all), [part]) if all.len() == part.len());
        LineTest { pattern, needles, is_plain }
    }

    fn holds(&self, line: &[u8]) -> bool {
        /// An escape has at most as many bytes behind its backslash.
        const LONGEST: usize = 5;
        if let (true, [needle]) = (self.is_plain, self.needles.as_slice())
            && let Some(at) = needle.find_at(line, 0)
            && !line[at.saturating_sub(LONGEST)..at].contains(&b'\\')
        {
            return true;
        }
        self.pattern.matches_bytes(&decoded(line))
    }
}

impl AnnotationTest {
    pub(super) fn new(key: &str, test: ValueTest) -> AnnotationTest {
        let needles = test.needles(Some(key));
        AnnotationTest { key: key.to_owned(), test, needles }
    }
}

impl BodyTest {
    pub(super) fn new(path: BodyPath, test: ValueTest) -> BodyTest {
        let last = path.steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Any | Step::Index(_) => None,
        });
        let needles = test.needles(last);
        BodyTest { path, test, needles }
    }

    /// In which body it looks.
    pub(super) fn body(&self) -> Body {
        self.path.body
    }

    fn holds(&self, line: &[u8]) -> bool {
        self.test.passes_any(|visit| at_path(line, self.path.body, &self.path.steps, visit))
    }
}

impl TextTest {
    /// Whether a record without any body passes.
    pub(super) fn passes_without_body(&self) -> bool {
        match self {
            TextTest::Body(body) => body.test.passes_absence(),
            TextTest::NoEffect => false,
            TextTest::Line(_) | TextTest::Annotation(_) => true,
        }
    }

    /// Whether a record passes that is among those [`Self::lacking`] what is looked for.
    pub(super) fn passes_lacking(&self) -> bool {
        match self {
            TextTest::Body(BodyTest { test, .. }) | TextTest::Annotation(AnnotationTest { test, .. }) => {
                test.passes_absence()
            }
            TextTest::Line(_) | TextTest::NoEffect => false,
        }
    }

    /// The records of a stretch whose texts surely lack what is looked for, counted from its first row; of the others it
    /// is not known. `None` where no search tells it.
    pub(super) fn lacking(&self, stretch: &Stretch<'_>) -> Option<Bitset> {
        let needles = match self {
            TextTest::Line(LineTest { needles, .. })
            | TextTest::Annotation(AnnotationTest { needles, .. })
            | TextTest::Body(BodyTest { needles, .. }) => needles.as_slice(),
            TextTest::NoEffect => &[],
        };
        let (first, others) = needles.split_first()?;
        let rows = stretch.rows();
        let mut lacking = Bitset::all(rows.end - rows.start);
        let text = stretch.text();
        let mut from = 0;
        while let Some(at) = first.find_at(text, from) {
            let (row, range) = stretch.row_at(at);
            // Texts lie end to end: a hit may lie across two.
            if at + first.len() > range.end {
                from = at + 1;
                continue;
            }
            if others.iter().all(|needle| needle.is_in(&text[range.clone()])) {
                lacking.set(row - rows.start, false);
            }
            from = range.end;
        }
        for escape in escapes_of_plain_letters(text) {
            lacking.set(stretch.row_at(escape).0 - rows.start, false);
        }
        Some(lacking)
    }

    /// Whether a record's text passes.
    pub(super) fn matches(&self, line: &[u8], revealed: bool) -> bool {
        let hit = self.holds(line);
        if !hit || revealed || matches!(self, TextTest::NoEffect) {
            return hit;
        }
        // The legacy format is no JSON, nor are the logs of some controllers.
        if !line.trim_ascii_start().starts_with(b"{") {
            return self.holds(redact::masked_line(line).as_bytes());
        }
        !redact::holds_secret(line) || self.holds(redact::masked_json(line).as_bytes())
    }

    fn holds(&self, line: &[u8]) -> bool {
        match self {
            TextTest::Line(test) => test.holds(line),
            TextTest::Annotation(AnnotationTest { key, test, .. }) => {
                test.passes_any(|visit| at_annotation(line, key, visit))
            }
            TextTest::Body(body) => body.holds(line),
            TextTest::NoEffect => has_no_effect(line),
        }
    }
}

/// Where a text escapes what needs no escape, so that something plain may stand there unseen.
fn escapes_of_plain_letters(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    static UNICODE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u00"));
    static SLASH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\/"));
    let is_plain = |at: &usize| {
        let digits = text.get(at + UNICODE.needle().len()..).and_then(|rest| rest.first_chunk::<2>());
        // Quotes, `&`, `<`, `>` and backslashes are in no plain text.
        digits.is_some_and(|digits| match digits.map(|digit| digit.to_ascii_lowercase()) {
            [b'2', b'2' | b'6'] | [b'3', b'c' | b'e'] | [b'5', b'c'] => false,
            [high, _] => matches!(high, b'2'..=b'7'),
        })
    };
    UNICODE.find_iter(text).filter(is_plain).chain(SLASH.find_iter(text))
}

/// Both bodies name the same resource version (FORMATS.md: a no-op update).
fn has_no_effect(line: &[u8]) -> bool {
    let version = |body: Body| {
        let mut version = None;
        let path = ["metadata", "resourceVersion"].map(|key| Step::Key(key.to_owned()));
        at_path(line, body, &path, &mut |leaf| {
            if let Leaf::Scalar(text) = leaf {
                version = Some(text.clone().into_owned());
            }
        });
        version.filter(|version| !version.is_empty())
    };
    version(Body::Request).is_some_and(|before| version(Body::Response) == Some(before))
}

/// A line with its JSON escapes decoded; what is no escape stays as it stands.
fn decoded(line: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', line) else { return Cow::Borrowed(line) };
    let mut out = Vec::with_capacity(line.len());
    let (before, mut rest) = line.split_at(first);
    out.extend_from_slice(before);
    loop {
        let used = unescape(rest, &mut out);
        rest = &rest[used..];
        let Some(next) = memchr::memchr(b'\\', rest) else { break };
        out.extend_from_slice(&rest[..next]);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Appends what the escape at the beginning of `text` stands for; the bytes it takes.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let simple = match text.get(1) {
        Some(b'n') => Some(b'\n'),
        Some(b't') => Some(b'\t'),
        Some(b'r') => Some(b'\r'),
        Some(b'b') => Some(0x08),
        Some(b'f') => Some(0x0c),
        Some(sign @ (b'"' | b'\\' | b'/')) => Some(*sign),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return 2;
    }
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u").and_then(|rest| rest.get(..4))?;
        digits.iter().try_fold(0u32, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?))
    };
    let (decoded, used) = match unit(text) {
        Some(high @ 0xd800..0xdc00) => match text.get(6..).and_then(unit) {
            Some(low @ 0xdc00..0xe000) => {
                (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12)
            }
            _ => (None, 6),
        },
        Some(code) => (char::from_u32(code), 6),
        None => (None, 1),
    };
    match decoded {
        Some(decoded) => out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(text.get(..used).unwrap_or(text)),
    }
    used.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Node, Target, parse};

    /// The test of `target:value`.
    fn test(question: &str) -> TextTest {
        let Some(Node::Term(term)) = parse(question).expect(question).root else { panic!("{question}") };
        let value = if term.regex {
            ValueTest::Text(Pattern::regex(&term.values[0].text, term.values[0].quoted).unwrap())
        } else {
            ValueTest::new(&term.values[0])
        };
        match term.target {
            Some(Target::Body(path)) => TextTest::Body(BodyTest::new(path, value)),
            Some(Target::Annotation(key)) => TextTest::Annotation(AnnotationTest::new(&key, value)),
            _ => TextTest::Line(LineTest::new(Pattern::part(&term.values[0].text, term.values[0].quoted))),
        }
    }

    const LINE: &str = concat!(
        r#"{"requestURI":"/x?a=1\u0026b=2","requestObject":{"spec":{"replicas":0,"paused":true,"name":"Web","#,
        r#""containers":[{"image":"a/b:1","args":["-c","x y"]},{"image":"c"}],"empty":"","none":null}},"#,
        r#""responseObject":{"spec":{"replicas":3},"metadata":{"labels":{"app.kubernetes.io/name":"w"}}},"#,
        r#""annotations":{"k8s.io/removed-release":"1.32","a:b":"\ud83d\ude00"}}"#
    );

    #[test]
    fn places_in_bodies() {
        for (question, holds) in [
            ("request.spec.replicas:0", true),
            ("request.spec.replicas:>0", false),
            ("body.spec.replicas:>=3", true),
            ("response.spec.replicas:*", true),
            ("request.spec:*", true),
            ("request.spec:x", false),
            ("request.spec.paused:true", true),
            ("request.spec.name:web", true),
            (r#"request.spec.name:"web""#, false),
            ("request.spec.containers[].image:c", true),
            ("request.spec.containers.image:a/*", true),
            ("request.spec.containers[1].image:c", true),
            ("request.spec.containers[0].image:c", false),
            ("request.spec.containers[].args:-c", true),
            ("request.spec.containers[].image~^.$", true),
            ("request.spec.empty:*", false),
            (r#"request.spec.empty:"""#, true),
            (r#"request.spec.nothing:"""#, true),
            (r#"request.spec.none:"""#, true),
            ("request.spec.none:*", false),
            (r#"response.metadata.labels["app.kubernetes.io/name"]:w"#, true),
            ("annotation.k8s.io/removed-release:1.32", true),
            ("annotation.k8s.io/other:*", false),
            (r#"annotation.k8s.io/other:"""#, true),
            (r#"annotation["a:b"]:😀"#, true),
        ] {
            assert_eq!(test(question).matches(LINE.as_bytes(), false), holds, "{question}");
        }
        for broken in ["", "{", "[]", "{\"requestObject\":{\"spec\":", "nonsense"] {
            assert!(!test("request.spec:*").matches(broken.as_bytes(), true), "{broken}");
        }
    }

    #[test]
    fn lines_are_searched_decoded() {
        for (question, holds) in [
            ("text:a=1&b", true),
            ("text:A=1", false),
            (r#"text:"Web""#, true),
            (r#"text:"\"replicas\":0""#, true),
            ("text:😀", true),
            ("text:u0026", false),
        ] {
            assert_eq!(test(question).matches(LINE.as_bytes(), false), holds, "{question}");
        }
        assert_eq!(decoded(br#"a\u00e4\ud800x\q\"#).as_ref(), "aä\\ud800x\\q\\".as_bytes());
        assert_eq!(decoded(br#"\\u0041\"\/"#).as_ref(), br#"\u0041"/"#);
        assert_eq!(decoded(br"\").as_ref(), br"\");
    }

    #[test]
    fn secrets_are_not_found_unless_revealed() {
        let secret = br#"{"objectRef":{"resource":"secrets"},"requestObject":{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}}"#;
        for question in ["request.data.password:aHVudGVyMg==", "request.data.password~^aH", "text:aHVudGVyMg"]
        {
            assert!(!test(question).matches(secret, false), "{question}");
            assert!(test(question).matches(secret, true), "{question}");
        }
        assert!(test("request.data.password:*").matches(secret, false), "that there is one may be known");
        assert!(test("request.kind:secret").matches(secret, false));
    }

    #[test]
    fn a_write_without_effect() {
        let line = |before: &str, after: &str| {
            format!(
                r#"{{"requestObject":{{"metadata":{{"resourceVersion":"{before}"}}}},"responseObject":{{"metadata":{{"resourceVersion":"{after}"}}}}}}"#
            )
        };
        assert!(TextTest::NoEffect.matches(line("7", "7").as_bytes(), false));
        assert!(!TextTest::NoEffect.matches(line("7", "8").as_bytes(), false));
        assert!(!TextTest::NoEffect.matches(line("", "").as_bytes(), false));
    }
}

//! Matching one string: whole values with `*`, parts, either case.

use regex::bytes::{Regex, RegexBuilder};

use super::needle::Needle;
use crate::store::{Bitset, Dictionary};

/// A compiled test of strings.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Anything but the empty string.
    Present,
    /// The empty string.
    Absent,
    /// The whole string: fixed pieces with anything between them.
    Pieces(Pieces),
    /// The whole string.
    Whole(Regex),
    /// Any part of the string: a fixed text.
    Part(Needle),
    /// Any part of the string, or the whole of it: whatever the regular expression says.
    Regex(Regex),
}

impl Pattern {
    /// A pattern for the whole string, in which `*` stands for anything unless it was quoted.
    pub(super) fn whole(text: &str, quoted: bool) -> Pattern {
        match text {
            "*" if !quoted => Pattern::Present,
            "" => Pattern::Absent,
            _ if text.is_ascii() => Pattern::Pieces(Pieces::new(text, quoted)),
            _ => Pattern::Whole(compile(&format!("^(?:{})$", body(text, quoted)), text, quoted)),
        }
    }

    /// A pattern for a part of the string; with an unquoted `*` in it, for the whole string.
    pub(super) fn part(text: &str, quoted: bool) -> Pattern {
        if text.is_empty() || (!quoted && text.contains('*')) {
            return Pattern::whole(text, quoted);
        }
        let any_case = is_any_case(text, quoted);
        // Letters beyond ASCII have cases that only a regular expression knows.
        match Needle::new(text.as_bytes(), any_case).filter(|_| !any_case || text.is_ascii()) {
            Some(needle) => Pattern::Part(needle),
            None => Pattern::Regex(compile(&regex::escape(text), text, quoted)),
        }
    }

    /// A regular expression that matches any part of the string. Either case unless it holds a capital letter that
    /// stands for itself, or was quoted.
    ///
    /// # Errors
    /// Why it is none, in one line.
    pub(super) fn regex(text: &str, quoted: bool) -> Result<Pattern, String> {
        /// Enough for any question, little enough to be compiled at each key.
        const MOST_BYTES: usize = 1 << 20;
        let mut escaped = false;
        let has_capital = text.chars().any(|c| {
            let capital = c.is_uppercase() && !escaped;
            escaped = c == '\\' && !escaped;
            capital
        });
        RegexBuilder::new(text)
            .case_insensitive(!quoted && !has_capital)
            .size_limit(MOST_BYTES)
            .build()
            .map(Pattern::Regex)
            .map_err(|error| {
                let text = error.to_string();
                let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("");
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            })
    }

    /// The pattern that nothing matches.
    pub(super) fn never() -> Pattern {
        Pattern::Regex(compile("a^", "a", true))
    }

    /// Texts in which nothing of a JSON string is ever escaped by encoding/json, one of which must stand in whatever
    /// matches; the longest there is.
    pub(super) fn plain_part(&self) -> Option<Needle> {
        let (pieces, any_case): (Vec<&[u8]>, bool) = match self {
            Pattern::Pieces(pieces) => (pieces.pieces.iter().map(AsRef::as_ref).collect(), pieces.any_case),
            Pattern::Part(needle) => (vec![needle.text()], needle.is_any_case()),
            _ => return None,
        };
        let runs = pieces.into_iter().flat_map(|piece| piece.split(|byte| !is_plain(*byte)));
        Needle::new(runs.max_by_key(|run| run.len())?, any_case)
    }

    /// Whether one string matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.matches_bytes(text.as_bytes())
    }

    /// Whether one string matches, which need not be UTF-8.
    pub(super) fn matches_bytes(&self, text: &[u8]) -> bool {
        match self {
            Pattern::Present => !text.is_empty(),
            Pattern::Absent => text.is_empty(),
            Pattern::Pieces(pieces) => pieces.match_whole(text),
            Pattern::Part(needle) => needle.is_in(text),
            Pattern::Whole(regex) | Pattern::Regex(regex) => regex.is_match(text),
        }
    }

    /// The symbols of a dictionary whose strings match, as `view` of the string sees them.
    pub(super) fn symbols(&self, dictionary: &Dictionary) -> Bitset {
        let len = dictionary.len() as u32;
        match self {
            // One search over all strings, since they lie end to end.
            Pattern::Part(needle) => {
                let mut found = Bitset::none(len);
                let buffer = dictionary.buffer().as_bytes();
                let mut symbols = dictionary.symbols_in_order();
                let mut from = 0;
                while let Some(hit) = needle.find_at(buffer, from) {
                    let symbol = symbols.at(hit);
                    let end = dictionary.start_of(symbol) + dictionary.get(symbol).len();
                    // Only a text that holds a separator can lie across two strings.
                    let is_inside = hit + needle.len() <= end;
                    if is_inside {
                        found.set(u32::from(symbol), true);
                    }
                    from = if is_inside { end + 1 } else { hit + 1 };
                }
                found
            }
            _ => self.symbols_where(dictionary, |text| self.matches(text)),
        }
    }

    pub(super) fn symbols_where(&self, dictionary: &Dictionary, test: impl Fn(&str) -> bool) -> Bitset {
        let mut found = Bitset::none(dictionary.len() as u32);
        for (symbol, text) in dictionary.iter() {
            if test(text) {
                found.set(u32::from(symbol), true);
            }
        }
        found
    }
}

/// Whether encoding/json writes a byte of a string as it is. A slash stands for itself too, but others may escape it.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

/// Fixed texts that follow each other in a string, with anything between them: what `kube-*` asks for. Comparing bytes
/// costs a tenth of what a regular expression costs to begin.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// Before, between and behind the stars; one where there is none.
    pieces: Vec<Box<[u8]>>,
    any_case: bool,
}

impl Pieces {
    /// The pieces of a text, which is ASCII.
    fn new(text: &str, quoted: bool) -> Pieces {
        let pieces = if quoted { vec![text] } else { text.split('*').collect() };
        let pieces = pieces.into_iter().map(|piece| piece.as_bytes().into()).collect();
        Pieces { pieces, any_case: is_any_case(text, quoted) }
    }

    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        if self.any_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    fn match_whole(&self, text: &[u8]) -> bool {
        let (first, last, between) = match self.pieces.as_slice() {
            [] => return text.is_empty(),
            [one] => return self.equal(text, one),
            [first, between @ .., last] => (first, last, between),
        };
        let Some((beginning, rest)) = text.split_at_checked(first.len()) else { return false };
        let Some(inside) = rest.len().checked_sub(last.len()) else { return false };
        let (mut inside, end) = rest.split_at(inside);
        if !self.equal(beginning, first) || !self.equal(end, last) {
            return false;
        }
        // The first place of each leaves the most room for the next.
        for piece in between.iter().filter(|piece| !piece.is_empty()) {
            match inside.windows(piece.len()).position(|at| self.equal(at, piece)) {
                Some(at) => inside = &inside[at + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

fn body(text: &str, quoted: bool) -> String {
    if quoted {
        return regex::escape(text);
    }
    text.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")
}

/// Either case unless a capital or quotes ask otherwise.
pub(super) fn is_any_case(text: &str, quoted: bool) -> bool {
    !quoted && !text.chars().any(char::is_uppercase)
}

fn compile(pattern: &str, written: &str, quoted: bool) -> Regex {
    let any_case = is_any_case(written, quoted);
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(any_case)
            .dot_matches_new_line(true)
            .unicode(!written.is_ascii())
            .build()
    };
    // Only escaped text and `.*` get here; what fails is a text too long to compile, which no value is.
    build(pattern)
        .or_else(|_| build("^\\x00never$"))
        .unwrap_or_else(|_| Regex::new("a^").expect("a fixed pattern"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SymbolTable;

    #[test]
    fn whole_values_stars_and_case() {
        assert!(Pattern::whole("kube-*", false).matches("kube-system"));
        assert!(!Pattern::whole("kube", false).matches("kube-system"));
        assert!(Pattern::whole("alice", false).matches("Alice"));
        assert!(!Pattern::whole("Alice", false).matches("alice"));
        assert!(!Pattern::whole("alice", true).matches("Alice"));
        assert!(Pattern::whole("a*b", true).matches("a*b") && !Pattern::whole("a*b", true).matches("axb"));
        assert!(Pattern::whole("*", false).matches("x") && !Pattern::whole("*", false).matches(""));
        assert!(Pattern::whole("a.b", false).matches("a.b") && !Pattern::whole("a.b", false).matches("axb"));
    }

    #[test]
    fn pieces_match_what_their_regular_expression_matches() {
        let texts = ["", "a", "A", "ab", "aab", "abab", "b.a", "a*b", "a\nb", "baab", "abcab", "äab"];
        for written in
            ["a", "A", "ab", "a*", "*a", "*b*", "a*b", "a**b", "*a*b*", "a*a", "ab*ab", "**", "a.b", "*a*a*"]
        {
            for quoted in [false, true] {
                let regex = compile(&format!("^(?:{})$", body(written, quoted)), written, quoted);
                let pattern = Pattern::whole(written, quoted);
                for text in texts {
                    assert_eq!(
                        pattern.matches(text),
                        regex.is_match(text.as_bytes()),
                        "{written} {quoted} {text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_search_finds_what_asking_each_string_finds() {
        let (mut dictionary, mut table) = (Dictionary::default(), SymbolTable::default());
        for text in ["kubectl/v1", "KubeCtl", "ctl", "kube\0ctl", "helm", "xkube", "ctlx", "ü"] {
            table.intern(&mut dictionary, text);
        }
        for text in ["ctl", "kube", "e\0c", "x", "Kube", "ü", "nothing"] {
            let pattern = Pattern::part(text, false);
            let naive = pattern.symbols_where(&dictionary, |s| pattern.matches(s));
            assert_eq!(pattern.symbols(&dictionary), naive, "{text:?}");
        }
    }
}

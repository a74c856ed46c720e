//! Matching one string: whole values with `*`, parts, either case.

use regex::bytes::{Regex, RegexBuilder};

use crate::store::{Bitset, Dictionary};

/// A compiled test of strings.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Anything but the empty string.
    Present,
    /// The empty string.
    Absent,
    /// The whole string.
    Whole(Regex),
    /// Any part of the string: a fixed text.
    Part(Regex),
    /// Any part of the string, or the whole of it: whatever the regular expression says.
    Regex(Regex),
}

impl Pattern {
    /// A pattern for the whole string, in which `*` stands for anything unless it was quoted.
    pub(super) fn whole(text: &str, quoted: bool) -> Pattern {
        match text {
            "*" if !quoted => Pattern::Present,
            "" => Pattern::Absent,
            _ => Pattern::Whole(compile(&format!("^(?:{})$", body(text, quoted)), text, quoted)),
        }
    }

    /// A pattern for a part of the string; with an unquoted `*` in it, for the whole string.
    pub(super) fn part(text: &str, quoted: bool) -> Pattern {
        if text.is_empty() || (!quoted && text.contains('*')) {
            return Pattern::whole(text, quoted);
        }
        Pattern::Part(compile(&regex::escape(text), text, quoted))
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
        Pattern::Whole(compile("a^", "a", true))
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
            Pattern::Whole(regex) | Pattern::Part(regex) | Pattern::Regex(regex) => regex.is_match(text),
        }
    }

    /// The symbols of a dictionary whose strings match, as `view` of the string sees them.
    pub(super) fn symbols(&self, dictionary: &Dictionary) -> Bitset {
        let len = dictionary.len() as u32;
        match self {
            // One search over all strings, since they lie end to end. A hit may lie across a separator; the string
            // it begins in is asked itself.
            Pattern::Part(regex) => {
                let mut found = Bitset::none(len);
                let buffer = dictionary.buffer().as_bytes();
                let mut from = 0;
                while let Some(hit) = regex.find_at(buffer, from) {
                    let symbol = dictionary.symbol_at(hit.start());
                    let text = dictionary.get(symbol);
                    found.set(u32::from(symbol), regex.is_match(text.as_bytes()));
                    from = dictionary.start_of(symbol) + text.len() + 1;
                    if from > buffer.len() {
                        break;
                    }
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

fn body(text: &str, quoted: bool) -> String {
    if quoted {
        return regex::escape(text);
    }
    text.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")
}

/// Either case unless a capital or quotes ask otherwise.
fn compile(pattern: &str, written: &str, quoted: bool) -> Regex {
    let any_case = !quoted && !written.chars().any(char::is_uppercase);
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

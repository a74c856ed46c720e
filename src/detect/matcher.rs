//! One value of a rule against one value of an event: text, wildcards, regular expressions, networks, numbers.
//!
//! [`super::item`] builds matchers from a rule's modifiers and decides what several values, or none, mean.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::Regex;
use rsigma_parser::{SigmaString, SpecialChar, StringPart};

use super::node::Node;
use super::patterns;

/// Memory that one text with wildcards may take when compiled.
const MOST_WILDCARD_BYTES: usize = 10 << 20;

/// One value that a field holds in an event. A field that is absent holds none.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Leaf<'v> {
    Text(Cow<'v, str>),
    Number(serde_json::Number),
    Bool(bool),
    Null,
    /// An object, or an array without members: there, but equal to nothing.
    Structure,
}

impl<'v> Leaf<'v> {
    pub(super) fn text(text: &'v str) -> Self {
        Leaf::Text(Cow::Borrowed(text))
    }

    /// The values of `value`: an array stands for its members.
    pub(super) fn collect(value: &'v Node, into: &mut Vec<Leaf<'v>>) {
        match value {
            Node::String(text) => into.push(Leaf::text(text)),
            Node::Number(number) => into.push(Leaf::Number(number.clone())),
            Node::Bool(is) => into.push(Leaf::Bool(*is)),
            Node::Null => into.push(Leaf::Null),
            Node::Array(members) if !members.is_empty() => {
                // serde_json bounds the depth of what it reads, so this recursion is bounded too.
                members.iter().for_each(|member| Leaf::collect(member, into));
            }
            Node::Array(_) | Node::Object(_) => into.push(Leaf::Structure),
        }
    }

    /// How it is written; `None` for what has no text.
    pub(super) fn written(&self) -> Option<Cow<'_, str>> {
        match self {
            Leaf::Text(text) => Some(Cow::Borrowed(text)),
            Leaf::Number(number) => Some(Cow::Owned(number.to_string())),
            Leaf::Bool(is) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
            Leaf::Null | Leaf::Structure => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Leaf::Number(number) => number.as_f64(),
            // `inf` and `nan` are words, and a name may be one.
            Leaf::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }
}

/// Where in a text the wanted text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// It is the whole text.
    Whole,
    Anywhere,
    Start,
    End,
}

impl Place {
    fn holds(self, text: &str, wanted: &str) -> bool {
        match self {
            Place::Whole => text == wanted,
            Place::Anywhere => text.contains(wanted),
            Place::Start => text.starts_with(wanted),
            Place::End => text.ends_with(wanted),
        }
    }

    /// Whether `wanted` stands in `text` here, in the same case or in any.
    pub(super) fn matches(self, text: &str, wanted: &str, cased: bool) -> bool {
        if cased { self.holds(text, wanted) } else { self.holds(&lowered(text), &lowered(wanted)) }
    }
}

/// How a number is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            // Rules write what JSON writes, so both sides were read from the same digits.
            Comparison::Equal => value == limit,
            Comparison::Less => value < limit,
            Comparison::LessOrEqual => value <= limit,
            Comparison::Greater => value > limit,
            Comparison::GreaterOrEqual => value >= limit,
        }
    }
}

/// What a value must be.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// Without `cased`, `wanted` is in lower case.
    Text {
        place: Place,
        wanted: String,
        cased: bool,
    },
    Pattern(Regex),
    Network(IpNet),
    Number(Comparison, f64),
    Bool(bool),
    Null,
    /// `*` alone: anything that is there, objects included.
    Present,
}

impl Matcher {
    /// A text with Sigma's wildcards that stands at `place`.
    ///
    /// # Errors
    /// When the pattern is too large to compile.
    pub(super) fn text(wanted: &SigmaString, place: Place, cased: bool) -> Result<Matcher, regex::Error> {
        use StringPart::{Plain, Special};
        const ANY: StringPart = Special(SpecialChar::WildcardMulti);
        let literal = |place, text: &str| Matcher::Text {
            place,
            wanted: if cased { text.to_owned() } else { lowered(text).into_owned() },
            cased,
        };
        // The common shapes are compared without a regular expression.
        Ok(match (place, wanted.parts.as_slice()) {
            (place, []) => literal(place, ""),
            (place, [Plain(text)]) => literal(place, text),
            (Place::Whole, [any]) if *any == ANY => Matcher::Present,
            (Place::Whole, [Plain(text), any]) if *any == ANY => literal(Place::Start, text),
            (Place::Whole, [any, Plain(text)]) if *any == ANY => literal(Place::End, text),
            (_, [first, Plain(text), last]) if *first == ANY && *last == ANY => {
                literal(Place::Anywhere, text)
            }
            (place, parts) => Matcher::Pattern(wildcards(parts, place, cased)?),
        })
    }

    pub(super) fn matches(&self, leaf: &Leaf<'_>) -> bool {
        match self {
            Matcher::Text { place, wanted, cased } => leaf.written().is_some_and(|text| {
                if *cased { place.holds(&text, wanted) } else { place.holds(&lowered(&text), wanted) }
            }),
            Matcher::Pattern(pattern) => leaf.written().is_some_and(|text| pattern.is_match(&text)),
            Matcher::Network(network) => match leaf {
                Leaf::Text(text) => address(text).is_some_and(|address| network.contains(&address)),
                _ => false,
            },
            Matcher::Number(comparison, limit) => {
                leaf.number().is_some_and(|number| comparison.holds(number, *limit))
            }
            Matcher::Bool(wanted) => match leaf {
                Leaf::Bool(is) => is == wanted,
                Leaf::Text(text) => text.eq_ignore_ascii_case(if *wanted { "true" } else { "false" }),
                _ => false,
            },
            Matcher::Null => *leaf == Leaf::Null,
            Matcher::Present => *leaf != Leaf::Null,
        }
    }

    /// Whether it asks for the empty text.
    pub(super) fn is_empty_text(&self) -> bool {
        matches!(self, Matcher::Text { place: Place::Whole, wanted, .. } if wanted.is_empty())
    }
}

/// An address as the API server writes it; an IPv4 address in IPv6's clothes counts as IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// In lower case; borrowed where it is already. Each character by itself: `str::to_lowercase` writes a capital sigma in
/// one way at the end of a word and in another within, so that a part of a text would be no part of it any more.
pub(super) fn lowered(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    }
}

fn wildcards(parts: &[StringPart], place: Place, cased: bool) -> Result<Regex, regex::Error> {
    // A wildcard stands for line breaks as well: a script is one value.
    let mut pattern = String::from(if cased { "(?s)" } else { "(?si)" });
    if matches!(place, Place::Whole | Place::Start) {
        pattern.push('^');
    }
    for part in parts {
        match part {
            StringPart::Plain(text) => pattern.push_str(&regex::escape(text)),
            StringPart::Special(SpecialChar::WildcardMulti) => pattern.push_str(".*"),
            StringPart::Special(SpecialChar::WildcardSingle) => pattern.push('.'),
        }
    }
    if matches!(place, Place::Whole | Place::End) {
        pattern.push('$');
    }
    patterns::compiled(&pattern, MOST_WILDCARD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(wanted: &str, place: Place, cased: bool) -> Matcher {
        Matcher::text(&SigmaString::new(wanted), place, cased).expect("a small pattern")
    }

    #[test]
    fn texts_stand_where_they_are_wanted() {
        for (wanted, place, value, expected) in [
            ("kubectl", Place::Whole, "KUBECTL", true),
            ("kubectl", Place::Whole, "kubectl/v1", false),
            ("kube*", Place::Whole, "Kubectl/v1", true),
            ("*ctl", Place::Whole, "kubectl", true),
            ("*ctl", Place::Whole, "kubectl/", false),
            ("*be*", Place::Whole, "kubectl", true),
            ("k?bectl", Place::Whole, "kubectl", true),
            ("k?bectl", Place::Whole, "kbectl", false),
            ("a*c", Place::Whole, "a\nb\nC", true),
            (r"a\*c", Place::Whole, "a*c", true),
            (r"a\*c", Place::Whole, "abc", false),
            ("a*c", Place::Anywhere, "xxabcxx", true),
            ("a?c", Place::Start, "abcx", true),
            ("a?c", Place::Start, "xabc", false),
            ("a?c", Place::End, "xabc", true),
            ("", Place::Whole, "", true),
            ("", Place::Whole, "x", false),
            ("Ä", Place::Whole, "ä", true),
            ("ΟΔΟΣ", Place::Start, "ΟΔΟΣX", true),
            ("İ", Place::Anywhere, "xİx", true),
            ("ß", Place::Whole, "ẞ", true),
        ] {
            assert_eq!(
                text(wanted, place, false).matches(&Leaf::text(value)),
                expected,
                "{wanted} {place:?} {value}"
            );
        }
        assert!(!text("kubectl", Place::Whole, true).matches(&Leaf::text("KUBECTL")));
        assert!(!text("k*L", Place::Whole, true).matches(&Leaf::text("kubectl")));
    }

    #[test]
    fn other_types_are_compared_as_they_are_written() {
        let mut leaves = Vec::new();
        let values = Node::from(json!([403, true, null, {"a": 1}, [], "x", ["y"]]));
        Leaf::collect(&values, &mut leaves);
        assert_eq!(leaves.len(), 7);
        assert!(text("403", Place::Whole, false).matches(&leaves[0]));
        assert!(Matcher::Number(Comparison::Equal, 403.0).matches(&Leaf::text("403")));
        assert!(!Matcher::Number(Comparison::Equal, 403.0).matches(&Leaf::text("40x")));
        assert!(!Matcher::Number(Comparison::Greater, 403.0).matches(&Leaf::text("infinity")));
        assert!(Matcher::Bool(true).matches(&leaves[1]) && Matcher::Bool(true).matches(&Leaf::text("True")));
        assert!(!Matcher::Bool(true).matches(&leaves[0]));
        assert!(Matcher::Null.matches(&leaves[2]) && !Matcher::Present.matches(&leaves[2]));
        assert!(Matcher::Present.matches(&leaves[3]) && Matcher::Present.matches(&leaves[4]));
        assert!(!text("*a*", Place::Whole, false).matches(&leaves[3]), "an object has no text");
        assert_eq!(leaves[6], Leaf::text("y"));
    }

    #[test]
    fn networks_hold_addresses_of_either_family() {
        let network = Matcher::Network("10.0.0.0/8".parse().expect("a network"));
        assert!(network.matches(&Leaf::text("10.1.2.3")) && network.matches(&Leaf::text("::ffff:10.1.2.3")));
        assert!(!network.matches(&Leaf::text("11.1.2.3")) && !network.matches(&Leaf::text("ten")));
    }
}

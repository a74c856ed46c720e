//! The modifiers of a field, and what they make of the values that a rule wants.
//!
//! They are those of the Sigma specification 2.1 (appendix "modifiers") that make sense for JSON. What contradicts
//! itself, or is not supported, is refused with a reason instead of quietly meaning something else. [`super::item`] puts
//! the tests that come of it to a field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use regex::Regex;
use rsigma_parser::{Modifier, SigmaString, SigmaValue};

use super::field::Source;
use super::item::{Part, Test};
use super::matcher::{Comparison, Matcher, Place};
use super::patterns;

/// `windash` writes each dash in five ways; more dashes than this would be too many ways.
const MOST_DASHES: usize = 4;

/// A compiled pattern may take this much. That is some hundred repetitions of a class of Unicode, or a hundred thousand
/// characters.
const MOST_PATTERN_BYTES: usize = 2 << 20;

/// How the values are compared: at most one of the specification's operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Operator {
    #[default]
    Plain,
    Place(Place),
    Regex,
    Network,
    Number(Comparison),
}

/// How a value is rewritten before it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rewriting {
    Base64,
    Base64Offset,
    Dashes,
    Template,
}

/// The modifiers of a field.
#[derive(Debug, Default)]
pub(super) struct Modifiers {
    operator: Operator,
    rewriting: Option<Rewriting>,
    pub(super) exists: bool,
    pub(super) all: bool,
    pub(super) negated: bool,
    cased: bool,
    reference: bool,
    ignore_case: bool,
    multiline: bool,
    dot_all: bool,
}

impl Modifiers {
    /// Reads the modifiers of a field.
    ///
    /// # Errors
    /// Which of them contradict each other or are not supported.
    pub(super) fn of(written: &[Modifier]) -> Result<Modifiers, String> {
        let mut modifiers = Modifiers::default();
        for modifier in written {
            modifiers.add(*modifier)?;
        }
        modifiers.checked()
    }

    fn add(&mut self, modifier: Modifier) -> Result<(), String> {
        match modifier {
            Modifier::Contains => self.compare(Operator::Place(Place::Anywhere))?,
            Modifier::StartsWith => self.compare(Operator::Place(Place::Start))?,
            Modifier::EndsWith => self.compare(Operator::Place(Place::End))?,
            Modifier::Re => self.compare(Operator::Regex)?,
            Modifier::Cidr => self.compare(Operator::Network)?,
            Modifier::Lt => self.compare(Operator::Number(Comparison::Less))?,
            Modifier::Lte => self.compare(Operator::Number(Comparison::LessOrEqual))?,
            Modifier::Gt => self.compare(Operator::Number(Comparison::Greater))?,
            Modifier::Gte => self.compare(Operator::Number(Comparison::GreaterOrEqual))?,
            Modifier::Base64 => self.rewrite(Rewriting::Base64)?,
            Modifier::Base64Offset => self.rewrite(Rewriting::Base64Offset)?,
            Modifier::WindAsh => self.rewrite(Rewriting::Dashes)?,
            Modifier::Expand => self.rewrite(Rewriting::Template)?,
            Modifier::All => self.all = true,
            Modifier::Cased => self.cased = true,
            Modifier::Exists => self.exists = true,
            Modifier::Neq => self.negated = true,
            Modifier::FieldRef => self.reference = true,
            Modifier::IgnoreCase => self.ignore_case = true,
            Modifier::Multiline => self.multiline = true,
            Modifier::DotAll => self.dot_all = true,
            Modifier::Wide | Modifier::Utf16 | Modifier::Utf16be => {
                return Err("UTF-16 modifiers are not supported: JSON is UTF-8".to_owned());
            }
            Modifier::Minute
            | Modifier::Hour
            | Modifier::Day
            | Modifier::Week
            | Modifier::Month
            | Modifier::Year => {
                return Err("modifiers for parts of a time are not supported".to_owned());
            }
        }
        Ok(())
    }

    fn compare(&mut self, operator: Operator) -> Result<(), String> {
        if self.operator != Operator::Plain {
            return Err("only one of contains, startswith, endswith, re, cidr, lt, lte, gt, gte".to_owned());
        }
        self.operator = operator;
        Ok(())
    }

    fn rewrite(&mut self, rewriting: Rewriting) -> Result<(), String> {
        if self.rewriting.replace(rewriting).is_some() {
            return Err("only one of base64, base64offset, windash, expand".to_owned());
        }
        Ok(())
    }

    fn checked(self) -> Result<Modifiers, String> {
        let compares_text = matches!(self.operator, Operator::Plain | Operator::Place(_));
        let has_flags = self.ignore_case || self.multiline || self.dot_all;
        let contradiction = if has_flags && self.operator != Operator::Regex {
            Some("modifiers i, m and s belong to re")
        } else if self.rewriting.is_some() && !compares_text {
            Some("base64, base64offset, windash and expand rewrite texts, not patterns, networks or numbers")
        } else if self.reference && (!compares_text || self.rewriting.is_some()) {
            Some("fieldref is compared as text")
        } else if self.exists
            && (self.operator != Operator::Plain || self.reference || self.all || self.negated)
        {
            Some("exists stands alone")
        } else if self.cased && !compares_text {
            Some("cased belongs to texts")
        } else {
            None
        };
        contradiction.map_or(Ok(self), |reason| Err(reason.to_owned()))
    }

    fn place(&self) -> Place {
        match self.operator {
            Operator::Place(place) => place,
            _ => Place::Whole,
        }
    }

    /// How a value is tested: in one way, or in several spellings of it.
    ///
    /// # Errors
    /// Why the value cannot be meant.
    pub(super) fn tests(&self, value: &SigmaValue) -> Result<Vec<Test>, String> {
        if self.reference {
            let SigmaValue::String(field) = value else { return Err("fieldref takes a field".to_owned()) };
            let source = Source::of(&field.original);
            return Ok(vec![Test::Reference { source, place: self.place(), cased: self.cased }]);
        }
        match self.operator {
            Operator::Plain if self.rewriting.is_none() => self.plain(value).map(|test| vec![test]),
            Operator::Plain | Operator::Place(_) => self.texts(&text_of(value)?),
            Operator::Regex => self.regex(value).map(|regex| vec![Test::Value(Matcher::Pattern(regex))]),
            Operator::Network => network(value).map(|network| vec![Test::Value(Matcher::Network(network))]),
            Operator::Number(comparison) => match number(value) {
                Some(limit) => Ok(vec![Test::Value(Matcher::Number(comparison, limit))]),
                None => Err(format!("{value} is no number")),
            },
        }
    }

    fn plain(&self, value: &SigmaValue) -> Result<Test, String> {
        Ok(Test::Value(match value {
            SigmaValue::String(text) => self.text(text)?,
            SigmaValue::Integer(number) => Matcher::Number(Comparison::Equal, *number as f64),
            SigmaValue::Float(number) => Matcher::Number(Comparison::Equal, *number),
            SigmaValue::Bool(is) => Matcher::Bool(*is),
            SigmaValue::Null => Matcher::Null,
        }))
    }

    fn texts(&self, text: &SigmaString) -> Result<Vec<Test>, String> {
        if matches!(self.rewriting, Some(Rewriting::Base64 | Rewriting::Base64Offset))
            && text.original.is_empty()
        {
            // Every text has the encoding of nothing in it.
            return Err("there is nothing to encode".to_owned());
        }
        let literal = |text: &str| self.text(&SigmaString::from_raw(text)).map(Test::Value);
        let plain = || text.as_plain().ok_or("wildcards cannot be encoded".to_owned());
        match self.rewriting {
            None => Ok(vec![Test::Value(self.text(text)?)]),
            // Base64 tells upper from lower case.
            Some(Rewriting::Base64) => Ok(vec![Test::Value(Matcher::Text {
                place: self.place(),
                wanted: STANDARD.encode(plain()?),
                cased: true,
            })]),
            Some(Rewriting::Base64Offset) => Ok(offsets(&plain()?)
                .into_iter()
                .map(|wanted| Test::Value(Matcher::Text { place: self.place(), wanted, cased: true }))
                .collect()),
            Some(Rewriting::Dashes) => dashes(&text.original)?
                .iter()
                .map(|t| self.text(&SigmaString::new(t)).map(Test::Value))
                .collect(),
            Some(Rewriting::Template) => Ok(match template(&text.original) {
                Some(parts) => vec![Test::Template { parts, place: self.place(), cased: self.cased }],
                None => vec![literal(&text.original)?],
            }),
        }
    }

    fn text(&self, text: &SigmaString) -> Result<Matcher, String> {
        Matcher::text(text, self.place(), self.cased).map_err(|error| error.to_string())
    }

    fn regex(&self, value: &SigmaValue) -> Result<Regex, String> {
        let flags: String = [(self.ignore_case, 'i'), (self.multiline, 'm'), (self.dot_all, 's')]
            .iter()
            .filter_map(|(set, flag)| set.then_some(*flag))
            .collect();
        let pattern = text_of(value)?.original;
        // Flags stand in the pattern, so that patterns that mean different things are written differently.
        let pattern = if flags.is_empty() { pattern } else { format!("(?{flags}){pattern}") };
        patterns::compiled(&pattern, MOST_PATTERN_BYTES).map_err(|error| error.to_string())
    }
}

/// A value as the text that it is compared as.
fn text_of(value: &SigmaValue) -> Result<SigmaString, String> {
    match value {
        SigmaValue::String(text) => Ok(text.clone()),
        SigmaValue::Null => Err("null cannot be part of a text".to_owned()),
        other => Ok(SigmaString::from_raw(&other.to_string())),
    }
}

fn number(value: &SigmaValue) -> Option<f64> {
    match value {
        SigmaValue::Integer(number) => Some(*number as f64),
        SigmaValue::Float(number) => Some(*number),
        SigmaValue::String(text) => text.original.parse().ok(),
        _ => None,
    }
}

/// A network, or a single address.
fn network(value: &SigmaValue) -> Result<IpNet, String> {
    let text = text_of(value)?.original;
    let network = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("{text} is no network"))
}

/// The base64 forms of a text wherever in a group of three bytes it starts, without the characters that its
/// neighbours have a part in.
fn offsets(text: &str) -> Vec<String> {
    (0..3)
        .filter_map(|offset| {
            let shifted: Vec<u8> = std::iter::repeat_n(0, offset).chain(text.bytes()).collect();
            let encoded = STANDARD.encode(&shifted);
            let whole = shifted.len() / 3 * 4;
            let bits = shifted.len() % 3 * 8;
            encoded.get([0, 2, 3][offset]..whole + bits / 6).map(str::to_owned)
        })
        .filter(|encoded| !encoded.is_empty())
        .collect()
}

/// Each dash as a hyphen, a slash, an en dash, an em dash or a horizontal bar (specification, modifier windash).
fn dashes(text: &str) -> Result<Vec<String>, String> {
    if text.matches('-').count() > MOST_DASHES {
        return Err(format!("windash takes at most {MOST_DASHES} dashes"));
    }
    let mut spellings = vec![String::new()];
    for character in text.chars() {
        let variants: &[char] = match character {
            '-' => &['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'],
            other => &[other],
        };
        spellings = spellings
            .iter()
            .flat_map(|spelling| variants.iter().map(move |variant| format!("{spelling}{variant}")))
            .collect();
    }
    Ok(spellings)
}

/// `%field%` stands for the event's own value of that field. `None` without any.
fn template(text: &str) -> Option<Vec<Part>> {
    let pieces: Vec<&str> = text.split('%').collect();
    if pieces.len() < 3 {
        return None;
    }
    let last = pieces.len() - 1;
    let parts = pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()).map(|(at, piece)| {
        // A sign without its partner is itself.
        match at % 2 == 1 && at < last {
            true => Part::Field(Source::of(piece)),
            false if at % 2 == 1 => Part::Text(format!("%{piece}")),
            false => Part::Text((*piece).to_owned()),
        }
    });
    Some(parts.collect())
}

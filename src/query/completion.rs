//! What may be typed next at the cursor of a filter: which part of the text it would replace, and whether a field or
//! a value of which field is wanted there.
//!
//! Only the text is looked at. The values themselves, with their counts, come from whoever holds the records.

use super::check::words_of;
use super::fields::{FIELDS, FieldInfo, FieldKind, FieldName, field_named};

/// What is wanted at the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// First character that a completion replaces.
    pub start: usize,
    /// Character behind the last that it replaces.
    pub end: usize,
    /// What was typed of it, without quotes.
    pub typed: String,
    /// A field, or a value.
    pub wanted: Wanted,
    /// The filter without the term at the cursor: what the candidates are to be counted in.
    pub rest: String,
}

/// What kind of thing is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The name of a field.
    Field,
    /// A value of this field.
    Value(FieldName),
    /// The name of a kept filter, behind `@`.
    Named,
}

impl Completion {
    /// What is wanted at character `cursor` of `text`; `None` inside of a regular expression, a path, or where nothing
    /// was typed yet behind other conditions.
    pub fn at(text: &str, cursor: usize) -> Option<Completion> {
        let chars: Vec<char> = text.chars().collect();
        let cursor = cursor.min(chars.len());
        let (start, end) = token_around(&chars, cursor);
        let token: String = chars[start..cursor].iter().collect();
        let rest = without(&chars, start, end);
        if let Some(name) = token.strip_prefix('@') {
            let (typed, wanted) = (name.to_owned(), Wanted::Named);
            return Some(Completion { start, end, typed, wanted, rest });
        }
        let sign = token.find([':', '~']).into_iter().chain(token.find("==")).min();
        let Some(sign) = sign else {
            let plain = token.chars().all(|c| c.is_ascii_alphabetic());
            return plain.then_some(Completion { start, end, typed: token, wanted: Wanted::Field, rest });
        };
        if token[sign..].starts_with('~') {
            return None;
        }
        let field = field_named(&token[..sign])?.field;
        let values = sign + if token[sign..].starts_with("==") { 2 } else { 1 };
        let before_value = values + last_value(&token[values..]);
        let typed = token[before_value..].trim_start_matches('"').to_owned();
        let start = start + token[..before_value].chars().count();
        // The whole value is replaced, not only what stands before the cursor.
        let end = (cursor..end).find(|at| chars[*at] == ',').unwrap_or(end);
        Some(Completion { start, end, typed, wanted: Wanted::Value(field), rest })
    }

    /// The text with a candidate in place, and the cursor behind it.
    pub fn take(&self, text: &str, candidate: &str) -> (String, usize) {
        let replaced = match self.wanted {
            Wanted::Field => format!("{candidate}:"),
            Wanted::Value(_) => written(candidate),
            Wanted::Named => candidate.to_owned(),
        };
        let chars: Vec<char> = text.chars().collect();
        let before: String = chars[..self.start.min(chars.len())].iter().collect();
        let after: String = chars[self.end.min(chars.len())..].iter().collect();
        let cursor = before.chars().count() + replaced.chars().count();
        (format!("{before}{replaced}{after}"), cursor)
    }
}

/// Fields in whose name or alias the typed letters begin, then those that only hold them.
pub fn fields_for(typed: &str) -> Vec<&'static FieldInfo> {
    let typed = typed.to_ascii_lowercase();
    let names = |info: &FieldInfo| {
        std::iter::once(info.name).chain(info.aliases.iter().copied()).map(str::to_ascii_lowercase)
    };
    let begins = |info: &&FieldInfo| names(info).any(|name| name.starts_with(&typed));
    let holds = |info: &&FieldInfo| names(info).any(|name| name.contains(&typed));
    let mut found: Vec<&FieldInfo> = FIELDS.iter().filter(begins).collect();
    found.extend(FIELDS.iter().filter(|info| !begins(info) && holds(info)));
    found
}

/// Values that are known without looking at records.
pub fn fixed_values(field: FieldName) -> &'static [&'static str] {
    match field.info().kind {
        FieldKind::Length => &[">1s", ">100ms", ">10s"],
        FieldKind::Moment => &["-15m", "-1h", "-1d"],
        _ => words_of(field),
    }
}

/// The value as it must be written: in quotes where letters in it have a meaning.
fn written(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ',' | '*' | '\\');
    if value.is_empty() || value.chars().any(special) {
        return format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    value.to_owned()
}

/// Where the last of the values begins that are separated by commas.
fn last_value(values: &str) -> usize {
    let mut quoted = false;
    let mut begin = 0;
    for (at, c) in values.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => begin = at + 1,
            _ => {}
        }
    }
    begin
}

/// The text without the term at character `cursor`.
pub fn without_term_at(text: &str, cursor: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (start, end) = token_around(&chars, cursor.min(chars.len()));
    without(&chars, start, end)
}

fn without(chars: &[char], start: usize, end: usize) -> String {
    let rest = [&chars[..start], &[' '], &chars[end..]].concat().into_iter().collect::<String>();
    // What is left may end in a sign that lost what it stood for.
    rest.trim().trim_end_matches(['-', '(']).trim().to_owned()
}

/// The term that the cursor is in or behind, without the signs before it.
fn token_around(chars: &[char], cursor: usize) -> (usize, usize) {
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in chars[..cursor].iter().enumerate() {
        match c {
            '"' => quoted = !quoted,
            c if !quoted && (c.is_whitespace() || matches!(c, '(' | ')')) => start = at + 1,
            '-' if !quoted && at == start => start = at + 1,
            _ => {}
        }
    }
    let mut end = cursor;
    while let Some(c) = chars.get(end) {
        match c {
            '"' => quoted = !quoted,
            c if !quoted && (c.is_whitespace() || matches!(c, '(' | ')')) => break,
            _ => {}
        }
        end += 1;
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    fn at(text: &str) -> Option<(String, Wanted, String)> {
        let cursor = text.find('|').map_or(text.len(), |at| at);
        let found = Completion::at(&text.replace('|', ""), cursor)?;
        Some((found.typed, found.wanted, found.rest))
    }

    #[test]
    fn what_is_wanted_where() {
        let some = |typed: &str, wanted, rest: &str| Some((typed.to_owned(), wanted, rest.to_owned()));
        assert_eq!(at(""), some("", Wanted::Field, ""));
        assert_eq!(at("ver"), some("ver", Wanted::Field, ""));
        assert_eq!(at("ns:prod us"), some("us", Wanted::Field, "ns:prod"));
        assert_eq!(at("ns:prod -user:al"), some("al", Wanted::Value(FieldName::User), "ns:prod"));
        assert_eq!(at("user:bob,al| ns:prod"), some("al", Wanted::Value(FieldName::User), "ns:prod"));
        assert_eq!(at("(verb:"), some("", Wanted::Value(FieldName::Verb), ""));
        assert_eq!(at("user:\"CN=a,O"), some("CN=a,O", Wanted::Value(FieldName::User), ""));
        assert_eq!(at("ns==prod,ku"), some("ku", Wanted::Value(FieldName::Namespace), ""));
        assert_eq!(at("agent~ku"), None);
        assert_eq!(at("request.spec:x"), None);
        assert_eq!(at("@mine"), some("mine", Wanted::Named, ""));
    }

    #[test]
    fn taking_a_candidate() {
        let take = |text: &str, candidate: &str| {
            let cursor = text.find('|').unwrap_or(text.len());
            let text = text.replace('|', "");
            Completion::at(&text, cursor).expect("something is wanted").take(&text, candidate)
        };
        assert_eq!(take("ve", "verb"), ("verb:".to_owned(), 5));
        assert_eq!(take("ns:prod user:al", "alice@example.com").0, "ns:prod user:alice@example.com");
        assert_eq!(take("user:a|lice ns:x", "bob").0, "user:bob ns:x");
        assert_eq!(take("user:a|x,carol", "bob").0, "user:bob,carol");
        let (text, _) = take("-user:\"CN=a,O", "CN=a,O=b");
        assert_eq!(text, "-user:\"CN=a,O=b\"");
        assert!(parse(&text).is_ok());
    }

    #[test]
    fn fields_by_their_letters() {
        let names = |typed: &str| fields_for(typed).iter().map(|info| info.name).collect::<Vec<_>>();
        assert_eq!(names("use")[0], "user");
        assert_eq!(names("name")[..2], ["ns", "name"], "an alias counts");
        assert!(names("zz").is_empty() && names("").len() == FIELDS.len());
        assert!(fixed_values(FieldName::Is).contains(&"noop") && fixed_values(FieldName::User).is_empty());
    }
}

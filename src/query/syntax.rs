//! Reading and printing expressions.
//!
//! ```text
//! expression = all { "or" all }
//! all        = one { ["and"] one }
//! one        = ( "-" | "not" ) one | "(" expression ")" | term
//! term       = field ":" value { "," value } | value
//! value      = letters without space, comma, quote or parenthesis, or "…" with \" and \\ inside
//! ```
//! A word without a field is looked for in user, verb, resource, namespace, name, agent and URI. Matching ignores
//! case unless the value has a capital letter or quotes. `*` stands for anything outside quotes.

use std::fmt;

use super::fields::{FIELDS, FieldInfo, FieldKind, FieldName, field_named, nearest};

/// A whole filter. The empty one matches everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expression {
    /// Nothing for the empty filter.
    pub root: Option<Node>,
}

/// A part of a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// All of these (two or more).
    And(Vec<Node>),
    /// Any of these (two or more).
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// A test of one record.
    Term(Term),
}

/// `field:value,value` or a bare word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Nothing for a bare word.
    pub field: Option<FieldName>,
    /// Any of them.
    pub values: Vec<Value>,
}

/// A value as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// Without its quotes.
    pub text: String,
    /// Whether it stood in quotes, so that nothing in it has a meaning.
    pub quoted: bool,
}

/// Why a text is no expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Character, counted from 0, where the trouble begins.
    pub position: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right there.
    pub suggestion: Option<String>,
    /// Whether typing on may make it right.
    pub incomplete: bool,
}

/// Reads an expression.
///
/// # Errors
/// Where and why the text is none.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let tokens = lex(text)?;
    let mut parser = Parser { tokens, next: 0, depth: 0, end: text.chars().count() };
    if parser.tokens.is_empty() {
        return Ok(Expression::default());
    }
    let root = parser.any()?;
    match parser.peek() {
        None => Ok(Expression { root: Some(root) }),
        Some((_, position)) => Err(error(position, "this ) closes nothing", None, false)),
    }
}

fn error(
    position: usize,
    message: impl Into<String>,
    suggestion: Option<String>,
    incomplete: bool,
) -> ParseError {
    ParseError { position, message: message.into(), suggestion, incomplete }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Open,
    Close,
    Minus,
    And,
    Or,
    Not,
    Term(Term),
}

fn lex(text: &str) -> Result<Vec<(Token, usize)>, ParseError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        match c {
            c if c.is_whitespace() => at += 1,
            '(' => {
                tokens.push((Token::Open, at));
                at += 1;
            }
            ')' => {
                tokens.push((Token::Close, at));
                at += 1;
            }
            '-' => {
                tokens.push((Token::Minus, at));
                at += 1;
            }
            _ => {
                let start = at;
                let token = lex_term(&chars, &mut at)?;
                tokens.push((token, start));
            }
        }
    }
    Ok(tokens)
}

fn lex_term(chars: &[char], at: &mut usize) -> Result<Token, ParseError> {
    let start = *at;
    let info = lex_field(chars, at)?;
    let mut values: Vec<(Value, usize)> = Vec::new();
    loop {
        let value_start = *at;
        let value = lex_value(chars, at, info.is_some())?;
        let ends_early = value.text.is_empty() && !value.quoted;
        if ends_early && info.is_some() {
            let message = format!("a value is missing after {}:", info.map_or("", |i| i.name));
            return Err(error(value_start, message, None, *at >= chars.len()));
        }
        values.push((value, value_start));
        if info.is_some() && chars.get(*at) == Some(&',') {
            *at += 1;
            continue;
        }
        break;
    }
    match info {
        None => {
            let value = values.remove(0).0;
            let word = value.text.to_ascii_lowercase();
            Ok(match word.as_str() {
                "and" if !value.quoted => Token::And,
                "or" if !value.quoted => Token::Or,
                "not" if !value.quoted => Token::Not,
                _ if value.text.is_empty() && !value.quoted => {
                    return Err(error(start, "something to look for is missing", None, false));
                }
                _ => Token::Term(Term { field: None, values: vec![value] }),
            })
        }
        Some(info) => {
            for (value, position) in &values {
                check_value(info, value, *position, *at >= chars.len())?;
            }
            let values = values.into_iter().map(|(value, _)| value).collect();
            Ok(Token::Term(Term { field: Some(info.field), values }))
        }
    }
}

/// `name:` at the beginning of a term. Usernames begin with `system:`, so that is no field.
fn lex_field(chars: &[char], at: &mut usize) -> Result<Option<&'static FieldInfo>, ParseError> {
    let name: String = chars[*at..].iter().take_while(|c| c.is_ascii_alphabetic() || **c == '_').collect();
    if name.is_empty() || name == "system" || chars.get(*at + name.len()) != Some(&':') {
        return Ok(None);
    }
    match field_named(&name) {
        Some(info) => {
            *at += name.len() + 1;
            Ok(Some(info))
        }
        None => {
            let names =
                FIELDS.iter().flat_map(|info| std::iter::once(&info.name).chain(info.aliases)).copied();
            let suggestion = nearest(&name, names).map(|near| format!("{near}:"));
            let tip = if suggestion.is_some() { "" } else { "; put quotes around text with a colon" };
            let message = format!("there is no field '{name}'{tip}");
            Err(error(*at, message, suggestion, false))
        }
    }
}

fn lex_value(chars: &[char], at: &mut usize, in_field: bool) -> Result<Value, ParseError> {
    if chars.get(*at) != Some(&'"') {
        let start = *at;
        let ends = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | '"') || (in_field && *c == ',');
        while chars.get(*at).is_some_and(|c| !ends(c)) {
            *at += 1;
        }
        return Ok(Value { text: chars[start..*at].iter().collect(), quoted: false });
    }
    let open = *at;
    *at += 1;
    let mut text = String::new();
    loop {
        match chars.get(*at) {
            None => return Err(error(open, "this quote is not closed", None, true)),
            Some('"') => {
                *at += 1;
                return Ok(Value { text, quoted: true });
            }
            Some('\\') if matches!(chars.get(*at + 1), Some('"' | '\\')) => {
                text.push(chars[*at + 1]);
                *at += 2;
            }
            Some(c) => {
                text.push(*c);
                *at += 1;
            }
        }
    }
}

/// Refuses values that can match nothing.
fn check_value(info: &FieldInfo, value: &Value, position: usize, at_end: bool) -> Result<(), ParseError> {
    let text = value.text.as_str();
    // The empty text asks for records without the field, as it does for strings. `is` is never absent.
    if text.is_empty() && info.field != FieldName::Is {
        return Ok(());
    }
    match info.kind {
        FieldKind::Number if text != "*" && code_range(text).is_none() => {
            let hundreds = text.strip_suffix(['x', 'X']).is_some_and(|digits| code_range(digits).is_some());
            let started = text.starts_with(['<', '>', '=']) || text.ends_with('-') || hundreds;
            Err(error(
                position,
                format!("'{text}' is no status code"),
                Some("code:>=400".into()),
                at_end && started,
            ))
        }
        FieldKind::Word if text != "*" || info.field == FieldName::Is => {
            let words = words_of(info.field);
            if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                return Ok(());
            }
            let lower = text.to_ascii_lowercase();
            let started = at_end && words.iter().any(|word| word.to_ascii_lowercase().starts_with(&lower));
            let message = format!("{} is one of {}", info.name, words.join(", "));
            let near = nearest(text, words.iter().copied()).map(|word| format!("{}:{word}", info.name));
            Err(error(position, message, near, started))
        }
        _ => Ok(()),
    }
}

/// The words that a field of kind [`FieldKind::Word`] may have.
pub(super) fn words_of(field: FieldName) -> &'static [&'static str] {
    match field {
        FieldName::Stage => &["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"],
        FieldName::Level => &["Metadata", "Request", "RequestResponse"],
        FieldName::Decision => &["allow", "forbid"],
        FieldName::Is => &["write", "read", "failed"],
        _ => &[],
    }
}

/// The codes that `403`, `4xx`, `>=400`, `<300`, `500-599` mean, both ends included.
pub(super) fn code_range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse::<u16>().ok();
    if let Some(rest) = text.strip_prefix(">=") {
        return Some((number(rest)?, u16::MAX));
    }
    if let Some(rest) = text.strip_prefix("<=") {
        return Some((1, number(rest)?));
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Some((number(rest)?.checked_add(1)?, u16::MAX));
    }
    if let Some(rest) = text.strip_prefix('<') {
        return Some((1, number(rest)?.checked_sub(1)?));
    }
    if let Some((low, high)) = text.split_once('-') {
        return Some((number(low)?, number(high)?));
    }
    if let Some(hundreds) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let hundreds = number(hundreds).filter(|h| (1..=9).contains(h))?;
        return Some((hundreds * 100, hundreds * 100 + 99));
    }
    let exact = number(text.strip_prefix('=').unwrap_or(text))?;
    Some((exact, exact))
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    /// Brackets and negations around the present token.
    depth: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<(&Token, usize)> {
        self.tokens.get(self.next).map(|(token, position)| (token, *position))
    }

    fn any(&mut self) -> Result<Node, ParseError> {
        let mut parts = vec![self.all()?];
        while matches!(self.peek(), Some((Token::Or, _))) {
            self.next += 1;
            parts.push(self.all()?);
        }
        Ok(join(parts, Node::Or))
    }

    fn all(&mut self) -> Result<Node, ParseError> {
        let mut parts = vec![self.one()?];
        loop {
            match self.peek() {
                Some((Token::And, _)) => {
                    self.next += 1;
                    parts.push(self.one()?);
                }
                None | Some((Token::Or | Token::Close, _)) => return Ok(join(parts, Node::And)),
                Some(_) => parts.push(self.one()?),
            }
        }
    }

    /// Deep nesting is nobody's question; unbounded recursion would be a way to crash.
    fn deeper(&mut self, position: usize) -> Result<(), ParseError> {
        const DEEPEST: usize = 64;
        if self.depth == DEEPEST {
            return Err(error(position, "this is nested too deeply", None, false));
        }
        self.depth += 1;
        Ok(())
    }

    fn one(&mut self) -> Result<Node, ParseError> {
        let Some((token, position)) = self.peek() else {
            return Err(error(self.end, "something to look for is missing here", None, true));
        };
        let token = token.clone();
        self.next += 1;
        match token {
            Token::Minus | Token::Not => {
                self.deeper(position)?;
                let inside = self.one()?;
                self.depth -= 1;
                Ok(Node::Not(Box::new(inside)))
            }
            Token::Open => {
                self.deeper(position)?;
                let inside = self.any()?;
                self.depth -= 1;
                if !matches!(self.peek(), Some((Token::Close, _))) {
                    return Err(error(position, "this ( is not closed", None, true));
                }
                self.next += 1;
                Ok(inside)
            }
            Token::Term(term) => Ok(Node::Term(term)),
            Token::And | Token::Or => {
                Err(error(position, "something to look for is missing before this", None, false))
            }
            Token::Close => Err(error(position, "this ) closes nothing", None, false)),
        }
    }
}

fn join(mut parts: Vec<Node>, wrap: fn(Vec<Node>) -> Node) -> Node {
    if parts.len() == 1 { parts.remove(0) } else { wrap(parts) }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            None => Ok(()),
            Some(root) => root.fmt(f),
        }
    }
}

impl Node {
    fn print_parts(
        f: &mut fmt::Formatter<'_>,
        parts: &[Node],
        separator: &str,
        bracket: fn(&Node) -> bool,
    ) -> fmt::Result {
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                f.write_str(separator)?;
            }
            if bracket(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
        }
        Ok(())
    }
}

/// Brackets stand wherever reading would otherwise give another tree.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Term(term) => term.fmt(f),
            Node::Not(inner) if matches!(**inner, Node::And(_) | Node::Or(_)) => write!(f, "-({inner})"),
            Node::Not(inner) => write!(f, "-{inner}"),
            Node::And(parts) => Self::print_parts(f, parts, " ", |p| matches!(p, Node::And(_) | Node::Or(_))),
            Node::Or(parts) => Self::print_parts(f, parts, " or ", |p| matches!(p, Node::Or(_))),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{}:", field.info().name)?;
        }
        for (i, value) in self.values.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            value.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted {
            write!(f, "\"{}\"", self.text.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            f.write_str(&self.text)
        }
    }
}

impl Value {
    /// A value that matches exactly this text, quoted where it must be.
    pub fn exactly(text: &str) -> Value {
        let plain = !text.is_empty()
            && !text.chars().any(|c| {
                c.is_whitespace() || c.is_uppercase() || matches!(c, '(' | ')' | '"' | ',' | '*' | '\\')
            });
        Value { text: text.to_owned(), quoted: !plain }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(text: &str) -> String {
        parse(text).map_or_else(|e| panic!("{text}: {e:?}"), |e| e.to_string())
    }

    #[test]
    fn forms_that_people_write() {
        assert_eq!(
            printed("user:alice verb:delete,patch -ns:kube-system"),
            "user:alice verb:delete,patch -ns:kube-system"
        );
        assert_eq!(printed("NAMESPACE:prod AND not (a or b)"), "ns:prod -(a or b)");
        assert_eq!(printed(r#"user:"CN=a,O=b" "exact phrase""#), r#"user:"CN=a,O=b" "exact phrase""#);
        assert_eq!(printed("user:system:serviceaccount:*"), "user:system:serviceaccount:*");
        assert_eq!(printed("system:node:n1"), "system:node:n1");
        assert_eq!(printed("code:>=400 or code:4xx,500-599"), "code:>=400 or code:4xx,500-599");
        assert_eq!(printed("  "), "");
        assert_eq!(printed("argocd-application-controller"), "argocd-application-controller");
    }

    #[test]
    fn errors_point_at_the_character() {
        let fail = |text: &str| parse(text).unwrap_err();
        let unknown = fail("verb:get usr:alice");
        assert_eq!(
            (unknown.position, unknown.suggestion.as_deref(), unknown.incomplete),
            (9, Some("user:"), false)
        );
        let open = fail("user:\"alice");
        assert_eq!((open.position, open.incomplete), (5, true));
        assert!(
            fail("ns:").incomplete
                && fail("a or").incomplete
                && fail("(a").incomplete
                && fail("-").incomplete
        );
        assert!(fail("ns: verb:get").position == 3 && !fail("ns: verb:get").incomplete);
        assert_eq!(fail("code:abc").position, 5);
        assert!(fail("code:>").incomplete && fail("stage:Resp").incomplete);
        assert_eq!(fail("level:metdata").suggestion.as_deref(), Some("level:Metadata"));
        assert!(!fail("a )").incomplete);
        assert!(fail("code:4x").incomplete && !fail("code:ax").incomplete);
        assert!(fail("is:*").message.starts_with("is is one of") && parse("is:\"\"").is_err());
        assert!(parse(&"(".repeat(5000)).is_err() && parse(&"-".repeat(5000)).is_err());
        assert!(parse(&format!("{}a", "-(".repeat(5000))).is_err());
        assert!(parse(&"(a or b) ".repeat(200)).is_ok(), "many brackets are not deep brackets");
    }

    fn term() -> impl Strategy<Value = Node> {
        let value = prop_oneof!["[a-z*.:/]{1,6}", ".{0,6}"].prop_map(|text| {
            let exact = Value::exactly(&text);
            Value {
                quoted: exact.quoted || matches!(text.as_str(), "and" | "or" | "not") || text.contains(':'),
                text,
            }
        });
        let field = prop_oneof![Just(None), Just(Some(FieldName::User)), Just(Some(FieldName::Name))];
        (field, prop::collection::vec(value, 1..3)).prop_map(|(field, mut values)| {
            if field.is_none() {
                values.truncate(1);
            }
            for value in &mut values {
                value.quoted |= value.text.starts_with('-');
            }
            Node::Term(Term { field, values })
        })
    }

    fn node() -> impl Strategy<Value = Node> {
        term().prop_recursive(4, 20, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Node::And),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Node::Or),
                inner.prop_map(|n| Node::Not(Box::new(n))),
            ]
        })
    }

    proptest! {
        #[test]
        fn printing_and_reading_give_the_same_tree(root in node()) {
            let expression = Expression { root: Some(root) };
            let text = expression.to_string();
            prop_assert_eq!(parse(&text), Ok(expression), "{}", text);
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in ".{0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.position <= text.chars().count());
            }
        }
    }
}

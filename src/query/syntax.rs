//! The filter language as a tree, and how a tree is written.
//!
//! The grammar, in one place ([`super::parser`] reads it; README and `:help filter` explain it with examples):
//! ```text
//! expression = all { "or" all }
//! all        = one { ["and"] one }
//! one        = ( "-" | "not" ) one | "(" expression ")" | term
//! term       = target ":" value { "," value } | field "==" value { "," value } | target "~" regex | value
//! target     = field | "annotation." key | ( "request" | "response" | "body" ) { "." key | "[]" | "[" number "]" }
//! key        = letters without : ~ . [ ] ( ) , quote or space, or ["…"]; in an annotation dots are letters
//! value      = letters without space, comma, quote or parenthesis, or "…" with \" and \\ inside
//! regex      = anything up to a space or a ) that it does not open, or "…"
//! ```
//! A word without a field is looked for in user, verb, resource, namespace, name, agent and URI. Matching ignores
//! case unless the value has a capital letter or quotes. `*` stands for anything outside quotes; `field:*` asks for
//! any value, `field:""` for none. `field==value` asks for exactly what a column or a table of groups shows there, letter
//! for letter: `user==alice` is the authenticated user alone, where `user:alice` is also whoever acted as alice. Printing a tree and reading it again gives the same tree.

use std::fmt;

use super::fields::FieldName;

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

/// `target:value,value`, `field==value,value`, `target~regex`, or a bare word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Nothing for a bare word.
    pub target: Option<Target>,
    /// The one value is a regular expression.
    pub regex: bool,
    /// Any of them.
    pub values: Vec<Value>,
}

/// What a term asks about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A field of the table.
    Field(FieldName),
    /// The one value of a field by which rows are grouped and that columns show, see [`super::keys::Keys`].
    Exactly(FieldName),
    /// An annotation, by its whole key.
    Annotation(String),
    /// A place in the bodies.
    Body(BodyPath),
}

impl From<FieldName> for Target {
    fn from(field: FieldName) -> Target {
        Target::Field(field)
    }
}

impl Target {
    /// What stands between it and its values.
    pub(super) fn sign(&self, regex: bool) -> &'static str {
        match self {
            Target::Exactly(_) => "==",
            _ if regex => "~",
            _ => ":",
        }
    }

    /// The field that is asked about.
    pub fn field(&self) -> Option<FieldName> {
        match self {
            Target::Field(field) | Target::Exactly(field) => Some(*field),
            Target::Annotation(_) | Target::Body(_) => None,
        }
    }
}

/// A place in `requestObject`, `responseObject`, or either.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BodyPath {
    /// In which body.
    pub body: Body,
    /// The way down from it; never empty.
    pub steps: Vec<Step>,
}

/// Which body a path begins in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Body {
    /// `requestObject`
    Request,
    /// `responseObject`
    Response,
    /// Either of them.
    Either,
}

impl Body {
    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            Body::Request => "request",
            Body::Response => "response",
            Body::Either => "body",
        }
    }
}

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// The member with this key; of an array, that member of any element.
    Key(String),
    /// Any element of an array.
    Any,
    /// The element at this place of an array, counted from 0.
    Index(u32),
}

/// A value as it was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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

impl Value {
    /// A value that matches exactly this text, quoted where it must be.
    pub fn exactly(text: &str) -> Value {
        let plain = !text.is_empty()
            && !text.starts_with(['<', '>', '~'])
            && !text.chars().any(|c| {
                c.is_whitespace() || c.is_uppercase() || matches!(c, '(' | ')' | '"' | ',' | '*' | '\\')
            });
        Value { text: text.to_owned(), quoted: !plain }
    }
}

impl Expression {
    /// The top-level conditions, all of which must hold: what the pills of the filter bar are.
    pub fn conditions(&self) -> &[Node] {
        match &self.root {
            None => &[],
            Some(Node::And(parts)) => parts,
            Some(other) => std::slice::from_ref(other),
        }
    }

    /// The filter in which all of these hold.
    pub fn all_of(mut conditions: Vec<Node>) -> Expression {
        let root = if conditions.len() > 1 { Some(Node::And(conditions)) } else { conditions.pop() };
        Expression { root }
    }

    /// Whether any term passes `test`.
    pub fn mentions(&self, test: impl Fn(&Term) -> bool) -> bool {
        fn any(node: &Node, test: &dyn Fn(&Term) -> bool) -> bool {
            match node {
                Node::And(parts) | Node::Or(parts) => parts.iter().any(|part| any(part, test)),
                Node::Not(inner) => any(inner, test),
                Node::Term(term) => test(term),
            }
        }
        self.root.as_ref().is_some_and(|root| any(root, &test))
    }
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
        if let Some(target) = &self.target {
            write!(f, "{target}{}", target.sign(self.regex))?;
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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Field(field) | Target::Exactly(field) => f.write_str(field.info().name),
            Target::Annotation(key)
                if key.chars().all(|c| c == '.' || is_key_letter(c)) && !key.is_empty() =>
            {
                write!(f, "annotation.{key}")
            }
            Target::Annotation(key) => write!(f, "annotation[{}]", in_quotes(key)),
            Target::Body(path) => path.fmt(f),
        }
    }
}

impl fmt::Display for BodyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body.name())?;
        for step in &self.steps {
            match step {
                Step::Key(key) if !key.is_empty() && key.chars().all(is_key_letter) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[{}]", in_quotes(key))?,
                Step::Any => f.write_str("[]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { f.write_str(&in_quotes(&self.text)) } else { f.write_str(&self.text) }
    }
}

/// Whether a key may be written with this letter without quotes.
pub(super) fn is_key_letter(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '.' | ':' | '~' | '[' | ']' | '(' | ')' | ',' | '"')
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! Reads the filter language: text to tokens to the tree of [`super::syntax`]. Whether a value makes sense for its
//! field is asked of [`super::check`].

use super::check::check_value;
use super::fields::{FIELDS, field_named, nearest};
use super::keys::has_values;
use super::pattern::Pattern;
use super::syntax::{Body, BodyPath, Expression, Node, ParseError, Step, Target, Term, Value, is_key_letter};

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

/// Reads what stands before the colon of a term: a field, an annotation or a path. For columns and group-by, which
/// name the same things.
///
/// # Errors
/// When it is none, with the nearest field.
pub fn parse_target(text: &str) -> Result<Target, ParseError> {
    let chars: Vec<char> = format!("{text}:").chars().collect();
    let mut at = 0;
    match lex_target(&chars, &mut at)? {
        Some((target, false)) if at == chars.len() => Ok(target),
        _ => Err(unknown_field(text, 0)),
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
    match lex_target(chars, at)? {
        None => lex_word(chars, at, start),
        Some((target, true)) => lex_regex(chars, at, target),
        Some((target, false)) => lex_values(chars, at, target),
    }
}

fn lex_word(chars: &[char], at: &mut usize, start: usize) -> Result<Token, ParseError> {
    let value = lex_value(chars, at, false)?;
    if value.text.is_empty() && !value.quoted {
        return Err(error(start, "something to look for is missing", None, false));
    }
    Ok(match value.text.to_ascii_lowercase().as_str() {
        "and" if !value.quoted => Token::And,
        "or" if !value.quoted => Token::Or,
        "not" if !value.quoted => Token::Not,
        _ => Token::Term(Term { target: None, regex: false, values: vec![value] }),
    })
}

fn lex_values(chars: &[char], at: &mut usize, target: Target) -> Result<Token, ParseError> {
    let mut values: Vec<(Value, usize)> = Vec::new();
    loop {
        let value_start = *at;
        let value = lex_value(chars, at, true)?;
        if value.text.is_empty() && !value.quoted {
            let message = format!("a value is missing after {target}{}", target.sign(false));
            return Err(error(value_start, message, None, *at >= chars.len()));
        }
        values.push((value, value_start));
        if chars.get(*at) != Some(&',') {
            break;
        }
        *at += 1;
    }
    for (value, position) in &values {
        check_value(&target, value, *at >= chars.len())
            .map_err(|problem| ParseError { position: *position, ..problem })?;
    }
    let values = values.into_iter().map(|(value, _)| value).collect();
    Ok(Token::Term(Term { target: Some(target), regex: false, values }))
}

fn lex_regex(chars: &[char], at: &mut usize, target: Target) -> Result<Token, ParseError> {
    let start = *at;
    let value = if chars.get(*at) == Some(&'"') {
        lex_value(chars, at, true)?
    } else {
        let mut open = 0usize;
        while let Some(c) = chars.get(*at).filter(|c| !c.is_whitespace()) {
            match c {
                '\\' if chars.get(*at + 1).is_some_and(|next| !next.is_whitespace()) => *at += 1,
                '(' => open += 1,
                ')' if open == 0 => break,
                ')' => open -= 1,
                _ => {}
            }
            *at += 1;
        }
        Value { text: chars[start..*at].iter().collect(), quoted: false }
    };
    let at_end = *at >= chars.len();
    if value.text.is_empty() {
        return Err(error(start, format!("a regular expression is missing after {target}~"), None, at_end));
    }
    if let Target::Field(field) = &target
        && !field.takes_regex()
    {
        let message = format!("{target} takes no regular expression");
        return Err(error(start, message, Some(format!("{target}:")), false));
    }
    if let Err(problem) = Pattern::regex(&value.text, value.quoted) {
        return Err(error(start, format!("this is no regular expression: {problem}"), None, at_end));
    }
    Ok(Token::Term(Term { target: Some(target), regex: true, values: vec![value] }))
}

/// What stands before a `:`, `==` or `~`, stepped over with that sign; whether it was `~`. Usernames begin with
/// `system:`, so that is no field. Where no field stands before `==`, it is a part of a word.
fn lex_target(chars: &[char], at: &mut usize) -> Result<Option<(Target, bool)>, ParseError> {
    let name: String = chars[*at..].iter().take_while(|c| c.is_ascii_alphabetic() || **c == '_').collect();
    if name.is_empty() || name == "system" {
        return Ok(None);
    }
    let mut end = *at + name.len();
    let has_steps = matches!(chars.get(end), Some('.' | '['));
    let body = match name.to_ascii_lowercase().as_str() {
        "request" | "requestobject" => Some(Body::Request),
        "response" | "responseobject" => Some(Body::Response),
        "body" => Some(Body::Either),
        _ => None,
    };
    let target = if has_steps && let Some(body) = body {
        let Some(steps) = lex_steps(chars, &mut end)? else { return Ok(None) };
        Some(Target::Body(BodyPath { body, steps }))
    } else if has_steps && matches!(name.to_ascii_lowercase().as_str(), "annotation" | "annotations") {
        let Some(key) = lex_annotation_key(chars, &mut end)? else { return Ok(None) };
        Some(Target::Annotation(key))
    } else {
        field_named(&name).map(|info| Target::Field(info.field))
    };
    let regex = match (chars.get(end), chars.get(end + 1)) {
        (Some(':'), _) => false,
        (Some('~'), _) => true,
        (Some('='), Some('=')) => {
            let Some(Target::Field(field)) = target else { return Ok(None) };
            if !has_values(field) {
                let name = field.info().name;
                let message = format!("{name} is a question and has no values of its own");
                return Err(error(*at, message, Some(format!("{name}:")), false));
            }
            *at = end + 2;
            return Ok(Some((Target::Exactly(field), false)));
        }
        _ => return Ok(None),
    };
    match target {
        Some(target) => {
            *at = end + 1;
            Ok(Some((target, regex)))
        }
        None if body.is_some() => {
            let name = name.to_ascii_lowercase();
            let message = format!("a place in the {name} is missing");
            Err(error(*at, message, Some(format!("{name}.spec.replicas:")), false))
        }
        None => Err(unknown_field(&name, *at)),
    }
}

fn unknown_field(name: &str, position: usize) -> ParseError {
    let names = FIELDS.iter().flat_map(|info| std::iter::once(&info.name).chain(info.aliases)).copied();
    let suggestion = nearest(name, names).map(|near| format!("{near}:"));
    let tip = if suggestion.is_some() { "" } else { "; put quotes around text with a colon" };
    error(position, format!("there is no field '{name}'{tip}"), suggestion, false)
}

/// The steps of a path; `None` when it is not one after all.
fn lex_steps(chars: &[char], at: &mut usize) -> Result<Option<Vec<Step>>, ParseError> {
    /// No object of the API is deeper; more steps are no question.
    const MOST_STEPS: usize = 64;
    let mut steps = Vec::new();
    loop {
        match (chars.get(*at), chars.get(*at + 1)) {
            (Some('.'), _) => {
                *at += 1;
                let key: String = chars[*at..].iter().take_while(|c| is_key_letter(**c)).collect();
                if key.is_empty() {
                    return Ok(None);
                }
                *at += key.chars().count();
                steps.push(Step::Key(key));
            }
            (Some('['), Some(']')) => {
                *at += 2;
                steps.push(Step::Any);
            }
            (Some('['), Some('"')) => steps.push(Step::Key(lex_quoted_key(chars, at)?)),
            (Some('['), _) => {
                let digits: String = chars[*at + 1..].iter().take_while(|c| c.is_ascii_digit()).collect();
                let after = *at + 1 + digits.len();
                let (Ok(index), Some(']')) = (digits.parse(), chars.get(after)) else {
                    let open = chars.get(after).is_none();
                    let message = "in brackets stands nothing (any element), a number, or a key in quotes";
                    return Err(error(*at, message, None, open));
                };
                *at = after + 1;
                steps.push(Step::Index(index));
            }
            _ => return Ok(Some(steps).filter(|steps| !steps.is_empty() && steps.len() <= MOST_STEPS)),
        }
    }
}

/// `["key"]`
fn lex_quoted_key(chars: &[char], at: &mut usize) -> Result<String, ParseError> {
    let open = *at;
    *at += 1;
    let key = lex_value(chars, at, true)?.text;
    if chars.get(*at) != Some(&']') {
        return Err(error(open, "this [ is not closed", None, *at >= chars.len()));
    }
    *at += 1;
    Ok(key)
}

fn lex_annotation_key(chars: &[char], at: &mut usize) -> Result<Option<String>, ParseError> {
    if chars.get(*at) == Some(&'[') {
        if chars.get(*at + 1) != Some(&'"') {
            return Ok(None);
        }
        return lex_quoted_key(chars, at).map(Some);
    }
    *at += 1;
    let key: String = chars[*at..].iter().take_while(|c| **c == '.' || is_key_letter(**c)).collect();
    *at += key.chars().count();
    Ok(Some(key).filter(|key| !key.is_empty()))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::FieldName;

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
        assert_eq!(printed("NAMESPACE==prod,\"\" a==b"), "ns==prod,\"\" a==b", "a==b is a word");
        assert_eq!(printed(r#"user:"CN=a,O=b" "exact phrase""#), r#"user:"CN=a,O=b" "exact phrase""#);
        assert_eq!(printed("user:system:serviceaccount:*"), "user:system:serviceaccount:*");
        assert_eq!(printed("system:node:n1"), "system:node:n1");
        assert_eq!(printed("code:>=400 or code:4xx,500-599"), "code:>=400 or code:4xx,500-599");
        assert_eq!(printed("  "), "");
        assert_eq!(printed("argocd-application-controller"), "argocd-application-controller");
    }

    #[test]
    fn regular_expressions_paths_and_annotations() {
        for text in [
            r"agent~kube(ctl|let)/v1\.3 ns:prod",
            r#"(user~^(alice|bob)@ or agent~"a b") name~\)x"#,
            "request.spec.template.spec.containers[].image:registry/*",
            r#"request.metadata.labels["app.kubernetes.io/name"]:web -response.status[0].x~y"#,
            "body.spec.replicas:>3,0",
            "annotation.pod-security.kubernetes.io/enforce-policy:privileged:latest",
            r#"annotation["a:b"]:*"#,
            "ip:10.0.0.0/8,::1 duration:>1s,100ms-2s since:-15m until:2026-01-14T03:00:00Z",
            r#"object:prod/deploy/web text:"a & b" at:"2026-01-14 03:00""#,
        ] {
            assert_eq!(printed(text), text);
        }
        assert_eq!(printed("requestObject.a:1 responseObject.b:2"), "request.a:1 response.b:2");
        assert_eq!(printed("request.spec"), "request.spec", "a word while the colon is missing");
        assert_eq!(parse_target("sub"), Ok(Target::Field(FieldName::Subresource)));
        assert!(parse_target("request.spec.replicas").is_ok() && parse_target("annotation.a.b/c").is_ok());
        assert_eq!(parse_target("usr").unwrap_err().suggestion.as_deref(), Some("user:"));
        assert!(
            parse_target("user:x").is_err() && parse_target("user~").is_err() && parse_target("").is_err()
        );
    }

    #[test]
    fn values_that_can_match_nothing_are_refused() {
        for (text, position, suggestion) in [
            ("ip:10.0.0.0/99", 3, Some("ip:10.0.0.0/8")),
            ("duration:1s", 9, Some("duration:>1s")),
            ("kind:humen", 5, Some("kind:human")),
            ("object:web", 7, Some("object:default/deploy/web")),
            ("since:yesterdayish", 6, Some("since:-15m")),
            ("request.spec.replicas:>three", 22, Some("request.spec.replicas:>=3")),
            ("agent~kube(", 6, None),
            ("stage~x", 6, Some("stage:")),
            ("request:x", 0, Some("request.spec.replicas:")),
            ("verb:get since==-15m", 9, Some("since:")),
            ("user==", 6, None),
            ("request.a[x]:1", 9, None),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(
                (error.position, error.suggestion.as_deref()),
                (position, suggestion),
                "{text}: {error:?}"
            );
        }
        assert!(parse("agent~kube(").unwrap_err().incomplete && parse("text:").unwrap_err().incomplete);
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
                // In a word without quotes these are signs behind a field.
                quoted: exact.quoted
                    || matches!(text.as_str(), "and" | "or" | "not")
                    || text.contains([':', '~'])
                    || text.contains("=="),
                text,
            }
        });
        let key = prop_oneof!["[a-zA-Z/-]{1,4}", ".{0,3}"];
        let step =
            prop_oneof![key.clone().prop_map(Step::Key), Just(Step::Any), any::<u32>().prop_map(Step::Index)];
        let body = prop_oneof![Just(Body::Request), Just(Body::Response), Just(Body::Either)];
        let target = prop_oneof![
            Just(None),
            Just(Some(Target::Field(FieldName::User))),
            Just(Some(Target::Field(FieldName::Name))),
            Just(Some(Target::Exactly(FieldName::Group))),
            key.prop_map(|key| Some(Target::Annotation(key))),
            (body, prop::collection::vec(step, 1..4))
                .prop_map(|(body, steps)| Some(Target::Body(BodyPath { body, steps }))),
        ];
        (target, prop::collection::vec(value, 1..3), any::<bool>()).prop_map(|(target, mut values, regex)| {
            let regex = regex
                && target.as_ref().is_some_and(|target| !matches!(target, Target::Exactly(_)))
                && !values[0].text.is_empty()
                && Pattern::regex(&values[0].text, true).is_ok();
            if target.is_none() || regex {
                values.truncate(1);
            }
            for value in &mut values {
                value.quoted |= regex || value.text.starts_with(['-', '<', '>']);
            }
            Node::Term(Term { target, regex, values })
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

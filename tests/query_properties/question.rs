//! Questions about given records: the shape of an expression comes at random, its values out of the records, so that
//! most questions are about something that is there.

use kauditui::model::{Micros, SECOND};
use kauditui::query::{
    Body, BodyPath, Expression, FIELDS, FieldKind, FieldName, Node, Step, Target, Term, Value, has_values,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value as Json;

use crate::measures::REFERENCE;
use crate::model::{self, Row};
use crate::places::at_path;
use crate::pools::{DAY, SOURCES};
use crate::record::Record;
use crate::spellings::{annotations, is_readable, texts};

/// What a term may ask about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    Word,
    Field(FieldName),
    /// The value that tables show.
    Exactly(FieldName),
    Annotation,
    Body,
}

/// Every topic; those with the most forms more than once.
pub fn topics() -> Vec<Topic> {
    let fields = FIELDS.iter().map(|info| Topic::Field(info.field));
    let often = [Topic::Word, Topic::Annotation, Topic::Body, Topic::Field(FieldName::Text)];
    let exactly = FIELDS.iter().filter(|info| has_values(info.field)).map(|info| Topic::Exactly(info.field));
    fields.chain(exactly).chain(std::iter::repeat_n(often, 4).flatten()).collect()
}

/// The shape of a question.
#[derive(Clone, Debug)]
pub enum Shape {
    And(Vec<Shape>),
    Or(Vec<Shape>),
    Not(Box<Shape>),
    Ask(Ask),
}

/// A value of some records, and how it is written.
#[derive(Clone, Debug)]
pub struct Ask {
    pub topic: Topic,
    pub records: Vec<Index>,
    pub form: u8,
    /// Chooses between values, and where they are cut.
    pub places: [Index; 3],
}

/// A question of one term about any of these.
pub fn ask(topics: Vec<Topic>) -> impl Strategy<Value = Ask> {
    let records = prop::collection::vec(any::<Index>(), 1..3);
    (prop::sample::select(topics), records, any::<u8>(), any::<[Index; 3]>())
        .prop_map(|(topic, records, form, places)| Ask { topic, records, form, places })
}

/// Any question.
pub fn shape() -> impl Strategy<Value = Shape> {
    ask(topics()).prop_map(Shape::Ask).prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Shape::And),
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Shape::Or),
            1 => inner.prop_map(|shape| Shape::Not(Box::new(shape))),
        ]
    })
}

/// What may become known of a record after it was read, together with what only its text can tell.
pub fn changing_shape() -> impl Strategy<Value = Shape> {
    let text = vec![Topic::Field(FieldName::Text), Topic::Annotation, Topic::Body];
    let both = (ask(vec![Topic::Field(FieldName::Duration)]), ask(text), any::<[bool; 2]>());
    both.prop_map(|(duration, text, [is_either, is_not])| {
        let text = Shape::Ask(text);
        let parts = vec![Shape::Ask(duration), if is_not { Shape::Not(Box::new(text)) } else { text }];
        if is_either { Shape::Or(parts) } else { Shape::And(parts) }
    })
}

/// The question as it is asked about these records.
pub fn expression(shape: &Shape, records: &[Record]) -> Expression {
    Expression { root: Some(node(shape, records)) }
}

pub fn node(shape: &Shape, records: &[Record]) -> Node {
    match shape {
        Shape::And(parts) => Node::And(parts.iter().map(|part| node(part, records)).collect()),
        Shape::Or(parts) => Node::Or(parts.iter().map(|part| node(part, records)).collect()),
        Shape::Not(inner) => Node::Not(Box::new(node(inner, records))),
        Shape::Ask(ask) => Node::Term(ask.term(records)),
    }
}

impl Ask {
    pub fn term(&self, records: &[Record]) -> Term {
        let record = self.records[0].get(records);
        let target = match self.topic {
            Topic::Word => None,
            Topic::Field(field) => Some(Target::Field(field)),
            Topic::Exactly(field) => Some(Target::Exactly(field)),
            Topic::Annotation => {
                let keys = annotations(record).map(|(key, _)| key.clone()).collect::<Vec<_>>();
                Some(Target::Annotation(
                    self.one_of(0, &keys).unwrap_or_else(|| "example.com/none".to_owned()),
                ))
            }
            Topic::Body => Some(Target::Body(self.path(record))),
        };
        let regex = self.is_regex(target.as_ref());
        let mut values: Vec<Value> =
            self.records.iter().map(|at| self.value(target.as_ref(), at.get(records), regex)).collect();
        if target.is_none() || regex {
            values.truncate(1);
        }
        Term { target, regex, values }
    }

    fn one_of<T: Clone>(&self, place: usize, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(self.places[place].get(all).clone()) }
    }

    fn is_regex(&self, target: Option<&Target>) -> bool {
        let takes_regex = match target {
            None => false,
            Some(Target::Field(field)) => field.takes_regex(),
            Some(Target::Exactly(_)) => false,
            Some(Target::Annotation(_) | Target::Body(_)) => true,
        };
        takes_regex && self.form % 16 >= 13
    }

    /// A way that leads to something in a body, or nearly.
    fn path(&self, record: &Record) -> BodyPath {
        let (body, from) = match self.form / 16 % 4 {
            0 => (Body::Request, "requestObject"),
            1 => (Body::Response, "responseObject"),
            _ if record.event.get("requestObject").is_none() => (Body::Either, "responseObject"),
            _ => (Body::Either, "requestObject"),
        };
        let mut ways = Vec::new();
        if let Some(body) = record.event.get(from) {
            self.walk(body, &mut Vec::new(), &mut ways);
        }
        // Half of the questions about a Secret are about its values.
        if self.form.is_multiple_of(2) && record.masked != record.event {
            let holds_secret = |step: &Step| {
                ["data", "stringData", "value"].iter().any(|key| *step == Step::Key((*key).to_owned()))
            };
            ways.retain(|way| way.iter().any(holds_secret));
        }
        let missing = vec![Step::Key("spec".into()), Step::Key("replicas".into())];
        let mut steps = self.one_of(0, &ways).unwrap_or(missing);
        // A key on an array means that of each element.
        if self.form >= 192 && steps.last() != Some(&Step::Any) {
            steps.retain(|step| *step != Step::Any);
        }
        BodyPath { body, steps }
    }

    fn walk(&self, value: &Json, way: &mut Vec<Step>, ways: &mut Vec<Vec<Step>>) {
        if !way.is_empty() {
            ways.push(way.clone());
        }
        match value {
            Json::Object(members) => {
                for (key, member) in members {
                    way.push(Step::Key(key.clone()));
                    self.walk(member, way, ways);
                    way.pop();
                }
            }
            Json::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    way.push(if self.form & 64 == 0 { Step::Any } else { Step::Index(at as u32) });
                    self.walk(element, way, ways);
                    way.pop();
                }
            }
            _ => {}
        }
    }

    /// The record's value, written in one of the ways in which people ask for it.
    fn value(&self, target: Option<&Target>, record: &Record, regex: bool) -> Value {
        let texts = match target {
            None => {
                [&record.name, &record.user, &record.resource, &record.user_agent].map(String::clone).into()
            }
            Some(Target::Field(field)) => match self.fixed_value(*field, record, regex) {
                Some(value) => return value,
                None => texts(*field, record),
            },
            Some(Target::Exactly(field)) => {
                let source = SOURCES[self.places[2].index(SOURCES.len())];
                let row = Row { record, source, is_marked: false, ended_after: None, is_revealed: false };
                let text = self.one_of(1, &model::values(*field, row)).unwrap_or_default();
                let quoted = self.form.is_multiple_of(4) || !is_readable(target, &text);
                return Value { text, quoted };
            }
            Some(Target::Annotation(wanted)) => annotations(record)
                .filter(|(key, _)| *key == wanted)
                .filter_map(|(_, value)| Some(value.as_str()?.to_owned()))
                .collect(),
            Some(Target::Body(path)) => at_path(&record.event, path)
                .into_iter()
                .filter(|leaf| !leaf.is_object())
                .map(|leaf| leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned))
                .collect(),
        };
        let text = self.one_of(1, &texts).unwrap_or_default();
        match target {
            _ if regex => self.regular(target, &text),
            Some(Target::Annotation(_) | Target::Body(_))
                if !self.form.is_multiple_of(3) && text.parse::<f64>().is_ok() =>
            {
                let sign = ["", ">", ">=", "<", "<="][self.places[2].index(5)];
                Value { text: format!("{sign}{text}"), quoted: false }
            }
            _ => self.written(target, text),
        }
    }

    /// A text, a part of it, or whether there is any.
    fn written(&self, target: Option<&Target>, text: String) -> Value {
        let (from, to) = self.part(&text);
        let is_part = match target {
            None => true,
            Some(Target::Field(field)) => field.info().kind == FieldKind::Part,
            Some(_) => false,
        };
        let plain = match self.form % 16 {
            0 => "*".to_owned(),
            1 => String::new(),
            2 => return never_nothing(target, Value { text, quoted: true }),
            3 | 4 | 6 if target == Some(&Target::Field(FieldName::Text)) => format!("*{}*", &text[from..to]),
            3 => format!("{}*", &text[..to]),
            4 => format!("*{}", &text[from..]),
            5 => text.to_lowercase(),
            6 => format!("{}*{}", &text[..from], &text[to..]),
            7..=9 if is_part => text[from..to].to_owned(),
            10 if is_part => text[from..to].to_lowercase(),
            11 => text.to_uppercase(),
            _ => text,
        };
        let quoted = !is_readable(target, &plain);
        never_nothing(target, Value { text: plain, quoted })
    }

    /// Two places in a text, between characters.
    fn part(&self, text: &str) -> (usize, usize) {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (one, two) = (self.places[1].index(ends.len()), self.places[2].index(ends.len()));
        (ends[one.min(two)], ends[one.max(two)])
    }

    /// A regular expression that finds the text, or something near it, and nothing where there is no text.
    fn regular(&self, target: Option<&Target>, text: &str) -> Value {
        let (from, to) = self.part(text);
        let all = regex::escape(text);
        let part = regex::escape(&text[from..to]);
        let letters = text.chars().count();
        // A line does not begin or end with one of its texts.
        let (begin, end) = match target {
            Some(Target::Field(FieldName::Text)) => ("", ""),
            _ => ("^", "$"),
        };
        let expression = match self.form / 16 {
            _ if text.is_empty() => ".".to_owned(),
            0 | 1 => format!("{begin}{all}{end}"),
            2 | 3 if from > 0 => format!("{begin}{}", regex::escape(&text[..from])),
            4 | 5 if to < text.len() => format!("{}{end}", regex::escape(&text[to..])),
            6 | 7 if from < to => part,
            8 | 9 => format!("{begin}(nothing|{all}){end}"),
            10 => r"\d".to_owned(),
            11 => format!("{begin}{all}{{1}}{end}"),
            12 if from < to => part.to_lowercase(),
            13 => format!(r"{begin}\S{{{letters}}}{end}"),
            14 => "[a-f][^a]".to_owned(),
            _ => format!("{begin}.{{{letters}}}{end}"),
        };
        // Outside of quotes a space would end it.
        let quoted =
            self.form & 1 > 0 || expression.contains(char::is_whitespace) || expression.starts_with('"');
        Value { text: expression, quoted }
    }

    /// A value of a field that is no text.
    fn fixed_value(&self, field: FieldName, record: &Record, regex: bool) -> Option<Value> {
        let plain = |text: &str| Some(Value { text: text.to_owned(), quoted: false });
        let choice = self.places[1].index(1 << 10);
        let among = |words: &[&str]| plain(words[choice % words.len()]);
        let word = |name: &str| match (self.form % 8, name) {
            (0, _) => plain("*"),
            (_, "") => Some(Value { text: String::new(), quoted: true }),
            (1, name) => plain(&name.to_lowercase()),
            (_, name) => plain(name),
        };
        match field {
            FieldName::Code if regex => {
                let code = if record.code > 0 { record.code.to_string() } else { String::new() };
                Some(self.regular(None, &code))
            }
            FieldName::Code if self.form % 16 == 1 => Some(Value { text: String::new(), quoted: true }),
            FieldName::Code if self.form.is_multiple_of(2) => plain(&record.code.to_string()),
            FieldName::Code => among(&["*", ">=400", ">400", "<300", "<=200", "400-403", "4xx", "=403"]),
            FieldName::Kind => plain(model::kind(&record.user)),
            FieldName::Is => among(&["write", "read", "failed", "dryrun", "noop", "routine", "NoOp"]),
            FieldName::Alert => among(&[
                "yes", "no", "high", ">=medium", "<high", "low", "critical", "r-1", "r-2", "bad", "seen",
            ]),
            FieldName::Mark => among(&["yes", "no", "No"]),
            FieldName::Decision => word(record.decision.name()),
            FieldName::Level => word(record.level.name()),
            FieldName::Stage => word(record.stage.name()),
            FieldName::Log => word("kube"),
            FieldName::Duration => plain(&self.duration(record.stage_time - record.received)),
            FieldName::Since | FieldName::Until | FieldName::At => Some(self.moment(record.stage_time)),
            FieldName::Object => Some(self.object(record)),
            FieldName::SourceIp if !regex && self.form.is_multiple_of(2) => self.network(&record.source_ip),
            _ => None,
        }
    }

    fn duration(&self, length: Micros) -> String {
        let written = |length: Micros| match length {
            0 => "0s".to_owned(),
            length if length % SECOND == 0 => format!("{}s", length / SECOND),
            length if length > SECOND && length % 1_000 == 0 => {
                format!("{}s{}ms", length / SECOND, length % SECOND / 1_000)
            }
            length if length % 1_000 == 0 => format!("{}ms", length / 1_000),
            length => format!("{length}us"),
        };
        let exact = written(length);
        match self.form % 6 {
            0 => format!(">{exact}"),
            1 => format!("<{exact}"),
            2 => format!("<={exact}"),
            3 => format!("{exact}-{exact}"),
            4 => format!("{}-{}", written(length / 2), written(length * 3)),
            _ => format!(">={exact}"),
        }
    }

    fn moment(&self, time: Micros) -> Value {
        let seconds = (time - DAY) / SECOND;
        let minute = format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        let second = format!("{minute}:{:02}", seconds % 60);
        let later = format!("{:02}:{:02}:{:02}", seconds / 3600 + 1, seconds / 60 % 60, seconds % 60);
        let fraction = (time - DAY) % SECOND;
        let back = (REFERENCE - time).max(0);
        let text = match self.form % 12 {
            0 => "2026-01-14".to_owned(),
            1 => minute,
            2 | 3 => second,
            4 => format!("2026-01-14T{minute}Z"),
            5 => format!("2026-01-14 {second}"),
            6 => format!("2026-01-14T{second}.{fraction:06}Z"),
            7 => format!("2026-01-14T{later}+01:00"),
            8 => "now".to_owned(),
            9 => format!("-{}ms", back / 1_000),
            _ => format!("2026-01-14T{second}Z"),
        };
        let quoted = text.contains(' ');
        Value { text, quoted }
    }

    fn object(&self, record: &Record) -> Value {
        if record.resource.is_empty() {
            return Value { text: String::new(), quoted: true };
        }
        let names = model::other_names(&record.resource);
        let resource = match self.form % 3 {
            0 => record.resource.clone(),
            1 if !record.api_group.is_empty() => format!("{}.{}", record.resource, record.api_group),
            _ => self.places[1].get(names).to_string(),
        };
        let name = match self.form / 4 % 4 {
            0 => "*".to_owned(),
            1 => format!("{}*", &record.name[..self.part(&record.name).0]),
            _ => record.name.clone(),
        };
        let namespace = if self.form & 128 == 0 { record.namespace.as_str() } else { "*" };
        let text = match self.form / 16 % 4 {
            0 => format!("{resource}/{name}"),
            _ => format!("{namespace}/{resource}/{name}"),
        };
        let quoted = !is_readable(Some(&Target::Field(FieldName::Object)), &text);
        Value { text, quoted }
    }

    /// The network of an address; `None` where there is no address.
    fn network(&self, ip: &str) -> Option<Value> {
        let lengths: &[u8] = match ip {
            "" => return None,
            ip if ip.starts_with("::ffff:") => return None,
            ip if ip.contains(':') => &[0, 29, 32, 48, 64, 128],
            _ => &[0, 7, 8, 16, 24, 31, 32],
        };
        let length = self.places[1].get(lengths);
        Some(Value { text: format!("{ip}/{length}"), quoted: false })
    }
}

/// Every line says something: that it says nothing cannot be asked.
fn never_nothing(target: Option<&Target>, value: Value) -> Value {
    if value.text.is_empty() && target == Some(&Target::Field(FieldName::Text)) {
        return Value { text: "*".into(), quoted: false };
    }
    value
}

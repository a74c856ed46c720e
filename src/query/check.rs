//! Which values make sense for a field, and what numbers, lengths and networks mean: for the parser, which refuses a
//! value that can match nothing, and for the plan.

use std::net::IpAddr;

use ipnet::IpNet;

use super::alerted::SEVERITIES;
use super::fields::{FieldInfo, FieldKind, FieldName, nearest};
use super::syntax::{ParseError, Target, Value};
use crate::model::{Micros, SECOND, TimeZoneChoice, parse_length, parse_user_time};

/// Refuses values that can match nothing. The error's position is the caller's to set. `at_end` says that the value
/// ends the text, so that typing on may make it right.
pub(super) fn check_value(target: &Target, value: &Value, at_end: bool) -> Result<(), ParseError> {
    match target {
        Target::Field(field) => check_field(field.info(), value, at_end),
        // Whatever a column may hold.
        Target::Exactly(_) | Target::Annotation(_) => Ok(()),
        Target::Body(path) => match comparison(&value.text).filter(|_| !value.quoted) {
            Some((_, number)) if number.parse::<f64>().is_err() => {
                Err(wrong(format!("'{number}' is no number"), Some(format!("{path}:>=3")), at_end))
            }
            _ => Ok(()),
        },
    }
}

fn wrong(message: impl Into<String>, suggestion: Option<String>, incomplete: bool) -> ParseError {
    ParseError { position: 0, message: message.into(), suggestion, incomplete }
}

fn check_field(info: &FieldInfo, value: &Value, at_end: bool) -> Result<(), ParseError> {
    let text = value.text.as_str();
    let never_absent = matches!(info.kind, FieldKind::Length | FieldKind::Moment)
        || matches!(
            info.field,
            FieldName::Is | FieldName::Kind | FieldName::Alert | FieldName::Mark | FieldName::Text
        );
    // The empty text asks for records without the field.
    if text.is_empty() && !never_absent {
        return Ok(());
    }
    match info.kind {
        FieldKind::Number if text != "*" && code_range(text).is_none() => {
            let hundreds = text.strip_suffix(['x', 'X']).is_some_and(|digits| code_range(digits).is_some());
            let started = text.starts_with(['<', '>', '=']) || text.ends_with('-') || hundreds;
            Err(wrong(format!("'{text}' is no status code"), Some("code:>=400".into()), at_end && started))
        }
        FieldKind::Word if text != "*" || never_absent => {
            let words = words_of(info.field);
            if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                return Ok(());
            }
            let lower = text.to_ascii_lowercase();
            let started = at_end && words.iter().any(|word| word.to_ascii_lowercase().starts_with(&lower));
            let message = format!("{} is one of {}", info.name, words.join(", "));
            let near = nearest(text, words.iter().copied()).map(|word| format!("{}:{word}", info.name));
            Err(wrong(message, near, started))
        }
        FieldKind::Address if text.contains('/') && network(text).is_none() => {
            Err(wrong(format!("'{text}' is no network"), Some(format!("{}:10.0.0.0/8", info.name)), at_end))
        }
        FieldKind::Length if length_range(text).is_none() => {
            let near = match parse_length(text) {
                Some(_) => format!("{}:>{text}", info.name),
                None => format!("{}:>1s", info.name),
            };
            let message = "write a comparison or a range of lengths: >1s, <=200ms, 100ms-2s";
            Err(wrong(message, Some(near), at_end))
        }
        FieldKind::Moment => match parse_user_time(text, 0, 0, TimeZoneChoice::Utc) {
            Ok(_) => Ok(()),
            Err(explanation) => Err(wrong(explanation, Some(format!("{}:-15m", info.name)), at_end)),
        },
        _ if info.field == FieldName::Alert && text.is_empty() => {
            Err(wrong("an alert is named by severity, rule or title", Some("alert:>=high".into()), at_end))
        }
        _ if info.field == FieldName::Alert
            && comparison(text).is_some_and(|(_, name)| {
                !SEVERITIES.iter().any(|severity| severity.eq_ignore_ascii_case(name))
            }) =>
        {
            let message = format!("a severity is one of {}", SEVERITIES.join(", "));
            Err(wrong(message, Some("alert:>=high".into()), at_end))
        }
        _ if info.field == FieldName::Object && !(1..=2).contains(&text.matches('/').count()) => {
            let near =
                Some(format!("object:default/deploy/{}", text.split('/').next_back().unwrap_or("web")));
            Err(wrong("an object is namespace/resource/name or resource/name", near, at_end))
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
        FieldName::Is => &["write", "read", "failed", "dryrun", "noop", "routine"],
        FieldName::Kind => &["human", "serviceaccount", "node", "control-plane", "anonymous"],
        FieldName::Log => &["kube", "rancher", "argocd", "fleet", "flux"],
        FieldName::Mark => &["yes", "no"],
        FieldName::Alert => &["yes", "no", "critical", "high", ">=high", "medium", "low", "informational"],
        _ => &[],
    }
}

/// How a value is compared with what stands behind the sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Less,
    AtMost,
    AtLeast,
    More,
}

impl Comparison {
    /// Whether `a` compares so with `b`.
    pub(super) fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Comparison::Less => a < b,
            Comparison::AtMost => a <= b,
            Comparison::AtLeast => a >= b,
            Comparison::More => a > b,
        }
    }
}

/// A comparison, and what stands behind its sign.
pub(super) fn comparison(text: &str) -> Option<(Comparison, &str)> {
    [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        (">", Comparison::More),
        ("<", Comparison::Less),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)))
}

/// The codes that `403`, `4xx`, `>=400`, `<300`, `500-599` mean, both ends included.
pub(super) fn code_range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse::<u16>().ok();
    if let Some((comparison, rest)) = comparison(text) {
        return Some(match comparison {
            Comparison::AtLeast => (number(rest)?, u16::MAX),
            Comparison::AtMost => (1, number(rest)?),
            Comparison::More => (number(rest)?.checked_add(1)?, u16::MAX),
            Comparison::Less => (1, number(rest)?.checked_sub(1)?),
        });
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

/// The lengths of time that `>1s`, `<=200ms`, `100ms-2s` mean, in microseconds, both ends included.
pub(super) fn length_range(text: &str) -> Option<(Micros, Micros)> {
    if let Some((comparison, rest)) = comparison(text) {
        let length = parse_length(rest)?;
        return Some(match comparison {
            Comparison::AtLeast => (length, Micros::MAX),
            Comparison::AtMost => (Micros::MIN, length),
            Comparison::More => (length.checked_add(1)?, Micros::MAX),
            Comparison::Less => (Micros::MIN, length.checked_sub(1)?),
        });
    }
    let (low, high) = text.split_once('-')?;
    Some((parse_length(low)?, parse_length(high)?))
}

/// The network of a text in CIDR notation; bits beyond its prefix do not matter.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

/// An address as it is compared: one of IPv4 written as IPv6 is the same address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

/// How long the moment is that a text names: a second when it has seconds, else a minute, a day for a date alone.
pub(super) fn moment_length(text: &str) -> Micros {
    let is_date = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    let clock = text.rsplit(['T', ' ']).next().unwrap_or(text);
    let clock = clock.split(['+', 'Z']).next().unwrap_or(clock);
    match (is_date, clock.matches(':').count()) {
        (true, _) => 86_400 * SECOND,
        (false, 0 | 1) => 60 * SECOND,
        (false, _) => SECOND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_moments() {
        assert_eq!(length_range(">1s"), Some((SECOND + 1, Micros::MAX)));
        assert_eq!(length_range("100ms-2s"), Some((100_000, 2 * SECOND)));
        assert_eq!(length_range("<=200ms"), Some((Micros::MIN, 200_000)));
        assert_eq!((length_range("1s"), length_range(">"), length_range("*")), (None, None, None));
        for (text, seconds) in [
            ("03:00", 60),
            ("03:00:41", 1),
            ("2026-01-14", 86_400),
            ("2026-01-14T03:00:00Z", 1),
            ("2026-01-14 03:00Z", 60),
            ("-15m", 60),
        ] {
            assert_eq!(moment_length(text), seconds * SECOND, "{text}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(address("::ffff:10.0.0.5"), address("10.0.0.5"));
        assert!(network("10.20.0.5/16").is_some() && network("10.0.0.0/33").is_none());
        assert_eq!(address("10.0.0"), None);
    }
}

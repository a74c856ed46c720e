//! What must not leave the log unless someone asks to see it: values of Secrets, tokens, private keys, passwords.
//!
//! Keys and names stay, so that it remains visible *what* was read or written; values become marks that tell their
//! length, `‹masked, 12 bytes›`. [`mask_text`] serves single values: [`crate::store`] calls it for each distinct value of a
//! column, so screens and filters never hold a credential. [`masked_json`] and [`mask_event`] serve whole events, for the
//! detail of [`crate::ui`], copies and [`crate::headless`]; [`holds_secret`] tells which original lines are withheld; [`may_hold_secret`] is the quick question before it.
//!
//! What is secret is decided by place first: below `data` and `stringData` of anything that deals with Secrets every
//! leaf is masked, whatever it looks like. Elsewhere names (`DB_PASSWORD`) and shapes (a JWT, a PEM key) decide. What
//! cannot be judged (nesting beyond 128 levels, a key twice) is masked as a whole. Making text *safe* for a terminal is
//! the business of [`crate::text`].

mod base64;
mod body;
mod judged;
mod line;
mod mark;
mod names;
mod quick;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod uri;

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;
use serde_json::value::RawValue;

use body::Scope;
use judged::{Question, remembered};

pub use mark::{ascii_marks, holds_mark};
pub use quick::may_hold_secret;
pub use text::mask_text;

/// Masks a whole audit event, or an `EventList`, that was parsed; the number of masked values.
///
/// An object parsed into a `Value` lost all but the last of equal keys. Where the text is at hand, [`masked_json`] is
/// the stricter one.
pub fn mask_event(event: &mut Value) -> usize {
    body::mask_value(event, Scope::default())
}

/// The text of an event as compact JSON with its secret values masked. Keys keep their order, and members that occur
/// twice at the top occur twice here.
///
/// A line of a log that is text becomes a JSON string, as [`masked_line`] has it. Other text that is no JSON becomes a
/// single mark: nothing tells what it would show.
pub fn masked_json(text: &[u8]) -> String {
    mask_line(text).0
}

/// A line of a log with its secret values masked: in its own form where it is text, as JSON where it is an event.
pub fn masked_line(text: &[u8]) -> String {
    let line = String::from_utf8_lossy(text);
    match line::masked(&line) {
        Some(masked) => masked.into_owned(),
        None => masked_json(text),
    }
}

/// Whether the text of an event holds anything that [`masked_json`] masks.
pub fn holds_secret(text: &[u8]) -> bool {
    may_hold_secret(text) && is_masked(text)
}

/// Whether masking, asked in earnest, masks anything.
fn is_masked(text: &[u8]) -> bool {
    let line = String::from_utf8_lossy(text);
    let Ok(strict::Members(members)) = serde_json::from_str(&line) else { return mask_line(text).1 > 0 };
    let in_secrets = deals_with_secrets(&members);
    let scope = Scope::of_event(in_secrets);
    let question = if in_secrets { Question::HoldsSecretInSecrets } else { Question::HoldsSecret };
    members.iter().any(|(key, text)| {
        remembered(question, key, text.get(), || {
            masked_member(key, text.get(), scope).is_none_or(|(_, masked)| masked > 0)
        })
    })
}

fn mask_line(line: &[u8]) -> (String, usize) {
    let line = String::from_utf8_lossy(line);
    if let Some(masked) = line::masked(&line) {
        return (Value::from(masked.as_ref()).to_string(), usize::from(matches!(masked, Cow::Owned(_))));
    }
    match serde_json::from_str(&line) {
        Ok(strict::Members(members)) => mask_members(&members),
        Err(_) => match strict::parse(&line) {
            Ok(mut value) => {
                let masked = mask_event(&mut value);
                (value.to_string(), masked)
            }
            Err(_) => withheld(&line),
        },
    }
}

/// Each member is read by itself: one that cannot be judged is withheld alone.
fn mask_members(members: &[(String, &RawValue)]) -> (String, usize) {
    let scope = Scope::of_event(deals_with_secrets(members));
    let mut out = String::from("{");
    let mut masked = 0;
    for (key, text) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        let (shown, count) = match masked_member(key, text.get(), scope) {
            Some((value, count)) => (value.to_string(), count),
            None => withheld(text.get()),
        };
        out.push_str(&shown);
        masked += count;
    }
    out.push('}');
    (out, masked)
}

/// Whether any member of an event says that it deals with Secrets, or might say so.
fn deals_with_secrets(members: &[(String, &RawValue)]) -> bool {
    let referred = members.iter().any(|(key, _)| key == "objectRef");
    members.iter().any(|(key, text)| match key.as_str() {
        "objectRef" | "kind" => remembered(Question::NamesSecrets, key, text.get(), || {
            strict::parse(text.get()).map_or(true, |value| body::names_secrets(key, &value))
        }),
        "requestURI" if !referred => {
            matches!(strict::parse(text.get()), Ok(Value::String(uri)) if body::is_secrets_uri(&uri))
        }
        _ => false,
    })
}

/// One member with its secret values masked, and how many those are; `None` where it cannot be judged.
fn masked_member(key: &str, text: &str, scope: Scope) -> Option<(Value, usize)> {
    let mut value = strict::parse(text).ok()?;
    let masked = body::mask_member(key, &mut value, scope);
    Some((value, masked))
}

fn withheld(text: &str) -> (String, usize) {
    (Value::from(mark::mark(text.len())).to_string(), 1)
}

/// Compiles one of this module's constant patterns; the tests use each of them.
#[expect(clippy::expect_used, reason = "the patterns are constants; no input reaches them")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is valid")
}

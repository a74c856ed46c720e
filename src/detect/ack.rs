//! Which alerts somebody dealt with: acknowledged, or closed as a false positive, with a note. An acknowledgement covers
//! what had happened when it was made; whatever comes later opens the alert again.
//!
//! Kept under [`AlertKey`], which survives reloading of rules and logs; and as a small JSON file where the user asked for
//! one. Nothing here reads or writes files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, AlertKey};
use crate::model::{Micros, format_rfc3339, parse_rfc3339};

/// Alerts that can be dealt with at once: as many as can be listed.
const MOST: usize = 20_000;

/// The form of the file.
const VERSION: u32 = 1;

/// What was decided about an alert.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AckKind {
    /// Somebody knows of it.
    Acknowledged,
    /// There was nothing to it.
    FalsePositive,
}

/// That somebody dealt with an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ack {
    /// What was decided.
    pub kind: AckKind,
    /// What they had to say; may be empty.
    pub note: String,
    /// Time of the last event that the alert had then.
    pub last: Micros,
    /// When it was decided.
    pub at: Micros,
}

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertState<'a> {
    /// Nobody dealt with it.
    Open,
    /// It was dealt with, and happened again since.
    Again(&'a Ack),
    /// It was dealt with.
    Done(&'a Ack),
}

impl AlertState<'_> {
    /// Whether it waits for somebody.
    pub fn is_open(self) -> bool {
        !matches!(self, AlertState::Done(_))
    }
}

/// All that was dealt with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acks {
    by_key: BTreeMap<AlertKey, Ack>,
}

impl Acks {
    /// Where an alert stands.
    pub fn state(&self, alert: &Alert) -> AlertState<'_> {
        match self.by_key.get(&alert.key) {
            None => AlertState::Open,
            Some(ack) if alert.last > ack.last => AlertState::Again(ack),
            Some(ack) => AlertState::Done(ack),
        }
    }

    /// Notes that an alert was dealt with. Returns whether there was room for it.
    pub fn set(&mut self, key: AlertKey, ack: Ack) -> bool {
        let has_room = self.by_key.len() < MOST || self.by_key.contains_key(&key);
        if has_room {
            self.by_key.insert(key, ack);
        }
        has_room
    }

    /// Opens an alert again. Returns whether it had been dealt with.
    pub fn take_back(&mut self, key: &AlertKey) -> bool {
        self.by_key.remove(key).is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The content of the file that keeps them.
    pub fn to_json(&self) -> String {
        let alerts = self.by_key.iter().map(|(key, ack)| Kept {
            rule: key.rule.clone(),
            actor: key.actor.clone(),
            namespace: key.namespace.clone(),
            state: ack.kind,
            note: ack.note.clone(),
            last: format_rfc3339(ack.last),
            at: format_rfc3339(ack.at),
        });
        let file = Kept::file(alerts.collect());
        // Strings and numbers can always be written.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// Understands what [`Acks::to_json`] wrote.
    ///
    /// # Errors
    /// What is wrong with it, with line and column where it is no JSON.
    pub fn parse(text: &str) -> Result<Acks, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!("version {} is not known here, only {VERSION}", file.version));
        }
        let mut acks = Acks::default();
        for kept in file.alerts {
            let time = |text: &str| {
                parse_rfc3339(text.as_bytes()).ok_or_else(|| format!("'{text}' is no time as in RFC 3339"))
            };
            let ack = Ack { kind: kept.state, last: time(&kept.last)?, at: time(&kept.at)?, note: kept.note };
            let key = AlertKey { rule: kept.rule, actor: kept.actor, namespace: kept.namespace };
            if !acks.set(key, ack) {
                return Err(format!("it holds more than {MOST} alerts"));
            }
        }
        Ok(acks)
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    alerts: Vec<Kept>,
}

/// One alert in the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    rule: String,
    actor: String,
    namespace: String,
    state: AckKind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
    last: String,
    at: String,
}

impl Kept {
    fn file(alerts: Vec<Kept>) -> File {
        File { version: VERSION, alerts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{RuleIndex, Subject};
    use crate::model::EventId;

    fn alert(last: Micros) -> Alert {
        Alert {
            key: AlertKey { rule: "r".into(), actor: "a \"b\"\n".into(), namespace: String::new() },
            rule: RuleIndex(0),
            first: 1,
            last,
            count: 1,
            newest: EventId::new(0, 0),
            subject: Subject::default(),
            addresses: Default::default(),
            findings: Vec::new(),
            is_provisional: false,
        }
    }

    #[test]
    fn what_comes_later_opens_it_again() {
        let mut acks = Acks::default();
        assert!(acks.state(&alert(5)).is_open());
        let ack = Ack { kind: AckKind::Acknowledged, note: "asked alice".into(), last: 5, at: 9 };
        assert!(acks.set(alert(5).key, ack.clone()));
        assert_eq!(acks.state(&alert(5)), AlertState::Done(&ack));
        assert_eq!(acks.state(&alert(4)), AlertState::Done(&ack), "history that goes changes nothing");
        assert_eq!(acks.state(&alert(6)), AlertState::Again(&ack));
        assert!(acks.state(&alert(6)).is_open());
        assert!(acks.take_back(&alert(5).key) && !acks.take_back(&alert(5).key));
        assert_eq!(acks.state(&alert(5)), AlertState::Open);
    }

    #[test]
    fn a_file_keeps_all_of_it_and_a_broken_one_is_told() {
        let mut acks = Acks::default();
        let ack =
            Ack { kind: AckKind::FalsePositive, note: "backup".into(), last: 1_700_000_000_000_001, at: 0 };
        acks.set(alert(0).key, ack);
        let text = acks.to_json();
        assert!(
            text.contains("\"false-positive\"") && text.contains("2023-11-14T22:13:20.000001Z"),
            "{text}"
        );
        assert_eq!(Acks::parse(&text), Ok(acks));
        assert_eq!(Acks::parse(&Acks::default().to_json()), Ok(Acks::default()));
        for (broken, why) in [
            ("", "EOF"),
            ("{\"version\": 2, \"alerts\": []}", "version 2"),
            (&text.replace("2023-11-14T", "yesterday "), "is no time"),
            (&text[..40], "EOF while parsing"),
        ] {
            let error = Acks::parse(broken).expect_err("it is broken");
            assert!(error.contains(why), "{error}");
        }
    }
}

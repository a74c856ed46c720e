//! The filter language against a naive model, over random records and questions made from them: what a plan finds in a
//! segment at once, row by row and in a scan that is interrupted (`plans`), and what a live view shows after any history
//! of the store (`views`).
//!
//! `record` makes records out of `pools` and writes their `lines`; `question` asks about them in their own `spellings`;
//! `model` says who passes (`asked`: one value and one text; `measures`: numbers and times; `places`: inside of bodies).

mod asked;
mod lines;
mod measures;
mod model;
mod places;
mod plans;
mod pools;
mod question;
mod record;
mod spellings;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use kauditui::model::{EventId, SourceId, TimeZoneChoice};
use kauditui::query::{AlertRule, Alerted, Context};

/// Every marked row has a part in an alert of the last rule, which is of severity high.
fn alerts(marks: &BTreeSet<EventId>) -> Alerted {
    let rule = |id: &str, title: &str, severity| AlertRule {
        id: id.to_owned(),
        title: title.to_owned(),
        file: String::new(),
        techniques: Vec::new(),
        severity,
        is_told: true,
    };
    Alerted {
        rules: vec![
            rule("r-0", "A pod was seen", 0),
            rule("r-1", "An odd request", 2),
            rule("r-2", "A bad deed", 3),
        ],
        members: marks.iter().map(|id| (*id, 2)).collect(),
        ..Alerted::default()
    }
}

/// What questions mean besides their words, as the model has it.
fn context(marks: &BTreeSet<EventId>, is_revealed: bool) -> Context {
    let sources = (0u16..).map(SourceId).zip(pools::SOURCES.map(str::to_owned));
    Context {
        reference: measures::REFERENCE,
        newest: measures::NEWEST,
        zone: TimeZoneChoice::Utc,
        sources: sources.collect(),
        marks: Arc::new(marks.clone()),
        alerts: Arc::new(alerts(marks)),
        revealed: is_revealed,
    }
}

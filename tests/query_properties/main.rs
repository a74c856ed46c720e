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
use kauditui::query::Context;

/// What questions mean besides their words, as the model has it.
fn context(marks: &BTreeSet<EventId>, is_revealed: bool) -> Context {
    let sources = (0u16..).map(SourceId).zip(pools::SOURCES.map(str::to_owned));
    Context {
        reference: measures::REFERENCE,
        newest: measures::NEWEST,
        zone: TimeZoneChoice::Utc,
        sources: sources.collect(),
        marks: Arc::new(marks.clone()),
        revealed: is_revealed,
    }
}

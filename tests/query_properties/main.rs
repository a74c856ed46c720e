//! The filter language against a naive model, over random records and questions made from them: what a plan finds in a
//! segment at once, row by row and in a scan that is interrupted (`plans`), and what a live view shows after any history
//! of the store (`views`).

mod asked;
mod lines;
mod measures;
mod model;
mod places;
mod plans;
mod pools;
mod question;
mod record;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use kauditui::model::{EventId, SourceId, TimeZoneChoice};
use kauditui::query::Context;

/// What questions mean besides their words, as the model has it.
fn context(marks: &BTreeSet<EventId>, is_revealed: bool) -> Context {
    let sources = (0u16..).map(SourceId).zip(question::SOURCES.map(str::to_owned));
    Context {
        reference: measures::REFERENCE,
        newest: measures::NEWEST,
        zone: TimeZoneChoice::Utc,
        sources: sources.collect(),
        marks: Arc::new(marks.clone()),
        revealed: is_revealed,
    }
}

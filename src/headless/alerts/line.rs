//! An alert as a line for people.

use crate::detect::ToldAlert;
use crate::headless::form::{Cell, Heading};

/// The columns of [`cells`].
pub(super) fn headings() -> Vec<Heading> {
    [
        ("severity", "SEVERITY", 13, false),
        ("last", "LAST", 23, false),
        ("count", "COUNT", 6, true),
        ("namespace", "NAMESPACE", 9, false),
        ("title", "ALERT", 52, false),
        ("sentence", "WHAT", 20, false),
    ]
    .into_iter()
    .map(|(key, title, width, is_number)| Heading { key: key.into(), title: title.into(), width, is_number })
    .collect()
}

/// What a line says.
pub(super) fn cells(told: &ToldAlert) -> Vec<Cell<'_>> {
    vec![
        Cell::text(told.info.severity.name()),
        Cell::Time(told.alert.last),
        Cell::Count(told.alert.count),
        Cell::text(told.alert.key.namespace.as_str()),
        Cell::text(told.info.title.as_str()),
        Cell::text(told.sentence()),
    ]
}

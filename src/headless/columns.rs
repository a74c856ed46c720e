//! What a row tells in chosen columns, and what the columns are called.

use super::form::{Cell, Heading};
use super::printer::time_of;
use super::row::Row;
use super::texts::RowTexts;
use crate::query::{FieldName, Target, values_at};
use crate::settings::Column;

/// The columns of CSV when none are chosen: those that a spreadsheet can sort and filter by.
pub(super) fn csv_columns() -> Vec<Column> {
    use FieldName as F;
    let fields = [
        F::Code,
        F::Verb,
        F::User,
        F::ImpersonatedUser,
        F::SourceIp,
        F::UserAgent,
        F::Resource,
        F::Subresource,
        F::Namespace,
        F::Name,
        F::RequestUri,
        F::Reason,
        F::Duration,
        F::Stage,
        F::AuditId,
        F::Source,
    ];
    let fields = fields.into_iter().map(|field| Column::Target(Target::Field(field)));
    std::iter::once(Column::Time).chain(fields).collect()
}

/// The name of a field in JSON and CSV: that of Kubernetes, as in rows that are printed whole.
pub(super) fn key_of(field: FieldName) -> &'static str {
    match field {
        FieldName::Namespace => "namespace",
        FieldName::SourceIp => "sourceIP",
        FieldName::UserAgent => "userAgent",
        FieldName::RequestUri => "requestURI",
        FieldName::ImpersonatedUser => "impersonatedUser",
        FieldName::Duration => "durationMicros",
        field => field.info().name,
    }
}

/// What a field is called above a table.
pub(super) fn title_of(field: FieldName) -> String {
    match field {
        FieldName::Namespace => "NAMESPACE".to_owned(),
        FieldName::SourceIp => "SOURCE IP".to_owned(),
        FieldName::Duration => "TOOK".to_owned(),
        field => field.info().name.to_uppercase(),
    }
}

/// What a column is called, and how wide it is where nobody knows what will stand in it.
pub(super) fn heading(column: &Column) -> Heading {
    match column {
        Column::Time => Heading { key: "time".into(), title: "TIME".into(), width: 23, is_number: false },
        Column::Received => {
            Heading { key: "received".into(), title: "RECEIVED".into(), width: 23, is_number: false }
        }
        Column::Bytes => Heading { key: "bytes".into(), title: "BYTES".into(), width: 9, is_number: true },
        Column::Target(Target::Field(field)) => {
            let width = match field {
                FieldName::Code => 4,
                FieldName::Verb | FieldName::Decision | FieldName::Duration => 10,
                FieldName::Kind | FieldName::SourceIp | FieldName::Tool | FieldName::Level => 15,
                FieldName::Stage | FieldName::Subresource => 16,
                FieldName::User | FieldName::Impersonator | FieldName::ImpersonatedUser => 40,
                FieldName::AuditId | FieldName::Object | FieldName::UserAgent | FieldName::RequestUri => 40,
                _ => 26,
            };
            Heading { key: key_of(*field).into(), title: title_of(*field).into(), width, is_number: false }
        }
        Column::Target(place) => {
            let name = place.to_string();
            Heading {
                width: name.chars().count().clamp(16, 40),
                title: name.clone().into(),
                key: name.into(),
                is_number: false,
            }
        }
    }
}

/// What a row tells in a column. `source` is what its log is called.
pub(super) fn cell<'r>(
    column: &Column,
    row: &'r Row<'_>,
    source: &'r str,
    texts: &mut RowTexts<'_>,
    reveal: bool,
) -> Cell<'r> {
    match column {
        Column::Time => time_of(row),
        Column::Received => Cell::Time(row.segment.received(row.row)),
        Column::Bytes => Cell::Bytes(row.segment.text_len(row.row).into()),
        Column::Target(Target::Field(FieldName::Code)) => match row.code() {
            0 => Cell::Absent,
            code => Cell::Number(code.into()),
        },
        Column::Target(Target::Field(FieldName::Duration)) => {
            row.duration().map_or(Cell::Absent, Cell::Length)
        }
        Column::Target(Target::Field(field)) => Cell::text(row.value(*field, source)),
        Column::Target(place) => {
            // A later record of the request may tell what the row itself could not know yet.
            let found = row.records().find_map(|id| {
                let values = values_at(place, texts.read(id).ok()?, reveal);
                (!values.is_empty()).then_some(values)
            });
            Cell::text(found.unwrap_or_default().join(", "))
        }
    }
}

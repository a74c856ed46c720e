//! What `query` and `users` list, and in which order: `--columns`, `--group-by` and `--sort` as types, or as errors
//! that say what would be right.

use crate::activity::ActorSort;
use crate::error::{Error, Result};
use crate::query::{FieldName, SortBy, Target, field_named, has_values, nearest, parse_target};
use crate::text::sanitise;

/// What is listed.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    /// Rows of the timeline.
    Rows {
        /// What each row tells; empty for what the form of the output tells by itself.
        columns: Vec<Column>,
        /// By what rows are sorted; `None` for the order of time, the newest `--limit` rows of it.
        sort: Option<Sort<Column>>,
    },
    /// Groups of rows.
    Groups {
        /// By which fields.
        fields: Vec<FieldName>,
        /// By what groups are sorted.
        sort: Sort<SortBy>,
    },
    /// Identities with what they did.
    Users(Sort<ActorSort>),
}

impl Default for Listing {
    fn default() -> Self {
        Listing::Rows { columns: Vec::new(), sort: None }
    }
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort<K> {
    /// By what.
    pub by: K,
    /// Greatest first.
    pub descending: bool,
}

/// What a row can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Stage time.
    Time,
    /// Time of the request's arrival.
    Received,
    /// Length of the record's line in bytes.
    Bytes,
    /// A field of the filter language, an annotation, or a place in the bodies.
    Target(Target),
}

/// The columns that are no fields of the filter language.
const OTHER_COLUMNS: [(&str, Column); 3] =
    [("time", Column::Time), ("received", Column::Received), ("bytes", Column::Bytes)];

/// What groups can be sorted by besides their fields; whether the greatest come first when nothing is said.
const GROUP_ORDERS: [(&str, SortBy, bool); 9] = [
    ("count", SortBy::Count, true),
    ("failed", SortBy::Failed, true),
    ("forbidden", SortBy::Forbidden, true),
    ("writes", SortBy::Writes, true),
    ("bytes", SortBy::Bytes, true),
    ("first", SortBy::First, false),
    ("last", SortBy::Last, true),
    ("p50", SortBy::Median, true),
    ("p99", SortBy::P99, true),
];

/// What users can be sorted by; whether the greatest come first when nothing is said.
const USER_ORDERS: [(&str, ActorSort, bool); 10] = [
    ("user", ActorSort::Name, false),
    ("events", ActorSort::Events, true),
    ("writes", ActorSort::Writes, true),
    ("failed", ActorSort::Failed, true),
    ("forbidden", ActorSort::Forbidden, true),
    ("namespaces", ActorSort::Namespaces, true),
    ("addresses", ActorSort::Addresses, true),
    ("tools", ActorSort::Tools, true),
    ("first", ActorSort::First, false),
    ("last", ActorSort::Last, true),
];

impl Listing {
    /// What `query` was told to list.
    ///
    /// # Errors
    /// [`Error::Usage`] for what is no field, cannot be listed, or does not go together.
    pub fn read(columns: Option<&str>, group_by: Option<&str>, sort: Option<&str>) -> Result<Listing> {
        match (columns, group_by) {
            (Some(_), Some(_)) => Err(Error::Usage {
                message: "--columns and --group-by do not go together".into(),
                tip: "groups have columns of their own: the fields, counts, bytes, durations and times"
                    .into(),
            }),
            (None, Some(fields)) => {
                let fields = split_list("--group-by", fields)?
                    .into_iter()
                    .map(group_field)
                    .collect::<Result<Vec<FieldName>>>()?;
                refuse_twice("--group-by", &fields)?;
                let sort = sort.map_or(Ok(Sort { by: SortBy::Count, descending: true }), |sort| {
                    read_sort(sort, |name| group_order(name, &fields))
                })?;
                Ok(Listing::Groups { fields, sort })
            }
            (columns, None) => {
                let columns = columns.map_or(Ok(Vec::new()), |columns| split_list("--columns", columns))?;
                let columns = columns
                    .into_iter()
                    .map(|name| column("--columns", name))
                    .collect::<Result<Vec<Column>>>()?;
                refuse_twice("--columns", &columns)?;
                let sort = sort.map(|sort| read_sort(sort, row_order)).transpose()?;
                Ok(Listing::Rows { columns, sort })
            }
        }
    }

    /// What `users` was told to list.
    ///
    /// # Errors
    /// [`Error::Usage`] for an order that there is not.
    pub fn read_users(sort: Option<&str>) -> Result<Listing> {
        let by_events = Sort { by: ActorSort::Events, descending: true };
        let sort = sort.map_or(Ok(by_events), |sort| read_sort(sort, |name| known(name, &USER_ORDERS)))?;
        Ok(Listing::Users(sort))
    }

    /// Whether records' texts must be read for it.
    pub fn reads_text(&self) -> bool {
        let in_text =
            |column: &Column| matches!(column, Column::Target(Target::Annotation(_) | Target::Body(_)));
        matches!(self, Listing::Rows { columns, .. } if columns.iter().any(in_text))
    }
}

/// The parts between commas; a comma in quotes or brackets belongs to its part.
fn split_list<'t>(option: &str, text: &'t str) -> Result<Vec<&'t str>> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    let parts: Vec<&str> = text
        .split(|c: char| {
            match c {
                '"' if !escaped => quoted = !quoted,
                '[' if !quoted => depth += 1,
                ']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            escaped = c == '\\' && !escaped;
            c == ',' && !quoted && depth == 0
        })
        .map(str::trim)
        .collect();
    match parts.iter().any(|part| part.is_empty()) {
        true => Err(usage(
            format!("{option} {} has an empty part", sanitise(text)),
            "separate fields by single commas: user,verb".into(),
        )),
        false => Ok(parts),
    }
}

fn refuse_twice<T: PartialEq>(option: &str, named: &[T]) -> Result<()> {
    let twice = named.iter().enumerate().any(|(at, one)| named[..at].contains(one));
    match twice {
        true => Err(usage(
            format!("{option} names a field twice"),
            "a field may have several names: ns and namespace are one".into(),
        )),
        false => Ok(()),
    }
}

fn column(option: &str, name: &str) -> Result<Column> {
    if let Some((_, column)) = OTHER_COLUMNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(column.clone());
    }
    let target = parse_target(name).map_err(|error| {
        let tip = match error.suggestion.as_deref().map(|near| near.trim_end_matches(':')) {
            Some(near) => format!("did you mean {}?", sanitise(near)),
            None => {
                "write a field of the filter language, time, received, bytes, annotation.KEY, or a path such \
                     as request.spec.replicas"
                    .into()
            }
        };
        usage(format!("{option}: {}", sanitise(&error.message)), tip)
    })?;
    match target {
        Target::Field(field) if !has_values(field) && field != FieldName::Duration => {
            Err(no_values(option, field))
        }
        target => Ok(Column::Target(target)),
    }
}

fn group_field(name: &str) -> Result<FieldName> {
    let Some(info) = field_named(name) else {
        let names = crate::query::FIELDS.iter().filter(|info| has_values(info.field)).map(|info| info.name);
        let tip = match nearest(name, names) {
            Some(near) => format!("did you mean {near}?"),
            None => "rows are grouped by fields of the filter language, as in --group-by user,verb".into(),
        };
        return Err(usage(format!("--group-by: there is no field {}", sanitise(name)), tip));
    };
    match has_values(info.field) {
        true => Ok(info.field),
        false => Err(no_values("--group-by", info.field)),
    }
}

fn no_values(option: &str, field: FieldName) -> Error {
    let name = field.info().name;
    usage(
        format!("{option}: {name} is a question and has no values of its own"),
        format!("ask it by the filter: -f {name}:…"),
    )
}

fn group_order(name: &str, fields: &[FieldName]) -> Result<(SortBy, bool)> {
    let field = field_named(name).and_then(|info| fields.iter().position(|field| *field == info.field));
    match field {
        Some(place) => Ok((SortBy::Value(place), false)),
        None => known(name, &GROUP_ORDERS).map_err(|error| match error {
            Error::Usage { message, tip } => {
                Error::Usage { message, tip: format!("{tip}, or a grouped field") }
            }
            other => other,
        }),
    }
}

fn row_order(name: &str) -> Result<(Column, bool)> {
    let is_column = field_named(name).is_some() || OTHER_COLUMNS.iter().any(|(known, _)| *known == name);
    if !is_column && GROUP_ORDERS.iter().any(|(known, ..)| *known == name) {
        return Err(usage(
            format!("--sort: {name} is an order of groups, and rows are listed"),
            format!("add --group-by: --group-by user --sort {name}"),
        ));
    }
    let column = column("--sort", name)?;
    match column {
        Column::Target(Target::Annotation(_) | Target::Body(_)) => Err(usage(
            format!("--sort: rows cannot be sorted by {}, which no column holds", sanitise(name)),
            "sort by a field, time, received or bytes; or sort the output: -o csv … | sort".into(),
        )),
        Column::Bytes | Column::Target(Target::Field(FieldName::Duration)) => Ok((column, true)),
        column => Ok((column, false)),
    }
}

fn known<K: Copy>(name: &str, orders: &[(&str, K, bool)]) -> Result<(K, bool)> {
    orders
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
        .map(|(_, by, descending)| (*by, *descending))
        .ok_or_else(|| {
            let names: Vec<&str> = orders.iter().map(|(name, ..)| *name).collect();
            usage(
                format!("--sort: there is no order by {}", sanitise(name)),
                format!("sort by {}", names.join(", ")),
            )
        })
}

/// `F`, `F:asc` or `F:desc`.
fn read_sort<K>(text: &str, read: impl FnOnce(&str) -> Result<(K, bool)>) -> Result<Sort<K>> {
    let (name, direction) = match text.rsplit_once(':') {
        Some((name, "asc")) => (name, Some(false)),
        Some((name, "desc")) => (name, Some(true)),
        Some((_, other)) => {
            return Err(usage(
                format!("--sort: {} is no direction", sanitise(other)),
                "write asc or desc behind the colon: --sort count:asc".into(),
            ));
        }
        None => (text, None),
    };
    let (by, usual) = read(name)?;
    Ok(Sort { by, descending: direction.unwrap_or(usual) })
}

fn usage(message: String, tip: String) -> Error {
    Error::Usage { message, tip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse_target;

    fn rows(columns: &str) -> Vec<Column> {
        match Listing::read(Some(columns), None, None).unwrap() {
            Listing::Rows { columns, .. } => columns,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lists_of_columns() {
        let target = |text: &str| Column::Target(parse_target(text).unwrap());
        assert_eq!(rows("time, USER,took"), [Column::Time, target("user"), target("duration")]);
        let with_commas = r#"annotation["a,b"],request.x["c,\",d"].y[0],bytes"#;
        let read = [target(r#"annotation["a,b"]"#), target(r#"request.x["c,\",d"].y[0]"#), Column::Bytes];
        assert_eq!(rows(with_commas), read);
        assert!(Listing::read(Some("annotation.x"), None, None).unwrap().reads_text());
        assert!(!Listing::default().reads_text());
    }

    #[test]
    fn orders_have_a_usual_direction() {
        let sort = |columns, groups, text| Listing::read(columns, groups, Some(text)).unwrap();
        let Listing::Groups { sort: by, fields } = sort(None, Some("verb,ns"), "namespace") else { panic!() };
        assert_eq!(fields, [FieldName::Verb, FieldName::Namespace]);
        assert_eq!(by, Sort { by: SortBy::Value(1), descending: false });
        let Listing::Groups { sort: by, .. } = sort(None, Some("verb"), "p99") else { panic!() };
        assert_eq!(by, Sort { by: SortBy::P99, descending: true });
        let Listing::Rows { sort: by, .. } = sort(None, None, "bytes:asc") else { panic!() };
        assert_eq!(by, Some(Sort { by: Column::Bytes, descending: false }));
        let Listing::Rows { sort: by, .. } = sort(None, None, "duration") else { panic!() };
        assert!(by.is_some_and(|sort| sort.descending));
        let users = Listing::read_users(Some("user:desc")).unwrap();
        assert_eq!(users, Listing::Users(Sort { by: ActorSort::Name, descending: true }));
    }

    #[test]
    fn what_cannot_be_listed_is_refused_with_what_can() {
        for (columns, groups, sort, message, tip) in [
            (Some("usr"), None, None, "usr", "did you mean user?"),
            (Some("user,,verb"), None, None, "empty part", "single commas"),
            (Some("ns,namespace"), None, None, "twice", "one"),
            (Some("since"), None, None, "since is a question", "-f since:"),
            (Some("user"), Some("verb"), None, "do not go together", "of their own"),
            (None, Some("vrb"), None, "no field vrb", "did you mean verb?"),
            (None, Some("duration"), None, "duration is a question", "-f duration:"),
            (
                None,
                Some("request.spec.replicas"),
                None,
                "no field request.spec.replicas",
                "--group-by user,verb",
            ),
            (None, Some("verb"), Some("user"), "no order by user", "count, failed"),
            (None, Some("verb"), Some("count:up"), "up is no direction", "count:asc"),
            (None, None, Some("request.spec.replicas"), "cannot be sorted", "sort by a field"),
            (None, None, Some("count"), "an order of groups", "--group-by user --sort count"),
            (Some(""), None, None, "empty part", "single commas"),
        ] {
            let error = Listing::read(columns, groups, sort).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{error:?}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.tip().contains(tip), "{error}: {}", error.tip());
        }
        let error = Listing::read_users(Some("count")).unwrap_err();
        assert!(error.tip().contains("events, writes"), "{}", error.tip());
    }
}

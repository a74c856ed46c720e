//! Questions about the log: the filter language, its compilation against a segment's dictionaries, and live results.
//!
//! `syntax` is the language as a tree, `parser` reads it, `fields` is the one table of what can be asked, `check` and
//! `names` say what values mean; `completion` tells what may be typed next; `edit` changes a filter by key, `narrow` tells when one only takes away from another.
//! `compile` turns a tree into the tests of a `plan`, which finds the rows of a segment by columns (`pattern` matches
//! strings) and, where it must, by text (`text_test`, `path`). `view` keeps the result of a plan over the whole
//! [`crate::store::Store`] up to date, in time order; `group` counts it by the values of fields (`keys`), with durations in a `sketch`.
//! `alerted` is what a filter knows of alerts. `prefilter` tells which lines need not be read at all.

mod alerted;
mod check;
mod compile;
mod completion;
mod context;
mod edit;
mod fields;
mod group;
mod keys;
mod names;
mod narrow;
mod needle;
mod parser;
mod path;
mod pattern;
mod plan;
mod prefilter;
mod sketch;
mod syntax;
mod text_test;
mod view;

pub use alerted::{AlertRule, Alerted, LEAST_ALERT, SEVERITIES, is_word_of_alerts};
pub use compile::alert_rules;
pub use completion::{Completion, Wanted, fields_for, fixed_values, without_term_at};
pub use context::Context;
pub use edit::{Change, absence_of, condition_by_or_as, condition_for, with_condition, with_value};
pub use fields::{FIELDS, FieldKind, FieldName, field_named, nearest};
pub use group::{Group, Grouping, MOST_DISTINCT, MOST_GROUPS, SortBy, Stats, sort_groups};
pub use keys::{Keys, ValueId, has_values};
pub use names::is_resource_name;
pub use narrow::narrows;
pub use parser::{parse, parse_target};
pub use path::values_at;
pub use plan::{Plan, Rows, Scan};
pub use prefilter::prefilter;
pub use sketch::Sketch;
pub use syntax::{Body, BodyPath, Expression, Node, ParseError, Step, Target, Term, Value};
pub use view::{Bucket, View, ViewOptions};

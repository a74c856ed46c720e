//! Questions about the log: the filter language, its compilation against a segment's dictionaries, and live results.
//!
//! `fields` is the one table of what can be asked; `syntax` reads and prints expressions; `edit` changes them by key;
//! `pattern` matches strings; `plan` turns an expression into row sets of a segment; `view` keeps the result of a
//! plan over the whole [`crate::store::Store`] up to date, in time order.

mod edit;
mod fields;
mod pattern;
mod plan;
mod syntax;
mod view;

pub use edit::{Change, with_value};
pub use fields::{FIELDS, FieldKind, FieldName, field_named, nearest};
pub use plan::Plan;
pub use syntax::{Expression, Node, ParseError, Term, Value, parse};
pub use view::{Bucket, View, ViewOptions};

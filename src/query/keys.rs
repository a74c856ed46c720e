//! The values of one field in one segment, for whoever groups, lists or completes by them: an id a row, a string and
//! a hash an id. What a column holds is taken as it stands; what is derived from a column (a tool from its user agent)
//! is derived once for each distinct string.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::{HashMap, HashTable};

use super::context::Context;
use super::fields::FieldName;
use crate::model::{Grant, actor_kind, command, field_manager, tool};
use crate::store::{Bitset, Dictionary, EMPTY, Facts, Field, Segment, SymbolColumn, hash_bytes};

/// Number of a value among those of its segment; 0 is the empty value.
pub type ValueId = u16;

/// The values of one field in one segment.
pub struct Keys<'s> {
    ids: Ids<'s>,
    names: Names<'s>,
}

enum Ids<'s> {
    /// The symbol itself.
    Column(&'s SymbolColumn),
    /// What the symbol was mapped to.
    Mapped(&'s SymbolColumn, Vec<ValueId>),
    /// All the values of a symbol.
    Several(&'s SymbolColumn, Vec<Vec<ValueId>>),
    /// One for each row, from this one on.
    Rows(u32, Vec<ValueId>),
    /// The same for all rows.
    Constant(ValueId),
}

enum Names<'s> {
    Dictionary(&'s Dictionary),
    Own(Vec<(String, u64)>),
}

/// Whether rows can be grouped and listed by a field: it has a value, and not just a test.
pub fn has_values(field: FieldName) -> bool {
    !matches!(
        field,
        FieldName::Is
            | FieldName::Since
            | FieldName::Until
            | FieldName::At
            | FieldName::Alert
            | FieldName::Mark
            | FieldName::Text
            | FieldName::Duration
    )
}

impl<'s> Keys<'s> {
    /// The values of a field in a segment; `None` for a field that has none, see [`has_values`].
    pub fn of(field: FieldName, segment: &'s Segment, context: &Context) -> Option<Keys<'s>> {
        Self::within(0..segment.rows(), field, segment, context)
    }

    /// The values that a field has in some rows of a segment, see [`Self::of`]: what is told row by row is told for these
    /// alone. The ids of one stretch of rows mean nothing in another.
    pub fn within(
        rows: Range<u32>,
        field: FieldName,
        segment: &'s Segment,
        context: &Context,
    ) -> Option<Keys<'s>> {
        let column = |field: Field| {
            let column = segment.column(field);
            Keys { ids: Ids::Column(&column.symbols), names: Names::Dictionary(&column.dictionary) }
        };
        Some(match field {
            FieldName::User => column(Field::User),
            FieldName::ImpersonatedUser => column(Field::ImpersonatedUser),
            FieldName::Verb => column(Field::Verb),
            FieldName::Resource => column(Field::Resource),
            FieldName::Subresource => column(Field::Subresource),
            FieldName::Namespace => column(Field::Namespace),
            FieldName::Name => column(Field::Name),
            FieldName::Reason => column(Field::Reason),
            FieldName::SourceIp => column(Field::SourceIp),
            FieldName::UserAgent => column(Field::UserAgent),
            FieldName::RequestUri => column(Field::RequestUri),
            FieldName::Credential => column(Field::Credential),
            FieldName::TokenPod => column(Field::TokenPod),
            FieldName::TokenNode => column(Field::TokenNode),
            FieldName::Deprecated => column(Field::Deprecated),
            FieldName::Kind => mapped(segment, Field::User, |user| actor_kind(user).name().into()),
            FieldName::Tool => mapped(segment, Field::UserAgent, |agent| tool(agent).into()),
            FieldName::Binding => mapped(segment, Field::DecisionReason, |reason| {
                Grant::parse(reason).map_or("", |grant| grant.binding).into()
            }),
            FieldName::Role => mapped(segment, Field::DecisionReason, |reason| {
                Grant::parse(reason).map_or("", |grant| grant.role).into()
            }),
            FieldName::Group => groups(segment),
            FieldName::Code => from_rows(
                rows,
                |row| u64::from(segment.code(row)),
                |row| segment.code(row).to_string().into(),
            ),
            FieldName::Decision => facts(segment, rows, |facts| facts.decision().name()),
            FieldName::Level => facts(segment, rows, |facts| facts.level().name()),
            FieldName::Stage => facts(segment, rows, |facts| facts.stage().name()),
            FieldName::Log => facts(segment, rows, |facts| facts.log().name()),
            FieldName::Impersonator => from_rows(
                rows,
                |row| match segment.symbol(Field::ImpersonatedUser, row) {
                    EMPTY => 0,
                    _ => segment.symbol(Field::User, row).into(),
                },
                |row| segment.string(Field::User, row).into(),
            ),
            FieldName::Manager => managers(segment, rows),
            FieldName::Command => from_rows(
                rows,
                |row| match segment.string(Field::Subresource, row) {
                    "exec" => segment.symbol(Field::RequestUri, row).into(),
                    _ => 0,
                },
                |row| command(segment.string(Field::RequestUri, row)).into(),
            ),
            FieldName::Object => from_rows(
                rows,
                |row| match segment.symbol(Field::Resource, row) {
                    EMPTY => 0,
                    _ => [Field::Namespace, Field::Resource, Field::ApiGroup, Field::Name]
                        .iter()
                        .fold(0, |key, field| key << 16 | u64::from(segment.symbol(*field, row))),
                },
                |row| object(segment, row).into(),
            ),
            FieldName::ApiVersion => from_rows(
                rows,
                |row| {
                    let (group, version) =
                        (segment.symbol(Field::ApiGroup, row), segment.symbol(Field::ApiVersion, row));
                    u64::from(group) << 16 | u64::from(version)
                },
                |row| match segment.string(Field::ApiGroup, row) {
                    "" => segment.string(Field::ApiVersion, row).into(),
                    group => format!("{group}/{}", segment.string(Field::ApiVersion, row)).into(),
                },
            ),
            FieldName::AuditId => {
                from_rows(rows, |row| u64::from(row) + 1, |row| segment.audit_id(row).into())
            }
            FieldName::Source => {
                let mut values = Values::default();
                let name = context.sources.get(&segment.source()).map_or("", String::as_str);
                let id = values.id(name);
                Keys { ids: Ids::Constant(id), names: Names::Own(values.names) }
            }
            FieldName::Is
            | FieldName::Since
            | FieldName::Until
            | FieldName::At
            | FieldName::Alert
            | FieldName::Mark
            | FieldName::Text
            | FieldName::Duration => return None,
        })
    }

    /// How many values there are at most; ids are below.
    pub fn len(&self) -> usize {
        match &self.names {
            Names::Dictionary(dictionary) => dictionary.len(),
            Names::Own(names) => names.len(),
        }
    }

    /// Never: the empty value is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether a row may have several values.
    pub fn is_list(&self) -> bool {
        matches!(self.ids, Ids::Several(..))
    }

    /// The value of a row; the first where it has several.
    #[inline]
    pub fn id(&self, row: u32) -> ValueId {
        match &self.ids {
            Ids::Column(column) => column.get(row),
            Ids::Mapped(column, map) => map.get(usize::from(column.get(row))).copied().unwrap_or(0),
            Ids::Several(..) => self.ids(row).first().copied().unwrap_or(0),
            Ids::Rows(first, ids) => {
                row.checked_sub(*first).and_then(|at| ids.get(at as usize)).copied().unwrap_or(0)
            }
            Ids::Constant(id) => *id,
        }
    }

    /// All values of a row where it may have several; see [`Self::is_list`].
    pub fn ids(&self, row: u32) -> &[ValueId] {
        match &self.ids {
            Ids::Several(column, lists) => {
                lists.get(usize::from(column.get(row))).map_or(&[0], Vec::as_slice)
            }
            _ => &[],
        }
    }

    /// A value as text.
    pub fn name(&self, id: ValueId) -> &str {
        match &self.names {
            Names::Dictionary(dictionary) => dictionary.get(id),
            Names::Own(names) => names.get(usize::from(id)).map_or("", |(name, _)| name.as_str()),
        }
    }

    /// A value's hash, equal in every segment.
    pub fn hash(&self, id: ValueId) -> u64 {
        match &self.names {
            Names::Dictionary(dictionary) => dictionary.hash(id),
            Names::Own(names) => names.get(usize::from(id)).map_or(0, |(_, hash)| *hash),
        }
    }

    /// The rows, of so many, that have this value among theirs.
    pub(super) fn rows_with(&self, value: &str, rows: u32) -> Bitset {
        let wanted = Bitset::from_fn(self.len() as u32, |id| self.name(id as ValueId) == value);
        let is_wanted = |id: &ValueId| wanted.get(u32::from(*id));
        match &self.ids {
            _ if wanted.is_clear() => Bitset::none(rows),
            Ids::Column(column) => column.rows_in(&wanted),
            Ids::Mapped(column, map) => {
                column.rows_in(&Bitset::from_fn(map.len() as u32, |symbol| is_wanted(&map[symbol])))
            }
            Ids::Several(column, lists) => column
                .rows_in(&Bitset::from_fn(lists.len() as u32, |symbol| lists[symbol].iter().any(is_wanted))),
            Ids::Rows(first, ids) => {
                let mut found = Bitset::none(rows);
                let places = ids.iter().zip(*first..).filter(|(id, _)| is_wanted(id));
                places.for_each(|(_, row)| found.set(row, true));
                found
            }
            Ids::Constant(_) => Bitset::all(rows),
        }
    }

    /// The value of a row as text; several are joined by commas.
    pub fn text(&self, row: u32) -> Cow<'_, str> {
        match &self.ids {
            Ids::Several(..) => {
                let names: Vec<&str> = self.ids(row).iter().map(|id| self.name(*id)).collect();
                names.join(",").into()
            }
            _ => self.name(self.id(row)).into(),
        }
    }
}

/// Distinct strings in the order of their appearance, the empty one first.
struct Values {
    names: Vec<(String, u64)>,
    known: HashTable<ValueId>,
}

impl Default for Values {
    fn default() -> Self {
        let mut values = Self { names: Vec::new(), known: HashTable::new() };
        values.id("");
        values
    }
}

impl Values {
    fn id(&mut self, text: &str) -> ValueId {
        let hash = hash_bytes(text.as_bytes());
        let names = &mut self.names;
        let known = |id: &ValueId| names.get(usize::from(*id)).is_some_and(|(name, _)| name == text);
        if let Some(id) = self.known.find(hash, known) {
            return *id;
        }
        // A segment has fewer rows than there are ids.
        let id = ValueId::try_from(names.len()).unwrap_or(0);
        names.push((text.to_owned(), hash));
        self.known.insert_unique(hash, id, |id| names.get(usize::from(*id)).map_or(0, |(_, hash)| *hash));
        id
    }
}

fn mapped<'s>(segment: &'s Segment, field: Field, derive: fn(&str) -> Cow<'_, str>) -> Keys<'s> {
    let column = segment.column(field);
    let mut values = Values::default();
    let map = column.dictionary.iter().map(|(_, text)| values.id(&derive(text))).collect();
    Keys { ids: Ids::Mapped(&column.symbols, map), names: Names::Own(values.names) }
}

/// Values of rows by a number that tells them apart: each is written out once. 0 is the empty value.
fn from_rows<'s>(
    rows: Range<u32>,
    number: impl Fn(u32) -> u64,
    text: impl Fn(u32) -> Cow<'s, str>,
) -> Keys<'s> {
    let first = rows.start;
    let mut values = Values::default();
    let mut known: HashMap<u64, ValueId> = HashMap::from([(0, 0)]);
    let mut last = (0, 0);
    let ids = rows
        .map(|row| {
            let number = number(row);
            if number != last.0 {
                last = (number, *known.entry(number).or_insert_with(|| values.id(&text(row))));
            }
            last.1
        })
        .collect();
    Keys { ids: Ids::Rows(first, ids), names: Names::Own(values.names) }
}

fn facts<'s>(segment: &'s Segment, rows: Range<u32>, name: impl Fn(Facts) -> &'static str) -> Keys<'s> {
    let mut values = Values::default();
    let mut last: Option<(&'static str, ValueId)> = None;
    let first = rows.start;
    let ids = rows
        .map(|row| {
            let name = name(segment.facts(row));
            match last {
                Some((same, id)) if std::ptr::eq(same, name) => id,
                _ => {
                    let id = values.id(name);
                    last = Some((name, id));
                    id
                }
            }
        })
        .collect();
    Keys { ids: Ids::Rows(first, ids), names: Names::Own(values.names) }
}

fn groups(segment: &Segment) -> Keys<'_> {
    let column = segment.column(Field::Groups);
    let mut values = Values::default();
    let lists = column
        .dictionary
        .iter()
        .map(|(_, text)| {
            let groups: Vec<String> = serde_json::from_str(text).unwrap_or_default();
            if groups.is_empty() { vec![0] } else { groups.iter().map(|group| values.id(group)).collect() }
        })
        .collect();
    Keys { ids: Ids::Several(&column.symbols, lists), names: Names::Own(values.names) }
}

/// The field manager of each write, see [`crate::model::field_manager`].
fn managers(segment: &Segment, rows: Range<u32>) -> Keys<'_> {
    let verbs = &segment.column(Field::Verb).dictionary;
    let manages: Vec<bool> =
        verbs.iter().map(|(_, verb)| matches!(verb, "create" | "update" | "patch")).collect();
    from_rows(
        rows,
        |row| {
            if !manages.get(usize::from(segment.symbol(Field::Verb, row))).copied().unwrap_or(false) {
                return 0;
            }
            let symbols = [Field::RequestUri, Field::UserAgent].map(|field| segment.symbol(field, row));
            1 << 32 | u64::from(symbols[0]) << 16 | u64::from(symbols[1])
        },
        |row| {
            let [uri, agent] = [Field::RequestUri, Field::UserAgent].map(|field| segment.string(field, row));
            field_manager(uri, agent)
        },
    )
}

/// `namespace/resource.group/name`, as `object:` takes it; empty for what is about no object.
fn object(segment: &Segment, row: u32) -> String {
    let get = |field| segment.string(field, row);
    let resource = get(Field::Resource);
    if resource.is_empty() {
        return String::new();
    }
    let group = get(Field::ApiGroup);
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}/{resource}{dot}{group}/{}", get(Field::Namespace), get(Field::Name))
}

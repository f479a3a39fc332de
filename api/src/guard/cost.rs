//! What an operation costs, before it runs.
//!
//! The rules are read off the schema, so that a new field has its cost without anybody thinking of it:
//!
//! 1. A field costs 1, and 1 more for every fifty values in its arguments, variables put in.
//! 2. What is below a list costs as often as the list can have rows:
//!    - below the `edges` and `nodes` of a connection, as many as the `first` or `last` of the connection says, at
//!      most the largest page that is served. Where they are absent or null, the default of the schema, or else 20.
//!      What stands beside `edges` and `nodes`, such as `totalCount`, costs once;
//!    - below any other list, as many as its longest list argument has (`ids`, `quotes`), or 10 where it has none.
//! 3. A fragment costs what is in it, each time it is spread. Of fragments on different types all count, although a
//!    row has but one type: so the cost of a fragment does not depend on where it stands, and nothing is too cheap.
//! 4. Introspection costs 1 a field, whatever lists it has. It has a bound of its own.
//! 5. `@skip` and `@include` change nothing: an operation costs what it can cost.
//!
//! What a fragment costs is computed once. Numbers that are too large stay at the largest.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};

use super::model::{self, Model, Object, Rows};
use super::values::Values;

/// How many values in arguments cost as much as a field.
const VALUES_PER_COST: u64 = 50;

/// How many rows a list of introspection is taken to have, but for that of all types.
const INTROSPECTION_ROWS: u64 = 8;

/// What an operation costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// By the rules above.
    pub cost: u64,
    /// About how many fields of introspection are answered. Lists in lists of them grow without any data.
    pub introspection: u64,
    /// Whether it reads public reference data alone.
    pub public: bool,
}

/// What an operation costs. Its fragments must lead nowhere in a circle.
pub(super) fn cost(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    model: &Model,
    values: &Values<'_>,
    max_page_size: u64,
) -> Cost {
    let mut walk = Walk { fragments: &document.fragments, model, values, max_page_size, sums: HashMap::new() };
    let parent = model.root(operation.ty).map_or(Parent::Unknown, Parent::Object);
    let sum = walk.selections(parent, &operation.selection_set.node);
    Cost {
        // What leads nowhere is validated too, and nothing is free.
        cost: sum.total().max(1),
        introspection: sum.introspection,
        public: operation.ty == OperationType::Query && !sum.private,
    }
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    model: &'a Model,
    values: &'a Values<'a>,
    max_page_size: u64,
    /// What the fragments cost that were met.
    sums: HashMap<&'a str, Sum>,
}

/// What is selected from.
#[derive(Clone, Copy)]
enum Parent<'a> {
    Object(&'a Object),
    /// A type of introspection.
    Introspection,
    /// What the schema does not have. The engine will refuse the document.
    Unknown,
}

/// What a selection costs.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    once: u64,
    /// What it costs for each row of the connection that it stands in.
    each_row: u64,
    introspection: u64,
    private: bool,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, parent: Parent<'a>, set: &'a SelectionSet) -> Sum {
        let mut all = Sum::default();
        for selection in &set.items {
            all.include(match &selection.node {
                Selection::Field(field) => self.field(parent, &field.node),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let parent = on.map_or(parent, |condition| self.named(&condition.node.on.node));
                    self.selections(parent, &inline.node.selection_set.node)
                }
            });
        }
        all
    }

    fn fragment(&mut self, name: &'a str) -> Sum {
        if let Some(sum) = self.sums.get(name) {
            return *sum;
        }
        let Some(fragment) = self.fragments.get(name) else { return Sum { private: true, ..Sum::default() } };
        let parent = self.named(&fragment.node.type_condition.node.on.node);
        let sum = self.selections(parent, &fragment.node.selection_set.node);
        self.sums.insert(name, sum);
        sum
    }

    fn named(&self, name: &str) -> Parent<'a> {
        match self.model.object(name) {
            Some(object) => Parent::Object(object),
            None if name.starts_with("__") => Parent::Introspection,
            None => Parent::Unknown,
        }
    }

    fn field(&mut self, parent: Parent<'a>, field: &'a Field) -> Sum {
        let name = field.name.node.as_str();
        match (parent, name) {
            (_, "__typename") => Sum { once: 1, ..Sum::default() },
            (_, "__schema" | "__type") | (Parent::Introspection, _) => self.introspection(field),
            (Parent::Object(object), _) => match object.fields.get(name) {
                Some(known) => self.known(known, field),
                None => self.unknown(field),
            },
            (Parent::Unknown, _) => self.unknown(field),
        }
    }

    fn known(&mut self, known: &'a model::Field, field: &'a Field) -> Sum {
        let below = match field.selection_set.node.items.is_empty() {
            true => Sum::default(),
            false => self.selections(self.named(&known.target), &field.selection_set.node),
        };
        let rows = match &known.rows {
            Rows::One | Rows::OfConnection => 1,
            Rows::Connection(default) | Rows::Page(default) => self.page(field, *default),
            Rows::AsLongAs(arguments) => {
                let items = arguments.iter().filter_map(|name| self.values.items(field, name)).max();
                items.unwrap_or(model::ASSUMED_ROWS).max(1)
            }
        };
        let (once, each_row) = match &known.rows {
            Rows::OfConnection => (0, below.total()),
            Rows::Connection(_) => (rows.saturating_mul(below.each_row).saturating_add(below.once), 0),
            Rows::One | Rows::Page(_) | Rows::AsLongAs(_) => (rows.saturating_mul(below.total()), 0),
        };
        Sum { once, each_row, ..below }.with(self.own(field), self.is_private(known, field))
    }

    fn is_private(&self, known: &model::Field, field: &Field) -> bool {
        !known.public || known.days.iter().any(|day| !self.values.is_given(field, day))
    }

    fn unknown(&mut self, field: &'a Field) -> Sum {
        let below = self.selections(Parent::Unknown, &field.selection_set.node);
        Sum { once: below.total(), each_row: 0, ..below }.with(self.own(field), true)
    }

    fn introspection(&mut self, field: &'a Field) -> Sum {
        let below = self.selections(Parent::Introspection, &field.selection_set.node);
        let rows = match field.name.node.as_str() {
            "types" => self.model.size(),
            "fields" | "inputFields" | "args" | "enumValues" | "interfaces" | "possibleTypes" | "directives" => {
                INTROSPECTION_ROWS
            }
            _ => 1,
        };
        let introspection = rows.saturating_mul(below.introspection).saturating_add(1);
        Sum { once: below.total(), each_row: 0, introspection, private: below.private }.with(self.own(field), false)
    }

    /// What a field costs without what is below it.
    fn own(&self, field: &Field) -> u64 {
        let values = field.arguments.iter().map(|(_, value)| self.values.size(&value.node));
        1 + values.fold(0, u64::saturating_add) / VALUES_PER_COST
    }

    /// How many rows a page has; not none, so that what is below is never free.
    fn page(&self, field: &Field, default: u64) -> u64 {
        let max = self.max_page_size;
        let given = ["first", "last"].into_iter().filter_map(|name| self.values.rows(field, name, max)).max();
        given.unwrap_or(default.min(max)).max(1)
    }
}

impl Sum {
    fn include(&mut self, other: Self) {
        self.once = self.once.saturating_add(other.once);
        self.each_row = self.each_row.saturating_add(other.each_row);
        self.introspection = self.introspection.saturating_add(other.introspection);
        self.private |= other.private;
    }

    /// The same with the cost of the field itself.
    fn with(mut self, own: u64, private: bool) -> Self {
        self.once = self.once.saturating_add(own);
        self.private |= private;
        self
    }

    fn total(&self) -> u64 {
        self.once.saturating_add(self.each_row)
    }
}

//! What the arguments of a document amount to once its variables stand in their places.

use std::collections::HashMap;

use async_graphql::Variables;
use async_graphql::parser::types::{Field, OperationDefinition};
use async_graphql_value::{ConstValue, Value};

/// The variables of the operation that runs.
pub(super) struct Values<'a> {
    given: &'a Variables,
    defaults: HashMap<&'a str, &'a ConstValue>,
    /// How many values each variable holds. A variable can be long and stand in many places.
    sizes: HashMap<&'a str, u64>,
}

impl<'a> Values<'a> {
    pub(super) fn new(operation: &'a OperationDefinition, given: &'a Variables) -> Self {
        let mut values = Self { given, defaults: HashMap::new(), sizes: HashMap::new() };
        for definition in &operation.variable_definitions {
            let name = definition.node.name.node.as_str();
            if let Some(default) = &definition.node.default_value {
                values.defaults.insert(name, &default.node);
            }
            let size = values.variable(name).map_or(1, constant_size);
            values.sizes.insert(name, size);
        }
        values
    }

    /// What a variable holds.
    fn variable(&self, name: &str) -> Option<&'a ConstValue> {
        self.given.get(name).or_else(|| self.defaults.get(name).copied())
    }

    /// How many values there are in this one, itself included.
    pub(super) fn size(&self, value: &Value) -> u64 {
        match value {
            Value::Variable(name) => self.sizes.get(name.as_str()).copied().unwrap_or(1),
            Value::List(items) => add(1, items.iter().map(|item| self.size(item))),
            Value::Object(fields) => add(1, fields.values().map(|item| self.size(item))),
            _ => 1,
        }
    }

    /// Whether a field has this argument, and its value is not null.
    pub(super) fn is_given(&self, field: &Field, name: &str) -> bool {
        self.argument(field, name).any(|value| value != Given::Null)
    }

    /// What an argument is as a number of rows, at most `max`; `None` when it is absent or null.
    pub(super) fn rows(&self, field: &Field, name: &str, max: u64) -> Option<u64> {
        let rows = |value| match value {
            Given::Null => None,
            Given::Number(number) => Some(number.min(max)),
            // Fits no number of rows, so that the engine refuses it.
            Given::Items(_) => Some(max),
        };
        self.argument(field, name).filter_map(rows).max()
    }

    /// How many items a list argument has; `None` when it is absent or null.
    pub(super) fn items(&self, field: &Field, name: &str) -> Option<u64> {
        let items = |value| match value {
            Given::Null => None,
            // A value in the place of a list is a list of one.
            Given::Number(_) => Some(1),
            Given::Items(items) => Some(items),
        };
        self.argument(field, name).filter_map(items).max()
    }

    /// All values under one name: that there is but one is checked later.
    fn argument<'f>(&'f self, field: &'f Field, name: &'f str) -> impl Iterator<Item = Given> + 'f {
        let values = field.arguments.iter().filter(move |(argument, _)| argument.node == name);
        values.map(|(_, value)| match &value.node {
            Value::Null => Given::Null,
            Value::Number(number) => Given::number(number),
            Value::List(items) => Given::Items(length(items)),
            Value::Variable(variable) => match self.variable(variable) {
                None | Some(ConstValue::Null) => Given::Null,
                Some(ConstValue::Number(number)) => Given::number(number),
                Some(ConstValue::List(items)) => Given::Items(length(items)),
                Some(_) => Given::Items(1),
            },
            _ => Given::Items(1),
        })
    }
}

/// A value as far as rows go.
#[derive(PartialEq, Eq)]
enum Given {
    Null,
    Number(u64),
    /// A list of so many; anything else is a list of one.
    Items(u64),
}

impl Given {
    fn number(number: &async_graphql::Number) -> Self {
        match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Self::Number(number),
            // Below zero, which no page is.
            (None, Some(_)) => Self::Number(0),
            (None, None) => Self::Items(1),
        }
    }
}

fn constant_size(value: &ConstValue) -> u64 {
    match value {
        ConstValue::List(items) => add(1, items.iter().map(constant_size)),
        ConstValue::Object(fields) => add(1, fields.values().map(constant_size)),
        _ => 1,
    }
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn add(first: u64, rest: impl Iterator<Item = u64>) -> u64 {
    rest.fold(first, u64::saturating_add)
}

//! Resolves objects most of whose fields need nothing but the row that the object was made of.
//!
//! The engine boxes a future for every field and waits for all of them together. A field that waits for a batch needs
//! that; for one that is a column it costs several times what the value does, and a page of rows has hundreds of those.
//! So a [`Ready`] object says at once what it can, and only the rest is left to the engine. What is said must be what the
//! resolver of the field says: a test asks for every field both ways.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use futures_util::future::try_join_all;

/// An object with fields that need nothing but itself.
pub trait Ready: ContainerType {
    /// The value of such a field; `None` of any other, which the engine then asks for. Fields with arguments are others.
    fn ready(&self, field: &Field) -> Option<Value>;
}

/// A list of objects whose ready fields are resolved at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T>(pub Vec<T>);

impl<T: Ready> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        // All or none: one row that has to wait is enough for the engine to be needed.
        let ready: Option<Vec<_>> = self.0.iter().map(|row| object(row, &ctx.item.node)).collect();
        match ready {
            Some(rows) => Ok(Value::List(rows)),
            None => resolve_list(ctx, field, self.0.iter().map(Row), Some(self.0.len())).await,
        }
    }
}

/// One of them.
struct Row<'a, T>(&'a T);

impl<T: Ready> OutputType for Row<'_, T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match begin(self.0, &ctx.item.node) {
            Some(begun) => begun.finish(self.0, ctx).await,
            None => self.0.resolve(ctx, field).await,
        }
    }
}

/// An object all of whose selected fields are ready; `None` where one is not.
pub fn object<T: Ready>(of: &T, selection: &SelectionSet) -> Option<Value> {
    let begun = begin(of, selection)?;
    begun.waiting.is_empty().then_some(Value::Object(begun.values))
}

/// An object of which what is ready is there.
struct Begun<'a> {
    values: IndexMap<Name, Value>,
    /// The fields that are not ready, and their places among the values.
    waiting: Vec<(usize, &'a Positioned<Field>)>,
}

/// What is ready of an object. `None` for selections that only the engine understands: fragments, directives, and fields
/// that have to be merged.
fn begin<'a, T: Ready>(of: &T, selection: &'a SelectionSet) -> Option<Begun<'a>> {
    let mut values = IndexMap::with_capacity(selection.items.len());
    let mut waiting = Vec::new();
    for item in &selection.items {
        let Selection::Field(field) = &item.node else { return None };
        if !field.node.directives.is_empty() {
            return None;
        }
        let value = if field.node.name.node == "__typename" {
            Some(Value::String(of.introspection_type_name().into_owned()))
        } else if field.node.arguments.is_empty() {
            of.ready(&field.node)
        } else {
            None
        };
        let waits = value.is_none();
        let (place, before) = values.insert_full(field.node.response_key().node.clone(), value.unwrap_or_default());
        if before.is_some() {
            return None;
        }
        if waits {
            waiting.push((place, field));
        }
    }
    Some(Begun { values, waiting })
}

impl Begun<'_> {
    async fn finish<T: ContainerType>(mut self, of: &T, ctx: &ContextSelectionSet<'_>) -> ServerResult<Value> {
        let resolved = self.waiting.iter().map(|(place, field)| async move {
            let ctx = ctx.with_field(field);
            ServerResult::Ok((*place, of.resolve_field(&ctx).await?))
        });
        for (place, value) in try_join_all(resolved).await? {
            if let Some((_, there)) = self.values.get_index_mut(place) {
                *there = value.unwrap_or_default();
            }
        }
        Ok(Value::Object(self.values))
    }
}

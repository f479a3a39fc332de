//! Writes objects most of whose fields need nothing but the row that the object was made of.
//!
//! The engine boxes a future for every field, waits for all of them together and builds a tree that is written in the
//! end. A field that waits for a batch needs that; for one that is a column it costs many times what the value does, and
//! a page of rows has hundreds of those. So a [`Ready`] object writes at once what it can, as JSON, and only the rest is
//! left to the engine. What is written must be what the resolver of the field says: a test asks for every field both ways.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{EnumType, resolve_list};
use async_graphql::{ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use futures_util::future::try_join_all;
use serde::Serialize;

use super::json::Json;
use super::repeats::Repeats;

/// About how many bytes an object takes: room that is taken at once.
const OBJECT: usize = 320;

/// Room for values of the engine beside those that are JSON already.
const SCALARS: usize = 128;

/// An object with fields that need nothing but itself.
pub trait Ready: ContainerType {
    /// Writes the value of such a field. `false` of any other: then what was written is dropped, and the engine is asked.
    /// Fields with arguments are others.
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool;
}

/// A list of objects whose ready fields are written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T>(pub Vec<T>);

/// An object whose ready fields are written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<T>(pub T);

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
        if let Some(document) = Document::of(ctx) {
            let mut to = Writer::new(document, self.0.len());
            if to.rows(&self.0, &ctx.item.node) {
                return Ok(to.json.into_value());
            }
        }
        resolve_list(ctx, field, self.0.iter().map(Row), Some(self.0.len())).await
    }
}

impl<T: Ready> OutputType for Row<T> {
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
        resolve(&self.0, ctx, field).await
    }
}

impl<T: Ready> Ready for &T {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        T::ready(self, field, to)
    }
}

/// Writes what is ready of an object, waits for the rest, and puts it into its places.
async fn resolve<T: Ready>(of: &T, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
    let Some(document) = Document::of(ctx) else { return of.resolve(ctx, field).await };
    let (mut to, mut waiting) = (Writer::new(document, 1), Vec::new());
    if !to.object_with(of, &ctx.item.node, Some(&mut waiting)) {
        return of.resolve(ctx, field).await;
    }
    if waiting.is_empty() {
        return Ok(to.json.into_value());
    }
    let values = waiting.iter().map(|(_, field)| async move { of.resolve_field(&ctx.with_field(field)).await });
    let values = try_join_all(values).await?;
    let (written, mut from) = (to.json.as_bytes(), 0);
    let carried = values.iter().flatten().map(|value| if let Value::Binary(json) = value { json.len() } else { 0 });
    let mut whole = Json::with_capacity(written.len() + carried.sum::<usize>() + SCALARS);
    for ((place, _), value) in waiting.iter().zip(values) {
        whole.part(&written[from..*place]);
        whole.value(&value.unwrap_or_default());
        from = *place;
    }
    whole.part(&written[from..]);
    Ok(whole.into_value())
}

/// What has to be known of a document to write an object of it.
#[derive(Clone, Copy)]
struct Document<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    registry: &'a Registry,
    repeats: Repeats,
}

impl<'a> Document<'a> {
    /// `None` for documents that only the engine answers.
    fn of(ctx: &ContextSelectionSet<'a>) -> Option<Self> {
        let repeats = ctx.data_opt::<Repeats>().copied().filter(|repeats| *repeats < Repeats::Objects)?;
        Some(Self { fragments: &ctx.query_env.fragments, registry: &ctx.schema_env.registry, repeats })
    }

    /// Whether a fragment on `condition` is about objects of a type.
    fn applies(&self, condition: &str, type_name: &str) -> bool {
        let implements = |name| self.registry.implements.get(name).is_some_and(|all| all.contains(condition));
        condition == type_name || implements(type_name)
    }
}

/// Where the fields of objects are written.
pub struct Writer<'a> {
    json: Json,
    document: Document<'a>,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("json", &self.json).finish_non_exhaustive()
    }
}

impl<'d> Writer<'d> {
    fn new(document: Document<'d>, objects: usize) -> Self {
        Self { json: Json::with_capacity(objects.saturating_mul(OBJECT)), document }
    }

    /// Writes a string, a number or a boolean, or null.
    pub fn scalar(&mut self, value: impl Serialize) -> bool {
        self.json.scalar(value);
        true
    }

    /// Writes a string that is made of letters, digits and the like.
    pub fn plain(&mut self, text: impl Display) -> bool {
        self.json.plain(text);
        true
    }

    /// Writes such a string that is text already.
    pub fn plain_text(&mut self, text: &str) -> bool {
        self.json.plain_text(text);
        true
    }

    /// Writes such a string, or null.
    pub fn plain_or_null(&mut self, text: Option<impl Display>) -> bool {
        match text {
            Some(text) => self.json.plain(text),
            None => self.json.raw("null"),
        }
        true
    }

    /// Writes the name of a value of an enum.
    pub fn name<T: EnumType>(&mut self, value: T) -> bool {
        let item = T::items().iter().find(|item| item.value == value);
        item.is_some_and(|item| self.plain_text(item.name))
    }

    /// Writes what a field selects of an object, if all of it is ready.
    pub fn object<T: Ready>(&mut self, of: &T, field: &Field) -> bool {
        self.object_with(of, &field.selection_set.node, None)
    }

    /// Writes what a field selects of a list of objects, if all of it is ready.
    pub fn list<T: Ready>(&mut self, of: &[T], field: &Field) -> bool {
        self.rows(of, &field.selection_set.node)
    }

    fn rows<T: Ready>(&mut self, of: &[T], selection: &SelectionSet) -> bool {
        self.json.raw("[");
        for (at, row) in of.iter().enumerate() {
            if at > 0 {
                self.json.raw(",");
            }
            if !self.object_with(row, selection, None) {
                return false;
            }
        }
        self.json.raw("]");
        true
    }

    /// Writes an object. A field that is not ready gets no value and is put on the list of those that are waited for; where
    /// there is no list, and for directives, the object is left to the engine.
    fn object_with<'a, T: Ready>(
        &mut self,
        of: &T,
        selection: &'a SelectionSet,
        waiting: Option<&mut Vec<(usize, &'a Positioned<Field>)>>,
    ) -> bool
    where
        'd: 'a,
    {
        self.json.raw("{");
        let start = self.json.as_bytes().len();
        let mut object = Object { of, start, seen: Vec::new(), waiting };
        let written = object.fields(selection, self);
        self.json.raw("}");
        written
    }
}

/// An object that is being written.
struct Object<'a, 'w, T> {
    of: &'a T,
    /// Where its first field is.
    start: usize,
    /// The names that were written, where a name may come again.
    seen: Vec<&'w str>,
    waiting: Option<&'a mut Vec<(usize, &'w Positioned<Field>)>>,
}

impl<'w, T: Ready> Object<'_, 'w, T> {
    fn fields<'d: 'w>(&mut self, selection: &'w SelectionSet, to: &mut Writer<'d>) -> bool {
        selection.items.iter().all(|item| match &item.node {
            Selection::Field(field) => self.field(field, to),
            Selection::InlineFragment(inline) => {
                let inline = &inline.node;
                let condition = inline.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                inline.directives.is_empty() && self.fragment(condition, &inline.selection_set.node, to)
            }
            Selection::FragmentSpread(spread) => {
                let fragments = to.document.fragments;
                let Some(fragment) = fragments.get(&spread.node.fragment_name.node) else { return false };
                let (set, condition) = (&fragment.node.selection_set.node, &fragment.node.type_condition.node.on.node);
                spread.node.directives.is_empty()
                    && fragment.node.directives.is_empty()
                    && self.fragment(Some(condition), set, to)
            }
        })
    }

    fn fragment<'d: 'w>(&mut self, condition: Option<&str>, set: &'w SelectionSet, to: &mut Writer<'d>) -> bool {
        let applies = |condition| to.document.applies(condition, &self.of.introspection_type_name());
        if condition.is_none_or(applies) { self.fields(set, to) } else { true }
    }

    fn field(&mut self, field: &'w Positioned<Field>, to: &mut Writer<'_>) -> bool {
        let node = &field.node;
        if !node.directives.is_empty() {
            return false;
        }
        let key = node.response_key().node.as_str();
        if to.document.repeats == Repeats::Leaves {
            if self.seen.contains(&key) {
                return true;
            }
            self.seen.push(key);
        }
        if to.json.as_bytes().len() > self.start {
            to.json.raw(",");
        }
        to.json.key(key);
        if node.name.node == "__typename" {
            return to.plain_text(&self.of.introspection_type_name());
        }
        let place = to.json.as_bytes().len();
        if node.arguments.is_empty() && self.of.ready(node, to) {
            return true;
        }
        to.json.truncate(place);
        match &mut self.waiting {
            Some(waiting) => waiting.push((place, field)),
            None => return false,
        }
        true
    }
}

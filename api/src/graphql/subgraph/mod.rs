//! The schema as an Apollo Federation subgraph: the ordinary one, and what a gateway asks beside it.
//!
//! The engine has an `_entities` of its own. It fails the whole list when one entity does not exist, and takes
//! over as soon as a type has a resolvable key; so keys are never told to it. They are written into the schema
//! as plain directives, and `Entities` answers. Nothing of this may be visible in the ordinary schema.

mod entity;

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaDirectiveInvocation, MetaType, Registry};
use async_graphql::resolver_utils::{ContainerType, resolve_container};
use async_graphql::{
    Context, ContextSelectionSet, Object, ObjectType, OutputType, Positioned, SDLExportOptions, ServerResult,
    SimpleObject, Value,
};

use super::Query;
use super::context::ContextExt;
use crate::error::{Error, Result, code};

pub use entity::{Entity, Representation};

/// By which fields another subgraph can name a thing. [`entity`] reads each of them.
const KEYS: [(&str, &[&str]); 11] = [
    ("Payment", &["id", "reference"]),
    ("Installment", &["id"]),
    ("Receipt", &["id"]),
    ("Refund", &["id"]),
    ("Commodity", &["id", "code"]),
    ("DutyMeasure", &["id"]),
    ("Regulation", &["id"]),
    ("RegulationChunk", &["id"]),
    ("Prompt", &["id"]),
    ("Answer", &["id"]),
    // No second key with more fields: gateways take the shortest that they can fill.
    ("CurrencyRate", &["base quote requestedDate purpose"]),
];

/// A subgraph answers for its own ids only, so that its `node` cannot stand for that of a supergraph.
const NOT_IN_A_SUBGRAPH: [&str; 2] = ["node", "nodes"];

/// What `_service` answers. It depends on nothing but the code.
static SDL: LazyLock<String> = LazyLock::new(|| {
    let options = SDLExportOptions::new().federation().prefer_single_line_descriptions();
    let text = super::builder(SubgraphQuery).finish().sdl_with_options(options);
    format!("{}\n", text.trim())
});

/// The schema of the subgraph as a gateway composes it: with `@link` and keys, without what every subgraph has.
pub fn sdl() -> &'static str {
    &SDL
}

/// What a gateway asks of every subgraph.
#[derive(Clone, Copy, Debug, Default)]
struct Entities;

/// What a gateway asks of every subgraph.
#[Object]
impl Entities {
    /// What this subgraph adds to a supergraph.
    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service { sdl: sdl() }
    }

    /// The things that some representations name, in their order. Null where a thing does not exist or belongs to
    /// another account, and, beside an error, where a representation makes no sense.
    #[graphql(name = "_entities")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The representations, at most as many as a page may have rows.")] representations: Vec<
            Representation,
        >,
    ) -> Result<Vec<Option<Result<Entity>>>> {
        let max = ctx.request()?.max_page_size;
        if representations.len() > usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(Error::caller(code::INVALID_PAGE, format!("at most {max} representations can be given")));
        }
        // All at once, so that each kind is one batch. One that fails leaves the others alone.
        let fetches = representations.iter().map(|representation| Entity::fetch(ctx, representation));
        let entities = futures_util::future::join_all(fetches).await;
        Ok(entities.into_iter().map(Result::transpose).collect())
    }
}

/// What a subgraph says of itself.
#[derive(Clone, Copy, Debug, SimpleObject)]
#[graphql(name = "_Service")]
struct Service {
    /// The schema of the subgraph in the schema definition language.
    sdl: &'static str,
}

/// The root of all questions to a subgraph: [`Query`] and what a gateway asks, under one name.
#[derive(Clone, Copy, Debug)]
pub struct SubgraphQuery;

impl OutputType for SubgraphQuery {
    fn type_name() -> Cow<'static, str> {
        <Query as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let root = <Query as OutputType>::create_type_info(registry);
        let ours = registry.create_fake_output_type::<Entities>();
        if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(Self::type_name().as_ref()) {
            fields.retain(|field, _| !NOT_IN_A_SUBGRAPH.contains(&field.as_str()));
            fields.extend(ours.fields().into_iter().flatten().map(|(name, field)| (name.clone(), field.clone())));
        }
        // Everything that has a key can be reached from the root, and is in the registry by now.
        for (entity, keys) in KEYS {
            if let Some(MetaType::Object { directive_invocations, .. }) = registry.types.get_mut(entity) {
                directive_invocations.extend(keys.iter().map(|fields| key(fields)));
            }
        }
        root
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl ContainerType for SubgraphQuery {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        match Query.resolve_field(ctx).await? {
            Some(value) => Ok(Some(value)),
            // It is none of those fields.
            None => Entities.resolve_field(ctx).await,
        }
    }
}

impl ObjectType for SubgraphQuery {}

fn key(fields: &str) -> MetaDirectiveInvocation {
    let fields = ("fields".to_owned(), Value::from(fields));
    MetaDirectiveInvocation { name: "key".to_owned(), args: [fields].into_iter().collect() }
}

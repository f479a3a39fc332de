//! The public schema: what can be asked, and nothing of how it is found.
//!
//! Each type has two blocks: the `#[Object]` one is the schema and reads like it; the plain one below makes
//! the type from rows. A resolver loads through [`crate::loaders`] and never through the store. One whose field may be
//! null returns `Option<Result<_>>`, so that the field is null when it fails; with `Result<Option<_>>` all of the
//! object around it would be.

pub mod context;
pub mod id;
pub mod input;
pub mod json;
mod mutation;
pub mod pagination;
mod query;
pub mod repeats;
pub mod rows;
pub mod scalars;
pub mod spans;
pub mod subgraph;
mod subscription;
pub mod timing;
pub mod types;

use async_graphql::{ObjectType, Request, Response, SDLExportOptions, SchemaBuilder};
use futures_util::stream::BoxStream;

pub use mutation::Mutation;
pub use query::Query;
use subgraph::SubgraphQuery;
pub use subscription::Subscription;

type Executable<Q> = async_graphql::Schema<Q, Mutation, Subscription>;

/// The executable schema.
#[derive(Clone)]
pub enum Schema {
    /// For clients.
    Ordinary(Executable<Query>),
    /// The same for a gateway, which composes it with others.
    Subgraph(Executable<SubgraphQuery>),
}

/// Builds the schema: for clients, or as a subgraph.
pub fn schema(subgraph: bool) -> Schema {
    if subgraph { Schema::Subgraph(builder(SubgraphQuery).finish()) } else { Schema::Ordinary(builder(Query).finish()) }
}

/// Builds the schema so that it times the stages of each request for a profile, and makes spans of them for a trace.
pub fn timed_schema(subgraph: bool) -> Schema {
    if subgraph {
        Schema::Subgraph(builder(SubgraphQuery).extension(timing::Timing).extension(spans::Spans).finish())
    } else {
        Schema::Ordinary(builder(Query).extension(timing::Timing).extension(spans::Spans).finish())
    }
}

fn builder<Q: ObjectType + 'static>(query: Q) -> SchemaBuilder<Q, Mutation, Subscription> {
    Executable::build(query, Mutation, Subscription)
        .register_output_type::<types::node::Node>()
        .enable_subscription_in_federation()
        .disable_suggestions()
}

impl Schema {
    /// Runs a query or a mutation to its end.
    pub async fn execute(&self, request: Request) -> Response {
        match self {
            Self::Ordinary(schema) => schema.execute(request).await,
            Self::Subgraph(schema) => schema.execute(request).await,
        }
    }

    /// Runs an operation; a subscription has any number of answers.
    pub fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        match self {
            Self::Ordinary(schema) => schema.execute_stream(request),
            Self::Subgraph(schema) => schema.execute_stream(request),
        }
    }

    /// All of it in the schema definition language.
    pub fn sdl(&self) -> String {
        let options = SDLExportOptions::new().prefer_single_line_descriptions();
        let text = match self {
            Self::Ordinary(schema) => schema.sdl_with_options(options),
            Self::Subgraph(schema) => schema.sdl_with_options(options),
        };
        format!("{}\n", text.trim())
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ordinary(_) => "Schema::Ordinary",
            Self::Subgraph(_) => "Schema::Subgraph",
        })
    }
}

/// All that can be asked of a server, in the schema definition language. The ordinary one is committed in
/// `schema.graphql`. That of a subgraph has `_entities` and `_service` in it; [`subgraph::sdl`] is what a gateway
/// composes.
pub fn sdl(subgraph: bool) -> String {
    schema(subgraph).sdl()
}

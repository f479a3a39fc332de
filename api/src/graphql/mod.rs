//! The public schema: what can be asked, and nothing of how it is found.
//!
//! Each type has two blocks: the `#[Object]` one is the schema and reads like it; the plain one below makes
//! the type from rows. A resolver loads through [`crate::loaders`] and never through the store.

pub mod context;
pub mod id;
pub mod input;
pub mod pagination;
mod query;
pub mod scalars;
mod subscription;
pub mod timing;
pub mod types;

use async_graphql::{EmptyMutation, SDLExportOptions};

pub use query::Query;
pub use subscription::Subscription;

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

/// Builds the schema.
pub fn schema() -> Schema {
    builder().finish()
}

/// Builds the schema so that it times the stages of each request, for a profile.
pub fn timed_schema() -> Schema {
    builder().extension(timing::Timing).finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, EmptyMutation, Subscription> {
    Schema::build(Query, EmptyMutation, Subscription).register_output_type::<types::node::Node>().disable_suggestions()
}

/// The schema in the schema definition language, as committed in `schema.graphql`.
pub fn sdl() -> String {
    let text = schema().sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions());
    format!("{}\n", text.trim())
}

//! Prompts of the library.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::prompt::Model;

use crate::assistant::outcome::FoundPrompt;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::loaders::assistant::PromptKey;

/// A question that the assistant is known to answer well.
#[derive(Clone, Debug)]
pub struct Prompt(Arc<Model>);

/// A question that the assistant is known to answer well.
#[Object]
impl Prompt {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Prompt(self.0.name.clone()).encode()
    }

    /// The question, in a few words.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// How such a question is answered, with blanks such as `{quantity}`.
    async fn template(&self) -> &str {
        &self.0.template
    }

    /// What it belongs to. Null where nothing is said.
    async fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// Rises with each change, from 1.
    async fn revision(&self) -> i32 {
        self.0.revision
    }

    /// The model with whose vectors it is searched. Null where words alone are searched.
    async fn embedding_model(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(ctx.request()?.assistant.vector_model().map(str::to_owned))
    }
}

impl Prompt {
    /// The prompt with a name.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn with_name(ctx: &Context<'_>, name: String) -> Result<Option<Self>> {
        Ok(ctx.load(PromptKey(name)).await?.map(Self))
    }
}

/// A prompt that a question is like.
#[derive(Clone, Debug)]
pub struct PromptMatch(pub FoundPrompt);

/// A prompt that a question is like.
#[Object]
impl PromptMatch {
    /// The prompt.
    async fn prompt(&self) -> Prompt {
        Prompt(Arc::clone(&self.0.prompt))
    }

    /// How similar they are, from 0 to 1: by vectors or by words, whichever is more.
    async fn similarity(&self) -> f64 {
        self.0.similarity
    }
}

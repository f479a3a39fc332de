//! Regulations.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::regulation::Model;

use super::regulation_chunk::RegulationChunkConnection;
use crate::domain::duty::citation;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::Date;
use crate::loaders::regulations::{AmendedKey, RegulationKey};

/// A law or a decree that a duty rests on.
#[derive(Clone, Debug)]
pub struct Regulation(Arc<Model>);

/// A law or a decree that a duty rests on.
#[Object]
impl Regulation {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Regulation(self.0.number.clone()).encode()
    }

    /// The number in its short form, such as `PMK 38/2024`.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// What it is about; the number where no title is held.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// The day on which it was issued. Null where that is not held.
    async fn issued_on(&self) -> Option<Date> {
        self.0.issued_on.map(Date)
    }

    /// The first day on which it is in force. Null where that is not held.
    async fn in_force_from(&self) -> Option<Date> {
        self.0.in_force_from.map(Date)
    }

    /// The last day on which it is in force. Null while it is, or where that is not held.
    async fn in_force_to(&self) -> Option<Date> {
        self.0.in_force_to.map(Date)
    }

    /// The regulations that it amends, by number, as far as that is held.
    async fn amends(&self, ctx: &Context<'_>) -> Result<Vec<Regulation>> {
        let amended = ctx.load(AmendedKey(self.0.number.clone())).await?;
        Ok(amended.iter().cloned().map(Self).collect())
    }

    /// Where its text is. Null where that is not held.
    async fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// Its text in pieces, in their order, as far as that is held.
    async fn chunks(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<RegulationChunkConnection> {
        RegulationChunkConnection::of(ctx, &self.0.number, first, after).await
    }
}

impl Regulation {
    /// The regulation with this number, in either form.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn named(ctx: &Context<'_>, number: &str) -> Result<Option<Self>> {
        let Some(number) = citation::number(number) else { return Ok(None) };
        Ok(ctx.load(RegulationKey(number)).await?.map(Self))
    }

    /// The regulations that some texts cite, each once, in the order in which they are cited.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn cited<'a>(ctx: &Context<'_>, texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>> {
        let mut numbers: Vec<String> = Vec::new();
        for number in texts.into_iter().flat_map(citation::numbers) {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        let found = ctx.load_many(numbers.into_iter().map(RegulationKey).collect::<Vec<_>>()).await?;
        Ok(found.into_iter().flatten().map(Self).collect())
    }
}

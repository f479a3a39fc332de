//! Pieces of regulations, and quotations from them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::regulation_chunk::Model;

use super::regulation::Regulation;
use crate::assistant::outcome::{self, FoundChunk};
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::scalars::Date;
use crate::loaders::assistant::{ChunkKey, RegulationChunksKey};
use crate::store::page::KeyValue;

/// A piece of a regulation's text: an article, or a part of a long one.
#[derive(Clone, Debug)]
pub struct RegulationChunk(Arc<Model>);

/// A piece of a regulation's text: an article, or a part of a long one.
#[Object]
impl RegulationChunk {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::RegulationChunk(self.0.id.clone()).encode()
    }

    /// The regulation that it is from.
    async fn regulation(&self, ctx: &Context<'_>) -> Result<Regulation> {
        let found = Regulation::named(ctx, &self.0.regulation).await?;
        found.ok_or_else(|| Error::internal(format!("a chunk of {}, which is not there", self.0.regulation)))
    }

    /// The heading of its article, such as `Pasal 5`. Null for what stands before the first.
    async fn article(&self) -> Option<&str> {
        self.0.article.as_deref()
    }

    /// The words, as they stand in the text.
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// The first day on which it is in force. Null where that is not held.
    async fn valid_from(&self) -> Option<Date> {
        self.0.valid_from.map(Date)
    }

    /// The last day on which it is in force. Null while it is, or where that is not held.
    async fn valid_to(&self) -> Option<Date> {
        self.0.valid_to.map(Date)
    }

    /// The model with whose vectors it is searched. Null where words alone are searched.
    async fn embedding_model(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(ctx.request()?.assistant.vector_model().map(str::to_owned))
    }
}

impl RegulationChunk {
    /// A chunk from its row.
    pub fn new(row: Arc<Model>) -> Self {
        Self(row)
    }

    /// The chunk with an id.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn with_id(ctx: &Context<'_>, id: String) -> Result<Option<Self>> {
        Ok(ctx.load(ChunkKey(id)).await?.map(Self))
    }

    /// Chunks that were found.
    pub fn found(found: &[FoundChunk]) -> Vec<Self> {
        found.iter().map(|one| Self(Arc::clone(&one.chunk))).collect()
    }
}

/// A page of the pieces of a regulation's text, in their order.
#[derive(Clone, Debug)]
pub struct RegulationChunkConnection {
    edges: Vec<Edge<RegulationChunk>>,
    info: PageInfo,
}

/// A page of the pieces of a regulation's text, in their order.
#[Object]
impl RegulationChunkConnection {
    /// The pieces with their cursors.
    async fn edges(&self) -> &[Edge<RegulationChunk>] {
        &self.edges
    }

    /// The pieces.
    async fn nodes(&self) -> Vec<RegulationChunk> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }
}

impl RegulationChunkConnection {
    /// A page of the pieces of a regulation.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of(ctx: &Context<'_>, regulation: &str, first: i32, after: Option<String>) -> Result<Self> {
        let list = List::new("regulation_chunks", vec![KeyKind::Int], &regulation);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(RegulationChunksKey { regulation: regulation.to_owned(), request }).await?;
        let position = |row: &Arc<Model>| vec![KeyValue::Int(i64::from(row.sequence))];
        let edges = list.edges(&page, position, |row| Ok(RegulationChunk(Arc::clone(row))))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { edges, info })
    }
}

/// Words of a piece of a regulation, exactly as they stand there.
#[derive(Clone, Debug)]
pub struct Citation(pub outcome::Citation);

/// Words of a piece of a regulation, exactly as they stand there.
#[Object]
impl Citation {
    /// The number of its marker in an answer, such as 1 for `[1]`; its rank in a search.
    async fn marker(&self) -> i32 {
        i32::try_from(self.0.marker).unwrap_or(i32::MAX)
    }

    /// Where the words are from.
    async fn chunk(&self) -> RegulationChunk {
        RegulationChunk(Arc::clone(&self.0.source.chunk))
    }

    /// The words.
    async fn quote(&self) -> &str {
        &self.0.words
    }

    /// Where they begin in the text of the piece, in Unicode characters from 0.
    async fn start_offset(&self) -> i32 {
        i32::try_from(self.0.start).unwrap_or(i32::MAX)
    }

    /// Where they end, one behind the last character.
    async fn end_offset(&self) -> i32 {
        i32::try_from(self.0.end).unwrap_or(i32::MAX)
    }

    /// How similar the piece is to the question, from 0 to 1: by vectors or by words, whichever is more.
    async fn similarity(&self) -> f64 {
        self.0.source.similarity
    }
}

//! What is searched, in memory: the words and the vectors of all chunks and prompts.
//!
//! It is built from the rows once, kept as long as they do not change, and dropped when they do. The search is exact:
//! every vector is compared.

use std::sync::{Arc, PoisonError, RwLock};

use entity::{prompt, regulation_chunk};
use tokio::sync::Mutex;

use super::similarity::{Vector, Words};
use super::text;
use crate::cache::{Cache, Mark, Tag};
use crate::error::{Error, Result};
use crate::loaders::Loads;
use crate::loaders::assistant::{SourceRows, SourcesKey};

/// What an index depends on: titles of regulations are among the commodities.
pub const TAGS: [Tag; 2] = [Tag::Sources, Tag::Commodities];

/// A chunk that can be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The row.
    pub row: Arc<regulation_chunk::Model>,
    /// Its vector.
    pub vector: Option<Vector>,
}

/// A prompt that can be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The row.
    pub row: Arc<prompt::Model>,
    /// Its vector.
    pub vector: Option<Vector>,
}

/// The index.
#[derive(Debug)]
pub struct Index {
    /// The chunks, by id.
    pub chunks: Vec<Chunk>,
    /// Their words.
    pub chunk_words: Words,
    /// The prompts, by name.
    pub prompts: Vec<Prompt>,
    /// Their words.
    pub prompt_words: Words,
}

impl Index {
    /// Builds it.
    pub fn new(rows: &SourceRows) -> Self {
        let vector = |bytes: &Option<Vec<u8>>| bytes.as_deref().and_then(Vector::from_bytes);
        let chunks =
            rows.chunks.iter().map(|row| Chunk { row: Arc::new(row.chunk.clone()), vector: vector(&row.vector) });
        let chunk_words = rows.chunks.iter().map(|row| {
            let chunk = &row.chunk;
            text::words(&format!("{} {} {}", chunk.regulation, row.title, chunk.text))
        });
        let prompts =
            rows.prompts.iter().map(|row| Prompt { row: Arc::new(row.prompt.clone()), vector: vector(&row.vector) });
        let prompt_words =
            rows.prompts.iter().map(|row| text::words(&format!("{} {}", row.prompt.title, row.prompt.template)));
        Self {
            chunk_words: Words::new(chunk_words),
            prompt_words: Words::new(prompt_words),
            chunks: chunks.collect(),
            prompts: prompts.collect(),
        }
    }
}

/// The index of now.
#[derive(Debug)]
pub struct Indexes {
    model: String,
    cache: Cache,
    current: RwLock<Option<(Mark, Arc<Index>)>>,
    /// One builds, the others wait.
    building: Mutex<()>,
}

impl Indexes {
    /// None yet, for the vectors of a model.
    pub fn new(model: String, cache: Cache) -> Self {
        Self { model, cache, current: RwLock::default(), building: Mutex::default() }
    }

    /// The index of what is stored now.
    ///
    /// # Errors
    /// When the rows cannot be loaded.
    pub async fn current(&self, loads: &Loads) -> Result<Arc<Index>> {
        if let Some(index) = self.kept() {
            return Ok(index);
        }
        let _turn = self.building.lock().await;
        if let Some(index) = self.kept() {
            return Ok(index);
        }
        // Before the rows are read: what changes from here on drops what is built.
        let mark = self.cache.mark();
        let rows = loads.one(SourcesKey { model: self.model.clone() }).await?;
        let index = tokio::task::spawn_blocking(move || Arc::new(Index::new(&rows))).await.map_err(Error::internal)?;
        if let Some(mark) = mark {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some((mark, Arc::clone(&index)));
        }
        Ok(index)
    }

    fn kept(&self) -> Option<Arc<Index>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let (mark, index) = current.as_ref()?;
        self.cache.is_current(*mark, &TAGS).then(|| Arc::clone(index))
    }
}

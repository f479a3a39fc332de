//! What is searched, in memory: the words of all chunks and prompts, and their vectors; those of the chunks only where
//! the database does not compare them itself.
//!
//! It is built from the rows once, kept as long as they do not change, and dropped when they do. The search is exact:
//! every vector is compared.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::NaiveDate;
use entity::{prompt, regulation_chunk};
use tokio::sync::Mutex;

use super::similarity::Words;
use super::text;
use super::vectors::{Vector, Vectors};
use crate::cache::{Cache, Mark, Tag};
use crate::error::{Error, Result};
use crate::loaders::Loads;
use crate::loaders::assistant::{SourceRows, SourcesKey};
use crate::store::vectors::Comparison;

/// What an index depends on: titles of regulations are among the commodities.
pub const TAGS: [Tag; 2] = [Tag::Sources, Tag::Commodities];

/// The index.
#[derive(Debug)]
pub struct Index {
    /// The chunks, by id.
    pub chunks: Vec<Arc<regulation_chunk::Model>>,
    /// Their words.
    pub chunk_words: Words,
    /// Their vectors; none where the database compares them.
    pub chunk_vectors: Vectors,
    /// From when to when each is in force. Beside the rows, since each search looks at all.
    validity: Vec<(Option<NaiveDate>, Option<NaiveDate>)>,
    /// The chunks of each regulation.
    regulations: HashMap<String, Vec<usize>>,
    /// The prompts, by name.
    pub prompts: Vec<Arc<prompt::Model>>,
    /// Their words.
    pub prompt_words: Words,
    /// Their vectors.
    pub prompt_vectors: Vectors,
}

impl Index {
    /// Builds it.
    pub fn new(rows: &SourceRows) -> Self {
        let vector = |bytes: &Option<Vec<u8>>| bytes.as_deref().and_then(Vector::from_bytes);
        let chunk_words = rows.chunks.iter().map(|row| {
            let chunk = &row.chunk;
            text::words(&format!("{} {} {}", chunk.regulation, row.title, chunk.text))
        });
        let prompt_words =
            rows.prompts.iter().map(|row| text::words(&format!("{} {}", row.prompt.title, row.prompt.template)));
        let mut regulations: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, row) in rows.chunks.iter().enumerate() {
            regulations.entry(row.chunk.regulation.clone()).or_default().push(at);
        }
        Self {
            chunk_words: Words::new(chunk_words),
            chunk_vectors: Vectors::new(rows.chunks.iter().map(|row| vector(&row.vector))),
            validity: rows.chunks.iter().map(|row| (row.chunk.valid_from, row.chunk.valid_to)).collect(),
            regulations,
            chunks: rows.chunks.iter().map(|row| Arc::new(row.chunk.clone())).collect(),
            prompt_words: Words::new(prompt_words),
            prompt_vectors: Vectors::new(rows.prompts.iter().map(|row| vector(&row.vector))),
            prompts: rows.prompts.iter().map(|row| Arc::new(row.prompt.clone())).collect(),
        }
    }

    /// Of each chunk, whether it is in force on a day.
    pub fn in_force(&self, on: NaiveDate) -> Vec<bool> {
        let valid = |(from, to): &(Option<NaiveDate>, Option<NaiveDate>)| {
            from.is_none_or(|from| from <= on) && to.is_none_or(|to| on <= to)
        };
        self.validity.iter().map(valid).collect()
    }

    /// The chunks of a regulation.
    pub fn of_regulation(&self, number: &str) -> &[usize] {
        self.regulations.get(number).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where a chunk is.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.chunks.binary_search_by(|chunk| chunk.id.as_str().cmp(id)).ok()
    }
}

/// The index of now.
#[derive(Debug)]
pub struct Indexes {
    model: String,
    comparison: Comparison,
    cache: Cache,
    current: RwLock<Option<(Mark, Arc<Index>)>>,
    /// One builds, the others wait.
    building: Mutex<()>,
}

impl Indexes {
    /// None yet, of what has vectors of a model, which memory or the database compares.
    pub fn new(model: String, comparison: Comparison, cache: Cache) -> Self {
        Self { model, comparison, cache, current: RwLock::default(), building: Mutex::default() }
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
        let key = SourcesKey { model: self.model.clone(), comparison: self.comparison, since: mark };
        let rows = loads.one(key).await?;
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

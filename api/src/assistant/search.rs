//! Finds sources: by words in memory, by vectors in memory or in the database. What was found is kept until the sources
//! change.

use std::sync::Arc;

use chrono::NaiveDate;

use super::index::{Index, Indexes, TAGS};
use super::kept::Made;
use super::metrics::AssistantMetrics;
use super::outcome::{FoundChunk, FoundPrompt};
use super::retrieval::{self, DEPTH, Hit, Hits, Wanted};
use super::settings::AssistantSettings;
use super::text;
use super::vectors::{Vector, ordered};
use crate::cache::Cache;
use crate::error::{Result, chain};
use crate::loaders::Loads;
use crate::loaders::assistant::NearestChunksKey;
use crate::store::vectors::Comparison;

/// How many chunks a database is asked for: more than are ordered, since its index only finds most of the nearest.
const ASKED: u32 = 2 * DEPTH as u32;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The question.
    pub text: &'a str,
    /// Those of its words that count.
    pub words: &'a [String],
    /// Its vector.
    pub vector: Option<&'a Vector>,
    /// The least similarity, in thousandths.
    pub floor: u32,
    /// How many at the most.
    pub limit: usize,
}

impl Query<'_> {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { words: self.words, floor: self.floor, limit: self.limit }
    }

    fn key(&self, on: Option<NaiveDate>) -> SearchKey {
        let by_vector_of = self.vector.is_some().then(|| text::normal(self.text));
        SearchKey { by_vector_of, words: self.words.to_vec(), on, floor: self.floor, limit: self.limit }
    }
}

/// Searches that find the same. There is one model, so a text has one vector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SearchKey {
    by_vector_of: Option<String>,
    words: Vec<String>,
    on: Option<NaiveDate>,
    floor: u32,
    limit: usize,
}

/// The search.
#[derive(Debug)]
pub struct Search {
    indexes: Indexes,
    model: String,
    comparison: Comparison,
    cache: Cache,
    chunks: Made<SearchKey, Arc<Hits<FoundChunk>>>,
    prompts: Made<SearchKey, Arc<Hits<FoundPrompt>>>,
    metrics: Arc<AssistantMetrics>,
}

impl Search {
    /// A search that has found nothing.
    pub fn new(
        settings: &AssistantSettings,
        comparison: Comparison,
        cache: &Cache,
        metrics: Arc<AssistantMetrics>,
    ) -> Self {
        let (entries, ttl) = (settings.cache_entries, settings.cache_ttl);
        let model = settings.embedding_model.clone();
        Self {
            indexes: Indexes::new(model.clone(), comparison, cache.clone()),
            model,
            comparison,
            cache: cache.clone(),
            chunks: Made::new(entries, ttl, &TAGS),
            prompts: Made::new(entries, ttl, &TAGS),
            metrics,
        }
    }

    /// The index of what is stored now.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn index(&self, loads: &Loads) -> Result<Arc<Index>> {
        self.indexes.current(loads).await
    }

    /// Chunks in force on a day.
    ///
    /// # Errors
    /// When the sources cannot be loaded.
    pub async fn chunks(&self, loads: &Loads, query: &Query<'_>, on: NaiveDate) -> Result<Arc<Hits<FoundChunk>>> {
        let find = async || {
            let index = self.index(loads).await?;
            let in_force = index.in_force(on);
            let near = self.nearest(loads, &index, query, &in_force, on).await;
            let hits = retrieval::chunks(&index, &query.wanted(), near.as_deref().unwrap_or_default(), &in_force);
            Ok((Arc::new(hits.map(|hit| chunk_at(&index, *hit))), near.is_some()))
        };
        let (found, origin) = self.chunks.get(&self.cache, &query.key(Some(on)), find).await?;
        self.metrics.looked_up("chunks", origin.name());
        Ok(found)
    }

    /// Prompts.
    ///
    /// # Errors
    /// When the sources cannot be loaded.
    pub async fn prompts(&self, loads: &Loads, query: &Query<'_>) -> Result<Arc<Hits<FoundPrompt>>> {
        let find = async || {
            let index = self.index(loads).await?;
            let all = vec![true; index.prompts.len()];
            let near = query.vector.map(|vector| index.prompt_vectors.nearest(vector, &all, DEPTH));
            let hits = retrieval::prompts(&index, &query.wanted(), &near.unwrap_or_default(), &all);
            let prompt = |hit: &Hit| {
                let prompt = Arc::clone(index.prompts.get(hit.at)?);
                Some(FoundPrompt { prompt, similarity: hit.similarity })
            };
            Ok((Arc::new(hits.map(prompt)), true))
        };
        let (found, origin) = self.prompts.get(&self.cache, &query.key(None), find).await?;
        self.metrics.looked_up("prompts", origin.name());
        Ok(found)
    }

    /// The chunks whose vectors are nearest; `None` when the database did not find them, so that words have to do.
    async fn nearest(
        &self,
        loads: &Loads,
        index: &Index,
        query: &Query<'_>,
        in_force: &[bool],
        on: NaiveDate,
    ) -> Option<Vec<(usize, f64)>> {
        let Some(vector) = query.vector else { return Some(Vec::new()) };
        if self.comparison == Comparison::Memory {
            return Some(index.chunk_vectors.nearest(vector, in_force, DEPTH));
        }
        let key = NearestChunksKey { model: self.model.clone(), vector: vector.to_bytes().into(), on, limit: ASKED };
        match loads.one(key).await {
            Ok(near) => {
                let compared = near.iter().filter_map(|near| {
                    let similarity = vector.similarity(&Vector::from_bytes(&near.numbers)?)?;
                    Some((index.place(&near.chunk)?, similarity))
                });
                Some(ordered(compared.collect(), DEPTH))
            }
            Err(error) => {
                tracing::warn!(cause = %chain(&error), "the database did not compare vectors; words alone are searched");
                None
            }
        }
    }
}

/// The chunk of a hit.
pub fn chunk_at(index: &Index, hit: Hit) -> Option<FoundChunk> {
    let chunk = Arc::clone(index.chunks.get(hit.at)?);
    Some(FoundChunk { chunk, similarity: hit.similarity })
}

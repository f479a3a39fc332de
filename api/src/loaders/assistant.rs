//! What the assistant searches, and the goods that a question may name.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::{assistant_use, prompt, regulation_chunk};

use super::{Key, Source, by_shape, one_each};
use crate::cache::{Mark, Policy, Tag, Weight};
use crate::error::Result;
use crate::store;
use crate::store::page::{Page, PageRequest};
use crate::store::prompts::PromptRow;
use crate::store::regulation_chunks::ChunkRow;
use crate::store::vectors::{self, Comparison, NearChunk};

/// Everything that is searched, with the vectors of a model. It is kept as an index and not as rows, and so not by the
/// cache: see [`crate::assistant::index`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourcesKey {
    /// The model.
    pub model: String,
    /// Who compares the vectors of chunks. They are loaded for memory alone.
    pub comparison: Comparison,
    /// From when on they have to be. An operation remembers what it has loaded, and may ask again later.
    pub since: Option<Mark>,
}

/// What is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRows {
    /// The chunks of regulations, by id.
    pub chunks: Vec<ChunkRow>,
    /// The prompts that are offered, by name.
    pub prompts: Vec<PromptRow>,
}

impl Key for SourcesKey {
    type Value = Arc<SourceRows>;
    const LOADER: &'static str = "assistant_sources";

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for key in keys {
            let model = (key.comparison == Comparison::Memory).then_some(key.model.as_str());
            let chunks = store::regulation_chunks::all(&source.reader, model).await?;
            let prompts = store::prompts::active(&source.reader, &key.model).await?;
            answers.insert(key.clone(), Arc::new(SourceRows { chunks, prompts }));
        }
        Ok(answers)
    }
}

/// The chunks whose vectors the database finds nearest to one. The answers are kept by the assistant, together with what
/// else it finds, and not by the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NearestChunksKey {
    /// The model of the vectors.
    pub model: String,
    /// The vector, as it is stored.
    pub vector: Arc<[u8]>,
    /// The day on which they have to be in force.
    pub on: NaiveDate,
    /// How many.
    pub limit: u32,
}

impl Key for NearestChunksKey {
    type Value = Arc<Vec<NearChunk>>;
    const LOADER: &'static str = "nearest_chunks";

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for key in keys {
            let near = vectors::nearest_chunks(&source.reader, &key.model, &key.vector, key.on, key.limit).await?;
            answers.insert(key.clone(), Arc::new(near));
        }
        Ok(answers)
    }
}

/// Goods that rules of export duty name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The goods, in the words of the regulation.
    pub name: String,
    /// The codes that are named for them, with their names in English and Indonesian.
    pub codes: Vec<ProductCode>,
}

/// A code of such goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductCode {
    /// The code without dots.
    pub code: String,
    /// What is under it, in each language that is held.
    pub names: Vec<String>,
}

/// All goods that rules of export duty name, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProductsKey;

impl Key for ProductsKey {
    type Value = Arc<Vec<Product>>;
    const LOADER: &'static str = "duty_products";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut products: Vec<Product> = Vec::new();
        for row in store::duty_measures::products(&source.reader).await? {
            if products.last().is_none_or(|last| last.name != row.product) {
                products.push(Product { name: row.product, codes: Vec::new() });
            }
            let names = [row.description_en, row.description_id].into_iter().flatten().collect();
            if let (Some(product), Some(code)) = (products.last_mut(), row.commodity) {
                product.codes.push(ProductCode { code, names });
            }
        }
        let products = Arc::new(products);
        Ok(keys.iter().map(|key| (*key, Arc::clone(&products))).collect())
    }
}

impl Weight for Product {
    fn weight(&self) -> usize {
        let names = self.codes.iter().flat_map(|code| &code.names).map(String::len).sum::<usize>();
        size_of::<Self>() + self.name.len() + self.codes.len() * size_of::<ProductCode>() + names
    }
}

/// A prompt by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PromptKey(pub String);

impl Key for PromptKey {
    type Value = Option<Arc<prompt::Model>>;
    const LOADER: &'static str = "prompt";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Sources));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let names: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = store::prompts::by_names(&source.reader, &names).await?;
        Ok(one_each(keys, rows, |row| Self(row.name.clone())))
    }
}

/// A chunk of a regulation by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChunkKey(pub String);

impl Key for ChunkKey {
    type Value = Option<Arc<regulation_chunk::Model>>;
    const LOADER: &'static str = "regulation_chunk";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Sources));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = store::regulation_chunks::by_ids(&source.reader, &ids).await?;
        Ok(one_each(keys, rows, |row| Self(row.id.clone())))
    }
}

/// One page of the chunks of a regulation, in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegulationChunksKey {
    /// The number of the regulation.
    pub regulation: String,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for RegulationChunksKey {
    type Value = Arc<Page<Arc<regulation_chunk::Model>>>;
    const LOADER: &'static str = "regulation_chunks";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|_, _| Tag::Sources).only(|key| key.request.is_first_page()));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, numbers) in by_shape(keys, |key| (key.request.clone(), key.regulation.clone())) {
            let pages = store::regulation_chunks::pages_of_regulations(&source.reader, &numbers, &request).await?;
            for (regulation, page) in pages {
                answers.insert(Self { regulation, request: request.clone() }, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

/// What the account used on a day (UTC). Never kept: it changes with each question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UseKey(pub NaiveDate);

impl Key for UseKey {
    type Value = Option<Arc<assistant_use::Model>>;
    const LOADER: &'static str = "assistant_use";

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for key in keys {
            let row = store::assistant_uses::on(&source.reader, source.account, key.0).await?;
            answers.insert(*key, row.map(Arc::new));
        }
        Ok(answers)
    }
}

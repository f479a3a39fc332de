//! Commodities.

use std::collections::HashMap;
use std::sync::Arc;

use entity::commodity::Model;

use super::{Key, Source, by_shape, one_each};
use crate::cache::{Policy, Tag};
use crate::domain::words::Vocabulary;
use crate::error::Result;
use crate::store;
use crate::store::commodities::{CommodityFilter, Match};
use crate::store::page::{Page, PageRequest};
use crate::store::successions::Direction;

/// A commodity by its code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityKey(pub String);

impl Key for CommodityKey {
    type Value = Option<Arc<Model>>;
    const LOADER: &'static str = "commodity";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let codes: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = store::commodities::by_codes(&source.reader, &codes).await?;
        Ok(one_each(keys, rows, |row| Self(row.code.clone())))
    }
}

/// The words that occur in names of commodities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommodityVocabularyKey;

impl Key for CommodityVocabularyKey {
    type Value = Arc<Vocabulary>;
    const LOADER: &'static str = "commodity_vocabulary";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let vocabulary = Arc::new(store::commodity_search::vocabulary(&source.reader).await?);
        Ok(keys.iter().map(|key| (*key, Arc::clone(&vocabulary))).collect())
    }
}

/// One page of the commodities that a filter finds. One statement for each page that the operation names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityPageKey {
    /// Which commodities.
    pub filter: CommodityFilter,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for CommodityPageKey {
    type Value = Arc<Page<Match>>;
    const LOADER: &'static str = "commodity_page";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|_, _| Tag::Commodities).only(|key| key.request.is_first_page()).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for key in keys {
            let page = store::commodities::page(&source.reader, &key.filter, &key.request).await?;
            answers.insert(key.clone(), Arc::new(page));
        }
        Ok(answers)
    }
}

/// How many commodities a filter finds. One statement for each filter that the operation names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityCountKey(pub CommodityFilter);

impl Key for CommodityCountKey {
    type Value = i64;
    const LOADER: &'static str = "commodity_count";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for key in keys {
            answers.insert(key.clone(), store::commodities::count(&source.reader, &key.0).await?);
        }
        Ok(answers)
    }
}

/// One page of the commodities directly below one code, by code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityChildrenKey {
    /// The code above.
    pub parent: String,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for CommodityChildrenKey {
    type Value = Arc<Page<Arc<Model>>>;
    const LOADER: &'static str = "commodity_children";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|_, _| Tag::Commodities).only(|key| key.request.is_first_page()));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, parents) in by_shape(keys, |key| (key.request.clone(), key.parent.clone())) {
            for (parent, page) in store::commodities::pages_of_parents(&source.reader, &parents, &request).await? {
                let key = Self { parent, request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

/// How many commodities stand directly below one code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityChildCountKey(pub String);

impl Key for CommodityChildCountKey {
    type Value = i64;
    const LOADER: &'static str = "commodity_child_count";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let parents: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut counts = store::commodities::counts_of_parents(&source.reader, &parents).await?;
        Ok(keys.iter().map(|key| (key.clone(), counts.remove(&key.0).unwrap_or(0))).collect())
    }
}

/// The codes that took a code's place, or whose place it took, by code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommoditySuccessionKey {
    /// The code.
    pub code: String,
    /// In which direction.
    pub direction: Direction,
}

impl Key for CommoditySuccessionKey {
    type Value = Arc<Vec<Arc<Model>>>;
    const LOADER: &'static str = "commodity_succession";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (direction, codes) in by_shape(keys, |key| (key.direction, key.code.clone())) {
            let mut lists: Vec<Vec<Arc<Model>>> = vec![Vec::new(); codes.len()];
            for (at, row) in store::successions::of_codes(&source.reader, direction, &codes).await? {
                if let Some(list) = lists.get_mut(at) {
                    list.push(Arc::new(row));
                }
            }
            for (code, list) in codes.into_iter().zip(lists) {
                answers.insert(Self { code, direction }, Arc::new(list));
            }
        }
        Ok(answers)
    }
}

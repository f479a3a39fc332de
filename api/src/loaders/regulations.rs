//! Regulations.

use std::collections::HashMap;
use std::sync::Arc;

use entity::regulation::Model;

use super::{Key, Source, one_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;

/// A regulation by its number in the short form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegulationKey(pub String);

impl Key for RegulationKey {
    type Value = Option<Arc<Model>>;
    const LOADER: &'static str = "regulation";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let numbers: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = store::regulations::by_numbers(&source.reader, &numbers).await?;
        Ok(one_each(keys, rows, |row| Self(row.number.clone())))
    }
}

/// The regulations that one amends, by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AmendedKey(pub String);

impl Key for AmendedKey {
    type Value = Arc<Vec<Arc<Model>>>;
    const LOADER: &'static str = "regulation_amended";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let numbers: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut lists: Vec<Vec<Arc<Model>>> = vec![Vec::new(); keys.len()];
        for (at, row) in store::regulations::amended_by(&source.reader, &numbers).await? {
            if let Some(list) = lists.get_mut(at) {
                list.push(Arc::new(row));
            }
        }
        Ok(keys.iter().cloned().zip(lists.into_iter().map(Arc::new)).collect())
    }
}

//! Market prices of commodities.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Key, Source, by_shape};
use crate::cache::{Policy, Tag, Weight};
use crate::error::Result;
use crate::store;
use crate::store::prices::{PriceRow, PriceSpan};

/// The market prices of a commodity, by series and month.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommodityPricesKey {
    /// The code.
    pub code: String,
    /// Which of them.
    pub span: PriceSpan,
}

impl Key for CommodityPricesKey {
    type Value = Arc<Vec<PriceRow>>;
    const LOADER: &'static str = "commodity_price";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for (span, codes) in by_shape(keys, |key| (key.span.clone(), key.code.clone())) {
            let mut lists: Vec<Vec<PriceRow>> = vec![Vec::new(); codes.len()];
            for (at, price) in store::prices::of_codes(&source.reader, &codes, &span).await? {
                if let Some(list) = lists.get_mut(at) {
                    list.push(price);
                }
            }
            for (code, list) in codes.into_iter().zip(lists) {
                answers.insert(Self { code, span: span.clone() }, Arc::new(list));
            }
        }
        Ok(answers)
    }
}

impl Weight for PriceRow {
    fn weight(&self) -> usize {
        // Beside it the names of series, unit and source.
        size_of::<Self>() + 256
    }
}

//! Market prices.

use async_graphql::{Context, Object};

use super::rate::RateSource;
use crate::domain;
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{Date, Decimal};
use crate::loaders::prices::CommodityPricesKey;
use crate::loaders::rates::RateSourceKey;
use crate::store::prices::{PriceRow, PriceSpan};

/// The market price of a month.
#[derive(Clone, Debug)]
pub struct PricePoint(PriceRow);

/// The market price of a month.
#[Object]
impl PricePoint {
    /// The first day of the month.
    async fn month(&self) -> Date {
        Date(self.0.month)
    }

    /// The price.
    async fn price(&self) -> Result<Decimal> {
        domain::decimal::Decimal::parse(&self.0.price).map(Decimal).map_err(Error::internal)
    }

    /// What the price is in, as its source writes it, such as `$/mt`.
    async fn unit(&self) -> &str {
        &self.0.unit
    }

    /// The name of the series, such as `Palm oil`.
    async fn series(&self) -> &str {
        &self.0.series
    }

    /// Who published it.
    async fn source(&self, ctx: &Context<'_>) -> Result<RateSource> {
        let source = ctx.load(RateSourceKey(self.0.source.clone())).await?;
        let missing = || Error::internal("a series of prices without its source");
        source.map(|source| RateSource::from(source.as_ref())).ok_or_else(missing)
    }
}

impl PricePoint {
    /// The market prices of the goods under a code.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn of_code(ctx: &Context<'_>, code: &str, span: PriceSpan) -> Result<Vec<Self>> {
        let prices = ctx.load(CommodityPricesKey { code: code.to_owned(), span }).await?;
        Ok(prices.iter().cloned().map(Self).collect())
    }
}

//! What the ministry publishes for a period.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chrono::NaiveDate;

use super::commodity::Commodity;
use super::exact_money::ExactMoney;
use super::regulation::Regulation;
use crate::domain::duty::{self, Published, product_key};
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{Date, Decimal};
use crate::loaders::commodities::CommodityKey;
use crate::loaders::duty::{MeasuresKey, PublishedDayKey, PublishedKey};

/// What a published figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "duty::PublishedKind")]
pub enum ReferencePriceKind {
    /// The reference price, which picks the band of a duty.
    Reference,
    /// The government's export price (HPE), on which a percentage is charged.
    Hpe,
    /// The export duty itself.
    Duty,
    /// The export levy itself, as printed: it may differ in the last digit from the percentage of the printed price.
    Levy,
}

/// A figure that the ministry publishes for some goods and a period.
#[derive(Clone, Debug)]
pub struct ReferencePrice(Arc<Published>);

/// A figure that the ministry publishes for some goods and a period.
#[Object]
impl ReferencePrice {
    /// The goods, in the words of the decree.
    async fn product(&self) -> &str {
        &self.0.product
    }

    /// The commodities whose rules are about these goods, by code. Empty where no rule with a code is held.
    async fn commodities(&self, ctx: &Context<'_>) -> Result<Vec<Commodity>> {
        let product = product_key(&self.0.product);
        let measures = ctx.load(MeasuresKey { code: None, product: Some(product) }).await?;
        let codes = measures.iter().flat_map(|measure| &measure.codes).map(|named| named.code.clone());
        let codes: BTreeSet<_> = codes.collect();
        let found = ctx.load_many(codes.into_iter().map(CommodityKey).collect::<Vec<_>>()).await?;
        Ok(found.into_iter().flatten().map(Commodity::new).collect())
    }

    /// What the figure is.
    async fn kind(&self) -> ReferencePriceKind {
        self.0.kind.into()
    }

    /// The amount as printed. Null where only a percentage is printed.
    async fn price(&self) -> Option<ExactMoney> {
        self.0.amount.map(|amount| ExactMoney::new(amount, self.0.unit.currency))
    }

    /// For how much of the goods the amount is, such as `t`.
    async fn per_unit(&self) -> &str {
        self.0.unit.per.symbol()
    }

    /// The percentage as printed. Null where only an amount is printed.
    async fn rate(&self) -> Option<Decimal> {
        self.0.rate.as_ref().map(|(rate, _)| Decimal(*rate))
    }

    /// What the percentage is of, such as `% of HPE`. Null where only an amount is printed.
    async fn rate_unit(&self) -> Option<String> {
        self.0.rate.as_ref().map(|(_, unit)| unit.to_string())
    }

    /// The first day of the period.
    async fn valid_from(&self) -> Date {
        Date(self.0.valid_from)
    }

    /// The last day of the period.
    async fn valid_to(&self) -> Date {
        Date(self.0.valid_to)
    }

    /// The decree that publishes it. Null where the source does not say.
    async fn decree(&self, ctx: &Context<'_>) -> Option<Result<Regulation>> {
        let decree = self.0.decree.as_deref()?;
        Regulation::cited(ctx, [decree]).await.map(|cited| cited.into_iter().next()).transpose()
    }

    /// The regulations that it follows, as far as the source says.
    async fn legal_basis(&self, ctx: &Context<'_>) -> Result<Vec<Regulation>> {
        Regulation::cited(ctx, self.0.legal_basis.as_deref()).await
    }

    /// Where it was read. Null where that is not held.
    async fn url(&self) -> Option<&str> {
        self.0.source_url.as_deref()
    }
}

impl ReferencePrice {
    /// What is published for a day: of the goods under a code, or of all.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn on(ctx: &Context<'_>, code: Option<&str>, day: NaiveDate) -> Result<Vec<Self>> {
        let Some(code) = code else {
            let all = ctx.load(PublishedDayKey(day)).await?;
            return Ok(all.iter().cloned().map(Self).collect());
        };
        let measures = ctx.load(MeasuresKey { code: Some(code.to_owned()), product: None }).await?;
        let products: BTreeSet<_> = measures.iter().map(|measure| product_key(&measure.product)).collect();
        let keys = products.into_iter().map(|product| PublishedKey { product, on: day });
        let found = ctx.load_many(keys.collect::<Vec<_>>()).await?;
        Ok(found.iter().flat_map(|list| list.iter().cloned()).map(Self).collect())
    }
}

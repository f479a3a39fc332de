//! Currencies.

use async_graphql::{Context, Object};
use chrono::NaiveDate;

use crate::domain;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{CurrencyCode, Date};
use crate::loaders::rates::CurrencySpanKey;

/// A currency of ISO 4217, withdrawn ones with published rates included.
#[derive(Clone, Copy, Debug)]
pub struct Currency(pub domain::currency::Currency);

/// A currency of ISO 4217, withdrawn ones with published rates included.
#[Object]
impl Currency {
    /// Code of three letters.
    async fn code(&self) -> CurrencyCode {
        CurrencyCode(self.0)
    }

    /// Code of three digits.
    async fn numeric(&self) -> &str {
        self.0.numeric()
    }

    /// The name of the currency.
    async fn name(
        &self,
        #[graphql(
            default = "id",
            desc = "The language: Indonesian (`id`) or English (`en`). Any other is answered in English."
        )]
        locale: String,
    ) -> &str {
        self.0.name(&locale)
    }

    /// How many digits after the point ISO 4217 gives it.
    async fn minor_units(&self) -> i32 {
        self.0.minor_units().into()
    }

    /// How many digits after the point a bank will really settle.
    async fn settlement_digits(&self) -> i32 {
        self.0.settlement_digits().into()
    }

    /// The first day with a reference rate. Null when there is none.
    async fn earliest_rate(&self, ctx: &Context<'_>) -> Option<Result<Date>> {
        Some(self.span(ctx).await.transpose()?.map(|(earliest, _)| Date(earliest)))
    }

    /// The last day with a reference rate. Null when there is none.
    async fn latest_rate(&self, ctx: &Context<'_>) -> Option<Result<Date>> {
        Some(self.span(ctx).await.transpose()?.map(|(_, latest)| Date(latest)))
    }
}

impl Currency {
    async fn span(&self, ctx: &Context<'_>) -> Result<Option<(NaiveDate, NaiveDate)>> {
        ctx.load(CurrencySpanKey(self.0)).await
    }
}

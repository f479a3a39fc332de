//! What is outstanding, by how long it has been overdue.

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use super::money::{Money, currency_of_row};
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{CurrencyCode, Date};
use crate::loaders::payments::PaymentAgingKey;
use crate::store::payment_filter::PaymentFilter;

/// What is outstanding of open payments in one currency, by how long it has been overdue.
#[derive(Clone, Debug, SimpleObject)]
pub struct AgingReport {
    /// The day.
    pub as_of: Date,
    /// The currency of every amount here.
    pub currency: CurrencyCode,
    /// Not overdue: due on the day or later.
    pub current: Money,
    /// Overdue for 1 to 30 days.
    #[graphql(name = "days1to30")]
    pub days_1_to_30: Money,
    /// Overdue for 31 to 60 days.
    #[graphql(name = "days31to60")]
    pub days_31_to_60: Money,
    /// Overdue for 61 to 90 days.
    #[graphql(name = "days61to90")]
    pub days_61_to_90: Money,
    /// Overdue for more than 90 days.
    pub over_90: Money,
    /// All that is outstanding.
    pub total: Money,
}

impl AgingReport {
    /// A report for each currency in which something is outstanding, by code.
    ///
    /// # Errors
    /// When the rows cannot be loaded.
    pub async fn load(ctx: &Context<'_>, filter: PaymentFilter, as_of: Option<Date>) -> Result<Vec<Self>> {
        let as_of = match as_of {
            Some(day) => day,
            None => Date(ctx.request()?.today()),
        };
        let rows = ctx.load(PaymentAgingKey { filter: Arc::new(filter), as_of: as_of.0 }).await?;
        let report = |row: &crate::store::aging::Aging| {
            let currency = currency_of_row(&row.currency)?;
            let [current, month, two, three, over] = row.buckets.map(|sum| Money::of(sum, currency));
            Ok(Self {
                as_of,
                currency: CurrencyCode(currency),
                current,
                days_1_to_30: month,
                days_31_to_60: two,
                days_61_to_90: three,
                over_90: over,
                total: Money::of(row.buckets.iter().sum::<i128>(), currency),
            })
        };
        rows.iter().map(report).collect()
    }
}

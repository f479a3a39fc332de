//! Sums over payments. Amounts of different currencies are never added up.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, Object};
use entity::payment::Status;

use super::money::{Money, currency_of_row};
use super::payment::PaymentStatus;
use crate::domain;
use crate::domain::currency::Currency;
use crate::domain::rate::{Rate, sum_converted};
use crate::error::{Error, Result, code};
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{CurrencyCode, Date};
use crate::loaders::payments::{PaymentOverdueTotalsKey, PaymentTotalsKey};
use crate::loaders::rates::{MissingPolicy, RateAnswer, RateKey};
use crate::store::payment_filter::PaymentFilter;
use crate::store::payments::Totals;

/// Sums over all payments that fit a filter, on all pages.
#[derive(Clone, Debug)]
pub struct PaymentAggregates {
    filter: Arc<PaymentFilter>,
}

/// Sums over all payments that fit a filter, on all pages.
#[Object]
impl PaymentAggregates {
    /// How many payments.
    async fn count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count: i64 = self.totals(ctx).await?.iter().map(|row| row.count).sum();
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Sums by currency, by code.
    async fn by_currency(&self, ctx: &Context<'_>) -> Result<Vec<CurrencyTotals>> {
        CurrencyTotals::group(&self.filter, None, &self.totals(ctx).await?)
    }

    /// Sums by status, for each status that occurs.
    async fn by_status(&self, ctx: &Context<'_>) -> Result<Vec<StatusTotals>> {
        let totals = self.totals(ctx).await?;
        let order = [Status::Open, Status::PartiallyPaid, Status::Paid, Status::Cancelled, Status::WrittenOff];
        let groups = order.into_iter().map(|status| {
            let rows: Vec<Totals> = totals.iter().filter(|row| row.status == status).cloned().collect();
            StatusTotals { filter: Arc::clone(&self.filter), status, rows }
        });
        Ok(groups.filter(|group| !group.rows.is_empty()).collect())
    }

    /// The amounts of all payments in one currency, rounded once at the end. Null when a rate is missing.
    async fn converted(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency wanted.")] into: CurrencyCode,
        #[graphql(desc = "The day of the rates. Null: the account's current day.")] on: Option<Date>,
    ) -> Option<Result<Money>> {
        self.fetch_converted(ctx, into.0, on).await.transpose()
    }
}

impl PaymentAggregates {
    /// Over the payments that fit `filter`.
    pub fn new(filter: Arc<PaymentFilter>) -> Self {
        Self { filter }
    }

    async fn fetch_converted(&self, ctx: &Context<'_>, into: Currency, on: Option<Date>) -> Result<Option<Money>> {
        let on = match on {
            Some(day) => day.0,
            None => ctx.request()?.today(),
        };
        let amounts = by_currency(&self.totals(ctx).await?)?;
        let keys = amounts.keys().map(|currency| RateKey {
            purpose: entity::currency_rate::Purpose::Reference,
            base: *currency,
            quote: into,
            on,
            missing: MissingPolicy::Previous,
        });
        let answers = ctx.load_many(keys.collect::<Vec<_>>()).await?;
        let mut parts: Vec<(domain::money::Money, Rate)> = Vec::new();
        for ((currency, sums), answer) in amounts.iter().zip(answers) {
            let RateAnswer::Found(found) = answer else { return Ok(None) };
            parts.push((domain::money::Money::new(sums.amount, *currency), found.quotation.rate.clone()));
        }
        let sum = sum_converted(&parts, into)
            .ok_or_else(|| Error::caller(code::BAD_USER_INPUT, "the converted sum is too large"))?;
        Ok(Some(Money(sum)))
    }

    async fn totals(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Totals>>> {
        ctx.load(PaymentTotalsKey(Arc::clone(&self.filter))).await
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    amount: i128,
    received: i128,
    outstanding: i128,
}

fn by_currency(rows: &[Totals]) -> Result<BTreeMap<Currency, Sums>> {
    let mut sums: BTreeMap<Currency, Sums> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(currency_of_row(&row.currency)?).or_default();
        sum.amount += row.amount;
        sum.received += row.received;
        sum.outstanding += row.outstanding;
    }
    Ok(sums)
}

/// Sums over payments in one currency.
#[derive(Clone, Debug)]
pub struct CurrencyTotals {
    filter: Arc<PaymentFilter>,
    status: Option<Status>,
    currency: Currency,
    sums: Sums,
}

/// Sums over payments in one currency.
#[Object]
impl CurrencyTotals {
    /// The currency of every amount here.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.currency)
    }

    /// What is owed in all.
    async fn amount(&self) -> Money {
        Money::of(self.sums.amount, self.currency)
    }

    /// What arrived and was not reversed.
    async fn received(&self) -> Money {
        Money::of(self.sums.received, self.currency)
    }

    /// What is still owed.
    async fn outstanding(&self) -> Money {
        Money::of(self.sums.outstanding, self.currency)
    }

    /// What is outstanding of installments that were due before the account's current day.
    async fn overdue(&self, ctx: &Context<'_>) -> Result<Money> {
        let as_of = ctx.request()?.today();
        let rows = ctx.load(PaymentOverdueTotalsKey { filter: Arc::clone(&self.filter), as_of }).await?;
        let overdue: i128 = rows
            .iter()
            .filter(|row| row.currency == self.currency.code() && self.status.is_none_or(|status| row.status == status))
            .map(|row| row.overdue)
            .sum();
        Ok(Money::of(overdue, self.currency))
    }
}

impl CurrencyTotals {
    fn group(filter: &Arc<PaymentFilter>, status: Option<Status>, rows: &[Totals]) -> Result<Vec<Self>> {
        let sums = by_currency(rows)?;
        Ok(sums
            .into_iter()
            .map(|(currency, sums)| Self { filter: Arc::clone(filter), status, currency, sums })
            .collect())
    }
}

/// Sums over payments of one status.
#[derive(Clone, Debug)]
pub struct StatusTotals {
    filter: Arc<PaymentFilter>,
    status: Status,
    rows: Vec<Totals>,
}

/// Sums over payments of one status.
#[Object]
impl StatusTotals {
    /// The status of the payments.
    async fn status(&self) -> PaymentStatus {
        self.status.into()
    }

    /// How many payments.
    async fn count(&self) -> i32 {
        i32::try_from(self.rows.iter().map(|row| row.count).sum::<i64>()).unwrap_or(i32::MAX)
    }

    /// Sums by currency, by code.
    async fn by_currency(&self) -> Result<Vec<CurrencyTotals>> {
        CurrencyTotals::group(&self.filter, Some(self.status), &self.rows)
    }
}

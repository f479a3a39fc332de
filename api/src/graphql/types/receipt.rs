//! Receipts and allocations.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::NaiveDate;
use entity::currency_rate::Purpose;
use entity::ids::{InstallmentId, PaymentId};
use entity::{allocation, receipt};

use super::installment::Installment;
use super::money::{Money, currency_of_row};
use super::payment::Payment;
use super::rate::{RatePurpose, RateSource};
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::scalars::{CurrencyCode, Date, DateTime, Decimal};
use crate::loaders::installments::InstallmentKey;
use crate::loaders::payments::PaymentKey;
use crate::loaders::rates::RateSourceKey;
use crate::loaders::receipts::{InstallmentAllocationsKey, PaymentReceiptsKey, ReceiptAllocationsKey, ReceiptKey};
use crate::store::page::KeyValue;

/// Money that arrived for a payment.
#[derive(Clone, Debug)]
pub struct Receipt {
    row: Arc<receipt::Model>,
    currency: Currency,
}

/// Money that arrived for a payment.
#[Object]
impl Receipt {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Receipt(self.row.id).encode()
    }

    /// The payment that it is for.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        let payment = ctx.load(PaymentKey(self.row.payment_id)).await?;
        Payment::new(payment.ok_or_else(|| Error::internal("a receipt without its payment"))?)
    }

    /// What arrived.
    async fn amount(&self) -> Money {
        Money::of(self.row.amount, self.currency)
    }

    /// When it arrived.
    async fn received_at(&self) -> DateTime {
        DateTime(self.row.received_at)
    }

    /// How it arrived, such as `BANK_TRANSFER`.
    async fn method(&self) -> &str {
        &self.row.method
    }

    /// The bank's or the payer's own name for it. Null when none was given.
    async fn external_reference(&self) -> Option<&str> {
        self.row.external_reference.as_deref()
    }

    /// Which installments it paid. Empty when it was reversed.
    async fn allocations(&self, ctx: &Context<'_>) -> Result<Vec<Allocation>> {
        let rows = ctx.load(ReceiptAllocationsKey(self.row.id)).await?;
        rows.iter().map(|row| Allocation::new(Arc::clone(row))).collect()
    }

    /// The part that is on no installment and stays as credit.
    async fn unallocated(&self) -> Money {
        Money::of(self.row.unallocated, self.currency)
    }

    /// What was given back of it.
    async fn refunded(&self) -> Money {
        Money::of(self.row.refunded, self.currency)
    }

    /// The reference rate into the account's base currency on the day of arrival, frozen when the receipt was recorded
    /// and never computed again. Null when the receipt is in that currency, or no rate was known then.
    async fn fx(&self) -> Option<Result<FxSnapshot>> {
        FxSnapshot::of(&self.row, self.currency).transpose()
    }

    /// When it was undone, which reopened the debt. Null when it was not.
    async fn reversed_at(&self) -> Option<DateTime> {
        self.row.reversed_at.map(DateTime)
    }
}

impl Receipt {
    /// A receipt out of its row.
    ///
    /// # Errors
    /// When the row's currency is unknown.
    pub fn new(row: Arc<receipt::Model>) -> Result<Self> {
        Ok(Self { currency: currency_of_row(&row.currency)?, row })
    }
}

/// A rate as it was when it was used. It never changes.
#[derive(Clone, Debug)]
pub struct FxSnapshot {
    base: Currency,
    quote: Currency,
    rate: decimal::Decimal,
    effective_date: NaiveDate,
    purpose: Purpose,
    source: String,
}

/// A rate as it was when it was used. It never changes.
#[Object]
impl FxSnapshot {
    /// The currency that is priced.
    async fn base(&self) -> CurrencyCode {
        CurrencyCode(self.base)
    }

    /// The currency in which it is priced.
    async fn quote(&self) -> CurrencyCode {
        CurrencyCode(self.quote)
    }

    /// Units of quote for one of base.
    async fn rate(&self) -> Decimal {
        Decimal(self.rate)
    }

    /// The day that the rate is from.
    async fn effective_date(&self) -> Date {
        Date(self.effective_date)
    }

    /// What the rate is for.
    async fn purpose(&self) -> RatePurpose {
        self.purpose.into()
    }

    /// Who published it.
    async fn source(&self, ctx: &Context<'_>) -> Result<RateSource> {
        let found = ctx.load(RateSourceKey(self.source.clone())).await?;
        let found = found.ok_or_else(|| Error::internal("a rate without its source"))?;
        Ok(RateSource::from(found.as_ref()))
    }
}

impl FxSnapshot {
    /// The rate that was frozen on a receipt.
    fn of(row: &receipt::Model, base: Currency) -> Result<Option<Self>> {
        let (Some(quote), Some(rate), Some(effective_date), Some(purpose), Some(source)) =
            (&row.fx_quote, &row.fx_rate, row.fx_effective_date, row.fx_purpose, &row.fx_source)
        else {
            return Ok(None);
        };
        let quote = currency_of_row(quote)?;
        // It may have more digits than a client may send.
        let rate = decimal::Decimal::reread(rate).ok_or_else(|| Error::internal("a frozen rate is no decimal"))?;
        Ok(Some(Self { base, quote, rate, effective_date, purpose, source: source.clone() }))
    }
}

/// A page of the receipts of a payment, as they arrived.
#[derive(Clone, Debug)]
pub struct ReceiptConnection {
    edges: Vec<Edge<Receipt>>,
    info: PageInfo,
}

/// A page of the receipts of a payment, as they arrived.
#[Object]
impl ReceiptConnection {
    /// The receipts with their cursors.
    async fn edges(&self) -> &[Edge<Receipt>] {
        &self.edges
    }

    /// The receipts.
    async fn nodes(&self) -> Vec<Receipt> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }
}

impl ReceiptConnection {
    /// One page of a payment's receipts.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of_payment(ctx: &Context<'_>, payment: PaymentId, first: i32, after: Option<String>) -> Result<Self> {
        let list = List::new("receipts", vec![KeyKind::Time, KeyKind::Uuid], &payment);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(PaymentReceiptsKey { payment, request }).await?;
        let position = |row: &Arc<receipt::Model>| vec![KeyValue::Time(row.received_at), KeyValue::Uuid(row.id.0)];
        let edges = list.edges(&page, position, |row| Receipt::new(Arc::clone(row)))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { edges, info })
    }
}

/// A part of a receipt, put on an installment.
#[derive(Clone, Debug)]
pub struct Allocation {
    row: Arc<allocation::Model>,
    currency: Currency,
}

/// A part of a receipt, put on an installment.
#[Object]
impl Allocation {
    /// The receipt that it comes from.
    async fn receipt(&self, ctx: &Context<'_>) -> Result<Receipt> {
        let receipt = ctx.load(ReceiptKey(self.row.receipt_id)).await?;
        Receipt::new(receipt.ok_or_else(|| Error::internal("an allocation without its receipt"))?)
    }

    /// The installment that it is on.
    async fn installment(&self, ctx: &Context<'_>) -> Result<Installment> {
        let installment = ctx.load(InstallmentKey(self.row.installment_id)).await?;
        Installment::new(installment.ok_or_else(|| Error::internal("an allocation without its installment"))?)
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::of(self.row.amount, self.currency)
    }
}

impl Allocation {
    fn new(row: Arc<allocation::Model>) -> Result<Self> {
        Ok(Self { currency: currency_of_row(&row.currency)?, row })
    }
}

/// A page of the allocations on an installment, as they were made.
#[derive(Clone, Debug)]
pub struct AllocationConnection {
    edges: Vec<Edge<Allocation>>,
    info: PageInfo,
}

/// A page of the allocations on an installment, as they were made.
#[Object]
impl AllocationConnection {
    /// The allocations with their cursors.
    async fn edges(&self) -> &[Edge<Allocation>] {
        &self.edges
    }

    /// The allocations.
    async fn nodes(&self) -> Vec<Allocation> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }
}

impl AllocationConnection {
    /// One page of an installment's allocations.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of_installment(
        ctx: &Context<'_>,
        installment: InstallmentId,
        first: i32,
        after: Option<String>,
    ) -> Result<Self> {
        let list = List::new("allocations", vec![KeyKind::Uuid], &installment);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(InstallmentAllocationsKey { installment, request }).await?;
        let edges = list.edges(&page, |row| vec![KeyValue::Uuid(row.id.0)], |row| Allocation::new(Arc::clone(row)))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { edges, info })
    }
}

//! Refunds.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::ids::PaymentId;
use entity::refund;

use super::money::{Money, currency_of_row};
use super::receipt::Receipt;
use crate::domain::currency::Currency;
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::scalars::DateTime;
use crate::loaders::receipts::ReceiptKey;
use crate::loaders::refunds::PaymentRefundsKey;
use crate::store::page::KeyValue;

/// A part of a receipt that was given back. It does not reopen the debt.
#[derive(Clone, Debug)]
pub struct Refund {
    row: Arc<refund::Model>,
    currency: Currency,
}

/// A part of a receipt that was given back. It does not reopen the debt.
#[Object]
impl Refund {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Refund(self.row.id).encode()
    }

    /// The receipt.
    async fn receipt(&self, ctx: &Context<'_>) -> Result<Receipt> {
        let receipt = ctx.load(ReceiptKey(self.row.receipt_id)).await?;
        Receipt::new(receipt.ok_or_else(|| Error::internal("a refund without its receipt"))?)
    }

    /// How much was given back.
    async fn amount(&self) -> Money {
        Money::of(self.row.amount, self.currency)
    }

    /// Why, in the words of whoever did it.
    async fn reason(&self) -> &str {
        &self.row.reason
    }

    /// When it was recorded.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

impl Refund {
    /// A refund out of its row.
    ///
    /// # Errors
    /// When the row's currency is unknown.
    pub fn new(row: Arc<refund::Model>) -> Result<Self> {
        Ok(Self { currency: currency_of_row(&row.currency)?, row })
    }
}

/// A page of the refunds of a payment, as they were made.
#[derive(Clone, Debug)]
pub struct RefundConnection {
    edges: Vec<Edge<Refund>>,
    info: PageInfo,
}

/// A page of the refunds of a payment, as they were made.
#[Object]
impl RefundConnection {
    /// The refunds with their cursors.
    async fn edges(&self) -> &[Edge<Refund>] {
        &self.edges
    }

    /// The refunds.
    async fn nodes(&self) -> Vec<Refund> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }
}

impl RefundConnection {
    /// One page of a payment's refunds.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of_payment(ctx: &Context<'_>, payment: PaymentId, first: i32, after: Option<String>) -> Result<Self> {
        let list = List::new("refunds", vec![KeyKind::Time, KeyKind::Uuid], &payment);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(PaymentRefundsKey { payment, request }).await?;
        let position = |row: &Arc<refund::Model>| vec![KeyValue::Time(row.created_at), KeyValue::Uuid(row.id.0)];
        let edges = list.edges(&page, position, |row| Refund::new(Arc::clone(row)))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { edges, info })
    }
}

//! Lines of goods on payments.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::payment_line;

use super::commodity::Commodity;
use super::money::Money;
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::error::{Error, Result};
use crate::graphql::scalars::Decimal;

/// One line of goods on a payment.
#[derive(Clone, Debug)]
pub struct PaymentLine {
    row: Arc<payment_line::Model>,
    currency: Currency,
}

/// One line of goods on a payment.
#[Object]
impl PaymentLine {
    /// Identifies the line in its payment.
    async fn id(&self) -> ID {
        ID(self.row.id.0.simple().to_string())
    }

    /// The goods as customs sees them. Null when no code was given.
    async fn commodity(&self, ctx: &Context<'_>) -> Option<Result<Commodity>> {
        Commodity::with_code(ctx, self.row.commodity_code.clone()?).await.transpose()
    }

    /// The goods in the exporter's words.
    async fn description(&self) -> &str {
        &self.row.description
    }

    /// How many units.
    async fn quantity(&self) -> Result<Decimal> {
        decimal::Decimal::parse(&self.row.quantity).map(Decimal).map_err(Error::internal)
    }

    /// What is counted, such as `kg` or `t`.
    async fn unit(&self) -> &str {
        &self.row.unit
    }

    /// The price of one unit.
    async fn unit_price(&self) -> Money {
        Money::of(self.row.unit_price, self.currency)
    }

    /// The price of the line.
    async fn total(&self) -> Money {
        Money::of(self.row.total, self.currency)
    }
}

impl PaymentLine {
    /// From its row and the currency of its payment.
    pub fn new(row: Arc<payment_line::Model>, currency: Currency) -> Self {
        Self { row, currency }
    }
}

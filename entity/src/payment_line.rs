//! Payment lines: the goods that a payment is for.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, PaymentId, PaymentLineId};

/// One line of goods. Amounts are in minor units of `currency`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "payment_line")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentLineId,
    /// The account of the payment.
    pub account_id: AccountId,
    /// The payment.
    pub payment_id: PaymentId,
    /// Its place on the invoice, from 1.
    pub position: i32,
    /// HS code of the goods; `None` when they are not goods or the code is not known.
    pub commodity_code: Option<String>,
    /// The goods in the exporter's words.
    pub description: String,
    /// How many units, an exact decimal in text.
    pub quantity: String,
    /// What is counted, such as `kg` or `t`.
    pub unit: String,
    /// ISO 4217 code, the payment's.
    pub currency: String,
    /// Price of one unit.
    pub unit_price: i64,
    /// Price of the line.
    pub total: i64,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

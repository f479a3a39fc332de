//! Refunds: money that was given back.

use sea_orm::entity::prelude::*;

use crate::AccountScoped;
use crate::ids::{AccountId, PaymentId, ReceiptId, RefundId};

/// A part of a receipt that was given back. It does not reopen the debt.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RefundId,
    /// The account that gave it back.
    pub account_id: AccountId,
    /// The payment of the receipt.
    pub payment_id: PaymentId,
    /// The receipt.
    pub receipt_id: ReceiptId,
    /// ISO 4217 code, the receipt's.
    pub currency: String,
    /// How much, in minor units.
    pub amount: i64,
    /// Why, in the words of whoever did it.
    pub reason: String,
    /// When it was recorded.
    pub created_at: DateTimeUtc,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

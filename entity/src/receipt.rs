//! Receipts: money that arrived.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::currency_rate;
use crate::ids::{AccountId, PaymentId, ReceiptId};

/// Money that arrived for a payment. Every amount is in minor units of `currency`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReceiptId,
    /// The account that received it.
    pub account_id: AccountId,
    /// The payment that it is for.
    pub payment_id: PaymentId,
    /// ISO 4217 code, the payment's.
    pub currency: String,
    /// What arrived.
    pub amount: i64,
    /// The part that is on no installment.
    pub unallocated: i64,
    /// Given back.
    pub refunded: i64,
    /// When it arrived.
    pub received_at: DateTimeUtc,
    /// How it arrived, such as `BANK_TRANSFER`.
    pub method: String,
    /// The bank's or the payer's own name for it; unique in the account.
    pub external_reference: Option<String>,
    /// The currency of the account's books when it was recorded; with the fields below the rate of that day,
    /// frozen. `None` when that is the receipt's own currency, or no rate was known.
    pub fx_quote: Option<String>,
    /// Units of `fx_quote` for one of `currency`, an exact decimal in text.
    pub fx_rate: Option<String>,
    /// The day that the rate is from.
    pub fx_effective_date: Option<Date>,
    /// What the rate is for.
    pub fx_purpose: Option<currency_rate::Purpose>,
    /// Code of who published it.
    pub fx_source: Option<String>,
    /// When it was undone.
    pub reversed_at: Option<DateTimeUtc>,
    /// When it was recorded.
    pub created_at: DateTimeUtc,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

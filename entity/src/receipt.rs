//! Receipts: money that arrived.

use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::currency_rate;
use crate::ids::{AccountId, PaymentId, ReceiptId};
use crate::placed::{Placed, Values};

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

impl Placed for Model {
    fn placed(row: &QueryResult) -> Result<Self, DbErr> {
        let row = Values::of(row)?;
        Ok(Self {
            id: ReceiptId(row.at(Column::Id as usize)?),
            account_id: AccountId(row.at(Column::AccountId as usize)?),
            payment_id: PaymentId(row.at(Column::PaymentId as usize)?),
            currency: row.at(Column::Currency as usize)?,
            amount: row.at(Column::Amount as usize)?,
            unallocated: row.at(Column::Unallocated as usize)?,
            refunded: row.at(Column::Refunded as usize)?,
            received_at: row.at(Column::ReceivedAt as usize)?,
            method: row.at(Column::Method as usize)?,
            external_reference: row.at(Column::ExternalReference as usize)?,
            fx_quote: row.at(Column::FxQuote as usize)?,
            fx_rate: row.at(Column::FxRate as usize)?,
            fx_effective_date: row.at(Column::FxEffectiveDate as usize)?,
            fx_purpose: row.name_or_null(Column::FxPurpose as usize)?,
            fx_source: row.at(Column::FxSource as usize)?,
            reversed_at: row.at(Column::ReversedAt as usize)?,
            created_at: row.at(Column::CreatedAt as usize)?,
        })
    }
}

impl ActiveModelBehavior for ActiveModel {}

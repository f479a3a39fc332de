//! Payments: what is owed to an account.

use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, PaymentId};
use crate::placed::{Placed, Values};

/// An amount owed to the account. Every amount is in minor units of `currency`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    /// The account to which the amount is owed.
    pub account_id: AccountId,
    /// The account's own name for the payment, such as an invoice number; unique in the account.
    pub reference: String,
    /// Who owes it.
    pub payer_name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// ISO 4217 code of every amount in this row.
    pub currency: String,
    /// What is owed in all.
    pub amount: i64,
    /// Put on installments out of receipts.
    pub allocated: i64,
    /// Forgiven.
    pub waived: i64,
    /// Given up when the payment was written off.
    pub written_off: i64,
    /// Still owed: `amount - allocated - waived - written_off`, and 0 once cancelled.
    pub outstanding: i64,
    /// Arrived and not reversed.
    pub received: i64,
    /// Given back.
    pub refunded: i64,
    /// Arrived beyond what was owed and not given back.
    pub credit: i64,
    /// A function of the amounts plus the cancel and write-off flags.
    pub status: Status,
    /// IANA time zone in which due dates are judged.
    pub time_zone: String,
    /// Due date of the earliest installment with something outstanding; `None` when nothing is due.
    pub next_due_date: Option<Date>,
    /// Rises by one with each committed change; starts at 1.
    pub version: i32,
    /// The hash of its last event, in hexadecimal.
    pub head_hash: String,
    /// When the payment was created.
    pub created_at: DateTimeUtc,
    /// When the payment last changed.
    pub updated_at: DateTimeUtc,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Nothing has arrived.
    Open,
    /// Some has arrived or was waived.
    PartiallyPaid,
    /// Nothing is outstanding.
    Paid,
    /// Called off before anything arrived.
    Cancelled,
    /// The rest was given up.
    WrittenOff,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl Placed for Model {
    fn placed(row: &QueryResult) -> Result<Self, DbErr> {
        let row = Values::of(row)?;
        Ok(Self {
            id: PaymentId(row.at(Column::Id as usize)?),
            account_id: AccountId(row.at(Column::AccountId as usize)?),
            reference: row.at(Column::Reference as usize)?,
            payer_name: row.at(Column::PayerName as usize)?,
            description: row.at(Column::Description as usize)?,
            currency: row.at(Column::Currency as usize)?,
            amount: row.at(Column::Amount as usize)?,
            allocated: row.at(Column::Allocated as usize)?,
            waived: row.at(Column::Waived as usize)?,
            written_off: row.at(Column::WrittenOff as usize)?,
            outstanding: row.at(Column::Outstanding as usize)?,
            received: row.at(Column::Received as usize)?,
            refunded: row.at(Column::Refunded as usize)?,
            credit: row.at(Column::Credit as usize)?,
            status: row.name(Column::Status as usize)?,
            time_zone: row.at(Column::TimeZone as usize)?,
            next_due_date: row.at(Column::NextDueDate as usize)?,
            version: row.at(Column::Version as usize)?,
            head_hash: row.at(Column::HeadHash as usize)?,
            created_at: row.at(Column::CreatedAt as usize)?,
            updated_at: row.at(Column::UpdatedAt as usize)?,
        })
    }
}

impl ActiveModelBehavior for ActiveModel {}

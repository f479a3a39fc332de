//! Installments: the parts in which a payment falls due.

use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, InstallmentId, PaymentId};
use crate::placed::{Placed, Values};

/// A part of a payment with its own due date. Every amount is in minor units of `currency`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "installment")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InstallmentId,
    /// The account of the payment.
    pub account_id: AccountId,
    /// The payment that it is a part of.
    pub payment_id: PaymentId,
    /// The plan revision that made it.
    pub plan_revision: i32,
    /// Its place in its plan, from 1.
    pub sequence: i32,
    /// What part of the plan it is.
    pub kind: Kind,
    /// The day on which it falls due.
    pub due_date: Date,
    /// ISO 4217 code, the payment's.
    pub currency: String,
    /// What is due.
    pub amount: i64,
    /// What its plan gave it. More than `amount` when a later plan closed it at what it held.
    pub planned_amount: i64,
    /// Put on it out of receipts.
    pub allocated: i64,
    /// Forgiven.
    pub waived: i64,
    /// Still due: `amount - allocated - waived`, and 0 once void.
    pub outstanding: i64,
    /// A function of the amounts plus the void flag.
    pub status: Status,
    /// When nothing was outstanding any more.
    pub settled_at: Option<DateTimeUtc>,
}

/// What part of a plan an installment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Paid up front.
    Deposit,
    /// A regular part.
    Installment,
    /// The final part, when it was agreed apart from the rest.
    Balance,
}

/// How far an installment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Nothing has arrived.
    Pending,
    /// Some has arrived.
    PartiallyPaid,
    /// All has arrived.
    Paid,
    /// The rest was forgiven.
    Waived,
    /// Replaced by a newer plan.
    Void,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl Placed for Model {
    fn placed(row: &QueryResult) -> Result<Self, DbErr> {
        let row = Values::of(row)?;
        Ok(Self {
            id: InstallmentId(row.at(Column::Id as usize)?),
            account_id: AccountId(row.at(Column::AccountId as usize)?),
            payment_id: PaymentId(row.at(Column::PaymentId as usize)?),
            plan_revision: row.at(Column::PlanRevision as usize)?,
            sequence: row.at(Column::Sequence as usize)?,
            kind: row.name(Column::Kind as usize)?,
            due_date: row.at(Column::DueDate as usize)?,
            currency: row.at(Column::Currency as usize)?,
            amount: row.at(Column::Amount as usize)?,
            planned_amount: row.at(Column::PlannedAmount as usize)?,
            allocated: row.at(Column::Allocated as usize)?,
            waived: row.at(Column::Waived as usize)?,
            outstanding: row.at(Column::Outstanding as usize)?,
            status: row.name(Column::Status as usize)?,
            settled_at: row.at(Column::SettledAt as usize)?,
        })
    }
}

impl ActiveModelBehavior for ActiveModel {}

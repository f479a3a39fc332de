//! Allocations: which part of a receipt is on which installment.

use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, AllocationId, InstallmentId, ReceiptId};
use crate::placed::{Placed, Values};

/// A part of a receipt, put on an installment.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "allocation")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AllocationId,
    /// The account of the receipt.
    pub account_id: AccountId,
    /// The receipt that it comes from.
    pub receipt_id: ReceiptId,
    /// The installment that it is on.
    pub installment_id: InstallmentId,
    /// ISO 4217 code, the payment's.
    pub currency: String,
    /// How much, in minor units.
    pub amount: i64,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl Placed for Model {
    fn placed(row: &QueryResult) -> Result<Self, DbErr> {
        let row = Values::of(row)?;
        Ok(Self {
            id: AllocationId(row.at(Column::Id as usize)?),
            account_id: AccountId(row.at(Column::AccountId as usize)?),
            receipt_id: ReceiptId(row.at(Column::ReceiptId as usize)?),
            installment_id: InstallmentId(row.at(Column::InstallmentId as usize)?),
            currency: row.at(Column::Currency as usize)?,
            amount: row.at(Column::Amount as usize)?,
        })
    }
}

impl ActiveModelBehavior for ActiveModel {}

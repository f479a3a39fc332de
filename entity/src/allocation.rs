//! Allocations: which part of a receipt is on which installment.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, AllocationId, InstallmentId, ReceiptId};

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

impl ActiveModelBehavior for ActiveModel {}

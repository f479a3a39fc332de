//! Installment plans: how a payment was split, one row per revision.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AccountScoped;
use crate::ids::{AccountId, InstallmentPlanId, PaymentId};

/// One revision of a payment's plan. Old revisions stay readable.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "installment_plan")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InstallmentPlanId,
    /// The account of the payment.
    pub account_id: AccountId,
    /// The payment that is split.
    pub payment_id: PaymentId,
    /// 1 for the first plan, rising by one with each new plan.
    pub revision: i32,
    /// How far apart the due dates are.
    pub frequency: Frequency,
    /// How many installments this revision made.
    pub count: i32,
    /// Where the remainder of an even split went; `None` when amounts were given one by one.
    pub remainder: Option<Remainder>,
    /// Installments are multiples of this many minor units, but for the remainder.
    pub rounding_unit: i64,
    /// When the revision was made.
    pub created_at: DateTimeUtc,
}

/// How far apart due dates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Frequency {
    /// Every seven days.
    Weekly,
    /// Every fourteen days.
    Biweekly,
    /// Every month, clamped to its end.
    Monthly,
    /// Every three months, clamped to the month's end.
    Quarterly,
    /// Dates were given one by one.
    Custom,
}

/// Where the remainder of an even split goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Remainder {
    /// On the last installment.
    Last,
    /// On the first installment.
    First,
    /// One unit each from the first; what is below one unit on the last.
    Spread,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

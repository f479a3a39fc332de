//! What questions to the assistant have used, by account and day.

use sea_orm::entity::prelude::*;

use crate::AccountScoped;
use crate::ids::AccountId;

/// What one account used on one day.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assistant_use")]
pub struct Model {
    /// Whose questions they were.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The day, in UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// Calls of a model.
    pub calls: i64,
    /// Tokens in and out.
    pub tokens: i64,
    /// What they cost, in millionths of a US dollar.
    pub cost_micros: i64,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

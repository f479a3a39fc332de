//! Accounts: who the money belongs to.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;

/// An exporter's books.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// Short name, unique, as it stands in a token's claims.
    #[sea_orm(unique)]
    pub name: String,
    /// ISO 4217 code in which the account keeps its books.
    pub base_currency: String,
    /// IANA time zone in which the account's days begin.
    pub time_zone: String,
    /// When the account was opened.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

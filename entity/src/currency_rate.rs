//! Currency rates as their source published them. Reference data, the same for every account.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// One published quote: `quoted_per` units of `base` cost `rate` units of `quote`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "currency_rate")]
pub struct Model {
    /// What the rate may be used for.
    #[sea_orm(primary_key, auto_increment = false)]
    pub purpose: Purpose,
    /// ISO 4217 code of the currency that is priced.
    #[sea_orm(primary_key, auto_increment = false)]
    pub base: String,
    /// ISO 4217 code of the currency in which it is priced.
    #[sea_orm(primary_key, auto_increment = false)]
    pub quote: String,
    /// The day that the quote is from.
    #[sea_orm(primary_key, auto_increment = false)]
    pub effective_date: Date,
    /// Code of the source, see [`crate::rate_source`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    /// The number as printed, an exact decimal in text.
    pub rate: String,
    /// For how many units of `base` the number is printed (JPY 100).
    pub quoted_per: i32,
    /// Last day of validity where the source gives one.
    pub valid_to: Option<Date>,
}

/// The use that a rate is for. Asking for one never silently gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// A reference rate, for information.
    Reference,
    /// The weekly rate of the finance ministry for taxes and duties.
    TaxDuty,
    /// What a bank pays for the base currency.
    BankBuy,
    /// What a bank asks for the base currency.
    BankSell,
}

impl Entity {
    /// All rates. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

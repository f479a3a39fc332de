//! Market prices by month. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// The price of a month.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commodity_price")]
pub struct Model {
    /// The name of the series.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: String,
    /// The first day of the month.
    #[sea_orm(primary_key, auto_increment = false)]
    pub month: Date,
    /// What the price is in, as its source writes it, such as `$/mt`.
    pub unit: String,
    /// The price, an exact decimal in text.
    pub price: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! The codes whose goods a series prices.

use sea_orm::entity::prelude::*;

/// A series prices the goods of a code.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "price_series_commodity")]
pub struct Model {
    /// The code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub commodity: String,
    /// The name of the series.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

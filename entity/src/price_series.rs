//! Series of market prices.

use sea_orm::entity::prelude::*;

/// A series of market prices and who publishes it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "price_series")]
pub struct Model {
    /// Its name, as its source gives it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Code of the source, see [`crate::rate_source`].
    pub source: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

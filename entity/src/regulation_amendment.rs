//! Which regulation amends which.

use sea_orm::entity::prelude::*;

/// A regulation amends another.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "regulation_amendment")]
pub struct Model {
    /// The number of the one that amends.
    #[sea_orm(primary_key, auto_increment = false)]
    pub regulation: String,
    /// The number of the one that is amended.
    #[sea_orm(primary_key, auto_increment = false)]
    pub amends: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

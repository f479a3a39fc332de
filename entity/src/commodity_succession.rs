//! Which codes took the place of which, when the nomenclature changed.

use sea_orm::entity::prelude::*;

/// A code took the place of another, or of a part of it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commodity_succession")]
pub struct Model {
    /// The older code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub predecessor: String,
    /// The newer code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub successor: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

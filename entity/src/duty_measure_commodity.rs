//! The commodity codes that a measure names.

use sea_orm::entity::prelude::*;

/// A measure names a code.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "duty_measure_commodity")]
pub struct Model {
    /// The code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub commodity: String,
    /// The code of the measure.
    #[sea_orm(primary_key, auto_increment = false)]
    pub measure: String,
    /// Whether only a part of the goods under the code is meant (`ex`).
    pub part: bool,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

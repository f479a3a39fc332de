//! Regulations: the laws and decrees that a duty rests on. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// A regulation by its number.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "regulation")]
pub struct Model {
    /// The number in its short form, such as `PMK 38/2024`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: String,
    /// What it is about; the number where no title is held.
    pub title: String,
    /// The day on which it was issued; `None` where that is not held.
    pub issued_on: Option<Date>,
    /// The first day on which it is in force; `None` where that is not held.
    pub in_force_from: Option<Date>,
    /// The last day on which it is in force; `None` while it is, or where that is not held.
    pub in_force_to: Option<Date>,
    /// Where its text is.
    pub url: Option<String>,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

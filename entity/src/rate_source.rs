//! Who published a currency rate.

use sea_orm::entity::prelude::*;

/// A publisher of rates.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_source")]
pub struct Model {
    /// Short code, such as `ECB`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Name in full.
    pub name: String,
    /// Where it publishes.
    pub url: Option<String>,
    /// The words to print beside its numbers.
    pub attribution: String,
    /// When its rates were last brought in.
    pub retrieved_at: DateTimeUtc,
}

impl Entity {
    /// All sources. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! The words that occur in names of commodities, for what is misspelt.

use sea_orm::entity::prelude::*;

/// One word, as the server compares words.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commodity_vocabulary")]
pub struct Model {
    /// The word.
    #[sea_orm(primary_key, auto_increment = false)]
    pub word: String,
    /// In the titles of about how many commodities.
    pub in_titles: i64,
    /// In the names of about how many commodities, titles included.
    pub in_names: i64,
}

impl Entity {
    /// All words. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! The words by which commodities are found, one row for each commodity. The database keeps a full-text index of it.

use sea_orm::entity::prelude::*;

/// What is searched of one commodity. Words are as the server compares them, with spaces between them.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commodity_search")]
pub struct Model {
    /// In the order in which commodities that fit equally well are shown; it changes with the words.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The commodity.
    #[sea_orm(unique)]
    pub code: String,
    /// Which way of making words out of names was used.
    pub revision: i32,
    /// The words of both names up to the first comma or the like.
    pub title: String,
    /// All other words.
    pub details: String,
}

impl Entity {
    /// The words of all commodities. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

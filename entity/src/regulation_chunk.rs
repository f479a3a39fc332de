//! The text of regulations, in chunks. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// A piece of a regulation: an article, or a part of a long one.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "regulation_chunk")]
pub struct Model {
    /// The number of the regulation, and the sequence: `PMK 38/2024#3`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The number of the regulation.
    pub regulation: String,
    /// Its place in the regulation, from 1.
    pub sequence: i32,
    /// The article's heading; `None` for what stands before the first.
    pub article: Option<String>,
    /// The words.
    pub text: String,
    /// The first day on which they are in force; `None` where that is not held.
    pub valid_from: Option<Date>,
    /// The last day on which they are in force; `None` while they are, or where that is not held.
    pub valid_to: Option<Date>,
    /// A hash of the words.
    pub revision: String,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

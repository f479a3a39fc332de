//! Vectors of texts, by model. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// The vector of a text.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "embedding")]
pub struct Model {
    /// What the text is of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Kind,
    /// The prompt's name, or the chunk's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The model that made it. Vectors of two models are never compared.
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    /// How many numbers it has.
    pub dimension: i32,
    /// The revision of the text that it was made of.
    pub revision: String,
    /// The numbers, of 32 bits each, the lowest byte first.
    pub vector: Vec<u8>,
}

/// What a text is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A prompt.
    Prompt,
    /// A chunk of a regulation.
    Chunk,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

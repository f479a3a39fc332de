//! Prompts: questions that the assistant is known to answer well. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// A prompt by its name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "prompt")]
pub struct Model {
    /// The name, such as `cocoa-duty`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The question, with blanks in braces.
    pub template: String,
    /// What it belongs to.
    pub category: Option<String>,
    /// Rises with each change.
    pub revision: i32,
    /// Whether it is offered.
    pub active: bool,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

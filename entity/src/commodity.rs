//! Commodities: the Harmonized System as a tree. Reference data, the same for every account.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A node of the tree: a section, chapter, heading, subheading or national code.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveEntityModel)]
#[sea_orm(table_name = "commodity")]
pub struct Model {
    /// Two to eight digits without dots, or a section's Roman numeral.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// What kind of node it is.
    pub level: Level,
    /// The node above; `None` for a section.
    pub parent_code: Option<String>,
    /// The Roman numeral of its section.
    pub section: String,
    /// English name.
    pub description_en: String,
    /// Indonesian name; `None` where none was imported.
    pub description_id: Option<String>,
    /// The nomenclature and its year, such as `HS 2022`.
    pub nomenclature: String,
}

/// Level of a node in the Harmonized System.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// One of the 21 sections, in Roman numerals.
    Section,
    /// Two digits.
    Chapter,
    /// Four digits.
    Heading,
    /// Six digits, the last level that all countries share.
    Subheading,
    /// Eight digits, a country's own.
    National,
}

impl Entity {
    /// All commodities. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

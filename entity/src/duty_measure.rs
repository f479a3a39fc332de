//! Duties and levies on exports as the regulations lay them down. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// A measure: what one kind of goods is charged with, from a day on.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "duty_measure")]
pub struct Model {
    /// Kind, goods and first day, as in `duty.cocoa-beans.2025-10-22`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// What it is.
    pub kind: Kind,
    /// How it is computed.
    pub duty_kind: DutyKind,
    /// The goods, in the words of the regulation.
    pub product: String,
    /// The same to be looked up: in lower case, single blanks.
    pub product_key: String,
    /// The first day on which it applies.
    pub valid_from: Date,
    /// The last day on which it applies; `None` while no end is known.
    pub valid_to: Option<Date>,
}

/// What a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A duty on exports.
    ExportDuty,
    /// A levy on exports, beside the duty.
    ExportLevy,
    /// Exports are forbidden.
    ExportBan,
    /// Exports need a permit.
    ExportPermit,
}

/// How a duty or levy is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DutyKind {
    /// A percentage of a price.
    AdValorem,
    /// An amount for each unit of quantity.
    Specific,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! The bands of a measure: which rate applies at which reference price.

use sea_orm::entity::prelude::*;

/// A band, exactly one of which applies at a price. Which ends belong to it is stored with it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "duty_band")]
pub struct Model {
    /// The code of the measure.
    #[sea_orm(primary_key, auto_increment = false)]
    pub measure: String,
    /// Its place among the bands, the lowest prices first, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i32,
    /// The name of the rule in the file that it came from.
    pub rule: String,
    /// The lower end, an exact decimal in text; `None` for no end.
    pub low: Option<String>,
    /// Whether the lower end belongs to the band.
    pub low_inclusive: bool,
    /// The upper end; `None` for no end.
    pub high: Option<String>,
    /// Whether the upper end belongs to the band.
    pub high_inclusive: bool,
    /// What the ends are in, such as `USD/t`; `None` when the rate does not depend on a price.
    pub band_unit: Option<String>,
    /// The percentage, or the amount for each unit, an exact decimal in text.
    pub rate: String,
    /// What the rate is of, such as `% of HPE` or `USD/t`.
    pub rate_unit: String,
    /// The regulations it rests on, as they are cited.
    pub legal_basis: String,
    /// How far the rule can be trusted, in words.
    pub confidence: String,
    /// Where it was read.
    pub source_url: Option<String>,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! What the ministry publishes for a period: prices, and sometimes the duty and the levy. Reference data, the same for every account.

use sea_orm::entity::prelude::*;

/// A published figure for some goods and a period.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reference_price")]
pub struct Model {
    /// The goods, to be looked up: in lower case, single blanks.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_key: String,
    /// What the figure is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Kind,
    /// The first day of the period.
    #[sea_orm(primary_key, auto_increment = false)]
    pub valid_from: Date,
    /// The last day of the period.
    pub valid_to: Date,
    /// The goods, in the words of the decree.
    pub product: String,
    /// ISO 4217 code of the amount.
    pub currency: String,
    /// For how much of the goods the amount is, such as `t`.
    pub unit: String,
    /// The amount as printed, an exact decimal in text; `None` where only a percentage is printed.
    pub amount: Option<String>,
    /// The percentage as printed; `None` where only an amount is printed.
    pub rate: Option<String>,
    /// What the percentage is of, such as `% of HPE`.
    pub rate_unit: Option<String>,
    /// The decree, as it is cited; `None` where the source does not say.
    pub decree: Option<String>,
    /// The regulation that the figure follows, as it is cited.
    pub legal_basis: Option<String>,
    /// Where it was read.
    pub source_url: Option<String>,
}

/// What a published figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// The reference price, which picks the band.
    Reference,
    /// The export price (HPE), on which a percentage is charged.
    Hpe,
    /// The export duty.
    Duty,
    /// The export levy.
    Levy,
}

impl Entity {
    /// All rows. They belong to nobody, so there is nothing to scope.
    pub fn all() -> Select<Entity> {
        Self::find()
    }
}

impl ActiveModelBehavior for ActiveModel {}

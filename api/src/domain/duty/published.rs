//! What is published for a period: prices, and sometimes the duty and the levy themselves.

use chrono::NaiveDate;
use num_rational::BigRational;

use super::measure::{PriceUnit, RateUnit};
use crate::domain::decimal::Decimal;
use crate::domain::ratio;

/// What a published figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishedKind {
    /// The reference price, which picks the band.
    Reference,
    /// The export price (HPE), on which a percentage is charged.
    Hpe,
    /// The export duty.
    Duty,
    /// The export levy.
    Levy,
}

/// A figure that is published for some goods and a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The goods, in the words of the decree.
    pub product: String,
    /// What it is.
    pub kind: PublishedKind,
    /// The first day of the period.
    pub valid_from: NaiveDate,
    /// The last day of the period.
    pub valid_to: NaiveDate,
    /// What the amount is in.
    pub unit: PriceUnit,
    /// The amount as printed; `None` where only a percentage is.
    pub amount: Option<Decimal>,
    /// The percentage as printed, and what it is of.
    pub rate: Option<(Decimal, RateUnit)>,
    /// The decree, as it is cited.
    pub decree: Option<String>,
    /// The regulation that it follows, as it is cited.
    pub legal_basis: Option<String>,
    /// Where it was read.
    pub source_url: Option<String>,
}

impl Published {
    /// The amount for one of another unit, as an exact fraction; `None` when there is none, or in another currency.
    #[must_use]
    pub fn amount_in(&self, unit: PriceUnit) -> Option<BigRational> {
        let amount = self.amount.filter(|_| unit.currency == self.unit.currency)?;
        // The price of one of `unit` is that of as many of the other as make one.
        Some(unit.per.convert(&ratio::from_decimal(amount), self.unit.per))
    }

    /// Whether it is for a day.
    #[must_use]
    pub fn is_valid_on(&self, day: NaiveDate) -> bool {
        (self.valid_from..=self.valid_to).contains(&day)
    }

    /// The regulations to name: the decree, and what it follows.
    #[must_use]
    pub fn basis(&self) -> Option<String> {
        match (&self.decree, &self.legal_basis) {
            (Some(decree), Some(basis)) => Some(format!("{decree}; {basis}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }
}

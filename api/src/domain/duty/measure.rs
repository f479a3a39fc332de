//! Measures: what goods are charged with, in bands of a reference price.

use std::cmp::Ordering;

use chrono::NaiveDate;
use num_rational::BigRational;

use super::unit::MassUnit;
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::ratio;

/// A unit of price: an amount of a currency for a unit of mass, as in `USD/t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceUnit {
    /// What is paid.
    pub currency: Currency,
    /// What it is paid for.
    pub per: MassUnit,
}

/// What the rate of a band is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// A percentage of the government's export price.
    PercentOfHpe,
    /// A percentage of the reference price: of the goods, or of other goods such as `CPO`.
    PercentOfReference(Option<String>),
    /// A percentage of "the export price", where the source says no more.
    PercentOfExportPrice,
    /// An amount for each unit of mass.
    Amount(PriceUnit),
}

/// What a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What goods are charged with, from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its code.
    pub code: String,
    /// What it is.
    pub kind: Kind,
    /// The goods, in the words of the regulation.
    pub product: String,
    /// The codes that it names; none where the regulation describes the goods alone.
    pub codes: Vec<NamedCode>,
    /// The first day on which it applies.
    pub valid_from: NaiveDate,
    /// The last day; `None` while no end is known.
    pub valid_to: Option<NaiveDate>,
    /// The bands, the lowest prices first.
    pub bands: Vec<Band>,
}

/// A code that a measure names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCode {
    /// The code without dots.
    pub code: String,
    /// Whether only a part of the goods under it is meant (`ex`).
    pub part: bool,
}

/// A rate and the reference prices at which it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The name of the rule in the file that it came from.
    pub rule: String,
    /// The lower end.
    pub low: Option<Decimal>,
    /// Whether the lower end belongs to the band.
    pub low_inclusive: bool,
    /// The upper end.
    pub high: Option<Decimal>,
    /// Whether the upper end belongs to the band.
    pub high_inclusive: bool,
    /// What the ends are in; `None` when the rate does not depend on a price.
    pub unit: Option<PriceUnit>,
    /// The percentage or the amount.
    pub rate: Decimal,
    /// What it is of.
    pub rate_unit: RateUnit,
    /// The regulations it rests on, as they are cited.
    pub legal_basis: String,
    /// How far the rule can be trusted, in words.
    pub confidence: String,
    /// Where it was read.
    pub source_url: Option<String>,
}

/// Why bands make no measure. The rules are named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BandFault {
    /// A band in which no price lies.
    #[error("{0}: no price lies in its band")]
    Empty(String),
    /// Two bands hold the same price.
    #[error("{1}: its band overlaps that of {0}")]
    Overlap(String, String),
    /// No band holds a price between two.
    #[error("{1}: there is a gap between its band and that of {0}")]
    Gap(String, String),
    /// The ends are in different units.
    #[error("{1}: its band is in another unit than that of {0}")]
    Units(String, String),
}

impl BandFault {
    /// The rule whose line is to be named.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Empty(rule) | Self::Overlap(_, rule) | Self::Gap(_, rule) | Self::Units(_, rule) => rule,
        }
    }
}

impl PriceUnit {
    /// Reads `USD/MT` and the like.
    #[must_use]
    pub fn parse(text: &str) -> Option<PriceUnit> {
        let (currency, per) = text.trim().split_once('/')?;
        Some(PriceUnit { currency: Currency::from_code(currency.trim())?, per: MassUnit::parse(per)? })
    }
}

impl std::fmt::Display for PriceUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.currency, self.per.symbol())
    }
}

impl RateUnit {
    /// Reads `% of HPE`, `% of reference price`, `% of CPO reference price`, `% of export price` or `USD/MT`.
    #[must_use]
    pub fn parse(text: &str) -> Option<RateUnit> {
        let text = text.trim();
        let Some(of) = text.strip_prefix('%') else { return PriceUnit::parse(text).map(RateUnit::Amount) };
        let of = of.trim().strip_prefix("of ")?.trim();
        match of {
            "HPE" => Some(RateUnit::PercentOfHpe),
            "export price" => Some(RateUnit::PercentOfExportPrice),
            "reference price" => Some(RateUnit::PercentOfReference(None)),
            other => {
                let product = other.strip_suffix(" reference price")?.trim();
                (!product.is_empty()).then(|| RateUnit::PercentOfReference(Some(product.to_owned())))
            }
        }
    }
}

impl std::fmt::Display for RateUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PercentOfHpe => f.write_str("% of HPE"),
            Self::PercentOfExportPrice => f.write_str("% of export price"),
            Self::PercentOfReference(None) => f.write_str("% of reference price"),
            Self::PercentOfReference(Some(product)) => write!(f, "% of {product} reference price"),
            Self::Amount(unit) => unit.fmt(f),
        }
    }
}

impl Measure {
    /// Whether it applies on a day.
    #[must_use]
    pub fn is_valid_on(&self, day: NaiveDate) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }

    /// The band that holds a reference price; `None` when no band that is held does.
    #[must_use]
    pub fn band(&self, price: &BigRational) -> Option<&Band> {
        self.bands.iter().find(|band| band.holds(price))
    }

    /// The only band, when the rate does not depend on a price.
    #[must_use]
    pub fn flat(&self) -> Option<&Band> {
        match self.bands.as_slice() {
            [band] if band.low.is_none() && band.high.is_none() => Some(band),
            _ => None,
        }
    }
}

impl Band {
    /// Whether a price lies in it.
    #[must_use]
    pub fn holds(&self, price: &BigRational) -> bool {
        let above = |low| match price.cmp(&ratio::from_decimal(low)) {
            Ordering::Greater => true,
            Ordering::Equal => self.low_inclusive,
            Ordering::Less => false,
        };
        let below = |high| match price.cmp(&ratio::from_decimal(high)) {
            Ordering::Less => true,
            Ordering::Equal => self.high_inclusive,
            Ordering::Greater => false,
        };
        self.low.is_none_or(above) && self.high.is_none_or(below)
    }

    /// The interval as it is written: `(2000, 2750]`.
    #[must_use]
    pub fn interval(&self) -> String {
        let (open, close) = (if self.low_inclusive { '[' } else { '(' }, if self.high_inclusive { ']' } else { ')' });
        match (self.low, self.high) {
            (None, None) => "any price".to_owned(),
            (Some(low), None) => format!("{} {low}", if self.low_inclusive { "from" } else { "above" }),
            (None, Some(high)) => format!("{} {high}", if self.high_inclusive { "up to" } else { "below" }),
            (Some(low), Some(high)) => format!("{open}{low}, {high}{close}"),
        }
    }

    fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Some(low), Some(high)) => low > high || (low == high && !(self.low_inclusive && self.high_inclusive)),
            _ => false,
        }
    }
}

/// Puts bands in the order of their prices, and checks that every price between the lowest and the highest lies in
/// exactly one of them.
///
/// # Errors
/// The first fault: a gap, an overlap, a band without a price, or ends in different units.
pub fn order_bands(mut bands: Vec<Band>) -> Result<Vec<Band>, BandFault> {
    if let Some(band) = bands.iter().find(|band| band.is_empty()) {
        return Err(BandFault::Empty(band.rule.clone()));
    }
    // At the same price the band that it belongs to comes first.
    bands.sort_by_key(|band| (band.low, !band.low_inclusive));
    for pair in bands.windows(2) {
        let [lower, upper] = pair else { continue };
        let named = (lower.rule.clone(), upper.rule.clone());
        if lower.unit != upper.unit {
            return Err(BandFault::Units(named.0, named.1));
        }
        match (lower.high, upper.low) {
            (Some(high), Some(low)) => {
                let both = lower.high_inclusive && upper.low_inclusive;
                let neither = !lower.high_inclusive && !upper.low_inclusive;
                if high > low || (high == low && both) {
                    return Err(BandFault::Overlap(named.0, named.1));
                }
                if high < low || neither {
                    return Err(BandFault::Gap(named.0, named.1));
                }
            }
            _ => return Err(BandFault::Overlap(named.0, named.1)),
        }
    }
    Ok(bands)
}

/// The name of goods to be looked up by: in lower case, with single blanks.
#[must_use]
pub fn product_key(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

//! What leaves the price at the border: export duty and levy, computed from rules that are handed in.
//!
//! A duty follows from the *measure* in force on the day the export declaration is filed, the *band* in which the
//! period's reference price lies, and what is published for the period; it is paid in rupiah at the tax rate in force
//! on the day it is paid. The invoice price is not in the formula. Nothing here is a rule of its own: tariffs, prices
//! and rates are data with dates, and what is missing is a typed reason. Amounts stay fractions to the end. No source
//! was found for the rounding of duty to whole rupiah, so every result is an estimate.

pub mod citation;
pub mod goods;
pub mod measure;
pub mod published;
pub mod quote;
pub mod unit;

pub use goods::Goods;
pub use measure::{Band, Kind, Measure, PriceUnit, RateUnit, product_key};
pub use published::{Published, PublishedKind};
pub use quote::{Assessment, Quantity, RupiahRounding, assess};
pub use unit::MassUnit;

/// Why there is no quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No rule that is held names the goods.
    NotDutiable,
    /// The code stands for goods with different duties.
    AmbiguousCode,
    /// The reference price or the export price of that day is not held.
    NoReferencePrice,
    /// The tax rate of the day of payment is not held.
    NoRate,
    /// The quantity is in a unit that the rule does not have.
    UnitMismatch,
    /// Rules of the goods are held, and none for that day or that price.
    RuleNotHeld,
}

/// That there is no quote, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Why.
    pub reason: Reason,
    /// The same in words.
    pub message: String,
    /// Codes that may be meant.
    pub codes: Vec<String>,
    /// Goods that may be meant, as `productVariant` takes them.
    pub products: Vec<String>,
}

impl Unavailable {
    /// Without codes and goods to choose from.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), codes: Vec::new(), products: Vec::new() }
    }
}

/// Why a quote was not computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is none.
    Unavailable(Unavailable),
    /// A number is too large to write down.
    TooLarge,
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

#[cfg(test)]
mod tests;

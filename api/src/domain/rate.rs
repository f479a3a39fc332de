//! Exchange rates between two currencies, kept as exact fractions.
//!
//! A rate is inverted, chained and interpolated without losing anything, because the inverse of a
//! quote with five digits is rarely a number with five digits: one over 18148.20 printed as
//! 0.000055 is wrong by 0.185 %. This module must never round a rate that is still to be used;
//! rounding happens once, in [`Rate::convert`] for money and in [`Rate::to_decimal`] for a reader.

use num_rational::BigRational;
use num_traits::{One, ToPrimitive};

use super::currency::Currency;
use super::decimal::Decimal;
use super::money::Money;
use super::ratio;

/// Significant digits of a rate shown to a reader.
const SHOWN_DIGITS: u8 = 18;
/// Digits after the point of an unrounded amount, at most.
const UNROUNDED_DIGITS: u8 = 18;

/// How many units of a quote currency one unit of a base currency is worth. Always above zero.
///
/// The rate does not know its two currencies; whoever looked it up does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rate(BigRational);

/// The result of [`Rate::convert`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Converted {
    /// The amount after the only rounding: half-even, to the ISO 4217 minor units of its currency.
    pub money: Money,
    /// The amount in major units before that rounding.
    ///
    /// Exact when 18 digits after the point are enough, otherwise rounded half-even to 18, or to
    /// the most that still fit when the amount is very large. It is for showing, not for computing.
    pub unrounded: Decimal,
}

impl Rate {
    /// A rate as a source prints it: `rate` quote units for `per` base units.
    ///
    /// The tax rate of the yen is quoted per 100, so `quoted(10433.50, 100)` is 104.335. `None`
    /// when `rate` is not above zero or `per` is zero.
    #[must_use]
    pub fn quoted(rate: Decimal, per: u32) -> Option<Rate> {
        if rate.is_zero() || rate.is_negative() || per == 0 {
            return None;
        }
        Some(Rate(ratio::from_decimal(rate) / BigRational::from_integer(per.into())))
    }

    /// The rate of a currency to itself.
    #[must_use]
    pub fn one() -> Rate {
        Rate(BigRational::one())
    }

    /// The rate in the other direction: the exact reciprocal.
    #[must_use]
    pub fn inverse(&self) -> Rate {
        Rate(self.0.recip())
    }

    /// The chained rate: A to B times B to C is A to C.
    #[must_use]
    pub fn times(&self, next: &Rate) -> Rate {
        Rate(&self.0 * &next.0)
    }

    /// The cross rate: EUR to IDR over EUR to USD is USD to IDR.
    #[must_use]
    pub fn over(&self, common: &Rate) -> Rate {
        Rate(&self.0 / &common.0)
    }

    /// The rate on the straight line from `before` to `after`, `elapsed_days` of `total_days` on.
    ///
    /// Days outside the line give its nearer end: a rate is interpolated, never extrapolated.
    #[must_use]
    pub fn interpolate(before: &Rate, after: &Rate, elapsed_days: u32, total_days: u32) -> Rate {
        if elapsed_days == 0 {
            return before.clone();
        }
        if elapsed_days >= total_days {
            return after.clone();
        }
        let part = BigRational::new(elapsed_days.into(), total_days.into());
        Rate(&before.0 + (&after.0 - &before.0) * part)
    }

    /// The arithmetic mean. `None` of no rates.
    #[must_use]
    pub fn average(rates: &[&Rate]) -> Option<Rate> {
        let count = BigRational::from_integer(rates.len().into());
        (!rates.is_empty()).then(|| Rate(rates.iter().map(|rate| &rate.0).sum::<BigRational>() / count))
    }

    /// The rate for a reader: exact when 18 significant digits are enough, otherwise rounded
    /// half-even to 18.
    ///
    /// The digits count from the first that is not zero, so a small rate has more than 12 digits
    /// after the point, and [`Decimal::parse`] may refuse the text. What a [`Decimal`] cannot hold,
    /// above 10^38 or below 10^-255, saturates at its range; no two currencies are that far apart.
    #[must_use]
    pub fn to_decimal(&self) -> Decimal {
        ratio::to_significant(&self.0, SHOWN_DIGITS)
    }

    /// Converts an amount of the base currency into the quote currency `into`.
    ///
    /// Rounds once, at the end, half-even, to the ISO 4217 minor units of `into`. `None` when the
    /// result does not fit. The caller picks the rate: it is not checked against the currencies.
    ///
    /// | amount | rate | unrounded | money |
    /// | --- | --- | --- | --- |
    /// | IDR 1000000000 | 1.1172 / 20275.17 | 55101.880773379458717239 | USD 55101.88 |
    /// | EUR 0.01 | 0.5 | 0.005 | USD 0.00 |
    /// | EUR 0.03 | 0.5 | 0.015 | USD 0.02 |
    #[must_use]
    pub fn convert(&self, from: Money, into: Currency) -> Option<Converted> {
        let exact = ratio::from_decimal(from.amount()) * &self.0;
        let minor_units = into.minor_units();
        let minor = ratio::round_half_even(&exact, minor_units.into()).units.to_i128()?;
        Some(Converted {
            money: Money::new(minor, into),
            unrounded: ratio::to_decimal(&exact, UNROUNDED_DIGITS, minor_units)?,
        })
    }

    /// The rate as a fraction, for formulas that go on computing before they round.
    #[must_use]
    pub const fn as_ratio(&self) -> &BigRational {
        &self.0
    }
}

/// The sum of amounts in several currencies, each with its rate into `into`.
///
/// The exact values are added up and the sum is rounded once, half-even, to the ISO 4217 minor units of `into`.
/// `None` when the result does not fit.
#[must_use]
pub fn sum_converted(parts: &[(Money, Rate)], into: Currency) -> Option<Money> {
    let exact: BigRational = parts.iter().map(|(money, rate)| ratio::from_decimal(money.amount()) * &rate.0).sum();
    let minor = ratio::round_half_even(&exact, into.minor_units().into()).units.to_i128()?;
    Some(Money::new(minor, into))
}

#[cfg(test)]
mod tests;

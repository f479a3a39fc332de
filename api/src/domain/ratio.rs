//! Exact fractions, and the one place where a fraction is rounded to a decimal.
//!
//! Intermediate results (a cross rate, a share of an amount, a duty) are kept as [`BigRational`]
//! and rounded once, at the end, by [`round_half_even`]. This module must never round on the way.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use super::decimal::Decimal;

/// A value rounded to an integer count of some power of ten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rounded {
    /// The count of units, after rounding.
    pub units: BigInt,
    /// Whether nothing was lost.
    pub exact: bool,
}

/// The value of `decimal` as a reduced fraction.
pub(crate) fn from_decimal(decimal: Decimal) -> BigRational {
    BigRational::new(decimal.mantissa().into(), power_of_ten(decimal.scale().into()))
}

/// Rounds `value` to a multiple of `10^-scale`, ties to the even neighbour.
///
/// A negative `scale` rounds to tens, hundreds and so on.
///
/// | value | scale | units |
/// | --- | --- | --- |
/// | 0.125 | 2 | 12 |
/// | 0.135 | 2 | 14 |
/// | -0.125 | 2 | -12 |
/// | 250 | -2 | 2 |
pub(crate) fn round_half_even(value: &BigRational, scale: i32) -> Rounded {
    let factor = power_of_ten(scale.unsigned_abs());
    let (numerator, denominator) = if scale < 0 {
        (value.numer().clone(), value.denom() * factor)
    } else {
        (value.numer() * factor, value.denom().clone())
    };
    // The denominator of a reduced fraction is positive, so 0 <= rest < denominator.
    let (floor, rest) = numerator.div_mod_floor(&denominator);
    let exact = rest.is_zero();
    let up = match (rest * 2_u8).cmp(&denominator) {
        Ordering::Less => false,
        Ordering::Equal => floor.is_odd(),
        Ordering::Greater => true,
    };
    Rounded { units: floor + BigInt::from(up), exact }
}

/// Rounds `value` half-even to at most `digits` significant digits.
///
/// An exact result comes without trailing zeros; a rounded one keeps all its digits. What a
/// [`Decimal`] cannot hold saturates: above its range to `i128::MAX`, below it to `10^-255`.
/// `value` is positive; anything else gives zero.
pub(crate) fn to_significant(value: &BigRational, digits: u8) -> Decimal {
    if !value.is_positive() {
        return Decimal::ZERO;
    }
    let limit = power_of_ten(digits.into());
    let mut scale = i32::from(digits) - leading_digit_position(value);
    let mut rounded = round_half_even(value, scale);
    // The position of 0.1, 0.01 and so on is one too low, and 9.99…9 may have become 10.
    while rounded.units >= limit {
        scale -= 1;
        rounded = round_half_even(value, scale);
    }
    let decimal = if let Ok(scale) = u8::try_from(scale) {
        rounded.units.to_i128().map(|units| Decimal::new(units, scale))
    } else if scale > 0 {
        let units = round_half_even(value, u8::MAX.into()).units.to_i128();
        units.map(|units| Decimal::new(units.max(1), u8::MAX))
    } else {
        let whole = rounded.units * power_of_ten(scale.unsigned_abs());
        whole.to_i128().map(|whole| Decimal::new(whole, 0))
    };
    let decimal = decimal.unwrap_or(Decimal::new(i128::MAX, 0));
    if rounded.exact { decimal.normalized() } else { decimal }
}

/// Rounds `value` half-even to the most fraction digits from `most` down to `least` that fit.
///
/// An exact result comes without trailing zeros. `None` when not even `least` digits fit.
pub(crate) fn to_decimal(value: &BigRational, most: u8, least: u8) -> Option<Decimal> {
    (least..=most).rev().find_map(|scale| {
        let rounded = round_half_even(value, scale.into());
        let decimal = Decimal::new(rounded.units.to_i128()?, scale);
        Some(if rounded.exact { decimal.normalized() } else { decimal })
    })
}

/// `n` such that `10^(n-1) <= value <= 10^n`: 1 for 5, 3 for 123, 0 for 0.5, -1 for 0.05.
fn leading_digit_position(value: &BigRational) -> i32 {
    let whole = value.to_integer();
    let (number, sign) = if whole.is_zero() { (value.recip().to_integer(), -1) } else { (whole, 1) };
    let length = i32::try_from(number.to_string().len()).unwrap_or(i32::MAX);
    // 0.05 has the reciprocal 20 of length 2, and its leading digit stands one place further left.
    if sign < 0 { 1 - length } else { length }
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

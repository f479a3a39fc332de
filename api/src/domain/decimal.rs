//! Exact decimal numbers, as they are written on an invoice or quoted by a bank.
//!
//! A [`Decimal`] is an integer and a count of fraction digits; it keeps the digits it was given, so
//! `100.50` is stored and shown as `100.50`. This module must never pass through a floating-point
//! number, never read an exponent, and never round unless [`Decimal::round_half_even`] is called.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The longest text [`Decimal::parse`] looks at, in bytes.
pub const MAX_BYTES: usize = 64;
/// The most digits [`Decimal::parse`] accepts before the point, leading zeros not counted.
pub const MAX_INTEGER_DIGITS: usize = 20;
/// The most digits [`Decimal::parse`] accepts after the point, trailing zeros counted.
pub const MAX_FRACTION_DIGITS: usize = 12;

/// An exact decimal number: `mantissa / 10^scale`.
///
/// Equality, order and hash are those of the number, not of its spelling: `1.0 == 1.00`.
///
/// Only parsing limits the digits to 20 before and 12 after the point; computed values may use the
/// whole range of the mantissa and any scale.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

/// Why a text is not accepted as a [`Decimal`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// The text is empty.
    #[error("a decimal must not be empty")]
    Empty,
    /// The text is longer than [`MAX_BYTES`]; it was not looked at.
    #[error("a decimal must not be longer than {MAX_BYTES} characters")]
    TooLong,
    /// Something other than an optional `-`, digits, and a `.` between digits.
    #[error("not a decimal: write it like -1250.50, with digits, one optional point and no spaces")]
    NotADecimal,
    /// The number has an exponent.
    #[error("a decimal must not have an exponent: write 1000, not 1e3")]
    Exponent,
    /// More than [`MAX_INTEGER_DIGITS`] digits before the point.
    #[error("a decimal must not have more than {MAX_INTEGER_DIGITS} digits before the point")]
    TooManyIntegerDigits,
    /// More than [`MAX_FRACTION_DIGITS`] digits after the point.
    #[error("a decimal must not have more than {MAX_FRACTION_DIGITS} digits after the point")]
    TooManyFractionDigits,
}

impl Decimal {
    /// The number 0.
    pub const ZERO: Decimal = Decimal::new(0, 0);
    /// The number 1.
    pub const ONE: Decimal = Decimal::new(1, 0);

    /// The number `mantissa / 10^scale`; `new(10050, 2)` is 100.50.
    #[must_use]
    pub const fn new(mantissa: i128, scale: u8) -> Decimal {
        Decimal { mantissa, scale }
    }

    /// Reads an optional `-`, digits, and optionally a `.` followed by digits; ASCII only.
    ///
    /// The scale is the number of digits after the point, so printing gives back the digits that
    /// were read, without leading zeros.
    ///
    /// # Errors
    ///
    /// A [`DecimalError`] that says what is wrong with the text. What is not a number at all is
    /// reported before what is a number with too many digits.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        if text.is_empty() {
            return Err(DecimalError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(DecimalError::TooLong);
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (integer, fraction) = match unsigned.split_once('.') {
            Some((integer, fraction)) => (integer, Some(fraction)),
            None => (unsigned, None),
        };
        check_digits(integer)?;
        fraction.map_or(Ok(()), check_digits)?;

        let integer = integer.trim_start_matches('0');
        let fraction = fraction.unwrap_or_default();
        if integer.len() > MAX_INTEGER_DIGITS {
            return Err(DecimalError::TooManyIntegerDigits);
        }
        let scale = match u8::try_from(fraction.len()) {
            Ok(scale) if fraction.len() <= MAX_FRACTION_DIGITS => scale,
            _ => return Err(DecimalError::TooManyFractionDigits),
        };
        // At most 20 + 12 digits are left, and an i128 holds any 38.
        let magnitude =
            integer.bytes().chain(fraction.bytes()).fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        Ok(Decimal::new(if negative { -magnitude } else { magnitude }, scale))
    }

    /// Reads back what was printed, whatever its number of digits: what we wrote down ourselves. `None` for any other
    /// text.
    #[must_use]
    pub fn reread(text: &str) -> Option<Decimal> {
        let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
        let mantissa = format!("{integer}{fraction}").parse().ok()?;
        let decimal = Decimal::new(mantissa, u8::try_from(fraction.len()).ok()?);
        (decimal.to_string() == text).then_some(decimal)
    }

    /// The digits without the point, and the sign.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits stand after the point.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether the number is less than zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether the number is zero, at any scale.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The same number without trailing zeros after the point: 100.50 becomes 100.5.
    #[must_use]
    pub const fn normalized(self) -> Decimal {
        let Decimal { mut mantissa, mut scale } = self;
        while scale > 0 && mantissa % 10 == 0 {
            // Zero has any number of trailing zeros.
            scale = if mantissa == 0 { 0 } else { scale - 1 };
            mantissa /= 10;
        }
        Decimal { mantissa, scale }
    }

    /// The same number with exactly `scale` digits after the point.
    ///
    /// `None` when it needs more digits than that, or when the zeros to add do not fit.
    #[must_use]
    pub fn rescale_exact(self, scale: u8) -> Option<Decimal> {
        if self.is_zero() {
            return Some(Decimal::new(0, scale));
        }
        let factor = power_of_ten(self.scale.abs_diff(scale))?;
        if scale >= self.scale {
            Some(Decimal::new(self.mantissa.checked_mul(factor)?, scale))
        } else if self.mantissa % factor == 0 {
            Some(Decimal::new(self.mantissa / factor, scale))
        } else {
            None
        }
    }

    /// The sum, at the greater of the two scales. `None` when it does not fit at that scale.
    #[must_use]
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Decimal::new(left.checked_add(right)?, scale))
    }

    /// The difference, at the greater of the two scales. `None` when it does not fit at that scale.
    #[must_use]
    pub fn checked_sub(self, other: Decimal) -> Option<Decimal> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Decimal::new(left.checked_sub(right)?, scale))
    }

    /// The exact product; the scales add up. `None` when it does not fit.
    #[must_use]
    pub fn checked_mul(self, other: Decimal) -> Option<Decimal> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Decimal::new(mantissa, self.scale.checked_add(other.scale)?))
    }

    /// Rounds to `scale` digits after the point, ties to the even neighbour.
    ///
    /// A number with no more digits than that is returned as it is, with its own scale: rounding
    /// takes digits away and never adds zeros, so it cannot overflow.
    ///
    /// | number | scale | result |
    /// | --- | --- | --- |
    /// | 0.125 | 2 | 0.12 |
    /// | 0.135 | 2 | 0.14 |
    /// | 0.1251 | 2 | 0.13 |
    /// | -2.5 | 0 | -2 |
    /// | 7 | 2 | 7 |
    #[must_use]
    pub const fn round_half_even(self, scale: u8) -> Decimal {
        if scale >= self.scale {
            return self;
        }
        let Some(factor) = power_of_ten(self.scale - scale) else {
            // Half of 10^39 is more than any mantissa, so what is left is nearer to zero.
            return Decimal::new(0, scale);
        };
        let quotient = self.mantissa / factor;
        let rest = (self.mantissa % factor).abs();
        // Not `2 * rest`, which overflows at the largest factor.
        let other_side = factor - rest;
        let away = rest > other_side || (rest == other_side && quotient % 2 != 0);
        let step = if away { self.mantissa.signum() } else { 0 };
        Decimal::new(quotient + step, scale)
    }

    /// Both mantissas at the greater scale, and that scale.
    fn aligned(self, other: Decimal) -> Option<(i128, i128, u8)> {
        let scale = self.scale.max(other.scale);
        let left = self.rescale_exact(scale)?;
        let right = other.rescale_exact(scale)?;
        Some((left.mantissa, right.mantissa, scale))
    }
}

/// `10^exponent`, or `None` beyond the 38 digits of an `i128`.
const fn power_of_ten(exponent: u8) -> Option<i128> {
    // A cast, because `u32::from` is not usable in a const fn; it widens.
    10_i128.checked_pow(exponent as u32)
}

fn check_digits(text: &str) -> Result<(), DecimalError> {
    match text.bytes().position(|byte| !byte.is_ascii_digit()) {
        None if text.is_empty() => Err(DecimalError::NotADecimal),
        None => Ok(()),
        Some(at) if at > 0 && matches!(text.as_bytes()[at], b'e' | b'E') => Err(DecimalError::Exponent),
        Some(_) => Err(DecimalError::NotADecimal),
    }
}

/// Compares `coarse * 10^by` with `fine` without computing the product, which may not fit.
fn compare_scaled(coarse: i128, by: u8, fine: i128) -> Ordering {
    // Beyond 38 digits the factor exceeds every mantissa: the floor is -1 or 0.
    let (floor, has_rest) = match power_of_ten(by) {
        Some(factor) => (fine.div_euclid(factor), fine.rem_euclid(factor) != 0),
        None => (if fine < 0 { -1 } else { 0 }, fine != 0),
    };
    match coarse.cmp(&floor) {
        Ordering::Equal if has_rest => Ordering::Less,
        order => order,
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let by = self.scale.abs_diff(other.scale);
        if self.scale <= other.scale {
            compare_scaled(self.mantissa, by, other.mantissa)
        } else {
            compare_scaled(other.mantissa, by, self.mantissa).reverse()
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Decimal { mantissa, scale } = self.normalized();
        mantissa.hash(state);
        scale.hash(state);
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        Decimal::parse(text)
    }
}

impl fmt::Display for Decimal {
    /// All digits, a point, never an exponent. Width, fill and sign flags work; a precision is
    /// ignored, because cutting digits off here would change the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.mantissa.unsigned_abs();
        if let (Ok(magnitude), true) = (u64::try_from(magnitude), self.scale <= SHORT_SCALE) {
            return short(magnitude, self.scale, |text| f.pad_integral(!self.is_negative(), "", text));
        }
        let width = usize::from(self.scale);
        let mut text = Text::new();
        match power_of_ten(self.scale) {
            Some(1) => write!(text, "{magnitude}")?,
            Some(factor) => {
                let factor = factor.unsigned_abs();
                write!(text, "{}.{:0width$}", magnitude / factor, magnitude % factor)?;
            }
            None => write!(text, "0.{magnitude:0width$}")?,
        }
        f.pad_integral(!self.is_negative(), "", text.as_str())
    }
}

/// The most digits after the point of a number that is written without 128-bit division.
const SHORT_SCALE: u8 = 18;

/// Writes a number of an ordinary size, such as an amount of money: answers are full of them.
fn short<T>(mut magnitude: u64, scale: u8, to: impl FnOnce(&str) -> T) -> T {
    // Twenty digits and a point.
    let mut bytes = [b'0'; 21];
    let (mut start, mut places) = (bytes.len(), 0);
    while magnitude > 0 || places <= scale {
        if places == scale && scale > 0 {
            start -= 1;
            bytes[start] = b'.';
        }
        start -= 1;
        bytes[start] = b'0' + u8::try_from(magnitude % 10).unwrap_or_default();
        magnitude /= 10;
        places += 1;
    }
    to(str::from_utf8(&bytes[start..]).unwrap_or_default())
}

/// A string on the stack with room for every unsigned decimal: `0.` and 255 digits.
struct Text {
    bytes: [u8; 257],
    length: usize,
}

impl Text {
    const fn new() -> Text {
        Text { bytes: [0; 257], length: 0 }
    }

    fn as_str(&self) -> &str {
        // Only whole strings are written, so the bytes are always valid.
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

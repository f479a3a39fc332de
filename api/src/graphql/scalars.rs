//! Scalars: texts on the wire, exact values inside. None goes through a float.

use std::fmt;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, DurationRound, NaiveDate, SecondsFormat, TimeDelta, Timelike, Utc};

use crate::domain;
use crate::error::code;

/// Why a value is not one of a scalar's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One of [`code`].
    pub code: &'static str,
    /// Words for the caller.
    pub message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }

    fn into_error<T: async_graphql::InputType>(self) -> InputValueError<T> {
        InputValueError::custom(self.message).with_extension("code", self.code)
    }
}

/// Says of a value whether it is one of a scalar's.
pub type Check = fn(&Value) -> Result<(), Refused>;

/// The check of a scalar that is defined here, by its name in the schema.
pub fn check_of(scalar: &str) -> Option<Check> {
    match scalar {
        "Decimal" => Some(|value| Decimal::read(value).map(drop)),
        "Date" => Some(|value| Date::read(value).map(drop)),
        "DateTime" => Some(|value| DateTime::read(value).map(drop)),
        "CurrencyCode" => Some(|value| CurrencyCode::read(value).map(drop)),
        "HsCode" => Some(|value| HsCode::read(value).map(drop)),
        "IdempotencyKey" => Some(|value| IdempotencyKey::read(value).map(drop)),
        "BigInt" => Some(|value| BigInt::read(value).map(drop)),
        _ => None,
    }
}

/// The text of a value; numbers are refused, since a client may have put them through a float.
fn text<'a>(value: &'a Value, code: &'static str) -> Result<&'a str, Refused> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Refused::new(code, format_args!("expected a string, found {}", kind(other)))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Boolean(_) => "a boolean",
        Value::Binary(_) => "bytes",
        Value::Enum(_) => "an enum value",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An exact decimal number as a string, without exponent. In arguments it has at most 20 digits before the
/// point and 12 after it. In answers a number that is the result of a division has 18 significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub domain::decimal::Decimal);

/// An exact decimal number as a string, without exponent. In arguments it has at most 20 digits before the
/// point and 12 after it. In answers a number that is the result of a division has 18 significant digits.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl Decimal {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_DECIMAL)?;
        domain::decimal::Decimal::parse(text).map(Self).map_err(|error| Refused::new(code::INVALID_DECIMAL, error))
    }
}

/// A calendar day as `YYYY-MM-DD`, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar day as `YYYY-MM-DD`, without a time zone.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match day(self.0) {
            Some(text) => f.write_str(str::from_utf8(&text).unwrap_or_default()),
            None => self.0.fmt(f),
        }
    }
}

/// `YYYY-MM-DD`. Answers are full of days, and chrono writes each digit through its formatter. `None` for a year that
/// has not four digits.
fn day(day: NaiveDate) -> Option<[u8; 10]> {
    let year = u32::try_from(day.year()).ok().filter(|year| *year <= 9999)?;
    let mut text = *b"0000-00-00";
    digits(&mut text[..4], year);
    digits(&mut text[5..7], day.month());
    digits(&mut text[8..], day.day());
    Some(text)
}

/// Writes a number with all the digits that there is room for.
fn digits(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

impl Date {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_DATE)?;
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let day = if shaped { text.parse::<NaiveDate>().ok() } else { None };
        // The year 0 exists in the calendar that chrono keeps, and in neither database.
        match day.filter(|_| !text.starts_with("0000")) {
            Some(day) => Ok(Self(day)),
            None => Err(Refused::new(code::INVALID_DATE, "expected a day that exists, as YYYY-MM-DD")),
        }
    }
}

/// An instant as RFC 3339 with an offset, such as `2026-10-30T09:15:00+07:00`. Answers are in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant as RFC 3339 with an offset, such as `2026-10-30T09:15:00+07:00`. Answers are in UTC.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match instant(self.0) {
            Some((text, length)) => f.write_str(str::from_utf8(&text[..length]).unwrap_or_default()),
            None => f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

/// RFC 3339 in UTC with as many digits of a second as are needed, by threes, and its length. `None` for a year that has
/// not four digits, and for a leap second.
fn instant(at: chrono::DateTime<Utc>) -> Option<([u8; 30], usize)> {
    let date = day(at.date_naive())?;
    let nanosecond = Some(at.nanosecond()).filter(|nanosecond| *nanosecond < 1_000_000_000)?;
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    text[..10].copy_from_slice(&date);
    digits(&mut text[11..13], at.hour());
    digits(&mut text[14..16], at.minute());
    digits(&mut text[17..19], at.second());
    digits(&mut text[20..29], nanosecond);
    let end = match nanosecond {
        0 => 19,
        _ if nanosecond % 1_000_000 == 0 => 23,
        _ if nanosecond % 1_000 == 0 => 26,
        _ => 29,
    };
    text[end] = b'Z';
    Some((text, end + 1))
}

impl DateTime {
    /// The instant in whole microseconds, which is what both databases keep.
    pub fn microsecond(self) -> chrono::DateTime<Utc> {
        self.0.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(self.0)
    }

    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_DATE)?;
        let parsed = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc));
        match parsed {
            // Both databases keep four-digit years, and what they keep is in UTC.
            Ok(at) if text.len() <= 40 && (1..=9999).contains(&at.year()) => Ok(Self(at)),
            _ => Err(Refused::new(code::INVALID_DATE, "expected a time as RFC 3339 with an offset")),
        }
    }
}

/// A currency by its ISO 4217 code of three capital letters, such as `IDR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub domain::currency::Currency);

/// A currency by its ISO 4217 code of three capital letters, such as `IDR`.
#[Scalar]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

impl CurrencyCode {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::UNKNOWN_CURRENCY)?;
        domain::currency::Currency::from_code(text)
            .map(Self)
            .ok_or_else(|| Refused::new(code::UNKNOWN_CURRENCY, "no currency has this ISO 4217 code"))
    }
}

/// A code of the Harmonized System of 2, 4, 6 or 8 digits; dots are accepted and not returned. A section is
/// written as its Roman numeral, `I` to `XXI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HsCode(pub domain::hs_code::HsCode);

/// A code of the Harmonized System of 2, 4, 6 or 8 digits; dots are accepted and not returned. A section is
/// written as its Roman numeral, `I` to `XXI`.
#[Scalar]
impl ScalarType for HsCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
    }
}

impl HsCode {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_HS_CODE)?;
        domain::hs_code::HsCode::parse(text).map(Self).map_err(|error| Refused::new(code::INVALID_HS_CODE, error))
    }
}

/// A client's own name for a request, 8 to 255 printable ASCII characters, such as a UUID. Sent again with the same key
/// within a day at least, the request is not done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

/// A client's own name for a request, 8 to 255 printable ASCII characters, such as a UUID. Sent again with the same key
/// within a day at least, the request is not done again.
#[Scalar]
impl ScalarType for IdempotencyKey {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl IdempotencyKey {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_IDEMPOTENCY_KEY)?;
        if (8..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refused::new(code::INVALID_IDEMPOTENCY_KEY, "expected 8 to 255 printable ASCII characters"))
        }
    }
}

/// A whole number as a string, which may have more than 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number as a string, which may have more than 32 bits.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(Refused::into_error)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl BigInt {
    fn read(value: &Value) -> Result<Self, Refused> {
        let text = text(value, code::INVALID_BIG_INT)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let shaped = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = shaped.then(|| text.parse().ok()).flatten();
        let refused = || Refused::new(code::INVALID_BIG_INT, "expected a whole number of at most 64 bits");
        number.map(Self).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<NaiveDate> {
        Date::parse(Value::String(text.to_owned())).ok().map(|date| date.0)
    }

    /// A day is a day that exists, in exactly one spelling.
    #[test]
    fn dates_have_one_spelling() {
        assert!(date("2026-10-31").is_some());
        for text in ["2026-02-30", "2026-2-3", "20261031", "+2026-10-3", "0000-01-01", "99999-01-01", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    /// A time without an offset is no instant.
    #[test]
    fn times_need_an_offset() {
        let time = |text: &str| DateTime::parse(Value::String(text.to_owned())).ok().map(|time| time.0.to_rfc3339());
        assert_eq!(time("2026-10-30T09:15:00+07:00").as_deref(), Some("2026-10-30T02:15:00+00:00"));
        for text in ["2026-10-30T09:15:00", "2026-10-30", "0000-01-01T00:00:00Z", ""] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    /// Days and instants are written here, as the library writes them.
    #[test]
    fn days_and_instants_are_written_as_the_library_does() {
        for second in
            [-62_167_219_201, -62_167_219_200, -1, 0, 951_782_400, 1_793_265_300, 253_402_300_799, 253_402_300_800]
        {
            for nanosecond in [0, 1, 1_000, 123_000, 1_000_000, 120_000_000, 999_999_999, 1_999_999_999] {
                let Some(at) = chrono::DateTime::from_timestamp(second, nanosecond) else { continue };
                assert_eq!(DateTime(at).to_string(), at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
                assert_eq!(Date(at.date_naive()).to_string(), at.date_naive().to_string());
            }
        }
    }

    /// A scalar without a check would be read only when its field is resolved.
    #[test]
    fn every_scalar_of_the_schema_has_a_check() {
        let sdl = crate::graphql::sdl(false);
        let scalars: Vec<_> = sdl.lines().filter_map(|line| line.strip_prefix("scalar ")).collect();
        assert_eq!(scalars.len(), 7, "{scalars:?}");
        for scalar in scalars {
            let check = check_of(scalar).unwrap_or_else(|| panic!("{scalar} has none"));
            assert!(check(&Value::from(12)).is_err(), "{scalar}");
        }
        assert!(check_of("Int").is_none());
    }

    /// A decimal that came as a JSON number may have been through a float already.
    #[test]
    fn numbers_are_refused_where_a_decimal_is_wanted() {
        assert!(Decimal::parse(Value::from(12)).is_err());
        assert!(Decimal::parse(Value::String("12.50".to_owned())).is_ok());
    }
}

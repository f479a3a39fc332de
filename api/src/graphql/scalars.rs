//! Scalars: texts on the wire, exact values inside. None goes through a float.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, DurationRound, NaiveDate, SecondsFormat, TimeDelta, Utc};

use crate::domain;
use crate::error::code;

/// A refused value, with its code.
fn refused<T: async_graphql::InputType>(code: &'static str, message: impl std::fmt::Display) -> InputValueError<T> {
    InputValueError::custom(message).with_extension("code", code)
}

/// The text of a value; numbers are refused, since a client may have put them through a float.
fn text<T: async_graphql::InputType>(value: &Value, code: &'static str) -> Result<String, InputValueError<T>> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(refused(code, format_args!("expected a string, found {}", kind(other)))),
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
        let text = text(&value, code::INVALID_DECIMAL)?;
        domain::decimal::Decimal::parse(&text).map(Self).map_err(|error| refused(code::INVALID_DECIMAL, error))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A calendar day as `YYYY-MM-DD`, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar day as `YYYY-MM-DD`, without a time zone.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value, code::INVALID_DATE)?;
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let day = if shaped { text.parse::<NaiveDate>().ok() } else { None };
        // The year 0 exists in the calendar that chrono keeps, and in neither database.
        match day.filter(|_| !text.starts_with("0000")) {
            Some(day) => Ok(Self(day)),
            None => Err(refused(code::INVALID_DATE, "expected a day that exists, as YYYY-MM-DD")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// An instant as RFC 3339 with an offset, such as `2026-10-30T09:15:00+07:00`. Answers are in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant as RFC 3339 with an offset, such as `2026-10-30T09:15:00+07:00`. Answers are in UTC.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value, code::INVALID_DATE)?;
        let parsed = chrono::DateTime::parse_from_rfc3339(&text).map(|at| at.with_timezone(&Utc));
        match parsed {
            // Both databases keep four-digit years, and what they keep is in UTC.
            Ok(at) if text.len() <= 40 && (1..=9999).contains(&at.year()) => Ok(Self(at)),
            _ => Err(refused(code::INVALID_DATE, "expected a time as RFC 3339 with an offset")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl DateTime {
    /// The instant in whole microseconds, which is what both databases keep.
    pub fn microsecond(self) -> chrono::DateTime<Utc> {
        self.0.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(self.0)
    }
}

/// A currency by its ISO 4217 code of three capital letters, such as `IDR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub domain::currency::Currency);

/// A currency by its ISO 4217 code of three capital letters, such as `IDR`.
#[Scalar]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value, code::UNKNOWN_CURRENCY)?;
        domain::currency::Currency::from_code(&text)
            .map(Self)
            .ok_or_else(|| refused(code::UNKNOWN_CURRENCY, "no currency has this ISO 4217 code"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
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
        let text = text(&value, code::INVALID_HS_CODE)?;
        domain::hs_code::HsCode::parse(&text).map(Self).map_err(|error| refused(code::INVALID_HS_CODE, error))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
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
        let text = text(&value, code::INVALID_IDEMPOTENCY_KEY)?;
        if (8..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(Self(text))
        } else {
            Err(refused(code::INVALID_IDEMPOTENCY_KEY, "expected 8 to 255 printable ASCII characters"))
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A whole number as a string, which may have more than 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number as a string, which may have more than 32 bits.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value, code::INVALID_BIG_INT)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let shaped = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = shaped.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or_else(|| refused(code::INVALID_BIG_INT, "expected a whole number of at most 64 bits"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
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

    /// A decimal that came as a JSON number may have been through a float already.
    #[test]
    fn numbers_are_refused_where_a_decimal_is_wanted() {
        assert!(Decimal::parse(Value::from(12)).is_err());
        assert!(Decimal::parse(Value::String("12.50".to_owned())).is_ok());
    }
}

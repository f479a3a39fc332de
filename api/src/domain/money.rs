//! Amounts of money: a count of minor units together with its currency.
//!
//! An amount never travels without its currency and never leaves the integers. This module must
//! never round (an amount that is too precise is refused), and never add two currencies.
//! Converting belongs to [`Rate::convert`](super::rate::Rate::convert).

use super::currency::{Currency, is_indonesian};
use super::decimal::Decimal;

/// U+00A0: keeps the symbol and the number on one line.
const NO_BREAK_SPACE: char = '\u{a0}';

/// An amount in one currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Money {
    /// The amount in minor units of the currency by ISO 4217: 150 is USD 1.50, IDR 1.50, JPY 150.
    pub minor: i128,
    /// The currency.
    pub currency: Currency,
}

/// Why a decimal is not an amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// There are more digits after the point than the currency has.
    #[error("an amount in {currency} has at most {minor_units} digits after the point")]
    TooPrecise {
        /// The currency of the amount.
        currency: Currency,
        /// The digits it has after the point.
        minor_units: u8,
    },
    /// The amount in minor units does not fit 127 bits. No parsed decimal is that large.
    #[error("the amount is too large")]
    TooLarge,
}

impl Money {
    /// `minor` minor units of `currency`.
    #[must_use]
    pub const fn new(minor: i128, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// The amount written as `amount` in major units: 1.5 in USD is 150 cents.
    ///
    /// Trailing zeros do not count as precision: 100.000 is an amount in JPY. Nothing is rounded.
    ///
    /// # Errors
    ///
    /// [`MoneyError::TooPrecise`] when a digit would be lost, [`MoneyError::TooLarge`] when the
    /// amount does not fit.
    pub fn from_decimal(amount: Decimal, currency: Currency) -> Result<Money, MoneyError> {
        let minor_units = currency.minor_units();
        let amount = amount.normalized();
        if amount.scale() > minor_units {
            return Err(MoneyError::TooPrecise { currency, minor_units });
        }
        let amount = amount.rescale_exact(minor_units).ok_or(MoneyError::TooLarge)?;
        Ok(Money::new(amount.mantissa(), currency))
    }

    /// The amount in major units, with all the digits of the currency: `1.50`.
    #[must_use]
    pub fn amount(self) -> Decimal {
        Decimal::new(self.minor, self.currency.minor_units())
    }

    /// The sum. `None` when the currencies differ or it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Money) -> Option<Money> {
        if self.currency != other.currency {
            return None;
        }
        Some(Money::new(self.minor.checked_add(other.minor)?, self.currency))
    }

    /// The amount for a reader, in Indonesian for `id` and its regions, otherwise in English.
    ///
    /// Digits after the point are those that are settled, or all of the currency when the amount
    /// has a fraction below that. The space after a symbol does not break; English has none after
    /// a symbol that ends in a sign.
    ///
    /// | amount | `id-ID` | `en-US` |
    /// | --- | --- | --- |
    /// | IDR 33333333.00 | Rp 33.333.333 | Rp 33,333,333 |
    /// | IDR 0.50 | Rp 0,50 | Rp 0.50 |
    /// | USD 1234.50 | US$ 1.234,50 | $1,234.50 |
    #[must_use]
    pub fn formatted(self, locale: &str) -> String {
        let indonesian = is_indonesian(locale);
        let (group, point) = if indonesian { ('.', ',') } else { (',', '.') };
        let symbol = self.currency.symbol(locale);
        let amount = self.amount();
        let digits = amount.rescale_exact(self.currency.settlement_digits()).unwrap_or(amount).to_string();
        let digits = digits.trim_start_matches('-');
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));

        let mut text = String::with_capacity(digits.len() * 2 + symbol.len());
        if amount.is_negative() {
            text.push('-');
        }
        text.push_str(symbol);
        if indonesian || symbol.ends_with(char::is_alphabetic) {
            text.push(NO_BREAK_SPACE);
        }
        for (at, digit) in integer.char_indices() {
            if at > 0 && (integer.len() - at).is_multiple_of(3) {
                text.push(group);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(point);
            text.push_str(fraction);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(amount: &str, code: &str) -> Result<Money, MoneyError> {
        let currency = Currency::from_code(code).unwrap();
        Money::from_decimal(Decimal::parse(amount).unwrap(), currency)
    }

    #[test]
    fn amounts_are_counted_in_minor_units() {
        for (amount, code, minor, printed) in [
            ("1.5", "USD", 150, "1.50"),
            ("1.500000", "USD", 150, "1.50"),
            ("-0.01", "EUR", -1, "-0.01"),
            ("33333333", "IDR", 3_333_333_300, "33333333.00"),
            ("100.000", "JPY", 100, "100"),
            ("99999999999999999999", "IDR", 9_999_999_999_999_999_999_900, "99999999999999999999.00"),
        ] {
            let money = money(amount, code).unwrap();
            assert_eq!(money.minor, minor, "{code} {amount}");
            assert_eq!(money.amount().to_string(), printed, "{code} {amount}");
        }
    }

    #[test]
    fn too_many_digits_are_refused_and_never_rounded() {
        for (amount, code, minor_units) in [("0.001", "USD", 2), ("0.5", "JPY", 0), ("1.999", "IDR", 2)] {
            let currency = Currency::from_code(code).unwrap();
            let error = money(amount, code).unwrap_err();
            assert_eq!(error, MoneyError::TooPrecise { currency, minor_units }, "{code} {amount}");
        }
        assert_eq!(
            money("0.5", "JPY").unwrap_err().to_string(),
            "an amount in JPY has at most 0 digits after the point",
        );
        let large = Money::from_decimal(Decimal::new(i128::MAX, 0), Currency::usd());
        assert_eq!(large, Err(MoneyError::TooLarge));
    }

    #[test]
    fn only_one_currency_adds_up() {
        let (usd, idr) = (Currency::usd(), Currency::idr());
        assert_eq!(Money::new(1, usd).checked_add(Money::new(2, usd)), Some(Money::new(3, usd)));
        assert_eq!(Money::new(1, usd).checked_add(Money::new(2, idr)), None);
        assert_eq!(Money::new(i128::MAX, usd).checked_add(Money::new(1, usd)), None);
    }

    #[test]
    fn amounts_read_as_the_locale_writes_them() {
        for (amount, code, id, en) in [
            ("33333333", "IDR", "Rp 33.333.333", "Rp 33,333,333"),
            ("33333333.50", "IDR", "Rp 33.333.333,50", "Rp 33,333,333.50"),
            ("0", "IDR", "Rp 0", "Rp 0"),
            ("-1000", "IDR", "-Rp 1.000", "-Rp 1,000"),
            ("-0.05", "IDR", "-Rp 0,05", "-Rp 0.05"),
            ("999", "USD", "US$ 999,00", "$999.00"),
            ("1234.5", "USD", "US$ 1.234,50", "$1,234.50"),
            ("-1234.5", "USD", "-US$ 1.234,50", "-$1,234.50"),
            ("1234567", "JPY", "JP¥ 1.234.567", "¥1,234,567"),
            ("1234567.89", "EUR", "€ 1.234.567,89", "€1,234,567.89"),
            ("100", "GBP", "£ 100,00", "£100.00"),
            ("1000", "SGD", "S$ 1.000,00", "S$1,000.00"),
            ("1000", "AUD", "A$ 1.000,00", "A$1,000.00"),
            ("1000", "CNY", "CN¥ 1.000,00", "CN¥1,000.00"),
            ("1000", "MYR", "RM 1.000,00", "RM 1,000.00"),
            ("1000", "CHF", "CHF 1.000,00", "CHF 1,000.00"),
            ("1.234", "BHD", "BHD 1,234", "BHD 1.234"),
        ] {
            let money = money(amount, code).unwrap();
            let (id, en) = (id.replace(' ', "\u{a0}"), en.replace(' ', "\u{a0}"));
            assert_eq!(money.formatted("id-ID"), id);
            assert_eq!(money.formatted("id"), id);
            assert_eq!(money.formatted("en-US"), en);
            assert_eq!(money.formatted("de-DE"), en, "an unknown locale reads as English");
        }
        let least = Money::new(i128::MIN, Currency::from_code("JPY").unwrap()).formatted("en");
        assert_eq!(least, "-¥170,141,183,460,469,231,731,687,303,715,884,105,728");
    }

    proptest! {
        #[test]
        fn an_amount_reads_back(minor in any::<i128>(), pick in any::<prop::sample::Index>()) {
            let all: Vec<_> = Currency::all().collect();
            let money = Money::new(minor, all[pick.index(all.len())]);
            prop_assert_eq!(Money::from_decimal(money.amount(), money.currency), Ok(money));
        }

        #[test]
        fn formatting_keeps_every_digit(minor in any::<i128>(), indonesian in any::<bool>()) {
            let money = Money::new(minor, Currency::usd());
            let text = money.formatted(if indonesian { "id" } else { "en" });
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(digits, format!("{:03}", minor.unsigned_abs()));
            prop_assert_eq!(text.starts_with('-'), minor < 0);
        }
    }
}

use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use proptest::prelude::*;

use super::*;

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn rate(text: &str) -> Rate {
    Rate::quoted(dec(text), 1).unwrap()
}

fn money(amount: &str, code: &str) -> Money {
    Money::from_decimal(dec(amount), Currency::from_code(code).unwrap()).unwrap()
}

/// USD/IDR from the reference rates of one day: 1 EUR is 1.1172 USD and 20275.17 IDR.
fn usd_idr() -> Rate {
    rate("20275.17").over(&rate("1.1172"))
}

/// The digits come from Python's `fractions` and `decimal`, not from this code.
#[test]
fn the_cross_rate_and_its_inverse_keep_their_digits() {
    assert_eq!(usd_idr().to_decimal().to_string(), "18148.2008592910849");
    assert_eq!(usd_idr().inverse().to_decimal().to_string(), "0.0000551018807733794587");
    assert_eq!(usd_idr().inverse().inverse(), usd_idr());
}

/// A public service prints IDR/USD as 0.000055 and loses 101.88 dollars of a billion rupiah.
#[test]
fn a_billion_rupiah_is_not_rounded_through_the_quote() {
    let billion = money("1000000000", "IDR");
    let converted = usd_idr().inverse().convert(billion, Currency::usd()).unwrap();
    assert_eq!(converted.money, money("55101.88", "USD"));
    let through_the_quote = rate("0.000055").convert(billion, Currency::usd()).unwrap();
    assert_eq!(through_the_quote.money, money("55000", "USD"));
}

#[test]
fn conversion_rounds_once_half_even_and_shows_what_it_rounded() {
    for (amount, from, quote, into, rounded, unrounded) in [
        ("0.01", "EUR", "0.5", "USD", "0.00", "0.005"),
        ("0.03", "EUR", "0.5", "USD", "0.02", "0.015"),
        ("-0.03", "EUR", "0.5", "USD", "-0.02", "-0.015"),
        ("-0.01", "EUR", "0.5", "USD", "0", "-0.005"),
        ("0.01", "EUR", "0.500000000001", "USD", "0.01", "0.00500000000001"),
        ("1", "USD", "18148.20", "IDR", "18148.20", "18148.2"),
        ("1.05", "USD", "150", "JPY", "158", "157.5"),
        ("5015.625", "BHD", "1", "USD", "5015.62", "5015.625"),
        ("10", "USD", "1", "USD", "10", "10"),
    ] {
        let into = Currency::from_code(into).unwrap();
        let converted = rate(quote).convert(money(amount, from), into).unwrap();
        assert_eq!(converted.money.amount(), dec(rounded), "{from} {amount} at {quote}");
        assert_eq!(converted.unrounded.to_string(), unrounded, "{from} {amount} at {quote}");
    }
    let third = rate("1").over(&rate("3")).convert(money("1", "EUR"), Currency::usd()).unwrap();
    assert_eq!(third.unrounded.to_string(), "0.333333333333333333");
}

#[test]
fn what_does_not_fit_is_refused_and_large_amounts_lose_shown_digits_only() {
    let most = Money::new(i128::MAX, Currency::usd());
    assert_eq!(rate("1.01").convert(most, Currency::eur()), None);
    let third = rate("1").over(&rate("3")).convert(most, Currency::eur()).unwrap();
    assert_eq!(third.money.minor, i128::MAX / 3);
    assert_eq!(third.unrounded.scale(), 2);
}

#[test]
fn a_quote_is_above_zero_and_per_at_least_one() {
    assert_eq!(Rate::quoted(dec("0.00"), 1), None);
    assert_eq!(Rate::quoted(dec("-1"), 1), None);
    assert_eq!(Rate::quoted(dec("1"), 0), None);
    let yen = Rate::quoted(dec("10433.50"), 100).unwrap();
    assert_eq!(yen.to_decimal().to_string(), "104.335");
}

#[test]
fn interpolation_stays_on_the_line() {
    let (friday, monday) = (rate("20000"), rate("20100.5"));
    for (elapsed, total, expected) in [
        (0, 3, "20000"),
        (1, 3, "20033.5"),
        (2, 3, "20067"),
        (3, 3, "20100.5"),
        (4, 3, "20100.5"),
        (0, 0, "20000"),
        (1, 0, "20100.5"),
    ] {
        let between = Rate::interpolate(&friday, &monday, elapsed, total);
        assert_eq!(between.to_decimal().to_string(), expected, "{elapsed} of {total}");
    }
    let thirds = Rate::interpolate(&rate("1"), &rate("2"), 1, 3);
    assert_eq!(thirds.times(&rate("3")), rate("4"));
}

#[test]
fn a_rate_is_shown_with_at_most_18_significant_digits() {
    let ratio = |a: &str, b: &str| rate(a).over(&rate(b));
    for (rate, shown) in [
        (Rate::one(), "1"),
        (ratio("1", "10"), "0.1"),
        (ratio("1", "3"), "0.333333333333333333"),
        (ratio("2", "3"), "0.666666666666666667"),
        (ratio("200", "3"), "66.6666666666666667"),
        (ratio("1", "300"), "0.00333333333333333333"),
        (ratio("1", "1024"), "0.0009765625"),
        (ratio("9999999999999999999", "10000000000000000000"), "1.00000000000000000"),
        (rate("1000"), "1000"),
        (rate("999999999999999999"), "999999999999999999"),
        (rate("9999999999999999995"), "10000000000000000000"),
        (rate("12345678901234567850"), "12345678901234567800"),
        (rate("1.500").times(&rate("2.000000001")), "3.0000000015"),
    ] {
        assert_eq!(rate.to_decimal().to_string(), shown);
    }
}

#[test]
fn a_rate_no_decimal_can_hold_is_shown_at_the_end_of_the_range() {
    let huge = (0..5).fold(Rate::one(), |rate, _| rate.times(&self::rate("10000000000000000000")));
    assert_eq!(huge.to_decimal(), Decimal::new(i128::MAX, 0));
    let tiny = (0..5).fold(huge.inverse(), |rate, _| rate.times(&rate));
    assert_eq!(tiny.to_decimal(), Decimal::new(1, u8::MAX));
}

/// Quotes as sources print them: any positive decimal that can be parsed, per 1 to 1000.
fn any_rate() -> impl Strategy<Value = Rate> {
    let mantissa = prop_oneof![1_i128..100_000_000, 1..10_i128.pow(32)];
    (mantissa, 0_u8..=12, 1_u32..=1000)
        .prop_map(|(mantissa, scale, per)| Rate::quoted(Decimal::new(mantissa, scale), per).unwrap())
}

fn half_a_unit(scale: u32) -> BigRational {
    BigRational::new(1.into(), BigInt::from(2) * BigInt::from(10).pow(scale))
}

proptest! {
    #[test]
    fn the_inverse_is_exact(a in any_rate()) {
        prop_assert_eq!(a.inverse().inverse(), a.clone());
        prop_assert_eq!(a.times(&a.inverse()), Rate::one());
        prop_assert_eq!(a.over(&a), Rate::one());
    }

    #[test]
    fn triangulation_is_the_same_by_every_path(a in any_rate(), b in any_rate(), c in any_rate()) {
        prop_assert_eq!(a.over(&b), b.over(&a).inverse());
        prop_assert_eq!(a.over(&b).times(&b), a.clone());
        prop_assert_eq!(a.over(&b).times(&b.over(&c)), a.over(&c));
    }

    #[test]
    fn interpolation_is_between_its_ends(
        a in any_rate(),
        b in any_rate(),
        i in 0_u32..40,
        n in 0_u32..40,
    ) {
        let between = Rate::interpolate(&a, &b, i, n);
        let (low, high) = if a.as_ratio() < b.as_ratio() { (&a, &b) } else { (&b, &a) };
        prop_assert!(low.as_ratio() <= between.as_ratio() && between.as_ratio() <= high.as_ratio());
    }

    #[test]
    fn a_shown_rate_has_18_right_digits(a in any_rate(), b in any_rate()) {
        let exact = a.over(&b);
        // Beyond that it saturates, as its documentation says.
        prop_assume!(*exact.as_ratio() < BigRational::from(BigInt::from(10).pow(38)));
        let shown = exact.to_decimal();
        let digits = shown.mantissa().to_string().trim_end_matches('0').len();
        prop_assert!(digits <= 18, "{}", shown);
        // Half a unit of the 18th digit is at most 5e-18 of the value.
        let error = (ratio::from_decimal(shown) - exact.as_ratio()).abs() / exact.as_ratio();
        prop_assert!(error <= BigRational::new(5.into(), BigInt::from(10).pow(18)), "{}", error);
    }

    #[test]
    fn a_quote_with_few_digits_is_shown_exactly(
        mantissa in 1_i128..10_i128.pow(18),
        scale in 0_u8..=12,
    ) {
        let quote = Decimal::new(mantissa, scale);
        prop_assert_eq!(Rate::quoted(quote, 1).unwrap().to_decimal(), quote);
    }

    #[test]
    fn conversion_is_off_by_at_most_half_a_minor_unit(
        rate in any_rate(),
        minor in prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>()],
        from in any::<prop::sample::Index>(),
        into in any::<prop::sample::Index>(),
    ) {
        let all: Vec<_> = Currency::all().collect();
        let (from, into) = (all[from.index(all.len())], all[into.index(all.len())]);
        let amount = Money::new(minor, from);
        let exact = ratio::from_decimal(amount.amount()) * rate.as_ratio();
        let Some(converted) = rate.convert(amount, into) else {
            let minor = exact.abs() * BigInt::from(10).pow(into.minor_units().into());
            prop_assert!(minor > BigRational::from_integer(i128::MAX.into()));
            return Ok(());
        };
        let units = u32::from(into.minor_units());
        let off = (ratio::from_decimal(converted.money.amount()) - &exact).abs();
        prop_assert!(off <= half_a_unit(units));
        if off == half_a_unit(units) {
            prop_assert_eq!(converted.money.minor % 2, 0, "a tie goes to the even neighbour");
        }
        let off = (ratio::from_decimal(converted.unrounded) - &exact).abs();
        prop_assert!(off.is_zero() || off <= half_a_unit(converted.unrounded.scale().into()));
        prop_assert!(converted.unrounded.scale() <= UNROUNDED_DIGITS);
    }
}

use std::collections::HashSet;

use num_traits::ToPrimitive;
use proptest::prelude::*;

use super::*;
use crate::domain::ratio;

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn what_is_read_is_printed() {
    for (text, printed) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("007.10", "7.10"),
        ("100.50", "100.50"),
        ("-0.05", "-0.05"),
        ("20275.17", "20275.17"),
        ("99999999999999999999.999999999999", "99999999999999999999.999999999999"),
        ("0000000000000000000000000000000000000000000000000000000000001.5", "1.5"),
    ] {
        assert_eq!(dec(text).to_string(), printed, "{text}");
    }
}

#[test]
fn what_is_not_a_decimal_is_refused_with_its_reason() {
    use DecimalError::*;
    let long = "1".repeat(65);
    let huge = "x".repeat(10_000_000);
    for (text, error) in [
        ("", Empty),
        ("-", NotADecimal),
        (".", NotADecimal),
        ("1.", NotADecimal),
        (".5", NotADecimal),
        ("-.5", NotADecimal),
        ("--1", NotADecimal),
        ("+1", NotADecimal),
        (" 1", NotADecimal),
        ("1 ", NotADecimal),
        ("1_000", NotADecimal),
        ("1,000", NotADecimal),
        ("1.2.3", NotADecimal),
        ("0x10", NotADecimal),
        ("NaN", NotADecimal),
        ("e5", NotADecimal),
        ("\u{661}\u{662}", NotADecimal),
        ("\u{ff11}\u{ff12}", NotADecimal),
        ("1\0", NotADecimal),
        ("1e3", Exponent),
        ("1.5E-7", Exponent),
        ("100000000000000000000", TooManyIntegerDigits),
        ("0.1234567890123", TooManyFractionDigits),
        ("0.0000000000000", TooManyFractionDigits),
        ("111111111111111111111111111x", NotADecimal),
        (&long, TooLong),
        (&huge, TooLong),
    ] {
        assert_eq!(Decimal::parse(text).map(|d| d.to_string()), Err(error), "{text:.70}");
    }
}

#[test]
fn messages_name_the_limits() {
    assert_eq!(
        DecimalError::TooManyFractionDigits.to_string(),
        "a decimal must not have more than 12 digits after the point",
    );
}

#[test]
fn extreme_values_print_without_an_exponent() {
    let smallest = Decimal::new(1, 255).to_string();
    assert_eq!(smallest, format!("0.{}1", "0".repeat(254)));
    assert_eq!(Decimal::new(i128::MIN, 0).to_string(), i128::MIN.to_string());
    let largest = i128::from(u64::MAX);
    for (mantissa, scale, printed) in [
        (largest, 0, "18446744073709551615"),
        (largest + 1, 0, "18446744073709551616"),
        (largest, 18, "18.446744073709551615"),
        (-largest, 18, "-18.446744073709551615"),
        (largest + 1, 18, "18.446744073709551616"),
        (largest, 19, "1.8446744073709551615"),
        (largest, 20, "0.18446744073709551615"),
        (1, 18, "0.000000000000000001"),
        (1, 19, "0.0000000000000000001"),
        (0, 18, "0.000000000000000000"),
    ] {
        assert_eq!(Decimal::new(mantissa, scale).to_string(), printed, "{mantissa} to {scale}");
    }
    assert_eq!(Decimal::new(i128::MIN, 38).to_string(), "-1.70141183460469231731687303715884105728",);
    assert_eq!(Decimal::new(i128::MAX, 39).to_string(), "0.170141183460469231731687303715884105727",);
}

/// A precision in a format string must not silently cut digits off an amount.
#[test]
fn format_flags_pad_but_never_truncate() {
    assert_eq!(format!("[{:>8}]", dec("-1.50")), "[   -1.50]");
    assert_eq!(format!("[{:<6}]", dec("1.5")), "[1.5   ]");
    assert_eq!(format!("{:.0}", dec("1.55")), "1.55");
}

#[test]
fn rounding_is_half_even() {
    for (text, scale, rounded) in [
        ("0.125", 2, "0.12"),
        ("0.135", 2, "0.14"),
        ("0.1251", 2, "0.13"),
        ("0.1249", 2, "0.12"),
        ("-0.125", 2, "-0.12"),
        ("-0.135", 2, "-0.14"),
        ("0.5", 0, "0"),
        ("-0.5", 0, "0"),
        ("1.5", 0, "2"),
        ("-2.5", 0, "-2"),
        ("9.99", 1, "10.0"),
        ("7", 2, "7"),
        ("7.10", 2, "7.10"),
    ] {
        assert_eq!(dec(text).round_half_even(scale).to_string(), rounded, "{text} to {scale}");
    }
    assert_eq!(Decimal::new(i128::MAX, 38).round_half_even(0).to_string(), "2");
    assert_eq!(Decimal::new(i128::MIN, 38).round_half_even(0).to_string(), "-2");
    assert_eq!(Decimal::new(i128::MIN, 39).round_half_even(0).to_string(), "0");
    assert_eq!(Decimal::new(5 * 10_i128.pow(37), 38).round_half_even(0).to_string(), "0");
}

#[test]
fn rescaling_is_exact_or_refused() {
    assert_eq!(dec("1.50").rescale_exact(1).map(|d| d.to_string()).as_deref(), Some("1.5"));
    assert_eq!(dec("1.5").rescale_exact(3).map(|d| d.to_string()).as_deref(), Some("1.500"));
    assert!(dec("1.55").rescale_exact(1).is_none());
    assert!(dec("10").rescale_exact(38).is_none());
    assert_eq!(Decimal::ZERO.rescale_exact(255).map(Decimal::scale), Some(255));
}

#[test]
fn arithmetic_is_exact_or_refused() {
    assert_eq!(dec("0.1").checked_add(dec("0.20")).unwrap().to_string(), "0.30");
    assert_eq!(dec("1").checked_sub(dec("0.01")).unwrap().to_string(), "0.99");
    assert_eq!(dec("5350").checked_mul(dec("0.075")).unwrap().to_string(), "401.250");
    let most = Decimal::new(i128::MAX, 0);
    assert!(most.checked_add(Decimal::ONE).is_none());
    assert!(most.checked_add(dec("0.1")).is_none());
    assert!(Decimal::new(i128::MIN, 0).checked_sub(Decimal::ONE).is_none());
    assert!(most.checked_mul(dec("2")).is_none());
    assert!(Decimal::new(1, 200).checked_mul(Decimal::new(1, 56)).is_none());
}

/// Pairs whose common scale would overflow, and floors of negative numbers, decide these.
#[test]
fn order_is_that_of_the_numbers() {
    let new = Decimal::new;
    for (low, high) in [
        (dec("-1.5"), dec("-1")),
        (dec("-1"), dec("-0.5")),
        (dec("-0.1"), dec("0")),
        (dec("9.99"), dec("10")),
        (new(-1, 40), new(0, 0)),
        (new(0, 0), new(1, 40)),
        (new(-1, 0), new(i128::MIN, 40)),
        (new(i128::MAX, 40), new(1, 0)),
        (new(i128::MAX, 38), new(i128::MAX, 0)),
        (new(i128::MIN, 0), new(i128::MIN, 255)),
    ] {
        assert_eq!(low.cmp(&high), Ordering::Less, "{low} < {high}");
        assert_eq!(high.cmp(&low), Ordering::Greater, "{high} > {low}");
    }
    assert_eq!(new(10_i128.pow(38), 38), Decimal::ONE);
    assert_eq!(new(0, 255), Decimal::ZERO);
}

#[test]
fn equal_numbers_hash_alike() {
    let set: HashSet<Decimal> = ["1", "1.0", "1.00", "0", "-0.000"].map(dec).into();
    assert_eq!(set.len(), 2);
}

/// Any mantissa at any scale, with small and extreme ones as likely as the middle.
fn any_decimal() -> impl Strategy<Value = Decimal> {
    let mantissa = prop_oneof![
        any::<i128>(),
        -1000_i128..1000,
        any::<i64>().prop_map(i128::from),
        Just(i128::MIN),
        Just(i128::MAX),
        (0_u32..=38, -1_i128..=1).prop_map(|(n, off)| 10_i128.pow(n) + off),
    ];
    let scale = prop_oneof![0_u8..=4, 0_u8..=38, any::<u8>()];
    (mantissa, scale).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

/// Two decimals that are often equal or one unit apart, at different scales.
fn any_pair() -> impl Strategy<Value = (Decimal, Decimal)> {
    let near = (any_decimal(), 0_u8..=40, -1_i128..=1).prop_map(|(a, digits, off)| {
        let coarse = a.round_half_even(a.scale().saturating_sub(digits));
        let b = coarse.mantissa().saturating_add(off);
        (a, Decimal::new(b, coarse.scale()))
    });
    let respelled =
        (any_decimal(), any::<u8>()).prop_map(|(a, scale)| (a, a.rescale_exact(scale).unwrap_or(a.normalized())));
    prop_oneof![(any_decimal(), any_decimal()), near, respelled]
}

fn hash_of(decimal: Decimal) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one(decimal)
}

proptest! {
    #[test]
    fn printed_text_reads_back(text in "-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,12})?") {
        let value = dec(&text);
        let printed = value.to_string();
        if value.is_zero() {
            prop_assert_eq!(&printed, text.trim_start_matches('-'));
        } else {
            prop_assert_eq!(&printed, &text);
        }
        prop_assert_eq!(value.mantissa(), dec(&printed).mantissa());
    }

    #[test]
    fn whatever_is_printed_can_be_read_back(a in any_decimal()) {
        let again = Decimal::reread(&a.to_string());
        prop_assert_eq!(again.map(|again| (again.mantissa(), again.scale())), Some((a.mantissa(), a.scale())));
    }

    #[test]
    fn only_what_is_printed_is_read_back(text in "[-+0-9.eE_ ]{0,70}") {
        if let Some(value) = Decimal::reread(&text) {
            prop_assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}|[-+0-9.eE_ ]{0,70}") {
        let _ = Decimal::parse(&text);
    }

    #[test]
    fn order_equality_and_hash_are_those_of_the_fraction((a, b) in any_pair()) {
        let order = ratio::from_decimal(a).cmp(&ratio::from_decimal(b));
        prop_assert_eq!(a.cmp(&b), order);
        prop_assert_eq!(a == b, order == Ordering::Equal);
        if a == b {
            prop_assert_eq!(hash_of(a), hash_of(b));
        }
    }

    #[test]
    fn normalizing_keeps_the_number(a in any_decimal()) {
        let n = a.normalized();
        prop_assert_eq!(ratio::from_decimal(a), ratio::from_decimal(n));
        prop_assert!(n.scale() == 0 || n.mantissa() % 10 != 0);
    }

    #[test]
    fn rounding_agrees_with_the_fraction(a in any_decimal(), scale in any::<u8>()) {
        let rounded = a.round_half_even(scale);
        if scale < a.scale() {
            prop_assert_eq!(rounded.scale(), scale);
            let expected = ratio::round_half_even(&ratio::from_decimal(a), scale.into());
            prop_assert_eq!(Some(rounded.mantissa()), expected.units.to_i128());
        } else {
            prop_assert_eq!(rounded.mantissa(), a.mantissa());
        }
    }

    #[test]
    fn arithmetic_agrees_with_the_fraction((a, b) in any_pair()) {
        let (x, y) = (ratio::from_decimal(a), ratio::from_decimal(b));
        if let Some(sum) = a.checked_add(b) {
            prop_assert_eq!(ratio::from_decimal(sum), &x + &y);
        }
        if let Some(difference) = a.checked_sub(b) {
            prop_assert_eq!(ratio::from_decimal(difference), &x - &y);
        }
        if let Some(product) = a.checked_mul(b) {
            prop_assert_eq!(ratio::from_decimal(product), &x * &y);
        }
    }
}

//! Quotes: the worked numbers, which goods are meant, and each reason why there is none.

use std::sync::Arc;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::goods::Described;
use super::measure::{NamedCode, order_bands};
use super::quote::{InRupiah, Step};
use super::*;
use crate::domain::decimal::Decimal;
use crate::domain::rate::Rate;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A rate, its unit, the band that it is in.
type Row<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

fn measure(kind: Kind, product: &str, codes: &[&str], from: &str, to: Option<&str>, rows: &[Row<'_>]) -> Arc<Measure> {
    let bands = rows.iter().enumerate().map(|(at, (rate, unit, low, high))| Band {
        rule: format!("{product}-{}", at + 1),
        low: low.map(decimal),
        low_inclusive: false,
        high: high.map(decimal),
        high_inclusive: true,
        unit: low.or(*high).and_then(|_| PriceUnit::parse("USD/MT")),
        rate: decimal(rate),
        rate_unit: RateUnit::parse(unit).unwrap(),
        legal_basis: "PMK 38/2024 jo. PMK 68/2025 annex B".to_owned(),
        confidence: "two sources".to_owned(),
        source_url: None,
    });
    Arc::new(Measure {
        code: format!("{product}.{from}"),
        kind,
        product: product.to_owned(),
        codes: codes
            .iter()
            .map(|code| NamedCode { code: code.trim_start_matches("ex ").to_owned(), part: code.starts_with("ex ") })
            .collect(),
        valid_from: day(from),
        valid_to: to.map(day),
        bands: order_bands(bands.collect()).unwrap(),
    })
}

/// The rules of the shared file, as far as these tests need them.
fn rules() -> Vec<Arc<Measure>> {
    let cocoa = ["18010010", "18010090"];
    let bands = |rates: [&'static str; 4]| {
        [
            (rates[0], "% of HPE", None, Some("2000")),
            (rates[1], "% of HPE", Some("2000"), Some("2750")),
            (rates[2], "% of HPE", Some("2750"), Some("3500")),
            (rates[3], "% of HPE", Some("3500"), None),
        ]
    };
    let duty = Kind::ExportDuty;
    vec![
        measure(duty, "Cocoa beans", &cocoa, "2023-04-01", Some("2025-10-21"), &bands(["0", "5", "10", "15"])),
        measure(duty, "Cocoa beans", &cocoa, "2025-10-22", None, &bands(["0", "2.5", "5", "7.5"])),
        measure(
            duty,
            "CPO",
            &["15111000"],
            "2022-08-08",
            None,
            &[("52", "USD/MT", Some("830"), Some("880")), ("74", "USD/MT", Some("880"), Some("930"))],
        ),
        measure(duty, "Pine resin", &["ex 13019090"], "2025-10-22", None, &[("25", "% of HPE", None, None)]),
        measure(duty, "Gold dore", &[], "2025-12-23", None, &[("12.5", "% of HPE", None, None)]),
        measure(
            Kind::ExportLevy,
            "Used cooking oil",
            &[],
            "2025-05-17",
            Some("2025-10-21"),
            &[("9.5", "% of CPO reference price", None, None)],
        ),
    ]
}

fn price(product: &str, kind: PublishedKind, unit: &str, amount: &str) -> Arc<Published> {
    Arc::new(Published {
        product: product.to_owned(),
        kind,
        valid_from: day("2026-02-01"),
        valid_to: day("2026-02-28"),
        unit: PriceUnit::parse(unit).unwrap(),
        amount: Some(decimal(amount)),
        rate: None,
        decree: Some("Kepmendag 66/2026".to_owned()),
        legal_basis: None,
        source_url: None,
    })
}

/// What is published for February 2026.
fn february() -> Vec<Arc<Published>> {
    vec![
        price("Cocoa beans", PublishedKind::Reference, "USD/MT", "5717.45"),
        price("Cocoa beans", PublishedKind::Hpe, "USD/MT", "5350"),
        price("CPO", PublishedKind::Reference, "USD/MT", "918.47"),
        price("CPO", PublishedKind::Levy, "USD/MT", "91.8472"),
        price("Gold dore", PublishedKind::Hpe, "USD/troy oz", "4000"),
    ]
}

fn find(code: Option<&str>, product: Option<&str>, on: &str) -> Result<Goods, Unavailable> {
    Goods::find(Described { code, product }, &rules(), day(on))
}

fn assessed(code: Option<&str>, product: Option<&str>, quantity: &str, unit: &str) -> Result<Assessment, Failure> {
    let goods = find(code, product, "2026-02-10")?;
    let quantity = Quantity { amount: decimal(quantity), unit: MassUnit::parse(unit).unwrap() };
    assess(&goods, quantity, day("2026-02-10"), &february())
}

fn paid(assessment: &Assessment, rate: &str, rounding: RupiahRounding) -> InRupiah {
    let rate = Rate::quoted(decimal(rate), 1).unwrap();
    assessment.in_rupiah(&rate, Some("KMK 10/MK/EF.2/2025".to_owned()), day("2025-08-08"), rounding).unwrap()
}

/// The worked numbers of the contract, and others by hand: duty, levy.
#[test]
fn quotes_are_what_one_computes_by_hand() {
    for (code, product, quantity, unit, duty, levy) in [
        // 12.5 × 5350 × 7.5 %
        (Some("18010010"), None, "12.5", "t", "5015.625", None),
        (Some("18010010"), None, "12500", "kg", "5015.625", None),
        (Some("18010010"), None, "0.001", "g", "0.00000040125", None),
        // 100 × 74 and 100 × 91.8472; 10 % of the printed price would be 9184.70.
        (Some("15111000"), None, "100", "MT", "7400", Some("9184.72")),
        // 2 × 4000 × 12.5 %, and 1 kg of gold is 32.15… ounces.
        (None, Some("gold  DORE"), "2", "troy oz", "1000", None),
        (None, Some("Gold dore"), "31.1034768", "g", "500", None),
    ] {
        let assessment = assessed(code, product, quantity, unit).unwrap();
        let paid = paid(&assessment, "16416", RupiahRounding::None);
        assert_eq!(paid.duty_foreign, decimal(duty), "{quantity} {unit} of {code:?} {product:?}");
        assert_eq!(paid.levy_foreign, levy.map(decimal), "{quantity} {unit} of {code:?} {product:?}");
    }
}

/// Every number of a quote can be traced, and the last one is what is paid.
#[test]
fn the_steps_lead_to_the_result() {
    let assessment = assessed(Some("18010010"), None, "12500", "kg").unwrap();
    assert_eq!(assessment.rule.as_deref(), Some("Cocoa beans-4"));
    let paid = paid(&assessment, "16416.00", RupiahRounding::None);
    let line = |step: &Step| format!("{}: {} = {} {}", step.label, step.formula, step.value, step.unit);
    assert_eq!(
        paid.steps.iter().map(line).collect::<Vec<_>>(),
        [
            "Reference price: published for 2026-02-01 to 2026-02-28 = 5717.45 USD/t",
            "Export price (HPE): published for 2026-02-01 to 2026-02-28 = 5350 USD/t",
            "Quantity: 12500 kg in t = 12.5 t",
            "Export duty: 12.5 t × 5350 USD/t × 7.5 % = 5015.625 USD",
            "Tax rate: in force on 2025-08-08 = 16416 IDR/USD",
            "Export duty in rupiah: 5015.625 USD × 16416 = 82336500 IDR",
        ]
    );
    assert_eq!((paid.total, paid.levy), (decimal("82336500"), None));
    assert!(paid.assumptions.iter().any(|text| text.contains("No levy")), "{:?}", paid.assumptions);
    assert!(paid.assumptions.iter().any(|text| text.contains("two sources")), "{:?}", paid.assumptions);
    assert!(paid.assumptions.iter().any(|text| text.contains("not rounded")), "{:?}", paid.assumptions);
}

/// The sum is of what is paid: each part is rounded, then they are added.
#[test]
fn rounding_to_whole_rupiah_is_a_choice() {
    let assessment = assessed(Some("15111000"), None, "1.5", "t").unwrap();
    // 111 USD and 137.7708 USD at 0.5 + 0.00390625 rupiah.
    for (rounding, duty, levy, total) in [
        (RupiahRounding::None, "55.93359375", "69.4235671875", "125.3571609375"),
        (RupiahRounding::Nearest, "56", "69", "125"),
        (RupiahRounding::Up, "56", "70", "126"),
        (RupiahRounding::Down, "55", "69", "124"),
    ] {
        let paid = paid(&assessment, "0.50390625", rounding);
        let found = (paid.duty, paid.levy, paid.total);
        assert_eq!(found, (decimal(duty), Some(decimal(levy)), decimal(total)), "{rounding}");
    }
}

/// What cannot be quoted says why, and what would help.
#[test]
fn every_lack_has_its_reason() {
    use Reason::{AmbiguousCode, NoReferencePrice, NotDutiable, RuleNotHeld};
    let reason = |code, product, on: &str| find(code, product, on).map(drop).map_err(|found| found.reason);
    for (code, product, on, expected) in [
        (Some("18010010"), None, "2026-02-10", Ok(())),
        // The first and the last day of a rule, and those around them.
        (Some("18010010"), None, "2025-10-21", Ok(())),
        (Some("18010010"), None, "2025-10-22", Ok(())),
        (Some("18010010"), None, "2023-04-01", Ok(())),
        (Some("18010010"), None, "2023-03-31", Err(RuleNotHeld)),
        (Some("15111000"), None, "1999-01-01", Err(RuleNotHeld)),
        (Some("090111"), None, "2026-02-10", Err(NotDutiable)),
        (Some("1801"), None, "2026-02-10", Err(AmbiguousCode)),
        (Some("18"), Some("Cocoa beans"), "2026-02-10", Err(AmbiguousCode)),
        (Some("18010010"), Some("cocoa BEANS"), "2026-02-10", Ok(())),
        (Some("18010010"), Some("Gold dore"), "2026-02-10", Err(AmbiguousCode)),
        (Some("13019090"), None, "2026-02-10", Err(AmbiguousCode)),
        (Some("13019090"), Some("Pine resin"), "2026-02-10", Ok(())),
        (Some("13019010"), Some("Pine resin"), "2026-02-10", Err(AmbiguousCode)),
        (Some("71081210"), Some("Gold dore"), "2026-02-10", Ok(())),
        (None, Some("Gold dore"), "2025-12-22", Err(RuleNotHeld)),
        (None, Some("Gold dust"), "2026-02-10", Ok(())),
    ] {
        assert_eq!(reason(code, product, on), expected, "{code:?} {product:?} on {on}");
    }
    let broad = find(Some("1801"), None, "2026-02-10").unwrap_err();
    assert_eq!(broad.codes, ["18010010", "18010090"]);
    assert_eq!(find(Some("13019090"), None, "2026-02-10").unwrap_err().products, ["Pine resin"]);
    let lack = |code, product| match assessed(code, product, "1", "t") {
        Err(Failure::Unavailable(found)) => found.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(lack(Some("13019090"), Some("Pine resin")), NoReferencePrice);
    assert_eq!(lack(None, Some("Gold dust")), RuleNotHeld);
    // 52 USD up to 880 and 74 USD up to 930: nothing is held above.
    let goods = find(Some("15111000"), None, "2026-02-10").unwrap();
    let one = Quantity { amount: Decimal::ONE, unit: MassUnit::Tonne };
    for (amount, expected) in [("880", Some("52")), ("880.03", Some("74")), ("930", Some("74")), ("930.01", None)] {
        let prices = [price("CPO", PublishedKind::Reference, "USD/MT", amount)];
        let found = assess(&goods, one, day("2026-02-10"), &prices);
        match expected {
            Some(duty) => assert_eq!(paid(&found.unwrap(), "1", RupiahRounding::None).duty_foreign, decimal(duty)),
            None => assert!(matches!(found, Err(Failure::Unavailable(lack)) if lack.reason == RuleNotHeld), "{amount}"),
        }
    }
    let in_euro = [price("CPO", PublishedKind::Reference, "EUR/MT", "900")];
    let found = assess(&goods, one, day("2026-02-10"), &in_euro);
    assert!(matches!(found, Err(Failure::Unavailable(lack)) if lack.reason == Reason::UnitMismatch));
}

/// A reference price is per kilogram in one file and per tonne in another: the band is the same.
#[test]
fn prices_are_compared_in_the_unit_of_the_band() {
    let goods = find(Some("15111000"), None, "2026-02-10").unwrap();
    let one = Quantity { amount: Decimal::ONE, unit: MassUnit::Tonne };
    let prices = [price("CPO", PublishedKind::Reference, "USD/kg", "0.88")];
    let found = assess(&goods, one, day("2026-02-10"), &prices).unwrap();
    assert_eq!(found.rule.as_deref(), Some("CPO-1"), "0.88 per kg is 880 per tonne, the upper edge of the band");
}

proptest! {
    /// A duty is proportional to the quantity, whatever it is written in.
    #[test]
    fn a_duty_is_the_same_in_every_unit(grams in 1_i128..1_000_000_000_000) {
        let of = |amount: Decimal, unit| {
            let goods = find(Some("18010010"), None, "2026-02-10").unwrap();
            assess(&goods, Quantity { amount, unit }, day("2026-02-10"), &february()).unwrap().duty
        };
        let in_grams = of(Decimal::new(grams, 0), MassUnit::Gram);
        prop_assert_eq!(&in_grams, &of(Decimal::new(grams, 3), MassUnit::Kilogram));
        prop_assert_eq!(&in_grams, &of(Decimal::new(grams, 6), MassUnit::Tonne));
    }
}

//! What a quote of export duty costs the processor once its rules, prices and rate are loaded.

#![allow(missing_docs, reason = "a benchmark's name says what it measures")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::hint::black_box;
use std::sync::Arc;

use chrono::NaiveDate;
use criterion::{Criterion, criterion_group, criterion_main};
use dermaga_api::domain::decimal::Decimal;
use dermaga_api::domain::duty::goods::Described;
use dermaga_api::domain::duty::measure::NamedCode;
use dermaga_api::domain::duty::{
    Band, Goods, Kind, MassUnit, Measure, PriceUnit, Published, PublishedKind, Quantity, RateUnit, RupiahRounding,
    assess,
};
use dermaga_api::domain::rate::Rate;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Cocoa beans since October 2025.
fn cocoa() -> Arc<Measure> {
    let edges = [
        (None, Some("2000"), "0"),
        (Some("2000"), Some("2750"), "2.5"),
        (Some("2750"), Some("3500"), "5"),
        (Some("3500"), None, "7.5"),
    ];
    let band = |(low, high, rate): (Option<&str>, Option<&str>, &str)| Band {
        rule: format!("COCOA-{rate}"),
        low: low.map(decimal),
        low_inclusive: false,
        high: high.map(decimal),
        high_inclusive: true,
        unit: PriceUnit::parse("USD/MT"),
        rate: decimal(rate),
        rate_unit: RateUnit::PercentOfHpe,
        legal_basis: "PMK 38/2024 jo. PMK 68/2025 annex B".to_owned(),
        confidence: "two sources".to_owned(),
        source_url: None,
    };
    Arc::new(Measure {
        code: "duty.cocoa-beans.2025-10-22".to_owned(),
        kind: Kind::ExportDuty,
        product: "Cocoa beans".to_owned(),
        codes: ["18010010", "18010090"].map(|code| NamedCode { code: code.to_owned(), part: false }).to_vec(),
        valid_from: day("2025-10-22"),
        valid_to: None,
        bands: edges.map(band).to_vec(),
    })
}

fn published(kind: PublishedKind, amount: &str) -> Arc<Published> {
    Arc::new(Published {
        product: "Cocoa beans".to_owned(),
        kind,
        valid_from: day("2026-02-01"),
        valid_to: day("2026-02-28"),
        unit: PriceUnit::parse("USD/MT").unwrap(),
        amount: Some(decimal(amount)),
        rate: None,
        decree: Some("Kepmendag 66/2026".to_owned()),
        legal_basis: None,
        source_url: None,
    })
}

fn quotes(criterion: &mut Criterion) {
    let measures = [cocoa()];
    let prices = [published(PublishedKind::Reference, "5717.45"), published(PublishedKind::Hpe, "5350")];
    let rate = Rate::quoted(decimal("16416.00"), 1).unwrap();
    let (filing, payment) = (day("2026-02-10"), day("2026-02-12"));
    criterion.bench_function("duty: one quote, computed", |bench| {
        bench.iter(|| {
            let described = Described { code: Some(black_box("18010010")), product: None };
            let goods = Goods::find(described, &measures, filing).unwrap();
            let quantity = Quantity { amount: black_box(decimal("12.5")), unit: MassUnit::Tonne };
            let assessment = assess(&goods, quantity, filing, &prices).unwrap();
            assessment.in_rupiah(&rate, Some("KMK 10/MK/EF.2/2025".to_owned()), payment, RupiahRounding::None).unwrap()
        });
    });
}

criterion_group!(benches, quotes);
criterion_main!(benches);

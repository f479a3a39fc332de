//! What amounts cost the processor: read, written, converted, and split into installments.
//!
//!     cargo bench --profile client -p dermaga-api --bench money

#![allow(missing_docs, reason = "a benchmark's name says what it measures")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dermaga_api::domain::currency::Currency;
use dermaga_api::domain::decimal::Decimal;
use dermaga_api::domain::money::Money;
use dermaga_api::domain::plan::{EvenTerms, PlanTerms, plan};
use dermaga_api::domain::rate::Rate;
use entity::installment_plan::{Frequency, Remainder};

fn amounts(criterion: &mut Criterion) {
    let (usd, idr) = (Currency::usd(), Currency::idr());
    let mut group = criterion.benchmark_group("amounts");
    group.bench_function("read", |bench| {
        bench.iter(|| Money::from_decimal(Decimal::parse(black_box("33333333.50")).unwrap(), idr).unwrap());
    });
    // The last does not fit in 64 bits, as no amount in a row does.
    for (name, minor) in [("cents", 5_i128), ("rupiah", 3_333_333_350), ("of 22 digits", i128::from(i64::MAX) * 1_000)]
    {
        let mut text = String::with_capacity(64);
        group.bench_with_input(BenchmarkId::new("written", name), &minor, |bench, minor| {
            bench.iter(|| {
                text.clear();
                write!(text, "{}", Money::new(black_box(*minor), idr).amount()).unwrap();
            });
        });
    }
    group.bench_function("for a reader", |bench| {
        bench.iter(|| Money::new(black_box(3_333_333_350), idr).formatted("id-ID"));
    });
    let rate = Rate::quoted(Decimal::parse("16416.00").unwrap(), 1).unwrap();
    group.bench_function("converted", |bench| {
        bench.iter(|| rate.convert(Money::new(black_box(123_450), usd), idr).unwrap());
    });
    group.finish();
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plans");
    for count in [12, 360] {
        let terms = PlanTerms::Even(EvenTerms {
            count,
            first_due_date: "2026-01-31".parse().unwrap(),
            frequency: Frequency::Monthly,
            deposit: None,
            remainder: Remainder::Last,
            rounding_unit: None,
        });
        let amount = Money::new(100_000_000_000, Currency::idr());
        group.bench_with_input(BenchmarkId::new("even", count), &terms, |bench, terms| {
            bench.iter(|| plan(amount, black_box(terms)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, amounts, plans);
criterion_main!(benches);

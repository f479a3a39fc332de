use proptest::prelude::*;

use super::*;
use crate::domain::rejection::Reason;

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

fn money(amount: &str, code: &str) -> Money {
    Money::from_decimal(decimal(amount), currency(code)).unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Monthly from 31 January, with the defaults of everything else.
fn even(count: i32) -> EvenTerms {
    EvenTerms {
        count,
        first_due_date: day("2026-01-31"),
        frequency: Frequency::Monthly,
        deposit: None,
        remainder: Remainder::Last,
        rounding_unit: None,
    }
}

/// Shares that fall due month after month.
fn percentages(percents: &[&str]) -> PlanTerms {
    let part = |(percent, at): (&&str, u32)| PercentPart {
        percent: decimal(percent),
        due_date: due_date(day("2026-01-31"), Frequency::Monthly, at).unwrap().day,
    };
    PlanTerms::Percentages(percents.iter().zip(0..).map(part).collect())
}

fn explicit_part(amount: &str, due: &str) -> ExplicitPart {
    ExplicitPart { amount: decimal(amount), due_date: day(due), kind: Kind::Installment }
}

/// The amounts of a plan, in major units.
fn amounts(plan: &Plan, code: &str) -> Vec<String> {
    let text = |part: &PlannedPart| Money::new(part.amount.into(), currency(code)).amount().normalized().to_string();
    plan.parts.iter().map(text).collect()
}

/// The paths of what is wrong; none for a plan.
fn refused(amount: Money, terms: &PlanTerms) -> Vec<String> {
    let rejected = plan(amount, terms).err().unwrap_or_default();
    rejected.iter().map(|rejection| rejection.field.join(".")).collect()
}

/// The table of the rules, and what follows from it.
#[test]
fn amounts_are_split_as_the_rules_say() {
    use Remainder::{First, Last, Spread};
    for (amount, code, count, unit, remainder, expected) in [
        ("100000000", "JPY", 3, None, Last, "33333333 33333333 33333334"),
        ("100000000", "IDR", 3, None, Last, "33333333 33333333 33333334"),
        ("100000000", "IDR", 3, Some("1000"), Last, "33333000 33333000 33334000"),
        ("100000000", "IDR", 3, None, First, "33333334 33333333 33333333"),
        ("999", "JPY", 7, Some("100"), Spread, "200 200 100 100 100 100 199"),
        ("900", "JPY", 3, Some("100"), Spread, "300 300 300"),
        // Too little for a unit each, and still something for everybody.
        ("250", "JPY", 3, Some("100"), Spread, "100 100 50"),
        // Nobody settles sen, but what is owed is owed.
        ("1000000.50", "IDR", 3, None, Last, "333333 333333 333334.5"),
        ("1000000.50", "IDR", 3, None, First, "333334.5 333333 333333"),
        ("1000001.50", "IDR", 3, None, Spread, "333334 333334 333333.5"),
        ("100", "USD", 3, None, Last, "33.33 33.33 33.34"),
        ("100", "USD", 3, Some("0.05"), Last, "33.3 33.3 33.4"),
        ("5", "JPY", 1, Some("1000"), Last, "5"),
        ("3", "JPY", 3, None, Last, "1 1 1"),
    ] {
        let rounding_unit = unit.map(decimal);
        let terms = PlanTerms::Even(EvenTerms { remainder, rounding_unit, ..even(count) });
        let plan = plan(money(amount, code), &terms).unwrap();
        assert_eq!(amounts(&plan, code).join(" "), expected, "{code} {amount} / {count}");
        assert_eq!((plan.frequency, plan.remainder), (Frequency::Monthly, Some(remainder)));
    }
}

/// A share is rounded where it ends, and not by itself: what is lost in one is in the next.
#[test]
fn percentages_are_rounded_as_the_rules_say() {
    for (amount, code, percents, expected) in [
        ("1000001", "IDR", &["33.33", "33.33", "33.34"][..], "333300 333301 333400"),
        ("100", "USD", &["50", "50"], "50 50"),
        ("0.05", "USD", &["50", "50"], "0.02 0.03"),
        ("0.07", "USD", &["50", "50.000"], "0.04 0.03"),
        // The running total is 7.5 and then 12.5: one tie goes up and one down, each to the even neighbour.
        ("20", "JPY", &["37.5", "25", "37.5"], "8 4 8"),
        ("100000.55", "IDR", &["50", "50"], "50000.28 50000.27"),
        ("1", "IDR", &["100"], "1"),
    ] {
        let plan = plan(money(amount, code), &percentages(percents)).unwrap();
        assert_eq!(amounts(&plan, code).join(" "), expected, "{code} {amount}");
        assert_eq!((plan.frequency, plan.remainder), (Frequency::Custom, None));
    }
}

/// The 31st is the end of each month, and comes back where there is one.
#[test]
fn month_ends_clamp_from_the_first_date() {
    let dates = |first: &str, frequency, count: u32| -> Vec<String> {
        let due = |at| due_date(day(first), frequency, at).unwrap();
        (0..count)
            .map(due)
            .map(|due| format!("{}{}", due.day, if due.clamped_to_month_end { "*" } else { "" }))
            .collect()
    };
    assert_eq!(dates("2026-01-31", Frequency::Monthly, 4), ["2026-01-31", "2026-02-28*", "2026-03-31", "2026-04-30*"]);
    assert_eq!(dates("2028-01-30", Frequency::Monthly, 3), ["2028-01-30", "2028-02-29*", "2028-03-30"]);
    assert_eq!(dates("2025-11-30", Frequency::Quarterly, 3), ["2025-11-30", "2026-02-28*", "2026-05-30"]);
    assert_eq!(dates("2026-02-28", Frequency::Monthly, 2), ["2026-02-28", "2026-03-28"]);
    assert_eq!(dates("2026-01-31", Frequency::Weekly, 3), ["2026-01-31", "2026-02-07", "2026-02-14"]);
    assert_eq!(dates("2026-01-31", Frequency::Biweekly, 2), ["2026-01-31", "2026-02-14"]);
    assert_eq!(due_date(day("2026-01-31"), Frequency::Custom, 1), None);
    for frequency in [Frequency::Weekly, Frequency::Biweekly, Frequency::Monthly, Frequency::Quarterly] {
        assert_eq!(due_date(NaiveDate::MAX, frequency, u32::MAX), None);
    }
}

/// A deposit is one of the parts, due first; the rest is split as if it were the amount.
#[test]
fn a_deposit_comes_first() {
    let terms = EvenTerms { deposit: Some(decimal("300000.50")), ..even(3) };
    let plan = plan(money("1000000", "IDR"), &PlanTerms::Even(terms)).unwrap();
    assert_eq!(amounts(&plan, "IDR"), ["300000.5", "233333", "233333", "233333.5"]);
    let kinds: Vec<_> = plan.parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [Kind::Deposit, Kind::Installment, Kind::Installment, Kind::Installment]);
    let dates = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"].map(day);
    assert_eq!(plan.parts.iter().map(|part| part.due_date).collect::<Vec<_>>(), dates);
    let clamped: Vec<_> = plan.parts.iter().map(|part| part.clamped_to_month_end).collect();
    assert_eq!(clamped, [false, true, false, true]);
    assert_eq!(plan.parts.iter().map(|part| part.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(plan.largest_difference(), 50);
}

/// Amounts that were agreed are taken as they are, in the order in which they fall due.
#[test]
fn explicit_parts_are_sorted_by_date() {
    let balance = ExplicitPart { kind: Kind::Balance, ..explicit_part("50", "2026-03-01") };
    let parts = vec![
        balance,
        explicit_part("30", "2026-02-01"),
        explicit_part("20", "2026-01-01"),
        explicit_part("10.50", "2026-02-01"),
    ];
    let plan = plan(money("110.50", "IDR"), &PlanTerms::Explicit(parts)).unwrap();
    assert_eq!(amounts(&plan, "IDR"), ["20", "30", "10.5", "50"]);
    assert_eq!(plan.parts.iter().map(|part| part.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(plan.parts[3].kind, Kind::Balance);
    assert_eq!((plan.frequency, plan.remainder, plan.rounding_unit), (Frequency::Custom, None, 1));
    assert_eq!(plan.largest_difference(), 1_950);
}

/// A form shows all its mistakes at once, each beside its field.
#[test]
fn all_that_is_wrong_is_told_at_once() {
    let first_due_date = day("1969-12-31");
    for (terms, paths) in [
        (even(0), vec!["even.count"]),
        (even(-1), vec!["even.count"]),
        (even(1_001), vec!["even.count"]),
        (EvenTerms { frequency: Frequency::Custom, ..even(2) }, vec!["even.frequency"]),
        (EvenTerms { frequency: Frequency::Custom, deposit: Some(decimal("1")), ..even(1) }, vec!["even.frequency"]),
        (EvenTerms { deposit: Some(decimal("0")), ..even(2) }, vec!["even.deposit"]),
        (EvenTerms { deposit: Some(decimal("-1")), ..even(2) }, vec!["even.deposit"]),
        (EvenTerms { deposit: Some(decimal("0.001")), ..even(2) }, vec!["even.deposit"]),
        (EvenTerms { deposit: Some(decimal("1000000")), ..even(2) }, vec!["even.deposit"]),
        (EvenTerms { deposit: Some(decimal("99999999999999999999")), ..even(2) }, vec!["even.deposit"]),
        (EvenTerms { deposit: Some(decimal("999999")), ..even(2) }, vec!["even.count"]),
        (EvenTerms { rounding_unit: Some(decimal("0")), ..even(2) }, vec!["even.roundingUnit"]),
        (EvenTerms { rounding_unit: Some(decimal("-100")), ..even(2) }, vec!["even.roundingUnit"]),
        (EvenTerms { rounding_unit: Some(decimal("0.005")), ..even(2) }, vec!["even.roundingUnit"]),
        (EvenTerms { rounding_unit: Some(decimal("99999999999999999999")), ..even(2) }, vec!["even.roundingUnit"]),
        (EvenTerms { rounding_unit: Some(decimal("600000")), ..even(2) }, vec!["even.count"]),
        (EvenTerms { first_due_date, ..even(2) }, vec!["even.firstDueDate"]),
        (EvenTerms { first_due_date: NaiveDate::MAX, ..even(2) }, vec!["even.firstDueDate"]),
        (EvenTerms { first_due_date: day("2200-12-31"), ..even(1) }, vec![]),
        (EvenTerms { first_due_date: day("2200-12-31"), ..even(2) }, vec!["even.count"]),
        (EvenTerms { frequency: Frequency::Quarterly, ..even(1_000) }, vec!["even.count"]),
        (
            EvenTerms {
                deposit: Some(decimal("0")),
                rounding_unit: Some(decimal("0")),
                first_due_date,
                frequency: Frequency::Custom,
                ..even(0)
            },
            vec!["even.count", "even.deposit", "even.roundingUnit", "even.firstDueDate"],
        ),
    ] {
        assert_eq!(refused(money("1000000", "IDR"), &PlanTerms::Even(terms)), paths, "{terms:?}");
    }
}

/// Shares that are not the whole are no plan, however near they come.
#[test]
fn percentages_must_be_the_whole() {
    let items = "percentages.items";
    for (percents, paths) in [
        (&["99.99"][..], vec![items.to_owned()]),
        (&["50", "50.000000000001"], vec![items.to_owned()]),
        (&["50", "0", "50"], vec![format!("{items}.1.percent")]),
        (&["105", "-5"], vec![format!("{items}.1.percent")]),
        (&["99999999999999999999", "1"], vec![items.to_owned()]),
        (&["0", "-1"], vec![format!("{items}.0.percent"), format!("{items}.1.percent"), items.to_owned()]),
        (&[], vec![items.to_owned()]),
        (&["0.1"; 1_001], vec![items.to_owned()]),
        // A thousandth of it is not even a rupiah.
        (&["99.999", "0.001"], vec![format!("{items}.1.percent")]),
    ] {
        assert_eq!(refused(money("100", "IDR"), &percentages(percents)), paths, "{percents:.3?}");
    }
    assert_eq!(plan(money("1000000", "IDR"), &percentages(&["0.1"; 1_000])).unwrap().parts.len(), 1_000);
    let message = plan(money("100", "IDR"), &percentages(&["99.9900"])).unwrap_err().remove(0).message;
    assert_eq!(message, "the percentages add up to 99.99, and must add up to 100");
    // Only a computed number has so many digits.
    let part = PercentPart { percent: Decimal::new(100, 255), due_date: day("2300-01-01") };
    let found = refused(money("100", "IDR"), &PlanTerms::Percentages(vec![part]));
    assert_eq!(found, [format!("{items}.0.percent"), format!("{items}.0.dueDate")]);
}

/// Amounts that do not add up are told with both sums; those that cannot be read are told first.
#[test]
fn explicit_parts_must_add_up() {
    let parts = |parts: &[(&str, &str)]| {
        PlanTerms::Explicit(parts.iter().map(|(amount, due)| explicit_part(amount, due)).collect())
    };
    let rejected =
        plan(money("100", "USD"), &parts(&[("60", "2026-01-01"), ("40.01", "2026-02-01")])).unwrap_err().remove(0);
    assert_eq!(rejected.field, ["explicit"]);
    assert_eq!(rejected.message, "the amounts add up to 100.01 USD, and must add up to 100.00 USD");
    let (expected, actual) = (Box::new(money("100", "USD")), Box::new(money("100.01", "USD")));
    assert_eq!(rejected.reason, Reason::PlanSumMismatch { expected, actual });

    let wrong = parts(&[("0", "2026-01-01"), ("0.001", "1900-01-01"), ("-5", "2026-02-01"), ("100", "2026-01-01")]);
    let paths = ["explicit.0.amount", "explicit.1.dueDate", "explicit.1.amount", "explicit.2.amount"];
    assert_eq!(refused(money("100", "USD"), &wrong), paths);
    assert_eq!(refused(money("100", "USD"), &parts(&[])), ["explicit"]);
    assert_eq!(refused(money("100", "USD"), &parts(&[("0.1", "2026-01-01"); 1_001])), ["explicit"]);
    assert_eq!(refused(money("100", "USD"), &parts(&[("0", "2026-01-01"); 1_000])).len(), MAX_REJECTIONS);
}

/// No amount makes it panic, however large it is.
#[test]
fn amounts_at_the_edge_are_split_or_refused() {
    let idr = Currency::idr();
    let largest = Money::new(i64::MAX.into(), idr);
    for remainder in [Remainder::Last, Remainder::First, Remainder::Spread] {
        for unit in [None, Some("0.01"), Some("92233720368547758.07"), Some("92233720368547758")] {
            for count in [1, 2, 7, 1_000] {
                let first_due_date = day("2026-01-01");
                let rounding_unit = unit.map(decimal);
                let terms = EvenTerms { remainder, rounding_unit, first_due_date, ..even(count) };
                if let Ok(plan) = plan(largest, &PlanTerms::Even(terms)) {
                    assert_eq!(plan.parts.iter().map(|part| i128::from(part.amount)).sum::<i128>(), largest.minor);
                }
            }
        }
    }
    let plan_of_largest =
        plan(largest, &percentages(&["33.333333333333", "66.666666666666", "0.000000000001"])).unwrap();
    assert_eq!(plan_of_largest.parts.iter().map(|part| part.amount).sum::<i64>(), i64::MAX);
    for minor in [i128::from(i64::MAX) + 1, i128::MAX, i128::MIN, -1, 0] {
        let huge = explicit_part("99999999999999999999", "2026-01-01");
        for terms in [PlanTerms::Even(even(2)), percentages(&["100"]), PlanTerms::Explicit(vec![huge; 1_000])] {
            let rejected = plan(Money::new(minor, idr), &terms).unwrap_err();
            assert!(rejected.iter().any(|rejection| rejection.field.is_empty()), "{minor} {rejected:?}");
        }
    }
    let computed = ExplicitPart { amount: Decimal::new(i128::MAX, 2), ..explicit_part("1", "2026-01-01") };
    assert_eq!(refused(largest, &PlanTerms::Explicit(vec![computed; 3])), ["explicit"]);
}

fn any_amount() -> impl Strategy<Value = i64> {
    prop_oneof![1..=10_000_i64, 1..=1_000_000_000_000_i64, 1..=i64::MAX, i64::MAX - 1_000..=i64::MAX]
}

fn any_currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec!["IDR", "JPY", "USD", "BHD", "CLF"]).prop_map(currency)
}

fn any_remainder() -> impl Strategy<Value = Remainder> {
    prop::sample::select(vec![Remainder::Last, Remainder::First, Remainder::Spread])
}

fn any_frequency() -> impl Strategy<Value = Frequency> {
    use Frequency::{Biweekly, Custom, Monthly, Quarterly, Weekly};
    prop::sample::select(vec![Weekly, Biweekly, Monthly, Quarterly, Custom])
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    let common = (-10..=20_000_i64)
        .prop_map(|days| NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::TimeDelta::days(days));
    prop_oneof![9 => common, 1 => Just(NaiveDate::MAX), 1 => Just(NaiveDate::MIN)]
}

/// Shares of hundredths of millionths that add up to 100.
fn any_shares() -> impl Strategy<Value = Vec<Decimal>> {
    prop::collection::btree_set(1..100_000_000_i128, 0..40).prop_map(|cuts| {
        let ends = cuts.iter().copied().chain([100_000_000]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        ends.zip(starts).map(|(end, start)| Decimal::new(end - start, 6)).collect()
    })
}

/// What holds of every plan.
fn check_plan(plan: &Plan, amount: i64) -> Result<(), TestCaseError> {
    prop_assert_eq!(plan.parts.iter().map(|part| i128::from(part.amount)).sum::<i128>(), i128::from(amount));
    prop_assert!(plan.parts.iter().all(|part| part.amount > 0));
    prop_assert!(plan.parts.is_sorted_by_key(|part| part.due_date));
    prop_assert!(plan.parts.iter().zip(1..).all(|(part, sequence)| part.sequence == sequence));
    prop_assert!(plan.parts.iter().all(|part| dates::is_sensible(part.due_date)));
    Ok(())
}

proptest! {
    #[test]
    fn even_plans_keep_their_rules(
        amount in any_amount(), currency in any_currency(), count in -1..=1_001_i32, few in 1..=24_i32,
        pick_few in any::<bool>(), first_due_date in any_day(), frequency in any_frequency(),
        deposit in prop::option::of(0..=1_000_000_i128), remainder in any_remainder(),
        unit in prop::option::of(prop_oneof![0..=10_000_i128, any::<i64>().prop_map(i128::from)]),
    ) {
        let count = if pick_few { few } else { count };
        let scale = currency.minor_units();
        let terms = EvenTerms {
            count,
            first_due_date,
            frequency,
            deposit: deposit.map(|minor| Decimal::new(minor, scale)),
            remainder,
            rounding_unit: unit.map(|minor| Decimal::new(minor, scale)),
        };
        match plan(Money::new(amount.into(), currency), &PlanTerms::Even(terms)) {
            Err(rejected) => {
                prop_assert!(!rejected.is_empty());
                prop_assert!(rejected.iter().all(|rejection| rejection.field[0] == "even"), "{:?}", rejected);
            }
            Ok(plan) => {
                check_plan(&plan, amount)?;
                prop_assert_eq!(plan.parts[0].due_date, first_due_date);
                let regular: Vec<_> =
                    plan.parts.iter().filter(|part| part.kind == Kind::Installment).map(|part| part.amount).collect();
                prop_assert_eq!(i32::try_from(regular.len()), Ok(count));
                prop_assert_eq!(plan.parts.len() - regular.len(), usize::from(deposit.is_some()));
                let bearer = if remainder == Remainder::First { 0 } else { regular.len() - 1 };
                let others: Vec<_> =
                    regular.iter().enumerate().filter(|(at, _)| *at != bearer).map(|(_, amount)| *amount).collect();
                prop_assert!(others.iter().all(|amount| amount % plan.rounding_unit == 0));
                if let (Some(least), Some(most)) = (others.iter().min(), others.iter().max()) {
                    let allowed = if remainder == Remainder::Spread { plan.rounding_unit } else { 0 };
                    prop_assert!(most - least <= allowed);
                    // What the rest bears is at least a part, and less than a unit for each.
                    if remainder != Remainder::Spread {
                        prop_assert!(regular[bearer] >= *least);
                        let units = i128::from(regular[bearer] - least) / i128::from(plan.rounding_unit);
                        prop_assert!(units < i128::from(count));
                    }
                }
            }
        }
    }

    #[test]
    fn percentages_keep_their_rules(
        amount in any_amount(), currency in any_currency(), shares in any_shares(), days in prop::collection::vec(any_day(), 40),
    ) {
        let parts: Vec<_> =
            shares.iter().zip(&days).map(|(percent, day)| PercentPart { percent: *percent, due_date: *day }).collect();
        match plan(Money::new(amount.into(), currency), &PlanTerms::Percentages(parts.clone())) {
            Err(rejected) => prop_assert!(rejected.iter().all(|rejection| rejection.field[..2] == ["percentages", "items"])),
            Ok(plan) => {
                check_plan(&plan, amount)?;
                let mut parts = parts;
                parts.sort_by_key(|part| part.due_date);
                let (mut exact, mut sum) = (0_i128, 0_i128);
                for (part, planned) in parts.iter().zip(&plan.parts) {
                    prop_assert_eq!(part.due_date, planned.due_date);
                    // In hundredths of millionths of a minor unit, where half a unit is 50,000,000.
                    exact += i128::from(amount) * part.percent.mantissa();
                    sum += i128::from(planned.amount);
                    let off = (sum * 100_000_000 - exact).abs();
                    prop_assert!(off <= i128::from(plan.rounding_unit) * 50_000_000, "{}", off);
                    prop_assert_eq!(planned.amount % plan.rounding_unit, 0);
                }
            }
        }
    }

    #[test]
    fn explicit_parts_keep_their_rules(
        minors in prop::collection::vec(-1..=1_000_000_000_i64, 1..20), currency in any_currency(),
        days in prop::collection::vec(any_day(), 20), off in prop::sample::select(vec![0_i64, 0, 0, 1, -1]),
    ) {
        let amount = minors.iter().sum::<i64>() + off;
        let part = |(minor, day): (&i64, &NaiveDate)| ExplicitPart {
            amount: Decimal::new((*minor).into(), currency.minor_units()),
            due_date: *day,
            kind: Kind::Installment,
        };
        let terms = PlanTerms::Explicit(minors.iter().zip(&days).map(part).collect());
        match plan(Money::new(amount.into(), currency), &terms) {
            Ok(plan) => {
                prop_assert_eq!(off, 0);
                check_plan(&plan, amount)?;
                let sorted = |mut amounts: Vec<i64>| { amounts.sort_unstable(); amounts };
                prop_assert_eq!(sorted(plan.parts.iter().map(|part| part.amount).collect()), sorted(minors));
            }
            Err(rejected) => {
                let mismatch = rejected.iter().any(|rejection| matches!(rejection.reason, Reason::PlanSumMismatch { .. }));
                prop_assert_eq!(mismatch, off != 0 && amount > 0 && minors.iter().all(|minor| *minor > 0));
            }
        }
    }
}

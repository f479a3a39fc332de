//! Every payment of the demo obeys the rules that the server enforces on real ones.

use std::collections::HashSet;

use chrono::{SubsecRound, TimeDelta};
use entity::installment::{Kind, Status as PartStatus};
use entity::installment_plan::Frequency;
use entity::payment::Status;
use entity::{allocation, installment, receipt};
use proptest::prelude::*;
use uuid::Uuid;

use super::super::currencies;
use super::super::load::ACCOUNT_ID;
use super::*;
use crate::domain::decimal::Decimal;
use crate::domain::ledger::check;
use crate::domain::plan::{due_date, split};

fn generator() -> Generator {
    Generator::new(1, ACCOUNT_ID)
}

/// The first payments of seed 1.
fn sample(count: u64) -> Vec<PaymentRows> {
    let generator = generator();
    (0..count).map(|n| generator.payment(n)).collect()
}

fn in_microseconds(at: DateTime<Utc>) -> bool {
    at == at.trunc_subsecs(6)
}

fn millis(id: Uuid) -> u128 {
    assert_eq!(id.get_version_num(), 7);
    id.as_u128() >> 80
}

fn at_millis(at: DateTime<Utc>) -> u128 {
    u128::try_from(at.timestamp_millis()).unwrap()
}

/// The rules of every payment, and the few of the demo's own about money.
fn check_amounts(demo: &PaymentRows) {
    assert_eq!(check::faults(demo), [], "{}", demo.payment.reference);
    let payment = &demo.payment;
    for part in demo.installments.iter().filter(|part| part.status == PartStatus::Paid && part.amount > 0) {
        // Settled by the last receipt that is on it, or closed by a new plan at what it held.
        let on_it = demo.allocations.iter().filter(|allocation| allocation.installment_id == part.id);
        let last = on_it.map(|allocation| receipt_of(demo, allocation).received_at).max();
        assert!(part.settled_at == last || part.amount < part.planned_amount);
    }
    for receipt in &demo.receipts {
        assert!(receipt.reversed_at.is_none_or(|at| at > receipt.created_at && at <= payment.updated_at));
        assert!(payment.created_at < receipt.received_at && receipt.received_at <= receipt.created_at);
        assert!(receipt.method != "QRIS" || receipt.currency == "IDR" && receipt.amount <= 1_000_000_000);
        assert!(["BANK_TRANSFER", "LETTER_OF_CREDIT", "CARD", "QRIS"].contains(&receipt.method.as_str()));
        assert_eq!(receipt.fx_rate.is_none(), receipt.currency == "IDR");
    }
    // What falls due first is paid first, unless a reversal or a waiver changed what was outstanding since.
    if payment.waived == 0 && demo.receipts.iter().all(|receipt| receipt.reversed_at.is_none()) {
        let current = || demo.installments.iter().filter(|part| part.plan_revision == revisions(demo));
        let open = current().position(|part| part.outstanding > 0).unwrap_or(usize::MAX - 1);
        assert!(current().skip(open + 1).all(|part| part.allocated == 0));
    }
    assert!(demo.events.iter().all(|event| event.actor == "demo" && event.at < calendar::end()));
    assert!(demo.events.windows(2).all(|pair| pair[0].at < pair[1].at));
}

fn revisions(demo: &PaymentRows) -> i32 {
    i32::try_from(demo.plans.len()).unwrap()
}

fn receipt_of<'a>(demo: &'a PaymentRows, allocation: &allocation::Model) -> &'a receipt::Model {
    demo.receipts.iter().find(|receipt| receipt.id == allocation.receipt_id).unwrap()
}

fn check_plans(demo: &PaymentRows) {
    let payment = &demo.payment;
    let currency = currencies::ALL.iter().find(|currency| currency.code == payment.currency).unwrap();
    let unit = currency.settlement_unit;
    assert_eq!(payment.amount % unit, 0);
    assert!(demo.receipts.iter().all(|receipt| receipt.amount % unit == 0));
    for plan in &demo.plans {
        let parts: Vec<_> = demo.installments.iter().filter(|part| part.plan_revision == plan.revision).collect();
        assert!((1..=24).contains(&parts.len()));
        assert_eq!(plan.rounding_unit % unit, 0);
        let first = parts.first().unwrap().due_date;
        assert!(first > calendar::day_of(plan.created_at));
        for (part, at) in parts.iter().zip(0..) {
            let regular = plan.frequency != Frequency::Custom;
            assert!(!regular || part.due_date == due_date(first, plan.frequency, at).unwrap().day);
            assert!(part.due_date <= calendar::ANCHOR + TimeDelta::days(365));
            assert_eq!([part.planned_amount % unit, part.amount % unit, part.waived % unit], [0, 0, 0]);
        }
        let regular: Vec<_> = parts.iter().filter(|part| part.kind == Kind::Installment).collect();
        let balance = parts.iter().position(|part| part.kind == Kind::Balance);
        assert!(parts.iter().skip(1).all(|part| part.kind != Kind::Deposit));
        assert!(balance.is_none_or(|at| at + 1 == parts.len()));
        assert_eq!(plan.remainder.is_none(), balance.is_some() || plan.frequency == Frequency::Custom);
        if let Some(remainder) = plan.remainder {
            let amounts: Vec<_> = regular.iter().map(|part| part.planned_amount).collect();
            assert_eq!(amounts, split(amounts.iter().sum(), regular.len(), plan.rounding_unit, remainder));
        }
    }
}

fn check_lines(demo: &PaymentRows) {
    assert!((1..=4).contains(&demo.lines.len()));
    assert_eq!(demo.lines.iter().map(|line| line.total).sum::<i64>(), demo.payment.amount);
    let mut names = HashSet::new();
    for (line, position) in demo.lines.iter().zip(1..) {
        assert_eq!(line.position, position);
        let quantity = Decimal::parse(&line.quantity).unwrap();
        let total = quantity.checked_mul(Decimal::new(line.unit_price.into(), 0)).unwrap();
        assert_eq!(total.rescale_exact(0).unwrap().mantissa(), i128::from(line.total));
        assert!(names.insert(&line.description));
    }
}

/// Ids and times.
fn check_identity(demo: &PaymentRows) {
    let payment = &demo.payment;
    let made_at = |revision: i32| demo.plans.iter().find(|plan| plan.revision == revision).unwrap().created_at;
    let mut lists: Vec<Vec<(Uuid, DateTime<Utc>)>> = vec![
        vec![(payment.id.0, payment.created_at)],
        demo.plans.iter().map(|row| (row.id.0, row.created_at)).collect(),
        demo.receipts.iter().map(|row| (row.id.0, row.created_at)).collect(),
        demo.allocations.iter().map(|row| (row.id.0, receipt_of(demo, row).created_at)).collect(),
        demo.refunds.iter().map(|row| (row.id.0, row.created_at)).collect(),
        demo.lines.iter().map(|row| (row.id.0, payment.created_at)).collect(),
    ];
    for revision in 1..=revisions(demo) {
        let parts = demo.installments.iter().filter(|row| row.plan_revision == revision);
        lists.push(parts.map(|row| (row.id.0, made_at(revision))).collect());
    }
    for list in &lists {
        assert!(list.is_sorted_by(|(left, _), (right, _)| left < right));
        assert!(list.iter().all(|(id, at)| millis(*id) == at_millis(*at) && in_microseconds(*at)));
    }
    assert!(in_microseconds(payment.updated_at) && payment.updated_at < calendar::end());
    assert!(demo.receipts.iter().all(|row| in_microseconds(row.received_at)));
}

fn check(demo: &PaymentRows) {
    check_amounts(demo);
    check_plans(demo);
    check_lines(demo);
    check_identity(demo);
}

#[test]
fn the_first_payments_obey_every_rule() {
    for demo in sample(4000) {
        check(&demo);
    }
}

proptest! {
    #[test]
    fn any_payment_of_any_seed_obeys_every_rule(seed in any::<u64>(), n in 0_u64..10_000_000) {
        let generator = Generator::new(seed, ACCOUNT_ID);
        let demo = generator.payment(n);
        check(&demo);
        prop_assert_eq!(&demo, &generator.payment(n));
        prop_assert_eq!(demo.payment.reference, generator.reference(n));
    }
}

/// Whoever changes the data changes what was loaded before, and every number in the documentation.
#[test]
fn the_data_of_seed_1_is_pinned() {
    let text: String = sample(200).iter().map(|demo| format!("{demo:?}\n")).collect();
    // FNV-1a, which is the same everywhere.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{hash:016x}"), "71ce3f4f5c5b502d");
}

#[test]
fn references_and_ids_are_unique() {
    let mut seen = HashSet::new();
    for demo in sample(4000) {
        assert!(seen.insert(demo.payment.reference));
        assert!(demo.receipts.into_iter().all(|row| seen.insert(row.external_reference.unwrap())));
        assert!(demo.installments.into_iter().all(|row| seen.insert(row.id.to_string())));
        assert!(demo.allocations.into_iter().all(|row| seen.insert(row.id.to_string())));
    }
    assert_eq!(base_36(0), "0");
    assert_eq!(base_36(u64::MAX), "3W5E11264SGSF");
}

/// The same seed in two accounts of one database: the same amounts, and no id twice.
#[test]
fn another_account_gets_other_ids() {
    let other = Generator::new(1, AccountId(Uuid::from_u128(7))).payment(3);
    let first = generator().payment(3);
    assert_eq!(other.payment.amount, first.payment.amount);
    assert_eq!(other.payment.reference, first.payment.reference);
    assert_ne!(other.payment.id, first.payment.id);
}

/// How many in ten thousand.
fn share(sample: &[PaymentRows], is: impl Fn(&PaymentRows) -> bool) -> usize {
    sample.iter().filter(|demo| is(demo)).count() * 10_000 / sample.len()
}

/// The demo shows every state, and none of them drowns the others.
#[test]
fn every_kind_of_payment_is_there_in_believable_numbers() {
    let sample = sample(8000);
    let status = |status| share(&sample, |demo| demo.payment.status == status);
    let any_part = |is: fn(&installment::Model) -> bool| share(&sample, |demo| demo.installments.iter().any(is));
    let overdue = share(&sample, |demo| demo.payment.next_due_date.is_some_and(|due| due < calendar::ANCHOR));
    let receipts: Vec<_> = sample.iter().flat_map(|demo| &demo.receipts).collect();
    let reversed = receipts.iter().filter(|receipt| receipt.reversed_at.is_some()).count();
    let given_back = |is: &dyn Fn(&PaymentRows) -> bool| share(&sample, |demo| demo.payment.refunded > 0 && is(demo));
    let by_hand = |demo: &PaymentRows| demo.plans.iter().any(|plan| plan.frequency == Frequency::Custom);
    let longest = sample.iter().flat_map(|demo| &demo.installments).map(|part| part.due_date).max().unwrap();

    for (what, found, range) in [
        ("rupiah", share(&sample, |demo| demo.payment.currency == "IDR"), 5300..5700),
        ("open", status(Status::Open), 500..2500),
        ("partly paid", status(Status::PartiallyPaid), 1000..3500),
        ("paid", status(Status::Paid), 4500..7500),
        ("cancelled", status(Status::Cancelled), 250..350),
        ("written off", status(Status::WrittenOff), 70..170),
        ("waived", share(&sample, |demo| demo.payment.waived > 0), 150..280),
        ("overpaid", share(&sample, |demo| demo.payment.credit > 0), 70..200),
        ("overpaid and given back", given_back(&|demo| demo.payment.allocated == demo.payment.amount), 50..250),
        ("given back for goods", given_back(&|demo| demo.receipts.iter().all(|row| row.unallocated == 0)), 40..150),
        ("rescheduled", share(&sample, |demo| demo.plans.len() > 1), 80..300),
        ("rescheduled by hand", share(&sample, by_hand), 20..120),
        ("overdue", overdue, 800..2500),
        ("up to six parts", share(&sample, |demo| demo.installments.len() <= 6), 8000..9500),
        ("deposit", any_part(|part| part.kind == Kind::Deposit), 1000..3000),
        ("balance", any_part(|part| part.kind == Kind::Balance), 500..2000),
        ("reversed receipts", reversed * 10_000 / receipts.len(), 60..140),
    ] {
        assert!(range.contains(&found), "{what}: {found} in ten thousand, not in {range:?}");
    }
    assert!(longest > calendar::ANCHOR + TimeDelta::days(300), "{longest}");
    for method in ["BANK_TRANSFER", "LETTER_OF_CREDIT", "CARD", "QRIS"] {
        assert!(receipts.iter().any(|receipt| receipt.method == method), "{method}");
    }
    assert!(sample.iter().any(|demo| demo.allocations.len() > demo.receipts.len() + 1));
    // A new plan is kept, in part at least, and paid in full at last.
    for status in [Status::PartiallyPaid, Status::Paid] {
        assert!(sample.iter().any(|demo| demo.plans.len() > 1 && demo.payment.status == status), "{status:?}");
    }
    assert!(sample.iter().any(|demo| demo.installments.iter().any(|part| part.amount < part.planned_amount)));
}

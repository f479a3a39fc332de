//! Every payment of the demo obeys the rules that the server enforces on real ones.

use std::collections::{BTreeMap, HashSet};

use chrono::{SubsecRound, TimeDelta};
use entity::installment::{Kind, Status as PartStatus};
use entity::payment::Status;
use proptest::prelude::*;

use super::super::currencies;
use super::super::load::ACCOUNT_ID;
use super::*;
use crate::domain::decimal::Decimal;
use crate::domain::plan::{due_date, split};

fn generator() -> Generator {
    Generator::new(1, ACCOUNT_ID)
}

/// The first payments of seed 1.
fn sample(count: u64) -> Vec<DemoPayment> {
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

fn check_payment(demo: &DemoPayment) {
    let payment = &demo.payment;
    let owed = payment.allocated + payment.waived + payment.written_off + payment.outstanding;
    match payment.status {
        Status::Cancelled => {
            assert_eq!((owed, payment.received, payment.version), (0, 0, 2));
            assert!(demo.receipts.is_empty() && demo.allocations.is_empty());
        }
        status => {
            assert_eq!(owed, payment.amount);
            let expected = if payment.written_off > 0 {
                Status::WrittenOff
            } else if payment.outstanding == 0 {
                Status::Paid
            } else if payment.outstanding < payment.amount {
                Status::PartiallyPaid
            } else {
                Status::Open
            };
            assert_eq!(status, expected);
        }
    }
    let open = matches!(payment.status, Status::Open | Status::PartiallyPaid);
    let due = demo.installments.iter().filter(|part| part.outstanding > 0).map(|part| part.due_date).min();
    assert_eq!(payment.next_due_date, due.filter(|_| open));
    assert_eq!(payment.next_due_date.is_some(), open);
    assert_eq!(payment.refunded, 0);
    if !open {
        assert_eq!(payment.outstanding, 0);
    }
}

fn check_parts(demo: &DemoPayment) {
    let payment = &demo.payment;
    let cancelled = payment.status == Status::Cancelled;
    assert_eq!(demo.installments.iter().map(|part| part.amount).sum::<i64>(), payment.amount);
    assert_eq!(demo.plan.count, number(demo.installments.len()));
    assert!((1..=24).contains(&demo.installments.len()));
    for (part, sequence) in demo.installments.iter().zip(1..) {
        assert_eq!((part.sequence, part.plan_revision), (sequence, demo.plan.revision));
        assert!(part.amount > 0);
        let expected = if cancelled {
            assert_eq!((part.allocated, part.waived, part.outstanding), (0, 0, 0));
            PartStatus::Void
        } else {
            assert_eq!(part.allocated + part.waived + part.outstanding, part.amount);
            assert!(part.allocated >= 0 && part.waived >= 0 && part.outstanding >= 0);
            match (part.outstanding, part.allocated, part.waived) {
                (0, _, 0) => PartStatus::Paid,
                (0, _, _) => PartStatus::Waived,
                (_, 0, _) => PartStatus::Pending,
                _ => PartStatus::PartiallyPaid,
            }
        };
        assert_eq!(part.status, expected);
        let settled = matches!(part.status, PartStatus::Paid | PartStatus::Waived);
        assert_eq!(part.settled_at.is_some(), settled);
        if part.status == PartStatus::Paid {
            // Settled by the last receipt that is on it.
            let on_it = demo.allocations.iter().filter(|allocation| allocation.installment_id == part.id);
            let last = on_it.map(|allocation| receipt_of(demo, allocation).received_at).max();
            assert_eq!(part.settled_at, last);
        }
    }
    let sum = |column: fn(&installment::Model) -> i64| demo.installments.iter().map(column).sum::<i64>();
    assert_eq!(sum(|part| part.allocated), payment.allocated);
    assert_eq!(sum(|part| part.waived), payment.waived);
    if payment.status == Status::WrittenOff {
        assert_eq!(sum(|part| part.outstanding), payment.written_off);
    } else {
        assert_eq!(sum(|part| part.outstanding), payment.outstanding);
    }
}

fn receipt_of<'a>(demo: &'a DemoPayment, allocation: &allocation::Model) -> &'a receipt::Model {
    demo.receipts.iter().find(|receipt| receipt.id == allocation.receipt_id).unwrap()
}

fn check_receipts(demo: &DemoPayment) {
    let payment = &demo.payment;
    let mut received = 0;
    let mut credit = 0;
    for receipt in &demo.receipts {
        let allocations = demo.allocations.iter().filter(|allocation| allocation.receipt_id == receipt.id);
        let allocated: i64 = allocations.map(|allocation| allocation.amount).sum();
        if receipt.reversed_at.is_some() {
            assert_eq!((allocated, receipt.unallocated), (0, 0));
        } else {
            assert_eq!(allocated + receipt.unallocated, receipt.amount);
            received += receipt.amount;
            credit += receipt.unallocated;
        }
        assert!(receipt.amount > 0 && receipt.unallocated >= 0 && receipt.refunded == 0);
        assert!(receipt.reversed_at.is_none_or(|at| at > receipt.created_at && at <= payment.updated_at));
        assert!(payment.created_at < receipt.received_at && receipt.received_at <= receipt.created_at);
        assert!(receipt.created_at <= payment.updated_at);
        assert!(receipt.method != "QRIS" || receipt.currency == "IDR" && receipt.amount <= 1_000_000_000);
        assert!(["BANK_TRANSFER", "LETTER_OF_CREDIT", "CARD", "QRIS"].contains(&receipt.method.as_str()));
    }
    assert_eq!((payment.received, payment.credit), (received, credit));
    assert_eq!(payment.received - payment.credit, payment.allocated);
    if payment.credit > 0 {
        assert_eq!(payment.status, Status::Paid);
        let last = demo.receipts.iter().rfind(|receipt| receipt.reversed_at.is_none()).unwrap();
        assert_eq!(last.unallocated, payment.credit);
    }
    for part in &demo.installments {
        let on_it = demo.allocations.iter().filter(|allocation| allocation.installment_id == part.id);
        assert_eq!(on_it.map(|allocation| allocation.amount).sum::<i64>(), part.allocated);
    }
    assert!(demo.allocations.iter().all(|allocation| allocation.amount > 0));
    // What falls due first is paid first, unless a reversal or a waiver changed what was outstanding since.
    if payment.waived == 0 && demo.receipts.iter().all(|receipt| receipt.reversed_at.is_none()) {
        let open = demo.installments.iter().position(|part| part.outstanding > 0).unwrap_or(demo.installments.len());
        assert!(demo.installments.iter().skip(open + 1).all(|part| part.allocated == 0));
    }
}

/// The version counts the receipts, reversals, waivers and the closing; a part is waived in one go.
fn check_version(demo: &DemoPayment) {
    let payment = &demo.payment;
    let reversals = demo.receipts.iter().filter(|receipt| receipt.reversed_at.is_some()).count();
    let waivers = demo.installments.iter().filter(|part| part.waived > 0).count();
    let closed = matches!(payment.status, Status::Cancelled | Status::WrittenOff);
    let changes = demo.receipts.len() + reversals + waivers + usize::from(closed);
    assert_eq!(payment.version, 1 + number(changes));
    assert_eq!(payment.updated_at > payment.created_at, changes > 0);
}

fn check_plan(demo: &DemoPayment) {
    let (plan, payment) = (&demo.plan, &demo.payment);
    let currency = currencies::ALL.iter().find(|currency| currency.code == payment.currency).unwrap();
    assert_eq!(payment.amount % currency.settlement_unit, 0);
    assert_eq!(plan.rounding_unit % currency.settlement_unit, 0);
    let first = demo.installments.first().unwrap().due_date;
    assert!(first > calendar::day_of(payment.created_at));
    for (part, at) in demo.installments.iter().zip(0..) {
        assert_eq!(part.due_date, due_date(first, plan.frequency, at).unwrap().day);
        assert!(part.due_date <= calendar::ANCHOR + TimeDelta::days(365));
        assert_eq!([part.amount % currency.settlement_unit, part.waived % currency.settlement_unit], [0, 0]);
    }
    assert!(demo.receipts.iter().all(|receipt| receipt.amount % currency.settlement_unit == 0));
    let regular: Vec<_> = demo.installments.iter().filter(|part| part.kind == Kind::Installment).collect();
    let balance = demo.installments.iter().position(|part| part.kind == Kind::Balance);
    assert!(demo.installments.iter().skip(1).all(|part| part.kind != Kind::Deposit));
    assert!(balance.is_none_or(|at| at + 1 == demo.installments.len()));
    assert_eq!(plan.remainder.is_none(), balance.is_some());
    if let Some(remainder) = plan.remainder {
        let total = regular.iter().map(|part| part.amount).sum();
        let amounts: Vec<_> = regular.iter().map(|part| part.amount).collect();
        assert_eq!(amounts, split(total, regular.len(), plan.rounding_unit, remainder));
    }
}

fn check_lines(demo: &DemoPayment) {
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

/// Ids and times, and that every row belongs to the payment.
fn check_identity(demo: &DemoPayment) {
    let payment = &demo.payment;
    let lists: [Vec<(Uuid, DateTime<Utc>)>; 6] = [
        vec![(payment.id.0, payment.created_at)],
        vec![(demo.plan.id.0, demo.plan.created_at)],
        demo.installments.iter().map(|row| (row.id.0, payment.created_at)).collect(),
        demo.receipts.iter().map(|row| (row.id.0, row.created_at)).collect(),
        demo.allocations.iter().map(|row| (row.id.0, receipt_of(demo, row).created_at)).collect(),
        demo.lines.iter().map(|row| (row.id.0, payment.created_at)).collect(),
    ];
    for list in &lists {
        assert!(list.is_sorted_by(|(left, _), (right, _)| left < right));
        assert!(list.iter().all(|(id, at)| millis(*id) == at_millis(*at) && in_microseconds(*at)));
    }
    assert!(in_microseconds(payment.updated_at) && payment.updated_at < calendar::end());
    assert!(demo.receipts.iter().all(|row| in_microseconds(row.received_at)));
    let mut owners = BTreeMap::new();
    let mut own = |account, payment: Option<PaymentId>, currency: Option<&str>| {
        *owners.entry((account, payment, currency.map(str::to_owned))).or_insert(0) += 1;
    };
    let code = Some(payment.currency.as_str());
    own(payment.account_id, Some(payment.id), code);
    own(demo.plan.account_id, Some(demo.plan.payment_id), code);
    demo.installments.iter().for_each(|row| own(row.account_id, Some(row.payment_id), Some(&row.currency)));
    demo.receipts.iter().for_each(|row| own(row.account_id, Some(row.payment_id), Some(&row.currency)));
    demo.allocations.iter().for_each(|row| own(row.account_id, Some(payment.id), Some(&row.currency)));
    demo.lines.iter().for_each(|row| own(row.account_id, Some(row.payment_id), Some(&row.currency)));
    assert_eq!(owners.len(), 1);
}

fn check(demo: &DemoPayment) {
    check_payment(demo);
    check_parts(demo);
    check_receipts(demo);
    check_version(demo);
    check_plan(demo);
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
    assert_eq!(format!("{hash:016x}"), "1c8a18c7fa0fd042");
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
fn share(sample: &[DemoPayment], is: impl Fn(&DemoPayment) -> bool) -> usize {
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
    let longest = sample.iter().flat_map(|demo| &demo.installments).map(|part| part.due_date).max().unwrap();

    for (what, found, range) in [
        ("rupiah", share(&sample, |demo| demo.payment.currency == "IDR"), 5300..5700),
        ("open", status(Status::Open), 500..2500),
        ("partly paid", status(Status::PartiallyPaid), 1000..3500),
        ("paid", status(Status::Paid), 4500..7500),
        ("cancelled", status(Status::Cancelled), 250..350),
        ("written off", status(Status::WrittenOff), 70..170),
        ("waived", share(&sample, |demo| demo.payment.waived > 0), 150..280),
        ("overpaid", share(&sample, |demo| demo.payment.credit > 0), 150..280),
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
}

//! The rules on hand-made payments; the invariants over random sequences are in the integration tests.

use chrono::{DateTime, NaiveDate};
use entity::ids::AccountId;
use entity::installment::{Kind, Status};
use entity::installment_plan::{Frequency, Remainder};
use entity::payment;

use super::*;
use crate::domain::plan::{Plan, PlannedPart};
use crate::domain::rejection::Reason;

const AT: DateTime<Utc> = DateTime::from_timestamp(1_793_361_600, 0).unwrap();

/// Hands out ids in order.
pub(super) struct Desk(pub(super) u128);

impl Desk {
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Scribe<'_>) -> T) -> T {
        let Self(next) = self;
        let mut ids = || {
            *next += 1;
            Uuid::from_u128(*next)
        };
        change(&mut Scribe { at: AT, actor: "clerk", request_id: Some("r-1"), ids: &mut ids })
    }
}

pub(super) fn plan(amounts: &[i64]) -> Plan {
    let first = NaiveDate::from_ymd_opt(2026, 11, 10).unwrap();
    let parts = (1..).zip(amounts).map(|(sequence, amount)| PlannedPart {
        sequence,
        kind: Kind::Installment,
        due_date: first + chrono::Months::new(u32::try_from(sequence - 1).unwrap()),
        amount: *amount,
        clamped_to_month_end: false,
    });
    Plan { frequency: Frequency::Monthly, remainder: Some(Remainder::Last), rounding_unit: 100, parts: parts.collect() }
}

/// A payment in these installments.
fn payment_of(desk: &mut Desk, amounts: &[i64]) -> Ledger {
    creation_of(desk, amounts).0
}

/// A payment in these installments, and what made it.
pub(super) fn creation_of(desk: &mut Desk, amounts: &[i64]) -> (Ledger, Change) {
    let new = NewPayment {
        account: AccountId(Uuid::from_u128(7)),
        reference: "INV-1".to_owned(),
        payer_name: None,
        description: None,
        currency: Currency::idr(),
        amount: amounts.iter().sum(),
        time_zone: chrono_tz::Asia::Jakarta,
        plan: plan(amounts),
        lines: Vec::new(),
    };
    desk.change(|scribe| Ledger::create(scribe, &new))
}

pub(super) fn receipt(amount: i64) -> NewReceipt {
    NewReceipt {
        amount,
        currency: Currency::idr(),
        received_at: AT,
        method: "BANK_TRANSFER".to_owned(),
        external_reference: None,
        allocate: Allocate::OldestDueFirst,
        allow_credit: false,
        fx: None,
    }
}

pub(super) fn pay(desk: &mut Desk, ledger: &mut Ledger, amount: i64) -> Change {
    desk.change(|scribe| ledger.record_receipt(scribe, &receipt(amount))).unwrap()
}

fn statuses(ledger: &Ledger) -> Vec<Status> {
    ledger.installments.iter().map(|row| row.status).collect()
}

/// The oldest debt is paid first, and the last receipt pays the payment.
#[test]
fn receipts_go_to_what_falls_due_first() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100, 100, 100]);
    assert_eq!(ledger.payment.next_due_date, NaiveDate::from_ymd_opt(2026, 11, 10));

    let change = pay(desk, ledger, 150);
    assert_eq!(statuses(ledger), [Status::Paid, Status::PartiallyPaid, Status::Pending]);
    assert_eq!(change.new_allocations.iter().map(|row| row.amount).collect::<Vec<_>>(), [100, 50]);
    assert_eq!((ledger.payment.status, ledger.payment.outstanding), (payment::Status::PartiallyPaid, 150));
    assert_eq!(ledger.payment.next_due_date, NaiveDate::from_ymd_opt(2026, 12, 10));
    assert_eq!((ledger.payment.version, change.event.sequence), (2, 2));

    pay(desk, ledger, 150);
    assert_eq!((ledger.payment.status, ledger.payment.next_due_date), (payment::Status::Paid, None));
}

/// One rupiah too much is refused and changes nothing; with credit allowed it stays unallocated.
#[test]
fn more_than_is_outstanding_needs_credit() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100]);
    let before = ledger.clone();
    let rejection = desk.change(|scribe| ledger.record_receipt(scribe, &receipt(101))).unwrap_err();
    assert_eq!(rejection.field, ["amount", "amount"]);
    assert!(matches!(rejection.reason, Reason::AmountExceedsOutstanding { outstanding } if outstanding.minor == 100));
    assert_eq!(ledger.payment, before.payment);

    let generous = NewReceipt { allow_credit: true, ..receipt(101) };
    let change = desk.change(|scribe| ledger.record_receipt(scribe, &generous)).unwrap();
    assert_eq!(change.new_receipt.unwrap().unallocated, 1);
    assert_eq!((ledger.payment.credit, ledger.payment.outstanding), (1, 0));
}

/// A bounced transfer opens again exactly what it had paid.
#[test]
fn a_reversal_reopens_what_the_receipt_had_paid() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100, 100]);
    pay(desk, ledger, 60);
    let second = pay(desk, ledger, 140).new_receipt.unwrap();
    let change = desk.change(|scribe| ledger.reverse_receipt(scribe, second.id, "bounced")).unwrap();
    assert_eq!(change.freed_allocations.len(), 2);
    assert_eq!(statuses(ledger), [Status::PartiallyPaid, Status::Pending]);
    assert_eq!(ledger.installments.iter().map(|row| row.settled_at).collect::<Vec<_>>(), [None, None]);
    assert_eq!((ledger.payment.received, ledger.payment.outstanding), (60, 140));
    let again = desk.change(|scribe| ledger.reverse_receipt(scribe, second.id, "bounced")).unwrap_err();
    assert!(matches!(again.reason, Reason::InvalidState { .. }));
}

/// Credit is used up first, and the debt stays paid.
#[test]
fn a_refund_takes_credit_first_and_opens_no_debt() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100]);
    let generous = NewReceipt { allow_credit: true, ..receipt(130) };
    let receipt = desk.change(|scribe| ledger.record_receipt(scribe, &generous)).unwrap().new_receipt.unwrap();
    let money = |minor| Money { minor, currency: Currency::idr() };
    desk.change(|scribe| ledger.refund_receipt(scribe, receipt.id, money(20), "overpaid")).unwrap();
    assert_eq!((ledger.payment.credit, ledger.payment.refunded), (10, 20));
    desk.change(|scribe| ledger.refund_receipt(scribe, receipt.id, money(30), "returned goods")).unwrap();
    assert_eq!((ledger.payment.credit, ledger.payment.refunded, ledger.payment.outstanding), (0, 50, 0));
    assert_eq!(ledger.payment.status, payment::Status::Paid);
    let rejection = desk.change(|scribe| ledger.refund_receipt(scribe, receipt.id, money(81), "too much")).unwrap_err();
    let left = Reason::AmountExceedsOutstanding { outstanding: money(80) };
    assert_eq!((rejection.field, rejection.reason), (vec!["amount".into(), "amount".into()], left));
    let rejection = desk.change(|scribe| ledger.reverse_receipt(scribe, receipt.id, "bounced")).unwrap_err();
    assert!(matches!(rejection.reason, Reason::InvalidState { .. }));
}

/// A new plan spreads what is outstanding; what holds nothing is void, and what holds something closes at it.
#[test]
fn a_new_plan_closes_the_old_one() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100, 100, 100]);
    let paid = pay(desk, ledger, 150).new_receipt.unwrap();
    assert_eq!(ledger.reschedulable().unwrap().minor, 150);
    // The store knows it; a ledger that was read does not.
    ledger.revision = 1;
    desk.change(|scribe| ledger.reschedule(scribe, &plan(&[50, 100]), "agreed by phone")).unwrap();
    let amounts = |ledger: &Ledger| {
        let rows =
            ledger.installments.iter().map(|row| (row.plan_revision, row.sequence, row.amount, row.planned_amount));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(
        amounts(ledger),
        [(1, 1, 100, 100), (1, 2, 50, 100), (1, 3, 100, 100), (2, 1, 50, 50), (2, 2, 100, 100)]
    );
    let of_old = |ledger: &Ledger, sequence| {
        ledger.installments.iter().find(|row| row.plan_revision == 1 && row.sequence == sequence).unwrap().status
    };
    assert_eq!((of_old(ledger, 2), of_old(ledger, 3)), (Status::Paid, Status::Void));

    // The transfer bounces after all: the old installments fall due again beside the new plan.
    desk.change(|scribe| ledger.reverse_receipt(scribe, paid.id, "bounced")).unwrap();
    let open: i64 = ledger.installments.iter().map(|row| row.outstanding).sum();
    assert_eq!((open, ledger.payment.outstanding), (300, 300));
}

/// What was paid and bounces after the write-off is given up as well: nothing opens what is final.
#[test]
fn a_write_off_is_final() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100, 100]);
    let paid = pay(desk, ledger, 50).new_receipt.unwrap();
    desk.change(|scribe| ledger.write_off(scribe, "insolvent")).unwrap();
    assert_eq!((ledger.payment.status, ledger.payment.written_off), (payment::Status::WrittenOff, 150));
    desk.change(|scribe| ledger.reverse_receipt(scribe, paid.id, "bounced")).unwrap();
    let row = &ledger.payment;
    assert_eq!((row.status, row.written_off, row.outstanding), (payment::Status::WrittenOff, 200, 0));
    assert_eq!(row.next_due_date, None);
    for refused in [
        desk.change(|scribe| ledger.record_receipt(scribe, &receipt(1))),
        desk.change(|scribe| ledger.reschedule(scribe, &plan(&[1]), "?")),
        desk.change(|scribe| ledger.cancel(scribe, "?")),
    ] {
        assert!(matches!(refused.unwrap_err().reason, Reason::InvalidState { .. }));
    }
}

/// A cancellation forgets nothing that was received.
#[test]
fn only_an_untouched_payment_is_cancelled() {
    let desk = &mut Desk(0);
    let ledger = &mut payment_of(desk, &[100]);
    let credit = NewReceipt { allow_credit: true, allocate: Allocate::Explicit(Vec::new()), ..receipt(10) };
    let credit = desk.change(|scribe| ledger.record_receipt(scribe, &credit)).unwrap().new_receipt.unwrap();
    assert_eq!(ledger.payment.status, payment::Status::Open);
    assert!(!actions(&ledger.payment, true).contains(&Action::Cancel));
    desk.change(|scribe| ledger.cancel(scribe, "mistake")).unwrap_err();

    desk.change(|scribe| ledger.reverse_receipt(scribe, credit.id, "bounced")).unwrap();
    assert!(actions(&ledger.payment, false).contains(&Action::Cancel));
    desk.change(|scribe| ledger.cancel(scribe, "mistake")).unwrap();
    assert_eq!((ledger.payment.status, ledger.payment.outstanding), (payment::Status::Cancelled, 0));
    assert_eq!(statuses(ledger), [Status::Void]);
}

/// Each event is sealed with the one before, so that none can be changed, left out or put in.
#[test]
fn events_form_a_chain() {
    let desk = &mut Desk(0);
    let mut ledger = payment_of(desk, &[100, 100]);
    let head = ledger.payment.head_hash.clone();
    let first = pay(desk, &mut ledger, 50).event;
    let second = pay(desk, &mut ledger, 50).event;
    assert_eq!((first.prev_hash.as_str(), second.prev_hash.as_str()), (head.as_str(), first.hash.as_str()));
    assert_eq!(second.hash, ledger.payment.head_hash);
    for change in [
        |event: &mut payment_event::Model| event.actor.push('x'),
        |event: &mut payment_event::Model| event.after.push(' '),
        |event: &mut payment_event::Model| event.sequence += 1,
        |event: &mut payment_event::Model| event.at += chrono::TimeDelta::microseconds(1),
    ] {
        let mut changed = first.clone();
        change(&mut changed);
        assert_ne!(hash_of(&changed), first.hash);
    }
    assert_eq!(
        first.before.as_deref(),
        Some(
            r#"{"installments":[{"allocated":"0.00","id":"ins_00000000000000000000000000000003","outstanding":"1.00","status":"PENDING"}],"payment":{"allocated":"0.00","outstanding":"2.00","received":"0.00","status":"OPEN"}}"#
        )
    );
}

//! Nothing of a payment changes without being noticed.

use entity::installment::Status;

use super::*;
use crate::domain::ledger::tests::{Desk, creation_of, pay, plan, receipt};
use crate::domain::ledger::{Allocate, Fx, NewReceipt, hash_of};

/// A payment to which everything happened but its end: three receipts, one of them reversed and one overpaid, a
/// waiver, a second plan and two refunds.
fn eventful() -> PaymentRows {
    let desk = &mut Desk(0);
    let (mut ledger, created) = creation_of(desk, &[100, 100, 100]);
    let ledger = &mut ledger;
    let mut changes = vec![created];
    let bounced = pay(desk, ledger, 120);
    let id = bounced.new_receipt.as_ref().unwrap().id;
    changes.push(bounced);
    changes.push(pay(desk, ledger, 30));
    changes.push(desk.change(|scribe| ledger.reverse_receipt(scribe, id, "bounced")).unwrap());
    changes.push(pay(desk, ledger, 100));
    let open = ledger.installments.iter().find(|row| row.outstanding > 0).unwrap().id;
    let ten = Some(Money::new(10, ledger.currency));
    changes.push(desk.change(|scribe| ledger.waive_installment(scribe, open, ten, "goodwill")).unwrap());
    changes.push(desk.change(|scribe| ledger.reschedule(scribe, &plan(&[60, 100]), "agreed")).unwrap());
    let rate = Fx {
        quote: Currency::usd(),
        rate: "0.00006".to_owned(),
        effective_date: chrono::NaiveDate::from_ymd_opt(2026, 10, 30).unwrap(),
        purpose: entity::currency_rate::Purpose::Reference,
        source: "ECB".to_owned(),
    };
    let generous = NewReceipt {
        allow_credit: true,
        allocate: Allocate::OldestDueFirst,
        external_reference: Some("TT-1".to_owned()),
        fx: Some(rate),
        ..receipt(200)
    };
    let overpaid = desk.change(|scribe| ledger.record_receipt(scribe, &generous)).unwrap();
    let id = overpaid.new_receipt.as_ref().unwrap().id;
    changes.push(overpaid);
    for (amount, reason) in [(15, "overpaid"), (40, "returned")] {
        let amount = Money::new(amount, ledger.currency);
        changes.push(desk.change(|scribe| ledger.refund_receipt(scribe, id, amount, reason)).unwrap());
    }
    PaymentRows::after(ledger.clone(), changes)
}

/// Seals the events again, as somebody would who knows how.
fn reseal(rows: &mut PaymentRows) {
    let mut head = crate::domain::ledger::GENESIS.to_owned();
    for event in &mut rows.events {
        event.prev_hash = head;
        event.hash = hash_of(event);
        head = event.hash.clone();
    }
    rows.payment.head_hash = head;
}

fn rules(rows: &PaymentRows) -> Vec<Rule> {
    let mut rules: Vec<_> = faults(rows).into_iter().map(|fault| fault.rule).collect();
    rules.dedup();
    rules
}

/// What the ledger makes has no fault.
#[test]
fn what_the_ledger_makes_is_sound() {
    let rows = eventful();
    assert_eq!(faults(&rows), []);
    assert_eq!((rows.plans.len(), rows.refunds.len(), rows.events.len(), rows.payment.version), (2, 2, 10, 10));
    assert!(rows.installments.iter().any(|row| row.status == Status::Void));
    assert!(rows.installments.iter().any(|row| row.amount < row.planned_amount));
}

/// One unit more or less, in any amount of any row, breaks a rule that is named.
#[test]
fn no_amount_changes_unnoticed() {
    type Amounts = fn(&mut PaymentRows) -> Vec<&mut i64>;
    let tables: [(&str, Amounts); 6] = [
        ("payment", |rows| {
            let row = &mut rows.payment;
            vec![
                &mut row.amount,
                &mut row.allocated,
                &mut row.waived,
                &mut row.written_off,
                &mut row.outstanding,
                &mut row.received,
                &mut row.refunded,
                &mut row.credit,
            ]
        }),
        ("installment", |rows| {
            let amounts = rows.installments.iter_mut().flat_map(|row| {
                [&mut row.amount, &mut row.planned_amount, &mut row.allocated, &mut row.waived, &mut row.outstanding]
            });
            amounts.collect()
        }),
        ("receipt", |rows| {
            let amounts = rows.receipts.iter_mut();
            amounts.flat_map(|row| [&mut row.amount, &mut row.unallocated, &mut row.refunded]).collect()
        }),
        ("allocation", |rows| rows.allocations.iter_mut().map(|row| &mut row.amount).collect()),
        ("refund", |rows| rows.refunds.iter_mut().map(|row| &mut row.amount).collect()),
        ("plan", |rows| rows.plans.iter_mut().map(|row| &mut row.rounding_unit).collect()),
    ];
    let sound = eventful();
    for (table, amounts) in tables {
        for at in 0..amounts(&mut sound.clone()).len() {
            for step in [-1, 1] {
                let mut rows = sound.clone();
                *amounts(&mut rows).swap_remove(at) += step;
                assert_ne!(faults(&rows), [], "{table}, amount {at}, {step}");
            }
        }
    }
}

/// No row gets lost, and none is there twice.
#[test]
fn no_row_is_lost_unnoticed() {
    let sound = eventful();
    type Lose = fn(&mut PaymentRows, usize) -> bool;
    fn lose<T: Clone>(rows: &mut Vec<T>, at: usize) -> bool {
        let there = at < rows.len();
        if there {
            rows.remove(at);
        }
        there
    }
    let tables: [(&str, Lose); 6] = [
        ("plan", |rows, at| lose(&mut rows.plans, at)),
        ("installment", |rows, at| lose(&mut rows.installments, at)),
        ("receipt", |rows, at| lose(&mut rows.receipts, at)),
        ("allocation", |rows, at| lose(&mut rows.allocations, at)),
        ("refund", |rows, at| lose(&mut rows.refunds, at)),
        ("event", |rows, at| lose(&mut rows.events, at)),
    ];
    for (table, lose) in tables {
        let mut rows = sound.clone();
        let mut at = 0;
        while lose(&mut rows, at) {
            assert_ne!(faults(&rows), [], "{table} {at}");
            rows = sound.clone();
            at += 1;
        }
        assert!(at > 0, "{table}");
    }
}

/// What was done to the rows, and which rules tell of it.
type Case = (&'static str, fn(&mut PaymentRows), &'static [Rule]);

/// Each kind of fault is told as what it is.
#[test]
fn each_fault_is_named() {
    use Rule::{Chain, Credit, FrozenRate, History, OnePayment, Plan, Status as StatusRule};
    let cases: [Case; 15] = [
        ("another account", |rows| rows.lines.extend(stray_line(rows)), &[OnePayment]),
        ("a status", |rows| rows.payment.status = payment::Status::PartiallyPaid, &[StatusRule, History]),
        ("a cancellation", |rows| rows.payment.status = payment::Status::Cancelled, &[Rule::PaymentAddsUp]),
        ("a due date", |rows| rows.payment.next_due_date = Some(chrono::NaiveDate::MIN), &[StatusRule, History]),
        ("a settled one opens", |rows| rows.installments[0].settled_at = None, &[StatusRule]),
        ("an actor", |rows| rows.events[3].actor.push('x'), &[Chain]),
        ("an event's words", |rows| rows.events[3].after.push(' '), &[Chain]),
        ("a head", |rows| rows.payment.head_hash.replace_range(0..4, "dead"), &[Chain]),
        ("a version", |rows| rows.payment.version += 1, &[Chain]),
        ("an event in between", |rows| drop(rows.events.remove(4)), &[Chain]),
        ("the last event", |rows| drop(rows.events.pop()), &[Chain]),
        ("two hashes", |rows| swap_hashes(rows), &[Chain]),
        ("a rate", |rows| rows.receipts[3].fx_rate = Some("0.00007".to_owned()), &[FrozenRate]),
        ("a refund too much", |rows| rows.refunds.push(rows.refunds[0].clone()), &[Credit]),
        ("a plan's count", |rows| rows.plans[1].count += 1, &[Plan, History]),
    ];
    for (what, corrupt, expected) in cases {
        let mut rows = eventful();
        corrupt(&mut rows);
        let found = rules(&rows);
        assert!(expected.iter().all(|rule| found.contains(rule)), "{what}: {:#?}", faults(&rows));
    }
}

/// Whoever seals a forged history again still has to make every row agree with it.
#[test]
fn a_forged_history_does_not_fit_the_rows() {
    let mut rows = eventful();
    rows.events[1].after = rows.events[1].after.replace("\"1.20\"", "\"1.30\"");
    reseal(&mut rows);
    let found = faults(&rows);
    assert!(found.iter().all(|fault| fault.rule == Rule::History) && !found.is_empty(), "{found:#?}");
    assert!(found[0].message.contains("amount of rec_"), "{found:#?}");
}

/// Rows that nobody could have written are told, and end nothing.
#[test]
fn nonsense_is_told() {
    let mut rows = eventful();
    rows.events[2].after = "[".to_owned();
    reseal(&mut rows);
    assert_eq!(rules(&rows), [Rule::Chain]);
    let mut rows = eventful();
    rows.payment.currency = "XXX".to_owned();
    assert_eq!(rules(&rows), [Rule::OnePayment]);
    let mut rows = eventful();
    for row in &mut rows.installments {
        (row.amount, row.allocated, row.outstanding) = (i64::MAX, i64::MIN, i64::MAX);
    }
    rows.payment.version = i32::MAX;
    assert!(faults(&rows).len() > 10);
    rows.plans.clear();
    rows.events.clear();
    assert!(rules(&rows).contains(&Rule::Plan));
}

fn stray_line(rows: &PaymentRows) -> Option<payment_line::Model> {
    Some(payment_line::Model {
        id: entity::ids::PaymentLineId(uuid::Uuid::nil()),
        account_id: AccountId(uuid::Uuid::nil()),
        payment_id: rows.payment.id,
        position: 1,
        commodity_code: None,
        description: String::new(),
        quantity: "1".to_owned(),
        unit: "kg".to_owned(),
        currency: rows.payment.currency.clone(),
        unit_price: 1,
        total: 1,
    })
}

fn swap_hashes(rows: &mut PaymentRows) {
    let [.., one, other] = rows.events.as_mut_slice() else { return };
    std::mem::swap(&mut one.hash, &mut other.hash);
}

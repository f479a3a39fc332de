//! Sums and statuses: what the rows of now say of each other.

use std::collections::HashMap;

use entity::{installment, payment};
use sea_orm::ActiveEnum;

use super::{Check, Rule};
use crate::domain::ledger::{installment_status, is_open, status_of};

/// The sum of something over rows. Rows that are wrong may add up to more than 64 bits hold.
fn sum<'a, T: 'a>(rows: impl IntoIterator<Item = &'a T>, of: impl Fn(&T) -> i64) -> i128 {
    rows.into_iter().map(|row| i128::from(of(row))).sum()
}

impl Check<'_> {
    pub(super) fn amounts(&mut self) {
        self.installments();
        self.receipts();
        self.payment();
        self.status();
    }

    fn installments(&mut self) {
        let mut held: HashMap<_, i128> = HashMap::new();
        for row in &self.rows.allocations {
            *held.entry(row.installment_id).or_default() += i128::from(row.amount);
        }
        for row in &self.rows.installments {
            let id = row.id.global();
            let [amount, allocated, waived, outstanding] =
                [row.amount, row.allocated, row.waived, row.outstanding].map(i128::from);
            if [amount, allocated, waived, outstanding].iter().any(|amount| *amount < 0) {
                self.tell(Rule::InstallmentAddsUp, format_args!("{id} has an amount below zero"));
            }
            if row.status == installment::Status::Void {
                if (allocated, waived, outstanding) != (0, 0, 0) {
                    self.tell(Rule::InstallmentAddsUp, format_args!("{id} is void and holds something"));
                }
            } else {
                let rest = ("its amount less what is allocated and waived is", amount - allocated - waived);
                self.amount(Rule::InstallmentAddsUp, (format_args!("the outstanding of {id}"), outstanding), rest);
            }
            let on_it = ("the allocations on it add up to", held.get(&row.id).copied().unwrap_or(0));
            self.amount(Rule::InstallmentAddsUp, (format_args!("the allocated of {id}"), allocated), on_it);

            // That it is void is a flag, which the plans decide.
            let status = installment_status(row);
            if status != row.status {
                let (is, should) = (row.status.to_value(), status.to_value());
                self.tell(Rule::Status, format_args!("{id} is {is}, and by its amounts {should}"));
            }
            let settled = row.outstanding == 0 && row.status != installment::Status::Void;
            if settled != row.settled_at.is_some() {
                let when = if settled { "does not say when it was" } else { "says when it was" };
                self.tell(
                    Rule::Status,
                    format_args!("{id} is {}settled and {when}", if settled { "" } else { "not " }),
                );
            }
        }
    }

    fn receipts(&mut self) {
        let mut allocated: HashMap<_, i128> = HashMap::new();
        for row in &self.rows.allocations {
            if row.amount <= 0 {
                self.tell(Rule::ReceiptAddsUp, format_args!("{} is of nothing", super::Allocation(row)));
            }
            *allocated.entry(row.receipt_id).or_default() += i128::from(row.amount);
        }
        let mut refunded: HashMap<_, i128> = HashMap::new();
        for row in &self.rows.refunds {
            *refunded.entry(row.receipt_id).or_default() += i128::from(row.amount);
        }
        for row in &self.rows.receipts {
            let id = row.id.global();
            let [amount, unallocated, returned] = [row.amount, row.unallocated, row.refunded].map(i128::from);
            let allocated = allocated.get(&row.id).copied().unwrap_or(0);
            if row.reversed_at.is_some() {
                if (allocated, unallocated, returned) != (0, 0, 0) {
                    self.tell(Rule::ReceiptAddsUp, format_args!("{id} was reversed and counts in something"));
                }
            } else {
                let what = (format_args!("the unallocated of {id}"), unallocated);
                self.amount(Rule::ReceiptAddsUp, what, ("its amount less its allocations is", amount - allocated));
                if unallocated < 0 {
                    self.tell(Rule::ReceiptAddsUp, format_args!("{id} has more allocated than arrived"));
                }
            }
            let refunds = ("its refunds add up to", refunded.get(&row.id).copied().unwrap_or(0));
            self.amount(Rule::Credit, (format_args!("the refunded of {id}"), returned), refunds);
            if returned > amount {
                self.tell(Rule::Credit, format_args!("of {id} more was given back than arrived"));
            }
            let parts = [
                row.fx_quote.is_some(),
                row.fx_rate.is_some(),
                row.fx_effective_date.is_some(),
                row.fx_purpose.is_some(),
                row.fx_source.is_some(),
            ];
            if parts.iter().any(|there| *there != parts[0]) {
                self.tell(Rule::FrozenRate, format_args!("{id} has only a part of an exchange rate"));
            }
        }
    }

    fn payment(&mut self) {
        let rows = self.rows;
        let payment = &rows.payment;
        let all = || rows.installments.iter();
        let amount = i128::from(payment.amount);
        let [allocated, waived, written_off, outstanding, received, refunded, credit] = [
            payment.allocated,
            payment.waived,
            payment.written_off,
            payment.outstanding,
            payment.received,
            payment.refunded,
            payment.credit,
        ]
        .map(i128::from);
        if [allocated, waived, written_off, outstanding, received, refunded, credit].iter().any(|amount| *amount < 0) {
            self.tell(Rule::PaymentAddsUp, "the payment has an amount below zero");
        }
        let of_installments = "its installments add up to";
        self.amount(
            Rule::PaymentAddsUp,
            ("the payment's allocated", allocated),
            (of_installments, sum(all(), |row| row.allocated)),
        );
        let what = ("the payment's waived", waived);
        self.amount(Rule::PaymentAddsUp, what, (of_installments, sum(all(), |row| row.waived)));
        // What was written off stays outstanding below.
        let what = ("the payment's outstanding and written off", outstanding + written_off);
        self.amount(Rule::PaymentAddsUp, what, (of_installments, sum(all(), |row| row.outstanding)));
        if payment.status == payment::Status::Cancelled {
            if [allocated, waived, written_off, outstanding, received] != [0; 5] {
                self.tell(Rule::PaymentAddsUp, "the payment is cancelled and counts in something");
            }
        } else {
            let parts = allocated + waived + written_off + outstanding;
            self.amount(
                Rule::PaymentAddsUp,
                ("the payment's amount", amount),
                ("its allocated, waived, written off and outstanding add up to", parts),
            );
            let current = all().filter(|row| row.status != installment::Status::Void);
            let parts = sum(current, |row| row.amount);
            let why = ("the installments that are not void add up to", parts);
            self.amount(Rule::InstallmentsAddUp, ("the payment's amount", amount), why);
        }

        let kept = || rows.receipts.iter().filter(|row| row.reversed_at.is_none());
        let what = ("the payment's received", received);
        self.amount(Rule::Credit, what, ("its receipts add up to", sum(kept(), |row| row.amount)));
        let what = ("the payment's refunded", refunded);
        self.amount(Rule::Credit, what, ("its refunds add up to", sum(&rows.refunds, |row| row.amount)));
        // What is given back comes out of what is on no installment first.
        let left = kept().map(|row| (i128::from(row.unallocated) - i128::from(row.refunded)).max(0)).sum();
        self.amount(Rule::Credit, ("the payment's credit", credit), ("its receipts leave", left));
    }

    fn status(&mut self) {
        let payment = &self.rows.payment;
        // That it was called off is a flag, which the events decide.
        let status = status_of(payment);
        if status != payment.status {
            let (is, should) = (payment.status.to_value(), status.to_value());
            self.tell(Rule::Status, format_args!("the payment is {is}, and by its amounts {should}"));
        }
        let due = self.rows.installments.iter().filter(|row| row.outstanding > 0).map(|row| row.due_date).min();
        let due = due.filter(|_| is_open(payment.status));
        if due != payment.next_due_date {
            let day = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "none".to_owned(), |day| day.to_string());
            let (is, should) = (day(payment.next_due_date), day(due));
            self.tell(Rule::Status, format_args!("the next due date is {is}, and by the installments {should}"));
        }
    }
}

//! Whether all rows of one payment agree: with one another, and with the events that made them.
//!
//! This is the other half of the ledger. A change keeps the rules by construction; here they are read off the rows
//! again, by somebody who trusts none of them. Pure, and it never stops at the first fault.

mod amounts;
mod history;
mod plans;

#[cfg(test)]
mod tests;

use std::fmt::{self, Display};

use entity::ids::AccountId;
use entity::{
    allocation, installment, installment_plan, payment, payment_event, payment_line, receipt as receipts, refund,
};

use super::{Change, Ledger};
use crate::domain::currency::Currency;
use crate::domain::money::Money;

/// A payment and everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRows {
    /// The payment.
    pub payment: payment::Model,
    /// All revisions of its plan, the first one first.
    pub plans: Vec<installment_plan::Model>,
    /// The installments of all revisions, in due-date order.
    pub installments: Vec<installment::Model>,
    /// What arrived, in the order in which it was recorded.
    pub receipts: Vec<receipts::Model>,
    /// What comes from these receipts or is on these installments.
    pub allocations: Vec<allocation::Model>,
    /// What was given back, in the order in which it was recorded.
    pub refunds: Vec<refund::Model>,
    /// The goods, by position.
    pub lines: Vec<payment_line::Model>,
    /// What happened, by sequence.
    pub events: Vec<payment_event::Model>,
}

impl PaymentRows {
    /// What `changes`, the creation first, have left in tables that were empty; `ledger` is the one that made them.
    pub fn after(ledger: Ledger, changes: Vec<Change>) -> Self {
        let mut rows = Self {
            payment: ledger.payment,
            plans: Vec::new(),
            installments: ledger.installments,
            receipts: ledger.receipts,
            allocations: ledger.allocations,
            refunds: Vec::new(),
            lines: Vec::new(),
            events: Vec::with_capacity(changes.len()),
        };
        for change in changes {
            rows.plans.extend(change.plan);
            rows.refunds.extend(change.refund);
            rows.lines.extend(change.lines);
            rows.events.push(change.event);
        }
        rows
    }
}

/// A rule that the rows of a payment keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// All rows are of one account, one currency and one payment.
    OnePayment,
    /// The installments add up to the payment.
    InstallmentsAddUp,
    /// Allocations and what is unallocated add up to the receipt.
    ReceiptAddsUp,
    /// An installment holds at most its amount, and a void one nothing.
    InstallmentAddsUp,
    /// What was allocated, waived, written off and is outstanding adds up to the payment.
    PaymentAddsUp,
    /// Credit is what is unallocated less what of it was given back; no more is given back than arrived.
    Credit,
    /// A status is a function of the amounts, and so is the next due date.
    Status,
    /// A new plan spreads what was outstanding, and voids what it replaces.
    Plan,
    /// Events are complete, and each is sealed with the one before.
    Chain,
    /// The rows are what the events made of them.
    History,
    /// An exchange rate is written once.
    FrozenRate,
    /// An external reference names one receipt of an account.
    UniqueReference,
}

impl Rule {
    /// Its name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::OnePayment => "ONE_PAYMENT",
            Self::InstallmentsAddUp => "INSTALLMENTS_ADD_UP",
            Self::ReceiptAddsUp => "RECEIPT_ADDS_UP",
            Self::InstallmentAddsUp => "INSTALLMENT_ADDS_UP",
            Self::PaymentAddsUp => "PAYMENT_ADDS_UP",
            Self::Credit => "CREDIT",
            Self::Status => "STATUS",
            Self::Plan => "PLAN",
            Self::Chain => "CHAIN",
            Self::History => "HISTORY",
            Self::FrozenRate => "FROZEN_RATE",
            Self::UniqueReference => "UNIQUE_REFERENCE",
        }
    }
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: Rule,
    /// How, with ids as clients see them.
    pub message: String,
}

/// All that is wrong with a payment.
pub fn faults(rows: &PaymentRows) -> Vec<Fault> {
    let Some(currency) = Currency::from_code(&rows.payment.currency) else {
        let message = format!("the payment is in {:?}, which is no currency", rows.payment.currency);
        return vec![Fault { rule: Rule::OnePayment, message }];
    };
    let mut check = Check { rows, currency, faults: Vec::new() };
    check.belongings();
    check.amounts();
    check.plans();
    check.history();
    check.faults
}

struct Check<'a> {
    rows: &'a PaymentRows,
    currency: Currency,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn tell(&mut self, rule: Rule, message: impl Display) {
        self.faults.push(Fault { rule, message: message.to_string() });
    }

    /// `found` is what a row says, `expected` what others make of it.
    fn amount(&mut self, rule: Rule, (what, found): (impl Display, i128), (why, expected): (impl Display, i128)) {
        if found != expected {
            let (found, expected) = (self.major(found), self.major(expected));
            self.tell(rule, format_args!("{what} is {found}, but {why} {expected}"));
        }
    }

    /// In major units.
    fn major(&self, minor: i128) -> impl Display + use<> {
        Money { minor, currency: self.currency }.amount()
    }

    /// Every row is of the payment, its account and its currency.
    fn belongings(&mut self) {
        let rows = self.rows;
        let payment = &rows.payment;
        for row in &rows.plans {
            self.belongs(format_args!("plan revision {}", row.revision), row.account_id, None);
        }
        for row in &rows.installments {
            self.belongs(row.id.global(), row.account_id, Some(&row.currency));
        }
        for row in &rows.receipts {
            self.belongs(row.id.global(), row.account_id, Some(&row.currency));
        }
        for row in &rows.refunds {
            self.belongs(row.id.global(), row.account_id, Some(&row.currency));
            if !rows.receipts.iter().any(|receipt| receipt.id == row.receipt_id) {
                let message =
                    format!("{} is of {}, a receipt of another payment", row.id.global(), row.receipt_id.global());
                self.tell(Rule::OnePayment, message);
            }
        }
        for row in &rows.lines {
            self.belongs(format_args!("line {}", row.position), row.account_id, Some(&row.currency));
        }
        for row in &rows.events {
            self.belongs(format_args!("event {}", row.sequence), row.account_id, None);
        }
        for row in &rows.allocations {
            let name = Allocation(row);
            self.belongs(&name, row.account_id, Some(&row.currency));
            if !rows.receipts.iter().any(|receipt| receipt.id == row.receipt_id) {
                self.tell(Rule::OnePayment, format_args!("{name} comes from a receipt of another payment"));
            }
            if !rows.installments.iter().any(|installment| installment.id == row.installment_id) {
                self.tell(Rule::OnePayment, format_args!("{name} is on an installment of another payment"));
            }
        }
        let owners = (rows.plans.iter().map(|row| row.payment_id))
            .chain(rows.installments.iter().map(|row| row.payment_id))
            .chain(rows.receipts.iter().map(|row| row.payment_id))
            .chain(rows.refunds.iter().map(|row| row.payment_id))
            .chain(rows.lines.iter().map(|row| row.payment_id))
            .chain(rows.events.iter().map(|row| row.payment_id));
        let strangers = owners.filter(|owner| *owner != payment.id).count();
        if strangers > 0 {
            self.tell(Rule::OnePayment, format_args!("{strangers} rows are of another payment"));
        }
    }

    fn belongs(&mut self, what: impl Display, account: AccountId, currency: Option<&String>) {
        let payment = &self.rows.payment;
        if account != payment.account_id {
            self.tell(Rule::OnePayment, format_args!("{what} is of another account"));
        }
        if let Some(currency) = currency.filter(|currency| **currency != payment.currency) {
            let message = format!("{what} is in {currency:?}, and the payment in {}", payment.currency);
            self.tell(Rule::OnePayment, message);
        }
    }
}

/// Names an allocation, for which clients have no id.
struct Allocation<'a>(&'a allocation::Model);

impl Display for Allocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the allocation of {} on {}", self.0.receipt_id.global(), self.0.installment_id.global())
    }
}

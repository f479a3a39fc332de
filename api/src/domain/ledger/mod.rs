//! What a change does to a payment: decided here, on rows in memory, and nowhere else.
//!
//! A [`Ledger`] holds the rows of one payment that a change may touch. A change is checked first and made then, so
//! that a refusal leaves the ledger as it was. What it made is in a [`Change`], which the store writes in one
//! transaction. Every amount is in minor units of the payment's currency.
//!
//! The rules, where several readings are possible:
//!
//! * A reversed receipt keeps its row and its amount, holds no allocations, has nothing unallocated, and counts
//!   in nothing. One that was refunded in part cannot be reversed: that money has left.
//! * A refund takes from the unallocated part of its own receipt first, so that the reversal of another receipt
//!   never leaves a negative credit.
//! * The installments of a payment that was written off stay as they are; only the payment says that nobody waits
//!   for them. When a receipt of such a payment is reversed, what it had paid is given up as well: the state is
//!   final.
//! * A cancelled payment owes nothing, and its installments are void.
//! * An installment that a new plan closed at what it held is open again when the receipt that paid it is
//!   reversed, and falls due on its old day.

pub mod check;
mod close;
mod create;
mod event;
mod plan;
mod receipt;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    allocation, installment, installment_plan, payment, payment_event, payment_line, receipt as receipts, refund,
};
use uuid::Uuid;

pub use create::{NewLine, NewPayment};
pub use event::{GENESIS, hash_of, is_chain};
pub use receipt::{Allocate, Fx, NewReceipt};

use super::currency::Currency;
use super::money::Money;
use super::rejection::Rejection;

#[cfg(test)]
mod tests;

/// Who makes a change and when, and where new ids come from.
pub struct Scribe<'a> {
    /// When the change is recorded, in whole microseconds.
    pub at: DateTime<Utc>,
    /// The subject of a token, or the name of a program.
    pub actor: &'a str,
    /// The request that asks for it.
    pub request_id: Option<&'a str>,
    /// A new id each time.
    pub ids: &'a mut (dyn FnMut() -> Uuid + Send),
}

/// The rows of one payment that a change may touch.
///
/// All installments with something outstanding are there; others only when the change is about them.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The payment.
    pub payment: payment::Model,
    /// The currency of every amount.
    pub currency: Currency,
    /// The revision of the current plan.
    pub revision: i32,
    /// Installments, in the order in which they fall due.
    pub installments: Vec<installment::Model>,
    /// The receipts that the change is about.
    pub receipts: Vec<receipts::Model>,
    /// The allocations of those receipts.
    pub allocations: Vec<allocation::Model>,
}

/// What a change made, for the store to write.
#[derive(Clone, Debug)]
pub struct Change {
    /// The payment as it is now.
    pub payment: payment::Model,
    /// Whether the payment is new.
    pub created: bool,
    /// A new revision of the plan.
    pub plan: Option<installment_plan::Model>,
    /// Installments that are new.
    pub new_installments: Vec<installment::Model>,
    /// Installments that were there and changed.
    pub changed_installments: Vec<installment::Model>,
    /// A receipt that is new.
    pub new_receipt: Option<receipts::Model>,
    /// A receipt that was there and changed.
    pub changed_receipt: Option<receipts::Model>,
    /// Allocations that are new.
    pub new_allocations: Vec<allocation::Model>,
    /// Allocations that are gone.
    pub freed_allocations: Vec<allocation::Model>,
    /// A refund that is new.
    pub refund: Option<refund::Model>,
    /// Lines that are new.
    pub lines: Vec<payment_line::Model>,
    /// The event.
    pub event: payment_event::Model,
}

/// What can be done to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Spread what is outstanding by a new plan.
    Reschedule,
    /// Record money that arrived.
    RecordReceipt,
    /// Undo a receipt.
    ReverseReceipt,
    /// Give money back.
    Refund,
    /// Forgive an installment, or a part of one.
    Waive,
    /// Call the payment off.
    Cancel,
    /// Give up what is outstanding.
    WriteOff,
}

/// What can be done to a payment, by its row alone. Whether a receipt can be reversed is `has_reversible`: there is
/// one that was neither reversed nor refunded.
pub fn actions(payment: &payment::Model, has_reversible: bool) -> Vec<Action> {
    let open = is_open(payment.status);
    [
        (Action::Reschedule, open),
        // Money may still arrive for what is paid already: as credit.
        (Action::RecordReceipt, open || payment.status == payment::Status::Paid),
        (Action::ReverseReceipt, payment.received > 0 && has_reversible),
        (Action::Refund, payment.received > payment.refunded),
        (Action::Waive, open),
        (Action::Cancel, may_cancel(payment)),
        (Action::WriteOff, open),
    ]
    .into_iter()
    .filter_map(|(action, allowed)| allowed.then_some(action))
    .collect()
}

/// Whether something is still owed.
pub fn is_open(status: payment::Status) -> bool {
    matches!(status, payment::Status::Open | payment::Status::PartiallyPaid)
}

/// Only when nothing was received or waived.
fn may_cancel(payment: &payment::Model) -> bool {
    payment.status == payment::Status::Open && payment.received == 0 && payment.waived == 0
}

/// The status of a payment: a function of its amounts plus the cancel and write-off flags.
pub fn status_of(payment: &payment::Model) -> payment::Status {
    use payment::Status::{Cancelled, Open, Paid, PartiallyPaid, WrittenOff};
    match payment.status {
        Cancelled => Cancelled,
        _ if payment.written_off > 0 => WrittenOff,
        _ if payment.outstanding == 0 => Paid,
        _ if payment.outstanding < payment.amount => PartiallyPaid,
        _ => Open,
    }
}

/// The status of an installment: a function of its amounts plus the void flag.
pub fn installment_status(row: &installment::Model) -> installment::Status {
    use installment::Status::{Paid, PartiallyPaid, Pending, Void, Waived};
    match row.status {
        Void => Void,
        _ if row.outstanding == 0 && row.waived > 0 => Waived,
        _ if row.outstanding == 0 => Paid,
        _ if row.allocated > 0 => PartiallyPaid,
        _ => Pending,
    }
}

impl Ledger {
    /// Checks that the caller has seen the payment as it is.
    ///
    /// # Errors
    /// [`Reason::VersionConflict`](super::rejection::Reason::VersionConflict).
    pub fn expect_version(&self, expected: Option<i32>) -> Result<(), Rejection> {
        match expected {
            Some(version) if version != self.payment.version => Err(Rejection::version_conflict(
                ["expectedVersion"],
                format!("the payment is at version {}, not {version}", self.payment.version),
                self.payment.clone(),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses what the state of the payment does not allow.
    fn invalid_state(&self, field: &str, message: impl Into<String>) -> Rejection {
        Rejection::invalid_state([field], message, self.payment.clone())
    }

    fn expect_open(&self, field: &str, verb: &str) -> Result<(), Rejection> {
        if is_open(self.payment.status) {
            return Ok(());
        }
        let state = match self.payment.status {
            payment::Status::Paid => "paid",
            payment::Status::Cancelled => "cancelled",
            _ => "written off",
        };
        Err(self.invalid_state(field, format!("the payment is {state} and cannot be {verb}")))
    }

    fn money(&self, minor: i64) -> Money {
        Money { minor: minor.into(), currency: self.currency }
    }

    /// The earliest due date of what is outstanding; `None` when nobody waits for anything.
    fn next_due_date(&self) -> Option<NaiveDate> {
        let open = self.installments.iter().filter(|row| row.outstanding > 0);
        open.map(|row| row.due_date).min().filter(|_| is_open(self.payment.status))
    }

    /// Makes the payment's row follow its amounts, and the change an event. `before` is the ledger as it was.
    fn seal(&mut self, before: &Ledger, draft: Draft, scribe: &Scribe<'_>) -> Change {
        self.payment.status = status_of(&self.payment);
        self.payment.next_due_date = self.next_due_date();
        self.payment.version = before.payment.version.saturating_add(1);
        // Clocks of replicas differ a little; the order of changes does not.
        self.payment.updated_at = scribe.at.max(before.payment.updated_at);
        let event = event::event(Some(before), self, &draft, scribe);
        self.payment.head_hash.clone_from(&event.hash);
        draft.into_change(self.payment.clone(), false, event)
    }
}

/// A change without its event.
#[derive(Debug)]
struct Draft {
    kind: payment_event::Kind,
    reason: Option<String>,
    plan: Option<installment_plan::Model>,
    new_installments: Vec<installment::Model>,
    changed_installments: Vec<installment::Model>,
    new_receipt: Option<receipts::Model>,
    changed_receipt: Option<receipts::Model>,
    new_allocations: Vec<allocation::Model>,
    freed_allocations: Vec<allocation::Model>,
    refund: Option<refund::Model>,
    lines: Vec<payment_line::Model>,
}

impl Draft {
    fn new(kind: payment_event::Kind, reason: Option<&str>) -> Self {
        Self {
            kind,
            reason: reason.map(str::to_owned),
            plan: None,
            new_installments: Vec::new(),
            changed_installments: Vec::new(),
            new_receipt: None,
            changed_receipt: None,
            new_allocations: Vec::new(),
            freed_allocations: Vec::new(),
            refund: None,
            lines: Vec::new(),
        }
    }

    fn into_change(self, payment: payment::Model, created: bool, event: payment_event::Model) -> Change {
        Change {
            payment,
            created,
            plan: self.plan,
            new_installments: self.new_installments,
            changed_installments: self.changed_installments,
            new_receipt: self.new_receipt,
            changed_receipt: self.changed_receipt,
            new_allocations: self.new_allocations,
            freed_allocations: self.freed_allocations,
            refund: self.refund,
            lines: self.lines,
            event,
        }
    }
}

impl std::fmt::Debug for Scribe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe").field("at", &self.at).field("actor", &self.actor).finish_non_exhaustive()
    }
}

//! What the events of a payment do to its amounts.
//!
//! The rules, where several readings are possible:
//!
//! * A receipt goes to the installment that falls due first. What is left when nothing is outstanding stays
//!   unallocated: credit of the payer.
//! * A reversed receipt keeps its row and its amount, holds no allocations, has nothing unallocated, and
//!   counts in nothing.
//! * A cancelled payment owes nothing, and its installments are void.
//! * The installments of a payment that was written off stay as they were: what was given up is still
//!   outstanding on them, and only the payment says that nobody waits for it. Its next due date is `None`.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::{installment, payment};

use super::story::{Dated, Event};
use crate::domain::plan::PlannedPart;

/// A payment's amounts after what has happened so far.
#[derive(Debug)]
pub(super) struct Ledger {
    pub parts: Vec<Part>,
    pub receipts: Vec<Arrival>,
    pub written_off: i64,
    pub cancelled: bool,
    /// How many changes there were.
    pub changes: i32,
    /// When the last of them was, or the creation.
    pub changed_at: DateTime<Utc>,
}

/// An installment's amounts.
#[derive(Debug)]
pub(super) struct Part {
    pub planned: PlannedPart,
    pub allocated: i64,
    pub waived: i64,
    pub settled_at: Option<DateTime<Utc>>,
}

/// A receipt.
#[derive(Debug)]
pub(super) struct Arrival {
    key: usize,
    pub amount: i64,
    pub received_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub reversed_at: Option<DateTime<Utc>>,
    /// Positions of parts, and what is on them.
    pub allocations: Vec<(usize, i64)>,
}

impl Part {
    /// Still due.
    pub(super) fn outstanding(&self) -> i64 {
        self.planned.amount - self.allocated - self.waived
    }

    /// A function of the amounts.
    pub(super) fn status(&self) -> installment::Status {
        use installment::Status::{Paid, PartiallyPaid, Pending, Waived};
        match (self.outstanding(), self.allocated, self.waived) {
            (0, _, 0) => Paid,
            (0, _, _) => Waived,
            (_, 0, _) => Pending,
            _ => PartiallyPaid,
        }
    }

    fn settle(&mut self, at: DateTime<Utc>) {
        if self.outstanding() == 0 {
            self.settled_at = Some(at);
        }
    }
}

impl Arrival {
    /// The part that is on no installment.
    pub(super) fn unallocated(&self) -> i64 {
        let allocated: i64 = self.allocations.iter().map(|(_, amount)| amount).sum();
        if self.reversed_at.is_some() { 0 } else { self.amount - allocated }
    }
}

impl Ledger {
    /// A payment of which nothing has happened.
    pub(super) fn new(planned: &[PlannedPart], created_at: DateTime<Utc>) -> Self {
        let part = |planned: &PlannedPart| Part { planned: planned.clone(), allocated: 0, waived: 0, settled_at: None };
        Self {
            parts: planned.iter().map(part).collect(),
            receipts: Vec::new(),
            written_off: 0,
            cancelled: false,
            changes: 0,
            changed_at: created_at,
        }
    }

    /// Lets happen what happens before `end`. No two changes are at the same time.
    pub(super) fn run(&mut self, events: &[Dated], end: DateTime<Utc>) {
        for (at, event) in events {
            let at = (*at).max(self.changed_at + TimeDelta::seconds(1));
            let known_at = match event {
                Event::Receive { recorded_after, .. } => at + *recorded_after,
                _ => at,
            };
            if known_at >= end {
                break;
            }
            let changed = match *event {
                Event::Receive { key, amount, surplus, .. } => self.receive(key, amount, surplus, (at, known_at)),
                Event::Reverse { key } => self.reverse(key, at),
                Event::Waive { part, amount } => self.waive(part, amount, at),
                Event::Cancel => self.cancel(),
                Event::WriteOff => self.write_off(),
            };
            if changed {
                self.changes += 1;
                self.changed_at = known_at;
            }
        }
    }

    /// What is still owed.
    pub(super) fn outstanding(&self) -> i64 {
        if self.cancelled { 0 } else { self.parts.iter().map(Part::outstanding).sum::<i64>() - self.written_off }
    }

    /// What is on installments.
    pub(super) fn allocated(&self) -> i64 {
        self.parts.iter().map(|part| part.allocated).sum()
    }

    /// What was forgiven.
    pub(super) fn waived(&self) -> i64 {
        self.parts.iter().map(|part| part.waived).sum()
    }

    /// What arrived and was not reversed.
    pub(super) fn received(&self) -> i64 {
        self.receipts.iter().filter(|receipt| receipt.reversed_at.is_none()).map(|receipt| receipt.amount).sum()
    }

    /// What arrived beyond what was owed.
    pub(super) fn credit(&self) -> i64 {
        self.receipts.iter().map(Arrival::unallocated).sum()
    }

    /// A function of the amounts plus the cancel and write-off flags.
    pub(super) fn status(&self) -> payment::Status {
        use payment::Status::{Cancelled, Open, Paid, PartiallyPaid, WrittenOff};
        if self.cancelled {
            Cancelled
        } else if self.written_off > 0 {
            WrittenOff
        } else if self.outstanding() == 0 {
            Paid
        } else if self.allocated() + self.waived() > 0 {
            PartiallyPaid
        } else {
            Open
        }
    }

    /// The earliest due date with something outstanding; `None` when nobody waits for anything.
    pub(super) fn next_due_date(&self) -> Option<NaiveDate> {
        let due = self.parts.iter().filter(|part| part.outstanding() > 0).map(|part| part.planned.due_date).min();
        due.filter(|_| self.outstanding() > 0)
    }

    /// `at` is when it arrived, and when it was recorded.
    fn receive(&mut self, key: usize, amount: i64, surplus: i64, at: (DateTime<Utc>, DateTime<Utc>)) -> bool {
        let outstanding = self.outstanding();
        if outstanding == 0 {
            return false;
        }
        let amount = if amount < outstanding { amount } else { outstanding + surplus };
        let mut rest = amount;
        let mut allocations = Vec::new();
        // The parts of a plan are in the order of their due dates.
        for (position, part) in self.parts.iter_mut().enumerate() {
            let take = rest.min(part.outstanding());
            if take > 0 {
                part.allocated += take;
                part.settle(at.0);
                allocations.push((position, take));
                rest -= take;
            }
        }
        let (received_at, recorded_at) = at;
        self.receipts.push(Arrival { key, amount, received_at, recorded_at, reversed_at: None, allocations });
        true
    }

    /// The debt is open again.
    fn reverse(&mut self, key: usize, at: DateTime<Utc>) -> bool {
        let Some(receipt) = self.receipts.iter_mut().find(|receipt| receipt.key == key) else { return false };
        receipt.reversed_at = Some(at);
        for (position, amount) in receipt.allocations.drain(..) {
            if let Some(part) = self.parts.get_mut(position) {
                part.allocated -= amount;
                part.settled_at = None;
            }
        }
        true
    }

    fn waive(&mut self, part: usize, amount: i64, at: DateTime<Utc>) -> bool {
        let Some(part) = self.parts.get_mut(part) else { return false };
        let amount = amount.min(part.outstanding());
        part.waived += amount;
        if amount > 0 {
            part.settle(at);
        }
        amount > 0
    }

    fn cancel(&mut self) -> bool {
        self.cancelled = true;
        true
    }

    fn write_off(&mut self) -> bool {
        self.written_off = self.outstanding();
        self.written_off > 0
    }
}

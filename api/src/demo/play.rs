//! Plays a story on the ledger of the domain, which makes every row and every event.

use chrono::{DateTime, TimeDelta, Utc};
use entity::ids::{InstallmentId, ReceiptId};
use entity::installment::Kind;
use entity::installment_plan::Remainder;
use entity::receipt;
use uuid::{Builder, Uuid};

use super::calendar;
use super::currencies::DemoCurrency;
use super::dice::Dice;
use super::rates;
use super::story::{Dated, Event, Terms};
use crate::domain::ledger::check::PaymentRows;
use crate::domain::ledger::{Allocate, Change, Ledger, NewPayment, NewReceipt, Scribe};
use crate::domain::money::Money;
use crate::domain::plan::{EvenTerms, ExplicitPart, PlanTerms, plan};

/// Who made the demo's changes.
const ACTOR: &str = "demo";

const LETTER_OF_CREDIT: (&str, &str) = ("LETTER_OF_CREDIT", "LC");

/// What a payment is made with, beside its story.
pub(super) struct Props<'a> {
    /// The random numbers of the payment.
    pub dice: &'a mut Dice,
    /// Keeps the ids of two accounts apart.
    pub salt: u64,
    /// The currency.
    pub currency: &'static DemoCurrency,
    /// How the external references of its receipts end, but for a number.
    pub label: String,
}

/// Makes the payment at `created_at`, and lets happen to it what happens before `end`. No two changes are at the same
/// time.
pub(super) fn play(
    props: Props<'_>,
    new: &NewPayment,
    created_at: DateTime<Utc>,
    story: &[Dated],
    end: DateTime<Utc>,
) -> PaymentRows {
    let Props { dice, salt, currency, label } = props;
    let mut desk = Desk { dice, salt };
    let (ledger, created) = desk.change(created_at, |scribe| Ledger::create(scribe, new));
    // A letter of credit is opened for the whole payment, and only a large one is worth the fees.
    let letter = !currency.is_domestic() && !currency.below_dollars(new.amount, 50_000) && desk.dice.chance(350);
    let first_plan = ledger.installments.iter().map(|row| row.id).collect();
    let mut stage = Stage { desk, currency, label, letter, ledger, first_plan, keys: Vec::new() };
    let mut changes = vec![created];
    for (at, event) in story {
        let at = (*at).max(stage.ledger.payment.updated_at + TimeDelta::seconds(1));
        let known_at = match event {
            Event::Receive { recorded_after, .. } => at + *recorded_after,
            _ => at,
        };
        if known_at >= end {
            break;
        }
        changes.extend(stage.happens(event, at, known_at));
    }
    PaymentRows::after(stage.ledger, changes)
}

/// Hands out ids.
struct Desk<'a> {
    dice: &'a mut Dice,
    salt: u64,
}

impl Desk<'_> {
    fn change<T>(&mut self, at: DateTime<Utc>, change: impl FnOnce(&mut Scribe<'_>) -> T) -> T {
        let mut position = 0;
        let mut ids = || {
            position += 1;
            self.id(at, position)
        };
        change(&mut Scribe { at, actor: ACTOR, request_id: None, ids: &mut ids })
    }

    /// A UUIDv7 of `at`. Ids of one time rise with `position`; the rest is random.
    fn id(&mut self, at: DateTime<Utc>, position: u16) -> Uuid {
        let random = self.dice.bits() ^ self.salt;
        let mut bytes = [0; 10];
        let (counter, rest) = bytes.split_at_mut(2);
        // Twelve bits, which the version leaves of these two bytes.
        counter.copy_from_slice(&(position & 0x0fff).to_be_bytes());
        rest.copy_from_slice(&random.to_be_bytes());
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// A payment on its way.
struct Stage<'a> {
    desk: Desk<'a>,
    currency: &'static DemoCurrency,
    label: String,
    letter: bool,
    ledger: Ledger,
    /// The installments that the story knows.
    first_plan: Vec<InstallmentId>,
    /// The receipts that the story knows, by their keys.
    keys: Vec<(usize, ReceiptId)>,
}

impl Stage<'_> {
    /// What an event did. `None` when by then there was nothing left for it to do, or the ledger refused it.
    fn happens(&mut self, event: &Event, at: DateTime<Utc>, known_at: DateTime<Utc>) -> Option<Change> {
        let (desk, ledger) = (&mut self.desk, &mut self.ledger);
        match event {
            Event::Receive { key, amount, surplus, .. } => self.receive(*key, *amount, *surplus, (at, known_at)),
            Event::Reverse { key } => {
                let (_, id) = *self.keys.iter().find(|(known, _)| known == key)?;
                desk.change(at, |scribe| ledger.reverse_receipt(scribe, id, "The transfer bounced")).ok()
            }
            Event::Refund { amount } => self.refund(*amount, at),
            Event::Reschedule(terms) => {
                let terms = self.terms(terms)?;
                let plan = plan(self.ledger.reschedulable().ok()?, &terms).ok()?;
                let reason = "Agreed with the buyer after a missed due date";
                self.desk.change(at, |scribe| self.ledger.reschedule(scribe, &plan, reason)).ok()
            }
            Event::Waive { part, amount } => {
                let id = *self.first_plan.get(*part)?;
                let row = ledger.installments.iter().find(|row| row.id == id)?;
                let amount = Money::new((*amount).min(row.outstanding).into(), ledger.currency);
                desk.change(at, |scribe| ledger.waive_installment(scribe, id, Some(amount), "Goodwill")).ok()
            }
            Event::Cancel => desk.change(at, |scribe| ledger.cancel(scribe, "Called off by the buyer")).ok(),
            Event::WriteOff => desk.change(at, |scribe| ledger.write_off(scribe, "The buyer is insolvent")).ok(),
        }
    }

    /// `at` is when it arrived, and when it was recorded.
    fn receive(
        &mut self,
        key: usize,
        amount: Option<i64>,
        surplus: i64,
        (received_at, recorded_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Option<Change> {
        let outstanding = self.ledger.payment.outstanding;
        let next = self.ledger.installments.iter().map(|row| row.outstanding).find(|outstanding| *outstanding > 0)?;
        let amount = amount.unwrap_or(next);
        // Nobody pays for what is paid.
        if outstanding == 0 {
            return None;
        }
        let amount = if amount < outstanding { amount } else { outstanding + surplus };
        let (method, prefix) = if self.letter { LETTER_OF_CREDIT } else { self.method(amount) };
        let arrived = calendar::day_of(received_at);
        let number = self.ledger.receipts.len() + 1;
        let new = NewReceipt {
            amount,
            currency: self.ledger.currency,
            received_at,
            method: method.to_owned(),
            external_reference: Some(format!("{prefix}{}-{}-{number}", arrived.format("%y%m%d"), self.label)),
            allocate: Allocate::OldestDueFirst,
            allow_credit: true,
            fx: rates::on(self.currency.code, arrived),
        };
        let change = self.desk.change(recorded_at, |scribe| self.ledger.record_receipt(scribe, &new)).ok()?;
        self.keys.extend(change.new_receipt.as_ref().map(|row| (key, row.id)));
        Some(change)
    }

    /// How so much arrives, and how the bank's name for it begins.
    fn method(&mut self, amount: i64) -> (&'static str, &'static str) {
        let (dice, currency) = (&mut self.desk.dice, self.currency);
        // The most that one QRIS payment may be.
        if currency.is_domestic() && amount <= 10_000_000 * currency.minor_per_major && dice.chance(400) {
            ("QRIS", "QR")
        } else if currency.below_dollars(amount, 5_000) && dice.chance(200) {
            ("CARD", "CC")
        } else {
            ("BANK_TRANSFER", "TT")
        }
    }

    fn refund(&mut self, amount: Option<i64>, at: DateTime<Utc>) -> Option<Change> {
        let left = |row: &receipt::Model| row.unallocated - row.refunded;
        let kept = self.ledger.receipts.iter().rev().filter(|row| row.reversed_at.is_none());
        let (id, amount, reason) = match amount {
            None => {
                let row = kept.into_iter().find(|row| left(row) > 0)?;
                (row.id, left(row), "Paid more than was owed")
            }
            Some(amount) => {
                let row = kept.into_iter().next()?;
                (row.id, amount.min(row.amount - row.refunded), "Goods came back")
            }
        };
        let amount = Money::new(amount.into(), self.ledger.currency);
        self.desk.change(at, |scribe| self.ledger.refund_receipt(scribe, id, amount, reason)).ok()
    }

    /// The terms, now that what is outstanding is known.
    fn terms(&self, terms: &Terms) -> Option<PlanTerms> {
        match terms {
            Terms::Even { count, first, frequency } => Some(PlanTerms::Even(EvenTerms {
                count: *count,
                first_due_date: *first,
                frequency: *frequency,
                deposit: None,
                remainder: Remainder::Last,
                rounding_unit: None,
            })),
            Terms::ByHand(shares) => {
                let unit = self.currency.settlement_unit;
                let mut rest = self.ledger.payment.outstanding;
                let last = shares.len().checked_sub(1)?;
                let parts = shares.iter().enumerate().map(|(at, (percent, due_date))| {
                    let share = self.ledger.payment.outstanding * percent / 100 / unit * unit;
                    let amount = if at == last { rest } else { share };
                    rest -= amount;
                    let amount = Money::new(amount.into(), self.ledger.currency).amount();
                    ExplicitPart { amount, due_date: *due_date, kind: Kind::Installment }
                });
                Some(PlanTerms::Explicit(parts.collect()))
            }
        }
    }
}

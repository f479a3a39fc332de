//! What happens to a payment after it was agreed.
//!
//! A story tells what everybody means to do, far beyond the anchor day. [`super::play`] finds out what of it has
//! happened by then, and has the ledger decide what it did to the amounts.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::installment_plan::Frequency;

use super::calendar::{day_of, office_hours};
use super::dice::Dice;
use crate::domain::plan::{PlannedPart, due_date};

/// Something that happens to a payment.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Money arrives: at most what is outstanding, and `surplus` beyond it when that settles the payment.
    Receive {
        /// Names the receipt in its payment.
        key: usize,
        /// What the payer means to pay; `None` for what falls due next.
        amount: Option<i64>,
        /// What they pay beyond what they owe.
        surplus: i64,
        /// How long it takes until somebody records it.
        recorded_after: TimeDelta,
    },
    /// The receipt of this key bounces.
    Reverse {
        /// Names the receipt.
        key: usize,
    },
    /// Money is given back: so much of the newest receipt, or with `None` all that was paid beyond what was owed.
    Refund {
        /// How much.
        amount: Option<i64>,
    },
    /// What is outstanding is spread by another plan.
    Reschedule(Terms),
    /// A part is forgiven: at most so much of what is outstanding of it.
    Waive {
        /// Position of the part in the first plan, from 0.
        part: usize,
        /// How much.
        amount: i64,
    },
    /// The payment is called off. Nothing happens after it.
    Cancel,
    /// The rest is given up. Nothing happens after it.
    WriteOff,
}

/// What is agreed when a plan was not kept.
#[derive(Clone, Debug)]
pub(super) enum Terms {
    /// Parts of the same amount.
    Even {
        /// How many.
        count: i32,
        /// When the first falls due.
        first: NaiveDate,
        /// How far apart they are.
        frequency: Frequency,
    },
    /// So many percent on each of these days, and the rest on the last of them.
    ByHand(Vec<(i64, NaiveDate)>),
}

/// An event and when it happens.
pub(super) type Dated = (DateTime<Utc>, Event);

/// How a payment is meant to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ordinary,
    Cancelled,
    WrittenOff,
    Waived,
    Overpaid,
}

/// Invents a story, in the order of time. Amounts are multiples of `unit`.
pub(super) fn draw(dice: &mut Dice, parts: &[PlannedPart], unit: i64, created_at: DateTime<Utc>) -> Vec<Dated> {
    // More than end that way: part of it lies beyond the anchor day.
    let fates = [
        (890, Fate::Ordinary),
        (30, Fate::Cancelled),
        (12, Fate::WrittenOff),
        (33, Fate::Waived),
        (35, Fate::Overpaid),
    ];
    let fate = dice.weighted(&fates, Fate::Ordinary);
    let mut teller = Teller { dice, unit, created: day_of(created_at), events: Vec::new() };
    match fate {
        Fate::Cancelled => teller.cancel(),
        Fate::WrittenOff => teller.bad_debt(parts),
        Fate::Ordinary | Fate::Waived | Fate::Overpaid => {
            let total: i64 = parts.iter().map(|part| part.amount).sum();
            let surplus = if fate == Fate::Overpaid { teller.percent_of(total, 1, 4) } else { 0 };
            teller.payments(parts, surplus);
            match fate {
                Fate::Waived => teller.waive(parts),
                Fate::Overpaid => teller.return_surplus(),
                _ => teller.return_goods(total),
            }
        }
    }
    let mut events = teller.events;
    events.sort_by_key(|(at, _)| *at);
    events
}

struct Teller<'a> {
    dice: &'a mut Dice,
    unit: i64,
    created: NaiveDate,
    events: Vec<Dated>,
}

impl Teller<'_> {
    fn cancel(&mut self) {
        let at = self.days_after(self.created, 1, 20);
        self.events.push((at, Event::Cancel));
    }

    /// Little or nothing arrives, and months later the rest is given up.
    fn bad_debt(&mut self, parts: &[PlannedPart]) {
        let paid = self.dice.index(parts.len().min(3));
        for part in parts.iter().take(paid) {
            let at = self.days_after(part.due_date, 0, 30);
            self.receive(at, Some(part.amount), 0);
        }
        let unpaid = parts.get(paid).map_or(self.created, |part| part.due_date);
        let at = self.days_after(unpaid, 60, 150);
        self.events.push((at, Event::WriteOff));
    }

    /// All or part of an installment is forgiven, most often of the last.
    fn waive(&mut self, parts: &[PlannedPart]) {
        let last = parts.len().saturating_sub(1);
        let part = if self.dice.chance(700) { last } else { self.dice.index(parts.len()) };
        let Some(planned) = parts.get(part) else { return };
        // A payment of a single part is never forgiven whole.
        let amount =
            if last > 0 && self.dice.chance(600) { planned.amount } else { self.percent_of(planned.amount, 10, 50) };
        let at = self.days_after(planned.due_date, -20, 5);
        self.events.push((at, Event::Waive { part, amount }));
    }

    /// Money arrives around the due dates; now and then for several parts at once, in two goes, or never.
    fn payments(&mut self, parts: &[PlannedPart], surplus: i64) {
        let mut rest = parts;
        while let Some(part) = rest.first() {
            let together = self.dice.weighted(&[(900, 1), (70, 2), (30, 3)], 1).min(rest.len());
            let (now, later) = rest.split_at(together);
            let sum = now.iter().map(|part| part.amount).sum();
            let surplus = if later.is_empty() { surplus } else { 0 };
            rest = later;
            match self.dice.index(1000) {
                ..470 => self.pay(part.due_date, (-3, 1), sum, surplus),
                470..600 => self.pay(part.due_date, (-14, -4), sum, surplus),
                600..850 => self.pay(part.due_date, (3, 45), sum, surplus),
                850..955 => {
                    let first = self.percent_of(sum, 30, 80);
                    self.pay(part.due_date, (-2, 10), first, 0);
                    if self.dice.chance(850) {
                        self.pay(part.due_date, (20, 60), sum - first, surplus);
                    }
                }
                // Left out; what comes later pays for it first.
                955..990 => {}
                _ => {
                    if parts.len() > 1 && self.dice.chance(650) {
                        self.agree_anew(part.due_date);
                    }
                    break;
                }
            }
        }
    }

    /// A receipt so many days around a due date, which bounces now and then and mostly comes again.
    fn pay(&mut self, due: NaiveDate, days: (i64, i64), amount: i64, surplus: i64) {
        let at = self.days_after(due, days.0, days.1);
        let key = self.receive(at, Some(amount), surplus);
        if self.dice.chance(10) {
            let bounced = self.days_after(day_of(at), 1, 7);
            self.events.push((bounced, Event::Reverse { key }));
            if self.dice.chance(750) {
                let again = self.days_after(day_of(bounced), 2, 15);
                self.receive(again, Some(amount), surplus);
            }
        }
    }

    /// Weeks after a due date was missed, another plan is agreed, and mostly kept.
    fn agree_anew(&mut self, missed: NaiveDate) {
        let at = self.days_after(missed, 14, 50);
        let first = day_of(at) + TimeDelta::days(self.dice.between(7, 30));
        let count = self.dice.between(2, 6);
        let (terms, days) = if self.dice.chance(650) {
            let frequency =
                self.dice.weighted(&[(70, Frequency::Monthly), (30, Frequency::Biweekly)], Frequency::Monthly);
            let days = (0..).map_while(|at| due_date(first, frequency, at)).map(|due| due.day);
            let days: Vec<_> = days.zip(0..count).map(|(day, _)| day).collect();
            (Terms::Even { count: i32::try_from(count).unwrap_or(1), first, frequency }, days)
        } else {
            // As the buyer expects money: so much now, so much then.
            let middle = first + TimeDelta::days(self.dice.between(10, 40));
            let last = middle + TimeDelta::days(self.dice.between(10, 60));
            let shares = [self.dice.between(2, 5) * 10, self.dice.between(1, 4) * 10, 0];
            let days = vec![first, middle, last];
            (Terms::ByHand(shares.into_iter().zip(days.iter().copied()).collect()), days)
        };
        self.events.push((at, Event::Reschedule(terms)));
        for day in days {
            if self.dice.chance(850) {
                let paid = self.days_after(day, -3, 4);
                self.receive(paid, None, 0);
            }
        }
    }

    /// What was paid beyond what was owed is given back in every other case; the rest stays as credit.
    fn return_surplus(&mut self) {
        if let Some(paid) = self.last_receipt().filter(|_| self.dice.chance(500)) {
            let at = self.days_after(paid, 3, 25);
            self.events.push((at, Event::Refund { amount: None }));
        }
    }

    /// A part of the goods comes back after it was paid, once in a while.
    fn return_goods(&mut self, total: i64) {
        if let Some(paid) = self.last_receipt().filter(|_| self.dice.chance(15)) {
            let amount = self.percent_of(total, 2, 15);
            let at = self.days_after(paid, 5, 40);
            self.events.push((at, Event::Refund { amount: Some(amount) }));
        }
    }

    /// The day on which money is to arrive for the last time.
    fn last_receipt(&self) -> Option<NaiveDate> {
        let receipts = self.events.iter().filter(|(_, event)| matches!(event, Event::Receive { .. }));
        receipts.map(|(at, _)| day_of(*at)).max()
    }

    fn receive(&mut self, at: DateTime<Utc>, amount: Option<i64>, surplus: i64) -> usize {
        let key = self.events.len();
        let recorded_after = TimeDelta::microseconds(self.dice.between(30_000_000, 3_600_000_000 * 4));
        self.events.push((at, Event::Receive { key, amount, surplus, recorded_after }));
        key
    }

    /// In office hours so many days after `day`, and not before the day after the creation.
    fn days_after(&mut self, day: NaiveDate, low: i64, high: i64) -> DateTime<Utc> {
        let day = day + TimeDelta::days(self.dice.between(low, high));
        office_hours(day.max(self.created + TimeDelta::days(1)), self.dice)
    }

    /// So many percent of an amount in whole units, one at least.
    fn percent_of(&mut self, amount: i64, low: i64, high: i64) -> i64 {
        (amount * self.dice.between(low, high) / 100 / self.unit).max(1) * self.unit
    }
}

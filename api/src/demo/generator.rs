//! The rows of one payment.

use chrono::{DateTime, Datelike, Utc};
use entity::ids::{AccountId, AllocationId, InstallmentId, InstallmentPlanId, PaymentId, PaymentLineId, ReceiptId};
use entity::{allocation, installment, installment_plan, payment, payment_line, receipt};
use uuid::{Builder, Uuid};

use super::calendar;
use super::currencies::DemoCurrency;
use super::dice::Dice;
use super::ledger::{Arrival, Ledger, Part};
use super::order::{Line, Order};
use super::{plan, story};
use crate::domain::plan::Plan;

#[cfg(test)]
mod tests;

/// Makes the payments of one seed.
#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    account: AccountId,
    /// The seed as it stands in references.
    label: String,
    /// Keeps the ids of two accounts apart, so that both can hold the same seed.
    salt: u64,
}

/// A payment with everything that belongs to it, each list in its natural order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoPayment {
    /// The payment.
    pub payment: payment::Model,
    /// Its plan, of which there is one.
    pub plan: installment_plan::Model,
    /// Its installments, in due-date order.
    pub installments: Vec<installment::Model>,
    /// What arrived, in order of arrival.
    pub receipts: Vec<receipt::Model>,
    /// What of it is on which installment, by receipt and then by installment.
    pub allocations: Vec<allocation::Model>,
    /// What was sold, by position.
    pub lines: Vec<payment_line::Model>,
}

impl Generator {
    /// The payments of `seed`, which belong to `account`.
    pub fn new(seed: u64, account: AccountId) -> Self {
        let (high, low) = account.0.as_u64_pair();
        Self { seed, account, label: base_36(seed), salt: high ^ low }
    }

    /// The account that the payments belong to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The reference of payment `n`, such as `INV/2025/1/000123`: the year, the seed in base 36, and `n`.
    pub fn reference(&self, n: u64) -> String {
        self.reference_of(n, self.created_at(n))
    }

    /// When payment `n` was created.
    pub(super) fn created_at(&self, n: u64) -> DateTime<Utc> {
        calendar::creation(&mut Dice::new(self.seed, n))
    }

    /// Payment `n`, counted from 0. It depends on the seed, the account and `n`, and on nothing else.
    pub fn payment(&self, n: u64) -> DemoPayment {
        let mut dice = Dice::new(self.seed, n);
        let created_at = calendar::creation(&mut dice);
        let order = Order::draw(&mut dice);
        let amount = order.amount();
        let plan = plan::draw(&mut dice, order.currency, amount, calendar::day_of(created_at));
        let story = story::draw(&mut dice, &plan.parts, order.currency.settlement_unit, created_at);
        let mut ledger = Ledger::new(&plan.parts, created_at);
        ledger.run(&story, calendar::end());

        let mut rows =
            Rows { generator: self, n, dice, created_at, currency: order.currency, payment_id: PaymentId(Uuid::nil()) };
        let payment = rows.payment(&order, amount, &ledger);
        let plan = rows.plan(&plan);
        let installments = rows.installments(&ledger);
        let receipts = rows.receipts(&ledger);
        let allocations = rows.allocations(&ledger, &receipts, &installments);
        let lines = rows.lines(&order.lines);
        DemoPayment { payment, plan, installments, receipts, allocations, lines }
    }

    fn reference_of(&self, n: u64, created_at: DateTime<Utc>) -> String {
        format!("INV/{}/{}/{n:06}", calendar::day_of(created_at).year(), self.label)
    }
}

/// Makes the rows of one payment, one table after the other.
struct Rows<'a> {
    generator: &'a Generator,
    n: u64,
    dice: Dice,
    created_at: DateTime<Utc>,
    currency: &'static DemoCurrency,
    payment_id: PaymentId,
}

impl Rows<'_> {
    /// A UUIDv7 of `at`. Ids of one time rise with `position`; the rest is random.
    fn id(&mut self, at: DateTime<Utc>, position: usize) -> Uuid {
        let random = self.dice.bits() ^ self.generator.salt;
        // Twelve bits for the position, which the version leaves of these two bytes.
        let position = u16::try_from(position).unwrap_or(u16::MAX) & 0x0fff;
        let mut bytes = [0; 10];
        let (counter, rest) = bytes.split_at_mut(2);
        counter.copy_from_slice(&position.to_be_bytes());
        rest.copy_from_slice(&random.to_be_bytes());
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    fn payment(&mut self, order: &Order, amount: i64, ledger: &Ledger) -> payment::Model {
        self.payment_id = PaymentId(self.id(self.created_at, 0));
        payment::Model {
            id: self.payment_id,
            account_id: self.generator.account,
            reference: self.generator.reference_of(self.n, self.created_at),
            payer_name: order.payer_name.map(str::to_owned),
            description: order.description.clone(),
            currency: self.currency.code.to_owned(),
            amount,
            allocated: ledger.allocated(),
            waived: ledger.waived(),
            written_off: ledger.written_off,
            outstanding: ledger.outstanding(),
            received: ledger.received(),
            refunded: 0,
            credit: ledger.credit(),
            status: ledger.status(),
            time_zone: order.time_zone.to_owned(),
            next_due_date: ledger.next_due_date(),
            version: 1 + ledger.changes,
            head_hash: crate::domain::ledger::GENESIS.to_owned(),
            created_at: self.created_at,
            updated_at: ledger.changed_at,
        }
    }

    fn plan(&mut self, plan: &Plan) -> installment_plan::Model {
        installment_plan::Model {
            id: InstallmentPlanId(self.id(self.created_at, 0)),
            account_id: self.generator.account,
            payment_id: self.payment_id,
            revision: 1,
            frequency: plan.frequency,
            count: number(plan.parts.len()),
            remainder: plan.remainder,
            rounding_unit: plan.rounding_unit,
            created_at: self.created_at,
        }
    }

    fn installments(&mut self, ledger: &Ledger) -> Vec<installment::Model> {
        let row = |(at, part): (usize, &Part)| installment::Model {
            id: InstallmentId(self.id(self.created_at, at)),
            account_id: self.generator.account,
            payment_id: self.payment_id,
            plan_revision: 1,
            sequence: number(at + 1),
            kind: part.planned.kind,
            due_date: part.planned.due_date,
            currency: self.currency.code.to_owned(),
            amount: part.planned.amount,
            planned_amount: part.planned.amount,
            allocated: part.allocated,
            waived: part.waived,
            outstanding: if ledger.cancelled { 0 } else { part.outstanding() },
            status: if ledger.cancelled { installment::Status::Void } else { part.status() },
            settled_at: part.settled_at,
        };
        ledger.parts.iter().enumerate().map(row).collect()
    }

    fn receipts(&mut self, ledger: &Ledger) -> Vec<receipt::Model> {
        // A letter of credit is opened for the whole payment, and only a large one is worth the fees.
        let letter = !self.currency.is_domestic()
            && !self.currency.below_dollars(ledger.parts.iter().map(|part| part.planned.amount).sum(), 50_000)
            && self.dice.chance(350);
        let row = |(at, arrival): (usize, &Arrival)| {
            let (method, prefix) = if letter { LETTER_OF_CREDIT } else { self.method(arrival.amount) };
            let day = calendar::day_of(arrival.received_at).format("%y%m%d");
            receipt::Model {
                id: ReceiptId(self.id(arrival.recorded_at, at)),
                account_id: self.generator.account,
                payment_id: self.payment_id,
                currency: self.currency.code.to_owned(),
                amount: arrival.amount,
                unallocated: arrival.unallocated(),
                refunded: 0,
                received_at: arrival.received_at,
                method: method.to_owned(),
                external_reference: Some(format!("{prefix}{day}-{}-{:06}-{}", self.generator.label, self.n, at + 1)),
                fx_quote: None,
                fx_rate: None,
                fx_effective_date: None,
                fx_purpose: None,
                fx_source: None,
                reversed_at: arrival.reversed_at,
                created_at: arrival.recorded_at,
            }
        };
        ledger.receipts.iter().enumerate().map(row).collect()
    }

    /// How so much arrives, and how the bank's name for it begins.
    fn method(&mut self, amount: i64) -> (&'static str, &'static str) {
        // The most that one QRIS payment may be.
        if self.currency.is_domestic() && amount <= 10_000_000 * self.currency.minor_per_major && self.dice.chance(400)
        {
            ("QRIS", "QR")
        } else if self.currency.below_dollars(amount, 5_000) && self.dice.chance(200) {
            ("CARD", "CC")
        } else {
            ("BANK_TRANSFER", "TT")
        }
    }

    fn allocations(
        &mut self,
        ledger: &Ledger,
        receipts: &[receipt::Model],
        installments: &[installment::Model],
    ) -> Vec<allocation::Model> {
        let mut rows: Vec<allocation::Model> = Vec::new();
        for (arrival, receipt) in ledger.receipts.iter().zip(receipts) {
            for (position, amount) in &arrival.allocations {
                let Some(installment) = installments.get(*position) else { continue };
                rows.push(allocation::Model {
                    id: AllocationId(self.id(arrival.recorded_at, rows.len())),
                    account_id: self.generator.account,
                    receipt_id: receipt.id,
                    installment_id: installment.id,
                    currency: self.currency.code.to_owned(),
                    amount: *amount,
                });
            }
        }
        rows
    }

    fn lines(&mut self, lines: &[Line]) -> Vec<payment_line::Model> {
        let row = |(at, line): (usize, &Line)| payment_line::Model {
            id: PaymentLineId(self.id(self.created_at, at)),
            account_id: self.generator.account,
            payment_id: self.payment_id,
            position: number(at + 1),
            commodity_code: Some(line.good.code.to_owned()),
            description: line.good.name.to_owned(),
            quantity: line.quantity(),
            unit: line.good.unit.to_owned(),
            currency: self.currency.code.to_owned(),
            unit_price: line.unit_price,
            total: line.total(),
        };
        lines.iter().enumerate().map(row).collect()
    }
}

const LETTER_OF_CREDIT: (&str, &str) = ("LETTER_OF_CREDIT", "LC");

/// A count or a position, of which a payment has a few dozen at most.
fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn base_36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        digits.extend(char::from_digit(digit, 36).map(|digit| digit.to_ascii_uppercase()));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}

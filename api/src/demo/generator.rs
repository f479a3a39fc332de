//! The payments of a seed.

use chrono::{DateTime, Datelike, Utc};
use entity::ids::AccountId;

use super::dice::Dice;
use super::order::{Line, Order};
use super::play::{self, Props};
use super::{calendar, plan, story};
use crate::domain::hs_code::HsCode;
use crate::domain::ledger::check::PaymentRows;
use crate::domain::ledger::{NewLine, NewPayment};

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
    pub fn payment(&self, n: u64) -> PaymentRows {
        let mut dice = Dice::new(self.seed, n);
        let created_at = calendar::creation(&mut dice);
        let order = Order::draw(&mut dice);
        let amount = order.amount();
        let plan = plan::draw(&mut dice, order.currency, amount, calendar::day_of(created_at));
        let story = story::draw(&mut dice, &plan.parts, order.currency.settlement_unit, created_at);
        let new = NewPayment {
            account: self.account,
            reference: self.reference_of(n, created_at),
            payer_name: order.payer_name.map(str::to_owned),
            description: order.description,
            currency: order.currency.currency(),
            amount,
            time_zone: order.time_zone,
            plan,
            lines: order.lines.iter().map(line).collect(),
        };
        let label = format!("{}-{n:06}", self.label);
        let props = Props { dice: &mut dice, salt: self.salt, currency: order.currency, label };
        play::play(props, &new, created_at, &story, calendar::end())
    }

    fn reference_of(&self, n: u64, created_at: DateTime<Utc>) -> String {
        format!("INV/{}/{}/{n:06}", calendar::day_of(created_at).year(), self.label)
    }
}

fn line(line: &Line) -> NewLine {
    NewLine {
        commodity: HsCode::parse(line.good.code).ok(),
        description: line.good.name.to_owned(),
        quantity: line.quantity(),
        unit: line.good.unit.to_owned(),
        unit_price: line.unit_price,
        total: line.total(),
    }
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

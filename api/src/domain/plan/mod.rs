//! Installment plans: an amount in parts, each with the day on which it falls due.
//!
//! [`plan`] turns the terms that were agreed into parts that add up to the amount exactly, or says
//! everything that is wrong with the terms. Amounts are whole minor units in 64 bits, as they are
//! stored. This module must never round a sum, and never make a part of nothing.

mod dates;
mod even;
mod percent;
mod split;

#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use entity::installment::Kind;
use entity::installment_plan::{Frequency, Remainder};

pub use dates::{DueDate, due_date};
pub use even::EvenTerms;
pub use percent::PercentPart;
pub use split::split;

use super::currency::Currency;
use super::decimal::Decimal;
use super::money::Money;
use super::rejection::Rejection;

/// The most installments that a plan has, a deposit not counted.
pub const MAX_PARTS: usize = 1_000;

/// The most that is told to be wrong with one plan.
const MAX_REJECTIONS: usize = 100;

/// What was agreed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanTerms {
    /// Parts of the same amount, evenly apart.
    Even(EvenTerms),
    /// Shares of the amount.
    Percentages(Vec<PercentPart>),
    /// Amounts, one by one.
    Explicit(Vec<ExplicitPart>),
}

/// A part whose amount was agreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExplicitPart {
    /// The amount in major units.
    pub amount: Decimal,
    /// The day on which it falls due.
    pub due_date: NaiveDate,
    /// What part of the plan it is.
    pub kind: Kind,
}

/// An amount in parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How far apart the due dates are; [`Frequency::Custom`] where they were given one by one.
    pub frequency: Frequency,
    /// Where the remainder of an even split went; `None` where it was none.
    pub remainder: Option<Remainder>,
    /// How many minor units the parts are multiples of, but for a deposit and the remainder.
    pub rounding_unit: i64,
    /// The parts in due-date order. They add up to the amount, and none is zero.
    pub parts: Vec<PlannedPart>,
}

/// A part of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedPart {
    /// Its place in the plan, from 1.
    pub sequence: i32,
    /// What part of the plan it is.
    pub kind: Kind,
    /// The day on which it falls due.
    pub due_date: NaiveDate,
    /// The amount in minor units, above zero.
    pub amount: i64,
    /// Whether its month is too short for the day of the first due date.
    pub clamped_to_month_end: bool,
}

/// Splits `amount` by `terms`.
///
/// | amount | terms | parts |
/// | --- | --- | --- |
/// | JPY 100,000,000 | even, 3 | 33,333,333; 33,333,333; 33,333,334 |
/// | JPY 100,000,000 | even, 3, unit 1,000 | 33,333,000; 33,333,000; 33,334,000 |
/// | JPY 999 | even, 7, unit 100, SPREAD | 200; 200; 100; 100; 100; 100; 199 |
/// | JPY 2 | even, 3 | refused: an installment of zero |
/// | IDR 1,000,001 | 33.33, 33.33 and 33.34 % | 333,300; 333,301; 333,400 |
///
/// # Errors
///
/// All that is wrong with the terms, at most a hundred things. Paths start below the plan, as in
/// `["even", "count"]`; an amount that cannot be split at all has the empty path, since only the
/// caller knows where it stands.
pub fn plan(amount: Money, terms: &PlanTerms) -> Result<Plan, Vec<Rejection>> {
    let mut rejected = Vec::new();
    let minor = splittable(amount).map_err(|rejection| rejected.push(rejection)).ok();
    let planned = match terms {
        PlanTerms::Even(terms) => even::plan(minor, amount.currency, terms, &mut rejected),
        PlanTerms::Percentages(parts) => percent::plan(minor, amount.currency, parts, &mut rejected),
        PlanTerms::Explicit(parts) => explicit(minor, amount.currency, parts, &mut rejected),
    };
    match planned {
        Some(plan) if rejected.is_empty() => Ok(plan),
        _ => {
            if rejected.is_empty() {
                // No terms are known for which this happens; a refusal without a reason would be taken for a plan.
                let here: [&str; 0] = [];
                rejected.push(Rejection::invalid(here, "the amount cannot be split by these terms"));
            }
            rejected.truncate(MAX_REJECTIONS);
            Err(rejected)
        }
    }
}

/// The amount in minor units, when it can be owed and split.
///
/// # Errors
///
/// When it is not above zero, or does not fit the 64 bits in which it is stored.
pub fn splittable(amount: Money) -> Result<i64, Rejection> {
    let here: [&str; 0] = [];
    match i64::try_from(amount.minor) {
        Ok(minor) if minor > 0 => Ok(minor),
        _ if amount.minor <= 0 => Err(Rejection::invalid(here, "the amount must be above zero")),
        _ => Err(Rejection::invalid(here, "the amount is too large")),
    }
}

impl Plan {
    /// By how much the largest installment is above the smallest, in minor units. Deposits and
    /// balances do not count, since they were agreed to differ.
    #[must_use]
    pub fn largest_difference(&self) -> i64 {
        let regular = || self.parts.iter().filter(|part| part.kind == Kind::Installment).map(|part| part.amount);
        regular().max().unwrap_or(0) - regular().min().unwrap_or(0)
    }

    /// A plan of parts that were dated one by one.
    ///
    /// The parts are sorted by date; what falls due on one day keeps its order.
    fn custom(rounding_unit: i64, parts: impl IntoIterator<Item = (Kind, NaiveDate, i64)>) -> Plan {
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by_key(|(_, due_date, _)| *due_date);
        let part = |((kind, due_date, amount), sequence)| PlannedPart {
            sequence,
            kind,
            due_date,
            amount,
            clamped_to_month_end: false,
        };
        Plan {
            frequency: Frequency::Custom,
            remainder: None,
            rounding_unit,
            parts: parts.into_iter().zip(1..).map(part).collect(),
        }
    }
}

/// The smallest amount that is settled in a currency, in minor units: 100 sen of the rupiah.
fn settlement_unit(currency: Currency) -> i64 {
    let unsettled = currency.minor_units().saturating_sub(currency.settlement_digits());
    10_i64.saturating_pow(unsettled.into())
}

/// Takes the amounts as they were agreed.
fn explicit(
    amount: Option<i64>,
    currency: Currency,
    parts: &[ExplicitPart],
    rejected: &mut Vec<Rejection>,
) -> Option<Plan> {
    if parts.is_empty() || parts.len() > MAX_PARTS {
        rejected.push(Rejection::invalid(["explicit"], format!("a plan has from 1 to {MAX_PARTS} installments")));
        return None;
    }
    // What cannot be read is no part of a sum, so that the sum is told only when all can be.
    let mut sum = Some(0_i128);
    let mut planned = Vec::with_capacity(parts.len());
    for (at, part) in parts.iter().enumerate() {
        let at = at.to_string();
        let mut reject = |field: &str, message: String| {
            rejected.push(Rejection::invalid(["explicit", &at, field], message));
        };
        if !dates::is_sensible(part.due_date) {
            reject("dueDate", dates::out_of_range());
        }
        let minor = match Money::from_decimal(part.amount, currency) {
            Ok(money) if money.minor > 0 => Some(money.minor),
            Ok(_) => {
                reject("amount", "an installment must be above zero".to_owned());
                None
            }
            Err(error) => {
                reject("amount", error.to_string());
                None
            }
        };
        sum = sum.zip(minor).map(|(sum, minor)| sum.saturating_add(minor));
        planned.extend(minor.and_then(|minor| Some((part.kind, part.due_date, i64::try_from(minor).ok()?))));
    }
    let (amount, sum) = (i128::from(amount?), sum?);
    if sum != amount {
        let (expected, actual) = (Money::new(amount, currency), Money::new(sum, currency));
        rejected.push(Rejection::plan_sum_mismatch(["explicit"], expected, actual));
        return None;
    }
    let settled = settlement_unit(currency);
    let is_settled = planned.iter().all(|(_, _, minor)| minor % settled == 0);
    Some(Plan::custom(if is_settled { settled } else { 1 }, planned))
}

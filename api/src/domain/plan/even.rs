//! Plans of equal installments.

use chrono::NaiveDate;
use entity::installment::Kind;
use entity::installment_plan::{Frequency, Remainder};

use super::dates::{self, DueDate, due_date};
use super::split::split;
use super::{MAX_PARTS, Plan, PlannedPart, settlement_unit};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;

/// Equal installments, evenly apart.
///
/// A deposit is due on the first due date, and the first installment one period later. Without a
/// deposit the first installment is due on the first due date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvenTerms {
    /// How many installments, a deposit not counted.
    pub count: i32,
    /// The first due date.
    pub first_due_date: NaiveDate,
    /// How far apart the due dates are. [`Frequency::Custom`] has no distance, and so goes with one
    /// due date only.
    pub frequency: Frequency,
    /// What is paid first, in major units; the rest is split.
    pub deposit: Option<Decimal>,
    /// Where the remainder goes.
    pub remainder: Remainder,
    /// What the installments are multiples of, in major units. `None`: the smallest amount that is
    /// settled in the currency.
    pub rounding_unit: Option<Decimal>,
}

/// Splits an amount of minor units, or says what is wrong even when the amount itself is.
pub(super) fn plan(
    amount: Option<i64>,
    currency: Currency,
    terms: &EvenTerms,
    rejected: &mut Vec<Rejection>,
) -> Option<Plan> {
    let count = usize::try_from(terms.count).ok().filter(|count| (1..=MAX_PARTS).contains(count));
    if count.is_none() {
        rejected.push(Rejection::invalid(["even", "count"], format!("a plan has from 1 to {MAX_PARTS} installments")));
    }
    let deposit = terms.deposit.map(|deposit| read_deposit(amount, currency, deposit, rejected));
    let unit = read_unit(currency, terms.rounding_unit, rejected);
    let dates = read_dates(count, terms, rejected);
    let (amount, count, unit, dates) = (amount?, count?, unit?, dates?);
    let deposit = match deposit {
        Some(deposit) => Some(deposit?),
        None => None,
    };

    let regular = split(amount - deposit.unwrap_or(0), count, unit, terms.remainder);
    if regular.contains(&0) {
        let message = "an installment would be zero: ask for fewer, or for a smaller rounding unit";
        rejected.push(Rejection::invalid(["even", "count"], message));
        return None;
    }
    let amounts = deposit.map(|deposit| (Kind::Deposit, deposit)).into_iter();
    let amounts = amounts.chain(regular.into_iter().map(|amount| (Kind::Installment, amount)));
    let part = |(((kind, amount), due), sequence): (((Kind, i64), DueDate), i32)| PlannedPart {
        sequence,
        kind,
        due_date: due.day,
        amount,
        clamped_to_month_end: due.clamped_to_month_end,
    };
    Some(Plan {
        frequency: terms.frequency,
        remainder: Some(terms.remainder),
        rounding_unit: unit,
        parts: amounts.zip(dates).zip(1..).map(part).collect(),
    })
}

fn read_deposit(
    amount: Option<i64>,
    currency: Currency,
    deposit: Decimal,
    rejected: &mut Vec<Rejection>,
) -> Option<i64> {
    let message = match Money::from_decimal(deposit, currency) {
        Err(error) => error.to_string(),
        Ok(deposit) if deposit.minor <= 0 => "a deposit must be above zero".to_owned(),
        Ok(deposit) if amount.is_some_and(|amount| deposit.minor >= i128::from(amount)) => {
            "a deposit must be less than the amount".to_owned()
        }
        // It does not fit only when the amount does not either, which has been told.
        Ok(deposit) => return i64::try_from(deposit.minor).ok(),
    };
    rejected.push(Rejection::invalid(["even", "deposit"], message));
    None
}

fn read_unit(currency: Currency, unit: Option<Decimal>, rejected: &mut Vec<Rejection>) -> Option<i64> {
    let Some(unit) = unit else { return Some(settlement_unit(currency)) };
    let message = match Money::from_decimal(unit, currency) {
        Err(error) => error.to_string(),
        Ok(unit) if unit.minor <= 0 => "a rounding unit must be above zero".to_owned(),
        Ok(unit) => match i64::try_from(unit.minor) {
            Ok(unit) => return Some(unit),
            Err(_) => "the rounding unit is too large".to_owned(),
        },
    };
    rejected.push(Rejection::invalid(["even", "roundingUnit"], message));
    None
}

/// The due dates of all parts, that of the deposit first.
fn read_dates(count: Option<usize>, terms: &EvenTerms, rejected: &mut Vec<Rejection>) -> Option<Vec<DueDate>> {
    let first_is_sensible = dates::is_sensible(terms.first_due_date);
    if !first_is_sensible {
        rejected.push(Rejection::invalid(["even", "firstDueDate"], dates::out_of_range()));
    }
    let due = u32::try_from(count? + usize::from(terms.deposit.is_some())).ok()?;
    if terms.frequency == Frequency::Custom && due > 1 {
        let message = "due dates that follow from one another need a frequency; give custom ones one by one";
        rejected.push(Rejection::invalid(["even", "frequency"], message));
        return None;
    }
    if !first_is_sensible {
        return None;
    }
    let day = |at| due_date(terms.first_due_date, terms.frequency, at).filter(|due| dates::is_sensible(due.day));
    let days: Option<Vec<DueDate>> = (0..due).map(day).collect();
    if days.is_none() {
        let message = format!("the last installment would fall due too late: {}", dates::out_of_range());
        rejected.push(Rejection::invalid(["even", "count"], message));
    }
    days
}

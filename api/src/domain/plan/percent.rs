//! Plans of shares.

use chrono::NaiveDate;
use entity::installment::Kind;

use super::{MAX_PARTS, Plan, dates, settlement_unit};
use crate::domain::currency::Currency;
use crate::domain::decimal::{Decimal, MAX_FRACTION_DIGITS};
use crate::domain::rejection::Rejection;

/// What the shares add up to.
const WHOLE: Decimal = Decimal::new(100, 0);

/// A share of the amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PercentPart {
    /// The share in hundredths of the amount.
    pub percent: Decimal,
    /// The day on which it falls due.
    pub due_date: NaiveDate,
}

/// Splits an amount of minor units, or says what is wrong even when the amount itself is.
pub(super) fn plan(
    amount: Option<i64>,
    currency: Currency,
    parts: &[PercentPart],
    rejected: &mut Vec<Rejection>,
) -> Option<Plan> {
    if parts.is_empty() || parts.len() > MAX_PARTS {
        let message = format!("a plan has from 1 to {MAX_PARTS} installments");
        rejected.push(Rejection::invalid(["percentages", "items"], message));
        return None;
    }
    let is_readable = check(parts, rejected);
    let amount = amount.filter(|_| is_readable)?;

    // Shares of what is settled are settled too, as far as the amount itself is.
    let settled = settlement_unit(currency);
    let unit = if amount % settled == 0 { settled } else { 1 };
    let mut order: Vec<_> = parts.iter().enumerate().collect();
    order.sort_by_key(|(_, part)| part.due_date);
    let shares: Vec<_> = order.iter().map(|(_, part)| part.percent).collect();
    let amounts = running(amount / unit, &shares)?;

    let mut planned = Vec::with_capacity(parts.len());
    for ((at, part), units) in order.into_iter().zip(amounts) {
        if units == 0 {
            let message = "an installment would be zero: this is too small a share of the amount";
            rejected.push(Rejection::invalid(["percentages", "items", &at.to_string(), "percent"], message));
        }
        planned.push((Kind::Installment, part.due_date, units * unit));
    }
    Some(Plan::custom(unit, planned))
}

/// Whether the shares are the whole, and each is a share.
fn check(parts: &[PercentPart], rejected: &mut Vec<Rejection>) -> bool {
    let before = rejected.len();
    let mut sum = Some(Decimal::ZERO);
    for (at, part) in parts.iter().enumerate() {
        let at = at.to_string();
        let mut reject = |field: &str, message: String| {
            rejected.push(Rejection::invalid(["percentages", "items", &at, field], message));
        };
        let percent = part.percent.normalized();
        if usize::from(percent.scale()) > MAX_FRACTION_DIGITS {
            reject("percent", format!("a percentage has at most {MAX_FRACTION_DIGITS} digits after the point"));
            sum = None;
        } else {
            if percent <= Decimal::ZERO {
                reject("percent", "a percentage must be above zero".to_owned());
            }
            sum = sum.and_then(|sum| sum.checked_add(percent));
        }
        if !dates::is_sensible(part.due_date) {
            reject("dueDate", dates::out_of_range());
        }
    }
    match sum {
        Some(sum) if sum == WHOLE => {}
        Some(sum) => {
            let message = format!("the percentages add up to {}, and must add up to 100", sum.normalized());
            rejected.push(Rejection::invalid(["percentages", "items"], message));
        }
        None if rejected.len() == before => {
            rejected.push(Rejection::invalid(["percentages", "items"], "the percentages must add up to 100"));
        }
        None => {}
    }
    rejected.len() == before
}

/// Rounds the running total half-even and takes differences, so that the sum is exact by construction.
///
/// `shares` are above zero and add up to 100, with at most [`MAX_FRACTION_DIGITS`] digits after the
/// point: a product has at most 19 + 15 digits, and an `i128` holds any 38.
fn running(amount: i64, shares: &[Decimal]) -> Option<Vec<i64>> {
    let amount = Decimal::new(amount.into(), 0);
    let (mut total, mut before) = (Decimal::ZERO, 0_i64);
    let mut amounts = Vec::with_capacity(shares.len());
    for share in shares {
        total = total.checked_add(share.normalized())?;
        let hundredfold = amount.checked_mul(total)?;
        let exact = Decimal::new(hundredfold.mantissa(), hundredfold.scale() + 2);
        let rounded = i64::try_from(exact.round_half_even(0).mantissa()).ok()?;
        amounts.push(rounded - before);
        before = rounded;
    }
    Some(amounts)
}

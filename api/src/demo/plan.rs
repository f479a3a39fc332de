//! Which plan is agreed for an amount.

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};
use entity::installment::Kind;
use entity::installment_plan::{Frequency, Remainder};

use super::calendar::ANCHOR;
use super::currencies::DemoCurrency;
use super::dice::Dice;
use crate::domain::plan::{Plan, PlannedPart, due_date, split};

/// Nothing falls due later than so many days after the anchor.
const HORIZON: TimeDelta = TimeDelta::days(365);

/// Invents a plan for `amount`, owed since `created`.
pub(super) fn draw(dice: &mut Dice, currency: &DemoCurrency, amount: i64, created: NaiveDate) -> Plan {
    let unit = currency.settlement_unit;
    // A thousand rupiah, now and then.
    let rounding_unit = if currency.is_domestic() && dice.chance(250) { unit * 1000 } else { unit };
    // A small amount is paid at once, and no part of a plan comes near zero.
    let fits = !currency.below_dollars(amount, 500) && amount / rounding_unit >= 2000;
    let count = if fits { count(dice) } else { 1 };
    let deposit = (count > 1 && dice.chance(300)).then(|| share(dice, amount, rounding_unit, 10, 50));
    let with_balance = count > 2 && dice.chance(180);
    let balance = with_balance.then(|| share(dice, amount, rounding_unit, 10, 30));
    let remainder =
        dice.weighted(&[(70, Remainder::Last), (12, Remainder::First), (18, Remainder::Spread)], Remainder::Last);

    let regular = count - usize::from(deposit.is_some()) - usize::from(balance.is_some());
    let rest = amount - deposit.unwrap_or(0) - balance.unwrap_or(0);
    let amounts = deposit
        .map(|amount| (Kind::Deposit, amount))
        .into_iter()
        .chain(split(rest, regular, rounding_unit, remainder).into_iter().map(|part| (Kind::Installment, part)))
        .chain(balance.map(|amount| (Kind::Balance, amount)));
    let (first, frequency) = dates(dice, count, created);
    let due = (0..).map_while(|at| due_date(first, frequency, at));
    let parts = amounts.zip(due).zip(1..).map(|(((kind, amount), due), sequence)| PlannedPart {
        sequence,
        kind,
        due_date: due.day,
        amount,
        clamped_to_month_end: due.clamped_to_month_end,
    });
    // A balance was agreed apart, so that the amounts are no even split.
    let remainder = Some(remainder).filter(|_| balance.is_none());
    Plan { frequency, remainder, rounding_unit, parts: parts.collect() }
}

/// One to 24 parts, most often one to six.
fn count(dice: &mut Dice) -> usize {
    let weights = [
        (26, (1, 1)),
        (17, (2, 2)),
        (17, (3, 3)),
        (11, (4, 4)),
        (6, (5, 5)),
        (10, (6, 6)),
        (5, (7, 11)),
        (5, (12, 12)),
        (2, (13, 23)),
        (1, (24, 24)),
    ];
    let (low, high) = dice.weighted(&weights, (1, 1));
    usize::try_from(dice.between(low, high)).unwrap_or(1)
}

/// A share of `amount`, a multiple of five percent cut down to whole units.
fn share(dice: &mut Dice, amount: i64, unit: i64, low: i64, high: i64) -> i64 {
    let percent = dice.between(low / 5, high / 5) * 5;
    // Hundredths first would overflow no sooner than amounts that the demo never reaches.
    amount * percent / 100 / unit * unit
}

/// The first due date, and the frequency that keeps the last one within the horizon.
fn dates(dice: &mut Dice, count: usize, created: NaiveDate) -> (NaiveDate, Frequency) {
    let days = dice.weighted(&[(15, 7), (20, 14), (35, 30), (12, 45), (13, 60), (5, 90)], 30);
    let first = created + TimeDelta::days(days);
    let wanted = dice.weighted(
        &[(12, Frequency::Weekly), (13, Frequency::Biweekly), (60, Frequency::Monthly), (15, Frequency::Quarterly)],
        Frequency::Monthly,
    );
    let at_month_end = matches!(wanted, Frequency::Monthly | Frequency::Quarterly) && dice.chance(200);
    let first = if at_month_end { month_end(first) } else { first };
    let last = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
    let fits =
        |frequency: &Frequency| due_date(first, *frequency, last).is_some_and(|last| last.day <= ANCHOR + HORIZON);
    let frequency = [wanted, Frequency::Monthly, Frequency::Biweekly].into_iter().find(fits);
    (first, frequency.unwrap_or(Frequency::Weekly))
}

fn month_end(day: NaiveDate) -> NaiveDate {
    let next = day.with_day(1).unwrap_or(day) + Months::new(1);
    next - Days::new(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_on_its_last_day() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(month_end(day("2028-02-03")), day("2028-02-29"));
        assert_eq!(month_end(day("2026-12-31")), day("2026-12-31"));
    }
}

//! How an amount is split into installments, and when they fall due.

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};
use entity::installment::Kind;
use entity::installment_plan::{Frequency, Remainder};

use super::calendar::ANCHOR;
use super::currencies::DemoCurrency;
use super::dice::Dice;

/// Nothing falls due later than so many days after the anchor.
const HORIZON: TimeDelta = TimeDelta::days(365);

/// An agreed plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub frequency: Frequency,
    /// `None` when a balance was agreed apart, so that the amounts are no even split.
    pub remainder: Option<Remainder>,
    pub rounding_unit: i64,
    pub parts: Vec<PlannedPart>,
}

/// A part of the plan.
#[derive(Clone, Debug)]
pub(super) struct PlannedPart {
    pub kind: Kind,
    pub due_date: NaiveDate,
    pub amount: i64,
}

impl Plan {
    /// Invents a plan for `amount`, owed since `created`.
    pub(super) fn draw(dice: &mut Dice, currency: &DemoCurrency, amount: i64, created: NaiveDate) -> Self {
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
        let parts = amounts
            .enumerate()
            .map(|(at, (kind, amount))| PlannedPart { kind, due_date: due_date(first, frequency, at), amount })
            .collect();
        Self { frequency, remainder: Some(remainder).filter(|_| balance.is_none()), rounding_unit, parts }
    }
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

/// Splits `amount` evenly into `count` multiples of `unit`; the remainder goes where `remainder` says.
///
/// `SPREAD` puts one unit each on the parts from the first, and what is below one unit on the last.
pub(super) fn split(amount: i64, count: usize, unit: i64, remainder: Remainder) -> Vec<i64> {
    let parts = i64::try_from(count).unwrap_or(1).max(1);
    let each = amount / parts / unit * unit;
    let mut amounts = vec![each; count];
    let mut rest = amount - each * parts;
    match remainder {
        Remainder::Last => {}
        Remainder::First => {
            if let Some(first) = amounts.first_mut() {
                *first += std::mem::take(&mut rest);
            }
        }
        Remainder::Spread => {
            for part in &mut amounts {
                if rest < unit {
                    break;
                }
                *part += unit;
                rest -= unit;
            }
        }
    }
    if let Some(last) = amounts.last_mut() {
        *last += rest;
    }
    amounts
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
    let fits = |frequency: &Frequency| due_date(first, *frequency, count.saturating_sub(1)) <= ANCHOR + HORIZON;
    let frequency = [wanted, Frequency::Monthly, Frequency::Biweekly].into_iter().find(fits);
    (first, frequency.unwrap_or(Frequency::Weekly))
}

/// The due date of the part at `at`, counted from 0. A month's end clamps from the *first* date.
pub(super) fn due_date(first: NaiveDate, frequency: Frequency, at: usize) -> NaiveDate {
    let at = u32::try_from(at).unwrap_or(0);
    match frequency {
        Frequency::Weekly => first + Days::new(u64::from(at) * 7),
        Frequency::Biweekly => first + Days::new(u64::from(at) * 14),
        Frequency::Monthly | Frequency::Custom => first + Months::new(at),
        Frequency::Quarterly => first + Months::new(at * 3),
    }
}

fn month_end(day: NaiveDate) -> NaiveDate {
    let next = day.with_day(1).unwrap_or(day) + Months::new(1);
    next - Days::new(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_split_as_the_rules_say() {
        use Remainder::{First, Last, Spread};
        for (amount, count, unit, remainder, parts) in [
            (100_000_000, 3, 1, Last, vec![33_333_333, 33_333_333, 33_333_334]),
            (100_000_000, 3, 1000, Last, vec![33_333_000, 33_333_000, 33_334_000]),
            (100_000_000, 3, 1, First, vec![33_333_334, 33_333_333, 33_333_333]),
            (999, 7, 100, Spread, vec![200, 200, 100, 100, 100, 100, 199]),
            (900, 3, 100, Spread, vec![300, 300, 300]),
            (5, 1, 1, Last, vec![5]),
        ] {
            assert_eq!(split(amount, count, unit, remainder), parts, "{amount} / {count}");
        }
    }

    #[test]
    fn month_ends_clamp_from_the_first_date() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let first = day("2026-01-31");
        let dates: Vec<_> = (0..4).map(|at| due_date(first, Frequency::Monthly, at)).collect();
        assert_eq!(dates, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"].map(day));
        assert_eq!(due_date(day("2025-11-30"), Frequency::Quarterly, 1), day("2026-02-28"));
        assert_eq!(due_date(first, Frequency::Weekly, 2), day("2026-02-14"));
        assert_eq!(due_date(first, Frequency::Biweekly, 1), day("2026-02-14"));
        assert_eq!(month_end(day("2028-02-03")), day("2028-02-29"));
    }
}

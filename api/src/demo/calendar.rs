//! The days of the demo. They are counted from the anchor day and never from today.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

use super::dice::Dice;

/// The last day of the demo, and of the compiled-in exchange rates: Friday 30 October 2026.
pub const ANCHOR: NaiveDate = match NaiveDate::from_ymd_opt(2026, 10, 30) {
    Some(day) => day,
    // The day exists.
    None => NaiveDate::MIN,
};

/// Payments are created on this many days, the last of them the one before the anchor.
const DAYS: i64 = 730;

/// The hour of UTC in which a day ends in Jakarta.
const END_OF_DAY: TimeDelta = TimeDelta::hours(17);

/// The first instant that the demo does not know of: the end of the anchor day in Jakarta.
pub(super) fn end() -> DateTime<Utc> {
    midnight(ANCHOR) + END_OF_DAY
}

/// When a payment is created: in office hours within the 24 months before the anchor.
pub(super) fn creation(dice: &mut Dice) -> DateTime<Utc> {
    let day = ANCHOR - TimeDelta::days(dice.between(1, DAYS));
    office_hours(day, dice)
}

/// A moment in the office hours of Jakarta, on `day` or the Monday after its weekend, in whole microseconds.
pub(super) fn office_hours(day: NaiveDate, dice: &mut Dice) -> DateTime<Utc> {
    let day = match day.weekday() {
        Weekday::Sat => day + Days::new(2),
        Weekday::Sun => day + Days::new(1),
        _ => day,
    };
    // From 08:00 to 18:00 in Jakarta.
    let opens = midnight(day) + TimeDelta::hours(1);
    opens + TimeDelta::microseconds(dice.between(0, TimeDelta::hours(10).num_seconds() * 1_000_000 - 1))
}

/// The calendar day in Jakarta. Offices open and close within one day of UTC.
pub(super) fn day_of(at: DateTime<Utc>) -> NaiveDate {
    (at + TimeDelta::hours(7)).date_naive()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_ends_with_the_anchor_day_in_jakarta() {
        assert_eq!(ANCHOR.to_string(), "2026-10-30");
        assert_eq!(end().to_rfc3339(), "2026-10-30T17:00:00+00:00");
    }

    #[test]
    fn payments_are_created_on_working_days_of_the_24_months_before() {
        let mut dice = Dice::new(3, 0);
        for _ in 0..5000 {
            let day = day_of(creation(&mut dice));
            assert!(!matches!(day.weekday(), Weekday::Sat | Weekday::Sun), "{day}");
            assert!(day < ANCHOR && day >= ANCHOR - TimeDelta::days(DAYS), "{day}");
        }
    }
}

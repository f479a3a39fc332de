//! Due dates.

use chrono::{Datelike, Days, Months, NaiveDate};
use entity::installment_plan::Frequency;

/// The years in which something can fall due. What is outside is a slip of the pen.
const FIRST_YEAR: i32 = 1970;
const LAST_YEAR: i32 = 2200;

/// The day on which a part of a regular plan falls due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueDate {
    /// The day.
    pub day: NaiveDate,
    /// Whether its month is too short for the day of the first due date.
    pub clamped_to_month_end: bool,
}

/// The due date of the part at `at`, counted from 0, of a plan whose first part is due on `first`.
///
/// Months count from the *first* date, and only then to the end of a shorter month: 31 January,
/// 28 February, 31 March. `None` when the calendar has no such day, and for any but the first part
/// of [`Frequency::Custom`], whose dates do not follow from one another.
#[must_use]
pub fn due_date(first: NaiveDate, frequency: Frequency, at: u32) -> Option<DueDate> {
    let after_weeks = |weeks: u64| first.checked_add_days(Days::new(u64::from(at) * weeks * 7));
    let after_months = |months: u32| first.checked_add_months(Months::new(at.checked_mul(months)?));
    let day = match frequency {
        Frequency::Weekly => after_weeks(1),
        Frequency::Biweekly => after_weeks(2),
        Frequency::Monthly => after_months(1),
        Frequency::Quarterly => after_months(3),
        Frequency::Custom => (at == 0).then_some(first),
    }?;
    let by_month = matches!(frequency, Frequency::Monthly | Frequency::Quarterly);
    Some(DueDate { day, clamped_to_month_end: by_month && day.day() != first.day() })
}

/// Whether something can fall due on a day.
pub(super) fn is_sensible(day: NaiveDate) -> bool {
    (FIRST_YEAR..=LAST_YEAR).contains(&day.year())
}

/// What is told of a day on which nothing can fall due.
pub(super) fn out_of_range() -> String {
    format!("a due date is in the years {FIRST_YEAR} to {LAST_YEAR}")
}

//! Rates of many days, gathered by week, month or quarter.
//!
//! Pure: the days are handed in. Averages are of the exact rates, and nothing is rounded.

use chrono::{Datelike, NaiveDate, TimeDelta, Weekday};

use super::rate::Rate;

/// What the days are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Each day for itself.
    Day,
    /// From Monday to Sunday.
    Week,
    /// By calendar month.
    Month,
    /// By calendar quarter.
    Quarter,
}

/// A rate, from when on, and to when where its source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRate {
    /// The day that it is from.
    pub date: NaiveDate,
    /// The last day on which it is in force, where its source says.
    pub valid_to: Option<NaiveDate>,
    /// The rate.
    pub rate: Rate,
}

/// The rates of the days of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The first day of the group, whether or not it has a rate.
    pub date: NaiveDate,
    /// The first rate.
    pub open: Rate,
    /// The highest rate.
    pub high: Rate,
    /// The lowest rate.
    pub low: Rate,
    /// The last rate.
    pub close: Rate,
    /// The average over the days that have a rate.
    pub average: Rate,
}

impl Group {
    /// The first day of the group that a day is in.
    #[must_use]
    pub fn start(self, day: NaiveDate) -> NaiveDate {
        let back = |days: u32| day - TimeDelta::days(days.into());
        match self {
            Group::Day => day,
            Group::Week => back(day.weekday().num_days_from_monday()),
            Group::Month => back(day.day0()),
            Group::Quarter => {
                let month = NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1);
                month.unwrap_or(day)
            }
        }
    }
}

/// Gathers rates, earliest day first, into points, earliest first. A group without a rate has none.
#[must_use]
pub fn points(days: &[DayRate], group: Group) -> Vec<Point> {
    let chunks = days.chunk_by(|one, next| group.start(one.date) == group.start(next.date));
    let point = |chunk: &[DayRate]| {
        let rates: Vec<&Rate> = chunk.iter().map(|day| &day.rate).collect();
        let ordered = |one: &&&Rate, other: &&&Rate| one.as_ratio().cmp(other.as_ratio());
        Some(Point {
            date: group.start(chunk.first()?.date),
            open: (*rates.first()?).clone(),
            high: (*rates.iter().max_by(ordered)?).clone(),
            low: (*rates.iter().min_by(ordered)?).clone(),
            close: (*rates.last()?).clone(),
            average: Rate::average(&rates)?,
        })
    };
    chunks.filter_map(point).collect()
}

/// The days from Monday to Friday of a span, both ends included, that no rate is from or in force on.
#[must_use]
pub fn missing(from: NaiveDate, to: NaiveDate, days: &[DayRate]) -> Vec<NaiveDate> {
    let mut missing = Vec::new();
    for day in from.iter_days().take_while(|day| *day <= to) {
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            continue;
        }
        let after = days.partition_point(|rate| rate.date <= day);
        let last = after.checked_sub(1).and_then(|at| days.get(at));
        let holds = last.is_some_and(|rate| rate.date == day || rate.valid_to.is_some_and(|last| day <= last));
        if !holds {
            missing.push(day);
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::Decimal;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rates(list: &[(&str, &str)]) -> Vec<DayRate> {
        let rate = |text: &str| Rate::quoted(Decimal::parse(text).unwrap(), 1).unwrap();
        list.iter().map(|(date, text)| DayRate { date: day(date), valid_to: None, rate: rate(text) }).collect()
    }

    fn shown(days: &[DayRate], group: Group) -> Vec<String> {
        let text = |rate: &Rate| rate.to_decimal().to_string();
        let line = |point: &Point| {
            let Point { date, open, high, low, close, average } = point;
            format!("{date} {} {} {} {} {}", text(open), text(high), text(low), text(close), text(average))
        };
        points(days, group).iter().map(line).collect()
    }

    /// First, highest, lowest, last and average of each group, by hand.
    #[test]
    fn groups_have_their_ends_and_their_average() {
        let days = rates(&[
            ("2026-03-30", "2"),
            ("2026-03-31", "4"),
            ("2026-04-01", "1"),
            ("2026-04-06", "3"),
            ("2026-07-01", "5"),
        ]);
        assert_eq!(shown(&days, Group::Day).len(), 5);
        assert_eq!(shown(&days, Group::Week)[0], "2026-03-30 2 4 1 1 2.33333333333333333");
        assert_eq!(shown(&days, Group::Week)[1], "2026-04-06 3 3 3 3 3");
        assert_eq!(
            shown(&days, Group::Month),
            ["2026-03-01 2 4 2 4 3", "2026-04-01 1 3 1 3 2", "2026-07-01 5 5 5 5 5"]
        );
        let quarters = ["2026-01-01 2 4 2 4 3", "2026-04-01 1 3 1 3 2", "2026-07-01 5 5 5 5 5"];
        assert_eq!(shown(&days, Group::Quarter), quarters);
        assert_eq!(shown(&[], Group::Month), Vec::<String>::new());
    }

    /// A weekend is not missing; a holiday is, unless a rate is in force over it.
    #[test]
    fn missing_days_are_working_days_without_a_rate() {
        // A Friday, then the Tuesday after a long weekend.
        let mut days = rates(&[("2026-04-03", "1"), ("2026-04-07", "1")]);
        assert_eq!(
            missing(day("2026-04-02"), day("2026-04-08"), &days),
            [day("2026-04-02"), day("2026-04-06"), day("2026-04-08")]
        );
        days[1].valid_to = Some(day("2026-04-13"));
        assert_eq!(missing(day("2026-04-07"), day("2026-04-14"), &days), [day("2026-04-14")]);
        assert_eq!(missing(day("2026-04-08"), day("2026-04-07"), &days), []);
    }
}

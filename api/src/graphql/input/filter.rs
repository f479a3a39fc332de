//! Filters as they are asked for, and what they mean for the store.

use async_graphql::{ID, InputObject};
use chrono::{Datelike, NaiveDate};
use entity::{installment, payment};

use super::bad_input;
use crate::domain;
use crate::domain::currency::Currency;
use crate::error::Result;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::{CurrencyCode, Date, DateTime, Decimal};
use crate::graphql::types::installment::InstallmentStatus;
use crate::graphql::types::payment::PaymentStatus;
use crate::store::installments::InstallmentFilter;
use crate::store::payment_filter::{AmountBound, AmountColumn, Comparison, PaymentFilter, TextMatch};

/// How deep `and`, `or` and `not` may be nested.
const MAX_FILTER_DEPTH: usize = 8;

/// How many filters may stand in `and`, `or` and `not` in all. The database's own parser recurses with each, and
/// so does what writes the SQL.
const MAX_FILTER_PARTS: usize = 100;

/// How many values all lists in a filter may have together.
const MAX_FILTER_VALUES: usize = 1_000;

/// Conditions on an id. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct IdFilter {
    /// It is this one.
    pub eq: Option<ID>,
    /// It is one of these.
    #[graphql(name = "in")]
    pub one_of: Option<Vec<ID>>,
}

/// Conditions on a text. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct StringFilter {
    /// It is this, to the letter.
    pub eq: Option<String>,
    /// It is one of these, to the letter.
    #[graphql(name = "in")]
    pub one_of: Option<Vec<String>>,
    /// It starts with this, to the letter.
    pub starts_with: Option<String>,
    /// It contains this; the letters A to Z fit in either case.
    pub contains: Option<String>,
}

/// Conditions on a number. All that are given must hold. Amounts are compared as they are written, whatever
/// their currency.
#[derive(Clone, Debug, InputObject)]
pub struct DecimalFilter {
    /// It is this.
    pub eq: Option<Decimal>,
    /// It is greater than this.
    pub gt: Option<Decimal>,
    /// It is this or greater.
    pub gte: Option<Decimal>,
    /// It is less than this.
    pub lt: Option<Decimal>,
    /// It is this or less.
    pub lte: Option<Decimal>,
}

/// Conditions on a day. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct DateFilter {
    /// It is this day.
    pub eq: Option<Date>,
    /// It is this day or later.
    pub gte: Option<Date>,
    /// It is this day or earlier.
    pub lte: Option<Date>,
    /// Whether there is none.
    pub is_null: Option<bool>,
}

/// Conditions on an instant. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct DateTimeFilter {
    /// It is this instant or later.
    pub gte: Option<DateTime>,
    /// It is earlier than this instant.
    pub lt: Option<DateTime>,
    /// Whether there is none.
    pub is_null: Option<bool>,
}

/// Conditions on a currency. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct CurrencyFilter {
    /// It is this one.
    pub eq: Option<CurrencyCode>,
    /// It is one of these.
    #[graphql(name = "in")]
    pub one_of: Option<Vec<CurrencyCode>>,
}

/// Conditions on the status of a payment. All that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct PaymentStatusFilter {
    /// It is this one.
    pub eq: Option<PaymentStatus>,
    /// It is one of these.
    #[graphql(name = "in")]
    pub one_of: Option<Vec<PaymentStatus>>,
}

/// Which payments. All conditions that are given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PaymentWhere {
    /// All of these hold.
    pub and: Option<Vec<PaymentWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<PaymentWhere>>,
    /// This does not hold.
    pub not: Option<Box<PaymentWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The reference.
    pub reference: Option<StringFilter>,
    /// The currency.
    pub currency: Option<CurrencyFilter>,
    /// What is owed in all, in major units.
    pub amount: Option<DecimalFilter>,
    /// What is still owed, in major units.
    pub outstanding: Option<DecimalFilter>,
    /// The status.
    pub status: Option<PaymentStatusFilter>,
    /// An installment was due before this day and something of it is still outstanding.
    pub overdue_as_of: Option<Date>,
    /// The due date of the earliest installment with something outstanding.
    pub next_due_date: Option<DateFilter>,
    /// When the payment was created.
    pub created_at: Option<DateTimeFilter>,
}

/// Which installments. All conditions that are given must hold.
#[derive(Clone, Debug, InputObject)]
pub struct InstallmentWhere {
    /// The status is one of these.
    pub status: Option<Vec<InstallmentStatus>>,
    /// The day on which it falls due.
    pub due_date: Option<DateFilter>,
    /// It was due before this day and something is still outstanding.
    pub overdue_as_of: Option<Date>,
}

impl PaymentWhere {
    /// The filter that this asks for.
    ///
    /// # Errors
    /// When it is nested too deep, a list is too long, or an id is none.
    pub fn filter(self) -> Result<PaymentFilter> {
        self.nested(0, &mut Budget { parts: MAX_FILTER_PARTS, values: MAX_FILTER_VALUES })
    }

    fn nested(self, depth: usize, budget: &mut Budget) -> Result<PaymentFilter> {
        if depth > MAX_FILTER_DEPTH {
            return Err(bad_input(format!("the filter is nested more than {MAX_FILTER_DEPTH} deep")));
        }
        let mut all = Vec::new();
        let mut parts = |parts: Vec<PaymentWhere>| -> Result<Vec<PaymentFilter>> {
            budget.take_parts(parts.len())?;
            parts.into_iter().map(|part| part.nested(depth + 1, budget)).collect()
        };
        if let Some(list) = self.and {
            all.push(PaymentFilter::All(parts(list)?));
        }
        if let Some(list) = self.or {
            all.push(PaymentFilter::Any(parts(list)?));
        }
        if let Some(part) = self.not {
            let part = parts(vec![*part])?;
            all.extend(part.into_iter().map(|part| PaymentFilter::Not(Box::new(part))));
        }
        if let Some(id) = self.id {
            for ids in one_of(id.eq, id.one_of, budget)? {
                let ids = ids.iter().map(|id| Ok(GlobalId::payment(id)?.0)).collect::<Result<_>>()?;
                all.push(PaymentFilter::Id(ids));
            }
        }
        if let Some(text) = self.reference {
            for values in one_of(text.eq, text.one_of, budget)? {
                all.push(PaymentFilter::Reference(TextMatch::OneOf(values)));
            }
            all.extend(text.starts_with.map(|prefix| PaymentFilter::Reference(TextMatch::StartsWith(prefix))));
            all.extend(text.contains.map(|part| PaymentFilter::Reference(TextMatch::Contains(part))));
        }
        if let Some(currency) = self.currency {
            for codes in one_of(currency.eq, currency.one_of, budget)? {
                let codes = codes.iter().map(|code| code.0.code().to_owned()).collect();
                all.push(PaymentFilter::Currency(codes));
            }
        }
        if let Some(status) = self.status {
            for statuses in one_of(status.eq, status.one_of, budget)? {
                all.push(PaymentFilter::Status(statuses.into_iter().map(payment::Status::from).collect()));
            }
        }
        all.extend(self.amount.map(|bounds| bounds.on(AmountColumn::Amount)).unwrap_or_default());
        all.extend(self.outstanding.map(|bounds| bounds.on(AmountColumn::Outstanding)).unwrap_or_default());
        all.extend(self.overdue_as_of.map(|day| PaymentFilter::OverdueAsOf(day.0)));
        if let Some(due) = self.next_due_date {
            all.extend(due.is_null.map(PaymentFilter::NextDueIsNull));
            let bounds = [(Comparison::Eq, due.eq), (Comparison::Gte, due.gte), (Comparison::Lte, due.lte)];
            all.extend(bounds.into_iter().filter_map(|(how, day)| day.map(|day| PaymentFilter::NextDue(how, day.0))));
        }
        if let Some(created) = self.created_at {
            all.extend(created.gte.map(|at| PaymentFilter::CreatedAt(Comparison::Gte, microsecond(at))));
            all.extend(created.lt.map(|at| PaymentFilter::CreatedAt(Comparison::Lt, microsecond(at))));
            if created.is_null == Some(true) {
                // Every payment was created at some time.
                all.push(PaymentFilter::Any(Vec::new()));
            }
        }
        Ok(PaymentFilter::All(all))
    }
}

impl InstallmentWhere {
    /// The filter that this asks for.
    pub fn filter(self) -> InstallmentFilter {
        let due = self.due_date;
        let none_due = due.as_ref().is_some_and(|due| due.is_null == Some(true));
        let statuses = self.status.map(|list| {
            // However often it is said, there are few of them.
            let mut distinct: Vec<installment::Status> = Vec::new();
            for status in list.into_iter().map(installment::Status::from) {
                if !distinct.contains(&status) {
                    distinct.push(status);
                }
            }
            distinct
        });
        let day =
            |of: fn(&DateFilter) -> Option<Date>| -> Option<NaiveDate> { due.as_ref().and_then(of).map(|day| day.0) };
        InstallmentFilter {
            // Every installment has a due date.
            status: if none_due { Some(Vec::new()) } else { statuses },
            due_on: day(|due| due.eq),
            due_from: day(|due| due.gte),
            due_to: day(|due| due.lte),
            overdue_as_of: self.overdue_as_of.map(|day| day.0),
            unsettled: false,
        }
    }
}

impl DecimalFilter {
    fn on(&self, column: AmountColumn) -> Vec<PaymentFilter> {
        [
            (Comparison::Eq, self.eq),
            (Comparison::Gt, self.gt),
            (Comparison::Gte, self.gte),
            (Comparison::Lt, self.lt),
            (Comparison::Lte, self.lte),
        ]
        .into_iter()
        .filter_map(|(how, bound)| {
            let bound = amount_bound(how, bound?.0);
            Some(PaymentFilter::Amount(column, bounded(how), bound))
        })
        .collect()
    }
}

/// The exponent that most currencies have.
const USUAL_MINOR_UNITS: u8 = 2;

/// With which comparison [`minor_bound`] goes: amounts are whole, so that "less" is "less or equal" of one less. With
/// these two a bound beyond 64 bits can be the last number of 64 bits, and still all or none compares.
fn bounded(how: Comparison) -> Comparison {
    match how {
        Comparison::Gte => Comparison::Gt,
        Comparison::Lt => Comparison::Lte,
        other => other,
    }
}

fn amount_bound(how: Comparison, bound: domain::decimal::Decimal) -> AmountBound {
    let mut others: Vec<(u8, Vec<&'static str>)> = Vec::new();
    for currency in Currency::all().filter(|currency| currency.minor_units() != USUAL_MINOR_UNITS) {
        match others.iter_mut().find(|(exponent, _)| *exponent == currency.minor_units()) {
            Some((_, codes)) => codes.push(currency.code()),
            None => others.push((currency.minor_units(), vec![currency.code()])),
        }
    }
    AmountBound {
        usual: minor_bound(how, bound, USUAL_MINOR_UNITS),
        others: others.into_iter().map(|(exponent, codes)| (codes, minor_bound(how, bound, exponent))).collect(),
    }
}

/// The whole number of minor units with which an amount compares, by [`bounded`], as it does with `bound`.
fn minor_bound(how: Comparison, bound: domain::decimal::Decimal, minor_units: u8) -> i64 {
    // At most 32 digits and 4 more: no overflow.
    let scaled = bound.mantissa().saturating_mul(10_i128.pow(minor_units.into()));
    let unit = 10_i128.pow(bound.scale().into());
    let floor = scaled.div_euclid(unit);
    let exact = scaled.rem_euclid(unit) == 0;
    let whole = match how {
        // No amount is half a minor unit, and none is negative.
        Comparison::Eq if !exact => -1,
        Comparison::Eq | Comparison::Gt | Comparison::Lte => floor,
        Comparison::Gte | Comparison::Lt if exact => floor - 1,
        Comparison::Gte | Comparison::Lt => floor,
    };
    i64::try_from(whole).unwrap_or(match how {
        Comparison::Eq => -1,
        _ if whole < 0 => i64::MIN,
        _ => i64::MAX,
    })
}

/// The first whole microsecond that is not before `at`. What the databases keep is whole, so that it compares with
/// either in the same way; PostgreSQL would cut the rest off, and SQLite keep it.
fn microsecond(at: DateTime) -> chrono::DateTime<chrono::Utc> {
    let over = at.0.timestamp_subsec_nanos() % 1_000;
    let whole = at.0 + chrono::TimeDelta::nanoseconds(i64::from((1_000 - over) % 1_000));
    // The last one of all is not rounded out of the years that can be kept.
    if whole.year() > 9999 { at.0 } else { whole }
}

/// What a filter may still hold.
struct Budget {
    parts: usize,
    values: usize,
}

impl Budget {
    fn take_parts(&mut self, count: usize) -> Result<()> {
        let rest = self.parts.checked_sub(count);
        self.parts = rest.ok_or_else(|| bad_input(format!("the filter has more than {MAX_FILTER_PARTS} parts")))?;
        Ok(())
    }

    fn take_values(&mut self, count: usize) -> Result<()> {
        let rest = self.values.checked_sub(count);
        let message = || format!("the lists of the filter have more than {MAX_FILTER_VALUES} values");
        self.values = rest.ok_or_else(|| bad_input(message()))?;
        Ok(())
    }
}

/// `eq` and `in` as lists of which each must hold a value.
fn one_of<T>(eq: Option<T>, list: Option<Vec<T>>, budget: &mut Budget) -> Result<Vec<Vec<T>>> {
    budget.take_values(list.as_ref().map_or(0, Vec::len))?;
    Ok(eq.map(|value| vec![value]).into_iter().chain(list).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::code;

    /// A bound between two minor units lets the same amounts through as the number itself would.
    #[test]
    fn bounds_between_minor_units_round_the_right_way() {
        let bound = |how, text: &str, units| minor_bound(how, domain::decimal::Decimal::parse(text).unwrap(), units);
        for (how, text, units, expected) in [
            (Comparison::Gte, "10", 2, 999),
            (Comparison::Gte, "10.005", 2, 1_000),
            (Comparison::Gt, "10.005", 2, 1_000),
            (Comparison::Lt, "10.005", 2, 1_000),
            (Comparison::Lte, "10.005", 2, 1_000),
            (Comparison::Eq, "10.005", 2, -1),
            (Comparison::Eq, "10.005", 3, 10_005),
            (Comparison::Gte, "-0.5", 0, -1),
            (Comparison::Lte, "-0.5", 0, -1),
            (Comparison::Lt, "99999999999999999999.999999999999", 3, i64::MAX),
            (Comparison::Eq, "99999999999999999999", 3, -1),
            (Comparison::Gt, "-99999999999999999999.999999999999", 3, i64::MIN),
        ] {
            assert_eq!(bound(how, text, units), expected, "{how:?} {text} at {units}");
        }
    }

    /// A filter nested without end must not run the stack out.
    #[test]
    fn deep_filters_are_refused() {
        let mut filter = PaymentWhere::default();
        for _ in 0..=MAX_FILTER_DEPTH {
            filter = PaymentWhere { not: Some(Box::new(filter)), ..PaymentWhere::default() };
        }
        assert_eq!(filter.filter().unwrap_err().code(), code::BAD_USER_INPUT);
    }
}

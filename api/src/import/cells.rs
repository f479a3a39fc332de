//! Cells of a table, read strictly: what is wrong with one is said in a sentence.

use chrono::NaiveDate;

use super::input::quoted;
use super::table::Row;
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;

/// The longest text of a cell, in characters.
const LONGEST: usize = 500;
/// Numbers of this many digits before the point are no prices.
const MAX_DIGITS: usize = 12;

/// A text that says something.
pub(super) fn text(row: &Row<'_>, column: &str) -> Result<String, String> {
    optional_text(row, column)?.ok_or_else(|| format!("its {column} is empty"))
}

/// A text, or nothing.
pub(super) fn optional_text(row: &Row<'_>, column: &str) -> Result<Option<String>, String> {
    let text = row.words(column);
    if text.chars().count() > LONGEST {
        return Err(format!("its {column} has more than {LONGEST} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("its {column} has control characters"));
    }
    Ok((!text.is_empty()).then_some(text))
}

/// A text of several lines, as it stands in the file but for the ends of its lines; or nothing.
pub(super) fn long_text(row: &Row<'_>, column: &str, longest: usize) -> Result<Option<String>, String> {
    let text = row.cell(column).replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().count() > longest {
        return Err(format!("its {column} has more than {longest} characters"));
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        return Err(format!("its {column} has control characters"));
    }
    Ok((!text.is_empty()).then_some(text))
}

/// A day as `2026-10-30`.
pub(super) fn day(row: &Row<'_>, column: &str) -> Result<NaiveDate, String> {
    optional_day(row, column)?.ok_or_else(|| format!("its {column} is empty"))
}

/// A day, or nothing.
pub(super) fn optional_day(row: &Row<'_>, column: &str) -> Result<Option<NaiveDate>, String> {
    let cell = row.cell(column);
    if cell.is_empty() {
        return Ok(None);
    }
    // chrono reads more than this, such as `26-10-30`, so what was read is compared.
    let day = NaiveDate::parse_from_str(cell, "%Y-%m-%d").ok().filter(|day| day.to_string() == cell);
    day.map(Some).ok_or_else(|| format!("{column} {} is not a date such as 2026-10-30", quoted(cell)))
}

/// The first and the last day of a period, in this order.
pub(super) fn in_order(from: NaiveDate, to: Option<NaiveDate>) -> Result<(), String> {
    match to {
        Some(to) if to < from => Err(format!("it ends on {to}, before it begins on {from}")),
        _ => Ok(()),
    }
}

/// A number that is not negative.
pub(super) fn number(row: &Row<'_>, column: &str) -> Result<Decimal, String> {
    optional_number(row, column)?.ok_or_else(|| format!("its {column} is empty"))
}

/// A number that is not negative, or nothing.
pub(super) fn optional_number(row: &Row<'_>, column: &str) -> Result<Option<Decimal>, String> {
    match row.cell(column) {
        "" => Ok(None),
        cell => amount(cell).map(Some).map_err(|fault| format!("{column} {}: {fault}", quoted(cell))),
    }
}

/// A number that is not negative and no larger than any price.
pub(super) fn amount(text: &str) -> Result<Decimal, String> {
    let number = Decimal::parse(text).map_err(|fault| fault.to_string())?;
    if number.is_negative() {
        return Err("it must not be negative".to_owned());
    }
    if text.split('.').next().is_some_and(|whole| whole.trim_start_matches('0').len() > MAX_DIGITS) {
        return Err(format!("it has more than {MAX_DIGITS} digits before the point"));
    }
    Ok(number)
}

/// A rate: more than zero.
pub(super) fn rate(row: &Row<'_>, column: &str) -> Result<Decimal, String> {
    let rate = number(row, column)?;
    if rate.is_zero() { Err(format!("its {column} must be more than zero")) } else { Ok(rate) }
}

/// Yes or no; empty is no.
pub(super) fn flag(row: &Row<'_>, column: &str) -> Result<bool, String> {
    match row.cell(column) {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        other => Err(format!("{column} must be true or false, not {}", quoted(other))),
    }
}

/// A currency by its code.
pub(super) fn currency(row: &Row<'_>, column: &str) -> Result<Currency, String> {
    let cell = row.cell(column);
    Currency::from_code(cell).ok_or_else(|| format!("{column} {} is not a known currency", quoted(cell)))
}

/// For how many units a rate is printed; empty is one.
pub(super) fn units(row: &Row<'_>, column: &str) -> Result<i32, String> {
    match row.cell(column) {
        "" => Ok(1),
        cell => cell
            .parse()
            .ok()
            .filter(|units| (1..=1_000_000).contains(units))
            .ok_or_else(|| format!("{column} {} is not a number of units such as 100", quoted(cell))),
    }
}

/// An address; other remarks in such a column are left out.
pub(super) fn url(row: &Row<'_>, column: &str) -> Result<Option<String>, String> {
    Ok(optional_text(row, column)?.filter(|text| text.starts_with("https://") || text.starts_with("http://")))
}

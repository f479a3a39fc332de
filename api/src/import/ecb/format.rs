//! Reads the ECB's format: `Date,USD,JPY,…,`, one row a day, `N/A` for no rate, and mostly an empty column
//! at the end.
//!
//! The whole history has dates such as `2026-10-30`; the file of one day has `30 October 2026` and blanks
//! after the commas. Both are read.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

use super::{Day, History};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::import::input::{self, quoted};
use crate::import::report::Refusals;
use crate::import::{ImportError, MAX_BYTES};

const WHAT: &str = "ECB reference rates";
const NO_RATE: &str = "N/A";
/// The first day of the euro.
const FIRST_YEAR: i32 = 1999;

/// Reads the ECB's rates from a CSV file or a zip archive of one, earliest day first.
///
/// # Errors
///
/// [`ImportError::NotAnArchive`] and [`ImportError::TooLarge`] for an archive that cannot be unpacked, and
/// [`ImportError::Refused`] with every line that is not as the ECB writes it. A file that was cut short is
/// noticed by the columns that its last line lacks.
pub fn parse(bytes: &[u8]) -> Result<History, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    if input::is_zip(bytes) { parse_csv(&input::unzip_csv(bytes)?) } else { parse_csv(bytes) }
}

fn parse_csv(bytes: &[u8]) -> Result<History, ImportError> {
    let mut refusals = Refusals::default();
    let bytes = input::without_bom(bytes);
    let mut lines = (1_u64..).zip(bytes.split(|byte| *byte == b'\n'));
    let (_, first) = lines.next().unwrap_or((1, b""));
    let header = match text_of(first).and_then(Header::read) {
        Ok(header) => header,
        Err(reason) => {
            refusals.add(1, reason);
            return refusals.unless_any(WHAT, History { days: Vec::new() });
        }
    };
    if !header.faults.is_empty() {
        refusals.add(1, header.faults.join("; "));
    }

    let mut days = Vec::new();
    let mut seen = HashMap::new();
    let (mut last, mut last_is_good) = (1, header.faults.is_empty());
    for (line, bytes) in lines {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let day = text_of(bytes).and_then(|text| header.read_day(text));
        let day = day.and_then(|day| match seen.insert(day.date, line) {
            None => Ok(day),
            Some(earlier) => Err(format!("{} is on line {earlier} already", day.date)),
        });
        (last, last_is_good) = (line, day.is_ok());
        match day {
            Ok(day) => days.push(day),
            Err(reason) => refusals.add(line, reason),
        }
    }
    if last_is_good && last == 1 {
        refusals.add(1, "there is no day below the header; the file may be cut short");
    } else if last_is_good && !header.closed && !bytes.ends_with(b"\n") {
        refusals.add(last, "the file may be cut short in this line: it ends without a comma or a line break");
    }
    days.sort_unstable_by_key(|day| day.date);
    refusals.unless_any(WHAT, History { days })
}

/// The columns of the file.
struct Header {
    /// `None` for a column that is refused.
    currencies: Vec<Option<Currency>>,
    /// Whether every line ends with an empty column.
    closed: bool,
    faults: Vec<String>,
}

impl Header {
    fn read(line: &str) -> Result<Header, String> {
        let mut cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let closed = cells.len() > 1 && cells.last() == Some(&"");
        if closed {
            cells.pop();
        }
        let [first, codes @ ..] = cells.as_slice() else { return Err("the header is missing".into()) };
        if *first != "Date" || codes.is_empty() {
            return Err(format!("the header must be Date and then currencies, not {}", quoted(line)));
        }
        let mut header = Header { currencies: Vec::with_capacity(codes.len()), closed, faults: Vec::new() };
        for code in codes {
            let currency = header.read_currency(code).map_err(|fault| header.faults.push(fault)).ok();
            header.currencies.push(currency);
        }
        Ok(header)
    }

    fn read_currency(&self, code: &str) -> Result<Currency, String> {
        let currency = Currency::from_code(code).ok_or_else(|| format!("{} is not a known currency", quoted(code)))?;
        if currency == Currency::eur() {
            return Err("EUR is what the rates are for and cannot be a column".into());
        }
        if self.currencies.contains(&Some(currency)) {
            return Err(format!("{code} is there twice"));
        }
        Ok(currency)
    }

    fn read_day(&self, line: &str) -> Result<Day, String> {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let columns = 1 + self.currencies.len() + usize::from(self.closed);
        if cells.len() != columns {
            let found = cells.len();
            return Err(format!("there are {found} columns and not {columns} as in the header; the line may be cut"));
        }
        let [date, cells @ ..] = cells.as_slice() else { return Err("the line is empty".into()) };
        let date = read_date(date)?;
        if self.closed && cells.last() != Some(&"") {
            return Err("there is a value below the empty end of the header".into());
        }
        let mut rates = Vec::with_capacity(cells.len());
        for (currency, cell) in self.currencies.iter().zip(cells) {
            if let Some(currency) = currency
                && *cell != NO_RATE
            {
                rates.push((*currency, read_rate(*currency, cell)?));
            }
        }
        Ok(Day { date, rates })
    }
}

fn read_rate(currency: Currency, cell: &str) -> Result<Decimal, String> {
    let code = currency.code();
    let rate = Decimal::parse(cell).map_err(|fault| format!("{code} {}: {fault}", quoted(cell)))?;
    if rate.is_negative() || rate.is_zero() {
        return Err(format!("{code} {}: a rate must be more than zero; write {NO_RATE} for none", quoted(cell)));
    }
    Ok(rate)
}

fn read_date(cell: &str) -> Result<NaiveDate, String> {
    // chrono reads more than the ECB writes, such as `26-10-30`, so what was read is compared.
    let date = ["%Y-%m-%d", "%d %B %Y", "%-d %B %Y"].iter().find_map(|format| {
        let date = NaiveDate::parse_from_str(cell, format).ok()?;
        (date.format(format).to_string() == cell).then_some(date)
    });
    let date = date.ok_or_else(|| format!("{} is not a date such as 2026-10-30", quoted(cell)))?;
    if date.year() < FIRST_YEAR {
        return Err(format!("{} is before the euro", quoted(cell)));
    }
    Ok(date)
}

fn text_of(line: &[u8]) -> Result<&str, String> {
    str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).map_err(|_| "the line is not UTF-8 text".into())
}

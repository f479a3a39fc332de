//! What a bank pays and asks for currencies, day by day: `date,bank,currency,unit,buy,sell`, and perhaps `quote` (the
//! rupiah where it is empty) and `source_url`. One of `buy` and `sell` may be empty.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::{DateTime, Utc};
use entity::currency_rate::{self, Purpose};
use entity::rate_source;
use sea_orm::DatabaseTransaction;

use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{ImportError, MAX_BYTES, Report, cells, input, quotes};
use crate::domain::currency::Currency;
use crate::progress::Progress;

const WHAT: &str = "bank rates";
const COLUMNS: [&str; 6] = ["date", "bank", "currency", "unit", "buy", "sell"];

/// What a file of bank rates says.
#[derive(Clone, Debug)]
pub struct BankRates {
    rates: Vec<currency_rate::Model>,
    /// Where each bank publishes.
    urls: BTreeMap<String, Option<String>>,
}

/// Reads a file of bank rates and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<BankRates, ImportError> {
    parse(&input::read(path)?)
}

/// Reads bank rates from a CSV file.
///
/// # Errors
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another.
pub fn parse(bytes: &[u8]) -> Result<BankRates, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let (mut refusals, mut seen) = (Refusals::default(), HashMap::new());
    let mut all = BankRates { rates: Vec::new(), urls: BTreeMap::new() };
    read_rows(bytes, &COLUMNS, &mut refusals, |line, row| {
        let rates = read_row(row)?;
        let Some(first) = rates.first() else { return Err("it has neither buy nor sell".to_owned()) };
        let key = (first.source.clone(), first.base.clone(), first.quote.clone(), first.effective_date);
        if let Some(earlier) = seen.insert(key, line) {
            return Err(format!("{} of {} is on line {earlier} already", first.base, first.effective_date));
        }
        all.urls.entry(first.source.clone()).or_insert(cells::url(row, "source_url")?);
        all.rates.extend(rates);
        Ok(())
    });
    refusals.unless_any(WHAT, all)
}

fn read_row(row: &Row<'_>) -> Result<Vec<currency_rate::Model>, String> {
    let (base, day, bank) = (cells::currency(row, "currency")?, cells::day(row, "date")?, cells::text(row, "bank")?);
    let quote = if row.cell("quote").is_empty() { Currency::idr() } else { cells::currency(row, "quote")? };
    if base == quote {
        return Err(format!("{base} cannot be quoted in itself"));
    }
    let units = cells::units(row, "unit")?;
    let read = |column| if row.cell(column).is_empty() { Ok(None) } else { cells::rate(row, column).map(Some) };
    let (buy, sell) = (read("buy")?, read("sell")?);
    if let (Some(buy), Some(sell)) = (buy, sell)
        && buy > sell
    {
        return Err(format!("the bank buys at {buy}, above the {sell} at which it sells"));
    }
    let rate = |(purpose, rate): (Purpose, Option<crate::domain::decimal::Decimal>)| {
        rate.map(|rate| currency_rate::Model {
            purpose,
            base: base.code().to_owned(),
            quote: quote.code().to_owned(),
            effective_date: day,
            source: bank.clone(),
            rate: rate.to_string(),
            quoted_per: units,
            valid_to: None,
        })
    };
    Ok([(Purpose::BankBuy, buy), (Purpose::BankSell, sell)].into_iter().filter_map(rate).collect())
}

/// Stores the rates that are new or other than stored.
///
/// # Errors
/// When the database fails; nothing is to be committed then.
pub async fn import(
    tx: &DatabaseTransaction,
    rates: &BankRates,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing bank rates", rates.rates.len() as u64);
    let sources = rates.urls.iter().map(|(bank, url)| rate_source::Model {
        code: bank.clone(),
        name: bank.clone(),
        url: url.clone(),
        attribution: format!("Source: {bank}"),
        retrieved_at: now,
    });
    let report = quotes::import(tx, rates.rates.clone(), sources.collect(), now, &mut task).await?;
    task.finish();
    Ok(report)
}

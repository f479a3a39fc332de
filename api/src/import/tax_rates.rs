//! The weekly rates of the Indonesian finance ministry, at which duties and taxes are paid.
//!
//! `decree,valid_from,valid_to,currency,unit,idr,source_url`: `unit` of the currency cost `idr` rupiah from the first
//! to the last day, as the decree says. In place of `idr` a rate may be in `rate`, with its currency in `quote`: a
//! currency that the ministry does not list goes through the dollar. Each decree is a source of its own, so that a
//! quote can name it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use entity::currency_rate::{self, Column, Purpose};
use entity::rate_source;
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter};

use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{ImportError, MAX_BYTES, Report, cells, input, quotes, regulations};
use crate::domain::currency::Currency;
use crate::domain::duty::citation;
use crate::progress::Progress;

const WHAT: &str = "tax rates";
const NAME: &str = "Ministry of Finance of Indonesia, rates for taxes and duties";
const COLUMNS: [&str; 5] = ["decree", "valid_from", "valid_to", "currency", "unit"];

/// What a file of tax rates says.
#[derive(Clone, Debug)]
pub struct TaxRates {
    /// Each rate with its line.
    rates: Vec<(u64, currency_rate::Model)>,
    /// Where the decrees were read.
    urls: BTreeMap<String, Option<String>>,
}

/// Reads a file of tax rates and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<TaxRates, ImportError> {
    parse(&input::read(path)?)
}

/// Reads tax rates from a CSV file.
///
/// # Errors
/// [`ImportError::Refused`] with every line that is wrong by itself or contradicts another.
pub fn parse(bytes: &[u8]) -> Result<TaxRates, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let (mut refusals, mut seen) = (Refusals::default(), HashMap::new());
    let mut all = TaxRates { rates: Vec::new(), urls: BTreeMap::new() };
    read_rows(bytes, &COLUMNS, &mut refusals, |line, row| {
        let rate = read_row(row)?;
        let key = (rate.base.clone(), rate.quote.clone(), rate.effective_date);
        if let Some(earlier) = seen.insert(key, line) {
            return Err(format!("{} from {} is on line {earlier} already", rate.base, rate.effective_date));
        }
        all.urls.entry(rate.source.clone()).or_insert(cells::url(row, "source_url")?);
        all.rates.push((line, rate));
        Ok(())
    });
    refusals.unless_any(WHAT, all)
}

fn read_row(row: &Row<'_>) -> Result<currency_rate::Model, String> {
    let (from, to) = (cells::day(row, "valid_from")?, cells::day(row, "valid_to")?);
    cells::in_order(from, Some(to))?;
    let base = cells::currency(row, "currency")?;
    let (quote, rate) = match row.cell("quote") {
        "" => (Currency::idr(), cells::rate(row, "idr")?),
        _ => (cells::currency(row, "quote")?, cells::rate(row, "rate")?),
    };
    if base == quote {
        return Err(format!("{base} cannot be quoted in itself"));
    }
    let decree = cells::text(row, "decree")?;
    Ok(currency_rate::Model {
        purpose: Purpose::TaxDuty,
        base: base.code().to_owned(),
        quote: quote.code().to_owned(),
        effective_date: from,
        source: citation::number(&decree).unwrap_or(decree),
        rate: rate.to_string(),
        quoted_per: cells::units(row, "unit")?,
        valid_to: Some(to),
    })
}

/// Stores the rates that are new or other than stored.
///
/// # Errors
/// [`ImportError::Refused`] when two rates of one currency are for the same day, in the file or with what is stored.
pub async fn import(
    tx: &DatabaseTransaction,
    rates: &TaxRates,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing tax rates", rates.rates.len() as u64);
    check_periods(tx, &rates.rates).await?;
    regulations::ensure(tx, rates.urls.keys().filter_map(|decree| citation::number(decree))).await?;
    let sources = rates.urls.iter().map(|(decree, url)| rate_source::Model {
        code: decree.clone(),
        name: NAME.to_owned(),
        url: url.clone(),
        attribution: format!("Source: {decree}"),
        retrieved_at: now,
    });
    let quotes = rates.rates.iter().map(|(_, rate)| rate.clone()).collect();
    let report = quotes::import(tx, quotes, sources.collect(), now, &mut task).await?;
    task.finish();
    Ok(report)
}

/// Refuses a rate for a day that has another one of the same pair.
async fn check_periods(tx: &DatabaseTransaction, rates: &[(u64, currency_rate::Model)]) -> Result<(), ImportError> {
    type Period = (NaiveDate, Option<NaiveDate>, u64, String);
    let mut series: BTreeMap<(String, String), Vec<Period>> = BTreeMap::new();
    let first = rates.iter().map(|(_, rate)| rate.effective_date).min();
    let last = rates.iter().filter_map(|(_, rate)| rate.valid_to).max();
    if let (Some(first), Some(last)) = (first, last) {
        // No decree is for longer than a year.
        let stored = currency_rate::Entity::all()
            .filter(Column::Purpose.eq(Purpose::TaxDuty))
            .filter(Column::EffectiveDate.between(first - chrono::TimeDelta::days(366), last))
            .all(tx)
            .await?;
        for rate in stored {
            let again = |other: &currency_rate::Model| {
                (&other.base, &other.quote, other.effective_date, &other.source)
                    == (&rate.base, &rate.quote, rate.effective_date, &rate.source)
            };
            if !rates.iter().any(|(_, other)| again(other)) {
                let period = (rate.effective_date, rate.valid_to, 0, rate.source);
                series.entry((rate.base, rate.quote)).or_default().push(period);
            }
        }
    }
    for (line, rate) in rates {
        let period = (rate.effective_date, rate.valid_to, *line, rate.source.clone());
        series.entry((rate.base.clone(), rate.quote.clone())).or_default().push(period);
    }
    let mut refused: BTreeMap<u64, String> = BTreeMap::new();
    for ((base, _), mut periods) in series {
        periods.sort_unstable();
        for pair in periods.windows(2) {
            let [(_, to, first, decree), (next, _, second, other)] = pair else { continue };
            if to.is_none_or(|to| *next <= to) {
                let reason = format!("{base}: the rate of {other} from {next} on overlaps that of {decree}");
                refused.insert(*first.max(second), reason);
            }
        }
    }
    let mut refusals = Refusals::default();
    for (line, reason) in refused {
        refusals.add(line, reason);
    }
    refusals.unless_any(WHAT, ())
}

#[cfg(test)]
mod tests;

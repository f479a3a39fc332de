//! The euro reference rates of the European Central Bank.
//!
//! The ECB publishes what one euro costs in other currencies: its whole history as a zip archive with one
//! CSV file, and each day as a file of one row. These are reference rates, for information. They must never
//! be stored under another purpose.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::currency_rate::{self, Purpose};
use entity::rate_source;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::{Counts, ImportError, Report, Subject, input};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::progress::Progress;

mod format;

pub use format::parse;

/// The code of the source in [`rate_source`].
pub const SOURCE: &str = "ECB";
/// The words to print beside the rates.
pub const ATTRIBUTION: &str = "Source: European Central Bank reference rates";

/// The history as it was when this version was made. See `api/data/README.md`.
pub const SHIPPED: &[u8] = include_bytes!("../../data/ecb/eurofxref-hist.zip");

const NAME: &str = "European Central Bank";
const URL: &str =
    "https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/html/index.en.html";

/// The span that is compared at a time: about 2,000 rates, so that memory does not grow with the history.
const SPAN: TimeDelta = TimeDelta::days(90);
/// Rows written at a time, of 8 columns each: SQLite takes 32,766 values in a statement, PostgreSQL 65,535.
const ROWS_AT_A_TIME: usize = 1_000;

/// What a file of the ECB says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Earliest first, each day once.
    days: Vec<Day>,
}

/// The rates of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub date: NaiveDate,
    /// What one euro costs, by currency. Currencies without a rate that day are left out.
    pub rates: Vec<(Currency, Decimal)>,
}

impl History {
    /// The days, earliest first.
    pub fn days(&self) -> &[Day] {
        &self.days
    }
}

/// Reads a file of the ECB, packed or not, and checks every line; see [`parse`].
pub fn read(path: &Path) -> Result<History, ImportError> {
    parse(&input::read(path)?)
}

/// Stores the rates that are new or other than stored. `now` is noted as the time of retrieval if there
/// are any.
///
/// Rates that are stored and not in the file stay, and so do those that the ECB now prints as `N/A`.
pub async fn import(
    tx: &DatabaseTransaction,
    history: &History,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing ECB reference rates (days)", history.days.len() as u64);
    ensure_source(tx, now).await?;
    let (mut of_rates, mut of_days) = (Counts::default(), Counts::default());
    let mut rest = history.days.as_slice();
    while let [first, ..] = rest {
        let end = first.date + SPAN;
        let (chunk, later) = rest.split_at(rest.partition_point(|day| day.date < end));
        rest = later;
        let stored = stored_rates(tx, chunk).await?;
        let mut rows = Vec::new();
        for day in chunk {
            let stored = stored.get(&day.date);
            let before = rows.len();
            for (currency, rate) in &day.rates {
                let printed = rate.to_string();
                match stored.and_then(|rates| rates.get(currency.code())) {
                    Some(stored) if stored.is_as_printed(&printed) => {
                        of_rates.unchanged += 1;
                        continue;
                    }
                    Some(_) => of_rates.changed += 1,
                    None => of_rates.added += 1,
                }
                rows.push(row(day.date, *currency, printed));
            }
            match (rows.len() > before, stored) {
                (false, _) => of_days.unchanged += 1,
                (true, Some(_)) => of_days.changed += 1,
                (true, None) => of_days.added += 1,
            }
        }
        write(tx, rows).await?;
        task.advance(chunk.len() as u64);
    }
    let report = Report::new(Subject::Rates { days: of_days }, of_rates);
    if report.is_change() {
        note_retrieval(tx, now).await?;
    }
    task.finish();
    Ok(report)
}

/// What is stored of one rate, as far as an import can change it.
struct Stored {
    rate: String,
    quoted_per: i32,
    valid_to: Option<NaiveDate>,
}

impl Stored {
    fn is_as_printed(&self, printed: &str) -> bool {
        self.rate == printed && self.quoted_per == 1 && self.valid_to.is_none()
    }
}

/// The stored rates from the first to the last of these days, by day and currency.
async fn stored_rates(
    tx: &DatabaseTransaction,
    days: &[Day],
) -> Result<HashMap<NaiveDate, HashMap<String, Stored>>, DbErr> {
    use currency_rate::Column;
    let [first, ..] = days else { return Ok(HashMap::new()) };
    let last = days.last().unwrap_or(first);
    // A range and no list of days: for a list SQLite prefers the primary key, and reads every rate there is.
    let rows: Vec<(NaiveDate, String, String, i32, Option<NaiveDate>)> = currency_rate::Entity::all()
        .select_only()
        .columns([Column::EffectiveDate, Column::Quote, Column::Rate, Column::QuotedPer, Column::ValidTo])
        .filter(Column::Source.eq(SOURCE))
        .filter(Column::EffectiveDate.between(first.date, last.date))
        .filter(Column::Purpose.eq(Purpose::Reference))
        .filter(Column::Base.eq(Currency::eur().code()))
        .into_tuple()
        .all(tx)
        .await?;
    let mut stored: HashMap<NaiveDate, HashMap<String, Stored>> = HashMap::new();
    for (date, quote, rate, quoted_per, valid_to) in rows {
        stored.entry(date).or_default().insert(quote, Stored { rate, quoted_per, valid_to });
    }
    Ok(stored)
}

fn row(date: NaiveDate, currency: Currency, printed: String) -> currency_rate::ActiveModel {
    currency_rate::ActiveModel {
        purpose: ActiveValue::Set(Purpose::Reference),
        base: ActiveValue::Set(Currency::eur().code().to_owned()),
        quote: ActiveValue::Set(currency.code().to_owned()),
        effective_date: ActiveValue::Set(date),
        source: ActiveValue::Set(SOURCE.to_owned()),
        rate: ActiveValue::Set(printed),
        quoted_per: ActiveValue::Set(1),
        valid_to: ActiveValue::Set(None),
    }
}

async fn write(tx: &DatabaseTransaction, mut rows: Vec<currency_rate::ActiveModel>) -> Result<(), DbErr> {
    use currency_rate::Column;
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(ROWS_AT_A_TIME));
        // Another import may have stored the same rate since it was looked up.
        let there =
            OnConflict::columns([Column::Purpose, Column::Base, Column::Quote, Column::EffectiveDate, Column::Source])
                .update_columns([Column::Rate, Column::QuotedPer, Column::ValidTo])
                .to_owned();
        currency_rate::Entity::insert_many(rows).on_conflict(there).exec_without_returning(tx).await?;
        rows = rest;
    }
    Ok(())
}

fn source(now: DateTime<Utc>) -> rate_source::ActiveModel {
    rate_source::ActiveModel {
        code: ActiveValue::Set(SOURCE.to_owned()),
        name: ActiveValue::Set(NAME.to_owned()),
        url: ActiveValue::Set(Some(URL.to_owned())),
        attribution: ActiveValue::Set(ATTRIBUTION.to_owned()),
        retrieved_at: ActiveValue::Set(now),
    }
}

/// The source must be there before its rates, and before whatever else names it.
///
/// # Errors
/// When the database does not answer.
pub async fn ensure_source(tx: &DatabaseTransaction, now: DateTime<Utc>) -> Result<(), DbErr> {
    let there = OnConflict::column(rate_source::Column::Code).do_nothing().to_owned();
    rate_source::Entity::insert_many([source(now)]).on_conflict(there).exec_without_returning(tx).await?;
    Ok(())
}

async fn note_retrieval(tx: &DatabaseTransaction, now: DateTime<Utc>) -> Result<(), DbErr> {
    use rate_source::Column;
    let there = OnConflict::column(Column::Code)
        .update_columns([Column::Name, Column::Url, Column::Attribution, Column::RetrievedAt])
        .to_owned();
    rate_source::Entity::insert_many([source(now)]).on_conflict(there).exec_without_returning(tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests;

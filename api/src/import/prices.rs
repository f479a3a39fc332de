//! Market prices by month: `month,series,unit,price_usd`, such as `1999-01,Cocoa,$/kg,1.4558`, as a CSV file or a zip
//! archive of one.
//!
//! Which codes a series prices is a list that is compiled in; a series that it does not have is stored all the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{commodity, commodity_price, price_series, price_series_commodity, rate_source};
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter, QuerySelect};

use super::input::quoted;
use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{Counts, ImportError, MAX_BYTES, Report, Subject, cells, input, quotes, rows};
use crate::progress::Progress;

const WHAT: &str = "commodity prices";
const COLUMNS: [&str; 4] = ["month", "series", "unit", "price_usd"];
/// Series looked up at a time.
const AT_A_TIME: usize = 100;

/// The code of the source in [`rate_source`].
pub const SOURCE: &str = "WORLD_BANK";
const NAME: &str = "The World Bank";
const URL: &str = "https://www.worldbank.org/en/research/commodity-markets";
/// The words to print beside the prices.
pub const ATTRIBUTION: &str = "The World Bank: Commodity Price Data (Pink Sheet), reshaped, CC BY 4.0";

/// Which codes each series prices.
const SERIES: &str = include_str!("../../data/price-series.csv");
/// The prices as they were when this version was made. See `api/data/README.md`.
pub const SHIPPED: &[u8] = include_bytes!("../../data/worldbank-pink-sheet-monthly.zip");

/// What a file of prices says.
#[derive(Clone, Debug)]
pub struct Prices {
    prices: Vec<commodity_price::Model>,
}

/// Reads a file of prices, packed or not, and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<Prices, ImportError> {
    parse(&input::read(path)?)
}

/// Reads prices from a CSV file or a zip archive of one.
///
/// # Errors
/// [`ImportError::NotAnArchive`] and [`ImportError::TooLarge`] for an archive that cannot be unpacked, and
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another.
pub fn parse(bytes: &[u8]) -> Result<Prices, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    if input::is_zip(bytes) { parse_csv(&input::unzip_csv(bytes)?) } else { parse_csv(bytes) }
}

fn parse_csv(bytes: &[u8]) -> Result<Prices, ImportError> {
    let (mut refusals, mut prices, mut seen) = (Refusals::default(), Vec::new(), HashMap::new());
    read_rows(bytes, &COLUMNS, &mut refusals, |line, row| {
        let price = read_row(row)?;
        if let Some(earlier) = seen.insert((price.series.clone(), price.month), line) {
            return Err(format!("{} of {} is on line {earlier} already", price.series, row.cell("month")));
        }
        prices.push(price);
        Ok(())
    });
    refusals.unless_any(WHAT, Prices { prices })
}

fn read_row(row: &Row<'_>) -> Result<commodity_price::Model, String> {
    let cell = row.cell("month");
    let month = NaiveDate::parse_from_str(&format!("{cell}-01"), "%Y-%m-%d").ok();
    let month = month.filter(|month| month.format("%Y-%m").to_string() == cell);
    Ok(commodity_price::Model {
        series: cells::text(row, "series")?,
        month: month.ok_or_else(|| format!("{} is not a month such as 2026-02", quoted(cell)))?,
        unit: cells::text(row, "unit")?,
        price: cells::rate(row, "price_usd")?.to_string(),
    })
}

/// Stores the prices that are new or other than stored, and which codes their series price.
///
/// # Errors
/// When the database fails; nothing is to be committed then.
pub async fn import(
    tx: &DatabaseTransaction,
    prices: &Prices,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing commodity prices", prices.prices.len() as u64);
    let source = rate_source::Model {
        code: SOURCE.to_owned(),
        name: NAME.to_owned(),
        url: Some(URL.to_owned()),
        attribution: ATTRIBUTION.to_owned(),
        retrieved_at: now,
    };
    quotes::ensure_source(tx, source.clone()).await?;
    let mut by_series: BTreeMap<String, Vec<commodity_price::Model>> = BTreeMap::new();
    for price in &prices.prices {
        by_series.entry(price.series.clone()).or_default().push(price.clone());
    }
    let names: Vec<String> = by_series.keys().cloned().collect();
    let mut of_series = Counts::default();
    let there = price_series::Entity::all().all(tx).await?;
    let there: HashMap<_, _> = there.into_iter().map(|series| (series.name.clone(), series)).collect();
    let series = names.iter().map(|name| price_series::Model { name: name.clone(), source: SOURCE.to_owned() });
    let changed = rows::changed(series.collect(), &there, |series| series.name.clone(), &mut of_series);
    rows::put::<price_series::Entity>(tx, changed).await?;
    link(tx, &names).await?;

    let mut counts = Counts::default();
    for some in names.chunks(AT_A_TIME) {
        let of_series = commodity_price::Column::Series.is_in(some);
        let stored = commodity_price::Entity::all().filter(of_series).all(tx).await?;
        let stored: HashMap<_, _> = stored.into_iter().map(|price| (key(&price), price)).collect();
        for name in some {
            let wanted = by_series.remove(name).unwrap_or_default();
            let count = wanted.len() as u64;
            rows::put::<commodity_price::Entity>(tx, rows::changed(wanted, &stored, key, &mut counts)).await?;
            task.advance(count);
        }
    }
    if counts.is_change() {
        rows::put::<rate_source::Entity>(tx, vec![source]).await?;
    }
    task.finish();
    Ok(Report::new(Subject::Listed { noun: "price", group: "price list", groups: of_series }, counts))
}

fn key(price: &commodity_price::Model) -> (String, NaiveDate) {
    (price.series.clone(), price.month)
}

/// Notes which codes these series price, as far as the codes are stored.
async fn link(tx: &DatabaseTransaction, names: &[String]) -> Result<(), ImportError> {
    let links = links()?;
    let codes: BTreeSet<&str> = links.iter().map(|link| link.commodity.as_str()).collect();
    let query = commodity::Entity::all().select_only().column(commodity::Column::Code);
    let known: Vec<String> = query.filter(commodity::Column::Code.is_in(codes)).into_tuple().all(tx).await?;
    let wanted = links.into_iter().filter(|link| names.contains(&link.series) && known.contains(&link.commodity));
    rows::put::<price_series_commodity::Entity>(tx, wanted.collect()).await?;
    Ok(())
}

/// The list that is compiled in: `series,hscode`.
fn links() -> Result<Vec<price_series_commodity::Model>, ImportError> {
    let (mut refusals, mut links) = (Refusals::default(), Vec::new());
    read_rows(SERIES.as_bytes(), &["series", "hscode"], &mut refusals, |_, row| {
        links.push(price_series_commodity::Model {
            series: cells::text(row, "series")?,
            commodity: cells::text(row, "hscode")?,
        });
        Ok(())
    });
    refusals.unless_any("the list of price series", links)
}

#[cfg(test)]
mod tests;

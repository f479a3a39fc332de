//! What the ministry publishes for a period: reference prices, export prices (HPE), and the duty and levy it prints.
//!
//! A levy is stored as printed: it is computed from an unrounded price, and differs from the percentage of the printed
//! one in the last digit.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use chrono::NaiveDate;
use entity::reference_price::{self, Column, Kind};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter};

use super::report::Refusals;
use super::{Counts, ImportError, Report, Subject, input, regulations, rows};
use crate::domain::duty::citation;
use crate::progress::Progress;

mod format;

pub use format::parse;

const WHAT: &str = "reference prices";
/// Goods looked up at a time.
const AT_A_TIME: usize = 500;

/// What a file of reference prices says.
#[derive(Clone, Debug)]
pub struct ReferencePrices {
    /// Each figure with its line.
    figures: Vec<(u64, reference_price::Model)>,
}

/// Reads a file of reference prices and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<ReferencePrices, ImportError> {
    parse(&input::read(path)?)
}

/// Stores the figures that are new or other than stored.
///
/// # Errors
/// [`ImportError::Refused`] when two periods of one figure overlap, in the file or with what is stored.
pub async fn import(
    tx: &DatabaseTransaction,
    prices: &ReferencePrices,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing reference prices", prices.figures.len() as u64);
    let stored = stored(tx, &prices.figures).await?;
    check_periods(&prices.figures, &stored)?;
    let figures: Vec<_> = prices.figures.iter().map(|(_, figure)| figure.clone()).collect();
    let citations = figures.iter().flat_map(|figure| [&figure.decree, &figure.legal_basis]).flatten();
    regulations::ensure(tx, citations.flat_map(|text| citation::numbers(text))).await?;

    let mut counts = Counts::default();
    let changed = rows::changed(figures.clone(), &stored, key, &mut counts);
    let periods = |of: &mut dyn Iterator<Item = &reference_price::Model>| -> BTreeSet<(String, NaiveDate)> {
        of.map(|figure| (figure.product_key.clone(), figure.valid_from)).collect()
    };
    let (all, other, before) =
        (periods(&mut figures.iter()), periods(&mut changed.iter()), periods(&mut stored.values()));
    let groups = Counts {
        added: other.difference(&before).count() as u64,
        changed: other.intersection(&before).count() as u64,
        unchanged: all.difference(&other).count() as u64,
    };
    rows::put::<reference_price::Entity>(tx, changed).await?;
    task.advance(prices.figures.len() as u64);
    task.finish();
    Ok(Report::new(Subject::Listed { noun: "figure", group: "period", groups }, counts))
}

type FigureKey = (String, Kind, NaiveDate);

fn key(figure: &reference_price::Model) -> FigureKey {
    (figure.product_key.clone(), figure.kind, figure.valid_from)
}

/// The stored figures of the same goods.
async fn stored(
    tx: &DatabaseTransaction,
    figures: &[(u64, reference_price::Model)],
) -> Result<HashMap<FigureKey, reference_price::Model>, DbErr> {
    let products: BTreeSet<&str> = figures.iter().map(|(_, figure)| figure.product_key.as_str()).collect();
    let mut stored = HashMap::new();
    for some in products.into_iter().collect::<Vec<_>>().chunks(AT_A_TIME) {
        let of_product = Column::ProductKey.is_in(some.iter().copied());
        let found = reference_price::Entity::all().filter(of_product).all(tx).await?;
        stored.extend(found.into_iter().map(|figure| (key(&figure), figure)));
    }
    Ok(stored)
}

/// Refuses a figure for a day for which there is another one.
fn check_periods(
    figures: &[(u64, reference_price::Model)],
    stored: &HashMap<FigureKey, reference_price::Model>,
) -> Result<(), ImportError> {
    let mut refusals = Refusals::default();
    // The first and the last day, and the line; 0 for what is stored.
    type Period = (NaiveDate, NaiveDate, u64);
    let mut series: HashMap<(&str, Kind), Vec<Period>> = HashMap::new();
    let replaced: BTreeSet<_> = figures.iter().map(|(_, figure)| (&figure.product_key, figure.valid_from)).collect();
    for figure in stored.values().filter(|figure| !replaced.contains(&(&figure.product_key, figure.valid_from))) {
        let periods = series.entry((&figure.product_key, figure.kind)).or_default();
        periods.push((figure.valid_from, figure.valid_to, 0));
    }
    for (line, figure) in figures {
        let periods = series.entry((&figure.product_key, figure.kind)).or_default();
        periods.push((figure.valid_from, figure.valid_to, *line));
    }
    let mut refused: BTreeSet<(u64, String)> = BTreeSet::new();
    for ((product, _), mut periods) in series {
        periods.sort_unstable();
        for pair in periods.windows(2) {
            let [(from, to, first), (next, _, second)] = pair else { continue };
            if next <= to {
                let reason = format!("{product}: the period from {next} on overlaps that from {from} to {to}");
                refused.insert((*first.max(second), reason));
            }
        }
    }
    for (line, reason) in refused {
        refusals.add(line, reason);
    }
    refusals.unless_any(WHAT, ())
}

#[cfg(test)]
mod tests;

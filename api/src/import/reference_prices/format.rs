//! Reads files of reference prices, one line for a product and a period.
//!
//! `product,valid_from,valid_to`, the reference price as `reference_price_usd_mt`, or as `reference_price` with its
//! `price_unit`; `export_duty` with `export_duty_unit`, `levy` with `levy_unit`; `decree,duty_basis,levy_basis,
//! source_url`. A unit is an amount such as `USD/MT`, or a percentage such as `% of HPE`. An amount in brackets after
//! it is the export price for `% of HPE (USD 2460/MT)`, and the printed charge for any other percentage.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::reference_price::{Kind, Model};

use super::{ReferencePrices, WHAT};
use crate::domain::decimal::Decimal;
use crate::domain::duty::measure::{PriceUnit, RateUnit, product_key};
use crate::import::input::quoted;
use crate::import::report::Refusals;
use crate::import::table::{Row, read_rows};
use crate::import::{ImportError, MAX_BYTES, cells};

const COLUMNS: [&str; 3] = ["product", "valid_from", "valid_to"];
/// What the column without a unit of its own is in.
const USUAL_UNIT: &str = "USD/MT";

/// Reads reference prices from a CSV file.
///
/// # Errors
///
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another. Whether periods overlap is
/// checked by [`import`](super::import).
pub fn parse(bytes: &[u8]) -> Result<ReferencePrices, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let (mut refusals, mut figures, mut seen) = (Refusals::default(), Vec::new(), HashMap::new());
    read_rows(bytes, &COLUMNS, &mut refusals, |line, row| {
        let read = read_row(row)?;
        let Some(first) = read.first() else { return Err("it has neither a price nor a duty nor a levy".to_owned()) };
        if let Some(earlier) = seen.insert((first.product_key.clone(), first.valid_from), line) {
            return Err(format!("{} from {} is on line {earlier} already", first.product, first.valid_from));
        }
        figures.extend(read.into_iter().map(|figure| (line, figure)));
        Ok(())
    });
    refusals.unless_any(WHAT, ReferencePrices { figures })
}

/// What all figures of a line have in common.
struct Line {
    product: String,
    from: NaiveDate,
    to: NaiveDate,
    decree: Option<String>,
    source_url: Option<String>,
}

/// An amount and what it is in.
type Priced = (Decimal, PriceUnit);

fn read_row(row: &Row<'_>) -> Result<Vec<Model>, String> {
    let line = Line {
        product: cells::text(row, "product")?,
        from: cells::day(row, "valid_from")?,
        to: cells::day(row, "valid_to")?,
        decree: cells::optional_text(row, "decree")?,
        source_url: cells::url(row, "source_url")?,
    };
    cells::in_order(line.from, Some(line.to))?;
    let mut figures = Vec::new();
    let reference = read_reference(row)?;
    if let Some(price) = reference {
        figures.push(line.figure(Kind::Reference, price.1, Some(price.0), None, None));
    }
    let unit = reference.map(|(_, unit)| unit).or_else(|| PriceUnit::parse(USUAL_UNIT));
    let unit = unit.ok_or("it has no unit")?;
    let (duty, levy) = (read_charge(row, "export_duty")?, read_charge(row, "levy")?);
    if let Some(Charge { rate, printed }) = duty {
        let basis = cells::optional_text(row, "duty_basis")?;
        match (rate, printed) {
            (Some(rate), Some(price)) if rate.1 == RateUnit::PercentOfHpe => {
                figures.push(line.figure(Kind::Hpe, price.1, Some(price.0), None, None));
                figures.push(line.figure(Kind::Duty, price.1, None, Some(rate), basis));
            }
            (rate, printed) => {
                let unit = printed.map_or(unit, |(_, unit)| unit);
                figures.push(line.figure(Kind::Duty, unit, printed.map(|(amount, _)| amount), rate, basis));
            }
        }
    }
    if let Some(Charge { rate, printed }) = levy {
        let basis = cells::optional_text(row, "levy_basis")?;
        let unit = printed.map_or(unit, |(_, unit)| unit);
        figures.push(line.figure(Kind::Levy, unit, printed.map(|(amount, _)| amount), rate, basis));
    }
    Ok(figures)
}

impl Line {
    fn figure(
        &self,
        kind: Kind,
        unit: PriceUnit,
        amount: Option<Decimal>,
        rate: Option<(Decimal, RateUnit)>,
        legal_basis: Option<String>,
    ) -> Model {
        let (rate, rate_unit) = rate.map(|(rate, unit)| (rate.to_string(), unit.to_string())).unzip();
        Model {
            product_key: product_key(&self.product),
            kind,
            valid_from: self.from,
            valid_to: self.to,
            product: self.product.clone(),
            currency: unit.currency.code().to_owned(),
            unit: unit.per.symbol().to_owned(),
            amount: amount.map(|amount| amount.to_string()),
            rate,
            rate_unit,
            decree: self.decree.clone(),
            legal_basis,
            source_url: self.source_url.clone(),
        }
    }
}

fn read_reference(row: &Row<'_>) -> Result<Option<Priced>, String> {
    let usual = cells::optional_number(row, "reference_price_usd_mt")?;
    let other = cells::optional_number(row, "reference_price")?;
    let (price, written) = match (usual, other) {
        (None, None) => return Ok(None),
        (Some(price), None) => (price, USUAL_UNIT),
        (None, Some(price)) => (price, row.cell("price_unit")),
        (Some(_), Some(_)) => return Err("it has two reference prices".to_owned()),
    };
    if price.is_zero() {
        return Err("its reference price must be more than zero".to_owned());
    }
    let unit = PriceUnit::parse(written)
        .ok_or_else(|| format!("price_unit {} is not a price such as USD/MT", quoted(written)))?;
    Ok(Some((price, unit)))
}

/// A duty or a levy as it is printed: a percentage, an amount, or both.
struct Charge {
    rate: Option<(Decimal, RateUnit)>,
    printed: Option<Priced>,
}

fn read_charge(row: &Row<'_>, column: &str) -> Result<Option<Charge>, String> {
    let Some(number) = cells::optional_number(row, column)? else { return Ok(None) };
    let cell = row.words(&format!("{column}_unit"));
    let unknown = || format!("{column}_unit {} is not known", quoted(&cell));
    let (unit, printed) = match cell.split_once(" (") {
        None => (cell.as_str(), None),
        Some((unit, rest)) => {
            let inner = rest.strip_suffix(')').ok_or_else(unknown)?;
            (unit, Some(read_priced(inner).ok_or_else(unknown)?))
        }
    };
    match (RateUnit::parse(unit).ok_or_else(unknown)?, printed) {
        (RateUnit::Amount(unit), None) => Ok(Some(Charge { rate: None, printed: Some((number, unit)) })),
        (RateUnit::Amount(_), Some(_)) => Err(unknown()),
        (_, _) if number > Decimal::new(100, 0) => Err(format!("its {column} is more than 100 %")),
        (unit, printed) => Ok(Some(Charge { rate: Some((number, unit)), printed })),
    }
}

/// `USD 2460/MT`.
fn read_priced(text: &str) -> Option<Priced> {
    let (currency, rest) = text.trim().split_once(' ')?;
    let (amount, per) = rest.split_once('/')?;
    let unit = PriceUnit::parse(&format!("{currency}/{per}"))?;
    Some((cells::amount(amount.trim()).ok()?, unit))
}

//! Reads files of rules.
//!
//! One line is one band: `rule_id,commodity,hs,kind,lo_usd,lo_inclusive,hi_usd,hi_inclusive,band_unit,rate,rate_unit,
//! valid_from,valid_to,legal_basis,confidence,source_url`, and perhaps `measure` (`EXPORT_DUTY` where it is empty).
//! A file with the column `rate_pct_of_cpo_reference` is read as the palm levies: one line for a group of products.

use std::collections::HashMap;

use super::{DutyRules, Rule, WHAT};
use crate::domain::decimal::Decimal;
use crate::domain::duty::measure::{Band, Kind, PriceUnit, RateUnit};
use crate::domain::hs_code::HsCode;
use crate::import::input::quoted;
use crate::import::report::Refusals;
use crate::import::table::{Row, read_rows};
use crate::import::{ImportError, MAX_BYTES, cells};

const COLUMNS: [&str; 15] = [
    "rule_id",
    "commodity",
    "hs",
    "kind",
    "lo_usd",
    "lo_inclusive",
    "hi_usd",
    "hi_inclusive",
    "band_unit",
    "rate",
    "rate_unit",
    "valid_from",
    "valid_to",
    "legal_basis",
    "confidence",
];
const GROUP_RATE: &str = "rate_pct_of_cpo_reference";
const GROUP_COLUMNS: [&str; 6] = ["group", GROUP_RATE, "examples", "valid_from", "valid_to", "legal_basis"];
/// Whose reference price the palm levies are a percentage of.
const GROUP_PRICE: &str = "CPO";

/// Reads rules from a CSV file.
///
/// # Errors
///
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another. Whether the codes exist, and
/// whether the bands fit together, is checked by [`import`](super::import).
pub fn parse(bytes: &[u8]) -> Result<DutyRules, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let groups = String::from_utf8_lossy(first).split(',').any(|name| name.trim() == GROUP_RATE);
    let (mut refusals, mut rules, mut seen) = (Refusals::default(), Vec::new(), HashMap::new());
    let columns = if groups { &GROUP_COLUMNS[..] } else { &COLUMNS[..] };
    read_rows(bytes, columns, &mut refusals, |line, row| {
        let read = if groups { read_group(line, row)? } else { vec![read_rule(line, row)?] };
        for rule in read {
            if let Some(earlier) = seen.insert(rule.band.rule.clone(), line) {
                return Err(format!("{} is on line {earlier} already", rule.band.rule));
            }
            rules.push(rule);
        }
        Ok(())
    });
    refusals.unless_any(WHAT, DutyRules { rules })
}

fn read_rule(line: u64, row: &Row<'_>) -> Result<Rule, String> {
    let name = cells::text(row, "rule_id")?;
    read_named(line, row, &name).map_err(|fault| format!("{name}: {fault}"))
}

fn read_named(line: u64, row: &Row<'_>, name: &str) -> Result<Rule, String> {
    let rate_unit = read_rate_unit(row)?;
    let rate = cells::number(row, "rate")?;
    check_kind(row, &rate_unit, rate)?;
    let (low, high) = (cells::optional_number(row, "lo_usd")?, cells::optional_number(row, "hi_usd")?);
    let unit = match row.cell("band_unit") {
        "" if low.is_some() || high.is_some() => return Err("its band has no band_unit".to_owned()),
        "" => None,
        cell => {
            let unit = PriceUnit::parse(cell.strip_suffix(" reference price").unwrap_or(cell));
            Some(unit.ok_or_else(|| format!("band_unit {} is not a price such as USD/MT", quoted(cell)))?)
        }
    };
    let (valid_from, valid_to) = (cells::day(row, "valid_from")?, cells::optional_day(row, "valid_to")?);
    cells::in_order(valid_from, valid_to)?;
    Ok(Rule {
        line,
        kind: read_measure(row)?,
        product: cells::text(row, "commodity")?,
        codes: read_codes(row)?,
        valid_from,
        valid_to,
        band: Band {
            rule: name.to_owned(),
            low,
            low_inclusive: cells::flag(row, "lo_inclusive")?,
            high,
            high_inclusive: cells::flag(row, "hi_inclusive")?,
            unit,
            rate,
            rate_unit,
            legal_basis: cells::text(row, "legal_basis")?,
            confidence: cells::optional_text(row, "confidence")?.unwrap_or_default(),
            source_url: cells::url(row, "source_url")?,
        },
    })
}

fn read_rate_unit(row: &Row<'_>) -> Result<RateUnit, String> {
    let cell = row.cell("rate_unit");
    RateUnit::parse(cell)
        .ok_or_else(|| format!("rate_unit {} is not known; write % of HPE, or an amount such as USD/MT", quoted(cell)))
}

fn check_kind(row: &Row<'_>, rate_unit: &RateUnit, rate: Decimal) -> Result<(), String> {
    let is_amount = matches!(rate_unit, RateUnit::Amount(_));
    match row.cell("kind") {
        "AD_VALOREM" if is_amount => Err("an AD_VALOREM rate is a percentage".to_owned()),
        "AD_VALOREM" if rate > Decimal::new(100, 0) => Err("its rate is more than 100 %".to_owned()),
        "SPECIFIC" if !is_amount => Err("a SPECIFIC rate is an amount for each unit".to_owned()),
        "AD_VALOREM" | "SPECIFIC" => Ok(()),
        other => Err(format!("kind must be AD_VALOREM or SPECIFIC, not {}", quoted(other))),
    }
}

fn read_measure(row: &Row<'_>) -> Result<Kind, String> {
    match row.cell("measure") {
        "" | "EXPORT_DUTY" => Ok(Kind::ExportDuty),
        "EXPORT_LEVY" => Ok(Kind::ExportLevy),
        "EXPORT_BAN" => Ok(Kind::ExportBan),
        "EXPORT_PERMIT" => Ok(Kind::ExportPermit),
        other => {
            Err(format!("measure {} is not one of EXPORT_DUTY, EXPORT_LEVY, EXPORT_BAN, EXPORT_PERMIT", quoted(other)))
        }
    }
}

/// `18010010;18010090`, or `ex 13019090` where only a part of the goods under the code is meant.
fn read_codes(row: &Row<'_>) -> Result<Vec<(HsCode, bool)>, String> {
    let mut codes: Vec<(HsCode, bool)> = Vec::new();
    for cell in row.cell("hs").split(';').map(str::trim).filter(|cell| !cell.is_empty()) {
        let (digits, part) = cell.strip_prefix("ex ").map_or((cell, false), |digits| (digits.trim(), true));
        let code = HsCode::parse(digits).map_err(|fault| format!("hs {}: {fault}", quoted(cell)))?;
        if code.is_section() {
            return Err(format!("hs {}: a section is not a code", quoted(cell)));
        }
        if codes.iter().any(|(other, _)| *other == code) {
            return Err(format!("hs has {code} twice"));
        }
        codes.push((code, part));
    }
    Ok(codes)
}

/// A group of palm products, each of which is a measure of its own.
fn read_group(line: u64, row: &Row<'_>) -> Result<Vec<Rule>, String> {
    let (group, legal_basis) = (cells::text(row, "group")?, cells::text(row, "legal_basis")?);
    let (valid_from, valid_to) = (cells::day(row, "valid_from")?, cells::optional_day(row, "valid_to")?);
    cells::in_order(valid_from, valid_to)?;
    let (rate, source_url) = (cells::number(row, GROUP_RATE)?, cells::url(row, "source_url")?);
    let examples = cells::text(row, "examples")?;
    let products = examples.split(';').map(str::trim).filter(|product| !product.is_empty());
    let rule = |product: &str| Rule {
        line,
        kind: Kind::ExportLevy,
        product: product.to_owned(),
        codes: Vec::new(),
        valid_from,
        valid_to,
        band: Band {
            rule: format!("{legal_basis} group {group}: {product}"),
            low: None,
            low_inclusive: false,
            high: None,
            high_inclusive: false,
            unit: None,
            rate,
            rate_unit: RateUnit::PercentOfReference(Some(GROUP_PRICE.to_owned())),
            legal_basis: legal_basis.clone(),
            confidence: "the products of a group are examples".to_owned(),
            source_url: source_url.clone(),
        },
    };
    Ok(products.map(rule).collect())
}

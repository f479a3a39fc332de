//! Rules of export duty and levy: which rate applies to which goods, in which band, from when to when.
//!
//! Rules of the same goods that begin on the same day are one measure, and a file replaces a measure as a whole. Its
//! bands must leave no gap and must not overlap, and no two measures of the same goods may apply on one day, whether
//! they are in the file or stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::NaiveDate;
use entity::{commodity, duty_band, duty_measure, duty_measure_commodity};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::report::Refusals;
use super::{Counts, ImportError, Report, Subject, input, regulations, rows};
use crate::domain::duty::citation;
use crate::domain::duty::measure::{Band, Kind, RateUnit, order_bands, product_key};
use crate::domain::hs_code::HsCode;
use crate::progress::Progress;

mod format;

pub use format::parse;

const WHAT: &str = "rules of export duty";
/// Values looked up at a time.
const AT_A_TIME: usize = 500;

/// What a file of rules says.
#[derive(Clone, Debug)]
pub struct DutyRules {
    rules: Vec<Rule>,
}

/// One line: a band of a measure.
#[derive(Clone, Debug)]
struct Rule {
    line: u64,
    kind: Kind,
    product: String,
    codes: Vec<(HsCode, bool)>,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
    band: Band,
}

/// A measure as it is stored: its row, its codes, its bands.
#[derive(Clone, Debug, PartialEq)]
struct Stored {
    measure: duty_measure::Model,
    codes: Vec<duty_measure_commodity::Model>,
    bands: Vec<duty_band::Model>,
}

/// Reads a file of rules and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<DutyRules, ImportError> {
    parse(&input::read(path)?)
}

impl DutyRules {
    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// Stores the measures that are new or other than stored.
///
/// # Errors
///
/// [`ImportError::Refused`] when a code is not stored, or a measure applies on a day on which another one of the same
/// goods does; nothing is written then.
pub async fn import(tx: &DatabaseTransaction, rules: &DutyRules, progress: &Progress) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing rules of export duty", rules.rules.len() as u64);
    check_codes(tx, &rules.rules).await?;
    let wanted = measures(&rules.rules)?;
    let stored = stored(tx, &rules.rules).await?;
    check_periods(&wanted, &stored)?;
    check_names(tx, &wanted).await?;

    let cited = rules.rules.iter().flat_map(|rule| citation::numbers(&rule.band.legal_basis));
    regulations::ensure(tx, cited).await?;
    let (mut of_rules, mut of_measures) = (Counts::default(), Counts::default());
    for (_, measure) in wanted {
        let count = measure.bands.len() as u64;
        match stored.get(&measure.measure.code) {
            Some(there) if *there == measure => {
                of_measures.unchanged += 1;
                of_rules.unchanged += count;
            }
            there => {
                count_rules(there, &measure, &mut of_rules);
                let counted = if there.is_some() { &mut of_measures.changed } else { &mut of_measures.added };
                *counted += 1;
                replace(tx, measure, there.is_some()).await?;
            }
        }
        task.advance(count);
    }
    task.finish();
    Ok(Report::new(Subject::Listed { noun: "rule", group: "measure", groups: of_measures }, of_rules))
}

fn count_rules(there: Option<&Stored>, measure: &Stored, counts: &mut Counts) {
    let before: HashMap<_, _> =
        there.iter().flat_map(|there| &there.bands).map(|band| (band.rule.clone(), band.clone())).collect();
    rows::changed(measure.bands.clone(), &before, |band| band.rule.clone(), counts);
}

async fn replace(tx: &DatabaseTransaction, measure: Stored, is_there: bool) -> Result<(), DbErr> {
    let code = measure.measure.code.clone();
    rows::put::<duty_measure::Entity>(tx, vec![measure.measure]).await?;
    if is_there {
        let codes = duty_measure_commodity::Column::Measure.eq(&code);
        duty_measure_commodity::Entity::delete_many().filter(codes).exec(tx).await?;
        let bands = duty_band::Column::Measure.eq(&code);
        duty_band::Entity::delete_many().filter(bands).exec(tx).await?;
    }
    rows::put::<duty_measure_commodity::Entity>(tx, measure.codes).await?;
    rows::put::<duty_band::Entity>(tx, measure.bands).await
}

/// Whether the rules name a code that is not stored.
///
/// # Errors
/// When the database fails.
pub async fn lacks_codes(tx: &DatabaseTransaction, rules: &DutyRules) -> Result<bool, ImportError> {
    match check_codes(tx, &rules.rules).await {
        Err(ImportError::Refused { .. }) => Ok(true),
        other => other.map(|()| false),
    }
}

/// Refuses codes that are not stored.
async fn check_codes(tx: &DatabaseTransaction, rules: &[Rule]) -> Result<(), ImportError> {
    let codes: BTreeSet<String> = rules.iter().flat_map(|rule| &rule.codes).map(|(code, _)| code.to_string()).collect();
    let mut known = BTreeSet::new();
    for some in codes.into_iter().collect::<Vec<_>>().chunks(AT_A_TIME) {
        let query = commodity::Entity::all().select_only().column(commodity::Column::Code);
        let found: Vec<String> = query.filter(commodity::Column::Code.is_in(some)).into_tuple().all(tx).await?;
        known.extend(found);
    }
    let mut refusals = Refusals::default();
    for rule in rules {
        for (code, _) in rule.codes.iter().filter(|(code, _)| !known.contains(code.as_str())) {
            let name = &rule.band.rule;
            refusals.add(rule.line, format!("{name}: there is no commodity {code}; import its code first"));
        }
    }
    refusals.unless_any(WHAT, ())
}

/// The measures that the rules make, each with the line of its first rule.
fn measures(rules: &[Rule]) -> Result<Vec<(u64, Stored)>, ImportError> {
    let mut groups: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        groups.entry(measure_code(rule)).or_default().push(rule);
    }
    let (mut refusals, mut measures) = (Refusals::default(), Vec::new());
    for (code, rules) in groups {
        match measure(&code, &rules) {
            Ok(measure) => measures.extend(rules.first().map(|rule| (rule.line, measure))),
            Err((line, reason)) => refusals.add(line, reason),
        }
    }
    refusals.unless_any(WHAT, measures)
}

fn measure(code: &str, rules: &[&Rule]) -> Result<Stored, (u64, String)> {
    let [first, others @ ..] = rules else { return Err((1, "a measure without rules".to_owned())) };
    let specific = |rule: &Rule| matches!(rule.band.rate_unit, RateUnit::Amount(_));
    for rule in others {
        let name = &rule.band.rule;
        let differs = |what| Err((rule.line, format!("{name}: its {what} differs from that of {}", first.band.rule)));
        if rule.valid_to != first.valid_to {
            return differs("valid_to");
        }
        if rule.codes != first.codes {
            return differs("hs");
        }
        if specific(rule) != specific(first) {
            return differs("kind");
        }
    }
    let bands = order_bands(rules.iter().map(|rule| rule.band.clone()).collect()).map_err(|fault| {
        let line = rules.iter().find(|rule| rule.band.rule == fault.rule()).map_or(first.line, |rule| rule.line);
        (line, fault.to_string())
    })?;
    let duty_kind = if specific(first) { duty_measure::DutyKind::Specific } else { duty_measure::DutyKind::AdValorem };
    let mut codes: Vec<_> = first
        .codes
        .iter()
        .map(|(named, part)| duty_measure_commodity::Model {
            commodity: named.to_string(),
            measure: code.to_owned(),
            part: *part,
        })
        .collect();
    codes.sort_unstable_by(|one, other| one.commodity.cmp(&other.commodity));
    Ok(Stored {
        measure: duty_measure::Model {
            code: code.to_owned(),
            kind: stored_kind(first.kind),
            duty_kind,
            product: first.product.clone(),
            product_key: product_key(&first.product),
            valid_from: first.valid_from,
            valid_to: first.valid_to,
        },
        codes,
        bands: bands.into_iter().zip(1..).map(|(band, sequence)| band_row(code, sequence, band)).collect(),
    })
}

fn band_row(measure: &str, sequence: i32, band: Band) -> duty_band::Model {
    duty_band::Model {
        measure: measure.to_owned(),
        sequence,
        rule: band.rule,
        low: band.low.map(|low| low.to_string()),
        low_inclusive: band.low_inclusive,
        high: band.high.map(|high| high.to_string()),
        high_inclusive: band.high_inclusive,
        band_unit: band.unit.map(|unit| unit.to_string()),
        rate: band.rate.to_string(),
        rate_unit: band.rate_unit.to_string(),
        legal_basis: band.legal_basis,
        confidence: band.confidence,
        source_url: band.source_url,
    }
}

/// `duty.cocoa-beans.2025-10-22`: what a person reads in an id.
fn measure_code(rule: &Rule) -> String {
    let kind = match rule.kind {
        Kind::ExportDuty => "duty",
        Kind::ExportLevy => "levy",
        Kind::ExportBan => "ban",
        Kind::ExportPermit => "permit",
    };
    let words = rule.product.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(str::to_lowercase).collect();
    format!("{kind}.{}.{}", words.join("-"), rule.valid_from)
}

fn stored_kind(kind: Kind) -> duty_measure::Kind {
    match kind {
        Kind::ExportDuty => duty_measure::Kind::ExportDuty,
        Kind::ExportLevy => duty_measure::Kind::ExportLevy,
        Kind::ExportBan => duty_measure::Kind::ExportBan,
        Kind::ExportPermit => duty_measure::Kind::ExportPermit,
    }
}

/// The stored measures of the goods that the rules are about, by code.
async fn stored(tx: &DatabaseTransaction, rules: &[Rule]) -> Result<HashMap<String, Stored>, DbErr> {
    let products: BTreeSet<String> = rules.iter().map(|rule| product_key(&rule.product)).collect();
    let mut stored = HashMap::new();
    for some in products.into_iter().collect::<Vec<_>>().chunks(AT_A_TIME) {
        let of_product = duty_measure::Column::ProductKey.is_in(some);
        for measure in duty_measure::Entity::all().filter(of_product).all(tx).await? {
            let empty = Stored { measure: measure.clone(), codes: Vec::new(), bands: Vec::new() };
            stored.insert(measure.code, empty);
        }
    }
    for some in stored.keys().cloned().collect::<Vec<_>>().chunks(AT_A_TIME) {
        let of_measure = duty_band::Column::Measure.is_in(some);
        for band in duty_band::Entity::all().filter(of_measure).all(tx).await? {
            stored.entry(band.measure.clone()).and_modify(|there| there.bands.push(band));
        }
        let of_measure = duty_measure_commodity::Column::Measure.is_in(some);
        for code in duty_measure_commodity::Entity::all().filter(of_measure).all(tx).await? {
            stored.entry(code.measure.clone()).and_modify(|there| there.codes.push(code));
        }
    }
    for there in stored.values_mut() {
        there.bands.sort_unstable_by_key(|band| band.sequence);
        there.codes.sort_unstable_by(|one, other| one.commodity.cmp(&other.commodity));
    }
    Ok(stored)
}

/// Refuses a measure that applies on a day on which another one of the same kind and goods does.
fn check_periods(wanted: &[(u64, Stored)], stored: &HashMap<String, Stored>) -> Result<(), ImportError> {
    let mut refusals = Refusals::default();
    let replaced: BTreeSet<&str> = wanted.iter().map(|(_, measure)| measure.measure.code.as_str()).collect();
    let kept = stored.values().map(|there| &there.measure).filter(|there| !replaced.contains(there.code.as_str()));
    let kept: Vec<_> = kept.collect();
    for (at, (line, measure)) in wanted.iter().enumerate() {
        let measure = &measure.measure;
        let earlier = wanted.iter().take(at).map(|(_, other)| &other.measure);
        let meets = |other: &&duty_measure::Model| {
            (&other.product_key, other.kind) == (&measure.product_key, measure.kind)
                && other.valid_to.is_none_or(|to| measure.valid_from <= to)
                && measure.valid_to.is_none_or(|to| other.valid_from <= to)
        };
        if let Some(other) = earlier.chain(kept.iter().copied()).find(meets) {
            let end = other.valid_to.map_or_else(|| "without an end".to_owned(), |to| format!("to {to}"));
            let reason = format!(
                "{}: the measure from {} on overlaps that from {} {end}",
                measure.product, measure.valid_from, other.valid_from
            );
            refusals.add(*line, reason);
        }
    }
    refusals.unless_any(WHAT, ())
}

/// Refuses the name of a rule that another measure has already.
async fn check_names(tx: &DatabaseTransaction, wanted: &[(u64, Stored)]) -> Result<(), ImportError> {
    let replaced: BTreeSet<&str> = wanted.iter().map(|(_, measure)| measure.measure.code.as_str()).collect();
    let mut refusals = Refusals::default();
    for (line, measure) in wanted {
        let names = measure.bands.iter().map(|band| band.rule.as_str());
        let there = duty_band::Entity::all().filter(duty_band::Column::Rule.is_in(names)).all(tx).await?;
        for band in there.iter().filter(|band| !replaced.contains(band.measure.as_str())) {
            refusals.add(*line, format!("{} is the name of a rule of {} already", band.rule, band.measure));
        }
    }
    refusals.unless_any(WHAT, ())
}

#[cfg(test)]
mod tests;

//! What a duty is computed from: measures, published prices, and the tax rate in force.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::currency_rate::Purpose;
use entity::{duty_measure, reference_price};

use super::rates::{self, FoundRate, MissingPolicy, RateKey};
use super::{Key, Source};
use crate::cache::{Policy, Tag, Weight};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::duty::measure::NamedCode;
use crate::domain::duty::{Band, Kind, MassUnit, Measure, PriceUnit, Published, PublishedKind, RateUnit, product_key};
use crate::error::{Error, Result};
use crate::store;
use crate::store::duty_measures::{Lookup, MeasureRow};

/// The measures that may concern some goods, of all times, the earliest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeasuresKey {
    /// Their code, without dots.
    pub code: Option<String>,
    /// The key of the goods, as [`product_key`] makes it.
    pub product: Option<String>,
}

impl Key for MeasuresKey {
    type Value = Arc<Vec<Arc<Measure>>>;
    const LOADER: &'static str = "duty_measures";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut lookups: Vec<Lookup> = Vec::new();
        for key in keys {
            lookups.extend(key.code.clone().map(Lookup::Code));
            lookups.extend(key.product.clone().map(Lookup::Product));
        }
        let measures = measures(source, &lookups).await?;
        let mut by_product: HashMap<String, Vec<Arc<Measure>>> = HashMap::new();
        for measure in &measures {
            by_product.entry(product_key(&measure.product)).or_default().push(Arc::clone(measure));
        }
        let mut answers = HashMap::new();
        for key in keys {
            let concerns = |measure: &Arc<Measure>| {
                let product = product_key(&measure.product);
                let named = key.product.as_ref().is_some_and(|key| *key == product);
                let coded = |code: &String| {
                    let same = by_product.get(&product).into_iter().flatten().flat_map(|measure| &measure.codes);
                    let mut codes = same.map(|named| named.code.as_str());
                    codes.any(|named| named.starts_with(code.as_str()) || code.starts_with(named))
                };
                named || key.code.as_ref().is_some_and(coded)
            };
            let list = measures.iter().filter(|measure| concerns(measure)).cloned().collect();
            answers.insert(key.clone(), Arc::new(list));
        }
        Ok(answers)
    }
}

/// A measure by its own code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeasureKey(pub String);

impl Key for MeasureKey {
    type Value = Option<Arc<Measure>>;
    const LOADER: &'static str = "duty_measure";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let lookups: Vec<_> = keys.iter().map(|key| Lookup::Measure(key.0.clone())).collect();
        let mut answers: HashMap<_, _> = keys.iter().map(|key| (key.clone(), None)).collect();
        for measure in measures(source, &lookups).await? {
            answers.insert(Self(measure.code.clone()), Some(measure));
        }
        Ok(answers)
    }
}

/// What is published of some goods for a day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublishedKey {
    /// The key of the goods.
    pub product: String,
    /// The day.
    pub on: NaiveDate,
}

impl Key for PublishedKey {
    type Value = Arc<Vec<Arc<Published>>>;
    const LOADER: &'static str = "reference_price";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let wanted: Vec<_> = keys.iter().map(|key| (key.product.clone(), key.on)).collect();
        let mut lists: Vec<Vec<Arc<Published>>> = vec![Vec::new(); keys.len()];
        for (at, row) in store::reference_prices::of_products(&source.reader, &wanted).await? {
            if let Some(list) = lists.get_mut(at) {
                list.push(Arc::new(published(row)?));
            }
        }
        Ok(keys.iter().cloned().zip(lists.into_iter().map(Arc::new)).collect())
    }
}

/// Everything that is published for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublishedDayKey(pub NaiveDate);

impl Key for PublishedDayKey {
    type Value = Arc<Vec<Arc<Published>>>;
    const LOADER: &'static str = "reference_price_day";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Commodities));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            let rows = store::reference_prices::on(&source.reader, key.0).await?;
            let list = rows.into_iter().map(|row| published(row).map(Arc::new)).collect::<Result<Vec<_>>>()?;
            answers.insert(*key, Arc::new(list));
        }
        Ok(answers)
    }
}

/// The tax rate of a currency into rupiah that is in force on a day: by way of the dollar where the ministry does not
/// list the currency, and never a rate for another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaxRateKey {
    /// The currency.
    pub currency: Currency,
    /// The day of payment.
    pub on: NaiveDate,
}

impl Key for TaxRateKey {
    type Value = Option<Arc<FoundRate>>;
    const LOADER: &'static str = "tax_rate";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Rates));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rate_key = |key: &Self| RateKey {
            purpose: Purpose::TaxDuty,
            base: key.currency,
            quote: Currency::idr(),
            on: key.on,
            missing: MissingPolicy::Strict,
        };
        let wanted: Vec<_> = keys.iter().map(rate_key).collect();
        let mut found = rates::in_force(&source.reader, &wanted).await?;
        Ok(keys.iter().map(|key| (*key, found.remove(&rate_key(key)).map(Arc::new))).collect())
    }
}

async fn measures(source: &Source, lookups: &[Lookup]) -> Result<Vec<Arc<Measure>>> {
    let mut measures: Vec<Measure> = Vec::new();
    for row in store::duty_measures::measures(&source.reader, lookups).await? {
        let is_next = measures.last().is_none_or(|last| last.code != row.code);
        if is_next {
            measures.push(Measure {
                code: row.code.clone(),
                kind: kind(row.kind),
                product: row.product.clone(),
                codes: Vec::new(),
                valid_from: row.valid_from,
                valid_to: row.valid_to,
                bands: Vec::new(),
            });
        }
        let Some(measure) = measures.last_mut() else { continue };
        if let Some(code) = &row.commodity
            && !measure.codes.iter().any(|named| named.code == *code)
        {
            measure.codes.push(NamedCode { code: code.clone(), part: row.part.unwrap_or(false) });
        }
        if measure.bands.last().is_none_or(|band| band.rule != row.rule) {
            measure.bands.push(band(row)?);
        }
    }
    Ok(measures.into_iter().map(Arc::new).collect())
}

fn kind(kind: duty_measure::Kind) -> Kind {
    match kind {
        duty_measure::Kind::ExportDuty => Kind::ExportDuty,
        duty_measure::Kind::ExportLevy => Kind::ExportLevy,
        duty_measure::Kind::ExportBan => Kind::ExportBan,
        duty_measure::Kind::ExportPermit => Kind::ExportPermit,
    }
}

fn band(row: MeasureRow) -> Result<Band> {
    let unit = row.band_unit.as_deref().map(|unit| stored(unit, PriceUnit::parse(unit))).transpose()?;
    Ok(Band {
        low: row.low.as_deref().map(decimal).transpose()?,
        low_inclusive: row.low_inclusive,
        high: row.high.as_deref().map(decimal).transpose()?,
        high_inclusive: row.high_inclusive,
        unit,
        rate: decimal(&row.rate)?,
        rate_unit: stored(&row.rate_unit, RateUnit::parse(&row.rate_unit))?,
        rule: row.rule,
        legal_basis: row.legal_basis,
        confidence: row.confidence,
        source_url: row.source_url,
    })
}

fn published(row: reference_price::Model) -> Result<Published> {
    let rate = match (&row.rate, &row.rate_unit) {
        (Some(rate), Some(unit)) => Some((decimal(rate)?, stored(unit, RateUnit::parse(unit))?)),
        _ => None,
    };
    let currency = stored(&row.currency, Currency::from_code(&row.currency))?;
    Ok(Published {
        kind: match row.kind {
            reference_price::Kind::Reference => PublishedKind::Reference,
            reference_price::Kind::Hpe => PublishedKind::Hpe,
            reference_price::Kind::Duty => PublishedKind::Duty,
            reference_price::Kind::Levy => PublishedKind::Levy,
        },
        valid_from: row.valid_from,
        valid_to: row.valid_to,
        unit: PriceUnit { currency, per: stored(&row.unit, MassUnit::parse(&row.unit))? },
        amount: row.amount.as_deref().map(decimal).transpose()?,
        rate,
        product: row.product,
        decree: row.decree,
        legal_basis: row.legal_basis,
        source_url: row.source_url,
    })
}

fn decimal(text: &str) -> Result<Decimal> {
    stored(text, Decimal::parse(text).ok())
}

/// What an import has written can be read; anything else is a fault of the data.
fn stored<T>(text: &str, read: Option<T>) -> Result<T> {
    read.ok_or_else(|| Error::internal(format!("the database holds {text:?} where a duty rule has none such")))
}

/// What the words of a rule or of a price take: names of decrees, an address.
const WORDS: usize = 512;

impl Weight for Measure {
    fn weight(&self) -> usize {
        size_of::<Self>() + WORDS * (1 + self.bands.len()) + self.codes.len() * size_of::<NamedCode>()
    }
}

impl Weight for Published {
    fn weight(&self) -> usize {
        size_of::<Self>() + WORDS
    }
}

impl Weight for FoundRate {
    fn weight(&self) -> usize {
        rates::RATE_WEIGHT
    }
}

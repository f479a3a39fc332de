//! Currency rates.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use entity::currency_rate::Purpose;

use super::{Key, Source, by_shape};
use crate::cache::{Policy, Tag, Weight};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::quotation::{self, Leg, Outcome, Quotation, Route};
use crate::domain::rate::Rate;
use crate::domain::rate_series::DayRate;
use crate::error::{Error, Result};
use crate::store::rates::{Pair, Quote, Side};
use crate::store::{self, Reader};

/// How many days a rate may be carried forward over days without one.
pub const CARRY_DAYS: u64 = 14;

/// How often two legs are looked up again until they are from one day.
const ALIGNMENTS: usize = 4;

/// The rate of a pair on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateKey {
    /// What it is for.
    pub purpose: Purpose,
    /// The currency that is priced.
    pub base: Currency,
    /// The currency in which it is priced.
    pub quote: Currency,
    /// The day asked for.
    pub on: NaiveDate,
    /// What to do when that day has none.
    pub missing: MissingPolicy,
}

/// What to do when the day asked for has no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissingPolicy {
    /// Take the last one, at most [`CARRY_DAYS`] old.
    Previous,
    /// Take none.
    Strict,
    /// Take the line between the last one and the next one.
    Interpolate,
}

/// Who published a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateSource {
    /// Short code.
    pub code: String,
    /// Name in full.
    pub name: String,
    /// Where it publishes.
    pub url: Option<String>,
    /// The words to print beside its numbers.
    pub attribution: String,
    /// When its rates were last brought in; `None` for a currency in itself.
    pub retrieved_at: Option<DateTime<Utc>>,
}

/// A rate that was found.
#[derive(Clone, Debug)]
pub struct FoundRate {
    /// What was asked.
    pub key: RateKey,
    /// The rate and its legs.
    pub quotation: Quotation,
    /// For how many units of base the source prints it; 1 where it was computed.
    pub quoted_per: u32,
    /// Last day of validity where the source gives one.
    pub valid_to: Option<NaiveDate>,
    /// Who published it.
    pub source: RateSource,
}

/// A rate that was not found, and what there is instead.
#[derive(Clone, Debug)]
pub struct MissingRate {
    /// What was asked.
    pub key: RateKey,
    /// First and last day with a rate of this pair; `None` when there is none at all.
    pub span: Option<(NaiveDate, NaiveDate)>,
    /// The rate of the nearest day.
    pub nearest: Option<Arc<FoundRate>>,
}

/// What a [`RateKey`] is answered with.
#[derive(Clone, Debug)]
pub enum RateAnswer {
    /// There is a rate.
    Found(Arc<FoundRate>),
    /// There is none that may be used.
    Missing(Arc<MissingRate>),
}

impl RateKey {
    fn route(&self) -> Route {
        Route { base: self.base, quote: self.quote, pivot: self.pivot() }
    }
}

impl RateKey {
    /// The currency in between. A currency that the ministry does not list in rupiah goes through the dollar.
    fn pivot(&self) -> Currency {
        let rupiah = Currency::idr();
        let is_tax = self.purpose == Purpose::TaxDuty;
        if is_tax && (self.base == rupiah || self.quote == rupiah) { Currency::usd() } else { pivot(self.purpose) }
    }
}

/// The currency in which the sources of a purpose quote all others.
fn pivot(purpose: Purpose) -> Currency {
    match purpose {
        Purpose::Reference => Currency::eur(),
        Purpose::TaxDuty | Purpose::BankBuy | Purpose::BankSell => Currency::idr(),
    }
}

impl Key for RateKey {
    type Value = RateAnswer;
    const LOADER: &'static str = "currency_rate";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Rates));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let db = &source.reader;
        let before = find(db, Side::Before, keys).await?;
        // The look-ups below run only for days without a rate, together for all keys.
        let open: Vec<RateKey> =
            keys.iter().filter(|key| choose(key, before.get(key), None).is_none()).copied().collect();
        let after = find(db, Side::After, &open).await?;
        let mut missing = Vec::new();
        let mut answers = HashMap::new();
        for key in keys {
            match choose(key, before.get(key), after.get(key)) {
                Some(found) => {
                    answers.insert(*key, RateAnswer::Found(Arc::new(found)));
                }
                None => missing.push(*key),
            }
        }
        let spans = spans(db, &missing).await?;
        for key in missing {
            let nearest = nearest(key.on, before.get(&key), after.get(&key)).cloned().map(Arc::new);
            let span = spans.get(&key).copied();
            answers.insert(key, RateAnswer::Missing(Arc::new(MissingRate { key, span, nearest })));
        }
        Ok(answers)
    }
}

/// The rate that the policy allows, out of the last one up to the day and the first one from it on.
fn choose(key: &RateKey, before: Option<&FoundRate>, after: Option<&FoundRate>) -> Option<FoundRate> {
    let before = before?;
    // A source that says how long its rate is in force has said all: it is neither carried on nor between two days.
    if let Some(last) = before.valid_to {
        return (key.on <= last).then(|| before.clone());
    }
    let age = (key.on - before.quotation.effective).num_days().unsigned_abs();
    if age == 0 {
        return Some(before.clone());
    }
    match key.missing {
        MissingPolicy::Strict => None,
        MissingPolicy::Previous => (age <= CARRY_DAYS).then(|| before.clone()),
        MissingPolicy::Interpolate => {
            let after = after?;
            let gap = (after.quotation.effective - before.quotation.effective).num_days().unsigned_abs();
            (gap <= 2 * CARRY_DAYS).then(|| FoundRate {
                quotation: quotation::interpolate(&before.quotation, &after.quotation, key.on),
                quoted_per: 1,
                ..before.clone()
            })
        }
    }
}

/// The rates that their sources say to be in force, in one statement; what is not in force is left out.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn in_force(db: &Reader, keys: &[RateKey]) -> Result<HashMap<RateKey, FoundRate>> {
    let found = find(db, Side::Before, keys).await?;
    let holds =
        |key: &RateKey, rate: &FoundRate| key.base == key.quote || rate.valid_to.is_some_and(|last| key.on <= last);
    Ok(found.into_iter().filter(|(key, rate)| holds(key, rate)).collect())
}

fn nearest<'a>(day: NaiveDate, before: Option<&'a FoundRate>, after: Option<&'a FoundRate>) -> Option<&'a FoundRate> {
    let distance = |rate: &&FoundRate| (rate.quotation.effective - day).num_days().abs();
    before.into_iter().chain(after).min_by_key(distance)
}

type Quotes = HashMap<(Pair, NaiveDate), Quote>;

/// For each key the quotation on one side of its day: one statement, and one more for those keys whose two legs
/// ended on different days, such as a currency that is no longer quoted.
async fn find(db: &Reader, side: Side, keys: &[RateKey]) -> Result<HashMap<RateKey, FoundRate>> {
    let mut found = HashMap::new();
    let mut open: Vec<(RateKey, NaiveDate)> = Vec::new();
    for key in keys {
        if key.base == key.quote {
            found.insert(*key, at_par(*key));
        } else {
            open.push((*key, key.on));
        }
    }
    for _ in 0..ALIGNMENTS {
        let wanted: HashSet<(Pair, NaiveDate)> = open.iter().flat_map(|(key, on)| pairs(key, *on)).collect();
        if wanted.is_empty() {
            break;
        }
        let quotes = store::rates::quotes(db, side, &wanted.into_iter().collect::<Vec<_>>()).await?;
        let mut misaligned = Vec::new();
        for (key, on) in std::mem::take(&mut open) {
            match key.route().quotation(|base, quote| leg(&quotes, &key, on, base, quote)) {
                Outcome::Found(quotation) => {
                    found.insert(key, rate_found(key, on, quotation, &quotes)?);
                }
                Outcome::Misaligned(one, other) => {
                    let day = match side {
                        Side::Before => one.min(other),
                        Side::After => one.max(other),
                    };
                    misaligned.push((key, day));
                }
                Outcome::Missing => {}
            }
        }
        open = misaligned;
    }
    Ok(found)
}

fn pair(purpose: Purpose, base: Currency, quote: Currency) -> Pair {
    Pair { purpose, base: base.code(), quote: quote.code() }
}

fn pairs(key: &RateKey, on: NaiveDate) -> Vec<(Pair, NaiveDate)> {
    key.route().pairs().into_iter().map(|(base, quote)| (pair(key.purpose, base, quote), on)).collect()
}

fn leg(quotes: &Quotes, key: &RateKey, on: NaiveDate, base: Currency, quote: Currency) -> Option<Leg> {
    let published = quotes.get(&(pair(key.purpose, base, quote), on))?;
    let per = u32::try_from(published.quoted_per).ok()?;
    let rate = Rate::quoted(Decimal::parse(&published.rate).ok()?, per)?;
    Some(Leg { base, quote, rate, effective: published.effective_date, valid_to: published.valid_to })
}

fn rate_found(key: RateKey, on: NaiveDate, quotation: Quotation, quotes: &Quotes) -> Result<FoundRate> {
    let quote_of = |leg: &Leg| quotes.get(&(pair(key.purpose, leg.base, leg.quote), on));
    let Some(first) = quotation.legs.first().and_then(quote_of) else {
        return Err(Error::internal("a quotation without a published leg"));
    };
    let as_published = matches!(&quotation.legs[..], [leg] if leg.base == key.base);
    Ok(FoundRate {
        key,
        quoted_per: if as_published { u32::try_from(first.quoted_per).unwrap_or(1) } else { 1 },
        valid_to: quotation.legs.iter().filter_map(|leg| quote_of(leg)?.valid_to).min(),
        source: RateSource {
            code: first.source.clone(),
            name: first.source_name.clone(),
            url: first.source_url.clone(),
            attribution: first.attribution.clone(),
            retrieved_at: Some(first.retrieved_at),
        },
        quotation,
    })
}

/// A currency in itself: one, on every day, published by nobody.
fn at_par(key: RateKey) -> FoundRate {
    FoundRate {
        key,
        quotation: Quotation { rate: Rate::one(), legs: Vec::new(), effective: key.on },
        quoted_per: 1,
        valid_to: None,
        source: RateSource {
            code: "PAR".to_owned(),
            name: "The same currency".to_owned(),
            url: None,
            attribution: "One unit of a currency is one unit of it".to_owned(),
            retrieved_at: None,
        },
    }
}

/// First and last day of each key's pair: of the pair itself, or the days that both legs share.
async fn spans(db: &Reader, keys: &[RateKey]) -> Result<HashMap<RateKey, (NaiveDate, NaiveDate)>> {
    let wanted: HashSet<Pair> = keys.iter().flat_map(|key| pairs(key, key.on)).map(|(pair, _)| pair).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let spans = store::rates::spans(db, &wanted.into_iter().collect::<Vec<_>>()).await?;
    let either = |purpose, one, other| {
        spans.get(&pair(purpose, one, other)).or_else(|| spans.get(&pair(purpose, other, one))).copied()
    };
    Ok(keys
        .iter()
        .filter_map(|key| {
            let route = key.route();
            let span = either(key.purpose, key.base, key.quote).or_else(|| {
                let (from, to) = either(key.purpose, key.base, route.pivot)?;
                let (since, until) = either(key.purpose, route.pivot, key.quote)?;
                Some((from.max(since), to.min(until)))
            })?;
            Some((*key, span))
        })
        .collect())
}

/// The rates of a pair on all days of a span that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateSeriesKey {
    /// What they are for.
    pub purpose: Purpose,
    /// The currency that is priced.
    pub base: Currency,
    /// The currency in which it is priced.
    pub quote: Currency,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

/// What a [`RateSeriesKey`] is answered with.
#[derive(Clone, Debug)]
pub struct FoundSeries {
    /// The rates, earliest day first.
    pub days: Vec<DayRate>,
    /// Who published the last one; `None` when there is none.
    pub source: Option<RateSource>,
}

impl Key for RateSeriesKey {
    type Value = Arc<FoundSeries>;
    const LOADER: &'static str = "rate_series";

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        // One statement for each span that the operation names.
        for ((from, to), keys) in by_shape(keys, |key| ((key.from, key.to), *key)) {
            let wanted: HashSet<Pair> =
                keys.iter().flat_map(|key| pairs(&key.rate_key(), from)).map(|(pair, _)| pair).collect();
            let wanted: Vec<_> = wanted.into_iter().collect();
            let mut by_day: BTreeMap<NaiveDate, Quotes> = BTreeMap::new();
            for (pair, quote) in store::rates::between(&source.reader, &wanted, from, to).await? {
                // Where two sources publish on one day the last name counts, as it does for one day.
                let day = quote.effective_date;
                by_day.entry(day).or_default().insert((pair, from), quote);
            }
            for key in keys {
                answers.insert(key, Arc::new(series(&key, &by_day)?));
            }
        }
        Ok(answers)
    }
}

impl RateSeriesKey {
    /// The key of a rate of the pair; its day tells nothing.
    fn rate_key(&self) -> RateKey {
        let Self { purpose, base, quote, from, .. } = *self;
        RateKey { purpose, base, quote, on: from, missing: MissingPolicy::Strict }
    }
}

fn series(key: &RateSeriesKey, by_day: &BTreeMap<NaiveDate, Quotes>) -> Result<FoundSeries> {
    let rate_key = key.rate_key();
    let mut found = FoundSeries { days: Vec::new(), source: None };
    for (day, quotes) in by_day {
        let published = |base, quote| leg(quotes, &rate_key, key.from, base, quote);
        if let Outcome::Found(quotation) = rate_key.route().quotation(published) {
            let rate = rate_found(rate_key, key.from, quotation, quotes)?;
            found.days.push(DayRate { date: *day, valid_to: rate.valid_to, rate: rate.quotation.rate });
            found.source = Some(rate.source);
        }
    }
    Ok(found)
}

/// First and last day on which a currency has a reference rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CurrencySpanKey(pub Currency);

impl Key for CurrencySpanKey {
    type Value = Option<(NaiveDate, NaiveDate)>;
    const LOADER: &'static str = "currency_span";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Rates));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let pivot = pivot(Purpose::Reference);
        // The pivot itself is quoted whenever the dollar is.
        let other = |currency: Currency| if currency == pivot { Currency::usd() } else { currency };
        let wanted: HashSet<Pair> = keys.iter().map(|key| pair(Purpose::Reference, pivot, other(key.0))).collect();
        let spans = store::rates::spans(&source.reader, &wanted.into_iter().collect::<Vec<_>>()).await?;
        Ok(keys.iter().map(|key| (*key, spans.get(&pair(Purpose::Reference, pivot, other(key.0))).copied())).collect())
    }
}

/// Who publishes under a code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateSourceKey(pub String);

impl Key for RateSourceKey {
    type Value = Option<Arc<RateSource>>;
    const LOADER: &'static str = "rate_source";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, _| Tag::Rates));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let codes: Vec<_> = keys.iter().map(|key| key.0.as_str()).collect();
        let rows = store::rates::sources(&source.reader, &codes).await?;
        let mut answers: HashMap<_, _> = keys.iter().map(|key| (key.clone(), None)).collect();
        for row in rows {
            let found = RateSource {
                code: row.code.clone(),
                name: row.name,
                url: row.url,
                attribution: row.attribution,
                retrieved_at: Some(row.retrieved_at),
            };
            answers.insert(Self(row.code), Some(Arc::new(found)));
        }
        Ok(answers)
    }
}

/// What a rate takes, about: two fractions of some dozens of digits, two legs, the words of the source.
pub(super) const RATE_WEIGHT: usize = 1_024;

impl Weight for RateAnswer {
    fn weight(&self) -> usize {
        size_of::<Self>() + RATE_WEIGHT
    }
}

impl Weight for RateSource {
    fn weight(&self) -> usize {
        let texts = [&self.code, &self.name, &self.attribution].map(String::len);
        size_of::<Self>() + texts.iter().sum::<usize>() + self.url.as_ref().map_or(0, String::len)
    }
}

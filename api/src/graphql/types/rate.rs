//! Currency rates and conversions.

use std::sync::Arc;

use async_graphql::{Enum, Object, SimpleObject, Union};
use entity::currency_rate;

use super::money::Money;
use crate::domain;
use crate::domain::quotation::Leg;
use crate::error::{Error, Result, code};
use crate::graphql::scalars::{CurrencyCode, Date, DateTime, Decimal};
use crate::loaders;
use crate::loaders::rates::{FoundRate, MissingPolicy, MissingRate, RateAnswer};

/// Which legal or commercial use a rate is for. Asking for one never silently gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "currency_rate::Purpose")]
pub enum RatePurpose {
    /// A reference rate, for information; not a rate at which anybody trades.
    Reference,
    /// The weekly rate of the Indonesian finance ministry for taxes and duties.
    TaxDuty,
    /// What a bank pays for the base currency.
    BankBuy,
    /// What a bank asks for the base currency.
    BankSell,
}

/// What to do when the day asked for has no rate, as on weekends and holidays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "MissingPolicy")]
pub enum MissingRatePolicy {
    /// Take the last rate before that day, at most 14 days old.
    Previous,
    /// Take none.
    Strict,
    /// Take the straight line between the last rate before that day and the first one after it.
    Interpolate,
}

/// What a currency costs in another currency on a day.
#[derive(Clone, Debug)]
pub struct CurrencyRate(pub Arc<FoundRate>);

/// What a currency costs in another currency on a day.
#[Object]
impl CurrencyRate {
    /// The currency that is priced.
    async fn base(&self) -> CurrencyCode {
        CurrencyCode(self.0.key.base)
    }

    /// The currency in which it is priced.
    async fn quote(&self) -> CurrencyCode {
        CurrencyCode(self.0.key.quote)
    }

    /// How many units of quote one unit of base costs. Exact where it is published; 18 significant digits where it
    /// was computed. Conversions use the exact fraction.
    async fn rate(&self) -> Decimal {
        Decimal(self.0.quotation.rate.to_decimal())
    }

    /// How many units of base one unit of quote costs: the exact reciprocal, to 18 significant digits.
    async fn inverse(&self) -> Decimal {
        Decimal(self.0.quotation.rate.inverse().to_decimal())
    }

    /// For how many units of base the source prints the rate, such as 100 for the yen; 1 where it was computed.
    async fn quoted_per(&self) -> i32 {
        i32::try_from(self.0.quoted_per).unwrap_or(i32::MAX)
    }

    /// The day that was asked for.
    async fn requested_date(&self) -> Date {
        Date(self.0.key.on)
    }

    /// The day that the rate is from; of an interpolated rate the earlier of its two days.
    async fn effective_date(&self) -> Date {
        Date(self.0.quotation.effective)
    }

    /// First day on which the rate is valid.
    async fn valid_from(&self) -> Date {
        Date(self.0.quotation.effective)
    }

    /// Last day on which the rate is valid. Null where the source gives none.
    async fn valid_to(&self) -> Option<Date> {
        self.0.valid_to.map(Date)
    }

    /// Whether the rate is from an earlier day than the one asked for, and not said to be in force on that day.
    async fn is_carried_forward(&self) -> bool {
        let in_force = self.0.valid_to.is_some_and(|last| self.0.key.on <= last);
        self.0.quotation.effective < self.0.key.on && self.0.key.missing != MissingPolicy::Interpolate && !in_force
    }

    /// How many days lie between the day of the rate and the day asked for.
    async fn age_days(&self) -> i32 {
        let days = (self.0.key.on - self.0.quotation.effective).num_days();
        i32::try_from(days).unwrap_or(i32::MAX)
    }

    /// What the rate may be used for.
    async fn purpose(&self) -> RatePurpose {
        self.0.key.purpose.into()
    }

    /// The published quotes that the rate was made from. One where the pair is published, two by way of a third
    /// currency, those of both days where it was interpolated, none for a currency in itself.
    async fn path(&self) -> Vec<RateLeg> {
        self.0.quotation.legs.iter().map(RateLeg::from).collect()
    }

    /// Who published the rate.
    async fn source(&self) -> RateSource {
        RateSource::from(&self.0.source)
    }
}

/// One published quote on the way from base to quote.
#[derive(Clone, Debug, SimpleObject)]
pub struct RateLeg {
    /// The currency that is priced.
    pub base: CurrencyCode,
    /// The currency in which it is priced.
    pub quote: CurrencyCode,
    /// How many units of quote one unit of base costs.
    pub rate: Decimal,
    /// The day that the quote is from.
    pub effective_date: Date,
}

impl From<&Leg> for RateLeg {
    fn from(leg: &Leg) -> Self {
        Self {
            base: CurrencyCode(leg.base),
            quote: CurrencyCode(leg.quote),
            rate: Decimal(leg.rate.to_decimal()),
            effective_date: Date(leg.effective),
        }
    }
}

/// Who published a rate.
#[derive(Clone, Debug, SimpleObject)]
pub struct RateSource {
    /// Short code, such as `ECB`; `PAR` for a currency in itself.
    pub code: String,
    /// Name in full.
    pub name: String,
    /// Where it publishes. Null for a currency in itself.
    pub url: Option<String>,
    /// The words to print beside its numbers.
    pub attribution: String,
    /// When its rates were last brought in. Null for a currency in itself.
    pub retrieved_at: Option<DateTime>,
}

impl From<&loaders::rates::RateSource> for RateSource {
    fn from(source: &loaders::rates::RateSource) -> Self {
        Self {
            code: source.code.clone(),
            name: source.name.clone(),
            url: source.url.clone(),
            attribution: source.attribution.clone(),
            retrieved_at: source.retrieved_at.map(DateTime),
        }
    }
}

/// There is no rate that may be used.
#[derive(Clone, Debug)]
pub struct RateUnavailable(pub Arc<MissingRate>);

/// There is no rate that may be used.
#[Object]
impl RateUnavailable {
    /// Why there is none, in words.
    async fn message(&self) -> String {
        let key = &self.0.key;
        let pair = format!("{}/{}", key.base, key.quote);
        match self.0.span {
            None => format!("no rate of {pair} is held for this purpose"),
            Some((from, to)) => format!("no rate of {pair} for {}: rates are held from {from} to {to}", key.on),
        }
    }

    /// The first day with a rate of this pair. Null when there is none at all.
    async fn earliest(&self) -> Option<Date> {
        self.0.span.map(|(earliest, _)| Date(earliest))
    }

    /// The last day with a rate of this pair. Null when there is none at all.
    async fn latest(&self) -> Option<Date> {
        self.0.span.map(|(_, latest)| Date(latest))
    }

    /// The rate of the nearest day, to be used only on purpose. Null when there is none at all.
    async fn nearest(&self) -> Option<CurrencyRate> {
        self.0.nearest.clone().map(CurrencyRate)
    }
}

/// A rate, or why there is none.
#[derive(Clone, Debug, Union)]
pub enum RateResult {
    /// There is a rate.
    CurrencyRate(CurrencyRate),
    /// There is none.
    RateUnavailable(RateUnavailable),
}

impl From<RateAnswer> for RateResult {
    fn from(answer: RateAnswer) -> Self {
        match answer {
            RateAnswer::Found(rate) => Self::CurrencyRate(CurrencyRate(rate)),
            RateAnswer::Missing(missing) => Self::RateUnavailable(RateUnavailable(missing)),
        }
    }
}

/// An amount in another currency, and how it was computed.
#[derive(Clone, Debug, SimpleObject)]
pub struct Conversion {
    /// The amount that was converted.
    pub from: Money,
    /// The amount in the other currency, rounded once.
    pub to: Money,
    /// The result before rounding, to at most 18 digits after the point.
    pub unrounded: Decimal,
    /// How the result was rounded: always `HALF_EVEN`, to the minor units of the currency.
    pub rounding: &'static str,
    /// The rate that was used.
    pub rate: CurrencyRate,
}

impl Conversion {
    /// Converts `from` with `rate`.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when the result is too large to write down.
    pub fn new(from: domain::money::Money, rate: Arc<FoundRate>) -> Result<Self> {
        let converted = rate
            .quotation
            .rate
            .convert(from, rate.key.quote)
            .ok_or_else(|| Error::caller(code::BAD_USER_INPUT, "the converted amount is too large"))?;
        Ok(Self {
            from: Money(from),
            to: Money(converted.money),
            unrounded: Decimal(converted.unrounded),
            rounding: "HALF_EVEN",
            rate: CurrencyRate(rate),
        })
    }
}

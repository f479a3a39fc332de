//! Measures of export duty and levy.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::NaiveDate;

use super::commodity::Commodity;
use super::regulation::Regulation;
use crate::domain::duty::{self, Band, Measure, RateUnit};
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::{Date, Decimal};
use crate::loaders::commodities::CommodityKey;
use crate::loaders::duty::{MeasureKey, MeasuresKey};

/// What a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "duty::Kind")]
pub enum MeasureKind {
    /// A duty on exports.
    ExportDuty,
    /// A levy on exports, beside the duty.
    ExportLevy,
    /// Exports are forbidden.
    ExportBan,
    /// Exports need a permit.
    ExportPermit,
}

/// How a duty or a levy is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DutyKind {
    /// Quantity × price × percentage.
    AdValorem,
    /// Quantity × amount for each unit.
    Specific,
}

/// What goods are charged with, from a day on.
#[derive(Clone, Debug)]
pub struct DutyMeasure(Arc<Measure>);

/// What goods are charged with, from a day on.
#[Object]
impl DutyMeasure {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::DutyMeasure(self.0.code.clone()).encode()
    }

    /// What it is.
    async fn kind(&self) -> MeasureKind {
        self.0.kind.into()
    }

    /// How it is computed.
    async fn duty_kind(&self) -> DutyKind {
        match self.0.bands.first().map(|band| &band.rate_unit) {
            Some(RateUnit::Amount(_)) => DutyKind::Specific,
            _ => DutyKind::AdValorem,
        }
    }

    /// The goods, in the words of the regulation; what `productVariant` of a quote takes.
    async fn product(&self) -> &str {
        &self.0.product
    }

    /// The commodities that it names, by code. Empty where it describes the goods alone.
    async fn commodities(&self, ctx: &Context<'_>) -> Result<Vec<Commodity>> {
        let codes: Vec<_> = self.0.codes.iter().map(|named| CommodityKey(named.code.clone())).collect();
        Ok(ctx.load_many(codes).await?.into_iter().flatten().map(Commodity::new).collect())
    }

    /// The bands, the lowest prices first: at each price one applies.
    async fn bands(&self) -> Vec<DutyBand> {
        self.0.bands.iter().map(DutyBand::from).collect()
    }

    /// What else must hold, in words. Empty when nothing.
    async fn conditions(&self) -> Vec<String> {
        let part = self.0.codes.iter().filter(|named| named.part);
        let mut conditions: Vec<_> =
            part.map(|named| format!("of the goods under {} only {}", named.code, self.0.product)).collect();
        if self.0.codes.is_empty() {
            conditions.push(format!("the goods are {}; no code is named", self.0.product));
        }
        conditions
    }

    /// The first day on which it applies.
    async fn valid_from(&self) -> Date {
        Date(self.0.valid_from)
    }

    /// The last day on which it applies. Null while no end is known.
    async fn valid_to(&self) -> Option<Date> {
        self.0.valid_to.map(Date)
    }

    /// The regulations that it rests on.
    async fn legal_basis(&self, ctx: &Context<'_>) -> Result<Vec<Regulation>> {
        Regulation::cited(ctx, self.0.bands.iter().map(|band| band.legal_basis.as_str())).await
    }

    /// How far it can be trusted, in words: where its rules come from, and what of them was inferred.
    async fn confidence(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for band in &self.0.bands {
            if !words.contains(&band.confidence.as_str()) {
                words.push(&band.confidence);
            }
        }
        words.join("; ")
    }
}

impl DutyMeasure {
    /// A measure that was loaded.
    pub fn new(measure: Arc<Measure>) -> Self {
        Self(measure)
    }

    /// The measure with this code of its own.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn with_code(ctx: &Context<'_>, code: String) -> Result<Option<Self>> {
        Ok(ctx.load(MeasureKey(code)).await?.map(Self))
    }

    /// The measures that apply to a code on a day, of some kinds or of all.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn of_code(
        ctx: &Context<'_>,
        code: &str,
        on: NaiveDate,
        kinds: Option<Vec<MeasureKind>>,
    ) -> Result<Vec<Self>> {
        let measures = ctx.load(MeasuresKey { code: Some(code.to_owned()), product: None }).await?;
        let applies = |measure: &&Arc<Measure>| {
            measure.is_valid_on(on)
                && kinds.as_ref().is_none_or(|kinds| kinds.contains(&measure.kind.into()))
                // One that names no code is of goods that another one names.
                && (measure.codes.is_empty() || measure.codes.iter().any(|named| code.starts_with(&named.code)))
        };
        Ok(measures.iter().filter(applies).cloned().map(Self).collect())
    }
}

/// A rate and the reference prices at which it applies.
#[derive(Clone, Debug, SimpleObject)]
pub struct DutyBand {
    /// The name of the rule in the file that it came from.
    pub rule: String,
    /// The lower end. Null for no end.
    #[graphql(name = "from")]
    pub low: Option<Decimal>,
    /// Whether the lower end belongs to the band.
    pub from_inclusive: bool,
    /// The upper end. Null for no end.
    #[graphql(name = "to")]
    pub high: Option<Decimal>,
    /// Whether the upper end belongs to the band.
    pub to_inclusive: bool,
    /// What the ends are in, such as `USD/t`. Null when the rate does not depend on a price.
    pub price_unit: Option<String>,
    /// The percentage, or the amount for each unit.
    pub rate: Decimal,
    /// What the rate is of, such as `% of HPE` or `USD/t`.
    pub unit: String,
}

impl From<&Band> for DutyBand {
    fn from(band: &Band) -> Self {
        Self {
            rule: band.rule.clone(),
            low: band.low.map(Decimal),
            from_inclusive: band.low_inclusive,
            high: band.high.map(Decimal),
            to_inclusive: band.high_inclusive,
            price_unit: band.unit.map(|unit| unit.to_string()),
            rate: Decimal(band.rate),
            unit: band.rate_unit.to_string(),
        }
    }
}

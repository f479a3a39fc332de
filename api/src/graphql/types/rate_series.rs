//! Rates of many days.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::NaiveDate;
use entity::currency_rate::Purpose;

use super::rate::RateSource;
use crate::domain::currency::Currency;
use crate::domain::rate_series::{Group, Point, missing, points};
use crate::error::{Error, Result, code};
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{Date, Decimal};
use crate::loaders::rates::{FoundSeries, RateSeriesKey};

/// The longest span, in days: ten years and their leap days.
const MAX_DAYS: i64 = 3_660;

/// The most points of a series.
const MAX_POINTS: usize = 400;

/// What the days of a series are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Group")]
pub enum RateGroup {
    /// Each day for itself.
    Day,
    /// From Monday to Sunday.
    Week,
    /// By calendar month.
    Month,
    /// By calendar quarter.
    Quarter,
}

/// What a currency cost in another one over some time.
#[derive(Clone, Debug)]
pub struct RateSeries {
    from: NaiveDate,
    to: NaiveDate,
    series: Arc<FoundSeries>,
    points: Vec<Point>,
}

/// What a currency cost in another one over some time.
#[Object]
impl RateSeries {
    /// The points, earliest first. A group without any rate has none.
    async fn points(&self) -> Vec<RatePoint> {
        self.points.iter().map(RatePoint::from).collect()
    }

    /// The days from Monday to Friday that no rate is from or in force on, earliest first.
    async fn missing(&self) -> Vec<Date> {
        missing(self.from, self.to, &self.series.days).into_iter().map(Date).collect()
    }

    /// Who published the last rate. Null when there is none.
    async fn source(&self) -> Option<RateSource> {
        self.series.source.as_ref().map(RateSource::from)
    }
}

/// The rates of a group of days: units of quote for one unit of base, exact where they are published and to 18
/// significant digits where they were computed.
#[derive(Clone, Debug, SimpleObject)]
pub struct RatePoint {
    /// The first day of the group, whether or not it has a rate.
    pub date: Date,
    /// The last rate: the same as `close`.
    pub rate: Decimal,
    /// The first rate.
    pub open: Decimal,
    /// The highest rate.
    pub high: Decimal,
    /// The lowest rate.
    pub low: Decimal,
    /// The last rate.
    pub close: Decimal,
    /// The average over the days that have a rate.
    pub average: Decimal,
}

impl From<&Point> for RatePoint {
    fn from(point: &Point) -> Self {
        Self {
            date: Date(point.date),
            rate: Decimal(point.close.to_decimal()),
            open: Decimal(point.open.to_decimal()),
            high: Decimal(point.high.to_decimal()),
            low: Decimal(point.low.to_decimal()),
            close: Decimal(point.close.to_decimal()),
            average: Decimal(point.average.to_decimal()),
        }
    }
}

impl RateSeries {
    /// The rates of a pair from one day to another, both included.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when the span makes no series; otherwise when it cannot be loaded.
    pub async fn load(
        ctx: &Context<'_>,
        purpose: Purpose,
        pair: (Currency, Currency),
        span: (NaiveDate, NaiveDate),
        group: Group,
    ) -> Result<Self> {
        let bad = |message: String| Err(Error::caller(code::BAD_USER_INPUT, message));
        let ((base, quote), (from, to)) = (pair, span);
        if base == quote {
            return bad(format!("{base} in itself is no series"));
        }
        if to < from {
            return bad("the series ends before it begins".to_owned());
        }
        if (to - from).num_days() >= MAX_DAYS {
            return bad(format!("a series has at most {MAX_DAYS} days"));
        }
        let series = ctx.load(RateSeriesKey { purpose, base, quote, from, to }).await?;
        let points = points(&series.days, group);
        if points.len() > MAX_POINTS {
            let found = points.len();
            return bad(format!(
                "a series has at most {MAX_POINTS} points, and this one has {found}: gather more days"
            ));
        }
        Ok(Self { from, to, series, points })
    }
}

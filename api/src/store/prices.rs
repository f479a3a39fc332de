//! Market prices, and which codes they are of.

use chrono::NaiveDate;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QuerySelect};

use super::keys::{self, KeyType};
use super::reader::Reader;

/// The price of a month, with its source.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PriceRow {
    /// The name of the series.
    pub series: String,
    /// The first day of the month.
    pub month: NaiveDate,
    /// What the price is in.
    pub unit: String,
    /// The price.
    pub price: String,
    /// Code of the source.
    pub source: String,
}

/// Which prices of a commodity are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceSpan {
    /// Of this series alone.
    pub series: Option<String>,
    /// From this month on.
    pub from: Option<NaiveDate>,
    /// Up to this month.
    pub to: Option<NaiveDate>,
}

#[derive(Debug, FromQueryResult)]
struct Found {
    n: i64,
    #[sea_orm(nested)]
    price: PriceRow,
}

/// Whether there is any series.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader) -> Result<bool, DbErr> {
    let query = entity::price_series::Entity::all().select_only().column(entity::price_series::Column::Name);
    let first: Option<String> = query.limit(1).into_tuple().one(db).await?;
    Ok(first.is_some())
}

/// The prices of a span for each of these codes: of the series of the code or of one above it. Each comes with the
/// place of its code, by series and month.
///
/// # Errors
/// When the database does not answer.
pub async fn of_codes(db: &Reader, codes: &[String], span: &PriceSpan) -> Result<Vec<(usize, PriceRow)>, DbErr> {
    // A code may have a series by way of several codes above it; it is counted once.
    let rows: Vec<(usize, Vec<Value>)> = codes
        .iter()
        .enumerate()
        .flat_map(|(at, code)| {
            let above = (2..=code.len()).step_by(2).filter_map(|length| code.get(..length));
            above.map(move |above| (at, vec![above.into(), code.as_str().into()]))
        })
        .collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<usize> = rows.iter().map(|(at, _)| *at).collect();
    let rows: Vec<Vec<Value>> = rows.into_iter().map(|(_, row)| row).collect();
    let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or(NaiveDate::MIN);
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    let (from, to) = (span.from.unwrap_or(first), span.to.unwrap_or(last));
    let sql = format!(
        "SELECT min(k.n) AS n, p.series, p.month, p.unit, p.price, s.source
         FROM k
         JOIN price_series_commodity c ON c.commodity = k.above
         JOIN price_series s ON s.name = c.series
         JOIN commodity_price p ON p.series = s.name AND p.month >= '{from}' AND p.month <= '{to}'
         GROUP BY k.code, p.series, p.month, p.unit, p.price, s.source
         ORDER BY p.series, p.month"
    );
    let columns = [("above", KeyType::Text), ("code", KeyType::Text)];
    let statement = keys::over_keys(db.get_database_backend(), &columns, &rows, &sql);
    let found = Found::find_by_statement(statement).all(db).await?;
    let wanted = |price: &PriceRow| span.series.as_ref().is_none_or(|series| *series == price.series);
    let found = found.into_iter().filter(|row| wanted(&row.price));
    Ok(found.filter_map(|row| Some((*places.get(usize::try_from(row.n - 1).ok()?)?, row.price))).collect())
}

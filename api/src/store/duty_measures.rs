//! Measures of export duty and levy, with their codes and bands.

use chrono::NaiveDate;
use entity::duty_measure;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QuerySelect};

use super::keys::{self, KeyType};
use super::reader::Reader;

/// Which measures are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Those that name this code, one above it or one below it, and those of the same goods.
    Code(String),
    /// Those of goods with this key.
    Product(String),
    /// The one with this code of its own.
    Measure(String),
}

/// A measure with one of its bands and one of its codes: each combination is a row.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct MeasureRow {
    /// The code of the measure.
    pub code: String,
    /// What it is.
    pub kind: duty_measure::Kind,
    /// The goods.
    pub product: String,
    /// The first day.
    pub valid_from: NaiveDate,
    /// The last day.
    pub valid_to: Option<NaiveDate>,
    /// Place of the band.
    pub sequence: i32,
    /// Name of the rule.
    pub rule: String,
    /// The lower end.
    pub low: Option<String>,
    /// Whether it belongs to the band.
    pub low_inclusive: bool,
    /// The upper end.
    pub high: Option<String>,
    /// Whether it belongs to the band.
    pub high_inclusive: bool,
    /// What the ends are in.
    pub band_unit: Option<String>,
    /// The rate.
    pub rate: String,
    /// What it is of.
    pub rate_unit: String,
    /// The citation.
    pub legal_basis: String,
    /// How far it can be trusted.
    pub confidence: String,
    /// Where it was read.
    pub source_url: Option<String>,
    /// A code that the measure names.
    pub commodity: Option<String>,
    /// Whether only a part of its goods is meant.
    pub part: Option<bool>,
}

const KEY: [(&str, KeyType); 4] =
    [("low", KeyType::Text), ("high", KeyType::Text), ("product", KeyType::Text), ("measure", KeyType::Text)];

/// No code is in this range: what stands for a key that is not about codes.
const NO_RANGE: (&str, &str) = ("\u{10FFFF}", "");

impl Lookup {
    fn rows(&self) -> Vec<Vec<Value>> {
        let row = |low: &str, high: String, product: &str, measure: &str| -> Vec<Value> {
            vec![low.into(), high.into(), product.into(), measure.into()]
        };
        match self {
            Self::Code(code) => {
                // The code and all below it, and each one above it.
                let below = row(code, format!("{code}{}", char::MAX), "", "");
                let above = (2..code.len()).step_by(2).filter_map(|length| code.get(..length));
                std::iter::once(below).chain(above.map(|above| row(above, above.to_owned(), "", ""))).collect()
            }
            Self::Product(product) => vec![row(NO_RANGE.0, NO_RANGE.1.to_owned(), product, "")],
            Self::Measure(measure) => vec![row(NO_RANGE.0, NO_RANGE.1.to_owned(), "", measure)],
        }
    }
}

/// All measures that any of the keys wants, in one statement; the earliest first, bands in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn measures(db: &Reader, wanted: &[Lookup]) -> Result<Vec<MeasureRow>, DbErr> {
    let rows: Vec<_> = wanted.iter().flat_map(Lookup::rows).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT m.code, m.kind, m.product, m.valid_from, m.valid_to, b.sequence, b.rule, b.low, b.low_inclusive,
            b.high, b.high_inclusive, b.band_unit, b.rate, b.rate_unit, b.legal_basis, b.confidence, b.source_url,
            c.commodity, c.part
         FROM duty_measure m
         JOIN duty_band b ON b.measure = m.code
         LEFT JOIN duty_measure_commodity c ON c.measure = m.code
         WHERE m.code IN (SELECT k.measure FROM k)
            OR m.product_key IN (
                SELECT k.product FROM k
                UNION
                SELECT q.product_key FROM k
                JOIN duty_measure_commodity x ON x.commodity >= k.low AND x.commodity <= k.high
                JOIN duty_measure q ON q.code = x.measure)
         ORDER BY m.valid_from, m.code, b.sequence, c.commodity";
    let statement = keys::over_keys(db.get_database_backend(), &KEY, &rows, sql);
    MeasureRow::find_by_statement(statement).all(db).await
}

/// Whether there is any row.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader) -> Result<bool, DbErr> {
    let query = duty_measure::Entity::all().select_only().column(duty_measure::Column::Code);
    let first: Option<String> = query.limit(1).into_tuple().one(db).await?;
    Ok(first.is_some())
}

/// Goods that measures name, with a code that they name for them.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ProductRow {
    /// The goods, in the words of the regulation.
    pub product: String,
    /// A code.
    pub commodity: Option<String>,
    /// Its name in English.
    pub description_en: Option<String>,
    /// Its name in Indonesian.
    pub description_id: Option<String>,
}

/// All goods that measures name, with their codes, by name and code.
///
/// # Errors
/// When the database does not answer.
pub async fn products(db: &Reader) -> Result<Vec<ProductRow>, DbErr> {
    let sql = "SELECT DISTINCT m.product, c.commodity, d.description_en, d.description_id
         FROM duty_measure m
         LEFT JOIN duty_measure_commodity c ON c.measure = m.code
         LEFT JOIN commodity d ON d.code = c.commodity
         ORDER BY m.product, c.commodity";
    ProductRow::find_by_statement(sea_orm::Statement::from_string(db.get_database_backend(), sql)).all(db).await
}

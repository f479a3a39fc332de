//! Currency rates as published: quotes of single pairs.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::currency_rate::{self, Purpose};
use entity::rate_source;
use sea_orm::sea_query::Value;
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::keys::{self, KeyType};
use super::reader::Reader;

/// A pair of currencies, as a source quotes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// What the rate is for.
    pub purpose: Purpose,
    /// The currency that is priced.
    pub base: &'static str,
    /// The currency in which it is priced.
    pub quote: &'static str,
}

/// A published quote, with its source.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Quote {
    /// The currency that is priced.
    pub base: String,
    /// The currency in which it is priced.
    pub quote: String,
    /// The day that it is from.
    pub effective_date: NaiveDate,
    /// The number as printed.
    pub rate: String,
    /// For how many units of `base` it is printed.
    pub quoted_per: i32,
    /// Last day of validity where the source gives one.
    pub valid_to: Option<NaiveDate>,
    /// Code of the source.
    pub source: String,
    /// Name of the source.
    pub source_name: String,
    /// Where it publishes.
    pub source_url: Option<String>,
    /// The words to print beside its numbers.
    pub attribution: String,
    /// When its rates were last brought in.
    pub retrieved_at: DateTime<Utc>,
}

/// Which quote of a pair is wanted when the day has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The last one up to the day.
    Before,
    /// The first one from the day on.
    After,
}

/// Whether there is any rate for a purpose.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader, purpose: Purpose) -> Result<bool, DbErr> {
    let first: Option<String> = currency_rate::Entity::all()
        .select_only()
        .column(currency_rate::Column::Source)
        .filter(currency_rate::Column::Purpose.eq(purpose))
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(first.is_some())
}

const KEY: [(&str, KeyType); 4] =
    [("purpose", KeyType::Text), ("base", KeyType::Text), ("quote", KeyType::Text), ("on_date", KeyType::Date)];

#[derive(Debug, FromQueryResult)]
struct QuoteRow {
    n: i64,
    #[sea_orm(nested)]
    quote: Quote,
}

/// For each key the quote on one side of its day. A pair with none is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn quotes(
    db: &Reader,
    side: Side,
    wanted: &[(Pair, NaiveDate)],
) -> Result<HashMap<(Pair, NaiveDate), Quote>, DbErr> {
    let (compares, direction) = match side {
        Side::Before => ("<=", "DESC"),
        Side::After => (">=", "ASC"),
    };
    // Two descents into the primary key per key: no day's rates are read but the one that answers. Compared one by
    // one: of `(effective_date, source) = (SELECT …)` PostgreSQL makes a filter over all days of the pair.
    let answering = |column: &str| {
        format!(
            "(SELECT p.{column} FROM currency_rate p
              WHERE p.purpose = k.purpose AND p.base = k.base AND p.quote = k.quote
                AND p.effective_date {compares} k.on_date
              ORDER BY p.effective_date {direction}, p.source {direction} LIMIT 1)"
        )
    };
    let (effective_date, source) = (answering("effective_date"), answering("source"));
    let sql = format!(
        "SELECT k.n, r.base, r.quote, r.effective_date, r.rate, r.quoted_per, r.valid_to, r.source,
                s.name AS source_name, s.url AS source_url, s.attribution, s.retrieved_at
         FROM k
         JOIN currency_rate r ON r.purpose = k.purpose AND r.base = k.base AND r.quote = k.quote
          AND r.effective_date = {effective_date} AND r.source = {source}
         JOIN rate_source s ON s.code = r.source"
    );
    let rows: Vec<Vec<Value>> = wanted
        .iter()
        .map(|(pair, on)| vec![pair.purpose.to_value().into(), pair.base.into(), pair.quote.into(), (*on).into()])
        .collect();
    let statement = keys::over_keys(db.get_database_backend(), &KEY, &rows, &sql);
    let found = QuoteRow::find_by_statement(statement).all(db).await?;
    Ok(found
        .into_iter()
        .filter_map(|row| Some((wanted.get(usize::try_from(row.n - 1).ok()?)?.clone(), row.quote)))
        .collect())
}

/// All quotes of these pairs of a span of days, both ends included, earliest first.
///
/// # Errors
/// When the database does not answer.
pub async fn between(db: &Reader, pairs: &[Pair], from: NaiveDate, to: NaiveDate) -> Result<Vec<(Pair, Quote)>, DbErr> {
    let sql = format!(
        "SELECT k.n, r.base, r.quote, r.effective_date, r.rate, r.quoted_per, r.valid_to, r.source,
                s.name AS source_name, s.url AS source_url, s.attribution, s.retrieved_at
         FROM k
         JOIN currency_rate r ON r.purpose = k.purpose AND r.base = k.base AND r.quote = k.quote
          AND r.effective_date >= '{from}' AND r.effective_date <= '{to}'
         JOIN rate_source s ON s.code = r.source
         ORDER BY r.effective_date, r.source"
    );
    let rows: Vec<Vec<Value>> =
        pairs.iter().map(|pair| vec![pair.purpose.to_value().into(), pair.base.into(), pair.quote.into()]).collect();
    let statement = keys::over_keys(db.get_database_backend(), &KEY[..3], &rows, &sql);
    let found = QuoteRow::find_by_statement(statement).all(db).await?;
    let pair = |n: i64| pairs.get(usize::try_from(n - 1).ok()?).cloned();
    Ok(found.into_iter().filter_map(|row| Some((pair(row.n)?, row.quote))).collect())
}

#[derive(Debug, FromQueryResult)]
struct SpanRow {
    n: i64,
    earliest: Option<NaiveDate>,
    latest: Option<NaiveDate>,
}

/// For each pair its first and its last day. A pair with none is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn spans(db: &Reader, pairs: &[Pair]) -> Result<HashMap<Pair, (NaiveDate, NaiveDate)>, DbErr> {
    let end = |direction: &str| {
        format!(
            "(SELECT p.effective_date FROM currency_rate p
              WHERE p.purpose = k.purpose AND p.base = k.base AND p.quote = k.quote
              ORDER BY p.effective_date {direction} LIMIT 1)"
        )
    };
    let sql = format!("SELECT k.n, {} AS earliest, {} AS latest FROM k", end("ASC"), end("DESC"));
    let rows: Vec<Vec<Value>> =
        pairs.iter().map(|pair| vec![pair.purpose.to_value().into(), pair.base.into(), pair.quote.into()]).collect();
    let statement = keys::over_keys(db.get_database_backend(), &KEY[..3], &rows, &sql);
    let found = SpanRow::find_by_statement(statement).all(db).await?;
    Ok(found
        .into_iter()
        .filter_map(|row| {
            let pair = pairs.get(usize::try_from(row.n - 1).ok()?)?.clone();
            Some((pair, (row.earliest?, row.latest?)))
        })
        .collect())
}

/// The channel on which replicas tell one another of new rates.
pub const CHANNEL: &str = "dermaga_rates_changed";

/// The lock of whoever imports rates; any number that nobody else takes.
const IMPORT_LOCK: i64 = 0x6465_726d_7261_7465;

/// Waits until no other replica imports rates. On SQLite there is one writer in any case.
///
/// # Errors
/// When the database does not answer.
pub async fn lock_imports(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({IMPORT_LOCK})")).await?;
    }
    Ok(())
}

/// Tells all replicas, this one included, of the rates of a day when the transaction is committed, and only then.
///
/// # Errors
/// When the database does not answer.
pub async fn announce(tx: &DatabaseTransaction, day: NaiveDate) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_notify('{CHANNEL}', '{day}')")).await?;
    }
    Ok(())
}

/// The quotes of a purpose in one base currency that are from a day.
///
/// # Errors
/// When the database does not answer.
pub async fn of_day(
    db: &Reader,
    purpose: Purpose,
    base: &str,
    day: NaiveDate,
) -> Result<Vec<currency_rate::Model>, DbErr> {
    use currency_rate::Column;
    currency_rate::Entity::all()
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::Base.eq(base))
        .filter(Column::EffectiveDate.eq(day))
        .order_by_asc(Column::Source)
        .all(db)
        .await
}

/// The day of the newest rate of a pair.
///
/// # Errors
/// When the database does not answer.
pub async fn newest(db: &Reader, pair: Pair) -> Result<Option<NaiveDate>, DbErr> {
    Ok(spans(db, std::slice::from_ref(&pair)).await?.remove(&pair).map(|(_, newest)| newest))
}

/// The sources with these codes, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn sources(db: &Reader, codes: &[&str]) -> Result<Vec<rate_source::Model>, DbErr> {
    let column = (rate_source::Entity, rate_source::Column::Code);
    let wanted = keys::any_text(db.get_database_backend(), column, codes.iter().copied());
    rate_source::Entity::all().filter(wanted).all(db).await
}

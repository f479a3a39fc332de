//! What the ministry publishes for periods.

use chrono::NaiveDate;
use entity::reference_price::{self, Column};
use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use super::keys::{self, KeyType};
use super::reader::Reader;

const KEY: [(&str, KeyType); 2] = [("product", KeyType::Text), ("on_date", KeyType::Date)];

#[derive(Debug, FromQueryResult)]
struct PriceRow {
    n: i64,
    #[sea_orm(nested)]
    price: reference_price::Model,
}

/// What is published of goods for a day, each with the place of its key, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn of_products(
    db: &Reader,
    wanted: &[(String, NaiveDate)],
) -> Result<Vec<(usize, reference_price::Model)>, DbErr> {
    let rows: Vec<Vec<Value>> =
        wanted.iter().map(|(product, on)| vec![product.as_str().into(), (*on).into()]).collect();
    let sql = "SELECT k.n, p.product_key, p.kind, p.valid_from, p.valid_to, p.product, p.currency, p.unit, p.amount,
            p.rate, p.rate_unit, p.decree, p.legal_basis, p.source_url
         FROM k
         JOIN reference_price p ON p.product_key = k.product AND p.valid_from <= k.on_date AND p.valid_to >= k.on_date
         ORDER BY p.product_key, p.valid_from, p.kind";
    let statement = keys::over_keys(db.get_database_backend(), &KEY, &rows, sql);
    let found = PriceRow::find_by_statement(statement).all(db).await?;
    Ok(found.into_iter().filter_map(|row| Some((usize::try_from(row.n - 1).ok()?, row.price))).collect())
}

/// Everything that is published for a day.
///
/// # Errors
/// When the database does not answer.
pub async fn on(db: &Reader, day: NaiveDate) -> Result<Vec<reference_price::Model>, DbErr> {
    reference_price::Entity::all()
        .filter(Column::ValidFrom.lte(day))
        .filter(Column::ValidTo.gte(day))
        .order_by_asc(Column::ProductKey)
        .order_by_asc(Column::ValidFrom)
        .order_by_asc(Column::Kind)
        .all(db)
        .await
}

/// Whether there is any row.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader) -> Result<bool, DbErr> {
    let query = reference_price::Entity::all().select_only().column(reference_price::Column::ProductKey);
    let first: Option<String> = query.limit(1).into_tuple().one(db).await?;
    Ok(first.is_some())
}

//! Regulations.

use entity::regulation::{self, Column, Entity};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryFilter};

use super::keys::{self, KeyType};
use super::reader::Reader;

/// The regulations with these numbers, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_numbers(db: &Reader, numbers: &[String]) -> Result<Vec<regulation::Model>, DbErr> {
    let column = (Entity, Column::Number);
    let wanted = keys::any_text(db.get_database_backend(), column, numbers.iter().map(String::as_str));
    Entity::all().filter(wanted).all(db).await
}

#[derive(Debug, FromQueryResult)]
struct AmendedRow {
    n: i64,
    #[sea_orm(nested)]
    regulation: regulation::Model,
}

/// The regulations that each of these amends, with the place of the one that amends, by number.
///
/// # Errors
/// When the database does not answer.
pub async fn amended_by(db: &Reader, numbers: &[String]) -> Result<Vec<(usize, regulation::Model)>, DbErr> {
    let rows: Vec<Vec<Value>> = numbers.iter().map(|number| vec![number.as_str().into()]).collect();
    let sql = "SELECT k.n, r.number, r.title, r.issued_on, r.in_force_from, r.in_force_to, r.url
         FROM k
         JOIN regulation_amendment a ON a.regulation = k.number
         JOIN regulation r ON r.number = a.amends
         ORDER BY r.number";
    let statement = keys::over_keys(db.get_database_backend(), &[("number", KeyType::Text)], &rows, sql);
    let found = AmendedRow::find_by_statement(statement).all(db).await?;
    Ok(found.into_iter().filter_map(|row| Some((usize::try_from(row.n - 1).ok()?, row.regulation))).collect())
}

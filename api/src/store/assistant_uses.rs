//! What questions have used, by account and day.

use chrono::NaiveDate;
use entity::AccountScoped;
use entity::assistant_use::{self, Column, Entity};
use entity::ids::AccountId;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, QueryFilter, Statement};

use super::reader::Reader;

/// What an account used on a day; `None` when it used nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn on(db: &Reader, account: AccountId, day: NaiveDate) -> Result<Option<assistant_use::Model>, DbErr> {
    Entity::of_account(account).filter(Column::Day.eq(day)).one(db).await
}

/// Adds to what an account used on a day.
///
/// # Errors
/// When the database does not answer.
pub async fn add(db: &DatabaseTransaction, more: &assistant_use::Model) -> Result<(), DbErr> {
    let sql = "INSERT INTO assistant_use (account_id, day, calls, tokens, cost_micros) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account_id, day) DO UPDATE SET calls = assistant_use.calls + excluded.calls,
            tokens = assistant_use.tokens + excluded.tokens,
            cost_micros = assistant_use.cost_micros + excluded.cost_micros";
    let values =
        [more.account_id.into(), more.day.into(), more.calls.into(), more.tokens.into(), more.cost_micros.into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}
